"""Which layers of an encoder, and how much of each: a fixed, public weighting."""

import math
import re
from typing import Annotated

from pydantic import Field

from synth_data.errors import UserError

MOST_LAYERS = 200
# One for the encoder's input and one for the output of each layer; they sum to 1.
Weights = Annotated[tuple[float, ...], Field(min_length=2, max_length=MOST_LAYERS + 1)]


def weights_of(words: str, layers: int, encoder: str) -> tuple[float, ...]:
    """The weight of each layer, from what was asked for.

    >>> weights_of("2", 3, "it")
    (0.0, 0.0, 1.0, 0.0)
    >>> weights_of("1-2", 3, "it")
    (0.0, 0.5, 0.5, 0.0)
    >>> weights_of("0/1/3/0", 3, "it")
    (0.0, 0.25, 0.75, 0.0)

    Args:
        words: a layer, a range whose mean is taken, "all" for the mean of all, or a weight for each
            with slashes between them. Layer 0 is what the first layer is given.
        layers: of the encoder.
        encoder: its name, for errors.

    Raises:
        UserError: there is no such layer, or the words are none of these.
    """
    if words == "all":
        return _evenly(0, layers, layers)
    if found := re.fullmatch(r"(\d+)(?:-(\d+))?", words):
        first, last = int(found[1]), int(found[2] or found[1])
        if not first <= last <= layers:
            raise UserError(
                f"layer {words} is not in {encoder}, which has layers 0 (what the first is given) "
                f"to {layers}: choose among these, a range such as 1-{layers}, or all"
            )
        return _evenly(first, last, layers)
    try:
        given = [float(word) for word in words.split("/")]
    except ValueError:
        given = []
    usable = all(math.isfinite(one) and one >= 0 for one in given) and sum(given) > 0
    if not usable or len(given) != layers + 1:
        raise UserError(
            f"layer is {words!r}: give a number from 0 to {layers}, a range such as 1-{layers}, "
            f"all, or {layers + 1} weights of 0 or more with slashes between them, one for each "
            f"of {encoder}'s layers"
        )
    total = sum(given)
    return tuple(one / total for one in given)


def in_words(weights: tuple[float, ...]) -> str:
    """For people.

    >>> in_words((0.0, 0.0, 1.0)), in_words((0.5, 0.5)), in_words((0.25, 0.75))
    ('layer 2', 'mean of layers 0 to 1', 'weighted layers')
    """
    used = [i for i, weight in enumerate(weights) if weight]
    if len(used) == 1:
        return f"layer {used[0]}"
    even = len({weights[i] for i in used}) == 1
    if even and used == list(range(used[0], used[-1] + 1)):
        return f"mean of layers {used[0]} to {used[-1]}"
    return "weighted layers"


def require_weights(weights: tuple[float, ...]) -> None:
    """Raises `UserError` if weights do not sum to 1, or are negative or not finite."""
    if not all(math.isfinite(one) and one >= 0 for one in weights) or abs(sum(weights) - 1) > 1e-6:
        raise UserError(f"weights of layers must be 0 or more and sum to 1; found {weights}")


def _evenly(first: int, last: int, layers: int) -> tuple[float, ...]:
    return tuple(1 / (last - first + 1) if first <= i <= last else 0.0 for i in range(layers + 1))
