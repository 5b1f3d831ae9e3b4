"""Uploads in PostgreSQL: the values, the index that joins use, the metadata that results carry."""

import io
from typing import Any

import numpy as np
import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io.votable import from_table
from astropy.table import Table

from services.uploads import Limits, Loaded, load, read
from skyledger import binary
from skyledger.errors import UploadRefusedError


def upload(connection, content: bytes, table: Any = "up", **more: Any) -> Loaded:
    return load(connection, read(io.BytesIO(content), "up"), table, **more)


def rows(connection, query: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def parquet(columns: dict[str, Any], metadata: dict[str, dict[str, str]] | None = None) -> bytes:
    table = pa.table(columns)
    fields = [f.with_metadata((metadata or {}).get(f.name, {})) for f in table.schema]
    out = io.BytesIO()
    pq.write_table(table.cast(pa.schema(fields)), out)
    return out.getvalue()


def test_every_type_arrives(connection) -> None:
    stamps = np.array(["2026-01-31T23:59:59.25", "NaT", "1969-12-31"], dtype="datetime64[us]")
    columns = {
        "yes": pa.array([True, None, False]),
        "i2": pa.array([-(2**15), None, 2**15 - 1], pa.int16()),
        "i4": pa.array([-(2**31), None, 2**31 - 1], pa.int32()),
        "i8": pa.array([-(2**63), None, 2**63 - 1], pa.int64()),
        "f4": pa.array([1.5, None, -np.inf], pa.float32()),
        "f8": pa.array([0.1, np.nan, 1e-310], pa.float64()),
        "text": pa.array(["é'\\\n\t", None, "δ" * 70_000]),
        "time": pa.array(stamps),
        "same": pa.array([[1, 2], [3, 4], [5, None]], pa.list_(pa.int32())),
        "list": pa.array([[1.5, None], None, []], pa.list_(pa.float64())),
        "flags": pa.array([[True, None], None, [False]], pa.list_(pa.bool_())),
        "words": pa.array([["a", None, ""], None, []], pa.list_(pa.string())),
        "gone": pa.array([[None, None], None, [1, None]], pa.list_(pa.int16(), 2)),
    }
    loaded = upload(connection, parquet(columns))
    assert (loaded.table, loaded.rows, loaded.position) == ('"up"', 3, None)
    found = rows(connection, "SELECT * FROM up")
    by_name = {c.sql_name: [r[i] for r in found] for i, c in enumerate(loaded.columns)}
    for name in ("yes", "i2", "i4", "i8", "f4", "text", "same", "list", "flags", "words"):
        assert by_name[name] == columns[name].to_pylist(), name
    assert by_name["f8"] == [0.1, None, 1e-310]
    assert [str(t) for t in by_name["time"]] == [
        "2026-01-31 23:59:59.250000", "None", "1969-12-31 00:00:00",
    ]  # fmt: skip
    # An array of which nothing is there is NULL.
    assert by_name["gone"] == [None, None, [1, None]]


def test_many_rows_are_what_the_server_holds(connection) -> None:
    rng = np.random.default_rng(5)
    n = 30_003
    table = pa.table({
        "id": rng.permutation(n),
        "x": pa.array(rng.normal(size=n), mask=rng.random(n) < 0.3),
        "t": pa.array([None if i % 5 == 0 else "x" * (i % 11) for i in range(n)]),
        "v": pa.array(list(rng.normal(size=(n, 3)).astype("f4")), pa.list_(pa.float32(), 3)),
    })  # fmt: skip
    out = io.BytesIO()
    pq.write_table(table, out)
    upload(connection, out.getvalue())
    found = binary.rows(connection, "SELECT * FROM up")
    # numpy reads what was written another way: as columns of Arrow.
    assert np.array_equal(found["id"], table["id"].to_numpy())
    assert found["x"].tolist() == table["x"].to_pylist()
    assert found["t"].tolist() == table["t"].to_pylist()
    assert np.array_equal(np.ma.getdata(found["v"]), np.stack(table["v"].to_numpy()))


NAMES = [
    "select", "Select", "count", "", "ctid",
    'x"; DROP TABLE prompt_store.diaobject; --', "%s %(a)s",
    "δ", "a b", "é" * 70, "'", "\\", "--", "$$", "0",
]  # fmt: skip


def test_names_of_all_kinds_are_columns_and_nothing_else(connection) -> None:
    header = ",".join('"' + n.replace('"', '""') + '"' for n in NAMES)
    values = ",".join(str(i) for i in range(len(NAMES)))
    before = rows(connection, "SELECT count(*) FROM pg_class WHERE relname = 'diaobject'")
    loaded = upload(connection, f"{header}\n{values}\n".encode(), 'up"; DROP TABLE x; --')
    assert loaded.table == '"up""; DROP TABLE x; --"'
    assert [c.name for c in loaded.columns[:3]] == NAMES[:3]
    for i, c in enumerate(loaded.columns):
        assert rows(connection, f"SELECT {c.quoted} FROM {loaded.table}") == [(i,)]
    assert rows(connection, "SELECT count(*) FROM pg_class WHERE relname = 'diaobject'") == before


def test_tables_can_stay_and_live_in_a_schema(connection) -> None:
    rows_of = "SELECT relpersistence FROM pg_class WHERE oid = '{}'::regclass"
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA mydb_ann")
    kept = upload(connection, b"a\n1\n", ("mydb_ann", "Mine"), temporary=False)
    assert kept.table == '"mydb_ann"."Mine"'
    assert rows(connection, rows_of.format(kept.table)) == [("p",)]
    passing = upload(connection, b"a\n1\n")
    assert rows(connection, rows_of.format(passing.table)) == [("t",)]


def test_a_temporary_table_goes_with_the_transaction(fresh_database) -> None:
    opened = fresh_database.connect()
    upload(opened, b"a\n1\n")
    opened.commit()
    assert rows(opened, "SELECT to_regclass('up')") == [(None,)]
    opened.close()


def test_a_table_without_rows(connection) -> None:
    loaded = upload(connection, b"ra,dec\n")
    assert rows(connection, f"SELECT count(*) FROM {loaded.table}") == [(0,)]


def sky(n: int) -> Table:
    rng = np.random.default_rng(7)
    table = Table()
    table["pos_2"] = np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    table["pos_1"] = rng.uniform(0, 360, n)
    table["mag"] = rng.normal(20, 1, n).astype("f4")
    table["pos_1"].unit, table["pos_2"].unit, table["mag"].unit = "deg", "deg", "mag"
    return table


def votable(table: Table) -> bytes:
    document = from_table(table)
    ucds = {"pos_1": "pos.eq.ra;meta.main", "pos_2": "pos.eq.dec;meta.main", "mag": "phot.mag"}
    for field in document.get_first_table().fields:
        field.ucd = ucds[field.name]
    out = io.BytesIO()
    document.to_xml(out, tabledata_format="binary2")
    return out.getvalue()


JOIN = """
SELECT o.id, u.mag::float8 FROM targets o JOIN up u
ON spoint(radians(u.pos_1), radians(u.pos_2))
   <@ scircle(spoint(radians(o.ra), radians(o.decl)), radians(2.0))
"""


def test_a_join_uses_the_index_and_finds_what_angles_say(connection) -> None:
    table = sky(20_000)
    loaded = upload(connection, votable(table))
    assert loaded.position is not None
    assert [c.sql_name for c in loaded.position] == ["pos_1", "pos_2"]
    assert {c.name: (c.unit, c.ucd) for c in loaded.columns} == {
        "pos_1": ("deg", "pos.eq.ra;meta.main"),
        "pos_2": ("deg", "pos.eq.dec;meta.main"),
        "mag": ("mag", "phot.mag"),
    }
    ra, decl = np.array([10.0, 200, 359.9]), np.array([-30.0, 88.9, 0.2])
    places = enumerate(zip(ra, decl, strict=True))
    listed = ", ".join(f"({i}, {r}::float8, {d}::float8)" for i, (r, d) in places)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE targets (id, ra, decl) AS VALUES {listed}")
        cursor.execute("ANALYZE targets")
    plan = "\n".join(r[0] for r in rows(connection, f"EXPLAIN {JOIN}"))
    assert "Index Scan using up_spoint_idx" in plan, plan
    found = sorted(rows(connection, JOIN))

    # The same pairs from the angle between unit vectors; none lies within 1e-9 deg of the border.
    def vectors(a: Any, d: Any) -> Any:
        a, d = np.radians(a), np.radians(d)
        return np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=-1)

    cosines = vectors(ra, decl) @ vectors(np.array(table["pos_1"]), np.array(table["pos_2"])).T
    pairs = np.argwhere(cosines >= np.cos(np.radians(2.0)))
    assert len(pairs) > 10
    assert found == sorted((int(i), float(table["mag"][j])) for i, j in pairs)


def test_the_index_is_written_as_the_dictionarys_are(connection) -> None:
    upload(connection, b"ra,decl\n10.5,-20.5\n")
    definition = "SELECT indexdef FROM pg_indexes WHERE tablename = '{}' AND indexdef ~ 'spoint'"
    ours = rows(connection, definition.format("up"))[0][0]
    theirs = rows(connection, definition.format("diaobject"))[0][0]
    assert ours.split(" USING ")[1] == theirs.split(" USING ")[1]


@pytest.mark.parametrize(
    ("header", "row", "found"),
    [
        ("ra,dec", "10.5,20.5", ("ra", "dec")),
        ("RA,Decl,dec", "10.5,20.5,1.5", ("ra", "decl")),
        ("_RAJ2000,_DEJ2000,RAJ2000", "10.5,20.5,1", ("_raj2000", "_dej2000")),
        ("ra,dec", "10.5,95.5", None),  # not on the sphere
        ("ra,dec", "inf,5.5", None),
        ("ra,dec", '"10 20 30","-5 6 7"', None),  # sexagesimal text
        ("ra,x", "10.5,20.5", None),
        ("ra,dec", ",", None),
    ],
)  # fmt: skip
def test_positions_are_found_by_their_usual_names(connection, header, row, found) -> None:
    loaded = upload(connection, f"{header}\n{row}\n".encode())
    assert (loaded.position and tuple(c.sql_name for c in loaded.position)) == found
    indexes = rows(connection, "SELECT count(*) FROM pg_indexes WHERE tablename = 'up'")
    assert indexes == [(0 if found is None else 1,)]


def test_positions_in_radians_are_none(connection) -> None:
    content = parquet(
        {"a": [0.1], "b": [0.2]},
        {"a": {"unit": "rad", "ucd": "pos.eq.ra"}, "b": {"unit": "rad", "ucd": "pos.eq.dec"}},
    )
    assert upload(connection, content).position is None


def test_statistics_are_gathered(connection) -> None:
    upload(connection, b"a\n" + b"\n".join(str(i).encode() for i in range(500)))
    assert rows(connection, "SELECT n_distinct FROM pg_stats WHERE tablename = 'up'") == [(-1,)]


def test_what_postgresql_cannot_hold_is_said(connection) -> None:
    columns = {f"c{i}": [float(i)] for i in range(1100)}
    uploaded = read(io.BytesIO(parquet(columns)), "wide", Limits(columns=2000))
    with pytest.raises(UploadRefusedError, match=r"upload 'wide'.*row is too big.*fewer columns"):
        load(connection, uploaded, "up")


@pytest.mark.parametrize("name", ["", "x" * 64, "a\0b"])
def test_a_table_must_have_a_name(connection, name) -> None:
    with pytest.raises(UploadRefusedError, match="cannot be called"):
        upload(connection, b"a\n1\n", name)


def test_a_reader_may_not_load(connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
    # A temporary table of its own is no write, but filling it by COPY is refused.
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        upload(connection, b"a\n1\n", ("public", "t"), temporary=False)
