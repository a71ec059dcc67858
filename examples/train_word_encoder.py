"""Trains a small speech encoder that hears words, and makes a text encoder for the same words.

    python examples/train_word_encoder.py --out runs/word-encoder

They stand in for large self-supervised encoders where nothing can be downloaded, and where it must
be known what the layers hear. The speech is that of the corpus `toy-words`, said by other people.
Like HuBERT, the speech encoder learns to name what is said in each frame; synthetic speech tells
that itself, so no clusters are needed. The vowels are named from a layer in the middle and the
words from the last, as in hierarchical multi-task recognisers (Sanabria and Metze 2018). The text
encoder keeps its random weights, which tell the words apart.

The folders `speech` and `text` are as `transformers` reads them. It takes a minute or two.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad
from typer import Option

from evaluation.files import write_atomically
from synth_data import pure_torchaudio  # noqa: F401 - must come before transformers
from synth_data.console import command_line, run
from synth_data.corpora.toy_words import FORMANTS, SEED, WORDS, Spoken, toy_word_utterances
from synth_data.progress import SILENT, Progress, bar
from synth_data.randomness import generator

from transformers import (  # isort: skip
    BertConfig,
    BertModel,
    BertTokenizer,
    HubertConfig,
    HubertModel,
)

RATE = 16_000  # Hz
STRIDES, KERNELS, CHANNELS = (10, 8, 4), (20, 16, 8), (48, 64, 64)
FRAME = 320  # samples from one to the next: the product of the strides
RECEPTIVE = 730  # samples that one frame hears
HIDDEN = 64
VOWELS_AFTER = 2  # layers; words after the last
SILENCE = 0  # the first name of each kind: neither a vowel nor a word
UNSEEN = 8  # speakers that it is tested on


@dataclass(frozen=True)
class Heard:
    """A sentence as the encoder hears it, and what is said when.

    Attributes:
        waveform: of mean 0 and deviation 1.
        vowels: of each frame, its place in `FORMANTS` from 1, or `SILENCE`.
        words: of each frame, its place in `WORDS` from 1, or `SILENCE`.
    """

    waveform: Float[Tensor, " sample"]
    vowels: Int[Tensor, " frame"]
    words: Int[Tensor, " frame"]


def sentences(speakers: int, per_speaker_and_emotion: int, seed: int) -> list[Heard]:
    """Sentences of people who are not in the corpus.

    Args:
        speakers: their number.
        per_speaker_and_emotion: sentences of each in each emotion.
        seed: of the people and of what they say; not the corpus'.
    """
    assert seed != SEED, "these are the corpus' own speakers"
    listed = toy_word_utterances(speakers, per_speaker_and_emotion, seed)
    return [
        frames_of(utterance.audio) for utterance in listed if isinstance(utterance.audio, Spoken)
    ]


def frames_of(spoken: Spoken) -> Heard:
    """A sentence and the names of its frames."""
    waveform = spoken.waveform(RATE)
    middles = (torch.arange(0, len(waveform) - RECEPTIVE + 1, FRAME) + RECEPTIVE / 2) / RATE
    words, vowels = (torch.full((len(middles),), SILENCE) for _ in range(2))
    for word, syllables in zip(spoken.words, spoken.spans(), strict=True):
        for vowel, (start, end) in zip(word[1::2], syllables, strict=True):
            inside = (middles >= start) & (middles < end)
            words[inside] = 1 + list(WORDS).index(word)
            vowels[inside] = 1 + list(FORMANTS).index(vowel)
    return Heard((waveform - waveform.mean()) / waveform.std(), vowels, words)


class Namer(nn.Module):
    """A HuBERT and what names vowels and words from its frames."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.encoder = HubertModel(
            HubertConfig(
                vocab_size=len(WORDS),
                hidden_size=HIDDEN,
                num_hidden_layers=layers,
                num_attention_heads=4,
                intermediate_size=2 * HIDDEN,
                conv_dim=CHANNELS,
                conv_stride=STRIDES,
                conv_kernel=KERNELS,
                num_conv_pos_embeddings=8,
                num_conv_pos_embedding_groups=4,
                hidden_dropout=0.0,
                attention_dropout=0.0,
                activation_dropout=0.0,
                feat_proj_dropout=0.0,
                final_dropout=0.0,
                layerdrop=0.0,
                apply_spec_augment=False,
            )
        )
        self.vowels = nn.Linear(HIDDEN, 1 + len(FORMANTS))
        self.words = nn.Linear(HIDDEN, 1 + len(WORDS))

    def forward(
        self, waveforms: Float[Tensor, "n sample"]
    ) -> tuple[Float[Tensor, "n frame vowel"], Float[Tensor, "n frame word"]]:
        states = self.encoder(waveforms, output_hidden_states=True).hidden_states
        return self.vowels(states[VOWELS_AFTER]), self.words(states[-1])


def train(
    heard: Sequence[Heard],
    layers: int = 4,
    epochs: int = 6,
    batch: int = 16,
    rate: float = 3e-3,
    seed: int = 0,
    progress: Progress = SILENT,
) -> Namer:
    """Learns to name every frame's vowel and word.

    Args:
        heard: what to learn from.
        layers: of the encoder.
        epochs: passes over it.
        batch: sentences per step, of about the same length.
        rate: the highest learning rate of AdamW, which rises to it and falls again.
        seed: of the weights and of the order.
        progress: makes a bar.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # transformers takes its weights from the global generator
        namer = Namer(layers)
    by_length = sorted(heard, key=lambda one: len(one.waveform))
    batches = [by_length[first : first + batch] for first in range(0, len(heard), batch)]
    optimiser = torch.optim.AdamW(namer.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, rate, total_steps=epochs * len(batches), pct_start=0.15
    )
    random = generator(seed, "word encoder")
    for _ in progress(range(epochs)):
        for index in torch.randperm(len(batches), generator=random).tolist():
            loss = _loss(namer, batches[index])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(namer.parameters(), 1.0)
            optimiser.step()
            schedule.step()
    return namer.eval()


def _loss(namer: Namer, heard: Sequence[Heard]) -> Float[Tensor, ""]:
    longest = max(len(one.waveform) for one in heard)
    waveforms = [pad(one.waveform, (0, longest - len(one.waveform))) for one in heard]
    vowels, words = namer(torch.stack(waveforms))
    frames = words.shape[1]
    loss = torch.zeros(())
    for named, truth in (
        (vowels, [one.vowels for one in heard]),
        (words, [one.words for one in heard]),
    ):
        padded = [
            pad(row[:frames], (0, frames - len(row[:frames])), value=SILENCE) for row in truth
        ]
        # Smoothed labels make a word's frames alike (Müller et al. 2019), so their mean tells it.
        loss = loss + cross_entropy(
            named.flatten(0, 1), torch.stack(padded).flatten(), label_smoothing=0.1
        )
    return loss


@torch.no_grad()
def word_accuracy(namer: Namer, heard: Sequence[Heard]) -> float:
    """The share of words that most of their frames' scores are right about."""
    right = []
    for one in heard:
        _, words = namer(one.waveform[None])
        scores = words[0, :, 1:].log_softmax(dim=1)
        truth = one.words
        # A word may be said twice in a row, and then counts once.
        right += [
            scores[truth == word].sum(dim=0).argmax() + 1 == word
            for word in truth[truth != SILENCE].unique()
        ]
    return float(torch.stack(right).float().mean())


def save_speech_encoder(namer: Namer, folder: Path) -> None:
    """The encoder without its heads, and how it wants its waveforms."""
    namer.encoder.save_pretrained(folder)
    wanted = {
        "feature_extractor_type": "Wav2Vec2FeatureExtractor",
        "sampling_rate": RATE,
        "do_normalize": True,
    }
    write_atomically(folder / "preprocessor_config.json", json.dumps(wanted))


def save_text_encoder(folder: Path, layers: int = 2, seed: int = 0) -> None:
    """A BERT of random weights that reads a transcript word by word.

    Args:
        folder: where to; is made.
        layers: of the encoder.
        seed: of the weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    BertTokenizer(vocab={word: row for row, word in enumerate(vocabulary)}).save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        BertModel(
            BertConfig(
                vocab_size=len(vocabulary),
                hidden_size=HIDDEN,
                num_hidden_layers=layers,
                num_attention_heads=4,
                intermediate_size=2 * HIDDEN,
                max_position_embeddings=16,
                initializer_range=0.3,  # wide enough that random layers tell words apart
            )
        ).save_pretrained(folder)


app = command_line("A small encoder of speech that hears words, and one of text.")


@app.command()
def main(
    out: Annotated[Path, Option(help="Folder for the folders `speech` and `text`.")],
    speakers: Annotated[int, Option(min=1, help="That it learns from.")] = 64,
    epochs: Annotated[int, Option(min=1)] = 6,
    seed: int = 0,
) -> None:
    """Train both and print the word accuracy on unseen speakers."""
    namer = train(
        sentences(speakers, 7, SEED + 1), epochs=epochs, seed=seed, progress=bar("epochs")
    )
    save_speech_encoder(namer, out / "speech")
    save_text_encoder(out / "text", seed=seed)
    heard = word_accuracy(namer, sentences(UNSEEN, 7, SEED + 2))
    print(f"word accuracy on {UNSEEN} unseen speakers: {heard:.3f} (chance {1 / len(WORDS):.3f})")


if __name__ == "__main__":
    run(app)
