"""Light that is not where its source is: satellites, ghosts, diffraction spikes, cirrus."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from simulate import camera
from simulate.camera import Detector
from simulate.randomness import generator

FloatArray = NDArray[np.float64]

SATELLITES = 0.3  # trails a visit, over the whole camera
GHOST_LIGHT = 0.004  # share of a star's light in its ghost
GHOST_RADII = (40.0, 70.0)  # px, inner and outer
GHOST_PLACE = -1.1  # of the star's distance from the boresight
SPIKE_LIGHT = 0.02  # share of a star's light in its four spikes
SPIKE_REACH = (3.0, 300.0)  # px from the star
SPIKE_ANGLES = np.radians([45.0, 135.0, 225.0, 315.0])  # from the zenith
BRIGHT = 13.0  # magnitude of the faintest star with ghost and spikes
CIRRUS = 26.0  # r magnitude of a square arcsec of mean cirrus
# Fluxes in ugrizy relative to r: scattered starlight
CIRRUS_COLOUR = np.array([0.3, 0.65, 1.0, 1.2, 1.3, 1.3])


@dataclass(frozen=True)
class Satellite:
    """A straight trail across the whole camera in one snap.

    ``angle`` [rad]: direction from +x towards +y; ``offset`` [px]: distance of the line from the
    boresight, towards angle + 90 degrees; ``light``: electron a pixel of length in all;
    ``width`` [px]: standard deviation across.
    """

    snap: int
    angle: float
    offset: float
    light: float
    width: float

    def ends(self, detector: Detector) -> tuple[float, float, float, float] | None:
        """Pixels (x, y) of both ends on a detector, to its edge; None if it passes by."""
        along = np.array([np.cos(self.angle), np.sin(self.angle)])
        middle = np.array([detector.centre_x, detector.centre_y])
        # a point of the line, pixels of the detector
        foot = self.offset * np.array([-along[1], along[0]]) - middle + (detector.size - 1) / 2
        low, high = -np.inf, np.inf
        for start, step in zip(foot, along, strict=True):
            if abs(step) < 1e-12:
                if not -0.5 <= start <= detector.size - 0.5:
                    return None
                continue
            near, far = sorted(((-0.5 - start) / step, (detector.size - 0.5 - start) / step))
            low, high = max(low, near), min(high, far)
        if low >= high:
            return None
        return tuple(float(v) for v in (*(foot + low * along), *(foot + high * along)))  # type: ignore[return-value]

    def draw(self, image: FloatArray, detector: Detector) -> None:
        """Add the trail to light, shape (size, size) [electron/s]."""
        if self.ends(detector) is None:
            return
        x, y = _focal_plane(detector)
        across = -np.sin(self.angle) * x + np.cos(self.angle) * y - self.offset
        near = np.abs(across) < 6 * self.width + 1
        # as much as falls between the borders of a pixel, seen across
        share = ndtr((across[near] + 0.5) / self.width) - ndtr((across[near] - 0.5) / self.width)
        image[near] += share * self.light / camera.SNAP_TIME


def satellites(seed: int, visit_id: int, seeing: float, height: float) -> tuple[Satellite, ...]:
    """Draw the satellites of a visit; ``seeing`` (FWHM) and ``height`` of the camera in px."""
    rng = generator(seed, "satellites", visit_id)
    return tuple(
        Satellite(
            snap=int(rng.integers(camera.SNAPS)),
            angle=float(rng.uniform(0, np.pi)),
            offset=float(rng.uniform(-0.5, 0.5) * height),
            # its surface brightness is 0.2 to 20 times that of a dark sky
            light=float(10 ** rng.uniform(2.5, 4.5)),
            # near and therefore out of focus
            width=float(np.hypot(seeing / 2.355, rng.uniform(0.5, 2.0))),
        )
        for _ in range(rng.poisson(SATELLITES))
    )


def _focal_plane(detector: Detector) -> tuple[FloatArray, FloatArray]:
    """Focal-plane positions of a detector's pixels [px]."""
    steps = np.arange(detector.size) - (detector.size - 1) / 2
    x, y = steps + detector.centre_x, (steps + detector.centre_y)[:, None]
    return np.asarray(x, np.float64), np.asarray(y, np.float64)


def draw_ghost(image: FloatArray, detector: Detector, x: float, y: float, rate: float) -> None:
    """Add the ghost of a star at a focal-plane position: an even ring opposite to it."""
    inner, outer = GHOST_RADII
    u, v = _focal_plane(detector)
    radius = np.hypot(u - GHOST_PLACE * x, v - GHOST_PLACE * y)
    # borders one pixel wide
    ring = np.clip(outer - radius + 0.5, 0, 1) - np.clip(inner - radius + 0.5, 0, 1)
    image += GHOST_LIGHT * rate / (np.pi * (outer**2 - inner**2)) * ring


def draw_spikes(
    image: FloatArray,
    detector: Detector,
    place: tuple[float, float],
    rate: float,
    width: float,
    zenith: float,
) -> None:
    """Add four spikes to a star, fainter with the square of the distance.

    ``place``: in the focal plane; ``width``: standard deviation across [px]; ``zenith``: direction
    of the zenith from +x towards +y [rad], to which the spider's legs stand at 45 degrees.
    """
    near, far = SPIKE_REACH
    u, v = _focal_plane(detector)
    for angle in SPIKE_ANGLES + zenith:
        along = (u - place[0]) * np.cos(angle) + (v - place[1]) * np.sin(angle)
        across = (v - place[1]) * np.cos(angle) - (u - place[0]) * np.sin(angle)
        inside = (along > near) & (along < far) & (np.abs(across) < 6 * width)
        profile = np.exp(-0.5 * (across[inside] / width) ** 2) / (np.sqrt(2 * np.pi) * width)
        fall = along[inside] ** -2 / (1 / near - 1 / far)
        image[inside] += SPIKE_LIGHT / len(SPIKE_ANGLES) * rate * profile * fall


@dataclass(frozen=True)
class Cirrus:
    """Clouds of the Galaxy: waves on the tangent plane of the field, one entry a wave.

    Wave numbers [rad/arcsec], phases [rad], amplitudes relative to the mean brightness.
    """

    wave_x: FloatArray
    wave_y: FloatArray
    phase: FloatArray
    amplitude: FloatArray

    def brightness(self, xi: FloatArray, eta: FloatArray) -> FloatArray:
        """Surface brightness in r at tangent-plane places [nJy/arcsec2], never negative."""
        sum_ = np.ones(np.broadcast(xi, eta).shape)
        for kx, ky, phase, size in zip(
            self.wave_x, self.wave_y, self.phase, self.amplitude, strict=True
        ):
            sum_ += size * np.cos(kx * xi + ky * eta + phase)
        return np.asarray(10 ** (0.4 * (camera.AB_ZERO - CIRRUS)) * np.maximum(sum_, 0))


def cirrus(seed: int) -> Cirrus:
    """Draw the cirrus of a survey: power falls with the wave number to the power -2.9.

    That is the power spectrum of Galactic cirrus (Gautier et al. 1992).
    """
    rng = generator(seed, "cirrus")
    length = np.exp(rng.uniform(np.log(15), np.log(500), 60))  # arcsec, equally many an octave
    angle = rng.uniform(0, 2 * np.pi, 60)
    # power a logarithmic interval of two dimensions: k^2 k^-2.9
    amplitude = (length / 500) ** 0.45
    amplitude *= 0.4 * np.sqrt(2 / np.sum(amplitude**2))  # 0.4 of the mean, rms
    number = 2 * np.pi / length
    return Cirrus(
        number * np.cos(angle), number * np.sin(angle), rng.uniform(0, 2 * np.pi, 60), amplitude
    )
