"""Whose numbers the picture of told and true shows."""

from typing import Any

import pytest
from small_folds import run

from evaluation.dimensional.results import DimensionalResult
from evaluation.dimensional.scatter import scatters
from evaluation.page.colours import QUIET, Look
from synth_data.task import Task

TRUTH = tuple((1.0 + i % 5, 5.0 - i % 3) for i in range(20))
# How far what is told goes with what is true.
SHARES = {"linear": 1.0, "svm": 0.2}


def told(name: str, student: str) -> Any:
    """A run of dimensions, of a set that was made for tdnn."""
    numbers = tuple(tuple(3 + SHARES[student] * (x - 3) for x in row) for row in TRUTH)
    changes = {"student": student, "initialisation": "none", "numbers": numbers}
    return run(name, (), **changes)


@pytest.mark.parametrize(
    ("students", "home"), [(("linear", "svm"), "linear"), (("svm", "linear"), "svm")]
)
def test_one_student_is_shown_where_the_sets_own_was_not_trained(students, home):
    runs = tuple(told(name, student) for student in students for name in ("full", "distilled"))
    result = DimensionalResult(
        fold=1,
        task=Task(dimensions=("valence", "activation"), scale=(1.0, 5.0)),
        utterances=tuple(f"number {i}" for i in range(20)),
        speakers=tuple("abcd"[i % 4] for i in range(20)),
        genders=("",) * 20,
        emotions=(),
        truth=TRUTH,
        runs=runs,
    )
    (shown,) = scatters([result], dict.fromkeys(("full", "distilled"), Look(QUIET, "ring")))
    assert shown.name == f"{home}, none initialisation"
    assert shown.picture.alt.count("CCC") == 4
    assert shown.picture.alt.count("CCC 1.00") == (4 if home == "linear" else 0)
