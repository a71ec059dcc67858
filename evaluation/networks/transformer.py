"""A small transformer over time."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Transformer(nn.Module):
    """Patches of five frames as tokens, two pre-norm layers, the mean over tokens.

    After the audio spectrogram transformer (Gong et al. 2021), cut down to small corpora: a token
    is all mel bands of a few frames, and its position is a sinusoid (Vaswani et al. 2017), so
    that an utterance may have any number of frames.

    Args:
        mels: mel bands of the input.
        emotions: number of classes.
        width: of a token, a multiple of twice `heads`.
        heads: of the attention.
        layers: of attention and perceptron.
    """

    def __init__(
        self, mels: int, emotions: int, width: int = 64, heads: int = 4, layers: int = 2
    ) -> None:
        super().__init__()
        self.patches = nn.Conv1d(mels, width, 5, stride=4, padding=2)
        self.layers = nn.Sequential(
            *(Layer(width, heads) for _ in range(layers)), nn.LayerNorm(width)
        )
        self.head = nn.Linear(width, emotions)

    def embed(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n embedding"]:
        """The utterance embedding that the head classifies."""
        tokens = self.patches(features).transpose(1, 2)  # [n, frame / 4, width]
        embedding: Tensor = self.layers(tokens + positions(tokens)).mean(dim=1)
        return embedding

    def forward(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n emotion"]:
        """Logits."""
        logits: Tensor = self.head(self.embed(features))
        return logits


class Layer(nn.Module):
    """Self-attention, then a perceptron; each reads normalised tokens and adds to them.

    Args:
        width: of a token.
        heads: of the attention, which share the width.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width)
        )

    def forward(self, tokens: Float[Tensor, "n token width"]) -> Float[Tensor, "n token width"]:
        tokens = tokens + self._attention(self.norm(tokens))
        changed: Tensor = tokens + self.perceptron(tokens)
        return changed

    def _attention(self, tokens: Float[Tensor, "n token width"]) -> Float[Tensor, "n token width"]:
        heads = self.project(tokens).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = heads  # each [n, head, token, width / head]
        # Written out: PyTorch's fused attention has no second derivative on a CPU.
        likeness = query @ key.transpose(2, 3) / math.sqrt(query.shape[3])
        heard = torch.softmax(likeness, dim=3) @ value
        mixed: Tensor = self.mix(heard.transpose(1, 2).flatten(2))
        return mixed


def positions(tokens: Float[Tensor, "n token width"]) -> Float[Tensor, "token width"]:
    """Sine and cosine of each token's number, at frequencies from one down to 1e-4."""
    _, count, width = tokens.shape
    number = torch.arange(count, device=tokens.device, dtype=tokens.dtype)
    frequency = 1e-4 ** torch.linspace(0, 1, width // 2, device=tokens.device, dtype=tokens.dtype)
    angle = torch.outer(number, frequency)
    return torch.cat([angle.sin(), angle.cos()], dim=1)
