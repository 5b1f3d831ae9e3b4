"""The zero point of a visit image (GEN-10, GEN-15; DPDD section 2.3)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyledger.errors import DataRejectedError

FloatArray = NDArray[np.float64]

_MIN_STARS = 3
_MIN_SNR = 20.0
_FLOOR = 0.013  # of a star's flux: what unseen companions do to it and to the PSF
_ANYWHERE = 0.5  # density of the logarithm for a star that varies or is blended
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

    The stars that agree best among themselves are sought; those beyond 3 standard deviations
    (variables, blends) are left out. The scatter that the errors do not explain is added to them,
    so that a few bright stars do not rule.

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
    known = np.isfinite(reference) & np.isfinite(reference_err) & (reference > 0)
    good = np.flatnonzero(
        known & (flux > _MIN_SNR * flux_err) & (reference > _MIN_SNR * reference_err)
    )
    if len(good) < _MIN_STARS:
        raise DataRejectedError(
            f"{name}: {len(good)} reference stars with S/N above {_MIN_SNR:.0f} on good pixels, "
            f"{_MIN_STARS} are needed for the zero point. Look at the frame: clouds?"
        )
    ratio = np.log(reference[good] / flux[good])
    error = np.hypot(flux_err[good] / flux[good], reference_err[good] / reference[good])
    middle = _where_most_agree(ratio, error)
    keep = np.abs(ratio - middle) < np.maximum(3 * error, _SURE)
    for _ in range(10):
        if keep.sum() < _MIN_STARS:
            break
        intrinsic = _intrinsic(ratio[keep], error[keep])
        weight = keep / (error**2 + intrinsic**2)
        middle = float((weight * ratio).sum() / weight.sum())
        new = np.abs(ratio - middle) < np.maximum(3 * np.hypot(error, intrinsic), _SURE)
        if (new == keep).all():
            break
        keep = new
    if keep.sum() < _MIN_STARS:
        raise DataRejectedError(
            f"{name}: only {int(keep.sum())} of {len(good)} reference stars agree on a zero point, "
            f"{_MIN_STARS} are needed. Look at the frame and the reference catalogue"
        )
    intrinsic = _intrinsic(ratio[keep], error[keep])
    weight = keep / np.hypot(error, intrinsic) ** 2
    mean = float((weight * ratio).sum() / weight.sum())
    deviation = ratio[keep] - mean
    scatter = float(np.sqrt(np.mean(deviation**2)))
    chi2 = float((weight[keep] * deviation**2).sum()) / (keep.sum() - 1)
    # Errors that are stated too large are not believed to be small by chance.
    formal = np.sqrt(max(chi2, 1.0) / weight.sum())
    return ZeroPoint(
        flux_scale=float(np.exp(mean)),
        relative_error=float(np.hypot(formal, _FLOOR / np.sqrt(keep.sum()))),
        scatter=scatter,
        used=good[keep],
    )


def _where_most_agree(ratio: FloatArray, error: FloatArray) -> float:
    """Zero point (a logarithm) of highest likelihood if some stars are anything but steady.

    A star agrees with its error, or lies anywhere within a magnitude; half of them may.
    """
    spread = np.hypot(error, _SURE / 3)
    pull = (ratio[None, :] - ratio[:, None]) / spread[None, :]
    agree = np.exp(-0.5 * pull**2) / (spread[None, :] * np.sqrt(2 * np.pi))
    likelihood = np.log(0.5 * agree + 0.5 * _ANYWHERE).sum(axis=1)
    return float(ratio[int(likelihood.argmax())])


def _intrinsic(ratio: FloatArray, error: FloatArray) -> float:
    """Scatter beyond the errors: the root of chi-square = n - 1, by bisection."""
    low, high = 0.0, 2 * float(np.ptp(ratio)) + 1e-6
    for _ in range(40):
        middle = (low + high) / 2
        weight = 1 / (error**2 + middle**2)
        mean = (weight * ratio).sum() / weight.sum()
        more = (weight * (ratio - mean) ** 2).sum() > len(ratio) - 1
        low, high = (middle, high) if more else (low, middle)
    return high
