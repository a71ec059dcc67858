"""What a privacy budget costs: students' UAR over epsilon, beside sets without a guarantee.

On the toy corpus with as many speakers as wished, of whom twenty, or a fortieth part, are tested;
or on fold 1 of a real corpus:

    python examples/privacy_curve.py --speakers 440 --epsilons 8,3,1
    python examples/privacy_curve.py --speakers 840 --epsilons 8 --private-only
    python examples/privacy_curve.py --dataset ravdess --data-root RAVDESS --unit utterance

Students start from random weights and are trained for 300 steps; all sets take about the same
bytes. Beside them stand students trained on the real speech by DP-SGD, under the same budgets, and
their bytes are those of their weights. The reports of the commands have more of them, and
intervals. Random numbers of the noise have no seed: another run gives other figures.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
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
from synth_data.ledger import PrivacyBudget, Unit
from synth_data.mechanism import units_of
from synth_data.protocol import speaker_split
from synth_data.randomness import generator
from synth_data.real import RealSet

PER_EMOTION = 5  # utterances of each toy speaker
MATCHING = Loop(steps=400, learning_rate=0.1)
NOISY = Loop(steps=100, learning_rate=0.1, initialisation="noise")
SMALL = Parameterisation(slices=4, numbers="int8")
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
    yield Way("released-moments, without noise", ReleasedMoments(), NOISY)


def private_ways(epsilons: list[float], delta: float, unit: Unit) -> Iterator[Way]:
    """Sets with less and less of a budget."""
    for epsilon in epsilons:
        budget = PrivacyBudget(epsilon, delta, unit)
        yield Way(f"epsilon {epsilon:g}", ReleasedMoments(), NOISY, SMALL, budget)


def sides(arguments: argparse.Namespace) -> tuple[RealSet, RealSet]:
    """Training and test utterances."""
    if arguments.dataset != "toy":
        corpus = known_corpus(arguments.dataset)
        real = load(corpus, arguments.data_root, FEATURES["logmel64"], progress=True)
        train, _, test = real.fold(protocol_of(corpus, None), 1)
        return train, test
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
    return train, test


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


def row(name: str, size: int, found: list[float], reference: float, seconds: float) -> str:
    """Of the table."""
    mean = sum(found) / len(found)
    return f"| {name} | {size} | {mean:.3f} | {mean / reference:.2f} | {seconds:.0f} |"


def main() -> None:
    """Prints a row per way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="toy")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--speakers", type=int, default=440, help="of the toy corpus")
    parser.add_argument("--epsilons", default="8,3,1")
    parser.add_argument("--delta", type=float, default=1e-4)
    parser.add_argument("--unit", default="speaker", choices=["speaker", "utterance", "session"])
    parser.add_argument("--ipc", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--private-only", action="store_true", help="no sets without a guarantee")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    train, test = sides(arguments)
    units = units_of(train, arguments.unit)
    full = uar(train.features, train.targets, test, arguments.seeds, RECIPE)
    reference = sum(full) / len(full)
    print(
        f"{train.facts.title}: {len(train)} utterances of {len(units)} {arguments.unit}s to learn "
        f"from"
    )
    print("| set | bytes | UAR | relative to full data | seconds |\n|---|---:|---:|---:|---:|")
    print(f"| full data | {train.features.nbytes} | {reference:.3f} | 1.00 | |", flush=True)
    epsilons = [float(word) for word in arguments.epsilons.split(",")]
    usual = [] if arguments.private_only else [*usual_ways()]
    for way in [*usual, *private_ways(epsilons, arguments.delta, arguments.unit)]:
        began = time.monotonic()
        door = Curator(train)
        if way.budget is not None:
            door = Curator(train, Gaussian(account_of(way.budget, way.objective, way.loop)))
        made = distill(
            door,
            way.objective,
            "tdnn",
            ipc=arguments.ipc,
            seed=0,
            loop=way.loop,
            parameterisation=way.parameterisation,
        )
        seconds = time.monotonic() - began
        found = uar(made.features, made.targets, test, arguments.seeds, RECIPE)
        print(row(way.name, made.bytes, found, reference, seconds), flush=True)
    network = skeleton("tdnn", train.spec.mels, len(train.emotions))
    size = 4 * sum(weight.numel() for weight in network.parameters())
    for epsilon in epsilons:
        began = time.monotonic()
        budget = PrivacyBudget(epsilon, arguments.delta, arguments.unit)
        recipe = PrivateRecipe.under(budget, units)
        found = uar(train.features, train.targets, test, arguments.seeds, recipe)
        seconds = (time.monotonic() - began) / arguments.seeds
        name = f"DP-SGD student, epsilon {epsilon:g}"
        print(row(name, size, found, reference, seconds), flush=True)


if __name__ == "__main__":
    main()
