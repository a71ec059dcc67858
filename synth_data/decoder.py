"""Items as what a small network makes of a few stored numbers each: a decoder and codes.

    item = limit tanh(x / limit),    x = network(code, emotion)

The network is a linear layer to few frames, then convolutions along time, each at twice the frames
of the one before (straight lines between them), up to one frame for every four; straight lines
again lead to all. Distilled sets of this kind are those of Lee et al. 2022 ("Dataset condensation
with latent space knowledge factorization and sharing"); theirs are images, and several decoders.

Everything that decodes is stored with the set and counts as its bytes: weights, codes, and the
emotion that each code is of.
"""

import math
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from synth_data.errors import SetError
from synth_data.settings import Positive

DOUBLINGS = 3  # convolutions, each at twice the frames of the one before
SHORTER = 4  # frames for each that the last one makes
WEIGHTS = "decoder."  # begins the names of the network's tensors
MOST_EMOTIONS = 256  # that an index of one byte can tell apart
MOST_NUMBERS, WIDEST = 4_096, 1_024  # of a code, and channels
KINDS = {"float32": torch.float32, "float16": torch.float16}

Weights = dict[str, Tensor]
# Types and shapes of stored tensors, by name; None stands for the number of items.
Layout = dict[str, tuple[torch.dtype, tuple[int | None, ...]]]


@dataclass(frozen=True)
class Decoder:
    """A way to store items, in the place of a `Codec`.

    Attributes:
        code: numbers for each item.
        width: channels of the network.
        numbers: that codes and weights are stored in.
        limit: items stay within plus and minus so many standard deviations of features.
    """

    code: Annotated[int, Field(ge=1, le=MOST_NUMBERS)] = 32
    width: Annotated[int, Field(ge=1, le=WIDEST)] = 32
    numbers: Literal["float32", "float16"] = "float16"
    limit: Positive = 8.0

    def named(self) -> dict[str, Any]:
        """Its numbers, as manifests have them."""
        return asdict(self)

    def shapes(self, mels: int, frames: int, emotions: int) -> dict[str, tuple[int, ...]]:
        """Of the network's weights, by name."""
        first = math.ceil(frames / (SHORTER * 2**DOUBLINGS))
        shapes: dict[str, tuple[int, ...]] = {
            "first.weight": (self.width * first, self.code + emotions),
            "first.bias": (self.width * first,),
        }
        for layer in range(DOUBLINGS):
            shapes[f"{layer}.weight"] = (self.width, self.width, 3)
            shapes[f"{layer}.bias"] = (self.width,)
        return shapes | {"last.weight": (mels, self.width, 3), "last.bias": (mels,)}

    def draw(self, mels: int, frames: int, emotions: int, generator: torch.Generator) -> Weights:
        """Random weights: normal, with as much variance out of a layer as goes in; no biases.

        An activation takes about two thirds of it, for which the layers after one make up (He et
        al. 2015, "Delving deep into rectifiers").
        """
        weights = {}
        for name, shape in self.shapes(mels, frames, emotions).items():
            scale = 0.0
            if name.endswith("weight"):
                inputs = math.prod(shape[1:])
                scale = math.sqrt((1.0 if name.startswith("first") else 2.0) / inputs)
            weights[name] = scale * torch.randn(shape, generator=generator)
        return weights

    def __call__(
        self,
        weights: Weights,
        codes: Float[Tensor, "n code"],
        emotion: Float[Tensor, "n emotion"],
        frames: int,
    ) -> Float[Tensor, "n mel frame"]:
        """The items of these codes, differentiable.

        Args:
            weights: as `draw` names them.
            codes: about one in size.
            emotion: of each item, one-hot.
            frames: of the items.
        """
        rows = torch.cat([codes, emotion], dim=1)
        hidden = functional.linear(rows, weights["first.weight"], weights["first.bias"])
        hidden = hidden.reshape(len(rows), self.width, -1)
        for layer in range(DOUBLINGS):
            hidden = functional.interpolate(
                functional.silu(hidden), scale_factor=2.0, mode="linear"
            )
            hidden = functional.conv1d(
                hidden, weights[f"{layer}.weight"], weights[f"{layer}.bias"], padding=1
            )
        items = functional.conv1d(
            functional.silu(hidden), weights["last.weight"], weights["last.bias"], padding=1
        )
        items = self.limit * torch.tanh(items / self.limit)
        items = functional.interpolate(items, scale_factor=float(SHORTER), mode="linear")
        return items[:, :, :frames].contiguous()

    def encode(
        self, weights: Weights, codes: Float[Tensor, "n code"], classes: Int[Tensor, " n"]
    ) -> Weights:
        """All that has to be stored, by name.

        Args:
            weights: of the network.
            codes: of the items.
            classes: their emotions.

        Raises:
            SetError: there are more emotions than a byte tells apart.
        """
        if (emotions := weights["first.weight"].shape[1] - self.code) > MOST_EMOTIONS:
            raise SetError(
                f"a decoder's classes are stored in a byte each, so there can be {MOST_EMOTIONS} "
                f"emotions; found {emotions}: store items without a decoder"
            )
        kind = KINDS[self.numbers]
        return {
            "codes": codes.to(kind),
            "classes": classes.to(torch.uint8),
            **{WEIGHTS + name: weight.to(kind) for name, weight in weights.items()},
        }

    def decode(self, stored: Weights, frames: int) -> Float[Tensor, "n mel frame"]:
        """The stored items as float32, with so many frames."""
        weights = {
            name.removeprefix(WEIGHTS): tensor.float()
            for name, tensor in stored.items()
            if name.startswith(WEIGHTS)
        }
        emotions = weights["first.weight"].shape[1] - self.code
        emotion = torch.eye(emotions)[stored["classes"].long()]
        return self(weights, stored["codes"].float(), emotion, frames)

    def some(self, stored: Weights, rows: Int[Tensor, " some"]) -> Weights:
        """What is stored of these items alone: their codes, and the same network."""
        return {
            name: tensor if name.startswith(WEIGHTS) else tensor[rows]
            for name, tensor in stored.items()
        }

    def layout(self, mels: int, frames: int, emotions: int) -> Layout:
        """What is stored: types and shapes, by name; None stands for the number of items."""
        kind = KINDS[self.numbers]
        shapes = self.shapes(mels, frames, emotions)
        return {
            "codes": (kind, (None, self.code)),
            "classes": (torch.uint8, (None,)),
            **{WEIGHTS + name: (kind, shape) for name, shape in shapes.items()},
        }

    def require(self, stored: Weights, emotions: int) -> None:
        """Passes stored tensors of the right shapes that can be decoded.

        Raises:
            SetError: an emotion that there is none of.
        """
        classes = stored["classes"]
        if len(classes) and (largest := int(classes.max())) >= emotions:
            raise SetError(
                f"the stored classes are numbers below {emotions}, one for each emotion; found "
                f"{largest}"
            )

    def bytes(self, mels: int, frames: int, emotions: int) -> int:
        """Of the weights as stored."""
        shapes = self.shapes(mels, frames, emotions).values()
        return KINDS[self.numbers].itemsize * sum(map(math.prod, shapes))

    @property
    def item_bytes(self) -> int:
        """Of each item as stored: its code and its class."""
        return KINDS[self.numbers].itemsize * self.code + 1

    def snippet(self, prefix: str, mels: int, frames: int) -> str:  # noqa: ARG002 - weights say
        """`decode` in plain PyTorch, from `tensors` to `features`, for users without this package.

        Args:
            prefix: of the names in the dictionary `tensors`.
            mels: of the features.
            frames: of the features.
        """
        weights = prefix + WEIGHTS
        return f"""\
from torch.nn import functional

stored = {{name: tensor.float() for name, tensor in tensors.items()}}
weights = {{name.removeprefix("{weights}"): stored[name] for name in stored}}
codes, classes = stored["{prefix}codes"], tensors["{prefix}classes"].long()
emotion = torch.eye(weights["first.weight"].shape[1] - {self.code})[classes]
rows = torch.cat([codes, emotion], dim=1)
hidden = functional.linear(rows, weights["first.weight"], weights["first.bias"])
hidden = hidden.reshape(len(rows), {self.width}, -1)
for layer in range({DOUBLINGS}):
    hidden = functional.interpolate(functional.silu(hidden), scale_factor=2.0, mode="linear")
    weight, bias = weights[f"{{layer}}.weight"], weights[f"{{layer}}.bias"]
    hidden = functional.conv1d(hidden, weight, bias, padding=1)
weight, bias = weights["last.weight"], weights["last.bias"]
features = functional.conv1d(functional.silu(hidden), weight, bias, padding=1)
features = {self.limit} * torch.tanh(features / {self.limit})
features = functional.interpolate(features, scale_factor={float(SHORTER)}, mode="linear")
features = features[:, :, :{frames}].contiguous()"""
