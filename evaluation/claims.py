"""What a report says of the privacy of the sets in it."""

from collections.abc import Sequence

from evaluation.named_sets import NamedSet, titles
from synth_data.guarantee import Guarantee


def guarantees(sets: Sequence[NamedSet]) -> tuple[str, ...]:
    """What is guaranteed about the speakers of which sets, each thing once.

    Args:
        sets: all that a report judges, also those without a guarantee: a claim must not pass for
            one about them.
    """
    # Where every fold's set has the same guarantee, folds are not named.
    folds: dict[str, set[int | None]] = {}
    private: dict[tuple[str, str], tuple[Guarantee, set[int | None]]] = {}
    for one, title in zip(sets, titles(sets), strict=True):
        fold, guarantee = one.synthetic.provenance.fold, one.synthetic.guarantee
        folds.setdefault(title, set()).add(fold)
        if guarantee is not None:
            key = title, guarantee.statement
            private.setdefault(key, (guarantee, set()))[1].add(fold)
    return tuple(
        guaranteed(title if at == folds[title] else f"{title} ({_of(at)})", guarantee)
        for (title, _), (guarantee, at) in private.items()
    )


def guaranteed(name: str, guarantee: Guarantee) -> str:
    """The claim of a set, in a report."""
    return f"{name} is {guarantee.statement}, from noisy answers alone"


def _of(folds: set[int | None]) -> str:
    """Which sets of one name, by the fold that each was made for."""
    numbers = sorted(fold for fold in folds if fold is not None)
    listed = [f"fold {', '.join(map(str, numbers))}"] if numbers else []
    return " and ".join([*listed, *(["all speakers"] if None in folds else [])])
