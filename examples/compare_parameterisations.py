"""What sets are worth that spend the same bytes in different ways, or have other objectives.

    python examples/compare_parameterisations.py --dataset ravdess --data-root data/ravdess \
        --ipc 1 --results runs/parameterisations.json

Each way is made as `distill-data` makes a set, but for a native schedule, and judged by the UAR (or
mean CCC, with `--task dimensional`) of students on *validation* speakers, trained by the first
setting of the generic recipe (`[recipe]` of `--config` changes that), half of them from the fixed
initialisation and half from random ones. After no step at all the items are real utterances, stored
so, under their own labels. With a file for results, a command that was interrupted goes on where it
was, and commands with other options or recordings add to it.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import torch
from benchmark_objectives import judged, judging, progress
from pydantic import TypeAdapter, ValidationError
from typer import Option

from distill.choice import AUTO
from distill.config import RunConfig
from distill.engine import distill
from distill.experiment import Experiment
from evaluation.files import write_atomically
from evaluation.students import Examples
from synth_data.console import command_line, run
from synth_data.corpus import protocol_line
from synth_data.curator import Curator
from synth_data.errors import UserError, unknown_name
from synth_data.provenance import package_version
from synth_data.real import RealSet
from synth_data.settings import in_words
from synth_data.transforms import hear

# Settings of [parameterisation], by name.
WAYS: dict[str, dict[str, Any]] = (
    {
        f"{frames}-{slices}-{numbers}": {"frames": frames, "slices": slices, "numbers": numbers}
        for numbers, frames, slices in product(
            ("float32", "float16", "int8"), ("means", "cosines"), (2, 4, 8, 16, 32)
        )
    }
    | {
        f"whole-{numbers}": {"slices": 1, "numbers": numbers}
        for numbers in ("float32", "float16", "int8")
    }
    | {"generator-float16": {"decoder": "generator", "slices": 1, "numbers": "float16"}}
)
# Settings of a run that have no part here: sets of all ways are made without them.
LEFT_OUT = ("epsilon", "public_dataset", "max_minutes")


@dataclass(frozen=True)
class Found:
    """What a way was found to be worth.

    Attributes:
        way: its name.
        steps: outer steps; 0 for real utterances.
        per_class: items of each class.
        bytes: of features and targets.
        fixed: mean UAR (or CCC) of students from the fixed initialisation.
        random: from random ones.
        seconds: of CPU time, to make the set.
    """

    way: str
    steps: int
    per_class: int
    bytes: int
    fixed: float
    random: float
    seconds: float


def compare(
    train: RealSet,
    validation: RealSet,
    ways: Mapping[str, RunConfig],
    lengths: Sequence[int],
    results: Path | None,
) -> Iterator[Found]:
    """What each way is worth after so many outer steps, each as soon as it is known.

    Args:
        train: real utterances to make sets from.
        validation: of other speakers, to judge by.
        ways: a resolved run for each name.
        lengths: outer steps.
        results: a file that knows what was found before, and is told what is found now.

    Raises:
        UserError: the file is none of this program's.
    """
    known = _known(results) if results is not None and results.exists() else {}
    heard = f"{train.content}, judged on {validation.content}, by version {package_version()}"
    for steps, (way, config) in product(lengths, ways.items()):
        settings = config.model_dump_json(exclude={"data_root", "device"})
        asked = f"{way}, {steps} steps on {heard}: {settings}"
        if asked not in known:
            known[asked] = asdict(one(train, validation, way, config, steps))
            if results is not None:
                write_atomically(results, json.dumps(known, indent=2) + "\n")
        yield Found(**known[asked])


def _known(results: Path) -> dict[str, Any]:
    """What a file of results holds, by what was asked."""
    known = TypeAdapter(dict[str, Found])
    try:
        return known.dump_python(known.validate_json(results.read_bytes(), strict=True))
    except ValidationError as error:
        raise UserError(
            f"{results} is no file of results of this program, or is damaged "
            f"({in_words(error)}): give another --results, or delete it to find everything anew"
        ) from error


def one(train: RealSet, validation: RealSet, way: str, config: RunConfig, steps: int) -> Found:
    """Makes a set and judges it."""
    began = time.process_time()
    parameterisation = config.build_parameterisation()
    if not steps and parameterisation.hears_labels:
        parameterisation = replace(parameterisation, labels="hard")
    made = distill(
        Curator(train.to(torch.device(config.device))),
        config.build_objective(),
        config.student,
        ipc=config.ipc,
        nested=config.nested,
        seed=config.seed,
        loop=replace(config.build_loop(), steps=steps),
        parameterisation=parameterisation,
        expert=config.build_expert(),
        disentangler=config.build_disentangler(),
        speaker_penalty=config.speaker_penalty,
        progress=progress(f"{way}, {steps} steps"),
    )
    seconds = time.process_time() - began
    assert made.start is not None
    told = hear(made.transforms, validation.features, validation.speakers)
    heard = replace(validation, features=told)
    examples = Examples(made.features, made.targets, task=made.task)
    fixed, random = judged(examples, made.start.weights, heard, config)
    per_class = len(made) // len(made.task.groups)
    return Found(way, steps, per_class, made.bytes, fixed, random, seconds)


def require_comparable(asked: RunConfig) -> None:
    """Raises `UserError` if settings are asked for that sets are made without here."""
    given = [name for name in LEFT_OUT if getattr(asked, name) is not None]
    if given:
        raise UserError(
            f"sets are compared here without a privacy budget, public speech or a limit of time; "
            f"found {', '.join(given)} in the file of --config: leave it out, or make single sets "
            f"with distill-data"
        )


def row(found: Found) -> str:
    """Of the table."""
    mean = (found.fixed + found.random) / 2
    return (
        f"| {found.way} | {found.steps} | {found.per_class} | {found.bytes} | {found.fixed:.3f} "
        f"| {found.random:.3f} | {mean:.3f} | {found.seconds:.0f} |"
    )


app = command_line("Compare ways to spend the same bytes.")


@app.command()
def main(
    dataset: str = "toy",
    data_root: Path | None = None,
    feature: str | None = None,
    fold: int = 1,
    ipc: int = 1,
    student: str = "tdnn",
    task: Annotated[str, Option(help="categorical or dimensional.")] = "categorical",
    ways: Annotated[str, Option(metavar="A,B", help="Names in WAYS.")] = ",".join(WAYS),
    objectives: Annotated[str, Option(metavar="A,B", help="That each is made by.")] = AUTO,
    config_file: Annotated[Path | None, Option("--config", help="Settings, as a run.toml.")] = None,
    steps: Annotated[str, Option(metavar="N,M", help="Of each run; 0: real items.")] = "0,600",
    seeds: Annotated[int, Option(help="Students per initialisation.")] = 2,
    seed: Annotated[int, Option(help="Of everything random.")] = 0,
    results: Annotated[Path | None, Option(help="A file of what was found.")] = None,
) -> None:
    """Print what sets that are made in different ways are worth to validation speakers."""
    torch.set_num_threads(1)
    for name in ways.split(","):
        if name not in WAYS:
            raise unknown_name("way", name, WAYS)
    if not all(word.isdecimal() for word in steps.split(",")):
        raise UserError(f"--steps takes numbers of outer steps, such as 0,600; found '{steps}'")
    given = {"dataset": dataset, "data_root": data_root, "feature": feature, "fold": fold}
    given |= {"ipc": ipc, "student": student, "seed": seed, "seeds": seeds, "task": task}
    several, chosen = "," in objectives, {}
    for objective, way in product(objectives.split(","), ways.split(",")):
        changed = {"objective": objective, "parameterisation": WAYS[way]}
        asked = RunConfig.of(config_file, given | changed)
        require_comparable(asked)
        chosen[f"{objective}, {way}" if several else way] = judging(asked)
    config = next(iter(chosen.values()))
    # Which says how recordings are read, and has no folder here.
    real = Experiment(config, Path(), "", show_progress=sys.stderr.isatty()).load()
    metric = "CCC" if real.task.dimensions else "UAR"
    train, validation, _ = real.fold(config.corpus_protocol, fold)
    labels = {one.build_parameterisation().labels: None for one in chosen.values()}  # in order
    print(
        f"{protocol_line(real, config.corpus_protocol, config.feature_name)} · validation speakers "
        f"of fold {fold} · ipc {ipc}, {' or '.join(labels)} labels · {config.student}, "
        f"{config.build_recipe().settings[0]} · {config.seeds} students per "
        f"initialisation\n\n"
        f"| way | outer steps | items per class | bytes | {metric}, fixed | {metric}, random "
        f"| {metric} | CPU s |\n"
        f"|---|---:|---:|---:|---:|---:|---:|---:|",
        flush=True,
    )
    for found in compare(train, validation, chosen, [*map(int, steps.split(","))], results):
        print(row(found), flush=True)


if __name__ == "__main__":
    run(app)
