"""Tables people send: read in any of their usual formats, checked, loaded into PostgreSQL.

>>> uploaded = read("candidates.vot", "candidates")     # doctest: +SKIP
>>> loaded = load(connection, uploaded, "candidates")   # doctest: +SKIP

:func:`read` needs no database and is where a hostile file ends: with an ``UploadRefusedError``
that names the row, the column, the value and the limit. :func:`load` makes the table, sends the
rows by binary COPY, gathers statistics and indexes positions.
"""

from services.uploads.load import Loaded, load
from services.uploads.reading import read
from services.uploads.table import Limits, Uploaded, UploadedColumn

__all__ = ["Limits", "Loaded", "Uploaded", "UploadedColumn", "load", "read"]
