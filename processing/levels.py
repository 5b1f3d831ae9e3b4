"""Sky, noise and residuals of a difference: the levels by which it is judged.

Medians and the like look at about a million pixels; maps are float32 planes that are written to
again where that is possible, since fresh ones cost as much as what is computed in them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from processing import masks, smoothing
from processing.compiled import compiled
from processing.exposure import Exposure

FloatImage = NDArray[np.float32]
_BLOCK = 4  # pixels: the sky that is left is looked for on sums of blocks
_SKY_CELL = 64  # pixels: least cell in which it is followed
_SKY_PIXELS = 100  # blank pixels that this takes


def lattice(shape: tuple[int, int]) -> tuple[slice, slice]:
    """Every pixel of a small image; of a large one about a million, for medians and the like."""
    step = max(1, round(max(shape) / 1024))
    return slice(step // 2, None, step), slice(step // 2, None, step)


def sky_of_visit(visit: Exposure, usable: NDArray[np.bool_]) -> FloatImage:
    """Variance without the photons of sources, shape (ny, nx).

    A smooth map of block medians, which does not depend on how the variance plane was made.
    """

    def base(rows: slice, columns: slice) -> NDArray[np.float32]:
        seen = usable[rows, columns]
        light = np.maximum(visit.image[rows, columns][seen], 0)
        return np.asarray(visit.variance[rows, columns][seen] - light / visit.electrons_per_unit)

    ny, nx = visit.shape
    size = 128
    counts = max(1, round(ny / size)), max(1, round(nx / size))
    levels = np.full(counts, np.median(base(*lattice(visit.shape))), np.float32)
    for i, row in enumerate(np.array_split(np.arange(ny), counts[0])):
        for j, column in enumerate(np.array_split(np.arange(nx), counts[1])):
            found = base(slice(row[0], row[-1] + 1, 3), slice(column[0], column[-1] + 1, 3))
            if found.size > 0.1 * row.size * column.size / 9:
                levels[i, j] = np.median(found)
    out = np.empty(visit.shape, np.float32)
    _stretch(levels, out)
    return out


@compiled
def _stretch(levels: NDArray[np.float32], out: FloatImage) -> None:
    """Interpolate the values of blocks linearly; beyond the outer middles they stay as they are."""
    ny, nx = out.shape
    rows, columns = levels.shape
    for i in range(ny):
        s = min(max((i + 0.5) * rows / ny - 0.5, 0.0), rows - 1.0)
        r = min(int(s), max(0, rows - 2))
        t = np.float32(s - r)
        line = levels[r] + t * (levels[min(r + 1, rows - 1)] - levels[r])
        for j in range(nx):
            u = min(max((j + 0.5) * columns / nx - 0.5, 0.0), columns - 1.0)
            c = min(int(u), max(0, columns - 2))
            out[i, j] = line[c] + np.float32(u - c) * (line[min(c + 1, columns - 1)] - line[c])


def sky_of_template(template: Exposure, usable: NDArray[np.bool_]) -> tuple[FloatImage, FloatImage]:
    """Variance without the photons of sources, of the pixels themselves; shape (ny, nx).

    The depth of a template jumps where coverage ends. The second image is a plane to write to.
    """
    some, per_unit = lattice(template.shape), 1 / template.electrons_per_unit
    seen = usable[some]
    light = np.maximum(template.image[some][seen], 0)
    middle = float(np.median(template.variance[some][seen] - per_unit * light))
    base = np.empty(template.shape, np.float32)
    _without_photons(template.image, template.variance, usable, per_unit, middle, base)
    out = smoothing.box(base, 2)
    return np.maximum(out, np.float32(0.3 * middle), out=out), base


@compiled
def _without_photons(
    image: FloatImage, variance: FloatImage, usable: NDArray[np.bool_], per_unit: float,
    elsewhere: float, out: FloatImage,
) -> None:  # fmt: skip
    p, other = np.float32(per_unit), np.float32(elsewhere)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            own = variance[i, j] - p * max(image[i, j], np.float32(0))
            out[i, j] = own if usable[i, j] else other


@compiled
def with_photons(
    first: FloatImage, second: FloatImage, factor: float, light: FloatImage, per_unit: float,
    share: float, out: FloatImage,
) -> FloatImage:  # fmt: skip
    """Variance of two skies, the second times a factor, of the light and of a share of it."""
    f, p, s = np.float32(factor), np.float32(per_unit), np.float32(share)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            here = light[i, j]
            photons = p * max(here, np.float32(0)) + (s * here) ** 2
            out[i, j] = first[i, j] + f * second[i, j] + photons
    return out


@compiled
def add_share(variance: FloatImage, light: FloatImage, share: float) -> None:
    """Add the square of a share of the light."""
    s = np.float32(share)
    for i in range(variance.shape[0]):
        for j in range(variance.shape[1]):
            variance[i, j] += (s * light[i, j]) ** 2


def spread_of(values: NDArray[np.floating[Any]]) -> float:
    """Robust standard deviation about the median, from up to some hundred thousand values."""
    if values.size == 0:
        return float("nan")
    values = values.ravel()[:: max(1, values.size // 300_000)]
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def blank_pixels(
    smooth: FloatImage, variance: FloatImage, good: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Good pixels where a smoothed model shows next to nothing; in crowded fields the emptiest."""
    some = lattice(smooth.shape)
    depth = (smooth[some] / np.sqrt(variance[some]))[good[some]]
    if depth.size == 0:
        return good
    # The template's own noise must not decide: a cut within it would select quiet pixels.
    negative = depth[depth < 0]
    noise = 1.4826 * float(np.median(-negative)) if negative.size else 0.0
    limit = max(0.2 + 4 * noise, float(np.quantile(depth, 0.2)))
    out = np.empty(good.shape, np.bool_)
    _fainter(smooth, variance, good, limit, out)
    return out


@compiled
def _fainter(
    light: FloatImage, variance: FloatImage, good: NDArray[np.bool_], limit: float,
    out: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Good pixels whose light is less than ``limit`` standard deviations (not negative)."""
    squared = np.float32(limit**2)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            value = light[i, j]
            faint = value < 0 or value * value < squared * variance[i, j]
            out[i, j] = good[i, j] and faint


def subtract_sky(
    image: FloatImage, variance: FloatImage, blank: NDArray[np.bool_], good: NDArray[np.bool_]
) -> None:
    """Subtract from the good pixels, in place, what sky is left: a plane and what is beyond it."""
    plane, beyond = _sky_left(image, variance, blank)
    sky = np.empty(image.shape, np.float32)
    _stretch(beyond.astype(np.float32), sky)
    _subtract(image, good, sky, *plane)


@compiled
def _subtract(
    image: FloatImage, good: NDArray[np.bool_], sky: FloatImage, level: float, along_x: float,
    along_y: float,
) -> None:  # fmt: skip
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            if good[i, j]:
                image[i, j] -= sky[i, j] + np.float32(level + along_x * j + along_y * i)


def _sky_left(
    image: FloatImage, variance: FloatImage, blank: NDArray[np.bool_]
) -> tuple[tuple[float, float, float], NDArray[np.float64]]:
    """Find what sky is left: a plane (at the first pixel, slopes along x and y) and levels of it.

    The levels are beyond the plane, of equal cells, at most 8 x 8 and of 64 pixels at least.

    The kernel's stamps lie on stars, whose wings outside of them pass for sky: a plane. Real flats
    and scattered light leave patterns beyond it, which no visit image of a crowded field shows;
    they are followed as far as they stand out of the noise of the cells. What changed has wings
    too: blocks where something is, and those around them, do not count.
    """
    ny, nx = image.shape
    sums = np.zeros((3, ny // _BLOCK, nx // _BLOCK), np.float32)
    _sum_blocks(image, variance, blank, sums)
    count, light, noise = sums
    known = count > 0
    rows, columns = (
        np.array_split(np.arange(n // _BLOCK), np.clip(n // _SKY_CELL, 1, 8)) for n in (ny, nx)
    )
    x = np.array([c.mean() for c in columns]) * _BLOCK / nx
    y = np.array([r.mean() for r in rows]) * _BLOCK / ny
    across, down = np.meshgrid(np.arange(count.shape[1]), np.arange(count.shape[0]))
    across, down = across * (_BLOCK / nx), down * (_BLOCK / ny)
    beyond = np.zeros((len(rows), len(columns)))
    quiet, sky = known, (0.0, 0.0, 0.0)
    for _ in range(2):
        level, square = np.full(beyond.shape, np.nan), np.full(beyond.shape, np.nan)
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                cut = np.ix_(row, column)
                number = float(count[cut][quiet[cut]].sum())
                if number > _SKY_PIXELS:
                    level[i, j] = light[cut][quiet[cut]].sum() / number
                    square[i, j] = noise[cut][quiet[cut]].sum() / number**2
        seen = np.isfinite(level)
        if seen.sum() < 12:
            return (float(np.median(image[blank])) if blank.any() else 0.0, 0.0, 0.0), beyond * 0
        at_y, at_x = np.nonzero(seen)
        design = np.stack([np.ones(at_x.size), x[at_x], y[at_y]], axis=1)
        a, b, c = np.linalg.lstsq(design, level[seen], rcond=None)[0]
        sky = float(a), float(b / nx), float(c / ny)
        beyond = np.where(seen, level - (a + b * x + c * y[:, None]), 0)
        power = float(np.sum(beyond[seen] ** 2)) * at_x.size / (at_x.size - 3)
        beyond *= max(0.0, 1 - 2 * float(square[seen].sum()) / power) if power > 0 else 0.0
        smooth = a + b * across + c * down
        size = np.abs(light - smooth * count) / np.sqrt(np.where(known, noise, 1))
        quiet = known & ~masks.around(size, 4, 3) & ~masks.around(size, 30, 8)
    return sky, beyond


@compiled
def _sum_blocks(
    image: FloatImage, variance: FloatImage, blank: NDArray[np.bool_], out: FloatImage
) -> None:
    """Sum number, light and variance of the blank pixels of blocks; a part of a block is none."""
    for i in range(out.shape[1] * _BLOCK):
        for j in range(out.shape[2] * _BLOCK):
            if blank[i, j]:
                r, c = i // _BLOCK, j // _BLOCK
                out[0, r, c] += np.float32(1)
                out[1, r, c] += image[i, j]
                out[2, r, c] += variance[i, j]


def residual_fraction(
    image: FloatImage,
    variance: FloatImage,
    factor: float,
    model: FloatImage,
    good: NDArray[np.bool_],
) -> float:
    """Share f of the light for which residuals of stars are factor var + (f light)^2 wide."""
    faint = np.empty(good.shape, np.bool_)
    _fainter(model, variance, good, 10 * float(np.sqrt(factor)), faint)
    bright = good & ~faint
    if bright.sum() < 50:
        return 0.0
    d, v, m = image[bright], variance[bright] * np.float32(factor), model[bright]
    low, high = 0.0, 1.0
    if spread_of(d / np.sqrt(v)) <= 1:
        return 0.0
    for _ in range(20):
        middle = (low + high) / 2
        if spread_of(d / np.sqrt(v + (middle * m) ** 2)) > 1:
            low = middle
        else:
            high = middle
    return high


def noise_summary(
    flux_err: FloatImage, variance: FloatImage, good: NDArray[np.bool_]
) -> dict[str, Any]:
    """Noise over the usable positions: medians of the whole and of an 8 x 8 grid."""
    some = lattice(flux_err.shape)
    flux_err, variance = flux_err[some], variance[some]
    seen = good[some] & np.isfinite(flux_err)
    grid = np.full(64, np.nan)
    rows, columns = (np.array_split(np.arange(n), 8) for n in flux_err.shape)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            cut = slice(row[0], row[-1] + 1), slice(column[0], column[-1] + 1)
            if seen[cut].any():
                grid[8 * i + j] = np.median(flux_err[cut][seen[cut]])
    return {
        "diffNoise": float(np.median(flux_err[seen])),
        "diffNoiseGrid": grid.tolist(),
        "diffPixelSigma": float(np.sqrt(np.median(variance[seen]))),
    }
