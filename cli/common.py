"""What several commands share: their options, and a database that fits the software."""

import contextlib
import importlib
import os
from collections.abc import Iterator
from typing import Annotated

import psycopg2.extensions
import typer

from skyledger.database import connection, schema
from skyledger.errors import DataRejectedError

Database = Annotated[
    str, typer.Option(help="Database, with an instant if wanted: prompt@2026-01-01T04:00:00.")
]
Workers = Annotated[
    int,
    typer.Option(min=1, help="Number of worker processes.", show_default="one a core, at most 8"),
]
WORKERS = min(os.cpu_count() or 1, 8)
Scheduler = Annotated[
    str | None,
    typer.Option(
        help="Address of a Dask scheduler (tcp://HOST:8786) whose workers are used instead; "
        "they see the same folders."
    ),
]


@contextlib.contextmanager
def archive(*, reader: bool = False) -> Iterator[psycopg2.extensions.connection]:
    """Connect as the owner, or as a login that only reads, and close at the end.

    Raises
    ------
    DatabaseError
        If the server cannot be reached, or the schema is of another version of the software.
    """
    with contextlib.closing(
        connection.connect_reader() if reader else connection.connect()
    ) as opened:
        schema.check(opened)
        opened.rollback()
        yield opened


@contextlib.contextmanager
def no_worker_lost() -> Iterator[None]:
    """Say what to do if a worker process was killed meanwhile."""
    workers = importlib.import_module("ingest.workers")  # of no use to most commands
    try:
        yield
    except workers.lost() as error:
        raise DataRejectedError(
            "a worker was killed (out of memory?); nothing is lost, run the same command again, "
            "with fewer --workers"
        ) from error
