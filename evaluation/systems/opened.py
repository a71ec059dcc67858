"""A pre-trained encoder that is open: what encoders of speech and of text have in common."""

from dataclasses import dataclass

from torch import nn

from synth_data.representations.encoder import SpeechEncoder
from synth_data.representations.text import TextEncoder


@dataclass(frozen=True, eq=False)
class Opened:
    """An encoder with its weights.

    Attributes:
        recipe: what it takes of an utterance, and which it is.
        network: of `transformers`, without gradients.
    """

    recipe: SpeechEncoder | TextEncoder
    network: nn.Module

    @property
    def name(self) -> str:
        """Of its folder, or on the hub."""
        return self.recipe.name

    @property
    def digest(self) -> str:
        """Of its weights, settings and, of text, its tokenizer; hexadecimal."""
        return self.recipe.digest_of_encoder

    @property
    def layers(self) -> int:
        """Its transformer layers; it has one state more, which the first of them is given."""
        return len(self.recipe.layers) - 1
