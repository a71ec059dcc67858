"""What students make small: per task, for batches and for single utterances."""

from dataclasses import replace

import pytest
import torch

from evaluation.concordance import ccc_loss, moments
from evaluation.students.losses import (
    EMOTIONS_SHARE,
    SQUARED_SHARE,
    class_balance,
    cross_entropy,
    student_loss,
    utterance_losses,
)
from evaluation.systems.fitting import task_loss
from synth_data.task import Task

EMOTIONS = Task(("anger", "calm"))
NUMBERS = Task(dimensions=("valence", "activation"))
BOTH = Task(("anger", "calm"), ("valence", "activation"))


def batch(task: Task, n: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    draws = torch.Generator().manual_seed(0)
    outputs = torch.randn(n, len(task.columns), generator=draws, dtype=torch.float64)
    shares = torch.eye(2, dtype=torch.float64)[torch.arange(n) % 2][:, : len(task.emotions)]
    numbers = torch.rand(n, len(task.dimensions), generator=draws, dtype=torch.float64) * 2 - 1
    return outputs.requires_grad_(), torch.cat([shares, numbers], dim=1)


def test_of_emotions_it_is_the_cross_entropy_to_the_bit():
    outputs, targets = batch(EMOTIONS)
    balance = torch.tensor([0.5, 2.0], dtype=torch.float64)
    assert torch.equal(
        student_loss(EMOTIONS, outputs, targets), cross_entropy(outputs, targets).mean()
    )
    assert torch.equal(
        student_loss(EMOTIONS, outputs, targets, balance),
        cross_entropy(outputs, targets * balance).mean(),
    )


@pytest.mark.parametrize("alone", [0, 1])
def test_a_dimension_that_has_all_weight_is_learned_as_if_it_were_alone(alone):
    """By batches of items, by utterances at the door, and by the systems' networks."""
    outputs, targets = batch(NUMBERS)
    weighed = replace(NUMBERS, weights=tuple(3.0 * (n == alone) for n in (0, 1)))
    one = Task((), NUMBERS.dimensions[alone : alone + 1])
    columns = slice(alone, alone + 1)
    for loss in (
        student_loss,
        lambda task, told, true: task_loss(told, true, task, EMOTIONS_SHARE),
        lambda task, told, true: utterance_losses(
            task, told, true, moments(told, true).mean(dim=0)
        ).mean(),
    ):
        wanted = loss(one, outputs[:, columns], targets[:, columns])
        assert torch.allclose(loss(weighed, outputs, targets), wanted)
        assert not torch.allclose(loss(NUMBERS, outputs, targets), wanted)


def test_both_sum_their_losses_and_a_missing_emotion_adds_nothing():
    outputs, targets = batch(BOTH)
    targets[3:5, :2] = torch.nan
    told, true = outputs[:, 2:], targets[:, 2:]
    known = [row for row in range(12) if row not in (3, 4)]
    wanted = (
        ccc_loss(told, true, BOTH.importance)
        + SQUARED_SHARE * torch.nn.functional.mse_loss(told, true)
        + EMOTIONS_SHARE * cross_entropy(outputs[known, :2], targets[known, :2]).sum() / 12
    )
    loss = student_loss(BOTH, outputs, targets)
    assert torch.allclose(loss, wanted)
    (gradient,) = torch.autograd.grad(loss, outputs)
    assert gradient.isfinite().all()
    assert (gradient[3:5, :2] == 0).all()
    assert (gradient[3:5, 2:] != 0).all()


def test_nobody_of_whom_an_emotion_is_known_trains_the_numbers():
    outputs, targets = batch(BOTH)
    targets[:, :2] = torch.nan
    balance = class_balance(targets[:, :2])
    assert student_loss(BOTH, outputs, targets, balance).isfinite()


@pytest.mark.parametrize("task", [EMOTIONS, NUMBERS, BOTH], ids=lambda task: task.name)
def test_the_mean_over_utterances_has_the_gradient_of_the_batch(task):
    outputs, targets = batch(task)
    answered = None
    if task.dimensions:
        answered = moments(task.numbers(outputs), task.numbers(targets)).mean(dim=0)
    losses = utterance_losses(task, outputs, targets, answered)
    (found,) = torch.autograd.grad(losses.mean(), outputs, retain_graph=True)
    (wanted,) = torch.autograd.grad(student_loss(task, outputs, targets), outputs)
    assert torch.allclose(found, wanted, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_items_or_alike_ones_pull_outputs_to_their_targets(n):
    outputs, targets = batch(NUMBERS, n)
    targets[:] = 0.5
    (gradient,) = torch.autograd.grad(student_loss(NUMBERS, outputs, targets), outputs)
    centre = (outputs - targets).mean(dim=0)
    assert (gradient.sum(dim=0).sign() == centre.sign()).all()


def test_a_few_items_are_learned_by_heart():
    outputs, targets = batch(NUMBERS, 2)
    learned = outputs.detach().requires_grad_()
    adam = torch.optim.Adam([learned], lr=0.05)
    for _ in range(300):
        adam.zero_grad()
        student_loss(NUMBERS, learned, targets).backward()
        adam.step()
    assert (learned - targets).abs().max() < 0.02


def test_classes_count_alike_and_missing_ones_not_at_all():
    targets = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    missing = torch.full((2, 2), torch.nan)
    assert class_balance(targets).tolist() == pytest.approx([2 / 3, 2.0])
    known = 4 / 6  # the others make up for the two that say nothing
    assert torch.allclose(
        class_balance(torch.cat([targets, missing])) * known, class_balance(targets)
    )


@pytest.mark.parametrize("missing", [0, 4, 10])
def test_the_emotions_have_their_share_however_many_are_missing(missing):
    """The same as of the systems' networks, which leave missing ones out of the mean."""
    outputs, targets = batch(BOTH)
    targets[:missing, :2] = torch.nan
    balance = class_balance(targets[:, :2])
    assert balance.sum() == pytest.approx(2 * 12 / (12 - missing))
    apart = student_loss(NUMBERS, outputs[:, 2:], targets[:, 2:])
    found = student_loss(BOTH, outputs, targets, balance) - apart
    theirs = task_loss(outputs, targets, BOTH, EMOTIONS_SHARE)
    theirs = theirs - ccc_loss(outputs[:, 2:], targets[:, 2:], BOTH.importance)
    assert found.item() == pytest.approx(theirs.item())


def lacking(task: Task) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch whose first dimension is known of some, and whose second of others."""
    outputs, targets = batch(task)
    first = len(task.emotions)
    targets[:5, first] = torch.nan
    targets[3:6, first + 1] = torch.nan
    return outputs, targets


@pytest.mark.parametrize("task", [NUMBERS, BOTH], ids=lambda task: task.name)
def test_each_dimension_is_learned_from_those_of_whom_it_is_known(task):
    outputs, targets = lacking(task)
    loss = student_loss(task, outputs, targets)
    (gradient,) = torch.autograd.grad(loss, outputs)
    told, true = task.numbers(outputs), task.numbers(targets)
    wanted, half = [], torch.ones(1).double()
    for column, known in enumerate((slice(5, 12), [0, 1, 2, *range(6, 12)])):
        said, meant = told[known, column : column + 1], true[known, column : column + 1]
        squared = torch.nn.functional.mse_loss(said, meant)
        wanted.append((ccc_loss(said, meant, half) + SQUARED_SHARE * squared) / 2)
    of_emotions = student_loss(EMOTIONS, outputs[:, :2], targets[:, :2]) if task.emotions else 0
    assert torch.allclose(loss, sum(wanted) + EMOTIONS_SHARE * of_emotions)
    assert gradient.isfinite().all()
    assert (task.numbers(gradient) != 0).equal(~true.isnan())


@pytest.mark.parametrize("task", [NUMBERS, BOTH], ids=lambda task: task.name)
def test_losses_of_utterances_that_lack_dimensions_have_the_gradient_of_the_batch(task):
    outputs, targets = lacking(task)
    answered = moments(task.numbers(outputs), task.numbers(targets)).mean(dim=0)
    losses = utterance_losses(task, outputs, targets, answered)
    (found,) = torch.autograd.grad(losses.mean(), outputs, retain_graph=True)
    (wanted,) = torch.autograd.grad(student_loss(task, outputs, targets), outputs)
    assert torch.allclose(found, wanted, rtol=1e-6, atol=1e-9)


def test_a_dimension_that_nobody_in_a_batch_has_is_not_learned_there():
    outputs, targets = batch(NUMBERS)
    targets[:, 0] = torch.nan
    (gradient,) = torch.autograd.grad(student_loss(NUMBERS, outputs, targets), outputs)
    assert (gradient[:, 0] == 0).all()
    assert (gradient[:, 1] != 0).all()


def test_where_nobody_was_asked_knew_a_dimension_it_pulls_nowhere():
    """And what noise leaves of a share below nothing is no share."""
    outputs, targets = batch(NUMBERS)
    answered = moments(outputs, targets).mean(dim=0).detach()
    for share in (0.0, -0.2):
        answered[[0, 2, 4, 6, 8]] = 0.0
        answered[10] = share
        losses = utterance_losses(NUMBERS, outputs, targets, answered)
        (gradient,) = torch.autograd.grad(losses.sum(), outputs)
        assert (gradient[:, 0] == 0).all()
        assert (gradient[:, 1] != 0).all()
