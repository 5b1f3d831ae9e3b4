"""Packed covariance matrices and elliptical annuli."""

import itertools

import numpy as np
import pytest
from functions_on_arrays import evaluate, one
from scipy import integrate

SEED = 19950521


@pytest.fixture
def rng():
    return np.random.default_rng(SEED)


def packed(matrix):
    """Lower triangle, row by row."""
    return matrix[np.tril_indices(len(matrix))]


@pytest.mark.requirement("GEN-06")
@pytest.mark.parametrize(("column", "tolerance"), [("real[]", 1e-6), ("double precision[]", 1e-15)])
@pytest.mark.parametrize("n", [1, 2, 3, 5, 6, 7, 8, 11])
def test_covariance_elements(connection, n, column, tolerance, rng):
    root = rng.normal(size=(n, n))
    matrix = root @ root.T
    sigma = np.sqrt(np.diag(matrix))
    i, j = (axis.ravel() + 1 for axis in np.indices((n, n)))
    stored = f"'{{{','.join(map(repr, packed(matrix).tolist()))}}}'::{column}"
    for call, truth in (
        ("cov_element({}, i::integer, j::integer)", matrix),
        ("cov_correlation({}, i::integer, j::integer)", matrix / np.outer(sigma, sigma)),
        ("cov_err({}, i::integer)", np.repeat(sigma, n)),
    ):
        found = evaluate(connection, "science." + call.format(stored), i=i, j=j)
        assert np.allclose(found, truth.ravel(), rtol=10 * tolerance, atol=10 * tolerance)


@pytest.mark.parametrize(
    "call",
    [
        "cov_element('{1,2,3}'::real[], 3, 1)",
        "cov_element('{1,2,3}'::real[], 2, 0)",
        "cov_element('{1,2,3}'::real[], -1, -1)",
        "cov_element('{1,2,3}'::real[], NULL, 1)",
        "cov_element(NULL::real[], 1, 1)",
        "cov_element('{1,NULL,3}'::real[], 2, 1)",
        "cov_err('{1,2,3}'::real[], 3)",
        "cov_err('{1,2,3}'::real[], 0)",
        "cov_err('{-1,2,3}'::real[], 1)",
        "cov_err('{}'::real[], 1)",
        "cov_correlation('{0,0,3}'::real[], 1, 2)",
        "cov_correlation('{1,0,NULL}'::real[], 1, 2)",
        "cov_correlation('{1,0,3}'::real[], 1, 3)",
    ],
)
def test_no_such_element_is_null(connection, call):
    assert one(connection, f"science.{call}") is None


def test_large_and_small_variances_keep_their_range(connection):
    """The product of two real variances may overflow a real; the correlation does not."""
    stored = "'{1e37,5e-1,1e-37}'::real[]"
    assert one(connection, f"science.cov_err({stored}, 1)") == pytest.approx(10**18.5, rel=1e-6)
    assert one(connection, f"science.cov_correlation({stored}, 1, 2)") == pytest.approx(0.5)


def test_axis_ratio_of_rotated_ellipses(connection):
    for q, major, angle in ((1, 2, 0.3), (0.5, 3, 1.0), (0.01, 1, 2.5)):
        axes = np.diag([major**2, (q * major) ** 2])
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        moments = turn @ axes @ turn.T
        found = one(
            connection,
            "science.axis_ratio(%s, %s, %s)",
            *(float(m) for m in (moments[0, 0], moments[1, 1], moments[0, 1])),
        )
        # The determinant of the thin ellipse loses four digits to cancellation.
        assert found == pytest.approx(q, rel=1e-11)
    for moments in ("0, 1, 0", "1, -1, 0", "1, 1, 1.1", "NULL, 1, 0", "1, 1, NULL"):
        assert one(connection, f"science.axis_ratio({moments})") is None


@pytest.mark.requirement("CAT-03")
def test_annuli_are_logarithmic_and_fill_the_ellipse(connection):
    with connection.cursor() as cursor:
        for nann, rmin, rmax, q in ((8, 0.5, 20, 0.3), (1, 0.5, 20, 1), (2, 3, 3, 0)):
            cursor.execute(
                "SELECT science.annulus_radius(k, %(n)s, %(a)s, %(b)s), "
                "science.annulus_area(k, %(n)s, %(a)s, %(b)s, %(q)s) "
                "FROM generate_series(1, %(n)s) AS k",
                {"n": nann, "a": rmin, "b": rmax, "q": q},
            )
            radii, areas = np.array(cursor.fetchall()).T
            expected = np.geomspace(rmin, rmax, nann) if nann > 1 else [rmax]
            assert np.allclose(radii, expected, rtol=1e-14)
            assert areas.sum() == pytest.approx(np.pi * q * rmax**2, rel=1e-14)
            assert areas[0] == pytest.approx(np.pi * q * expected[0] ** 2, rel=1e-14)
    assert one(connection, "science.annulus_radius(0, 5, 1, 2)") == 0


@pytest.mark.requirement("CAT-03")
@pytest.mark.parametrize(
    "arguments",
    ["0, 5, 1, 9, 1", "6, 5, 1, 9, 1", "1, 0, 1, 9, 1", "1, 5, 0, 9, 1", "1, 5, 9, 1, 1",
     "1, 5, 1, 9, 1.1", "1, 5, 1, 9, -0.1", "NULL, 5, 1, 9, 1", "1, 5, NULL, 9, 1"],
)  # fmt: skip
def test_no_such_annulus_is_null(connection, arguments):
    assert one(connection, f"science.annulus_area({arguments})") is None


@pytest.mark.requirement("CAT-03")
def test_aperture_flux_of_an_exponential_galaxy(connection):
    """The flux of a known profile comes back from its mean surface brightness."""
    q, scale, centre, rmin, rmax, nann = 0.6, 1.7, 100.0, 0.4, 15.0, 9
    edges = np.concatenate([[0], np.geomspace(rmin, rmax, nann)])
    annulus_flux = [
        integrate.quad(lambda r: 2 * np.pi * q * r * centre * np.exp(-r / scale), *pair)[0]
        for pair in itertools.pairwise(edges)
    ]
    mean_sb = (annulus_flux / (np.pi * q * np.diff(edges**2))).tolist()
    call = "science.aperture_flux(%s::real[], %s, %s, %s)"
    total = one(connection, call, mean_sb, rmin, rmax, q)
    assert total == pytest.approx(sum(annulus_flux), rel=1e-6)  # stored as real
    inner = one(connection, call, mean_sb[:4], rmin, float(edges[4]), q)
    assert inner == pytest.approx(sum(annulus_flux[:4]), rel=1e-6)


@pytest.mark.requirement("CAT-03")
@pytest.mark.parametrize("mean_sb", ["'{}'", "NULL", "'{1,NULL,2}'"])
def test_aperture_flux_is_unknown_with_an_unknown_annulus(connection, mean_sb):
    assert one(connection, f"science.aperture_flux({mean_sb}::real[], 1, 9, 0.5)") is None
