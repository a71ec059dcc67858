"""Feature recipes: waveform -> log-mel tensor `[mel, frame]`."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from synth_data.pure_torchaudio import MelSpectrogram
from synth_data.representation import (
    FIT_LENGTH,
    MOST_FRAMES,
    Limits,
    OfSpeech,
    fit_length,
    long_enough,
)


@dataclass(frozen=True)
class FeatureSpec(OfSpeech):
    """A log-mel recipe, complete: the same waveform and spec give the same tensor anywhere.

    Power spectrogram (Hann window, centred, reflection-padded), HTK mel filters of unit peak,
    natural logarithm with a floor. Then the utterance is normalised, and the middle `frames`
    frames are kept; a shorter one is repeated until it is long enough, so that no artificial
    silence tells its length.

    Attributes:
        sample_rate: in Hz.
        window: in seconds.
        hop: in seconds.
        mels: number of mel bands.
        f_min: lower edge of the lowest band, in Hz; `f_max` the upper edge of the highest.
        floor: added to the power before the logarithm (full scale is 1).
        frames: of the result.
        normalisation: "utterance" subtracts each mel band's mean over the utterance, and with it
            much of the channel and of the speaker, then divides by the standard deviation over
            all bands and frames at once;
            "training" leaves that to statistics of the training utterances, asked at the door and
            stored with the set (`transforms.Standardise`).
    """

    sample_rate: int = 16_000
    window: float = 0.025
    hop: float = 0.010
    mels: int = 64
    f_min: float = 50.0
    f_max: float = 8_000.0
    floor: float = 1e-6
    frames: int = 300
    normalisation: Literal["utterance", "training"] = "utterance"

    @property
    def shape(self) -> tuple[int, int]:
        """(mel, frame) of one utterance."""
        return self.mels, self.frames

    @property
    def title(self) -> str:
        return f"log-mel, {self.mels} bands, {self.frames} frames"

    def limits(self) -> Limits:
        sample = 1 / max(self.sample_rate, 1)  # in seconds
        return {
            "sample_rate": (1_000, self.sample_rate, 384_000),
            "window": (2 * sample, self.window, 1.0),
            "hop": (sample, self.hop, 1.0),
            "mels": (1, self.mels, 4_096),
            "f_min": (0.0, self.f_min, self.f_max),
            "f_max": (self.f_min, self.f_max, self.sample_rate / 2),
            "floor": (1e-30, self.floor, 1.0),
            "frames": (1, self.frames, MOST_FRAMES),
        }

    def snippet(self) -> str:
        window, hop = round(self.window * self.sample_rate), round(self.hop * self.sample_rate)
        normalised = """
log_mel = log_mel - log_mel.mean(dim=1, keepdim=True)
log_mel = log_mel / log_mel.std().clamp_min(1e-3)"""
        return f"""\
import torch
import torchaudio

mel = torchaudio.transforms.MelSpectrogram(
    sample_rate={self.sample_rate}, n_fft={window}, win_length={window}, hop_length={hop},
    f_min={self.f_min}, f_max={self.f_max}, n_mels={self.mels},
)
log_mel = torch.log(mel(waveform) + {self.floor})\
{normalised if self.normalisation == "utterance" else ""}
{FIT_LENGTH.format(name="log_mel", frames=self.frames)}"""

    def __call__(self, waveform: Float[Tensor, " sample"]) -> Float[Tensor, "mel frame"]:
        """The features of one utterance, float32."""
        shortest = round(self.window * self.sample_rate)  # reflection needs half a window
        waveform = long_enough(waveform, shortest)
        log_mel = torch.log(_mel_spectrogram(self)(waveform) + self.floor)
        if self.normalisation == "utterance":
            log_mel = log_mel - log_mel.mean(dim=1, keepdim=True)
            log_mel = log_mel / log_mel.std().clamp_min(1e-3)
        return fit_length(log_mel, self.frames)


FEATURES = {
    "logmel64": FeatureSpec(),
    "logmel64-short": FeatureSpec(frames=100),
    "logmel64-training": FeatureSpec(normalisation="training"),
    # What cnn6, resnet9 and vgg15 were published with: 512 samples every 256, and 373 frames,
    # which are all that lie within 95,744 samples. The band edges and the floor are ours.
    "schuller64": FeatureSpec(window=0.032, hop=0.016, frames=373, normalisation="training"),
}


@lru_cache
def _mel_spectrogram(spec: FeatureSpec) -> MelSpectrogram:
    window = round(spec.window * spec.sample_rate)
    return MelSpectrogram(
        sample_rate=spec.sample_rate,
        n_fft=window,
        win_length=window,
        hop_length=round(spec.hop * spec.sample_rate),
        f_min=spec.f_min,
        f_max=spec.f_max,
        n_mels=spec.mels,
    )
