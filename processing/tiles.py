"""Filters that vary over the detector, in Fourier space.

The detector is cut into cells. What is filtered in a cell is filtered with what holds at each of
its four corners, and the four results are blended linearly: every pixel sees the interpolation of
four filters and nothing jumps.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from processing.compiled import compiled
from processing.kernel import Kernel, spectrum
from processing.psf import PsfModel, normalisation, terms

FloatImage = NDArray[np.float32]
FloatArray = NDArray[np.float64]
_FILTERS = 8  # cells along the longer side of a detector, for filters
_SCORES = 6  # and for scores
_SMALLEST = 96  # pixels of a cell's side, at least


@dataclass(frozen=True)
class Cell:
    """Rows and columns of a cell, and its number along y and x."""

    rows: slice
    columns: slice
    i: int
    j: int


class Cells:
    """Cells of nearly equal size over an image of ``shape`` (ny, nx), ``count`` on the longer side.

    ``y``, ``x`` [pixel] are the lines between them, borders included, at the pixels' edges: their
    crossings are the corners.
    """

    def __init__(self, shape: tuple[int, int], count: int) -> None:
        side = max(max(shape) / count, _SMALLEST)
        counts = [max(1, int(np.ceil(n / side))) for n in shape]
        self._edges = [
            np.linspace(0, n, count + 1).round().astype(int)
            for n, count in zip(shape, counts, strict=True)
        ]
        self.y, self.x = (edges - 0.5 for edges in self._edges)
        self.longest = max(int(np.diff(edges).max()) for edges in self._edges)

    def __iter__(self) -> Iterator[Cell]:
        rows, columns = self._edges
        for i in range(len(rows) - 1):
            for j in range(len(columns) - 1):
                yield Cell(slice(rows[i], rows[i + 1]), slice(columns[j], columns[j + 1]), i, j)


def convolved(
    image: FloatImage,
    shape: tuple[int, int],
    reach: int,
    stamp: Callable[[float, float], NDArray[Any]],
) -> FloatImage:
    """Convolve with a filter that varies.

    Parameters
    ----------
    image : array, shape (ny + 2 m, nx + 2 m)
        Perhaps with ``m`` pixels more on every side; beyond it is 0.
    shape : tuple
        (ny, nx), of the result.
    reach : int [pixel]
        Half-width of the filters.
    stamp : callable
        Filter at (x, y), shape (2 reach + 1, 2 reach + 1).

    Returns
    -------
    array, shape (ny, nx)
    """
    cells = Cells(shape, _FILTERS)
    size = fft.next_fast_len(cells.longest + 2 * reach, real=True)
    margin = (image.shape[0] - shape[0]) // 2
    out = np.empty(shape, np.float32)
    window = np.empty((size, size), np.float32)
    products = np.empty((4, size, size // 2 + 1), np.complex64)

    def line(i: int) -> list[NDArray[np.complex64]]:
        return [_transform(stamp(float(x), float(cells.y[i])), size) for x in cells.x]

    above = below = line(0)
    for cell in cells:
        if cell.j == 0:
            above, below = below, line(cell.i + 1)
        shift = margin - reach
        _cut(image, cell.rows.start + shift, cell.columns.start + shift, window)
        if not window.any():
            out[cell.rows, cell.columns] = 0
            continue
        here = fft.rfft2(window)
        corners = above[cell.j], above[cell.j + 1], below[cell.j], below[cell.j + 1]
        for k, corner in enumerate(corners):
            np.multiply(here, corner, out=products[k])
        parts = fft.irfft2(products, (size, size), overwrite_x=True)
        _blend(parts, 2 * reach, out[cell.rows, cell.columns])
    return out


def _transform(stamp: NDArray[Any], size: int) -> NDArray[np.complex64]:
    """Fourier transform, on a grid of ``size``, of a stamp whose first pixel is the origin."""
    rows = fft.rfft(stamp.astype(np.float32), size, axis=1)
    return np.asarray(fft.fft(rows, size, axis=0, overwrite_x=True))


@compiled
def _cut(image: FloatImage, row: int, column: int, out: FloatImage) -> None:
    """Copy a window that begins at (row, column), 0 where there is no image."""
    ny, nx = image.shape
    low, high = max(0, -column), min(out.shape[1], nx - column)
    for i in range(out.shape[0]):
        r = row + i
        if r < 0 or r >= ny or high <= low:
            out[i] = 0
            continue
        out[i, :low] = 0
        out[i, low:high] = image[r, column + low : column + high]
        out[i, high:] = 0


@compiled
def _blend(parts: NDArray[np.float32], first: int, out: FloatImage) -> None:
    """Bilinear blend of four images, whose first pixels (``first``, ``first``) are needed."""
    ny, nx = out.shape
    for i in range(ny):
        s = np.float32((i + 0.5) / ny)
        a, b = parts[0, first + i, first:], parts[1, first + i, first:]
        c, d = parts[2, first + i, first:], parts[3, first + i, first:]
        for j in range(nx):
            t = np.float32((j + 0.5) / nx)
            top, bottom = a[j] + t * (b[j] - a[j]), c[j] + t * (d[j] - c[j])
            out[i, j] = top + s * (bottom - top)


@dataclass(frozen=True)
class Filtered:
    """Result of :func:`difference`."""

    image: FloatImage  # white-noise difference; 0 where not usable
    model: FloatImage  # template convolved with the kernel: the visit without noise
    psf: PsfModel


def difference(
    visit: FloatImage,
    template: FloatImage,
    visit_variance: FloatImage,
    template_variance: FloatImage,
    noise: FloatArray,
    good: NDArray[np.bool_],
    psf: PsfModel,
    kernel: Kernel,
) -> Filtered:
    """Subtract ``kernel`` * template from the visit and whiten the noise.

    Parameters
    ----------
    visit, visit_variance, template_variance : array, shape (ny, nx)
        Variances are those of the sky, without sources. The visit is overwritten.
    template : array, shape (ny + 2 m, nx + 2 m)
        On the pixels of the visit and ``m`` more on every side.
    noise : array, shape (n, n)
        How the template's noise is correlated (``Exposure.noise``).
    good : array of bool, shape (ny, nx)
        Usable pixels; elsewhere the difference is 0 and does not leak into its surroundings.
    psf : PsfModel
        Of the visit.
    kernel : Kernel
        The matching kernel.
    """
    shape = (visit.shape[0], visit.shape[1])
    # Filters are made on a grid just large enough.
    small = fft.next_fast_len(2 * kernel.reach + 56, real=True)
    power: dict[tuple[float, float], FloatImage] = {}

    def matching(x: float, y: float) -> FloatArray:
        here = kernel.transform(x, y, small)
        power[x, y] = here.real**2 + here.imag**2
        return stamp_of(here, small, kernel.reach)

    model = convolved(template, shape, kernel.reach, matching)
    _subtract(visit, model, *kernel.background_plane(), good, visit)
    correlated = np.maximum(spectrum(noise, small).real, 0)
    levels = _levels(visit_variance, template_variance, good, list(power))
    stamps = {}

    def whitening(x: float, y: float) -> FloatArray:
        v_s, v_t = levels[x, y]
        noise_power = v_s + v_t * correlated * power[x, y]
        # Noise keeps the power it has at low frequencies, where the PSF's is: phi(0) = 1.
        phi = np.sqrt(noise_power[0, 0] / noise_power).astype(np.float32)
        stamps[x, y] = stamp_of(spectrum(psf.image(x, y), small) * phi, small, psf.size // 2)
        return stamp_of(phi, small, kernel.reach)

    image = convolved(visit, shape, kernel.reach, whitening)
    image[~good] = 0
    return Filtered(image, model, _polynomial(stamps, shape, psf.order))


@compiled
def _subtract(
    visit: FloatImage, model: FloatImage, sky: float, along_x: float, along_y: float,
    good: NDArray[np.bool_], out: FloatImage,
) -> None:  # fmt: skip
    """Visit minus model minus a plane; 0 where not good."""
    ny, nx = out.shape
    for i in range(ny):
        for j in range(nx):
            plane = np.float32(sky + along_x * j + along_y * i)
            out[i, j] = visit[i, j] - model[i, j] - plane if good[i, j] else np.float32(0)


def _levels(
    visit: FloatImage,
    template: FloatImage,
    good: NDArray[np.bool_],
    places: list[tuple[float, float]],
) -> dict[tuple[float, float], tuple[float, float]]:
    """Variances of both skies around places: medians of good pixels, else of the whole."""
    reach = Cells((visit.shape[0], visit.shape[1]), _FILTERS).longest // 2
    whole = _median(visit), _median(template)
    out = {}
    for x, y in places:
        cut = tuple(slice(max(0, int(at + 0.5) - reach), int(at + 0.5) + reach, 5) for at in (y, x))
        local = good[cut]
        out[x, y] = whole
        if local.any():
            out[x, y] = _median(visit[cut][local]), _median(template[cut][local])
    return out


def _median(values: FloatImage) -> float:
    """Median of a sample of at most some ten thousand."""
    return float(np.median(values.ravel()[:: max(1, values.size // 20_000)]))


def likelihood(
    image: FloatImage, variance: FloatImage, good: NDArray[np.bool_], psf: PsfModel
) -> tuple[FloatImage, FloatImage]:
    """Score (S/N of a point source at each pixel) and the standard error of its flux.

    With weights w = 1/variance, 0 where not ``good``, the maximum-likelihood flux at a pixel is
    sum(w P D) / sum(w P^2) with the variance 1 / sum(w P^2). P is that of the middle of a cell:
    the score of a point source depends on an error of P in second order only.
    """
    shape = (image.shape[0], image.shape[1])
    cells = Cells(shape, _SCORES)
    half = psf.size // 2
    size = fft.next_fast_len(cells.longest + 2 * half, real=True)
    windows = np.empty((2, size, size), np.float32)
    score, error = np.empty(shape, np.float32), np.empty(shape, np.float32)
    for cell in cells:
        inside = cell.rows, cell.columns
        _weigh(image, variance, good, cell.rows.start - half, cell.columns.start - half, windows)
        x, y = (0.5 * (cut.start + cut.stop - 1) for cut in (cell.columns, cell.rows))
        # A correlation is the convolution with the stamp turned by half a circle.
        stamp = psf.image(x, y)[::-1, ::-1]
        sums = fft.rfft2(windows)
        sums[0] *= _transform(stamp, size)
        sums[1] *= _transform(stamp**2, size)
        sums = fft.irfft2(sums, (size, size), overwrite_x=True)
        _significance(sums, 2 * half, good[inside], score[inside], error[inside])
    return score, error


@compiled
def _weigh(
    image: FloatImage, variance: FloatImage, good: NDArray[np.bool_], row: int, column: int,
    out: FloatImage,
) -> None:  # fmt: skip
    """Weighted image and weights of a window that begins at (row, column)."""
    ny, nx = image.shape
    for i in range(out.shape[1]):
        r = row + i
        for j in range(out.shape[2]):
            c = column + j
            weight = np.float32(0)
            value = np.float32(0)
            if 0 <= r < ny and 0 <= c < nx and good[r, c]:
                weight = np.float32(1) / variance[r, c]
                value = weight * image[r, c]
            out[0, i, j] = value
            out[1, i, j] = weight


@compiled
def _significance(
    sums: FloatImage, first: int, good: NDArray[np.bool_], score: FloatImage, error: FloatImage
) -> None:
    one, nothing, infinite = np.float32(1), np.float32(0), np.float32(np.inf)
    for i in range(good.shape[0]):
        up, down = sums[0, first + i, first:], sums[1, first + i, first:]
        seen, here, width = good[i], score[i], error[i]
        for j in range(seen.size):
            known = seen[j] & (down[j] > nothing)
            root = np.sqrt(down[j] if known else one)
            here[j] = up[j] / root if known else nothing
            width[j] = one / root if known else infinite


def stamp_of(transform: NDArray[Any], size: int, half: int) -> FloatArray:
    """Stamp of half-width ``half`` of what has a transform on a grid of ``size``."""
    image = fft.irfft2(transform, (size, size))
    around = np.arange(-half, half + 1)
    return np.asarray(image[np.ix_(around, around)], dtype=np.float64)


def _polynomial(
    stamps: dict[tuple[float, float], FloatArray], shape: tuple[int, int], order: int
) -> PsfModel:
    """Polynomial PSF through the stamps at places."""
    x0, y0, scale = normalisation(shape)
    places = np.array(list(stamps))
    # The whitening varies with the kernel: allow as much as the places determine, up to 2.
    wanted = max(order, 2)
    while (wanted + 1) * (wanted + 2) // 2 > len(places) // 2 and wanted > 0:
        wanted -= 1
    basis = terms(wanted, (places[:, 0] - x0) / scale, (places[:, 1] - y0) / scale)
    flat = np.stack(list(stamps.values())).reshape(len(places), -1)
    planes: FloatArray = np.linalg.lstsq(basis, flat, rcond=None)[0].astype(np.float64)
    size = next(iter(stamps.values())).shape
    return PsfModel(planes.reshape(-1, *size), wanted, x0, y0, scale)
