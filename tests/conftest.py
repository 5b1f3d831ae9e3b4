"""Fixtures of the whole suite: a throw-away PostgreSQL server, databases in it, shared data."""

import graphlib
import importlib.util
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812

from skyledger import resources
from skyledger.database import extensions
from skyledger.database.cluster import Cluster, temporary_home
from skyledger.errors import ConfigurationError

TEMPLATE = "complete"  # a database with extensions and schema, cloned for the tests
REPOSITORY = Path(__file__).resolve().parent.parent

# Durability costs time and a throw-away server needs none.
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


def pytest_configure(config: pytest.Config) -> None:
    """Keep every test away from the user's own database."""
    for name in list(os.environ):
        if name.startswith(("PG", "SKYLEDGER_")):
            del os.environ[name]
    os.environ["SKYLEDGER_HOME"] = str(Path("/nonexistent/skyledger"))


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
        _build(connection)
        connection.commit()
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


@pytest.fixture
def fresh_database(server: Cluster, template: str) -> Iterator[Database]:
    """Yield a clone of the complete database that disappears after the test."""
    name = f"fresh_{uuid.uuid4().hex[:12]}"
    _execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield Database(name, server.dsn(name))
    _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_database(server: Cluster) -> Iterator[Database]:
    """Yield a new database with nothing in it that disappears after the test."""
    name = f"empty_{uuid.uuid4().hex[:12]}"
    _execute(server, f"CREATE DATABASE {name} TEMPLATE template0")
    yield Database(name, server.dsn(name))
    _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


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


def _build(connection: Connection) -> None:
    if importlib.util.find_spec("skyledger.database.schema"):
        schema = importlib.import_module("skyledger.database.schema")
        try:
            schema.upgrade(connection)
        except ConfigurationError as error:
            # The schema is being built: functions alone can be tested meanwhile.
            if "which no file makes" not in str(error):
                raise
        else:
            return
    extensions.install(connection)
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA science")
        for path in _in_order(resources.db_dir() / "functions"):
            try:
                cursor.execute(path.read_text(encoding="utf-8"))
            except psycopg2.Error as error:
                pytest.fail(f"{path.parent.name}/{path.name}: {error}")


def _in_order(folder: Path) -> list[Path]:
    """Files of functions, each after those its ``-- needs:`` line names."""
    files = {
        f"{path.parent.name}.{path.stem}": path for path in sorted(folder.glob("science/*.sql"))
    }
    needs = {
        name: {
            needed.strip()
            for line in re.findall(
                r"^-- needs:(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE
            )
            for needed in line.split(",")
        }
        for name, path in files.items()
    }
    return [
        files[name] for name in graphlib.TopologicalSorter(needs).static_order() if name in files
    ]
