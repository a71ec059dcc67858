"""What a set is worth: fresh students, trained on it and on what one could take instead."""

import time
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from evaluation import metrics
from evaluation.baselines import BASELINES, Competitor, NotAvailable
from evaluation.networks import Weights, draw_weights, skeleton
from evaluation.runs import DISTILLED, FoldResult, Run
from evaluation.students import RECIPES, Recipe, predict, train
from synth_data.errors import SetError, UserError, unknown_name
from synth_data.progress import SILENT, Progress
from synth_data.randomness import generator
from synth_data.real import RealSet
from synth_data.side_by_side import side_by_side
from synth_data.synthetic import SyntheticSet

FIXED, RANDOM = "fixed", "random"  # initialisations
GENERIC = "generic"  # the student's recipe in RECIPES, which is the same for every set
CUSTOM = "custom"  # another recipe, but the same for every set too
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

    @property
    def setting(self) -> tuple[str, str, str]:
        """The jobs that share it share a learning rate."""
        return self.competitor.name, self.student, self.initialisation


@dataclass(frozen=True)
class Outcome:
    """A trained student's predictions, and what it took to train."""

    validation: tuple[int, ...]
    test: tuple[int, ...]
    seconds: float


def evaluate(
    synthetic: SyntheticSet,
    train_set: RealSet,
    validation: RealSet,
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
    The learning rate is chosen on the validation speakers, for each competitor and
    initialisation by its first student; the test speakers choose nothing.

    Args:
        synthetic: the set.
        train_set: the real utterances it was made from, or could have been made from.
        validation: utterances of other speakers, to choose by.
        test: utterances of yet other speakers.
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
    for side in (train_set, validation, test):
        _check_fit(synthetic, side)
    names = list(dict.fromkeys(students or ())) or (
        [synthetic.start.network] if synthetic.start else list(recipes)
    )
    for name in names:
        if name not in recipes:
            raise unknown_name("student", name, recipes)
    if seeds < 1:
        raise UserError(f"a set needs at least one student; found seeds = {seeds}")
    train_set, validation, test = (
        replace(side, features=synthetic.transform(side.features))
        for side in (train_set, validation, test)
    )
    competitors, unavailable = _competitors(synthetic, train_set, seed, making_seconds)
    work = [job for name in names for job in _jobs(name, synthetic, competitors, seeds, seed)]
    firsts = {job.setting: job for job in reversed(work)}
    trials = [
        (job, rate) for job in firsts.values() for rate in recipes[job.student].learning_rates
    ]
    others = [job for job in work if job is not firsts[job.setting]]

    bar = progress(total=len(trials) + len(others))
    sides = validation.features, test.features

    def outcomes(todo: Sequence[tuple[Job, float]]) -> Iterator[Outcome]:
        arguments = ((job, recipes[job.student], rate, seed, *sides) for job, rate in todo)
        for outcome in side_by_side(jobs, _train_and_test, arguments):
            bar.update()
            yield outcome

    tried = zip(trials, outcomes(trials), strict=True)
    chosen = _best_on_validation(tried, validation)
    rest = [(job, chosen[job.setting][0]) for job in others]
    done = {id(firsts[setting]): (rate, outcome) for setting, (rate, outcome) in chosen.items()} | {
        id(job): (rate, outcome) for (job, rate), outcome in zip(rest, outcomes(rest), strict=True)
    }
    bar.close()
    return FoldResult(
        fold=test.fold_number or 1,
        emotions=test.emotions,
        utterances=tuple(utterance.name for utterance in test.utterances),
        speakers=tuple(test.speakers),
        truth=tuple(test.targets.argmax(dim=1).tolist()),
        runs=(
            *(
                _run(job, recipes[job.student], *done[id(job)], synthetic.start_bytes)
                for job in work
            ),
            *_untrained(names, recipes, synthetic, test),
        ),
        unavailable=tuple(unavailable),
    )


def _check_fit(synthetic: SyntheticSet, real: RealSet) -> None:
    if synthetic.emotions != real.emotions:
        raise SetError(
            f"the set has the emotions {', '.join(synthetic.emotions)}; "
            f"{real.facts.title} has {', '.join(real.emotions)}: use the corpus it was made for"
        )
    if synthetic.spec != real.spec:
        raise SetError(
            f"the set's feature recipe is not that of the real speech: {synthetic.spec} "
            f"against {real.spec}; load the corpus with the set's recipe"
        )
    if start := synthetic.start:
        network = skeleton(start.network, real.spec.mels, len(real.emotions))
        expected = {name: weight.shape for name, weight in network.named_parameters()}
        if {name: weight.shape for name, weight in start.weights.items()} != expected:
            raise SetError(
                f"the set's start weights do not fit its network {start.network}: it was written "
                f"by another version of this package, or by another; make it again with this one"
            )


def _competitors(
    synthetic: SyntheticSet, train_set: RealSet, seed: int, making_seconds: float
) -> tuple[list[Competitor], list[str]]:
    """The set and all baselines, and which of those cannot be had."""
    ipc = synthetic.provenance.per_class
    features, targets = synthetic.features, synthetic.targets
    competitors = [
        Competitor(
            DISTILLED,
            features,
            targets,
            ipc,
            making_seconds=making_seconds,
            extra_bytes=synthetic.bytes - features.nbytes - targets.nbytes,
        ),
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
        for student_seed in range(seeds) if draws == 1 else [competitor.draw]:
            if start and start.network == name:
                yield Job(competitor, name, network, FIXED, start.weights, student_seed)
            weights = draw_weights(network, generator(seed, "student", name, student_seed))
            yield Job(competitor, name, network, RANDOM, weights, student_seed)


def _train_and_test(
    job: Job, recipe: Recipe, rate: float, seed: int, validation: Tensor, test: Tensor
) -> Outcome:
    torch.set_num_threads(1)  # side by side, and the same bits however many run
    began = time.perf_counter()
    draws = generator(seed, "training", job.student, job.seed)
    network = deepcopy(job.network)  # jobs may be threads, and a call puts weights into its network
    features, targets = job.competitor.features, job.competitor.targets
    weights = train(network, job.weights, features, targets, recipe, rate, draws)
    return Outcome(
        seconds=time.perf_counter() - began,
        validation=tuple(predict(network, weights, validation).tolist()),
        test=tuple(predict(network, weights, test).tolist()),
    )


def _best_on_validation(
    tried: Iterator[tuple[tuple[Job, float], Outcome]], validation: RealSet
) -> dict[tuple[str, str, str], tuple[float, Outcome]]:
    """For each setting, the learning rate of the best UAR on validation, the first if equal."""
    truth = validation.targets.argmax(dim=1).tolist()
    best: dict[tuple[str, str, str], tuple[float, Outcome]] = {}
    scores: dict[tuple[str, str, str], float] = {}
    for (job, rate), outcome in tried:
        confusion = metrics.confusion(truth, outcome.validation, len(validation.emotions))
        score = float(metrics.uar(confusion))
        if score > scores.get(job.setting, -1.0):
            best[job.setting], scores[job.setting] = (rate, outcome), score
    return best


def _run(job: Job, recipe: Recipe, rate: float, outcome: Outcome, start_bytes: int) -> Run:
    competitor = job.competitor
    return Run(
        set=competitor.name,
        draw=competitor.draw,
        ipc=competitor.ipc,
        student=job.student,
        initialisation=job.initialisation,
        recipe=_recipe_name(job.student, recipe),
        seed=job.seed,
        learning_rate=rate,
        utterances=len(competitor.features),
        parameters=sum(weight.numel() for weight in job.weights.values()),
        bytes=competitor.bytes + (start_bytes if job.initialisation == FIXED else 0),
        making_seconds=competitor.making_seconds,
        student_seconds=outcome.seconds,
        predicted=outcome.test,
    )


def _untrained(
    names: Sequence[str], recipes: Mapping[str, Recipe], synthetic: SyntheticSet, test: RealSet
) -> Iterator[Run]:
    """The fixed initialisation as it is, which should be at chance."""
    start = synthetic.start
    if start and start.network in names:
        network = skeleton(start.network, test.spec.mels, len(test.emotions))
        yield Run(
            set=UNTRAINED,
            draw=0,
            ipc=None,
            student=start.network,
            initialisation=FIXED,
            recipe=_recipe_name(start.network, recipes[start.network]),
            seed=0,
            learning_rate=0.0,
            utterances=0,
            parameters=sum(weight.numel() for weight in start.weights.values()),
            bytes=synthetic.start_bytes,
            making_seconds=0.0,
            student_seconds=0.0,
            predicted=tuple(predict(network, start.weights, test.features).tolist()),
        )


def _recipe_name(student: str, recipe: Recipe) -> str:
    return GENERIC if recipe == RECIPES[student] else CUSTOM
