"""What an amplifier does to the charge: crosstalk, non-linearity, death; and its gain (DIA-07).

Measured from calibration frames: crosstalk from spots on one amplifier at a time, linearity from
flats of growing exposure time, the gain from the noise of pairs of flats.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processing.raw import Amplifier, RawImage
from skyledger.errors import DataRejectedError

FloatImage = NDArray[np.float32]
FloatArray = NDArray[np.float64]

_DEAD = 0.1  # of the light of the best amplifier
_BRIGHT = 0.3  # of the full well: a spot
_MAX_CROSSTALK = 0.01
_MIN_RAMP = 5  # frames of a ramp
_MAX_BEND = 0.15  # of the signal, at the full well
_MAX_RESIDUAL = 0.003  # of a straight ramp
_GAIN_OFF = 0.1  # a header's gain may differ from the noise's by this much


@dataclass(frozen=True)
class Readout:
    """Corrections of a detector's amplifiers.

    ``crosstalk[i, j]``: share of amplifier j's signal in i. ``bend[i]``: coefficients of signal
    squared [1/electron] and cubed [1/electron**2] that make amplifier i linear. ``dead``: numbers
    of the amplifiers, from 0, that see no light. ``gains`` [electron/adu] by the headers.
    """

    crosstalk: FloatArray
    bend: FloatArray
    gains: tuple[float, ...]
    dead: tuple[int, ...] = ()

    def apply(self, electrons: FloatImage, amplifiers: tuple[Amplifier, ...]) -> FloatImage:
        """Correct an image [electron, less bias], shape (ny, nx)."""
        if not self.crosstalk.any() and not self.bend.any():
            return electrons
        out = np.empty_like(electrons)
        for i, victim in enumerate(amplifiers):
            part = electrons[victim.data].copy()
            for j, source in enumerate(amplifiers):
                if self.crosstalk[i, j]:
                    part -= np.float32(self.crosstalk[i, j]) * electrons[source.data]
            square, cube = (np.float32(value) for value in self.bend[i])
            part += part * part * (square + cube * part)
            out[victim.data] = part
        return out


def plain(amplifiers: tuple[Amplifier, ...]) -> Readout:
    """Return the readout of a detector of which nothing but the gains is known."""
    count = len(amplifiers)
    return Readout(
        np.zeros((count, count)), np.zeros((count, 2)), tuple(a.gain for a in amplifiers)
    )


def dead_amplifiers(image: FloatImage, amplifiers: tuple[Amplifier, ...]) -> tuple[int, ...]:
    """Numbers of the amplifiers with less than a tenth of the light of the best."""
    levels = np.array([float(np.median(image[a.data])) for a in amplifiers])
    return tuple(int(k) for k in np.flatnonzero(levels < _DEAD * levels.max()))


def crosstalk(spots: list[tuple[RawImage, FloatImage]], name: str) -> FloatArray:
    """Shares of each amplifier's signal in the others, shape (n, n), from spots [electron].

    Raises
    ------
    DataRejectedError
        If amplifiers have different shapes, no pair was lit, or a share is above 1 %.
    """
    amplifiers = spots[0][0].amplifiers
    count = len(amplifiers)
    shapes = {tuple(s.stop - s.start for s in a.data) for a in amplifiers}
    if len(shapes) > 1:
        raise DataRejectedError(
            f"{name}: its amplifiers have shapes {sorted(shapes)}; crosstalk needs one shape. "
            "Remove the spots-*.fits"
        )
    top = np.zeros((count, count))
    bottom = np.zeros((count, count))
    for raw, image in spots:
        parts = [image[a.data] for a in amplifiers]
        for j, source in enumerate(parts):
            lit = source > _BRIGHT * raw.full_well
            for i, victim in enumerate(parts):
                quiet = lit & (victim < 0.05 * raw.full_well)
                if i == j or quiet.sum() < 100:
                    continue
                heard = victim[quiet] - np.median(victim)
                middle = np.median(heard)
                spread = 1.4826 * np.median(np.abs(heard - middle)) + 1e-3
                kept = np.abs(heard - middle) < 5 * spread
                signal = source[quiet][kept].astype(np.float64)
                top[i, j] += float((signal * heard[kept]).sum())
                bottom[i, j] += float((signal**2).sum())
    away = ~np.eye(count, dtype=bool)
    if not (bottom[away] > 0).all():
        raise DataRejectedError(
            f"{name}: the spots light not every amplifier alone; crosstalk cannot be measured. "
            "Add spots-*.fits or remove them all"
        )
    shares = np.where(away, top / np.where(away, bottom, 1), 0.0)
    if np.abs(shares).max() > _MAX_CROSSTALK:
        raise DataRejectedError(
            f"{name}: crosstalk of {np.abs(shares).max():.3g}, at most {_MAX_CROSSTALK} is "
            "believed. Look at the spots-*.fits"
        )
    return shares


def linearity(
    ramp: list[tuple[RawImage, FloatImage]], dead: tuple[int, ...], name: str
) -> FloatArray:
    """Coefficients that make each amplifier linear, shape (n, 2), from a ramp of flats [electron].

    Raises
    ------
    DataRejectedError
        If there are fewer than 5 frames below the full well, the signal bends by more than 15 %,
        or the ramp is not straight to 0.3 % afterwards (a lamp that drifts).
    """
    amplifiers = ramp[0][0].amplifiers
    bend = np.zeros((len(amplifiers), 2))
    for k, amplifier in enumerate(amplifiers):
        if k in dead:
            continue
        level = np.array([float(np.median(image[amplifier.data])) for _, image in ramp])
        time = np.array([raw.exposure_time for raw, _ in ramp])
        well = ramp[0][0].full_well
        below = (level > 0.01 * well) & (level < 0.97 * well)
        if below.sum() < _MIN_RAMP:
            raise DataRejectedError(
                f"{name}: {int(below.sum())} frames linearity-*.fits below the full well of "
                f"amplifier {k + 1}, {_MIN_RAMP} are needed. Add some"
            )
        level, time = level[below], time[below]
        design = np.column_stack([time / level, -level / well, -((level / well) ** 2)])
        rate, square, cube = np.linalg.lstsq(design, np.ones(len(level)), rcond=None)[0]
        left = np.abs(design @ [rate, square, cube] - 1).max()
        if abs(square + cube) > _MAX_BEND or left > _MAX_RESIDUAL:
            raise DataRejectedError(
                f"{name}: amplifier {k + 1} bends by {square + cube:.3f} at the full well (at most "
                f"{_MAX_BEND}) and is straight to {left:.4f} then (at most {_MAX_RESIDUAL}). Look "
                "at linearity-*.fits: does the lamp drift?"
            )
        bend[k] = square / well, cube / well**2
    return bend


def check_gain(
    amplifiers: tuple[Amplifier, ...], counts: tuple[FloatImage, ...], name: str
) -> None:
    """Compare the headers' gains with the noise of two flats of one level (photon transfer).

    ``counts`` [adu, less bias] of both. Raises DataRejectedError where they differ by more than
    10 %.
    """
    for k, amplifier in enumerate(amplifiers):
        a, b = (part[amplifier.data].astype(np.float64) for part in counts)
        level = float(np.median(a) + np.median(b)) / 2
        if level * amplifier.gain < 1000:
            continue  # dead, or too dark to tell
        difference = a - b * (np.median(a) / np.median(b))
        spread = 1.4826 * np.median(np.abs(difference - np.median(difference)))
        variance = spread**2 / 2 - (amplifier.read_noise / amplifier.gain) ** 2 - 1 / 12
        measured = level / max(variance, 1e-9)
        if abs(measured / amplifier.gain - 1) > _GAIN_OFF:
            raise DataRejectedError(
                f"{name}: amplifier {k + 1} has gain {amplifier.gain} electron/adu by its header "
                f"and {measured:.3f} by the noise of two flats; they may differ by "
                f"{100 * _GAIN_OFF:.0f} %. Correct the header, or use flats of one lamp"
            )
