"""Native schedules added to items: few steps to an expert, and what they leave alone."""

import itertools
import math
from functools import cache
from typing import Any

import pytest
import torch
from fake_speech import SPEC, TASK, fake_speech
from pushing import Push
from torch import Tensor

from distill.candidate import ITEMS, LABELS, Parameterisation
from distill.engine import NATIVE_SHARE, distill
from distill.expert import Expert, one_of
from distill.judge import Judge
from distill.native import Guide, Guided, Native
from distill.objectives.distribution_matching import DistributionMatching
from distill.objectives.objective import Student
from distill.outer_loop import Loop
from evaluation.networks import Weights, draw_weights, skeleton
from evaluation.students import Examples, NativeRecipe, Recipe
from synth_data.curator import Curator
from synth_data.errors import UserError
from synth_data.progress import SILENT
from synth_data.randomness import generator
from synth_data.synthetic import SyntheticSet

PER_CLASS = 7
TARGETS = torch.eye(3).repeat_interleave(PER_CLASS, dim=0)
NETWORK = skeleton("tdnn", SPEC.mels, 3)
START = draw_weights(NETWORK, torch.Generator().manual_seed(0))
STUDENT = Student(NETWORK, START, TASK)
EXPERT = Expert(count=1, steps=60)
SMALL = DistributionMatching(starts=1, checkpoints=1)
SCORES = "UAR of validation speakers after so many steps of the native schedule"


class Hears(Judge):
    """Says what it is told to; of single weights, and of the whole at the end."""

    def __init__(self, alone: list[float], whole: float) -> None:
        self.__dict__.update(alone=iter(alone), whole=whole)

    def hears(self, weights: Weights) -> float:  # noqa: ARG002
        return next(self.__dict__["alone"])

    def __call__(self, learned: object, targets: object, schedule: object = None) -> float:  # noqa: ARG002
        return self.__dict__["whole"]


def items(parameterisation: Parameterisation) -> Tensor:
    made = fake_speech((PER_CLASS,) * 3, seed=5)
    order = made.targets.argmax(dim=1).argsort(stable=True)
    return parameterisation.codec.frames.shorten(made.features[order])


def guided(
    parameterisation: Parameterisation = Parameterisation(),
    judge: Judge | None = None,
    worth: float = 0.0,
    seconds: float = math.inf,
    labels: Tensor | None = None,
    **settings: Any,
) -> Guided:
    chosen = Native(**({"steps": 3, "together": 2, "rounds": 30} | settings))
    guide = Guide(
        *(chosen, STUDENT, aim(), parameterisation),
        *(TARGETS, PER_CLASS, SPEC.frames, judge),
    )
    made = {ITEMS: items(parameterisation)} | ({} if labels is None else {LABELS: labels})
    return guide.run(made, worth, SILENT, seconds)


def trained(result: Guided, parameterisation: Parameterisation = Parameterisation()) -> Weights:
    """The weights of the student that gets the set."""
    assert result.schedule is not None
    made, _ = parameterisation.finished(result.learned, TARGETS, SPEC.frames, PER_CLASS)
    recipe = NativeRecipe.of(result.schedule)
    examples = Examples(made.features, made.targets)
    return recipe.fit("tdnn", START, examples, recipe.settings[0], torch.Generator()).weights


def away(one: Weights, other: Weights) -> float:
    return float(torch.stack([(one[name] - other[name]).square().sum() for name in one]).sum())


@cache
def aim() -> Weights:
    return one_of(EXPERT.learn(Curator(fake_speech((20, 20, 20))), STUDENT, 0), 0)


@pytest.mark.parametrize(
    "parameterisation",
    [
        Parameterisation(),
        Parameterisation(slices=2, numbers="int8"),
        Parameterisation(slices=2, numbers="int8", frames="cosines"),
    ],
)
def test_whoever_gets_the_set_comes_near_the_expert(parameterisation):
    """Step by step, with items as they are stored."""
    expert = aim()
    left = [
        away(trained(guided(parameterisation, steps=steps, together=2), parameterisation), expert)
        for steps in (1, 2, 3)
    ]
    assert away(START, expert) > left[0] > left[1] > left[2]
    assert left[2] < 0.8 * away(START, expert)


def test_the_step_size_is_the_best_one():
    result, expert = guided(steps=1), aim()
    assert result.schedule is not None
    rate = result.schedule.learning_rates[0]
    left = away(trained(result), expert)
    for other in (0.97, 1.03):
        result.schedule.learning_rates[0] = other * rate
        assert away(trained(result), expert) > left


def test_more_rounds_come_nearer():
    far, near = (away(trained(guided(rounds=rounds)), aim()) for rounds in (5, 60))
    assert near < 0.97 * far


def test_items_that_are_not_in_the_schedule_stay_as_they_are():
    result, before = guided(), items(Parameterisation())
    labels = result.learned[LABELS].softmax(dim=1)
    used = (torch.arange(3)[:, None] * PER_CLASS + torch.arange(6)).flatten()  # six of seven each
    rest = torch.arange(3) * PER_CLASS + 6
    assert torch.equal(result.learned[ITEMS][rest], before[rest])
    assert torch.equal(labels[rest], TARGETS[rest])
    assert not torch.isclose(result.learned[ITEMS][used], before[used]).flatten(1).all(dim=1).any()
    assert (labels[used].max(dim=1).values < 1).all()
    assert torch.equal(labels.argmax(dim=1), TARGETS.argmax(dim=1))


def test_labels_that_were_learned_are_where_it_begins():
    learned = 2.0 * TARGETS
    result = guided(labels=learned, rounds=1, label_learning_rate=1e-6)
    assert torch.allclose(result.learned[LABELS], learned, atol=1e-4)


def test_closeness_keeps_items_as_they_were_made():
    def moved(closeness: float) -> float:
        found = guided(closeness=closeness).learned[ITEMS] - items(Parameterisation())
        return float(found.square().mean())

    assert moved(100.0) < 0.5 * moved(0.0)


@pytest.mark.parametrize(
    ("wanted", "per_class", "found"),
    [((3, 8), 24, (3, 8)), ((3, 8), 16, (3, 5)), ((3, 8), 2, (2, 1)), ((0, 8), 5, (0, 0))],
)
def test_items_are_shared_out_over_the_steps(wanted, per_class, found):
    assert Native(steps=wanted[0], together=wanted[1]).batches(per_class) == found


def test_the_schedule_ends_where_validation_speakers_gain_no_more():
    result = guided(judge=Hears([0.4, 0.6, 0.5], whole=0.5))
    assert result.scores == (0.4, 0.6, 0.5)
    assert result.schedule is not None
    assert len(result.schedule.learning_rates) == 2
    third = torch.arange(3)[:, None] * PER_CLASS + torch.tensor([4, 5])
    assert torch.equal(
        result.learned[ITEMS][third.flatten()], items(Parameterisation())[third.flatten()]
    )
    assert "12 items, of 3,072 numbers, stand for" in result.notes[0]


def test_items_that_were_worth_more_without_it_stay_without_it():
    result = guided(judge=Hears([0.4, 0.5, 0.6], whole=0.49), worth=0.5)
    assert result.schedule is None
    assert result.learned.keys() == {ITEMS}
    assert torch.equal(result.learned[ITEMS], items(Parameterisation()))
    assert result.notes == (
        "it has no native schedule: with one it was worth less to validation speakers than what "
        "it started from",
    )


def test_without_time_there_is_none():
    result = guided(seconds=0.0)
    assert result.schedule is None
    assert torch.equal(result.learned[ITEMS], items(Parameterisation()))
    assert result.notes == ("it has no native schedule: none was found in the time there was",)


def made(**changes: Any) -> SyntheticSet:
    curator = changes.pop("curator", None) or Curator(fake_speech((8, 8, 8)))
    settings: dict[str, Any] = {
        "objective": SMALL,
        "ipc": 3,
        "loop": Loop(steps=4, checks=1),
        "native": Native(steps=2, rounds=5),
        "expert": EXPERT,
    } | changes
    return distill(curator, settings.pop("objective"), "tdnn", seed=0, **settings)


def test_a_set_is_stored_with_it_and_says_so():
    curator = Curator(fake_speech((8, 8, 8)))
    one = made(curator=curator)
    assert one.schedule is not None
    assert (len(one.schedule.learning_rates), one.schedule.together) == (2, 1)
    assert one.schedule.momentum == 0
    assert any("towards an expert's weights" in note for note in one.provenance.notes)
    assert curator.questions["an expert's lesson"] == 60
    again = made()
    assert again.schedule is not None
    assert torch.equal(one.features, again.features)
    assert torch.equal(one.targets, again.targets)
    assert torch.equal(one.schedule.learning_rates, again.schedule.learning_rates)


def test_validation_speakers_hear_each_step_and_the_whole():
    found = made(
        validation=fake_speech((6, 6, 6), seed=1),
        recipe=Recipe.single(5),
        native=Native(steps=3, rounds=30),
        objective=DistributionMatching(starts=1, checkpoints=1, starts_from="fixed"),
    )
    scores = found.provenance.settings[SCORES]
    assert isinstance(scores, dict)
    assert list(scores) == ["1", "2", "3"]
    assert found.schedule is not None
    weights = NativeRecipe.of(found.schedule)
    examples = Examples(found.features, found.targets)
    assert found.start is not None
    fit = weights.fit("tdnn", found.start.weights, examples, weights.settings[0], generator(0))
    heard = fit.predict(fake_speech((6, 6, 6), seed=1).features)
    right = heard == fake_speech((6, 6, 6), seed=1).targets.argmax(dim=1)
    assert float(right.float().mean()) == pytest.approx(max(scores.values()), abs=1e-4)


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (
            DistributionMatching(starts=1, checkpoints=1, starts_from="random"),
            "this set is for random ones: set native steps to 0",
        ),
        (Push(), "push learns a native schedule of its own"),
    ],
)
def test_sets_that_have_no_use_for_it_are_refused(objective, message):
    with pytest.raises(UserError, match=message):
        made(objective=objective)
    assert len(made(objective=objective, native=Native())) == 9


def test_an_interruption_costs_the_schedule_and_no_more(tmp_path, monkeypatch):
    path = tmp_path / "progress.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(Guide, "_step", _stop)
        with pytest.raises(KeyboardInterrupt):
            made(checkpoint=path)
    with monkeypatch.context() as patch:
        patch.setattr(DistributionMatching, "step", _stop)  # none is left to be taken
        again = made(checkpoint=path)
    whole = made()
    assert torch.equal(again.features, whole.features)
    assert again.provenance.settings == whole.provenance.settings


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def test_the_time_there_is_is_for_both(monkeypatch):
    """The loop leaves some of it; a schedule takes what is left, and is judged in it."""
    given = list[float]()

    def run(_: Guide, made: Any, worth: float, progress: Any, seconds: float) -> Guided:  # noqa: ARG001
        given.append(seconds)
        return Guided(made)

    monkeypatch.setattr(Guide, "run", run)
    made(max_minutes=1.0, loop=Loop(steps=1))
    made()
    assert 50 < given[0] <= 60
    assert given[1] == math.inf


def test_a_schedule_is_left_its_share_of_the_time(monkeypatch):
    """By a clock that says a second passed whenever it is asked; an expert takes sixty."""
    clock, given = itertools.count(), list[float]()
    monkeypatch.setattr("distill.outer_loop.time.monotonic", lambda: float(next(clock)))

    def run(_: Guide, made: Any, worth: float, progress: Any, seconds: float) -> Guided:  # noqa: ARG001
        given.append(seconds)
        return Guided(made)

    def slow(*_: object) -> Weights:
        return {str(next(clock)): torch.zeros(1, 1) for _ in range(60)}

    monkeypatch.setattr(Guide, "run", run)
    monkeypatch.setattr(Expert, "learn", slow)
    made(max_minutes=2.0, loop=Loop(steps=10_000))
    assert NATIVE_SHARE * 50 < given[0] < NATIVE_SHARE * 60
