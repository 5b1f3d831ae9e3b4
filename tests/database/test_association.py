"""Fits of position, motion and parallax, and association, against independent ones."""

import importlib.util
import itertools
import sys

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import get_body_barycentric
from astropy.time import Time
from functions_on_arrays import evaluate
from scipy.optimize import least_squares
from test_ledger import DD, MJD, Desk, ccd_visit_row, source_rows

from ingest.staging import stage
from skyledger import ids, resources

ARCSEC = 1 / 3600
COLUMNS = (
    "ra, decl, raerr, declerr, radeclcov, radectai, pmra, pmdecl, parallax, pmparallaxcov, "
    "pmparallaxlnl, pmparallaxchi2, pmparallaxndata, flags, ndiasources"
)
NO_MOTION, NO_PARALLAX = 2, 4


class Observatory(Desk):
    """A desk whose visits have systematic errors and go without fluxes of objects."""

    systematic = (0.0, 0.0, 0.0)

    def stage(self, number, sequence, rows, mjd=MJD, kind="visit"):
        batch = super().stage(number, sequence, rows, mjd, kind)
        with self.connection.cursor() as cursor:
            cursor.execute(
                "UPDATE staging.ccdvisit SET astromsysraerr = %s, astromsysdeclerr = %s, "
                "astromsyscov = %s WHERE slot = %s",
                (*self.systematic, number),
            )
        return batch


@pytest.fixture
def desk(fresh_database):
    connection = fresh_database.connect()
    yield Observatory(connection)
    connection.close()


def earth(mjd):
    # The 32 s between TAI and TDB are 6e-6 AU; leap seconds of the future are not needed.
    return get_body_barycentric("earth", Time(mjd, format="mjd", scale="tdb")).xyz.to_value(u.au)


@pytest.mark.requirement("L1DB-17")
def test_the_earth_is_where_astropy_has_it(connection):
    mjd = np.linspace(33282.0, 69807.0, 3001)  # 1950 to 2050
    found = np.array(evaluate(connection, "science.earth_position(mjd)", mjd=mjd))
    # The limit that the function states.
    assert np.linalg.norm(found - earth(mjd).T, axis=1).max() < 1.5e-4


def observe(desk, mjd, rng, ra=200.0, decl=-35.0, motion=(0.3, -0.5), parallax=0.2):
    """Publish a moving star, a visit an epoch; errors of 10 to 60 mas with correlation."""
    seen = []
    a, d = np.radians(ra), np.radians(decl)
    for k, t in enumerate(mjd.tolist()):
        ex, ey, ez = earth(t)
        x = motion[0] * (t - mjd[0]) / 365.25 + parallax * (ex * np.sin(a) - ey * np.cos(a))
        y = motion[1] * (t - mjd[0]) / 365.25 + parallax * (
            (ex * np.cos(a) + ey * np.sin(a)) * np.sin(d) - ez * np.cos(d)
        )
        sx, sy, r = *rng.uniform(0.01, 0.06, 2), rng.uniform(-0.6, 0.6)
        cov = np.array([[sx**2, r * sx * sy], [r * sx * sy, sy**2]])
        dx, dy = rng.multivariate_normal([x, y], cov)
        rows = source_rows(k + 1, [ra + dx * ARCSEC / np.cos(d)], [decl + dy * ARCSEC], [100.0], t)
        rows["raErr"], rows["declErr"] = np.array([sx]), np.array([sy])
        rows["raDeclCov"] = np.array([r * sx * sy])
        desk.systematic = (0.004 + 0.001 * (k % 3), 0.006, 5e-6)
        desk.publish(k + 1, rows, t)
        # As stored: single precision.
        f32 = [float(np.float32(v)) for v in (sx, sy, r * sx * sy, *desk.systematic)]
        stored = np.array(
            [
                [f32[0] ** 2 + f32[3] ** 2, f32[2] + f32[5]],
                [f32[2] + f32[5], f32[1] ** 2 + f32[4] ** 2],
            ]
        )
        seen.append((t, rows["ra"][0], rows["decl"][0], stored))
    return seen


def model(p, t, epoch, ra, decl):
    """Unit vector of a star by its five parameters [arcsec, arcsec/yr, arcsec], along two axes."""
    a, d = np.radians(ra), np.radians(decl)
    east = np.array([-np.sin(a), np.cos(a), 0])
    north = np.array([-np.cos(a) * np.sin(d), -np.sin(a) * np.sin(d), np.cos(d)])
    years = (t - epoch) / 365.25
    e = earth(t)
    return np.array(
        [p[0] + p[2] * years - p[4] * (e @ east), p[1] + p[3] * years - p[4] * (e @ north)]
    )


def independent_fit(seen, epoch, ra, decl, free):
    """Least squares with scipy: whitened residuals about a tangent point, numerical derivatives."""
    a0, d0 = np.radians(ra), np.radians(decl)
    rows = []
    for t, ra_k, decl_k, cov in seen:
        a, d = np.radians(ra_k), np.radians(decl_k)
        n = np.array([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])
        east = np.array([-np.sin(a0), np.cos(a0), 0])
        north = np.array([-np.cos(a0) * np.sin(d0), -np.sin(a0) * np.sin(d0), np.cos(d0)])
        rows.append(
            (t, np.degrees(np.array([n @ east, n @ north])) * 3600, np.linalg.cholesky(cov))
        )

    def residual(p):
        full = np.zeros(5)
        full[:free] = p
        return np.concatenate(
            [np.linalg.solve(low, at - model(full, t, epoch, ra, decl)) for t, at, low in rows]
        )

    found = least_squares(residual, np.zeros(free), xtol=1e-15, ftol=1e-15, gtol=1e-15)
    cov = np.linalg.inv(found.jac.T @ found.jac)
    chi2 = 2 * found.cost
    lnl = -0.5 * chi2 - sum(np.log(2 * np.pi * np.prod(np.diag(low))) for _, _, low in rows)
    return found.x, cov, chi2, lnl


@pytest.mark.requirement("L1DB-17", "GEN-04", "GEN-05", "DIA-14")
@pytest.mark.parametrize(("days", "n", "free"), [(300, 12, 5), (170, 9, 4), (300, 7, 4)])
def test_the_fit_equals_an_independent_one(desk, days, n, free):
    rng = np.random.default_rng(17)
    mjd = MJD + np.concatenate([[0], np.sort(rng.uniform(1, days - 1, n - 2)), [days]])
    # A fast star found in gaps of months: its sources must first have come together.
    seen = observe(desk, mjd, rng, motion=(0.3, -0.5))
    (found,) = desk.all(f"SELECT {COLUMNS} FROM prompt_live.diaobject")
    value = dict(zip(COLUMNS.split(", "), found, strict=True))
    epoch = value["radectai"]
    p, cov, chi2, lnl = independent_fit(seen, epoch, value["ra"], value["decl"], free)
    # The tangent point is the fitted position. The Earth is 1e-4 AU off, hence parallax and
    # position by 1e-4 of the parallax; single precision holds seven digits of the rest.
    slack = 3e-4 * 0.2 if free == 5 else 1e-8
    assert np.hypot(p[0], p[1]) < slack
    assert value["pmra"] / 1000 == pytest.approx(p[2], abs=10 * slack, rel=1e-6)
    assert value["pmdecl"] / 1000 == pytest.approx(p[3], abs=10 * slack, rel=1e-6)
    assert value["raerr"] == pytest.approx(cov[0, 0] ** 0.5, rel=1e-3 if free == 5 else 1e-6)
    assert value["declerr"] == pytest.approx(cov[1, 1] ** 0.5, rel=1e-3 if free == 5 else 1e-6)
    assert value["pmparallaxchi2"] == pytest.approx(chi2, rel=2e-3 if free == 5 else 1e-6)
    assert value["pmparallaxlnl"] == pytest.approx(lnl, rel=2e-3 if free == 5 else 1e-6)
    assert value["pmparallaxndata"] == n == value["ndiasources"]
    lower = [(2, 2), (3, 2), (3, 3), (4, 2), (4, 3), (4, 4)]
    for k, at in enumerate(lower):
        if 4 in at and free == 4:
            assert value["pmparallaxcov"][k] is None
        else:
            scale = 1e6 * (cov[at[0], at[0]] * cov[at[1], at[1]]) ** 0.5
            assert value["pmparallaxcov"][k] == pytest.approx(
                cov[at] * 1e6, abs=scale * (1e-3 if free == 5 else 1e-6)
            )
    # Where position and motion are least correlated.
    assert abs(cov[0, 2] + cov[1, 3]) < 1e-3 * (cov[0, 0] * cov[2, 2]) ** 0.5
    assert value["flags"] == (0 if free == 5 else NO_PARALLAX)
    if free == 5:
        assert value["parallax"] / 1000 == pytest.approx(p[4], rel=3e-4)
    else:
        assert value["parallax"] is None


@pytest.mark.requirement("L1DB-17")
def test_normal_equations_are_solved_as_by_least_squares(connection):
    # The same parallax factors on both sides, so that nothing but the algebra is compared.
    rng = np.random.default_rng(3)
    sums, truth = [], []
    for n in (8, 12, 40, 300):
        t, f, g = np.sort(rng.uniform(-1, 0, n)), *rng.uniform(-1, 1, (2, n))
        low = np.array([[[s, 0], [r, s]] for s, r in rng.uniform(0.01, 0.05, (n, 2))])
        weight = np.linalg.inv(low @ low.transpose(0, 2, 1))
        xy = rng.normal(0, 0.3, (n, 2))
        design = np.zeros((n, 2, 5))
        design[:, 0, 0] = design[:, 1, 1] = 1
        design[:, 0, 2] = design[:, 1, 3] = t
        design[:, 0, 4], design[:, 1, 4] = f, g
        white = np.linalg.solve(low, design).reshape(-1, 5)
        moved = np.linalg.solve(low, xy[:, :, None]).reshape(-1)
        p, (chi2,), _, _ = np.linalg.lstsq(white, moved, rcond=None)
        cov = np.linalg.inv(white.T @ white)
        truth.append((p, cov, chi2))
        a, b, c = weight[:, 0, 0], weight[:, 0, 1], weight[:, 1, 1]
        x, y = xy.T
        h, k, q, r = a * f + b * g, b * f + c * g, a * x + b * y, b * x + c * y
        terms = (a, b, c, t * a, t * b, t * c, t * t * a, t * t * b, t * t * c, h, k, t * h, t * k,
                 f * h + g * k, q, r, t * q, t * r, f * q + g * r, x * q + y * r,
                 np.log(np.linalg.det(weight)))  # fmt: skip
        sums.append([*(term.sum() for term in terms), n, 365.0])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM staging.fit_motion(%s::bigint[], %s::float8[])",
            (list(range(len(sums))), [[float(v) for v in row] for row in sums]),
        )
        found = cursor.fetchall()
    for row, (p, cov, chi2) in zip(found, truth, strict=True):
        epoch = row[1]
        move = np.eye(5)
        move[0, 2] = move[1, 3] = epoch
        there, cov_there = move @ p, move @ cov @ move.T
        assert [row[2], row[3], row[7], row[8], row[9]] == pytest.approx(there, rel=1e-6, abs=1e-9)
        assert row[4:7] == pytest.approx(
            (cov_there[0, 0], cov_there[1, 1], cov_there[1, 0]), rel=1e-6
        )
        assert row[10] == pytest.approx(
            [
                cov_there[2, 2],
                cov_there[3, 2],
                cov_there[3, 3],
                cov_there[4, 2],
                cov_there[4, 3],
                cov_there[4, 4],
            ],
            rel=1e-6,
        )
        assert row[12] == pytest.approx(chi2, rel=1e-6)


@pytest.mark.requirement("L1DB-17")
@pytest.mark.parametrize(("n", "days"), [(4, 100), (6, 59)])
def test_without_enough_points_or_time_the_position_is_a_mean(desk, n, days):
    rng = np.random.default_rng(2)
    observe(desk, np.linspace(MJD, MJD + days, n), rng, motion=(0, 0), parallax=0)
    (found,) = desk.all(f"SELECT {COLUMNS} FROM prompt_live.diaobject")
    assert found[6:13] == (None,) * 7
    assert found[13] == NO_MOTION | NO_PARALLAX


@pytest.mark.requirement("DIA-12")
def test_assignments_are_the_cheapest_of_all(connection):
    rng = np.random.default_rng(4)
    sources, objects, costs, best = [], [], [], 0.0
    for group in range(40):
        n, m = rng.integers(1, 5, 2)
        cost = np.where(rng.random((n, m)) < 0.7, rng.uniform(-20, -0.1, (n, m)), 0.0)
        for i, j in zip(*np.nonzero(cost), strict=True):
            sources.append(int(10 * group + i))
            objects.append(int(10 * group + j))
            costs.append(float(cost[i, j]))
        # Brute force: each source in turn gets an object or (beyond m) none.
        best += min(
            sum(cost[i, j] for i, j in enumerate(taken) if j < m)
            for taken in itertools.permutations(range(m + n), int(n))
        )
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM staging.assign(%s::bigint[], %s::bigint[], %s)",
            (sources, objects, costs),
        )
        taken = [row[0] - 1 for row in cursor.fetchall()]
    assert len({sources[k] for k in taken}) == len({objects[k] for k in taken}) == len(taken)
    assert sum(costs[k] for k in taken) == pytest.approx(best, abs=1e-9)


@pytest.mark.requirement("DIA-12")
def test_two_close_sources_go_to_their_objects_as_a_pair(desk):
    # Shifted by 0.25 arcsec as a whole: the left source is nearest to the right object's place,
    # and taking nearest pairs first would leave the other one without an object.
    desk.systematic = (0.15, 0.15, 0.0)
    desk.publish(1, source_rows(1, [10.0, 10.0 + 0.45 * ARCSEC], [0.0, 0.0], [1.0, 2.0], err=0.01))
    shifted = [10.0 + 0.25 * ARCSEC, 10.0 + 0.70 * ARCSEC]
    desk.publish(2, source_rows(2, shifted, [0.0, 0.0], [1.0, 2.0], MJD + 1, err=0.01), MJD + 1)
    rows = desk.all(
        "SELECT psflux, count(DISTINCT diaobjectid) FROM prompt_live.diasource GROUP BY 1"
    )
    assert sorted(rows) == [(1.0, 1), (2.0, 1)]


@pytest.mark.requirement("DIA-11", "DIA-12")
def test_a_fast_star_is_followed_and_its_neighbour_left_alone(desk):
    # 5 arcsec/yr past a star that does not move; every 20 days.
    for k in range(12):
        t = MJD + 20 * k
        x = np.array([-1.5 + 5 * 20 * k / 365.25, 0.0])
        y = np.array([0.0, 0.9])
        rows = source_rows(k + 1, 100 + x * ARCSEC, y * ARCSEC, [100.0, 200.0], t, err=0.02)
        desk.publish(k + 1, rows, t)
    found = desk.all(
        "SELECT psflux, count(DISTINCT diaobjectid), count(*) FROM prompt_live.diasource GROUP BY 1"
    )
    assert sorted(found) == [(100.0, 1, 12), (200.0, 1, 12)]
    fast = desk.one("SELECT max(pmra) FROM prompt_live.diaobject")
    assert fast == pytest.approx(5000, abs=150)


@pytest.mark.requirement("DIA-12")
def test_detectors_of_one_visit_published_apart_do_not_share_an_object(desk):
    desk.publish(1, source_rows(1, [10.0], [0.0], [100.0]))
    desk.publish(2, source_rows(2, [10.0], [0.0], [100.0], MJD + 1), MJD + 1)
    visit = ids.visit_id(ids.night_of(MJD + 1), 2)
    other = ids.ccd_visit_id(visit, 1)
    rows = source_rows(2, [10.0 + 0.01 * ARCSEC], [0.0], [100.0], MJD + 1)
    rows["ccdVisitId"], rows["detector"] = np.array([other]), np.array([1])
    rows["diaSourceId"] = ids.source_ids(1, other, np.array([1]))
    ccd = ccd_visit_row(2, MJD + 1)
    ccd["ccdVisitId"], ccd["detector"] = np.array([other]), np.array([1])
    with desk.connection.cursor() as cursor:
        stage(desk.connection, DD["CcdVisit"], ccd, 3)
        stage(desk.connection, DD["DIASource"], rows, 3)
        cursor.execute("SELECT * FROM staging.associate(3::smallint)")
        assert cursor.fetchone() == (0, 1)
    desk.connection.rollback()


@pytest.mark.requirement("DIA-12", "DIA-04")
def test_parents_and_the_subthreshold_sample_take_no_part(desk):
    bits = dict(
        desk.all("SELECT name, bit FROM ledger.flagdefinition WHERE relation = 'DIASource'")
    )
    rows = source_rows(1, [10.0, 11.0, 12.0], [0.0] * 3, [100.0] * 3)
    rows["flags"] = np.array([1 << bits["PARENT"], 1 << bits["SUBTHRESHOLD"], 0])
    desk.publish(1, rows)
    assert desk.all("SELECT ra FROM prompt_live.diasource WHERE diaobjectid IS NOT NULL") == [
        (12.0,)
    ]
    assert desk.one("SELECT count(*) FROM prompt_live.diaobject") == 1


@pytest.mark.requirement("DIA-11", "DIA-12", "DIA-04")
def test_a_crowded_sky_is_kept_apart(desk):
    # The benchmark's sky with few epochs: bars of the many-epoch run, widened by the Poisson
    # noise of small numbers and by the first epochs, in which motions are unknown.
    path = resources.db_dir().parent / "benchmarks" / "association.py"
    spec = importlib.util.spec_from_file_location("association_benchmark", path)
    benchmark = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = benchmark
    spec.loader.exec_module(benchmark)
    found = benchmark.run(desk.connection, seed=11, epochs=10, things=100)
    assert found["sources"] > 2500
    assert found["split"] <= 0.02
    assert found["merge"] <= 0.004
    assert found["complete"] >= 0.99
    # Until motions are fitted their prior widens the errors of the many that do not move.
    assert 1.6 <= found["m2"] <= 2.15
