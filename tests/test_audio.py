"""Audio: every format, rate and defect that a published corpus has."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from trees import without_length

from synth_data import audio
from synth_data.errors import AudioError

RATE = 16_000


def tone(frequency: float = 440.0, rate: int = RATE, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(round(rate * seconds)) / rate
    return (0.5 * np.sin(2 * np.pi * frequency * time)).astype(np.float32)


def written(path: Path, samples: np.ndarray, rate: int = RATE, **how: str) -> Path:
    soundfile.write(path, samples, rate, **how)
    return path


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("a.wav", {}),
        ("a.flac", {}),
        ("a.ogg", {"subtype": "VORBIS"}),
        ("aiff-inside.wav", {"format": "AIFF"}),
        ("float.wav", {"subtype": "FLOAT"}),
        ("no-suffix", {"format": "WAV"}),
    ],
)
def test_formats(tmp_path, name, how):
    waveform = audio.read(written(tmp_path / name, tone(), **how), RATE)
    assert waveform.dtype == torch.float32
    tolerance = 0.02 if name == "a.ogg" else 1e-4
    torch.testing.assert_close(waveform, torch.from_numpy(tone()), atol=tolerance, rtol=0)


def test_channels_are_averaged(tmp_path):
    left, right = tone(300), tone(700)
    waveform = audio.read(written(tmp_path / "a.wav", np.stack([left, right], axis=1)), RATE)
    expected = torch.from_numpy((left + right) / 2)
    torch.testing.assert_close(waveform, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("rate", [8_000, 22_050, 24_414, 44_100, 48_000, 96_000])
def test_resampling_keeps_frequency_and_amplitude(tmp_path, rate):
    path = written(tmp_path / "a.wav", tone(1_000, rate), rate)
    waveform = audio.read(path, RATE)
    assert abs(len(waveform) - RATE) <= 1
    middle = slice(1_000, 15_000)  # the filter rings at both ends
    expected = torch.from_numpy(tone(1_000))
    torch.testing.assert_close(waveform[middle], expected[middle], atol=2e-3, rtol=0)


@pytest.mark.parametrize("rate", [24_414, 48_000])
def test_resampling_keeps_out_what_does_not_fit(rate):
    beyond = audio.resample(torch.from_numpy(tone(9_500, rate)), rate, RATE)
    assert beyond[1_000:-1_000].abs().max() < 0.005
    within = audio.resample(torch.from_numpy(tone(7_000, rate)), rate, RATE)
    assert within[1_000:-1_000].abs().max() > 0.45


def test_parts(tmp_path):
    path = written(tmp_path / "a.wav", tone())
    whole = audio.read(path, RATE)
    torch.testing.assert_close(audio.read(path, RATE, start=0.25, end=0.75), whole[4_000:12_000])
    torch.testing.assert_close(audio.read(path, RATE, start=0.25), whole[4_000:])
    torch.testing.assert_close(audio.read(path, RATE, end=0.75), whole[:12_000])
    # Segment times are rounded: a little beyond the end is the end.
    torch.testing.assert_close(audio.read(path, RATE, start=0.5, end=1.05), whole[8_000:])


@pytest.mark.parametrize(
    ("start", "end"), [(0.5, 1.2), (1.5, None), (1.0, 1.05), (-0.1, 0.5), (0.7, 0.3), (0.5, 0.5)]
)
def test_a_part_outside_is_refused(tmp_path, start, end):
    path = written(tmp_path / "a.wav", tone())
    with pytest.raises(AudioError, match=r"a\.wav: lasts 1\.00 s, so the part from .* s to .* s"):
        audio.read(path, RATE, start=start, end=end)


@pytest.mark.parametrize("name", ["a.wav", "a.aiff"])
def test_empty_is_refused(tmp_path, name):
    with pytest.raises(AudioError, match=r"a\.\w+: empty \(no samples\)"):
        audio.read(written(tmp_path / name, np.zeros(0, np.float32)), RATE)


def test_channels_that_cancel_are_not_called_silent(tmp_path):
    voice = np.sin(np.arange(RATE) / 9).astype(np.float32)
    path = written(tmp_path / "a.wav", np.stack([voice, -voice], axis=1))
    with pytest.raises(AudioError, match=r"a\.wav: its channels cancel each other out"):
        audio.read(path, RATE)


@pytest.mark.parametrize("level", [0.0, 5e-5, 0.3], ids=["zero", "faint", "constant"])
def test_silence_is_refused(tmp_path, level):
    path = written(tmp_path / "a.wav", np.full(RATE, level, np.float32), subtype="FLOAT")
    with pytest.raises(AudioError, match=r"a\.wav: silent"):
        audio.read(path, RATE)


def test_quiet_speech_is_not_silence(tmp_path):
    quiet = audio.read(written(tmp_path / "a.wav", 0.002 * tone()), RATE)
    assert 0 < float(quiet.abs().max()) < 0.01


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_refused(tmp_path, value):
    samples = tone()
    samples[100] = value
    with pytest.raises(AudioError, match=r"a\.wav: holds values that are not finite"):
        audio.read(written(tmp_path / "a.wav", samples, subtype="FLOAT"), RATE)


@pytest.mark.parametrize("content", [b"", b"not audio at all", b"RIFF\x10\0\0\0WAVEfmt "])
def test_what_is_not_audio_is_refused(tmp_path, content):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=r"a\.wav: cannot be read as audio"):
        audio.read(path, RATE)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg"])
def test_a_file_cut_off_is_refused(tmp_path, name):
    random = np.random.default_rng(0)
    path = written(tmp_path / name, 0.1 * random.standard_normal(2 * RATE))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(AudioError, match=r"truncated|empty|cannot be read as audio"):
        audio.read(path, RATE)


def test_a_wav_cut_off_says_what_is_there(tmp_path):
    path = written(tmp_path / "a.wav", tone())
    path.write_bytes(path.read_bytes()[:16_044])
    with pytest.raises(AudioError, match=r"truncated .*says 32000 bytes of samples, 16000 are"):
        audio.read(path, RATE)


def test_a_streamed_wav_without_a_length_is_read(tmp_path):
    path = written(tmp_path / "a.wav", tone())
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"  # as ffmpeg writes to a pipe
    path.write_bytes(content)
    assert len(audio.read(path, RATE)) == RATE


@pytest.mark.parametrize("rate", [8_000, 48_000])
def test_less_than_a_window_is_refused(tmp_path, rate):
    least = round(0.025 * rate)
    for name, samples in (("a.wav", 2), ("b.wav", least - 1)):
        with pytest.raises(AudioError, match=rf"{name}: too short .{samples} samples, .* 25 ms"):
            audio.read(written(tmp_path / name, tone(rate=rate)[:samples], rate), RATE)
    path = written(tmp_path / "c.wav", tone(rate=rate), rate)
    assert len(audio.read(written(tmp_path / "d.wav", tone(rate=rate)[:least], rate), RATE)) == 400
    with pytest.raises(AudioError, match=r"c\.wav: too short .* 10 ms; 25 ms or more"):
        audio.read(path, RATE, start=0.5, end=0.51)


def test_a_flac_without_a_length_is_refused(tmp_path):
    path = without_length(written(tmp_path / "a.flac", tone()))
    with pytest.raises(AudioError, match=r"a\.flac: its header gives no length.*`ffmpeg -i"):
        audio.read(path, RATE)


@pytest.mark.parametrize("error", [MemoryError("cannot hold it"), ValueError("too many")])
def test_what_reading_throws_names_the_file(tmp_path, monkeypatch, error):
    path = written(tmp_path / "a.wav", tone())

    def read(*_args, **_settings):
        raise error

    monkeypatch.setattr(soundfile.SoundFile, "read", read)
    with pytest.raises(AudioError, match=rf"a\.wav: cannot be read as audio .{error}"):
        audio.read(path, RATE)


def test_a_damaged_flac_is_refused(tmp_path):
    random = np.random.default_rng(0)
    path = written(tmp_path / "a.flac", 0.1 * random.standard_normal(RATE))
    content = bytearray(path.read_bytes())
    content[10_000:10_400] = bytes(400)
    path.write_bytes(content)
    with pytest.raises(AudioError, match=r"a\.flac: cannot be read as audio"):
        audio.read(path, RATE)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(AudioError, match=r"absent\.wav: cannot be read as audio .*No such file"):
        audio.read(tmp_path / "absent.wav", RATE)


@pytest.mark.corpus
def test_48_khz_originals_sound_like_their_16_khz_copies(data_root):
    originals = sorted((data_root / "ravdess-original").rglob("*.wav"))
    pairs = [
        (original, copy)
        for original in originals
        if (copy := data_root / "ravdess" / original.parent.name / f"{original.stem}.flac").exists()
    ]
    if not pairs:
        pytest.skip("no recording is there both as published and at 16 kHz")
    for original, copy in pairs:
        ours, theirs = audio.read(original, RATE), audio.read(copy, RATE)
        length = min(len(ours), len(theirs))
        assert abs(len(ours) - len(theirs)) <= 2
        correlation = torch.corrcoef(torch.stack([ours[:length], theirs[:length]]))[0, 1]
        assert correlation > 0.999, original.name
        assert ours.std() / theirs.std() == pytest.approx(1, abs=0.02)


def test_a_rate_that_is_none(tmp_path):
    path = tmp_path / "odd.wav"
    soundfile.write(path, np.ones(2000, dtype=np.float32), 500)
    with pytest.raises(AudioError, match="its header says 500 Hz, which is no sampling rate"):
        audio.read(path, 16_000)
