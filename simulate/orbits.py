"""Asteroids: two-body orbits about the Sun, seen from the telescope.

Elements are heliocentric, referred to the ecliptic of J2000: semi-major axis a [au], eccentricity
e, and in radians inclination, node, argument of perihelion, and mean anomaly at ``epoch`` [MJD].
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulate.geometry import barycentric, observer

FloatArray = NDArray[np.float64]

GM = 0.01720209895**2  # Gauss' constant squared [au^3/d^2]
AU_KM = 149_597_870.7
LIGHT = 173.14463267424034  # speed of light [au/d]
_OBLIQUITY = np.radians(84381.448 / 3600)  # of J2000 (IAU 1976)
_C, _S = np.cos(_OBLIQUITY), np.sin(_OBLIQUITY)
TO_EQUATOR = np.array([[1, 0, 0], [0, _C, -_S], [0, _S, _C]])


@dataclass(frozen=True)
class Orbit:
    """Elements of one body and its brightness: absolute magnitude H and slope G in V."""

    a: float
    e: float
    inclination: float
    node: float
    perihelion: float
    mean_anomaly: float
    epoch: float
    absolute_magnitude: float
    slope: float = 0.15

    def heliocentric(self, mjd: FloatArray) -> FloatArray:
        """Heliocentric ICRS positions [au], shape (n, 3)."""
        anomaly = self.mean_anomaly + np.sqrt(GM / self.a**3) * (mjd - self.epoch)
        eccentric = anomaly + self.e * np.sin(anomaly)
        for _ in range(30):
            step = (eccentric - self.e * np.sin(eccentric) - anomaly) / (
                1 - self.e * np.cos(eccentric)
            )
            eccentric = eccentric - step
            if np.max(np.abs(step)) < 1e-14:
                break
        x = self.a * (np.cos(eccentric) - self.e)
        y = self.a * np.sqrt(1 - self.e**2) * np.sin(eccentric)
        along, across = self._axes()
        return np.asarray(x[:, None] * along + y[:, None] * across)

    def _axes(self) -> tuple[FloatArray, FloatArray]:
        """Return unit vectors towards perihelion and 90 degrees ahead of it, ICRS."""
        cn, sn = np.cos(self.node), np.sin(self.node)
        ci, si = np.cos(self.inclination), np.sin(self.inclination)
        cp, sp = np.cos(self.perihelion), np.sin(self.perihelion)
        along = np.array([cn * cp - sn * sp * ci, sn * cp + cn * sp * ci, sp * si])
        across = np.array([-cn * sp - sn * cp * ci, -sn * sp + cn * cp * ci, cp * si])
        return TO_EQUATOR @ along, TO_EQUATOR @ across

    def seen(
        self, mjd: FloatArray, place: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Astrometric place and brightness at times of shape (n,).

        ``place``: the telescope at these times, shape (n, 3), where it is known already.

        Returns
        -------
        direction : array, shape (n, 3)
            Unit vectors from the telescope, light time taken off.
        magnitude : array, shape (n,)
            V magnitude in the H, G system (Bowell et al. 1989).
        """
        if place is None:
            place = observer(mjd)
        delay = np.zeros_like(mjd)
        for _ in range(3):
            emitted = mjd - delay
            helio = self.heliocentric(emitted)
            topo = helio + barycentric("sun", emitted) - place
            distance = np.linalg.norm(topo, axis=-1)
            delay = distance / LIGHT
        radius = np.linalg.norm(helio, axis=-1)
        cosine = np.sum(topo * helio, axis=-1) / (distance * radius)
        tangent = np.tan(np.arccos(np.clip(cosine, -1, 1)) / 2)
        phi1 = np.exp(-3.33 * tangent**0.63)
        phi2 = np.exp(-1.87 * tangent**1.22)
        magnitude = (
            self.absolute_magnitude
            + 5 * np.log10(radius * distance)
            - 2.5 * np.log10((1 - self.slope) * phi1 + self.slope * phi2)
        )
        return topo / distance[:, None], magnitude


def from_state(
    position: FloatArray, velocity: FloatArray, epoch: float, absolute_magnitude: float
) -> Orbit:
    """Elements from a heliocentric ICRS state [au, au/d], shape (3,) each; 0 < e < 1."""
    r = TO_EQUATOR.T @ position
    v = TO_EQUATOR.T @ velocity
    distance = np.linalg.norm(r)
    momentum = np.cross(r, v)
    eccentricity = np.cross(v, momentum) / GM - r / distance
    e = float(np.linalg.norm(eccentricity))
    a = float(1 / (2 / distance - v @ v / GM))
    pole = momentum / np.linalg.norm(momentum)
    node_line = np.array([-pole[1], pole[0], 0.0])
    node_line /= np.linalg.norm(node_line)
    ahead = np.cross(pole, node_line)
    sine = (r @ v) / np.sqrt(GM * a)  # e sin E
    cosine = 1 - distance / a  # e cos E
    eccentric = np.arctan2(sine, cosine)
    return Orbit(
        a=a,
        e=e,
        inclination=float(np.arccos(np.clip(pole[2], -1, 1))),
        node=float(np.arctan2(node_line[1], node_line[0]) % (2 * np.pi)),
        perihelion=float(np.arctan2(eccentricity @ ahead, eccentricity @ node_line) % (2 * np.pi)),
        mean_anomaly=float((eccentric - sine) % (2 * np.pi)),
        epoch=epoch,
        absolute_magnitude=absolute_magnitude,
    )


def main_belt_through(
    rng: np.random.Generator, direction: FloatArray, mjd: float, magnitude: float
) -> Orbit:
    """Draw a main-belt orbit that is seen in a direction (shape (3,)) at a time.

    ``magnitude`` is V at that time.
    """
    place = observer(np.array(mjd))
    while True:
        distance = rng.uniform(1.0, 2.4)  # from the telescope, au
        emitted = mjd - distance / LIGHT
        position = place + distance * direction - barycentric("sun", np.array(emitted))
        radius = float(np.linalg.norm(position))
        a = rng.uniform(2.1, 3.3)
        if not 0.8 * a < radius < 1.2 * a:
            continue
        # speed from a; radial part such that e stays below 0.25; plane turned about the radius
        speed = np.sqrt(GM * (2 / radius - 1 / a))
        radial = rng.uniform(-0.15, 0.15)
        tilt = np.radians(rng.normal(0.0, 6.0))
        up = TO_EQUATOR @ np.array([0.0, 0.0, 1.0])
        outward = position / radius
        forward = np.cross(up, outward)
        forward /= np.linalg.norm(forward)
        sideways = np.cross(outward, forward)
        velocity = speed * (
            radial * outward
            + np.sqrt(1 - radial**2) * (np.cos(tilt) * forward + np.sin(tilt) * sideways)
        )
        orbit = from_state(position, velocity, emitted, 0.0)
        if orbit.e < 0.25:
            break
    seen = float(orbit.seen(np.array([mjd]))[1][0])
    return from_state(position, velocity, emitted, magnitude - seen)


def near_earth_through(
    rng: np.random.Generator, direction: FloatArray, mjd: float, magnitude: float, rate: float
) -> Orbit:
    """Draw the orbit of a body near the Earth, seen in a direction (shape (3,)) at a time.

    ``magnitude`` is V at that time, ``rate`` the apparent motion [arcsec/s].
    """
    place = observer(np.array(mjd))
    sun = [barycentric("sun", np.array(mjd + step)) for step in (-0.5, 0.0, 0.5)]
    moving = [observer(np.array(mjd + step)) for step in (-0.002, 0.002)]
    # by the telescope, which the Earth's rotation carries along
    velocity = (moving[1] - moving[0]) / 0.004 - (sun[2] - sun[0])
    while True:
        speed = rng.uniform(5, 15) * 86400 / AU_KM  # across the line of sight, au/d
        distance = speed / (np.radians(rate / 3600) * 86400)
        side = np.cross(direction, rng.standard_normal(3))
        across = speed * side / np.linalg.norm(side)
        along = rng.normal(0, 5) * 86400 / AU_KM * direction
        emitted = mjd - distance / LIGHT
        position = place + distance * direction - barycentric("sun", np.array(emitted))
        bound = 2 / np.linalg.norm(position) - np.sum((velocity + across + along) ** 2) / GM
        if not 1 / 3 < bound < 1 / 0.7:  # semi-major axis of 0.7 to 3 au
            continue
        orbit = from_state(position, velocity + across + along, emitted, 0.0)
        if orbit.e < 0.9:
            break
    seen = float(orbit.seen(np.array([mjd]))[1][0])
    return from_state(position, velocity + across + along, emitted, magnitude - seen)
