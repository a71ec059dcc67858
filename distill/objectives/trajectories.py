"""Networks on their way through training on the real data: where objectives compare.

A trajectory does not depend on the synthetic set, so it is walked once, before the first step, and
whatever is asked at its checkpoints is asked once and kept.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from distill.objectives.objective import Objective, State, Student
from evaluation.augment import Augment
from evaluation.networks import Weights, apply, draw_weights
from evaluation.students import cross_entropy
from synth_data.curator import Curator, Draw
from synth_data.mechanism import Loss
from synth_data.randomness import generator
from synth_data.settings import Count, Positive, Probability

WEIGHT = "weight/"  # how a state names what a network's weights are


@dataclass(frozen=True)
class AlongTrajectories(Objective):
    """An objective that compares at checkpoints of networks trained on the real data.

    Attributes:
        starts: trajectories: the first from the fixed initialisation, the others from random
            ones. One makes a set for the fixed initialisation alone.
        checkpoints: of each trajectory, the first being its start.
        stride: optimiser steps between two checkpoints.
        learning_rate: of AdamW along the trajectory.
        sampling_probability: of each utterance, at each step of a trajectory.
        augment: how the real utterances are augmented, along the trajectory and in what is
            matched: what the synthetic set learns should not hang on the training speakers.
    """

    starts: Count = 4
    checkpoints: Count = 12
    stride: Count = 10
    learning_rate: Positive = 1e-3
    sampling_probability: Probability = 0.1
    augment: Augment = Augment()

    def networks(
        self, curator: Curator, student: Student, seed: int, only: Sequence[str] = ()
    ) -> Iterator[tuple[Weights, torch.Generator]]:
        """The weights at every checkpoint of every trajectory, and a generator to ask there with.

        Args:
            curator: the door, which the trajectories ask for gradients.
            student: the network, whose fixed initialisation the first trajectory starts from.
            seed: that all random numbers are derived from.
            only: weights that are trained, by name; all of them if empty.
        """
        for start in range(self.starts):
            draws = generator(seed, self.name, "trajectory", start)
            weights = student.start if start == 0 else draw_weights(student.network, draws)
            for checkpoint in self._trajectory(curator, student, weights, draws, only):
                yield checkpoint, draws

    def drawn(self, state: State, generator: torch.Generator) -> int:
        """One of the checkpoints in the state."""
        total = next(len(values) for name, values in state.items() if name.startswith(WEIGHT))
        return int(torch.randint(total, (1,), generator=generator))

    def _trajectory(
        self,
        curator: Curator,
        student: Student,
        start: Weights,
        draws: torch.Generator,
        only: Sequence[str],
    ) -> Iterator[Weights]:
        weights = {name: w.detach().clone().to(curator.device) for name, w in start.items()}
        yield {name: weight.clone() for name, weight in weights.items()}
        if self.checkpoints == 1:
            return
        balance = 1.0 / (curator.class_shares() * len(curator.emotions)).clamp_min(1e-6)
        moving = {name: weights[name] for name in only or weights}
        still = {name: weight for name, weight in weights.items() if name not in moving}
        loss = self.real_loss(student, draws, balance, still)
        optimiser = torch.optim.AdamW(moving.values(), lr=self.learning_rate, fused=True)
        for _ in range(1, self.checkpoints):
            for _ in range(self.stride):
                gradients = curator.mean_gradient(
                    loss,
                    moving,
                    purpose="trajectory",
                    sample=Draw(self.sampling_probability, draws),
                    per_class=False,
                )
                for name, weight in moving.items():
                    weight.grad = gradients[name]
                optimiser.step()
            yield {name: weight.clone() for name, weight in weights.items()}

    def real_loss(
        self,
        student: Student,
        draws: torch.Generator,
        balance: Tensor | float = 1.0,
        still: Weights = MappingProxyType({}),
    ) -> Loss:
        """The student's loss on real utterances, augmented.

        Args:
            student: the network.
            draws: for the augmentation.
            balance: weights of the classes.
            still: weights of the network that the loss is no function of.
        """

        def loss(weights: Weights, features: Tensor, targets: Tensor) -> Tensor:
            logits = apply(student.network, {**still, **weights}, self.augment(features, draws))
            return cross_entropy(logits, targets * balance)

        return loss

    def learned(self) -> dict[str, Tensor]:
        return {}

    def schedule(self, learned: Mapping[str, Tensor]) -> None:  # noqa: ARG002 - any training will do
        return None

    @property
    def real_passes(self) -> float:
        """Over every real utterance: to walk, and to ask once at every checkpoint."""
        moves = (self.checkpoints - 1) * self.stride * self.sampling_probability
        return self.starts * (self.checkpoints + moves)


def stacked(kept: dict[str, list[Tensor]]) -> dict[str, Tensor]:
    """A state of what was kept at each checkpoint, by name."""
    return {name: torch.stack(values) for name, values in kept.items()}


def weights_of(state: State, checkpoint: int) -> dict[str, Tensor]:
    """The network's weights at a checkpoint in the state."""
    return {
        name.removeprefix(WEIGHT): values[checkpoint]
        for name, values in state.items()
        if name.startswith(WEIGHT)
    }
