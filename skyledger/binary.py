"""Rows of a query as numpy arrays, through PostgreSQL's binary COPY.

Numbers travel as the server holds them and are put into columns by compiled loops: no Python
object is made for a number. :func:`stream` hands on chunk after chunk in bounded memory,
:func:`rows` returns everything.

===============================  ==================================================
in the database                  in the column (a ``numpy.ma.MaskedArray``)
===============================  ==================================================
bigint, integer, smallint        int64, int32, int16
double precision, real           float64, float32
numeric                          float64: digits beyond the 15th are lost
boolean                          bool
timestamp                        datetime64[us]
text, varchar, json, uuid, ...   object, of str
bytea                            object, of bytes
arrays of numbers and booleans   (n, k) if all have k elements, else object, of masked arrays
text[]                           object, of lists of str and None
===============================  ==================================================

NULL is masked, as are NULL elements; where a whole array is NULL all its elements are.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from skyledger.errors import DataRejectedError, QueryRefusedError

Chunk = dict[str, Any]

_SIGNATURE = b"PGCOPY\n\xff\r\n\0"
_END = b"\xff\xff"
_CHUNK = 2 << 20  # bytes of COPY that are decoded at a time
_EPOCH = np.datetime64("2000-01-01T00:00:00", "us")

# Type OID: numpy type of a value as it is in memory.
_FIXED: dict[int, str] = {
    16: "?",
    20: "<i8",
    21: "<i2",
    23: "<i4",
    700: "<f4",
    701: "<f8",
    1114: "<i8",
}
_TIMESTAMP, _BYTES, _TEXT, _TEXTS = 1114, 17, 25, 1009
# OID of an array type: that of its elements.
_ARRAYS = {1000: 16, 1005: 21, 1007: 23, 1016: 20, 1021: 700, 1022: 701, 1115: 1114}
# Types that are sent as another one: numeric as double precision, the others as text.
_CAST = {1700: (701, "double precision")} | dict.fromkeys(
    (18, 19, 114, 1042, 1043, 1082, 2950, 3802), (_TEXT, "text")
)


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a loop at its first call; kept on disk where that can be written.

    For the loops over bytes here and in the encoder of loads: unlike those over pixels they are
    exact, so nothing may be re-ordered.
    """
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:  # nowhere to keep it: every process compiles for itself
        return njit(nogil=True)(function)


@kernel
def _walk(data: Any, starts: Any, at: Any, length: Any) -> int:
    """Find the fields: ``at[j, i]`` and ``length[j, i]``; returns the first torn row, or -1."""
    fields, n = at.shape
    for i in range(n):
        p = starts[i]
        end = starts[i + 1]
        if p + 2 > end or (np.int64(data[p]) << 8 | data[p + 1]) != fields:
            return i
        p += 2
        for j in range(fields):
            if p + 4 > end:
                return i
            size = np.int32(
                np.uint32(data[p]) << 24
                | np.uint32(data[p + 1]) << 16
                | np.uint32(data[p + 2]) << 8
                | np.uint32(data[p + 3])
            )
            p += 4
            at[j, i] = p
            length[j, i] = size
            if size > 0:
                p += size
        if p != end:
            return i
    return -1


@kernel
def _take(data: Any, at: Any, length: Any, out: Any) -> int:
    """Put values into unsigned ``out`` of their width; returns a row of other width, or -1."""
    width = out.itemsize
    for i in range(len(out)):
        if length[i] < 0:
            out[i] = 0
        elif length[i] != width:
            return i
        else:
            value = np.uint64(0)
            p = at[i]
            for k in range(width):
                value = value << np.uint64(8) | np.uint64(data[p + k])
            out[i] = value
    return -1


@kernel
def _sizes(data: Any, at: Any, length: Any, out: Any) -> None:
    """Count the elements of arrays; -1 for NULL."""
    for i in range(len(out)):
        if length[i] < 0:
            out[i] = -1
            continue
        p = at[i]
        total = 1 if data[p + 3] else 0
        for dimension in range(data[p + 3]):
            q = p + 12 + 8 * dimension
            total *= (
                np.int64(data[q]) << 24
                | np.int64(data[q + 1]) << 16
                | np.int64(data[q + 2]) << 8
                | data[q + 3]
            )
        out[i] = total


@kernel
def _take_arrays(
    data: Any, at: Any, length: Any, sizes: Any, begin: Any, out: Any, gone: Any
) -> int:
    """Put elements of arrays into unsigned ``out`` from ``begin[i]``; returns a bad row, or -1."""
    width = out.itemsize
    for i in range(len(at)):
        if sizes[i] <= 0:
            continue
        p = at[i] + 12 + 8 * np.int64(data[at[i] + 3])
        for k in range(begin[i], begin[i] + sizes[i]):
            missing = data[p] == 255
            gone[k] = missing
            if not missing and data[p + 3] != width:
                return i
            p += 4
            value = np.uint64(0)
            if not missing:
                for b in range(width):
                    value = value << np.uint64(8) | np.uint64(data[p + b])
                p += width
            out[k] = value
        if p != at[i] + length[i]:
            return i
    return -1


def _torn(name: str, row: int) -> DataRejectedError:
    return DataRejectedError(
        f"row {row} of the answer cannot be read at {name}: the server sends it in another form "
        f"than this software knows; use PostgreSQL 15 to 17"
    )


def _bits(oid: int) -> np.dtype[Any]:
    """Unsigned type as wide as the values of a type."""
    return np.dtype(f"u{np.dtype(_FIXED[oid]).itemsize}")


def _numbers(oid: int, name: str, raw: Any, gone: Any) -> Any:
    """Values whose bits ``raw`` holds."""
    values = raw.view(_FIXED[oid])
    if oid != _TIMESTAMP:
        return values
    limits = np.iinfo(np.int64)
    if ((values == limits.min) | (values == limits.max))[~gone].any():
        raise DataRejectedError(
            f"{name} holds an infinite timestamp, which numpy cannot; leave such rows out"
        )
    return values.astype("timedelta64[us]") + _EPOCH


class _Columns:
    """Decoder of one chunk: bytes, with the place and length of every field."""

    def __init__(self, data: bytes, starts: NDArray[np.int64], names: Sequence[str]) -> None:
        self.data = np.frombuffer(data, dtype=np.uint8)
        self.raw = memoryview(data)
        n = len(starts) - 1
        self.at = np.empty((len(names), n), dtype=np.int64)
        self.length = np.empty((len(names), n), dtype=np.int32)
        torn = _walk(self.data, starts, self.at, self.length)
        if torn >= 0:
            raise _torn(names[0] if names else "its length", torn)

    def scalars(self, j: int, oid: int, name: str) -> Any:
        gone = self.length[j] < 0
        raw = np.empty(len(gone), dtype=_bits(oid))
        torn = _take(self.data, self.at[j], self.length[j], raw)
        if torn >= 0:
            raise _torn(name, torn)
        return np.ma.MaskedArray(_numbers(oid, name, raw, gone), mask=gone)

    def _pieces(self, j: int) -> list[memoryview | None]:
        ends = self.at[j] + self.length[j]
        return [
            None if end < at else self.raw[at:end]
            for at, end in zip(self.at[j].tolist(), ends.tolist(), strict=True)
        ]

    def objects(self, j: int, read: Callable[[memoryview], Any]) -> Any:
        pieces = self._pieces(j)
        values = np.empty(len(pieces), dtype=object)
        for i, piece in enumerate(pieces):
            values[i] = None if piece is None else read(piece)
        return np.ma.MaskedArray(values, mask=[piece is None for piece in pieces])

    def arrays(self, j: int, oid: int, name: str) -> Any:
        n = self.at.shape[1]
        sizes = np.empty(n, dtype=np.int64)
        _sizes(self.data, self.at[j], self.length[j], sizes)
        there = sizes[sizes >= 0]
        begin = np.cumsum(np.maximum(sizes, 0)) - np.maximum(sizes, 0)
        total = int(np.maximum(sizes, 0).sum())
        raw = np.empty(total, dtype=_bits(oid))
        gone = np.empty(total, dtype=bool)
        torn = _take_arrays(self.data, self.at[j], self.length[j], sizes, begin, raw, gone)
        if torn >= 0:
            raise _torn(name, torn)
        values = _numbers(oid, name, raw, gone)
        k = int(there[0]) if len(there) else 0
        if (there == k).all():
            if len(there) == n:
                return np.ma.MaskedArray(values.reshape(n, k), mask=gone.reshape(n, k))
            whole = np.ma.MaskedArray(np.zeros((n, k), dtype=values.dtype), mask=True)
            whole[sizes >= 0] = np.ma.MaskedArray(values, mask=gone).reshape(-1, k)
            return whole
        boxed = np.empty(n, dtype=object)
        for i in np.flatnonzero(sizes >= 0):
            part = slice(begin[i], begin[i] + sizes[i])
            boxed[i] = np.ma.MaskedArray(values[part], mask=gone[part])
        return np.ma.MaskedArray(boxed, mask=sizes < 0)


def _text(piece: memoryview) -> str:
    return str(piece, "utf-8")


def _texts(piece: memoryview) -> list[str | None]:
    """Elements of a text[]."""
    found: list[str | None] = []
    at = 12 + 8 * int.from_bytes(piece[:4], "big")
    while at < len(piece):
        size = int.from_bytes(piece[at : at + 4], "big", signed=True)
        at += 4
        found.append(None if size < 0 else _text(piece[at : at + size]))
        at += max(size, 0)
    return found


_READ: dict[int, Callable[[memoryview], Any]] = {_TEXT: _text, _BYTES: bytes, _TEXTS: _texts}


class _Sink:
    """File-like end of a COPY: every call brings one row, as the protocol promises."""

    def __init__(
        self, names: Sequence[str], oids: Sequence[int], consume: Callable[[Chunk], None], size: int
    ) -> None:
        self.names, self.oids, self.consume, self.size = names, oids, consume, size
        self.parts: list[bytes] = []
        self.held = 0
        self.begun = False

    def write(self, data: bytes) -> None:
        if not self.begun:
            if not data.startswith(_SIGNATURE):
                raise _torn("its beginning", 0)
            self.begun = True
            data = data[19 + int.from_bytes(data[15:19], "big") :]
        if len(data) <= len(_END):  # the end; the first row may come apart from the beginning
            return
        self.parts.append(data)
        self.held += len(data)
        if self.held >= self.size:
            self.flush()

    def flush(self) -> None:
        starts = np.zeros(len(self.parts) + 1, dtype=np.int64)
        np.cumsum([len(part) for part in self.parts], out=starts[1:])
        columns = _Columns(b"".join(self.parts), starts, self.names)
        self.parts, self.held = [], 0
        self.consume(
            {
                name: self._decoded(columns, j, oid, name)
                for j, (name, oid) in enumerate(zip(self.names, self.oids, strict=True))
            }
        )

    @staticmethod
    def _decoded(columns: _Columns, j: int, oid: int, name: str) -> Any:
        if oid in _FIXED:
            return columns.scalars(j, oid, name)
        if oid in _ARRAYS:
            return columns.arrays(j, _ARRAYS[oid], name)
        return columns.objects(j, _READ[oid])


def _described(cursor: Any, query: str) -> tuple[list[str], list[int], str]:
    """Names and types of the columns of a query, and the query as it is to be copied."""
    cursor.execute(f"SELECT * FROM ({query}\n) AS asked LIMIT 0")
    names = [column.name for column in cursor.description]
    sent = [column.type_code for column in cursor.description]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise QueryRefusedError(
            f"the query has more than one column {', '.join(twice)}; rename them with AS"
        )
    known = {*_FIXED, *_ARRAYS, _TEXT, _BYTES, _TEXTS, *_CAST}
    for name, oid in zip(names, sent, strict=True):
        if oid not in known:
            cursor.execute("SELECT format_type(%s, NULL)", (oid,))
            raise QueryRefusedError(
                f"column {name} is of type {cursor.fetchone()[0]}, for which there is no numpy "
                f"type; select its parts, or {name}::text"
            )
    if not any(oid in _CAST for oid in sent):
        return names, sent, query
    listed = []
    for name, oid in zip(names, sent, strict=True):
        quoted = '"' + name.replace('"', '""') + '"'
        listed.append(f"{quoted}::{_CAST[oid][1]} AS {quoted}" if oid in _CAST else quoted)
    types = [_CAST[oid][0] if oid in _CAST else oid for oid in sent]
    return names, types, f"SELECT {', '.join(listed)} FROM ({query}\n) AS asked"


def stream(
    connection: Any,
    query: str,
    consume: Callable[[Chunk], None],
    parameters: Any = None,
    *,
    chunk: int = _CHUNK,
) -> None:
    """Run a query and hand its rows on in chunks, in bounded memory.

    Parameters
    ----------
    connection
        psycopg2 connection; the query is part of its transaction and sees its instant.
    query
        One SELECT without a semicolon. Its column names must differ.
    consume
        Called with a dict of columns by name, in the order of the query: arrays of the same
        length, masked where NULL (types: see above). Called at least once, if need be with empty
        columns. What it raises ends the query.
    parameters
        Values of ``%s`` or ``%(name)s``, as in ``cursor.execute``.
    chunk
        Bytes of the answer that are decoded at a time.

    Raises
    ------
    QueryRefusedError
        If a column has a type that numpy cannot hold, or two columns have one name.
    DataRejectedError
        If a value cannot be held: an infinite timestamp.
    psycopg2.Error
        If the server refuses the query.
    """
    with connection.cursor() as cursor:
        if parameters is not None:
            query = cursor.mogrify(query, parameters).decode()
        names, oids, copied = _described(cursor, query)
        told = False

        def count(found: Chunk) -> None:
            nonlocal told
            told = True
            consume(found)

        sink = _Sink(names, oids, count, chunk)
        cursor.copy_expert(f"COPY ({copied}\n) TO STDOUT (FORMAT binary)", sink)
        if sink.parts or not told:
            sink.flush()


def _joined(parts: list[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    if len({(part.dtype, part.shape[1:]) for part in parts}) == 1:
        return np.ma.concatenate(parts)  # type: ignore[no-untyped-call]
    # Arrays of one length in one chunk and of several in another.
    boxed = np.empty(sum(len(part) for part in parts), dtype=object)
    mask = np.zeros(len(boxed), dtype=bool)
    at = 0
    for part in parts:
        for row in part:
            gone = row is np.ma.masked or (np.ndim(row) > 0 and np.ma.getmaskarray(row).all())
            boxed[at], mask[at] = (None, True) if gone else (row, False)
            at += 1
    return np.ma.MaskedArray(boxed, mask=mask)


def rows(connection: Any, query: str, parameters: Any = None) -> Chunk:
    """Run a query and return its rows as columns.

    Parameters
    ----------
    connection, query, parameters
        As for :func:`stream`.

    Returns
    -------
    dict
        Columns by name, in the order of the query: masked arrays of one length.

    Raises
    ------
    QueryRefusedError, DataRejectedError, psycopg2.Error
        As :func:`stream`.
    """
    chunks: list[Chunk] = []
    stream(connection, query, chunks.append, parameters)
    return {name: _joined([chunk[name] for chunk in chunks]) for name in chunks[0]}
