"""Whether a set serves networks that it was not made for: UAR of sets by students, shaded."""

from evaluation.options import FIXED
from evaluation.page.colours import shade
from evaluation.page.table import Body, Cell, Column, Table
from evaluation.page.view import View, name
from evaluation.page.wording import NONE
from evaluation.records import Row
from evaluation.runs import FULL, RANDOM_SUBSET


def architectures(view: View) -> Table | None:
    """Judged sets, full data and random subsets by students; None for a single student."""
    rows = [
        row
        for row in view.clean
        if row.initialisation != FIXED and (row.judged or row.set in (FULL, RANDOM_SUBSET))
    ]
    students = list(dict.fromkeys(student for student, _ in view.classrooms))
    if len(students) < 2 or not rows:
        return None
    best = max(row.uar.mean for row in rows)
    by_place = {(_label(row), row.student): row for row in rows}
    labels = dict.fromkeys(
        _label(row) for row in sorted(rows, key=lambda x: (x.set != FULL, not x.judged, x.ipc or 0))
    )

    def cell(row: Row | None) -> Cell:
        if row is None:
            return Cell(NONE)
        share = (row.uar.mean - view.chance) / max(best - view.chance, 1e-9)
        ratio = row.relative_uar
        return Cell(
            f"{row.uar.mean:.3f}",
            small="" if ratio is None else f"{100 * ratio.mean:.0f} %",
            shades=shade(min(max(share, 0.0), 1.0)),
        )

    return Table(
        "UAR, and in percent of what the same student reaches on full data",
        "Other architectures",
        [Column("set", words=True), *(Column(student) for student in students)],
        [
            Body(
                [
                    [Cell(label), *(cell(by_place.get((label, student))) for student in students)]
                    for label in labels
                ]
            )
        ],
        matrix=True,
    )


def _label(row: Row) -> str:
    return name(row) if row.made_for is None else f"{name(row)}, made for {row.made_for}"
