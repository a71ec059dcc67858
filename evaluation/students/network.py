"""Students that are networks, trained by gradient steps."""

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from evaluation.augment import Augment
from evaluation.networks import Weights, apply, embedded, has_room, skeleton
from evaluation.students.losses import class_balance, cross_entropy, student_loss
from evaluation.students.recipe import CannotTrain, Examples, Fitted, Lesson, Setting, StudentRecipe
from synth_data.settings import Count, NotNegative, Positive
from synth_data.task import Task

CHUNK = 256
SMALLEST_BATCH = 8
PROJECTION = "projection"  # a student's linear map onto its teacher's embedding


@dataclass(frozen=True)
class Schedule:
    """One way to spend optimiser steps.

    Attributes:
        steps: optimiser steps, whatever the size of the set.
        learning_rate: at the peak.
    """

    steps: Count
    learning_rate: Positive


@dataclass(frozen=True)
class Recipe(StudentRecipe):
    """How a network is trained: AdamW, a linear warm-up, then a cosine to zero.

    The loss weighs the classes alike, since UAR does; of dimensions it is 1 - their mean CCC over
    the batch (`losses.student_loss`). Items are augmented afresh at every step,
    where the recipe augments. Steps and learning rate are the settings left free: they are
    chosen on validation speakers, for every set anew.

    Attributes:
        schedules: to choose from.
        batch: items per step, drawn without replacement; a set of fewer than four times as many
            takes a quarter of its items, but at least eight (or all), so that small sets, whoever
            made them, are not gone through hundreds of times.
        weight_decay: of AdamW, decoupled.
        warm_up: steps until the peak, but at most a sixth of all.
        augment: strength of augmentation.
    """

    schedules: Annotated[tuple[Schedule, ...], Field(min_length=1)] = (
        Schedule(300, 3e-3),
        Schedule(600, 2e-3),
    )
    batch: Count = 64
    weight_decay: NotNegative = 0.05
    warm_up: Count = 50
    augment: Augment = Augment()

    @classmethod
    def single(cls, steps: int, learning_rate: float = 2e-3) -> "Recipe":
        """The recipe with one schedule, so that there is nothing to choose."""
        return cls(schedules=(Schedule(steps, learning_rate),))

    @property
    def settings(self) -> tuple[Setting, ...]:
        return tuple(Setting(s.steps, s.learning_rate) for s in self.schedules)

    def batch_of(self, items: int) -> int:
        """Items per step for a set of so many."""
        return min(items, self.batch, max(SMALLEST_BATCH, items // 4))

    def fit(
        self,
        student: str,
        weights: Weights,
        examples: Examples,
        setting: Setting,
        generator: torch.Generator,
    ) -> Fitted:
        mels, columns = examples.features.shape[1], examples.targets.shape[1]
        if not has_room(student, mels, frames := examples.features.shape[2]):
            raise CannotTrain(
                f"{student} cannot hear features of {mels} x {frames}: it needs more frames, or "
                f"more numbers in each"
            )
        network, task = skeleton(student, mels, columns), examples.told
        if task.dimensions and examples.lesson is not None:
            raise CannotTrain("what a teacher says is of emotions alone, not of dimensions")
        trained = train(network, weights, examples, self, setting, generator)
        if not all(weight.isfinite().all() for weight in trained.values()):
            raise CannotTrain(f"training diverged ({setting})")
        return Fitted(
            predict=lambda features: answers(network, trained, features, task),
            parameters=sum(weight.numel() for weight in network.parameters()),
            weights=trained,
        )


def train(
    network: nn.Module,
    weights: Weights,
    examples: Examples,
    recipe: Recipe,
    setting: Setting,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """Trains a network and returns its weights; those it starts from are left alone.

    Args:
        network: from `networks.skeleton`.
        weights: to start from.
        examples: to train on.
        recipe: how.
        setting: one of the recipe's.
        generator: for batches, augmentation and a lesson's linear map.
    """
    features, targets, lesson = examples.features, examples.targets, examples.lesson
    student = {name: weight.detach().clone() for name, weight in weights.items()}
    learned = {name: student[name].requires_grad_() for name, _ in network.named_parameters()}
    if lesson is not None and lesson.by == "features":
        learned[PROJECTION] = _projection(network, student, features, lesson, generator)
    optimiser = torch.optim.AdamW(
        learned.values(), lr=setting.strength, weight_decay=recipe.weight_decay, fused=True
    )
    warm_up = min(recipe.warm_up, max(1, setting.steps // 6))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: warm_cosine(step, setting.steps, warm_up)
    )
    task = examples.told
    balance = class_balance(task.shares(targets))
    batch = recipe.batch_of(len(features))
    for _ in range(setting.steps):
        rows = torch.randperm(len(features), generator=generator)[:batch]
        augmented = recipe.augment(features[rows], generator)
        if lesson is None:
            outputs = apply(network, student, augmented, training=True)
            loss = student_loss(task, outputs, targets[rows], balance)
        else:
            wanted = targets[rows] * balance
            loss = _with_lesson(network, student, learned, augmented, wanted, lesson, rows)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
    return {name: weight.detach() for name, weight in student.items()}


def answers(
    network: nn.Module, weights: Weights, features: Float[Tensor, "n mel frame"], task: Task
) -> Int[Tensor, " n"] | Float[Tensor, "n column"]:
    """The predicted class of each item; where there are dimensions to tell, its outputs."""
    if task.dimensions:
        return logits_of(network, weights, features)
    return predict(network, weights, features)


def predict(
    network: nn.Module, weights: Weights, features: Float[Tensor, "n mel frame"]
) -> Int[Tensor, " n"]:
    """The predicted class of each item."""
    return logits_of(network, weights, features).argmax(dim=1)


def logits_of(
    network: nn.Module, weights: Weights, features: Float[Tensor, "n mel frame"]
) -> Float[Tensor, "n emotion"]:
    """The network's outputs, in chunks and without gradients."""
    with torch.no_grad():
        return torch.cat([apply(network, weights, part) for part in features.split(CHUNK)])


def embeddings_of(
    network: nn.Module, weights: Weights, features: Float[Tensor, "n mel frame"]
) -> Float[Tensor, "n embedding"]:
    """The network's utterance embeddings, in chunks and without gradients."""
    with torch.no_grad():
        return torch.cat([embedded(network, weights, part)[0] for part in features.split(CHUNK)])


def _projection(
    network: nn.Module,
    student: Weights,
    features: Float[Tensor, "n mel frame"],
    lesson: Lesson,
    generator: torch.Generator,
) -> Float[Tensor, "inputs any"]:
    """The linear map's start."""
    inputs = embeddings_of(network, student, features[:1]).shape[1] + 1  # one is constant
    drawn = torch.randn(inputs, lesson.signal.shape[1], generator=generator)
    return (drawn / math.sqrt(inputs)).requires_grad_()


def _with_lesson(
    network: nn.Module,
    student: Weights,
    learned: Weights,
    features: Float[Tensor, "n mel frame"],
    wanted: Float[Tensor, "n emotion"],
    lesson: Lesson,
    rows: Int[Tensor, " n"],
) -> Float[Tensor, ""]:
    embedding, logits = embedded(network, student, features, training=True)
    signal = lesson.signal[rows]
    if lesson.by == "logits":
        softness = lesson.temperature
        taught = cross_entropy(logits / softness, (signal / softness).softmax(dim=1)).mean()
        taught = taught * softness**2  # so that gradients do not shrink with the temperature
    else:
        scale = lesson.signal.std(dim=0, correction=0).clamp_min(1e-3)
        aim = (signal - lesson.signal.mean(dim=0)) / scale
        inputs = functional.pad(embedding, (0, 1), value=1.0)
        taught = functional.mse_loss(inputs @ learned[PROJECTION], aim)
    own = cross_entropy(logits, wanted).mean()
    return (1 - lesson.share) * own + lesson.share * taught


def warm_cosine(step: int, steps: int, warm_up: int) -> float:
    """A learning rate relative to its peak: a linear warm-up, then a cosine to zero."""
    warm = min(1.0, (step + 1) / warm_up)
    return warm * 0.5 * (1.0 + math.cos(math.pi * step / steps))
