"""Paired differences: what is compared with what, on the same test speakers."""

from collections.abc import Iterator, Mapping

import numpy as np
from jaxtyping import Float

from evaluation.intervals import interval
from evaluation.options import (
    AUGMENTED,
    DP_SGD,
    HARD_LABELS,
    MAJORITY,
    NATIVE,
    PUPIL,
    TEACHER,
    UNTRAINED,
)
from evaluation.records import Comparison, Estimate, FoldName
from evaluation.runs import FULL, Condition
from evaluation.scope import Scope


def comparisons(scope: Scope) -> list[Comparison]:
    """Each judged set against every other of its size; teachers and pupils against full data.

    A student by its set's native schedule meets those that others train by the common recipe, and
    one by DP-SGD those of the judged sets.
    """
    judged = {one: sample.runs[0].judged for one, sample in scope.samples.items()}
    return [
        difference(
            scope.fold,
            *(one, other),
            scope.samples[one].uar - scope.samples[other].uar,
            *(scope.speakers, scope.alike),
        )
        for one, other in pairs(judged)
    ]


def pairs(conditions: Mapping[Condition, bool]) -> Iterator[tuple[Condition, Condition]]:
    """Who is compared with whom.

    Args:
        conditions: whether the set of each is a judged one.
    """
    judged = [one for one in conditions if conditions[one]]
    others = [
        one for one in conditions if one not in judged and one.set not in (UNTRAINED, MAJORITY)
    ]
    for position, one in enumerate(judged):
        for other in others:
            if other.ipc in (one.ipc, None) and _same_students(_common(one, other), other):
                yield one, other
        for other in judged[position + 1 :]:
            if other.ipc == one.ipc and _same_students(one, other):
                yield one, other
    for one in others:
        if one.set.startswith((TEACHER, PUPIL)):
            for other in others:
                if other.set == FULL and _same_students(one, other):
                    yield one, other


def _same_students(one: Condition, other: Condition) -> bool:
    return other == one._replace(set=other.set, ipc=other.ipc)


def _common(one: Condition, other: Condition) -> Condition:
    """A native condition as if it were by the other's recipe, if that is the common one.

    And one by the common recipe as if it were by DP-SGD, beside students of that.
    """
    special = (AUGMENTED, HARD_LABELS)
    if one.recipe == NATIVE and other.recipe not in special:
        return one._replace(recipe=other.recipe)
    if other.recipe == DP_SGD and one.recipe not in special:
        return one._replace(recipe=DP_SGD)
    return one


def difference(
    fold: FoldName,
    one: Condition,
    other: Condition,
    values: Float[np.ndarray, " row"],
    speakers: int,
    alike: float,
    within: tuple[float, float] = (-1.0, 1.0),
) -> Comparison:
    """The record of a pair.

    Args:
        fold: of the report.
        one: who is compared.
        other: with whom.
        values: the difference as it is, then of each resample of the speakers.
        speakers: that were resampled.
        alike: as many who say equally much.
        within: the range of a difference.
    """
    return Comparison(
        **one._asdict(),
        against=other.set,
        fold=fold,
        difference=Estimate(mean=float(values[0]), interval=interval(values, alike, within=within)),
        speakers=speakers,
    )
