"""Pre-trained encoders of speech and of text, frozen, and what all their layers say."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from synth_data import pure_torchaudio  # noqa: F401 - before transformers, which may import it
from synth_data.errors import UserError
from synth_data.representations.encoder_folder import EncoderFolder, load, open_encoder
from synth_data.utterance import Utterance

FAMILIES = {"hubert": "HubertModel", "wav2vec2": "Wav2Vec2Model", "wavlm": "WavLMModel"}
LONGEST = 30.0  # seconds of an utterance that are heard: its middle; memory grows with the square
MOST_TOKENS = 512


@dataclass(frozen=True, eq=False)
class SpeechTeacher:
    """A self-supervised encoder of speech.

    Attributes:
        folder: where it is, and its digest.
        network: of transformers, without gradients.
        scaled: whether waveforms are brought to mean 0 and deviation 1 first, as it was trained.
        sample_rate: in Hz.
        receptive: samples that one frame needs.
    """

    folder: EncoderFolder
    network: nn.Module
    scaled: bool
    sample_rate: int
    receptive: int

    @property
    def layers(self) -> int:
        """Its transformer layers; it has one state more, which the first of them is given."""
        return self.folder.number("num_hidden_layers")

    def waveform(self, utterance: Utterance) -> Float[Tensor, " sample"]:
        """The speech as the encoder takes it."""
        waveform = middle(utterance.audio.waveform(self.sample_rate), self.sample_rate)
        if len(waveform) < self.receptive:
            waveform = waveform.repeat(-(-self.receptive // len(waveform)))
        if self.scaled:
            waveform = waveform - waveform.mean()
            waveform = waveform / torch.sqrt(waveform.var(correction=0) + 1e-7)
        return waveform

    def states(self, utterance: Utterance) -> Float[Tensor, "state frame dim"]:
        """What the first layer is given, and what every layer says of it."""
        with torch.inference_mode():
            found = self.network(self.waveform(utterance)[None], output_hidden_states=True)
            return torch.cat(found.hidden_states).clone()


@dataclass(frozen=True, eq=False)
class TextTeacher:
    """An encoder of text.

    Attributes:
        folder: where it is, and its digest.
        network: of transformers, without gradients.
        tokenizer: of transformers.
    """

    folder: EncoderFolder
    network: nn.Module
    tokenizer: Any

    @property
    def layers(self) -> int:
        """Its transformer layers; it has one state more, the words' own embeddings."""
        return self.folder.number("num_hidden_layers")

    def tokens(self, utterance: Utterance) -> dict[str, Tensor]:
        """The transcript as the encoder takes it; its first tokens, if it is long."""
        places = self.folder.config.get("max_position_embeddings", MOST_TOKENS + 2)
        longest = max(2, min(MOST_TOKENS, places - 2))
        return dict(
            self.tokenizer(utterance.text, return_tensors="pt", truncation=True, max_length=longest)
        )

    def states(self, utterance: Utterance) -> Float[Tensor, "state token dim"]:
        """The embeddings of the tokens, and what every layer says of them."""
        with torch.inference_mode():
            found = self.network(**self.tokens(utterance), output_hidden_states=True)
            return torch.cat(found.hidden_states).clone()


def middle(waveform: Float[Tensor, " any"], sample_rate: int) -> Float[Tensor, " sample"]:
    """What is heard of an utterance: all of it, unless it is longer than `LONGEST`."""
    longest = round(LONGEST * sample_rate)
    first = max(0, (len(waveform) - longest) // 2)
    return waveform[first : first + longest]


def open_speech(where: str) -> SpeechTeacher:
    """The speech encoder in a folder, or of a name on the Hugging Face hub.

    Raises:
        UserError: there is none, it has no weights, or it is none of speech.
    """
    import transformers  # an extra, and slow to import

    folder = open_encoder(where)
    family = str(folder.config.get("model_type"))
    if family not in FAMILIES:
        raise UserError(
            f"{folder.path} is no speech encoder that can teach, its config.json says model_type "
            f"{family!r}; known: {', '.join(FAMILIES)}. A text encoder goes with --text-teacher"
        )
    heard = folder.settings("preprocessor_config.json")
    receptive = 1
    kernels, strides = folder.numbers("conv_kernel"), folder.numbers("conv_stride")
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        receptive = (receptive - 1) * stride + kernel
    return SpeechTeacher(
        folder=folder,
        network=load(folder.path, getattr(transformers, FAMILIES[family])),
        scaled=heard.get("do_normalize", True) is True,
        sample_rate=heard.get("sampling_rate", 16_000),
        receptive=receptive,
    )


def open_text(where: str) -> TextTeacher:
    """The text encoder in a folder, or of a name on the Hugging Face hub.

    Raises:
        UserError: there is none, it has no weights or no tokenizer, or it is none of text.
    """
    from transformers import AutoModel, AutoTokenizer

    folder = open_encoder(where)
    if "vocab_size" not in folder.config or folder.config.get("model_type") in FAMILIES:
        raise UserError(
            f"{folder.path} is no text encoder, its config.json says model_type "
            f"{folder.config.get('model_type')!r}: give one such as BERT, MPNet or MiniLM"
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder.path, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(
            f"{folder.path}: its tokenizer cannot be loaded ({reason}): save it beside the encoder"
        ) from error
    return TextTeacher(folder, load(folder.path, AutoModel), tokenizer)


def require_transcripts(corpus: str, utterances: Sequence[Utterance], named: int = 5) -> None:
    """Passes utterances that all have a transcript.

    Raises:
        UserError: some have none; the message counts them and names the first.
    """
    silent = [one.name for one in utterances if not (one.text and one.text.strip())]
    if silent:
        more = f" and {len(silent) - named} more" if len(silent) > named else ""
        raise UserError(
            f"{len(silent)} of {len(utterances)} utterances of {corpus} have no transcript, which "
            f"a text encoder needs: {', '.join(silent[:named])}{more}. Add the transcripts (of a "
            f"table: a column text), or use --system representation without --text-teacher"
        )
