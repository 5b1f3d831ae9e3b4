"""Raw images: counts, amplifiers and headers, checked as they are read."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from processing.fits import open_whole
from processing.instrument import Instrument
from skyledger.errors import ConfigurationError, DataRejectedError


@dataclass(frozen=True)
class Amplifier:
    """A part of the detector that is read through one amplifier.

    ``data`` and ``overscan`` are (rows, columns) of the raw array.
    """

    data: tuple[slice, slice]
    overscan: tuple[slice, slice]
    gain: float  # electrons per adu
    read_noise: float  # electrons


@dataclass(frozen=True)
class RawImage:
    """One read of a detector: counts [adu] as they came, and how to read them."""

    counts: NDArray[np.float32]
    amplifiers: tuple[Amplifier, ...]
    full_well: float  # electrons
    saturation: float  # adu
    exposure_time: float  # seconds
    header: fits.Header

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx) of the light-sensitive part."""
        return (
            max(amplifier.data[0].stop for amplifier in self.amplifiers),
            max(amplifier.data[1].stop for amplifier in self.amplifiers),
        )


def raw_image(path: Path, hdu: fits.ImageHDU, instrument: Instrument) -> RawImage:
    """Turn an image HDU into a :class:`RawImage`; raises DataRejectedError as read_snaps."""
    amplifiers, words = amplifiers_of(path, hdu.header, instrument)
    if hdu.data is None:
        raise DataRejectedError(f"{path.name}: {hdu.name} has no pixels; fetch the file again")
    counts = np.asarray(hdu.data, dtype=np.float32)
    if not np.isfinite(counts).any():
        raise DataRejectedError(
            f"{path.name}: {hdu.name} has no finite pixel of {counts.size}; fetch the file again"
        )
    return RawImage(
        counts=counts,
        amplifiers=amplifiers,
        full_well=words["full_well"],
        saturation=words["saturation"],
        exposure_time=number(path, hdu.header, "EXPTIME"),
        header=hdu.header,
    )


def amplifiers_of(
    path: Path, header: fits.Header, instrument: Instrument
) -> tuple[tuple[Amplifier, ...], dict[str, float]]:
    """Read the amplifiers, and full well [electron] and saturation [adu], from a header."""
    words = instrument.amplifiers
    if words is None:
        raise ConfigurationError(f"instrument {instrument.name} names no amplifier keywords")
    amplifiers = []
    for n in range(1, int(number(path, header, words.count)) + 1):
        amplifier = Amplifier(
            data=section(path, header, f"{words.data_section}{n}"),
            overscan=section(path, header, f"{words.overscan}{n}"),
            gain=number(path, header, f"{words.gain}{n}"),
            read_noise=number(path, header, f"{words.read_noise}{n}"),
        )
        if not (amplifier.gain > 0 and amplifier.read_noise >= 0):
            raise DataRejectedError(
                f"{path.name}: amplifier {n} has gain {amplifier.gain} and read noise "
                f"{amplifier.read_noise}; the gain must be above 0, the noise not below"
            )
        amplifiers.append(amplifier)
    pixels = sum(
        (a.data[0].stop - a.data[0].start) * (a.data[1].stop - a.data[1].start) for a in amplifiers
    )
    ny = max((a.data[0].stop for a in amplifiers), default=0)
    nx = max((a.data[1].stop for a in amplifiers), default=0)
    if pixels != ny * nx or pixels == 0:
        raise DataRejectedError(
            f"{path.name}: its {len(amplifiers)} data sections hold {pixels} pixels of "
            f"{nx} x {ny}; they must cover the detector once. Correct {words.data_section}n"
        )
    return tuple(amplifiers), {
        "full_well": number(path, header, words.full_well),
        "saturation": number(path, header, words.saturation),
    }


@contextmanager
def opened(path: Path) -> Iterator[fits.HDUList]:
    """Open a FITS file; whatever is wrong with it becomes a DataRejectedError."""
    with ExitStack() as stack:
        try:
            hdus = stack.enter_context(open_whole(path))
        except (OSError, TypeError, ValueError, EOFError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DataRejectedError(
                f"{path.name} cannot be read as FITS: {reason}. Fetch the file again"
            ) from error
        yield hdus


def value(path: Path, header: fits.Header, key: str) -> Any:
    """Return a keyword that must be there."""
    found = header.get(key)
    if found is None or isinstance(found, fits.card.Undefined):
        raise DataRejectedError(
            f"{path.name}: keyword {key} is missing; correct the header or the instrument's file"
        )
    return found


def number(path: Path, header: fits.Header, key: str) -> float:
    """Return a keyword that must be a finite number."""
    found = value(path, header, key)
    if isinstance(found, bool) or not isinstance(found, int | float) or not np.isfinite(found):
        raise DataRejectedError(
            f"{path.name}: keyword {key} is {found!r}, not a number; correct the header"
        )
    return found


def section(path: Path, header: fits.Header, key: str) -> tuple[slice, slice]:
    """Turn "[x1:x2,y1:y2]" into (rows, columns), checked against the array."""
    text = str(value(path, header, key))
    try:
        columns, rows = (
            tuple(int(edge) for edge in part.split(":")) for part in text.strip("[] ").split(",")
        )
        (x1, x2), (y1, y2) = columns, rows
    except ValueError:
        raise DataRejectedError(
            f"{path.name}: keyword {key} is {text!r}, not [x1:x2,y1:y2]; correct the header"
        ) from None
    nx, ny = header.get("NAXIS1", 0), header.get("NAXIS2", 0)
    if not (1 <= x1 <= x2 <= nx and 1 <= y1 <= y2 <= ny):
        raise DataRejectedError(
            f"{path.name}: {key} {text} does not lie in the array of {nx} x {ny} pixels; "
            "the frame has the wrong shape"
        )
    return slice(y1 - 1, y2), slice(x1 - 1, x2)
