"""Ways to store real items in fewer bytes: smaller numbers, fewer frames, or both.

Plain rules: to decode, nothing is needed but what is stored and the number of frames. Every item
is encoded by itself, so each takes the same number of bytes.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

SHORTER = 4  # frames for every one that is kept
STEPS = 127  # of int8, to either side of the offset


class Numbers(ABC):
    """How numbers are stored."""

    @abstractmethod
    def encode(self, features: Float[Tensor, "n mel frame"]) -> dict[str, Tensor]:
        """All that has to be stored, by name; the first axis of each tensor is the item."""

    @abstractmethod
    def decode(self, stored: dict[str, Tensor]) -> Float[Tensor, "n mel frame"]:
        """What was encoded, as float32."""


@dataclass(frozen=True)
class Float32(Numbers):
    """As they are."""

    def encode(self, features: Float[Tensor, "n mel frame"]) -> dict[str, Tensor]:
        return {"values": features}

    def decode(self, stored: dict[str, Tensor]) -> Float[Tensor, "n mel frame"]:
        return stored["values"]


@dataclass(frozen=True)
class Float16(Numbers):
    """In half precision, within 1/2048 of what they were."""

    def encode(self, features: Float[Tensor, "n mel frame"]) -> dict[str, Tensor]:
        return {"values": features.half()}

    def decode(self, stored: dict[str, Tensor]) -> Float[Tensor, "n mel frame"]:
        return stored["values"].float()


@dataclass(frozen=True)
class Int8(Numbers):
    """In equal steps between an item's smallest and largest.

    One scale and one offset per item. On EmoDB the error is 0.7 % of the features' deviation; a
    pair per band would make that 0.5 %, and cost bytes that hold further items.
    """

    def encode(self, features: Float[Tensor, "n mel frame"]) -> dict[str, Tensor]:
        low, high = features.amin(dim=(1, 2)), features.amax(dim=(1, 2))
        # Steps are counted in the offset and the scale as they are stored, after rounding.
        offset = ((low + high) / 2).half()
        farthest = torch.maximum(high - offset, offset - low)
        scale = (farthest / STEPS).half().clamp_min(torch.finfo(torch.float16).smallest_normal)
        steps = (features - offset[:, None, None]) / scale[:, None, None]
        values = steps.round().clamp(-STEPS, STEPS).to(torch.int8)
        return {"values": values, "offset": offset, "scale": scale}

    def decode(self, stored: dict[str, Tensor]) -> Float[Tensor, "n mel frame"]:
        offset, scale = (stored[name].float()[:, None, None] for name in ("offset", "scale"))
        return stored["values"] * scale + offset


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


@dataclass(frozen=True)
class Middle(Frames):
    """The middle quarter, repeated as the feature recipe repeats short utterances."""

    def shorten(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel fewer"]:
        frames = features.shape[2]
        kept = max(1, frames // SHORTER)
        first = (frames - kept) // 2
        return features[:, :, first : first + kept].contiguous()

    def lengthen(
        self, short: Float[Tensor, "n mel fewer"], frames: int
    ) -> Float[Tensor, "n mel frame"]:
        return short.repeat(1, 1, -(-frames // short.shape[2]))[:, :, :frames].contiguous()


@dataclass(frozen=True)
class Means(Frames):
    """Means of each four neighbouring frames, with straight lines between them to decode.

    The time slices of IDC (Kim et al. 2022, "Dataset condensation via efficient synthetic-data
    parameterization"), of real items instead of learned ones. The mean over time is kept, where
    the number of frames is a multiple of four.
    """

    def shorten(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel fewer"]:
        # In ceil mode the last mean is that of the frames left over.
        return functional.avg_pool1d(features, SHORTER, ceil_mode=True)

    def lengthen(
        self, short: Float[Tensor, "n mel fewer"], frames: int
    ) -> Float[Tensor, "n mel frame"]:
        lines = functional.interpolate(short, scale_factor=float(SHORTER), mode="linear")
        return lines[:, :, :frames].contiguous()


@dataclass(frozen=True)
class Codec:
    """A way to store features: which frames, and how their numbers.

    >>> codec = Codec(Int8(), Means())
    >>> size(codec.encode(torch.zeros(2, 64, 300)))  # 4800 numbers, a scale and an offset each
    9608
    """

    numbers: Numbers = Float32()
    frames: Frames = Every()

    def encode(self, features: Float[Tensor, "n mel frame"]) -> dict[str, Tensor]:
        """All that has to be stored, by name; the first axis of each tensor is the item."""
        return self.numbers.encode(self.frames.shorten(features))

    def decode(self, stored: dict[str, Tensor], frames: int) -> Float[Tensor, "n mel frame"]:
        """The stored items as float32, with so many frames."""
        return self.frames.lengthen(self.numbers.decode(stored), frames)


def size(stored: dict[str, Tensor]) -> int:
    """Bytes of the stored numbers."""
    return sum(tensor.nbytes for tensor in stored.values())
