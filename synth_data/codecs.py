"""Ways to store items in fewer bytes: smaller numbers, fewer frames, or both.

Plain rules: to decode, nothing is needed but what is stored and the number of frames. Every item
is encoded by itself, so each takes the same number of bytes. Synthetic sets are stored so, and real
items that compete with them.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synth_data.decoder import Decoder, Layout
from synth_data.frame_kinds import FRAMES, Every, Frames
from synth_data.number_kinds import NUMBERS, Float32, Numbers


@dataclass(frozen=True)
class Codec:
    """A way to store features: which frames, and how their numbers.

    >>> codec = codec_of("int8", "means", 4)
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


def codec_of(numbers: str, frames: str = "every", shorter: int = 1) -> Codec:
    """The codec of these names; `shorter` says nothing where every frame is stored.

    >>> codec_of("int8", "means", 4).named()
    {'numbers': 'int8', 'frames': 'means', 'shorter': 4}
    """
    kind = FRAMES[frames]
    return Codec(NUMBERS[numbers](), kind() if kind is Every else kind(shorter=shorter))  # type: ignore[call-arg]
