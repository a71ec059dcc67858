"""What a set that has no test speakers left is worth: quoted from sets made in the same way."""

from evaluation.dimensional.records import DimensionalRow
from evaluation.dimensional.report import DimensionalReport
from evaluation.options import CUSTOM, GENERIC, NATIVE
from evaluation.records import Row
from evaluation.report import Report
from evaluation.runs import CLEAN, DISTILLED
from evaluation.starts import noise_of


def cross_validated(report: Report | DimensionalReport, folds: int) -> str | None:
    """The estimate that goes on the card of the set made from all speakers.

    It is of the students that the set is made for, on the speech as it is; None where the report
    has none of them.

    Args:
        report: on sets made without the speakers they were tested on.
        folds: that the protocol has; the report may hold fewer, which the estimate says.
    """
    done = sorted({row.fold for row in report.rows if isinstance(row.fold, int)})
    found = []
    for fold in report.main_folds:
        rows = [row for row in report.rows if row.fold == fold and _is_of_the_set(row)]
        if fold != "all":
            scope = f"{report.tested(fold)} of {folds}"
        elif len(done) == folds:
            scope = "all folds pooled"
        else:
            scope = f"only folds {', '.join(map(str, done))} of {folds}"
        if rows:
            worth = "; ".join(f"{_start(row)}: {_in_words(row)}" for row in rows)
            found.append(f"{scope[0].upper()}{scope[1:]}: {worth}.")
    if not found:
        return None
    return " ".join([f"{report.protocol}.", *found])


def _is_of_the_set(row: Row | DimensionalRow) -> bool:
    common = row.recipe in (GENERIC, CUSTOM, NATIVE) and noise_of(row.initialisation) is None
    own = row.set == DISTILLED and row.student == row.made_for
    return own and common and row.speech == CLEAN


def _start(row: Row | DimensionalRow) -> str:
    schedule = ", its own schedule" if row.recipe == NATIVE else ""
    return f"{row.initialisation} initialisation{schedule}"


def _in_words(row: Row | DimensionalRow) -> str:
    if isinstance(row, Row):
        metric, found, relative = "UAR", row.uar, row.relative_uar
    else:
        metric, found, relative = "mean CCC", row.mean.ccc, row.relative_ccc
    interval = "[{:.3f}, {:.3f}]".format(*found.interval) if found.interval else "no interval"
    ratio = f", {relative.mean:.2f} of full data" if relative else ""
    return f"{metric} {found.mean:.3f} {interval}{ratio}"
