"""What each way of sharing ships, what it needs, and what the edge pays."""

from evaluation import tables
from evaluation.options import FIXED, MAJORITY, UNTRAINED
from evaluation.page.results import by_initialisation
from evaluation.page.table import Body, Cell, Column, Table
from evaluation.page.view import View, name
from evaluation.page.wording import NONE, minutes
from evaluation.records import Row
from evaluation.runs import FULL
from evaluation.sections import ALLOWS


def ways(view: View) -> Table | None:
    """A line per set: what leaves the owner, and what can be done with it."""
    lines: dict[str, Row] = {}
    for row in view.first:
        # Random weights where there are any: fixed ones are bytes more, and few sets have them.
        known = lines.setdefault(name(row), row)
        if known.initialisation == FIXED:
            lines[name(row)] = row
    for nothing_to_ship in (UNTRAINED, MAJORITY):
        lines.pop(nothing_to_ship, None)
    if not lines:
        return None
    return Table(
        "What each way ships, and what whoever receives it can do",
        "Shipping",
        [
            Column("set", words=True),
            Column("ships", words=True),
            Column("bytes", "as stored; with the initial weights where they are fixed"),
            Column("minutes to make"),
            Column("sees real speech", "does the receiver get single utterances?", words=True),
            Column("another architecture", "can the receiver train one?", words=True),
            Column("retrain or mix", "can the receiver, with own data too?", words=True),
        ],
        [
            Body(
                [
                    [
                        Cell(label, look=view.looks[row.set]),
                        Cell(row.ships),
                        Cell(tables.size(row.bytes)),
                        Cell(minutes(row.making_seconds)),
                        *map(Cell, ALLOWS[row.ships]),
                    ]
                    for label, row in lines.items()
                ]
            )
        ],
    )


def cost(view: View) -> Table | None:
    """What one student costs whoever trains it: on full data, and on each judged set."""
    rows = [row for row in view.first if row.judged or row.set == FULL]
    if not any(row.judged for row in rows):
        return None
    return Table(
        f"What training one {view.classrooms[0].student} takes whoever receives the set",
        "Cost",
        [
            Column("set", words=True),
            Column("seconds"),
            Column("steps", "of the optimiser"),
            Column("peak memory", "beyond the loaded libraries"),
            Column("parameters"),
            Column("chosen on validation", words=True),
        ],
        [
            Body(
                [
                    [
                        Cell(name(row), look=view.looks[row.set]),
                        Cell(f"{row.student_seconds:.1f}"),
                        Cell(f"{row.steps:,.0f}"),
                        Cell(NONE if row.peak_memory is None else tables.size(row.peak_memory)),
                        Cell(f"{row.parameters:,}"),
                        Cell("; ".join(row.settings) or NONE),
                    ]
                    for row in own
                ],
                start,
            )
            for start, own in by_initialisation(rows)
        ],
    )
