"""Resampling of an exposure onto another pixel grid.

The pixels are those of :mod:`processing.resampling`. Noise below the frequencies that a PSF
contains keeps its power density, while the pixel-to-pixel variance of the result is up to a
quarter lower and its pixels are correlated: ``noise`` of the result says how. PSF-weighted sums,
which look at low frequencies only, are right without it. GEN-12, DIA-08.
"""

from dataclasses import replace

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, spline_filter

from processing.compiled import compiled
from processing.exposure import Exposure, Psf
from processing.psf import PsfModel
from processing.resampling import PixelMap, lanczos_weights, pixel_map, resample

FloatArray = NDArray[np.float64]
_NOISE = 12  # half-width [pixel] of the stamp of the noise's correlation
_PHASES = 48  # places at which the correlation of the noise is averaged


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
        noise=warped_noise(exposure.noise, where),
    )


def white_noise() -> FloatArray:
    """Correlation of noise without any: the stamp that ``Exposure.noise`` None stands for."""
    stamp = np.zeros((2 * _NOISE + 1, 2 * _NOISE + 1))
    stamp[_NOISE, _NOISE] = 1
    return stamp


def warped_noise(noise: FloatArray | None, where: PixelMap) -> FloatArray:
    """Correlation of the noise after interpolation to a pixel map, sum 1.

    Lanczos weights at the places where the pixels fall, averaged over 48 pixels of the image;
    exact for a shift, whose places are all alike.
    """
    before = white_noise() if noise is None else noise
    ny, nx = where.shape
    # A lattice that fills the image evenly and repeats no row or column.
    k = np.arange(_PHASES) + 0.5
    places = where.at(np.floor(nx * k / _PHASES), np.floor(ny * (k * 0.6180339887 % 1)))
    lag_y, lag_x = np.mgrid[-_NOISE : _NOISE + 1, 0 : _NOISE + 1].reshape(2, -1)
    moved = where.jacobian() @ np.stack([lag_x, lag_y])
    total = np.zeros(lag_x.size)
    _lagged(before, places, moved, lanczos_weights().astype(np.float64), total)
    half = (total / _PHASES).reshape(2 * _NOISE + 1, _NOISE + 1)
    stamp = np.concatenate([half[::-1, :0:-1], half], axis=1)
    # Lags of 0 along x are in the half once; both directions are alike.
    stamp = (stamp + stamp[::-1, ::-1]) / 2
    return np.asarray(stamp / stamp.sum())


@compiled
def _lagged(
    before: FloatArray, places: FloatArray, moved: FloatArray, table: FloatArray, total: FloatArray
) -> None:
    """Add the covariance of interpolated pixels, a lag apart, over places (2, n)."""
    steps, taps = table.shape[0] - 1, table.shape[1]
    size = before.shape[0]
    reach = size // 2
    part = np.zeros((2, size))
    low, high = np.zeros(2, np.int64), np.zeros(2, np.int64)
    for n in range(places.shape[1]):
        for lag in range(total.size):
            part[:] = 0
            for axis in range(2):
                u = places[axis, n] - np.floor(places[axis, n])
                there = u + moved[axis, lag]
                whole = int(np.floor(there))
                here = table[int(u * steps + 0.5)]
                other = table[int((there - whole) * steps + 0.5)]
                # sum over j of w(u - j) w(u + t - j - m): taps of the two that are m apart
                for a in range(taps):
                    for b in range(taps):
                        m = whole + b - a + reach
                        if 0 <= m < size:
                            part[axis, m] += here[a] * other[b]
                low[axis] = min(size, max(0, whole + reach - taps + 1))
                high[axis] = max(0, min(size, whole + reach + taps))
            for i in range(low[1], high[1]):
                for j in range(low[0], high[0]):
                    total[lag] += part[1, i] * part[0, j] * before[i, j]


class WarpedPsf:
    """PSF of an exposure as it appears on another grid."""

    def __init__(self, exposure: Exposure, wcs: WCS) -> None:
        if exposure.psf is None:
            raise ValueError("the exposure has no PSF")
        psf = exposure.psf
        self._psf = psf if isinstance(psf, PsfModel) else PsfModel.sampled(psf, exposure.shape)
        self._from, self._to, self._shape = exposure.wcs, wcs, exposure.shape
        ny, nx = exposure.shape
        here = self._to.all_world2pix(*self._from.all_pix2world((nx - 1) / 2, (ny - 1) / 2, 0), 0)
        px, py = here[0] + np.array([0.0, 1, 0]), here[1] + np.array([0.0, 0, 1])
        ix, iy = self._from.all_world2pix(*self._to.all_pix2world(px, py, 0), 0)
        # Over a detector the grids turn against each other by far less than a PSF would notice.
        jacobian = np.array([[ix[1] - ix[0], ix[2] - ix[0]], [iy[1] - iy[0], iy[2] - iy[0]]])
        half = self._psf.size // 2
        dy, dx = np.mgrid[-half : half + 1, -half : half + 1]
        where = [jacobian[k, 0] * dx + jacobian[k, 1] * dy + half for k in (1, 0)]
        self._planes = np.stack(
            [
                map_coordinates(
                    spline_filter(plane, order=5, output=np.float64), where, order=5,
                    prefilter=False,
                )
                for plane in self._psf.coefficients
            ]
        )  # fmt: skip
        self._planes *= abs(np.linalg.det(jacobian))  # light of a pixel, not of an input pixel

    def at_input(self, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Input pixels of positions (x, y) of the new grid."""
        ix, iy = self._from.all_world2pix(*self._to.all_pix2world(x, y, 0), 0)
        return np.asarray(ix), np.asarray(iy)

    def covers(self, x: float, y: float) -> bool:
        """Whether the exposure has a pixel at (x, y) of the new grid."""
        ix, iy = self.at_input(np.array([x]), np.array([y]))
        ny, nx = self._shape
        return bool(-0.5 <= ix[0] <= nx - 0.5 and -0.5 <= iy[0] <= ny - 0.5)

    def image(self, x: float, y: float) -> FloatArray:
        """PSF at (x, y) of the new grid; outside the input, that of its nearest border."""
        ix, iy = self.at_input(np.array([x]), np.array([y]))
        ny, nx = self._shape
        terms_ = self._psf.basis(np.clip(ix, 0, nx - 1), np.clip(iy, 0, ny - 1))[0]
        return np.asarray(np.tensordot(terms_, self._planes, axes=1))
