"""People: accounts, tokens, groups, and what each is allotted (UGP-01 to 07).

Their tables are the subject of `skyledger.person_tables`.

Rules are kept by the database: every function here calls the function of schema ``service`` of the
same name (``db/functions/service``) in the caller's transaction and commits nothing. Accounts,
tokens and allocations are changed on a connection of the owner (`skyledger.database.connection.
connect`), all else also as the login that keeps jobs (``connect_keeper``).
"""

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg2
from psycopg2 import errorcodes

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


def call(connection: Any, function: str, *values: Any) -> list[tuple[Any, ...]]:
    """Call a function of schema ``service``; what it refuses is raised as `SkyledgerError`."""
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
    call(
        connection, "add_person", name, full_name, rank, quota, most_queries, per_minute, by
    )  # fmt: skip


def disable_person(connection: Any, name: str, by: str | None = None) -> None:
    """Shut a person out: tokens are revoked, nothing of people's can be read any more."""
    call(connection, "disable_person", name, by)


def enable_person(connection: Any, name: str, by: str | None = None) -> None:
    """Let a person in again; new tokens are needed."""
    call(connection, "enable_person", name, by)


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
    call(connection, "allocate", name, quota, most_queries, per_minute, by, reason)


def add_token(connection: Any, name: str, label: str, days: int) -> tuple[str, datetime]:
    """Make a token; return it, which nobody can ever show again, and when it expires (TAI)."""
    token = new_token()
    (found,) = call(connection, "add_token", name, token_hash(token), label, days)
    return token, found[0]


def revoke_token(connection: Any, name: str, label: str) -> None:
    """Make the token of that label worth nothing."""
    call(connection, "revoke_token", name, label)


def sign_in(connection: Any, token: str) -> Person | None:
    """Say whose token it is; None if it is unknown, expired or revoked, or its owner shut out."""
    found = call(connection, "sign_in", token_hash(token))
    return Person(*found[0]) if found else None


def add_group(connection: Any, name: str, owner: str, description: str = "") -> None:
    """Make a group, whose owner is its first member."""
    call(connection, "add_group", name, owner, description)


def drop_group(connection: Any, name: str, by: str | None) -> None:
    """Take a group away; what was shared with it is no longer."""
    call(connection, "drop_group", name, by)


def add_member(connection: Any, group: str, person: str, by: str | None) -> None:
    """Add a person to a group, who reads at once what is shared with it."""
    call(connection, "add_member", group, person, by)


def remove_member(connection: Any, group: str, person: str, by: str | None) -> None:
    """Take a person out of a group, who loses at once what is shared with it."""
    call(connection, "remove_member", group, person, by)


def groups(connection: Any, person: str) -> list[Group]:
    """List the groups that a person belongs to."""
    return [_group(row) for row in call(connection, "visible_groups", person)]


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
