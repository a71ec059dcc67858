"""What every layer of a pre-trained speech encoder hears.

Encoders are those that sets can be distilled in (`synth_data.representations.encoder`). Utterances
go through one by one: padding them to the longest of a batch would change what is heard, as
normalisation over time and attention reach into it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from evaluation.systems.opened import Opened
from synth_data.errors import UserError
from synth_data.progress import SILENT, Progress
from synth_data.representations import encoder
from synth_data.representations.encoder import CLASSES, Family
from synth_data.representations.encoder_folder import open_encoder
from synth_data.utterance import Utterance


@dataclass(frozen=True, eq=False)
class SpeechEncoder(Opened):
    """A HuBERT, wav2vec 2.0 or WavLM."""

    recipe: encoder.SpeechEncoder

    def waveform(self, utterance: Utterance) -> Float[Tensor, " sample"]:
        """The speech as the encoder takes it."""
        return self.recipe.heard(utterance.audio.waveform(self.recipe.sample_rate))

    @torch.no_grad()
    def states(self, utterance: Utterance) -> Float[Tensor, "state frame dim"]:
        """What the first layer is given, and what every layer makes of it.

        Raises:
            AudioError: it is not finite.
        """
        return self.listen(utterance, {"input_values": self.waveform(utterance)[None]})

    def pooled(
        self, utterances: Sequence[Utterance], progress: Progress = SILENT
    ) -> Float[Tensor, "n state dim"]:
        """The mean over time of every state."""
        heard = progress(utterances, unit="utterance")
        return torch.stack([self.states(utterance).mean(dim=1) for utterance in heard])


def open_speech(where: str) -> SpeechEncoder:
    """The speech encoder in a folder, or of a name on the Hugging Face hub.

    Raises:
        UserError: `transformers` is not installed, there is no such encoder, its weights are not
            all there, or it is none of speech.
    """
    folder = open_encoder(where)
    found = str(folder.config.get("model_type"))
    if found not in CLASSES:
        raise UserError(
            f"{folder.path} is no speech encoder, its config.json says model_type '{found}': "
            f"give one of {', '.join(CLASSES)}; an encoder of text goes with --text-teacher"
        )
    recipe = encoder.opened(cast(Family, found), where, {})
    return SpeechEncoder(recipe, recipe.network())
