"""CSV and TSV (RFC 4180), and JSON."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from services.formats import text
from services.formats.base import Writer
from services.formats.statement import Statement
from services.formats.votable import attributes
from skyledger.answers import ResultColumn


class Delimited(Writer):
    """CSV: a NULL is nothing, an empty text is ``""``, numbers have every digit they need."""

    separator = ","
    header = True

    def __init__(self, columns: Sequence[ResultColumn], statement: Statement) -> None:
        super().__init__(columns, statement)
        self.style = text.Style(
            ("NaN", "Infinity", "-Infinity"),
            "[",
            ",",
            "]",
            "null",
            self._quoted,
            self._quoted,
        )
        # A line of nothing is no row to most readers.
        self.null = '""' if len(self.columns) == 1 else ""

    def _quoted(self, found: pa.Array) -> pa.Array:
        special = self.separator + '"\r\n'
        doubtful = pc.equal(pc.binary_length(found), 0)
        if text.contains(found, special.encode()):
            doubtful = pc.or_(doubtful, pc.match_substring_regex(found, f"[{special}]"))
        elif not pc.any(doubtful).as_py():
            return found
        doubled = pc.replace_substring(found, pattern='"', replacement='""')
        return pc.if_else(doubtful, pc.binary_join_element_wise('"', doubled, '"', ""), found)

    def head(self) -> Iterator[bytes]:
        """Yield the names."""
        if self.header and self.columns:
            names = self._quoted(pa.array([c.name for c in self.columns])).to_pylist()
            yield (self.separator.join(names) + "\r\n").encode()

    def block(self, values: list[Any], n: int) -> Iterator[bytes]:
        """Yield lines."""
        del n
        written = [
            text.strings(about, value, self.style)
            for about, value in zip(self.fields, values, strict=True)
        ]
        yield text.rows(written, self.separator, "\r\n", self.null).to_pybytes()
        yield b"\r\n"


class HeadlessDelimited(Delimited):
    """CSV without the names of the columns."""

    header = False


class TabDelimited(Delimited):
    """The same with tabs."""

    separator = "\t"


_encode = json.JSONEncoder(ensure_ascii=False).encode


def _json_texts(found: pa.Array) -> pa.Array:
    listed = found.to_pylist()
    return pa.array([None if v is None else _encode(v) for v in listed], type=pa.string())


class Json(Writer):
    """An object of ``metadata`` (the columns), ``data`` (lists of values) and ``info``.

    Rows are lists, as a name may occur twice and none needs to be repeated in every row.
    """

    tells_failure = True
    style = text.Style(
        (None, None, None), "[", ",", "]", "null", _json_texts, None, '"', nested=True
    )

    def __init__(self, columns: Sequence[ResultColumn], statement: Statement) -> None:
        super().__init__(columns, statement)
        self.begun = False

    def head(self) -> Iterator[bytes]:
        """Yield what is known of the columns."""
        # Readers such as astroquery's take it for granted that each column has these two.
        listed = [
            {**attributes(about), "unit": column.unit, "description": column.description}
            for about, column in zip(self.fields, self.columns, strict=True)
        ]
        yield b'{"metadata": ' + json.dumps(listed, ensure_ascii=False).encode() + b',\n"data": ['

    def block(self, values: list[Any], n: int) -> Iterator[bytes]:
        """Yield lists."""
        del n
        written = [
            text.strings(about, value, self.style)
            for about, value in zip(self.fields, values, strict=True)
        ]
        yield b",\n[" if self.begun else b"\n["
        yield text.rows(written, ",", "],\n[", "null").to_pybytes()
        yield b"]"
        self.begun = True

    def foot(self) -> Iterator[bytes]:
        """Yield origin and status."""
        said = dict(self.statement.said())
        status = self.statement.status() or ("OK", "")
        said["QUERY_STATUS"] = status[0]
        if status[1]:
            said["message"] = status[1]
        yield b'\n],\n"info": ' + json.dumps(said, ensure_ascii=False).encode() + b"}\n"
