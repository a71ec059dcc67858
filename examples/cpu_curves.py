"""What a benchmark of objectives found: UAR over CPU time, and the tables of it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """What items are worth, after so many outer steps: mean UARs of students, in [0, 1].

    Attributes:
        steps: after which the items are judged.
        init: CPU-seconds before the first of them.
        seconds: CPU-seconds in all.
        fixed: from the fixed initialisation.
        random: from random ones.
    """

    steps: int
    init: float
    seconds: float
    fixed: float
    random: float

    @property
    def uar(self) -> float:
        """Mean over the students of both initialisations."""
        return (self.fixed + self.random) / 2


@dataclass(frozen=True)
class Curve:
    """The points of an objective, or of the reference: the first has no step, the last the most."""

    name: str
    points: tuple[Point, ...]

    @property
    def seconds_per_step(self) -> float:
        """CPU-seconds of an outer step: all that happens between two changes of the items."""
        last = self.points[-1]
        return (last.seconds - last.init) / last.steps

    def seconds_to(self, aim: float) -> float | None:
        """CPU-seconds at the first point of at least this UAR; None if there is none."""
        return next((point.seconds for point in self.points if point.uar >= aim), None)


def tables(curves: Sequence[Curve]) -> str:
    """A row per objective, then a row per point, as Markdown; the reference is the last curve."""
    reference = curves[-1]
    aim = reference.points[-1].uar
    rows = [
        "| objective | init, CPU s | outer step, CPU s | UAR at last | the reference's UAR after "
        "| ratio |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for curve in curves:
        reached = curve.seconds_to(aim)
        rows.append(
            f"| {curve.name} | {curve.points[-1].init:.2f} | {curve.seconds_per_step:.4f} "
            f"| {curve.points[-1].uar:.3f} | {'-' if reached is None else f'{reached:.1f} CPU s'} "
            f"| {ratio(curve, reference)} |"
        )
    rows += ["", "| objective | outer steps | CPU s | UAR, fixed | UAR, random | UAR |"]
    rows += ["|---|---:|---:|---:|---:|---:|"]
    rows += [
        f"| {c.name} | {p.steps} | {p.seconds:.1f} | {p.fixed:.3f} | {p.random:.3f} | {p.uar:.3f} |"
        for c in curves
        for p in c.points
    ]
    return "\n".join(rows)


def ratio(curve: Curve, reference: Curve) -> str:
    """CPU time of the reference to its final UAR, over that of the objective to the same UAR."""
    theirs, ours = (each.seconds_to(reference.points[-1].uar) for each in (reference, curve))
    if not theirs:  # its start is as good
        return "reference gained nothing"
    return f"{theirs / ours:.2f}" if ours else "not reached"
