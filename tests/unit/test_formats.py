"""Result formats: what they say, where they end, and what they refuse."""

import io
import itertools
import json
import tracemalloc
from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from format_example import EXAMPLE, INSTANT, ROWS, VOTABLES, example
from format_readers import (
    check,
    chunks_of,
    columns_of,
    document,
    fields_of,
    infos_of,
    iso,
    read_binary,
    read_delimited,
    read_fits,
    read_json,
    read_parquet,
    read_tabledata,
    written,
)

from services import formats
from skyledger.answers import ResultColumn
from skyledger.errors import DataRejectedError, QueryRefusedError, UsageError


def test_every_format_states_origin_and_overflow():
    for name in VOTABLES:
        told = infos_of(document(example(name, overflow=True)))
        names = [(n, v) for n, v, _ in told]
        assert names[0] == ("QUERY_STATUS", "OK")
        assert names[-2:] == [("TABLE", None), ("QUERY_STATUS", "OVERFLOW")]
        assert ("server", "ivo://example/skyledger") in names
        assert ("rows", "3") in names
        assert infos_of(document(example(name)))[-1][0] == "TABLE"
    info = json.loads(example("json", overflow=True))["info"]
    assert info["QUERY_STATUS"] == "OVERFLOW"
    assert info["asof"] == INSTANT.isoformat()
    with fits.open(io.BytesIO(example("fits", overflow=True))) as hdus:
        header = hdus[1].header
    assert header["OVERFLOW"] is True
    assert header["ASOF"] == INSTANT.isoformat()
    assert header["QUERY"] == 'SELECT "x" FROM y\\x0aWHERE a < 1 & \\u03b1'
    assert (header["TUNIT2"], header["TUCD2"]) == ("deg", "pos.eq.ra;meta.main")
    assert header["COMMENT"][0] == "rows: 3"
    metadata = pq.read_metadata(io.BytesIO(example("parquet", overflow=True))).metadata
    assert metadata[b"QUERY_STATUS"] == b"OVERFLOW"
    assert metadata[b"asof"].decode() == INSTANT.isoformat()


def test_fits_holds_long_queries():
    query = "SELECT 'it''s & long', " + "a" * 300 + " & b "
    data = example("fits", query=query)
    with fits.open(io.BytesIO(data)) as hdus:
        hdus.verify("exception")
        assert hdus[1].header["QUERY"] == query.rstrip()


def test_parquet_holds_the_votable_of_its_columns():
    data = example("parquet", overflow=True)
    metadata = pq.read_metadata(io.BytesIO(data)).metadata
    assert metadata[b"IVOA.VOTable-Parquet.version"] == b"1.0"
    root = document(metadata[b"IVOA.VOTable-Parquet.content"])
    assert [f.get("name") for f in fields_of(root)] == [c.name for c in EXAMPLE]
    assert fields_of(root)[1].get("ucd") == "pos.eq.ra;meta.main"
    assert infos_of(root)[-1][1] == "OVERFLOW"
    schema = pq.read_schema(io.BytesIO(data))
    assert schema.field("psFlux").metadata[b"unit"] == b"nJy"


def test_python_values_of_every_kind_are_taken():
    """Answers of ``skyledger.answers.run`` hold what psycopg2 makes of rows."""
    columns = columns_of(["double precision", "text", "bytea", "integer[]", "smallint"])
    day = date(2026, 1, 2)
    rows = [(Decimal("1.25"), day, memoryview(b"\0x"), [[1, None], [3, 4]], -1), (None,) * 5]
    found = read_binary(written("votable", columns, chunks_of(columns, rows)))
    assert found == [
        [1.25, None], ["2026-01-02", None], [b"\0x", None], [[1, None, 3, 4], None], [-1, None],
    ]  # fmt: skip


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
        check(columns, rows, read(written(name, columns, chunks)))
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


@pytest.mark.parametrize(
    ("most", "rows", "overflow"), [(0, 0, True), (2, 2, True), (4, 4, True), (5, 5, False)]
)
def test_a_limit_cuts_and_tells(most, rows, overflow):
    columns = columns_of(["integer"])
    chunks = chunks_of(columns, [(k,) for k in range(5)], 3)
    statement = formats.Statement()
    limit = formats.Limit(most, statement)
    assert statement.overflow is (most == 0)
    data = written("votable", columns, map(limit.cut, chunks), statement)
    assert read_binary(data) == [list(range(rows))]
    assert statement.overflow is overflow
    assert (infos_of(document(data))[-1][1] == "OVERFLOW") is overflow


@pytest.mark.parametrize("name", formats.NAMES)
def test_pushed_rows_make_the_same_file(name):
    chunks = chunks_of(EXAMPLE, ROWS, 1)

    def produce(consume):
        for chunk in chunks:
            consume(chunk)

    for given_chunks, producer in ((chunks, produce), ([], lambda _: None)):
        pieces = []
        formats.send(name, EXAMPLE, producer, formats.Statement(), pieces.append)
        assert b"".join(pieces) == written(name, EXAMPLE, given_chunks)


def test_pushed_rows_that_break_off_and_readers_that_go_away():
    error = QueryRefusedError("the query took too long")
    chunk = chunks_of(EXAMPLE, ROWS)[0]

    def at_once(consume):
        raise error

    def later(consume):
        consume(chunk)
        raise error

    pieces = []
    for name in formats.NAMES:
        with pytest.raises(QueryRefusedError):
            formats.send(name, EXAMPLE, at_once, formats.Statement(), pieces.append)
    assert not pieces
    statement = formats.Statement()
    formats.send("votable", EXAMPLE, later, statement, pieces.append)
    assert infos_of(document(b"".join(pieces)))[-1] == ("QUERY_STATUS", "ERROR", str(error))
    assert statement.failure is error
    with pytest.raises(QueryRefusedError):
        formats.send("csv", EXAMPLE, later, formats.Statement(), pieces.append)

    def gone(piece):
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        formats.send("votable", EXAMPLE, later, formats.Statement(), gone)


@pytest.mark.parametrize("name", formats.NAMES)
def test_memory_does_not_grow_with_the_rows(name):
    """Chunks of 10,000 rows: 56 need no more than 28, two row groups of Parquet, to 1 MB."""
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
    (few, small), (many, large) = peak(28), peak(56)
    assert large > 1.9 * small
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
    assert found[0] == [iso(m) for m in moments]
