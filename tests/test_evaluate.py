"""A set is judged fairly: the same students for everybody, and the test side chooses nothing."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from fake_speech import EMOTIONS, SPEC, fake_speech
from small_sets import provenance
from torch import Tensor

from evaluation.augment import Augment
from evaluation.baselines.random_subset import DRAWS
from evaluation.evaluate import CUSTOM, FIXED, GENERIC, RANDOM, UNTRAINED, evaluate
from evaluation.networks import draw_weights, skeleton
from evaluation.runs import DISTILLED, FULL, FoldResult, Run
from evaluation.students import RECIPES, Recipe
from synth_data.errors import SetError, UserError
from synth_data.provenance import Start
from synth_data.real import RealSet
from synth_data.synthetic import SyntheticSet
from synth_data.transforms import Standardise

QUICK = Recipe(
    steps=6, batch=8, learning_rates=(1e-2,), warm_up=2, augment=Augment(bands=2, frames=0.1)
)
TRAIN = fake_speech((6, 5, 4), apart=0.2)
VALIDATION = fake_speech((4, 4, 4), seed=1, apart=0.2)
TEST = fake_speech((9, 7, 5), seed=2, apart=0.2, fold=3)
WEIGHTS = draw_weights(skeleton("tdnn", SPEC.mels, 3), torch.Generator().manual_seed(7))


def a_set(real: RealSet = TRAIN, per_class: int = 2, **changes: Any) -> SyntheticSet:
    """The first utterances of each class, as if they were synthetic."""
    rows = [row for emotion in range(3) for row in real.class_rows(emotion)[:per_class]]
    entries: dict[str, Any] = {
        "features": real.features[rows],
        "targets": real.targets[rows],
        "emotions": EMOTIONS,
        "spec": real.spec,
        "start": Start("tdnn", 7, WEIGHTS),
        "provenance": provenance(per_class=per_class),
    }
    return SyntheticSet(**{**entries, **changes})


def judged(
    synthetic: SyntheticSet,
    *,
    validation: RealSet = VALIDATION,
    test: RealSet = TEST,
    recipe: Recipe = QUICK,
    **changes: Any,
) -> FoldResult:
    return evaluate(
        synthetic,
        TRAIN,
        validation,
        test,
        **{"seeds": 2, "recipes": {"tdnn": recipe, "convnet": recipe}, **changes},
    )


def of(result: FoldResult, name: str, initialisation: str | None = None) -> list[Run]:
    found = [run for run in result.runs if run.set == name]
    return [run for run in found if initialisation in (None, run.initialisation)]


def untimed(result: FoldResult) -> list[Run]:
    return [replace(run, student_seconds=0.0) for run in result.runs]


def relabelled(real: RealSet, labels: Tensor) -> RealSet:
    return replace(real, targets=torch.eye(3)[labels])


@pytest.fixture(scope="module")
def result() -> FoldResult:
    return judged(a_set(), making_seconds=12.0)


def test_everybody_meets_the_same_students(result):
    for initialisation in (FIXED, RANDOM):
        assert [run.seed for run in of(result, DISTILLED, initialisation)] == [0, 1]
        assert [run.seed for run in of(result, FULL, initialisation)] == [0, 1]
        random = of(result, "random", initialisation)
        assert [(run.draw, run.seed) for run in random] == [(i, i) for i in range(DRAWS)]
    assert len(result.runs) == 2 * (2 + 2 + DRAWS) + 1


def test_the_result_is_about_the_test_side(result):
    assert result.fold == 3
    assert result.emotions == EMOTIONS
    assert result.truth == tuple(TEST.targets.argmax(dim=1).tolist())
    assert result.utterances == tuple(utterance.name for utterance in TEST.utterances)
    assert result.speakers == tuple(TEST.speakers)
    assert result.unavailable == ()


def test_what_each_set_weighs_and_took(result):
    item = 4 * SPEC.mels * SPEC.frames + 4 * 3
    start = 4 * sum(weight.numel() for weight in WEIGHTS.values())
    assert {run.bytes for run in of(result, DISTILLED, RANDOM)} == {6 * item}
    assert {run.bytes for run in of(result, DISTILLED, FIXED)} == {6 * item + start}
    assert {run.bytes for run in of(result, "random", RANDOM)} == {6 * item}
    assert {run.bytes for run in of(result, FULL, RANDOM)} == {15 * item}
    assert [run.bytes for run in of(result, UNTRAINED)] == [start]
    assert {run.making_seconds for run in of(result, DISTILLED)} == {12.0}
    assert {run.making_seconds for run in of(result, "random")} == {0.0}
    assert {run.parameters for run in result.runs} == {start // 4}
    assert {run.set: (run.ipc, run.utterances) for run in result.runs} == {
        DISTILLED: (2, 6),
        "random": (2, 6),
        FULL: (None, 15),
        UNTRAINED: (None, 0),
    }


def test_students_are_better_than_their_untrained_start(result):
    def accuracy(runs: Sequence[Run]) -> float:
        right = [p == t for run in runs for p, t in zip(run.predicted, result.truth, strict=True)]
        return sum(right) / len(right)

    assert accuracy(of(result, FULL)) > 0.65
    assert accuracy(of(result, UNTRAINED)) < 0.6


def test_fixed_students_start_from_the_weights_in_the_set():
    result = judged(a_set(), recipe=replace(QUICK, learning_rates=(0.0,)))
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
    result = judged(a_set(), students=["convnet"])
    assert {run.initialisation for run in result.runs} == {RANDOM}
    assert {run.student for run in result.runs} == {"convnet"}
    assert not of(result, UNTRAINED)


def test_a_set_without_a_start_is_judged_by_every_student_from_random_weights():
    result = judged(a_set(start=None), seeds=1)
    assert {run.student for run in result.runs} == {"tdnn", "convnet"}
    assert {run.initialisation for run in result.runs} == {RANDOM}


def test_the_whole_training_set_as_a_set_scores_as_full_does():
    whole = a_set(features=TRAIN.features, targets=TRAIN.targets, provenance=provenance())
    result = judged(whole)
    for mine, full in zip(of(result, DISTILLED), of(result, FULL), strict=True):
        assert (mine.seed, mine.initialisation) == (full.seed, full.initialisation)
        assert mine.predicted == full.predicted
    full = {run.predicted for run in of(result, FULL)}
    assert not full >= {run.predicted for run in of(result, "random")}


def test_a_baseline_that_needs_more_utterances_than_there_are_says_so():
    synthetic = a_set(provenance=provenance(per_class=5))
    result = judged(synthetic, seeds=1)
    assert result.unavailable == ("random: ipc 5 exceeds the 4 utterances of sadness",)
    assert {run.set for run in result.runs} == {DISTILLED, FULL, UNTRAINED}


def test_test_labels_choose_nothing():
    recipe = replace(QUICK, learning_rates=(1e-2, 1e-4, 0.0))
    synthetic = a_set()
    shuffled = relabelled(TEST, TEST.targets.argmax(dim=1).roll(3))
    first, second = (judged(synthetic, test=test, recipe=recipe) for test in (TEST, shuffled))
    assert first.truth != second.truth
    assert untimed(first) == untimed(second)


def test_the_rate_is_chosen_on_validation():
    """A rate of zero learns nothing: right labels reject it; labels all wrong prefer it."""
    recipe = replace(QUICK, steps=15, learning_rates=(1e-2, 0.0))
    wrong = relabelled(VALIDATION, (VALIDATION.targets.argmax(dim=1) + 1) % 3)
    right, misled = (
        judged(a_set(), validation=side, recipe=recipe) for side in (VALIDATION, wrong)
    )
    assert {run.learning_rate for run in of(right, FULL)} == {1e-2}
    assert {run.learning_rate for run in of(misled, FULL)} == {0.0}
    assert of(right, UNTRAINED)[0].learning_rate == 0.0


def test_one_rate_serves_all_students_of_a_set_and_initialisation():
    result = judged(a_set(), recipe=replace(QUICK, learning_rates=(1e-2, 1e-3, 1e-4)))
    for name in (DISTILLED, FULL, "random"):
        for initialisation in (FIXED, RANDOM):
            assert len({run.learning_rate for run in of(result, name, initialisation)}) == 1


def test_equal_seeds_give_equal_predictions_and_others_do_not(result):
    again, other = judged(a_set(), making_seconds=12.0), judged(a_set(), seed=1)
    assert untimed(result) == untimed(again)
    assert [run.predicted for run in result.runs] != [run.predicted for run in other.runs]


@pytest.mark.slow
def test_students_side_by_side_give_the_same_predictions(result):
    assert untimed(judged(a_set(), making_seconds=12.0, jobs=2)) == untimed(result)


def test_real_speech_goes_through_the_transforms_of_the_set(result):
    scale = Standardise(torch.full((16,), 3.0), torch.full((16,), 2.0))

    def raw(real: RealSet) -> RealSet:
        return replace(real, features=real.features * 2 + 3)

    transformed = evaluate(
        a_set(transforms=(scale,)),
        raw(TRAIN),
        raw(VALIDATION),
        raw(TEST),
        seeds=2,
        making_seconds=12.0,
        recipes={"tdnn": QUICK},
    )
    same = [
        p == q
        for mine, plain in zip(transformed.runs, result.runs, strict=True)
        for p, q in zip(mine.predicted, plain.predicted, strict=True)
    ]
    assert sum(same) / len(same) > 0.98  # the arithmetic rounds differently


def test_only_the_recipe_in_the_table_is_called_generic(result, monkeypatch):
    assert {run.recipe for run in result.runs} == {CUSTOM}
    monkeypatch.setitem(RECIPES, "tdnn", QUICK)
    assert {run.recipe for run in judged(a_set(), recipes=RECIPES).runs} == {GENERIC}


def test_an_emotion_that_is_never_tested_is_no_error():
    test = TEST.select(TEST.class_rows(0) + TEST.class_rows(1))
    assert set(judged(a_set(), test=test, seeds=1).truth) == {0, 1}


def test_an_unknown_student_is_refused():
    with pytest.raises(UserError, match="unknown student 'tdn': did you mean 'tdnn'"):
        judged(a_set(), students=["tdn"])


@pytest.mark.parametrize("seeds", [0, -1])
def test_no_student_judges_nothing(seeds):
    with pytest.raises(UserError, match=f"needs at least one student; found seeds = {seeds}"):
        judged(a_set(), seeds=seeds)


def test_a_set_of_other_emotions_is_refused():
    with pytest.raises(SetError, match=r"has the emotions calm, neutral, sadness; .*anger"):
        judged(a_set(emotions=("calm", "neutral", "sadness")))


def test_a_set_of_other_features_is_refused():
    with pytest.raises(SetError, match="feature recipe is not that of the real speech"):
        judged(a_set(spec=replace(SPEC, hop=0.02)))


def test_a_start_that_does_not_fit_its_network_is_refused():
    short = {name: weight for name, weight in WEIGHTS.items() if name != "head.bias"}
    wide = WEIGHTS | {"head.bias": torch.zeros(4)}
    for weights in (short, wide):
        with pytest.raises(SetError, match="start weights do not fit its network tdnn"):
            judged(a_set(start=Start("tdnn", 7, weights)))


def test_a_start_of_an_unknown_network_is_refused():
    with pytest.raises(UserError, match="unknown student 'resnet'"):
        judged(a_set(start=Start("resnet", 7, WEIGHTS)))
