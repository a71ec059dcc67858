"""What a network sees in real speech, as moments: all that a ridge regression can be tested on."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from distill.objectives.objective import State
from evaluation.concordance import LEAST_VARIANCE
from synth_data.task import Task

MEANS, WITHIN = "class means", "second moments within classes"
# Of all utterances, where dimensions are told: of embeddings, and of these with targets.
ALL = ("middle", "varied", "together", "told", "variances")


@dataclass(frozen=True)
class Moments(ABC):
    """What a network sees in real speech, in double precision.

    Attributes:
        means: of the embeddings of each class.
    """

    means: Float[Tensor, "group size"]

    @property
    @abstractmethod
    def middle(self) -> Float[Tensor, " size"]:
        """The mean of embeddings, m."""

    @property
    @abstractmethod
    def square(self) -> Float[Tensor, "inputs inputs"]:
        """E x x^T, whose last row and column are of the bias."""

    @property
    @abstractmethod
    def cross(self) -> Float[Tensor, "inputs column"]:
        """E x y^T."""

    @abstractmethod
    def labels(self, targets: Float[Tensor, "n column"]) -> Float[Tensor, "n column"]:
        """Targets as they are regressed on: around the real mean."""

    @abstractmethod
    def error(self, head: Float[Tensor, "inputs column"]) -> Float[Tensor, ""]:
        """What a head does wrong on all real speech; 1 is nothing learned."""

    def inputs(self, seen: Float[Tensor, "n size"]) -> Float[Tensor, "n inputs"]:
        """What a head sees of embeddings: centred ones, and a constant as large as they vary."""
        rows = seen.double() - self.middle
        return torch.cat([rows, self.square[-1, -1].sqrt().expand(len(rows), 1)], dim=1)

    def distance(self, ours: Float[Tensor, "group size"]) -> Float[Tensor, ""]:
        """Squared, of class means from these, relative to how far these are from each other."""
        spread = (self.means - self.middle).square().sum().clamp_min(1e-12)
        return ((ours - self.means).square().sum() / spread).float()


@dataclass(frozen=True)
class OfEmotions(Moments):
    """Where emotions are told, which count alike.

    Attributes:
        within: second moments around the means of the emotions.
    """

    within: Float[Tensor, "size size"]

    @property
    def middle(self) -> Float[Tensor, " size"]:
        return self.means.mean(dim=0)

    @property
    def square(self) -> Float[Tensor, "inputs inputs"]:
        apart = self.means - self.middle
        return _with_bias(self.within + apart.T @ apart / len(apart))

    @property
    def cross(self) -> Float[Tensor, "inputs emotion"]:
        apart = (self.means - self.middle) / len(self.means)
        return functional.pad(apart, (0, 1)).T

    def labels(self, targets: Float[Tensor, "n emotion"]) -> Float[Tensor, "n emotion"]:
        return centred(targets)

    def error(self, head: Float[Tensor, "inputs emotion"]) -> Float[Tensor, ""]:
        """The mean squared error, relative to that of no head."""
        none = 1 - 1 / len(self.means)
        explained = (head * (self.square @ head - 2 * self.cross)).sum()
        return (explained / none + 1).float()


@dataclass(frozen=True)
class OfDimensions(Moments):
    """Where dimensions are told, or both: every utterance counts alike, and what counts is CCC.

    Attributes:
        mean: of the embeddings of all utterances.
        varied: second moments around it.
        together: second moments of these embeddings and the targets, around their means.
        told: the mean targets.
        variances: of the targets.
        weights: of the columns, 1 on average.
    """

    mean: Float[Tensor, " size"]
    varied: Float[Tensor, "size size"]
    together: Float[Tensor, "size column"]
    told: Float[Tensor, " column"]
    variances: Float[Tensor, " column"]
    weights: Float[Tensor, " column"]

    @property
    def middle(self) -> Float[Tensor, " size"]:
        return self.mean

    @property
    def square(self) -> Float[Tensor, "inputs inputs"]:
        return _with_bias(self.varied)

    @property
    def cross(self) -> Float[Tensor, "inputs column"]:
        return functional.pad(self.together.T, (0, 1)).T

    def labels(self, targets: Float[Tensor, "n column"]) -> Float[Tensor, "n column"]:
        return targets.double() - self.told

    def error(self, head: Float[Tensor, "inputs column"]) -> Float[Tensor, ""]:
        """1 - the weighted mean concordance: 2 E yh / (E y^2 + E h^2), around the real mean."""
        heard = (head * (self.square @ head)).sum(dim=0)
        both = (head * self.cross).sum(dim=0)
        apart = 1 - 2 * both / (heard + self.variances)
        return (self.weights * apart).mean().float()


def moments_of(state: State, checkpoint: int, task: Task) -> Moments:
    """At a checkpoint in the state, of what is to be told."""
    means = state[MEANS][checkpoint].double()
    if WITHIN in state:
        return OfEmotions(means, state[WITHIN][checkpoint].double())
    weights = torch.cat([torch.ones(len(task.emotions)), len(task.dimensions) * task.importance])
    kept = [state[name][checkpoint].double() for name in ALL]
    return OfDimensions(means, *[*kept, weights.to(means)])


def around_means(
    squares: Float[Tensor, "size size"],
    mean: Float[Tensor, " size"],
    products: Float[Tensor, "size column"],
    told: Float[Tensor, " column"],
    told_squares: Float[Tensor, " column"],
) -> dict[str, Tensor]:
    """What a state keeps of plain moments, by the names in `ALL`."""
    kept = (
        mean,
        squares - mean[:, None] * mean,
        products - mean[:, None] * told,
        told,
        (told_squares - told.square()).clamp_min(LEAST_VARIANCE),
    )
    return {name: tensor.float() for name, tensor in zip(ALL, kept, strict=True)}


def centred(targets: Float[Tensor, "n emotion"]) -> Float[Tensor, "n emotion"]:
    """Labels to be regressed on, in double precision: shares, less an even one."""
    return targets.double() - 1 / targets.shape[1]


def _with_bias(varied: Float[Tensor, "size size"]) -> Float[Tensor, "inputs inputs"]:
    return torch.block_diag(varied, varied.trace().clamp_min(1e-12))
