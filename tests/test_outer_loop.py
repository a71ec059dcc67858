"""What is learned, and what keeps it from going astray."""

from typing import Any

import pytest
import torch
from fake_speech import SPEC, fake_speech
from pushing import TOO_MUCH, Push, interrupt

from distill.candidate import Parameterisation
from distill.engine import distill
from distill.objectives.distribution_matching import DistributionMatching
from distill.objectives.objective import Objective
from distill.objectives.unrolled import Unrolled
from distill.outer_loop import PATIENCE, Loop
from evaluation.students import Recipe
from synth_data.codecs import Codec
from synth_data.curator import Curator
from synth_data.errors import UserError
from synth_data.frame_kinds import Cosines
from synth_data.number_kinds import Float32
from synth_data.synthetic import SyntheticSet

PUSH = Push()


def made(objective: Objective = PUSH, ipc: int = 1, **changes: Any) -> SyntheticSet:
    settings: dict[str, Any] = {"loop": Loop(steps=20, learning_rate=0.1)}
    return distill(Curator(fake_speech()), objective, "tdnn", ipc=ipc, seed=0, **settings | changes)


START = made(loop=Loop(steps=0))


def test_everything_that_is_learned_moves():
    plain = made(parameterisation=Parameterisation(labels="soft"))
    assert (plain.features > START.features).all()
    assert plain.targets[1, 0] > 0.02  # it was about 1/60
    assert torch.allclose(plain.targets.sum(dim=1), torch.ones(3))
    assert plain.schedule is not None
    assert float(plain.schedule.learning_rates) > 1
    assert torch.equal(made().targets, torch.eye(3))


@pytest.mark.parametrize(
    ("change", "items"),
    [
        ({}, 1),
        ({"slices": 4}, 4),
        ({"numbers": "float16"}, 2),
        ({"numbers": "int8"}, 4),
        ({"slices": 2, "numbers": "float16"}, 4),
        ({"slices": 4, "frames": "cosines"}, 4),
    ],
)
def test_the_same_bytes_hold_more_items(change, items):
    synthetic = made(parameterisation=Parameterisation(**change))
    assert len(synthetic) == 3 * items
    assert synthetic.provenance.per_class == 1
    own = synthetic.bytes - len(synthetic) * 4 * 3  # without targets
    overhead = len(synthetic) * 4 if change.get("numbers") == "int8" else 0
    assert own - overhead - 4 == 3 * 4 * SPEC.mels * SPEC.frames  # 4: the schedule's step size


def test_slices_are_learned_as_they_are_stored():
    """Every stored value was pushed alike, which no value between two of them could be."""
    slices = Parameterisation(slices=4)
    before = made(loop=Loop(steps=0), parameterisation=slices)
    after = made(parameterisation=slices)
    moved = after.packed.stored["values"] - before.packed.stored["values"]
    assert moved.shape == (12, SPEC.mels, -(-SPEC.frames // 4))
    assert torch.allclose(moved, moved.mean().expand_as(moved), atol=1e-3)


def test_cosines_are_learned_as_they_are_stored():
    cosines = Parameterisation(slices=4, frames="cosines")
    before = made(loop=Loop(steps=0), parameterisation=cosines)
    after = made(parameterisation=cosines)
    assert after.packed.codec == Codec(Float32(), Cosines(4))
    moved = after.packed.stored["values"] - before.packed.stored["values"]
    assert moved.shape == (12, SPEC.mels, -(-SPEC.frames // 4))
    assert (after.features.mean(dim=(1, 2)) > before.features.mean(dim=(1, 2))).all()


def test_a_whole_item_is_no_sum_of_a_few_cosines():
    with pytest.raises(UserError, match=r"frames as cosines .* set slices to 2 or more"):
        Parameterisation(frames="cosines")


@pytest.mark.parametrize("slices", [{}, {"slices": 4}, {"slices": 4, "frames": "cosines"}])
def test_items_stay_within_limits_however_they_are_stored(slices):
    limited = made(
        loop=Loop(steps=20, learning_rate=1.0),
        parameterisation=Parameterisation(limit=3.0, **slices),
    )
    assert float(limited.features.abs().max()) == pytest.approx(3.0)


def test_a_step_without_a_finite_gradient_is_not_taken():
    spoilt = made(Push((1.0, TOO_MUCH, 1.0)))
    assert spoilt.features.isfinite().all()
    assert (spoilt.features > START.features).all()


def test_a_run_that_has_no_gradient_left_says_so():
    with pytest.raises(UserError, match=f"no finite gradient for {PATIENCE} steps, up to step 20"):
        made(Push((TOO_MUCH,)))


def test_a_step_that_was_not_taken_is_not_counted_after_a_resume(tmp_path, monkeypatch):
    objective = Push((1.0, 2.0, TOO_MUCH, 1.0, 0.5))
    whole = made(objective)
    path = tmp_path / "progress.safetensors"
    monkeypatch.setattr("distill.outer_loop.SAVE_EVERY", -1.0)
    with monkeypatch.context() as patch:
        interrupt(patch, objective, after=13)
        with pytest.raises(KeyboardInterrupt):
            made(objective, checkpoint=path)
    assert torch.equal(made(objective, checkpoint=path).features, whole.features)


def test_a_run_that_ended_for_lack_of_gradients_takes_no_more_steps_after_a_resume(tmp_path):
    """The judge makes it end instead of failing."""
    objective = Push((1.0,) * 4 + (TOO_MUCH,) * PATIENCE + (1.0,) * 40)
    path = tmp_path / "progress.safetensors"
    heard = fake_speech((3, 3, 3), seed=1)
    long = {"loop": Loop(steps=60), "validation": heard, "recipe": Recipe.single(2)}
    ended = made(objective, checkpoint=path, **long)
    assert any("no finite gradient" in note for note in ended.provenance.notes)
    again = made(objective, checkpoint=path, **long)
    assert torch.equal(again.features, ended.features)
    assert again.provenance.settings == ended.provenance.settings


def test_one_huge_gradient_changes_little():
    """Its norm is cut to twice the running mean, so that Adam's moments survive it."""
    usual = made(Push((1.0,)))
    shaken = made(Push((1.0,) * 10 + (1e6,) + (1.0,) * 9))
    assert (shaken.features - usual.features).abs().max() < 0.3 * (
        usual.features - START.features
    ).abs().min()


def test_a_set_made_by_unrolling_carries_its_schedule(tmp_path):
    objective = Unrolled(steps=3, sampling_probability=1.0)
    made(objective, loop=Loop(steps=2)).save(tmp_path / "set")
    loaded = SyntheticSet.load(tmp_path / "set")
    assert loaded.schedule is not None
    assert loaded.schedule.learning_rates.shape == (3,)
    asked = loaded.provenance.settings["questions asked of the real speech"]
    assert asked["gradient at the end of a run"] == 2


def test_labels_that_cannot_be_learned_are_not_called_soft():
    soft = Parameterisation(labels="soft")
    with pytest.raises(UserError, match="distribution-matching with these settings cannot learn"):
        made(DistributionMatching(), parameterisation=soft)
    few = DistributionMatching(starts=1, checkpoints=2, stride=1, classification=1.0)
    learned = made(few, parameterisation=soft, loop=Loop(steps=5)).targets
    assert not torch.allclose(
        learned[0], made(few, parameterisation=soft, loop=Loop(steps=0)).targets[0]
    )
