"""An uploaded table as a table of PostgreSQL."""

from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2 import errors

from services.uploads.copy import CopyStream
from services.uploads.names import quoted
from services.uploads.positions import position
from services.uploads.table import Uploaded, UploadedColumn, shown
from skyledger.errors import UploadRefusedError


@dataclass(frozen=True)
class Loaded:
    """A table that was made.

    Attributes
    ----------
    table
        Its name as it is written into SQL.
    columns
        Its columns, with the unit, UCD, utype and xtype that results must carry.
    position
        The two columns of an indexed position (ra, decl), or None.
    """

    table: str
    columns: tuple[UploadedColumn, ...]
    rows: int
    position: tuple[UploadedColumn, UploadedColumn] | None


def load(
    connection: Any, uploaded: Uploaded, table: str | tuple[str, str], *, temporary: bool = True
) -> Loaded:
    """Make a table of an upload: create it, copy the rows, index positions, gather statistics.

    Parameters
    ----------
    connection
        psycopg2 connection in a transaction that may write (not autocommit). Nothing is
        committed here.
    uploaded
        From :func:`services.uploads.read`.
    table
        Name, or schema and name; any text, it is quoted. A temporary table has no schema.
    temporary
        Whether the table goes with the transaction.

    Raises
    ------
    UploadRefusedError
        If PostgreSQL cannot hold a row (8 kB of numbers), or the name.
    psycopg2.Error
        If the table cannot be made: it exists, there is no right, the disk is full.
    """
    parts = (table,) if isinstance(table, str) else table
    for part in parts:
        if not part or "\0" in part or len(part.encode()) > 63:
            raise UploadRefusedError(
                f"upload {shown(uploaded.name)}: a table cannot be called {shown(part)}; a name "
                f"has 1 to 63 bytes"
            )
    target = ".".join(quoted(part) for part in parts)
    columns = ", ".join(f"{c.quoted} {c.type}" for c in uploaded.columns)
    listed = ", ".join(c.quoted for c in uploaded.columns)
    kind, end = ("TEMPORARY TABLE", " ON COMMIT DROP") if temporary else ("TABLE", "")
    found = position(uploaded)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE {kind} {target} ({columns}){end}")
            if uploaded.rows:
                cursor.copy_expert(
                    f"COPY {target} ({listed}) FROM STDIN (FORMAT binary)",
                    CopyStream([c.type for c in uploaded.columns], uploaded.chunks),
                    size=1 << 20,
                )
            if found is not None:
                # Written as the dictionary's spatial indexes are, so that the same query uses it.
                ra, decl = (c.quoted for c in found)
                cursor.execute(
                    f"CREATE INDEX ON {target} USING gist (spoint(radians({ra}), radians({decl})))"
                )
            cursor.execute(f"ANALYZE {target}")
    except (errors.ProgramLimitExceeded, psycopg2.DataError) as error:
        raise UploadRefusedError(
            f"upload {shown(uploaded.name)}: PostgreSQL cannot hold it: "
            f"{' '.join(str(error).split())}. Send fewer columns, or put numbers of one kind into "
            f"an array column"
        ) from error
    return Loaded(target, uploaded.columns, uploaded.rows, found)
