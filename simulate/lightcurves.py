"""Light curves of variables and transients: flux [nJy] as a function of time and band.

Each is simple enough to be judged by eye and has the shape of its class.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# Amplitude of a pulsator relative to r, ugrizy: hotter when brighter
_PULSATION = np.array([1.25, 1.30, 1.00, 0.80, 0.72, 0.68])


class LightCurve(Protocol):
    """Flux of an object; ``mjd`` TAI of shape (n,), ``band`` the position in ugrizy."""

    def flux(self, mjd: FloatArray, band: int) -> FloatArray:
        """Flux [nJy], shape (n,)."""
        ...


def _dim(mean: FloatArray, band: int, magnitudes: FloatArray) -> FloatArray:
    return np.asarray(mean[band] * 10 ** (-0.4 * magnitudes))


@dataclass(frozen=True)
class RRLyrae:
    """Fast rise, slow decline; ``amplitude`` in r [mag], ``mean`` six fluxes [nJy]."""

    mean: FloatArray
    period: float
    epoch: float
    amplitude: float

    def flux(self, mjd: FloatArray, band: int) -> FloatArray:
        """Flux [nJy], shape (n,)."""
        phase = 2 * np.pi * (mjd - self.epoch) / self.period
        saw = np.sin(phase) / 2 + np.sin(2 * phase) / 5 + np.sin(3 * phase) / 12
        return _dim(self.mean, band, self.amplitude * _PULSATION[band] * saw)


@dataclass(frozen=True)
class Eclipsing:
    """Two eclipses of Gaussian shape; depths in magnitudes, ``width`` (sigma) in phase."""

    mean: FloatArray
    period: float
    epoch: float
    depth: float
    second_depth: float
    width: float

    def flux(self, mjd: FloatArray, band: int) -> FloatArray:
        """Flux [nJy], shape (n,)."""
        phase = ((mjd - self.epoch) / self.period + 0.25) % 1 - 0.25  # -0.25 .. 0.75
        dim = self.depth * np.exp(-0.5 * (phase / self.width) ** 2)
        dim += self.second_depth * np.exp(-0.5 * ((phase - 0.5) / self.width) ** 2)
        return _dim(self.mean, band, dim)


@dataclass(frozen=True)
class Mira:
    """Slow, large, larger in the blue."""

    mean: FloatArray
    period: float
    epoch: float
    amplitude: float

    def flux(self, mjd: FloatArray, band: int) -> FloatArray:
        """Flux [nJy], shape (n,)."""
        wave = np.sin(2 * np.pi * (mjd - self.epoch) / self.period)
        return _dim(self.mean, band, self.amplitude * _PULSATION[band] * wave)


@dataclass(frozen=True)
class Flare:
    """A steady star with one burst, the same flux per frequency in all bands."""

    mean: FloatArray
    start: float
    end: float
    burst: float  # nJy

    def flux(self, mjd: FloatArray, band: int) -> FloatArray:
        """Flux [nJy], shape (n,)."""
        alight = (mjd >= self.start) & (mjd <= self.end)
        return np.asarray(self.mean[band] + self.burst * alight)


@dataclass(frozen=True)
class Supernova:
    """Nothing, a rise, an exponential decline that is faster in the blue."""

    start: float
    rise: float  # d
    decline: float  # d, in r
    peak: FloatArray  # amplitude in ugrizy [nJy]

    def shape(self, mjd: FloatArray, band: int) -> FloatArray:
        """Light curve relative to ``peak``."""
        age = np.maximum(mjd - self.start, 0.0)
        decline = self.decline * (0.7, 0.85, 1.0, 1.15, 1.25, 1.3)[band]
        return np.asarray((1 - np.exp(-((age / self.rise) ** 2))) * np.exp(-age / decline))

    def flux(self, mjd: FloatArray, band: int) -> FloatArray:
        """Flux [nJy], shape (n,)."""
        return np.asarray(self.peak[band] * self.shape(mjd, band))


@dataclass(frozen=True)
class DampedWalk:
    """Damped random walk in magnitudes, drawn on a grid of times and interpolated."""

    mean: FloatArray
    grid: FloatArray  # MJD
    walk: FloatArray  # mag

    def flux(self, mjd: FloatArray, band: int) -> FloatArray:
        """Flux [nJy], shape (n,)."""
        walk = np.interp(mjd, self.grid, self.walk)
        return _dim(self.mean, band, _PULSATION[band] * walk)


def damped_walk(
    rng: np.random.Generator, mean: FloatArray, grid: FloatArray, scatter: float, time: float
) -> DampedWalk:
    """Draw a damped random walk of standard deviation ``scatter`` [mag] and ``time`` scale [d]."""
    walk = np.empty_like(grid)
    walk[0] = scatter * rng.standard_normal()
    keep = np.exp(-np.diff(grid) / time)
    for i, k in enumerate(keep):
        walk[i + 1] = k * walk[i] + scatter * np.sqrt(1 - k * k) * rng.standard_normal()
    return DampedWalk(mean, grid, walk)


@dataclass(frozen=True)
class Microlens:
    """A star magnified by a point lens (Paczynski 1986)."""

    mean: FloatArray
    peak: float  # MJD
    crossing: float  # Einstein time [d]
    impact: float  # Einstein radii

    def flux(self, mjd: FloatArray, band: int) -> FloatArray:
        """Flux [nJy], shape (n,)."""
        u2 = self.impact**2 + ((mjd - self.peak) / self.crossing) ** 2
        return np.asarray(self.mean[band] * (u2 + 2) / np.sqrt(u2 * (u2 + 4)))
