"""What a student is to make small, whatever there is to tell."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from evaluation.concordance import ccc_loss, moments, of_known, surrogate
from synth_data.task import Task

# Of the cross-entropy beside the dimensions' loss, as in the re-implementation (Hex4C59/
# SE_IMR_MTL_KD) of Mitra et al. 2022, "Speech emotion: investigating model representations,
# multi-task learning and knowledge distillation".
EMOTIONS_SHARE = 0.2
# Of the squared error beside 1 - CCC, which alone says nothing of a batch whose targets are all
# alike, such as one item: there is no covariance to win.
SQUARED_SHARE = 0.1


def student_loss(
    task: Task,
    outputs: Float[Tensor, "n column"],
    targets: Float[Tensor, "n column"],
    balance: Float[Tensor, " emotion"] | None = None,
) -> Float[Tensor, ""]:
    """The loss of a batch.

    Of emotions it is the mean cross-entropy; of dimensions 1 - the weighted mean CCC over the batch
    and a little of the squared error; of both their sum, in which an utterance without an emotion
    adds nothing to the cross-entropy: `class_balance` makes up for it. A dimension is learned from
    the utterances of which it is known.

    Args:
        task: what the columns are.
        outputs: of a student.
        targets: shares of the emotions, then the dimensions in [-1, 1]; NaN where missing.
        balance: weights of the emotions, see `class_balance`; equal by default.
    """
    if not task.dimensions:
        return _of_emotions(task, outputs, targets, balance).mean()
    told, true = task.numbers(outputs), task.numbers(targets)
    importance = task.importance.to(told)
    squared = _squared(told, true, of_known(moments(told, true).mean(dim=0), importance))
    loss = ccc_loss(told, true, importance) + SQUARED_SHARE * squared.mean()
    if task.emotions:
        loss = loss + EMOTIONS_SHARE * _of_emotions(task, outputs, targets, balance).mean()
    return loss


def utterance_losses(
    task: Task,
    outputs: Float[Tensor, "n column"],
    targets: Float[Tensor, "n column"],
    mean_moments: Float[Tensor, " six_dimensions"] | None,
    balance: Float[Tensor, " emotion"] | None = None,
) -> Float[Tensor, " n"]:
    """Losses of single utterances, whose mean has the gradient of `student_loss` over them all.

    Args:
        task: what the columns are.
        outputs: of a student.
        targets: as for `student_loss`.
        mean_moments: the mean over the utterances of `concordance.moments` of their numbers;
            None where there are no dimensions.
        balance: weights of the emotions; equal by default.
    """
    if mean_moments is None:
        return _of_emotions(task, outputs, targets, balance)
    told, true = task.numbers(outputs), task.numbers(targets)
    importance = task.importance.to(told)
    losses = surrogate(told, true, mean_moments, importance)
    weights = of_known(mean_moments, importance)
    losses = losses + SQUARED_SHARE * _squared(told, true, weights)
    if task.emotions:
        losses = losses + EMOTIONS_SHARE * _of_emotions(task, outputs, targets, balance)
    return losses


def cross_entropy(
    logits: Float[Tensor, "n emotion"], targets: Float[Tensor, "n emotion"]
) -> Float[Tensor, " n"]:
    """Cross-entropy of each item against its target row."""
    return -(targets * functional.log_softmax(logits, dim=1)).sum(dim=1)


def class_balance(targets: Float[Tensor, "n emotion"]) -> Float[Tensor, " emotion"]:
    """Weights under which the classes count alike and an item counts one on average.

    Rows that are NaN, of utterances without an emotion, count nothing and the others the more, so
    that the mean over all is that over the known ones.
    """
    shares = targets.nan_to_num(0.0).mean(dim=0)
    present = (shares > 0).sum()
    return torch.where(shares > 0, 1.0 / (shares * present).clamp_min(1e-6), 0.0)


def _squared(
    told: Float[Tensor, "n dimension"],
    true: Float[Tensor, "n dimension"],
    weights: Float[Tensor, " dimension"],
) -> Float[Tensor, " n"]:
    """The weighted squared error of each item, over what is known of it."""
    return (told - true).where(~true.isnan(), 0.0).square() @ weights


def _of_emotions(
    task: Task,
    outputs: Float[Tensor, "n column"],
    targets: Float[Tensor, "n column"],
    balance: Float[Tensor, " emotion"] | None,
) -> Float[Tensor, " n"]:
    wanted = task.shares(targets)
    if task.dimensions:  # only beside numbers may an emotion be missing
        wanted = wanted.nan_to_num(0.0)
    if balance is not None:
        wanted = wanted * balance
    return cross_entropy(task.shares(outputs), wanted)
