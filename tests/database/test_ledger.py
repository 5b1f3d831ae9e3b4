"""The ledger: epochs, publication, the published forms, repeatable answers."""

import threading
from datetime import datetime, timedelta

import numpy as np
import psycopg2
import pytest
from astropy.time import Time

from ingest.staging import slot, stage
from skyledger import dictionary, ids
from skyledger.answers import run
from skyledger.errors import DataRejectedError, QueryRefusedError
from skyledger.virtual import VirtualDatabase, parse

DD = dictionary.shipped()
MJD = 61000.2
NIGHT = ids.night_of(MJD)


def ccd_visit_row(sequence, mjd=MJD):
    visit = ids.visit_id(ids.night_of(mjd), sequence)
    return {
        "ccdVisitId": np.array([ids.ccd_visit_id(visit, 0)]),
        "visitId": np.array([visit]),
        "detector": np.array([0]),
        "instrument": ["simulated"],
        "band": ["r"],
        "filterName": ["r"],
        "programId": ["wide"],
        "ra": np.array([10.0]),
        "decl": np.array([0.0]),
        "beginTai": np.array([mjd - 2e-4]),
        "midPointTai": np.array([mjd]),
        "endTai": np.array([mjd + 2e-4]),
        "exposureTime": np.array([30.0]),
        "nSnaps": np.array([2]),
        "airmass": np.array([1.2]),
        "seeing": np.array([0.8]),
        "zeroPoint": np.array([30.0]),
        "fluxScale": np.array([1.0]),
        "pixelScale": np.array([0.2]),
        "rotation": np.array([0.0]),
        "astromSysRaErr": np.array([0.0]),
        "astromSysDeclErr": np.array([0.0]),
        "astromSysCov": np.array([0.0]),
    }


def source_rows(sequence, ra, decl, flux, mjd=MJD, first=1, err=0.05):
    visit = ids.visit_id(ids.night_of(mjd), sequence)
    ccd = ids.ccd_visit_id(visit, 0)
    n = len(ra)
    return {
        "diaSourceId": ids.source_ids(1, ccd, np.arange(first, first + n)),
        "ccdVisitId": np.full(n, ccd),
        "visitId": np.full(n, visit),
        "detector": np.zeros(n, int),
        "templateId": np.full(n, 7),
        "midPointTai": np.full(n, mjd),
        "ra": np.asarray(ra, float),
        "decl": np.asarray(decl, float),
        "raErr": np.full(n, err),
        "declErr": np.full(n, err),
        "raDeclCov": np.zeros(n),
        "x": np.arange(n) + 5.0,
        "y": np.arange(n) + 5.0,
        "snr": np.full(n, 20.0),
        "psFlux": np.asarray(flux, float),
        "psFluxErr": np.full(n, 10.0),
        "psLnL": np.full(n, -1.0),
        "psChi2": np.full(n, 400.0),
        "psNdata": np.full(n, 441),
        "totFlux": np.asarray(flux, float) + 1000,
        "totFluxErr": np.full(n, 10.0),
        "flags": np.zeros(n, int),
        "hpx29": np.arange(n) + (1 << 55),
    }


class Desk:
    """Publishes small visits the way ingest does."""

    def __init__(self, connection, images=None):
        self.connection = connection
        self.images = images or {}  # columns of CcdVisit about images

    def stage(self, number, sequence, rows, mjd=MJD, kind="visit"):
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT ledger.ensure_partitions(%s, %s)", (mjd, mjd))
            # As ingest does: a partition is committed before anything is published into it.
            self.connection.commit()
            visit = ids.visit_id(ids.night_of(mjd), sequence)
            cursor.execute(
                "SELECT batch FROM ledger.open_batch(%s, %s, '{0}', 'test', %s::smallint)",
                (kind, visit, number),
            )
            batch = cursor.fetchone()[0]
            ccd = ccd_visit_row(sequence, mjd) | self.images
            cursor.execute(
                "SELECT createdtai FROM prompt_store.ccdvisit WHERE ccdvisitid = %s",
                (int(ccd["ccdVisitId"][0]),),
            )
            before = cursor.fetchone()
            if before:
                ccd["replacesTai"] = np.array([before[0]], dtype="datetime64[us]")
            stage(self.connection, DD["CcdVisit"], ccd, number)
            stage(self.connection, DD["DIASource"], rows, number)
            cursor.execute("SELECT staging.validate(%s::smallint, %s)", (number, batch))
            return batch

    def publish(self, sequence, rows, mjd=MJD, forced=None):
        """Publish a visit's sources and, if given, forced measurements of stored objects."""
        with slot(self.connection) as number, self.connection.cursor() as cursor:
            batch = self.stage(number, sequence, rows, mjd)
            if forced is not None:
                stage(self.connection, DD["DIAForcedSource"], forced, number)
            cursor.execute("SELECT * FROM staging.associate(%s::smallint)", (number,))
            cursor.execute("SELECT staging.characterize(%s::smallint)", (number,))
            cursor.execute("SELECT staging.characterize_fluxes(%s::smallint)", (number,))
            cursor.execute("SELECT ledger.publish(%s)", (batch,))
            epoch = cursor.fetchone()[0]
            self.connection.commit()
        return epoch

    def all(self, statement, *values):
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)
            found = cursor.fetchall()
        self.connection.rollback()
        return found

    def one(self, statement, *values):
        return self.all(statement, *values)[0][0]


@pytest.fixture
def desk(fresh_database):
    connection = fresh_database.connect()
    yield Desk(connection)
    connection.close()


@pytest.mark.requirement("GEN-19", "GEN-20")
def test_every_form_shows_the_version_of_its_instant(desk):
    first = desk.publish(1, source_rows(1, [10.0], [0.0], [100.0]))
    second = desk.publish(2, source_rows(2, [10.0], [0.0], [300.0], MJD + 1), MJD + 1)
    assert second > first

    def means(relation, *values):
        return [r[0] for r in desk.all(f"SELECT rpsfluxmean FROM {relation}", *values)]

    assert means("prompt_live.diaobject") == [200.0]
    assert means("prompt.diaobject") == [200.0]
    assert means("prompt_at.diaobject(%s)", first) == [100.0]
    assert means("prompt_at.diaobject(%s)", second) == [200.0]
    assert sorted(means("prompt_history.diaobject")) == [100.0, 200.0]
    with desk.connection.cursor() as cursor:
        cursor.execute("SELECT set_config('skyledger.as_of', %s, true)", (str(first),))
        cursor.execute("SELECT rpsfluxmean, ndiasources FROM prompt.diaobject")
        assert cursor.fetchall() == [(100.0, 1)]
        cursor.execute("SELECT count(*) FROM prompt.diasource")
        assert cursor.fetchone() == (1,)
    desk.connection.rollback()


@pytest.mark.requirement("GEN-20")
def test_the_documents_query_gives_exactly_one_version_at_every_boundary(desk):
    epochs = [
        desk.publish(k, source_rows(k, [10.0], [0.0], [100.0 * k], MJD + k), MJD + k)
        for k in (1, 2, 3)
    ]
    for epoch in epochs:
        for step in (-1, 0, 1):
            instant = epoch + timedelta(microseconds=step)
            n = desk.one(
                "SELECT count(*) FROM prompt_history.DIAObject "
                "WHERE %s BETWEEN createdTai AND deletedTai",
                instant,
            )
            assert n == (0 if instant < epochs[0] else 1)


@pytest.mark.requirement("GEN-19")
def test_an_instant_beyond_the_horizon_is_refused_until_it_is_settled(desk):
    desk.publish(1, source_rows(1, [10.0], [0.0], [100.0]))
    now = desk.one("SELECT science.tai_now()")
    with pytest.raises(psycopg2.Error, match="later than the horizon"):
        desk.all("SELECT count(*) FROM prompt_at.diasource(%s)", now)
    desk.connection.rollback()
    with desk.connection.cursor() as cursor:
        cursor.execute("SELECT ledger.resolve(%s)", (now,))
        settled = cursor.fetchone()[0]
    desk.connection.commit()
    assert settled >= now
    assert desk.one("SELECT count(*) FROM prompt_at.diasource(%s)", settled) == 1
    with pytest.raises(psycopg2.Error, match="in the future"):
        desk.all("SELECT ledger.resolve(science.tai_now() + interval '1 hour')")
    desk.connection.rollback()
    with pytest.raises(psycopg2.Error, match="before this database began"):
        desk.all("SELECT ledger.resolve(timestamp '1999-01-01')")
    desk.connection.rollback()


@pytest.mark.requirement("GEN-19")
def test_epochs_of_concurrent_publishers_are_a_prefix(fresh_database):
    """Every epoch seen is later than all seen before, whoever commits first."""
    seen, failed = [], []

    def publisher(sequence):
        try:
            connection = fresh_database.connect()
            desk = Desk(connection)
            for k in range(3):
                number = sequence * 10 + k
                desk.publish(number, source_rows(number, [10.0 + number], [0.0], [50.0]))
            connection.close()
        except Exception as error:  # noqa: BLE001 - reported by the test
            failed.append(error)

    def reader():
        connection = fresh_database.connect()
        desk = Desk(connection)
        for _ in range(60):
            horizon = desk.one("SELECT ledger.horizon()")
            n = desk.one("SELECT count(*) FROM prompt_at.diasource(%s)", horizon)
            seen.append((horizon, n))
        connection.close()

    threads = [threading.Thread(target=publisher, args=(s,)) for s in (1, 2, 3)]
    threads.append(threading.Thread(target=reader))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    desk = Desk(fresh_database.connect())
    again = [(t, desk.one("SELECT count(*) FROM prompt_at.diasource(%s)", t)) for t, _ in seen]
    assert again == seen
    assert desk.one("SELECT count(*) FROM prompt_live.diasource") == 9
    desk.connection.close()


def test_nothing_is_published_beside_the_making_of_a_partition(desk):
    with desk.connection.cursor() as cursor:
        cursor.execute("SELECT ledger.ensure_partitions(50000, 50000)")
        assert cursor.fetchone()[0] > 0
        with pytest.raises(psycopg2.Error, match="not committed yet"):
            cursor.execute("SELECT ledger.draw('test')")
    desk.connection.rollback()


def test_an_epoch_is_drawn_in_read_committed_only(desk):
    desk.connection.set_session(isolation_level="REPEATABLE READ")
    with pytest.raises(psycopg2.Error, match="READ COMMITTED"):
        desk.all("SELECT ledger.draw('test')")
    desk.connection.rollback()


@pytest.mark.requirement("GEN-28")
def test_direct_writes_to_the_store_are_refused_even_for_the_owner(desk):
    desk.publish(1, source_rows(1, [10.0], [0.0], [100.0]))
    part = desk.one(
        "SELECT inhrelid::regclass::text FROM pg_inherits "
        "WHERE inhparent = 'prompt_store.diasource'::regclass LIMIT 1"
    )
    for statement in (
        "DELETE FROM prompt_store.diasource",
        "UPDATE prompt_store.diaobject SET ra = 1",
        "TRUNCATE prompt_store.diaobject_history",
        f"DELETE FROM {part}",
        "INSERT INTO prompt_store.visit SELECT * FROM prompt_store.visit",
    ):
        with pytest.raises(psycopg2.Error, match=r"written by ledger\.publish alone"):
            desk.all(statement)
        desk.connection.rollback()


def test_the_ingest_role_stages_and_publishes_but_cannot_write_to_the_store(desk):
    with desk.connection.cursor() as cursor:
        cursor.execute("SET ROLE skyledger_ingest")
    desk.connection.commit()
    desk.publish(1, source_rows(1, [10.0], [0.0], [100.0]))
    desk.publish(2, source_rows(2, [10.0, 9.0], [0.0, np.nan], [300.0, 1.0], MJD + 1), MJD + 1)
    assert desk.all("SELECT ndiasources FROM prompt_live.diaobject") == [(2,)]
    assert desk.all("SELECT count(*) FROM ledger.rejected") == [(1,)]
    with desk.connection.cursor() as cursor:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("DELETE FROM prompt_store.diasource")
        desk.connection.rollback()
        cursor.execute("RESET ROLE")
    desk.connection.commit()
    with desk.connection.cursor() as cursor:
        cursor.execute("SET ROLE skyledger_reader")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("SELECT ledger.publish(1)")
    desk.connection.rollback()


@pytest.mark.requirement("DIA-11", "DIA-12")
def test_association_gives_one_object_a_source_and_never_two_of_a_visit(desk):
    # Two objects 2 arcsec apart; then a visit with both, shifted a little, and a new source.
    arcsec = 1 / 3600
    desk.publish(1, source_rows(1, [10.0, 10.0 + 2 * arcsec], [0.0, 0.0], [100.0, 200.0]))
    ra = [10.0 + 0.1 * arcsec, 10.0 + 2.1 * arcsec, 10.0 + 1.0 * arcsec, 10.1]
    desk.publish(2, source_rows(2, ra, [0.0] * 4, [110.0, 210.0, 50.0, 70.0], MJD + 1), MJD + 1)
    rows = desk.all("SELECT visitid, diaobjectid, psflux FROM prompt_live.diasource")
    assert all(r[1] is not None for r in rows)
    assert len({(r[0], r[1]) for r in rows}) == len(rows) == 6
    by_flux = {r[2]: r[1] for r in rows}
    assert by_flux[110.0] == by_flux[100.0]
    assert by_flux[210.0] == by_flux[200.0]
    assert len(set(by_flux.values())) == 4


@pytest.mark.requirement("DIA-11")
def test_association_across_ra_zero_and_at_the_pole(desk):
    arcsec = 1 / 3600
    desk.publish(1, source_rows(1, [359.99999, 40.0], [0.0, 89.9999], [100.0, 200.0]))
    # 0.1 arcsec further East, on the other side of RA 0; at the pole 0.01 deg of RA is nothing.
    ra = [359.99999 + 0.1 * arcsec - 360, 40.01]
    ra[0] %= 360
    desk.publish(2, source_rows(2, ra, [0.0, 89.9999], [110.0, 210.0], MJD + 1), MJD + 1)
    found = desk.all("SELECT ndiasources, ra, decl FROM prompt_live.diaobject ORDER BY decl")
    assert [r[0] for r in found] == [2, 2]
    assert 0 <= found[0][1] < 360


@pytest.mark.requirement("GEN-03", "GEN-08", "DIA-14", "DIA-11")
def test_object_statistics_equal_numpy(desk):
    rng = np.random.default_rng(5)
    flux = rng.normal(500, 40, 6)
    arcsec = 1 / 3600
    x, y = rng.normal(0, 0.05, (2, 6))
    for k in range(6):
        rows = source_rows(
            k + 1, [120.0 + x[k] * arcsec / np.cos(np.radians(30.0))], [30.0 + y[k] * arcsec],
            [flux[k]], MJD + k,
        )  # fmt: skip
        rows["psFluxErr"] = np.array([10.0 + k])
        rows["raErr"] = np.array([0.04 + 0.01 * k])
        rows["declErr"] = np.array([0.05 + 0.01 * k])
        desk.publish(k + 1, rows, MJD + k)
    stored = flux.astype(np.float32).astype(float)
    w = 1 / (10.0 + np.arange(6)) ** 2
    mean = (w * stored).sum() / w.sum()
    found = desk.all(
        "SELECT rpsfluxmean, rpsfluxmeanerr, rpsfluxsigma, rpsfluxchi2, rpsfluxndata, "
        "ra, decl, raerr, declerr, ndiasources, rtotfluxmean FROM prompt_live.diaobject"
    )
    assert len(found) == 1
    got = found[0]
    assert got[0] == pytest.approx(mean, rel=1e-6)
    assert got[1] == pytest.approx(w.sum() ** -0.5, rel=1e-6)
    assert got[2] == pytest.approx(stored.std(ddof=1), rel=1e-6)
    assert got[3] == pytest.approx((w * (stored - mean) ** 2).sum(), rel=1e-5)
    assert got[4] == 6
    wx, wy = 1 / (0.04 + 0.01 * np.arange(6)) ** 2, 1 / (0.05 + 0.01 * np.arange(6)) ** 2
    ra = 120.0 + (wx * x).sum() / wx.sum() * arcsec / np.cos(np.radians(30.0))
    assert got[5] == pytest.approx(ra, abs=1e-8)
    assert got[6] == pytest.approx(30.0 + (wy * y).sum() / wy.sum() * arcsec, abs=1e-8)
    assert got[7] == pytest.approx(wx.sum() ** -0.5, rel=1e-5)
    assert got[8] == pytest.approx(wy.sum() ** -0.5, rel=1e-5)
    assert got[9] == 6


@pytest.mark.requirement("GEN-03")
def test_one_point_has_a_mean_but_no_sigma(desk):
    desk.publish(1, source_rows(1, [10.0], [0.0], [100.0]))
    assert desk.all("SELECT rpsfluxmean, rpsfluxsigma, rpsfluxndata FROM prompt.diaobject") == [
        (100.0, None, 1)
    ]


@pytest.mark.requirement("DIA-14")
def test_sources_older_than_twelve_months_do_not_count(desk):
    for k, days in enumerate((0, 60, 425), start=1):
        desk.publish(k, source_rows(k, [10.0], [0.0], [100.0 * k], MJD + days), MJD + days)
    assert desk.all("SELECT rpsfluxndata, ndiasources FROM prompt_live.diaobject") == [(2, 2)]


def test_bad_rows_are_kept_with_their_reason_and_the_rest_is_published(desk):
    rows = source_rows(1, [10.0, 11.0, 12.0, 13.0, 14.0], [0.0] * 5, [100.0] * 5)
    rows["psFlux"][1] = np.nan
    rows["raErr"][2] = -1.0
    rows["diaSourceId"][3] = rows["diaSourceId"][0]
    desk.publish(1, rows)
    assert desk.one("SELECT count(*) FROM prompt_live.diasource") == 2
    reasons = desk.all("SELECT reason FROM ledger.rejected ORDER BY rejectedid")
    text = " | ".join(r[0] for r in reasons)
    assert len(reasons) == 3
    assert "psFlux = NaN is not a finite number" in text
    assert "raErr = -1 is below 0" in text
    assert "duplicate of an earlier row" in text
    assert desk.one("SELECT nrejected FROM ledger.batch") == 3
    assert desk.one("SELECT content->>'decl' FROM ledger.rejected LIMIT 1") == "0"


def test_an_unknown_visit_is_rejected(desk):
    rows = source_rows(1, [10.0], [0.0], [100.0])
    rows["ccdVisitId"] = rows["ccdVisitId"] + 512
    desk.publish(1, rows)
    assert "is unknown" in desk.one("SELECT reason FROM ledger.rejected")


@pytest.mark.requirement("GEN-14")
def test_a_negative_flux_survives(desk):
    desk.publish(1, source_rows(1, [10.0], [0.0], [-50.0]))
    assert desk.one("SELECT psflux FROM prompt.diasource") == -50.0


def test_a_repeated_delivery_claims_nothing(desk):
    desk.publish(1, source_rows(1, [10.0], [0.0], [100.0]))
    visit = ids.visit_id(NIGHT, 1)
    with desk.connection.cursor() as cursor:
        cursor.execute(
            "SELECT detectors FROM ledger.open_batch('visit', %s, '{0,1}', 'test', 0::smallint)",
            (visit,),
        )
        assert cursor.fetchone()[0] == [1]
    desk.connection.rollback()


def test_a_visit_that_another_run_has_published_is_refused(desk):
    desk.publish(1, source_rows(1, [10.0], [0.0], [100.0]))
    with pytest.raises(psycopg2.errors.UniqueViolation, match="detector 0 by run test"):
        desk.all(
            "SELECT * FROM ledger.open_batch('visit', %s, '{0,1}', 'other', 0::smallint)",
            ids.visit_id(NIGHT, 1),
        )
    desk.connection.rollback()


def test_a_publication_that_replaces_an_older_version_than_the_current_is_refused(desk):
    desk.publish(1, source_rows(1, [10.0], [0.0], [100.0]))
    connection = desk.connection
    with slot(connection) as number, connection.cursor() as cursor:
        batch = desk.stage(number, 2, source_rows(2, [10.0], [0.0], [100.0], MJD + 1), MJD + 1)
        cursor.execute("SELECT * FROM staging.associate(%s::smallint)", (number,))
        cursor.execute("SELECT staging.characterize(%s::smallint)", (number,))
        cursor.execute("UPDATE staging.diaobject SET replacestai = timestamp '2001-01-01'")
        with pytest.raises(psycopg2.errors.SerializationFailure, match="changed by another"):
            cursor.execute("SELECT ledger.publish(%s)", (batch,))
        connection.rollback()
    assert desk.one("SELECT count(*) FROM prompt_live.diasource") == 1


def test_late_visits_land_in_the_partition_of_their_month_and_keep_earlier_answers(desk):
    first = desk.publish(1, source_rows(1, [10.0], [0.0], [100.0]))
    before = desk.all("SELECT * FROM prompt_at.diaobject(%s)", first)
    late = float(Time("2003-10-19").mjd)
    desk.publish(7, source_rows(7, [20.0], [0.0], [300.0], late), late)
    part = desk.one(
        "SELECT tableoid::regclass::text FROM prompt_store.diasource WHERE midpointtai < 53000"
    )
    assert part == "prompt_store.diasource_p200310"
    assert desk.all("SELECT * FROM prompt_at.diaobject(%s)", first) == before


def test_history_has_a_partition_a_year_and_completes_one_that_was_begun_by_months(desk):
    # A month of 2003 is there from before, which is in its third quarter.
    epoch = desk.publish(1, source_rows(1, [10.0], [0.0], [100.0], MJD), MJD)
    before = desk.all("SELECT * FROM prompt_at.diaobject(%s)", epoch)
    with desk.connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE prompt_store.diaobject_history_p200308 PARTITION OF "
            "prompt_store.diaobject_history FOR VALUES FROM ('2003-08-01') TO ('2003-09-01')"
        )
        days = (float(Time("2002-11-20").mjd), float(Time("2004-01-05").mjd))
        cursor.execute("SELECT ledger.ensure_partitions(%s, %s)", days)
        cursor.execute("SELECT ledger.ensure_partitions(%s, %s)", days)
        assert cursor.fetchone() == (0,)
        for relation, begun in (("diaobject", True), ("visit", False)):
            cursor.execute(
                "SELECT substring(relname FROM '_(p200.*)$'), pg_get_expr(relpartbound, oid) "
                f"FROM pg_class WHERE relname ~ '^{relation}_history_p200[0-9q]*$'"
            )
            assert dict(cursor.fetchall()) == {
                name: f"FOR VALUES FROM ('{first} 00:00:00') TO ('{end} 00:00:00')"
                for name, first, end in (
                    ("p2002", "2002-01-01", "2003-01-01"),
                    *(
                        (
                            ("p2003q1", "2003-01-01", "2003-04-01"),
                            ("p2003q2", "2003-04-01", "2003-07-01"),
                            ("p200307", "2003-07-01", "2003-08-01"),
                            ("p200308", "2003-08-01", "2003-09-01"),
                            ("p200309", "2003-09-01", "2003-10-01"),
                            ("p2003q4", "2003-10-01", "2004-01-01"),
                        )
                        if begun
                        else (("p2003", "2003-01-01", "2004-01-01"),)
                    ),
                    ("p2004", "2004-01-01", "2005-01-01"),
                )
            }
    desk.connection.commit()
    assert desk.all("SELECT * FROM prompt_at.diaobject(%s)", epoch) == before


@pytest.mark.requirement("L1DB-03", "GEN-24")
def test_queries_by_time_and_by_sky_use_partitions_and_the_sky_index(desk):
    for k, days in enumerate((0, 40, 80), start=1):
        desk.publish(k, source_rows(k, [10.0], [0.0], [100.0], MJD + days), MJD + days)
    with desk.connection.cursor() as cursor:
        cursor.execute(
            "EXPLAIN SELECT * FROM prompt_live.diasource WHERE midpointtai > %s", (MJD + 70,)
        )
        plan = "\n".join(r[0] for r in cursor.fetchall())
        month = Time(MJD + 80, format="mjd").strftime("_p%Y%m")
        assert month in plan
        assert Time(MJD, format="mjd").strftime("_p%Y%m") not in plan
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT * FROM prompt_at.diaobject(ledger.horizon()) "
            "WHERE science.in_cone(ra, decl, 10, 0, 5)"
        )
        plan = "\n".join(r[0] for r in cursor.fetchall())
        assert "diaobject_sky_idx" in plan
        assert "Function Scan" not in plan
        # No link from difference to direct images, ever (DPDD section 3.3).
        cursor.execute("SELECT count(*) FROM pg_constraint WHERE contype = 'f'")
        assert cursor.fetchone() == (0,)
    desk.connection.rollback()


@pytest.mark.requirement("GEN-01", "GEN-21")
def test_queries_through_the_service_at_two_instants(desk, fresh_database):
    first = desk.publish(1, source_rows(1, [10.0], [0.0], [100.0]))
    desk.publish(2, source_rows(2, [10.0, 11.0], [0.0, 0.0], [300.0, 5.0], MJD + 1), MJD + 1)
    query = "SELECT diaObjectId, rPsFluxMean, dec FROM DIAObject ORDER BY 1;"
    past = run(desk.connection, query, VirtualDatabase("prompt", first))
    now = run(desk.connection, query, VirtualDatabase("prompt"))
    assert [r[1] for r in past.rows] == [100.0]
    assert sorted(r[1] for r in now.rows) == [5.0, 200.0]
    again = run(desk.connection, query, VirtualDatabase("prompt", now.instant))
    assert again.rows == now.rows
    assert [c.name for c in now.columns] == ["diaObjectId", "rPsFluxMean", "dec"]
    assert [c.unit for c in now.columns] == [None, "nJy", "deg"]
    # A schema-qualified name gets the same instant.
    counted = run(
        desk.connection, "SELECT count(*) FROM prompt.DIASource", VirtualDatabase("prompt", first)
    )
    assert counted.rows == [(1,)]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("SELECT * FROM nowhere", "nowhere"),
        ("SELEC 1", "syntax error"),
        ("SELECT 1; DROP TABLE ledger.epoch", "multiple|cannot"),
        ("COMMIT; DROP TABLE ledger.epoch", "multiple|cannot|syntax"),
        ("DELETE FROM ledger.epoch", "permission denied|read-only|cannot"),
        ("SELECT ledger.draw('x')", "permission denied"),
        ("SELECT * FROM prompt_store.diasource", "permission denied"),
        ("", "cannot|null"),
        ("SELECT 1/0", "division by zero"),
        ("SELECT ledger.publish(1)", "permission denied"),
    ],
)
def test_a_query_that_is_not_one_harmless_select_is_refused(desk, statement, reason):
    with pytest.raises(QueryRefusedError, match=reason):
        run(desk.connection, statement, VirtualDatabase("prompt"))
    assert desk.one("SELECT count(*) FROM ledger.epoch") >= 1


def test_a_database_that_is_not_there_is_named_with_those_that_are(desk):
    with pytest.raises(QueryRefusedError, match=r"no database dr7; there is prompt, rubin$"):
        run(desk.connection, "SELECT 1", VirtualDatabase("dr7"))


def test_virtual_databases_are_read_and_refused():
    assert parse("prompt") == VirtualDatabase("prompt")
    assert parse("prompt@2026-01-01").instant == datetime(2026, 1, 1)  # noqa: DTZ001 - TAI
    utc = parse("dr1@2026-01-01T00:00:00Z")
    assert utc.instant == datetime(2026, 1, 1, 0, 0, 37)  # noqa: DTZ001 - TAI is 37 s ahead
    for bad in ("", "promt", "prompt@", "prompt@yesterday", "prompt; DROP", "prompt@2026-13-01",
                "prompt@2026-01-01T00:00:00+02:00"):  # fmt: skip
        with pytest.raises(Exception, match=r"is not|has a time zone"):
            parse(bad)


def test_staging_refuses_unknown_columns_and_other_units(desk):
    from astropy import units  # noqa: PLC0415
    from astropy.table import Table  # noqa: PLC0415

    with slot(desk.connection) as number:
        with pytest.raises(DataRejectedError, match="no column surprise"):
            stage(desk.connection, DD["DIASource"], {"surprise": np.zeros(1)}, number)
        table = Table({"psFlux": [1.0] * units.Unit("uJy")})
        with pytest.raises(DataRejectedError, match="given in uJy, but stored in nJy"):
            stage(desk.connection, DD["DIASource"], table, number)


def test_slots_of_dead_sessions_are_free_again(fresh_database):
    first, second = fresh_database.connect(), fresh_database.connect()
    with slot(first) as one, slot(second) as two:
        assert one != two
        pid = first.info.backend_pid
        with second.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", (pid,))
        third = fresh_database.connect()
        for _ in range(50):
            with slot(third) as three:
                if three == one:
                    break
        assert three == one
        third.close()
    second.close()
