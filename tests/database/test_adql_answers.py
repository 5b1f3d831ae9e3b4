"""ADQL on a real database: every query of the sets runs and shows the types it promises."""

from io import BytesIO

import psycopg2
import pytest
from adql_desk import CATALOGUE, NUMERIC
from adql_sets import samples
from hypothesis import given, settings
from hypothesis import strategies as st

from services.adql import translate
from services.adql.functions import functions
from services.adql.uploads import uploaded
from services.uploads import load, read
from skyledger.answers import _FAMILIES


@pytest.mark.requirement("GEN-01", "L1DB-05")
@pytest.mark.parametrize("when", ["now", "then"])
def test_every_valid_query_runs_and_shows_the_types_it_promises(small_sky, when):
    instant = small_sky.instant if when == "then" else None
    wrong = {}
    for sample in samples("adql_valid.txt"):
        try:
            found, shown, _ = small_sky.run(sample.text, instant=instant, rows=20)
        except psycopg2.Error as error:
            wrong[sample.line] = f"{sample.text}: {error}"
            continue
        types = [_FAMILIES.get(d.type_code, str(d.type_code)) for d in shown]
        if types != [c.type for c in found.columns] or NUMERIC in {d.type_code for d in shown}:
            wrong[sample.line] = f"{sample.text}: {types}"
    assert wrong == {}


@pytest.mark.requirement("GEN-01", "L1DB-05")
@pytest.mark.parametrize("when", ["now", "then"])
def test_queries_of_rubins_kinds_run_unchanged(sky, when):
    instant = sky.instant if when == "then" else None
    for sample in samples("adql_rubin.txt"):
        found, shown, _ = sky.run(sample.text, instant=instant, rows=1000)
        assert [_FAMILIES[d.type_code] for d in shown] == [c.type for c in found.columns]
    # 20,000 objects on 100 square degrees: one in a cone of a square degree is worth an answer.
    assert sky.rows(samples("adql_rubin.txt")[0].text, instant=instant)


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
def test_whatever_is_understood_runs_with_the_types_it_promises(small_sky, text):
    try:
        found, shown, _ = small_sky.run(text, rows=50)
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
def test_a_text_comes_back_as_it_went(sky):
    for setting in ("on", "off"):
        with sky.connection.cursor() as cursor:
            cursor.execute(f"SET standard_conforming_strings = {setting}")
            cursor.execute(f"SET escape_string_warning = {setting}")
        for words in NASTY:
            literal = words.replace("'", "''")
            rows = sky.rows(
                f"SELECT TOP 1 '{literal}' AS x FROM TAP_UPLOAD.mine WHERE name <> '{literal}'"
            )
            assert rows == [(words,)]
    with sky.connection.cursor() as cursor:
        cursor.execute("RESET standard_conforming_strings")


@pytest.mark.requirement("GEN-02", "GEN-29")
def test_the_catalogue_is_what_the_database_has(small_sky):
    with small_sky.connection.cursor() as cursor:
        then = f"timestamp '{small_sky.instant}'"
        for table in CATALOGUE.tables.values():
            live = table.live.replace("{since}", then).replace("{until}", then)
            cursor.execute(f"SELECT * FROM {live} AS t LIMIT 0")
            there = {d.name: _FAMILIES.get(d.type_code, "jsonb") for d in cursor.description}
            assert there == {c.sql: c.type for c in table.columns}, table.full_name
            assert set(table.key) <= set(there)
            assert all(set(pair) <= set(there) for pair in table.spatial)
            if table.at:
                at = table.at
                for hole in ("{instant}", "{since}", "{until}"):
                    at = at.replace(hole, then)
                cursor.execute(f"SELECT * FROM {at} AS t LIMIT 0")
                assert {d.name for d in cursor.description} == set(there)


@pytest.mark.requirement("GEN-01")
def test_nothing_is_said_to_be_a_key_that_is_none(small_sky):
    with small_sky.connection.cursor() as cursor:
        for table in CATALOGUE.tables.values():
            if table.key and not table.by:
                live = table.live.replace("{since}", "timestamp '2000-01-01'")
                live = live.replace("{until}", f"timestamp '{small_sky.instant}'")
                cursor.execute(
                    f"SELECT count(*), count(DISTINCT ({', '.join(table.key)})) FROM {live} AS t"
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
def test_every_function_can_be_called(small_sky):
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
        found, shown, rows = small_sky.run(f"SELECT {call} AS x FROM TAP_UPLOAD.mine")
        kind = "double precision[]" if form.returns == "point" else form.returns
        assert _FAMILIES[shown[0].type_code] == kind == found.columns[0].type, call
        assert len(rows) == (1 if form.aggregate else 9)


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
def test_what_was_uploaded_can_be_asked_by_its_own_names(server, sky):
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
    near = sky.rows(
        "SELECT COUNT(*) FROM DIAObject WHERE DISTANCE(ra, decl, 15, 0.5) <= 0.3 "
        "OR DISTANCE(ra, decl, 16, 0.5) <= 0.3"
    )
    assert rows == near
    connection.close()
