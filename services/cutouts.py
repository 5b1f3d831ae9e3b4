"""Cutouts around a position: visit, template and difference, North up."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from processing import fits, warp
from skyledger import answers, products
from skyledger.errors import NotFoundError
from skyledger.virtual import VirtualDatabase

ARCSEC = 12.0  # width
IMAGES = ("science", "template", "difference")


@dataclass(frozen=True)
class Triplet:
    """Images by name [nJy], East left, on one grid."""

    images: dict[str, NDArray[np.float32]]
    wcs: WCS


def _grid(ra: float, decl: float, scale: float) -> tuple[WCS, tuple[int, int]]:
    """North-up pixel grid around a position."""
    n = max(31, round(ARCSEC / scale) | 1)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [ra, decl]
    wcs.wcs.crpix = [(n + 1) / 2, (n + 1) / 2]
    wcs.wcs.cd = [[-scale / 3600, 0], [0, scale / 3600]]
    wcs.wcs.set()
    return wcs, (n, n)


def missing(connection: Any, ccd_visit_id: int, database: VirtualDatabase) -> list[str]:
    """Images of a ccdVisit that are not kept here, as relative paths; empty if all are there."""
    return [path for path in _paths(connection, ccd_visit_id, database)[0]
            if not (products.root() / path).is_file()]  # fmt: skip


def _paths(
    connection: Any, ccd_visit_id: int, database: VirtualDatabase
) -> tuple[list[str], float]:
    """Paths of visit, template and difference, and the size of a pixel [arcsec]."""
    found = answers.run(
        connection,
        "SELECT c.pviPath, t.path, c.differencePath, c.pixelScale FROM CcdVisit AS c "
        f"JOIN Template AS t USING (templateId) WHERE c.ccdVisitId = {int(ccd_visit_id)}",
        database,
    )
    if not found.rows or None in found.rows[0]:
        raise NotFoundError(f"ccdVisit {ccd_visit_id} has no difference image")
    *paths, scale = found.rows[0]
    return paths, scale


def read(
    connection: Any, ra: float, decl: float, ccd_visit_id: int, database: VirtualDatabase
) -> Triplet:
    """Read visit, template and difference around a position [deg].

    Raises
    ------
    NotFoundError
        If the images of that ccdVisit are not kept here.
    """
    paths, scale = _paths(connection, ccd_visit_id, database)
    wcs, shape = _grid(ra, decl, scale)
    images = {}
    for name, path in zip(IMAGES, paths, strict=True):
        file = products.root() / path
        if not file.is_file():
            raise NotFoundError(f"{path} is gone; process the visit again to make it")
        images[name] = warp.warp(fits.read(file), wcs, shape).image
    return Triplet(images, wcs)
