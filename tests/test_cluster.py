"""Students are trained on a cluster that is there already, with the same bits."""

import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from small_evaluation import a_set, judged, untimed

from evaluation import cluster as cluster_module
from evaluation.cluster import connected
from synth_data.errors import UserError
from synth_data.side_by_side import side_by_side

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A scheduler and two workers, each a process."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as started:
        yield started


def worker_processes(cluster: Any) -> set[int]:
    return {worker.pid for worker in cluster.workers.values()}


def executed(cluster: Any) -> int:
    """Tasks that its workers have carried out."""
    with distributed.Client(cluster.scheduler_address) as client:
        counts = client.run(lambda dask_worker: dask_worker.state.executed_count)
    return sum(counts.values())


@pytest.mark.slow
def test_work_is_done_on_the_cluster_and_only_within(cluster):
    with connected(cluster.scheduler_address):
        there = set(side_by_side(-1, os.getpid, [() for _ in range(8)]))
    assert there
    assert there <= worker_processes(cluster)
    assert os.getpid() not in there
    after = set(side_by_side(1, os.getpid, [()]))
    assert after == {os.getpid()}


@pytest.mark.slow
def test_an_evaluation_on_a_cluster_has_the_same_bits(cluster):
    here = judged(a_set())
    before = executed(cluster)
    with connected(cluster.scheduler_address):
        there = judged(a_set(), jobs=-1)
    assert untimed(there) == untimed(here)
    # At least one batch of students for full data and two for the rest (joblib puts several quick
    # ones into a task).
    assert executed(cluster) - before >= 3


def test_without_an_address_work_is_done_here():
    with connected(None):
        assert list(side_by_side(1, os.getpid, [()])) == [os.getpid()]


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "somewhere", "tcp://127.0.0.1:none"])
def test_an_address_without_a_scheduler(monkeypatch, address):
    monkeypatch.setattr(cluster_module, "PATIENCE", 0.5)
    with (
        pytest.raises(UserError, match=f"no Dask scheduler answers at {address} .*tcp://host:8786"),
        connected(address),
    ):
        pytest.fail("connected to nothing")


def test_dask_that_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(UserError, match=r"Dask is not installed: pip install 'distill-data\[clus"),
        connected("tcp://127.0.0.1:8786"),
    ):
        pytest.fail("connected without Dask")
