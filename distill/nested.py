"""Nested sets: the first items of each class are themselves a smaller set.

Each outer step meets one size, drawn at random: the objective sees the first items of each class
up to that size, and moves those. So the items of the smallest prefix, which are in all of them, are
moved most often and furthest, and what comes later learns to complete what is there before it.

That is the subset loss of MDC (He et al. 2024, "Multisize dataset condensation"), with one size per
step in place of the whole set and a subset: it costs no step more than a set that is not nested,
and steps of a small size are cheap. MDC picks the subset by how far its features moved; here all
sizes are drawn alike.
"""

from collections.abc import Callable, Iterator, Sequence

import torch

from distill.objectives.objective import Candidate
from synth_data.errors import UserError


def require_smaller(nested: Sequence[int], ipc: int) -> None:
    """Raises `UserError` if a nested size is below 1, not below the whole set's, or there twice."""
    if len(set(nested)) < len(nested):
        raise UserError(f"each nested size is named once; found {', '.join(map(str, nested))}")
    for size in nested:
        if not 1 <= size < ipc:
            raise UserError(
                f"nested sizes are smaller ones than that of the set: in one of ipc {ipc} they "
                f"can be from 1 to {ipc - 1}; found {size}"
            )


def prefixes_of(nested: Sequence[int], ipc: int, items_of: Callable[[int], int]) -> tuple[int, ...]:
    """The sizes of a set's prefixes, in items of each class, from the smallest.

    Args:
        nested: sizes in the bytes of so many items of each class. One that comes to as many items
            as the whole set is left out.
        ipc: of the whole set.
        items_of: how many items of each class have the bytes of so many
            (`Parameterisation.per_class`).
    """
    found = {items_of(size) for size in nested}
    return tuple(sorted(found - {items_of(ipc)}))


def drawn(candidate: Candidate, prefixes: Sequence[int], draws: torch.Generator) -> Candidate:
    """What an outer step meets: the items of one size.

    Args:
        candidate: all items.
        prefixes: the other sizes; none for a set that is not nested, which draws nothing.
        draws: that say which.
    """
    if not prefixes:
        return candidate
    sizes = (*prefixes, candidate.per_class)
    return candidate.first(sizes[int(torch.randint(len(sizes), (1,), generator=draws))])


def notes(asked: Sequence[int], prefixes: Sequence[int], per_class: int) -> Iterator[str]:
    """What a reader should know where there are fewer sizes than were asked for.

    Args:
        asked: in the bytes of so many items of each class.
        prefixes: that there are.
        per_class: items of each class of the whole set.
    """
    if len(prefixes) < len({*asked}):
        there = ", ".join(map(str, prefixes)) or "none"
        yield (
            f"smaller sizes in the bytes of {', '.join(map(str, sorted({*asked})))} items per "
            f"emotion were asked for, and come to {there} below the {per_class} items that there "
            f"are of each: items start as utterances, and an emotion has no more on average"
        )
