"""What all tests share."""

import os
from pathlib import Path

import pytest
import torch
from commands import ENTRIES, Command, run_here

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of the real corpora (`emodb/`, `ravdess/`), or a skip."""
    root = os.environ.get("SER_DATA_ROOT")
    if not root:
        pytest.skip("SER_DATA_ROOT names no folder of real corpora")
    return Path(root)


@pytest.fixture(autouse=True)
def _no_memory_of_other_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test trains its own students: one found again would hide what it tests."""
    monkeypatch.setenv("DISTILL_DATA_STUDENTS", str(tmp_path / "students-kept"))


@pytest.fixture
def distill_data(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command `distill-data`, in this process."""
    return lambda *words: run_here(ENTRIES["distill-data"], words, monkeypatch, capsys)


@pytest.fixture
def evaluate_data(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command `evaluate-data`, in this process."""
    return lambda *words: run_here(ENTRIES["evaluate-data"], words, monkeypatch, capsys)
