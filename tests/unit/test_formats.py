"""Result formats: what is written is what the readers of the world read."""

import io
import itertools
import json
import math
import re
import shutil
import struct
import subprocess
import tracemalloc
import warnings
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits, votable
from format_readers import (
    chunks_of,
    columns_of,
    document,
    fields_of,
    infos_of,
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

from services import formats
from services.formats.votable import UNWRITABLE
from skyledger.answers import ResultColumn
from skyledger.errors import DataRejectedError, QueryRefusedError, UsageError

INSTANT = datetime(2026, 1, 1, 4)  # noqa: DTZ001 - TAI
VOTABLES = ("votable", "votable/b", "votable/td")
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


def _iso(value):
    return value.isoformat(timespec="microseconds")


def _all_null(value):
    return isinstance(value, list) and all(e is None for e in value)


def _exact(column, value):
    """Value as a format that loses nothing but the type of a timestamp gives it back."""
    if isinstance(value, datetime):
        return _iso(value)
    if isinstance(value, list) and column.type in {"real[]", "double precision[]"}:
        return [math.nan if e is None else e for e in value]
    return value


def _check(columns, rows, found, wanted=_exact):
    for k, column in enumerate(columns):
        single = column.type.startswith("real")
        assert len(found[k]) == len(rows)
        for row, value in zip(rows, found[k], strict=True):
            expected = wanted(column, row[k])
            assert same(value, expected, single), (column.type, value, expected)


@settings(deadline=None, max_examples=40)
@given(answers())
def test_binary2_gives_back_every_value_and_every_null(given_rows):
    columns, rows, chunks = given_rows
    _check(columns, rows, read_binary(written("votable", columns, chunks)))


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
        return _exact(column, value)

    _check(columns, rows, read_binary(written("votable/b", columns, chunks)), wanted)


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
        return _exact(column, value)

    _check(columns, rows, read_tabledata(written("votable/td", columns, chunks)), wanted)


@settings(deadline=None, max_examples=40)
@given(answers(), st.sampled_from(["csv", "tsv"]))
def test_delimited_text_gives_back_every_digit(given_rows, name):
    columns, rows, chunks = given_rows
    separator = {"csv": ",", "tsv": "\t"}[name]

    def wanted(column, value):
        if column.type == "spoint" and value is None:
            return None
        if isinstance(value, datetime):
            return _iso(value)
        if value == b"":
            return b""
        return None if value == "" else value

    _check(
        columns, rows, read_delimited(written(name, columns, chunks), columns, separator), wanted
    )


@settings(deadline=None, max_examples=40)
@given(answers())
def test_json_gives_back_every_finite_value(given_rows):
    columns, rows, chunks = given_rows

    def finite(value):
        return None if isinstance(value, float) and not math.isfinite(value) else value

    def wanted(column, value):
        if isinstance(value, datetime):
            return _iso(value)
        return [finite(e) for e in value] if isinstance(value, list) else finite(value)

    _check(columns, rows, read_json(written("json", columns, chunks), columns), wanted)


@settings(deadline=None, max_examples=40)
@given(answers())
def test_parquet_gives_back_every_value_and_every_null(given_rows):
    columns, rows, chunks = given_rows
    found = read_parquet(written("parquet", columns, chunks))
    _check(columns, rows, found, lambda _, value: value)


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
                wanted = _iso(expected) if isinstance(expected, datetime) else expected
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


def _example(name, **changes):
    statement = formats.Statement(**{**vars(STATEMENT), **changes})
    return written(name, EXAMPLE, chunks_of(EXAMPLE, ROWS, 2), statement)


@pytest.mark.parametrize("name", VOTABLES)
def test_astropy_reads_values_masks_units_and_ucds(name, tmp_path):
    path = tmp_path / "answer.vot"
    path.write_bytes(_example(name))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        document_read = votable.parse(path, verify="exception")
    table = document_read.get_first_table()
    assert [f.name for f in table.fields] == [c.name for c in EXAMPLE]
    for field, column in zip(table.fields, EXAMPLE, strict=True):
        assert str(field.unit or "") == (column.unit or "")
        assert field.ucd == column.ucd
        assert field.utype == column.utype
        assert field.description == column.description
    kinds = {f.name: (f.datatype, f.arraysize, f.xtype) for f in table.fields}
    assert kinds["diaSourceId"] == ("long", None, None)
    assert kinds["detector"] == ("short", None, None)
    assert kinds["isGood"] == ("boolean", None, None)
    assert kinds["taken"] == ("char", "26", "timestamp")
    assert kinds["place"] == ("double", "2", "point")
    assert kinds["ring"] == ("double", "3", "circle")
    assert kinds["region"] == ("double", "*", "polygon")
    assert kinds["flags"] == ("int", "*", None)
    assert kinds["matrix"] == ("double", "2x2", None)
    found = table.to_table()
    assert list(found["diaSourceId"]) == [2**63 - 1, 1, 2**53 + 1]
    assert found["ra"][0] == 10.1
    assert found["ra"][1] == math.inf
    assert found["psFlux"].dtype == np.float32
    assert found["psFlux"][0] == np.float32(0.1)
    for column in ("ra", "detector", "isGood", "count", "psFlux"):
        assert found[column].mask.tolist()[2], column
        assert not found[column].mask.tolist()[0], column
    # astropy drops blanks at the end of a cell of XML.
    band = ROWS[1][3].rstrip() if name == "votable/td" else ROWS[1][3]
    assert found["band"][1] == band
    assert found["taken"][0] == "2026-01-01T02:03:04.000005"
    assert found["flags"][0].tolist() == [1, None, 3]
    assert found["region"][1].tolist() == ROWS[1][9]
    assert found["matrix"][0].tolist() == [[1, 2], [3, 4]]
    infos = {info.name: info.value for info in document_read.resources[0].infos}
    assert infos["QUERY_STATUS"] == "OK"
    assert infos["asof"] == INSTANT.isoformat()
    assert infos["query"] == STATEMENT.query
    assert infos["citation"] == "ab12"


@pytest.mark.parametrize("name", VOTABLES)
def test_astropys_validator_is_content(name, tmp_path):
    path = tmp_path / "answer.vot"
    path.write_bytes(_example(name))
    said = io.StringIO()
    assert votable.validate(path, output=said, xmllint=False), said.getvalue()
    assert "W" not in said.getvalue().replace("WARN", ""), said.getvalue()


def test_pyvo_knows_the_status_and_the_services():
    dal = pytest.importorskip("pyvo.dal", reason="pyvo, of the test extra, is not installed")
    results = dal.tap.TAPResults
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = results(votable.parse(io.BytesIO(_example("votable"))))
    assert found.to_table()["diaSourceId"].tolist() == [row[0] for row in ROWS]
    assert found["band"][1] == ROWS[1][3]
    assert found.fieldname_with_ucd("phot.flux") == "psFlux"
    service = found.get_adhocservice_by_ivoid("ivo://ivoa.net/std/SODA#sync-1.0")
    assert service is not None
    cut = results(votable.parse(io.BytesIO(_example("votable", overflow=True))))
    with pytest.warns(dal.DALOverflowWarning):
        cut.check_overflow_warning()
    error = formats.error_document("there is no table x; see /tap/tables")
    with pytest.raises(dal.DALQueryError, match="there is no table x"):
        results(votable.parse(io.BytesIO(error)))


@pytest.fixture(scope="module")
def stilts():
    program = shutil.which("stilts")
    if program is None:
        pytest.skip("STILTS is not installed; `apt install stilts` brings it")

    def run(*words, data=None):
        done = subprocess.run([program, *words], input=data, capture_output=True, check=False)
        return done.returncode, (done.stdout + done.stderr).decode()

    return run


@pytest.mark.parametrize("name", VOTABLES)
def test_votlint_has_no_complaint(stilts, name, tmp_path):
    path = tmp_path / "answer.vot"
    # STILTS 3.4.7 itself reads polygons, but its votlint loses its way in binary ones and takes
    # none for an error in TABLEDATA.
    data = _example(name, overflow=True).replace(b' xtype="polygon"', b"")
    path.write_bytes(data)
    assert stilts("votlint", str(path)) == (0, "")


def test_votlint_has_no_complaint_about_errors_and_answers_without_rows(stilts, tmp_path):
    path = tmp_path / "answer.vot"
    path.write_bytes(formats.error_document("no <table> & such", [("asof", "2026-01-01T00:00:00")]))
    assert stilts("votlint", str(path)) == (0, "")
    path.write_bytes(written("votable", EXAMPLE, [], STATEMENT))
    assert stilts("votlint", str(path)) == (0, "")


def test_stilts_reads_the_same_rows_from_every_format(stilts, tmp_path):
    """STILTS turns each into CSV; columns whose text form differs by format are left out."""
    said = {}
    for name in ("votable", "fits", "csv"):
        path = tmp_path / name
        path.write_bytes(_example(name))
        code, text = stilts(
            "tpipe", f"in={path}", f"ifmt={name}", "ofmt=csv",
            "cmd=keepcols 'diaSourceId ra psFlux detector taken count'",
        )  # fmt: skip
        assert code == 0, text
        said[name] = text
    assert len(set(said.values())) == 1, said
    assert f"{2**63 - 1},10.1,0.1,-7,2026-01-01T02:03:04.000005,3" in said["csv"]


def test_every_format_states_origin_and_overflow():
    for name in VOTABLES:
        told = infos_of(document(_example(name, overflow=True)))
        names = [(n, v) for n, v, _ in told]
        assert names[0] == ("QUERY_STATUS", "OK")
        assert names[-2:] == [("TABLE", None), ("QUERY_STATUS", "OVERFLOW")]
        assert ("server", "ivo://example/skyledger") in names
        assert ("rows", "3") in names
        assert infos_of(document(_example(name)))[-1][0] == "TABLE"
    info = json.loads(_example("json", overflow=True))["info"]
    assert info["QUERY_STATUS"] == "OVERFLOW"
    assert info["asof"] == INSTANT.isoformat()
    with fits.open(io.BytesIO(_example("fits", overflow=True))) as hdus:
        header = hdus[1].header
    assert header["OVERFLOW"] is True
    assert header["ASOF"] == INSTANT.isoformat()
    assert header["QUERY"] == 'SELECT "x" FROM y\\x0aWHERE a < 1 & \\u03b1'
    assert (header["TUNIT2"], header["TUCD2"]) == ("deg", "pos.eq.ra;meta.main")
    assert header["COMMENT"][0] == "rows: 3"
    metadata = pq.read_metadata(io.BytesIO(_example("parquet", overflow=True))).metadata
    assert metadata[b"QUERY_STATUS"] == b"OVERFLOW"
    assert metadata[b"asof"].decode() == INSTANT.isoformat()


def test_parquet_holds_the_votable_of_its_columns():
    data = _example("parquet", overflow=True)
    metadata = pq.read_metadata(io.BytesIO(data)).metadata
    assert metadata[b"IVOA.VOTable-Parquet.version"] == b"1.0"
    root = document(metadata[b"IVOA.VOTable-Parquet.content"])
    assert [f.get("name") for f in fields_of(root)] == [c.name for c in EXAMPLE]
    assert fields_of(root)[1].get("ucd") == "pos.eq.ra;meta.main"
    assert infos_of(root)[-1][1] == "OVERFLOW"
    schema = pq.read_schema(io.BytesIO(data))
    assert schema.field("psFlux").metadata[b"unit"] == b"nJy"


def test_the_least_number_is_told_from_null_or_refused():
    least = -(2**63)
    columns = columns_of(["bigint", "bigint"])
    rows = [(least, 5), (2**63 - 2, None), (None, least)]
    chunks = chunks_of(columns, rows)
    for name, read in (
        ("votable", read_binary),
        ("votable/td", read_tabledata),
        ("fits", read_fits),
        ("parquet", read_parquet),
        ("csv", lambda data: read_delimited(data, columns)),
        ("json", lambda data: read_json(data, columns)),
    ):
        _check(columns, rows, read(written(name, columns, chunks)))
    statement = formats.Statement()
    last = infos_of(document(written("votable/b", columns, chunks, statement)))[-1]
    assert last[:2] == ("QUERY_STATUS", "ERROR")
    assert "which this format cannot tell apart" in last[2]
    assert isinstance(statement.failure, DataRejectedError)


def test_fits_refuses_what_it_cannot_hold():
    columns = columns_of(["smallint"])
    rows = [(-(2**15),), (2**15 - 1,), (None,)]
    with pytest.raises(DataRejectedError, match="of which FITS needs one for NULL"):
        written("fits", columns, chunks_of(columns, rows))
    with pytest.raises(UsageError, match="has 1000 columns and FITS holds 999"):
        written("fits", columns_of(["text"] * 1000), [])


def test_timestamps_beyond_four_digits_are_refused():
    columns = columns_of(["timestamp"])
    chunk = {"a": np.ma.MaskedArray(np.array(["10000-01-01"], "datetime64[us]"), mask=[False])}
    with pytest.raises(DataRejectedError, match="only years from 0001 to 9999"):
        written("csv", columns, [chunk])


def test_an_empty_text_is_no_null_in_csv():
    columns = columns_of(["text", "integer"])
    data = written("csv", columns, chunks_of(columns, [("", 1), (None, 2), ("a", None)]))
    assert data == b'c0,c1\r\n"",1\r\n,2\r\na,\r\n'
    # A row of one NULL is a row.
    alone = written("csv", columns[:1], chunks_of(columns[:1], [(None,), ("a",)]))
    assert alone == b'c0\r\n""\r\na\r\n'
    assert written("csv/plain", columns, chunks_of(columns, [("x,y", 1)])) == b'"x,y",1\r\n'


@pytest.mark.parametrize("name", formats.NAMES)
def test_answers_without_rows_or_columns(name):
    read = {
        **dict.fromkeys(("votable", "votable/b"), read_binary),
        "votable/td": read_tabledata,
        "csv": lambda data: read_delimited(data, EXAMPLE),
        "tsv": lambda data: read_delimited(data, EXAMPLE, "\t"),
        "csv/plain": lambda data: [[] for _ in EXAMPLE] if data == b"" else None,
        "json": lambda data: read_json(data, EXAMPLE),
        "fits": read_fits,
        "parquet": read_parquet,
    }[name]
    nothing = [[] for _ in EXAMPLE]
    assert read(written(name, EXAMPLE, [])) == nothing
    assert read(written(name, EXAMPLE, chunks_of(EXAMPLE, []))) == nothing
    data = written(name, [], [{}])
    if name == "fits":
        with fits.open(io.BytesIO(data)) as hdus:
            assert hdus[1].header["TFIELDS"] == 0
    elif name == "parquet":
        assert pq.read_table(io.BytesIO(data)).num_columns == 0
    elif name in VOTABLES:
        assert fields_of(document(data)) == []
    elif name == "json":
        assert json.loads(data)["metadata"] == []
    else:
        assert data == b""


ODD = ['a"b<&>', "", "sel ect", "\u03b1\u03b2", "x", "x", "x_2", "line\nbreak", "tab\tin, it"]


@pytest.mark.filterwarnings("ignore:It is strongly recommended that column names")
def test_odd_and_repeated_names():
    columns = [ResultColumn(name, "integer") for name in ODD]
    chunks = chunks_of(columns, [tuple(range(len(ODD)))])
    unique = [*ODD[:5], "x_3", *ODD[6:]]
    for name in VOTABLES:
        root = document(written(name, columns, chunks))
        assert [f.get("name") for f in fields_of(root)] == unique
    given_names = [ResultColumn(name, "integer") for name in unique]
    assert read_delimited(written("csv", columns, chunks), given_names)[5] == [5]
    assert read_delimited(written("tsv", columns, chunks), given_names, "\t")[7] == [7]
    assert read_json(written("json", columns, chunks), given_names)[5] == [5]
    assert pq.read_table(io.BytesIO(written("parquet", columns, chunks))).column_names == unique
    with fits.open(io.BytesIO(written("fits", columns, chunks))) as hdus:
        names = hdus[1].columns.names
        assert len(set(names)) == len(ODD)
        assert names[4:6] == ["x", "x_3"]
        assert names[3] == "\\u03b1\\u03b2"
        assert hdus[1].data.field(5).tolist() == [5]


def _breaking(error):
    yield from chunks_of(EXAMPLE, ROWS)
    raise error


@pytest.mark.parametrize("name", VOTABLES)
def test_an_answer_that_breaks_off_is_a_proper_votable_that_says_so(name):
    statement = formats.Statement()
    error = QueryRefusedError("the query took longer than 60 s; run it as a job")
    root = document(written(name, EXAMPLE, _breaking(error), statement))
    assert infos_of(root)[-1] == ("QUERY_STATUS", "ERROR", str(error))
    assert statement.failure is error
    # What is no business of the reader is not told.
    root = document(written(name, EXAMPLE, _breaking(KeyError("secret")), statement))
    assert "secret" not in infos_of(root)[-1][2]


def test_other_formats_break_off_with_the_error():
    error = QueryRefusedError("the query took too long")
    said = json.loads(written("json", EXAMPLE, _breaking(error)))
    assert len(said["data"]) == len(ROWS)
    assert said["info"]["QUERY_STATUS"] == "ERROR"
    assert said["info"]["message"] == str(error)
    for name in ("csv", "tsv", "fits", "parquet"):
        with pytest.raises(QueryRefusedError):
            written(name, EXAMPLE, _breaking(error))


@pytest.mark.parametrize("name", formats.NAMES)
def test_what_fails_before_the_first_bytes_is_raised(name):
    def failing():
        raise QueryRefusedError("no such table")
        yield {}

    with pytest.raises(QueryRefusedError):
        next(formats.write(name, EXAMPLE, failing(), formats.Statement()))


def test_limited_cuts_and_tells():
    columns = columns_of(["integer"])
    chunks = [*chunks_of(columns, [(k,) for k in range(5)], 3)]
    for most, rows, overflow in (
        (0, 0, True),
        (2, 2, True),
        (3, 3, True),
        (4, 4, True),
        (5, 5, False),
    ):
        statement = formats.Statement()
        data = written("votable", columns, formats.limited(chunks, most, statement), statement)
        assert read_binary(data) == [list(range(rows))]
        assert statement.overflow is overflow
        assert (infos_of(document(data))[-1][1] == "OVERFLOW") is overflow


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


@pytest.mark.parametrize("name", formats.NAMES)
def test_memory_does_not_grow_with_the_rows(name):
    """Fifty chunks need no more than ten, to 1 MB: the same chunk of 10,000 rows is written."""
    n = 10_000
    generator = np.random.default_rng(1)
    columns = columns_of(["bigint", "double precision", "real", "timestamp"])
    mask = np.arange(n) % 7 == 0
    chunk = {
        "a": np.ma.MaskedArray(generator.integers(0, 2**60, n), mask=mask),
        "b": np.ma.MaskedArray(generator.normal(size=n), mask=mask),
        "c": np.ma.MaskedArray(generator.normal(size=n).astype("f4"), mask=mask),
        "d": np.ma.MaskedArray(np.full(n, np.datetime64(INSTANT, "us")), mask=mask),
    }

    def peak(times):
        pool = pa.default_memory_pool()
        before = pool.bytes_allocated()
        tracemalloc.start()
        most = size = 0
        chunks = itertools.repeat(chunk, times)
        for piece in formats.write(name, columns, chunks, formats.Statement()):
            size += len(piece)
            most = max(most, pool.bytes_allocated() - before)
        _, own = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most + own, size

    peak(1)
    (few, small), (many, large) = peak(14), peak(42)
    assert large > 2 * small
    assert many < few + 1e6


def test_a_long_answer_is_yielded_while_its_chunks_come():
    seen = []

    def chunks():
        for k in range(20):
            seen.append(k)
            yield from chunks_of(EXAMPLE, ROWS)

    for name in (*VOTABLES, "csv", "tsv", "json"):
        seen.clear()
        pieces = formats.write(name, EXAMPLE, chunks(), formats.Statement())
        next(pieces)
        next(pieces)
        assert len(seen) <= 3, name


def test_timestamps_of_all_centuries():
    columns = columns_of(["timestamp"])
    moments = [datetime(1, 1, 1) + timedelta(days=997, microseconds=k) * k for k in range(3600)]  # noqa: DTZ001
    found = read_tabledata(
        written("votable/td", columns, chunks_of(columns, [(m,) for m in moments]))
    )
    assert found[0] == [_iso(m) for m in moments]
