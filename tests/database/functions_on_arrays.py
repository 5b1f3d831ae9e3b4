"""Calls of database functions on whole columns, as the tests of the functions need them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class in all but name


def evaluate(connection: Connection, expression: str, **columns: Sequence[Any]) -> list[Any]:
    """Evaluate an SQL expression row by row.

    Parameters
    ----------
    connection : psycopg2 connection
    expression : str
        Expression over the names of the columns.
    **columns : sequence, shape (n,)
        Values; whole numbers become bigint, instants timestamp, everything else double precision.

    Returns
    -------
    list, length n
    """
    names = ", ".join(columns)
    arrays = ", ".join(f"%s::{_type(values)}[]" for values in columns.values())
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {expression} FROM unnest({arrays}) WITH ORDINALITY AS t ({names}, row_number)"
            " ORDER BY row_number",
            [_plain(values) for values in columns.values()],
        )
        return [row[0] for row in cursor.fetchall()]


def numbers(connection: Connection, expression: str, **columns: Sequence[Any]) -> NDArray[Any]:
    """Evaluate an expression that gives numbers; NULL becomes NaN, shape (n,)."""
    found = evaluate(connection, expression, **columns)
    return np.array([np.nan if value is None else value for value in found], dtype=float)


def one(connection: Connection, expression: str, *values: Any) -> Any:
    """Evaluate one expression with bound values."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {expression}", values)
        (row,) = cursor.fetchall()
        return row[0]


def _plain(values: Sequence[Any]) -> list[Any]:
    return [value.item() if isinstance(value, np.generic) else value for value in values]


def _type(values: Sequence[Any]) -> str:
    array = np.asarray(values)
    if array.dtype.kind == "O":
        array = np.asarray([value for value in values if value is not None])
    return {"i": "bigint", "M": "timestamp", "O": "timestamp"}.get(array.dtype.kind, "float8")
