"""The matching kernel: what turns the template's PSF into the visit's, everywhere on the detector.

Alard & Lupton (1998), Alard (2000): a sum of Gaussians times polynomials, whose coefficients are
polynomials of the position, found by linear least squares on stamps around stars. All bases but
the first sum to zero, so the first one's coefficient is the flux ratio, the same everywhere.
DIA-08; design section 9.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processing.compiled import compiled
from processing.psf import normalisation, terms
from skyledger.errors import DataRejectedError

FloatArray = NDArray[np.float64]
_DEGREES = (4, 2, 1)  # of the polynomials on the narrow, middle and wide Gaussian
_MIN_STAMPS = 4


@dataclass(frozen=True)
class KernelBasis:
    """Separable bases: basis j is ``profiles[first[j]]`` along x times ``profiles[second[j]]``."""

    profiles: FloatArray  # (n_profiles, 2 half + 1)
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    norm: FloatArray  # basis j is divided by this
    lowered: NDArray[np.bool_]  # whether basis 0 is subtracted, to make the sum zero

    @classmethod
    def of_width(cls, sigma: float) -> "KernelBasis":
        """Bases for a kernel of Gaussian width ``sigma`` [pixel]."""
        widths = (max(0.6, 0.6 * sigma), max(1.1, 1.2 * sigma), max(2.2, 2.4 * sigma))
        half = int(np.ceil(2.8 * widths[2]))
        x = np.arange(-half, half + 1.0)
        profiles: list[FloatArray] = []
        first: list[int] = []
        second: list[int] = []
        for width, degree in zip(widths, _DEGREES, strict=True):
            start = len(profiles)
            profiles += [
                np.exp(-0.5 * (x / width) ** 2) * (x / width) ** p for p in range(degree + 1)
            ]
            for d in range(degree + 1):
                for q in range(d + 1):
                    first.append(start + d - q)
                    second.append(start + q)
        lines = np.array(profiles)
        sums = lines.sum(axis=1)[first] * lines.sum(axis=1)[second]
        even = np.abs(sums) > 1e-6
        size = np.sqrt((lines**2).sum(axis=1))
        norm = np.where(even, np.where(even, sums, 1), size[first] * size[second])
        lowered = even.copy()
        lowered[0] = False
        return cls(lines, np.array(first), np.array(second), norm, lowered)

    @property
    def half(self) -> int:
        """Half-width of the kernel [pixel]."""
        return int(self.profiles.shape[1]) // 2

    def __len__(self) -> int:
        return self.first.size

    def images(self) -> FloatArray:
        """Bases as images, shape (n, size, size)."""
        out = self.profiles[self.second][:, :, None] * self.profiles[self.first][:, None, :]
        out = out / self.norm[:, None, None]
        out[self.lowered] -= out[0]
        return np.asarray(out)


@dataclass(frozen=True)
class Kernel:
    """A fitted kernel and background.

    Attributes
    ----------
    sum : float
        Flux ratio visit / template: 1 for two images calibrated alike.
    order : int
        Degree of the spatial variation.
    n_stamps : int
        Stars used in the end, of ``n_candidates``.
    chi2 : float
        Median over these stamps of chi-square per pixel.
    """

    basis: FloatArray  # (n, size, size)
    coefficients: FloatArray  # (n, n_terms)
    background: FloatArray  # (3,), of 1, u, v [unit of the image]
    order: int
    shape: tuple[int, int]
    n_stamps: int
    n_candidates: int
    chi2: float

    @property
    def sum(self) -> float:
        """Flux ratio visit / template."""
        return float(self.coefficients[0, 0])

    def image(self, x: float, y: float) -> FloatArray:
        """Kernel at (x, y), shape (size, size)."""
        weights = self.coefficients @ _terms(self.order, self.shape, x, y)[0]
        return np.asarray(np.tensordot(weights, self.basis, axes=1))

    def background_image(self) -> NDArray[np.float32]:
        """Difference of the two skies, shape (ny, nx)."""
        x0, y0, scale = normalisation(self.shape)
        u = (np.arange(self.shape[1]) - x0) / scale
        v = (np.arange(self.shape[0])[:, None] - y0) / scale
        b = self.background
        return np.asarray(b[0] + b[1] * u + b[2] * v, dtype=np.float32)


def fit(
    template: NDArray[np.float32],
    visit: NDArray[np.float32],
    variance: NDArray[np.float32],
    usable: NDArray[np.bool_],
    x: NDArray[np.int64],
    y: NDArray[np.int64],
    sigma: float,
    stamp: int,
) -> Kernel:
    """Fit the kernel on stamps around stars.

    Parameters
    ----------
    template, visit, variance : array, shape (ny, nx)
        On the same pixels; the variance is of the difference.
    usable : array of bool, shape (ny, nx)
        Pixels usable in both.
    x, y : int array, shape (n,) [pixel]
        Stars.
    sigma : float [pixel]
        Expected width of the kernel.
    stamp : int [pixel]
        Half-width of a stamp.

    Raises
    ------
    DataRejectedError
        Fewer than 4 stars are left after those that do not match are dropped.
    """
    shape = (visit.shape[0], visit.shape[1])
    basis = KernelBasis.of_width(sigma)
    margin = stamp + basis.half
    inside = (x >= margin) & (x < shape[1] - margin) & (y >= margin) & (y < shape[0] - margin)
    x, y = x[inside], y[inside]
    if x.size < _MIN_STAMPS:
        raise _too_few(x.size, x.size)
    normal, right, data2, n_data = _stamps(template, visit, variance, usable, x, y, basis, stamp)
    full = n_data > 0.7 * (2 * stamp + 1) ** 2
    x, y, normal, right = x[full], y[full], normal[full], right[full]
    data2, n_data = data2[full], n_data[full]
    keep = np.ones(x.size, bool)
    order, reduced = 0, np.zeros(x.size)
    solution = np.zeros(0)
    for _ in range(5):
        count = int(keep.sum())
        if count < _MIN_STAMPS:
            raise _too_few(count, x.size)
        order = 2 if count >= 60 else 1 if count >= 20 else 0
        solution, chi2 = _solve(normal, right, data2, _terms(order, shape, x, y),
                                _terms(1, shape, x, y), keep)  # fmt: skip
        reduced = chi2 / n_data
        middle = np.median(reduced[keep])
        spread = 1.4826 * np.median(np.abs(reduced[keep] - middle))
        # Stars that vary, blends that moved, bleeding: they do not fit whatever the kernel.
        better = reduced < middle + max(3 * spread, 0.3 * middle)
        if np.array_equal(better, keep):
            break
        keep = better
    n_terms = (order + 1) * (order + 2) // 2
    coefficients = np.zeros((len(basis), n_terms))
    coefficients[0, 0] = solution[0]
    coefficients[1:] = solution[1:-3].reshape(len(basis) - 1, n_terms)
    return Kernel(
        basis.images(), coefficients, solution[-3:], order, shape, int(keep.sum()), x.size,
        float(np.median(reduced[keep])),
    )  # fmt: skip


def _too_few(count: int, candidates: int) -> DataRejectedError:
    return DataRejectedError(
        f"only {count} of {candidates} stars fit the matching kernel, at least {_MIN_STAMPS} are "
        "needed; check that visit and template show the same sky in the same band"
    )


def _terms(order: int, shape: tuple[int, int], x: NDArray[np.int64] | float,
           y: NDArray[np.int64] | float) -> FloatArray:  # fmt: skip
    x0, y0, scale = normalisation(shape)
    u, v = (np.asarray(x) - x0) / scale, (np.asarray(y) - y0) / scale
    return terms(order, np.atleast_1d(u), np.atleast_1d(v))


def _solve(
    normal: FloatArray,
    right: FloatArray,
    data2: FloatArray,
    spatial: FloatArray,
    sky: FloatArray,
    keep: NDArray[np.bool_],
) -> tuple[FloatArray, FloatArray]:
    """Solve for all coefficients; return them and the chi-square of every stamp.

    Parameters are: basis 0; bases 1.. times the spatial terms; sky times (1, u, v).
    """
    n_basis, n_terms = normal.shape[1] - 1, spatial.shape[1]
    column = np.concatenate([[0], np.repeat(np.arange(1, n_basis), n_terms), [n_basis] * 3])
    factors = np.concatenate(
        [np.ones((len(normal), 1)), np.tile(spatial, (1, n_basis - 1)), sky], axis=1
    )
    matrix = np.zeros((column.size, column.size))
    vector = np.zeros(column.size)
    for k in np.flatnonzero(keep):
        matrix += normal[k][np.ix_(column, column)] * np.outer(factors[k], factors[k])
        vector += right[k][column] * factors[k]
    scale = 1 / np.sqrt(np.diag(matrix))
    scaled = matrix * np.outer(scale, scale)
    # A trace of ridge: bases of neighbouring widths are nearly the same.
    scaled[np.diag_indices_from(scaled)] += 1e-7
    solution = scale * np.linalg.solve(scaled, scale * vector)
    chi2 = np.empty(len(normal))
    for s in range(len(normal)):
        local = np.zeros(n_basis + 1)
        np.add.at(local, column, solution * factors[s])
        chi2[s] = data2[s] - 2 * local @ right[s] + local @ normal[s] @ local
    return solution, chi2


def _stamps(
    template: NDArray[np.float32],
    visit: NDArray[np.float32],
    variance: NDArray[np.float32],
    usable: NDArray[np.bool_],
    x: NDArray[np.int64],
    y: NDArray[np.int64],
    basis: KernelBasis,
    stamp: int,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Form the normal equations of every stamp for the bases and a constant sky."""
    n = len(basis) + 1
    normal, right = np.zeros((x.size, n, n)), np.zeros((x.size, n))
    data2, n_data = np.zeros(x.size), np.zeros(x.size)
    design = np.ones(((2 * stamp + 1) ** 2, n))
    for k in range(x.size):
        patch = slice(y[k] - stamp, y[k] + stamp + 1), slice(x[k] - stamp, x[k] + stamp + 1)
        _design(template, x[k], y[k], stamp, basis.profiles, basis.first, basis.second, design)
        columns = design[:, :-1]
        columns /= basis.norm
        columns[:, basis.lowered] -= columns[:, :1]
        good = usable[patch].ravel()
        weight = np.where(good, 1 / np.where(good, variance[patch].ravel(), 1), 0)
        data = np.where(good, visit[patch].ravel(), 0).astype(np.float64)
        weighted = design * weight[:, None]
        normal[k], right[k] = design.T @ weighted, weighted.T @ data
        data2[k], n_data[k] = np.sum(weight * data**2), good.sum()
    return normal, right, data2, n_data


@compiled
def _design(
    template: NDArray[np.float32],
    x: int,
    y: int,
    stamp: int,
    profiles: FloatArray,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    out: FloatArray,
) -> None:
    """Template around (x, y) convolved with each basis, into the columns of ``out``."""
    taps = profiles.shape[1]
    half = taps // 2
    size = 2 * stamp + 1
    rows = size + 2 * half
    across = np.zeros((profiles.shape[0], rows, size))
    for p in range(profiles.shape[0]):
        for i in range(rows):
            r = y - stamp - half + i
            for j in range(size):
                c = x - stamp + j + half
                total = 0.0
                for t in range(taps):
                    total += profiles[p, t] * template[r, c - t]
                across[p, i, j] = total
    for b in range(first.size):
        line, source = profiles[second[b]], across[first[b]]
        for i in range(size):
            for j in range(size):
                total = 0.0
                for t in range(taps):
                    total += line[t] * source[i + 2 * half - t, j]
                out[i * size + j, b] = total
