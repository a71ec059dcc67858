"""What a set is worth: fresh students, trained on it and on what one could take instead."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from joblib import Parallel, delayed
from torch import Tensor, nn

from evaluation.baselines import BASELINES, Competitor, NotAvailable
from evaluation.networks import Weights, draw_weights, skeleton
from evaluation.runs import DISTILLED, FoldResult, Run
from evaluation.students import RECIPES, Recipe, predict, train
from synth_data.errors import SetError, UserError, unknown_name
from synth_data.progress import SILENT, Progress
from synth_data.randomness import generator
from synth_data.real import RealSet
from synth_data.synthetic import SyntheticSet

FIXED, RANDOM = "fixed", "random"  # initialisations
UNTRAINED = "untrained"  # the fixed initialisation as it is: it has seen no data


@dataclass(frozen=True)
class Job:
    """One student to train and test."""

    competitor: Competitor
    student: str
    network: nn.Module
    initialisation: str
    weights: Weights
    seed: int


def evaluate(
    synthetic: SyntheticSet,
    train_set: RealSet,
    test: RealSet,
    *,
    students: Sequence[str] | None = None,
    seeds: int = 5,
    seed: int = 0,
    making_seconds: float = 0.0,
    recipes: Mapping[str, Recipe] = RECIPES,
    jobs: int = 1,
    progress: Progress = SILENT,
) -> FoldResult:
    """Trains students on the set, on all real training data and on random subsets of its size.

    Every competitor meets the same students: the same recipe, the same initial weights (the
    set's fixed initialisation, where the student is the network it was made for, and random
    ones), the same seeds. Where a baseline has several draws, each has one student of its own.

    Args:
        synthetic: the set.
        train_set: the real utterances it was made from, or could have been made from.
        test: utterances of other speakers.
        students: names of networks; the one the set was made for if None.
        seeds: students per set and initialisation.
        seed: that the students' seeds are derived from.
        making_seconds: what the set took to make.
        recipes: by student.
        jobs: students trained side by side, each in a process with one thread; the results do
            not depend on it.
        progress: a bar for the students.

    Raises:
        SetError: the set's emotions or features are not those of the real utterances.
        UserError: an unknown student, or seeds below 1.
    """
    _check_fit(synthetic, test)
    for name in students or ():
        if name not in recipes:
            raise unknown_name("student", name, recipes)
    if seeds < 1:
        raise UserError(f"a set needs at least one student; found seeds = {seeds}")
    train_set = replace(train_set, features=synthetic.transform(train_set.features))
    test = replace(test, features=synthetic.transform(test.features))
    competitors, unavailable = _competitors(synthetic, train_set, seed, making_seconds)
    names = students or ([synthetic.start.network] if synthetic.start else list(recipes))
    work = [job for name in names for job in _jobs(name, synthetic, competitors, seeds, seed)]
    parallel = Parallel(n_jobs=jobs, return_as="generator")
    runs = parallel(
        delayed(_run)(job, synthetic.start_bytes, recipes[job.student], seed, test.features)
        for job in work
    )
    return FoldResult(
        fold=test.fold_number or 1,
        emotions=test.emotions,
        utterances=tuple(utterance.name for utterance in test.utterances),
        speakers=tuple(test.speakers),
        truth=tuple(test.targets.argmax(dim=1).tolist()),
        runs=tuple(progress(runs, total=len(work))),
        unavailable=tuple(unavailable),
    )


def _check_fit(synthetic: SyntheticSet, test: RealSet) -> None:
    if synthetic.emotions != test.emotions:
        raise SetError(
            f"the set has the emotions {', '.join(synthetic.emotions)}; "
            f"{test.facts.title} has {', '.join(test.emotions)}: use the corpus it was made for"
        )
    if synthetic.spec != test.spec:
        raise SetError(
            f"the set's feature recipe is not that of the test speech: {synthetic.spec} "
            f"against {test.spec}; load the corpus with the set's recipe"
        )


def _competitors(
    synthetic: SyntheticSet, train_set: RealSet, seed: int, making_seconds: float
) -> tuple[list[Competitor], list[str]]:
    """The set and all baselines, and which of those cannot be had."""
    ipc = synthetic.provenance.per_class
    competitors = [
        Competitor(
            DISTILLED,
            synthetic.features,
            synthetic.targets,
            ipc,
            making_seconds=making_seconds,
        )
    ]
    unavailable = []
    for name, baseline in BASELINES.items():
        try:
            competitors += baseline(train_set, ipc, generator(seed, "baseline", name))
        except NotAvailable as reason:
            unavailable.append(f"{name}: {reason}")
    return competitors, unavailable


def _jobs(
    name: str,
    synthetic: SyntheticSet,
    competitors: Sequence[Competitor],
    seeds: int,
    seed: int,
) -> Iterator[Job]:
    """Every student of one network. The set's own network also starts from its fixed weights."""
    start = synthetic.start
    network = skeleton(name, synthetic.spec.mels, len(synthetic.emotions))
    for competitor in competitors:
        draws = sum(other.name == competitor.name for other in competitors)
        own_seeds = range(seeds) if draws == 1 else [competitor.draw]
        for student_seed in own_seeds:
            if start and start.network == name:
                yield Job(competitor, name, network, FIXED, start.weights, student_seed)
            weights = draw_weights(network, generator(seed, "student", name, student_seed))
            yield Job(competitor, name, network, RANDOM, weights, student_seed)
    if start and start.network == name:
        nothing = Competitor(UNTRAINED, synthetic.features[:0], synthetic.targets[:0], ipc=None)
        yield Job(nothing, name, network, FIXED, start.weights, 0)


def _run(job: Job, start_bytes: int, recipe: Recipe, seed: int, test: Tensor) -> Run:
    torch.set_num_threads(1)  # side by side, and the same bits however many run
    competitor, weights = job.competitor, dict(job.weights)
    began = time.perf_counter()
    if len(competitor.features):
        draws = generator(seed, "training", job.student, job.seed)
        weights = train(
            job.network, weights, competitor.features, competitor.targets, recipe, draws
        )
    return Run(
        set=competitor.name,
        draw=competitor.draw,
        ipc=competitor.ipc,
        student=job.student,
        initialisation=job.initialisation,
        recipe="generic" if len(competitor.features) else "none",
        seed=job.seed,
        utterances=len(competitor.features),
        parameters=sum(weight.numel() for weight in weights.values()),
        bytes=competitor.bytes + (start_bytes if job.initialisation == FIXED else 0),
        making_seconds=competitor.making_seconds,
        student_seconds=time.perf_counter() - began,
        predicted=tuple(predict(job.network, weights, test).tolist()),
    )
