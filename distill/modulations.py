"""A public map of speech: how strongly it is modulated, at which rates and across which bands.

A log-mel tensor goes through two-dimensional Gabor filters, each of one rate in time (in Hz) and
one scale across mel bands (cycles per eight bands, rising or falling), and the mean size of each
answer in a few regions of the spectrum is taken, as a logarithm. That is the first order of joint
time-frequency scattering (Anden, Lostanlen and Mallat 2019), with the filters of Schaedler, Meyer
and Kollmeier 2012; nothing of it was learned from speech.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from synth_data.errors import UserError
from synth_data.randomness import generator
from synth_data.representation import Representation

RATES = (1.0, 2.0, 4.0, 8.0, 16.0)  # Hz: of phrases, syllables, onsets
SCALES = (0.0, 0.5, 1.0, 2.0)  # cycles per eight mel bands
BANDS = 8
RELATIVE_WIDTH = 0.5  # deviation of a filter, over its rate or scale
NARROWEST = 0.5  # scale whose width the scale 0 has
REACH = 2.5  # deviations up to which a filter is followed
FLOOR = 1e-2
SPREAD = 0.3  # of a logarithm, among utterances
MAP, NOISE = "a map of modulations", "noise that is as smooth as speech"
NOISES = 256  # utterances of noise that say where the middle of the map is


@dataclass(frozen=True)
class Filter:
    """One Gabor filter, where its Fourier transform is not nearly zero.

    Attributes:
        bands: places in the transform across bands.
        frames: places in the transform along time.
        gain: `[band, frame]`, at these places.
    """

    bands: Tensor
    frames: Tensor
    gain: Tensor


@dataclass(frozen=True)
class Modulations:
    """The map, for features of one recipe.

    Attributes:
        spec: whose features it takes.
        regions: of the spectrum, at most one for each band.

    Raises:
        UserError: more regions than bands.
    """

    spec: Representation
    regions: int

    def __post_init__(self) -> None:
        if self.regions > self.spec.mels:
            raise UserError(
                f"regions are parts of the spectrum, which has {self.spec.mels} bands here; found "
                f"{self.regions}: set regions to {self.spec.mels} or fewer"
            )

    @property
    def size(self) -> int:
        """Numbers that an utterance is mapped to."""
        return self.regions * len(_filters(self.spec, self.regions))

    def __call__(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n size"]:
        """Where utterances are: deviations of about 1, and noise around 0."""
        middle = _middle(self.spec, self.regions).to(features.device)
        return (_energies(features, self.spec, self.regions) - middle) / SPREAD


def coloured_noise(
    count: int, spec: Representation, draws: torch.Generator
) -> Float[Tensor, "n mel frame"]:
    """Noise that is as smooth as speech features are, normalised as those are."""
    mels, frames = spec.shape
    white = torch.fft.fft2(torch.randn(count, mels, frames, generator=draws))
    rate = torch.fft.fftfreq(frames, spec.seconds_per_frame(NOISE))[None, :] / 2.0
    scale = torch.fft.fftfreq(mels, 1 / BANDS)[:, None] / 0.5
    noise = torch.fft.ifft2(white / (1 + rate.square() + scale.square())).real
    noise = noise - noise.mean(dim=2, keepdim=True)
    return noise / noise.std(dim=(1, 2), keepdim=True)


def _energies(
    features: Float[Tensor, "n mel frame"], spec: Representation, regions: int
) -> Float[Tensor, "n size"]:
    spectrum = torch.fft.fft2(features)
    whole = spec.mels * spec.frames
    found = []
    for one in _filters(spec, regions):
        part = spectrum[:, one.bands.to(features.device)][:, :, one.frames.to(features.device)]
        shifted = torch.fft.ifftshift(part * one.gain.to(features.device), dim=(1, 2))
        size = torch.fft.ifft2(shifted).abs() * (one.gain.numel() / whole)
        found.append(size.unflatten(1, (regions, -1)).mean(dim=(2, 3)))
    return torch.log(torch.stack(found, dim=2) + FLOOR).flatten(1)


@lru_cache
def _filters(spec: Representation, regions: int) -> list[Filter]:
    return list(_made(spec, regions))


def _made(spec: Representation, regions: int) -> Iterator[Filter]:
    hop = spec.seconds_per_frame(MAP)
    fastest = 0.5 / hop
    for rate in RATES:
        if rate >= fastest:
            continue
        frames, along = _line(spec.frames, 1 / (hop * spec.frames), rate, rate, 1)
        for scale in SCALES:
            for sign in (1, -1) if scale else (1,):
                width = max(scale, NARROWEST)
                bands, across = _line(spec.mels, BANDS / spec.mels, sign * scale, width, regions)
                yield Filter(bands, frames, across[:, None] * along[None, :])


def _line(
    size: int, step: float, centre: float, width: float, multiple: int
) -> tuple[Tensor, Tensor]:
    """So many places along one axis of a transform, a multiple of a number, and the gain there."""
    deviation = RELATIVE_WIDTH * width
    places = min(size, 2 * math.ceil(REACH * deviation / step) + 1)
    places = min(size - size % multiple, -(-places // multiple) * multiple)
    index = torch.arange(places) - places // 2 + round(centre / step)
    gain = torch.exp(-0.5 * ((index * step - centre) / deviation).square())
    return index % size, gain


@lru_cache
def _middle(spec: Representation, regions: int) -> Float[Tensor, " size"]:
    """What noise is mapped to, on average."""
    noise = coloured_noise(NOISES, spec, generator(0, "modulations"))
    return _energies(noise, spec, regions).mean(dim=0)
