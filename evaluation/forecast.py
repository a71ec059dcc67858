"""How long an evaluation will take, before it starts."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import torch

from evaluation.attacks.attackers import ATTACKERS
from evaluation.attacks.attempts import SEEDS, VOICES
from evaluation.baselines import BASELINES
from evaluation.baselines.random_subset import DRAWS
from evaluation.baselines.wasserstein import WassersteinGAN
from evaluation.networks import NETWORKS, draw_weights, has_room, skeleton, usual_student
from evaluation.options import ALSO_FIXED, DP_SGD, GENERATIVE, Options
from evaluation.runs import FULL, RANDOM_SUBSET
from evaluation.students import RECIPES, Examples, PooledRecipe, Recipe, Setting, train
from evaluation.students.dp_sgd import SAMPLING_PROBABILITY, STEPS
from evaluation.students.pooled import pooled
from evaluation.teachers import FACULTY
from synth_data.randomness import generator
from synth_data.synthetic import SyntheticSet

CROWDED = 1.2  # all cores busy are slower than the one that is timed
ATTACKER = 1.0  # seconds, about, for one that is no network
SOLVED = 1000  # items that students without a network are timed on
DESCRIBED = 250  # items whose statistics are timed
PAIRS = ("support vector machine",)  # solvers that look at every item beside every other
FEW, MANY = 4, 32  # items of the steps that are timed
SLOW = 0.5  # seconds that a step of few items may take, for many to be timed as well
# Real items for each of the set's, where a baseline stores them smaller.
TIMES = {
    "float16": 2,
    "int8": 4,
    "cropped": 4,
    "compressed": 4,
    "compressed-int8": 16,
    "cosines-int8": 64,
}
GENERATOR = 6.0  # student's steps on as many items, that a step of a generator takes
MANY_DRAWS = ("random", "random-soft")


@dataclass(frozen=True)
class Pace:
    """Seconds that a training step takes.

    Attributes:
        step: whatever the number of items.
        item: more for each.
    """

    step: float
    item: float

    def of(self, items: int) -> float:
        """Of a step on so many items."""
        return self.step + items * self.item


@dataclass(frozen=True)
class Solver:
    """Seconds that a student without a network takes.

    Attributes:
        item: to describe one by its statistics.
        solved: to solve for `SOLVED` of them.
        power: of the number of items, that solving grows with.
    """

    item: float
    solved: float
    power: int

    def of(self, items: int) -> float:
        """On so many items."""
        return items * self.item + self.solved * (items / SOLVED) ** self.power


class Native(NamedTuple):
    """Training by a set's own schedule: which network, its steps, and the items of a batch."""

    student: str
    steps: int
    batch: int

    @classmethod
    def of(cls, synthetic: SyntheticSet) -> "Native | None":
        """A set's; None if it has no schedule."""
        start, schedule = synthetic.start, synthetic.schedule
        if start is None or schedule is None:
            return None
        batch = schedule.together * len(synthetic.task.groups)
        return cls(start.network, len(schedule.learning_rates), batch)


def seconds(
    options: Options,
    students: Sequence[str],
    own: Sequence[tuple[int, bool]],
    utterances: int,
    shape: tuple[int, int],
    emotions: int,
    natives: Sequence[Native] = (),
    ways: int = 1,
    units: Sequence[int] = (),
) -> float:
    """Of one fold on one core, if nothing is stored from before; good to about a factor of two.

    Args:
        options: of the evaluation.
        students: by name.
        own: of each judged set its items, and whether it has a fixed initialisation.
        utterances: on the training side.
        shape: (mel, frame) of an item.
        emotions: how many there are.
        natives: of the judged sets that have a schedule.
        ways: of hearing speech, that the sets were made from, with speech as it is.
        units: on the training side, under each budget that a set has.
    """
    total = 0.0
    if "speaker" in options.attacks:
        name = usual_student(*shape)
        recipe = RECIPES[name]
        assert isinstance(recipe, Recipe)  # as every network's is
        one = recipe.settings[0].steps * pace(name, shape, emotions, recipe).of(recipe.batch)
        others = ATTACKER * (len(ATTACKERS) - 1)
        total += ways * SEEDS * len(VOICES) * (one + others)
    sizes = sorted({items for items, _ in own})
    fixed = any(has_start for _, has_start in own)
    if GENERATIVE in options.baselines:
        total += len(sizes) * _generator(options, students, shape, emotions)
    for student in students:
        recipe = options.every_recipe[student]
        if isinstance(recipe, PooledRecipe):
            solves = solver(student, shape, emotions, recipe)
            trained = [(utterances, options.seeds)] * ways
            trained += [(items, options.seeds) for items, _ in own]
            trained += [(items, seeds) for _, items, seeds in _beside(options, sizes, utterances)]
            trials = len(recipe.settings) - 1  # of the first; the others have the setting chosen
            total += sum((trials + seeds) * solves.of(items) for items, seeds in trained)
            continue
        assert isinstance(recipe, Recipe)  # as every network's is
        if not has_room(student, *shape):
            continue  # it will say so at once
        timed = pace(student, shape, emotions, recipe)

        def cost(items: int, seeds: int, recipe: Recipe = recipe, timed: Pace = timed) -> float:
            return trained_steps(recipe, seeds) * timed.of(recipe.batch_of(items))

        near = 1 + len(set(options.start_noise))  # the fixed weights, and with noise on them
        full = cost(utterances, options.seeds)
        total += (ways + fixed * near) * full
        total += sum(
            (1 + has_start * near) * cost(items, options.seeds) for items, has_start in own
        )
        total += sum(
            (1 + (near - 1) * options.seeds) * native.steps * timed.of(native.batch)
            for native in natives
            if native.student == student
        )
        for name, items, seeds in _beside(options, sizes, utterances):
            starts = 1 + fixed * near if name in ALSO_FIXED else 1
            total += starts * cost(items, seeds)
        if DP_SGD in options.baselines:
            part = STEPS * SAMPLING_PROBABILITY * options.seeds
            total += part * sum(each * timed.step + utterances * timed.item for each in units)
        if options.robust_scores and RANDOM_SUBSET in options.baselines:
            total += sum(cost(items, options.seeds) for items, _ in own)
            total += sum(cost(size, DRAWS) for size in sizes)
        if "architectures" in options.teachers:
            total += len(FACULTY) * cost(utterances, 1)
        if "richer-features" in options.teachers:
            total += cost(utterances, 1) + full  # its pupils by features
        total += len(options.teachers) * full  # pupils by logits
    return CROWDED * total


def _beside(
    options: Options, sizes: Sequence[int], utterances: int
) -> Iterator[tuple[str, int, int]]:
    """Of each baseline at each size its name, its items, and its students from one start."""
    for size in sizes:
        for name in options.baselines:
            if name == FULL or name not in BASELINES:
                continue
            whole = name in ("full-balanced", GENERATIVE)
            items = utterances if whole else TIMES.get(name, 1) * size
            yield name, min(items, utterances), DRAWS if name in MANY_DRAWS else options.seeds


def _generator(
    options: Options, students: Sequence[str], shape: tuple[int, int], emotions: int
) -> float:
    """Of one generator, which the first student that is a network looks at."""
    able = (s for s in students if s in NETWORKS and has_room(s, *shape))
    training, looks = WassersteinGAN(), next(able, usual_student(*shape))
    recipe = options.every_recipe[looks]
    assert isinstance(recipe, Recipe)  # as every network's is
    step = pace(looks, shape, emotions, recipe).of(2 * training.pairs * emotions)
    return GENERATOR * training.steps * step


def trained_steps(recipe: Recipe, seeds: int) -> float:
    """Of the students of one set: the first under each schedule, the others under one of them."""
    steps = [schedule.steps for schedule in recipe.schedules]
    return sum(steps) + (seeds - 1) * sum(steps) / len(steps)


@cache
def pace(student: str, shape: tuple[int, int], emotions: int, recipe: Recipe) -> Pace:
    """How fast a student trains, timed on this machine; once by a process."""
    assert student in NETWORKS
    draws = generator(0, "forecast")
    network = skeleton(student, shape[0], emotions)
    features = torch.randn(4 * MANY, *shape, generator=draws)
    examples = Examples(features, torch.full((len(features), emotions), 1 / emotions))
    weights = draw_weights(network, draws)

    def timed(items: int, steps: int) -> float:
        began = time.perf_counter()
        small = replace(recipe, batch=items)
        train(network, weights, examples, small, Setting(steps, 1e-3), draws)
        return (time.perf_counter() - began) / steps

    timed(FEW, 1)  # sets the libraries up, which can take longer than many steps
    first = timed(FEW, 1)
    if first > SLOW:
        return Pace(0.0, first / FEW)
    # The better of two: whatever else the machine is doing for a moment is not the student's pace.
    few, many = (min(timed(*shape), timed(*shape)) for shape in ((FEW, 10), (MANY, 5)))
    item = max(many - few, 0.0) / (MANY - FEW)
    return Pace(max(few - FEW * item, 0.0), item)


@cache
def solver(student: str, shape: tuple[int, int], emotions: int, recipe: PooledRecipe) -> Solver:
    """How fast a student without a network is trained, timed on this machine; once by a process."""
    draws = generator(0, "forecast")
    classes = torch.arange(SOLVED) % max(2, emotions)
    # Of three frames there are as many statistics as of more, and they are there at once.
    features = torch.randn(SOLVED, shape[0], min(shape[1], 3), generator=draws)
    examples = Examples(features, torch.eye(int(classes.max()) + 1)[classes])
    began = time.perf_counter()
    recipe.fit(student, {}, examples, recipe.settings[-1], draws)
    solved = time.perf_counter() - began
    whole = torch.randn(DESCRIBED, *shape, generator=draws)
    began = time.perf_counter()
    pooled(whole)
    item = (time.perf_counter() - began) / DESCRIBED
    return Solver(item, solved, 2 if recipe.classifier in PAIRS else 1)


def in_words(seconds: float) -> str:
    """A duration for people.

    >>> [in_words(s) for s in (42.0, 600.0, 7200.0)]
    ['42 s', '10 min', '2.0 h']
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
