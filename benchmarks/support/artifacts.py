"""What is real and what is not: sources and artifacts added to simulated visits.

Real are points on sky and galaxies, stars that vary, flares in one snap, trails up to 5 FWHM, and
dipoles of stars that moved by 0.3 to 2 arcsec, all drawn with the simulation's own PSF and photons
(the fitted PSF has no part in it). Artifacts are patterns of telescope and detector. What else is
found at S/N >= 6 is a bad subtraction ("left").
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from support.fakes import BLANK, HOST, Field

from processing.cutouts import Cutout, cut
from processing.deblend import find_sources
from processing.plane import Plane

FloatArray = NDArray[np.float64]
REAL = ("point", "host", "variable", "flare", "trail", "dipole")
FALSE = ("hit", "hot", "column", "ring", "ghost", "spike", "step", "streak", "shift", "left")
KINDS = REAL + FALSE
LIMIT = 6.0  # S/N
_EXTENT = {"streak": 150, "spike": 60, "step": 60, "column": 40}
_ON_STARS = ("variable", "ring", "shift")


@dataclass(frozen=True)
class Sample:
    """Cutouts of what was found, with index into KINDS and S/N."""

    cutouts: list[Cutout]
    kind: NDArray[np.int64]
    snr: FloatArray


def make_field(seed: int, size: int) -> Field:
    """Make a sky with more stars whose variations and wrong subtractions are seen."""
    field = Field(seed, size, bright=6, inputs=6)
    rng = np.random.default_rng([seed, 12])
    n, low, high = round(70 * (1.25 * size / 1024) ** 2), (0, 0), (1.25 * size, 1.25 * size)
    ra, decl = field.wcs.all_pix2world(rng.uniform(low, high, (n, 2)) - size / 8, 0).T
    flux = np.exp(rng.uniform(np.log(4e4), np.log(5e5), n))
    stars = np.concatenate([field.sky.stars, np.column_stack([ra, decl, flux])])
    field.sky = replace(field.sky, stars=stars)
    return field


def _moved(rng: np.random.Generator) -> FloatArray:
    turn = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(turn), np.sin(turn)])


def points(
    field: Field, rng: Any, kind: str, x: float, y: float, sigma: float, star: float
) -> FloatArray:
    """Points (x, y, flux) of a real source; ``star`` is the flux of the star there, if any."""
    if kind == "dipole":
        to = rng.uniform(1.5, 10) * _moved(rng)
        return np.array([[x + to[0], y + to[1], star], [x, y, -star]])
    snr = float(np.exp(rng.uniform(np.log(6), np.log(150))))
    if kind == "trail":
        size = rng.uniform(0.5, 5) * field.psf.fwhm
        t = (np.arange(60) + 0.5) / 60 - 0.5
        places = np.array([x, y]) + t[:, None] * size * _moved(rng)
        flux = snr * sigma * np.sqrt(1 + size / field.psf.fwhm)
        return np.column_stack([places, np.full(60, flux / 60)])
    if rng.random() < 0.25:
        snr = -min(snr, 40)
    flux = snr * sigma
    if kind == "variable":  # it has at most the light of the star to lose
        flux = max(flux, -0.8 * star)
    return np.array([[x, y, flux]])


def pattern(field: Field, rng: Any, kind: str, x: float, y: float) -> FloatArray:
    """Artifact around the pixel nearest to (x, y), shape (n, n), of any size."""
    half = _EXTENT.get(kind, 30)
    out = np.zeros((2 * half + 1, 2 * half + 1))
    yy, xx = np.mgrid[-half : half + 1, -half : half + 1].astype(float)
    turn, fwhm = rng.uniform(0, np.pi), field.psf.fwhm
    across = np.abs(xx * np.sin(turn) - yy * np.cos(turn))
    along = xx * np.cos(turn) + yy * np.sin(turn)
    if kind == "hit":
        track = (across < 0.6) & (np.abs(along) <= rng.uniform(0, 4))
        out[track] = rng.uniform(0.5, 1, track.sum())
    elif kind == "hot":
        out[half, half] = 1
        if rng.random() < 0.3:
            out[half, half + 1] = rng.uniform(0.2, 1)
    elif kind == "column":
        out[half - int(rng.integers(5, 40)) : half + int(rng.integers(5, 40)), half] = 1
    elif kind == "ring":
        # A PSF, or a kernel, whose width is wrong by some percent.
        other = replace(field.psf, fwhm=fwhm * (1 + np.exp(rng.uniform(-4, -1.6))))
        out = (other.stamp(x, y, half) - field.psf.stamp(x, y, half)) * rng.choice([-1, 1])
    elif kind == "shift":
        # A star registered wrongly by a hundredth to a tenth of an arcsecond.
        move = np.exp(rng.uniform(-3, -0.5)) * _moved(rng)
        down, right = np.gradient(field.psf.stamp(x, y, half))
        out = -move[0] * right - move[1] * down
    elif kind == "ghost":
        size = rng.uniform(3, 6) * fwhm / 2.3548
        out = np.exp(-0.5 * (xx**2 + yy**2) / size**2)
        if rng.random() < 0.4:  # an image of the pupil
            r = np.hypot(xx, yy)
            out = ((r < 2 * size) & (r > 0.8 * size)).astype(float)
    elif kind == "spike":
        width = rng.uniform(0.6, 2)
        out = sum(np.exp(-w / width) / (3 + np.abs(a)) for w, a in ((across, along),
                  (np.abs(along), across)))  # fmt: skip
        out[np.hypot(xx, yy) < 4] = 0  # the star itself is saturated there
    elif kind == "step":
        long, wide = int(rng.integers(20, 60)), int(rng.integers(3, 20))
        out[half - long : half + long, half : half + wide] = rng.choice([-1, 1])
        out = out.T if rng.random() < 0.5 else out
    else:
        out = np.exp(-0.5 * (across / (rng.uniform(0.7, 1.5) * fwhm / 2.3548)) ** 2)
    return np.asarray(out)


def sample(field: Field, number: int) -> Sample:
    """Cut out what is found of the additions to a visit at S/N >= 6."""
    rng = np.random.default_rng([field.seed, 11, number])
    area = (field.size / 1024) ** 2
    bright = _stars(field, rng, round(70 * area), 3e4, np.zeros((0, 3)))
    moving = _stars(field, rng, round(35 * area), 1.5e3, bright)
    stars = np.concatenate([bright, moving])
    host = field.places(rng, round(40 * area), HOST, 45, stars[:, :2])
    taken = np.concatenate([stars[:, :2], host])
    blank = field.places(rng, round(150 * area), BLANK, 45, taken)
    place = np.concatenate([taken, blank])
    others = [k for k in KINDS if k not in ("left", "host", "streak", "dipole", *_ON_STARS)]
    kind = np.concatenate(
        [rng.choice(_ON_STARS, len(bright)), np.full(len(moving), "dipole"),
         np.full(len(host), "host"), rng.choice(others, len(blank))]
    ).astype("<U8")  # fmt: skip
    kind[-max(1, round(2 * area)) :] = "streak"
    sigma = field.sigma(place[:, 0], place[:, 1])
    brightness = np.append(stars[:, 2], np.zeros(len(place) - len(stars)))
    owners = _Owners((field.size, field.size), field.psf.fwhm)
    fakes, patterns = [], []
    for k, ((x, y), name) in enumerate(zip(place, kind, strict=True)):
        if name in REAL:
            rows = points(field, rng, name, x, y, sigma[k], brightness[k])
            fakes.append(rows)
            owners.claim_points(k, rows)
            if name == "flare":  # all of its light in one of the snaps
                stamp = rows[0, 2] * field.psf.stamp(x, y, 20)
                patterns.append((0.0, 2 * rng.choice([-1, 1]), stamp, x, y))
            continue
        stamp = pattern(field, rng, name, x, y)
        if name in _ON_STARS:
            stamp *= brightness[k]
        else:
            pixel = sigma[k] * np.sqrt(np.sum(field.psf.stamp(x, y, 20) ** 2))
            size = np.exp(rng.uniform(np.log(8), np.log(200)))
            stamp *= size * pixel / np.sqrt(np.sum(stamp**2))
        patterns.append((1.0, 2 * rng.choice([-1, 1]) if name == "hit" else 0.0, stamp, x, y))
        owners.claim_pattern(k, stamp, x, y)
    shot = field.visit(number, np.concatenate(fakes))
    image, snaps = shot.exposure.image.copy(), shot.snap_difference.image.copy()
    for whole, change, stamp, x, y in patterns:
        put(image, whole * stamp, x, y)
        put(snaps, change * stamp, x, y)
    difference = field.difference(replace(shot, exposure=replace(shot.exposure, image=image)))
    pair = replace(shot.snap_difference, image=snaps)
    plane = Plane.of(difference)
    sources = find_sources(difference, plane, LIMIT, 0.0)
    parents = {s.parent for s in sources}
    cutouts, kinds, snr = [], [], []
    for k, source in enumerate(sources):
        owner = owners.at(source.x, source.y)
        if k in parents or owner == _UNSURE:
            continue
        cutouts.append(cut(source, plane, difference, pair))
        kinds.append(KINDS.index("left" if owner == _NOBODY else kind[owner]))
        snr.append(abs(source.score))
    return Sample(cutouts, np.array(kinds, np.int64), np.array(snr))


def put(image: NDArray[np.float32], stamp: FloatArray, x: float, y: float) -> None:
    """Add a stamp around the pixel nearest to (x, y)."""
    into, part = _overlap(image.shape, stamp, x, y)
    image[into] += stamp[part].astype(np.float32)


def _overlap(shape: tuple[int, ...], stamp: FloatArray, x: float, y: float) -> tuple[Any, Any]:
    half = stamp.shape[0] // 2
    row, column = round(y), round(x)
    r0, r1 = max(0, row - half), min(shape[0], row + half + 1)
    c0, c1 = max(0, column - half), min(shape[1], column + half + 1)
    top, left = half - row, half - column
    return (slice(r0, r1), slice(c0, c1)), (slice(r0 + top, r1 + top), slice(c0 + left, c1 + left))


def _stars(
    field: Field, rng: np.random.Generator, n: int, faintest: float, taken: FloatArray
) -> FloatArray:
    """Up to n stars (x, y, flux), not saturated, apart from each other and from ``taken``."""
    sky = field.sky.stars
    x, y = field.wcs.all_world2pix(sky[:, 0], sky[:, 1], 0)
    usable = (sky[:, 2] > faintest) & (sky[:, 2] < 5e5)
    usable &= (np.minimum(x, y) > 25) & (np.maximum(x, y) < field.size - 25)
    chosen = [tuple(row) for row in taken]
    for k in rng.permutation(np.flatnonzero(usable)):
        if len(chosen) < n + len(taken) and all(
            np.hypot(x[k] - a, y[k] - b) > 45 for a, b, _ in chosen
        ):
            chosen.append((float(x[k]), float(y[k]), float(sky[k, 2])))
    return np.array(chosen[len(taken) :]).reshape(-1, 3)


_NOBODY, _UNSURE = -1, -2


class _Owners:
    """To which addition each pixel belongs."""

    def __init__(self, shape: tuple[int, int], fwhm: float) -> None:
        self.fwhm = fwhm
        self.owner = np.full(shape, _NOBODY)
        self.near = np.zeros(shape, bool)

    def claim_points(self, k: int, rows: FloatArray) -> None:
        half = int(np.ceil(4 * self.fwhm))
        square = np.ones((2 * half + 1, 2 * half + 1))
        disk = np.hypot(*np.mgrid[-half : half + 1, -half : half + 1]) < 1.3 * self.fwhm
        for x, y, _ in rows:
            self._claim(k, disk * square, square, x, y)

    def claim_pattern(self, k: int, stamp: FloatArray, x: float, y: float) -> None:
        strong = np.abs(stamp) > 0.1 * np.abs(stamp).max()
        close = ndimage.binary_dilation(strong, iterations=3)
        self._claim(k, close, ndimage.binary_dilation(close, iterations=12), x, y)

    def _claim(self, k: int, mine: FloatArray, near: FloatArray, x: float, y: float) -> None:
        into, part = _overlap(self.owner.shape, mine, x, y)
        before, claimed = self.owner[into], mine[part] > 0
        other = claimed & (before != _NOBODY) & (before != k)
        before[claimed] = k
        before[other] = _UNSURE
        self.near[into] |= near[part] > 0

    def at(self, x: float, y: float) -> int:
        """Owner of a place, ``_NOBODY``, or ``_UNSURE`` (two, or next to somebody)."""
        ny, nx = self.owner.shape
        row, column = min(max(round(y), 0), ny - 1), min(max(round(x), 0), nx - 1)
        owner = int(self.owner[row, column])
        return _UNSURE if owner == _NOBODY and self.near[row, column] else owner
