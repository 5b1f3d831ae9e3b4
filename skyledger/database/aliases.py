"""Logins for virtual databases, and a pgbouncer in front of them (design section 4; GEN-21).

An alias such as ``prompt-2026-01-01`` is a role of the database server with the virtual database
among its default settings. A pool hands one server session to many clients: role defaults are what
DISCARD ALL goes back to, so that no client leaves an instant of its own behind.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg2

from skyledger.database import session
from skyledger.errors import QueryRefusedError
from skyledger.virtual import VirtualDatabase

CLIENT = "anonymous"  # user name with which clients come to the pool


@dataclass(frozen=True)
class Alias:
    """A login and the virtual database it means."""

    name: str
    database: VirtualDatabase


def default_name(database: VirtualDatabase) -> str:
    """Name of the alias in the document's style: ``prompt-2026-01-01``."""
    if database.reference is not None:
        return f"{database.name}-{database.reference.replace(':', '-').lower()}"
    if database.instant is None:
        return database.name
    instant = database.instant.isoformat()
    return f"{database.name}-{instant.removesuffix('T00:00:00').replace(':', '').lower()}"


def make(connection: Any, database: VirtualDatabase, name: str | None = None) -> Alias:
    """Make the login of a virtual database, or give it its settings anew.

    Parameters
    ----------
    connection
        psycopg2 connection of the owner.
    database
        Database and instant; the instant is settled first, so that it can be asked from then on.
    name
        Name of the login, by default as `default_name`.

    Raises
    ------
    QueryRefusedError
        If the database or the instant cannot be had, or another role has the name.
    """
    settled = session.settle(connection, database)
    # What was named, not the epoch that settled it: a date means the same on all doors.
    instant = database.instant or settled.instant
    name = name or default_name(database)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT ledger.make_alias(%s, %s, %s)", (name, database.name, instant))
        connection.commit()
    except psycopg2.Error as error:
        connection.rollback()
        raise QueryRefusedError(session.sentence(error)) from error
    return Alias(name, VirtualDatabase(database.name, instant))


def nights(connection: Any, days: int, name: str = "prompt") -> list[Alias]:
    """Make the logins of database ``name``: as of now, and as of each of the last ``days`` dates.

    A date means its beginning, 00:00 TAI, as in ``prompt@2026-01-01``; dates before the first
    epoch or, of a release, before its publication are left out.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT science.tai_now(), greatest((SELECT min(epochtai) FROM ledger.epoch), "
            "(SELECT registeredtai FROM ledger.database WHERE name = %s AND kind <> 'living'))",
            (name,),
        )
        now, first = cursor.fetchone()
    connection.rollback()
    today: datetime = now.replace(hour=0, minute=0, second=0, microsecond=0)
    dates = [today - timedelta(days=back) for back in range(days)]
    made = [make(connection, VirtualDatabase(name))]
    return made + [make(connection, VirtualDatabase(name, d)) for d in dates if d >= first]


def pgbouncer(
    aliases: list[Alias], where: dict[str, str], users: str, *, port: int, mode: str
) -> str:
    """Text of a ``pgbouncer.ini`` that offers aliases, read-only, to everybody who reaches it.

    Parameters
    ----------
    aliases
        Logins, each offered as a database of its name.
    where
        ``host``, ``port`` and ``dbname`` of the server.
    users
        Path of the file with the one user name, `CLIENT`, that clients come with.
    port
        Port of 127.0.0.1 to listen on.
    mode
        ``transaction`` or ``session``: how long a client keeps a server session.
    """
    place = " ".join(f"{word}='{where[word]}'" for word in ("host", "port", "dbname"))
    databases = "\n".join(f"{a.name} = {place} user='{a.name}'" for a in aliases)
    return f"""\
; Virtual databases of Skyledger for clients that cannot give settings of their own.
[databases]
{databases}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
; Everybody may come, as user {CLIENT}; what they may do is decided by the login of the alias.
; auth_type = any would make everybody an administrator of the pool as well.
auth_type = trust
auth_file = {users}
pool_mode = {mode}
; Nothing that a client has set stays for the next one; the defaults of the alias come back.
server_reset_query = DISCARD ALL
server_reset_query_always = 1
; `options` is not among these: a client's own instant must be refused, not overlooked.
ignore_startup_parameters = extra_float_digits
"""


def users() -> str:
    """Text of the file of user names that `pgbouncer` names."""
    return f'"{CLIENT}" ""\n'
