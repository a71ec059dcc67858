"""The output folder belongs to one run at a time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from distill.run_folder import claimed
from synth_data.errors import UserError

HOLDS = """
import sys, time
from pathlib import Path
from distill.run_folder import claimed
with claimed(Path(sys.argv[1])):
    print("mine", flush=True)
    time.sleep(60)
"""


def test_two_runs_do_not_write_into_one_folder(tmp_path: Path) -> None:
    out = tmp_path / "a" / "out"
    other = subprocess.Popen([sys.executable, "-c", HOLDS, out], stdout=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline() == b"mine\n"
    told = r"another run is at work in .*out: wait until it has"
    with pytest.raises(UserError, match=told), claimed(out):
        pass
    other.kill()  # which leaves nothing behind that would hold others up
    other.communicate()
    with claimed(out):
        (out / "run.toml").touch()
    assert [*out.iterdir()] == [out / "run.toml"]


def test_a_run_that_was_refused_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such corpus"), claimed(tmp_path / "out"):
        raise UserError("no such corpus")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_noticed_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # whoever is root may write everywhere
    told = "cannot be written to: choose another --out"
    with pytest.raises(UserError, match=told), claimed(tmp_path):
        pass
