"""What a privacy budget costs: students' worth over epsilon, beside sets without a guarantee.

On the toy corpus with as many speakers as wished, of whom twenty, or a fortieth part, are tested;
or on folds of a real corpus, each of whose sets has the budget for itself:

    python examples/privacy_curve.py --speakers 440 --epsilons 8,3,1
    python examples/privacy_curve.py --speakers 2040 --private-only --sets-only
    python examples/privacy_curve.py --dataset ravdess --data-root RAVDESS --folds 1,2 --ipc 3 \
        --unit utterance

Students start from random weights; all sets take about the same bytes. On the toy corpus students
are trained for 300 steps, on others as long as validation speakers choose (300 or 600). Beside them
stand students trained on the real speech by DP-SGD, under the same budgets, and their bytes are
those of their weights. The reports of the commands have more of them, and intervals. Random numbers
of the noise have no seed: another run gives other figures.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, cast, get_args

import torch
from typer import Option

from distill.candidate import Parameterisation
from distill.engine import distill
from distill.objectives.distribution_matching import DistributionMatching
from distill.objectives.objective import Objective
from distill.objectives.released_moments import ReleasedMoments
from distill.outer_loop import Loop
from distill.private import account_of
from evaluation import metrics
from evaluation.concordance import ccc
from evaluation.networks import draw_weights, skeleton
from evaluation.students import (
    RECIPES,
    Examples,
    Fitted,
    PrivateRecipe,
    Recipe,
    StudentRecipe,
    logits_of,
)
from evaluation.students.dp_sgd import noise_multiplier
from synth_data.console import command_line, run
from synth_data.corpora.toy import TOY, toy_utterances
from synth_data.corpus import known_corpus, load, protocol_of
from synth_data.curator import Curator
from synth_data.errors import UserError, unknown_name
from synth_data.features import FEATURES
from synth_data.gaussian import Gaussian
from synth_data.ledger import PrivacyBudget, Unit
from synth_data.mechanism import units_of
from synth_data.protocol import speaker_split
from synth_data.randomness import generator
from synth_data.real import RealSet
from synth_data.task import TaskName, task_named

PER_EMOTION = 5  # utterances of each toy speaker
LEAST_HELD = 20  # toy speakers who test, and as many who validate
MATCHING = Loop(steps=400, learning_rate=0.1)
PRIVATE = Loop(steps=60, learning_rate=0.1, initialisation="spectrum")
SMALL = Parameterisation(slices=4, numbers="int8")
TAUGHT = Parameterisation(slices=4, numbers="int8", labels="taught")
RECIPE = Recipe.single(steps=300, learning_rate=3e-3)


@dataclass(frozen=True)
class Way:
    """One way to make a set."""

    name: str
    objective: Objective
    loop: Loop
    parameterisation: Parameterisation = SMALL
    budget: PrivacyBudget | None = None


def usual_ways() -> Iterator[Way]:
    """Sets of other objectives, without a guarantee."""
    cheap = DistributionMatching(starts=1, checkpoints=1)  # no step of which moves anything
    yield Way("real items, as they are", cheap, Loop(steps=1, learning_rate=1e-9))
    yield Way("distribution-matching", DistributionMatching(), MATCHING)
    whole = Parameterisation()
    yield Way("distribution-matching, whole items", DistributionMatching(), MATCHING, whole)


def private_ways(budgets: Sequence[PrivacyBudget]) -> Iterator[Way]:
    """Sets of a few moments, first without noise and then under budgets."""
    yield Way("released-moments, without noise", ReleasedMoments(), PRIVATE, TAUGHT)
    for budget in budgets:
        yield Way(f"epsilon {budget.epsilon:g}", ReleasedMoments(), PRIVATE, TAUGHT, budget)


@dataclass(frozen=True)
class Fold:
    """The sides of a fold, and how students are trained there."""

    train: RealSet
    validation: RealSet
    test: RealSet
    recipe: StudentRecipe


def budgets_of(epsilons: str, delta: float, unit: str, sets_only: bool) -> list[PrivacyBudget]:
    """The budgets that the options name, which all that is to be made can be made under.

    Raises:
        UserError: they are none, or too large or too small to be spent.
    """
    if unit not in get_args(Unit):
        raise unknown_name("unit", unit, get_args(Unit))
    try:
        numbers = [float(word) for word in epsilons.split(",")]
    except ValueError as error:
        raise UserError(
            f"--epsilons takes numbers between commas, such as 8,3,1; found '{epsilons}'"
        ) from error
    budgets = [PrivacyBudget(number, delta, cast(Unit, unit)) for number in numbers]
    for budget in budgets:
        account_of(budget, ReleasedMoments(), PRIVATE)
        if not sets_only:
            noise_multiplier(budget)
    return budgets


def task_of(name: str, sets_alone: bool) -> TaskName:
    """A task by its name, if there are rows for it."""
    task = task_named(name)
    if task == "both":
        raise UserError("--task takes categorical or dimensional here; found 'both'")
    if task == "dimensional" and not sets_alone:
        raise UserError("--task dimensional goes with --private-only --sets-only: give both")
    return task


def folds_of(dataset: str, data_root: Path | None, task: TaskName, folds: str) -> list[Fold]:
    """These folds of a real corpus' default protocol.

    Raises:
        UserError: the corpus is unknown or not there, or has no such fold.
    """
    if not all(word.isdecimal() and int(word) for word in folds.split(",")):
        raise UserError(
            f"--folds takes numbers from 1 between commas, such as 1,2; found '{folds}'"
        )
    corpus = known_corpus(dataset)
    real = load(corpus, data_root, FEATURES["logmel64"], task=task, progress=True)
    protocol = protocol_of(corpus, None, data_root)
    return [Fold(*real.fold(protocol, int(word)), RECIPES["tdnn"]) for word in folds.split(",")]


def toy_fold(speakers: int, task: TaskName) -> Fold:
    """The toy corpus with so many speakers, of whom the last ones test.

    Raises:
        UserError: none are left to learn from.
    """
    if speakers <= 2 * LEAST_HELD:
        raise UserError(
            f"--speakers takes a number above {2 * LEAST_HELD}, since {LEAST_HELD} toy speakers "
            f"test and {LEAST_HELD} validate; found {speakers}"
        )
    large = replace(
        TOY,
        counts={},
        speakers=None,
        read=lambda _root, _allow: toy_utterances(speakers, PER_EMOTION),
    )
    real = load(large, spec=FEATURES["logmel64-short"], task=task, progress=True)
    names = sorted(set(real.speakers))
    held = max(LEAST_HELD, speakers // 40)
    split = speaker_split("last speakers", names[-held:], names[-2 * held : -held])
    return Fold(*real.fold(split, 1), RECIPE)


def worth(fitted: Fitted, heard: RealSet) -> float:
    """The UAR of one student, or the mean CCC where dimensions are told."""
    task = heard.task
    if task.dimensions:
        network = skeleton("tdnn", heard.spec.mels, len(task.columns))
        told = logits_of(network, fitted.weights, heard.features)
        both = (task.numbers(each).double().numpy() for each in (heard.targets, told))
        return float(ccc(*both).mean())
    truth = heard.targets.argmax(dim=1).tolist()
    said = fitted.predict(heard.features).tolist()
    return float(metrics.uar(metrics.confusion(truth, said, len(heard.emotions))))


def students(examples: Examples, fold: Fold, recipe: StudentRecipe, seeds: int) -> list[float]:
    """The worth of so many, each trained as is best on validation speakers."""
    network, found = skeleton("tdnn", fold.train.spec.mels, len(fold.train.task.columns)), []
    for seed in range(seeds):
        weights = draw_weights(network, generator(seed, "student"))
        tried = [
            recipe.fit("tdnn", weights, examples, setting, generator(seed, "order"))
            for setting in recipe.settings
        ]
        best = max(tried, key=partial(worth, heard=fold.validation)) if tried[1:] else tried[0]
        found.append(worth(best, fold.test))
    return found


def judged(way: Way, fold: Fold, ipc: int, sets: int, seeds: int) -> tuple[int, list[float]]:
    """The bytes of a set that is made so, and the UAR of the students of a few."""
    found: list[float] = []
    for seed in range(sets):
        door = Curator(fold.train)
        if way.budget is not None:
            door = Curator(fold.train, Gaussian(account_of(way.budget, way.objective, way.loop)))
        made = distill(
            door,
            way.objective,
            "tdnn",
            ipc=ipc,
            seed=seed,
            loop=way.loop,
            parameterisation=way.parameterisation,
        )
        examples = Examples(made.features, made.targets, task=made.task)
        found += students(examples, fold, fold.recipe, seeds)
    return made.bytes, found


def everything(fold: Fold, seeds: int) -> tuple[int, list[float]]:
    """The bytes of the real training utterances, and the UAR of their students."""
    examples = Examples(fold.train.features, fold.train.targets, task=fold.train.task)
    return fold.train.features.nbytes, students(examples, fold, fold.recipe, seeds)


def private_students(budget: PrivacyBudget, fold: Fold, seeds: int) -> tuple[int, list[float]]:
    """The bytes of a student that DP-SGD trains on the real speech, and the UAR of a few."""
    recipe = PrivateRecipe.under(budget, units_of(fold.train, budget.unit))
    examples = Examples(fold.train.features, fold.train.targets, task=fold.train.task)
    network = skeleton("tdnn", fold.train.spec.mels, len(fold.train.task.columns))
    size = 4 * sum(weight.numel() for weight in network.parameters())
    return size, students(examples, fold, recipe, seeds)


app = command_line("What a privacy budget costs.")


@app.command()
def main(
    dataset: str = "toy",
    data_root: Path | None = None,
    task: Annotated[str, Option(help="categorical or dimensional.")] = "categorical",
    folds: Annotated[str, Option(metavar="N,M", help="Of a real corpus' default protocol.")] = "1",
    speakers: Annotated[int, Option(help="Of the toy corpus.")] = 440,
    epsilons: Annotated[str, Option(metavar="A,B")] = "8,3,1",
    delta: float = 1e-4,
    unit: Annotated[str, Option(help="speaker, utterance or session.")] = "speaker",
    ipc: Annotated[int, Option(min=1)] = 10,
    sets: Annotated[int, Option(min=1, help="In a row, each with the budget.")] = 1,
    seeds: Annotated[int, Option(min=1, help="Students of each set.")] = 2,
    private_only: Annotated[bool, Option("--private-only", help="No other objectives.")] = False,
    sets_only: Annotated[bool, Option("--sets-only", help="No students of DP-SGD.")] = False,
) -> None:
    """Print what students of sets are worth, under privacy budgets and without."""
    torch.set_num_threads(1)
    told = task_of(task, private_only and sets_only)
    budgets = budgets_of(epsilons, delta, unit, sets_only)
    if dataset == "toy":
        chosen = [toy_fold(speakers, told)]
    else:
        chosen = folds_of(dataset, data_root, told, folds)
    for fold in chosen:
        units = len(units_of(fold.train, budgets[0].unit))
        print(
            f"{fold.train.facts.title}, fold {fold.train.fold_number}: {len(fold.train)} "
            f"utterances of {units} {unit}s to learn from"
        )
    metric = "CCC" if told == "dimensional" else "UAR"
    print(f"| set | bytes | {metric} | relative to full data | seconds |")
    print("|---|---:|---:|---:|---:|")
    reference = 0.0

    def row(name: str, of_fold: Callable[[Fold], tuple[int, list[float]]]) -> float:
        began = time.monotonic()
        sizes, found = zip(*map(of_fold, chosen), strict=True)
        seconds = (time.monotonic() - began) / len(chosen)
        mean = sum(map(sum, found)) / sum(map(len, found))
        relative = mean / (reference or mean)
        print(f"| {name} | {sizes[0]} | {mean:.3f} | {relative:.2f} | {seconds:.0f} |", flush=True)
        return mean

    reference = row("full data", partial(everything, seeds=seeds))
    usual = [] if private_only else [*usual_ways()]
    for way in [*usual, *private_ways(budgets)]:
        row(way.name, partial(judged, way, ipc=ipc, sets=sets, seeds=seeds))
    for budget in [] if sets_only else budgets:
        name = f"DP-SGD student, epsilon {budget.epsilon:g}"
        row(name, partial(private_students, budget, seeds=seeds))


if __name__ == "__main__":
    run(app)
