"""What each objective buys for its CPU time, beside plain dataset condensation.

    python examples/benchmark_objectives.py --dataset ravdess --data-root data/ravdess --ipc 10

All run in one process on one thread, from the same items, on the same real tensors, for the same
network. Items are worth the UAR of students on *validation* speakers, trained by the first setting
of the generic recipe (`[recipe]` of `--config` changes that), half of them from the fixed
initialisation and half from random ones; that takes no part in the CPU time. Each point of an
objective is a run of its own, `init` included, since the learning rate's schedule depends on the
number of steps.

The reference is the loop of Zhao et al. 2021 ("Dataset condensation with gradient matching") as
its authors run it: a second backward pass at networks that are drawn afresh and trained on the
synthetic items.
"""

import json
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import torch
from condensation import BATCH, NETWORK_RATE, RATE, condense, loops
from cpu_curves import Curve, Point, tables
from torch import Tensor
from tqdm import tqdm
from typer import Option

from distill.choice import AUTO
from distill.config import RunConfig
from distill.engine import distill
from distill.objectives import OBJECTIVES
from distill.objectives.objective import Objective
from distill.outer_loop import Loop
from evaluation.concordance import ccc
from evaluation.files import write_atomically
from evaluation.metrics import confusion, uar
from evaluation.networks import Weights, draw_weights, skeleton
from evaluation.students import CannotTrain, Examples, logits_of
from synth_data.console import command_line, run
from synth_data.corpus import load, protocol_line
from synth_data.curator import Curator
from synth_data.errors import UserError, unknown_name
from synth_data.progress import SILENT, Progress, bar
from synth_data.randomness import generator
from synth_data.real import RealSet
from synth_data.settings import changed
from synth_data.synthetic import SyntheticSet

REFERENCE = "reference (DC, double backward)"
SHARES = (1 / 8, 1 / 4, 1 / 2, 1)  # of the reference's time, after which its items are judged

Made = tuple[int, float, float, Examples]  # steps, CPU-seconds of init and in all, items


def along(condensing: Iterator[Tensor], start: Examples, budget: float) -> Iterator[Made]:
    """Checkpoints of one run of the reference, until it has spent so many CPU-seconds."""
    yield 0, 0.0, 0.0, start
    steps, spent = 0, 0.0
    for until in (share * budget for share in SHARES):
        if spent >= until:
            continue  # the step before took that long
        with progress("reference, CPU s")(total=round(until), initial=round(spent)) as shown:
            while spent < until:
                began = time.process_time()
                items = next(condensing)
                took = time.process_time() - began
                steps, spent = steps + 1, spent + took
                shown.update(took)
        yield steps, 0.0, spent, Examples(items, start.targets)


def separately(
    make: Callable[[int, Progress], SyntheticSet], name: str, lengths: Sequence[int]
) -> Iterator[Made]:
    """A run of its own for each number of outer steps; `init` ends where their bar begins."""
    for steps in lengths:
        marks = [time.process_time()]
        made = make(steps, marking(marks, progress(f"{name}, {steps} steps")))
        seconds = time.process_time() - marks[0]
        yield steps, marks[1] - marks[0], seconds, Examples(made.features, made.targets)


def marking(marks: list[float], shown: Progress) -> Progress:
    """The same bar, which leaves a mark of the CPU time when it begins."""

    def begin(*given: Any, **named: Any) -> tqdm:
        marks.append(time.process_time())
        return shown(*given, **named)

    return partial(begin)


def judged(
    examples: Examples, start: Weights, validation: RealSet, config: RunConfig
) -> tuple[float, float]:
    """Mean UAR, or CCC of dimensions, of students from the fixed weights, and from random ones."""
    recipe, task = config.build_recipe(), validation.task
    network = skeleton(config.student, validation.spec.mels, len(task.columns))

    def one(weights: Weights, n: int) -> float:
        draws = generator(config.seed, "benchmark", "training", n)
        try:
            fitted = recipe.fit(config.student, weights, examples, recipe.settings[0], draws)
        except CannotTrain:  # items that no student survives are worth no more than a guess
            return 0.0 if task.dimensions else 1 / len(task.emotions)
        said = logits_of(network, fitted.weights, validation.features)
        if task.dimensions:
            told = (task.numbers(each).double().numpy() for each in (validation.targets, said))
            return float(ccc(*told).mean())
        truth, predicted = (each.argmax(dim=1).tolist() for each in (validation.targets, said))
        return float(uar(confusion(truth, predicted, len(task.emotions))))

    draws = [generator(config.seed, "benchmark", "weights", n) for n in range(config.seeds)]
    fixed = [one(start, n) for n in range(config.seeds)]
    random = [one(draw_weights(network, own), n) for n, own in enumerate(draws)]
    return fmean(fixed), fmean(random)


def benchmark(
    train: RealSet,
    validation: RealSet,
    objectives: Mapping[str, Objective],
    config: RunConfig,
    lengths: Sequence[int],
    budget: float,
    rate: float = RATE,
) -> list[Curve]:
    """The curves of the objectives, by name, and last that of the reference.

    Args:
        train: real utterances to make sets from.
        validation: of other speakers, to judge by.
        objectives: at least one.
        config: its student, ipc, seed and number of students per initialisation count.
        lengths: outer steps of the objectives' runs, rising from 0.
        budget: of the reference, in CPU-seconds.
        rate: of its SGD on the items.
    """

    def make(objective: Objective, steps: int, shown: Progress) -> SyntheticSet:
        student, ipc, seed, loop = config.student, config.ipc, config.seed, Loop(steps=steps)
        return distill(
            Curator(train),
            objective,
            student,
            ipc=ipc,
            seed=seed,
            loop=loop,
            parameterisation=config.build_parameterisation(),
            progress=shown,
        )

    # Without a step, the sets of one seed are alike; and this first run warms the machine up.
    first = make(next(iter(objectives.values())), 0, SILENT)
    assert first.start is not None
    start, weights = Examples(first.features, first.targets), first.start.weights
    train_seen, validation_seen = (
        replace(side, features=first.transform(side.features)) for side in (train, validation)
    )
    network = skeleton(config.student, first.spec.mels, len(first.emotions))
    draws = generator(config.seed, "benchmark", "reference")
    runs = {
        name: separately(partial(make, objective), name, lengths)
        for name, objective in objectives.items()
    }
    runs[REFERENCE] = along(condense(train_seen, network, start, rate, draws), start, budget)
    curves = []
    for name, run_of_it in runs.items():
        points = []
        for steps, init, seconds, examples in run_of_it:
            found = judged(examples, weights, validation_seen, config)
            points.append(Point(steps, init, seconds, *found))
            line = f"{name}: {steps} steps, {seconds:.1f} CPU s, UAR {points[-1].uar:.3f}"
            print(line, file=sys.stderr, flush=True)
        curves.append(Curve(name, tuple(points)))
    return curves


def judging(asked: RunConfig) -> RunConfig:
    """The run with every default, whose students learn by the generic recipe on every corpus.

    What is asked of their recipe changes that one.
    """
    config = asked.resolved()
    recipe = config.model_copy(update={"recipe": asked.recipe}).build_recipe()
    return config.model_copy(update={"recipe": asdict(recipe)})


def require_known(settings: Mapping[str, Any]) -> None:
    """Raises `UserError` if no objective at all has one of these settings."""
    known = sorted({field.name for each in OBJECTIVES.values() for field in fields(each)})
    for name in settings:
        if name not in known:
            raise unknown_name("setting", name, known, " of objectives")


def objective_of(asked: RunConfig, name: str) -> Objective:
    """An objective by name, with those of the settings asked for that it has."""
    settings: Mapping[str, Any] = asked.settings
    if name == AUTO:
        name, settings = asked.choice.objective, {**asked.choice.settings, **settings}
    known = {field.name for field in fields(OBJECTIVES[name])}
    own = {key: value for key, value in settings.items() if key in known}
    return changed(name, OBJECTIVES[name](), own)


def progress(what: str) -> Progress:
    """A bar, where somebody sees it."""
    return bar(what) if sys.stderr.isatty() else SILENT


app = command_line("Benchmark objectives beside plain dataset condensation.")


@app.command()
def main(
    dataset: str = "toy",
    data_root: Path | None = None,
    feature: str | None = None,
    fold: int = 1,
    ipc: int = 10,
    student: str = "tdnn",
    slices: Annotated[int, Option(help="Items in the frames of one.")] = 1,
    numbers: Annotated[str, Option(help="That items are stored in.")] = "float32",
    objectives: Annotated[str, Option(metavar="A,B")] = ",".join([*OBJECTIVES, AUTO]),
    config_file: Annotated[
        Path | None, Option("--config", help="Settings of objectives, where they have such.")
    ] = None,
    steps: Annotated[str, Option(metavar="N,M", help="Of each run.")] = "125,250,500,1000",
    minutes: Annotated[float, Option(min=0.001, help="CPU time of the reference.")] = 30.0,
    reference_rate: Annotated[float, Option(min=0.0, help="Of its SGD on the items.")] = RATE,
    seeds: Annotated[int, Option(help="Students per initialisation.")] = 3,
    seed: Annotated[int, Option(help="Of everything random.")] = 0,
    json_file: Annotated[Path | None, Option("--json", help="For the figures.")] = None,
) -> None:
    """Print UAR on validation speakers over CPU time, of objectives and plain condensation."""
    torch.set_num_threads(1)
    names = objectives.split(",")
    for name in names:
        if name not in (*OBJECTIVES, AUTO):
            raise unknown_name("objective", name, [*OBJECTIVES, AUTO])
    if not all(word.isdecimal() and int(word) for word in steps.split(",")):
        raise UserError(f"--steps takes numbers of outer steps, such as 100,1000; found '{steps}'")
    lengths = sorted({0, *map(int, steps.split(","))})
    given: dict[str, object] = {
        "dataset": dataset,
        "data_root": data_root,
        "feature": feature,
        "fold": fold,
    }
    given |= {"ipc": ipc, "student": student, "seed": seed, "seeds": seeds}
    given |= {"parameterisation": {"slices": slices, "numbers": numbers, "labels": "hard"}}
    asked = RunConfig.of(config_file, given)
    require_known(asked.settings)
    chosen = {name: objective_of(asked, name) for name in names}
    # Settings are of the objectives that are compared, not of the one that "auto" would be here.
    config = judging(asked.model_copy(update={"settings": {}}))
    real = load(config.corpus, config.data_root, config.spec, progress=sys.stderr.isatty())
    train, validation, _ = real.fold(config.corpus_protocol, fold)
    budget = 60 * minutes
    curves = benchmark(train, validation, chosen, config, lengths, budget, reference_rate)
    matches, epochs = loops(ipc)
    protocol = (
        f"{protocol_line(real, config.corpus_protocol, config.feature_name)} · validation speakers "
        f"of fold {fold} · ipc {ipc}, slices {slices}, {numbers} · {config.student}, "
        f"{config.build_recipe().settings[0]} · {seeds} students per initialisation"
    )
    how = (
        f"Reference: matches per network: {matches}; epochs of its training between two: {epochs}; "
        f"at most {BATCH} real utterances of a class in a match, and {BATCH} items in a "
        f"training step; SGD at {reference_rate:g} on the items, {NETWORK_RATE:g} on the network."
    )
    if json_file is not None:
        figures = {"protocol": protocol, "reference": how, "command": shlex.join(sys.argv)}
        text = json.dumps({**figures, "curves": [asdict(curve) for curve in curves]}, indent=2)
        write_atomically(json_file, text + "\n")
    print(f"{protocol}\n\n{tables(curves)}\n\n{how}")


if __name__ == "__main__":
    run(app)
