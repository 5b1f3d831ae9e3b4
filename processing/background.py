"""The sky background (GEN-10; DPDD section 2.6)."""

import numpy as np
import sep
from numpy.typing import NDArray
from scipy import ndimage

from processing.exposure import UNUSABLE, FloatImage, MaskImage

_CELL = 64  # pixels: larger than any star or galaxy that is to stay


def estimate(image: FloatImage, mask: MaskImage) -> FloatImage:
    """Smooth background in the image's unit, shape (ny, nx).

    The mode of cells of 64 pixels, a bicubic spline through them; a second pass leaves out all
    that the first one found, grown by 3 pixels, because the wings of faint galaxies would raise
    the mode.
    """
    image = np.ascontiguousarray(image)
    bad = (mask & int(UNUSABLE)) != 0
    first = sep.Background(image, mask=bad, bw=_CELL, bh=_CELL, fw=3, fh=3)
    found = sources(image - first.back(), float(first.globalrms), bad)
    if (bad | found).mean() > 0.9:
        found = np.zeros_like(bad)  # too crowded to mask: the clipped mode must do
    second = sep.Background(image, mask=bad | found, bw=_CELL, bh=_CELL, fw=3, fh=3)
    back: FloatImage = second.back()
    return back


def sources(image: FloatImage, noise: float, bad: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of anything that a smoothed image shows at 3 standard deviations, grown by 3."""
    smooth = ndimage.gaussian_filter(np.where(bad, np.float32(0), image), 1.5)
    # White noise smoothed by a Gaussian s has 1 / (2 s sqrt(pi)) of its spread.
    above = smooth > 3 * noise / (2 * 1.5 * np.sqrt(np.pi))
    labels, count = ndimage.label(above)
    large = np.bincount(labels.ravel(), minlength=count + 1) >= 5
    large[0] = False
    grown: NDArray[np.bool_] = ndimage.binary_dilation(large[labels], iterations=3)
    return grown
