"""What a model-distillation system is worth: rows of a table, and the runs they are made of."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from pydantic import TypeAdapter

from evaluation.concordance import ccc_of, moment_rows
from evaluation.intervals import alike, correlation_interval, speaker_weights
from evaluation.records import FoldName
from synth_data.errors import UserError

FloatRows = Float[np.ndarray, "dimension _"]

RESULT = "result.json"
REPORT = "report.json"
LOW_LEVEL = "low-level alone"  # the full-data student that nobody taught
MAKER = "who makes it"  # needs the raw speech; what is shipped are weights


@dataclass(frozen=True)
class Run:
    """One model, trained once and tested on one fold.

    Attributes:
        model: its name in the table.
        seed: of its training.
        hears: what it takes to use it: "speech", "transcript", or "speech + transcript".
        parameters: all that it consists of; an encoder's are counted.
        teachers: parameters of what taught it, with its encoders; 0 if nobody did.
        bytes: of its weights, as stored.
        seconds: to make it, its teacher's training included.
        validation: its mean CCC there, which its training stopped by.
        said: rows of test utterances; columns are the dimensions, as targets in [-1, 1] but not
            cut off there.
        speech_teacher: parameters of the encoder of speech alone that taught it, where one of text
            did as well; else 0.
    """

    __pydantic_config__ = {"strict": True, "extra": "forbid"}  # noqa: RUF012

    model: str
    seed: int
    hears: str
    parameters: int
    teachers: int
    bytes: int
    seconds: float
    validation: float
    said: list[list[float]]
    speech_teacher: int = 0


@dataclass(frozen=True)
class Fold:
    """All that was measured on one fold.

    Attributes:
        fold: its number; the first is 1.
        dimensions: of which the columns are.
        utterances: names of the test utterances; `speakers` and `truth` are aligned with them.
        speakers: who speaks.
        truth: rows in [-1, 1]; None where a dimension is not known.
        runs: at least one.
        notes: what was chosen, such as the layers that taught.
    """

    __pydantic_config__ = {"strict": True, "extra": "forbid"}  # noqa: RUF012

    fold: int
    dimensions: list[str]
    utterances: list[str]
    speakers: list[str]
    truth: list[list[float | None]]
    runs: list[Run]
    notes: list[str]

    def sums(self, run: Run) -> dict[str, FloatRows]:
        """By speaker who has a value of a dimension: sums of a run's moments `[dimension, 6]`."""
        rows = moment_rows(np.array(self.truth, dtype=np.float64), np.array(run.said))
        who = np.array(self.speakers)
        return {name: rows[who == name].sum(axis=0) for name in self.rated}

    @property
    def rated(self) -> list[str]:
        """Speakers who have a value of a dimension; the others say nothing of numbers."""
        return list(self.told_of)

    @property
    def told_of(self) -> Counter[str]:
        """Of each of them, how many utterances have a value."""
        told = zip(self.speakers, self.truth, strict=True)
        return Counter(name for name, row in told if any(value is not None for value in row))


@dataclass(frozen=True)
class SystemRow:
    """A model of a system in a table beside distilled data.

    Attributes:
        system: "representation" or "audio-textual".
        fold: whose test utterances; "all" where several folds are pooled.
        model: its name.
        ccc: by dimension, over the test utterances; the mean over seeds.
        mean: of these.
        sd: standard deviation of `mean` over seeds; None for a single one.
        interval: of `mean`, 95 %, from a bootstrap over test speakers; None if there is one.
        relative: `mean` over that of the low-level model that nobody taught; None where that is
            not above zero.
        parameters: as in `Run`; the mean, as a teacher's width is that of the layers that it hears,
            which differ between folds.
        fraction: of the parameters of what taught it, the mean; None if nobody did.
        bytes: shipped, as in `Run`; the mean.
        minutes: to make it, its teacher's training included; mean.
        hears: as in `Run`.
        raw_speech: who needs the recordings.
        of_speech: parameters as a fraction of those of the encoder of speech alone, where one of
            text taught it as well; else None.
    """

    __pydantic_config__ = {"strict": True, "extra": "forbid"}  # noqa: RUF012

    system: str
    fold: FoldName
    model: str
    ccc: dict[str, float]
    mean: float
    sd: float | None
    interval: list[float] | None
    relative: float | None
    parameters: int
    fraction: float | None
    bytes: int
    minutes: float
    hears: str
    raw_speech: str
    of_speech: float | None = None


@dataclass(frozen=True)
class SystemRun:
    """What a run of `distill-model` found: the content of its report.json.

    Attributes:
        system: its name.
        corpus: its name on the command line.
        recordings: digest of the corpus.
        ratings: the same of the dimensions' values, which models were taught and tested by; empty
            in older files, which do not say.
        protocol: its name.
        line: that is printed with every number.
        command: that makes the run again.
        notes: what was chosen.
        rows: of the table.
    """

    __pydantic_config__ = {"strict": True, "extra": "forbid"}  # noqa: RUF012

    system: str
    corpus: str
    recordings: str
    protocol: str
    line: str
    command: str
    notes: list[str]
    rows: list[SystemRow]
    ratings: str = ""


def rows_of(system: str, folds: Sequence[Fold], pooled: bool = True) -> list[SystemRow]:
    """A row for each model, in the order in which they were trained.

    Args:
        system: its name.
        folds: at least one, all of the same dimensions.
        pooled: whether several folds are one test in parts, whose utterances are taken together;
            else each is a test of its own, with its own rows.
    """
    if len(folds) > 1 and not pooled:
        return [row for fold in folds for row in rows_of(system, [fold])]
    told_of = sum((fold.told_of for fold in folds), Counter[str]())
    speakers = sorted(told_of)
    as_many = alike(np.array(list(told_of.values())))
    weights = speaker_weights(len(speakers), np.random.default_rng(0))
    by_model: dict[str, list[tuple[Fold, Run]]] = {}
    for fold in folds:
        for run in fold.runs:
            by_model.setdefault(run.model, []).append((fold, run))
    ccc = {model: _concordances(runs, speakers, weights) for model, runs in by_model.items()}
    plain = float(ccc[LOW_LEVEL][:, 0].mean()) if LOW_LEVEL in ccc else 0.0
    rows = []
    for model, runs in by_model.items():
        each = [run for _, run in runs]
        fractions = [run.parameters / run.teachers for run in each if run.teachers]
        of_speech = [run.parameters / run.speech_teacher for run in each if run.speech_teacher]
        seeds = ccc[model].mean(axis=2)[:, 0]  # mean over the dimensions, with all speakers once
        mean = float(seeds.mean())
        reach = correlation_interval(ccc[model].mean(axis=(0, 2)), as_many)
        rows.append(
            SystemRow(
                system=system,
                fold="all" if len(folds) > 1 else folds[0].fold,
                model=model,
                ccc=dict(
                    zip(folds[0].dimensions, ccc[model][:, 0].mean(axis=0).tolist(), strict=True)
                ),
                mean=mean,
                sd=float(seeds.std(ddof=1)) if len(seeds) > 1 else None,
                interval=None if reach is None else list(reach),
                relative=mean / plain if plain > 0 else None,
                parameters=round(np.mean([run.parameters for run in each])),
                fraction=float(np.mean(fractions)) if fractions else None,
                bytes=round(np.mean([run.bytes for run in each])),
                minutes=float(np.mean([run.seconds for run in each])) / 60,
                hears=each[0].hears,
                raw_speech=MAKER,
                of_speech=float(np.mean(of_speech)) if of_speech else None,
            )
        )
    return rows


def save(fold: Fold) -> str:
    """A fold as JSON."""
    return json.dumps(asdict(fold), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def read_fold(file: Path) -> Fold:
    """What `save` wrote.

    Raises:
        UserError: it is damaged.
    """
    return _read(file, Fold)


def read_run(folder: Path) -> SystemRun:
    """What a run of `distill-model` found, from its output folder.

    Raises:
        UserError: there is no finished run in the folder, or its report is damaged.
    """
    if not (folder / REPORT).is_file():
        raise UserError(
            f"{folder} holds no {REPORT} of distill-model: give the --out of a finished run, or "
            f"finish it with the same command"
        )
    return _read(folder / REPORT, SystemRun)


def fold_folder(folder: Path, number: int) -> Path:
    """Where a run keeps what it found on a fold."""
    return folder / f"fold-{number}"


def read_folds(folder: Path, numbers: Sequence[int]) -> list[Fold]:
    """Some folds of a run, in this order.

    Args:
        folder: the run's output folder.
        numbers: of the folds.

    Raises:
        UserError: one is not there, or is damaged.
    """
    files = {number: fold_folder(folder, number) / RESULT for number in numbers}
    if missing := [str(number) for number, file in files.items() if not file.is_file()]:
        there = [one.parent.name.removeprefix("fold-") for one in folder.glob(f"fold-*/{RESULT}")]
        found = ", ".join(sorted(there, key=lambda number: (len(number), number)))
        raise UserError(
            f"{folder} lacks fold {', '.join(missing)}, which the sets are tested on (found: fold "
            f"{found or 'none'}): give its distill-model command again with --fold "
            f"{missing[0] if len(missing) == 1 else 'all'}, or evaluate-data with a --fold that "
            f"both have"
        )
    return [read_fold(file) for file in files.values()]


def _concordances(
    runs: Sequence[tuple[Fold, Run]],
    speakers: Sequence[str],
    weights: Int[np.ndarray, "row speaker"],
) -> Float[np.ndarray, "seed row dimension"]:
    """CCC under each resample of the speakers, over the test utterances of all folds."""
    by_seed: dict[int, list[tuple[Fold, Run]]] = {}
    for fold, run in runs:
        by_seed.setdefault(run.seed, []).append((fold, run))
    found = []
    for own in by_seed.values():
        said: dict[str, FloatRows | float] = {}
        for fold, run in own:
            for name, sums in fold.sums(run).items():
                said[name] = said.get(name, 0.0) + sums
        every = np.stack([said[name] for name in speakers])
        found.append(ccc_of(np.einsum("rs,sdm->rdm", weights.astype(np.float64), every)))
    return np.stack(found)


def _read(file: Path, kind: Any) -> Any:
    try:
        return TypeAdapter(kind).validate_json(file.read_bytes(), strict=True)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{file}: damaged ({type(error).__name__}: {error}). Delete it and give the same "
            f"command again"
        ) from error
