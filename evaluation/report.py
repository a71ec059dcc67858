"""The report of an evaluation: `report.json` for machines, `report.md` and a table for people.

The JSON schema is `Report.model_json_schema()`.
"""

from collections.abc import Sequence

import numpy as np

from evaluation import attack_section, sections, tables
from evaluation.attacks.summary import attacks
from evaluation.breakdown import confusions, groups
from evaluation.comparisons import comparisons
from evaluation.options import AUGMENTED, HARD_LABELS
from evaluation.ranking import scores
from evaluation.records import Attack, Confusion, Group, Row, Score, Versions
from evaluation.remarks import adding_up, not_pooled, partly_pooled, reasons, untested
from evaluation.runs import CLEAN, FoldResult
from evaluation.saved_report import ReportError, SavedReport, limits, require_each_once
from evaluation.scope import Scope
from evaluation.starts import noise_of

COLUMNS = (
    "UAR: mean ± standard deviation over draws of the set and seeds of the student. interval: of "
    "that mean, 95 %, over test speakers. ratio: UAR relative to full data. recovery: the same, "
    "both above chance. minutes: to make the set and train one student on it, per fold; a dash "
    "where nobody noted what the set took."
)
DIFFERENCES = "Differences of UAR on the same test speakers [95 % interval]"


class Report(SavedReport):
    """What sets are worth under one protocol: rows of metrics, all as fractions."""

    rows: tuple[Row, ...]
    """Pooled rows first, then fold by fold."""
    confusions: tuple[Confusion, ...]
    """Which emotions are taken for which, on clean speech, over all folds or else the first."""
    groups: tuple[Group, ...]
    """Full data, judged sets and random subsets by speaker and by gender, as the confusions."""
    scores: tuple[Score, ...]
    """Of judged sets, as the confusions."""
    attacks: tuple[Attack, ...]
    """On who is speaking, where attackers were asked for; the strongest of each kind."""

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
        pooled: bool = True,
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
            pooled: whether several folds are one test in parts; else each is a test of its own
                (`synth_data.protocol.pooled`).
            seed: of the resamples behind the intervals.

        Raises:
            ReportError: there is no fold, a fold stands twice, or their emotions differ.
        """
        _require_one_experiment(folds)
        generator = np.random.default_rng(seed)
        scopes = [Scope.of(result.fold, [result], generator) for result in folds]
        main = scopes
        if pooled and len(folds) > 1:
            main = [Scope.of("all", folds, generator)]
            scopes = [*main, *scopes]
        first, numbers = main[0], [result.fold for result in folds]
        partly = {one: len(first.samples[one].confusions) for one in first.partial}
        apart = [_apart(folds[0])] if len(main) > 1 else []
        return cls(
            protocol=protocol,
            corpus=corpus,
            emotions=folds[0].emotions,
            notes=(*notes, *untested(folds), *adding_up(folds), *partly_pooled(partly), *apart),
            guarantees=tuple(guarantees),
            command=command,
            versions=Versions.here(),
            rows=tuple(row for scope in scopes for row in scope.rows()),
            tests={result.fold: result.listed for result in folds if result.listed},
            comparisons=tuple(one for scope in main for one in comparisons(scope)),
            confusions=tuple(confusions(first)),
            groups=tuple(groups(first)),
            scores=tuple(scores(first)),
            attacks=tuple(attacks(folds if pooled else folds[:1], generator)),
            unavailable=(
                *reasons([result.unavailable for result in folds], numbers),
                *not_pooled(first.incomplete, first.samples, "UAR"),
            ),
            failed=reasons([result.failed for result in folds], numbers),
        )

    def table(self) -> str:
        """The main table for a terminal: 110 characters or less, for names of usual length."""
        parts = []
        for title, rows, compared in self.classrooms(self._heard(CLEAN)):
            parts += [title, tables.plain(tables.main_table(rows))]
            for number, differences in enumerate(tables.differences(compared)):
                start = f"{DIFFERENCES}:\n" if number == 0 else ""
                parts.append(start + tables.plain(differences))
        return self.table_with(parts, [COLUMNS, *self.natives()])

    def markdown(self) -> str:
        """The whole report for people."""
        parts = []
        for title, rows, compared in self.classrooms(self._heard(CLEAN)):
            parts += [f"## {title}", tables.markdown(tables.main_table(rows))]
            if compared:
                parts += [f"{DIFFERENCES}:", *map(tables.markdown, tables.differences(compared))]
            if rows[0].fold == "all":
                every = self._per_fold(rows)
                parts += ["UAR per fold:", tables.markdown(tables.fold_table(every))]
        parts += [COLUMNS, *self.natives()]
        first, home = self._first(), self._home()
        compared = [one for one in self.comparisons if one.fold == self.main_folds[0]]
        parts += [
            sections.robustness(first),
            sections.students(first),
            sections.start_noise(
                [row for row in self._first(start_noise=True) if row.speech == CLEAN]
            ),
            sections.who_loses(self.groups, home),
            sections.needs(first, home),
            sections.model_distillation(first, compared),
            sections.scores(self.scores),
            attack_section.attacks(self.attacks, first),
        ]
        return self.markdown_with(parts, limits(max(row.speakers for row in self.rows)))

    def _heard(self, speech: str) -> list[Row]:
        return [row for row in self.rows if row.speech == speech]

    def _per_fold(self, pooled: Sequence[Row]) -> list[Row]:
        """The rows of single folds with the same students."""
        who = {(row.student, row.recipe) for row in pooled}
        return [
            row
            for row in self._heard(CLEAN)
            if row.fold != "all"
            and (row.student, row.recipe) in who
            and noise_of(row.initialisation) is None
        ]

    def _first(self, start_noise: bool = False) -> list[Row]:
        """Over all folds if they are pooled, else of the first; not what scores alone are made of.

        Args:
            start_noise: those with noise on their fixed weights as well.
        """
        return [
            row
            for row in self.rows
            if row.fold == self.main_folds[0]
            and row.recipe not in (AUGMENTED, HARD_LABELS)
            and (start_noise or noise_of(row.initialisation) is None)
        ]

    def _home(self) -> str:
        """The student that the first judged set was made for, or else the first."""
        rows = [row for row in self._first() if row.speech == CLEAN]
        names = {row.student for row in rows}
        made_for = [row.made_for for row in rows if row.judged and row.made_for in names]
        return made_for[0] or "" if made_for else rows[0].student


def _apart(first: FoldResult) -> str:
    """What a reader must know where tests share their training speakers."""
    name = f"fold {first.fold}" + (f" ({first.listed})" if first.listed else "")
    return (
        f"the tests share their training side, so each stands for itself and none are pooled; what "
        f"is shown beside results and differences is of {name}"
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
