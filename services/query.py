"""Run a query against a virtual database, read-only, at one instant.

The instant is applied once, for all living tables of the query: unqualified names mean the
current rows, or, when an instant is given, the rows as of it. The answer states its instant, and
the same query at that instant gives the same rows for ever (design sections 4 and 5; GEN-19..21).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg2
from psycopg2 import sql

from skyledger import dictionary as dd
from skyledger.errors import DatabaseError, QueryRefusedError
from skyledger.virtual import VirtualDatabase

READER = "skyledger_reader"
_FAMILIES = {
    16: "boolean",
    17: "bytea",
    20: "bigint",
    21: "smallint",
    23: "integer",
    25: "text",
    700: "real",
    701: "double precision",
    1114: "timestamp",
    1043: "text",
    19: "text",
    1700: "double precision",  # numeric
    1005: "smallint[]",
    1007: "integer[]",
    1016: "bigint[]",
    1021: "real[]",
    1022: "double precision[]",
    1009: "text[]",
}


@dataclass(frozen=True)
class ResultColumn:
    """A column of an answer; ``name`` is in the dictionary's spelling where it is known."""

    name: str
    type: str
    unit: str | None = None
    ucd: str | None = None
    description: str | None = None


@dataclass(frozen=True)
class Answer:
    """Rows of a query with the instant (TAI) at which they were true."""

    database: str
    instant: datetime
    columns: tuple[ResultColumn, ...]
    rows: Sequence[tuple[Any, ...]]


def _described(name: str, oid: int, table: str | None) -> ResultColumn:
    """Spelling, unit and UCD of a result column of ``table``, if it comes from one unchanged.

    Of other columns only that is told which all tables mean by the name.
    """
    kind = _FAMILIES.get(oid, "text")
    found = [
        c
        for relation in dd.shipped().relations.values()
        if relation.kind != "ledger"
        for c in relation.columns
        if c.sql_name == name or (name == "dec" and c.sql_name == "decl")
        if table in (None, relation.sql_name)
    ]
    if not found and name in dd.all_derived():
        found = [dd.all_derived()[name]]
    if not found:
        return ResultColumn(name, kind)
    shown = "dec" if name == "dec" else found[0].name
    units, ucds, words = ({getattr(c, a) for c in found} for a in ("unit", "ucd", "description"))
    if len(units) > 1:
        return ResultColumn(shown, kind)
    return ResultColumn(
        shown,
        kind,
        units.pop(),
        ucds.pop() if len(ucds) == 1 else None,
        words.pop() if len(words) == 1 else None,
    )


def _columns(cursor: Any) -> tuple[ResultColumn, ...]:
    """Columns of the result at hand; the cursor is used for another query."""
    described = cursor.description or ()
    tables = sorted({d.table_oid for d in described if d.table_oid})
    cursor.execute("SELECT oid, relname FROM pg_class WHERE oid = ANY(%s::oid[])", (tables,))
    names = dict(cursor.fetchall())
    living = {relation.sql_name for relation in dd.shipped().relations.values()}
    return tuple(
        _described(d.name, d.type_code, names[t] if names.get(t := d.table_oid) in living else None)
        for d in described
    )


def _enter(cursor: Any, database: VirtualDatabase) -> datetime:
    """Make unqualified names mean the relations of ``database``; return the instant (TAI)."""
    if database.name == "prompt":
        if database.instant is None:
            cursor.execute("SELECT ledger.horizon()")
            instant: datetime = cursor.fetchone()[0]
            cursor.execute("SET LOCAL search_path = prompt_live, science, public")
        else:
            instant = database.instant
            # Views of this transaction alone, with the instant written in: months that hold
            # nothing of it are never looked at.
            cursor.execute(
                "SELECT relname FROM pg_class "
                "WHERE relnamespace = 'prompt_live'::regnamespace AND relkind = 'v'"
            )
            for (name,) in cursor.fetchall():
                view = sql.Identifier(name)
                cursor.execute(
                    sql.SQL(
                        "CREATE TEMP VIEW {0} AS SELECT * FROM prompt_at.{0}({1}); "
                        "GRANT SELECT ON {0} TO {2}"
                    ).format(view, sql.Literal(instant), sql.Identifier(READER))
                )
            cursor.execute("SET LOCAL search_path = pg_temp, science, public")
        # Whoever writes prompt.X in full gets the same instant.
        cursor.execute("SELECT set_config('skyledger.as_of', %s, true)", (instant.isoformat(),))
        return instant
    cursor.execute("SELECT to_regnamespace(%s)", (database.name,))
    if cursor.fetchone()[0] is None:
        cursor.execute(
            r"SELECT string_agg(nspname, ', ' ORDER BY nspname) FROM pg_namespace "
            r"WHERE nspname ~ '^(prompt|dr\d+|sp_[a-z0-9_]+)$' AND nspname !~ '^prompt_'"
        )
        raise QueryRefusedError(
            f"there is no database {database.name}; there is {cursor.fetchone()[0]}"
        )
    cursor.execute(
        sql.SQL("SET LOCAL search_path = {}, science, public").format(sql.Identifier(database.name))
    )
    cursor.execute("SELECT ledger.horizon()")
    horizon: datetime = cursor.fetchone()[0]
    return database.instant or horizon


def resolve(connection: Any, database: VirtualDatabase) -> VirtualDatabase:
    """Settle the instant of a virtual database, in a transaction of its own.

    Raises
    ------
    QueryRefusedError
        If the instant is in the future or before the database began.
    """
    if database.instant is None:
        return database
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT ledger.resolve(%s)", (database.instant,))
            settled = cursor.fetchone()[0]
        connection.commit()
    except psycopg2.Error as error:
        connection.rollback()
        raise QueryRefusedError(sentence(error)) from error
    return VirtualDatabase(database.name, settled)


def run(
    connection: Any, query: str, database: VirtualDatabase, *, timeout_seconds: float = 600
) -> Answer:
    """Run one SQL statement and return its rows with their instant.

    Parameters
    ----------
    connection
        psycopg2 connection of the owner, not in a transaction; nothing is committed.
    query
        One SELECT (or WITH, VALUES, EXPLAIN); it runs read-only under the reader's role.
    database
        Database and instant; an instant later than the horizon is settled first.

    Raises
    ------
    QueryRefusedError
        With PostgreSQL's reason, position and hint in one line.
    DatabaseError
        If the server ended the session.
    """
    database = resolve(connection, database)
    try:
        connection.set_session(isolation_level="REPEATABLE READ")
        with connection.cursor() as cursor:
            instant = _enter(cursor, database)
            cursor.execute(f"SET LOCAL statement_timeout = {int(timeout_seconds * 1000)}")
            cursor.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(READER)))
            cursor.execute("SET TRANSACTION READ ONLY")
            cursor.execute("SELECT ledger.open_answer(%s)", (query.strip().rstrip(";"),))
            cursor.execute("FETCH ALL FROM answer")
            rows = cursor.fetchall()
            columns = _columns(cursor)
        return Answer(database.name, instant, columns, rows)
    except psycopg2.Error as error:
        if connection.closed:
            raise DatabaseError(
                f"the database failed while it answered: {' '.join(str(error).split())}. When "
                f"`skyledger db check` is content, ask again"
            ) from error
        raise QueryRefusedError(sentence(error)) from error
    finally:
        if not connection.closed:
            connection.rollback()
            connection.set_session(isolation_level="DEFAULT")


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
