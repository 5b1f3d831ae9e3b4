"""Cosmic rays, and one visit out of its snaps (DPDD section 4 step 1; DIA-07).

A cosmic ray is what only one of two snaps has and what is sharper than the PSF: a flare lasting
seconds must not go with them.
"""

from dataclasses import dataclass

import numpy as np

from processing import cosmics
from processing.exposure import FloatImage, Mask, MaskImage
from processing.isr import Snap, interpolate


@dataclass(frozen=True)
class Combined:
    """All snaps of a visit added up, shape (ny, nx) [electron].

    The variance is ``noise`` + ``light_weight`` * light / ``flat``, with the light from a smooth
    model; ``light_weight`` is above 1 where only one snap could be used. ``noise`` holds the
    noise of the master frames, ``difference_noise`` does not: it cancels.
    """

    image: FloatImage
    noise: FloatImage
    light_weight: FloatImage
    flat: FloatImage
    flat_variance: float
    mask: MaskImage
    difference: FloatImage | None  # second snap minus first
    difference_noise: FloatImage | None
    exposure_time: float
    snap_time: float


def combine(snaps: list[Snap], fwhm: float) -> Combined:
    """Find cosmic rays and add the snaps.

    A pixel hit in one snap takes its value from the other one; it is flagged CR all the same.
    Pixels hit in both, or in a visit's only snap, and defects are interpolated.

    Parameters
    ----------
    snaps : list of Snap
        One or two, of one shape.
    fwhm : float
        Width of the PSF [pixel], to a tenth or so; what is sharper is no star.
    """
    if len(snaps) == 1:
        return _single(snaps[0], fwhm)
    first, second = snaps
    hits = cosmics.in_two(first, second, fwhm)
    total_time = first.exposure_time + second.exposure_time
    image = first.image + second.image
    # The master frames' errors are the same in both and add up, not their squares.
    common = (np.sqrt(first.common) + np.sqrt(second.common)) ** 2
    noise = first.noise + second.noise + common
    weight = np.ones(image.shape, dtype=np.float32)
    mask = first.mask | second.mask
    for hit, other in ((hits[0] & ~hits[1], second), (hits[1] & ~hits[0], first)):
        ratio = np.float32(total_time / other.exposure_time)
        image[hit] = ratio * other.image[hit]
        noise[hit] = ratio**2 * (other.noise[hit] + other.common[hit])
        weight[hit] = ratio
    mask[hits[0] | hits[1]] |= int(Mask.CR)
    lost = np.zeros_like(mask)
    lost[hits[0] & hits[1]] = int(Mask.CR)
    lost |= mask & int(Mask.BAD)
    interpolate(image, lost, Mask.CR | Mask.BAD)
    mask |= lost & int(Mask.INTRP)
    return Combined(
        image=image,
        noise=noise,
        light_weight=weight,
        flat=first.flat,
        flat_variance=first.flat_variance,
        mask=mask,
        difference=second.image - first.image,
        difference_noise=first.noise + second.noise,
        exposure_time=total_time,
        snap_time=total_time / 2,
    )


def light_variance(
    image: FloatImage, background: FloatImage, flat: FloatImage, spread: FloatImage
) -> FloatImage:
    """Poisson variance [electron²] of background and sources, from a model of the light.

    The noisy pixel itself would give low pixels a high weight and bias every fit; so sources
    enter smoothed, and only where they stand above the noise of the smoothed image.

    Parameters
    ----------
    image : array, shape (ny, nx) [electron]
        Less the background.
    background : array [electron]
    flat : array
    spread : array [electron]
        Standard deviation of an empty pixel.
    """
    sources = cosmics.local_quadratic(image)
    # The smoothed noise is 0.39 of a pixel's (27/175 is the kernel's sum of squares).
    sources = np.where(sources > 3 * 0.393 * spread, sources, np.float32(0))
    variance: FloatImage = (np.maximum(background, 0) + sources) / flat
    return variance


def _single(snap: Snap, fwhm: float) -> Combined:
    image, mask = snap.image.copy(), snap.mask.copy()
    hit = cosmics.in_one(snap, fwhm)
    mask[hit] |= int(Mask.CR)
    interpolate(image, mask, Mask.CR | Mask.BAD)
    return Combined(
        image=image,
        noise=snap.noise + snap.common,
        light_weight=np.ones(image.shape, dtype=np.float32),
        flat=snap.flat,
        flat_variance=snap.flat_variance,
        mask=mask,
        difference=None,
        difference_noise=None,
        exposure_time=snap.exposure_time,
        snap_time=snap.exposure_time,
    )
