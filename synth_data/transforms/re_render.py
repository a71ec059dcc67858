"""Speech said again by one average voice: what an encoder kept of it, decoded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from synth_data.errors import SetError
from synth_data.transforms.transform import Transform

GROUPS = 8  # that channels are normalised in
SHORTER = 8  # frames for each of the encoder's steps
SMALLEST = 1e-5  # added to a variance
# Kernel, stride, padding and dilation of the encoder's convolutions, after the student `tdnn`.
ENCODER = {"first": (5, 2, 2, 1), "second": (3, 1, 1, 1), "third": (3, 1, 2, 2)}
KERNEL = 5  # of the decoder's two


@dataclass(frozen=True, eq=False)
class ReRender(Transform):
    """Encodes how something is said, leaves out who says it, and decodes with an average voice.

    Three convolutions make a step of every eight frames; of every so many steps (`every`) a code
    is made, of a few numbers between -1 and 1: all that is kept of the speech. Two more
    convolutions make log-mels of the codes and of a voice that is the same for all.

    Attributes:
        weights: of the layers, by name, as PyTorch orders them.
        voice: `[voice]`, the average one.
        every: `[1]`, steps for each code, a whole number.
    """

    weights: Mapping[str, Tensor]
    voice: Tensor
    every: Tensor
    name: ClassVar[str] = "re-render"
    layers: ClassVar[tuple[str, ...]] = (*ENCODER, "code", "spread", "mels")

    def __post_init__(self) -> None:
        wanted = {f"{layer}.{part}" for layer in self.layers for part in ("weight", "bias")}
        if set(self.weights) != wanted:
            raise SetError(
                f"{self.name} needs the tensors {', '.join(sorted(wanted))}; found "
                f"{', '.join(sorted(self.weights)) or 'nothing'}"
            )
        for name, tensor in self.tensors().items():
            if tensor.dtype != torch.float32 or not tensor.isfinite().all():
                raise SetError(f"{self.name} needs finite float32 values; {name} has others")
        if self.every.shape != (1,) or self.every.item() < 1 or self.every.item() % 1:
            raise SetError(f"{self.name} needs a whole number of steps for each code, 1 or more")
        shapes = {layer: tuple(self.weights[f"{layer}.weight"].shape) for layer in self.layers}
        biases = {layer: tuple(self.weights[f"{layer}.bias"].shape) for layer in self.layers}
        if not _fit(shapes, biases, tuple(self.voice.shape)):
            raise SetError(f"{self.name} has layers that do not fit each other: {shapes}")

    def __call__(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel frame"]:
        mels, frames = self.weights["first.weight"].shape[1], features.shape[2]
        if features.shape[1] != mels:
            raise SetError(
                f"{self.name} was fitted on {mels} mel bands; found features with "
                f"{features.shape[1]}: compute them with the set's own feature recipe"
            )
        if frames < SHORTER:
            raise SetError(f"{self.name} needs {SHORTER} frames or more; found {frames}")
        weights = {name: weight.to(features) for name, weight in self.weights.items()}
        voice, every = self.voice.to(features), int(self.every)
        rendered = [
            decode(weights, encode(weights, some, every), voice.expand(len(some), -1), frames)
            for some in features.split(256)  # what is in between takes several times the memory
        ]
        return torch.cat(rendered)

    def inverse(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel frame"]:
        """As it is: that can be seen and heard, and what it was made of is gone."""
        return features

    def tensors(self) -> dict[str, Tensor]:
        return {**self.weights, "voice": self.voice, "every": self.every}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> "ReRender":
        if not {"voice", "every"} <= set(tensors):
            raise SetError(
                f"{cls.name} needs the tensors every and voice; found "
                f"{', '.join(sorted(tensors)) or 'nothing'}"
            )
        own = {k: v for k, v in tensors.items() if k not in ("voice", "every")}
        return cls(own, tensors["voice"], tensors["every"])

    @classmethod
    def snippet(cls, prefix: str) -> str:
        return f"""\
F = torch.nn.functional

def layer(name, heard, stride=1, padding={KERNEL // 2}, dilation=1):
    weight, bias = (tensors[f"{prefix}{{name}}.{{part}}"] for part in ("weight", "bias"))
    return F.conv1d(heard, weight, bias, stride, padding, dilation)

def normal(heard):
    return F.silu(F.group_norm(heard, {GROUPS}))

heard = normal(layer("first", F.avg_pool1d(features[None], 2), stride=2))
heard = normal(layer("second", F.avg_pool1d(heard, 2), padding=1))
heard = normal(layer("third", heard, padding=2, dilation=2))
every = min(int(tensors["{prefix}every"]), heard.shape[2])
mean, square = (F.avg_pool1d(x, every, ceil_mode=True) for x in (heard, heard.square()))
deviation = ((square - mean.square()).clamp_min(0) + {SMALLEST}).sqrt()
codes = layer("code", torch.cat([mean, deviation], dim=1), padding=0).tanh()
codes = F.interpolate(codes, heard.shape[2], mode="linear")
voices = tensors["{prefix}voice"][None, :, None].expand(1, -1, heard.shape[2])
heard = F.silu(layer("spread", torch.cat([codes, voices], dim=1)))
features = F.interpolate(layer("mels", heard), features.shape[1], mode="linear")[0]"""


def encode(
    weights: Mapping[str, Tensor], features: Float[Tensor, "n mel frame"], every: int
) -> Float[Tensor, "n code time"]:
    """The codes of speech, in (-1, 1), one for every so many steps of eight frames."""
    heard = _normal(_layer(weights, "first", means_of(features, 2)))
    heard = _normal(_layer(weights, "second", means_of(heard, 2)))
    heard = _normal(_layer(weights, "third", heard))
    every = min(every, heard.shape[2])
    mean, square = (
        means_of(each, every)
        if heard.shape[2] % every == 0
        # The last window is shorter, and its mean over what there is.
        else functional.avg_pool1d(each, every, ceil_mode=True)
        for each in (heard, heard.square())
    )
    deviation = ((square - mean.square()).clamp_min(0) + SMALLEST).sqrt()
    return _layer(weights, "code", torch.cat([mean, deviation], dim=1)).tanh()


def means_of(frames: Float[Tensor, "n channel frame"], width: int) -> Float[Tensor, "n channel m"]:
    """The mean of each so many frames; what is over is left out.

    The same as `avg_pool1d`, which is several times slower on a CPU.
    """
    count = frames.shape[2] // width
    whole = frames[..., : count * width]
    return whole.reshape(*frames.shape[:2], count, width).mean(dim=3)


def decode(
    weights: Mapping[str, Tensor],
    codes: Float[Tensor, "n code time"],
    voices: Float[Tensor, "n voice"],
    frames: int,
) -> Float[Tensor, "n mel frame"]:
    """Speech of these codes, by these voices."""
    steps = max(1, frames // SHORTER)
    spread = functional.interpolate(codes, steps, mode="linear")
    heard = torch.cat([spread, voices[:, :, None].expand(-1, -1, steps)], dim=1)
    heard = functional.silu(_layer(weights, "spread", heard))
    return functional.interpolate(_layer(weights, "mels", heard), frames, mode="linear")


def _layer(weights: Mapping[str, Tensor], name: str, heard: Tensor) -> Tensor:
    _, stride, padding, dilation = ENCODER.get(name, (0, 1, KERNEL // 2, 1))
    if name == "code":
        padding = 0
    weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    return functional.conv1d(heard, weight, bias, stride, padding, dilation)


def _normal(heard: Tensor) -> Tensor:
    return functional.silu(functional.group_norm(heard, GROUPS))


def _fit(
    shapes: Mapping[str, tuple[int, ...]],
    biases: Mapping[str, tuple[int, ...]],
    voice: tuple[int, ...],
) -> bool:
    if len(voice) != 1 or any(len(shape) != 3 for shape in shapes.values()):
        return False
    width, mels, _ = shapes["first"]
    codes, inner = shapes["code"][0], shapes["spread"][0]
    wanted = {
        "first": (width, mels, ENCODER["first"][0]),
        "second": (width, width, ENCODER["second"][0]),
        "third": (width, width, ENCODER["third"][0]),
        "code": (codes, 2 * width, 1),
        "spread": (inner, codes + voice[0], KERNEL),
        "mels": (mels, inner, KERNEL),
    }
    sizes = width % GROUPS == 0 and all(biases[name] == shapes[name][:1] for name in shapes)
    return sizes and shapes == wanted
