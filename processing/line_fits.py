"""Trails, dipoles and blends: sources that one PSF does not describe.

A trail is the PSF spread evenly along a line, without its middle where a visit of two snaps was
dark between them; a dipole is two PSFs of opposite sign. Both are fitted by damped least squares
(Levenberg-Marquardt) with analytic slopes in the pixel frame and then turned to the sky. Direction
of motion along a trail is not part of the model. DPDD Table 1, trail and dip columns; L1DB-10,
L1DB-11.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processing.compiled import compiled
from processing.geometry import LocalSky, bearing, moved, packed
from processing.psf_core import SplinePsf, cut_out, ln_variances
from processing.psf_spline import Stamp, render_slopes, stamp_at

FloatArray = NDArray[np.float64]
TRAIL, POINTS = 0, 1  # a dipole is two points


@dataclass(frozen=True)
class LineFits:
    """Fits of n sources; ``values`` (n, k) and ``covariance`` (n, k, k) in the pixel frame.

    Trail: flux, x, y, a, b, where the line runs from (x - a, y - b) to (x + a, y + b). Points:
    flux, x, y of each; of a dipole the positive one comes first. ``point_chi2`` and
    ``point_ln_likelihood`` are those of the given point source on the same pixels.
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
    dark: float = 0.0,
) -> LineFits:
    """Fit trails or groups of points.

    Parameters
    ----------
    kind : int
        ``TRAIL`` or ``POINTS``.
    image, variance, usable : array, shape (ny, nx)
        Pixels, variance without the photons of the source, pixels that take part.
    start : array, shape (n, 5), or (n, 3 m) for m points
        Starting values, in the order of :class:`LineFits`.
    point : array, shape (n, 3)
        Flux, x, y of the point-source fit, to compare with; also the middle of the box.
    radius : int array, shape (n,) [pixel]
        Half-width of the box.
    dark : float
        Share of the time from the first opening of the shutter to its last closing that lies
        between the snaps: that share of a trail, in its middle, has no light.
    """
    n, k = start.shape
    values, covariance = start.astype(np.float64).copy(), np.zeros((n, k, k))
    numbers = np.zeros((n, 6))
    _fit_lines(
        kind, dark, image, variance, usable, psf.coefficients, psf.order, psf.x0, psf.y0,
        psf.scale, psf.radius, 1.0 / electrons_per_unit, point.astype(np.float64),
        radius.astype(np.int64), values, covariance, numbers,
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
def _add(
    stamp: Stamp, x: float, y: float, share: float, t: float, into: Stamp, boxes: Stamp, work: Stamp
) -> None:
    """Add ``share`` of a PSF at (x, y) of a box, and its slopes, to ``into`` (3 or 5, n, n).

    Of five arrays the last two get the slopes once more, multiplied by ``t``.
    """
    size, n = boxes.shape[1], into.shape[1]
    column, row = int(np.rint(x)), int(np.rint(y))
    render_slopes(stamp, x - column, y - row, boxes[0], boxes[1], boxes[2], work)
    left, top = column - size // 2, row - size // 2
    low, high = max(0, -left), min(size, n - left)
    if low >= high:
        return
    for a in range(into.shape[0]):
        part = np.float32(share if a < 3 else share * t)
        box = boxes[a if a < 3 else a - 2]
        for i in range(max(0, -top), min(size, n - top)):
            line, value = into[a, top + i, left + low : left + high], box[i, low:high]
            for j in range(line.size):
                line[j] += part * value[j]


@compiled
def _trail(
    stamp: Stamp, dark: float, p: FloatArray, column: int, row: int, model: Stamp, slopes: Stamp,
    boxes: Stamp, work: Stamp,
) -> None:  # fmt: skip
    """Trail and its derivatives over the box around (column, row)."""
    radius = model.shape[0] // 2
    slopes[:] = 0
    # Gauss's rule of three points on pieces of at most two pixels: the PSF is smooth on that scale.
    pieces = 1 + int(np.hypot(p[3], p[4]) * (1 - dark) / 2)
    width = (1 - dark) / pieces
    for side in (-1.0, 1.0):
        for piece in range(pieces):
            for k in range(3):
                t = side * (dark + width * (piece + 0.5 + np.sqrt(0.15) * (k - 1)))
                share = (4 / 9 if k == 1 else 5 / 18) / (2 * pieces)
                x, y = p[1] + t * p[3] - column + radius, p[2] + t * p[4] - row + radius
                _add(stamp, x, y, share, t, slopes, boxes, work)
    flux = np.float32(p[0])
    for i in range(model.shape[0]):
        for j in range(model.shape[1]):
            model[i, j] = flux * slopes[0, i, j]
            for a in range(1, 5):
                slopes[a, i, j] *= flux


@compiled
def _points(
    stamp: Stamp, p: FloatArray, column: int, row: int, model: Stamp, slopes: Stamp, boxes: Stamp,
    work: Stamp,
) -> None:  # fmt: skip
    """Points and their derivatives over the box around (column, row)."""
    radius = model.shape[0] // 2
    slopes[:] = 0
    model[:] = 0
    for k in range(0, p.size, 3):
        x, y = p[k + 1] - column + radius, p[k + 2] - row + radius
        _add(stamp, x, y, 1.0, 0.0, slopes[k : k + 3], boxes, work)
        flux = np.float32(p[k])
        for i in range(model.shape[0]):
            for j in range(model.shape[1]):
                model[i, j] += flux * slopes[k, i, j]
                slopes[k + 1, i, j] *= flux
                slopes[k + 2, i, j] *= flux


@compiled
def _likelihood(
    data: Stamp,
    noise: Stamp,
    use: Stamp,
    per_unit: float,
    model: Stamp,
    slopes: Stamp,
    weight: Stamp,
    normal: FloatArray,
    right: FloatArray,
) -> tuple[float, float]:
    """Chi-square and sum of ln 2 pi var; fills the normal equations.

    Sums along a row are float32, sums of rows float64.
    """
    k, n = right.size, model.shape[0]
    gain, least = np.float32(per_unit), np.float32(0.2)
    normal[:] = 0
    right[:] = 0
    chi2, zero = 0.0, np.float32(0)
    for i in range(n):
        d, v, u, m, w = data[i], noise[i], use[i], model[i], weight[i]
        row_sum = zero
        for j in range(n):
            w[j] = u[j] / max(v[j] + gain * m[j], least * v[j])
            residual = d[j] - m[j]
            row_sum += w[j] * residual * residual
        chi2 += float(row_sum)
        for a in range(k):
            first = slopes[a, i]
            row_sum = zero
            for j in range(n):
                row_sum += w[j] * first[j] * (d[j] - m[j])
            right[a] += row_sum
            for b in range(a + 1):
                second = slopes[b, i]
                row_sum = zero
                for j in range(n):
                    row_sum += w[j] * first[j] * second[j]
                normal[a, b] += row_sum
    for a in range(k):
        for b in range(a):
            normal[b, a] = normal[a, b]
    return chi2, ln_variances(noise, use, model, 1.0, per_unit)


@compiled
def _fit_lines(
    kind: int,
    dark: float,
    image: NDArray[np.float32],
    variance: NDArray[np.float32],
    usable: NDArray[np.bool_],
    coefficients: Stamp,
    order: int,
    x0: float,
    y0: float,
    scale: float,
    psf_radius: int,
    per_unit: float,
    points: FloatArray,
    radii: NDArray[np.int64],
    values: FloatArray,
    covariance: FloatArray,
    numbers: FloatArray,
) -> None:
    k, m, width = values.shape[1], coefficients.shape[1], 2 * psf_radius + 1
    stamp = np.empty((m, m), np.float32)
    boxes, work = (
        np.empty((3, width, width), np.float32),
        np.empty((2, width + 5, width), np.float32),
    )
    for s in range(len(values)):
        radius = radii[s]
        size = 2 * radius + 1
        column, row = int(np.rint(points[s, 1])), int(np.rint(points[s, 2]))
        stamp_at(
            coefficients, order, (points[s, 1] - x0) / scale, (points[s, 2] - y0) / scale, stamp
        )
        pixels = np.empty((5, size, size), np.float32)
        data, noise, use, model, weight = pixels[0], pixels[1], pixels[2], pixels[3], pixels[4]
        n = cut_out(image, variance, usable, row, column, radius, data, noise, use)
        slopes = np.zeros((k, size, size), np.float32)
        normal, right = np.zeros((k, k)), np.zeros(k)
        x, y = points[s, 1] - column + radius, points[s, 2] - row + radius
        _add(stamp, x, y, points[s, 0], 0.0, slopes[:3], boxes, work)
        model[:] = slopes[0]
        chi2, ln_var = _likelihood(data, noise, use, per_unit, model, slopes, weight, normal, right)
        numbers[s, 4], numbers[s, 5], numbers[s, 2] = chi2, -0.5 * (chi2 + ln_var), n
        if n <= k:
            continue
        p = values[s].copy()
        trial = p.copy()
        kept_normal, kept_right = normal.copy(), right.copy()
        best, damping, good = -np.inf, 1e-2, False
        for _ in range(60):
            inside = True
            for index in range(1, k, 3):
                if kind == TRAIL and index > 1:
                    break
                inside &= abs(trial[index] - column) < radius
                inside &= abs(trial[index + 1] - row) < radius
            if kind == TRAIL:
                inside &= np.hypot(trial[3], trial[4]) < 1.2 * radius
            if inside:
                if kind == TRAIL:
                    _trail(stamp, dark, trial, column, row, model, slopes, boxes, work)
                else:
                    _points(stamp, trial, column, row, model, slopes, boxes, work)
                chi2, ln_var = _likelihood(
                    data, noise, use, per_unit, model, slopes, weight, normal, right
                )
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
                # A small gain means a maximum only if the step was not held back.
                if gain < 1e-3 and damping < 0.1:
                    good = True
                    break
                damping = max(0.2 * damping, 1e-7)
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
