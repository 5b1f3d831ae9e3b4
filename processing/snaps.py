"""Cosmic rays, and one visit out of its snaps (DPDD section 4 step 1; DIA-07).

A cosmic ray is what only one of two snaps has and what is sharper than the PSF: a flare lasting
seconds must not go with them.
"""

from dataclasses import dataclass

import astroscrappy
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from processing.exposure import FloatImage, Mask, MaskImage
from processing.isr import Snap, interpolate

BoolImage = NDArray[np.bool_]

_SEED = 5.0  # standard deviations of the snap difference: a cosmic ray begins
_GROW = 2.0  # and goes on
_SHARPER = 3.0  # standard deviations by which a seed is sharper than the PSF
_MISMATCH = 0.03  # of a star's light may move between pixels from one snap to the next


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
    hits = _hits(first, second, fwhm)
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


def local_quadratic(image: FloatImage) -> FloatImage:
    """Smooth an image without lowering its peaks: a quadratic fitted to each 5 x 5 pixels."""
    t = np.arange(-2.0, 3.0)
    y, x = np.meshgrid(t, t, indexing="ij")
    basis = np.stack([np.ones(25), *(a.ravel() for a in (x, y, x * x, x * y, y * y))], axis=1)
    kernel = np.linalg.pinv(basis)[0].reshape(5, 5)
    smooth: FloatImage = ndimage.convolve(image, kernel.astype(np.float32), mode="nearest")
    return smooth


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
    sources = local_quadratic(image)
    # The smoothed noise is 0.39 of a pixel's (27/175 is the kernel's sum of squares).
    sources = np.where(sources > 3 * 0.393 * spread, sources, np.float32(0))
    variance: FloatImage = (np.maximum(background, 0) + sources) / flat
    return variance


def _hits(first: Snap, second: Snap, fwhm: float) -> tuple[BoolImage, BoolImage]:
    difference = first.image - second.image * np.float32(first.exposure_time / second.exposure_time)
    usable = ((first.mask | second.mask) & int(Mask.SAT | Mask.BAD | Mask.NO_DATA)) == 0
    difference -= np.float32(np.median(difference[usable])) if usable.any() else np.float32(0)
    difference[~usable] = 0
    # What both snaps have is light; the lower of two equal noises is 0.56 standard deviations low.
    both = local_quadratic(np.minimum(first.image, second.image))
    sky = np.median(both)
    light = np.maximum(both, 0.5 * sky) / first.flat
    mismatch = (_MISMATCH * np.maximum(both - sky, 0)) ** 2
    spread = np.sqrt(first.noise + second.noise + 2 * np.maximum(light, 0) + mismatch)
    return _sharp(difference, spread, fwhm), _sharp(-difference, spread, fwhm)


def _sharp(difference: FloatImage, spread: FloatImage, fwhm: float) -> BoolImage:
    """Pixels of positive spots that are sharper than the PSF, and what hangs on to them.

    For any log-concave PSF of Gaussian core the mean of two opposite neighbours is at least
    exp(-4 ln 2 d² / fwhm²) of the pixel between them, d their distance.
    """
    seed = np.zeros(difference.shape, dtype=bool)
    bright = difference > _SEED * spread
    if not bright.any():
        return seed
    rows, columns = np.nonzero(bright)
    padded = np.pad(difference, 1, mode="edge")
    value, error = difference[bright], spread[bright]
    sharp = np.zeros(value.shape, dtype=bool)
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        mean = 0.5 * (
            padded[rows + 1 + dy, columns + 1 + dx] + padded[rows + 1 - dy, columns + 1 - dx]
        )
        ratio = np.exp(-4 * np.log(2) * (dy * dy + dx * dx) / fwhm**2)
        sharp |= ratio * value - mean > _SHARPER * error * np.sqrt(ratio**2 + 0.5)
    seed[rows[sharp], columns[sharp]] = True
    grown: BoolImage = ndimage.binary_dilation(
        seed, np.ones((3, 3), dtype=bool), iterations=30, mask=difference > _GROW * spread
    )
    return grown | seed


def _single(snap: Snap, fwhm: float) -> Combined:
    image, mask = snap.image.copy(), snap.mask.copy()
    sky = max(float(np.median(image)), 0.0)
    hit, _ = astroscrappy.detect_cosmics(
        image,
        inmask=(mask & int(Mask.SAT | Mask.BAD | Mask.NO_DATA)) != 0,
        invar=snap.noise + np.maximum(ndimage.median_filter(image, size=5), sky) / snap.flat,
        gain=1.0,
        satlevel=np.inf,
        sigclip=5.0,
        sigfrac=0.4,
        objlim=3.0,
        niter=3,
        fsmode="convolve",
        psfmodel="gauss",
        psffwhm=fwhm,
    )
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
