"""Visits brought to one point-spread function before they are averaged.

The PSF of a plain average jumps where the number of visits changes, by a percent of a star's light:
more than a difference forgives. So each visit is first convolved with the kernel P0 / P, from the
models of its PSF P and of the common one P0: no star is needed. What a template adds to the noise
of a difference does not depend on the choice of P0, since the matching kernel undoes it. It is
about the median, so that neither visits nor template need much sharpening. GEN-12, DIA-03; design
section 9.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from processing.exposure import Psf
from processing.kernel import spectrum
from processing.psf import fwhm
from processing.tiles import convolved, stamp_of

FloatArray = NDArray[np.float64]
_QUANTILE = 0.5  # of the visits' widths
_SOFTER = 0.5  # pixels: Gaussian that P0 is smoothed with, against ringing
_FLOOR = 1e-2  # of the PSF's transform, below which it is noise and would ring
_WIDEST = 1.3  # times the width of P0: wider visits cannot be brought to it
_LAST = 1e4  # times their share of noise that such visits count as: where there is no other
_REACH = 32  # pixels that a kernel reaches
_SIZE = 128  # pixels a side on which kernels are made: more than the reach and both PSFs


def common_psf(stamps: Sequence[FloatArray]) -> FloatArray:
    """Choose the PSF of an average of visits.

    Parameters
    ----------
    stamps : sequence of arrays, shape (n, n), n odd
        PSF of each visit on the pixels of the average.

    Returns
    -------
    array, shape (n, n)
        Round, from the visit of median width, of two the sharper, whose sum it keeps.
    """
    width = np.array([fwhm(stamp) for stamp in stamps])
    wanted = np.quantile(width, _QUANTILE, method="lower")
    model = stamps[int(np.flatnonzero(width == wanted)[0])]
    turned = [np.rot90(model, k) for k in range(4)]
    model = np.mean([*turned, *(t.T for t in turned)], axis=0)
    return np.asarray(gaussian_filter(np.pad(model, 2), _SOFTER))


class Matcher:
    """Convolution of images to the PSF ``target``."""

    def __init__(self, target: FloatArray) -> None:
        self._target = spectrum(target, _SIZE)
        self._widest = _WIDEST * fwhm(target)
        self.width = fwhm(target) / 2.3548  # Gaussian width of the target [pixel]

    def _kernel(self, stamp: FloatArray) -> NDArray[np.complex64]:
        psf = spectrum(stamp, _SIZE)
        kernel = self._target * np.conj(psf) / (np.abs(psf) ** 2 + np.float32(_FLOOR**2))
        return np.asarray(kernel / kernel[0, 0].real)

    def convolve(self, image: NDArray[np.float32], psf: Psf) -> NDArray[np.float32]:
        """Image, without holes, with the PSF of the target."""

        def kernel(x: float, y: float) -> FloatArray:
            return stamp_of(self._kernel(psf.image(x, y)), _SIZE, _REACH)

        return convolved(image, (image.shape[0], image.shape[1]), _REACH, kernel)

    def noise(self, before: FloatArray, stamp: FloatArray) -> FloatArray:
        """Correlation of noise, of sum 1, after the kernel for a PSF; ``before``: until then."""
        power = np.abs(self._kernel(stamp)) ** 2 * spectrum(before, _SIZE)
        out = stamp_of(power, _SIZE, before.shape[0] // 2)
        return np.asarray(out / out.sum())

    def cost(self, stamp: FloatArray) -> float:
        """Noise that a visit of a PSF has after its kernel, where point sources feel it.

        In units of its sky noise: the power under the transform of the target. A visit too wide
        for the target costs so much that it counts only where there is no other.
        """
        light = np.abs(self._target) ** 2
        cost = float(np.sum(light * np.abs(self._kernel(stamp)) ** 2) / np.sum(light))
        return cost if fwhm(stamp) <= self._widest else _LAST * cost
