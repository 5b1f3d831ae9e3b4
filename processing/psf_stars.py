"""The PSF model from the stars of an image (GEN-10; DPDD section 2.6).

Stars are moved to the middle of a pixel by quintic splines, each pixel of the stamp is fitted by
a polynomial over the detector, and what the model leaves on the stars at their own places is fed
back until it is gone: so the interpolation leaves no trace.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline

from processing.detection import Detections, star_like
from processing.exposure import FloatImage, Mask, MaskImage
from processing.psf import PsfModel, fwhm, n_terms, normalisation, terms
from skyledger.errors import DataRejectedError

FloatArray = NDArray[np.float64]

_MAX_STARS = 300
_PER_TERM = 3  # stars a polynomial term needs, those held back not counted
_RESERVED = 5  # every fifth star is held back to judge the order
_ROUNDS = 4


@dataclass(frozen=True)
class PsfStars:
    """The PSF and the stars it was made from.

    ``used`` and ``reserved`` index the detections. ``max_residual`` is the largest residual, as a
    fraction of the peak, of the mean of the reserved stars' stamps less the model; NaN without
    reserved stars.
    """

    model: PsfModel
    used: NDArray[np.int64]
    reserved: NDArray[np.int64]
    max_residual: float


@dataclass
class _Stamps:
    data: FloatArray  # (k, n, n)
    weight: FloatArray  # inverse variance, 0 where unusable
    x: FloatArray
    y: FloatArray
    index: NDArray[np.int64]

    def take(self, keep: NDArray[np.bool_]) -> "_Stamps":
        return _Stamps(
            self.data[keep], self.weight[keep], self.x[keep], self.y[keep], self.index[keep]
        )

    def __len__(self) -> int:
        return len(self.x)


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
        Highest degree of the polynomials; it is lowered until every term has 3 stars, and further
        if the stars held back are fitted better by a lower one.

    Raises
    ------
    DataRejectedError
        If no star is bright, single and unsaturated.
    """
    shape = (image.shape[0], image.shape[1])
    half = int(np.clip(np.ceil(4 * width), 10, 24))
    stamps = _select(image, variance, mask, found, half)
    allowed = [d for d in range(order + 1) if len(stamps) * 0.8 >= _PER_TERM * n_terms(d)] or [0]
    reserved = np.arange(len(stamps)) % _RESERVED == _RESERVED - 1
    best, residual = 0, np.nan
    if reserved.any() and len(allowed) > 1:
        scores = []
        for degree in allowed:
            model, _ = _solve(stamps.take(~reserved), shape, degree, width)
            scores.append(_judge(model, stamps.take(reserved)))
        # A higher order must earn its place.
        for degree, score in zip(allowed, scores, strict=True):
            if score[0] < 0.998 * scores[best][0]:
                best = allowed.index(degree)
        residual = scores[best][1]
    model, kept = _solve(stamps, shape, allowed[best], width)
    return PsfStars(
        model=model,
        used=stamps.index[kept],
        reserved=stamps.index[kept & reserved],
        max_residual=float(residual),
    )


def _select(
    image: FloatImage,
    variance: FloatImage,
    mask: MaskImage,
    found: Detections,
    half: int,
) -> _Stamps:
    ny, nx = image.shape
    chosen = np.zeros(len(found), dtype=bool)
    for min_snr in (50.0, 25.0, 12.0):
        chosen = star_like(found, min_snr)
        if chosen.sum() >= 40:
            break
    bad = (mask & int(Mask.SAT | Mask.BAD | Mask.NO_DATA | Mask.CR)) != 0
    stamps, weights, index = [], [], []
    for i in np.flatnonzero(chosen):
        column, row = int(np.rint(found.x[i])), int(np.rint(found.y[i]))
        if not (half <= column < nx - half and half <= row < ny - half):
            continue
        box = (slice(row - half, row + half + 1), slice(column - half, column + half + 1))
        segment = found.segments[box]
        other = (segment > 0) & (segment != found.label[i])
        # A neighbour within the inner half spoils the star, farther out it is left out.
        inner = slice(half // 2, half + half // 2 + 1)
        if other[inner, inner].any() or bad[box][inner, inner].any():
            continue
        stamps.append(image[box])
        weights.append(np.where(other | bad[box], 0.0, 1.0 / variance[box]))
        index.append(i)
        if len(index) == _MAX_STARS:
            break
    if not index:
        saturated = ((mask & int(Mask.SAT)) != 0).mean()
        raise DataRejectedError(
            f"no star for the PSF: {len(found)} sources, {int(found.clean.sum())} clean, "
            f"{int(chosen.sum())} like stars, none of them alone and whole; "
            f"{100 * saturated:.1f} % of the pixels are saturated. Look at the frame"
        )
    chosen_index = np.array(index)
    return _Stamps(
        np.array(stamps, dtype=np.float64),
        np.array(weights, dtype=np.float64),
        found.x[chosen_index],
        found.y[chosen_index],
        chosen_index,
    )


class _Shifter:
    """Shifts of stamps by fractions of a pixel through quintic splines, as matrices."""

    def __init__(self, n: int) -> None:
        self._n = n
        knots = np.arange(-3.0, 4.0)
        self._basis = BSpline.basis_element(knots, extrapolate=False)
        grid = np.arange(n, dtype=np.float64)
        collocation = self._at(grid[:, None] - grid[None, :])
        self._inverse = np.linalg.inv(collocation)

    def _at(self, t: FloatArray) -> FloatArray:
        return np.asarray(np.nan_to_num(self._basis(t)))

    def matrices(self, shift: FloatArray) -> FloatArray:
        """Matrices, shape (k, n, n), that move a profile by ``shift`` pixels to larger indices."""
        grid = np.arange(self._n)
        weights = self._at(grid[None, :, None] - shift[:, None, None] - grid[None, None, :])
        return np.asarray(weights @ self._inverse)

    def move(self, stamps: FloatArray, dx: FloatArray, dy: FloatArray) -> FloatArray:
        """Move stamps, shape (k, n, n), by (dx, dy) pixels."""
        moved = self.matrices(dy) @ stamps @ self.matrices(dx).transpose(0, 2, 1)
        return np.asarray(moved)


def _solve(
    stamps: _Stamps, shape: tuple[int, int], degree: int, width: float
) -> tuple[PsfModel, NDArray[np.bool_]]:
    """Fit the planes; the second result tells which stars were kept."""
    n = stamps.data.shape[1]
    shifter = _Shifter(n)
    x0, y0, scale = normalisation(shape)
    basis = terms(degree, (stamps.x - x0) / scale, (stamps.y - y0) / scale)
    dx, dy = stamps.x - np.rint(stamps.x), stamps.y - np.rint(stamps.y)
    there, back = shifter.matrices(dy), shifter.matrices(-dy)
    there_x, back_x = (
        shifter.matrices(dx).transpose(0, 2, 1),
        shifter.matrices(-dx).transpose(0, 2, 1),
    )
    usable = stamps.weight > 0
    middle = n // 2
    grid = np.arange(n) - middle
    radius = np.hypot(grid[:, None], grid[None, :])
    flux = (stamps.data * usable * (radius < 2 * width)).sum(axis=(1, 2))
    kept = flux > 0
    planes = np.zeros((basis.shape[1], n, n))
    for step in range(_ROUNDS + 1):
        model = np.tensordot(basis, planes, axes=1)
        placed = there @ model @ there_x
        if step:
            flux = _amplitudes(stamps, placed)
            kept = _robust(stamps, placed, flux)
        residual = np.where(usable, stamps.data / flux[:, None, None] - placed, 0.0)
        residual = back @ residual @ back_x
        # Weight of a star: its signal to noise, cut so that a few do not rule.
        variance = np.median(np.where(usable, 1 / np.maximum(stamps.weight, 1e-30), np.nan), (1, 2))
        variance = np.nan_to_num(variance, nan=np.inf)
        star = np.where(kept, np.minimum(flux**2 / variance, 1e6), 0.0)
        weight = star[:, None, None] * (back @ usable.astype(np.float64) @ back_x > 0.99)
        planes += _per_pixel(basis, weight, residual)
        planes = _quieten(planes, radius, width)
        planes /= np.abs(planes[0].sum())
    return PsfModel(planes, degree, x0, y0, scale), kept


def _per_pixel(basis: FloatArray, weight: FloatArray, residual: FloatArray) -> FloatArray:
    """Least squares in every pixel of the stamp; shape (terms, n, n)."""
    count, n = basis.shape[1], residual.shape[1]
    flat_weight, flat = weight.reshape(len(weight), -1), residual.reshape(len(residual), -1)
    normal = np.einsum("ka,kb,kp->pab", basis, basis, flat_weight, optimize=True)
    right = np.einsum("ka,kp->pa", basis, flat_weight * flat, optimize=True)
    # A ridge far below the data keeps pixels without any star solvable.
    ridge = 1e-9 * np.maximum(np.einsum("paa->p", normal), 1e-30)
    normal += ridge[:, None, None] * np.eye(count)
    solution = np.linalg.solve(normal, right[..., None])[..., 0]
    return np.asarray(solution.T.reshape(count, n, n))


def _quieten(planes: FloatArray, radius: FloatArray, width: float) -> FloatArray:
    """Let the wings be round and constant: their noise is larger than their variation."""
    inner, outer = 1.8 * width, 2.6 * width
    taper = np.clip((outer - radius) / (outer - inner), 0, 1)
    ring = np.rint(radius).astype(np.int64)
    count = np.bincount(ring.ravel())
    profile = np.bincount(ring.ravel(), planes[0].ravel()) / count
    # Between whole radii the profile is interpolated in its logarithm.
    positive = np.log(np.maximum(profile, 1e-9))
    smooth = np.exp(np.interp(radius, np.arange(profile.size), positive))
    smooth[radius > radius.shape[0] // 2 + 0.5] = 0
    quiet = planes * taper
    quiet[0] += (1 - taper) * smooth
    return quiet


def _amplitudes(stamps: _Stamps, placed: FloatArray) -> FloatArray:
    down = (stamps.weight * placed**2).sum(axis=(1, 2))
    flux = (stamps.weight * placed * stamps.data).sum(axis=(1, 2)) / np.maximum(down, 1e-30)
    return np.where(flux > 0, flux, 1e-30)


def _robust(stamps: _Stamps, placed: FloatArray, flux: FloatArray) -> NDArray[np.bool_]:
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


def _judge(model: PsfModel, stamps: _Stamps) -> tuple[float, float]:
    """Chi-square per pixel on stars, and the largest residual of their mean over the peak."""
    shifter = _Shifter(model.size)
    dx, dy = stamps.x - np.rint(stamps.x), stamps.y - np.rint(stamps.y)
    images = np.stack([model.image(x, y) for x, y in zip(stamps.x, stamps.y, strict=True)])
    placed = shifter.move(images, dx, dy)
    flux = _amplitudes(stamps, placed)
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
