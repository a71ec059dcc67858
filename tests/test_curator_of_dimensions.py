"""The door where dimensions are told: it answers for cells of the label space."""

import math
from dataclasses import replace

import pytest
import torch
from fake_speech import EMOTIONS, fake_speech
from felt_speech import complete, felt_speech

from synth_data.account import Account
from synth_data.curator import TARGET_MEANS, Curator, Members
from synth_data.errors import UserError
from synth_data.gaussian import Gaussian
from synth_data.ledger import PrivacyBudget, Release

MANY = (40, 40, 40)


def last(members: Members, count: int) -> range:
    """The last rows."""
    return range(len(members) - count, len(members))


def test_cells_without_speech_to_speak_of_are_no_groups():
    real = felt_speech(MANY)
    door = Curator(real)
    narrow = door.narrowed()
    counts = real.task.in_groups(real.targets).sum(dim=0)
    kept = [cell for cell, count in zip(real.task.cells, counts, strict=True) if count >= 1.2]
    assert 0 < len(kept) < 8
    assert narrow.task.cells == tuple(kept)
    assert float(narrow.class_shares().sum()) == pytest.approx(1)
    assert narrow.class_shares().gt(0).all()
    assert narrow.questions is door.questions
    assert Curator(fake_speech()).narrowed().task.groups == EMOTIONS


def test_chosen_utterances_come_with_their_own_targets():
    real = felt_speech(MANY)
    door = Curator(real).narrowed()
    features, targets, again = door.choose_real_with_targets(3, last)
    rows = [int((real.features == one).all(dim=(1, 2)).nonzero()[0]) for one in features]
    assert torch.equal(targets, real.targets[rows])
    groups = torch.arange(len(door.task.groups)).repeat_interleave(3)
    assert torch.equal(door.task.group_of(targets), groups)
    assert torch.equal(door.choose_real(3, last)[0], features)
    assert len(again) == len(features)


def test_a_cell_without_speech_can_give_none():
    with pytest.raises(UserError, match=r"no utterance is in valence. activation. dominance."):
        Curator(felt_speech()).choose_real(2, last)


def test_class_means_of_targets_are_those_of_a_loop():
    real = felt_speech(MANY)
    door = Curator(real).narrowed()
    means = door.mean_targets()
    groups = door.task.group_of(real.targets)
    for group, mean in enumerate(means):
        slow = torch.stack(
            [row for row, of in zip(real.targets, groups, strict=True) if of == group]
        )
        assert torch.allclose(mean, slow.mean(dim=0), atol=1e-6)
    assert door.questions == {TARGET_MEANS: 1}


def test_of_emotions_each_is_its_own():
    assert torch.equal(Curator(fake_speech()).mean_targets(), torch.eye(3))


def test_who_has_no_emotion_counts_for_the_dimensions_alone():
    unknown = range(0, 120, 3)
    real = felt_speech(MANY, task="both", unknown=unknown)
    door = Curator(real).narrowed()
    groups = door.task.group_of(real.targets)
    for group, mean in enumerate(door.mean_targets()):
        rows = (groups == group).nonzero().flatten().tolist()
        known = [row for row in rows if row not in unknown]
        slow = real.targets[known, :3].mean(dim=0) if known else torch.full((3,), 1 / 3)
        assert torch.allclose(mean[:3], slow, atol=1e-6)
        assert torch.allclose(mean[3:], real.targets[rows, 3:].mean(dim=0), atol=1e-6)


LACKING = [(row, row % 3) for row in range(0, 120, 4)]


def test_who_lacks_a_dimension_is_in_no_cell_and_no_item_starts_there():
    real = felt_speech(MANY, task="both", lacking=LACKING)
    whole = Curator(complete(real)).narrowed()
    door = Curator(real).narrowed()
    assert len(complete(real)) == 90
    assert door.task == whole.task
    assert torch.allclose(door.mean_targets(), whole.mean_targets(), atol=1e-6)
    for found, wanted in zip(
        door.choose_real_with_targets(5, last), whole.choose_real_with_targets(5, last), strict=True
    ):
        assert torch.equal(found, wanted)
    assert float(door.class_shares().sum()) == pytest.approx(0.75)


@pytest.mark.parametrize("unit", ["utterance", "speaker"])
def test_under_a_budget_who_lacks_a_dimension_adds_to_no_cell(unit):
    """Not to that of whoever comes before, either."""

    def quiet(size: int) -> torch.Tensor:
        return torch.zeros(size, dtype=torch.float64)

    def answers(real):
        account = Account(PrivacyBudget(1e9, 1e-5, unit), [Release("asked", 1.0, count=9)])
        door = Curator(real, Gaussian(account, quiet))
        weights = {"weight": torch.ones(2)}
        mean = door.mean(lambda f, _: f.flatten(1)[:, :5], purpose="asked", bound=1e6)
        slope = door.mean_gradient(
            lambda w, f, _: f.flatten(1)[:, :2] @ w["weight"], weights, purpose="asked", bound=1e6
        )
        return mean, slope["weight"]

    real = felt_speech(MANY, lacking=LACKING)
    for found, wanted in zip(answers(real), answers(complete(real)), strict=True):
        assert torch.allclose(found, wanted, atol=1e-5)


def test_where_nobody_has_an_emotion_all_are_as_likely():
    means = Curator(felt_speech(MANY, task="both", unknown=range(120))).narrowed().mean_targets()
    assert torch.allclose(means[:, :3], torch.full_like(means[:, :3], 1 / 3))


@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_under_a_budget_they_are_targets_that_a_set_may_have(noise):
    """Whatever noise does; without it and with a speaker to an utterance they are exact."""
    real = felt_speech(MANY, task="both", unknown=range(0, 120, 3))

    def noisy(size: int) -> torch.Tensor:
        return noise * torch.randn(size, generator=torch.Generator().manual_seed(0)).double()

    account = Account(PrivacyBudget(1e9, 1e-5, "utterance"), [Release(TARGET_MEANS, 1.0, count=9)])
    means = Curator(real, Gaussian(account, noisy)).mean_targets()
    assert len(means) == 8
    assert torch.allclose(means[:, :3].sum(dim=1), torch.ones(8))
    assert means[:, :3].ge(0).all()
    assert means[:, 3:].abs().le(1).all()
    if noise == 0.0:
        heard = real.task.in_groups(real.targets).sum(dim=0) > 0
        assert torch.allclose(means[heard], Curator(real).mean_targets()[heard], atol=1e-5)


def test_no_utterance_is_longer_than_the_public_bound():
    real = felt_speech(MANY, task="both")
    corner = real.targets.clone()
    corner[0, 3:] = 1.0  # as far out as there is
    assert float(corner.norm(dim=1).max()) == pytest.approx(math.sqrt(4))
    asked = []
    door = Curator(replace(real, targets=corner))
    door.mean = lambda *_, bound, **__: asked.append(bound) or corner
    door.mean_targets()
    assert asked == [math.sqrt(4)]
