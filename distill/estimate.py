"""What a set that has no test speakers left is worth: quoted from sets made in the same way."""

from evaluation.dimensional.records import DimensionalRow
from evaluation.dimensional.report import DimensionalReport
from evaluation.options import NATIVE
from evaluation.records import Row
from evaluation.report import Report
from evaluation.runs import DISTILLED


def cross_validated(report: Report | DimensionalReport, folds: int) -> str:
    """The estimate that goes on the card of the set made from all speakers.

    Args:
        report: on sets made without the speakers they were tested on.
        folds: that the protocol has; the report may hold fewer, which the estimate says.
    """
    first = report.rows[0].fold  # pooled rows come first
    rows = [row for row in report.rows if row.set == DISTILLED and row.fold == first]
    done = sorted({row.fold for row in report.rows if isinstance(row.fold, int)})
    listed = ", ".join(str(fold) for fold in done)
    scope = "All folds pooled" if len(done) == folds else f"Only folds {listed} of {folds}"
    found = "; ".join(f"{_start(row)}: {_in_words(row)}" for row in rows)
    return f"{report.protocol}. {scope}: {found}."


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
