"""Decoder of PostgreSQL's binary COPY: bytes of rows into numpy columns, by compiled loops.

A block of whole rows goes in, columns with their NULLs come out; nothing is done for a single row
or number in Python, but for texts and other objects. `skyledger.binary` brings the blocks.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from skyledger.errors import DataRejectedError

# Values of a column, and where they are NULL; None for nowhere.
Piece = tuple[Any, NDArray[np.bool_] | None]

# Type OID: numpy type of a value as it is in memory.
FIXED: dict[int, str] = {
    16: "?",
    20: "<i8",
    21: "<i2",
    23: "<i4",
    700: "<f4",
    701: "<f8",
    1114: "<i8",
}
_WIDTH = {oid: np.dtype(name).itemsize for oid, name in FIXED.items()}
BYTES, TEXT, TEXTS = 17, 25, 1009
# OID of an array type: that of its elements.
ARRAYS = {1000: 16, 1005: 21, 1007: 23, 1016: 20, 1021: 700, 1022: 701, 1115: 1114}
_TIMESTAMP = 1114
_EPOCH = np.datetime64("2000-01-01T00:00:00", "us")


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a loop at its first call; kept on disk where that can be written.

    For the loops over bytes here and in the encoder of loads: unlike those over pixels they are
    exact, so nothing may be re-ordered.
    """
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:  # nowhere to keep it: every process compiles for itself
        return njit(nogil=True)(function)


# Bytes are read at unsigned places, which numba does not have to test for being negative, and
# number by number in one expression, which the compiler makes one load and one swap.


@kernel
def _two(data: Any, p: Any) -> Any:
    return np.uint16(np.uint16(data[p]) << np.uint16(8) | np.uint16(data[p + np.uint64(1)]))


@kernel
def _four(data: Any, p: Any) -> Any:
    return (
        np.uint32(data[p]) << np.uint32(24)
        | np.uint32(data[p + np.uint64(1)]) << np.uint32(16)
        | np.uint32(data[p + np.uint64(2)]) << np.uint32(8)
        | np.uint32(data[p + np.uint64(3)])
    )


@kernel
def _eight(data: Any, p: Any) -> Any:
    return np.uint64(_four(data, p)) << np.uint64(32) | np.uint64(_four(data, p + np.uint64(4)))


@kernel
def _rows(
    data: Any, begin: int, width: Any, base: Any, ones: Any, twos: Any, fours: Any, eights: Any,
    gone: Any, nulls: Any, at: Any, length: Any,
) -> tuple[int, int]:  # fmt: skip
    """Put rows into columns.

    Column j has values of ``width[j]`` bytes and begins at value ``base[j]`` of the view of one
    buffer in that width; with width 0 the place and length of field ``base[j]`` are noted in
    ``at`` and ``length``. ``gone[j]`` is set where NULL, whose number is added to ``nulls[j]``.
    Returns the number of rows, and the field that cannot be read: -1 if there is none, -2 if the
    row as such cannot.
    """
    fields = np.uint64(len(width))
    size_of_word, size_of_count = np.uint64(4), np.uint64(2)
    null = np.uint32(0xFFFFFFFF)
    end = np.uint64(len(data))
    p = np.uint64(begin)
    i = 0
    while p < end:
        if p + size_of_count > end:
            return i, -2
        count = _two(data, p)
        p += size_of_count
        if count == np.uint16(0xFFFF):  # the end of the answer
            return i, (-1 if p == end else -2)
        if count != fields or i == gone.shape[1]:
            return i, -2
        for j in range(len(width)):
            if p + size_of_word > end:
                return i, j
            size = _four(data, p)
            p += size_of_word
            wide = width[j]
            if size == null:
                gone[j, i] = True
                nulls[j] += 1
                if wide == 4:
                    fours[base[j] + i] = 0
                elif wide == 8:
                    eights[base[j] + i] = 0
                elif wide == 2:
                    twos[base[j] + i] = 0
                elif wide == 1:
                    ones[base[j] + i] = 0
            elif p + np.uint64(size) > end:
                return i, j
            elif wide == 4 and size == np.uint32(4):
                fours[base[j] + i] = _four(data, p)
            elif wide == 8 and size == np.uint32(8):
                eights[base[j] + i] = _eight(data, p)
            elif wide == 2 and size == np.uint32(2):
                twos[base[j] + i] = _two(data, p)
            elif wide == 1 and size == np.uint32(1):
                ones[base[j] + i] = data[p]
            elif wide == 0:
                at[base[j], i] = p
                length[base[j], i] = size
            else:
                return i, j
            if size != null:
                p += np.uint64(size)
        i += 1
    return i, -1


@kernel
def _sizes(data: Any, at: Any, length: Any, gone: Any, out: Any) -> tuple[int, int]:
    """Count the elements of arrays, 0 for NULL.

    Returns their number if it is the same in all, -1 if not, -2 if all are NULL; and a bad row,
    or -1.
    """
    same = -2
    for i in range(len(out)):
        if gone[i]:
            out[i] = 0
            continue
        if length[i] < 12:
            return same, i
        p = np.uint64(at[i])
        dimensions = int(_four(data, p))
        if dimensions > 6 or length[i] < 12 + 8 * dimensions:  # more the server does not have
            return same, i
        total = 1 if dimensions else 0
        for k in range(dimensions):
            total *= int(_four(data, p + np.uint64(12 + 8 * k)))
            if 4 * total > length[i]:
                return same, i
        out[i] = total
        if same == -2:
            same = total
        elif same != total:
            same = -1
    return same, -1


@kernel
def _elements(
    data: Any, at: Any, length: Any, sizes: Any, begin: Any, out: Any, missing: Any
) -> int:
    """Put elements of arrays into unsigned ``out`` from ``begin[i]``; returns a bad row, or -1."""
    width = np.uint32(out.itemsize)
    null, word = np.uint32(0xFFFFFFFF), np.uint64(4)
    for i in range(len(at)):
        if sizes[i] == 0:
            continue
        p = np.uint64(at[i])
        end = p + np.uint64(length[i])
        p += np.uint64(12) + np.uint64(8) * np.uint64(_four(data, p))
        for k in range(begin[i], begin[i] + sizes[i]):
            if p + word > end:
                return i
            size = _four(data, p)
            p += word
            if size == null:
                missing[k] = True
                out[k] = 0
                continue
            if size != width or p + np.uint64(size) > end:
                return i
            if width == np.uint32(4):
                out[k] = _four(data, p)
            elif width == np.uint32(8):
                out[k] = _eight(data, p)
            elif width == np.uint32(2):
                out[k] = _two(data, p)
            else:
                out[k] = data[p]
            p += np.uint64(size)
        if p != end:
            return i
    return -1


def torn(name: str, row: int) -> DataRejectedError:
    """Return the error for an answer that is not what the protocol promises."""
    return DataRejectedError(
        f"row {row} of the answer cannot be read at {name}: the server sends it in another form "
        f"than this software knows; use PostgreSQL 15 to 17"
    )


def _numbers(oid: int, name: str, raw: Any) -> Any:
    """Values whose bits ``raw`` holds, in memory of their own; raw is 0 where there is none."""
    if oid != _TIMESTAMP:
        return raw.view(FIXED[oid]).copy()
    values, limits = raw.view(np.int64), np.iinfo(np.int64)
    if ((values == limits.min) | (values == limits.max)).any():
        raise DataRejectedError(
            f"{name} holds an infinite timestamp, which numpy cannot; leave such rows out"
        )
    return values.view("timedelta64[us]") + _EPOCH


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


_READ: dict[int, Callable[[memoryview], Any]] = {TEXT: _text, BYTES: bytes, TEXTS: _texts}


class Columns:
    """Decoder of blocks of whole rows; its memory is used again for every block."""

    def __init__(self, names: Sequence[str], oids: Sequence[int]) -> None:
        self.names, self.oids = names, oids
        self.width = np.array([_WIDTH.get(oid, 0) for oid in oids], dtype=np.int64)
        self.others = np.flatnonzero(self.width == 0)
        self.size = -1

    def _room(self, size: int) -> None:
        """Make room for blocks of so many bytes; a small answer gets a small one."""
        widths = self.width.tolist()
        # As many rows as a block can have. A step of 64 bytes more than whole pages between
        # columns: multiples of a page would all compete for the same lines of the cache.
        rows = 1024 * (size // (2 + 4 * len(widths)) // 1024 + 1) + 16
        self.base = np.zeros(len(widths), dtype=np.int64)
        buffer = np.empty(rows * sum(widths), dtype=np.uint8)
        self.raw: list[Any] = [None] * len(widths)
        begin = 0
        for j in sorted(range(len(widths)), key=lambda j: -widths[j]):  # the widest: all aligned
            if widths[j]:
                self.base[j] = begin // widths[j]
                end = begin + rows * widths[j]
                self.raw[j] = buffer[begin:end].view(f"u{widths[j]}")
                begin = end
        self.views = [buffer[: len(buffer) // w * w].view(f"u{w}") for w in (1, 2, 4, 8)]
        self.base[self.others] = np.arange(len(self.others))
        self.at = np.empty((len(self.others), rows), dtype=np.int64)
        self.length = np.empty((len(self.others), rows), dtype=np.int64)
        self.gone = np.zeros((len(widths), rows), dtype=bool)
        self.size = size

    def decoded(self, block: Any, begin: int) -> tuple[int, list[Piece]]:
        """Return the number of rows of a block, and their columns."""
        if len(block) > self.size:
            self._room(max(len(block), 2 * self.size))
        data = np.frombuffer(block, dtype=np.uint8)
        nulls = np.zeros(len(self.oids), dtype=np.int64)
        n, bad = _rows(
            data, begin, self.width, self.base, *self.views, self.gone, nulls, self.at, self.length
        )
        if bad != -1:
            raise torn(self.names[bad] if bad >= 0 else "its length", n)
        found = []
        for j, (oid, missing) in enumerate(zip(self.oids, nulls.tolist(), strict=True)):
            gone = self.gone[j, :n]
            if oid in FIXED:
                values = _numbers(oid, self.names[j], self.raw[j][:n])
                found.append((values, gone.copy() if missing else None))
            elif oid in ARRAYS:
                found.append(self._arrays(data, j, gone))
            else:
                found.append(self._objects(memoryview(block), j, gone))
            if missing:
                gone[:] = False
        return n, found

    def _objects(self, block: memoryview, j: int, gone: NDArray[np.bool_]) -> Piece:
        read = _READ[self.oids[j]]
        values = np.empty(len(gone), dtype=object)
        at = self.at[self.base[j]]
        length = self.length[self.base[j]]
        for i in np.flatnonzero(~gone).tolist():
            values[i] = read(block[at[i] : at[i] + length[i]])
        return values, gone.copy()

    def _arrays(self, data: Any, j: int, gone: NDArray[np.bool_]) -> Piece:
        oid, n = ARRAYS[self.oids[j]], len(gone)
        at, length = self.at[self.base[j], :n], self.length[self.base[j], :n]
        sizes = np.empty(n, dtype=np.int64)
        k, bad = _sizes(data, at, length, gone, sizes)
        if bad >= 0:
            raise torn(self.names[j], bad)
        # All of one length are rows of a matrix, NULL too; others lie one behind the other.
        begin = np.arange(n) * k if k > 0 else np.cumsum(sizes) - sizes
        total = n * k if k > 0 else int(sizes.sum())
        raw = np.zeros(total, dtype=f"u{np.dtype(FIXED[oid]).itemsize}")
        missing = np.repeat(gone, k) if k > 0 else np.zeros(total, dtype=bool)
        bad = _elements(data, at, length, sizes, begin, raw, missing)
        if bad >= 0:
            raise torn(self.names[j], bad)
        values = _numbers(oid, self.names[j], raw)
        if k == -1:
            boxed = np.empty(n, dtype=object)
            for i in np.flatnonzero(~gone):
                part = slice(begin[i], begin[i] + sizes[i])
                boxed[i] = np.ma.MaskedArray(values[part], mask=missing[part])
            return boxed, gone.copy()
        if k <= 0:
            # Without elements; masked if it is because all are NULL.
            return values.reshape(n, 0), np.ones((n, 0), dtype=bool) if k == -2 else None
        return values.reshape(n, k), missing.reshape(n, k) if missing.any() else None
