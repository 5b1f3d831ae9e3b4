"""Fluxes and magnitudes, chi-square and likelihood."""

import astropy.units as u
import numpy as np
import pytest
from functions_on_arrays import evaluate, numbers, one
from scipy import stats

SEED = 20140921


@pytest.fixture
def rng():
    return np.random.default_rng(SEED)


@pytest.mark.requirement("GEN-15", "GEN-17")
def test_flux_to_mag_is_the_ab_magnitude(connection, rng):
    flux = 10 ** rng.uniform(-30, 30, 2000)
    truth = (flux * u.nJy).to_value(u.ABmag)
    found = numbers(connection, "science.flux_to_mag(flux)", flux=flux)
    # 31.4 is the document's rounding of 31.400006..., the AB magnitude of 1 nJy.
    assert np.allclose(found, truth, rtol=0, atol=1e-5)
    assert one(connection, "science.flux_to_mag(1)") == pytest.approx(31.4, abs=1e-12)
    assert one(connection, "science.mag_to_flux(31.4)") == pytest.approx(1, abs=1e-4)


@pytest.mark.requirement("GEN-17")
@pytest.mark.parametrize("flux", [None, 0, -0.0, -1e-300, -50, float("-inf")])
def test_no_magnitude_without_positive_flux(connection, flux):
    assert one(connection, "science.flux_to_mag(%s::float8)", flux) is None
    assert one(connection, "science.flux_to_mag_err(%s::float8, 1)", flux) is None


@pytest.mark.requirement("GEN-17")
def test_magnitude_error_is_first_order(connection, rng):
    flux = 10 ** rng.uniform(0, 6, 1000)
    err = flux * rng.uniform(0, 0.5, 1000)
    found = numbers(connection, "science.flux_to_mag_err(flux, err)", flux=flux, err=err)
    assert np.allclose(found, 1.085736 * err / flux, rtol=1e-6)
    back = numbers(
        connection,
        "science.mag_err_to_flux_err(science.flux_to_mag(flux), mag_err)",
        flux=flux,
        mag_err=found,
    )
    assert np.allclose(back, err, rtol=1e-12)
    assert one(connection, "science.flux_to_mag_err(1, -1)") is None
    assert one(connection, "science.flux_to_mag_err(1, NULL)") is None
    assert one(connection, "science.mag_err_to_flux_err(20, -0.1)") is None


@pytest.mark.requirement("GEN-15", "GEN-17")
def test_magnitude_round_trip(connection, rng):
    flux = 10 ** rng.uniform(-200, 200, 2000)
    found = numbers(connection, "science.mag_to_flux(science.flux_to_mag(flux))", flux=flux)
    # 700 mag in doubles leave an error of 1e-13 mag, 1e-13 of the flux.
    assert np.allclose(found, flux, rtol=3e-13)


@pytest.mark.requirement("GEN-17")
@pytest.mark.parametrize("mag", [None, float("nan"), -999, 9999, float("inf")])
def test_flux_of_impossible_magnitude_is_null_and_no_error(connection, mag):
    assert one(connection, "science.mag_to_flux(%s::float8)", mag) is None
    assert one(connection, "science.mag_err_to_flux_err(%s::float8, 0.1)", mag) is None


@pytest.mark.requirement("GEN-17")
def test_real_columns_work(connection):
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE faint (psFlux real, psFluxErr real)")
        cursor.execute("INSERT INTO faint VALUES (100, 5), (-50, 5), (1e-40, 1e38)")
        cursor.execute(
            "SELECT science.flux_to_mag(psFlux), science.flux_to_mag_err(psFlux, psFluxErr) "
            "FROM faint"
        )
        assert cursor.fetchall()[1] == (None, None)


MODELS = {
    "ps_chi2_dof": (1, 3),
    "trail_chi2_dof": (1, 5),
    "dip_chi2_dof": (1, 6),
    "object_ps_chi2_dof": (1, 11),
    "bd_chi2_dof": (1, 8),
    "motion_chi2_dof": (2, 5),
    "orbit_chi2_dof": (2, 6),
    "flux_chi2_dof": (1, 1),
}


@pytest.mark.requirement("GEN-06")
@pytest.mark.parametrize("name", MODELS)
def test_chi2_per_dof_of_each_model(connection, name, rng):
    per_point, n_free = MODELS[name]
    ndata = rng.integers(0, 30, 12_500)  # eight models: 100 000 rows
    chi2 = np.float32(rng.chisquare(20, ndata.size)).astype(float)
    dof = per_point * ndata - n_free
    truth = np.divide(chi2, dof, out=np.full(chi2.size, np.nan), where=dof > 0)
    found = numbers(connection, f"science.{name}(chi2, ndata)", chi2=chi2, ndata=ndata)
    assert np.allclose(found, truth, rtol=1e-12, equal_nan=True)
    assert np.isnan(truth).any()
    general = numbers(
        connection,
        f"science.chi2_per_dof(chi2, {per_point} * ndata, {n_free})",
        chi2=chi2,
        ndata=ndata,
    )
    assert np.array_equal(found, general, equal_nan=True)
    assert one(connection, f"science.{name}(NULL, 20)") is None
    assert one(connection, f"science.{name}(20, NULL)") is None


@pytest.mark.requirement("GEN-07")
def test_ln_likelihood_of_normal_errors(connection, rng):
    chi2, sum_ln_sigma, size, truth = [], [], [], []
    for n in (1, 2, 10, 500):
        sigma = 10 ** rng.uniform(-3, 3, n)
        data = rng.normal(5, sigma)
        chi2.append((((data - 5) / sigma) ** 2).sum())
        sum_ln_sigma.append(np.log(sigma).sum())
        size.append(n)
        truth.append(stats.norm.logpdf(data, 5, sigma).sum())
    columns = {"chi2": chi2, "sum_ln_sigma": sum_ln_sigma, "n": size}
    found = numbers(connection, "science.ln_likelihood(chi2, sum_ln_sigma, n)", **columns)
    assert np.allclose(found, truth, rtol=1e-9, atol=1e-9)
    back = numbers(
        connection,
        "science.chi2_from_ln_likelihood(ln_l, sum_ln_sigma, n)",
        ln_l=truth,
        sum_ln_sigma=sum_ln_sigma,
        n=size,
    )
    assert np.allclose(back, chi2, rtol=1e-9, atol=1e-9)
    assert evaluate(connection, "science.ln_likelihood(c, 1, 1)", c=[None]) == [None]
