"""Fitted feature transforms: frozen values that travel with a set, so test speech meets the same.

A set's features are already transformed. Speech that is to meet a model trained on them goes
through the feature recipe first and then through the set's transforms, in order.
"""

from collections.abc import Mapping, Sequence

from jaxtyping import Float
from torch import Tensor

from synth_data.errors import SetError
from synth_data.transforms.erase import EraseFrames, EraseStatistics
from synth_data.transforms.match_speakers import MatchSpeakers
from synth_data.transforms.re_render import ReRender
from synth_data.transforms.speaker_normalise import SpeakerNormalise
from synth_data.transforms.standardise import SMALLEST_DEVIATION, Standardise
from synth_data.transforms.transform import Transform

__all__ = [
    "SMALLEST_DEVIATION",
    "TRANSFORMS",
    "EraseFrames",
    "EraseStatistics",
    "MatchSpeakers",
    "ReRender",
    "SpeakerNormalise",
    "Standardise",
    "Transform",
    "hear",
    "stack",
    "unstack",
]

TRANSFORMS: dict[str, type[Transform]] = {
    Standardise.name: Standardise,
    EraseFrames.name: EraseFrames,
    EraseStatistics.name: EraseStatistics,
    ReRender.name: ReRender,
    SpeakerNormalise.name: SpeakerNormalise,
    MatchSpeakers.name: MatchSpeakers,
}


def hear(
    transforms: Sequence[Transform], features: Float[Tensor, "n mel frame"], speakers: Sequence[str]
) -> Float[Tensor, "n mel frame"]:
    """Features after all these transforms in order, where it is known who speaks."""
    for transform in transforms:
        features = transform.on(features, speakers)
    return features


def stack(transforms: tuple[Transform, ...]) -> dict[str, Tensor]:
    """The values of all transforms under one roof: `transform.0.mean`, ...

    >>> import torch
    >>> sorted(stack((Standardise(torch.zeros(2), torch.ones(2)),)))
    ['transform.0.deviation', 'transform.0.mean']
    """
    return {
        f"transform.{i}.{name}": tensor
        for i, transform in enumerate(transforms)
        for name, tensor in transform.tensors().items()
    }


def unstack(names: tuple[str, ...], tensors: Mapping[str, Tensor]) -> tuple[Transform, ...]:
    """The transforms of these names, in order: the inverse of `stack`.

    Raises:
        SetError: a name is not in `TRANSFORMS`, or its tensors do not fit it.
    """
    transforms = []
    for i, name in enumerate(names):
        if name not in TRANSFORMS:
            raise SetError(
                f"unknown transform '{name}' (known: {', '.join(TRANSFORMS)}); "
                f"the set was written by a newer distill-data: update the package"
            )
        prefix = f"transform.{i}."
        own = {
            key.removeprefix(prefix): value
            for key, value in tensors.items()
            if key.startswith(prefix)
        }
        transforms.append(TRANSFORMS[name].of(own))
    return tuple(transforms)
