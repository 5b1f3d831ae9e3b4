"""The plan of the survey: which visit is taken when, where, through which filter and sky."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulate import camera
from simulate.camera import Detector
from simulate.effects import Effects
from simulate.geometry import (
    airmass,
    barycentric,
    pixel_axes,
    sine_altitude,
    tangent_plane,
    unit_vector,
    zenith,
)
from simulate.optics import PsfField, psf_field
from simulate.randomness import generator
from simulate.stray_light import Satellite, satellites
from simulate.tiers import (
    FIELD,
    FIRST_NIGHT,
    SPECIAL_TEMPLATE,
    SPECIAL_VISITS,
    TEMPLATE_BEFORE,
    Tier,
)
from skyledger import ids

FloatArray = NDArray[np.float64]

SECOND = 1 / 86400  # d
DISTORTION = 4e-9  # relative growth of the scale a square arcsec: 0.1 arcsec in a corner
PAIR_SPACING = 33.0 / 1440  # d between the blocks of a night
MINUTE = 1 / 1440  # d
SPECIAL_BAND = "r"


@dataclass(frozen=True)
class Planned:
    """When a visit is taken, of which night, season, programme and band."""

    night: int
    season: int
    program: str
    begin: float
    band: str


@dataclass(frozen=True)
class Visit:
    """One visit as it really was, and as its header will tell it.

    ``begin``: MJD (TAI) at which the shutter starts across the camera. Angles in degrees; ``ra``,
    ``decl``, ``rotation`` are true, the ``commanded_...`` go into the header. ``rate_per_njy``:
    electron/s of 1 nJy through the atmosphere. ``sky``: electron/s/px; ``sky_slope``: relative
    change of the sky per half-width of the camera, terms of x, y, x^2, xy, y^2. ``zenith``: unit
    vector towards the zenith along (x, y).
    """

    visit_id: int
    season: int  # 0: template
    night: int  # 0: template season, then the nights of the survey from 1
    arrives: int  # night in which its frames are delivered
    upset: str  # kind of simulate.upsets, empty for none
    snaps: int
    band: str
    program: str
    begin: float
    ra: float
    decl: float
    rotation: float
    commanded_ra: float
    commanded_decl: float
    commanded_rotation: float
    airmass: float
    seeing: float  # FWHM of the atmosphere and telescope before the pixel, arcsec
    zero_point: float  # AB magnitude of 1 electron/s
    rate_per_njy: float
    sky: float
    sky_slope: FloatArray
    shutter: int  # +1 or -1: direction along y
    shutter_time: float  # s across the camera
    psf: PsfField
    camera_height: float  # px
    zenith: FloatArray
    satellites: tuple[Satellite, ...]
    effects: Effects

    @property
    def zenith_tangent(self) -> float:
        """Tangent of the zenith distance."""
        return float(np.sqrt(self.airmass**2 - 1))

    def travel(self, detector: Detector) -> float:
        """Time of the shutter across one detector [s]."""
        return self.shutter_time * detector.size / self.camera_height

    def snap_begin(self, detector: Detector, snap: int) -> float:
        """MJD at which the opening edge uncovers the detector's first row in its direction."""
        low = detector.centre_y - detector.size / 2 + self.camera_height / 2
        if self.shutter < 0:
            low = self.camera_height - low - detector.size
        delay = self.shutter_time * low / self.camera_height
        cycle = camera.SNAP_TIME + camera.SHUTTER_TIME + camera.READOUT_TIME
        return self.begin + (snap * cycle + delay) * SECOND

    def snap_end(self, detector: Detector, snap: int) -> float:
        """MJD at which the closing edge covers the detector's last row."""
        length = camera.SNAP_TIME + self.travel(detector)
        return self.snap_begin(detector, snap) + length * SECOND

    def snap_mid(self, detector: Detector, snap: int, y: FloatArray) -> FloatArray:
        """Mid-exposure of a snap at pixel rows y, shape (n,) [MJD]."""
        centre = (self.snap_begin(detector, snap) + self.snap_end(detector, snap)) / 2
        part = (y - (detector.size - 1) / 2) / detector.size
        return np.asarray(centre + self.shutter * self.travel(detector) * SECOND * part)

    def mid(self, detector: Detector, y: FloatArray) -> FloatArray:
        """Mid-exposure of the visit at pixel rows y, shape (n,) [MJD]."""
        first = self.snap_mid(detector, 0, y)
        return (first + self.snap_mid(detector, self.snaps - 1, y)) / 2

    def to_pixels(self, detector: Detector, direction: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return true pixel positions of directions, shape (n, 3)."""
        xi, eta = tangent_plane(direction, self.ra, self.decl)
        if self.effects.distortion:
            outwards = 1 + DISTORTION * (xi * xi + eta * eta)
            xi, eta = xi * outwards, eta * outwards
        axes = pixel_axes(self.rotation) / camera.PIXEL_SCALE
        half = (detector.size - 1) / 2
        x = axes[0, 0] * xi + axes[0, 1] * eta - detector.centre_x + half
        y = axes[1, 0] * xi + axes[1, 1] * eta - detector.centre_y + half
        return x, y


def _moonlight(mjd: float, direction: FloatArray) -> tuple[float, FloatArray]:
    """Moonlight relative to its worst, and the direction of the Moon (unit vector)."""
    earth = barycentric("earth", mjd)
    moon = barycentric("moon", mjd) - earth
    moon /= np.linalg.norm(moon)
    sun = barycentric("sun", mjd) - earth
    sun /= np.linalg.norm(sun)
    lit = (1 - moon @ sun) / 2
    height = max(float(sine_altitude(moon, mjd)), 0.0)
    separation = np.degrees(np.arccos(np.clip(moon @ direction, -1, 1)))
    return float(lit**2 * height * np.exp(-separation / 60)), moon


def _transit(night_mjd: float) -> float:
    """MJD of the field's upper transit in the night that ends after MJD ``night_mjd``."""
    times = night_mjd - 0.3 + np.arange(0, 1, 1 / 1440)
    field = unit_vector(*FIELD)
    near = 20 * int(np.argmax(sine_altitude(field, times[::20])))
    fine = times[max(near - 20, 0) : near + 21]
    return float(fine[np.argmax(sine_altitude(field, fine))])


def _template_begins(tier: Tier, seed: int) -> list[tuple[float, str]]:
    """Plan times and bands of the template season: nights spread over it, airmass 1.0 to 1.8."""
    rng = generator(seed, "template season")
    first, last = (FIRST_NIGHT - days for days in TEMPLATE_BEFORE)
    plan = []
    for band in tier.bands:
        nights = np.linspace(first, last, tier.cadence.template_visits).round()
        for night in nights:
            hours = rng.uniform(-3.8, 0.5)  # before transit: the field rises late in that season
            plan.append((_transit(night + rng.integers(-2, 3)) + hours / 24, band))
    begins: list[tuple[float, str]] = []
    for begin, band in sorted(plan):  # two bands may have drawn the same minute
        earliest = begins[-1][0] + camera.VISIT_SPACING * SECOND if begins else begin
        begins.append((max(begin, earliest), band))
    return begins


def _survey_begins(tier: Tier, index: int) -> list[tuple[float, str]]:
    """Plan times and bands of survey night ``index``: blocks 33 minutes apart about transit."""
    cadence = tier.cadence
    blocks = cadence.blocks[index % len(cadence.blocks)]
    start = _transit(float(FIRST_NIGHT + cadence.nights[index])) - PAIR_SPACING * len(blocks) / 2
    return [
        (start + block * PAIR_SPACING + place * camera.VISIT_SPACING * SECOND, band)
        for block, bands in enumerate(blocks)
        for place, band in enumerate(bands)
    ]


def _plan(tier: Tier, seed: int) -> list[Planned]:
    """Plan every visit, in the order in which they are taken."""
    cadence = tier.cadence
    plan = [Planned(0, 0, "template", *one) for one in _template_begins(tier, seed)]
    if cadence.special:  # its own template: at transit, the night after the template season
        begin = _transit(float(FIRST_NIGHT - TEMPLATE_BEFORE[1] + 3))
        plan += [
            Planned(0, 0, "special", begin + k * MINUTE, SPECIAL_BAND)
            for k in range(SPECIAL_TEMPLATE)
        ]
    for index in range(len(cadence.nights)):
        night, begins = index + 1, _survey_begins(tier, index)
        plan += [Planned(night, 1, "main", *one) for one in begins]
        then = begins[-1][0] + 2 * MINUTE
        if night in cadence.special:
            plan += [
                Planned(night, 1, "special", then + k * MINUTE, SPECIAL_BAND)
                for k in range(SPECIAL_VISITS)
            ]
            then += SPECIAL_VISITS * MINUTE
        if night == cadence.template_again:
            bands = [band for band in tier.bands for _ in range(cadence.template_visits // 2)]
            for k, band in enumerate(bands):
                when = then + k * camera.VISIT_SPACING * SECOND
                plan.append(Planned(night, 0, "template", when, band))
    return plan


def visit_at(tier: Tier, seed: int, visit_id: int, planned: Planned, sequence: int) -> Visit:
    """Draw the circumstances of a planned visit; ``sequence`` is its number in the night."""
    effects, cadence = tier.effects, tier.cadence
    begin, band = planned.begin, planned.band
    rng = generator(seed, "visit conditions", visit_id)
    template = planned.season == 0
    reach = cadence.template_dither if template else cadence.dither
    step = rng.uniform(-reach, reach, 2) / 3600 * effects.dithers
    spread = rng.uniform(-1, 1) * cadence.rotation_spread
    commanded_rotation = float((90 * rng.integers(4) + spread) % 360 if effects.rotation else 0.0)
    commanded_ra = FIELD[0] + step[0] / np.cos(np.radians(FIELD[1]))
    commanded_decl = FIELD[1] + step[1]
    error = rng.normal(0, 1, 3) * effects.pointing_error
    decl = commanded_decl + error[0] * 2.0 / 3600
    ra = commanded_ra + error[1] * 2.0 / 3600 / np.cos(np.radians(FIELD[1]))
    rotation = commanded_rotation + error[2] * 0.03
    mass = airmass(ra, decl, begin + 16 * SECOND)
    filter_ = camera.FILTERS[band]
    seeing = float(np.clip(0.70 * np.exp(0.15 * rng.standard_normal()), 0.55, 1.0))
    seeing *= filter_.seeing * mass**0.6
    grey = 0.03 * abs(rng.standard_normal())
    zero_point = filter_.zero_point - filter_.extinction * (mass - 1) - grey
    sky = camera.sky_rate(band) * mass**0.7 * 10 ** (0.4 * rng.uniform(0, 0.25))
    slope = rng.normal(0, 1, 5) * np.array([0.01, 0.01, 0.004, 0.004, 0.004])
    slope *= effects.background_gradient
    if effects.moon:
        light, moon = _moonlight(begin, unit_vector(ra, decl))
        added = filter_.moonlight * light
        sky *= 1 + added
        # seen on the camera: towards the Moon, 3 per cent of the moonlight per half-width
        side = pixel_axes(rotation) @ np.array(_towards(moon, ra, decl))
        slope = slope + np.concatenate([0.03 * added / (1 + added) * side, np.zeros(3)])
    height = float(
        tier.detectors_a_side * tier.detector_size + (tier.detectors_a_side - 1) * camera.GAP
    )
    return Visit(
        visit_id=visit_id,
        season=planned.season,
        night=planned.night,
        arrives=planned.night,
        upset="",
        snaps=camera.SNAPS,
        band=band,
        program=planned.program,
        begin=begin,
        ra=float(ra),
        decl=float(decl),
        rotation=float(rotation),
        commanded_ra=float(commanded_ra),
        commanded_decl=float(commanded_decl),
        commanded_rotation=commanded_rotation,
        airmass=mass,
        seeing=seeing,
        zero_point=zero_point,
        rate_per_njy=float(10 ** (0.4 * (zero_point - camera.AB_ZERO))),
        sky=sky,
        sky_slope=slope,
        shutter=1 if sequence % 2 == 0 else -1,
        shutter_time=camera.SHUTTER_TIME if effects.shutter_motion else 0.0,
        psf=psf_field(
            seed, visit_id, seeing / camera.PIXEL_SCALE, height / 2, effects.psf_variation
        ),
        camera_height=height,
        zenith=pixel_axes(rotation) @ np.array(_towards(zenith(begin), ra, decl)),
        satellites=satellites(seed, visit_id, seeing / camera.PIXEL_SCALE, height)
        if effects.satellite_trails
        else (),
        effects=effects,
    )


def _towards(target: FloatArray, ra: float, decl: float) -> tuple[float, float]:
    """Return the unit vector (East, North) at a position towards a direction."""
    east = np.array([-np.sin(np.radians(ra)), np.cos(np.radians(ra)), 0.0])
    north = np.cross(unit_vector(ra, decl), east)
    side = np.array([target @ east, target @ north])
    side /= max(float(np.linalg.norm(side)), 1e-9)
    return float(side[0]), float(side[1])


def plan(tier: Tier, seed: int) -> list[Visit]:
    """Return all visits of the survey, in order of time, with no upset."""
    taken: dict[int, int] = {}
    visits = []
    for planned in _plan(tier, seed):
        day = ids.night_of(planned.begin)
        sequence = taken.get(day, 0)
        taken[day] = sequence + 1
        visits.append(visit_at(tier, seed, ids.visit_id(day, sequence), planned, sequence))
    return visits
