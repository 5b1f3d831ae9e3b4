"""The synthetic survey's parts: geometry, optics, drawing, detector, switches, bookkeeping."""

from dataclasses import fields, replace

import galsim
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import AltAz, EarthLocation, SkyCoord, get_body_barycentric
from astropy.time import Time
from astropy.utils import iers
from astropy.wcs import WCS
from typer.testing import CliRunner

from cli.simulate import app
from simulate import camera, geometry, render
from simulate.detector import bleed, cosmic_rays, pattern
from simulate.effects import Effects, everything
from simulate.optics import psf_field
from simulate.randomness import generator
from simulate.survey import prepare, simulate
from simulate.tiers import FIELD, SMOKE
from skyledger.errors import UsageError

MJD = 61171.2


def one_source(**values):
    """One source in the form that the renderer takes."""
    defaults = {field.name: 0.0 for field in fields(render.Sources)}
    defaults |= {"rate": 1.0, "fwhm": 3.5, "disk_ratio": 1.0, "bulge_ratio": 1.0}
    return render.Sources(**{k: np.array([v]) for k, v in (defaults | values).items()})


# --- random numbers -------------------------------------------------------------------------


def test_stages_have_their_own_numbers():
    first = generator(1, "stars").uniform(size=5)
    generator(1, "galaxies").uniform(size=1000)
    assert np.array_equal(first, generator(1, "stars").uniform(size=5))
    for other in (generator(2, "stars"), generator(1, "noise"), generator(1, "stars", 0)):
        assert not np.any(first == other.uniform(size=5))


def test_more_galaxies_leave_every_star_in_place():
    few = prepare(SMOKE, 3).sky
    many = prepare(replace(SMOKE, sky=replace(SMOKE.sky, galaxies=80.0)), 3).sky
    assert (many.kind == "galaxy").sum() > (few.kind == "galaxy").sum()
    for kind in ("star", "rr_lyrae", "mira"):
        assert np.array_equal(few.ra[few.kind == kind], many.ra[many.kind == kind])
        assert np.array_equal(few.flux[few.kind == kind], many.flux[many.kind == kind])
    assert list(few.asteroids.values()) == list(many.asteroids.values())


# --- geometry -------------------------------------------------------------------------------


def test_observer_and_airmass_agree_with_astropy():
    """UT1 taken as UTC moves the telescope by less than 0.5 km (1 s of rotation)."""
    site = EarthLocation(
        camera.LONGITUDE * u.deg, camera.LATITUDE * u.deg, height=camera.HEIGHT * u.m
    )
    with iers.conf.set_temp("auto_download", value=False):
        time = Time(MJD, format="mjd", scale="tai", location=site)
        place = site.get_gcrs_posvel(time)[0].xyz.to_value("au")
        target = SkyCoord(*FIELD, unit="deg").transform_to(AltAz(obstime=time, location=site))
        earth = get_body_barycentric("earth", time, ephemeris="builtin").xyz.to_value("au")
    found = geometry.observer(MJD) - earth
    assert np.linalg.norm(found - place) * geometry.AU_METRES < 500
    # aberration moves the target by 20 arcsec
    assert geometry.airmass(*FIELD, MJD) == pytest.approx(1 / np.sin(target.alt.rad), rel=2e-4)


def test_motion_and_parallax_agree_with_astropy():
    """0.1 mas: the second order of ten years of proper motion (3 arcsec/yr) is smaller."""
    ra, decl, pm_ra, pm_decl, parallax, years = 229.4, -15.1, 2000.0, -1500.0, 250.0, 10.36
    epoch = Time(57388.5, format="mjd", scale="tai")
    star = SkyCoord(
        ra * u.deg,
        decl * u.deg,
        distance=(parallax * u.mas).to(u.pc, u.parallax()),
        pm_ra_cosdec=pm_ra * u.mas / u.yr,
        pm_dec=pm_decl * u.mas / u.yr,
        radial_velocity=0 * u.km / u.s,
        obstime=epoch,
    )
    now = Time(epoch.mjd + years * 365.25, format="mjd", scale="tai")
    place = geometry.observer(now.mjd)
    seen = star.apply_space_motion(now).cartesian.xyz.to_value("au") - place
    seen /= np.linalg.norm(seen)
    found = geometry.apparent_direction(
        *(np.array([v]) for v in (ra, decl, pm_ra, pm_decl, parallax)), years, place
    )[0]
    # perspective acceleration of the nearby star: 2 mu_r mu t^2 with no radial velocity is zero,
    # what is left is the foreshortening of the tangent, (25 arcsec)^3 / 3
    assert np.degrees(np.linalg.norm(found - seen)) * 3.6e6 < 0.1


@pytest.mark.parametrize("number", [0, 3])
def test_pixels_agree_with_astropy_wcs(number):
    survey = prepare(SMOKE, 5)
    visit = survey.visits[-1]
    detector = camera.detectors(2, 512)[number]
    rho = np.radians(visit.rotation)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [visit.ra, visit.decl]
    wcs.wcs.crpix = [255.5 - detector.centre_x + 1, 255.5 - detector.centre_y + 1]
    wcs.wcs.cd = (0.2 / 3600) * np.array([[-np.cos(rho), np.sin(rho)], [np.sin(rho), np.cos(rho)]])
    rng = np.random.default_rng(1)
    ra, decl = FIELD[0] + rng.uniform(-0.1, 0.1, 50), FIELD[1] + rng.uniform(-0.1, 0.1, 50)
    x, y = visit.to_pixels(detector, geometry.unit_vector(ra, decl))
    assert np.allclose(wcs.all_world2pix(ra, decl, 0), [x, y], atol=1e-6)
    back = geometry.from_tangent_plane(*geometry.tangent_plane(
        geometry.unit_vector(ra, decl), *FIELD), *FIELD)  # fmt: skip
    assert np.allclose(geometry.ra_decl(back), [ra, decl], atol=1e-12)


# --- optics and drawing ---------------------------------------------------------------------

STAR = galsim.Kolmogorov(fwhm=3.5)


def profiles():
    disk = galsim.Exponential(half_light_radius=4.0).transform(1, 0, 0, 0.5)
    bulge = galsim.DeVaucouleurs(half_light_radius=1.5).transform(1, 0, 0, 0.8) * (1 / 0.8)
    galaxy = (0.7 * 2 * disk + 0.3 * bulge).rotate(0.7 * galsim.radians)
    trail = galsim.Box(5.0, 1e-4).rotate(0.4 * galsim.radians)
    line = galsim.Gaussian(sigma=1.0).transform(1, 0, 0, 0.02)  # 1 px along, nearly none across
    sheared = STAR.shear(g1=0.06, g2=-0.03)
    return {
        "star": (sheared, {"g1": 0.06, "g2": -0.03}),
        "galaxy": (
            galsim.Convolve(galaxy, STAR),
            {
                "bulge_fraction": 0.3,
                "disk_radius": 4.0,
                "disk_ratio": 0.5,
                "bulge_radius": 1.5,
                "bulge_ratio": 0.8,
                "angle": 0.7,
            },
        ),
        "trail": (
            galsim.Convolve(trail, STAR),
            {"trail_x": 5 * np.cos(0.4), "trail_y": 5 * np.sin(0.4)},
        ),
        "smear": (
            galsim.Convolve(line.withFlux(1).rotate(0.5 * galsim.radians), STAR),
            {"smear_x": np.cos(0.5), "smear_y": np.sin(0.5)},
        ),
    }


@pytest.mark.parametrize("name", ["star", "galaxy", "trail", "smear"])
def test_drawing_agrees_with_galsim(name):
    """0.5 per cent of the peak, 0.2 per cent of the flux: far below the noise of any frame."""
    expected, values = profiles()[name]
    found = render.stamps(one_source(x=0.3, y=-0.2, **values), 128)[0]
    # galsim centres on the middle of the stamp, here between pixels 63 and 64
    truth = expected.shift(0.3 + 0.5, -0.2 + 0.5).drawImage(nx=128, ny=128, scale=1.0).array
    assert np.abs(found - truth).max() < 0.005 * truth.max()
    assert found.sum() == pytest.approx(truth.sum(), rel=0.002)
    assert found.sum() == pytest.approx(1.0, abs=1e-4)  # a stamp keeps the whole flux


def test_sources_are_drawn_where_they_are_even_at_the_border():
    inner, outer = np.zeros((200, 160)), np.zeros((200, 160))
    render.draw(inner, one_source(x=80.2, y=100.7))
    y, x = np.indices(inner.shape)
    assert np.sum(inner) == pytest.approx(1.0, abs=1e-9)
    core = np.exp(-0.5 * ((x - 80.2) ** 2 + (y - 100.7) ** 2) / 9) * inner
    assert np.sum(core * x) / np.sum(core) == pytest.approx(80.2, abs=1e-3)
    assert np.sum(core * y) / np.sum(core) == pytest.approx(100.7, abs=1e-3)
    render.draw(outer, one_source(x=-0.5, y=100.0))
    assert outer.sum() == pytest.approx(0.5, abs=0.001)  # half the star falls beside the chip


def test_depth_is_that_of_the_drawn_psf():
    """Optimal weights on the pixels of the drawn PSF give the error stated for a visit."""
    stamp = render.stamps(one_source(fwhm=3.5), 64)[0]
    time = camera.SNAPS * camera.SNAP_TIME
    noise = camera.sky_rate("r") * time + camera.SNAPS * camera.AMPLIFIERS[0].read_noise ** 2
    sigma = np.sqrt(noise / np.sum(stamp**2)) / (time * 10 ** (0.4 * (27.4 - 31.4)))
    assert camera.flux_sigma("r", 0.7) == pytest.approx(sigma, rel=0.03)
    assert 31.4 - 2.5 * np.log10(5 * sigma) == pytest.approx(24.0, abs=0.05)


def test_psf_varies_over_the_field_and_can_be_kept_from_it():
    corners = np.array([-512.0, 512.0, 0.0]), np.array([-512.0, 512.0, 0.0])
    fwhm, g1, g2 = psf_field(1, 77, 3.5, 512.0, varies=True).at(*corners)
    assert np.ptp(fwhm) > 0.01
    assert np.hypot(g1, g2).max() < 0.2
    fwhm, g1, g2 = psf_field(1, 77, 3.5, 512.0, varies=False).at(*corners)
    assert np.all(fwhm == 3.5)
    assert not np.any(g1) and not np.any(g2)  # noqa: PT018


# --- detector -------------------------------------------------------------------------------


def test_bleeding_keeps_the_charge_and_the_full_well():
    charge = np.full((101, 5), 10.0)
    charge[50, 2] = 12_345.0
    total = charge.sum()
    bleed(charge, 1000.0)
    assert charge.sum() == pytest.approx(total, rel=1e-12)
    assert charge.max() == 1000.0
    full = np.flatnonzero(charge[:, 2] > 999)
    assert abs(full.mean() - 50) < 1  # as far up as down
    assert np.all(charge[:, [0, 1, 3, 4]] == 10)


def test_bleeding_at_the_border_loses_what_runs_off():
    charge = np.zeros((20, 1))
    charge[0, 0] = 10_000.0
    bleed(charge, 1000.0)
    assert charge.max() == 1000.0
    assert charge.sum() == pytest.approx(1000 + 4500)  # the half that goes down is gone


def test_cosmic_rays_come_at_their_rate():
    hits = [cosmic_rays(np.random.default_rng(k), (1000, 1000), 15.0) for k in range(10)]
    share = np.mean([np.mean(h > 0) for h in hits])
    # 22.5 tracks of about 9 px each in a million pixels
    assert 1e-4 < share < 4e-4
    assert np.median(np.concatenate([h[h > 0] for h in hits])) > 300


def test_flat_is_the_same_detector_in_all_bands():
    detector = camera.detectors(1, 512)[0]
    g, r = (pattern(1, detector, band, Effects()) for band in "gr")
    assert np.array_equal(g.defects, r.defects)
    assert np.array_equal(g.dark, r.dark)
    assert not np.array_equal(g.response, r.response)  # the illumination differs
    good = g.defects == 0
    assert np.std((g.response / np.where(good, r.response, 1))[good]) < 0.02


def test_camera_has_the_survey_facts():
    assert "".join(camera.FILTERS) == "ugrizy"
    assert (camera.SNAPS, camera.SNAP_TIME) == (2, 15.0)


# --- switches -------------------------------------------------------------------------------


def test_every_effect_can_be_switched_off():
    assert not any(vars(Effects(**{field.name: False for field in fields(Effects)})).values())
    switched = {name for name, on in vars(everything()).items() if not on}
    assert switched == {"dead_amplifier"}


# --- bookkeeping ----------------------------------------------------------------------------


def test_unknown_tier_and_seed_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"no tier 'huge'.*smoke"):
        prepare("huge", 1)
    with pytest.raises(UsageError, match="seed is -1"):
        prepare("smoke", -1)
    with pytest.raises(UsageError, match=r"nights \[9\].*0 .*to 2"):
        simulate(tmp_path / "data", tmp_path / "truth", "smoke", 1, nights=[9])
    assert not (tmp_path / "data").exists()


def test_command_line_names_the_choice(tmp_path):
    result = CliRunner().invoke(app, [str(tmp_path / "data"), "--tier", "huge"])
    assert isinstance(result.exception, UsageError)
