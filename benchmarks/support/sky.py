"""The static sky of the simulated visits: stars, and galaxies that are clouds of points.

A galaxy is the same points in every visit, so that every PSF blurs it exactly.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

SCALE = 0.2  # arcsec per pixel
RA, DECL = 150.0, 2.0  # of the visit's centre


@dataclass(frozen=True)
class Sky:
    """What does not change: points of stars and of galaxies (ra, decl [deg], flux [nJy])."""

    stars: FloatArray  # (n, 3)
    galaxies: FloatArray  # (n, 3)
    clouds: FloatArray  # (m, 3): the points galaxies are made of

    @property
    def points(self) -> FloatArray:
        """All points, shape (n, 3)."""
        return np.concatenate([self.stars, self.clouds])


def _magnitudes(rng: np.random.Generator, n: int, low: float, high: float, slope: float) -> Any:
    """Draw from number counts 10^(slope m) between two magnitudes, as fluxes [nJy]."""
    a, b = 10 ** (slope * low), 10 ** (slope * high)
    magnitude = np.log10(a + rng.random(n) * (b - a)) / slope
    return 10 ** (-0.4 * (magnitude - 31.4))


def make_sky(rng: np.random.Generator, n_stars: int, n_galaxies: int, width: float) -> Sky:
    """Draw a sky of ``width`` [deg] around (RA, DECL)."""

    def places(n: int) -> FloatArray:
        east, north = rng.uniform(-width / 2, width / 2, (2, n))
        return np.stack([RA + east / np.cos(np.radians(DECL)), DECL + north], axis=1)

    stars = np.column_stack([places(n_stars), _magnitudes(rng, n_stars, 15, 25, 0.25)])
    galaxies = np.column_stack([places(n_galaxies), _magnitudes(rng, n_galaxies, 19, 25, 0.4)])
    n = 40
    # Radii of equal light of an exponential disk, on a spiral that fills the angle evenly.
    light = (np.arange(n) + 0.5) / n
    table = np.linspace(0, 12, 4000)
    radius = np.interp(light, 1 - np.exp(-table) * (1 + table), table)
    angle = np.arange(n) * np.pi * (3 - np.sqrt(5))
    length = rng.uniform(0.1, 0.35, n_galaxies) / 3600  # scale lengths [deg]
    axis, turn = rng.uniform(0.3, 1, n_galaxies), rng.uniform(0, np.pi, n_galaxies)
    a = length[:, None] * radius * np.cos(angle)
    b = (length * axis)[:, None] * radius * np.sin(angle)
    c, s = np.cos(turn)[:, None], np.sin(turn)[:, None]
    clouds = np.stack(
        [
            galaxies[:, :1] + (a * c - b * s) / np.cos(np.radians(DECL)),
            galaxies[:, 1:2] + a * s + b * c,
            np.repeat(galaxies[:, 2:] / n, n, axis=1),
        ],
        axis=-1,
    ).reshape(-1, 3)
    return Sky(stars, galaxies, clouds)


def make_wcs(
    shape: tuple[int, int], rotation: float = 0.0, dx: float = 0.0, dy: float = 0.0
) -> WCS:
    """Tangent plane at (RA, DECL), which lies (dx, dy) pixels from the detector's middle."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [RA, DECL]
    wcs.wcs.crpix = [(shape[1] + 1) / 2 + dx, (shape[0] + 1) / 2 + dy]
    c, s = np.cos(np.radians(rotation)), np.sin(np.radians(rotation))
    wcs.wcs.cd = SCALE / 3600 * np.array([[-c, s], [s, c]])
    wcs.wcs.set()
    return wcs
