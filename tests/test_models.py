"""What is shipped in place of a set: models, the untrained start, the most frequent emotion."""

from dataclasses import replace

import pytest
from batched import Batched
from fake_speech import SPEC, fake_speech
from small_evaluation import QUICK, TEST, TRAIN, WEIGHTS, a_set, judged, of, start

from evaluation import students
from evaluation.named_sets import NamedSet
from evaluation.networks import NETWORKS, draw_weights, skeleton
from evaluation.options import FIXED, MAJORITY, MODEL, NONE, RANDOM, UNTRAINED
from evaluation.runs import CLEAN, FULL, FoldResult
from evaluation.students import Recipe, predict
from evaluation.students.network import Schedule
from synth_data.randomness import generator

NOISE = fake_speech((9, 7, 5), seed=5)
START_BYTES = 4 * sum(weight.numel() for weight in WEIGHTS.values())


@pytest.fixture(scope="module")
def result() -> FoldResult:
    return judged(
        a_set(),
        students=("tdnn", "linear"),
        baselines=(FULL, MODEL, MAJORITY),
        also_heard={"noise": NOISE},
    )


def test_a_model_says_what_the_full_data_student_says(result):
    full = [run for run in of(result, FULL) if run.student == "tdnn"]
    models = of(result, MODEL)
    assert len(models) == len(full) == 2 * 2 * 2  # starts, seeds, ways of hearing
    for model, student in zip(models, full, strict=True):
        assert model.predicted == student.predicted
        assert model.condition[2:] == student.condition[2:]
        assert (model.seed, model.setting) == (student.seed, student.setting)


def test_a_model_ships_weights_and_leaves_nothing_to_train(result):
    full = {run.replica: run for run in of(result, FULL, RANDOM) if run.student == "tdnn"}
    for model in of(result, MODEL, RANDOM):
        assert (model.ships, model.bytes, model.utterances) == ("weights", START_BYTES, 0)
        assert (model.steps, model.student_seconds, model.judged) == (0, 0.0, False)
        assert model.parameters == START_BYTES // 4
        assert model.making_seconds == full[model.replica].student_seconds > 0


def test_a_classifier_of_pooled_statistics_is_not_shipped(result):
    assert {run.student for run in of(result, MODEL)} == {"tdnn"}
    assert result.unavailable == ("model: linear has no weights to be shipped",)


def test_a_model_whose_training_failed_is_not_shipped():
    broken = replace(QUICK, schedules=(Schedule(6, 1e30),))
    result = judged(
        a_set(), students=("tdnn", "linear"), baselines=(FULL, MODEL), recipe=broken, seeds=1
    )
    assert not of(result, MODEL)
    assert any(text.startswith("full, tdnn, random initialisation") for text in result.failed)
    assert {run.student for run in of(result, FULL)} == {"linear"}


def test_majority_is_the_emotion_of_most_training_utterances(result):
    assert TRAIN.targets.sum(dim=0).tolist() == [6, 5, 4]
    runs = of(result, MAJORITY)
    assert {run.predicted for run in runs} == {(0,) * len(TEST)}
    assert {(run.student, run.initialisation) for run in runs} == {
        ("tdnn", RANDOM),
        ("linear", NONE),
    }
    assert {run.speech for run in runs} == {CLEAN, "noise"}
    assert {(run.ships, run.bytes, run.parameters) for run in runs} == {("nothing", 0, 0)}
    rarer = fake_speech((3, 4, 9), apart=0.2)
    other = judged(a_set(), train=rarer, baselines=(FULL, MAJORITY), seeds=1)
    assert {run.predicted for run in of(other, MAJORITY)} == {(2,) * len(TEST)}


def test_the_untrained_start_says_what_its_weights_say(result):
    network = skeleton("tdnn", SPEC.mels, 3)
    runs = {run.speech: run for run in of(result, UNTRAINED)}
    assert runs[CLEAN].predicted == tuple(predict(network, WEIGHTS, TEST.features).tolist())
    assert runs["noise"].predicted == tuple(predict(network, WEIGHTS, NOISE.features).tolist())
    for run in runs.values():
        assert (run.initialisation, run.ships, run.bytes) == (FIXED, "weights", START_BYTES)
        assert (run.making_seconds, run.student_seconds, run.steps) == (0.0, 0.0, 0)


def test_a_start_of_a_network_with_batch_statistics_is_trained_and_tested(monkeypatch):
    """Which only a foreign set has; its running statistics are shipped with the weights."""
    monkeypatch.setitem(NETWORKS, "batched", Batched)
    monkeypatch.setitem(students.RECIPES, "batched", QUICK)
    one = NamedSet("theirs", a_set(start=start("batched")))
    result = judged([one], recipes=students.RECIPES, baselines=(FULL, MODEL), seeds=1)
    assert result.failed == ()
    parameters = 2 * SPEC.mels + 3 * SPEC.mels + 3
    shipped = 4 * (parameters + 2 * SPEC.mels)
    assert {run.parameters for run in of(result, "theirs")} == {parameters}
    assert {run.bytes for run in of(result, MODEL)} == {shipped}
    assert [run.bytes for run in of(result, UNTRAINED)] == [shipped]


def test_random_weights_are_those_of_the_seed():
    """Drawn for the student and the seed alone, so that every set meets the same ones."""
    still = Recipe(schedules=(Schedule(1, 1e-12),))
    result = judged(a_set(), recipe=still, baselines=(FULL,), seed=4)
    network = skeleton("tdnn", SPEC.mels, 3)
    for seed in (0, 1):
        weights = draw_weights(network, generator(4, "student", "tdnn", seed))
        expected = tuple(predict(network, weights, TEST.features).tolist())
        for name in (FULL, "distilled"):
            (run,) = [run for run in of(result, name, RANDOM) if run.seed == seed]
            assert run.predicted == expected
    assert students.RECIPES["tdnn"] != still
