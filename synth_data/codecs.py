"""Ways to store items in fewer bytes: smaller numbers, fewer frames, or both.

Plain rules: to decode, nothing is needed but what is stored and the number of frames. Every item
is encoded by itself, so each takes the same number of bytes. Synthetic sets are stored so, and real
items that compete with them.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from synth_data import cosines
from synth_data.decoder import Decoder, Layout
from synth_data.settings import Count

STEPS = 127  # of int8, to either side of the offset


class Numbers(ABC):
    """How numbers are stored."""

    @abstractmethod
    def encode(self, features: Float[Tensor, "n mel frame"]) -> dict[str, Tensor]:
        """All that has to be stored, by name; the first axis of each tensor is the item."""

    @abstractmethod
    def decode(self, stored: dict[str, Tensor]) -> Float[Tensor, "n mel frame"]:
        """What was encoded, as float32."""

    @abstractmethod
    def snippet(self, prefix: str) -> str:
        """`decode` in plain PyTorch, from `tensors` to `features`.

        Args:
            prefix: of the names in the dictionary `tensors`.
        """


@dataclass(frozen=True)
class Float32(Numbers):
    """As they are."""

    def encode(self, features: Float[Tensor, "n mel frame"]) -> dict[str, Tensor]:
        return {"values": features}

    def decode(self, stored: dict[str, Tensor]) -> Float[Tensor, "n mel frame"]:
        return stored["values"]

    def snippet(self, prefix: str) -> str:
        return f'features = tensors["{prefix}values"]'


@dataclass(frozen=True)
class Float16(Numbers):
    """In half precision, within 1/2048 of what they were."""

    def encode(self, features: Float[Tensor, "n mel frame"]) -> dict[str, Tensor]:
        return {"values": features.half()}

    def decode(self, stored: dict[str, Tensor]) -> Float[Tensor, "n mel frame"]:
        return stored["values"].float()

    def snippet(self, prefix: str) -> str:
        return f'features = tensors["{prefix}values"].float()'


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

    def snippet(self, prefix: str) -> str:
        return (
            f'scale, offset = (tensors["{prefix}" + name].float()[:, None, None] '
            f'for name in ("scale", "offset"))\n'
            f'features = tensors["{prefix}values"] * scale + offset'
        )


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

    def within(
        self, short: Float[Tensor, "n mel fewer"], limit: float, frames: int
    ) -> Float[Tensor, "n mel fewer"]:
        # No one coefficient is at fault: an item that goes too far becomes fainter as a whole.
        farthest = self.lengthen(short, frames).abs().amax(dim=(1, 2), keepdim=True)
        return short * (limit / farthest).clamp_max(1.0)

    def snippet(self, mels: int, frames: int) -> str:
        return self._cross(mels, frames).snippet()

    def _cross(self, mels: int, frames: int) -> cosines.Cross:
        return cosines.cross(mels, frames, mels * -(-frames // self.shorter))


@dataclass(frozen=True)
class Codec:
    """A way to store features: which frames, and how their numbers.

    >>> codec = Codec(Int8(), Means())
    >>> size(codec.encode(torch.zeros(2, 64, 300)))  # 4800 numbers, a scale and an offset each
    9608
    """

    numbers: Numbers = Float32()
    frames: Frames = Every()

    def named(self) -> dict[str, Any]:
        """Its names and numbers, as `codec_of` takes them."""
        numbers = next(name for name, kind in NUMBERS.items() if isinstance(self.numbers, kind))
        frames = next(name for name, kind in FRAMES.items() if isinstance(self.frames, kind))
        return {"numbers": numbers, "frames": frames, "shorter": getattr(self.frames, "shorter", 1)}

    def encode(self, features: Float[Tensor, "n mel frame"]) -> dict[str, Tensor]:
        """All that has to be stored, by name; the first axis of each tensor is the item."""
        return self.numbers.encode(self.frames.shorten(features))

    def decode(self, stored: dict[str, Tensor], frames: int) -> Float[Tensor, "n mel frame"]:
        """The stored items as float32, with so many frames."""
        return self.frames.lengthen(self.numbers.decode(stored), frames)

    def some(self, stored: dict[str, Tensor], rows: Int[Tensor, " some"]) -> dict[str, Tensor]:
        """What is stored of these items alone."""
        return {name: tensor[rows] for name, tensor in stored.items()}

    def layout(self, mels: int, frames: int, emotions: int) -> Layout:  # noqa: ARG002 - any will do
        """What is stored: types and shapes, by name; None stands for the number of items."""
        # What is stored of no item says so.
        none = self.encode(torch.zeros(0, mels, frames))
        return {name: (like.dtype, (None, *like.shape[1:])) for name, like in none.items()}

    def snippet(self, prefix: str, mels: int, frames: int) -> str:
        """`decode` in plain PyTorch, from `tensors` to `features`, for users without this package.

        Args:
            prefix: of the names in the dictionary `tensors`.
            mels: of the features.
            frames: of the features.
        """
        parts = [self.numbers.snippet(prefix), self.frames.snippet(mels, frames)]
        return "\n".join(filter(None, parts))


@dataclass(frozen=True, eq=False)
class Packed:
    """Items as they are stored.

    Attributes:
        codec: that encoded them; a decoder, where they are what that makes of codes.
        stored: all that it stored, by name.
    """

    codec: Codec | Decoder
    stored: dict[str, Tensor]

    @classmethod
    def of(cls, codec: Codec, features: Float[Tensor, "n mel frame"]) -> "Packed":
        """These features, encoded."""
        return cls(codec, codec.encode(features))

    def features(self, frames: int) -> Float[Tensor, "n mel frame"]:
        """The items as a student meets them, with so many frames."""
        return self.codec.decode(self.stored, frames)

    def some(self, rows: Int[Tensor, " some"]) -> "Packed":
        """These items alone."""
        return Packed(self.codec, self.codec.some(self.stored, rows))


def size(stored: dict[str, Tensor]) -> int:
    """Bytes of the stored numbers."""
    return sum(tensor.nbytes for tensor in stored.values())


# By the names that they have in manifests.
NUMBERS: dict[str, type[Numbers]] = {"float32": Float32, "float16": Float16, "int8": Int8}
FRAMES: dict[str, type[Frames]] = {
    "every": Every,
    "means": Means,
    "middle": Middle,
    "cosines": Cosines,
}


def codec_of(numbers: str, frames: str = "every", shorter: int = 1) -> Codec:
    """The codec of these names; `shorter` says nothing where every frame is stored.

    >>> codec_of("int8", "means", 4) == Codec(Int8(), Means(4))
    True
    """
    kind = FRAMES[frames]
    return Codec(NUMBERS[numbers](), kind() if kind is Every else kind(shorter=shorter))  # type: ignore[call-arg]
