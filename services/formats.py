"""Answers as files: CSV, VOTable, FITS, Parquet; with units, UCDs and the instant."""

import csv
import io
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.io import fits
from astropy.io.votable.tree import Info, VOTableFile
from astropy.table import MaskedColumn

from skyledger.answers import Answer, as_text, to_table, transposed
from skyledger.errors import UsageError


def _csv(answer: Answer) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([c.name for c in answer.columns])
    writer.writerows([as_text(v) for v in row] for row in answer.rows)
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
    columns = transposed(answer)
    fields, arrays = [], []
    for column, values in zip(answer.columns, columns, strict=True):
        kind = _arrow_type(column.type)
        given = values
        if kind == pa.string():
            given = [None if v is None else as_text(v) for v in given]
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
