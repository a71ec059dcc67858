"""Systems that distil the model, beside sets that distil the data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation import tables
from evaluation.dimensional.records import DimensionalRow
from evaluation.options import PUPIL, TEACHER
from evaluation.records import FoldName, Record, Spread
from evaluation.runs import FULL
from evaluation.systems.fitting import parameters
from evaluation.systems.rows import SystemRow, read_folds, read_run, rows_of
from synth_data.errors import UserError
from synth_data.real import RealSet
from synth_data.representation import Representation
from synth_data.representations.encoder import SpeechEncoder
from synth_data.representations.text import TextEncoder

HEADER = ("set or model", "student", "CCC", "interval", "ratio", "parameters", "bytes", "minutes")
NEEDED = "needs the raw speech"
ABOUT = (
    "ratio: mean CCC relative to the best student here that is trained on full data. bytes: of "
    "what is shipped. Parameters and bytes are with the encoders that features are computed with, "
    "of sets and full data as of models. A set trains any student of whoever receives it; a model "
    "is finished. minutes: to make what is shipped; of a set and full data, to train a student as "
    "well."
)


def read_systems(
    folders: Sequence[Path], real: RealSet, protocol: str, folds: Sequence[int], pooled: bool
) -> tuple[SystemRow, ...]:
    """The rows of runs of `distill-model`, on the folds that sets are tested on and no others.

    Args:
        folders: their output folders.
        real: the corpus that sets are judged on.
        protocol: its name.
        folds: numbers of those that the report is of.
        pooled: whether several folds are one test in parts, as in the report.

    Returns:
        Of each run the rows of the folds pooled, where they are, and then of each fold.

    Raises:
        UserError: a folder holds no finished run, one on other recordings or ratings or by another
            protocol, whose test speakers are others, or one that lacks a fold.
    """
    rows: list[SystemRow] = []
    for folder in folders:
        run = read_run(folder)
        same = (run.recordings, run.ratings) == (real.digest, real.ratings)
        if not same or run.protocol != protocol:
            raise UserError(
                f"{folder} was tested on {run.corpus} by {run.protocol}, the sets are on "
                f"{real.corpus} by {protocol}"
                + (
                    ""
                    if same
                    else ", with other recordings or labels, ratings among them (of utterances "
                    "with an emotion alone, distill-model takes what sets of --task both do)"
                )
                + ": give a run of distill-model on the same recordings and protocol"
            )
        found = read_folds(folder, folds)
        if pooled and len(found) > 1:
            rows += rows_of(run.system, found)
        rows += rows_of(run.system, found, pooled=False)
    return tuple(rows)


class Encoders(Record):
    """What whoever uses a student needs beside it, where features are those of encoders."""

    parameters: int = 0
    """Of all of them."""
    bytes: int = 0
    """Of their weights, as loaded."""

    @classmethod
    def of(cls, spec: Representation) -> "Encoders":
        """Those of a representation, each counted once.

        Raises:
            UserError: one is not here.
        """
        encoders = {
            part.digest_of_encoder: part.network()
            for part in spec.parts
            if isinstance(part, SpeechEncoder | TextEncoder)
        }
        states = [one.state_dict().values() for one in encoders.values()]
        return cls(
            parameters=parameters(*encoders.values()),
            bytes=sum(each.numel() * each.element_size() for one in states for each in one),
        )


NO_ENCODERS = Encoders()


@dataclass(frozen=True)
class Way:
    """Full data, a judged set or a model that was distilled: one line of a table.

    Attributes:
        name: of the set, or of the system and its model.
        of: the set's name; None for a model.
        student: and its start; what a model takes to use it.
        ccc: mean over the dimensions.
        ratio: its mean to that of the best student of full data; None where that is not above 0.
        parameters: of the student or the model, and of the encoders that it hears by.
        bytes: of what is shipped, and of these encoders.
        seconds: to make what is shipped; of a set and full data, to train a student as well. None
            if nobody knows.
        needs: who needs the raw speech.
        dimensions: CCC of each, by name.
    """

    name: str
    of: str | None
    student: str
    ccc: Spread
    ratio: float | None
    parameters: int
    bytes: int
    seconds: float | None
    needs: str
    dimensions: Mapping[str, float]


def ways(
    fold: FoldName,
    rows: Sequence[DimensionalRow],
    systems: Sequence[SystemRow],
    encoders: Encoders = NO_ENCODERS,
) -> list[Way]:
    """Full data, judged sets and systems on the same test; none where no system was tested on it.

    Args:
        fold: the test.
        rows: on clean speech.
        systems: all that there are; their own encoders are counted in.
        encoders: that the features of sets and of full data are computed with.
    """
    own = [row for row in systems if row.fold == fold]
    shown = [
        row
        for row in rows
        if own
        and row.fold == fold
        and (row.judged or row.set == FULL)
        and not row.set.startswith((TEACHER, PUPIL))
    ]
    full = max((row.mean.ccc.mean for row in shown if row.set == FULL), default=0.0)

    def ratio(mean: float) -> float | None:
        return mean / full if full > 0 else None

    return [
        *(
            Way(
                name=row.set,
                of=row.set,
                student=f"{row.student}, {tables.start(row)}",
                ccc=row.mean.ccc,
                ratio=ratio(row.mean.ccc.mean),
                parameters=row.parameters + encoders.parameters,
                bytes=row.bytes + encoders.bytes,
                seconds=row.seconds,
                needs="who trains" if row.set == FULL else "who makes it",
                dimensions={one.dimension: one.ccc.mean for one in row.dimensions},
            )
            for row in shown
        ),
        *(
            Way(
                name=f"{row.system}: {row.model}",
                of=None,
                student=row.hears,
                ccc=Spread(mean=row.mean, interval=_pair(row.interval), sd=row.sd),
                ratio=ratio(row.mean),
                parameters=row.parameters,
                bytes=row.bytes,
                seconds=60 * row.minutes,
                needs=row.raw_speech,
                dimensions=row.ccc,
            )
            for row in own
        ),
    ]


def table(found: Sequence[Way], dimensions: Sequence[str]) -> tables.Table:
    """Ways as text."""
    return tables.Table(
        (*HEADER, NEEDED, *dimensions),
        [
            [
                one.name,
                one.student,
                tables.spread(one.ccc),
                tables.interval(one.ccc),
                tables.NONE if one.ratio is None else f"{one.ratio:.3f}",
                f"{one.parameters:,}",
                tables.size(one.bytes),
                tables.minutes(one.seconds),
                one.needs,
                *(f"{one.dimensions[name]:.3f}" for name in dimensions),
            ]
            for one in found
        ],
    )


def _pair(interval: Sequence[float] | None) -> tuple[float, float] | None:
    return None if interval is None else (interval[0], interval[1])
