"""Sets that are stored in fewer bytes, and sets with a schedule of their own."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save
from small_sets import SPEC, forge, small_set

from synth_data.codecs import Packed, codec_of, size
from synth_data.decoder import Decoder
from synth_data.errors import SetError
from synth_data.frame_kinds import FRAMES
from synth_data.number_kinds import NUMBERS
from synth_data.schedule import NativeSchedule
from synth_data.synthetic import SyntheticSet

DECODERS = [Decoder(code=3, width=4), Decoder(code=5, width=2, numbers="float32", limit=2.0)]
CODECS = [
    *(codec_of(numbers, frames, 4) for numbers in NUMBERS for frames in FRAMES),
    *DECODERS,
]
INT8 = codec_of("int8", "means", 4)
SHAPE = (*SPEC.shape, 3)
RATES = torch.tensor([0.1, 0.2, 0.05])


def decoded(decoder: Decoder) -> Packed:
    """What random weights make of codes, for the targets of `small_set`."""
    draws = torch.Generator().manual_seed(0)
    weights, codes = decoder.draw(*SHAPE, draws), torch.randn(6, decoder.code, generator=draws)
    return Packed(decoder, decoder.encode(weights, codes, torch.tensor([0, 1, 2, 0, 1, 2])))


def packed_set(codec=INT8, **changes: Any) -> SyntheticSet:
    plain = small_set()
    packed = decoded(codec) if isinstance(codec, Decoder) else Packed.of(codec, plain.features)
    return small_set(packed=packed, features=packed.features(SPEC.frames), **changes)


@pytest.mark.parametrize(
    "codec", CODECS, ids=lambda codec: "-".join(map(str, codec.named().values()))
)
def test_what_is_saved_is_loaded(tmp_path, codec):
    saved = packed_set(codec)
    saved.save(tmp_path / "set")
    loaded = SyntheticSet.load(tmp_path / "set")
    assert torch.equal(loaded.features, saved.features)
    assert loaded.packed is not None
    assert loaded.packed.codec == codec
    assert loaded.bytes == saved.bytes
    loaded.save(tmp_path / "again")
    for name in ("set.safetensors", "manifest.json", "README.md"):
        assert (tmp_path / "set" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_fewer_bytes():
    numbers = SPEC.mels * SPEC.frames
    plain, packed = small_set(), packed_set()
    assert plain.bytes - packed.bytes == 6 * (4 * numbers - numbers // 4 - 2 - 2)


@pytest.mark.parametrize(
    "codec", CODECS, ids=lambda codec: "-".join(map(str, codec.named().values()))
)
def test_the_card_decodes_without_the_package(tmp_path, monkeypatch, codec):
    packed_set(codec).save(tmp_path / "set")
    monkeypatch.chdir(tmp_path / "set")
    names: dict[str, Any] = {}
    card = (tmp_path / "set" / "README.md").read_text()
    exec(re.findall(r"```python\n(.*?)\n```", card, flags=re.DOTALL)[0], names)
    assert torch.equal(names["features"], packed_set(codec).features)


def test_features_must_be_what_is_stored():
    packed = Packed.of(INT8, small_set().features)
    with pytest.raises(SetError, match="not what the stored ones decode to"):
        small_set(packed=packed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features.values": None}, "has no 'features.values'"),
        ({"features.values": torch.zeros(6, 8, 3)}, r"must be torch.int8 of shape \[item, 8, 3\]"),
        ({"features.values": torch.zeros(6, 8, 4, dtype=torch.int8)}, "must be torch.int8 of"),
        ({"features.scale": torch.zeros(5).half()}, "differ in their number of items"),
        ({"features.scale": torch.full((6,), torch.inf).half()}, "not finite"),
        ({"features.more": torch.zeros(2)}, "unknown tensors: features.more"),
    ],
)
def test_other_tensors_are_refused(tmp_path, change, message):
    packed_set().save(tmp_path / "set")
    tensors = load_file(tmp_path / "set" / "set.safetensors") | change
    kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    forge(tmp_path / "set", set=save(kept))
    with pytest.raises(SetError, match=message):
        SyntheticSet.load(tmp_path / "set")


@pytest.mark.parametrize(
    "change",
    [
        {"numbers": "int4"},
        {"frames": "some"},
        {"shorter": 0},
        {"shorter": 10**12},
        {"more": 1},
        {"code": 2},
    ],
)
def test_another_codec_is_refused(tmp_path, change):
    packed_set().save(tmp_path / "set")
    forge(tmp_path / "set", lambda manifest: manifest["codec"].update(change))
    with pytest.raises(SetError, match="against the schema: codec"):
        SyntheticSet.load(tmp_path / "set")


def test_cosines_of_very_long_items_are_refused(tmp_path):
    """Before anything of that size is made."""
    packed_set(codec_of("int8", "cosines", 4)).save(tmp_path / "set")

    def lengthen(manifest):
        manifest["features"]["frames"] = 1_000_000
        manifest["codec"]["shorter"] = 1_000_000

    forge(tmp_path / "set", lengthen)
    with pytest.raises(SetError, match=r"manifest.json: cosines are for items of at most 4096"):
        SyntheticSet.load(tmp_path / "set")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features.decoder.last.bias": None}, "has no 'features.decoder.last.bias'"),
        (
            {"features.decoder.0.weight": torch.zeros(4, 4, 5).half()},
            r"of shape \[4, 4, 3\]; found",
        ),
        ({"features.decoder.last.bias": torch.zeros(8)}, "must be torch.float16 of shape"),
        ({"features.codes": torch.zeros(6, 4).half()}, r"of shape \[item, 3\]; found"),
        ({"features.codes": torch.zeros(6).half()}, r"of shape \[item, 3\]; found"),
        ({"features.codes": torch.zeros(5, 3).half()}, "differ in their number of items"),
        ({"features.codes": torch.full((6, 3), torch.nan).half()}, "not finite"),
        ({"features.classes": torch.full((6,), 3).byte()}, "numbers below 3, .*; found 3"),
        ({"features.classes": torch.zeros(6)}, r"must be torch.uint8 of shape \[item\]"),
        ({"features.decoder.3.weight": torch.zeros(2)}, "unknown tensors: features.decoder.3"),
    ],
)
def test_other_tensors_than_a_decoder_has_are_refused(tmp_path, change, message):
    packed_set(DECODERS[0]).save(tmp_path / "set")
    tensors = load_file(tmp_path / "set" / "set.safetensors") | change
    kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    forge(tmp_path / "set", set=save(kept))
    with pytest.raises(SetError, match=message):
        SyntheticSet.load(tmp_path / "set")


@pytest.mark.parametrize(
    "change", [{"code": 0}, {"code": 5_000}, {"width": 10**9}, {"limit": 0.0}, {"numbers": "int8"}]
)
def test_another_decoder_is_refused(tmp_path, change):
    packed_set(DECODERS[0]).save(tmp_path / "set")
    forge(tmp_path / "set", lambda manifest: manifest["codec"].update(change))
    with pytest.raises(SetError, match="against the schema: codec"):
        SyntheticSet.load(tmp_path / "set")


def test_a_prefix_of_codes_keeps_the_network(tmp_path):
    whole = packed_set(DECODERS[0])
    some = whole.prefix(1)
    assert whole.packed is not None
    assert some.packed is not None
    assert len(some.packed.stored["codes"]) == len(some) == 3
    some.save(tmp_path / "some")
    loaded = SyntheticSet.load(tmp_path / "some")
    for name, tensor in loaded.packed.stored.items():
        if name.startswith("decoder."):
            assert torch.equal(tensor, whole.packed.stored[name])


def test_more_emotions_than_a_byte_tells_apart_are_refused():
    decoder, draws = DECODERS[0], torch.Generator().manual_seed(0)
    weights = decoder.draw(*SPEC.shape, 257, draws)
    with pytest.raises(SetError, match="there can be 256 emotions; found 257"):
        decoder.encode(weights, torch.zeros(1, 3), torch.tensor([256]))


def test_a_decoder_counts_every_byte():
    synthetic, decoder = packed_set(DECODERS[0]), DECODERS[0]
    assert synthetic.packed is not None
    own = decoder.bytes(*SHAPE) + 6 * decoder.item_bytes
    assert own == size(synthetic.packed.stored)
    assert synthetic.bytes == own + 6 * 3 * 4 + 2 * 8 * 4  # targets, transform


def scheduled(**changes: Any) -> SyntheticSet:
    return small_set(schedule=NativeSchedule(RATES, 0.9, 1), **changes)


def test_a_schedule_is_kept_and_counted(tmp_path):
    scheduled().save(tmp_path / "set")
    loaded = SyntheticSet.load(tmp_path / "set")
    assert loaded.schedule is not None
    assert torch.equal(loaded.schedule.learning_rates, RATES)
    assert (loaded.schedule.momentum, loaded.schedule.together) == (0.9, 1)
    assert loaded.bytes == small_set().bytes + 3 * 4
    assert json.loads((tmp_path / "set" / "manifest.json").read_text())["schedule"] == {
        "momentum": 0.9,
        "together": 1,
    }


def test_the_card_shows_the_schedule_as_code_that_runs(tmp_path, monkeypatch):
    scheduled().save(tmp_path / "set")
    monkeypatch.chdir(tmp_path / "set")
    card = (tmp_path / "set" / "README.md").read_text()
    assert "The set was made for 3 steps of one training" in card
    use, native, *_ = re.findall(r"```python\n(.*?)\n```", card, flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(use, names)
    before = [weight.clone() for weight in names["model"].parameters()]
    exec(native, names)
    assert names["step"] == 2
    assert names["rows"].tolist() == [0, 2, 4]
    changed = zip(before, names["model"].parameters(), strict=True)
    assert not any(torch.equal(old, new) for old, new in changed)


def test_a_schedule_needs_the_start_it_is_for():
    with pytest.raises(SetError, match="starts from the fixed initialisation; found none"):
        scheduled(start=None)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_step_sizes_are_positive_numbers(rate):
    with pytest.raises(SetError, match="positive numbers, one per step"):
        NativeSchedule(torch.tensor([0.1, rate]), 0.9, 1)


def test_no_step_is_no_schedule():
    with pytest.raises(SetError, match="positive numbers"):
        replace(NativeSchedule(RATES, 0.9, 1), learning_rates=torch.empty(0))
