"""What evaluation measures: which emotion each student heard in each test utterance.

Everything else (UAR, intervals, reports) follows from these predictions. On disk a fold is two
files: `predictions.csv`, one row per run and utterance with emotions by name, for any tool; and
`runs.json`, what a table of predictions cannot hold.
"""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import ConfigDict, TypeAdapter

from evaluation.attacks.attempts import Attempt
from evaluation.files import write_atomically
from synth_data.errors import UserError

RANDOM_SUBSET = "random"  # the set of randomly drawn real utterances
FULL = "full"  # the set of all real training utterances: what every other is measured against
FULL_AS = "full, "  # and the name of a set: the same, as that set's students hear it
DISTILLED = "distilled"

PREDICTIONS = "predictions.csv"
RUNS = "runs.json"
KEY = ("set", "draw", "ipc", "student", "initialisation", "recipe", "speech", "seed")
COLUMNS = ("utterance", "speaker", "gender", "emotion", *KEY, "predicted")

CLEAN = "clean"  # the test speech as it is; other names are of degradations

# What leaves whoever holds the recordings, so that others can have a recogniser.
Ships = Literal[
    "real items",
    "synthetic items",
    "synthetic items near real ones",
    "items of unknown origin",
    "means of items",
    "a generator",
    "weights",
    "nothing",
]


class FoldError(UserError):
    """A fold's stored predictions are incomplete or contradict each other."""


class Condition(NamedTuple):
    """What is compared: all that names a run, but for chance."""

    set: str
    ipc: int | None
    student: str
    initialisation: str
    recipe: str
    speech: str


@dataclass(frozen=True)
class Run:
    """One student, trained on one set and tested on one fold.

    Attributes:
        set: "full", "random", or another baseline's name; "distilled", or the name it was given,
            for a set that is judged.
        draw: which random draw of the set; 0 where there is only one.
        ipc: items per class; None for all of the real training data.
        student: the network's name.
        initialisation: "fixed" or "random".
        recipe: how the student was trained, such as "generic".
        speech: how the test speech is heard: "clean", or the name of a degradation.
        seed: of the student.
        judged: whether the set is one under evaluation, not one to compare it with.
        made_for: the network that a judged set was made for, where there is one.
        ships: what leaves whoever holds the recordings.
        setting: what was chosen on validation speakers; empty for an untrained student.
        steps: of the optimiser that trained this student; 0 where there was none.
        utterances: items in the set.
        parameters: of the student.
        bytes: of what is shipped, as stored.
        making_seconds: to make the set; 0.0 where nothing is computed, None if nobody knows.
        student_seconds: to train this student, for whoever receives what is shipped.
        peak_memory: bytes that training a student on the set takes beyond the loaded libraries;
            None where it was not measured.
        predicted: a class index per test utterance; none where there are no emotions to tell.
        numbers: per test utterance, what was told of each dimension, on the corpus' scale; none
            where there are no dimensions to tell.
        soft_labels: whether it is a judged set whose items may be of several emotions.
    """

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    set: str
    draw: int
    ipc: int | None
    student: str
    initialisation: str
    recipe: str
    speech: str
    seed: int
    judged: bool
    made_for: str | None
    ships: Ships
    setting: str
    steps: int
    utterances: int
    parameters: int
    bytes: int
    making_seconds: float | None
    student_seconds: float
    peak_memory: int | None
    predicted: tuple[int, ...]
    numbers: tuple[tuple[float, ...], ...] = ()
    soft_labels: bool = False  # earlier runs do not say

    @property
    def condition(self) -> Condition:
        """What this run is one sample of."""
        return Condition(
            self.set, self.ipc, self.student, self.initialisation, self.recipe, self.speech
        )

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
        utterances: names of the test utterances; `speakers`, `genders` ("female", "male", or
            empty where it is not known) and `truth` (class indices) are aligned with them.
        runs: at least one; no two with the same condition, draw and seed.
        unavailable: sets that could not be made, with the reason, such as "random: ipc 60
            exceeds the 46 utterances of disgust".
        failed: students whose training failed, with the reason.
        attempts: of attackers.
        listed: the name of the test as the corpus' own split lists it, such as test1; empty where
            it lists none.

    Raises:
        FoldError: these do not fit together.
    """

    fold: int
    emotions: tuple[str, ...]
    utterances: tuple[str, ...]
    speakers: tuple[str, ...]
    genders: tuple[str, ...]
    truth: tuple[int, ...]
    runs: tuple[Run, ...]
    unavailable: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    listed: str = ""

    def __post_init__(self) -> None:
        for problem in self._problems():
            raise FoldError(f"fold {self.fold}: {problem}")

    @property
    def aligned(self) -> tuple[Sequence[Any], ...]:
        """What is known of each test utterance: name, speaker, gender, true emotion."""
        return self.utterances, self.speakers, self.genders, self.truth

    def _problems(self) -> Iterator[str]:
        if self.failed and not self.runs:
            yield f"every student failed: {'; '.join(self.failed)}"
        elif not self.runs or not self.utterances:
            yield (
                f"{len(self.runs)} runs on {len(self.utterances)} utterances; "
                f"at least one of each is needed"
            )
        if len({len(column) for column in self.aligned}) != 1:
            yield (
                f"{len(self.utterances)} utterances, but {len(self.speakers)} speakers, "
                f"{len(self.genders)} genders and {len(self.truth)} true emotions"
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
            key = key_of(run)
            rows = zip(*self.aligned, run.predicted, strict=True)
            for *heard, truth, predicted in rows:
                writer.writerow([*heard, self.emotions[truth], *key, self.emotions[predicted]])
        rest = {
            "fold": self.fold,
            "listed": self.listed,
            "emotions": self.emotions,
            "unavailable": self.unavailable,
            "failed": self.failed,
            "attempts": [asdict(attempt) for attempt in self.attempts],
            "runs": [without_predictions(run) for run in self.runs],
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
            fold = checked(int, rest["fold"])
            emotions = checked(tuple[str, ...], rest["emotions"])
            unavailable = checked(tuple[str, ...], rest["unavailable"])
            failed = checked(tuple[str, ...], rest["failed"])
            attempts = checked(tuple[Attempt, ...], rest["attempts"])
            silent = [checked(Run, {**fields, "predicted": []}) for fields in rest["runs"]]
            file = PREDICTIONS
            rows = rows_by_run(folder / PREDICTIONS, COLUMNS)
            runs, tests = [], set()
            for run in silent:
                own = rows.pop(key_of(run))
                predicted = tuple(emotions.index(row["predicted"]) for row in own)
                runs.append(replace(run, predicted=predicted))
                tests.add(tuple(tuple(row[c] for c in COLUMNS[:4]) for row in own))
            if rows or len(tests) != 1:
                raise ValueError(f"its runs are not those of {RUNS}, all on the same utterances")
            utterances, speakers, genders, truth = zip(*tests.pop(), strict=True)
            return cls(
                fold=fold,
                emotions=emotions,
                utterances=utterances,
                speakers=speakers,
                genders=genders,
                truth=tuple(emotions.index(emotion) for emotion in truth),
                runs=tuple(runs),
                unavailable=unavailable,
                failed=failed,
                attempts=attempts,
                listed=checked(str, rest.get("listed", "")),  # earlier runs do not say
            )
        except (OSError, ValueError, LookupError, TypeError, csv.Error) as error:
            raise FoldError(
                f"{folder / file}: damaged or missing. Delete {folder / RUNS}, nothing else, and "
                f"run the same command with --resume, which judges the set once more "
                f"({type(error).__name__}: {error})"
            ) from error


def checked(kind: Any, value: object) -> Any:
    """A value out of JSON as `kind`, or a `ValueError`."""
    return TypeAdapter(kind).validate_json(json.dumps(value), strict=True)


def without_predictions(run: Run) -> dict[str, Any]:
    """What is stored of a run beside the table."""
    fields = asdict(run)
    del fields["predicted"], fields["numbers"]
    return fields


def key_of(run: Run) -> tuple[str, ...]:
    """The cells of a run's rows that name it."""
    values = [getattr(run, column) for column in KEY]
    return tuple("" if value is None else str(value) for value in values)


def rows_by_run(path: Path, columns: Sequence[str]) -> dict[tuple[str, ...], list[dict[str, str]]]:
    """The rows of a table of predictions, by what names their run.

    Raises:
        ValueError: it has other columns.
        OSError: it cannot be read.
    """
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream, strict=True)
        if tuple(reader.fieldnames or ()) != tuple(columns):
            raise ValueError(f"its columns should be {', '.join(columns)}")
        rows = defaultdict(list)
        for row in reader:
            rows[tuple(row[column] for column in KEY)].append(row)
    return dict(rows)
