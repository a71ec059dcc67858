"""Speech said again by one average voice: what an encoder heard of its emotion, decoded."""

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
KERNEL = 5  # of the decoder's two convolutions
# Kernel, stride, padding and dilation of each layer; the first three after the student `tdnn`.
LAYERS = {
    "first": (5, 2, 2, 1),
    "second": (3, 1, 1, 1),
    "third": (3, 1, 2, 2),
    "emotion": (1, 1, 0, 1),
    "content": (1, 1, 0, 1),
    "spread": (KERNEL, 1, KERNEL // 2, 1),
    "mels": (KERNEL, 1, KERNEL // 2, 1),
}
CONTENT = "content"  # the one layer that may be missing


@dataclass(frozen=True, eq=False)
class ReRender(Transform):
    """Hears how something is said, leaves out who says it, and says that in an average voice.

    Three convolutions make a step of every eight frames. Of their statistics come the
    probabilities of the emotions, of each step (where there is a layer for it) a few numbers
    between -1 and 1 for what is said: all that is kept of the speech. Two more convolutions make
    log-mels of these and of a voice that is the same for all.

    Attributes:
        weights: of the layers, by name, as PyTorch orders them.
        voice: `[voice]`, the average one.
        sharpness: `[1]`, above 0, that the emotions' logits are multiplied by: the larger, the less
            is told of an utterance beside its likeliest emotion.
    """

    weights: Mapping[str, Tensor]
    voice: Tensor
    sharpness: Tensor
    name: ClassVar[str] = "re-render"

    def __post_init__(self) -> None:
        own = {name.split(".")[0] for name in self.weights}
        layers = [layer for layer in LAYERS if layer != CONTENT or CONTENT in own]
        wanted = {f"{layer}.{part}" for layer in layers for part in ("weight", "bias")}
        if set(self.weights) != wanted:
            raise SetError(
                f"{self.name} needs the tensors {', '.join(sorted(wanted))}; found "
                f"{', '.join(sorted(self.weights)) or 'nothing'}"
            )
        for name, tensor in self.tensors().items():
            if tensor.dtype != torch.float32 or not tensor.isfinite().all():
                raise SetError(f"{self.name} needs finite float32 values; {name} has others")
        if self.sharpness.shape != (1,) or self.sharpness.item() <= 0:
            raise SetError(f"{self.name} needs one sharpness above 0; found {self.sharpness}")
        shapes = {layer: tuple(self.weights[f"{layer}.weight"].shape) for layer in layers}
        biases = {layer: tuple(self.weights[f"{layer}.bias"].shape) for layer in layers}
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
        voice, sharpness = self.voice.to(features), float(self.sharpness)

        def again(some: Tensor) -> Tensor:
            logits, content = encode(weights, some)
            emotion = (sharpness * logits).softmax(dim=1)
            return decode(weights, emotion, content, voice.expand(len(some), -1), frames)

        # What is in between takes several times the memory.
        return torch.cat([again(some) for some in features.split(256)])

    def sureness(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, " n"]:
        """How likely the encoder finds the emotion that it hears, as a log-probability."""
        weights = {name: weight.to(features) for name, weight in self.weights.items()}
        logits = torch.cat([encode(weights, some)[0] for some in features.split(256)])
        return logits.log_softmax(dim=1).amax(dim=1)

    def inverse(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel frame"]:
        """As it is: that can be seen and heard, and what it was made of is gone."""
        return features

    def tensors(self) -> dict[str, Tensor]:
        return {**self.weights, "voice": self.voice, "sharpness": self.sharpness}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> "ReRender":
        if not {"voice", "sharpness"} <= set(tensors):
            raise SetError(
                f"{cls.name} needs the tensors sharpness and voice; found "
                f"{', '.join(sorted(tensors)) or 'nothing'}"
            )
        own = {k: v for k, v in tensors.items() if k not in ("voice", "sharpness")}
        return cls(own, tensors["voice"], tensors["sharpness"])

    @classmethod
    def snippet(cls, prefix: str) -> str:
        return f"""\
F = torch.nn.functional

def layer(name, heard, stride=1, padding=0, dilation=1):
    weight, bias = (tensors[f"{prefix}{{name}}.{{part}}"] for part in ("weight", "bias"))
    return F.conv1d(heard, weight, bias, stride, padding, dilation)

def normal(heard):
    return F.silu(F.group_norm(heard, {GROUPS}))

heard = normal(layer("first", F.avg_pool1d(features[None], 2), stride=2, padding=2))
heard = normal(layer("second", F.avg_pool1d(heard, 2), padding=1))
heard = normal(layer("third", heard, padding=2, dilation=2))
mean, variance = heard.mean(dim=2, keepdim=True), heard.var(dim=2, keepdim=True, correction=0)
logits = layer("emotion", torch.cat([mean, (variance + {SMALLEST}).sqrt()], dim=1))
emotion = (tensors["{prefix}sharpness"] * logits).softmax(dim=1)
said = [emotion.expand(-1, -1, heard.shape[2])]
if "{prefix}{CONTENT}.weight" in tensors:
    said.append(layer("{CONTENT}", heard).tanh())
said.append(tensors["{prefix}voice"][None, :, None].expand(1, -1, heard.shape[2]))
heard = F.silu(layer("spread", torch.cat(said, dim=1), padding={KERNEL // 2}))
heard = layer("mels", heard, padding={KERNEL // 2})
features = F.interpolate(heard, features.shape[1], mode="linear")[0]"""


def encode(
    weights: Mapping[str, Tensor], features: Float[Tensor, "n mel frame"]
) -> tuple[Float[Tensor, "n emotion"], Float[Tensor, "n content step"]]:
    """What is kept of speech: logits of its emotion, and content in (-1, 1), which may be none."""
    heard = _normal(_layer(weights, "first", means_of(features, 2)))
    heard = _normal(_layer(weights, "second", means_of(heard, 2)))
    heard = _normal(_layer(weights, "third", heard))
    logits = _layer(weights, "emotion", mean_and_deviation(heard)[:, :, None])[:, :, 0]
    if f"{CONTENT}.weight" in weights:
        return logits, _layer(weights, CONTENT, heard).tanh()
    return logits, heard[:, :0]


def mean_and_deviation(over: Float[Tensor, "n channel step"]) -> Float[Tensor, "n statistic"]:
    """Over time; the deviation's slope stays finite where nothing varies."""
    deviation = (over.var(dim=2, correction=0) + SMALLEST).sqrt()
    return torch.cat([over.mean(dim=2), deviation], dim=1)


def means_of(frames: Float[Tensor, "n channel frame"], width: int) -> Float[Tensor, "n channel m"]:
    """The mean of each so many frames; what is over is left out.

    The same as `avg_pool1d`, which is several times slower on a CPU.
    """
    count = frames.shape[2] // width
    whole = frames[..., : count * width]
    return whole.reshape(*frames.shape[:2], count, width).mean(dim=3)


def decode(
    weights: Mapping[str, Tensor],
    emotion: Float[Tensor, "n emotion"],
    content: Float[Tensor, "n content step"],
    voices: Float[Tensor, "n voice"],
    frames: int,
) -> Float[Tensor, "n mel frame"]:
    """Speech of this emotion (probabilities) and content, by these voices."""
    whole = torch.cat([emotion, voices], dim=1)[:, :, None].expand(-1, -1, content.shape[2])
    emotions = emotion.shape[1]
    said = torch.cat([whole[:, :emotions], content, whole[:, emotions:]], dim=1)
    heard = functional.silu(_layer(weights, "spread", said))
    return functional.interpolate(_layer(weights, "mels", heard), frames, mode="linear")


def _layer(weights: Mapping[str, Tensor], name: str, heard: Tensor) -> Tensor:
    _, stride, padding, dilation = LAYERS[name]
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
    emotions, inner = shapes["emotion"][0], shapes["spread"][0]
    content = shapes[CONTENT][0] if CONTENT in shapes else 0
    wanted = sizes_of(mels, width, emotions, content, voice[0], inner)
    fits = all(biases[name] == shape[:1] for name, shape in shapes.items())
    return fits and width % GROUPS == 0 and shapes == {name: wanted[name] for name in shapes}


def sizes_of(
    mels: int, width: int, emotions: int, content: int, voice: int, inner: int
) -> dict[str, tuple[int, int, int]]:
    """The shape of each layer's weight."""
    channels = {
        "first": (width, mels),
        "second": (width, width),
        "third": (width, width),
        "emotion": (emotions, 2 * width),
        "spread": (inner, emotions + content + voice),
        "mels": (mels, inner),
    }
    if content:
        channels[CONTENT] = (content, width)
    return {name: (*channels[name], LAYERS[name][0]) for name in channels}
