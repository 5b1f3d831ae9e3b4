"""Rehearse an upgrade on a clone of the database: how long, which locks, which answers.

The clone is made by ``pg_dump`` and ``pg_restore`` on the same server. That works while others
read and publish (``CREATE DATABASE ... TEMPLATE`` would need them gone), and it proves on the way
that the database can be dumped and restored. It needs room for a second database.
"""

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import make_dsn

from skyledger import settings
from skyledger.database import schema
from skyledger.database.cluster import PROGRAMS, Cluster
from skyledger.errors import ConfigurationError, DatabaseError

# Modes that a reader or a publication conflicts with.
BLOCKING = frozenset({"ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"})


@dataclass(frozen=True)
class Step:
    """A step of the upgrade and how long it took."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Lock:
    """A lock on a relation that was there before, taken in a step and held to the end."""

    relation: str
    kind: str  # table, view, sequence
    mode: str
    step: str


@dataclass(frozen=True)
class Cited:
    """What ``ledger.verify`` says of a citation before and after the upgrade.

    ``before`` is None where the database had no functions to ask with.
    """

    citation: str
    before: str | None
    after: str
    detail: str | None


@dataclass
class Report:
    """What a rehearsal found; ``pending`` tells whether there was anything to upgrade."""

    pending: bool
    revision: str
    target: str
    size: int = 0  # bytes of the database
    clone_seconds: float = 0.0
    steps: list[Step] = field(default_factory=list)
    locks: list[Lock] = field(default_factory=list)
    citations: list[Cited] = field(default_factory=list)

    @property
    def broken(self) -> list[Cited]:
        """Citations whose answer the upgrade changes."""
        return [c for c in self.citations if c.after == "different" and c.before != "different"]

    def as_dict(self) -> dict[str, Any]:
        """Return everything by name, for JSON."""
        return asdict(self)


def rehearse(connection: Any) -> Report:
    """Upgrade a clone of the connected database and report; the database itself is only read.

    Parameters
    ----------
    connection
        psycopg2 connection of the owner, who may create databases.

    Raises
    ------
    DatabaseError
        If there is no schema, the clone cannot be made, or the upgrade of the clone fails: it
        would fail on the database, too.
    """
    now = schema.state(connection)
    connection.rollback()
    if now.revision is None:
        raise DatabaseError("the database has no Skyledger schema; `skyledger db init` makes it")
    report = Report(not schema.current(now), now.revision, schema.head())
    with _clone(connection, report) as clone:
        before = _verdicts(clone)
        watch = _Watch(clone, report)
        schema.upgrade(clone, watch=watch)
        watch.committed()
        after = _verdicts(clone)
    report.citations = [
        Cited(name, before.get(name, (None, None))[0], verdict, detail)
        for name, (verdict, detail) in after.items()
    ]
    return report


class _Watch:
    """Takes the time of each step, and writes down the locks that came with it."""

    def __init__(self, connection: Any, report: Report) -> None:
        self.connection, self.report = connection, report
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT c.oid, format('%s.%s', n.nspname, c.relname), CASE c.relkind "
                "WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' ELSE 'table' END "
                "FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
                "WHERE c.relkind IN ('r', 'p', 'v', 'S') "
                "AND n.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema')"
            )
            self.known = {oid: (name, kind) for oid, name, kind in cursor.fetchall()}
        connection.commit()
        self.seen: set[tuple[int, str]] = set()
        self.since = time.monotonic()

    def __call__(self, step: str) -> None:
        self.report.steps.append(Step(step, time.monotonic() - self.since))
        with self.connection.cursor() as cursor:
            cursor.execute(
                "SELECT relation, mode FROM pg_locks WHERE pid = pg_backend_pid() AND granted "
                "AND locktype = 'relation' AND database = "
                "(SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            new = {row for row in cursor.fetchall() if row[0] in self.known} - self.seen
        self.seen |= new
        self.report.locks += sorted(
            (Lock(*self.known[oid], mode, step) for oid, mode in new),
            key=lambda lock: (lock.relation, lock.mode),
        )
        self.since = time.monotonic()

    def committed(self) -> None:
        self.report.steps.append(Step("commit", time.monotonic() - self.since))


def _verdicts(connection: Any) -> dict[str, tuple[str, str | None]]:
    """Ask what becomes of each citation, if the functions to ask with are there."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regprocedure('ledger.verify(text)')")
        if cursor.fetchone()[0] is None:
            return {}
        cursor.execute(
            "SELECT c.citationid, v.verdict, v.detail FROM ledger.citation AS c "
            "CROSS JOIN LATERAL ledger.verify(c.citationid) AS v ORDER BY c.citedtai"
        )
        found = {name: (verdict, detail) for name, verdict, detail in cursor.fetchall()}
    connection.commit()
    return found


@contextlib.contextmanager
def _clone(connection: Any, report: Report) -> Iterator[Any]:
    """Make a copy of the database beside it, and drop it in the end."""
    name = f"skyledger_rehearsal_{connection.info.backend_pid}"
    admin = psycopg2.connect(connection.dsn)
    admin.autocommit = True
    try:
        with admin.cursor() as cursor:
            began = time.monotonic()
            cursor.execute(
                "SELECT pg_encoding_to_char(encoding), datcollate, datctype, "
                "pg_database_size(oid) FROM pg_database WHERE datname = current_database()"
            )
            *locale, report.size = cursor.fetchone()  # type: ignore[misc]
            cursor.execute(
                sql.SQL(
                    "CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}"
                ).format(sql.Identifier(name), *map(sql.Literal, locale))
            )
            try:
                _copy_settings(cursor, name)
                # The clone will not outlive a crash, so nobody waits for its disk.
                cursor.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
                _copy(connection.dsn, make_dsn(connection.dsn, dbname=name))
                clone = psycopg2.connect(connection.dsn, dbname=name)
                report.clone_seconds = time.monotonic() - began
                try:
                    yield clone
                finally:
                    clone.close()
            finally:
                cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        admin.close()


def _copy_settings(cursor: Any, name: str) -> None:
    """Give the clone the settings of the database, which no dump holds: its search path first."""
    cursor.execute(
        "SELECT unnest(setconfig) FROM pg_db_role_setting AS s "
        "JOIN pg_database AS d ON d.oid = s.setdatabase "
        "WHERE d.datname = current_database() AND s.setrole = 0"
    )
    for (given,) in cursor.fetchall():
        parameter, _, value = given.partition("=")
        # Lists come as they are written, quoted where they must be.
        shown = sql.SQL(value) if parameter == "search_path" else sql.Literal(value)
        cursor.execute(
            sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                sql.Identifier(name), sql.SQL(parameter), shown
            )
        )


def _copy(source: str, target: str) -> None:
    with tempfile.TemporaryFile("w+") as said:
        dump = subprocess.Popen(
            [
                _program("pg_dump"),
                *("--format=custom", "--compress=0", "--no-unlogged-table-data"),
                f"--dbname={source}",
            ],
            stdout=subprocess.PIPE,
            stderr=said,
        )
        restore = subprocess.run(
            [_program("pg_restore"), "--exit-on-error", f"--dbname={target}"],
            check=False,
            stdin=dump.stdout,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
        if dump.stdout is not None:
            dump.stdout.close()  # a dump that nobody reads any more ends
        if dump.wait() or restore.returncode:
            said.seek(0)
            raise DatabaseError(f"the database cannot be cloned: {said.read().strip()[:1000]}")


def _program(name: str) -> str:
    """Find one of PostgreSQL's programs: the embedded server's, Debian's, or on PATH."""
    for folder in (Cluster(settings.read().home).programs, PROGRAMS / "bin"):
        if (folder / name).is_file():
            return str(folder / name)
    found = shutil.which(name)
    if found is None:
        raise ConfigurationError(f"{name} is not installed; install postgresql-client-15")
    return str(Path(found))
