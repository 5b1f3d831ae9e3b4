"""How queries through the published forms are planned, in a database where it matters.

Figures are in ``benchmarks/as_of.py``; here stands what must not be lost: forms are flattened into
the query, months that cannot hold anything are left out, and everything goes through an index,
for the role that may only read.
"""

import json
from datetime import timedelta

import psycopg2
import pytest

SOURCES, OBJECTS, VISITS = 120_000, 20_000, 600
MONTHS = 6

# Written past the ledger, as a restored copy would be: the triggers stand aside for the session.
# A store that began with months: of DIAObject one is there from before.
BEGUN = """
DO $$ DECLARE
  part text;
  -- The month in which the first versions ended.
  month date := date_trunc('month', science.tai_now() - interval '122.33 days');
BEGIN
  FOR part IN SELECT relname FROM pg_class WHERE relname ~ '^diaobject_history_p[0-9q]+$' LOOP
    EXECUTE format('DROP TABLE prompt_store.%I', part);
  END LOOP;
  EXECUTE format('CREATE TABLE prompt_store.%I PARTITION OF prompt_store.diaobject_history '
    'FOR VALUES FROM (%L) TO (%L)', to_char(month, '"diaobject_history_p"YYYYMM'), month,
    month + interval '1 month');
END $$;
"""
FILL = """
SET LOCAL session_replication_role = replica;
SELECT ledger.ensure_partitions(science.mjd_now() - 30.5 * {months}, science.mjd_now());
DROP INDEX prompt_store.diasource_sky_idx, prompt_store.diasource_diaobjectid_midpointtai_idx;
INSERT INTO prompt_store.ccdvisit (ccdvisitid, visitid, detector, instrument, band, filtername,
  programid, ra, decl, begintai, midpointtai, endtai, exposuretime, nsnaps, pixelscale,
  insertedtai, createdtai)
SELECT science.ccd_visit_id(visit, 0), visit, 0, 'simulated', 'r', 'r', 'wide', 15, 0, mjd, mjd,
  mjd, 30, 2, 0.2, born, born
FROM (
  SELECT science.visit_id(science.night_of(mjd), v % 1000) AS visit, mjd,
    science.mjd_to_tai(mjd) AS born
  FROM (
    SELECT v, science.mjd_now() - 30.5 * {months} + 2 + v * (30.5 * {months} - 4) / {visits} AS mjd
    FROM generate_series(1, {visits}) AS v
  ) AS x
) AS y;
INSERT INTO prompt_store.diaobject (diaobjectid, ra, decl, hpx29, radectai, ndiasources, flags,
  rpsfluxmean, rtotfluxmean, insertedtai, createdtai)
SELECT (1::bigint << 54) + g, 10 + 10 * random(), -5 + 10 * random(), g, 61000, 10, 0, g % 7, 100,
  science.tai_now() - interval '30.5 days' * {months}, science.tai_now() - interval '1 day'
FROM generate_series(1, {objects}) AS g;
-- Three closed versions each, a month or two long.
INSERT INTO prompt_store.diaobject_history (diaobjectid, ra, decl, hpx29, radectai, ndiasources,
  flags, rpsfluxmean, rtotfluxmean, insertedtai, createdtai, deletedtai)
SELECT diaobjectid, ra, decl, hpx29, radectai, k, 0, k, 100, insertedtai,
  insertedtai + (createdtai - insertedtai) * (k / 3.0),
  insertedtai + (createdtai - insertedtai) * ((k + 1) / 3.0) - interval '1 microsecond'
FROM prompt_store.diaobject, generate_series(0, 2) AS k;
INSERT INTO prompt_store.diasource (diasourceid, ccdvisitid, visitid, detector, diaobjectid,
  midpointtai, ra, decl, hpx29, flags, psflux, psfluxerr, pslnl, pschi2, psndata, templateid, x, y,
  insertedtai, createdtai)
SELECT science.source_id(1::smallint, v.ccdvisitid, n::integer), v.ccdvisitid, v.visitid, 0,
  o.diaobjectid, v.midpointtai, o.ra, o.decl, o.hpx29, 0, 10, 1, -1, 400, 441, 7, 1, 1,
  v.createdtai, v.createdtai
FROM (SELECT *, row_number() OVER (ORDER BY ccdvisitid) AS i FROM prompt_store.ccdvisit) AS v
CROSS JOIN generate_series(1, {sources} / {visits}) AS n
JOIN prompt_store.diaobject AS o
  ON o.diaobjectid = (1::bigint << 54) + 1 + (v.i * ({sources} / {visits}) + n) % {objects};
-- Every tenth source was linked to another object before.
INSERT INTO prompt_store.diasource_history (diasourceid, ccdvisitid, visitid, detector, diaobjectid,
  midpointtai, ra, decl, hpx29, flags, psflux, psfluxerr, templateid, x, y, insertedtai, createdtai,
  deletedtai)
SELECT diasourceid, ccdvisitid, visitid, detector, diaobjectid, midpointtai, ra, decl, hpx29, flags,
  psflux, psfluxerr, templateid, x, y, createdtai, createdtai,
  createdtai + interval '5 days'
FROM prompt_store.diasource WHERE diasourceid % 10 = 0;
UPDATE prompt_store.diasource SET createdtai = createdtai + interval '5 days 1 microsecond'
WHERE diasourceid % 10 = 0;
INSERT INTO prompt_store.diaobjectfeatures (diaobjectid, band, lcperiodic, insertedtai, createdtai)
SELECT diaobjectid, 2, array_fill(1::real, ARRAY[32]), insertedtai, insertedtai
FROM prompt_store.diaobject;
CREATE INDEX diasource_sky_idx ON prompt_store.diasource
  USING gist (spoint(radians(ra), radians(decl)));
CREATE INDEX diasource_diaobjectid_midpointtai_idx
  ON prompt_store.diasource (diaobjectid, midpointtai);
INSERT INTO ledger.epoch (epochtai, kind, nrows)
SELECT science.tai_now() - interval '30.5 days' * {months} + interval '1 hour', 'heartbeat', 0;
"""


@pytest.fixture(scope="module")
def filled(server, template):
    """Connection to a database of 120,000 sources in six months, as the reader; its instant."""
    name = "planned"
    admin = psycopg2.connect(server.dsn("postgres"))
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    connection = psycopg2.connect(server.dsn(name))
    with connection.cursor() as cursor:
        cursor.execute(BEGUN)
        cursor.execute(FILL.format(months=MONTHS, sources=SOURCES, objects=OBJECTS, visits=VISITS))
        connection.commit()
        connection.autocommit = True
        cursor.execute("VACUUM ANALYZE")
        cursor.execute(
            "CREATE TEMP TABLE wanted AS SELECT diaobjectid AS id FROM prompt_store.diaobject "
            "ORDER BY hashint8(diaobjectid) LIMIT 10"
        )
        cursor.execute(
            "CREATE TEMP TABLE places AS SELECT 10.5 + g::float8 AS ra, g / 10::float8 AS decl "
            "FROM generate_series(0, 8) AS g"
        )
        cursor.execute("ANALYZE wanted, places")
        cursor.execute("GRANT SELECT ON wanted, places TO skyledger_reader")
        cursor.execute("SELECT science.tai_now() - interval '75 days'")
        (instant,) = cursor.fetchone()
        cursor.execute("SELECT min(diasourceid) FROM prompt_live.diasource")
        (source,) = cursor.fetchone()
        cursor.execute("SET SESSION AUTHORIZATION skyledger_reader")
    yield connection, instant, source
    connection.close()
    with admin.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    admin.close()


def nodes(plan):
    """All nodes of a plan."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def explain(filled, query, form, instant=None):
    """Nodes of the plan of a query in which ``{X}`` stands for relation X in a form."""
    connection, default, source = filled
    instant = instant or default
    written = query.replace("{source}", str(source))
    while "{" in written:
        before, _, rest = written.partition("{")
        relation, _, after = rest.partition("}")
        family = "rubin" if relation.startswith("rubin ") else "prompt"
        bare = relation.removeprefix("rubin ")
        shown = {
            "live": f"{family}_live.{bare}",
            "at": f"{family}_at.{bare}(timestamp '{instant}')",
            "session": f"{family}.{bare}",
        }[form]
        written = before + shown + after
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('skyledger.as_of', %s, false)", (str(instant),))
        cursor.execute(f"EXPLAIN (VERBOSE, FORMAT JSON) {written}")
        (plan,) = cursor.fetchone()
        cursor.execute("SET SESSION AUTHORIZATION DEFAULT")
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'prompt_store'::regnamespace "
            "AND relkind = 'r' AND reltuples > 0"
        )
        rows = {name for (name,) in cursor.fetchall()}
        cursor.execute("SET SESSION AUTHORIZATION skyledger_reader")
    found = list(nodes(plan[0]["Plan"]))
    return found, rows, json.dumps(plan, indent=1)


def read(found):
    """Tables that a plan reads."""
    return {node["Relation Name"] for node in found if "Relation Name" in node}


CONE = "science.in_cone({}ra, {}decl, 15, 0, 60)"
RUBIN_CONE = "science.in_cone({}ra, {}dec, 15, 0, 60)"
QUERIES = {
    "cone of sources": "SELECT psFlux FROM {DIASource} WHERE " + CONE.format("", ""),
    "cone of objects": "SELECT rPsFluxMean FROM {DIAObject} WHERE " + CONE.format("", ""),
    "cone of full sources": "SELECT psMag, band FROM {DIASourceFull} WHERE " + CONE.format("", ""),
    "cone of full objects": "SELECT rTotMag FROM {DIAObjectFull} WHERE " + CONE.format("", ""),
    "cone in Rubin's names": "SELECT psfFlux, band FROM {rubin DiaSource} WHERE "
    + RUBIN_CONE.format("", ""),
    "cone of Rubin's objects": "SELECT r_psfFluxMean FROM {rubin DiaObject} WHERE "
    + RUBIN_CONE.format("", ""),
    "id": "SELECT psFlux FROM {DIASource} WHERE diaSourceId = {source}",
    "id join": "SELECT o.ra FROM {DIASource} AS s JOIN {DIAObject} AS o "
    "ON o.diaObjectId = s.diaObjectId WHERE s.diaSourceId = {source}",
    "id join of full ones": "SELECT o.rTotMag, s.psMag FROM {DIASourceFull} AS s "
    "JOIN {DIAObjectFull} AS o ON o.diaObjectId = s.diaObjectId WHERE s.diaSourceId = {source}",
    "id in Rubin's names": "SELECT s.psfFlux, o.ra FROM {rubin DiaSource} AS s "
    "JOIN {rubin DiaObject} AS o ON o.diaObjectId = s.diaObjectId WHERE s.diaSourceId = {source}",
    "match": "SELECT m.objectId FROM {DIASourceObjectMatch} AS m WHERE m.diaSourceId = {source}",
    "upload join": "SELECT s.psFlux FROM wanted AS w JOIN {DIASource} AS s ON s.diaObjectId = w.id",
    "upload join of objects": "SELECT o.ra FROM wanted AS w JOIN {DIAObject} AS o "
    "ON o.diaObjectId = w.id",
    "upload join of full ones": "SELECT s.psMag FROM wanted AS w JOIN {DIASourceFull} AS s "
    "ON s.diaObjectId = w.id",
    "upload join in Rubin's names": "SELECT s.psfFlux FROM wanted AS w "
    "JOIN {rubin DiaSource} AS s ON s.diaObjectId = w.id",
    "upload cross-match": "SELECT o.diaObjectId FROM places AS p JOIN {DIAObject} AS o "
    "ON science.in_cone(o.ra, o.decl, p.ra, p.decl, 5)",
    "upload cross-match of sources": "SELECT s.diaSourceId FROM places AS p "
    "JOIN {DIASourceFull} AS s ON science.in_cone(s.ra, s.decl, p.ra, p.decl, 5)",
    "objects with sources in a cone": "SELECT o.diaObjectId, s.psFlux FROM {DIAObject} AS o "
    "JOIN {DIASource} AS s ON s.diaObjectId = o.diaObjectId WHERE " + CONE.format("o.", "o."),
    "full objects with sources in a cone": "SELECT o.rTotMag, s.psMag FROM {DIAObjectFull} AS o "
    "JOIN {DIASourceFull} AS s ON s.diaObjectId = o.diaObjectId WHERE " + CONE.format("o.", "o."),
    "first objects": "SELECT diaObjectId, ra FROM {DIAObject} ORDER BY diaObjectId LIMIT 10",
    "first sources": "SELECT diaSourceId, ra FROM {DIASource} ORDER BY diaSourceId LIMIT 10",
    "first full objects": "SELECT diaObjectId, rTotMag FROM {DIAObjectFull} "
    "ORDER BY diaObjectId LIMIT 10",
}  # fmt: skip


@pytest.mark.requirement("L1DB-05", "GEN-19", "GEN-29")
@pytest.mark.parametrize("form", ["live", "at", "session"])
@pytest.mark.parametrize("query", QUERIES)
def test_everything_goes_through_an_index(filled, query, form):
    found, rows, plan = explain(filled, QUERIES[query], form)
    # The uploads themselves, and CcdVisit with its 600 rows, may well be read whole.
    whole = {
        node["Relation Name"]
        for node in found
        if node["Node Type"] == "Seq Scan"
        and node["Relation Name"] in rows
        and not node["Relation Name"].startswith("ccdvisit")
    }
    assert whole == set(), plan
    assert not [node for node in found if node["Node Type"] == "Function Scan"], plan
    assert any(node["Node Type"].startswith(("Index", "Bitmap")) for node in found)


@pytest.mark.requirement("GEN-19")
@pytest.mark.parametrize("relation", ["DIAObject", "DIAObjectFull", "rubin DiaObject"])
def test_partitions_that_ended_before_the_instant_are_not_in_the_plan(filled, relation):
    decl = "dec" if relation.startswith("rubin") else "decl"
    query = f"SELECT diaObjectId FROM {{{relation}}} WHERE science.in_cone(ra, {decl}, 15, 0, 60)"
    connection, instant, _ = filled
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, (regexp_match(pg_get_expr(relpartbound, oid), $$TO \\('([^']+)'$$))[1]"
            "::timestamp FROM pg_class WHERE relname ~ '^diaobject_history_p[0-9q]+$'"
        )
        ends = dict(cursor.fetchall())
    for days in (-40, 0, 40):
        asked = instant + timedelta(days=days)
        found, rows, plan = explain(filled, query, "at", asked)
        closed = {r for r in rows if r.startswith("diaobject_history_p")}
        needed = {r for r in closed if ends[r] > asked}
        assert {r for r in read(found) if r in closed} == needed, plan
    # The month that was there from before ended before the last instant.
    assert needed < closed
    live, _, _ = explain(filled, query, "live")
    assert read(live) == {"diaobject"}


@pytest.mark.requirement("GEN-19")
@pytest.mark.parametrize("form", ["live", "at"])
@pytest.mark.parametrize("relation", ["DIASource", "DIASourceFull", "rubin DiaSource"])
def test_months_of_observation_are_left_out(filled, form, relation):
    time = "midpointMjdTai" if relation.startswith("rubin") else "midPointTai"
    connection, _, _ = filled
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(midpointtai) FROM prompt_live.ccdvisit")
        (first,) = cursor.fetchone()
    found, rows, plan = explain(
        filled, f"SELECT snr FROM {{{relation}}} WHERE {time} < {first + 0.5}", form
    )
    months = {r for r in read(found) & rows if r.startswith("diasource_p")}
    assert len(months) == 1, plan
    assert len({r for r in rows if r.startswith("diasource_p")}) >= MONTHS


@pytest.mark.requirement("L1DB-18")
@pytest.mark.parametrize("form", ["live", "at", "session"])
def test_features_are_touched_only_if_named(filled, form):
    for relation in ("DIAObject", "DIAObjectFull"):
        where = "WHERE science.in_cone(ra, decl, 15, 0, 60)"
        for shown in ("ra", "count(*)"):
            without, _, plan = explain(filled, f"SELECT {shown} FROM {{{relation}}} {where}", form)
            assert not [r for r in read(without) if "features" in r]
            assert "lcperiodic" not in plan
        named, _, plan = explain(filled, f"SELECT lcPeriodic FROM {{{relation}}} {where}", form)
        if form == "session":
            touched = [n for n in named if "features" in n.get("Relation Name", "")]
            assert "diaobjectfeatures" in read(named)
        else:
            # A function looks them up; it is planned apart.
            assert "lcperiodic(" in plan
            touched, _, plan = explain(
                filled,
                "SELECT lcPeriodic FROM {DIAObjectFeatures} WHERE diaObjectId = 9007199254740993",
                form,
            )
        # The history of the features is empty here.
        ways = {n["Node Type"] for n in touched if n.get("Relation Name") == "diaobjectfeatures"}
        assert ways in ({"Index Scan"}, {"Bitmap Heap Scan"}), plan


@pytest.mark.requirement("GEN-02")
def test_conditions_of_the_store_are_no_work_for_the_planner(connection):
    """Each of those it would study costs a cone a millisecond a partition; see the migration."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'c' "
            "AND convalidated AND connamespace = 'prompt_store'::regnamespace"
        )
        studied = cursor.fetchall()
        # Those of the months of observation are what leaves months out.
        assert [c for c in studied if c[1] != c[0].partition(".")[2] + "_time"] == []
        assert len(studied) >= 8
        cursor.execute("SET LOCAL session_replication_role = replica")
        with pytest.raises(psycopg2.errors.CheckViolation, match="diaobject_values"):
            cursor.execute(
                "INSERT INTO prompt_store.diaobject (diaobjectid, ra, decl, hpx29, radectai, "
                "ndiasources, flags, insertedtai, createdtai) "
                "VALUES (1, 400, 0, 1, 1, 1, 0, now(), now())"
            )
        connection.rollback()
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("SELECT ledger.ensure_partitions(61000, 61000)")
        with pytest.raises(psycopg2.errors.CheckViolation, match="diasource_values"):
            cursor.execute(
                "INSERT INTO prompt_store.diasource_p202511 (diasourceid, ccdvisitid, visitid, "
                "detector, midpointtai, ra, decl, hpx29, flags, templateid, x, y, insertedtai, "
                "createdtai) SELECT science.source_id(1::smallint, c, 1), c, c >> 9, 0, 61000.2, "
                "400, 0, 1, 0, 7, 1, 1, now(), now() FROM science.ccd_visit_id("
                "science.visit_id(science.night_of(61000.2), 1), 0) AS c"
            )
