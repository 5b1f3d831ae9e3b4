"""Cutouts around sources and numbers that describe them: what spuriousness is judged by.

A cutout holds the difference without the models of deblended siblings, its variance and mask, the
PSF there, the difference of the snaps and the template. Everything is computed in the cutout's own
pixels. Asked is how well a point, a trail or a dipole describes it, and what the rest looks like:
its chi-square near and far, its light, its sharpest peaks on three scales, its lines along the axes
of the detector. L1DB-13.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from processing.deblend import Source
from processing.difference import Difference
from processing.exposure import UNUSABLE, Exposure
from processing.line_fits import POINTS, TRAIL, LineFits
from processing.moments import fit_gaussians, psf_moments
from processing.plane import FloatArray, Plane, add_point
from processing.psf_core import cut_out
from processing.psf_spline import Stamp

NAMES = (
    "signal", "core misfit", "ring misfit", "outer misfit", "ring light", "outer light",
    "core most", "core least", "outside most", "wide most", "columns", "rows", "peak", "size",
    "size in errors", "no size", "trail", "trail gain", "length", "dipole", "dipole gain", "arm",
    "balance", "lost", "lost around", "snaps", "no snaps", "light", "moved", "offset",
)  # fmt: skip
_REACH = 4.0  # half-width of a cutout in FWHM: half a trail of 5 FWHM, and its PSF
_TRUST = 0.03  # relative error that the model of a source may have in any pixel
_PREFERRED = 20.0  # gain in 2 ln L that makes a source a trail or a dipole
_DOUBT = 4.0  # residual S/N, on the scale of the PSF, from which trail and dipole are tried
_SIGMA_OF_FWHM = 2.3548


@dataclass(frozen=True)
class Cutout:
    """The pixels around a source, the source's at their middle.

    ``snaps`` are the difference of the snaps and its variance, None without one; ``template`` is
    the light per pixel, 0 where it is not known.
    """

    plane: Plane
    snaps: tuple[Stamp, Stamp] | None
    template: Stamp


def cut(source: Source, plane: Plane, difference: Difference, snaps: Exposure | None) -> Cutout:
    """Cut out what a source is judged by, 2 ceil(4 FWHM) + 1 pixels wide."""
    reach = int(np.ceil(_REACH * plane.psf.fwhm))
    column, row = round(source.x), round(source.y)
    siblings = np.zeros((0, 3)) if source.siblings is None else source.siblings
    piece = plane.without(siblings, column, row, reach)
    data, noise, use = _boxed(
        piece.image, piece.variance, piece.usable, column - piece.x0, row - piece.y0, reach
    )
    psf = replace(plane.psf, x0=plane.psf.x0 - column + reach, y0=plane.psf.y0 - row + reach)
    own = Plane(data, noise, use > 0, psf, plane.per_unit, plane.dark)
    pair = None if snaps is None else _window(snaps, column, row, reach)
    return Cutout(own, pair, _window(difference.template, column, row, reach)[0])


def _window(exposure: Exposure, column: int, row: int, reach: int) -> tuple[Stamp, Stamp]:
    """Image and variance of an exposure around a pixel; both are 0 where it is not usable."""
    x0, y0 = max(0, column - reach), max(0, row - reach)
    piece = slice(y0, max(y0, row + reach + 1)), slice(x0, max(x0, column + reach + 1))
    image, variance = exposure.image[piece], exposure.variance[piece]
    good = ((exposure.mask[piece] & int(UNUSABLE)) == 0) & np.isfinite(image + variance)
    data, noise, use = _boxed(
        np.where(good, image, np.float32(0)), np.where(good, variance, np.float32(0)), good,
        column - x0, row - y0, reach,
    )  # fmt: skip
    return data, noise * use


def _boxed(
    image: Stamp, variance: Stamp, usable: NDArray[np.bool_], column: int, row: int, reach: int
) -> tuple[Stamp, Stamp, Stamp]:
    """Box around a pixel; beyond the border nothing is usable."""
    box = np.empty((3, 2 * reach + 1, 2 * reach + 1), np.float32)
    cut_out(
        np.ascontiguousarray(image, np.float32), np.ascontiguousarray(variance, np.float32),
        np.ascontiguousarray(usable), row, column, reach, box[0], box[1], box[2],
    )  # fmt: skip
    return box[0], box[1], box[2]


def features(cutout: Cutout) -> FloatArray:
    """Describe a cutout by numbers of order 1, in the order of ``NAMES``."""
    plane = cutout.plane
    middle = plane.image.shape[0] // 2
    centre, fwhm = np.array([float(middle)]), plane.psf.fwhm
    point = plane.fit(centre, centre)
    x, y = centre, centre
    if point.converged[0] and abs(point.x[0] - middle) + abs(point.y[0] - middle) < fwhm:
        x, y = point.x, point.y
    p = np.zeros(plane.image.shape, np.float32)
    add_point(p, plane.psf, 1.0, float(x[0]), float(y[0]))
    use, noise = plane.usable.astype(float), np.where(plane.usable, plane.variance, 1.0)
    weight = np.sum(p * p * use / noise)
    flux = float(np.sum(p * plane.image * use / noise) / max(weight, 1e-30))
    snr = abs(flux) * np.sqrt(weight)
    sign = 1.0 if flux >= 0 else -1.0
    of_psf = psf_moments(plane.psf.images(centre, centre).astype(np.float64))
    shape = fit_gaussians(
        plane.image, plane.variance, plane.usable, x, y, of_psf, plane.psf.radius, free_shape=True,
        per_unit=1 / plane.per_unit,
    )  # fmt: skip
    scales = _Scales(plane, x[0], y[0])
    rest = scales.rest(flux * p, sign)
    one = scales.smooth(rest, 1.0)
    base, box = np.array([[flux, x[0], y[0]]]), np.array([middle])
    light = max(0.0, float(np.sum(p * cutout.template) / np.sum(p * p)))
    trail_gain = dipole_gain = length = arm = balance = moved = 0.0
    is_trail = is_dipole = False
    if one[scales.distance < 3].min() < -_DOUBT:
        dipole = plane.lines(POINTS, scales.dipole_start(flux, sign), base, box)
        plus, minus = dipole.values[0, :3], dipole.values[0, 3:]
        dipole_gain = _gain(dipole) if plus[0] > 0 > minus[0] else 0.0
        is_dipole = dipole_gain > _PREFERRED
    if one.max() > _DOUBT:
        trail = plane.lines(TRAIL, scales.trail_start(flux, sign), base, box)
        trail_gain = _gain(trail)
        is_trail = trail_gain > max(_PREFERRED, dipole_gain)
    if is_trail:
        length = 2 * float(np.hypot(trail.values[0, 3], trail.values[0, 4])) / fwhm
        rest = scales.rest(_drawn_trail(plane, trail), sign)
    elif is_dipole:
        arm = float(np.hypot(*(plus - minus)[1:])) / fwhm
        balance = float(abs(np.log(max(-plus[0] / minus[0], 1e-3))))
        # Flux and length of a short dipole are known by their product only; over the light of the
        # star it is how far that moved.
        moved = float(np.log1p(2 * light / (arm * (plus[0] - minus[0]) + 1e-9)))
        model = np.zeros(plane.image.shape, np.float32)
        add_point(model, plane.psf, *plus)
        add_point(model, plane.psf, *minus)
        rest = scales.rest(model, sign)
    if is_trail or is_dipole:
        one = scales.smooth(rest, 1.0)
    near, around, outside = scales.near, scales.ring, scales.outside
    trace, own = of_psf[0, :2].sum(), shape.moments[0, :2].sum()
    sized = bool(shape.converged[0]) and own > 0
    error = float(np.sqrt(max(shape.covariance[0, 2:4, 2:4].sum(), 1e-12)) / trace)
    size = float(own / trace) if sized else 1.0
    peak = float(np.max(sign * (plane.image * use / np.sqrt(noise))[near]))
    sharpest = float(p.max() / np.sqrt(np.sum(p * p)))  # of a point source of S/N 1
    share = (p * use).sum() / p.sum()
    snap = 0.0
    if cutout.snaps is not None:
        seen, varied = cutout.snaps
        total = np.sum(p * p * varied)
        snap = abs(float(np.sum(p * seen))) / np.sqrt(total) if total > 0 else 0.0
    return np.array(
        [
            np.log(max(snr, 0.1)),
            *(scales.misfit(rest, where) for where in (near, around, outside)),
            *(np.arcsinh(scales.light(rest, where)) for where in (around, outside)),
            np.arcsinh(one[scales.core].max()),
            np.arcsinh(one[scales.core].min()),
            np.arcsinh(np.abs(one[~scales.core]).max()),
            np.arcsinh(np.abs(scales.smooth(rest, 2.5)).max()),
            *(np.arcsinh(scales.lines(rest, axis)) for axis in (0, 1)),
            np.log(max(peak, 0.1) / max(snr * sharpest, 0.1)),
            np.log(size),
            np.arcsinh((size - 1) / np.hypot(error, _TRUST)) if sized else 0.0,
            1.0 - sized,
            float(is_trail),
            np.arcsinh(trail_gain / _PREFERRED),
            np.log1p(length),
            float(is_dipole and not is_trail),
            np.arcsinh(dipole_gain / _PREFERRED),
            np.log1p(arm),
            balance,
            1 - share,
            1 - use.mean(),
            np.log1p(min(snap, 1e4)),
            float(cutout.snaps is None),
            np.log1p(light / max(abs(flux), 1e-6)),
            min(moved, 6.0),
            min(2.0, float(np.hypot(x[0] - middle, y[0] - middle)) / fwhm),
        ]
    )


def _gain(fit: LineFits) -> float:
    """How much better than the point it is, in 2 ln L."""
    if not fit.converged[0]:
        return 0.0
    return max(0.0, float(2 * (fit.ln_likelihood[0] - fit.point_ln_likelihood[0])))


def _drawn_trail(plane: Plane, trail: LineFits) -> Stamp:
    """Light of a fitted trail."""
    flux, x, y, a, b = trail.values[0]
    model = np.zeros(plane.image.shape, np.float32)
    n = int(np.ceil(np.hypot(a, b))) + 2  # points a side, at most a pixel apart
    t = plane.dark + (1 - plane.dark) * (np.arange(n) + 0.5) / n
    for place in np.concatenate([-t, t]):
        add_point(model, plane.psf, flux / (2 * n), x + place * a, y + place * b)
    return model


class _Scales:
    """Regions of a cutout, and what is left in it on several scales."""

    def __init__(self, plane: Plane, x: float, y: float) -> None:
        self.plane = plane
        self.fwhm = plane.psf.fwhm
        rows, columns = np.indices(plane.image.shape)
        self.distance = np.hypot(columns - x, rows - y) / self.fwhm
        self.near, self.core = self.distance < 1, self.distance < 1.5
        self.ring = (self.distance >= 1) & (self.distance < 2)
        self.outside = self.distance >= 2
        self.use = plane.usable.astype(float)

    def rest(self, model: FloatArray | Stamp, sign: float) -> FloatArray:
        """Residuals in errors that allow for those of the model; positive as the source."""
        plane = self.plane
        light = np.maximum(model / plane.per_unit, -0.8 * plane.variance)
        error = np.sqrt(plane.variance + light + (_TRUST * model) ** 2)
        return np.asarray(np.where(plane.usable, sign * (plane.image - model) / error, 0.0), float)

    def smooth(self, rest: FloatArray, scale: float) -> FloatArray:
        """Signal-to-noise of what is left, under a Gaussian ``scale`` times as wide as the PSF."""
        sigma = scale * self.fwhm / _SIGMA_OF_FWHM
        sums = ndimage.gaussian_filter(rest, sigma, mode="constant", truncate=3)
        # Noise of the weighted sum: the square of a Gaussian is one, narrower by the root of 2.
        square = ndimage.gaussian_filter(self.use, sigma / np.sqrt(2), mode="constant", truncate=3)
        power = square / (4 * np.pi * sigma**2)
        return np.asarray(np.where(square > 0.05, sums / np.sqrt(np.maximum(power, 1e-12)), 0.0))

    def signal(self, sign: float) -> FloatArray:
        """Signal-to-noise of the image on the scale of the PSF; positive as the source."""
        return self.smooth(self.rest(np.zeros_like(self.plane.image), sign), 1.0)

    def misfit(self, rest: FloatArray, where: NDArray[np.bool_]) -> float:
        """Logarithm of the chi-square per pixel of a region."""
        n = self.use[where].sum()
        return float(np.log((np.sum(rest[where] ** 2) + 3) / (n + 3)))

    def light(self, rest: FloatArray, where: NDArray[np.bool_]) -> float:
        """Signal-to-noise of the light of a region."""
        return float(np.sum(rest[where]) / np.sqrt(max(1.0, self.use[where].sum())))

    def lines(self, rest: FloatArray, axis: int) -> float:
        """Largest signal-to-noise of a column (axis 0) or row (axis 1) of pixels."""
        sums, n = rest.sum(axis=axis), self.use.sum(axis=axis)
        return float(np.max(np.abs(sums) / np.sqrt(np.maximum(n, 3))))

    def trail_start(self, flux: float, sign: float) -> FloatArray:
        """Flux, x, y and half line from the moments of what stands out of the noise."""
        signal = self.signal(sign)
        weight = np.clip(signal - 3, 0, 10)
        if weight.sum() <= 0:
            weight = np.clip(signal, 0, None) + 1e-6
        rows, columns = np.indices(weight.shape)
        total = weight.sum()
        x, y = np.sum(weight * columns) / total, np.sum(weight * rows) / total
        xx, yy = np.sum(weight * (columns - x) ** 2), np.sum(weight * (rows - y) ** 2)
        xy = np.sum(weight * (columns - x) * (rows - y))
        angle = 0.5 * np.arctan2(2 * xy, xx - yy)
        spread = ((xx + yy) / 2 + np.hypot((xx - yy) / 2, xy)) / total
        # An even line of half-length h has the second moment h^2 / 3.
        half = np.sqrt(3 * max(spread - (self.fwhm / _SIGMA_OF_FWHM) ** 2, 1.0))
        half = min(half, 0.9 * weight.shape[0] / 2)
        return np.array([[flux * (1 + half / self.fwhm), x, y, half * np.cos(angle),
                          half * np.sin(angle)]])  # fmt: skip

    def dipole_start(self, flux: float, sign: float) -> FloatArray:
        """Positive flux, x, y and negative flux, x, y from the extremes near the middle."""
        near = np.where(self.distance < 3, sign * self.signal(sign), 0.0)
        start = np.zeros((1, 6))
        strongest = max(near.max(), -near.min(), 1e-6)
        for k, way in enumerate((1, -1)):
            row, column = np.unravel_index(np.argmax(way * near), near.shape)
            size = max(float(way * near[row, column]) / strongest, 0.1)
            start[0, 3 * k : 3 * k + 3] = way * size * abs(flux), column, row
        return start
