"""Gradient matching: the synthetic set should pull the network where the real data pull it.

Zhao et al. 2021 (dataset condensation): for each class, the distance between the gradient of
the synthetic items' loss and of the real utterances' loss, at the same weights,

    sum over classes c, layers l, rows r of  1 - cos(gS[c, l, r], gT[c, l, r]),

where a row holds the weights into one output channel. Biases and norms are left out.

Where we differ: the weights are checkpoints of a network that is trained on the *real* data
(as Kim et al. 2022, IDC, do), from the fixed initialisation and a few random ones. These
trajectories do not depend on the synthetic set, so every real gradient is asked once and kept;
no step touches real speech again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from distill.objectives.objective import Candidate, Cost, Objective, State, Student
from evaluation.augment import Augment
from evaluation.networks import Weights, apply, draw_weights
from evaluation.students import cross_entropy
from synth_data.curator import Curator, Draw
from synth_data.mechanism import Loss
from synth_data.randomness import generator
from synth_data.settings import Count, Positive, Probability

WEIGHT, GRADIENT = "weight/", "gradient/"  # how the state names what it holds


@dataclass(frozen=True)
class GradientMatching(Objective):
    """Gradient matching along cached trajectories of real training.

    Attributes:
        starts: trajectories: the first from the fixed initialisation, the others from random
            ones. One makes a set for the fixed initialisation alone.
        checkpoints: of each trajectory, the first being its start.
        stride: optimiser steps between two checkpoints.
        learning_rate: of AdamW along the trajectory.
        sampling_probability: of each utterance, at each step of a trajectory.
        augment: how the real utterances are augmented, along the trajectory and in the
            gradients that are matched: what the synthetic set learns should not hang on the
            training speakers.
    """

    name: ClassVar[str] = "gradient-matching"

    starts: Count = 4
    checkpoints: Count = 12
    stride: Count = 10
    learning_rate: Positive = 1e-3
    sampling_probability: Probability = 0.1
    augment: Augment = Augment()

    def init(self, curator: Curator, student: Student, seed: int) -> State:
        kept: dict[str, list[Tensor]] = {}
        for start in range(self.starts):
            draws = generator(seed, "gradient matching", "trajectory", start)
            weights = student.start if start == 0 else draw_weights(student.network, draws)
            for checkpoint in self._trajectory(curator, student, weights, draws):
                gradient = curator.mean_gradient(
                    self._loss(student, draws), checkpoint, purpose="class gradients"
                )
                for name, value in checkpoint.items():
                    kept.setdefault(WEIGHT + name, []).append(value)
                for name in matched(checkpoint):
                    kept.setdefault(GRADIENT + name, []).append(gradient[name])
        return {name: torch.stack(values) for name, values in kept.items()}

    def step(
        self,
        state: State,
        candidate: Candidate,
        curator: Curator,  # noqa: ARG002 - every answer is in the state
        student: Student,
        generator: torch.Generator,
    ) -> tuple[Float[Tensor, ""], State]:
        total = self.starts * self.checkpoints
        checkpoint = int(torch.randint(total, (1,), generator=generator))
        weights = {
            name.removeprefix(WEIGHT): value[checkpoint].requires_grad_()
            for name, value in state.items()
            if name.startswith(WEIGHT)
        }
        names = matched(weights)
        items = zip(
            candidate.features.split(candidate.per_class),
            candidate.targets.split(candidate.per_class),
            strict=True,
        )
        distances = []
        for emotion, (features, targets) in enumerate(items):
            loss = cross_entropy(apply(student.network, weights, features), targets).mean()
            gradient = torch.autograd.grad(
                loss, [weights[name] for name in names], create_graph=True
            )
            distances += [
                row_distance(ours, state[GRADIENT + name][checkpoint, emotion])
                for name, ours in zip(names, gradient, strict=True)
            ]
        return torch.stack(distances).sum(), state

    def cost(self) -> Cost:
        moves = (self.checkpoints - 1) * self.stride * self.sampling_probability
        return Cost(
            real_passes=self.starts * (self.checkpoints + moves),
            step_passes=7.0,  # a derivative of a gradient, class by class; measured
            checkpoints=self.starts * self.checkpoints,
        )

    def _trajectory(
        self, curator: Curator, student: Student, start: Weights, draws: torch.Generator
    ) -> Iterator[Weights]:
        balance = 1.0 / (curator.class_shares() * len(curator.emotions)).clamp_min(1e-6)
        weights = {name: w.detach().clone().to(curator.device) for name, w in start.items()}
        optimiser = torch.optim.AdamW(weights.values(), lr=self.learning_rate, fused=True)
        yield {name: weight.clone() for name, weight in weights.items()}
        for _ in range(1, self.checkpoints):
            for _ in range(self.stride):
                gradients = curator.mean_gradient(
                    self._loss(student, draws, balance),
                    weights,
                    purpose="trajectory",
                    sample=Draw(self.sampling_probability, draws),
                    per_class=False,
                )
                for name, weight in weights.items():
                    weight.grad = gradients[name]
                optimiser.step()
            yield {name: weight.clone() for name, weight in weights.items()}

    def _loss(
        self, student: Student, draws: torch.Generator, balance: Tensor | float = 1.0
    ) -> Loss:
        def loss(weights: Weights, features: Tensor, targets: Tensor) -> Tensor:
            logits = apply(student.network, weights, self.augment(features, draws))
            return cross_entropy(logits, targets * balance)

        return loss


def matched(weights: Mapping[str, Tensor]) -> list[str]:
    """The weights whose gradients are matched: all but biases and norms."""
    return [name for name, weight in weights.items() if weight.ndim > 1]


def row_distance(
    ours: Float[Tensor, "row *rest"], theirs: Float[Tensor, "row *rest"]
) -> Float[Tensor, ""]:
    """Sum over rows of one minus the cosine; zero where the two are parallel."""
    cosine = torch.nn.functional.cosine_similarity(ours.flatten(1), theirs.flatten(1), dim=1)
    return (1.0 - cosine).sum()
