"""Linear gradient matching: gradient matching for the last layer alone, in closed form.

For an embedding z with logits W z + b and p = softmax(W z + b), the gradient of the
cross-entropy with respect to (W, b) is (p - y) [z, 1]^T. A class' mean of that is one question at
the door, and for the synthetic items one forward pass: no gradient of a gradient is ever taken,
so a step costs about as much as a step of training.

Cazenavette et al. 2025 ("Dataset distillation for pre-trained self-supervised vision models")
match so on frozen embeddings, with random heads. Here the body may be frozen too, while the heads
are those of a linear probe's training; by default all of the network trains, and the embedding is
the one of each checkpoint. The distance is that of `gradient_matching`, class by class and row by
row, where they take one cosine of the whole gradient.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from distill.objectives.gradient_matching import row_distance
from distill.objectives.objective import Candidate, Cost, State, Student
from distill.objectives.trajectories import WEIGHT, AlongTrajectories, stacked, weights_of
from evaluation.networks import Weights, embedded
from synth_data.curator import Curator

HEAD = ("head.weight", "head.bias")  # of every network, by convention
GRADIENT = "gradient"


@dataclass(frozen=True)
class LinearGradientMatching(AlongTrajectories):
    """Last-layer gradient matching along cached trajectories of real training.

    Attributes:
        body: whether the layers below the head are "trained" with it along a trajectory, or
            "frozen" as they start.
    """

    name: ClassVar[str] = "linear-gradient-matching"

    body: Literal["trained", "frozen"] = "trained"

    def init(self, curator: Curator, student: Student, seed: int) -> State:
        kept: dict[str, list[Tensor]] = {}
        only = HEAD if self.body == "frozen" else ()
        for weights, draws in self.networks(curator, student, seed, only):

            def statistic(
                features: Tensor,
                targets: Tensor,
                weights: Weights = weights,
                draws: torch.Generator = draws,
            ) -> Tensor:
                with torch.no_grad():
                    return head_gradients(student, weights, self.augment(features, draws), targets)

            asked = curator.mean(statistic, purpose="class gradients of the head")
            kept.setdefault(GRADIENT, []).append(asked)
            for name, value in weights.items():
                kept.setdefault(WEIGHT + name, []).append(value)
        return stacked(kept)

    def step(
        self,
        state: State,
        candidate: Candidate,
        curator: Curator,  # noqa: ARG002 - every answer is in the state
        student: Student,
        generator: torch.Generator,
    ) -> tuple[Float[Tensor, ""], State]:
        checkpoint = self.drawn(state, generator)
        each = head_gradients(
            student, weights_of(state, checkpoint), candidate.features, candidate.targets
        )
        ours = candidate.class_means(each)
        return row_distance(ours.flatten(0, 1), state[GRADIENT][checkpoint].flatten(0, 1)), state

    def cost(self, per_class: int) -> Cost:  # noqa: ARG002 - each item is met at every step
        return Cost(
            real_passes=self.real_passes,
            step_passes=1.0,
            checkpoints=self.starts * self.checkpoints,
        )


def head_gradients(
    student: Student,
    weights: Weights,
    features: Float[Tensor, "n mel frame"],
    targets: Float[Tensor, "n emotion"],
) -> Float[Tensor, "n emotion inputs"]:
    """Of each item's cross-entropy with respect to the head's weights and, last, its biases."""
    embedding, logits = embedded(student.network, weights, features)
    inputs = torch.nn.functional.pad(embedding, (0, 1), value=1.0)
    wrong = logits.softmax(dim=1) * targets.sum(dim=1, keepdim=True) - targets
    return wrong[:, :, None] * inputs[:, None, :]
