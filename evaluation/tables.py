"""Rows of a report as text: aligned for a terminal, or in Markdown."""

import re
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from evaluation.options import OF_ITS_OWN, PUPIL, TEACHER
from evaluation.records import Comparison, Estimate, Judged, Key, Row, Spread
from evaluation.runs import FULL, RANDOM_SUBSET

NONE = "-"
WIDTH = 110  # characters of a terminal
LONG = 12  # lines, beyond which a table is broken into blocks
# Columns of words.
LEFT = (
    *("set", "init", "student", "recipe", "made for", "leaves the owner", "speaker"),
    *("speech", "game", "voices", "strongest attacker", "dimension"),
)
# Left out, in this order, where names are so long that a terminal's line does not hold all.
EXPENDABLE = ("recovery", "WA", "F1", "minutes", "bytes", "MAE")
R = TypeVar("R", bound=Judged)


class Table(NamedTuple):
    """A table of text; the first column names its lines."""

    header: Sequence[str]
    lines: Sequence[Sequence[str]]


def by_student(rows: Sequence[R]) -> dict[tuple[str, str], list[R]]:
    """The main table's rows of each student and recipe.

    They stand by initialisation: full data first, then judged sets, then the others in their
    order. Those with a recipe of their own stand with what they are compared with. Teachers are no
    students of theirs, and stand elsewhere with their pupils.
    """
    groups: dict[tuple[str, str], list[R]] = {}
    recipes = common_recipes(rows)
    for row in sorted(rows, key=lambda row: (start(row), row.set != FULL, not row.judged)):
        if not row.set.startswith((TEACHER, PUPIL)):
            recipe = recipes[row.student] if row.recipe in OF_ITS_OWN else row.recipe
            groups.setdefault((row.student, recipe), []).append(row)
    return groups


def common_recipes(rows: Sequence[Key]) -> dict[str, str]:
    """By student, the recipe that all sets share; one of a row's own if there is no other."""
    ordered = sorted(rows, key=lambda row: row.recipe not in OF_ITS_OWN)
    return {row.student: row.recipe for row in ordered}


def start(key: Key) -> str:
    """Initialisation, and recipe if it is the row's own."""
    own = f", {key.recipe}" if key.recipe in OF_ITS_OWN else ""
    return f"{key.initialisation}{own}"


def main_table(rows: Sequence[Row]) -> Table:
    """Every metric of every row."""
    return Table(
        (
            *("set", "ipc", "init", "UAR", "interval"),
            *("WA", "F1", "ratio", "recovery", "bytes", "minutes"),
        ),
        [
            [
                row.set,
                items(row.ipc),
                start(row),
                spread(row.uar),
                interval(row.uar),
                f"{row.wa.mean:.3f}",
                f"{row.macro_f1.mean:.3f}",
                mean(row.relative_uar),
                mean(row.recovery),
                size(row.bytes),
                minutes(row.seconds),
            ]
            for row in rows
        ],
    )


def fold_table(rows: Sequence[Row]) -> Table:
    """Mean UAR of full data, judged sets and random subsets: a line per fold."""
    shown = [row for row in rows if row.judged or row.set in (FULL, RANDOM_SUBSET)]
    columns = list(dict.fromkeys(_column(row) for row in shown))
    uar = {(row.fold, _column(row)): f"{row.uar.mean:.3f}" for row in shown}
    return Table(
        ("fold", *columns),
        [
            [str(fold), *(uar.get((fold, column), NONE) for column in columns)]
            for fold in dict.fromkeys(row.fold for row in shown)
        ],
    )


def differences(comparisons: Sequence[Comparison]) -> list[Table]:
    """A table for each set that is compared: a line per other set, a column per start."""
    tables = []
    for of, ipc in dict.fromkeys((one.set, one.ipc) for one in comparisons):
        own = [one for one in comparisons if (one.set, one.ipc) == (of, ipc)]
        found = {(one.against, start(one)): difference(one.difference) for one in own}
        starts = sorted({start(one) for one in own})
        name = of if ipc is None else f"{of}, ipc {ipc}"
        lines = [
            [against, *(found.get((against, place), NONE) for place in starts)]
            for against in dict.fromkeys(one.against for one in own)
        ]
        tables.append(Table((f"{name}, minus", *starts), lines))
    return tables


def items(per_class: int | None) -> str:
    """Items per class."""
    return NONE if per_class is None else str(per_class)


def spread(value: Spread) -> str:
    """Mean and deviation over runs.

    >>> spread(Spread(mean=0.4936, interval=None, sd=0.01))
    '0.494 ± 0.010'
    """
    return f"{value.mean:.3f}" + ("" if value.sd is None else f" ± {value.sd:.3f}")


def mean(value: Estimate | None) -> str:
    """Three decimals."""
    return NONE if value is None else f"{value.mean:.3f}"


def interval(value: Estimate, form: str = ".3f") -> str:
    """Both ends."""
    if value.interval is None:
        return NONE
    low, high = value.interval
    return f"[{low:{form}}, {high:{form}}]"


def difference(value: Estimate) -> str:
    """With signs.

    >>> difference(Estimate(mean=0.1, interval=(-0.05, 0.25)))
    '+0.100 [-0.050, +0.250]'
    """
    reach = "" if value.interval is None else f" {interval(value, '+.3f')}"
    return f"{value.mean:+.3f}{reach}"


def minutes(seconds: float | None) -> str:
    """One decimal; a dash where nobody knows.

    >>> minutes(90.0), minutes(None)
    ('1.5', '-')
    """
    return NONE if seconds is None else f"{seconds / 60:.1f}"


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


def plain(table: Table, width: int = WIDTH) -> str:
    """Columns two spaces apart: words to the left, numbers to the right."""
    header, *lines = columns = [list(line) for line in (table.header, *table.lines)]
    for name in EXPENDABLE:
        if sum(_widths(columns)) + 2 * (len(header) - 1) > width and name in header:
            at = header.index(name)
            for line in columns:
                del line[at]
    aligned = [
        [
            cell.ljust(wide) if _is_left(header, position) else cell.rjust(wide)
            for position, (cell, wide) in enumerate(zip(line, _widths(columns), strict=True))
        ]
        for line in columns
    ]
    text = ["  ".join(line).rstrip() for line in aligned]
    if len(lines) > LONG and "init" in header:
        init = header.index("init")
        breaks = [i for i in range(1, len(lines)) if lines[i][init] != lines[i - 1][init]]
        for at in reversed(breaks):
            text.insert(at + 1, "")
    return "\n".join(text)


def markdown(table: Table) -> str:
    """A pipe table: words to the left, numbers to the right."""
    rule = [
        "---" if _is_left(table.header, position) else "---:"
        for position in range(len(table.header))
    ]
    lines = [[escaped(cell) for cell in line] for line in (table.header, *table.lines)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], rule, *lines[1:]))


def escaped(text: str) -> str:
    r"""Text in Markdown that shows it as it is: names of sets, speakers and emotions are foreign.

    >>> print(escaped("a|b <i> _c_ d_e"))
    a\|b \<i> \_c\_ d_e
    """
    return re.sub(r"[\\`*|<]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", text)


def _widths(lines: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*lines, strict=True)]


def _is_left(header: Sequence[str], position: int) -> bool:
    return position == 0 or header[position] in LEFT


def _column(row: Row) -> str:
    at = "" if row.ipc is None else f" {row.ipc}"
    return f"{row.set}{at}, {start(row)}"
