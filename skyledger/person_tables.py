"""Tables of people: made, filled, sealed, shared and dropped (UGP-03, UGP-06).

As in `skyledger.people`, rules are kept by the functions of schema ``service``.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from skyledger.catalogue import Column, Table
from skyledger.people import call, role

Grantee = Literal["person", "group", "everyone"]
Origin = Literal["upload", "query"]


@dataclass(frozen=True)
class ColumnDescription:
    """A column of a table that is to be made; ``type`` is PostgreSQL's, ``datatype`` VOTable's."""

    name: str
    type: str
    datatype: str
    arraysize: str | None = None
    xtype: str | None = None
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    description: str | None = None


@dataclass(frozen=True)
class PersonTable:
    """A table of a person.

    Attributes
    ----------
    rows, bytes
        What it holds, and what it takes of its owner's quota.
    created, instant
        Ledger time (TAI); ``instant`` is that of the query whose answer it is.
    position
        Names in PostgreSQL of the columns whose positions are indexed (ra, decl [deg]).
    shared_with
        ``person:NAME``, ``group:NAME``, ``everyone``; None for all but the owner.
    columns
        Of the table, with their place in it; ``sql`` is the name in PostgreSQL.
    arraysizes
        VOTable's sizes of the columns, in the same order.
    """

    schema: str
    name: str
    owner: str
    description: str
    rows: int
    bytes: int
    created: datetime
    origin: Origin
    query: str | None
    database: str | None
    instant: datetime | None
    position: tuple[str, str] | None
    shared_with: tuple[str, ...] | None
    columns: tuple[Column, ...]
    datatypes: tuple[str, ...]
    arraysizes: tuple[str | None, ...]

    @property
    def table(self) -> Table:
        """The table as queries know it."""
        return Table(
            self.schema,
            self.name,
            self.columns,
            f"{self.schema}.{self.name}",
            description=self.description,
            spatial=(self.position,) if self.position else (),
        )


@dataclass(frozen=True)
class Sealed:
    """What a table that was filled has become."""

    rows: int
    bytes: int
    indexed: bool


def used_bytes(connection: Any, person: str) -> int:
    """Say what the tables of a person take of the quota."""
    ((used,),) = call(connection, "used_bytes", person)
    return int(used)


def open_table(
    connection: Any,
    person: str,
    name: str,
    columns: Iterable[ColumnDescription],
    *,
    description: str = "",
    origin: Origin = "upload",
    query: str | None = None,
    database: str | None = None,
    instant: datetime | None = None,
) -> str:
    """Make an empty table of a person, to be filled by COPY and sealed in the same transaction.

    Returns
    -------
    str
        Its name as SQL writes it.

    Raises
    ------
    LimitError
        If the quota is full.
    BusyError
        If a table of that name is being loaded.
    PeopleError
        If there is a table of that name, or a name or type cannot be.
    """
    given = json.dumps([asdict(column) for column in columns])
    (found,) = call(
        connection, "open_table", person, name, description, origin, given, query, database, instant
    )
    return str(found[0])


def seal_table(
    connection: Any, person: str, name: str, position: tuple[str, str] | None = None
) -> Sealed:
    """End the filling of a table: index positions, gather statistics, let its owner read it.

    Parameters
    ----------
    position
        Names of the columns of right ascension and declination [deg]; indexed if every value lies
        on the sphere.

    Raises
    ------
    LimitError
        If the table does not fit into the quota; the transaction must then be rolled back.
    """
    ra, decl = position or (None, None)
    (found,) = call(connection, "seal_table", role(person), name, ra, decl)
    return Sealed(*found)


def drop_table(connection: Any, schema: str, name: str, by: str | None) -> None:
    """Drop a person's table; by its owner or an operator."""
    call(connection, "drop_table", schema, name, by)


def share_table(
    connection: Any, schema: str, name: str, kind: Grantee, grantee: str | None, by: str
) -> None:
    """Let a person, a group or everyone read a table; by its owner alone."""
    call(connection, "share_table", schema, name, kind, grantee, by)


def unshare_table(
    connection: Any, schema: str, name: str, kind: Grantee, grantee: str | None, by: str | None
) -> None:
    """Take back what `share_table` gave; by the owner or an operator."""
    call(connection, "unshare_table", schema, name, kind, grantee, by)


def visible_tables(connection: Any, person: str | None) -> list[PersonTable]:
    """List the tables that a person may read; for None those shared with everyone."""
    return [_table(row) for row in call(connection, "visible_tables", person)]


def _table(row: tuple[Any, ...]) -> PersonTable:
    (schema, name, owner, description, rows, size, created, origin, query, database, instant,
     ra, decl, shared, columns) = row  # fmt: skip
    return PersonTable(
        schema,
        name,
        owner,
        description,
        rows,
        size,
        created,
        origin,
        query,
        database,
        instant,
        position=(ra, decl) if ra is not None else None,
        shared_with=None if shared is None else tuple(shared),
        columns=tuple(_column(c) for c in columns),
        datatypes=tuple(c["datatype"] for c in columns),
        arraysizes=tuple(c["arraysize"] for c in columns),
    )


def _column(given: dict[str, Any]) -> Column:
    return Column(
        given["name"],
        given["type"],
        given["unit"],
        given["ucd"],
        given["utype"],
        given["description"],
        indexed=given["isIndexed"],
        xtype=given["xtype"],
        sql=given["sql_name"],
    )
