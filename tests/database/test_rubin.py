"""The living database in Rubin's names: what Rubin's queries name is there, with Rubin's units."""

import numpy as np
import psycopg2
import pytest
from test_ledger import DD, MJD, source_rows
from test_living_relations import Archivist

from skyledger import dictionary
from skyledger.database import rubin
from skyledger.errors import ConfigurationError

# Columns of Rubin's own tables (APDB 9.1.1), typed from their documentation.
APDB = {
    "DiaSource": """diaSourceId visit detector diaObjectId ssObjectId parentDiaSourceId
        ssObjectReassocTimeMjdTai midpointMjdTai ra raErr dec decErr ra_dec_Cov x xErr y yErr
        centroid_flag apFlux apFluxErr apFlux_flag apFlux_flag_apertureTruncated isNegative snr
        psfFlux psfFluxErr psfLnL psfChi2 psfNdata psfFlux_flag psfFlux_flag_edge
        psfFlux_flag_noGoodPixels trailFlux trailFluxErr trailRa trailRaErr trailDec trailDecErr
        trailLength trailLengthErr trailAngle trailAngleErr trailChi2 trailNdata trail_flag_edge
        dipoleMeanFlux dipoleMeanFluxErr dipoleFluxDiff dipoleFluxDiffErr dipoleLength dipoleAngle
        dipoleChi2 dipoleNdata scienceFlux scienceFluxErr forced_PsfFlux_flag
        forced_PsfFlux_flag_edge forced_PsfFlux_flag_noGoodPixels templateFlux templateFluxErr ixx
        iyy ixy ixxPSF iyyPSF ixyPSF shape_flag shape_flag_no_pixels shape_flag_not_contained
        shape_flag_parent_source extendedness reliability band isDipole dipoleFitAttempted
        timeProcessedMjdTai timeWithdrawnMjdTai bboxSize pixelFlags pixelFlags_bad pixelFlags_cr
        pixelFlags_crCenter pixelFlags_edge pixelFlags_nodata pixelFlags_nodataCenter
        pixelFlags_interpolated pixelFlags_interpolatedCenter pixelFlags_offimage
        pixelFlags_saturated pixelFlags_saturatedCenter pixelFlags_suspect pixelFlags_suspectCenter
        pixelFlags_streak pixelFlags_streakCenter pixelFlags_injected pixelFlags_injectedCenter
        pixelFlags_injected_template pixelFlags_injected_templateCenter glint_trail""",
    "DiaForcedSource": """diaForcedSourceId diaObjectId ra dec visit detector psfFlux psfFluxErr
        midpointMjdTai scienceFlux scienceFluxErr band timeProcessedMjdTai timeWithdrawnMjdTai""",
    "DiaObject": """diaObjectId validityStartMjdTai validityEndMjdTai ra raErr dec decErr ra_dec_Cov
        firstDiaSourceMjdTai lastDiaSourceMjdTai nDiaSources
        {b}_psfFluxMean {b}_psfFluxMeanErr {b}_psfFluxSigma {b}_psfFluxNdata {b}_fpFluxMean
        {b}_fpFluxMeanErr {b}_scienceFluxMean {b}_scienceFluxMeanErr {b}_psfFluxMin {b}_psfFluxMax
        {b}_psfFluxMaxSlope {b}_psfFluxErrMean""",
    "DiaObject_To_Object_Match": "diaObjectId objectId dist lnP",
}
RELATIONS = rubin.relations()
FORMS = ("rubin.{}", "rubin_live.{}", "rubin_at.{}(ledger.horizon())")


@pytest.fixture
def desk(fresh_database):
    connection = fresh_database.connect()
    yield Archivist(connection)
    connection.close()


@pytest.mark.requirement("L1DB-05")
@pytest.mark.parametrize("name", APDB)
def test_each_of_rubins_columns_is_there_or_said_to_be_missing(name):
    (relation,) = (r for r in RELATIONS if r.name == name)
    names = " ".join(APDB[name].split())
    wanted = {
        n.replace("{b}", b)
        for n in names.split()
        for b in (dictionary.BANDS if "{b}" in n else "u")
    }
    shown = {column.name for column in relation.columns}
    missing = {
        n.replace("{b}", b)
        for listed in relation.missing
        for n in listed.split(", ")
        for b in (dictionary.BANDS if "{b}" in n else "u")
    }
    assert not shown & missing
    assert wanted <= shown | missing
    # Beside them only what earlier releases and previews had.
    assert shown - wanted <= {"ccdVisitId", "pmRa", "pmDec", "parallax"} | {
        f"{b}_psfFluxChi2" for b in dictionary.BANDS
    }


@pytest.mark.requirement("L1DB-05", "GEN-29")
@pytest.mark.parametrize("name", [r.name for r in RELATIONS])
def test_every_form_is_readable_and_every_column_described(connection, name):
    (relation,) = (r for r in RELATIONS if r.name == name)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE skyledger_reader")
        for form in FORMS:
            cursor.execute(f"SELECT * FROM {form.format(name)} LIMIT 1")
            assert [c.name for c in cursor.description] == [
                c.name.lower() for c in relation.columns
            ]
        for schema in ("rubin", "rubin_live"):
            cursor.execute(
                "SELECT attname, col_description(attrelid, attnum) FROM pg_attribute "
                "WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
                (f"{schema}.{name.lower()}",),
            )
            for column, (found, said) in zip(relation.columns, cursor.fetchall(), strict=True):
                assert found == column.name.lower()
                assert said.startswith(f"{column.name}: ")
                assert len(said) > len(column.name) + 10
                _, unit = relation.described(column)
                assert said.endswith(f" [{unit}]" if unit else "") or unit is None


@pytest.mark.requirement("L1DB-05", "GEN-19")
def test_values_are_ours_in_rubins_units(desk):
    rows = source_rows(1, [10.0, 11.0], [-30.0, -31.0], [500.0, -200.0])
    rows["spuriousness"] = np.array([0.25, 0.75])
    rows["raDeclCov"] = np.array([1.296e-3, 0.0])
    rows["flags"] = np.array([0, (1 << 3) | (1 << 4) | (1 << 7)])  # negative, a dipole, saturated
    rows["trailFlux"], rows["trailLnL"] = np.full(2, 1.0), np.full(2, -1.0)
    rows["trailChi2"], rows["trailNdata"] = np.full(2, 1.0), np.full(2, 441)
    # Variances 4 nJy**2, 36**2, 72**2 arcsec**2, 9 arcsec**2 and 25 deg**2 on the diagonal.
    cov = np.zeros((2, 15))
    cov[:, [0, 2, 5, 9, 14]] = [4, 36**2, 72**2, 9, 25]
    rows["trailCov"] = cov
    first = desk.publish(1, rows)
    desk.publish(2, source_rows(2, [10.0], [-30.0], [700.0], MJD + 1), MJD + 1)
    query = (
        "SELECT visit, detector, psfFlux, psfFluxErr, scienceFlux, band, ra, dec, raErr, decErr, "
        "ra_dec_Cov, reliability, isNegative, isDipole, pixelFlags_saturated, pixelFlags_bad, "
        "trailFluxErr, trailRaErr, trailDecErr, trailLengthErr, trailAngleErr, midpointMjdTai, "
        "timeProcessedMjdTai FROM {} WHERE visit = %s ORDER BY diaSourceId"
    )
    visit = int(rows["visitId"][0])
    bright, faint = desk.all(query.format("rubin_at.DiaSource(%s)"), first, visit)
    assert bright[:6] == (visit, 0, 500.0, 10.0, 1500.0, "r")
    assert bright[6:8] == (10.0, -30.0)
    assert bright[8:11] == pytest.approx((0.05 / 3600, 0.05 / 3600, 1e-10), rel=1e-6)
    assert (bright[11], faint[11]) == (0.75, 0.25)
    assert bright[12:16] == (False,) * 4
    assert faint[12:16] == (True, True, True, False)
    assert bright[16:21] == pytest.approx((2, 0.01, 0.02, 3, 5))
    assert bright[21] == MJD
    mjd = desk.one("SELECT science.tai_to_mjd(%s)", first)
    assert bright[22] == pytest.approx(mjd, abs=1e-9)
    for form in ("rubin.DiaSource", "rubin_live.DiaSource"):
        assert desk.all(query.format(form), visit) == [bright, faint]
    objects = "SELECT nDiaSources, r_psfFluxMean, r_psfFluxNdata FROM {} WHERE dec > -30.5"
    assert desk.all(objects.format("rubin_at.DiaObject(%s)"), first) == [(1, 500.0, 1)]
    assert desk.all(objects.format("rubin_live.DiaObject")) == [(2, 600.0, 2)]
    # A query as it is written for Rubin's own service.
    with desk.connection.cursor() as cursor:
        cursor.execute("SET LOCAL search_path = rubin_live, science, public")
        cursor.execute(
            "SELECT s.midpointMjdTai, s.band, s.psfFlux FROM DiaObject AS o "
            "JOIN DiaSource AS s ON s.diaObjectId = o.diaObjectId "
            "WHERE o.nDiaSources > 1 ORDER BY s.midpointMjdTai"
        )
        assert cursor.fetchall() == [(MJD, "r", 500.0), (MJD + 1, "r", 700.0)]
    desk.connection.rollback()


def test_velocities_and_distances_of_solar_system_objects(desk):
    desk.publish(1, source_rows(1, [10.0], [0.0], [100.0]))
    desk.put(
        "INSERT INTO staging.ssobject (slot, ssobjectid, designation, ndiasources, flags, moid1) "
        "VALUES ({slot}, 7, '2026 AA', 3, 0, 0.1)"
    )
    desk.put(
        "INSERT INTO staging.sssource (slot, diasourceid, ssobjectid, midpointtai, "
        "heliocentricdist, topocentricdist, heliox, helioy, helioz, "
        "heliovx, heliovy, heliovz, rarate, declrate) "
        "SELECT {slot}, diasourceid, 7, midpointtai, 5, 2, 3, 4, 0, 0.01, 0, 0.02, 0.3, 0.4 "
        "FROM prompt_store.diasource"
    )
    found = desk.all(
        "SELECT designation, helioRange, topoRange, helio_vx, helio_vtot, helioRangeRate, ephRate "
        "FROM rubin.SSSource"
    )
    # 1 AU = 149,597,870.7 km; the object moves away from the Sun with 3/5 of vx.
    km_s = 149_597_870.7 / 86_400
    speed = np.hypot(0.01, 0.02) * km_s
    assert found[0][:3] == ("2026 AA", 5.0, 2.0)
    assert found[0][3:] == pytest.approx((0.01 * km_s, speed, 0.006 * km_s, 0.5), rel=1e-6)
    assert desk.all("SELECT nObs, MOIDEarth FROM rubin.SSObject") == [(3, pytest.approx(0.1))]


@pytest.mark.parametrize(
    ("column", "fault"),
    [
        ({"name": "a"}, "needs one of column, sql and flag"),
        ({"name": "a", "column": "s.ra", "flag": "EDGE"}, "needs one of column, sql and flag"),
        ({"name": "a", "sql": "1"}, "a description goes with sql"),
        ({"name": "a", "sql": "1", "description": "One.", "unit": "parrot"}, "parrot"),
    ],
)
def test_a_wrong_entry_is_refused(column, fault):
    with pytest.raises(ValueError, match=fault):
        rubin.RubinColumn.model_validate(column)


def test_a_column_that_nobody_has_is_refused():
    (relation,) = (r for r in RELATIONS if r.name == "DiaObject_To_Object_Match")
    wrong = rubin.RubinColumn(name="a", column="m.nothing")
    with pytest.raises(ConfigurationError, match=r"a shows m.nothing, which no relation"):
        relation.described(wrong)


def test_our_dictionary_has_every_column_that_is_shown_unchanged():
    for relation in RELATIONS:
        for alias, base in relation.bases.items():
            if base not in DD.relations:
                continue
            for column in relation.columns:
                if column.column is not None and column.column.startswith(f"{alias}."):
                    assert relation.source(column) is not None, (relation.name, column.name)


def test_writing_is_refused(connection):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE skyledger_reader")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("DELETE FROM rubin_live.DiaObject")
