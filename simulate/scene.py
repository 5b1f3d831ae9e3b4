"""What a detector sees in a visit: positions, times, fluxes, and the light of each snap."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline

from simulate import camera
from simulate.cadence import Visit
from simulate.camera import Detector
from simulate.geometry import (
    YEAR,
    apparent_direction,
    observer,
    pixel_axes,
    ra_decl,
    tangent_plane,
    unit_vector,
)
from simulate.render import Sources, draw
from simulate.sky import ASTEROID_COLOUR, EPOCH, Catalogue
from simulate.spectra import colour
from simulate.stray_light import (
    BRIGHT,
    CIRRUS_COLOUR,
    GHOST_LIGHT,
    SPIKE_LIGHT,
    draw_ghost,
    draw_spikes,
)
from simulate.tiers import FIELD

FloatArray = NDArray[np.float64]

_MARGIN = 140  # px beyond the border from which light still reaches the detector
_STEP = 8  # px between the points at which cirrus is computed


@dataclass
class Scene:
    """Objects near a detector in a visit; arrays of length n, one entry an object.

    ``x``, ``y``: true pixels at mid-exposure; ``ra``, ``decl`` [deg] there and then; ``mjd``:
    mid-exposure of the visit at the object's row; ``flux``: mean of the snaps [nJy]; per snap, in
    lists: ``snap_x``, ``snap_y``, ``snap_flux``; ``speed_x``, ``speed_y`` [px/s]; ``smear_x``,
    ``smear_y`` [px]: standard deviation by refraction; ``width``: of the PSF relative to the mean
    star's. Pixels are those where the light falls, refraction by colour included.
    """

    object_id: NDArray[np.int64]
    kind: NDArray[np.str_]
    row: NDArray[np.int64]  # in the catalogue, -1 for asteroids
    x: FloatArray
    y: FloatArray
    ra: FloatArray
    decl: FloatArray
    mjd: FloatArray
    flux: FloatArray
    snap_x: list[FloatArray]
    snap_y: list[FloatArray]
    snap_flux: list[FloatArray]
    speed_x: FloatArray
    speed_y: FloatArray
    smear_x: FloatArray
    smear_y: FloatArray
    width: FloatArray


def _asteroids(
    sky: Catalogue, visit: Visit, detector: Detector
) -> tuple[list[int], list[list[FloatArray]], FloatArray]:
    """Asteroids near the detector: ids; at each moment x, y, ra, decl, mjd, flux; speeds [px/s]."""
    found, moments, speeds = [], [], []
    band = camera.band_index(visit.band)
    whole = np.array([visit.snap_begin(detector, 0), visit.snap_end(detector, visit.snaps - 1)])
    place = observer(whole)
    for object_id, orbit in sky.asteroids.items():
        span = whole
        x, y = visit.to_pixels(detector, orbit.seen(span, place)[0])
        middle = (detector.size - 1) / 2
        if max(abs(x.mean() - middle), abs(y.mean() - middle)) > detector.size / 2 + _MARGIN:
            continue
        # the moment of the visit and of each snap, at the row where the body then is
        times = [visit.mid(detector, y.mean(keepdims=True))]
        times += [visit.snap_mid(detector, s, y.mean(keepdims=True)) for s in range(visit.snaps)]
        mjd = np.concatenate(times)
        direction, magnitude = orbit.seen(mjd)
        flux = 10 ** (0.4 * (camera.AB_ZERO - magnitude + ASTEROID_COLOUR[band]))
        found.append(object_id)
        moments.append([*visit.to_pixels(detector, direction), *ra_decl(direction), mjd, flux])
        if visit.snaps > 1:  # from the middle of the first to that of the last
            x, y, span = moments[-1][0][1:], moments[-1][1][1:], mjd[1:]
        seconds = (span[-1] - span[0]) * 86400
        speeds.append([(x[-1] - x[0]) / seconds, (y[-1] - y[0]) / seconds])
    return found, moments, np.array(speeds).reshape(-1, 2).T


def _directions(sky: Catalogue, rows: slice | NDArray[np.intp], mjd: float) -> FloatArray:
    """Apparent directions of some of the catalogue at a time, shape (n, 3)."""
    return apparent_direction(
        sky.ra[rows],
        sky.decl[rows],
        sky.pm_ra[rows],
        sky.pm_decl[rows],
        sky.parallax[rows],
        (mjd - EPOCH) / YEAR,
        observer(mjd),
    )


def observe(sky: Catalogue, visit: Visit, detector: Detector) -> Scene:
    """Place everything on a detector for a visit."""
    band = camera.band_index(visit.band)
    centre = visit.mid(detector, np.array([(detector.size - 1) / 2]))[0]
    direction = _directions(sky, slice(None), centre)
    x, y = visit.to_pixels(detector, direction)
    limit = detector.size + _MARGIN
    near = np.flatnonzero((x > -_MARGIN) & (x < limit) & (y > -_MARGIN) & (y < limit))
    mjd = visit.mid(detector, y)
    snap_flux = [
        sky.flux_at(band, visit.snap_mid(detector, s, y))[near] for s in range(visit.snaps)
    ]
    ra, decl = ra_decl(direction)
    bodies, moments, speed = _asteroids(sky, visit, detector)
    moving = np.array(moments).reshape(len(bodies), 6, visit.snaps + 1)
    still = np.zeros(near.size)
    spectra = np.concatenate(
        [sky.spectra()[near], np.tile(10 ** (0.4 * ASTEROID_COLOUR), (len(bodies), 1))]
    )
    effect = colour(spectra, visit.band)
    # pixels that light of a refractivity moves towards the zenith
    bend = visit.zenith_tangent * np.degrees(3600) / camera.PIXEL_SCALE
    bend *= visit.effects.chromatic_refraction
    shift_x, shift_y = (bend * effect.shift * part for part in visit.zenith)
    return Scene(
        object_id=np.concatenate([sky.object_id[near], np.array(bodies, dtype=np.int64)]),
        kind=np.concatenate([sky.kind[near], np.full(len(bodies), "asteroid")]),
        row=np.concatenate([near, np.full(len(bodies), -1)]),
        x=np.concatenate([x[near], moving[:, 0, 0]]) + shift_x,
        y=np.concatenate([y[near], moving[:, 1, 0]]) + shift_y,
        ra=np.concatenate([ra[near], moving[:, 2, 0]]),
        decl=np.concatenate([decl[near], moving[:, 3, 0]]),
        mjd=np.concatenate([mjd[near], moving[:, 4, 0]]),
        flux=np.concatenate([np.mean(snap_flux, axis=0), moving[:, 5, 1:].mean(axis=1)]),
        snap_x=[
            np.concatenate([x[near], moving[:, 0, s + 1]]) + shift_x for s in range(visit.snaps)
        ],
        snap_y=[
            np.concatenate([y[near], moving[:, 1, s + 1]]) + shift_y for s in range(visit.snaps)
        ],
        snap_flux=[np.concatenate([snap_flux[s], moving[:, 5, s + 1]]) for s in range(visit.snaps)],
        speed_x=np.concatenate([still, speed[0]]),
        speed_y=np.concatenate([still, speed[1]]),
        smear_x=bend * effect.spread * visit.zenith[0],
        smear_y=bend * effect.spread * visit.zenith[1],
        width=effect.width if visit.effects.chromatic_psf else np.ones(effect.width.size),
    )


def _sources(
    sky: Catalogue,
    visit: Visit,
    detector: Detector,
    scene: Scene,
    rows: NDArray[np.intp],
    snap: int,
) -> Sources:
    """Give the drawable form of some objects of a scene in a snap."""
    x, y = scene.snap_x[snap][rows], scene.snap_y[snap][rows]
    half = (detector.size - 1) / 2
    fwhm, g1, g2 = visit.psf.at(x - half + detector.centre_x, y - half + detector.centre_y)
    band = camera.band_index(visit.band)
    known = scene.row[rows]
    body = known < 0
    known = np.maximum(known, 0)
    total = sky.flux[known, band]
    fraction = np.where(total > 0, sky.bulge[known, band] / np.where(total > 0, total, 1.0), 0.0)
    position = np.radians(sky.angle[known])
    axis = pixel_axes(visit.rotation) @ np.stack([np.sin(position), np.cos(position)])
    rate = scene.snap_flux[snap][rows] * visit.rate_per_njy
    lost = SPIKE_LIGHT * visit.effects.diffraction_spikes + GHOST_LIGHT * visit.effects.ghosts
    rate = np.where(~body & (total > _bright()), (1 - lost) * rate, rate)
    return Sources(
        x=x,
        y=y,
        rate=rate,
        fwhm=fwhm * scene.width[rows],
        g1=g1,
        g2=g2,
        trail_x=scene.speed_x[rows] * camera.SNAP_TIME,
        trail_y=scene.speed_y[rows] * camera.SNAP_TIME,
        bulge_fraction=np.where(body, 0.0, fraction),
        disk_radius=np.where(body, 0.0, sky.disk_radius[known] / camera.PIXEL_SCALE),
        disk_ratio=sky.disk_ratio[known],
        bulge_radius=np.where(body, 0.0, sky.bulge_radius[known] / camera.PIXEL_SCALE),
        bulge_ratio=sky.bulge_ratio[known],
        angle=np.arctan2(axis[1], axis[0]),
        smear_x=scene.smear_x[rows],
        smear_y=scene.smear_y[rows],
    )


def _bright() -> float:
    """Flux [nJy] from which a star has a ghost and spikes."""
    return float(10 ** (0.4 * (camera.AB_ZERO - BRIGHT)))


def _stray(sky: Catalogue, visit: Visit, detector: Detector, image: FloatArray) -> None:
    """Add ghosts and spikes of bright stars, wherever on the camera they are, and cirrus."""
    band = camera.band_index(visit.band)
    effects = visit.effects
    if effects.ghosts or effects.diffraction_spikes:
        rows = np.flatnonzero((sky.flux[:, band] > _bright()) & (sky.kind == "star"))
        middle = visit.mid(detector, np.array([(detector.size - 1) / 2]))[0]
        x, y = visit.to_pixels(detector, _directions(sky, rows, middle))
        half = (detector.size - 1) / 2
        x, y = x - half + detector.centre_x, y - half + detector.centre_y
        zenith = float(np.arctan2(visit.zenith[1], visit.zenith[0]))
        width = visit.psf.fwhm / 2.355
        for u, v, flux in zip(x, y, sky.flux[rows, band], strict=True):
            rate = float(flux * visit.rate_per_njy)
            if effects.ghosts:
                draw_ghost(image, detector, u, v, rate)
            if effects.diffraction_spikes:
                draw_spikes(image, detector, (u, v), rate, width, zenith)
    if sky.cirrus is not None:
        points = np.arange(-_STEP, detector.size + _STEP + 1, _STEP, dtype=np.float64)
        u = points - (detector.size - 1) / 2 + detector.centre_x
        v = (points - (detector.size - 1) / 2 + detector.centre_y)[:, None]
        turn = np.linalg.inv(pixel_axes(visit.rotation)) * camera.PIXEL_SCALE
        xi0, eta0 = tangent_plane(unit_vector(visit.ra, visit.decl), *FIELD)
        coarse = sky.cirrus.brightness(
            xi0 + turn[0, 0] * u + turn[0, 1] * v, eta0 + turn[1, 0] * u + turn[1, 1] * v
        )
        pixels = np.arange(detector.size)
        fine = RectBivariateSpline(points, points, coarse)(pixels, pixels)
        image += fine * CIRRUS_COLOUR[band] * camera.PIXEL_SCALE**2 * visit.rate_per_njy


def background(visit: Visit, detector: Detector) -> FloatArray:
    """Sky over a detector, shape (size, size) [electron/s/px]."""
    n, half_width = detector.size, visit.camera_height / 2
    u = (np.arange(n) - (n - 1) / 2 + detector.centre_x) / half_width
    v = ((np.arange(n) - (n - 1) / 2 + detector.centre_y) / half_width)[:, None]
    s = visit.sky_slope
    shape = 1 + s[0] * u + s[1] * v + s[2] * u * u + s[3] * u * v + s[4] * v * v
    return np.asarray(visit.sky * np.maximum(shape, 0.0))


def light(sky: Catalogue, visit: Visit, detector: Detector, scene: Scene) -> list[FloatArray]:
    """Light on the detector in each snap, shape (size, size) [electron/s], noise-free."""
    changes = np.zeros(scene.object_id.size, dtype=bool)
    for snap in range(1, visit.snaps):
        changes |= scene.snap_flux[snap] != scene.snap_flux[0]
        changes |= scene.snap_x[snap] != scene.snap_x[0]
        changes |= scene.snap_y[snap] != scene.snap_y[0]
    shines = scene.flux > 0
    steady = background(visit, detector)
    _stray(sky, visit, detector, steady)
    extended = np.isin(scene.kind, ["galaxy"])
    for group in (extended, ~extended):
        rows = np.flatnonzero(~changes & shines & group)
        draw(steady, _sources(sky, visit, detector, scene, rows, 0))
    images = []
    for snap in range(visit.snaps):
        image = steady.copy()
        draw(
            image,
            _sources(sky, visit, detector, scene, np.flatnonzero(changes & shines), snap),
        )
        for satellite in visit.satellites:
            if satellite.snap == snap:
                satellite.draw(image, detector)
        images.append(image)
    return images
