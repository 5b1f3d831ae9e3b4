"""The year's cadence, upsets and trails, as planned and as written."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.io import fits

from simulate.cadence import plan
from simulate.geometry import from_tangent_plane
from simulate.orbits import near_earth_through
from simulate.survey import prepare, simulate
from simulate.tiers import FIELD, FIRST_NIGHT, SMOKE, YEAR, Cadence
from simulate.upsets import EXPECTED, befall
from skyledger.errors import ConfigurationError

UPSETS = (
    ("late", 1, 0),
    ("duplicate", 1, 1),
    ("missing_snap", 2, 0),
    ("clouds", 2, 1),
    ("bad_focus", 3, 0),
    ("wrong_wcs", 3, 1),
    ("dead_amplifier", 4, 0),
)
EMPTY = replace(SMOKE.sky, galaxies=0.0, blends=0, low_surface_brightness=0, supernovae_on_hosts=0)
TROUBLED = replace(
    SMOKE,
    detector_size=128,
    bands=("r",),
    cadence=Cadence(
        template_visits=1, nights=(0, 1, 2, 3), blocks=((("r",), ("r",)),), special=(3,)
    ),
    sky=EMPTY,
    biases=1,
    darks=1,
    flats=1,
    upsets=UPSETS,
)


def test_the_year_has_the_visits_of_the_survey():
    """48 nights over 14 months, a special programme, new template visits, one upset of a kind."""
    visits = befall(plan(YEAR, 1), YEAR)
    programs = Counter((v.season, v.program) for v in visits)
    assert programs[1, "main"] == 168
    assert programs[1, "special"] == 36
    first = [v for v in visits if v.night == 0 and v.program == "template"]
    assert Counter(v.band for v in first) == dict.fromkeys("ugrizy", 10)
    assert len({v.night for v in visits if v.season}) == 48
    assert max(v.begin for v in visits) - FIRST_NIGHT == pytest.approx(396, abs=3)
    assert 1.0 < min(v.airmass for v in visits) < 1.1
    assert 1.6 < max(v.airmass for v in first) < 1.9
    begins = np.array([v.begin for v in visits])
    assert (np.diff(begins) * 86400 > 39.9).all()  # one after the other
    for night in YEAR.cadence.special:
        minutes = [v.begin * 1440 for v in visits if (v.night, v.program) == (night, "special")]
        assert np.diff(minutes) == pytest.approx(1, abs=1e-3)
    again = [v for v in visits if v.season == 0 and v.night]
    assert {v.night for v in again} == {YEAR.cadence.template_again}
    assert Counter(v.upset for v in visits if v.upset) == dict.fromkeys(EXPECTED, 1)


def test_bodies_near_the_earth_draw_the_trails_that_are_asked_for():
    """Apparent motion over a second, to 2 per cent: the rate changes over the way of the light."""
    rng = np.random.default_rng(3)
    direction = from_tangent_plane(np.zeros(1), np.zeros(1), *FIELD)[0]
    for rate in (0.03, 0.45):
        orbit = near_earth_through(rng, direction, FIRST_NIGHT + 0.2, 18.0, rate)
        times = FIRST_NIGHT + 0.2 + np.array([-10, 0.0, 10.0]) / 86400
        seen, magnitude = orbit.seen(times)
        assert magnitude[1] == pytest.approx(18.0, abs=1e-3)
        assert np.degrees(np.linalg.norm(seen[1] - direction)) * 3600 < 0.01
        moved = np.degrees(np.linalg.norm(seen[2] - seen[0])) * 3600 / 20
        assert moved == pytest.approx(rate, rel=0.02)
        assert 0.7 < orbit.a < 3
        assert orbit.e < 0.9


def test_upsets_befall_the_visits_they_are_planned_for(tmp_path):
    data, truth = tmp_path / "data", tmp_path / "truth"
    simulate(data, truth, TROUBLED, 2, nights=[0, 1, 2, 3])
    visits = pq.read_table(truth / "visits.parquet").to_pylist()
    calm = {v.visit_id: v for v in prepare(replace(TROUBLED, upsets=()), 2).visits}
    by_kind = {v["upset"]: v for v in visits if v["upset"]}
    assert set(by_kind) == {kind for kind, _, _ in UPSETS}
    name = {kind: f"{v['visitId']}-0.fits" for kind, v in by_kind.items()}
    assert by_kind["late"]["arrives"] == 4
    assert not (data / "raw" / name["late"]).exists()
    simulate(data, truth, TROUBLED, 2, nights=[4])
    assert (data / "raw" / name["late"]).exists()

    one, two = (data / "raw" / name["duplicate"].replace(".", f"{end}.") for end in ("", "-again"))
    assert one.read_bytes() == two.read_bytes()

    with fits.open(data / "raw" / name["missing_snap"]) as hdus:
        assert (len(hdus), hdus[0].header["NSNAPS"], hdus[0].header["EXPTIME"]) == (2, 1, 15.0)
        middle = hdus[0].header["MJD-AVG"]
    assert by_kind["missing_snap"]["midPointTai"] == pytest.approx(middle, abs=1e-9)
    whole = calm[by_kind["missing_snap"]["visitId"]]
    expected = whole.rate_per_njy * 15
    assert by_kind["missing_snap"]["electronsPerNjy"] == pytest.approx(expected)

    clouded = calm[by_kind["clouds"]["visitId"]]
    assert by_kind["clouds"]["zeroPoint"] == pytest.approx(clouded.zero_point - 2)
    assert by_kind["clouds"]["electronsPerNjy"] == pytest.approx(
        clouded.rate_per_njy * 30 * 10**-0.8
    )
    assert by_kind["bad_focus"]["seeing"] == pytest.approx(
        3 * calm[by_kind["bad_focus"]["visitId"]].seeing
    )
    with fits.open(data / "raw" / name["dead_amplifier"]) as hdus:
        image = hdus[1].data.astype(float)
    # its own bias and noise, while the other half sees the sky
    assert image[:, 64:128].mean() == pytest.approx(image[:, 160:192].mean(), abs=15)
    assert image[:, :64].mean() > image[:, 128:160].mean() + 50

    with fits.open(data / "raw" / name["wrong_wcs"]) as hdus:
        header = hdus[1].header
    assert (header["CRVAL2"] - by_kind["wrong_wcs"]["decl"]) * 60 == pytest.approx(3, abs=0.2)


def test_an_upset_of_no_visit_is_refused():
    with pytest.raises(ConfigurationError, match=r"'clouds' of visit 7 in night 1: there are 2"):
        prepare(replace(TROUBLED, upsets=(("clouds", 1, 7),)), 1)
    with pytest.raises(ConfigurationError, match=r"'locusts'"):
        prepare(replace(TROUBLED, upsets=(("locusts", 1, 0),)), 1)
