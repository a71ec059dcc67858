"""DD-Ranking's scores of the judged sets."""

from evaluation.page.table import Body, Cell, Column, Table
from evaluation.page.view import View
from evaluation.page.wording import NONE, interval, mean


def scores(view: View) -> Table | None:
    """A line per judged set, student and initialisation; None without scores."""
    if not view.report.scores:
        return None
    return Table(
        "DD-Ranking's scores, from UAR as fractions, with 95 % intervals",
        "Scores",
        [
            Column("set", words=True),
            Column("ipc", "items per class"),
            Column("student", words=True),
            Column("initialisation", words=True),
            Column("label-robust"),
            Column("augmentation-robust"),
        ],
        [
            Body(
                [
                    [
                        Cell(one.set, look=view.looks.get(one.set)),
                        Cell(NONE if one.ipc is None else str(one.ipc)),
                        Cell(one.student),
                        Cell(one.initialisation),
                        Cell(
                            mean(one.label_robust),
                            small=interval(one.label_robust) if one.label_robust else "",
                        ),
                        Cell(
                            mean(one.augmentation_robust),
                            small=interval(one.augmentation_robust)
                            if one.augmentation_robust
                            else "",
                        ),
                    ]
                    for one in view.report.scores
                ]
            )
        ],
    )
