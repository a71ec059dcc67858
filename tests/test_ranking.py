"""DD-Ranking's scores, against values worked out by hand."""

from collections.abc import Sequence
from math import e
from typing import Any

import numpy as np
import pytest
from small_folds import report, result, run

from evaluation.ranking import normalised
from evaluation.records import Score
from evaluation.runs import Run

SPEAKERS = ("ada", "ada", "bob", "bob", "eve", "eve", "dan", "dan")
TRUTH = (0, 1, 0, 1, 0, 1, 0, 1)
FULL = run("full", TRUTH)


def heard(name: str, right: int, **changes: Any) -> Run:
    """A student that recognises this many of the four angry utterances, and calls the rest calm.

    Its UAR is (1 + right / 4) / 2.
    """
    angry = [1] * right + [0] * (4 - right)
    return run(name, [index for one in angry for index in (0, one)], **changes)


def scores(*runs: Run) -> tuple[Score, ...]:
    return report([result(1, SPEAKERS, TRUTH, *runs)]).scores


def score(lead: float) -> float:
    """The formula, as published but for its percentages."""
    return (e**lead - e**-1) / (e - e**-1)


def test_both_scores_of_an_example_worked_out_by_hand() -> None:
    (found,) = scores(
        FULL,  # 1.0
        heard("random", 1),  # 0.625
        heard("distilled", 3),  # 0.875
        heard("distilled", 2, recipe="hard-labels"),  # 0.75
        heard("distilled", 4, recipe="augmented"),  # 1.0
        heard("random", 2, recipe="augmented"),  # 0.75
    )
    assert (found.set, found.ipc, found.recipe) == ("distilled", 1, "generic")
    assert found.label_robust is not None
    assert found.label_robust.mean == pytest.approx(score(0.5 * 0.25 - 0.5 * 0.25))
    assert found.label_robust.mean == pytest.approx(0.269, abs=5e-4)  # no lead over both
    assert found.augmentation_robust is not None
    assert found.augmentation_robust.mean == pytest.approx(score(0.5 * 0.25 + 0.5 * 0.25))
    for estimate in (found.label_robust, found.augmentation_robust):
        assert estimate.interval is not None
        assert 0 < estimate.interval[0] < estimate.mean < estimate.interval[1] < 1


def test_a_set_with_hard_labels_is_its_own_hard_labelled_set() -> None:
    (found,) = scores(FULL, heard("random", 1), heard("distilled", 3))
    assert found.label_robust is not None
    assert found.label_robust.mean == pytest.approx(score(0.5 * 0.25 - 0.5 * 0.125))
    assert found.augmentation_robust is None


def test_soft_labels_do_not_pass_for_hard_ones() -> None:
    """Whether students of hard labels were trained from another initialisation, or not at all."""
    soft = heard("distilled", 3, soft_labels=True)
    elsewhere = heard("distilled", 2, initialisation="random", recipe="hard-labels")
    assert scores(FULL, heard("random", 1), soft, elsewhere) == ()
    assert scores(FULL, heard("random", 1), soft) == ()


@pytest.mark.parametrize("missing", [0, 1])
def test_no_score_without_full_data_or_random_subsets(missing: int) -> None:
    runs = [FULL, heard("random", 1), heard("distilled", 3)]
    assert len(scores(*runs)) == 1
    del runs[missing]
    assert scores(*runs) == ()


def test_only_judged_sets_on_clean_speech_have_scores() -> None:
    noisy: Sequence[Run] = [
        heard(name, right, speech="noise", ipc=None if name == "full" else 1)
        for name, right in (("full", 4), ("random", 1), ("distilled", 3))
    ]
    assert [one.set for one in scores(FULL, heard("random", 1), *noisy[2:])] == []
    found = scores(FULL, heard("random", 1), heard("distilled", 3), *noisy)
    assert [(one.set, one.speech) for one in found] == [("distilled", "clean")]


def test_a_set_equal_to_full_data_has_the_highest_label_robust_score_there_can_be() -> None:
    def label_robust(right: int) -> float:
        (found,) = scores(FULL, heard("random", 1), heard("distilled", right))
        assert found.label_robust is not None
        return found.label_robust.mean

    found = [label_robust(right) for right in range(5)]
    assert found == sorted(set(found))
    # No loss against full data, and all of their lead over random subsets.
    assert found[-1] == pytest.approx(score(0.5 * (1 - 0.625)))


def test_scores_run_from_nothing_to_one() -> None:
    leads = np.linspace(-1, 1, 9)
    assert normalised(leads) == pytest.approx([score(lead) for lead in leads])
    assert normalised(leads)[[0, -1]].tolist() == pytest.approx([0, 1])
