"""What an uploaded table is in memory, how much of it there may be, and what is said if it is not.

Values are kept in chunks: lists of arrays, one a column, all of one length. Scalars are
``numpy.ma.MaskedArray`` of shape (n,), arrays of one length (n, k), text an object array of
``str``; arrays of several lengths, and of text, are object arrays of arrays and of lists. What is
missing is masked; so is NaN, which VOTable, FITS and Parquet writers use for it.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.uploads.names import quoted, sql_names
from skyledger.errors import UploadRefusedError

Values = Any  # numpy.ma.MaskedArray, see the module's docstring

# SQL type of a number: numpy type of its values.
NUMPY: dict[str, np.dtype[Any]] = {
    "smallint": np.dtype(np.int16),
    "integer": np.dtype(np.int32),
    "bigint": np.dtype(np.int64),
    "real": np.dtype(np.float32),
    "double precision": np.dtype(np.float64),
    "boolean": np.dtype(np.bool_),
    "timestamp": np.dtype("datetime64[us]"),
}

_MB = 1 << 20
_OBJECT = 64  # bytes of a Python object beside its content


@dataclass(frozen=True)
class Limits:
    """How large an upload may be.

    Attributes
    ----------
    sent
        Bytes of the file as it is sent.
    expanded
        Bytes of the file after decompression, and bytes that its values take in memory.
    rows, columns
        Of the table. PostgreSQL itself ends at 1600 columns and at rows of 8 kB of numbers.
    cell
        Bytes of one value: a text or an array.
    """

    sent: int = 128 * _MB
    expanded: int = 512 * _MB
    rows: int = 2_000_000
    columns: int = 1000
    cell: int = _MB


@dataclass(frozen=True)
class Field:
    """One column as its file describes it; ``name`` may still be empty or like another's."""

    name: str
    type: str
    arraysize: str | None = None
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    xtype: str | None = None
    description: str | None = None


@dataclass(frozen=True)
class UploadedColumn(Field):
    """One column of an upload.

    ``name`` is the file's; ``sql_name`` the column's in PostgreSQL: lower case, made of letters,
    digits and underscores, at most 63 bytes, and no other column's. ``type`` is a PostgreSQL type;
    ``arraysize`` is VOTable's and keeps the shape of arrays. Unit, UCD, utype and xtype are kept
    as given, None where there is none.
    """

    sql_name: str = ""

    @property
    def quoted(self) -> str:
        """The column's name as it is written into SQL, keywords and all."""
        return quoted(self.sql_name)


@dataclass(frozen=True)
class Uploaded:
    """A table that was read: its columns, and its values in chunks (see the module)."""

    name: str
    columns: tuple[UploadedColumn, ...]
    chunks: tuple[list[Values], ...]
    format: str  # votable, csv, tsv, fits, parquet

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(len(chunk[0]) for chunk in self.chunks)


@dataclass
class Builder:
    """Takes chunks from a reader and stops it where a limit is passed."""

    name: str
    limits: Limits
    fields: list[Field] = field(default_factory=list)
    chunks: list[list[Values]] = field(default_factory=list)
    rows: int = 0
    size: int = 0

    def refuse(
        self, what: str, *, row: int | None = None, column: str | None = None
    ) -> UploadRefusedError:
        """Return the error that says what is wrong where; rows count from 1."""
        at = [f"upload {shown(self.name)}"]
        if row is not None:
            at.append(f"row {row}")
        if column is not None:
            at.append(f"column {shown(column)}")
        return UploadRefusedError(f"{', '.join(at)}: {what}")

    def begin(self, fields: list[Field]) -> None:
        """Say which columns come."""
        if not fields:
            raise self.refuse("the table has no columns; send one with at least one column")
        self.check_columns(len(fields))
        for number, f in enumerate(fields, 1):
            for key in ("name", "unit", "ucd", "utype", "xtype", "description"):
                text = getattr(f, key) or ""
                if len(text) > 10_000:
                    raise self.refuse(
                        f"the {key} of column {number} has {len(text)} characters; the limit is "
                        f"10000, shorten it"
                    )
        self.fields = fields

    def check_columns(self, count: int) -> None:
        """Refuse too many columns."""
        if count > self.limits.columns:
            raise self.refuse(
                f"the table has {count} columns; the limit is {self.limits.columns}: send the "
                f"columns that the query needs, or put numbers of one kind into an array column"
            )

    def check_rows(self, count: int) -> None:
        """Refuse too many rows, for a reader that knows their number before it reads them."""
        if count > self.limits.rows:
            raise self.refuse(
                f"the table has {count} rows, the limit is {self.limits.rows}; send it in parts"
            )

    def check_cell(self, size: int, *, row: int, column: str) -> None:
        """Refuse a value that is too large, before it is read."""
        if size > self.limits.cell:
            raise self.refuse(
                f"the value takes {size} bytes; the limit is {self.limits.cell} bytes a value: "
                f"shorten it, or leave the column out",
                row=row,
                column=column,
            )

    def add(self, arrays: list[Values]) -> None:
        """Keep the next chunk."""
        if not len(arrays[0]):
            return
        kept = [_without_nan(a) for a in arrays]
        for f, values in zip(self.fields, kept, strict=True):
            self._check_texts(f, values)
            self.size += _bytes(values)
        if self.size > self.limits.expanded:
            raise self.refuse(
                f"its values take more than the {self.limits.expanded} bytes allowed (at row "
                f"{self.rows + len(arrays[0])}); send it in parts, or fewer columns"
            )
        self.rows += len(arrays[0])
        if self.rows > self.limits.rows:
            raise self.refuse(
                f"the table has more than {self.limits.rows} rows, which is the limit; send it in "
                f"parts"
            )
        self.chunks.append(kept)

    def _check_texts(self, f: Field, values: Values) -> None:
        if f.type != "text":
            return
        for number, text in enumerate(values.data):
            if text is not None and "\0" in text:
                raise self.refuse(
                    f"{shown(text)} holds a zero byte, which PostgreSQL cannot store; remove it",
                    row=self.rows + number + 1,
                    column=f.name,
                )

    def done(self, kind: str) -> Uploaded:
        """Return the whole table."""
        names = sql_names([f.name for f in self.fields])
        columns = tuple(
            UploadedColumn(
                name=f.name or sql,
                type=f.type,
                arraysize=f.arraysize,
                unit=_clean(f.unit),
                ucd=_clean(f.ucd),
                utype=_clean(f.utype),
                xtype=_clean(f.xtype),
                description=_clean(f.description),
                sql_name=sql,
            )
            for f, sql in zip(self.fields, names, strict=True)
        )
        return Uploaded(self.name, columns, tuple(self.chunks), kind)


def shown(text: str) -> str:
    """Return a value for a message: short, on one line, nothing in it that a terminal obeys."""
    kept = text if len(text) <= 60 else f"{text[:57]}..."
    return repr(kept)


def _clean(text: str | None) -> str | None:
    """Metadata as one line of printable characters; None if nothing is left."""
    if not text:
        return None
    return " ".join("".join(c if c.isprintable() else " " for c in text).split()) or None


def _bytes(values: Values) -> int:
    """Memory that a column takes."""
    data = values.data
    if data.dtype != object:
        return int(data.nbytes) + len(values) * (1 if values.mask is not np.ma.nomask else 0)
    total = len(data) * (8 + _OBJECT)
    for v in data:
        if isinstance(v, np.ndarray):
            total += v.nbytes + _OBJECT
        elif v is not None:
            total += len(v) if isinstance(v, str) else sum(len(t or "") + _OBJECT for t in v)
    return total


def _without_nan(values: Values) -> Values:
    """Mask NaN and NaT, which are how files say that nothing was measured."""
    if values.dtype == object:
        for number, v in enumerate(values.data):
            if isinstance(v, np.ndarray) and v.dtype.kind in "fM":
                gone = np.isnat(v) if v.dtype.kind == "M" else np.isnan(v)
                if gone.any():
                    values.data[number] = np.ma.MaskedArray(v, mask=np.ma.getmaskarray(v) | gone)
        return values
    if values.dtype.kind in "fM":
        gone = np.isnat(values.data) if values.dtype.kind == "M" else np.isnan(values.data)
        if gone.any():
            return np.ma.MaskedArray(values.data, mask=np.ma.getmaskarray(values) | gone)
    return values


def arranged(
    values: NDArray[Any],
    null: NDArray[np.bool_] | None,
    n: int,
    *,
    size: int | None = None,
    counts: NDArray[np.int64] | None = None,
    gone: NDArray[np.bool_] | None = None,
) -> Values:
    """Put a flat run of elements into a column of ``n`` rows.

    Parameters
    ----------
    values, null
        Elements one after the other, and which of them are missing.
    size
        Elements a row, for arrays of one length; with ``counts`` None too, one element a row.
    counts
        Elements of each row, for arrays of several lengths.
    gone
        Rows that are missing as a whole.
    """
    if counts is not None:
        boxed = np.empty(n, dtype=object)
        ends = np.cumsum(counts)
        holes = null is not None and bool(null.any())
        for i, (end, count) in enumerate(zip(ends.tolist(), counts.tolist(), strict=True)):
            piece = values[end - count : end]
            if holes and null is not None and null[end - count : end].any():
                boxed[i] = np.ma.MaskedArray(piece, mask=null[end - count : end])
            else:
                boxed[i] = piece
        return np.ma.MaskedArray(boxed, mask=False if gone is None else gone)
    if size is None:
        mask = null if gone is None else gone if null is None else null | gone
        return np.ma.MaskedArray(values, mask=np.ma.nomask if mask is None else mask)
    grid = np.zeros((n, size), bool) if null is None else null.reshape(n, size)
    if gone is not None:
        grid = grid | gone[:, None]
    return np.ma.MaskedArray(values.reshape(n, size), mask=grid)


def texts(items: list[str | None]) -> Values:
    """Column of text; None is missing."""
    boxed = np.empty(len(items), dtype=object)
    boxed[:] = items
    return np.ma.MaskedArray(boxed, mask=np.array([v is None for v in items], dtype=bool))
