"""What a run will cost, before it starts."""

import time
from dataclasses import asdict, dataclass, replace

import torch
from joblib import cpu_count

from distill.config import RunConfig
from evaluation.baselines.random_subset import DRAWS
from evaluation.networks import draw_weights, skeleton
from evaluation.students import train
from synth_data.randomness import generator

LIBRARIES = 450e6  # bytes that a process holds once torch is imported
FEATURE_SECONDS = 4e-3  # to compute one utterance's features
CROWDED = 1.5  # all cores busy are slower than the one that is timed


@dataclass(frozen=True)
class Plan:
    """Estimates, good to about a factor of two.

    Attributes:
        features: seconds to compute the features, if they are not cached.
        distilling: seconds per fold, all of them on one core.
        students: seconds per fold, all of them on one core.
        folds: to run.
        cores: they are spread over.
        memory: bytes, of all processes.
        set_bytes: of each set.
    """

    features: float
    distilling: float
    students: float
    folds: int
    cores: int
    memory: float
    set_bytes: int

    @property
    def seconds(self) -> float:
        """Of the whole run."""
        side_by_side = min(self.cores, max(1, self.folds))
        rounds = -(-self.folds // side_by_side)
        spread = self.cores // side_by_side
        return self.features + rounds * (self.distilling + self.students / spread)

    def as_json(self) -> dict[str, float]:
        """The figures by name, with the total."""
        return {**asdict(self), "seconds": self.seconds}

    def __str__(self) -> str:
        return (
            f"estimate: {_duration(self.seconds)} on {self.cores} cores for "
            f"{self.folds} fold{'s' if self.folds != 1 else ''} "
            f"(each {_duration(self.distilling)} to distil, {_duration(self.students)} of student "
            f"training on one core), {self.memory / 1e9:.1f} GB of memory, "
            f"{self.set_bytes / 1e6:.1f} MB per set"
        )


def plan(config: RunConfig, utterances: int, emotions: int, folds: int, tested: bool) -> Plan:
    """Estimates a run from a few student steps timed on this machine.

    Args:
        config: resolved.
        utterances: of the corpus.
        emotions: of the corpus.
        folds: to run.
        tested: whether students are trained.
    """
    spec, recipe, objective = config.spec, config.build_recipe(), config.build_objective()
    item = spec.mels * spec.frames * 4
    items = config.ipc * emotions
    per_item = _seconds_per_item(config, emotions)
    cost = objective.cost()
    full = recipe.steps * recipe.batch_of(utterances) * per_item
    small = recipe.steps * recipe.batch_of(items) * per_item
    trials = len(recipe.learning_rates) - 1  # of the first student of each set
    sets = (config.seeds + trials) * (full + small) + (DRAWS + trials) * small
    side_by_side = min(cpu_count(), max(1, folds))
    weights = sum(w.numel() for w in skeleton(config.student, spec.mels, emotions).parameters())
    state = cost.checkpoints * weights * 4 * (1 + emotions)
    return Plan(
        features=utterances * FEATURE_SECONDS,
        distilling=per_item
        * (cost.real_passes * utterances + config.build_loop().steps * cost.step_passes * items),
        students=2 * sets if tested else 0.0,  # from both initialisations
        folds=folds,
        cores=cpu_count(),
        memory=side_by_side * (LIBRARIES + 2 * utterances * item + 2 * state + 60 * items * item),
        set_bytes=items * (item + 4 * emotions),
    )


def _seconds_per_item(config: RunConfig, emotions: int) -> float:
    """Seconds that a forward and backward pass of the student takes per item."""
    draws, recipe = generator(config.seed, "plan"), config.build_recipe()
    network = skeleton(config.student, config.spec.mels, emotions)
    items = 4 * recipe.batch
    features = torch.randn(items, *config.spec.shape, generator=draws)
    targets = torch.full((items, emotions), 1 / emotions)
    weights = draw_weights(network, draws)

    def seconds(steps: int) -> float:
        began = time.perf_counter()
        train(network, weights, features, targets, replace(recipe, steps=steps), 1e-3, draws)
        return time.perf_counter() - began

    seconds(1)  # the first pass sets the libraries up
    return CROWDED * seconds(10) / 10 / recipe.batch_of(items)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
