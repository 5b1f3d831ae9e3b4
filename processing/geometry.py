"""Between pixels and the tangent plane of the sky, for many positions at once.

Conventions of the catalogues: x = +East, y = +North, arcsec; bearings from North through East.
DPDD section 2.2 (conventions fixed in the data dictionary).
"""

from dataclasses import dataclass

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class LocalSky:
    """The sky at n pixel positions.

    ``ra``, ``decl`` (n,) [deg]; ``jacobian`` (n, 2, 2) [arcsec/pixel] turns a step (dx, dy) into
    (East, North); ``pixel_area`` (n,) [arcsec^2].
    """

    ra: FloatArray
    decl: FloatArray
    jacobian: FloatArray

    @property
    def pixel_area(self) -> FloatArray:
        """Area of a pixel [arcsec^2], shape (n,)."""
        return np.asarray(np.abs(np.linalg.det(self.jacobian)))


def local_sky(wcs: WCS, x: FloatArray, y: FloatArray) -> LocalSky:
    """Sky position and local orientation of the pixel grid at (x, y), shape (n,)."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    half = 0.5
    ra, decl = wcs.all_pix2world(
        np.concatenate([x, x + half, x - half, x, x]),
        np.concatenate([y, y, y, y + half, y - half]),
        0,
    )
    ra, decl = ra.reshape(5, -1), decl.reshape(5, -1)

    def step(ahead: int, behind: int) -> FloatArray:
        d_ra = (ra[ahead] - ra[behind] + 180) % 360 - 180
        east = d_ra * np.cos(np.radians(decl[0]))
        return np.stack([east, decl[ahead] - decl[behind]], axis=-1) * 3600

    jacobian = np.stack([step(1, 2), step(3, 4)], axis=-1)
    return LocalSky(ra[0] % 360, decl[0], jacobian)


def bearing(east: FloatArray, north: FloatArray, period: float) -> FloatArray:
    """Angle [deg] from North through East, in [0, period)."""
    return np.asarray(np.degrees(np.arctan2(east, north)) % period)


def moved(sky: LocalSky, dx: FloatArray, dy: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sky position [deg] of the points (dx, dy) pixels away, to first order."""
    offset = np.einsum("nij,nj->ni", sky.jacobian, np.stack([dx, dy], axis=-1)) / 3600
    ra = sky.ra + offset[:, 0] / np.cos(np.radians(sky.decl))
    return ra % 360, sky.decl + offset[:, 1]


def packed(covariance: FloatArray) -> FloatArray:
    """Lower triangle, row by row, of n matrices (n, k, k): shape (n, k (k + 1) / 2)."""
    rows, columns = np.tril_indices(covariance.shape[-1])
    return covariance[:, rows, columns]


def unpacked(triangle: FloatArray) -> FloatArray:
    """Matrices (n, k, k) of their packed lower triangles (n, k (k + 1) / 2)."""
    size = int((np.sqrt(8 * triangle.shape[1] + 1) - 1) / 2)
    out = np.zeros((len(triangle), size, size))
    rows, columns = np.tril_indices(size)
    out[:, rows, columns] = triangle
    out[:, columns, rows] = triangle
    return out
