"""Encoder of PostgreSQL's binary COPY: whole columns at a time, by compiled loops.

The lengths of all rows are known from the types and the NULLs, so every column is written to its
places in the stream. What fits into which type is decided before: by `ingest.copy` for what is
measured, by `services.uploads` for what people send. The decoder is `skyledger.binary_columns`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyledger.binary_columns import kernel

Bytes = NDArray[np.uint8]
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
EPOCH = np.datetime64("2000-01-01T00:00:00", "us")

NULL = 0xFFFFFFFF  # in place of a length
# (numpy type, type OID) of fixed-width SQL types
FIXED: dict[str, tuple[str, int]] = {
    "bigint": ("<i8", 20),
    "integer": ("<i4", 23),
    "smallint": ("<i2", 21),
    "real": ("<f4", 700),
    "double precision": ("<f8", 701),
    "boolean": ("u1", 16),
    "timestamp": ("<i8", 1114),
}
_OIDS = {name: oid for name, (_, oid) in FIXED.items()} | {"text": 25}


@dataclass(frozen=True)
class Numbers:
    """One number a row: ``data`` (n, width) in memory order, and which are NULL."""

    data: Bytes
    null: NDArray[np.bool_]

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Bytes that each row sends, without the length word."""
        found = np.full(len(self.data), self.data.shape[1], dtype=np.int64)
        found[self.null] = 0
        return found


@dataclass(frozen=True)
class Pieces:
    """One value of any length a row: ``data`` holds them one behind the other.

    ``lengths`` is 0 where ``null``.
    """

    data: Bytes
    lengths: NDArray[np.int64]
    null: NDArray[np.bool_]


@dataclass(frozen=True)
class Arrays:
    """One array of one dimension a row: its ``elements`` stand one behind the other.

    ``counts`` says how many elements each row has, ``null`` whether it has no array at all,
    ``lengths`` how many bytes it sends, without the length word.
    """

    elements: Numbers | Pieces
    counts: NDArray[np.int64]
    null: NDArray[np.bool_]
    lengths: NDArray[np.int64]
    oid: int


Field = Numbers | Pieces | Arrays


def numbers(sql_type: str, values: NDArray[Any], null: NDArray[np.bool_]) -> Numbers:
    """Make a column of values of the numpy type of ``sql_type`` (``datetime64`` for timestamps)."""
    if sql_type == "timestamp":
        known = np.where(null, EPOCH, values) if null.any() else values
        values = (known.astype("datetime64[us]") - EPOCH).astype(np.int64)
    flat = np.ascontiguousarray(values, dtype=FIXED[sql_type][0])
    data = flat.view(np.uint8).reshape(len(flat), flat.dtype.itemsize)
    return Numbers(data, np.ascontiguousarray(null))


def pieces(values: Sequence[bytes | None]) -> Pieces:
    """Make a column of bytes; None is NULL."""
    return Pieces(
        np.frombuffer(b"".join([v for v in values if v is not None]), dtype=np.uint8),
        np.array([0 if v is None else len(v) for v in values], dtype=np.int64),
        np.array([v is None for v in values], dtype=bool),
    )


def texts(values: Sequence[str | None]) -> Pieces:
    """Make a column of texts; None is NULL."""
    return pieces([None if v is None else v.encode() for v in values])


def arrays(
    element: str, elements: Numbers | Pieces, counts: NDArray[np.int64], null: NDArray[np.bool_]
) -> Arrays:
    """Make a column of arrays of ``element``, an SQL type, from the elements of all rows."""
    ends = np.zeros(len(elements.null) + 1, dtype=np.int64)
    np.cumsum(elements.lengths, out=ends[1:])
    upto = np.cumsum(counts)
    inside = 4 * counts + ends[upto] - ends[upto - counts]
    lengths = np.where(null, 0, np.where(counts > 0, 20 + inside, 12))
    return Arrays(elements, counts, null, lengths, _OIDS[element])


def grid(element: str, elements: Numbers, n: int, size: int) -> Arrays:
    """Make a column of ``n`` arrays of ``size`` numbers; one that has only NULLs is NULL itself."""
    missing = elements.null.reshape(n, size).sum(axis=1)
    null = (missing == size) & (size > 0)
    inside = (4 + elements.data.shape[1]) * size - elements.data.shape[1] * missing
    lengths = np.where(null, 0, 20 + inside if size else 12)
    return Arrays(elements, np.full(n, size, dtype=np.int64), null, lengths, _OIDS[element])


@kernel
def _put_word(out: Any, p: Any, value: Any) -> Any:
    """Write a word of 32 bits and return the place behind it."""
    word = np.uint32(value)
    out[p] = word >> np.uint32(24)
    out[p + np.uint64(1)] = word >> np.uint32(16)
    out[p + np.uint64(2)] = word >> np.uint32(8)
    out[p + np.uint64(3)] = word
    return p + np.uint64(4)


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
def _put_arrays(
    out: Any, at: Any, data: Any, width: Any, sizes: Any, holes: Any, counts: Any, null: Any,
    lengths: Any, oid: Any,
) -> None:  # fmt: skip
    """Write one array a row: of one dimension, from 1 on; ``width`` is 0 for elements of sizes."""
    one, wide = np.uint64(1), np.uint64(width)
    e, q = np.uint64(0), np.uint64(0)
    for i in range(len(at)):
        p = np.uint64(at[i])
        count = np.uint64(counts[i])
        end = e + count
        if null[i]:
            at[i] = _put_word(out, p, NULL)
            while e < end:
                q += wide or np.uint64(sizes[e])
                e += one
            continue
        p = _put_word(out, p, lengths[i])
        p = _put_word(out, p, 1 if count else 0)
        some = 0
        for j in range(e, end):
            some |= holes[j]
        p = _put_word(out, p, some)
        p = _put_word(out, p, oid)
        if count:
            p = _put_word(out, p, count)
            p = _put_word(out, p, 1)
        while e < end:
            size = wide or np.uint64(sizes[e])
            if holes[e]:
                p = _put_word(out, p, NULL)
            else:
                p = _put_word(out, p, size)
                if wide:
                    for k in range(size):
                        out[p + np.uint64(k)] = data[q + size - one - np.uint64(k)]
                else:
                    for k in range(size):
                        out[p + np.uint64(k)] = data[q + np.uint64(k)]
                p += size
            q += size
            e += one
        at[i] = p


@kernel
def _put_pieces(out: Any, at: Any, data: Any, null: Any, lengths: Any) -> None:
    """Write values of any length."""
    q = np.uint64(0)
    for i in range(len(at)):
        p = np.uint64(at[i])
        if null[i]:
            at[i] = _put_word(out, p, NULL)
            continue
        size = np.uint64(lengths[i])
        p = _put_word(out, p, size)
        for k in range(size):
            out[p + np.uint64(k)] = data[q + np.uint64(k)]
        q += size
        at[i] = p + size


def _put_all(out: Bytes, at: NDArray[np.int64], together: Sequence[Numbers]) -> None:
    """Write neighbouring columns of numbers, if there are any."""
    if not together:
        return
    data = np.concatenate([found.data.reshape(-1) for found in together])
    sizes = np.array([found.data.size for found in together])
    widths = np.array([found.data.shape[1] for found in together])
    null = np.stack([found.null for found in together])
    _put_numbers(out, at, data, np.cumsum(sizes) - sizes, widths, null)


def _put(out: Bytes, at: NDArray[np.int64], found: Pieces | Arrays) -> None:
    """Write one column of another kind."""
    if isinstance(found, Pieces):
        _put_pieces(out, at, found.data, found.null, found.lengths)
        return
    parts = found.elements
    width = parts.data.shape[1] if isinstance(parts, Numbers) else 0
    _put_arrays(
        out, at, parts.data.reshape(-1), width, found.counts if width else parts.lengths,
        parts.null, found.counts, found.null, found.lengths, found.oid,
    )  # fmt: skip


def rows(fields: Sequence[Field], n: int, before: bytes = b"", after: bytes = b"") -> Bytes:
    """Write ``n`` rows of columns, between what stands before and after them.

    Returns
    -------
    Bytes
        Array of shape (bytes,).
    """
    ends = np.full(n, 2 + 4 * len(fields), dtype=np.int64)
    for found in fields:
        ends += found.lengths
    np.cumsum(ends, out=ends)
    ends += len(before)
    at = np.empty(n, dtype=np.int64)
    at[:1], at[1:] = len(before), ends[:-1]
    stream = np.empty((int(ends[-1]) if n else len(before)) + len(after), dtype=np.uint8)
    stream[: len(before)] = np.frombuffer(before, dtype=np.uint8)
    stream[len(stream) - len(after) :] = np.frombuffer(after, dtype=np.uint8)
    stream[at], stream[at + 1] = len(fields) >> 8, len(fields) & 255
    at += 2
    waiting: list[Numbers] = []  # numbers of neighbouring columns are written together
    for found in fields:
        if isinstance(found, Numbers):
            waiting.append(found)
            continue
        _put_all(stream, at, waiting)
        waiting = []
        _put(stream, at, found)
    _put_all(stream, at, waiting)
    return stream
