"""Exposures as multi-extension FITS, read back bit for bit (GEN-11, GEN-12; DPDD section 2.6).

========  =========  ==========================================================================
HDU       type       content
========  =========  ==========================================================================
0         empty      the visit in plain keywords, for people and DS9
IMAGE     float32    pixels, ``BUNIT`` their unit, with the WCS
VARIANCE  float32    variance, unit squared, with the WCS
MASK      int32      bits; ``MPnn`` names bit nn, with the WCS
PSF       float64    polynomial planes of the PSF, ``PSFORDER PSFX0 PSFY0 PSFSCALE`` their frame
NOISE     float64    how far pixels are correlated, by their distance; absent where they are not
VISIT     one row    every field of the visit, and the WCS, to the last bit
QUALITY   one row    the numbers of the ccdVisit, by the dictionary's column names
REGIONS   table      the unusable pixels as polygons (:mod:`processing.regions`); not read back
========  =========  ==========================================================================

Keywords hold 20 characters, too few for every double; so what must be exact is in the tables.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS

from processing.exposure import Exposure, Mask, VisitInfo
from processing.psf import PsfModel
from processing.regions import masked_polygons
from skyledger.errors import DataRejectedError, UsageError

_KEYWORDS = {
    "instrument": "INSTRUME",
    "visit_id": "VISITID",
    "ccd_visit_id": "CCDVISIT",
    "detector": "DETECTOR",
    "band": "BAND",
    "filter_name": "FILTER",
    "program_id": "PROGRAM",
    "mid_tai": "MIDTAI",
    "mid_tai_dx": "MIDTAIDX",
    "mid_tai_dy": "MIDTAIDY",
    "exposure_time": "EXPTIME",
    "n_snaps": "NSNAPS",
    "airmass": "AIRMASS",
    "boresight_ra": "BORERA",
    "boresight_decl": "BOREDECL",
    "rotation": "ROTPA",
    "is_template": "TEMPLATE",
}


def write(exposure: Exposure, path: Path) -> None:
    """Write an exposure; the file appears whole or not at all.

    Parameters
    ----------
    exposure : Exposure
        Image, variance and mask of one shape. Its PSF must be a
        :class:`~processing.psf.PsfModel` or None (``PsfModel.sampled`` makes one of any PSF).
    path : Path
        Replaced if it exists.

    Raises
    ------
    UsageError
        If the PSF is of another kind, the WCS has a distortion, or a quality value has a type
        that FITS does not know.
    """
    if not exposure.image.shape == exposure.variance.shape == exposure.mask.shape:
        raise UsageError(
            f"{path}: image {exposure.image.shape}, variance {exposure.variance.shape} and mask "
            f"{exposure.mask.shape} differ in shape; all three planes must be of the image's"
        )
    primary = fits.PrimaryHDU()
    primary.header["PRODUCT"] = ("exposure", "IMAGE, VARIANCE, MASK, PSF, VISIT, ...")
    for name, keyword in _KEYWORDS.items():
        primary.header[keyword] = (getattr(exposure.visit, name), name)
    geometry = _wcs_header(exposure.wcs, path)
    hdus = [primary]
    for name, plane, kind in (
        ("IMAGE", exposure.image, np.float32),
        ("VARIANCE", exposure.variance, np.float32),
        ("MASK", exposure.mask, np.int32),
    ):
        hdu = fits.ImageHDU(np.ascontiguousarray(plane, dtype=kind), header=geometry, name=name)
        hdus.append(hdu)
    hdus[1].header["BUNIT"] = exposure.unit
    hdus[1].header["ELPERUNI"] = (exposure.electrons_per_unit, "electrons per unit")
    hdus[2].header["BUNIT"] = f"{exposure.unit}**2"
    for plane_bit in Mask:
        bit = int(plane_bit).bit_length() - 1
        hdus[3].header[f"MP{bit:02d}"] = (plane_bit.name, f"mask plane of value {int(plane_bit)}")
    if exposure.psf is not None:
        if not isinstance(exposure.psf, PsfModel):
            raise UsageError(
                f"{path}: a PSF of type {type(exposure.psf).__name__} cannot be written; "
                "turn it into a PsfModel by PsfModel.sampled"
            )
        psf = fits.ImageHDU(exposure.psf.coefficients, name="PSF")
        psf.header.update(exposure.psf.header)
        hdus.append(psf)
    if exposure.noise is not None:
        hdus.append(fits.ImageHDU(np.asarray(exposure.noise, np.float64), name="NOISE"))
    if exposure.refraction is not None:
        hdus.append(fits.table_to_hdu(exposure.refraction))
        hdus[-1].name = "REFRACTION"
    visit = {field.name: getattr(exposure.visit, field.name) for field in fields(VisitInfo)}
    visit["electrons_per_unit"] = float(exposure.electrons_per_unit)
    visit |= _wcs_numbers(exposure.wcs)
    if isinstance(exposure.psf, PsfModel):
        visit |= {key: float(value) for key, value in exposure.psf.header.items()}
    hdus += [_row("VISIT", visit, path), _row("QUALITY", exposure.quality, path)]
    hdus.append(fits.table_to_hdu(masked_polygons(exposure)))
    hdus[-1].name = "REGIONS"
    with appearing_whole(path) as temporary:
        fits.HDUList(hdus).writeto(temporary, overwrite=True)


def read(path: Path) -> Exposure:
    """Read an exposure written by :func:`write`; every array is identical bit for bit.

    Raises
    ------
    DataRejectedError
        If the file is not there, is cut off, or lacks one of the extensions.
    """
    try:
        with open_whole(path) as hdus:
            visit = _values(hdus["VISIT"])
            names = {field.name for field in fields(VisitInfo)}
            wcs = WCS(hdus["IMAGE"].header)
            wcs.wcs.crval, wcs.wcs.crpix = visit["wcs_crval"], visit["wcs_crpix"]
            wcs.wcs.cd = np.reshape(visit["wcs_cd"], (2, 2))
            wcs.wcs.set()
            psf = None
            if "PSF" in hdus:
                psf = PsfModel.from_header(native(hdus["PSF"].data), visit)
            return Exposure(
                image=native(hdus["IMAGE"].data),
                variance=native(hdus["VARIANCE"].data),
                mask=native(hdus["MASK"].data),
                unit=hdus["IMAGE"].header["BUNIT"],
                visit=VisitInfo(**{key: visit[key] for key in names & set(visit)}),
                wcs=wcs,
                psf=psf,
                electrons_per_unit=visit["electrons_per_unit"],
                quality=_values(hdus["QUALITY"]),
                noise=native(hdus["NOISE"].data) if "NOISE" in hdus else None,
                refraction=_table(hdus["REFRACTION"]) if "REFRACTION" in hdus else None,
            )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DataRejectedError(
            f"{path} is not an exposure of this archive ({error}); process the visit again"
        ) from error


@contextmanager
def appearing_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path that takes the place of ``path`` when the block ends well."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def open_whole(path: Path) -> Iterator[fits.HDUList]:
    """Open a FITS file for reading; one that is cut off raises OSError where astropy warns."""
    with ExitStack() as stack:
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("error", ".*truncated.*", AstropyUserWarning)
                hdus = stack.enter_context(fits.open(path, memmap=False))
                len(hdus)  # walks to the end, so that a file cut off is noticed
        except AstropyUserWarning as warning:
            raise OSError(str(warning)) from warning
        yield hdus


def native(array: Any) -> Any:
    """Return an array of a FITS file in the byte order of this machine."""
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))


def _wcs_numbers(wcs: WCS) -> dict[str, Any]:
    return {
        "wcs_crval": np.array(wcs.wcs.crval, dtype=np.float64),
        "wcs_crpix": np.array(wcs.wcs.crpix, dtype=np.float64),
        "wcs_cd": np.array(wcs.pixel_scale_matrix, dtype=np.float64).ravel(),
    }


def _wcs_header(wcs: WCS, path: Path) -> fits.Header:
    if wcs.sip is not None or wcs.cpdis1 is not None:
        raise UsageError(f"{path}: the WCS has a distortion; only linear projections are written")
    header = wcs.to_header()
    for key in [key for key in header if key[:2] in ("PC", "CD")]:
        del header[key]
    for (row, column), value in np.ndenumerate(wcs.pixel_scale_matrix):
        header[f"CD{row + 1}_{column + 1}"] = float(value)
    return header


def _row(name: str, values: dict[str, Any], path: Path) -> fits.BinTableHDU:
    """Make a table of one row; None is left out, which reads back as missing."""
    columns = []
    for key, value in values.items():
        if value is None:
            continue
        array = np.asarray(value)
        if array.dtype.kind not in "biufU" or array.ndim > 1:
            raise UsageError(f"{path}: {name} value {key} = {value!r} cannot be kept in FITS")
        if array.dtype.kind == "u":
            array = array.astype(np.int64)
        if array.dtype.kind == "b":
            code = "L"
        elif array.dtype.kind == "U":
            width = max(array.dtype.itemsize // 4, 1)
            code = f"{width}A"
            if array.ndim:
                raise UsageError(f"{path}: {name} value {key} is a list of words; join them")
        else:
            array = array.astype(np.int64) if array.dtype.kind == "i" else array
            code = {"i": "K", "f": "D" if array.dtype.itemsize == 8 else "E"}[array.dtype.kind]
        dim = None
        if array.ndim:
            code = f"{array.size}{code}"
            # Without TDIM a list of one value would read back as that value.
            dim = f"({array.size})"
        columns.append(fits.Column(name=key, format=code, dim=dim, array=array[None]))
    return fits.BinTableHDU.from_columns(columns, name=name, nrows=1)


def _table(hdu: fits.BinTableHDU) -> Table:
    found = Table.read(hdu)
    found.meta.clear()
    return Table({name: native(np.asarray(found[name])) for name in found.colnames},
                 units={name: found[name].unit for name in found.colnames})  # fmt: skip


def _values(hdu: fits.BinTableHDU) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for column in hdu.columns.names:
        value = hdu.data[column][0]
        if isinstance(value, np.ndarray):
            values[column] = native(value)
        else:
            values[column] = value.item() if isinstance(value, np.generic) else value
    return values
