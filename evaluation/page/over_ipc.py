"""UAR over items per class: the judged sets and random subsets, with full data as a line."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from evaluation.page.picture import Picture, data_uri
from evaluation.page.results import by_initialisation, initialised
from evaluation.page.table import Body, Cell, Column, Table, reach
from evaluation.page.view import View
from evaluation.page.wording import NONE, in_words, interval, spread
from evaluation.records import Row
from evaluation.runs import FULL, RANDOM_SUBSET

WIDTH, HEIGHT = 5.0, 3.4  # inches; one is 96 CSS pixels
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "distill-data",  # names inside the file, which are random without it
    "svg.fonttype": "path",  # looks the same wherever it is opened
    "text.parse_math": False,  # a name may hold a dollar sign
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#6b6b6b",
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
    """A picture and its numbers, under the name of an initialisation."""

    name: str
    picture: Picture
    numbers: Table


def over_ipc(view: View) -> list[Curves]:
    """Per initialisation, where judged sets of several sizes are."""
    if len({row.ipc for row in view.judged}) < 2:
        return []
    shown = [row for row in view.first if row.judged or row.set in (FULL, RANDOM_SUBSET)]
    top = 1.05 * max(reach(row.uar for row in shown))
    return [
        Curves(initialised(name), _picture(view, name, rows, top), _numbers(view, name, rows))
        for name, rows in by_initialisation(shown)
        if len({row.ipc for row in rows if row.judged}) > 1
    ]


def _series(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """By set, those with items per class, in ascending order of these."""
    found: dict[str, list[Row]] = {}
    for row in sorted((row for row in rows if row.ipc is not None), key=lambda row: row.ipc or 0):
        found.setdefault(row.set, []).append(row)
    return found


def _picture(view: View, initialisation: str, rows: Sequence[Row], top: float) -> Picture:
    words = [
        f"{row.set}{'' if row.ipc is None else f' at ipc {row.ipc}'}: {in_words(row.uar)}"
        for row in rows
    ]
    alt = f"UAR over items per class, {initialised(initialisation)}. {'; '.join(words)}."
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        for row in rows:
            if row.set == FULL:
                _across(axes, view, row)
        for rows_of_one in _series(rows).values():
            _along(axes, view, rows_of_one)
        axes.axhline(view.chance, color="#6b6b6b", linestyle="--", linewidth=1, label="chance")
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        sizes = sorted({row.ipc for row in rows if row.ipc is not None})
        axes.xaxis.set_major_locator(FixedLocator(sizes))
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.set_ylim(0, top)
        axes.set_xlabel("items per class")
        axes.set_ylabel("UAR")
        figure.legend(frameon=False, fontsize=9, loc="outside upper left", ncols=4)
        file = io.BytesIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return Picture(
        data_uri(file.getvalue(), "image/svg+xml"), alt, round(96 * WIDTH), round(96 * HEIGHT)
    )


def _across(axes: Axes, view: View, full: Row) -> None:
    look = view.looks[full.set]
    axes.axhline(full.uar.mean, color=look.colour, linewidth=1.5, label=full.set)
    if full.uar.interval is not None:
        axes.axhspan(*full.uar.interval, color=look.colour, alpha=0.1, linewidth=0)


def _along(axes: Axes, view: View, rows: Sequence[Row]) -> None:
    look = view.looks[rows[0].set]
    sizes = [row.ipc or 0 for row in rows]
    axes.plot(
        sizes,
        [row.uar.mean for row in rows],
        color=look.colour,
        marker=MARKERS[look.shape],
        markersize=6,
        linewidth=1.5,
        label=rows[0].set,
    )
    reaches = [(row.ipc or 0, *row.uar.interval) for row in rows if row.uar.interval is not None]
    if len(reaches) == len(rows) > 1:
        _, lows, highs = zip(*reaches, strict=True)
        axes.fill_between(sizes, lows, highs, color=look.colour, alpha=0.15, linewidth=0)
    for size, low, high in reaches:
        axes.plot([size, size], [low, high], color=look.colour, linewidth=1)


def _numbers(view: View, initialisation: str, rows: Sequence[Row]) -> Table:
    series = _series(rows)
    sizes = sorted({row.ipc for row in rows if row.ipc is not None})

    def cell(name: str, size: int) -> Cell:
        row = next((row for row in series[name] if row.ipc == size), None)
        return Cell(NONE) if row is None else Cell(spread(row.uar), small=interval(row.uar))

    full = [row for row in rows if row.set == FULL]
    return Table(
        "UAR and its 95 % interval",
        f"Set size: {initialised(initialisation)}",
        [
            Column("ipc", "items per class", words=True),
            *(Column(name, look=view.looks[name]) for name in series),
        ],
        [
            Body([[Cell(str(size)), *(cell(name, size) for name in series)] for size in sizes]),
            *(
                Body([[Cell("all"), Cell(spread(row.uar), small=interval(row.uar))]], "full data")
                for row in full
            ),
        ],
    )
