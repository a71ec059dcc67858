"""A small convolutional recurrent network."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from evaluation.networks.layers import HalfRate, norm_silu, statistics


class CRNN(nn.Module):
    """Two 1-D convolutions, a bidirectional GRU and statistics pooling.

    After the convolutional recurrent networks of speech emotion recognition (Trigeorgis et al.
    2016; Zhao et al. 2019), cut down to small corpora: the convolutions bring 100 frames a second
    down to 12.5, so that the GRU has few steps to take. It is built of cells, since PyTorch's
    fused GRU has no second derivative on a GPU and keeps references to weights it was lent.

    Args:
        mels: mel bands of the input.
        emotions: number of classes.
        channels: width, a multiple of 8.
    """

    def __init__(self, mels: int, emotions: int, channels: int = 64) -> None:
        super().__init__()
        self.frames = nn.Sequential(
            HalfRate(),
            nn.Conv1d(mels, channels, 5, stride=2, padding=2),
            *norm_silu(channels),
            HalfRate(),
            nn.Conv1d(channels, channels, 3, padding=1),
            *norm_silu(channels),
        )
        self.from_start = nn.GRUCell(channels, channels)
        self.from_end = nn.GRUCell(channels, channels)
        self.head = nn.Linear(4 * channels, emotions)

    def embed(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n embedding"]:
        """The utterance embedding that the head classifies."""
        frames = self.frames(features).permute(2, 0, 1)  # [frame / 8, n, channel]
        onwards = _states(self.from_start, frames)
        backwards = _states(self.from_end, frames.flip(0)).flip(0)
        return statistics(torch.cat([onwards, backwards], dim=2).permute(1, 2, 0))

    def forward(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n emotion"]:
        """Logits."""
        logits: Tensor = self.head(self.embed(features))
        return logits


def _states(
    cell: nn.GRUCell, frames: Float[Tensor, "frame n channel"]
) -> Float[Tensor, "frame n channel"]:
    """The state after each frame, from one of zeros."""
    state = torch.zeros_like(frames[0])
    states = []
    for frame in frames:
        state = cell(frame, state)
        states.append(state)
    return torch.stack(states)
