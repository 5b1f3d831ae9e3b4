"""Phase angle, reduced and absolute magnitudes of asteroids."""

import warnings

import numpy as np
import pytest
from functions_on_arrays import numbers, one

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what sbpy says at import is not about us
    from sbpy.photometry import HG1G2, HG12

SEED = 18010101
# Fine below 40 degrees, where the third function bends, and the edges of every piece.
PHASES = np.concatenate(
    [
        np.linspace(0, 40, 4001),
        np.linspace(40, 180, 1401),
        *(
            [edge - 1e-9, edge, edge + 1e-9]
            for edge in (0.3, 1, 2, 4, 7.5, 8, 12, 20, 30, 60, 90, 120, 150)
        ),
    ]
)


@pytest.fixture
def rng():
    return np.random.default_rng(SEED)


def triangles(rng, n):
    """Positions of Earth and asteroid [AU] and, from vectors, the angle at the asteroid [deg]."""
    earth = rng.normal(size=(n, 3))
    earth /= np.linalg.norm(earth, axis=1)[:, None] / rng.uniform(0.98, 1.02, n)[:, None]
    body = rng.normal(size=(n, 3)) * 10 ** rng.uniform(-1, 1.6, n)[:, None]
    to_sun, to_earth = -body, earth - body
    cross = np.linalg.norm(np.cross(to_sun, to_earth), axis=1)
    angle = np.degrees(np.arctan2(cross, (to_sun * to_earth).sum(axis=1)))
    return (np.linalg.norm(v, axis=1) for v in (to_sun, to_earth, earth)), angle


@pytest.mark.requirement("SSO-08")
def test_phase_angle_from_vectors(connection, rng):
    (r, delta, r_earth), truth = triangles(rng, 5000)
    found = numbers(
        connection, "science.phase_angle(r, delta, r_earth)", r=r, delta=delta, r_earth=r_earth
    )
    # Required are 0.001 degrees; rounding of the ranges at 40 AU leaves 1e-7 near opposition.
    assert np.allclose(found, truth, rtol=0, atol=1e-5)


@pytest.mark.requirement("SSO-08")
@pytest.mark.parametrize(
    ("ranges", "angle"),
    [
        ((2.0, 1.0, 1.0), 0.0),  # opposition
        ((0.5, 0.5, 1.0), 180.0),  # transit
        ((1.0, 1.0, 1.0), 60.0),
        ((2.0, 0.999999, 1.0), 0.0),  # ranges that cannot close, by rounding
        ((0.5, 0.499999, 1.0), 180.0),
        ((1e-8, 1.0, 1.0), 89.99999971352111),
    ],
)
def test_phase_angle_at_the_edges(connection, ranges, angle):
    found = one(connection, "science.phase_angle(%s, %s, %s)", *ranges)
    assert found == pytest.approx(angle, abs=1e-6)


@pytest.mark.requirement("SSO-08")
@pytest.mark.parametrize("ranges", ["0, 1, 1", "1, -1, 1", "1, 1, 0", "NULL, 1, 1", "1, 1, NULL"])
def test_phase_angle_needs_ranges(connection, ranges):
    assert one(connection, f"science.phase_angle({ranges})") is None


@pytest.mark.requirement("SSO-08")
@pytest.mark.parametrize("k", [1, 2, 3])
def test_basis_functions_equal_sbpy(connection, k):
    truth = getattr(HG1G2, f"_phi{k}")(np.radians(PHASES))
    found = numbers(connection, f"science.hg1g2_phi{k}(phase)", phase=PHASES)
    # sbpy continues Phi1 below 7.5 degrees with a slope rounded in the eighth digit.
    assert np.allclose(found, truth, rtol=0, atol=1e-8)
    for phase in (None, -1e-9, 180.0001, float("nan"), float("inf")):
        assert one(connection, f"science.hg1g2_phi{k}(%s::float8)", phase) is None


@pytest.mark.requirement("SSO-08")
def test_basis_functions_have_the_values_of_the_paper(connection):
    """Muinonen et al. 2010: all are 1 at zero phase; the third is 0 from 30 degrees on."""
    for k in (1, 2, 3):
        assert one(connection, f"science.hg1g2_phi{k}(0)") == 1
    assert one(connection, "science.hg1g2_phi3(30)") == 0
    assert one(connection, "science.hg1g2_phi3(100)") == 0
    assert one(connection, "science.hg1g2_phi1(60)") == 0.1341056
    assert one(connection, "science.hg1g2_phi2(60)") == 0.31755495


def asteroids(rng, n):
    return {
        "m": rng.uniform(14, 25, n),
        "r": 10 ** rng.uniform(-0.3, 1.6, n),
        "delta": 10 ** rng.uniform(-2, 1.6, n),
        "phase": rng.uniform(0, 150, n),
        "g1": rng.uniform(0, 0.6, n),
        "g2": rng.uniform(0, 0.4, n),
    }


@pytest.mark.requirement("SSO-08")
def test_absolute_magnitude_equals_sbpy(connection, rng):
    body = asteroids(rng, 3000)
    h = numbers(connection, "science.absolute_mag(m, r, delta, phase, g1, g2)", **body)
    phase_part = HG1G2.evaluate(np.radians(body["phase"]), h, body["g1"], body["g2"])
    # Required is 1 mmag.
    assert np.allclose(phase_part + 5 * np.log10(body["r"] * body["delta"]), body["m"], atol=1e-7)
    reduced = numbers(connection, "science.reduced_mag(m, r, delta)", **body)
    assert np.allclose(reduced, phase_part, atol=1e-7)
    m = body.pop("m")
    again = numbers(connection, "science.apparent_mag(h, r, delta, phase, g1, g2)", h=h, **body)
    assert np.allclose(again, m, atol=1e-12)


@pytest.mark.requirement("SSO-08")
def test_two_parameter_system_equals_sbpy(connection, rng):
    g12 = np.concatenate([rng.uniform(-0.08, 0.9, 500), [0.2, np.nextafter(0.2, 0)]])
    phase = rng.uniform(0, 150, g12.size)
    found = numbers(
        connection,
        "science.apparent_mag(15, 1, 1, phase, science.hg12_g1(g12), science.hg12_g2(g12))",
        phase=phase,
        g12=g12,
    )
    truth = [HG12.evaluate(np.radians([p]), 15, g)[0] for p, g in zip(phase, g12, strict=True)]
    assert np.allclose(found, truth, atol=1e-7)


@pytest.mark.requirement("SSO-08")
@pytest.mark.parametrize(
    "call",
    [
        "reduced_mag(20, 0, 1)",
        "reduced_mag(20, -1, -1)",
        "reduced_mag(NULL, 1, 1)",
        "absolute_mag(20, 1, 1, NULL, 0.1, 0.1)",
        "absolute_mag(20, 1, 1, 10, NULL, 0.1)",
        "absolute_mag(20, NULL, 1, 10, 0.1, 0.1)",
        "absolute_mag(20, 1, 1, 100, -5, 0.1)",  # a phase function below zero
        "absolute_mag(20, 1, 1, 170, 1, 0)",  # and one that is zero
        "apparent_mag(20, 1, 0, 10, 0.1, 0.1)",
        "hg12_g1(NULL)",
        "hg12_g2(NULL)",
    ],
)
def test_no_magnitude_is_null(connection, call):
    assert one(connection, f"science.{call}") is None
