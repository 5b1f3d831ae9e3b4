"""Geometric masks: the masked parts of an image as polygons on the sky (GEN-13; DPDD section 2.2).

Runs of masked pixels that repeat from row to row are one rectangle of the detector, and so a
polygon of four corners on the sky: what a query or a sky viewer can use without the pixels.
"""

import numpy as np
from astropy import units as u
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray

from processing.exposure import UNUSABLE, Exposure, Mask, MaskImage

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


def rectangles(mask: MaskImage, planes: Mask = UNUSABLE) -> IntArray:
    """Cover the pixels of some planes by rectangles that do not overlap.

    Returns
    -------
    array, shape (n, 4)
        First and last column, first and last row, pixels from 0, ends included.
    """
    hole = (mask & int(planes)) != 0
    rows, starts, ends = _runs(hole)
    # Equal runs in rows without a gap belong together.
    order = np.lexsort((rows, ends, starts))
    rows, starts, ends = rows[order], starts[order], ends[order]
    first = np.ones(len(rows), dtype=bool)
    first[1:] = (starts[1:] != starts[:-1]) | (ends[1:] != ends[:-1]) | (np.diff(rows) != 1)
    begin = np.flatnonzero(first)
    end = np.append(begin[1:], len(rows)) - 1 if len(begin) else begin
    found = np.column_stack([starts[begin], ends[begin], rows[begin], rows[end]])
    return np.asarray(found[np.lexsort((found[:, 0], found[:, 2]))], dtype=np.int64)


def _runs(hole: NDArray[np.bool_]) -> tuple[IntArray, IntArray, IntArray]:
    """Row, first and last column of every run."""
    padded = np.pad(hole, ((0, 0), (1, 1))).astype(np.int8)
    edges = np.diff(padded, axis=1)
    rows, starts = np.nonzero(edges == 1)
    _, ends = np.nonzero(edges == -1)
    return rows, starts, ends - 1


def masked_polygons(exposure: Exposure, planes: Mask = UNUSABLE) -> Table:
    """Describe the masked parts of an image on the sky.

    Returns
    -------
    Table
        ``x1``, ``x2``, ``y1``, ``y2`` [pixel, from 0, ends included]; ``ra``, ``decl`` [deg],
        shape (n, 4): corners in the order lower left, lower right, upper right, upper left;
        ``mask``: bits of the planes that occur inside.
    """
    boxes = rectangles(exposure.mask, planes)
    x1, x2, y1, y2 = boxes.T
    corners = np.stack(
        [
            np.stack([x1 - 0.5, x2 + 0.5, x2 + 0.5, x1 - 0.5], axis=1),
            np.stack([y1 - 0.5, y1 - 0.5, y2 + 0.5, y2 + 0.5], axis=1),
        ],
        axis=-1,
    )
    sky = _sky(exposure.wcs, corners)
    bits = np.array(
        [
            int(np.bitwise_or.reduce(exposure.mask[b:d + 1, a:c + 1], axis=None)) & int(planes)
            for a, c, b, d in boxes
        ],
        dtype=np.int32,
    )  # fmt: skip
    return Table(
        {
            "x1": x1 * u.pix,
            "x2": x2 * u.pix,
            "y1": y1 * u.pix,
            "y2": y2 * u.pix,
            "ra": sky[..., 0] * u.deg,
            "decl": sky[..., 1] * u.deg,
            "mask": bits,
        }
    )


def _sky(wcs: WCS, corners: FloatArray) -> FloatArray:
    if len(corners) == 0:
        return np.zeros((0, 4, 2))
    flat = wcs.all_pix2world(corners.reshape(-1, 2), 0)
    return np.asarray(flat.reshape(corners.shape))
