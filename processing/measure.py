"""What is measured of a source on the difference image alone.

Centroid, aperture flux, point source, trail and dipole, adaptive moments (DIA-10, L1DB-07,
L1DB-10, L1DB-11; DPDD Table 1).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sep

from processing.deblend import Source, box_radius
from processing.geometry import unpacked
from processing.line_fits import POINTS, TRAIL, LineFits
from processing.moments import Gaussians, fit_gaussians
from processing.plane import BoolArray, FloatArray, Plane
from processing.psf_core import PointFits, forced_flux

_APERTURE = 1.5  # radius of the aperture in FWHM
_PREFERRED = 20.0  # gain in 2 ln L that makes a source a trail or a dipole


@dataclass(frozen=True)
class Measured:
    """Everything measured on the difference image, arrays of n sources."""

    point: PointFits
    centroid: Gaussians
    shape: Gaussians
    trail: LineFits
    dipole: LineFits
    aperture: tuple[FloatArray, FloatArray, BoolArray, BoolArray]  # flux, error, valid, truncated


def measure_on_difference(
    sources: list[Source], plane: Plane, x: FloatArray, y: FloatArray, of_psf: FloatArray
) -> Measured:
    """Measure all sources on the difference, children without their siblings."""
    alone = [k for k, s in enumerate(sources) if s.siblings is None]
    parts = [(np.array(alone, int), _on_plane([sources[k] for k in alone], plane, x[alone],
                                              y[alone], of_psf[alone]))]  # fmt: skip
    for k, source in enumerate(sources):
        if source.siblings is None:
            continue
        reach = 2 * plane.psf.radius + box_radius(source.footprint, plane)
        piece = plane.without(source.siblings, x[k], y[k], reach)
        at = np.array([k])
        measured = _on_plane([source], piece, x[at] - piece.x0, y[at] - piece.y0, of_psf[at])
        if source.joint is not None and measured.point.converged[0]:
            measured = _among_siblings(measured, source.joint)
        parts.append((at, _shifted(measured, piece.x0, piece.y0)))
    order = np.argsort(np.concatenate([indices for indices, _ in parts]), kind="stable")

    def gather(name: str) -> Any:
        values = [getattr(found, name) for _, found in parts]
        if isinstance(values[0], tuple):
            return tuple(np.concatenate(v)[order] for v in zip(*values, strict=True))
        fields = values[0].__dataclass_fields__
        joined = {f: np.concatenate([getattr(v, f) for v in values])[order] for f in fields}
        return type(values[0])(**joined)

    return Measured(*(gather(name) for name in Measured.__dataclass_fields__))


def _among_siblings(found: Measured, joint: FloatArray) -> Measured:
    """Errors of a child: those of the fit of all children at once.

    Alone it was measured as if its siblings were known; what they leave open is added.
    """
    more = joint - unpacked(found.point.covariance)[0]
    rows, columns = np.tril_indices(3)
    place = found.centroid.covariance.copy()
    place[:, :2, :2] += np.maximum(np.diag(np.diagonal(more)[1:]), 0)
    flux, error, valid, cut = found.aperture
    error = np.sqrt(error**2 + max(more[0, 0], 0))
    return replace(
        found,
        point=replace(found.point, covariance=joint[rows, columns][None]),
        centroid=replace(found.centroid, covariance=place),
        aperture=(flux, error, valid, cut),
    )


def _shifted(found: Measured, x0: int, y0: int) -> Measured:
    """Positions of a piece in the frame of the detector."""
    trail, dipole = found.trail.values.copy(), found.dipole.values.copy()
    trail[:, 1:3] += (x0, y0)
    dipole[:, 1:3] += (x0, y0)
    dipole[:, 4:6] += (x0, y0)
    return replace(
        found,
        point=replace(found.point, x=found.point.x + x0, y=found.point.y + y0),
        centroid=replace(found.centroid, x=found.centroid.x + x0, y=found.centroid.y + y0),
        shape=replace(found.shape, x=found.shape.x + x0, y=found.shape.y + y0),
        trail=replace(found.trail, values=trail),
        dipole=replace(found.dipole, values=dipole),
    )


def _on_plane(
    sources: list[Source], plane: Plane, x: FloatArray, y: FloatArray, of_psf: FloatArray
) -> Measured:
    point = plane.fit(x, y)
    radius = plane.psf.radius
    args, gain = (plane.image, plane.variance, plane.usable), 1 / plane.per_unit
    centroid = fit_gaussians(*args, x, y, of_psf, radius, free_shape=False, per_unit=gain)
    cx = np.where(centroid.converged, centroid.x, x)
    cy = np.where(centroid.converged, centroid.y, y)
    boxes = np.array([box_radius(s.footprint, plane) for s in sources], np.int64)
    shape = fit_gaussians(*args, cx, cy, of_psf, radius, free_shape=True, per_unit=gain)
    flux, _, _ = forced_flux(
        plane.image, plane.variance, np.where(plane.usable, 1.0, 0.0), plane.psf, cx, cy
    )
    # Where the point fit ran away the forced flux at the peak stands in for it.
    base = np.stack(
        [
            np.where(point.converged, point.flux, flux),
            np.where(point.converged, point.x, cx),
            np.where(point.converged, point.y, cy),
        ],
        axis=-1,
    ).reshape(-1, 3)
    trail = plane.lines(TRAIL, _trail_start(base, shape, of_psf, sources), base, boxes)
    dipole = plane.lines(POINTS, _dipole_start(base, sources, plane), base, boxes)
    real = dipole.converged & (dipole.values[:, 0] > 0) & (dipole.values[:, 3] < 0)
    return Measured(
        point, centroid, shape, trail, replace(dipole, converged=real),
        aperture_flux(plane, cx, cy),
    )  # fmt: skip


def _trail_start(
    base: FloatArray, shape: Gaussians, of_psf: FloatArray, sources: list[Source]
) -> FloatArray:
    """Flux, x, y and half line: from the excess of the moments, or of a long footprint."""
    start = np.concatenate([base, np.zeros((len(base), 2))], axis=1)
    for k, source in enumerate(sources):
        xx, yy, xy = (shape.moments[k] if shape.converged[k] else of_psf[k]) - of_psf[k]
        inside = source.footprint.inside
        if max(inside.shape) > 12 + 2.5 * np.sqrt(of_psf[k].max()) * 2.35:
            rows, columns = np.nonzero(inside)
            cov = np.cov(columns, rows)
            xx, yy, xy = cov[0, 0] - of_psf[k, 0], cov[1, 1] - of_psf[k, 1], cov[0, 1]
            start[k, 1] = source.footprint.box[1].start + columns.mean()
            start[k, 2] = source.footprint.box[0].start + rows.mean()
            if source.siblings is not None:
                start[k, 1:3] = base[k, 1:3]
        angle = 0.5 * np.arctan2(2 * xy, xx - yy)
        excess = (xx + yy) / 2 + np.hypot((xx - yy) / 2, xy)
        # An even line of half-length h has the second moment h^2 / 3.
        half = np.sqrt(3 * max(excess, 0.15 * of_psf[k, :2].mean()))
        start[k, 3], start[k, 4] = half * np.cos(angle), half * np.sin(angle)
    return start


def _dipole_start(base: FloatArray, sources: list[Source], plane: Plane) -> FloatArray:
    """Positive flux, x, y and negative flux, x, y: from the other peak, or the other extreme."""
    start = np.zeros((len(base), 6))
    reach = int(np.ceil(1.5 * plane.psf.fwhm))
    ny, nx = plane.image.shape
    for k, source in enumerate(sources):
        flux, x, y = base[k]
        sign = np.sign(flux) or 1.0
        if source.opposite is not None:
            ox, oy = float(source.opposite.x - plane.x0), float(source.opposite.y - plane.y0)
            x, y = source.x - plane.x0, source.y - plane.y0
            other = -flux * abs(source.opposite.score / source.score)
        else:
            column, row = int(np.rint(x)), int(np.rint(y))
            c0, r0 = max(0, column - reach), max(0, row - reach)
            box = plane.image[r0 : min(ny, row + reach + 1), c0 : min(nx, column + reach + 1)]
            if box.size == 0:
                start[k] = (abs(flux), x, y, -abs(flux), x + 1, y)
                continue
            down, right = np.unravel_index(np.argmin(sign * box), box.shape)
            ox, oy, other = float(right + c0), float(down + r0), -0.2 * flux
        first, second = (flux, x, y), (other, ox, oy)
        start[k] = (*first, *second) if flux > 0 else (*second, *first)
    return start


def aperture_flux(
    plane: Plane, x: FloatArray, y: FloatArray
) -> tuple[FloatArray, FloatArray, BoolArray, BoolArray]:
    """Flux within 1.5 FWHM, divided by the share of the PSF in what of it is usable."""
    n = len(x)
    if n == 0:
        return np.zeros(0), np.zeros(0), np.zeros(0, bool), np.zeros(0, bool)
    half = plane.psf.radius
    radius = min(_APERTURE * plane.psf.fwhm, half - 0.5)
    ny, nx = plane.image.shape
    x, y = np.clip(x, -1, nx), np.clip(y, -1, ny)  # a fit may have left the image
    columns = np.clip(np.rint(x).astype(int), 0, nx - 1)
    rows = np.clip(np.rint(y).astype(int), 0, ny - 1)
    stamps = plane.psf.images(x, y, np.stack([x - columns, y - rows], axis=-1))
    flux, variance = np.zeros(n), np.zeros(n)
    share, seen, whole = np.zeros(n), np.zeros(n), np.zeros(n)
    image, usable = np.pad(plane.image, half), np.pad(plane.usable, half)
    noise = np.pad(plane.variance, half)
    for k in range(n):
        cut = slice(rows[k], rows[k] + 2 * half + 1), slice(columns[k], columns[k] + 2 * half + 1)
        good = usable[cut].astype(np.float32)
        at = np.array([x[k] - columns[k] + half]), np.array([y[k] - rows[k] + half])
        values = [
            float(sep.sum_circle(np.ascontiguousarray(pixels), *at, radius, subpix=0)[0][0])
            for pixels in (
                image[cut] * good, noise[cut] * good, stamps[k] * good, good, np.ones_like(good)
            )
        ]  # fmt: skip
        flux[k], variance[k], share[k], seen[k], whole[k] = values
    valid = (seen > 0.5 * whole) & (share > 0.3)
    safe = np.where(valid, share, 1)
    # The photons of the source itself are not in the variance.
    total = flux / safe
    own = np.maximum(flux / plane.per_unit, -0.8 * variance)
    return total, np.sqrt(variance + own) / safe, valid, seen < whole - 0.01


def preferred(found: Measured) -> tuple[BoolArray, BoolArray]:
    """Tell the sources that a trail, or a dipole, describes clearly better than a point."""
    trail, dipole = found.trail, found.dipole
    gain_trail = 2 * (trail.ln_likelihood - trail.point_ln_likelihood)
    gain_dipole = 2 * (dipole.ln_likelihood - dipole.point_ln_likelihood)
    is_trail = trail.converged & (gain_trail > _PREFERRED)
    errors = np.sqrt(np.maximum(np.stack(
        [dipole.covariance[:, 0, 0], dipole.covariance[:, 3, 3]], axis=-1), 1e-30))  # fmt: skip
    both = (np.abs(dipole.values[:, [0, 3]]) > 3 * errors).all(axis=1)
    is_dipole = dipole.converged & (gain_dipole > _PREFERRED) & both
    return is_trail & ~(is_dipole & (gain_dipole > gain_trail)), is_dipole & (
        ~is_trail | (gain_dipole > gain_trail)
    )


def middle(fit: LineFits) -> tuple[FloatArray, FloatArray]:
    """Position in pixels and its covariance, of a trail or of the middle of a dipole."""
    if fit.values.shape[1] == 5:
        return fit.values[:, 1:3], fit.covariance[:, 1:3, 1:3]
    mix = np.zeros((2, 6))
    mix[0, [1, 4]] = mix[1, [2, 5]] = 0.5
    return fit.values @ mix.T, mix @ fit.covariance @ mix.T
