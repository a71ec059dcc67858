"""The toy corpus with words: valence is in what is said, activation in how loudly.

Sentences of two made-up words. A sentence's valence is the mean of its words' (`WORDS`); its
activation is how energetically it is said, whatever the words; its dominance is half that and half
how far the pitch falls. So it is known where each is: energy is heard anywhere in a sentence, while
a valence takes three vowels in their order, as pleasant and unpleasant words have the same vowels
in the same places, and the same vowels next to each other. The numbers below set how hard the
corpus is, which tests hold: change none of them lightly.
"""

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.random import Generator, default_rng
from torch import Tensor

from synth_data.audio import resample
from synth_data.corpora.facts import Corpus
from synth_data.corpora.toy import draw_voice
from synth_data.corpora.toy_speech import (
    RATE,
    SYNTHESIS,
    VOWELS,
    Expression,
    Syllables,
    Voice,
    say,
)
from synth_data.protocol import grouped, leave_one_out
from synth_data.task import DIMENSIONS
from synth_data.utterance import Source, Utterance

SPEAKERS = 16
PER_SPEAKER_AND_EMOTION = 14
SEED = 8

LOWEST, MIDDLE, HIGHEST = 1.0, 3.0, 5.0  # of valence, activation and dominance

# Each word's valence. Words are spelled as they are said: a word begins with `s`, which hisses, and
# goes on with `l`, which does not. With the vowels in a ring, a pleasant word goes one step on and
# then two, or two and then one; an unpleasant one goes one and one, or two and two.
WORDS: Mapping[str, float] = {
    "silelo": 5.0,
    "selalu": 5.0,
    "saloli": 5.0,
    "solule": 5.0,
    "sulila": 5.0,
    "silalo": 5.0,
    "selolu": 5.0,
    "saluli": 5.0,
    "solile": 5.0,
    "sulela": 5.0,
    "silola": 3.0,
    "selulo": 3.0,
    "salilu": 3.0,
    "soleli": 3.0,
    "sulale": 3.0,
    "silula": 3.0,
    "selilo": 3.0,
    "salelu": 3.0,
    "solali": 3.0,
    "sulole": 3.0,
    "silela": 1.0,
    "selalo": 1.0,
    "salolu": 1.0,
    "soluli": 1.0,
    "sulile": 1.0,
    "silalu": 1.0,
    "seloli": 1.0,
    "salule": 1.0,
    "solila": 1.0,
    "sulelo": 1.0,
}
FORMANTS = dict(zip("ieaou", VOWELS[[0, 1, 3, 4, 5]], strict=True))
SYLLABLES, IN_A_SENTENCE = 3, 2  # of a word; words

# The emotion of each quadrant: (pleasant, energetic). No sentence is between two.
EMOTIONS: Mapping[str, tuple[bool, bool]] = {
    "anger": (False, True),
    "calm": (True, False),
    "happiness": (True, True),
    "sadness": (False, False),
}


@dataclass(frozen=True)
class Spoken(Source):
    """One synthetic sentence.

    Attributes:
        words: of `WORDS`, in the order in which they are said.
        voice: who speaks.
        expression: how; its syllable rate and pause are those of the sentence.
        level: of the whole, in dB.
        seed: of everything else: stress, timing, noise.
    """

    words: tuple[str, ...]
    voice: Voice
    expression: Expression
    level: float
    seed: tuple[int, ...]

    def waveform(self, sample_rate: int) -> Float[Tensor, " sample"]:
        random = default_rng(self.seed)
        text = self._syllables(random)
        end = text.starts[-1] + text.lengths[-1] + random.uniform(0.02, 0.2)
        spoken = say(text, end, self.voice, self.expression, random)
        spoken *= 10 ** (self.level / 20) / np.abs(spoken).max()
        return resample(torch.from_numpy(spoken), RATE, sample_rate)

    def digest(self) -> bytes:
        factors = (
            SYNTHESIS,
            self.words,
            astuple(self.voice),
            astuple(self.expression),
            self.level,
            self.seed,
        )
        return sha256(repr(factors).encode()).digest()

    def spans(self) -> list[list[tuple[float, float]]]:
        """When each syllable of each word starts and ends, in seconds."""
        text = self._syllables(default_rng(self.seed))
        ends = text.starts + text.lengths
        spans = list(zip(text.starts.tolist(), ends.tolist(), strict=True))
        return [spans[first : first + SYLLABLES] for first in range(0, len(spans), SYLLABLES)]

    def _syllables(self, random: Generator) -> Syllables:
        letters = "".join(self.words)
        count = len(self.words) * SYLLABLES
        lengths = np.exp(0.15 * random.standard_normal(count)) / self.expression.syllable_rate
        starts = np.cumsum(lengths) - lengths
        after = SYLLABLES * random.integers(1, len(self.words))  # one of the words
        starts[after:] += self.expression.pause
        first = np.arange(count) % SYLLABLES == 0
        return Syllables(
            starts=starts,
            lengths=lengths,
            stress=np.where(
                first, random.uniform(0.5, 1.0, count), random.uniform(0.3, 0.8, count)
            ),
            vowels=np.stack([FORMANTS[vowel] for vowel in letters[1::2]]),
            fricative=np.array([consonant == "s" for consonant in letters[::2]]),
        )


def toy_word_utterances(
    speakers: int = SPEAKERS,
    per_speaker_and_emotion: int = PER_SPEAKER_AND_EMOTION,
    seed: int = SEED,
) -> list[Utterance]:
    """Lists the corpus, or a larger or smaller one; what they share sounds the same in both.

    Args:
        speakers: women and men by turns; each session is a woman and a man.
        per_speaker_and_emotion: utterances of each speaker in each emotion.
        seed: another one gives other people, who say other sentences.
    """
    utterances = []
    for speaker in range(speakers):
        name, voice = _speaker_name(speaker), draw_voice(speaker, seed)
        for number in range(per_speaker_and_emotion):
            for index, emotion in enumerate(EMOTIONS):
                factors = (seed, speaker, number, index)
                random = default_rng([*factors, 0])
                words = draw_words(emotion, random)
                activation = draw_activation(emotion, random)
                fall = random.uniform(LOWEST, HIGHEST)
                expression, level = draw_expression(emotion, activation, fall, random)
                utterances.append(
                    Utterance(
                        name=f"{name}-{emotion}-{number + 1:02d}",
                        audio=Spoken(words, voice, expression, level, (*factors, 1)),
                        emotion=emotion,
                        speaker=name,
                        session=f"session-{speaker // 2 + 1:04d}",
                        gender=voice.gender,
                        valence=valence_of(words),
                        activation=activation,
                        dominance=round((activation + fall) / 2, 3),
                        text=" ".join(words),
                    )
                )
    return utterances


def valence_of(words: tuple[str, ...]) -> float:
    """The mean of the words' valences.

    >>> valence_of(("silelo", "silola"))
    4.0
    """
    return sum(WORDS[word] for word in words) / len(words)


def draw_words(emotion: str, random: Generator) -> tuple[str, ...]:
    """A sentence that is as pleasant as the emotion; all of these are equally likely."""
    pleasant, _ = EMOTIONS[emotion]
    while True:
        words = tuple(random.choice(list(WORDS), IN_A_SENTENCE).tolist())
        if valence_of(words) != MIDDLE and (valence_of(words) > MIDDLE) == pleasant:
            return words


def draw_activation(emotion: str, random: Generator) -> float:
    """Uniform in the emotion's half of the scale."""
    _, energetic = EMOTIONS[emotion]
    low = MIDDLE if energetic else LOWEST
    return round(random.uniform(low, low + (HIGHEST - LOWEST) / 2), 3)


def draw_expression(
    emotion: str, activation: float, fall: float, random: Generator
) -> tuple[Expression, float]:
    """How a sentence is said, and its level in dB.

    Args:
        emotion: for the record; it decides nothing.
        activation: decides the energy: its level, its dips, the tilt, and the syllable rate.
        fall: from 1 (the pitch rises) to 5 (it falls).
        random: of what is not decided, and of the spread of what is.
    """
    energy = (activation - MIDDLE) / (HIGHEST - MIDDLE)  # from -1 to 1
    falling = (fall - MIDDLE) / (HIGHEST - MIDDLE)
    spread = random.standard_normal(9)
    expression = Expression(
        emotion=emotion,
        pitch_shift=float(1.5 * spread[0]),
        pitch_slope=float(-7.0 * falling + 1.0 * spread[1]),
        accent=float(np.clip(3.0 + 1.0 * spread[2], 0.5, 8.0)),
        accent_peak=float(random.uniform(0.3, 0.7)),
        jitter=0.15,
        energy_slope=float(-5.0 + 3.0 * spread[3]),
        energy_depth=float(np.clip(18.0 + 9.0 * energy + 2.0 * spread[4], 5.0, 32.0)),
        syllable_rate=float(np.clip(5.2 + 0.4 * energy + 0.3 * spread[5], 4.2, 6.2)),
        pause=float(random.uniform(0.0, 0.15)),
        tilt=float(-6.5 + 2.5 * energy + 0.6 * spread[6]),
        breath=float(-28.0 - 4.0 * energy + 2.0 * spread[7]),
    )
    level = -10.0 + 6.0 * energy + 1.5 * float(spread[8])
    return expression, min(level, -1.0)


def _speaker_name(speaker: int) -> str:
    return f"w{speaker + 1:04d}"


def _read(_root: Path | None, _allow_missing: bool) -> list[Utterance]:
    return toy_word_utterances()


_SPEAKERS = [_speaker_name(speaker) for speaker in range(SPEAKERS)]

TOY_WORDS = Corpus(
    name="toy-words",
    title="toy corpus with words, made by this package",
    emotions=tuple(EMOTIONS),
    counts=dict.fromkeys(EMOTIONS, SPEAKERS * PER_SPEAKER_AND_EMOTION),
    speakers=SPEAKERS,
    protocols={
        protocol.name: protocol
        for protocol in (
            grouped("four-speaker-folds", [_SPEAKERS[k : k + 4] for k in range(0, SPEAKERS, 4)]),
            leave_one_out("speaker"),
        )
    },
    read=_read,
    dimensions=DIMENSIONS,
    scale=(LOWEST, HIGHEST),
    language="none: thirty made-up words",
    access="built-in",
    licence="MIT, as this package",
    derivatives="yes",
    url="part of this package",
    citation="part of this package",
    layout="none: its recordings are made when they are read",
)
