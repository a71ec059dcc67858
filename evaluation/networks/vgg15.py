"""VGG-15, one of three networks that published work on emotional speech was distilled with."""

from jaxtyping import Float
from torch import Tensor, nn

from evaluation.networks.layers import SMOOTH, Style


class VGG15(nn.Module):
    """Thirteen 3x3 convolutions in five blocks, and two fully connected layers.

    14.85 M parameters at seven classes; see `CNN6` for the source and the two deviations from it.

    Args:
        mels: mel bands of the input; any number.
        emotions: number of classes.
        style: `PUBLISHED` has BatchNorm, ReLU and max pools; `SMOOTH` GroupNorm, SiLU and mean
            pools.
    """

    def __init__(self, mels: int, emotions: int, style: Style = SMOOTH) -> None:  # noqa: ARG002
        super().__init__()
        blocks: list[nn.Module] = []
        inputs = 1
        for channels, convolutions in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
            for _ in range(convolutions):
                blocks += style.convolution(inputs, channels, 3)
                inputs = channels
            blocks.append(style.halve())
        self.layers = nn.Sequential(*blocks, *style.summary(512, 256))
        self.head = nn.Linear(256, emotions)

    def embed(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n embedding"]:
        """The utterance embedding that the head classifies."""
        embedding: Tensor = self.layers(features.unsqueeze(1))
        return embedding

    def forward(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n emotion"]:
        """Logits."""
        logits: Tensor = self.head(self.embed(features))
        return logits
