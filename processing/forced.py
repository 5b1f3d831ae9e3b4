"""Forced photometry: point-source fluxes at known positions (DIA-19, DIA-20; DPDD Table 2)."""

import numpy as np
from astropy import units
from astropy.table import MaskedColumn, Table
from numpy.typing import NDArray

from processing.compiled import compiled
from processing.exposure import Exposure, Mask
from processing.psf_core import SplinePsf, forced_flux, spline_psf
from skyledger.dictionary import flag_bit
from skyledger.errors import DataRejectedError

FloatArray = NDArray[np.float64]
MIN_COVERAGE = 0.5  # share of the PSF on usable pixels below which no flux is measured
_FLAGS = {
    "EDGE": Mask.EDGE,
    "BAD_PIXEL": Mask.BAD,
    "SATURATED": Mask.SAT,
    "COSMIC_RAY": Mask.CR,
    "INTERPOLATED": Mask.INTRP,
    "STREAK": Mask.STREAK,
    "NO_DATA": Mask.NO_DATA,
    "INJECTED": Mask.INJECTED,
    "HIGH_VARIANCE": Mask.HIGH_VARIANCE,
}


def force(difference: Exposure, pvi: Exposure | None, ra: FloatArray, decl: FloatArray) -> Table:
    """Measure point-source fluxes at sky positions.

    Parameters
    ----------
    difference : Exposure [nJy]
        The ``exposure`` of a :class:`processing.difference.Difference`, fresh or read back.
    pvi : Exposure or None [nJy]
        The visit's image; without it ``totFlux`` is missing.
    ra, decl : array, shape (n,) [deg]
        Positions; those off the image or on unusable pixels give no row.

    Returns
    -------
    Table
        One row a measured position: ``row`` (its index), ``midPointTai`` [d], ``psFlux``,
        ``psFluxErr``, ``totFlux``, ``totFluxErr`` [nJy], ``ra``, ``decl`` [deg], ``x``, ``y``
        [pixel], ``flags`` (of DIAForcedSource). Missing values are masked.

    Notes
    -----
    A position counts as covered if its own pixel is usable; psFlux is missing, and flagged, where
    less than half of the PSF lies on usable pixels.
    """
    if difference.psf is None:
        raise DataRejectedError(
            f"ccdVisit {difference.visit.ccd_visit_id}: the difference has no PSF; process again"
        )
    ny, nx = difference.shape
    ra, decl = np.atleast_1d(np.asarray(ra, float)), np.atleast_1d(np.asarray(decl, float))
    row = np.flatnonzero(_ahead(difference, ra, decl))
    x, y = difference.wcs.all_world2pix(ra[row], decl[row], 0)
    inside = (x > -0.5) & (x < nx - 0.5) & (y > -0.5) & (y < ny - 0.5)
    row, x, y = row[inside], np.asarray(x)[inside], np.asarray(y)[inside]
    usable = difference.usable()
    covered = usable[np.rint(y).astype(int), np.rint(x).astype(int)]
    row, x, y = row[covered], x[covered], y[covered]
    psf = spline_psf(difference.psf, difference.shape)
    weight = np.where(usable, 1 / np.where(usable, difference.variance, 1), 0)
    flux, error, coverage = forced_flux(
        difference.image, np.where(usable, difference.variance, 0), weight, psf, x, y,
        difference.electrons_per_unit,
    )  # fmt: skip
    flags = mask_flags(difference.mask, x, y, psf.radius // 2, "DIAForcedSource", _FLAGS)
    failed = ~(coverage >= MIN_COVERAGE) | ~(error > 0)
    flags[failed] |= 1 << flag_bit("DIAForcedSource", "PSF_FIT_FAILED")
    total, total_err, missing = direct_flux(pvi, x, y)
    flags[missing] |= 1 << flag_bit("DIAForcedSource", "TOTAL_FLUX_MISSING")
    table = Table(masked=True)
    table["row"] = row
    table["midPointTai"] = difference.visit.mid_tai_at(x, y, difference.shape) * units.d
    for name, value, bad in (
        ("psFlux", flux, failed),
        ("psFluxErr", error, failed),
        ("totFlux", total, missing),
        ("totFluxErr", total_err, missing),
    ):
        table[name] = MaskedColumn(value, mask=bad, unit="nJy")
    table["ra"], table["decl"] = ra[row] * units.deg, decl[row] * units.deg
    table["x"], table["y"] = x * units.pix, y * units.pix
    table["flags"] = flags
    return table


def direct_flux(
    exposure: Exposure | None, x: FloatArray, y: FloatArray, psf: SplinePsf | None = None
) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """Measure forced fluxes on an image whose variance plane holds the pixels' own noise.

    All usable pixels weigh the same: weights from noisy variances would bias the flux low.

    Returns
    -------
    flux, flux_err [nJy], missing
        Arrays of shape (n,); where ``missing`` is True there is no flux.
    """
    if exposure is None or (exposure.psf is None and psf is None):
        return np.zeros(len(x)), np.zeros(len(x)), np.ones(len(x), bool)
    if psf is None:
        assert exposure.psf is not None  # noqa: S101 (checked just above)
        psf = spline_psf(exposure.psf, exposure.shape)
    usable = exposure.usable() & np.isfinite(exposure.image) & np.isfinite(exposure.variance)
    flux, error, coverage = forced_flux(
        np.where(usable, exposure.image, 0),
        np.where(usable, exposure.variance, 0),
        usable.astype(np.float32),
        psf,
        x,
        y,
    )
    return flux, error, ~(coverage >= MIN_COVERAGE) | ~(error > 0)


def mask_flags(
    mask: NDArray[np.int32],
    x: FloatArray,
    y: FloatArray,
    reach: int,
    relation: str,
    names: dict[str, Mask],
) -> NDArray[np.int64]:
    """Set flags for mask planes found within ``reach`` pixels of each position, shape (n,)."""
    found = np.zeros(len(x), np.int64)
    _mask_around(mask, np.rint(x).astype(np.int64), np.rint(y).astype(np.int64), reach, found)
    flags = np.zeros(len(x), np.int64)
    for name, plane in names.items():
        flags |= np.where(found & int(plane), 1 << flag_bit(relation, name), 0)
    return flags


@compiled
def _mask_around(
    mask: NDArray[np.int32],
    columns: NDArray[np.int64],
    rows: NDArray[np.int64],
    reach: int,
    found: NDArray[np.int64],
) -> None:
    ny, nx = mask.shape
    for k in range(columns.size):
        value = np.int32(0)
        for i in range(max(0, rows[k] - reach), min(ny, rows[k] + reach + 1)):
            line = mask[i, max(0, columns[k] - reach) : min(nx, columns[k] + reach + 1)]
            for j in range(line.size):
                value |= line[j]
        found[k] = value


def _ahead(exposure: Exposure, ra: FloatArray, decl: FloatArray) -> NDArray[np.bool_]:
    """Positions within 60 degrees of the image: the rest of the sky has no tangent-plane pixel."""
    a0, d0 = np.radians(exposure.wcs.wcs.crval)
    a, d = np.radians(ra), np.radians(decl)
    cosine = np.sin(d0) * np.sin(d) + np.cos(d0) * np.cos(d) * np.cos(a - a0)
    return np.asarray(cosine > 0.5)
