"""The pixels on which sources are measured, whole or as a piece without the neighbours."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from processing import line_fits
from processing.difference import Difference
from processing.line_fits import LineFits
from processing.psf_core import PointFits, SplinePsf, fit_points, spline_psf

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Plane:
    """Pixels to measure on, perhaps a piece whose first pixel is at (x0, y0)."""

    image: NDArray[np.float32]
    variance: NDArray[np.float32]
    usable: BoolArray
    psf: SplinePsf
    per_unit: float  # electrons per nJy
    dark: float = 0.0  # share of the visit's time between its snaps
    x0: int = 0
    y0: int = 0

    @classmethod
    def of(cls, difference: Difference) -> "Plane":
        """Take the whole of a difference image."""
        exposure = difference.exposure
        usable = exposure.usable() & np.isfinite(exposure.variance)
        assert exposure.psf is not None  # noqa: S101 (every Difference has one)
        return cls(
            np.where(usable, exposure.image, 0).astype(np.float32),
            np.where(usable, exposure.variance, 0).astype(np.float32),
            usable,
            spline_psf(exposure.psf, exposure.shape),
            exposure.electrons_per_unit,
            exposure.visit.dark_share,
        )

    def without(self, siblings: FloatArray, x: float, y: float, reach: int) -> "Plane":
        """Piece around (x, y) with the models of ``siblings`` (flux, x, y) taken away."""
        ny, nx = self.image.shape
        x0, y0 = max(0, int(x) - reach), max(0, int(y) - reach)
        cut = slice(y0, min(ny, int(y) + reach + 1)), slice(x0, min(nx, int(x) + reach + 1))
        image = self.image[cut].copy()
        for flux, sx, sy in siblings:
            add_point(image, self.psf, -flux, sx, sy, x0, y0)
        psf = replace(self.psf, x0=self.psf.x0 - x0, y0=self.psf.y0 - y0)
        return replace(
            self,
            image=image,
            variance=np.ascontiguousarray(self.variance[cut]),
            usable=np.ascontiguousarray(self.usable[cut]),
            psf=psf,
            x0=x0,
            y0=y0,
        )

    def fit(self, x: FloatArray, y: FloatArray) -> PointFits:
        """Fit point sources: :func:`processing.psf_core.fit_points`."""
        return fit_points(self.image, self.variance, self.usable, self.psf, x, y, self.per_unit)

    def lines(
        self, kind: int, start: FloatArray, point: FloatArray, radius: NDArray[np.int64]
    ) -> LineFits:
        """Fit trails or dipoles: :func:`processing.line_fits.fit_lines`."""
        return line_fits.fit_lines(
            kind, self.image, self.variance, self.usable, self.psf, start, point, radius,
            self.per_unit, self.dark,
        )  # fmt: skip


def add_point(
    image: NDArray[np.float32], psf: SplinePsf, flux: float, x: float, y: float,
    x0: int = 0, y0: int = 0,
) -> None:  # fmt: skip
    """Add a point source at (x, y) of the detector to the piece whose first pixel is (x0, y0)."""
    stamp = flux * psf.image(x, y, exact=True)
    half = stamp.shape[0] // 2
    row, column = round(y) - y0, round(x) - x0
    ny, nx = image.shape
    r0, r1 = max(0, row - half), min(ny, row + half + 1)
    c0, c1 = max(0, column - half), min(nx, column + half + 1)
    if r0 < r1 and c0 < c1:
        image[r0:r1, c0:c1] += stamp[
            r0 - row + half : r1 - row + half, c0 - column + half : c1 - column + half
        ].astype(np.float32)
