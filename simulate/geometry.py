"""Directions: Earth and observer, motion and parallax, tangent plane, airmass.

Vectors are ICRS, shape (..., 3). The ephemeris is the one built into ERFA: nothing is downloaded.
"""

from typing import Any

import erfa
import numpy as np
from astropy.coordinates import get_body_barycentric
from astropy.time import Time
from numpy.typing import NDArray

from simulate import camera

FloatArray = NDArray[np.float64]

AU_METRES = 149_597_870_700.0
MAS = np.pi / 180 / 3_600_000  # rad
YEAR = 365.25  # d
MJD_ZERO = 2_400_000.5


def unit_vector(ra: Any, decl: Any) -> FloatArray:
    """Return unit vectors of positions in degrees, shape (..., 3)."""
    a, d = np.radians(ra), np.radians(decl)
    return np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=-1)


def ra_decl(vector: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Positions in degrees of vectors of any length."""
    x, y, z = vector[..., 0], vector[..., 1], vector[..., 2]
    return np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arctan2(z, np.hypot(x, y)))


def east_north(ra: Any, decl: Any) -> tuple[FloatArray, FloatArray]:
    """Return unit vectors towards East and North at positions in degrees."""
    a, d = np.radians(ra), np.radians(decl)
    east = np.stack([-np.sin(a), np.cos(a), np.zeros_like(a)], axis=-1)
    north = np.stack([-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)], axis=-1)
    return east, north


def barycentric(body: str, mjd_tai: Any) -> FloatArray:
    """Barycentric position of ``earth``, ``sun`` or ``moon`` [au], shape (..., 3)."""
    time = Time(mjd_tai, format="mjd", scale="tai")
    position = get_body_barycentric(body, time, ephemeris="builtin")
    return np.moveaxis(np.asarray(position.xyz.to_value("au")), 0, -1)


def _celestial_to_terrestrial(mjd_tai: FloatArray) -> FloatArray:
    """Rotation matrices ICRS to Earth-fixed, UT1 taken as UTC (0.4 km on the ground at most)."""
    utc1, utc2 = erfa.taiutc(MJD_ZERO, mjd_tai)
    tt1, tt2 = erfa.taitt(MJD_ZERO, mjd_tai)
    return np.asarray(erfa.c2t06a(tt1, tt2, utc1, utc2, 0.0, 0.0))


def _zenith_and_place(mjd_tai: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Direction of the zenith, and geocentric place of the site [au]."""
    longitude, latitude = np.radians(camera.LONGITUDE), np.radians(camera.LATITUDE)
    ground = erfa.gd2gc(1, longitude, latitude, camera.HEIGHT) / AU_METRES
    up = unit_vector(camera.LONGITUDE, camera.LATITUDE)
    turn = _celestial_to_terrestrial(mjd_tai)
    return np.einsum("...ji,j->...i", turn, up), np.einsum("...ji,j->...i", turn, ground)


def observer(mjd_tai: Any) -> FloatArray:
    """Barycentric position of the telescope [au], shape (..., 3)."""
    mjd = np.asarray(mjd_tai, dtype=np.float64)
    return barycentric("earth", mjd) + _zenith_and_place(mjd)[1]


def zenith(mjd_tai: float) -> FloatArray:
    """Direction of the zenith of the site, shape (3,)."""
    return _zenith_and_place(np.asarray(mjd_tai, dtype=np.float64))[0]


def sine_altitude(direction: FloatArray, mjd_tai: Any) -> FloatArray:
    """Sine of the altitude of a direction; no refraction."""
    mjd = np.asarray(mjd_tai, dtype=np.float64)
    return np.asarray(np.sum(direction * _zenith_and_place(mjd)[0], axis=-1))


def airmass(ra: float, decl: float, mjd_tai: float) -> float:
    """Plane-parallel airmass, good to 1 per cent up to airmass 2."""
    return float(1 / sine_altitude(unit_vector(ra, decl), mjd_tai))


def apparent_direction(
    ra: FloatArray,
    decl: FloatArray,
    pm_ra: FloatArray,
    pm_decl: FloatArray,
    parallax: FloatArray,
    years: float,
    place: FloatArray,
) -> FloatArray:
    """Directions of stars after motion and parallax, shape (n, 3).

    Positions in degrees at the catalogue's epoch, motion in mas/yr (pm_ra with cos decl),
    parallax in mas, ``years`` since the epoch, ``place`` of the observer [au]. Aberration and
    light deflection are common to the field and left out, as in an astrometric place.
    """
    east, north = east_north(ra, decl)
    direction = unit_vector(ra, decl)
    direction = direction + MAS * years * (pm_ra[:, None] * east + pm_decl[:, None] * north)
    direction = direction - MAS * parallax[:, None] * place
    return np.asarray(direction / np.linalg.norm(direction, axis=-1, keepdims=True))


def tangent_plane(vector: FloatArray, ra: float, decl: float) -> tuple[FloatArray, FloatArray]:
    """Gnomonic coordinates (East, North) of directions about a centre in degrees [arcsec]."""
    east, north = east_north(ra, decl)
    depth = vector @ unit_vector(ra, decl)
    arcsec = np.degrees(1.0) * 3600
    return vector @ east / depth * arcsec, vector @ north / depth * arcsec


def from_tangent_plane(xi: FloatArray, eta: FloatArray, ra: float, decl: float) -> FloatArray:
    """Directions from gnomonic coordinates in arcsec about a centre in degrees."""
    east, north = east_north(ra, decl)
    arcsec = np.degrees(1.0) * 3600
    vector = (
        unit_vector(ra, decl)
        + np.asarray(xi)[..., None] / arcsec * east
        + np.asarray(eta)[..., None] / arcsec * north
    )
    return np.asarray(vector / np.linalg.norm(vector, axis=-1, keepdims=True))


def pixel_axes(rotation: float) -> FloatArray:
    """Matrix from (East, North) to focal-plane (x, y), shape (2, 2).

    ``rotation`` is the position angle of +y in degrees, North through East; seen from inside,
    +x is to the West when +y is North.
    """
    c, s = np.cos(np.radians(rotation)), np.sin(np.radians(rotation))
    return np.array([[-c, s], [s, c]])
