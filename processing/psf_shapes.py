"""How size and ellipticity of the PSF vary over the detector: three numbers a star (GEN-10).

To first order a stretch adds x dP/dx + y dP/dy + 2 P, the two shears x dP/dx - y dP/dy and
x dP/dy + y dP/dx. A star says these with little noise, so that they may vary with a higher degree
than the pixels themselves. How much they vary is learned from the stars too: without stars to say
more the terms stay near 0.
"""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_FLOOR = 0.001  # a star follows a smooth variation to this much
_SPREADS = (0.002, 0.004, 0.008, 0.016, 0.032)  # of the terms
_REACH = 2.0  # FWHM: beyond, a star's light says little of its shape and its neighbours' much


def modes(plane: FloatArray) -> FloatArray:
    """Differentiate a PSF (n, n) by stretch and shears; shape (3, n, n), each of sum 0."""
    n = plane.shape[0]
    grid = np.arange(n) - n // 2
    x, y = np.meshgrid(grid, grid)
    along_y, along_x = np.gradient(plane)
    found = np.stack(
        [
            x * along_x + y * along_y + 2 * plane,
            x * along_x - y * along_y,
            x * along_y + y * along_x,
        ]
    )
    return np.asarray(found - found.sum(axis=(1, 2), keepdims=True) / plane.sum() * plane)


def fit(
    plane: FloatArray,
    residual: FloatArray,
    weight: FloatArray,
    basis: FloatArray,
    before: FloatArray,
    width: float,
) -> FloatArray:
    """Improve the polynomials of stretch and shears, shape (terms, 3).

    Parameters
    ----------
    plane : array, shape (n, n)
        The PSF in the middle of the detector.
    residual, weight : array, shape (k, n, n)
        Of each star, centred, over its flux; and the inverse variance.
    basis : array, shape (k, terms)
    before : array, shape (terms, 3)
        Coefficients that the residuals are left by.
    width : float [pixel]
        FWHM.
    """
    n = plane.shape[0]
    grid = np.arange(n) - n // 2
    inner = (np.hypot(grid[:, None], grid[None, :]) < _REACH * width).ravel()
    along_y, along_x = np.gradient(plane)
    # Flux and place of the star are fitted along.
    design = np.concatenate([modes(plane), np.stack([plane, along_x, along_y])])
    design = design.reshape(6, -1)[:, inner]
    weighted = weight.reshape(len(weight), 1, -1)[:, :, inner] * design
    normal = weighted @ design.T
    # Of a star only whose wings are seen, no size or shape is known.
    known = np.einsum("kaa->ka", normal).min(axis=1) > 0
    normal[~known] = np.eye(6)
    normal += 1e-6 * np.einsum("kaa->ka", normal)[:, :, None] * np.eye(6)
    right = weighted @ residual.reshape(len(residual), -1, 1)[:, inner]
    values = np.linalg.solve(normal, right)[:, :3, 0] + basis @ before
    error = np.hypot(np.sqrt(np.einsum("kaa->ka", np.linalg.inv(normal))[:, :3]), _FLOOR)
    after = np.zeros_like(before)
    for kinds in ([0], [1, 2]):
        good = np.repeat(known[:, None], len(kinds), axis=1)
        for _ in range(4):
            parts = [(values[good[:, i], k], error[good[:, i], k], basis[good[:, i]])
                     for i, k in enumerate(kinds)]  # fmt: skip
            spread = max(_SPREADS, key=lambda s: sum(_evidence(*part, s) for part in parts))
            for i, k in enumerate(kinds):
                after[:, k] = _solve(*parts[i], spread)
                deviation = np.abs(values[:, k] - basis @ after[:, k]) / error[:, k]
                typical = max(1.4826 * float(np.median(deviation[known])), 1.0)
                good[:, i] = known & (deviation < 4 * typical)
    # The mean belongs to the pixels, which follow it exactly.
    after[0] = 0
    return after


def _prior(terms: int, spread: float) -> FloatArray:
    variance = np.full(terms, spread**2)
    variance[0] = 1.0
    return variance


def _solve(values: FloatArray, error: FloatArray, basis: FloatArray, spread: float) -> FloatArray:
    design = basis / error[:, None]
    normal = design.T @ design + np.diag(1 / _prior(basis.shape[1], spread))
    return np.asarray(np.linalg.solve(normal, design.T @ (values / error)))


def _evidence(values: FloatArray, error: FloatArray, basis: FloatArray, spread: float) -> float:
    """Log-likelihood of the stars' values if the terms have a spread."""
    covariance = np.diag(error**2) + (basis * _prior(basis.shape[1], spread)) @ basis.T
    _, log_det = np.linalg.slogdet(covariance)
    return float(-0.5 * (log_det + values @ np.linalg.solve(covariance, values)))
