"""ResNet-9, one of three networks that published work on emotional speech was distilled with."""

from jaxtyping import Float
from torch import Tensor, nn

from evaluation.networks.layers import SMOOTH, Style


class ResNet9(nn.Module):
    """A 7x7 stem, three residual blocks of stride 2, and two fully connected layers.

    4.96 M parameters at seven classes; see `CNN6` for the source. The stem's pool, like every
    layer of stride 2, pads both ends alike, where the source pads the last.

    Args:
        mels: mel bands of the input; any number.
        emotions: number of classes.
        style: `PUBLISHED` has BatchNorm, ReLU and a max pool; `SMOOTH` GroupNorm, SiLU and a mean
            pool.
    """

    def __init__(self, mels: int, emotions: int, style: Style = SMOOTH) -> None:  # noqa: ARG002
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False),
            style.norm(64),
            style.activation(),
            style.pool(3, stride=2, padding=1),
            Residual(64, 128, style),
            Residual(128, 256, style),
            Residual(256, 512, style),
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


class Residual(nn.Module):
    """Two 3x3 convolutions beside a 1x1 one, which has no norm; all halve the map.

    Args:
        inputs: channels.
        outputs: channels.
        style: of norms and activations.
    """

    def __init__(self, inputs: int, outputs: int, style: Style) -> None:
        super().__init__()
        self.change = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
            style.norm(outputs),
            style.activation(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            style.norm(outputs),
        )
        self.skip = nn.Conv2d(inputs, outputs, 1, stride=2, bias=False)
        self.activation = style.activation()

    def forward(
        self, maps: Float[Tensor, "n inputs high wide"]
    ) -> Float[Tensor, "n outputs half_high half_wide"]:
        changed: Tensor = self.activation(self.change(maps) + self.skip(maps))
        return changed
