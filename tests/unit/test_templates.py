"""Which visits make a template, and which template serves a visit."""

from dataclasses import replace

import numpy as np
import pytest

from ingest.templates import Circumstances, Registered, Source, choose, groups
from processing.instrument import FOLDER, TemplateSeason, parse
from skyledger.errors import ConfigurationError

SIMULATED = (FOLDER / "simulated.toml").read_text(encoding="utf-8")
SEASON = TemplateSeason(keyword="SEASON", value=0)


def registered(
    number, *, end=61000.0, airmass=1.1, seeing=0.7, inputs=None, ra=10.0, program="wide", age=0
):
    outline = (ra - 0.1, -0.1, ra + 0.1, -0.1, ra + 0.1, 0.1, ra - 0.1, 0.1)
    held = frozenset([1000 * number] if inputs is None else inputs)
    return Registered(
        number, f"{number}", outline, end - 200, end, airmass, seeing, held, program, age
    )


@pytest.mark.parametrize(
    ("ra", "decl"), [(10.0, 0.0), (0.0, -30.0), (359.99, 60.0), (200.0, 89.97)]
)
def test_a_position_is_inside_within_the_footprint_and_nowhere_else(ra, decl):
    """Offsets North and East of the middle, made with plain spherical trigonometry."""
    half = 0.05

    def offset(east, north):
        # A short arc from (ra, decl): bearing b, length r.
        r, b = np.radians(np.hypot(east, north)), np.arctan2(east, north)
        d0 = np.radians(decl)
        d = np.arcsin(np.sin(d0) * np.cos(r) + np.cos(d0) * np.sin(r) * np.cos(b))
        a = np.arctan2(np.sin(b) * np.sin(r) * np.cos(d0), np.cos(r) - np.sin(d0) * np.sin(d))
        return (ra + np.degrees(a)) % 360, np.degrees(d)

    corners = [
        offset(e, n) for e, n in ((-half, -half), (half, -half), (half, half), (-half, half))
    ]
    for turned in (corners, corners[::-1]):
        template = replace(registered(1), footprint=tuple(v for c in turned for v in c))
        assert template.covers(ra, decl)
        for east, north, inside in (
            (0.9 * half, 0.9 * half, True),
            (-0.9 * half, 0.2 * half, True),
            (1.1 * half, 0.0, False),
            (0.0, -1.1 * half, False),
            (1.0, 1.0, False),
        ):
            assert template.covers(*offset(east, north)) is inside
        assert not template.covers((ra + 180) % 360, -decl)


@pytest.mark.requirement("IMG-06")
@pytest.mark.parametrize(
    ("found", "chosen"),
    [
        # the bin of the visit's airmass (1.55), else the nearest one
        ([registered(1, airmass=1.1), registered(2, airmass=1.3), registered(3, airmass=1.7)], 3),
        ([registered(1, airmass=1.1), registered(2, airmass=1.3)], 2),
        # of one bin the latest, whatever its mean airmass
        ([registered(1, airmass=1.55), registered(2, airmass=1.9, end=61300.0)], 2),
        # complete before the visit; a later one only if there is no other
        ([registered(1, airmass=1.1), registered(2, airmass=1.55, end=61600.0)], 1),
        ([registered(2, airmass=1.55, end=61600.0)], 2),
        # never one that holds the visit
        ([registered(1, airmass=1.1), registered(2, airmass=1.55, inputs=[7])], 1),
        ([registered(2, airmass=1.55, inputs=[7])], None),
        # far wider than the visit (0.8 arcsec) only if there is no other
        ([registered(1, airmass=1.1), registered(2, airmass=1.55, seeing=1.3)], 1),
        ([registered(2, airmass=1.55, seeing=1.3)], 2),
        # of one time the sharpest
        ([registered(1, airmass=1.6, seeing=0.9), registered(2, airmass=1.6, seeing=0.7)], 2),
        # one whose visits are all in newer ones is superseded, but not by one not complete
        ([registered(1, airmass=1.55, inputs=[1, 2], age=1), registered(2, inputs=[1, 2, 3])], 2),
        (
            [
                registered(1, inputs=[1, 2], age=1),
                registered(2, inputs=[1, 2, 3], airmass=1.55, end=61600.0),
            ],
            1,
        ),
        # elsewhere
        ([registered(1, ra=12.0)], None),
        ([], None),
    ],
)
def test_a_template_is_chosen_by_time_airmass_and_seeing(found, chosen):
    seen = Circumstances(
        ra=10.0, decl=0.0, mid_tai=61500.0, airmass=1.55, seeing=0.8, program="deep"
    )
    for order in (found, found[::-1]):
        one = choose(order, SEASON, 7, seen)
        assert (one.template_id if one else None) == chosen


def test_a_programme_has_its_own_templates_or_those_for_all():
    season = SEASON.model_copy(update={"program": "wide"})
    found = [registered(1, airmass=1.5), registered(2, program="deep"), registered(3, program="x")]
    for program, chosen in (("deep", 2), ("wide", 1), ("main", 1), ("x", 3)):
        seen = Circumstances(10.0, 0.0, 61500.0, 1.1, 0.8, program)
        assert choose(found, season, 7, seen).template_id == chosen
        # without a name for all, programmes do not matter
        assert choose(found, SEASON, 7, seen).template_id == 3
    both = images((61000.0, 1.1), (61001.0, 1.1)) + images((61002.0, 1.1), program="deep")
    assert sorted(map(len, groups(both, season))) == [1, 2]
    assert [len(group) for group in groups(both, SEASON)] == [3]


def images(*places, ra=10.0, detectors=1, program="wide"):
    """Sources at (time, airmass), a visit each of some detectors of half a degree."""
    return [
        Source(100 * v + d, v, "x", program, tai, airmass, ra + 0.3 * d, 0.0, 0.25)
        for v, (tai, airmass) in enumerate(places, start=int(1000 * ra) + 500 * (program != "wide"))
        for d in range(detectors)
    ]


def divided(listed, season=SEASON):
    return [[(s.mid_tai, s.airmass) for s in group] for group in groups(listed, season)]


@pytest.mark.requirement("IMG-05")
def test_a_template_spans_a_year_a_field_and_a_bin_of_airmass():
    low = [(61000.0 + k, 1.1) for k in range(8)]
    high = [(61010.0 + k, 1.6) for k in range(8)]
    between = [(61020.0, 1.3)]
    # A bin of one visit joins the neighbour of fewer; both have eight: the first.
    assert sorted(divided(images(*low, *high, *between))) == [sorted(low + between), sorted(high)]
    # Eight visits in all: one template, whatever their airmass.
    few = [(61000.0 + k, 1.0 + 0.1 * k) for k in range(8)]
    assert divided(images(*few)) == [few]
    # A year after the first visit a new span begins.
    later = [(tai + 366.0, airmass) for tai, airmass in low]
    assert divided(images(*low, *later)) == [low, later]
    for group in groups(images(*low, *high, *later), SEASON):
        assert max(s.mid_tai for s in group) - min(s.mid_tai for s in group) <= 366
    # Another field is another template; detectors side by side are one field.
    assert len(groups(images(*few, detectors=3) + images(*few, ra=20.0), SEASON)) == 2
    assert groups([], SEASON) == []


def test_bins_of_airmass_have_to_rise():
    assert [SEASON.bin_of(x) for x in (1.0, 1.19, 1.2, 1.49, 1.5, 3.0)] == [0, 0, 1, 1, 2, 2]
    with pytest.raises(ValueError, match="must rise"):
        TemplateSeason(keyword="SEASON", value=0, airmass=(1.5, 1.2))
    assert parse(SIMULATED.replace("value = 0", "value = 0\nairmass = [1.3]"), "x").template.airmass
    with pytest.raises(ConfigurationError, match="must rise"):
        parse(SIMULATED.replace("value = 0", "value = 0\nairmass = [1.3, 1.3]"), "x")
