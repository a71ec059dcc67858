"""Runs the commands as a user does, small enough for a test."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from distill import cli as distill_cli
from evaluation import cli as evaluation_cli

SMALL = """\
ipc = 2
seeds = 1
[loop]
steps = {steps}
[settings]
starts = 1
checkpoints = 2
stride = 1
[native]
rounds = 2
[expert]
steps = 2
[recipe]
batch = 16
schedules = [{{ steps = 2, learning_rate = 0.001 }}]
"""

# Saves after every step, so that an interruption leaves a run in the middle. (Processes that it
# starts know nothing of this: they save before the first step and after the last.)
CHECKPOINTS = """\
import signal
import sys
import distill.outer_loop
from distill.cli import main
distill.outer_loop.SAVE_EVERY = 0.0
sys.argv[0] = "distill-data"
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell ignores it
main()
"""


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """Of stdout."""
        return self.out.splitlines()


Command = Callable[..., Outcome]


def run_here(
    entry: Callable[[], None],
    arguments: tuple[object, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Outcome:
    """Runs a command in this process."""
    words = [str(argument) for argument in arguments]
    root = logging.getLogger()
    before = root.level
    monkeypatch.setattr(sys, "argv", ["command", *words])
    capsys.readouterr()
    code: object = 0
    try:
        entry()
    except SystemExit as leaving:
        code = leaving.code or 0
    finally:
        root.setLevel(before)
    assert isinstance(code, int)
    captured = capsys.readouterr()
    return Outcome(code, captured.out, captured.err)


def small_config(folder: Path, steps: int = 3) -> Path:
    """A file of settings for a run of seconds."""
    path = folder / f"small-{steps}.toml"
    path.write_text(SMALL.format(steps=steps))
    return path


def set_bytes(folder: Path) -> dict[str, bytes]:
    """The files of a synthetic set."""
    return {path.name: path.read_bytes() for path in sorted((folder / "set").iterdir())}


def start_and_save_often(*arguments: object) -> subprocess.Popen[str]:
    """`distill-data` in a process group of its own, as a shell starts it."""
    return subprocess.Popen(
        [sys.executable, "-c", CHECKPOINTS, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def press_ctrl_c(process: subprocess.Popen[str]) -> Outcome:
    """Interrupts a process and all it has started, as a terminal does."""
    os.killpg(process.pid, signal.SIGINT)
    return _end(process)


def ask_to_end(process: subprocess.Popen[str]) -> Outcome:
    """Asks a process, and nothing that it has started, to end, as a scheduler may."""
    process.terminate()
    return _end(process)


def _end(process: subprocess.Popen[str]) -> Outcome:
    out, err = process.communicate(timeout=60)
    return Outcome(process.returncode, out, err)


ENTRIES = {"distill-data": distill_cli.main, "evaluate-data": evaluation_cli.main}
