"""Answers as numpy arrays: what binary COPY carries, against psycopg2's own reading of the rows."""

import gc

import numpy as np
import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skyledger import binary
from skyledger.errors import DataRejectedError, QueryRefusedError

# SQL type: values of it, as psycopg2 gives them back.
VALUES = {
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "smallint": st.integers(-(2**15), 2**15 - 1),
    "double precision": st.floats(width=64),
    "real": st.floats(width=32),
    "boolean": st.booleans(),
    "timestamp": st.datetimes(),
    "text": st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9),
    "bytea": st.binary(max_size=9),
}
KINDS = {
    "bigint": "i8", "integer": "i4", "smallint": "i2", "double precision": "f8", "real": "f4",
    "boolean": "?", "timestamp": "M8[us]", "text": "O", "bytea": "O",
}  # fmt: skip
ROW = st.tuples(*(st.none() | values for values in VALUES.values()))


def same(found, wanted, kind):
    """Compare a value of a column with psycopg2's."""
    if isinstance(wanted, memoryview):
        wanted = bytes(wanted)
    if kind == "timestamp":
        return found == np.datetime64(wanted)
    if kind == "real":
        return np.array_equal(found, np.float32(wanted), equal_nan=True)
    if kind == "double precision":
        return np.array_equal(found, wanted, equal_nan=True)
    return found == wanted


@given(rows=st.lists(ROW, max_size=12), chunk=st.sampled_from([1, 200, 1 << 20]))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_type_with_every_pattern_of_nulls(connection, rows, chunk):
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.given")
        cursor.execute(
            "CREATE TEMP TABLE given (k integer, "
            + ", ".join(f"c{j} {kind}" for j, kind in enumerate(VALUES))
            + ")"
        )
        for k, row in enumerate(rows):
            marks = ", ".join(["%s"] * (len(row) + 1))
            cursor.execute(f"INSERT INTO given VALUES ({marks})", (k, *row))
        cursor.execute("SELECT * FROM given ORDER BY k")
        wanted = cursor.fetchall()
    chunks = []
    binary.stream(connection, "SELECT * FROM given ORDER BY k", chunks.append, chunk=chunk)
    assert len(chunks) == (max(len(rows), 1) if chunk == 1 else len(chunks))
    at = 0
    for part in chunks:
        assert list(part) == ["k", *(f"c{j}" for j in range(len(VALUES)))]
        for i in range(len(part["k"])):
            for j, kind in enumerate(VALUES):
                column = part[f"c{j}"]
                assert column.dtype == np.dtype(KINDS[kind])
                value = wanted[at + i][j + 1]
                assert bool(np.ma.getmaskarray(column)[i]) == (value is None)
                assert value is None or same(column.data[i], value, kind), kind
        at += len(part["k"])
    assert at == len(rows)


def test_arrays_of_one_length_are_a_matrix_others_are_objects(connection):
    found = binary.rows(
        connection,
        "SELECT CASE WHEN i <> 2 THEN ARRAY[i, NULL, 3]::real[] END AS square, "
        "CASE WHEN i <> 2 THEN ARRAY(SELECT generate_series(1, i)) END AS ragged, "
        "ARRAY['a', NULL, i::text] AS texts, ARRAY[]::bigint[] AS empty "
        "FROM generate_series(1, 3) AS i ORDER BY i",
    )
    square = found["square"]
    assert square.dtype == np.float32
    assert square.filled(-1).tolist() == [[1, -1, 3], [-1, -1, -1], [3, -1, 3]]
    assert found["ragged"].mask.tolist() == [False, True, False]
    assert [r.tolist() for r in found["ragged"].compressed()] == [[1], [1, 2, 3]]
    assert found["texts"][2] == ["a", None, "3"]
    assert found["empty"].shape == (3, 0)


def test_arrays_whose_length_changes_between_chunks(connection, monkeypatch):
    parts = []
    query = "SELECT array_fill(1::float8, ARRAY[i]) AS a FROM generate_series(1, 3) AS i"
    binary.stream(connection, query, parts.append, chunk=1)
    assert [part["a"].shape for part in parts] == [(1, 1), (1, 2), (1, 3)]
    monkeypatch.setattr(binary, "_CHUNK", 1)
    assert [len(r) for r in binary.rows(connection, query)["a"]] == [1, 2, 3]
    null = f"SELECT CASE WHEN cardinality(a) <> 2 THEN a END AS a FROM ({query}) AS q"
    found = binary.rows(connection, null)["a"]
    assert found.mask.tolist() == [False, True, False]
    assert [len(r) for r in found.compressed()] == [1, 3]


@pytest.mark.parametrize("chunk", [1, 40, 1 << 20])
def test_arrays_that_are_null_in_whole_chunks_keep_their_shape(connection, monkeypatch, chunk):
    monkeypatch.setattr(binary, "_CHUNK", chunk)
    found = binary.rows(
        connection,
        "SELECT CASE WHEN i % 7 = 3 THEN ARRAY[i, NULL]::smallint[] END AS some, "
        "NULL::real[] AS nowhere, CASE WHEN i = 9 THEN true END AS flag "
        "FROM generate_series(1, 20) AS i",
    )
    wanted = [[i, -1] if i % 7 == 3 else [-1, -1] for i in range(1, 21)]
    assert found["some"].dtype == np.int16
    assert found["some"].filled(-1).tolist() == wanted
    assert found["nowhere"].shape == (20, 0)
    assert np.flatnonzero(~found["flag"].mask).tolist() == [8]
    # What lies below a NULL is 0, not what another chunk had there.
    assert found["flag"].data.tolist() == [i == 9 for i in range(1, 21)]


def test_numbers_of_any_size_dates_and_documents_have_a_plain_form(connection):
    found = binary.rows(
        connection,
        'SELECT 1::numeric / 3 AS "a ""third""", date \'2026-01-02\' AS d, '
        "jsonb_build_object('a', 1) AS j, count(*) AS n, sum(i) AS s "
        "FROM generate_series(1::bigint, 4) AS i",
    )
    assert {name: column[0] for name, column in found.items()} == {
        'a "third"': 1 / 3,
        "d": "2026-01-02",
        "j": '{"a": 1}',
        "n": 4,
        "s": 10.0,
    }


def test_no_rows_are_columns_without_values(connection):
    found = binary.rows(connection, "SELECT * FROM prompt_live.DIAObject WHERE false")
    assert found["diaobjectid"].dtype == np.int64
    assert {len(column) for column in found.values()} == {0}


@pytest.mark.parametrize(
    ("query", "error", "said"),
    [
        ("SELECT spoint(0, 0) AS sky", QueryRefusedError, "column sky is of type spoint, .*parts"),
        ("SELECT now() AS t", QueryRefusedError, "t is of type timestamp with time zone"),
        ("SELECT 1 AS a, 2 AS a", QueryRefusedError, "more than one column a; rename"),
        ("SELECT '-infinity'::timestamp AS t", DataRejectedError, "t holds an infinite timestamp"),
        ("SELECT 1 / 0 AS a", psycopg2.errors.DivisionByZero, "division by zero"),
        ("SELECT 1 AS a; SELECT 2", psycopg2.errors.SyntaxError, "syntax error"),
    ],
)
def test_what_numpy_cannot_hold_is_named(connection, query, error, said):
    with pytest.raises(error, match=said):
        binary.rows(connection, query)
    connection.rollback()
    assert binary.rows(connection, "SELECT %(a)s AS a", {"a": 5})["a"].tolist() == [5]


def test_memory_is_bounded_and_whoever_reads_may_stop(connection):
    seen = []

    def take(part):
        seen.append(len(part["a"]))
        if len(seen) == 3:
            raise StopIteration

    with pytest.raises(StopIteration):
        binary.stream(connection, "SELECT generate_series(1, 100000) AS a", take, chunk=4096)
    assert max(seen) * 10 <= 4096 + 10  # a row of one integer is ten bytes
    connection.rollback()
    assert binary.rows(connection, "SELECT 1 AS a")["a"].tolist() == [1]


def test_an_error_of_the_server_ends_the_answer(connection):
    seen = []
    with pytest.raises(psycopg2.errors.DivisionByZero):
        binary.stream(
            connection,
            "SELECT i, 1 / (900 - i) AS a FROM generate_series(1, 1000) AS i",
            lambda part: seen.extend(part["i"].tolist()),
            chunk=4096,
        )
    connection.rollback()
    gc.collect()  # what the buffer still held must not be handed on when it goes
    assert seen == list(range(1, len(seen) + 1))
    assert len(seen) < 900


@pytest.mark.parametrize(
    ("row", "place"),
    [
        (b"\0\1\0\0\0\4\0\0\1", "a"),  # a byte short
        (b"\0\1\0\0\0\4\0\0\0\1\0", "its length"),  # a byte long
        (b"\0\1\0\0\0\10\0\0\0\0\0\0\0\1", "a"),  # of another width
        (b"\0\2\0\0\0\4\0\0\0\1\xff\xff\xff\xff", "its length"),  # another field
        (b"\xff\xff\0", "its length"),  # something after the end
    ],
)
def test_a_torn_answer_is_not_believed(row, place):
    sink = binary._Sink(["a"], [23], lambda _: None)
    with pytest.raises(DataRejectedError, match=rf"row \d of .* cannot be read at {place}:"):
        sink.write(b"PGCOPY\n\xff\r\n\0" + bytes(8) + row)
    with pytest.raises(DataRejectedError, match="cannot be read at its beginning"):
        binary._Sink(["a"], [23], lambda _: None).write(b"1\n")


@pytest.mark.parametrize(
    "array",
    [
        b"\0\0\0\1\0\0\0\0\0\0\2\xbc\0\0\0\2\0\0\0\1\0\0\0\4\x3f\x80\0\0",  # one of two
        b"\0\0\0\1\0\0\0\0\0\0\2\xbc\0\0\0\1\0\0\0\1\0\0\0\2\x3f\x80",  # too narrow
        b"\0\0\0\1\0\0\0\0\0\0\2\xbc\0\0\0\1\0\0\0\1\0\0\0\4\x3f\x80\0\0\0",  # long
        b"\0\0\0\1",  # no head
        b"\xff\0\0\1" + bytes(8),  # dimensions without end
    ],
)
def test_a_torn_array_is_not_believed(array):
    sink = binary._Sink(["a"], [1021], lambda _: None)
    row = b"\0\1" + len(array).to_bytes(4, "big") + array
    with pytest.raises(DataRejectedError, match="row 0 of the answer cannot be read at a:"):
        sink.write(b"PGCOPY\n\xff\r\n\0" + bytes(8) + row)


@given(rows=st.lists(ROW, max_size=5))
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_promised_types_bring_the_same_values_in_one_plan(connection, rows):
    empty = "SELECT " + ", ".join(f"NULL::{kind}" for kind in VALUES) + " WHERE false"
    marks = "SELECT " + ", ".join(f"(%s)::{kind}" for kind in VALUES)
    with connection.cursor() as cursor:
        selects = [cursor.mogrify(marks, row).decode() for row in rows] or [empty]
    query = " UNION ALL ".join(selects)
    named = f"SELECT * FROM ({query}) AS t ({', '.join(f'c{j}' for j in range(len(VALUES)))})"
    asked = binary.rows(connection, named)
    told = []
    binary.stream(connection, query, told.append, types=list(VALUES))  # the names are all alike
    (given_,) = told
    assert list(given_) == [f"k{j + 1}" for j in range(len(VALUES))]
    for one, other in zip(asked.values(), given_.values(), strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(np.ma.getmaskarray(one), np.ma.getmaskarray(other))
        if one.dtype == object:
            assert one.tolist() == other.tolist()
        else:
            assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize(
    ("query", "kind", "wanted"),
    [
        ("SELECT 7.0::float8", "bigint", 7),  # both have eight bytes
        ("SELECT 7::bigint", "double precision", 7.0),
        ("SELECT 7", "bigint", 7),
        ("SELECT ARRAY[7, 8]", "real[]", [7.0, 8.0]),
        ("SELECT date '2026-01-02'", "timestamp", np.datetime64("2026-01-02", "us")),
        ("SELECT date '2026-01-02'", "date", "2026-01-02"),
        ("SELECT 1.5::numeric", "double precision", 1.5),
        ("SELECT 'x'::varchar(3)", "text", "x"),
    ],
)
def test_a_type_that_is_not_as_promised_is_converted(connection, query, kind, wanted):
    told = []
    binary.stream(connection, query, told.append, types=[kind])
    assert np.array_equal(told[0]["k1"][0], wanted)


def test_a_promise_that_cannot_be_kept_is_refused(connection):
    with pytest.raises(psycopg2.Error, match="cannot cast type bytea to bigint"):
        binary.stream(connection, "SELECT 'x'::bytea", lambda _: None, types=["bigint"])
    connection.rollback()
    with pytest.raises(psycopg2.Error, match="2 columns specified"):
        binary.stream(connection, "SELECT 1", lambda _: None, types=["integer"] * 2)


def test_promised_types_keep_the_order_of_the_query(connection):
    told = []
    query = (
        "SELECT mod(k * 7919, 10007) AS x, k FROM generate_series(1, 10006) AS k ORDER BY x DESC"
    )
    binary.stream(connection, query, told.append, types=["integer", "integer"], chunk=5000)
    assert len(told) > 10
    found = np.concatenate([np.ma.getdata(chunk["k1"]) for chunk in told])
    assert found.tolist() == list(range(10006, 0, -1))
