"""A model of one's own on a synthetic set: `examples/train_on_a_set.py`, without the package."""

import json
import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from felt_sets import felt_set, set_of_both
from safetensors.torch import load_file
from scripts import script
from small_sets import small_set
from trees import noise

from synth_data.codecs import FRAMES, NUMBERS, Packed, codec_of
from synth_data.synthetic import SyntheticSet

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_train_on_a_set_recognises(tmp_path, monkeypatch, capsys):
    small_set().save(tmp_path / "set")
    noise(tmp_path / "one.wav")
    sweep = np.sin(np.cumsum(np.linspace(0.05, 1.0, 8000)))
    soundfile.write(tmp_path / "two.flac", 0.5 * sweep, 8000)
    recordings = [str(tmp_path / name) for name in ("one.wav", "two.flac")]
    script = str(EXAMPLES / "train_on_a_set.py")
    monkeypatch.setattr(sys, "argv", [script, str(tmp_path / "set"), *recordings, "--steps", "3"])
    runpy.run_path(script, run_name="__main__")
    first, *heard = capsys.readouterr().out.splitlines()
    assert first == "trained on 6 items of anger, neutral, sadness"
    assert len(heard) == 2
    for line, recording in zip(heard, recordings, strict=True):
        assert re.fullmatch(
            rf"{re.escape(recording)}: (anger|neutral|sadness) \([01]\.\d\d\)", line
        )


@pytest.mark.parametrize("numbers", NUMBERS)
@pytest.mark.parametrize("frames", FRAMES)
def test_items_are_those_that_the_package_reads(numbers, frames, tmp_path):
    plain = small_set()
    packed = Packed.of(codec_of(numbers, frames, 1 if frames == "every" else 3), plain.features)
    small_set(features=packed.features(plain.spec.frames), packed=packed).save(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    found = script("train_on_a_set").features_in(load_file(tmp_path / "set.safetensors"), manifest)
    torch.testing.assert_close(found, SyntheticSet.load(tmp_path).features)


@pytest.mark.parametrize("made", [felt_set, set_of_both])
def test_numbers_are_not_taken_for_emotions(made, tmp_path, monkeypatch, capsys):
    made().save(tmp_path / "set")
    monkeypatch.setattr(sys, "argv", ["train_on_a_set.py", str(tmp_path / "set")])
    with pytest.raises(SystemExit):
        runpy.run_path(str(EXAMPLES / "train_on_a_set.py"), run_name="__main__")
    assert "tells valence, activation, dominance, and" in capsys.readouterr().err


def test_a_network_that_makes_items_is_left_to_the_card():
    manifest = {"codec": {"code": 32}, "features": {"frames": 8}}
    with pytest.raises(SystemExit, match="a network makes the items of this set"):
        script("train_on_a_set").features_in({}, manifest)
