"""How ADQL queries are planned: through indexes, and cut in the same place whatever the plan."""

import json
from datetime import timedelta

import pytest

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
    "SELECT TOP 10 * FROM LightCurve",
    (
        "SELECT l.midPointTai, l.flux FROM LightCurve AS l JOIN DIAObject AS o "
        f"ON l.diaObjectId = o.diaObjectId WHERE {CONE.format('o.')}"
    ),
    "SELECT tai, event FROM prompt.ObjectHistory WHERE diaObjectId = 18014398509481985",
    (
        "SELECT h.tai, h.event FROM TAP_UPLOAD.mine AS m "
        "JOIN ObjectHistory AS h ON h.diaObjectId = m.id"
    ),
    "SELECT TOP 10 * FROM ObjectHistory",
    (
        "SELECT change, columns FROM prompt_changes.DIAObject "
        "WHERE sinceTai = '{since}' AND diaObjectId = 18014398509481985"
    ),
    (
        "SELECT change, columns FROM prompt_changes.DIASource "
        "WHERE sinceTai = '{since}' AND diaSourceId = 18014398509481985"
    ),
]


@pytest.mark.requirement("L1DB-05", "GEN-19")
@pytest.mark.parametrize("when", ["now", "then"])
@pytest.mark.parametrize("text", INDEXED)
def test_indexes_are_used(sky, text, when):
    text = text.replace("{since}", (sky.instant - timedelta(days=20)).isoformat())
    plan = sky.plan(text, instant=sky.instant if when == "then" else None, rows=100_000)
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
def test_what_is_cut_is_cut_in_the_same_place_however_it_is_found(sky, text):
    answers = []
    for off in (("indexscan", "bitmapscan", "mergejoin"), ("seqscan", "hashjoin", "hashagg")):
        with sky.connection.cursor() as cursor:
            for method in off:
                cursor.execute(f"SET enable_{method} = off")
        answers.append(sky.rows(text, instant=sky.instant, rows=40))
        with sky.connection.cursor() as cursor:
            cursor.execute("SELECT set_config(name, 'on', false) FROM pg_settings "
                           "WHERE name LIKE 'enable\\_%'")  # fmt: skip
    assert answers[0] == answers[1]
    assert 0 < len(answers[0]) <= 40
