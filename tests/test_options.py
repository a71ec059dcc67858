"""What an evaluation includes: hearing, robust scores, memory, recipes; and what is refused."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from fake_speech import fake_speech
from small_evaluation import QUICK, TEST, TRAIN, VALIDATION, a_set, judged, of, untimed

from evaluation import student_runs, students
from evaluation.baselines.random_subset import DRAWS
from evaluation.options import (
    AUGMENTED,
    CUSTOM,
    GENERIC,
    HARD_LABELS,
    RANDOM,
    UNTRAINED,
    Options,
)
from evaluation.runs import CLEAN, DISTILLED, FULL, FoldResult
from synth_data.errors import UserError
from synth_data.real import RealSet
from synth_data.transforms import Standardise


@pytest.fixture(scope="module")
def result() -> FoldResult:
    return judged(a_set())


def test_genders_are_told_where_they_are_known():
    told = tuple(
        replace(u, gender="female" if row % 2 else None) for row, u in enumerate(TEST.utterances)
    )
    found = judged(a_set(), test=replace(TEST, utterances=told), seeds=1, baselines=(FULL,))
    assert found.genders[:4] == ("", "female", "", "female")


def test_real_speech_goes_through_the_transforms_of_the_set(result):
    scale = Standardise(torch.full((16,), 3.0), torch.full((16,), 2.0))

    def raw(real: RealSet) -> RealSet:
        return replace(real, features=real.features * 2 + 3)

    transformed = judged(
        a_set(transforms=(scale,)),
        train=raw(TRAIN),
        validation=raw(VALIDATION),
        test=raw(TEST),
        also_heard={"again": raw(TEST)},
    )
    clean = [run for run in transformed.runs if run.speech == CLEAN]
    same = [
        p == q
        for mine, plain in zip(clean, result.runs, strict=True)
        for p, q in zip(mine.predicted, plain.predicted, strict=True)
    ]
    assert sum(same) / len(same) > 0.98  # the arithmetic rounds differently
    again = [run.predicted for run in transformed.runs if run.speech == "again"]
    assert again == [run.predicted for run in clean]


def test_every_run_is_heard_in_every_way(result):
    """What is heard otherwise changes nothing of the rest."""
    other = fake_speech((9, 7, 5), seed=5, apart=0.2)
    found = judged(a_set(), also_heard={"noise": other})
    clean = [run for run in found.runs if run.speech == CLEAN]
    noisy = [run for run in found.runs if run.speech == "noise"]
    assert [replace(run, making_seconds=0.0, student_seconds=0.0) for run in clean] == untimed(
        result
    )
    assert [run.condition[:5] for run in noisy] == [run.condition[:5] for run in clean]
    assert [run.predicted for run in noisy] != [run.predicted for run in clean]


def test_for_robust_scores_sets_are_trained_on_with_masks_and_hard_labels():
    soft = 0.9 * TRAIN.targets + 0.1 / 3
    synthetic = a_set(replace(TRAIN, targets=soft))
    synthetic = replace(synthetic, targets=synthetic.targets / synthetic.targets.sum(1)[:, None])
    result = judged(synthetic, robust_scores=True, students=("tdnn", "linear"), recipe=QUICK)
    found = {
        (run.set, run.initialisation, run.student)
        for run in result.runs
        if run.recipe in (AUGMENTED, HARD_LABELS)
    }
    assert found == {(DISTILLED, RANDOM, "tdnn"), ("random", RANDOM, "tdnn")}
    counts = {
        (name, recipe): sum(run.recipe == recipe for run in of(result, name))
        for name in (DISTILLED, "random")
        for recipe in (AUGMENTED, HARD_LABELS)
    }
    assert counts == {
        (DISTILLED, AUGMENTED): 2,
        (DISTILLED, HARD_LABELS): 2,
        ("random", AUGMENTED): DRAWS,
        ("random", HARD_LABELS): 0,
    }


def test_hard_labels_are_not_hardened_again():
    result = judged(a_set(), robust_scores=True, seeds=1)
    assert {run.recipe for run in result.runs} == {CUSTOM, AUGMENTED}


@pytest.mark.parametrize("given", [{"baselines": (FULL,)}, {"synthetic": a_set(per_class=5)}])
def test_nobody_is_trained_for_scores_that_cannot_be(given):
    """There are no random subsets, or an emotion has too few utterances for them."""
    synthetic = given.pop("synthetic", a_set())
    result = judged(synthetic, robust_scores=True, seeds=1, **given)
    assert {run.recipe for run in result.runs} == {CUSTOM}
    told = f"DD-Ranking's scores of sets at ipc {synthetic.provenance.per_class}: they compare with"
    assert [why.startswith(told) for why in result.unavailable].count(True) == 1


def test_memory_is_measured_where_it_is_asked_for(result, monkeypatch):
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(student_runs, "peak_memory", lambda *shape: asked.append(shape) or 1000)
    found = judged(a_set(), memory=True, students=("tdnn", "linear"), seeds=1)
    assert {(run.set, run.peak_memory) for run in found.runs if run.student == "tdnn"} == {
        (DISTILLED, 1000),
        (FULL, 1000),
        ("random", None),
        (UNTRAINED, None),
    }
    assert {run.peak_memory for run in found.runs if run.student == "linear"} == {None}
    assert set(asked) == {("tdnn", 6, 16, 16, 3, 8), ("tdnn", 15, 16, 16, 3, 8)}
    assert {run.peak_memory for run in result.runs} == {None}


def test_only_the_recipe_in_the_table_is_called_generic(result, monkeypatch):
    assert {run.recipe for run in result.runs} == {CUSTOM}
    monkeypatch.setitem(students.RECIPES, "tdnn", QUICK)
    found = judged(a_set(), recipes=students.RECIPES, seeds=1, baselines=(FULL,))
    assert {run.recipe for run in found.runs} == {GENERIC}


def test_a_student_whose_recipe_is_not_given_has_its_generic_one(monkeypatch):
    monkeypatch.setitem(students.RECIPES, "tdnn", QUICK)
    found = judged(a_set(), recipes={"convnet": QUICK}, seeds=1, baselines=(FULL,))
    assert {(run.student, run.recipe) for run in found.runs} == {("tdnn", GENERIC)}


def test_students_without_a_recipe_of_their_own_have_the_usual_one():
    options = Options(students=("crnn", "tdnn"), recipes={"tdnn": QUICK})
    assert options.every_recipe["tdnn"] == QUICK
    assert options.every_recipe["crnn"] == students.RECIPES["crnn"]
    found = judged(a_set(), students=("linear", "tdnn"), recipes={"tdnn": QUICK}, seeds=1)
    assert {(run.student, run.recipe) for run in found.runs} == {
        ("linear", GENERIC),
        ("tdnn", CUSTOM),
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"students": ("tdn",)}, "unknown student 'tdn': did you mean 'tdnn'"),
        ({"baselines": ("hearding",)}, "unknown baseline 'hearding': did you mean 'herding'"),
        ({"teachers": ("assemble",)}, "unknown teacher 'assemble': did you mean 'ensemble'"),
        ({"seeds": 0}, "needs at least one student; found seeds = 0"),
        ({"start_noise": (0.3, 0.0)}, r"must be positive; found 0: give sizes such as 0.1 \(close"),
        ({"start_noise": (-1.0,)}, "must be positive; found -1"),
        ({"start_noise": (float("inf"),)}, "must be positive; found inf"),
        ({"start_noise": (float("nan"),)}, "must be positive; found nan"),
        ({"seeds": -1}, "needs at least one student; found seeds = -1"),
    ],
)
def test_wrong_options(given, message):
    with pytest.raises(UserError, match=message):
        Options(**given)
