"""Feature recipes: waveform -> log-mel tensor `[mel, frame]`."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from synth_data.pure_torchaudio import MelSpectrogram


@dataclass(frozen=True)
class FeatureSpec:
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

    def digest(self) -> str:
        """Eight bytes, as hexadecimal, that name this recipe in caches and manifests."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    def __call__(self, waveform: Float[Tensor, " sample"]) -> Float[Tensor, "mel frame"]:
        """The features of one utterance, float32."""
        shortest = round(self.window * self.sample_rate)  # reflection needs half a window
        if waveform.shape[0] < shortest:
            waveform = waveform.repeat(-(-shortest // waveform.shape[0]))
        log_mel = torch.log(_mel_spectrogram(self)(waveform) + self.floor)
        if self.normalisation == "utterance":
            log_mel = log_mel - log_mel.mean(dim=1, keepdim=True)
            log_mel = log_mel / log_mel.std().clamp_min(1e-3)
        return _fit_length(log_mel, self.frames)


FEATURES = {
    "logmel64": FeatureSpec(),
    "logmel64-short": FeatureSpec(frames=100),
    "logmel64-training": FeatureSpec(normalisation="training"),
    # What cnn6, resnet9 and vgg15 were published with: 512 samples every 256, and 373 frames,
    # which are all that lie within 95,744 samples. The band edges and the floor are ours.
    "schuller64": FeatureSpec(window=0.032, hop=0.016, frames=373, normalisation="training"),
}


def _fit_length(log_mel: Float[Tensor, "mel any"], frames: int) -> Float[Tensor, "mel frame"]:
    length = log_mel.shape[1]
    if length < frames:
        return log_mel.repeat(1, -(-frames // length))[:, :frames].contiguous()
    first = (length - frames) // 2
    return log_mel[:, first : first + frames].contiguous()


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
