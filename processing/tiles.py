"""Filters that vary over the detector, as overlapping tiles in Fourier space.

Each tile is filtered with what holds at its centre; neighbouring tiles overlap by half and are
blended linearly, so that every pixel sees the interpolation of four filters and nothing jumps.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import gaussian_filter

from processing.kernel import Kernel
from processing.psf import PsfModel, normalisation, terms

FloatImage = NDArray[np.float32]
FloatArray = NDArray[np.float64]
_HOP = 96  # pixels from one tile centre to the next


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
    """Tiles over an image of ``shape``, each with ``margin`` pixels for the reach of filters."""

    def __init__(self, shape: tuple[int, int], margin: int) -> None:
        self.shape, self.margin = shape, margin
        self.size = fft.next_fast_len(2 * _HOP + 2 * margin, real=True)
        self.pad = _HOP + self.size
        self._centres = [_centres(n) for n in shape]

    def __iter__(self) -> Iterator[Tile]:
        ny, nx = self.shape
        for cy in self._centres[0]:
            for cx in self._centres[1]:
                y0, x0 = cy - _HOP - self.margin, cx - _HOP - self.margin
                window = (
                    slice(y0 + self.pad, y0 + self.pad + self.size),
                    slice(x0 + self.pad, x0 + self.pad + self.size),
                )
                ylo, yhi = max(0, cy - _HOP), min(ny, cy + _HOP)
                xlo, xhi = max(0, cx - _HOP), min(nx, cx + _HOP)
                inner = slice(ylo - y0, yhi - y0), slice(xlo - x0, xhi - x0)
                hat_y = _hat(np.arange(ylo, yhi), cy, self._centres[0])
                hat_x = _hat(np.arange(xlo, xhi), cx, self._centres[1])
                weight = np.outer(hat_y, hat_x).astype(np.float32)
                target = slice(ylo, yhi), slice(xlo, xhi)
                yield Tile(float(cx), float(cy), window, inner, target, weight)

    def padded(self, image: NDArray[np.float32], value: float = 0.0) -> FloatImage:
        """Copy of an image with a border of ``value``, for the windows of border tiles."""
        return np.pad(image, self.pad, constant_values=np.float32(value))

    def transform(self, stamp: FloatArray) -> NDArray[np.complex64]:
        """Fourier transform of a stamp whose middle is the origin."""
        box = np.zeros((self.size, self.size), np.float32)
        n = stamp.shape[0]
        box[:n, :n] = stamp
        return np.asarray(fft.rfft2(np.roll(box, (-(n // 2), -(n // 2)), (0, 1))))


def _centres(length: int) -> list[int]:
    """Tile centres along an axis, a hop apart, the outer ones within the image if it is large."""
    count = max(1, round(length / _HOP))
    start = (length - (count - 1) * _HOP) // 2
    return [start + k * _HOP for k in range(count)]


def _hat(pixels: NDArray[np.int64], centre: int, centres: list[int]) -> FloatArray:
    """Linear blend towards the neighbours; flat beyond the first and the last tile."""
    hat = np.clip(1 - np.abs(pixels - centre) / _HOP, 0, 1)
    if centre == centres[0]:
        hat[pixels < centre] = 1
    if centre == centres[-1]:
        hat[pixels > centre] = 1
    return np.asarray(hat)


@dataclass(frozen=True)
class Filtered:
    """Result of :func:`difference`."""

    image: FloatImage  # white-noise difference; 0 where not usable
    model: FloatImage  # template convolved with the kernel
    psf: PsfModel
    stamps: dict[tuple[float, float], FloatArray]  # PSF at the centres of the tiles


def difference(
    visit: FloatImage,
    template: FloatImage,
    visit_variance: FloatImage,
    template_variance: FloatImage,
    good: NDArray[np.bool_],
    psf: PsfModel,
    kernel: Kernel,
    gauss: float,
) -> Filtered:
    """Subtract ``kernel`` * template from the visit smoothed by ``gauss``; whiten the noise.

    Parameters
    ----------
    visit, template, visit_variance, template_variance : array, shape (ny, nx)
        Variances are those of the sky, without sources.
    good : array of bool, shape (ny, nx)
        Usable pixels; elsewhere the difference is 0 and does not leak into its surroundings.
    psf : PsfModel
        Of the visit.
    kernel : Kernel
        The matching kernel, made for the visit smoothed by ``gauss``.
    gauss : float [pixel]
        Width of the Gaussian the visit is smoothed with; may be 0.
    """
    shape = (visit.shape[0], visit.shape[1])
    reach = kernel.basis.shape[1] // 2 + int(np.ceil(4 * gauss)) + 8
    grid = Grid(shape, reach)
    size = (grid.size, grid.size)
    padded = grid.padded(template)
    model = np.zeros(shape, np.float32)
    for tile in grid:
        k_hat = grid.transform(kernel.image(tile.x, tile.y))
        matched = fft.irfft2(fft.rfft2(padded[tile.window]) * k_hat, size)
        model[tile.target] += tile.weight * matched[tile.inner]
    expected = model + kernel.background_image()
    raw = grid.padded(_smoothed_residual(visit, expected, good, gauss))
    image = np.zeros(shape, np.float32)
    middle_s, middle_t = float(np.median(visit_variance)), float(np.median(template_variance))
    smoothing = grid.transform(_smoother(gauss))
    stamps = {}
    half = psf.size // 2
    for tile in grid:
        k_hat = grid.transform(kernel.image(tile.x, tile.y))
        local = good[tile.target]
        v_s = float(np.median(visit_variance[tile.target][local])) if local.any() else middle_s
        v_t = float(np.median(template_variance[tile.target][local])) if local.any() else middle_t
        power = v_s * np.abs(smoothing) ** 2 + v_t * np.abs(k_hat) ** 2
        # Noise keeps the power it has at low frequencies, where the PSF's is: phi(0) = 1. Where
        # hardly any power is left there is no signal either; amplify by 300 at most.
        phi = np.sqrt(power[0, 0] / np.maximum(power, 1e-5 * power[0, 0])).astype(np.float32)
        p_hat = grid.transform(psf.image(tile.x, tile.y)) * smoothing * phi
        stamps[tile.x, tile.y] = _crop(fft.irfft2(p_hat, size), half)
        white = fft.irfft2(fft.rfft2(raw[tile.window]) * phi, size)
        image[tile.target] += tile.weight * white[tile.inner]
    image[~good] = 0
    return Filtered(image, model, _polynomial(stamps, shape, psf.order), stamps)


def _smoother(gauss: float) -> FloatArray:
    """Stamp of the Gaussian that the visit is smoothed with, as the filter applies it."""
    half = int(np.ceil(4 * gauss)) + 1
    stamp = np.zeros((2 * half + 1, 2 * half + 1))
    stamp[half, half] = 1
    return np.asarray(gaussian_filter(stamp, gauss) if gauss > 0 else stamp)


def _smoothed_residual(
    visit: FloatImage, expected: FloatImage, good: NDArray[np.bool_], gauss: float
) -> FloatImage:
    """Smoothed visit minus what is expected of it, near 0 where not ``good``.

    Unusable pixels are replaced such that the smoothed visit is as expected there: an edge, or
    a pixel left wrong, would ring through the whitening filter.
    """
    bad = ~good
    source = np.where(good, visit, expected)
    if gauss == 0:
        return np.asarray(source - expected)
    for _ in range(8):
        residual = gaussian_filter(source, gauss) - expected
        source[bad] -= residual[bad]
    return np.asarray(gaussian_filter(source, gauss) - expected)


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
    grid = Grid(shape, half + 2)
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


def _crop(image: FloatImage, half: int) -> FloatArray:
    """Stamp of half-width ``half`` around the origin of a periodic image, sum 1."""
    stamp = np.roll(image, (half, half), (0, 1))[: 2 * half + 1, : 2 * half + 1].astype(float)
    stamp /= stamp.sum()
    return np.asarray(stamp)


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
