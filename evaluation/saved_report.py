"""What every report has, whatever its sets tell: protocol, privacy, and how it is saved."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import fill
from typing import TypeVar

from pydantic import Field, ValidationError

from evaluation import tables
from evaluation.files import write_atomically
from evaluation.intervals import REPLICATES
from evaluation.options import AUGMENTED, HARD_LABELS, NATIVE, PUPIL, TEACHER
from evaluation.records import Comparison, FoldName, Judged, Record, Versions
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
NATIVES = (
    "native: trained by the schedule that comes with the set, from its fixed weights. Nothing in "
    "it is random or chosen, so there is one student and no standard deviation."
)

J = TypeVar("J", bound=Judged)
R = TypeVar("R", bound="SavedReport")


class ReportError(UserError):
    """A report cannot be made or read."""


class SavedReport(Record):
    """What sets are worth under one protocol; what each row tells is up to the kinds of report."""

    protocol: str
    """The protocol line; a number without it means nothing."""
    corpus: str
    """The corpus' name."""
    emotions: tuple[str, ...]
    """Class names, in the order of the class indices; none where dimensions alone are told."""
    notes: tuple[str, ...]
    """What a reader of the numbers must know."""
    guarantees: tuple[str, ...] = ()
    """What is guaranteed about the speakers of which set."""
    command: str
    """Makes this report again."""
    versions: Versions
    """What computed it."""
    rows: tuple[Judged, ...]
    """Pooled rows first, then fold by fold."""
    tests: dict[int, str] = Field(default_factory=dict)
    """By fold, the name of its test where the corpus' own split lists one."""
    comparisons: tuple[Comparison, ...]
    """Judged sets against the others: pooled over folds if they are, else fold by fold."""
    unavailable: tuple[str, ...]
    """Sets that are not in the rows, and why."""
    failed: tuple[str, ...]
    """Students that are missing from the rows because their training failed, and why."""

    @property
    def privacy(self) -> str:
        """What is guaranteed about whom, in words."""
        if self.guarantees:
            return f"Privacy: {'; '.join(self.guarantees)}. {NOT_COVERED}"
        return NO_GUARANTEE

    @property
    def main_folds(self) -> tuple[FoldName, ...]:
        """What stands for itself: all folds, where they are pooled; else each."""
        names = tuple(dict.fromkeys(row.fold for row in self.rows))
        return ("all",) if "all" in names else names

    def tested(self, fold: FoldName) -> str:
        """Names the data behind a row."""
        if fold == "all":
            return f"{len({row.fold for row in self.rows} - {'all'})} folds pooled"
        listed = self.tests.get(fold, "")
        return f"fold {fold}" + (f" ({listed})" if listed else "")

    def heading(self, row: Judged, recipe: str) -> str:
        """Over a table: whose students they are, and who tests them."""
        speakers = f"{row.speakers} test speaker" + ("s" if row.speakers != 1 else "")
        return (
            f"{row.student} ({row.parameters:,} parameters), {recipe} recipe, "
            f"{self.tested(row.fold)}, {speakers}"
        )

    def classrooms(self, rows: Sequence[J]) -> Iterator[tuple[str, list[J], list[Comparison]]]:
        """The students of each kind on each test: a heading, their rows, and differences.

        Args:
            rows: on speech that is heard in one way; those that scores alone are made of and those
                with noise on their fixed weights are passed over.
        """
        for fold in self.main_folds:
            shown = [
                row
                for row in rows
                if row.fold == fold
                and row.recipe not in (AUGMENTED, HARD_LABELS)
                and noise_of(row.initialisation) is None
            ]
            for (student, recipe), own in tables.by_student(shown).items():
                compared = [
                    one
                    for one in self.comparisons
                    if (one.fold, one.student, one.speech) == (fold, student, own[0].speech)
                    and one.recipe in (recipe, NATIVE)
                    and noise_of(one.initialisation) is None
                    and not one.set.startswith((TEACHER, PUPIL))
                ]
                yield self.heading(own[0], recipe), own, compared

    def natives(self) -> list[str]:
        """What native students are, if there are any."""
        return [NATIVES] if any(row.recipe == NATIVE for row in self.rows) else []

    def save(self, folder: Path) -> None:
        """Writes `report.json` and `report.md`, each whole."""
        write_atomically(folder / "report.json", self.model_dump_json(indent=1) + "\n")
        write_atomically(folder / "report.md", self.markdown())

    @classmethod
    def load(cls: type[R], path: Path) -> R:
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

    @abstractmethod
    def markdown(self) -> str:
        """The whole report for people."""

    def table_with(self, parts: Sequence[str], about: Sequence[str]) -> str:
        """Tables for a terminal, and what is to be said below them.

        Args:
            parts: the tables and what stands over them.
            about: what their columns mean.
        """
        below = [
            "\n".join(fill(f"{word}: {text}", WIDTH) for text in texts)
            for word, texts in (("not available", self.unavailable), ("failed", self.failed))
        ]
        below.append("\n".join(fill(text, WIDTH) for text in (*about, self.privacy)))
        return "\n\n".join(part for part in (*parts, *below) if part)

    def markdown_with(self, parts: Sequence[str], limits: str) -> str:
        """The report for people: what is said of every report around sections.

        Args:
            parts: the sections.
            limits: what the intervals mean.
        """
        protocol, v = tables.escaped(self.protocol), self.versions
        said = [
            f"## {title}\n\n" + "\n".join(f"- {tables.escaped(line)}" for line in lines)
            for title, lines in (
                ("Not available", self.unavailable),
                ("Failed", self.failed),
                ("Notes", self.notes),
            )
            if lines
        ]
        ends = [
            "## What the intervals mean",
            limits,
            "## To make this report again",
            f"```\n{self.command}\n```",
            f"distill-data {v.package}, Python {v.python}, PyTorch {v.torch}.",
            protocol,
        ]
        whole = (f"# {protocol}", self.privacy, *parts, *said, *ends)
        return "\n\n".join(part for part in whole if part) + "\n"


def limits(speakers: int) -> str:
    """What the intervals of a report say, and what not.

    Args:
        speakers: that were tested.
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
        "The intervals are Student's t with the standard error of the redrawn numbers, wider where "
        "a few speakers say most of what is tested. In simulations, one of 95 % holds the true "
        "value at least 92 times in 100 over 4 speakers or more; over 2 or 3, where it is very "
        "wide, more often."
    )


def require_each_once(numbers: Sequence[int]) -> None:
    """Raises `ReportError` unless there is a fold, and none stands twice."""
    if len(set(numbers)) != len(numbers) or not numbers:
        raise ReportError(
            f"a report needs one result per fold, and at least one; found folds {list(numbers)}"
        )
