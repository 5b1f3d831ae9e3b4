"""Share the light of a blend out among its peaks (DPDD sections 4 and 14; GEN-10).

Every pixel of a blend goes to the peaks in the ratio of their templates, so that the children add
up to the parent exactly. The template of a peak is the PSF where the PSF describes its core;
otherwise it is what the blend has on both sides of the peak: the lesser of a pixel and of the one
opposite (the deblender of SDSS, Lupton 2005), made to fall outwards.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.optimize import nnls

from processing.compiled import compiled
from processing.psf_core import SplinePsf

FloatArray = NDArray[np.float64]
_POINT_CHI2 = 1.4  # per pixel, of a core that is a point source
_MODEL_ERROR = 0.03  # of the light, that the PSF may be wrong by


def share(
    image: FloatArray,
    variance: FloatArray,
    inside: NDArray[np.bool_],
    x: Sequence[float],
    y: Sequence[float],
    psf: SplinePsf,
    origin: tuple[int, int],
) -> FloatArray:
    """Share out the light of one blend.

    Parameters
    ----------
    image, variance : array, shape (ny, nx)
        A box around the blend.
    inside : array of bool, shape (ny, nx)
        Pixels of the blend.
    x, y : sequence of n float [pixel]
        Peaks, in the box.
    psf : SplinePsf
        Of the whole detector.
    origin : (int, int) [pixel]
        x and y of the box's first pixel on the detector.

    Returns
    -------
    array, shape (n, ny, nx)
        Light of each peak: 0 outside of the blend, and inside of it their sum is ``image``. A
        peak that turns out to have no light of its own gets 0 everywhere.
    """
    points = _points(image.shape, x, y, psf, origin)
    templates = np.stack([
        point if pointlike else _symmetric(image, inside, round(a), round(b), psf.fwhm)
        for point, pointlike, a, b in zip(
            points, _pointlike(image, variance, inside, points, x, y, psf.fwhm), x, y, strict=True
        )
    ])  # fmt: skip
    templates *= inside
    weight = 1 / np.sqrt(np.where(inside, variance, np.inf))
    design = (templates * weight).reshape(len(templates), -1).T
    size = np.sqrt((design**2).sum(axis=0))
    amplitudes, _ = nnls(design / np.where(size > 0, size, 1), (image * weight).ravel())
    templates *= (amplitudes / np.where(size > 0, size, 1))[:, None, None]
    # What no template reaches goes to the nearest peak that has light.
    total = templates.sum(axis=0)
    reached = total > 1e-3 * np.sqrt(variance)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    distance = np.stack([
        np.where(amplitude > 0, np.hypot(columns - a, rows - b), np.inf)
        for amplitude, a, b in zip(amplitudes, x, y, strict=True)
    ])  # fmt: skip
    nearest = distance.argmin(axis=0) == np.arange(len(templates))[:, None, None]
    part = np.where(reached, templates / np.where(reached, total, 1), nearest)
    return np.asarray(np.where(inside, image, 0) * part)


def _points(
    shape: tuple[int, ...], x: Sequence[float], y: Sequence[float], psf: SplinePsf,
    origin: tuple[int, int],
) -> FloatArray:  # fmt: skip
    """Point sources of flux 1 at the peaks, shape (n, ny, nx)."""
    out = np.zeros((len(x), *shape))
    for image, a, b in zip(out, x, y, strict=True):
        stamp = psf.image(a + origin[0], b + origin[1], exact=True)
        half = stamp.shape[0] // 2
        row = round(b + origin[1]) - origin[1]
        column = round(a + origin[0]) - origin[0]
        r0, r1 = max(0, row - half), min(shape[0], row + half + 1)
        c0, c1 = max(0, column - half), min(shape[1], column + half + 1)
        image[r0:r1, c0:c1] = stamp[
            r0 - row + half : r1 - row + half, c0 - column + half : c1 - column + half
        ]
    return np.maximum(out, 0)


def _pointlike(
    image: FloatArray, variance: FloatArray, inside: NDArray[np.bool_], points: FloatArray,
    x: Sequence[float], y: Sequence[float], fwhm: float,
) -> list[bool]:  # fmt: skip
    """Whether the PSF describes the core of each peak, all being fitted together."""
    weight = np.where(inside, 1 / variance, 0)
    matrix = np.einsum("aij,bij,ij->ab", points, points, weight, optimize=True)
    right = np.einsum("aij,ij,ij->a", points, image, weight, optimize=True)
    matrix[np.diag_indices_from(matrix)] *= 1 + 1e-9
    flux = np.linalg.solve(matrix + 1e-30 * np.eye(len(matrix)), right)
    model = np.tensordot(flux, points, axes=1)
    deviation = (image - model) ** 2 / (variance + (_MODEL_ERROR * model) ** 2)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    found = []
    for one, a, b in zip(flux, x, y, strict=True):
        core = inside & (np.hypot(columns - a, rows - b) < max(fwhm, 2.0))
        found.append(bool(one > 0 and core.any() and deviation[core].mean() < _POINT_CHI2))
    return found


def _symmetric(
    image: FloatArray, inside: NDArray[np.bool_], column: int, row: int, fwhm: float
) -> FloatArray:
    """Lesser of each pixel and the one opposite of the peak, falling outwards."""
    out = np.zeros(image.shape)
    light = np.where(inside, image, 0)
    ny, nx = image.shape
    up, left = min(row, ny - 1 - row), min(column, nx - 1 - column)
    if up < 0 or left < 0:
        return out
    box = slice(row - up, row + up + 1), slice(column - left, column + left + 1)
    here = light[box]
    out[box] = np.minimum(here, here[::-1, ::-1])
    # A pixel's noise would be taken for shape: half of the PSF's width is smoothed away.
    out = gaussian_filter(out, 0.25 * fwhm)
    _fall(out, column, row)
    return np.asarray(np.maximum(out, 0))


@compiled
def _fall(image: FloatArray, column: int, row: int) -> None:
    """Let no pixel be brighter than the one next to it towards the peak."""
    ny, nx = image.shape
    for reach in range(1, max(ny, nx)):
        for i in range(max(0, row - reach), min(ny, row + reach + 1)):
            edge = abs(i - row) == reach
            for j in range(max(0, column - reach), min(nx, column + reach + 1)):
                if not edge and abs(j - column) != reach:
                    continue
                # The pixel one step inwards on the line to the peak.
                step = (reach - 1) / reach
                inner = image[
                    row + int(np.rint((i - row) * step)), column + int(np.rint((j - column) * step))
                ]
                image[i, j] = min(image[i, j], inner)
