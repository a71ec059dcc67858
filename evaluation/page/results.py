"""The main table, and the differences: UAR with its interval, in numbers and as a small plot."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TypeVar

from evaluation import tables
from evaluation.options import DP_SGD, NATIVE
from evaluation.options import NONE as NO_WEIGHTS
from evaluation.page.colours import Look
from evaluation.page.table import Body, Cell, Column, Line, Part, Plot, Scale, Table, reach
from evaluation.page.view import TAUGHT, Classroom, View, name
from evaluation.page.wording import (
    MINUTES,
    NONE,
    count,
    difference,
    difference_interval,
    in_words,
    interval,
    mean,
    minutes,
    spread,
)
from evaluation.records import Comparison, Key, Row
from evaluation.runs import CLEAN
from evaluation.starts import noise_of

K = TypeVar("K", bound=Key)


def results(view: View) -> list[Part]:
    """A table per classroom: every set on clean speech."""
    return [_main(view, classroom) for classroom in view.classrooms]


def differences(view: View) -> list[Part]:
    """A table per classroom: judged sets against the others, on the same speakers."""
    parts = []
    for classroom in view.classrooms:
        own = [
            one
            for one in view.report.comparisons
            if one.fold == view.fold
            and view.classroom(one) == classroom
            and one.speech == CLEAN
            and noise_of(one.initialisation) is None
            and not one.set.startswith(TAUGHT)
        ]
        if own:
            name = heading(classroom, view.apart)
            parts.append(Part(name, [paired(view.looks, name, own)]))
    return parts


def heading(classroom: Classroom, test: str = "") -> str:
    """Names a classroom, and who tests it where there are several tests."""
    return f"{classroom.student}, {classroom.recipe} recipe" + (f", {test}" if test else "")


def initialised(row: Key) -> str:
    """Names where a row's students start, and the recipe if it is the row's own."""
    if row.initialisation == NO_WEIGHTS:
        return "no initial weights"
    own = {NATIVE: ", native schedule", DP_SGD: f", {DP_SGD}"}.get(row.recipe, "")
    return f"{row.initialisation} initialisation{own}"


def title(row: Key) -> str:
    """Names a set with its size and initialisation."""
    return f"{name(row)}, {initialised(row)}"


def by_initialisation(rows: Sequence[K]) -> list[tuple[str, list[K]]]:
    """The rows of each start under its name, in the order of these."""
    ordered = sorted(rows, key=initialised)
    return [(name, list(own)) for name, own in groupby(ordered, initialised)]


def _main(view: View, classroom: Classroom) -> Part:
    rows = view.of(classroom, view.clean)
    scale = Scale.around([view.chance, *reach(row.uar for row in rows)])
    columns = [
        Column("set", words=True),
        Column("ipc", "items per class"),
        Column("UAR", "unweighted average recall, ± standard deviation over runs"),
        Column("95 % interval of UAR", words=True, scale=scale),
        Column("from, to"),
        Column("WA", "weighted accuracy"),
        Column("F1", "macro F1"),
        Column("ratio", "UAR relative to full data"),
        Column("recovery", "the same, both above chance"),
        Column("bytes"),
        Column("minutes", MINUTES),
    ]
    bodies = [
        Body([_cells(view, row, scale) for row in own], start)
        for start, own in by_initialisation(rows)
    ]
    first = rows[0]
    caption = (
        f"UAR on clean speech of students with {first.parameters:,} parameters, "
        f"{'all folds pooled' if first.fold == 'all' else view.report.tested(first.fold)}, "
        f"{count(first.speakers, 'test speaker')}"
    )
    name = heading(classroom, view.apart)
    return Part(name, [Table(caption, f"Results: {name}", columns, bodies)])


def _cells(view: View, row: Row, scale: Scale) -> list[Cell]:
    look = view.looks[row.set]
    full = view.full(row)
    lines = [Line(scale.percent(view.chance), dashed=True)]
    label = f"UAR {in_words(row.uar)}; chance {view.chance:.3f}"
    if full is not None:
        lines.append(Line(scale.percent(full.uar.mean), dashed=False))
        label += f", full data {full.uar.mean:.3f}"
    return [
        Cell(row.set, look=look),
        Cell(NONE if row.ipc is None else str(row.ipc)),
        Cell(spread(row.uar)),
        Cell(plot=Plot((scale.mark(row.uar, look),), tuple(lines), label)),
        Cell(interval(row.uar)),
        Cell(mean(row.wa)),
        Cell(mean(row.macro_f1)),
        Cell(mean(row.relative_uar)),
        Cell(mean(row.recovery)),
        Cell(tables.size(row.bytes)),
        Cell(minutes(row.seconds)),
    ]


def paired(
    looks: Mapping[str, Look], name: str, own: Sequence[Comparison], of: str = "UAR"
) -> Table:
    """Differences with their intervals, in numbers and as a small plot.

    Args:
        looks: by set.
        name: of the students.
        own: their differences, at least one.
        of: the metric.
    """
    scale = Scale.around([0.0, *reach(one.difference for one in own)])
    columns = [
        Column("set", words=True),
        Column("minus", words=True),
        Column("ipc", "items per class"),
        Column(f"difference of {of}"),
        Column("95 % interval of the difference", words=True, scale=scale),
        Column("from, to"),
    ]
    zero = (Line(scale.percent(0.0), dashed=True),)
    bodies = [
        Body(
            [
                [
                    Cell(one.set, look=looks.get(one.set)),
                    Cell(one.against, look=looks.get(one.against)),
                    Cell(NONE if one.ipc is None else str(one.ipc)),
                    Cell(difference(one.difference.mean)),
                    Cell(
                        plot=Plot(
                            (scale.mark(one.difference, looks[one.set]),),
                            zero,
                            f"difference {in_words(one.difference)}",
                        )
                    ),
                    Cell(difference_interval(one.difference)),
                ]
                for one in group
            ],
            start,
        )
        for start, group in by_initialisation(own)
    ]
    caption = f"Differences of {of} on the same {count(own[0].speakers, 'test speaker')}"
    return Table(caption, f"Differences: {name}", columns, bodies)
