"""Training a student on a set: the same recipe whoever made the set."""

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from evaluation.augment import Augment
from evaluation.networks import Weights, apply
from synth_data.settings import Count, NotNegative, Positive

CHUNK = 256
SMALLEST_BATCH = 8


@dataclass(frozen=True)
class Recipe:
    """How a student is trained: AdamW, a linear warm-up, then a cosine to zero.

    The loss weighs the classes alike, since UAR does. Items are augmented afresh at every step,
    where the recipe augments. The learning rate is the one setting left free: it is chosen on
    validation speakers, for every set anew.

    Attributes:
        steps: optimiser steps, whatever the size of the set.
        batch: items per step, drawn without replacement; a set of fewer than four times as many
            takes a quarter of its items, but at least eight (or all), so that small sets, whoever
            made them, are not gone through hundreds of times.
        learning_rates: to choose from; each is the rate at the peak.
        weight_decay: of AdamW, decoupled.
        warm_up: steps until the peak.
        augment: strength of augmentation.
    """

    steps: Count = 600
    batch: Count = 64
    learning_rates: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1e-3, 3e-3)
    weight_decay: NotNegative = 0.05
    warm_up: Count = 50
    augment: Augment = Augment()

    def batch_of(self, items: int) -> int:
        """Items per step for a set of so many."""
        return min(items, self.batch, max(SMALLEST_BATCH, items // 4))


# The generic recipe of each student. The TDNN's was tuned on full data, on the validation speakers
# of RAVDESS and EmoDB, and then frozen; the ConvNet takes it over as it is.
RECIPES = {
    "tdnn": Recipe(),
    "convnet": Recipe(),
}


def cross_entropy(
    logits: Float[Tensor, "n emotion"], targets: Float[Tensor, "n emotion"]
) -> Float[Tensor, " n"]:
    """Cross-entropy of each item against its target row."""
    return -(targets * functional.log_softmax(logits, dim=1)).sum(dim=1)


def train(
    network: nn.Module,
    weights: Weights,
    features: Float[Tensor, "n mel frame"],
    targets: Float[Tensor, "n emotion"],
    recipe: Recipe,
    learning_rate: float,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """Trains a student and returns its weights; those it starts from are left alone.

    Args:
        network: from `networks.skeleton`.
        weights: to start from.
        features: the set's items.
        targets: their class probabilities.
        recipe: how.
        learning_rate: one of the recipe's.
        generator: for batches and augmentation.
    """
    student = {name: weight.detach().clone().requires_grad_() for name, weight in weights.items()}
    optimiser = torch.optim.AdamW(
        student.values(), lr=learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, recipe))
    balance = class_balance(targets)
    batch = recipe.batch_of(len(features))
    for _ in range(recipe.steps):
        rows = torch.randperm(len(features), generator=generator)[:batch]
        augmented = recipe.augment(features[rows], generator)
        losses = cross_entropy(apply(network, student, augmented), targets[rows] * balance)
        optimiser.zero_grad(set_to_none=True)
        losses.mean().backward()
        optimiser.step()
        schedule.step()
    return {name: weight.detach() for name, weight in student.items()}


def predict(
    network: nn.Module, weights: Weights, features: Float[Tensor, "n mel frame"]
) -> Int[Tensor, " n"]:
    """The predicted class of each item."""
    with torch.no_grad():
        logits = [apply(network, weights, part) for part in features.split(CHUNK)]
    return torch.cat(logits).argmax(dim=1)


def class_balance(targets: Float[Tensor, "n emotion"]) -> Float[Tensor, " emotion"]:
    """Weights under which the classes count alike and an item counts one on average."""
    shares = targets.mean(dim=0)
    return 1.0 / (shares * targets.shape[1]).clamp_min(1e-6)


def _rate(step: int, recipe: Recipe) -> float:
    warm = min(1.0, (step + 1) / recipe.warm_up)
    return warm * 0.5 * (1.0 + math.cos(math.pi * step / recipe.steps))
