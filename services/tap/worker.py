"""Threads that run jobs, and one that listens for new jobs, ended ones and old ones."""

import contextlib
import logging
import os
import select
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import psycopg2

from services.limits import Gate
from services.people import hidden
from services.tap import jobs
from services.tap.answering import Outcome
from services.tap.jobs import Job

Run = Callable[[Job, list[tuple[str, "str | None", bytes]], Path, Outcome], str]

_LOG = logging.getLogger(__name__)
_LOOK = 10.0  # s between looks for jobs whose notice was missed, or whose worker has died
_TIDY = 60.0  # s between looks for jobs past their destruction


class Workers:
    """Runs the jobs of the database in threads of this process.

    Parameters
    ----------
    connect
        Opens a session of the service.
    run
        Runs one job into a file and returns the media type; called in a thread.
    folder : Path
        Where results lie.
    gate
        Knows the queries that people have running, and is told of their jobs.
    number : int
        Jobs that run at the same time; one of them is kept for people who are signed in.
    """

    def __init__(
        self, connect: Callable[[], Any], run: Run, folder: Path, gate: Gate, number: int = 2
    ) -> None:  # fmt: skip
        self._gate = gate
        self._nobody = max(1, number - 1)
        self._held = False  # a job waits because its owner has enough running
        self._connect = connect
        self._run = run
        self._folder = folder
        self._stopping = threading.Event()
        self._work = threading.Condition()
        self._running: dict[str, Outcome] = {}
        self._watchers: list[Callable[[str], None]] = []
        self._threads = [
            threading.Thread(target=self._serve, name=f"job-{k}", daemon=True)
            for k in range(number)
        ]
        self._threads.append(threading.Thread(target=self._listen, name="listen", daemon=True))

    def start(self) -> None:
        """Start the threads."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop: running queries are cancelled, and their jobs are queued for another service."""
        self._stopping.set()
        for outcome in list(self._running.values()):
            outcome.end()
        with self._work:
            self._work.notify_all()
        for thread in self._threads:
            thread.join(timeout=10)

    def watch(self, told: Callable[[str], None]) -> Callable[[], None]:
        """Have ``told`` called with the id of each job that changes; returns how to end it."""
        self._watchers.append(told)
        return lambda: self._watchers.remove(told)

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                with contextlib.closing(self._connect()) as connection:
                    self._hear(connection)
            except psycopg2.Error as error:
                _LOG.warning("jobs wait for the database: %s", " ".join(str(error).split()))
                self._stopping.wait(1)

    def _hear(self, connection: Any) -> None:
        connection.autocommit = True
        tidied = looked = -_TIDY
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {jobs.CHANNEL}")
            while not self._stopping.is_set():
                if monotonic() - looked > _LOOK:
                    looked = monotonic()
                    if jobs.take_over(cursor):
                        _LOG.warning("a worker has died; its jobs run again")
                    self._wake()
                if monotonic() - tidied > _TIDY:
                    tidied = monotonic()
                    jobs.destroy_old(cursor, self._folder)
                ready, _, _ = select.select([connection], [], [], 1.0)
                for running in list(self._running.values()):
                    if running.over:  # the server may not have heard of it between two statements
                        running.cancel()
                if not ready:
                    continue
                connection.poll()
                heard = {notice.payload for notice in connection.notifies}
                connection.notifies.clear()
                self._wake()
                for job_id in heard & set(self._running):
                    cursor.execute("SELECT phase FROM service.job WHERE jobid = %s", (job_id,))
                    row = cursor.fetchone()
                    outcome = self._running.get(job_id)
                    if outcome is not None and (row is None or row[0] == "ABORTED"):
                        outcome.end()
                for told in list(self._watchers):
                    for job_id in heard:
                        told(job_id)

    def _wake(self) -> None:
        with self._work:
            self._work.notify_all()

    def freed(self) -> None:
        """Look for a job again if one was held back: its owner may have another one running now."""
        if self._held:
            self._held = False
            self._wake()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                with contextlib.closing(self._connect()) as connection:
                    connection.autocommit = True
                    while not self._stopping.is_set():
                        with connection.cursor() as cursor:
                            job = jobs.claim(cursor, self._gate.running(), self._nobody)
                            if job is not None:
                                self._one(cursor, job)
                                continue
                            self._held = jobs.any_queued(cursor)
                        with self._work:
                            self._work.wait(_LOOK)
            except psycopg2.Error as error:
                _LOG.warning("jobs wait for the database: %s", " ".join(str(error).split()))
                self._stopping.wait(1)

    def _one(self, cursor: Any, job: Job) -> None:
        """Run one job; whatever happens it ends, or is queued again if the service stops."""
        outcome = Outcome()
        self._running[job.job_id] = outcome
        self._gate.job(job.owner, 1)
        path = jobs.result(self._folder, job.job_id)
        part = path.with_suffix(f".{os.getpid()}.part")
        try:
            media_type = self._run(job, jobs.uploads(cursor, job.job_id), part, outcome)
            part.replace(path)
            done = jobs.complete(
                cursor, job.job_id, instant=outcome.instant, media_type=media_type,
                rows=outcome.rows, size=path.stat().st_size, truncated=outcome.truncated,
            )  # fmt: skip
            if not done:
                path.unlink(missing_ok=True)
        except psycopg2.OperationalError:
            raise  # the session of the service: another worker takes over
        except Exception as error:  # noqa: BLE001 - a job says why it failed
            if self._stopping.is_set():
                return
            if not outcome.message:
                _LOG.exception("job %s failed", job.job_id)
            said = outcome.message or f"internal error: {error}"
            jobs.fail(cursor, job.job_id, hidden(said))
        finally:
            self._running.pop(job.job_id, None)
            self._gate.job(job.owner, -1)
            part.unlink(missing_ok=True)
