"""The report of an evaluation: `report.json` for machines, `report.md` and a table for people.

The JSON schema is `Report.model_json_schema()`.
"""

import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from textwrap import fill

import numpy as np
from pydantic import ValidationError

from evaluation import tables
from evaluation.files import write_atomically
from evaluation.metrics import REPLICATES
from evaluation.records import Comparison, Record, Row
from evaluation.runs import FoldResult
from evaluation.scope import Scope
from synth_data.errors import UserError
from synth_data.provenance import package_version

WIDTH = 110  # characters of the terminal table
FEW_SPEAKERS = 20  # under which the percentile intervals are visibly too narrow

PRIVACY = (
    "Privacy: no formal guarantee. No set here was made with a privacy mechanism, and the "
    "numbers are exact answers about the test speakers."
)
COLUMNS = (
    "UAR: mean ± standard deviation over draws of the set and seeds of the student. interval: of "
    "that mean, 95 %, over test speakers. ratio: UAR relative to full data. recovery: the same, "
    "both above chance. minutes: to make the set and train one student on it, per fold."
)

DIFFERENCES = "Differences of UAR on the same test speakers"


class ReportError(UserError):
    """A report cannot be made or read."""


class Versions(Record):
    """What computed the report."""

    package: str
    """Of distill-data; "source" where it is not installed."""
    python: str
    """Of Python."""
    torch: str
    """Of PyTorch, with its build."""

    @classmethod
    def here(cls) -> "Versions":
        """Of this process."""
        return cls(
            package=package_version(), python=platform.python_version(), torch=version("torch")
        )


class Report(Record):
    """What sets are worth under one protocol: rows of metrics, all as fractions."""

    protocol: str
    """The protocol line; a number without it means nothing."""
    corpus: str
    """The corpus' name."""
    emotions: tuple[str, ...]
    """Class names, in the order of the class indices."""
    notes: tuple[str, ...]
    """What a reader of the numbers must know."""
    command: str
    """Makes this report again."""
    versions: Versions
    """What computed it."""
    rows: tuple[Row, ...]
    """Pooled rows first, then fold by fold."""
    comparisons: tuple[Comparison, ...]
    """The distilled set against the others, pooled over folds if there are several."""
    unavailable: tuple[str, ...]
    """Sets that are not in the rows, and why."""

    @classmethod
    def of(
        cls,
        protocol: str,
        folds: Sequence[FoldResult],
        *,
        corpus: str,
        command: str,
        notes: Sequence[str] = (),
        seed: int = 0,
    ) -> "Report":
        """Summarises folds.

        Args:
            protocol: the protocol line.
            folds: at least one, in the order of the report.
            corpus: the corpus' name.
            command: the command line that makes this report again.
            notes: what a reader of the numbers must know.
            seed: of the resamples behind the intervals.

        Raises:
            ReportError: there is no fold, a fold stands twice, or their emotions differ.
        """
        _require_one_experiment(folds)
        generator = np.random.default_rng(seed)
        scopes = [Scope.of(result.fold, [result], generator) for result in folds]
        if len(folds) > 1:
            scopes.insert(0, Scope.of("all", folds, generator))
        return cls(
            protocol=protocol,
            corpus=corpus,
            emotions=folds[0].emotions,
            notes=(*notes, *_untested(folds)),
            command=command,
            versions=Versions.here(),
            rows=tuple(row for scope in scopes for row in scope.rows()),
            comparisons=tuple(scopes[0].comparisons()),
            unavailable=(*_unavailable(folds), *_not_pooled(scopes[0])),
        )

    def save(self, folder: Path) -> None:
        """Writes `report.json` and `report.md`, each whole."""
        write_atomically(folder / "report.json", self.model_dump_json(indent=1) + "\n")
        write_atomically(folder / "report.md", self.markdown())

    @classmethod
    def load(cls, path: Path) -> "Report":
        """Reads a `report.json`.

        Raises:
            ReportError: it is missing, or is not one.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise ReportError(
                f"{path}: not a report this version can read; make it again with the command in "
                f"its report.md, or give another file ({error})"
            ) from error

    def table(self) -> str:
        """The main table for a terminal: `WIDTH` characters or less, for names of usual length."""
        parts = []
        for (student, recipe), rows in self._main().items():
            table = tables.plain(tables.HEADER, [tables.cells(row) for row in rows])
            parts += [self._heading(rows[0]), table]
            sentences = self._sentences(student, recipe)
            if sentences:
                lines = [fill(line, WIDTH, subsequent_indent="  ") for line in sentences]
                parts.append("\n".join([f"{DIFFERENCES}:", *lines]))
        parts.append("\n".join(fill(f"not available: {text}", WIDTH) for text in self.unavailable))
        parts.append(f"{fill(COLUMNS, WIDTH)}\n{fill(PRIVACY, WIDTH)}")
        return "\n\n".join(part for part in parts if part)

    def markdown(self) -> str:
        """The whole report for people."""
        parts = [f"# {self.protocol}", PRIVACY]
        for (student, recipe), rows in self._main().items():
            parts.append(f"## {self._heading(rows[0])}")
            parts.append(tables.markdown(tables.HEADER, [tables.cells(row) for row in rows]))
            sentences = self._sentences(student, recipe)
            if sentences:
                parts += [f"{DIFFERENCES}:", _bullets(sentences)]
            if rows[0].fold == "all":
                every = tables.by_student(self.rows)[student, recipe]
                per_fold = [row for row in every if row.fold != "all"]
                parts += ["UAR per fold:", tables.markdown(*tables.fold_table(per_fold))]
        parts.append(COLUMNS)
        if self.unavailable:
            parts += ["## Not available", _bullets(self.unavailable)]
        if self.notes:
            parts += ["## Notes", _bullets(self.notes)]
        parts += ["## What the intervals mean", _limits(self._speakers())]
        v = self.versions
        parts += [
            "## To make this report again",
            f"```\n{self.command}\n```",
            f"distill-data {v.package}, Python {v.python}, PyTorch {v.torch}.",
            self.protocol,
        ]
        return "\n\n".join(part for part in parts if part) + "\n"

    def _folds(self) -> list[int]:
        return sorted({row.fold for row in self.rows if row.fold != "all"})

    def _main(self) -> dict[tuple[str, str], list[Row]]:
        """The rows of the main table, by student and recipe."""
        main = "all" if len(self._folds()) > 1 else self._folds()[0]
        return tables.by_student([row for row in self.rows if row.fold == main])

    def _speakers(self) -> int:
        return max(row.speakers for row in self.rows)

    def _heading(self, row: Row) -> str:
        data = f"{len(self._folds())} folds pooled" if row.fold == "all" else f"fold {row.fold}"
        return (
            f"{row.student} ({row.parameters:,} parameters), {row.recipe} recipe, {data}, "
            f"{_count(row.speakers, 'test speaker')}"
        )

    def _sentences(self, student: str, recipe: str) -> list[str]:
        return [
            tables.sentence(comparison)
            for comparison in self.comparisons
            if (comparison.student, comparison.recipe) == (student, recipe)
        ]


def _limits(speakers: int) -> str:
    if speakers == 1:
        return (
            "There is one test speaker, so there is no interval: nothing here says how the numbers "
            "would move with another speaker."
        )
    text = (
        f"The {speakers} test speakers were drawn again, with replacement, {REPLICATES} times, and "
        "the trained students kept: an interval says how far a number would move with other "
        "speakers of this corpus. It says nothing of another corpus, another distilled set or "
        "other students; the standard deviation is about draws and seeds. Differences are taken "
        "on the same speakers, so their interval may exclude zero where those of the sets overlap."
    )
    if speakers < FEW_SPEAKERS:
        text += (
            " Over few speakers such intervals are too narrow: in simulations, one of nominally "
            "95 % holds the true value 9 times in 10 over 10 speakers, 8 in 10 over 4, and every "
            "second time over 2."
        )
    return text


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _require_one_experiment(folds: Sequence[FoldResult]) -> None:
    numbers = [result.fold for result in folds]
    if len(set(numbers)) != len(numbers) or not numbers:
        raise ReportError(
            f"a report needs one result per fold, and at least one; found folds {numbers}"
        )
    for result in folds:
        if result.emotions != folds[0].emotions:
            raise ReportError(
                f"fold {result.fold} has the emotions {', '.join(result.emotions)}, but fold "
                f"{numbers[0]} has {', '.join(folds[0].emotions)}: they are of different runs; "
                f"give each run its own output folder"
            )


def _untested(folds: Sequence[FoldResult]) -> list[str]:
    return [
        f"fold {result.fold} has no test utterance of {', '.join(missing)}: its UAR, F1 and chance "
        f"level are over the emotions present"
        for result in folds
        for missing in [
            [name for index, name in enumerate(result.emotions) if index not in result.truth]
        ]
        if missing
    ]


def _unavailable(folds: Sequence[FoldResult]) -> list[str]:
    """Each reason once, with its folds where that is not all of them."""
    reasons: dict[str, list[str]] = {}
    for result in folds:
        for reason in dict.fromkeys(result.unavailable):
            reasons.setdefault(reason, []).append(str(result.fold))
    return [
        reason if len(at) == len(folds) else f"{reason} (fold {', '.join(at)})"
        for reason, at in reasons.items()
    ]


def _not_pooled(scope: Scope) -> list[str]:
    return [
        f"{one.set}{'' if one.ipc is None else f', ipc {one.ipc}'} ({one.student}, "
        f"{one.initialisation} initialisation, {one.recipe} recipe) over all folds: some folds "
        f"lack it, or have other draws or seeds of it; see the rows per fold"
        for one in scope.incomplete
    ]
