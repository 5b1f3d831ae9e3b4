"""Images smoothed along both axes, in one pass."""

import numpy as np
from numpy.typing import NDArray

from processing.compiled import compiled

FloatImage = NDArray[np.float32]
FloatArray = NDArray[np.float64]


def gaussian(image: FloatImage, sigma: float, out: FloatImage | None = None) -> FloatImage:
    """Image, shape (ny, nx), convolved with a Gaussian of ``sigma`` [pixel].

    It is cut off at three sigma; beyond the border the image goes on as its last pixel. The result
    is in ``out``, if that is given.
    """
    x = np.arange(int(3 * sigma + 0.5) + 1)
    return _smoothed(image, np.exp(-0.5 * (x / sigma) ** 2), out)


def box(image: FloatImage, reach: int) -> FloatImage:
    """Mean of the pixels at most ``reach`` rows and columns away, shape (ny, nx)."""
    return _smoothed(image, np.ones(reach + 1), None)


def _smoothed(image: FloatImage, half: FloatArray, out: FloatImage | None) -> FloatImage:
    weights = (half / (2 * half.sum() - half[0])).astype(np.float32)
    out = np.empty(image.shape, np.float32) if out is None else out
    _separable(image, weights, out)
    return out


@compiled
def _separable(image: FloatImage, weights: NDArray[np.float32], out: FloatImage) -> None:
    """Convolve with a symmetric kernel; ``weights`` from its middle outwards."""
    ny, nx = image.shape
    reach = weights.size - 1
    line = np.empty(nx + 2 * reach, np.float32)
    for i in range(ny):
        inner = line[reach : reach + nx]
        middle = image[i]
        for j in range(nx):
            inner[j] = weights[0] * middle[j]
        for k in range(1, reach + 1):
            above, below, w = image[max(0, i - k)], image[min(ny - 1, i + k)], weights[k]
            for j in range(nx):
                inner[j] += w * (above[j] + below[j])
        line[:reach] = line[reach]
        line[reach + nx :] = line[reach + nx - 1]
        row = out[i]
        for j in range(nx):
            row[j] = weights[0] * inner[j]
        for k in range(1, reach + 1):
            left, right, w = line[reach - k :], line[reach + k :], weights[k]
            for j in range(nx):
                row[j] += w * (left[j] + right[j])
