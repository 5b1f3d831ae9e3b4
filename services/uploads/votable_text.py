"""Rows of a VOTable written as TABLEDATA: one text a cell."""

import re

import numpy as np

from services.uploads.cells import WrongValueError, numbers
from services.uploads.table import Builder, Values, arranged, shown, texts
from services.uploads.votable_columns import VoField

_CELLS = 200_000  # cells that are converted at a time
_CHARACTERS = 8 << 20  # or so many characters

# No possessive quantifiers: those of groups match too much in Python before 3.11.5.
# What may stand in a cell: no tag, no reference, nothing that XML does not allow or changes.
_TEXT = r"[^<&\x00-\x08\x0b-\x1f\ufffe\uffff]"
_SPACE = r"[ \t\r\n]*"
_CELL = re.compile(r"<TD(?:/>|>([^<]*)</TD>)")


class TextRows:
    """Gathers the cells that expat finds and converts them column by column."""

    def __init__(self, builder: Builder, fields: list[VoField]) -> None:
        self.builder = builder
        self.fields = fields
        self.width = len(fields)
        self.cells: list[str] = []
        self.text: list[str] = []
        self.size = 0  # characters of the cell that is read
        self.total = 0  # characters of the cells that wait
        cell = rf"{_SPACE}<TD(?:/>|>{_TEXT}{{0,{builder.limits.cell}}}</TD>)"
        self.rows_pattern = re.compile(rf"(?:{_SPACE}<TR>(?:{cell}){{{self.width}}}{_SPACE}</TR>)*")
        self.begun = 0  # cells of the rows that are complete
        self.depth = 0  # 1 in a TR, 2 in a TD

    @property
    def row(self) -> int:
        """Number of the row that is read."""
        return self.builder.rows + self.begun // self.width + 1

    def plain(self, piece: bytes) -> bool:
        """Take ``piece`` if it is nothing but whole rows of plain cells."""
        try:
            text = piece.decode()
        except UnicodeDecodeError:
            return False
        if self.rows_pattern.fullmatch(text) is None:
            return False
        self.cells += _CELL.findall(text)
        self.begun = len(self.cells)
        self.total += len(text)
        if self.begun >= _CELLS or self.total > _CHARACTERS:
            self.flush()
        return True

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Begin a TR or TD."""
        tag = tag.rpartition(":")[2]
        if tag != ("TR", "TD", "")[self.depth]:
            raise self.builder.refuse(f"{shown(tag)} stands where none belongs", row=self.row)
        if attributes.get("encoding"):
            raise self.builder.refuse(
                "a cell is encoded as base64; write the values as text, or as BINARY2",
                row=self.row,
            )
        self.depth += 1
        self.text.clear()
        self.size = 0

    def characters(self, text: str) -> None:
        """Take a part of a cell."""
        if self.depth != 2:
            if text.strip():
                raise self.builder.refuse(f"{shown(text)} stands between cells", row=self.row)
            return
        self.text.append(text)
        self.size += len(text)
        if self.size > self.builder.limits.cell:
            place = min(len(self.cells) - self.begun, self.width - 1)
            self.builder.check_cell(self.size, row=self.row, column=self.fields[place].field.name)

    def end(self, _: str) -> bool:
        """End a TD, a TR or, with True, the whole."""
        self.depth -= 1
        if self.depth == 1:
            self.cells.append(self.text[0] if len(self.text) == 1 else "".join(self.text))
            self.total += self.size
            if len(self.cells) - self.begun > self.width:
                raise self._ragged(self.width + 1)
            return False
        if self.depth == 0:
            count = len(self.cells) - self.begun
            if count != self.width:
                raise self._ragged(count)
            self.begun = len(self.cells)
            if self.begun >= _CELLS or self.total > _CHARACTERS:
                self.flush()
            return False
        self.flush()
        return True

    def _ragged(self, count: int) -> Exception:
        more = "more than " if count > self.width else ""
        return self.builder.refuse(
            f"it has {more}{min(count, self.width)} cells, but there are {self.width} FIELDs",
            row=self.row,
        )

    def flush(self) -> None:
        """Convert the rows that are complete."""
        rows, self.cells = self.cells, []
        self.begun = self.total = 0
        if not rows:
            return
        self.builder.add(
            [self._column(f, rows[i :: self.width]) for i, f in enumerate(self.fields)]
        )

    def _column(self, f: VoField, cells: list[str]) -> Values:
        try:
            return _values(f, cells)
        except WrongValueError as error:
            raise self.builder.refuse(
                error.why, row=self.builder.rows + error.index + 1, column=f.field.name
            ) from None


def _values(f: VoField, cells: list[str]) -> Values:
    if f.field.type == "timestamp":
        return arranged(*numbers(cells, "timestamp", f.null), len(cells))
    if f.element == "text" and f.scalar:
        return texts([c if c and c != f.null else None for c in cells])
    if f.element == "text":
        return _lists(f, cells)
    if f.scalar:
        return arranged(*numbers(cells, f.element, f.null), len(cells))
    return _arrays(f, cells)


def _lists(f: VoField, cells: list[str]) -> Values:
    boxed = np.empty(len(cells), dtype=object)
    size = f.length or 1
    for i, cell in enumerate(cells):
        parts = [cell[at : at + size].rstrip(" \0") for at in range(0, len(cell), size)]
        boxed[i] = parts or None
    return np.ma.MaskedArray(boxed, mask=[not c for c in cells])


def _arrays(f: VoField, cells: list[str]) -> Values:
    # Bits may stand without spaces between them.
    split = [list("".join(c.split())) if f.datatype == "bit" else c.split() for c in cells]
    counts = np.array([len(s) for s in split], dtype=np.int64)
    gone = counts == 0
    if f.count is not None:
        wrong = np.flatnonzero((counts != f.count) & ~gone)
        if wrong.size:
            first = int(wrong[0])
            raise WrongValueError(
                first, f"{shown(cells[first])} has {counts[first]} elements, not {f.count}"
            )
        filler = [""] * f.count
        flat = [t for s in split for t in (s or filler)]
    else:
        flat = [t for s in split for t in s]
    try:
        values, null = numbers(flat, f.element, f.null)
    except WrongValueError as error:
        row = (
            error.index // f.count
            if f.count
            else int(np.searchsorted(np.cumsum(counts), error.index, side="right"))
        )
        raise WrongValueError(row, error.why) from None
    if f.count is not None:
        return arranged(values, null, len(cells), size=f.count, gone=gone)
    return arranged(values, null, len(cells), counts=counts, gone=gone)
