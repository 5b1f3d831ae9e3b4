"""Reference stars: positions at the time of a visit, fluxes in its band (GEN-10)."""

from dataclasses import dataclass
from pathlib import Path

import erfa
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from processing.instrument import Filter, Instrument
from skyledger.errors import DataRejectedError

FloatArray = NDArray[np.float64]

_COLUMNS = ("ra", "decl", "pmRa", "pmDecl", "parallax", "epoch")
_ERRORS = ("raErr", "declErr", "pmRaErr", "pmDeclErr")  # mas, mas/yr; may be missing
_DAYS_PER_YEAR = 365.25


@dataclass(frozen=True)
class ReferenceStars:
    """Stars of a reference catalogue, columns as in ``docs/reference/dataset.md``."""

    columns: dict[str, FloatArray]
    absolute_error: float  # of the flux scale, a fraction

    def __len__(self) -> int:
        return int(self.columns["ra"].size)

    def positions(self, mid_tai: float) -> tuple[FloatArray, FloatArray]:
        """ICRS ra, decl [deg] as seen from the Earth at ``mid_tai`` [MJD TAI], shape (n,).

        Proper motion along the tangent, and parallax from the Earth's barycentric place
        (erfa's ``epv00``, good to 1e-7 of the parallax).
        """
        ra, decl = self.columns["ra"], self.columns["decl"]
        years = (mid_tai - self.columns["epoch"]) / _DAYS_PER_YEAR
        sin_ra, cos_ra = np.sin(np.radians(ra)), np.cos(np.radians(ra))
        sin_decl, cos_decl = np.sin(np.radians(decl)), np.cos(np.radians(decl))
        # TT = TAI + 32.184 s stands for TDB: they differ by 2 ms.
        _, barycentric = erfa.epv00(2400000.5, mid_tai + 32.184 / 86400)
        x, y, z = barycentric["p"]
        parallax = self.columns["parallax"]
        east = self.columns["pmRa"] * years + parallax * (x * sin_ra - y * cos_ra)
        north = self.columns["pmDecl"] * years + parallax * (
            x * cos_ra * sin_decl + y * sin_ra * sin_decl - z * cos_decl
        )
        return ra + east / cos_decl / 3.6e6, decl + north / 3.6e6

    def position_errors(self, mid_tai: float) -> FloatArray:
        """Error [arcsec] of ra cos(decl) and decl at ``mid_tai``, shape (n, 2).

        Zero where the catalogue does not tell.
        """
        years = (mid_tai - self.columns["epoch"]) / _DAYS_PER_YEAR
        none = np.zeros(len(self))
        ra, decl, pm_ra, pm_decl = (self.columns.get(name, none) for name in _ERRORS)
        mas = np.column_stack([np.hypot(ra, pm_ra * years), np.hypot(decl, pm_decl * years)])
        return np.asarray(mas / 1000)

    def fluxes(self, used: Filter) -> tuple[FloatArray, FloatArray]:
        """Flux and its error [nJy] in a filter, colour term included, shape (n,)."""
        flux, error = self.columns[f"{used.band}Flux"], self.columns[f"{used.band}FluxErr"]
        if used.colour is None or used.colour_term == 0:
            return flux, error
        blue, red = (self.columns[f"{band}Flux"] for band in used.colour.split("-"))
        noise = np.hypot(
            *(
                self.columns[f"{band}FluxErr"] / np.maximum(self.columns[f"{band}Flux"], 1e-9)
                for band in used.colour.split("-")
            )
        )
        known = (blue > 0) & (red > 0)
        colour = -2.5 * np.log10(np.where(known, blue, 1) / np.where(known, red, 1))
        step = used.colour_term * (colour - used.colour_zero)
        moved = np.where(known, flux * 10 ** (-0.4 * step), np.nan)
        return moved, np.hypot(moved * error / flux, moved * used.colour_term * noise)


def read(directory: Path, instrument: Instrument) -> ReferenceStars | None:
    """Read the reference stars of a data set; None for instruments calibrated on their own.

    Raises
    ------
    DataRejectedError
        If the file is missing, is no Parquet, or lacks a column.
    """
    if instrument.reference is None:
        return None
    path = directory / instrument.reference.file
    wanted = [*_COLUMNS]
    filters = instrument.filters.values()
    bands: set[str] = {entry.band for entry in filters}
    bands |= {band for entry in filters if entry.colour for band in entry.colour.split("-")}
    for band in sorted(bands):
        wanted += [f"{band}Flux", f"{band}FluxErr"]
    try:
        table = pq.read_table(path)
    except (OSError, ValueError) as error:
        raise DataRejectedError(
            f"{path} cannot be read as Parquet: {error}. The data set needs its reference stars"
        ) from error
    missing = [name for name in wanted if name not in table.column_names]
    if missing:
        raise DataRejectedError(
            f"{path} lacks the columns {', '.join(missing)}; it has {', '.join(table.column_names)}"
        )
    columns = {
        name: np.asarray(table[name].to_numpy(zero_copy_only=False), dtype=np.float64)
        for name in [*wanted, *(error for error in _ERRORS if error in table.column_names)]
    }
    return ReferenceStars(columns, instrument.reference.absolute_error)
