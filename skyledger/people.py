"""People: accounts, tokens, groups, tables of one's own, and what each is allotted (UGP-01 to 07).

Rules are kept by the database: every function here calls the function of schema ``service`` of the
same name (``db/functions/service``) in the caller's transaction and commits nothing. Accounts,
tokens and allocations are changed on a connection of the owner (`skyledger.database.connection.
connect`), all else also as the login that keeps jobs (``connect_keeper``).
"""

import hashlib
import json
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

import psycopg2
from psycopg2 import errorcodes

from skyledger.catalogue import Column, Table
from skyledger.database.session import sentence
from skyledger.errors import (
    BusyError,
    ConflictError,
    ForbiddenError,
    LimitError,
    NotFoundError,
    PeopleError,
    SkyledgerError,
)

GB = 10**9
QUOTA = 5 * GB  # bytes
MOST_QUERIES = 4
PER_MINUTE = 120

Grantee = Literal["person", "group", "everyone"]
Origin = Literal["upload", "query"]

# What a refusal of the database is here; everything else is a PeopleError.
_REFUSALS: dict[str, type[SkyledgerError]] = {
    errorcodes.UNDEFINED_OBJECT: NotFoundError,
    errorcodes.UNDEFINED_TABLE: NotFoundError,
    errorcodes.DISK_FULL: LimitError,
    errorcodes.LOCK_NOT_AVAILABLE: BusyError,
    errorcodes.INSUFFICIENT_PRIVILEGE: ForbiddenError,
    errorcodes.DUPLICATE_OBJECT: ConflictError,
    errorcodes.DUPLICATE_TABLE: ConflictError,
    errorcodes.DUPLICATE_SCHEMA: ConflictError,
}
_OURS = {
    *_REFUSALS,
    errorcodes.INVALID_PARAMETER_VALUE,
    errorcodes.INVALID_NAME,
    errorcodes.INVALID_TABLE_DEFINITION,
    errorcodes.TOO_MANY_COLUMNS,
    errorcodes.UNDEFINED_COLUMN,
}


@dataclass(frozen=True)
class Person:
    """Somebody who has signed in.

    Attributes
    ----------
    role
        ``user`` or ``operator``.
    quota
        Room for tables [byte].
    most_queries, per_minute
        Queries at the same time, and queries that may begin within a minute.
    """

    name: str
    role: str
    quota: int
    most_queries: int
    per_minute: int


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


@dataclass(frozen=True)
class Group:
    """People with whom tables are shared together."""

    name: str
    owner: str
    description: str
    created: datetime
    members: tuple[str, ...]


def role(person: str) -> str:
    """Name of a person's schema, and of the role that reads what the person may read."""
    return f"mydb_{person}"


def new_token() -> str:
    """Make a token: ``sky_`` and 43 characters that are safe in addresses (256 random bits)."""
    return "sky_" + secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """SHA-256 of a token: all that is kept of it."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn what the database refuses into errors that a user may meet."""
    try:
        yield
    except psycopg2.Error as error:
        code = error.pgcode or ""
        if code not in _OURS or error.diag.message_hint is None:
            raise
        raise _REFUSALS.get(code, PeopleError)(sentence(error)) from error


def _call(connection: Any, function: str, *values: Any) -> list[tuple[Any, ...]]:
    holes = ", ".join(["%s"] * len(values))
    with _refusals(), connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM service.{function}({holes})", values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def add_person(
    connection: Any,
    name: str,
    full_name: str = "",
    *,
    operator: bool = False,
    quota: int = QUOTA,
    most_queries: int = MOST_QUERIES,
    per_minute: int = PER_MINUTE,
    by: str | None = None,
) -> None:
    """Add a person, with a role and a schema ``mydb_NAME``.

    Raises
    ------
    PeopleError
        If the name is taken or none, or a limit makes no sense.
    """
    rank = "operator" if operator else "user"
    _call(
        connection, "add_person", name, full_name, rank, quota, most_queries, per_minute, by
    )  # fmt: skip


def disable_person(connection: Any, name: str, by: str | None = None) -> None:
    """Shut a person out: tokens are revoked, nothing of people's can be read any more."""
    _call(connection, "disable_person", name, by)


def enable_person(connection: Any, name: str, by: str | None = None) -> None:
    """Let a person in again; new tokens are needed."""
    _call(connection, "enable_person", name, by)


def allocate(
    connection: Any,
    name: str,
    reason: str,
    *,
    quota: int | None = None,
    most_queries: int | None = None,
    per_minute: int | None = None,
    by: str | None = None,
) -> None:
    """Give a person another allocation; what is not given stays as it is.

    Raises
    ------
    NotFoundError
        If there is no such person.
    PeopleError
        If a limit makes no sense, or no reason is given.
    """
    _call(connection, "allocate", name, quota, most_queries, per_minute, by, reason)


def add_token(connection: Any, name: str, label: str, days: int) -> tuple[str, datetime]:
    """Make a token; return it, which nobody can ever show again, and when it expires (TAI)."""
    token = new_token()
    (found,) = _call(connection, "add_token", name, token_hash(token), label, days)
    return token, found[0]


def revoke_token(connection: Any, name: str, label: str) -> None:
    """Make the token of that label worth nothing."""
    _call(connection, "revoke_token", name, label)


def sign_in(connection: Any, token: str) -> Person | None:
    """Say whose token it is; None if it is unknown, expired or revoked, or its owner shut out."""
    found = _call(connection, "sign_in", token_hash(token))
    return Person(*found[0]) if found else None


def add_group(connection: Any, name: str, owner: str, description: str = "") -> None:
    """Make a group, whose owner is its first member."""
    _call(connection, "add_group", name, owner, description)


def drop_group(connection: Any, name: str, by: str | None) -> None:
    """Take a group away; what was shared with it is no longer."""
    _call(connection, "drop_group", name, by)


def add_member(connection: Any, group: str, person: str, by: str | None) -> None:
    """Add a person to a group, who reads at once what is shared with it."""
    _call(connection, "add_member", group, person, by)


def remove_member(connection: Any, group: str, person: str, by: str | None) -> None:
    """Take a person out of a group, who loses at once what is shared with it."""
    _call(connection, "remove_member", group, person, by)


def groups(connection: Any, person: str) -> list[Group]:
    """List the groups that a person belongs to."""
    return [_group(row) for row in _call(connection, "visible_groups", person)]


def _group(row: tuple[Any, ...]) -> Group:
    name, owner, description, created, members = row
    return Group(name, owner, description, created, tuple(members))


def all_groups(connection: Any) -> list[Group]:
    """List all groups; for the owner of the database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT g.groupname, g.ownername, g.description, g.createdtai, "
            "array_agg(m.personname ORDER BY m.personname) FROM service.persongroup AS g "
            "JOIN service.groupmember AS m USING (groupname) GROUP BY 1, 2, 3, 4 ORDER BY 1"
        )
        return [_group(row) for row in cursor.fetchall()]


def used_bytes(connection: Any, person: str) -> int:
    """Say what the tables of a person take of the quota."""
    ((used,),) = _call(connection, "used_bytes", person)
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
    (found,) = _call(
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
    (found,) = _call(connection, "seal_table", role(person), name, ra, decl)
    return Sealed(*found)


def drop_table(connection: Any, schema: str, name: str, by: str | None) -> None:
    """Drop a person's table; by its owner or an operator."""
    _call(connection, "drop_table", schema, name, by)


def share_table(
    connection: Any, schema: str, name: str, kind: Grantee, grantee: str | None, by: str
) -> None:
    """Let a person, a group or everyone read a table; by its owner alone."""
    _call(connection, "share_table", schema, name, kind, grantee, by)


def unshare_table(
    connection: Any, schema: str, name: str, kind: Grantee, grantee: str | None, by: str | None
) -> None:
    """Take back what `share_table` gave; by the owner or an operator."""
    _call(connection, "unshare_table", schema, name, kind, grantee, by)


def visible_tables(connection: Any, person: str | None) -> list[PersonTable]:
    """List the tables that a person may read; for None those shared with everyone."""
    return [_table(row) for row in _call(connection, "visible_tables", person)]


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
