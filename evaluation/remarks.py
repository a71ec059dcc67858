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


def not_pooled(incomplete: Sequence[Condition]) -> list[str]:
    """Conditions with rows per fold, but none over all of them."""
    return _once(
        f"{_in_words(one)} over all folds: some folds lack it, or have other draws or seeds of it; "
        f"see the rows per fold"
        for one in incomplete
    )


def partly_pooled(partial: Mapping[Condition, int]) -> list[str]:
    """Conditions of which some students are only in the rows per fold; how many are pooled."""
    return _once(
        f"{_in_words(one)} over all folds: only what every fold has, students per fold: {pooled}"
        for one, pooled in partial.items()
    )


def _once(remarks: Iterable[str]) -> list[str]:
    """One for all the ways in which the test speech is heard."""
    return list(dict.fromkeys(remarks))


def _in_words(one: Condition) -> str:
    return (
        f"{one.set}{'' if one.ipc is None else f', ipc {one.ipc}'} ({one.student}, "
        f"{one.initialisation} initialisation, {one.recipe} recipe)"
    )
