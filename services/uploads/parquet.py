"""Parquet files, with the units and UCDs that VOParquet or our own writer put into them."""

import json
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.uploads.cells import filled
from services.uploads.table import NUMPY, Builder, Field, Limits, Values, arranged, texts
from services.uploads.votable import read_votable
from skyledger.errors import UploadRefusedError

_CHILD = Path(__file__).with_name("parquet_child.py")
# Key of VOParquet 1.0: a VOTable without rows that describes the columns.
_VOPARQUET = b"IVOA.VOTable-Parquet.content"
_TYPES = {
    "bool": "boolean",
    "int16": "smallint",
    "int32": "integer",
    "int64": "bigint",
    "float": "real",
    "double": "double precision",
    "string": "text",
    "timestamp[us]": "timestamp",
}


def read_parquet(file: BinaryIO, builder: Builder) -> None:
    """Read a Parquet file.

    Parameters
    ----------
    file
        A file of the operating system.
    builder
        Is told the columns and given the rows.

    Raises
    ------
    UploadRefusedError
        If it is no sound Parquet file, has columns without a type in the database, or passes a
        limit; decoding takes place in a process whose memory and time are limited.
    """
    file.seek(0)
    limits = builder.limits
    numbers = (limits.expanded, limits.rows, limits.columns, limits.cell)
    environment = {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2", "LC_ALL": "C.UTF-8"}
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            [sys.executable, "-I", str(_CHILD), *map(str, numbers)],
            stdin=file.fileno(),
            stdout=subprocess.PIPE,
            stderr=said,
            env=environment,
        ) as child,
    ):
        try:
            _take(child.stdout, builder)
            # What is over is read away, so that the child can end.
            while child.stdout is not None and child.stdout.read(1 << 16):
                pass
            broken = None
        except (pa.ArrowInvalid, OSError) as error:
            broken = error
        except BaseException:
            child.kill()
            raise
        if child.wait() != 0 or broken is not None:
            said.seek(0)
            raise _refusal(builder, said.read(1 << 16), child.returncode)


def _refusal(builder: Builder, said: bytes, code: int) -> UploadRefusedError:
    for line in reversed(said.decode(errors="replace").splitlines()):
        try:
            found = json.loads(line)
            return builder.refuse(found["what"], column=found["column"], row=found["row"])
        except (ValueError, KeyError, TypeError):
            continue
    return builder.refuse(
        f"decoding it ended with status {code}: it takes more memory or time than the limits "
        f"allow, or is damaged; write it again, in parts"
    )


def _take(stream: Any, builder: Builder) -> None:
    with pa.ipc.open_stream(stream) as reader:
        schema = reader.schema
        fields = [_field(f) for f in schema]
        described = (schema.metadata or {}).get(_VOPARQUET)
        if described:
            fields = _described(fields, described)
        builder.begin(fields)
        for batch in reader:
            builder.add([_values(c, f.type) for c, f in zip(batch.columns, fields, strict=True)])


def _field(f: Any) -> Field:
    words = {k.decode(): v.decode(errors="replace") for k, v in (f.metadata or {}).items()}
    name = words.pop("name", "")
    if pa.types.is_fixed_size_list(f.type):
        return Field(name, f"{_TYPES[str(f.type.value_type)]}[]", str(f.type.list_size), **words)
    if pa.types.is_list(f.type):
        return Field(name, f"{_TYPES[str(f.type.value_type)]}[]", "*", **words)
    kind = _TYPES[str(f.type)]
    return Field(name, kind, "*" if kind == "text" else None, **words)


def _described(fields: list[Field], document: bytes) -> list[Field]:
    """Columns with the metadata of a VOParquet description, which must name the same columns."""
    about = Builder("description", Limits())
    try:
        read_votable(BytesIO(document), about)
    except UploadRefusedError:
        return fields  # the table is whole without it
    if [f.name for f in about.fields] != [f.name for f in fields]:
        return fields
    return [
        Field(
            f.name,
            f.type,
            f.arraysize if told.arraysize is None or not f.arraysize else told.arraysize,
            told.unit or f.unit,
            told.ucd or f.ucd,
            told.utype or f.utype,
            told.xtype or f.xtype,
            told.description or f.description,
        )
        for f, told in zip(fields, about.fields, strict=True)
    ]


def _values(array: Any, sql_type: str) -> Values:
    n = len(array)
    if not sql_type.endswith("[]"):
        if sql_type == "text":
            return texts(array.to_pylist())
        null = array.is_null().to_numpy(zero_copy_only=False)
        return arranged(filled(array, NUMPY[sql_type]), null if array.null_count else None, n)
    if sql_type == "text[]":
        boxed = np.empty(n, dtype=object)
        boxed[:] = array.to_pylist()
        return np.ma.MaskedArray(boxed, mask=[v is None for v in boxed])
    gone = array.is_null().to_numpy(zero_copy_only=False)
    size = None
    if pa.types.is_fixed_size_list(array.type):
        # Under a missing list there may be no elements, or any.
        array = array.cast(pa.list_(array.type.value_type))
    counts = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
    flat = array.flatten()
    null = flat.is_null().to_numpy(zero_copy_only=False) if flat.null_count else None
    values = filled(flat, NUMPY[sql_type[:-2]])
    if n and not gone.any() and counts[0] and (counts == counts[0]).all():
        size = int(counts[0])
        return arranged(values, null, n, size=size)
    return arranged(values, null, n, counts=counts.astype(np.int64), gone=gone)
