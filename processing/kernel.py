"""The matching kernel: what turns the template's PSF into the visit's, everywhere on the detector.

Both PSFs are known, so the kernel is their ratio, times a correction that is found on stamps
around stars by linear least squares: 1 plus Gaussians times polynomials, whose coefficients are
polynomials of the position (Alard & Lupton 1998; Alard 2000). All of these but the 1 sum to zero,
so that its coefficient is the flux ratio, the same everywhere. The correction is small, and the fit
knows that: few stars suffice. DIA-08; design section 9.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from processing.compiled import compiled
from processing.exposure import Psf
from processing.psf import normalisation, terms
from skyledger.errors import DataRejectedError

FloatArray = NDArray[np.float64]
ComplexImage = NDArray[np.complex64]
_WIDTHS = (0.45, 1.0, 2.0)  # of the Gaussians, over that of the visit's PSF
_DEGREES = (4, 2, 1)  # of the polynomials on each of them
_MIN_STAMPS = 4
_FLOOR = 1e-3  # of a PSF's transform, below which it is taken for noise
_REACH = 24  # pixels that the ratio of the PSFs reaches
_EXPECTED = 0.1  # spread of the coefficients of the correction
_LEFT = 0.05  # of a star's light that may be left, pixel by pixel
_UNLIKE = 2.0  # times what is left of the other bright stars


@dataclass(frozen=True)
class KernelBasis:
    """Separable bases: basis j is ``profiles[first[j]]`` along x times ``profiles[second[j]]``.

    Basis 0 is a single pixel of 1.
    """

    profiles: FloatArray  # (n_profiles, 2 half + 1)
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    norm: FloatArray  # basis j is divided by this
    lowered: NDArray[np.bool_]  # whether basis 0 is subtracted, to make the sum zero

    @classmethod
    def of_width(cls, sigma: float) -> "KernelBasis":
        """Bases for a PSF of Gaussian width ``sigma`` [pixel]."""
        widths = [max(low, w * sigma) for low, w in zip((0.6, 1.1, 2.2), _WIDTHS, strict=True)]
        half = int(np.ceil(2.8 * widths[2]))
        x = np.arange(-half, half + 1.0)
        profiles: list[FloatArray] = [(x == 0).astype(np.float64)]
        first, second = [0], [0]
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
        """Half-width of the correction [pixel]."""
        return int(self.profiles.shape[1]) // 2

    def __len__(self) -> int:
        return self.first.size

    def images(self) -> FloatArray:
        """Bases as images, shape (n, size, size)."""
        out = self.profiles[self.second][:, :, None] * self.profiles[self.first][:, None, :]
        out = out / self.norm[:, None, None]
        out[self.lowered] -= out[0]
        return np.asarray(out)


def spectrum(stamp: FloatArray, size: int) -> ComplexImage:
    """Fourier transform, on a grid of ``size``, of a stamp whose middle is the origin."""
    box = np.zeros((size, size), np.float32)
    n, m = stamp.shape
    box[:n, :m] = stamp
    return np.asarray(fft.rfft2(np.roll(box, (-(n // 2), -(m // 2)), (0, 1))))


@dataclass(frozen=True)
class PsfRatio:
    """What turns the PSF of a template into that of a visit, by their models."""

    visit: Psf
    template: Psf

    def transform(self, x: float, y: float, size: int) -> ComplexImage:
        """Fourier transform at (x, y) on a grid of ``size``, 1 at the origin."""
        above = spectrum(self.visit.image(x, y), size)
        below = spectrum(self.template.image(x, y), size)
        ratio = above * np.conj(below) / (np.abs(below) ** 2 + np.float32(_FLOOR**2))
        return np.asarray(ratio / ratio[0, 0].real)


@dataclass(frozen=True)
class Kernel:
    """A fitted kernel and background.

    Attributes
    ----------
    ratio : PsfRatio
        The kernel before its correction.
    order : int
        Degree of the spatial variation of the correction.
    n_stamps : int
        Stars used in the end, of ``n_candidates``.
    chi2 : float
        Median over these stamps of chi-square per pixel.
    """

    ratio: PsfRatio
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
        """Flux ratio visit / template: 1 for two images calibrated alike."""
        return float(self.coefficients[0, 0])

    @property
    def reach(self) -> int:
        """Pixels around a place that the kernel needs."""
        return _REACH + int(self.basis.shape[1]) // 2

    def correction(self, x: float, y: float) -> FloatArray:
        """Correction at (x, y), shape (size, size)."""
        weights = self.coefficients @ _terms(self.order, self.shape, x, y)[0]
        return np.asarray(np.tensordot(weights, self.basis, axes=1))

    def transform(self, x: float, y: float, size: int) -> ComplexImage:
        """Fourier transform of the kernel at (x, y) on a grid of ``size``."""
        return np.asarray(self.ratio.transform(x, y, size) * spectrum(self.correction(x, y), size))

    def background_plane(self) -> tuple[float, float, float]:
        """Difference of the two skies: at pixel (0, 0), and its slopes along x and y [/pixel]."""
        x0, y0, scale = normalisation(self.shape)
        level, along_x, along_y = self.background
        slopes = along_x / scale, along_y / scale
        return float(level - slopes[0] * x0 - slopes[1] * y0), float(slopes[0]), float(slopes[1])


def fit(
    template: NDArray[np.float32],
    visit: NDArray[np.float32],
    variance: NDArray[np.float32],
    usable: NDArray[np.bool_],
    x: NDArray[np.int64],
    y: NDArray[np.int64],
    ratio: PsfRatio,
    sigma: float,
    stamp: int,
) -> Kernel:
    """Fit the kernel on stamps around stars.

    Parameters
    ----------
    template : array, shape (ny + 2 m, nx + 2 m)
        On the pixels of the visit and ``m`` more on every side.
    visit, variance : array, shape (ny, nx)
        The variance is of the difference.
    usable : array of bool, shape (ny, nx)
        Pixels usable in both.
    x, y : int array, shape (n,) [pixel]
        Stars.
    ratio : PsfRatio
        The kernel expected.
    sigma : float [pixel]
        Gaussian width of the visit's PSF.
    stamp : int [pixel]
        Half-width of a stamp.

    Raises
    ------
    DataRejectedError
        Fewer than 4 stars are left after those that do not match are dropped.
    """
    shape = (visit.shape[0], visit.shape[1])
    basis = KernelBasis.of_width(sigma)
    inside = (x >= stamp) & (x < shape[1] - stamp) & (y >= stamp) & (y < shape[0] - stamp)
    x, y = x[inside], y[inside]
    if x.size < _MIN_STAMPS:
        raise _too_few(x.size, x.size)
    margin = (template.shape[0] - shape[0]) // 2
    normal, right, data2, n_data = _stamps(
        template, margin, visit, variance, usable, x, y, basis, ratio, stamp
    )
    full = n_data > 0.7 * (2 * stamp + 1) ** 2
    x, y, normal, right = x[full], y[full], normal[full], right[full]
    data2, n_data = data2[full], n_data[full]
    keep = np.ones(x.size, bool)
    order, n_terms, reduced = 0, 1, np.zeros(x.size)
    solution = np.zeros(0)
    for _ in range(6):
        count = int(keep.sum())
        if count < _MIN_STAMPS:
            raise _too_few(count, x.size)
        order = 2 if count >= 60 else 1 if count >= 20 else 0
        places = _terms(max(order, 1), shape, x, y)
        n_terms = (order + 1) * (order + 2) // 2
        solution, chi2, light = _solve(normal, right, data2, places, n_terms, keep)
        reduced = chi2 / n_data
        level = np.median(reduced[keep])
        # Stars that vary, blends that moved, bleeding: they do not fit whatever the kernel. A
        # bright star never fits to the noise; what counts is the share of its light that is
        # left, against that of its peers: were the bright ones all to go for a share that no
        # kernel gets rid of, the few that stay would rule.
        excess = chi2 - level * n_data
        noisy = excess < 5 * level * np.sqrt(2 * n_data)
        left = np.sqrt(np.maximum(excess, 0) / light)
        usual = float(np.median(left[~noisy])) if not noisy.all() else 0.0
        better = noisy | (left < max(_LEFT, _UNLIKE * usual))
        if np.array_equal(better, keep):
            break
        keep = better
    coefficients = np.zeros((len(basis), n_terms))
    coefficients[0, 0] = solution[0]
    coefficients[1:] = solution[1:-3].reshape(len(basis) - 1, n_terms)
    return Kernel(
        ratio, basis.images(), coefficients, solution[-3:], order, shape, int(keep.sum()), x.size,
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
    places: FloatArray,
    n_terms: int,
    keep: NDArray[np.bool_],
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Solve for all coefficients; return them, and chi-square and light of every stamp.

    ``places`` are the spatial terms at the stamps, (1, u, v) at least. Parameters are: basis 0;
    bases 1.. times the first ``n_terms`` of them; sky times (1, u, v). The light is the chi-square
    that the stamp had if nothing of the template were subtracted.
    """
    n_basis = normal.shape[1] - 1
    column = np.concatenate([[0], np.repeat(np.arange(1, n_basis), n_terms), [n_basis] * 3])
    term = np.concatenate([[0], np.tile(np.arange(n_terms), n_basis - 1), np.arange(3)])
    # Products of bases times products of terms, summed over the stamps.
    used, n_places = places[keep], places.shape[1]
    products = (used[:, :, None] * used[:, None, :]).reshape(len(used), -1)
    sums = (normal[keep].reshape(len(used), -1).T @ products).reshape(
        n_basis + 1, n_basis + 1, n_places, n_places
    )
    matrix = sums[column[:, None], column, term[:, None], term]
    vector = (right[keep].T @ used)[column, term]
    # The PSFs are known: the correction is 1 and little else.
    known = np.zeros(column.size)
    known[1:-3] = _EXPECTED**-2
    matrix[np.diag_indices_from(matrix)] += known
    scale = 1 / np.sqrt(np.diag(matrix))
    scaled = matrix * np.outer(scale, scale)
    scaled[np.diag_indices_from(scaled)] += 1e-9
    solution = scale * np.linalg.solve(scaled, scale * vector)
    coefficients = np.zeros((n_basis + 1, n_places))
    coefficients[column, term] = solution
    local = places @ coefficients.T
    weighted = (normal @ local[:, :, None])[:, :, 0]
    chi2 = data2 - 2 * np.sum(local * right, axis=1) + np.sum(local * weighted, axis=1)
    local[:, -1] = 0
    light = np.sum(local * (normal @ local[:, :, None])[:, :, 0], axis=1)
    return solution, chi2, light


def _stamps(
    template: NDArray[np.float32],
    margin: int,
    visit: NDArray[np.float32],
    variance: NDArray[np.float32],
    usable: NDArray[np.bool_],
    x: NDArray[np.int64],
    y: NDArray[np.int64],
    basis: KernelBasis,
    ratio: PsfRatio,
    stamp: int,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Form the normal equations of every stamp for the bases and a constant sky."""
    n = len(basis) + 1
    normal, right = np.zeros((x.size, n, n)), np.zeros((x.size, n))
    data2, n_data = np.zeros(x.size), np.zeros(x.size)
    design = np.ones(((2 * stamp + 1) ** 2, n), np.float32)
    wide = stamp + basis.half + _REACH
    size = fft.next_fast_len(2 * wide + 1, real=True)
    inner = slice(wide - stamp - basis.half, wide + stamp + basis.half + 1)
    more = max(0, wide - margin)
    template = np.pad(template, more, mode="edge")
    norm = (1 / basis.norm).astype(np.float32)
    for k in range(x.size):
        patch = slice(y[k] - stamp, y[k] + stamp + 1), slice(x[k] - stamp, x[k] + stamp + 1)
        row, column = y[k] + margin + more - wide, x[k] + margin + more - wide
        around = template[row : row + 2 * wide + 1, column : column + 2 * wide + 1]
        expected = fft.irfft2(
            fft.rfft2(around, (size, size)) * ratio.transform(float(x[k]), float(y[k]), size),
            (size, size),
        )[inner, inner]
        expected = np.ascontiguousarray(expected)
        _design(
            expected, stamp, basis.profiles.astype(np.float32), basis.first, basis.second, design
        )
        columns = design[:, :-1]
        columns *= norm
        columns[:, basis.lowered] -= columns[:, :1]
        good = usable[patch].ravel()
        weight = np.where(good, 1 / np.where(good, variance[patch].ravel(), 1), 0)
        data = np.where(good, visit[patch].ravel(), 0).astype(np.float64)
        root = np.sqrt(weight).astype(np.float32)
        weighted = design * root[:, None]
        normal[k] = weighted.T @ weighted
        right[k] = weighted.T @ (root * data).astype(np.float32)
        data2[k], n_data[k] = np.sum(weight * data**2), good.sum()
    return normal, right, data2, n_data


@compiled
def _design(
    template: NDArray[np.float32],
    stamp: int,
    profiles: NDArray[np.float32],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Piece of the template convolved with each basis, into the columns of ``out``."""
    taps = profiles.shape[1]
    half = taps // 2
    size = 2 * stamp + 1
    rows = size + 2 * half
    across = np.zeros((profiles.shape[0], rows, size), np.float32)
    for p in range(profiles.shape[0]):
        for i in range(rows):
            for t in range(taps):
                factor = profiles[p, t]
                if factor != 0:
                    for j in range(size):
                        across[p, i, j] += factor * template[i, j + taps - 1 - t]
    line = np.empty(size, np.float32)
    for b in range(first.size):
        weights, source = profiles[second[b]], across[first[b]]
        for i in range(size):
            line[:] = 0
            for t in range(taps):
                factor = weights[t]
                if factor != 0:
                    for j in range(size):
                        line[j] += factor * source[i + taps - 1 - t, j]
            for j in range(size):
                out[i * size + j, b] = line[j]
