"""Small pieces of images, for figures and alerts (cutoutMinSize: 30 pixels or more)."""

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from processing.exposure import Exposure, Mask
from skyledger.errors import DataRejectedError


def cutout(
    exposure: Exposure, ra: float, decl: float, size: int = 30
) -> tuple[NDArray[np.float32], WCS]:
    """Cut a square around a sky position.

    Parameters
    ----------
    ra, decl : float [deg]
        Middle of the square, to the nearest pixel.
    size : int [pixel]
        Side of the square.

    Returns
    -------
    image, wcs
        Pixels in the exposure's unit, shape (size, size), NaN beyond the border and where there
        is no data; and their WCS.

    Raises
    ------
    DataRejectedError
        If the square does not touch the image.
    """
    x, y = (float(v) for v in exposure.wcs.all_world2pix(ra, decl, 0))
    ny, nx = exposure.shape
    if not (-size / 2 < x < nx + size / 2 and -size / 2 < y < ny + size / 2):
        raise DataRejectedError(
            f"RA {ra:.5f} Dec {decl:.5f} is at pixel ({x:.0f}, {y:.0f}), off the image of "
            f"{nx} x {ny} pixels; take a visit that covers it"
        )
    left, bottom = round(x) - size // 2, round(y) - size // 2
    out = np.full((size, size), np.nan, np.float32)
    rows = slice(max(0, bottom), min(ny, bottom + size))
    columns = slice(max(0, left), min(nx, left + size))
    piece = exposure.image[rows, columns].astype(np.float32)
    piece[(exposure.mask[rows, columns] & int(Mask.NO_DATA)) != 0] = np.nan
    out[rows.start - bottom : rows.stop - bottom, columns.start - left : columns.stop - left] = (
        piece
    )
    wcs = exposure.wcs.deepcopy()
    wcs.wcs.crpix = np.asarray(wcs.wcs.crpix) - [left, bottom]
    wcs.wcs.set()
    return out, wcs
