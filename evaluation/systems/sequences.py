"""Utterances as sequences of frames, of different lengths, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d
from torch.nn.utils.rnn import pad_sequence


@dataclass(frozen=True, eq=False)
class Sequences:
    """What a network hears, utterance by utterance.

    Attributes:
        frames: zero beyond an utterance's end.
        lengths: frames of each utterance, at least 1.
    """

    frames: Float[Tensor, "n frame dim"]
    lengths: Int[Tensor, " n"]

    def __len__(self) -> int:
        return self.frames.shape[0]

    @property
    def dim(self) -> int:
        """Numbers in a frame."""
        return self.frames.shape[2]

    @property
    def inside(self) -> Bool[Tensor, "n frame"]:
        """Which frames are an utterance's own."""
        return inside(self.lengths, self.frames.shape[1])

    def rows(self, rows: Int[Tensor, " m"]) -> "Sequences":
        """These utterances, cut to the longest of them."""
        lengths = self.lengths[rows]
        return Sequences(self.frames[rows, : int(lengths.max())].float(), lengths)

    @classmethod
    def of(cls, frames: Sequence[Float[Tensor, "_ dim"]]) -> "Sequences":
        """From one tensor per utterance."""
        lengths = torch.tensor([len(each) for each in frames])
        return cls(pad_sequence(list(frames), batch_first=True), lengths)

    @classmethod
    def of_features(cls, features: Float[Tensor, "n dim frame"]) -> "Sequences":
        """From features of a common length, such as log-mels."""
        n, _, frames = features.shape
        return cls(features.transpose(1, 2).contiguous(), torch.full((n,), frames))


def inside(lengths: Int[Tensor, " n"], frames: int) -> Bool[Tensor, "n frame"]:
    """Which of so many frames lie before an utterance's end."""
    return torch.arange(frames) < lengths[:, None]


def fuse(parts: Sequence[Sequences]) -> Sequences:
    """Several representations of the same utterances, one frame beside the other.

    All take the rate of the first: frames of the others are averaged, or repeated, until they are
    as many. What has a single frame, such as a transcript's embedding, stands beside every frame.
    """
    first, *others = parts
    if not others:
        return first
    rows = []
    for row, length in enumerate(first.lengths.tolist()):
        beside = [first.frames[row, :length].float()]
        for other in others:
            own = other.frames[row, : int(other.lengths[row])].float()
            beside.append(adaptive_avg_pool1d(own.T, length).T)
        rows.append(torch.cat(beside, dim=1))
    return Sequences.of(rows)
