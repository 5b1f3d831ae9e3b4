"""Adaptive moments: centroid and size of a source under a Gaussian weight of its own shape.

The weight that matches the source best (Bernstein & Jarvis 2002, section 3) is the elliptical
Gaussian nearest to the image in the least-squares sense; it is found here as such a fit, which
also gives the covariance of centroid and moments from the pixels' noise. DPDD Table 1 (Ixx, Iyy,
Ixy, Icov and those of the PSF); DIA-10.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processing.compiled import compiled

FloatArray = NDArray[np.float64]
_PARAMETERS = 6  # amplitude, x, y, Mxx, Myy, Mxy


@dataclass(frozen=True)
class Gaussians:
    """Fitted Gaussians of n sources.

    ``x``, ``y`` [pixel]; ``moments`` (n, 3) are Mxx, Myy, Mxy [pixel^2]; ``covariance`` (n, 5, 5)
    is that of (x, y, Mxx, Myy, Mxy); nothing has a meaning where ``converged`` is False.
    """

    x: FloatArray
    y: FloatArray
    moments: FloatArray
    covariance: FloatArray
    converged: NDArray[np.bool_]


def fit_gaussians(
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    usable: NDArray[np.bool_],
    x: FloatArray,
    y: FloatArray,
    moments: FloatArray,
    radius: int,
    *,
    free_shape: bool,
    per_unit: float = 0.0,
) -> Gaussians:
    """Fit a Gaussian to each source, of free or of given shape.

    Parameters
    ----------
    image, variance : array, shape (ny, nx)
        Pixels and variance; all usable pixels weigh the same, as the definition of the adaptive
        moments demands, and the variance goes into the covariance. It is that of the pixels
        without the source.
    x, y : array, shape (n,) [pixel]
        Starting positions.
    moments : array, shape (n, 3) [pixel^2]
        Mxx, Myy, Mxy to start with (usually those of the PSF), or to keep.
    radius : int [pixel]
        Half-width of the box.
    free_shape : bool
        Whether the moments are fitted; without, this is a centroid with a matched weight.
    per_unit : float
        Units an electron: the variance of the source's own photons a unit of its light.
    """
    n = len(x)
    values = np.zeros((n, _PARAMETERS))
    covariance = np.zeros((n, _PARAMETERS, _PARAMETERS))
    converged = np.zeros(n, bool)
    _fit_gaussians(
        image, variance, usable, np.asarray(x, float), np.asarray(y, float),
        np.asarray(moments, float), radius, 6 if free_shape else 3, per_unit, values, covariance,
        converged,
    )  # fmt: skip
    return Gaussians(values[:, 1], values[:, 2], values[:, 3:], covariance[:, 1:, 1:], converged)


def psf_moments(stamps: FloatArray) -> FloatArray:
    """Adaptive moments Mxx, Myy, Mxy [pixel^2] of PSF stamps (n, m, m), shape (n, 3)."""
    half = stamps.shape[1] // 2
    out = np.zeros((len(stamps), 3))
    for k, stamp in enumerate(stamps):
        start = 1 / (4 * np.pi * np.sum(stamp**2)) * stamp.sum() ** 2
        middle = np.array([float(half)])
        fitted = fit_gaussians(
            stamp.astype(np.float32), np.ones(stamp.shape, np.float32),
            np.ones(stamp.shape, bool), middle, middle, np.array([[start, start, 0.0]]), half,
            free_shape=True,
        )  # fmt: skip
        out[k] = fitted.moments[0]
    return out


@compiled
def _fit_gaussians(
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    usable: NDArray[np.bool_],
    xs: FloatArray,
    ys: FloatArray,
    moments: FloatArray,
    radius: int,
    n_free: int,
    per_unit: float,
    values: FloatArray,
    covariance: FloatArray,
    converged: NDArray[np.bool_],
) -> None:
    ny, nx = image.shape
    slope = np.zeros(6)
    for s in range(xs.size):
        column, row = int(np.rint(xs[s])), int(np.rint(ys[s]))
        r0, r1 = max(0, row - radius), min(ny, row + radius + 1)
        c0, c1 = max(0, column - radius), min(nx, column + radius + 1)
        p = np.array([0.0, xs[s], ys[s], moments[s, 0], moments[s, 1], moments[s, 2]])
        damping = 1e-3
        best = np.inf
        trial = p.copy()
        normal, right, noise = np.zeros((6, 6)), np.zeros(6), np.zeros((6, 6))
        kept_normal, kept_right, kept_noise = normal.copy(), right.copy(), noise.copy()
        first = True
        for _ in range(60):
            normal[:] = 0
            right[:] = 0
            noise[:] = 0
            det = trial[3] * trial[4] - trial[5] * trial[5]
            valid = (
                det > 0.05
                and trial[3] > 0.2
                and trial[4] > 0.2
                and trial[3] + trial[4] < 0.5 * radius * radius
                and abs(trial[1] - xs[s]) < 0.5 * radius
                and abs(trial[2] - ys[s]) < 0.5 * radius
            )
            chi2 = 0.0
            count = 0
            if valid:
                for i in range(r0, r1):
                    for j in range(c0, c1):
                        if not usable[i, j]:
                            continue
                        dx, dy = j - trial[1], i - trial[2]
                        qx = (trial[4] * dx - trial[5] * dy) / det
                        qy = (trial[3] * dy - trial[5] * dx) / det
                        g = np.exp(-0.5 * (dx * qx + dy * qy))
                        model = trial[0] * g
                        slope[0] = g
                        slope[1] = model * qx
                        slope[2] = model * qy
                        slope[3] = 0.5 * model * qx * qx
                        slope[4] = 0.5 * model * qy * qy
                        slope[5] = model * qx * qy
                        residual = image[i, j] - model
                        chi2 += residual * residual
                        count += 1
                        own = max(variance[i, j] + model * per_unit, 0.2 * variance[i, j])
                        for a in range(n_free):
                            right[a] += slope[a] * residual
                            for b in range(a + 1):
                                product = slope[a] * slope[b]
                                normal[a, b] += product
                                noise[a, b] += product * own
                if count < 2 * n_free:
                    break
                if first:
                    # The amplitude at the start is that of the given Gaussian.
                    trial[0] = right[0] / normal[0, 0]
                    p[0] = trial[0]
                    first = False
                    continue
            done = False
            if valid and chi2 <= best:
                done = best - chi2 < 1e-7 * best
                best = chi2
                p[:] = trial
                kept_normal[:] = normal
                kept_right[:] = right
                kept_noise[:] = noise
                damping *= 0.2
            else:
                damping *= 8
                if damping > 1e8:
                    break
            if done:
                converged[s] = True
                break
            matrix = np.zeros((n_free, n_free))
            for a in range(n_free):
                for b in range(a + 1):
                    matrix[a, b] = matrix[b, a] = kept_normal[a, b]
                matrix[a, a] = kept_normal[a, a] * (1 + damping) + 1e-30
            step = np.linalg.solve(matrix, kept_right[:n_free].copy())
            trial[:] = p
            for a in range(n_free):
                trial[a] += step[a]
        values[s] = p
        if converged[s]:
            matrix = np.zeros((n_free, n_free))
            middle = np.zeros((n_free, n_free))
            for a in range(n_free):
                for b in range(a + 1):
                    matrix[a, b] = matrix[b, a] = kept_normal[a, b]
                    middle[a, b] = middle[b, a] = kept_noise[a, b]
                matrix[a, a] = kept_normal[a, a] * (1 + 1e-12) + 1e-30
            inverse = np.linalg.inv(matrix)
            covariance[s, :n_free, :n_free] = inverse @ middle @ inverse
