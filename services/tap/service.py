"""The TAP service of one database: its sessions, threads, limits and what can be asked."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

import psycopg2

from services import adql, formats, mydb
from services.limits import Gate
from services.people import FREE, Allowance, Asker
from services.pools import Pool
from services.spool import Spool
from services.tap import parameters, vosi
from services.tap.answering import Answering, Outcome, Upload
from services.tap.jobs import Job
from services.tap.log import QueryLog
from services.tap.worker import Workers
from skyledger import settings, virtual
from skyledger.database import connection as connections
from skyledger.database import offered
from skyledger.errors import ForbiddenError, SkyledgerError

_LOG = logging.getLogger(__name__)

LIMITS = vosi.Limits(
    retention_seconds=7 * 86400,
    seconds=3600,
    most_seconds=12 * 3600,
    upload_rows=2_000_000,
    upload_bytes=128 << 20,
)
_SYNC_SECONDS = 60
_IDENTIFIERS = {
    "votable": "ivo://ivoa.net/std/TAPRegExt#output-votable-binary2",
    "votable/b": "ivo://ivoa.net/std/TAPRegExt#output-votable-binary",
    "votable/td": "ivo://ivoa.net/std/TAPRegExt#output-votable-td",
}
_CATALOGUE_SECONDS = 10.0  # a new release shows after that


class TapService:
    """Everything that TAP requests share.

    Parameters
    ----------
    folder : Path
        Where results of jobs lie.
    sessions : int
        Queries that run at the same time; further ones wait.
    workers : int
        Jobs that run at the same time.
    limits
        What a client may ask for.
    anonymous
        What is allowed to people who are not signed in, by address.
    """

    def __init__(
        self, folder: Path, *, sessions: int = 16, workers: int = 2, limits: vosi.Limits = LIMITS,
        anonymous: Allowance = FREE,
    ) -> None:  # fmt: skip
        self.folder = folder
        self.limits = limits
        self.most_bytes = 4 << 30
        self.sync_seconds = _SYNC_SECONDS
        self.started = datetime.now(UTC).replace(tzinfo=None)
        configured = settings.read()  # once: what the environment says later is no matter
        keeper = partial(connections.connect_keeper, configured)
        self.readers = Pool(partial(connections.connect_reader, configured), sessions)
        # Of people who are signed in; each transaction takes the rights of its person.
        self.members = Pool(partial(connections.connect_member, configured), sessions)
        self.keepers = Pool(keeper, 8)
        self.loaders = Pool(keeper, 8)  # fill the tables of people, which may take long
        self.threads = ThreadPoolExecutor(2 * sessions + 8, "query")
        # What takes a moment does not wait behind queries.
        self.clerks = ThreadPoolExecutor(8, "clerk")
        self.log = QueryLog(self.kept)
        self.gate = Gate(anonymous)
        self.workers = Workers(keeper, self._run_job, folder, self.gate, workers)
        self.gate.left = self.workers.freed
        self.workers.watch(lambda _: self.gate.job_changed())
        self._catalogue: tuple[float, adql.Catalogue] | None = None
        self._making = threading.Lock()

    def start(self) -> None:
        """Start to run jobs."""
        self.log.start()
        self.workers.start()

    def stop(self) -> None:
        """Stop running jobs and close the sessions."""
        self.workers.stop()
        for threads in (self.threads, self.clerks):
            threads.shutdown(wait=False, cancel_futures=True)
        self.log.stop()
        for pool in (self.readers, self.members, self.keepers, self.loaders):
            pool.close()

    def kept(self, work: Callable[[Any], Any]) -> Any:
        """Do ``work(cursor)`` in a session that keeps jobs and the log, and commit."""
        with self.keepers.session() as connection, connection.cursor() as cursor:
            found = work(cursor)
            connection.commit()
            return found

    def catalogue(self) -> adql.Catalogue:
        """Return what can be asked, with the releases that are there."""
        with self._making:
            if self._catalogue is None or monotonic() - self._catalogue[0] > _CATALOGUE_SECONDS:
                self._catalogue = (monotonic(), self.kept(offered.of_database))
            return self._catalogue[1]

    def capabilities(self, address: str) -> bytes:
        """Write what the service can do."""
        offered = [
            (f.media_type, (f.name, *f.aliases), _IDENTIFIERS.get(f.name)) for f in formats.FORMATS
        ]
        return vosi.capabilities(address, self.limits, offered)

    def visible(self, person: str | None) -> tuple[adql.Table, ...]:
        """Tables of people that somebody may read: his own, and those shared with him."""
        return self.kept(lambda cursor: mydb.visible(cursor.connection, person))  # type: ignore[no-any-return]

    def sessions_of(self, person: str | None) -> Pool:
        """Sessions that ask for somebody."""
        return self.readers if person is None else self.members

    def answer(
        self, asked: parameters.QueryRequest, uploads: list[Upload], spool: Spool,
        outcome: Outcome, *, door: str, asker: Asker,
    ) -> None:  # fmt: skip
        """Answer a query into a spool; why there is no answer, if there is none, is told to it."""
        started = monotonic()

        def ended(failed: Exception | None = None) -> None:
            outcome.size = spool.written
            try:
                self.log.put(asked, outcome, door, asker.client, monotonic() - started, asker.name)
            finally:
                spool.end(failed)

        try:
            Answering(self, asked, uploads, outcome, self.sync_seconds, asker.name).write(
                spool.write, ended
            )
        except BrokenPipeError:
            outcome.status, outcome.message = "ABORTED", "the client has gone"
            ended()
        except Exception as error:  # noqa: BLE001 - said to the client
            outcome.status, outcome.message = "ERROR", " ".join(str(error).split())
            ended(error)

    def _run_job(
        self, job: Job, uploads: list[tuple[str, str | None, bytes]], path: Path, outcome: Outcome
    ) -> str:
        """Run a job into a file; returns the media type."""
        started = monotonic()
        given = parameters.Parameters((n, v) for n, vs in job.parameters.items() for v in vs)
        asked = None
        try:
            if job.owner is not None:
                self.kept(lambda cursor: _still_there(cursor, job.owner))
            without = parameters.Parameters((n, given[n]) for n in given if n != "ASOF")
            asked = parameters.read(without, virtual.parse(job.database))
            form = formats.resolve(asked.format or "votable")
            seconds = job.execution_seconds or self.limits.most_seconds
            tables = [Upload(*u) for u in uploads]
            tables += [
                Upload(name, None, b"", source)
                for name, source in asked.uploads
                if not source.startswith("param:")
            ]
            with path.open("wb") as file:
                Answering(self, asked, tables, outcome, seconds, job.owner).write(file.write)
        except (SkyledgerError, psycopg2.Error) as error:
            outcome.status, outcome.message = "ERROR", " ".join(str(error).split())
            raise
        else:
            return str(form.media_type)
        finally:
            if asked is not None:
                took = monotonic() - started
                self.log.put(asked, outcome, "async", f"job {job.job_id}", took, job.owner)


def _still_there(cursor: Any, person: str | None) -> None:
    """Refuse to run a job of somebody who was shut out since it was made."""
    cursor.execute(
        "SELECT FROM service.person WHERE personname = %s AND disabledtai IS NULL", (person,)
    )
    if cursor.fetchone() is None:
        raise ForbiddenError(f"{person} was shut out; the operators of the service know why")
