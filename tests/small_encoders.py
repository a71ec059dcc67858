"""Encoders of random weights in local folders, as transformers saves them; nothing is fetched."""

import json
from pathlib import Path

import torch

from synth_data import pure_torchaudio  # noqa: F401 - before transformers
from synth_data.utterance import Source

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "what", "a", "fine", "day", "to", "##day"]


class Sound(Source):
    """A waveform that is at hand."""

    def __init__(self, waveform: torch.Tensor) -> None:
        self.samples = waveform

    def waveform(self, sample_rate: int) -> torch.Tensor:
        assert sample_rate == 16_000
        return self.samples

    def digest(self) -> bytes:
        return self.samples.numpy().tobytes()


def speech_encoder(folder: Path, family: str = "hubert", seed: int = 0, **settings: object) -> Path:
    """Two layers of 16 numbers; a frame every 320 samples, as in the published ones.

    It says that waveforms are scaled.
    """
    import transformers

    name = {"hubert": "Hubert", "wav2vec2": "Wav2Vec2", "wavlm": "WavLM"}[family]
    config = getattr(transformers, f"{name}Config")(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
        **settings,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        getattr(transformers, f"{name}Model")(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


def text_encoder(folder: Path, seed: int = 0, family: str = "Bert") -> Path:
    """Two layers of 16 numbers, and a tokenizer of eleven word pieces."""
    import transformers
    from transformers import BertTokenizerFast

    config = getattr(transformers, f"{family}Config")(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=20,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        getattr(transformers, f"{family}Model")(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def set_config(folder: Path, **settings: object) -> None:
    """Changes an encoder's config.json; None takes a setting out."""
    file = folder / "config.json"
    config = {**json.loads(file.read_text()), **settings}
    file.write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
