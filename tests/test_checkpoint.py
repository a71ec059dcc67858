"""Progress on disk: whole, of one run, or not there."""

import pytest
import torch

from distill import checkpoint
from distill.checkpoint import Checkpoint
from synth_data.errors import UserError

RUN = {"seed": 0, "loop": {"steps": 10}}
TENSORS = {"step": torch.tensor(3), "seconds": torch.tensor(1.5), "a": torch.eye(3)[:, ::2]}


def test_what_was_saved_is_loaded(tmp_path):
    path = tmp_path / "fold-1" / "progress.safetensors"
    Checkpoint(path, RUN).save(TENSORS)
    loaded = Checkpoint(path, RUN).load()
    assert loaded is not None
    assert loaded.keys() == TENSORS.keys()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in TENSORS.items())
    assert Checkpoint.seconds(path) == 1.5


def test_before_the_first_save_there_is_nothing(tmp_path):
    path = tmp_path / "progress.safetensors"
    assert Checkpoint(path, RUN).load() is None
    assert Checkpoint.seconds(path) == 0.0


def test_without_a_path_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    nowhere = Checkpoint(None, RUN)
    nowhere.save(TENSORS)
    assert nowhere.load() is None
    assert not list(tmp_path.iterdir())


def test_the_progress_of_another_run_is_refused(tmp_path):
    path = tmp_path / "progress.safetensors"
    Checkpoint(path, RUN).save(TENSORS)
    for other in ({"seed": 1}, {"seed": 0, "loop": {"steps": 11}}):
        with pytest.raises(UserError, match=r"saved by a run with other settings.*another --out"):
            Checkpoint(path, other).load()


@pytest.mark.parametrize("left", [0, 4, 100, -1])
def test_a_damaged_file_is_as_good_as_none(tmp_path, caplog, left):
    path = tmp_path / "progress.safetensors"
    Checkpoint(path, RUN).save(TENSORS)
    path.write_bytes(path.read_bytes()[:left])
    assert Checkpoint(path, RUN).load() is None
    assert "is damaged" in caplog.text
    assert str(path) in caplog.text


def test_an_interruption_while_saving_leaves_the_last_progress(tmp_path, monkeypatch):
    path = tmp_path / "progress.safetensors"
    mine = Checkpoint(path, RUN)
    mine.save(TENSORS)

    def interrupted(_tensors, half_written, **_):
        half_written.write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_file", interrupted)
        with pytest.raises(KeyboardInterrupt):
            mine.save({"step": torch.tensor(4)})
    kept = mine.load()
    assert kept is not None
    assert int(kept["step"]) == 3
    mine.save({"step": torch.tensor(5)})
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
