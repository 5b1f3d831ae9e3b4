"""Cite a query, and see later whether its answer is still the same.

The work is done by ``ledger.cite`` and ``ledger.verify`` in the database; here are their results
as Python objects (design section 5; GEN-19). A citation keeps the query with every ``*`` expanded,
its database and instant, the number of rows, checksums whatever the order of the rows, and the
checksums of the views and functions it goes through, as the Research Data Alliance recommends for
data that change (Rauber et al. 2015).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg2

from skyledger.database.session import begin, sentence, settle
from skyledger.errors import DatabaseError, NotFoundError, QueryRefusedError
from skyledger.virtual import VirtualDatabase


@dataclass(frozen=True)
class Citation:
    """A query at an instant (TAI), and what came out."""

    citation: str
    database: str
    instant: datetime
    query: str
    expanded_query: str
    columns: list[str]
    rows: int
    checksum: str
    schema_revision: str
    software: str
    cited: datetime


@dataclass(frozen=True)
class Verification:
    """What became of a cited answer.

    ``verdict`` is ``identical``, ``same data`` (a view, a function or the schema changed, the
    rows did not) or ``different``; ``detail`` says what changed or differs.
    """

    citation: Citation
    verdict: str
    detail: str | None
    rows: int | None  # None if the query cannot be run any more
    checksum: str | None


@contextmanager
def _refusals(connection: Any, timeout_seconds: float) -> Iterator[Any]:
    """Yield a cursor in a transaction; PostgreSQL's refusals become ours."""
    try:
        begin(connection, readonly=False)  # citing writes; the cited query cannot
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {int(timeout_seconds * 1000)}")
            yield cursor
        connection.commit()
    except psycopg2.Error as error:
        if connection.closed:
            raise DatabaseError(
                f"the database failed while it answered: {' '.join(str(error).split())}. When "
                f"`skyledger db check` is content, try again"
            ) from error
        raise QueryRefusedError(sentence(error)) from error
    finally:
        if not connection.closed:
            begin(connection, readonly="DEFAULT")


def _read(cursor: Any, name: str) -> Citation:
    cursor.execute(
        "SELECT citationid, databasename, instanttai, query, expandedquery, columnnames, nrows, "
        "checksum, schemarevision, softwareversion, citedtai FROM ledger.citation_of(%s)",
        (name,),
    )
    row = cursor.fetchone()
    if row is None:
        raise QueryRefusedError(
            f"there is no citation {name}; SELECT * FROM ledger.citation lists them"
        )
    return Citation(*row)


def cite(
    connection: Any, query: str, database: VirtualDatabase, *, timeout_seconds: float = 600
) -> Citation:
    """Run a query and keep it under a short name; the same again gives the same name.

    Parameters
    ----------
    connection
        psycopg2 connection of the owner, a reader or a writer, not in a transaction.
    query
        One SELECT (or WITH, VALUES) on the living tables or a release. It must give the same
        rows whenever it is asked: no clock, chance, LIMIT without ORDER BY or table of one's own.
    database
        Database and instant; the horizon if no instant is named.

    Raises
    ------
    QueryRefusedError
        If the query is not understood or its answer could not be had again.
    """
    database = settle(connection, database)
    with _refusals(connection, timeout_seconds) as cursor:
        cursor.execute("SELECT ledger.cite(%s, %s, %s)", (query, database.instant, database.name))
        return _read(cursor, cursor.fetchone()[0])


def verify(connection: Any, name: str, *, timeout_seconds: float = 600) -> Verification:
    """Run a cited query again, as of its instant, and compare.

    All columns must agree exactly; only floats of queries that sum up rows may differ, by 1e-6
    (``real``) or 1e-12 (``double precision``) of the column's sum, as their last digits depend on
    the order of adding.

    Raises
    ------
    QueryRefusedError
        If there is no such citation.
    """
    with _refusals(connection, timeout_seconds) as cursor:
        citation = _read(cursor, name)
        cursor.execute("SELECT verdict, detail, n, checksum FROM ledger.verify(%s)", (name,))
        return Verification(citation, *cursor.fetchone())


def look_up(connection: Any, name: str) -> Citation:
    """Return a citation without asking its query again.

    Raises
    ------
    NotFoundError
        If there is none of that name.
    """
    with _refusals(connection, 60) as cursor:
        cursor.execute("SELECT count(*) FROM ledger.citation_of(%s)", (name,))
        if not cursor.fetchone()[0]:
            raise NotFoundError(f"there is no citation {name[:60]!r}; look at its spelling")
        return _read(cursor, name)
