# ruff: noqa: E501, ARG005 - a query and its answer are read side by side
"""Queries of the kinds that surveys publish, against answers computed without ADQL.

They paraphrase what tutorials of Rubin and Gaia, examples of DaCHS and papers on TAP show: cones,
light curves, colours, histograms, pairs, counterparts. The rows they are compared with come from
the truth of the survey and from plain SELECTs of whole tables, computed in numpy.
"""

import io
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import psycopg2
import pytest
from astropy.coordinates import SkyCoord
from astropy.io.votable import parse_single_table
from small_survey import CENTRE, MJD, SOURCES, positions

LON, LAT = CENTRE


def plain(service, relation, *names):
    """Columns of a table, by a SELECT of the owner."""
    connection = psycopg2.connect(service.dsn)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(names)} FROM prompt_live.{relation} ORDER BY 1")
        rows = cursor.fetchall()
    connection.close()
    listed = zip(names, zip(*rows, strict=True), strict=True)
    return SimpleNamespace(**{name: np.array(values) for name, values in listed})


@pytest.fixture(scope="module")
def sky(service):
    """What is in the tables, and the places of the truth."""
    objects = plain(service, "diaobject", "diaobjectid", "ra", "decl", "ndiasources", "rpsfluxmean")
    sources = plain(
        service, "diasource", "diasourceid", "diaobjectid", "visitid", "midpointtai", "ra", "decl",
        "psflux", "psfluxerr", "totflux", "snr", "x", "y", "flags", "detector",
    )  # fmt: skip
    at = SkyCoord(objects.ra, objects.decl, unit="deg")
    ra, dec = positions()
    place = SkyCoord(ra, dec, unit="deg")
    # The truth is what was found.
    assert len(sources.ra) == 3 * SOURCES
    assert at.match_to_catalog_sky(place)[1].arcsec.max() < 0.01
    return SimpleNamespace(o=objects, s=sources, at=at, centre=SkyCoord(LON, LAT, unit="deg"))


@dataclass(frozen=True)
class Case:
    """A query, its rows by another way, and the units of its columns."""

    query: str
    wanted: object
    units: tuple = ()
    ordered: bool = False


def near(t, degrees):
    return t.at.separation(t.centre).deg < degrees


def columns(*arrays):
    return list(zip(*[np.asarray(a).tolist() for a in arrays], strict=True))


def groups(keys, **made):
    """Rows of a GROUP BY: each key with functions of the indices that have it."""
    return [
        (key, *(function(np.flatnonzero(keys == key)) for function in made.values()))
        for key in np.unique(keys).tolist()
    ]


def pairs(t, degrees):
    """Pairs of neighbours, by all separations there are."""
    ids = t.o.diaobjectid
    apart = t.at[:, None].separation(t.at[None, :]).deg
    first, second = np.nonzero((apart < degrees) & (ids[:, None] < ids[None, :]))
    return columns(ids[first], ids[second])


CONE = f"CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', {LON}, {LAT}, {{}})) = 1"
CASES = [
    # -- around a place
    Case(f"SELECT COUNT(*) AS n FROM DIAObject WHERE {CONE.format(0.05)}",
         lambda t: [(int(near(t, 0.05).sum()),)], (None,)),
    Case(f"SELECT diaObjectId, ra, dec FROM dp02_dc2_catalogs.DiaObject WHERE {CONE.format(0.03)}",
         lambda t: columns(*(c[near(t, 0.03)] for c in (t.o.diaobjectid, t.o.ra, t.o.decl))),
         (None, "deg", "deg")),
    Case(f"SELECT diaObjectId, DISTANCE(POINT(ra, dec), POINT({LON}, {LAT})) AS sep FROM DIAObject "
         f"WHERE DISTANCE(ra, dec, {LON}, {LAT}) < 0.06 ORDER BY sep",
         lambda t: sorted(columns(t.o.diaobjectid, t.at.separation(t.centre).deg)
                          [k] for k in np.flatnonzero(near(t, 0.06))), (None, "deg")),
    Case(f"SELECT TOP 3 diaObjectId FROM DIAObject "
         f"ORDER BY DISTANCE(POINT(ra, dec), POINT({LON}, {LAT}))",
         lambda t: columns(t.o.diaobjectid[np.argsort(t.at.separation(t.centre))[:3]]),
         ordered=True),
    Case("SELECT diaObjectId FROM DIAObject WHERE 1 = CONTAINS(POINT(ra, dec), "
         "POLYGON(149.95, 1.95, 150.05, 1.95, 150.05, 2.05, 149.95, 2.05))",
         lambda t: columns(t.o.diaobjectid[(abs(t.o.ra - LON) < 0.05) & (abs(t.o.decl - LAT) < 0.05)])),
    Case(f"SELECT diaObjectId FROM DIAObject WHERE 1 = CONTAINS(POINT(ra, dec), BOX({LON}, {LAT}, 0.1, 0.08))",
         lambda t: columns(t.o.diaobjectid[(abs((t.o.ra - LON) * np.cos(np.radians(LAT))) < 0.05) & (abs(t.o.decl - LAT) < 0.04)])),
    Case(f"SELECT COUNT(*) AS n FROM DIAObject WHERE CONTAINS(POINT(ra, dec), CIRCLE({LON}, {LAT}, 0.05)) = 0",
         lambda t: [(int((~near(t, 0.05)).sum()),)]),
    Case(f"SELECT COUNT(*) AS n FROM DIASource WHERE NOT ({CONE.format(0.05)}) AND psFlux > 200",
         lambda t: [(int(((t.s.psflux > 200) & (SkyCoord(t.s.ra, t.s.decl, unit="deg").separation(t.centre).deg >= 0.05)).sum()),)]),
    Case("SELECT a.diaObjectId, b.diaObjectId FROM DIAObject AS a JOIN DIAObject AS b "
         "ON 1 = CONTAINS(POINT(a.ra, a.dec), CIRCLE(b.ra, b.dec, 0.02)) WHERE a.diaObjectId < b.diaObjectId",
         lambda t: pairs(t, 0.02)),
    Case("SELECT a.diaObjectId, b.diaObjectId FROM DIAObject AS a, DIAObject AS b "
         "WHERE DISTANCE(a.ra, a.dec, b.ra, b.dec) < 0.02 AND b.diaObjectId > a.diaObjectId",
         lambda t: pairs(t, 0.02)),
    # -- light curves
    Case("SELECT midpointMjdTai, psfFlux, psfFluxErr FROM rubin.DiaSource WHERE diaObjectId IN "
         "(SELECT MIN(diaObjectId) FROM rubin.DiaObject) ORDER BY midpointMjdTai",
         lambda t: columns(*(c[t.s.diaobjectid == t.o.diaobjectid.min()] for c in
                             (t.s.midpointtai, t.s.psflux, t.s.psfluxerr))),
         ("d", "nJy", "nJy"), ordered=True),
    Case("SELECT v.band, s.midPointTai, scisql_nanojanskyToAbMag(s.totFlux) AS mag FROM DIASource AS s "
         "JOIN CcdVisit AS v ON s.ccdVisitId = v.ccdVisitId WHERE s.psFlux < 105",
         lambda t: [("r", m, -2.5 * np.log10(f) + 31.4) for m, f in columns(t.s.midpointtai, t.s.totflux)
                    if f < 1105], (None, "d", "mag")),
    Case("SELECT diaObjectId, COUNT(*) AS n, MIN(midPointTai) AS since, MAX(midPointTai) AS until, "
         "MAX(midPointTai) - MIN(midPointTai) AS span FROM DIASource GROUP BY diaObjectId",
         lambda t: groups(t.s.diaobjectid, n=len, first=lambda k: t.s.midpointtai[k].min(),
                          last=lambda k: t.s.midpointtai[k].max(), span=lambda k: np.ptp(t.s.midpointtai[k])),
         (None, None, "d", "d", "d")),
    Case("SELECT o.diaObjectId, l.kind, COUNT(*) AS n FROM DIAObject AS o JOIN LightCurve AS l "
         f"ON l.diaObjectId = o.diaObjectId WHERE {CONE.replace('ra, dec', 'o.ra, o.dec').format(0.03)} "
         "GROUP BY o.diaObjectId, l.kind",
         lambda t: [(i, "source", 3) for i in t.o.diaobjectid[near(t, 0.03)].tolist()]),
    Case("SELECT s.diaSourceId FROM DIASource AS s JOIN (SELECT diaObjectId, MAX(psFlux) AS most "
         "FROM DIASource GROUP BY diaObjectId) AS m ON m.diaObjectId = s.diaObjectId AND s.psFlux = m.most",
         lambda t: columns(t.s.diasourceid[np.isclose(t.s.midpointtai, MJD + 3)])),
    # -- statistics
    Case("SELECT AVG(psFlux) AS a, SUM(psFlux) AS s, MIN(psFlux) AS l, MAX(psFlux) AS h FROM DIASource",
         lambda t: [(t.s.psflux.mean(), t.s.psflux.sum(), t.s.psflux.min(), t.s.psflux.max())],
         ("nJy",) * 4),
    Case("SELECT COUNT(*), COUNT(DISTINCT diaObjectId), COUNT(ssObjectId) FROM DIASource",
         lambda t: [(3 * SOURCES, SOURCES, 0)], (None,) * 3),
    Case("SELECT FLOOR(psFlux / 100) AS bin, COUNT(*) AS n, AVG(snr) AS snr FROM DIASource "
         "GROUP BY FLOOR(psFlux / 100) ORDER BY bin",
         lambda t: groups(np.floor(t.s.psflux / 100), n=len, snr=lambda k: t.s.snr[k].mean()), ordered=True),
    Case("SELECT ROUND(ra, 1) AS r, COUNT(*) AS n FROM DIAObject GROUP BY r ORDER BY n DESC, r",
         lambda t: sorted(groups(np.round(t.o.ra, 1), n=len), key=lambda row: (-row[1], row[0])),
         ("deg", None), ordered=True),
    Case("SELECT visitId, AVG(psFlux) AS mean FROM DIASource GROUP BY visitId HAVING AVG(psFlux) > 150",
         lambda t: [row for row in groups(t.s.visitid, mean=lambda k: t.s.psflux[k].mean()) if row[1] > 150],
         (None, "nJy")),
    Case("SELECT visitId FROM DIASource GROUP BY visitId HAVING COUNT(*) > 1000", lambda t: []),
    Case("SELECT SQRT(SUM(POWER(psFlux - 200, 2)) / COUNT(*)) AS rms FROM DIASource",
         lambda t: [(np.sqrt(((t.s.psflux.astype(float) - 200) ** 2).mean()),)]),
    Case("SELECT MOD(CAST(x AS INTEGER), 7) AS m, COUNT(*) AS n FROM DIASource GROUP BY MOD(CAST(x AS INTEGER), 7)",
         lambda t: groups(t.s.x.astype(int) % 7, n=len)),
    # All errors are the same.
    Case("SELECT diaObjectId, weighted_mean(psFlux, psFluxErr) AS m FROM DIASource GROUP BY diaObjectId",
         lambda t: groups(t.s.diaobjectid, m=lambda k: t.s.psflux[k].astype(float).mean())),
    Case("SELECT a.n, b.psFlux FROM (SELECT diaObjectId, nDiaSources AS n FROM DIAObject WHERE nDiaSources > 99) AS a "
         "RIGHT JOIN (SELECT diaObjectId, psFlux FROM DIASource WHERE psFlux > 338) AS b USING (diaObjectId)",
         lambda t: [(None, 339.0)], (None, "nJy")),
    Case("SELECT COUNT(*) FROM DIASource WHERE has_flag(flags, 3) OR flags <> 0",
         lambda t: [(int((t.s.flags != 0).sum()),)]),
    # -- cuts, order and ties
    Case("SELECT TOP 5 diaSourceId, snr FROM DIASource ORDER BY snr DESC",
         lambda t: columns(t.s.diasourceid[:5], t.s.snr[:5]), ordered=True),
    Case("SELECT diaSourceId FROM DIASource ORDER BY diaSourceId OFFSET 117",
         lambda t: columns(t.s.diasourceid[117:]), ordered=True),
    Case("SELECT TOP 4 diaObjectId, psFlux FROM DIASource ORDER BY psFlux DESC, diaObjectId OFFSET 2",
         lambda t: sorted(columns(t.s.diaobjectid, t.s.psflux), key=lambda r: (-r[1], r[0]))[2:6],
         (None, "nJy"), ordered=True),
    Case("SELECT DISTINCT TOP 2 visitId FROM DIASource ORDER BY visitId DESC",
         lambda t: columns(np.unique(t.s.visitid)[::-1][:2]), ordered=True),
    Case("SELECT DISTINCT detector, snr FROM DIASource", lambda t: [(0, 20.0)]),
    Case("SELECT TOP 0 diaObjectId FROM DIAObject", lambda t: []),
    Case("SELECT nDiaSources AS n, COUNT(*) AS objects FROM DIAObject GROUP BY nDiaSources ORDER BY 2 DESC",
         lambda t: [(3, SOURCES)], ordered=True),
    Case('SELECT TOP 1 "ra" AS "RA of it", decl AS "select" FROM DIAObject ORDER BY "select"',
         lambda t: [(t.o.ra[np.argmin(t.o.decl)], t.o.decl.min())], ("deg", "deg")),
    # -- sets and subqueries
    Case("SELECT diaSourceId FROM DIASource WHERE psFlux > 300 UNION SELECT diaSourceId FROM DIASource WHERE psFlux > 290",
         lambda t: columns(t.s.diasourceid[t.s.psflux > 290])),
    Case("SELECT diaObjectId FROM DIAObject UNION ALL SELECT diaObjectId FROM DIASource",
         lambda t: columns(np.concatenate([t.o.diaobjectid, t.s.diaobjectid]))),
    Case("SELECT diaObjectId FROM DIASource WHERE psFlux < 110 INTERSECT SELECT diaObjectId FROM DIASource WHERE psFlux > 305",
         lambda t: columns(np.intersect1d(t.s.diaobjectid[t.s.psflux < 110], t.s.diaobjectid[t.s.psflux > 305]))),
    Case("SELECT diaObjectId FROM DIAObject EXCEPT SELECT diaObjectId FROM DIASource WHERE psFlux > 320",
         lambda t: columns(np.setdiff1d(t.o.diaobjectid, t.s.diaobjectid[t.s.psflux > 320]))),
    Case("WITH bright AS (SELECT * FROM DIASource WHERE psFlux > 320), few AS (SELECT diaObjectId FROM bright) "
         "SELECT COUNT(*) FROM DIAObject AS o WHERE o.diaObjectId IN (SELECT diaObjectId FROM few)",
         lambda t: [(int((t.s.psflux > 320).sum()),)]),
    Case("SELECT o.diaObjectId FROM DIAObject AS o WHERE NOT EXISTS (SELECT * FROM DIASource AS s "
         "WHERE s.diaObjectId = o.diaObjectId AND s.psFlux > 310)",
         lambda t: columns(np.setdiff1d(t.o.diaobjectid, t.s.diaobjectid[t.s.psflux > 310]))),
    Case("SELECT o.diaObjectId FROM DIAObject AS o LEFT JOIN (SELECT diaObjectId, psFlux FROM DIASource "
         "WHERE psFlux > 310) AS s ON s.diaObjectId = o.diaObjectId WHERE s.psFlux IS NULL",
         lambda t: columns(np.setdiff1d(t.o.diaobjectid, t.s.diaobjectid[t.s.psflux > 310]))),
    Case("SELECT diaSourceId FROM DIASource AS s WHERE psFlux > (SELECT AVG(q.psFlux) FROM DIASource AS q "
         "WHERE q.diaObjectId = s.diaObjectId)",
         lambda t: columns(t.s.diasourceid[np.isclose(t.s.midpointtai, MJD + 3)])),
    Case("SELECT COUNT(*) FROM DIASource NATURAL JOIN (SELECT diaObjectId, nDiaSources FROM DIAObject) AS o",
         lambda t: [(3 * SOURCES,)]),
    Case("SELECT visitId, COUNT(*) FROM DIASource JOIN CcdVisit USING (visitId) GROUP BY visitId",
         lambda t: groups(t.s.visitid, n=len)),
    Case("SELECT a.visitId, b.visitId FROM CcdVisit AS a CROSS JOIN CcdVisit AS b WHERE a.visitId < b.visitId",
         lambda t: [(a, b) for a in np.unique(t.s.visitid).tolist() for b in np.unique(t.s.visitid).tolist() if a < b]),
    # Identifiers have more digits than doubles: none is taken for its neighbour.
    Case(
        "SELECT o.diaObjectId, q.x FROM (SELECT diaObjectId * 1.0 AS x FROM DIAObject) AS q "
        "JOIN DIAObject AS o ON o.diaObjectId = q.x",
        lambda t: [
            (i, float(i)) for i in t.o.diaobjectid.tolist() for j in t.o.diaobjectid.tolist()
            if int(float(j)) == i
        ],
    ),
    # An outline that ends where it began.
    Case(
        "SELECT COUNT(*) FROM DIAObject WHERE 1 = CONTAINS(POINT(ra, dec), "
        "REGION('POLYGON ICRS 149 1 151 1 151 3 149 3 149 1'))",
        lambda t: [(SOURCES,)],
    ),
    # -- values
    Case("SELECT TOP 1 1 / 2 AS a, 7 / 2 AS b, 1 / 2. AS c, -7 / 2 AS d, 2 + 3 * 4 AS e, (2 + 3) * 4 AS f FROM CcdVisit",
         lambda t: [(0, 3, 0.5, -3, 14, 20)]),
    Case("SELECT TOP 1 MOD(-7, 3) AS a, ROUND(2.567, 2) AS b, TRUNCATE(-2.567, 1) AS c, CEILING(-0.5) AS d, FLOOR(-0.5) AS e, ABS(-3) AS f FROM CcdVisit",
         lambda t: [(-1, 2.57, -2.5, 0, -1, 3)]),
    Case("SELECT TOP 1 LOG(EXP(2)) AS a, LOG10(1000) AS b, POWER(2, 0.5) AS c, DEGREES(PI()) AS d, ATAN2(1, -1) AS e, COT(1) AS f FROM CcdVisit",
         lambda t: [(2, 3, np.sqrt(2), 180, 0.75 * np.pi, 1 / np.tan(1))]),
    Case("SELECT TOP 1 UPPER('aBc') || LOWER('DeF') AS t, 'it''s' AS q, 0xFF AS x, 5 & 3 AS a, 5 | 3 AS o, 5 ^ 3 AS e, ~5 AS n FROM CcdVisit",
         lambda t: [("ABCdef", "it's", 255, 1, 7, 6, -6)]),
    Case("SELECT COUNT(*) FROM CcdVisit WHERE instrument LIKE 'sim%' AND instrument ILIKE 'SIM_LATED' AND NOT band LIKE 'R'",
         lambda t: [(3,)]),
    Case("SELECT COUNT(*) FROM DIASource WHERE psFlux BETWEEN 110 AND 120 AND psFlux NOT BETWEEN 115 AND 116",
         lambda t: [(int(((t.s.psflux >= 110) & (t.s.psflux <= 120)).sum() - ((t.s.psflux >= 115) & (t.s.psflux <= 116)).sum()),)]),
    Case("SELECT COUNT(*) FROM DIASource WHERE psFlux IN (100, 101, 102.5) OR psFlux NOT IN (SELECT psFlux FROM DIASource)",
         lambda t: [(2,)]),
    Case("SELECT COALESCE(MIN(ssObjectId), -1) AS a, COUNT(*) AS b FROM DIASource WHERE parallax IS NULL".replace("parallax", "ssObjectId"),
         lambda t: [(-1, 3 * SOURCES)]),
    Case("SELECT IN_UNIT(MAX(psFlux), 'mJy') AS m, IN_UNIT(MAX(ra), 'rad') AS r, 2 * MAX(psFlux) AS d, MAX(psFlux) / 2 AS h, "
         "MAX(psFlux) / MIN(psFlux) AS q, MAX(psFlux) - MIN(psFlux) AS w FROM DIASource",
         lambda t: [(t.s.psflux.max() * 1e-6, np.radians(t.s.ra.max()), 2 * t.s.psflux.max(), t.s.psflux.max() / 2,
                     t.s.psflux.max() / t.s.psflux.min(), t.s.psflux.max() - t.s.psflux.min())],
         ("mJy", "rad", "nJy", "nJy", None, "nJy")),
    Case("SELECT COORD1(POINT(ra, dec)) - ra AS a, COORD2(CENTROID(CIRCLE(ra, dec, 1))) - dec AS b, "
         "AREA(CIRCLE(ra, dec, 1)) AS c FROM DIAObject",
         lambda t: [(0, 0, 2 * np.pi * (1 - np.cos(np.radians(1))) * (180 / np.pi) ** 2)] * SOURCES,
         ("deg", "deg", "deg2")),
    Case("SELECT ivo_string_agg(band, ',') AS b, ivo_bitwise_or(MIN(detector), 4) AS o FROM CcdVisit",
         lambda t: [("r,r,r", 4)]),
    Case("SELECT CAST(psFlux AS INTEGER) AS i, CAST('12' AS SMALLINT) AS s, CAST(detector AS VARCHAR) AS v FROM DIASource WHERE psFlux < 102",
         lambda t: [(100, 12, "0"), (101, 12, "0")], ("nJy", None, None)),
    Case("SELECT flux_to_mag(psFlux) - flux_to_mag(totFlux) AS colour FROM DIASource WHERE psFlux < 101",
         lambda t: [(-2.5 * np.log10(100 / 1100),)], ("mag",)),
    # -- what there is
    Case("SELECT COUNT(*) FROM tap_schema.columns WHERE table_name = 'prompt.DIASource' AND unit = 'nJy' AND column_name = 'psFlux'",
         lambda t: [(1,)]),
    Case("SELECT t.table_name FROM tap_schema.tables AS t JOIN tap_schema.schemas AS s ON s.schema_name = t.schema_name "
         "WHERE s.schema_name = 'ivoa'", lambda t: [("ivoa.obscore",)]),
    Case("SELECT obs_id, t_max - t_min AS t FROM ivoa.obscore WHERE dataproduct_type = 'image' AND calib_level = 2 "
         "AND 1 = CONTAINS(POINT(10, 0), s_region)",
         lambda t: [(str(v), 4e-4) for v in np.unique(t.s.visitid).tolist()], (None, "d")),
]  # fmt: skip


@pytest.mark.requirement("GEN-01", "GEN-29")
@pytest.mark.parametrize("case", CASES, ids=[str(k) for k in range(len(CASES))])
def test_the_answer_is_what_another_way_gives(service, sky, case):
    answer = service.ask(case.query, FORMAT="votable")
    assert answer.status_code == 200, answer.text
    # Names with blanks are no IDs, which astropy tells.
    verify = "ignore" if '"' in case.query else "exception"
    table = parse_single_table(io.BytesIO(answer.content), verify=verify)
    rows = [
        tuple(None if v is np.ma.masked else v for v in row)
        for row in zip(*(table.array[n].tolist() for n in table.array.dtype.names), strict=True)
    ]
    wanted = [tuple(row) for row in case.wanted(sky)]
    if not case.ordered:
        rows, wanted = (sorted(r, key=lambda row: tuple(map(str, row))) for r in (rows, wanted))
    assert len(rows) == len(wanted)
    for row, expected in zip(rows, wanted, strict=True):
        for value, other in zip(row, expected, strict=True):
            if isinstance(other, float | np.floating):
                # Seven digits of real; a microarcsecond of angles near zero.
                assert value == pytest.approx(other, rel=2e-6, abs=1e-9), case.query
            else:
                assert value == other, case.query
    if case.units:
        given = tuple(None if f.unit is None else str(f.unit) for f in table.fields)
        assert given == case.units, case.query


@pytest.mark.requirement("GEN-01")
def test_corners_that_make_no_polygon_are_told(service):
    """Nothing found would look like an empty sky."""
    bow = "POLYGON(149, 1, 151, 3, 151, 1, 149, 3)"
    answer = service.ask(f"SELECT ra FROM DIAObject WHERE 1 = CONTAINS(POINT(ra, dec), {bow})")
    assert answer.status_code == 400
    assert "no two edges cross" in answer.text
