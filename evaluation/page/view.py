"""Which rows of a report belong to which part of the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from evaluation.options import AUGMENTED, HARD_LABELS, OF_ITS_OWN, PUPIL, TEACHER
from evaluation.page.colours import Look, looks
from evaluation.records import FoldName, Key, Row
from evaluation.report import Report
from evaluation.runs import CLEAN, FULL, RANDOM_SUBSET
from evaluation.starts import noise_of
from evaluation.tables import common_recipes

TAUGHT = (TEACHER, PUPIL)  # begin the names of models of model distillation


class Classroom(NamedTuple):
    """The students of one kind, trained in one way; native ones sit with those of the others."""

    student: str
    recipe: str


@dataclass(frozen=True)
class View:
    """A report with its rows sorted out.

    Attributes:
        report: all of it.
        fold: whose rows: all folds, where they are pooled.
    """

    report: Report
    fold: FoldName

    @classmethod
    def all_of(cls, report: Report) -> "list[View]":
        """One of all folds, where they are pooled; else one of each."""
        return [cls(report, fold) for fold in report.main_folds]

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """Of the starts that tables show: no noise on the fixed weights."""
        return tuple(row for row in self.all_starts if noise_of(row.initialisation) is None)

    @cached_property
    def all_starts(self) -> tuple[Row, ...]:
        """Of the recipes that tables show."""
        return tuple(
            row
            for row in self.report.rows
            if row.fold == self.fold and row.recipe not in (AUGMENTED, HARD_LABELS)
        )

    @cached_property
    def clean(self) -> tuple[Row, ...]:
        """On clean speech; without model distillation, which has a section of its own."""
        return tuple(
            row for row in self.rows if row.speech == CLEAN and not row.set.startswith(TAUGHT)
        )

    @cached_property
    def taught(self) -> tuple[Row, ...]:
        """Teachers and their pupils, on clean speech."""
        return tuple(row for row in self.rows if row.speech == CLEAN and row.set.startswith(TAUGHT))

    @cached_property
    def looks(self) -> dict[str, Look]:
        """By set."""
        return looks(self.report.rows)

    @cached_property
    def classrooms(self) -> tuple[Classroom, ...]:
        """The one that the first judged set was made for first."""
        found = dict.fromkeys(self.classroom(row) for row in self.clean)
        wanted = next((row.made_for for row in self.clean if row.judged and row.made_for), None)
        return tuple(sorted(found, key=lambda one: one.student != wanted))

    @cached_property
    def first(self) -> list[Row]:
        """Of the first classroom, on clean speech."""
        return self.of(self.classrooms[0], self.clean) if self.classrooms else []

    @cached_property
    def judged(self) -> tuple[Row, ...]:
        """Judged sets with the first classroom's students."""
        return tuple(row for row in self.first if row.judged)

    @cached_property
    def emotions_present(self) -> int:
        """How many were tested; chance UAR is one over it."""
        counts = self.report.confusions[0].counts if self.report.confusions else ()
        return sum(sum(row) > 0 for row in counts) or len(self.report.emotions)

    @property
    def apart(self) -> str:
        """Names the test where it is one of several; empty where folds are pooled."""
        return self.report.tested(self.fold) if len(self.report.main_folds) > 1 else ""

    @property
    def chance(self) -> float:
        """The UAR of guessing, in [0, 1]."""
        return 1 / self.emotions_present

    @cached_property
    def _common_recipes(self) -> dict[str, str]:
        """By student."""
        return common_recipes(self.rows)

    def classroom(self, row: Key) -> Classroom:
        """Where a row's students sit."""
        own = row.recipe in OF_ITS_OWN
        return Classroom(row.student, self._common_recipes[row.student] if own else row.recipe)

    def of(self, classroom: Classroom, rows: Sequence[Row]) -> list[Row]:
        """A classroom's rows: full data first, then by items per class, judged sets first."""
        own = [row for row in rows if self.classroom(row) == classroom]
        return sorted(own, key=lambda row: (row.set != FULL, (row.ipc or 0), not row.judged))

    def beside(self, judged: Key) -> tuple[Key, ...]:
        """Names of a judged set's rivals: full data, itself, random subsets of its size."""
        own = judged.model_dump(include=set(Key.model_fields))
        other = {"recipe": self.classroom(judged).recipe}
        return (
            Key(**(own | other | {"set": FULL, "ipc": None})),
            Key(**own),
            Key(**(own | other | {"set": RANDOM_SUBSET})),
        )

    def full(self, row: Key) -> Row | None:
        """Full data with the same students."""
        same = row.initialisation, row.speech
        return next(
            (
                other
                for other in self.of(self.classroom(row), self.rows)
                if other.set == FULL and (other.initialisation, other.speech) == same
            ),
            None,
        )


def name(key: Key) -> str:
    """A set with its size.

    >>> key = dict(student="tdnn", initialisation="fixed", recipe="generic", speech="clean")
    >>> name(Key(set="random", ipc=10, **key)), name(Key(set="full", ipc=None, **key))
    ('random, ipc 10', 'full')
    """
    return key.set if key.ipc is None else f"{key.set}, ipc {key.ipc}"


def key_of(record: Key) -> Key:
    """What names a record, without the rest of it."""
    return Key(**record.model_dump(include=set(Key.model_fields)))
