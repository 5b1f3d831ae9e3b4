"""Result formats: every value comes back, read by what shares nothing with the writer."""

import io
import math
import struct
from datetime import datetime

from astropy.io import fits
from format_readers import (
    check,
    chunks_of,
    columns_of,
    exact,
    iso,
    read_binary,
    read_delimited,
    read_fits,
    read_json,
    read_parquet,
    read_tabledata,
    same,
    written,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from services.formats.votable import UNWRITABLE

BITS = {"smallint": 16, "integer": 32, "bigint": 64}


def _single(value):
    return struct.unpack("f", struct.pack("f", value))[0]


# The least number of each type is left out: formats need it for NULL. It has a test of its own.
SCALARS = {
    **{
        kind: st.integers(-(2 ** (bits - 1)) + 1, 2 ** (bits - 1) - 1)
        for kind, bits in BITS.items()
    },
    "real": st.floats(width=32),
    "double precision": st.floats(),
    "boolean": st.booleans(),
    "timestamp": st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)),  # noqa: DTZ001 - TAI
    "text": st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0")),
    "bytea": st.binary(max_size=9),
}
ARRAYS = {
    f"{kind}[]": st.lists(st.none() | SCALARS[kind], min_size=1, max_size=4)
    for kind in (*BITS, "real", "double precision", "boolean")
}
SHAPES = {"spoint": st.lists(st.floats(0, 90), min_size=2, max_size=2)}
KINDS = SCALARS | ARRAYS | SHAPES
BINARY_KINDS = {k: v for k, v in KINDS.items() if k != "bytea"}


@st.composite
def answers(draw, kinds=KINDS):
    types = draw(st.lists(st.sampled_from(sorted(kinds)), min_size=1, max_size=9))
    rows = draw(st.lists(st.tuples(*(st.none() | kinds[t] for t in types)), max_size=6))
    columns = columns_of(types)
    cut = draw(st.integers(0, len(rows)))
    return columns, rows, chunks_of(columns, rows, cut)


@settings(deadline=None, max_examples=40)
@given(answers())
def test_binary2_gives_back_every_value_and_every_null(given_rows):
    columns, rows, chunks = given_rows
    check(columns, rows, read_binary(written("votable", columns, chunks)))


@settings(deadline=None, max_examples=40)
@given(answers())
def test_binary_gives_back_values_with_the_nulls_it_has(given_rows):
    """An empty text or array and NULL are one, as are NaN and NULL."""
    columns, rows, chunks = given_rows

    def wanted(column, value):
        if value is None:
            return {
                "real": math.nan, "double precision": math.nan, "text": "", "timestamp": "",
                "bytea": b"", "spoint": [math.nan, math.nan],
            }.get(column.type, [] if column.type.endswith("[]") else None)  # fmt: skip
        return exact(column, value)

    check(columns, rows, read_binary(written("votable/b", columns, chunks)), wanted)


@settings(deadline=None, max_examples=40)
@given(answers())
def test_tabledata_gives_back_values_and_null_but_no_empty_text(given_rows):
    columns, rows, chunks = given_rows

    def wanted(column, value):
        if column.type == "spoint" and value is None:
            return [math.nan, math.nan]
        if value in ("", b""):
            return None
        if isinstance(value, str):
            return UNWRITABLE.sub("\ufffd", value)
        return exact(column, value)

    check(columns, rows, read_tabledata(written("votable/td", columns, chunks)), wanted)


@settings(deadline=None, max_examples=40)
@given(answers(), st.sampled_from(["csv", "tsv"]))
def test_delimited_text_gives_back_every_digit(given_rows, name):
    columns, rows, chunks = given_rows
    separator = {"csv": ",", "tsv": "\t"}[name]

    def wanted(column, value):
        if column.type == "spoint" and value is None:
            return None
        if isinstance(value, datetime):
            return iso(value)
        if value == b"":
            return b""
        return None if value == "" else value

    check(columns, rows, read_delimited(written(name, columns, chunks), columns, separator), wanted)


@settings(deadline=None, max_examples=40)
@given(answers())
def test_json_gives_back_every_finite_value(given_rows):
    columns, rows, chunks = given_rows

    def finite(value):
        return None if isinstance(value, float) and not math.isfinite(value) else value

    def wanted(column, value):
        if isinstance(value, datetime):
            return iso(value)
        return [finite(e) for e in value] if isinstance(value, list) else finite(value)

    check(columns, rows, read_json(written("json", columns, chunks), columns), wanted)


@settings(deadline=None, max_examples=40)
@given(answers())
def test_parquet_gives_back_every_value_and_every_null(given_rows):
    columns, rows, chunks = given_rows
    found = read_parquet(written("parquet", columns, chunks))
    check(columns, rows, found, lambda _, value: value)


@settings(deadline=None, max_examples=40)
@given(answers(BINARY_KINDS))
def test_astropy_reads_the_fits_table(given_rows):
    """Texts are ASCII without blanks at the end; NaN is NULL, and a short array is filled up."""
    columns, rows, chunks = given_rows
    data = written("fits", columns, chunks)
    with fits.open(io.BytesIO(data)) as hdus:
        hdus.verify("exception")
        assert len(data) % 2880 == 0
        assert hdus[1].header["NAXIS2"] == len(rows)
    found = read_fits(data)
    for k, column in enumerate(columns):
        values = [row[k] for row in rows]
        for value, expected in zip(found[k], values, strict=True):
            single = column.type.startswith("real")
            if column.type.endswith("[]") or column.type == "spoint":
                # FITS and astropy have no arrays of one element.
                elements = value if isinstance(value, list) else [value]
                _check_fits_array(elements, expected or [], single)
            elif isinstance(expected, str):
                assert (value or "") == _fits_text(expected).rstrip(" ")
            elif expected is None or (isinstance(expected, float) and math.isnan(expected)):
                assert value in (None, "")
            else:
                wanted = iso(expected) if isinstance(expected, datetime) else expected
                assert same(value, wanted, single)


def _gone(element):
    return element is None or (isinstance(element, float) and math.isnan(element))


def _check_fits_array(found, wanted, single):
    padding = found[len(wanted) :]
    assert all(_gone(e) for e in padding)
    assert len(found) >= len(wanted)
    for value, expected in zip(found, wanted, strict=False):
        assert _gone(value) if _gone(expected) else same(value, expected, single)


def _fits_text(text):
    escaped = text.encode("ascii", "backslashreplace").decode()
    return "".join(c if 32 <= ord(c) < 127 else f"\\x{ord(c):02x}" for c in escaped)
