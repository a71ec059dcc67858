"""Systems that distil the model, beside sets that distil the data."""

from collections.abc import Sequence
from pathlib import Path

from evaluation import tables
from evaluation.dimensional.records import DimensionalRow
from evaluation.options import PUPIL, TEACHER
from evaluation.records import FoldName
from evaluation.runs import FULL
from evaluation.systems.rows import SystemRow, read_run
from synth_data.errors import UserError
from synth_data.real import RealSet

HEADER = ("set or model", "student", "CCC", "interval", "ratio", "parameters", "bytes", "minutes")
NEEDED = "needs the raw speech"
ABOUT = (
    "ratio: mean CCC relative to the best student here that is trained on full data. bytes: of "
    "what is shipped. A set trains any student of whoever receives it; a model is finished. "
    "minutes: to make what is shipped; of a set and full data, to train a student as well."
)


def read_systems(folders: Sequence[Path], real: RealSet, protocol: str) -> tuple[SystemRow, ...]:
    """The rows of runs of `distill-model`.

    Args:
        folders: their output folders.
        real: the corpus that sets are judged on.
        protocol: its name.

    Raises:
        UserError: a folder holds no finished run, or one on other recordings or another protocol,
            whose test speakers are others.
    """
    rows: list[SystemRow] = []
    for folder in folders:
        run = read_run(folder)
        if (run.recordings, run.protocol) != (real.digest, protocol):
            raise UserError(
                f"{folder} was tested on {run.corpus} by {run.protocol}, the sets are on "
                f"{real.corpus} by {protocol}"
                + (", with other recordings or labels" if run.protocol == protocol else "")
                + ": give a run of distill-model on the same recordings and protocol"
            )
        rows += run.rows
    return tuple(rows)


def beside(
    fold: FoldName, rows: Sequence[DimensionalRow], systems: Sequence[SystemRow]
) -> tables.Table | None:
    """Full data, judged sets and systems on the same test; None where no system was tested on it.

    Args:
        fold: the test.
        rows: on clean speech.
        systems: all that there are.
    """
    own = [row for row in systems if row.fold == fold]
    if not own:
        return None
    shown = [
        row
        for row in rows
        if row.fold == fold
        and (row.judged or row.set == FULL)
        and not row.set.startswith((TEACHER, PUPIL))
    ]
    full = max((row.mean.ccc.mean for row in shown if row.set == FULL), default=0.0)

    def ratio(mean: float) -> str:
        return f"{mean / full:.3f}" if full > 0 else tables.NONE

    dimensions = list(own[0].ccc)
    lines = [
        [
            row.set,
            f"{row.student}, {tables.start(row)}",
            tables.spread(row.mean.ccc),
            tables.interval(row.mean.ccc),
            ratio(row.mean.ccc.mean),
            f"{row.parameters:,}",
            tables.size(row.bytes),
            f"{row.seconds / 60:.1f}",
            "who trains" if row.set == FULL else "who makes it",
            *(f"{one.ccc.mean:.3f}" for one in row.dimensions),
        ]
        for row in shown
    ]
    lines += [
        [
            f"{row.system}: {row.model}",
            row.hears,
            f"{row.mean:.3f}" + (f" ± {row.sd:.3f}" if row.sd is not None else ""),
            tables.NONE if row.interval is None else "{:.3f} to {:.3f}".format(*row.interval),
            ratio(row.mean),
            f"{row.parameters:,}",
            tables.size(row.bytes),
            f"{row.minutes:.1f}",
            row.raw_speech,
            *(f"{row.ccc[name]:.3f}" for name in dimensions),
        ]
        for row in own
    ]
    return tables.Table((*HEADER, NEEDED, *dimensions), lines)
