"""Rows of an upload in PostgreSQL's binary COPY format, by numpy alone.

All rows of a chunk are laid out at once: from the lengths of all values follows where each value
begins, and every column is written to its places in one assignment.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.uploads.pieces import places
from services.uploads.table import NUMPY, Values

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_EPOCH = np.datetime64("2000-01-01T00:00:00", "us")
_OIDS = {
    "boolean": 16,
    "smallint": 21,
    "integer": 23,
    "bigint": 20,
    "real": 700,
    "double precision": 701,
    "timestamp": 1114,
    "text": 25,
}

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class _Sent:
    """Values as bytes, one after the other; ``sizes`` is 0 where ``null``."""

    data: Bytes
    sizes: NDArray[np.int64]
    null: NDArray[np.bool_]


def _written(out: Bytes, at: NDArray[np.int64], what: Bytes) -> None:
    """Put the rows of ``what`` (n, width) to ``at``."""
    width = what.shape[1]
    if len(at):
        np.lib.stride_tricks.sliding_window_view(out, width, writeable=True)[at] = what


def _words(*numbers: Any) -> Bytes:
    """Big-endian words of 32 bits, one row a value: (n, 4 * words)."""
    columns = np.broadcast_arrays(*numbers)
    return np.stack(columns, axis=-1).astype(">i4").view(np.uint8)


def _put(out: Bytes, at: NDArray[np.int64], sent: _Sent) -> None:
    """Write length words and values; moves ``at`` behind them."""
    _written(out, at, _words(np.where(sent.null, -1, sent.sizes)).reshape(len(at), 4))
    at += 4
    out[places(at, sent.sizes)] = sent.data
    at += sent.sizes


def _numbers(sql_type: str, values: NDArray[Any], null: NDArray[np.bool_]) -> _Sent:
    if sql_type == "timestamp":
        values = np.where(null, _EPOCH, values).astype("datetime64[us]")
        values = (values - _EPOCH).astype(">i8")
    else:
        values = values.astype(NUMPY[sql_type].newbyteorder(">"))
    width = values.dtype.itemsize
    there = values[~null] if null.any() else values
    data = np.ascontiguousarray(there).view(np.uint8).reshape(-1)
    return _Sent(data, np.where(null, 0, width).astype(np.int64), null)


def _texts(items: list[str | None]) -> _Sent:
    encoded = [b"" if v is None else v.encode() for v in items]
    return _Sent(
        np.frombuffer(b"".join(encoded), dtype=np.uint8),
        np.array([len(e) for e in encoded], dtype=np.int64),
        np.array([v is None for v in items], dtype=bool),
    )


def _nothing(array: Any) -> bool:
    if isinstance(array, np.ma.MaskedArray):
        return len(array) > 0 and bool(np.ma.getmaskarray(array).all())
    return array is None


def _arrays(element: str, values: Values) -> _Sent:
    """One array a row, of one dimension; an array without any element that is there is NULL."""
    n = len(values)
    null: NDArray[np.bool_]
    if values.ndim == 2:
        mask = np.ma.getmaskarray(values)
        null = np.asarray(mask.all(axis=1)) & (values.shape[1] > 0)
        counts = np.where(null, 0, values.shape[1])
        parts = _numbers(element, values.data[~null].reshape(-1), mask[~null].reshape(-1))
    else:
        null = np.array([_nothing(v) for v in values.data], dtype=bool)
        null |= np.ma.getmaskarray(values)
        rows = [v for v, gone in zip(values.data, null, strict=True) if not gone]
        counts = np.zeros(n, dtype=np.int64)
        counts[~null] = [len(v) for v in rows]
        if element == "text":
            parts = _texts([t for row in rows for t in row])
        else:
            flat = np.concatenate([np.ma.getdata(v) for v in rows] or [np.empty(0)])
            holes = np.concatenate([np.ma.getmaskarray(v) for v in rows] or [np.empty(0, bool)])
            parts = _numbers(element, flat, holes)
    # Elements with their length words, then the header of each array before its elements.
    body = np.empty(4 * len(parts.sizes) + len(parts.data), dtype=np.uint8)
    ends = np.zeros(len(parts.sizes) + 1, dtype=np.int64)
    np.cumsum(4 + parts.sizes, out=ends[1:])
    _put(body, ends[:-1].copy(), parts)
    upto = np.cumsum(counts)
    inside = ends[upto] - ends[upto - counts]
    holes_upto = np.concatenate([[0], np.cumsum(parts.null)])
    holey = holes_upto[upto] > holes_upto[upto - counts]
    full, empty = counts > 0, (counts == 0) & ~null
    sizes = np.where(full, 20 + inside, np.where(empty, 12, 0))
    out = np.empty(int(sizes.sum()), dtype=np.uint8)
    begin = np.cumsum(sizes) - sizes
    oid = _OIDS[element]
    _written(out, begin[full], _words(1, holey[full], oid, counts[full], 1))
    _written(out, begin[empty], _words(np.zeros(int(empty.sum())), 0, oid))
    out[places(begin[full] + 20, inside[full])] = body
    return _Sent(out, sizes, null)


def _sent(sql_type: str, values: Values) -> _Sent:
    if sql_type.endswith("[]"):
        return _arrays(sql_type[:-2], values)
    if sql_type == "text":
        return _texts(values.data)
    return _numbers(sql_type, values.data, np.ma.getmaskarray(values))


def _rows(types: list[str], chunk: list[Values]) -> bytes:
    """Rows of one chunk."""
    fields = [_sent(t, v) for t, v in zip(types, chunk, strict=True)]
    sizes = np.full(len(chunk[0]), 2, dtype=np.int64)
    for f in fields:
        sizes += 4 + f.sizes
    out = np.empty(int(sizes.sum()), dtype=np.uint8)
    at = np.cumsum(sizes) - sizes
    out[at], out[at + 1] = len(types) >> 8, len(types) & 255
    at += 2
    for f in fields:
        _put(out, at, f)
    return out.tobytes()


class CopyStream:
    """File-like source of ``copy_expert``: encodes chunk after chunk as it is read."""

    def __init__(self, types: list[str], chunks: Iterable[list[Values]]) -> None:
        self._parts = self._encoded(types, chunks)
        self._waiting = memoryview(b"")

    @staticmethod
    def _encoded(types: list[str], chunks: Iterable[list[Values]]) -> Iterator[bytes]:
        yield _HEADER
        for chunk in chunks:
            yield _rows(types, chunk)
        yield _TRAILER

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes; none at the end."""
        while not self._waiting:
            part = next(self._parts, None)
            if part is None:
                return b""
            self._waiting = memoryview(part)
        piece = bytes(self._waiting[: size if size >= 0 else None])
        self._waiting = self._waiting[len(piece) :]
        return piece
