"""Detection and measurement of DIASources on a difference image (DPDD section 4, Table 1).

A DIASource is a peak of the PSF-likelihood image at or above ``transSNR``. Each gets a centroid,
an aperture flux, fits of a point source, a trail and a dipole, and adaptive moments on the
difference; a total flux on the visit image, a flux on the difference of the snaps and the
template's background. DIA-01, DIA-08..10, DIA-21, L1DB-06..12.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sep
from astropy.table import MaskedColumn, Table
from numpy.typing import NDArray
from scipy.special import erf, expit

from processing import line_fits
from processing.difference import Difference
from processing.exposure import Exposure, Mask
from processing.footprints import Footprint, Peak, find_footprints
from processing.forced import direct_flux, mask_flags
from processing.geometry import LocalSky, local_sky, moved, packed, unpacked
from processing.line_fits import DIPOLE, TRAIL, LineFits, SkyLine
from processing.moments import Gaussians, fit_gaussians, psf_moments
from processing.psf_core import PointFits, SplinePsf, fit_points, forced_flux, spline_psf
from skyledger.dictionary import flag_bit, shipped

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
_APERTURE = 1.5  # radius of the aperture in FWHM
_BLEND_LIMIT = 8  # peaks beyond which a footprint is not deblended
_PREFERRED = 20.0  # gain in 2 ln L that makes a source a trail or a dipole
_MASK_FLAGS = {
    "EDGE": Mask.EDGE,
    "SATURATED": Mask.SAT,
    "COSMIC_RAY": Mask.CR,
    "BAD_PIXEL": Mask.BAD,
    "INTERPOLATED": Mask.INTRP,
    "STREAK": Mask.STREAK,
    "INJECTED": Mask.INJECTED,
    "NO_DATA": Mask.NO_DATA,
    "HIGH_VARIANCE": Mask.HIGH_VARIANCE,
}


@dataclass(frozen=True)
class _Source:
    """What is to be measured: where, on which image, and its place among the others."""

    x: float
    y: float
    score: float
    footprint: Footprint
    parent: int = -1
    flags: int = 0
    siblings: FloatArray | None = None  # models of the other children: rows of flux, x, y
    opposite: Peak | None = None  # other lobe of a dipole


def detect_and_measure(
    difference: Difference,
    pvi: Exposure,
    snap_difference: Exposure | None = None,
    threshold: float = 5.0,
    sub_threshold_fraction: float = 0.0,
) -> Table:
    """Find and measure the DIASources of a difference image.

    Parameters
    ----------
    difference : Difference [nJy]
        Its mask gets the planes DETECTED, DETECTED_NEGATIVE and NOT_DEBLENDED.
    pvi : Exposure [nJy]
        The visit image, for the total flux.
    snap_difference : Exposure or None [nJy]
        Second snap minus first; without it diffFlux is missing and flagged.
    threshold : float
        ``transSNR``.
    sub_threshold_fraction : float
        Share (0 to 1) of the peaks between 4/5 of the threshold and the threshold that are kept
        as a sample, flagged SUBTHRESHOLD (DIA-21). The choice is the same at every run.

    Returns
    -------
    Table
        Columns of relation DIASource by their names there, units set, missing values masked,
        without ids other than ``ccdVisitId``; ``parentIndex`` is the row of the parent or -1.
        A blend is a parent row (flag PARENT), measured as a whole, followed by its children.
    """
    plane = _Plane.of(difference)
    sources = _find(difference, plane, threshold, sub_threshold_fraction)
    columns = _Columns(len(sources))
    _measure(columns, sources, plane, difference, pvi, snap_difference)
    return columns.table(pvi.visit.ccd_visit_id)


@dataclass(frozen=True)
class _Plane:
    """Pixels to measure on, perhaps a piece whose first pixel is at (x0, y0)."""

    image: NDArray[np.float32]
    variance: NDArray[np.float32]
    usable: BoolArray
    psf: SplinePsf
    per_unit: float  # electrons per nJy
    x0: int = 0
    y0: int = 0

    @classmethod
    def of(cls, difference: Difference) -> "_Plane":
        exposure = difference.exposure
        usable = exposure.usable() & np.isfinite(exposure.variance)
        assert exposure.psf is not None  # noqa: S101 (every Difference has one)
        return cls(
            np.where(usable, exposure.image, 0).astype(np.float32),
            np.where(usable, exposure.variance, 0).astype(np.float32),
            usable,
            spline_psf(exposure.psf, exposure.shape),
            exposure.electrons_per_unit,
        )

    def without(self, siblings: FloatArray, x: float, y: float, reach: int) -> "_Plane":
        """Piece around (x, y) with the models of ``siblings`` (flux, x, y) taken away."""
        ny, nx = self.image.shape
        x0, y0 = max(0, int(x) - reach), max(0, int(y) - reach)
        cut = slice(y0, min(ny, int(y) + reach + 1)), slice(x0, min(nx, int(x) + reach + 1))
        image = self.image[cut].copy()
        for flux, sx, sy in siblings:
            _subtract_point(image, self.psf, flux, sx, sy, x0, y0)
        psf = replace(self.psf, x0=self.psf.x0 - x0, y0=self.psf.y0 - y0)
        return replace(
            self,
            image=image,
            variance=np.ascontiguousarray(self.variance[cut]),
            usable=np.ascontiguousarray(self.usable[cut]),
            psf=psf,
            x0=x0,
            y0=y0,
        )

    def fit(self, x: FloatArray, y: FloatArray) -> PointFits:
        return fit_points(self.image, self.variance, self.usable, self.psf, x, y, self.per_unit)


def _subtract_point(
    image: NDArray[np.float32], psf: SplinePsf, flux: float, x: float, y: float, x0: int, y0: int
) -> None:
    """Subtract a point source at (x, y) of the detector from the piece starting at (x0, y0)."""
    stamp = flux * psf.image(x, y, exact=True)
    half = stamp.shape[0] // 2
    row, column = round(y) - y0, round(x) - x0
    ny, nx = image.shape
    r0, r1 = max(0, row - half), min(ny, row + half + 1)
    c0, c1 = max(0, column - half), min(nx, column + half + 1)
    if r0 < r1 and c0 < c1:
        image[r0:r1, c0:c1] -= stamp[
            r0 - row + half : r1 - row + half, c0 - column + half : c1 - column + half
        ].astype(np.float32)


def _bit(name: str) -> int:
    return 1 << flag_bit("DIASource", name)


# --- what there is to measure ---------------------------------------------------------------


def _find(
    difference: Difference, plane: _Plane, threshold: float, fraction: float
) -> list[_Source]:
    """Detect, merge lobes, deblend; sets the mask planes of the difference."""
    exposure, score = difference.exposure, difference.score
    mask = exposure.mask
    mask &= ~int(Mask.DETECTED | Mask.DETECTED_NEGATIVE | Mask.NOT_DEBLENDED)
    assert exposure.psf is not None  # noqa: S101 (every Difference has one)
    ny, nx = exposure.shape
    stamp = exposure.psf.image((nx - 1) / 2, (ny - 1) / 2)
    sources: list[_Source] = []
    for footprint in find_footprints(score, plane.usable, stamp, threshold):
        local = score[footprint.box]
        mask[footprint.box] |= np.where(
            footprint.inside & (local >= threshold), int(Mask.DETECTED), 0
        )
        mask[footprint.box] |= np.where(
            footprint.inside & (local <= -threshold), int(Mask.DETECTED_NEGATIVE), 0
        )
        family = _family(footprint, plane, len(sources))
        if family[0].flags & _bit("NOT_DEBLENDED"):
            mask[footprint.box] |= np.where(footprint.inside, int(Mask.NOT_DEBLENDED), 0)
        sources += family
    if fraction > 0:
        sources += _sample(score, plane, stamp, threshold, fraction, exposure.visit.ccd_visit_id)
    return sources


def _family(footprint: Footprint, plane: _Plane, index: int) -> list[_Source]:
    """Make the sources of a footprint: one, or a parent and its children."""
    peaks = footprint.peaks
    main = peaks[0]
    lobes = 2.5 * plane.psf.fwhm
    paired = {}  # peak -> opposite lobe close by: together one dipole
    taken: set[int] = set()
    for i, peak in enumerate(peaks):
        if i in taken:
            continue
        for j in range(i + 1, len(peaks)):
            other = peaks[j]
            near = np.hypot(peak.x - other.x, peak.y - other.y) < lobes
            if j not in taken and near and peak.score * other.score < 0:
                paired[i] = j
                taken.add(j)
                break
    heads = [i for i in range(len(peaks)) if i not in taken]
    alone = _Source(main.x, main.y, main.score, footprint)
    if 0 in paired:
        alone = replace(alone, opposite=peaks[paired[0]])
    if len(heads) == 1:
        return [alone]
    if len(heads) > _BLEND_LIMIT:
        return [replace(alone, flags=_bit("NOT_DEBLENDED"))]
    x = np.array([float(peaks[i].x) for i in heads])
    y = np.array([float(peaks[i].y) for i in heads])
    models = _fit_together(plane, x, y)
    if _is_trail(plane, footprint, models):
        return [alone]
    family = [replace(alone, flags=_bit("PARENT"))]
    for k, i in enumerate(heads):
        peak = peaks[i]
        child = _Source(
            models[k, 1],
            models[k, 2],
            peak.score,
            footprint,
            parent=index,
            flags=_bit("DEBLENDED"),
            siblings=np.delete(models, k, axis=0),
            opposite=peaks[paired[i]] if i in paired else None,
        )
        family.append(child)
    return family


def _fit_together(plane: _Plane, x: FloatArray, y: FloatArray) -> FloatArray:
    """Point sources that overlap: fit each with the others subtracted, until all agree."""
    reach = 2 * plane.psf.radius + int(np.ceil(max(np.ptp(x), np.ptp(y))))
    models = np.stack([np.zeros(len(x)), x, y], axis=1)
    for _ in range(6):
        for k in range(len(x)):
            piece = plane.without(np.delete(models, k, axis=0), x[k], y[k], reach)
            fit = piece.fit(models[k : k + 1, 1] - piece.x0, models[k : k + 1, 2] - piece.y0)
            near = np.hypot(fit.x[0] + piece.x0 - x[k], fit.y[0] + piece.y0 - y[k]) < 2
            if fit.converged[0] and near:
                models[k] = fit.flux[0], fit.x[0] + piece.x0, fit.y[0] + piece.y0
    return models


def _box_radius(footprint: Footprint, plane: _Plane) -> int:
    extent = max(footprint.inside.shape)
    return int(min(max(plane.psf.radius, extent // 2 + plane.psf.radius // 2), 60))


def _is_trail(plane: _Plane, footprint: Footprint, models: FloatArray) -> bool:
    """Whether one line explains several peaks at least as well as as many point sources."""
    if models[0, 0] == 0 or (np.sign(models[:, 0]) != np.sign(models[0, 0])).any():
        return False
    flux = models[:, 0].sum()
    middle = (models[:, :1] * models[:, 1:]).sum(axis=0) / flux
    offsets = models[:, 1:] - middle
    far = offsets[np.argmax(np.hypot(offsets[:, 0], offsets[:, 1]))]
    radius = max(_box_radius(footprint, plane), int(np.hypot(*far)) + plane.psf.radius // 2)
    start = np.array([[flux, *middle, 1.2 * far[0], 1.2 * far[1]]])
    point = np.array([[flux, *middle]])
    fit = _lines(plane, TRAIL, start, point, np.array([min(radius, 60)]))
    if not fit.converged[0]:
        return False
    # The same pixels with all point sources taken away.
    row, column = int(np.rint(middle[1])), int(np.rint(middle[0]))
    piece = plane.without(models, column, row, min(radius, 60))
    cut = (
        slice(piece.y0, piece.y0 + piece.image.shape[0]),
        slice(piece.x0, piece.x0 + piece.image.shape[1]),
    )
    share = (plane.image[cut] - piece.image) / plane.per_unit
    variance = np.maximum(piece.variance + share, 0.2 * piece.variance)
    chi2 = np.sum(piece.image[piece.usable] ** 2 / variance[piece.usable])
    return bool(fit.chi2[0] + 2 * 5 <= chi2 + 2 * 3 * len(models))


def _sample(
    score: NDArray[np.float32],
    plane: _Plane,
    stamp: FloatArray,
    threshold: float,
    fraction: float,
    seed: int,
) -> list[_Source]:
    """Choose a share of the peaks just below the threshold (DIA-21)."""
    rng = np.random.default_rng(seed)
    low = []
    for footprint in find_footprints(score, plane.usable, stamp, 0.8 * threshold):
        peak = footprint.peaks[0]
        if abs(peak.score) < threshold:
            low.append(_Source(peak.x, peak.y, peak.score, footprint, flags=_bit("SUBTHRESHOLD")))
    chosen = rng.random(len(low)) < fraction
    return [source for source, keep in zip(low, chosen, strict=True) if keep]


def _lines(
    plane: _Plane, kind: int, start: FloatArray, point: FloatArray, radius: NDArray[np.int64]
) -> LineFits:
    return line_fits.fit_lines(
        kind, plane.image, plane.variance, plane.usable, plane.psf, start, point, radius,
        plane.per_unit,
    )  # fmt: skip


# --- measurement ----------------------------------------------------------------------------


class _Columns:
    """Columns of the table under construction, every value missing until it is set."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.relation = shipped()["DIASource"]
        self.data: dict[str, NDArray[Any]] = {}
        self.missing: dict[str, BoolArray] = {}

    def set(self, name: str, value: Any, valid: Any = True) -> None:
        """Set a column; values that are not finite count as missing."""
        array = np.asarray(value)
        finite = np.isfinite(array)
        if array.ndim > 1:
            finite = finite.all(axis=tuple(range(1, array.ndim)))
        self.data[name] = array
        self.missing[name] = ~(finite & np.asarray(valid))

    def get(self, name: str) -> NDArray[Any]:
        return self.data[name]

    def table(self, ccd_visit_id: int) -> Table:
        """Build the table in the dictionary's order of columns."""
        kinds = {"real": np.float32, "integer": np.int32, "bigint": np.int64}
        table = Table(masked=True)
        table["ccdVisitId"] = np.full(self.n, ccd_visit_id, np.int64)
        table["parentIndex"] = self.data["parentIndex"].astype(np.int64)
        for column in self.relation.columns:
            if column.name not in self.data:
                continue
            value, missing = self.data[column.name], self.missing[column.name]
            kind = kinds.get(column.type.removesuffix("[]"), np.float64)
            if value.ndim > 1:
                missing = np.broadcast_to(missing[:, None], value.shape)
            clean = np.where(missing, 0, value).astype(kind)
            table[column.name] = MaskedColumn(clean, mask=missing, unit=column.unit)
        return table


def _measure(
    columns: _Columns,
    sources: list[_Source],
    plane: _Plane,
    difference: Difference,
    pvi: Exposure,
    snap_difference: Exposure | None,
) -> None:
    exposure = difference.exposure
    n = len(sources)
    x = np.array([s.x for s in sources], float)
    y = np.array([s.y for s in sources], float)
    score = np.array([s.score for s in sources], float)
    flags = np.array([s.flags for s in sources], np.int64)
    stamps = np.array([plane.psf.image(a, b) for a, b in zip(x, y, strict=True)])
    stamps = stamps.reshape(n, 2 * plane.psf.radius + 1, 2 * plane.psf.radius + 1)
    of_psf = psf_moments(stamps)
    found = _on_difference(sources, plane, x, y, of_psf)
    point = found.point
    # Centroid: of the matched Gaussian; of the model that describes a trail or dipole better.
    trail_wins, dipole_wins = _preferred(found)
    cx = np.where(found.centroid.converged, found.centroid.x, x)
    cy = np.where(found.centroid.converged, found.centroid.y, y)
    covariance = found.centroid.covariance[:, :2, :2].copy()
    for wins, fit in ((trail_wins, found.trail), (dipole_wins, found.dipole)):
        where, xy_cov = _middle(fit)
        cx[wins], cy[wins] = where[wins, 0], where[wins, 1]
        covariance[wins] = xy_cov[wins]
    sky = local_sky(exposure.wcs, cx, cy)
    flags |= np.where(
        found.centroid.converged | trail_wins | dipole_wins, 0, _bit("CENTROID_FAILED")
    )
    known = (flags & _bit("CENTROID_FAILED")) == 0
    sky_cov = sky.jacobian @ covariance @ np.swapaxes(sky.jacobian, 1, 2)
    columns.set("parentIndex", np.array([s.parent for s in sources], np.int64))
    columns.set("midPointTai", pvi.visit.mid_tai_at(cx, cy, exposure.shape))
    columns.set("ra", sky.ra)
    columns.set("decl", sky.decl)
    columns.set("x", cx)
    columns.set("y", cy)
    for name, value in (
        ("raErr", np.sqrt(sky_cov[:, 0, 0])),
        ("declErr", np.sqrt(sky_cov[:, 1, 1])),
        ("raDeclCov", sky_cov[:, 1, 0]),
        ("xErr", np.sqrt(covariance[:, 0, 0])),
        ("yErr", np.sqrt(covariance[:, 1, 1])),
        ("xyCov", covariance[:, 1, 0]),
    ):
        columns.set(name, value, known)
    columns.set("snr", np.abs(score))
    columns.set("apFlux", found.aperture[0], found.aperture[2])
    columns.set("apFluxErr", found.aperture[1], found.aperture[2])
    flags |= np.where(found.aperture[3], _bit("APERTURE_TRUNCATED"), 0)
    _set_point(columns, point, sky, cx, cy)
    flags |= np.where(point.converged, 0, _bit("PSF_FIT_FAILED"))
    _set_line(columns, "trail", found.trail, line_fits.trails_on_sky(found.trail, sky, cx, cy))
    _set_line(columns, "dip", found.dipole, line_fits.dipoles_on_sky(found.dipole, sky, cx, cy))
    flags |= np.where(found.trail.converged, 0, _bit("TRAIL_FIT_FAILED"))
    flags |= np.where(found.dipole.converged, 0, _bit("DIPOLE_FIT_FAILED"))
    flags |= np.where(trail_wins, _bit("TRAILED"), 0) | np.where(dipole_wins, _bit("DIPOLE"), 0)
    total, total_err, missing = direct_flux(pvi, cx, cy)
    columns.set("totFlux", total, ~missing)
    columns.set("totFluxErr", total_err, ~missing)
    flags |= np.where(missing, _bit("TOTAL_FLUX_MISSING"), 0)
    direct_psf = None if pvi.psf is None else spline_psf(pvi.psf, pvi.shape)
    if snap_difference is not None and snap_difference.psf is not None:
        direct_psf = None  # its own PSF is better than that of the sum
    snap, snap_err, no_snap = direct_flux(snap_difference, cx, cy, direct_psf)
    columns.set("diffFlux", snap, ~no_snap)
    columns.set("diffFluxErr", snap_err, ~no_snap)
    flags |= np.where(no_snap, _bit("SNAP_DIFFERENCE_MISSING"), 0)
    level, level_err, some = _background(difference.template, cx, cy, plane.psf.fwhm)
    columns.set("fpBkgd", level / sky.pixel_area, some)
    columns.set("fpBkgdErr", level_err / sky.pixel_area, some)
    _set_moments(columns, found.shape, of_psf, sky)
    flags |= np.where(found.shape.converged, 0, _bit("MOMENTS_FAILED"))
    columns.set("extendedness", *_extendedness(found, of_psf))
    flags |= np.where(score < 0, _bit("NEGATIVE"), 0)
    flags |= _footprint_flags(sources, exposure.mask)
    nearby = mask_flags(
        exposure.mask, cx, cy, 2 * plane.psf.radius, "DIASource", {"SATURATED_NEARBY": Mask.SAT}
    )
    flags |= np.where(flags & _bit("SATURATED"), 0, nearby)
    row = np.clip(np.rint(cy).astype(int), 0, exposure.shape[0] - 1)
    column = np.clip(np.rint(cx).astype(int), 0, exposure.shape[1] - 1)
    flags |= np.where(plane.usable[row, column], 0, _bit("UNUSABLE_CENTER"))
    steady = np.where(no_snap, 0.0, np.abs(snap) / np.where(no_snap, 1, snap_err))
    columns.set("spuriousness", _spuriousness(found, plane, cx, cy, score, steady))
    columns.set("flags", flags)


@dataclass(frozen=True)
class _Found:
    """Everything measured on the difference image, arrays of n sources."""

    point: PointFits
    centroid: Gaussians
    shape: Gaussians
    trail: LineFits
    dipole: LineFits
    aperture: tuple[FloatArray, FloatArray, BoolArray, BoolArray]  # flux, error, valid, truncated


def _on_difference(
    sources: list[_Source], plane: _Plane, x: FloatArray, y: FloatArray, of_psf: FloatArray
) -> _Found:
    """Measure all sources on the difference, children without their siblings."""
    alone = [k for k, s in enumerate(sources) if s.siblings is None]
    parts = [(np.array(alone, int), _on_plane([sources[k] for k in alone], plane, x[alone],
                                              y[alone], of_psf[alone]))]  # fmt: skip
    for k, source in enumerate(sources):
        if source.siblings is None:
            continue
        reach = 2 * plane.psf.radius + _box_radius(source.footprint, plane)
        piece = plane.without(source.siblings, x[k], y[k], reach)
        at = np.array([k])
        measured = _on_plane([source], piece, x[at] - piece.x0, y[at] - piece.y0, of_psf[at])
        parts.append((at, _shifted(measured, piece.x0, piece.y0)))
    order = np.argsort(np.concatenate([indices for indices, _ in parts]), kind="stable")

    def gather(name: str) -> Any:
        values = [getattr(found, name) for _, found in parts]
        if isinstance(values[0], tuple):
            return tuple(np.concatenate(v)[order] for v in zip(*values, strict=True))
        fields = values[0].__dataclass_fields__
        joined = {f: np.concatenate([getattr(v, f) for v in values])[order] for f in fields}
        return type(values[0])(**joined)

    return _Found(*(gather(name) for name in _Found.__dataclass_fields__))


def _shifted(found: _Found, x0: int, y0: int) -> _Found:
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
    sources: list[_Source], plane: _Plane, x: FloatArray, y: FloatArray, of_psf: FloatArray
) -> _Found:
    point = plane.fit(x, y)
    radius = plane.psf.radius
    args = (plane.image, plane.variance, plane.usable)
    centroid = fit_gaussians(*args, x, y, of_psf, radius, free_shape=False)
    cx = np.where(centroid.converged, centroid.x, x)
    cy = np.where(centroid.converged, centroid.y, y)
    boxes = np.array([_box_radius(s.footprint, plane) for s in sources], np.int64)
    shape = fit_gaussians(*args, cx, cy, of_psf, radius, free_shape=True)
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
    trail = _lines(plane, TRAIL, _trail_start(base, shape, of_psf, sources), base, boxes)
    dipole = _lines(plane, DIPOLE, _dipole_start(base, sources, plane), base, boxes)
    real = dipole.converged & (dipole.values[:, 0] > 0) & (dipole.values[:, 3] < 0)
    return _Found(
        point, centroid, shape, trail, replace(dipole, converged=real),
        _aperture(plane, cx, cy),
    )  # fmt: skip


def _trail_start(
    base: FloatArray, shape: Gaussians, of_psf: FloatArray, sources: list[_Source]
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


def _dipole_start(base: FloatArray, sources: list[_Source], plane: _Plane) -> FloatArray:
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


def _aperture(
    plane: _Plane, x: FloatArray, y: FloatArray
) -> tuple[FloatArray, FloatArray, BoolArray, BoolArray]:
    """Flux within 1.5 FWHM, divided by the share of the PSF that lies there."""
    if len(x) == 0:
        return np.zeros(0), np.zeros(0), np.zeros(0, bool), np.zeros(0, bool)
    radius = min(_APERTURE * plane.psf.fwhm, plane.psf.radius - 0.5)
    flux, error, _ = sep.sum_circle(
        plane.image, x, y, radius, var=plane.variance, mask=~plane.usable, subpix=0
    )
    lost, _, _ = sep.sum_circle((~plane.usable).astype(np.float32), x, y, radius, subpix=0)
    ny, nx = plane.image.shape
    cut = (
        (x < radius - 0.5) | (x > nx - 0.5 - radius) | (y < radius - 0.5) | (y > ny - 0.5 - radius)
    )
    middle = np.array([float(plane.psf.radius)])
    share = np.ones(len(x))
    for k in range(len(x)):
        stamp = plane.psf.image(x[k], y[k]).astype(np.float32)
        share[k] = sep.sum_circle(stamp, middle, middle, radius, subpix=0)[0][0]
    truncated = (lost > 0) | cut
    return flux / share, error / share, lost < 0.5 * np.pi * radius**2, truncated


def _preferred(found: _Found) -> tuple[BoolArray, BoolArray]:
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


def _middle(fit: LineFits) -> tuple[FloatArray, FloatArray]:
    """Position in pixels and its covariance, of a trail or of the middle of a dipole."""
    if fit.values.shape[1] == 5:
        return fit.values[:, 1:3], fit.covariance[:, 1:3, 1:3]
    mix = np.zeros((2, 6))
    mix[0, [1, 4]] = mix[1, [2, 5]] = 0.5
    return fit.values @ mix.T, mix @ fit.covariance @ mix.T


def _set_point(
    columns: _Columns, point: PointFits, sky: LocalSky, x: FloatArray, y: FloatArray
) -> None:
    ra, decl = moved(sky, point.x - x, point.y - y)
    turn = np.zeros((len(x), 3, 3))
    turn[:, 0, 0] = 1
    turn[:, 1:, 1:] = sky.jacobian
    covariance = turn @ unpacked(point.covariance) @ np.swapaxes(turn, 1, 2)
    ok = point.converged
    for name, value in (
        ("psFlux", point.flux),
        ("psFluxErr", np.sqrt(np.maximum(point.covariance[:, 0], 0))),
        ("psRa", ra),
        ("psDecl", decl),
        ("psCov", packed(covariance)),
        ("psLnL", point.ln_likelihood),
        ("psChi2", point.chi2),
        ("psNdata", point.n_data),
    ):
        columns.set(name, value, ok)


def _set_line(columns: _Columns, prefix: str, fit: LineFits, line: SkyLine) -> None:
    names = ["trailFlux"] if prefix == "trail" else ["dipMeanFlux", "dipFluxDiff"]
    ok = fit.converged & np.isfinite(line.covariance).all(axis=1)
    # Beyond the range of a real number the length or angle is simply not determined.
    ok &= (np.abs(line.covariance) < 1e30).all(axis=1)
    for k, name in enumerate(names):
        columns.set(name, line.fluxes[:, k], ok)
    for name, value in (
        ("Ra", line.ra),
        ("Decl", line.decl),
        ("Length", line.length),
        ("Angle", line.angle),
        ("Cov", line.covariance),
        ("LnL", fit.ln_likelihood),
        ("Chi2", fit.chi2),
        ("Ndata", fit.n_data),
    ):
        columns.set(prefix + name, value, ok)


def _set_moments(columns: _Columns, shape: Gaussians, of_psf: FloatArray, sky: LocalSky) -> None:
    """Moments in the sky frame: M_sky = J M J^T."""
    j = sky.jacobian
    # Of (Mxx, Myy, Mxy) into (Ixx, Iyy, Ixy).
    turn = np.stack(
        [
            np.stack([j[:, 0, 0] ** 2, j[:, 0, 1] ** 2, 2 * j[:, 0, 0] * j[:, 0, 1]], -1),
            np.stack([j[:, 1, 0] ** 2, j[:, 1, 1] ** 2, 2 * j[:, 1, 0] * j[:, 1, 1]], -1),
            np.stack(
                [
                    j[:, 0, 0] * j[:, 1, 0],
                    j[:, 0, 1] * j[:, 1, 1],
                    j[:, 0, 0] * j[:, 1, 1] + j[:, 0, 1] * j[:, 1, 0],
                ],
                -1,
            ),
        ],
        axis=1,
    )
    moments = np.einsum("nij,nj->ni", turn, shape.moments)
    covariance = turn @ shape.covariance[:, 2:, 2:] @ np.swapaxes(turn, 1, 2)
    psf = np.einsum("nij,nj->ni", turn, of_psf)
    for k, name in enumerate(("ixx", "iyy", "ixy")):
        columns.set(name, moments[:, k], shape.converged)
        columns.set(name + "PSF", psf[:, k])
    columns.set("icov", packed(covariance), shape.converged)


def _background(
    template: Exposure, x: FloatArray, y: FloatArray, radius: float
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Mean of the template within a circle and its error [nJy/pixel]."""
    if len(x) == 0:
        return np.zeros(0), np.zeros(0), np.zeros(0, bool)
    usable = template.usable() & np.isfinite(template.variance)
    seen, _, _ = sep.sum_circle(usable.astype(np.float32), x, y, radius, subpix=0)
    image = np.where(usable, template.image, 0).astype(np.float32)
    variance = np.where(usable, template.variance, 0).astype(np.float32)
    total, _, _ = sep.sum_circle(image, x, y, radius, subpix=0)
    noise, _, _ = sep.sum_circle(variance, x, y, radius, subpix=0)
    some = seen > 1
    area = np.where(some, seen, 1)
    return total / area, np.sqrt(np.maximum(noise, 0)) / area, some


def _extendedness(found: _Found, of_psf: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Probability that the size exceeds the PSF's by more than 30 % (a tenth is allowed for).

    The excess of the adaptive trace over the PSF's is compared with its error and with the
    10 % to which the PSF is trusted.
    """
    trace, own = of_psf[:, 0] + of_psf[:, 1], found.shape.moments[:, 0] + found.shape.moments[:, 1]
    variance = found.shape.covariance[:, 2:4, 2:4].sum(axis=(1, 2))
    excess = own / trace - 1
    width = np.sqrt(np.maximum(variance, 0) / trace**2 + 0.1**2)
    return 0.5 * (1 + erf((excess - 0.3) / (np.sqrt(2) * width))), found.shape.converged


def _footprint_flags(sources: list[_Source], mask: NDArray[np.int32]) -> NDArray[np.int64]:
    """Set the flags of the mask planes within the footprints."""
    bits = {_bit(name): int(plane) for name, plane in _MASK_FLAGS.items()}
    flags = np.zeros(len(sources), np.int64)
    for k, source in enumerate(sources):
        pixels = mask[source.footprint.box][source.footprint.inside]
        found = int(np.bitwise_or.reduce(pixels))
        for bit, plane in bits.items():
            if found & plane:
                flags[k] |= bit
    return flags


def _spuriousness(
    found: _Found,
    plane: _Plane,
    x: FloatArray,
    y: FloatArray,
    score: FloatArray,
    steady: FloatArray,
) -> FloatArray:
    """Artifact measure from the image alone: a logistic of four features.

    They are the excess of chi-square per pixel over the best of the three models, the share of
    significant pixels of the wrong sign, the share of unusable pixels, and the significance of
    the difference of the snaps. The weights are set by hand: an isolated point source gets about
    0.02, a residual ring or a hit in one snap more than 0.5.
    """
    n = len(x)
    best = np.full(n, np.inf)
    for fit in (found.point, found.trail, found.dipole):
        ratio = fit.chi2 / np.maximum(fit.n_data, 1)
        best = np.where(fit.converged, np.minimum(best, ratio), best)
    misfit = np.clip(np.where(np.isfinite(best), best, 3.0) - 1.3, 0, 1.5)
    wrong, lost = np.zeros(n), np.zeros(n)
    reach = int(np.ceil(1.2 * plane.psf.fwhm))
    ny, nx = plane.image.shape
    dipole = _preferred(found)[1]
    for k in range(n):
        column, row = int(np.rint(x[k])), int(np.rint(y[k]))
        cut = (
            slice(max(0, row - reach), min(ny, row + reach + 1)),
            slice(max(0, column - reach), min(nx, column + reach + 1)),
        )
        usable = plane.usable[cut]
        lost[k] = 1 - usable.sum() / (2 * reach + 1) ** 2
        light = np.sign(score[k]) * plane.image[cut][usable]
        strong = np.abs(light) > 3 * np.sqrt(plane.variance[cut][usable])
        total = np.abs(light[strong]).sum()
        # The other lobe of a dipole is not the wrong sign.
        if total > 0 and not dipole[k]:
            wrong[k] = -light[strong & (light < 0)].sum() / total
    hit = np.clip(steady - 5, 0, 5)
    return np.asarray(expit(-4 + 6 * misfit + 8 * wrong + 6 * lost + hit))
