"""The time an evaluation is said to take follows what it does."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from fake_speech import EMOTIONS, SPEC
from small_encoders import speech_encoder
from small_evaluation import QUICK, SCHEDULE, TRAIN, a_set, judged, session
from test_evaluate_data_command import toy_set

from evaluation import forecast
from evaluation import runner as runner_module
from evaluation.baselines import BASELINES
from evaluation.forecast import CROWDED, FEW, TIMES, Native, Pace, Solver, pace, seconds, solver
from evaluation.jobs import Heard, Job, Outcome, carry_out
from evaluation.named_sets import NamedSet
from evaluation.options import DP_SGD, Options
from evaluation.runs import FULL
from evaluation.students import RECIPES, NativeRecipe, PooledRecipe, Recipe, Setting
from evaluation.students.dp_sgd import SAMPLING_PROBABILITY, STEPS
from evaluation.students.network import Schedule
from synth_data import extraction_time
from synth_data.corpora.toy import TOY
from synth_data.representations import known_feature

TWICE = replace(QUICK, schedules=(Schedule(3, 1e-2), Schedule(3, 1e-3)))
SHORT = dict.fromkeys(RECIPES, TWICE) | {"linear": RECIPES["linear"], "svm": RECIPES["svm"]}

PRIVATE = {"units": (3,), "baselines": (FULL, DP_SGD)}


@pytest.fixture(autouse=True)
def _timed_afresh() -> Iterator[None]:
    """Some tests set the clock, and what it says then is for nobody else."""
    measured = forecast.pace, forecast.solver
    for one in measured:
        one.cache_clear()
    yield
    for one in measured:
        one.cache_clear()


@pytest.fixture
def by_the_item(monkeypatch: pytest.MonkeyPatch) -> None:
    """An item takes a second, in whatever student."""
    monkeypatch.setattr(forecast, "pace", lambda *_: Pace(0.0, 1.0))
    monkeypatch.setattr(forecast, "solver", lambda *_: Solver(1.0, 0.0, 1))


def told(
    students: tuple[str, ...] = ("tdnn",),
    own: tuple[tuple[int, bool], ...] = ((6, True),),
    natives: tuple[Native, ...] = (),
    ways: int = 1,
    units: tuple[int, ...] = (),
    **options: Any,
) -> float:
    given = Options(**{"recipes": SHORT, "seeds": 2, **options})
    return seconds(
        given, students, own, len(TRAIN), SPEC.shape, len(EMOTIONS), natives, ways, units
    )


def test_a_timed_network_takes_some_time():
    assert 0 < told() < 60
    assert pace("tdnn", SPEC.shape, len(EMOTIONS), QUICK).of(64) > 0


@pytest.mark.usefixtures("by_the_item")
@pytest.mark.parametrize(
    ("less", "more"),
    [
        ({"seeds": 2}, {"seeds": 3}),
        ({"students": ("tdnn",)}, {"students": ("tdnn", "convnet")}),
        ({"students": ("tdnn",)}, {"students": ("tdnn", "linear")}),
        ({"students": ("svm",), "baselines": (FULL,)}, {"students": ("svm",)}),
        ({"own": ((6, False),)}, {"own": ((6, True),)}),
        ({"own": ((6, True),)}, {"own": ((6, True), (6, False))}),
        ({"own": ((3, True),)}, {"own": ((6, True),)}),
        ({"own": ((6, True),)}, {"own": ((6, True), (9, True))}),
        *(({"baselines": (FULL,)}, {"baselines": (FULL, n)}) for n in BASELINES if n != FULL),
        ({}, {"robust_scores": True}),
        ({}, {"attacks": ("speaker",)}),
        ({}, {"ways": 2}),
        ({"attacks": ("speaker",)}, {"attacks": ("speaker",), "ways": 2}),
        ({}, {"start_noise": (0.3,)}),
        ({"start_noise": (0.3,)}, {"start_noise": (0.3, 1.0)}),
        ({}, {"natives": (Native("tdnn", 2, 3),)}),
        ({"natives": (Native("convnet", 9, 9),)}, {"natives": (Native("tdnn", 2, 3),)}),
        (PRIVATE | {"units": ()}, PRIVATE),
        (PRIVATE, PRIVATE | {"units": (3, 3)}),
        (PRIVATE, PRIVATE | {"seeds": 3}),
        ({"units": (3,), "baselines": (FULL,)}, PRIVATE),
        ({}, {"teachers": ("ensemble",)}),
        ({"teachers": ("ensemble",)}, {"teachers": ("architectures",)}),
        ({"teachers": ("ensemble",)}, {"teachers": ("richer-features",)}),
    ],
)
def test_more_takes_longer(less, more):
    assert 0 < told(**less) < told(**more)


@pytest.mark.usefixtures("by_the_item")
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"baselines": (FULL,)}, 1e-6),
        ({"baselines": (FULL, "random", "random-soft", "full-balanced")}, 1e-6),
        ({"baselines": (FULL, "herding", "noise", "model")}, 1e-6),
        ({"baselines": (*TIMES, "class-means")}, 0.2),  # how many items is rounded
        ({"robust_scores": True}, 1e-6),
        ({"robust_scores": True, "baselines": (FULL,)}, 1e-6),
        ({"start_noise": (0.3, 1.0, 0.3)}, 1e-6),
        ({"teachers": ("ensemble",)}, 1e-6),
        ({"teachers": ("ensemble", "architectures")}, 1e-6),
        ({"students": ("linear", "svm"), "baselines": (FULL, "random", "noise")}, 1e-6),
    ],
)
def test_what_is_trained_is_what_was_told(monkeypatch, options, error):
    """Item by item, as an evaluation trains them."""
    spent = []

    def counted(job: Job, setting: Setting, heard: Heard) -> Outcome:
        if isinstance(job.recipe, NativeRecipe):
            batch = job.recipe.together * len(EMOTIONS)
        elif isinstance(job.recipe, PooledRecipe):
            spent.append(len(job.competitor))
            return carry_out(job, setting, heard)
        else:
            assert isinstance(job.recipe, Recipe)
            batch = job.recipe.batch_of(len(job.competitor))
        spent.append(setting.steps * batch)
        return carry_out(job, setting, heard)

    monkeypatch.setattr(runner_module, "carry_out", counted)
    synthetic = a_set(schedule=SCHEDULE)
    judged(synthetic, recipes=SHORT, **options)
    native = Native.of(synthetic)
    assert native is not None
    assert told(natives=(native,), **options) / CROWDED == pytest.approx(sum(spent), rel=error)


def test_units_of_private_models_are_gone_through_one_by_one(monkeypatch):
    monkeypatch.setattr(forecast, "pace", lambda *_: Pace(10.0, 1.0))
    private = told(**PRIVATE) - told(**PRIVATE | {"units": ()})
    expected = 2 * STEPS * SAMPLING_PROBABILITY * (3 * 10.0 + len(TRAIN))
    assert private / CROWDED == pytest.approx(expected)


def test_a_moment_in_which_the_machine_is_busy_does_not_count(monkeypatch):
    now, calls = [0.0], []

    def train(network, weights, examples, recipe, setting, generator):  # noqa: ARG001
        calls.append(setting.steps)
        now[0] += (0.01 + 0.001 * recipe.batch_of(len(examples.features))) * setting.steps
        now[0] += 5.0 if len(calls) in (1, 3, 6) else 0.0

    monkeypatch.setattr(forecast, "train", train)
    monkeypatch.setattr(forecast.time, "perf_counter", lambda: now[0])
    found = pace("tdnn", SPEC.shape, len(EMOTIONS), QUICK)
    assert (found.step, found.item) == pytest.approx((0.01, 0.001))


@pytest.mark.parametrize(
    ("asked", "expected"),  # of 640 utterances in four folds, 160 of each tested
    [
        ({}, 640),
        ({"loaded": True}, 0),
        ({"loaded": True, "speech": ("noise-0dB", "reverberation-1s")}, 2 * 160 * 11),
        ({"loaded": True, "attacks": ("speaker",)}, 640 * 11),
        ({"teachers": ("richer-features",)}, 2 * 640),
    ],
)
def test_features_are_counted_that_are_still_to_be_computed(monkeypatch, asked, expected):
    """An utterance takes a second, and ten to be degraded."""
    monkeypatch.setattr(forecast, "seconds", lambda *_: 0.0)
    monkeypatch.setattr(extraction_time, "seconds_each", lambda _: 1.0)
    monkeypatch.setattr(extraction_time, "degrading_seconds", lambda _: 10.0)
    options = Options(attacks=asked.get("attacks", ()), teachers=asked.get("teachers", ()))
    one = NamedSet("mine", toy_set())
    judging = session(one, TOY, speech=asked.get("speech", ()), options=options)
    real = judging.listed()
    if "loaded" in asked:
        real = replace(real, features=torch.zeros(len(real), *judging.spec.shape))
    assert judging.estimate(real, judging.folds(real)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("words", "least", "most"),
    [
        ("logmel64", 1e-3, 0.02),
        ("egemaps", 0.02, 0.2),
        ("egemaps+logmel64", 0.03, 0.3),
    ],
)
def test_what_an_utterance_takes(words, least, most):
    assert least < extraction_time.seconds_each(known_feature(words)) < most


def test_an_encoder_takes_longer_the_larger_it_is(tmp_path):
    small = known_feature(f"hubert:{speech_encoder(tmp_path / 'small')}")
    base = replace(small, width=768, layers=(1 / 13,) * 13)
    large = replace(small, width=1024, layers=(1 / 25,) * 25)
    taken = [extraction_time.seconds_each(spec) for spec in (small, base, large)]
    assert taken == sorted(taken)
    assert 0.2 < taken[1] < 1.0  # 0.45 s where it was measured; the large one 1.3 s
    assert 0.6 < taken[2] < 2.6
    assert extraction_time.seconds(base, 10) == 10 * taken[1]


@pytest.mark.parametrize(("student", "times"), [("linear", 2), ("svm", 4)])
def test_twice_the_items_take_a_solver_more_than_twice_the_time(student, times):
    """Where it looks at every pair of them: minutes on a large corpus, not a second."""
    found = solver(student, SPEC.shape, len(EMOTIONS), RECIPES[student])
    assert found.item > 0
    assert 0 < found.solved < 10
    solving = replace(found, item=0.0)
    assert solving.of(8000) == pytest.approx(times * solving.of(4000))
    assert found.of(500) - solving.of(500) == pytest.approx(500 * found.item)


@pytest.mark.parametrize(
    ("step", "item", "steps"), [(0.01, 0.001, 32), (0.0, 0.2, 2), (2.0, 0.0, 2)]
)
def test_a_slow_network_is_not_timed_for_long(monkeypatch, step, item, steps):
    """VGG-15 on schuller64 takes half a minute or so for a step of a large batch."""
    now, taken = [0.0], []

    def train(network, weights, examples, recipe, setting, generator):  # noqa: ARG001
        taken.append(setting.steps)
        now[0] += (step + item * recipe.batch_of(len(examples.features))) * setting.steps

    monkeypatch.setattr(forecast, "train", train)
    monkeypatch.setattr(forecast.time, "perf_counter", lambda: now[0])
    found = pace("tdnn", SPEC.shape, len(EMOTIONS), QUICK)
    assert found.of(FEW) == pytest.approx(step + FEW * item)
    assert sum(taken) == steps
    if steps > 2:
        assert (found.step, found.item) == pytest.approx((step, item))
