"""The template brought onto the visit's own stars (DIA-08).

Two images of a few hundredths of an arcsecond's relative error leave a dipole at each bright star,
and a matching kernel that moves a sharp PSF by a tenth of a pixel blurs it. So the place of stars
on both images, not only their WCS, says where the template lies before it is resampled.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from processing import astrometry
from processing.exposure import UNUSABLE, Exposure
from processing.psf_core import PointFits, fit_points, spline_psf

FloatArray = NDArray[np.float64]

_CELLS = 16  # along each axis; the brightest star of each is taken
_MIN_SNR = 20.0  # of a star's brightest pixel
_WORST = 0.1  # pixel: error of a star's place
_FAR = 1.5  # pixel: stars farther apart are not the same, or moved
_FLOOR = 0.02  # pixel: a PSF model places a star no better
_MIN_STARS = 10  # six numbers are fitted to twice as many coordinates
_GAIN = 30.0  # of chi-square, for six numbers: what is less is noise


def aligned(template: Exposure, visit: Exposure) -> Exposure:
    """Return ``template`` with a WCS by which its stars lie where those of ``visit`` are.

    Position, scale, turn and shear are fitted to bright stars that both have. The template
    returns as it is where there are fewer than ten of them or they fit no better thereafter.

    Parameters
    ----------
    template, visit : Exposure
        Each with a PSF; on any grids.
    """
    assert template.psf is not None  # noqa: S101 (checked by the caller)
    assert visit.psf is not None  # noqa: S101
    x, y = _bright(visit)
    there = template.wcs.all_world2pix(visit.wcs.all_pix2world(np.column_stack([x, y]), 0), 0)
    ny, nx = template.shape
    inside = ((there > 0) & (there < (nx - 1, ny - 1))).all(axis=1)
    on_visit = _places(visit, x[inside], y[inside])
    on_template = _places(template, *there[inside].T)
    good = np.isfinite(_errors(on_visit)) & np.isfinite(_errors(on_template))
    good &= (
        np.hypot(on_template.x - there[inside][:, 0], on_template.y - there[inside][:, 1]) < _FAR
    )
    if good.sum() < _MIN_STARS:
        return template
    here = np.column_stack([on_visit.x, on_visit.y])[good]
    there = np.column_stack([on_template.x, on_template.y])[good]
    sky = visit.wcs.all_pix2world(here, 0)
    error = np.hypot(np.hypot(_errors(on_visit)[good], _errors(on_template)[good]), _FLOOR)
    pairs = np.arange(len(here))
    none = np.zeros_like(sky)
    solution = astrometry.fit_tan(
        there, np.column_stack([error, error]), sky, none, pairs, pairs, template.wcs,
        template.shape,
    )  # fmt: skip
    kept = solution.star
    before = template.wcs.all_world2pix(sky[kept], 0) - there[kept]
    after = solution.wcs.all_world2pix(sky[kept], 0) - there[kept]
    gain = float(((before**2 - after**2) / error[kept][:, None] ** 2).sum())
    return replace(template, wcs=solution.wcs) if gain > _GAIN else template


def _bright(visit: Exposure) -> tuple[FloatArray, FloatArray]:
    """Brightest pixel of each cell, if it stands out and nothing unusable is near."""
    usable = (visit.mask & int(UNUSABLE)) == 0
    values = np.where(usable, visit.image, -np.inf)
    noise = np.sqrt(float(np.median(visit.variance[usable][::7]))) if usable.any() else np.inf
    found = []
    for rows in np.array_split(np.arange(visit.shape[0]), _CELLS):
        for columns in np.array_split(np.arange(visit.shape[1]), _CELLS):
            if rows.size == 0 or columns.size == 0:
                continue
            cell = values[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            row, column = np.unravel_index(int(cell.argmax()), cell.shape)
            y, x = int(rows[0] + row), int(columns[0] + column)
            around = slice(max(0, y - 3), y + 4), slice(max(0, x - 3), x + 4)
            if (
                values[y, x] > _MIN_SNR * noise
                and usable[around].all()
                and values[around].max() == values[y, x]
            ):
                found.append((x, y))
    places = np.array(found, dtype=np.float64).reshape(-1, 2)
    return places[:, 0], places[:, 1]


def _places(image: Exposure, x: FloatArray, y: FloatArray) -> PointFits:
    assert image.psf is not None  # noqa: S101
    usable = (image.mask & int(UNUSABLE)) == 0
    usable &= np.isfinite(image.image) & np.isfinite(image.variance)
    psf = spline_psf(image.psf, image.shape)
    variance = np.where(usable, image.variance, 1)
    return fit_points(image.image, variance, usable, psf, x, y, image.electrons_per_unit)


def _errors(points: PointFits) -> FloatArray:
    """Error of places [pixel]; NaN where there is none, or it is too large."""
    square = np.where(points.converged, points.covariance[:, 2] + points.covariance[:, 5], np.inf)
    error = np.sqrt(np.maximum(square, 0) / 2)
    return np.where(error < _WORST, error, np.nan)
