"""One student to train and test: the unit of work, on this machine or on another."""

import hashlib
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from inspect import getmodule, getsource

import torch
from jaxtyping import Float
from torch import Tensor

from evaluation import augment, concordance, networks, students
from evaluation.baselines import Competitor
from evaluation.networks import NETWORKS, Weights
from evaluation.students import Setting, StudentRecipe
from synth_data import ledger, mechanism, noise, randomness, schedule, task
from synth_data.randomness import generator


@dataclass(frozen=True, eq=False)
class Heard:
    """What trained students are asked: utterances of speakers they have not heard.

    Attributes:
        validation: utterances to choose settings by.
        test: the test utterances, by how they are heard; "clean" first.
    """

    validation: Float[Tensor, "n mel frame"]
    test: Mapping[str, Tensor]

    @property
    def digests(self) -> "Digests":
        """Of all of it."""
        tests = {name: _digest({"": features}) for name, features in self.test.items()}
        return Digests(_digest({"": self.validation}), tests)


@dataclass(frozen=True)
class Digests:
    """What students are asked, by its content; hexadecimal."""

    validation: str
    test: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Job:
    """A student to be trained on a competitor, one of a condition's replicas.

    Attributes:
        competitor: what it is trained on.
        student: its name.
        initialisation: "fixed", "random", between them (`evaluation.starts`), or "none" for
            students that start from nothing.
        weights: that it starts from.
        recipe: how it is trained.
        recipe_name: as in the report.
        seed: which of the students it is.
        base_seed: that all random numbers are derived from.
        keep: whether the trained weights are wanted.
    """

    competitor: Competitor
    student: str
    initialisation: str
    weights: Weights
    recipe: StudentRecipe
    recipe_name: str
    seed: int
    base_seed: int
    keep: bool = False

    @property
    def unit(self) -> tuple[object, ...]:
        """The jobs that share it share the setting that validation chooses."""
        competitor = self.competitor
        return (
            *(competitor.name, competitor.ipc),
            *(self.student, self.initialisation, self.recipe_name),
        )

    def key(self, setting: Setting, validation_digest: str) -> str:
        """Names the trained student: equal keys, equal predictions (on one kind of machine)."""
        decides = (
            *(self.competitor.digest, self.student, self.recipe, setting, validation_digest),
            *(self.seed, self.base_seed, _software()),
        )
        return _digest(dict(sorted(self.weights.items())), *decides)

    def __str__(self) -> str:
        """For a message on what went wrong."""
        at = "" if self.competitor.ipc is None else f", ipc {self.competitor.ipc}"
        return (
            f"{self.competitor.name}{at}, {self.student}, {self.initialisation} initialisation, "
            f"{self.recipe_name} recipe, seed {self.seed}"
        )


# A class for each utterance; or its outputs, to six decimals.
Answers = tuple[int, ...] | tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Outcome:
    """What came of a job; the fields but for `weights` are stored as JSON.

    Attributes:
        validation: the class recognised in each validation utterance, or the outputs where there
            are dimensions to tell; empty if it failed.
        test: the same in each test utterance, by how it is heard.
        parameters: of the student.
        seconds: to train it.
        error: why it failed; empty if it did not.
        weights: of the trained student, if they are to be kept.
    """

    validation: Answers
    test: dict[str, Answers]
    parameters: int
    seconds: float
    error: str = ""
    weights: Weights | None = None


def carry_out(job: Job, setting: Setting, heard: Heard) -> Outcome:
    """Trains and tests a student.

    What goes wrong is part of the outcome, not an exception: one student's failure should not
    cost the others.
    """
    torch.set_num_threads(1)  # side by side, and the same bits however many run
    draws = generator(job.base_seed, "training", job.student, job.seed)
    began = time.perf_counter()
    try:
        fitted = job.recipe.fit(job.student, job.weights, job.competitor.examples, setting, draws)
        seconds = time.perf_counter() - began
        return Outcome(
            validation=as_answers(fitted.predict(heard.validation)),
            test={name: as_answers(fitted.predict(x)) for name, x in heard.test.items()},
            parameters=fitted.parameters,
            seconds=seconds,
            weights=fitted.weights if job.keep else None,
        )
    except Exception as error:  # whatever it is, it is reported by name
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        if isinstance(error, students.CannotTrain):
            reason = str(error)
        return Outcome((), {}, 0, time.perf_counter() - began, error=reason)


def as_answers(said: Tensor) -> Answers:
    """What a student predicts, as it is stored."""
    if said.is_floating_point():
        return tuple(tuple(round(value, 6) for value in row) for row in said.tolist())
    return tuple(said.tolist())


def hear_more(job: Job, outcome: Outcome, heard: Heard) -> Outcome:
    """What a network that was trained before says to all test speech; it has its weights."""
    assert outcome.weights is not None
    mels, task = heard.validation.shape[1], job.competitor.examples.told
    network = networks.skeleton(job.student, mels, len(task.columns))
    new = {
        name: as_answers(students.answers(network, outcome.weights, features, task))
        for name, features in heard.test.items()
        if name not in outcome.test
    }
    return replace(outcome, test={name: (outcome.test | new)[name] for name in heard.test})


def _digest(tensors: Mapping[str, Tensor], *words: object) -> str:
    content = hashlib.sha256()
    for word in words:
        content.update(f"{word}\n".encode())
    for name, tensor in tensors.items():
        content.update(f"{name} {tuple(tensor.shape)}".encode())
        content.update(tensor.contiguous().numpy().data)
    return content.hexdigest()


@cache
def _software() -> str:
    """Names all code that decides an outcome, beside the job's own values."""
    content = hashlib.sha256()
    modules = [augment, concordance, networks, students, networks.layers, students.losses]
    modules += [students.network, students.pooled, students.native, students.dp_sgd, schedule]
    modules += [students.recipe, ledger, mechanism, noise, randomness, task, sys.modules[__name__]]
    for module in modules:
        content.update(getsource(module).encode())
    for make in NETWORKS.values():
        # The whole file, since a network may have parts of its own.
        network = getmodule(getattr(make, "func", make))
        assert network is not None
        content.update(getsource(network).encode())
    for library in ("torch", "scikit-learn", "opacus", "numpy", "scipy"):
        content.update(version(library).encode())
    return content.hexdigest()
