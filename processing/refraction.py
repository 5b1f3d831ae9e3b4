"""Differential chromatic refraction: stars displaced towards the zenith by their colour.

In one band a blue star stands higher than a red one, the more the lower both are: by c tan(z), z
the zenith distance. A template sees them at other zenith distances, or with the zenith elsewhere,
than a visit does; subtracted, each star leaves a dipole. So a template carries the coefficient c of
each of its stars, found from where they stand in its visits, and they are put where the visit sees
them. No colour is needed, nor another band. Visits of one airmass on one side of the meridian tell
nothing; a template of the visit's own airmass needs nothing. DIA-08; design section 9; Filippenko
1982.
"""

from collections.abc import Sequence

import numpy as np
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray

from processing.compiled import compiled
from processing.exposure import VisitInfo
from processing.resampling import lanczos_weights

FloatArray = NDArray[np.float64]
FloatImage = NDArray[np.float32]
_SHAPE = 0.6  # scale, over the FWHM, of the profile that tells to whom light belongs
_TAI_MINUS_UT = 37 / 86400


def zenith_bearing(
    ra: float, decl: float, mid_tai: float, longitude: float, latitude: float
) -> float:
    """Direction of the zenith at a position: degrees, North through East, 0 to 360.

    Parameters
    ----------
    ra, decl : float [deg]
    mid_tai : float
        MJD (TAI). Precession since 2000 is left out: the result is good to half a degree.
    longitude, latitude : float [deg]
        Of the site, East positive.
    """
    days = mid_tai - _TAI_MINUS_UT - 51544.5
    hour = np.radians(280.46062 + 360.98564737 * days + longitude - ra)
    d, phi = np.radians(decl), np.radians(latitude)
    bearing = np.arctan2(
        np.cos(phi) * np.sin(hour),
        np.sin(phi) * np.cos(d) - np.cos(phi) * np.sin(d) * np.cos(hour),
    )
    return float(np.degrees(bearing)) % 360


def pull(visit: VisitInfo) -> FloatArray:
    """Tangent of the zenith distance towards East and North, shape (2,); NaN if unknown."""
    if visit.zenith_bearing is None:
        return np.full(2, np.nan)
    bearing = np.radians(visit.zenith_bearing)
    tangent = np.sqrt(max(visit.airmass**2 - 1, 0.0))
    return np.asarray(tangent * np.array([np.sin(bearing), np.cos(bearing)]))


def towards_sky(wcs: WCS, shape: tuple[int, int]) -> FloatArray:
    """Pixels (x, y) an arcsecond East and North, shape (2, 2), in the middle of a grid."""
    x, y = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    ra, decl = (float(v) for v in wcs.all_pix2world(x, y, 0))
    step = 10 / 3600
    east = wcs.all_world2pix(ra + step / np.cos(np.radians(decl)), decl, 0)
    north = wcs.all_world2pix(ra, decl + step, 0)
    return (np.array([east, north], float) - (x, y)).T / 10


def of_visits(visits: Sequence[VisitInfo]) -> FloatArray | None:
    """:func:`pull` of each visit, shape (n, 2); None where some are unknown."""
    pulls = np.array([pull(v) for v in visits])
    return pulls if np.isfinite(pulls).all() else None


def moves(stars: Table, wcs: WCS, shape: tuple[int, int], visit: VisitInfo) -> FloatArray:
    """Pixels (x, y) from where a template has its stars to where a visit sees them, shape (2, n).

    0 if the direction of the visit's zenith is unknown.
    """
    here = pull(visit)
    if not np.isfinite(here).all():
        return np.zeros((2, len(stars)))
    difference = here[:, None] - np.stack([stars["pullEast"], stars["pullNorth"]])
    return np.asarray(towards_sky(wcs, shape) @ (difference * np.asarray(stars["coefficient"])))


def add_uncertainty(
    variance: FloatImage, light: FloatImage, stars: Table, wcs: WCS, visit: VisitInfo, width: float
) -> None:
    """Add to a variance, in place, what the errors of the coefficients do.

    Parameters
    ----------
    variance, light : array, shape (ny, nx)
        Of the difference; the visit without noise.
    stars, wcs, visit
        As in :func:`displaced`.
    width : float [pixel]
        FWHM of the visit's PSF.
    """
    unsure = stars.copy()
    unsure["coefficient"] = stars["coefficientErr"]
    by_x, by_y = moves(unsure, wcs, (light.shape[0], light.shape[1]), visit)
    x, y = wcs.all_world2pix(stars["ra"], stars["decl"], 0)
    known = np.isfinite(x) & np.isfinite(y)
    _add_uncertainty(variance, light, x[known], y[known], by_x[known], by_y[known], 1.5 * width)


@compiled
def _add_uncertainty(
    variance: FloatImage, light: FloatImage, xs: FloatArray, ys: FloatArray, by_x: FloatArray,
    by_y: FloatArray, reach: float,
) -> None:  # fmt: skip
    ny, nx = light.shape
    for s in range(xs.size):
        for i in range(max(1, int(ys[s] - reach)), min(ny - 1, int(ys[s] + reach) + 2)):
            for j in range(max(1, int(xs[s] - reach)), min(nx - 1, int(xs[s] + reach) + 2)):
                if (i - ys[s]) ** 2 + (j - xs[s]) ** 2 > reach**2:
                    continue
                slope = (
                    by_x[s] * (light[i, j + 1] - light[i, j - 1]) / 2
                    + by_y[s] * (light[i + 1, j] - light[i - 1, j]) / 2
                )
                variance[i, j] += slope * slope


def displaced(
    image: FloatImage, stars: Table, wcs: WCS, visit: VisitInfo, width: float, noise: float
) -> FloatImage:
    """Put the stars of a template where a visit sees them.

    Parameters
    ----------
    image : array, shape (ny, nx)
        The template on some grid.
    stars : Table
        From :meth:`processing.star_shifts.Evidence.stars`.
    wcs : WCS
        Of the grid.
    visit : VisitInfo
        Whose zenith counts; if it is unknown, the image is returned as it is.
    width : float [pixel]
        FWHM of the template's PSF there.
    noise : float [nJy]
        Of a pixel of the template: what is fainter is not moved.
    """
    x, y = wcs.all_world2pix(stars["ra"], stars["decl"], 0)
    move = moves(stars, wcs, (image.shape[0], image.shape[1]), visit)
    if not move.any():
        return image
    scale = _SHAPE * width
    # Height and reach of (1 + (r / scale)^2)^-2.5, whose integral is 2 pi scale^2 / 3.
    height = 3 * np.maximum(stars["flux"], 0) / (2 * np.pi * scale**2)
    reach = scale * np.sqrt(np.maximum((height / (0.2 * noise)) ** 0.4 - 1, 1))
    out = image.copy()
    table = lanczos_weights()
    rows = 256
    for start in range(0, image.shape[0], rows):
        stop = min(start + rows, image.shape[0])
        near = np.flatnonzero((y > start - reach) & (y < stop + reach))
        if near.size:
            _displace(
                image, out, start, stop, x[near], y[near], move[0, near], move[1, near],
                height[near], reach[near], scale, noise, table,
            )  # fmt: skip
    return out


@compiled
def _displace(
    image: FloatImage, out: FloatImage, start: int, stop: int, xs: FloatArray, ys: FloatArray,
    move_x: FloatArray, move_y: FloatArray, heights: FloatArray, reaches: FloatArray, scale: float,
    noise: float, table: NDArray[np.float32],
) -> None:  # fmt: skip
    """Rows of an image whose light is moved by the mean over the stars it belongs to."""
    ny, nx = image.shape
    taps = table.shape[1]
    steps = table.shape[0] - 1
    before = taps // 2 - 1
    light = np.zeros((stop - start, nx), np.float32)
    dx, dy = np.zeros_like(light), np.zeros_like(light)
    for s in range(xs.size):
        for i in range(max(start, int(ys[s] - reaches[s])), min(stop, int(ys[s] + reaches[s]) + 2)):
            for j in range(max(0, int(xs[s] - reaches[s])), min(nx, int(xs[s] + reaches[s]) + 2)):
                r2 = ((i - ys[s]) ** 2 + (j - xs[s]) ** 2) / scale**2
                share = heights[s] * (1 + r2) ** -2.5
                light[i - start, j] += share
                dx[i - start, j] += share * move_x[s]
                dy[i - start, j] += share * move_y[s]
    for i in range(max(start, before), min(stop, ny - taps)):
        for j in range(before, nx - taps):
            below = light[i - start, j]
            if below == 0:
                continue
            x = j - dx[i - start, j] / (below + noise)
            y = i - dy[i - start, j] / (below + noise)
            if abs(x - j) + abs(y - i) < 1e-3:
                continue
            x0, y0 = int(np.floor(x)), int(np.floor(y))
            if x0 < before or y0 < before or x0 + taps - before > nx or y0 + taps - before > ny:
                continue
            wx = table[int((x - x0) * steps + 0.5)]
            wy = table[int((y - y0) * steps + 0.5)]
            total = 0.0
            for k in range(taps):
                line = 0.0
                for m in range(taps):
                    line += wx[m] * image[y0 - before + k, x0 - before + m]
                total += wy[k] * line
            out[i, j] = total
