"""What is noted of a trained student: what it said, what it was trained on, and what that took."""

from collections.abc import Iterator
from typing import Any

import torch

from evaluation.edge import peak_memory
from evaluation.jobs import Answers
from evaluation.options import NONE, RANDOM
from evaluation.runner import Done
from evaluation.runs import FULL, Run
from evaluation.students import Recipe
from synth_data.task import Task


def runs_of(done: Done, task: Task, memory: bool) -> Iterator[Run]:
    """A run for each way in which the test speech is heard.

    Args:
        done: a student that did not fail.
        task: of the test utterances, on whose scale its numbers are noted.
        memory: whether to measure what training on judged sets and on full data takes.
    """
    job, competitor = done.job, done.job.competitor
    start_bytes, columns = 0, len(task.columns)
    if job.initialisation not in (RANDOM, NONE):  # fixed weights, or these with noise
        start_bytes = sum(weight.nbytes for weight in job.weights.values())
    recipe, peak = job.recipe, None
    if memory and (competitor.judged or competitor.name == FULL) and isinstance(recipe, Recipe):
        _, mels, frames = competitor.examples.features.shape
        peak = peak_memory(job.student, len(competitor), mels, frames, columns, recipe.batch)
    for speech, said in done.outcome.test.items():
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
            soft_labels=competitor.soft_labels,
            **told(task, said),
        )


def told(task: Task, said: Answers) -> dict[str, Any]:
    """The classes and the numbers of a run, out of what its student said."""
    if not task.dimensions:
        return {"predicted": said}
    outputs = torch.tensor(said, dtype=torch.float64)
    numbers = [
        tuple(round(value, 6) for value in row)
        for row in task.on_scale(task.numbers(outputs)).tolist()
    ]
    classes = task.shares(outputs).argmax(dim=1).tolist() if task.emotions else ()
    return {"predicted": tuple(classes), "numbers": tuple(numbers)}
