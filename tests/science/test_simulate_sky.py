"""What happens in the simulated sky: asteroids, variables, transients, and enough of each."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import get_body_barycentric_posvel
from astropy.time import Time
from scipy.integrate import solve_ivp

from simulate import camera
from simulate.geometry import observer, ra_decl, unit_vector
from simulate.lightcurves import Microlens, RRLyrae, Supernova
from simulate.orbits import GM, Orbit, from_state
from simulate.scene import observe
from simulate.survey import prepare
from simulate.tiers import TIERS

EPOCH = 61171.0
ARCSEC = np.degrees(1) * 3600


def heliocentric_state(body, mjd):
    time = Time(mjd, format="mjd", scale="tai")
    place, motion = get_body_barycentric_posvel(body, time, ephemeris="builtin")
    sun, sun_motion = get_body_barycentric_posvel("sun", time, ephemeris="builtin")
    return (
        (place - sun).xyz.to_value("au"),
        (motion - sun_motion).xyz.to_value(u.au / u.day),
    )


def test_orbits_follow_a_planet():
    """Mars from its osculating elements for five days against the ephemeris itself.

    An arcsecond: the other planets' pull is smaller, the built-in ephemeris is not better.
    """
    orbit = from_state(*heliocentric_state("mars", EPOCH), EPOCH, 0.0)
    assert orbit.a == pytest.approx(1.5237, abs=0.002)
    assert orbit.e == pytest.approx(0.0934, abs=0.002)
    assert np.degrees(orbit.inclination) == pytest.approx(1.85, abs=0.01)
    mjd = EPOCH + np.linspace(-5, 5, 7)
    direction, _ = orbit.seen(mjd)
    for k, t in enumerate(mjd):
        delay = 0.0
        for _ in range(3):
            time = Time(t - delay, format="mjd", scale="tai")
            place = get_body_barycentric_posvel("mars", time, ephemeris="builtin")[0]
            topo = place.xyz.to_value("au") - observer(t)
            delay = np.linalg.norm(topo) / 173.144632674
        assert np.linalg.norm(direction[k] - topo / np.linalg.norm(topo)) * ARCSEC < 1.0


def test_kepler_agrees_with_integration():
    """Closed form against numerical integration of the two-body equation over 200 days: 1e-8 au."""
    orbit = Orbit(2.6, 0.21, 0.2, 1.0, 2.0, 0.5, EPOCH, 16.0)
    step = 1e-3
    near = orbit.heliocentric(EPOCH + np.array([-step, 0.0, step]))
    start = np.concatenate([near[1], (near[2] - near[0]) / (2 * step)])

    def acceleration(_, state):
        return np.concatenate([state[3:], -GM * state[:3] / np.linalg.norm(state[:3]) ** 3])

    path = solve_ivp(acceleration, (0, 200), start, rtol=1e-11, atol=1e-13)
    assert np.allclose(path.y[:3, -1], orbit.heliocentric(np.array([EPOCH + 200]))[0], atol=1e-7)


@pytest.fixture(scope="module", params=["smoke", "demo"])
def survey(request):
    return prepare(TIERS[request.param], 1)


@pytest.fixture(scope="module")
def scenes(survey):
    return [(v, observe(survey.sky, v, survey.detectors[0])) for v in survey.visits]


def inside(scene, size, margin=0.0):
    return (
        (scene.x > margin)
        & (scene.y > margin)
        & (scene.x < size - 1 - margin)
        & (scene.y < size - 1 - margin)
    )


def test_asteroids_cross_in_every_night_at_main_belt_rates(survey, scenes):
    """Near opposition main-belt asteroids move 20 to 60 arcsec an hour, nearly all to the West."""
    size = survey.detectors[0].size
    nights = {v.night for v in survey.visits} - {0}
    seen = {night: set() for night in nights}
    for visit, scene in scenes:
        rows = inside(scene, size) & (scene.kind == "asteroid")
        if visit.night:
            seen[visit.night] |= set(scene.object_id[rows].tolist())
    wanted = survey.tier.sky.asteroids_per_night
    assert all(len(found) >= wanted for found in seen.values())
    assert len(set().union(*seen.values())) >= (5 if survey.tier.name == "demo" else 4)
    hour = 1 / 24
    for orbit in survey.sky.asteroids.values():
        assert 2.0 < orbit.a < 3.4
        assert orbit.e < 0.26
        direction, magnitude = orbit.seen(orbit.epoch + np.array([0.0, hour]))
        rate = np.linalg.norm(direction[1] - direction[0]) * ARCSEC
        assert 15 < rate < 65
        ra, _ = ra_decl(direction)
        assert ra[1] < ra[0]
        assert 18 < magnitude[0] < 23


def test_an_asteroid_is_where_integration_and_ephemeris_put_it(survey, scenes):
    """Positions in the truth against elements integrated numerically, Sun and Earth by astropy."""
    object_id, orbit = next(iter(survey.sky.asteroids.items()))
    checked = 0
    for visit, scene in scenes:
        rows = np.flatnonzero(scene.object_id == object_id)
        if visit.night != 1 or rows.size == 0:
            continue
        t = scene.mjd[rows[0]]
        step = 1e-2
        near = orbit.heliocentric(orbit.epoch + np.array([-step, 0.0, step]))
        start = np.concatenate([near[1], (near[2] - near[0]) / (2 * step)])
        delay = 0.0
        for _ in range(3):
            path = solve_ivp(
                lambda _, s: np.concatenate([s[3:], -GM * s[:3] / np.linalg.norm(s[:3]) ** 3]),
                (0, t - delay - orbit.epoch),
                start,
                rtol=1e-11,
                atol=1e-13,
            )
            time = Time(t - delay, format="mjd", scale="tai")
            sun = get_body_barycentric_posvel("sun", time, ephemeris="builtin")[0]
            topo = path.y[:3, -1] + sun.xyz.to_value("au") - observer(t)
            delay = np.linalg.norm(topo) / 173.144632674
        found = unit_vector(scene.ra[rows[0]], scene.decl[rows[0]])
        assert np.linalg.norm(found - topo / np.linalg.norm(topo)) * ARCSEC < 0.01
        checked += 1
    assert checked >= 2


def test_a_detector_holds_enough_stars(survey, scenes):
    """Usable for PSF and WCS: S/N > 50, not saturated, on the detector."""
    size = survey.detectors[0].size
    wanted = {512: 15, 1024: 40}[size]
    for visit, scene in scenes:
        sigma = camera.flux_sigma(visit.band)
        good = inside(scene, size, 20) & (scene.kind == "star") & (scene.flux > 50 * sigma)
        peak = scene.flux * visit.rate_per_njy * 15 * 0.1  # no seeing puts more into one pixel
        assert np.sum(good & (peak < camera.FULL_WELL)) >= wanted


def test_the_survey_holds_clear_variables_and_transients(survey, scenes):
    """Brightest difference from the template season over the error of one visit."""
    size = survey.detectors[0].size
    sky = survey.sky
    best: dict[int, float] = {}
    nights: dict[int, set[int]] = {}
    for visit, scene in scenes:
        if visit.night == 0:
            continue
        index = camera.band_index(visit.band)
        template = np.mean(
            [
                sky.flux_at(index, np.full(sky.object_id.size, v.begin))
                for v in survey.visits
                if v.night == 0 and v.band == visit.band
            ],
            axis=0,
        )
        for k in np.flatnonzero(inside(scene, size) & (scene.row >= 0)):
            row = int(scene.row[k])
            if row in sky.curves:
                signal = abs(scene.flux[k] - template[row]) / camera.flux_sigma(visit.band)
                best[row] = max(best.get(row, 0.0), signal)
                if signal > 5:
                    nights.setdefault(row, set()).add(visit.night)
    clear = [row for row, signal in best.items() if signal > 20 and sky.kind[row] != "supernova"]
    transients = [row for row, signal in best.items() if sky.kind[row] == "supernova"]
    assert len(clear) >= (5 if survey.tier.name == "demo" else 3)
    assert len(transients) == (12 if survey.tier.name == "demo" else 5)
    assert all(best[row] > 5 for row in transients)
    late = [row for row in transients if 1 not in nights[row]]
    assert len(late) >= len(transients) // 3  # new on a later night
    hosts = sky.host[transients]
    assert np.any(hosts > 0)
    assert np.any(hosts < 0)
    assert set(sky.kind[hosts[hosts > 0] - 1]) == {"galaxy"}


def test_nothing_is_alight_in_the_template_season_but_what_lives_long(survey):
    for row, curve in survey.sky.curves.items():
        if survey.sky.kind[row] == "supernova":
            begins = np.array([v.begin for v in survey.visits if v.season == 0])
            assert not np.any(curve.flux(begins, 2))


def test_a_flare_lasts_one_snap(survey, scenes):
    rows = np.flatnonzero(survey.sky.kind == "flare")
    for row in rows:
        lit = [
            tuple(
                f[scene.row == row][0] > 1.0001 * survey.sky.flux[row, i] for f in scene.snap_flux
            )
            for visit, scene in scenes
            for i in [camera.band_index(visit.band)]
            if np.any(scene.row == row)
        ]
        assert sum(map(sum, lit)) == 1


def test_light_curves_have_their_period_peak_and_start():
    mean = np.full(6, 1000.0)
    star = RRLyrae(mean, 0.5, EPOCH, 0.8)
    t = EPOCH + np.linspace(0, 2, 400)
    assert np.allclose(star.flux(t, 2), star.flux(t + 0.5, 2))
    # the amplitude in g is 1.3 times that in r
    swing = [np.ptp(-2.5 * np.log10(star.flux(t, band))) for band in (1, 2)]
    assert swing[0] / swing[1] == pytest.approx(1.3, rel=1e-6)
    lens = Microlens(mean, EPOCH, 10.0, 0.1)
    assert lens.flux(np.array([EPOCH]), 2)[0] / 1000 == pytest.approx(10.04, abs=0.01)
    new = Supernova(EPOCH, 3.0, 20.0, mean)
    assert new.flux(np.array([EPOCH - 1, EPOCH]), 2).tolist() == [0, 0]
    assert new.flux(np.array([EPOCH + 5.0]), 2)[0] > 500
