"""What a Python user calls: ``skyledger.connect`` and ``skyledger.query`` (GEN-19..21)."""

import contextlib
from typing import Any

import psycopg2
from astropy.table import Table
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class in all but name

from skyledger import virtual
from skyledger.answers import run, to_table
from skyledger.database import connection as connections
from skyledger.database import session


def connect(database: str = "prompt") -> Connection:
    """Connect to a virtual database: plain names such as DIASource mean it, as of its instant.

    The session is read-only, a reader's, and REPEATABLE READ. With an instant it shows that
    instant for ever. Without one each transaction shows the horizon of its first query
    (``SELECT ledger.as_of()`` in the same transaction says which); ``rollback()`` moves on.

    Parameters
    ----------
    database : str
        ``NAME[@WHEN]``: ``prompt``, ``prompt@2026-01-01`` (TAI), ``prompt@2026-01-01T04:00:00Z``
        (UTC), ``prompt@citation:ID``, ``prompt@source:ID``, ``dr1``.

    Returns
    -------
    psycopg2 connection

    Raises
    ------
    UsageError
        If the name cannot be understood.
    QueryRefusedError
        If there is no such database, or the instant is in the future, under embargo, or before the
        archive or the release began.
    DatabaseError
        If the server is not running or does not let a reader in.
    """
    wanted = virtual.parse(database)
    with contextlib.closing(connections.connect_reader()) as first:
        settled = session.settle(first, wanted)
        # Given at the start, settings are what RESET goes back to.
        options = [
            f"search_path={session.path(settled.name)}",
            f"skyledger.as_of={settled.instant.isoformat() if settled.instant else ''}",
        ]
        words = [first.info.options, *(f"-c {o.replace(' ', '')}" for o in options)]
        where: dict[str, Any] = {**first.info.dsn_parameters, "password": first.info.password}
    opened: Connection = psycopg2.connect(**{**where, "options": " ".join(filter(None, words))})
    opened.set_session(isolation_level="REPEATABLE READ", readonly=True)
    return opened


def query(statement: str, database: str = "prompt", *, timeout_seconds: float = 600) -> Table:
    """Ask one SQL query of a virtual database.

    Parameters
    ----------
    statement : str
        One SELECT.
    database : str
        As for `connect`.
    timeout_seconds : float
        Longest time the server may work on it [s].

    Returns
    -------
    astropy.table.Table
        Columns with the units and descriptions of the dictionary, NULL masked; ``meta`` holds
        ``database`` and ``as_of``, the instant (TAI) at which the same query gives the same rows
        for ever.

    Raises
    ------
    UsageError, QueryRefusedError, DatabaseError
        As `connect`; QueryRefusedError also with PostgreSQL's reason if it refuses the query.
    """
    wanted = virtual.parse(database)
    with contextlib.closing(connections.connect_reader()) as opened:
        return to_table(run(opened, statement, wanted, timeout_seconds=timeout_seconds))
