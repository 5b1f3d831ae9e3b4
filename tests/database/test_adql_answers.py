"""ADQL on a real database: every query of the set runs, uses indexes, and is answered rightly.

Geometry is computed a second time with vectors (numpy) and astropy.
"""

import itertools
import json
from contextlib import contextmanager
from io import BytesIO

import astropy.units as u
import numpy as np
import psycopg2
import pytest
import sqlalchemy as sa
from adql_sets import MINE_SQL, archive, samples
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.pool import StaticPool
from test_published_plans import FILL, nodes

from services.adql import Column, Table, translate
from services.adql.functions import functions
from services.adql.uploads import uploaded
from services.uploads import load, read
from skyledger import dictionary as dd
from skyledger.answers import _FAMILIES
from skyledger.database import metadata as md

PLACES = Table(
    "TAP_UPLOAD",
    "places",
    (
        Column("id", "integer"),
        Column("lon", "double precision", "deg", "pos.eq.ra;meta.main"),
        Column("lat", "double precision", "deg", "pos.eq.dec;meta.main"),
    ),
    "pg_temp.places",
    key=("id",),
    spatial=(("lon", "lat"),),
)
CATALOGUE = archive().plus(PLACES)
NUMERIC = 1700  # PostgreSQL's type; nothing of it may come out, as no format has it


def positions():
    """Positions all over the sky, thick around the seam, the poles and (100, 40)."""
    random = np.random.default_rng(4)
    lon = random.uniform(0, 360, 600)
    lat = np.degrees(np.arcsin(random.uniform(-1, 1, 600)))
    lon[:100] = random.normal(0, 1, 100) % 360
    lat[:100] = random.normal(0, 1, 100)
    lat[100:150] = 90 - np.abs(random.normal(0, 2, 50))
    lat[150:200] = -90 + np.abs(random.normal(0, 2, 50))
    lon[200:400] = random.normal(100, 3, 200)
    lat[200:400] = random.normal(40, 3, 200)
    lon[400:404], lat[400:404] = (0, 360, 0, 180), (0, 0, 90, -90)
    return lon, lat


LON, LAT = positions()
HERE = SkyCoord(LON * u.deg, LAT * u.deg)


def vectors(lon, lat):
    lon, lat = np.radians(lon), np.radians(lat)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


class Desk:
    """A reader who asks in ADQL."""

    def __init__(self, connection, instant):
        self.connection, self.instant = connection, instant

    def run(self, text, **options):
        found = translate(text, CATALOGUE, **options)
        with self.connection.cursor() as cursor:
            cursor.execute(found.sql)
            return found, cursor.description, cursor.fetchall()

    def rows(self, text, **options):
        return self.run(text, **options)[2]

    def plan(self, text, **options):
        with self.connection.cursor() as cursor:
            cursor.execute("EXPLAIN (FORMAT JSON) " + translate(text, CATALOGUE, **options).sql)
            return list(nodes(cursor.fetchone()[0][0]["Plan"]))


@contextmanager
def desk_of(server, template, name, **sizes):
    """Yield the desk of a database of its own, with so many objects and sources."""
    admin = psycopg2.connect(server.dsn("postgres"))
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    connection = psycopg2.connect(server.dsn(name))
    with connection.cursor() as cursor:
        cursor.execute(FILL.format(**sizes))
        connection.commit()
        connection.autocommit = True
        cursor.execute("CREATE SCHEMA dr1")
        engine = sa.create_engine(
            "postgresql+psycopg2://", creator=lambda: connection, poolclass=StaticPool
        )
        md.release(dd.shipped(), "dr1").create_all(engine)
        cursor.execute(
            "GRANT USAGE ON SCHEMA dr1 TO skyledger_reader; "
            "GRANT SELECT ON ALL TABLES IN SCHEMA dr1 TO skyledger_reader"
        )
        cursor.execute("VACUUM ANALYZE")
        cursor.execute(MINE_SQL)
        cursor.execute(
            "INSERT INTO mine SELECT (1::bigint << 54) + g, 'n' || g, 10.5 + g, g / 10.0, 0.01, g, "
            "g % 2 = 0, '2026-01-01', ARRAY[15, 0, g] FROM generate_series(0, 8) AS g"
        )
        cursor.execute("CREATE TEMP TABLE places (id integer, lon float8, lat float8)")
        cursor.execute(
            "INSERT INTO places SELECT k - 1, lon, lat "
            "FROM unnest(%s::float8[], %s::float8[]) WITH ORDINALITY AS p (lon, lat, k)",
            (LON.tolist(), LAT.tolist()),
        )
        cursor.execute("CREATE INDEX ON places USING gist (spoint(radians(lon), radians(lat)))")
        cursor.execute("ANALYZE mine, places")
        cursor.execute("GRANT SELECT ON mine, places TO skyledger_reader")
        cursor.execute("SET SESSION AUTHORIZATION skyledger_reader")
        # Nothing here takes a second; what goes wrong is to be seen soon.
        cursor.execute("SET statement_timeout = '20s'")
        cursor.execute("SELECT ledger.horizon()")
        (instant,) = cursor.fetchone()
    yield Desk(connection, instant)
    connection.close()
    with admin.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    admin.close()


@pytest.fixture(scope="module")
def desk(server, template):
    """Where it matters how a query is planned."""
    with desk_of(
        server, template, "adql", months=2, sources=12_000, objects=20_000, visits=60
    ) as found:
        yield found


@pytest.fixture(scope="module")
def small(server, template):
    """Where everything may be joined with everything."""
    with desk_of(server, template, "adqlsmall", months=1, sources=12, objects=6, visits=3) as found:
        yield found


@pytest.mark.requirement("GEN-01", "L1DB-05")
@pytest.mark.parametrize("when", ["now", "then"])
def test_every_valid_query_runs_and_shows_the_types_it_promises(small, when):
    instant = small.instant if when == "then" else None
    wrong = {}
    for sample in samples("adql_valid.txt"):
        try:
            found, shown, _ = small.run(sample.text, instant=instant, rows=20)
        except psycopg2.Error as error:
            wrong[sample.line] = f"{sample.text}: {error}"
            continue
        types = [_FAMILIES.get(d.type_code, str(d.type_code)) for d in shown]
        if types != [c.type for c in found.columns] or NUMERIC in {d.type_code for d in shown}:
            wrong[sample.line] = f"{sample.text}: {types}"
    assert wrong == {}


@pytest.mark.requirement("GEN-01", "L1DB-05")
@pytest.mark.parametrize("when", ["now", "then"])
def test_queries_of_rubins_kinds_run_unchanged(desk, when):
    instant = desk.instant if when == "then" else None
    for sample in samples("adql_rubin.txt"):
        found, shown, _ = desk.run(sample.text, instant=instant, rows=1000)
        assert [_FAMILIES[d.type_code] for d in shown] == [c.type for c in found.columns]
    # 20,000 objects on 100 square degrees: one in a cone of a square degree is worth an answer.
    assert desk.rows(samples("adql_rubin.txt")[0].text, instant=instant)


LEAVES = ["id", "ra", "dec", "radius", "mag", "1", "2.5", "1e3", "0x1F", "-3", "PI()", "4000000000"]
NUMBERS = st.recursive(
    st.sampled_from(LEAVES),
    lambda n: st.one_of(
        st.builds("({} {} {})".format, n, st.sampled_from("+-*"), n),
        st.builds("({}) / 7".format, n),
        st.builds("-({})".format, n),
        st.builds("{}({})".format, st.sampled_from(["ABS", "FLOOR", "ROUND", "DEGREES"]), n),
        st.builds("COALESCE({}, {}, 1)".format, n, n),
        st.builds("MOD({}, 5)".format, n),
        st.builds("CAST({} AS REAL)".format, n),
        st.builds("ivo_interval_overlaps({}, {}, 1, 2)".format, n, n),
    ),
    max_leaves=6,
)
TEXTS = st.one_of(
    st.sampled_from(["name", "'a'", "'it''s'"]),
    st.builds("UPPER(name || CAST({} AS VARCHAR))".format, NUMBERS),
)
CONDITIONS = st.recursive(
    st.one_of(
        st.sampled_from(["ok = 1", "ok", "mag IS NULL", "\"date\" > '2025-01-01'"]),
        st.builds("{} {} {}".format, NUMBERS, st.sampled_from(["=", "<>", "<", ">="]), NUMBERS),
        st.builds("{} NOT BETWEEN {} AND {}".format, NUMBERS, NUMBERS, NUMBERS),
        st.builds("{} IN ({}, {})".format, NUMBERS, NUMBERS, NUMBERS),
        st.builds("{} NOT LIKE {}".format, TEXTS, TEXTS),
        st.builds("1 = CONTAINS(POINT(ra, dec), CIRCLE(mag, dec, {}))".format, st.just("0.5")),
    ),
    lambda c: st.one_of(
        st.builds("({} {} {})".format, c, st.sampled_from(["AND", "OR"]), c),
        st.builds("NOT ({})".format, c),
        st.builds("id IN (SELECT id FROM TAP_UPLOAD.mine WHERE {})".format, c),
    ),
    max_leaves=4,
)
FROM = "FROM TAP_UPLOAD.mine WHERE"
QUERIES = st.one_of(
    st.builds(
        "SELECT {}{} AS a, {} AS b {} {} ORDER BY {}".format,
        *(st.sampled_from(["", "DISTINCT ", "TOP 3 ", "DISTINCT TOP 2 "]), NUMBERS, TEXTS),
        *(st.just(FROM), CONDITIONS, st.sampled_from(["1", "a, b", "2 DESC"])),
    ),
    st.builds(
        "SELECT {0} AS g, COUNT(*), {1}({2}) {3} {4} GROUP BY {0}, id ORDER BY g".format,
        *(NUMBERS.map("(id + {})".format), st.sampled_from(["SUM", "AVG", "MIN"]), NUMBERS),
        *(st.just(FROM), CONDITIONS),
    ),
    st.builds(
        "SELECT {} AS a {} {} {} SELECT {} {} {}".format,
        *(NUMBERS, st.just(FROM), CONDITIONS, st.sampled_from(["UNION", "EXCEPT ALL"])),
        *(NUMBERS, st.just(FROM), CONDITIONS),
    ),
    st.builds(
        "WITH w AS (SELECT id, {} AS a {} {}) SELECT * FROM w NATURAL JOIN TAP_UPLOAD.mine".format,
        *(NUMBERS, st.just(FROM), CONDITIONS),
    ),
)


@pytest.mark.requirement("GEN-01")
@settings(max_examples=150, deadline=None)
@given(QUERIES)
def test_whatever_is_understood_runs_with_the_types_it_promises(small, text):
    try:
        found, shown, _ = small.run(text, rows=50)
    except psycopg2.DataError:
        return  # a number out of range, a division by zero
    assert [_FAMILIES[d.type_code] for d in shown] == [c.type for c in found.columns]
    assert NUMERIC not in {d.type_code for d in shown}


NASTY = (
    "'",
    "\\",
    "\\'; DROP TABLE x; --",
    "%s %(a)s {0} $1",
    "é\n\t\x01",
    '"',
    "''",
    "E'x'",
    "\U0001f52d",
)


@pytest.mark.requirement("GEN-01")
def test_a_text_comes_back_as_it_went(desk):
    for setting in ("on", "off"):
        with desk.connection.cursor() as cursor:
            cursor.execute(f"SET standard_conforming_strings = {setting}")
            cursor.execute(f"SET escape_string_warning = {setting}")
        for words in NASTY:
            literal = words.replace("'", "''")
            rows = desk.rows(
                f"SELECT TOP 1 '{literal}' AS x FROM TAP_UPLOAD.mine WHERE name <> '{literal}'"
            )
            assert rows == [(words,)]
    with desk.connection.cursor() as cursor:
        cursor.execute("RESET standard_conforming_strings")


@pytest.mark.requirement("GEN-02", "GEN-29")
def test_the_catalogue_is_what_the_database_has(small):
    with small.connection.cursor() as cursor:
        for table in CATALOGUE.tables.values():
            cursor.execute(f"SELECT * FROM {table.live} AS t LIMIT 0")
            there = {d.name: _FAMILIES.get(d.type_code, "jsonb") for d in cursor.description}
            assert there == {c.sql: c.type for c in table.columns}, table.full_name
            assert set(table.key) <= set(there)
            assert all(set(pair) <= set(there) for pair in table.spatial)
            if table.at:
                at = table.at.replace("{instant}", f"timestamp '{small.instant}'")
                cursor.execute(f"SELECT * FROM {at} AS t LIMIT 0")
                assert {d.name for d in cursor.description} == set(there)


@pytest.mark.requirement("GEN-01")
def test_nothing_is_said_to_be_a_key_that_is_none(small):
    with small.connection.cursor() as cursor:
        for table in CATALOGUE.tables.values():
            if table.key and table.name != "LightCurve":
                cursor.execute(
                    f"SELECT count(*), count(DISTINCT ({', '.join(table.key)})) FROM {table.live}"
                )
                rows, different = cursor.fetchone()
                assert rows == different, table.full_name


VALUES = {
    "double precision": "12.5",
    "real": "12.5",
    "integer": "3",
    "bigint": "700",
    "smallint": "3",
    "text": "'DIASource'",
    "boolean": "ok",
    "timestamp": "'2026-01-01T00:00:00'",
    "point": "POINT(10, 20)",
    "real[]": "d.smallMeans",
    "double precision[]": "d.trailCov",
}


@pytest.mark.requirement("GEN-01")
def test_every_function_can_be_called(small):
    calls = []
    for form in (f for forms in functions().values() for f in forms):
        if any(kind.endswith("[]") for _, kind in form.arguments):
            continue
        # Covariances are smaller than variances.
        arguments = ", ".join(
            "0.1" if name.endswith("xy") else VALUES[kind] for name, kind in form.arguments
        )
        calls.append((form, f"{form.name}({arguments})"))
    assert len(calls) > 70
    for form, call in calls:
        found, shown, rows = small.run(f"SELECT {call} AS x FROM TAP_UPLOAD.mine")
        kind = "double precision[]" if form.returns == "point" else form.returns
        assert _FAMILIES[shown[0].type_code] == kind == found.columns[0].type, call
        assert len(rows) == (1 if form.aggregate else 9)


# ---- plans


CONE = "CONTAINS(POINT({0}ra, {0}decl), CIRCLE(15, 0, 0.02)) = 1"
RUBIN = "CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', 15, 0, 0.02)) = 1"
INDEXED = [
    f"SELECT diaObjectId FROM DIAObject WHERE {CONE.format('')}",
    (
        "SELECT diaObjectId FROM DIAObject WHERE 1 = CONTAINS(POINT('ICRS', ra, dec), "
        "CIRCLE('ICRS', 15, 0, 0.02))"
    ),
    f"SELECT TOP 1 * FROM DIAObject WHERE {CONE.format('')}",
    f"SELECT TOP 5 psMag FROM DIASourceFull WHERE {CONE.format('')} ORDER BY midPointTai",
    f"SELECT psfFlux FROM rubin.DiaSource WHERE {RUBIN}",
    f"SELECT TOP 5 diaObjectId FROM rubin.DiaObject WHERE {RUBIN} AND nDiaSources > 2",
    f"SELECT rTotMag FROM DIAObjectFull WHERE {CONE.format('')}",
    "SELECT diaObjectId FROM DIAObject WHERE DISTANCE(POINT(ra, decl), POINT(15, 0)) < 0.02",
    "SELECT diaObjectId FROM DIAObject WHERE 10 / 3600. >= DISTANCE(15, 0, ra, decl)",
    "SELECT diaObjectId FROM DIAObject WHERE DISTANCE(15, 0, ra, dec) BETWEEN 0.01 AND 0.02",
    "SELECT diaObjectId FROM DIAObject WHERE in_cone(ra, decl, 15, 0, 60)",
    "SELECT diaObjectId FROM DIAObject WHERE in_cone(ra, decl, 15, 0, 60) = 1",
    (
        "SELECT diaObjectId FROM DIAObject WHERE 1 = CONTAINS(POINT(ra, decl), "
        "POLYGON(15, 0, 15.05, 0, 15.05, 0.05, 15, 0.05))"
    ),
    "SELECT diaObjectId FROM DIAObject WHERE 1 = CONTAINS(POINT(ra, decl), BOX(15, 0, 0.05, 0.05))",
    (
        "SELECT diaObjectId FROM DIAObject WHERE 1 = CONTAINS(POINT(ra, decl), "
        "REGION('CIRCLE ICRS 15 0 0.02'))"
    ),
    (
        "SELECT id, diaObjectId FROM TAP_UPLOAD.mine AS m JOIN DIAObject AS o "
        "ON 1 = CONTAINS(POINT(o.ra, o.decl), CIRCLE(m.ra, m.dec, 0.001))"
    ),
    (
        "SELECT id, diaObjectId FROM TAP_UPLOAD.mine AS m JOIN DIAObject AS o "
        "ON DISTANCE(m.ra, m.dec, o.ra, o.decl) < 0.001"
    ),
    (
        "SELECT id, diaObjectId FROM TAP_UPLOAD.mine AS m, DIAObject AS o "
        "WHERE 1 = CONTAINS(POINT(o.ra, o.decl), CIRCLE(m.ra, m.dec, m.radius))"
    ),
    (
        "SELECT id, diaObjectId FROM TAP_UPLOAD.mine AS m LEFT JOIN DIAObject AS o "
        "ON 1 = CONTAINS(POINT(o.ra, o.decl), CIRCLE(m.ra, m.dec, 0.001))"
    ),
    (
        "SELECT q.diaObjectId FROM (SELECT diaObjectId, ra AS x, decl AS y FROM DIAObject) AS q "
        "WHERE 1 = CONTAINS(POINT(q.x, q.y), CIRCLE(15, 0, 0.02))"
    ),
    "SELECT id, psFlux FROM TAP_UPLOAD.mine AS m JOIN DIASource AS s ON s.diaObjectId = m.id",
    (
        "SELECT id, diaObjectId FROM (SELECT id, POINT(ra, dec) AS p FROM TAP_UPLOAD.mine) AS m "
        "JOIN DIAObject AS o ON 1 = CONTAINS(POINT(o.ra, o.decl), CIRCLE(m.p, 0.001))"
    ),
    (
        "WITH near AS (SELECT diaObjectId FROM DIAObject WHERE "
        f"{CONE.format('')}) SELECT psFlux FROM near JOIN DIASource USING (diaObjectId)"
    ),
    f"SELECT nDiaSources FROM prompt_history.DIAObject WHERE {CONE.format('')}",
    "SELECT ra, createdTai FROM prompt_history.DIAObject WHERE diaObjectId = 18014398509481985",
    "SELECT ra FROM DIAObject WHERE diaObjectId = 18014398509481985",
    "SELECT TOP 10 diaObjectId, ra FROM DIAObject",
    "SELECT TOP 10 * FROM rubin.DiaSource",
    "SELECT midPointTai, flux FROM LightCurve WHERE diaObjectId = 18014398509481985",
]


@pytest.mark.requirement("L1DB-05", "GEN-19")
@pytest.mark.parametrize("when", ["now", "then"])
@pytest.mark.parametrize("text", INDEXED)
def test_indexes_are_used(desk, text, when):
    plan = desk.plan(text, instant=desk.instant if when == "then" else None, rows=100_000)
    small = {"mine", "ccdvisit", "detector"}
    whole = [
        n["Relation Name"]
        for n in plan
        if n["Node Type"] == "Seq Scan"
        and n["Plan Rows"] > 1
        and not any(n["Relation Name"].startswith(s) for s in small)
    ]
    assert whole == [], json.dumps(plan[0], indent=1)
    names = {n["Index Name"] for n in plan if "Index Name" in n}
    if "POINT" in text or "DISTANCE" in text or "in_cone" in text:
        assert any("sky" in n or "spoint" in n for n in names), json.dumps(plan[0], indent=1)


@pytest.mark.requirement("GEN-19")
@pytest.mark.parametrize(
    "text",
    [
        "SELECT TOP 20 rPsFluxMean FROM DIAObject",
        "SELECT TOP 20 o.ra, s.psFlux FROM DIAObject AS o JOIN DIASource AS s USING (diaObjectId)",
        (
            "SELECT ROUND(ra, 1) AS r, COUNT(*) AS n FROM DIAObject GROUP BY ROUND(ra, 1) "
            "ORDER BY n DESC OFFSET 30"
        ),
        "SELECT DISTINCT TOP 3 rPsFluxMean FROM DIAObject ORDER BY rPsFluxMean DESC",
        "SELECT TOP 50 ra FROM DIAObject WHERE 1 = CONTAINS(POINT(ra, decl), CIRCLE(15, 0, 1))",
        "SELECT q.ra FROM (SELECT TOP 20 ra FROM DIAObject) AS q",
        "SELECT TOP 4 ra FROM DIAObject UNION ALL SELECT TOP 4 ra FROM DIASource",
        "SELECT nDiaSources FROM DIAObject UNION ALL SELECT rPsFluxNdata FROM DIAObject",
    ],
)
def test_what_is_cut_is_cut_in_the_same_place_however_it_is_found(desk, text):
    answers = []
    for off in (("indexscan", "bitmapscan", "mergejoin"), ("seqscan", "hashjoin", "hashagg")):
        with desk.connection.cursor() as cursor:
            for method in off:
                cursor.execute(f"SET enable_{method} = off")
        answers.append(desk.rows(text, instant=desk.instant, rows=40))
        with desk.connection.cursor() as cursor:
            cursor.execute("SELECT set_config(name, 'on', false) FROM pg_settings "
                           "WHERE name LIKE 'enable\\_%'")  # fmt: skip
    assert answers[0] == answers[1]
    assert 0 < len(answers[0]) <= 40


# ---- geometry against another way


def selected(desk, condition):
    """Numbers of the places for which a condition holds."""
    return {k for (k,) in desk.rows(f"SELECT id FROM TAP_UPLOAD.places WHERE {condition}")}


def chosen(mask):
    return set(np.flatnonzero(mask).tolist())


@pytest.mark.requirement("GEN-01")
@pytest.mark.parametrize("radius", [0.5, 3.0, 40.0, 89.5, 120.0, 180.0])
@pytest.mark.parametrize(("lon", "lat"), [(0, 0), (359.9, 0.1), (100, 40), (12, 89.5), (0, -90)])
def test_cones_hold_what_is_near(desk, lon, lat, radius):
    far = HERE.separation(SkyCoord(lon * u.deg, lat * u.deg)).deg
    # The edge of a circle is known to 0.0003 arcsec; none of the places is that near to it.
    sure = np.abs(far - radius) > 1e-7
    inside = chosen((far < radius) & sure)
    for condition in (
        f"1 = CONTAINS(POINT(lon, lat), CIRCLE({lon}, {lat}, {radius}))",
        f"CONTAINS(POINT('ICRS', lon, lat), CIRCLE('ICRS', {lon}, {lat}, {radius})) <> 0",
        f"1 = INTERSECTS(CIRCLE(POINT({lon}, {lat}), {radius}), POINT(lon, lat))",
        f"DISTANCE(lon, lat, {lon}, {lat}) <= {radius}",
        f"{radius} > DISTANCE(POINT({lon}, {lat}), POINT(lon, lat))",
        f"DISTANCE(lon, lat, {lon}, {lat}) BETWEEN 0 AND {radius}",
        f"NOT DISTANCE(lon, lat, {lon}, {lat}) > {radius}",
    ):
        assert selected(desk, condition) & chosen(sure) == inside, condition
    outside = f"CONTAINS(POINT(lon, lat), CIRCLE({lon}, {lat}, {radius})) = 0"
    assert selected(desk, outside) & chosen(sure) == chosen((far > radius) & sure)


@pytest.mark.requirement("GEN-01")
def test_distances_are_those_of_astropy(desk):
    rows = desk.rows(
        "SELECT a.id, b.id, DISTANCE(a.lon, a.lat, b.lon, b.lat), "
        "DISTANCE(POINT(a.lon, a.lat), CENTROID(CIRCLE(b.lon, b.lat, 1))) "
        "FROM TAP_UPLOAD.places AS a, TAP_UPLOAD.places AS b WHERE MOD(a.id, 7) = 0 AND b.id < 250"
    )
    first, second, *distances = np.array(rows, dtype=float).T
    truth = HERE[first.astype(int)].separation(HERE[second.astype(int)]).deg
    for found in distances:
        # A double holds an angle of 180 degrees to 3e-14.
        np.testing.assert_allclose(found, truth, atol=1e-12)


def inside_convex(corners):
    """Whether places are left of all sides of a polygon whose corners run anticlockwise."""
    v = vectors(*np.array(corners, dtype=float).T)
    normals = np.cross(v, np.roll(v, -1, axis=0))
    side = vectors(LON, LAT) @ normals.T
    assert np.abs(side[:400]).min() > 1e-9, "a place lies on the edge"
    return (side > 0).all(axis=1)


POLYGONS = [
    [(98, 38), (103, 38), (101, 43)],
    [(358.5, -1.1), (1.3, -1.2), (1.5, 1.1), (0.2, 1.9), (358.7, 1.3)],
    [(0, 87), (120, 87.5), (240, 86.8)],
    [(10, -88), (250, -87), (130, -87.5)],
    [(60, -10), (140, -20), (150, 70), (70, 60)],
]


@pytest.mark.requirement("GEN-01")
@pytest.mark.parametrize("corners", POLYGONS)
def test_polygons_hold_what_is_left_of_all_sides(desk, corners):
    truth = chosen(inside_convex(corners))
    numbers = ", ".join(f"{lon}, {lat}" for lon, lat in corners)
    points = ", ".join(f"POINT({lon}, {lat})" for lon, lat in reversed(corners))
    assert truth
    for shape in (
        f"POLYGON({numbers})",
        f"POLYGON('ICRS', {numbers})",
        f"POLYGON({points})",
        f"REGION('POLYGON ICRS {numbers.replace(',', '')}')",
        f"CAST('{numbers.replace(',', '')}' AS POLYGON)",
    ):
        assert selected(desk, f"1 = CONTAINS(POINT(lon, lat), {shape})") == truth, shape


@pytest.mark.requirement("GEN-01")
@pytest.mark.parametrize(
    ("lon", "lat", "width", "height"),
    [(100, 40, 6, 4), (0.2, 0.1, 2, 1), (30, 88, 5, 3), (200, -89, 4, 4), (100, 20, 80, 60)],
)
def test_boxes_have_sides_at_right_angles_to_their_cross(desk, lon, lat, width, height):
    centre = vectors(lon, lat)
    east = np.array([-np.sin(np.radians(lon)), np.cos(np.radians(lon)), 0])
    north = np.cross(centre, east)
    v = vectors(LON, LAT)
    x, y, z = v @ centre, v @ east, v @ north
    # A side is the great circle whose pole lies on the arm, 90 degrees from its end.
    a, b = np.radians(width / 2), np.radians(height / 2)
    truth = (np.abs(y) * np.cos(a) < x * np.sin(a)) & (np.abs(z) * np.cos(b) < x * np.sin(b))
    box = f"BOX({lon}, {lat}, {width}, {height})"
    assert truth.any()
    assert selected(desk, f"1 = CONTAINS(POINT(lon, lat), {box})") == chosen(truth)
    corners = (
        f"lon = 0 OR 1 = CONTAINS(POINT(lon, lat), BOX('ICRS', {lon}, {lat}, {width}, {height}))"
    )
    assert chosen(truth) <= selected(desk, corners)


@pytest.mark.requirement("GEN-01")
@pytest.mark.parametrize("corners", POLYGONS)
def test_areas_and_centroids_are_those_of_triangles(desk, corners):
    v = vectors(*np.array(corners, dtype=float).T)
    areas, middles = [], []
    # Cut into small triangles about the middle of the corners; each counts with its own middle.
    hub = v.sum(axis=0) / np.linalg.norm(v.sum(axis=0))
    steps = np.linspace(0, 1, 201)
    for first, second in zip(v, np.roll(v, -1, axis=0), strict=True):
        edge = np.outer(1 - steps, first) + np.outer(steps, second)
        rings = [(1 - t) * hub + t * edge for t in steps]
        rings = [r / np.linalg.norm(r, axis=1, keepdims=True) for r in rings]
        for lower, upper in itertools.pairwise(rings):
            for p, q, r in (
                (lower[:-1], upper[:-1], upper[1:]),
                (lower[:-1], upper[1:], lower[1:]),
            ):
                areas.append(np.linalg.norm(np.cross(q - p, r - p), axis=1) / 2)
                middles.append((p + q + r) / 3)
    areas, middles = np.concatenate(areas), np.concatenate(middles)
    mean = (areas[:, None] * middles).sum(axis=0)
    numbers = ", ".join(f"{lon}, {lat}" for lon, lat in corners)
    ((area, (lon, lat)),) = desk.rows(
        f"SELECT TOP 1 AREA(POLYGON({numbers})), CENTROID(POLYGON({numbers})) "
        f"FROM TAP_UPLOAD.places"
    )
    # 40,000 flat triangles a side: short of the sphere by the square of their size, 1e-5.
    assert area == pytest.approx(np.degrees(np.degrees(areas.sum())), rel=1e-4)
    apart = np.degrees(np.arccos(np.clip(vectors(lon, lat) @ mean / np.linalg.norm(mean), -1, 1)))
    assert apart < 1e-3


@pytest.mark.requirement("GEN-01")
@pytest.mark.parametrize(
    "vertices",
    ["{NULL,1,2,3,4,5}", "{1,2,3,NULL,4,5}", "[0:5]={1,2,3,4,5,6}", "{{1,2},{3,4},{5,6}}", "{}"],
)
def test_a_polygon_without_a_corner_is_none_and_harms_nobody(desk, vertices):
    with desk.connection.cursor() as cursor:
        # pg_sphere itself would bring the server down.
        cursor.execute("SELECT science.polygon(%s::float8[]), 1", (vertices,))
        assert cursor.fetchall() == [(None, 1)]


@pytest.mark.requirement("GEN-01")
def test_areas_of_circles(desk):
    for radius in (0.1, 5, 90, 120):
        ((area,),) = desk.rows(
            f"SELECT TOP 1 AREA(CIRCLE(10, 20, {radius})) FROM TAP_UPLOAD.places"
        )
        cap = 2 * np.pi * (1 - np.cos(np.radians(radius)))
        assert area == pytest.approx(np.degrees(np.degrees(cap)), rel=1e-9)


@pytest.mark.requirement("GEN-01")
def test_circles_and_polygons_in_each_other(desk):
    square = "POLYGON(99, 39, 101, 39, 101, 41, 99, 41)"
    cases = {
        "CONTAINS(CIRCLE(100, 40, 0.5), CIRCLE(100, 40, 1))": 1,
        "CONTAINS(CIRCLE(100, 40, 0.5), CIRCLE(101, 40, 1))": 0,
        f"CONTAINS(CIRCLE(100, 40, 0.5), {square})": 1,
        f"CONTAINS(CIRCLE(100, 40, 1.5), {square})": 0,
        f"CONTAINS({square}, CIRCLE(100, 40, 2))": 1,
        f"CONTAINS({square}, CIRCLE(100, 40, 1))": 0,
        f"CONTAINS(POLYGON(99.5, 39.5, 100.5, 39.5, 100, 40.5), {square})": 1,
        f"CONTAINS({square}, POLYGON(99.5, 39.5, 100.5, 39.5, 100, 40.5))": 0,
        "INTERSECTS(CIRCLE(100, 40, 0.5), CIRCLE(101, 40, 0.5))": 1,
        "INTERSECTS(CIRCLE(100, 0, 0.5), CIRCLE(101.1, 0, 0.5))": 0,
        f"INTERSECTS(CIRCLE(102, 40, 1), {square})": 1,
        f"INTERSECTS({square}, CIRCLE(102, 40, 0.5))": 0,
        f"INTERSECTS({square}, POLYGON(100, 40, 105, 40, 105, 45))": 1,
        f"INTERSECTS({square}, BOX(110, 40, 2, 2))": 0,
        "CONTAINS(POINT(10, 20), POINT(370, 20))": 1,
        "CONTAINS(POINT(10, 20), POINT(10, 20.1))": 0,
    }
    shown = ", ".join(cases)
    (row,) = desk.rows(f"SELECT TOP 1 {shown} FROM TAP_UPLOAD.places")
    assert dict(zip(cases, row, strict=True)) == cases
    # As conditions they say the same.
    for call, value in cases.items():
        for asked in (0, 1):
            found = desk.rows(f"SELECT TOP 1 id FROM TAP_UPLOAD.places WHERE {call} = {asked}")
            assert len(found) == (asked == value), call


@pytest.mark.requirement("GEN-01")
def test_geometries_are_shown_in_degrees_and_taken_back(desk):
    (row,) = desk.rows(
        "SELECT POINT(lon, lat), CIRCLE(lon, lat, 0.5), POLYGON(lon, lat, 10, 0, 10, 1), "
        "COORD1(POINT(lon, lat)), COORD2(POINT(lon, lat)) FROM TAP_UPLOAD.places WHERE id = 3"
    )
    lon, lat = LON[3], LAT[3]
    assert row == ([lon, lat], [lon, lat, 0.5], [lon, lat, 10, 0, 10, 1], lon, lat)
    found = desk.rows(
        "SELECT q.id FROM (SELECT id, POINT(lon, lat) AS p, CIRCLE(lon, lat, 0.5) AS c FROM "
        f"TAP_UPLOAD.places) AS q WHERE 1 = CONTAINS(POINT({lon}, {lat}), q.c) AND q.id = 3 "
        f"AND DISTANCE(q.p, POINT({lon}, {lat})) < 1e-9"
    )
    assert found == [(3,)]


VOTABLE = b"""<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE>
<FIELD name="Right Asc" datatype="double" unit="deg" ucd="pos.eq.ra;meta.main"/>
<FIELD name="DEC" datatype="double" unit="deg" ucd="pos.eq.dec;meta.main"/>
<FIELD name="where" datatype="float" arraysize="2" xtype="point" unit="deg"/>
<FIELD name="reach" datatype="double" arraysize="3" xtype="circle" unit="deg"/>
<FIELD name="mag" datatype="float" unit="mag" ucd="phot.mag"/>
<DATA><TABLEDATA>
<TR><TD>15</TD><TD>0</TD><TD>15 0.5</TD><TD>15 0 1</TD><TD>20.5</TD></TR>
<TR><TD>16</TD><TD>0</TD><TD>16 0.5</TD><TD>16 0 0.1</TD><TD></TD></TR>
</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"""


@pytest.mark.requirement("GEN-01")
def test_what_was_uploaded_can_be_asked_by_its_own_names(server, desk):
    connection = psycopg2.connect(server.dsn("adql"))
    loaded = load(connection, read(BytesIO(VOTABLE), "mine too"), "mine too")
    known = CATALOGUE.plus(uploaded("mine too", loaded))

    def asked(text):
        found = translate(text, known)
        with connection.cursor() as cursor:
            cursor.execute(found.sql)
            return found, cursor.fetchall()

    found, rows = asked(
        'SELECT u."Right Asc", u.DEC, "where", mag, DISTANCE("where", POINT(15, 0)) AS d FROM '
        'TAP_UPLOAD."mine too" AS u WHERE 1 = CONTAINS(POINT(u."Right Asc", u.dec), u.reach) '
        "AND mag IS NOT NULL"
    )
    assert rows == [(15, 0, [15, 0.5], 20.5, pytest.approx(0.5))]
    told = [(c.name, c.unit, c.ucd, c.xtype, c.arraysize) for c in found.columns]
    assert told == [
        ("Right Asc", "deg", "pos.eq.ra;meta.main", None, None),
        ("DEC", "deg", "pos.eq.dec;meta.main", None, None),
        ("where", "deg", None, "point", "2"),
        ("mag", "mag", "phot.mag", None, None),
        ("d", "deg", "pos.angDistance", None, None),
    ]
    _, rows = asked(
        'SELECT COUNT(*) FROM TAP_UPLOAD."mine too" AS u JOIN DIAObject AS o '
        'ON 1 = CONTAINS(POINT(o.ra, o.decl), CIRCLE(u."where", 0.3))'
    )
    near = desk.rows(
        "SELECT COUNT(*) FROM DIAObject WHERE DISTANCE(ra, decl, 15, 0.5) <= 0.3 "
        "OR DISTANCE(ra, decl, 16, 0.5) <= 0.3"
    )
    assert rows == near
    connection.close()


@pytest.mark.requirement("GEN-01")
def test_an_upload_finds_its_neighbours(desk):
    rows = desk.rows(
        "SELECT m.id, o.diaObjectId, DISTANCE(m.ra, m.dec, o.ra, o.decl) FROM TAP_UPLOAD.mine AS m "
        "JOIN DIAObject AS o ON DISTANCE(m.ra, m.dec, o.ra, o.decl) < 0.2"
    )
    objects = desk.rows("SELECT diaObjectId, ra, decl FROM DIAObject")
    sky = np.array([(ra, decl) for _, ra, decl in objects])
    mine = desk.rows("SELECT id, ra, dec FROM TAP_UPLOAD.mine")
    truth = set()
    for identifier, ra, dec in mine:
        far = SkyCoord(ra * u.deg, dec * u.deg).separation(
            SkyCoord(sky[:, 0] * u.deg, sky[:, 1] * u.deg)
        )
        truth |= {(identifier, objects[k][0]) for k in np.flatnonzero(far.deg < 0.2)}
    assert {(a, b) for a, b, _ in rows} == truth
    assert len(truth) > 50
