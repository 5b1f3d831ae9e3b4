"""Tiers: how much of the synthetic survey is simulated. The code is the same for all."""

from dataclasses import dataclass, field

from simulate.effects import Effects, everything
from skyledger.errors import UsageError

FIELD = (229.4, -15.1)  # RA, Dec: ecliptic latitude +3, Galactic latitude +35 degrees
FIRST_NIGHT = 61171  # MJD of the first survey night, 2026-05-11: the field is near opposition
SPECIAL_VISITS, SPECIAL_TEMPLATE = 12, 6
TEMPLATE_BEFORE = (85.0, 40.0)  # the template season lies this many days before the first night


@dataclass(frozen=True)
class Cadence:
    """Visits of the template season and of each survey night.

    A survey night is a list of blocks 33 minutes apart; a block is a list of bands, observed one
    after the other. ``nights`` are offsets in days from the first. ``template_dither`` and
    ``dither`` [arcsec]: half-width of the square of boresights. In a night of ``template_again``
    half as many template visits as in the season are taken, in each band. In a ``special`` night
    :data:`SPECIAL_VISITS` visits in r follow each other every minute; the template season has
    :data:`SPECIAL_TEMPLATE` visits of that programme.
    """

    template_visits: int  # a band
    nights: tuple[int, ...]
    blocks: tuple[tuple[tuple[str, ...], ...], ...]  # of night k: blocks[k % len(blocks)]
    template_dither: float = 20.0
    dither: float = 5.0
    rotation_spread: float = 8.0  # degrees about the quarter turns
    template_again: int = 0  # night after which new template visits are taken; 0 for none
    special: tuple[int, ...] = ()  # nights, from 1, of the special programme


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
    trails: int = 0  # bodies near the Earth, trails of 1 - 15 arcsec in a visit


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
    # (kind, night from 1, visit of that night from 0): simulate.upsets.EXPECTED
    upsets: tuple[tuple[str, int, int], ...] = ()


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

# Two visits of each pair of bands half an hour apart; a month of dense nights, then every other
# night until the field sets in the evening, and a week in the second year.
_PAIRS = (("g", "r"), ("r", "i"), ("z", "y"), ("u",))
_DENSE = (0, 1, 3, 5, 8, 10, 12, 15, 17, 19, 22, 24, 27, 29)
_SPARSE = tuple(range(33, 85, 2))
_SECOND_YEAR = (366, 369, 372, 376, 380, 385, 390, 395)

YEAR = Tier(
    name="year",
    detectors_a_side=2,
    detector_size=1024,
    bands=("u", "g", "r", "i", "z", "y"),
    cadence=Cadence(
        template_visits=10,
        nights=(*_DENSE, *_SPARSE, *_SECOND_YEAR),
        blocks=tuple((pair, pair) for pair in _PAIRS),
        rotation_spread=45.0,
        template_again=20,
        special=(6, 7, 22),
    ),
    # Numbers of the whole camera, 49 square arcminutes.
    sky=Sky(
        stars=14.3,
        galaxies=41.0,
        bright=(10.5, 11.2, 11.8),
        fast_stars=12,
        near_stars=12,
        rr_lyrae=15,
        eclipsing=15,
        miras=9,
        flares=1,
        agn=6,
        microlenses=20,
        supernovae_on_hosts=60,
        supernovae_hostless=20,
        asteroids_per_night=1,
        blends=60,
        low_surface_brightness=10,
        trails=40,
    ),
    biases=10,
    darks=10,
    flats=5,
    effects=everything(),
    upsets=(
        ("late", 2, 1),
        ("duplicate", 3, 0),
        ("missing_snap", 5, 1),
        ("clouds", 6, 0),
        ("bad_focus", 9, 1),
        ("dead_amplifier", 10, 0),
        ("wrong_wcs", 11, 1),
        ("withdrawn", 13, 0),
        ("killed_worker", 14, 1),
    ),
)

TIERS = {tier.name: tier for tier in (SMOKE, DEMO, YEAR)}


def tier_named(name: str) -> Tier:
    """Return a tier by name."""
    try:
        return TIERS[name]
    except KeyError:
        raise UsageError(f"there is no tier {name!r}; choose one of {', '.join(TIERS)}") from None
