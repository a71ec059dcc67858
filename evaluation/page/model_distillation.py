"""The other kind of distillation: a small model, taught by better ones on all the real data."""

from evaluation import tables
from evaluation.page.table import Body, Cell, Column, Table
from evaluation.page.view import View, key_of, name
from evaluation.page.wording import (
    NONE,
    difference,
    difference_interval,
    interval,
    mean,
    minutes,
    spread,
)
from evaluation.records import Row
from evaluation.runs import FULL


def model_distillation(view: View) -> Table | None:
    """Teachers and their pupils, beside what data distillation gives the same student."""
    if not view.taught:
        return None
    rivals = [row for row in view.first if row.judged or row.set == FULL]
    students = {row.student for row in view.taught}
    shown = [row for row in rivals if row.student in students] + list(view.taught)

    leads = {
        key_of(one): one.difference
        for one in view.report.comparisons
        if one.fold == view.fold and one.against == FULL
    }

    def lead(row: Row) -> Cell:
        found = leads.get(key_of(row))
        if found is None:
            return Cell(NONE)
        return Cell(difference(found.mean), small=difference_interval(found))

    return Table(
        "Teachers and their pupils, beside full data and the judged sets",
        "Model distillation",
        [
            Column("model or set", words=True),
            Column("student", "and its initialisation", words=True),
            Column("UAR", "with its 95 % interval"),
            Column(
                "lead",
                "UAR minus that of the same student trained on full data, with its 95 % interval",
            ),
            Column("ratio", "UAR relative to full data"),
            Column("bytes"),
            Column("minutes"),
        ],
        [
            Body(
                [
                    [
                        Cell(name(row), look=view.looks[row.set]),
                        Cell(f"{row.student}, {tables.start(row)}"),
                        Cell(spread(row.uar), small=interval(row.uar)),
                        lead(row),
                        Cell(mean(row.relative_uar)),
                        Cell(tables.size(row.bytes)),
                        Cell(minutes(row.seconds)),
                    ]
                    for row in shown
                ]
            )
        ],
    )
