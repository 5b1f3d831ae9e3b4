"""Tables to PostgreSQL's binary COPY format, whole columns at a time.

A row is laid out at its greatest width; bytes that a NULL or a shorter value does not need are
dropped in one stroke at the end. Binary COPY coerces nothing, so the types come from the
dictionary and are compared with the catalogue before anything is sent (design section 7).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from skyledger.dictionary import Column
from skyledger.errors import DataRejectedError

Bytes = NDArray[np.uint8]
_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_EPOCH = np.datetime64("2000-01-01T00:00:00", "us")

# (big-endian numpy type, type OID) of fixed-width SQL types
_FIXED: dict[str, tuple[str, int]] = {
    "bigint": (">i8", 20),
    "integer": (">i4", 23),
    "smallint": (">i2", 21),
    "real": (">f4", 700),
    "double precision": (">f8", 701),
    "boolean": ("u1", 16),
    "timestamp": (">i8", 1114),
}


@dataclass(frozen=True)
class _Field:
    """One column laid out: ``data`` of shape (n, width) with its length words, ``keep`` likewise.

    ``keep`` is None if every byte is sent.
    """

    data: Bytes
    keep: NDArray[np.bool_] | None


def _refuse(column: Column, what: str, rows: NDArray[np.intp], values: Any) -> DataRejectedError:
    first = int(rows[0])
    return DataRejectedError(
        f"{column.name}: {len(rows)} of {len(values)} values {what}, first in row {first}: "
        f"{values[first]!r}; the column is {column.type}"
    )


def _numbers(column: Column, sql_type: str, values: NDArray[Any]) -> NDArray[Any]:
    """Values as the big-endian numpy type of ``sql_type``; refuses what does not fit."""
    target = np.dtype(_FIXED[sql_type][0])
    if sql_type == "timestamp":
        stamps = values.astype("datetime64[us]")
        return np.asarray((stamps - _EPOCH).astype(np.int64), dtype=target)
    if values.dtype.kind not in "iufb":
        raise DataRejectedError(
            f"{column.name} has type {values.dtype}, but the column is {column.type}; "
            f"convert it before it is staged"
        )
    if sql_type == "boolean":
        return np.asarray(values != 0, dtype=target)
    if target.kind == "i":
        if values.dtype.kind == "f":
            wrong = np.flatnonzero(~np.isfinite(values) | (values != np.floor(values)))
            if wrong.size:
                raise _refuse(column, "are not whole numbers", wrong, values)
        limits = np.iinfo(target)
        wrong = np.flatnonzero((values < limits.min) | (values > limits.max))
        if wrong.size:
            raise _refuse(column, f"lie outside {limits.min} to {limits.max}", wrong, values)
    with np.errstate(over="ignore"):
        # A double beyond the range of real becomes infinite, which validation refuses by row.
        return values.astype(target)


def _words(lengths: Any) -> Bytes:
    """Length words, shape (n, 4)."""
    return np.asarray(lengths, dtype=">i4").view(np.uint8).reshape(len(lengths), 4)


def _scalars(column: Column, values: NDArray[Any], null: NDArray[np.bool_]) -> _Field:
    filled = np.where(null, np.zeros((), values.dtype), values) if null.any() else values
    numbers = _numbers(column, column.type, filled)
    n, width = len(numbers), numbers.dtype.itemsize
    data = np.empty((n, 4 + width), dtype=np.uint8)
    data[:, :4] = _words(np.where(null, -1, width))
    data[:, 4:] = np.ascontiguousarray(numbers).view(np.uint8).reshape(n, width)
    if not null.any():
        return _Field(data, None)
    keep = np.ones(data.shape, dtype=bool)
    keep[null, 4:] = False
    return _Field(data, keep)


def _arrays(column: Column, values: NDArray[Any], null: NDArray[np.bool_]) -> _Field:
    """Arrays of one shape: values (n, k); ``null`` (n, k) marks missing elements.

    A row whose elements are all missing is a NULL array.
    """
    element = column.type[:-2]
    n, size = values.shape
    filled = np.where(null, np.zeros((), values.dtype), values) if null.any() else values
    numbers = _numbers(column, element, filled.reshape(-1))
    width = numbers.dtype.itemsize
    gone = null.all(axis=1)
    body = np.empty((n, size, 4 + width), dtype=np.uint8)
    body[:, :, :4] = _words(np.where(null.reshape(-1), -1, width)).reshape(n, size, 4)
    body[:, :, 4:] = np.ascontiguousarray(numbers).view(np.uint8).reshape(n, size, width)
    head = np.empty((n, 24), dtype=np.uint8)
    total = 20 + size * 4 + width * (~null).sum(axis=1)
    head[:, :4] = _words(np.where(gone, -1, total).astype(np.int32))
    head[:, 4:8] = _words(np.ones(n, dtype=np.int32))  # dimensions
    head[:, 8:12] = _words(null.any(axis=1).astype(np.int32))  # has NULL elements
    head[:, 12:16] = _words(np.full(n, _FIXED[element][1], dtype=np.int32))
    head[:, 16:20] = _words(np.full(n, size, dtype=np.int32))
    head[:, 20:24] = _words(np.ones(n, dtype=np.int32))  # lower bound
    data = np.concatenate([head, body.reshape(n, -1)], axis=1)
    if not null.any():
        return _Field(data, None)
    keep = np.ones(data.shape, dtype=bool)
    elements = keep[:, 24:].reshape(n, size, 4 + width)
    elements[:, :, 4:][null] = False
    keep[gone, 4:] = False
    return _Field(data, keep)


def _one_array(column: Column, value: Any) -> bytes:
    """One array of any length, as COPY sends it."""
    if column.type == "text[]":
        items = [str(v).encode() for v in value]
        oid, body = 25, b"".join(len(v).to_bytes(4, "big") + v for v in items)
    else:
        numbers = _numbers(column, column.type[:-2], np.asarray(value))
        oid = _FIXED[column.type[:-2]][1]
        width = numbers.dtype.itemsize
        size, raw = width.to_bytes(4, "big"), numbers.tobytes()
        body = b"".join(size + raw[at : at + width] for at in range(0, len(raw), width))
    count = len(value)
    if count == 0:
        return bytes(8) + oid.to_bytes(4, "big")
    words = (1, 0, oid, count, 1)
    return b"".join(w.to_bytes(4, "big") for w in words) + body


def _ragged(column: Column, values: Sequence[Any], null: NDArray[np.bool_]) -> _Field:
    """Text, bytes, documents and arrays of varying length."""
    encoded: list[bytes] = []
    for value, missing in zip(values, null, strict=True):
        if missing or value is None:
            encoded.append(b"")
        elif column.type == "text":
            text = str(value)
            if "\0" in text:
                raise DataRejectedError(f"{column.name}: a text holds a zero byte: {text!r}")
            encoded.append(text.encode())
        elif column.type == "jsonb":
            encoded.append(b"\x01" + json.dumps(value).encode())
        elif column.type == "bytea":
            encoded.append(bytes(value))
        else:
            encoded.append(_one_array(column, value))
    gone = null | np.array([v is None for v in values], dtype=bool)
    lengths = np.array([len(e) for e in encoded], dtype=np.int32)
    widest = int(lengths.max(initial=0))
    data = np.zeros((len(encoded), 4 + widest), dtype=np.uint8)
    data[:, :4] = _words(np.where(gone, -1, lengths).astype(np.int32))
    for row, content in enumerate(encoded):
        data[row, 4 : 4 + len(content)] = np.frombuffer(content, dtype=np.uint8)
    keep = np.ones(data.shape, dtype=bool)
    keep[:, 4:] = np.arange(widest) < lengths[:, None]
    return _Field(data, keep)


def _field(column: Column, values: Any) -> _Field:
    mask = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
    plain = np.ma.getdata(values) if mask is not None else values
    if column.type in _FIXED:
        scalars = np.asarray(plain)
        if scalars.ndim != 1:
            raise DataRejectedError(
                f"{column.name} has shape {scalars.shape}, but the column holds one number a row"
            )
        return _scalars(column, scalars, np.zeros(len(scalars), bool) if mask is None else mask)
    array = np.asarray(plain) if column.type.endswith("[]") and column.shape else None
    if array is not None and array.dtype.kind in "iuf":
        wanted = int(np.prod(column.shape or (1,)))
        if array.ndim != 2 or array.shape[1] != wanted:
            raise DataRejectedError(
                f"{column.name} has shape {array.shape}, but the column holds arrays of {wanted}"
            )
        return _arrays(column, array, np.zeros(array.shape, bool) if mask is None else mask)
    null: NDArray[np.bool_] = np.zeros(len(plain), dtype=bool)
    if mask is not None:
        null = np.asarray(mask.reshape(len(plain), -1).all(axis=1))
    return _ragged(column, list(plain), null)


def encode(columns: Sequence[Column], values: Sequence[Any]) -> bytes:
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
    count = np.empty((n, 2), dtype=np.uint8)
    count[:] = np.frombuffer(len(columns).to_bytes(2, "big"), dtype=np.uint8)
    fields = [_Field(count, None), *map(_field, columns, values)]
    data = np.concatenate([f.data for f in fields], axis=1)
    if any(f.keep is not None for f in fields):
        keep = np.concatenate(
            [np.ones(f.data.shape, bool) if f.keep is None else f.keep for f in fields], axis=1
        )
        data = data[keep]
    return _HEADER + data.tobytes() + _TRAILER


class Reader:
    """A file-like view of an encoded stream, as psycopg2's ``copy_expert`` wants it."""

    def __init__(self, stream: bytes) -> None:
        self._view = memoryview(stream)
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        """Return the next ``size`` bytes, or the rest."""
        end = len(self._view) if size < 0 else self._at + size
        chunk = bytes(self._view[self._at : end])
        self._at += len(chunk)
        return chunk


def as_file(stream: bytes) -> BinaryIO:
    """Wrap an encoded stream for ``copy_expert``."""
    return Reader(stream)  # type: ignore[return-value]
