"""What is noted of a trained student: what it said, what it was trained on, and what that took."""

from collections.abc import Iterator

from evaluation.edge import peak_memory
from evaluation.options import NONE, RANDOM
from evaluation.runner import Done
from evaluation.runs import FULL, Run
from evaluation.students import Recipe


def runs_of(done: Done, emotions: int, memory: bool) -> Iterator[Run]:
    """A run for each way in which the test speech is heard.

    Args:
        done: a student that did not fail.
        emotions: how many there are.
        memory: whether to measure what training on judged sets and on full data takes.
    """
    job, competitor = done.job, done.job.competitor
    start_bytes = 0
    if job.initialisation not in (RANDOM, NONE):  # fixed weights, or these with noise
        start_bytes = sum(weight.nbytes for weight in job.weights.values())
    recipe, peak = job.recipe, None
    if memory and (competitor.judged or competitor.name == FULL) and isinstance(recipe, Recipe):
        _, mels, frames = competitor.examples.features.shape
        peak = peak_memory(job.student, len(competitor), mels, frames, emotions, recipe.batch)
    for speech, predicted in done.outcome.test.items():
        yield Run(
            set=competitor.name,
            draw=competitor.draw,
            ipc=competitor.ipc,
            student=job.student,
            initialisation=job.initialisation,
            recipe=job.recipe_name,
            speech=speech,
            seed=job.seed,
            judged=competitor.judged,
            made_for=competitor.made_for,
            ships=competitor.ships,
            setting=str(done.setting),
            steps=done.setting.steps,
            utterances=len(competitor),
            parameters=done.outcome.parameters,
            bytes=competitor.bytes + start_bytes,
            making_seconds=competitor.making_seconds,
            student_seconds=done.outcome.seconds,
            peak_memory=peak,
            predicted=predicted,
        )
