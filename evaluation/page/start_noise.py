"""UAR by how far from the fixed weights students start: fixed at the left, random at the right."""

from collections.abc import Sequence

from evaluation.options import FIXED, NATIVE, RANDOM
from evaluation.page.curves import Axis, Curve, Curves, numbers, picture
from evaluation.page.results import heading
from evaluation.page.table import Column, reach
from evaluation.page.view import Classroom, View
from evaluation.page.wording import in_words
from evaluation.records import Row
from evaluation.runs import CLEAN, FULL, RANDOM_SUBSET
from evaluation.starts import noise_of

APART = 3.0  # times the next size of noise: where the ends of the axis are


def start_noise(view: View) -> list[Curves]:
    """For each classroom and size of judged sets, where students start from near fixed weights."""
    clean = [row for row in view.all_starts if row.speech == CLEAN]
    found = []
    for classroom in view.classrooms:
        rows = view.of(classroom, clean)
        noisy = [row for row in rows if noise_of(row.initialisation) is not None]
        for ipc in dict.fromkeys(row.ipc for row in noisy if row.judged):
            sets = {(row.set, row.recipe) for row in noisy}
            own = [
                row
                for row in rows
                if (row.set, row.recipe) in sets
                and ((row.judged and row.ipc == ipc) or _is_rival(row, ipc))
            ]
            found.append(_curves(view, classroom, ipc, own))
    return found


def _is_rival(row: Row, ipc: int | None) -> bool:
    return row.set == FULL or (row.set == RANDOM_SUBSET and row.ipc == ipc)


def _curves(view: View, classroom: Classroom, ipc: int | None, rows: Sequence[Row]) -> Curves:
    sizes = sorted({s for row in rows if (s := noise_of(row.initialisation)) is not None})
    ends = {FIXED: sizes[0] / APART, RANDOM: sizes[-1] * APART}
    ticks = {ends[FIXED]: FIXED, **{s: f"{s:g}" for s in sizes}, ends[RANDOM]: RANDOM}
    axis = Axis("noise on the fixed weights", ticks)
    series: dict[tuple[str, bool], dict[float, Row]] = {}
    for row in rows:
        place = noise_of(row.initialisation) or ends[row.initialisation]
        series.setdefault((row.set, row.recipe == NATIVE), {})[place] = row
    curves = [
        Curve(
            f"{name}, {NATIVE}" if native else name,
            view.looks[name],
            dict(sorted(of.items())),
            dashed=native,
        )
        for (name, native), of in series.items()
    ]
    name = heading(classroom) + ("" if ipc is None else f", ipc {ipc}")
    words = [
        f"{curve.label} at {ticks[place]}: {in_words(row.uar)}"
        for curve in curves
        for place, row in curve.rows.items()
    ]
    alt = f"UAR over noise on the fixed weights, {name}. {'; '.join(words)}."
    first = Column("start", "fixed weights, these with so much noise, random weights", words=True)
    top = 1.05 * max(reach(row.uar for row in rows))
    return Curves(
        name,
        picture(view, curves, axis, top, alt),
        numbers(curves, axis, first, f"Between fixed and random: {name}"),
    )
