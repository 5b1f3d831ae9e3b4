"""What goes wrong in a survey: upsets of single visits, and what should come of each."""

from dataclasses import replace

from simulate.cadence import Visit
from simulate.tiers import Tier
from skyledger.errors import ConfigurationError

CLOUD = 2.0  # magnitudes that a cloud takes
BAD_FOCUS = 3.0  # times the width of the PSF
WRONG_POINTING = 0.05  # degrees by which a header is wrong: 3 arcmin
LATE = 3  # nights

# Kinds, and what should come of them.
EXPECTED = {
    "late": "published nights after it was taken, after visits that followed it",
    "duplicate": "the second delivery is refused with the reason, the first stays as it is",
    "missing_snap": "published with the exposure of one snap, or refused with the reason",
    "clouds": "published with its true zero point, or refused with the reason",
    "bad_focus": "published with its true seeing, or refused with the reason",
    "dead_amplifier": "published without that half of the pixels, or refused with the reason",
    "wrong_wcs": "published with the right WCS, found by the pattern of the stars",
    "withdrawn": "gone from the latest answers and still in those of before",
    "killed_worker": "its night is published in whole by the same command run again",
}


def befall(visits: list[Visit], tier: Tier) -> list[Visit]:
    """Return the visits of a survey with its upsets.

    Raises
    ------
    ConfigurationError
        If an upset is of no known kind, or befalls a visit that is not planned.
    """
    found = list(visits)
    last = max(v.night for v in visits)
    for kind, night, number in tier.upsets:
        places = [k for k, v in enumerate(visits) if v.night == night and v.season > 0]
        if kind not in EXPECTED or number >= len(places):
            raise ConfigurationError(
                f"tier {tier.name}: upset {kind!r} of visit {number} in night {night}: there are "
                f"{len(places)} visits in that night, and kinds {', '.join(EXPECTED)}"
            )
        found[places[number]] = _befallen(found[places[number]], kind, last)
    return found


def _befallen(visit: Visit, kind: str, last: int) -> Visit:
    visit = replace(visit, upset=kind)
    if kind == "late":
        return replace(visit, arrives=min(visit.night + LATE, last))
    if kind == "missing_snap":
        return replace(visit, snaps=1)
    if kind == "clouds":
        return replace(
            visit,
            zero_point=visit.zero_point - CLOUD,
            rate_per_njy=visit.rate_per_njy * 10 ** (-0.4 * CLOUD),
        )
    if kind == "bad_focus":
        wide = replace(visit.psf, fwhm=visit.psf.fwhm * BAD_FOCUS)
        return replace(visit, seeing=visit.seeing * BAD_FOCUS, psf=wide)
    if kind == "dead_amplifier":
        return replace(visit, effects=replace(visit.effects, dead_amplifier=True))
    if kind == "wrong_wcs":
        return replace(visit, commanded_decl=visit.commanded_decl + WRONG_POINTING)
    return visit
