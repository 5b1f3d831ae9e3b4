"""Trails of satellites and aeroplanes across a visit image (DIA-08; mask plane STREAK).

The image in units of its noise is binned to cells as wide as the PSF, and summed along all lines
across it by the fast Radon transform (Brady 1998, SIAM J. Comput. 27, 107). What stands out is
looked at again on the pixels: a trail is straight, even and long. Stars in a row are not even, the
trails of asteroids are not long, and the spikes of bright stars are neither.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from processing.compiled import compiled
from processing.exposure import FloatImage

FloatArray = NDArray[np.float64]
BoolImage = NDArray[np.bool_]

MIN_LENGTH = 40.0  # arcsec: asteroids move 15 at most, edge-on galaxies are shorter
_MOST = 10  # trails of an image
_STANDS_OUT = 7.0  # standard deviations of the sums along lines
_CLIP = (-3.0, 4.0)  # standard deviations of a cell: stars count little
_EVEN = 0.75  # of a trail's pieces that have at least a third of its light
_SMOOTH = 17  # cells: halos and galaxies are wider than trails
_REACH = 10.0  # FWHM: a trail's surroundings


@dataclass(frozen=True)
class Streak:
    """A trail: pixels of its ends on the image, and half of the width it takes [pixel]."""

    x: tuple[float, float]
    y: tuple[float, float]
    half_width: float

    def covers(self, shape: tuple[int, int]) -> BoolImage:
        """Pixels of the trail, shape (ny, nx)."""
        row, column = np.ogrid[: shape[0], : shape[1]]
        dx, dy = self.x[1] - self.x[0], self.y[1] - self.y[0]
        length = np.hypot(dx, dy)
        u, v = np.float32(dx / length), np.float32(dy / length)
        column, row = column - np.float32(self.x[0]), row - np.float32(self.y[0])
        along, across = column * u + row * v, row * u - column * v
        inside = (np.abs(across) <= self.half_width) & (along >= -self.half_width)
        return np.asarray(inside & (along <= length + self.half_width))


def find(
    image: FloatImage,
    noise: FloatImage,
    lost: BoolImage,
    fwhm: float,
    scale: float,
    *,
    both_signs: bool = False,
) -> list[Streak]:
    """Find trails.

    Parameters
    ----------
    image : array, shape (ny, nx)
        Less its background.
    noise : array
        Standard deviation of an empty pixel.
    lost : array of bool
        Pixels without usable flux.
    fwhm : float [pixel]
        Width of the PSF, to a tenth.
    scale : float [arcsec/pixel]
    both_signs : bool
        Find dark trails as well: those of the first snap in a difference of two.

    Returns
    -------
    list of Streak
        Those that stand out most come first. Trails shorter than 40 arcsec on the image are not
        found, faint ones not where they cross a small part of it.
    """
    good = ~lost
    cell = max(1, round(fwhm))
    found: list[Streak] = []
    tried = 0
    while tried < 2 * _MOST and len(found) < _MOST:
        value, count = _binned(image, noise, good, cell)
        line, sign = _brightest_line(value, count, cell, MIN_LENGTH / scale, both_signs)
        if line is None:
            break
        streak, seen = _look((image, sign * noise, good), line, fwhm, MIN_LENGTH / scale)
        if streak is not None:
            found.append(streak)
        # What was looked at is not looked at again, whatever it is.
        good &= ~(streak or seen).covers(good.shape)
        tried += 1
    return found


@compiled
def _binned(
    image: FloatImage, noise: FloatImage, good: BoolImage, cell: int
) -> tuple[FloatImage, FloatImage]:
    """Signal over noise of square cells, and how many good pixels they have."""
    ny, nx = image.shape[0] // cell, image.shape[1] // cell
    value = np.zeros((ny, nx), np.float32)
    count = np.zeros((ny, nx), np.float32)
    for y in range(ny * cell):
        for x in range(nx * cell):
            if good[y, x]:
                value[y // cell, x // cell] += image[y, x] / noise[y, x]
                count[y // cell, x // cell] += 1
    value /= np.sqrt(np.maximum(count, np.float32(1)))
    return value, count


def _brightest_line(
    value: FloatImage, count: FloatImage, cell: int, shortest: float, both_signs: bool
) -> tuple[tuple[float, float, float, float] | None, int]:
    """Find the line with the most light for its noise: its ends (x, y, x, y) [pixel], its sign."""
    ny, nx = value.shape
    weight = count > 0.3 * cell**2
    if min(ny, nx) < 8 or weight.sum() < 64:
        return None, 1
    low = -_CLIP[1] if both_signs else _CLIP[0]
    value = np.where(weight, np.clip(value, low, _CLIP[1]), np.float32(0))
    around = ndimage.uniform_filter(value, _SMOOTH, mode="nearest")
    share = ndimage.uniform_filter(weight.astype(np.float32), _SMOOTH, mode="nearest")
    value = np.where(weight, value - around / np.maximum(share, 0.1), np.float32(0))
    size = 1 << int(np.ceil(np.log2(max(ny, nx))))
    best, ends, sign = _STANDS_OUT, None, 1
    for turned in (False, True):
        for mirrored in (False, True):
            planes = []
            for plane in (value, weight.astype(np.float32)):
                square = np.zeros((size, size), np.float32)
                square[:ny, :nx] = plane
                square = square.T if turned else square
                planes.append(_radon(square[::-1] if mirrored else square))
            sums, number = planes
            # Half of a line's cells count at least: a line along a masked column tells nothing.
            enough = number > max(8.0, shortest / cell / np.sqrt(2))
            if not enough.any():
                continue
            light = np.where(enough, sums / np.sqrt(np.maximum(number, 1)), np.float32(0))
            sample = light[enough][::4]  # of a million lines a quarter tells their spread
            middle = np.median(sample)
            spread = 1.4826 * np.median(np.abs(sample - middle))
            light = np.where(enough, (light - middle) / max(spread, 1e-6), np.float32(0))
            strength = np.abs(light) if both_signs else light
            slope, first = np.unravel_index(int(strength.argmax()), light.shape)
            if strength[slope, first] <= best:
                continue
            best, sign = float(strength[slope, first]), 1 if light[slope, first] > 0 else -1
            u = np.array([0.0, size - 1.0])
            v = np.array([0.0, float(slope)]) + first - size
            v = size - 1 - v if mirrored else v
            x, y = (v, u) if turned else (u, v)
            middle_of = (cell - 1) / 2
            ends = tuple(float(cell * c + middle_of) for c in (x[0], y[0], x[1], y[1]))
    return ends, sign  # type: ignore[return-value]


def _radon(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Add up along lines that climb from column 0 to the last by 0 to n - 1 rows.

    Returns
    -------
    array, shape (n, 2 n)
        By climb, and by the row in column 0 plus n.
    """
    n = image.shape[0]
    # By block of columns, climb within it, and row in its first column; rows below 0 as well.
    sums = np.zeros((n, 1, 2 * n), np.float32)
    sums[:, 0, n:] = image.T
    while len(sums) > 1:
        left, right = sums[::2], sums[1::2]
        climbs = sums.shape[1]
        sums = np.zeros((len(left), 2 * climbs, 2 * n), np.float32)
        for climb in range(climbs):
            for step in (0, 1):
                out, shift = sums[:, 2 * climb + step], climb + step
                out[:] = left[:, climb]
                out[:, : 2 * n - shift] += right[:, climb, shift:]
    return np.asarray(sums[0])


def _look(
    planes: tuple[FloatImage, FloatImage, BoolImage],
    line: tuple[float, float, float, float],
    fwhm: float,
    shortest: float,
) -> tuple[Streak | None, Streak]:
    """Judge a line on the pixels: the trail, if it is one, and what was looked at."""
    shape = planes[0].shape
    whole = _clipped(line, shape)
    seen = Streak((whole[0], whole[2]), (whole[1], whole[3]), fwhm)
    if np.hypot(whole[2] - whole[0], whole[3] - whole[1]) < shortest:
        return None, seen
    # Twice: where the line was off by a cell at its ends the first centre is, too.
    for _ in range(2):
        strip, _ = _strip(planes, whole, _REACH * fwhm)
        whole = _clipped(_centred(strip, whole, fwhm), shape)
    seen = Streak((whole[0], whole[2]), (whole[1], whole[3]), fwhm)
    strip, there = _strip(planes, whole, _REACH * fwhm)
    reach = strip.shape[1] // 2
    across = np.abs(np.arange(-reach, reach + 1))
    core, beside = across < 0.6 * fwhm, (across > 4 * fwhm) & (across < 8 * fwhm)
    piece = max(4, round(4 * fwhm))
    count = len(strip) // piece
    need = int(np.ceil(shortest / piece))
    if count < need:
        return None, seen

    def pieces(values: NDArray[Any], columns: NDArray[np.bool_]) -> NDArray[Any]:
        return np.asarray(values[: count * piece, columns].reshape(count, -1))

    number = pieces(there, core).sum(axis=1).astype(float)
    known = number > 0.3 * piece * core.sum()
    light = np.clip(pieces(strip, core), -3, 8).sum(axis=1) / np.maximum(number, 1)
    level = light - np.median(pieces(strip, beside), axis=1)
    # A gap tells nothing: it has the light of what is around it.
    if known.any():
        level = np.interp(np.arange(count), np.flatnonzero(known), level[known])
    # Medians, a floor and a ceiling, so that stars on the line neither make nor hide a trail.
    typical = float(ndimage.median_filter(level, need, mode="nearest").max())
    level = np.clip(level, 0, 2 * typical)
    begin, end = _best_run(level - 0.5 * typical)
    inside = np.arange(begin, end)
    inside = inside[known[begin:end]]
    if end - begin < need or len(inside) < 0.5 * (end - begin):
        return None, seen
    mean, middle = float(level[inside].mean()), float(np.median(level[inside]))
    noise = 1 / np.sqrt(number[inside].sum())
    even = (level[inside] > 0.33 * mean).mean()
    if mean < _STANDS_OUT * noise or even < _EVEN or not 0.6 < middle / mean < 1.6:
        return None, seen
    first, last = begin * piece, min(end * piece, len(strip) - 1)
    # In units of one noise: that of each pixel knows the photons of the trail or does not.
    flat = np.broadcast_to(np.float32(np.median(planes[1])), shape)
    pixels, _ = _strip((planes[0], flat, planes[2]), whole, _REACH * fwhm)
    low, high = np.quantile(np.median(np.abs(pieces(pixels, core)[inside]), axis=1), [0.15, 0.85])
    if high > 3 * low + 2:
        return None, seen  # a spike fades
    half_width = _half_width(strip[first:last], there[first:last], fwhm)
    if last - first < max(shortest, 8 * half_width):
        return None, seen
    length = np.hypot(whole[2] - whole[0], whole[3] - whole[1])
    step_x, step_y = (whole[2] - whole[0]) / length, (whole[3] - whole[1]) / length
    # A trail that comes within a piece of the border goes on beyond it.
    low_end = first - 2 * piece if begin == 0 else first
    high_end = last + 2 * piece if end == count else last
    return (
        Streak(
            (whole[0] + low_end * step_x, whole[0] + high_end * step_x),
            (whole[1] + low_end * step_y, whole[1] + high_end * step_y),
            half_width,
        ),
        seen,
    )


def _clipped(
    line: tuple[float, float, float, float], shape: tuple[int, ...]
) -> tuple[float, float, float, float]:
    """Part of a line that lies on the image, to its border."""
    x, y, dx, dy = line[0], line[1], line[2] - line[0], line[3] - line[1]
    low, high = -np.inf, np.inf
    for start, step, size in ((x, dx, shape[1]), (y, dy, shape[0])):
        if abs(step) < 1e-9:
            continue
        near, far = sorted((-start / step, (size - 1 - start) / step))
        low, high = max(low, near), min(high, far)
    high = max(high, low)
    return x + low * dx, y + low * dy, x + high * dx, y + high * dy


def _strip(
    planes: tuple[FloatImage, FloatImage, BoolImage],
    line: tuple[float, float, float, float],
    reach: float,
) -> tuple[FloatImage, BoolImage]:
    """Signal over noise along a line, shape (length, 2 reach + 1), and which pixels are good."""
    image, noise, good = planes
    length = np.hypot(line[2] - line[0], line[3] - line[1])
    along = np.arange(int(length) + 1)[:, None]
    across = np.arange(-int(reach), int(reach) + 1)
    step_x, step_y = (line[2] - line[0]) / length, (line[3] - line[1]) / length
    column = np.rint(line[0] + along * step_x - across * step_y).astype(int)
    row = np.rint(line[1] + along * step_y + across * step_x).astype(int)
    ny, nx = good.shape
    there = (row >= 0) & (row < ny) & (column >= 0) & (column < nx)
    row, column = np.clip(row, 0, ny - 1), np.clip(column, 0, nx - 1)
    there &= good[row, column]
    strip = np.zeros(there.shape, np.float32)
    strip[there] = image[row[there], column[there]] / noise[row[there], column[there]]
    return strip, there


def _centred(
    strip: FloatImage,
    line: tuple[float, float, float, float],
    fwhm: float,
) -> tuple[float, float, float, float]:
    """Shift and turn a line to where the light is."""
    reach = strip.shape[1] // 2
    parts = min(16, max(2, len(strip) // 8))
    edges = np.linspace(0, len(strip), parts + 1).astype(int)
    # Medians, so that a star beside the trail does not draw the line to it.
    profile = np.array([np.median(strip[a:b], axis=0) for a, b in pairwise(edges)])
    profile = ndimage.gaussian_filter1d(profile, fwhm / 2.355, axis=1)
    # The typical top, so that no part counts for all and a bright trail keeps its ridge.
    profile = np.clip(profile, -3, 1.2 * np.median(profile.max(axis=1)))
    place = (np.arange(parts) + 0.5) / parts  # 0 to 1 along the line
    offsets = np.arange(-3 * fwhm, 3 * fwhm + 0.1, 0.5)
    starts, ends = np.meshgrid(offsets, offsets, indexing="ij")
    at = starts[..., None] * (1 - place) + ends[..., None] * place
    index = np.clip(np.rint(at).astype(int) + reach, 0, strip.shape[1] - 1)
    total = profile[np.arange(parts), index].sum(axis=-1)
    k = np.unravel_index(int(total.argmax()), total.shape)
    length = np.hypot(line[2] - line[0], line[3] - line[1])
    normal_x, normal_y = -(line[3] - line[1]) / length, (line[2] - line[0]) / length
    a, b = float(starts[k]), float(ends[k])
    return (
        line[0] + a * normal_x, line[1] + a * normal_y,
        line[2] + b * normal_x, line[3] + b * normal_y,
    )  # fmt: skip


def _best_run(values: FloatArray) -> tuple[int, int]:
    """First and last index (excluded) of the run with the largest sum."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    gain = total - np.minimum.accumulate(total)
    end = int(gain.argmax())
    begin = int(total[: end + 1].argmin())
    return begin, end


def _half_width(strip: FloatImage, there: BoolImage, fwhm: float) -> float:
    """Half of the width over which a trail is seen [pixel]: where its light is lost in noise."""
    reach = strip.shape[1] // 2
    values = np.where(there, strip, np.nan)
    known = there.sum(axis=0) > 8
    profile = np.zeros(strip.shape[1])
    profile[known] = np.nanmedian(values[:, known], axis=0)
    profile -= np.median(profile[np.abs(np.arange(-reach, reach + 1)) > 0.7 * reach])
    # Both sides as one, three pixels as one: the median of n values has 1.25 / sqrt(n) of noise.
    side = ndimage.uniform_filter1d(0.5 * (profile[reach:] + profile[reach::-1]), 3, mode="mirror")
    limit = max(0.1, 3 * 1.25 / np.sqrt(6 * len(strip)))
    faint = np.flatnonzero(side < limit)
    half = int(faint[0]) if len(faint) else reach
    return float(max(half + 1, fwhm))
