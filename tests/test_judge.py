"""First, do no harm: what is returned is never worse on validation speakers than its start."""

import time
from typing import Any

import pytest
import torch
from fake_speech import fake_speech
from test_outer_loop import Push

from distill.candidate import Parameterisation
from distill.engine import distill
from distill.judge import Judge
from distill.objectives.objective import Objective
from distill.objectives.unrolled import Unrolled
from distill.outer_loop import Loop
from evaluation.students import Recipe
from synth_data.curator import Curator
from synth_data.synthetic import SyntheticSet

RECIPE = Recipe.single(20)
WAY = "UAR of validation speakers after so many steps"


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
    mean = 1e30 * torch.ones(6, *START.features.shape[1:])
    judge = Judge(
        validation=fake_speech((4, 4, 4), seed=1),
        start=START.start,
        objective=Push(),
        parameterisation=Parameterisation(limit=1e38),
        targets=START.targets,
        per_class=2,
        recipe=RECIPE,
        seed=0,
    )
    learned = {"items": START.features, "learned/level": torch.tensor(-5.0)}
    assert judge(learned) == pytest.approx(judge(learned))
    assert judge(learned | {"items": torch.nan * mean}) == 0.0


@pytest.mark.parametrize(("starts_from", "students"), [("both", 2), ("fixed", 1), ("random", 1)])
def test_students_start_where_the_set_is_made_for(starts_from, students):
    judge = Judge(
        validation=fake_speech((4, 4, 4), seed=1),
        start=START.start,
        objective=Unrolled(steps=2, starts_from=starts_from),
        parameterisation=Parameterisation(),
        targets=START.targets,
        per_class=2,
        recipe=RECIPE,
        seed=0,
    )
    found = list(judge._students({"log learning rates": torch.zeros(2)}))
    assert len(found) == students
    names = [type(recipe).__name__ for _, recipe in found]
    assert ("NativeRecipe" in names) == (starts_from != "random")
    assert ("Recipe" in names) == (starts_from != "fixed")


def test_an_interrupted_run_has_the_same_judgement(tmp_path, monkeypatch):
    whole = made()
    path = tmp_path / "progress.safetensors"
    real = Push.step
    calls = 0

    def step(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 6:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr("distill.outer_loop.SAVE_EVERY", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(Push, "step", step)
        with pytest.raises(KeyboardInterrupt):
            made(checkpoint=path)
    resumed = made(checkpoint=path)
    assert torch.equal(resumed.features, whole.features)
    assert resumed.provenance == whole.provenance


def test_a_time_limit_is_kept(monkeypatch):
    real = Push.step

    def slow(*args: Any) -> Any:
        time.sleep(0.05)
        return real(*args)

    monkeypatch.setattr(Push, "step", slow)
    scored(monkeypatch, 0.1, 0.2, 0.3)
    loop = Loop(steps=10_000, learning_rate=0.1)
    began = time.monotonic()
    synthetic = made(loop=loop, max_minutes=0.5 / 60)
    assert time.monotonic() - began < 5
    assert "of 10000 steps" in synthetic.provenance.notes[-1]
    assert (synthetic.features > START.features).all()


def test_a_moving_average_lags_behind():
    last, average = (
        made(validation=None, loop=Loop(steps=8, learning_rate=0.1, average=average))
        for average in (0.0, 0.9)
    )
    assert (average.features < last.features).all()
    assert (average.features > START.features).all()
