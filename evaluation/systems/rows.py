"""What a model-distillation system is worth: rows of a table, and the runs they are made of."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from pydantic import TypeAdapter
from torch import Tensor

from evaluation.systems.fitting import concordances
from synth_data.errors import UserError

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
        said: rows of test utterances, in [-1, 1]; columns are the dimensions.
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


@dataclass(frozen=True)
class Fold:
    """All that was measured on one fold.

    Attributes:
        fold: its number; the first is 1.
        dimensions: of which the columns are.
        utterances: names of the test utterances; `speakers` and `truth` are aligned with them.
        speakers: who speaks.
        truth: rows in [-1, 1]; None where nothing is known.
        runs: at least one.
        notes: what was chosen, such as the layers that taught.
        relevance: by dimension, how much a teacher's head listens to each layer; empty where the
            system has no such head.
    """

    __pydantic_config__ = {"strict": True, "extra": "forbid"}  # noqa: RUF012

    fold: int
    dimensions: list[str]
    utterances: list[str]
    speakers: list[str]
    truth: list[list[float | None]]
    runs: list[Run]
    notes: list[str]
    relevance: dict[str, list[float]]

    def concordance(self, run: Run) -> Float[np.ndarray, " dimension"]:
        """A run's CCC of each dimension."""
        truth = torch.tensor(
            [[np.nan if value is None else value for value in row] for row in self.truth]
        )
        return concordances(truth, torch.tensor(run.said))


@dataclass(frozen=True)
class SystemRow:
    """A model of a system in a table beside distilled data.

    Attributes:
        system: "representation" or "audio-textual".
        model: its name.
        ccc: by dimension: mean over seeds, then over folds.
        mean: of these.
        spread: standard deviation of the mean over seeds and folds; None for a single one.
        relative: `mean` over that of the low-level model that nobody taught; None where that is
            not above zero.
        parameters: as in `Run`.
        fraction: of the parameters of what taught it; None if nobody did.
        bytes: shipped, as in `Run`.
        minutes: to make it, its teacher's training included; mean.
        hears: as in `Run`.
        raw_speech: who needs the recordings.
    """

    __pydantic_config__ = {"strict": True, "extra": "forbid"}  # noqa: RUF012

    system: str
    model: str
    ccc: dict[str, float]
    mean: float
    spread: float | None
    relative: float | None
    parameters: int
    fraction: float | None
    bytes: int
    minutes: float
    hears: str
    raw_speech: str


def rows_of(system: str, folds: Sequence[Fold]) -> list[SystemRow]:
    """A row for each model, in the order in which they were trained."""
    found: dict[str, list[tuple[int, Run, Float[np.ndarray, " dimension"]]]] = {}
    for fold in folds:
        for run in fold.runs:
            found.setdefault(run.model, []).append((fold.fold, run, fold.concordance(run)))
    means = {model: _over_folds(runs) for model, runs in found.items()}
    plain = float(np.nanmean(means[LOW_LEVEL])) if LOW_LEVEL in means else 0.0
    rows = []
    for model, runs in found.items():
        _, first, _ = runs[0]
        each = [float(np.nanmean(ccc)) for _, _, ccc in runs]
        mean = float(np.nanmean(means[model]))
        rows.append(
            SystemRow(
                system=system,
                model=model,
                ccc=dict(zip(folds[0].dimensions, map(float, means[model]), strict=True)),
                mean=mean,
                spread=float(np.std(each, ddof=1)) if len(each) > 1 else None,
                relative=mean / plain if plain > 0 else None,
                parameters=first.parameters,
                fraction=first.parameters / first.teachers if first.teachers else None,
                bytes=first.bytes,
                minutes=float(np.mean([run.seconds for _, run, _ in runs])) / 60,
                hears=first.hears,
                raw_speech=MAKER,
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
    return _read(file, Fold, lambda content: content)


def read_rows(folder: Path) -> list[SystemRow]:
    """The rows of a run of `distill-model`, from its output folder.

    Raises:
        UserError: there is no finished run in the folder, or its report is damaged.
    """
    if not (folder / REPORT).is_file():
        raise UserError(
            f"{folder} holds no {REPORT} of distill-model: give the --out of a finished run, or "
            f"finish it with the same command"
        )
    return _read(folder / REPORT, list[SystemRow], lambda content: content["rows"])


def known_or_none(targets: Tensor) -> list[list[float | None]]:
    """Rows of targets as JSON has them."""
    return [[value if np.isfinite(value) else None for value in row] for row in targets.tolist()]


def _over_folds(
    runs: Iterable[tuple[int, Run, Float[np.ndarray, " dimension"]]],
) -> Float[np.ndarray, " dimension"]:
    by_fold: dict[int, list[Any]] = {}
    for fold, _, ccc in runs:
        by_fold.setdefault(fold, []).append(ccc)
    return np.asarray(np.mean([np.mean(each, axis=0) for each in by_fold.values()], axis=0))


def _read(file: Path, kind: Any, part: Any) -> Any:
    try:
        content: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return TypeAdapter(kind).validate_json(json.dumps(part(content)), strict=True)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UserError(
            f"{file}: damaged ({type(error).__name__}: {error}). Delete it and give the same "
            f"command again"
        ) from error
