"""Run a query against a virtual database, read-only, at one instant.

The instant is applied once, for all living tables of the query: unqualified names mean the
current rows, or, when an instant is given, the rows as of it. The answer states its instant, and
the same query at that instant gives the same rows for ever (design sections 4 and 5; GEN-19..21).
"""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import psycopg2
from astropy.table import MaskedColumn, Table

from skyledger import dictionary as dd
from skyledger.database import connection as connections
from skyledger.database import rubin, session
from skyledger.errors import DatabaseError, QueryRefusedError
from skyledger.virtual import VirtualDatabase

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


_NUMPY: dict[str, Any] = {
    "bigint": np.int64,
    "integer": np.int32,
    "smallint": np.int16,
    "real": np.float32,
    "double precision": np.float64,
    "boolean": np.bool_,
}


@dataclass(frozen=True)
class ResultColumn:
    """A column of an answer; ``name`` is in the dictionary's spelling where it is known.

    ``type`` is PostgreSQL's name of it (``double precision``, ``bigint[]``, ``text`` ...), or
    ``spoint``, ``scircle``, ``spoly`` for a shape that is sent as an array of degrees: longitude
    and latitude, those and the radius, those of each corner. ``arraysize`` and ``xtype`` are
    those of VOTable and DALI where the type alone does not say them. ``system`` names that of a
    time or position, see `skyledger.systems`.
    """

    name: str
    type: str
    unit: str | None = None
    ucd: str | None = None
    description: str | None = None
    utype: str | None = None
    arraysize: str | None = None
    xtype: str | None = None
    system: str | None = None


@dataclass(frozen=True)
class Answer:
    """Rows of a query with the instant (TAI) at which they were true."""

    database: str
    instant: datetime
    columns: tuple[ResultColumn, ...]
    rows: Sequence[tuple[Any, ...]]


def _ours(name: str, table: str | None) -> list[Any]:
    """Columns of the dictionary that a result column of ``table`` (None: of any) may be."""
    found: list[Any] = [
        c
        for relation in dd.shipped().relations.values()
        if relation.kind not in {"ledger", "service"}
        for c in relation.columns
        if c.sql_name == name or (name == "dec" and c.sql_name == "decl")
        if table in (None, relation.sql_name)
    ]
    return found or ([dd.all_derived()[name]] if name in dd.all_derived() else [])


def _rubins(name: str, table: str | None) -> list[Any]:
    """Columns in Rubin's names that a result column may be; their units are not always ours."""
    found = []
    for relation in rubin.relations():
        for column in relation.columns:
            if column.name.lower() == name and table in (None, relation.name.lower()):
                said, unit = relation.described(column)
                found.append(ResultColumn(column.name, "", unit, None, said))
    return found


def _described(name: str, oid: int, found: list[Any]) -> ResultColumn:
    """Spelling, unit and UCD of a result column, as far as all that it may be agree."""
    kind = _FAMILIES.get(oid, "text")
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


def _columns(cursor: Any, database: str) -> tuple[ResultColumn, ...]:
    """Columns of the result at hand; the cursor is used for another query."""
    described = cursor.description or ()
    tables = sorted({d.table_oid for d in described if d.table_oid})
    # Views of the transaction stand for relations of the database.
    cursor.execute(
        "SELECT oid, CASE WHEN relnamespace = pg_my_temp_schema() THEN %s "
        "ELSE relnamespace::regnamespace::text END, relname "
        "FROM pg_class WHERE oid = ANY(%s::oid[])",
        (database, tables),
    )
    places = {oid: (schema, name) for oid, schema, name in cursor.fetchall()}
    living = {relation.sql_name for relation in dd.shipped().relations.values()}
    found = []
    for d in described:
        schema, table = places.get(d.table_oid, ("", None))
        if schema.startswith("rubin"):
            candidates = _rubins(d.name, table)
        elif table in living:
            candidates = _ours(d.name, table)
        else:
            candidates = _ours(d.name, None) + _rubins(d.name, None)
        found.append(_described(d.name, d.type_code, candidates))
    return tuple(found)


def run(
    connection: Any, query: str, database: VirtualDatabase, *, timeout_seconds: float = 600
) -> Answer:
    """Run one SQL statement and return its rows with their instant.

    Parameters
    ----------
    connection
        psycopg2 connection, not in a transaction; nothing is committed. Where it is a superuser's,
        the query goes through a session of its own as ``skyledger_user``.
    query
        One SELECT (or WITH, VALUES, EXPLAIN); it runs read-only.
    database
        Database and instant; an instant later than the horizon is settled first.

    Raises
    ------
    QueryRefusedError
        With PostgreSQL's reason, position and hint in one line.
    DatabaseError
        If the server ended the session.
    """
    if connections.is_superuser(connection):
        # No role that a superuser's session takes on can keep a query from leaving it again.
        with contextlib.closing(connections.reader_beside(connection)) as reader:
            return run(reader, query, database, timeout_seconds=timeout_seconds)
    try:
        database = session.settle(connection, database)
        session.begin(
            connection,
            isolation_level="REPEATABLE READ",
            # Read-write until the query: an instant is written into temporary views.
            readonly=session.on_standby(connection),
        )
        with connection.cursor() as cursor:
            instant = session.enter(cursor, database, query)
            cursor.execute(f"SET LOCAL statement_timeout = {int(timeout_seconds * 1000)}")
            cursor.execute("SET TRANSACTION READ ONLY")
            cursor.execute("SELECT ledger.open_answer(%s)", (query.strip().rstrip(";"),))
            cursor.execute("FETCH ALL FROM answer")
            rows = cursor.fetchall()
            columns = _columns(cursor, database.name)
        return Answer(database.name, instant, columns, rows)
    except psycopg2.Error as error:
        if connection.closed:
            raise DatabaseError(
                f"the database failed while it answered: {' '.join(str(error).split())}. When "
                f"`skyledger db check` is content, ask again"
            ) from error
        raise QueryRefusedError(session.sentence(error)) from error
    finally:
        if not connection.closed:
            session.begin(connection, isolation_level="DEFAULT", readonly="DEFAULT")


def as_text(value: Any) -> str:
    """Value as text of a table or a file: nothing for NULL, JSON for arrays, hex for bytes."""
    if value is None:
        return ""
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, list | dict):
        return json.dumps(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _column(column: ResultColumn, values: list[Any]) -> MaskedColumn:
    missing = [v is None for v in values]
    described = {"unit": column.unit, "description": column.description}
    if column.type in _NUMPY:
        kind = np.dtype(_NUMPY[column.type])
        data = np.array([0 if v is None else v for v in values], dtype=kind)
        return MaskedColumn(data, mask=missing, name=column.name, **described)
    element = _NUMPY.get(column.type.removesuffix("[]"))
    sizes = {len(v) for v in values if v is not None}
    if column.type.endswith("[]") and element is not None and len(sizes) == 1:
        size = sizes.pop()
        filled = [[None] * size if v is None else v for v in values]
        data = np.array([[0 if e is None else e for e in v] for v in filled], dtype=element)
        mask = [[e is None for e in v] for v in filled]
        return MaskedColumn(data, mask=mask, name=column.name, **described)
    texts = np.array([as_text(v) for v in values], dtype=str)
    return MaskedColumn(texts, mask=missing, name=column.name, description=column.description)


def transposed(answer: Answer) -> list[list[Any]]:
    """Values of an answer by column."""
    return [[row[k] for row in answer.rows] for k in range(len(answer.columns))]


def _masked(kind: str, values: list[Any]) -> Any:
    """Values of one column as :mod:`skyledger.binary` hands them on."""
    gone = [v is None for v in values]
    if kind == "timestamp":
        return np.ma.MaskedArray(np.array(values, dtype="datetime64[us]"), mask=gone)
    if kind in _NUMPY:
        given = [0 if v is None else v for v in values]
        return np.ma.MaskedArray(np.array(given, dtype=_NUMPY[kind]), mask=gone)
    shape = kind in {"spoint", "scircle", "spoly"}
    element = np.float64 if shape else _NUMPY.get(kind.removesuffix("[]"))
    boxed = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        if value is None:
            continue
        if element is not None:
            given = np.ravel(np.array(value, dtype=object)).tolist()
            flat = np.array([0 if e is None else e for e in given], dtype=element)
            boxed[i] = np.ma.MaskedArray(flat, mask=[e is None for e in given])
        elif kind == "text[]":
            boxed[i] = list(value)
        else:
            boxed[i] = bytes(value) if kind == "bytea" else as_text(value)
    return np.ma.MaskedArray(boxed, mask=gone)


def to_chunk(answer: Answer) -> dict[str, Any]:
    """Answer as one chunk of columns, in the types of :mod:`skyledger.binary`.

    The keys are the places of the columns, as an answer may have two of one name.
    """
    columns = zip(answer.columns, transposed(answer), strict=True)
    return {f"{k}": _masked(column.type, values) for k, (column, values) in enumerate(columns)}


def to_table(answer: Answer) -> Table:
    """Answer as an astropy Table with units; the instant is in ``meta``."""
    table = Table(meta={"database": answer.database, "as_of": answer.instant.isoformat()})
    columns = transposed(answer)
    for column, values in zip(answer.columns, columns, strict=True):
        name = column.name
        while name in table.colnames:
            name += "_"
        table[name] = _column(column, values)
    return table
