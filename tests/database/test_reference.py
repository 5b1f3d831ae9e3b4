"""A reference catalogue as release dr0: formats, units, hostile rows, and that it never changes."""

import gzip

import numpy as np
import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import MaskedColumn, Table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_ledger import MJD, Desk, source_rows
from typer.testing import CliRunner

from cli import reference as command
from ingest import catalogue, reference
from ingest.staging import slot
from skyledger import ids
from skyledger.errors import ConfigurationError, DataRejectedError, UsageError

N = 50
PUBLISHING = "set_config('skyledger.publishing', pg_current_xact_id()::text, true)"


@pytest.fixture
def connection(fresh_database):
    opened = fresh_database.connect()
    yield opened
    opened.close()


def rows_of(connection, query, *values):
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        found = cursor.fetchall()
    connection.rollback()
    return found


def mapping(folder, text):
    path = folder / "mapping.toml"
    path.write_text(text, encoding="utf-8")
    return catalogue.read_mapping(path)


MAPPING = """
ra = {column = "RA", unit = "hourangle"}
decl = {column = "DE", unit = "arcmin"}
raErr = {column = "e_RA", unit = "mas"}
declErr = {value = 0.03, unit = "arcsec"}
epoch = 57388.5
pmRa = {column = "pmRA", unit = "arcsec/yr"}
rFlux = {column = "rmag", unit = "mag"}
rFluxErr = {column = "e_rmag", unit = "mag"}
gFlux = {column = "g", unit = "uJy"}
extendedness = "ext"
"""


def table():
    rng = np.random.default_rng(3)
    missing = np.arange(N) % 7 == 0
    return Table(
        {
            "name": [f"star {k}" for k in range(N)],
            "RA": rng.uniform(0, 24, N),
            "DE": rng.uniform(-5400, 5400, N),
            "e_RA": rng.uniform(1, 30, N).astype(np.float32),
            "pmRA": MaskedColumn(rng.normal(0, 0.05, N), mask=missing),
            "rmag": rng.uniform(14, 24, N),
            "e_rmag": np.full(N, 0.02),
            "g": rng.uniform(1, 50, N),
            "ext": rng.integers(0, 2, N).astype(np.int16),
        },
        masked=True,
    )


def write(data, path):
    if path.suffix == ".parquet":
        pq.write_table(
            pa.table(
                {
                    n: pa.array(np.ma.getdata(data[n]), mask=np.ma.getmaskarray(data[n]))
                    if data[n].dtype.kind != "U"
                    else pa.array(list(data[n]))
                    for n in data.colnames
                }
            ),
            path,
        )
    elif path.suffix == ".gz":
        data.write(path.with_suffix(""), format="ascii.csv")
        path.write_bytes(gzip.compress(path.with_suffix("").read_bytes()))
    else:
        data.write(path, format="fits" if path.suffix == ".fits" else "ascii.csv")


@pytest.mark.requirement("DIA-16", "GEN-18")
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.fits", "a.parquet"])
def test_every_format_gives_the_same_objects(connection, tmp_path, name):
    data = table()
    write(data, tmp_path / name)
    told = []
    loaded = reference.load(
        connection, [tmp_path / name], mapping(tmp_path, MAPPING), lambda *args: told.append(args)
    )
    assert (loaded.rows, loaded.rejected) == (N, 0)
    assert ("rows", N, N if name == "a.parquet" else None) in told
    found = rows_of(
        connection,
        "SELECT objectid, ra, decl, hpx29, pscov[1], pscov[3], psradectai, pspmra, rpsflux, "
        "rpsfluxerr, gpsflux, extendedness, pscov[2], pspmdecl FROM dr0.object "
        "ORDER BY objectid & 549755813887",
    )
    columns = [
        np.array([np.nan if v is None else v for v in c], float) for c in zip(*found, strict=True)
    ]
    ra, decl = np.array(data["RA"]) * 15, np.array(data["DE"]) / 60
    assert np.allclose(columns[1], ra, rtol=1e-12)
    assert np.allclose(columns[2], decl, rtol=1e-12)
    pixel = ids.hpx29(columns[1], columns[2])
    assert [r[3] for r in found] == pixel.tolist()
    wanted = [(2 << 54) | (int(p) >> 48 << 39) | (k + 1) for k, p in enumerate(pixel)]
    assert [r[0] for r in found] == wanted
    assert np.allclose(columns[4], (np.array(data["e_RA"]) / 1000) ** 2, rtol=1e-5)
    assert np.allclose(columns[5], 0.03**2, rtol=1e-6)
    assert set(columns[6]) == {57388.5}
    motion = np.ma.filled(data["pmRA"] * 1000, np.nan)
    assert np.allclose(columns[7], motion, rtol=1e-6, equal_nan=True)
    flux = [
        r[0]
        for r in rows_of(
            connection,
            "SELECT science.mag_to_flux(m) FROM unnest(%s) AS m",
            np.array(data["rmag"]).tolist(),
        )
    ]
    assert np.allclose(columns[8], flux, rtol=1e-6)
    error = rows_of(
        connection,
        "SELECT science.mag_err_to_flux_err(m, 0.02) FROM unnest(%s) AS m",
        np.array(data["rmag"]).tolist(),
    )
    assert np.allclose(columns[9], [e[0] for e in error], rtol=1e-6)
    assert np.allclose(columns[10], np.array(data["g"]) * 1000, rtol=1e-6)
    assert columns[11].tolist() == np.array(data["ext"]).tolist()
    assert np.isnan(columns[12]).all()
    assert np.isnan(columns[13]).all()


HOSTILE = """ra,decl,mag,ext
10.0,20.0,18,0
abc,20.0,18,0
10.5,95,18,0
361,20.0,18,0
,20.0,18,0
11.0,20.0,18,
11.5,20.0,18,2
12.0,20.0,inf,0
12.5,20.0,18,0,surplus
10.0,20.0,19,1
13.0,-1e400,18,0
13.5,20.0,-200,0
14.0,20.0,NaN,1
0x10,20.0,18,0
"""


def test_hostile_rows_are_refused_with_their_reason_and_kept(connection, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(HOSTILE, encoding="utf-8")
    names = mapping(
        tmp_path,
        'ra = "ra"\ndecl = "decl"\nextendedness = "ext"\nrFlux = {column = "mag", unit = "mag"}\n',
    )
    loaded = reference.load(connection, [path], names)
    assert (loaded.rows, loaded.rejected) == (2, 12)
    assert rows_of(connection, "SELECT ra, rpsflux IS NULL FROM dr0.object ORDER BY 1") == [
        (10.0, False),
        (14.0, True),  # a flux may be missing
    ]
    kept = rows_of(
        connection,
        "SELECT reason, content FROM ledger.rejected WHERE batchid = %s AND relation = 'Object'",
        loaded.batch,
    )
    reasons = sorted(reason for reason, _ in kept)
    for said in (
        "ra = abc is no number",
        "ra = 0x10 is no number",
        "decl = 95 is outside -90 to 90",
        "ra = 361 is outside 0 to 360",
        "ra is missing",
        "extendedness is missing",
        "extendedness = 2 is outside 0 to 1",
        "mag = inf is no number",
        "the line has 5 columns instead of 4",
        "at the very place of an earlier row: ra = 10, decl = 20",
        "rFlux = ",
        "decl is not a finite number",
    ):
        assert any(reason.startswith(said) for reason in reasons), (said, reasons)
    assert {"ra": "abc", "decl": "20.0", "mag": "18", "ext": "0", "file": "bad.csv"} in [
        content for _, content in kept
    ]
    assert rows_of(
        connection,
        "SELECT kind, state, nrejected FROM ledger.batch WHERE batchid = %s",
        loaded.batch,
    ) == [("release", "published", 12)]


@given(data=st.binary(max_size=300))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_bytes_break_the_reader(tmp_path, data):
    """Whatever a file holds: rows, refused rows, or one error that a user can read."""
    names = {n: catalogue.Source(n, None, catalogue.FIELDS[n][0]) for n in ("ra", "decl")}
    for head, ending in ((b"ra,decl\n", "csv"), (b"PAR1", "parquet"), (b"SIMPLE  =", "fits")):
        path = tmp_path / f"x.{ending}"
        path.write_bytes(head + data)
        try:
            for piece in catalogue.pieces(
                path, names | {"extendedness": catalogue.Source(None, 0.0, "")}
            ):
                assert all(reason for reason, _ in piece.refused)
                assert all(np.isfinite(piece.values[n]).all() for n in ("ra", "decl"))
        except DataRejectedError as error:
            assert str(path) in str(error)  # noqa: PT017 - either outcome is right


@pytest.mark.requirement("GEN-28")
def test_a_release_never_changes_not_even_for_its_owner(connection, tmp_path):
    write(table(), tmp_path / "a.fits")
    names = mapping(tmp_path, MAPPING)
    reference.load(connection, [tmp_path / "a.fits"], names)
    checksum = "SELECT count(*), sum(hashtextextended(o::text, 0)::numeric) FROM dr0.object AS o"
    before = rows_of(connection, checksum)
    tables = rows_of(connection, "SELECT tablename FROM pg_tables WHERE schemaname = 'dr0'")
    assert ("object",) in tables
    assert ("source",) in tables
    for (name,) in tables:
        for statement in (
            f"INSERT INTO dr0.{name} SELECT * FROM dr0.{name}",
            f"UPDATE dr0.{name} SET {'objectid = 1' if name != 'source' else 'sourceid = 1'}",
            f"DELETE FROM dr0.{name}",
            f"TRUNCATE dr0.{name}",
            f"COPY dr0.{name} FROM PROGRAM 'true'",
            f"SET session_replication_role = replica; DELETE FROM dr0.{name}",
            f"SELECT {PUBLISHING}; DELETE FROM dr0.{name}",
        ):
            with pytest.raises(psycopg2.Error, match="a release never changes"):
                rows_of(connection, statement)
            connection.rollback()
    assert rows_of(connection, checksum) == before
    with pytest.raises(UsageError, match=r"there is a dr0 already.*never changes"):
        reference.load(connection, [tmp_path / "a.fits"], names)
    assert rows_of(connection, checksum) == before
    assert rows_of(connection, "SELECT to_regnamespace('dr0_loading')::text") == [(None,)]
    desk = Desk(connection)
    assert desk.one("SELECT has_table_privilege('skyledger_reader', 'dr0.object', 'SELECT')")
    assert desk.one("SELECT indexdef FROM pg_indexes WHERE indexname = 'object_sky_idx'")


def test_what_goes_wrong_leaves_nothing_behind(connection, tmp_path):
    good, bad = tmp_path / "a.csv", tmp_path / "b.csv"
    write(table(), good)
    names = mapping(tmp_path, MAPPING)
    bad.write_text("RA,DE\n1,2\n", encoding="utf-8")
    with pytest.raises(DataRejectedError, match=r"b\.csv has no column e_RA, .*; it has RA, DE"):
        reference.load(connection, [good, bad], names)
    bad.write_text(good.read_text(encoding="utf-8").split("\n")[0], encoding="utf-8")
    with pytest.raises(DataRejectedError, match=r"b\.csv cannot be read as CSV"):
        reference.load(connection, [bad], names)
    write(table()[:0], tmp_path / "none.fits")
    with pytest.raises(DataRejectedError, match="no row can be used"):
        reference.load(connection, [tmp_path / "none.fits"], names)
    with pytest.raises(DataRejectedError, match=r"must end in \.csv"):
        reference.load(connection, [tmp_path / "mapping.toml"], names)
    with pytest.raises(DataRejectedError, match=r"gone\.parquet cannot be read"):
        reference.load(connection, [tmp_path / "gone.parquet"], names)

    def interrupt(what, _done, _total):
        if what == "indexes":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reference.load(connection, [good], names, interrupt)
    assert rows_of(
        connection,
        "SELECT to_regnamespace('dr0'), to_regnamespace('dr0_loading'), "
        "(SELECT count(*) FROM ledger.database), (SELECT count(*) FROM ledger.rejected)",
    ) == [(None, None, 1, 0)]
    # What a killed load leaves is swept away by the next.
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA dr0_loading; CREATE TABLE dr0_loading.object (x integer)")
    connection.commit()
    assert reference.load(connection, [good], names).rows == N


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ra = ", "cannot be read as TOML"),
        ('ra = "a"\ndecl = "b"\nextendedness = 0\ncolour = "c"', "colour is none of ra, decl"),
        ('ra = "a"\ndecl = "b"', "does not say what extendedness is"),
        ('ra = {column = "a", unit = "mas/yr"}\ndecl = "b"\nextendedness = 0', "into 'deg'"),
        ('ra = {column = "a", value = 3}\ndecl = "b"\nextendedness = 0', "column or a value"),
        ('ra = true\ndecl = "b"\nextendedness = 0', "ra is True"),
        ('ra = {column = "a", unit = "mag"}\ndecl = "b"\nextendedness = 0', "'mag'"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused(tmp_path, text, said):
    with pytest.raises(ConfigurationError, match=said):
        mapping(tmp_path, text)


def test_published_objects_know_their_neighbours(fresh_database, tmp_path, monkeypatch):
    """From the command line to a DIAObject as of an instant; re-computed for a new position."""
    path = tmp_path / "stars.csv"
    path.write_text("ra,decl\n10.0001,0.0\n10.01,0.0\n200,0\n", encoding="utf-8")
    toml = tmp_path / "stars.toml"
    toml.write_text('ra = "ra"\ndecl = "decl"\nextendedness = 0\n', encoding="utf-8")
    monkeypatch.setenv("SKYLEDGER_DATABASE_URL", fresh_database.dsn)
    answer = CliRunner().invoke(
        command.app, ["load", str(path), "--columns", str(toml)], catch_exceptions=False
    )
    assert answer.exit_code == 0
    assert "3 objects in dr0 since" in answer.output
    connection = fresh_database.connect()
    desk = Nearby(connection)
    # TAP_SCHEMA tells of the release at once, and of no table that it has not.
    told = desk.all("SELECT table_name FROM tap_schema.tables WHERE schema_name = 'dr0'")
    assert ("dr0.Object",) in told
    assert desk.all("SELECT tablename FROM service.taptable WHERE schemaname = 'dr0' "
                    "AND to_regclass(tablename) IS NULL") == []  # fmt: skip
    desk.publish(1, source_rows(1, [10.0], [0.0], [100.0]))
    query = (
        "SELECT nearbystar1 & 549755813887, nearbystar1dist, nearbystar2 & 549755813887, "
        "nearbystar3, nearbygal1, nearbystar1lnp FROM prompt_live.diaobject"
    )
    ((first, distance, second, third, galaxy, lnp),) = desk.all(query)
    assert (first, second, third, galaxy) == (1, 2, None, None)
    assert distance == pytest.approx(0.36, abs=1e-5)
    # The third source moves the object by less than 0.1 arcsec and is no power of two.
    desk.publish(2, source_rows(2, [10.0], [0.0], [100.0], MJD + 1), MJD + 1)
    ((_, _, _, _, _, sharper),) = desk.all(query)
    assert sharper < lnp  # 0.36 arcsec are farther for a better position
    desk.publish(3, source_rows(3, [10.0], [0.0], [100.0], MJD + 2), MJD + 2)
    assert desk.all(query)[0][5] == sharper
    connection.close()


class Nearby(Desk):
    """Publishes visits with the neighbours of their objects."""

    def publish(self, sequence, rows, mjd=MJD):
        with slot(self.connection) as number, self.connection.cursor() as cursor:
            batch = self.stage(number, sequence, rows, mjd)
            for step in ("associate", "characterize", "nearby", "characterize_fluxes"):
                cursor.execute(f"SELECT staging.{step}(%s::smallint)", (number,))
            cursor.execute("SELECT ledger.publish(%s)", (batch,))
            self.connection.commit()
