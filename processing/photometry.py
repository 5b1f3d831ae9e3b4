"""The zero point of a visit image (GEN-10, GEN-15; DPDD section 2.3)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyledger.errors import DataRejectedError

FloatArray = NDArray[np.float64]

_MIN_STARS = 3
_MIN_SNR = 20.0
_SURE = 0.02  # a star differing by less than this is never called variable


@dataclass(frozen=True)
class ZeroPoint:
    """Flux of a source that yields one electron during the visit.

    ``flux_scale`` [nJy / electron] holds for PSF fluxes; ``relative_error`` is the standard error
    as a fraction; ``used`` indexes the pairs.
    """

    flux_scale: float
    relative_error: float
    scatter: float
    used: NDArray[np.int64]


def zero_point(
    flux: FloatArray,
    flux_err: FloatArray,
    reference: FloatArray,
    reference_err: FloatArray,
    name: str,
) -> ZeroPoint:
    """Weighted mean of the logarithm of reference over measured flux.

    Stars beyond 3 standard deviations (variables, blends) are left out; the scatter that the
    errors do not explain is added to them, so that a few bright stars do not rule.

    Parameters
    ----------
    flux, flux_err : array, shape (n,) [electron]
        PSF fluxes of the whole visit.
    reference, reference_err : array, shape (n,) [nJy]
    name : str
        Of the visit, for the error.

    Raises
    ------
    DataRejectedError
        If fewer than 3 stars have S/N above 20.
    """
    good = np.flatnonzero((flux > _MIN_SNR * flux_err) & (reference > _MIN_SNR * reference_err))
    if len(good) < _MIN_STARS:
        raise DataRejectedError(
            f"{name}: {len(good)} reference stars with S/N above {_MIN_SNR:.0f} on good pixels, "
            f"{_MIN_STARS} are needed for the zero point. Look at the frame: clouds?"
        )
    ratio = np.log(reference[good] / flux[good])
    error = np.hypot(flux_err[good] / flux[good], reference_err[good] / reference[good])
    keep = np.ones(len(good), dtype=bool)
    intrinsic = 0.0
    for _ in range(10):
        middle = float(np.median(ratio[keep]))
        spread = 1.4826 * float(np.median(np.abs(ratio[keep] - middle)))
        intrinsic = np.sqrt(max(spread**2 - float(np.median(error[keep])) ** 2, 1e-6))
        limit = np.maximum(3 * np.hypot(error, intrinsic), _SURE)
        new = np.abs(ratio - middle) < limit
        if (new == keep).all():
            break
        keep = new
    if keep.sum() < _MIN_STARS:
        raise DataRejectedError(
            f"{name}: only {int(keep.sum())} of {len(good)} reference stars agree on a zero point, "
            f"{_MIN_STARS} are needed. Look at the frame and the reference catalogue"
        )
    weight = keep / np.hypot(error, intrinsic) ** 2
    mean = float((weight * ratio).sum() / weight.sum())
    deviation = ratio[keep] - mean
    scatter = float(np.sqrt(np.mean(deviation**2)))
    formal = 1 / np.sqrt(weight.sum())
    return ZeroPoint(
        flux_scale=float(np.exp(mean)),
        relative_error=float(max(formal, scatter / np.sqrt(max(keep.sum() - 1, 1)))),
        scatter=scatter,
        used=good[keep],
    )
