"""Cutouts as PNG: eight bits of grey, made by numpy and zlib alone."""

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SOFT = 3.0  # how far the stretch is from straight: asinh(3 x) / asinh(3)


def limits(images: Sequence[NDArray[np.float32]]) -> tuple[float, float]:
    """One black and one white point for several images, so that they can be compared by eye."""
    values = np.concatenate([i[np.isfinite(i)].ravel() for i in images])
    if not values.size:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(values, [5, 99.5]))
    return low, max(high, low + 1e-9)


def png(image: NDArray[np.float32], low: float, high: float, *, enlarge: int = 1) -> bytes:
    """Draw an image dark on white, North as it is, the first row at the bottom.

    Parameters
    ----------
    image
        Shape (rows, columns); what is not finite becomes middle grey.
    low, high
        Values drawn white and black, with an asinh stretch between.
    enlarge
        Pixels of the picture a pixel of the image.
    """
    with np.errstate(invalid="ignore"):
        scaled = np.arcsinh((image - low) / (high - low) * _SOFT) / np.arcsinh(_SOFT)
    grey = np.where(np.isfinite(image), 255 - 255 * np.clip(scaled, 0, 1), 128)
    pixels = np.rint(grey[::-1]).astype(np.uint8)
    pixels = pixels.repeat(enlarge, axis=0).repeat(enlarge, axis=1)
    rows, columns = pixels.shape
    lines = np.zeros((rows, columns + 1), dtype=np.uint8)  # each line begins with its filter: none
    lines[:, 1:] = pixels

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content
            + struct.pack(">I", zlib.crc32(kind + content))
        )  # fmt: skip

    head = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(lines.tobytes(), 6))
        + chunk(b"IEND", b"")
    )
