"""Simple cone search, with pyvo."""

import warnings

import httpx
import numpy as np
import pytest
import pyvo
from small_survey import CENTRE, SOURCES, positions


@pytest.mark.requirement("GEN-29")
@pytest.mark.parametrize("table", ["DIAObject", "DIASource", "diasourcefull"])
def test_pyvo_finds_what_lies_in_the_cone(service, table):
    ra, dec = positions()
    inside = np.hypot((ra - CENTRE[0]) * np.cos(np.radians(CENTRE[1])), dec - CENTRE[1]) < 0.05
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pyvo.conesearch(f"{service.address}/scs/prompt/{table}", CENTRE, radius=0.05)
        assert len(found) == inside.sum() * (1 if table == "DIAObject" else 3)
        assert set(np.round(found["ra"], 9)) == set(np.round(ra[inside], 9))


def test_the_past_and_the_verbosity_can_be_named(service):
    address = f"{service.address}/scs/prompt@{service.epochs[0].isoformat()}/DIASource"
    place = {"RA": CENTRE[0], "DEC": CENTRE[1], "SR": 1, "RESPONSEFORMAT": "csv"}
    few, all_ = (httpx.get(address, params=place | {"VERB": v}).text for v in ("1", "3"))
    assert len(few.splitlines()) == len(all_.splitlines()) == SOURCES + 1
    assert few.splitlines()[0].split(",") == ["diaSourceId", "ra", "decl"]
    assert len(all_.splitlines()[0].split(",")) > 60


@pytest.mark.parametrize(
    ("table", "parameters", "said"),
    [
        ("DIAObject", {"RA": "10"}, "DEC is missing"),
        ("DIAObject", {"RA": "400", "DEC": "0", "SR": "1"}, "RA is '400'"),
        ("DIAObject", {"RA": "nan", "DEC": "0", "SR": "1"}, "RA is 'nan'"),
        ("DIAObject", {"RA": "1) OR (1=1", "DEC": "0", "SR": "1"}, "RA is"),
        ("DIAObject", {"RA": "1", "DEC": "0", "SR": "1", "VERB": "4"}, "VERB is '4'"),
        ("SSObject", {"RA": "1", "DEC": "0", "SR": "1"}, "no table 'SSObject' with positions"),
        ("pg_roles", {"RA": "1", "DEC": "0", "SR": "1"}, "no table 'pg_roles'"),
    ],
)
def test_what_is_wrong_is_said(service, table, parameters, said):
    response = httpx.get(f"{service.address}/scs/prompt/{table}", params=parameters)
    assert response.status_code in {400, 404}
    assert said in response.text
