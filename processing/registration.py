"""Where the stars of a template stand in a visit: the visit's WCS, corrected for its stars.

The WCS of a visit is found from reference stars, which refraction displaces by their colours: it
errs by hundredths of a pixel, which bright stars do not forgive. Relative to the template, whose
stars' refraction is known, it can be had better. What is measured keeps the WCS of the visit; only
the template is resampled with this one. DIA-08.
"""

import numpy as np
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray

from processing.exposure import Exposure
from processing.psf_core import fit_points, spline_psf
from processing.refraction import moves

FloatArray = NDArray[np.float64]
_BRIGHT = 30.0  # S/N of a star that counts
_STARS = 12  # that an affine correction takes
_WILD = 4.0  # standard deviations from which a star has moved, or is a blend
_FLOOR = 0.01  # pixels: no star is known better
_FAR = 1.0  # pixels: no WCS is as wrong


def located(template: Exposure) -> Table | None:
    """Stars of a template with positions from a fit, not those of their brightest pixels."""
    if template.refraction is None:
        return None
    stars = template.refraction.copy()
    x, y = template.wcs.all_world2pix(stars["ra"], stars["decl"], 0)
    x, y, error = _centres(template, x, y)
    found = np.isfinite(error)
    stars["ra"][found], stars["decl"][found] = template.wcs.all_pix2world(x[found], y[found], 0)
    return stars


def registered(visit: Exposure, stars: Table) -> WCS:
    """WCS of a visit in which the stars of a template are where the visit shows them.

    With fewer than twelve stars it is the visit's own.
    """
    x, y = visit.wcs.all_world2pix(stars["ra"], stars["decl"], 0)
    moved = moves(stars, visit.wcs, visit.shape, visit.visit)
    x, y = x + moved[0], y + moved[1]
    ny, nx = visit.shape
    inside = (x > 5) & (x < nx - 6) & (y > 5) & (y < ny - 6)
    x, y = x[inside], y[inside]
    there_x, there_y, error = _centres(visit, x, y)
    off = np.stack([there_x - x, there_y - y], axis=1)
    good = np.isfinite(error) & (np.abs(off) < _FAR).all(axis=1)
    middle = np.array([(nx - 1) / 2, (ny - 1) / 2])
    design = np.column_stack([np.ones(len(x)), x - middle[0], y - middle[1]])
    weight = 1 / np.hypot(np.where(good, error, 1), _FLOOR)
    solution = np.zeros((3, 2))
    for _ in range(5):
        if good.sum() < _STARS:
            return visit.wcs
        root = (weight * good)[:, None]
        seen = np.where(good[:, None], off, 0)
        solution = np.linalg.lstsq(root * design, root * seen, rcond=None)[0]
        left = np.where(good[:, None], off - design @ solution, 0) * weight[:, None]
        spread = max(1.0, 1.4826 * float(np.median(np.abs(left[good]))))
        good &= (np.abs(left) < _WILD * spread).all(axis=1)
    # A place p of the old WCS lies at p + shift + stretch (p - middle) of the new one.
    shift, stretch = solution[0], solution[1:].T
    new = WCS(naxis=2)
    new.wcs.ctype, new.wcs.cunit, new.wcs.crval = (
        visit.wcs.wcs.ctype, visit.wcs.wcs.cunit, visit.wcs.wcs.crval
    )  # fmt: skip
    centre = np.asarray(visit.wcs.wcs.crpix) - 1
    new.wcs.crpix = centre + 1 + shift + stretch @ (centre - middle)
    new.wcs.cd = visit.wcs.pixel_scale_matrix @ np.linalg.inv(np.eye(2) + stretch)
    new.wcs.set()
    return new


def _centres(
    exposure: Exposure, x: FloatArray, y: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Fitted positions of stars and their errors [pixel]; infinite where there is no good star."""
    assert exposure.psf is not None  # noqa: S101 (templates and calibrated visits have one)
    usable = exposure.usable() & np.isfinite(exposure.variance)
    sky = float(np.median(exposure.variance[usable][::7])) if usable.any() else 1.0
    fits = fit_points(
        exposure.image, np.full(exposure.shape, sky, np.float32), usable,
        spline_psf(exposure.psf, exposure.shape), x, y, exposure.electrons_per_unit,
    )  # fmt: skip
    flux, xx, yy = (fits.covariance[:, k] for k in (0, 2, 5))
    good = fits.converged & (fits.flux > _BRIGHT * np.sqrt(np.maximum(flux, 0)))
    good &= np.hypot(fits.x - x, fits.y - y) < 2 * _FAR
    error = np.where(good, np.sqrt(np.maximum((xx + yy) / 2, 0)), np.inf)
    return np.where(good, fits.x, x), np.where(good, fits.y, y), error
