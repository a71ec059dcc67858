"""Gradient matching does what its formula and its docstring say."""

from dataclasses import replace

import pytest
import torch
from fake_speech import SPEC, TASK, fake_speech
from torch import Tensor, nn
from torch.nn import functional

from distill.objectives.gradient_matching import (
    DISTANCES,
    GRADIENT,
    GradientMatching,
    matched,
    row_distance,
)
from distill.objectives.objective import Candidate, Student
from distill.objectives.trajectories import WEIGHT
from evaluation.augment import Augment
from evaluation.networks import apply, draw_weights, skeleton
from evaluation.students import cross_entropy
from synth_data.curator import Curator
from synth_data.real import RealSet

STILL = Augment(bands=0, frames=0.0)
SMALL = GradientMatching(
    starts=2, checkpoints=3, stride=2, learning_rate=1e-2, sampling_probability=0.5, augment=STILL
)


def student(network: str = "tdnn") -> Student:
    module = skeleton(network, SPEC.mels, 3)
    return Student(module, draw_weights(module, torch.Generator().manual_seed(0)), TASK)


def as_candidate(real: RealSet) -> Candidate:
    """The real utterances themselves, in the order of their emotions."""
    order = real.targets.argmax(dim=1).argsort()
    features = real.features[order].clone().requires_grad_()
    return Candidate(features, real.targets[order], len(real) // 3)


def losses(objective: GradientMatching, real: RealSet, ours: Candidate) -> Tensor:
    """At ten drawn checkpoints."""
    curator, model = Curator(real), student()
    state = objective.init(curator, model, 0)
    draws = torch.Generator().manual_seed(0)
    return torch.stack(
        [objective.step(state, ours, curator, model, draws)[0].detach() for _ in range(10)]
    )


def test_nothing_is_left_to_match_where_synthetic_is_real():
    real = fake_speech((4, 4, 4))
    ours = as_candidate(real)
    assert losses(SMALL, real, ours).abs().max() < 1e-3
    noise = replace(ours, features=torch.randn(ours.features.shape).requires_grad_())
    assert losses(SMALL, real, noise).min() > 10


def test_the_order_of_items_within_a_class_says_nothing():
    real = fake_speech((4, 4, 4))
    ours = replace(as_candidate(real), features=torch.randn(12, *SPEC.shape).requires_grad_())
    swapped = replace(ours, features=ours.features[[1, 0, 2, 3, 7, 6, 5, 4, 8, 9, 11, 10]])
    assert torch.allclose(losses(SMALL, real, ours), losses(SMALL, real, swapped), rtol=1e-4)


def slow_distance(kind: str, row: Tensor, other: Tensor) -> float:
    if kind == "l1":
        return float((row - other).abs().sum())
    if kind == "mse":
        return float((row - other).square().sum())
    return 1 - float((row * other).sum() / (row.norm() * other.norm()))


@pytest.mark.parametrize("distance", DISTANCES)
def test_the_loss_is_the_sum_over_classes_layers_and_rows(distance):
    real, model = fake_speech((3, 5, 4)), student()
    objective = replace(SMALL, starts=1, checkpoints=1, distance=distance)
    ours = as_candidate(fake_speech((2, 2, 2), seed=1))
    curator = Curator(real)
    loss, _ = objective.step(
        objective.init(curator, model, 0), ours, curator, model, torch.Generator()
    )

    def gradient(features: Tensor, targets: Tensor) -> dict[str, Tensor]:
        free = {name: weight.clone().requires_grad_() for name, weight in model.start.items()}
        labels = targets.argmax(dim=1)
        functional.cross_entropy(apply(model.network, free, features), labels).backward()
        return {name: weight.grad for name, weight in free.items()}

    layers = [
        f"{name}.weight"
        for name, module in model.network.named_modules()
        if isinstance(module, nn.Conv1d | nn.Linear)
    ]
    slow = 0.0
    for emotion in range(3):
        chosen = real.group_rows(emotion)
        theirs = gradient(real.features[chosen], real.targets[chosen])
        items = slice(2 * emotion, 2 * emotion + 2)
        mine = gradient(ours.features[items].detach(), ours.targets[items])
        for name in layers:
            for row, other in zip(mine[name], theirs[name], strict=True):
                slow += slow_distance(distance, row, other)
    assert float(loss.detach()) == pytest.approx(slow, rel=1e-4)


def test_the_derivative_of_the_loss_is_right():
    """In float64, against finite differences along random directions."""
    real, model = fake_speech((2, 2, 2)), student("convnet")
    objective = replace(SMALL, starts=1, checkpoints=1, derivative="exact")
    curator = Curator(real)
    state = {k: v.double() for k, v in objective.init(curator, model, 0).items()}
    targets = torch.eye(3, dtype=torch.float64)

    def loss(features: Tensor) -> Tensor:
        candidate = Candidate(features, targets, 1)
        return objective.step(state, candidate, curator, model, torch.Generator())[0]

    features = torch.randn(3, *SPEC.shape, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(loss, features, fast_mode=True)


def test_no_step_touches_real_speech():
    curator, model = Curator(fake_speech()), student()
    state = SMALL.init(curator, model, 0)
    asked = curator.questions.copy()
    assert asked == {"class gradients": 6, "trajectory": 8, "class shares": 2}
    ours = as_candidate(fake_speech((1, 1, 1)))
    SMALL.step(state, ours, curator, model, torch.Generator().manual_seed(0))
    assert curator.questions == asked


def test_one_trajectory_leaves_from_the_fixed_initialisation_the_others_from_random_ones():
    model = student()
    state = SMALL.init(Curator(fake_speech()), model, 0)
    for name in matched(model.start):
        first, second = state[WEIGHT + name][0], state[WEIGHT + name][SMALL.checkpoints]
        assert torch.equal(first, model.start[name])
        assert not torch.equal(second, first)
        assert second.std() == pytest.approx(float(first.std()), rel=0.2)


def test_a_trajectory_is_real_training():
    """With everybody drawn: the same as full-batch AdamW on the loss that weighs classes alike."""
    real, model = fake_speech((6, 4, 2)), student()
    objective = replace(SMALL, starts=1, sampling_probability=1.0)
    state = objective.init(Curator(real), model, 0)

    free = {name: weight.clone().requires_grad_() for name, weight in model.start.items()}
    optimiser = torch.optim.AdamW(free.values(), lr=objective.learning_rate)
    labels = real.targets.argmax(dim=1)
    balance = torch.tensor([12 / 6, 12 / 4, 12 / 2]) / 3
    for checkpoint in range(objective.checkpoints):
        for name, weight in free.items():
            assert torch.allclose(state[WEIGHT + name][checkpoint], weight, atol=2e-4), name
        for _ in range(objective.stride):
            optimiser.zero_grad()
            logits = apply(model.network, free, real.features)
            each = functional.cross_entropy(logits, labels, weight=balance, reduction="none")
            each.mean().backward()
            optimiser.step()


def test_kept_gradients_are_those_of_the_kept_weights():
    real, model = fake_speech(), student()
    state = SMALL.init(Curator(real), model, 0)
    last = {n.removeprefix(WEIGHT): v[-1] for n, v in state.items() if n.startswith(WEIGHT)}
    again = Curator(real).mean_gradient(
        lambda at, features, targets: cross_entropy(apply(model.network, at, features), targets),
        last,
        purpose="again",
    )
    for name in matched(last):
        assert torch.allclose(state[GRADIENT + name][-1], again[name], atol=1e-5)


def test_augmentation_changes_what_is_matched():
    real, model = fake_speech(), student()
    plain, augmented = (
        replace(SMALL, starts=1, checkpoints=1, augment=augment).init(Curator(real), model, 0)
        for augment in (STILL, Augment(bands=4, frames=0.3))
    )
    assert not torch.allclose(plain[GRADIENT + "head.weight"], augmented[GRADIENT + "head.weight"])


def test_the_stated_cost_is_the_work_done():
    real, model, seen = fake_speech(), student(), []
    model.network.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    objective = replace(SMALL, sampling_probability=1.0)
    objective.init(Curator(real), model, 0)
    assert sum(seen) == objective.cost(1, len(real)).real_passes


def test_a_large_corpus_costs_no_more_than_it_may():
    model, seen = student(), []
    model.network.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    objective = replace(SMALL, checkpoints=6, stride=4, at_a_step=20, at_a_checkpoint=180)
    for count in (200, 800):
        real = fake_speech((count, count, count))
        objective.init(Curator(real), model, 0)
        stated = objective.cost(1, len(real)).real_passes
        assert stated == 2 * (6 * 180 + 5 * 4 * 20)
        assert sum(seen) == pytest.approx(stated, rel=0.15)
        seen.clear()


def test_biases_and_norms_are_not_matched():
    weights = {"a": torch.ones(2, 3), "b": torch.ones(2), "c": torch.ones(2, 3, 4)}
    assert matched(weights) == ["a", "c"]


@pytest.mark.parametrize("shape", [(5, 7), (5, 2, 3), (5, 2, 3, 3)])
def test_the_distance_sees_directions_only(shape):
    rows = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    assert float(row_distance(rows, 3 * rows)) == pytest.approx(0, abs=1e-5)
    assert float(row_distance(rows, -0.5 * rows)) == pytest.approx(2 * 5, abs=1e-5)
    one_turned = rows.clone()
    one_turned[2] *= -1
    assert float(row_distance(rows, one_turned)) == pytest.approx(2, abs=1e-5)


def test_rows_at_right_angles_are_one_apart():
    assert float(row_distance(torch.eye(4), torch.eye(4).roll(1, 0))) == pytest.approx(4)


def test_the_distance_has_the_right_derivatives():
    draws = torch.Generator().manual_seed(0)
    ours, theirs = (torch.randn(3, 4, dtype=torch.float64, generator=draws) for _ in range(2))
    ours.requires_grad_()
    assert torch.autograd.gradcheck(row_distance, (ours, theirs))
    assert torch.autograd.gradgradcheck(row_distance, (ours, theirs))
