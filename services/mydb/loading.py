"""Tables of people are made: opened, filled and sealed in one transaction, or not at all."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import psycopg2
from psycopg2 import errors

from services.pools import Pool
from services.uploads import Uploaded, UploadedColumn, positions
from services.uploads.copy import CopyStream
from skyledger import people, person_tables
from skyledger.errors import ForbiddenError, LimitError, QueryRefusedError, UsageError
from skyledger.people import Person
from skyledger.person_tables import ColumnDescription
from skyledger.votable_types import votable_type

_TARGET = re.compile(r"(?:(?i:mydb_)([A-Za-z0-9_]{1,40})\.)?([A-Za-z][A-Za-z0-9_]{0,62})", re.ASCII)
_SECONDS = 3600  # for the index and the statistics of a table


@dataclass(frozen=True)
class Made:
    """A table that was made: its name with the schema, rows, and bytes of the quota it takes."""

    name: str
    rows: int
    size: int

    def chunk(self) -> dict[str, Any]:
        """One row that says so, as an answer of a query."""
        values: dict[str, Any] = {
            "table_name": np.ma.MaskedArray(np.array([self.name], dtype=object), mask=[False]),
            "rows": np.ma.MaskedArray(np.array([self.rows], dtype=np.int64), mask=[False]),
            "bytes": np.ma.MaskedArray(np.array([self.size], dtype=np.int64), mask=[False]),
        }
        return values


def target(text: str, person: str) -> str:
    """Name of a table of a person, given as ``NAME`` or ``mydb_PERSON.NAME`` in any case.

    Raises
    ------
    UsageError
        If it cannot be the name of a table.
    ForbiddenError
        If it is in the schema of somebody else.
    """
    match = _TARGET.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"{text[:80]!r} cannot be a table of yours; write NAME or mydb_{person}.NAME, NAME of "
            f"letters, digits and underscores, a letter first"
        )
    if match[1] is not None and match[1].lower() != person:
        raise ForbiddenError(
            f"{text[:80]!r} is in the schema of somebody else; yours is mydb_{person}"
        )
    return match[2].lower()


def spelled(columns: Sequence[UploadedColumn]) -> list[str]:
    """Name columns as their table will show them: as the file does, where queries can use it.

    ``RAJ2000`` stays; ``B-V``, which would have to be quoted in each query, is ``b_v``.
    """
    return [
        c.name if c.name.lower() == c.sql_name and c.name.isascii() else c.sql_name for c in columns
    ]


def described(columns: Sequence[UploadedColumn]) -> list[ColumnDescription]:
    """Columns as the table is made of them."""
    found = []
    for c, name in zip(columns, spelled(columns), strict=True):
        kind = c.type.replace(" without time zone", "")
        size = c.arraysize if kind.endswith("[]") else None
        datatype, arraysize, xtype = votable_type(kind, size, c.xtype)
        found.append(
            ColumnDescription(
                name, kind, datatype, arraysize, xtype, c.unit, c.ucd, c.utype, c.description
            )
        )
    return found


@dataclass
class Opened:
    """A table that is being filled, in a transaction that ends with `seal`, or leaves nothing."""

    connection: Any
    person: str
    name: str
    sql: str
    columns: Sequence[UploadedColumn]

    def seal(self) -> Made:
        """Index positions, count the table against the quota, and let its owner read it."""
        pair = positions.named(self.columns)
        names = dict(zip(self.columns, spelled(self.columns), strict=True))
        with filling(), self.connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {_SECONDS * 1000}")
            found = person_tables.seal_table(
                self.connection, self.person, self.name,
                (names[pair[0]], names[pair[1]]) if pair else None,
            )  # fmt: skip
            self.connection.commit()
        return Made(f"{people.role(self.person)}.{self.name}", found.rows, found.bytes)


@contextmanager
def filling() -> Iterator[None]:
    """Say in errors of ours what PostgreSQL cannot hold."""
    try:
        yield
    except (errors.ProgramLimitExceeded, psycopg2.DataError) as error:
        raise LimitError(
            f"PostgreSQL cannot hold the table: {' '.join(str(error).split())}. Take fewer "
            f"columns, or put numbers of one kind into an array column"
        ) from error
    except errors.QueryCanceled as error:
        raise QueryRefusedError("the table was ended before it was complete") from error


@contextmanager
def opened(
    pool: Pool, person: str, name: str, columns: Sequence[UploadedColumn], description: str,
    *, query: str | None = None, database: str | None = None, instant: datetime | None = None,
) -> Iterator[Opened]:  # fmt: skip
    """Open a new table of a person, to be filled and sealed within the block.

    Parameters
    ----------
    pool
        Sessions of the service.
    person, name
        Owner and name of the table.
    query, database, instant
        Of what it is the answer; None for an upload.

    Raises
    ------
    SkyledgerError
        If there is such a table already, the name or a column will not do, or the quota is full.
    """
    with pool.session() as connection:
        sql = person_tables.open_table(
            connection, person, name, described(columns), description=description,
            origin="upload" if query is None else "query", query=query, database=database,
            instant=instant,
        )  # fmt: skip
        yield Opened(connection, person, name, sql, columns)


def load(pool: Pool, person: Person, name: str, uploaded: Uploaded, description: str) -> Made:
    """Make a table of an upload.

    Parameters
    ----------
    pool
        Sessions of the service.
    person, name
        Owner and name of the table.
    uploaded
        From :func:`services.uploads.read`.

    Raises
    ------
    SkyledgerError
        As `opened`; LimitError if the quota does not hold it.
    """
    with opened(pool, person.name, name, uploaded.columns, description) as table:
        if uploaded.rows:
            with filling(), table.connection.cursor() as cursor:
                cursor.copy_expert(
                    f"COPY {table.sql} FROM STDIN (FORMAT binary)",
                    CopyStream([c.type for c in uploaded.columns], uploaded.chunks),
                    size=1 << 20,
                )
        return table.seal()
