"""Features -> sound: what is heard has the features it was made from."""

import io
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from scipy.signal import welch
from torch import Tensor

from synth_data.corpora import CORPORA
from synth_data.corpora.toy import toy_utterances
from synth_data.errors import UserError
from synth_data.features import FEATURES, FeatureSpec
from synth_data.inversion import average_speech, encoded, restored, waveform, waveforms
from synth_data.transforms import Standardise

pytestmark = pytest.mark.as_it_is

SPEC = FEATURES["logmel64"]


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def toy_features(spec: FeatureSpec) -> Tensor:
    """Of a woman and a man, in two emotions each."""
    speech = toy_utterances(2, 1)[::2]
    return torch.stack([spec(utterance.audio.waveform(spec.sample_rate)) for utterance in speech])


def likeness(sounds: Tensor, features: Tensor, spec: FeatureSpec) -> Tensor:
    """Correlation of each sound's features with these, after each band's mean is taken off."""
    heard = torch.stack([spec(sound) for sound in sounds])
    pairs = zip(_centred(heard), _centred(features), strict=True)
    return torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in pairs])


def _centred(features: Tensor) -> Tensor:
    return (features - features.mean(dim=2, keepdim=True)).flatten(1)


@pytest.mark.parametrize("spec", FEATURES.values(), ids=FEATURES)
def test_sound_has_the_features_it_was_made_from(spec):
    features = toy_features(spec)
    sounds = waveforms(features, spec, draws())
    assert likeness(sounds, features, spec).min() > 0.9
    # Controls: neither noise, nor the frames in another order, nor another utterance, is like it.
    noise = torch.randn(sounds.shape, generator=draws())
    assert likeness(noise, features, spec).max() < 0.2
    order = torch.randperm(features.shape[2], generator=draws())
    assert likeness(waveforms(features[..., order], spec, draws()), features, spec).max() < 0.2
    assert likeness(sounds.flip(0), features, spec).max() < 0.3


@pytest.mark.parametrize("spec", FEATURES.values(), ids=FEATURES)
def test_length_and_peak(spec):
    features = toy_features(spec)
    sounds = waveforms(features, spec, draws())
    assert sounds.shape[1] / spec.sample_rate == pytest.approx(spec.frames * spec.hop, abs=1e-3)
    peaks = 20 * sounds.abs().amax(dim=1).log10()
    torch.testing.assert_close(peaks, torch.full((len(features),), -3.0), atol=1e-3, rtol=0)


@pytest.mark.corpus
def test_recordings_are_recovered_too(data_root):
    utterances = CORPORA["emodb"].read(data_root / "emodb", False)[:3]
    features = torch.stack([SPEC(u.audio.waveform(SPEC.sample_rate)) for u in utterances])
    assert likeness(waveforms(features, SPEC, draws()), features, SPEC).min() > 0.95


def test_an_item_without_modulation_sounds_like_average_speech():
    sound = waveform(torch.zeros(SPEC.shape), SPEC, draws())
    hertz, density = welch(sound.numpy(), SPEC.sample_rate, nperseg=400)
    speech = (hertz >= 100) & (hertz <= 7_500)
    expected = average_speech(torch.from_numpy(hertz)).numpy()
    difference = 10 * np.log10(density / expected)[speech]
    assert np.ptp(10 * np.log10(expected[speech])) > 25
    assert difference.std() < 1.5


def test_logarithms_keep_their_own_timbre():
    spec = FEATURES["logmel64-training"]
    rising = torch.linspace(-6, 0, spec.mels)[:, None].expand(spec.shape)
    heard = spec(waveform(rising, spec, draws())).mean(dim=1)
    assert torch.corrcoef(torch.stack([heard, rising[:, 0]]))[0, 1] > 0.95
    # Control: without levels of its own, the same item is dominated by those of average speech.
    normal = replace(spec, normalisation="utterance")
    average = spec(waveform(0.1 * rising, normal, draws())).mean(dim=1)
    assert torch.corrcoef(torch.stack([average, rising[:, 0]]))[0, 1] < 0


def test_transforms_are_undone_from_the_last_to_the_first():
    features = torch.randn(2, 2, 3, generator=draws())
    first = Standardise(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
    last = Standardise(torch.tensor([-1.0, 5.0]), torch.tensor([0.5, 2.0]))
    torch.testing.assert_close(restored(last(first(features)), (first, last)), features)
    assert not torch.allclose(restored(first(last(features)), (first, last)), features, atol=0.1)


@pytest.mark.parametrize("normalisation", ["utterance", "training"])
@pytest.mark.parametrize("value", [0.0, -1e4, 1e4, 3e38, -3e38])
def test_constant_and_extreme_items_are_finite(value, normalisation):
    spec = replace(SPEC, frames=20, normalisation=normalisation)
    items = torch.full((2, *spec.shape), value)
    items[1, 3, 7] = -value
    sounds = waveforms(items, spec, draws())
    assert sounds.isfinite().all()
    assert (sounds.abs().amax(dim=1) > 0.7).all()


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_short_items(frames):
    spec = replace(SPEC, frames=frames)
    sound = waveform(torch.zeros(spec.shape), spec, draws())
    assert sound.shape == (frames * 160,)
    assert sound.isfinite().all()


@pytest.mark.filterwarnings("ignore:At least one mel filterbank has all zero values")
@pytest.mark.parametrize(
    "change",
    [{"window": 0.004, "hop": 0.002, "mels": 80}, {"f_min": 100.0, "f_max": 110.0, "mels": 3}],
    ids=["some", "all"],
)
def test_bands_that_hold_no_frequency(change):
    spec = replace(SPEC, frames=50, **change)
    assert waveform(torch.zeros(spec.shape), spec, draws()).isfinite().all()


def test_the_generator_decides_and_no_other():
    item = toy_features(FEATURES["logmel64-short"])[0]
    spec = FEATURES["logmel64-short"]
    before = torch.get_rng_state()
    sound = waveform(item, spec, draws())
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert torch.equal(waveform(item, spec, draws()), sound)
    assert not torch.allclose(waveform(item, spec, draws(1)), sound, atol=0.01)


def test_gaps_between_windows_are_refused():
    spec = replace(SPEC, window=0.010, hop=0.010)
    with pytest.raises(UserError, match=r"window of 0.01 s and a hop of 0.01 s .* at most half"):
        waveform(torch.zeros(spec.shape), spec, draws())


@pytest.mark.parametrize(
    ("rate", "mp3", "media", "format_name"),
    [
        (16_000, True, "audio/mpeg", "MP3"),
        (16_000, False, "audio/wav", "WAV"),
        (10_000, True, "audio/wav", "WAV"),
    ],
    ids=["MP3", "an old libsndfile", "no rate of MP3"],
)
def test_encoded_sound_is_decoded(monkeypatch, rate, mp3, media, format_name):
    if mp3 and "MP3" not in soundfile.available_formats():
        pytest.skip("this libsndfile has no MP3")
    if not mp3:
        monkeypatch.setattr(soundfile, "available_formats", lambda: {"WAV": "WAV (Microsoft)"})
    sound = toy_utterances(1, 1)[0].audio.waveform(rate)
    content, found = encoded(sound, rate)
    assert found == media
    with soundfile.SoundFile(io.BytesIO(content)) as file:
        assert (file.format, file.samplerate, file.channels) == (format_name, rate, 1)
        decoded = file.read(dtype="float32")
    assert len(decoded) == len(sound)
    assert np.corrcoef(decoded, sound.numpy())[0, 1] > 0.98
    if found == "audio/mpeg":
        assert len(content) < len(sound) / 2  # bytes: a quarter of 16-bit samples
