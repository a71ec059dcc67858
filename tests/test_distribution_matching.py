"""Distribution matching: each statistic sees what it is said to see."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from fake_speech import SPEC, TASK, fake_speech
from torch import Tensor

from distill.objectives.distribution_matching import MEAN, DistributionMatching
from distill.objectives.objective import Candidate, Student
from evaluation.networks import draw_weights, embedded, skeleton
from synth_data.curator import Curator
from synth_data.errors import UserError
from synth_data.real import RealSet

SMALL = DistributionMatching(starts=2, checkpoints=2, stride=2, sampling_probability=0.5)
STATISTICS = ("mean", "moments", "characteristic")
each_statistic = pytest.mark.parametrize("statistic", STATISTICS)


def student() -> Student:
    module = skeleton("tdnn", SPEC.mels, 3)
    return Student(module, draw_weights(module, torch.Generator().manual_seed(0)), TASK)


def as_candidate(real: RealSet) -> Candidate:
    order = real.targets.argmax(dim=1).argsort()
    features = real.features[order].clone().requires_grad_()
    return Candidate(features, real.targets[order], len(real) // 3)


def loss_of(
    objective: DistributionMatching, real: RealSet, ours: Candidate, seed: int = 0
) -> float:
    curator, model = Curator(real), student()
    state = objective.init(curator, model, 0)
    draws = torch.Generator().manual_seed(seed)
    return float(objective.step(state, ours, curator, model, draws)[0].detach())


@each_statistic
def test_nothing_is_left_where_synthetic_is_real(statistic):
    real, objective = fake_speech((4, 4, 4)), replace(SMALL, statistic=statistic)
    same = as_candidate(real)
    noise = replace(same, features=torch.randn(same.features.shape).requires_grad_())
    assert loss_of(objective, real, same) < 1e-6
    assert loss_of(objective, real, noise) > 0.1


def test_the_mean_is_that_of_the_published_formula():
    real, model = fake_speech((3, 5, 4)), student()
    objective = replace(SMALL, starts=1, checkpoints=1)
    ours = as_candidate(fake_speech((2, 2, 2), seed=1))

    def means(features: Tensor, classes: Tensor) -> Tensor:
        embedding, _ = embedded(model.network, model.start, features)
        return torch.stack([embedding[classes == emotion].mean(dim=0) for emotion in range(3)])

    theirs = means(real.features, real.targets.argmax(dim=1))
    mine = means(ours.features.detach(), ours.targets.argmax(dim=1))
    between = (theirs - theirs.mean(dim=0)).square().sum()
    expected = (mine - theirs).square().sum() / between
    assert loss_of(objective, real, ours) == pytest.approx(float(expected), rel=1e-3)


def test_moments_tell_what_means_do_not():
    """Items that are all at the class mean of the embedding have the mean, and no spread."""
    theirs = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    spread = torch.tensor([[0.0, 2.0], [2.0, 2.0], [3.0, 3.0], [3.0, 5.0]])

    def seen(objective: DistributionMatching, embedding: Tensor) -> Tensor:
        statistic = objective._statistic(embedding)
        return statistic.unflatten(0, (2, -1)).mean(dim=1)

    for statistic, differs in (("mean", False), ("moments", True)):
        objective = replace(SMALL, statistic=statistic)
        assert torch.equal(seen(objective, theirs), seen(objective, spread)) != differs


def test_the_characteristic_distance_is_that_of_complex_means():
    """With equal shares, amplitudes and phases add up to |a - b|^2."""
    objective = replace(SMALL, statistic="characteristic", amplitude=0.5)
    draws = torch.Generator().manual_seed(0)
    ours, theirs = (torch.randn(3, 10, generator=draws) for _ in range(2))
    a, b = (torch.complex(*each.chunk(2, dim=1)) for each in (ours, theirs))
    between = (theirs - theirs.mean(dim=0)).square().sum()
    expected = (a - b).abs().square().sum() / between
    assert float(objective._distance(ours, theirs)) == pytest.approx(float(expected), rel=1e-4)
    turned = torch.cat([theirs[:, 5:], -theirs[:, :5]], dim=1)  # other phases, same amplitudes
    only_amplitudes = replace(objective, amplitude=1.0)
    assert float(only_amplitudes._distance(turned, theirs)) == pytest.approx(0, abs=1e-6)
    assert float(objective._distance(turned, theirs)) > 0.1


@pytest.mark.slow
def test_recognised_items_cost_less_where_classification_counts():
    real = fake_speech((4, 4, 4))
    right = as_candidate(real)
    wrong = replace(right, targets=right.targets.roll(1, dims=1))
    objective = replace(SMALL, classification=1.0, starts=1, checkpoints=12, learning_rate=1e-2)
    seeds = range(4)
    assert sum(loss_of(objective, real, right, seed) for seed in seeds) < sum(
        loss_of(objective, real, wrong, seed) for seed in seeds
    )
    without = replace(objective, classification=0.0)
    assert loss_of(without, real, right) == loss_of(without, real, wrong)


@each_statistic
def test_one_release_is_one_question_with_the_same_answers(statistic):
    objective = replace(SMALL, starts=3, checkpoints=1, statistic=statistic)
    asked, states = [], []
    for one_release in (False, True):
        curator = Curator(fake_speech())
        state = replace(objective, one_release=one_release).init(curator, student(), 0)
        asked.append(curator.questions.total())
        states.append(state)
    assert asked == [3, 1]
    assert torch.allclose(states[0][MEAN], states[1][MEAN], atol=1e-5)
    for one, other in pairwise(states[1][MEAN]):
        assert not torch.allclose(one, other)


def test_one_release_has_no_trained_networks():
    with pytest.raises(UserError, match="set checkpoints to 1; found 6"):
        DistributionMatching(one_release=True)
