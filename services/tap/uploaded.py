"""Tables that come with a query: into temporary tables, and into what can be asked."""

import io
from typing import Any

from services import uploads
from services.adql import Column, Table
from services.tap.fetch import fetch

SCHEMA = "tap_upload"


def take(connection: Any, upload: Any) -> Table:
    """Read an upload, load it into a temporary table and describe it.

    Parameters
    ----------
    connection
        psycopg2 connection in a transaction that may write.
    upload
        Name, media type and content.

    Returns
    -------
    Table
        Schema ``tap_upload``; columns keep their units and UCDs.

    Raises
    ------
    UploadRefusedError
        If it is not a table, or too large.
    """
    if upload.address is not None:
        kind, content = fetch(upload.address, most=uploads.Limits().sent)
    else:
        kind, content = upload.media_type, upload.content
    read = uploads.read(io.BytesIO(content), upload.name, media_type=kind)
    loaded = uploads.load(connection, read, f"upload_{upload.name}", temporary=True)
    columns = tuple(
        Column(
            c.name or c.sql_name, c.type, c.unit, c.ucd, c.utype, c.description, sql=c.sql_name,
            xtype=c.xtype if c.xtype in {"point", "circle", "polygon"} else None,
        )
        for c in read.columns
    )  # fmt: skip
    position = loaded.position
    return Table(
        SCHEMA, upload.name, columns, f"pg_temp.{loaded.table}",
        description="Uploaded with the query.",
        spatial=((position[0].sql_name, position[1].sql_name),) if position else (),
    )  # fmt: skip
