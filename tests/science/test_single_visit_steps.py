"""Steps of the single-visit reduction on small images made here, and frames that must fail."""

from dataclasses import replace

import galsim
import numpy as np
import pytest
from astropy.io import fits as astropy_fits
from scipy.spatial.transform import Rotation

from processing import astrometry, cosmics, detection, photometry, psf_stars, reader, snaps
from processing.exposure import Mask
from processing.isr import Snap, interpolate
from processing.psf import PsfModel, fwhm
from processing.reference import ReferenceStars
from skyledger.errors import DataRejectedError

SHAPE = (400, 400)
SKY, READ = 500.0, 6.0


def snap_of(light, rng, hits=None):
    """Snap with photon and read noise; flat 1, no dark."""
    image = rng.poisson(light) + rng.normal(0, READ, light.shape)
    if hits is not None:
        image = image + hits
    flat = np.ones(light.shape, dtype=np.float32)
    return Snap(
        image=image.astype(np.float32),
        noise=np.full(light.shape, READ**2, dtype=np.float32),
        common=np.zeros(light.shape, dtype=np.float32),
        flat=flat,
        mask=np.zeros(light.shape, dtype=np.int32),
        flat_variance=0.0,
        exposure_time=15.0,
    )


def with_star(light, x, y, flux, width=3.5):
    image = galsim.ImageD(light.copy())
    star = galsim.Kolmogorov(fwhm=width, flux=flux)
    stamp = star.drawImage(
        nx=65, ny=65, scale=1, offset=(x - round(x), y - round(y)), method="auto"
    ).array
    image.array[round(y) - 32 : round(y) + 33, round(x) - 32 : round(x) + 33] += stamp
    return image.array


@pytest.mark.requirement("DIA-07")
def test_cosmic_rays_go_and_a_flare_in_one_snap_stays():
    rng = np.random.default_rng(3)
    quiet = np.full(SHAPE, SKY)
    star = with_star(quiet, 100.3, 120.8, 3e5)
    flare = with_star(star, 250.4, 200.1, 2e4)  # in the second snap only, S/N about 80
    hits = np.zeros(SHAPE)
    hits[300, 50:90] = 600  # a track
    hits[102, 103] = 5000  # beside the star
    combined = snaps.combine([snap_of(star, rng, hits), snap_of(flare, rng)], 3.6)
    found = (combined.mask & int(Mask.CR)) != 0
    assert found[hits > 0].all()
    assert not found[190:211, 240:261].any()
    assert (found & (hits == 0)).sum() < 10
    # The value comes from the other snap, with twice its noise.
    track = combined.image[300, 50:90] - 2 * SKY
    assert abs(track.mean()) < 5 * 2 * np.sqrt(SKY + READ**2) / np.sqrt(40)
    assert (combined.light_weight[300, 50:90] == 2).all()
    # The difference holds the flare.
    assert combined.difference[168:233, 218:283].sum() == pytest.approx(2e4, rel=0.15)


def test_a_single_snap_loses_its_cosmic_rays_and_keeps_its_stars():
    rng = np.random.default_rng(4)
    hits = np.zeros(SHAPE)
    hits[300, 50:90] = 1500
    hits[320:322, 50:90] = 300  # two pixels wide
    light = with_star(np.full(SHAPE, SKY), 100.3, 120.8, 3e5)
    light = with_star(light, 250.5, 120.5, 1e6)
    light = with_star(light, 250.1, 250.9, 3e5)
    snap = snap_of(light, rng, hits)
    snap.mask[:, 252] = int(Mask.BAD)  # beside the cores of two stars
    snap.image[:, 252] = 0
    combined = snaps.combine([snap], 3.9)  # the width is known to a tenth
    found = (combined.mask & int(Mask.CR)) != 0
    assert found[hits > 0].mean() >= 0.99
    assert (found & (hits == 0)).sum() < 5
    assert not found[110:260, 90:270].any()
    assert combined.difference is None
    assert ((combined.mask & int(Mask.INTRP)) != 0)[found].all()


def test_holes_are_filled_from_their_rim():
    y, x = np.mgrid[0:60, 0:60].astype(np.float32)
    image = 10 + 0.2 * x + 0.1 * y
    expected = image.copy()
    mask = np.zeros(image.shape, dtype=np.int32)
    mask[:, 30:32] = int(Mask.BAD)
    image[:, 30:32] = 1e6
    interpolate(image, mask, Mask.BAD)
    # Each column is filled from the one beside it, 0.2 away.
    assert np.abs(image - expected)[5:-5].max() < 0.201
    assert (mask[:, 30:32] & int(Mask.INTRP) != 0).all()
    assert (mask[:, :30] == 0).all()


@pytest.mark.requirement("GEN-10")
def test_psf_varying_over_the_field_is_recovered():
    # 120 Moffat stars of S/N 100 to 1000, FWHM and shear linear in the position. The mean error
    # of the PSF over the field stays below 1 % of its peak; a constant PSF would err by 10 %.
    rng = np.random.default_rng(8)
    ny = nx = 900

    def profile(x, y):
        u, v = x / nx - 0.5, y / ny - 0.5
        return galsim.Moffat(beta=3.5, fwhm=3.8 * (1 + 0.1 * u)).shear(g1=0.03 * v, g2=-0.03 * u)

    image = np.zeros((ny, nx))
    xs, ys = (np.linspace(40, 860, 12)[None] + rng.uniform(-8, 8, (12, 12)) for _ in range(2))
    for x, y in zip(xs.ravel(), ys.T.ravel(), strict=True):
        column, row = round(x), round(y)
        stamp = profile(x, y).drawImage(nx=61, ny=61, scale=1, offset=(x - column, y - row)).array
        box = (slice(row - 30, row + 31), slice(column - 30, column + 31))
        image[box] += stamp * 10 ** rng.uniform(4.3, 6)
    image = rng.poisson(image + SKY) - SKY + rng.normal(0, READ, image.shape)
    image = image.astype(np.float32)
    mask = np.zeros(image.shape, dtype=np.int32)
    noise = np.full(image.shape, np.sqrt(SKY + READ**2), dtype=np.float32)
    variance = noise**2 + np.maximum(cosmics.local_quadratic(image), 0)
    found = detection.detect(image, noise, mask, 3.8)
    result = psf_stars.fit(image, variance, mask, found, 3.8)
    assert len(result.used) > 100
    errors = []
    for x, y in [(100, 100), (450, 450), (800, 200), (200, 800), (850, 850)]:
        truth = profile(x, y).drawImage(nx=result.model.size, ny=result.model.size, scale=1).array
        errors.append(np.abs(result.model.image(x, y) - truth).max() / truth.max())
        assert result.model.fwhm(x, y) == pytest.approx(fwhm(truth.astype(float)), rel=0.01)
        # Beyond the stamp wings follow turbulence's profile as far as the stars do not tell
        # otherwise; it has 0.9 % of the light there, a Moffat's 0.04 %.
        assert result.model.image(x, y).sum() == pytest.approx(truth.sum(), abs=0.005)
    assert np.median(errors) < 0.01
    assert max(errors) < 0.015
    assert result.max_residual < 0.01


def test_psf_model_samples_any_psf():
    class Widening:
        def image(self, x, y):
            grid = np.arange(21) - 10
            width = 1.6 + 0.2 * x / 1000 + 0.1 * y / 800
            stamp = np.exp(-0.5 * (grid[:, None] ** 2 + grid[None] ** 2) / width**2)
            return stamp / stamp.sum()

    model = PsfModel.sampled(Widening(), (800, 1000), order=2)
    for x, y in [(0, 0), (333, 700), (999, 5)]:
        truth = Widening().image(x, y)
        assert np.abs(model.image(x, y) - truth).max() < 2e-3 * truth.max()
        assert model.image(x, y).sum() == pytest.approx(1)


@pytest.mark.parametrize(("ra", "decl"), [(0.001, 0.0), (359.999, 45.0), (120.0, 89.5)])
@pytest.mark.requirement("GEN-10")
def test_wcs_is_found_from_a_wrong_header(ra, decl):
    # Truth: TAN by rotation matrices (scipy), not by the code under test. The header is 6 arcsec
    # and 0.2 degrees off; centroids have 0.02 pixels of noise, so 5 mas at 0.2 arcsec a pixel.
    rng = np.random.default_rng(1)
    n, size, scale = 60, 1024, 0.2 / 3600
    xy = rng.uniform(0, size, (n, 2))
    turn = np.radians(33.0)
    plane = (
        np.radians(scale)
        * (xy - (size - 1) / 2)
        @ np.array([[-np.cos(turn), np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    )
    vectors = np.column_stack([np.ones(n), plane])
    vectors /= np.linalg.norm(vectors, axis=1)[:, None]
    turned = Rotation.from_euler("yz", [-decl, ra], degrees=True).apply(vectors)
    radec = np.column_stack(
        [
            np.degrees(np.arctan2(turned[:, 1], turned[:, 0])) % 360,
            np.degrees(np.arcsin(turned[:, 2])),
        ]
    )
    off = np.radians(33.2)
    cd = scale * np.array([[-np.cos(off), np.sin(off)], [np.sin(off), np.cos(off)]])
    header = astrometry.make_tan(
        np.array([ra + 5 / 3600 / np.cos(np.radians(decl)), decl + 3 / 3600]),
        np.full(2, (size - 1) / 2),
        cd,
    )
    order = rng.permutation(n)
    measured = xy[order] + rng.normal(0, 0.02, (n, 2))
    solution = astrometry.solve(
        measured[:50],
        np.full((50, 2), 0.02),
        radec,
        np.zeros((n, 2)),
        rng.uniform(1, 9, n),
        header,
        (size, size),
        "v",
    )
    assert len(solution.star) > 45
    assert (order[solution.star] == solution.reference).all()
    offsets = astrometry.sky_offsets(radec, solution.wcs.all_pix2world(xy, 0))
    assert np.abs(offsets).max() < 0.005
    assert np.sqrt(np.diag(solution.covariance)).max() < 0.004


def test_no_match_is_an_error_not_a_guess():
    rng = np.random.default_rng(2)
    wcs = astrometry.make_tan(np.array([10.0, 5.0]), np.full(2, 500.0), np.eye(2) * 5e-5)
    radec = wcs.all_pix2world(rng.uniform(0, 1000, (40, 2)), 0)
    stars = rng.uniform(0, 1000, (40, 2))
    with pytest.raises(DataRejectedError, match=r"visit 5.*no match with the reference stars"):
        astrometry.solve(
            stars,
            np.full((40, 2), 0.1),
            radec,
            np.zeros((40, 2)),
            np.ones(40),
            wcs,
            (1000, 1000),
            "visit 5",
        )


def test_reference_stars_move():
    # Proper motion by hand; parallax: a star at the ecliptic pole describes a circle of its
    # parallax, so two dates half a year apart differ by twice that (the Earth's orbit: 1.7 %).
    columns = {
        "ra": np.array([270.0]),
        "decl": np.array([66.56]),
        "pmRa": np.array([100.0]),
        "pmDecl": np.array([-50.0]),
        "parallax": np.array([0.0]),
        "epoch": np.array([57388.5]),
    }
    ra, decl = ReferenceStars(columns, 0.0).positions(57388.5 + 10 * 365.25)
    assert (ra[0] - 270) * np.cos(np.radians(66.56)) * 3.6e6 == pytest.approx(1000, rel=1e-3)
    assert (decl[0] - 66.56) * 3.6e6 == pytest.approx(-500, rel=1e-3)
    columns |= {"pmRa": np.zeros(1), "pmDecl": np.zeros(1), "parallax": np.array([200.0])}
    stars = ReferenceStars(columns, 0.0)
    places = [np.column_stack(stars.positions(57388.5 + days)) for days in (0, 182.63)]
    assert np.hypot(*astrometry.sky_offsets(*places).T)[0] * 1000 == pytest.approx(400, rel=0.02)


@pytest.mark.requirement("GEN-10")
def test_zero_point_ignores_variables():
    rng = np.random.default_rng(6)
    flux = 10 ** rng.uniform(4, 6, 40)
    err = np.sqrt(flux)
    reference = 1.7 * flux * (1 + rng.normal(0, 0.005, 40))
    reference[:8] *= rng.uniform(1.1, 3, 8)
    measured = flux + rng.normal(0, err)
    zero = photometry.zero_point(measured, err, reference, 0.005 * reference, "visit 5")
    assert abs(zero.flux_scale / 1.7 - 1) < 4 * zero.relative_error
    assert zero.relative_error < 0.003
    assert not np.isin(np.arange(8), zero.used).any()
    with pytest.raises(DataRejectedError, match="2 reference stars with S/N above 20"):
        photometry.zero_point(measured[:2], err[:2], reference[:2], err[:2], "visit 5")


def rewritten(frame, folder, change):
    """Copy a frame with other pixels: change(counts, header) of each snap, in place."""
    path = folder / frame.paths[0].name
    with astropy_fits.open(frame.paths[0]) as hdus:
        for hdu in hdus[1:]:
            hdu.data = hdu.data.copy()
            change(hdu.data, hdu.header)
        hdus.writeto(path)
    return replace(frame, paths=(path,))


def darkness(counts, header):
    counts[:] = counts[:, -1:].mean()


def glare(counts, header):
    counts[:] = 65535


def wrong_sky(counts, header):
    header["CRVAL2"] = header["CRVAL2"] + 1.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (darkness, "nothing stands 15 standard deviations above the sky"),
        (glare, "only 0 % of the pixels are usable"),
        (wrong_sky, "no match|reference stars"),
    ],
)
def test_frames_that_cannot_be_calibrated_say_why(smoke_survey, tmp_path, change, said):
    frame = rewritten(smoke_survey.frames[0], tmp_path, change)
    with pytest.raises(DataRejectedError, match=said) as caught:
        smoke_survey.process(frame)
    assert str(frame.visit.visit_id) in str(caught.value)


def test_one_snap_is_enough(smoke_survey, tmp_path):
    frame = smoke_survey.frames[2]
    path = tmp_path / frame.paths[0].name
    (tmp_path / "raw").mkdir()
    with astropy_fits.open(frame.paths[0]) as hdus:
        del hdus[2]
        hdus[0].header["NSNAPS"] = 1
        hdus[0].header["EXPTIME"] = 15.0
        hdus.writeto(tmp_path / "raw" / path.name)
    frames, problems = reader.scan(tmp_path, smoke_survey.instrument)
    assert problems == []
    single = smoke_survey.process(frames[0])
    double = smoke_survey.processed[2][1]
    assert single.snap_difference is None
    # Half of the electrons from the same flux: twice the scale.
    ratio = single.exposure.quality["fluxScale"] / double.exposure.quality["fluxScale"]
    assert ratio == pytest.approx(2, rel=0.01)
