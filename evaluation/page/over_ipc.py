"""UAR over items per class: the judged sets and random subsets, with full data as a line."""

from collections.abc import Sequence
from dataclasses import replace

from evaluation.page.curves import Axis, Curve, Curves, numbers, picture
from evaluation.page.results import by_initialisation
from evaluation.page.table import Body, Cell, Column, reach
from evaluation.page.view import View, key_of
from evaluation.page.wording import in_words, interval, spread
from evaluation.records import Row
from evaluation.runs import FULL


def over_ipc(view: View) -> list[Curves]:
    """For each start, where judged sets of several sizes are."""
    found = [
        (name, _beside(view, own))
        for name, own in by_initialisation(view.judged)
        if len({row.ipc for row in own}) > 1
    ]
    top = 1.05 * max((x for _, rows in found for x in reach(row.uar for row in rows)), default=0)
    return [_curves(view, name, rows, top) for name, rows in found]


def _beside(view: View, judged: Sequence[Row]) -> list[Row]:
    """These sets with their rivals."""
    places = {key for row in judged for key in view.beside(row)}
    return [row for row in view.first if key_of(row) in places]


def _curves(view: View, name: str, rows: Sequence[Row], top: float) -> Curves:
    series: dict[str, dict[float, Row]] = {}
    for row in rows:
        if row.ipc is not None:
            series.setdefault(row.set, {})[float(row.ipc)] = row
    curves = [
        Curve(label, view.looks[label], dict(sorted(of.items()))) for label, of in series.items()
    ]
    sizes = sorted({row.ipc for row in rows if row.ipc is not None})
    axis = Axis("items per class", {float(size): str(size) for size in sizes})
    full = [row for row in rows if row.set == FULL]
    words = [
        f"{row.set}{'' if row.ipc is None else f' at ipc {row.ipc}'}: {in_words(row.uar)}"
        for row in rows
    ]
    alt = f"UAR over items per class, {name}. {'; '.join(words)}."
    first = Column("ipc", "items per class", words=True)
    table = numbers(curves, axis, first, f"Set size: {name}")
    whole = [
        Body([[Cell("all"), Cell(spread(row.uar), small=interval(row.uar))]], "full data")
        for row in full
    ]
    return Curves(
        name,
        picture(view, curves, axis, top, alt, full),
        replace(table, bodies=[*table.bodies, *whole]),
    )
