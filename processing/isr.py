"""Removal of the instrument's signature from one snap (DPDD section 4 step 1; DIA-07)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processing import fringes
from processing.calibration_frames import DetectorCalibration, gain_map, noise_map, trim
from processing.exposure import FloatImage, Mask, MaskImage, VisitInfo
from processing.raw import RawImage
from processing.resampling import filled
from processing.sampling import median
from skyledger.errors import DataRejectedError

_GAIN_OFF = 0.02  # a gain may differ from that of the calibration frames by this much
_DEAD = 0.2  # of the brightest amplifier's sky
_STEP = 0.15  # of the sky from one amplifier to the other
_SEEN = 10.0  # electrons of sky by which amplifiers can be compared
_SATURATED = 0.99  # of the full well: charge starts to bleed


@dataclass(frozen=True)
class Snap:
    """A snap without the signature of the instrument, shape (ny, nx).

    ``noise`` is the variance [electron**2] of everything but the light: read-out and dark current.
    The light's own is image / flat, from a smooth model of the light (see
    :func:`processing.snaps.light_variance`). ``common`` is that of the master frames, the same
    error in every snap; ``flat_variance`` the relative one of the flat.
    """

    image: FloatImage  # electrons, flat
    noise: FloatImage  # electrons**2
    common: FloatImage  # electrons**2
    flat: FloatImage
    mask: MaskImage
    flat_variance: float
    exposure_time: float  # seconds


def correct(raw: RawImage, calibration: DetectorCalibration, visit: VisitInfo) -> Snap:
    """Subtract overscan, bias and dark, divide by the flat, turn counts into electrons.

    Crosstalk, non-linearity and fringes go where the calibration frames tell of them. Saturated
    pixels and their neighbours along the column get SAT, defects BAD, pixels that are not finite,
    have no response or belong to a dead amplifier NO_DATA.

    Raises
    ------
    DataRejectedError
        If the calibration frames have another shape or gain, there is no flat in the visit's
        band, or the amplifiers disagree about the sky.
    """
    if raw.shape != calibration.bias.shape:
        raise DataRejectedError(
            f"visit {visit.visit_id} detector {visit.detector} has shape {raw.shape}, its "
            f"calibration frames {calibration.bias.shape}; use those of the same camera"
        )
    flat = calibration.flat(visit.band, visit)
    gain = gain_map(raw)
    counts = trim(raw)
    readout = calibration.readout
    for k, (amplifier, expected) in enumerate(zip(raw.amplifiers, readout.gains, strict=True)):
        if abs(amplifier.gain / expected - 1) > _GAIN_OFF:
            raise DataRejectedError(
                f"visit {visit.visit_id} detector {visit.detector}: amplifier {k + 1} has gain "
                f"{amplifier.gain} electron/adu, in the calibration frames {expected}; they may "
                f"differ by {100 * _GAIN_OFF:.0f} %. Correct the header"
            )
    electrons = readout.apply((counts - calibration.bias) * gain, raw.amplifiers)
    time = np.float32(raw.exposure_time)
    image = np.asarray((electrons - calibration.dark * time) / flat, dtype=np.float32)
    saturated = np.zeros(raw.shape, dtype=bool)
    for amplifier in raw.amplifiers:
        saturated[amplifier.data] = raw.counts[amplifier.data] >= raw.saturation
    noise = (noise_map(raw) ** 2 + np.maximum(calibration.dark, 0) * time) / flat**2
    saturated |= electrons >= _SATURATED * raw.full_well
    mask = np.zeros(raw.shape, dtype=np.int32)
    mask[_with_bleed(saturated)] |= int(Mask.SAT)
    mask[calibration.defects] |= int(Mask.BAD)
    dead = ~np.isfinite(image) | (flat <= 0)
    dead |= calibration.dead | _blind(image, raw, visit)
    mask[dead] |= int(Mask.NO_DATA)
    image[dead], noise[dead] = 0, median(noise)
    if visit.band in calibration.fringes:
        image = fringes.remove(image, calibration.fringes[visit.band], mask != 0)
        image[dead] = 0
    return Snap(
        image=image.astype(np.float32),
        noise=noise.astype(np.float32),
        common=calibration.noise_of_masters(raw.exposure_time) / flat**2,
        flat_variance=calibration.flat_variance[visit.band],
        flat=flat,
        mask=mask,
        exposure_time=raw.exposure_time,
    )


def _blind(image: FloatImage, raw: RawImage, visit: VisitInfo) -> NDArray[np.bool_]:
    """Pixels of amplifiers that show no sky where the others do.

    Raises DataRejectedError if amplifiers show different skies: a wrong gain or flat.
    """
    blind = np.zeros(raw.shape, dtype=bool)
    levels = np.array([median(image[a.data]) for a in raw.amplifiers])
    spread = max(a.read_noise for a in raw.amplifiers)
    if levels.max() < max(_SEEN, 0.5 * spread):
        return blind  # no sky to tell by
    for amplifier, level in zip(raw.amplifiers, levels, strict=True):
        if level < _DEAD * levels.max():
            blind[amplifier.data] = True
    alive = levels[levels >= _DEAD * levels.max()]
    if np.ptp(alive) > _STEP * alive.mean() + 2:
        raise DataRejectedError(
            f"visit {visit.visit_id} detector {visit.detector}: its amplifiers show skies of "
            f"{', '.join(f'{level:.0f}' for level in levels)} electrons, they may differ by "
            f"{100 * _STEP:.0f} %: a wrong gain, or flats of another detector"
        )
    return blind


def interpolate(image: FloatImage, mask: MaskImage, planes: Mask) -> None:
    """Fill the pixels of some mask planes from their neighbours, in place, and flag them INTRP.

    They continue their surroundings (:func:`processing.resampling.filled`).
    """
    hole = (mask & int(planes)) != 0
    image[hole] = filled(image, hole)[hole]
    mask[hole] |= int(Mask.INTRP)


def _with_bleed(saturated: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Add the partly filled ends of a trail and the pixels beside it."""
    grown = np.zeros_like(saturated)
    ny, nx = saturated.shape
    rows, columns = np.nonzero(saturated)
    for dy in range(-2, 3):
        for dx in (-1, 0, 1):
            grown[np.clip(rows + dy, 0, ny - 1), np.clip(columns + dx, 0, nx - 1)] = True
    return grown
