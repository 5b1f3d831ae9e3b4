"""Tables to PostgreSQL's binary COPY format, whole columns at a time.

The lengths of all rows are known from the types and the NULLs, so every column can be written to
its place in the stream by a compiled loop. Binary COPY coerces nothing: the types come from the
dictionary and are compared with the catalogue before anything is sent (design section 7).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import groupby
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from skyledger.binary import kernel
from skyledger.dictionary import Column
from skyledger.errors import DataRejectedError

Bytes = NDArray[np.uint8]
_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_EPOCH = np.datetime64("2000-01-01T00:00:00", "us")

# (numpy type, type OID) of fixed-width SQL types
_FIXED: dict[str, tuple[str, int]] = {
    "bigint": ("<i8", 20),
    "integer": ("<i4", 23),
    "smallint": ("<i2", 21),
    "real": ("<f4", 700),
    "double precision": ("<f8", 701),
    "boolean": ("u1", 16),
    "timestamp": ("<i8", 1114),
}


@dataclass(frozen=True)
class _Field:
    """One column on its way: the bytes of its values and how many each row sends.

    ``data`` of shape (n, width) holds numbers in memory order, of shape (n, k, width) the elements
    of arrays of one length, of shape (bytes,) whole values one after the other. ``null`` marks
    what is missing: rows, or elements (n, k). ``lengths`` does not count the length words.
    """

    data: Bytes
    null: NDArray[np.bool_]
    lengths: NDArray[np.int64]
    oid: int = 0


@kernel
def _put_word(out: Any, p: int, value: int) -> None:
    out[p] = (value >> 24) & 255
    out[p + 1] = (value >> 16) & 255
    out[p + 2] = (value >> 8) & 255
    out[p + 3] = value & 255


@kernel
def _put_numbers(out: Any, at: Any, data: Any, starts: Any, widths: Any, null: Any) -> None:
    """Write numbers of neighbouring columns, row by row, and move the rows' places on.

    ``data`` holds the columns one after the other, each from its ``starts`` on: the stream is
    written once, from front to back. Places are unsigned: of a signed one it is asked at each byte
    whether it counts from the end.
    """
    one, two, three, four = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
    for i in range(len(at)):
        p = np.uint64(at[i])
        for j in range(len(widths)):
            if null[j, i]:
                for _ in range(4):
                    out[p] = 255
                    p += one
                continue
            width = np.uint64(widths[j])
            q = np.uint64(starts[j]) + np.uint64(i) * width
            out[p], out[p + one], out[p + two], out[p + three] = 0, 0, 0, width
            p += four
            if width == four:
                out[p], out[p + one] = data[q + three], data[q + two]
                out[p + two], out[p + three] = data[q + one], data[q]
            else:
                for k in range(width):
                    out[p + np.uint64(k)] = data[q + width - one - np.uint64(k)]
            p += width
        at[i] = p


@kernel
def _put_arrays(out: Any, at: Any, data: Any, null: Any, lengths: Any, oid: int) -> None:
    """Write one array a row: of one dimension, from 1 on."""
    n, size, width = data.shape
    for i in range(n):
        p = at[i]
        if lengths[i] == 0:
            _put_word(out, p, -1)
            at[i] = p + 4
            continue
        holes = 0
        for j in range(size):
            if null[i, j]:
                holes = 1
        _put_word(out, p, lengths[i])
        _put_word(out, p + 4, 1)
        _put_word(out, p + 8, holes)
        _put_word(out, p + 12, oid)
        _put_word(out, p + 16, size)
        _put_word(out, p + 20, 1)
        p += 24
        for j in range(size):
            if null[i, j]:
                _put_word(out, p, -1)
                p += 4
            else:
                _put_word(out, p, width)
                for k in range(width):
                    out[p + 3 + width - k] = data[i, j, k]
                p += 4 + width
        at[i] = p


@kernel
def _put_pieces(out: Any, at: Any, data: Any, null: Any, lengths: Any) -> None:
    """Write values of any length."""
    q = 0
    for i in range(len(at)):
        p = at[i]
        if null[i]:
            _put_word(out, p, -1)
            at[i] = p + 4
            continue
        size = lengths[i]
        _put_word(out, p, size)
        for k in range(size):
            out[p + 4 + k] = data[q + k]
        q += size
        at[i] = p + 4 + size


def _put(out: Bytes, at: NDArray[np.int64], together: list[_Field]) -> None:
    """Write neighbouring columns: numbers together, or one of another kind."""
    first = together[0]
    if first.data.ndim == 1:
        _put_pieces(out, at, first.data, first.null, first.lengths)
    elif first.data.ndim == 3:
        _put_arrays(out, at, first.data, first.null, first.lengths, first.oid)
    else:
        data = np.concatenate([found.data.reshape(-1) for found in together])
        sizes = np.array([found.data.size for found in together])
        widths = np.array([found.data.shape[1] for found in together])
        null = np.stack([found.null for found in together])
        _put_numbers(out, at, data, np.cumsum(sizes) - sizes, widths, null)


def _refuse(column: Column, what: str, rows: NDArray[np.intp], values: Any) -> DataRejectedError:
    first = int(rows[0])
    return DataRejectedError(
        f"{column.name}: {len(rows)} of {len(values)} values {what}, first in row {first}: "
        f"{values[first]!r}; the column is {column.type}"
    )


def _numbers(
    column: Column, sql_type: str, values: NDArray[Any], null: NDArray[np.bool_]
) -> NDArray[Any]:
    """Values as the numpy type of ``sql_type``; refuses what does not fit, unless it is NULL."""
    target = np.dtype(_FIXED[sql_type][0])
    if sql_type == "timestamp":
        stamps = np.where(null, _EPOCH, values) if null.any() else values
        return np.asarray((stamps.astype("datetime64[us]") - _EPOCH).astype(np.int64), target)
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


def _scalars(column: Column, values: NDArray[Any], null: NDArray[np.bool_]) -> _Field:
    numbers = np.ascontiguousarray(_numbers(column, column.type, values, null))
    width = numbers.dtype.itemsize
    data = numbers.view(np.uint8).reshape(len(numbers), width)
    lengths = np.full(len(numbers), width)
    lengths[null] = 0
    return _Field(data, null, lengths)


def _arrays(column: Column, values: NDArray[Any], null: NDArray[np.bool_]) -> _Field:
    """Arrays of one shape: values (n, k); ``null`` (n, k) marks missing elements.

    A row whose elements are all missing is a NULL array.
    """
    element = column.type[:-2]
    n, size = values.shape
    numbers = _numbers(column, element, values.reshape(-1), null.reshape(-1))
    width = numbers.dtype.itemsize
    data = np.ascontiguousarray(numbers).view(np.uint8).reshape(n, size, width)
    there = size - null.sum(axis=1)
    lengths = np.where(there == 0, 0, 20 + size * 4 + width * there)
    return _Field(data, np.ascontiguousarray(null), lengths, _FIXED[element][1])


def _one_array(column: Column, value: Any) -> bytes:
    """One array of any length, as COPY sends it."""
    if column.type == "text[]":
        items = [str(v).encode() for v in value]
        oid, body = 25, b"".join(len(v).to_bytes(4, "big") + v for v in items)
    else:
        array = np.asarray(value)
        numbers = _numbers(column, column.type[:-2], array, np.zeros(array.shape, dtype=bool))
        numbers = numbers.astype(numbers.dtype.newbyteorder(">"))
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
    lengths = np.array([len(e) for e in encoded], dtype=np.int64)
    return _Field(np.frombuffer(b"".join(encoded), dtype=np.uint8), gone, lengths)


def _field(column: Column, values: Any) -> _Field:
    mask = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
    plain = np.ma.getdata(values) if mask is not None else values
    if column.type in _FIXED:
        scalars = np.asarray(plain)
        if scalars.ndim != 1:
            raise DataRejectedError(
                f"{column.name} has shape {scalars.shape}, but the column holds one number a row"
            )
        none = np.zeros(len(scalars), dtype=bool)
        return _scalars(column, scalars, none if mask is None else np.ascontiguousarray(mask))
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
    ends = np.full(n, 2 + 4 * len(columns), dtype=np.int64)
    for found in fields:
        ends += found.lengths
    np.cumsum(ends, out=ends)
    ends += len(_HEADER)
    at = np.empty(n, dtype=np.int64)
    at[:1], at[1:] = len(_HEADER), ends[:-1]
    stream = np.empty((int(ends[-1]) if n else len(_HEADER)) + len(_TRAILER), dtype=np.uint8)
    stream[: len(_HEADER)] = np.frombuffer(_HEADER, dtype=np.uint8)
    stream[-len(_TRAILER) :] = np.frombuffer(_TRAILER, dtype=np.uint8)
    stream[at], stream[at + 1] = len(columns) >> 8, len(columns) & 255
    at += 2
    for numbers, group in groupby(fields, key=lambda found: found.data.ndim == 2):
        for together in [list(group)] if numbers else [[found] for found in group]:
            _put(stream, at, together)
    return stream.data


def as_file(stream: memoryview) -> BinaryIO:
    """Wrap an encoded stream for ``copy_expert``.

    No Python runs while it is read: a Ctrl-C there would become an error of the COPY.
    """
    return BytesIO(stream)
