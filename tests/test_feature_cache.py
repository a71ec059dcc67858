"""The feature cache: quick, the same bits, and never the reason why something fails."""

import logging
import os
import tempfile
from dataclasses import replace
from inspect import getsource
from pathlib import Path

import pytest
import torch
from joblib import Parallel, delayed
from safetensors import safe_open
from safetensors.torch import save_file
from small_encoders import speech_encoder, text_encoder

from synth_data import feature_cache
from synth_data.feature_cache import FeatureCache, default_folder
from synth_data.features import FeatureSpec
from synth_data.representations import known_feature

SPEC = FeatureSpec(mels=8, frames=20)
ROWS = {
    row: torch.randn(SPEC.shape, generator=torch.Generator().manual_seed(row)) for row in (0, 1, 3)
}


@pytest.fixture
def cache(tmp_path):
    return FeatureCache(tmp_path / "deep" / "cache", "ab" * 32, SPEC, size=4)


@pytest.fixture(scope="module")
def encoders(tmp_path_factory):
    """Small ones of speech and of text."""
    pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("encoders")
    speech, text = speech_encoder(folder / "speech"), text_encoder(folder / "text")
    return known_feature(f"hubert:{speech}"), known_feature(f"text:{text}")


def equal(one, other):
    return list(one) == list(other) and all(torch.equal(one[row], other[row]) for row in one)


def test_what_was_written_is_read(cache):
    assert cache.read() == {}
    cache.write(ROWS)
    assert equal(cache.read(), ROWS)
    assert [path.name for path in cache.folder.iterdir()] == [cache.file.name]


def test_nothing_is_no_file(cache):
    cache.write({})
    assert not cache.folder.exists()


def test_others_cannot_read_it(cache):
    cache.write(ROWS)
    assert cache.file.stat().st_mode & 0o077 == 0


def test_corpus_recipe_and_software_have_files_of_their_own(cache, monkeypatch):
    files = {
        cache.file,
        replace(cache, content="cd" * 32).file,
        replace(cache, spec=replace(SPEC, floor=1e-5)).file,
    }
    feature_cache._software.cache_clear()
    monkeypatch.setattr(feature_cache, "version", lambda name: f"another {name}")
    files.add(cache.file)
    feature_cache._software.cache_clear()
    assert len(files) == 4


@pytest.mark.parametrize(
    ("name", "speech", "text"),
    [
        ("audio", True, True),
        ("pure_torchaudio", True, True),
        ("representation", True, True),
        ("representations.layers", True, True),
        ("representations.loading", True, True),
        ("representations.encoder_folder", True, True),
        ("representations.encoder", True, False),
        ("representations.text", False, True),
        ("representations.kaldi", False, False),
        ("curator", False, False),
    ],
)
def test_code_that_changes_features_is_part_of_the_name(
    cache, encoders, monkeypatch, name, speech, text
):
    caches = [replace(cache, spec=spec) for spec in encoders]
    feature_cache._software.cache_clear()
    before = [one.file for one in caches]
    feature_cache._software.cache_clear()
    changed = f"synth_data.{name}"
    monkeypatch.setattr(
        feature_cache,
        "getsource",
        lambda module: getsource(module) + "# changed" * (module.__name__ == changed),
    )
    after = [one.file for one in caches]
    feature_cache._software.cache_clear()
    assert [one != other for one, other in zip(before, after, strict=True)] == [speech, text]


def truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def replaced_by_text(file: Path) -> None:
    file.write_text("these are not the features you are looking for")


def one_bit_flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)


def resaved(file: Path, header: dict[str, str] | None = None, **tensors: torch.Tensor) -> None:
    with safe_open(file, framework="pt") as stored:
        kept = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        metadata = stored.metadata() if header is None else header
    save_file(kept | tensors, file, metadata)


def without_a_header(file: Path) -> None:
    resaved(file, {})


def with_another_corpus_header(file: Path) -> None:
    with safe_open(file, framework="pt") as stored:
        header = stored.metadata()
    resaved(file, header | {"corpus": "cd" * 32})


def with_rows_missing(file: Path) -> None:
    resaved(file, rows=torch.tensor([0, 1]))


def with_rows_outside(file: Path) -> None:
    resaved(file, rows=torch.tensor([0, 1, 4]))


def with_another_shape(file: Path) -> None:
    resaved(file, features=torch.zeros(3, 8, 21))


def with_another_type(file: Path) -> None:
    resaved(file, features=torch.zeros(3, 8, 20, dtype=torch.bfloat16))


def without_features(file: Path) -> None:
    save_file({"rows": torch.tensor([0, 1, 3])}, file)


DAMAGE = [
    truncated,
    emptied,
    replaced_by_text,
    one_bit_flipped,
    without_a_header,
    with_another_corpus_header,
    with_rows_missing,
    with_rows_outside,
    with_another_shape,
    with_another_type,
    without_features,
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_told_and_made_again(cache, damage, caplog):
    cache.write(ROWS)
    damage(cache.file)
    with caplog.at_level(logging.WARNING):
        assert cache.read() == {}
    assert "are damaged and made again" in caplog.text
    cache.write(ROWS)
    assert equal(cache.read(), ROWS)


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    cache = FeatureCache(tmp_path / "file" / "cache", "ab" * 32, SPEC, size=4)
    with caplog.at_level(logging.WARNING):
        cache.write(ROWS)
    assert "features are not cached in" in caplog.text
    assert cache.read() == {}


def test_a_folder_in_the_place_of_the_file_is_done_without(cache, caplog):
    cache.file.mkdir(parents=True)
    assert cache.read() == {}
    cache.write(ROWS)
    assert "features are not cached in" in caplog.text
    assert [path.name for path in cache.folder.iterdir()] == [cache.file.name]


def test_a_failed_write_leaves_what_was_there(cache, monkeypatch, caplog):
    cache.write(ROWS)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(feature_cache, "save_file", full)
    cache.write({0: ROWS[0]})
    assert "No space left" in caplog.text
    assert equal(cache.read(), ROWS)
    assert len(list(cache.folder.iterdir())) == 1


@pytest.mark.slow
def test_two_processes_may_write_at_once(cache):
    Parallel(2)(delayed(cache.write)(ROWS) for _ in range(20))
    assert equal(cache.read(), ROWS)
    assert len(list(cache.folder.iterdir())) == 1


def homeless() -> Path:
    raise RuntimeError("Could not determine home directory.")


def test_default_folder(monkeypatch, tmp_path):
    for name in ("DISTILL_DATA_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", os.fspath(tmp_path))
    assert default_folder() == tmp_path / ".cache" / "distill-data" / "features"
    with monkeypatch.context() as nobody:
        nobody.setattr(Path, "home", homeless)
        assert default_folder().is_relative_to(tempfile.gettempdir())
    monkeypatch.setenv("XDG_CACHE_HOME", os.fspath(tmp_path / "xdg"))
    assert default_folder() == tmp_path / "xdg" / "distill-data" / "features"
    monkeypatch.setenv("DISTILL_DATA_CACHE", "~/mine")
    assert default_folder() == tmp_path / "mine"
