"""Encoders from folders: by a slow reference, known by their digests, and every clear error."""

import json
import os
import re
import shutil

import pytest
import safetensors.torch
import torch
from small_encoders import Sound, set_config, speech_encoder, text_encoder

from distill.config import RunConfig
from evaluation.networks import NETWORKS, has_room, usual_student
from synth_data.errors import AudioError, UserError
from synth_data.representations import PRESETS, encoder, known_feature
from synth_data.representations.encoder import SpeechEncoder
from synth_data.representations.encoder_folder import PLACES, find, open_encoder
from synth_data.utterance import Utterance

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return speech_encoder(tmp_path_factory.mktemp("made") / "hubert")


@pytest.fixture
def folder(made, tmp_path):
    """A copy that a test may spoil."""
    return shutil.copytree(made, tmp_path / "hubert")


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    monkeypatch.setenv(PLACES, "")
    known_feature.cache_clear()


def noise(seconds: float = 1.0) -> torch.Tensor:
    return torch.randn(round(16_000 * seconds), generator=torch.Generator().manual_seed(0))


def hidden(folder, waveform):
    from transformers import HubertModel

    model = HubertModel.from_pretrained(folder).eval()
    scaled = (waveform - waveform.mean()) / waveform.std(correction=0)
    with torch.no_grad():
        return [one[0].T for one in model(scaled[None], output_hidden_states=True).hidden_states]


def close(found, expected):
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_layers_and_pools_are_those_of_the_encoder(made):
    layers = hidden(made, noise())  # [16, 49] each

    def found(options):
        return known_feature(f"hubert:{made},{options}")(noise())

    close(found("layer=1"), layers[1].mean(dim=1, keepdim=True))
    both = torch.cat([layers[2].mean(dim=1), layers[2].std(dim=1, correction=0)])[:, None]
    close(found("layer=2,pool=statistics"), both)
    mixed = (layers[0] + 3 * layers[2]) / 4
    close(found("layer=1/0/3,pool=sequence,frames=49,together=1"), mixed)
    means = (mixed[:, 0:48:2] + mixed[:, 1:48:2]) / 2
    close(found("layer=1/0/3,pool=sequence,frames=25,together=2")[:, :24], means)
    close(found("layer=1/0/3,pool=sequence,frames=60,together=2")[:, 25:49], means)  # again


@pytest.mark.parametrize("family", encoder.CLASSES)
def test_the_last_layer_of_a_large_encoder_is_normalised(family, tmp_path):
    """Its `last_hidden_state` is not the last of its `hidden_states`."""
    large = {"do_stable_layer_norm": True, "feat_extract_norm": "layer"}
    folder = speech_encoder(tmp_path / "large", family, **large)
    spec = known_feature(f"{family}:{folder},layer=2")
    with torch.no_grad():
        said = spec.network()(spec.heard(noise())[None], output_hidden_states=True)
    last = said.last_hidden_state[0].mean(dim=0)[:, None]
    assert not torch.allclose(said.hidden_states[-1][0].mean(dim=0)[:, None], last, atol=0.01)
    close(spec(noise()), last)
    names = {"waveform": noise(), "ENCODER": folder}
    exec(spec.snippet(), names)
    close(names["features"], last)


@pytest.mark.parametrize("kind", ["hubert", "text"])
def test_what_is_not_finite_is_no_feature(kind, tmp_path):
    folder = (text_encoder if kind == "text" else speech_encoder)(tmp_path / "broken")
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    spoilt = {name: weight * torch.nan for name, weight in weights.items()}
    safetensors.torch.save_file(spoilt, folder / "model.safetensors", {"format": "pt"})
    spec = known_feature(f"{kind}:{folder}")
    with pytest.raises(AudioError, match="the encoder broken gives no finite features of it"):
        spec("a fine day" if kind == "text" else noise())


def test_a_sequence_says_how_fast_it_is(made):
    assert known_feature(f"hubert:{made},pool=sequence").hop == pytest.approx(0.04)
    assert known_feature(f"hubert:{made}").hop is None


def test_of_long_speech_the_middle_is_heard(made, monkeypatch):
    monkeypatch.setattr(encoder, "LONGEST", 1.0)
    spec = known_feature(f"hubert:{made}")
    assert torch.equal(spec(noise(2.0)), spec(noise(2.0)[8_000:24_000]))


def test_waveforms_are_scaled_unless_the_folder_says_they_are_not(tmp_path):
    folder = speech_encoder(tmp_path / "hubert")
    spec = known_feature(f"hubert:{folder}")
    quiet = 0.01 * noise()  # for which the norms within the encoder do not make up
    torch.testing.assert_close(spec(quiet), spec(noise()), atol=0.01, rtol=0.0)
    (folder / "preprocessor_config.json").write_text('{"do_normalize": false}')
    known_feature.cache_clear()
    plain = known_feature(f"hubert:{folder}")
    assert not plain.scaled
    assert (plain(quiet) - plain(noise())).abs().max() > 0.02
    assert plain != spec


@pytest.mark.parametrize("kind", ["hubert", "text"])
def test_weights_in_half_precision_are_used_in_single(kind, tmp_path):
    from transformers import AutoModel

    folder = (speech_encoder if kind == "hubert" else text_encoder)(tmp_path / kind)
    given = noise() if kind == "hubert" else "what a fine day"
    whole = known_feature(f"{kind}:{folder}")(given)
    half = shutil.copytree(folder, tmp_path / "half")
    AutoModel.from_pretrained(folder).half().save_pretrained(half)
    spec = known_feature(f"{kind}:{half}")
    found = spec(given)
    assert found.dtype == torch.float32
    assert not torch.equal(found, whole)
    torch.testing.assert_close(found, whole, atol=0.02, rtol=0.02)
    names = {"waveform": given, "text": given, "ENCODER": half, "TEXT_ENCODER": half}
    exec(spec.snippet(), names)
    close(names["features"], found)


def test_a_copy_elsewhere_is_the_same_encoder(folder, tmp_path, monkeypatch):
    spec = known_feature(f"hubert:{folder}")
    moved = folder.rename(tmp_path / "elsewhere")
    set_config(moved, _name_or_path="/somebody/elses", transformers_version="4.0.0")
    assert open_encoder(str(moved)).digest == spec.digest_of_encoder
    assert find("hubert", spec.digest_of_encoder) == moved
    monkeypatch.setenv(PLACES, str(tmp_path))  # the folder that it is in, under its own name
    with pytest.raises(UserError, match=r"the encoder hubert.* not known here: say where"):
        find("hubert", spec.digest_of_encoder)
    moved.rename(tmp_path / "hubert")
    assert spec(noise()).shape == (16, 1)


def test_another_encoder_under_the_same_name_is_not_used(made, tmp_path, monkeypatch):
    spec = known_feature(f"hubert:{made}")
    other = speech_encoder(tmp_path / "hubert", seed=1)
    monkeypatch.setenv(PLACES, str(other))
    with pytest.raises(UserError, match=r"found with other weights or settings: .*hubert"):
        spec(noise())
    monkeypatch.setenv(PLACES, os.pathsep.join([str(other), str(made)]))
    assert spec(noise()).shape == (16, 1)


def _without_weights(folder):
    (folder / "model.safetensors").unlink()


def _with_a_pickle(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _without_a_layer(folder):
    file = folder / "model.safetensors"
    weights = safetensors.torch.load_file(file)
    weights.pop("encoder.layers.1.final_layer_norm.weight")
    safetensors.torch.save_file(weights, file, {"format": "pt"})


def _cut_short(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (shutil.rmtree, "there is no such folder, and names on the Hugging Face hub look like"),
        (lambda f: (f / "config.json").unlink(), "config.json cannot be read"),
        (lambda f: (f / "config.json").write_text("{"), "config.json cannot be read"),
        (lambda f: (f / "config.json").write_text("[]"), "it holds no settings"),
        (lambda f: (f / "preprocessor_config.json").write_text("?"), "preprocessor_config.json"),
        (lambda f: (f / "preprocessor_config.json").unlink(), "no preprocessor_config.json, which"),
        (_without_weights, "no weights as safetensors .*; found none"),
        (_with_a_pickle, "found only pytorch_model.bin, a pickle, which may run code"),
        (_with_a_pickle, r"convert it once.* and AutoFeatureExtractor.from_pretrained\(FOLDER\)"),
        (_without_a_layer, "1 of the encoder's weights are not in its files, .*layer_norm.weight"),
        (_cut_short, "the encoder cannot be loaded .*undamaged copy"),
        (lambda f: set_config(f, hidden_size=None), "hidden_size, a positive number; found None"),
        (lambda f: set_config(f, conv_stride=5), "conv_stride, a list of positive numbers"),
        (lambda f: set_config(f, model_type="magic"), "no hubert encoder.* 'magic'. Known: hubert"),
    ],
)
def test_folders_that_are_no_use(spoil, message, folder):
    spoil(folder)
    with pytest.raises(UserError, match=message):
        known_feature(f"hubert:{folder}")(noise())


def test_a_distilbert_is_read_by_its_own_settings(tmp_path):
    from transformers import AutoModel, AutoTokenizer

    folder = text_encoder(tmp_path / "distilbert", family="DistilBert")
    settings = json.loads((folder / "config.json").read_text())
    assert (settings["dim"], settings["n_layers"], "hidden_size" in settings) == (16, 2, False)
    found = known_feature(f"text:{folder},layer=2")("what a day")
    tokens = AutoTokenizer.from_pretrained(folder)("what a day", return_tensors="pt")
    with torch.no_grad():
        expected = AutoModel.from_pretrained(folder).eval()(**tokens).last_hidden_state
    close(found, expected[0].mean(dim=0)[:, None])
    set_config(folder, dim=None)
    known_feature.cache_clear()
    with pytest.raises(UserError, match=r"config.json should say hidden_size \(or dim\)"):
        known_feature(f"text:{folder}")


@pytest.mark.parametrize("part", ["pooler", "adapter"])
def test_what_stands_behind_the_layers_is_neither_needed_nor_kept(part, tmp_path):
    if part == "pooler":
        folder, kind, given = text_encoder(tmp_path / "bert"), "text", "a day"
    else:
        folder = speech_encoder(tmp_path / "wav2vec2", "wav2vec2", add_adapter=True)
        kind, given = "wav2vec2", noise()
    whole = known_feature(f"{kind}:{folder}")
    bare = shutil.copytree(folder, tmp_path / "bare")
    weights = safetensors.torch.load_file(bare / "model.safetensors")
    assert any(name.startswith(part) for name in weights)
    layers = {name: weight for name, weight in weights.items() if not name.startswith(part)}
    safetensors.torch.save_file(layers, bare / "model.safetensors", {"format": "pt"})
    spec = known_feature(f"{kind}:{bare}")
    assert torch.equal(spec(given), whole(given))
    for one in (spec, whole):
        assert set(one.network().state_dict()) == set(layers)


def test_a_text_encoder_needs_its_tokenizer(tmp_path):
    folder = text_encoder(tmp_path / "bert")
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match="its tokenizer cannot be loaded"):
        known_feature(f"text:{folder}")("a day")
    for file in ("vocab.txt", "tokenizer.json"):
        (folder / file).unlink()
    known_feature.cache_clear()
    with pytest.raises(UserError, match="no tokenizer beside the encoder"):
        known_feature(f"text:{folder}")


@pytest.mark.parametrize("kind", ["hubert", "text"])
def test_a_pickle_converted_as_advised_is_the_same_encoder(kind, tmp_path):
    import transformers

    given = noise() if kind == "hubert" else "a fine day"
    folder = (speech_encoder if kind == "hubert" else text_encoder)(tmp_path / kind)
    if kind == "hubert":
        transformers.Wav2Vec2FeatureExtractor(do_normalize=False).save_pretrained(folder)
    expected = known_feature(f"{kind}:{folder}")(given)
    weights = folder / "model.safetensors"
    torch.save(safetensors.torch.load_file(weights), folder / "pytorch_model.bin")
    weights.unlink()
    known_feature.cache_clear()
    with pytest.raises(UserError, match="convert it once") as caught:
        known_feature(f"{kind}:{folder}")
    advised = re.findall(r"(Auto\w+).from_pretrained", str(caught.value))
    assert len(advised) == 2
    for name in advised:
        found = getattr(transformers, name).from_pretrained(folder)
        found.save_pretrained(tmp_path / "other")
    close(known_feature(f"{kind}:{tmp_path / 'other'}")(given), expected)


def test_text_is_read_up_to_what_the_encoder_knows(tmp_path):
    spec = known_feature(f"text:{text_encoder(tmp_path / 'bert')},pool=sequence,frames=18")
    assert spec.longest == 18
    assert torch.equal(spec("day " * 16), spec("day " * 300))
    assert not torch.equal(spec("day " * 15), spec("day " * 16))
    with pytest.raises(UserError, match=r"u: text bert.* needs a transcript; found none"):
        spec.of(Utterance("u", Sound(noise()), "joy", "a"))


def test_code_in_a_folder_is_never_run(folder, tmp_path):
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Evil: pass\n")
    set_config(folder, auto_map={"AutoModel": "evil.Evil", "AutoConfig": "evil.Evil"})
    known_feature(f"hubert:{folder}")(noise())
    text = text_encoder(tmp_path / "bert")
    shutil.copy(folder / "evil.py", text)
    set_config(text, auto_map={"AutoModel": "evil.Evil", "AutoConfig": "evil.Evil"})
    known_feature(f"text:{text}")("a day")
    assert not (tmp_path / "ran").exists()


def test_encoders_need_transformers(made, monkeypatch):
    monkeypatch.setattr("synth_data.representations.encoder_folder.find_spec", lambda _: None)
    with pytest.raises(UserError, match=r'pip install "distill-data\[ssl\]"'):
        known_feature(f"hubert:{made}")


def test_without_a_network(monkeypatch):
    from huggingface_hub.errors import LocalEntryNotFoundError

    def unreachable(name, **_):
        raise LocalEntryNotFoundError(f"{name}: cannot reach the hub")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    with pytest.raises(UserError, match="not on this machine, and the Hugging Face hub cannot be"):
        known_feature("hubert:facebook/hubert-base-ls960")


def test_what_is_on_this_machine_is_not_asked_for_again(made, monkeypatch):
    asked = []

    def here(_, local_files_only=False, **options):
        assert "*.bin" not in options["allow_patterns"]
        asked.append(local_files_only)
        return str(made)

    monkeypatch.setattr("huggingface_hub.snapshot_download", here)
    spec = known_feature("hubert:somebody/small")
    assert isinstance(spec, SpeechEncoder)
    assert (spec.name, asked) == ("somebody/small", [True])


def test_weights_that_the_hub_has_as_a_pickle_alone_are_converted_from_there(folder, monkeypatch):
    """They are never fetched, so that there is no folder that could be converted."""
    _without_weights(folder)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(folder))
    with pytest.raises(UserError) as caught:
        known_feature("hubert:somebody/small")
    said = str(caught.value)
    assert "somebody/small, on the Hugging Face hub: no weights as safetensors" in said
    assert "AutoModel.from_pretrained('somebody/small').save_pretrained(OTHER)" in said
    assert "AutoFeatureExtractor.from_pretrained('somebody/small').save_pretrained(OTHER)" in said
    assert str(folder) not in said


def test_one_frame_has_a_student_of_its_own():
    assert usual_student(*PRESETS["egemaps"].shape) == "mlp"
    assert usual_student(*PRESETS["fbank80"].shape) == "tdnn"
    for name in NETWORKS:  # all of them hear what they were made for
        assert has_room(name, 64, 300)


def test_settings_for_one_frame(tmp_path):
    given = {"dataset": "emodb", "data_root": tmp_path}
    pytest.importorskip("opensmile")
    config = RunConfig.of(None, {**given, "feature": "egemaps"}).resolved()
    assert config.student == "mlp"
    assert config.parameterisation["slices"] == 1
    config = RunConfig.of(None, {**given, "feature": "fbank80"}).resolved()
    assert (config.student, config.parameterisation["slices"]) == ("tdnn", 4)
    with pytest.raises(UserError, match=r"'tdnn' cannot hear features of 88 x 1 .*\(.*mlp.*\)"):
        RunConfig.of(None, {**given, "feature": "egemaps", "student": "tdnn"}).resolved()
    with pytest.raises(UserError, match="2 slices of 1 frames leave nothing"):
        RunConfig.of(
            None, {**given, "feature": "egemaps", "parameterisation": {"slices": 2}}
        ).resolved()
    with pytest.raises(UserError, match="normalisation by the training utterances"):
        RunConfig.of(None, {**given, "feature": "egemaps", "epsilon": 8.0}).resolved()
