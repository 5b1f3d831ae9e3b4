"""Columns of catalogues that measurements of any image have in common (DPDD Tables 1 and 6)."""

from typing import Any

import numpy as np
from astropy.table import MaskedColumn, Table
from numpy.typing import NDArray
from scipy.special import erf

from processing.geometry import LocalSky, moved, packed, unpacked
from processing.moments import Gaussians
from processing.plane import BoolArray, FloatArray
from processing.psf_core import PointFits
from skyledger.dictionary import shipped


class Columns:
    """Columns of the table under construction, every value missing until it is set."""

    def __init__(self, n: int, relation: str = "DIASource") -> None:
        self.n = n
        self.relation = shipped()[relation]
        self.data: dict[str, NDArray[Any]] = {}
        self.missing: dict[str, BoolArray] = {}

    def set(self, name: str, value: Any, valid: Any = True) -> None:
        """Set a column; values that are not finite count as missing."""
        array = np.asarray(value)
        finite = np.isfinite(array)
        if array.ndim > 1:
            finite = finite.all(axis=tuple(range(1, array.ndim)))
        self.data[name] = array
        self.missing[name] = ~(finite & np.asarray(valid))

    def set_lists(self, name: str, values: list[FloatArray]) -> None:
        """Set a column of arrays of any length; an empty one counts as missing."""
        array = np.empty(self.n, dtype=object)
        array[:] = [np.asarray(v, np.float32) for v in values]
        self.data[name] = array
        self.missing[name] = np.array([v.size == 0 for v in values], bool)

    def table(self, ccd_visit_id: int) -> Table:
        """Build the table in the dictionary's order of columns."""
        kinds = {"real": np.float32, "integer": np.int32, "bigint": np.int64}
        table = Table(masked=True)
        table["ccdVisitId"] = np.full(self.n, ccd_visit_id, np.int64)
        table["parentIndex"] = self.data["parentIndex"].astype(np.int64)
        for column in self.relation.columns:
            if column.name not in self.data:
                continue
            value, missing = self.data[column.name], self.missing[column.name]
            if value.dtype == object:
                table[column.name] = MaskedColumn(value, mask=missing, unit=column.unit)
                continue
            kind = kinds.get(column.type.removesuffix("[]"), np.float64)
            if value.ndim > 1:
                missing = np.broadcast_to(missing[:, None], value.shape)
            clean = np.where(missing, 0, value).astype(kind)
            table[column.name] = MaskedColumn(clean, mask=missing, unit=column.unit)
        return table


def set_point(
    columns: Columns, point: PointFits, sky: LocalSky, x: FloatArray, y: FloatArray
) -> None:
    """Set the columns of the point-source fit; (x, y) [pixel] is where ``sky`` was taken."""
    ra, decl = moved(sky, point.x - x, point.y - y)
    turn = np.zeros((len(x), 3, 3))
    turn[:, 0, 0] = 1
    turn[:, 1:, 1:] = sky.jacobian
    covariance = turn @ unpacked(point.covariance) @ np.swapaxes(turn, 1, 2)
    ok = point.converged
    for name, value in (
        ("psFlux", point.flux),
        ("psFluxErr", np.sqrt(np.maximum(point.covariance[:, 0], 0))),
        ("psRa", ra),
        ("psDecl", decl),
        ("psCov", packed(covariance)),
        ("psLnL", point.ln_likelihood),
        ("psChi2", point.chi2),
        ("psNdata", point.n_data),
    ):
        columns.set(name, value, ok)


def set_moments(columns: Columns, shape: Gaussians, of_psf: FloatArray, sky: LocalSky) -> None:
    """Moments in the sky frame: M_sky = J M J^T."""
    j = sky.jacobian
    # Of (Mxx, Myy, Mxy) into (Ixx, Iyy, Ixy).
    turn = np.stack(
        [
            np.stack([j[:, 0, 0] ** 2, j[:, 0, 1] ** 2, 2 * j[:, 0, 0] * j[:, 0, 1]], -1),
            np.stack([j[:, 1, 0] ** 2, j[:, 1, 1] ** 2, 2 * j[:, 1, 0] * j[:, 1, 1]], -1),
            np.stack(
                [
                    j[:, 0, 0] * j[:, 1, 0],
                    j[:, 0, 1] * j[:, 1, 1],
                    j[:, 0, 0] * j[:, 1, 1] + j[:, 0, 1] * j[:, 1, 0],
                ],
                -1,
            ),
        ],
        axis=1,
    )
    moments = np.einsum("nij,nj->ni", turn, shape.moments)
    covariance = turn @ shape.covariance[:, 2:, 2:] @ np.swapaxes(turn, 1, 2)
    psf = np.einsum("nij,nj->ni", turn, of_psf)
    for k, name in enumerate(("ixx", "iyy", "ixy")):
        columns.set(name, moments[:, k], shape.converged)
        columns.set(name + "PSF", psf[:, k])
    columns.set("icov", packed(covariance), shape.converged)


def extendedness(shape: Gaussians, of_psf: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Probability that the size exceeds the PSF's by more than 30 % (a tenth is allowed for).

    The excess of the adaptive trace over the PSF's is compared with its error and with the
    10 % to which the PSF is trusted.
    """
    trace, own = of_psf[:, 0] + of_psf[:, 1], shape.moments[:, 0] + shape.moments[:, 1]
    variance = shape.covariance[:, 2:4, 2:4].sum(axis=(1, 2))
    excess = own / trace - 1
    width = np.sqrt(np.maximum(variance, 0) / trace**2 + 0.1**2)
    return 0.5 * (1 + erf((excess - 0.3) / (np.sqrt(2) * width))), shape.converged
