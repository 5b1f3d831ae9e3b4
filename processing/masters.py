"""Master calibration frames as FITS files, one a detector and series (DPDD section 2.6; DIA-07).

============  =======  ========================================================================
HDU           type     content
============  =======  ========================================================================
0             empty    detector, times for which the masters hold
BIAS          float32  adu above the overscan
BIAS_VAR      float32  variance of the master bias [electron**2]
DARK          float32  electrons per second
DARK_VAR      float32  variance of the master dark, its bias not counted
MASK          int32    defects (BAD) and amplifiers that see no light (NO_DATA); ``MPnn`` names bits
FLAT-x        float32  response in band x, mean 1
FRINGE-x      float32  fringes in band x, relative to the sky; only where frames are given
CROSSTALK     float64  share of amplifier j's signal (column) in amplifier i (row)
AMPLIFIERS    table    ``gain`` [electron/adu], ``bend1``, ``bend2``: see processing.readout
MASTERS       table    one row a master: kind, band, unit, mean and spread over the good pixels, ...
INPUTS        table    the frames: kind, file, sha256
============  =======  ========================================================================

What is read is what was written, bit by bit; the same frames give the same file.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table
from numpy.typing import NDArray

from processing.calibration_frames import DetectorCalibration, Series
from processing.exposure import Mask
from processing.fits import appearing_whole, native, open_whole
from processing.readout import Readout
from skyledger.errors import DataRejectedError

_UNITS = {"bias": "adu", "dark": "electron/s", "flat": "", "fringe": "", "defects": "",
          "linearity": "", "crosstalk": ""}  # fmt: skip
# Frames that a master is made of; defects show in darks and flats.
_MADE_OF = {"linearity": ("linearity",), "crosstalk": ("spots",), "defects": ("dark", "flat")}


@dataclass(frozen=True)
class Master:
    """One master of a file: what it is made of and what it is like.

    ``mean`` and ``spread`` are those of its good pixels, of the defects their share of the
    pixels, of linearity and crosstalk the largest coefficient, in units of the signal.
    """

    kind: str  # bias, dark, flat, fringe, defects, linearity, crosstalk
    band: str  # empty where there is none
    extension: str
    unit: str
    mean: float
    spread: float
    variance: float  # of a flat's pixel of value 1; elsewhere 0
    inputs: tuple[str, ...]  # files


def inputs(series: Series) -> dict[str, str]:
    """SHA-256 of the frames of a series, by file name: what its masters depend on."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for paths in series.files.values()
        for path in paths
    }


def describe(made: DetectorCalibration, series: Series) -> list[Master]:
    """List the masters of a detector."""
    good = ~(made.defects | made.dead)
    planes = [("bias", "", made.bias), ("dark", "", made.dark)]
    planes += [("flat", band, flat) for band, flat in made.flats.items()]
    planes += [("fringe", band, pattern) for band, pattern in made.fringes.items()]
    found = []
    for kind, band, plane in planes:
        values = plane[good].astype(np.float64)
        variance = made.flat_variance[band] if kind == "flat" else 0.0
        name = f"{kind}-{band}" if band else kind
        about = (kind, band, name.upper(), _UNITS[kind], float(values.mean()), float(values.std()))
        found.append(Master(*about, variance, _names(series, (name,))))
    full = np.abs(made.readout.bend).max(initial=0.0)
    for kind, extension, mean, there in (
        ("defects", "MASK", float((~good).mean()), True),
        ("linearity", "AMPLIFIERS", float(full), "linearity" in series.files),
        ("crosstalk", "CROSSTALK", float(np.abs(made.readout.crosstalk).max(initial=0.0)),
         "spots" in series.files),
    ):  # fmt: skip
        if there:
            made_of = _names(series, _MADE_OF[kind])
            found.append(Master(kind, "", extension, _UNITS[kind], mean, 0.0, 0.0, made_of))
    return found


def _names(series: Series, kinds: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        path.name
        for kind, paths in series.files.items()
        if kind in kinds or kind.partition("-")[0] in kinds
        for path in paths
    )


def write(
    made: DetectorCalibration,
    listed: list[Master],
    series: Series,
    frames: dict[str, str],
    path: Path,
) -> None:
    """Write the masters of a detector; the file appears whole or not at all.

    Parameters
    ----------
    made : DetectorCalibration
    listed : list of Master
        From :func:`describe`.
    series : Series
    frames : dict
        From :func:`inputs`.
    path : Path
        Replaced if it exists.
    """
    primary = fits.PrimaryHDU()
    for key, value, comment in (
        ("PRODUCT", "masters", "BIAS, DARK, MASK, FLAT-x, FRINGE-x, ..."),
        ("VALIDBEG", series.begin, "[d] MJD TAI from which the masters hold"),
        ("VALIDEND", series.end, "[d] MJD TAI until which they do"),
        ("DARKTIME", made.dark_time, "[s] exposure time of a dark"),
    ):
        primary.header[key] = (value, comment)
    mask = np.where(made.defects, int(Mask.BAD), 0) | np.where(made.dead, int(Mask.NO_DATA), 0)
    planes: list[tuple[str, NDArray[Any], str]] = [
        ("BIAS", made.bias, "adu"),
        ("BIAS_VAR", made.bias_variance, "electron**2"),
        ("DARK", made.dark, "electron/s"),
        ("DARK_VAR", made.dark_variance, "(electron/s)**2"),
        ("MASK", mask.astype(np.int32), ""),
        *((f"FLAT-{band}", flat, "") for band, flat in made.flats.items()),
        *((f"FRINGE-{band}", pattern, "") for band, pattern in made.fringes.items()),
        ("CROSSTALK", made.readout.crosstalk, ""),
    ]
    hdus: list[Any] = [primary]
    for name, plane, unit in planes:
        hdus.append(fits.ImageHDU(np.ascontiguousarray(plane), name=name))
        if unit:
            hdus[-1].header["BUNIT"] = unit
    for plane_bit in (Mask.BAD, Mask.NO_DATA):
        bit = int(plane_bit).bit_length() - 1
        hdus[5].header[f"MP{bit:02d}"] = (plane_bit.name, f"mask plane of value {int(plane_bit)}")
    gains = np.array(made.readout.gains)
    dead = np.isin(np.arange(len(gains)), made.readout.dead)
    bend = made.readout.bend
    amplifiers = Table({"gain": gains, "bend1": bend[:, 0], "bend2": bend[:, 1], "dead": dead})
    about = Table(
        {
            name: [getattr(master, name) for master in listed]
            for name in ("kind", "band", "extension", "unit", "mean", "spread", "variance")
        }
    )
    about["frames"] = [len(master.inputs) for master in listed]
    # To the last bit, which a keyword cannot hold.
    about["darkTime"] = made.dark_time
    used = Table({"file": list(frames), "sha256": list(frames.values())})
    for name, table in (("AMPLIFIERS", amplifiers), ("MASTERS", about), ("INPUTS", used)):
        hdus.append(fits.table_to_hdu(table))
        hdus[-1].name = name
    with appearing_whole(path) as temporary:
        fits.HDUList(hdus).writeto(temporary, overwrite=True)


def read(path: Path) -> DetectorCalibration:
    """Read the masters of a detector.

    Raises
    ------
    DataRejectedError
        If the file is not there, is cut off, or lacks one of the extensions.
    """
    try:
        with open_whole(path) as hdus:
            about = Table(hdus["MASTERS"].data)
            amplifiers = Table(hdus["AMPLIFIERS"].data)
            mask = native(hdus["MASK"].data)

            def by_band(kind: str) -> dict[str, Any]:
                mine = about[about["kind"] == kind]
                return {str(row["band"]): native(hdus[row["extension"]].data) for row in mine}

            flats = about[about["kind"] == "flat"]
            return DetectorCalibration(
                bias=native(hdus["BIAS"].data),
                dark=native(hdus["DARK"].data),
                flats=by_band("flat"),
                defects=(mask & int(Mask.BAD)) != 0,
                bias_variance=native(hdus["BIAS_VAR"].data),
                dark_variance=native(hdus["DARK_VAR"].data),
                dark_time=float(about["darkTime"][0]),
                flat_variance={str(row["band"]): float(row["variance"]) for row in flats},
                readout=Readout(
                    crosstalk=native(hdus["CROSSTALK"].data),
                    bend=np.column_stack([amplifiers["bend1"], amplifiers["bend2"]]).astype(float),
                    gains=tuple(float(gain) for gain in amplifiers["gain"]),
                    dead=tuple(int(k) for k in np.flatnonzero(amplifiers["dead"])),
                ),
                dead=(mask & int(Mask.NO_DATA)) != 0,
                fringes=by_band("fringe"),
            )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DataRejectedError(
            f"{path} holds no masters of this archive ({error}); make them again: "
            "skyledger masters build"
        ) from error
