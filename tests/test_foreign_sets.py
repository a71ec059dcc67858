"""Opening a set is reading untrusted input: every defect is a `SetError`, nothing else escapes."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save
from small_sets import SPEC, forge, small_set

from synth_data.codecs import Packed, codec_of
from synth_data.decoder import Decoder
from synth_data.errors import SetError
from synth_data.manifest import Manifest
from synth_data.synthetic import SyntheticSet

FILES = ("README.md", "manifest.json", "set.safetensors", "start.safetensors")
SMALL = small_set()
TENSORS = {
    "features": SMALL.features,
    "targets": SMALL.targets,
    "transform.0.mean": torch.zeros(8),
    "transform.0.deviation": torch.ones(8),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    SMALL.save(tmp_path / "set")
    return tmp_path / "set"


@pytest.mark.parametrize("name", FILES)
def test_every_wrong_byte_is_found(folder, name):
    SyntheticSet.load(folder)  # the control: undamaged, it loads
    genuine = (folder / name).read_bytes()
    for position in range(0, len(genuine), 1 + len(genuine) // 150):
        damaged = bytearray(genuine)
        damaged[position] ^= 1 << position % 8
        (folder / name).write_bytes(damaged)
        with pytest.raises(SetError):
            SyntheticSet.load(folder)


@pytest.mark.parametrize("name", FILES)
def test_every_wrong_length_is_found(folder, name):
    genuine = (folder / name).read_bytes()
    shorter = [genuine[:length] for length in range(0, len(genuine), 1 + len(genuine) // 30)]
    for damaged in [*shorter, genuine[:-1], genuine + b"\n", genuine * 2]:
        (folder / name).write_bytes(damaged)
        with pytest.raises(SetError):
            SyntheticSet.load(folder)


@pytest.mark.parametrize("name", FILES)
def test_every_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(SetError, match=f"{name} is missing"):
        SyntheticSet.load(folder)


def test_a_file_too_many_is_named(folder):
    (folder / "payload.py").write_text("")
    with pytest.raises(SetError, match=r"payload\.py is not listed"):
        SyntheticSet.load(folder)


def test_files_of_version_control_are_passed_over(folder):
    (folder / ".gitattributes").write_text("*.safetensors filter=lfs")
    assert len(SyntheticSet.load(folder)) == 6


def test_a_damaged_file_is_named(folder):
    path = folder / "set.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    with pytest.raises(SetError, match=r"set.safetensors is damaged: .* get a fresh copy"):
        SyntheticSet.load(folder)
    path.write_bytes(b"short")
    with pytest.raises(SetError, match=r"set.safetensors is damaged: 5 bytes"):
        SyntheticSet.load(folder)
    path.write_bytes(b"long" * 10_000)
    with pytest.raises(SetError, match=r"set\.safetensors has 40000 bytes, more than"):
        SyntheticSet.load(folder)


def test_no_folder(tmp_path):
    with pytest.raises(SetError, match="no such folder"):
        SyntheticSet.load(tmp_path / "none")
    (tmp_path / "one").touch()
    with pytest.raises(SetError, match="this is a file; a synthetic set is a folder"):
        SyntheticSet.load(tmp_path / "one")


def test_a_pipe_is_not_waited_for(folder):
    (folder / "set.safetensors").unlink()
    os.mkfifo(folder / "set.safetensors")
    with pytest.raises(SetError, match=r"set\.safetensors is missing"):
        SyntheticSet.load(folder)


def test_an_unreadable_folder(folder, monkeypatch):
    def refuses(_path):
        raise PermissionError("not yours")

    monkeypatch.setattr(Path, "read_bytes", refuses)
    with pytest.raises(SetError, match=r"cannot be read \(not yours\)"):
        SyntheticSet.load(folder)


def test_a_manifest_changed_by_hand(folder):
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(SetError, match=r"manifest.json was changed after it was written"):
        SyntheticSet.load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "a recipe"}, "is not that of a synthetic set: kind"),
        ({"format_version": 2}, "format version 2; this package knows version 1: update"),
        ({"format_version": "1"}, "format_version: Input should be a valid integer"),
        ({"colour": "red"}, "against the schema: colour: Extra inputs"),
        ({"emotions": ["anger", 3, "sadness"]}, "against the schema: emotions.1"),
        ({"emotions": ["anger", "sadness"]}, "each of 2 emotions"),
        ({"emotions": ["sadness", "neutral", "anger"]}, None),
        ({"labels": "soft float rows"}, "disagree about labels"),
        ({"items": {"anger": 3, "neutral": 1, "sadness": 2}}, "disagree about items"),
        ({"tensors": {"features": [6, 8, 12]}}, "disagree about tensors"),
        ({"transforms": []}, "unknown tensors: transform.0.deviation"),
        (
            {"transforms": ["whiten"]},
            "unknown transform 'whiten' .known: standardise, .*; .* update",
        ),
        ({"transforms": ["standardise", "standardise"]}, "needs the tensors .*; found nothing"),
        ({"start": None}, "lists README.md, set.safetensors, start.safetensors; such a set has"),
        ({"start": {"network": "x", "seed": 0, "digest": "f" * 64}}, "disagree about start"),
        ({"privacy": {"mechanism": "none", "statement": "anonymous"}}, "privacy.none.statement"),
        ({"privacy": {"mechanism": "none"}}, "privacy.none.statement: Field required"),
        ({"files": {}}, "lists no file; such a set has README.md"),
        ({"files": {"../../secret": {"bytes": 1, "sha256": "f" * 64}}}, "against the schema: file"),
        ({"files": {"/etc/passwd": {"bytes": 1, "sha256": "f" * 64}}}, "against the schema: file"),
    ],
)
def test_a_forged_manifest(folder, change, message):
    forge(folder, lambda manifest: manifest.update(change))
    if message is None:  # emotions in another order, with their counts: nothing contradicts it
        assert SyntheticSet.load(folder).emotions == ("sadness", "neutral", "anger")
        return
    with pytest.raises(SetError, match=message):
        SyntheticSet.load(folder)


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("features", {"mels": 9}, r"fitted on 8 mel bands; found features with 9"),
        ("features", {"mels": 4096, "frames": 1_000_000}, "fitted on 8 mel bands"),
        ("features", {"frames": 1_000_000}, r"must be float32 of shape \[6, 8, 1000000\]"),
        ("features", {"frames": 13}, r"must be float32 of shape \[6, 8, 13\]"),
        ("features", {"sample_rate": 0}, "sample_rate is 0, allowed is 1000 to 384000"),
        ("features", {"hop": 1e-9}, "hop is 1e-09, allowed"),
        ("features", {"window": 3600.0}, "window is 3600, allowed"),
        ("features", {"f_max": 9000.0}, "f_max is 9000, allowed is 50 to 8000"),
        ("features", {"f_min": 8001.0}, "f_min is 8001, allowed"),
        ("features", {"floor": 0.0}, "floor is 0, allowed"),
        ("features", {"normalisation": "none"}, "features.log-mel.normalisation"),
        ("features", {"python": "import os"}, "features.log-mel.python"),
        ("provenance", {"derivatives": "of course"}, "provenance.derivatives"),
        ("provenance", {"fold": 0}, "provenance.fold"),
        ("provenance", {"training_utterances": "many"}, "provenance.training_utterances"),
        ("provenance", {"speakers": ["03"]}, "provenance.speakers"),
        ("provenance", {"settings": 3}, "provenance.settings"),
    ],
)
def test_forged_features_and_provenance(folder, part, change, message):
    forge(folder, lambda manifest: manifest[part].update(change))
    with pytest.raises(SetError, match=message):
        SyntheticSet.load(folder)


@pytest.mark.parametrize(("part", "name"), [("features", "hop"), ("provenance", "version")])
def test_no_field_is_left_to_its_default(folder, part, name):
    forge(folder, lambda manifest: manifest[part].pop(name))
    with pytest.raises(SetError, match=f"{part} lacks {name}"):
        SyntheticSet.load(folder)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (TENSORS | {"payload": torch.zeros(1)}, "unknown tensors: payload"),
        ({"targets": SMALL.targets}, "set.safetensors has no 'features'; found targets"),
        (TENSORS | {"features": SMALL.features.half()}, "'features' must be float32"),
        (TENSORS | {"features": SMALL.features[:5].clone()}, r"shape \[6, 8, 12\]"),
        (TENSORS | {"features": SMALL.features / 0}, "features hold values that are not finite"),
        (TENSORS | {"targets": SMALL.targets * 2}, "sum to 1; row 0 holds"),
        (TENSORS | {"transform.0.mean": torch.full((8,), float("nan"))}, "finite means"),
        (TENSORS | {"transform.0.mean": torch.zeros(7)}, r"shapes \[7\] and \[8\]"),
        (TENSORS | {"transform.0.deviation": -torch.ones(8)}, "found a negative one"),
        (TENSORS | {"transform.0.colour": torch.ones(8)}, "found colour, deviation, mean"),
    ],
)
def test_forged_tensors(folder, tensors, message):
    forge(folder, set=save(tensors))
    with pytest.raises(SetError, match=message):
        SyntheticSet.load(folder)


@pytest.mark.parametrize(
    ("codec", "features"),
    [
        (codec_of("float16", "means", 1_000_000), {"mels": 4_096, "frames": 1_000_000}),
        (codec_of("float16", "means", 1_000_000), {}),  # drawn out first, and then cut
        (codec_of("float16", "middle", 1_000_000), {"mels": 4_096, "frames": 1_000_000}),
        (codec_of("float16", "cosines", 4_096), {"mels": 4_096, "frames": 4_096}),
        (Decoder(code=1, width=1), {"mels": 4_096, "frames": 1_000_000}),
        (Decoder(code=1, width=1_024), {"mels": 1, "frames": 40_000}),
    ],
    ids=["means", "few means", "middle", "cosines", "decoder", "wide decoder"],
)
def test_few_numbers_that_decode_to_more_than_memory_are_refused(codec, features, tmp_path):
    """Before anything is decoded: what a file of this size asks for would end any program."""
    packed = Packed.of(codec_of("float16", "means", 4), SMALL.features)
    honest = small_set(transforms=(), packed=packed, features=packed.features(SPEC.frames))
    honest.save(tmp_path / "set")
    spec = replace(SPEC, **features)
    tensors = {"targets": torch.eye(3).repeat(240, 1)}
    for name, (kind, shape) in codec.layout(*spec.shape, 3).items():
        tensors[f"features.{name}"] = torch.zeros([size or 720 for size in shape], dtype=kind)

    def ask(manifest):
        manifest["features"].update(features)
        manifest["codec"] = codec.named()

    forge(tmp_path / "set", ask, set=save(tensors))
    with pytest.raises(SetError, match=r"to decode 720 items takes [\d,]+ numbers, allowed are"):
        SyntheticSet.load(tmp_path / "set")


def test_forged_start(folder):
    forge(folder, start=save({"head.weight": torch.zeros(3, 8)}))
    with pytest.raises(SetError, match="disagree about start"):
        SyntheticSet.load(folder)
    forge(folder, start=b"\x80\x04K*.")  # a pickle
    with pytest.raises(SetError, match=r"start\.safetensors is not a readable safetensors file"):
        SyntheticSet.load(folder)


@pytest.mark.parametrize(
    ("header", "data"),
    [
        (b'{"x":{"dtype":"F8_E8M0","shape":[1],"data_offsets":[0,1]}}', b"0"),
        (b'{"x":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}}', b"0"),
        (b'{"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}', b""),
        (b'{"x":{"dtype":"F32","shape":[18446744073709551615,4],"data_offsets":[0,4]}}', b"0000"),
        (b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}', b"0000"),
        (b"[]", b""),
        (b"{}", b""),
    ],
)
def test_odd_safetensors(folder, header, data):
    forge(folder, set=len(header).to_bytes(8, "little") + header + data)
    with pytest.raises(SetError, match=r"set\.safetensors"):
        SyntheticSet.load(folder)


ODD = [None, -1, 2**70, "", "../x", "\x1b[2J", [[]], {"a": [{}]}]


def places(value: object, path: tuple = ()) -> Iterator[tuple]:
    """The path to every value inside a parsed JSON document."""
    if isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*path, key)
            yield from places(child, (*path, key))


def test_any_odd_value_anywhere_in_the_manifest(folder):
    genuine = (folder / "manifest.json").read_bytes()
    refused = 0
    for *path, last in places(json.loads(genuine)):
        for odd in ODD:
            (folder / "manifest.json").write_bytes(genuine)

            def put(manifest, path=path, last=last, odd=odd):
                for key in path:
                    manifest = manifest[key]
                manifest[last] = odd

            forge(folder, put)
            try:
                SyntheticSet.load(folder)
            except SetError:
                refused += 1
    assert refused > 300  # the rest are texts, settings and seeds, which are free


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_garbage_is_no_manifest(content):
    with pytest.raises(SetError, match=r"manifest\.json is not that of a synthetic set"):
        Manifest.parse(content)


@pytest.mark.parametrize(
    "content",
    [b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5_000, b'"\\ud800"', b"\xff\xfe{}", b"NaN"],
)
def test_hostile_json(content):
    with pytest.raises(SetError, match=r"manifest\.json is not that of a synthetic set"):
        Manifest.parse(content)
