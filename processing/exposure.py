"""An image with everything known about it: pixels, variance, mask, WCS, PSF, visit.

One class serves raw-corrected snaps, processed visit images (PVI), templates and difference
images; ``unit`` says what a pixel counts. DPDD section 2.2, GEN-10..12.
"""

from dataclasses import dataclass, field
from enum import IntFlag
from typing import Any, Protocol

import numpy as np
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray

FloatImage = NDArray[np.float32]
MaskImage = NDArray[np.int32]


class Mask(IntFlag):
    """Mask planes: one bit a reason (DPDD section 2.2; design section 9)."""

    BAD = 1 << 0  # defect of the detector: dead or hot pixel, bad column
    SAT = 1 << 1  # saturated, or bled into
    CR = 1 << 2  # hit by a cosmic ray
    EDGE = 1 << 3  # too near the border for a full kernel
    NO_DATA = 1 << 4  # no valid input at all
    INTRP = 1 << 5  # value was interpolated from its neighbours
    DETECTED = 1 << 6  # part of a positive footprint
    DETECTED_NEGATIVE = 1 << 7  # part of a negative footprint
    STREAK = 1 << 8  # satellite trail
    NOT_DEBLENDED = 1 << 9  # footprint too large or crowded to deblend
    HIGH_VARIANCE = 1 << 10  # variance far above its surroundings
    INJECTED = 1 << 11  # a fake source was put here


# A pixel with any of these carries no usable flux.
UNUSABLE = Mask.BAD | Mask.SAT | Mask.CR | Mask.EDGE | Mask.NO_DATA | Mask.STREAK


class Psf(Protocol):
    """A point-spread function that varies over the detector."""

    def image(self, x: float, y: float) -> NDArray[np.float64]:
        """Return the PSF at detector position (x, y), shape (n, n) with n odd.

        It is centred exactly on the middle pixel of the stamp and sampled on the detector's
        pixels. A star's light to infinity is 1: the stamp sums to less where wings lie beyond.
        """
        ...


@dataclass(frozen=True)
class VisitInfo:
    """What is known of a visit on one detector before its pixels are looked at.

    Ids follow :mod:`skyledger.ids`. Times are MJD (TAI) in days, angles degrees.
    """

    instrument: str
    visit_id: int
    ccd_visit_id: int
    detector: int
    band: str  # one of ugrizy
    filter_name: str  # the observatory's own name
    program_id: str
    mid_tai: float  # mid-exposure at the detector's centre
    mid_tai_dx: float  # days per pixel along x: shutter or drift scan (L1DB-09)
    mid_tai_dy: float  # days per pixel along y
    exposure_time: float  # seconds, all snaps together
    n_snaps: int
    airmass: float
    boresight_ra: float
    boresight_decl: float
    rotation: float  # position angle of the detector's +y, North through East
    is_template: bool  # belongs to the template season
    dark_share: float = 0.0  # of the time from opening to the last closing: between the snaps
    zenith_bearing: float | None = None  # degrees, North through East; None if the site is unknown

    def mid_tai_at(
        self, x: NDArray[np.float64], y: NDArray[np.float64], shape: tuple[int, int]
    ) -> NDArray[np.float64]:
        """Mid-exposure time (MJD TAI) at pixel positions of a detector of ``shape`` (ny, nx)."""
        centre_y, centre_x = (shape[0] - 1) / 2, (shape[1] - 1) / 2
        return self.mid_tai + self.mid_tai_dx * (x - centre_x) + self.mid_tai_dy * (y - centre_y)


@dataclass
class Exposure:
    """An image, shape (ny, nx), with its variance, mask, geometry and PSF.

    ``image`` is in ``unit``, ``variance`` in ``unit`` squared. Calibrated images are in nJy;
    ``electrons_per_unit`` turns them back into electrons for Poisson noise. Pixel (0, 0) is the
    centre of the first pixel; ``wcs`` is used with origin 0.

    ``variance`` is the power of the noise at low frequencies, per pixel. Where interpolation or a
    filter has correlated the pixels, ``noise`` (n, n), n odd, has the covariance of two pixels by
    their distance, as a share of ``variance``; it sums to 1. None is white noise.
    """

    image: FloatImage
    variance: FloatImage
    mask: MaskImage
    unit: str  # "adu", "electron" or "nJy"
    visit: VisitInfo
    wcs: WCS
    psf: Psf | None = None
    electrons_per_unit: float = 1.0
    # Numbers that describe the image and end up in the ccdVisit row and the FITS header, by the
    # dictionary's column names: zeroPoint, zeroPointRelErr, seeing, skyBg, skyNoise, ...
    quality: dict[str, Any] = field(default_factory=dict)
    noise: NDArray[np.float64] | None = None
    refraction: Table | None = None  # of a template: its stars (processing.refraction)

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx)."""
        return self.image.shape[0], self.image.shape[1]

    def usable(self) -> NDArray[np.bool_]:
        """Pixels that carry usable flux, shape (ny, nx)."""
        usable: NDArray[np.bool_] = (self.mask & int(UNUSABLE)) == 0
        return usable
