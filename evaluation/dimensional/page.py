"""Writes the report on dimensions as one page, `report.html`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from evaluation import tables
from evaluation.dimensional.records import DimensionalRow, Metrics
from evaluation.dimensional.report import DimensionalReport
from evaluation.dimensional.results import DimensionalResult
from evaluation.dimensional.scatter import scatters
from evaluation.dimensional.systems_on_page import systems
from evaluation.files import write_atomically
from evaluation.page.colours import Look, looks
from evaluation.page.exhibit import Exhibit
from evaluation.page.gallery import gallery
from evaluation.page.headline import Headline, in_the_bytes_of, share
from evaluation.page.page import template
from evaluation.page.results import by_initialisation, initialised, paired
from evaluation.page.table import Body, Cell, Column, Line, Part, Plot, Scale, Table, reach
from evaluation.page.wording import MINUTES, NONE, in_words, interval, mean, minutes, spread
from evaluation.records import Spread
from evaluation.runs import CLEAN, FULL
from evaluation.saved_report import limits


def write(
    path: Path,
    report: DimensionalReport,
    results: Sequence[DimensionalResult],
    exhibits: Sequence[Exhibit] = (),
) -> None:
    """Writes the page whole; its folder is made if it is missing.

    Args:
        path: of the page.
        report: the numbers.
        results: that the report is of, to show what was told of each utterance.
        exhibits: sets to be seen and heard, in this order.
    """
    write_atomically(path, html(report, results, exhibits))


def html(
    report: DimensionalReport,
    results: Sequence[DimensionalResult],
    exhibits: Sequence[Exhibit] = (),
) -> str:
    """The page as text."""
    view = View(report)
    rooms = list(report.classrooms(report.heard(CLEAN)))
    own = list(results) if "all" in report.main_folds else list(results)[:1]
    return template("dimensional.html.j2").render(
        report=report,
        privacy=report.privacy,
        limits=limits(max(row.speakers for row in report.rows)),
        headline=view.headlines,
        about=report.about,
        results=[Part(name, [view.main(name, rows)]) for name, rows, _ in rooms],
        dimensions=[Part(name, view.each(name, rows)) for name, rows, _ in rooms],
        scatters=scatters(own, view.looks),
        systems=systems(report, view.looks),
        differences=[
            Part(name, [paired(view.looks, name, compared, "mean CCC")])
            for name, _, compared in rooms
            if compared
        ],
        gallery=gallery(exhibits),
        robustness=[
            Part(f"{speech}: {name}", [view.main(f"{speech}: {name}", rows)])
            for speech in dict.fromkeys(row.speech for row in report.rows)
            if speech != CLEAN
            for name, rows, _ in report.classrooms(report.heard(speech))
        ],
    )


@dataclass(frozen=True)
class View:
    """A report as its tables and sentences."""

    report: DimensionalReport

    @cached_property
    def looks(self) -> Mapping[str, Look]:
        """By set."""
        return looks(self.report.rows)

    @property
    def headlines(self) -> list[Headline]:
        """What each judged set is worth to the first classroom of each test."""
        found = []
        seen = set()
        for _, rows, _ in self.report.classrooms(self.report.heard(CLEAN)):
            if rows[0].fold in seen:
                continue
            seen.add(rows[0].fold)
            found += [self._headline(row, _full(row, rows)) for row in rows if row.judged]
        return found

    def main(self, name: str, rows: Sequence[DimensionalRow]) -> Table:
        """A line per set: the mean CCC as a plot, and each dimension's."""
        scale = Scale.around([0.0, *reach(row.mean.ccc for row in rows)])
        emotions = self.report.emotions
        columns = [
            Column("set", words=True),
            Column("ipc", "items per cell of the label space"),
            Column("CCC", "mean concordance of the dimensions, ± standard deviation over runs"),
            Column("95 % interval of CCC", words=True, scale=scale),
            Column("from, to"),
            *(Column(dimension, f"CCC of {dimension}") for dimension in self.report.dimensions),
            Column("ratio", "mean CCC relative to full data"),
            Column("MAE", "mean absolute error, on the corpus' scale"),
            *([Column("UAR", "unweighted average recall of the emotions")] if emotions else []),
            Column("bytes"),
            Column("minutes", MINUTES),
        ]

        def cells(row: DimensionalRow) -> list[Cell]:
            full = _full(row, rows)
            return [
                Cell(row.set, look=self.looks[row.set]),
                Cell(NONE if row.ipc is None else str(row.ipc)),
                *self._plotted(row, row.mean, full.mean.ccc if full else None, scale),
                *(Cell(mean(one.ccc)) for one in row.dimensions),
                Cell(mean(row.relative_ccc)),
                Cell(mean(row.mean.mae)),
                *([Cell(mean(row.uar))] if emotions else []),
                Cell(tables.size(row.bytes)),
                Cell(minutes(row.seconds)),
            ]

        bodies = [
            Body([cells(row) for row in own], start) for start, own in by_initialisation(rows)
        ]
        return Table(
            "Mean CCC on clean speech" if rows[0].speech == CLEAN else "Mean CCC",
            f"Results: {name}",
            columns,
            bodies,
        )

    def each(self, name: str, rows: Sequence[DimensionalRow]) -> list[Table]:
        """A table for each dimension."""
        return [
            self._one(name, rows, place, dimension)
            for place, dimension in enumerate(self.report.dimensions)
        ]

    def _one(self, name: str, rows: Sequence[DimensionalRow], place: int, dimension: str) -> Table:
        scale = Scale.around([0.0, *reach(row.dimensions[place].ccc for row in rows)])
        columns = [
            Column(dimension, words=True),
            Column("ipc", "items per cell of the label space"),
            Column("CCC", "concordance, ± standard deviation over runs"),
            Column(f"95 % interval of CCC, {dimension}", words=True, scale=scale),
            Column("from, to"),
            Column("Pearson"),
            Column("MAE", "mean absolute error, on the corpus' scale"),
        ]

        def cells(row: DimensionalRow) -> list[Cell]:
            own, full = row.dimensions[place], _full(row, rows)
            return [
                Cell(row.set, look=self.looks[row.set]),
                Cell(NONE if row.ipc is None else str(row.ipc)),
                *self._plotted(row, own, full.dimensions[place].ccc if full else None, scale),
                Cell(mean(own.pearson)),
                Cell(mean(own.mae)),
            ]

        bodies = [
            Body([cells(row) for row in own], start) for start, own in by_initialisation(rows)
        ]
        return Table(f"CCC of {dimension}", f"{dimension}: {name}", columns, bodies)

    def _plotted(
        self, row: DimensionalRow, metrics: Metrics, full: Spread | None, scale: Scale
    ) -> list[Cell]:
        """CCC in numbers and as a plot."""
        lines = [Line(scale.percent(0.0), dashed=True)]
        label = f"CCC {in_words(metrics.ccc)}"
        if full is not None:
            lines.append(Line(scale.percent(full.mean), dashed=False))
            label += f"; full data {full.mean:.3f}"
        mark = scale.mark(metrics.ccc, self.looks[row.set])
        return [
            Cell(spread(metrics.ccc)),
            Cell(plot=Plot((mark,), tuple(lines), label)),
            Cell(interval(metrics.ccc)),
        ]

    def _headline(self, row: DimensionalRow, full: DimensionalRow | None) -> Headline:
        test = "" if row.fold == "all" else f", {self.report.tested(row.fold)}"
        about = f"{row.set}, {row.student}, {initialised(row)}{test}"
        items = "The items"
        if row.ipc is not None:
            items = in_the_bytes_of(row.ipc, row.utterances, len(self.report.cells), "cell")
        if full is None or row.relative_ccc is None:
            return Headline(
                about,
                f"{items.rstrip(',')}: mean CCC {row.mean.ccc.mean:.3f}",
                "No student of full data that tells anything is beside it.",
            )
        ends = ""
        if row.relative_ccc.interval is not None:
            low, high = row.relative_ccc.interval
            ends = f"[{100 * low:.0f}, {100 * high:.0f}] "
        verb = "keeps" if items.startswith("1 ") else "keep"
        return Headline(
            about,
            f"{items} {verb} {100 * row.relative_ccc.mean:.0f} %",
            f"{ends}of full-data mean CCC ({row.mean.ccc.mean:.3f} vs {full.mean.ccc.mean:.3f}), "
            f"{share(row.bytes / full.bytes)} of the bytes.",
        )


def _full(row: DimensionalRow, rows: Sequence[DimensionalRow]) -> DimensionalRow | None:
    """Full data with the same students, by the common recipe."""
    same = (row.student, row.initialisation, row.speech)
    return next(
        (
            other
            for other in rows
            if other.set == FULL and (other.student, other.initialisation, other.speech) == same
        ),
        None,
    )
