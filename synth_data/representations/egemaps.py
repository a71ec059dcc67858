"""eGeMAPS: the small acoustic parameter set of affective computing, by openSMILE."""

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from synth_data.errors import AudioError, UserError
from synth_data.representation import (
    FIT_LENGTH,
    MOST_FRAMES,
    Limits,
    OfSpeech,
    fit_length,
    long_enough,
)

FUNCTIONALS, DESCRIPTORS = 88, 25
SHORTEST = 0.5  # seconds; functionals of less are hardly defined


@dataclass(frozen=True)
class Egemaps(OfSpeech):
    """The extended Geneva minimalistic acoustic parameter set, eGeMAPSv02.

    Eyben et al. 2016, "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for voice research
    and affective computing": pitch, loudness, spectral balance, formants, voice quality and
    rhythm, as openSMILE's own Python package computes them.

    Attributes:
        kind: of representation.
        sample_rate: in Hz.
        level: "functionals" describe the utterance by 88 numbers in one frame; "descriptors" are
            the 25 low-level ones they are made of, every 10 ms, cut to length as log-mels are.
        frames: of the result.
    """

    kind: Literal["egemaps"] = "egemaps"
    sample_rate: int = 16_000
    level: Literal["functionals", "descriptors"] = "functionals"
    frames: int = 1

    licence: ClassVar[str] = (
        "features by openSMILE, not for commercial use (the audEERING research licence allows "
        "private use, education and research)"
    )
    libraries: ClassVar[tuple[str, ...]] = ("opensmile",)
    slow: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.level == "functionals" and self.frames != 1:
            raise UserError(f"functionals have one frame; found {self.frames}")

    @property
    def shape(self) -> tuple[int, int]:
        return (FUNCTIONALS if self.level == "functionals" else DESCRIPTORS), self.frames

    @property
    def title(self) -> str:
        return f"eGeMAPSv02 {self.level}"

    @property
    def hop(self) -> float | None:
        return None if self.level == "functionals" else 0.010

    def limits(self) -> Limits:
        return {
            "sample_rate": (8_000, self.sample_rate, 384_000),
            "frames": (1, self.frames, MOST_FRAMES),
        }

    def require_here(self) -> None:
        if find_spec("opensmile") is None:
            raise UserError(
                "eGeMAPS needs openSMILE, which is not installed: pip install "
                '"distill-data[egemaps]", whose licence is for private use, education and research'
            )

    def snippet(self) -> str:
        descriptors = self.level == "descriptors"
        level = "LowLevelDescriptors" if descriptors else "Functionals"
        fit = "\n" + FIT_LENGTH.format(name="found", frames=self.frames)
        return f"""\
import opensmile
import torch

smile = opensmile.Smile(
    feature_set=opensmile.FeatureSet.eGeMAPSv02,
    feature_level=opensmile.FeatureLevel.{level},
)
found = torch.tensor(smile.process_signal(waveform.numpy(), {self.sample_rate}).to_numpy().T)\
{fit if descriptors else chr(10) + "features = found"}"""

    def __call__(self, waveform: Float[Tensor, " sample"]) -> Float[Tensor, "mel frame"]:
        self.require_here()
        waveform = long_enough(waveform, round(SHORTEST * self.sample_rate))
        values = _smile(self.level).process_signal(waveform.numpy(), self.sample_rate).to_numpy()
        if not np.isfinite(values).all():
            raise AudioError("openSMILE finds no finite eGeMAPS in it")
        found = torch.from_numpy(np.array(values.T, dtype=np.float32, order="C"))
        return fit_length(found, self.frames)


@lru_cache
def _smile(level: str) -> Any:
    import opensmile  # an extra, and its licence is not everybody's

    levels = {
        "functionals": opensmile.FeatureLevel.Functionals,
        "descriptors": opensmile.FeatureLevel.LowLevelDescriptors,
    }
    return opensmile.Smile(feature_set=opensmile.FeatureSet.eGeMAPSv02, feature_level=levels[level])
