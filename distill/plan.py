"""What a run will cost, before it starts."""

import time
from dataclasses import asdict, dataclass
from functools import partial

import torch
from joblib import cpu_count

from distill.candidate import Parameterisation
from distill.config import RunConfig
from distill.initialisations import INITIALISATIONS
from distill.nested import prefixes_of
from distill.requirements import experts_needed
from distill.rivals import stored_small
from evaluation.baselines.random_subset import DRAWS
from evaluation.forecast import CROWDED, in_words, pace, trained_steps
from evaluation.networks import skeleton
from synth_data import extraction_time
from synth_data.curator import Curator
from synth_data.real import RealSet
from synth_data.representation import Representation

LIBRARIES = 450e6  # bytes that a process holds once torch is imported
TOGETHER = 16  # items that an objective's pass is about as efficient as
HELD = 30  # times an item's own size, that its activations take; of the default student


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
        before: of `distilling`, what passes before the first outer step.
    """

    features: float
    distilling: float
    students: float
    folds: int
    cores: int
    memory: float
    set_bytes: int
    before: float = 0.0

    @property
    def seconds(self) -> float:
        """Of the whole run."""
        side_by_side = min(self.cores, max(1, self.folds))
        rounds = -(-self.folds // side_by_side)
        spread = self.cores // side_by_side
        return self.features + rounds * (self.distilling + self.students / spread)

    def too_short(self, minutes: float | None) -> str:
        """What to say where a limit leaves no time for steps; empty where it does, or is none."""
        if minutes is None or self.before < 60 * minutes:
            return ""
        return (
            f"what is asked of the recordings before the first outer step takes about "
            f"{in_words(self.before)}, and --max-minutes allows {minutes:g} min: sets will be as "
            f"they start; give more, or fewer experts and steps"
        )

    def as_json(self) -> dict[str, float]:
        """The figures by name, with the total."""
        return {**asdict(self), "seconds": self.seconds}

    def __str__(self) -> str:
        return (
            f"estimate: {in_words(self.seconds)} on {self.cores} cores for "
            f"{self.folds} fold{'s' if self.folds != 1 else ''} "
            f"(each {in_words(self.distilling)} to distil, {in_words(self.students)} of student "
            f"training on one core), {self.memory / 1e9:.1f} GB of memory, "
            f"{_size(self.set_bytes)} per set"
        )


def plan(
    config: RunConfig, real: RealSet, folds: int, tested: bool, public: RealSet | None = None
) -> Plan:
    """Estimates a run from a few student steps timed on this machine.

    Args:
        config: resolved.
        real: the corpus; as it is listed will do.
        folds: to run.
        tested: whether there are speakers to test on, and to validate on.
        public: the public corpus, where there is one.
    """
    spec, recipe, objective = config.spec, config.build_recipe(), config.build_objective()
    loop, parameterisation = config.build_loop(), config.build_parameterisation()
    task = Curator(real).narrowed().task
    utterances, groups, columns = len(real.utterances), len(task.groups), len(task.columns)
    heard = 0 if public is None else len(public)
    item = spec.mels * spec.frames * 4
    way = INITIALISATIONS[loop.initialisation]
    origin = public if way.public else _learned_from(config, real) if way.real else None
    sources = None if origin is None else len(origin)
    items_of = partial(
        parameterisation.per_class, spec=spec, emotions=groups, real=sources, columns=columns
    )
    per_class = items_of(config.ipc)
    items = per_class * groups
    prefixes = prefixes_of(config.nested, config.ipc, items_of)
    sizes = (*prefixes, per_class)  # of which an outer step meets one
    timed = pace(config.student, spec.shape, columns, recipe)
    per_item = CROWDED * timed.of(TOGETHER) / TOGETHER
    costs = {size: objective.cost(size, utterances) for size in sizes}
    cost = costs[per_class]
    full, small = (
        CROWDED * timed.of(recipe.batch_of(count)) * trained_steps(recipe, config.seeds)
        for count in (utterances, items)
    )
    step = CROWDED * timed.of(recipe.batch_of(items))
    sets = full + small + step * trained_steps(recipe, DRAWS)
    codec = parameterisation.build_decoder() or parameterisation.codec
    starts = 2 if objective.starts_from == "both" else 1
    looks = 1 + parameterisation.hears_labels + min(loop.checks, loop.steps)
    judging = (
        step * recipe.settings[0].steps * starts * loop.students * len(sizes) * looks
        if tested and config.budget is None  # else nobody judges
        else 0.0
    )
    met_by_step = sum(costs[size].step_passes * size for size in sizes) / len(sizes) * groups
    native = config.build_native()
    experts = experts_needed(config.build_expert(), objective, parameterisation, native)
    disentangler = config.build_disentangler()
    asked = cost.real_passes
    asked += 0 if experts is None else experts.passes
    asked += 0 if disentangler is None else disentangler.passes
    before = per_item * asked
    steps = loop.steps * (met_by_step + cost.step_real_passes)
    distilling = before + judging + per_item * (steps + native.passes(sizes[0], groups))
    distilling += loop.steps * items * _decoding(parameterisation, spec)
    if config.max_minutes is not None:  # which nobody waits for before the first step
        distilling = max(before, min(distilling, 60 * config.max_minutes))
    side_by_side = min(cpu_count(), max(1, folds))
    weights = sum(w.numel() for w in skeleton(config.student, spec.mels, columns).parameters())
    state = cost.checkpoints * weights * 4 * (1 + groups * cost.gradients)
    corpora = (utterances + heard) * item
    # As they are read, the sides of a fold, and these as they went through a transform.
    copies = 2 + (disentangler is not None or spec.normalisation == "training")
    met = round(items * min(1.0, cost.step_passes))  # whose activations are held
    return Plan(
        features=sum(extraction_time.seconds(spec, count) for count in (utterances, heard)),
        distilling=distilling,
        # From both initialisations, but for real items that are stored small.
        students=2 * sets + small * len(stored_small(codec)) if tested else 0.0,
        folds=folds,
        cores=cpu_count(),
        memory=side_by_side
        * (LIBRARIES + copies * corpora + 2 * state + (HELD * met + 10 * items) * item)
        + corpora,  # of the process that waits for them
        set_bytes=parameterisation.bytes(items, spec, groups) + 4 * items * columns,
        before=before,
    )


def _decoding(parameterisation: Parameterisation, spec: Representation) -> float:
    """Seconds that an item's decoding takes in an outer step, with its way back; timed here."""
    if parameterisation.build_decoder() is not None:
        return 0.0  # a small network's, beside those that hear what it makes
    frames = parameterisation.codec.frames
    short = frames.shorten(torch.zeros(TOGETHER, *spec.shape)).requires_grad_()
    taken = []
    for _ in range(3):  # the first prepares what the others use
        began = time.perf_counter()
        frames.lengthen_roughly(short, spec.frames).sum().backward()
        frames.within(short.detach(), parameterisation.limit, spec.frames)
        taken.append(time.perf_counter() - began)
    return min(taken) / TOGETHER


def _learned_from(config: RunConfig, real: RealSet) -> RealSet:
    """The speech that a set is made from: in the first of several folds."""
    if config.fold == "none":
        return real
    fold = 1 if config.fold in ("all", None) else int(config.fold)
    return real.fold(config.corpus_protocol, fold)[0]


def _size(count: int) -> str:
    """Of a set.

    >>> _size(2_460_000), _size(9_500)
    ('2.5 MB', '10 kB')
    """
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"
