"""Rows of a VOTable: BINARY2, BINARY and TABLEDATA.

Rows are put together by column: numpy casts each to its place in big-endian rows. Where a column
has values of any length, Arrow joins them with what is before and after: no loop over rows.
"""

import binascii
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from services.formats import text
from services.formats.columns import (
    Field,
    arrays,
    mask_of,
    numbers,
    pieces,
    texts,
    timestamps,
)
from services.formats.statement import Statement
from services.formats.votable import UNWRITABLE, VOTable
from skyledger.answers import ResultColumn
from skyledger.errors import DataRejectedError

_LINE = 57  # bytes that make a base64 line of 76 characters


def _logical(data: Any, gone: Any) -> NDArray[np.uint8]:
    """Booleans as the characters T, F and ?."""
    found = np.where(data, np.uint8(ord("T")), np.uint8(ord("F")))
    return np.where(gone, np.uint8(ord("?")), found)


def _elements(about: Field, flat: Any, gone: Any) -> Any:
    """Elements with what stands for NULL put in."""
    if about.kind == "boolean":
        return _logical(flat, gone)
    if not gone.any():
        return flat
    if not about.integer:
        return np.where(gone, np.array(np.nan, dtype=about.code), flat)
    if (flat == about.null)[~gone].any():
        raise DataRejectedError(
            f"{about.column.name} holds {about.null} and NULL, which this format cannot tell "
            f"apart; ask for CSV, JSON or Parquet"
        )
    return np.where(gone, np.array(about.null, dtype=about.code), flat)


class _Rows:
    """Rows under construction: runs of columns of fixed width, and bytes of any length."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.run: list[Any] = []
        self.parts: list[pa.Array] = []

    def put(self, data: Any) -> None:
        """Add a column of n values, or of n arrays of one length."""
        self.run.append(data)

    def put_bytes(self, flat: bytes, sizes: NDArray[np.int64], width: int) -> None:
        """Add a column of arrays: the number of elements, then these, each of ``width`` bytes."""
        self.put(sizes.astype(np.int32))
        self._close()
        ends = np.concatenate([[0], np.cumsum(sizes * width)]).astype(np.int32)
        buffers = [None, pa.py_buffer(ends), pa.py_buffer(flat)]
        self.parts.append(pa.Array.from_buffers(pa.binary(), self.n, buffers))

    def _block(self) -> NDArray[Any]:
        kind = [
            (f"{k}", data.dtype.newbyteorder(">"), data.shape[1:])
            for k, data in enumerate(self.run)
        ]
        block = np.empty(self.n, dtype=kind)
        for k, data in enumerate(self.run):
            block[f"{k}"] = data
        self.run = []
        return block

    def _close(self) -> None:
        if self.run:
            block = self._block()
            kind = pa.binary(block.itemsize)
            fixed = pa.Array.from_buffers(kind, self.n, [None, pa.py_buffer(block.view(np.uint8))])
            self.parts.append(fixed.cast(pa.binary()))

    def joined(self) -> bytes:
        """Return the bytes of all rows."""
        if not self.parts:
            return self._block().tobytes() if self.run else b""
        self._close()
        whole = pc.binary_join_element_wise(*self.parts, pa.scalar(b"", pa.binary()))
        found: bytes = whole.buffers()[2].to_pybytes()
        return found


def _utf16(found: list[str | None]) -> tuple[bytes, NDArray[np.int64]]:
    """Texts in UTF-16 without a mark, one behind the other, and how many units each has."""
    filled = [t or "" for t in found]
    whole = "".join(filled).encode("utf-16-be")
    sizes = np.fromiter(map(len, filled), np.int64, len(filled))
    if 2 * int(sizes.sum()) != len(whole):  # characters of two units
        sizes = np.array([len(t.encode("utf-16-be")) // 2 for t in filled], np.int64)
    return whole, sizes


def _put(rows: _Rows, about: Field, values: Any) -> None:
    if about.array is not None:
        given = arrays(about, values)
        flat = _elements(about, given.flat, given.gone)
        n = rows.n
        if about.array:
            rows.put(flat.reshape(n, about.array))
        elif (given.sizes == given.sizes[0]).all():
            rows.put(given.sizes.astype(np.int32))
            rows.put(flat.reshape(n, -1))
        else:
            raw = flat.astype(flat.dtype.newbyteorder(">")).tobytes()
            rows.put_bytes(raw, given.sizes, flat.itemsize)
    elif about.kind == "boolean":
        rows.put(_logical(values.data, mask_of(values)))
    elif about.kind == "number":
        rows.put(numbers(about, values))
    elif about.kind == "timestamp":
        rows.put(timestamps(about, values))
    elif about.kind == "text":
        rows.put_bytes(*_utf16(texts(values)), 2)
    else:
        found = pieces(values)
        rows.put_bytes(b"".join(found), np.fromiter(map(len, found), np.int64, rows.n), 1)


class _Encoded(VOTable):
    """Rows as base64 in lines."""

    def __init__(self, columns: Sequence[ResultColumn], statement: Statement) -> None:
        super().__init__(columns, statement)
        self.rest = b""

    def _encoded(self, raw: bytes) -> bytes:
        raw = self.rest + raw if self.rest else raw
        whole = len(raw) // _LINE
        self.rest = raw[whole * _LINE :]
        if not whole:
            return b""
        plain = binascii.b2a_base64(memoryview(raw)[: whole * _LINE], newline=False)
        lines = np.empty((whole, 77), dtype=np.uint8)
        lines[:, :76] = np.frombuffer(plain, dtype=np.uint8).reshape(whole, 76)
        lines[:, 76] = ord("\n")
        return lines.tobytes()

    def foot(self) -> Iterator[bytes]:
        """Yield the last line and the end."""
        if self.rest:
            yield binascii.b2a_base64(self.rest)
        yield from super().foot()


class Binary2(_Encoded):
    """BINARY2: each row begins with one bit a column that says whether it is NULL."""

    before = '<BINARY2><STREAM encoding="base64">\n'
    after = "</STREAM></BINARY2>"

    def block(self, values: list[Any], n: int) -> Iterator[bytes]:
        """Yield lines of base64."""
        rows = _Rows(n)
        masks = np.empty((n, len(values)), dtype=bool)
        for k, value in enumerate(values):
            masks[:, k] = mask_of(value)
        rows.put(np.packbits(masks, axis=1))
        for about, value in zip(self.fields, values, strict=True):
            _put(rows, about, value)
        yield self._encoded(rows.joined())


class Binary(_Encoded):
    """BINARY, as BINARY2 but with a number that stands for NULL among whole numbers."""

    declares_null = True
    before = '<BINARY><STREAM encoding="base64">\n'
    after = "</STREAM></BINARY>"

    def block(self, values: list[Any], n: int) -> Iterator[bytes]:
        """Yield lines of base64."""
        rows = _Rows(n)
        for about, value in zip(self.fields, values, strict=True):
            if about.integer and about.array is None:
                rows.put(_elements(about, numbers(about, value), mask_of(value)))
            else:
                _put(rows, about, value)
        yield self._encoded(rows.joined())


_MARKUP = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
_CONTROL = bytes({*range(32)} - {9, 10, 13})


def _content(found: pa.Array) -> pa.Array:
    found = text.replaced(found, _MARKUP)
    # U+FFFE and U+FFFF are the only others that a text of PostgreSQL can hold: EF BF BE, EF BF BF.
    if text.contains(found, _CONTROL) or text.contains(found, b"\xef"):
        kept = [None if v is None else UNWRITABLE.sub("\ufffd", v) for v in found.to_pylist()]
        found = pa.array(kept, type=pa.string())
    return found


def _decimal(piece: bytes) -> str:
    return " ".join(map(str, piece))


class TableData(VOTable):
    """TABLEDATA: every value as text; an empty cell is NULL."""

    before = "<TABLEDATA>\n"
    after = "</TABLEDATA>"
    style = text.Style(("NaN", "+Inf", "-Inf"), "", " ", "", None, _content, octets=_decimal)

    def block(self, values: list[Any], n: int) -> Iterator[bytes]:
        """Yield rows of cells."""
        del n
        written = []
        for about, value in zip(self.fields, values, strict=True):
            if about.integer and about.array is not None:
                given = arrays(about, value)
                _elements(about, given.flat, given.gone)
            written.append(text.strings(about, value, self.style))
        yield b"<TR><TD>"
        yield text.rows(written, "</TD><TD>", "</TD></TR>\n<TR><TD>", "").to_pybytes()
        yield b"</TD></TR>\n"
