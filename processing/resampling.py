"""Pixels of one grid interpolated at the pixels of another one.

Lanczos interpolation of width 4 (8 x 8 pixels), which passes the spatial frequencies that a PSF
of 2.5 pixels FWHM or wider contains. Images hold nJy per pixel, so the pixel area's Jacobian
conserves flux. The variance is interpolated as a power density. GEN-12, DIA-08.
"""

from dataclasses import dataclass

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline
from scipy.ndimage import map_coordinates

from processing.compiled import compiled
from processing.exposure import Exposure, Mask

FloatArray = NDArray[np.float64]
TAPS = 8  # twice the width of the Lanczos kernel
_STEPS = 1024  # positions within a pixel for which its weights are tabulated
_NODES = 32  # spacing [pixel] of exact WCS transformations; a spline lies between
_FINE = 8  # spacing [pixel] of the spline's values; lines lie between
_SQUARE = 8  # pixels a side of the squares that tell where nothing is masked; at least the taps
_LAYERS = 24  # pixels into a hole that is filled from its border


@dataclass(frozen=True)
class PixelMap:
    """Where the pixels of one grid lie on another one.

    ``x``, ``y`` are positions on the other grid [pixel] of every eighth pixel of this one, from
    pixel -8 on; ``shape`` (ny, nx) is that of this grid.
    """

    x: FloatArray
    y: FloatArray
    shape: tuple[int, int]

    def at(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """Positions on the other grid, shape (2, n), and the Jacobian d(other)/d(this)."""
        out = np.empty((2, x.size))
        for k, plane in enumerate((self.x, self.y)):
            out[k] = map_coordinates(plane, [y / _FINE + 1, x / _FINE + 1], order=1)
        return out

    def jacobian(self) -> FloatArray:
        """Mean of d(other)/d(this), shape (2, 2): rows x, y of the other grid."""
        rows, columns = (n - 1 for n in self.x.shape)
        return np.array(
            [
                [np.mean(p[:, -1] - p[:, 0]) / columns, np.mean(p[-1] - p[0]) / rows]
                for p in (self.x, self.y)
            ]
        ) / _FINE  # fmt: skip


def pixel_map(wcs: WCS, shape: tuple[int, int], other: WCS) -> PixelMap:
    """Map every pixel of the grid (``wcs``, ``shape``) to pixels of ``other``.

    The transformation is exact every 32 pixels, a cubic spline to every eighth and linear in
    between; for tangent-plane projections that is better than 1e-6 pixel.
    """
    ny, nx = shape
    fine_x, fine_y = (_FINE * np.arange(-1, n // _FINE + 2) for n in (nx, ny))
    nodes_x = np.linspace(fine_x[0], fine_x[-1], max(5, nx // _NODES + 1))
    nodes_y = np.linspace(fine_y[0], fine_y[-1], max(5, ny // _NODES + 1))
    gx, gy = np.meshgrid(nodes_x, nodes_y)
    ra, decl = wcs.all_pix2world(gx.ravel(), gy.ravel(), 0)
    ox, oy = other.all_world2pix(ra, decl, 0)
    x_of = RectBivariateSpline(nodes_y, nodes_x, np.reshape(ox, gx.shape))
    y_of = RectBivariateSpline(nodes_y, nodes_x, np.reshape(oy, gx.shape))
    return PixelMap(x_of(fine_y, fine_x), y_of(fine_y, fine_x), (ny, nx))


def resample(
    exposure: Exposure, where: PixelMap
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
    """Image, variance and mask of ``exposure`` at the pixels of a map, shape (ny, nx) each."""
    ny, nx = exposure.shape
    holes, source_mask = np.empty((ny, nx), np.bool_), np.empty((ny, nx), np.int32)
    busy = np.zeros((ny // _SQUARE + 2, nx // _SQUARE + 2), np.bool_)
    _holes(
        exposure.image, exposure.variance, exposure.mask, int(Mask.BAD | Mask.CR | Mask.NO_DATA),
        int(Mask.BAD), holes, source_mask, busy,
    )  # fmt: skip
    source = filled(exposure.image, holes)
    source_variance = filled(exposure.variance, holes)
    del holes
    shape = where.shape
    image, variance = np.zeros(shape, np.float32), np.full(shape, np.inf, np.float32)
    mask = np.zeros(shape, np.int32)
    _resample(
        source, source_variance, source_mask, busy, where.x, where.y, _FINE,
        lanczos_weights(), image, variance, mask, int(Mask.NO_DATA), int(Mask.EDGE),
    )  # fmt: skip
    return image, variance, mask


def filled(image: NDArray[np.float32], holes: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Copy of ``image`` whose ``holes`` continue their surroundings, for filters.

    From the border inwards each pixel gets the mean of its known neighbours, 24 pixels deep.
    """
    out = np.where(holes, np.float32(0), image).astype(np.float32, copy=False)
    if holes.any():
        _fill(out, holes.copy())
    return out


@compiled
def _fill(image: NDArray[np.float32], open_: NDArray[np.bool_]) -> None:
    ny, nx = image.shape
    edge = np.empty(open_.sum(), np.int64)  # open pixels with a known neighbour
    count = 0
    for i in range(ny):
        for j in range(nx):
            if open_[i, j] and (
                (i > 0 and not open_[i - 1, j])
                or (i < ny - 1 and not open_[i + 1, j])
                or (j > 0 and not open_[i, j - 1])
                or (j < nx - 1 and not open_[i, j + 1])
            ):
                edge[count] = i * nx + j
                count += 1
    for _ in range(_LAYERS):
        for k in range(count):
            r, c = edge[k] // nx, edge[k] % nx
            total = 0.0
            known = 0
            for i in range(max(0, r - 1), min(ny, r + 2)):
                for j in range(max(0, c - 1), min(nx, c + 2)):
                    if not open_[i, j]:
                        total += image[i, j]
                        known += 1
            image[r, c] = total / known
        # A layer is known to the next one only.
        for k in range(count):
            open_[edge[k] // nx, edge[k] % nx] = False
        following = np.empty(4 * count, np.int64)
        n = 0
        for k in range(count):
            r, c = edge[k] // nx, edge[k] % nx
            for side in range(4):
                i = r + (side == 0) - (side == 1)
                j = c + (side == 2) - (side == 3)
                if 0 <= i < ny and 0 <= j < nx and open_[i, j]:
                    following[n] = i * nx + j
                    n += 1
        edge = np.unique(following[:n])
        count = edge.size
        if count == 0:
            break


def lanczos_weights() -> NDArray[np.float32]:
    """Lanczos weights by position within a pixel, shape (steps + 1, taps), rows summing to 1."""
    t = np.linspace(0, 1, _STEPS + 1)[:, None] - (np.arange(TAPS) - (TAPS // 2 - 1))
    table = np.sinc(t) * np.sinc(t / (TAPS // 2)) * (np.abs(t) < TAPS // 2)
    table /= table.sum(axis=1, keepdims=True)
    return np.asarray(table, dtype=np.float32)


@compiled
def _holes(
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    mask: NDArray[np.int32],
    bits: int,
    bad: int,
    holes: NDArray[np.bool_],
    out_mask: NDArray[np.int32],
    busy: NDArray[np.bool_],
) -> None:
    """Find pixels without a value, and squares with any masked pixel."""
    for i in range(mask.shape[0]):
        for j in range(mask.shape[1]):
            here = mask[i, j]
            hole = (here & bits) != 0
            if not (np.isfinite(image[i, j]) and np.isfinite(variance[i, j])) and not hole:
                # A pixel without a value and without a reason is taken for a defect.
                hole = True
                here |= bad
            holes[i, j], out_mask[i, j] = hole, here
            if here != 0:
                busy[i // _SQUARE, j // _SQUARE] = True


@compiled
def _resample(
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    mask: NDArray[np.int32],
    busy: NDArray[np.bool_],
    xs: FloatArray,
    ys: FloatArray,
    step: int,
    table: NDArray[np.float32],
    out: NDArray[np.float32],
    out_variance: NDArray[np.float32],
    out_mask: NDArray[np.int32],
    no_data: int,
    edge: int,
) -> None:
    ny, nx = image.shape
    columns = out.shape[1]
    steps = table.shape[0] - 1
    flat = image.reshape(-1)
    line_x, line_y = np.empty(xs.shape[1]), np.empty(xs.shape[1])
    x_of, y_of = np.empty(columns), np.empty(columns)
    area = np.empty(columns, np.float32)
    first = np.empty(columns, np.int64)  # pixel of the input where the taps begin, or -1
    step_x, step_y = np.empty(columns, np.int32), np.empty(columns, np.int32)
    for i in range(out.shape[0]):
        # Between four nodes all is bilinear.
        p = i // step + 1
        s = i / step + 1 - p
        for q in range(line_x.size):
            line_x[q] = (1 - s) * xs[p, q] + s * xs[p + 1, q]
            line_y[q] = (1 - s) * ys[p, q] + s * ys[p + 1, q]
        for q in range(1, line_x.size - 1):
            begin = (q - 1) * step
            x_here, x_slope = line_x[q], (line_x[q + 1] - line_x[q]) / step
            y_here, y_slope = line_y[q], (line_y[q + 1] - line_y[q]) / step
            x_down, y_down = (xs[p + 1, q] - xs[p, q]) / step, (ys[p + 1, q] - ys[p, q]) / step
            area_here = np.float32(abs(x_slope * y_down - x_down * y_slope))
            for j in range(begin, min(begin + step, columns)):
                x, y = x_here + (j - begin) * x_slope, y_here + (j - begin) * y_slope
                x0, y0 = np.floor(x), np.floor(y)
                x_of[j], y_of[j], area[j] = x, y, area_here
                step_x[j] = np.int32((x - x0) * steps + 0.5)
                step_y[j] = np.int32((y - y0) * steps + 0.5)
                r, c = int(y0) - (TAPS // 2 - 1), int(x0) - (TAPS // 2 - 1)
                first[j] = -1
                if 0 <= r <= ny - TAPS and 0 <= c <= nx - TAPS:
                    # Taps lie in at most two squares along each axis.
                    top, bottom = r // _SQUARE, (r + TAPS - 1) // _SQUARE
                    left, right = c // _SQUARE, (c + TAPS - 1) // _SQUARE
                    if not (
                        busy[top, left]
                        or busy[top, right]
                        or busy[bottom, left]
                        or busy[bottom, right]
                    ):
                        first[j] = r * nx + c
        for j in range(columns):
            start = first[j]
            if start < 0:
                continue
            # Most pixels: all neighbours are there and none is masked. A sum for each column of
            # taps lets all eight be formed at once.
            wx, wy = table[step_x[j]], table[step_y[j]]
            t0 = t1 = t2 = t3 = t4 = t5 = t6 = t7 = np.float32(0)
            for k in range(TAPS):
                row, w = flat[start + k * nx : start + k * nx + TAPS], wy[k]
                t0 += w * row[0]
                t1 += w * row[1]
                t2 += w * row[2]
                t3 += w * row[3]
                t4 += w * row[4]
                t5 += w * row[5]
                t6 += w * row[6]
                t7 += w * row[7]
            total = (t0 * wx[0] + t4 * wx[4]) + (t1 * wx[1] + t5 * wx[5])
            total += (t2 * wx[2] + t6 * wx[6]) + (t3 * wx[3] + t7 * wx[7])
            out[i, j] = total * area[j]
            nearest = variance[int(np.rint(y_of[j])), int(np.rint(x_of[j]))]
            out_variance[i, j] = nearest * area[j] * area[j]
        for j in range(columns):
            if first[j] < 0:
                _resample_one(
                    image, variance, mask, x_of[j], y_of[j], table[step_x[j]], table[step_y[j]],
                    area[j], out[i, j : j + 1], out_variance[i, j : j + 1], out_mask[i, j : j + 1],
                    no_data, edge,
                )  # fmt: skip


@compiled
def _resample_one(
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    mask: NDArray[np.int32],
    x: float,
    y: float,
    wx: NDArray[np.float32],
    wy: NDArray[np.float32],
    area: float,
    out: NDArray[np.float32],
    out_variance: NDArray[np.float32],
    out_mask: NDArray[np.int32],
    no_data: int,
    edge: int,
) -> None:
    """Resample a pixel some of whose neighbours are masked or beyond the border."""
    ny, nx = image.shape
    if not (-0.5 <= x <= nx - 0.5 and -0.5 <= y <= ny - 0.5):
        out_mask[0] = no_data
        return
    r0, c0 = int(np.floor(y)) - (TAPS // 2 - 1), int(np.floor(x)) - (TAPS // 2 - 1)
    total = 0.0
    weight = 0.0
    bits = 0
    for k in range(TAPS):
        r = r0 + k
        if r < 0 or r >= ny:
            bits |= edge
            continue
        for m in range(TAPS):
            c = c0 + m
            if c < 0 or c >= nx:
                continue
            w = wy[k] * wx[m]
            total += w * image[r, c]
            weight += w
            if abs(w) > 0.05:
                bits |= mask[r, c]
    if c0 < 0 or c0 + TAPS > nx:
        bits |= edge
    if bits & no_data or weight < 0.3:
        out_mask[0] = no_data
        return
    r, c = min(max(int(np.rint(y)), 0), ny - 1), min(max(int(np.rint(x)), 0), nx - 1)
    out[0] = total / weight * area
    out_variance[0] = variance[r, c] * area * area
    out_mask[0] = bits
