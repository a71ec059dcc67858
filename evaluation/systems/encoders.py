"""What every layer of a pre-trained speech encoder hears.

Encoders are folders that `transformers` reads, or names on its hub (`encoder_folder`). Utterances
go through one by one: padding them to the longest of a batch would change what is heard, as
normalisation over time and attention reach into it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

import torch
from jaxtyping import Float
from torch import Tensor, nn

from synth_data import pure_torchaudio  # noqa: F401 - must come before transformers
from synth_data.errors import UserError
from synth_data.progress import SILENT, Progress
from synth_data.representations.encoder_folder import load, open_encoder
from synth_data.utterance import Utterance

FAMILIES = {"hubert": "HubertModel", "wav2vec2": "Wav2Vec2Model", "wavlm": "WavLMModel"}
LONGEST = 30.0  # seconds that are heard, of the middle: memory grows with their square


@dataclass(frozen=True, eq=False)
class SpeechEncoder:
    """A HuBERT, wav2vec 2.0 or WavLM.

    Attributes:
        name: of its folder, or on the hub.
        digest: of its weights and settings, hexadecimal.
        network: of `transformers`, without gradients.
        layers: its transformer layers; it has one state more, which the first of them is given.
        sample_rate: in Hz.
        scaled: whether it wants waveforms of mean 0 and deviation 1.
        receptive: samples that one frame needs.
    """

    name: str
    digest: str
    network: nn.Module
    layers: int
    sample_rate: int
    scaled: bool
    receptive: int

    def waveform(self, utterance: Utterance) -> Float[Tensor, " sample"]:
        """The speech as the encoder takes it; an utterance shorter than a frame is repeated."""
        waveform = middle(utterance.audio.waveform(self.sample_rate), self.sample_rate)
        waveform = waveform.repeat(-(-self.receptive // len(waveform)))
        if self.scaled:
            waveform = waveform - waveform.mean()
            waveform = waveform / torch.sqrt(waveform.var(correction=0) + 1e-7)
        return waveform

    @torch.no_grad()
    def states(self, utterance: Utterance) -> Float[Tensor, "state frame dim"]:
        """What the first layer is given, and what every layer makes of it."""
        found = self.network(self.waveform(utterance)[None], output_hidden_states=True)
        return torch.cat(found.hidden_states)

    def pooled(
        self, utterances: Sequence[Utterance], progress: Progress = SILENT
    ) -> Float[Tensor, "n state dim"]:
        """The mean over time of every state."""
        heard = progress(utterances, unit="utterance")
        return torch.stack([self.states(utterance).mean(dim=1) for utterance in heard])


def middle(waveform: Float[Tensor, " any"], sample_rate: int) -> Float[Tensor, " sample"]:
    """What is heard of an utterance: all of it, unless it is longer than `LONGEST`."""
    longest = round(LONGEST * sample_rate)
    first = max(0, (len(waveform) - longest) // 2)
    return waveform[first : first + longest]


def open_speech(where: str) -> SpeechEncoder:
    """The speech encoder in a folder, or of a name on the Hugging Face hub.

    Raises:
        UserError: `transformers` is not installed, there is no such encoder, its weights are not
            all there, or it is none of speech.
    """
    folder = open_encoder(where)
    family = str(folder.config.get("model_type"))
    if family not in FAMILIES:
        raise UserError(
            f"{folder.path} is no speech encoder, its config.json says model_type '{family}': "
            f"give one of {', '.join(FAMILIES)}; an encoder of text goes with --text-teacher"
        )
    receptive = 1
    kernels, strides = folder.numbers("conv_kernel"), folder.numbers("conv_stride")
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        receptive = (receptive - 1) * stride + kernel
    heard = folder.settings("preprocessor_config.json")
    transformers = import_module("transformers")  # an extra, and slow to import
    transformers.utils.logging.disable_progress_bar()  # of loading, which takes a moment
    return SpeechEncoder(
        name=folder.name,
        digest=folder.digest,
        network=load(folder.path, getattr(transformers, FAMILIES[family])),
        layers=folder.number("num_hidden_layers"),
        sample_rate=heard.get("sampling_rate", 16_000),
        scaled=heard.get("do_normalize", True) is True,
        receptive=receptive,
    )
