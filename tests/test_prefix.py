"""Prefixes of a set: smaller sets, cut out of it."""

import re
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from small_sets import SPEC, forge, provenance, small_set

from synth_data.codecs import Packed, codec_of
from synth_data.errors import SetError
from synth_data.guarantee import Guarantee
from synth_data.inspection import describe
from synth_data.ledger import PrivacyBudget, Release
from synth_data.schedule import NativeSchedule
from synth_data.synthetic import SyntheticSet

INT8 = codec_of("int8", "means", 4)
ORDERED = torch.eye(3).repeat_interleave(4, dim=0)
FIRST_TWO = [0, 1, 4, 5, 8, 9]


def a_set(**changes: Any) -> SyntheticSet:
    """Four items for each of three emotions, in their order, stored small; nested."""
    features = torch.randn(12, *SPEC.shape, generator=torch.Generator().manual_seed(1))
    packed = Packed.of(INT8, features)
    settings = {
        "features": packed.features(SPEC.frames),
        "packed": packed,
        "targets": ORDERED,
        "nested": (1, 2),
        "provenance": provenance(estimate="UAR 0.61", fold=None),
    }
    return small_set(**settings | changes)


def test_a_prefix_is_the_first_items_of_each_emotion(tmp_path):
    whole = a_set()
    some = whole.prefix(2)
    assert torch.equal(some.features, whole.features[FIRST_TWO])
    assert torch.equal(some.targets, whole.targets[FIRST_TWO])
    assert some.per_class == {"anger": 2, "neutral": 2, "sadness": 2}
    assert some.nested == (1,)
    assert some.bytes < whole.bytes
    some.save(tmp_path / "some")
    loaded = SyntheticSet.load(tmp_path / "some")
    assert torch.equal(loaded.features, some.features)
    assert loaded.provenance == some.provenance
    assert torch.equal(loaded.prefix(1).features, whole.prefix(1).features)


def test_a_set_as_it_is_has_prefixes_too():
    """Whatever the order that its items are in."""
    mixed = small_set()  # anger, neutral, sadness, anger, ...
    some = mixed.prefix(1)
    assert torch.equal(some.features, mixed.features[:3])
    assert torch.equal(some.targets, torch.eye(3))


def test_a_prefix_says_whose_it_is(tmp_path):
    whole = a_set()
    whole.save(tmp_path / "set")
    digest = sha256((tmp_path / "set" / "set.safetensors").read_bytes()).hexdigest()
    told = whole.prefix(2).provenance
    assert told.notes[:-1] == whole.provenance.notes
    assert told.notes[-1] == (
        f"it is the first 2 items of each emotion of a set of 4 (whose set.safetensors has the "
        f"SHA-256 {digest}), which was made for prefixes of this size"
    )
    assert told.estimate is None
    other = whole.prefix(3).provenance.notes[-1]
    assert "was not made for prefixes of this size: a set made at it may be worth more" in other


@pytest.mark.parametrize(("items", "ipc"), [(1, 1), (16, 1), (17, 2), (32, 2), (33, 3)])
def test_its_size_is_in_the_bytes_of_items_as_they_are(items, ipc):
    codec = codec_of("int8", "means", 4)
    packed = Packed.of(codec, torch.zeros(3 * 40, 64, 300))
    spec = replace(SPEC, mels=64, frames=300)
    targets = torch.eye(3).repeat_interleave(40, dim=0)
    stored = {"packed": packed, "features": packed.features(300), "targets": targets}
    whole = small_set(**stored, spec=spec, transforms=())
    assert whole.prefix(items).provenance.per_class == ipc


def test_taught_labels_do_not_move_items_to_other_classes():
    """An expert may hear more of another emotion in them."""
    taught = ORDERED * 0.8 + 0.2 / 3
    taught[4:8] = torch.tensor([0.6, 0.3, 0.1])
    some = a_set(targets=taught).prefix(2)
    assert torch.equal(some.targets, taught[FIRST_TWO])


def test_a_guarantee_is_kept(tmp_path):
    """What is done to released numbers takes nothing more from the speech."""
    guarantee = Guarantee(PrivacyBudget(2.0, 1e-4, "speaker"), (Release("means", 5.0),))
    private = provenance(corpus_digest=None, training_utterances=None)
    whole = a_set(guarantee=guarantee, provenance=private)
    whole.prefix(2).save(tmp_path / "some")
    assert SyntheticSet.load(tmp_path / "some").guarantee == guarantee


@pytest.mark.parametrize(("steps", "together", "kept"), [(2, 1, True), (1, 2, True), (3, 1, False)])
def test_a_schedule_is_kept_where_it_uses_no_other_items(steps, together, kept):
    schedule = NativeSchedule(torch.full((steps,), 0.1), 0.9, together)
    some = a_set(schedule=schedule).prefix(2)
    assert (some.schedule is schedule) == kept
    assert ("is left out" in some.provenance.notes[-1]) != kept
    assert small_set(schedule=NativeSchedule(torch.ones(1), 0.0, 1)).prefix(1).schedule is None


@pytest.mark.parametrize("size", [0, 4, 5, -1])
def test_a_prefix_is_smaller_than_its_set(size):
    with pytest.raises(
        SetError, match=rf"of 4 items of each emotion has from 1 to 3; found {size}$"
    ):
        a_set().prefix(size)


def test_uneven_classes_have_no_prefixes():
    targets = torch.eye(3)[[0, 0, 0, 1, 1, 2]]
    with pytest.raises(SetError, match=r"this set has 3, 2, 1 of them"):
        small_set(targets=targets).prefix(1)
    foreign = small_set(targets=0.8 * targets + 0.2 / 3, start=None)
    with pytest.raises(SetError, match=r"this set has 3, 2, 1 of them"):
        foreign.prefix(1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nested": (1, 4)}, "from 1 to 3; found 4"),
        ({"nested": (2, 1)}, "from the smallest"),
        ({"nested": (2, 2)}, "are named once each"),
        ({"nested": (0,)}, "from 1 to 3"),
        ({"targets": torch.eye(3).repeat(4, 1)}, "must stand in the order of their emotions"),
    ],
)
def test_impossible_sizes(changes, message):
    with pytest.raises(SetError, match=message):
        a_set(**changes)


@pytest.mark.parametrize("nested", [[4], [1.5], "1", [1, 1]])
def test_forged_sizes(tmp_path, nested):
    a_set().save(tmp_path / "set")
    forge(tmp_path / "set", lambda manifest: manifest.update(nested=nested))
    with pytest.raises(SetError, match=r"nested|prefix of a set"):
        SyntheticSet.load(tmp_path / "set")


def test_a_file_from_before_there_were_nested_sets_is_read(tmp_path):
    small_set().save(tmp_path / "set")
    forge(tmp_path / "set", lambda manifest: manifest.pop("nested"))
    assert SyntheticSet.load(tmp_path / "set").nested == ()


def card_of(synthetic: SyntheticSet, folder: Path) -> str:
    synthetic.save(folder)
    return (folder / "README.md").read_text()


def test_the_card_says_which_prefixes_are_sets_and_how_to_cut_one(tmp_path, monkeypatch):
    card = card_of(a_set(), tmp_path / "set")
    assert "with so many of each: 1, 2. To cut one" in card
    assert "`synth-data prefix SET --items 1 --out FOLDER`" in card
    monkeypatch.chdir(tmp_path / "set")
    use, cut, *_ = re.findall(r"```python\n(.*?)\n```", card, flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(use + "\n" + cut, names)
    assert torch.equal(names["features"], a_set().prefix(1).features)
    assert torch.equal(names["targets"], torch.eye(3))
    assert "nested" not in card_of(a_set(nested=()), tmp_path / "plain")


def test_the_card_says_whose_the_schedule_is(tmp_path):
    schedule = NativeSchedule(torch.full((2,), 0.1), 0.9, 1)
    card = card_of(a_set(schedule=schedule), tmp_path / "set")
    assert "The schedule above takes the first 2: without them there is none." in card


def test_a_look_into_a_set_tells_its_sizes():
    line = "prefixes     that are sets: the first 1, 2 of each emotion"
    assert line in describe(a_set()).splitlines()
    assert "prefixes" not in describe(small_set())
