"""Rows of a VOTable written as BINARY or BINARY2, decoded as they come.

Where each value lies is found first, then all values of a column are taken at once. A row whose
columns all have one length needs no search at all.
"""

import numpy as np
from numpy.typing import NDArray

from services.uploads.cells import WrongValueError, numbers
from services.uploads.pieces import gather, windows
from services.uploads.table import NUMPY, Builder, Values, arranged, shown, texts
from services.uploads.votable_columns import VoField

Bytes = NDArray[np.uint8]
_CHUNK = 4 << 20  # bytes that are decoded at a time


class BinaryRows:
    """Takes bytes and gives the builder rows."""

    def __init__(self, builder: Builder, fields: list[VoField], *, flags: bool) -> None:
        self.builder = builder
        self.fields = fields
        self.flags = (len(fields) + 7) // 8 if flags else 0
        self.waiting: list[bytes] = []
        self.size = 0
        self.enough = _CHUNK  # more for a row that is larger, so as not to search it over and over
        # Bytes of the fixed columns, and None for those that say their length in each row.
        self.widths = [None if f.count is None else f.bytes_of(f.count) for f in fields]
        self.fixed = self.flags + sum(4 if w is None else w for w in self.widths)
        if self.fixed == 0:
            raise builder.refuse("its rows have no bytes; give the columns an arraysize")

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self.waiting.append(data)
        self.size += len(data)
        if self.size >= self.enough:
            self._decode()

    def finish(self) -> None:
        """Take the end."""
        self._decode()
        if self.size:
            raise self.builder.refuse(
                f"the data end within the row, {self.size} bytes after its begin; the file was cut "
                f"off, or an arraysize is not what was written",
                row=self.builder.rows + 1,
            )

    def _decode(self) -> None:
        raw = b"".join(self.waiting)
        if None in self.widths:
            places, lengths, used = self._search(raw)
            n = len(places[0])
        else:
            n = len(raw) // self.fixed
            used = n * self.fixed
            starts = np.arange(n, dtype=np.int64) * self.fixed + self.flags
            places, lengths = [], []
            for width in self.widths:
                places.append(starts)
                lengths.append(None)
                starts = starts + (width or 0)
        self.waiting, self.size = [raw[used:]], len(raw) - used
        self.enough = max(_CHUNK, 2 * self.size)
        if not n:
            return
        data = np.frombuffer(raw, dtype=np.uint8, count=used)
        gone = None
        if self.flags:
            first = places[0] - self.flags - (0 if lengths[0] is None else 4)
            gone = np.unpackbits(data[first[:, None] + np.arange(self.flags)], axis=1).astype(bool)
        columns: list[Values] = []
        for j, f in enumerate(self.fields):
            counts = lengths[j]
            try:
                columns.append(
                    _values(f, data, places[j], counts, None if gone is None else gone[:, j])
                )
            except WrongValueError as error:
                raise self.builder.refuse(
                    error.why, row=self.builder.rows + error.index + 1, column=f.field.name
                ) from None
        self.builder.add(columns)

    def _search(
        self, raw: bytes
    ) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64] | None], int]:
        """Find the values of all complete rows, one row after the other."""
        places: list[list[int]] = [[] for _ in self.fields]
        lengths: list[list[int]] = [[] for _ in self.fields]
        end, begin, rows = len(raw), 0, 0
        limit = self.builder.limits.cell
        plan = list(enumerate(zip(self.fields, self.widths, strict=True)))
        word = int.from_bytes
        while True:
            at = begin + self.flags
            for j, (f, width) in plan:
                if width is not None:
                    places[j].append(at)
                    at += width
                    continue
                if at + 4 > end:
                    break
                count = word(raw[at : at + 4], "big")
                size = f.bytes_of(count) * (2 if f.datatype.endswith("Complex") else 1)
                if size > limit:
                    self.builder.check_cell(
                        size, row=self.builder.rows + rows + 1, column=f.field.name
                    )
                places[j].append(at + 4)
                lengths[j].append(count * (2 if f.datatype.endswith("Complex") else 1))
                at += 4 + size
            else:
                if at <= end:
                    begin = at
                    rows += 1
                    continue
            break
        found: list[NDArray[np.int64] | None] = [
            None if w is not None else np.array(x[:rows], dtype=np.int64)
            for x, w in zip(lengths, self.widths, strict=True)
        ]
        return [np.array(p[:rows], dtype=np.int64) for p in places], found, begin


def _values(
    f: VoField,
    data: Bytes,
    at: NDArray[np.int64],
    counts: NDArray[np.int64] | None,
    gone: NDArray[np.bool_] | None,
) -> Values:
    """One column: ``at`` is where each row's elements begin, ``counts`` how many there are."""
    n = len(at)
    if counts is None:
        width = f.bytes_of(f.count or 0)
        flat = windows(data, width)[at].reshape(-1) if width else data[:0]
    else:
        sizes = (counts + 7) // 8 if f.datatype == "bit" else counts * f.width
        flat = gather(data, at, sizes)
    if f.element == "text":
        return _text(f, flat, n, counts, gone)
    values, null = _elements(f, flat, n, counts)
    if f.scalar:
        return arranged(values, null, n, gone=gone)
    if counts is None:
        return arranged(values, null, n, size=f.count, gone=gone)
    # Without flags an array without elements is one that is missing.
    return arranged(values, null, n, counts=counts, gone=counts == 0 if gone is None else gone)


def _elements(
    f: VoField, flat: Bytes, n: int, counts: NDArray[np.int64] | None
) -> tuple[NDArray[np.generic], NDArray[np.bool_] | None]:
    if f.datatype == "bit":
        if f.scalar:
            # The standard puts the one bit first, astropy the fifth: what is padding is zero.
            return flat != 0, None
        if counts is None:
            bits = np.unpackbits(flat.reshape(n, -1), axis=1)[:, : f.count]
            return bits.reshape(-1).astype(bool), None
        unpacked = np.unpackbits(flat).astype(bool)
        sizes = (counts + 7) // 8 * 8
        return gather(unpacked, np.cumsum(sizes) - sizes, counts), None
    if f.datatype == "boolean":
        true = np.isin(flat, np.frombuffer(b"Tt1", np.uint8))
        false = np.isin(flat, np.frombuffer(b"Ff0", np.uint8))
        null = np.isin(flat, np.frombuffer(b" ?\0", np.uint8))
        wrong = np.flatnonzero(~(true | false | null))
        if wrong.size:
            index = int(wrong[0])
            row = (
                index // (f.count or 1)
                if counts is None
                else int(np.searchsorted(np.cumsum(counts), index, side="right"))
            )
            raise WrongValueError(row, f"{chr(flat[index])!r} is not a truth value; write T or F")
        return true, null
    values = flat.view(f.code).astype(NUMPY[f.element])
    if f.null is None or f.code.endswith(("f4", "f8")):
        return values, None
    try:
        marker = int(f.null, 16) if f.null[:2].lower() == "0x" else int(f.null)
    except ValueError:
        raise WrongValueError(0, f"the null value {shown(f.null)} is not a whole number") from None
    return values, values == marker


def _text(
    f: VoField,
    flat: Bytes,
    n: int,
    counts: NDArray[np.int64] | None,
    gone: NDArray[np.bool_] | None,
) -> Values:
    sizes = np.full(n, (f.count or 0) * f.width) if counts is None else counts * f.width
    raw = flat.tobytes()
    codec = "utf-8" if f.datatype == "char" else "utf-16-be"
    items: list[str | None] = []
    end = 0
    for i, size in enumerate(sizes.tolist()):
        piece = raw[end : end + size]
        end += size
        if gone is not None and gone[i]:
            items.append(None)
            continue
        try:
            items.append(piece.decode(codec))
        except UnicodeDecodeError as error:
            raise WrongValueError(
                i, f"{shown(repr(piece))} is not {codec} ({error.reason}); use unicodeChar"
            ) from None
    if f.scalar:
        # A zero ends a text. Without flags, an empty one is a missing one.
        cut = [None if t is None else t.partition("\0")[0] for t in items]
        if gone is None:
            cut = [t or None for t in cut]
        if f.null:
            cut = [None if t == f.null else t for t in cut]
        if f.field.type == "timestamp":
            return arranged(*numbers(cut, "timestamp"), n)
        return texts(cut)
    boxed = np.empty(n, dtype=object)
    length = f.length or 1
    for i, t in enumerate(items):
        if t:
            boxed[i] = [
                t[k : k + length].partition("\0")[0].rstrip(" ") for k in range(0, len(t), length)
            ]
    return np.ma.MaskedArray(boxed, mask=[v is None for v in boxed])
