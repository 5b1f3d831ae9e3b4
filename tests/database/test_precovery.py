"""Precovery: new objects on the images of the 30 days before, and the cache of these images."""

from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.wcs import WCS
from test_ledger import MJD, Desk, ccd_visit_row, source_rows

from ingest import image_cache, precovery
from processing import fits
from processing.exposure import Exposure, VisitInfo
from processing.psf import PsfModel
from skyledger import ids, products
from skyledger.database import status
from skyledger.errors import ConfigurationError
from skyledger.settings import read

RA, DECL = 10.0, 0.0
SIDE, SCALE = 65, 0.2 / 3600  # px, deg
SIGMA, NOISE = 1.6, 3.0  # px, nJy
FLUX = 800.0
HALF = SIDE * SCALE / 2
CORNERS = [RA + HALF, -HALF, RA - HALF, -HALF, RA - HALF, HALF, RA + HALF, HALF]


class Here:
    """Runs what it is given at once, in this process."""

    def submit(self, task, *arguments):
        future = Future()
        future.set_result(task(*arguments))
        return future


class Killed:
    """A pool whose worker was killed."""

    def submit(self, _task, *_arguments):
        future = Future()
        future.set_exception(BrokenProcessPool("a worker was killed"))
        return future


def gaussian(x, y):
    grid = np.arange(SIDE)
    shape = np.exp(-((grid[None] - x) ** 2 + (grid[:, None] - y) ** 2) / (2 * SIGMA**2))
    return shape / (2 * np.pi * SIGMA**2)


def image(sequence, mjd, flux):
    """Image of a visit with a source of ``flux`` at the middle and noise."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix = [RA, DECL], [(SIDE + 1) / 2, (SIDE + 1) / 2]
    wcs.wcs.cd = [[-SCALE, 0], [0, SCALE]]
    wcs.wcs.set()
    visit = ids.visit_id(ids.night_of(mjd), sequence)
    info = VisitInfo(
        "simulated", visit, ids.ccd_visit_id(visit, 0), 0, "r", "r", "wide", mjd, 0.0, 0.0, 30.0,
        2, 1.2, RA, DECL, 0.0, is_template=False,
    )  # fmt: skip
    rng = np.random.default_rng(visit)
    middle = (SIDE - 1) / 2
    pixels = flux * gaussian(middle, middle) + NOISE * rng.standard_normal((SIDE, SIDE))
    psf = PsfModel.constant(gaussian(middle, middle)[22:43, 22:43])
    return Exposure(
        pixels.astype(np.float32), np.full((SIDE, SIDE), NOISE**2, np.float32),
        np.zeros((SIDE, SIDE), np.int32), "nJy", info, wcs, psf, 1e9,
    )  # fmt: skip


class Survey(Desk):
    """A desk whose visits have images."""

    def visit(self, sequence, mjd, flux=0.0, sources=()):
        """Publish a visit with images; ``sources`` are right ascensions of DIASources."""
        exposure = image(sequence, mjd, flux)
        info = exposure.visit
        kept = {
            "pviPath": [products.pvi_path("simulated", info.visit_id, info.ccd_visit_id)],
            "differencePath": [
                products.difference_path("simulated", info.visit_id, info.ccd_visit_id)
            ],
        }
        for path in kept.values():
            fits.write(exposure, products.for_writing(path[0]))
        self.images = {"templateId": np.array([7]), "footprint": np.array([CORNERS]), **kept}
        n = len(sources)
        rows = source_rows(sequence, list(sources), [DECL] * n, [FLUX] * n, mjd)
        epoch = self.publish(sequence, rows, mjd)
        return SimpleNamespace(
            epoch=epoch, difference=products.root() / kept["differencePath"][0],
            pvi=products.root() / kept["pviPath"][0], ccd=info.ccd_visit_id,
        )  # fmt: skip

    def stage(self, number, sequence, rows, mjd=MJD, kind="visit"):
        batch = super().stage(number, sequence, rows, mjd, kind)
        row = ccd_visit_row(sequence, mjd)
        with self.connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO staging.visit (slot, visitid, instrument, band, filtername, programid,"
                " ra, decl, rotation, begintai, midpointtai, endtai, exposuretime, nsnaps, airmass,"
                " istemplate) VALUES (%s, %s, 'simulated', 'r', 'r', 'wide', %s, %s, 0, %s, %s, %s,"
                " 30, 2, 1.2, false)",
                (number, int(row["visitId"][0]), RA, DECL, mjd - 2e-4, mjd, mjd + 2e-4),
            )
        return batch

    def precover(self, pool=None):
        return precovery.precover(self.connection, pool or Here(), run="test")

    def forced(self):
        return self.all(
            "SELECT ccdvisitid, psflux, psfluxerr, totflux, flags, insertedtai, midpointtai "
            "FROM prompt_live.diaforcedsource ORDER BY midpointtai"
        )


@pytest.fixture
def desk(fresh_database, tmp_path, monkeypatch):
    monkeypatch.setenv("SKYLEDGER_HOME", str(tmp_path))
    connection = fresh_database.connect()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger.detector (instrument, detector, name, nx, ny, pixelscale) "
            "VALUES ('simulated', 0, 'one', %s, %s, 0.2)",
            (SIDE, SIDE),
        )
    connection.commit()
    yield Survey(connection)
    connection.close()


@pytest.mark.requirement("DIA-20", "PRECOV-01")
def test_a_new_object_gets_a_flux_on_each_image_of_the_thirty_days_before(desk):
    """Ten earlier visits within 30 days and two older ones: ten rows, with the true fluxes."""
    older = [desk.visit(1, MJD - days) for days in (35, 31)]
    fluxes = np.linspace(-300, 600, 10)
    earlier = [desk.visit(1, MJD - 29 + 2.9 * k, flux) for k, flux in enumerate(fluxes)]
    assert desk.precover().forced == 0  # nothing is new yet
    found = desk.visit(1, MJD, FLUX, [RA])
    before = desk.all("SELECT * FROM prompt.diaobject")
    done = desk.precover()
    assert (done.visits, done.forced, done.waiting, len(done.epochs)) == (1, 10, [], 1)
    rows = desk.forced()
    assert [row[0] for row in rows] == [visit.ccd for visit in earlier]
    assert not {row[0] for row in rows} & {visit.ccd for visit in (*older, found)}
    # A matched fit of a Gaussian of known width: error sigma_pixel * 2 sqrt(pi) sigma_psf.
    error = NOISE * 2 * np.sqrt(np.pi) * SIGMA
    for row, flux in zip(rows, fluxes, strict=True):
        assert row[2] == pytest.approx(error, rel=0.02)
        assert row[1] == pytest.approx(flux, abs=4.5 * error)
        assert row[3] == pytest.approx(flux, abs=4.5 * error)
        assert row[4] == 1 << 9  # PRECOVERY
        assert row[5] == done.epochs[0] > found.epoch
    pulls = [(row[1] - flux) / row[2] for row, flux in zip(rows, fluxes, strict=True)]
    assert 0.4 < np.std(pulls) < 1.7
    # The object knows of them in a new version; what was known before is not changed.
    mean, n = desk.all("SELECT rpsforcedfluxmean, rpsforcedfluxndata FROM prompt_live.diaobject")[0]
    assert n == 10
    assert mean == pytest.approx(np.mean([row[1] for row in rows]), abs=0.2)
    with desk.connection.cursor() as cursor:
        cursor.execute("SELECT set_config('skyledger.as_of', %s, true)", (str(found.epoch),))
        cursor.execute("SELECT * FROM prompt.diaobject")
        assert cursor.fetchall() == before
    desk.connection.rollback()
    assert desk.all("SELECT * FROM ledger.audit()") == []
    # Once and not again, and later sources go on from there.
    assert desk.precover().forced == 0
    desk.visit(1, MJD + 1, FLUX, [RA])
    assert desk.precover().forced == 0
    assert desk.one("SELECT rpsforcedfluxndata FROM prompt_live.diaobject") == 10
    assert desk.all("SELECT * FROM ledger.audit()") == []


@pytest.mark.requirement("DIA-20", "PRECOV-01")
def test_nothing_is_lost_when_an_attempt_fails(desk):
    earlier = [desk.visit(1, MJD - days, FLUX) for days in (3, 2, 1)]
    desk.visit(1, MJD, FLUX, [RA])
    with pytest.raises(BrokenProcessPool):
        desk.precover(Killed())
    assert desk.forced() == []
    # An image that cannot be read does not keep the others from being measured.
    whole = earlier[1].difference.read_bytes()
    earlier[1].difference.write_bytes(whole[: len(whole) // 2])
    earlier[0].pvi.unlink()
    told = desk.precover()
    assert told.forced == 2
    (waiting,) = told.waiting
    assert str(earlier[1].difference) in waiting[1]
    flags = {row[0]: row[4] for row in desk.forced()}
    assert flags[earlier[0].ccd] == 1 << 9 | 1 << 8  # TOTAL_FLUX_MISSING
    earlier[1].difference.write_bytes(whole)
    assert desk.precover().forced == 1
    assert sorted(row[0] for row in desk.forced()) == sorted(v.ccd for v in earlier)
    state, attempts, forced = desk.all(
        "SELECT state, attempts, nforced FROM ledger.precovery WHERE nobjects = 1"
    )[0]
    assert (state, attempts, forced) == ("done", 3, 3)


def test_images_that_are_gone_are_noted_and_not_waited_for(desk):
    earlier = [desk.visit(1, MJD - days, FLUX) for days in (2, 1)]
    earlier[0].difference.unlink()
    desk.visit(1, MJD, FLUX, [RA])
    done = desk.precover()
    assert (done.forced, done.waiting) == (1, [])
    assert desk.all("SELECT reason FROM ledger.precovery WHERE nobjects = 1") == [
        ("1 images are no longer kept",)
    ]


def test_two_sessions_do_not_measure_the_same(desk, fresh_database):
    desk.visit(1, MJD - 1, FLUX)
    desk.visit(1, MJD, FLUX, [RA])
    other = fresh_database.connect()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(7533, 1)")
    assert desk.precover().busy
    other.close()
    while desk.one("SELECT count(*) FROM pg_locks WHERE classid = 7533"):
        pass  # the server ends a closed session a little later
    assert desk.precover().forced == 1


@pytest.mark.requirement("DIA-20")
def test_what_is_late_is_told(desk):
    desk.visit(1, MJD - 1, FLUX)
    desk.visit(1, MJD, FLUX, [RA])

    def late(offset):
        with desk.connection.cursor() as cursor:
            cursor.execute("SELECT set_config('skyledger.clock_offset', %s, false)", (offset,))
        desk.connection.commit()
        found = {f.item: f for f in status.read(desk.connection) if f.topic == "precovery"}
        return found["waiting"].value, found["late"].value, found["late"].ok

    assert late("23 hours") == (2, 0, True)
    assert late("25 hours") == (2, 2, False)
    desk.precover()
    assert late("25 hours") == (0, 0, True)


@pytest.mark.requirement("PRECOV-02")
def test_images_are_kept_as_long_as_a_new_object_could_ask_for_them(desk):
    old, young = desk.visit(1, MJD - 31, FLUX), desk.visit(1, MJD - 29, FLUX)
    desk.precover()
    assert image_cache.evict(desk.connection).files == 0  # the newest visit is two days younger
    desk.visit(1, MJD, FLUX, [RA])
    # The visit waits for its precovery: its 30 days reach back to MJD - 30.
    assert image_cache.evict(desk.connection, days=40).files == 0
    removed = image_cache.evict(desk.connection)
    assert removed.files == 2
    assert removed.size > 2 * SIDE * SIDE * 12
    assert not old.pvi.exists()
    assert not old.difference.exists()
    assert young.pvi.exists()
    assert young.difference.exists()
    # Twenty days on the first visit still waits: what it needs stays.
    desk.visit(1, MJD + 20)
    assert image_cache.evict(desk.connection).files == 0
    assert desk.precover().forced == 1
    assert image_cache.evict(desk.connection).files == 2
    used = image_cache.usage()
    assert (used["visit"].files, used["difference"].files) == (2, 2)


def test_the_time_that_images_are_kept_is_a_setting(tmp_path):
    home = {"SKYLEDGER_HOME": str(tmp_path)}
    assert read(home).image_days == 30
    assert read(home | {"SKYLEDGER_IMAGE_DAYS": "45.5"}).image_days == 45.5
    for wrong in ("29", "nan", "a month"):
        with pytest.raises(ConfigurationError, match=r"SKYLEDGER_IMAGE_DAYS.*30"):
            read(home | {"SKYLEDGER_IMAGE_DAYS": wrong})
