"""The toy corpus: emotional speech-like utterances that the package makes itself.

Emotion is in the pitch and energy contours, the syllable rate and the spectral tilt; the speaker
is in the formants, the pitch level and a fixed spectral colour. A voice has a pitch and a tilt of
its own, so neither tells the emotion of an unknown speaker by itself. Valence, activation and
dominance follow from the same factors, of each utterance by itself. The numbers below set how
hard the corpus is, which tests hold: change none of them lightly.
"""

import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from numpy.random import Generator, default_rng

from synth_data.corpora.facts import Corpus
from synth_data.corpora.toy_speech import Expression, ToyVoice, Voice
from synth_data.protocol import grouped, leave_one_out
from synth_data.task import DIMENSIONS
from synth_data.utterance import Ratings, Utterance

SPEAKERS = 16
PER_SPEAKER_AND_EMOTION = 10
SEED = 2

# The emotions' factors at full strength, in the order of Expression's fields; their standard
# deviation among utterances of one emotion and strength; their limits.
#             shift slope accent peak jitter  e-slope depth rate pause tilt breath
PROFILES: Mapping[str, tuple[float, ...]] = {
    "anger": (3.0, -1.0, 6.0, 0.20, 0.30, -4.0, 20.0, 5.4, 0.05, -3.3, -34.0),
    "happiness": (3.5, 2.0, 7.5, 0.80, 0.20, -5.0, 19.0, 5.2, 0.05, -6.0, -30.0),
    "neutral": (0.0, -1.0, 2.5, 0.50, 0.15, -6.0, 18.0, 4.6, 0.08, -6.5, -30.0),
    "sadness": (-1.5, -4.0, 1.0, 0.50, 0.20, -8.0, 16.0, 3.8, 0.12, -9.1, -25.0),
}
SPREAD = (1.2, 1.5, 0.8, 0.08, 0.04, 4.0, 3.0, 0.4, 0.03, 0.8, 2.0)
LOWEST = (-9.0, -12.0, 0.3, 0.10, 0.03, -25.0, 6.0, 2.5, 0.00, -14.0, -45.0)
HIGHEST = (9.0, 12.0, 14.0, 0.90, 0.60, 15.0, 35.0, 8.0, 0.30, 0.0, -15.0)

EMOTIONS = tuple(PROFILES)

# What a factor that differs from a neutral utterance's adds to a dimension, before it is bent to
# [-1, 1]: rises that peak late are pleasant, quick syllables with high accents are active, and a
# pressed voice without breath is dominant.
RATINGS: Mapping[str, Mapping[str, float]] = {
    "valence": {"pitch_slope": 0.17, "accent_peak": 1.7},
    "activation": {"syllable_rate": 0.5, "accent": 0.1, "pitch_shift": 0.07},
    "dominance": {"tilt": 0.16, "breath": -0.11},
}


def draw_voice(speaker: int, seed: int = SEED) -> Voice:
    """The voice of speaker number `speaker`, from 0; even ones are women.

    Another seed gives other people.
    """
    random = default_rng([seed, speaker])
    female = speaker % 2 == 0
    size = (1.16 if female else 1.0) * np.exp(0.05 * random.standard_normal())
    return Voice(
        gender="female" if female else "male",
        pitch=float((205.0 if female else 120.0) * 2 ** (1.5 * random.standard_normal() / 12)),
        formants=tuple((size * np.exp(0.04 * random.standard_normal(5))).tolist()),
        tilt=float(0.4 * random.standard_normal()),
        colour=tuple((1.5 * random.standard_normal(8)).tolist()),
    )


def draw_expression(emotion: str, random: Generator) -> Expression:
    """How one utterance is said: between neutral and the emotion's profile, with a spread."""
    neutral, profile = np.array(PROFILES["neutral"]), np.array(PROFILES[emotion])
    strength = random.uniform(0.4, 1.3)
    factors = neutral + strength * (profile - neutral)
    factors += np.array(SPREAD) * random.standard_normal(len(SPREAD))
    return Expression(emotion, *np.clip(factors, LOWEST, HIGHEST).tolist())


def ratings(expression: Expression) -> Ratings:
    """Of how one utterance is said, in (-1, 1)."""
    neutral = Expression("neutral", *PROFILES["neutral"])

    def felt(dimension: str) -> float:
        differences = (
            weight * (getattr(expression, factor) - getattr(neutral, factor))
            for factor, weight in RATINGS[dimension].items()
        )
        return math.tanh(sum(differences))

    return Ratings(
        valence=felt("valence"), activation=felt("activation"), dominance=felt("dominance")
    )


def toy_utterances(
    speakers: int = SPEAKERS, per_speaker_and_emotion: int = PER_SPEAKER_AND_EMOTION
) -> list[Utterance]:
    """Lists the corpus, or a larger or smaller one; what they share sounds the same in both.

    Args:
        speakers: women and men by turns; each session is a woman and a man.
        per_speaker_and_emotion: utterances of each speaker in each emotion.
    """
    utterances = []
    for speaker in range(speakers):
        name, voice = _speaker_name(speaker), draw_voice(speaker)
        for number in range(per_speaker_and_emotion):
            for emotion in EMOTIONS:
                seed = (SEED, speaker, number, EMOTIONS.index(emotion))
                expression = draw_expression(emotion, default_rng([*seed, 0]))
                utterances.append(
                    Utterance(
                        name=f"{name}-{emotion}-{number + 1:02d}",
                        audio=ToyVoice(voice, expression, (*seed, 1)),
                        emotion=emotion,
                        speaker=name,
                        session=f"session-{speaker // 2 + 1:04d}",
                        gender=voice.gender,
                        **ratings(expression),
                    )
                )
    return utterances


def _speaker_name(speaker: int) -> str:
    return f"s{speaker + 1:04d}"


def _read(_root: Path | None, _allow_missing: bool) -> list[Utterance]:
    return list(_listed())


@cache  # always the same, and a process may read them many times
def _listed() -> tuple[Utterance, ...]:
    return tuple(toy_utterances())


_SPEAKERS = [_speaker_name(speaker) for speaker in range(SPEAKERS)]

TOY = Corpus(
    name="toy",
    title="toy corpus, made by this package",
    emotions=EMOTIONS,
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
    language="none: random syllables",
    access="built-in",
    licence="MIT, as this package",
    derivatives="yes",
    url="part of this package",
    citation="part of this package",
    layout="none: its recordings are made when they are read",
)
