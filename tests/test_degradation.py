"""Degraded speech: by how much is measured on the sound, not taken from the settings."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.signal import welch
from torch import Tensor

from synth_data.corpora.toy import TOY, toy_utterances
from synth_data.degradation import (
    DEGRADATIONS,
    Degraded,
    Noise,
    Reverberation,
    degraded,
    degraded_set,
    known_degradation,
)
from synth_data.errors import AudioError, UserError
from synth_data.features import FEATURES
from synth_data.inversion import average_speech
from synth_data.randomness import generator
from synth_data.real import RealSet
from synth_data.task import Task
from synth_data.utterance import AudioFile, Source, Utterance

RATE = 16_000
SPEC = FEATURES["logmel64-short"]

each_preset = pytest.mark.parametrize("degradation", DEGRADATIONS.values(), ids=DEGRADATIONS)


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@dataclass(frozen=True)
class Click(Source):
    """One sample, and silence after it."""

    level: float

    def waveform(self, sample_rate: int) -> Tensor:
        click = torch.zeros(sample_rate)
        click[0] = self.level
        return click

    def digest(self) -> bytes:
        return repr(self).encode()


def decibels(waveform: Tensor) -> float:
    """Power of what can be heard: toy speech has an offset, as cheap microphones do."""
    return float(10 * (waveform - waveform.mean()).square().mean().log10())


@pytest.fixture(scope="module")
def utterances() -> list[Utterance]:
    """Of a woman and a man, in two emotions each."""
    return toy_utterances(2, 1)[::2]


@pytest.fixture(scope="module")
def real(utterances: list[Utterance]) -> RealSet:
    features = [SPEC(utterance.audio.waveform(RATE)) for utterance in utterances]
    return RealSet(
        facts=TOY,
        task=Task(emotions=TOY.emotions),
        spec=SPEC,
        utterances=tuple(utterances),
        features=torch.stack(features),
        targets=torch.eye(len(TOY.emotions))[
            [TOY.emotions.index(utterance.emotion) for utterance in utterances]
        ],
        digest="0" * 64,
        notes=("a note",),
    )


@each_preset
def test_same_length_finite_and_repeatable(utterances, degradation):
    for utterance in utterances:
        clean = utterance.audio.waveform(RATE)
        heard = Degraded(utterance.audio, degradation).waveform(RATE)
        assert heard.shape == clean.shape
        assert heard.dtype == torch.float32
        assert heard.isfinite().all()
        assert not torch.allclose(heard, clean, atol=1e-3)
        assert torch.equal(Degraded(utterance.audio, degradation).waveform(RATE), heard)


@each_preset
def test_silence_stays_silence(degradation):
    for samples in (1, 400, RATE):
        assert degradation(torch.zeros(samples), RATE, draws()).abs().max() == 0


@pytest.mark.parametrize("ratio", [20.0, 10.0, 0.0, -5.0])
def test_signal_to_noise_ratio(utterances, ratio):
    for utterance in utterances:
        clean = utterance.audio.waveform(RATE)
        noise = Degraded(utterance.audio, Noise(ratio)).waveform(RATE) - clean
        assert decibels(clean) - decibels(noise) == pytest.approx(ratio, abs=0.1)


def test_an_offset_of_the_microphone_is_no_signal():
    speech = toy_utterances(1, 1)[0].audio.waveform(RATE)
    noise = Noise(10.0)(speech, RATE, draws()) - speech
    shifted = Noise(10.0)(speech + 1, RATE, draws()) - (speech + 1)
    assert decibels(shifted) == pytest.approx(decibels(noise), abs=0.1)


def test_noise_has_the_spectrum_of_average_speech():
    generator = draws()
    speech = 0.1 * torch.randn(20 * RATE, generator=generator)
    noise = Noise(0.0)(speech, RATE, generator) - speech
    hertz, density = welch(noise.numpy(), RATE, nperseg=1_024)
    heard = (hertz >= 80) & (hertz <= 7_500)
    expected = 10 * np.log10(average_speech(torch.from_numpy(hertz)).numpy())[heard]
    assert np.std(10 * np.log10(density[heard]) - expected) < 1
    _, white = welch(speech.numpy(), RATE, nperseg=1_024)  # control
    assert np.std(10 * np.log10(white[heard]) - expected) > 5


def test_each_utterance_and_seed_has_its_own_noise(utterances):
    def noise(utterance: Utterance, seed: int) -> Tensor:
        heard = Degraded(utterance.audio, Noise(0.0, seed)).waveform(RATE)
        return (heard - utterance.audio.waveform(RATE))[: RATE // 2]

    first, second = utterances[:2]
    draws_of_noise = torch.stack([noise(first, 0), noise(second, 0), noise(first, 1)])
    assert (torch.corrcoef(draws_of_noise) - torch.eye(3)).abs().max() < 0.1


def test_each_utterance_and_seed_has_its_own_room():
    """A click shows the room; two clicks of one shape differ in level, and so in digest."""

    def room(level: float, seed: int) -> Tensor:
        heard = Degraded(Click(level), Reverberation(0.4, seed)).waveform(RATE)
        return heard[1:]

    rooms = torch.stack([room(0.5, 0), room(0.6, 0), room(0.5, 1)])
    assert (torch.corrcoef(rooms) - torch.eye(3)).abs().max() < 0.2


def decay_of_an_impulse(seconds: float, seed: int) -> np.ndarray:
    """Schroeder's backward integral in dB: energy still to come, relative to the whole."""
    impulse = Click(0.5).waveform(int(2 * seconds * RATE))
    response = Reverberation(seconds)(impulse, RATE, draws(seed)).double().numpy()
    still_to_come = np.cumsum(response[::-1] ** 2)[::-1]
    return 10 * np.log10(still_to_come / still_to_come[0] + 1e-12)


@pytest.mark.parametrize("seconds", [0.2, 0.4, 1.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_reverberation_time(seconds, seed):
    """T30 of ISO 3382: a line through the decay from -5 to -35 dB."""
    decay = decay_of_an_impulse(seconds, seed)
    fitted = (decay <= -5) & (decay >= -35)
    slope, _ = np.polyfit(np.flatnonzero(fitted) / RATE, decay[fitted], 1)
    assert -60 / slope == pytest.approx(seconds, rel=0.1)


def test_direct_sound_has_as_much_energy_as_the_rest():
    decay = decay_of_an_impulse(0.4, 0)
    assert decay[1] == pytest.approx(-3.01, abs=0.05)


def test_reverberation_keeps_the_loudness(utterances):
    for utterance in utterances:
        clean = utterance.audio.waveform(RATE)
        heard = Degraded(utterance.audio, Reverberation(1.0)).waveform(RATE)
        assert decibels(heard) == pytest.approx(decibels(clean), abs=0.1)


def test_reverberation_fills_pauses():
    speech = torch.randn(RATE, generator=draws())
    speech[RATE // 2 :] = 0
    pause = Reverberation(0.4)(speech, RATE, draws())[RATE // 2 :]
    assert decibels(pause[:800]) > -20
    assert decibels(pause[-800:]) < decibels(pause[:800]) - 20


def test_degraded_utterances_keep_their_labels(utterances):
    heard = degraded(utterances, Noise(10.0))
    assert all(isinstance(utterance.audio, Degraded) for utterance in heard)
    assert [replace(u, audio=c.audio) for u, c in zip(heard, utterances, strict=True)] == utterances


def test_digests_tell_degradations_apart(utterances):
    speech, other = utterances[0].audio, utterances[1].audio
    sources = [
        speech,
        Degraded(speech, Noise(10.0)),
        Degraded(speech, Noise(20.0)),
        Degraded(speech, Noise(10.0, seed=1)),
        Degraded(speech, Reverberation(1.0)),
        Degraded(Degraded(speech, Reverberation(1.0)), Noise(10.0)),
        Degraded(other, Noise(10.0)),
    ]
    assert len({source.digest() for source in sources}) == len(sources)
    assert Degraded(speech, Noise(10.0)).digest() == sources[1].digest()


@each_preset
def test_features_of_a_degraded_set(real, degradation):
    heard = degraded_set(real, degradation)
    speech = real.utterances[2].audio
    own = generator(0, "degradation", speech.digest().hex())
    by_hand = SPEC(degradation(speech.waveform(RATE), RATE, own))
    assert torch.equal(heard.features[2], by_hand)
    assert heard.features.shape == real.features.shape
    assert heard.features.isfinite().all()
    assert (heard.features - real.features).abs().mean(dim=(1, 2)).min() > 0.05
    assert torch.equal(heard.targets, real.targets)


def test_more_noise_is_farther_from_clean(real):
    distance = [
        (degraded_set(real, Noise(ratio)).features - real.features).square().mean()
        for ratio in (60.0, 20.0, 10.0, 0.0)
    ]
    assert distance == sorted(distance)


def test_a_degraded_set_says_so(real):
    heard = degraded_set(real, Noise(10.0))
    assert heard.notes == ("a note", "speech degraded: Noise(decibels=10.0, seed=0)")
    assert len({real.digest, heard.digest, degraded_set(real, Noise(20.0)).digest}) == 3
    assert heard.utterances == degraded(real.utterances, Noise(10.0))


def test_lost_recordings_are_named(real):
    lost = replace(real.utterances[1], audio=AudioFile(Path("moved-away.wav")))
    gone = replace(real, utterances=(real.utterances[0], lost, *real.utterances[2:]))
    with pytest.raises(AudioError, match=r"1 of 4 recordings .* moved-away.wav.*; put them back"):
        degraded_set(gone, Noise(10.0))


def test_presets_are_found_by_name():
    assert known_degradation("noise-10dB") == Noise(10.0)
    assert known_degradation("reverberation-0.4s") == Reverberation(0.4)
    with pytest.raises(UserError, match="unknown degradation 'nois-10dB': did you mean 'noise-10d"):
        known_degradation("nois-10dB")


@pytest.mark.parametrize("ratio", [-101.0, 1e9, float("nan"), float("inf")])
def test_impossible_ratios_are_refused(ratio):
    with pytest.raises(UserError, match=r"signal-to-noise ratio of .* from -100 to 100 dB"):
        Noise(ratio)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 0.01, 11.0, float("nan")])
def test_impossible_reverberation_times_are_refused(seconds):
    with pytest.raises(UserError, match=r"reverberation time of .* from 0.05 to 10 s"):
        Reverberation(seconds)


@pytest.mark.corpus
def test_a_real_recording_in_noise(data_root):
    path = min((data_root / "emodb").rglob("*.wav"))
    clean = AudioFile(path).waveform(RATE)
    noise = Degraded(AudioFile(path), Noise(10.0)).waveform(RATE) - clean
    assert decibels(clean) - decibels(noise) == pytest.approx(10, abs=0.1)
