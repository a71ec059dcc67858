"""UAR over items per class, of every objective, in one command that goes on where it was.

    python examples/ipc_curves.py --dataset ravdess --data-root RAVDESS --out runs/ravdess-curves

A set is made for each objective, size and fold, on as many cores as there are; what lies in the
output folder is not made again, and students are remembered, so the same command goes on after an
interruption, and with more folds, sizes or objectives adds those. Then all are judged as
`evaluate-data` judges them: students from the fixed and from random weights, settings chosen on
validation speakers, test speakers asked once. The folder then holds the report, and a picture:
`curves.svg`.

By `ipc_curves.toml` items are stored as they are, with hard labels and without the schedules of an
expert, so that a size means the same in every row and nothing but the objective differs; another
`--config` changes that.
"""

import io
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from joblib import cpu_count
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from typer import Option

from distill.config import RunConfig
from distill.experiment import Experiment
from distill.objectives import OBJECTIVES
from evaluation.files import write_atomically
from evaluation.named_sets import COST, NamedSet, making_seconds
from evaluation.options import CUSTOM, FIXED, GENERIC, NATIVE, RANDOM, Options
from evaluation.page.curves import STYLE
from evaluation.records import Row
from evaluation.report import Report
from evaluation.runs import CLEAN, FULL, RANDOM_SUBSET
from evaluation.session import Session
from synth_data.console import command_line, run, set_up_logging
from synth_data.errors import UserError, unknown_name
from synth_data.real import RealSet
from synth_data.side_by_side import side_by_side
from synth_data.synthetic import SyntheticSet

LARGEST = "largest"  # as many as an emotion has utterances to learn from, on average
PLAIN = Path(__file__).with_suffix(".toml")
STARTS = {FIXED: "fixed initialisation", RANDOM: "random initialisation"}
# The colours of the reports, two more, and then the same with dashes.
COLOURS = ("#0072B2", "#D55E00", "#CC79A7", "#009E73", "#56B4E9", "#6A3D9A", "#8C564B")
DASHES = ("-", "--")
SHOWN = (GENERIC, CUSTOM, NATIVE)
BLACK, GREY, ORANGE = "#222222", "#6b6b6b", "#E69F00"


@dataclass(frozen=True)
class Cell:
    """A set to be made.

    Attributes:
        experiment: its settings, and the folder of its objective and size.
        fold: whose speakers it is made without.
    """

    experiment: Experiment
    fold: int

    @property
    def folder(self) -> Path:
        return self.experiment.folder(self.fold)

    def require_same(self) -> None:
        """Raises `UserError` if the folder is of sets that were made with other settings."""
        config, path = self.experiment.config, self.experiment.out / "run.toml"
        now = config.model_copy(update={"seeds": 1, "recipe": {}}).toml()  # these are of students
        if path.exists() and path.read_text(encoding="utf-8") != now:
            raise UserError(
                f"{path} is of sets that were made with other settings: choose another --out, or "
                f"delete {self.experiment.out} to make them anew"
            )
        write_atomically(path, now)

    def load(self) -> NamedSet:
        """The set, under the name of its objective."""
        folder = self.folder / "set"
        name = self.experiment.config.objective
        return NamedSet(name, SyntheticSet.load(folder), making_seconds(folder), folder)


def make(cell: Cell) -> str:
    """Makes one set, unless it is there; in a process of its own."""
    torch.set_num_threads(1)
    if os.getpid() != cell.experiment.main_process:
        set_up_logging(verbose=False, quiet=False)
    config = cell.experiment.config
    cell.require_same()
    if not (cell.folder / COST).exists() or not (cell.folder / "set").exists():
        train, validation, _ = cell.experiment.load().fold(config.corpus_protocol, cell.fold)
        cell.folder.mkdir(parents=True, exist_ok=True)
        cell.experiment.make_set(train, validation, cell.folder)
    return f"{config.objective}, ipc {config.ipc}, fold {cell.fold}: made"


def make_all(cells: Sequence[Cell]) -> None:
    """Makes those that are not there, side by side, and says so."""
    at_once = min(len(cells), cpu_count())
    done = side_by_side(at_once, make, ((cell,) for cell in cells), ordered=False)
    for number, line in enumerate(done, 1):
        print(f"{line} ({number} of {len(cells)})", file=sys.stderr, flush=True)


def judge(
    sets: Sequence[NamedSet],
    real: RealSet,
    config: RunConfig,
    options: Options,
    out: Path,
    command: str,
) -> tuple[Report, str]:
    """The report of sets of emotions, and the line that goes with its numbers."""
    session = Session(
        sets=tuple(sets),
        corpus=config.corpus,
        data_root=config.data_root,
        options=options,
        speech=(),
        label_map=None,
        fold=None,
        out=out,
        command=command,
        show_progress=sys.stderr.isatty(),
    )
    report = session.run(real, session.folds(real))
    assert isinstance(report, Report)
    return report, session.protocol_line(real)


def sizes(words: str, real: RealSet, config: RunConfig) -> list[int]:
    """Items per class, rising, as the option lists them.

    The largest is that of the smallest fold, whichever are made: so that more can be added. Of a
    rare emotion it has utterances more than once, so that random items may end before.
    """
    found = set()
    for word in words.split(","):
        if word == LARGEST:
            folds = config.corpus_protocol.folds(real.utterances)
            found.add(min(len(fold.train) for fold in folds) // len(real.emotions))
        elif word.isdecimal() and int(word):
            found.add(int(word))
        else:
            raise UserError(f"--ipc takes numbers from 1, and '{LARGEST}'; found '{word}'")
    return sorted(found)


def figure(report: Report, names: Sequence[str]) -> str:
    """The curves of both initialisations side by side, as SVG."""
    pooled = [row for row in report.rows if row.fold == report.rows[0].fold]
    shown = [row for row in pooled if row.recipe in SHOWN and row.speech == CLEAN]
    with rc_context(STYLE):
        whole = Figure(figsize=(9.5, 4.4), layout="constrained")
        FigureCanvasSVG(whole)
        both = whole.subplots(1, 2, sharey=True)
        for axes, (start, title) in zip(both, STARTS.items(), strict=True):
            _draw(axes, [row for row in shown if row.initialisation == start], names)
            axes.axhline(1 / len(report.emotions), color=GREY, linewidth=1, linestyle="--")
            axes.set_title(title, fontsize=10)
            axes.set_xlabel("items per class")
        both[0].set_ylabel("UAR")
        both[0].set_ylim(bottom=0)
        whole.legend(
            *both[0].get_legend_handles_labels(),
            frameon=False,
            fontsize=8,
            loc="outside lower center",
            ncols=4,
        )
        file = io.BytesIO()
        whole.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue().decode()


def _draw(axes: Axes, rows: Sequence[Row], names: Sequence[str]) -> None:
    """The curves of one initialisation: full data, random items and the objectives."""
    for row in rows:
        if row.set == FULL:
            axes.axhline(row.uar.mean, color=BLACK, linewidth=1.5, label="full data")
    looks = {RANDOM_SUBSET: (ORANGE, "-", "random real items")}
    for place, name in enumerate(names):
        round_of, colour = divmod(place, len(COLOURS))
        looks[name] = COLOURS[colour], DASHES[round_of], name
    for name, (colour_of, dashes, label) in looks.items():
        own = [row for row in rows if row.set == name and row.ipc]
        for native in (False, True):
            line = sorted((r.ipc or 0, r.uar.mean) for r in own if (r.recipe == NATIVE) == native)
            if line:
                places, heights = zip(*line, strict=True)
                (drawn,) = axes.plot(places, heights, ":" if native else dashes, color=colour_of)
                drawn.set(marker="s" if native else "o", markersize=4)
                drawn.set_label(f"{label}, its own schedule" if native else label)
    ticks = sorted({row.ipc for row in rows if row.ipc})
    axes.set_xscale("log")
    axes.set_xticks([], minor=True)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])


app = command_line("UAR over items per class, of every objective.")


@app.command()
def main(
    dataset: str = "toy",
    data_root: Path | None = None,
    ipc: Annotated[str, Option(metavar="N,M")] = f"1,5,10,20,50,{LARGEST}",
    objectives: Annotated[str, Option(metavar="A,B")] = ",".join(OBJECTIVES),
    folds: Annotated[str, Option(metavar="N,M", help="Or all.")] = "all",
    seeds: Annotated[int, Option(help="Students per set and initialisation.")] = 2,
    baselines: Annotated[str, Option(metavar="A,B", help="Or none.")] = RANDOM_SUBSET,
    seed: Annotated[int, Option(help="Of everything random.")] = 0,
    config_file: Annotated[Path, Option("--config", help="As of distill-data.")] = PLAIN,
    out: Annotated[Path, Option(help="What is there is not made again.")] = Path("runs/ipc-curves"),
) -> None:
    """Make a set of each objective and size, judge all, and draw the curves."""
    torch.set_num_threads(1)
    names = objectives.split(",")
    for name in names:
        if name not in OBJECTIVES:
            raise unknown_name("objective", name, OBJECTIVES)
    given = {"dataset": dataset, "data_root": data_root, "seed": seed, "seeds": seeds, "fold": 1}
    asked = RunConfig.of(config_file, given)
    if asked.task != "categorical":
        raise UserError(
            f'the curves are of UAR, so of sets of emotions alone; found task = "{asked.task}" in '
            f"{config_file}: leave it out, or judge sets of dimensions with evaluate-data"
        )
    first = asked.resolved()
    options = Options(
        students=(first.student,),
        baselines=(FULL, *(() if baselines == "none" else baselines.split(","))),
        seeds=seeds,
        seed=seed,
        recipes={first.student: first.build_recipe()},
    )
    command = shlex.join(["python", *sys.argv])
    real = Experiment(first, out, command, show_progress=sys.stderr.isatty()).load()
    count = len(first.corpus_protocol.folds(real.utterances))
    chosen = list(range(1, count + 1)) if folds == "all" else numbers("--folds", folds, count)
    cells = [
        Cell(Experiment(config, out / "sets" / name / f"ipc-{size}", command, quiet=True), fold)
        for size in sizes(ipc, real, first)
        for name in names
        for config in [
            RunConfig.of(config_file, {**given, "objective": name, "ipc": size}).resolved()
        ]
        for fold in chosen
    ]
    make_all(cells)
    report, line = judge([cell.load() for cell in cells], real, first, options, out, command)
    write_atomically(out / "curves.svg", figure(report, names))
    print(f"{report.table()}\n{line}")


def numbers(option: str, words: str, most: int, *, or_all: bool = True) -> list[int]:
    """The whole numbers that an option lists, from 1 to `most`, rising."""
    found = words.split(",")
    if not all(word.isdecimal() and 1 <= int(word) <= most for word in found):
        more = ", or all" if or_all else ""
        raise UserError(f"{option} takes numbers from 1 to {most}{more}; found '{words}'")
    return sorted({int(word) for word in found})


if __name__ == "__main__":
    run(app)
