"""Work in several processes."""

import joblib.externals.loky.process_executor as loky
import pytest

from synth_data.side_by_side import side_by_side


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
