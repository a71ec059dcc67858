"""The synthetic set: what it refuses, what it keeps on disk, how it is written."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_sets import SPEC, provenance, small_set

from synth_data.errors import SetError
from synth_data.provenance import Start
from synth_data.synthetic import SyntheticSet
from synth_data.task import Task
from synth_data.transforms import Standardise

NOT_FINITE = torch.full((6, *SPEC.shape), float("nan"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"start": None},
        {"transforms": ()},
        {"targets": torch.eye(3).repeat(2, 1) * 0.7 + 0.1},
        {"provenance": provenance(fold=None, estimate="UAR 0.61", notes=(), settings={})},
    ],
    ids=["full", "no start", "no transform", "soft targets", "from all speakers"],
)
def test_what_is_saved_is_loaded(tmp_path, changes):
    saved = small_set(**changes)
    saved.save(tmp_path / "set")
    loaded = SyntheticSet.load(tmp_path / "set")
    assert torch.equal(loaded.features, saved.features)
    assert torch.equal(loaded.targets, saved.targets)
    assert (loaded.emotions, loaded.spec) == (saved.emotions, saved.spec)
    assert loaded.provenance == saved.provenance
    real = torch.randn(4, *SPEC.shape)
    assert torch.equal(loaded.transform(real), saved.transform(real))
    assert (loaded.start is None) == (saved.start is None)
    if loaded.start and saved.start:
        assert (loaded.start.network, loaded.start.seed) == ("tdnn", 7)
        assert loaded.start.digest == saved.start.digest


def test_the_same_set_is_the_same_bytes(tmp_path):
    small_set().save(tmp_path / "a")
    small_set().save(tmp_path / "b")
    SyntheticSet.load(tmp_path / "a").save(tmp_path / "c")
    assert contents(tmp_path / "a") == contents(tmp_path / "b") == contents(tmp_path / "c")
    small_set(provenance=provenance(seed=1)).save(tmp_path / "d")
    assert contents(tmp_path / "a") != contents(tmp_path / "d")


def test_views_tied_weights_and_gradients_are_saved(tmp_path):
    shared = torch.randn(3, 3)
    start = Start("tied", 0, {"a": shared, "b": shared.t()})
    features = torch.randn(*SPEC.shape, 6).permute(2, 0, 1).requires_grad_()
    small_set(features=features, start=start).save(tmp_path / "set")
    loaded = SyntheticSet.load(tmp_path / "set")
    assert torch.equal(loaded.features, features.detach())
    assert loaded.start is not None
    assert torch.equal(loaded.start.weights["b"], shared.t())


def test_the_folder_needs_nothing_of_this_package(tmp_path):
    small_set().save(tmp_path / "set")
    assert sorted(contents(tmp_path / "set")) == [
        "README.md",
        "manifest.json",
        "set.safetensors",
        "start.safetensors",
    ]
    tensors = load_file(tmp_path / "set" / "set.safetensors")
    assert {name: list(tensor.shape) for name, tensor in tensors.items()} == {
        "features": [6, 8, 12],
        "targets": [6, 3],
        "transform.0.mean": [8],
        "transform.0.deviation": [8],
    }
    manifest = json.loads((tmp_path / "set" / "manifest.json").read_text())
    assert manifest["items"] == {"anger": 2, "neutral": 2, "sadness": 2}
    assert manifest["labels"] == "one-hot float rows"
    assert manifest["features"]["mels"] == 8
    assert manifest["privacy"] == {"mechanism": "none", "statement": "no formal guarantee"}


def test_counts_and_bytes():
    synthetic = small_set()
    assert len(synthetic) == 6
    assert synthetic.per_class == {"anger": 2, "neutral": 2, "sadness": 2}
    assert synthetic.bytes == 4 * (6 * 8 * 12 + 6 * 3 + 8 + 8)
    assert synthetic.start_bytes == 4 * (3 * 8 + 3 + 1)
    assert small_set(start=None).start_bytes == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": torch.zeros(5, 8, 12)}, r"shape \[6, 8, 12\].*found .*\[5, 8, 12\]"),
        ({"features": torch.zeros(6, 8, 13)}, r"shape \[6, 8, 12\].*found .*\[6, 8, 13\]"),
        ({"features": torch.zeros(6, 8, 12, dtype=torch.float64)}, "found torch.float64"),
        ({"features": NOT_FINITE}, "features hold values that are not finite"),
        ({"targets": torch.eye(3).repeat(2, 1).double()}, "must be float32 rows"),
        ({"targets": torch.ones(6, 2) / 2}, r"each of 3 emotions.*shape \[6, 2\]"),
        ({"targets": torch.zeros(6)}, r"must be float32 rows"),
        ({"targets": torch.zeros(0, 3)}, "at least one item"),
        ({"targets": torch.full((6, 3), 0.5)}, "sum to 1; row 0 holds"),
        ({"targets": torch.tensor([[2.0, -1.0, 0.0]] * 6)}, "shares from 0 to 1"),
        ({"targets": torch.full((6, 3), float("nan"))}, "shares from 0 to 1"),
        ({"task": Task(("anger", "anger", "sadness"))}, "distinct printable names"),
        ({"task": Task(("anger", "", "sadness"))}, "distinct printable names"),
        ({"task": Task(("anger", "\x1b[31m", "sadness"))}, "distinct printable names"),
        ({"transforms": (Standardise(torch.zeros(9), torch.ones(9)),)}, "fitted on 9 mel bands"),
    ],
)
def test_contradictions_are_refused(changes, message):
    with pytest.raises(SetError, match=message):
        small_set(**changes)


def test_what_the_format_cannot_say_is_refused_when_saving(tmp_path):
    with pytest.raises(SetError, match=r"cannot be described: provenance\.per_class"):
        small_set(provenance=provenance(per_class=0)).save(tmp_path / "set")
    assert not any(tmp_path.iterdir())


def test_settings_are_plain_json():
    assert provenance(settings={"shifts": (0, 8)}).settings == {"shifts": [0, 8]}
    with pytest.raises(ValueError, match="JSON compliant"):
        provenance(settings={"rate": float("nan")})


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({}, "the start weights of 'tdnn' are empty"),
        ({"steps": torch.tensor(3)}, "'steps' must be float32; found torch.int64"),
        ({"w": torch.tensor([float("inf")])}, "'w' holds values that are not finite"),
    ],
)
def test_bad_start_weights(weights, message):
    with pytest.raises(SetError, match=message):
        Start("tdnn", 0, weights)


def test_the_start_digest_names_the_weights():
    a, b = torch.arange(6.0).reshape(2, 3), torch.ones(2)
    digest = Start("tdnn", 0, {"a": a, "b": b}).digest
    assert digest == Start("other", 1, {"b": b, "a": a.t().contiguous().t()}).digest
    for other in ({"a": a, "c": b}, {"a": a.reshape(3, 2), "b": b}, {"a": a, "b": b + 1e-6}):
        assert digest != Start("tdnn", 0, other).digest


def test_a_set_is_replaced_by_a_set(tmp_path):
    small_set().save(tmp_path / "set")
    small_set(start=None).save(tmp_path / "set")
    assert SyntheticSet.load(tmp_path / "set").start is None
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "set").mkdir()
    small_set().save(tmp_path / "set")
    assert len(SyntheticSet.load(tmp_path / "set")) == 6


@pytest.mark.parametrize("name", ["thesis.tex", "README.md", "manifest.json"])
def test_nothing_else_is_ever_replaced(tmp_path, name):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / name).write_text("years of it")
    with pytest.raises(SetError, match=f"work: exists and is not a synthetic set .{name}"):
        small_set().save(tmp_path / "work")
    assert contents(tmp_path / "work") == {name: b"years of it"}


def test_a_set_with_a_foreign_file_is_not_replaced(tmp_path):
    small_set().save(tmp_path / "set")
    (tmp_path / "set" / "notes.txt").write_text("mine")
    with pytest.raises(SetError, match="not replaced; choose another folder"):
        small_set().save(tmp_path / "set")
    assert (tmp_path / "set" / "notes.txt").read_text() == "mine"


def test_a_file_or_link_in_the_way_is_not_replaced(tmp_path):
    (tmp_path / "file").write_text("mine")
    small_set().save(tmp_path / "set")
    (tmp_path / "link").symlink_to(tmp_path / "set")
    for name in ("file", "link"):
        with pytest.raises(SetError, match="is not a synthetic set"):
            small_set().save(tmp_path / name)
    with pytest.raises(SetError, match="cannot be written"):
        small_set().save(tmp_path / "file" / "set")


@pytest.mark.parametrize("failure", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("method", ["write_bytes", "rename"])
@pytest.mark.parametrize("call", [1, 2])
def test_an_interrupted_save_leaves_what_was_there(tmp_path, monkeypatch, failure, method, call):
    small_set(start=None).save(tmp_path / "set")
    before = contents(tmp_path / "set")
    genuine, calls = getattr(Path, method), []

    def fails(*arguments):
        calls.append(arguments)
        if len(calls) == call:
            raise failure("no more space")
        return genuine(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Path, method, fails)
        with pytest.raises(KeyboardInterrupt if failure is KeyboardInterrupt else SetError):
            small_set().save(tmp_path / "set")
    assert len(calls) >= call
    assert contents(tmp_path / "set") == before
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
