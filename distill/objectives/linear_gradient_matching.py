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

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from distill.objectives.gradient_matching import DISTANCES
from distill.objectives.objective import Candidate, Cost, State, Student
from distill.objectives.real_loss import RealLoss, means_at
from distill.objectives.trajectories import AlongTrajectories, weights_of
from distill.objectives.walk import View
from evaluation.networks import Weights, embedded
from evaluation.students.losses import utterance_losses
from synth_data.curator import Curator
from synth_data.mechanism import Sample

HEAD = ("head.weight", "head.bias")  # of every network, by convention
GRADIENT = "gradient"


@dataclass(frozen=True)
class LinearGradientMatching(AlongTrajectories):
    """Last-layer gradient matching along cached trajectories of real training.

    Attributes:
        body: whether the layers below the head are "trained" with it along a trajectory, or
            "frozen" as they start.
        distance: between gradients: "cosine", row by row; "l1" or "mse".
    """

    name: ClassVar[str] = "linear-gradient-matching"

    body: Literal["trained", "frozen"] = "trained"
    distance: Literal["cosine", "l1", "mse"] = "cosine"

    @property
    def moving(self) -> Sequence[str]:
        return HEAD if self.body == "frozen" else ()

    @property
    def asked(self) -> str:
        return "class gradients of the head"

    def size_of_asked(self, student: Student, emotions: int) -> int:
        return emotions * sum(student.start[name].numel() for name in HEAD)

    def ask(
        self, curator: Curator, student: Student, weights: Weights, view: View, sample: Sample
    ) -> dict[str, Tensor]:
        loss = RealLoss(student, view).asked(curator, weights, sample)

        def statistic(features: Tensor, targets: Tensor) -> Tensor:
            with torch.no_grad():
                return head_gradients(student, weights, view(features), targets, loss.means)

        mean = curator.mean(statistic, purpose=self.asked, sample=sample)
        return {GRADIENT: mean} | loss.kept()

    def step(
        self,
        state: State,
        candidate: Candidate,
        curator: Curator,  # noqa: ARG002 - every answer is in the state
        student: Student,
        generator: torch.Generator,
    ) -> tuple[Float[Tensor, ""], State]:
        met = self.meet(state, candidate, generator)
        weights = weights_of(state, met.checkpoint)

        means = means_at(state, met.checkpoint)

        def seen(items: Candidate) -> Tensor:
            return head_gradients(student, weights, items.features, items.targets, means)

        ours, theirs = met.class_means(seen(met.moved), seen), state[GRADIENT][met.checkpoint]
        between = DISTANCES[self.distance]
        return between(ours.flatten(0, 1), theirs.flatten(0, 1)), met.state

    def cost(self, per_class: int, utterances: int) -> Cost:
        return Cost(
            real_passes=self.real_passes(utterances),
            step_passes=self.seen_passes(per_class),
            checkpoints=self.starts * self.checkpoints,
        )


def head_gradients(
    student: Student,
    weights: Weights,
    features: Float[Tensor, "n mel frame"],
    targets: Float[Tensor, "n column"],
    means: Float[Tensor, " moment"] | None = None,
) -> Float[Tensor, "n column inputs"]:
    """Of each item's loss with respect to the head's weights and, last, its biases.

    Args:
        student: the network.
        weights: of it.
        features: of the items.
        targets: of the items; NaN where an emotion is unknown.
        means: of moments, where dimensions are told (`RealLoss.means`).
    """
    embedding, outputs = embedded(student.network, weights, features)
    inputs = torch.nn.functional.pad(embedding, (0, 1), value=1.0)
    if means is None:
        wrong = outputs.softmax(dim=1) * targets.sum(dim=1, keepdim=True) - targets
    else:
        losses = partial(utterance_losses, student.task, targets=targets, mean_moments=means)
        wrong = torch.func.grad(lambda said: losses(said).sum())(outputs)
    return wrong[:, :, None] * inputs[:, None, :]
