"""The network of Mitra et al. 2022: a convolution along time, a GRU, an embedding, outputs.

TC-GRU after Kowtha et al. 2020 ("Detecting emotion primitives from speech and their use in
discerning categorical emotions"). The teacher's GRU and embedding are those that a
re-implementation of Mitra et al. (github.com/Hex4C59/SE_IMR_MTL_KD) reports: two layers of 128
states, one way, and 128 numbers; the convolution's sizes are ours. The published network reads its
embedding from the last frame's state; this one from the mean of all states. Features of sets, which
it hears where it teaches their items, repeat short utterances and cut long ones, so that their last
frame is no end; and one network should serve for both.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import silu

from evaluation.augment import Augment
from evaluation.networks import draw_weights
from evaluation.systems.sequences import Fused, Sequences, mean_and_deviation
from synth_data.settings import Count

SMALLEST_DEVIATION = 1e-3


@dataclass(frozen=True)
class Size:
    """How large a network is.

    Attributes:
        channels: of the convolution.
        width: frames that the convolution sees at once.
        stride: frames from one place of the convolution to the next.
        states: of each layer of the GRU.
        layers: of the GRU.
        embedding: numbers that tell all of an utterance.
        both_ways: a second GRU goes from the end to the start, so that a state knows what follows,
            as those of encoders do.
    """

    channels: Count = 128
    width: Count = 5
    stride: Count = 2
    states: Count = 128
    layers: Count = 2
    embedding: Count = 128
    both_ways: bool = False


TEACHER = Size()
# An eighth of a teacher with a small encoder, and a thousandth of one with a large one. Log-mels
# have a hundred frames a second, and a state knows what follows, as those of encoders do.
STUDENT = Size(channels=64, stride=4, states=64, layers=1, embedding=64, both_ways=True)


class TCGRU(nn.Module):
    """From frames to an embedding of the utterance and outputs.

    Frames are first brought to mean 0 and deviation 1 by statistics of the training frames, which
    are part of the network, so that its weights are all that it takes.

    Args:
        dim: numbers in a frame.
        outputs: columns of the targets.
        size: of the layers.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, dim: int, outputs: int, size: Size = TEACHER) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("deviation", torch.ones(dim))
        padding = size.width // 2
        self.convolution = nn.Conv1d(dim, size.channels, size.width, size.stride, padding)
        self.onwards = nn.GRU(size.channels, size.states, size.layers, batch_first=True)
        self.backwards = None
        if size.both_ways:
            self.backwards = nn.GRU(size.channels, size.states, size.layers, batch_first=True)
        self.embedding = nn.Linear(size.states * (1 + size.both_ways), size.embedding)
        self.outputs = nn.Linear(size.embedding, outputs)

    def forward(
        self, heard: Sequences
    ) -> tuple[Float[Tensor, "n embedding"], Float[Tensor, "n output"]]:
        """(embedding, outputs); an utterance's do not depend on those beside it."""
        return self.read(self.along(heard))

    def augmented(
        self, heard: Sequences, augment: Augment, generator: torch.Generator
    ) -> Sequences:
        """Utterances augmented at mean 0 and deviation 1, which masks and noise are made for."""
        scaled = ((heard.frames - self.mean) / self.deviation).transpose(1, 2)
        frames = augment(scaled, generator).transpose(1, 2)
        return Sequences(frames * self.deviation + self.mean, heard.lengths)

    def along(self, heard: Sequences) -> Sequences:
        """The GRU's states, for every `stride` frames."""
        frames = (heard.frames - self.mean) / self.deviation
        frames = (frames * heard.inside[:, :, None]).transpose(1, 2)
        seen = silu(self.convolution(frames)).transpose(1, 2)
        lengths = (heard.lengths - 1) // self.convolution.stride[0] + 1
        states, _ = self.onwards(seen)
        if self.backwards is not None:
            before, _ = self.backwards(reversed_in_time(seen, lengths))
            states = torch.cat([states, reversed_in_time(before, lengths)], dim=2)
        return Sequences(states, lengths)

    def read(
        self, states: Sequences
    ) -> tuple[Float[Tensor, "n embedding"], Float[Tensor, "n output"]]:
        """What the states say of the whole utterance."""
        kept = states.inside[:, :, None]
        mean = (states.frames * kept).sum(dim=1) / kept.sum(dim=1)
        embedding = silu(self.embedding(mean))
        return embedding, self.outputs(embedding)


def reversed_in_time(
    frames: Float[Tensor, "n frame dim"], lengths: Int[Tensor, " n"]
) -> Float[Tensor, "n frame dim"]:
    """Each utterance from its own end to its start; what is beyond its end means nothing.

    >>> reversed_in_time(torch.tensor([[[1.0], [2.0], [0.0]]]), torch.tensor([2])).flatten()
    tensor([2., 1., 1.])
    """
    time = torch.arange(frames.shape[1])
    source = (lengths[:, None] - 1 - time).clamp_min(0)
    return frames.gather(1, source[:, :, None].expand_as(frames))


def drawn(dim: int, outputs: int, size: Size, generator: torch.Generator) -> TCGRU:
    """A network with random weights from `generator`."""
    with torch.device("meta"):
        network = TCGRU(dim, outputs, size)
    weights = draw_weights(network, generator)
    network.load_state_dict({**weights, "deviation": torch.ones(dim)}, assign=True)
    return network.requires_grad_()


def settle(network: TCGRU, heard: Sequences | Fused) -> None:
    """Sets the statistics that a network brings frames to one scale by."""
    mean, deviation = mean_and_deviation(heard)
    network.mean.copy_(mean)
    network.deviation.copy_(deviation.clamp_min(SMALLEST_DEVIATION))
