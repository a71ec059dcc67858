"""What several networks are built of."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

GROUPS = 8


def norm_silu(channels: int) -> tuple[nn.GroupNorm, nn.SiLU]:
    """GroupNorm in eight groups, then SiLU: no running state, smooth."""
    return group_norm(channels), nn.SiLU()


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """BatchNorm that counts no batches.

    The count would be the one weight that is no float32, and a fixed momentum does not need it.
    """
    norm = nn.BatchNorm2d(channels)
    norm.num_batches_tracked = None
    return norm


def group_norm(channels: int) -> nn.GroupNorm:
    """GroupNorm in eight groups."""
    return nn.GroupNorm(GROUPS, channels)


@dataclass(frozen=True)
class Style:
    """What a published 2-D network is made of besides its convolutions.

    Attributes:
        norm: from a number of channels to a layer.
        activation: a layer.
        pool: takes the size of its window.
    """

    norm: Callable[[int], nn.Module]
    activation: type[nn.Module]
    pool: type[nn.MaxPool2d] | type[nn.AvgPool2d]

    def convolution(self, inputs: int, outputs: int, width: int) -> tuple[nn.Module, ...]:
        """A square convolution that keeps the size; then norm and activation."""
        convolution = nn.Conv2d(inputs, outputs, width, padding="same", bias=False)
        return convolution, self.norm(outputs), self.activation()

    def halve(self) -> nn.Module:
        """A 2x2 pool. It keeps what is left over at an edge, so that any size can be halved."""
        return self.pool(2, ceil_mode=True)

    def summary(self, channels: int, embedding: int) -> tuple[nn.Module, ...]:
        """The mean over the map, through a fully connected layer."""
        pool = nn.AdaptiveAvgPool2d(1)
        return pool, nn.Flatten(), nn.Linear(channels, embedding), self.activation()


PUBLISHED = Style(batch_norm, nn.ReLU, nn.MaxPool2d)
# Independent utterances and smooth derivatives, which the maximum has not got either.
SMOOTH = Style(group_norm, nn.SiLU, nn.AvgPool2d)


class HalfRate(nn.Module):
    """The mean of each two neighbouring frames; an odd last one is left out.

    The same as `nn.AvgPool1d(2)`, which is several times slower on a CPU and took a fifth of a
    student's training.
    """

    def forward(self, frames: Float[Tensor, "n channel frame"]) -> Float[Tensor, "n channel half"]:
        even = frames.shape[2] // 2 * 2
        return 0.5 * (frames[..., 0:even:2] + frames[..., 1:even:2])


def statistics(frames: Float[Tensor, "n channel frame"]) -> Float[Tensor, "n 2*channel"]:
    """Mean and standard deviation over time, side by side."""
    mean = frames.mean(dim=2, keepdim=True)
    variance = (frames - mean).square().mean(dim=2)  # twice as fast as `var`
    # the square root has no derivative at zero, which a constant synthetic item would meet
    return torch.cat([mean.squeeze(2), torch.sqrt(variance + 1e-5)], dim=1)
