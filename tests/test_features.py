"""Features: against a slow independent reference, stored numbers, and the recipe's promises."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from golden.make_log_mel import FILE, RECIPE, slow_log_mel, waveform

from synth_data.features import FEATURES, FeatureSpec
from synth_data.pure_torchaudio import MelSpectrogram

RAW = FeatureSpec(**RECIPE)


def noise(samples: int, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(samples, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("spec", FEATURES.values(), ids=FEATURES)
def test_shape_whatever_the_length(spec):
    for seconds in (0.3, 3.0, 12.0):
        features = spec(noise(int(seconds * spec.sample_rate)))
        assert features.shape == spec.shape
        assert features.dtype == torch.float32
        assert features.isfinite().all()
        assert features.is_contiguous()


@pytest.mark.parametrize(
    "change",
    [{}, {"mels": 40, "f_min": 300.0, "f_max": 3_400.0}, {"window": 0.032, "floor": 1e-3}],
    ids=["golden", "telephone", "long window"],
)
def test_equals_the_slow_reference(change):
    recipe = {k: v for k, v in (RECIPE | change).items() if k not in ("frames", "normalisation")}
    slow = torch.from_numpy(slow_log_mel(waveform(), **recipe)).float()
    fast = replace(RAW, **change, frames=slow.shape[1])(torch.from_numpy(waveform()))
    torch.testing.assert_close(fast, slow, atol=1e-3, rtol=0)


def test_equals_the_stored_numbers():
    features = RAW(torch.from_numpy(waveform()))
    stored = torch.tensor(json.loads(FILE.read_text()))
    torch.testing.assert_close(features[::7, ::5], stored, atol=1e-3, rtol=0)


def test_a_tone_is_in_its_band():
    tone = 0.5 * torch.sin(2 * torch.pi * 1000 * torch.arange(16_000) / 16_000)
    mel_edges = np.linspace(*(2595 * np.log10(1 + f / 700) for f in (50, 8_000)), 66)
    band = np.abs(mel_edges[1:-1] - 2595 * np.log10(1 + 1000 / 700)).argmin()
    assert (RAW(tone).argmax(dim=0)[2:-2] == band).all()


def test_utterance_normalisation_is_before_the_length_is_fitted():
    speech = noise(32_000) * torch.linspace(1, 0.01, 32_000)
    whole = replace(RAW, normalisation="utterance", frames=201)
    normal = whole(speech)
    assert normal.mean() == pytest.approx(0, abs=1e-5)
    assert normal.std() == pytest.approx(1, abs=1e-5)
    middle = replace(whole, frames=101)(speech)
    torch.testing.assert_close(middle, normal[:, 50:151])
    assert middle.std() != pytest.approx(1, abs=1e-2)  # it was not normalised again


def test_training_normalisation_leaves_the_logarithms():
    speech = noise(16_000)
    raw, normal = RAW(speech), replace(RAW, normalisation="utterance", frames=101)(speech)
    whole = replace(RAW, frames=101)(speech)
    centred = whole - whole.mean(dim=1, keepdim=True)
    torch.testing.assert_close(normal, centred / centred.std())
    torch.testing.assert_close(raw, whole[:, 25:76])


def test_a_short_utterance_is_repeated():
    speech = noise(8_000)  # 51 frames
    once = RAW(speech)
    long = replace(RAW, frames=120)(speech)
    torch.testing.assert_close(long, torch.cat([once, once, once[:, :18]], dim=1))


def test_loudness_does_not_matter_after_utterance_normalisation():
    spec = replace(RAW, normalisation="utterance")
    speech = noise(16_000)
    torch.testing.assert_close(spec(speech), spec(8 * speech), atol=1e-3, rtol=0)
    # Control: it does before.
    assert (RAW(8 * speech) - RAW(speech)).mean() == pytest.approx(2 * np.log(8), abs=1e-2)


def test_schuller64_is_as_published():
    """512 samples every 256; of 95,744, the frames that need nothing beyond either end."""
    spec, speech = FEATURES["schuller64"], noise(95_744)
    assert (spec.sample_rate, spec.shape) == (16_000, (64, 373))
    power = MelSpectrogram(
        n_fft=512, hop_length=256, n_mels=64, f_min=spec.f_min, f_max=spec.f_max, center=False
    )
    torch.testing.assert_close(spec(speech), torch.log(power(speech) + spec.floor))


@pytest.mark.parametrize("samples", [1, 7, 199, 200, 201, 399, 400])
def test_very_short_input_is_finite(samples):
    features = RAW(noise(samples))
    assert features.shape == RAW.shape
    assert features.isfinite().all()


def test_digest_changes_with_every_field():
    changed = {
        "sample_rate": 8_000,
        "window": 0.020,
        "hop": 0.008,
        "mels": 65,
        "f_min": 51.0,
        "f_max": 7_000.0,
        "floor": 1e-7,
        "frames": 52,
        "normalisation": "utterance",
    }
    assert {field.name for field in fields(FeatureSpec)} == set(changed)
    digests = {replace(RAW, **{name: value}).digest() for name, value in changed.items()}
    assert len(digests | {RAW.digest()}) == len(changed) + 1
    assert RAW.digest() == FeatureSpec(**RECIPE).digest()
