"""Footprints: connected regions of a score image beyond the threshold, and the peaks in them.

Positive and negative regions are grown and merged, so that the two lobes of a dipole are one
footprint. DIA-01, DIA-08, DIA-09; design section 9.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.signal import fftconvolve

from processing.compiled import compiled
from processing.exposure import FloatImage

FloatArray = NDArray[np.float64]
_GROW = 2  # pixels by which footprints are grown before they are merged
_MODEL_ERROR = 0.05  # of a peak's score: PSF errors make side peaks of bright sources
_NEAREST = 0.9  # of a peak's height that the pixel nearest to it has at least


@dataclass(frozen=True)
class Peak:
    """An extremum of the score at pixel (x, y).

    ``score`` is its height between the pixels; it has the sign of the change.
    """

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
    """Find regions with ``abs(score) >= threshold``, at pixels or at a peak between them.

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
    rows, columns, height = find_peaks(score, good, threshold)
    strong = np.abs(score) >= threshold
    strong[rows, columns] = True
    if not strong.any():
        return []
    disk = np.hypot(*np.mgrid[-_GROW : _GROW + 1, -_GROW : _GROW + 1]) <= _GROW
    grown = ndimage.binary_dilation(strong, disk)
    labels, n_labels = ndimage.label(grown, structure=np.ones((3, 3)))
    owner = labels[rows, columns]
    order = np.lexsort((-np.abs(height), owner))
    rows, columns, height, owner = rows[order], columns[order], height[order], owner[order]
    bounds = np.searchsorted(owner, np.arange(1, n_labels + 2))
    pattern = fftconvolve(psf, psf[::-1, ::-1], mode="full")
    pattern /= pattern.max()
    found = []
    for index, box in enumerate(ndimage.find_objects(labels)):
        mine = slice(bounds[index], bounds[index + 1])
        peaks = _independent(
            [
                Peak(int(x), int(y), float(top))
                for x, y, top in zip(columns[mine], rows[mine], height[mine], strict=True)
            ],
            pattern,
            threshold,
        )
        if peaks:
            found.append(Footprint(box, labels[box] == index + 1, peaks))
    return found


def find_peaks(
    score: FloatImage, good: NDArray[np.bool_], threshold: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]:
    """Find the extrema of a score image that reach ``threshold`` between its pixels.

    A source half-way between pixels has up to a tenth less on any of them than at its place. The
    height there is that of the parabola through the 3 x 3 pixels around the largest.

    Returns
    -------
    rows, columns, height : arrays, shape (n,)
        The nearest ``good`` pixel, and the score at the extremum, with its sign.
    """
    rows, columns = np.nonzero(_tops(score, good, _NEAREST * threshold))
    ny, nx = score.shape
    height = np.empty(rows.size)
    for k, (row, column) in enumerate(zip(rows, columns, strict=True)):
        box = score[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].astype(np.float64)
        whole = 0 < row < ny - 1 and 0 < column < nx - 1 and (box != 0).all()
        height[k] = _between_pixels(box) if whole else score[row, column]
    keep = np.abs(height) >= threshold
    return rows[keep], columns[keep], height[keep]


@compiled
def _tops(score: FloatImage, good: NDArray[np.bool_], lowest: float) -> NDArray[np.bool_]:
    """Pixels farther from 0 than ``lowest`` and than their neighbours."""
    ny, nx = score.shape
    out = np.zeros((ny, nx), np.bool_)
    for i in range(ny):
        for j in range(nx):
            value = abs(score[i, j])
            if value < lowest or not good[i, j]:
                continue
            top = True
            for r in range(max(0, i - 1), min(ny, i + 2)):
                for c in range(max(0, j - 1), min(nx, j + 2)):
                    top &= abs(score[r, c]) <= value
            out[i, j] = top
    return out


def _between_pixels(box: FloatArray) -> float:
    """Height of the parabola through 3 x 3 values at its extremum, within the middle pixel."""
    middle = box[1, 1]
    slope = np.array([box[1, 2] - box[1, 0], box[2, 1] - box[0, 1]]) / 2
    xx, yy = box[1, 0] + box[1, 2] - 2 * middle, box[0, 1] + box[2, 1] - 2 * middle
    xy = (box[0, 0] + box[2, 2] - box[0, 2] - box[2, 0]) / 4
    if not xx * yy > xy**2:
        return float(middle)
    off = np.clip(-np.linalg.solve([[xx, xy], [xy, yy]], slope), -0.5, 0.5)
    return float(
        middle + slope @ off + 0.5 * (xx * off[0] ** 2 + yy * off[1] ** 2) + xy * off.prod()
    )


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
