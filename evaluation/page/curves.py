"""UAR along an axis: a line and a band for each set, and the same in numbers and in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from evaluation.page.colours import QUIET, Look
from evaluation.page.legend import blank, labelled, under_legend
from evaluation.page.picture import Picture
from evaluation.page.table import Body, Cell, Column, Table
from evaluation.page.view import View
from evaluation.page.wording import NONE, interval, spread
from evaluation.records import Row

WIDTH, HEIGHT = 5.0, 3.1  # inches, without the legend; one is 96 CSS pixels
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "distill-data",  # names inside the file, which are random without it
    "svg.fonttype": "path",  # looks the same wherever it is opened
    "text.parse_math": False,  # a name may hold a dollar sign
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": QUIET,
}
MARKERS = {
    "square": "s",
    "circle": "o",
    "diamond": "D",
    "ring": "o",
    "triangle": "^",
    "star": "*",
    "cross": "X",
    "bar": "_",
}


@dataclass(frozen=True)
class Curves:
    """A picture and its numbers, under a name."""

    name: str
    picture: Picture
    numbers: Table


@dataclass(frozen=True)
class Curve:
    """A line.

    Attributes:
        label: in the legend and over the numbers.
        look: of its set.
        rows: by their place on the axis.
        dashed: to tell two of one set apart.
    """

    label: str
    look: Look
    rows: Mapping[float, Row]
    dashed: bool = False


@dataclass(frozen=True)
class Axis:
    """Where the curves lie, on a logarithmic scale.

    Attributes:
        label: what is along it.
        ticks: names of places.
    """

    label: str
    ticks: Mapping[float, str]


def picture(
    view: View,
    curves: Sequence[Curve],
    axis: Axis,
    top: float,
    alt: str,
    across: Sequence[Row] = (),
) -> Picture:
    """The curves, drawn.

    Args:
        view: whose chance level and looks are shown.
        curves: by what is along the axis.
        axis: with a tick for each place of the curves.
        top: the largest UAR.
        alt: in words.
        across: rows that are the same all along the axis.
    """
    with rc_context(STYLE):
        figure = blank(WIDTH, HEIGHT)
        axes = figure.add_subplot()
        for row in across:
            _across(axes, view, row)
        for curve in curves:
            _along(axes, curve)
        axes.axhline(view.chance, color=QUIET, linestyle="--", linewidth=1, label="chance")
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_locator(FixedLocator(list(axis.ticks)))
        axes.set_xticks(list(axis.ticks), list(axis.ticks.values()))
        axes.set_ylim(0, top)
        axes.set_xlabel(axis.label)
        axes.set_ylabel("UAR")
        return under_legend(figure, alt)


def numbers(curves: Sequence[Curve], axis: Axis, first: Column, label: str) -> Table:
    """The curves in numbers: a line for each tick, a column for each curve.

    Args:
        curves: as drawn.
        axis: of the same.
        first: the head of the ticks' column.
        label: of the table.
    """

    def cell(row: Row | None) -> Cell:
        return Cell(NONE) if row is None else Cell(spread(row.uar), small=interval(row.uar))

    return Table(
        "UAR and its 95 % interval",
        label,
        [first, *(Column(curve.label, look=curve.look) for curve in curves)],
        [
            Body(
                [
                    [Cell(tick), *(cell(curve.rows.get(place)) for curve in curves)]
                    for place, tick in axis.ticks.items()
                ]
            )
        ],
    )


def _across(axes: Axes, view: View, row: Row) -> None:
    look = view.looks[row.set]
    axes.axhline(row.uar.mean, color=look.colour, linewidth=1.5, label=labelled(row.set))
    if row.uar.interval is not None:
        axes.axhspan(*row.uar.interval, color=look.colour, alpha=0.1, linewidth=0)


def _along(axes: Axes, curve: Curve) -> None:
    look = curve.look
    axes.plot(
        list(curve.rows),
        [row.uar.mean for row in curve.rows.values()],
        color=look.colour,
        linestyle="--" if curve.dashed else "-",
        marker=MARKERS[look.shape],
        markersize=6,
        linewidth=1.5,
        label=labelled(curve.label),
    )
    reaches = [
        (place, *row.uar.interval)
        for place, row in curve.rows.items()
        if row.uar.interval is not None
    ]
    if len(reaches) == len(curve.rows) > 1:
        places, lows, highs = zip(*reaches, strict=True)
        axes.fill_between(places, lows, highs, color=look.colour, alpha=0.15, linewidth=0)
    for place, low, high in reaches:
        axes.plot([place, place], [low, high], color=look.colour, linewidth=1)
