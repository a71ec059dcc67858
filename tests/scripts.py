"""The scripts of `examples/`, as modules."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from commands import Command, run_here

from synth_data.console import run

EXAMPLES = Path(__file__).parents[1] / "examples"
SMALL = """\
feature = "logmel64-short"
[loop]
steps = 2
[settings]
starts = 1
checkpoints = 2
stride = 1
[recipe]
batch = 16
schedules = [{ steps = 2, learning_rate = 0.001 }]
"""


def script(name: str) -> ModuleType:
    """The script of this name; what lies beside it can be imported from then on."""
    if str(EXAMPLES) not in sys.path:
        sys.path.append(str(EXAMPLES))
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def makes_small_sets(
    module: ModuleType,
    slices: int,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """Runs a script that makes and judges sets, small, into the folder `out` of a folder."""
    small = folder / "small.toml"
    small.write_text(f"{SMALL}[parameterisation]\nslices = {slices}\n")
    # As on a machine with one core: no processes.
    monkeypatch.setattr("ipc_curves.cpu_count", lambda: 1)
    monkeypatch.setattr("evaluation.session.cpu_count", lambda: 1)
    usual = ("--config", small, "--seeds", 1, "--out", folder / "out")
    return lambda *words: run_here(lambda: run(module.app), (*usual, *words), monkeypatch, capsys)
