"""Result formats from the database: what psycopg2 reads is what the files hold."""

import csv
import functools
import io
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import votable

from services import formats
from skyledger import binary
from skyledger.answers import ResultColumn
from skyledger.errors import DataRejectedError

COLUMNS = [
    ResultColumn("id", "bigint", None, "meta.id"),
    ResultColumn("n", "integer"),
    ResultColumn("s", "smallint"),
    ResultColumn("flux", "real", "nJy"),
    ResultColumn("ra", "double precision", "deg"),
    ResultColumn("good", "boolean"),
    ResultColumn("band", "text"),
    ResultColumn("taken", "timestamp"),
    ResultColumn("moments", "double precision[]"),
    ResultColumn("bits", "integer[]"),
    ResultColumn("place", "spoint", "deg"),
]
# Every seventh value is missing, in another row for each column; arrays have one to three elements.
QUERY = """
    SELECT CASE WHEN k % 7 <> 0 THEN k * 92233720368547::bigint END AS id,
           CASE WHEN k % 7 <> 1 THEN -k END AS n,
           CASE WHEN k % 7 <> 2 THEN (k % 100)::smallint END AS s,
           CASE WHEN k % 7 <> 3 THEN (1 / k::real)::real END AS flux,
           CASE WHEN k % 7 <> 4 THEN 360 * (k * 0.6180339887498949) % 1 END::double precision AS ra,
           CASE WHEN k % 7 <> 5 THEN k % 2 = 0 END AS good,
           CASE WHEN k % 7 <> 6 THEN repeat('\u03b1",', k % 4) || k END AS band,
           timestamp '2026-01-01' + k * interval '1.000001 s' AS taken,
           CASE WHEN k % 7 <> 0 THEN array_fill(k / 3.0::double precision, ARRAY[1 + k % 3]) END
             AS moments,
           ARRAY[k, NULL, -k]::integer[] AS bits,
           ARRAY[degrees(long(p)), degrees(lat(p))] AS place
    FROM (SELECT k, spoint(radians(k % 360), radians(k % 90)) AS p
          FROM generate_series(1, 2500) AS k) AS given
    ORDER BY k
"""


@pytest.fixture
def truth(connection):
    with connection.cursor() as cursor:
        cursor.execute(QUERY)
        return cursor.fetchall()


def _file(connection, name, columns=COLUMNS, query=QUERY, statement=None):
    pieces = []
    formats.send(
        name,
        columns,
        # Small chunks: most files have many.
        functools.partial(binary.stream, connection, query, chunk=20_000),
        statement or formats.Statement(),
        pieces.append,
    )
    return b"".join(pieces)


def _column(truth, k):
    return [row[k] for row in truth]


@pytest.mark.requirement("GEN-01")
@pytest.mark.parametrize("name", ["votable", "votable/b", "votable/td"])
def test_astropy_reads_what_psycopg2_reads(connection, truth, name):
    table = votable.parse(io.BytesIO(_file(connection, name))).get_first_table().to_table()
    for k, column in enumerate(COLUMNS[:6]):
        wanted = _column(truth, k)
        assert table[column.name].mask.tolist() == [v is None for v in wanted], column.name
        for value, expected in zip(table[column.name], wanted, strict=True):
            if expected is not None:
                kind = np.float32 if column.type == "real" else type(expected)
                assert kind(value) == kind(expected), column.name
    assert table["band"].tolist() == [v or "" for v in _column(truth, 6)]
    assert table["taken"].tolist() == [
        v.isoformat(timespec="microseconds") for v in _column(truth, 7)
    ]
    for value, expected in zip(table["moments"], _column(truth, 8), strict=True):
        assert np.asarray(value).tolist() == (expected or [])
    assert [v.tolist() for v in table["bits"]] == _column(truth, 9)
    assert np.array_equal(np.asarray(table["place"]), _column(truth, 10))


@pytest.mark.requirement("GEN-01")
def test_parquet_holds_what_psycopg2_reads(connection, truth):
    table = pq.read_table(io.BytesIO(_file(connection, "parquet")))
    for k, column in enumerate(COLUMNS):
        wanted = _column(truth, k)
        if column.type == "real":
            wanted = [None if v is None else float(np.float32(v)) for v in wanted]
        assert table[column.name].to_pylist() == wanted, column.name


@pytest.mark.requirement("GEN-01")
@pytest.mark.parametrize("name", ["csv", "json"])
def test_text_formats_hold_what_psycopg2_reads(connection, truth, name):
    data = _file(connection, name).decode()
    if name == "json":
        rows = json.loads(data)["data"]
    else:
        rows = list(csv.reader(io.StringIO(data, newline="")))[1:]
    assert len(rows) == len(truth)
    for row, wanted in zip(rows, truth, strict=True):
        for value, expected, column in zip(row, wanted, COLUMNS, strict=True):
            if expected is None:
                assert value in (None, ""), column.name
            elif column.type == "timestamp":
                assert value == expected.isoformat(timespec="microseconds")
            elif column.type == "text":
                assert value == expected
            else:
                found = json.loads(value) if name == "csv" else value
                assert found == expected, column.name


def test_lists_of_texts_and_timestamps_and_numeric(connection):
    query = """
        SELECT ARRAY['a"', NULL, ''] AS names, k + 0.5 AS n,
               ARRAY[timestamp '2026-01-01', NULL] AS moments,
               CASE WHEN k > 1 THEN array_fill(timestamp '2026-01-01', ARRAY[k]) END AS several
        FROM generate_series(1, 2) AS k ORDER BY k
    """
    types = {"names": "text[]", "n": "numeric", "moments": "timestamp[]", "several": "timestamp[]"}
    columns = [ResultColumn(name, kind) for name, kind in types.items()]
    rows = json.loads(_file(connection, "json", columns, query))["data"]
    moment = "2026-01-01T00:00:00.000000"
    for row, several in zip(rows, (None, [moment] * 2), strict=True):
        names, n, moments, found = row
        assert names == ['a"', None, ""]
        assert n in {1.5, 2.5}
        assert json.loads(moments) == [moment, None]
        assert (json.loads(found) if found else None) == several
    data = _file(connection, "votable", columns, query)
    table = votable.parse(io.BytesIO(data)).get_first_table().to_table()
    assert json.loads(table["names"][0]) == ['a"', None, ""]
    assert table["n"].tolist() == [1.5, 2.5]


def test_a_query_that_fails_in_the_midst_ends_in_a_votable_that_says_so(connection):
    """The last row has a timestamp that nobody can hold; the first rows are sent by then."""
    query = """
        SELECT k, CASE WHEN k < 9000 THEN timestamp '2026-01-01' ELSE 'infinity' END AS taken
        FROM generate_series(1, 9000) AS k
    """
    columns = [ResultColumn("k", "integer"), ResultColumn("taken", "timestamp")]
    statement = formats.Statement()
    document = votable.parse(
        io.BytesIO(_file(connection, "votable", columns, query, statement)), verify="exception"
    )
    assert len(document.get_first_table().array) > 5000
    last = document.resources[0].infos[-1]
    assert (last.name, last.value) == ("QUERY_STATUS", "ERROR")
    assert "infinite timestamp" in last.content
    assert isinstance(statement.failure, DataRejectedError)
