"""The loss of real utterances: a mean whose gradient is that of all of them together."""

import pytest
import torch
from fake_speech import SPEC
from felt_speech import felt_speech
from torch import Tensor, nn

from distill.objectives.objective import Student
from distill.objectives.real_loss import MOMENTS, RealLoss, emotion_balance
from evaluation.networks import apply, draw_weights, skeleton
from evaluation.students import class_balance
from evaluation.students.losses import student_loss
from synth_data.curator import Curator
from synth_data.mechanism import EVERYTHING, Draw
from synth_data.real import RealSet


def student(real: RealSet) -> Student:
    network = skeleton("tdnn", SPEC.mels, len(real.task.columns))
    return Student(network, draw_weights(network, torch.Generator().manual_seed(0)), real.task)


def gradient_of(loss: Tensor, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return dict(zip(weights, torch.autograd.grad(loss, list(weights.values())), strict=True))


@pytest.mark.parametrize("lacking", [(), ((0, 0), (1, 0), (1, 1), (1, 2), (5, 2))])
@pytest.mark.parametrize("task", ["dimensional", "both"])
def test_moments_and_then_a_mean_give_the_gradient_of_the_whole(task, lacking):
    real = felt_speech((9, 8, 7), task=task, unknown=(1, 4), lacking=lacking)
    curator, model = Curator(real), student(real)
    balance = emotion_balance(curator)
    loss = RealLoss(model, nn.Identity(), balance).asked(curator, model.start, EVERYTHING)
    found = curator.mean_gradient(loss, model.start, purpose="lesson", per_class=False)
    weights = {name: weight.clone().requires_grad_() for name, weight in model.start.items()}
    outputs = apply(model.network, weights, real.features)
    whole = gradient_of(student_loss(real.task, outputs, real.targets, balance), weights)
    for name in found:
        assert torch.allclose(found[name], whole[name], atol=1e-5)
    assert curator.questions[MOMENTS] == 1


def test_moments_are_asked_of_the_utterances_that_are_drawn():
    """And of the same augmentation, where that draws from the same stream."""
    real = felt_speech((9, 8, 7))
    curator, model, seen = Curator(real), student(real), []

    def view(features: Tensor) -> Tensor:
        noisy = features + torch.randn(features.shape, generator=draws)
        seen.append(noisy)
        return noisy

    draws = torch.Generator().manual_seed(3)
    sample = Draw(0.4, draws)
    loss = RealLoss(model, view).asked(curator, model.start, sample)
    curator.mean_gradient(loss, model.start, purpose="lesson", sample=sample, per_class=False)
    assert 0 < len(seen[0]) < len(real)
    assert torch.equal(*seen)


def test_known_emotions_count_alike_as_students_count_them():
    real = felt_speech((12, 6, 3), task="both", unknown=(0, 1, 2, 3))
    balance = emotion_balance(Curator(real))
    assert torch.allclose(balance, class_balance(real.task.shares(real.targets)))
    rows = real.task.shares(real.targets).nan_to_num(0.0) * balance
    assert rows.sum(dim=1).mean() == pytest.approx(1.0)
    assert emotion_balance(Curator(felt_speech())).numel() == 0
