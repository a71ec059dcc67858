"""What is shipped in place of a set: models, trained or taught on all the real data.

With them the two ends that need no training: the fixed initialisation as it is, and the most
frequent emotion.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from evaluation.baselines import NotAvailable
from evaluation.bench import Bench
from evaluation.jobs import Answers, Job, as_answers
from evaluation.named_sets import budgets_of
from evaluation.networks import NETWORKS, couples, skeleton
from evaluation.options import (
    DP_SGD,
    FIXED,
    MAJORITY,
    MODEL,
    NONE,
    PUPIL,
    RANDOM,
    TEACHER,
    UNTRAINED,
)
from evaluation.runs import CLEAN, Run, Ships
from evaluation.student_runs import told
from evaluation.students import Lesson, PrivateRecipe, answers
from evaluation.teachers import TEACHERS, School, Teacher
from synth_data.errors import UserError
from synth_data.ledger import PrivacyBudget
from synth_data.mechanism import units_of
from synth_data.real import RealSet


def untrained(bench: Bench) -> Iterator[Run]:
    """The fixed initialisation as it is, which should be at chance."""
    starts = [one.synthetic.start for one in bench.judged if one.synthetic.start]
    task = bench.train.task
    for student in bench.students:
        start = next((start for start in starts if start.network == student), None)
        if start is None:
            continue
        network = skeleton(student, bench.train.spec.mels, len(task.columns))
        heard = {
            speech: as_answers(answers(network, start.weights, features, task))
            for speech, features in bench.heard.test.items()
        }
        numbers = sum(weight.numel() for weight in start.weights.values())
        yield from _runs(
            bench,
            UNTRAINED,
            student,
            FIXED,
            "weights",
            heard,
            parameters=numbers,
            bytes=4 * numbers,
        )


def shipped_models(bench: Bench) -> Iterator[Run]:
    """Each full-data student itself: nothing is left to train for whoever receives it."""
    others = [student for student in bench.students if student not in NETWORKS]
    bench.unavailable.extend(f"{MODEL}: {one} has no weights to be shipped" for one in others)
    for done in bench.graduation:
        job, outcome = done.job, done.outcome
        if outcome.error or job.initialisation not in (FIXED, RANDOM):
            continue
        yield from _runs(
            bench,
            MODEL,
            job.student,
            job.initialisation,
            "weights",
            outcome.test,
            seed=job.seed,
            setting=str(done.setting),
            parameters=outcome.parameters,
            bytes=sum(weight.nbytes for weight in job.weights.values()),
            making_seconds=outcome.seconds,
        )


def private_models(bench: Bench) -> Iterator[Run]:
    """Students trained by DP-SGD, each under the guarantee of a judged set, to be shipped instead.

    Only networks can be; what else there is stands without.
    """
    budgets = budgets_of(bench.judged)
    networks = [student for student in bench.students if student in NETWORKS]
    if not networks:
        budgets = ()
        bench.unavailable.append(
            f"{DP_SGD}: no network is among the students ({', '.join(bench.students)}), and it "
            f"trains nothing else; add one with --students, such as tdnn"
        )
    elif not budgets:
        bench.unavailable.append(
            f"{DP_SGD}: no set here has a formal guarantee, so nothing says which epsilon and "
            f"delta to train under, nor whom to protect; make one with distill-data --epsilon"
        )
    for budget in budgets:
        name = _private_name(budget, budgets)
        try:
            recipe = _private_recipe(bench, budget)
        except NotAvailable as reason:
            bench.unavailable.append(f"{name}: {reason}")
            continue
        private = replace(bench.full, name=name, ships="weights")
        for student in networks:
            if couples(skeleton(student, bench.train.spec.mels, len(bench.train.emotions))):
                bench.unavailable.append(
                    f"{name}: BatchNorm makes the utterances of a batch change each other's "
                    f"gradient in {student}, so no {budget.unit}'s share of it can be clipped"
                )
                continue
            yield from _shipped(
                bench,
                [
                    bench.random_start(private, student, recipe, DP_SGD, seed)
                    for seed in range(bench.options.seeds)
                ],
            )


def _private_name(budget: PrivacyBudget, budgets: Sequence[PrivacyBudget]) -> str:
    """In the report: with as much of the budget as tells it from the others."""
    if len(budgets) == 1:
        return DP_SGD
    name = f"{DP_SGD}, epsilon {budget.epsilon:g}"
    if [one.epsilon for one in budgets].count(budget.epsilon) == 1:
        return name
    return f"{name} at {budget.delta:g} per {budget.unit}"


def _private_recipe(bench: Bench, budget: PrivacyBudget) -> PrivateRecipe:
    """How all students are trained under a budget.

    Raises:
        NotAvailable: the features, the units or the budget do not allow it.
    """
    if bench.train.spec.normalisation == "training":
        raise NotAvailable(
            "the features are normalised by all training utterances together, which no noise "
            "hides; use a feature recipe that normalises each utterance, such as logmel64"
        )
    try:
        return PrivateRecipe.under(budget, units_of(bench.train, budget.unit))
    except UserError as error:
        raise NotAvailable(str(error)) from error


def majority(bench: Bench) -> Iterator[Run]:
    """Always the emotion of most training utterances."""
    emotion = int(bench.train.targets.sum(dim=0).argmax())
    heard = {speech: (emotion,) * len(features) for speech, features in bench.heard.test.items()}
    for student in bench.students:
        initialisation = RANDOM if student in NETWORKS else NONE
        yield from _runs(bench, MAJORITY, student, initialisation, "nothing", heard)


def taught(
    bench: Bench, name: str, richer: tuple[RealSet, RealSet, RealSet] | None
) -> Iterator[Run]:
    """A teacher, and the students that it teaches on all real training data."""
    for student in bench.students:
        if student not in NETWORKS:
            bench.unavailable.append(
                f"teacher {name}: {student} is no network, and only networks can be taught here"
            )
            continue
        try:
            teacher = TEACHERS[name](
                School(
                    train=bench.train,
                    heard=bench.heard,
                    graduates=bench.graduates(student),
                    recipes=bench.recipes,
                    runner=bench.runner,
                    seed=bench.options.seed,
                    richer=richer,
                )
            )
        except NotAvailable as reason:
            bench.unavailable.append(f"teacher {name}: {reason}")
            continue
        heard = {speech: as_answers(said.argmax(dim=1)) for speech, said in teacher.test.items()}
        yield from _runs(
            bench,
            f"{TEACHER}{name}",
            student,
            RANDOM,
            "weights",
            heard,
            parameters=teacher.parameters,
            bytes=4 * teacher.parameters,
            making_seconds=teacher.seconds,
        )
        pupils = list(_pupils(bench, name, teacher, student))
        yield from _shipped(bench, pupils, teacher.seconds)


def _pupils(bench: Bench, name: str, teacher: Teacher, student: str) -> Iterator[Job]:
    recipe = bench.recipes[student]
    lessons = [Lesson("logits", teacher.logits)]
    if teacher.embeddings is not None:
        lessons.append(Lesson("features", teacher.embeddings))
    for lesson in lessons:
        taught = replace(
            bench.full,
            name=f"{PUPIL}{name}, {lesson.by}",
            examples=replace(bench.full.examples, lesson=lesson),
            ships="weights",
        )
        for seed in range(bench.options.seeds):
            recipe_name = bench.recipe_name(student)
            yield bench.random_start(taught, student, recipe, recipe_name, seed)


def _shipped(bench: Bench, jobs: Sequence[Job], before: float = 0.0) -> Iterator[Run]:
    """Runs of students of one network that are shipped themselves.

    A student's bytes are its weights', and nothing is left to train for whoever receives it.

    Args:
        bench: where they are trained.
        jobs: at least one.
        before: seconds, of what their training needed first.
    """
    size = sum(weight.nbytes for weight in jobs[0].weights.values())
    for run in bench.in_order(bench.runner.run(jobs)):
        yield replace(
            run,
            bytes=size,
            making_seconds=before + run.student_seconds,
            student_seconds=0.0,
        )


def _runs(
    bench: Bench,
    name: str,
    student: str,
    initialisation: str,
    ships: Ships,
    heard: Mapping[str, Answers],
    **changes: object,
) -> Iterator[Run]:
    """Runs of what is no set that students are trained on."""
    plain = Run(
        set=name,
        draw=0,
        ipc=None,
        student=student,
        initialisation=initialisation,
        recipe=bench.recipe_name(student),
        speech=CLEAN,
        seed=0,
        judged=False,
        made_for=None,
        ships=ships,
        setting="",
        steps=0,
        utterances=0,
        parameters=0,
        bytes=0,
        making_seconds=0.0,
        student_seconds=0.0,
        peak_memory=None,
        predicted=(),
    )
    for speech, said in heard.items():
        yield replace(plain, speech=speech, **told(bench.train.task, said), **changes)  # type: ignore[arg-type]
