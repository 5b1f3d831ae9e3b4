"""Trails and dipoles: sources that one PSF does not describe.

A trail is the PSF spread evenly along a line, a dipole two PSFs of opposite sign. Both are fitted
by damped least squares (Levenberg-Marquardt) with analytic slopes in the pixel frame and then
turned to the sky. Direction of motion along a trail is not part of the model. DPDD Table 1, trail
and dip columns; L1DB-10, L1DB-11.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processing.compiled import compiled
from processing.geometry import LocalSky, bearing, moved, packed
from processing.psf_core import SplinePsf, local_stamp, model_variance, render

FloatArray = NDArray[np.float64]
TRAIL, DIPOLE = 0, 1


@dataclass(frozen=True)
class LineFits:
    """Fits of n sources; ``values`` (n, k) and ``covariance`` (n, k, k) in the pixel frame.

    Trail: flux, x, y, a, b, where the line runs from (x - a, y - b) to (x + a, y + b). Dipole:
    positive flux, its x, y, negative flux, its x, y. ``point_chi2`` and ``point_ln_likelihood``
    are those of the given point source on the same pixels.
    """

    values: FloatArray
    covariance: FloatArray
    chi2: FloatArray
    ln_likelihood: FloatArray
    n_data: NDArray[np.int64]
    converged: NDArray[np.bool_]
    point_chi2: FloatArray
    point_ln_likelihood: FloatArray


@dataclass(frozen=True)
class SkyLine:
    """A fit on the sky: positions [deg], length [arcsec], bearing [deg].

    ``covariance`` (n, k (k + 1) / 2) is packed, in nJy, tangent-plane arcsec, arcsec, degrees.
    """

    fluxes: FloatArray  # (n, 1) flux or (n, 2) mean absolute flux and flux difference
    ra: FloatArray
    decl: FloatArray
    length: FloatArray
    angle: FloatArray
    covariance: FloatArray


def fit_lines(
    kind: int,
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    usable: NDArray[np.bool_],
    psf: SplinePsf,
    start: FloatArray,
    point: FloatArray,
    radius: NDArray[np.int64],
    electrons_per_unit: float,
) -> LineFits:
    """Fit trails or dipoles.

    Parameters
    ----------
    kind : int
        ``TRAIL`` or ``DIPOLE``.
    image, variance, usable : array, shape (ny, nx)
        Pixels, variance without the photons of the source, pixels that take part.
    start : array, shape (n, 5) or (n, 6)
        Starting values, in the order of :class:`LineFits`.
    point : array, shape (n, 3)
        Flux, x, y of the point-source fit, to compare with; also the middle of the box.
    radius : int array, shape (n,) [pixel]
        Half-width of the box.
    """
    n, k = start.shape
    values, covariance = start.astype(np.float64).copy(), np.zeros((n, k, k))
    numbers = np.zeros((n, 6))
    _fit_lines(
        kind, image, variance, usable, psf.coefficients, psf.order, psf.x0, psf.y0, psf.scale,
        1.0 / electrons_per_unit, point.astype(np.float64), radius.astype(np.int64), values,
        covariance, numbers,
    )  # fmt: skip
    return LineFits(
        values, covariance, numbers[:, 0], numbers[:, 1], numbers[:, 2].astype(np.int64),
        numbers[:, 3] > 0, numbers[:, 4], numbers[:, 5],
    )  # fmt: skip


def trails_on_sky(fits: LineFits, sky: LocalSky, x: FloatArray, y: FloatArray) -> SkyLine:
    """Trails in the catalogue's frame; ``sky`` is that of the positions (x, y)."""
    v, jac = fits.values, sky.jacobian
    ra, decl = moved(sky, v[:, 1] - x, v[:, 2] - y)
    half = np.einsum("nij,nj->ni", jac, v[:, 3:5])
    length, d_length, angle, d_angle = _polar(2 * half, 180.0)
    turn = np.zeros((len(v), 5, 5))
    turn[:, 0, 0] = 1
    turn[:, 1:3, 1:3] = jac
    turn[:, 3, 3:] = np.einsum("ni,nij->nj", d_length, 2 * jac)
    turn[:, 4, 3:] = np.einsum("ni,nij->nj", d_angle, 2 * jac)
    covariance = turn @ fits.covariance @ np.swapaxes(turn, 1, 2)
    return SkyLine(v[:, :1], ra, decl, length, angle, packed(covariance))


def dipoles_on_sky(fits: LineFits, sky: LocalSky, x: FloatArray, y: FloatArray) -> SkyLine:
    """Dipoles in the catalogue's frame; ``sky`` is that of the positions (x, y)."""
    v, jac = fits.values, sky.jacobian
    middle = (v[:, [1, 2]] + v[:, [4, 5]]) / 2
    ra, decl = moved(sky, middle[:, 0] - x, middle[:, 1] - y)
    arm = np.einsum("nij,nj->ni", jac, v[:, [1, 2]] - v[:, [4, 5]])
    length, d_length, angle, d_angle = _polar(arm, 360.0)
    # Parameters (f+, x+, y+, f-, x-, y-) to (mean, difference, ra, decl, length, angle).
    turn = np.zeros((len(v), 6, 6))
    turn[:, 0, 0], turn[:, 0, 3] = 0.5, -0.5
    turn[:, 1, 0], turn[:, 1, 3] = 1.0, 1.0
    turn[:, 2:4, 1:3] = turn[:, 2:4, 4:6] = jac / 2
    turn[:, 4, 1:3] = np.einsum("ni,nij->nj", d_length, jac)
    turn[:, 4, 4:6] = -turn[:, 4, 1:3]
    turn[:, 5, 1:3] = np.einsum("ni,nij->nj", d_angle, jac)
    turn[:, 5, 4:6] = -turn[:, 5, 1:3]
    covariance = turn @ fits.covariance @ np.swapaxes(turn, 1, 2)
    fluxes = np.stack([(v[:, 0] - v[:, 3]) / 2, v[:, 0] + v[:, 3]], axis=-1)
    return SkyLine(fluxes, ra, decl, length, angle, packed(covariance))


def _polar(arm: FloatArray, period: float) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Length and bearing of (East, North) vectors, each with its gradient."""
    length = np.hypot(arm[:, 0], arm[:, 1])
    safe = np.maximum(length, 1e-9)[:, None]
    d_length = arm / safe
    d_angle = np.degrees(np.stack([arm[:, 1], -arm[:, 0]], axis=-1) / safe**2)
    return length, d_length, bearing(arm[:, 0], arm[:, 1], period), d_angle


@compiled
def _model(
    kind: int,
    stamp: FloatArray,
    p: FloatArray,
    column: int,
    row: int,
    radius: int,
    model: FloatArray,
    slopes: FloatArray,
    work: FloatArray,
) -> None:
    """Model and its derivatives over the box around (column, row)."""
    size = 2 * radius + 1
    value, gx, gy = work[0], work[1], work[2]
    model[:] = 0
    slopes[:] = 0
    if kind == 0:
        # Midpoints of pieces of half a pixel: the PSF is smooth on that scale.
        n = 4 + int(4 * np.hypot(p[3], p[4]))
        for k in range(n):
            t = (2 * k + 1) / n - 1
            render(
                stamp, p[1] + t * p[3] - column, p[2] + t * p[4] - row, radius, value, gx, gy,
                slopes=True,
            )  # fmt: skip
            for i in range(size):
                for j in range(size):
                    slopes[0, i, j] += value[i, j] / n
                    slopes[1, i, j] += p[0] * gx[i, j] / n
                    slopes[2, i, j] += p[0] * gy[i, j] / n
                    slopes[3, i, j] += p[0] * t * gx[i, j] / n
                    slopes[4, i, j] += p[0] * t * gy[i, j] / n
        for i in range(size):
            for j in range(size):
                model[i, j] = p[0] * slopes[0, i, j]
    else:
        for k in range(2):
            flux = p[3 * k]
            render(
                stamp, p[3 * k + 1] - column, p[3 * k + 2] - row, radius, value, gx, gy,
                slopes=True,
            )  # fmt: skip
            for i in range(size):
                for j in range(size):
                    slopes[3 * k, i, j] = value[i, j]
                    slopes[3 * k + 1, i, j] = flux * gx[i, j]
                    slopes[3 * k + 2, i, j] = flux * gy[i, j]
                    model[i, j] += flux * value[i, j]


@compiled
def _likelihood(
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    usable: NDArray[np.bool_],
    column: int,
    row: int,
    radius: int,
    per_unit: float,
    model: FloatArray,
    slopes: FloatArray,
    normal: FloatArray,
    right: FloatArray,
) -> tuple[float, float, int]:
    """Chi-square, sum of ln 2 pi var and pixel count; fills the normal equations."""
    ny, nx = image.shape
    k = right.size
    normal[:] = 0
    right[:] = 0
    chi2 = ln_var = 0.0
    n = 0
    for i in range(max(0, radius - row), min(2 * radius + 1, ny + radius - row)):
        for j in range(max(0, radius - column), min(2 * radius + 1, nx + radius - column)):
            r, c = row - radius + i, column - radius + j
            if not usable[r, c]:
                continue
            var = model_variance(variance[r, c], model[i, j], per_unit)
            residual = image[r, c] - model[i, j]
            chi2 += residual * residual / var
            ln_var += np.log(2 * np.pi * var)
            n += 1
            for a in range(k):
                weighted = slopes[a, i, j] / var
                right[a] += weighted * residual
                for b in range(a + 1):
                    normal[a, b] += weighted * slopes[b, i, j]
    for a in range(k):
        for b in range(a):
            normal[b, a] = normal[a, b]
    return chi2, ln_var, n


@compiled
def _fit_lines(
    kind: int,
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    usable: NDArray[np.bool_],
    coefficients: FloatArray,
    order: int,
    x0: float,
    y0: float,
    scale: float,
    per_unit: float,
    points: FloatArray,
    radii: NDArray[np.int64],
    values: FloatArray,
    covariance: FloatArray,
    numbers: FloatArray,
) -> None:
    k = values.shape[1]
    for s in range(len(values)):
        radius = radii[s]
        size = 2 * radius + 1
        column, row = int(np.rint(points[s, 1])), int(np.rint(points[s, 2]))
        stamp = local_stamp(
            coefficients, order, (points[s, 1] - x0) / scale, (points[s, 2] - y0) / scale
        )
        model, slopes = np.empty((size, size)), np.empty((k, size, size))
        work = np.empty((3, size, size))
        normal, right = np.zeros((k, k)), np.zeros(k)
        render(
            stamp, points[s, 1] - column, points[s, 2] - row, radius, model, model, model,
            slopes=False,
        )  # fmt: skip
        model *= points[s, 0]
        slopes[:] = 0
        chi2, ln_var, n = _likelihood(
            image, variance, usable, column, row, radius, per_unit, model, slopes, normal, right
        )
        numbers[s, 4], numbers[s, 5], numbers[s, 2] = chi2, -0.5 * (chi2 + ln_var), n
        if n <= k:
            continue
        p = values[s].copy()
        trial = p.copy()
        kept_normal, kept_right = normal.copy(), right.copy()
        best, damping, good = -np.inf, 1e-2, False
        for _ in range(50):
            inside = True
            for index in range(1, k, 3):
                if kind == 0 and index > 1:
                    break
                inside &= abs(trial[index] - column) < radius
                inside &= abs(trial[index + 1] - row) < radius
            if kind == 0:
                inside &= np.hypot(trial[3], trial[4]) < 1.2 * radius
            if inside:
                _model(kind, stamp, trial, column, row, radius, model, slopes, work)
                chi2, ln_var, n = _likelihood(
                    image, variance, usable, column, row, radius, per_unit, model, slopes,
                    normal, right,
                )  # fmt: skip
                ln_likelihood = -0.5 * (chi2 + ln_var)
            else:
                ln_likelihood = -np.inf
            if ln_likelihood > best:
                gain = ln_likelihood - best
                best = ln_likelihood
                p[:] = trial
                kept_normal[:] = normal
                kept_right[:] = right
                numbers[s, 0], numbers[s, 1] = chi2, ln_likelihood
                damping = max(0.2 * damping, 1e-7)
                if gain < 1e-3:
                    good = True
                    break
            else:
                damping *= 6
                if damping > 1e6:
                    # No step is uphill any more: a maximum within the model's curvature.
                    good = np.isfinite(best)
                    break
            matrix = kept_normal.copy()
            for a in range(k):
                matrix[a, a] = matrix[a, a] * (1 + damping) + 1e-12
            trial[:] = p + np.linalg.solve(matrix, kept_right)
        values[s] = p
        # Scaled before it is inverted: fluxes and positions differ by many powers of ten.
        for a in range(k):
            if not kept_normal[a, a] > 0:
                good = False
        if not good:
            continue
        scaled = kept_normal.copy()
        for a in range(k):
            for b in range(k):
                scaled[a, b] /= np.sqrt(kept_normal[a, a] * kept_normal[b, b])
            scaled[a, a] += 1e-9
        inverse = np.linalg.inv(scaled)
        for a in range(k):
            if not inverse[a, a] > 0:
                good = False
            for b in range(k):
                covariance[s, a, b] = inverse[a, b] / np.sqrt(kept_normal[a, a] * kept_normal[b, b])
        numbers[s, 3] = 1.0 if good else 0.0
