"""Names and media types of the formats: what RESPONSEFORMAT and ``--format`` take."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.formats.base import Writer
from services.formats.fits_table import FitsTable
from services.formats.parquet import Parquet
from services.formats.plain import Delimited, HeadlessDelimited, Json, TabDelimited
from services.formats.serialisations import Binary, Binary2, TableData
from skyledger.errors import UsageError


@dataclass(frozen=True)
class Format:
    """A format: its name, what it is called in HTTP, and what else it may be asked by."""

    name: str
    media_type: str
    extension: str
    writer: type[Writer] = field(repr=False)
    aliases: tuple[str, ...] = ()
    description: str = ""


_VOTABLE = "application/x-votable+xml"

# The names are those that services in use answer to (TAP 1.1, section 2.7.3; DALI 1.1, 3.4.3).
FORMATS: tuple[Format, ...] = (
    Format(
        "votable",
        f"{_VOTABLE};serialization=binary2",
        "vot",
        Binary2,
        (_VOTABLE, "votable/b2", "votableb2", "binary2", "text/xml", "application/xml", "xml"),
        "VOTable with rows in BINARY2",
    ),
    Format(
        "votable/b",
        f"{_VOTABLE};serialization=binary",
        "vot",
        Binary,
        ("votableb", "binary"),
        "VOTable with rows in BINARY, for programs older than 2013",
    ),
    Format(
        "votable/td",
        f"{_VOTABLE};serialization=tabledata",
        "vot",
        TableData,
        ("votabletd", "votable_plain", "tabledata", "text/xml;serialization=tabledata"),
        "VOTable with rows in XML",
    ),
    Format(
        "csv",
        "text/csv;header=present",
        "csv",
        Delimited,
        ("text/csv",),
        "comma-separated values, names first",
    ),
    Format(
        "csv/plain",
        "text/csv;header=absent",
        "csv",
        HeadlessDelimited,
        (),
        "comma-separated values alone",
    ),
    Format(
        "tsv",
        "text/tab-separated-values",
        "tsv",
        TabDelimited,
        (),
        "values parted by tabs, names first",
    ),
    Format("json", "application/json", "json", Json, (), "JSON: metadata, data, info"),
    Format(
        "fits",
        "application/fits",
        "fits",
        FitsTable,
        ("application/x-fits", "image/fits"),
        "FITS binary table",
    ),
    Format(
        "parquet",
        "application/vnd.apache.parquet",
        "parquet",
        Parquet,
        ("application/x-parquet", "application/parquet", "votable/parquet"),
        "Parquet with the metadata of a VOTable inside (VOParquet 1.0)",
    ),
)
NAMES = tuple(f.name for f in FORMATS)


def _key(name: str) -> tuple[str, ...]:
    """Name without case, blanks, quotes and the order of parameters; the charset is UTF-8."""
    # In a query string a plus sign that was not escaped arrives as a blank.
    first, *others = name.strip().lower().replace("x-votable xml", "x-votable+xml").split(";")
    words = {"".join(other.replace('"', "").split()) for other in others}
    return (first.strip(), *sorted(words - {"", "charset=utf-8"}))


_KNOWN: Mapping[tuple[str, ...], Format] = {
    _key(name): f for f in FORMATS for name in (f.name, f.media_type, *f.aliases)
}


def resolve(name: str) -> Format:
    """Return the format of a name, shorthand or media type with parameters.

    Raises
    ------
    UsageError
        If there is no such format; the message lists those there are.
    """
    found = _KNOWN.get(_key(name))
    if found is None:
        listed = ", ".join(f"{f.name} ({f.media_type})" for f in FORMATS)
        raise UsageError(f"there is no format {name!r}; there are {listed}")
    return found
