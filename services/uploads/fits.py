"""FITS binary tables (FITS standard 4.0, section 7.3), read in blocks of rows.

The header is read here, card by card, so that what it promises (rows, widths, a heap) can be
compared with the length of the file before anything is allocated.
"""

import re
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from services.uploads.pieces import gather
from services.uploads.table import NUMPY, Builder, Field, Values, arranged, shown, texts

_BLOCK = 2880
_HEADER = 4 << 20  # bytes of a header; 1000 columns need 1 MB
_CHUNK = 4 << 20
# TFORM letter: (SQL type, numpy type of an element)
_TYPES = {
    "L": ("boolean", "u1"),
    "X": ("boolean", "u1"),
    "B": ("smallint", "u1"),
    "I": ("smallint", ">i2"),
    "J": ("integer", ">i4"),
    "K": ("bigint", ">i8"),
    "A": ("text", "u1"),
    "E": ("real", ">f4"),
    "D": ("double precision", ">f8"),
    "C": ("real", ">f4"),
    "M": ("double precision", ">f8"),
}
# (letter, TZERO) with TSCAL = 1: integers of the other sign (section 5.2.5 of the standard).
_OTHER_SIGN: dict[tuple[str, float], tuple[str, np.dtype[Any]]] = {
    ("B", -128.0): ("smallint", np.dtype(np.int16)),
    ("I", 32768.0): ("integer", np.dtype(np.int32)),
    ("J", 2147483648.0): ("bigint", np.dtype(np.int64)),
    ("K", 9223372036854775808.0): ("bigint", np.dtype(np.int64)),
}
_FORM = re.compile(r"(\d{0,9})([PQ]?)([LXBIJKAEDCM])(?:\((\d*)\))?.*")
_CARD = re.compile(r"'((?:[^']|'')*)'|([^/]*)")

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class _Column:
    field: Field
    letter: str
    code: str
    repeat: int  # elements a row; 1 or 0 descriptors for a column in the heap
    heap: int  # bytes of a descriptor, 0 if the values lie in the row
    offset: int
    width: int  # bytes in the row
    scalar: bool
    length: int | None  # characters of each text of several
    null: int | None
    scale: float
    zero: float

    @property
    def elements(self) -> int:
        """Elements a row, the two parts of a complex number counted."""
        return self.repeat * (2 if self.letter in "CM" else 1)


def _value(card: str) -> Any:
    found = _CARD.match(card[10:].strip())
    if found is None:
        return None
    if found[1] is not None:
        return found[1].replace("''", "'").rstrip()
    text = (found[2] or "").strip()
    if text in {"T", "F"}:
        return text == "T"
    for kind in (int, float):
        try:
            return kind(text.replace("D", "E"))
        except ValueError:
            continue
    return text or None


def _header(file: BinaryIO, builder: Builder, number: int) -> dict[str, Any]:
    """Cards of the next header by keyword."""
    cards: dict[str, Any] = {}
    last = ""
    for block in range(_HEADER // _BLOCK):
        raw = file.read(_BLOCK)
        if len(raw) < _BLOCK:
            raise builder.refuse(
                f"the file ends within the header of HDU {number} (after {block} blocks of 2880 "
                f"bytes); it was cut off, send it again"
            )
        text = raw.decode("latin-1")
        for at in range(0, _BLOCK, 80):
            card = text[at : at + 80]
            keyword = card[:8].rstrip()
            if keyword == "END":
                return cards
            if card[8:10] == "= ":
                cards[keyword], last = _value(card), keyword
            elif keyword == "CONTINUE" and isinstance(cards.get(last), str):
                more = _value(f"CONTINUE= {card[8:].strip()}")
                if cards[last].endswith("&") and isinstance(more, str):
                    cards[last] = cards[last][:-1] + more
    raise builder.refuse(
        f"the header of HDU {number} has no END within {_HEADER} bytes; it is no FITS header"
    )


def _integer(builder: Builder, cards: dict[str, Any], keyword: str, default: int = -1) -> int:
    value = cards.get(keyword, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 62:
        raise builder.refuse(f"the header says {keyword} = {value!r}; it must be a whole number")
    return value


def read_fits(file: BinaryIO, builder: Builder) -> None:
    """Read the first binary table of a FITS file.

    Parameters
    ----------
    file
        Open at its first byte, and seekable.
    builder
        Is told the columns and given the rows.

    Raises
    ------
    UploadRefusedError
        If there is no table, the header promises what the file does not hold, a column has a form
        that is not understood, or a limit is passed.
    """
    end = file.seek(0, 2)
    file.seek(0)
    number = 0
    while file.tell() < end:
        cards = _header(file, builder, number)
        axes = _integer(builder, cards, "NAXIS")
        if axes > 999:
            raise builder.refuse(f"the header of HDU {number} says NAXIS = {axes}; at most 999")
        size = 1 if axes else 0
        for axis in range(1, axes + 1):
            size = min(size * _integer(builder, cards, f"NAXIS{axis}"), 1 << 62)
        bits = cards.get("BITPIX")
        if bits not in {8, 16, 32, 64, -32, -64}:
            raise builder.refuse(f"the header of HDU {number} says BITPIX = {bits!r}")
        size = abs(bits) // 8 * (_integer(builder, cards, "PCOUNT", 0) + size)
        kind = str(cards.get("XTENSION", "")).strip()
        start = file.tell()
        if start + size > end:
            raise builder.refuse(
                f"the header of HDU {number} promises {size} bytes of data, the file holds "
                f"{end - start}; it was cut off, or NAXIS2 is wrong: send it again"
            )
        if kind == "BINTABLE":
            _table(file, builder, cards, start)
            return
        if kind == "TABLE":
            raise builder.refuse("its table is an ASCII table; write it as a binary table")
        file.seek(start + -(-size // _BLOCK) * _BLOCK)
        number += 1
    raise builder.refuse("the FITS file has no binary table; images cannot be uploaded as tables")


def _table(file: BinaryIO, builder: Builder, cards: dict[str, Any], start: int) -> None:
    if cards.get("ZIMAGE") is True or cards.get("ZTABLE") is True:
        raise builder.refuse("its first table is a compressed image or table; decompress the file")
    width, rows = _integer(builder, cards, "NAXIS1"), _integer(builder, cards, "NAXIS2")
    count = _integer(builder, cards, "TFIELDS")
    builder.check_columns(count)
    builder.check_rows(rows)
    columns, at = [], 0
    for number in range(1, count + 1):
        column = _column(builder, cards, number, at)
        columns.append(column)
        at += column.width
    if at != width:
        raise builder.refuse(
            f"the columns take {at} bytes a row, but NAXIS1 = {width}; write the file again"
        )
    columns = [c for c in columns if c.width]  # repeat 0: a column of nothing
    builder.begin([c.field for c in columns])
    heap = _Heap(file, builder, start + _integer(builder, cards, "THEAP", width * rows),
                 start + width * rows + _integer(builder, cards, "PCOUNT", 0))  # fmt: skip
    block = max(1, _CHUNK // max(1, width))
    for first in range(0, rows, block):
        n = min(block, rows - first)
        file.seek(start + first * width)
        table = np.frombuffer(file.read(n * width), dtype=np.uint8).reshape(n, width)
        builder.add(
            [
                heap.column(c, table[:, c.offset : c.offset + c.width])
                if c.heap
                else _decoded(
                    builder,
                    c,
                    np.ascontiguousarray(table[:, c.offset : c.offset + c.width]).reshape(-1),
                    n,
                    None,
                )
                for c in columns
            ]
        )


def _column(builder: Builder, cards: dict[str, Any], number: int, offset: int) -> _Column:
    def word(key: str) -> str | None:
        value = cards.get(f"{key}{number}")
        return str(value).strip() or None if value is not None else None

    name = word("TTYPE") or ""
    label = name or f"number {number}"
    form = word("TFORM") or ""
    found = _FORM.fullmatch(form)
    if found is None:
        raise builder.refuse(f"TFORM{number} = {shown(form)} is no form of FITS", column=label)
    repeat, letter = int(found[1] or 1), found[3]
    heap = {"": 0, "P": 8, "Q": 16}[found[2]]
    if heap and repeat > 1:
        raise builder.refuse(
            f"TFORM{number} = {shown(form)}: the repeat of {found[2]} is 0 or 1", column=label
        )
    element, code = _TYPES[letter]
    size = np.dtype(code).itemsize * (2 if letter in "CM" else 1)
    width = repeat * heap if heap else (repeat + 7) // 8 if letter == "X" else repeat * size
    if width > builder.limits.cell:
        builder.check_cell(width, row=1, column=label)
    shape = _shape(builder, word("TDIM"), repeat, label) if not heap else None
    length = None
    if letter == "A":
        scalar = shape is None or len(shape) < 2
        if not scalar and shape is not None:
            length = shape[0]
    else:
        scalar = repeat == 1 and not heap and letter not in "CM" and shape is None
    null = cards.get(f"TNULL{number}")
    scale, zero = (
        _factor(builder, cards, "TSCAL", number, 1.0),
        _factor(builder, cards, "TZERO", number, 0.0),
    )
    if letter in "BIJK" and (scale, zero) != (1.0, 0.0):
        element = (
            _OTHER_SIGN.get((letter, zero), ("double precision",))[0]
            if scale == 1
            else "double precision"
        )
    if heap:
        arraysize: str | None = "*"
    elif letter == "A" and scalar:
        arraysize = f"{repeat}*"
    else:
        arraysize = None if scalar else "x".join(map(str, shape or (repeat,)))
    return _Column(
        Field(
            name,
            element if scalar else f"{element}[]",
            arraysize,
            unit=word("TUNIT"),
            ucd=word("TUCD"),
            utype=word("TUTYP"),
            xtype=word("TXTYP"),
            description=word("TCOMM"),
        ),
        letter,
        code,
        repeat,
        heap,
        offset,
        width,
        scalar,
        length,
        null if isinstance(null, int) and not isinstance(null, bool) else None,
        scale,
        zero,
    )


def _factor(
    builder: Builder, cards: dict[str, Any], key: str, number: int, default: float
) -> float:
    value = cards.get(f"{key}{number}", default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise builder.refuse(f"the header says {key}{number} = {value!r}; it must be a number")
    return float(value)


def _shape(builder: Builder, text: str | None, repeat: int, label: str) -> tuple[int, ...] | None:
    if text is None:
        return None
    found = re.fullmatch(r"\(\s*(\d{1,9}(?:\s*,\s*\d{1,9})*)\s*\)", text)
    shape = tuple(int(n) for n in found[1].split(",")) if found else ()
    size = 1
    for n in shape:
        size *= n
    if not shape or size != repeat or 0 in shape:
        raise builder.refuse(
            f"TDIM = {shown(text)} does not fit {repeat} elements a row", column=label
        )
    return shape


class _Heap:
    """Values of varying length, which lie behind the rows."""

    def __init__(self, file: BinaryIO, builder: Builder, begin: int, end: int) -> None:
        self.file = file
        self.builder = builder
        self.begin = begin
        self.end = end

    def column(self, c: _Column, raw: Bytes) -> Values:
        """Read the values that descriptors (count, offset) name."""
        code = ">i4" if c.heap == 8 else ">i8"
        words = np.ascontiguousarray(raw).view(code).astype(np.int64).reshape(len(raw), 2)
        counts, at = words[:, 0], words[:, 1]
        width = np.dtype(c.code).itemsize * (2 if c.letter in "CM" else 1)
        limit = self.builder.limits.cell
        wrong = np.flatnonzero((counts < 0) | (at < 0) | (at > self.end - self.begin))
        if not wrong.size:
            wrong = np.flatnonzero(counts > limit)
            sizes = (counts + 7) // 8 if c.letter == "X" else np.minimum(counts, limit + 1) * width
            wrong = np.flatnonzero(sizes > limit) if not wrong.size else wrong
            if wrong.size:
                row = int(wrong[0])
                self.builder.check_cell(
                    int(counts[row]) * width,
                    row=self.builder.rows + row + 1,
                    column=c.field.name,
                )
            wrong = np.flatnonzero(at + sizes > self.end - self.begin)
        if wrong.size:
            row = int(wrong[0])
            raise self.builder.refuse(
                f"its array of {counts[row]} elements at byte {at[row]} lies outside the heap of "
                f"{self.end - self.begin} bytes; write the file again",
                row=self.builder.rows + row + 1,
                column=c.field.name,
            )
        # Many rows may name the same bytes: what they become is counted before it is made.
        total = int(sizes.sum())
        if self.builder.size + total > self.builder.limits.expanded:
            raise self.builder.refuse(
                f"its arrays take more than the {self.builder.limits.expanded} bytes allowed",
                column=c.field.name,
            )
        pieces = []
        for place, size in zip(at.tolist(), sizes.tolist(), strict=True):
            if size:
                self.file.seek(self.begin + place)
                pieces.append(self.file.read(size))
        flat = np.frombuffer(b"".join(pieces), dtype=np.uint8)
        return _decoded(self.builder, c, flat, len(raw), counts)


def _decoded(
    builder: Builder, c: _Column, flat: Bytes, n: int, counts: NDArray[np.int64] | None
) -> Values:
    """Column of ``n`` rows from its bytes."""
    if c.letter == "A":
        return _text(c, flat, n, counts)
    values, null = _elements(builder, c, flat, n, counts)
    if c.scalar:
        return arranged(values, null, n)
    if counts is None:
        return arranged(values, null, n, size=c.elements)
    if c.letter in "CM":
        counts = counts * 2
    return arranged(values, null, n, counts=counts, gone=counts == 0)


def _elements(
    builder: Builder, c: _Column, flat: Bytes, n: int, counts: NDArray[np.int64] | None
) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    if c.letter == "X":
        if counts is None:
            bits = np.unpackbits(flat.reshape(n, c.width), axis=1)[:, : c.repeat]
            return bits.reshape(-1).astype(bool), None
        sizes = (counts + 7) // 8 * 8
        return gather(np.unpackbits(flat).astype(bool), np.cumsum(sizes) - sizes, counts), None
    if c.letter == "L":
        true, false = flat == ord("T"), flat == ord("F")
        return true, ~(true | false)
    raw = flat.view(c.code)
    null = raw == c.null if c.null is not None and c.letter in "BIJK" else None
    if (c.scale, c.zero) == (1.0, 0.0):
        return raw.astype(NUMPY[c.field.type.removesuffix("[]")]), null
    other = _OTHER_SIGN.get((c.letter, c.zero)) if c.scale == 1 else None
    if other is None:
        # The scaled value is exact in double precision only if the stored integer is.
        scaled = raw.astype(np.float64) * c.scale + c.zero
        return scaled.astype(NUMPY[c.field.type.removesuffix("[]")]), null
    if c.letter == "K":
        wrong = np.flatnonzero((raw >= 0) & ~(np.zeros(len(raw), bool) if null is None else null))
        if wrong.size:
            index = int(wrong[0])
            row = index // c.repeat if counts is None else int(
                np.searchsorted(np.cumsum(counts), index, side="right"))  # fmt: skip
            raise builder.refuse(
                f"{int(raw[index]) + (1 << 63)} lies above {(1 << 63) - 1}, the end of bigint; "
                f"write the column as text",
                row=builder.rows + row + 1,
                column=c.field.name,
            )
        # The stored value is the unsigned one minus 2^63: only its first bit differs.
        return (raw.astype(np.uint64) ^ np.uint64(1 << 63)).astype(np.int64), null
    return raw.astype(other[1]) + other[1].type(c.zero), null


def _text(c: _Column, flat: Bytes, n: int, counts: NDArray[np.int64] | None) -> Values:
    raw = flat.tobytes()
    sizes = [c.width] * n if counts is None else counts.tolist()
    items: list[str | None] = []
    end = 0
    for size in sizes:
        piece = raw[end : end + size]
        end += size
        if c.length is None:
            piece = piece.partition(b"\0")[0].rstrip(b" ")
        # FITS text is ASCII; what people write beyond it is UTF-8 or Latin-1.
        try:
            items.append(piece.decode() or None)
        except UnicodeDecodeError:
            items.append(piece.decode("latin-1"))
    if (c.scalar and counts is None) or c.length is None:
        return texts(items)
    boxed = np.empty(n, dtype=object)
    for i, t in enumerate(items):
        if t and t.strip(" \0"):
            boxed[i] = [
                t[k : k + c.length].partition("\0")[0].rstrip(" ")
                for k in range(0, len(t), c.length)
            ]
    return np.ma.MaskedArray(boxed, mask=[v is None for v in boxed])
