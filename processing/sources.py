"""Sources of a visit image: detected, deblended and measured (DPDD section 14 step 1, Table 6).

Everything at or above S/N 5 on the processed visit image, whether it changed or not. Each has a
centroid, a point-source fit, an aperture flux, adaptive moments with those of the PSF, the surface
brightness in elliptical annuli and an extendedness from the moments alone. A blend is a parent,
measured as a whole, and children among whom its light was shared out (:mod:`processing.apportion`).
CAT-05, CHAR-12, DR-01, GEN-10.

Annuli: their outer semi-major axes are 0.5 arcsec times 1.5 to the power of 0, 1, 2 ...; with
``apNann`` that gives the ``rmax`` that ``science.annulus_area`` asks for (``rmin`` is 0.5).
"""

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import sep
from astropy.table import Table
from numpy.typing import NDArray

from processing import apportion, blends
from processing.blends import Blend
from processing.columns import Columns, extendedness, set_moments, set_point
from processing.exposure import Exposure, FloatImage, Mask
from processing.geometry import LocalSky, local_sky
from processing.measure import aperture_flux
from processing.moments import Gaussians, fit_gaussians, psf_moments
from processing.plane import BoolArray, FloatArray, Plane
from processing.psf_core import PointFits, spline_psf
from skyledger.dictionary import flag_bit
from skyledger.errors import DataRejectedError

FIRST_ANNULUS = 0.5  # arcsec
NEXT_ANNULUS = 1.5  # times the one before
MOST_ANNULI = 12
_MOST_CHILDREN = 40  # of one blend
_MASK_FLAGS = {
    "EDGE": Mask.EDGE,
    "SATURATED": Mask.SAT,
    "COSMIC_RAY": Mask.CR,
    "BAD_PIXEL": Mask.BAD,
    "INTERPOLATED": Mask.INTRP,
    "STREAK": Mask.STREAK,
    "NO_DATA": Mask.NO_DATA,
    "HIGH_VARIANCE": Mask.HIGH_VARIANCE,
    "INJECTED": Mask.INJECTED,
}


def _flag(name: str) -> int:
    return 1 << flag_bit("Source", name)


def find_and_measure(pvi: Exposure, sky: FloatImage | None = None, threshold: float = 5.0) -> Table:
    """Find and measure the Sources of a processed visit image.

    Parameters
    ----------
    pvi : Exposure [nJy]
        With PSF, less its background; the mask gets the planes DETECTED and NOT_DEBLENDED.
    sky : array, shape (ny, nx), or None [nJy/pixel]
        The background that was subtracted; without it ``sky`` is missing.
    threshold : float
        Signal-to-noise of a point source.

    Returns
    -------
    Table
        Columns of relation Source by their names there, units set, missing values masked, without
        ids other than ``ccdVisitId``; ``parentIndex`` is the row of the parent or -1. A parent
        (flag PARENT) is followed by its children.

    Raises
    ------
    DataRejectedError
        If the image has no PSF or is not calibrated.
    """
    if pvi.psf is None or pvi.unit != "nJy":
        raise DataRejectedError(
            f"ccdVisit {pvi.visit.ccd_visit_id} has no PSF or is in {pvi.unit}, nJy is needed; "
            "calibrate it first"
        )
    empty = _sky_variance(pvi)
    good = pvi.usable() & np.isfinite(pvi.image)
    plane = Plane(
        np.where(good, pvi.image, 0).astype(np.float32),
        empty,
        good,
        spline_psf(pvi.psf, pvi.shape),
        pvi.electrons_per_unit,
    )
    tasks = _tasks(blends.find(pvi, plane, threshold), pvi, plane, threshold)
    return _table(tasks, pvi, plane, sky)


def _sky_variance(pvi: Exposure) -> FloatImage:
    """Variance without the photons of the sources, smooth over 64 pixels."""
    base = pvi.variance - np.maximum(pvi.image, 0) / np.float32(pvi.electrons_per_unit)
    lost = ~pvi.usable() | ~np.isfinite(base)
    level = sep.Background(np.ascontiguousarray(np.where(lost, 0, base), np.float32), mask=lost)
    return np.asarray(np.maximum(level.back(), 0.1 * level.globalback), np.float32)


@dataclass(frozen=True)
class _Task:
    """A source to be measured."""

    blend: Blend
    x: float
    y: float
    parent: int = -1
    flags: int = 0
    light: FloatArray | None = None  # of a child, over the box of the blend


def _tasks(found: list[Blend], pvi: Exposure, plane: Plane, threshold: float) -> list[_Task]:
    """Share the light of blends out; list parents before their children."""
    tasks: list[_Task] = []
    for blend in found:
        flags = _mask_flags(pvi, plane, blend)
        alone = _Task(blend, float(blend.x[0]), float(blend.y[0]), flags=flags)
        if len(blend.x) > _MOST_CHILDREN:
            pvi.mask[blend.box][blend.inside] |= int(Mask.NOT_DEBLENDED)
            tasks.append(replace(alone, flags=flags | _flag("NOT_DEBLENDED")))
            continue
        blend = blends.explained_by_stars(blend, plane, threshold)  # noqa: PLW2901
        lights = _lights(blend, plane) if len(blend.x) > 1 else []
        if len(lights) < 2:
            tasks.append(alone)
            continue
        first = len(tasks)
        tasks.append(replace(alone, flags=flags | _flag("PARENT")))
        tasks += [
            _Task(blend, x, y, first, flags | _flag("DEBLENDED"), light) for x, y, light in lights
        ]
    return tasks


def _lights(blend: Blend, plane: Plane) -> list[tuple[float, float, FloatArray]]:
    """Position and light of each peak of a blend that has any."""
    rows, columns = blend.box
    parts = apportion.share(
        plane.image[blend.box].astype(np.float64),
        plane.variance[blend.box].astype(np.float64),
        blend.inside & plane.usable[blend.box],
        [float(x - columns.start) for x in blend.x],
        [float(y - rows.start) for y in blend.y],
        plane.psf,
        (columns.start, rows.start),
    )
    return [
        (float(x), float(y), light)
        for x, y, light in zip(blend.x, blend.y, parts, strict=True)
        if light.any()
    ]


def _mask_flags(pvi: Exposure, plane: Plane, blend: Blend) -> int:
    found = int(np.bitwise_or.reduce(pvi.mask[blend.box][blend.inside]))
    flags = sum(_flag(name) for name, bit in _MASK_FLAGS.items() if found & bit)
    if not found & Mask.SAT:
        rows, columns = blend.box
        reach = 2 * plane.psf.radius
        around = pvi.mask[
            max(0, rows.start - reach) : rows.stop + reach,
            max(0, columns.start - reach) : columns.stop + reach,
        ]
        if (around & int(Mask.SAT)).any():
            flags |= _flag("SATURATED_NEARBY")
    return flags


@dataclass(frozen=True)
class _Measured:
    """What is measured of n sources, positions on the detector."""

    point: PointFits
    centroid: Gaussians
    shape: Gaussians
    aperture: tuple[FloatArray, FloatArray, BoolArray, BoolArray]


def _measure(
    plane: Plane, x: FloatArray, y: FloatArray, of_psf: FloatArray, radius: int
) -> _Measured:
    """Measure sources whose moments are taken within ``radius`` pixels."""
    args, gain = (plane.image, plane.variance, plane.usable), 1 / plane.per_unit
    point = plane.fit(x, y)
    centroid = fit_gaussians(*args, x, y, of_psf, plane.psf.radius, free_shape=False, per_unit=gain)
    cx = np.where(centroid.converged, centroid.x, x)
    cy = np.where(centroid.converged, centroid.y, y)
    shape = fit_gaussians(*args, cx, cy, of_psf, radius, free_shape=True, per_unit=gain)
    return _Measured(point, centroid, shape, aperture_flux(plane, cx, cy))


def _piece(task: _Task, plane: Plane) -> Plane:
    """Surroundings of a child, with the light of the other children taken away."""
    rows, columns = task.blend.box
    reach = 2 * plane.psf.radius
    ny, nx = plane.image.shape
    y0, x0 = max(0, rows.start - reach), max(0, columns.start - reach)
    cut = slice(y0, min(ny, rows.stop + reach)), slice(x0, min(nx, columns.stop + reach))
    image = plane.image[cut].copy()
    inside = image[rows.start - y0 : rows.stop - y0, columns.start - x0 : columns.stop - x0]
    mine = task.blend.inside & plane.usable[task.blend.box]
    assert task.light is not None  # noqa: S101 (only children have pieces)
    inside[mine] = task.light[mine]
    return replace(
        plane,
        image=image,
        variance=np.ascontiguousarray(plane.variance[cut]),
        usable=np.ascontiguousarray(plane.usable[cut]),
        psf=replace(plane.psf, x0=plane.psf.x0 - x0, y0=plane.psf.y0 - y0),
        x0=x0,
        y0=y0,
    )


def _shifted(found: _Measured, x0: int, y0: int) -> _Measured:
    point, centroid, shape = found.point, found.centroid, found.shape
    return _Measured(
        replace(point, x=point.x + x0, y=point.y + y0),
        replace(centroid, x=centroid.x + x0, y=centroid.y + y0),
        replace(shape, x=shape.x + x0, y=shape.y + y0),
        found.aperture,
    )


def _join(parts: list[tuple[NDArray[np.int64], _Measured]]) -> _Measured:
    """Put sources measured apart into the order of their numbers."""
    order = np.argsort(np.concatenate([numbers for numbers, _ in parts]), kind="stable")

    def joined(values: list[Any]) -> Any:
        if isinstance(values[0], np.ndarray):
            return np.concatenate(values)[order]
        if isinstance(values[0], tuple):
            return tuple(joined(list(v)) for v in zip(*values, strict=True))
        names = values[0].__dataclass_fields__
        return type(values[0])(**{n: joined([getattr(v, n) for v in values]) for n in names})

    return cast("_Measured", joined([found for _, found in parts]))


def _annuli(
    task: _Task, plane: Plane, x: float, y: float, axes: tuple[float, float], scale: float
) -> tuple[FloatArray, FloatArray]:
    """Mean surface brightness in elliptical annuli and its error [nJy/arcsec^2].

    ``axes`` are the ratio of the axes, and the direction of the major one [radian]. As many annuli
    as it takes to leave the source's pixels.
    """
    ratio, angle = axes
    rows, columns = np.nonzero(task.blend.inside if task.light is None else task.light > 0)
    dx = columns + task.blend.box[1].start - x
    dy = rows + task.blend.box[0].start - y
    along = dx * np.cos(angle) + dy * np.sin(angle)
    across = -dx * np.sin(angle) + dy * np.cos(angle)
    extent = float(np.hypot(along, across / ratio).max(initial=0.0)) * scale
    count = 2 + int(np.ceil(np.log(max(extent, FIRST_ANNULUS) / FIRST_ANNULUS) / np.log(1.5)))
    radii = FIRST_ANNULUS * NEXT_ANNULUS ** np.arange(min(count, MOST_ANNULI)) / scale
    outer, inner = radii, np.concatenate([[0.0], radii[:-1]])
    column, row = round(x - plane.x0), round(y - plane.y0)
    reach = int(np.ceil(outer[-1])) + 2
    r0, c0 = max(0, row - reach), max(0, column - reach)
    cut = slice(r0, max(0, row + reach + 1)), slice(c0, max(0, column + reach + 1))
    ones = np.ones(len(radii))
    middle = (x - plane.x0 - c0) * ones, (y - plane.y0 - r0) * ones
    ellipse = (*middle, ones, ratio * ones, angle * ones, inner, outer)
    usable = plane.usable[cut].astype(np.float32)
    light, noise, area = (
        sep.sum_ellipann(np.ascontiguousarray(pixels), *ellipse, subpix=5)[0]
        for pixels in (plane.image[cut] * usable, plane.variance[cut] * usable, usable)
    )
    whole = np.pi * ratio * (outer**2 - inner**2)
    # An annulus most of which is lost says nothing, nor do those around it.
    lost = np.flatnonzero(area < 0.5 * whole)
    last = int(lost[0]) if lost.size else len(radii)
    own = np.maximum(light, 0) / plane.per_unit
    error = np.sqrt(np.maximum(noise + own, 0))
    area = np.maximum(area, 1e-9) * scale**2
    return (light / area)[:last], (error / area)[:last]


def _table(tasks: list[_Task], pvi: Exposure, plane: Plane, sky: FloatImage | None) -> Table:
    n = len(tasks)
    columns = Columns(n, "Source")
    x, y = np.array([t.x for t in tasks]), np.array([t.y for t in tasks])
    size = 2 * plane.psf.radius + 1
    stamps = np.array([plane.psf.image(a, b) for a, b in zip(x, y, strict=True)])
    of_psf = psf_moments(stamps.reshape(n, size, size))
    pieces = {k: _piece(t, plane) for k, t in enumerate(tasks) if t.light is not None}
    near, far = plane.psf.radius, 2 * plane.psf.radius
    radius = np.array([near if max(t.blend.inside.shape) < far else far for t in tasks], int)
    alone = np.array([k not in pieces for k in range(n)], bool)
    parts = []
    for reach in (near, far):
        at = np.flatnonzero(alone & (radius == reach))
        parts.append((at, _measure(plane, x[at], y[at], of_psf[at], reach)))
    for k, piece in pieces.items():
        at = np.array([k])
        own = _measure(piece, x[at] - piece.x0, y[at] - piece.y0, of_psf[at], int(radius[k]))
        parts.append((at, _shifted(own, piece.x0, piece.y0)))
    found = _join(parts)
    flags = np.array([t.flags for t in tasks], np.int64)
    known = found.centroid.converged
    cx, cy = np.where(known, found.centroid.x, x), np.where(known, found.centroid.y, y)
    where = local_sky(pvi.wcs, cx, cy)
    covariance = found.centroid.covariance[:, :2, :2]
    sky_cov = where.jacobian @ covariance @ np.swapaxes(where.jacobian, 1, 2)
    columns.set("parentIndex", np.array([t.parent for t in tasks], np.int64))
    for name, value, valid in (
        ("ra", where.ra, True), ("decl", where.decl, True), ("x", cx, True), ("y", cy, True),
        ("raErr", np.sqrt(sky_cov[:, 0, 0]), known), ("declErr", np.sqrt(sky_cov[:, 1, 1]), known),
        ("raDeclCov", sky_cov[:, 1, 0], known), ("xErr", np.sqrt(covariance[:, 0, 0]), known),
        ("yErr", np.sqrt(covariance[:, 1, 1]), known), ("xyCov", covariance[:, 1, 0], known),
        ("apFlux", found.aperture[0], found.aperture[2]),
        ("apFluxErr", found.aperture[1], found.aperture[2]),
    ):  # fmt: skip
        columns.set(name, value, valid)
    set_point(columns, found.point, where, cx, cy)
    set_moments(columns, found.shape, of_psf, where)
    columns.set("extendedness", *extendedness(found.shape, of_psf))
    if sky is not None:
        _set_sky(columns, sky, pvi, where, cx, cy)
    sb = [_of_annuli(tasks[k], pieces.get(k, plane), found.shape, where, cx, cy, k)
          for k in range(n)]  # fmt: skip
    columns.set_lists("apMeanSb", [mean for mean, _ in sb])
    columns.set_lists("apMeanSbSigma", [error for _, error in sb])
    count = np.array([len(mean) for mean, _ in sb], np.int64)
    columns.set("apNann", count, count > 0)
    for name, failed in (
        ("CENTROID_FAILED", ~known), ("PSF_FIT_FAILED", ~found.point.converged),
        ("APERTURE_TRUNCATED", found.aperture[3]), ("MOMENTS_FAILED", ~found.shape.converged),
        ("ANNULI_FAILED", count == 0),
    ):  # fmt: skip
        flags |= np.where(failed, _flag(name), 0)
    columns.set("flags", flags)
    return columns.table(pvi.visit.ccd_visit_id)


def _of_annuli(
    task: _Task, plane: Plane, shape: Gaussians, where: LocalSky, x: FloatArray, y: FloatArray,
    k: int,
) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    if not shape.converged[k]:
        return np.zeros(0), np.zeros(0)
    xx, yy, xy = shape.moments[k]
    mean, half = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    ratio = float(np.sqrt(max(mean - half, 1e-3 * mean) / (mean + half)))
    angle = float(0.5 * np.arctan2(2 * xy, xx - yy))
    scale = float(np.sqrt(where.pixel_area[k]))
    return _annuli(task, plane, float(x[k]), float(y[k]), (ratio, angle), scale)


def _set_sky(
    columns: Columns, sky: FloatImage, pvi: Exposure, where: LocalSky, x: FloatArray, y: FloatArray
) -> None:
    """Background at the centroid, and the error with which photons determine it there."""
    ny, nx = sky.shape
    row = np.clip(np.rint(y).astype(int), 0, ny - 1)
    column = np.clip(np.rint(x).astype(int), 0, nx - 1)
    level = sky[row, column]
    # A mesh of the background is about 64 pixels wide.
    error = np.sqrt(np.maximum(level, 0) / pvi.electrons_per_unit) / 64
    columns.set("sky", level / where.pixel_area)
    columns.set("skyErr", error / where.pixel_area)
