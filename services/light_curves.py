"""The light curve of a DIAObject, as it was known at an instant."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyledger import answers
from skyledger.errors import NotFoundError
from skyledger.virtual import VirtualDatabase

SIGMA = 5.0  # of an upper limit: the detection threshold

_POINTS = """
SELECT band, midPointTai, flux, fluxErr, kind, noise, ccdVisitId, diaSourceId
FROM science.light_curve(ARRAY[{}::bigint], direct => {}, instant => '{}')
WHERE kind = 'limit' OR flux IS NOT NULL
ORDER BY midPointTai, ccdVisitId
"""


@dataclass(frozen=True)
class LightCurve:
    """Fluxes of a DIAObject, one point a visit (DPDD section 3.2.1 step 7, DIA-15).

    Of the detection, else the forced flux, else the noise: nothing was measured there, and a
    brighter object would have been found.

    Attributes
    ----------
    total
        Fluxes are those on the visit image, otherwise those on the difference.
    ra, decl
        Where the object is [deg].
    mjd
        Middle of the exposure [d, TAI].
    flux, error
        [nJy]; NaN for limits.
    kind
        ``source``, ``forced`` or ``limit``.
    noise
        Of limits: one sigma of a point source [nJy].
    """

    object_id: int
    total: bool
    ra: float
    decl: float
    band: NDArray[Any]
    mjd: NDArray[np.float64]
    flux: NDArray[np.float64]
    error: NDArray[np.float64]
    kind: NDArray[Any]
    noise: NDArray[np.float64]
    ccd_visit_id: NDArray[np.int64]
    answer: answers.Answer

    @property
    def brightest(self) -> int | None:
        """Place of the detection with the largest S/N, of either sign."""
        seen = np.flatnonzero(self.kind == "source")
        if not seen.size:
            return None
        return int(seen[np.argmax(np.abs(self.flux[seen]) / self.error[seen])])


def read(
    connection: Any, object_id: int, database: VirtualDatabase, *, total: bool = False
) -> LightCurve:
    """Read the light curve of a DIAObject as of an instant.

    Raises
    ------
    NotFoundError
        If there is no such object at that instant.
    """
    where = f"SELECT ra, decl FROM DIAObject WHERE diaObjectId = {int(object_id)}"
    found = answers.run(connection, where, database)
    if not found.rows:
        raise NotFoundError(
            f"{database} knows no DIAObject {object_id}; it may not have been found yet, or its "
            f"sources were linked elsewhere"
        )
    at = VirtualDatabase(database.name, found.instant)
    answer = answers.run(
        connection, _POINTS.format(int(object_id), "true" if total else "false", found.instant), at
    )
    columns = list(zip(*answer.rows, strict=True)) if answer.rows else [()] * 8
    ra, decl = found.rows[0]
    return LightCurve(
        object_id,
        total,
        ra,
        decl,
        np.array(columns[0], dtype=object),
        np.array(columns[1], dtype=float),
        np.array(columns[2], dtype=float),
        np.array(columns[3], dtype=float),
        np.array(columns[4], dtype=object),
        np.array(columns[5], dtype=float),
        np.array(columns[6], dtype=np.int64),
        answer,
    )
