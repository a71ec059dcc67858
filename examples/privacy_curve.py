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

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

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
from synth_data.corpora.toy import TOY, toy_utterances
from synth_data.corpus import known_corpus, load, protocol_of
from synth_data.curator import Curator
from synth_data.features import FEATURES
from synth_data.gaussian import Gaussian
from synth_data.ledger import PrivacyBudget
from synth_data.mechanism import units_of
from synth_data.protocol import speaker_split
from synth_data.randomness import generator
from synth_data.real import RealSet

PER_EMOTION = 5  # utterances of each toy speaker
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


def folds_of(arguments: argparse.Namespace) -> list[Fold]:
    """The folds that the options name."""
    if arguments.dataset != "toy":
        corpus = known_corpus(arguments.dataset)
        spec = FEATURES["logmel64"]
        real = load(corpus, arguments.data_root, spec, task=arguments.task, progress=True)
        folds = [int(word) for word in arguments.folds.split(",")]
        protocol = protocol_of(corpus, None, arguments.data_root)
        return [Fold(*real.fold(protocol, fold), RECIPES["tdnn"]) for fold in folds]
    speakers = arguments.speakers
    large = replace(
        TOY,
        counts={},
        speakers=None,
        read=lambda _root, _allow: toy_utterances(speakers, PER_EMOTION),
    )
    real = load(large, spec=FEATURES["logmel64-short"], task=arguments.task, progress=True)
    names = sorted(set(real.speakers))
    held = max(20, speakers // 40)
    split = speaker_split("last speakers", names[-held:], names[-2 * held : -held])
    return [Fold(*real.fold(split, 1), RECIPE)]


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


def main() -> None:
    """Prints a row per way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="toy")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--task", default="categorical", choices=["categorical", "dimensional"])
    parser.add_argument("--folds", default="1", help="of a real corpus' default protocol")
    parser.add_argument("--speakers", type=int, default=440, help="of the toy corpus")
    parser.add_argument("--epsilons", default="8,3,1")
    parser.add_argument("--delta", type=float, default=1e-4)
    parser.add_argument("--unit", default="speaker", choices=["speaker", "utterance", "session"])
    parser.add_argument("--ipc", type=int, default=10)
    parser.add_argument("--sets", type=int, default=1, help="in a row, each with the budget")
    parser.add_argument("--seeds", type=int, default=2, help="students of each set")
    parser.add_argument("--private-only", action="store_true", help="no other objectives")
    parser.add_argument("--sets-only", action="store_true", help="no students of DP-SGD")
    arguments = parser.parse_args()
    if arguments.task == "dimensional" and not (arguments.private_only and arguments.sets_only):
        parser.error("--task dimensional goes with --private-only --sets-only")
    torch.set_num_threads(1)
    folds, seeds = folds_of(arguments), arguments.seeds
    for fold in folds:
        units = len(units_of(fold.train, arguments.unit))
        print(
            f"{fold.train.facts.title}, fold {fold.train.fold_number}: {len(fold.train)} "
            f"utterances of {units} {arguments.unit}s to learn from"
        )
    metric = "CCC" if arguments.task == "dimensional" else "UAR"
    print(f"| set | bytes | {metric} | relative to full data | seconds |")
    print("|---|---:|---:|---:|---:|")
    reference = 0.0

    def row(name: str, of_fold: Callable[[Fold], tuple[int, list[float]]]) -> float:
        began = time.monotonic()
        sizes, found = zip(*map(of_fold, folds), strict=True)
        seconds = (time.monotonic() - began) / len(folds)
        mean = sum(map(sum, found)) / sum(map(len, found))
        relative = mean / (reference or mean)
        print(f"| {name} | {sizes[0]} | {mean:.3f} | {relative:.2f} | {seconds:.0f} |", flush=True)
        return mean

    reference = row("full data", partial(everything, seeds=seeds))
    budgets = [
        PrivacyBudget(float(word), arguments.delta, arguments.unit)
        for word in arguments.epsilons.split(",")
    ]
    usual = [] if arguments.private_only else [*usual_ways()]
    for way in [*usual, *private_ways(budgets)]:
        row(way.name, partial(judged, way, ipc=arguments.ipc, sets=arguments.sets, seeds=seeds))
    for budget in [] if arguments.sets_only else budgets:
        name = f"DP-SGD student, epsilon {budget.epsilon:g}"
        row(name, partial(private_students, budget, seeds=seeds))


if __name__ == "__main__":
    main()
