"""Speech with moved formants: nothing changes at a power of 1, and formants move as they should."""

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from synth_data.mcadams import McAdams, moved

RATE = 16_000


def vowel(hertz: float, seconds: float = 0.6) -> np.ndarray:
    """Pulses of 120 Hz through a single resonance."""
    pulses = np.zeros(round(seconds * RATE))
    pulses[:: RATE // 120] = 1.0
    angle = 2 * np.pi * hertz / RATE
    noise = 0.01 * np.random.default_rng(0).standard_normal(len(pulses))
    return lfilter([1.0], [1.0, -2 * 0.97 * np.cos(angle), 0.97**2], pulses + noise)


def peak(waveform: np.ndarray) -> float:
    """Of the spectrum's envelope, in Hz."""
    spectrum = np.abs(np.fft.rfft(waveform[2000:-2000])) ** 2
    smooth = np.convolve(spectrum, np.ones(101) / 101, "same")
    hertz = np.fft.rfftfreq(len(waveform) - 4000, 1 / RATE)
    return float(hertz[smooth.argmax()])


def test_a_power_of_one_changes_nothing():
    sound = vowel(1500)
    assert np.allclose(moved(sound, RATE, 1.0), sound, atol=0.02 * np.abs(sound).max())


@pytest.mark.parametrize(("hertz", "power"), [(1500, 0.8), (1500, 0.6), (800, 0.8)])
def test_a_formant_moves_to_the_power_of_its_angle(hertz, power):
    wanted = (2 * np.pi * hertz / RATE) ** power * RATE / (2 * np.pi)
    assert peak(vowel(hertz)) == pytest.approx(hertz, rel=0.1)
    assert peak(moved(vowel(hertz), RATE, power)) == pytest.approx(wanted, rel=0.1)


def test_it_is_as_long_and_as_loud_and_the_same_every_time():
    sound = torch.from_numpy(vowel(1000)).float()
    one, again = (McAdams()(sound, RATE, torch.Generator().manual_seed(3)) for _ in range(2))
    other = McAdams()(sound, RATE, torch.Generator().manual_seed(4))
    assert one.shape == sound.shape
    assert one.dtype == sound.dtype
    assert float(one.std()) == pytest.approx(float(sound.std()), rel=1e-4)
    assert torch.equal(one, again)
    assert not torch.allclose(one, other, atol=1e-3)


def test_silence_stays_silence():
    silent = McAdams()(torch.zeros(4000), RATE, torch.Generator().manual_seed(0))
    assert torch.equal(silent, torch.zeros(4000))
