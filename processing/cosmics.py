"""Cosmic rays in one snap or two: what is sharper than the PSF (DPDD section 4 step 1; DIA-07).

For any log-concave PSF of Gaussian core the mean of two opposite neighbours is at least
exp(-4 ln 2 d^2 / fwhm^2) of the pixel between them, d their distance. What is less is no light.
"""

import numpy as np
import sep
from numpy.typing import NDArray
from scipy import ndimage

from processing.exposure import UNUSABLE, FloatImage, Mask
from processing.isr import Snap
from processing.resampling import filled
from processing.sampling import median

BoolImage = NDArray[np.bool_]

_SEED = 5.0  # standard deviations above the surroundings: a cosmic ray begins
_GROW = 2.0  # and goes on
_SHARPER = 3.0  # standard deviations by which a seed is sharper than the PSF, of two snaps
_SHARPER_ALONE = 4.5  # of one, where every star is tried
_SHARPER_BESIDE = 1.0  # of a pixel beside a seed
_NARROWER = 0.75  # of the FWHM: the narrowest PSF on the detector; a coarse FWHM is too large
_MISMATCH = 0.03  # of a star's light may move between pixels from one snap to the next
_BLEED = 3  # pixels beside saturated ones that are not judged
_PASSES = 4
_ACROSS = ((0, 1), (1, 0), (1, 1), (1, -1))


def local_quadratic(image: FloatImage) -> FloatImage:
    """Smooth an image without lowering its peaks: a quadratic fitted to each 5 x 5 pixels."""
    t = np.arange(-2.0, 3.0)
    y, x = np.meshgrid(t, t, indexing="ij")
    basis = np.stack([np.ones(25), *(a.ravel() for a in (x, y, x * x, x * y, y * y))], axis=1)
    kernel = np.linalg.pinv(basis)[0].reshape(5, 5)
    smooth: FloatImage = ndimage.convolve(image, kernel.astype(np.float32), mode="nearest")
    return smooth


def in_two(first: Snap, second: Snap, fwhm: float) -> tuple[BoolImage, BoolImage]:
    """Find the pixels that cosmic rays hit in each of two snaps."""
    difference = first.image - second.image * np.float32(first.exposure_time / second.exposure_time)
    usable = ((first.mask | second.mask) & int(Mask.SAT | Mask.BAD | Mask.NO_DATA)) == 0
    difference -= np.float32(median(difference, usable)) if usable.any() else np.float32(0)
    difference[~usable] = 0
    # What both snaps have is light; the lower of two equal noises is 0.56 standard deviations low.
    both = local_quadratic(np.minimum(first.image, second.image))
    sky = np.float32(median(both))
    light = np.maximum(both, 0.5 * sky) / first.flat
    mismatch = (_MISMATCH * np.maximum(both - sky, 0)) ** 2
    spread = np.sqrt(first.noise + second.noise + 2 * np.maximum(light, 0) + mismatch)
    return _alone(difference, spread, fwhm), _alone(-difference, spread, fwhm)


def _alone(difference: FloatImage, spread: FloatImage, fwhm: float) -> BoolImage:
    """Pixels of positive spots that are sharper than the PSF, and what hangs on to them."""
    bright = difference > _SEED * spread
    seed = _sharp(difference, spread, bright, fwhm, _SHARPER, _ACROSS)
    return _grown(seed, difference > _GROW * spread)


def _sharp(
    value: FloatImage,
    spread: FloatImage,
    tried: BoolImage,
    fwhm: float,
    sharper: float,
    steps: tuple[tuple[int, int], ...],
) -> BoolImage:
    """Which of the pixels to be ``tried`` no PSF could make, along one of the ``steps``."""
    found = np.zeros(value.shape, dtype=bool)
    rows, columns = np.nonzero(tried)
    if rows.size == 0:
        return found
    ny, nx = value.shape
    here, error = value[tried], spread[tried]
    sharp = np.zeros(here.shape, dtype=bool)
    for dy, dx in steps:
        ahead = np.clip(rows + dy, 0, ny - 1), np.clip(columns + dx, 0, nx - 1)
        behind = np.clip(rows - dy, 0, ny - 1), np.clip(columns - dx, 0, nx - 1)
        mean = 0.5 * (value[ahead] + value[behind])
        ratio = np.exp(-4 * np.log(2) * (dy * dy + dx * dx) / fwhm**2)
        sharp |= ratio * here - mean > sharper * error * np.sqrt(ratio**2 + 0.5)
    found[rows[sharp], columns[sharp]] = True
    return found


def _grown(seed: BoolImage, on: BoolImage) -> BoolImage:
    """Add to seeds what is ``on`` and hangs on to them."""
    if not seed.any():
        return seed
    labels, count = ndimage.label(on | seed, np.ones((3, 3), dtype=bool))
    hit = np.zeros(count + 1, dtype=bool)
    hit[labels[seed]] = True
    grown: BoolImage = hit[labels]
    return grown


def in_one(snap: Snap, fwhm: float) -> BoolImage:
    """Find the pixels that cosmic rays hit in a visit's only snap.

    What is found is filled from its surroundings, and the search repeated beside it.
    """
    lost = (snap.mask & int(UNUSABLE)) != 0
    image = np.ascontiguousarray(snap.image)
    sky = sep.Background(image, mask=lost, bw=64, bh=64).back()
    value = image - sky
    fixed = snap.noise + np.maximum(sky, 0) / snap.flat
    narrow = _NARROWER * fwhm
    value[lost] = 0
    # Charge that bleeds has edges of its own.
    saturated = (snap.mask & int(Mask.SAT)) != 0
    free = ~lost & ~ndimage.binary_dilation(saturated, iterations=_BLEED)
    hit = np.zeros(value.shape, dtype=bool)
    for _ in range(_PASSES):
        spread = np.sqrt(fixed + np.maximum(value, 0) / snap.flat)
        # Beside what is lost there is nothing to compare with.
        value[lost] = np.inf
        seed = _sharp(
            value, spread, free & (value > _SEED * spread), narrow, _SHARPER_ALONE, _ACROSS
        )
        if not seed.any():
            break
        beside = free & (value > _GROW * spread)
        beside = _sharp(value, spread, beside, narrow, _SHARPER_BESIDE, _ACROSS)
        hit |= _grown(seed, beside)
        value = filled(value, hit | lost)
    return hit
