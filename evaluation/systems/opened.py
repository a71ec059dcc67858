"""A pre-trained encoder that is open: what encoders of speech and of text have in common."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from synth_data.errors import AudioError
from synth_data.representations.encoder import SpeechEncoder
from synth_data.representations.loading import states_of
from synth_data.representations.text import TextEncoder
from synth_data.utterance import Utterance


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

    def listen(
        self, utterance: Utterance, heard: Mapping[str, Tensor]
    ) -> Float[Tensor, "state frame dim"]:
        """All states, of one utterance.

        Raises:
            AudioError: they are not finite, which no model could be taught with.
        """
        states = torch.cat(states_of(self.network, heard))
        if not states.isfinite().all():
            raise AudioError(
                f"{utterance.name}: the encoder {self.name} gives no finite features of it: use "
                f"another encoder, or mend what is heard"
            )
        return states
