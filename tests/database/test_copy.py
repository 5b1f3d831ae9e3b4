"""The binary COPY encoder against PostgreSQL's own reading of every type, NULLs included."""

import json
from datetime import datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ingest.copy import as_file, encode
from services.uploads.copy import CopyStream
from skyledger.dictionary import Column
from skyledger.errors import DataRejectedError

TYPES = {
    "a": "bigint",
    "b": "integer",
    "c": "smallint",
    "d": "real",
    "e": "double precision",
    "f": "boolean",
    "g": "timestamp",
    "h": "text",
    "i": "bytea",
    "j": "jsonb",
}


def column(name, kind, shape=None):
    return Column(name=name, type=kind, shape=shape, description="A column of the test.")


def round_trip(connection, columns, values):
    with connection.cursor() as cursor:
        listed = ", ".join(f"{c.sql_name} {c.type}" for c in columns)
        cursor.execute("DROP TABLE IF EXISTS pg_temp.copied")
        cursor.execute(f"CREATE TEMP TABLE copied ({listed})")
        cursor.copy_expert(
            "COPY copied FROM STDIN (FORMAT binary)", as_file(encode(columns, values))
        )
        cursor.execute("SELECT * FROM copied")
        return cursor.fetchall()


def test_every_scalar_type_with_and_without_nulls(connection):
    columns = [column(n, t) for n, t in TYPES.items()]
    whole = [
        np.array([-(2**63), 2**63 - 1, 0]),
        np.array([-(2**31), 2**31 - 1, 7]),
        np.array([-32768, 32767, 1]),
        np.array([1.5, -0.0, 3e38], dtype=np.float32),
        np.array([1e-300, 1e300, -1 / 3]),
        np.array([True, False, True]),
        np.array(["1999-12-31T23:59:59.999999", "2026-01-01", "9999-12-31"], dtype="M8[us]"),
        ["", "äß ☄", "tab\tand\nline"],
        [b"", b"\0\xff", b"x" * 1000],
        [{"a": 1}, [1, 2], None],
    ]
    masks = np.zeros((len(columns), 3), dtype=bool)
    for hidden in (False, True):
        if hidden:
            masks[:] = np.random.default_rng(1).random(masks.shape) < 0.4
        values = []
        for value, mask in zip(whole, masks, strict=True):
            if isinstance(value, list):
                boxed = np.empty(3, dtype=object)
                boxed[:] = value
                values.append(np.ma.MaskedArray(boxed, mask=mask))
            else:
                values.append(np.ma.MaskedArray(value, mask=mask))
        rows = round_trip(connection, columns, values)
        for k, row in enumerate(rows):
            for j, found in enumerate(row):
                got = found
                wanted = None if masks[j, k] else whole[j][k]
                if isinstance(got, memoryview):
                    got = bytes(got)
                if isinstance(wanted, np.datetime64):
                    wanted = wanted.astype(datetime)
                if columns[j].type == "real" and wanted is not None:
                    got = np.float32(got)
                assert got == wanted, (columns[j].type, k)


def test_arrays_of_fixed_shape_missing_elements_and_missing_arrays(connection):
    columns = [
        column("a", "real[]", (3,)),
        column("b", "double precision[]", (2, 2)),
        column("c", "bigint[]"),
        column("d", "text[]"),
    ]
    first = np.ma.MaskedArray(np.arange(12.0).reshape(4, 3))
    first[1, 2] = np.ma.masked
    first[3] = np.ma.masked
    second = np.arange(16.0).reshape(4, 4)
    third = np.empty(4, dtype=object)
    third[:] = [[1, 2**62], [], None, [5]]
    rows = round_trip(connection, columns, [first, second, third, [["a", "ü"], [], None, ["b"]]])
    assert rows[0] == ([0.0, 1.0, 2.0], [0.0, 1.0, 2.0, 3.0], [1, 2**62], ["a", "ü"])
    assert rows[1] == ([3.0, 4.0, None], [4.0, 5.0, 6.0, 7.0], [], [])
    assert rows[2][2:] == (None, None)
    assert rows[3][0] is None


@given(
    values=hnp.arrays(np.float64, st.integers(0, 30), elements=st.floats(width=64)),
    seed=st.integers(0, 2**32 - 1),
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_doubles_come_back_bit_by_bit(connection, values, seed):
    mask = np.random.default_rng(seed).random(len(values)) < 0.3
    rows = round_trip(
        connection,
        [column("a", "double precision"), column("b", "text")],
        [np.ma.MaskedArray(values, mask=mask), [json.dumps(float(v)) for v in values]],
    )
    got = np.array([np.nan if r[0] is None else r[0] for r in rows])
    assert np.array_equal(got, np.where(mask, np.nan, values), equal_nan=True)
    assert [r[0] is None for r in rows] == list(mask)


@pytest.mark.parametrize(
    ("kind", "values", "reason"),
    [
        (
            "smallint",
            np.array([1, 40000]),
            "1 of 2 values lie outside -32768 to 32767, first in row 1",
        ),
        ("integer", np.array([1.0, 1.5]), "are not whole numbers, first in row 1: .*1.5"),
        ("integer", np.array([1.0, np.nan]), "are not whole numbers"),
        ("bigint", np.array([2**63], dtype=np.uint64), "lie outside"),
        ("real", np.array(["x"]), "has type <U1"),
        ("real", np.zeros((2, 2)), "has shape"),
        ("text", ["a\0b"], "zero byte"),
    ],
)
def test_what_a_type_cannot_hold_is_named(kind, values, reason):
    with pytest.raises(DataRejectedError, match=reason):
        encode([column("a", kind)], [values])


def test_arrays_of_another_shape_are_refused():
    with pytest.raises(DataRejectedError, match="arrays of 3"):
        encode([column("a", "real[]", (3,))], [np.zeros((2, 4))])
    with pytest.raises(DataRejectedError, match="has 1 values, others have 2"):
        encode([column("a", "real"), column("b", "real")], [np.zeros(2), np.zeros(1)])


def test_a_value_too_large_for_real_becomes_infinite_and_is_left_to_validation(connection):
    rows = round_trip(connection, [column("a", "real")], [np.array([1e300, 1.0])])
    assert rows == [(np.inf,), (1.0,)]


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)


@given(
    rows=st.lists(
        st.tuples(
            st.none() | st.lists(st.none() | st.integers(-(2**31), 2**31 - 1), max_size=5),
            st.none() | st.lists(st.none() | TEXT, max_size=4),
            st.none() | TEXT,
            st.none() | st.integers(-(2**15), 2**15 - 1),
        ),
        max_size=20,
    ),
    cut=st.integers(0, 20),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_people_send_comes_back_hole_by_hole(connection, rows, cut):
    """Arrays of any length, in two chunks; an array of NULLs alone is NULL."""
    types = ["integer[]", "text[]", "text", "smallint"]

    def column(values, make):
        boxed = np.empty(len(values), dtype=object)
        for k, value in enumerate(values):
            boxed[k] = make(value)
        return np.ma.MaskedArray(boxed, mask=[v is None for v in values])

    def numbers(value):
        if value is None:
            return None
        holes = [v is None for v in value]
        return np.ma.MaskedArray(np.array([v or 0 for v in value], dtype=np.int32), mask=holes)

    def chunk(part):
        whole = [r[3] for r in part]
        return [
            column([r[0] for r in part], numbers),
            column([r[1] for r in part], lambda v: v),
            column([r[2] for r in part], lambda v: v),
            np.ma.MaskedArray(
                np.array([v or 0 for v in whole], dtype=np.int16), mask=[v is None for v in whole]
            ),
        ]

    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.copied")
        listed = ", ".join(f"c{k} {t}" for k, t in enumerate(types))
        cursor.execute(f"CREATE TEMP TABLE copied ({listed})")
        stream = CopyStream(types, [chunk(p) for p in (rows[:cut], rows[cut:])])
        cursor.copy_expert("COPY copied FROM STDIN (FORMAT binary)", stream)
        cursor.execute("SELECT * FROM copied")
        found = cursor.fetchall()
    nothing = lambda v: v is None or (len(v) > 0 and all(x is None for x in v))  # noqa: E731
    wanted = [(None if nothing(r[0]) else r[0], r[1], r[2], r[3]) for r in rows]
    assert found == wanted
