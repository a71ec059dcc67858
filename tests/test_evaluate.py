"""A set is judged fairly: the same students for everybody, and the test side chooses nothing."""

from dataclasses import replace

import pytest
import torch
from fake_speech import EMOTIONS, SPEC, fake_speech
from small_evaluation import (
    QUICK,
    TEST,
    TRAIN,
    VALIDATION,
    WEIGHTS,
    a_set,
    accuracy,
    judged,
    of,
    start,
    untimed,
)
from small_sets import provenance
from torch import Tensor

from evaluation.baselines.random_subset import DRAWS
from evaluation.named_sets import NamedSet
from evaluation.options import (
    FIXED,
    RANDOM,
    UNTRAINED,
)
from evaluation.report import Report
from evaluation.runs import CLEAN, DISTILLED, FULL, FoldResult
from evaluation.students import Recipe
from evaluation.students.network import Schedule
from synth_data.errors import SetError, UserError
from synth_data.provenance import FROM_REAL, IMPORTED, Start
from synth_data.real import RealSet
from synth_data.task import Task

STEPS = 15
CHOICES = replace(QUICK, schedules=(Schedule(STEPS, 1e-2), Schedule(STEPS, 1e-12)))
LEARNS, STAYS = (str(setting) for setting in CHOICES.settings)


def relabelled(real: RealSet, labels: Tensor) -> RealSet:
    return replace(real, targets=torch.eye(3)[labels])


def with_steps(steps: int) -> Recipe:
    return replace(QUICK, schedules=(Schedule(steps, 1e-2),))


@pytest.fixture(scope="module")
def result() -> FoldResult:
    return judged([NamedSet(DISTILLED, a_set(), making_seconds=12.0)])


def test_everybody_meets_the_same_students(result):
    for initialisation in (FIXED, RANDOM):
        assert [run.seed for run in of(result, DISTILLED, initialisation)] == [0, 1]
        assert [run.seed for run in of(result, FULL, initialisation)] == [0, 1]
        random = of(result, "random", initialisation)
        assert [(run.draw, run.seed) for run in random] == [(i, i) for i in range(DRAWS)]
    assert len(result.runs) == 2 * (2 + 2 + DRAWS) + 1
    assert {run.steps for run in result.runs if run.set != UNTRAINED} == {6}


def test_the_result_is_about_the_test_side(result):
    assert result.fold == 3
    assert result.emotions == EMOTIONS
    assert result.truth == tuple(TEST.targets.argmax(dim=1).tolist())
    assert result.utterances == tuple(utterance.name for utterance in TEST.utterances)
    assert result.speakers == tuple(TEST.speakers)
    assert result.genders == ("",) * len(TEST)
    assert result.unavailable == result.failed == ()
    assert {run.speech for run in result.runs} == {CLEAN}


def test_what_each_set_weighs_and_took(result):
    item = 4 * SPEC.mels * SPEC.frames + 4 * 3
    start_bytes = 4 * sum(weight.numel() for weight in WEIGHTS.values())
    assert {run.bytes for run in of(result, DISTILLED, RANDOM)} == {6 * item}
    assert {run.bytes for run in of(result, DISTILLED, FIXED)} == {6 * item + start_bytes}
    assert {run.bytes for run in of(result, "random", RANDOM)} == {6 * item}
    assert {run.bytes for run in of(result, FULL, RANDOM)} == {15 * item}
    assert [run.bytes for run in of(result, UNTRAINED)] == [start_bytes]
    assert {run.making_seconds for run in of(result, DISTILLED)} == {12.0}
    assert {run.making_seconds for run in of(result, "random")} == {0.0}
    assert min(run.student_seconds for run in of(result, DISTILLED)) > 0
    assert {run.parameters for run in result.runs} == {start_bytes // 4}
    assert {run.set: (run.ipc, run.utterances, run.judged, run.ships) for run in result.runs} == {
        DISTILLED: (2, 6, True, "synthetic items"),
        "random": (2, 6, False, "real items"),
        FULL: (None, 15, False, "real items"),
        UNTRAINED: (None, 0, False, "weights"),
    }
    assert {run.set for run in result.runs if run.made_for == "tdnn"} == {DISTILLED}


def test_students_are_better_than_their_untrained_start(result):
    assert accuracy(of(result, FULL), result.truth) > 0.65
    assert accuracy(of(result, UNTRAINED), result.truth) < 0.6


def test_fixed_students_start_from_the_weights_in_the_set():
    still = replace(QUICK, schedules=(Schedule(1, 1e-12),))
    result = judged(a_set(), recipe=still)
    (untrained,) = of(result, UNTRAINED)
    runs = [run for run in result.runs if run.set != UNTRAINED]
    fixed = {run.predicted for run in runs if run.initialisation == FIXED}
    assert fixed == {untrained.predicted}
    by_seed = {
        seed: {r.predicted for r in runs if r.initialisation == RANDOM and r.seed == seed}
        for seed in (0, 1)
    }
    assert all(len(predictions) == 1 for predictions in by_seed.values())
    assert len({*by_seed[0], *by_seed[1], untrained.predicted}) == 3


def test_another_student_has_no_fixed_start():
    result = judged(a_set(), students=("convnet",), seeds=1, baselines=(FULL,))
    assert {run.initialisation for run in result.runs} == {RANDOM}
    assert {run.student for run in result.runs} == {"convnet"}
    assert {run.made_for for run in of(result, DISTILLED)} == {"tdnn"}
    assert not of(result, UNTRAINED)


def test_the_whole_training_set_as_a_set_scores_as_full_does():
    whole = a_set(features=TRAIN.features, targets=TRAIN.targets, provenance=provenance())
    result = judged(whole)
    for mine, full in zip(of(result, DISTILLED), of(result, FULL), strict=True):
        assert (mine.seed, mine.initialisation) == (full.seed, full.initialisation)
        assert mine.predicted == full.predicted
    full = {run.predicted for run in of(result, FULL)}
    assert not full >= {run.predicted for run in of(result, "random")}
    report = Report.of("made up", [result], corpus="toy", command="")
    (row,) = [r for r in report.rows if (r.set, r.initialisation) == (DISTILLED, FIXED)]
    assert row.relative_uar is not None
    assert row.relative_uar.mean == 1.0
    assert row.relative_uar.interval == (1.0, 1.0)


def test_shuffled_labels_score_chance():
    train, test = fake_speech((30, 30, 30)), fake_speech((40, 40, 40), seed=2)
    right = a_set(train, per_class=30)
    shuffled = replace(right, targets=torch.eye(3).repeat(30, 1))  # evenly over each emotion
    sets = [NamedSet("right", right), NamedSet("shuffled", shuffled)]
    result = judged(sets, train=train, test=test, baselines=(FULL,), recipe=with_steps(30), seeds=3)
    report = Report.of("made up", [result], corpus="toy", command="")
    mean = {(row.set, row.initialisation): row.uar.mean for row in report.rows}
    assert mean["right", RANDOM] > 0.95
    assert abs(mean["shuffled", RANDOM] - 1 / 3) < 0.15


def test_a_baseline_that_needs_more_utterances_than_there_are_says_so():
    synthetic = a_set(provenance=provenance(per_class=5))
    result = judged(synthetic, seeds=1)
    assert result.unavailable == ("random: ipc 5 exceeds the 4 utterances of sadness",)
    assert {run.set for run in result.runs} == {DISTILLED, FULL, UNTRAINED}


def test_test_labels_choose_nothing():
    synthetic = a_set()
    shuffled = relabelled(TEST, TEST.targets.argmax(dim=1).roll(3))
    first, second = (judged(synthetic, test=test, recipe=CHOICES) for test in (TEST, shuffled))
    assert first.truth != second.truth
    assert untimed(first) == untimed(second)


def test_the_settings_are_chosen_on_validation():
    """A rate of almost nothing learns nothing: right labels reject it, wrong ones prefer it."""
    wrong = relabelled(VALIDATION, (VALIDATION.targets.argmax(dim=1) + 1) % 3)
    right, misled = (
        judged(a_set(), validation=side, recipe=CHOICES) for side in (VALIDATION, wrong)
    )
    assert {run.setting for run in of(right, FULL)} == {LEARNS}
    assert {run.setting for run in of(misled, FULL)} == {STAYS}
    (untrained,) = of(right, UNTRAINED)
    assert (untrained.setting, untrained.steps) == ("", 0)


def test_one_setting_serves_all_students_of_a_set_and_initialisation():
    schedules = tuple(Schedule(steps, rate) for steps in (3, 6) for rate in (1e-2, 1e-4))
    result = judged(a_set(), recipe=replace(QUICK, schedules=schedules))
    for name in (DISTILLED, FULL, "random"):
        for initialisation in (FIXED, RANDOM):
            assert len({run.setting for run in of(result, name, initialisation)}) == 1


def test_equal_seeds_give_equal_predictions_and_others_do_not(result):
    again, other = judged(a_set()), judged(a_set(), seed=1)
    assert untimed(result) == untimed(again)
    assert [run.predicted for run in result.runs] != [run.predicted for run in other.runs]


@pytest.mark.slow
def test_students_side_by_side_give_the_same_predictions(result):
    assert untimed(judged(a_set(), jobs=2)) == untimed(result)


def test_an_emotion_that_is_never_tested_is_no_error():
    test = TEST.select(TEST.group_rows(0) + TEST.group_rows(1))
    assert set(judged(a_set(), test=test, seeds=1, baselines=(FULL,)).truth) == {0, 1}


def test_a_set_of_other_emotions_is_refused():
    with pytest.raises(SetError, match=r"has the emotions calm, neutral, sadness; .*anger"):
        judged(a_set(task=Task(("calm", "neutral", "sadness"))))


def test_a_set_of_other_features_is_refused():
    with pytest.raises(SetError, match="feature recipe is not that of the real speech"):
        judged(a_set(spec=replace(SPEC, hop=0.02)))


def test_a_start_that_does_not_fit_its_network_is_refused():
    short = {name: weight for name, weight in WEIGHTS.items() if name != "head.bias"}
    wide = WEIGHTS | {"head.bias": torch.zeros(4)}
    published = start("resnet9-bn")
    no_statistics = {n: w for n, w in published.weights.items() if "running" not in n}
    for network, weights in (("tdnn", short), ("tdnn", wide), ("resnet9-bn", no_statistics)):
        with pytest.raises(SetError, match=f"start weights do not fit its network {network}"):
            judged(a_set(start=Start(network, 7, weights)))


@pytest.mark.parametrize(
    ("made", "of"),
    [
        ({"fold": 2}, "fold 2 of made-up"),
        ({"protocol": "another"}, "fold 1 of another"),
        ({"fold": None}, "all speakers"),
    ],
)
def test_a_set_is_not_judged_where_it_may_have_met_the_test_speakers(made, of):
    own = {"corpus_digest": TRAIN.digest, "protocol": "made-up", "fold": 1}
    with pytest.raises(SetError, match=f"was made from {of}, and this is fold 1 of made-up"):
        judged(a_set(provenance=provenance(**own | made)))


def test_what_of_real_speech_the_receiver_of_a_set_sees():
    """Items that started as utterances stay close to them; of those of others nobody knows."""
    for note, ships in (
        ("530 utterances instead of 535", "synthetic items"),
        (f"{FROM_REAL} and stays close to it", "synthetic items near real ones"),
        (f"{IMPORTED} theirs.npz", "items of unknown origin"),
    ):
        one = a_set(provenance=provenance(notes=(note,)))
        result = judged(one, seeds=1, baselines=(FULL,), recipe=Recipe.single(steps=1))
        assert {run.ships for run in of(result, DISTILLED)} == {ships}


def test_a_start_of_an_unknown_network_is_refused():
    with pytest.raises(UserError, match="unknown student 'resnet'"):
        judged(a_set(start=Start("resnet", 7, WEIGHTS)))
