"""A network on its way through training on the real data, which is asked through the door."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from distill.objectives.objective import Student
from distill.objectives.real_loss import RealLoss, emotion_balance
from distill.real_step import real_step
from evaluation.networks import Weights
from synth_data.curator import CLASS_SHARES, Curator
from synth_data.ledger import Release

WALK = "trajectory"  # what gradients on the way are asked for

# How utterances look to a network.
View = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Walk:
    """How networks are trained on the real data, with checkpoints on the way.

    Attributes:
        checkpoints: of each network, the first being its start.
        stride: optimiser steps between two.
        sampling_probability: of each utterance, at each step.
        at_most: utterances, on average, at a step.
        optimiser: of the weights that it is given.
    """

    checkpoints: int
    stride: int
    sampling_probability: float
    at_most: int
    optimiser: Callable[[Iterable[Tensor]], torch.optim.Optimizer]

    def checkpoints_of(
        self,
        curator: Curator,
        student: Student,
        start: Weights,
        view: View,
        draws: torch.Generator,
        moving: Sequence[str] = (),
    ) -> Iterator[dict[str, Tensor]]:
        """The weights at every checkpoint.

        Args:
            curator: the door, which is asked for class shares and then for a gradient per step.
            student: the network.
            start: its weights at the first checkpoint.
            view: how utterances look on the way.
            draws: of which of them are asked.
            moving: names of the weights that are trained; empty for all.
        """
        weights = {name: w.detach().clone().to(curator.device) for name, w in start.items()}
        yield {name: weight.clone() for name, weight in weights.items()}
        if self.checkpoints == 1:
            return
        balance = emotion_balance(curator)
        trained = {name: weights[name] for name in moving or weights}
        still = {name: weight for name, weight in weights.items() if name not in trained}
        loss = RealLoss(student, view, balance, still)
        optimiser = self.optimiser(trained.values())
        for _ in range(1, self.checkpoints):
            for _ in range(self.stride):
                sample = curator.sample(self.sampling_probability, self.at_most, draws)
                fixed = loss.asked(curator, trained, sample)
                real_step(curator, fixed, trained, optimiser, sample, WALK)
            yield {name: weight.clone() for name, weight in weights.items()}

    def releases(self, networks: int) -> list[Release]:
        """What so many networks ask."""
        if self.checkpoints == 1:
            return []
        walked = networks * (self.checkpoints - 1) * self.stride
        return [
            Release(CLASS_SHARES, 1.0, count=networks),
            Release(WALK, 1.0, self.sampling_probability, walked),
        ]

    def passes(self, utterances: int) -> float:
        """Forward and backward passes of one utterance that a network takes, of so many."""
        at_a_step = min(self.sampling_probability * utterances, float(self.at_most))
        return (self.checkpoints - 1) * self.stride * at_a_step
