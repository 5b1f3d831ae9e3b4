"""The PSF model from the stars of an image (GEN-10; DPDD section 2.6).

Stars are moved to the middle of a pixel by quintic splines, each pixel of the stamp is fitted by
a polynomial over the detector, and what the model leaves on the stars at their own places is fed
back until it is gone: so the interpolation leaves no trace.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from processing import psf_shapes
from processing.detection import Detections
from processing.exposure import FloatImage, MaskImage
from processing.psf import PsfModel, fwhm, n_terms, normalisation, terms
from processing.psf_stamps import Shifter, Stamps, place, select
from processing.psf_wings import quieten
from skyledger.errors import DataRejectedError

FloatArray = NDArray[np.float64]

_SHAPE_STARS = 1  # stars a term of the shape polynomials needs: three numbers a star, and a prior
_PIXEL_STARS = 8  # stars a term of a pixel's own polynomial needs: one noisy number a star
_STAR_FLOOR = 0.002  # of the peak: variation that no polynomial follows
_UNSURE = 0.2  # of a star's light in a pixel, on the way to the model
_RESERVED = 5  # every fifth star is held back to judge the order
_HOLD_BACK = 20  # stars from which on those held back are left out for good
_UNLIKE = 2.0  # ratio of widths of the PSF and the bright sources that is not believed
_ROUNDS = 5


@dataclass(frozen=True)
class PsfStars:
    """The PSF and the stars it was made from.

    ``used`` and ``reserved`` index the detections; reserved stars had no part in the model, and
    there are none where stars are few. ``max_residual`` is the largest residual, as a
    fraction of the peak, of the mean of the reserved stars' stamps less the model; NaN without
    reserved stars.
    """

    model: PsfModel
    used: NDArray[np.int64]
    reserved: NDArray[np.int64]
    max_residual: float


def fit(
    image: FloatImage,
    variance: FloatImage,
    mask: MaskImage,
    found: Detections,
    width: float,
    order: int = 2,
) -> PsfStars:
    """Fit the PSF over the detector.

    Parameters
    ----------
    image, variance : array, shape (ny, nx)
        Less the background.
    width : float [pixel]
        Coarse FWHM.
    order : int
        Highest degree of the polynomials; it is lowered where stars are few: size and shape need
        3 stars a term, the pixels themselves 8. Of the degrees possible for the pixels the one
        that fits best the stars held back is taken.

    Raises
    ------
    DataRejectedError
        If no star is bright, single and unsaturated.
    """
    shape = (image.shape[0], image.shape[1])
    half = int(np.clip(np.ceil(4 * width), 10, 24))
    stamps = select(image, variance, mask, found, width, half)
    reserved = np.arange(len(stamps)) % _RESERVED == _RESERVED - 1
    learning = stamps.take(~reserved)
    moving = _degree(len(learning), _SHAPE_STARS, order)
    best, lowest, residual = 0, np.inf, np.nan
    if reserved.any():
        for degree in range(_degree(len(learning), _PIXEL_STARS, order) + 1):
            model, _ = _solve(learning, shape, (moving, degree), width)
            score, worst = _judge(model, stamps.take(reserved))
            if score < lowest:
                best, lowest, residual = degree, score, worst
    held = reserved if len(stamps) >= _HOLD_BACK else np.zeros_like(reserved)
    rest = stamps.take(~held)
    moving = _degree(len(rest), _SHAPE_STARS, order)
    model, kept = _solve(rest, shape, (moving, best), width)
    _believable(model, shape, width)
    return PsfStars(
        model=model,
        used=rest.index[kept],
        reserved=stamps.index[held],
        max_residual=float(residual),
    )


def _believable(model: PsfModel, shape: tuple[int, int], width: float) -> None:
    """Refuse a PSF that is no peak of about the stars' width: its stars were no stars."""
    found = fwhm(model.image((shape[1] - 1) / 2, (shape[0] - 1) / 2))
    if not width / _UNLIKE < found < width * _UNLIKE:
        raise DataRejectedError(
            f"the PSF has a FWHM of {found:.2f} pixels, the bright sources {width:.2f}; they may "
            f"differ by a factor {_UNLIKE}. Look at the frame: crowded, trailed, or out of focus?"
        )


def _degree(stars: int, per_term: int, order: int) -> int:
    return max([d for d in range(order + 1) if stars >= per_term * n_terms(d)], default=0)


def _solve(
    stamps: Stamps, shape: tuple[int, int], degrees: tuple[int, int], width: float
) -> tuple[PsfModel, NDArray[np.bool_]]:
    """Fit the planes; the second result tells which stars were kept.

    ``degrees``: of size and shape, and of the pixels themselves. What a star says of its size and
    shape are three numbers with little noise, so that they may vary with a higher degree.
    """
    degree = max(degrees)
    n = stamps.data.shape[1]
    shifter = Shifter(n)
    x0, y0, scale = normalisation(shape)
    basis = terms(degree, (stamps.x - x0) / scale, (stamps.y - y0) / scale)
    usable = stamps.weight > 0
    grid = np.arange(n) - n // 2
    radius = np.hypot(grid[:, None], grid[None, :])
    variance = 1 / np.maximum(stamps.weight, 1e-30)
    # No star stands for the PSF at its place to better than a part of the peak.
    floor = (_STAR_FLOOR * 0.7 / width**2) ** 2
    flux = (stamps.data * usable * (radius < 2 * width)).sum(axis=(1, 2))
    dx, dy = stamps.dx, stamps.dy
    kept = flux > 0
    own = n_terms(degrees[1])
    pixels = np.zeros((own, n, n))  # what every pixel has by itself
    shapes = np.zeros((n_terms(degrees[0]), 3))  # how size and shape vary
    planes = np.zeros((basis.shape[1], n, n))
    placed = np.zeros_like(stamps.data)
    for step in range(_ROUNDS + 1):
        if step:
            images = np.tensordot(basis, planes, axes=1)
            flux, dx, dy, placed = place(stamps, images, dx, dy, shifter)
            kept = _robust(stamps, placed, flux)
        if 0 < step < _ROUNDS:
            stamps = _alone(stamps, flux[:, None, None] * placed)
            usable = stamps.weight > 0
        residual = np.where(usable, stamps.data / flux[:, None, None] - placed, 0.0)
        residual = shifter.move(residual, -dx, -dy)
        whole = shifter.move(usable.astype(np.float64), -dx, -dy) > 0.99
        weight = (kept[:, None, None] & whole) / (variance / flux[:, None, None] ** 2 + floor)
        if step > 1:
            mine = basis[:, : len(shapes)]
            before = shapes
            shapes = psf_shapes.fit(pixels[0], residual, weight, mine, before, width)
            changed = np.tensordot(shapes - before, psf_shapes.modes(pixels[0]), axes=1)
            residual = residual - np.tensordot(mine, changed, axes=1)
        change, noise = _per_pixel(basis[:, :own], weight, residual)
        pixels, beyond = quieten(pixels + change, noise, width)
        pixels /= np.abs(pixels[0].sum() + beyond)
        # The PSF has the same sum everywhere: flux is no matter of the place.
        sums = pixels.sum(axis=(1, 2))
        pixels[1:] -= (sums[1:] / sums[0])[:, None, None] * pixels[0]
        pixels = centred(pixels, width)
        planes[:] = 0
        planes[:own] += pixels
        planes[: len(shapes)] += np.tensordot(shapes, psf_shapes.modes(pixels[0]), axes=1)
    return PsfModel(planes, degree, x0, y0, scale), kept


def centred(planes: FloatArray, width: float) -> FloatArray:
    """Put the Gaussian-window centroid of the first plane onto the middle pixel.

    Parameters
    ----------
    planes : array, shape (k, n, n)
        All are moved alike.
    width : float [pixel]
        FWHM of the window.
    """
    n = planes.shape[1]
    grid = np.arange(n) - n // 2
    window = np.exp(-0.5 * (grid / (width / 2.355)) ** 2)
    light = planes[0] * window[:, None] * window[None, :]
    # The window pulls the centroid half way to the middle, hence the factor 2.
    off_x = 2 * float((light * grid[None, :]).sum() / light.sum())
    off_y = 2 * float((light * grid[:, None]).sum() / light.sum())
    count = len(planes)
    return Shifter(n).move(planes, np.full(count, -off_x), np.full(count, -off_y))


def _per_pixel(
    basis: FloatArray, weight: FloatArray, residual: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Least squares in every pixel of the stamp, and its variance; shapes (terms, n, n)."""
    count, n = basis.shape[1], residual.shape[1]
    flat_weight, flat = weight.reshape(len(weight), -1), residual.reshape(len(residual), -1)
    normal = np.einsum("ka,kb,kp->pab", basis, basis, flat_weight, optimize=True)
    right = np.einsum("ka,kp->pa", basis, flat_weight * flat, optimize=True)
    # A ridge far below the data keeps pixels without any star solvable.
    ridge = 1e-9 * np.maximum(np.einsum("paa->p", normal), 1e-30)
    normal += ridge[:, None, None] * np.eye(count)
    solution = np.linalg.solve(normal, right[..., None])[..., 0]
    noise = np.einsum("paa->pa", np.linalg.inv(normal))
    return solution.T.reshape(count, n, n), noise.T.reshape(count, n, n)


def _alone(stamps: Stamps, model: FloatArray) -> Stamps:
    """Leave out what is far brighter than a star: companions that nothing else has told of."""
    spread = np.hypot(1 / np.sqrt(np.maximum(stamps.weight, 1e-30)), _UNSURE * model)
    bright = (stamps.weight > 0) & (stamps.data - model > 5 * spread)
    if not bright.any():
        return stamps
    lost = ndimage.binary_dilation(bright, np.ones((1, 5, 5), dtype=bool))
    return replace(stamps, weight=np.where(lost, 0.0, stamps.weight))


def _robust(stamps: Stamps, placed: FloatArray, flux: FloatArray) -> NDArray[np.bool_]:
    """Stars whose residual is no larger than that of their peers."""
    residual = stamps.data - flux[:, None, None] * placed
    usable = stamps.weight > 0
    power = np.sqrt(np.where(usable, residual**2, 0).sum(axis=(1, 2)))
    noise = np.sqrt(np.where(usable, 1 / np.maximum(stamps.weight, 1e-30), 0).sum(axis=(1, 2)))
    excess = np.sqrt(np.maximum(power**2 - noise**2, 0)) / flux
    middle = np.median(excess)
    spread = 1.4826 * np.median(np.abs(excess - middle)) + 0.002
    good: NDArray[np.bool_] = (excess < middle + 4 * spread) & (flux > 1e-20)
    return good


def _judge(model: PsfModel, stamps: Stamps) -> tuple[float, float]:
    """Chi-square per pixel on stars, and the largest residual of their mean over the peak."""
    shifter = Shifter(model.size)
    images = np.stack([model.image(x, y) for x, y in zip(stamps.x, stamps.y, strict=True)])
    flux, dx, dy, placed = place(stamps, images, stamps.dx, stamps.dy, shifter)
    for _ in range(3):
        flux, dx, dy, placed = place(stamps, images, dx, dy, shifter)
    good = _robust(stamps, placed, flux)
    residual = (stamps.data - flux[:, None, None] * placed) * (stamps.weight > 0)
    chi2 = (stamps.weight * residual**2)[good].sum() / max((stamps.weight[good] > 0).sum(), 1)
    star = np.where(good, np.minimum(flux, np.median(flux)), 0)
    mean = (star[:, None, None] * shifter.move(residual / flux[:, None, None], -dx, -dy)).sum(0)
    return float(chi2), float(np.abs(mean / star.sum()).max() / images.max())


def median_fwhm(model: PsfModel, shape: tuple[int, int]) -> float:
    """Median over the detector of the FWHM [pixel], on a grid of 5 x 5."""
    ny, nx = shape
    points = [(fx * nx, fy * ny) for fy in np.arange(0.1, 1, 0.2) for fx in np.arange(0.1, 1, 0.2)]
    return float(np.median([fwhm(model.image(x, y)) for x, y in points]))
