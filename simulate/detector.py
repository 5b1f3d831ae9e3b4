"""A detector: from the light that falls on it to the numbers that are read out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulate import camera
from simulate.camera import Detector
from simulate.effects import Effects
from simulate.randomness import generator

FloatArray = NDArray[np.float64]

COSMIC_RAYS = 1.5  # hits a second on a million pixels
DARK_CURRENT = 0.05  # electron/s/px
NONLINEARITY = (0.015, 0.025)  # share of a full well that an amplifier does not see
CROSSTALK = (4e-4, 2.5e-4)  # share of the other amplifier's signal that the amplifier adds
GAIN_SWING = 0.003  # of the gains, over weeks
GAIN_JITTER = 0.0005  # from visit to visit
PUSH = 1e-6  # share of an electron's neighbours that it pushes over a pixel's border
FRINGES = {"z": 0.008, "y": 0.02}  # amplitude relative to the sky


@dataclass(frozen=True)
class Pattern:
    """What stays the same in a detector, arrays of its shape.

    ``response``: relative sensitivity; ``dark`` [electron/s]; ``bias`` [ADU, without the level];
    ``defects``: pixels that do not respond to light as the others do: 1 dead, 2 hot;
    ``fringe``: what interference adds to the sky, relative to it.
    """

    response: FloatArray
    dark: FloatArray
    bias: FloatArray
    defects: NDArray[np.uint8]
    fringe: FloatArray  # relative to the sky


def pattern(seed: int, detector: Detector, band: str, effects: Effects) -> Pattern:
    """Draw the fixed pattern of a detector in a band."""
    n = detector.size
    rng = generator(seed, "detector", detector.number)
    scale = n / 1024
    v, u = np.meshgrid(*[np.linspace(-1, 1, n)] * 2, indexing="ij")

    response = 1 + 0.008 * rng.standard_normal((n, n))
    tilt = generator(seed, "illumination", detector.number, camera.band_index(band))
    response *= 1 - 0.03 * (u * u + v * v) + tilt.normal(0, 0.01) * u + tilt.normal(0, 0.01) * v
    for _ in range(4):  # dust: out-of-focus rings
        x, y = rng.uniform(-1, 1, 2)
        radius = np.hypot(u - x, v - y) * n / 2
        outer = rng.uniform(18, 40)
        response *= 1 - 0.03 * ((radius < outer) & (radius > 0.4 * outer))

    dark = rng.gamma(4.0, DARK_CURRENT / 4, (n, n))
    hot = _some_pixels(rng, n, round(80 * scale**2))
    dark[hot] += 10 ** rng.uniform(1.0, 3.0, hot[0].size)
    bias = np.cumsum(rng.normal(0, 0.4, n))[None, :] * 0.1 + rng.normal(0, 1.0, n)[None, :]
    bias = bias + 6.0 * np.exp(-np.arange(n) / 25)[:, None] + np.zeros((n, n))

    defects = np.zeros((n, n), np.uint8)
    dead = _some_pixels(rng, n, round(60 * scale**2))
    column = int(rng.integers(n // 8, n - n // 8))
    half_dead = int(rng.integers(n // 8, n - n // 8))
    if effects.bad_columns:
        response[dead] *= 0.1
        response[:, column : column + 3] = 0.0
        response[n // 3 :, half_dead] = 0.0
        defects[dead] = 1
        defects[:, column : column + 3] = 1
        defects[n // 3 :, half_dead] = 1
    if effects.dark:
        defects[hot] = 2
    if not effects.flat:
        response = np.where(defects == 1, response, 1.0)
    return Pattern(
        response,
        dark if effects.dark else np.zeros((n, n)),
        bias if effects.bias else np.zeros((n, n)),
        defects,
        _fringe(seed, detector, u, v) * FRINGES.get(band, 0.0) * effects.fringing,
    )


def _fringe(seed: int, detector: Detector, u: FloatArray, v: FloatArray) -> FloatArray:
    """Fringes of amplitude 1: lines of equal thickness of an uneven detector, some 50 px apart."""
    rng = generator(seed, "fringes", detector.number)
    slope = rng.uniform(2, 4, 2) * detector.size / 512
    curve = rng.normal(0, 1.5, 3)
    thickness = slope[0] * u + slope[1] * v
    thickness = thickness + curve[0] * u * u + curve[1] * u * v + curve[2] * v * v
    return np.asarray(np.sin(2 * np.pi * thickness))


def spots(detector: Detector, amplifier: int, number: int) -> FloatArray:
    """Light of a spot projector on one amplifier, shape (size, size) [electron/s at 5 s]."""
    n = detector.size
    v, u = np.mgrid[0:n, 0:n]
    pitch = 48
    near = np.hypot((u + 7 * number) % pitch - pitch / 2, (v + 11 * number) % pitch - pitch / 2) < 6
    columns = np.zeros((n, n), dtype=bool)
    columns[:, detector.amplifier_columns(amplifier)] = True
    return np.where(near & columns, 0.7 * camera.FULL_WELL / 5, 10.0)


def _some_pixels(rng: np.random.Generator, n: int, count: int) -> tuple[NDArray[np.intp], ...]:
    return np.unravel_index(rng.choice(n * n, count, replace=False), (n, n))


def cosmic_rays(rng: np.random.Generator, shape: tuple[int, int], time: float) -> FloatArray:
    """Charge left by cosmic rays in an exposure of ``time`` seconds [electron], sharp tracks."""
    ny, nx = shape
    charge = np.zeros(shape)
    for _ in range(rng.poisson(COSMIC_RAYS * time * ny * nx / 1e6)):
        length = min(1 + rng.exponential(8.0), 120.0)
        angle = rng.uniform(0, 2 * np.pi)
        steps = np.arange(0, length, 0.25)
        x = np.rint(rng.uniform(0, nx) + steps * np.cos(angle)).astype(int)
        y = np.rint(rng.uniform(0, ny) + steps * np.sin(angle)).astype(int)
        inside = (x >= 0) & (x < nx) & (y >= 0) & (y < ny)
        deposit = rng.lognormal(np.log(1200), 0.6) * rng.gamma(6.0, 1 / 6, steps.size) / 4
        np.add.at(charge, (y[inside], x[inside]), deposit[inside])
    return charge


def bleed(charge: FloatArray, full_well: float) -> None:
    """Spread what exceeds the full well along the columns, half up and half down, in place."""
    for x in np.flatnonzero(np.any(charge > full_well, axis=0)):
        column = charge[:, x]
        excess = np.maximum(column - full_well, 0.0)
        np.minimum(column, full_well, out=column)
        for rows in (range(column.size), range(column.size - 1, -1, -1)):
            moving = 0.0
            for y in rows:
                # the pixel's own excess leaves it; what arrives fills it first
                taken = min(moving, full_well - column[y])
                column[y] += taken
                moving += excess[y] / 2 - taken


def brighter_fatter(charge: FloatArray) -> FloatArray:
    """Charge [electron] after that in each pixel has pushed some of it into emptier neighbours.

    What crosses a border is PUSH times the mean charge beside it times the difference; none is
    lost. A star of standard deviation s and peak p gets wider: s^2 grows by PUSH p / 2 (px^2).
    """
    full = np.minimum(charge, camera.FULL_WELL)
    changed = charge.copy()
    for axis in (0, 1):
        first = [slice(None), slice(None)]
        second = list(first)
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        a, b = full[tuple(first)], full[tuple(second)]
        moved = PUSH * (a + b) / 2 * (a - b)
        changed[tuple(first)] -= moved
        changed[tuple(second)] += moved
    return changed


def gain_drift(seed: int, detector: Detector, mjd: float) -> FloatArray:
    """Gains of a detector's amplifiers at a time over those in the headers."""
    factors = []
    for number in range(len(camera.AMPLIFIERS)):
        rng = generator(seed, "gain", detector.number, number)
        period, phase = rng.uniform(20, 60), rng.uniform(0, 2 * np.pi)
        minute = generator(seed, "gain", detector.number, number, int(mjd * 1440))
        slow = GAIN_SWING * np.sin(2 * np.pi * mjd / period + phase)
        factors.append(1 + slow + GAIN_JITTER * minute.standard_normal())
    return np.array(factors)


def expose(
    rng: np.random.Generator,
    light: FloatArray,
    parts: Pattern,
    time: float,
    effects: Effects,
    hits: FloatArray | None = None,
) -> FloatArray:
    """Electrons in each pixel at the end of an exposure.

    Parameters
    ----------
    light : array, shape (ny, nx) [electron/s]
        Light on a detector of response 1.
    time : float
        Exposure time [s].
    hits : array, shape (ny, nx) [electron], optional
        Charge of cosmic rays.
    """
    mean = np.maximum(light * parts.response + parts.dark, 0.0) * time
    if effects.brighter_fatter:
        mean = brighter_fatter(mean)
    charge = rng.poisson(mean).astype(np.float64)
    if hits is not None:
        charge += np.rint(hits)
    if effects.saturation:
        bleed(charge, camera.FULL_WELL)
    return charge


def _seen(detector: Detector, charge: FloatArray, effects: Effects) -> FloatArray:
    """Charge as the amplifiers report it: not quite linear, some of the other's, none of a dead."""
    parts = [charge[:, detector.amplifier_columns(k)] for k in range(len(camera.AMPLIFIERS))]
    if effects.dead_amplifier:
        parts[-1] = np.zeros_like(parts[-1])
    if effects.nonlinearity:
        parts = [
            part * (1 - lost * part / camera.FULL_WELL)
            for part, lost in zip(parts, NONLINEARITY, strict=True)
        ]
    if effects.crosstalk:
        heard = [share * other for share, other in zip(CROSSTALK, parts[::-1], strict=True)]
        parts = [part + more for part, more in zip(parts, heard, strict=True)]
    return np.concatenate(parts, axis=1)


def read(
    rng: np.random.Generator,
    detector: Detector,
    charge: FloatArray,
    parts: Pattern,
    effects: Effects,
    drift: FloatArray,
) -> NDArray[np.uint16]:
    """Read the electrons out: raw array in ADU with its overscan columns.

    ``drift``: gains over those of the camera, shape (amplifiers,).
    """
    raw = rng.standard_normal(detector.raw_shape)
    charge = _seen(detector, charge, effects)
    rows = np.arange(detector.size) / detector.size
    for number, amplifier in enumerate(camera.AMPLIFIERS):
        level = amplifier.bias_level if effects.bias else 100.0  # negative noise needs a floor
        sag = rng.normal(0, 2.0) + rng.normal(0, 1.5) * rows if effects.overscan else 0.0 * rows
        gain = amplifier.gain * drift[number]
        light = detector.amplifier_columns(number)
        over = detector.overscan_columns(number)
        raw[:, light] *= amplifier.read_noise
        raw[:, light] += charge[:, light]
        raw[:, light] /= gain
        raw[:, light] += parts.bias[:, light]
        raw[:, over] *= amplifier.read_noise / gain
        for section in (light, over):
            raw[:, section] += level + sag[:, None]
    return np.clip(np.rint(raw), 0, camera.ADC_LIMIT).astype(np.uint16)
