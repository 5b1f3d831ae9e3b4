"""Fringes: interference of the sky's lines in the detector (DPDD section 2.6; DIA-07)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from processing.psf import terms

FloatImage = NDArray[np.float32]

_SMOOTH = 2.0  # pixels: fringes are broader, the noise of the frames is not
_STEP = 4  # pixels: every fourth is enough for a background


def residual(image: FloatImage, bad: NDArray[np.bool_]) -> FloatImage:
    """Image less a background of second order, fitted to all but sources and bad pixels."""
    ny, nx = image.shape
    y, x = np.mgrid[0:ny:_STEP, 0:nx:_STEP]
    values = image[::_STEP, ::_STEP].astype(np.float64).ravel()
    basis = terms(2, (2 * x / nx - 1).ravel(), (2 * y / ny - 1).ravel())
    good = ~bad[::_STEP, ::_STEP].ravel()
    fit: NDArray[Any] = np.zeros(basis.shape[1])
    for _ in range(6):
        fit = np.linalg.lstsq(basis[good], values[good], rcond=None)[0]
        left = values - basis @ fit
        spread = 1.4826 * np.median(np.abs(left[good] - np.median(left[good])))
        good &= np.abs(left - np.median(left[good])) < 3 * spread + 1e-9
    v, u = np.mgrid[-1 : 1 - 2 / ny : ny * 1j, -1 : 1 - 2 / nx : nx * 1j]
    back = (terms(2, u.ravel(), v.ravel()) @ fit).reshape(ny, nx)
    return np.asarray(image - back, dtype=np.float32)


def master(stack: FloatImage, bad: NDArray[np.bool_]) -> FloatImage:
    """Pattern relative to the sky from a mean of frames / their sky, median 0."""
    left = residual(stack, bad)
    weight = ndimage.gaussian_filter((~bad).astype(np.float32), _SMOOTH)
    smooth = ndimage.gaussian_filter(np.where(bad, np.float32(0), left), _SMOOTH)
    pattern = smooth / np.maximum(weight, 1e-3)
    return np.asarray(pattern - np.median(pattern[~bad]), dtype=np.float32)


def remove(image: FloatImage, pattern: FloatImage, bad: NDArray[np.bool_]) -> FloatImage:
    """Subtract the pattern with the amplitude that fits the sky's pixels best."""
    left = residual(image, bad)
    good = ~bad
    amplitude = 0.0
    for _ in range(5):
        away = left - np.float32(amplitude) * pattern
        middle = np.median(away[good])
        spread = 1.4826 * np.median(np.abs(away[good] - middle))
        good = ~bad & (np.abs(away - middle) < 3 * spread)
        shape = pattern[good].astype(np.float64) - pattern[good].mean()
        amplitude = float((shape * left[good]).sum() / max((shape**2).sum(), 1e-30))
    return np.asarray(image - np.float32(amplitude) * pattern, dtype=np.float32)
