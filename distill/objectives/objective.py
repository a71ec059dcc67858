"""What an objective is to the engine."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from evaluation.networks import Weights
from synth_data.curator import Curator
from synth_data.ledger import Release
from synth_data.representation import Representation
from synth_data.schedule import NativeSchedule, batch_rows
from synth_data.task import Task

# What an objective knows after `init`: tensors by name, so that any state can be stored.
State = Mapping[str, Tensor]


@dataclass(frozen=True)
class Student:
    """The network that a set is made for, its fixed initialisation, and what it should tell."""

    network: nn.Module
    start: Weights
    task: Task


@dataclass(frozen=True)
class Candidate:
    """The synthetic set while it is being made: items in the order of their classes.

    Attributes:
        features: what the engine optimises.
        targets: one row per item, in the task's columns.
        per_class: items of each class.
        learned: what else the objective learns, by name.
    """

    features: Float[Tensor, "n mel frame"]
    targets: Float[Tensor, "n column"]
    per_class: int
    learned: Mapping[str, Tensor] = field(default_factory=dict)

    def class_means(self, each: Float[Tensor, "n *rest"]) -> Float[Tensor, "group *rest"]:
        """The mean of a row per item over the items of each class."""
        return each.unflatten(0, (-1, self.per_class)).mean(dim=1)

    def some(self, per_class: int, generator: torch.Generator) -> "Candidate":
        """So many items of each class, drawn at random; all of them if there are no more."""
        if per_class >= self.per_class:
            return self
        classes = len(self.features) // self.per_class
        order = torch.rand(classes, self.per_class, generator=generator).argsort(dim=1)
        first = torch.arange(classes)[:, None] * self.per_class
        rows = (first + order[:, :per_class]).flatten().to(self.features.device)
        return replace(
            self, features=self.features[rows], targets=self.targets[rows], per_class=per_class
        )

    def first(self, per_class: int) -> "Candidate":
        """The first so many items of each class."""
        if per_class == self.per_class:
            return self
        classes = len(self.features) // self.per_class
        rows = batch_rows(0, classes, self.per_class, per_class, self.features.device)
        return replace(
            self, features=self.features[rows], targets=self.targets[rows], per_class=per_class
        )

    def seen(self, view: Callable[[Tensor], Tensor]) -> "Candidate":
        """The same items as something makes them look."""
        return replace(self, features=view(self.features))


@dataclass(frozen=True)
class Cost:
    """What an objective will do, in forward and backward passes of the student.

    Attributes:
        real_passes: of one real utterance, in `init`.
        step_passes: over every synthetic item, per step, counting a derivative of a derivative
            by what it takes.
        checkpoints: of the network that are kept.
        gradients: whether each is kept with the gradients of all its weights for each class.
        step_real_passes: of one real utterance, per step.
    """

    real_passes: float
    step_passes: float
    checkpoints: int
    gradients: bool = False
    step_real_passes: float = 0.0


@dataclass(frozen=True)
class Objective(ABC):
    """Says how far a candidate is from doing what the real data do.

    An objective is abstract or final; its dataclass fields are its hyper-parameters. It sees real
    speech through the curator alone.

    Attributes:
        name: in `OBJECTIVES` and on the command line.
        teaches: whether what it asked tells what an item shows (`hears`), so that taught labels
            need no expert.
        tells_dimensions_privately: whether what it asks where dimensions are told has a public
            length, so that a privacy budget can be kept.
        starts_from: the initialisations of the students that a set is made for: the "fixed" one,
            "random" ones, or "both".
    """

    name: ClassVar[str]
    teaches: ClassVar[bool] = False
    tells_dimensions_privately: ClassVar[bool] = False

    starts_from: Literal["both", "fixed", "random"] = field(default="both", kw_only=True)

    @abstractmethod
    def init(self, curator: Curator, student: Student, seed: int) -> State:
        """Asks what must be asked before the first step."""

    @abstractmethod
    def step(
        self,
        state: State,
        candidate: Candidate,
        curator: Curator,
        student: Student,
        generator: torch.Generator,
    ) -> tuple[Float[Tensor, ""], State]:
        """The loss, differentiable in the candidate's features, and the next state."""

    @property
    def learns_labels(self) -> bool:
        """Whether its loss tells labels apart, so that soft ones can be learned."""
        return True

    def hears(
        self,
        state: State,
        items: Float[Tensor, "n mel frame"],
        spec: Representation,
        student: Student,
    ) -> Float[Tensor, "n column"]:
        """What a network of the task would say of items, where the objective `teaches`.

        Logits of emotions, and dimensions.

        Args:
            state: after `init`.
            items: to be labelled.
            spec: of their features.
            student: the network that the set is made for.
        """
        raise NotImplementedError(f"{self.name} does not tell emotions apart")

    @abstractmethod
    def learned(self) -> dict[str, Tensor]:
        """What it learns besides the items and their labels, as it starts, by name."""

    @abstractmethod
    def schedule(self, learned: Mapping[str, Tensor], per_class: int) -> NativeSchedule | None:
        """The training that the set is made for, if it is made for one.

        Args:
            learned: as it ended.
            per_class: items of each class.
        """

    @abstractmethod
    def numbers(self, student: Student, spec: Representation, emotions: int) -> dict[str, int]:
        """How many numbers an answer has, over all emotions (or cells), by purpose."""

    @abstractmethod
    def releases(self, steps: int) -> list[Release]:
        """What it will ask of a door that guards units.

        Args:
            steps: outer steps.

        Returns:
            Purposes, and how often each; noise multipliers say how noisy answers may be relative to
            each other.

        Raises:
            UserError: its questions have no public bound.
        """

    @abstractmethod
    def cost(self, per_class: int, utterances: int) -> Cost:
        """What it will do; an estimate for people who wait.

        Args:
            per_class: items of each class.
            utterances: that it can ask of.
        """
