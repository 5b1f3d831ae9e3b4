"""Answers as files: CSV, VOTable, FITS, Parquet; with units, UCDs and the instant."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.io import fits
from astropy.io.votable.tree import Info, VOTableFile
from astropy.table import MaskedColumn, Table

from services.query import Answer, ResultColumn
from skyledger.errors import UsageError

_NUMPY: dict[str, Any] = {
    "bigint": np.int64,
    "integer": np.int32,
    "smallint": np.int16,
    "real": np.float32,
    "double precision": np.float64,
    "boolean": np.bool_,
}


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, list | dict):
        return json.dumps(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _column(column: ResultColumn, values: list[Any]) -> MaskedColumn:
    missing = [v is None for v in values]
    described = {"unit": column.unit, "description": column.description}
    if column.type in _NUMPY:
        kind = np.dtype(_NUMPY[column.type])
        data = np.array([0 if v is None else v for v in values], dtype=kind)
        return MaskedColumn(data, mask=missing, name=column.name, **described)
    element = _NUMPY.get(column.type.removesuffix("[]"))
    sizes = {len(v) for v in values if v is not None}
    if column.type.endswith("[]") and element is not None and len(sizes) == 1:
        size = sizes.pop()
        filled = [[None] * size if v is None else v for v in values]
        data = np.array([[0 if e is None else e for e in v] for v in filled], dtype=element)
        mask = [[e is None for e in v] for v in filled]
        return MaskedColumn(data, mask=mask, name=column.name, **described)
    texts = np.array([_text(v) for v in values], dtype=str)
    return MaskedColumn(texts, mask=missing, name=column.name, description=column.description)


def _transposed(answer: Answer) -> list[list[Any]]:
    return [[row[k] for row in answer.rows] for k in range(len(answer.columns))]


def to_table(answer: Answer) -> Table:
    """Answer as an astropy Table with units; the instant is in ``meta``."""
    table = Table(meta={"database": answer.database, "as_of": answer.instant.isoformat()})
    columns = _transposed(answer)
    for column, values in zip(answer.columns, columns, strict=True):
        name = column.name
        while name in table.colnames:
            name += "_"
        table[name] = _column(column, values)
    return table


def _csv(answer: Answer) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([c.name for c in answer.columns])
    writer.writerows([_text(v) for v in row] for row in answer.rows)
    return text.getvalue().encode()


def _votable(answer: Answer) -> bytes:
    document = VOTableFile.from_table(to_table(answer))
    ucds = {c.name: c.ucd for c in answer.columns}
    for field in document.get_first_table().fields:
        if ucds.get(field.name):
            field.ucd = ucds[field.name]
    resource = document.resources[0]
    resource.infos.append(Info(name="QUERY_STATUS", value="OK"))
    resource.infos.append(Info(name="database", value=answer.database))
    resource.infos.append(Info(name="asof", value=answer.instant.isoformat()))
    out = io.BytesIO()
    document.to_xml(out)
    return out.getvalue()


def _fits(answer: Answer) -> bytes:
    table = to_table(answer)
    for name in table.colnames:
        # FITS readers know no missing logical value: 0 and 1 then, with a number for missing.
        if table[name].dtype == bool and np.any(table[name].mask):
            table[name] = MaskedColumn(table[name], dtype=np.int16, fill_value=-1)
    hdu = fits.table_to_hdu(table)
    hdu.header["DATABASE"] = (answer.database, "Skyledger database")
    hdu.header["ASOF"] = (answer.instant.isoformat(), "[TAI] instant of the answer")
    for number, column in enumerate(answer.columns, start=1):
        if column.ucd:
            hdu.header[f"TUCD{number}"] = column.ucd
    out = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(out)
    return out.getvalue()


_ARROW = {
    "bigint": pa.int64(),
    "integer": pa.int32(),
    "smallint": pa.int16(),
    "real": pa.float32(),
    "double precision": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us"),
    "bytea": pa.binary(),
}


def _arrow_type(kind: str) -> pa.DataType:
    if kind.endswith("[]"):
        return pa.list_(_ARROW.get(kind[:-2], pa.string()))
    return _ARROW.get(kind, pa.string())


def _parquet(answer: Answer) -> bytes:
    columns = _transposed(answer)
    fields, arrays = [], []
    for column, values in zip(answer.columns, columns, strict=True):
        kind = _arrow_type(column.type)
        given = values
        if kind == pa.string():
            given = [None if v is None else _text(v) for v in given]
        elif kind == pa.binary():
            given = [None if v is None else bytes(v) for v in given]
        elif kind == pa.float64():
            given = [None if v is None else float(v) for v in given]
        words = {"unit": column.unit, "ucd": column.ucd, "description": column.description}
        fields.append(pa.field(column.name, kind, metadata={k: v for k, v in words.items() if v}))
        arrays.append(pa.array(given, type=kind))
    schema = pa.schema(
        fields, metadata={"database": answer.database, "as_of": answer.instant.isoformat()}
    )
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), out)
    return out.getvalue()


_WRITERS: dict[str, Callable[[Answer], bytes]] = {
    "csv": _csv,
    "votable": _votable,
    "fits": _fits,
    "parquet": _parquet,
}
NAMES = tuple(_WRITERS)


def write(answer: Answer, name: str) -> bytes:
    """Return an answer as the bytes of a file in format ``csv``, ``votable``, ``fits`` ...

    Raises
    ------
    UsageError
        If there is no such format.
    """
    if name not in _WRITERS:
        raise UsageError(f"there is no format {name!r}; there are {', '.join(NAMES)} and table")
    return _WRITERS[name](answer)
