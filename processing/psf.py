"""The point-spread function as pixels that vary as polynomials over the detector.

Pixel basis, order 2: one constant PSF over a field inflates flux errors by half (design section 9;
GEN-10, DPDD section 2.6). :mod:`processing.psf_stars` finds the coefficients from stars.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from skyledger.errors import DataRejectedError

Stamp = NDArray[np.float64]


class _HasImage(Protocol):
    def image(self, x: float, y: float) -> Stamp: ...


def n_terms(order: int) -> int:
    """Count the terms of a polynomial of two variables."""
    return (order + 1) * (order + 2) // 2


def terms(order: int, u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evaluate 1, u, v, u², uv, v², ... at n positions; shape (n, n_terms)."""
    u, v = np.atleast_1d(u).astype(np.float64), np.atleast_1d(v).astype(np.float64)
    columns = [u ** (d - k) * v**k for d in range(order + 1) for k in range(d + 1)]
    return np.stack(columns, axis=-1)


@dataclass(frozen=True, eq=False)
class PsfModel:
    """A PSF whose every pixel is a polynomial of the position on the detector.

    A star's light to infinity is 1, so that fluxes are totals: the wings beyond the stamp are what
    its sum lacks.

    Attributes
    ----------
    coefficients : array, shape (n_terms, n, n), float64
        Planes of the polynomial, n odd; terms in the order 1, u, v, u², uv, v², ...
    order : int
        Degree of the polynomial.
    x0, y0, scale : float
        u = (x - x0) / scale and v = (y - y0) / scale, in pixels of the detector.
    """

    coefficients: NDArray[np.float64]
    order: int = 0
    x0: float = 0.0
    y0: float = 0.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        shape = self.coefficients.shape
        if len(shape) != 3 or shape[1] != shape[2] or shape[1] % 2 == 0:
            raise ValueError(
                f"PSF coefficients have shape {shape}; (terms, n, n), n odd, is needed"
            )
        if shape[0] != n_terms(self.order):
            raise ValueError(
                f"a PSF of order {self.order} has {n_terms(self.order)} terms, not {shape[0]}"
            )

    @classmethod
    def constant(cls, image: Stamp) -> "PsfModel":
        """Make a PSF that is the same everywhere from one stamp, shape (n, n), n odd, as it is."""
        return cls(coefficients=np.array(image, dtype=np.float64)[None])

    @classmethod
    def sampled(cls, psf: _HasImage, shape: tuple[int, int], order: int = 2) -> "PsfModel":
        """Approximate any PSF on a detector of ``shape`` (ny, nx) by polynomials.

        The PSF is evaluated on a regular grid of (2 order + 1)² positions and fitted by least
        squares.
        """
        ny, nx = shape
        count = 2 * order + 1
        xs, ys = np.meshgrid(np.linspace(0, nx - 1, count), np.linspace(0, ny - 1, count))
        stamps = np.stack(
            [psf.image(float(x), float(y)) for x, y in zip(xs.flat, ys.flat, strict=True)]
        )
        x0, y0, scale = normalisation(shape)
        basis = terms(order, (xs.ravel() - x0) / scale, (ys.ravel() - y0) / scale)
        planes = np.linalg.lstsq(basis, stamps.reshape(len(stamps), -1), rcond=None)[0]
        coefficients = planes.reshape(-1, *stamps.shape[1:]).astype(np.float64)
        return cls(coefficients, order, x0, y0, scale)

    @property
    def size(self) -> int:
        """Side of the stamp, pixels."""
        return int(self.coefficients.shape[1])

    def basis(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Evaluate the polynomial terms at n detector positions; shape (n, n_terms)."""
        u = (np.asarray(x, dtype=np.float64) - self.x0) / self.scale
        v = (np.asarray(y, dtype=np.float64) - self.y0) / self.scale
        return terms(self.order, u, v)

    def image(self, x: float, y: float) -> Stamp:
        """PSF at (x, y), shape (n, n), centred on the middle pixel.

        Its sum is the share of a star's light that falls on the stamp, below 1.
        """
        return np.asarray(
            np.tensordot(self.basis(np.array([x]), np.array([y]))[0], self.coefficients, axes=1)
        )

    def fwhm(self, x: float, y: float) -> float:
        """Full width at half maximum at (x, y), pixels: of the circle with the area above half."""
        return fwhm(self.image(x, y))

    def effective_area(self, x: float, y: float) -> float:
        """Pixels of white noise under an optimal PSF fit, 1 / sum P², at (x, y)."""
        return float(1.0 / np.sum(self.image(x, y) ** 2))

    @cached_property
    def header(self) -> dict[str, float | int]:
        """Everything but the coefficients, as FITS keywords (see :mod:`processing.fits`)."""
        return {"PSFORDER": self.order, "PSFX0": self.x0, "PSFY0": self.y0, "PSFSCALE": self.scale}

    @classmethod
    def from_header(
        cls, coefficients: NDArray[np.float64], header: dict[str, float | int]
    ) -> "PsfModel":
        """Rebuild the PSF from what :attr:`coefficients` and :attr:`header` held."""
        return cls(
            coefficients=coefficients,
            order=int(header["PSFORDER"]),
            x0=float(header["PSFX0"]),
            y0=float(header["PSFY0"]),
            scale=float(header["PSFSCALE"]),
        )


def normalisation(shape: tuple[int, int]) -> tuple[float, float, float]:
    """Return (x0, y0, scale) that map a detector of ``shape`` (ny, nx) into [-1, 1]."""
    ny, nx = shape
    return (nx - 1) / 2, (ny - 1) / 2, max(nx, ny) / 2


def fwhm(stamp: Stamp) -> float:
    """Full width at half maximum [pixels] of a stamp: diameter of the circle of equal area.

    The radius at which a cubic spline falls to half of its central value is found along 72 rays
    from the middle. The width includes the detector's pixel.

    Raises
    ------
    DataRejectedError
        If the stamp has no positive centre, or does not fall to half of it within its border.
    """
    middle = stamp.shape[0] // 2
    radius = np.arange(0, middle, 0.05)
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)[:, None]
    values = ndimage.map_coordinates(
        stamp, [middle + radius * np.sin(angle), middle + radius * np.cos(angle)], order=3
    )
    half = values[0, 0] / 2
    below = values < half
    if not half > 0 or not below.any(axis=1).all():
        raise DataRejectedError(
            f"the PSF (peak {2 * half:.3g}) does not fall to half of its centre within "
            f"{middle} pixels; look at the stars it was made from"
        )
    first = below.argmax(axis=1)
    outside, inside = values[np.arange(72), first], values[np.arange(72), first - 1]
    crossing = radius[first] - 0.05 * (half - outside) / (inside - outside)
    return float(2 * np.sqrt(np.mean(crossing**2)))
