"""How the networks of both systems are trained: on concordance, until validation speakers say stop.

The loss is 1 minus the mean concordance correlation (CCC) of the dimensions, each batch's own, and
at a small weight the cross-entropy of the emotions (multi-task learning of Mitra et al. 2022). What
a teacher says of the training utterances is a second part of it.
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from evaluation.augment import Augment
from evaluation.concordance import ccc, ccc_loss
from evaluation.students.network import warm_cosine
from evaluation.systems.listening import Hint
from evaluation.systems.sequences import Sequences
from synth_data.settings import Count, NotNegative, Positive
from synth_data.task import Task

CHUNK = 64  # utterances, all as long as the longest of them
SMALLEST_SCALE = 1e-3


@runtime_checkable
class Heard(Protocol):
    """Utterances in the form that a network takes them."""

    def __len__(self) -> int: ...

    def rows(self, rows: Int[Tensor, " m"]) -> Any:
        """These utterances."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: AdamW, a linear warm-up, then a cosine to zero.

    Attributes:
        epochs: over the training utterances, at most.
        batch: utterances per step; their CCC is the loss, so that few make it noisy.
        learning_rate: at the peak.
        weight_decay: of AdamW, decoupled.
        clip: largest norm of a gradient.
        patience: epochs without a better validation CCC after which training ends.
        emotion_weight: of the cross-entropy of the emotions, where a corpus has them.
    """

    epochs: Count = 60
    batch: Count = 32
    learning_rate: Positive = 2e-3
    weight_decay: NotNegative = 0.01
    clip: Positive = 1.0
    patience: Count = 20
    emotion_weight: NotNegative = 0.2


@dataclass(frozen=True)
class Weights:
    """Of the parts of a lesson, beside the loss of the targets, whose weight is 1.

    Attributes:
        embedding: of the distance to the teacher's embedding.
        outputs: of 1 minus the CCC to its outputs.
        frames: of the distance to what its encoders hear, frame by frame.
    """

    embedding: NotNegative = 1.0
    outputs: NotNegative = 1.0
    frames: NotNegative = 1.0


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a teacher says of each training utterance.

    Attributes:
        embedding: a linear map of the student's embedding should be this.
        outputs: with the columns of the targets.
        hint: of what its encoders hear, frame by frame.
        weights: of all three.
    """

    embedding: Float[Tensor, "n any"]
    outputs: Float[Tensor, "n column"]
    hint: Hint | None = None
    weights: Weights = Weights()


def fit(
    network: nn.Module,
    train: Heard,
    targets: Float[Tensor, "n column"],
    validation: Heard,
    wanted: Float[Tensor, "m column"],
    task: Task,
    recipe: Recipe,
    generator: torch.Generator,
    lesson: Lesson | None = None,
    augment: Augment = Augment(),
) -> float:
    """Trains a network in place; it ends with the weights that validation speakers liked best.

    Args:
        network: from what is heard to (embedding, outputs).
        train: utterances to train on.
        targets: theirs; NaN where an emotion is not known.
        validation: utterances of other speakers.
        wanted: their targets.
        task: what the columns are.
        recipe: how.
        generator: of batches, augmentation and the lesson's linear map.
        lesson: of a teacher.
        augment: of what is heard, where that is `Sequences`; without a shift, which would bring
            in what is beyond an utterance's end.

    Returns:
        The best mean CCC of the dimensions on the validation utterances.
    """
    learned = [weight for weight in network.parameters() if weight.requires_grad]
    aims = projection = None
    if lesson is not None:
        scale = lesson.embedding.std(dim=0, correction=0).clamp_min(SMALLEST_SCALE)
        aims = (lesson.embedding - lesson.embedding.mean(dim=0)) / scale
        projection = _projection(network, train, aims.shape[1], generator)
        learned = [*learned, *projection.parameters()]
        learned += [] if lesson.hint is None else lesson.hint.parameters()
    optimiser = torch.optim.AdamW(
        learned, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    batches = max(1, len(train) // recipe.batch)
    steps = recipe.epochs * batches
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: warm_cosine(step, steps, max(1, steps // 20))
    )
    best, kept, waited = -math.inf, _copy(network), 0
    for _ in range(recipe.epochs):
        network.train()
        for rows in torch.randperm(len(train), generator=generator).tensor_split(batches):
            heard = train.rows(rows)
            if isinstance(heard, Sequences) and augment != Augment():
                heard = network.augmented(heard, augment, generator)  # type: ignore[operator]
            if lesson is None or lesson.hint is None:
                embedding, outputs = network(heard)
                hinted = torch.zeros(())
            else:  # of a network that goes along frames
                states = network.along(heard)  # type: ignore[operator]
                embedding, outputs = network.read(states)  # type: ignore[operator]
                hinted = lesson.hint(states, rows)
            loss = task_loss(outputs, targets[rows], task, recipe.emotion_weight)
            if lesson is not None and aims is not None and projection is not None:
                taught = mse_loss(projection(embedding), aims[rows])
                said = task.numbers(lesson.outputs[rows])
                loss = loss + lesson.weights.embedding * taught
                loss = loss + lesson.weights.frames * hinted
                loss = loss + lesson.weights.outputs * ccc_loss(
                    task.numbers(outputs), said, task.importance
                )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(learned, recipe.clip)
            optimiser.step()
            schedule.step()
        found = worth(network, validation, wanted, task)
        if found > best:
            best, kept, waited = found, _copy(network), 0
        else:
            waited += 1
            if waited == recipe.patience:
                break
    network.load_state_dict(kept)
    network.eval()
    return best


def task_loss(
    outputs: Float[Tensor, "n column"],
    targets: Float[Tensor, "n column"],
    task: Task,
    emotion_weight: float,
) -> Float[Tensor, ""]:
    """1 minus the weighted mean CCC of dimensions, and emotions' cross-entropy at its weight."""
    loss = ccc_loss(task.numbers(outputs), task.numbers(targets), task.importance)
    shares = task.shares(targets)
    known = shares.isfinite().all(dim=1)
    if not task.emotions or not known.any():
        return loss
    return loss + emotion_weight * cross_entropy(task.shares(outputs)[known], shares[known])


def answers(
    network: nn.Module, heard: Heard, which: Int[Tensor, " n"] | None = None
) -> tuple[Float[Tensor, "n embedding"], Float[Tensor, "n column"]]:
    """(embeddings, outputs) of these utterances or all, in chunks and without gradients."""
    network.eval()
    which = torch.arange(len(heard)) if which is None else which
    with torch.no_grad():
        parts = [network(heard.rows(rows)) for rows in which.split(CHUNK)]
    embeddings, outputs = zip(*parts, strict=True)
    return torch.cat(embeddings), torch.cat(outputs)


def worth(
    network: nn.Module,
    heard: Heard,
    targets: Float[Tensor, "n column"],
    task: Task,
    which: Int[Tensor, " n"] | None = None,
) -> float:
    """The mean CCC of the dimensions; worse than anything if outputs are not finite.

    Args:
        network: that is asked.
        heard: utterances.
        targets: of those that are asked about.
        task: what the columns are.
        which: of the utterances; all if None.
    """
    outputs = task.numbers(answers(network, heard, which)[1])
    if not outputs.isfinite().all():
        return -math.inf
    truth = task.numbers(targets).double().numpy()
    return float(ccc(truth, outputs.double().numpy()).mean())


def parameters(*networks: nn.Module) -> int:
    """Numbers that these consist of, each network's counted once."""
    each = {id(weight): weight.numel() for one in networks for weight in one.parameters()}
    return sum(each.values())


def _projection(
    network: nn.Module, train: Heard, aims: int, generator: torch.Generator
) -> nn.Linear:
    """A linear map from the student's embedding to the teacher's."""
    with torch.no_grad():
        width = network(train.rows(torch.arange(1)))[0].shape[1]
    projection = nn.Linear(width, aims)
    with torch.no_grad():
        projection.weight.copy_(torch.randn(aims, width, generator=generator) / math.sqrt(width))
        projection.bias.zero_()
    return projection


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}
