"""Stars for the PSF: chosen, cut out, and placed by fractions of a pixel (GEN-10)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.interpolate import BSpline

from processing.detection import Detections, star_like
from processing.exposure import FloatImage, Mask, MaskImage
from processing.psf_wings import turbulence
from skyledger.errors import DataRejectedError

FloatArray = NDArray[np.float64]

_MAX_STARS = 300
_ALONE = 1.25  # FWHM around a star within which there must be nothing else
_FAR = 4  # half-widths of the stamp: how far away a source may be to matter
_FAINT = 1e-6  # of the peak: wings that do not matter
_MOVE = 1.0  # pixel: how wrong a window centroid may be


@dataclass
class Stamps:
    """Cut-outs of k stars, n pixels wide, n odd; the star lies near the middle pixel.

    ``weight`` is the inverse variance, 0 where unusable; ``x``, ``y`` [pixel] are on the detector;
    ``index`` numbers the detections.
    """

    data: FloatArray  # (k, n, n)
    weight: FloatArray
    x: FloatArray
    y: FloatArray
    index: NDArray[np.int64]

    def take(self, keep: NDArray[np.bool_]) -> "Stamps":
        """Return some of the stars."""
        return Stamps(
            self.data[keep], self.weight[keep], self.x[keep], self.y[keep], self.index[keep]
        )

    @property
    def dx(self) -> FloatArray:
        """From the stamp's middle pixel to the star [pixel]."""
        return self.x - np.rint(self.x)

    @property
    def dy(self) -> FloatArray:
        """As :attr:`dx`, along the columns."""
        return self.y - np.rint(self.y)

    def __len__(self) -> int:
        return len(self.x)


def select(
    image: FloatImage,
    variance: FloatImage,
    mask: MaskImage,
    found: Detections,
    width: float,
    half: int,
) -> Stamps:
    """Cut out the brightest single unsaturated stars, at most 300, brightest first.

    A source within 1.25 FWHM spoils a star; farther out its pixels are left out and its wings are
    subtracted, which follow turbulence's profile.

    Raises
    ------
    DataRejectedError
        If there is none.
    """
    ny, nx = image.shape
    chosen = np.zeros(len(found), dtype=bool)
    for min_snr in (50.0, 25.0, 12.0):
        chosen = star_like(found, min_snr)
        if chosen.sum() >= 40:
            break
    bad = (mask & int(Mask.SAT | Mask.BAD | Mask.NO_DATA | Mask.CR)) != 0
    grid = np.arange(-half, half + 1)
    core = np.hypot(grid[:, None], grid[None, :]) < _ALONE * width
    neighbours = _Neighbours(image, mask, found, width, half)
    stamps, weights, index = [], [], []
    for i in np.flatnonzero(chosen).tolist():
        column, row = int(np.rint(found.x[i])), int(np.rint(found.y[i]))
        if not (half <= column < nx - half and half <= row < ny - half):
            continue
        box = (slice(row - half, row + half + 1), slice(column - half, column + half + 1))
        segment = found.segments[box]
        other = (segment > 0) & (segment != found.label[i])
        if (core & (other | bad[box])).any():
            continue
        lost = ndimage.binary_dilation(other, iterations=2) & ~core | bad[box]
        stamps.append(image[box] - neighbours.around(i))
        weights.append(np.where(lost, 0.0, 1.0 / variance[box]))
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
    return Stamps(
        np.array(stamps, dtype=np.float64),
        np.array(weights, dtype=np.float64),
        found.x[chosen_index],
        found.y[chosen_index],
        chosen_index,
    )


class _Neighbours:
    """Light that the wings of all sources lay on the surroundings, by turbulence's profile."""

    def __init__(
        self, image: FloatImage, mask: MaskImage, found: Detections, width: float, half: int
    ) -> None:
        self._found, self._half, self._width = found, half, width
        self._reach = _FAR * half
        self._profile = turbulence(width, self._reach + 2 * half)
        inside = np.arange(4 * found.radius) / 4
        rings = 2 * np.pi * inside * np.interp(inside, *self._profile) / 4
        self._light = np.maximum(found.flux, 0) / rings.sum()
        saturated = (mask & int(Mask.SAT)) != 0
        for i in np.flatnonzero(~found.clean).tolist():
            self._light[i] = max(self._light[i], self._by_wings(image, saturated, i))

    def _by_wings(self, image: FloatImage, saturated: NDArray[np.bool_], i: int) -> float:
        """Light of a saturated source, from what its wings have 2 to 4 FWHM away; else 0."""
        box, radius = self._box(image.shape, self._found.x[i], self._found.y[i])
        if not saturated[box][radius < 0.5 * self._width].any():
            return 0.0
        ring = (radius > 2 * self._width) & (radius < 4 * self._width) & ~saturated[box]
        if not ring.any():
            return 0.0
        return float(np.median(image[box][ring] / np.interp(radius[ring], *self._profile)))

    def _box(
        self, shape: tuple[int, ...], x: float, y: float
    ) -> tuple[tuple[slice, slice], FloatArray]:
        column, row, half = int(np.rint(x)), int(np.rint(y)), self._half
        rows = slice(max(row - half, 0), min(row + half + 1, shape[0]))
        columns = slice(max(column - half, 0), min(column + half + 1, shape[1]))
        dy = np.arange(rows.start, rows.stop) - y
        dx = np.arange(columns.start, columns.stop) - x
        return (rows, columns), np.hypot(dy[:, None], dx[None, :])

    def around(self, star: int) -> FloatArray:
        """Light of all others on the stamp of a star."""
        x, y = self._found.x, self._found.y
        far = np.hypot(x - x[star], y - y[star])
        share = self._light * np.interp(far, *self._profile)
        own = share[star]
        near = np.flatnonzero((far < self._reach) & (share > _FAINT * own) & (far > 0))
        grid = np.arange(-self._half, self._half + 1)
        column, row = np.rint(x[star]), np.rint(y[star])
        light = np.zeros((grid.size, grid.size))
        for k in near:
            radius = np.hypot((grid + row - y[k])[:, None], (grid + column - x[k])[None, :])
            light += self._light[k] * np.interp(radius, *self._profile)
        return light


class Shifter:
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
        # The weights depend on the distance of two pixels alone.
        apart = grid[:, None] - grid[None, :] + self._n - 1
        weights = self._at(np.arange(1 - self._n, self._n) - shift[:, None])[:, apart]
        return np.asarray(weights @ self._inverse)

    def move(self, stamps: FloatArray, dx: FloatArray, dy: FloatArray) -> FloatArray:
        """Move stamps, shape (k, n, n), by (dx, dy) pixels."""
        moved = self.matrices(dy) @ stamps @ self.matrices(dx).transpose(0, 2, 1)
        return np.asarray(moved)


def place(
    stamps: Stamps, images: FloatArray, dx: FloatArray, dy: FloatArray, shifter: Shifter
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
