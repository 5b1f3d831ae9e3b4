"""Parquet, with the head of a VOTable inside (VOParquet 1.0)."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from services.formats.base import Writer
from services.formats.columns import Field, arrays, mask_of, texts
from services.formats.statement import Statement
from services.formats.votable import attributes, metadata_document
from skyledger.answers import ResultColumn

_GROUP = 1 << 17  # rows
_BYTES = 32 << 20  # bytes held at most before a row group is written

_TYPES = {
    "i2": pa.int16(),
    "i4": pa.int32(),
    "i8": pa.int64(),
    "f4": pa.float32(),
    "f8": pa.float64(),
    "b1": pa.bool_(),
}


def _type(about: Field) -> pa.DataType:
    if about.code:
        kind = _TYPES[about.code]
        return kind if about.array is None else pa.list_(kind)
    if about.kind == "timestamp":
        return pa.timestamp("us")
    if about.column.type == "text[]":
        return pa.list_(pa.string())
    return pa.string() if about.kind == "text" else pa.binary()


def _column(about: Field, values: Any) -> pa.Array:
    if about.array is not None:
        given = arrays(about, values)
        flat = pa.array(given.flat, mask=given.gone)
        ends = pa.array(given.ends, type=pa.int32())
        return pa.ListArray.from_arrays(ends, flat, mask=pa.array(given.missing))
    mask = mask_of(values)
    if about.code:
        return pa.array(np.ascontiguousarray(values.data, about.code), mask=mask)
    if about.kind == "timestamp":
        return pa.array(np.ascontiguousarray(values.data, "datetime64[us]"), mask=mask)
    if about.kind == "text" and about.column.type != "text[]":
        return pa.array(texts(values), type=pa.string())
    return pa.array(values.data.tolist(), mask=mask, type=_type(about))


class _Sink:
    """File that hands on what was written to it."""

    closed = False

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.at = 0

    def write(self, data: Any) -> int:
        self.parts.append(bytes(data))
        self.at += len(data)
        return len(data)

    def tell(self) -> int:
        return self.at

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        self.closed = True

    def taken(self) -> bytes:
        found = b"".join(self.parts)
        self.parts = []
        return found


class Parquet(Writer):
    """Row groups of some 100,000 rows; NULL is NULL, and a timestamp a timestamp.

    Files of Parquet end with their metadata, where origin and status stand.
    """

    def __init__(self, columns: Sequence[ResultColumn], statement: Statement) -> None:
        super().__init__(columns, statement)
        listed = []
        for about in self.fields:
            known = attributes(about)
            words = {k: known.get(k) for k in ("unit", "ucd", "utype", "xtype")}
            words["description"] = about.column.description
            kept = {k: v for k, v in words.items() if v}
            listed.append(pa.field(about.column.name, _type(about), metadata=kept))
        instant = statement.instant.isoformat() if statement.instant else ""
        origin = {"database": statement.database or "", "as_of": instant}
        self.schema = pa.schema(listed, metadata={k: v for k, v in origin.items() if v})
        self.sink = _Sink()
        self.writer: Any = None
        self.held: list[pa.RecordBatch] = []

    def head(self) -> Iterator[bytes]:
        """Yield the magic number."""
        # Dictionaries pay for texts that repeat, hardly for measured numbers.
        texts_here = [f.column.name for f in self.fields if f.kind == "text"]
        self.writer = pq.ParquetWriter(
            pa.PythonFile(self.sink, mode="w"), self.schema, use_dictionary=texts_here or False
        )
        yield self.sink.taken()

    def block(self, values: list[Any], n: int) -> Iterator[bytes]:
        """Keep rows until they make a row group, and yield that."""
        del n
        found = [_column(f, v) for f, v in zip(self.fields, values, strict=True)]
        self.held.append(pa.RecordBatch.from_arrays(found, schema=self.schema))
        rows, size = sum(b.num_rows for b in self.held), sum(b.nbytes for b in self.held)
        if rows >= _GROUP or size >= _BYTES:
            yield self._group()

    def _group(self) -> bytes:
        if self.held:
            self.writer.write_table(pa.Table.from_batches(self.held, self.schema))
        self.held = []
        return self.sink.taken()

    def foot(self) -> Iterator[bytes]:
        """Yield the last row group and the metadata."""
        yield self._group()
        said = dict(self.statement.said())
        if status := self.statement.status():
            said["QUERY_STATUS"] = status[0]
        said["IVOA.VOTable-Parquet.version"] = "1.0"
        said["IVOA.VOTable-Parquet.content"] = metadata_document(self).decode()
        self.writer.add_key_value_metadata(said)
        self.writer.close()
        yield self.sink.taken()
