"""FITS files: raw visits and calibration frames (docs/reference/dataset.md)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.time import Time
from numpy.typing import NDArray

from simulate import camera
from simulate.cadence import Visit
from simulate.camera import Detector
from simulate.geometry import pixel_axes
from skyledger import ids
from skyledger.errors import ConfigurationError


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path that becomes ``path`` when the block ends well.

    Raises
    ------
    ConfigurationError
        If the file cannot be written, for example because the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written: {error.strerror or error}; make room or choose another "
            "directory, and run the same command again: what is complete is kept"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _write(hdus: fits.HDUList, path: Path) -> None:
    with written_whole(path) as temporary:
        hdus.writeto(temporary, overwrite=True)


def _put(header: fits.Header, cards: list[tuple[str, Any, str]]) -> None:
    for keyword, value, comment in cards:
        header[keyword] = (value, comment)


def _iso(mjd: float) -> str:
    return str(Time(mjd, format="mjd", scale="tai", precision=6).isot)


def _times(begin: float, end: float) -> list[tuple[str, Any, str]]:
    middle = (begin + end) / 2
    return [
        ("TIMESYS", "TAI", "time scale of all times"),
        ("MJD-BEG", begin, "[d] first row is uncovered"),
        ("MJD-END", end, "[d] last row is covered"),
        ("MJD-AVG", middle, "[d] mid-exposure at the detector's centre"),
        ("DATE-BEG", _iso(begin), ""),
        ("DATE-END", _iso(end), ""),
        ("DATE-AVG", _iso(middle), ""),
    ]


def _section(columns: slice, rows: int) -> str:
    return f"[{columns.start + 1}:{columns.stop},1:{rows}]"


def _readout(detector: Detector) -> list[tuple[str, Any, str]]:
    cards: list[tuple[str, Any, str]] = [
        ("DETECTOR", detector.number, "detector number"),
        ("NAMPS", len(camera.AMPLIFIERS), "amplifiers"),
    ]
    for number, amplifier in enumerate(camera.AMPLIFIERS):
        light, over = detector.amplifier_columns(number), detector.overscan_columns(number)
        cards += [
            (f"DATASEC{number + 1}", _section(light, detector.size), "light-sensitive part"),
            (f"BIASSEC{number + 1}", _section(over, detector.size), "overscan"),
            (f"GAIN{number + 1}", amplifier.gain, "[electron/adu]"),
            (f"RDNOISE{number + 1}", amplifier.read_noise, "[electron]"),
        ]
    cards += [
        ("FULLWELL", camera.FULL_WELL, "[electron] a pixel holds no more"),
        ("SATURATE", camera.ADC_LIMIT, "[adu] largest value of the converter"),
        ("PIXSCALE", camera.PIXEL_SCALE, "[arcsec]"),
    ]
    return cards


def _common(image_type: str) -> list[tuple[str, Any, str]]:
    return [
        ("TELESCOP", camera.TELESCOPE, ""),
        ("INSTRUME", camera.NAME, ""),
        ("IMGTYPE", image_type, "object, bias, dark, flat"),
    ]


def _approximate_wcs(visit: Visit, detector: Detector) -> list[tuple[str, Any, str]]:
    """WCS from the commanded pointing: what a telescope believes."""
    half = (detector.size - 1) / 2
    matrix = np.linalg.inv(pixel_axes(visit.commanded_rotation)) * camera.PIXEL_SCALE / 3600
    return [
        ("RADESYS", "ICRS", ""),
        ("EQUINOX", 2000.0, ""),
        ("CTYPE1", "RA---TAN", "approximate"),
        ("CTYPE2", "DEC--TAN", "approximate"),
        ("CUNIT1", "deg", ""),
        ("CUNIT2", "deg", ""),
        ("CRVAL1", visit.commanded_ra, ""),
        ("CRVAL2", visit.commanded_decl, ""),
        ("CRPIX1", half - detector.centre_x + 1, ""),
        ("CRPIX2", half - detector.centre_y + 1, ""),
        ("CD1_1", float(matrix[0, 0]), ""),
        ("CD1_2", float(matrix[0, 1]), ""),
        ("CD2_1", float(matrix[1, 0]), ""),
        ("CD2_2", float(matrix[1, 1]), ""),
    ]


def write_visit(
    path: Path, visit: Visit, detector: Detector, snaps: list[NDArray[np.uint16]]
) -> None:
    """Write the raw file of one visit and detector."""
    begin = visit.snap_begin(detector, 0)
    end = visit.snap_end(detector, len(snaps) - 1)
    primary = fits.PrimaryHDU()
    _put(
        primary.header,
        [
            *_common("object"),
            ("VISITID", visit.visit_id, "visit id"),
            ("CCDVISIT", ids.ccd_visit_id(visit.visit_id, detector.number), "ccdVisit id"),
            ("DETECTOR", detector.number, "detector number"),
            ("FILTER", camera.FILTERS[visit.band].name, ""),
            ("PROGRAM", visit.program, "observing programme"),
            ("SEASON", visit.season, "0 is the template season"),
            ("RA", visit.commanded_ra, "[deg] commanded boresight, ICRS"),
            ("DEC", visit.commanded_decl, "[deg]"),
            ("ROTPA", visit.commanded_rotation, "[deg] position angle of +y, N through E"),
            ("AIRMASS", round(visit.airmass, 4), "at mid-exposure"),
            ("NSNAPS", len(snaps), "snaps in this file"),
            ("EXPTIME", len(snaps) * camera.SNAP_TIME, "[s] all snaps together"),
            *_times(begin, end),
            ("SHUTTRAV", visit.travel(detector), "[s] shutter edge across this detector"),
            ("SHUTDIR", "+Y" if visit.shutter > 0 else "-Y", "direction of both edges"),
            ("OBSGEO-L", camera.LONGITUDE, "[deg] East positive"),
            ("OBSGEO-B", camera.LATITUDE, "[deg]"),
            ("OBSGEO-H", camera.HEIGHT, "[m]"),
        ],
    )
    hdus = fits.HDUList([primary])
    for number, raw in enumerate(snaps):
        hdu = fits.ImageHDU(raw, name=f"SNAP{number}")
        _put(
            hdu.header,
            [
                ("SNAP", number, "snap of the visit"),
                ("EXPTIME", camera.SNAP_TIME, "[s]"),
                *_times(visit.snap_begin(detector, number), visit.snap_end(detector, number)),
                *_readout(detector),
                *_approximate_wcs(visit, detector),
            ],
        )
        hdus.append(hdu)
    _write(hdus, path)


def write_calibration(
    path: Path,
    image_type: str,
    filter_name: str | None,
    begin: float,
    exposure_time: float,
    frames: list[tuple[Detector, NDArray[np.uint16]]],
) -> None:
    """Write a bias, dark or flat: one HDU a detector."""
    end = begin + exposure_time / 86400
    primary = fits.PrimaryHDU()
    _put(primary.header, _common(image_type))
    if filter_name is not None:
        primary.header["FILTER"] = filter_name
    _put(primary.header, [("EXPTIME", exposure_time, "[s]"), *_times(begin, end)])
    hdus = fits.HDUList([primary])
    for detector, raw in frames:
        hdu = fits.ImageHDU(raw, name=f"DET{detector.number}")
        _put(hdu.header, [("EXPTIME", exposure_time, "[s]"), *_readout(detector)])
        hdus.append(hdu)
    _write(hdus, path)
