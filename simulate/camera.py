"""The simulated camera and its site: the one place where its facts are written down.

Close to Rubin's camera in cadence and sampling (GEN-23), with a smaller aperture: a visit of two
snaps of 15 s reaches r = 24.0 at five sigma in 0.7 arcsec seeing.
"""

from dataclasses import dataclass

import numpy as np

from skyledger.dictionary import BANDS
from skyledger.errors import ConfigurationError

NAME = "simulated"
TELESCOPE = "Skyledger simulator"
PIXEL_SCALE = 0.2  # arcsec
GAP = 30  # pixels between detectors
OVERSCAN = 32  # columns an amplifier
FULL_WELL = 110_000.0  # electrons
ADC_LIMIT = 65_535  # ADU
SNAPS = 2
SNAP_TIME = 15.0  # s
SHUTTER_TIME = 1.0  # s for the edge to cross the whole camera
READOUT_TIME = 2.0  # s between the snaps of a visit
VISIT_SPACING = 40.0  # s from the begin of one visit to that of the next
DARK_TIME = 60.0  # s
FLAT_LEVEL = 45_000.0  # electrons

# Cerro Pachon
LONGITUDE, LATITUDE, HEIGHT = -70.7494, -30.2446, 2663.0  # deg East, deg, m

AB_ZERO = 31.4  # AB magnitude of 1 nJy (GEN-06)


@dataclass(frozen=True)
class Amplifier:
    """One readout channel; units electron/ADU, electron, ADU."""

    gain: float
    read_noise: float
    bias_level: float


AMPLIFIERS = (Amplifier(1.90, 8.0, 1000.0), Amplifier(1.98, 8.4, 1040.0))


@dataclass(frozen=True)
class Filter:
    """Throughput and sky of a band.

    ``zero_point``: AB magnitude that gives 1 electron/s outside the atmosphere's extinction at
    airmass 1; ``sky``: dark sky [mag/arcsec2]; ``extinction`` [mag/airmass]; ``moonlight``: sky
    brightness added near a full Moon, relative to the dark sky; ``seeing``: FWHM relative to r.
    """

    band: str
    zero_point: float
    sky: float
    extinction: float
    moonlight: float
    seeing: float

    @property
    def name(self) -> str:
        """The observatory's own name."""
        return f"SIM-{self.band}"


FILTERS = {
    f.band: f
    for f in (
        Filter("u", 25.8, 22.9, 0.45, 12.0, 1.08),
        Filter("g", 27.5, 22.2, 0.20, 8.0, 1.04),
        Filter("r", 27.4, 21.2, 0.11, 3.0, 1.00),
        Filter("i", 27.1, 20.5, 0.07, 1.5, 0.96),
        Filter("z", 26.7, 19.6, 0.05, 0.7, 0.93),
        Filter("y", 25.8, 18.6, 0.10, 0.4, 0.92),
    )
}


@dataclass(frozen=True)
class Detector:
    """One sensor: number, pixels a side, and its centre in the focal plane [px]."""

    number: int
    size: int
    centre_x: float
    centre_y: float

    @property
    def raw_shape(self) -> tuple[int, int]:
        """Rows and columns of a raw array."""
        return self.size, self.size + OVERSCAN * len(AMPLIFIERS)

    def amplifier_columns(self, amplifier: int) -> slice:
        """Light-sensitive columns of an amplifier (0, 1)."""
        half = self.size // 2
        return slice(amplifier * half, (amplifier + 1) * half)

    def overscan_columns(self, amplifier: int) -> slice:
        """Overscan columns of an amplifier (0, 1)."""
        start = self.size + amplifier * OVERSCAN
        return slice(start, start + OVERSCAN)


def detectors(side: int, size: int) -> tuple[Detector, ...]:
    """Return ``side`` x ``side`` detectors of ``size`` pixels, centred on the boresight."""
    if side < 1 or size < 64 or size % 2:
        raise ConfigurationError(
            f"a camera of {side} x {side} detectors of {size} px cannot be built; "
            "give at least one detector and an even size of at least 64 px"
        )
    pitch = size + GAP
    offsets = (np.arange(side) - (side - 1) / 2) * pitch
    return tuple(
        Detector(row * side + column, size, float(offsets[column]), float(offsets[row]))
        for row in range(side)
        for column in range(side)
    )


def sky_rate(band: str) -> float:
    """Dark sky at airmass 1 [electron/s/px]."""
    f = FILTERS[band]
    return float(10 ** (0.4 * (f.zero_point - f.sky)) * PIXEL_SCALE**2)


def flux_sigma(band: str, fwhm: float = 0.7) -> float:
    """Error of a faint point source's PSF flux in one visit [nJy].

    ``fwhm`` in arcsec, before the pixel; dark sky, airmass 1. The effective area of a Gaussian is
    2.266 FWHM^2; the wings of a Kolmogorov profile and the pixel add four tenths.
    """
    f = FILTERS[band]
    time = SNAPS * SNAP_TIME
    area = 2.266 * 1.4 * (fwhm / PIXEL_SCALE) ** 2
    variance = area * (sky_rate(band) * time + SNAPS * AMPLIFIERS[0].read_noise ** 2)
    return float(np.sqrt(variance) / (time * 10 ** (0.4 * (f.zero_point - AB_ZERO))))


def band_index(band: str) -> int:
    """Position of a band in ugrizy."""
    return BANDS.index(band)
