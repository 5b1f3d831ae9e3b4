"""Blends of a visit image: connected pixels above the threshold, and the peaks in them.

Regions come from the likelihood image of a point source, peaks from a sharper one; what stars alone
explain is fitted as stars, so that pairs a little more than a FWHM apart are parted.
"""

from dataclasses import dataclass, replace

import numpy as np
import sep
from scipy import ndimage

from processing import tiles
from processing.exposure import Exposure, FloatImage, Mask
from processing.plane import BoolArray, FloatArray, Plane
from processing.psf import PsfModel

_MOST_STARS = 6  # peaks of a blend that stars alone may explain
_MORE_STARS = 2  # that may be added
_STAR_SNR = 10.0  # of a blend, and of what is added
_STAR_CHI2 = 1.25  # per pixel, of stars that explain everything
_PSF_ERROR = 0.02  # of a pixel's light
_STEPS = 20  # of the fit


@dataclass(frozen=True)
class Blend:
    """Connected pixels above the threshold, and the peaks in them, brightest first."""

    box: tuple[slice, slice]
    inside: BoolArray
    x: FloatArray  # of the detector [pixel]
    y: FloatArray
    snr: FloatArray


def find(pvi: Exposure, plane: Plane, threshold: float) -> list[Blend]:
    """Find connected regions of the likelihood image, and the peaks in them on a sharper one."""
    score = _score(pvi, plane)
    strong = (score >= threshold) & plane.usable
    reach = max(2, round(plane.psf.fwhm))
    disk = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1]) <= reach
    labels, count = ndimage.label(ndimage.binary_dilation(strong, disk))
    pvi.mask &= ~int(Mask.DETECTED | Mask.NOT_DEBLENDED)
    pvi.mask[strong] |= int(Mask.DETECTED)
    if count == 0:
        return []
    # The likelihood image is broader than the PSF: neighbours a FWHM apart are one there.
    width = 0.4 * plane.psf.fwhm / 2.355
    noise = np.sqrt(plane.variance) / (2 * np.sqrt(np.pi) * max(width, 0.3))
    sharp = ndimage.gaussian_filter(plane.image, width) / noise
    sep.set_extract_pixstack(max(sharp.size, 300_000))
    found = sep.extract(
        np.ascontiguousarray(sharp, np.float32), 3.0, mask=~plane.usable, minarea=2,
        filter_kernel=None, deblend_nthresh=32, deblend_cont=0.003,
    )  # fmt: skip
    at = found["ypeak"], found["xpeak"]
    found = found[(sharp[at] > 4) & (labels[at] > 0)]
    owner = labels[found["ypeak"], found["xpeak"]]
    tops = ndimage.maximum_position(score, labels, np.arange(1, count + 1))
    blends = []
    for index, box in enumerate(ndimage.find_objects(labels), start=1):
        mine = found[owner == index]
        x, y = mine["x"].astype(float), mine["y"].astype(float)
        if len(mine) == 0:
            x, y = np.array([float(tops[index - 1][1])]), np.array([float(tops[index - 1][0])])
        far = np.hypot(x - mine["xpeak"], y - mine["ypeak"]) > plane.psf.fwhm if len(mine) else None
        if far is not None:
            x, y = np.where(far, mine["xpeak"], x), np.where(far, mine["ypeak"], y)
        row, column = np.rint(y).astype(int), np.rint(x).astype(int)
        snr = score[np.clip(row, 0, score.shape[0] - 1), np.clip(column, 0, score.shape[1] - 1)]
        keep = snr >= threshold if (snr >= threshold).any() else snr == snr.max()
        order = np.argsort(-snr[keep], kind="stable")
        blends.append(
            Blend(box, labels[box] == index, x[keep][order], y[keep][order], snr[keep][order])
        )
    return blends


def _score(pvi: Exposure, plane: Plane) -> FloatImage:
    """Signal-to-noise of a point source at every pixel."""
    psf = pvi.psf if isinstance(pvi.psf, PsfModel) else None
    if psf is None:
        assert pvi.psf is not None  # noqa: S101 (checked on entry)
        psf = PsfModel.sampled(pvi.psf, pvi.shape)
    score, _ = tiles.likelihood(plane.image, plane.variance, plane.usable, psf)
    return score


def explained_by_stars(blend: Blend, plane: Plane, threshold: float) -> Blend:
    """Place the peaks better, and add stars that make no peak of their own, if stars explain all.

    Two stars a FWHM apart, one three times brighter, have one peak; point sources fitted together
    leave the second in the residual. A galaxy is left as it is: no few stars explain it.
    """
    if len(blend.x) > _MOST_STARS or blend.snr[0] < _STAR_SNR:
        return blend
    x, y = blend.x, blend.y
    for extra in range(_MORE_STARS + 1):
        models, snr, residual, variance = _fit_stars(blend, plane, x, y)
        if (models[:, 0] <= 0).any():
            return blend
        chi2, peak, at = _left(blend, plane, models, residual, variance)
        if chi2 < _STAR_CHI2:
            if len(models) == 1:
                return blend
            order = np.argsort(-models[:, 0], kind="stable")
            order = order[(snr[order] >= threshold) | (order == order[0])]
            return replace(blend, x=models[order, 1], y=models[order, 2], snr=snr[order])
        if extra == _MORE_STARS or peak < _STAR_SNR:
            return blend
        x, y = np.append(models[:, 1], at[0]), np.append(models[:, 2], at[1])
    return blend


def _fit_stars(
    blend: Blend, plane: Plane, x: FloatArray, y: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Fit n point sources at once to a blend, starting at (x, y) [pixel].

    Returns
    -------
    models : array, shape (n, 3)
        Flux, x, y.
    snr : array, shape (n,)
        Flux over its error.
    residual, variance : array, of the blend's box
    """
    image = plane.image[blend.box].astype(np.float64)
    steady = plane.variance[blend.box].astype(np.float64)
    used = blend.inside & plane.usable[blend.box]
    models = np.column_stack([np.zeros(len(x)), x, y])
    variance, errors = steady + np.maximum(image, 0) / plane.per_unit, np.zeros(3 * len(x))
    for step in range(_STEPS):
        shapes = _rendered(blend, plane, models)
        model = np.tensordot(models[:, 0], shapes[:, 0], axes=1)
        residual = image - model
        if step:  # first the fluxes alone
            variance = steady + np.maximum(model, 0) / plane.per_unit
            shapes[:, 1:] *= models[:, 0, None, None, None]
            design = shapes.reshape(-1, *image.shape)
        else:
            design = shapes[:, 0]
        weight = np.where(used, 1 / variance, 0).ravel()
        flat = design.reshape(len(design), -1)
        normal = (flat * weight) @ flat.T
        scale = 1 / np.sqrt(np.maximum(np.diag(normal), 1e-30))
        normal = normal * np.outer(scale, scale) + 1e-9 * np.eye(len(normal))
        move = scale * np.linalg.solve(normal, scale * (flat @ (weight * residual.ravel())))
        if not step:
            models[:, 0] += move
            continue
        move = move.reshape(-1, 3)
        longest = np.abs(move[:, 1:]).max()
        errors = scale * np.sqrt(np.diag(np.linalg.inv(normal)))
        models += move * min(1.0, 0.5 / max(longest, 1e-9))
        if longest < 1e-3:
            break
    model = np.tensordot(models[:, 0], _rendered(blend, plane, models)[:, 0], axes=1)
    snr = models[:, 0] / np.maximum(errors[::3], 1e-30)
    return models, snr, image - model, steady + np.maximum(model, 0) / plane.per_unit


def _rendered(blend: Blend, plane: Plane, models: FloatArray) -> FloatArray:
    """PSF at each place and its slopes along x and y, shape (n, 3, ny, nx) of the blend's box."""
    rows, columns = blend.box
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    out = np.zeros((len(models), 3, *shape))
    for target, (_, x, y) in zip(out, models, strict=True):
        stamps = plane.psf.slopes(x, y)
        half = plane.psf.radius
        row, column = round(y) - rows.start, round(x) - columns.start
        r0, r1 = max(0, row - half), min(shape[0], row + half + 1)
        c0, c1 = max(0, column - half), min(shape[1], column + half + 1)
        if r0 < r1 and c0 < c1:
            target[:, r0:r1, c0:c1] = stamps[
                :, r0 - row + half : r1 - row + half, c0 - column + half : c1 - column + half
            ]
    return out


def _left(
    blend: Blend, plane: Plane, models: FloatArray, residual: FloatArray, variance: FloatArray
) -> tuple[float, float, tuple[float, float]]:
    """Judge what point sources leave of a blend.

    Returns
    -------
    chi2, snr, (x, y)
        Chi-square per pixel within the stars' cores; signal-to-noise and place [pixel] of the
        strongest peak. Light that an error of the PSF explains does not count.
    """
    rows, columns = blend.box
    y, x = np.mgrid[rows.start : rows.stop, columns.start : columns.stop]
    used = blend.inside & plane.usable[blend.box]
    model = np.abs(plane.image[blend.box] - residual)
    nearest = np.min([np.hypot(x - a, y - b) for _, a, b in models], axis=0)
    core = used & (nearest < 1.2 * plane.psf.fwhm)
    deviation = residual**2 / (variance + (_PSF_ERROR * model) ** 2)
    sigma = plane.psf.fwhm / 2.355
    left = ndimage.gaussian_filter(residual - _PSF_ERROR * model, sigma)
    snr = np.where(used, left * 2 * np.sqrt(np.pi) * sigma / np.sqrt(variance), -np.inf)
    row, column = np.unravel_index(int(np.argmax(snr)), snr.shape)
    place = (float(column + columns.start), float(row + rows.start))
    return float(deviation[core].mean()) if core.any() else np.inf, float(snr[row, column]), place
