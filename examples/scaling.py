"""What an outer step takes, and how much memory, of corpora of a thousand utterances and of more.

    python examples/scaling.py --utterances 1000,10000,100000 --out scaling.svg

Features of the toy corpus are repeated, so that all corpora say the same and only their size
differs. Each run is a process of its own, on one thread; memory is the most that it held, without
what it held before it had a corpus (as Linux tells). What is measured is small items (means of four
frames), without experts, by objectives that ask all beforehand and by one that asks something of
the real speech at every step.
"""

import io
import multiprocessing
import statistics
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import torch
from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from tqdm import tqdm
from typer import Option

from distill.candidate import Parameterisation
from distill.engine import distill
from distill.objectives import OBJECTIVES
from distill.outer_loop import Loop
from evaluation.edge import held
from evaluation.files import write_atomically
from evaluation.page.curves import STYLE
from synth_data.console import command_line, run
from synth_data.corpus import load, protocol_of
from synth_data.curator import Curator
from synth_data.errors import UserError, unknown_name
from synth_data.features import FEATURES
from synth_data.progress import SILENT

FEATURE, PROTOCOL = "logmel64-short", "four-speaker-folds"
SMALL = Parameterisation(slices=4, numbers="int8")
COLOURS = ("#0072B2", "#D55E00", "#CC79A7", "#009E73", "#56B4E9", "#E69F00", "#222222")


@dataclass(frozen=True)
class Measured:
    """One run.

    Attributes:
        objective: its name.
        utterances: of the corpus.
        before: seconds before the first outer step.
        step: seconds of an outer step, the median of them.
        features: bytes of the corpus.
        peak: bytes that the process held beyond what it had held before the corpus.
    """

    objective: str
    utterances: int
    before: float
    step: float
    features: int
    peak: int


def measure(objective: str, utterances: int, ipc: int, steps: int) -> Measured:
    """Makes a set from a corpus of so many utterances; in a process of its own."""
    torch.set_num_threads(1)
    toy = load("toy", spec=FEATURES[FEATURE])
    train, _, _ = toy.fold(protocol_of(toy.facts, PROTOCOL), 1)
    before = held("VmRSS")
    repeated = train.select([row % len(train) for row in range(utterances)])
    marks: list[float] = []

    def noted(steps: Iterable[int], **named: Any) -> tqdm:
        """A silent bar of steps that notes when each begins, and when the last has ended."""

        def each() -> Iterator[int]:
            for step in steps:
                marks.append(time.perf_counter())
                yield step
            marks.append(time.perf_counter())

        return SILENT(each(), **named)

    began = time.perf_counter()
    distill(
        Curator(repeated),
        OBJECTIVES[objective](),
        "tdnn",
        ipc=ipc,
        seed=0,
        loop=Loop(steps=steps),
        parameterisation=SMALL,
        progress=partial(noted),
    )
    return Measured(
        objective,
        utterances,
        marks[0] - began,
        statistics.median(end - start for start, end in pairwise(marks)),
        repeated.features.nbytes,
        held("VmHWM") - before,
    )


def table(found: Sequence[Measured]) -> str:
    """A row per run, as Markdown."""
    rows = [
        "| objective | utterances | before the first step, s | outer step, ms | features, GB | "
        "peak memory, GB |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    return "\n".join(
        rows
        + [
            f"| {one.objective} | {one.utterances:,} | {one.before:.1f} | {1e3 * one.step:.0f} "
            f"| {one.features / 1e9:.2f} | {one.peak / 1e9:.2f} |"
            for one in found
        ]
    )


def figure(found: Sequence[Measured]) -> str:
    """Time and memory over the size of the corpus, as SVG."""
    names = list(dict.fromkeys(one.objective for one in found))
    with rc_context(STYLE):
        whole = Figure(figsize=(9.5, 3.6), layout="constrained")
        FigureCanvasSVG(whole)
        time_of, memory_of = whole.subplots(1, 2)
        for name, colour in zip(names, COLOURS, strict=False):
            own = [one for one in found if one.objective == name]
            sizes = [one.utterances for one in own]
            time_of.plot(sizes, [1e3 * one.step for one in own], "o-", color=colour, label=name)
            memory_of.plot(sizes, [one.peak / 1e9 for one in own], "o-", color=colour)
        features = {one.utterances: one.features / 1e9 for one in found}
        sizes = sorted(features)
        held = [features[size] for size in sizes]
        memory_of.plot(sizes, held, "--", color="#6b6b6b", label="features")
        time_of.set_ylabel("milliseconds of an outer step")
        memory_of.set_ylabel("peak memory, GB")
        for axes in (time_of, memory_of):
            axes.set_xscale("log")
            axes.set_xticks([], minor=True)
            axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
            axes.set_ylim(bottom=0)
            axes.set_xlabel("utterances")
        whole.legend(frameon=False, fontsize=9, loc="outside upper left", ncols=4)
        file = io.BytesIO()
        whole.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue().decode()


app = command_line("Time and memory over the size of the corpus.")


@app.command()
def main(
    utterances: Annotated[str, Option(metavar="N,M")] = "1000,10000,100000",
    objectives: Annotated[str, Option(metavar="A,B")] = (
        "distribution-matching,kernel,trajectory-matching,unrolled"
    ),
    ipc: int = 10,
    steps: Annotated[int, Option(min=1, help="Outer steps to measure.")] = 20,
    out: Annotated[Path | None, Option(help="For the figure, an SVG file.")] = None,
) -> None:
    """Print time and memory for corpora of these sizes."""
    if not sys.platform.startswith("linux"):
        raise UserError("what a process held at most is read from /proc, which Linux alone has")
    names, sizes = objectives.split(","), utterances.split(",")
    for name in names:
        if name not in OBJECTIVES:
            raise unknown_name("objective", name, OBJECTIVES)
    if not all(word.isdecimal() and int(word) for word in sizes):
        raise UserError(f"--utterances takes numbers, such as 1000,10000; found '{utterances}'")
    work = [(name, int(size), ipc, steps) for name in names for size in sizes]
    found = []
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for one in work:
            found.append(pool.apply(measure, one))
            print(f"{one[0]}, {one[1]:,} utterances: measured", file=sys.stderr, flush=True)
    if out is not None:
        write_atomically(out, figure(found))
    print(table(found))


if __name__ == "__main__":
    run(app)
