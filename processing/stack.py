"""Images on one grid, with one PSF, averaged without what moved or varied.

The planes of many visits do not fit into memory: beyond half a gigabyte they lie in a file, and
what looks at all of them looks at one block after the other, with so much of its surroundings that
the result does not depend on the blocks. DPDD section 14; DIA-03; design section 9.
"""

import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy.ndimage import gaussian_filter

from processing.compiled import compiled
from processing.exposure import Mask, Psf
from processing.masks import spread
from processing.matching import Matcher
from processing.psf import fwhm
from processing.resampling import filled
from processing.star_shifts import Evidence

FloatArray = NDArray[np.float64]
FloatImage = NDArray[np.float32]
_LOST = int(Mask.BAD | Mask.CR | Mask.NO_DATA | Mask.STREAK | Mask.SAT)
_LEFT_OUT = np.int16(1 << 14)  # mask bit: not in the average
_CLIP = 5.0  # standard deviations from the median of all inputs
_ALIKE = 0.3  # of the median's light that inputs may differ by
_GROW = 1.5  # PSF sigmas rejected around an outlier: its wings are below the clip
_LEVEL = 64  # pixels a side of the squares in which skies are compared
_HELD = 2**29  # bytes of planes kept in memory
_BLOCK = 2**25  # pixels of all inputs together that are looked at at once, if as few as
_LEAST = 128  # pixels a side, without margins, of a block allow it


class Stack:
    """Planes of ``n`` visits on a grid of ``shape`` (ny, nx)."""

    def __init__(self, n: int, shape: tuple[int, int]) -> None:
        self.shape = shape
        size = (n, *shape)
        inside = 10 * n * shape[0] * shape[1] < _HELD
        self.image: FloatImage = _plane(size, np.float32, inside)
        self.variance: FloatImage = _plane(size, np.float32, inside)
        self.mask: NDArray[np.int16] = _plane(size, np.int16, inside)
        self.slope = np.zeros((n, 3))  # of the sky of each: constant, across x, across y
        self.sky = np.zeros(n)  # variance of each without sources; 0 where nothing is usable

    def __len__(self) -> int:
        return len(self.image)

    def put(
        self,
        k: int,
        image: FloatImage,
        variance: FloatImage,
        mask: NDArray[np.int32],
        psf: Psf,
        matcher: Matcher | None,
    ) -> None:
        """Take visit ``k`` on the grid, whose PSF is ``psf`` until the matcher makes it common."""
        if matcher is not None:
            nothing = (mask & int(Mask.NO_DATA)) != 0
            image = matcher.convolve(filled(image, nothing), psf)
            image[nothing] = 0
            own = _middle_width(psf, nothing)
            reach = int(np.ceil(1 + 1.5 * np.sqrt(abs(matcher.width**2 - own**2))))
            mask = spread(mask, _LOST, reach)
        self.image[k], self.variance[k], self.mask[k] = image, variance, mask
        good = self._usable(mask)
        self.sky[k] = float(np.quantile(variance[good][::7], 0.25)) if good.any() else 0.0

    def _usable(self, mask: NDArray[Any]) -> NDArray[np.bool_]:
        # EDGE pixels are interpolated from fewer neighbours but good enough in an average of many.
        lost = _LOST if len(self) > 1 else _LOST | int(Mask.EDGE)
        return np.asarray((mask & lost) == 0)

    def _blocks(
        self, side: int, margin: int
    ) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
        """Blocks of at most ``side`` pixels: with their margins on the grid, and without in it."""
        ny, nx = self.shape
        for y in range(0, ny, side):
            for x in range(0, nx, side):
                y0, x0 = max(0, y - margin), max(0, x - margin)
                y1, x1 = min(ny, y + side), min(nx, x + side)
                wide = slice(y0, min(ny, y1 + margin)), slice(x0, min(nx, x1 + margin))
                yield wide, (slice(y - y0, y1 - y0), slice(x - x0, x1 - x0))

    def _cut(self, wide: tuple[slice, slice]) -> tuple[FloatImage, NDArray[np.int16]]:
        """Levelled images and masks of a block."""
        image = np.array(self.image[(slice(None), *wide)])
        ny, nx = self.shape
        x = np.arange(wide[1].start, wide[1].stop) / nx - 0.5
        y = np.arange(wide[0].start, wide[0].stop)[:, None] / ny - 0.5
        for k, plane in enumerate(self.slope):
            if plane.any():
                image[k] -= (plane[0] + plane[1] * x + plane[2] * y).astype(np.float32)
        return image, np.array(self.mask[(slice(None), *wide)])

    def level(self) -> None:
        """Find the plane by which each image's sky differs from the median of all."""
        ny, nx = self.shape
        found: list[list[tuple[float, float, float]]] = [[] for _ in range(len(self))]
        for wide, _ in self._blocks(_LEVEL, 0):
            image, mask = self._cut(wide)
            usable = self._usable(mask)
            common = usable.sum(axis=0) > 1
            if common.sum() < _LEVEL:
                continue
            middle = np.zeros(image.shape[1:], np.float32)
            _medians(image, usable, middle, fainter=False)
            x = (wide[1].start + _LEVEL / 2) / nx - 0.5
            y = (wide[0].start + _LEVEL / 2) / ny - 0.5
            for k in range(len(self)):
                both = common & usable[k]
                if both.sum() >= _LEVEL:
                    found[k].append((x, y, float(np.median((image[k] - middle)[both]))))
        for k, points in enumerate(found):
            if not points:
                continue
            x_of, y_of, level = np.array(points).T
            design = np.stack([np.ones(len(x_of)), x_of, y_of], axis=1)
            if len(points) < 9:
                design[:, 1:] = 0
            self.slope[k] = np.linalg.lstsq(design, level, rcond=None)[0]

    def average(
        self, weight: FloatArray, correlation: list[FloatArray], width: float
    ) -> tuple[FloatImage, FloatImage, NDArray[np.int32]]:
        """Weighted mean of what agrees, its variance and its mask.

        Parameters
        ----------
        weight : array, shape (n,)
        correlation : list of arrays
            Of the noise of each.
        width : float [pixel]
            Gaussian width of the common PSF.
        """
        mean, variance = np.zeros(self.shape, np.float32), np.zeros(self.shape, np.float32)
        bits = np.zeros(self.shape, np.int32)
        # As far as light, holes and outliers reach.
        margin = 24 + 4 + int(np.ceil(10 * width)) + int(np.ceil(_GROW * width)) + 2
        side = max(_LEAST, int(np.sqrt(_BLOCK / len(self))) - 2 * margin)
        noise = np.array([self.sky[k] * _smoothed(c) for k, c in enumerate(correlation)])
        for wide, inner in self._blocks(side, margin):
            image, mask = self._cut(wide)
            usable = self._usable(mask)
            if len(self) > 1:
                usable &= ~_outliers(image, usable, noise, width)
            cut = (slice(None), *inner)
            y, x = (
                slice(w.start + i.start, w.start + i.stop) for w, i in zip(wide, inner, strict=True)
            )
            _combine(
                image[cut], self.variance[:, y, x], mask[cut], usable[cut], weight,
                mean[y, x], variance[y, x], bits[y, x],
                int(Mask.NO_DATA), int(Mask.EDGE), int(Mask.INTRP),
            )  # fmt: skip
            self.mask[:, y, x] |= np.where(usable[cut], np.int16(0), _LEFT_OUT)
        return mean, variance, bits

    def collect(self, evidence: Evidence, mean: FloatImage) -> None:
        """Show an average and what went into it to :class:`processing.star_shifts.Evidence`."""
        side = max(_LEAST, int(np.sqrt(_BLOCK / len(self))))
        for wide, inner in self._blocks(side, evidence.half + 1):
            image, mask = self._cut(wide)
            corner = wide[0].start, wide[1].start
            evidence.collect(image, (mask & _LEFT_OUT) == 0, mean[wide], inner, corner)


def _plane(size: tuple[int, ...], kind: DTypeLike, inside: bool) -> NDArray[Any]:
    if inside:
        return np.zeros(size, kind)
    # The file has no name and is gone with the array.
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, kind, "w+", shape=size)


def _middle_width(psf: Psf, nothing: NDArray[np.bool_]) -> float:
    """Gaussian width [pixel] of the PSF in the middle of what is covered."""
    rows, columns = np.flatnonzero(~nothing.all(axis=1)), np.flatnonzero(~nothing.all(axis=0))
    if rows.size == 0:
        return 0.0
    x, y = float(columns[0] + columns[-1]) / 2, float(rows[0] + rows[-1]) / 2
    return fwhm(psf.image(x, y)) / 2.3548


def _smoothed(correlation: FloatArray) -> float:
    """Share of the variance left by a Gaussian of sigma 1, under its own correlation.

    The Gaussian's own is exp(-d^2 / 4) / 4 pi.
    """
    half = correlation.shape[0] // 2
    lag2 = np.sum(np.mgrid[-half : half + 1, -half : half + 1] ** 2, axis=0)
    return float(np.sum(correlation * np.exp(-lag2 / 4)) / (4 * np.pi))


def _outliers(
    image: FloatImage, usable: NDArray[np.bool_], noise: FloatArray, width: float
) -> NDArray[np.bool_]:
    """Pixels of each input that disagree with the others, shape (n, ny, nx).

    All have the same PSF, of Gaussian width ``width`` [pixel]; a little smoothing, after which
    they have the variance ``noise``, lets the noise of single pixels go.
    """
    common = np.zeros_like(image)
    for k in range(len(image)):
        if usable[k].any():
            common[k] = gaussian_filter(filled(image[k], ~usable[k]), 1.0)
    middle = np.zeros(image.shape[1:], np.float32)
    _medians(common, usable, middle, fainter=True)
    # What is left of the PSFs' differences scales with the light of the star, in its wings with
    # that of its core; so do variable stars, which stay in the average.
    light = np.maximum(middle, 0)
    allowed = _ALIKE * light + gaussian_filter(light, 2.5 * width)
    found = np.zeros(image.shape, bool)
    several = usable.sum(axis=0) > 1
    reach = int(np.ceil(_GROW * width))
    for k in range(len(image)):
        limit = _CLIP * np.sqrt(noise[k] + noise.max() / 2) + allowed
        far = several & usable[k] & (np.abs(common[k] - middle) > limit)
        if far.any():
            found[k] = (spread(far.astype(np.int32), 1, reach) != 0) & several
    # The last input of a pixel stays, whatever the others say.
    return found & (usable & ~found).any(axis=0)


@compiled
def _medians(image: FloatImage, usable: NDArray[np.bool_], out: FloatImage, fainter: bool) -> None:
    """Median over the usable inputs, 0 where there is none; of two the fainter, if wanted."""
    n, ny, nx = image.shape
    values = np.empty(n, np.float32)
    for i in range(ny):
        for j in range(nx):
            count = 0
            for k in range(n):
                if usable[k, i, j]:
                    value = image[k, i, j]
                    place = count
                    while place > 0 and values[place - 1] > value:
                        values[place] = values[place - 1]
                        place -= 1
                    values[place] = value
                    count += 1
            if count == 0:
                continue
            if count % 2 == 1 or (count == 2 and fainter):
                out[i, j] = values[(count - 1) // 2]
            else:
                out[i, j] = (values[count // 2 - 1] + values[count // 2]) / 2


@compiled
def _combine(
    image: FloatImage, variance: FloatImage, mask: NDArray[np.int16], usable: NDArray[np.bool_],
    weight: FloatArray, mean: FloatImage, mean_variance: FloatImage, bits: NDArray[np.int32],
    no_data: int, edge: int, intrp: int,
) -> None:  # fmt: skip
    """Weighted mean of the usable inputs of each pixel, its variance and mask."""
    n, ny, nx = image.shape
    for i in range(ny):
        for j in range(nx):
            some, covered = False, False
            every, reasons = 0, 0
            for k in range(n):
                some = some or (usable[k, i, j] and weight[k] > 0)
                covered = covered or (mask[k, i, j] & no_data) == 0
                reasons |= mask[k, i, j]
                if usable[k, i, j]:
                    every |= mask[k, i, j] & intrp
            if not covered:
                mean_variance[i, j] = np.inf
                bits[i, j] = no_data
                continue
            # Where no input is usable (say, saturated in all) their mean keeps the image smooth;
            # the mask gives the reasons of the inputs that cover the place.
            total, noise, down = 0.0, 0.0, 0.0
            for k in range(n):
                if usable[k, i, j] if some else (mask[k, i, j] & no_data) == 0:
                    total += weight[k] * image[k, i, j]
                    noise += weight[k] * weight[k] * variance[k, i, j]
                    down += weight[k]
            if down > 0:
                mean[i, j] = total / down
                mean_variance[i, j] = noise / (down * down)
            else:
                mean_variance[i, j] = np.inf
            bits[i, j] = every if some else reasons & ~edge & ~no_data
