"""What is measured of dimensions: what each student told of each test utterance.

Everything else follows from it. On disk a fold is two files, as for emotions: `predictions.csv`,
one row per run and utterance, with the truth and what was told, on the corpus' scale; and
`runs.json`, what a table of predictions cannot hold.
"""

import csv
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from evaluation.files import write_atomically
from evaluation.runs import (
    KEY,
    PREDICTIONS,
    RUNS,
    FoldError,
    Run,
    checked,
    key_of,
    rows_by_run,
    without_predictions,
)
from synth_data.real import RealSet
from synth_data.task import Task

WHO = ("utterance", "speaker", "gender")
UNKNOWN = -1  # of an utterance without an emotion


@dataclass(frozen=True)
class DimensionalResult:
    """Everything measured on one fold.

    Attributes:
        fold: its number; the first is 1.
        task: what was told.
        utterances: names of the test utterances; `speakers`, `genders` ("female", "male", or empty
            where it is not known), `emotions` and `truth` are aligned with them.
        emotions: class indices, `UNKNOWN` for none; empty where no emotions are told.
        truth: a value for each of the task's dimensions, on the corpus' scale; None where it is
            not known.
        runs: at least one; no two with the same condition, draw and seed.
        unavailable: sets that could not be made, with the reason.
        failed: students whose training failed, with the reason.
        listed: the name of the test as the corpus' own split lists it, such as test1; empty where
            it lists none.

    Raises:
        FoldError: these do not fit together.
    """

    fold: int
    task: Task
    utterances: tuple[str, ...]
    speakers: tuple[str, ...]
    genders: tuple[str, ...]
    emotions: tuple[int, ...]
    truth: tuple[tuple[float | None, ...], ...]
    runs: tuple[Run, ...]
    unavailable: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    listed: str = ""

    def __post_init__(self) -> None:
        for problem in self._problems():
            raise FoldError(f"fold {self.fold}: {problem}")

    def _problems(self) -> Iterator[str]:
        tested, dimensions = len(self.utterances), len(self.task.dimensions)
        if self.failed and not self.runs:
            yield f"every student failed: {'; '.join(self.failed)}"
        elif not self.runs or not tested:
            yield f"{len(self.runs)} runs on {tested} utterances; at least one of each is needed"
        heard: list[Sequence[object]] = [self.speakers, self.genders, self.truth]
        if self.task.emotions:
            heard.append(self.emotions)
        if {len(column) for column in heard} != {tested}:
            yield f"what is known of {tested} utterances is known of {[len(one) for one in heard]}"
        if any(len(row) != dimensions for row in self.truth):
            yield f"the truth is not of {dimensions} dimensions everywhere"
        seen = set()
        for run in self.runs:
            name = f"{run.condition} with draw {run.draw} and seed {run.seed}"
            if [len(row) for row in run.numbers] != [dimensions] * tested:
                yield f"not {dimensions} numbers for each of {tested} utterances in {name}"
            if len(run.predicted) != (tested if self.task.emotions else 0):
                yield f"{len(run.predicted)} emotions for {tested} utterances in {name}"
            if (run.condition, run.replica) in seen:
                yield f"two runs are {name}"
            seen.add((run.condition, run.replica))

    def save(self, folder: Path) -> None:
        """Writes both files into `folder`, each whole; `runs.json` last, so it marks the end."""
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(_columns(self.task))
        names = dict(enumerate(self.task.emotions)) | {UNKNOWN: ""}
        who = list(zip(self.utterances, self.speakers, self.genders, strict=True))
        for run in self.runs:
            key = key_of(run)
            for row, heard in enumerate(who):
                cells: list[object] = [*heard, *key]
                if self.task.emotions:
                    cells += [names[self.emotions[row]], names[run.predicted[row]]]
                for true, told in zip(self.truth[row], run.numbers[row], strict=True):
                    cells += ["" if true is None else true, told]
                writer.writerow(cells)
        rest = {
            "fold": self.fold,
            "listed": self.listed,
            "task": asdict(self.task),
            "unavailable": self.unavailable,
            "failed": self.failed,
            "runs": [without_predictions(run) for run in self.runs],
        }
        write_atomically(folder / PREDICTIONS, table.getvalue())
        write_atomically(folder / RUNS, json.dumps(rest, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, folder: Path) -> "DimensionalResult":
        """Reads what `save` wrote.

        Raises:
            FoldError: a file is missing, cannot be read, or does not fit the other.
        """
        file = RUNS
        try:
            rest = json.loads((folder / RUNS).read_text(encoding="utf-8"))
            task = checked(Task, rest["task"])
            silent = [checked(Run, {**fields, "predicted": []}) for fields in rest["runs"]]
            file = PREDICTIONS
            rows = rows_by_run(folder / PREDICTIONS, _columns(task))
            runs, tests = [], set()
            for run in silent:
                own = rows.pop(key_of(run))
                runs.append(
                    replace(
                        run,
                        predicted=tuple(_classes(task, own, "predicted")),
                        numbers=tuple(tuple(map(float, row)) for row in _cells(task, own, _told)),
                    )
                )
                heard = tuple(tuple(row[column] for column in WHO) for row in own)
                emotions = tuple(_classes(task, own, "emotion"))
                truth = tuple(
                    tuple(float(cell) if cell else None for cell in row)
                    for row in _cells(task, own, str)
                )
                tests.add((heard, emotions, truth))
            if rows or len(tests) != 1:
                raise ValueError(f"its runs are not those of {RUNS}, all on the same utterances")
            heard, emotions, truth = tests.pop()
            utterances, speakers, genders = zip(*heard, strict=True)
            return cls(
                fold=checked(int, rest["fold"]),
                task=task,
                utterances=utterances,
                speakers=speakers,
                genders=genders,
                emotions=emotions,
                truth=truth,
                runs=tuple(runs),
                unavailable=checked(tuple[str, ...], rest["unavailable"]),
                failed=checked(tuple[str, ...], rest["failed"]),
                listed=checked(str, rest["listed"]),
            )
        except (OSError, ValueError, LookupError, TypeError, csv.Error) as error:
            raise FoldError(
                f"{folder / file}: damaged or missing. Delete {folder / RUNS}, nothing else, and "
                f"run the same command with --resume, which judges the set once more "
                f"({type(error).__name__}: {error})"
            ) from error


def truth_of(test: RealSet) -> dict[str, Any]:
    """What a result says of the truth: emotions, and values on the corpus' scale."""
    task, targets = test.task, test.targets
    values = task.on_scale(task.numbers(targets).double()).tolist()
    emotions: Sequence[int] = ()
    if task.emotions:
        shares = task.shares(targets)
        known = ~shares.isnan().any(dim=1)
        emotions = shares.nan_to_num(0.0).argmax(dim=1).where(known, UNKNOWN).tolist()
    return {
        "emotions": tuple(emotions),
        "truth": tuple(
            tuple(None if math.isnan(value) else round(value, 6) for value in row) for row in values
        ),
    }


def _columns(task: Task) -> tuple[str, ...]:
    emotions = ("emotion", "predicted") if task.emotions else ()
    numbers = (column for name in task.dimensions for column in (name, _told(name)))
    return (*WHO, *KEY, *emotions, *numbers)


def _told(dimension: str) -> str:
    return f"{dimension}_predicted"


def _classes(task: Task, rows: Sequence[Mapping[str, str]], column: str) -> Iterator[int]:
    for row in rows if task.emotions else ():
        yield task.emotions.index(row[column]) if row[column] else UNKNOWN


def _cells(
    task: Task, rows: Sequence[Mapping[str, str]], column: Callable[[str], str]
) -> Iterator[list[str]]:
    """Of each row, what the columns of the dimensions say."""
    for row in rows:
        yield [row[column(name)] for name in task.dimensions]
