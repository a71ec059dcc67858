"""Normalisation by statistics of the training utterances, asked at the door."""

import torch
from torch import Tensor

from synth_data.curator import Curator
from synth_data.transforms import Standardise


def normalised(curator: Curator) -> Curator:
    """The door onto normalised speech, where the feature recipe leaves that to the training set.

    One that was normalised before is returned as it is.

    Each mel band's mean and deviation come from its first two moments, means over utterances
    (Welford's update would need the utterances one by one).
    """
    if curator.spec.normalisation != "training" or curator.transforms:
        return curator

    def moments(features: Tensor, _: Tensor) -> Tensor:
        return torch.stack([features.mean(dim=2), features.square().mean(dim=2)], dim=1)

    mean, square = curator.mean(moments, purpose="normalisation", per_class=False)
    return curator.map(Standardise(mean, (square - mean.square()).clamp_min(0).sqrt()))
