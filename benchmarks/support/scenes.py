"""Simulated visits with known truth for the figures of image processing.

A scene is one calibrated visit (:mod:`support.shots`) and the dithered, rotated visits of its
template season, under one sky (:mod:`support.sky`). Nothing of `processing` draws; it only measures
the PSF that the exposures carry (``psf_from="true"`` gives them that of the simulation). WCS and
zero point of each visit are off by what a good calibration leaves.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy import ndimage
from support.shots import EFFECTS, GAIN, SKY, Shot, shoot
from support.sky import SCALE, Sky, make_sky, make_wcs
from support.true_psf import random_psf

from processing import coadd
from processing.exposure import Exposure

FloatArray = NDArray[np.float64]


@dataclass
class Scene:
    """A visit, its template season, and the truth.

    Attributes
    ----------
    visit : Exposure [nJy]
        With fakes.
    snap_difference : Exposure [nJy]
        Second snap minus first, on the flux scale of the visit.
    template_inputs : list of Exposure [nJy]
        Without fakes.
    truth : Table
        A row a fake: ``x``, ``y`` [pixel], ``flux`` [nJy], ``kind`` (blank or host), ``host``
        (row of ``sky.galaxies`` or -1), ``snr`` (Fisher: of the flux at the true position, with
        the true PSF, under the true variance of the visit and that of the best template).
    sky : Sky
    shot : Shot
        The visit's truth.
    """

    visit: Exposure
    snap_difference: Exposure
    template_inputs: list[Exposure]
    truth: Table
    sky: Sky
    shot: Shot
    _made: dict[str, Exposure] = field(default_factory=dict)

    def template(self) -> Exposure:
        """Template of all inputs, through :mod:`processing.coadd`."""
        if "template" not in self._made:
            self._made["template"] = coadd.build_template(self.template_inputs)
        return self._made["template"]

    def true_psf(self, x: float, y: float) -> FloatArray:
        """Centred stamp of the visit's PSF."""
        return self.shot.psf.image(x, y)

    @cached_property
    def blank(self) -> NDArray[np.bool_]:
        """Pixels with less light than a twentieth of the sky's noise, 15 pixels off any fake."""
        out = self.shot.light * GAIN < 0.05 * np.sqrt(SKY)
        if len(self.truth):
            mark = np.ones(self.visit.shape, bool)
            mark[
                _nearest(self.truth["y"], mark.shape[0]), _nearest(self.truth["x"], mark.shape[1])
            ] = False
            out &= ndimage.distance_transform_edt(mark) > 15
        return np.asarray(out)

    @cached_property
    def star_pixels(self) -> FloatArray:
        """x, y [pixel] and flux [nJy] of the stars on the detector, shape (n, 3)."""
        x, y = self._true_wcs.all_world2pix(self.sky.stars[:, 0], self.sky.stars[:, 1], 0)
        ny, nx = self.visit.shape
        on = (x > -0.5) & (x < nx - 0.5) & (y > -0.5) & (y < ny - 0.5)
        return np.asarray(np.column_stack([x, y, self.sky.stars[:, 2]])[on])

    @property
    def _true_wcs(self) -> WCS:
        return make_wcs(self.visit.shape)


def _nearest(values: Any, limit: int) -> NDArray[np.int64]:
    return np.asarray(np.clip(np.rint(np.asarray(values)).astype(int), 0, limit - 1))


def make(
    seed: int,
    size: int = 1024,
    *,
    visits_in_template: int = 12,
    n_fakes: int = 100,
    n_stars: int | None = None,
    n_galaxies: int | None = None,
    snr: tuple[float, float] = (3.0, 100.0),
    fwhm: float | None = None,
    effects: Collection[str] = EFFECTS,
    psf_from: str = "stars",
) -> Scene:
    """Make a scene; the same arguments give the same one.

    Parameters
    ----------
    size : int [pixel]
        Side of the visit; those of the template are 1.25 times larger, rotated by any angle and
        moved by up to a twelfth, so that its depth steps within the visit.
    n_fakes : int
        Point sources added to the visit: half on galaxies, one in six negative, S/N between
        ``snr`` in equal logarithmic steps, no two closer than 20 pixels.
    n_stars, n_galaxies : int
        On the visit's area; by default 300 and 500 for 1024 x 1024 pixels.
    fwhm : float [pixel]
        Of the visit; by default between 3.4 and 4.8. The template's inputs have 3.2 to 5.2.
    effects, psf_from
        See :func:`shoot`.
    """
    rng = np.random.default_rng(seed)
    area = (size / 1024) ** 2
    n_stars = round(300 * area) if n_stars is None else n_stars
    n_galaxies = round(500 * area) if n_galaxies is None else n_galaxies
    wide = int(1.25 * size)
    width = (1.45 * wide + 100) * SCALE / 3600
    share = (width * 3600 / SCALE / size) ** 2
    sky = make_sky(rng, round(n_stars * share), round(n_galaxies * share), width)
    inputs = []
    for k in range(visits_in_template):
        turn = float(rng.uniform(0, 360))
        dx, dy = rng.uniform(-size / 12, size / 12, 2)
        psf = random_psf(rng, float(rng.uniform(3.2, 5.2)), (wide, wide))
        wcs = make_wcs((wide, wide), turn, float(dx), float(dy))
        shot = shoot(
            rng, 100 + k, wcs, psf, sky.points, effects=[e for e in effects if e != "moon"],
            psf_from=psf_from, level=SKY * rng.uniform(0.8, 1.2), mid_tai=60700.0 + 5 * k,
            rotation=turn, is_template=True,
        )  # fmt: skip
        inputs.append(shot.exposure)
    return _observe(rng, sky, inputs, size, n_fakes, snr, fwhm, effects, psf_from)


def again(scene: Scene, seed: int, *, n_fakes: int = 100, snr: tuple[float, float] = (3.0, 100.0),
          fwhm: float | None = None, effects: Collection[str] = EFFECTS, psf_from: str = "stars",
) -> Scene:  # fmt: skip
    """Make another visit of the same sky, with fakes of its own and the same template."""
    rng = np.random.default_rng([seed, 1])
    size = scene.visit.shape[0]
    made = _observe(
        rng, scene.sky, scene.template_inputs, size, n_fakes, snr, fwhm, effects, psf_from
    )
    made._made = scene._made  # noqa: SLF001
    return made


def _observe(
    rng: np.random.Generator, sky: Sky, inputs: list[Exposure], size: int, n_fakes: int,
    snr: tuple[float, float], fwhm: float | None, effects: Collection[str], psf_from: str,
) -> Scene:  # fmt: skip
    shape = (size, size)
    psf = random_psf(rng, float(rng.uniform(3.4, 4.8)) if fwhm is None else fwhm, shape)
    wcs = make_wcs(shape)
    truth = _fakes(rng, n_fakes, sky, wcs, shape, snr)
    level = SKY * rng.uniform(0.8, 1.2)
    quiet = shoot(
        np.random.default_rng(0), 1, wcs, psf, sky.points, effects=effects, psf_from="true",
        level=level,
    )  # fmt: skip
    _add_fluxes(truth, quiet, inputs)
    rows = np.column_stack([truth["x"], truth["y"], truth["flux"]]).astype(float)
    shot = shoot(
        rng, 1, wcs, psf, sky.points, rows, effects=effects, psf_from=psf_from, level=level,
        mid_tai=61000.0,
    )  # fmt: skip
    return Scene(shot.exposure, shot.snap_difference, inputs, truth, sky, shot)


def _fakes(
    rng: np.random.Generator, n: int, sky: Sky, wcs: WCS, shape: tuple[int, int],
    snr: tuple[float, float],
) -> Table:  # fmt: skip
    ny, nx = shape
    gx, gy = wcs.all_world2pix(sky.galaxies[:, 0], sky.galaxies[:, 1], 0)
    on = np.flatnonzero((gx > 0) & (gx < nx - 1) & (gy > 0) & (gy < ny - 1))
    places: list[tuple[float, float, int]] = []
    for k in range(n):
        for _ in range(100):
            host = int(rng.choice(on)) if k % 2 and on.size else -1
            if host >= 0:
                x, y = gx[host] + rng.normal(0, 1.5), gy[host] + rng.normal(0, 1.5)
            else:
                x, y = rng.uniform(-0.5, nx - 0.5), rng.uniform(-0.5, ny - 0.5)
            inside = -0.5 < x < nx - 0.5 and -0.5 < y < ny - 0.5
            if inside and all(np.hypot(x - a, y - b) > 20 for a, b, _ in places):
                places.append((float(x), float(y), host))
                break
    found = np.array(places).reshape(-1, 3)
    hosts = found[:, 2].astype(int)
    size = np.exp(rng.uniform(np.log(snr[0]), np.log(snr[1]), len(found)))
    sign = np.where(rng.random(len(found)) < 1 / 6, -1.0, 1.0)
    return Table(
        {
            "x": found[:, 0],
            "y": found[:, 1],
            "kind": np.where(hosts >= 0, "host", "blank"),
            "host": hosts,
            "snr": sign * size,
        }
    )


def _add_fluxes(truth: Table, shot: Shot, inputs: list[Exposure]) -> None:
    """Turn signal-to-noise into flux: sigma^-2 = sum P^2 / V over the true pixels.

    The best template of the visits that cover the place adds their variance, 1 / sum 1 / V. For
    visits as wide as this one on average it is white where the PSF has its power.
    """
    half = 20
    variance = np.pad(shot.variance, half, mode="edge")
    ra, decl = shot.exposure.wcs.all_pix2world(truth["x"], truth["y"], 0)
    known = np.zeros(len(truth))
    for one in inputs:
        x, y = one.wcs.all_world2pix(ra, decl, 0)
        covered = (x > 0) & (x < one.shape[1] - 1) & (y > 0) & (y < one.shape[0] - 1)
        known += covered / np.median(one.variance)
    flux = []
    for x, y, snr, n in zip(truth["x"], truth["y"], truth["snr"], known, strict=True):
        stamp = shot.psf.stamp(float(x), float(y), half)
        row, column = int(np.rint(y)), int(np.rint(x))
        local = variance[row : row + 2 * half + 1, column : column + 2 * half + 1]
        weight = stamp / local
        own = 1 / np.sum(weight * stamp)
        flux.append(snr * np.sqrt(own + np.sum(weight**2) / n * own**2))
    truth["flux"] = np.array(flux)
