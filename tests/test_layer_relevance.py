"""The layers that carry a dimension are found: where it was put there, and where it is learned."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import run_here
from jaxtyping import Float
from scripts import script
from sklearn.linear_model import Ridge
from torch import Tensor

from evaluation.concordance import ccc
from evaluation.systems.encoders import SpeechEncoder, open_speech
from evaluation.systems.layer_plot import picture
from evaluation.systems.layer_relevance import LayerRelevance, layer_relevance
from evaluation.systems.layer_weights import Mixing
from evaluation.systems.ridge import PENALTIES
from synth_data.console import run
from synth_data.corpora import CORPORA
from synth_data.corpora.toy_words import TOY_WORDS, WORDS, toy_word_utterances
from synth_data.errors import UserError
from synth_data.protocol import leave_one_out, speaker_dependent
from synth_data.utterance import AudioFile, Utterance

training = script("train_word_encoder")
command = script("layer_relevance")

QUICK = Mixing(steps=60)
STATES, WIDTH = 4, 6
PROTOCOL = TOY_WORDS.protocols["four-speaker-folds"]


@pytest.fixture(scope="module")
def corpus() -> list[Utterance]:
    return sorted(TOY_WORDS.read(None, False), key=lambda utterance: utterance.name)


@pytest.fixture(scope="module")
def planted(corpus: list[Utterance]) -> Float[Tensor, "n state dim"]:
    """Noise; but state 1 tells activation and state 3 valence, and loud states tell nothing."""
    random = torch.Generator().manual_seed(0)
    states = torch.randn(len(corpus), STATES, WIDTH, generator=random)
    for state, dimension in ((1, "activation"), (3, "valence")):
        numbers = torch.tensor([getattr(utterance, dimension) for utterance in corpus])
        states[:, state, 2] = 0.01 * (numbers + 0.3 * states[:, state, 2])
    states[:, 0] *= 100
    return states


def asked(
    states: Float[Tensor, "n state dim"], utterances: Sequence[Utterance], **given: object
) -> LayerRelevance:
    return layer_relevance(
        states, utterances, PROTOCOL, "made up", "toy-words", **{"mixing": QUICK} | given
    )


@pytest.fixture(scope="module")
def found(planted: Float[Tensor, "n state dim"], corpus: list[Utterance]) -> LayerRelevance:
    return asked(planted, corpus)


@pytest.mark.parametrize(("dimension", "state"), [("activation", 1), ("valence", 3)])
def test_what_was_planted_is_found(found: LayerRelevance, dimension: str, state: int) -> None:
    one = found.of(dimension)
    assert one.best == state == int(np.argmax(one.weights))
    assert one.probed[state].value > 0.9
    assert one.mixed.value > 0.9
    assert one.weights[state] > 0.6
    assert sum(one.weights) == pytest.approx(1)
    for other in set(range(STATES)) - {state}:
        assert abs(one.probed[other].value) < 0.2
    low, high = one.probed[state].interval
    assert low < one.probed[state].value < high


def test_deep_and_shallow_are_told_apart(found: LayerRelevance) -> None:
    assert found.of("valence").depth > found.of("activation").depth + 1
    apart = found.of("valence").last_over_first
    first, *_, last = found.of("valence").probed
    assert apart.value == pytest.approx(last.value - first.value)
    assert apart.interval[0] > 0.5
    # The pitch half of dominance is nowhere, the other half is where activation is.
    assert found.of("dominance").best == found.of("activation").best


def test_probe_is_the_best_ridge_regression(
    planted: Float[Tensor, "n state dim"], corpus: list[Utterance], found: LayerRelevance
) -> None:
    """Against scikit-learn, fold by fold."""
    truth = np.array([utterance.dominance for utterance in corpus])[:, None]
    told = np.zeros_like(truth)
    for fold in PROTOCOL.folds(corpus):
        train, validation, test = map(list, (fold.train, fold.validation, fold.test))
        read = planted[:, 1].double().numpy()
        read = (read - read[train].mean(axis=0)) / read[train].std(axis=0)
        fitted = [Ridge(penalty).fit(read[train], truth[train]) for penalty in PENALTIES]
        said = [one.predict(read).reshape(-1, 1) for one in fitted]
        told[test] = max(said, key=lambda one: ccc(truth[validation], one[validation])[0])[test]
    assert found.of("dominance").probed[1].value == pytest.approx(ccc(truth, told)[0], abs=1e-9)


def test_same_seed_same_numbers(
    planted: Float[Tensor, "n state dim"], corpus: list[Utterance], found: LayerRelevance
) -> None:
    assert asked(planted, corpus, dimensions=["valence"]).dimensions == (found.of("valence"),)


def test_who_lacks_a_dimension_is_left_out_of_it(
    planted: Float[Tensor, "n state dim"], corpus: list[Utterance]
) -> None:
    partly = [
        replace(utterance, valence=None) if row % 3 else utterance
        for row, utterance in enumerate(corpus)
    ]
    found = asked(planted, partly, dimensions=["valence", "activation"])
    assert found.of("valence").utterances == -(-len(corpus) // 3)
    assert found.of("activation").utterances == len(corpus)
    assert found.of("valence").best == 3
    nobody = [replace(utterance, dominance=None) for utterance in corpus]
    with pytest.raises(UserError, match="dominance is known of 0 utterances on the train side of"):
        asked(planted, nobody)


def test_speakers_must_be_apart(
    planted: Float[Tensor, "n state dim"], corpus: list[Utterance]
) -> None:
    with pytest.raises(UserError, match="speaker-dependent-5-fold tests speakers that it trains"):
        layer_relevance(planted, corpus, speaker_dependent(), "made up", "toy-words")


def test_a_single_tested_speaker_has_no_interval(
    planted: Float[Tensor, "n state dim"], corpus: list[Utterance]
) -> None:
    alone = replace(
        leave_one_out("speaker"), folds=lambda rows: leave_one_out("speaker").folds(rows)[:1]
    )
    found = layer_relevance(
        planted, corpus, alone, "made up", "toy-words", ["valence"], mixing=QUICK
    )
    assert found.of("valence").speakers == 1
    assert {one.interval for one in found.of("valence").probed} == {None}
    assert "[" not in found.table()
    assert ET.fromstring(picture(found)).tag.endswith("svg")


def test_table_json_and_picture(found: LayerRelevance) -> None:
    lines = found.table().splitlines()
    assert len(lines) == 2 + STATES + 2
    assert all(line.count("|") == lines[0].count("|") for line in lines)
    content = json.loads(found.to_json())
    assert [one["best"] for one in content["dimensions"]] == [3, 1, 1]
    assert content["dimensions"][0]["probed"][3]["value"] == found.of("valence").probed[3].value
    assert ET.fromstring(picture(found)).tag.endswith("svg")
    assert picture(found) == picture(found)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders of both encoders, the one of speech almost untrained."""
    folder = tmp_path_factory.mktemp("untrained")
    heard = training.sentences(1, 1, 9)
    training.save_speech_encoder(training.train(heard, layers=2, epochs=1), folder / "speech")
    training.save_text_encoder(folder / "text")
    return folder


@pytest.fixture(scope="module")
def encoder(untrained: Path) -> SpeechEncoder:
    return open_speech(str(untrained / "speech"))


def test_states_of_all_layers(encoder: SpeechEncoder, corpus: list[Utterance]) -> None:
    states = encoder.states(corpus[0])
    assert encoder.layers == 2
    assert states.shape[0] == 3
    assert states.shape[2] == training.HIDDEN
    assert states.shape[1] == len(training.frames_of(corpus[0].audio).words)
    pooled = encoder.pooled(corpus[:3])
    assert pooled.shape == (3, 3, training.HIDDEN)
    torch.testing.assert_close(pooled[0], states.mean(dim=1))


def test_the_shortest_and_the_longest_utterances(encoder: SpeechEncoder, tmp_path: Path) -> None:
    import soundfile

    for samples, frames in ((400, 1), (40 * 16_000, 30 * 50)):
        soundfile.write(tmp_path / "a.wav", np.sin(np.arange(samples)) / 2, 16_000)
        said = Utterance("a", AudioFile(tmp_path / "a.wav"), "calm", "a")
        assert encoder.states(said).shape[1] == pytest.approx(frames, abs=2)


def test_what_is_no_speech_encoder(untrained: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no speech encoder, its config"):
        open_speech(str(untrained / "text"))
    (tmp_path / "config.json").write_text((untrained / "speech" / "config.json").read_text())
    with pytest.raises(UserError, match="no weights as safetensors"):
        open_speech(str(tmp_path))
    with pytest.raises(UserError, match="there is no such folder"):
        open_speech(str(tmp_path / "elsewhere"))


def test_the_text_encoder_tells_words_apart(untrained: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    tokeniser = AutoTokenizer.from_pretrained(untrained / "text")
    network = AutoModel.from_pretrained(untrained / "text").eval()
    with torch.no_grad():
        states = network(**tokeniser(list(WORDS), return_tensors="pt")).last_hidden_state[:, 1]
    assert tokeniser("silelo sulelo")["input_ids"] == [2, 5, 34, 3]
    apart = torch.cdist(states, states) + 100 * torch.eye(len(WORDS))
    assert apart.min() > 1


@pytest.mark.slow
def test_commands(tmp_path: Path, monkeypatch, capsys) -> None:
    corpus = replace(TOY_WORDS, read=lambda *_: toy_word_utterances(4, 2))
    monkeypatch.setitem(CORPORA, "toy-words", corpus)
    monkeypatch.setattr(training, "UNSEEN", 1)
    made = ("--out", tmp_path / "encoders", "--speakers", 1, "--epochs", 1)
    outcome = run_here(lambda: run(training.app), made, monkeypatch, capsys)
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("word accuracy on 1 unseen speakers: 0.")
    words = ("--encoder", tmp_path / "encoders" / "speech", "--out", tmp_path / "layers")
    words += ("--protocol", "leave-one-speaker-out")
    outcome = run_here(lambda: run(command.app), words, monkeypatch, capsys)
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "layers" / "layers.md").read_text() == outcome.out
    assert json.loads((tmp_path / "layers" / "layers.json").read_text())["encoder"] == "speech"
    assert (tmp_path / "layers" / "layers.svg").exists()
    words = ("--encoder", tmp_path / "nowhere")
    assert run_here(lambda: run(command.app), words, monkeypatch, capsys).code == 2


@pytest.mark.slow
def test_words_are_deep_and_energy_is_shallow(word_encoder: Path, corpus: list[Utterance]) -> None:
    """What is known of `toy-words` is found in an encoder that was trained to hear words."""
    encoder = open_speech(str(word_encoder / "speech"))
    found = layer_relevance(encoder.pooled(corpus), corpus, PROTOCOL, encoder.name, "toy-words")
    valence, activation = found.of("valence"), found.of("activation")
    assert valence.best == encoder.layers
    assert activation.best <= 2
    assert valence.last_over_first.interval[0] > 0.4
    assert activation.last_over_first.interval[1] < -0.1
    assert valence.probed[0].value < 0.2
    assert valence.mixed.value > 0.7
    assert valence.depth > 3 > 1.5 > activation.depth
