"""Resampling of an exposure onto another pixel grid.

Lanczos interpolation of width 4 (8 x 8 pixels), which passes the spatial frequencies that a PSF
of 2.5 pixels FWHM or wider contains. Images hold nJy per pixel, so the pixel area's Jacobian
conserves flux. The variance is interpolated as a power density: noise below those frequencies
keeps it, while the pixel-to-pixel variance of the result is up to a quarter lower and its pixels
are correlated. Differences and PSF-weighted sums, which look at low frequencies only, are then
right. GEN-12, DIA-08.
"""

from dataclasses import dataclass, replace

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline
from scipy.ndimage import gaussian_filter, map_coordinates, spline_filter

from processing.compiled import compiled
from processing.exposure import Exposure, Mask, Psf
from processing.psf import PsfModel

FloatArray = NDArray[np.float64]
_TAPS = 8  # twice the width of the Lanczos kernel
_STEPS = 1024  # positions within a pixel for which its weights are tabulated
_NODES = 32  # spacing [pixel] of exact WCS transformations; a spline lies between


@dataclass(frozen=True)
class PixelMap:
    """Where the pixels of one grid lie on another one.

    ``x``, ``y`` (ny, nx) are positions on the other grid [pixel]; ``area`` (ny, nx) is the area
    of a pixel there.
    """

    x: FloatArray
    y: FloatArray
    area: FloatArray


def pixel_map(wcs: WCS, shape: tuple[int, int], other: WCS) -> PixelMap:
    """Map every pixel of the grid (``wcs``, ``shape``) to pixels of ``other``.

    The transformation is exact every 32 pixels and a cubic spline in between; for tangent-plane
    projections that is better than 1e-6 pixel.
    """
    ny, nx = shape
    nodes_x = np.linspace(-1, nx, max(5, nx // _NODES + 1))
    nodes_y = np.linspace(-1, ny, max(5, ny // _NODES + 1))
    gx, gy = np.meshgrid(nodes_x, nodes_y)
    ra, decl = wcs.all_pix2world(gx.ravel(), gy.ravel(), 0)
    ox, oy = other.all_world2pix(ra, decl, 0)
    rows, columns = np.arange(ny), np.arange(nx)
    x_of = RectBivariateSpline(nodes_y, nodes_x, np.reshape(ox, gx.shape))
    y_of = RectBivariateSpline(nodes_y, nodes_x, np.reshape(oy, gx.shape))
    area = np.abs(
        x_of(rows, columns, dy=1) * y_of(rows, columns, dx=1)
        - x_of(rows, columns, dx=1) * y_of(rows, columns, dy=1)
    )
    return PixelMap(x_of(rows, columns), y_of(rows, columns), area)


def warp(exposure: Exposure, wcs: WCS, shape: tuple[int, int]) -> Exposure:
    """Resample ``exposure`` onto the grid (``wcs``, ``shape``).

    Pixels outside the input are NO_DATA with value 0 and infinite variance; those that need
    input beyond its border are EDGE. Mask bits spread to the pixels they contribute to.

    Returns
    -------
    Exposure
        On the new grid; visit, unit, quality as before; the PSF is a
        :class:`~processing.psf.PsfModel` of the new grid, or None.
    """
    where = pixel_map(wcs, shape, exposure.wcs)
    image, variance, mask = resample(exposure, where)
    psf: Psf | None = None
    if exposure.psf is not None:
        psf = PsfModel.sampled(WarpedPsf(exposure, wcs), shape)
    return replace(
        exposure,
        image=image,
        variance=variance,
        mask=mask,
        wcs=wcs,
        psf=psf,
        quality=dict(exposure.quality),
    )


def resample(
    exposure: Exposure, where: PixelMap
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
    """Image, variance and mask of ``exposure`` at the pixels of a map, shape (ny, nx) each."""
    holes = (exposure.mask & int(Mask.BAD | Mask.CR | Mask.NO_DATA)) != 0
    holes |= ~np.isfinite(exposure.image) | ~np.isfinite(exposure.variance)
    source = filled(exposure.image, holes)
    source_variance = filled(exposure.variance, holes)
    shape = where.x.shape
    image, variance = np.zeros(shape, np.float32), np.full(shape, np.inf, np.float32)
    mask = np.zeros(shape, np.int32)
    # A pixel without a value and without a reason is taken for a defect.
    source_mask = exposure.mask.astype(np.int32)
    source_mask[holes & ((source_mask & int(Mask.BAD | Mask.CR | Mask.NO_DATA)) == 0)] |= int(
        Mask.BAD
    )
    _resample(
        source, source_variance, source_mask, where.x, where.y, where.area, _weights(), image,
        variance, mask, int(Mask.NO_DATA), int(Mask.EDGE),
    )  # fmt: skip
    return image, variance, mask


def filled(image: NDArray[np.float32], holes: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Copy of ``image`` whose ``holes`` hold the mean of their surroundings, for filters."""
    out = np.where(holes, 0, image).astype(np.float32)
    open_holes = holes.copy()
    for sigma in (1.0, 3.0, 10.0):
        if not open_holes.any():
            break
        weight = gaussian_filter((~holes).astype(np.float32), sigma, truncate=3)
        mean = gaussian_filter(np.where(holes, 0, image).astype(np.float32), sigma, truncate=3)
        near = open_holes & (weight > 0.05)
        out[near] = mean[near] / weight[near]
        open_holes &= ~near
    return out


class WarpedPsf:
    """PSF of an exposure as it appears on another grid."""

    def __init__(self, exposure: Exposure, wcs: WCS) -> None:
        if exposure.psf is None:
            raise ValueError("the exposure has no PSF")
        self._psf = exposure.psf
        self._from, self._to, self._shape = exposure.wcs, wcs, exposure.shape

    def at_input(self, x: float, y: float) -> tuple[float, float, FloatArray]:
        """Input pixel of (x, y), and d(input)/d(output), shape (2, 2)."""
        px, py = np.array([x, x + 1, x]), np.array([y, y, y + 1])
        ix, iy = self._from.all_world2pix(*self._to.all_pix2world(px, py, 0), 0)
        jacobian = np.array([[ix[1] - ix[0], ix[2] - ix[0]], [iy[1] - iy[0], iy[2] - iy[0]]])
        return float(ix[0]), float(iy[0]), jacobian

    def covers(self, x: float, y: float) -> bool:
        """Whether the exposure has a pixel at (x, y) of the new grid."""
        ix, iy, _ = self.at_input(x, y)
        ny, nx = self._shape
        return -0.5 <= ix <= nx - 0.5 and -0.5 <= iy <= ny - 0.5

    def image(self, x: float, y: float) -> FloatArray:
        """PSF at (x, y) of the new grid; outside the input, that of its nearest border."""
        ix, iy, jacobian = self.at_input(x, y)
        ny, nx = self._shape
        stamp = self._psf.image(min(max(ix, 0.0), nx - 1.0), min(max(iy, 0.0), ny - 1.0))
        half = stamp.shape[0] // 2
        dy, dx = np.mgrid[-half : half + 1, -half : half + 1]
        sx = jacobian[0, 0] * dx + jacobian[0, 1] * dy + half
        sy = jacobian[1, 0] * dx + jacobian[1, 1] * dy + half
        spline = spline_filter(stamp, order=5, output=np.float64)
        out: FloatArray = map_coordinates(spline, [sy, sx], order=5, prefilter=False)
        out /= out.sum()
        return out


def _weights() -> NDArray[np.float32]:
    """Lanczos weights by position within a pixel, shape (steps + 1, taps), rows summing to 1."""
    t = np.linspace(0, 1, _STEPS + 1)[:, None] - (np.arange(_TAPS) - (_TAPS // 2 - 1))
    table = np.sinc(t) * np.sinc(t / (_TAPS // 2)) * (np.abs(t) < _TAPS // 2)
    table /= table.sum(axis=1, keepdims=True)
    return np.asarray(table, dtype=np.float32)


@compiled
def _resample(
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    mask: NDArray[np.int32],
    xs: FloatArray,
    ys: FloatArray,
    areas: FloatArray,
    table: NDArray[np.float32],
    out: NDArray[np.float32],
    out_variance: NDArray[np.float32],
    out_mask: NDArray[np.int32],
    no_data: int,
    edge: int,
) -> None:
    ny, nx = image.shape
    taps = table.shape[1]
    before = taps // 2 - 1
    for i in range(xs.shape[0]):
        for j in range(xs.shape[1]):
            x, y = xs[i, j], ys[i, j]
            if not (-0.5 <= x <= nx - 0.5 and -0.5 <= y <= ny - 0.5):
                out_mask[i, j] = no_data
                continue
            x0, y0 = int(np.floor(x)), int(np.floor(y))
            wx = table[int((x - x0) * (table.shape[0] - 1) + 0.5)]
            wy = table[int((y - y0) * (table.shape[0] - 1) + 0.5)]
            total = 0.0
            weight = 0.0
            bits = 0
            for k in range(taps):
                r = y0 - before + k
                if r < 0 or r >= ny:
                    bits |= edge
                    continue
                for m in range(taps):
                    c = x0 - before + m
                    if c < 0 or c >= nx:
                        continue
                    w = wy[k] * wx[m]
                    total += w * image[r, c]
                    weight += w
                    if abs(w) > 0.05:
                        bits |= mask[r, c]
            if x0 < before or x0 + taps - before > nx:
                bits |= edge
            if bits & no_data or weight < 0.3:
                out_mask[i, j] = no_data
                continue
            r, c = min(max(int(np.rint(y)), 0), ny - 1), min(max(int(np.rint(x)), 0), nx - 1)
            out[i, j] = total / weight * areas[i, j]
            out_variance[i, j] = variance[r, c] * areas[i, j] * areas[i, j]
            out_mask[i, j] = bits
