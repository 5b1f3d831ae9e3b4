"""The same functions by processes of this machine and by the workers of a Dask scheduler."""

import os
import socket

import numpy as np
import pytest

from ingest import workers
from processing.geometry import packed
from skyledger import products
from skyledger.errors import ConfigurationError


def test_processes_do_what_they_are_given() -> None:
    matrices = np.arange(18.0).reshape(2, 3, 3)
    with workers.worker_pool(1) as pool:
        assert workers.at_once(pool, 1) == 1
        found = pool.submit(packed, matrices).result()
    assert np.array_equal(found, packed(matrices))


def test_a_worker_computes_with_one_thread_unless_told_otherwise(monkeypatch) -> None:
    """There is one a core already; and the digits of sums do not depend on the machine."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    with workers.worker_pool(1) as pool:
        assert pool.submit(os.getenv, "OMP_NUM_THREADS").result() == "1"
        assert pool.submit(os.getenv, "OPENBLAS_NUM_THREADS").result() == "3"
    assert "OMP_NUM_THREADS" not in os.environ


@pytest.mark.filterwarnings("ignore")  # of the cluster's own event loops
def test_workers_of_a_dask_scheduler_do_the_same(tmp_path, monkeypatch) -> None:
    distributed = pytest.importorskip(
        "distributed", reason="package distributed (skyledger[dask]) is not installed"
    )
    monkeypatch.setenv("SKYLEDGER_HOME", str(tmp_path))
    matrices = np.arange(18.0).reshape(2, 3, 3)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        workers.worker_pool(7, cluster.scheduler_address) as pool,
    ):
        assert workers.at_once(pool, 7) == 2
        futures = [pool.submit(packed, matrices + k) for k in range(5)]
        for k, future in enumerate(futures):
            assert np.array_equal(future.result(), packed(matrices + k))
        # They keep images where this process does.
        assert pool.submit(products.root).result() == tmp_path / "products"
        with pytest.raises(workers.lost()):
            pool.submit(os._exit, 1).result()


def test_a_scheduler_that_is_not_there_is_told(monkeypatch) -> None:
    monkeypatch.setattr(workers, "_PATIENCE", 1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with (
        pytest.raises(ConfigurationError, match=r"dask|Dask"),
        workers.worker_pool(1, address),
    ):
        pass
