"""Simulated frames against their own truth: flux, position, noise, time, headers, repeatability."""

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from scipy.ndimage import gaussian_filter

from simulate import camera
from simulate.effects import Effects
from simulate.geometry import from_tangent_plane, ra_decl
from simulate.scene import observe
from simulate.sky import build
from simulate.survey import prepare, simulate, snaps
from simulate.tiers import FIELD, SMOKE, Cadence
from skyledger import ids
from skyledger.errors import ConfigurationError, UsageError

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "dataset.md"

NOTHING = replace(
    SMOKE.sky,
    stars=0.0,
    galaxies=0.0,
    bright=(),
    fast_stars=0,
    near_stars=0,
    rr_lyrae=0,
    eclipsing=0,
    miras=0,
    flares=0,
    agn=0,
    microlenses=0,
    supernovae_on_hosts=0,
    supernovae_hostless=0,
    asteroids_per_night=0,
    blends=0,
    low_surface_brightness=0,
)
SHORT = Cadence(template_visits=1, nights=(0,), blocks=((("r",),),))
# Point sources and nothing that hides them
STARS = replace(
    SMOKE,
    bands=("r",),
    cadence=SHORT,
    sky=replace(NOTHING, stars=5.0),
    effects=Effects(bad_columns=False, cosmic_rays=False),
)
TINY = replace(SMOKE, detector_size=256, bands=("r",), cadence=SHORT, biases=2, darks=1, flats=1)


def section(text):
    x1, x2, y1, y2 = (int(v) for v in re.findall(r"\d+", text))
    return slice(y1 - 1, y2), slice(x1 - 1, x2)


def overscan_subtracted(hdu):
    """Trimmed image in electrons, the overscan's line taken off row by row."""
    raw, header = hdu.data.astype(float), hdu.header
    parts = []
    for amplifier in range(1, header["NAMPS"] + 1):
        over = raw[section(header[f"BIASSEC{amplifier}"])].mean(axis=1)
        rows = np.arange(over.size)
        level = np.polyval(np.polyfit(rows, over, 1), rows)
        light = raw[section(header[f"DATASEC{amplifier}"])] - level[:, None]
        parts.append(light * header[f"GAIN{amplifier}"])
    return np.hstack(parts)


def master(directory, pattern):
    images = []
    for path in sorted(directory.glob(pattern)):
        with fits.open(path) as hdus:
            images.append(overscan_subtracted(hdus[1]))
    return np.median(images, axis=0)


def columns(path):
    return {k: np.array(v) for k, v in pq.read_table(path).to_pydict().items()}


def grid_of_stars(tier, seed, visits):
    """The tier's own sky with its first 25 stars set on a grid of 15 arcsec, bright and alone."""
    sky = build(tier, seed, visits)
    rng = np.random.default_rng(seed)
    xi, eta = (15.0 * v.ravel() for v in np.mgrid[-2:3, -2:3])
    grid = ra_decl(from_tangent_plane(xi, eta, *FIELD))
    sky.flux[25:] *= 1e-6
    sky.ra[:25], sky.decl[:25] = grid
    sky.flux[:25] = 10 ** rng.uniform(4.9, 5.55, (25, 1))
    sky.pm_ra[:8], sky.pm_decl[:8] = 200 * np.sin(np.arange(8)), 200 * np.cos(np.arange(8))
    return sky


@pytest.fixture(scope="module")
def stars(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stars")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("simulate.survey.build", grid_of_stars)
        simulate(folder / "data", folder / "truth", STARS, 11)
    return folder


@pytest.fixture(scope="module")
def reduced(stars):
    """Per visit: the sum of its snaps in electrons, its error and its rows of the truth."""
    calibration = stars / "data" / "calibration"
    bias = master(calibration, "bias-*.fits")
    dark = (master(calibration, "dark-*.fits") - bias) / camera.DARK_TIME
    flat = (master(calibration, "flat-r-*.fits") - bias) / camera.FLAT_LEVEL
    sources = columns(stars / "truth" / "sources.parquet")
    visits = columns(stars / "truth" / "visits.parquet")
    result = []
    for k, visit in enumerate(visits["visitId"]):
        with fits.open(stars / "data" / "raw" / f"{visit}-0.fits") as hdus:
            image = sum(overscan_subtracted(h) - bias - 15 * dark for h in hdus[1:]) / flat
            header = hdus[0].header.copy()
        rows = sources["visitId"] == visit
        result.append(
            (
                image,
                header,
                {n: v[k] for n, v in visits.items()},
                {n: v[rows] for n, v in sources.items()},
            )
        )
    return result


def true_sky(visit, shape):
    n = shape[0]
    u = (np.arange(n) - (n - 1) / 2) / (n / 2)
    v = u[:, None]
    s = visit["skySlope"]
    return visit["sky"] * (1 + s[0] * u + s[1] * v + s[2] * u * u + s[3] * u * v + s[4] * v * v)


def isolated(truth, size, low, high, half):
    """Bright stars alone in a box of 2 half px: row, and the flux of all that is in the box.

    What else is in the box is below 5 per cent of the star, what is near its border, so that light
    of it comes in or gets out, below 0.3 per cent.
    """
    for k in np.flatnonzero((truth["flux"] > low) & (truth["flux"] < high)):
        x, y = np.rint(truth["x"][k]), np.rint(truth["y"][k])
        if min(x, y) < half + 1 or max(x, y) > size - half - 2:
            continue
        away = np.maximum(np.abs(truth["x"] - x), np.abs(truth["y"] - y))
        others = truth["flux"] * (np.arange(away.size) != k)
        near_border = others[np.abs(away - half) < 10].sum()
        within = others[away < half].sum()
        if within < 0.05 * truth["flux"][k] and near_border < 0.003 * truth["flux"][k]:
            yield k, truth["flux"][k] + within


def test_flux_is_truth_times_zero_point(reduced):
    """Box sums of a whole stamp; sky, response and zero point are the truth's: nothing is fitted.

    The pulls have a mean of zero and a scatter of one; added to the Poisson noise are 0.1 per cent
    of the flat and 0.1 per cent of the sky (five calibration frames of each kind).
    """
    pulls, ratios = [], []
    for image, _, visit, truth in reduced:
        net = image - true_sky(visit, image.shape)
        # fluxes whose stamps are 64 px: below 10,000 electrons a second
        for k, flux in isolated(truth, 512, 50_000, 300_000 / visit["electronsPerNjy"], 32):
            x, y = (int(np.rint(truth[c][k])) for c in "xy")
            box = np.s_[y - 32 : y + 32, x - 32 : x + 32]
            expected = flux * visit["electronsPerNjy"]
            # photons, read noise, and that of the master frames
            sky = image[box].sum()
            noise = np.sqrt(sky + 4096 * 2 * 70 * 1.6 + (1e-3 * expected) ** 2)
            pulls.append((net[box].sum() - expected) / noise)
            ratios.append(net[box].sum() / expected)
    assert len(pulls) >= 8
    assert abs(np.mean(pulls)) < 4 / np.sqrt(len(pulls))
    assert np.sqrt(np.mean(np.square(pulls))) < 1.6
    assert np.median(ratios) == pytest.approx(1, abs=0.01)


def test_stars_lie_where_the_true_wcs_puts_them(reduced):
    """Weighted centroids within 0.02 px for bright stars, S/N > 200: noise 0.008 px."""
    offsets = []
    for image, _, visit, truth in reduced:
        rho = np.radians(visit["rotation"])
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        wcs.wcs.crval = [visit["ra"], visit["decl"]]
        wcs.wcs.crpix = [visit["crpix1"], visit["crpix2"]]
        turn = np.array([[-np.cos(rho), np.sin(rho)], [np.sin(rho), np.cos(rho)]])
        wcs.wcs.cd = visit["pixelScale"] / 3600 * turn
        x_true, y_true = wcs.all_world2pix(truth["ra"], truth["decl"], 0)
        assert np.allclose(x_true, truth["x"], atol=1e-6)
        net = image - true_sky(visit, image.shape)
        for k, _ in isolated(truth, 512, 40_000, 500_000, 10):
            x0, y0 = int(np.rint(x_true[k])), int(np.rint(y_true[k]))
            stamp = net[y0 - 12 : y0 + 13, x0 - 12 : x0 + 13]
            y, x = np.mgrid[-12:13, -12:13]
            dx, dy = 0.0, 0.0
            for _ in range(25):  # Gaussian-weighted, iterated to its fixed point
                weight = stamp * np.exp(-0.5 * ((x - dx) ** 2 + (y - dy) ** 2) / 4)
                dx += 2 * np.sum(weight * (x - dx)) / weight.sum()
                dy += 2 * np.sum(weight * (y - dy)) / weight.sum()
            offsets.append((x0 + dx - x_true[k], y0 + dy - y_true[k]))
    offsets = np.array(offsets)
    assert len(offsets) >= 6
    assert np.abs(np.median(offsets, axis=0)).max() < 0.01
    assert np.sqrt(np.mean(offsets**2)) < 0.02


def test_header_wcs_is_approximate_and_truth_is_not(reduced):
    """A few arcsec of pointing, some hundredths of a degree: found again, but not exact."""
    for _, header, visit, _ in reduced:
        east = (header["RA"] - visit["ra"]) * np.cos(np.radians(visit["decl"])) * 3600
        north = (header["DEC"] - visit["decl"]) * 3600
        assert 0.01 < np.hypot(east, north) < 12
        assert 0 < abs(header["ROTPA"] - visit["rotation"]) < 0.2


def test_motion_since_the_reference_epoch_is_in_the_frames(stars):
    """A star of 0.2 arcsec/yr or more has moved by arcseconds since 2016."""
    objects = columns(stars / "truth" / "objects.parquet")
    sources = columns(stars / "truth" / "sources.parquet")
    fast = objects["objectId"][np.hypot(objects["pmRa"], objects["pmDecl"]) > 199]
    assert len(fast) == 8
    for star in fast:
        k = np.flatnonzero(objects["objectId"] == star)[0]
        seen = np.flatnonzero(sources["objectId"] == star)
        assert seen.size
        years = (sources["midPointTai"][seen] - objects["epoch"][k]) / 365.25
        moved = (sources["decl"][seen] - objects["decl"][k]) * 3.6e6
        assert np.allclose(moved, objects["pmDecl"][k] * years, atol=objects["parallax"][k] + 1)


def test_noise_of_blank_sky():
    """Variance = sky + dark + read noise^2 (+ gain^2/12 of rounding) within 3 per cent.

    From the difference of the two snaps, so that nothing fixed contributes; 130,000 pixels an
    amplifier measure a variance to 0.4 per cent.
    """
    tier = replace(
        STARS,
        sky=NOTHING,
        effects=Effects(flat=False, bad_columns=False, cosmic_rays=False, dark=False),
    )
    survey = prepare(tier, 2)
    visit, detector = survey.visits[-1], survey.detectors[0]
    raw, hits = snaps(survey, visit, detector, observe(survey.sky, visit, detector))
    assert hits["pixel"].size == 0
    difference = raw[1].astype(float) - raw[0]
    for number, amplifier in enumerate(camera.AMPLIFIERS):
        part = difference[:, detector.amplifier_columns(number)]
        rows = np.arange(detector.size)
        drift = np.polyval(np.polyfit(rows, part.mean(axis=1), 1), rows)
        variance = np.var(part - drift[:, None]) / 2 * amplifier.gain**2
        expected = visit.sky * 15 + amplifier.read_noise**2 + amplifier.gain**2 / 12
        assert variance == pytest.approx(expected, rel=0.03)
        over = difference[:, detector.overscan_columns(number)]
        drift = np.polyval(np.polyfit(rows, over.mean(axis=1), 1), rows)
        quiet = np.var(over - drift[:, None]) / 2 * amplifier.gain**2
        assert quiet == pytest.approx(amplifier.read_noise**2 + amplifier.gain**2 / 12, rel=0.03)


def test_bias_and_flat_structure_is_there_and_goes_away(stars):
    folder = stars / "data" / "calibration"
    with fits.open(folder / "bias-000.fits") as hdus:
        bias = overscan_subtracted(hdus[1])
    rest = master(folder, "bias-00[1-4].fits")
    read_noise = 0.5 * (camera.AMPLIFIERS[0].read_noise + camera.AMPLIFIERS[1].read_noise)
    assert np.std(bias.mean(axis=0)) > 3 * read_noise / np.sqrt(512)  # columns differ
    # the median of four frames adds pi/2/4 (less for so few) to the variance
    assert np.std(bias - rest) == pytest.approx(read_noise * np.sqrt(1.3), rel=0.05)
    assert np.std((bias - rest).mean(axis=0)) < 1.5 * read_noise * np.sqrt(1.3 / 512)

    with fits.open(folder / "flat-r-000.fits") as hdus:
        flat = overscan_subtracted(hdus[1])
    rest = master(folder, "flat-r-00[1-4].fits")
    assert np.std(flat) / flat.mean() > 0.012  # pixel response and vignetting
    ratio = (flat / rest)[50:, 50:]
    poisson = np.sqrt(1.3 / flat.mean())
    assert np.std(ratio) == pytest.approx(poisson, rel=0.06)
    assert np.ptp(gaussian_filter(ratio, 20)) < 0.002  # no large-scale structure is left


def test_shutter_gives_every_row_its_own_time(reduced, stars):
    survey = prepare(STARS, 11)
    detector = survey.detectors[0]
    ends = np.array([-0.5, detector.size - 0.5])
    directions = set()
    for (_, header, visit, truth), planned in zip(reduced, survey.visits, strict=True):
        first, last = planned.mid(detector, ends)
        sign = {"+Y": 1, "-Y": -1}[header["SHUTDIR"]]
        directions.add(sign)
        assert (last - first) * 86400 == pytest.approx(sign * 1.0, abs=1e-5)
        # the formula of the data set's description gives the truth of every source
        ny = detector.size
        row = (truth["y"] - (ny - 1) / 2) / ny
        stated = header["MJD-AVG"] + sign * header["SHUTTRAV"] / 86400 * row
        assert np.allclose(stated, truth["midPointTai"], rtol=0, atol=0.001 / 86400)
        assert visit["midPointTai"] == pytest.approx(header["MJD-AVG"], abs=1e-9)
        with fits.open(stars / "data" / "raw" / f"{visit['visitId']}-0.fits") as hdus:
            for snap in hdus[1:]:
                length = (snap.header["MJD-END"] - snap.header["MJD-BEG"]) * 86400
                assert length == pytest.approx(15.0 + header["SHUTTRAV"], abs=1e-4)
    assert directions <= {1, -1}


def test_headers_are_complete_valid_and_documented(stars):
    text = DOCUMENT.read_text(encoding="utf-8")
    documented = set(re.findall(r"`([A-Z0-9_-]+)n?`", text)) | {"CTYPE", "CUNIT", "CRVAL", "CRPIX"}
    structural = {"SIMPLE", "BITPIX", "EXTEND", "XTENSION", "PCOUNT", "GCOUNT", "BSCALE", "BZERO"}
    structural |= {"CD1_", "CD2_", "CD"}
    files = [*stars.glob("data/raw/*.fits"), *stars.glob("data/calibration/*-000.fits")]
    assert len(files) == 5
    for path in files:
        with fits.open(path) as hdus:
            hdus.verify("exception")
            for hdu in hdus:
                for keyword in hdu.header:
                    plain = keyword.rstrip("0123456789")
                    known = {keyword, plain} & (documented | structural)
                    assert known or plain in {"NAXIS", "CD1_", "CD2_"}, keyword
                for keyword in ("BEG", "END", "AVG"):
                    if f"MJD-{keyword}" in hdu.header:
                        assert hdu.header[f"DATE-{keyword}"].startswith("2026")
            first = hdus[0].header
            assert first["TIMESYS"] == "TAI"
            if first["IMGTYPE"] == "object":
                assert hdus[1].data.dtype == np.uint16
                assert hdus[1].shape == (512, 576)
                night = ids.night_of(first["MJD-AVG"])
                assert ids.visit_id(night, first["VISITID"] & 0x7FF) == first["VISITID"]
                assert ids.ccd_visit_id(first["VISITID"], 0) == first["CCDVISIT"]
                assert path.name == f"{first['VISITID']}-{first['DETECTOR']}.fits"


def test_truth_columns_carry_units(stars):
    for name, column, unit in (
        ("sources", "flux", b"nJy"),
        ("visits", "zeroPoint", b"mag"),
        ("objects", "pmRa", b"mas/yr"),
        ("asteroids", "a", b"au"),
    ):
        field = pq.read_schema(stars / "truth" / f"{name}.parquet").field(column)
        assert field.metadata[b"unit"] == unit


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_same_seed_same_bytes_and_night_by_night(tmp_path):
    once = simulate(tmp_path / "a" / "data", tmp_path / "a" / "truth", TINY, 4)
    assert (once.frames_written, once.calibration_frames) == (2, 4)
    for night in (1, 0):
        simulate(tmp_path / "b" / "data", tmp_path / "b" / "truth", TINY, 4, nights=[night])
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    names = digests(tmp_path / "a")
    assert not [n for n in names if Path(n).name.startswith(".")]  # no half-written file is left

    again = simulate(tmp_path / "a" / "data", tmp_path / "a" / "truth", TINY, 4)
    assert (again.frames_written, again.frames_kept, again.calibration_frames) == (0, 2, 0)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")

    with pytest.raises(UsageError, match=r"seed 4, but tier smoke with seed 5"):
        simulate(tmp_path / "a" / "data", tmp_path / "a" / "truth", TINY, 5)
    with pytest.raises(UsageError, match="does not say which survey"):
        simulate(tmp_path / "a" / "data", tmp_path / "c", TINY, 5)
    simulate(tmp_path / "d" / "data", tmp_path / "d" / "truth", TINY, 5)
    other = digests(tmp_path / "d")
    assert all(other[n] != v for n, v in names.items() if n in other and "calib" in n)


SWITCHES = (
    "bias",
    "overscan",
    "dark",
    "flat",
    "saturation",
    "bad_columns",
    "cosmic_rays",
    "background_gradient",
    "moon",
    "psf_variation",
    "shutter_motion",
    "dithers",
    "rotation",
    "pointing_error",
)


def frame(effects, template=True):
    survey = prepare(replace(TINY, effects=effects, sky=replace(TINY.sky, bright=(11.0,))), 9)
    visit = survey.visits[0 if template else -1]
    detector = survey.detectors[0]
    scene = observe(survey.sky, visit, detector)
    return survey, visit, scene, *snaps(survey, visit, detector, scene)


@pytest.fixture(scope="module")
def with_all():
    return frame(Effects())


@pytest.mark.parametrize("name", SWITCHES)
def test_each_switch_has_its_effect(name, with_all):
    _, visit_on, scene_on, raw_on, hits_on = with_all
    _, visit, scene, raw, hits = frame(replace(Effects(), **{name: False}))
    if name == "moon":  # seen where the Moon is up
        assert visit.sky <= visit_on.sky
    elif name == "shutter_motion":
        assert np.ptp(scene.mjd) < np.ptp(scene_on.mjd)
        assert visit.travel(prepare(TINY, 9).detectors[0]) == 0
    else:
        assert not np.array_equal(raw[0], raw_on[0])
    if name == "cosmic_rays":
        assert hits_on["pixel"].size > 0
        assert hits["pixel"].size == 0
    elif name not in ("dithers", "rotation", "pointing_error"):
        # every other stage keeps its numbers: the same cosmic rays on the same pixels
        assert np.array_equal(hits["pixel"], hits_on["pixel"])
    if name == "saturation":
        well = camera.FULL_WELL / camera.AMPLIFIERS[0].gain + 1100
        assert raw_on[0].max() < well
        assert raw[0].max() == camera.ADC_LIMIT
    if name == "dithers":
        assert abs(visit.commanded_decl + 15.1) < 1e-9
    if name == "rotation":
        assert visit.commanded_rotation == 0
    if name == "pointing_error":
        assert (visit.ra, visit.rotation) == (visit.commanded_ra, visit.commanded_rotation)
    if name == "bias":
        assert raw[0].mean() < raw_on[0].mean() - 800


def test_switches_of_the_test_are_all_there_are():
    on = [f for f, value in vars(Effects()).items() if value]
    assert sorted(on) == sorted(SWITCHES)


def test_a_camera_of_four_detectors_is_configuration_only(tmp_path):
    """Neighbours see different sky, and the shutter reaches them one after the other."""
    tier = replace(TINY, detectors_a_side=2, biases=1, darks=1)
    summary = simulate(tmp_path / "data", tmp_path / "truth", tier, 6, nights=[1])
    assert summary.frames_written == 4
    sources = columns(tmp_path / "truth" / "sources.parquet")
    visits = columns(tmp_path / "truth" / "visits.parquet")
    last = visits["visitId"].max()
    stars = sources["kind"] == "star"
    begins = []
    for number in range(4):
        with fits.open(tmp_path / "data" / "raw" / f"{last}-{number}.fits") as hdus:
            header = hdus[0].header
            begins.append((header["MJD-BEG"] - visits["midPointTai"].min()) * 86400)
            assert header["SHUTTRAV"] == pytest.approx(256 / 542, rel=1e-9)
            wcs = WCS(hdus[1].header)
            here = stars & (sources["visitId"] == last) & (sources["detector"] == number)
            x, y = wcs.all_world2pix(sources["ra"][here], sources["decl"][here], 0)
            # the header is approximate: some arcseconds
            assert np.hypot(x - sources["x"][here], y - sources["y"][here]).max() < 60
    assert begins[0] == pytest.approx(begins[1], abs=1e-4)  # the same row of detectors
    assert abs(begins[2] - begins[0]) == pytest.approx(286 / 542, abs=1e-3)
    on = [set(sources["objectId"][stars & (sources["detector"] == n)
              & (sources["visitId"] == last)]) for n in range(4)]  # fmt: skip
    assert all(not on[i] & on[j] for i in range(4) for j in range(i))


def test_a_directory_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "data").write_text("a file stands here")
    with pytest.raises(ConfigurationError, match=r"reference.parquet cannot be written"):
        simulate(tmp_path / "data", tmp_path / "truth", TINY, 4)
