"""Each speaker's mel bands at mean 0 and deviation 1, over all that is heard of the speaker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from synth_data.errors import SetError
from synth_data.transforms.standardise import SMALLEST_DEVIATION
from synth_data.transforms.transform import Transform


@dataclass(frozen=True, eq=False)
class SpeakerNormalise(Transform):
    """Subtracts a speaker's mean of each mel band and divides by the speaker's deviation.

    It needs to know which utterances are of one speaker, also of those who test, and uses
    statistics of all their utterances together. One whose speaker is not known (`__call__`) is
    taken for all that there is of its speaker.
    """

    name: ClassVar[str] = "speaker-normalise"

    def __call__(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel frame"]:
        return torch.cat([_normalised(one) for one in features.split(1)])

    def on(
        self, features: Float[Tensor, "n mel frame"], speakers: Sequence[str]
    ) -> Float[Tensor, "n mel frame"]:
        names = {speaker: number for number, speaker in enumerate(dict.fromkeys(speakers))}
        who = torch.tensor([names[speaker] for speaker in speakers], device=features.device)
        found = torch.empty_like(features)
        for number in names.values():
            found[who == number] = _normalised(features[who == number])
        return found

    def inverse(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel frame"]:
        """As they are: whose they were is not known any more."""
        return features

    def tensors(self) -> dict[str, Tensor]:
        return {}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> "SpeakerNormalise":
        if tensors:
            raise SetError(f"{cls.name} has no tensors; found {', '.join(sorted(tensors))}")
        return cls()

    @classmethod
    def snippet(cls, prefix: str) -> str:  # noqa: ARG003 - it has no tensors
        return (
            "# Of the speaker's utterances, as many as there are, side by side; here of this one.\n"
            "speaker = features\n"
            "deviation, mean = torch.std_mean(speaker, dim=1, correction=0, keepdim=True)\n"
            f"features = (features - mean) / deviation.clamp_min({SMALLEST_DEVIATION})"
        )


def _normalised(utterances: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel frame"]:
    """The utterances of one speaker."""
    deviation, mean = torch.std_mean(utterances, dim=(0, 2), correction=0, keepdim=True)
    return (utterances - mean) / deviation.clamp_min(SMALLEST_DEVIATION)
