"""What a student is, whatever it is made of: fitted to a set, it predicts."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from evaluation.networks import Weights
from synth_data.task import Task


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a teacher says of each item of a set, beside its target (model distillation).

    Attributes:
        by: "logits": the student's softened outputs should be the teacher's (Hinton et al. 2015,
            "Distilling the knowledge in a neural network"); "features": a linear map of its
            embedding should be the teacher's (Romero et al. 2015, "FitNets").
        signal: the teacher's logits `[n, emotion]`, or its embeddings `[n, any]`.
        share: of the loss that is the lesson; the rest is the cross-entropy of the targets.
        temperature: that softens the logits.
    """

    by: Literal["logits", "features"]
    signal: Float[Tensor, "n any"]
    share: float = 0.5
    temperature: float = 2.0


@dataclass(frozen=True, eq=False)
class Examples:
    """What a student is trained on.

    Attributes:
        features: in the form students are trained on (after the set's transforms).
        targets: rows of class probabilities, or of what else the task's columns are.
        lesson: of a teacher, where there is one.
        task: what is to be told; None: the columns are classes.
    """

    features: Float[Tensor, "n mel frame"]
    targets: Float[Tensor, "n column"]
    lesson: Lesson | None = None
    task: Task | None = None

    @property
    def told(self) -> Task:
        """What is to be told; classes without names are numbered."""
        return self.task or Task(tuple(str(number) for number in range(self.targets.shape[1])))


@dataclass(frozen=True)
class Setting:
    """The free settings of a recipe: one of the few combinations that validation chooses from.

    Attributes:
        steps: of the optimiser; 0 where a solver decides.
        strength: the learning rate at its peak; where a solver decides, its penalty C.
    """

    steps: int
    strength: float

    def __str__(self) -> str:
        if self.steps:
            return f"{self.steps} steps, learning rate {self.strength:g}"
        return f"C = {self.strength:g}"


@dataclass(frozen=True)
class Fitted:
    """A trained student.

    Attributes:
        predict: the class of each utterance `[n]`; where there are dimensions to tell, its outputs
            `[n, column]`.
        parameters: numbers it consists of.
        weights: of a network; empty for others.
    """

    predict: Callable[[Float[Tensor, "n mel frame"]], Int[Tensor, " n"] | Float[Tensor, "n column"]]
    parameters: int
    weights: Weights


class CannotTrain(Exception):  # noqa: N818 - it is reported, not raised to the user
    """A student cannot be trained on these examples; the message says why."""


class StudentRecipe(ABC):
    """How one kind of student is trained: the same for every set, whoever made it."""

    @property
    @abstractmethod
    def settings(self) -> tuple[Setting, ...]:
        """To choose from on validation speakers, for every set anew; at least one."""

    @abstractmethod
    def fit(
        self,
        student: str,
        weights: Weights,
        examples: Examples,
        setting: Setting,
        generator: torch.Generator,
    ) -> Fitted:
        """Trains a student.

        Args:
            student: its name.
            weights: that it starts from, left as they are; empty for one without.
            examples: to train on.
            setting: one of `settings`.
            generator: of everything random on the way.

        Raises:
            CannotTrain: the examples do not allow it, or training diverged.
        """
