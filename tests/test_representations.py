"""Contracts of every representation, and what each of them promises by itself."""

import logging
import math
import os
from dataclasses import replace
from itertools import product

import pytest
import torch
from fake_speech import fake_speech
from small_encoders import Sound, set_config, speech_encoder, text_encoder
from small_sets import forge, small_set

from distill.engine import distill
from distill.objectives.distribution_matching import DistributionMatching
from distill.outer_loop import Loop
from evaluation.networks import usual_student
from synth_data import corpus as loading
from synth_data.curator import Curator
from synth_data.errors import CorpusError, SetError, UserError
from synth_data.features import FEATURES, FeatureSpec
from synth_data.inspection import describe
from synth_data.pure_torchaudio import kaldi
from synth_data.representation import Representation
from synth_data.representations import PRESETS, Fusion, known_feature, name_of
from synth_data.representations.egemaps import Egemaps
from synth_data.representations.encoder_folder import PLACES
from synth_data.representations.kaldi import KaldiFilterbank
from synth_data.representations.layers import weights_of
from synth_data.synthetic import SyntheticSet
from synth_data.utterance import Utterance

WORDS = {
    **{name: name for name in PRESETS},
    "hubert": "hubert:{hubert}",
    "hubert-layer": "hubert:{hubert},layer=1,pool=statistics",
    "hubert-sequence": "hubert:{hubert},layer=1-2,pool=sequence,frames=20,together=3",
    "wav2vec2": "wav2vec2:{wav2vec2},layer=1/0/2",
    "wavlm": "wavlm:{wavlm},layer=2",
    "text": "text:{text}",
    "text-sequence": "text:{text},layer=1,pool=sequence,frames=9",
    "repeated": "logmel64-short+hubert:{hubert}+text:{text}",
    "side-by-side": "logmel64+fbank80",
    "pooled": "logmel64-short+fbank80+text:{text}",
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    pytest.importorskip("transformers")
    root = tmp_path_factory.mktemp("encoders")
    made = {family: speech_encoder(root / family, family) for family in ("hubert", "wavlm")}
    # As those are that were trained on waveforms as they are.
    made["wav2vec2"] = speech_encoder(root / "wav2vec2", "wav2vec2")
    (made["wav2vec2"] / "preprocessor_config.json").write_text('{"do_normalize": false}')
    made["text"] = text_encoder(root / "text")
    return made


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    """Neither the caches nor the encoders of whoever runs the tests."""
    monkeypatch.setenv("DISTILL_DATA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(PLACES, "")
    known_feature.cache_clear()


@pytest.fixture(params=WORDS)
def spec(request, monkeypatch):
    words = WORDS[request.param]
    if "egemaps" in words:
        pytest.importorskip("opensmile")
    if "{" in words:
        words = words.format(**request.getfixturevalue("folders"))
    monkeypatch.setenv(PLACES, "")
    return known_feature(words)


def utterance(seconds: float = 1.0, text: str | None = "what a fine day", seed: int = 0):
    noise = torch.randn(round(16_000 * seconds), generator=torch.Generator().manual_seed(seed))
    return Utterance("u", Sound(0.1 * noise), "joy", "a", text=text)


def test_the_same_features_of_the_promised_shape_every_time(spec: Representation):
    for said in (utterance(1.0), utterance(0.02), utterance(4.0, "to")):
        features = spec.of(said)
        assert features.shape == spec.shape == (spec.mels, spec.frames)
        assert features.dtype == torch.float32
        assert features.isfinite().all()
        assert torch.equal(spec.of(said), features)
        assert not features.requires_grad
    other = utterance(1.0, "fine", seed=1)
    assert not torch.equal(spec.of(other), spec.of(utterance()))


def test_code_on_the_card_gives_the_same_features(spec: Representation, folders):
    said = utterance(1.3)
    family = next((name for name in folders if name in name_of(spec).split()), "hubert")
    names = {
        "waveform": said.audio.waveform(16_000),
        "text": said.text,
        "ENCODER": folders[family],
        "TEXT_ENCODER": folders["text"],
    }
    exec(spec.snippet(), names)
    torch.testing.assert_close(names["features"], spec.of(said), atol=1e-5, rtol=1e-4)


@pytest.mark.slow
def test_a_set_is_distilled_in_it(spec: Representation):
    """Of speech, by the door, for the network that features of this shape usually have."""
    listed = [
        replace(
            utterance(0.4, f"what a {word} day", seed=n), name=str(n), emotion=word, speaker=who
        )
        for n, (word, who) in enumerate(product(("fine", "long"), "aabb"))
    ]
    toy = loading.known_corpus("toy")
    own = replace(toy, read=lambda *_: listed, emotions=("fine", "long"), counts={}, speakers=None)
    real = loading.load(own, spec=spec, jobs=1)
    made = distill(
        Curator(real),
        DistributionMatching(starts=1, checkpoints=1),
        usual_student(*spec.shape),
        ipc=1,
        seed=0,
        loop=Loop(steps=2, learning_rate=0.1),
    )
    assert made.features.shape == (2, *spec.shape)
    assert made.features.isfinite().all()
    assert (made.features[:, None] != real.features).any(dim=(2, 3)).all()  # items were moved


def test_a_set_keeps_the_recipe_and_tells_no_path(spec: Representation, folders, tmp_path):
    made = small_set(features=torch.randn(6, *spec.shape), spec=spec, transforms=())
    made.save(tmp_path / "set")
    loaded = SyntheticSet.load(tmp_path / "set")
    assert loaded.spec == spec
    assert loaded.spec.digest() == spec.digest()
    assert spec.title in (tmp_path / "set" / "README.md").read_text()
    assert describe(loaded)
    for file in (tmp_path / "set").iterdir():
        assert str(folders["text"].parent).encode() not in file.read_bytes()


def test_recipes_differ_in_their_digests(folders):
    specs = [known_feature(words.format(**folders)) for words in WORDS.values()]
    assert len({spec.digest() for spec in specs}) == len(specs)
    assert len({name_of(spec) for spec in specs}) == len(specs)


def test_log_mels_have_the_digest_they_always_had():
    assert FeatureSpec().digest() == "339a1c63251fb801"


def test_processes_are_told_where_an_encoder_is(folders):
    known_feature(f"hubert:{folders['hubert']}+text:{folders['text']}")
    known = os.environ[PLACES].split(os.pathsep)  # which they inherit
    assert known == [str(folders["hubert"]), str(folders["text"])]


def test_kaldi_filterbank_is_kaldis():
    spec = KaldiFilterbank(frames=98, normalisation="training")
    waveform = utterance().audio.waveform(16_000)
    expected = kaldi.fbank(32_768 * waveform[None], num_mel_bins=80, sample_frequency=16_000.0).T
    assert torch.equal(spec(waveform), expected)
    louder = replace(spec, normalisation="utterance")
    torch.testing.assert_close(louder(3 * waveform), louder(waveform), atol=1e-3, rtol=1e-3)


def test_egemaps_hear_pitch():
    pytest.importorskip("opensmile")
    time = torch.arange(16_000) / 16_000
    tone = 0.3 * torch.sin(2 * math.pi * 180 * time)
    semitones = 12 * math.log2(180 / 27.5)
    assert Egemaps()(tone)[0, 0] == pytest.approx(semitones, abs=0.5)
    pitch = Egemaps(level="descriptors", frames=50)(tone)
    assert (pitch - semitones).abs().amin(dim=1).min() < 0.5


def test_licence_of_opensmile_is_told_when_it_is_used_and_on_the_set(caplog, tmp_path):
    pytest.importorskip("opensmile")
    toy = replace(loading.known_corpus("toy"), read=_four_of_the_toy_corpus)
    with caplog.at_level(logging.WARNING):
        real = loading.load(toy, spec=Egemaps())
    assert "not for commercial use" in caplog.text
    caplog.clear()
    assert torch.equal(loading.load(toy, spec=Egemaps()).features, real.features)
    assert not caplog.text  # it was not used
    assert any("not for commercial use" in note for note in real.notes)
    line = loading.protocol_line(real, None, "egemaps")
    assert line.endswith(" · features by openSMILE, not for commercial use")
    small_set(features=torch.zeros(6, 88, 1), spec=Egemaps(), transforms=()).save(tmp_path / "set")
    assert (tmp_path / "set" / "README.md").read_text().count("audEERING research licence") == 2


def _four_of_the_toy_corpus(root, allow_missing):
    return loading.known_corpus("toy").read(root, allow_missing)[::200]


def test_functionals_are_missing_without_opensmile(monkeypatch):
    monkeypatch.setattr("synth_data.representations.egemaps.find_spec", lambda _: None)
    with pytest.raises(UserError, match=r'pip install "distill-data\[egemaps\]"'):
        known_feature("egemaps")


@pytest.mark.parametrize(
    ("words", "weights"),
    [
        ("all", [0.25, 0.25, 0.25, 0.25]),
        ("0", [1, 0, 0, 0]),
        ("3", [0, 0, 0, 1]),
        ("1-3", [0, 1 / 3, 1 / 3, 1 / 3]),
        ("0/2/1/1", [0, 0.5, 0.25, 0.25]),
    ],
)
def test_layers_as_they_are_written(words, weights):
    assert weights_of(words, 3, "it") == pytest.approx(weights)


@pytest.mark.parametrize("words", ["4", "2-1", "-1", "", "first", "1/2", "0/0/0/0", "1/1/1/nan"])
def test_layers_that_are_none(words):
    with pytest.raises(UserError, match=r"0 .*to 3"):
        weights_of(words, 3, "it")


def test_missing_transcripts_are_counted_and_named_before_any_work(folders, monkeypatch):
    spec = known_feature(f"text:{folders['text']}")

    def read(root, allow_missing):  # noqa: ARG001 - its type
        return [replace(utterance(text=text), name=name) for name, text in said.items()]

    said = {"u1": "a day", "u2": None, "u3": "  ", "u4": "fine"}
    toy = replace(loading.known_corpus("toy"), read=read, emotions=("joy",), counts={})
    heard = []
    monkeypatch.setattr(Sound, "digest", lambda self: heard.append(self) or b"")
    for ask in (loading.load, loading.listing):
        with pytest.raises(CorpusError, match=r"2 of 4 utterances .* lack a transcript.* u2, u3. "):
            ask(toy, None, spec)
    assert not heard
    real = loading.load(toy, None, spec, skip_bad=True)
    assert [one.name for one in real.utterances] == ["u1", "u4"]
    assert any("2 recordings skipped (u2 lacks a transcript" in note for note in real.notes)
    said["u1"] = "what"  # the same recordings, so a cache must not be taken in
    other = loading.load(toy, None, spec, skip_bad=True)
    assert not torch.equal(other.features[0], real.features[0])
    assert other.digest == real.digest
    assert other.content != real.content


def test_a_fusion_says_how_it_brings_frames_together(folders):
    one = known_feature(f"logmel64-short+hubert:{folders['hubert']}")
    assert isinstance(one, Fusion)
    assert one.shape == (64 + 16, 100)
    assert "repeated" in one.title
    said = utterance()
    found, mel = one.of(said), FEATURES["logmel64-short"].of(said)
    assert torch.equal(found[:64], mel)
    assert (found[64:] == found[64:, :1]).all()
    pooled = known_feature("logmel64-short+logmel64")
    assert isinstance(pooled, Fusion)
    assert pooled.shape == (4 * 64, 1)
    assert "mean and deviation" in pooled.title
    assert torch.allclose(pooled.of(said)[:64], mel.mean(dim=1, keepdim=True), atol=1e-6)
    assert known_feature("fbank80+logmel64").normalisation == "utterance"
    assert one.normalisation == "training"


def test_parts_of_a_fusion_hear_the_same_waveform():
    with pytest.raises(UserError, match="found sample rates of 8000 and 16000 Hz"):
        Fusion((FeatureSpec(sample_rate=8_000, f_max=4_000.0), FeatureSpec()))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("logmel46", "unknown feature 'logmel46': did you mean 'logmel64'"),
        ("egemap", "did you mean 'egemaps'"),
        ("hobert:here", "unknown kind of feature 'hobert': did you mean 'hubert'"),
        ("hubert:", "names no encoder: give hubert:FOLDER"),
        ("logmel64+nothing", "unknown feature 'logmel64.nothing'"),
        ("hubert:{hubert},pool=max", "hubert: pool: .*'mean', 'statistics' or 'sequence'"),
        ("hubert:{hubert},layers=1", "unknown setting of hubert 'layers': did you mean 'layer'"),
        ("hubert:{hubert},layer=3", "layer 3 is not in hubert, which has layers 0 .*to 2"),
        ("hubert:{hubert},layer=1,layer=2", "says layer twice"),
        ("hubert:{hubert},frames=9", "frames and together are of a sequence, and mean has one"),
        ("hubert:{hubert},pool=sequence,frames=0", "frames: .*greater than or equal to 1"),
        ("text:{text},frames=9", "frames are of a sequence, and a mean has one"),
        ("text:{hubert}", "is no encoder of text, its config.json says model_type 'hubert'"),
        ("wavlm:{hubert}", "is no wavlm encoder.* 'hubert': use hubert:hubert"),
    ],
)
def test_names_that_are_none(words, message, folders):
    with pytest.raises(UserError, match=message):
        known_feature(words.format(**folders))


def _first_part(entry, **changes):
    entry["features"]["together"][0].update(changes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m["features"].update(kind="magic"), "features.*magic"),
        (lambda m: m["features"].update(kind=["fusion"]), "features"),
        (lambda m: _first_part(m, name="/home/somebody/hubert"), "name.*pattern"),
        (lambda m: _first_part(m, name="../hubert"), "name.*pattern"),
        (lambda m: _first_part(m, layers=[0.5, 0.5, 0.5]), "sum to 1"),
        (lambda m: _first_part(m, width=10**9), "width is 1e.09, allowed is 1 to"),
        (lambda m: _first_part(m, frames=7), "frames and together are of a sequence"),
        (lambda m: m["features"]["together"][0].pop("pool"), "features.together.0 lacks pool"),
        (lambda m: m["features"].pop("together"), "together"),
    ],
)
def test_foreign_manifests_are_checked(change, message, folders, tmp_path):
    spec = known_feature(f"hubert:{folders['hubert']}+fbank80")
    made = small_set(features=torch.zeros(6, *spec.shape), spec=spec, transforms=())
    made.save(tmp_path / "set")
    forge(tmp_path / "set", change)
    with pytest.raises(SetError, match=message):
        SyntheticSet.load(tmp_path / "set")


def test_encoders_with_other_weights_are_other_recipes(folders, tmp_path):
    one = known_feature(f"hubert:{folders['hubert']}")
    other = known_feature(f"hubert:{speech_encoder(tmp_path / 'hubert', seed=1)}")
    assert one.title == other.title
    assert one != other
    set_config(tmp_path / "hubert", layer_norm_eps=0.1)
    known_feature.cache_clear()
    assert known_feature(f"hubert:{tmp_path / 'hubert'}") not in (one, other)


def test_fake_speech_stands_for_any_representation():
    assert fake_speech(spec=Egemaps()).features.shape == (15, 88, 1)
