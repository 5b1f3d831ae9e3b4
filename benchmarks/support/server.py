"""A throw-away server for a benchmark, on a disk and with every safety of a real one on."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2

from skyledger.database import schema
from skyledger.database.cluster import Cluster


@contextmanager
def server(name: str) -> Iterator[tuple[Cluster, Path]]:
    """Run a server whose database ``postgres`` has the schema; it and its folder go at the end."""
    home = Path(tempfile.mkdtemp(prefix=f"skyledger-{name}-"))
    home.chmod(0o711)
    cluster = Cluster(home)
    try:
        cluster.start()
        connection = psycopg2.connect(cluster.dsn("postgres"))
        schema.upgrade(connection)
        connection.close()
        yield cluster, home
    finally:
        cluster.destroy()
        shutil.rmtree(home)


def database(cluster: Cluster, name: str) -> str:
    """Create an empty database beside it and return its dsn."""
    connection = psycopg2.connect(cluster.dsn("postgres"))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    connection.close()
    return cluster.dsn(name)
