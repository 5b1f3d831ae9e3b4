"""The judge of trails, dipoles and blends, on tables drawn with known errors."""

import numpy as np
import pytest

from ingest.judge_shapes import deblending, dipoles, trails
from ingest.verdict import Verdict

N = 400
COS = np.cos(np.radians(-15.0))


def tables(rng, east, north):
    """Changes of one frame at offsets [arcsec], and a source at each, 0.05 arcsec off."""
    n = len(east)
    change = {
        "visitId": np.full(n, 7),
        "detector": np.zeros(n, int),
        "ra": 229.0 + east / 3600 / COS,
        "decl": -15.0 + north / 3600,
        "diffFlux": np.full(n, 5000.0),
        "flux": np.full(n, 5000.0),
        "snr": np.full(n, 50.0),
        "error": np.full(n, 100.0),
        "trailLength": np.zeros(n),
        "trailAngle": np.zeros(n),
        "moves": np.zeros(n, bool),
        "sure": np.ones(n, bool),
        "movedEast": np.zeros(n),
        "movedNorth": np.zeros(n),
    }
    off = rng.normal(0, 0.05, (2, n)) / 3600
    sources = {
        "visitid": np.full(n, 7),
        "detector": np.zeros(n, int),
        "ra": change["ra"] + off[0],
        "decl": change["decl"] + off[1],
        "psflux": change["diffFlux"] + rng.normal(0, 100, n),
        "psfluxerr": np.full(n, 100.0),
    }
    return change, sources


def grid(n):
    side = int(np.ceil(np.sqrt(n)))
    return np.arange(n) % side * 20.0, np.arange(n) // side * 20.0


def values(verdict):
    return {f.name: f.value for f in verdict.figures}


def test_trails_are_compared_with_the_way_of_their_body():
    """Pulls drawn from the normal distribution have sd 1, to 4 / sqrt(2 n)."""
    rng = np.random.default_rng(1)
    change, sources = tables(rng, *grid(N))
    change["trailLength"] = rng.uniform(1, 10, N)
    change["trailAngle"] = rng.uniform(0, 360, N)
    sources |= {
        "trailflux": change["diffFlux"] + rng.normal(0, 100, N),
        "trailfluxvar": np.full(N, 100.0**2),
        "traillength": change["trailLength"] + rng.normal(0, 0.1, N),
        "traillengthvar": np.full(N, 0.1**2),
        # a trail has no front: angles may be told the other way round
        "trailangle": (change["trailAngle"] + rng.normal(0, 2, N) + 180 * (np.arange(N) % 2)) % 360,
        "trailanglevar": np.full(N, 4.0),
    }
    lost = rng.permutation(N)[:100]
    sources["ra"][lost] += 0.1
    verdict = Verdict()
    trails(verdict, sources, change)
    found = values(verdict)
    assert found["trail.found"] == pytest.approx(0.75)
    for name in ("flux", "length", "angle"):
        assert found[f"pulls.trail.{name}.sd"] == pytest.approx(1, abs=0.2)
    assert found["trail.degrees"] < 10


def test_dipoles_are_compared_with_the_movement_since_the_template():
    rng = np.random.default_rng(2)
    change, sources = tables(rng, *grid(N))
    size, angle = rng.uniform(0.1, 0.5, N), rng.uniform(0, 2 * np.pi, N)
    change["movedEast"], change["movedNorth"] = size * np.sin(angle), size * np.cos(angle)
    change["moves"][:] = True
    change["flux"] = np.full(N, 1e5)
    change["diffFlux"][:] = 0
    # what the pixels know is flux times length; either alone may be off by a factor
    factor = rng.uniform(0.7, 1.4, N)
    product = 1e5 * size + rng.normal(0, 1000, N)
    sources |= {
        "dipmeanflux": 1e5 * factor,
        "diplength": product / (1e5 * factor),
        "dipangle": np.degrees(angle) + rng.normal(0, 3, N),
        "dipfluxvar": np.zeros(N),
        "diplengthvar": (1000.0 / (1e5 * factor)) ** 2,
        "dipfluxlengthcov": np.zeros(N),
    }
    verdict = Verdict()
    dipoles(verdict, sources, change)
    found = values(verdict)
    assert found["dipole.found"] == 1
    assert found["pulls.dipole.product.sd"] == pytest.approx(1, abs=0.2)
    assert found["dipole.degrees"] == pytest.approx(3 * 0.6745, rel=0.2)
    # turned by half a turn, positive and negative are the wrong way round: that is wrong
    sources["dipangle"] = sources["dipangle"] + 180
    verdict = Verdict()
    dipoles(verdict, sources, change)
    assert values(verdict)["dipole.degrees"] > 170


def test_blends_are_pairs_of_which_both_are_found():
    rng = np.random.default_rng(3)
    east, north = grid(N // 2)
    change, sources = tables(rng, np.repeat(east, 2), np.repeat(north, 2))
    for table in (change, sources):
        table["decl"][1::2] += 1.5 / 3600
    keep = np.ones(N, bool)
    keep[1:80:2] = False  # 40 of 200 pairs have but one source
    verdict = Verdict()
    deblending(verdict, {name: column[keep] for name, column in sources.items()}, change)
    found = values(verdict)
    assert found["deblend.both"] == pytest.approx(0.8)
    assert abs(found["deblend.bias"]) < 0.005
    assert found["deblend.flux.sd"] == pytest.approx(1, abs=0.2)
    # five times as bright is no pair of the kind
    change["diffFlux"][1::2] *= 5
    verdict = Verdict()
    deblending(verdict, sources, change)
    assert values(verdict)["deblend.both"] is None


def test_nothing_to_judge_is_no_figure():
    rng = np.random.default_rng(4)
    change, sources = tables(rng, *grid(4))
    empty = {name: column[:0] for name, column in change.items()}
    columns = ("trailflux", "trailfluxvar", "traillength", "traillengthvar", "trailangle",
               "trailanglevar", "dipmeanflux", "diplength", "dipangle", "dipfluxvar",
               "diplengthvar", "dipfluxlengthcov")  # fmt: skip
    sources |= {name: np.zeros(4) for name in columns}
    verdict = Verdict()
    for judge in (trails, dipoles, deblending):
        judge(verdict, sources, empty)
    assert all(figure.value is None for figure in verdict.figures)
    assert len(verdict.figures) == 11
