"""Each speaker's frames at one mean and nearly one covariance over mel bands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from synth_data.transforms.erase import check_bands, check_square, named
from synth_data.transforms.transform import Transform

SHRINKAGE = 0.1  # of a speaker's covariance towards a multiple of the identity


@dataclass(frozen=True, eq=False)
class MatchSpeakers(Transform):
    """Moves a speaker's frames to a common mean and covariance, as little as that takes.

    With a speaker's mean m and covariance S over all frames that are heard of the speaker, x
    becomes mean + A (x - m), where A = S^-1/2 (S^1/2 covariance S^1/2)^1/2 S^-1/2 is the optimal
    transport between the two Gaussians. S is shrunk, since a speaker may have few frames, so what
    is left of S differs a little between speakers. It needs to know which utterances are of one
    speaker, as `SpeakerNormalise` does; one whose speaker is not known is taken for all there is.

    Attributes:
        mean: `[mel]`, that all are moved to.
        matrix: `[mel, mel]`, the covariance that all are moved to.
    """

    mean: Tensor
    matrix: Tensor
    name: ClassVar[str] = "match-speakers"

    def __post_init__(self) -> None:
        check_square(self.name, self.mean, self.matrix)

    def __call__(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel frame"]:
        check_bands(self.name, len(self.mean), features)
        return torch.cat([self._moved(one) for one in features.split(1)])

    def on(
        self, features: Float[Tensor, "n mel frame"], speakers: Sequence[str]
    ) -> Float[Tensor, "n mel frame"]:
        check_bands(self.name, len(self.mean), features)
        found = torch.empty_like(features)
        rows_of: dict[str, list[int]] = {}
        for row, speaker in enumerate(speakers):
            rows_of.setdefault(speaker, []).append(row)
        for rows in rows_of.values():
            found[rows] = self._moved(features[rows])
        return found

    def _moved(self, own: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel frame"]:
        """The utterances of one speaker."""
        if own.device.type == "meta":  # where only shapes are asked for
            return own.clone()
        frames = own.double().transpose(0, 1).flatten(1)
        mean = frames.mean(dim=1)
        covariance = (frames - mean[:, None]) @ (frames - mean[:, None]).T / frames.shape[1]
        even = covariance.trace() / len(mean) * torch.eye(len(mean)).to(frames)
        spread = _root((1 - SHRINKAGE) * covariance + SHRINKAGE * even)
        back = torch.linalg.pinv(spread, hermitian=True)
        move = back @ _root(spread @ self.matrix.to(frames) @ spread) @ back
        moved = move @ (own.double() - mean[:, None]) + self.mean.to(frames)[:, None]
        return moved.to(own)

    def inverse(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel frame"]:
        """As they are: whose they were is not known any more."""
        return features

    def tensors(self) -> dict[str, Tensor]:
        return {"mean": self.mean, "matrix": self.matrix}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> "MatchSpeakers":
        return cls(*named(cls.name, tensors))

    @classmethod
    def snippet(cls, prefix: str) -> str:
        return f"""\
def root(matrix):
    values, axes = torch.linalg.eigh(matrix)
    return axes * values.clamp_min(0).sqrt() @ axes.T

# Of the speaker's utterances, as many as there are, side by side; here of this one.
speaker = features.double()
centre = speaker.mean(dim=1, keepdim=True)
covariance = (speaker - centre) @ (speaker - centre).T / speaker.shape[1]
even = covariance.trace() / len(centre) * torch.eye(len(centre)).double()
spread = root({1 - SHRINKAGE} * covariance + {SHRINKAGE} * even)
back = torch.linalg.pinv(spread, hermitian=True)
move = back @ root(spread @ tensors["{prefix}matrix"].double() @ spread) @ back
features = move @ (features.double() - centre) + tensors["{prefix}mean"][:, None]
features = features.float()"""


def _root(matrix: Float[Tensor, "mel mel"]) -> Float[Tensor, "mel mel"]:
    """The symmetric square root."""
    values, axes = torch.linalg.eigh(matrix)
    return axes * values.clamp_min(0).sqrt() @ axes.T
