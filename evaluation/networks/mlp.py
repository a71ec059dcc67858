"""A perceptron for features that describe an utterance as a whole."""

from jaxtyping import Float
from torch import Tensor, nn

from evaluation.networks.layers import norm_silu


class MLP(nn.Module):
    """Two hidden layers for each frame alike, then the mean over frames.

    Of features with one frame it is the usual head on pooled embeddings (such as SUPERB's, Yang et
    al. 2021), with a second layer. Longer ones it hears as a bag of frames, whose order is lost.

    Args:
        mels: numbers in a frame.
        emotions: number of classes.
        channels: width, a multiple of 8.
    """

    def __init__(self, mels: int, emotions: int, channels: int = 128) -> None:
        super().__init__()
        self.frames = nn.Sequential(
            nn.Conv1d(mels, channels, 1),
            *norm_silu(channels),
            nn.Conv1d(channels, channels, 1),
            *norm_silu(channels),
        )
        self.head = nn.Linear(channels, emotions)

    def embed(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n embedding"]:
        """The utterance embedding that the head classifies."""
        embedding: Tensor = self.frames(features).mean(dim=2)
        return embedding

    def forward(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n emotion"]:
        """Logits."""
        logits: Tensor = self.head(self.embed(features))
        return logits
