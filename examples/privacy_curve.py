"""What a privacy budget costs: students' UAR over epsilon, beside sets without a guarantee.

On the toy corpus with as many speakers as wished, of whom twenty, or a fortieth part, are tested;
or on folds of a real corpus, each of whose sets has the budget for itself:

    python examples/privacy_curve.py --speakers 440 --epsilons 8,3,1
    python examples/privacy_curve.py --speakers 840 --epsilons 8 --private-only
    python examples/privacy_curve.py --dataset ravdess --data-root RAVDESS --folds 1,2 --ipc 3 \
        --unit utterance

Students start from random weights and are trained for 300 steps; all sets take about the same
bytes. Beside them stand students trained on the real speech by DP-SGD, under the same budgets, and
their bytes are those of their weights. The reports of the commands have more of them, and
intervals. Random numbers of the noise have no seed: another run gives other figures.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from distill.candidate import Parameterisation
from distill.engine import distill
from distill.objectives.distribution_matching import DistributionMatching
from distill.objectives.objective import Objective
from distill.objectives.released_moments import ReleasedMoments
from distill.outer_loop import Loop
from distill.private import account_of
from evaluation import metrics
from evaluation.networks import draw_weights, skeleton
from evaluation.students import Examples, PrivateRecipe, Recipe, StudentRecipe
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
    """Sets without a guarantee."""
    cheap = DistributionMatching(starts=1, checkpoints=1)  # no step of which moves anything
    yield Way("real items, as they are", cheap, Loop(steps=1, learning_rate=1e-9))
    yield Way("distribution-matching", DistributionMatching(), MATCHING)
    whole = Parameterisation()
    yield Way("distribution-matching, whole items", DistributionMatching(), MATCHING, whole)
    yield Way("released-moments, without noise", ReleasedMoments(), PRIVATE, TAUGHT)


def private_ways(budgets: Sequence[PrivacyBudget]) -> Iterator[Way]:
    """Sets under budgets."""
    for budget in budgets:
        yield Way(f"epsilon {budget.epsilon:g}", ReleasedMoments(), PRIVATE, TAUGHT, budget)


def sides(arguments: argparse.Namespace) -> list[tuple[RealSet, RealSet]]:
    """Training and test utterances of each fold."""
    if arguments.dataset != "toy":
        corpus = known_corpus(arguments.dataset)
        real = load(corpus, arguments.data_root, FEATURES["logmel64"], progress=True)
        folds = [int(word) for word in arguments.folds.split(",")]
        parts = [real.fold(protocol_of(corpus, None), fold) for fold in folds]
        return [(train, test) for train, _, test in parts]
    speakers = arguments.speakers
    large = replace(
        TOY,
        counts={},
        speakers=None,
        read=lambda _root, _allow: toy_utterances(speakers, PER_EMOTION),
    )
    real = load(large, spec=FEATURES["logmel64-short"], progress=True)
    names = sorted(set(real.speakers))
    held = max(20, speakers // 40)
    split = speaker_split("last speakers", names[-held:], names[-2 * held : -held])
    train, _, test = real.fold(split, 1)
    return [(train, test)]


def uar(
    features: Tensor, targets: Tensor, test: RealSet, seeds: int, recipe: StudentRecipe
) -> list[float]:
    """Of students from random weights."""
    network = skeleton("tdnn", *(features.shape[1], targets.shape[1]))
    truth, found = test.targets.argmax(dim=1).tolist(), []
    for seed in range(seeds):
        draws = generator(seed, "student")
        examples = Examples(features, targets)
        weights = draw_weights(network, draws)
        fitted = recipe.fit("tdnn", weights, examples, recipe.settings[0], draws)
        heard = fitted.predict(test.features).tolist()
        found.append(float(metrics.uar(metrics.confusion(truth, heard, targets.shape[1]))))
    return found


def judged(
    way: Way, train: RealSet, test: RealSet, ipc: int, seeds: int
) -> tuple[int, list[float]]:
    """The bytes of a set that is made so, and the UAR of its students."""
    door = Curator(train)
    if way.budget is not None:
        door = Curator(train, Gaussian(account_of(way.budget, way.objective, way.loop)))
    made = distill(
        door,
        way.objective,
        "tdnn",
        ipc=ipc,
        seed=0,
        loop=way.loop,
        parameterisation=way.parameterisation,
    )
    return made.bytes, uar(made.features, made.targets, test, seeds, RECIPE)


def private_student(
    budget: PrivacyBudget, train: RealSet, test: RealSet, seeds: int
) -> tuple[int, list[float]]:
    """The bytes of a student that DP-SGD trains on the real speech, and the UAR of a few."""
    network = skeleton("tdnn", train.spec.mels, len(train.emotions))
    size = 4 * sum(weight.numel() for weight in network.parameters())
    recipe = PrivateRecipe.under(budget, units_of(train, budget.unit))
    return size, uar(train.features, train.targets, test, seeds, recipe)


def main() -> None:
    """Prints a row per way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="toy")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--folds", default="1", help="of a real corpus' default protocol")
    parser.add_argument("--speakers", type=int, default=440, help="of the toy corpus")
    parser.add_argument("--epsilons", default="8,3,1")
    parser.add_argument("--delta", type=float, default=1e-4)
    parser.add_argument("--unit", default="speaker", choices=["speaker", "utterance", "session"])
    parser.add_argument("--ipc", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--private-only", action="store_true", help="no sets without a guarantee")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    folds, seeds = sides(arguments), arguments.seeds
    for train, _ in folds:
        units = len(units_of(train, arguments.unit))
        print(
            f"{train.facts.title}, fold {train.fold_number}: {len(train)} utterances of {units} "
            f"{arguments.unit}s to learn from"
        )
    full = [
        one
        for train, test in folds
        for one in uar(train.features, train.targets, test, seeds, RECIPE)
    ]
    reference = sum(full) / len(full)
    print("| set | bytes | UAR | relative to full data | seconds |\n|---|---:|---:|---:|---:|")
    size = folds[0][0].features.nbytes
    print(f"| full data | {size} | {reference:.3f} | 1.00 | |", flush=True)

    def row(name: str, of_fold: Callable[[RealSet, RealSet], tuple[int, list[float]]]) -> None:
        began = time.monotonic()
        sizes, found = zip(*(of_fold(*fold) for fold in folds), strict=True)
        seconds = (time.monotonic() - began) / len(folds)
        mean = sum(map(sum, found)) / sum(map(len, found))
        relative = mean / reference
        print(f"| {name} | {sizes[0]} | {mean:.3f} | {relative:.2f} | {seconds:.0f} |", flush=True)

    budgets = [
        PrivacyBudget(float(word), arguments.delta, arguments.unit)
        for word in arguments.epsilons.split(",")
    ]
    usual = [] if arguments.private_only else [*usual_ways()]
    for way in [*usual, *private_ways(budgets)]:
        row(way.name, partial(judged, way, ipc=arguments.ipc, seeds=seeds))
    for budget in budgets:
        name = f"DP-SGD student, epsilon {budget.epsilon:g}"
        row(name, partial(private_student, budget, seeds=seeds))


if __name__ == "__main__":
    main()
