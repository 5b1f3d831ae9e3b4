"""Difference fluxes of several templates on one zero level, and as of an instant."""

import numpy as np
import pytest
from test_ledger import MJD
from test_light_curve import OBJECT, Store, a_forced, an_object, ccd_visit, pointing

BANDS = "ugrizy"
OLD, NEW = 7001, 7002
ERR = 10.0


def put(store, rows):
    """Store forced rows: (day, band, template, psFlux, totFlux)."""
    for day, band, template, flux, total in rows:
        number = 6 * day + BANDS.index(band)
        mjd = MJD + day + 0.01 * BANDS.index(band)
        wcs = pointing(10.0, 0.0, 0, -1, (0, 0))
        store.put("ccdvisit", ccd_visit(number, 0, mjd, wcs, np.ones((64, 64), bool), 20.0))
        row = a_forced(number, mjd, 10.0, 0.0)
        store.put(
            "diaforcedsource",
            row | {"templateid": template, "psflux": flux, "totflux": total,
                   "psfluxerr": ERR, "totfluxerr": None if total is None else ERR},
        )  # fmt: skip


def filled(cursor, rows):
    cursor.execute("SELECT ledger.ensure_partitions(%s, %s)", (MJD, MJD + 30))
    store = Store(cursor)
    store.detector(0)
    store.put("diaobject", an_object(10.0, 0.0))
    put(store, rows)
    return store


def test_a_slow_variable_does_not_step_where_the_template_changes(connection):
    """Templates of the star at 900 and 1100 nJy; the star brightens by 20 nJy a day."""
    rng = np.random.default_rng(5)
    days = np.arange(12)
    true = 1000 + 20.0 * days
    noise, rest = rng.normal(0, ERR, 12), rng.normal(0, 2, 12)
    level = np.where(days < 6, 900.0, 1100.0)
    # The visit's noise is in both fluxes, and a little more in that of the difference.
    rows = [
        (int(d), "r", OLD if d < 6 else NEW, float(t + n + s - b), float(t + n))
        for d, t, n, s, b in zip(days, true, noise, rest, level, strict=True)
    ]
    rows += [(3, "g", OLD, 5.0, 55.0), (4, "g", OLD, 6.0, None)]
    with connection.cursor() as cursor:
        filled(cursor, rows)
        cursor.execute(
            "SELECT band, templateid, level, levelerr, nvisits FROM science.template_levels(%s) "
            "ORDER BY band, templateid",
            ([OBJECT, OBJECT + 9],),
        )
        green, old, new = cursor.fetchall()
        # A single visit: the errors of two fluxes.
        assert green == ("g", OLD, 50.0, pytest.approx(ERR * np.sqrt(2), rel=1e-6), 1)
        for (band, template, found, error, number), which in ((old, days < 6), (new, days >= 6)):
            each = level[which] - rest[which]
            assert (band, template, number) == ("r", OLD if which[0] else NEW, 6)
            # Fluxes are single precision: 1e-4 nJy of 1100.
            assert found == pytest.approx(each.mean(), abs=1e-3)
            assert error == pytest.approx(np.std(each, ddof=1) / np.sqrt(6), rel=1e-3)
        cursor.execute(
            "SELECT midpointtai, flux, fluxerr, levelerr, templateid "
            "FROM science.levelled_fluxes(%s) WHERE band = 'r' ORDER BY midpointtai",
            ([OBJECT],),
        )
        found = cursor.fetchall()
    flux = np.array([row[1] for row in found])
    # On the level of the newest visit's template; what is left is the noise of each.
    left = flux - (true - 1100)
    assert np.abs(left[:6].mean() - left[6:].mean()) < 4 * ERR * np.sqrt(2 / 6)
    plain = np.array([row[3] for row in rows[:12]])
    assert np.abs((plain - true)[:6].mean() - (plain - true)[6:].mean()) > 150
    assert np.array_equal(flux[6:], np.float32(plain[6:]))
    assert [row[3] for row in found[6:]] == [0.0] * 6
    shared = np.hypot(old[3], new[3])
    assert [row[3] for row in found[:6]] == [pytest.approx(shared, rel=1e-6)] * 6
    assert {row[2] for row in found} == {ERR}


def test_levels_are_those_of_the_instant(connection):
    with connection.cursor() as cursor:
        store = filled(cursor, [(0, "r", OLD, 100.0, 1000.0)])
        closed = a_forced(500, MJD + 1, 10.0, 0.0)
        wcs = pointing(10.0, 0.0, 0, -1, (0, 0))
        store.put("ccdvisit", ccd_visit(500, 0, MJD + 1, wcs, np.ones((64, 64), bool), 20.0))
        store.put("diaforcedsource", closed | {"templateid": NEW}, closed=True)
        for instant, wanted in ((None, [OLD]), (store.first, [OLD, NEW])):
            cursor.execute(
                "SELECT templateid FROM science.levelled_fluxes(%s, %s) ORDER BY templateid",
                ([OBJECT], instant),
            )
            assert [row[0] for row in cursor.fetchall()] == wanted
    with connection.cursor() as cursor, pytest.raises(Exception, match="later than the horizon"):
        cursor.execute(
            "SELECT * FROM science.levelled_fluxes(%s, science.tai_now() + '1 hour')", ([OBJECT],)
        )
    connection.rollback()
