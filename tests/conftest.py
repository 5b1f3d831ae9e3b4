"""Fixtures of the whole suite: a throw-away PostgreSQL server, databases in it, shared data."""

import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import parse_dsn
from pytest_postgresql.janitor import DatabaseJanitor

from skyledger.database import schema
from skyledger.database.cluster import Cluster, temporary_home

TEMPLATE = "complete"  # a database with extensions and schema, cloned for the tests
REPOSITORY = Path(__file__).resolve().parent.parent

_FAILED_CHECKS = pytest.StashKey[str]()

# Durability costs time and a throw-away server needs none.
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


def pytest_configure(config: pytest.Config) -> None:
    """Keep every test away from the user's own database."""
    config.stash[_FAILED_CHECKS] = os.environ.get("SKYLEDGER_FAILED_CHECKS", "")
    for name in list(os.environ):
        if name.startswith(("PG", "SKYLEDGER_")):
            del os.environ[name]
    os.environ["SKYLEDGER_HOME"] = "/nonexistent/skyledger"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Repeat what `./run test` found before the tests, which has scrolled away by now."""
    failed = terminalreporter.config.stash[_FAILED_CHECKS]
    if failed:
        terminalreporter.write_line(f"before the tests these checks failed: {failed}", red=True)


@pytest.fixture(scope="session")
def server() -> Iterator[Cluster]:
    """Yield a running throw-away server, one a test process."""
    home = temporary_home()
    cluster = Cluster(home, {**FAST, "shared_buffers": "128MB", "max_connections": "60"})
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.destroy()
        shutil.rmtree(home)


@pytest.fixture(scope="session")
def template(server: Cluster) -> str:
    """Name of a database that has the complete schema."""
    _execute(server, f"CREATE DATABASE {TEMPLATE}")
    connection = psycopg2.connect(server.dsn(TEMPLATE))
    try:
        schema.upgrade(connection)
    finally:
        connection.close()
    return TEMPLATE


@pytest.fixture(scope="session")
def _worker_database(server: Cluster, template: str) -> str:
    _execute(server, f"CREATE DATABASE worker TEMPLATE {template}")
    return server.dsn("worker")


@pytest.fixture
def connection(_worker_database: str) -> Iterator[Connection]:
    """Yield a connection to a complete database; what the test does is rolled back."""
    opened = psycopg2.connect(_worker_database)
    yield opened
    opened.rollback()
    opened.close()


@dataclass(frozen=True)
class Database:
    """A database of a test's own, where it may commit."""

    name: str
    dsn: str

    def connect(self, *, autocommit: bool = False) -> Connection:
        opened = psycopg2.connect(self.dsn)
        opened.autocommit = autocommit
        return opened

    @property
    def environment(self) -> dict[str, str]:
        """Variables that make the product use this database."""
        return {"SKYLEDGER_DATABASE_URL": self.dsn}


def _janitor(server: Cluster, name: str, template: str) -> DatabaseJanitor:
    """Creator and remover of one database; it closes what a test leaves open."""
    where = parse_dsn(server.dsn("postgres"))
    return DatabaseJanitor(
        user=where["user"],
        host=where["host"],
        port=where["port"],
        dbname=name,
        template_dbname=template,
    )


@pytest.fixture
def fresh_database(server: Cluster, template: str) -> Iterator[Database]:
    """Yield a clone of the complete database that disappears after the test."""
    name = f"fresh_{uuid.uuid4().hex[:12]}"
    with _janitor(server, name, template):
        yield Database(name, server.dsn(name))


@pytest.fixture
def empty_database(server: Cluster) -> Iterator[Database]:
    """Yield a new database with nothing in it that disappears after the test."""
    name = f"empty_{uuid.uuid4().hex[:12]}"
    with _janitor(server, name, "template0"):
        yield Database(name, server.dsn(name))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real observations kept beside the checkout; skips where there is none."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("real observations are kept beside the checkout in shared/data, not here")
    return folder


def _execute(server: Cluster, statement: str) -> None:
    opened = psycopg2.connect(server.dsn("postgres"))
    try:
        opened.autocommit = True
        with opened.cursor() as cursor:
            cursor.execute(statement)
    finally:
        opened.close()
