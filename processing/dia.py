"""Detection and measurement of DIASources on a difference image (DPDD section 4, Table 1).

A DIASource is a peak of the PSF-likelihood image at or above ``transSNR``. Each gets a centroid,
an aperture flux, fits of a point source, a trail and a dipole, and adaptive moments on the
difference; a total flux on the visit image, a flux on the difference of the snaps and the
template's background. DIA-01, DIA-08..10, DIA-21, L1DB-06..12.
"""

import numpy as np
import sep
from astropy.table import Table
from numpy.typing import NDArray

from processing import line_fits
from processing.columns import Columns, extendedness, set_moments, set_point
from processing.deblend import Source, find_sources, flag
from processing.difference import Difference
from processing.exposure import Exposure, Mask
from processing.forced import direct_flux, mask_flags
from processing.geometry import local_sky
from processing.line_fits import LineFits, SkyLine
from processing.measure import measure_on_difference, middle, preferred
from processing.moments import psf_moments
from processing.plane import BoolArray, FloatArray, Plane
from processing.psf_core import spline_psf
from processing.spuriousness import judge

THRESHOLD = 5.0  # transSNR
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


def detect_and_measure(
    difference: Difference,
    pvi: Exposure,
    snap_difference: Exposure | None = None,
    threshold: float = THRESHOLD,
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
    plane = Plane.of(difference)
    sources = find_sources(difference, plane, threshold, sub_threshold_fraction)
    columns = Columns(len(sources))
    _measure(columns, sources, plane, difference, pvi, snap_difference)
    return columns.table(pvi.visit.ccd_visit_id)


def _measure(
    columns: Columns,
    sources: list[Source],
    plane: Plane,
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
    found = measure_on_difference(sources, plane, x, y, of_psf)
    point = found.point
    # Centroid: of the matched Gaussian; of the model that describes a trail or dipole better.
    trail_wins, dipole_wins = preferred(found)
    cx = np.where(found.centroid.converged, found.centroid.x, x)
    cy = np.where(found.centroid.converged, found.centroid.y, y)
    covariance = found.centroid.covariance[:, :2, :2].copy()
    for wins, fit in ((trail_wins, found.trail), (dipole_wins, found.dipole)):
        where, xy_cov = middle(fit)
        cx[wins], cy[wins] = where[wins, 0], where[wins, 1]
        covariance[wins] = xy_cov[wins]
    sky = local_sky(exposure.wcs, cx, cy)
    flags |= np.where(
        found.centroid.converged | trail_wins | dipole_wins, 0, flag("CENTROID_FAILED")
    )
    known = (flags & flag("CENTROID_FAILED")) == 0
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
    flags |= np.where(found.aperture[3], flag("APERTURE_TRUNCATED"), 0)
    set_point(columns, point, sky, cx, cy)
    flags |= np.where(point.converged, 0, flag("PSF_FIT_FAILED"))
    _set_line(columns, "trail", found.trail, line_fits.trails_on_sky(found.trail, sky, cx, cy))
    _set_line(columns, "dip", found.dipole, line_fits.dipoles_on_sky(found.dipole, sky, cx, cy))
    flags |= np.where(found.trail.converged, 0, flag("TRAIL_FIT_FAILED"))
    flags |= np.where(found.dipole.converged, 0, flag("DIPOLE_FIT_FAILED"))
    flags |= np.where(trail_wins, flag("TRAILED"), 0) | np.where(dipole_wins, flag("DIPOLE"), 0)
    total, total_err, missing = direct_flux(pvi, cx, cy)
    columns.set("totFlux", total, ~missing)
    columns.set("totFluxErr", total_err, ~missing)
    flags |= np.where(missing, flag("TOTAL_FLUX_MISSING"), 0)
    direct_psf = None if pvi.psf is None else spline_psf(pvi.psf, pvi.shape)
    if snap_difference is not None and snap_difference.psf is not None:
        direct_psf = None  # its own PSF is better than that of the sum
    snap, snap_err, no_snap = direct_flux(snap_difference, cx, cy, direct_psf)
    columns.set("diffFlux", snap, ~no_snap)
    columns.set("diffFluxErr", snap_err, ~no_snap)
    flags |= np.where(no_snap, flag("SNAP_DIFFERENCE_MISSING"), 0)
    level, level_err, some = _background(difference.template, cx, cy, plane.psf.fwhm)
    columns.set("fpBkgd", level / sky.pixel_area, some)
    columns.set("fpBkgdErr", level_err / sky.pixel_area, some)
    set_moments(columns, found.shape, of_psf, sky)
    flags |= np.where(found.shape.converged, 0, flag("MOMENTS_FAILED"))
    columns.set("extendedness", *extendedness(found.shape, of_psf))
    flags |= np.where(score < 0, flag("NEGATIVE"), 0)
    flags |= _footprint_flags(sources, exposure.mask)
    nearby = mask_flags(
        exposure.mask, cx, cy, 2 * plane.psf.radius, "DIASource", {"SATURATED_NEARBY": Mask.SAT}
    )
    flags |= np.where(flags & flag("SATURATED"), 0, nearby)
    row = np.clip(np.rint(cy).astype(int), 0, exposure.shape[0] - 1)
    column = np.clip(np.rint(cx).astype(int), 0, exposure.shape[1] - 1)
    flags |= np.where(plane.usable[row, column], 0, flag("UNUSABLE_CENTER"))
    columns.set("spuriousness", judge(sources, plane, difference, snap_difference))
    columns.set("flags", flags)


def _set_line(columns: Columns, prefix: str, fit: LineFits, line: SkyLine) -> None:
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


def _footprint_flags(sources: list[Source], mask: NDArray[np.int32]) -> NDArray[np.int64]:
    """Set the flags of the mask planes within the footprints."""
    bits = {flag(name): int(plane) for name, plane in _MASK_FLAGS.items()}
    flags = np.zeros(len(sources), np.int64)
    for k, source in enumerate(sources):
        pixels = mask[source.footprint.box][source.footprint.inside]
        found = int(np.bitwise_or.reduce(pixels))
        for bit, plane in bits.items():
            if found & plane:
                flags[k] |= bit
    return flags
