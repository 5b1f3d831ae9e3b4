"""Tables that come with a query: read or fetched, and loaded into temporary tables."""

import io
from typing import Any

from services import uploads
from services.adql import Table
from services.adql.uploads import uploaded
from services.tap.fetch import fetch


def take(connection: Any, upload: Any) -> Table:
    """Read an upload, load it into a temporary table and describe it.

    Parameters
    ----------
    connection
        psycopg2 connection in a transaction that may write.
    upload
        Name, media type and content, or the address of the table.

    Returns
    -------
    Table
        Of schema ``tap_upload``; columns keep their units and UCDs.

    Raises
    ------
    UploadRefusedError
        If it is not a table, too large, or cannot be had.
    """
    if upload.address is not None:
        kind, content = fetch(upload.address, most=uploads.Limits().sent)
    else:
        kind, content = upload.media_type, upload.content
    read = uploads.read(io.BytesIO(content), upload.name, media_type=kind)
    return uploaded(upload.name, uploads.load(connection, read, f"upload_{upload.name}"))
