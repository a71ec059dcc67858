"""Colours that the colour-blind can tell apart: one per set, and a scale for values.

Sets take the palette of Okabe and Ito (2008, "Color universal design"), and a shape of their own,
so that nothing is said by colour alone. Values take cividis (Nuñez, Anderton and Renslow, 2018).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
from jaxtyping import UInt8
from matplotlib import colormaps

from evaluation.records import Judged
from evaluation.runs import FULL, RANDOM_SUBSET

ACCENT = "#0072B2"
QUIET = "#6b6b6b"

_JUDGED = (ACCENT, "#D55E00", "#CC79A7", "#009E73", "#56B4E9")
_SHAPES = ("circle", "triangle", "star", "cross", "bar")
_STEPS = 256


@dataclass(frozen=True)
class Look:
    """How a set is drawn wherever it appears.

    Attributes:
        colour: as `#rrggbb`.
        shape: of its marks: square, circle, diamond, ring, triangle, star, cross or bar.
    """

    colour: str
    shape: str


def looks(rows: Sequence[Judged]) -> dict[str, Look]:
    """By name: full data black, judged sets in colours, random subsets orange, others grey.

    More than five judged sets share colours; their names stand beside them everywhere.
    """
    found = {row.set: Look(QUIET, "ring") for row in rows}
    judged = dict.fromkeys(row.set for row in rows if row.judged)
    pairs = zip(_JUDGED, _SHAPES, strict=True)
    found |= {name: Look(*look) for name, look in zip(judged, cycle(pairs), strict=False)}
    if FULL in found:
        found[FULL] = Look("#222222", "square")
    if RANDOM_SUBSET in found:
        found[RANDOM_SUBSET] = Look("#E69F00", "diamond")
    return found


def palette() -> UInt8[np.ndarray, "256 3"]:
    """The scale of values, dark (low) to bright (high)."""
    # Rounded here, since versions of matplotlib round bytes differently.
    return np.round(255 * colormaps["cividis"](np.arange(_STEPS))[:, :3]).astype(np.uint8)


def shade(share: float) -> tuple[str, str]:
    """Background and ink of a cell.

    Args:
        share: of the scale, in [0, 1].

    Returns:
        Both as `#rrggbb`; the ink is the one of black and white that contrasts more.

    >>> shade(0.0), shade(1.0)
    (('#00224e', '#ffffff'), ('#fee838', '#000000'))
    """
    red, green, blue = (int(x) for x in palette()[round(share * (_STEPS - 1))])
    light = _luminance(red, green, blue)
    # Equal contrast with black and white: (1.05 / (L + 0.05)) = ((L + 0.05) / 0.05).
    ink = "#000000" if light > (1.05 * 0.05) ** 0.5 - 0.05 else "#ffffff"
    return f"#{red:02x}{green:02x}{blue:02x}", ink


def _luminance(*rgb: int) -> float:
    """Relative luminance of sRGB, as WCAG 2 defines it."""
    linear = [
        x / 255 / 12.92 if x / 255 <= 0.04045 else ((x / 255 + 0.055) / 1.055) ** 2.4 for x in rgb
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
