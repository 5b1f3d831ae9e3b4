"""Stars displaced by their colours: found in a template's visits, undone in the difference."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from processing import fits
from processing.coadd import build_template
from processing.difference import subtract
from processing.refraction import pull, zenith_bearing
from processing.registration import registered
from simulate.geometry import east_north, unit_vector, zenith

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from support import shots, sky
from support.true_psf import TruePsf

SIZE = 320
SPREAD = 0.04  # arcsec of displacement at tan(z) = 1


def under(airmass, bearing, places, fluxes, coefficients, number, *, turn=0.0, wcs_error=0.0):
    """Take a visit of stars displaced towards a zenith; the WCS is wrong by a stretch."""
    rng = np.random.default_rng([3, number])
    reach = np.sqrt(airmass**2 - 1) * coefficients / 3600
    ra = places[:, 0] + reach * np.sin(np.radians(bearing)) / np.cos(np.radians(sky.DECL))
    decl = places[:, 1] + reach * np.cos(np.radians(bearing))
    shape = (SIZE, SIZE)
    psf = TruePsf(3.6 + 0.2 * number % 3, shape, np.eye(6)[0], np.zeros(6), np.zeros(6))
    wcs = sky.make_wcs(shape, turn)
    shot = shots.shoot(
        rng, number, wcs, psf, np.column_stack([ra, decl, fluxes]), effects=(), psf_from="true",
        mid_tai=61000.0 + number, rotation=turn,
    )  # fmt: skip
    image = shot.exposure
    image.visit = replace(image.visit, airmass=airmass, zenith_bearing=bearing)
    if wcs_error:
        image.wcs = image.wcs.deepcopy()
        image.wcs.wcs.cd = image.wcs.wcs.cd * (1 + wcs_error)
        image.wcs.wcs.set()
    return image


@pytest.fixture(scope="module")
def season():
    """A template of six visits up to airmass 1.2 around the meridian, a visit at 1.6, the truth."""
    rng = np.random.default_rng(2)
    east, north = rng.uniform(-29, 29, (2, 60)) / 3600
    places = np.column_stack([sky.RA + east / np.cos(np.radians(sky.DECL)), sky.DECL + north])
    fluxes = 10 ** rng.uniform(4.0, 5.3, 60)
    coefficients = SPREAD * rng.uniform(-1.5, 1.5, 60)
    stars = places, fluxes, coefficients
    inputs = [
        under(1 + 0.04 * abs(k), 15.0 * k, *stars, 10 + k, turn=90.0 * (k % 4))
        for k in (-5, -3, -1, 1, 3, 5)
    ]
    return build_template(inputs), under(1.6, 75.0, *stars, 1, wcs_error=3e-4), stars


def apart(places, distance):
    """Stars that are alone within a distance [arcsec]."""
    off = (places[:, None] - places) * [np.cos(np.radians(sky.DECL)), 1] * 3600
    return np.sum(np.hypot(*off.T) < distance, axis=0) == 1


def test_the_bearing_of_the_zenith_is_that_of_the_vectors():
    for ra, decl, mjd in ((229.4, -15.1, 61171.3), (10.0, 40.0, 60000.1), (355.0, -80.0, 61000.7)):
        found = zenith_bearing(ra, decl, mjd, -70.7494, -30.2446)
        up = zenith(mjd)
        expected = np.degrees(np.arctan2(*(up @ axis for axis in east_north(ra, decl)))) % 360
        assert unit_vector(ra, decl) @ up < 1
        # Nutation, precession since 2000 and polar motion are left out: 0.4 degrees in 26 years.
        assert abs((found - expected + 180) % 360 - 180) < 0.6


def test_coefficients_are_found_with_errors_that_mean_what_they_say(season):
    template, _, (places, _, coefficients) = season
    stars = template.refraction
    away = np.hypot(
        np.subtract.outer(np.asarray(stars["ra"]), places[:, 0])
        * np.cos(np.radians(sky.DECL)),
        np.subtract.outer(np.asarray(stars["decl"]), places[:, 1]),
    ) * 3600  # fmt: skip
    nearest = away.argmin(axis=1)
    alone = apart(places, 2.5)[nearest]
    lone = (away.min(axis=1) < 0.2) & alone
    off = (stars["coefficient"] - coefficients[nearest])[lone]
    # All together may be off: the WCS of visits follow the mean star.
    pulls = (off - np.median(off)) / stars["coefficientErr"][lone]
    assert lone.sum() > 25
    assert 0.6 < 1.4826 * np.median(np.abs(pulls)) < 1.4  # of 25: 20 %, and stars share a mean
    assert np.median(stars["coefficientErr"][lone]) < SPREAD / 4
    assert np.corrcoef(stars["coefficient"][lone], coefficients[nearest][lone])[0, 1] > 0.95


@pytest.mark.requirement("DIA-08")
def test_stars_low_in_the_sky_leave_no_dipoles(season):
    template, visit, (places, _, _) = season
    x, y = np.rint(visit.wcs.all_world2pix(*places.T, 0)).astype(int)
    inside = (x > 12) & (x < SIZE - 13) & (y > 12) & (y < SIZE - 13) & apart(places, 3.0)

    def worst(made):
        score = np.abs(made.score)
        return np.array([
            score[b - 4 : b + 5, a - 4 : a + 5].max() for a, b in zip(x, y, strict=True)
        ])[inside]  # fmt: skip

    corrected = worst(subtract(visit, template))
    plain = worst(subtract(visit, replace(template, refraction=None)))
    assert np.sum(plain > 5) > 10
    assert np.sum(corrected > 5) <= 2


def test_the_template_is_put_where_the_visit_shows_its_stars(season):
    template, visit, _ = season
    wcs = registered(visit, template.refraction)
    x, y = np.array([10.0, 310.0, 160.0]), np.array([300.0, 20.0, 160.0])
    true = sky.make_wcs((SIZE, SIZE))
    good = np.array(wcs.all_world2pix(*true.all_pix2world(x, y, 0), 0)) - [x, y]
    bad = np.array(visit.wcs.all_world2pix(*true.all_pix2world(x, y, 0), 0)) - [x, y]
    # 150 pixels from the middle a stretch of 3e-4 is 0.045 pixels; the shift is that of all stars.
    good, bad = good - good[:, 2:], bad - bad[:, 2:]
    assert np.abs(bad).max() > 0.04
    assert np.abs(good).max() < 0.02


def test_without_a_zenith_nothing_is_assumed(season, tmp_path):
    template, visit, _ = season
    assert np.isnan(pull(replace(visit.visit, zenith_bearing=None))).all()
    fits.write(template, tmp_path / "template.fits")
    again = fits.read(tmp_path / "template.fits")
    assert again.visit == template.visit
    assert again.refraction.colnames == template.refraction.colnames
    for name in again.refraction.colnames:
        assert np.array_equal(again.refraction[name], template.refraction[name])
        assert again.refraction[name].unit == template.refraction[name].unit
    inputs = [replace(visit, visit=replace(visit.visit, zenith_bearing=None, ccd_visit_id=k))
              for k in (1, 2, 3)]  # fmt: skip
    assert build_template(inputs).refraction is None
