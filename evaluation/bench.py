"""One fold at work: which students are trained on what, from where, with which recipe."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch

from evaluation.baselines import (
    BASELINES,
    OF_AS_MANY_BYTES,
    Baseline,
    Competitor,
    NotAvailable,
    Reference,
    Stock,
)
from evaluation.baselines.competitor import hardened
from evaluation.jobs import Heard, Job
from evaluation.named_sets import NamedSet
from evaluation.networks import NETWORKS, draw_weights, skeleton, usual_student
from evaluation.options import (
    ALSO_FIXED,
    AUGMENTED,
    CUSTOM,
    DP_SGD,
    FIXED,
    GENERIC,
    HARD_LABELS,
    MASKS,
    NATIVE,
    NONE,
    RANDOM,
    Options,
)
from evaluation.runner import Done, Runner
from evaluation.runs import FULL, RANDOM_SUBSET, Run, Ships
from evaluation.starts import nearby
from evaluation.student_runs import runs_of
from evaluation.students import (
    RECIPES,
    Examples,
    NativeRecipe,
    Recipe,
    StudentRecipe,
    embeddings_of,
    logits_of,
)
from synth_data.provenance import Provenance
from synth_data.randomness import generator
from synth_data.real import RealSet


@dataclass(eq=False)
class Bench:
    """The students of one fold.

    Attributes:
        judged: the sets under evaluation, whose sizes and starts others are given.
        own: those of them that are trained on here.
        train: the real training utterances, as students hear them.
        heard: the validation and test utterances.
        students: by name.
        options: what to include.
        runner: trains them.
        full_name: in reports, of all real training data.
        subsets: sizes of random subsets that students are trained on, here or at an earlier bench.
        full: the competitor of all real training data.
        graduation: its students, once they are trained.
        unavailable: what could not be made, and why.
        failed: students whose training failed, and why.
        recipes: by student; the generic one where the options have none.
    """

    judged: Sequence[NamedSet]
    own: Sequence[NamedSet]
    train: RealSet
    heard: Heard
    students: tuple[str, ...]
    options: Options
    runner: Runner
    full_name: str = FULL
    subsets: set[int] = field(default_factory=set)
    unavailable: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        examples = Examples(self.train.features, self.train.targets, task=self.train.task)
        self.full = Competitor(self.full_name, examples, None, "real items")
        self.graduation: list[Done] = []
        self.recipes = self.options.every_recipe

    def sets(self) -> Iterator[Run]:
        """Students of every set: full data first, since other baselines look through their eyes."""
        self.graduation = self.runner.run(list(self._jobs([self.full])))
        own = [_competitor(one) for one in self.own]
        others = self._baselines([_competitor(one) for one in self.judged])
        self.subsets |= {one.ipc for one in others if one.name == RANDOM_SUBSET and one.ipc}
        jobs = [*self._jobs(own), *self._jobs(others), *self._for_scores([*own, *others])]
        jobs += self._natives(own)
        yield from self.in_order([*self.graduation, *self.runner.run(jobs)])
        self._tell_whose_start()

    def in_order(self, done: Sequence[Done]) -> Iterator[Run]:
        """The runs of these jobs; those that failed are named instead."""
        for found in done:
            if found.outcome.error:
                self.failed.append(f"{found.job}: {found.outcome.error}")
            else:
                yield from runs_of(found, self.train.task, self.options.memory)

    def _baselines(self, own: Sequence[Competitor]) -> list[Competitor]:
        """All baselines, at each size that is judged, and which of them cannot be had."""
        found: dict[str, Competitor] = {}
        wanted = [n for n in BASELINES if n in self.options.baselines and n != FULL]
        first = {one.ipc: one for one in reversed(own) if one.ipc is not None}
        self._tell_whose_bytes(first, own)
        for ipc in sorted(first):
            for name in wanted:
                stock = Stock(
                    train=self.train,
                    ipc=ipc,
                    bytes=first[ipc].bytes,
                    generator=generator(self.options.seed, "baseline", name),
                    look=self._reference,
                )
                for one in self._made(name, BASELINES[name], stock):
                    found[f"{one.name} {one.ipc} {one.draw}"] = one
        return list(found.values())

    def _tell_whose_bytes(self, first: Mapping[int, Competitor], own: Sequence[Competitor]) -> None:
        """Names the sets beside which no baseline of as many bytes stands."""
        asked = [name for name in OF_AS_MANY_BYTES if name in self.options.baselines]
        for one in own:
            if one.ipc is None or one.bytes == first[one.ipc].bytes or not asked:
                continue
            beside = first[one.ipc]
            self.unavailable.append(
                f"{', '.join(asked)} in the {one.bytes:,} bytes of {one.name}: those of ipc "
                f"{one.ipc} here have the {beside.bytes:,} of {beside.name}; judge {one.name} in "
                f"a report of its own"
            )

    def _tell_whose_start(self) -> None:
        """Names the sets whose fixed weights are not those that others start from."""
        first: dict[str, NamedSet] = {}
        for one in self.judged:
            if (start := one.synthetic.start) is None or start.network not in self.students:
                continue
            beside = first.setdefault(start.network, one)
            assert beside.synthetic.start is not None  # as every one's that stands there
            if start.digest != beside.synthetic.start.digest:
                self.unavailable.append(
                    f"{', '.join(ALSO_FIXED)} from the fixed weights of {one.name}: "
                    f"those here start from {beside.name}'s; judge {one.name} in a report of its "
                    f"own"
                )

    def _made(self, name: str, baseline: Baseline, stock: Stock) -> Iterator[Competitor]:
        try:
            yield from baseline(stock)
        except NotAvailable as reason:
            self.unavailable.append(f"{name}: {reason}")

    def _jobs(self, competitors: Sequence[Competitor]) -> Iterator[Job]:
        """Every student of these competitors."""
        draws = Counter((one.name, one.ipc) for one in competitors)
        for student in self.students:
            recipe = self.recipes[student]
            for one in competitors:
                seeds = range(self.options.seeds) if draws[one.name, one.ipc] == 1 else [one.draw]
                for seed in seeds:
                    yield from self._starts(one, student, recipe, self.recipe_name(student), seed)

    def _starts(
        self, one: Competitor, student: str, recipe: StudentRecipe, recipe_name: str, seed: int
    ) -> Iterator[Job]:
        """The student's jobs from each initialisation that it has."""
        base, keep = self.options.seed, _in_every_report(one)
        if start := self._start(one, student):
            fixed = Job(one, student, FIXED, start, recipe, recipe_name, seed, base, keep)
            yield fixed
            if keep:
                yield from nearby(fixed, self.options.start_noise)
        yield self.random_start(one, student, recipe, recipe_name, seed)

    def _natives(self, own: Sequence[Competitor]) -> Iterator[Job]:
        """Of sets with a schedule: the student that each was made for, trained by it.

        Nothing in it is random, so there is one; more start from near the fixed weights.
        """
        for one, competitor in zip(self.own, own, strict=True):
            start, schedule = one.synthetic.start, one.synthetic.schedule
            if start is None or schedule is None or start.network not in self.students:
                continue
            recipe, base = NativeRecipe.of(schedule), self.options.seed
            job = Job(
                competitor, start.network, FIXED, start.weights, recipe, NATIVE, 0, base, keep=True
            )
            yield job
            for seed in range(self.options.seeds):
                yield from nearby(replace(job, seed=seed), self.options.start_noise)

    def _start(self, one: Competitor, student: str) -> Mapping[str, torch.Tensor] | None:
        """The fixed weights: a judged set's own, or for others those of the first that has any."""
        if not one.judged and one.name not in ALSO_FIXED:
            return None
        starts = [
            each.synthetic.start
            for each in self.judged
            if not one.judged or (each.name, each.ipc) == (one.name, one.ipc)
        ]
        return next((s.weights for s in starts if s and s.network == student), None)

    def _for_scores(self, competitors: Sequence[Competitor]) -> Iterator[Job]:
        """Students with masks, and on hard labels, from random weights.

        No score can do without random subsets, so where there are none nobody is trained for one.
        """
        if not self.options.robust_scores:
            return
        without = {one.ipc for one in competitors if one.judged and one.ipc} - self.subsets
        self.unavailable += [
            f"DD-Ranking's scores of sets at ipc {ipc}: they compare with random subsets of that "
            f"size, and there are none here"
            for ipc in sorted(without)
        ]
        draws = Counter((one.name, one.ipc) for one in competitors)
        for student in self.students:
            recipe = self.recipes[student]
            if not isinstance(recipe, Recipe):
                continue
            masked = replace(recipe, augment=MASKS)
            for one in competitors:
                if one.ipc in without:
                    continue
                seeds = range(self.options.seeds) if draws[one.name, one.ipc] == 1 else [one.draw]
                if one.judged or one.name == RANDOM_SUBSET:
                    for seed in seeds:
                        yield self.random_start(one, student, masked, AUGMENTED, seed)
                if one.judged and (hard := _hardened(one)):
                    for seed in seeds:
                        yield self.random_start(hard, student, recipe, HARD_LABELS, seed)

    def random_start(
        self, one: Competitor, student: str, recipe: StudentRecipe, recipe_name: str, seed: int
    ) -> Job:
        """The student's job from random weights, or from none if it has none."""
        base = self.options.seed
        if student not in NETWORKS:
            return Job(one, student, NONE, {}, recipe, recipe_name, seed, base)
        network = skeleton(student, self.train.spec.mels, len(self.train.task.columns))
        weights = draw_weights(network, generator(base, "student", student, seed))
        # Noise under a guarantee has no seed: only its weights make such a student again.
        keep = _in_every_report(one) or recipe_name == DP_SGD
        return Job(one, student, RANDOM, weights, recipe, recipe_name, seed, base, keep)

    def recipe_name(self, student: str) -> str:
        """As in the report."""
        return GENERIC if self.recipes[student] == RECIPES[student] else CUSTOM

    def graduates(self, student: str) -> list[Done]:
        """Full-data students of a network, from random weights; at least one that did not fail.

        Raises:
            NotAvailable: all failed.
        """
        found = [
            done
            for done in self.graduation
            if (done.job.student, done.job.initialisation) == (student, RANDOM)
            and not done.outcome.error
        ]
        if not found:
            raise NotAvailable(f"no {student} could be trained on the full data")
        return found

    def _reference(self) -> Reference:
        """What a full-data student makes of the training utterances.

        Raises:
            NotAvailable: none could be trained.
        """
        done = self._guide
        weights = done.outcome.weights
        assert weights is not None
        network = skeleton(done.job.student, self.train.spec.mels, len(self.train.task.columns))
        return Reference(
            network=network,
            weights=weights,
            logits=logits_of(network, weights, self.train.features),
            embeddings=embeddings_of(network, weights, self.train.features),
            seconds=done.outcome.seconds,
        )

    @cached_property
    def _guide(self) -> Done:
        """The full-data student that looks; one that nobody asked for is not in the report."""
        for student in self.students:
            if student in NETWORKS:
                return self.graduates(student)[0]
        name = usual_student(*self.train.spec.shape)
        job = self.random_start(self.full, name, RECIPES[name], GENERIC, 0)
        (done,) = self.runner.run([job])
        if done.outcome.error:
            raise NotAvailable(f"no {name} could be trained on the full data")
        return done


def _competitor(one: NamedSet) -> Competitor:
    synthetic = one.synthetic
    return Competitor(
        one.name,
        Examples(synthetic.features, synthetic.targets, task=synthetic.task),
        one.ipc,
        _ships(synthetic.provenance),
        bytes=synthetic.bytes,
        making_seconds=one.making_seconds,
        judged=True,
        made_for=one.network,
    )


def _ships(made: Provenance) -> Ships:
    if made.imported:
        return "items of unknown origin"
    return "synthetic items near real ones" if made.near_real else "synthetic items"


def _in_every_report(one: Competitor) -> bool:
    """The next report may hear other speech, and want the weights of these students."""
    return one.judged or one.name in (FULL, RANDOM_SUBSET)


def _hardened(one: Competitor) -> Competitor | None:
    """The same items with hard labels; None if they have them already."""
    if not one.soft_labels:
        return None
    return replace(one, examples=replace(one.examples, targets=hardened(one.examples.targets)))
