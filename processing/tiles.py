"""Filters that vary over the detector, as overlapping tiles in Fourier space.

Each tile is filtered with what holds at its centre; neighbouring tiles overlap by half and are
blended linearly, so that every pixel sees the interpolation of four filters and nothing jumps.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from processing.kernel import Kernel, spectrum
from processing.psf import PsfModel, normalisation, terms

FloatImage = NDArray[np.float32]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Tile:
    """A tile: its centre, its window on the padded image and on the image itself."""

    x: float
    y: float
    window: tuple[slice, slice]  # with margins, on arrays padded by `Grid.pad`
    inner: tuple[slice, slice]  # of the window: without margins, cut at the image's border
    target: tuple[slice, slice]  # where that lies on the image
    weight: FloatImage  # of the blend


class Grid:
    """Tiles over an image of ``shape``, each with ``margin`` pixels for the reach of filters.

    ``hop`` is the distance [pixel] from one tile's centre to the next.
    """

    def __init__(self, shape: tuple[int, int], margin: int, hop: int) -> None:
        self.shape, self.margin, self.hop = shape, margin, hop
        self.size = fft.next_fast_len(2 * hop + 2 * margin, real=True)
        self.pad = self.size
        self._centres = [_centres(n, hop) for n in shape]

    def __iter__(self) -> Iterator[Tile]:
        ny, nx = self.shape
        for cy in self._centres[0]:
            for cx in self._centres[1]:
                y0, x0 = cy - self.hop - self.margin, cx - self.hop - self.margin
                window = (
                    slice(y0 + self.pad, y0 + self.pad + self.size),
                    slice(x0 + self.pad, x0 + self.pad + self.size),
                )
                ylo, yhi = max(0, cy - self.hop), min(ny, cy + self.hop)
                xlo, xhi = max(0, cx - self.hop), min(nx, cx + self.hop)
                inner = slice(ylo - y0, yhi - y0), slice(xlo - x0, xhi - x0)
                hat_y = _hat(np.arange(ylo, yhi), cy, self._centres[0], self.hop)
                hat_x = _hat(np.arange(xlo, xhi), cx, self._centres[1], self.hop)
                weight = np.outer(hat_y, hat_x).astype(np.float32)
                target = slice(ylo, yhi), slice(xlo, xhi)
                yield Tile(float(cx), float(cy), window, inner, target, weight)

    def padded(self, image: NDArray[np.float32], value: float = 0.0) -> FloatImage:
        """Copy of an image with a border of ``value``, for the windows of border tiles."""
        return np.pad(image, self.pad, constant_values=np.float32(value))

    def transform(self, stamp: FloatArray) -> NDArray[np.complex64]:
        """Fourier transform of a stamp whose middle is the origin."""
        return spectrum(stamp, self.size)


def _centres(length: int, hop: int) -> list[int]:
    """Tile centres along an axis, a hop apart, the outer ones within the image if it is large."""
    count = max(1, round(length / hop))
    start = (length - (count - 1) * hop) // 2
    return [start + k * hop for k in range(count)]


def _hat(pixels: NDArray[np.int64], centre: int, centres: list[int], hop: int) -> FloatArray:
    """Linear blend towards the neighbours; flat beyond the first and the last tile."""
    hat = np.clip(1 - np.abs(pixels - centre) / hop, 0, 1)
    if centre == centres[0]:
        hat[pixels < centre] = 1
    if centre == centres[-1]:
        hat[pixels > centre] = 1
    return np.asarray(hat)


@dataclass(frozen=True)
class Filtered:
    """Result of :func:`difference`."""

    image: FloatImage  # white-noise difference; 0 where not usable
    model: FloatImage  # template convolved with the kernel: the visit without noise
    psf: PsfModel
    stamps: dict[tuple[float, float], FloatArray]  # PSF at the centres of the tiles


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
        Variances are those of the sky, without sources.
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
    grid = Grid(shape, kernel.reach, hop(shape))
    size = (grid.size, grid.size)
    margin = (template.shape[0] - shape[0]) // 2
    padded = np.pad(template, grid.pad - margin)
    model = np.zeros(shape, np.float32)
    # Filters are made on a grid just large enough, then taken to that of the tiles.
    small = fft.next_fast_len(2 * kernel.reach + 56, real=True)
    filters = {}
    for tile in grid:
        k_small = filters[tile.x, tile.y] = kernel.transform(tile.x, tile.y, small)
        k_hat = grid.transform(_stamp(k_small, small, kernel.reach))
        matched = fft.irfft2(fft.rfft2(padded[tile.window]) * k_hat, size)
        model[tile.target] += tile.weight * matched[tile.inner]
    del padded
    raw = visit - model
    raw -= kernel.background_image()
    raw[~good] = 0
    raw = grid.padded(raw)
    image = np.zeros(shape, np.float32)
    middle_s, middle_t = _median(visit_variance), _median(template_variance)
    correlated = np.maximum(spectrum(noise, small).real, 0)
    stamps = {}
    for tile in grid:
        some = tuple(slice(cut.start, cut.stop, 5) for cut in tile.target)
        local = good[some]
        v_s = _median(visit_variance[some][local]) if local.any() else middle_s
        v_t = _median(template_variance[some][local]) if local.any() else middle_t
        power = v_s + v_t * correlated * np.abs(filters[tile.x, tile.y]) ** 2
        # Noise keeps the power it has at low frequencies, where the PSF's is: phi(0) = 1.
        phi = np.sqrt(power[0, 0] / power).astype(np.float32)
        p_hat = spectrum(psf.image(tile.x, tile.y), small) * phi
        stamp = _stamp(p_hat, small, psf.size // 2)
        stamps[tile.x, tile.y] = stamp / stamp.sum()
        phi_hat = grid.transform(_stamp(phi, small, kernel.reach))
        white = fft.irfft2(fft.rfft2(raw[tile.window]) * phi_hat, size)
        image[tile.target] += tile.weight * white[tile.inner]
    image[~good] = 0
    return Filtered(image, model, _polynomial(stamps, shape, psf.order), stamps)


def hop(shape: tuple[int, int]) -> int:
    """Distance [pixel] of filters that vary little from one to the next."""
    return int(np.clip(max(shape) // 12, 64, 288))


def _median(values: FloatImage) -> float:
    """Median of a sample of at most some ten thousand."""
    return float(np.median(values.ravel()[:: max(1, values.size // 20_000)]))


def likelihood(
    image: FloatImage,
    variance: FloatImage,
    good: NDArray[np.bool_],
    stamps: dict[tuple[float, float], FloatArray],
) -> tuple[FloatImage, FloatImage]:
    """Score (S/N of a point source at each pixel) and the standard error of its flux.

    With weights w = 1/variance, 0 where not ``good``, the maximum-likelihood flux at a pixel is
    sum(w P D) / sum(w P^2) with the variance 1 / sum(w P^2).
    """
    shape = (image.shape[0], image.shape[1])
    half = next(iter(stamps.values())).shape[0] // 2
    grid = Grid(shape, half + 2, hop(shape))
    weight = np.where(good, 1 / np.where(good, variance, 1), 0).astype(np.float32)
    w, wd = grid.padded(weight), grid.padded(weight * image)
    up, down = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for tile in grid:
        if not good[tile.target].any():
            continue
        stamp = stamps[tile.x, tile.y]
        size = (grid.size, grid.size)
        top = fft.irfft2(fft.rfft2(wd[tile.window]) * np.conj(grid.transform(stamp)), size)
        bottom = fft.irfft2(fft.rfft2(w[tile.window]) * np.conj(grid.transform(stamp**2)), size)
        up[tile.target] += tile.weight * top[tile.inner]
        down[tile.target] += tile.weight * bottom[tile.inner]
    known = good & (down > 0)
    root = np.sqrt(np.where(known, down, 1))
    score = np.where(known, up / root, 0).astype(np.float32)
    return score, np.where(known, 1 / root, np.inf).astype(np.float32)


def _stamp(transform: NDArray[Any], size: int, half: int) -> FloatArray:
    """Stamp of half-width ``half`` of what has a transform on a grid of ``size``."""
    image = np.roll(fft.irfft2(transform, (size, size)), (half, half), (0, 1))
    return np.asarray(image[: 2 * half + 1, : 2 * half + 1], dtype=np.float64)


def _polynomial(
    stamps: dict[tuple[float, float], FloatArray], shape: tuple[int, int], order: int
) -> PsfModel:
    """Polynomial PSF through the stamps of the tiles."""
    x0, y0, scale = normalisation(shape)
    places = np.array(list(stamps))
    # The whitening varies with the kernel: allow as much as the tiles determine, up to 2.
    wanted = max(order, 2)
    while (wanted + 1) * (wanted + 2) // 2 > len(places) // 2 and wanted > 0:
        wanted -= 1
    basis = terms(wanted, (places[:, 0] - x0) / scale, (places[:, 1] - y0) / scale)
    flat = np.stack(list(stamps.values())).reshape(len(places), -1)
    planes: FloatArray = np.linalg.lstsq(basis, flat, rcond=None)[0].astype(np.float64)
    size = next(iter(stamps.values())).shape
    return PsfModel(planes.reshape(-1, *size), wanted, x0, y0, scale)
