"""Drawing stars, galaxies and trails: exact in Fourier space, sub-pixel positions by phase.

Every profile's transform is known in closed form (or, for the bulge, from a table), so a stamp is
one inverse FFT. A stamp keeps the whole flux: what the wings carry beyond its border is folded
back, 0.3 per cent of a star on the smallest stamp.
"""

from dataclasses import dataclass
from functools import lru_cache

import galsim
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from simulate.optics import kolmogorov

FloatArray = NDArray[np.float64]

STAMPS = (64, 128, 256)  # px
_CHUNK = 128  # stamps transformed together, bounds the memory
_EXPONENTIAL_RADIUS = 1.6783469900166605  # half-light radius of a disk over its scale length


@dataclass
class Sources:
    """Things to draw, arrays of length n; pixels of the detector, electrons/s.

    ``trail_x``, ``trail_y``: motion during the exposure [px]. ``bulge_fraction`` 0 to 1 and the
    half-light semi-axes [px] of disk and bulge; ``angle``: direction of the major axis from +x
    towards +y [rad]. Point sources have zero radii. ``smear_x``, ``smear_y``: standard deviation of
    a Gaussian along one direction [px].
    """

    x: FloatArray
    y: FloatArray
    rate: FloatArray
    fwhm: FloatArray
    g1: FloatArray
    g2: FloatArray
    trail_x: FloatArray
    trail_y: FloatArray
    bulge_fraction: FloatArray
    disk_radius: FloatArray
    disk_ratio: FloatArray
    bulge_radius: FloatArray
    bulge_ratio: FloatArray
    angle: FloatArray
    smear_x: FloatArray
    smear_y: FloatArray

    def take(self, rows: NDArray[np.intp]) -> "Sources":
        """Return the sources of some rows."""
        return Sources(**{name: value[rows] for name, value in vars(self).items()})


def points(
    x: FloatArray, y: FloatArray, rate: FloatArray, psf: tuple[FloatArray, FloatArray, FloatArray]
) -> Sources:
    """Point sources at rest; ``psf`` is FWHM, g1, g2 at their positions."""
    zero = np.zeros_like(x)
    one = np.ones_like(x)
    return Sources(x, y, rate, *psf, zero, zero, zero, zero, one, zero, one, zero, zero, zero)


@lru_cache(maxsize=1)
def _bulge_table() -> tuple[FloatArray, FloatArray]:
    """Transform of a de Vaucouleurs profile of half-light radius 1 against log k."""
    profile = galsim.DeVaucouleurs(half_light_radius=1.0)
    log_k = np.linspace(np.log(1e-3), np.log(300.0), 400)
    return log_k, np.array([profile.kValue(float(k), 0.0).real for k in np.exp(log_k)])


def _elliptical(
    kx: FloatArray, ky: FloatArray, radius: FloatArray, ratio: FloatArray, angle: FloatArray
) -> FloatArray:
    """(k r)^2 of an elliptical profile with semi-axes radius and ratio x radius."""
    c, s = np.cos(angle), np.sin(angle)
    along = (kx * c + ky * s) * radius
    across = (ky * c - kx * s) * radius * ratio
    return along * along + across * across


def stamps(sources: Sources, size: int) -> FloatArray:
    """Images of the sources, shape (n, size, size) [electron/s].

    The pixel (size/2, size/2) of a stamp is the one nearest to the source.
    """
    ky = 2 * np.pi * scipy.fft.fftfreq(size)[None, :, None]
    kx = 2 * np.pi * scipy.fft.rfftfreq(size)[None, None, :]

    def column(name: str) -> FloatArray:
        return np.asarray(getattr(sources, name), dtype=np.float64)[:, None, None]

    g1, g2 = column("g1"), column("g2")
    norm = 1 / np.sqrt(1 - g1 * g1 - g2 * g2)
    sheared_x = norm * ((1 + g1) * kx + g2 * ky)
    sheared_y = norm * (g2 * kx + (1 - g1) * ky)
    image = kolmogorov(sheared_x**2 + sheared_y**2, column("fwhm"))
    image *= column("rate") * (np.sinc(kx / (2 * np.pi)) * np.sinc(ky / (2 * np.pi)))

    if np.any(sources.trail_x) or np.any(sources.trail_y):
        image *= np.sinc((kx * column("trail_x") + ky * column("trail_y")) / (2 * np.pi))
    if np.any(sources.smear_x) or np.any(sources.smear_y):
        image *= np.exp(-0.5 * (kx * column("smear_x") + ky * column("smear_y")) ** 2)
    if np.any(sources.disk_radius) or np.any(sources.bulge_radius):
        angle, fraction = column("angle"), column("bulge_fraction")
        disk = _elliptical(
            kx, ky, column("disk_radius") / _EXPONENTIAL_RADIUS, column("disk_ratio"), angle
        )
        profile = (1 - fraction) / (1 + disk) ** 1.5
        bulge = _elliptical(kx, ky, column("bulge_radius"), column("bulge_ratio"), angle)
        log_k, table = _bulge_table()
        profile += fraction * np.interp(0.5 * np.log(bulge + 1e-12), log_k, table)
        image *= profile

    fraction_x = (sources.x - np.rint(sources.x))[:, None, None] + size // 2
    fraction_y = (sources.y - np.rint(sources.y))[:, None, None] + size // 2
    phased = image * np.exp(-1j * kx * fraction_x) * np.exp(-1j * ky * fraction_y)
    return np.asarray(scipy.fft.irfft2(phased, s=(size, size)))


def _stamp_size(sources: Sources) -> NDArray[np.int64]:
    """Stamp for each source: larger for bright and for extended ones."""
    bulge = np.where(sources.bulge_fraction > 0, 8 * sources.bulge_radius, 0)
    reach = np.maximum(8 * sources.disk_radius, bulge)
    reach = np.maximum(reach, 2 * np.hypot(sources.trail_x, sources.trail_y)) + 24
    size = np.full(sources.x.size, STAMPS[0])
    size[(reach > STAMPS[0]) | (sources.rate > 1e4)] = STAMPS[1]
    size[(reach > STAMPS[1]) | (sources.rate > 6e4)] = STAMPS[2]
    return size


def draw(image: FloatArray, sources: Sources) -> None:
    """Add sources to an image, shape (ny, nx) [electron/s]; pixel (0, 0) is centred on 0, 0.

    Sources beyond the border add what their stamps reach.
    """
    ny, nx = image.shape
    sizes = _stamp_size(sources)
    half = sizes // 2
    near = (
        (sources.x > -half)
        & (sources.x < nx + half)
        & (sources.y > -half)
        & (sources.y < ny + half)
    )
    for size in STAMPS:
        rows = np.flatnonzero(near & (sizes == size))
        step = max(1, _CHUNK * STAMPS[0] ** 2 // size**2)
        for start in range(0, rows.size, step):
            part = sources.take(rows[start : start + step])
            left = np.rint(part.x).astype(int) - size // 2
            low = np.rint(part.y).astype(int) - size // 2
            for stamp, x0, y0 in zip(stamps(part, size), left, low, strict=True):
                x1, x2 = max(0, x0), min(nx, x0 + size)
                y1, y2 = max(0, y0), min(ny, y0 + size)
                if x1 < x2 and y1 < y2:
                    image[y1:y2, x1:x2] += stamp[y1 - y0 : y2 - y0, x1 - x0 : x2 - x0]
