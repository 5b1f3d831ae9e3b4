"""FITS binary tables (FITS standard 4.0, section 7.3).

The header comes first and says how many rows there are and how long the longest text is: rows go to
a temporary file, by column, and are put in order when all are there. Nothing is yielded before
that, so that a query that fails can still be answered by a message alone.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from services.formats.base import Writer
from services.formats.columns import Field, arrays, mask_of, pieces, texts, timestamps, unique
from services.formats.statement import Statement
from skyledger.answers import ResultColumn
from skyledger.errors import DataRejectedError, UsageError

_BLOCK = 2880
_MOST = 999  # columns of a table
_CODES = {"i2": "I", "i4": "J", "i8": "K", "f4": "E", "f8": "D"}
_MISSING_LOGICAL = 255


def ascii_only(text: str) -> str:
    r"""Text in the characters FITS allows: printable ASCII, others as ``\xe9`` or ``\u03b1``."""
    if text.isascii() and text.isprintable():
        return text
    escaped = text.encode("ascii", "backslashreplace").decode()
    return "".join(c if " " <= c <= "~" else f"\\x{ord(c):02x}" for c in escaped)


@dataclass
class _Seen:
    """What is known of a column when all its rows have come."""

    widest: int = 0  # bytes or elements
    narrowest: int | None = None
    total: int = 0  # elements
    missing: bool = False  # an element is NULL
    absent: bool = False  # a whole array is NULL
    least: int | None = None
    most: int | None = None

    def sizes(self, found: NDArray[np.int64]) -> None:
        if not len(found):
            return
        self.widest = max(self.widest, int(found.max()))
        low = int(found.min())
        self.narrowest = low if self.narrowest is None else min(self.narrowest, low)
        self.total += int(found.sum())

    def values(self, flat: Any, gone: Any) -> None:
        self.missing = self.missing or bool(gone.any())
        there = flat[~gone] if gone.any() else flat
        if len(there):
            least, most = int(there.min()), int(there.max())
            self.least = least if self.least is None else min(self.least, least)
            self.most = most if self.most is None else max(self.most, most)


@dataclass
class _Part:
    """Column of one block in the temporary file.

    ``flat`` and ``gone`` lie one behind the other, after ``sizes`` where rows differ in size.
    """

    place: int
    kind: np.dtype[Any]
    elements: int
    sized: bool
    masked: bool


class FitsTable(Writer):
    """One table after an empty primary HDU."""

    def __init__(self, columns: Sequence[ResultColumn], statement: Statement) -> None:
        super().__init__(columns, statement)
        if len(columns) > _MOST:
            raise UsageError(
                f"the answer has {len(columns)} columns and FITS holds {_MOST}; ask for fewer, or "
                f"for another format"
            )
        self.seen = [_Seen() for _ in columns]
        self.spool = tempfile.TemporaryFile()  # noqa: SIM115 - see close
        self.blocks: list[tuple[int, list[_Part]]] = []

    def block(self, values: list[Any], n: int) -> Iterator[bytes]:
        """Keep rows in the temporary file."""
        parts = [
            self._kept(about, value, seen)
            for about, value, seen in zip(self.fields, values, self.seen, strict=True)
        ]
        self.blocks.append((n, parts))
        yield from ()

    def _kept(self, about: Field, values: Any, seen: _Seen) -> _Part:
        if about.kind == "timestamp":
            return self._spooled(timestamps(about, values))
        if about.kind == "text":
            listed = [b"" if t is None else ascii_only(t).encode() for t in texts(values)]
            return self._pieces(listed, seen)
        if about.kind == "bytes":
            return self._pieces(pieces(values), seen)
        if about.array is None:
            flat, gone, sizes = np.asarray(values.data, about.code), mask_of(values), None
        else:
            given = arrays(about, values)
            flat, gone, sizes = given.flat, given.gone, given.sizes
            seen.sizes(sizes if about.array else sizes[~given.missing])
            seen.absent = seen.absent or bool(given.missing.any())
        if about.kind == "boolean":
            seen.missing = seen.missing or bool(gone.any())
        elif about.integer:
            seen.values(flat, gone)
        elif gone.any():
            flat, gone = np.where(gone, np.array(np.nan, about.code), flat), gone[:0]
        return self._spooled(flat, gone if gone.any() else None, sizes)

    def _pieces(self, found: list[bytes], seen: _Seen) -> _Part:
        sizes = np.fromiter(map(len, found), np.int64, len(found))
        seen.sizes(sizes)
        return self._spooled(np.frombuffer(b"".join(found), np.uint8), None, sizes)

    def _spooled(self, flat: Any, gone: Any = None, sizes: Any = None) -> _Part:
        place = self.spool.tell()
        if sizes is not None:
            self.spool.write(np.ascontiguousarray(sizes, np.int64).data)
        self.spool.write(np.ascontiguousarray(flat).data.cast("B") if flat.size else b"")
        if gone is not None:
            self.spool.write(np.ascontiguousarray(gone).data.cast("B"))
        return _Part(place, flat.dtype, flat.size, sizes is not None, gone is not None)

    def _read(self, part: _Part, n: int) -> tuple[Any, Any, Any]:
        self.spool.seek(part.place)
        sizes = np.frombuffer(self.spool.read(8 * n), np.int64) if part.sized else None
        flat = np.frombuffer(self.spool.read(part.elements * part.kind.itemsize), part.kind)
        gone = np.frombuffer(self.spool.read(part.elements), bool) if part.masked else None
        return flat, gone, sizes

    def _nulls(self) -> list[int | None]:
        """Choose the number that stands for NULL in each column that needs one."""
        found: list[int | None] = []
        for about, seen in zip(self.fields, self.seen, strict=True):
            null = None
            needed = seen.missing or (seen.absent and self._fixed(about, seen))
            if needed and about.kind == "boolean":
                null = _MISSING_LOGICAL
            elif needed and about.integer:
                limits = np.iinfo(about.code)
                null = limits.min
                if seen.least == limits.min:
                    null = limits.max
                    if seen.most == limits.max:
                        raise DataRejectedError(
                            f"{about.column.name} holds NULL and both {limits.min} and "
                            f"{limits.max}, of which FITS needs one for NULL; ask for VOTable"
                        )
            found.append(null)
        return found

    def _fixed(self, about: Field, seen: _Seen) -> bool:
        """Whether each row of a column takes the same room."""
        if about.kind == "bytes":
            return False
        if about.array is None or seen.narrowest in {None, seen.widest}:
            return True
        # Readers know no NULL in arrays of any length: rows are filled up with NULL then.
        return seen.missing and about.code[0] != "f"

    def _form(self, about: Field, seen: _Seen, null: int | None) -> tuple[str, Any]:
        """TFORM of a column, and its numpy type in a row."""
        if about.kind == "timestamp":
            return "26A", "S26"
        if about.kind == "text":
            width = max(seen.widest, 1)
            return f"{width}A", f"S{width}"
        if about.kind == "bytes":
            return f"QB({seen.widest})", (">i8", (2,))
        if about.kind == "boolean":
            letter, kind = ("L" if null is None else "B"), "u1"
        else:
            letter, kind = _CODES[about.code], f">{about.code}"
        if about.array is None:
            return letter, kind
        if self._fixed(about, seen):
            return f"{seen.widest}{letter}", (kind, (seen.widest,))
        return f"Q{letter}({seen.widest})", (">i8", (2,))

    def _elements(self, about: Field, null: int | None, flat: Any, gone: Any) -> Any:
        if about.kind == "boolean":
            if null is None:
                return np.where(flat, np.uint8(ord("T")), np.uint8(ord("F")))
            flat = flat.astype(np.uint8)
        if gone is None:
            return flat
        return np.where(gone, np.array(null, dtype=flat.dtype), flat)

    def close(self) -> None:
        """Remove the temporary file."""
        self.spool.close()

    def foot(self) -> Iterator[bytes]:
        """Yield the whole file."""
        nulls = self._nulls()
        forms = [
            self._form(f, s, null) for f, s, null in zip(self.fields, self.seen, nulls, strict=True)
        ]
        row = np.dtype([(f"{k}", *_kind(kind)) for k, (_, kind) in enumerate(forms)])
        n = sum(rows for rows, _ in self.blocks)
        apart = [
            k
            for k, (f, s) in enumerate(zip(self.fields, self.seen, strict=True))
            if not self._fixed(f, s)
        ]
        heap = sum(self.seen[k].total * self._width(k) for k in apart)
        primary = fits.PrimaryHDU().header
        primary["EXTEND"] = True
        yield primary.tostring().encode()
        yield self._header(row.itemsize, n, heap, forms, nulls).tostring().encode()
        size = 0
        starts = {
            k: sum(self.seen[j].total * self._width(j) for j in apart if j < k) for k in apart
        }
        for rows, parts in self.blocks:
            out = np.zeros(rows, dtype=row)
            for k, (about, part) in enumerate(zip(self.fields, parts, strict=True)):
                flat, gone, sizes = self._read(part, rows)
                if k in starts:
                    ends = np.cumsum(sizes)
                    out[f"{k}"][:, 0] = sizes
                    out[f"{k}"][:, 1] = starts[k] + (ends - sizes) * self._width(k)
                    starts[k] += int(ends[-1]) * self._width(k)
                else:
                    found = self._elements(about, nulls[k], flat, gone)
                    out[f"{k}"] = self._filled(out[f"{k}"], found, sizes, nulls[k])
            yield out.tobytes()
            size += out.nbytes
        for k in apart:
            for rows, parts in self.blocks:
                flat, gone, _ = self._read(parts[k], rows)
                found = self._elements(self.fields[k], nulls[k], flat, gone)
                raw = found.astype(found.dtype.newbyteorder(">")).tobytes()
                yield raw
                size += len(raw)
        yield bytes(-size % _BLOCK)

    @staticmethod
    def _filled(place: Any, found: Any, sizes: Any, null: int | None) -> Any:
        """Rows in the shape they have in the table; shorter ones are filled up."""
        if sizes is None:
            return found
        texts = place.dtype.kind == "S"
        width = place.dtype.itemsize if texts else place.shape[1]
        if (sizes == width).all():
            rows = found.reshape(len(sizes), width)
        else:
            filler = np.nan if found.dtype.kind == "f" else null or 0
            rows = np.full((len(sizes), width), filler, dtype=found.dtype)
            rows[np.arange(width) < sizes[:, None]] = found
        return rows.view(place.dtype).ravel() if texts else rows

    def _width(self, k: int) -> int:
        code = self.fields[k].code
        return np.dtype(code).itemsize if code else 1

    def _header(
        self, width: int, n: int, heap: int, forms: Sequence[tuple[str, Any]], nulls: Sequence[Any]
    ) -> Any:
        header = fits.Header()
        header["XTENSION"] = ("BINTABLE", "binary table")
        header["BITPIX"] = 8
        header["NAXIS"] = 2
        header["NAXIS1"] = (width, "bytes of a row")
        header["NAXIS2"] = (n, "rows")
        header["PCOUNT"] = (heap, "bytes after the table")
        header["GCOUNT"] = 1
        header["TFIELDS"] = len(self.fields)
        header["EXTNAME"] = "RESULT"
        names = unique([ascii_only(c.name) or f"column_{k}" for k, c in enumerate(self.columns, 1)])
        for k, (about, name) in enumerate(zip(self.fields, names, strict=True)):
            column = about.column
            known = {
                "TTYPE": name,
                "TFORM": forms[k][0],
                "TNULL": nulls[k],
                "TUNIT": column.unit,
                "TUCD": column.ucd,
                "TUTYP": column.utype,
                "TXTYP": about.xtype,
                "TCOMM": column.description,
            }
            for keyword, value in known.items():
                if value is not None and value != "":
                    told = ascii_only(value) if isinstance(value, str) else value
                    header[f"{keyword}{k + 1}"] = told
        keywords = {"database": "DATABASE", "asof": "ASOF", "query": "QUERY"}
        keywords |= {"citation": "CITATION", "server": "SERVER"}
        for word, value in self.statement.said():
            if word in keywords:
                header[keywords[word]] = ascii_only(value)
            else:
                header.add_comment(ascii_only(f"{word}: {value}"))
        if self.statement.overflow:
            header["OVERFLOW"] = (True, "more rows were found than are given")
        return header


def _kind(kind: Any) -> tuple[Any, ...]:
    return kind if isinstance(kind, tuple) else (kind,)
