"""PSF of the simulated visits: a Kolmogorov profile whose width and shear vary over the detector.

The profile's values are GalSim's; nothing of `processing` draws.
"""

from dataclasses import dataclass

import galsim
import numpy as np
from numpy.typing import NDArray

from processing.compiled import compiled

FloatArray = NDArray[np.float64]

_TABLE = 40_000  # entries of the profile's table
_REACH = 40.0  # FWHM it holds


@dataclass(frozen=True)
class TruePsf:
    """Kolmogorov PSF over a detector of ``shape`` (ny, nx).

    ``size`` (6,) multiplies ``fwhm`` [pixel], ``g1`` and ``g2`` (6,) are the shear: coefficients
    of 1, u, v, u^2, uv, v^2 with u, v in [-1, 1].
    """

    fwhm: float
    shape: tuple[int, int]
    size: FloatArray
    g1: FloatArray
    g2: FloatArray

    def at(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """FWHM [pixel] and shear (g1, g2) at n positions, shape (3, n)."""
        u, v = 2 * np.asarray(x) / self.shape[1] - 1, 2 * np.asarray(y) / self.shape[0] - 1
        u, v = np.clip(u, -1.2, 1.2), np.clip(v, -1.2, 1.2)
        terms = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v])
        return np.stack([self.fwhm * (self.size @ terms), self.g1 @ terms, self.g2 @ terms])

    def draw(self, image: FloatArray, x: FloatArray, y: FloatArray, flux: FloatArray) -> None:
        """Add point sources to ``image`` (ny, nx), as far as they are above 1e-2 units."""
        _draw(image, x, y, flux, self.at(x, y), _profile(), 1e-2)

    def stamp(self, x: float, y: float, half: int) -> FloatArray:
        """PSF of a source at (x, y) on the pixels around the nearest one."""
        out = np.zeros((2 * half + 1, 2 * half + 1))
        middle = np.array([half + x - np.rint(x)]), np.array([half + y - np.rint(y)])
        shape = self.at(np.array([x]), np.array([y]))
        _draw(out, *middle, np.ones(1), shape, _profile(), 0.0)
        return out

    def image(self, x: float, y: float) -> FloatArray:
        """Centred stamp with the light that falls on it, for :class:`processing.exposure.Psf`."""
        return self.stamp(float(np.rint(x)), float(np.rint(y)), int(np.ceil(4 * self.fwhm)))


def random_psf(rng: np.random.Generator, fwhm: float, shape: tuple[int, int]) -> TruePsf:
    """PSF that varies by a few percent in size and shear."""
    spread = np.array([0, 0.02, 0.02, 0.015, 0.015, 0.015])
    size = np.append(1.0, np.clip(rng.normal(size=5), -2, 2) * spread[1:])
    first = np.array([0.015, *(0.5 * spread[1:])])
    g1, g2 = (np.clip(rng.normal(size=6), -2, 2) * first for _ in range(2))
    return TruePsf(fwhm, shape, size, g1, g2)


_CACHE: dict[str, FloatArray] = {}


def _profile() -> FloatArray:
    """Kolmogorov profile of FWHM 1 and flux 1 on equal steps of the root of the radius."""
    if "profile" not in _CACHE:
        source = galsim.Kolmogorov(fwhm=1.0)
        radii = _REACH * np.linspace(0, 1, _TABLE) ** 2
        _CACHE["profile"] = np.array([source.xValue(float(r), 0.0) for r in radii])
    return _CACHE["profile"]


@compiled
def _draw(
    image: FloatArray, xs: FloatArray, ys: FloatArray, flux: FloatArray, shapes: FloatArray,
    profile: FloatArray, lowest: float,
) -> None:  # fmt: skip
    """Integrate sheared profiles over the pixels (3 x 3 Gauss points)."""
    ny, nx = image.shape
    node = np.array([-np.sqrt(0.15), 0.0, np.sqrt(0.15)])
    share = np.array([5 / 18, 8 / 18, 5 / 18])
    last = profile.size - 1
    for s in range(xs.size):
        fwhm, g1, g2 = shapes[0, s], shapes[1, s], shapes[2, s]
        # Inverse of the shear that preserves the area, over the width.
        factor = 1 / np.sqrt(1 - g1 * g1 - g2 * g2) / fwhm
        density = flux[s] / (fwhm * fwhm)
        reach = _REACH * 0.9
        if lowest > 0:
            index = last
            while index > 1 and abs(density) * profile[index] < lowest:
                index = index * 9 // 10
            reach = min(reach, max(2.0, _REACH * (index / last) ** 2 / 0.8))
        radius = int(np.ceil(reach * fwhm))
        column, row = int(np.rint(xs[s])), int(np.rint(ys[s]))
        for i in range(max(0, row - radius), min(ny, row + radius + 1)):
            for j in range(max(0, column - radius), min(nx, column + radius + 1)):
                total = 0.0
                for p in range(3):
                    dy = i + node[p] - ys[s]
                    for q in range(3):
                        dx = j + node[q] - xs[s]
                        a = factor * ((1 - g1) * dx - g2 * dy)
                        b = factor * ((1 + g1) * dy - g2 * dx)
                        t = np.sqrt(np.sqrt(a * a + b * b) / _REACH) * last
                        k = int(t)
                        if k < last:
                            value = profile[k] + (t - k) * (profile[k + 1] - profile[k])
                            total += share[p] * share[q] * value
                image[i, j] += density * total
