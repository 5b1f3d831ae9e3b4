"""The workers that measure frames: processes of this machine, or of a Dask cluster.

Both take the same functions and give ``concurrent.futures`` back. The workers of a cluster see the
data set and ``SKYLEDGER_HOME`` under the same paths as this machine; no worker speaks to the
database.
"""

import importlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

from skyledger import settings
from skyledger.errors import ConfigurationError

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_PATIENCE = 10  # s for a scheduler to answer


def lost() -> tuple[type[BaseException], ...]:
    """Exceptions of a future whose worker was killed."""
    dask = sys.modules.get("distributed")
    return (BrokenProcessPool, dask.KilledWorker) if dask is not None else (BrokenProcessPool,)


def at_once(pool: Executor, number: int) -> int:
    """How many frames a pool works on at a time; ``number`` if it was made of so many processes."""
    return max(pool.workers, 1) if isinstance(pool, _Cluster) else number


def _begin() -> None:
    """Let Ctrl-C end a worker at once and without words: the parent says what is to be said."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let processes that start now compute with one thread, unless the user has said otherwise.

    There is a worker a core already: more threads wait for each other, which took four times the
    CPU time of the PSF's small matrices, and change the last digits of sums.
    """
    missing = [name for name in _THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(missing, "1"))
    try:
        yield
    finally:
        for name in missing:
            os.environ.pop(name, None)


@contextmanager
def _processes(number: int) -> Iterator[Executor]:
    # A fresh interpreter a worker: forked ones would share the parent's connection.
    pool = ProcessPoolExecutor(number, mp_context=get_context("spawn"), initializer=_begin)
    try:
        # The workers start with the first task and inherit what is blocked: a Ctrl-C while they
        # load their modules waits for _begin.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            pool.submit(int)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _at_home(home: str, task: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Run a task where the products are those of the client."""
    os.environ["SKYLEDGER_HOME"] = home
    return task(*arguments)


class _Cluster(Executor):
    """The workers of a Dask scheduler."""

    def __init__(self, client: Any) -> None:
        self._inner = client.get_executor(pure=False)
        self._home = str(settings.read().home)

        self.workers = sum(client.nthreads().values())

    def submit(  # type: ignore[override]
        self, task: Callable[..., Any], /, *arguments: Any
    ) -> Future[Any]:
        made: Future[Any] = self._inner.submit(_at_home, self._home, task, arguments)
        return made

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._inner.shutdown(wait=wait and not cancel_futures)


@contextmanager
def _cluster(address: str) -> Iterator[Executor]:
    try:
        distributed = importlib.import_module("distributed")  # an extra that few need
    except ImportError as error:
        raise ConfigurationError(
            f"a Dask scheduler ({address}) needs the package distributed; install "
            f"skyledger[dask], or leave --scheduler out"
        ) from error
    try:
        client = distributed.Client(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"no Dask scheduler answers at {address} within {_PATIENCE} s ({error}); start "
            f"`dask scheduler` and `dask worker`, or correct --scheduler"
        ) from error
    try:
        pool = _Cluster(client)
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)
    finally:
        client.close()


@contextmanager
def worker_pool(number: int, scheduler: str | None = None) -> Iterator[Executor]:
    """Yield a pool of workers; when it is left early, frames not begun are dropped.

    Parameters
    ----------
    number
        How many processes to start; of no meaning with a scheduler.
    scheduler
        Address of a Dask scheduler, such as ``tcp://head:8786``, whose workers are used instead.

    Raises
    ------
    ConfigurationError
        If the scheduler does not answer, or the package for it is not installed.
    """
    with _one_thread_each(), _cluster(scheduler) if scheduler else _processes(number) as pool:
        yield pool
