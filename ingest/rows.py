"""Exposures as rows of Visit, CcdVisit and Template (column meanings: the dictionary)."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from astropy.wcs.utils import proj_plane_pixel_scales

from processing.exposure import Exposure
from processing.reader import Frame
from skyledger import dictionary as dd
from skyledger.errors import DataRejectedError

_FLOATS = {"real", "double precision"}
_NUMBERS = _FLOATS | {"bigint", "integer", "smallint"}


def _corners(exposure: Exposure) -> tuple[list[float], list[float]]:
    """Sky positions of the outer corners of the corner pixels: ll, lr, ur, ul [deg]."""
    ny, nx = exposure.shape
    x = [-0.5, nx - 0.5, nx - 0.5, -0.5]
    y = [-0.5, -0.5, ny - 0.5, ny - 0.5]
    ra, decl = exposure.wcs.all_pix2world(x, y, 0)
    return [float(v) % 360 for v in ra], [float(v) for v in decl]


def _geometry(exposure: Exposure) -> dict[str, Any]:
    ny, nx = exposure.shape
    ra, decl = exposure.wcs.all_pix2world((nx - 1) / 2, (ny - 1) / 2, 0)
    corner_ra, corner_decl = _corners(exposure)
    return {
        "ra": float(ra) % 360,
        "decl": float(decl),
        "pixelScale": float(np.mean(proj_plane_pixel_scales(exposure.wcs))) * 3600,
        "footprint": [v for pair in zip(corner_ra, corner_decl, strict=True) for v in pair],
        "wcsHeader": exposure.wcs.to_header(relax=True).tostring(sep="\n"),
    }


def visit(frame: Frame, provenance: int) -> dict[str, Any]:
    """Row of Visit from one of its frames."""
    info = frame.visit
    return {
        "visitId": info.visit_id,
        "instrument": info.instrument,
        "band": info.band,
        "filterName": info.filter_name,
        "programId": info.program_id,
        "ra": info.boresight_ra % 360,
        "decl": info.boresight_decl,
        "rotation": info.rotation % 360,
        "beginTai": frame.begin_tai,
        "midPointTai": (frame.begin_tai + frame.end_tai) / 2,
        "endTai": frame.end_tai,
        "exposureTime": info.exposure_time,
        "nSnaps": info.n_snaps,
        "airmass": info.airmass,
        "isTemplate": info.is_template,
        "provenanceId": provenance,
    }


def ccd_visit(frame: Frame, pvi: Exposure, described: Mapping[str, Any]) -> dict[str, Any]:
    """Row of CcdVisit: the frame, the geometry of the PVI and everything measured of them.

    ``described`` and ``pvi.quality`` hold values by column name; others are left out, since a
    column that the dictionary does not have is of no use to a reader of the database.
    """
    info = frame.visit
    corner_ra, corner_decl = _corners(pvi)
    row = {
        "ccdVisitId": info.ccd_visit_id,
        "visitId": info.visit_id,
        "detector": info.detector,
        "instrument": info.instrument,
        "band": info.band,
        "filterName": info.filter_name,
        "programId": info.program_id,
        "beginTai": frame.begin_tai,
        "midPointTai": info.mid_tai,
        "endTai": frame.end_tai,
        "exposureTime": info.exposure_time,
        "nSnaps": info.n_snaps,
        "airmass": info.airmass,
        "rotation": info.rotation % 360,
        "usableFraction": float(pvi.usable().mean()),
        **_geometry(pvi),
    }
    for name, ra, decl in zip(("ll", "lr", "ur", "ul"), corner_ra, corner_decl, strict=True):
        row[f"{name}Ra"], row[f"{name}Decl"] = ra, decl
    known = dd.shipped()["CcdVisit"].by_name
    row |= {k: v for k, v in {**pvi.quality, **described}.items() if k in known}
    return row


def usable_mask(difference: Exposure) -> list[int]:
    """Geometric mask of a difference image: 64 rows of 64 bits (column usableMask, GEN-13).

    A bit is set where at least half of the cell's pixels are usable.
    """
    pixels = difference.usable()
    fold = -(-64 // min(pixels.shape))  # more than 1 where cells are smaller than pixels
    pixels = pixels.repeat(fold, axis=0).repeat(fold, axis=1)
    row, column = (np.arange(n) * 64 // n for n in pixels.shape)
    cell = (row[:, None] * 64 + column).ravel()
    share = np.bincount(cell, pixels.ravel(), 4096)
    usable = (2 * share >= np.bincount(cell, minlength=4096)) & (share > 0)
    bits = np.packbits(usable.reshape(64, 64), axis=1, bitorder="little")
    return [int(v) for v in bits.view("<i8").ravel()]


def detector(pvi: Exposure) -> dict[str, Any]:
    """Row of Detector, as far as an image tells."""
    ny, nx = pvi.shape
    return {
        "instrument": pvi.visit.instrument,
        "detector": pvi.visit.detector,
        "name": f"{pvi.visit.instrument} {pvi.visit.detector}",
        "nx": nx,
        "ny": ny,
        "pixelScale": float(np.mean(proj_plane_pixel_scales(pvi.wcs))) * 3600,
    }


def template(exposure: Exposure) -> dict[str, Any]:
    """Row of Template without its id, path and provenance."""
    quality, info = exposure.quality, exposure.visit
    sky = np.sqrt(np.median(exposure.variance[exposure.usable()]))
    effective = 1.0
    if exposure.psf is not None:
        middle = exposure.psf.image(exposure.shape[1] / 2, exposure.shape[0] / 2)
        effective = float(1 / (middle**2).sum())
    geometry = _geometry(exposure)
    return {
        "instrument": info.instrument,
        "band": info.band,
        "nVisits": len(quality["inputs"]),
        "inputCcdVisitIds": [int(i) for i in quality["inputs"]],
        "beginTai": quality["beginTai"],
        "endTai": quality["endTai"],
        "meanTai": quality["meanTai"],
        "airmass": quality["airmass"],
        "seeing": quality["seeing"],
        # Noise of a point source is the pixel noise times the root of the PSF's effective area.
        "limitingFlux": float(5 * sky * np.sqrt(effective)),
        **geometry,
    }


def table(rows: Iterable[Mapping[str, Any]], relation: dd.Relation) -> dict[str, Any]:
    """Columns of some rows for :func:`ingest.staging.stage`; absent and NaN values are masked.

    Raises
    ------
    DataRejectedError
        If a row has a column that the relation does not have.
    """
    listed = list(rows)
    names = {name for row in listed for name in row}
    unknown = sorted(names - set(relation.by_name) - {"replacesTai", "isWithdrawal"})
    if unknown:
        raise DataRejectedError(f"{relation.name} has no column {', '.join(unknown)}")
    columns: dict[str, Any] = {}
    for name in sorted(names):
        values = [row.get(name) for row in listed]
        column = relation.by_name.get(name)
        if column is not None and column.type in _NUMBERS:
            gone = [v is None or v != v for v in values]  # noqa: PLR0124 - true for NaN alone
            kind = np.float64 if column.type in _FLOATS else np.int64
            filled = [0 if g else v for v, g in zip(values, gone, strict=True)]
            columns[name] = np.ma.MaskedArray(np.array(filled, dtype=kind), mask=gone)
        elif column is not None and column.shape and column.type.removesuffix("[]") in _FLOATS:
            size = int(np.prod(column.shape))
            whole = [np.full(size, np.nan) if v is None else np.asarray(v, float) for v in values]
            columns[name] = np.ma.masked_invalid(np.array(whole).reshape(len(values), size))
        elif column is not None and column.type == "boolean":
            columns[name] = np.ma.MaskedArray(
                [bool(v) for v in values], mask=[v is None for v in values]
            )
        else:
            gone = [v is None for v in values]
            boxed = np.empty(len(values), dtype=object)
            boxed[:] = values
            columns[name] = np.ma.MaskedArray(boxed, mask=gone)
    return columns
