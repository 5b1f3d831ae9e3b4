"""Effects of the simulator against their definitions, each found another way."""

from dataclasses import fields, replace
from itertools import pairwise

import erfa
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import AltAz, EarthLocation, SkyCoord, get_body
from astropy.time import Time
from astropy.utils import iers

from simulate import camera, spectra, stray_light
from simulate.cadence import DISTORTION, _moonlight
from simulate.detector import PUSH, brighter_fatter, gain_drift
from simulate.effects import Effects
from simulate.geometry import from_tangent_plane, pixel_axes, unit_vector
from simulate.scene import background, light, observe
from simulate.survey import prepare, snaps
from simulate.tiers import FIELD, SMOKE, Cadence

EMPTY = replace(
    SMOKE,
    bands=("g",),
    cadence=Cadence(template_visits=1, nights=(0,), blocks=((("g",),),)),
    sky=replace(
        SMOKE.sky,
        **{f.name: 0 for f in fields(SMOKE.sky) if f.name != "bright"} | {"bright": ()},
    ),
)
DARK = Effects(**{f.name: False for f in fields(Effects)})
BLUE = 10 ** (-0.4 * np.array([-0.2, -0.1, 0.0, 0.1, 0.15, 0.2]))
RED = 10 ** (-0.4 * np.array([3.8, 1.4, 0.0, -1.0, -1.5, -1.8]))


def survey_with(tier=EMPTY, seed=5, **effects):
    return prepare(replace(tier, effects=replace(DARK, **effects)), seed)


def light_of(survey, visit=None):
    """Light of the first snap of a visit; the last visit unless another is given."""
    visit = visit or survey.visits[-1]
    detector = survey.detectors[0]
    return light(survey.sky, visit, detector, observe(survey.sky, visit, detector))


# --- the atmosphere -------------------------------------------------------------------------


def test_refraction_is_that_of_erfa():
    """Difference of the constant A of R = A tan z (erfa.refco) between colours of light.

    The product's formula is of dry air and of the refractivity alone, ERFA's has the height of the
    atmosphere in it: 0.3 per cent.
    """
    for wavelength in (0.35, 0.48, 0.62, 0.9):
        a, _ = erfa.refco(spectra.PRESSURE, spectra.TEMPERATURE, 0.0, wavelength)
        assert float(spectra.refractivity(wavelength)) == pytest.approx(a, rel=0.005)
        red, _ = erfa.refco(spectra.PRESSURE, spectra.TEMPERATURE, 0.0, 1.0)
        found = spectra.refractivity(wavelength) - spectra.refractivity(1.0)
        assert float(found) == pytest.approx(a - red, rel=0.02)


def test_a_spectrum_bends_as_the_mean_of_its_photons():
    """A flat spectrum in frequency has photons evenly over ln(wavelength): integrated by hand."""
    flat = spectra.colour(np.ones((1, 6)), "g")
    mean = spectra.colour(10 ** (-0.4 * spectra._MEAN_STAR)[None], "g")
    wave = np.exp(np.linspace(*np.log(spectra.EDGES["g"]), 20001))
    index = spectra.refractivity(wave)
    # 32 steps in place of 20,000
    assert flat.spread[0] == pytest.approx(index.std(), rel=0.05)
    assert mean.shift[0] == pytest.approx(0, abs=1e-12)
    both = spectra.colour(np.array([BLUE, RED]), "g")
    assert both.shift[0] > flat.shift[0] > mean.shift[0] > both.shift[1]
    assert 0.99 < both.width[1] < 1 < both.width[0] < 1.01  # 15 % of wavelength at most


def test_blue_stars_stand_higher_by_the_airmass():
    """Light of two stars in one place in g, z = 50 degrees; towards the zenith of astropy."""
    survey = survey_with(replace(EMPTY, sky=replace(EMPTY.sky, bright=(16.0, 16.0))))
    sky = survey.sky
    sky.ra[:], sky.decl[:], sky.parallax[:] = survey.visits[-1].ra, survey.visits[-1].decl, 0
    sky.flux[:] = 1e6 * np.array([BLUE, RED])
    visit = replace(survey.visits[-1], airmass=1 / np.cos(np.radians(50)))
    bent = replace(visit, effects=replace(DARK, chromatic_refraction=True))
    detector = survey.detectors[0]
    straight, scene = observe(sky, visit, detector), observe(sky, bent, detector)
    assert not straight.smear_x.any()
    x, y = scene.x - straight.x, scene.y - straight.y
    effect = spectra.colour(sky.flux, "g")
    arcsec = np.degrees(effect.shift[0] - effect.shift[1]) * 3600 * np.tan(np.radians(50))
    assert np.hypot(x[0] - x[1], y[0] - y[1]) * 0.2 == pytest.approx(arcsec, rel=1e-6)
    assert 0.1 < arcsec < 0.6
    # The direction, from the altitude of places a little to the North and to the East.
    site = EarthLocation(camera.LONGITUDE * u.deg, camera.LATITUDE * u.deg, camera.HEIGHT * u.m)
    with iers.conf.set_temp("auto_download", value=False):
        time = Time(visit.begin, format="mjd", scale="tai", location=site)
        step = 0.01
        ra = visit.ra + np.array([0, 0, step / np.cos(np.radians(visit.decl))])
        places = SkyCoord(ra, visit.decl + np.array([0, step, 0]), unit="deg")
        altitude = places.transform_to(AltAz(obstime=time, location=site)).alt.deg
    north, east = altitude[1] - altitude[0], altitude[2] - altitude[0]
    expected = pixel_axes(visit.rotation) @ np.array([east, north]) / np.hypot(east, north)
    assert visit.zenith @ expected == pytest.approx(1, abs=1e-4)
    assert [x[0] - x[1], y[0] - y[1]] @ expected * 0.2 == pytest.approx(arcsec, rel=1e-3)
    # What refraction spreads adds to the second moments of the drawn star.
    assert np.hypot(scene.smear_x, scene.smear_y) * 0.2 == pytest.approx(
        np.degrees(effect.spread) * 3600 * np.tan(np.radians(50)), rel=1e-6
    )


def test_the_moon_brightens_its_side_of_the_sky():
    """The gradient points to the Moon of astropy, and is 3 per cent of the moonlight."""
    tier = replace(
        EMPTY,
        cadence=Cadence(template_visits=1, nights=tuple(range(0, 28, 3)), blocks=((("g",),),)),
    )
    dark, lit = survey_with(tier), survey_with(tier, moon=True)
    seen = 0
    for before, visit in zip(dark.visits, lit.visits, strict=True):
        added = visit.sky / before.sky - 1
        gradient = visit.sky_slope[:2] - before.sky_slope[:2]
        moon = get_body("moon", Time(visit.begin, format="mjd", scale="tai"), ephemeris="builtin")
        strength = _moonlight(visit.begin, unit_vector(visit.ra, visit.decl))[0]
        assert added == pytest.approx(camera.FILTERS["g"].moonlight * strength, rel=1e-6)
        if added < 0.01:
            continue
        seen += 1
        here = SkyCoord(visit.ra, visit.decl, unit="deg")
        angle = here.position_angle(SkyCoord(moon.ra, moon.dec)).rad
        towards = pixel_axes(visit.rotation) @ np.array([np.sin(angle), np.cos(angle)])
        assert np.hypot(*gradient) == pytest.approx(0.03 * added / (1 + added), rel=1e-6)
        # The Moon of the Earth's centre, half a degree of parallax at most.
        assert gradient @ towards > 0.99 * np.hypot(*gradient)
        image = background(visit, lit.detectors[0])
        plain = background(before, dark.detectors[0])
        slope = (image / visit.sky - plain / before.sky)[[0, -1]][:, [0, -1]]
        assert np.ptp(slope) == pytest.approx(2 * np.abs(gradient).sum(), rel=0.01)
    assert seen >= 2


# --- telescope and camera -------------------------------------------------------------------


def test_distortion_moves_stars_outwards_with_the_cube_of_the_distance():
    survey = survey_with(replace(SMOKE, bands=("r",)))
    visit, detector = survey.visits[-1], camera.detectors(2, 1024)[3]
    bent = replace(visit, effects=replace(DARK, distortion=True))
    place = unit_vector(visit.ra + np.array([0.0, 0.03, 0.06]), visit.decl + np.zeros(3))
    x0, y0 = visit.to_pixels(detector, place)
    x1, y1 = bent.to_pixels(detector, place)
    moved = np.hypot(x1 - x0, y1 - y0) * camera.PIXEL_SCALE
    radius = np.array([0.0, 0.03, 0.06]) * np.cos(np.radians(visit.decl)) * 3600
    assert moved == pytest.approx(DISTORTION * radius**3, rel=1e-4, abs=1e-9)
    # 0.1 arcsec in the corner of a camera of 7 arcmin
    assert DISTORTION * (7 * 60 / np.sqrt(2)) ** 3 == pytest.approx(0.1, rel=0.1)


def test_satellites_cross_one_snap_in_a_straight_line():
    """Light across the trail sums to what the truth says, along a line between its ends."""
    survey = survey_with(satellite_trails=True)
    detector = survey.detectors[0]
    trail = stray_light.Satellite(1, 0.7, 40.0, 5000.0, 2.0)
    visit = replace(survey.visits[-1], satellites=(trail,))
    first, second = light_of(survey, visit)
    added = (second - first) * camera.SNAP_TIME
    x1, y1, x2, y2 = trail.ends(detector)
    length = np.hypot(x2 - x1, y2 - y1)
    # what the border cuts off is as wide as the trail
    assert added.sum() == pytest.approx(trail.light * length, rel=0.02)
    y, x = np.nonzero(added > 0.6 * added.max())
    distance = (x - x1) * np.sin(0.7) - (y - y1) * np.cos(0.7)
    assert np.abs(distance).max() < 2.6
    assert np.std(distance) < 1.6
    assert trail.ends(camera.detectors(1, 64)[0]) is not None
    assert replace(trail, offset=60.0).ends(camera.detectors(1, 64)[0]) is None
    numbers = [len(stray_light.satellites(1, k, 3.5, 2000.0)) for k in range(2000)]
    assert np.mean(numbers) == pytest.approx(stray_light.SATELLITES, rel=0.15)


def bright_star(**effects):
    """Light of a star of r = 10.5 off the middle, with and without an effect; and its rate."""
    tier = replace(EMPTY, sky=replace(EMPTY.sky, bright=(10.5,)), detector_size=768)
    images = []
    for switched in ({}, effects):
        survey = survey_with(tier, seed=8, **switched)
        images.append(light_of(survey)[0])
    visit = survey.visits[-1]
    scene = observe(survey.sky, visit, survey.detectors[0])
    rate = float(survey.sky.flux[0, 1] * visit.rate_per_njy)
    return images[1] - images[0], rate, visit, float(scene.x[0]), float(scene.y[0])


def test_a_ghost_is_a_ring_opposite_to_its_star():
    added, rate, _, x, y = bright_star(ghosts=True)
    ring = np.where(added > 0, added, 0)
    rows, columns = np.indices(ring.shape)
    assert ring.sum() == pytest.approx(stray_light.GHOST_LIGHT * rate, rel=0.01)
    assert added.sum() == pytest.approx(0, abs=1e-3 * ring.sum())  # it is the star's light
    middle = (ring.shape[0] - 1) / 2
    for found, star in ((columns, x), (rows, y)):
        expected = middle + stray_light.GHOST_PLACE * (star - middle)
        assert np.sum(ring * found) / ring.sum() == pytest.approx(expected, abs=0.5)
    inner, outer = stray_light.GHOST_RADII
    # and the borders' pixels, which are lit in part
    assert np.count_nonzero(ring) == pytest.approx(np.pi * (outer**2 - inner**2), rel=0.05)


def test_spikes_stand_at_45_degrees_to_the_zenith_and_fall_with_the_square():
    added, rate, visit, x, y = bright_star(diffraction_spikes=True)
    rows, columns = np.indices(added.shape)
    radius = np.hypot(columns - x, rows - y)
    angle = np.arctan2(rows - y, columns - x) - np.arctan2(visit.zenith[1], visit.zenith[0])
    far = (radius > 40) & (radius < 120)
    # light-weighted fourth harmonic: -1 for spikes at 45 degrees
    harmonic = np.sum(added[far] * np.exp(4j * angle[far])) / added[far].sum()
    assert harmonic.real == pytest.approx(-1, abs=0.05)  # the star's own wings lose 2 %
    assert abs(harmonic.imag) < 0.01
    near, reach = stray_light.SPIKE_REACH
    share = (1 / 40 - 1 / 120) / (1 / near - 1 / reach)
    assert added[far].sum() == pytest.approx(stray_light.SPIKE_LIGHT * rate * share, rel=0.05)


def test_bright_charge_pushes_away_what_comes_later():
    """A Gaussian's variance grows by PUSH times half its peak (integrals in the text below).

    dq/dt = c div(q grad q); the variance gains c integral(q^2) / N = c peak / 2 along each axis.
    The discrete sum over pixels of a star of 2 px follows it to 3 per cent.
    """
    y, x = np.mgrid[-32:33, -32:33]
    for peak in (2e4, 8e4):
        star = peak * np.exp(-(x * x + y * y) / 8.0)
        after = brighter_fatter(star)
        assert after.sum() == pytest.approx(star.sum(), rel=1e-12)
        for axis in (x, y):
            grown = np.sum(after * axis**2) / after.sum() - np.sum(star * axis**2) / star.sum()
            assert grown == pytest.approx(PUSH * peak / 2, rel=0.03)
    flat = np.full((16, 16), 5e4)
    assert np.array_equal(brighter_fatter(flat), flat)


def test_gains_drift_slowly_and_little():
    detector = camera.detectors(1, 512)[0]
    days = 61000 + np.arange(0.0, 60.0, 0.5)
    gains = np.array([gain_drift(3, detector, t) for t in days])
    assert np.abs(gains - 1).max() < 0.005
    assert np.ptp(gains, axis=0).min() > 0.003
    assert np.abs(np.diff(gains, axis=0)).max() < 0.003  # half a day
    # A brighter number in ADU by as much: the same light, read with the drifted gain.
    plain, drifting = (survey_with(bias=True, gain_drift=on) for on in (False, True))
    visit = plain.visits[-1]
    images = []
    for survey in (plain, drifting):
        seen = survey.visits[-1]
        raw, _ = snaps(survey, seen, detector, observe(survey.sky, seen, detector))
        images.append(raw[0][:, :512].astype(float))
    factor = gain_drift(5, detector, visit.begin)
    for number, amplifier in enumerate(camera.AMPLIFIERS):
        here = detector.amplifier_columns(number)
        before, after = (np.mean(image[:, here]) - amplifier.bias_level for image in images)
        # the bias pattern, some ADU, does not drift; rounding of a mean of 131,072 pixels
        assert before - after == pytest.approx(before * (1 - 1 / factor[number]), abs=0.1)


def test_cirrus_stays_on_the_sky_and_has_its_spectrum():
    clouds = stray_light.cirrus(4)
    eta, xi = np.mgrid[-1024:1024:4.0, -1024:1024:4.0]
    image = clouds.brightness(xi, eta)
    assert image.mean() == pytest.approx(10 ** (0.4 * (31.4 - 26.0)), rel=0.15)
    assert 0.2 < image.std() / image.mean() < 0.6
    window = np.hanning(512) * np.hanning(512)[:, None]
    power = np.abs(np.fft.rfft2((image - image.mean()) * window))
    ky, kx = np.fft.fftfreq(512, 4.0)[:, None], np.fft.rfftfreq(512, 4.0)
    k = np.hypot(kx, ky)
    edges = np.geomspace(1 / 400, 1 / 20, 7)
    mean = [np.mean(power[(k > a) & (k < b)] ** 2) for a, b in pairwise(edges)]
    slope = np.polyfit(np.log(np.sqrt(edges[1:] * edges[:-1])), np.log(mean), 1)[0]
    assert slope == pytest.approx(-2.9, abs=0.8)  # sixty waves are few
    # Two visits of other pointing and rotation see the same clouds.
    tier = replace(EMPTY, cadence=replace(EMPTY.cadence, nights=(0, 3)))
    survey = survey_with(tier, cirrus=True, rotation=True, dithers=True)
    without = survey_with(tier, rotation=True, dithers=True)
    detector, index = survey.detectors[0], camera.band_index("g")
    for visit, plain in zip(survey.visits[-2:], without.visits[-2:], strict=True):
        added = light_of(survey, visit)[0] - light_of(without, plain)[0]
        place = np.random.default_rng(1).uniform(-30, 30, (20, 2))
        x, y = visit.to_pixels(detector, from_tangent_plane(place[:, 0], place[:, 1], *FIELD))
        expected = survey.sky.cirrus.brightness(place[:, 0], place[:, 1])
        expected = expected * stray_light.CIRRUS_COLOUR[index] * 0.04 * visit.rate_per_njy
        found = added[np.rint(y).astype(int), np.rint(x).astype(int)]
        # half a pixel off, and interpolated
    assert found == pytest.approx(expected, rel=0.03, abs=0.01 * expected.max())
