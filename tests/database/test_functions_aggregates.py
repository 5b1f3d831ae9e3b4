"""Weighted mean, error, chi-square, count and sample sigma as SQL aggregates."""

import numpy as np
import pytest

SEED = 20031108
ALL = (
    "science.weighted_mean(value, err), science.weighted_mean_err(value, err), "
    "science.weighted_chi2(value, err), science.n_used(value, err), science.sample_sigma(value)"
)


@pytest.fixture
def rng():
    return np.random.default_rng(SEED)


def plain(value):
    """Return a number psycopg2 knows."""
    return None if value is None else float(value)


def aggregate(connection, value, err):
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {ALL} FROM unnest(%s::float8[], %s::float8[]) AS t (value, err)",
            [list(map(plain, value)), list(map(plain, err))],
        )
        return cursor.fetchone()


def truth(value, err):
    weight = err**-2.0
    mean = np.average(value.astype(np.longdouble), weights=weight)
    chi2 = (((value - mean) / err) ** 2).sum()
    return mean, weight.sum() ** -0.5, chi2, value.size, value.std(ddof=1)


@pytest.mark.requirement("GEN-08")
@pytest.mark.parametrize("offset", [0, 1e9, -1e12])
@pytest.mark.parametrize("n", [2, 30, 5000])
def test_equals_numpy_even_on_a_large_offset(connection, offset, n, rng):
    value = offset + rng.normal(0, 3, n)
    err = 10 ** rng.uniform(-0.5, 0.5, n)
    # An offset of 1e12 leaves each value a rounding error of 1e-4, hence 1e-4 of a sigma here.
    tolerance = max(1e-12, abs(offset) * 1e-15)
    for found, expected in zip(aggregate(connection, value, err), truth(value, err), strict=True):
        assert found == pytest.approx(float(expected), rel=tolerance)


@pytest.mark.requirement("GEN-08")
def test_textbook_sums_would_fail_there(connection, rng):
    """The offset of the test above is large enough to tell a stable method from sums of squares."""
    value = 1e9 + rng.normal(0, 3, 30)
    naive = (value**2).sum() - value.sum() ** 2 / 30
    assert naive != pytest.approx(((value - value.mean()) ** 2).sum(), rel=0.01)


@pytest.mark.requirement("GEN-08")
def test_one_value(connection):
    assert aggregate(connection, [7.5], [0.5]) == (7.5, 0.5, 0, 1, None)


def test_no_value(connection):
    assert aggregate(connection, [], []) == (None, None, None, 0, None)


@pytest.mark.requirement("GEN-08")
def test_rows_that_are_no_measurements_are_left_out(connection):
    nan, inf = float("nan"), float("inf")
    value = [1, None, 3, 5, 9, nan, inf, 4, 4]
    err = [1, 1, None, 0, -2, 1, 1, nan, inf]
    mean, mean_err, chi2, count, _ = aggregate(connection, value, err)
    assert (mean, mean_err, chi2, count) == (1, 1, 0, 1)
    mean, mean_err, chi2, count, _ = aggregate(connection, value[1:], err[1:])
    assert (mean, mean_err, chi2, count) == (None, None, None, 0)


@pytest.mark.requirement("GEN-08")
def test_chi2_about_the_mean_has_n_minus_1_degrees_of_freedom(connection, rng):
    n_sources, n = 2000, 5
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT avg(chi2) FROM (SELECT science.weighted_chi2(value, err) AS chi2 "
            "FROM unnest(%s::int[], %s::float8[], %s::float8[]) AS t (id, value, err) "
            "GROUP BY id) AS per_source",
            [
                np.repeat(np.arange(n_sources), n).tolist(),
                rng.normal(0, np.tile([1, 2, 3, 4, 5], n_sources)).tolist(),
                np.tile([1.0, 2, 3, 4, 5], n_sources).tolist(),
            ],
        )
        (mean_chi2,) = cursor.fetchone()
    # The mean of 2000 chi-squares of 4 degrees of freedom scatters by sqrt(8 / 2000) = 0.063.
    assert mean_chi2 == pytest.approx(n - 1, abs=4 * 0.063)


@pytest.mark.requirement("GEN-08")
def test_combining_parts_equals_the_whole(connection, rng):
    value, err = 1e9 + rng.normal(0, 3, 60_000), 10 ** rng.uniform(-0.5, 0.5, 60_000)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE light (value float8, err float8)")
        cursor.execute(
            "INSERT INTO light SELECT * FROM unnest(%s::float8[], %s::float8[])",
            [value.tolist(), err.tolist()],
        )
        cursor.execute("INSERT INTO light SELECT NULL, 1 FROM generate_series(1, 100)")
        cursor.execute(
            "SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; "
            "SET LOCAL min_parallel_table_scan_size = 0; "
            "SET LOCAL max_parallel_workers_per_gather = 2; ANALYZE light"
        )
        cursor.execute(f"EXPLAIN SELECT {ALL} FROM light")
        plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "Partial Aggregate" in plan
        assert "Gather" in plan
        cursor.execute(f"SELECT {ALL} FROM light")
        found = cursor.fetchone()
    # A value of 1e9 is rounded to 1e-7; sample_sigma keeps the sum, 6e13, rounded to 0.01.
    for value_found, expected in zip(found, truth(value, err), strict=True):
        assert value_found == pytest.approx(float(expected), rel=1e-7)


def test_combine_with_an_empty_part(connection):
    empty, full = [0.0, 0, 0, 0], [2.0, 3, 1e9, 5]
    with connection.cursor() as cursor:
        for a, b in ((empty, full), (full, empty)):
            cursor.execute("SELECT science.weighted_combine(%s::float8[], %s::float8[])", [a, b])
            assert cursor.fetchone()[0] == full


def test_real_columns_and_groups(connection):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT band, science.weighted_mean(flux, err) FROM (VALUES "
            "('g', 1::real, 1::real), ('g', 3::real, 1::real), ('r', 5::real, 2::real)) "
            "AS t (band, flux, err) GROUP BY band ORDER BY band"
        )
        assert cursor.fetchall() == [("g", 2.0), ("r", 5.0)]
