"""Names and media types of the result formats."""

import re
from pathlib import Path

import pytest

from services import formats
from skyledger.errors import UsageError


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("votable", "votable"),
        ("application/x-votable+xml", "votable"),
        ("application/x-votable xml", "votable"),
        ("APPLICATION/X-VOTABLE+XML; Serialization=TableData", "votable/td"),
        ('application/x-votable+xml;serialization="binary"', "votable/b"),
        ("votable/td", "votable/td"),
        ("text/xml", "votable"),
        ("text/csv", "csv"),
        ("text/csv; charset=UTF-8;header=present", "csv"),
        ("text/csv;header=absent", "csv/plain"),
        ("tsv", "tsv"),
        ("text/tab-separated-values", "tsv"),
        ("application/fits", "fits"),
        ("json", "json"),
        ("application/vnd.apache.parquet", "parquet"),
    ],
)
def test_formats_are_known_by_names_and_media_types(asked, name):
    assert formats.resolve(asked).name == name


@pytest.mark.parametrize("asked", ["", "xlsx", "text/csv;header=maybe", "image/png", "votable;x"])
def test_an_unknown_format_is_answered_by_those_there_are(asked):
    with pytest.raises(UsageError, match=r"there are votable .*, parquet \("):
        formats.resolve(asked)


def test_names_of_formats_are_unambiguous():
    listed = [n for f in formats.FORMATS for n in (f.name, f.media_type, *f.aliases)]
    assert len(listed) == len({n.lower() for n in listed})
    for name in listed:
        assert name in {
            n for f in [formats.resolve(name)] for n in (f.name, f.media_type, *f.aliases)
        }


def test_the_page_of_formats_lists_all_names():
    page = Path(__file__).parents[2] / "docs" / "reference" / "formats.md"
    text = page.read_text(encoding="utf-8").split("## What is kept")[0]
    rows = [re.findall("`([^`]+)`", line) for line in text.splitlines() if line.startswith("| `")]
    assert rows == [[f.name, f.media_type, *f.aliases] for f in formats.FORMATS]
