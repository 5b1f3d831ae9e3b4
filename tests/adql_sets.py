"""The project's own sets of ADQL queries, and the catalogue in which they are understood."""

from dataclasses import dataclass
from pathlib import Path

from services.adql import Catalogue, Column, Table
from skyledger.database.offered import catalogue

DATA = Path(__file__).parent / "data"
# A table that comes with a request, as the upload part of the service makes it.
MINE = Table(
    "TAP_UPLOAD",
    "mine",
    (
        Column("id", "bigint", ucd="meta.id;meta.main"),
        Column("name", "text"),
        Column("ra", "double precision", "deg", "pos.eq.ra;meta.main"),
        Column("dec", "double precision", "deg", "pos.eq.dec;meta.main"),
        Column("radius", "double precision", "deg"),
        Column("mag", "real", "mag"),
        Column("ok", "boolean"),
        Column("date", "timestamp"),
        Column("region", "double precision[]", "deg", xtype="circle", shape=(3,)),
    ),
    "pg_temp.mine",
    spatial=(("ra", "dec"),),
)
MINE_SQL = (
    "CREATE TEMP TABLE mine (id bigint, name text, ra float8, dec float8, radius float8, "
    "mag real, ok boolean, date timestamp, region float8[])"
)


@dataclass(frozen=True)
class Sample:
    """One query of a set: where it stands, what it shows, and what is said of it."""

    line: int
    shows: str
    text: str
    said: str = ""


def samples(name: str) -> list[Sample]:
    """Read a set: ``# what it shows [=> what is said]``, then the query, then an empty line."""
    found = []
    for block in _blocks((DATA / name).read_text(encoding="utf-8")):
        comments = [text for _, text in block if text.startswith("#")]
        query = [(line, text) for line, text in block if not text.startswith("#")]
        if query:
            shows, _, said = comments[-1].removeprefix("# ").partition(" => ")
            found.append(Sample(query[0][0], shows, "\n".join(t for _, t in query), said))
    return found


def _blocks(text: str) -> list[list[tuple[int, str]]]:
    found: list[list[tuple[int, str]]] = [[]]
    for line, content in enumerate(text.splitlines(), start=1):
        if content.strip():
            found[-1].append((line, content))
        elif found[-1]:
            found.append([])
    return found


def archive() -> Catalogue:
    """Return the catalogue of an archive with one release and one upload."""
    return catalogue(("dr1",)).plus(MINE)
