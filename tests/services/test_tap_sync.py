"""TAP queries that are answered at once, with real clients over a real port."""

import io
import time
import warnings

import httpx
import numpy as np
import psycopg2
import pytest
import pyvo
from astropy.io.votable import parse, parse_single_table
from astropy.table import Table
from astropy.units import Unit
from small_survey import CENTRE, SOURCES, positions

from skyledger.virtual import parse_instant


def votable(response):
    assert response.status_code == 200, response.text
    return parse_single_table(io.BytesIO(response.content), verify="exception")


def infos(response):
    """INFO elements of an answer, by name."""
    document = parse(io.BytesIO(response.content))
    return {i.name: i.value for i in document.resources[0].infos}


@pytest.mark.requirement("GEN-01", "GEN-29")
def test_a_cone_gives_the_objects_within_it(service):
    ra, dec = positions()
    inside = np.hypot((ra - CENTRE[0]) * np.cos(np.radians(CENTRE[1])), dec - CENTRE[1]) < 0.05
    found = service.rows(
        f"SELECT diaObjectId, ra, dec FROM DIAObject WHERE 1 = CONTAINS(POINT(ra, dec), "
        f"CIRCLE({CENTRE[0]}, {CENTRE[1]}, 0.05))"
    )
    assert len(found) == inside.sum() > 3
    assert np.allclose(sorted(float(r[1]) for r in found), sorted(ra[inside]), atol=1e-9)


@pytest.mark.requirement("GEN-19", "GEN-21")
def test_every_answer_states_its_instant_and_comes_again_with_it(service):
    query = "SELECT diaSourceId, psFlux FROM DIASource ORDER BY diaSourceId"
    first = service.ask(query, FORMAT="votable")
    instant = infos(first)["asof"]
    again = service.ask(query, FORMAT="votable", ASOF=instant)
    by_path = service.ask(query, f"prompt@{instant}", FORMAT="votable")
    assert again.content == by_path.content == first.content
    assert len(votable(first).array) == 3 * SOURCES


@pytest.mark.requirement("GEN-19", "GEN-21")
@pytest.mark.parametrize("night", [1, 2, 3])
def test_the_past_is_asked_through_three_doors(service, night):
    epoch = service.epochs[night - 1].isoformat()
    query = "SELECT COUNT(*) AS n, MAX(nDiaSources) AS most FROM DIAObject"
    wanted = [[str(SOURCES), str(night)]]
    assert service.rows(query, f"prompt@{epoch}") == wanted
    assert service.rows(query, ASOF=epoch) == wanted
    assert service.rows("SELECT COUNT(*) FROM prompt.DIASource", ASOF=epoch) == [
        [str(night * SOURCES)]
    ]


def test_history_holds_every_version_known_at_the_instant(service):
    query = (
        "SELECT nDiaSources, deletedTai FROM prompt_history.DIAObject AS h "
        "WHERE diaObjectId IN (SELECT MIN(diaObjectId) FROM prompt.DIAObject) ORDER BY createdTai"
    )
    assert [r[0] for r in service.rows(query)] == ["1", "2", "3"]
    second = service.rows(query, ASOF=service.epochs[1].isoformat())
    assert [r[0] for r in second] == ["1", "2"]
    assert second[-1][1].startswith("9999-12-31")  # its end was not known then


def test_an_instant_in_the_future_or_two_instants_are_refused(service):
    for database, parameters, said in (
        ("prompt@2999-01-01", {}, "future"),
        ("prompt", {"ASOF": "2999-01-01"}, "future"),
        ("prompt", {"ASOF": "yesterday"}, "not an instant"),
        ("prompt@2026-01-01", {"ASOF": "2026-01-02"}, "one instant"),
        ("prompt@1999-01-01", {}, "before this database began"),
    ):
        response = service.ask("SELECT 1 AS one FROM DIAObject", database, **parameters)
        assert response.status_code == 400
        assert said in response.text
    assert service.ask("SELECT 1 AS one FROM DIAObject", "nothing").status_code == 404


def test_rows_are_cut_at_maxrec_and_said_to_be(service):
    query = "SELECT diaSourceId FROM DIASource"
    cut = service.ask(query, FORMAT="votable", MAXREC="7")
    assert len(votable(cut).array) == 7
    assert b'value="OVERFLOW"' in cut.content
    assert cut.content.index(b"OVERFLOW") > cut.content.index(b"</TABLE>")
    # The same seven come again as of the same instant.
    again = service.ask(query, FORMAT="votable", MAXREC="7", ASOF=infos(cut)["asof"])
    assert again.content == cut.content
    whole = service.ask(query, FORMAT="votable", MAXREC=str(3 * SOURCES))
    assert b"OVERFLOW" not in whole.content
    none = service.ask(query, FORMAT="votable", MAXREC="0")
    assert len(votable(none).array) == 0
    assert votable(none).fields[0].name == "diaSourceId"
    assert service.ask(query, MAXREC="-1").status_code == 400


GOOD = "SELECT 1 AS one FROM DIASource"


@pytest.mark.parametrize(
    ("query", "parameters", "said"),
    [
        ("SELECT nothing FROM DIASource", {}, "there is no column nothing"),
        ("SELECT * FROM DIASource LIMIT 5", {}, "TOP"),
        ("SELECT * FROM pg_catalog.pg_roles", {}, "no schema pg_catalog"),
        ("SELECT pg_sleep(10) FROM DIASource", {}, "pg_sleep"),
        ("DROP TABLE DIASource", {}, "SELECT"),
        ("", {}, "QUERY is missing"),
        ("SELECT 1/(diaSourceId - diaSourceId) AS x FROM DIASource", {}, "division by zero"),
        (GOOD, {"LANG": "PQL"}, "LANG"),
        (GOOD, {"FORMAT": "docx"}, "docx"),
        (GOOD, {"REQUEST": "getData"}, "doQuery"),
        (GOOD, {"UPLOAD": "t,param:nowhere"}, "nowhere"),
        (GOOD, {"UPLOAD": "t,file:///etc/passwd"}, "UPLOAD"),
        (GOOD, {"UPLOAD": "t,http://127.0.0.1:5432/"}, "private network"),
        (GOOD, {"UPLOAD": "t,http://localhost/t.vot"}, "private network"),
    ],
)
def test_what_is_wrong_is_said_in_a_votable(service, query, parameters, said):
    response = service.ask(query, **parameters)
    assert response.status_code == 400
    assert said in response.text
    assert 'value="ERROR"' in response.text
    assert "internal" not in response.text


@pytest.mark.requirement("UGP-02")
def test_an_uploaded_table_is_joined_by_position_and_keeps_its_units(service):
    ra, dec = positions()
    mine = Table({"name": ["a", "b", "c"], "ra": ra[:3], "dec": dec[:3] + 0.5 / 3600})
    mine["ra"].unit = mine["dec"].unit = "deg"
    tap = pyvo.dal.TAPService(service.tap)
    found = tap.run_sync(
        "SELECT m.name, m.ra, o.diaObjectId, DISTANCE(POINT(m.ra, m.dec), POINT(o.ra, o.dec)) "
        "AS d FROM tap_upload.mine AS m JOIN prompt.DIAObject AS o ON 1 = CONTAINS("
        "POINT(o.ra, o.dec), CIRCLE(m.ra, m.dec, 1/3600.0)) ORDER BY m.name",
        uploads={"mine": mine},
    ).to_table()
    assert list(found["name"]) == ["a", "b", "c"]
    assert np.allclose(found["d"] * 3600, 0.5, atol=1e-3)
    assert str(found["ra"].unit) == "deg"


def test_pyvo_reads_tables_capabilities_and_examples(service):
    tap = pyvo.dal.TAPService(service.tap)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert "prompt.DIASource" in tap.tables
        column = {c.name: c for c in tap.tables["prompt.DIASource"].columns}["psFlux"]
        assert (column.unit, column.ucd) == ("nJy", "phot.flux")
        assert tap.maxrec == 1_000_000
        assert tap.hardlimit == 20_000_000
        (language,) = tap.get_tap_capability().languages
        assert {v.content for v in language.versions} == {"2.0", "2.1"}
        assert len(tap.examples) >= 5
        for example in tap.examples:
            tap.search(example["QUERY"])
        assert tap.available


def test_tap_schema_describes_exactly_what_answers_say(service):
    """Types, units and UCDs of TAP_SCHEMA are those of the fields of an answer."""
    said = service.rows(
        "SELECT table_name, column_name, datatype, unit, ucd FROM tap_schema.columns"
    )
    tables = {row[0] for row in said}
    assert len(tables) > 30
    for table in sorted(tables):
        answer = votable(service.ask(f"SELECT * FROM {table}", FORMAT="votable", MAXREC="0"))
        shown = {
            (f.name.lower(), f.datatype, Unit(f.unit or ""), f.ucd or "") for f in answer.fields
        }
        wanted = {
            (c.strip('"').lower(), kind, Unit(unit, format="vounit"), ucd)
            for name, c, kind, unit, ucd in said
            if name == table
        }
        assert shown == wanted, table


def test_queries_are_logged_with_what_became_of_them(service):
    marker = "SELECT 4711 AS marker FROM DIAObject"
    service.ask(marker)
    service.ask(marker + " WHERE nothing = 1")
    connection, until, found = psycopg2.connect(service.dsn), time.monotonic() + 20, []
    connection.autocommit = True
    with connection.cursor() as cursor:
        while len(found) < 2 and time.monotonic() < until:  # nobody waits for the log
            cursor.execute(
                "SELECT status, nrows, instanttai IS NOT NULL, message FROM service.querylog "
                "WHERE query LIKE 'SELECT 4711%' ORDER BY queryid"
            )
            found = cursor.fetchall()
    connection.close()
    first, second = found
    assert first[:3] == ("OK", SOURCES, True)
    assert second[0] == "ERROR"
    assert "nothing" in second[3]


def test_what_is_not_there_has_a_next_step(service):
    response = httpx.get(f"{service.address}/nowhere")
    assert response.status_code == 404
    assert "begin at" in response.text
    assert httpx.get(f"{service.address}/").status_code == 200
    assert parse_instant(service.epochs[0].isoformat()) == service.epochs[0]


@pytest.mark.requirement("GEN-29")
def test_images_are_found_by_position_in_obscore(service):
    """Each of the three ccdVisits, 0.2 deg wide, has a visit image and a difference image."""

    def found(ra, dec):
        return service.rows(
            "SELECT dataproduct_subtype, s_fov, em_min, s_region FROM ivoa.ObsCore "
            f"WHERE 1 = CONTAINS(POINT({ra}, {dec}), s_region) AND dataproduct_type = 'image'"
        )

    inside = found(10.05, 0.05)
    assert sorted(r[0] for r in inside) == ["difference image"] * 3 + ["visit image"] * 3
    # The diagonal of a square of 0.2 deg at the equator, and the blue edge of r.
    assert float(inside[0][1]) == pytest.approx(0.2 * 2**0.5, rel=1e-5)
    assert float(inside[0][2]) == pytest.approx(552e-9)
    assert inside[0][3].startswith("Polygon ICRS 9.9 -0.1 10.1")
    assert found(10.15, 0.05) == []


def test_sessions_that_the_server_has_ended_are_not_used_again(service):
    """As after a restart of the server: the next queries get sessions of their own."""
    query = "SELECT COUNT(*) AS n FROM DIASource"
    assert service.rows(query) == [[str(3 * SOURCES)]]
    with psycopg2.connect(service.dsn) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE usename IN ('skyledger_user', 'skyledger_service')"
        )
        assert cursor.fetchone()[0] > 1
    connection.close()
    for _ in range(20):
        assert service.rows(query) == [[str(3 * SOURCES)]]
    assert httpx.get(f"{service.tap}/tables", timeout=30).status_code == 200
