"""MyDB: tables of people. What may be done is decided by the functions of schema ``service``.

A table is made once, of an upload (`load`) or of the answer of a query (`keep`), is never changed
after, and is read through TAP like any other; `visible` says by whom.
"""

from services.mydb.answers import MADE, keep
from services.mydb.loading import Made, load, target
from services.mydb.tables import check, is_person, named, settled, visible, within

__all__ = [
    "MADE",
    "Made",
    "check",
    "is_person",
    "keep",
    "load",
    "named",
    "settled",
    "target",
    "visible",
    "within",
]
