"""Passes over masks that leave no planes behind."""

import numpy as np
from numpy.typing import NDArray

from processing.compiled import compiled

MaskImage = NDArray[np.int32]
BoolImage = NDArray[np.bool_]


def flagged(mask: MaskImage, bits: int) -> BoolImage:
    """Pixels with any of ``bits``, shape (ny, nx)."""
    out = np.empty(mask.shape, np.bool_)
    _flag(mask, bits, out)
    return out


@compiled
def _flag(mask: MaskImage, bits: int, out: BoolImage) -> None:
    for i in range(mask.shape[0]):
        for j in range(mask.shape[1]):
            out[i, j] = (mask[i, j] & bits) != 0


def spread(mask: MaskImage, bits: int, reach: int) -> MaskImage:
    """Copy of a mask whose ``bits`` extend over ``reach`` pixels around."""
    out = mask.copy()
    if reach > 0:
        _spread(mask, bits, reach, out)
    return out


def merged(mask: MaskImage, bits: int, other: MaskImage, others: int, reach: int) -> MaskImage:
    """``bits`` of one mask, with ``others`` of another one that extend over ``reach`` pixels."""
    out = np.empty(mask.shape, np.int32)
    _merge(mask, bits, other, others, out)
    _spread(other, others, reach, out)
    return out


@compiled
def _merge(mask: MaskImage, bits: int, other: MaskImage, others: int, out: MaskImage) -> None:
    for i in range(mask.shape[0]):
        for j in range(mask.shape[1]):
            out[i, j] = (mask[i, j] & bits) | (other[i, j] & others)


@compiled
def _spread(mask: MaskImage, bits: int, reach: int, out: MaskImage) -> None:
    ny, nx = mask.shape
    for i in range(ny):
        for j in range(nx):
            mine = mask[i, j] & bits
            if mine == 0:
                continue
            # Pixels amid their like reach nothing that those at the border do not.
            amid = (
                0 < i < ny - 1
                and 0 < j < nx - 1
                and mine == mine & mask[i - 1, j] & mask[i + 1, j] & mask[i, j - 1] & mask[i, j + 1]
            )
            if amid:
                continue
            for r in range(max(0, i - reach), min(ny, i + reach + 1)):
                for c in range(max(0, j - reach), min(nx, j + reach + 1)):
                    if (r - i) * (r - i) + (c - j) * (c - j) <= reach * reach:
                        out[r, c] |= mine


def around(image: NDArray[np.float32], limit: float, reach: int) -> BoolImage:
    """Pixels at most ``reach`` pixels from one of an absolute value above ``limit``."""
    out = np.zeros(image.shape, np.bool_)
    _around(image, limit, reach, out)
    return out


@compiled
def _around(image: NDArray[np.float32], limit: float, reach: int, out: BoolImage) -> None:
    ny, nx = image.shape
    for i in range(ny):
        for j in range(nx):
            if abs(image[i, j]) > limit:
                for r in range(max(0, i - reach), min(ny, i + reach + 1)):
                    for c in range(max(0, j - reach), min(nx, j + reach + 1)):
                        if (r - i) * (r - i) + (c - j) * (c - j) <= reach * reach:
                            out[r, c] = True
