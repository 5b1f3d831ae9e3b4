"""DIAObjects computed from kept sums equal those computed from the rows, whatever happens."""

import numpy as np
import pytest
from psycopg2 import errors
from sums_truth import (
    ARCSEC,
    BANDS,
    Survey,
    earth,
    measured,
    visit_rows,
)
from test_ledger import MJD, source_rows
from test_relink import forced_rows

from skyledger import ids

OLDEST = "SELECT min(diasourceid) FROM prompt_live.diasource WHERE midpointtai > %s"


@pytest.fixture
def desk(fresh_database):
    connection = fresh_database.connect()
    yield Survey(connection)
    connection.close()


@pytest.mark.requirement("DIA-14", "L1DB-17")
@pytest.mark.parametrize("seed", [1, 2])
def test_objects_are_as_if_computed_from_their_rows(desk, seed):
    rng = np.random.default_rng(seed)
    epochs = (MJD + np.cumsum(rng.uniform(5, 40, 26))).tolist()  # 19 months: windows end anywhere
    late = []
    counts = []
    for k, mjd in enumerate(epochs, start=1):
        if k in {6, 15, 20}:
            late.append((k, mjd))  # comes after the next visit
            continue
        for number, at in [(k, mjd), *([late.pop()] if late else [])]:
            desk.band = BANDS[number % 3]
            # A new template from the twelfth visit on; one outburst that leaves the window again.
            template = 7 if number < 12 else 8
            seen = sorted(rng.choice(3, rng.integers(1, 4), replace=False).tolist())
            if number in {1, 2}:
                seen = [0, 1, 2]
            rows = visit_rows(rng, number, at, seen, template, faint=number == 4)
            desk.publish(number, rows, at, measured(rng, desk, number, at, template))
            counts.append(desk.check())
        if k in {10, 18}:
            source = desk.one(
                "SELECT min(diasourceid) FROM prompt_live.diasource WHERE midpointtai > %s",
                mjd - 90,
            )
            desk.change("SELECT ledger.withdraw_sources(%s, 'satellite')", [source])
            counts.append(desk.check())
        if k == 13:
            gone = k - 2
            desk.withdraw(gone, epochs[gone - 1])
            desk.check()
            rows = visit_rows(rng, gone, epochs[gone - 1], [0, 1])
            rows["diaSourceId"] = rows["diaSourceId"] + 100
            with desk.connection.cursor() as cursor:
                cursor.execute("UPDATE ledger.delivery SET state = 'failed' WHERE visitid = %s",
                               (ids.visit_id(ids.night_of(epochs[gone - 1]), gone),))  # fmt: skip
            desk.publish(gone, rows, epochs[gone - 1])
            desk.check()
        if k == 19:
            taken = desk.one(
                "SELECT min(diasourceid) FROM prompt_live.diasource WHERE midpointtai > %s",
                mjd - 60,
            )
            desk.change(
                "SELECT ledger.relink_chunk(%s, %s::bigint[], %s::bigint[])", [taken], [5], [None]
            )
            counts.append(desk.check())
    assert counts[-1] >= 3
    assert desk.all("SELECT * FROM ledger.audit()") == []


def star(sequence, mjd, flux=100.0, **changed):
    return source_rows(sequence, [10.0], [0.0], [flux], mjd, **changed)


def test_the_audit_finds_sums_that_are_not_those_of_their_rows(desk):
    desk.publish(1, star(1, MJD))
    desk.publish(2, star(2, MJD + 1), MJD + 1)
    assert desk.all("SELECT * FROM ledger.audit_sums()") == []
    for damage in (
        "UPDATE prompt_store.diaobjectsums SET positionsums[2] = positionsums[2] * (1 + 1e-8)",
        "UPDATE prompt_store.diaobjectsums SET positionsums[1] = 3",
        "UPDATE prompt_store.diaobjectsums SET rfluxsums[4] = rfluxsums[4] * (1 + 1e-8)",
        "UPDATE prompt_store.diaobjectsums SET rfluxsums = NULL",
        "UPDATE prompt_store.diaobjectsums SET diaobjectid = diaobjectid + 1",
    ):
        with desk.connection.cursor() as cursor:
            cursor.execute("SELECT ledger.draw('test')")
            cursor.execute(damage)
            cursor.execute("SELECT count(*) FROM ledger.audit() WHERE kind = 'sums'")
            assert cursor.fetchone()[0] > 0, damage
        desk.connection.rollback()


def kept(desk):
    return desk.one("SELECT count(*) FROM prompt_store.diaobjectsums")


@pytest.mark.requirement("DIA-14")
def test_forced_measurements_that_come_between_void_the_sums(fresh_database):
    first, second = Survey(fresh_database.connect()), Survey(fresh_database.connect())
    rng = np.random.default_rng(5)
    first.publish(1, star(1, MJD))
    first.publish(4, star(4, MJD + 4), MJD + 4)
    with first.connection.cursor() as cursor:
        batch = first.stage(5, 6, star(6, MJD + 6), MJD + 6)
        cursor.execute("SELECT * FROM staging.associate(5::smallint)")
        cursor.execute("SELECT staging.characterize(5::smallint)")
        cursor.execute("SELECT staging.characterize_fluxes(5::smallint)")
        # Meanwhile somebody else publishes the visit before.
        other = source_rows(5, [20.0], [0.0], [50.0], MJD + 5)
        second.publish(5, other, MJD + 5, measured(rng, second, 5, MJD + 5))
        cursor.execute("SELECT ledger.publish(%s)", (batch,))
    first.connection.commit()
    assert kept(first) == 1  # the other star's
    assert first.all("SELECT * FROM ledger.audit()") == []
    first.publish(7, star(7, MJD + 7), MJD + 7)
    assert kept(first) == 2
    assert first.check() == 2
    # A late visit that forces an object and does not see it.
    objects = [r[0] for r in first.all("SELECT diaobjectid FROM prompt_live.diaobject ORDER BY ra")]
    late = forced_rows(2, objects[:1], [70.0], MJD + 2)
    first.publish(2, source_rows(2, [30.0], [0.0], [50.0], MJD + 2), MJD + 2, late)
    assert first.all("SELECT * FROM ledger.audit()") == []
    assert first.check() == kept(first)
    first.publish(8, star(8, MJD + 8), MJD + 8)
    assert first.one("SELECT rpsforcedfluxndata FROM prompt_live.diaobject WHERE ra < 15") == 2
    first.check()
    first.connection.close()
    second.connection.close()


def test_flags_and_neighbours_of_earlier_versions_stay(desk):
    desk.publish(1, star(1, MJD))
    bits = dict(
        desk.all(
            "SELECT name, 1::bigint << bit FROM ledger.flagdefinition WHERE relation = 'DIAObject'"
        )
    )
    with desk.connection.cursor() as cursor:
        cursor.execute("SELECT ledger.draw('test')")
        cursor.execute(
            "UPDATE prompt_store.diaobject SET flags = flags | %s, nearbystar1 = 5",
            (bits["SYSTEMATICS_LIMITED"] | bits["FORCED_LIMITED"] | bits["ORPHAN_KEPT"],),
        )
    desk.connection.commit()
    desk.publish(2, star(2, MJD + 1), MJD + 1)
    flags, neighbour = desk.all("SELECT flags, nearbystar1 FROM prompt_live.diaobject")[0]
    fitted = bits["MOTION_NOT_FITTED"] | bits["PARALLAX_NOT_FITTED"]
    assert flags == bits["SYSTEMATICS_LIMITED"] | bits["FORCED_LIMITED"] | fitted
    assert neighbour == 5


@pytest.mark.requirement("REPROC-02", "DIA-14")
def test_the_window_can_be_lifted(desk):
    times = [MJD - 400, MJD - 350, MJD]
    for k, mjd in enumerate(times[:2], start=1):
        desk.publish(k, star(k, mjd, 100.0 * k), mjd)
    with desk.connection.cursor() as cursor:
        desk.stage(3, 3, star(3, MJD, 300.0))
        cursor.execute("SELECT * FROM staging.associate(3::smallint)")
        for cutoff, wanted in (("365.25", (2, times[1], 2)), ("'infinity'", (3, times[0], 3))):
            cursor.execute("SAVEPOINT before")
            cursor.execute(f"SELECT staging.characterize(3::smallint, {cutoff})")
            cursor.execute(f"SELECT staging.characterize_fluxes(3::smallint, {cutoff})")
            cursor.execute(
                "SELECT ndiasources, firstdiasourcetai, rpsfluxndata FROM staging.diaobject "
                "WHERE slot = 3"
            )
            assert cursor.fetchall() == [wanted]
            cursor.execute("ROLLBACK TO before")
    desk.connection.rollback()


@pytest.mark.requirement("L1DB-17")
def test_errors_are_honest_and_parallaxes_pull_by_one(desk):
    """1500 stars with parallaxes and motions, 3 to 30 sources of the year before the last one."""
    rng = np.random.default_rng(8)
    stars = 1500
    mjd = np.sort(MJD - rng.uniform(0, 330, 30))
    mjd = np.concatenate([mjd, [MJD + 1]])
    sun = earth(desk, mjd.tolist())
    ra, decl = 50 + 0.01 * (np.arange(stars) % 40), 20 + 0.01 * (np.arange(stars) // 40)
    a, d = np.radians(ra), np.radians(decl)
    pm, parallax = rng.normal(0, 0.1, (2, stars)), rng.uniform(0, 0.1, stars)
    share = rng.uniform(0.1, 1, stars)
    base = 1 << 54
    with desk.connection.cursor() as cursor:
        cursor.execute("SELECT ledger.ensure_partitions(%s, %s)", (float(mjd[0]), float(mjd[-1])))
        desk.connection.commit()
        cursor.execute("SELECT ledger.draw('test')")
        for k, t in enumerate(mjd.tolist()):
            seen = np.flatnonzero((rng.random(stars) < share) | (k == len(mjd) - 1))
            years = (t - MJD) / 365.25
            f = -(sun[k] @ np.array([-np.sin(a), np.cos(a), 0 * a]))
            g = -(sun[k] @ np.array([-np.cos(a) * np.sin(d), -np.sin(a) * np.sin(d), np.cos(d)]))
            error = rng.uniform(0.01, 0.05, stars)
            x = pm[0] * years + parallax * f + rng.normal(0, np.hypot(error, 0.01))
            y = pm[1] * years + parallax * g + rng.normal(0, np.hypot(error, 0.01))
            ccd = ids.ccd_visit_id(ids.visit_id(ids.night_of(t), k + 1), 0)
            staged = k == len(mjd) - 1
            table = "staging.diasource" if staged else "prompt_store.diasource"
            cursor.execute(
                f"INSERT INTO {table} (diasourceid, ccdvisitid, visitid, detector, diaobjectid, "
                f"midpointtai, ra, decl, raerr, declerr, radeclcov, x, y, snr, psflux, psfluxerr, "
                f"pslnl, pschi2, psndata, templateid, flags, hpx29, "
                f"{'slot' if staged else 'insertedtai, createdtai'}) "
                f"SELECT %s + n, %s, %s, 0, %s + n, %s, r, d, e, e, 0, 1, 1, 20, 1, 1, 1, 1, 9, 7, "
                f"0, 0, {'0' if staged else 'ledger.horizon(), ledger.horizon()'} "
                f"FROM unnest(%s::bigint[], %s, %s, %s) AS s(n, r, d, e)",
                (
                    base | (ccd << 19), ccd, ccd >> 9, base, t,
                    seen.tolist(), (ra + x * ARCSEC / np.cos(d))[seen].tolist(),
                    (decl + y * ARCSEC)[seen].tolist(), error[seen].tolist(),
                ),
            )  # fmt: skip
        # As if they had been there before: an object to be replaced is read from its rows.
        cursor.execute(
            "INSERT INTO prompt_store.diaobject (diaobjectid, ra, decl, hpx29, radectai, "
            "ndiasources, flags, insertedtai, createdtai) SELECT %s + n, r, d, 0, %s, 1, 0, "
            "ledger.horizon(), ledger.horizon() FROM unnest(%s::bigint[], %s, %s) AS s(n, r, d)",
            (base, MJD, list(range(stars)), ra.tolist(), decl.tolist()),
        )
        cursor.execute("SELECT staging.characterize(0::smallint)")
        assert cursor.fetchone() == (stars,)
        cursor.execute(
            "SELECT o.diaobjectid - %s, o.raerr, o.pmra, o.pmparallaxcov, o.parallax, "
            "ARRAY[s.n, s.a, s.b, s.c], o.ndiasources FROM staging.diaobject AS o "
            "JOIN characterize_sum AS s USING (diaobjectid) ORDER BY 1",
            (base,),
        )
        found = cursor.fetchall()
    desk.connection.rollback()
    pulls, motions, ratio, without = [], [], [], 0
    for n, err, pm_ra, cov, px, s, count in found:
        static = np.sqrt(s[3] / (s[1] * s[3] - s[2] ** 2))
        if pm_ra is None:
            without += 1
            assert err <= 1.5 * static
        else:
            ratio.append(err / static)
            motions.append((pm_ra / 1000 - pm[0, n]) / np.sqrt(cov[0] / 1e6))
        if px is not None:
            assert count >= 8
            pulls.append((px / 1000 - parallax[n]) / np.sqrt(cov[5] / 1e6))
    assert without > 20
    assert len(pulls) > 1000
    # Of 1000 and more pulls the standard deviation is known to 2.2 percent.
    assert 0.95 <= np.std(pulls) <= 1.10
    assert abs(np.mean(pulls)) < 0.1
    assert np.median(ratio) < 1.5


@pytest.mark.requirement("DIA-14", "GEN-19")
def test_an_object_that_loses_its_sources_meanwhile_is_a_conflict(fresh_database):
    """Between positions and fluxes another publication takes the source that was left."""
    first, second = Survey(fresh_database.connect()), Survey(fresh_database.connect())
    first.publish(1, star(1, MJD))
    first.publish(2, star(2, MJD + 1), MJD + 1)
    one, two = [
        r[0]
        for r in first.all("SELECT diasourceid FROM prompt_live.diasource ORDER BY midpointtai")
    ]
    with first.connection.cursor() as cursor:
        cursor.execute(
            "SELECT batch FROM ledger.open_batch('withdrawal', NULL, '{}', 'test', 5::smallint)"
        )
        (batch,) = cursor.fetchone()
        cursor.execute(
            "SELECT staging.recall(5::smallint, 'diasource', 'diasourceid', %s::bigint[], true)",
            ([one],),
        )
        cursor.execute("SELECT staging.characterize(5::smallint)")
        second.change("SELECT ledger.withdraw_sources(%s::bigint[], 'satellite')", [two])
        cursor.execute("SELECT staging.characterize_fluxes(5::smallint)")
        with pytest.raises(errors.SerializationFailure):
            cursor.execute("SELECT ledger.publish(%s)", (batch,))
    first.connection.rollback()
    assert first.all("SELECT * FROM ledger.audit()") == []
    first.connection.close()
    second.connection.close()


def test_sums_shrink_by_what_leaves_and_not_by_what_is_not_there(connection):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT staging.shrinkage(8, -6), staging.shrinkage(8, -8), staging.shrinkage(8, 2), "
            "staging.shrinkage(8, 0), staging.shrinkage(8, NULL)"
        )
        assert cursor.fetchone() == (4, 1e9, 1, 1, 1)
