"""Tables of the page: cells with numbers, shades, and small plots on a common scale."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor

from evaluation.page.colours import Look
from evaluation.page.wording import MINUS
from evaluation.records import Estimate


@dataclass(frozen=True)
class Mark:
    """A value in a plot, with its interval where there is one; positions in percent."""

    look: Look
    at: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Line:
    """A reference line; its position in percent."""

    at: float
    dashed: bool


@dataclass(frozen=True)
class Scale:
    """The values that the left and right edges of a column of plots stand for.

    Attributes:
        low: at 0 %.
        high: at 100 %.
        step: between ticks.
    """

    low: float
    high: float
    step: float

    @classmethod
    def around(cls, values: Iterable[float]) -> "Scale":
        """Covers all values, from one round number to another.

        >>> Scale.around([0.143, 0.58])
        Scale(low=0.1, high=0.6, step=0.1)
        """
        covered = list(values)
        width = max(covered) - min(covered)
        step = next((s for s in (0.01, 0.02, 0.05, 0.1, 0.2) if width <= 5 * s), 0.5)
        first, last = floor(min(covered) / step + 1e-9), ceil(max(covered) / step - 1e-9)
        last = max(last, first + 1)
        return cls(round(first * step, 2), round(last * step, 2), step)

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """(position in percent, label)."""
        values = [
            self.low + n * self.step for n in range(round((self.high - self.low) / self.step) + 1)
        ]
        return tuple((self.percent(x), f"{x:.2f}".replace("-", MINUS)) for x in values)

    def percent(self, value: float) -> float:
        """Where a value is, rounded so that equal reports give equal pages."""
        return round(100 * (value - self.low) / (self.high - self.low), 2)

    def mark(self, estimate: Estimate, look: Look) -> Mark:
        """An estimate with its interval."""
        ends = estimate.interval or (None, None)
        low, high = (None if end is None else self.percent(end) for end in ends)
        return Mark(look, self.percent(estimate.mean), low, high)


@dataclass(frozen=True)
class Plot:
    """A cell's small picture.

    Attributes:
        marks: drawn in this order.
        lines: reference lines.
        label: the picture in words, with its numbers.
    """

    marks: tuple[Mark, ...]
    lines: tuple[Line, ...]
    label: str


@dataclass(frozen=True)
class Cell:
    """What stands in one place of a table.

    Attributes:
        text: shown first.
        small: shown after it, smaller.
        look: of the set that the text names.
        plot: in place of text.
        shades: background and ink.
    """

    text: str = ""
    small: str = ""
    look: Look | None = None
    plot: Plot | None = None
    shades: tuple[str, str] | None = None


@dataclass(frozen=True)
class Column:
    """A column's head.

    Attributes:
        name: shown.
        full: what an abbreviated name stands for.
        words: its cells are words, to the left; numbers stand to the right.
        scale: of its plots, whose ticks the head shows.
        look: of the set that the name names.
    """

    name: str
    full: str = ""
    words: bool = False
    scale: Scale | None = None
    look: Look | None = None


@dataclass(frozen=True)
class Body:
    """Rows that belong together; the first cell of a row names it."""

    rows: Sequence[Sequence[Cell]]
    name: str = ""


@dataclass(frozen=True)
class Table:
    """A table with what it shows.

    Attributes:
        caption: what the numbers are.
        label: names the region that scrolls, for those who hear the page; unique there.
        columns: heads.
        bodies: groups of rows.
        matrix: its cells are shaded squares.
    """

    caption: str
    label: str
    columns: Sequence[Column]
    bodies: Sequence[Body]
    matrix: bool = False


@dataclass(frozen=True)
class Part:
    """Tables under a heading of their own; the page folds all but a section's first part."""

    name: str
    tables: Sequence[Table]


def reach(estimates: Iterable[Estimate]) -> list[float]:
    """The means and the ends of the intervals, for a scale that shows them all."""
    return [x for each in estimates for x in (each.mean, *(each.interval or ()))]
