"""A small time-delay network: mel bands as channels, convolutions over time only."""

from jaxtyping import Float
from torch import Tensor, nn

from evaluation.networks.layers import HalfRate, norm_silu, statistics


class TDNN(nn.Module):
    """Three 1-D convolutions and statistics pooling, after the x-vector network.

    Snyder et al. 2018 (x-vectors), cut down to small corpora: mean pools and the stride of the
    first convolution bring 100 frames a second down to 12.5, which generalises better to unseen
    speakers and costs less; GroupNorm in place of BatchNorm (batch statistics would couple
    utterances) and SiLU in place of ReLU (smooth, as adjoints by finite differences need).

    Args:
        mels: mel bands of the input.
        emotions: number of classes.
        channels: width, a multiple of 8.
    """

    def __init__(self, mels: int, emotions: int, channels: int = 128) -> None:
        super().__init__()
        self.frames = nn.Sequential(
            HalfRate(),
            nn.Conv1d(mels, channels, 5, stride=2, padding=2),
            *norm_silu(channels),
            HalfRate(),
            nn.Conv1d(channels, channels, 3, padding=1),
            *norm_silu(channels),
            nn.Conv1d(channels, channels, 3, padding=2, dilation=2),
            *norm_silu(channels),
        )
        self.head = nn.Linear(2 * channels, emotions)

    def embed(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n embedding"]:
        """The utterance embedding that the head classifies."""
        return statistics(self.frames(features))

    def forward(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n emotion"]:
        """Logits."""
        logits: Tensor = self.head(self.embed(features))
        return logits
