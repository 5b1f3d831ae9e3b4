"""Uploaded tables as tables of the catalogue."""

from services.uploads.load import Loaded
from skyledger.catalogue import GEOMETRY, Column, Table

SCHEMA = "TAP_UPLOAD"


def uploaded(name: str, loaded: Loaded) -> Table:
    """Describe a temporary table that was made of an upload.

    Parameters
    ----------
    name
        Of the upload, as queries have it behind ``TAP_UPLOAD.``.
    loaded
        What `services.uploads.load.load` made.
    """
    columns = tuple(
        Column(
            c.name,
            c.type.replace(" without time zone", ""),
            c.unit,
            c.ucd,
            c.utype,
            c.description,
            shape=shape_of(c.arraysize),
            xtype=c.xtype.lower() if c.xtype and c.xtype.lower() in GEOMETRY else c.xtype,
            sql=c.sql_name,
        )
        for c in loaded.columns
    )
    pair = loaded.position
    return Table(
        SCHEMA,
        name,
        columns,
        f"pg_temp.{loaded.table}",
        description="Uploaded with the query.",
        spatial=((pair[0].sql_name, pair[1].sql_name),) if pair else (),
    )


def shape_of(arraysize: str | None) -> tuple[int, ...] | None:
    """Shape of arrays of one size; VOTable names the dimension that runs fastest first."""
    sizes = (arraysize or "*").split("x")
    if not all(size.isdigit() for size in sizes):
        return None
    return tuple(int(size) for size in reversed(sizes))
