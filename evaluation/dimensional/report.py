"""The report on dimensions: `report.json` for machines, `report.md` and a table for people.

The JSON schema is `DimensionalReport.model_json_schema()`.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from evaluation import tables
from evaluation.comparisons import difference, pairs
from evaluation.dimensional.records import DimensionalRow
from evaluation.dimensional.results import DimensionalResult
from evaluation.dimensional.scope import Scope
from evaluation.dimensional.systems import ABOUT, NO_ENCODERS, Encoders, table, ways
from evaluation.records import Comparison, FoldName, Versions
from evaluation.remarks import not_pooled, partly_pooled, reasons
from evaluation.runs import CLEAN
from evaluation.saved_report import ReportError, SavedReport, limits, require_each_once
from evaluation.systems.rows import SystemRow

COLUMNS = (
    "CCC: concordance (Lin 1989), a mean over the dimensions, ± standard deviation over draws of "
    "the set and seeds of the student. interval: of that mean, 95 %, over test speakers. ratio: "
    "mean CCC relative to full data. MAE: mean absolute error, on the corpus' scale from {low:g} "
    "to {high:g}. ipc: items per cell of the label space. minutes: to make the set and train one "
    "student on it, per fold; a dash where nobody noted what the set took."
)
EMOTIONS = "UAR: of the emotions that are told beside the dimensions, where they are known."
DIFFERENCES = "Differences of mean CCC on the same test speakers [95 % interval]"


class DimensionalReport(SavedReport):
    """What sets of dimensions are worth under one protocol."""

    dimensions: tuple[str, ...]
    """What is told, in the order of the rows' metrics."""
    scale: tuple[float, float]
    """Their lowest and highest value, in the corpus' own terms."""
    cells: tuple[str, ...]
    """Of the label space, that sets have equally many items of."""
    rows: tuple[DimensionalRow, ...]
    """Pooled rows first, then fold by fold."""
    systems: tuple[SystemRow, ...] = ()
    """Systems that distil the model, tested on the same speakers."""
    encoders: Encoders = NO_ENCODERS
    """That the features are computed with; counted where there are systems to compare with."""

    @classmethod
    def of(
        cls,
        protocol: str,
        folds: Sequence[DimensionalResult],
        *,
        corpus: str,
        command: str,
        notes: Sequence[str] = (),
        guarantees: Sequence[str] = (),
        systems: Sequence[SystemRow] = (),
        encoders: Encoders = NO_ENCODERS,
        pooled: bool = True,
        seed: int = 0,
    ) -> "DimensionalReport":
        """Summarises folds.

        Args:
            protocol: the protocol line.
            folds: at least one, in the order of the report.
            corpus: the corpus' name.
            command: the command line that makes this report again.
            notes: what a reader of the numbers must know.
            guarantees: about the speakers of sets; none for sets without.
            systems: that distil the model (`evaluation.dimensional.systems`).
            encoders: that the features are computed with.
            pooled: whether several folds are one test in parts; else each is a test of its own
                (`synth_data.protocol.pooled`).
            seed: of the resamples behind the intervals.

        Raises:
            ReportError: there is no fold, a fold stands twice, or they tell different things.
        """
        numbers = [result.fold for result in folds]
        require_each_once(numbers)
        task = folds[0].task
        for result in folds:
            if (result.task.columns, result.task.scale) != (task.columns, task.scale):
                raise ReportError(
                    f"fold {result.fold} tells {', '.join(result.task.columns)}, but fold "
                    f"{numbers[0]} tells {', '.join(task.columns)}: they are of different runs; "
                    f"give each run its own output folder"
                )
        generator = np.random.default_rng(seed)
        scopes = [Scope.of(result.fold, [result], generator) for result in folds]
        main = scopes
        if pooled and len(folds) > 1:
            main = [Scope.of("all", folds, generator)]
            scopes = [*main, *scopes]
        partly = {one: len(main[0].samples[one].sums) for one in main[0].pool.partial}
        cells = dict.fromkeys(name for result in folds for name in result.task.groups)
        return cls(
            protocol=protocol,
            corpus=corpus,
            emotions=task.emotions,
            dimensions=task.dimensions,
            scale=task.scale,
            cells=tuple(cells),
            notes=(*notes, *partly_pooled(partly)),
            guarantees=tuple(guarantees),
            command=command,
            versions=Versions.here(),
            rows=tuple(row for scope in scopes for row in scope.rows()),
            tests={result.fold: result.listed for result in folds if result.listed},
            comparisons=tuple(one for scope in main for one in _comparisons(scope)),
            systems=tuple(systems),
            encoders=encoders,
            unavailable=(
                *reasons([result.unavailable for result in folds], numbers),
                *not_pooled(main[0].pool.incomplete, main[0].samples, "mean CCC"),
            ),
            failed=reasons([result.failed for result in folds], numbers),
        )

    @property
    def about(self) -> list[str]:
        """What the columns mean."""
        low, high = self.scale
        emotions = [EMOTIONS] if self.emotions else []
        return [COLUMNS.format(low=low, high=high), *emotions, *self.natives()]

    def heard(self, speech: str) -> list[DimensionalRow]:
        """The rows on speech that is heard in one way."""
        return [row for row in self.rows if row.speech == speech]

    def table(self) -> str:
        """The main table for a terminal: 110 characters or less, for names of usual length."""
        parts = []
        for title, rows, compared in self.classrooms(self.heard(CLEAN)):
            parts += [title, tables.plain(self._main(rows, short=True))]
            for number, differences in enumerate(tables.differences(compared)):
                start = f"{DIFFERENCES}:\n" if number == 0 else ""
                parts.append(start + tables.plain(differences))
        return self.table_with(parts, self.about)

    def markdown(self) -> str:
        """The whole report for people."""
        parts = []
        for title, rows, compared in self.classrooms(self.heard(CLEAN)):
            parts += [f"## {title}", tables.markdown(self._main(rows))]
            if compared:
                parts += [f"{DIFFERENCES}:", *map(tables.markdown, tables.differences(compared))]
            parts += ["Each dimension:", tables.markdown(_each(rows))]
        parts += self.about
        parts += self._systems()
        speeches = dict.fromkeys(row.speech for row in self.rows if row.speech != CLEAN)
        for speech in speeches:
            parts += [f"## Test speech: {speech}"]
            for title, rows, _ in self.classrooms(self.heard(speech)):
                parts += [f"{title}:", tables.markdown(self._main(rows))]
        if "all" in self.main_folds:
            every = [row for row in self.heard(CLEAN) if row.fold != "all"]
            parts += ["## Mean CCC per fold", tables.markdown(_per_fold(every))]
        return self.markdown_with(parts, limits(max(row.speakers for row in self.rows)))

    def _systems(self) -> list[str]:
        """Systems beside sets, test by test; nothing if there are none."""
        parts = []
        for fold in self.main_folds:
            if found := ways(fold, self.heard(CLEAN), self.systems, self.encoders):
                title = f"## Model distillation, {self.tested(fold)}"
                parts += [title, tables.markdown(table(found, self.dimensions)), ABOUT]
        return parts

    def _main(self, rows: Sequence[DimensionalRow], short: bool = False) -> tables.Table:
        """A line per set; `short` names of dimensions for a terminal."""
        names = [name[:3] if short else name for name in self.dimensions]
        emotions = ["UAR"] if self.emotions else []
        lines = []
        for row in rows:
            uar = [tables.mean(row.uar)] if emotions else []
            lines.append(
                [
                    row.set,
                    tables.items(row.ipc),
                    tables.start(row),
                    tables.spread(row.mean.ccc),
                    tables.interval(row.mean.ccc),
                    *(f"{one.ccc.mean:.3f}" for one in row.dimensions),
                    tables.mean(row.relative_ccc),
                    f"{row.mean.mae.mean:.3f}",
                    *uar,
                    tables.size(row.bytes),
                    tables.minutes(row.seconds),
                ]
            )
        header = ("set", "ipc", "init", "CCC", "interval", *names, "ratio", "MAE", *emotions)
        return tables.Table((*header, "bytes", "minutes"), lines)


def _each(rows: Sequence[DimensionalRow]) -> tables.Table:
    """Every metric of every dimension."""
    return tables.Table(
        ("set", "ipc", "init", "dimension", "CCC", "interval", "Pearson", "MAE"),
        [
            [
                row.set,
                tables.items(row.ipc),
                tables.start(row),
                one.dimension,
                tables.spread(one.ccc),
                tables.interval(one.ccc),
                f"{one.pearson.mean:.3f}",
                f"{one.mae.mean:.3f}",
            ]
            for row in rows
            for one in row.dimensions
        ],
    )


def _per_fold(rows: Sequence[DimensionalRow]) -> tables.Table:
    """Mean CCC: a line per set and start, a column per fold."""
    folds = list(dict.fromkeys(row.fold for row in rows))
    found: dict[tuple[str, ...], dict[FoldName, str]] = {}
    for row in rows:
        name = (row.set, tables.items(row.ipc), row.student, tables.start(row))
        found.setdefault(name, {})[row.fold] = f"{row.mean.ccc.mean:.3f}"
    return tables.Table(
        ("set", "ipc", "student", "init", *map(str, folds)),
        [
            [*name, *(by_fold.get(fold, tables.NONE) for fold in folds)]
            for name, by_fold in found.items()
        ],
    )


def _comparisons(scope: Scope) -> Iterator[Comparison]:
    """Each judged set against every other of its size."""
    samples = scope.samples
    for one, other in pairs({name: sample.runs[0].judged for name, sample in samples.items()}):
        lead = samples[one].ccc - samples[other].ccc
        speakers = scope.speakers, scope.alike
        yield difference(scope.fold, one, other, lead, *speakers, within=(-2.0, 2.0))
