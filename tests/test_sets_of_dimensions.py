"""Sets that tell dimensions: stored, described, used from their card alone, and forged."""

import contextlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from felt_sets import CELLS, PROXIES, VALUES, felt_set, set_of_both
from safetensors.torch import load_file, save
from small_sets import forge, provenance, small_set

from synth_data.codecs import Packed, codec_of
from synth_data.errors import SetError
from synth_data.guarantee import Guarantee
from synth_data.inspection import describe
from synth_data.ledger import PrivacyBudget, Release
from synth_data.schedule import NativeSchedule
from synth_data.synthetic import SyntheticSet
from synth_data.task import DIMENSIONS, Task

BOTH = [felt_set, set_of_both]


def same(found: torch.Tensor, expected: torch.Tensor) -> bool:
    """Also where numbers are missing."""
    return torch.allclose(found, expected, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("make", BOTH)
def test_what_is_saved_is_loaded(tmp_path: Path, make) -> None:
    make().save(tmp_path / "set")
    loaded = SyntheticSet.load(tmp_path / "set")
    assert loaded.task == make().task
    assert same(loaded.targets, make().targets)
    assert loaded.per_class == {
        "valence- activation- dominance-": 2,
        "valence- activation+ dominance+": 2,
        "valence+ activation- dominance-": 2,
        "valence+ activation+ dominance+": 2,
    }
    loaded.save(tmp_path / "again")
    for name in ("manifest.json", "set.safetensors", "README.md"):
        assert (tmp_path / "set" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_a_set_of_emotions_says_nothing_of_dimensions(tmp_path: Path) -> None:
    small_set().save(tmp_path / "set")
    forge(tmp_path / "set", lambda manifest: manifest.pop("dimensions"))  # as older files are
    assert SyntheticSet.load(tmp_path / "set").task.dimensions == ()
    assert "dimension" not in (tmp_path / "set" / "README.md").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": VALUES.repeat(2, 1) * 1.1}, r"numbers from -1 to 1; row 0 of targets holds"),
        ({"targets": torch.full((8, 3), torch.nan)}, "numbers from -1 to 1"),
        ({"targets": torch.zeros(8, 2)}, r"each of 3 columns; found .* shape \[8, 2\]"),
        ({"targets": torch.zeros(8, 3, dtype=torch.float64)}, "must be float32 rows"),
    ],
)
def test_contradictions_are_refused(changes, message) -> None:
    with pytest.raises(SetError, match=message):
        felt_set(**changes)


def test_an_emotion_is_told_as_a_whole_or_not_at_all() -> None:
    targets = set_of_both().targets.clone()
    targets[7, 0] = 1.0  # and the others are missing
    with pytest.raises(SetError, match="row 7 holds"):
        set_of_both(targets=targets)
    targets[:, :3] = torch.nan
    with pytest.raises(SetError, match="no item tells any of them: leave the columns out"):
        set_of_both(targets=targets)
    with pytest.raises(SetError, match="shares from 0 to 1"):
        small_set(targets=torch.full((6, 3), torch.nan))
    with pytest.raises(SetError, match="distinct printable names"):
        set_of_both(task=Task(("anger", "neutral", "valence"), DIMENSIONS))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cells": [0, 3, 4]}, "disagree about items"),
        ({"cells": []}, "disagree about dimensions"),
        ({"cells": [0, 3, 4, 8]}, "cells are numbers from 0 to 7"),
        ({"cells": [4, 3, 0, 7]}, "from the smallest"),
        ({"cells": [0, 3, 4, -7]}, "against the schema: dimensions.cells.3"),
        ({"cells": [0, 3, 4, 10**30]}, "cells are numbers from 0 to 7"),
        ({"scale": [5.0, 1.0]}, "a scale goes from its lowest to its highest"),
        ({"scale": [1.0, 1.0]}, "a scale goes from its lowest to its highest"),
        ({"scale": [1.0, float("inf")]}, "against the schema: dimensions.scale.1"),
        ({"scale": [1.0]}, "against the schema: dimensions.scale"),
        ({"scale": ["1", "5"]}, "against the schema: dimensions.scale.0"),
        ({"names": ["valence", "activation"]}, "cells are numbers from 0 to 3"),
        ({"names": ["valence", "valence", "dominance"]}, "each named once and in the order"),
        ({"names": ["activation", "valence", "dominance"]}, "in the order valence, activation"),
        ({"names": ["valence", "arousal", "dominance"]}, "unknown dimension 'arousal'"),
        ({"names": []}, "against the schema: dimensions.names"),
        ({"proxies": 3}, "against the schema: dimensions.proxies"),
        ({"proxies": None}, "against the schema: dimensions.proxies"),
        ({"unit": "points"}, "against the schema: dimensions.unit"),
    ],
)
def test_forged_dimensions(tmp_path: Path, change, message) -> None:
    felt_set().save(tmp_path / "set")
    forge(tmp_path / "set", lambda manifest: manifest["dimensions"].update(change))
    with pytest.raises(SetError, match=message):
        SyntheticSet.load(tmp_path / "set")


ODD = (None, True, -1, 10**400, 0.5, "", "valence", [], {}, [None], [[1]], ["a", "b"], [1, 2, 3, 4])


def test_any_odd_value_of_dimensions_is_an_error_or_a_task(tmp_path: Path) -> None:
    felt_set().save(tmp_path / "set")
    whole = json.loads((tmp_path / "set" / "manifest.json").read_text())["dimensions"]
    for name in whole:
        for odd in ODD:
            forge(tmp_path / "set", lambda m, n=name, o=odd: m.update(dimensions={**whole, n: o}))
            with contextlib.suppress(SetError):
                assert SyntheticSet.load(tmp_path / "set").task.dimensions == DIMENSIONS
        lacking = {key: value for key, value in whole.items() if key != name}
        forge(tmp_path / "set", lambda m, left=lacking: m.update(dimensions=left))
        if name == "weights":  # which older sets lack: all alike
            assert SyntheticSet.load(tmp_path / "set").task.weights == ()
            continue
        with pytest.raises(SetError, match=f"against the schema: dimensions.{name}"):
            SyntheticSet.load(tmp_path / "set")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dimensions": None}, "emotions must be distinct|neither"),
        ({"emotions": ["anger"]}, "each of 4 columns"),
        ({"labels": "one-hot float rows"}, "disagree about labels"),
    ],
)
def test_a_forged_manifest(tmp_path: Path, change, message) -> None:
    felt_set().save(tmp_path / "set")
    forge(tmp_path / "set", lambda manifest: manifest.update(change))
    with pytest.raises(SetError, match=message):
        SyntheticSet.load(tmp_path / "set")


@pytest.mark.parametrize(
    ("value", "message"),
    [(torch.nan, "numbers from -1 to 1"), (1.5, "numbers from -1 to 1"), (-0.9, "about items")],
)
def test_forged_targets(tmp_path: Path, value: float, message: str) -> None:
    felt_set().save(tmp_path / "set")
    tensors = load_file(tmp_path / "set" / "set.safetensors")
    tensors["targets"][7] = value
    forge(tmp_path / "set", set=save(tensors))
    with pytest.raises(SetError, match=message):
        SyntheticSet.load(tmp_path / "set")


def code(folder: Path) -> list[str]:
    card = (folder / "README.md").read_text()
    return re.findall(r"```python\n(.*?)\n```", card, flags=re.DOTALL)


@pytest.mark.parametrize("make", BOTH)
def test_the_example_trains_a_model(tmp_path: Path, monkeypatch, make) -> None:
    make().save(tmp_path / "set")
    monkeypatch.chdir(tmp_path / "set")
    names: dict[str, object] = {}
    torch.manual_seed(0)
    exec(code(tmp_path / "set")[0], names)
    told = names["model"](make().features)
    assert names["columns"] == list(make().task.columns)
    assert names["ccc"](make().task.numbers(told), make().task.numbers(make().targets)).min() > 0.9
    if make is set_of_both:
        assert torch.equal(told[:7, :3].argmax(dim=1), make().targets[:7, :3].argmax(dim=1))


def test_ccc_of_the_card_is_that_of_a_plain_sum(tmp_path: Path) -> None:
    felt_set().save(tmp_path / "set")
    names: dict[str, object] = {}
    definition = re.search(r"^def ccc.*?\n\n", code(tmp_path / "set")[0], re.M | re.S)
    exec(definition[0], names)
    told, meant = torch.randn(2, 50, 3, generator=torch.Generator().manual_seed(0)).double()
    for k, found in enumerate(names["ccc"](told, meant).tolist()):
        a, b = told[:, k].tolist(), meant[:, k].tolist()
        ma, mb = sum(a) / 50, sum(b) / 50
        va, vb = sum((x - ma) ** 2 for x in a) / 50, sum((x - mb) ** 2 for x in b) / 50
        both = sum((x - ma) * (y - mb) for x, y in zip(a, b, strict=True)) / 50
        assert found == pytest.approx(2 * both / (va + vb + (ma - mb) ** 2))


def test_the_native_schedule_of_a_card_runs(tmp_path: Path, monkeypatch) -> None:
    schedule = NativeSchedule(torch.full((4,), 0.01), momentum=0.0, together=1)
    felt_set(schedule=schedule, nested=(1,)).save(tmp_path / "set")
    monkeypatch.chdir(tmp_path / "set")
    names: dict[str, object] = {}
    torch.manual_seed(0)
    use, native, prefix, *_ = code(tmp_path / "set")
    exec(use, names)
    exec(native, names)
    exec(prefix, names)
    assert names["features"].shape == (4, 8, 12)
    assert same(names["targets"], VALUES)
    card = (tmp_path / "set" / "README.md").read_text()
    assert "items stand in the order of their cells, 2 of each" in card


def test_the_card_tells_what_there_is_to_know(tmp_path: Path) -> None:
    felt_set().save(tmp_path / "set")
    card = (tmp_path / "set" / "README.md").read_text()
    assert "`targets` `[8, 3]` (no emotions)" in card
    assert "Valence, activation, dominance are the columns of the targets, from -1 to 1" in card
    assert "which are 1 and 5 on the scale of the corpus; `1 + (told + 1) / 2 * 4`" in card
    assert f"Nobody rated the recordings: the values are {PROXIES}" in card
    assert "Of 8 cells 4 have hardly any recording, and no items." in card
    assert "Items per cell: valence- activation- dominance- 2, " in card
    assert "items per cell as they are" in card
    assert '"synthetic", "valence", "activation", "dominance"]' in card
    assert provenance().licence in card
    set_of_both().save(tmp_path / "both")
    card = (tmp_path / "both" / "README.md").read_text()
    assert "are the columns after the 3 emotions of the targets" in card
    assert "Nobody rated" not in card


def test_inspection() -> None:
    text = describe(felt_set())
    assert re.search(r"^dimensions +valence, activation, dominance \(1 to 5\), in the", text, re.M)
    assert f"they are {PROXIES}" in text
    assert re.search(r"^emotions +none$", text, re.MULTILINE)
    assert "2 per cell" in text
    text = describe(set_of_both())
    assert re.search(r"^emotions +anger, neutral, sadness\n +not told of 1 items$", text, re.M)
    assert "dimensions" not in describe(small_set())


def test_a_prefix_is_one_of_cells(tmp_path: Path) -> None:
    for make in BOTH:
        first = make().prefix(1)
        assert same(first.targets, make().targets[::2])
        assert first.task.cells == CELLS
        first.save(tmp_path / make.__name__)
    learned = VALUES.repeat_interleave(2, dim=0)
    learned[1] = VALUES[3]  # distilled items stay of the cell whose turn it is
    assert torch.equal(felt_set(targets=learned).prefix(1).targets, VALUES)


def test_packed_items_are_those_of_a_set_of_dimensions(tmp_path: Path) -> None:
    whole = felt_set()
    stored = Packed.of(codec_of("int8"), whole.features)
    some = replace(whole, features=stored.features(12), packed=stored)
    some.save(tmp_path / "set")
    assert torch.equal(SyntheticSet.load(tmp_path / "set").targets, whole.targets)


def test_what_is_public_under_a_guarantee_names_the_scale(tmp_path: Path) -> None:
    guarantee = Guarantee(PrivacyBudget(8.0, 1e-5), (Release("asked", 10.0),))
    felt_set(guarantee=guarantee).save(tmp_path / "set")
    public = json.loads((tmp_path / "set" / "manifest.json").read_text())["privacy"]["public"]
    told = "its dimensions and their scale: valence, activation, dominance (1 to 5)"
    assert told in public
    assert told in (tmp_path / "set" / "README.md").read_text()
    SyntheticSet.load(tmp_path / "set")
