"""Self-supervised speech encoders, through transformers: HuBERT, wav2vec 2.0, WavLM."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from synth_data import pure_torchaudio  # noqa: F401 - before transformers, which may import it
from synth_data.errors import AudioError, UserError
from synth_data.representation import (
    FIT_LENGTH,
    MOST_FRAMES,
    MOST_NUMBERS,
    Limits,
    OfSpeech,
    fit_length,
    long_enough,
)
from synth_data.representations.encoder_folder import (
    EncoderDigest,
    EncoderName,
    find,
    open_encoder,
)
from synth_data.representations.layers import Weights, in_words, require_weights, weights_of
from synth_data.representations.loading import STATES, load, states_of
from synth_data.settings import Count, changed

Family = Literal["hubert", "wav2vec2", "wavlm"]
CLASSES: Mapping[str, str] = {
    "hubert": "HubertModel",
    "wav2vec2": "Wav2Vec2Model",
    "wavlm": "WavLMModel",
}
Pool = Literal["mean", "statistics", "sequence"]
FRAMES, TOGETHER = 75, 2  # of a sequence, if nothing else is said: three seconds, 25 frames each
LONGEST = 30.0  # seconds that an encoder hears; its memory grows with their square


@dataclass(frozen=True)
class SpeechEncoder(OfSpeech):
    """A frozen encoder's layers, weighted by fixed numbers, over an utterance.

    Baevski et al. 2020 (wav2vec 2.0), Hsu et al. 2021 (HuBERT), Chen et al. 2022 (WavLM). The
    middle 30 seconds are heard at once. Layers are mixed as in SUPERB (Yang et al. 2021), but by
    weights that are given: learning them would be one more question to the real speech.

    Attributes:
        kind: of representation.
        family: of the encoder.
        name: of the encoder, on the hub or that of its folder.
        digest_of_encoder: SHA-256 of its weights and settings; the encoder is known by this.
        width: numbers in a frame of its layers.
        layers: weight of what its first layer is given, and of each layer's output.
        pool: "mean" over the utterance, "statistics" (mean and deviation), or "sequence".
        frames: of a sequence, cut to length as log-mels are; else 1.
        together: frames of the encoder in each frame of a sequence, which is their mean.
        scaled: whether waveforms are brought to mean 0 and deviation 1 first, as it was trained.
        stride: samples from one frame of the encoder to the next.
        receptive: samples that one frame needs.
        sample_rate: in Hz.
    """

    family: Family
    name: EncoderName
    digest_of_encoder: EncoderDigest
    width: int
    layers: Weights
    scaled: bool
    stride: int
    receptive: int
    kind: Literal["speech encoder"] = "speech encoder"
    pool: Pool = "mean"
    frames: int = 1
    together: int = 1
    sample_rate: int = 16_000

    libraries: ClassVar[tuple[str, ...]] = ("transformers",)
    slow: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_weights(self.layers)
        if self.pool != "sequence" and (self.frames, self.together) != (1, 1):
            raise UserError(
                f"frames and together are of a sequence, and {self.pool} has one frame: give "
                f"pool=sequence, or leave them out"
            )

    @property
    def shape(self) -> tuple[int, int]:
        return self.width * (2 if self.pool == "statistics" else 1), self.frames

    @property
    def title(self) -> str:
        return f"{self.family} {self.name}, {in_words(self.layers)}, {self.pool}"

    @property
    def hop(self) -> float | None:
        if self.pool != "sequence":
            return None
        return self.together * self.stride / self.sample_rate

    def limits(self) -> Limits:
        return {
            "sample_rate": (1_000, self.sample_rate, 384_000),
            "width": (1, self.width, MOST_NUMBERS // 2),
            "frames": (1, self.frames, MOST_FRAMES),
            "together": (1, self.together, MOST_FRAMES),
            "stride": (1, self.stride, self.sample_rate),
            "receptive": (1, self.receptive, LONGEST * self.sample_rate),
        }

    @property
    def needs(self) -> str:
        return self.name

    def require_here(self) -> None:
        find(self.name, self.digest_of_encoder)

    def network(self) -> nn.Module:
        """The encoder itself, of `transformers`, without gradients.

        Raises:
            UserError: it is not here, or not all of it.
        """
        return _loaded(find(self.name, self.digest_of_encoder), self.family)

    def heard(self, waveform: Float[Tensor, " any"]) -> Float[Tensor, " sample"]:
        """What the encoder takes: the middle of what is long, repeated if short, and scaled."""
        waveform = middle(long_enough(waveform, self.receptive), self.sample_rate)
        if self.scaled:
            deviation = torch.sqrt(waveform.var(correction=0) + 1e-7)
            waveform = (waveform - waveform.mean()) / deviation
        return waveform

    def __call__(self, waveform: Float[Tensor, " sample"]) -> Float[Tensor, "mel frame"]:
        encoder, weights = self.network(), torch.tensor(self.layers)
        with torch.inference_mode():
            found = states_of(encoder, {"input_values": self.heard(waveform)[None]})
            frames = torch.einsum("l,lfd->df", weights, torch.cat(found))
        if not frames.isfinite().all():
            raise AudioError(f"the encoder {self.name} gives no finite features of it")
        return self._pooled(frames.clone())

    def _pooled(self, frames: Float[Tensor, "width any"]) -> Float[Tensor, "mel frame"]:
        if self.pool == "sequence":
            means = nn.functional.avg_pool1d(frames, self.together, ceil_mode=True)
            return fit_length(means, self.frames)
        mean = frames.mean(dim=1, keepdim=True)
        if self.pool == "mean":
            return mean
        deviation = frames.std(dim=1, correction=0, keepdim=True)
        return torch.cat([mean, deviation])

    def snippet(self) -> str:
        scaled = """
deviation = torch.sqrt(waveform.var(correction=0) + 1e-7)
waveform = (waveform - waveform.mean()) / deviation"""
        pooled = {
            "mean": "features = frames.mean(dim=1, keepdim=True)",
            "statistics": "features = torch.cat([frames.mean(dim=1, keepdim=True), "
            "frames.std(dim=1, correction=0, keepdim=True)])",
            "sequence": f"frames = torch.nn.functional.avg_pool1d(frames, {self.together}, "
            f"ceil_mode=True)\n{FIT_LENGTH.format(name='frames', frames=self.frames)}",
        }[self.pool]
        longest = round(LONGEST * self.sample_rate)
        return f"""\
import torch
from transformers import {CLASSES[self.family]}

# The encoder {self.name}, whose digest is in the manifest.
kind = {CLASSES[self.family]}
encoder = kind.from_pretrained(ENCODER, use_safetensors=True, dtype=torch.float32).eval()
first = max(0, (len(waveform) - {longest}) // 2)
waveform = waveform[first : first + {longest}]{scaled if self.scaled else ""}
with torch.no_grad():
    found = encoder(waveform[None], output_hidden_states=True)
layers = torch.cat({STATES})
frames = torch.einsum("l,lfd->df", torch.tensor({list(self.layers)}), layers)
{pooled}"""


def middle(waveform: Float[Tensor, " any"], sample_rate: int) -> Float[Tensor, " sample"]:
    """What is heard of an utterance: all of it, unless it is longer than `LONGEST`."""
    longest = round(LONGEST * sample_rate)
    first = max(0, (waveform.shape[0] - longest) // 2)
    return waveform[first : first + longest]


@dataclass(frozen=True)
class Options:
    """What can be said of a speech encoder beside where it is.

    Attributes:
        layer: or layers, as `layers.weights_of` reads them.
        pool: as in `SpeechEncoder`.
        frames: of a sequence; `FRAMES` if absent.
        together: of a sequence; `TOGETHER` if absent.
    """

    layer: str = "all"
    pool: Pool = "mean"
    frames: Count | None = None
    together: Count | None = None


def opened(family: Family, where: str, given: Mapping[str, str]) -> SpeechEncoder:
    """The representation by an encoder in a folder or on the hub.

    Args:
        family: that it should be of.
        where: a folder, or a name on the Hugging Face hub.
        given: some of `Options`.

    Raises:
        UserError: the folder is none of this family or does not say how waveforms are heard, or an
            option is unknown or out of range.
    """
    options = changed(family, Options(), given)
    folder = open_encoder(where)
    folder.require_family(family, CLASSES)
    heard = folder.hearing()
    strides, kernels = folder.numbers("conv_stride"), folder.numbers("conv_kernel")
    receptive = 1
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=False):
        receptive = (receptive - 1) * stride + kernel
    usual = (FRAMES, TOGETHER) if options.pool == "sequence" else (1, 1)
    return SpeechEncoder(
        family=family,
        name=folder.name,
        digest_of_encoder=folder.digest,
        width=folder.number("hidden_size"),
        layers=weights_of(options.layer, folder.number("num_hidden_layers"), folder.name),
        scaled=heard.get("do_normalize", True) is True,
        stride=math.prod(strides),
        receptive=receptive,
        pool=options.pool,
        frames=options.frames or usual[0],
        together=options.together or usual[1],
        sample_rate=heard.get("sampling_rate", 16_000),
    )


@lru_cache(maxsize=2)
def _loaded(folder: Path, family: Family) -> nn.Module:
    """The encoder in a folder that is known to be the right one."""
    import transformers  # an extra, and slow to import

    return load(folder, getattr(transformers, CLASSES[family]))
