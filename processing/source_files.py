"""Sources of a visit image as a Parquet file, for a release to load (DPDD section 14; GEN-11).

One row a Source, columns by the names of relation Source; what is missing is null. Each column
carries ``unit``, ``ucd`` and ``description`` as metadata of its field; the metadata of the file
tell the visit.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.table import MaskedColumn, Table
from numpy.typing import NDArray

from processing.exposure import VisitInfo
from processing.fits import appearing_whole
from skyledger.dictionary import shipped
from skyledger.errors import DataRejectedError

# Of this file alone: Source has the id of the parent in its place.
_PARENT = "Row of the parent in this file, from 0; -1 for none."
_VISIT = ("instrument", "visit_id", "ccd_visit_id", "detector", "band")


def write(table: Table, visit: VisitInfo, path: Path) -> None:
    """Write the Sources of a visit image; the file appears whole or not at all.

    The same rows give the same bytes.

    Parameters
    ----------
    table : Table
        From :func:`processing.sources.find_and_measure`.
    visit : VisitInfo
        The visit they were found on; told in the metadata of the file.
    path : Path
        Replaced if it exists.
    """
    known = shipped()["Source"].by_name
    fields, arrays = [], []
    for name in table.colnames:
        about = known.get(name)
        words = {"description": about.description if about else _PARENT}
        if about is not None:
            words |= {k: v for k, v in (("unit", about.unit), ("ucd", about.ucd)) if v}
        array = _array(table[name])
        fields.append(pa.field(name, array.type, metadata=words))
        arrays.append(array)
    said = {name: str(getattr(visit, name)) for name in _VISIT}
    schema = pa.schema(fields, metadata={"relation": "Source", **said})
    with appearing_whole(path) as temporary:
        pq.write_table(pa.Table.from_arrays(arrays, schema=schema), temporary, use_dictionary=False)


def _array(column: Any) -> pa.Array:
    values, gone = np.ma.getdata(column), np.ma.getmaskarray(np.ma.asarray(column))
    if values.dtype == object:  # lists of any length
        listed = [None if g else v for v, g in zip(values, gone, strict=True)]
        return pa.array(listed, type=pa.list_(pa.float32()))
    if values.ndim == 1:
        return pa.array(np.asarray(values), mask=gone)
    flat = pa.array(np.asarray(values).ravel())
    missing = pa.array(np.asarray(gone).all(axis=1))
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1], mask=missing)


def read(path: Path) -> Table:
    """Read the Sources of a visit image as they were written, with their units.

    Raises
    ------
    DataRejectedError
        If the file is not there or is no file of Sources.
    """
    try:
        found = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataRejectedError(
            f"{path} cannot be read as Parquet ({error}); process the visit again"
        ) from error
    if (found.schema.metadata or {}).get(b"relation") != b"Source":
        raise DataRejectedError(f"{path} holds no Sources; process the visit again")
    table = Table(masked=True)
    for field, chunks in zip(found.schema, found.columns, strict=True):
        unit = (field.metadata or {}).get(b"unit", b"").decode() or None
        values, gone = _values(chunks.combine_chunks())
        table[field.name] = MaskedColumn(values, mask=gone, unit=unit)
    return table


def _values(array: Any) -> tuple[Any, NDArray[np.bool_]]:
    gone = np.asarray(array.is_null())
    if pa.types.is_fixed_size_list(array.type):
        values = np.zeros(
            (len(array), array.type.list_size), array.type.value_type.to_pandas_dtype()
        )
        values[~gone] = np.asarray(array.flatten()).reshape(-1, array.type.list_size)
        return values, np.broadcast_to(gone[:, None], values.shape)
    if pa.types.is_list(array.type):
        lists = np.empty(len(array), object)
        lists[:] = [np.asarray(v or [], np.float32) for v in array.to_pylist()]
        return lists, gone
    return np.asarray(array.fill_null(0)), gone
