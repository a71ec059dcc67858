"""What of an item is stored: every frame, the middle, means of frames, or cosines."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from synth_data import cosines
from synth_data.settings import Count

SURELY = 0.99  # of a limit, as single precision sees it: what stays below this is within


class Frames(ABC):
    """Which frames are stored."""

    @abstractmethod
    def shorten(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel fewer"]:
        """What is stored of the features."""

    @abstractmethod
    def lengthen(
        self, short: Float[Tensor, "n mel fewer"], frames: int
    ) -> Float[Tensor, "n mel frame"]:
        """Features of so many frames again."""

    def lengthen_roughly(
        self, short: Float[Tensor, "n mel fewer"], frames: int
    ) -> Float[Tensor, "n mel frame"]:
        """As `lengthen`, to five digits or so and perhaps faster: for items on their way."""
        return self.lengthen(short, frames)

    @abstractmethod
    def within(
        self, short: Float[Tensor, "n mel fewer"], limit: float, frames: int
    ) -> Float[Tensor, "n mel fewer"]:
        """The nearest, or about that, whose features stay within plus and minus the limit.

        Args:
            short: what is stored.
            limit: of features.
            frames: of the features.
        """

    @abstractmethod
    def snippet(self, mels: int, frames: int) -> str:
        """`lengthen` in plain PyTorch, from `features` to `features`; empty where nothing is done.

        Args:
            mels: of the features.
            frames: of the features.
        """


@dataclass(frozen=True)
class Every(Frames):
    """All of them."""

    def shorten(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel fewer"]:
        return features

    def lengthen(
        self,
        short: Float[Tensor, "n mel fewer"],
        frames: int,  # noqa: ARG002 - it has them
    ) -> Float[Tensor, "n mel frame"]:
        return short

    def within(
        self,
        short: Float[Tensor, "n mel fewer"],
        limit: float,
        frames: int,  # noqa: ARG002 - it has them
    ) -> Float[Tensor, "n mel fewer"]:
        return short.clamp(-limit, limit)

    def snippet(self, mels: int, frames: int) -> str:  # noqa: ARG002 - nothing is done
        return ""


@dataclass(frozen=True)
class Middle(Frames):
    """The middle, repeated as the feature recipe repeats short utterances.

    Attributes:
        shorter: frames for every one that is kept.
    """

    shorter: Count = 4

    def shorten(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel fewer"]:
        frames = features.shape[2]
        kept = max(1, frames // self.shorter)
        first = (frames - kept) // 2
        return features[:, :, first : first + kept].contiguous()

    def lengthen(
        self, short: Float[Tensor, "n mel fewer"], frames: int
    ) -> Float[Tensor, "n mel frame"]:
        return short.repeat(1, 1, -(-frames // short.shape[2]))[:, :, :frames].contiguous()

    def within(
        self,
        short: Float[Tensor, "n mel fewer"],
        limit: float,
        frames: int,  # noqa: ARG002 - they are repeated
    ) -> Float[Tensor, "n mel fewer"]:
        return short.clamp(-limit, limit)

    def snippet(self, mels: int, frames: int) -> str:  # noqa: ARG002 - each band by itself
        return (
            f"features = features.repeat(1, 1, -(-{frames} // features.shape[2]))"
            f"[:, :, :{frames}].contiguous()"
        )


@dataclass(frozen=True)
class Means(Frames):
    """Means of a few neighbouring frames each, with straight lines between them to decode.

    The time slices of IDC (Kim et al. 2022, "Dataset condensation via efficient synthetic-data
    parameterization"). The mean over time is kept, where the number of frames is a multiple.

    Attributes:
        shorter: frames for every one that is kept.
    """

    shorter: Count = 4

    def shorten(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel fewer"]:
        # In ceil mode the last mean is that of the frames left over.
        return functional.avg_pool1d(features, self.shorter, ceil_mode=True)

    def lengthen(
        self, short: Float[Tensor, "n mel fewer"], frames: int
    ) -> Float[Tensor, "n mel frame"]:
        lines = functional.interpolate(short, scale_factor=float(self.shorter), mode="linear")
        return lines[:, :, :frames].contiguous()

    def within(
        self,
        short: Float[Tensor, "n mel fewer"],
        limit: float,
        frames: int,  # noqa: ARG002 - lines between means stay within them
    ) -> Float[Tensor, "n mel fewer"]:
        return short.clamp(-limit, limit)

    def snippet(self, mels: int, frames: int) -> str:  # noqa: ARG002 - each band by itself
        return (
            f"features = torch.nn.functional.interpolate(\n"
            f'    features, scale_factor={float(self.shorter)}, mode="linear"\n'
            f")[:, :, :{frames}].contiguous()"
        )


@dataclass(frozen=True)
class Cosines(Frames):
    """Cosines of low frequency, over bands and frames; as many numbers as means would be.

    See `synth_data.cosines`. Numbers are in the order of their frequency.

    Attributes:
        shorter: numbers for every one that is kept.
    """

    shorter: Count = 4

    def shorten(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel fewer"]:
        cross = self._cross(*features.shape[1:])
        return cross.analyse(features).unflatten(1, (cross.mels, -1))

    def lengthen(
        self, short: Float[Tensor, "n mel fewer"], frames: int
    ) -> Float[Tensor, "n mel frame"]:
        return self._cross(short.shape[1], frames).synthesise(short.flatten(1))

    def lengthen_roughly(
        self, short: Float[Tensor, "n mel fewer"], frames: int
    ) -> Float[Tensor, "n mel frame"]:
        return self._cross(short.shape[1], frames).synthesise(short.flatten(1), torch.float32)

    def within(
        self, short: Float[Tensor, "n mel fewer"], limit: float, frames: int
    ) -> Float[Tensor, "n mel fewer"]:
        # Hardly ever is an item near the limit, and single precision sees which are not.
        largest = self.lengthen_roughly(short, frames).abs().amax(dim=(1, 2))
        near = (largest > SURELY * limit).nonzero().flatten()
        if not len(near):
            return short
        # No one coefficient is at fault: an item that goes too far becomes fainter as a whole.
        exactly = self.lengthen(short[near], frames).abs().amax(dim=(1, 2), keepdim=True)
        return short.index_copy(0, near, short[near] * (limit / exactly).clamp_max(1.0))

    def snippet(self, mels: int, frames: int) -> str:
        return self._cross(mels, frames).snippet()

    def _cross(self, mels: int, frames: int) -> cosines.Cross:
        return cosines.cross(mels, frames, mels * -(-frames // self.shorter))


# By the names that they have in manifests.
FRAMES: dict[str, type[Frames]] = {
    "every": Every,
    "means": Means,
    "middle": Middle,
    "cosines": Cosines,
}
