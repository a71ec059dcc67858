"""CNN-6, one of three networks that published work on emotional speech was distilled with."""

from jaxtyping import Float
from torch import Tensor, nn

from evaluation.networks.layers import SMOOTH, Style


class CNN6(nn.Module):
    """Four 5x5 convolutions, each with a pool, and two fully connected layers.

    Chang et al. 2025 (distillation of speech emotion) name the network; it is built as in the
    same group's published code (Chang et al. 2023), 4.44 M parameters at seven classes, but for
    BatchNorm's momentum and epsilon, which are PyTorch's, and pools that drop no odd last frame.

    Args:
        mels: mel bands of the input; any number.
        emotions: number of classes.
        style: `PUBLISHED` has BatchNorm, ReLU and max pools; `SMOOTH` GroupNorm, SiLU and mean
            pools.
    """

    def __init__(self, mels: int, emotions: int, style: Style = SMOOTH) -> None:  # noqa: ARG002
        super().__init__()
        self.layers = nn.Sequential(
            *style.convolution(1, 64, 5),
            style.halve(),
            *style.convolution(64, 128, 5),
            style.halve(),
            *style.convolution(128, 256, 5),
            style.halve(),
            *style.convolution(256, 512, 5),
            style.halve(),
            *style.summary(512, 256),
        )
        self.head = nn.Linear(256, emotions)

    def embed(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n embedding"]:
        """The utterance embedding that the head classifies."""
        embedding: Tensor = self.layers(features.unsqueeze(1))
        return embedding

    def forward(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n emotion"]:
        """Logits."""
        logits: Tensor = self.head(self.embed(features))
        return logits
