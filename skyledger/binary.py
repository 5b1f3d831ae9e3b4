"""Rows of a query as numpy arrays, through PostgreSQL's binary COPY.

Numbers travel as the server holds them and are put into columns by compiled loops: no Python
object is made for a row or a number. :func:`stream` hands on chunk after chunk in bounded memory,
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

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyledger.binary_columns import ARRAYS, BYTES, FIXED, TEXT, TEXTS, Columns, Piece, kernel, torn
from skyledger.errors import QueryRefusedError

__all__ = ["Chunk", "kernel", "rows", "stream"]

Chunk = dict[str, Any]

_SIGNATURE = b"PGCOPY\n\xff\r\n\0"
_CHUNK = 2 << 20  # bytes of COPY that are decoded at a time
_OIDS = {
    "boolean": 16,
    "bytea": BYTES,
    "bigint": 20,
    "smallint": 21,
    "integer": 23,
    "real": 700,
    "double precision": 701,
    "timestamp": 1114,
}
_OIDS |= {f"{name}[]": array for name, oid in _OIDS.items()
          for array, element in ARRAYS.items() if element == oid}  # fmt: skip
_OIDS |= {"text": TEXT, "text[]": TEXTS}
# Types that are sent as another one: numeric as double precision, the others as text.
_CAST = {1700: (701, "double precision")} | dict.fromkeys(
    (18, 19, 114, 1042, 1043, 1082, 2950, 3802), (TEXT, "text")
)


class _Sink(io.RawIOBase):
    """End of a COPY behind a buffer that collects rows to blocks.

    The protocol brings whole rows, and the buffer never divides what it is given.
    """

    def __init__(
        self,
        names: Sequence[str],
        oids: Sequence[int],
        take: Callable[[list[Piece]], None],
    ) -> None:
        self.columns = Columns(names, oids)
        self.take = take
        self.begun = False
        self.told = False
        self.over = False

    def writable(self) -> bool:
        return True

    def write(self, block: Any) -> int:
        size = len(block)
        if self.over:
            return size
        begin = 0
        if not self.begun:
            if bytes(block[: len(_SIGNATURE)]) != _SIGNATURE:
                raise torn("its beginning", 0)
            self.begun = True
            begin = 19 + int.from_bytes(block[15:19], "big")
        n, found = self.columns.decoded(block, begin)
        if n:
            self.told = True
            self.take(found)
        return size

    def finish(self) -> None:
        """Hand on columns without values if there was no row."""
        if not self.told:
            self.take(self.columns.decoded(b"", 0)[1])


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
    known = {*FIXED, *ARRAYS, TEXT, BYTES, TEXTS, *_CAST}
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


def _promised(query: str, types: Sequence[str]) -> tuple[list[str], list[int], str]:
    """Return the same for a query whose types are known: the server need not be asked.

    It keeps the promise: a cast to the type that a column has costs nothing, and where it is
    another one the value is converted or the query refused, never misread.
    """
    names = [f"k{number}" for number in range(1, len(types) + 1)]
    listed, oids = [], []
    for name, given in zip(names, types, strict=True):
        known = given if given in _OIDS else "text"
        listed.append(f"{name}::{known}")
        oids.append(_OIDS[known])
    taken = ", ".join(names)
    return names, oids, f"SELECT {', '.join(listed)} FROM ({query}\n) AS asked({taken})"


def _pieces(
    connection: Any,
    query: str,
    parameters: Any,
    chunk: int,
    take: Callable[[list[str], list[Piece]], None],
    types: Sequence[str] | None = None,
) -> None:
    """Run a query and hand on names and pieces of its columns."""
    with connection.cursor() as cursor:
        if parameters is not None:
            query = cursor.mogrify(query, parameters).decode()
        names, oids, copied = (
            _described(cursor, query) if types is None else _promised(query, types)
        )
        sink = _Sink(names, oids, lambda found: take(names, found))
        # The buffer is compiled code: no Python runs for a row.
        buffer = io.BufferedWriter(sink, chunk)
        try:
            cursor.copy_expert(f"COPY ({copied}\n) TO STDOUT (FORMAT binary)", buffer)
            buffer.flush()
        finally:
            sink.over = True  # what the buffer holds after an error goes nowhere
        sink.finish()


def _masked(values: Any, gone: NDArray[np.bool_] | None) -> Any:
    mask = np.zeros(values.shape, dtype=bool) if gone is None else gone
    return np.ma.MaskedArray(values, mask=mask)


def stream(
    connection: Any,
    query: str,
    consume: Callable[[Chunk], None],
    parameters: Any = None,
    *,
    chunk: int = _CHUNK,
    types: Sequence[str] | None = None,
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
    types
        Types of the columns (``bigint``, ``real[]`` ...; others are sent as text) if they are
        known. The query is then planned once instead of twice, its columns may have any names, and
        the chunks call them ``k1``, ``k2`` ...

    Raises
    ------
    QueryRefusedError
        If a column has a type that numpy cannot hold, or two columns have one name.
    DataRejectedError
        If a value cannot be held: an infinite timestamp.
    psycopg2.Error
        If the server refuses the query.
    """

    def wrapped(names: list[str], found: list[Piece]) -> None:
        consume({name: _masked(*piece) for name, piece in zip(names, found, strict=True)})

    _pieces(connection, query, parameters, chunk, wrapped, types)


def _nowhere(piece: Piece) -> bool:
    """Tell whether these are arrays that are NULL in every row, and so of no length."""
    values, gone = piece
    return gone is not None and values.ndim == 2 and values.shape[1] == 0


def _joined(parts: list[Piece]) -> Any:
    """One column of its pieces."""
    if len(parts) == 1:
        return _masked(*parts[0])
    kinds = {(values.dtype.str, values.shape[1:])
             for values, gone in parts if not _nowhere((values, gone))}  # fmt: skip
    if not kinds:
        kinds = {(parts[0][0].dtype.str, (0,))}
    n = sum(len(values) for values, _ in parts)
    if len(kinds) > 1:
        return _boxed(parts, n)
    ((dtype, shape),) = kinds
    joined, mask = np.empty((n, *shape), dtype=dtype), np.zeros((n, *shape), dtype=bool)
    at = 0
    for values, gone in parts:
        here = slice(at, at + len(values))
        if _nowhere((values, gone)):
            joined[here], mask[here] = np.zeros((), dtype=values.dtype), True
        else:
            joined[here] = values
            if gone is not None:
                mask[here] = gone
        at += len(values)
    return np.ma.MaskedArray(joined, mask=mask)


def _boxed(parts: list[Piece], n: int) -> Any:
    """Arrays of one length in one piece and of several in another: objects."""
    boxed, mask = np.empty(n, dtype=object), np.zeros(n, dtype=bool)
    at = 0
    for values, gone in parts:
        for row in _masked(values, gone):
            missing = row is np.ma.masked or (np.size(row) > 0 and np.ma.getmaskarray(row).all())
            missing = missing or _nowhere((values, gone))
            boxed[at], mask[at] = (None, True) if missing else (row, False)
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
    parts: dict[str, list[Piece]] = {}

    def keep(names: list[str], found: list[Piece]) -> None:
        for name, piece in zip(names, found, strict=True):
            parts.setdefault(name, []).append(piece)

    _pieces(connection, query, parameters, _CHUNK, keep)
    return {name: _joined(parts.pop(name)) for name in list(parts)}
