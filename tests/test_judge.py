"""First, do no harm: what is returned is never worse on validation speakers than its start."""

import itertools
from typing import Any

import pytest
import torch
from fake_speech import SPEC, TASK, fake_speech
from pushing import Push, interrupt

from distill.candidate import Parameterisation
from distill.engine import distill
from distill.expert import Expert
from distill.judge import Judge
from distill.native import Native
from distill.objectives.distribution_matching import DistributionMatching
from distill.objectives.objective import Objective
from distill.objectives.unrolled import Unrolled
from distill.outer_loop import Loop
from evaluation.students import Examples, Recipe
from synth_data.codecs import Packed
from synth_data.curator import Curator
from synth_data.synthetic import SyntheticSet

RECIPE = Recipe.single(20)
HEARD = "UAR of validation speakers"
WAY = f"{HEARD} after so many steps"


PUSH = Push()


def made(objective: Objective = PUSH, **changes: Any) -> SyntheticSet:
    settings: dict[str, Any] = {
        "loop": Loop(steps=8, learning_rate=0.1, checks=2),
        "validation": fake_speech((4, 4, 4), seed=1),
        "recipe": RECIPE,
        "ipc": 2,
    } | changes
    return distill(Curator(fake_speech((8, 8, 8))), objective, "tdnn", seed=0, **settings)


def scored(monkeypatch: pytest.MonkeyPatch, *scores: float) -> None:
    """What validation speakers say, in turn."""
    left = list(scores)
    monkeypatch.setattr(Judge, "__call__", lambda *_: left.pop(0))


START = made(loop=Loop(steps=0))


def test_the_start_is_returned_where_nothing_is_better(monkeypatch):
    scored(monkeypatch, 0.5, 0.4, 0.5)
    synthetic = made()
    assert torch.equal(synthetic.features, START.features)
    assert "it is as it started" in synthetic.provenance.notes[-1]
    assert synthetic.provenance.settings[WAY] == {"0": 0.5, "4": 0.4, "8": 0.5}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ((0.5, 0.4, 0.4, 0.5), "it is as it started, since"),
        ((0.5, 0.6, 0.4, 0.5), "it is as it started, but for its labels, since"),
        ((0.5, 0.6, 0.7, 0.5), "it is as it was after 4 steps, since"),
        ((0.5, 0.6, 0.7, 0.8), ""),
    ],
)
@pytest.mark.parametrize("labels", ["taught", "refined"])
def test_labels_of_experts_are_judged_apart_from_steps(labels, said, told, monkeypatch):
    """What a set is compared with, and goes back to, are real utterances as they are."""
    changes = {
        "objective": DistributionMatching(
            starts=1, checkpoints=2, stride=1, classification=float(labels == "refined")
        ),
        "parameterisation": Parameterisation(labels=labels),
        "expert": Expert(steps=10),
    }
    scored(monkeypatch, *said)
    synthetic = made(**changes)
    moments = ("0, under their own labels", "0", "4", "8")
    assert synthetic.provenance.settings[WAY] == dict(zip(moments, said, strict=True))
    assert told in synthetic.provenance.notes[-1]
    assert ("it is as it" in synthetic.provenance.notes[-1]) == bool(told)
    best = said.index(max(said))
    assert torch.equal(synthetic.features, START.features) == (best < 2)
    assert torch.equal(synthetic.targets, START.targets) == (best == 0)
    if best > 0:
        assert synthetic.targets.max() < 1


@pytest.mark.parametrize("whole", [0.9, 0.55])
def test_a_schedule_takes_no_set_below_what_it_started_from(whole, monkeypatch):
    """Under the better of the labels that it started with; and notes say when the set was so."""
    monkeypatch.setattr(Judge, "hears", lambda *_: 0.5)
    scored(monkeypatch, 0.5, 0.9, 0.7, 0.6, whole)
    synthetic = made(
        DistributionMatching(starts=1, checkpoints=1),
        parameterisation=Parameterisation(labels="taught"),
        expert=Expert(steps=10),
        native=Native(steps=1, rounds=2),
    )
    kept = whole == 0.9
    assert (synthetic.schedule is not None) == kept
    assert synthetic.provenance.settings[f"{HEARD} with a native schedule"] == whole
    assert torch.equal(synthetic.features, START.features) == (not kept)
    told = [note for note in synthetic.provenance.notes if "as it started, but for" in note]
    before = "before its native schedule was learned it was as it" if kept else "it is as it"
    assert [note.startswith(before) for note in told] == [True]


def test_without_steps_items_are_utterances_under_experts_labels():
    """Whether somebody judges them or not."""
    taught = Parameterisation(labels="taught")
    objective = DistributionMatching(starts=1, checkpoints=1)
    changes = {"parameterisation": taught, "expert": Expert(steps=10), "loop": Loop(steps=0)}
    alone = made(objective, validation=None, **changes)
    assert torch.equal(alone.features, START.features)
    assert alone.targets.max() < 1
    assert alone.targets.argmax(dim=1).equal(START.targets.argmax(dim=1))


def test_the_best_on_the_way_is_returned(monkeypatch):
    scored(monkeypatch, 0.5, 0.7, 0.6)
    synthetic = made()
    assert "it is as it was after 4 steps" in synthetic.provenance.notes[-1]
    monkeypatch.undo()
    scored(monkeypatch, 0.5, 0.6, 0.7)
    last = made()
    assert (last.features > synthetic.features).all()
    assert "it is as" not in last.provenance.notes[-1]
    without = made(validation=None)
    assert torch.equal(last.features, without.features)
    assert without.provenance.settings[WAY] == {}


def test_validation_speakers_are_asked_as_students_would_be():
    """Learnable classes score more than shuffled ones; a set that cannot be trained on scores 0."""
    scores = made().provenance.settings[WAY]
    assert isinstance(scores, dict)
    assert scores["0"] > 0.5
    judge = judge_of(Push())
    learned = {"items": START.features, "learned/level": torch.tensor(-5.0)}
    good = judge(learned, START.targets)
    assert good > 0.5
    assert judge(learned | {"items": torch.zeros_like(START.features)}, START.targets) < 0.5
    lost = learned | {"items": torch.full_like(START.features, torch.nan)}
    assert judge(lost, START.targets) == 0.0


@pytest.mark.parametrize("frames", ["means", "cosines"])
def test_items_are_judged_as_they_are_stored(frames, monkeypatch):
    """Values between int8's steps, and frames between slices, are not there any more."""
    heard = []
    monkeypatch.setattr(Judge, "_worth", lambda _, examples, *__: heard.append(examples) or 0.5)
    small = Parameterisation(slices=4, numbers="int8", frames=frames)
    judge_of(DistributionMatching(), parameterisation=small)(
        small.begin(START.features, START.targets, TASK, torch.Generator()), START.targets
    )
    packed = Packed.of(small.codec, START.features)
    assert torch.equal(heard[0].features, packed.features(START.features.shape[2]))


def judge_of(objective: Objective, **changes: Any) -> Judge:
    assert START.start is not None
    settings: dict[str, Any] = {"parameterisation": Parameterisation()} | changes
    return Judge(
        validation=fake_speech((4, 4, 4), seed=1),
        start=START.start,
        objective=objective,
        per_class=2,
        recipe=RECIPE,
        seed=0,
        **settings,
    )


def test_several_students_are_asked_and_their_mean_is_taken():
    learned = {"items": START.features}
    each = DistributionMatching()

    def said(students: int) -> float:
        return judge_of(each, students=students)(learned, START.targets)

    first = said(1)
    judge = judge_of(each)
    made, _ = judge.parameterisation.finished(learned, START.targets, SPEC.frames, 2)
    examples = Examples(made.features, made.targets, task=TASK)
    second = [judge._worth(examples, *who, 1) for who in judge._students({}, None, 2, 1)]
    assert said(2) == pytest.approx((first + sum(second) / 2) / 2)


@pytest.mark.parametrize(("starts_from", "students"), [("both", 2), ("fixed", 1), ("random", 1)])
def test_students_start_where_the_set_is_made_for(starts_from, students):
    judge = judge_of(Unrolled(steps=2, starts_from=starts_from))
    found = list(judge._students({"log learning rates": torch.zeros(2)}, None, 2, 0))
    assert len(found) == students
    names = [type(recipe).__name__ for _, recipe in found]
    assert ("NativeRecipe" in names) == (starts_from != "random")
    assert ("Recipe" in names) == (starts_from != "fixed")


def test_an_interrupted_run_has_the_same_judgement(tmp_path, monkeypatch):
    whole = made()
    path = tmp_path / "progress.safetensors"
    monkeypatch.setattr("distill.outer_loop.SAVE_EVERY", 0.0)
    with monkeypatch.context() as patch:
        interrupt(patch, PUSH, after=5)
        with pytest.raises(KeyboardInterrupt):
            made(checkpoint=path)
    resumed = made(checkpoint=path)
    assert torch.equal(resumed.features, whole.features)
    assert resumed.provenance == whole.provenance


def test_a_time_limit_is_kept(tmp_path, monkeypatch):
    """By a clock that says a second passed whenever it is asked; a judge takes twenty."""
    clock = itertools.count()
    monkeypatch.setattr("distill.outer_loop.time.monotonic", lambda: float(next(clock)))
    judging = itertools.cycle((0.1, 0.2))

    def slow(*_: Any) -> float:
        for _ in range(20):
            next(clock)
        return next(judging)

    monkeypatch.setattr(Judge, "__call__", slow)
    loop = Loop(steps=10_000, learning_rate=0.1)
    began = next(clock)
    path = tmp_path / "progress.safetensors"
    synthetic = made(loop=loop, max_minutes=2.0, checkpoint=path)
    assert 100 < next(clock) - began < 130
    assert "of 10000 steps: its time was over" in synthetic.provenance.notes[-1]
    assert (synthetic.features > START.features).all()
    taken = list(synthetic.provenance.settings[WAY])
    assert taken[0] == "0"
    assert 10 < int(taken[1]) < 60
    again = made(loop=loop, max_minutes=2.0, checkpoint=path)
    assert torch.equal(again.features, synthetic.features)


def test_without_usable_gradients_the_best_there_was_is_returned(monkeypatch):
    scored(monkeypatch, 0.5, 0.6)
    lost = made(Push((1.0,) * 5 + (1e300,) * 30), loop=Loop(steps=40, checks=1, learning_rate=0.1))
    assert "no finite gradient for 20 steps, up to step 25" in lost.provenance.notes[-1]
    assert (lost.features > START.features).all()


def test_a_moving_average_lags_behind():
    last, average = (
        made(validation=None, loop=Loop(steps=8, learning_rate=0.1, average=average))
        for average in (0.0, 0.9)
    )
    assert (average.features < last.features).all()
    assert (average.features > START.features).all()
