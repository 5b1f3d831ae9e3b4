"""Simulated visits with known truth for the figures of image processing.

A scene is one calibrated visit and the dithered, rotated visits of its template season. Stars have
a Kolmogorov profile (its values are GalSim's) whose width and shear vary over the detector; a
galaxy is a cloud of points with an exponential profile, the same in every visit, so that every PSF
blurs it exactly. Electrons are counted: sky, sources and read noise of two snaps; bright stars
saturate and bleed. Nothing of `processing` draws; it only measures the PSF that the exposures carry
(`psf="true"` gives them that of the simulation). WCS and zero point of each visit are off by what a
good calibration leaves.

Fluxes in nJy, 0.2 arcsec pixels. The sky is that of 30 s in r: a point source of about 100 nJy has
S/N 1.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import galsim
import numpy as np
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy import ndimage

from processing import coadd, detection, psf_stars
from processing.compiled import compiled
from processing.exposure import Exposure, Mask, VisitInfo
from processing.psf import PsfModel

FloatArray = NDArray[np.float64]

SCALE = 0.2  # arcsec per pixel
RA, DECL = 150.0, 2.0  # of the visit's centre
GAIN = 1.9  # electrons per nJy
SKY = 900.0  # electrons per pixel
READ = 9.0  # electrons, of each of two snaps
FULL = 1.0e5  # electrons at which a pixel is full
EFFECTS = ("wcs", "zero point")
_TABLE = 40_000  # entries of the profile's table
_REACH = 40.0  # FWHM it holds


@dataclass(frozen=True)
class TruePsf:
    """Kolmogorov PSF over a detector of ``shape`` (ny, nx).

    ``size`` (6,) multiplies ``fwhm`` [pixel], ``g1`` and ``g2`` (6,) are the shear: coefficients
    of 1, u, v, u^2, uv, v^2 with u, v in [-1, 1].
    """

    fwhm: float
    shape: tuple[int, int]
    size: FloatArray
    g1: FloatArray
    g2: FloatArray

    def at(self, x: FloatArray, y: FloatArray) -> FloatArray:
        """FWHM [pixel] and shear (g1, g2) at n positions, shape (3, n)."""
        u, v = 2 * np.asarray(x) / self.shape[1] - 1, 2 * np.asarray(y) / self.shape[0] - 1
        u, v = np.clip(u, -1.2, 1.2), np.clip(v, -1.2, 1.2)
        terms = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v])
        return np.stack([self.fwhm * (self.size @ terms), self.g1 @ terms, self.g2 @ terms])

    def draw(self, image: FloatArray, x: FloatArray, y: FloatArray, flux: FloatArray) -> None:
        """Add point sources to ``image`` (ny, nx), as far as they are above 1e-2 units."""
        _draw(image, x, y, flux, self.at(x, y), _profile(), 1e-2)

    def stamp(self, x: float, y: float, half: int) -> FloatArray:
        """PSF of a source at (x, y) on the pixels around the nearest one."""
        out = np.zeros((2 * half + 1, 2 * half + 1))
        middle = np.array([half + x - np.rint(x)]), np.array([half + y - np.rint(y)])
        shape = self.at(np.array([x]), np.array([y]))
        _draw(out, *middle, np.ones(1), shape, _profile(), 0.0)
        return out

    def image(self, x: float, y: float) -> FloatArray:
        """Centred stamp of sum 1, for :class:`processing.exposure.Psf`."""
        stamp = self.stamp(float(np.rint(x)), float(np.rint(y)), int(np.ceil(4 * self.fwhm)))
        return np.asarray(stamp / stamp.sum())


def random_psf(rng: np.random.Generator, fwhm: float, shape: tuple[int, int]) -> TruePsf:
    """PSF that varies by a few percent in size and shear."""
    spread = np.array([0, 0.02, 0.02, 0.015, 0.015, 0.015])
    size = np.append(1.0, np.clip(rng.normal(size=5), -2, 2) * spread[1:])
    first = np.array([0.015, *(0.5 * spread[1:])])
    g1, g2 = (np.clip(rng.normal(size=6), -2, 2) * first for _ in range(2))
    return TruePsf(fwhm, shape, size, g1, g2)


_CACHE: dict[str, FloatArray] = {}


def _profile() -> FloatArray:
    """Kolmogorov profile of FWHM 1 and flux 1 on equal steps of the root of the radius."""
    if "profile" not in _CACHE:
        source = galsim.Kolmogorov(fwhm=1.0)
        radii = _REACH * np.linspace(0, 1, _TABLE) ** 2
        _CACHE["profile"] = np.array([source.xValue(float(r), 0.0) for r in radii])
    return _CACHE["profile"]


@compiled
def _draw(
    image: FloatArray, xs: FloatArray, ys: FloatArray, flux: FloatArray, shapes: FloatArray,
    profile: FloatArray, lowest: float,
) -> None:  # fmt: skip
    """Integrate sheared profiles over the pixels (3 x 3 Gauss points)."""
    ny, nx = image.shape
    node = np.array([-np.sqrt(0.15), 0.0, np.sqrt(0.15)])
    share = np.array([5 / 18, 8 / 18, 5 / 18])
    last = profile.size - 1
    for s in range(xs.size):
        fwhm, g1, g2 = shapes[0, s], shapes[1, s], shapes[2, s]
        # Inverse of the shear that preserves the area, over the width.
        factor = 1 / np.sqrt(1 - g1 * g1 - g2 * g2) / fwhm
        density = flux[s] / (fwhm * fwhm)
        reach = _REACH * 0.9
        if lowest > 0:
            index = last
            while index > 1 and abs(density) * profile[index] < lowest:
                index = index * 9 // 10
            reach = min(reach, max(2.0, _REACH * (index / last) ** 2 / 0.8))
        radius = int(np.ceil(reach * fwhm))
        column, row = int(np.rint(xs[s])), int(np.rint(ys[s]))
        for i in range(max(0, row - radius), min(ny, row + radius + 1)):
            for j in range(max(0, column - radius), min(nx, column + radius + 1)):
                total = 0.0
                for p in range(3):
                    dy = i + node[p] - ys[s]
                    for q in range(3):
                        dx = j + node[q] - xs[s]
                        a = factor * ((1 - g1) * dx - g2 * dy)
                        b = factor * ((1 + g1) * dy - g2 * dx)
                        t = np.sqrt(np.sqrt(a * a + b * b) / _REACH) * last
                        k = int(t)
                        if k < last:
                            value = profile[k] + (t - k) * (profile[k + 1] - profile[k])
                            total += share[p] * share[q] * value
                image[i, j] += density * total


@dataclass(frozen=True)
class Sky:
    """What does not change: points of stars and of galaxies (ra, decl [deg], flux [nJy])."""

    stars: FloatArray  # (n, 3)
    galaxies: FloatArray  # (n, 3)
    clouds: FloatArray  # (m, 3): the points galaxies are made of

    @property
    def points(self) -> FloatArray:
        """All points, shape (n, 3)."""
        return np.concatenate([self.stars, self.clouds])


def _magnitudes(rng: np.random.Generator, n: int, low: float, high: float, slope: float) -> Any:
    """Draw from number counts 10^(slope m) between two magnitudes, as fluxes [nJy]."""
    a, b = 10 ** (slope * low), 10 ** (slope * high)
    magnitude = np.log10(a + rng.random(n) * (b - a)) / slope
    return 10 ** (-0.4 * (magnitude - 31.4))


def make_sky(rng: np.random.Generator, n_stars: int, n_galaxies: int, width: float) -> Sky:
    """Draw a sky of ``width`` [deg] around (RA, DECL)."""

    def places(n: int) -> FloatArray:
        east, north = rng.uniform(-width / 2, width / 2, (2, n))
        return np.stack([RA + east / np.cos(np.radians(DECL)), DECL + north], axis=1)

    stars = np.column_stack([places(n_stars), _magnitudes(rng, n_stars, 15, 25, 0.25)])
    galaxies = np.column_stack([places(n_galaxies), _magnitudes(rng, n_galaxies, 19, 25, 0.4)])
    n = 40
    # Radii of equal light of an exponential disk, on a spiral that fills the angle evenly.
    light = (np.arange(n) + 0.5) / n
    table = np.linspace(0, 12, 4000)
    radius = np.interp(light, 1 - np.exp(-table) * (1 + table), table)
    angle = np.arange(n) * np.pi * (3 - np.sqrt(5))
    length = rng.uniform(0.1, 0.35, n_galaxies) / 3600  # scale lengths [deg]
    axis, turn = rng.uniform(0.3, 1, n_galaxies), rng.uniform(0, np.pi, n_galaxies)
    a = length[:, None] * radius * np.cos(angle)
    b = (length * axis)[:, None] * radius * np.sin(angle)
    c, s = np.cos(turn)[:, None], np.sin(turn)[:, None]
    clouds = np.stack(
        [
            galaxies[:, :1] + (a * c - b * s) / np.cos(np.radians(DECL)),
            galaxies[:, 1:2] + a * s + b * c,
            np.repeat(galaxies[:, 2:] / n, n, axis=1),
        ],
        axis=-1,
    ).reshape(-1, 3)
    return Sky(stars, galaxies, clouds)


def make_wcs(
    shape: tuple[int, int], rotation: float = 0.0, dx: float = 0.0, dy: float = 0.0
) -> WCS:
    """Tangent plane at (RA, DECL), which lies (dx, dy) pixels from the detector's middle."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [RA, DECL]
    wcs.wcs.crpix = [(shape[1] + 1) / 2 + dx, (shape[0] + 1) / 2 + dy]
    c, s = np.cos(np.radians(rotation)), np.sin(np.radians(rotation))
    wcs.wcs.cd = SCALE / 3600 * np.array([[-c, s], [s, c]])
    wcs.wcs.set()
    return wcs


@dataclass
class Shot:
    """One simulated visit and its truth, all arrays (ny, nx)."""

    exposure: Exposure
    psf: TruePsf
    light: FloatArray  # static sources without noise [nJy]
    sky: FloatArray  # electrons of the background
    snap_difference: Exposure

    @property
    def variance(self) -> FloatArray:
        """True variance of each pixel without the fakes [nJy^2]."""
        return np.asarray((self.sky + 2 * READ**2 + np.maximum(self.light, 0) * GAIN) / GAIN**2)


def shoot(
    rng: np.random.Generator, ccd_visit_id: int, wcs: WCS, psf: TruePsf, points: FloatArray,
    fakes: FloatArray | None = None, *, effects: Collection[str] = EFFECTS, psf_from: str = "stars",
    level: float = SKY, mid_tai: float = 61000.0, rotation: float = 0.0,
    is_template: bool = False,
) -> Shot:  # fmt: skip
    """Take a visit.

    Parameters
    ----------
    points : array, shape (n, 3)
        ra, decl [deg], flux [nJy] of what does not change.
    fakes : array, shape (n, 3)
        x, y [pixel], flux [nJy] of what was added (or, negative, went away).
    effects : collection of str
        ``"wcs"``: 10 mas of error; ``"zero point"``: 0.5 %; ``"moon"``: a sky that rises
        fourfold across the detector.
    psf_from : str
        ``"stars"`` (measured) or ``"true"``: of the PSF that the exposure carries.
    level : float
        Electrons of the sky in a pixel.
    """
    shape = psf.shape
    x, y = wcs.all_world2pix(points[:, 0], points[:, 1], 0)
    reach = 250
    near = (x > -reach) & (x < shape[1] + reach) & (y > -reach) & (y < shape[0] + reach)
    light = np.zeros(shape)
    psf.draw(light, x[near], y[near], points[near, 2])
    added = np.zeros(shape)
    if fakes is not None and len(fakes):
        psf.draw(added, *np.ascontiguousarray(fakes.T))
    sky = np.full(shape, level)
    if "moon" in effects:
        sky *= 1 + 3 * np.arange(shape[1]) / shape[1]
    expected = np.maximum(sky + (light + added) * GAIN, 1) / 2
    snaps = [rng.poisson(expected) + READ * rng.normal(size=shape) for _ in range(2)]
    electrons = snaps[0] + snaps[1]
    full = _bleed(electrons)
    electrons[full] = FULL
    net = (electrons - sky).astype(np.float32)
    gain = GAIN * (1 + (0.005 * rng.normal() if "zero point" in effects else 0.0))
    said = wcs.deepcopy()
    if "wcs" in effects:
        said.wcs.crpix = said.wcs.crpix + rng.normal(0, 0.010 / SCALE, 2)
        said.wcs.set()
    mask = np.where(full, int(Mask.SAT), 0).astype(np.int32)
    empty = (sky + 2 * READ**2).astype(np.float32)
    smooth = np.maximum(ndimage.gaussian_filter(net, 1), 0)
    visit = VisitInfo(
        instrument="scene", visit_id=ccd_visit_id, ccd_visit_id=ccd_visit_id, detector=0, band="r",
        filter_name="r", program_id="scene", mid_tai=mid_tai, mid_tai_dx=0.0, mid_tai_dy=0.0,
        exposure_time=30.0, n_snaps=2, airmass=1.1, boresight_ra=RA, boresight_decl=DECL,
        rotation=rotation, is_template=is_template,
    )  # fmt: skip
    exposure = Exposure(
        image=(net / gain).astype(np.float32),
        variance=((empty + smooth) / gain**2).astype(np.float32),
        mask=mask, unit="nJy", visit=visit, wcs=said, electrons_per_unit=gain,
    )  # fmt: skip
    exposure.psf = _measured(exposure) if psf_from == "stars" else PsfModel.sampled(psf, shape)
    difference = ((snaps[1] - snaps[0]) * 2 / gain).astype(np.float32)
    snap_difference = replace(
        exposure,
        image=difference,
        variance=((empty + smooth) * 4 / gain**2).astype(np.float32),
        mask=mask.copy(),
        electrons_per_unit=gain / 2,
    )
    return Shot(exposure, psf, light, sky, snap_difference)


def _bleed(electrons: FloatArray) -> NDArray[np.bool_]:
    """Full pixels, their neighbours, and what their excess fills along the columns."""
    full = electrons > FULL
    parts, n = ndimage.label(full)
    out = full.copy()
    for label, (rows, columns) in enumerate(ndimage.find_objects(parts), start=1):
        for column in range(columns.start, columns.stop):
            mine = np.flatnonzero(parts[rows, column] == label) + rows.start
            if mine.size:
                more = int(np.sum(electrons[mine, column] - FULL) / FULL / 2) + 1
                out[max(0, mine[0] - more) : mine[-1] + more + 1, column] = True
    return np.asarray(ndimage.binary_dilation(out) if n else out)


def _measured(exposure: Exposure) -> PsfModel:
    usable = exposure.usable()
    image = np.where(usable, exposure.image, np.float32(0))
    width = detection.coarse_fwhm(image, ~usable)
    sigma = np.sqrt(exposure.variance)
    found = detection.detect(exposure.image, sigma, exposure.mask, width)
    return psf_stars.fit(exposure.image, exposure.variance, exposure.mask, found, width).model


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
        the true PSF, under the true variance of the visit and the noise of the template).
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
        """Centred stamp of the visit's PSF, of sum 1."""
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
    visits_in_template = len(inputs)
    psf = random_psf(rng, float(rng.uniform(3.4, 4.8)) if fwhm is None else fwhm, shape)
    wcs = make_wcs(shape)
    truth = _fakes(rng, n_fakes, sky, wcs, shape, snr)
    level = SKY * rng.uniform(0.8, 1.2)
    quiet = shoot(
        np.random.default_rng(0), 1, wcs, psf, sky.points, effects=effects, psf_from="true",
        level=level,
    )  # fmt: skip
    _add_fluxes(truth, quiet, visits_in_template)
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


def _add_fluxes(truth: Table, shot: Shot, visits: int) -> None:
    """Turn signal-to-noise into flux: sigma^-2 = sum P^2 / V over the true pixels.

    The template adds the variance of as many visits like this one, smoothed to this PSF.
    """
    half = 20
    variance = np.pad(shot.variance, half, mode="edge")
    flux = []
    for x, y, snr in zip(truth["x"], truth["y"], truth["snr"], strict=True):
        stamp = shot.psf.stamp(float(x), float(y), half)
        row, column = int(np.rint(y)), int(np.rint(x))
        local = variance[row : row + 2 * half + 1, column : column + 2 * half + 1]
        weight = stamp / local
        own = 1 / np.sum(weight * stamp)
        sky = np.median(local)
        # Weighted sum over noise that a kernel of the PSF's own width has smoothed.
        added = sky / visits * np.sum(ndimage.gaussian_filter(weight, 0.5) ** 2) * own**2
        flux.append(snr * np.sqrt(own + added))
    truth["flux"] = np.array(flux)
