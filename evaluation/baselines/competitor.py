"""What a student can be trained on: the set in question, or something a user could take instead."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor, nn

from evaluation.networks import Weights
from evaluation.runs import Ships
from evaluation.students import Examples
from synth_data.real import RealSet


@dataclass(frozen=True, eq=False)
class Competitor:
    """A set of features with targets, and what it costs.

    Attributes:
        name: as in the report.
        examples: what students are trained on: decoded, and after the set's transforms.
        ipc: items per class (or cell) of the set that it competes with; None for all real training
            data.
        ships: what leaves whoever holds the recordings.
        bytes: of all that is stored; by default, of features and targets as they are.
        draw: which random draw; 0 where there is only one.
        making_seconds: to make it; None if nobody knows.
        judged: it is a set under evaluation, not one to compare with.
        made_for: the network that a judged set was made for.
    """

    name: str
    examples: Examples
    ipc: int | None
    ships: Ships
    bytes: int = -1
    draw: int = 0
    making_seconds: float | None = 0.0
    judged: bool = False
    made_for: str | None = None

    def __post_init__(self) -> None:
        if self.bytes < 0:
            stored = self.examples.features.nbytes + self.examples.targets.nbytes
            object.__setattr__(self, "bytes", stored)

    def __len__(self) -> int:
        return len(self.examples.features)

    @cached_property
    def soft_labels(self) -> bool:
        """Whether it is judged, and its items may be of several emotions."""
        targets = self.examples.targets
        emotions = self.judged and not self.examples.told.dimensions
        return emotions and not torch.equal(hardened(targets), targets)

    @cached_property
    def digest(self) -> str:
        """Hexadecimal, of all that decides how a student is trained on it."""
        examples, lesson = self.examples, self.examples.lesson
        content = hashlib.sha256()
        parts = [examples.features, examples.targets]
        if lesson is not None:
            content.update(f"{lesson.by} {lesson.share} {lesson.temperature}".encode())
            parts.append(lesson.signal)
        if examples.told.dimensions:
            content.update(repr(examples.task).encode())
        for tensor in parts:
            content.update(f"{tuple(tensor.shape)} {tensor.dtype}".encode())
            content.update(tensor.contiguous().numpy().data)
        return content.hexdigest()


def hardened(targets: Float[Tensor, "n emotion"]) -> Float[Tensor, "n emotion"]:
    """Each item's likeliest emotion alone."""
    return torch.eye(targets.shape[1])[targets.argmax(dim=1)]


@dataclass(frozen=True, eq=False)
class Reference:
    """A student of all real training data, and what it makes of the training utterances.

    Attributes:
        network: without weights.
        weights: its own.
        logits: of the training utterances.
        embeddings: of the same.
        seconds: to train it.
    """

    network: nn.Module
    weights: Weights
    logits: Float[Tensor, "n emotion"]
    embeddings: Float[Tensor, "n embedding"]
    seconds: float


@dataclass(frozen=True, eq=False)
class Stock:
    """What a baseline is made from.

    Attributes:
        train: the real training utterances, after the set's transforms.
        ipc: items per class (or cell) of the set that the baseline competes with.
        bytes: of that set's features and targets as stored; a baseline may store as much.
        generator: of the baseline's draws.
        look: trains a full-data student, if need be, and tells its view of the training
            utterances.
    """

    train: RealSet
    ipc: int
    bytes: int
    generator: torch.Generator
    look: Callable[[], Reference]

    @cached_property
    def reference(self) -> Reference:
        """A full-data student's view of the training utterances.

        Raises:
            NotAvailable: no student could be trained.
        """
        return self.look()

    @property
    def present(self) -> list[int]:
        """Emotions (or cells of the label space) that occur, by their places in the groups."""
        return [
            group for group in range(len(self.train.task.groups)) if self.train.group_rows(group)
        ]

    def rows_by_class(self) -> list[list[int]]:
        """The rows of each emotion (or cell of the label space) that occurs, in random order."""
        rows = [self.train.group_rows(group) for group in self.present]
        return [
            [of_one[i] for i in torch.randperm(len(of_one), generator=self.generator).tolist()]
            for of_one in rows
        ]

    def examples(self, rows: Sequence[int]) -> Examples:
        """Real utterances as they are."""
        train = self.train
        return Examples(train.features[rows], train.targets[rows], task=train.task)

    def mean_targets(self) -> Float[Tensor, "group column"]:
        """Of each emotion (or cell) that occurs; NaN where no emotion is known of any of it."""
        train = self.train
        rows = [train.targets[train.group_rows(group)] for group in self.present]
        return torch.stack([of_one.nanmean(dim=0) for of_one in rows])

    def require_enough(self) -> None:
        """Raises `NotAvailable` if an emotion that occurs has fewer than `ipc` utterances.

        Of a cell with fewer, all are taken: cells are a way to count, and no names.
        """
        if self.train.task.dimensions:
            return
        for emotion, name in enumerate(self.train.emotions):
            found = len(self.train.group_rows(emotion))
            if 0 < found < self.ipc:
                raise NotAvailable(f"ipc {self.ipc} exceeds the {found} utterances of {name}")

    def require_emotions(self) -> None:
        """Raises `NotAvailable` if there are dimensions to tell."""
        if self.train.task.dimensions:
            raise NotAvailable("it is made for emotions, and there are dimensions to tell")


class NotAvailable(Exception):  # noqa: N818 - it is reported, not raised to the user
    """A baseline cannot be made from these data; the message says why."""
