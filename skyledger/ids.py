"""Identifiers: 63 bits, unique in every database and release (DPDD section 2.4, GEN-18).

==========================  =====================================================================
thing                       bits, most significant first
==========================  =====================================================================
visitId                     15 night | 11 visit of the night
ccdVisitId                  15 night | 11 visit of the night | 9 detector
measured things             9 database | 35 ccdVisitId | 19 serial
objects                     9 database | 0 | 14 HEALPix order-5 pixel (nested) of birth | 39 serial
==========================  =====================================================================

A night is counted in days since 1990-01-01 (MJD 47892, TAI), so exposures have the same id in
every database; 15 bits last until 2079-09-18. The same layout is known to the database as
``science.source_id`` and its relatives.
"""

from dataclasses import dataclass
from typing import Any

import healpy
import numpy as np
from numpy.typing import NDArray

from skyledger.errors import UsageError

PROMPT = 1  # database number of the living database
NIGHT_ZERO_MJD = 47892  # 1990-01-01
DATABASE_BITS, NIGHT_BITS, VISIT_BITS, DETECTOR_BITS, SERIAL_BITS = 9, 15, 11, 9, 19
PIXEL_BITS, OBJECT_SERIAL_BITS = 14, 39
CCD_VISIT_BITS = NIGHT_BITS + VISIT_BITS + DETECTOR_BITS
DATABASE_SHIFT = CCD_VISIT_BITS + SERIAL_BITS  # where the database stands, in both kinds of id


def _fits(name: str, value: int, bits: int) -> int:
    if not 0 <= value < (1 << bits):
        raise UsageError(f"{name} is {value}, but an id holds 0 to {(1 << bits) - 1}")
    return value


def night_of(mjd_tai: float) -> int:
    """Night number of an observation: days since 1990-01-01, nights change at 12:00 TAI."""
    return int(np.floor(mjd_tai - 0.5)) - NIGHT_ZERO_MJD


def visit_id(night: int, sequence: int) -> int:
    """Visit id from the night number and the visit's number within the night."""
    return (_fits("night", night, NIGHT_BITS) << VISIT_BITS) | _fits(
        "visit of the night", sequence, VISIT_BITS
    )


def ccd_visit_id(visit: int, detector: int) -> int:
    """CcdVisit id from the visit id and the detector number."""
    _fits("visitId", visit, NIGHT_BITS + VISIT_BITS)
    return (visit << DETECTOR_BITS) | _fits("detector", detector, DETECTOR_BITS)


def source_ids(database: int, ccd_visit: int, serials: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ids of things measured on one ccdVisit; ``serials`` has shape (n,)."""
    _fits("database", database, DATABASE_BITS)
    _fits("ccdVisitId", ccd_visit, CCD_VISIT_BITS)
    if serials.size:
        _fits("serial", int(serials.max()), SERIAL_BITS)
        _fits("serial", int(serials.min()), SERIAL_BITS)
    head = ((database << CCD_VISIT_BITS) | ccd_visit) << SERIAL_BITS
    return np.asarray(serials, dtype=np.int64) + np.int64(head)


def object_ids(
    database: int, pixels: NDArray[np.int64], serials: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Ids of objects from the order-5 nested HEALPix pixel of birth and a serial, shape (n,)."""
    _fits("database", database, DATABASE_BITS)
    for name, values, bits in (
        ("HEALPix pixel", pixels, PIXEL_BITS),
        ("serial", serials, OBJECT_SERIAL_BITS),
    ):
        if values.size:
            _fits(name, int(values.max()), bits)
            _fits(name, int(values.min()), bits)
    region = pixels.astype(np.int64) << np.int64(OBJECT_SERIAL_BITS)
    return np.int64(database << DATABASE_SHIFT) | region | serials.astype(np.int64)


@dataclass(frozen=True)
class SourceId:
    """The parts of the id of a measured thing."""

    database: int
    night: int
    sequence: int
    detector: int
    serial: int


def parse_source_id(value: int) -> SourceId:
    """Take the id of a measured thing apart."""
    _fits("id", value, 63)
    ccd = (value >> SERIAL_BITS) & ((1 << CCD_VISIT_BITS) - 1)
    return SourceId(
        database=value >> DATABASE_SHIFT,
        night=ccd >> (VISIT_BITS + DETECTOR_BITS),
        sequence=(ccd >> DETECTOR_BITS) & ((1 << VISIT_BITS) - 1),
        detector=ccd & ((1 << DETECTOR_BITS) - 1),
        serial=value & ((1 << SERIAL_BITS) - 1),
    )


def hpx29(ra: Any, decl: Any) -> Any:
    """HEALPix pixel of positions [deg], nested, order 29; shape as given.

    Its leading bits are the order-5 pixel of object ids: ``hpx29(ra, decl) >> 48``.
    """
    return healpy.ang2pix(1 << 29, np.asarray(ra), np.asarray(decl), nest=True, lonlat=True)
