"""How much of a PSF's pixels is noise: wings drawn towards a profile, pixels towards their ring.

A PSF made of independent pixels holds the noise of its stars; summed over the wings it spoils the
normalisation, by per cents where stars are few. Each ring keeps what stands out of its noise
(empirical Bayes), and the wings follow a smooth profile as far as they are not known better.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.special import j0

FloatArray = NDArray[np.float64]

_POWER = 5 / 3  # of the transform's exponent: turbulence (Fried 1966)
_SIZE = (
    0.335  # of the transform over FWHM: 0.976 lambda / r0, exp(-3.44 (lambda k / 2 pi r0)^(5/3))
)
_POWER_SPREAD = 0.15
_TRUST = 0.3  # how far a wing may be from the profile, relative
_OUTER = 4  # rings that tell of the wings beyond the stamp
_FIT_FLOOR = 0.02  # relative: the profile describes no core better


def quieten(pixels: FloatArray, variance: FloatArray, width: float) -> tuple[FloatArray, float]:
    """Take the noise out of the planes of a PSF.

    Parameters
    ----------
    pixels : array, shape (terms, n, n)
        The constant plane and those that vary over the detector.
    variance : array, shape (terms, n, n)
        Of ``pixels``.
    width : float [pixel]
        FWHM.

    Returns
    -------
    array, shape (terms, n, n)
        0 beyond the circle that touches the stamp's border.
    float
        Light beyond that circle, by the profile.
    """
    n = pixels.shape[1]
    grid = np.arange(n) - n // 2
    radius = np.hypot(grid[:, None], grid[None, :])
    ring = np.rint(radius).astype(np.int64)
    last = n // 2
    inside = ring <= last
    quiet = np.zeros_like(pixels)
    smooth, beyond = _smooth(pixels[0], variance[0], radius, ring, last, width)
    for term, (plane, noise) in enumerate(zip(pixels, variance, strict=True)):
        middle = smooth if term == 0 else np.zeros_like(plane)
        away = plane - middle
        share = _share(away, noise, ring, last, width)
        quiet[term] = np.where(inside, middle + share * away, 0.0)
    return quiet, beyond


def turbulence(width: float, reach: float) -> tuple[FloatArray, FloatArray]:
    """Radii [pixel] up to ``reach`` and the profile there of a star of light 1, by turbulence.

    Kolmogorov's, of FWHM ``width`` [pixel], on pixels.
    """
    at: FloatArray = np.arange(0, reach + 1, 0.25)
    wave = _WAVES * _SIZE * width
    transform = np.exp(-(wave**_POWER) - _WAVES**2 / 24) * _WAVES
    return at, np.asarray(_hankel(at.size) @ transform)


def _sum(values: FloatArray, ring: NDArray[np.int64], last: int) -> FloatArray:
    inside = ring <= last
    return np.asarray(np.bincount(ring[inside], values[inside], minlength=last + 1))


def _share(
    away: FloatArray, noise: FloatArray, ring: NDArray[np.int64], last: int, width: float
) -> FloatArray:
    """Part of a deviation that is signal, by ring: what its power has beyond the noise."""
    ones = np.ones_like(away)
    power, expected, count = (
        np.convolve(np.pad(_sum(v, ring, last), 1, mode="edge"), [1, 1, 1], mode="valid")
        for v in (away**2, noise, ones)
    )
    signal = np.maximum(power - expected, 0) / count
    per_ring = signal / np.maximum(signal + expected / count, 1e-300)
    # Three rings of the core are too few pixels to judge by: they are bright and stay.
    per_ring[: int(np.ceil(0.5 * width)) + 1] = 1.0
    return np.asarray(per_ring[np.minimum(ring, last)])


def _smooth(
    plane: FloatArray,
    noise: FloatArray,
    radius: FloatArray,
    ring: NDArray[np.int64],
    last: int,
    width: float,
) -> tuple[FloatArray, float]:
    """Round profile: an analytic one, times a factor by ring as far as the ring is known.

    And the light beyond the last ring: the analytic one's, times the factor of the last rings.
    """
    data, error = _sum(plane, ring, last), np.sqrt(_sum(noise, ring, last))
    at = np.arange(0, radius.max() + 0.5, 0.25)
    kernel = _hankel(at.size)

    def profile(size: float, power: float) -> FloatArray:
        wave = _WAVES * size
        transform = np.exp(-(wave**power) - _WAVES**2 / 24) * _WAVES
        return np.asarray(np.interp(radius, at, kernel @ transform))

    def residual(values: FloatArray) -> FloatArray:
        light, log_size, power = values
        model = _sum(light * profile(np.exp(log_size), power), ring, last)
        scale = np.hypot(error, _FIT_FLOOR * np.abs(model)) + 1e-12
        return np.append((data - model) / scale, (power - _POWER) / _POWER_SPREAD)

    start = np.log(_SIZE * width)
    fit = least_squares(residual, [1.0, start, _POWER], x_scale=[1, 0.1, 0.1], max_nfev=40)
    light, log_size, power = fit.x
    analytic = np.maximum(light * profile(np.exp(log_size), power), 1e-12)
    total = _sum(analytic, ring, last)
    factor, unsure = data / total, error / total
    drawn = (factor / unsure**2 + 1 / _TRUST**2) / (1 / unsure**2 + 1 / _TRUST**2)
    smooth = np.asarray(analytic * np.interp(radius, np.arange(last + 1), drawn))
    return smooth, float((light - total.sum()) * drawn[-_OUTER:].mean())


_WAVES = np.linspace(0, 6, 601)[1:]  # rad / pixel


@lru_cache(maxsize=4)
def _hankel(count: int) -> FloatArray:
    """Matrix from a transform times its wave number to the profile at 0, 0.25, 0.5 ... pixels."""
    at = 0.25 * np.arange(count)
    step = _WAVES[1] - _WAVES[0]
    return np.asarray(j0(at[:, None] * _WAVES[None, :]) * step / (2 * np.pi))
