"""Footprints: connected regions of a score image beyond the threshold, and the peaks in them.

Positive and negative regions are grown and merged, so that the two lobes of a dipole are one
footprint. DIA-01, DIA-08, DIA-09; design section 9.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.signal import fftconvolve

from processing.exposure import FloatImage

FloatArray = NDArray[np.float64]
_GROW = 2  # pixels by which footprints are grown before they are merged
_MODEL_ERROR = 0.05  # of a peak's score: PSF errors make side peaks of bright sources


@dataclass(frozen=True)
class Peak:
    """An extremum of the score image at pixel (x, y); ``score`` has the sign of the change."""

    x: int
    y: int
    score: float


@dataclass(frozen=True)
class Footprint:
    """A region and its independent peaks, strongest first.

    ``box`` are the slices (rows, columns) that enclose it, ``inside`` marks its pixels there.
    """

    box: tuple[slice, slice]
    inside: NDArray[np.bool_]
    peaks: tuple[Peak, ...]


def find_footprints(
    score: FloatImage, good: NDArray[np.bool_], psf: FloatArray, threshold: float
) -> list[Footprint]:
    """Find regions with ``abs(score) >= threshold``.

    Parameters
    ----------
    score : array, shape (ny, nx)
        Signal-to-noise of a point source at each pixel.
    good : array of bool, shape (ny, nx)
        A peak on a pixel that is not good does not count.
    psf : array, shape (n, n)
        PSF of the difference image: a point source's score has the shape of its autocorrelation,
        which tells side peaks from sources of their own.
    threshold : float
        ``transSNR``; 5 in the DPDD.

    Returns
    -------
    list of Footprint
        Ordered by position; each has at least one peak.
    """
    strong = np.abs(score) >= threshold
    if not strong.any():
        return []
    disk = np.hypot(*np.mgrid[-_GROW : _GROW + 1, -_GROW : _GROW + 1]) <= _GROW
    grown = ndimage.binary_dilation(strong, disk)
    labels, n_labels = ndimage.label(grown, structure=np.ones((3, 3)))
    size = np.abs(score)
    top = (size == ndimage.maximum_filter(size, size=3)) & strong & good
    rows, columns = np.nonzero(top)
    owner = labels[rows, columns]
    order = np.lexsort((-size[rows, columns], owner))
    rows, columns, owner = rows[order], columns[order], owner[order]
    bounds = np.searchsorted(owner, np.arange(1, n_labels + 2))
    pattern = fftconvolve(psf, psf[::-1, ::-1], mode="full")
    pattern /= pattern.max()
    found = []
    for index, box in enumerate(ndimage.find_objects(labels)):
        mine = slice(bounds[index], bounds[index + 1])
        peaks = _independent(
            [
                Peak(int(x), int(y), float(score[y, x]))
                for x, y in zip(columns[mine], rows[mine], strict=True)
            ],
            pattern,
            threshold,
        )
        if peaks:
            found.append(Footprint(box, labels[box] == index + 1, peaks))
    return found


def _independent(peaks: list[Peak], pattern: FloatArray, threshold: float) -> tuple[Peak, ...]:
    """Keep peaks that the stronger ones, spread over their pattern, do not explain."""
    half = pattern.shape[0] // 2
    kept: list[Peak] = []
    # A footprint of many peaks is a failed subtraction, not a blend; a few say enough.
    for peak in peaks[:200]:
        expected = margin = 0.0
        for other in kept:
            dx, dy = peak.x - other.x, peak.y - other.y
            if abs(dx) <= half and abs(dy) <= half:
                share = other.score * pattern[half + dy, half + dx]
                expected += share
                margin += abs(share)
            # Wings beyond the stamp, and errors of the PSF, fall off with the distance.
            distance = max(1.0, float(np.hypot(dx, dy)))
            margin += abs(other.score) / distance**2
        if abs(peak.score - expected) >= threshold + _MODEL_ERROR * margin or not kept:
            kept.append(peak)
    return tuple(kept)
