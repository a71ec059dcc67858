"""Small encoders of random weights, and a small corpus with words, dimensions and transcripts."""

from dataclasses import replace
from pathlib import Path

import torch

from synth_data import pure_torchaudio  # noqa: F401 - before transformers
from synth_data.corpora.facts import Corpus
from synth_data.corpora.toy_words import TOY_WORDS, WORDS, toy_word_utterances
from synth_data.protocol import grouped

SPEAKERS = 6
VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS)


def small_corpus(transcripts: bool = True) -> Corpus:
    """Six speakers with four utterances each, in three folds."""
    listed = toy_word_utterances(SPEAKERS, 1)
    if not transcripts:
        listed = [replace(one, text=None if n % 3 else one.text) for n, one in enumerate(listed)]
    speakers = sorted({one.speaker for one in listed})
    folds = grouped("pairs", [speakers[k : k + 2] for k in range(0, SPEAKERS, 2)])
    return replace(
        TOY_WORDS,
        counts={},
        speakers=SPEAKERS,
        protocols={folds.name: folds},
        read=lambda _root, _missing: listed,
    )


def save_speech(
    folder: Path, layers: int = 4, family: str = "Hubert", seed: int = 0, **settings: object
) -> Path:
    """An encoder of speech, with few frames a second so that it is quick."""
    import transformers

    config = getattr(transformers, f"{family}Config")(
        hidden_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(8, 16),
        conv_stride=(40, 16),
        conv_kernel=(80, 16),
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
        initializer_range=0.2,  # or every layer would do next to nothing
        **settings,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        getattr(transformers, f"{family}Model")(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


def save_text(folder: Path, layers: int = 2, seed: int = 0) -> Path:
    """An encoder of text that knows the corpus' words."""
    from transformers import BertConfig, BertModel, BertTokenizer

    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=20,
        initializer_range=0.3,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        BertModel(config).save_pretrained(folder)
    BertTokenizer(vocab={word: row for row, word in enumerate(VOCABULARY)}).save_pretrained(folder)
    return folder
