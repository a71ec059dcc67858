"""What training takes on a small device is measured, not guessed."""

import subprocess
import sys

import pytest

from evaluation import edge
from evaluation.edge import peak_memory

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@linux
@pytest.mark.slow
def test_a_larger_set_takes_more_memory():
    shape = (40, 100, 4)  # 16 kB an item
    small = peak_memory("tdnn", 100, *shape, 8)
    large = peak_memory("tdnn", 4000, *shape, 8)
    assert small is not None
    assert large is not None
    assert 0 < small < large
    assert large - small > 0.8 * 3900 * 40 * 100 * 4  # the set itself is counted


@linux
@pytest.mark.slow
def test_a_published_network_can_be_measured():
    """BatchNorm needs more than one value per channel, even where the last map is a point."""
    measured = peak_memory("resnet9-bn", 4, 16, 16, 3, 4)
    assert measured is not None
    assert measured > 3 * 4 * 4.9e6  # weights, gradients, two moments of Adam: four, less slack


@pytest.mark.parametrize("student", ["svm", "linear"])
def test_students_that_are_no_networks_are_not_measured(student):
    assert peak_memory(student, 10, 16, 16, 3, 8) is None


def test_other_systems_do_not_tell(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert peak_memory("tdnn", 11, 16, 16, 3, 8) is None
    peak_memory.cache_clear()


def test_a_measurement_that_fails_is_none(monkeypatch):
    failed = subprocess.CompletedProcess([], returncode=1, stdout="", stderr="out of memory")
    monkeypatch.setattr(edge.subprocess, "run", lambda *_, **__: failed)
    assert peak_memory("tdnn", 12, 16, 16, 3, 8) is None
    peak_memory.cache_clear()
