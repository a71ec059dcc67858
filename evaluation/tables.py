"""Rows of a report as text: aligned for a terminal, or in Markdown."""

from collections.abc import Sequence

from evaluation.records import Comparison, Estimate, Row
from evaluation.runs import FULL

HEADER = (
    *("set", "ipc", "init", "UAR", "interval"),
    *("WA", "F1", "ratio", "recovery", "bytes", "minutes"),
)
NONE = "-"


def by_student(rows: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    """The rows of each student and recipe: per initialisation, full data first."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row.initialisation, row.set != FULL)):
        groups.setdefault((row.student, row.recipe), []).append(row)
    return groups


def cells(row: Row) -> list[str]:
    """What stands under `HEADER`."""
    deviation = "" if row.uar.sd is None else f" ± {row.uar.sd:.3f}"
    return [
        row.set,
        NONE if row.ipc is None else str(row.ipc),
        row.initialisation,
        f"{row.uar.mean:.3f}{deviation}",
        _interval(row.uar, ".3f"),
        f"{row.wa.mean:.3f}",
        f"{row.macro_f1.mean:.3f}",
        _mean(row.relative_uar),
        _mean(row.recovery),
        size(row.bytes),
        f"{row.seconds / 60:.1f}",
    ]


def fold_table(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Header and lines of mean UAR: a line per fold, a column per set and initialisation."""
    columns = list(dict.fromkeys(_column(row) for row in rows))
    uar = {(row.fold, _column(row)): f"{row.uar.mean:.3f}" for row in rows}
    lines = [
        [str(fold), *(uar.get((fold, column), NONE) for column in columns)]
        for fold in dict.fromkeys(row.fold for row in rows)
    ]
    return ["fold", *columns], lines


def sentence(comparison: Comparison) -> str:
    """A comparison in words."""
    c = comparison
    if c.difference.interval is None:
        reach = "(no interval: one test speaker)"
    else:
        reach = f"{_interval(c.difference, '+.3f')} (95 % interval over {c.speakers} speakers)"
    at = "" if c.ipc is None else f", ipc {c.ipc}"
    return (
        f"{c.set} - {c.against}: {c.difference.mean:+.3f} {reach}{at}, "
        f"{c.initialisation} initialisation"
    )


def size(count: int) -> str:
    """Bytes for people, in powers of 1000.

    >>> [size(count) for count in (0, 999, 9_960, 614_400, 999_960, 88_473_600)]
    ['0 B', '999 B', '10.0 kB', '614 kB', '1.0 MB', '88.5 MB']
    """
    value, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    digits = 1 if unit != "B" and value < 99.95 else 0
    return f"{value:.{digits}f} {unit}"


def plain(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Columns two spaces apart: names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(header, *lines, strict=True)]
    aligned = [
        [
            cell.ljust(width) if name in ("set", "init") else cell.rjust(width)
            for name, cell, width in zip(header, line, widths, strict=True)
        ]
        for line in (header, *lines)
    ]
    return "\n".join("  ".join(line).rstrip() for line in aligned)


def markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A pipe table: names to the left, numbers to the right."""
    rule = ["---" if name in ("set", "init") else "---:" for name in header]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *lines))


def _column(row: Row) -> str:
    at = "" if row.ipc is None else f" {row.ipc}"
    return f"{row.set}{at}, {row.initialisation}"


def _interval(estimate: Estimate, form: str) -> str:
    if estimate.interval is None:
        return NONE
    low, high = estimate.interval
    return f"[{low:{form}}, {high:{form}}]"


def _mean(estimate: Estimate | None) -> str:
    return NONE if estimate is None else f"{estimate.mean:.3f}"
