"""The report of an evaluation: `report.json` for machines, `report.md` and a table for people.

The JSON schema is `Report.model_json_schema()`.
"""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

import numpy as np
from pydantic import ValidationError

from evaluation import attack_section, sections, tables
from evaluation.attacks.summary import attacks
from evaluation.breakdown import confusions, groups
from evaluation.comparisons import comparisons
from evaluation.files import write_atomically
from evaluation.intervals import REPLICATES
from evaluation.options import AUGMENTED, HARD_LABELS, NATIVE, PUPIL, TEACHER
from evaluation.ranking import scores
from evaluation.records import (
    Attack,
    Comparison,
    Confusion,
    Group,
    Judged,
    Record,
    Row,
    Score,
    Versions,
)
from evaluation.remarks import adding_up, not_pooled, partly_pooled, reasons, untested
from evaluation.runs import CLEAN, FoldResult
from evaluation.scope import Scope
from evaluation.starts import noise_of
from evaluation.tables import WIDTH
from synth_data.errors import UserError

NO_GUARANTEE = (
    "Privacy: no formal guarantee. No set here was made with a privacy mechanism, and the "
    "numbers are exact answers about the test speakers."
)
NOT_COVERED = (
    "No guarantee covers this report, whose numbers are exact answers about the test speakers, nor "
    "any other set in it."
)
COLUMNS = (
    "UAR: mean ± standard deviation over draws of the set and seeds of the student. interval: of "
    "that mean, 95 %, over test speakers. ratio: UAR relative to full data. recovery: the same, "
    "both above chance. minutes: to make the set and train one student on it, per fold."
)
NATIVES = (
    "native: trained by the schedule that comes with the set, from its fixed weights. Nothing in "
    "it is random or chosen, so there is one student and no standard deviation."
)

DIFFERENCES = "Differences of UAR on the same test speakers [95 % interval]"


class ReportError(UserError):
    """A report cannot be made or read."""


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
    guarantees: tuple[str, ...] = ()
    """What is guaranteed about the speakers of which set."""
    command: str
    """Makes this report again."""
    versions: Versions
    """What computed it."""
    rows: tuple[Row, ...]
    """Pooled rows first, then fold by fold."""
    comparisons: tuple[Comparison, ...]
    """Judged sets against the others, pooled over folds if there are several."""
    confusions: tuple[Confusion, ...]
    """Which emotions are taken for which, on clean speech, pooled over folds."""
    groups: tuple[Group, ...]
    """Full data, judged sets and random subsets by speaker and by gender, on clean speech."""
    scores: tuple[Score, ...]
    """Of judged sets, on clean speech, pooled over folds if there are several."""
    attacks: tuple[Attack, ...]
    """On who is speaking, where attackers were asked for; the strongest of each kind."""
    unavailable: tuple[str, ...]
    """Sets that are not in the rows, and why."""
    failed: tuple[str, ...]
    """Students that are missing from the rows because their training failed, and why."""

    @classmethod
    def of(
        cls,
        protocol: str,
        folds: Sequence[FoldResult],
        *,
        corpus: str,
        command: str,
        notes: Sequence[str] = (),
        guarantees: Sequence[str] = (),
        seed: int = 0,
    ) -> "Report":
        """Summarises folds.

        Args:
            protocol: the protocol line.
            folds: at least one, in the order of the report.
            corpus: the corpus' name.
            command: the command line that makes this report again.
            notes: what a reader of the numbers must know.
            guarantees: about the speakers of sets; none for sets without.
            seed: of the resamples behind the intervals.

        Raises:
            ReportError: there is no fold, a fold stands twice, or their emotions differ.
        """
        _require_one_experiment(folds)
        generator = np.random.default_rng(seed)
        scopes = [Scope.of(result.fold, [result], generator) for result in folds]
        if len(folds) > 1:
            scopes.insert(0, Scope.of("all", folds, generator))
        main, numbers = scopes[0], [result.fold for result in folds]
        partly = {one: len(main.samples[one].confusions) for one in main.partial}
        return cls(
            protocol=protocol,
            corpus=corpus,
            emotions=folds[0].emotions,
            notes=(*notes, *untested(folds), *adding_up(folds), *partly_pooled(partly)),
            guarantees=tuple(guarantees),
            command=command,
            versions=Versions.here(),
            rows=tuple(row for scope in scopes for row in scope.rows()),
            comparisons=tuple(comparisons(main)),
            confusions=tuple(confusions(main)),
            groups=tuple(groups(main)),
            scores=tuple(scores(main)),
            attacks=tuple(attacks(folds, generator)),
            unavailable=(
                *reasons([result.unavailable for result in folds], numbers),
                *not_pooled(main.incomplete),
            ),
            failed=reasons([result.failed for result in folds], numbers),
        )

    @property
    def privacy(self) -> str:
        """What is guaranteed about whom, in words."""
        return privacy(self.guarantees)

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
        """The main table for a terminal: 110 characters or less, for names of usual length."""
        parts = []
        for (student, recipe), rows in tables.by_student(self._pooled(CLEAN)).items():
            parts += [self._heading(rows[0], recipe), tables.plain(tables.main_table(rows))]
            for number, differences in enumerate(self._differences(student, recipe)):
                start = f"{DIFFERENCES}:\n" if number == 0 else ""
                parts.append(start + tables.plain(differences))
        for word, texts in (("not available", self.unavailable), ("failed", self.failed)):
            parts.append("\n".join(fill(f"{word}: {text}", WIDTH) for text in texts))
        parts.append("\n".join(fill(text, WIDTH) for text in (*self._columns(), self.privacy)))
        return "\n\n".join(part for part in parts if part)

    def markdown(self) -> str:
        """The whole report for people."""
        protocol = tables.escaped(self.protocol)
        parts = [f"# {protocol}", self.privacy]
        for (student, recipe), rows in tables.by_student(self._pooled(CLEAN)).items():
            parts += [
                f"## {self._heading(rows[0], recipe)}",
                tables.markdown(tables.main_table(rows)),
            ]
            differences = self._differences(student, recipe)
            if differences:
                parts += [f"{DIFFERENCES}:", *map(tables.markdown, differences)]
            if rows[0].fold == "all":
                per_fold = [row for row in self._shown(CLEAN) if row.fold != "all"]
                every = tables.by_student(per_fold)[student, recipe]
                parts += ["UAR per fold:", tables.markdown(tables.fold_table(every))]
        parts += self._columns()
        pooled, home = self._pooled(), self._home()
        parts += [
            sections.robustness(pooled),
            sections.students(pooled),
            sections.start_noise(self._pooled(CLEAN, start_noise=True)),
            sections.who_loses(self.groups, home),
            sections.needs(pooled, home),
            sections.model_distillation(pooled, self.comparisons),
            sections.scores(self.scores),
            attack_section.attacks(self.attacks, pooled),
        ]
        for title, lines in (
            ("Not available", self.unavailable),
            ("Failed", self.failed),
            ("Notes", self.notes),
        ):
            if lines:
                parts += [f"## {title}", "\n".join(f"- {tables.escaped(line)}" for line in lines)]
        v = self.versions
        parts += [
            "## What the intervals mean",
            limits(max(row.speakers for row in self.rows)),
            "## To make this report again",
            f"```\n{self.command}\n```",
            f"distill-data {v.package}, Python {v.python}, PyTorch {v.torch}.",
            protocol,
        ]
        return "\n\n".join(part for part in parts if part) + "\n"

    def _shown(self, *speeches: str, start_noise: bool = False) -> list[Row]:
        """The rows, but for those that only scores are made of; heard as told, if told.

        Those with noise on their fixed weights only if they are asked for.
        """
        return [
            row
            for row in self.rows
            if row.recipe not in (AUGMENTED, HARD_LABELS)
            and (not speeches or row.speech in speeches)
            and (start_noise or noise_of(row.initialisation) is None)
        ]

    def _pooled(self, *speeches: str, start_noise: bool = False) -> list[Row]:
        """The same, over all folds if there are several."""
        first = self.rows[0].fold
        return [row for row in self._shown(*speeches, start_noise=start_noise) if row.fold == first]

    def _columns(self) -> list[str]:
        """What the columns mean."""
        return [COLUMNS, *([NATIVES] if any(row.recipe == NATIVE for row in self.rows) else [])]

    def _home(self) -> str:
        """The student that the first judged set was made for, or else the first."""
        rows = self._pooled(CLEAN)
        names = {row.student for row in rows}
        made_for = [row.made_for for row in rows if row.judged and row.made_for in names]
        return made_for[0] or "" if made_for else rows[0].student

    def _heading(self, row: Row, recipe: str) -> str:
        count = len({row.fold for row in self.rows} - {"all"})
        data = f"{count} folds pooled" if row.fold == "all" else f"fold {row.fold}"
        return heading(row, recipe, data)

    def _differences(self, student: str, recipe: str) -> list[tables.Table]:
        return tables.differences(
            [
                one
                for one in self.comparisons
                if (one.student, one.speech) == (student, CLEAN)
                and one.recipe in (recipe, NATIVE)
                and noise_of(one.initialisation) is None
                and not one.set.startswith((TEACHER, PUPIL))
            ]
        )


def privacy(guarantees: Sequence[str]) -> str:
    """What is guaranteed about whom, in words."""
    return f"Privacy: {'; '.join(guarantees)}. {NOT_COVERED}" if guarantees else NO_GUARANTEE


def limits(speakers: int, held: str = "93 to 97") -> str:
    """What the intervals of a report say, and what not.

    Args:
        speakers: that were tested.
        held: of 100 intervals over four speakers or more, how many hold the true value.
    """
    if speakers == 1:
        return (
            "There is one test speaker, so there is no interval: nothing here says how the numbers "
            "would move with another speaker."
        )
    return (
        f"The {speakers} test speakers were drawn again, with replacement, {REPLICATES} times, and "
        "the trained students kept: an interval says how far a number would move with other "
        "speakers of this corpus. It says nothing of another corpus, another distilled set or "
        "other students; the standard deviation is about draws and seeds. Differences are taken "
        "on the same speakers, so their interval may exclude zero where those of the sets overlap. "
        "The intervals are Student's t with the standard error of the redrawn numbers. In "
        f"simulations, one of 95 % holds the true value {held} times in 100 over 4 speakers or "
        "more; over 2 or 3, where it is very wide, more often."
    )


def heading(row: Judged, recipe: str, data: str) -> str:
    """Over a table: whose students they are, and who tests them."""
    return (
        f"{row.student} ({row.parameters:,} parameters), {recipe} recipe, {data}, "
        f"{_count(row.speakers, 'test speaker')}"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def require_each_once(numbers: Sequence[int]) -> None:
    """Raises `ReportError` unless there is a fold, and none stands twice."""
    if len(set(numbers)) != len(numbers) or not numbers:
        raise ReportError(
            f"a report needs one result per fold, and at least one; found folds {list(numbers)}"
        )


def _require_one_experiment(folds: Sequence[FoldResult]) -> None:
    numbers = [result.fold for result in folds]
    require_each_once(numbers)
    for result in folds:
        if result.emotions != folds[0].emotions:
            raise ReportError(
                f"fold {result.fold} has the emotions {', '.join(result.emotions)}, but fold "
                f"{numbers[0]} has {', '.join(folds[0].emotions)}: they are of different runs; "
                f"give each run its own output folder"
            )
