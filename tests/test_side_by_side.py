"""Work in several processes."""

import subprocess
import sys
import time
from pathlib import Path

import joblib.externals.loky.process_executor as loky
import pytest

from synth_data.side_by_side import PATIENCE, side_by_side


def in_a_process_that_grows(number: int) -> int:
    """As far as joblib can tell: any growth is too much for it, whenever it looks."""
    loky._MEMORY_LEAK_CHECK_DELAY, loky._MAX_MEMORY_LEAK_SIZE = -1.0, -(10**12)
    return number


@pytest.mark.filterwarnings("error")
def test_processes_that_grow_are_replaced_without_a_word() -> None:
    """Joblib's warning, as an error, ended the thread that waits for results, and all waited."""
    assert loky._USE_PSUTIL, "without psutil joblib does not look: install the tests' extras"
    work = [(number,) for number in range(12)]
    assert list(side_by_side(2, in_a_process_that_grows, work)) == list(range(12))


STARTS = """
import sys, time
from pathlib import Path
from test_side_by_side import at_work
from synth_data.side_by_side import side_by_side
list(side_by_side(2, at_work, [(sys.argv[1], name) for name in "ab"]))
"""


def at_work(folder: str, name: str) -> None:
    """Says that it is alive, again and again."""
    for number in range(600):
        (Path(folder) / name).write_text(str(number))
        time.sleep(0.1)


def test_workers_end_with_the_process_that_asked_even_if_it_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STARTS, str(tmp_path)]
    asked = subprocess.Popen(command, cwd=Path(__file__).parent)
    until = time.monotonic() + 60
    while len(list(tmp_path.iterdir())) < 2:
        assert time.monotonic() < until
        time.sleep(0.1)
    asked.kill()
    asked.wait()
    time.sleep(3 * PATIENCE)
    before = [path.read_text() for path in sorted(tmp_path.iterdir())]
    time.sleep(1)
    assert [path.read_text() for path in sorted(tmp_path.iterdir())] == before
