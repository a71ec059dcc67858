"""Kaldi's log filterbank, as much of the literature on speech encoders uses it."""

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from synth_data.pure_torchaudio import kaldi
from synth_data.representation import (
    FIT_LENGTH,
    MOST_FRAMES,
    Limits,
    OfSpeech,
    fit_length,
    long_enough,
)

FULL_SCALE = 32_768.0  # Kaldi reads samples as 16-bit integers


@dataclass(frozen=True)
class KaldiFilterbank(OfSpeech):
    """`torchaudio.compliance.kaldi.fbank` with Kaldi's own defaults, but without dither.

    Frames of 25 ms every 10 ms without padding, each with its offset removed, pre-emphasised by
    0.97 and under Povey's window; triangular mel filters of the power spectrum from 20 Hz; natural
    logarithm. Then normalised and cut to length as log-mels are (`features.FeatureSpec`).

    Attributes:
        kind: of representation.
        sample_rate: in Hz.
        mels: number of filters.
        frames: of the result, 10 ms each.
        normalisation: as in `features.FeatureSpec`.
    """

    kind: Literal["fbank"] = "fbank"
    sample_rate: int = 16_000
    mels: int = 80
    frames: int = 300
    normalisation: Literal["utterance", "training"] = "utterance"

    @property
    def shape(self) -> tuple[int, int]:
        return self.mels, self.frames

    @property
    def title(self) -> str:
        return f"Kaldi filterbank, {self.mels} filters, {self.frames} frames"

    @property
    def hop(self) -> float:
        return 0.010

    def limits(self) -> Limits:
        # With more filters the lowest hold no bin of the 512-point transform, at 16 kHz.
        return {
            "sample_rate": (8_000, self.sample_rate, 384_000),
            "mels": (4, self.mels, 128),
            "frames": (1, self.frames, MOST_FRAMES),
        }

    def snippet(self) -> str:
        normalised = """
fbank = fbank - fbank.mean(dim=1, keepdim=True)
fbank = fbank / fbank.std().clamp_min(1e-3)"""
        return f"""\
import torch
import torchaudio

fbank = torchaudio.compliance.kaldi.fbank(
    waveform[None] * {FULL_SCALE}, sample_frequency={self.sample_rate}, num_mel_bins={self.mels}
).T\
{normalised if self.normalisation == "utterance" else ""}
{FIT_LENGTH.format(name="fbank", frames=self.frames)}"""

    def __call__(self, waveform: Float[Tensor, " sample"]) -> Float[Tensor, "mel frame"]:
        waveform = long_enough(waveform, round(0.025 * self.sample_rate))
        fbank: Tensor = kaldi.fbank(
            waveform[None] * FULL_SCALE,
            sample_frequency=self.sample_rate,
            num_mel_bins=self.mels,
        ).T
        if self.normalisation == "utterance":
            fbank = fbank - fbank.mean(dim=1, keepdim=True)
            fbank = fbank / fbank.std().clamp_min(1e-3)
        return fit_length(fbank, self.frames)
