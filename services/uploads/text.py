"""Comma and tab separated values: a line of names, then rows; the types are those of the values.

A column is a bigint if every value is a whole number in its range without leading zeros, double
precision if every value is a number, boolean if each is true or false, a timestamp if each is an
ISO date or time, and text otherwise. Empty cells are missing and say nothing about the type.
"""

import csv
import io
from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from services.uploads.cells import numbers, plain_cast
from services.uploads.table import Builder, Field, Values, arranged, shown, texts

_ROWS = 20_000  # rows that are converted at a time
_CHARACTERS = 8 << 20  # or so many characters
_LINE = 4  # a line may be so many times as long as a value

_INTEGER = r"^[+-]?[0-9]{1,19}$"
_LEADING_ZERO = r"^[+-]?0[0-9]"
_WHOLE = r"^[+-]?[0-9]+$"
_FLOAT = r"(?i)^([+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]{1,4})?|[+-]?inf(inity)?|nan)$"
_TRUTH = r"(?i)^(true|false)$"
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?)?[zZ]?$"


class _Lines:
    """Lines of a text of which none is too long; the zeroth and its comments are the header's."""

    def __init__(self, file: BinaryIO, builder: Builder, charset: str) -> None:
        self.builder = builder
        self.charset = charset
        self.number = 0
        self.characters = 0
        self.longest = _LINE * builder.limits.cell
        try:
            self.text = io.TextIOWrapper(file, encoding=charset, errors="strict", newline="")
        except LookupError:
            raise builder.refuse(f"there is no encoding {shown(charset)}; send UTF-8") from None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            line = self.text.readline(self.longest + 1)
        except UnicodeError as error:
            raise self.builder.refuse(
                f"the text after line {self.number} is not {self.charset} ({error}); save it as "
                f"UTF-8, or name its encoding: Content-Type: text/csv; charset=iso-8859-1"
            ) from None
        if not line:
            raise StopIteration
        self.number += 1
        self.characters += len(line)
        if len(line) > self.longest:
            raise self.builder.refuse(
                f"line {self.number} has more than {self.longest} characters, which is the limit; "
                f"shorten it, or end lines by a newline"
            )
        return line


def _header(lines: _Lines) -> str:
    for line in lines:
        if line.strip() and not line.startswith("#"):
            return line
    raise lines.builder.refuse(
        "the file is empty; send a line with the names of the columns, then rows"
    )


def read_text(file: BinaryIO, builder: Builder, charset: str, delimiter: str | None) -> str:
    """Read a table in CSV or TSV; returns which it was.

    Parameters
    ----------
    file
        Open at its first byte.
    builder
        Is told the columns and given the rows.
    charset
        Encoding of the text.
    delimiter
        What stands between values; None to see it in the header.

    Raises
    ------
    UploadRefusedError
        If it is empty, has no header, rows of several lengths or quotes that do not end, is not
        in its encoding, or passes a limit.
    """
    lines = _Lines(file, builder, charset)
    try:
        return _table(lines, builder, delimiter)
    finally:
        lines.text.detach()  # else it closes the file when it goes


def _table(lines: _Lines, builder: Builder, delimiter: str | None) -> str:
    try:
        first = _header(lines)
        delimiter = delimiter or ("\t" if "\t" in first else ",")
        # The limit is one of the whole process; it is never made smaller.
        csv.field_size_limit(max(csv.field_size_limit(), builder.limits.cell))
        rows = csv.reader(_again(first, lines), delimiter=delimiter, strict=True)
        names = [name.strip() for name in next(rows)]
        builder.check_columns(len(names))
        if not any(names):
            raise builder.refuse(f"its first line, {shown(first)}, has no names of columns")
        columns = _columns(rows, lines, builder, names)
    except csv.Error as error:
        raise builder.refuse(
            f"line {lines.number} cannot be read: {error} (a value has at most "
            f"{builder.limits.cell} characters, a quote within quotes is doubled)"
        ) from None
    types = [_type_of(column) for column in columns]
    builder.begin([Field(name, kind) for name, kind in zip(names, types, strict=True)])
    for number in range(columns[0].num_chunks if columns else 0):
        builder.add(
            [_values(c.chunk(number), kind) for c, kind in zip(columns, types, strict=True)]
        )
    return "tsv" if delimiter == "\t" else "csv"


def _again(first: str, lines: _Lines) -> Iterator[str]:
    yield first
    yield from lines


def _columns(rows: Any, lines: _Lines, builder: Builder, names: list[str]) -> list[Any]:
    """All values as text, by column: compact, so that the types can be known before the rows."""
    width = len(names)
    chunks: list[list[Any]] = [[] for _ in names]
    waiting: list[list[str]] = []
    count = size = 0
    many = max(1, min(_ROWS, 500_000 // width))

    def keep() -> None:
        nonlocal size
        for place, values in enumerate(zip(*waiting, strict=True)):
            array = pa.array(values, pa.string())
            size += array.nbytes
            chunks[place].append(array)
        waiting.clear()
        if size > builder.limits.expanded:
            raise builder.refuse(
                f"its values take more than the {builder.limits.expanded} bytes allowed at line "
                f"{lines.number}; send it in parts"
            )

    started = lines.number
    read = kept = lines.characters
    for row in rows:
        if not row and width > 1:  # an empty line
            started = lines.number
            continue
        if len(row) != width and (row or width > 1):
            raise builder.refuse(
                f"line {started + 1} has {len(row)} values, the header has {width}; put quotes "
                f"around a value that holds the separator",
                row=count + 1,
            )
        started = lines.number
        count += 1
        if count > builder.limits.rows:
            builder.check_rows(count)
        if lines.characters - read > builder.limits.cell // 4:  # else no value is too long
            for place, value in enumerate(row):
                builder.check_cell(len(value.encode()), row=count, column=names[place])
        read = lines.characters
        waiting.append(row or [""])
        if len(waiting) >= many or read - kept > _CHARACTERS:
            keep()
            kept = read
    if waiting:
        keep()
    return [pa.chunked_array(c, pa.string()) for c in chunks]


def _type_of(column: Any) -> str:
    """Return the narrowest type that holds every value."""
    values = pc.utf8_trim_whitespace(column)
    values = pc.filter(values, pc.not_equal(values, ""))
    if not len(values):
        return "text"

    def every(pattern: str) -> bool:
        return bool(pc.all(pc.match_substring_regex(values, pattern)).as_py())

    if every(_WHOLE):
        if not every(_INTEGER) or pc.any(pc.match_substring_regex(values, _LEADING_ZERO)).as_py():
            return "text"
        unsigned = pc.replace_substring_regex(values, pattern=r"^\+", replacement="")
        return "bigint" if _holds(unsigned, "bigint") else "text"
    if every(_FLOAT):
        unsigned = pc.replace_substring_regex(values, pattern=r"^\+", replacement="")
        return "double precision" if _holds(unsigned, "double precision") else "text"
    if every(_TRUTH):
        return "boolean"
    if every(_TIME):
        plain = pc.replace_substring_regex(values, pattern="[zZ]$", replacement="")
        plain = pc.replace_substring_regex(plain, pattern=r"(\.\d{6})\d+", replacement=r"\1")
        return "timestamp" if _holds(plain, "timestamp") else "text"
    return "text"


def _holds(values: Any, kind: str) -> bool:
    try:
        plain_cast(values, kind)
    except pa.ArrowInvalid:
        return False
    return True


def _values(chunk: Any, kind: str) -> Values:
    if kind == "text":
        return texts([v or None for v in chunk.to_pylist()])
    return arranged(*numbers(chunk, kind), len(chunk))
