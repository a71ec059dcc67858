"""What evaluation measures: which emotion each student heard in each test utterance.

Everything else (UAR, intervals, reports) follows from these predictions. On disk a fold is two
files: `predictions.csv`, one row per run and utterance with emotions by name, for any tool; and
`runs.json`, what a table of predictions cannot hold.
"""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ConfigDict, TypeAdapter

from evaluation.files import write_atomically
from synth_data.errors import UserError

FULL = "full"  # the set of all real training utterances: what every other is measured against
DISTILLED = "distilled"

PREDICTIONS = "predictions.csv"
RUNS = "runs.json"
KEY = ("set", "draw", "ipc", "student", "initialisation", "recipe", "seed")
COLUMNS = ("utterance", "speaker", "emotion", *KEY, "predicted")


class FoldError(UserError):
    """A fold's stored predictions are incomplete or contradict each other."""


class Condition(NamedTuple):
    """What is compared: all that names a run, but for chance."""

    set: str
    ipc: int | None
    student: str
    initialisation: str
    recipe: str


@dataclass(frozen=True)
class Run:
    """One student, trained on one set and tested on one fold.

    Attributes:
        set: "full", "distilled", "random", or another baseline's name.
        draw: which random draw of the set; 0 where there is only one.
        ipc: items per class; None for all of the real training data.
        student: the network's name.
        initialisation: "fixed" or "random".
        recipe: how the student was trained, such as "generic".
        seed: of the student.
        learning_rate: that was chosen on validation speakers; 0.0 for an untrained student.
        utterances: items in the set.
        parameters: of the student.
        bytes: of the set as stored.
        making_seconds: to make the set; 0.0 where nothing is computed.
        student_seconds: to train this student.
        predicted: a class index per test utterance.
    """

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")

    set: str
    draw: int
    ipc: int | None
    student: str
    initialisation: str
    recipe: str
    seed: int
    learning_rate: float
    utterances: int
    parameters: int
    bytes: int
    making_seconds: float
    student_seconds: float
    predicted: tuple[int, ...]

    @property
    def condition(self) -> Condition:
        """What this run is one sample of."""
        return Condition(self.set, self.ipc, self.student, self.initialisation, self.recipe)

    @property
    def replica(self) -> tuple[int, int]:
        """(draw, seed): which sample it is."""
        return self.draw, self.seed


@dataclass(frozen=True)
class FoldResult:
    """Everything measured on one fold.

    Attributes:
        fold: its number; the first is 1.
        emotions: class names, in the order of the class indices.
        utterances: names of the test utterances; `speakers` and `truth` (class indices) are
            aligned with them.
        runs: at least one; no two with the same condition, draw and seed.
        unavailable: sets that could not be made, with the reason, such as "random: ipc 60
            exceeds the 46 utterances of disgust".

    Raises:
        FoldError: these do not fit together.
    """

    fold: int
    emotions: tuple[str, ...]
    utterances: tuple[str, ...]
    speakers: tuple[str, ...]
    truth: tuple[int, ...]
    runs: tuple[Run, ...]
    unavailable: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for problem in self._problems():
            raise FoldError(f"fold {self.fold}: {problem}")

    def _problems(self) -> Iterator[str]:
        if not self.runs or not self.utterances:
            yield (
                f"{len(self.runs)} runs on {len(self.utterances)} utterances; "
                f"at least one of each is needed"
            )
        if not len(self.utterances) == len(self.speakers) == len(self.truth):
            yield (
                f"{len(self.utterances)} utterances, but {len(self.speakers)} speakers "
                f"and {len(self.truth)} true emotions"
            )
        seen = set()
        for run in self.runs:
            name = f"{run.condition} with draw {run.draw} and seed {run.seed}"
            if len(run.predicted) != len(self.utterances):
                yield f"{len(run.predicted)} predictions for {len(self.utterances)} in {name}"
            if not all(0 <= index < len(self.emotions) for index in (*self.truth, *run.predicted)):
                yield f"a class index outside the {len(self.emotions)} emotions in {name}"
            if (run.condition, run.replica) in seen:
                yield f"two runs are {name}"
            seen.add((run.condition, run.replica))

    def save(self, folder: Path) -> None:
        """Writes both files into `folder`, each whole; `runs.json` last, so it marks the end."""
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(COLUMNS)
        for run in self.runs:
            key = _key(run)
            for utterance, speaker, truth, predicted in zip(
                self.utterances, self.speakers, self.truth, run.predicted, strict=True
            ):
                writer.writerow(
                    [utterance, speaker, self.emotions[truth], *key, self.emotions[predicted]]
                )
        rest = {
            "fold": self.fold,
            "emotions": self.emotions,
            "unavailable": self.unavailable,
            "runs": [_without_predictions(run) for run in self.runs],
        }
        write_atomically(folder / PREDICTIONS, table.getvalue())
        write_atomically(folder / RUNS, json.dumps(rest, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, folder: Path) -> "FoldResult":
        """Reads what `save` wrote.

        Raises:
            FoldError: a file is missing, cannot be read, or does not fit the other.
        """
        file = RUNS
        try:
            rest = json.loads((folder / RUNS).read_text(encoding="utf-8"))
            fold = _checked(int, rest["fold"])
            emotions = _checked(tuple[str, ...], rest["emotions"])
            unavailable = _checked(tuple[str, ...], rest["unavailable"])
            silent = [_checked(Run, {**fields, "predicted": []}) for fields in rest["runs"]]
            file = PREDICTIONS
            rows = _rows_by_run(folder / PREDICTIONS)
            runs, tests = [], set()
            for run in silent:
                own = rows.pop(_key(run))
                predicted = tuple(emotions.index(row["predicted"]) for row in own)
                runs.append(replace(run, predicted=predicted))
                tests.add(tuple((row["utterance"], row["speaker"], row["emotion"]) for row in own))
            if rows or len(tests) != 1:
                raise ValueError(f"its runs are not those of {RUNS}, all on the same utterances")
            utterances, speakers, truth = zip(*tests.pop(), strict=True)
            return cls(
                fold=fold,
                emotions=emotions,
                utterances=utterances,
                speakers=speakers,
                truth=tuple(emotions.index(emotion) for emotion in truth),
                runs=tuple(runs),
                unavailable=unavailable,
            )
        except (OSError, ValueError, LookupError, TypeError, csv.Error) as error:
            raise FoldError(
                f"{folder / file}: damaged or missing. Delete the folder {folder} and run the same "
                f"command with --resume ({type(error).__name__}: {error})"
            ) from error


def _checked(kind: Any, value: object) -> Any:
    """A value out of JSON as `kind`, or a `ValueError`."""
    return TypeAdapter(kind).validate_json(json.dumps(value), strict=True)


def _without_predictions(run: Run) -> dict[str, Any]:
    fields = asdict(run)
    del fields["predicted"]
    return fields


def _key(run: Run) -> tuple[str, ...]:
    """The cells of a run's rows that name it."""
    values = [getattr(run, column) for column in KEY]
    return tuple("" if value is None else str(value) for value in values)


def _rows_by_run(path: Path) -> dict[tuple[str, ...], list[dict[str, str]]]:
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream, strict=True)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError(f"its columns should be {', '.join(COLUMNS)}")
        rows = defaultdict(list)
        for row in reader:
            rows[tuple(row[column] for column in KEY)].append(row)
    return dict(rows)
