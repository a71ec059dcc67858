"""Nested sets: the first items of each class are made to be a smaller set."""

from dataclasses import fields, replace
from functools import partial
from typing import Any

import pytest
import torch
from fake_speech import SPEC, TASK, fake_speech
from pushing import Push, interrupt
from torch import Tensor

from distill import outer_loop
from distill.candidate import Parameterisation
from distill.config import RunConfig
from distill.engine import distill
from distill.expert import Expert
from distill.judge import Judge
from distill.native import Native
from distill.nested import drawn, prefixes_of
from distill.objectives import OBJECTIVES
from distill.objectives.distribution_matching import DistributionMatching
from distill.objectives.objective import Candidate, Objective, Student
from distill.outer_loop import Loop
from evaluation.networks import skeleton
from evaluation.students import Examples
from evaluation.students.native import NativeRecipe
from synth_data.curator import Curator
from synth_data.errors import UserError
from synth_data.synthetic import SyntheticSet

HALVES = Parameterisation(slices=2)
INT8 = Parameterisation(numbers="int8")  # four items in the bytes of one


def made(objective: Objective, **changes: Any) -> SyntheticSet:
    """A set of four items per class whose first one and first two are sets as well."""
    settings: dict[str, Any] = {"ipc": 4, "nested": (2, 1), "loop": Loop(steps=12)} | changes
    return distill(Curator(fake_speech((9, 8, 7))), objective, "tdnn", seed=0, **settings)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_makes_nested_sets_and_resumes_them(name, tmp_path, monkeypatch):
    small = {"starts": 2, "checkpoints": 2, "stride": 2, "classification": 0.5, "steps": 3}
    known = {field.name for field in fields(OBJECTIVES[name])}
    objective = OBJECTIVES[name](**{k: v for k, v in small.items() if k in known})
    labels = "soft" if objective.learns_labels else "hard"
    changes = {"ipc": 3, "parameterisation": replace(HALVES, labels=labels), "loop": Loop(steps=9)}
    whole, start = (made(objective, **changes | {"loop": Loop(steps=n)}) for n in (9, 0))
    assert whole.nested == (2, 4)
    assert len(whole) == 3 * 6
    assert not torch.isclose(whole.features, start.features).flatten(1).all(dim=1).any()
    path = tmp_path / "progress.safetensors"
    monkeypatch.setattr(outer_loop, "SAVE_EVERY", -1.0)
    with monkeypatch.context() as patch:
        interrupt(patch, objective, after=5)
        with pytest.raises(KeyboardInterrupt):
            made(objective, checkpoint=path, **changes)
    again = made(objective, checkpoint=path, **changes)
    assert torch.equal(again.features, whole.features)
    assert torch.equal(again.targets, whole.targets)
    assert again.provenance == whole.provenance
    whole.save(tmp_path / "set")
    assert SyntheticSet.load(tmp_path / "set").prefix(2).nested == ()


def met_in(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> list[int]:
    """Items of each class that the objective met, step by step."""
    sizes: list[int] = []
    genuine = Push.step

    def step(self: Push, state: Any, candidate: Candidate, *others: Any) -> Any:
        sizes.append(candidate.per_class)
        return genuine(self, state, candidate, *others)

    monkeypatch.setattr(Push, "step", step)
    made(Push(), **changes)
    return sizes


def test_steps_meet_all_sizes(monkeypatch):
    sizes = met_in(monkeypatch, loop=Loop(steps=60))
    assert {size: sizes.count(size) >= 10 for size in sizes} == {1: True, 2: True, 4: True}


def test_a_set_that_is_not_nested_draws_nothing_and_is_met_whole(monkeypatch):
    assert met_in(monkeypatch, nested=()) == [4] * 12
    draws, candidate = torch.Generator().manual_seed(0), candidate_of(torch.rand(12, 2, 2))
    before = draws.get_state()
    assert drawn(candidate, (), draws) is candidate
    assert torch.equal(draws.get_state(), before)
    plain = made(Push(), nested=())
    assert plain.nested == ()
    assert "nested" not in plain.provenance.settings


def candidate_of(features: Tensor) -> Candidate:
    return Candidate(features, torch.eye(3).repeat_interleave(len(features) // 3, dim=0), 4)


def test_the_first_items_of_each_class():
    features = torch.rand(12, 2, 2, requires_grad=True)
    some = candidate_of(features).first(2)
    assert torch.equal(some.features, features[[0, 1, 4, 5, 8, 9]])
    assert torch.equal(some.targets.argmax(dim=1), torch.tensor([0, 0, 1, 1, 2, 2]))
    some.features.sum().backward()
    assert features.grad is not None
    assert torch.equal(features.grad[:4, 0, 0], torch.tensor([1.0, 1.0, 0.0, 0.0]))


def test_sizes_are_in_the_bytes_of_items():
    def prefixes(nested, how, real=None):
        return prefixes_of(nested, 10, partial(how.per_class, spec=SPEC, emotions=3, real=real))

    assert prefixes((5, 1, 1), Parameterisation()) == (1, 5)
    assert prefixes((5, 1), INT8) == (4, 19)  # scales and targets count as well
    assert prefixes((5, 1), INT8, real=3 * 19) == (4,)
    assert prefixes((5, 1), INT8, real=3 * 3) == (3, 5)


def test_a_size_that_is_the_whole_is_left_out_and_told():
    synthetic = made(Push(), parameterisation=INT8)
    assert (len(synthetic), synthetic.nested) == (3 * 8, (4,))
    told = synthetic.provenance.notes[-1]
    assert "in the bytes of 1, 2 items per emotion were asked for, and come to 4 below" in told
    assert not any("asked for" in note for note in made(Push()).provenance.notes)


def test_each_size_is_named_once():
    with pytest.raises(UserError, match="each nested size is named once; found 1, 1"):
        made(Push(), nested=(1, 1))


@pytest.mark.parametrize("size", [0, 4, 5])
def test_sizes_are_smaller_ones(size, tmp_path):
    message = f"one of ipc 4 they can be from 1 to 3; found {size}"
    with pytest.raises(UserError, match=message):
        made(Push(), nested=(1, size))
    if size:
        given = {"ipc": 4, "nested": [1, size], "data_root": tmp_path}
        with pytest.raises(UserError, match=message):
            RunConfig.of(None, given).resolved()


def test_a_run_is_given_sizes_in_its_file(tmp_path):
    (tmp_path / "run.toml").write_text("ipc = 10\nnested = [1, 5]\n")
    assert RunConfig.of(tmp_path / "run.toml", {}).resolved().nested == (1, 5)
    assert RunConfig.of(tmp_path / "run.toml", {"nested": [2]}).resolved().nested == (2,)
    with pytest.raises(UserError, match="greater than or equal to 1, found 0"):
        RunConfig.of(None, {"nested": [0]})


def test_validation_speakers_hear_every_size(monkeypatch):
    heard: list[Tensor] = []

    def uar(_: Judge, examples: Examples, *__: object) -> float:
        heard.append(examples.features.clone())
        return len(examples.features) / 12

    monkeypatch.setattr(Judge, "_worth", uar)
    speakers = fake_speech((4, 4, 4), seed=1)
    synthetic = made(DistributionMatching(starts=1, checkpoints=1), validation=speakers)
    scores = synthetic.provenance.settings["UAR of validation speakers after so many steps"]
    assert set(scores.values()) == {round((1 + 2 + 4) / 12, 4)}
    assert [len(items) for items in heard] == 3 * [3, 3, 3, 3, 6, 6, 6, 6, 12, 12, 12, 12]
    assert torch.equal(heard[0], heard[8][::4])
    assert torch.equal(heard[4], heard[8].unflatten(0, (3, 4))[:, :2].flatten(0, 1))


def test_a_native_schedule_belongs_to_every_prefix():
    """Students that follow it end with the same weights, whichever size they have."""
    synthetic = made(
        DistributionMatching(starts=1, checkpoints=1),
        ipc=8,
        nested=(4, 6),
        native=Native(steps=2, together=3, rounds=5),
        expert=Expert(steps=20),
        loop=Loop(steps=2, initialisation="noise"),
    )
    assert synthetic.schedule is not None
    assert (len(synthetic.schedule.learning_rates), synthetic.schedule.together) == (2, 2)

    def trained(one: SyntheticSet) -> dict[str, Tensor]:
        assert one.schedule is not None
        assert one.start is not None
        recipe = NativeRecipe.of(one.schedule)
        examples = Examples(one.features, one.targets)
        fitted = recipe.fit(
            "tdnn", one.start.weights, examples, recipe.settings[0], torch.Generator()
        )
        return dict(fitted.weights)

    every = trained(synthetic)
    for size in synthetic.nested:
        assert all(torch.equal(w, every[n]) for n, w in trained(synthetic.prefix(size)).items())
    less = synthetic.prefix(3)
    assert less.schedule is None
    assert "the native schedule of that set needs more items" in less.provenance.notes[-1]


def test_prefixes_match_better_where_they_were_made_to():
    """And the whole about as well."""
    objective = DistributionMatching(starts=2, checkpoints=1)
    curator = Curator(fake_speech((9, 8, 7)))

    def mismatch(synthetic: SyntheticSet, size: int) -> float:
        assert synthetic.start is not None
        model = Student(skeleton("tdnn", synthetic.spec.mels, 3), synthetic.start.weights, TASK)
        state, draws = objective.init(curator, model, 0), torch.Generator().manual_seed(0)
        some = synthetic if size == 4 else synthetic.prefix(size)
        candidate = Candidate(some.features, some.targets, size)
        steps = [objective.step(state, candidate, curator, model, draws)[0] for _ in range(10)]
        return float(torch.stack(steps).detach().mean())

    loop = Loop(steps=90, learning_rate=0.1)
    nested, plain = (made(objective, loop=loop, nested=sizes) for sizes in ((1, 2), ()))
    for size in (1, 2):
        assert mismatch(nested, size) < 0.3 * mismatch(plain, size)
    assert mismatch(nested, 4) < 0.4 * mismatch(made(objective, loop=Loop(steps=0)), 4)
