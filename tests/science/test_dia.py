"""DIASources of simulated differences against the truth of the simulation."""

import numpy as np
import pytest
from difference_scenes import (
    SCALE,
    Moffat,
    add_stars,
    expose,
    field_of_stars,
    make_wcs,
    robust_sd,
)

from processing.coadd import build_template
from processing.dia import detect_and_measure
from processing.difference import subtract
from processing.exposure import Exposure, Mask
from processing.forced import force
from processing.moments import psf_moments
from processing.psf import PsfModel
from skyledger.dictionary import flag_bit, shipped

SHAPE = (700, 700)
NOISE = 240.0  # nJy, one sigma of a point source; the tests check it


def flag(name):
    return 1 << flag_bit("DIASource", name)


def grid_of_fakes(rng, flux):
    """Fakes 36 pixels apart, each at a random fraction of a pixel."""
    x, y = np.meshgrid(np.arange(25.0, 680, 36), np.arange(25.0, 680, 36))
    x, y = x.ravel() + rng.uniform(-0.5, 0.5, x.size), y.ravel() + rng.uniform(-0.5, 0.5, x.size)
    return x, y, flux(x.size)


def draw(seed, fakes=(), n_stars=150, fwhm=4.0, wcs=None):
    """Visit with fakes, difference, and its DIASources."""
    rng = np.random.default_rng(seed)
    sources = field_of_stars(rng, n_stars, 0.022)
    sources = (*sources[:2], np.minimum(sources[2], 40000))
    template = build_template([expose(rng, 7, make_wcs(SHAPE, 0, 2, -1), SHAPE, 3.4, 8, sources)])
    wcs = wcs or make_wcs(SHAPE)
    visit = expose(rng, 1, wcs, SHAPE, fwhm, 30, sources, fakes)
    difference = subtract(visit, template)
    return visit, difference


def match(table, x, y, radius=2.5):
    """Row of the table for each position, or -1."""
    if len(table) == 0:
        return np.full(len(x), -1)
    distance = np.hypot(np.subtract.outer(x, table["x"]), np.subtract.outer(y, table["y"]))
    nearest = distance.argmin(axis=1)
    return np.where(distance.min(axis=1) < radius, nearest, -1)


@pytest.fixture(scope="module")
def many():
    rng = np.random.default_rng(11)

    def flux(n):
        signs = np.where(np.arange(n) % 4 == 0, -1, 1)
        return signs * rng.choice([5.0, 8.0, 12.0, 30.0], n) * NOISE

    fakes = grid_of_fakes(rng, flux)
    visit, difference = draw(12, fakes)
    return visit, difference, detect_and_measure(difference, visit), fakes


@pytest.mark.requirement("DIA-01")
def test_completeness_at_and_above_the_threshold(many):
    _, difference, table, (x, y, flux) = many
    assert difference.quality["diffNoise"] == pytest.approx(NOISE, rel=0.05)
    found = match(table, x, y) >= 0
    near = difference.exposure.usable()[np.rint(y).astype(int), np.rint(x).astype(int)]
    signal = np.abs(flux) / NOISE
    at_limit = near & (signal == 5)
    # Binomial: 90 fakes at the limit, 0.5 to 0.61 expected, 0.05 its error.
    assert 0.38 < found[at_limit].mean() < 0.75
    assert found[near & (signal >= 8)].mean() >= 0.97
    assert np.all(table["snr"] >= 5)
    # A peak of the likelihood over position and flux exists where the score has one.
    seen = match(table, x, y)[found & near]
    assert not np.any(table["flags"][seen] & flag("PSF_FIT_FAILED"))


@pytest.mark.requirement("DIA-10", "L1DB-07")
def test_fluxes_and_positions_have_normal_pulls(many):
    _, difference, table, (x, y, flux) = many
    row = match(table, x, y)
    good = (row >= 0) & (np.abs(flux) > 7 * NOISE)
    t = table[row[good]]
    assert good.sum() > 150
    ra, decl = difference.exposure.wcs.all_pix2world(x[good], y[good], 0)
    cosine = np.cos(np.radians(decl))
    pulls = {
        "psFlux": (t["psFlux"] - flux[good]) / t["psFluxErr"],
        "apFlux": (t["apFlux"] - flux[good]) / t["apFluxErr"],
        "x": (t["x"] - x[good]) / t["xErr"],
        "y": (t["y"] - y[good]) / t["yErr"],
        "ra": (t["ra"] - ra) * 3600 * cosine / t["raErr"],
        "decl": (t["decl"] - decl) * 3600 / t["declErr"],
        "psRa": (t["psRa"] - ra) * 3600 * cosine / np.sqrt(t["psCov"][:, 2]),
        "psDecl": (t["psDecl"] - decl) * 3600 / np.sqrt(t["psCov"][:, 5]),
    }
    for name, pull in pulls.items():
        pull = np.ma.filled(np.ma.asarray(pull, float), np.nan)  # noqa: PLW2901
        # 250 sources: 0.08 for the median, 0.06 for the robust width. The wings of so many
        # fakes must not pass for sky.
        assert abs(np.nanmedian(pull)) < 0.2, name
        assert 0.83 < robust_sd(pull[np.isfinite(pull)]) < 1.17, name
    assert np.ma.median(t["psChi2"] / t["psNdata"]) == pytest.approx(1, abs=0.06)
    negative = (t["flags"] & flag("NEGATIVE")) != 0
    assert np.array_equal(negative, flux[good] < 0)
    # Nothing lies below the fakes: the total flux is the flux, or the flux of a star besides.
    alone = np.asarray(t["fpBkgd"]) * SCALE**2 < 3
    pull = np.ma.compressed(((t["totFlux"] - flux[good]) / t["totFluxErr"])[alone])
    assert robust_sd(pull) < 1.4
    assert np.ma.median(t["spuriousness"]) < 0.1
    assert np.all(t["parentIndex"] == -1)


def test_every_column_of_the_dictionary_is_there(many):
    _, _, table, _ = many
    relation = shipped()["DIASource"]
    later = {
        "diaSourceId", "visitId", "detector", "diaObjectId", "ssObjectId", "parentDiaSourceId",
        "hpx29", "templateId",
    }  # fmt: skip
    assert {c.name for c in relation.columns} - later <= set(table.colnames)
    for column in relation.columns:
        if column.name in later:
            continue
        values = np.ma.asarray(table[column.name])
        assert np.all(np.isfinite(np.ma.filled(values.astype(float), 0))), column.name
        if column.minimum is not None:
            assert values.min() is np.ma.masked or values.min() >= column.minimum
        if not column.nullable:
            assert not np.ma.getmaskarray(values).any(), column.name
    assert np.all((table["flags"] & flag("SNAP_DIFFERENCE_MISSING")) != 0)
    assert table["diffFlux"].mask.all()


def test_noise_alone_gives_the_expected_number_of_peaks():
    count, expected = 0, 0.0
    for seed in (21, 22):
        visit, difference = draw(seed)
        # At 4 sigma there are enough peaks to count.
        table = detect_and_measure(difference, visit, threshold=4.0)
        count += len(table)
        stamp = difference.exposure.psf.image(350, 350)
        # The PSF-filtered field has the correlation length of the PSF's autocorrelation.
        xx, yy, _ = psf_moments(stamp[None])[0]
        density = (2 * np.pi) ** -1.5 * 4 * np.exp(-8) / (2 * np.sqrt(xx * yy))
        expected += 2 * density * difference.exposure.usable().sum()
    # Rice's formula; merged neighbours make it a little fewer. 80 peaks: 11 %.
    assert 0.5 < count / expected < 1.5


@pytest.mark.requirement("DIA-21")
def test_a_sample_below_the_threshold_is_kept_and_flagged():
    visit, difference = draw(23)
    table = detect_and_measure(difference, visit, sub_threshold_fraction=1.0)
    low = (table["flags"] & flag("SUBTHRESHOLD")) != 0
    assert low.sum() > 10
    assert np.array_equal(low, table["snr"] < 5)
    some = detect_and_measure(difference, visit, sub_threshold_fraction=0.3)
    again = detect_and_measure(difference, visit, sub_threshold_fraction=0.3)
    share = len(some[some["snr"] < 5]) / low.sum()
    assert 0.05 < share < 0.6
    assert np.array_equal(some["x"], again["x"])


def spread(flux, x, y, length, angle, n=60):
    """A line as many points; angle from +x in degrees, length in pixels."""
    t = (np.arange(n) + 0.5) / n - 0.5
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return x + t * length * c, y + t * length * s, np.full(n, flux / n)


@pytest.mark.requirement("L1DB-10")
def test_trails_are_recovered():
    truth, parts = [], []
    for k, (x, y) in enumerate((a, b) for a in range(80, 680, 130) for b in range(80, 680, 130)):
        length, angle = 8.0 + 0.8 * k, (37.0 * k) % 180
        truth.append((x + 0.3, y - 0.2, length, angle))
        parts.append(spread(12000 + 900 * k, x + 0.3, y - 0.2, length, angle))
    visit, difference = draw(31, tuple(np.concatenate(p) for p in zip(*parts, strict=True)), 80)
    table = detect_and_measure(difference, visit)
    x, y, length, angle = np.array(truth).T
    row = match(table, x, y, 4)
    assert (row >= 0).mean() > 0.9
    t = table[row[row >= 0]]
    length, angle = length[row >= 0] * SCALE, angle[row >= 0]
    assert np.mean((t["flags"] & flag("TRAILED")) != 0) > 0.9
    # +x is West and +y North here: the bearing of a line at an angle from +x is angle - 90.
    off = (t["trailAngle"] - (angle - 90) + 90) % 180 - 90
    for pull in (
        (t["trailLength"] - length) / np.sqrt(t["trailCov"][:, 9]),
        off / np.sqrt(t["trailCov"][:, 14]),
    ):
        # 25 trails: 0.25 for the median, 0.2 for the width.
        assert abs(np.ma.median(pull)) < 0.8
        assert 0.5 < robust_sd(np.ma.compressed(pull)) < 1.6
    assert np.ma.median(np.abs(off)) < 3
    assert np.ma.median(np.abs(t["trailLength"] / length - 1)) < 0.1


@pytest.mark.requirement("L1DB-11")
def test_dipoles_are_recovered_from_the_negative_to_the_positive_lobe():
    truth, parts = [], []
    for k, (x, y) in enumerate((a, b) for a in range(80, 680, 130) for b in range(80, 680, 130)):
        length, angle = 4.0 + 0.15 * k, (41.0 * k) % 360
        dx = length / 2 * np.cos(np.radians(angle))
        dy = length / 2 * np.sin(np.radians(angle))
        truth.append((x + 0.1, y + 0.4, length, angle))
        parts.append(
            (
                np.array([x + 0.1 + dx, x + 0.1 - dx]),
                np.array([y + 0.4 + dy, y + 0.4 - dy]),
                np.array([12000.0, -9000.0]),
            )
        )
    visit, difference = draw(41, tuple(np.concatenate(p) for p in zip(*parts, strict=True)), 80)
    table = detect_and_measure(difference, visit)
    x, y, length, angle = np.array(truth).T
    row = match(table, x, y, 4)
    assert (row >= 0).mean() > 0.9
    t = table[row[row >= 0]]
    length, angle = length[row >= 0] * SCALE, angle[row >= 0]
    assert np.mean((t["flags"] & flag("DIPOLE")) != 0) > 0.9
    off = (t["dipAngle"] - (angle - 90) + 180) % 360 - 180
    assert np.ma.median(np.abs(off)) < 3
    assert np.ma.median(np.abs(t["dipLength"] / length - 1)) < 0.05
    assert np.ma.median(t["dipMeanFlux"]) == pytest.approx(10500, rel=0.05)
    assert np.ma.median(t["dipFluxDiff"]) == pytest.approx(3000, abs=300)


def test_a_blend_is_a_parent_and_its_children():
    fakes = np.array([200.0, 206.5]), np.array([300.0, 301.0]), np.array([12000.0, 9000.0])
    visit, difference = draw(51, fakes)
    table = detect_and_measure(difference, visit)
    row = match(table[table["parentIndex"] >= 0], fakes[0], fakes[1], 1.0)
    children = table[table["parentIndex"] >= 0][row]
    assert np.all(row >= 0)
    assert np.all((children["flags"] & flag("DEBLENDED")) != 0)
    assert np.all((table["flags"][children["parentIndex"]] & flag("PARENT")) != 0)
    assert np.allclose(children["psFlux"], fakes[2], atol=5 * NOISE)


@pytest.mark.requirement("L1DB-12")
def test_a_flare_of_one_snap_shows_in_the_difference_of_snaps():
    fakes = np.array([200.0, 400.0]), np.array([300.0, 300.0]), np.array([9000.0, 9000.0])
    visit, difference = draw(61, fakes)
    rng = np.random.default_rng(62)
    # The first source is steady, the second has all its light in the second snap.
    light = np.zeros(SHAPE)
    add_stars(light, Moffat(4.0, SHAPE), [400.0], [300.0], [18000.0])
    snap = Exposure(
        image=(light + rng.normal(0, 60, SHAPE)).astype(np.float32),
        variance=np.full(SHAPE, 3600, np.float32),
        mask=np.zeros(SHAPE, np.int32), unit="nJy", visit=visit.visit, wcs=visit.wcs,
    )  # fmt: skip
    table = detect_and_measure(difference, visit, snap)
    steady, flare = table[match(table, *fakes[:2])]
    assert abs(steady["diffFlux"]) < 4 * steady["diffFluxErr"]
    assert flare["diffFlux"] == pytest.approx(18000, abs=4 * float(flare["diffFluxErr"]))
    # It has the shape of a source: no hit.
    assert flare["spuriousness"] < 0.5


def turned(exposure, how):
    """The same exposure with its pixel axes swapped (how="swap") or x reversed."""
    wcs = exposure.wcs.deepcopy()
    cd, crpix = np.array(wcs.wcs.cd), np.array(wcs.wcs.crpix)
    nx = exposure.shape[1]

    def pixels(a):
        return np.ascontiguousarray(a.T if how == "swap" else a[..., ::-1])

    if how == "swap":
        wcs.wcs.cd, wcs.wcs.crpix = cd[:, ::-1], crpix[::-1]
    else:
        wcs.wcs.cd, wcs.wcs.crpix = cd * [-1, 1], [nx + 1 - crpix[0], crpix[1]]
    wcs.wcs.set()
    psf = exposure.psf

    class Turned:
        def image(self, x, y):
            return pixels(psf.image(y, x) if how == "swap" else psf.image(nx - 1 - x, y))

    planes = pixels(exposure.image), pixels(exposure.variance), pixels(exposure.mask)
    new = Exposure(*planes, "nJy", exposure.visit, wcs, None, exposure.electrons_per_unit)
    new.psf = PsfModel.sampled(Turned(), new.shape)
    return new


@pytest.mark.requirement("L1DB-07")
@pytest.mark.parametrize("how", ["swap", "reverse"])
def test_no_sky_column_depends_on_the_orientation_of_the_detector(how):
    line = spread(30000, 350.0, 200.0, 14, 30)
    lobes = np.array([500.0, 505.0]), np.array([420.0, 423.0]), np.array([15000.0, -12000.0])
    plain = np.array([150.0]), np.array([500.0]), np.array([12000.0])
    fakes = tuple(np.concatenate(p) for p in zip(line, lobes, plain, strict=True))
    rng = np.random.default_rng(71)
    sources = field_of_stars(rng, 150, 0.022)
    first = expose(rng, 7, make_wcs(SHAPE, 0, 2, -1), SHAPE, 3.4, 8, sources)
    visit = expose(rng, 1, make_wcs(SHAPE), SHAPE, 4.0, 30, sources, fakes)
    template = build_template([first])
    one, two = (
        detect_and_measure(subtract(seen, template), seen) for seen in (visit, turned(visit, how))
    )
    distance = np.hypot(
        np.subtract.outer(np.asarray(one["ra"]), np.asarray(two["ra"])),
        np.subtract.outer(np.asarray(one["decl"]), np.asarray(two["decl"])),
    )
    bright = np.flatnonzero(one["snr"] > 20)
    assert len(bright) >= 3
    two = two[distance[bright].argmin(axis=1)]
    one = one[bright]
    # Both are fits to the same noise on tiles that lie differently: far below the errors.
    for name, error in (
        ("psFlux", one["psFluxErr"]),
        ("trailLength", np.sqrt(one["trailCov"][:, 9])),
        ("dipLength", np.sqrt(one["dipCov"][:, 14])),
        ("ixx", np.sqrt(one["icov"][:, 0])),
        ("iyy", np.sqrt(one["icov"][:, 2])),
        ("ixy", np.sqrt(one["icov"][:, 5])),
        ("raErr", one["raErr"]),
        ("declErr", one["declErr"]),
        ("ixxPSF", 0.05),
        ("ixyPSF", 0.05),
    ):
        gap = np.ma.compressed(
            np.ma.abs(np.ma.asarray(one[name]) - np.ma.asarray(two[name])) / error
        )
        assert np.all(gap < 0.6), name
    trail = (one["flags"] & flag("TRAILED")) != 0
    dipole = (one["flags"] & flag("DIPOLE")) != 0
    assert trail.sum() >= 1
    assert dipole.sum() >= 1
    off = (one["trailAngle"] - two["trailAngle"] + 90) % 180 - 90
    assert np.all(np.abs(off[trail]) < 2)
    off = (one["dipAngle"] - two["dipAngle"] + 180) % 360 - 180
    assert np.all(np.abs(off[dipole]) < 2)
    away = (one["ra"] - two["ra"]) * 3600
    assert np.all(np.abs(away) < 0.5 * one["raErr"] + 0.003)


@pytest.mark.requirement("DIA-19")
def test_forced_photometry_of_a_difference():
    rng = np.random.default_rng(82)
    fakes = np.array([150.0, 300.0]), np.array([150.0, 420.0]), np.array([6000.0, -4000.0])
    visit, difference = draw(81, fakes)
    difference.exposure.mask[600:620, 600:620] |= int(Mask.BAD)
    x = np.concatenate([fakes[0], [610.0, -40.0], rng.uniform(10, 690, 3000)])
    y = np.concatenate([fakes[1], [610.0, 10.0], rng.uniform(10, 690, 3000)])
    ra, decl = visit.wcs.all_pix2world(x, y, 0)
    table = force(difference.exposure, visit, ra, decl)
    assert not {2, 3} & set(table["row"].tolist())  # bad pixels, and off the image
    first = table[:2]
    assert np.all(np.abs(first["psFlux"] - fakes[2]) < 4 * first["psFluxErr"])
    far = np.hypot(*(np.subtract.outer(a, b) for a, b in ((x, fakes[0]), (y, fakes[1]))))
    blank = (far.min(axis=1) > 25)[table["row"]]
    # 3000 positions on 5000 PSF areas: 1.5 %.
    pull = np.ma.compressed((table["psFlux"] / table["psFluxErr"])[blank])
    assert 0.95 < robust_sd(pull) < 1.05
    assert abs(np.median(pull)) < 0.1
    assert np.allclose(table["ra"], ra[table["row"]])
    direct = force(difference.exposure, None, ra[:2], decl[:2])
    assert direct["totFlux"].mask.all()
