"""Sessions that ask: settling a virtual database, and entering it for one query.

Everything here runs as a reader (see `skyledger.database.connection.connect_reader`): what a
query may do is decided by the login, not by looking at the query.
"""

import re
from datetime import datetime
from typing import Any

import psycopg2
from psycopg2 import sql

from skyledger.errors import QueryRefusedError
from skyledger.virtual import VirtualDatabase

# Names of the living database: each has the forms X, X_live and X_at.
LIVING = ("prompt", "rubin")
# What plain names of functions and of pg_sphere's types mean in every database.
ALWAYS = "science, public"


def sentence(error: psycopg2.Error) -> str:
    """PostgreSQL's reason with position, detail and hint, in one line."""
    diagnosis = error.diag
    text = diagnosis.message_primary or str(error).strip()
    if diagnosis.internal_position:
        text += f" (at character {diagnosis.internal_position})"
    if diagnosis.message_detail:
        text += f"; {diagnosis.message_detail}"
    if diagnosis.message_hint:
        text += f"; {diagnosis.message_hint}"
    return text


def on_standby(connection: Any) -> bool:
    """Whether the server only follows another one."""
    return bool(connection.info.parameter_status("in_hot_standby") == "on")


def begin(connection: Any, **characteristics: Any) -> None:
    """Leave a transaction that only looked around, and say how the next ones are."""
    connection.rollback()
    connection.set_session(**characteristics)


def acting(role: str | None) -> str:
    """Statement that gives a transaction the rights of a role, and no others; empty for None."""
    if role is None:
        return ""
    return f'SET LOCAL ROLE "{role.replace(chr(34), chr(34) * 2)}"; '


def settle(connection: Any, database: VirtualDatabase, role: str | None = None) -> VirtualDatabase:
    """Make sure a virtual database is there and its answers can be had again.

    Parameters
    ----------
    connection
        psycopg2 connection; a transaction it is in is undone. An instant later than the horizon is
        settled in a transaction of its own, which publishes an empty epoch.
    database
        Database and instant; without an instant only the name is checked.
    role
        Role of the database that asks, where the login only speaks for it.

    Returns
    -------
    VirtualDatabase
        The same with the settled instant (TAI), if one was named.

    Raises
    ------
    QueryRefusedError
        If there is no such database, or the instant is in the future, under embargo, or before the
        archive or the release began.
    """
    try:
        # Logins that ask are read-only by default.
        begin(connection, readonly=on_standby(connection))
        with connection.cursor() as cursor:
            instant = database.instant
            if role is not None:
                cursor.execute(acting(role))
            if database.reference is not None:
                cursor.execute("SELECT ledger.instant_of(%s)", (database.reference,))
                instant = cursor.fetchone()[0]
            cursor.execute("SELECT ledger.settle(%s, %s)", (database.name, instant))
            settled = cursor.fetchone()[0]
        connection.commit()
    except psycopg2.Error as error:
        if connection.closed:
            raise
        raise QueryRefusedError(sentence(error)) from error
    finally:
        if not connection.closed:
            begin(connection, readonly="DEFAULT")
    return VirtualDatabase(database.name, settled)


def path(name: str) -> str:
    """Search path in which plain names are relations of database ``name`` (prompt, dr1 ...)."""
    return f"{name}, {ALWAYS}"


def _set_instant(cursor: Any, instant: datetime) -> None:
    cursor.execute("SELECT set_config('skyledger.as_of', %s, true)", (instant.isoformat(),))


def enter(cursor: Any, database: VirtualDatabase, query: str) -> datetime:
    """Make plain names of ``query`` mean ``database``, for the transaction at hand.

    For the living database the names become the current rows or, where an instant is named or an
    embargo holds, views of this transaction alone with the instant written in: months that hold
    nothing of it are never looked at. Where such views cannot be made (on a standby, under an
    embargo), the views of schema ``prompt`` or ``rubin`` read the instant from the session.

    Returns
    -------
    datetime
        The instant (TAI) at which the answer will be true.
    """
    cursor.execute(
        "SELECT ledger.horizon(), has_schema_privilege('prompt_live', 'USAGE'), "
        "has_database_privilege(current_database(), 'TEMPORARY') "
        "AND current_setting('transaction_read_only') = 'off'"
    )
    horizon, live, temporary = cursor.fetchone()
    instant: datetime | None = database.instant or horizon
    if instant is None:
        raise QueryRefusedError("there is nothing yet that this login may see")
    # Whoever writes prompt.X in full gets the same instant.
    _set_instant(cursor, instant)
    name = database.name
    if name not in LIVING:
        shown = name
    elif database.instant is None and live:
        shown = f"{name}_live"
    elif temporary:
        cursor.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = %s::regnamespace "
            "AND proname = ANY(%s)",
            (f"{name}_at", sorted(set(re.findall(r"\w+", query.lower())))),
        )
        for (relation,) in cursor.fetchall():
            cursor.execute(
                sql.SQL("CREATE TEMP VIEW {} AS SELECT * FROM {}({})").format(
                    sql.Identifier(relation),
                    sql.Identifier(f"{name}_at", relation),
                    sql.Literal(instant),
                )
            )
        shown = "pg_temp"
    else:
        shown = name
    cursor.execute(
        sql.SQL("SET LOCAL search_path = {}, science, public").format(sql.Identifier(shown))
    )
    return instant
