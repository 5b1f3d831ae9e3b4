"""Compiled evaluation of a PSF held as quintic B-spline coefficients.

Shifting the PSF by a fraction of a pixel is a separable sum over 6 x 6 coefficients with exact
derivatives. Stamps are float32 like the images: an error of 1e-7 of the peak, far below what any
pixel knows. A stamp of coefficients for a box of n pixels has n + 2 ``PAD`` of them.
"""

import numpy as np
from numpy.typing import NDArray

from processing.compiled import compiled

FloatArray = NDArray[np.float64]
Stamp = NDArray[np.float32]
PAD = 6  # zeros around the PSF: room for the 6 taps and for shifts during a fit
REACH = 3.5  # pixels by which the PSF may be shifted in its box


@compiled
def spline_weights(t: float, value: Stamp, slope: Stamp) -> None:
    """Weights of the 6 coefficients around a point ``t`` (0..1) past the third of them."""
    for j in range(6):
        s = t - (j - 2)
        a = abs(s)
        if a < 1:
            value[j] = 0.55 + a * a * (-0.5 + a * a * (0.25 - a / 12))
            d = a * (-1 + a * a * (1 - 5 * a / 12))
        elif a < 2:
            value[j] = 0.425 + a * (0.625 + a * (-1.75 + a * (1.25 + a * (-0.375 + a / 24))))
            d = 0.625 + a * (-3.5 + a * (3.75 + a * (-1.5 + 5 * a / 24)))
        elif a < 3:
            value[j] = (3 - a) ** 5 / 120
            d = -((3 - a) ** 4) / 24
        else:
            value[j] = 0.0
            d = 0.0
        slope[j] = d if s >= 0 else -d


@compiled
def stamp_at(coefficients: Stamp, order: int, u: float, v: float, out: Stamp) -> None:
    """Spline coefficients at (u, v) into ``out`` (m, m): the sum of the polynomial's terms."""
    flat = out.reshape(-1)
    first = coefficients[0].reshape(-1)
    for i in range(flat.size):
        flat[i] = first[i]
    index = 0
    for degree in range(1, order + 1):
        for k in range(degree + 1):
            index += 1
            term = np.float32(u ** (degree - k) * v**k)
            plane = coefficients[index].reshape(-1)
            for i in range(flat.size):
                flat[i] += term * plane[i]


@compiled
def _along_rows(stamp: Stamp, weights: Stamp, row: int, column: int, out: Stamp) -> None:
    w0, w1, w2, w3, w4, w5 = weights[0], weights[1], weights[2], weights[3], weights[4], weights[5]
    width = out.shape[1]
    for r in range(out.shape[0]):
        line = stamp[row + r, column : column + width + 5]
        into = out[r]
        for k in range(width):
            into[k] = (
                w0 * line[k]
                + w1 * line[k + 1]
                + w2 * line[k + 2]
                + w3 * line[k + 3]
                + w4 * line[k + 4]
                + w5 * line[k + 5]
            )


@compiled
def _along_columns(rows: Stamp, weights: Stamp, out: Stamp) -> None:
    w0, w1, w2, w3, w4, w5 = weights[0], weights[1], weights[2], weights[3], weights[4], weights[5]
    for r in range(out.shape[0]):
        a, b, c, d, e, f = rows[r], rows[r + 1], rows[r + 2], rows[r + 3], rows[r + 4], rows[r + 5]
        into = out[r]
        for k in range(out.shape[1]):
            into[k] = w0 * a[k] + w1 * b[k] + w2 * c[k] + w3 * d[k] + w4 * e[k] + w5 * f[k]


@compiled
def render(stamp: Stamp, dx: float, dy: float, out: Stamp, work: Stamp) -> None:
    """PSF centred (dx, dy), at most ``REACH``, from the middle of the box ``out`` (n, n).

    ``work`` has the shape (2, n + 5, n).
    """
    sx, sy = int(np.floor(-dx)), int(np.floor(-dy))
    value, slope = np.empty(6, np.float32), np.empty(6, np.float32)
    spline_weights(-dx - sx, value, slope)
    _along_rows(stamp, value, PAD - 2 + sy, PAD - 2 + sx, work[0])
    spline_weights(-dy - sy, value, slope)
    _along_columns(work[0], value, out)


@compiled
def render_slopes(
    stamp: Stamp, dx: float, dy: float, out: Stamp, out_dx: Stamp, out_dy: Stamp, work: Stamp
) -> None:
    """As :func:`render`, and the derivatives with respect to dx and dy."""
    sx, sy = int(np.floor(-dx)), int(np.floor(-dy))
    value, slope = np.empty(6, np.float32), np.empty(6, np.float32)
    spline_weights(-dx - sx, value, slope)
    # Moving the source by +dx moves the sampling point by -dx.
    for j in range(6):
        slope[j] = -slope[j]
    _along_rows(stamp, value, PAD - 2 + sy, PAD - 2 + sx, work[0])
    _along_rows(stamp, slope, PAD - 2 + sy, PAD - 2 + sx, work[1])
    spline_weights(-dy - sy, value, slope)
    for j in range(6):
        slope[j] = -slope[j]
    _along_columns(work[0], value, out)
    _along_columns(work[1], value, out_dx)
    _along_columns(work[0], slope, out_dy)
