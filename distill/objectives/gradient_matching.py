"""Gradient matching: the synthetic set should pull the network where the real data pull it.

Zhao et al. 2021 (dataset condensation): for each class, the distance between the gradient of
the synthetic items' loss and of the real utterances' loss, at the same weights,

    sum over classes c, layers l, rows r of  1 - cos(gS[c, l, r], gT[c, l, r]),

where a row holds the weights into one output channel. Biases and norms are left out. Or, as in
IDC, the sum of absolute or squared differences; steps are adaptive, so no rate has to be tuned to
their scale.

Where we differ: the weights are checkpoints of a network that is trained on the *real* data
(as Kim et al. 2022, IDC, do), from the fixed initialisation and a few random ones. These
trajectories do not depend on the synthetic set, so every real gradient is asked once and kept;
no step touches real speech again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from distill.objectives.finite_difference import along, with_slopes
from distill.objectives.objective import Candidate, Cost, State, Student
from distill.objectives.real_loss import RealLoss, means_at
from distill.objectives.trajectories import AlongTrajectories, weights_of
from distill.objectives.walk import View
from evaluation.networks import Weights, apply
from evaluation.students.losses import utterance_losses
from synth_data.curator import Curator
from synth_data.mechanism import Sample

GRADIENT = "gradient/"  # how the state names what it matches

Items = tuple[Tensor, Tensor]  # features and targets


@dataclass(frozen=True)
class GradientMatching(AlongTrajectories):
    """Gradient matching along cached trajectories of real training.

    Attributes:
        derivative: of the distance with respect to the items: by "finite-difference", or "exact",
            by a second backward pass, which takes twice as long and agrees.
        distance: between gradients: "cosine", row by row; "l1" or "mse".
    """

    name: ClassVar[str] = "gradient-matching"

    derivative: Literal["finite-difference", "exact"] = "finite-difference"
    distance: Literal["cosine", "l1", "mse"] = "cosine"

    @property
    def asked(self) -> str:
        return "class gradients"

    def size_of_asked(self, student: Student, emotions: int) -> int:
        return emotions * sum(weight.numel() for weight in student.start.values())

    def ask(
        self, curator: Curator, student: Student, weights: Weights, view: View, sample: Sample
    ) -> dict[str, Tensor]:
        loss = RealLoss(student, view).asked(curator, weights, sample)
        gradient = curator.mean_gradient(loss, weights, purpose=self.asked, sample=sample)
        return {GRADIENT + name: gradient[name] for name in matched(weights)} | loss.kept()

    def step(
        self,
        state: State,
        candidate: Candidate,
        curator: Curator,  # noqa: ARG002 - every answer is in the state
        student: Student,
        generator: torch.Generator,
    ) -> tuple[Float[Tensor, ""], State]:
        met = self.meet(state, candidate, generator)
        weights = {
            name: weight.requires_grad_()
            for name, weight in weights_of(state, met.checkpoint).items()
        }
        names, means = matched(weights), means_at(state, met.checkpoint)
        total = candidate.features.new_zeros(())
        classes = zip(_by_class(met.every), _by_class(met.moved), strict=True)
        for emotion, (every, moved) in enumerate(classes):
            theirs = {name: state[GRADIENT + name][met.checkpoint, emotion] for name in names}
            total = total + self._distance(student, weights, means, theirs, every, moved)
        return total, met.state

    def cost(self, per_class: int, utterances: int) -> Cost:
        passes = 3.5 if self.derivative == "finite-difference" else 7.0  # class by class; measured
        moved = self.moved(per_class)
        return Cost(
            real_passes=self.real_passes(utterances),
            step_passes=passes * moved + (1 - moved),
            checkpoints=self.starts * self.checkpoints,
            gradients=True,
        )

    def _distance(
        self,
        student: Student,
        weights: Weights,
        means: Tensor | None,
        theirs: Weights,
        every: Items,
        moved: Items,
    ) -> Float[Tensor, ""]:
        """Between the gradients of one class, differentiable in those items that are moved."""
        exact, share = self.derivative == "exact", len(moved[0]) / len(every[0])
        items = moved if exact else tuple(x.detach().requires_grad_(x.requires_grad) for x in moved)

        def loss(at: Weights, of: Items | None = None) -> Float[Tensor, ""]:
            features, targets = of or items
            outputs = apply(student.network, at, features)
            return utterance_losses(student.task, outputs, targets, means).mean()

        def gradient(value: Float[Tensor, ""], graph: bool = False) -> tuple[Tensor, ...]:
            slopes = [weights[name] for name in theirs]
            return torch.autograd.grad(value, slopes, create_graph=graph)

        ours: Sequence[Tensor]
        if exact:
            ours = gradient(loss(weights), graph=True)
            if share < 1:
                whole = gradient(loss(weights, every))
                ours = [a + share * (g - g.detach()) for a, g in zip(whole, ours, strict=True)]
        else:
            ours = [g.requires_grad_() for g in gradient(loss(weights, every))]
        pairs = zip(ours, theirs.values(), strict=True)
        between = DISTANCES[self.distance]
        distance = torch.stack([between(mine, real) for mine, real in pairs]).sum()
        if exact:
            return distance
        direction = dict(zip(theirs, torch.autograd.grad(distance, ours), strict=True))
        moving = [i for i, x in enumerate(items) if x.requires_grad]
        _, slopes = along(loss, weights, direction, [items[i] for i in moving])
        return with_slopes(
            distance, [moved[i] for i in moving], [share * slope for slope in slopes]
        )


def _by_class(items: Candidate) -> Iterator[Items]:
    """The features and targets of each class."""
    return zip(
        items.features.split(items.per_class), items.targets.split(items.per_class), strict=True
    )


def matched(weights: Mapping[str, Tensor]) -> list[str]:
    """The weights whose gradients are matched: all but biases and norms."""
    return [name for name, weight in weights.items() if weight.ndim > 1]


def row_distance(
    ours: Float[Tensor, "row *rest"], theirs: Float[Tensor, "row *rest"]
) -> Float[Tensor, ""]:
    """Sum over rows of one minus the cosine; zero where the two are parallel."""
    cosine = torch.nn.functional.cosine_similarity(ours.flatten(1), theirs.flatten(1), dim=1)
    return (1.0 - cosine).sum()


def absolute(
    ours: Float[Tensor, "row *rest"], theirs: Float[Tensor, "row *rest"]
) -> Float[Tensor, ""]:
    """Sum of absolute differences."""
    return (ours - theirs).abs().sum()


def squared(
    ours: Float[Tensor, "row *rest"], theirs: Float[Tensor, "row *rest"]
) -> Float[Tensor, ""]:
    """Sum of squared differences."""
    return (ours - theirs).square().sum()


# By the names that they have in settings.
DISTANCES = {"cosine": row_distance, "l1": absolute, "mse": squared}
