"""What a reader must know of the folds behind a number: what is missing, and why."""

from collections.abc import Iterable, Mapping, Sequence

from evaluation.options import DP_SGD
from evaluation.runs import Condition, FoldResult


def untested(folds: Sequence[FoldResult]) -> list[str]:
    """Emotions that a fold did not test."""
    return [
        f"fold {result.fold} has no test utterance of {', '.join(missing)}: its UAR, F1 and chance "
        f"level are over the emotions present"
        for result in folds
        for missing in [
            [name for index, name in enumerate(result.emotions) if index not in result.truth]
        ]
        if missing
    ]


def adding_up(folds: Sequence[FoldResult]) -> list[str]:
    """What a private model costs beside a private set."""
    if not any(run.set.startswith(DP_SGD) for result in folds for run in result.runs):
        return []
    return [
        f"{DP_SGD}: each of these models alone is trained under the epsilon, delta and unit of the "
        f"private set, on noisy gradients that no ledger knows of. Whoever shares one beside the "
        f"set, or several, gives away both: what they cost adds up"
    ]


def reasons(texts: Sequence[Sequence[str]], folds: Sequence[int]) -> tuple[str, ...]:
    """Each reason once, with its folds where that is not all of them.

    Args:
        texts: of each fold.
        folds: their numbers, in the same order.
    """
    found: dict[str, list[str]] = {}
    for reasons, fold in zip(texts, folds, strict=True):
        for reason in dict.fromkeys(reasons):
            found.setdefault(reason, []).append(str(fold))
    return tuple(
        reason if len(at) == len(folds) else f"{reason} (fold {', '.join(at)})"
        for reason, at in found.items()
    )


def not_pooled(
    incomplete: Sequence[Condition], pooled: Iterable[Condition], metric: str
) -> list[str]:
    """Sets with rows per fold, but none over all of them; with whose students, if not with any.

    Args:
        incomplete: conditions that are not pooled.
        pooled: those that are.
        metric: that the report's text gives fold by fold.
    """
    missing: dict[str, dict[str, None]] = {}
    for one in incomplete:
        missing.setdefault(_called(one), {})[_students(one)] = None
    somewhere = {_called(one) for one in pooled}
    whose = {name: f" ({'; '.join(missing[name])})" for name in missing if name in somewhere}
    return [
        f"{name}{whose.get(name, '')} over all folds: some folds lack it, or have other draws or "
        f"seeds of it; for single folds see {metric} per fold in report.md, or report.json"
        for name in missing
    ]


def partly_pooled(partial: Mapping[Condition, int]) -> list[str]:
    """Conditions of which some students are only in the rows per fold; how many are pooled."""
    remarks = (
        f"{_called(one)} ({_students(one)}) over all folds: only what every fold has, students per "
        f"fold: {pooled}"
        for one, pooled in partial.items()
    )
    return list(dict.fromkeys(remarks))  # one for all the ways in which the test speech is heard


def _called(one: Condition) -> str:
    return one.set if one.ipc is None else f"{one.set}, ipc {one.ipc}"


def _students(one: Condition) -> str:
    return f"{one.student}, {one.initialisation} initialisation, {one.recipe} recipe"
