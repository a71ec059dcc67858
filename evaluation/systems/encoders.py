"""Pre-trained encoders of speech and of transcripts: what each of their layers hears.

They are read by `transformers`, from a folder or by their name on its hub. Utterances go through an
encoder one by one: padding to the longest of a batch would change what is heard, as normalisation
over time and attention reach into it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from synth_data import pure_torchaudio  # noqa: F401 - must come before transformers
from synth_data.errors import UserError

SPEECH = ("hubert", "wav2vec2", "wavlm")  # model types, as in a config.json
# Weights that only pre-training or pooled classifiers use, which published folders may lack.
UNUSED = ("masked_spec_embed", "pooler.dense.weight", "pooler.dense.bias")


@dataclass(frozen=True)
class SpeechEncoder:
    """A HuBERT, wav2vec 2.0 or WavLM.

    Attributes:
        name: the folder's name, or the name on the hub.
        network: of `transformers`, in evaluation mode.
        sample_rate: of its waveforms, in Hz.
        normalise: whether it wants waveforms of mean 0 and deviation 1.
    """

    name: str
    network: nn.Module
    sample_rate: int
    normalise: bool

    @property
    def layers(self) -> int:
        """The number of states: one before the first layer, and one after each."""
        return int(_config(self.network).num_hidden_layers) + 1

    @torch.no_grad()
    def states(self, waveform: Float[Tensor, " sample"]) -> Float[Tensor, "layer frame dim"]:
        """What each layer hears in one utterance; row 0 is what the first layer is given.

        Raises:
            UserError: the utterance is shorter than one frame of the encoder.
        """
        if self.normalise:
            waveform = waveform - waveform.mean()
            waveform = waveform / waveform.std(correction=0).clamp_min(1e-5)
        if self._frames(len(waveform)) < 1:
            raise UserError(
                f"an utterance of {len(waveform)} samples is shorter than a frame of the encoder "
                f"'{self.name}': leave it out"
            )
        found = self.network(waveform[None], output_hidden_states=True)
        return torch.cat(found.hidden_states)

    def pooled(self, waveforms: Iterable[Float[Tensor, " sample"]]) -> Float[Tensor, "n layer dim"]:
        """The mean over time of every layer; waveforms are taken one at a time."""
        return torch.stack([self.states(waveform).mean(dim=1) for waveform in waveforms])

    def framed(
        self, waveforms: Iterable[Float[Tensor, " sample"]], frames: int
    ) -> Float[Tensor, "n layer frame dim"]:
        """The middle `frames` frames of every layer; shorter utterances are repeated.

        That is how log-mels get their length, so the two stay in step.
        """
        return torch.stack([_fit_length(self.states(waveform), frames) for waveform in waveforms])

    def _frames(self, samples: int) -> int:
        config = _config(self.network)
        for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
            samples = (samples - kernel) // stride + 1
        return samples


@dataclass(frozen=True)
class TextEncoder:
    """An encoder of transcripts, such as a BERT.

    Attributes:
        name: the folder's name, or the name on the hub.
        network: of `transformers`, in evaluation mode.
        tokeniser: its own.
    """

    name: str
    network: nn.Module
    tokeniser: Any

    @torch.no_grad()
    def states(self, text: str) -> Float[Tensor, "layer token dim"]:
        """What each layer makes of one transcript; row 0 is what the first layer is given."""
        tokens = self.tokeniser(text, return_tensors="pt", truncation=True)
        found = self.network(**tokens, output_hidden_states=True)
        return torch.cat(found.hidden_states)

    def pooled(self, texts: Iterable[str]) -> Float[Tensor, "n layer dim"]:
        """The mean over tokens of every layer."""
        return torch.stack([self.states(text).mean(dim=1) for text in texts])


def speech_encoder(source: str | Path) -> SpeechEncoder:
    """Reads a speech encoder.

    Args:
        source: a folder that `save_pretrained` wrote, or a name on the hub.

    Raises:
        UserError: `transformers` is not installed; the folder does not exist, or lacks a
            configuration or weights; the hub cannot be reached; it is another kind of model.
    """
    transformers = _transformers()
    config = _read(transformers.AutoConfig, source, "configuration")
    if config.model_type not in SPEECH:
        raise UserError(
            f"'{source}' is of the kind '{config.model_type}', and not a speech encoder that is "
            f"known here: {', '.join(SPEECH)}"
        )
    try:
        wants = transformers.AutoFeatureExtractor.from_pretrained(source)
        sample_rate, normalise = wants.sampling_rate, wants.do_normalize
    except (OSError, ValueError):  # it says nothing, so as the first two kinds were published
        sample_rate, normalise = 16_000, True
    return SpeechEncoder(_name(source), _network(transformers, source), sample_rate, normalise)


def text_encoder(source: str | Path) -> TextEncoder:
    """Reads a text encoder and its tokeniser.

    Args:
        source: a folder that `save_pretrained` wrote, or a name on the hub.

    Raises:
        UserError: as `speech_encoder`, or there is no tokeniser.
    """
    transformers = _transformers()
    config = _read(transformers.AutoConfig, source, "configuration")
    if config.model_type in SPEECH:
        raise UserError(
            f"'{source}' is a speech encoder ('{config.model_type}'): give one that reads text, "
            f"such as a BERT"
        )
    tokeniser = _read(transformers.AutoTokenizer, source, "tokeniser")
    return TextEncoder(_name(source), _network(transformers, source), tokeniser)


def _transformers() -> Any:
    try:
        transformers = import_module("transformers")
    except ImportError as error:
        raise UserError(
            'pre-trained encoders need transformers, which is not installed: pip install "'
            'distill-data[ssl]"'
        ) from error
    transformers.logging.disable_progress_bar()
    return transformers


def _network(transformers: Any, source: str | Path) -> nn.Module:
    network, found = _read(transformers.AutoModel, source, "weights", output_loading_info=True)
    missing = sorted(key for key in found["missing_keys"] if not key.endswith(UNUSED))
    if missing:  # they would be random
        raise UserError(
            f"'{source}' lacks {len(missing)} of its weights, such as {missing[0]}: get it again, "
            f"or save it whole with save_pretrained"
        )
    return network.eval().requires_grad_(False)


def _read(kind: Any, source: str | Path, part: str, **given: Any) -> Any:
    folder = Path(source).expanduser()
    if not folder.is_dir() and (isinstance(source, Path) or not _may_be_on_the_hub(source)):
        raise UserError(
            f"there is no folder '{source}': give the folder of an encoder (with config.json and "
            f"model.safetensors), or its name on the hub, such as facebook/hubert-base-ls960"
        )
    try:
        if folder.is_dir():
            return kind.from_pretrained(folder, local_files_only=True, **given)
        return kind.from_pretrained(source, **given)
    except (OSError, ValueError, KeyError) as error:
        if folder.is_dir():
            held = ", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"
            raise UserError(
                f"the {part} of the encoder in '{source}' cannot be read; found there: {held}. An "
                f"encoder's folder holds what save_pretrained of transformers writes, such as "
                f"config.json and model.safetensors"
            ) from error
        raise UserError(
            f"the {part} of the encoder '{source}' cannot be had from the hub: is the name right, "
            f"and is there a network? Without one, give a folder that holds the encoder"
        ) from error


def _may_be_on_the_hub(source: str) -> bool:
    """Names there are `name` or `owner/name`."""
    return source.count("/") <= 1 and not source.startswith((".", "/", "~"))


def _config(network: nn.Module) -> Any:
    return network.config


def _name(source: str | Path) -> str:
    folder = Path(source).expanduser()
    return folder.name if folder.is_dir() else str(source)


def _fit_length(
    states: Float[Tensor, "layer any dim"], frames: int
) -> Float[Tensor, "layer frame dim"]:
    length = states.shape[1]
    if length < frames:
        return states.repeat(1, -(-frames // length), 1)[:, :frames].contiguous()
    first = (length - frames) // 2
    return states[:, first : first + frames].contiguous()
