"""Augmentation of log-mels that keeps the emotion in speech.

Masks of bands and of frames (SpecAugment, Park et al. 2019), shifts along time, and noise. Never a
reversal of time and no stretching or shifting of the mel axis: pitch and its contour carry emotion.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from synth_data.settings import NotNegative, Share, Whole


@dataclass(frozen=True)
class Augment:
    """How strongly to augment normalised features.

    Off by default: within the generic recipe's 600 steps, masks of up to 4 bands and 20 frames
    cost the TDNN four points of validation UAR on RAVDESS (full data, three folds).

    Attributes:
        bands: largest width of each of two mel masks, in bands. What is masked becomes zero, the
            mean of a normalised utterance.
        frames: largest width of each of two time masks, as a share of all frames.
        shift: largest shift along time, to either side, as a share of all frames; what leaves at
            one end comes in at the other, as the feature recipe repeats short utterances.
        noise: standard deviation of normal noise; features have about unit variance.
    """

    bands: Whole = 0
    frames: Share = 0.0
    shift: Share = 0.0
    noise: NotNegative = 0.0

    def __call__(
        self,
        features: Float[Tensor, "n mel frame"],
        generator: torch.Generator,
        alike: bool = False,
    ) -> Float[Tensor, "n mel frame"]:
        """Augments each item afresh, or all alike (but for noise); differentiable.

        All alike is the siamese augmentation of Zhao and Bilen 2021 ("Dataset condensation with
        differentiable siamese augmentation"), if the other side is given a generator in the same
        state.
        """
        items, mels, frames = features.shape
        draws = 1 if alike else items
        if self.shift:
            farthest = round(self.shift * frames)
            by = torch.randint(-farthest, farthest + 1, (draws, 1), generator=generator)
            source = (torch.arange(frames) - by) % frames
            index = source.to(features.device)[:, None, :].expand(items, mels, frames)
            features = features.gather(2, index)
        if self.bands:
            bands = _kept(draws, mels, self.bands, generator)
            features = features * bands.to(features.device)[:, :, None]
        if self.frames:
            times = _kept(draws, frames, round(self.frames * frames), generator)
            features = features * times.to(features.device)[:, None, :]
        if self.noise:
            noise = torch.randn(features.shape, generator=generator)
            features = features + self.noise * noise.to(features.device)
        return features


def _kept(
    items: int, length: int, widest: int, generator: torch.Generator
) -> Bool[Tensor, "items length"]:
    """Where two masks of random place and width leave an axis alone."""
    kept = torch.ones(items, length, dtype=torch.bool)
    position = torch.arange(length)
    for _ in range(2):
        width = torch.randint(0, widest + 1, (items, 1), generator=generator)
        first = (torch.rand(items, 1, generator=generator) * (length - width)).long()
        kept &= (position < first) | (position >= first + width)
    return kept
