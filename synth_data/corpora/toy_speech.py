"""The toy corpora's synthesiser: a voice, an expression and syllables -> a speech-like waveform.

Source and filter in the short-time spectrum: a pulse train with a jittered pitch contour and
aspiration noise, shaped step by step by formant resonators (all-pole, of unit gain at 0 Hz). Who
speaks (`Voice`), how (`Expression`) and what (`Syllables`; random ones, drawn from the seed, in
`ToyVoice`) are separate values, so one can be changed while the others stay.
"""

from dataclasses import astuple, dataclass
from hashlib import sha256
from typing import TypeVar

import numpy as np
import scipy.fft
import torch
from jaxtyping import Bool, Complex, Float, Int
from numpy.random import Generator, default_rng
from torch import Tensor

from synth_data.audio import resample
from synth_data.utterance import Source

SYNTHESIS = 1  # part of every digest: raise it when the same factors come to sound different

RATE = 16_000  # Hz, of the synthesis
HOP = 160  # samples: the contours' step, 10 ms
BLOCK = 4 * HOP  # samples of one Fourier transform: a window of 2 hops, room for the ringing

# First three formants of a man's vowels in Hz (Peterson and Barney, 1952); the higher two and
# the bandwidths hardly depend on the vowel.
VOWELS = np.array(
    [
        [270, 2290, 3010],
        [530, 1840, 2480],
        [660, 1720, 2410],
        [730, 1090, 2440],
        [570, 840, 2410],
        [300, 870, 2240],
    ]
)
HIGHER_FORMANTS = np.array([3500, 4500])
BANDWIDTHS = np.array([70, 90, 130, 180, 250])

Level = TypeVar("Level", float, np.ndarray)


@dataclass(frozen=True)
class Voice:
    """Who speaks.

    Attributes:
        gender: "female" or "male".
        pitch: the level the contours move around, in Hz.
        formants: factor on each of the five formants of a man's vowel.
        tilt: of the source, in dB per octave, added to the expression's.
        colour: cosine coefficients over the mel axis from the third on, in dB.
    """

    gender: str
    pitch: float
    formants: tuple[float, ...]
    tilt: float
    colour: tuple[float, ...]


@dataclass(frozen=True)
class Expression:
    """How it is said, relative to the voice.

    Attributes:
        emotion: one of `EMOTIONS`.
        pitch_shift: of the whole contour, in semitones.
        pitch_slope: in semitones per second.
        accent: height of a fully stressed syllable's pitch accent, in semitones.
        accent_peak: where in the syllable the accent peaks, from 0 (start) to 1 (end).
        jitter: standard deviation of the pitch from step to step, in semitones.
        energy_slope: in dB per second.
        energy_depth: of the dips between syllables, in dB.
        syllable_rate: in syllables per second.
        pause: silence within the utterance, in seconds.
        tilt: of the source, in dB per octave; nearer 0 sounds more pressed.
        breath: aspiration noise relative to the voiced source, in dB.
    """

    emotion: str
    pitch_shift: float
    pitch_slope: float
    accent: float
    accent_peak: float
    jitter: float
    energy_slope: float
    energy_depth: float
    syllable_rate: float
    pause: float
    tilt: float
    breath: float


@dataclass(frozen=True)
class ToyVoice(Source):
    """One synthetic utterance.

    Attributes:
        voice: who speaks.
        expression: how.
        seed: of everything else: the syllables, their stress and timing, the noise, the level.
    """

    voice: Voice
    expression: Expression
    seed: tuple[int, ...]

    def waveform(self, sample_rate: int) -> Float[Tensor, " sample"]:
        waveform = torch.from_numpy(_synthesise(self.voice, self.expression, self.seed))
        return resample(waveform, RATE, sample_rate)

    def digest(self) -> bytes:
        factors = (SYNTHESIS, astuple(self.voice), astuple(self.expression), self.seed)
        return sha256(repr(factors).encode()).digest()


@dataclass(frozen=True)
class Syllables:
    """What is said, one entry per syllable; times in seconds, vowels in Hz."""

    starts: Float[np.ndarray, " syllable"]
    lengths: Float[np.ndarray, " syllable"]
    stress: Float[np.ndarray, " syllable"]
    vowels: Int[np.ndarray, "syllable 3"]
    fricative: Bool[np.ndarray, " syllable"]


def _synthesise(
    voice: Voice, expression: Expression, seed: tuple[int, ...]
) -> Float[np.ndarray, " sample"]:
    """The waveform at `RATE`, float32, of random syllables."""
    random = default_rng(seed)
    duration = random.uniform(0.85, 1.55)  # in seconds
    text = _random_syllables(expression, duration, random)
    return say(text, duration, voice, expression, random)


def say(
    text: Syllables, duration: float, voice: Voice, expression: Expression, random: Generator
) -> Float[np.ndarray, " sample"]:
    """The waveform of some syllables.

    Args:
        text: the syllables; the first starts at 0.
        duration: in seconds; after the last syllable it is silent.
        voice: who speaks.
        expression: how; the timing is the text's alone.
        random: of the noise and of the level.

    Returns:
        At `RATE`, float32, with a peak between 0.3 and 0.9.
    """
    time = np.arange(HOP / RATE / 2, duration, HOP / RATE)  # the middle of each step
    syllable = np.searchsorted(text.starts, time, side="right") - 1
    # From 0 to 1 in each syllable; it stays there in a pause.
    phase = np.minimum((time - text.starts[syllable]) / text.lengths[syllable], 1.0)
    stress = text.stress[syllable]

    peak = expression.accent_peak
    rise_and_fall = np.where(phase < peak, phase / peak, (1 - phase) / (1 - peak))
    pitch = expression.pitch_shift + expression.pitch_slope * (time - duration / 2)
    pitch += expression.accent * stress * np.sin(rise_and_fall * np.pi / 2) ** 2
    pitch += expression.jitter * random.standard_normal(len(time))
    energy = expression.energy_slope * (time - duration / 2) + 8.0 * (stress - 1)
    energy -= expression.energy_depth * (1 - np.sqrt(np.sin(np.pi * phase).clip(0)))
    loudness = np.where(phase < 1, _ratio(energy), 0.0)
    hiss = np.where(text.fricative[syllable] & (phase < 0.3), 0.04, 0.0)

    sample = np.arange(len(time) * HOP) / RATE
    frequency = voice.pitch * 2 ** (np.interp(sample, time, pitch) / 12)
    cycles = np.floor(np.cumsum(frequency / RATE))
    pulses = _spectrum(np.diff(cycles, prepend=0.0) * np.sqrt(RATE / frequency))  # of unit power
    noise = _spectrum(random.standard_normal(len(sample)))

    hertz = scipy.fft.rfftfreq(BLOCK, 1 / RATE)
    octaves = np.log2(np.maximum(hertz, 100.0) / 100.0)
    mel = np.log1p(hertz / 700) / np.log1p(hertz[-1] / 700)
    orders = np.arange(3, 3 + len(voice.colour))
    colour = _ratio(np.array(voice.colour) @ np.cos(np.pi * np.outer(orders, mel)))
    tilt = colour * _ratio((expression.tilt + voice.tilt) * octaves)
    breath = colour * _ratio(expression.breath - 2.0 * octaves)
    teeth = colour / (1 + (3500 * voice.formants[4] / np.maximum(hertz, 1.0)) ** 8)

    spectrum = pulses * tilt.astype(np.float32) + noise * breath.astype(np.float32)
    spectrum *= (loudness[:, None] * _tract(_formants(text, time, voice))).astype(np.complex64)
    spectrum += noise * np.outer(hiss, teeth).astype(np.float32)
    waveform = _overlap_add(scipy.fft.irfft(spectrum))

    room = _ratio(-random.uniform(25, 40)) * waveform.std()
    waveform += room * random.standard_normal(len(waveform))
    waveform *= random.uniform(0.3, 0.9) / np.abs(waveform).max()
    return waveform.astype(np.float32)


def _random_syllables(expression: Expression, duration: float, random: Generator) -> Syllables:
    spoken = duration - expression.pause
    count = max(2, round(expression.syllable_rate * spoken))
    lengths = np.exp(0.2 * random.standard_normal(count))
    lengths *= spoken / lengths.sum()
    starts = np.cumsum(lengths) - lengths
    starts[random.integers(1, count) :] += expression.pause
    return Syllables(
        starts=starts,
        lengths=lengths,
        stress=random.uniform(0.2, 1.0, count),
        vowels=VOWELS[random.integers(0, len(VOWELS), count)],
        fricative=random.random(count) < 0.2,
    )


def _formants(
    text: Syllables, time: Float[np.ndarray, " step"], voice: Voice
) -> Float[np.ndarray, "step formant"]:
    """In Hz; they glide from the middle of one syllable to the next."""
    middles = text.starts + text.lengths / 2
    of_vowels = [np.interp(time, middles, targets) for targets in text.vowels.T]
    fixed = [np.full(len(time), hertz) for hertz in HIGHER_FORMANTS]
    return np.stack([*of_vowels, *fixed], axis=1) * np.array(voice.formants)


def _tract(formants: Float[np.ndarray, "step formant"]) -> Complex[np.ndarray, "step frequency"]:
    """The response of resonators in a row: one over the transform of their polynomial in 1/z."""
    radius = np.exp(-np.pi * BANDWIDTHS / RATE)
    middle = -2 * radius * np.cos(2 * np.pi * formants / RATE)
    polynomial = np.zeros((len(formants), 1 + 2 * formants.shape[1]))
    polynomial[:, 0] = 1.0
    for index in range(formants.shape[1]):
        shorter = polynomial.copy()
        polynomial[:, 1:] += middle[:, [index]] * shorter[:, :-1]
        polynomial[:, 2:] += radius[index] ** 2 * shorter[:, :-2]
    return polynomial.sum(axis=1, keepdims=True) / scipy.fft.rfft(polynomial, BLOCK)


def _spectrum(
    signal: Float[np.ndarray, " sample"],
) -> Complex[np.ndarray, "step frequency"]:
    """Of Hann windows of two hops, centred on the steps; single precision is twice as fast."""
    window = np.zeros(BLOCK, np.float32)
    window[HOP // 2 : -3 * HOP // 2] = np.hanning(2 * HOP + 1)[:-1]
    padded = np.zeros(len(signal) + BLOCK, np.float32)
    padded[HOP : HOP + len(signal)] = signal
    blocks = np.lib.stride_tricks.sliding_window_view(padded, BLOCK)[: len(signal) : HOP]
    return scipy.fft.rfft(blocks * window)


def _overlap_add(
    blocks: Float[np.ndarray, "step block"],
) -> Float[np.ndarray, " sample"]:
    steps, parts = len(blocks), BLOCK // HOP
    signal = np.zeros((steps + parts - 1, HOP))
    for part in range(parts):
        signal[part : part + steps] += blocks[:, part * HOP : (part + 1) * HOP]
    return signal.ravel()[HOP : HOP + steps * HOP]


def _ratio(decibels: Level) -> Level:
    """Amplitude ratio."""
    return 10 ** (decibels / 20)
