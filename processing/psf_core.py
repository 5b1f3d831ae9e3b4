"""The PSF core: one renderer of the PSF at any position, shared by all point-source fits.

A PSF sampled on the detector's pixels is turned into quintic B-spline coefficients, whose
polynomial over the detector is kept (:mod:`processing.psf_spline` evaluates them). For a Moffat
profile (beta 3) of 2.5, 3 and 4 pixels FWHM the error is below 0.3, 0.2 and 0.05 % of its peak
(proven in the tests).

Fits use maximum likelihood with the *model's* variance, never the noisy pixel's; covariances are
those of the pixels in use. DPDD section 2.1 and Table 1 (ps columns); DIA-10, DIA-19.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import spline_filter

from processing.compiled import compiled
from processing.exposure import Psf
from processing.psf import PsfModel, fwhm
from processing.psf_spline import PAD, REACH, Stamp, render, render_slopes, stamp_at

FloatArray = NDArray[np.float64]
_STEPS = 40  # of a fit: noise can make the top of a faint source so flat that it takes many
_WHOLE_STEPS = 12


@dataclass(frozen=True)
class SplinePsf:
    """A PSF varying over the detector, as spline coefficients for the compiled fits.

    Attributes
    ----------
    coefficients : float32 array, shape (n_terms, m, m)
        Spline coefficients of each polynomial term; terms 1, u, v, u^2, uv, v^2 ...; m is that
        of a box of the ``radius`` and the padding of :mod:`processing.psf_spline`.
    order : int
        Order of the polynomial in u = (x - x0) / scale, v = (y - y0) / scale.
    x0, y0, scale : float [pixel]
        Centre and half-width of the region where the polynomial holds.
    radius : int [pixel]
        Half-width of the box in which sources are fitted.
    fwhm : float [pixel]
        Full width at half maximum at the centre.
    """

    coefficients: Stamp
    order: int
    x0: float
    y0: float
    scale: float
    radius: int
    fwhm: float

    def image(self, x: float, y: float, *, exact: bool = False) -> FloatArray:
        """PSF at (x, y), shape (2 radius + 1, 2 radius + 1).

        It is centred on the middle pixel or, if ``exact``, as it falls on the pixels around
        the one nearest to (x, y).
        """
        shift = (x - round(x), y - round(y)) if exact else (0.0, 0.0)
        stamp = self.images(np.array([x]), np.array([y]), np.array([shift]))[0]
        return np.asarray(stamp, np.float64)

    def images(self, x: FloatArray, y: FloatArray, shift: FloatArray | None = None) -> Stamp:
        """PSFs at n positions, shape (n, 2 radius + 1, 2 radius + 1).

        Each is centred on the middle pixel, or off it by ``shift`` (n, 2), at most 3.5 pixels.
        """
        size = 2 * self.radius + 1
        out = np.empty((len(x), size, size), np.float32)
        moved = np.zeros((len(x), 2)) if shift is None else np.asarray(shift, float)
        u, v = (np.asarray(x) - self.x0) / self.scale, (np.asarray(y) - self.y0) / self.scale
        _images(self.coefficients, self.order, u, v, moved, out)
        return out

    def slopes(self, x: float, y: float) -> FloatArray:
        """PSF as it falls on the pixels around (x, y), and its slopes along x and y.

        Shape (3, 2 radius + 1, 2 radius + 1).
        """
        size, m = 2 * self.radius + 1, self.coefficients.shape[1]
        out, stamp = np.empty((3, size, size), np.float32), np.empty((m, m), np.float32)
        u, v = (x - self.x0) / self.scale, (y - self.y0) / self.scale
        stamp_at(self.coefficients, self.order, u, v, stamp)
        work = np.empty((2, size + 5, size), np.float32)
        render_slopes(stamp, x - round(x), y - round(y), out[0], out[1], out[2], work)
        return np.asarray(out, np.float64)


@dataclass(frozen=True)
class PointFits:
    """Result of :func:`fit_points`, arrays of n sources.

    ``covariance`` (n, 6) is the lower triangle of (flux, x, y) row by row [unit^2, unit pixel,
    pixel^2]. Where ``converged`` is False nothing else has a meaning.
    """

    flux: FloatArray
    x: FloatArray
    y: FloatArray
    covariance: FloatArray
    chi2: FloatArray
    ln_likelihood: FloatArray
    n_data: NDArray[np.int64]
    converged: NDArray[np.bool_]


def spline_psf(psf: Psf, shape: tuple[int, int]) -> SplinePsf:
    """Make ``psf``, of a detector of ``shape`` (ny, nx), ready for fits.

    A :class:`~processing.psf.PsfModel` is used as it is; any other PSF is sampled over the
    detector and approximated by polynomials of order 2.
    """
    model = psf if isinstance(psf, PsfModel) else PsfModel.sampled(psf, shape)
    padded = np.pad(model.coefficients, ((0, 0), (PAD, PAD), (PAD, PAD)))
    splines = np.stack([spline_filter(plane, order=5, output=np.float64) for plane in padded])
    x0, y0 = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    width = fwhm(model.image(x0, y0))
    # Beyond 2.5 FWHM a pixel adds less than 0.1 % to the information on a faint source.
    radius = int(min(model.size // 2, max(6, np.ceil(2.5 * width))))
    cut = model.size // 2 - radius
    splines = np.ascontiguousarray(splines[:, cut : -cut or None, cut : -cut or None], np.float32)
    return SplinePsf(splines, model.order, model.x0, model.y0, model.scale, radius, width)


@compiled
def _images(
    coefficients: Stamp, order: int, u: FloatArray, v: FloatArray, shift: FloatArray, out: Stamp
) -> None:
    size, m = out.shape[1], coefficients.shape[1]
    stamp, work = np.empty((m, m), np.float32), np.empty((2, size + 5, size), np.float32)
    for s in range(u.size):
        stamp_at(coefficients, order, u[s], v[s], stamp)
        render(stamp, shift[s, 0], shift[s, 1], out[s], work)


@compiled
def cut_out(
    image: Stamp, variance: Stamp, usable: NDArray[np.bool_], row: int, column: int, radius: int,
    data: Stamp, noise: Stamp, use: Stamp,
) -> int:  # fmt: skip
    """Copy a box out of an image; ``use`` is 1 where a pixel takes part. Return their number."""
    ny, nx = image.shape
    size = 2 * radius + 1
    count = 0
    for i in range(size):
        r = row - radius + i
        for j in range(size):
            c = column - radius + j
            if 0 <= r < ny and 0 <= c < nx and usable[r, c]:
                data[i, j], noise[i, j], use[i, j] = image[r, c], variance[r, c], 1
                count += 1
            else:
                data[i, j], noise[i, j], use[i, j] = 0, 1, 0
    return count


@compiled
def _sums(
    data: Stamp, noise: Stamp, use: Stamp, p: Stamp, px: Stamp, py: Stamp, flux: float,
    per_unit: float, sums: FloatArray,
) -> None:  # fmt: skip
    """Sum the normal equations of (flux, x, y): lower triangle, right side, chi-square.

    The variance is the model's: what is there without the source, and the source's own photons.
    A source that faded takes photons away; a fifth of the background is always left.
    """
    d, v, u, value = data.reshape(-1), noise.reshape(-1), use.reshape(-1), p.reshape(-1)
    dx, dy = px.reshape(-1), py.reshape(-1)
    f, gain = np.float32(flux), np.float32(flux * per_unit)
    a00 = a10 = a11 = a20 = a21 = a22 = np.float32(0)
    b0 = b1 = b2 = chi2 = np.float32(0)
    for k in range(d.size):
        w = u[k] / max(v[k] + gain * value[k], np.float32(0.2) * v[k])
        residual = d[k] - f * value[k]
        wp, wx, wy, wr = w * value[k], w * dx[k], w * dy[k], w * residual
        a00 += wp * value[k]
        a10 += wp * dx[k]
        a11 += wx * dx[k]
        a20 += wp * dy[k]
        a21 += wx * dy[k]
        a22 += wy * dy[k]
        b0 += wr * value[k]
        b1 += wr * dx[k]
        b2 += wr * dy[k]
        chi2 += wr * residual
    sums[0], sums[1], sums[2] = a00, f * a10, f * f * a11
    sums[3], sums[4], sums[5] = f * a20, f * f * a21, f * f * a22
    sums[6], sums[7], sums[8], sums[9] = b0, f * b1, f * b2, chi2


@compiled
def _flux_alone(
    data: Stamp, noise: Stamp, use: Stamp, p: Stamp, flux: float, per_unit: float
) -> float:
    """Flux at the given position, with the variance that ``flux`` implies; NaN if unknown."""
    d, v, u, value = data.reshape(-1), noise.reshape(-1), use.reshape(-1), p.reshape(-1)
    gain = np.float32(flux * per_unit)
    up = down = np.float32(0)
    for k in range(d.size):
        wp = u[k] * value[k] / max(v[k] + gain * value[k], np.float32(0.2) * v[k])
        up += wp * d[k]
        down += wp * value[k]
    return float(up / down) if down > 0 else np.nan


@compiled
def ln_variances(noise: Stamp, use: Stamp, p: Stamp, flux: float, per_unit: float) -> float:
    """Sum of ln 2 pi variance over the pixels in use."""
    v, u, value = noise.reshape(-1), use.reshape(-1), p.reshape(-1)
    total, product = 0.0, 1.0
    for k in range(v.size):
        if u[k] > 0:
            product *= 2 * np.pi * max(v[k] + flux * value[k] * per_unit, 0.2 * v[k])
            # One logarithm for many factors.
            if product > 1e200 or product < 1e-200:
                total += np.log(product)
                product = 1.0
    return float(total + np.log(product))


@compiled
def _fit_points(
    image: Stamp,
    variance: Stamp,
    usable: NDArray[np.bool_],
    coefficients: Stamp,
    order: int,
    x0: float,
    y0: float,
    scale: float,
    radius: int,
    per_unit: float,
    xs: FloatArray,
    ys: FloatArray,
    result: FloatArray,
) -> None:
    size, m = 2 * radius + 1, coefficients.shape[1]
    stamp, work = np.empty((m, m), np.float32), np.empty((2, size + 5, size), np.float32)
    box = np.empty((6, size, size), np.float32)
    data, noise, use, p, px, py = box[0], box[1], box[2], box[3], box[4], box[5]
    sums = np.empty(10)
    for s in range(xs.size):
        column, row = int(np.rint(xs[s])), int(np.rint(ys[s]))
        stamp_at(coefficients, order, (xs[s] - x0) / scale, (ys[s] - y0) / scale, stamp)
        dx, dy = xs[s] - column, ys[s] - row
        n = cut_out(image, variance, usable, row, column, radius, data, noise, use)
        good = False
        result[s, 1], result[s, 2], result[s, 11] = xs[s], ys[s], n
        if n < 6:
            continue
        # Linear start: the flux at the given position.
        render(stamp, dx, dy, p, work)
        flux = _flux_alone(data, noise, use, p, 0.0, per_unit)
        if not np.isfinite(flux):
            continue
        for step in range(_STEPS):
            render_slopes(stamp, dx, dy, p, px, py, work)
            _sums(data, noise, use, p, px, py, flux, per_unit, sums)
            a00, a10, a11, a20, a21, a22 = sums[0], sums[1], sums[2], sums[3], sums[4], sums[5]
            determinant = (
                a00 * (a11 * a22 - a21 * a21)
                - a10 * (a10 * a22 - a21 * a20)
                + a20 * (a10 * a21 - a11 * a20)
            )
            if not determinant > 0:
                break
            c00 = (a11 * a22 - a21 * a21) / determinant
            c10 = (a20 * a21 - a10 * a22) / determinant
            c11 = (a00 * a22 - a20 * a20) / determinant
            c20 = (a10 * a21 - a20 * a11) / determinant
            c21 = (a10 * a20 - a00 * a21) / determinant
            c22 = (a00 * a11 - a10 * a10) / determinant
            result[s, 3], result[s, 4], result[s, 5] = c00, c10, c11
            result[s, 6], result[s, 7], result[s, 8] = c20, c21, c22
            result[s, 9] = sums[9]
            move_f = c00 * sums[6] + c10 * sums[7] + c20 * sums[8]
            move_x = c10 * sums[6] + c11 * sums[7] + c21 * sums[8]
            move_y = c20 * sums[6] + c21 * sums[7] + c22 * sums[8]
            # Converged when the step is a hundredth of the standard errors.
            if (
                abs(move_f) < 0.01 * np.sqrt(c00)
                and abs(move_x) < 0.01 * np.sqrt(c11) + 1e-5
                and abs(move_y) < 0.01 * np.sqrt(c22) + 1e-5
            ):
                result[s, 10] = -0.5 * (sums[9] + ln_variances(noise, use, p, flux, per_unit))
                good = True
                break
            longest = max(abs(move_x), abs(move_y))
            # At most half a pixel a step: the model is far from linear beyond.
            shorten = 1.0 if longest < 0.5 else 0.5 / longest
            flux += move_f if shorten == 1.0 else 0.0
            # Noise can make the top so narrow that whole steps go to and fro.
            shorten *= 1.0 if step < _WHOLE_STEPS else 0.5
            dx += shorten * move_x
            dy += shorten * move_y
            if abs(dx) > REACH or abs(dy) > REACH:
                break
        result[s, 0], result[s, 1], result[s, 2] = flux, column + dx, row + dy
        result[s, 12] = 1.0 if good else 0.0


def fit_points(
    image: NDArray[Any],
    variance: NDArray[Any],
    usable: NDArray[np.bool_],
    psf: SplinePsf,
    x: FloatArray,
    y: FloatArray,
    electrons_per_unit: float,
) -> PointFits:
    """Fit flux and position of point sources, each on its own (maximum likelihood).

    Parameters
    ----------
    image, variance : array, shape (ny, nx) [unit, unit^2]
        Pixels, and their variance without the photons of the source itself.
    usable : array of bool, shape (ny, nx)
        Pixels that take part.
    psf : SplinePsf
        The PSF over this image.
    x, y : array, shape (n,) [pixel]
        Starting positions, within 3 pixels of the truth.
    electrons_per_unit : float
        For the source's own Poisson noise.

    Notes
    -----
    DPDD Table 1: psFlux, psRadec, psCov, psLnL = -(chi2 + sum ln 2 pi var)/2, psChi2, psNdata.
    """
    result = np.zeros((len(x), 13))
    _fit_points(
        _float(image), _float(variance), usable, psf.coefficients, psf.order, psf.x0, psf.y0,
        psf.scale, psf.radius, 1.0 / electrons_per_unit, np.asarray(x, float),
        np.asarray(y, float), result,
    )  # fmt: skip
    return PointFits(
        flux=result[:, 0],
        x=result[:, 1],
        y=result[:, 2],
        covariance=result[:, 3:9],
        chi2=result[:, 9],
        ln_likelihood=result[:, 10],
        n_data=result[:, 11].astype(np.int64),
        converged=result[:, 12] > 0,
    )


@compiled
def _forced(
    image: Stamp,
    variance: Stamp,
    weight: Stamp,
    coefficients: Stamp,
    order: int,
    x0: float,
    y0: float,
    scale: float,
    radius: int,
    per_unit: float,
    xs: FloatArray,
    ys: FloatArray,
    result: FloatArray,
) -> None:
    ny, nx = image.shape
    size, m = 2 * radius + 1, coefficients.shape[1]
    stamp, work = np.empty((m, m), np.float32), np.empty((2, size + 5, size), np.float32)
    p = np.empty((size, size), np.float32)
    flat = p.reshape(-1)
    zero = np.float32(0)
    for s in range(xs.size):
        column, row = int(np.rint(xs[s])), int(np.rint(ys[s]))
        stamp_at(coefficients, order, (xs[s] - x0) / scale, (ys[s] - y0) / scale, stamp)
        render(stamp, xs[s] - column, ys[s] - row, p, work)
        x_low, x_high = max(0, radius - column), min(size, nx + radius - column)
        y_low, y_high = max(0, radius - row), min(size, ny + radius - row)
        total = used = down = up = noise = light = zero
        for k in range(flat.size):
            total += flat[k]
        for i in range(y_low, y_high):
            r, c = row - radius + i, column - radius
            value = p[i, x_low:x_high]
            w, v = weight[r, c + x_low : c + x_high], variance[r, c + x_low : c + x_high]
            d = image[r, c + x_low : c + x_high]
            for j in range(value.size):
                wp = w[j] * value[j]
                used += value[j] if w[j] > zero else zero
                down += wp * value[j]
                up += wp * d[j]
                noise += wp * wp * v[j]
                light += wp * wp * value[j]
        if down > 0:
            flux = up / down
            result[s, 0] = flux
            # A source that faded takes its photons away, as in the fits.
            own = max(flux * per_unit * light, -0.8 * noise)
            result[s, 1] = np.sqrt(noise + own) / down
        result[s, 2] = used / total


def forced_flux(
    image: NDArray[Any],
    variance: NDArray[Any],
    weight: NDArray[Any],
    psf: SplinePsf,
    x: FloatArray,
    y: FloatArray,
    electrons_per_unit: float = np.inf,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Point-source flux at given positions.

    Parameters
    ----------
    image, variance : array, shape (ny, nx) [unit, unit^2]
        Pixels and their variance.
    weight : array, shape (ny, nx)
        Weight of each pixel, 0 where unusable. It must not depend on the pixel's own noise
        (that would bias the flux): 1/variance if that is a model's, else 1.
    psf : SplinePsf
        The PSF over this image.
    x, y : array, shape (n,) [pixel]
        Positions, on the image.
    electrons_per_unit : float
        For the photons of the source itself, where ``variance`` is without them.

    Returns
    -------
    flux, flux_err, coverage : arrays, shape (n,) [unit, unit, 1]
        Coverage is the share of the PSF that lies on usable pixels; the flux is of use where
        it is not far below 1.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    # Neighbours one after the other find their pixels in the processor's cache.
    order = np.lexsort((x // 32, y // 32))
    result, sorted_result = np.zeros((len(x), 3)), np.zeros((len(x), 3))
    # Weights are only relative: near 1 their squares stay within float32.
    top = float(np.max(weight, initial=0.0)) or 1.0
    _forced(
        _float(image), _float(variance), _float(np.asarray(weight) / np.float32(top)),
        psf.coefficients, psf.order, psf.x0, psf.y0, psf.scale, psf.radius,
        1.0 / electrons_per_unit, x[order], y[order], sorted_result,
    )  # fmt: skip
    result[order] = sorted_result
    return result[:, 0], result[:, 1], result[:, 2]


def _float(image: NDArray[Any]) -> NDArray[Any]:
    """Native byte order, contiguous, float32 as all images are kept."""
    return np.ascontiguousarray(image, dtype=np.float32)
