"""Utterances as sequences of frames, of different lengths: side by side, or in store.

A network takes `Sequences`, where all are as long as the longest. A corpus like that would be
several times its size, so it is in store as it is, and a batch is made of it when it is asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

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

    def own(self, row: int) -> Float[Tensor, "frame dim"]:
        """The frames of an utterance, in single precision."""
        return self.frames[row, : int(self.lengths[row])].float()

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


@dataclass(frozen=True, eq=False)
class Ragged:
    """One representation of utterances, each at its own length.

    Attributes:
        frames: of all, one utterance after the other, in whatever precision they came.
        lengths: frames of each, at least 1.
    """

    frames: Float[Tensor, "all dim"]
    lengths: Int[Tensor, " n"]

    @classmethod
    def of(cls, frames: Sequence[Float[Tensor, "_ dim"]]) -> "Ragged":
        """From one tensor per utterance."""
        return cls(torch.cat(list(frames)), torch.tensor([len(each) for each in frames]))

    @cached_property
    def ends(self) -> list[int]:
        """Where in `frames` each utterance ends."""
        return self.lengths.cumsum(0).tolist()

    def own(self, row: int) -> Float[Tensor, "frame dim"]:
        """The frames of an utterance, in single precision."""
        end = self.ends[row]
        return self.frames[end - int(self.lengths[row]) : end].float()


@dataclass(frozen=True, eq=False)
class Fused:
    """Utterances in store, in one representation or several side by side.

    All take the rate of the first: frames of the others are averaged, or repeated, until they are
    as many. What has a single frame, such as a transcript's embedding, stands beside every frame.

    Attributes:
        parts: the representations, at least one.
        which: of the utterances in store, in this order.
    """

    parts: tuple[Ragged, ...]
    which: Int[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.which)

    @property
    def dim(self) -> int:
        """Numbers in a frame."""
        return sum(part.frames.shape[1] for part in self.parts)

    @property
    def lengths(self) -> Int[Tensor, " n"]:
        """Frames of each utterance."""
        return self.parts[0].lengths[self.which]

    def among(self, rows: Int[Tensor, " m"]) -> "Fused":
        """These utterances, still in store."""
        return replace(self, which=self.which[rows])

    def rows(self, rows: Int[Tensor, " m"]) -> Sequences:
        """These utterances, side by side."""
        return Sequences.of([self.own(row) for row in rows.tolist()])

    def own(self, row: int) -> Float[Tensor, "frame dim"]:
        """The frames of an utterance."""
        first, *others = (part.own(int(self.which[row])) for part in self.parts)
        beside = [adaptive_avg_pool1d(other.T, len(first)).T for other in others]
        return torch.cat([first, *beside], dim=1)


def fuse(parts: Sequence[Ragged]) -> Fused:
    """Representations of the same utterances, all of them, as `Fused` brings them together."""
    return Fused(tuple(parts), torch.arange(len(parts[0].lengths)))


def mean_and_deviation(
    heard: Sequences | Fused,
) -> tuple[Float[Tensor, " dim"], Float[Tensor, " dim"]]:
    """Of each number over all frames, summed in double precision, utterance by utterance."""
    count, every = heard.lengths.sum(), range(len(heard))
    mean = sum(heard.own(row).double().sum(dim=0) for row in every) / count
    squares = sum((heard.own(row).double() - mean).square().sum(dim=0) for row in every)
    return mean.float(), (squares / count).sqrt().float()
