"""The first items of each class of a set: a smaller set, cut without making anything again."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synth_data.errors import SetError
from synth_data.task import Task


def by_class(
    targets: Float[Tensor, "n column"], task: Task, distilled: bool
) -> Int[Tensor, "group per_class"]:
    """The rows of each class' items, in their order.

    An item is of the class that its label names. Where labels are shared between emotions, one may
    be taught to be more of another emotion than that of its class: distilled items are then of the
    class whose turn it is, since they stand in the order of their classes.

    Args:
        targets: each emotion's share of every item, and its dimensions.
        task: what they tell.
        distilled: whether they come from a distillation.

    Raises:
        SetError: classes differ in their number of items.
    """
    count, groups = len(targets), len(task.groups)
    shared = bool(task.dimensions) or bool(((targets > 0) & (targets < 1)).any())
    if distilled and shared and count % groups == 0:
        return torch.arange(count).reshape(groups, -1)
    largest = task.group_of(targets)
    counts = largest.bincount(minlength=groups)
    if int(counts.min()) != int(counts.max()):
        raise SetError(
            f"a prefix holds equally many items of each emotion, and this set has "
            f"{', '.join(map(str, counts.tolist()))} of them: prefixes are for sets whose items "
            f"are evenly spread"
        )
    return largest.argsort(stable=True).reshape(groups, -1)


def require_sizes(sizes: tuple[int, ...], per_class: int) -> None:
    """Raises `SetError` unless these are sizes of prefixes, from the smallest.

    Args:
        sizes: in items of each class.
        per_class: items of each class of the whole set.
    """
    wrong = [size for size in sizes if not 1 <= size < per_class]
    if wrong:
        raise SetError(
            f"a prefix of a set of {per_class} items of each emotion has from 1 to "
            f"{per_class - 1}; found {wrong[0]}"
        )
    if sorted({*sizes}) != list(sizes):
        raise SetError(
            f"sizes of prefixes are named once each, from the smallest; found {list(sizes)}"
        )


def note(size: int, per_class: int, digest: str, made_for: bool, schedule_lost: bool) -> str:
    """What a reader of a prefix must know of it.

    Args:
        size: of the prefix, in items of each class.
        per_class: of the set that it is of.
        digest: SHA-256 of that set's tensors.
        made_for: whether that set was made for prefixes of this size.
        schedule_lost: whether it has a native schedule that needs more items.
    """
    worth = (
        "which was made for prefixes of this size"
        if made_for
        else "which was not made for prefixes of this size: a set made at it may be worth more"
    )
    lost = "; the native schedule of that set needs more items, and is left out"
    return (
        f"it is the first {size} items of each emotion of a set of {per_class} (whose "
        f"set.safetensors has the SHA-256 {digest}), {worth}{lost if schedule_lost else ''}"
    )
