"""The PSF core against an analytic Moffat, photutils and the statistics of simulated fits."""

import galsim
import numpy as np
import pytest
from astropy.table import Table

from processing.psf import PsfModel
from processing.psf_core import fit_points, forced_flux, spline_psf
from processing.psf_spline import render_slopes, stamp_at

SHAPE = (420, 400)
SKY = 900.0  # variance of the background per pixel [electron^2]; gain 1


def moffat(fwhm, x=0.0, y=0.0, size=35):
    profile = galsim.Moffat(beta=3, fwhm=fwhm, flux=1.0).shear(e1=0.04, e2=-0.02)
    return profile.drawImage(nx=size, ny=size, scale=1.0, offset=(x, y)).array.astype(float)


@pytest.fixture(scope="module")
def psf():
    """FWHM 3.6 pixels, growing by 10 % over the detector."""
    middle, slope = moffat(3.6), (moffat(3.8) - moffat(3.4)) / 2
    planes = np.stack([middle, slope, np.zeros_like(middle)]) / middle.sum()
    return PsfModel(planes, 1, 199.5, 209.5, 210.0)


def truth_psf(x, y):
    u = (x - 199.5) / 210
    dx, dy = x - np.rint(x), y - np.rint(y)
    stamp = moffat(3.6, dx, dy) + u * (moffat(3.8, dx, dy) - moffat(3.4, dx, dy)) / 2
    return stamp / moffat(3.6).sum()


@pytest.mark.parametrize(("fwhm", "limit"), [(2.5, 3e-3), (3.0, 2e-3), (4.0, 5e-4)])
def test_a_shifted_psf_agrees_with_the_analytic_profile(fwhm, limit):
    # The pixels hold all the spline knows; the limit is the aliasing of a Moffat of that width.
    centred = moffat(fwhm)
    core = spline_psf(PsfModel.constant(centred), SHAPE)
    size = 2 * core.radius + 1
    edge = (35 - size) // 2
    stamp = np.zeros(core.coefficients.shape[1:], np.float32)
    stamp_at(core.coefficients, core.order, 0.0, 0.0, stamp)
    work = np.zeros((2, size + 5, size), np.float32)

    def rendered(dx, dy):
        out = np.zeros((3, size, size), np.float32)
        render_slopes(stamp, dx, dy, *out, work)
        return out.astype(float)

    for dx, dy in [(0.5, 0.5), (-0.31, 0.17), (0.02, -0.49)]:
        out, gx, gy = rendered(dx, dy)
        want = moffat(fwhm, dx, dy)[edge : 35 - edge, edge : 35 - edge]
        assert np.abs(out - want).max() < limit * want.max()
        # Differences over 0.02 pixels: the third derivative and float32 leave 1e-4 of the peak.
        ahead = rendered(dx + 0.01, dy)[0] - rendered(dx - 0.01, dy)[0]
        assert np.allclose(ahead / 0.02, gx, atol=1e-4 * want.max())
        ahead = rendered(dx, dy + 0.01)[0] - rendered(dx, dy - 0.01)[0]
        assert np.allclose(ahead / 0.02, gy, atol=1e-4 * want.max())


def scene(psf_at, x, y, flux, seed):
    rng = np.random.default_rng(seed)
    model = np.zeros(SHAPE)
    for xi, yi, fi in zip(x, y, flux, strict=True):
        column, row = int(np.rint(xi)), int(np.rint(yi))
        model[row - 17 : row + 18, column - 17 : column + 18] += fi * psf_at(xi, yi)
    noise = rng.normal(0, np.sqrt(SKY + np.maximum(model, 0)))
    return (model + noise).astype(np.float32)


def grid(seed, step=27):
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(22, SHAPE[1] - 20, step), np.arange(22, SHAPE[0] - 20, step))
    x = x.ravel() + rng.uniform(-0.5, 0.5, x.size)
    return x, y.ravel() + rng.uniform(-0.5, 0.5, y.size)


def robust_sd(values):
    return 1.4826 * np.median(np.abs(values - np.median(values)))


def test_fits_recover_flux_and_position_within_their_errors(psf):
    x, y = grid(1)
    flux = np.geomspace(1500, 60000, x.size) * np.where(np.arange(x.size) % 5 == 0, -1, 1)
    flux[flux < 0] = np.maximum(flux[flux < 0], -8000)
    rng = np.random.default_rng(2)
    image = scene(truth_psf, x, y, flux, 3)
    usable = np.ones(SHAPE, bool)
    usable[:, 97] = usable[200, :] = False
    image[~usable] = 1e6
    variance = np.full(SHAPE, SKY, np.float32)
    core = spline_psf(psf, SHAPE)
    start_x, start_y = x + rng.uniform(-0.7, 0.7, x.size), y + rng.uniform(-0.7, 0.7, x.size)
    fit = fit_points(image, variance, usable, core, start_x, start_y, 1.0)
    assert fit.converged.mean() > 0.98
    ok = fit.converged
    for value, true, column in ((fit.flux, flux, 0), (fit.x, x, 2), (fit.y, y, 5)):
        pull = ((value - true) / np.sqrt(fit.covariance[:, column]))[ok]
        # 200 fits: the median is known to 0.09, the robust width to 0.06.
        assert abs(np.median(pull)) < 0.2
        assert 0.85 < robust_sd(pull) < 1.15
        assert np.mean(np.abs(pull) > 4) < 0.02
    assert abs(np.median(fit.chi2 / fit.n_data) - 1) < 0.03
    k = int(np.argmax(flux))
    var = SKY  # the brightest: ln L of the same pixels written out
    assert fit.ln_likelihood[k] < -0.5 * (fit.chi2[k] + fit.n_data[k] * np.log(2 * np.pi * var))


def test_fits_agree_with_photutils(psf):
    from photutils.psf import ImagePSF, PSFPhotometry  # noqa: PLC0415 (slow to import)

    flat = PsfModel.constant(moffat(3.6))
    x, y = np.array([60.3, 150.7, 300.1]), np.array([80.2, 200.6, 310.4])
    flux = np.array([30000.0, 8000.0, 90000.0])
    image = scene(lambda a, b: moffat(3.6, a - np.rint(a), b - np.rint(b)), x, y, flux, 5)
    core = spline_psf(flat, SHAPE)
    variance = np.full(SHAPE, SKY, np.float32)
    fit = fit_points(image, variance, np.ones(SHAPE, bool), core, x, y, 1e9)
    judge = PSFPhotometry(ImagePSF(flat.image(0, 0)), (19, 19))(
        image.astype(float),
        error=np.full(SHAPE, np.sqrt(SKY)),
        init_params=Table({"x_init": x, "y_init": y, "flux_init": flux}),
    )
    # photutils interpolates the PSF by cubic splines: agreement to a fifth of the errors.
    for name, value, column in (("flux", fit.flux, 0), ("x", fit.x, 2), ("y", fit.y, 5)):
        error = np.sqrt(fit.covariance[:, column])
        assert np.all(np.abs(np.asarray(judge[f"{name}_fit"]) - value) < 0.2 * error)
        assert np.allclose(np.asarray(judge[f"{name}_err"]), error, rtol=0.05)


@pytest.mark.requirement("DIA-19")
def test_forced_flux_at_empty_positions_is_normal(psf):
    rng = np.random.default_rng(7)
    image = rng.normal(0, np.sqrt(SKY), SHAPE).astype(np.float32)
    variance = np.full(SHAPE, SKY, np.float32)
    core = spline_psf(psf, SHAPE)
    x, y = rng.uniform(0, 399, 4000), rng.uniform(0, 419, 4000)
    flux, error, coverage = forced_flux(image, variance, 1 / variance, core, x, y)
    inside = coverage > 0.99
    # About 1500 independent PSF areas: the width is known to 2 %.
    assert 0.95 < np.std(flux[inside] / error[inside]) < 1.05
    assert abs(np.mean(flux[inside] / error[inside])) < 0.08
    expected = np.sqrt(SKY / np.sum(psf.image(200.0, 210.0) ** 2))
    assert np.isclose(np.median(error), expected, rtol=0.02)
    assert np.all(coverage[(x > 20) & (x < 380) & (y > 20) & (y < 400)] > 0.999)
    assert coverage[np.argmin(np.minimum(x, y))] < 0.7
