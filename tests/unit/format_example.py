"""An answer with every kind of column."""

import math
from datetime import datetime

from format_readers import chunks_of, written

from services import formats
from skyledger.answers import ResultColumn

INSTANT = datetime(2026, 1, 1, 4)  # noqa: DTZ001 - TAI
VOTABLES = ("votable", "votable/b", "votable/td")

EXAMPLE = [
    ResultColumn("diaSourceId", "bigint", None, "meta.id;meta.main", "Id, <unique> & \u03b1"),
    ResultColumn("ra", "double precision", "deg", "pos.eq.ra;meta.main", None, "char:pos.ra"),
    ResultColumn("psFlux", "real", "nJy", "phot.flux"),
    ResultColumn("band", "text"),
    ResultColumn("detector", "smallint"),
    ResultColumn("isGood", "boolean"),
    ResultColumn("taken", "timestamp", None, "time.epoch"),
    ResultColumn("place", "spoint", "deg", "pos.eq"),
    ResultColumn("ring", "scircle", "deg"),
    ResultColumn("region", "spoly", "deg"),
    ResultColumn("flags", "integer[]"),
    ResultColumn("matrix", "double precision[]", arraysize="2x2"),
    ResultColumn("count", "integer"),
]
ROWS = [
    (
        2**63 - 1, 10.1, 0.1, "g", -7, True, datetime(2026, 1, 1, 2, 3, 4, 5),  # noqa: DTZ001
        [10.1, -5.5], [10.1, -5.5, 0.01], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1, None, 3],
        [1.0, 2.0, 3.0, 4.0], 3,
    ),
    (
        1, math.inf, math.nan, '\u03b1\U0001f52d, "x"\r\n', 32767, False,
        datetime(1999, 12, 31),  # noqa: DTZ001 - TAI
        [0.0, 0.0], [0.0, 0.0, 1.0], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], [5],
        [1.0, None, 3.0, 4.0], -3,
    ),
    (2**53 + 1, None, None, None, None, None, None, None, None, None, None, None, None),
]  # fmt: skip
STATEMENT = formats.Statement(
    "prompt",
    INSTANT,
    'SELECT "x" FROM y\nWHERE a < 1 & \u03b1',
    citation="ab12",
    server="ivo://example/skyledger",
    infos=[("rows", "3")],
    links=[formats.Link("https://example.org/?a=1&b=2", "Columns")],
    descriptors=[
        formats.ServiceDescriptor(
            "cutout", "https://example.org/soda", {"ID": "diaSourceId"}, {"SIZE": "5"},
            "ivo://ivoa.net/std/SODA#sync-1.0", "An image around the source",
        )
    ],
)  # fmt: skip


def example(name, **changes):
    statement = formats.Statement(**{**vars(STATEMENT), **changes})
    return written(name, EXAMPLE, chunks_of(EXAMPLE, ROWS, 2), statement)
