"""Measured tables to PostgreSQL's binary COPY format, whole columns at a time.

Binary COPY coerces nothing: the types come from the dictionary and are compared with the catalogue
before anything is sent, and what a type cannot hold is refused here (design section 7). The format
itself is written by `skyledger.copy_binary`.
"""

import json
from collections.abc import Sequence
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from skyledger import copy_binary
from skyledger.copy_binary import FIXED, Arrays, Field, Numbers, Pieces
from skyledger.dictionary import Column
from skyledger.errors import DataRejectedError


def _refuse(column: Column, what: str, rows: NDArray[np.intp], values: Any) -> DataRejectedError:
    first = int(rows[0])
    return DataRejectedError(
        f"{column.name}: {len(rows)} of {len(values)} values {what}, first in row {first}: "
        f"{values[first]!r}; the column is {column.type}"
    )


def _fitting(
    column: Column, sql_type: str, values: NDArray[Any], null: NDArray[np.bool_]
) -> NDArray[Any]:
    """Values as the numpy type of ``sql_type``; refuses what does not fit, unless it is NULL."""
    if sql_type == "timestamp":
        return values
    target = np.dtype(FIXED[sql_type][0])
    if values.dtype == target:
        return values
    if values.dtype.kind not in "iufb":
        raise DataRejectedError(
            f"{column.name} has type {values.dtype}, but the column is {column.type}; "
            f"convert it before it is staged"
        )
    if sql_type == "boolean":
        return np.asarray(values != 0, dtype=target)
    if target.kind == "i":
        values = np.where(null, np.zeros((), values.dtype), values) if null.any() else values
        if values.dtype.kind == "f":
            wrong = np.flatnonzero(~np.isfinite(values) | (values != np.floor(values)))
            if wrong.size:
                raise _refuse(column, "are not whole numbers", wrong, values)
        limits = np.iinfo(target)
        if len(values) and (values.min() < limits.min or values.max() > limits.max):
            wrong = np.flatnonzero((values < limits.min) | (values > limits.max))
            raise _refuse(column, f"lie outside {limits.min} to {limits.max}", wrong, values)
    with np.errstate(over="ignore", invalid="ignore"):
        # A double beyond the range of real becomes infinite, which validation refuses by row.
        return values.astype(target)


def _numbers(
    column: Column, sql_type: str, values: NDArray[Any], null: NDArray[np.bool_]
) -> Numbers:
    return copy_binary.numbers(sql_type, _fitting(column, sql_type, values, null), null)


def _arrays(column: Column, values: NDArray[Any], null: NDArray[np.bool_]) -> Arrays:
    """Arrays of one shape: values (n, k); ``null`` (n, k) marks missing elements.

    A row whose elements are all missing is a NULL array.
    """
    element = column.type[:-2]
    elements = _numbers(column, element, values.reshape(-1), null.reshape(-1))
    return copy_binary.grid(element, elements, *values.shape)


def _lists(column: Column, values: Sequence[Any]) -> Arrays:
    """Arrays of any length; None is a NULL array."""
    element = column.type[:-2]
    null = np.array([v is None for v in values], dtype=bool)
    there = [v for v in values if v is not None]
    counts = np.zeros(len(values), dtype=np.int64)
    counts[~null] = [len(v) for v in there]
    elements: Numbers | Pieces
    if element == "text":
        elements = copy_binary.texts([str(v) for listed in there for v in listed])
    else:
        flat = np.concatenate([np.asarray(v) for v in there if len(v)] or [np.empty(0)])
        elements = _numbers(column, element, flat, np.zeros(len(flat), dtype=bool))
    return copy_binary.arrays(element, elements, counts, null)


def _ragged(column: Column, values: Sequence[Any]) -> Field:
    """Text, bytes, documents and arrays of varying length; None is NULL."""
    if column.type.endswith("[]"):
        return _lists(column, values)
    if column.type == "jsonb":
        return copy_binary.pieces(
            [None if v is None else b"\x01" + json.dumps(v).encode() for v in values]
        )
    if column.type == "bytea":
        return copy_binary.pieces([None if v is None else bytes(v) for v in values])
    listed = [None if v is None else str(v) for v in values]
    for text in listed:
        if text is not None and "\0" in text:
            raise DataRejectedError(f"{column.name}: a text holds a zero byte: {text!r}")
    return copy_binary.texts(listed)


def _field(column: Column, values: Any) -> Field:
    mask = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
    plain = np.ma.getdata(values) if mask is not None else values
    if column.type in FIXED:
        scalars = np.asarray(plain)
        if scalars.ndim != 1:
            raise DataRejectedError(
                f"{column.name} has shape {scalars.shape}, but the column holds one number a row"
            )
        none = np.zeros(len(scalars), dtype=bool)
        return _numbers(column, column.type, scalars, none if mask is None else mask)
    array = np.asarray(plain) if column.type.endswith("[]") and column.shape else None
    if array is not None and array.dtype.kind in "iuf":
        wanted = int(np.prod(column.shape or (1,)))
        if array.ndim != 2 or array.shape[1] != wanted:
            raise DataRejectedError(
                f"{column.name} has shape {array.shape}, but the column holds arrays of {wanted}"
            )
        return _arrays(column, array, np.zeros(array.shape, bool) if mask is None else mask)
    if mask is None:
        return _ragged(column, list(plain))
    gone: list[bool] = np.all(mask.reshape(len(plain), -1), axis=1).tolist()
    return _ragged(column, [None if m else v for v, m in zip(plain, gone, strict=True)])


def encode(columns: Sequence[Column], values: Sequence[Any]) -> memoryview:
    """Encode columns as one binary COPY stream.

    Parameters
    ----------
    columns
        Definition of each column sent, in the order of the COPY statement.
    values
        One array a column, all of length n; masked entries are sent as NULL. Columns of fixed
        shape take arrays of shape (n, k); text, documents and ragged arrays take any sequence.

    Raises
    ------
    DataRejectedError
        If a value cannot be represented by its column's type; column, row and value are named.
    """
    n = len(values[0]) if values else 0
    for column, given in zip(columns, values, strict=True):
        if len(given) != n:
            raise DataRejectedError(f"{column.name} has {len(given)} values, others have {n}")
    fields = [_field(column, given) for column, given in zip(columns, values, strict=True)]
    return copy_binary.rows(fields, n, copy_binary.HEADER, copy_binary.TRAILER).data


def as_file(stream: memoryview) -> BinaryIO:
    """Wrap an encoded stream for ``copy_expert``.

    No Python runs while it is read: a Ctrl-C there would become an error of the COPY.
    """
    return BytesIO(stream)
