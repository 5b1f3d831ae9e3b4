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
from processing.psf_wings import quieten
from skyledger.errors import DataRejectedError

FloatArray = NDArray[np.float64]

_MAX_STARS = 300
_SHAPE_STARS = 1  # stars a term of the shape polynomials needs: three numbers a star, and a prior
_PIXEL_STARS = 8  # stars a term of a pixel's own polynomial needs: one noisy number a star
_SHAPE_SIZE = 0.03  # size and ellipticity are expected to vary by about this much
_SHAPE_FLOOR = 0.005  # and a star to follow that to this much
_STAR_FLOOR = 0.003  # of the peak: variation that no polynomial follows
_MOVE = 1.0  # pixel: how wrong a window centroid may be
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

    @property
    def dx(self) -> FloatArray:
        """From the stamp's middle pixel to the star [pixel]."""
        return self.x - np.rint(self.x)

    @property
    def dy(self) -> FloatArray:
        return self.y - np.rint(self.y)

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
    stamps = _select(image, variance, mask, found, half)
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
    stamps: _Stamps, shape: tuple[int, int], degrees: tuple[int, int], width: float
) -> tuple[PsfModel, NDArray[np.bool_]]:
    """Fit the planes; the second result tells which stars were kept.

    ``degrees``: of size and shape, and of the pixels themselves. What a star says of its size and
    shape are three numbers with little noise, so that they may vary with a higher degree.
    """
    degree = max(degrees)
    n = stamps.data.shape[1]
    shifter = _Shifter(n)
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
    shapes = np.zeros((n_terms(degrees[0]), n, n))  # how size and shape vary
    planes = np.zeros((basis.shape[1], n, n))
    placed = np.zeros_like(stamps.data)
    for step in range(_ROUNDS + 1):
        if step:
            images = np.tensordot(basis, planes, axes=1)
            flux, dx, dy, placed = _place(stamps, images, dx, dy, shifter)
            kept = _robust(stamps, placed, flux)
        residual = np.where(usable, stamps.data / flux[:, None, None] - placed, 0.0)
        residual = shifter.move(residual, -dx, -dy)
        whole = shifter.move(usable.astype(np.float64), -dx, -dy) > 0.99
        weight = (kept[:, None, None] & whole) / (variance / flux[:, None, None] ** 2 + floor)
        if step > 1:
            snr = flux * np.sqrt((stamps.weight * placed**2).sum(axis=(1, 2)))
            more = _shapes(planes[0], residual, np.where(kept, snr, 0.0), basis[:, : len(shapes)])
            shapes += more
            residual = residual - np.tensordot(basis[:, : len(more)], more, axes=1)
        change, noise = _per_pixel(basis[:, :own], weight, residual)
        pixels, beyond = quieten(pixels + change, noise, width)
        total = np.abs(pixels[0].sum() + beyond)
        pixels, shapes = pixels / total, shapes / total
        # The PSF has the same sum everywhere: flux is no matter of the place.
        pixels[1:] -= _sums(pixels[1:]) / _sums(pixels[:1]) * pixels[0]
        shapes -= _sums(shapes) / _sums(pixels[:1]) * pixels[0]
        planes[:] = 0
        planes[:own] += pixels
        planes[: len(shapes)] += shapes
        off = _centre(planes, width)
        pixels, shapes, planes = (_moved(part, off) for part in (pixels, shapes, planes))
    return PsfModel(planes, degree, x0, y0, scale), kept


def _sums(planes: FloatArray) -> FloatArray:
    return np.asarray(planes.sum(axis=(1, 2), keepdims=True))


def _place(
    stamps: _Stamps, images: FloatArray, dx: FloatArray, dy: FloatArray, shifter: _Shifter
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Improve flux and place of every star by one step of Newton's; and the PSF put there.

    Window centroids are wrong by some hundredths of a pixel where a neighbour is near.
    """
    placed = shifter.move(images, dx, dy)
    along_y, along_x = np.gradient(placed, axis=(1, 2))
    design = np.stack([placed, -along_x, -along_y], axis=1).reshape(len(placed), 3, -1)
    weighted = design * stamps.weight.reshape(len(placed), 1, -1)
    normal = weighted @ design.transpose(0, 2, 1)
    right = weighted @ stamps.data.reshape(len(placed), -1, 1)
    normal += 1e-9 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(3) + 1e-30 * np.eye(
        3
    )
    flux, move_x, move_y = np.linalg.solve(normal, right)[..., 0].T
    flux = np.where(flux > 0, flux, 1e-30)
    reach = _MOVE
    dx = np.clip(dx + np.clip(move_x / flux, -0.2, 0.2), stamps.dx - reach, stamps.dx + reach)
    dy = np.clip(dy + np.clip(move_y / flux, -0.2, 0.2), stamps.dy - reach, stamps.dy + reach)
    return flux, dx, dy, shifter.move(images, dx, dy)


def centred(planes: FloatArray, width: float) -> FloatArray:
    """Put the Gaussian-window centroid of the first plane onto the middle pixel.

    Parameters
    ----------
    planes : array, shape (k, n, n)
        All are moved alike.
    width : float [pixel]
        FWHM of the window.
    """
    return _moved(planes, _centre(planes, width))


def _centre(planes: FloatArray, width: float) -> tuple[float, float]:
    """Where the light of the first plane is, from its middle pixel [pixel]."""
    n = planes.shape[1]
    grid = np.arange(n) - n // 2
    window = np.exp(-0.5 * (grid / (width / 2.355)) ** 2)
    light = planes[0] * window[:, None] * window[None, :]
    # The window pulls the centroid half way to the middle, hence the factor 2.
    off_x = 2 * float((light * grid[None, :]).sum() / light.sum())
    off_y = 2 * float((light * grid[:, None]).sum() / light.sum())
    return off_x, off_y


def _moved(planes: FloatArray, off: tuple[float, float]) -> FloatArray:
    count = len(planes)
    shifter = _Shifter(planes.shape[1])
    return shifter.move(planes, np.full(count, -off[0]), np.full(count, -off[1]))


def _shapes(
    plane: FloatArray, residual: FloatArray, snr: FloatArray, basis: FloatArray
) -> FloatArray:
    """How size and ellipticity of the PSF vary: planes to add, shape (terms, n, n).

    To first order a stretch adds x dP/dx + y dP/dy + 2 P, the two shears x dP/dx - y dP/dy and
    x dP/dy + y dP/dx. Each star's residual is fitted by these, by the PSF itself and by its
    slopes (flux and position errors of the star); the three are then fitted over the detector.
    """
    n = plane.shape[0]
    grid = np.arange(n) - n // 2
    x, y = np.meshgrid(grid, grid)
    along_y, along_x = np.gradient(plane)
    modes = np.stack(
        [
            x * along_x + y * along_y + 2 * plane,
            x * along_x - y * along_y,
            x * along_y + y * along_x,
            plane,
            along_x,
            along_y,
        ]
    )
    solution = np.linalg.lstsq(
        modes.reshape(6, -1).T, residual.reshape(len(residual), -1).T, rcond=None
    )[0]
    values = solution[:3].T
    # The error of such an amplitude is about 2 / (S/N).
    error = np.hypot(_SHAPE_FLOOR, 2 / np.maximum(snr, 1e-9))
    fit = np.zeros((basis.shape[1], 3))
    for mode in range(3):
        good = snr > 0
        for _ in range(4):
            # Terms are expected to be small: without stars to say more they stay 0.
            design = basis[good] / error[good, None]
            prior = np.eye(basis.shape[1]) / _SHAPE_SIZE**2
            prior[0, 0] = 0
            right = design.T @ (values[good, mode] / error[good])
            fit[:, mode] = np.linalg.solve(design.T @ design + prior, right)
            deviation = np.abs(values[:, mode] - basis @ fit[:, mode]) / error
            typical = max(1.4826 * float(np.median(deviation[snr > 0])), 1.0)
            good = (snr > 0) & (deviation < 4 * typical)
    # The mean belongs to the pixels, which follow it exactly.
    fit[0] = 0
    return np.asarray(np.tensordot(fit, modes[:3], axes=1))


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
    images = np.stack([model.image(x, y) for x, y in zip(stamps.x, stamps.y, strict=True)])
    flux, dx, dy, placed = _place(stamps, images, stamps.dx, stamps.dy, shifter)
    for _ in range(3):
        flux, dx, dy, placed = _place(stamps, images, dx, dy, shifter)
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
