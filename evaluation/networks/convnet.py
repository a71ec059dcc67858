"""A small 2-D convolutional network over time and frequency."""

from jaxtyping import Float
from torch import Tensor, nn

from evaluation.networks.layers import norm_silu, statistics


class ConvNet(nn.Module):
    """Three 3x3 blocks after the ConvNet-3 of the distillation literature.

    Zhao et al. 2021 (dataset condensation) use 128 channels at full resolution, InstanceNorm
    and ReLU. Here a 5x5 stem of stride 2 makes everything after it four times cheaper, the norm
    is GroupNorm, the activation SiLU, and time is pooled to mean and deviation, so that an
    utterance may have any number of frames.

    Args:
        mels: mel bands of the input, a multiple of 8.
        emotions: number of classes.
        channels: of the stem, a multiple of 8; each block doubles them.
    """

    def __init__(self, mels: int, emotions: int, channels: int = 8) -> None:
        super().__init__()
        self.patches = nn.Sequential(
            nn.Conv2d(1, channels, 5, stride=2, padding=2),
            *norm_silu(channels),
            nn.AvgPool2d(2),
            nn.Conv2d(channels, 2 * channels, 3, padding=1),
            *norm_silu(2 * channels),
            nn.AvgPool2d(2),
            nn.Conv2d(2 * channels, 4 * channels, 3, padding=1),
            *norm_silu(4 * channels),
        )
        self.head = nn.Linear(2 * 4 * channels * (mels // 8), emotions)

    def embed(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n embedding"]:
        """The utterance embedding that the head classifies."""
        maps = self.patches(features.unsqueeze(1))  # [n, channel, mel / 8, frame / 8]
        return statistics(maps.flatten(1, 2))

    def forward(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n emotion"]:
        """Logits."""
        logits: Tensor = self.head(self.embed(features))
        return logits
