"""Stars of a crowded field: their PSF, places and fluxes, all together (GEN-10, DIA-08).

Where no star is alone, a PSF made from stamps holds the neighbours, and each flux those of the
stars beside it, more of them the worse the seeing. Here all stars are fitted in turn, each on what
the others leave (as DAOPHOT does, Stetson 1987, PASP 99, 191); then the PSF is made anew from
bright stars with all the others subtracted. The sky is what is left.
"""

from dataclasses import dataclass

import numpy as np
import sep
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

from processing import detection, psf_stars
from processing.compiled import compiled
from processing.exposure import UNUSABLE, FloatImage, Mask, MaskImage
from processing.psf import PsfModel
from processing.psf_core import SplinePsf, spline_psf
from processing.psf_spline import Stamp, render_slopes, stamp_at
from skyledger.errors import DataRejectedError

FloatArray = NDArray[np.float64]

_SIGMA = 2.3548
_FAINTEST = (100.0, 30.0, 8.0)  # S/N of stars above their surroundings, PSF by PSF
_SWEEPS = 4  # over all stars between two PSFs
_MODEL_ERROR = 0.01  # of a star's light that the PSF does not describe, pixel by pixel
_RAY = 6.0  # S/N by which a cosmic ray stands out of the pixels around it
_RIVAL = 0.2  # of a star's flux: brighter neighbours make it no star for the PSF
_PSF_STARS = 60
_CELL = 64  # pixels: of the sky
_MIN_STARS = 5


@dataclass(frozen=True)
class CrowdedStars:
    """Stars of an image, brightest first, arrays of n, and what is between them.

    Attributes
    ----------
    psf : PsfModel
    n_psf : int
        Stars that made it.
    sky : array, shape (ny, nx) [electron]
        Light between the stars, unresolved ones included.
    hit : array of bool, shape (ny, nx)
        Cosmic rays.
    x, y : array [pixel]
    flux, flux_err : array [electron]
    """

    psf: PsfModel
    n_psf: int
    sky: FloatImage
    hit: NDArray[np.bool_]
    x: FloatArray
    y: FloatArray
    flux: FloatArray
    flux_err: FloatArray


def fit(
    image: FloatImage, noise: FloatImage, mask: MaskImage, width: float, name: str
) -> CrowdedStars:
    """Fit PSF, sky and all stars of an image.

    Parameters
    ----------
    image : array, shape (ny, nx) [electron]
        With its sky.
    noise : array [electron**2]
        Variance without the photons: read-out.
    mask : array of int
    width : float [pixel]
        Coarse FWHM.
    name : str
        Of the frame, for errors.

    Raises
    ------
    DataRejectedError
        If there are fewer than five stars, or none for the PSF.
    """
    shape = (image.shape[0], image.shape[1])
    mask = mask.copy()
    usable = (mask & int(UNUSABLE)) == 0
    hit = np.zeros(shape, bool)
    sky = np.full(shape, np.percentile(image[usable], 15), np.float32)
    variance = noise + np.maximum(ndimage.gaussian_filter(image, 1.0), 0)
    psf, n_psf = PsfModel.constant(_moffat(width)), 0
    stars, errors = np.zeros((0, 3)), np.zeros(0)
    for faintest in (*_FAINTEST, None):
        core = spline_psf(psf, shape)
        if faintest is not None:
            left = image - sky - _model(core, stars, shape)
            new = _peaks(left, variance, usable, core, stars, faintest)
            stars = np.concatenate([stars, new])
        if len(stars) < _MIN_STARS:
            raise DataRejectedError(
                f"{name}: {len(stars)} stars on the frame, {_MIN_STARS} are needed. "
                "Look at the frame"
            )
        for _ in range(_SWEEPS):
            left = image - sky - _model(core, stars, shape)
            stars, errors = _improved(left, variance, usable, core, stars)
            left = image - sky - _model(core, stars, shape)
            sky += np.float32(np.median(left[usable]))
        if faintest is None:
            break
        if faintest == _FAINTEST[-1]:
            hit = _rays(image - sky, variance, usable, core.fwhm)
            mask[hit] |= int(Mask.CR)
            usable &= ~hit
        psf, n_psf = _psf_of(image - sky, variance, mask, core, stars, width, name)
    left = np.ascontiguousarray(image - sky - _model(core, stars, shape))
    sky += sep.Background(left, mask=~usable, bw=_CELL, bh=_CELL, fw=3, fh=3).back()
    order = np.argsort(-stars[:, 2], kind="stable")
    stars, errors = stars[order], errors[order]
    x, y, flux = stars.T
    return CrowdedStars(psf, n_psf, sky, hit, x, y, flux, errors)


def _moffat(width: float) -> FloatArray:
    """Round profile to begin with (Moffat 1969, exponent 3)."""
    half = int(np.ceil(4 * width))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    alpha2 = (width / 2) ** 2 / (2 ** (1 / 3) - 1)
    return np.asarray((1 + (x * x + y * y) / alpha2) ** -3.0)


def _peaks(
    left: FloatImage,
    variance: FloatImage,
    usable: NDArray[np.bool_],
    psf: SplinePsf,
    known: FloatArray,
    faintest: float,
) -> FloatArray:
    """Find stars that are not known yet: x, y, flux; shape (n, 3)."""
    sigma = psf.fwhm / _SIGMA
    point = np.zeros((2 * int(10 * sigma) + 1,) * 2)
    point[point.shape[0] // 2, point.shape[1] // 2] = 1

    def sharp(image: NDArray[np.floating]) -> NDArray[np.floating]:
        """Difference of Gaussians: what is as smooth as the crowd does not count."""
        return np.asarray(
            ndimage.gaussian_filter(image, sigma) - ndimage.gaussian_filter(image, 2 * sigma)
        )

    light = sharp(np.where(usable, left, np.float32(0)))
    noise = np.sqrt(variance * np.float32((sharp(point) ** 2).sum()))
    size = 2 * int(np.ceil(0.6 * psf.fwhm)) + 1
    top = (light == ndimage.maximum_filter(light, size)) & (light > faintest * noise) & usable
    top[:2] = top[-2:] = top[:, :2] = top[:, -2:] = False
    row, column = np.nonzero(top)
    found = np.column_stack([column, row]).astype(np.float64)
    if len(known) and len(found):
        # Beside a star it is the error of its PSF that is seen.
        found = found[KDTree(known[:, :2]).query(found)[0] > 0.7 * psf.fwhm]
    at = found.astype(np.int64)
    peak = psf.image(left.shape[1] / 2, left.shape[0] / 2).max()
    return np.column_stack([found, np.maximum(left[at[:, 1], at[:, 0]], 1) / peak])


def _model(psf: SplinePsf, stars: FloatArray, shape: tuple[int, int]) -> FloatImage:
    """Image of stars (x, y, flux), shape (ny, nx)."""
    r = psf.radius
    out = np.zeros((shape[0] + 2 * r, shape[1] + 2 * r), np.float32)
    if len(stars):
        x, y, flux = stars.T
        column, row = np.rint(x).astype(int), np.rint(y).astype(int)
        stamps = psf.images(x, y, np.column_stack([x - column, y - row]))
        for i, j, f, stamp in zip(row, column, flux, stamps, strict=True):
            out[i : i + 2 * r + 1, j : j + 2 * r + 1] += np.float32(f) * stamp
    return out[r:-r, r:-r]


def _improved(
    left: FloatImage,
    variance: FloatImage,
    usable: NDArray[np.bool_],
    psf: SplinePsf,
    stars: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Improve every star on what the others leave of the image; and the errors of the fluxes."""
    ny, nx = left.shape
    stars = stars[np.argsort(-stars[:, 2], kind="stable")].copy()
    errors = np.zeros(len(stars))
    _sweep(
        np.ascontiguousarray(left), variance, usable, psf.coefficients, psf.order, psf.x0, psf.y0,
        psf.scale, psf.radius, int(np.ceil(psf.fwhm)), stars, errors,
    )  # fmt: skip
    keep = (stars[:, 2] > 0) & (stars[:, :2] > 0).all(axis=1)
    keep &= (stars[:, 0] < nx - 1) & (stars[:, 1] < ny - 1)
    # Two that have run into each other are one.
    for pair in KDTree(stars[:, :2]).query_pairs(0.4 * psf.fwhm, output_type="ndarray"):
        keep[pair.max()] = False
    return stars[keep], errors[keep]


@compiled
def _sweep(
    left: Stamp,
    variance: Stamp,
    usable: NDArray[np.bool_],
    coefficients: Stamp,
    order: int,
    x0: float,
    y0: float,
    scale: float,
    radius: int,
    reach: int,
    stars: FloatArray,
    errors: FloatArray,
) -> None:
    """Fit flux and place of one star after the other, in place; ``left`` follows."""
    ny, nx = left.shape
    size, m = 2 * radius + 1, coefficients.shape[1]
    stamp, work = np.empty((m, m), np.float32), np.empty((2, size + 5, size), np.float32)
    p, px = np.empty((size, size), np.float32), np.empty((size, size), np.float32)
    py = np.empty((size, size), np.float32)
    for s in range(stars.shape[0]):
        x, y, flux = stars[s]
        column, row = int(np.rint(x)), int(np.rint(y))
        stamp_at(coefficients, order, (x - x0) / scale, (y - y0) / scale, stamp)
        render_slopes(stamp, x - column, y - row, p, px, py, work)
        normal, right = np.zeros((3, 3)), np.zeros(3)
        seen = 0
        for r in range(max(0, row - reach), min(ny, row + reach + 1)):
            for c in range(max(0, column - reach), min(nx, column + reach + 1)):
                if not usable[r, c]:
                    continue
                i, j = r - row + radius, c - column + radius
                light = flux * p[i, j]
                weight = 1 / (variance[r, c] + (_MODEL_ERROR * light) ** 2)
                data = left[r, c] + light
                a, b, d = p[i, j], px[i, j], py[i, j]
                normal[0, 0] += weight * a * a
                normal[0, 1] += weight * a * b
                normal[0, 2] += weight * a * d
                normal[1, 1] += weight * b * b
                normal[1, 2] += weight * b * d
                normal[2, 2] += weight * d * d
                right[0] += weight * a * data
                right[1] += weight * b * data
                right[2] += weight * d * data
                seen += 1
        if seen < 2 * reach * reach or normal[0, 0] <= 0:
            errors[s] = np.inf  # half of its box is lost: it stays as it is
            continue
        normal[1, 0], normal[2, 0], normal[2, 1] = normal[0, 1], normal[0, 2], normal[1, 2]
        for k in range(3):
            normal[k, k] *= 1 + 1e-9
        inverse = np.linalg.inv(normal)
        solved = inverse @ right
        new = max(solved[0], 0.0)
        if new > 0 and abs(solved[1]) < 2 * new and abs(solved[2]) < 2 * new:
            stars[s, 0] = x + min(max(solved[1] / new, -0.3), 0.3)
            stars[s, 1] = y + min(max(solved[2] / new, -0.3), 0.3)
        stars[s, 2] = new
        errors[s] = np.sqrt(inverse[0, 0])
        for r in range(max(0, row - radius), min(ny, row + radius + 1)):
            for c in range(max(0, column - radius), min(nx, column + radius + 1)):
                left[r, c] -= np.float32(new - flux) * p[r - row + radius, c - column + radius]


def _rays(
    light: FloatImage, variance: FloatImage, usable: NDArray[np.bool_], width: float
) -> NDArray[np.bool_]:
    """Pixels of cosmic rays: above their neighbours by more of their light than a PSF can be.

    A pixel at the peak of a Gaussian of FWHM w has 1 - exp(-4 ln 2 / w^2) more than the mean of
    the four around it, elsewhere less.
    """
    light = np.where(usable, light, np.float32(0))
    around = ndimage.convolve(light, np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / np.float32(4))
    above = light - around
    share = 1 - np.exp(-4 * np.log(2) / width**2)
    noise = np.sqrt(1.25 * variance)
    whole = ndimage.binary_erosion(usable, np.ones((3, 3), bool))
    seed = (above > _RAY * noise) & (above > 2 * share * light) & whole
    bright = light - ndimage.median_filter(light, 7) > noise
    hit: NDArray[np.bool_] = ndimage.binary_dilation(seed, np.ones((3, 3)), 2, mask=bright) | seed
    return np.asarray(hit & usable)


def _psf_of(
    image: FloatImage,
    variance: FloatImage,
    mask: MaskImage,
    core: SplinePsf,
    stars: FloatArray,
    width: float,
    name: str,
) -> tuple[PsfModel, int]:
    """PSF of bright stars, the others subtracted; and their number."""
    shape = (image.shape[0], image.shape[1])
    chosen = _alone(stars, (mask & int(UNUSABLE)) == 0, width)
    clean = image - _model(core, np.delete(stars, chosen, axis=0), shape)
    found = detection.detect(clean, np.sqrt(variance), mask, width, threshold=30.0)
    try:
        made = psf_stars.fit(clean, variance, mask, found, width)
    except DataRejectedError as error:
        raise DataRejectedError(f"{name}: {error}") from None
    return made.model, len(made.used)


def _alone(stars: FloatArray, usable: NDArray[np.bool_], width: float) -> NDArray[np.int64]:
    """Bright stars without a rival near, to make the PSF of."""
    ny, nx = usable.shape
    tree = KDTree(stars[:, :2])
    chosen: list[int] = []
    border = 2 * width
    whole = ndimage.minimum_filter(usable, 2 * int(np.ceil(1.5 * width)) + 1)
    for k in np.argsort(-stars[:, 2], kind="stable"):
        x, y, flux = stars[k]
        if not (border < x < nx - border and border < y < ny - border):
            continue
        near = tree.query_ball_point((x, y), 1.5 * width)
        rivals = any(stars[j, 2] > _RIVAL * flux for j in near if j != k)
        # Two of them must not lie in each other's light.
        close = any(np.hypot(*(stars[j, :2] - (x, y))) < 5 * width for j in chosen)
        if whole[round(y), round(x)] and not rivals and not close:
            chosen.append(int(k))
        if len(chosen) == _PSF_STARS:
            break
    return np.array(chosen, dtype=np.int64)
