"""The sky of the survey: stars, galaxies, variables, transients and asteroids.

Positions are drawn for the first survey night and kept at the reference epoch. What the tier asks
for by number lies in the core of the field, where every visit sees it.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulate import camera
from simulate.cadence import Visit
from simulate.geometry import MAS, YEAR, east_north, from_tangent_plane, ra_decl
from simulate.lightcurves import (
    Eclipsing,
    Flare,
    LightCurve,
    Microlens,
    Mira,
    RRLyrae,
    Supernova,
    damped_walk,
)
from simulate.orbits import Orbit, main_belt_through, near_earth_through
from simulate.randomness import generator
from simulate.stray_light import Cirrus, cirrus
from simulate.tiers import FIELD, FIRST_NIGHT, Tier

FloatArray = NDArray[np.float64]

EPOCH = 57388.5  # MJD of 2016.0, the epoch of the reference catalogue
# V - band of a mean main-belt asteroid, ugrizy
ASTEROID_COLOUR = np.array([-1.6, -0.27, 0.22, 0.40, 0.43, 0.43])
R = 2  # position of r in ugrizy


@dataclass
class Catalogue:
    """Everything in the sky, one entry an object; arrays of length n.

    Positions [deg] at EPOCH, motion [mas/yr], parallax [mas]; ``flux`` shape (n, 6): mean or quiet
    flux in ugrizy [nJy] (0 for transients); ``bulge`` shape (n, 6): the part of it that is in the
    bulge; radii: half-light semi-major axes [arcsec]; ratios: axis ratios; ``angle``: position
    angle [deg]; ``host``: objectId of the host galaxy or -1.
    """

    object_id: NDArray[np.int64]
    kind: NDArray[np.str_]
    ra: FloatArray
    decl: FloatArray
    pm_ra: FloatArray
    pm_decl: FloatArray
    parallax: FloatArray
    flux: FloatArray
    bulge: FloatArray
    disk_radius: FloatArray
    disk_ratio: FloatArray
    bulge_radius: FloatArray
    bulge_ratio: FloatArray
    angle: FloatArray
    host: NDArray[np.int64]
    curves: dict[int, LightCurve] = field(default_factory=dict)  # by row
    asteroids: dict[int, Orbit] = field(default_factory=dict)  # by objectId
    cirrus: Cirrus | None = None

    def spectra(self) -> FloatArray:
        """Fluxes that stand for the spectra, shape (n, 6): those of a transient at its peak."""
        found = self.flux.copy()
        for row, curve in self.curves.items():
            if isinstance(curve, Supernova):
                found[row] = curve.peak
        return found

    def flux_at(self, band: int, mjd: FloatArray) -> FloatArray:
        """Flux of all objects in one band [nJy], shape (n,), ``mjd`` of shape (n,)."""
        flux = self.flux[:, band].copy()
        for row, curve in self.curves.items():
            flux[row] = curve.flux(mjd[row : row + 1], band)[0]
        return flux


def _magnitudes(
    rng: np.random.Generator, n: int, low: float, high: float, slope: float
) -> FloatArray:
    """Draw magnitudes with counts growing as 10^(slope m)."""
    a, b = 10 ** (slope * low), 10 ** (slope * high)
    return np.asarray(np.log10(a + rng.uniform(0, 1, n) * (b - a)) / slope)


def _fluxes(r: FloatArray, colours: FloatArray) -> FloatArray:
    """Six fluxes [nJy] from r magnitudes and the colours u-g, g-r, r-i, i-z, z-y, shape (n, 5)."""
    ug, gr, ri, iz, zy = colours.T
    magnitudes = np.stack([r + gr + ug, r + gr, r, r - ri, r - ri - iz, r - ri - iz - zy], axis=-1)
    return np.asarray(10 ** (0.4 * (camera.AB_ZERO - magnitudes)))


def _star_colours(rng: np.random.Generator, n: int, red: float) -> FloatArray:
    """Colours along the stellar locus; ``red`` is the fraction of M dwarfs."""
    dwarf = rng.uniform(0, 1, n) < red
    warm = np.clip(rng.normal(0.55, 0.2, n), 0.15, 1.25)
    gr = np.where(dwarf, rng.normal(1.42, 0.06, n), warm)
    ri = np.where(dwarf, rng.uniform(0.6, 1.6, n), 0.42 * warm - 0.06)
    ug = np.where(dwarf, 2.4, 0.75 + 1.5 * np.maximum(warm - 0.35, 0))
    scatter = rng.normal(0, 0.02, (5, n))
    return np.stack([ug, gr, ri, 0.55 * ri, 0.28 * ri], axis=-1) + scatter.T


@dataclass
class _Field:
    """Where things may be: half-width of the square and radius of the core [arcsec]."""

    half: float
    core: float

    @property
    def area(self) -> float:
        """Area of the square [arcmin^2]."""
        return (2 * self.half / 60) ** 2

    def anywhere(self, rng: np.random.Generator, n: int) -> FloatArray:
        """Tangent-plane positions in the square, shape (n, 2) [arcsec]."""
        return rng.uniform(-self.half, self.half, (n, 2))

    def in_core(self, rng: np.random.Generator, n: int) -> FloatArray:
        """Tangent-plane positions in the core, shape (n, 2) [arcsec]."""
        radius = self.core * np.sqrt(rng.uniform(0, 1, n))
        angle = rng.uniform(0, 2 * np.pi, n)
        return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)


def _field(tier: Tier) -> _Field:
    pixels = tier.detectors_a_side * (tier.detector_size + camera.GAP) - camera.GAP
    half = pixels * camera.PIXEL_SCALE / 2
    spread = np.radians(min(tier.cadence.rotation_spread, 45.0))
    dither = tier.cadence.template_dither
    reach = half * (np.cos(spread) + np.sin(spread)) + dither + 8.0
    return _Field(reach, half - dither - 6.0)


@dataclass
class _Builder:
    """Collects objects; numbers them in the order in which they come."""

    parts: list[dict[str, FloatArray]] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    curves: dict[int, LightCurve] = field(default_factory=dict)

    def add(self, kind: str, place: FloatArray, **columns: FloatArray) -> NDArray[np.int64]:
        """Add n objects at tangent-plane places, shape (n, 2) [arcsec]; return their rows."""
        n = len(place)
        part = {
            "pm_ra": np.zeros(n),
            "pm_decl": np.zeros(n),
            "parallax": np.zeros(n),
            "flux": np.zeros((n, 6)),
            "bulge": np.zeros((n, 6)),
            "disk_radius": np.zeros(n),
            "disk_ratio": np.ones(n),
            "bulge_radius": np.zeros(n),
            "bulge_ratio": np.ones(n),
            "angle": np.zeros(n),
            "host": np.full(n, -1.0),
        } | columns
        direction = from_tangent_plane(place[:, 0], place[:, 1], *FIELD)
        east, north = east_north(*ra_decl(direction))
        years = (FIRST_NIGHT - EPOCH) / YEAR
        moved = part["pm_ra"][:, None] * east + part["pm_decl"][:, None] * north
        part["ra"], part["decl"] = ra_decl(direction - MAS * years * moved)
        start = len(self.kinds)
        self.parts.append(part)
        self.kinds += [kind] * n
        return np.arange(start, start + n)

    def catalogue(self, asteroids: dict[int, Orbit], clouds: Cirrus | None) -> Catalogue:
        """Put the parts together."""
        columns: dict[str, Any] = {
            k: np.concatenate([p[k] for p in self.parts]) for k in self.parts[0]
        }
        host = columns.pop("host").astype(np.int64)
        return Catalogue(
            object_id=np.arange(1, len(self.kinds) + 1),
            kind=np.array(self.kinds),
            host=host,
            curves=self.curves,
            asteroids=asteroids,
            cirrus=clouds,
            **columns,
        )


def _add_stars(build: _Builder, tier: Tier, seed: int, area: _Field) -> None:
    rng = generator(seed, "stars")
    n = round(tier.sky.stars * area.area)
    colours = _star_colours(rng, n, 0.35)
    flux = _fluxes(_magnitudes(rng, n, 15.0, 25.0, 0.15), colours)
    motion = rng.normal(0, 8.0, (2, n))
    parallax = rng.lognormal(np.log(0.8), 0.6, n)
    build.add(
        "star",
        area.anywhere(rng, n),
        flux=flux,
        pm_ra=motion[0],
        pm_decl=motion[1],
        parallax=parallax,
    )
    bright = np.array(tier.sky.bright)
    flux = _fluxes(bright, _star_colours(rng, bright.size, 0.0))
    build.add("star", area.in_core(rng, bright.size), flux=flux, parallax=np.full(bright.size, 3.0))


def _add_moving_stars(build: _Builder, tier: Tier, seed: int, area: _Field) -> None:
    rng = generator(seed, "moving stars")
    fast, near = tier.sky.fast_stars, tier.sky.near_stars
    n = fast + near
    speed = np.concatenate(
        [1000 * 10 ** rng.uniform(np.log10(0.2), np.log10(3), fast), rng.uniform(30, 200, near)]
    )
    angle = rng.uniform(0, 2 * np.pi, n)
    parallax = np.concatenate([rng.uniform(5, 60, fast), rng.uniform(20, 300, near)])
    build.add(
        "star",
        area.in_core(rng, n),
        flux=_fluxes(rng.uniform(16.0, 19.5, n), _star_colours(rng, n, 0.9)),
        pm_ra=speed * np.sin(angle),
        pm_decl=speed * np.cos(angle),
        parallax=parallax,
    )


def _add_galaxies(build: _Builder, tier: Tier, seed: int, area: _Field) -> NDArray[np.int64]:
    rng = generator(seed, "galaxies")
    n = round(tier.sky.galaxies * area.area)
    place = area.anywhere(rng, n)
    r = _magnitudes(rng, n, 18.0, 25.8, 0.3)
    radius = 0.9 * 10 ** (-0.1 * (r - 21)) * rng.lognormal(0, 0.3, n)
    # pairs: the second galaxy of each stands 1 to 3 FWHM (0.7 arcsec) from the first
    pairs = tier.sky.blends
    angle = rng.uniform(0, 2 * np.pi, pairs)
    apart = 0.7 * rng.uniform(1, 3, pairs)
    r[: 2 * pairs] = rng.uniform(20, 23, 2 * pairs)
    radius[: 2 * pairs] = rng.uniform(0.3, 0.8, 2 * pairs)
    place[:pairs] = area.in_core(rng, pairs)
    place[pairs : 2 * pairs] = place[:pairs] + apart[:, None] * np.stack(
        [np.cos(angle), np.sin(angle)], axis=-1
    )
    faint = slice(2 * pairs, 2 * pairs + tier.sky.low_surface_brightness)
    r[faint] = rng.uniform(19.5, 20.5, tier.sky.low_surface_brightness)
    radius[faint] = rng.uniform(5.0, 7.0, tier.sky.low_surface_brightness)

    bulge_r = rng.beta(1.0, 2.5, n)  # bulge over total in r
    bulge_r[faint] = 0.0
    old = np.array([1.6, 0.95, 0.42, 0.30, 0.15]) + rng.normal(0, 0.08, (n, 5))
    young = np.array([0.8, 0.50, 0.25, 0.15, 0.08]) + rng.normal(0, 0.08, (n, 5))
    bulge = _fluxes(r, old) * bulge_r[:, None]
    disk = _fluxes(r, young) * (1 - bulge_r)[:, None]
    return build.add(
        "galaxy",
        place,
        flux=bulge + disk,
        bulge=bulge,
        disk_radius=radius,
        disk_ratio=rng.uniform(0.25, 1.0, n),
        bulge_radius=radius * rng.uniform(0.25, 0.6, n),
        bulge_ratio=rng.uniform(0.6, 1.0, n),
        angle=rng.uniform(0, 180, n),
    )


def _add_variables(
    build: _Builder, tier: Tier, seed: int, area: _Field, visits: list[Visit]
) -> None:
    rng = generator(seed, "variables")
    last = FIRST_NIGHT + tier.cadence.nights[-1] + 1.0
    grid = np.arange(visits[0].begin - 5, visits[-1].begin + 5, 0.25)

    def stars(kind: str, n: int, bright: float, faint: float, red: float) -> NDArray[np.int64]:
        flux = _fluxes(rng.uniform(bright, faint, n), _star_colours(rng, n, red))
        return build.add(kind, area.in_core(rng, n), flux=flux, parallax=np.full(n, 0.2))

    def mean(row: np.int64) -> FloatArray:
        return np.asarray(np.concatenate([p["flux"] for p in build.parts])[row])

    for row in stars("rr_lyrae", tier.sky.rr_lyrae, 17.5, 20.0, 0.0):
        curve: LightCurve = RRLyrae(
            mean(row), rng.uniform(0.3, 0.75), FIRST_NIGHT + rng.uniform(), rng.uniform(0.6, 1.1)
        )
        build.curves[int(row)] = curve
    for row in stars("eclipsing", tier.sky.eclipsing, 17.0, 19.5, 0.2):
        depth = rng.uniform(0.4, 0.8)
        build.curves[int(row)] = Eclipsing(
            mean(row),
            rng.uniform(0.25, 1.3),
            FIRST_NIGHT + rng.uniform(),
            depth,
            depth * rng.uniform(0.4, 1.0),
            rng.uniform(0.07, 0.11),
        )
    for row in stars("mira", tier.sky.miras, 17.0, 18.5, 1.0):
        period = rng.uniform(200, 450)
        # near its maximum in the survey nights, so that it differs from the template season
        epoch = FIRST_NIGHT + period * (0.25 + rng.uniform(-0.06, 0.06))
        build.curves[int(row)] = Mira(mean(row), period, epoch, rng.uniform(0.8, 1.8))
    survey = [v for v in visits if v.season > 0]
    for row in stars("flare", tier.sky.flares, 19.5, 21.0, 1.0):
        visit = survey[rng.integers(len(survey))]
        cycle = camera.SNAP_TIME + camera.SHUTTER_TIME + camera.READOUT_TIME
        start = visit.begin + (rng.integers(camera.SNAPS) * cycle - 1.0) / 86400
        burst = rng.uniform(30, 60) * camera.flux_sigma(visit.band)
        build.curves[int(row)] = Flare(mean(row), start, start + 17.5 / 86400, burst)
    for row in stars("microlens", tier.sky.microlenses, 18.5, 20.0, 0.3):
        build.curves[int(row)] = Microlens(
            mean(row), rng.uniform(FIRST_NIGHT, last), rng.uniform(6, 25), rng.uniform(0.1, 0.4)
        )
    for row in stars("agn", tier.sky.agn, 18.5, 20.5, 0.0):
        build.curves[int(row)] = damped_walk(rng, mean(row), grid, 0.3, 60.0)


def _add_supernovae(
    build: _Builder, tier: Tier, seed: int, area: _Field, galaxies: NDArray[np.int64]
) -> None:
    rng = generator(seed, "supernovae")
    hosted, hostless = tier.sky.supernovae_on_hosts, tier.sky.supernovae_hostless
    columns = {k: np.concatenate([p[k] for p in build.parts]) for k in build.parts[0]}
    places = area.in_core(rng, hosted + hostless)
    hosts = np.full(hosted + hostless, -1)
    xi, eta = _plane(columns["ra"], columns["decl"])
    bright = columns["flux"][galaxies, R]
    suitable = galaxies[
        (np.hypot(xi, eta)[galaxies] < area.core)
        & (bright > 10 ** (0.4 * (camera.AB_ZERO - 24.0)))
        & (columns["disk_radius"][galaxies] < 3.0)
    ]
    chosen = rng.permutation(suitable)[:hosted]
    for k, row in enumerate(chosen):
        hosts[k] = row + 1  # objectId
        along = columns["disk_radius"][row] * rng.exponential(0.8)
        across = along * columns["disk_ratio"][row] * rng.standard_normal()
        angle = np.radians(columns["angle"][row])
        places[k, 0] = xi[row] + along * np.sin(angle) + across * np.cos(angle)
        places[k, 1] = eta[row] + along * np.cos(angle) - across * np.sin(angle)
    rows = build.add("supernova", places, host=hosts.astype(np.float64))
    nights = len(tier.cadence.nights)
    for k, row in enumerate(rows):
        # every other one is there from the first night on, the rest appear on later nights
        appears = 0 if k % 2 == 0 or nights == 1 else 1 + (k // 2) % (nights - 1)
        night = FIRST_NIGHT + tier.cadence.nights[appears] + 0.2
        if appears == 0:
            start, rise = night - rng.uniform(3, 12), rng.uniform(2, 5)
        else:
            start, rise = night - rng.uniform(0.35, 0.7), rng.uniform(0.3, 0.5)
        curve = Supernova(start, rise, rng.uniform(15, 40), np.ones(6))
        colour = rng.uniform(-0.1, 0.4)
        slope = 10 ** (0.4 * colour * np.array([-1.6, -1.0, 0.0, 0.4, 0.6, 0.7]))
        signal = 8 * (60 / 8) ** rng.uniform()  # S/N in r on the night it appears
        peak = signal * camera.flux_sigma("r") / curve.shape(np.array([night]), R)[0]
        build.curves[int(row)] = Supernova(start, rise, curve.decline, peak * slope)


def _plane(ra: FloatArray, decl: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Offsets from the field centre [arcsec], flat: good enough for choosing."""
    xi = (ra - FIELD[0]) * np.cos(np.radians(FIELD[1])) * 3600
    return xi, (decl - FIELD[1]) * 3600


def _asteroids(
    tier: Tier, seed: int, area: _Field, visits: list[Visit], first_id: int
) -> dict[int, Orbit]:
    """Orbits timed to be in the core of the field in each survey night.

    Main-belt ones, and near-Earth ones that draw trails in one visit each.
    """
    rng = generator(seed, "asteroids")
    orbits: dict[int, Orbit] = {}
    for night in range(1, len(tier.cadence.nights) + 1):
        begins = [v.begin for v in visits if v.night == night]
        for place in area.in_core(rng, tier.sky.asteroids_per_night) * 0.8:
            direction = from_tangent_plane(place[:1], place[1:], *FIELD)[0]
            mjd = float(np.mean(begins))
            orbit = main_belt_through(rng, direction, mjd, rng.uniform(19.5, 22.0))
            orbits[first_id + len(orbits)] = orbit
    rng = generator(seed, "trails")
    survey = [v for v in visits if v.season > 0]
    exposed = camera.SNAPS * camera.SNAP_TIME + camera.SHUTTER_TIME + camera.READOUT_TIME
    for place in area.in_core(rng, tier.sky.trails) * 0.8:
        visit = survey[rng.integers(len(survey))]
        direction = from_tangent_plane(place[:1], place[1:], *FIELD)[0]
        length = np.exp(rng.uniform(np.log(1), np.log(15)))
        middle = visit.begin + exposed / 2 / 86400
        orbits[first_id + len(orbits)] = near_earth_through(
            rng, direction, middle, rng.uniform(17.5, 21.0), float(length / exposed)
        )
    return orbits


def build(tier: Tier, seed: int, visits: list[Visit]) -> Catalogue:
    """Draw the sky of a tier; ``visits`` tell when things have to be seen."""
    area, builder = _field(tier), _Builder()
    _add_stars(builder, tier, seed, area)
    _add_moving_stars(builder, tier, seed, area)
    galaxies = _add_galaxies(builder, tier, seed, area)
    _add_variables(builder, tier, seed, area, visits)
    _add_supernovae(builder, tier, seed, area, galaxies)
    first = 1_000_001
    clouds = cirrus(seed) if tier.effects.cirrus else None
    return builder.catalogue(_asteroids(tier, seed, area, visits, first), clouds)
