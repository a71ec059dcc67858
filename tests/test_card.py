"""The dataset card: valid, honest, and its code runs."""

import json
import re
from typing import get_args

import pytest
import torch
from small_sets import SPEC, provenance, small_set

from synth_data import pure_torchaudio  # noqa: F401  the card's code imports torchaudio
from synth_data.card import SHARING
from synth_data.corpora.facts import Derivatives
from synth_data.features import FEATURES


def card_of(folder, **changes) -> str:
    small_set(**changes).save(folder)
    return (folder / "README.md").read_text()


def code(card: str) -> list[str]:
    return re.findall(r"```python\n(.*?)\n```", card, flags=re.DOTALL)


def test_front_matter_is_valid_yaml(tmp_path):
    title = 'A "quoted": title # with\n--- traps'
    card = card_of(tmp_path / "set", provenance=provenance(corpus_title=title))
    opening, *lines = card.split("\n")[:9]
    assert opening == "---"
    assert lines[-1] == "---"
    # Each line is `key: JSON`, and JSON is YAML.
    entries = {
        key: json.loads(value) for key, value in (line.split(": ", 1) for line in lines[:-1])
    }
    assert entries["pretty_name"].endswith(title)
    assert entries["license"] == "other"
    assert entries["license_name"] == provenance().licence
    assert entries["task_categories"] == ["audio-classification"]
    assert entries["size_categories"] == ["n<1K"]


def test_the_example_trains_a_model(tmp_path, monkeypatch):
    card = card_of(tmp_path / "set")
    monkeypatch.chdir(tmp_path / "set")
    names: dict[str, object] = {}
    torch.manual_seed(0)
    exec(code(card)[0], names)
    predicted = names["model"](small_set().features).argmax(dim=1)
    assert torch.equal(predicted, small_set().targets.argmax(dim=1))


@pytest.mark.parametrize("spec", [SPEC, FEATURES["logmel64"]], ids=["training", "utterance"])
@pytest.mark.parametrize("seconds", [0.05, 1.0, 5.0])
def test_the_recipe_is_that_of_the_package(tmp_path, monkeypatch, spec, seconds):
    transforms = small_set().transforms if spec is SPEC else ()
    features = torch.zeros(6, *spec.shape)
    synthetic = small_set(spec=spec, features=features, transforms=transforms)
    synthetic.save(tmp_path / "set")
    monkeypatch.chdir(tmp_path / "set")
    waveform = 0.1 * torch.randn(
        round(seconds * spec.sample_rate), generator=torch.Generator().manual_seed(0)
    )
    names: dict[str, object] = {"waveform": waveform}
    card = (tmp_path / "set" / "README.md").read_text()
    exec(code(card)[0] + "\n" + code(card)[1], names)
    expected = synthetic.transform(spec(waveform)[None])[0]
    assert torch.allclose(names["features"], expected, atol=1e-6)


def test_accuracy_is_the_estimate_or_how_to_get_one(tmp_path):
    fold = card_of(tmp_path / "fold")
    assert "the training side of fold 3 (leave-one-speaker-out) of EmoDB" in fold
    assert "Evaluate it with `evaluate-data` on speakers that it was not made from" in fold
    every = card_of(tmp_path / "all", provenance=provenance(fold=None))
    assert "`distill-data --resume --fold all`" in every
    quoted = card_of(tmp_path / "est", provenance=provenance(fold=None, estimate="UAR 0.61 ± 0.02"))
    assert "UAR 0.61 ± 0.02" in quoted
    assert "cannot be evaluated on them" in quoted


def test_privacy_is_not_claimed(tmp_path):
    card = card_of(tmp_path / "set")
    assert "No formal guarantee: distillation by itself guarantees nothing" in card
    assert not re.search("anonym|gdpr", card, flags=re.IGNORECASE)


@pytest.mark.parametrize("derivatives", get_args(Derivatives))
def test_every_licence_says_what_it_lets_one_share(tmp_path, derivatives):
    card = card_of(tmp_path / "set", provenance=provenance(derivatives=derivatives))
    assert SHARING[derivatives] in card


def test_what_was_found_is_told(tmp_path):
    card = card_of(tmp_path / "set")
    assert "anger 2, neutral 2, sadness 2" in card
    assert "530 utterances instead of the published 535" in card
    assert "> F. Burkhardt et al.,\n> Interspeech 2005" in card
    assert "start.safetensors" in card
    assert "start.safetensors" not in card_of(tmp_path / "no start", start=None)
