"""Least-squares concept erasure (LEACE), of the speaker.

Belrose et al., "LEACE: Perfect linear concept erasure in closed form", NeurIPS 2023,
arXiv:2306.03819: of all affine maps after which no linear classifier tells the concepts apart
better than a constant, the one that changes the data least.

    r(x) = x - W^+ P W (x - mean),    W = covariance of x ^ (-1/2),
    P the projection onto the span of W (mean of a speaker - mean), over speakers.

The paper asks for the covariance of x with the speakers' names; its span is that of the scatter
between speakers, which is a mean over speakers and so a question for the door. What is erased is
erased for the speakers behind the door, from linear classifiers: others may find more
(`evaluation.attacks`).
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from distill.disentangle.disentangler import Disentangler
from synth_data.curator import Curator
from synth_data.errors import UserError
from synth_data.progress import SILENT, Progress
from synth_data.settings import Positive, Share, Whole
from synth_data.transforms import EraseFrames, EraseStatistics, MatchSpeakers, Transform
from synth_data.transforms.erase import statistics_of


@dataclass(frozen=True)
class Leace(Disentangler):
    """Erases, in closed form, what linear classifiers can tell speakers by.

    Attributes:
        of: what is erased from: "statistics", each band's mean and log-deviation over time, where
            there are 2 `mels` directions; or single "frames", where there are `mels`.
        directions: erased at most, those along which speakers differ most; 0 for all, which are one
            less than there are speakers. With fewer than all the theorem holds along those alone.
        shrinkage: of the covariance towards a multiple of the identity; 0 is the paper's, which
            changes the speech behind the door least, 1 erases straight along the differences.
        quadratic: make covariances of frames alike as well as means, so that quadratic classifiers
            of frames have less to tell speakers by: as far as a speaker's covariance, which is
            shrunk, can be told. That needs to know who speaks, also of speech that meets the set;
            it is moved to the mean over speakers of their covariances, where the paper takes their
            barycentre. Then `directions` must be 0, and `shrinkage` and `tolerance` mean nothing.
        tolerance: differences between speakers that are smaller than so much of the largest are
            taken for rounding.
    """

    of: Literal["statistics", "frames"] = "statistics"
    directions: Whole = 0
    shrinkage: Share = 0.1
    tolerance: Positive = 1e-8
    quadratic: bool = False
    name: ClassVar[str] = "leace"

    @property
    def knows_speakers(self) -> bool:
        return self.quadratic

    @property
    def note(self) -> str:
        if self.quadratic:  # brings everybody to one point, also those whom it has not met
            return super().note
        return (
            f"{super().note}; all speakers that its transform was fitted to are at one point "
            f"after it, which travels with the set and so tells whoever has some of their speech "
            f"whose it was"
        )

    def fit(
        self,
        curator: Curator,
        seed: int = 0,  # noqa: ARG002 - nothing is drawn
        progress: Progress = SILENT,  # noqa: ARG002 - it is done at once
    ) -> Transform:
        self.require_speakers(curator.count_speakers())
        if self.quadratic:
            return self._matched(curator)
        mean, covariance = self._moments(curator)

        def said(features: Tensor, _: Tensor) -> Tensor:
            return self._points(features).mean(dim=1)

        # Not the mean of the speech: with speakers who are unknown that is beside those who are.
        middle = curator.mean_of_speakers(said, lambda means: means, purpose="mean of speakers")
        scatter = curator.mean_of_speakers(
            said, lambda means: _outer(means - middle), purpose="scatter between speakers"
        )
        matrix = _projection(covariance, scatter, self.directions, self.shrinkage, self.tolerance)
        erase = EraseStatistics if self.of == "statistics" else EraseFrames
        return erase(mean.float().cpu(), matrix.float().cpu())

    def _matched(self, curator: Curator) -> Transform:
        """The transform that makes covariances alike."""
        if self.of != "frames":
            raise UserError(
                f"{self.name} makes covariances alike of frames only: set of to frames, or "
                f"quadratic to false"
            )
        if self.directions:
            raise UserError(
                f"{self.name} makes covariances alike in all directions: set directions to 0, or "
                f"quadratic to false"
            )
        mean = curator.mean_of_speakers(
            lambda features, _: features.double().mean(dim=2),
            lambda means: means,
            purpose="mean of the speech",
        )

        def moments(features: Tensor, _: Tensor) -> Tensor:
            points = self._points(features)
            return torch.cat([points.mean(dim=1)[:, None], _scatter(points)], dim=1)

        covariance = curator.mean_of_speakers(
            moments,
            lambda found: found[:, 1:] - _outer(found[:, 0]),
            purpose="covariance of a speaker's speech",
        )
        return MatchSpeakers(mean.float().cpu(), covariance.float().cpu())

    def _moments(self, curator: Curator) -> tuple[Tensor, Tensor]:
        """Mean and covariance of the points, in two questions: less is lost to rounding."""
        mean = curator.mean(
            lambda features, _: self._points(features).mean(dim=1),
            purpose="mean of the speech",
            per_class=False,
        )
        covariance = curator.mean(
            lambda features, _: _scatter(self._points(features) - mean),
            purpose="covariance of the speech",
            per_class=False,
        )
        return mean, covariance

    def _points(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n point dim"]:
        """What is erased from: an utterance's statistics, or its frames."""
        features = features.double()
        if self.of == "statistics":
            return statistics_of(features)[:, None]
        return features.mT


def _scatter(points: Float[Tensor, "n point dim"]) -> Float[Tensor, "n dim dim"]:
    return points.mT @ points / points.shape[1]


def _outer(rows: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim dim"]:
    return rows[:, :, None] * rows[:, None, :]


def _projection(
    covariance: Float[Tensor, "dim dim"],
    scatter: Float[Tensor, "dim dim"],
    directions: int,
    shrinkage: float,
    tolerance: float,
) -> Float[Tensor, "dim dim"]:
    """W^+ P W: the oblique projection onto the scatter's range that changes the data least."""
    size = len(covariance)
    even = covariance.trace() / size * torch.eye(size).to(covariance)
    values, axes = torch.linalg.eigh((1 - shrinkage) * covariance + shrinkage * even)
    spread = values.clamp_min(tolerance * values[-1]).sqrt()  # no direction is left out
    whiten, colour = axes / spread @ axes.T, axes * spread @ axes.T
    sizes, differences = torch.linalg.eigh(whiten @ scatter @ whiten)
    kept = differences[:, sizes > tolerance * sizes[-1]]
    if directions:
        kept = kept[:, -directions:]
    if kept.shape[1] == size:
        raise UserError(
            f"speakers differ in all {size} directions that there are, so erasing them would leave "
            f"nothing: set directions to fewer than {size}, or erase from statistics, which have "
            f"more"
        )
    return colour @ (kept @ kept.T) @ whiten
