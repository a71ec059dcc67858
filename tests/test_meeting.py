"""What an outer step compares: which checkpoint, which items, and how they look."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from fake_speech import SPEC, TASK, fake_speech
from torch import Tensor

from distill.objectives.distribution_matching import DistributionMatching
from distill.objectives.gradient_matching import GradientMatching
from distill.objectives.kernel import Kernel
from distill.objectives.linear_gradient_matching import LinearGradientMatching
from distill.objectives.objective import Candidate, Student
from distill.objectives.trajectories import TAKEN, VIEW, WEIGHT, AlongTrajectories
from evaluation.augment import Augment
from evaluation.networks import draw_weights, skeleton
from synth_data.curator import Curator
from synth_data.errors import UserError

SMALL = GradientMatching(starts=2, checkpoints=3, stride=1, sampling_probability=0.5)


def student() -> Student:
    module = skeleton("tdnn", SPEC.mels, 3)
    return Student(module, draw_weights(module, torch.Generator().manual_seed(0)), TASK)


def numbered(per_class: int) -> Candidate:
    """Items that are told apart by their value, which is their row."""
    rows = torch.arange(3.0 * per_class)[:, None, None]
    targets = torch.eye(3).repeat_interleave(per_class, dim=0)
    return Candidate(rows.expand(-1, *SPEC.shape).clone(), targets, per_class)


def test_items_are_drawn_afresh_class_by_class():
    objective = replace(SMALL, together=2)
    state = objective.init(Curator(fake_speech()), student(), 0)
    draws = torch.Generator().manual_seed(0)
    seen = set()
    for _ in range(30):
        _, every, items, state = objective.meet(state, numbered(5), draws)
        assert every.per_class == 5
        rows = items.features[:, 0, 0].long()
        assert items.per_class == 2
        assert (rows // 5).tolist() == [0, 0, 1, 1, 2, 2]
        assert torch.equal(items.targets.argmax(dim=1), rows // 5)
        assert len(rows.unique()) == 6
        seen |= set(rows.tolist())
    assert seen == set(range(15))
    assert objective.moved(5) == 0.4
    assert objective.moved(1) == 1.0
    assert objective.seen_passes(5) == pytest.approx(0.4 + 1 / 3)
    assert objective.seen_passes(1) == 1.0
    assert torch.equal(
        objective.meet(state, numbered(2), draws).moved.features, numbered(2).features
    )


def test_a_curriculum_opens_one_checkpoint_after_the_other():
    objective = replace(SMALL, curriculum=30)
    state = objective.init(Curator(fake_speech()), student(), 0)
    draws = torch.Generator().manual_seed(0)
    met = []
    for _ in range(60):
        checkpoint, *_, state = objective.meet(state, numbered(2), draws)
        met.append(checkpoint)
    assert int(state[TAKEN]) == 60
    assert set(met[:10]) == {0, 3}  # the starts
    assert set(met[10:20]) <= {0, 1, 3, 4}
    assert set(met[30:]) == set(range(6))


@pytest.mark.parametrize(
    ("starts_from", "fixed"),
    [("both", [True, False]), ("fixed", [True, True]), ("random", [False, False])],
)
def test_trajectories_start_where_students_will(starts_from, fixed):
    model = student()
    objective = replace(SMALL, starts_from=starts_from)
    state = objective.init(Curator(fake_speech()), model, 0)
    weights = state[WEIGHT + "head.weight"]
    found = [torch.equal(weights[row], model.start["head.weight"]) for row in (0, 3)]
    assert found == fixed
    # Even from the same start, real batches differ.
    assert not torch.equal(weights[1], weights[4])


def test_siamese_sides_look_alike():
    """Whatever the shift and the masks, the same utterances leave nothing to match."""
    real, model = fake_speech((4, 4, 4)), student()
    augment = Augment(bands=6, frames=0.3, shift=0.5)
    order = real.targets.argmax(dim=1).argsort()
    same = Candidate(real.features[order].clone().requires_grad_(), real.targets[order], 4)

    def losses(siamese: bool) -> Tensor:
        objective = replace(SMALL, augment=augment, siamese=siamese)
        curator, draws = Curator(real), torch.Generator().manual_seed(0)
        state = objective.init(curator, model, 0)
        assert (len(state[VIEW].unique()) == 6) == siamese
        found = []
        for _ in range(6):
            loss, state = objective.step(state, same, curator, model, draws)
            found.append(loss.detach())
        return torch.stack(found)

    assert losses(siamese=True).max() < 1e-3
    assert losses(siamese=False).min() > 0.01


@pytest.mark.parametrize("kind", [GradientMatching, LinearGradientMatching, DistributionMatching])
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"siamese": True}, "siamese augmentation has nothing to do"),
        ({"curriculum": 5, "checkpoints": 1}, "and there is one: set checkpoints to 2 or more"),
    ],
)
def test_settings_that_would_do_nothing_are_refused(kind, settings, message):
    with pytest.raises(UserError, match=message):
        kind(**settings)


@pytest.mark.parametrize("siamese", [False, True])
@pytest.mark.parametrize(
    "kind",
    [
        GradientMatching,
        partial(GradientMatching, derivative="exact"),
        LinearGradientMatching,
        DistributionMatching,
        partial(DistributionMatching, statistic="characteristic"),
        partial(Kernel, classification=0.0),
    ],
)
def test_all_items_count_whichever_are_moved(kind, siamese):
    """As many small classes that each look right would be a set of look-alikes."""
    augment = Augment(bands=4, shift=0.5) if siamese else Augment()
    settings = {"starts": 1, "checkpoints": 1, "augment": augment, "siamese": siamese}
    some, every = kind(together=2, **settings), kind(together=5, **settings)
    curator, model = Curator(fake_speech()), student()
    state = some.init(curator, model, 0)
    order = torch.arange(3).repeat_interleave(5)
    made = torch.randn(15, *SPEC.shape, generator=torch.Generator().manual_seed(1))

    def step(objective: AlongTrajectories) -> tuple[Tensor, Tensor]:
        features = made.clone().requires_grad_()
        candidate = Candidate(features, torch.eye(3)[order], 5)
        draws = torch.Generator().manual_seed(0)
        loss, _ = objective.step(state, candidate, curator, model, draws)
        return loss.detach(), torch.autograd.grad(loss, features)[0]

    (loss, slopes), (whole, every_slope) = step(some), step(every)
    moved = slopes.flatten(1).abs().sum(dim=1) > 0
    assert moved.unflatten(0, (3, 5)).sum(dim=1).tolist() == [2, 2, 2]
    assert torch.allclose(loss, whole, rtol=1e-4)
    size = every_slope[moved].norm()
    assert (slopes[moved] - every_slope[moved]).norm() < 0.01 * size
