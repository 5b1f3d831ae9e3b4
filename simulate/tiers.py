"""Tiers: how much of the synthetic survey is simulated. The code is the same for all."""

from dataclasses import dataclass, field

from simulate.effects import Effects
from skyledger.errors import UsageError

FIELD = (229.4, -15.1)  # RA, Dec: ecliptic latitude +3, Galactic latitude +35 degrees
FIRST_NIGHT = 61171  # MJD of the first survey night, 2026-05-11: the field is near opposition
TEMPLATE_BEFORE = (85.0, 40.0)  # the template season lies this many days before the first night


@dataclass(frozen=True)
class Cadence:
    """Visits of the template season and of each survey night.

    A survey night is a list of blocks 33 minutes apart; a block is a list of bands, observed one
    after the other. ``nights`` are offsets in days from the first. ``template_dither`` and
    ``dither`` [arcsec]: half-width of the square of boresights.
    """

    template_visits: int  # a band
    nights: tuple[int, ...]
    blocks: tuple[tuple[tuple[str, ...], ...], ...]  # of night k: blocks[k % len(blocks)]
    template_dither: float = 20.0
    dither: float = 5.0
    rotation_spread: float = 8.0  # degrees about the quarter turns


@dataclass(frozen=True)
class Sky:
    """What is in the sky.

    ``stars`` and ``galaxies`` per square arcminute; bright stars, variables, transients and moving
    objects as numbers, placed where every visit sees them.
    """

    stars: float
    galaxies: float
    bright: tuple[float, ...]  # r magnitudes of the stars that saturate
    fast_stars: int  # proper motion 0.2 - 3 arcsec/yr
    near_stars: int  # parallax 20 - 300 mas
    rr_lyrae: int
    eclipsing: int
    miras: int
    flares: int
    agn: int
    microlenses: int
    supernovae_on_hosts: int
    supernovae_hostless: int
    asteroids_per_night: int
    blends: int  # pairs of galaxies 1 - 3 FWHM apart
    low_surface_brightness: int


@dataclass(frozen=True)
class Tier:
    """One configuration of the synthetic survey."""

    name: str
    detectors_a_side: int
    detector_size: int  # px
    bands: tuple[str, ...]
    cadence: Cadence
    sky: Sky
    biases: int
    darks: int
    flats: int  # a band
    effects: Effects = field(default_factory=Effects)


SMOKE = Tier(
    name="smoke",
    detectors_a_side=1,
    detector_size=512,
    bands=("g", "r"),
    cadence=Cadence(
        template_visits=4,
        nights=(0, 1),
        blocks=((("r",), ("g",)), (("g",), ("r",))),
        template_dither=8.0,
        dither=3.0,
        rotation_spread=5.0,
    ),
    # 2.5 times the survey's density of stars: 512 px hold enough of them for PSF and WCS
    sky=Sky(
        stars=36.0,
        galaxies=41.0,
        bright=(13.0,),
        fast_stars=1,
        near_stars=1,
        rr_lyrae=2,
        eclipsing=1,
        miras=1,
        flares=1,
        agn=1,
        microlenses=0,
        supernovae_on_hosts=3,
        supernovae_hostless=2,
        asteroids_per_night=2,
        blends=2,
        low_surface_brightness=1,
    ),
    biases=5,
    darks=5,
    flats=5,
)

DEMO = Tier(
    name="demo",
    detectors_a_side=1,
    detector_size=1024,
    bands=("g", "r", "i"),
    cadence=Cadence(
        template_visits=5,
        nights=(0, 1, 2),
        blocks=((("g", "r"), ("r", "i")), (("r", "g"), ("i", "r")), (("g", "r"), ("r", "i"))),
    ),
    sky=Sky(
        stars=22.0,
        galaxies=41.0,
        bright=(12.2, 13.6),
        fast_stars=3,
        near_stars=3,
        rr_lyrae=3,
        eclipsing=3,
        miras=1,
        flares=1,
        agn=2,
        microlenses=2,
        supernovae_on_hosts=8,
        supernovae_hostless=4,
        asteroids_per_night=3,
        blends=6,
        low_surface_brightness=2,
    ),
    biases=10,
    darks=10,
    flats=5,
)

TIERS = {tier.name: tier for tier in (SMOKE, DEMO)}


def tier_named(name: str) -> Tier:
    """Return a tier by name."""
    try:
        return TIERS[name]
    except KeyError:
        raise UsageError(f"there is no tier {name!r}; choose one of {', '.join(TIERS)}") from None
