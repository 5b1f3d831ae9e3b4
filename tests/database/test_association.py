"""Fits of position, motion and parallax, and association, against independent ones."""

import importlib.util
import itertools
import sys
from functools import cache

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import get_body_barycentric
from astropy.time import Time
from functions_on_arrays import evaluate
from scipy.optimize import least_squares, linear_sum_assignment
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from test_ledger import DD, MJD, Desk, ccd_visit_row, source_rows

from ingest.staging import slot, stage
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


@cache
def earth_at(mjd):
    return earth(mjd)


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
        rows = source_rows(
            k + 1, [(ra + dx * ARCSEC / np.cos(d)) % 360], [decl + dy * ARCSEC], [100.0], t
        )
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
    e = earth_at(t)
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
    # North turns by 2e-6 from one source to another, which this truth leaves out.
    slack = 3e-4 * 0.2 if free == 5 else 1e-7
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
        sums.append([n, 365.0, *(term.sum() for term in terms)])
    with connection.cursor() as cursor:
        # As if kept sums went on: the span is that from the first source to the newest.
        cursor.execute("SELECT staging.characterize_tables()")
        for number, row in enumerate(sums):
            given = ", ".join(["%s"] * 22)
            cursor.execute(
                "INSERT INTO characterize_object (diaobjectid, basis, oldfirst, newest) "
                "VALUES (%s, now(), 0, %s)",
                (number, row[1]),
            )
            cursor.execute(
                f"INSERT INTO characterize_sum VALUES (%s, NULL, {given}, 1)",
                [number, float(row[0]), *(float(v) for v in row[2:])],
            )
        cursor.execute("SELECT staging.fit_motion()")
        cursor.execute(
            "SELECT diaobjectid, epoch, x, y, varx, vary, covxy, pmx, pmy, parallax, motioncov, "
            "lnl, chi2 FROM characterize_fit ORDER BY diaobjectid"
        )
        found = cursor.fetchall()
    connection.rollback()
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


@pytest.mark.requirement("DIA-12")
def test_detectors_staged_together_do_not_share_an_object(desk):
    desk.publish(1, source_rows(1, [10.0], [0.0], [100.0]))
    visit = ids.visit_id(ids.night_of(MJD + 1), 2)
    with desk.connection.cursor() as cursor:
        for detector, away in ((0, 0.04), (1, 0.02)):
            number = ids.ccd_visit_id(visit, detector)
            rows = source_rows(2, [10.0 + away * ARCSEC], [0.0], [100.0], MJD + 1)
            rows["ccdVisitId"], rows["detector"] = np.array([number]), np.array([detector])
            rows["diaSourceId"] = ids.source_ids(1, number, np.array([1]))
            ccd = ccd_visit_row(2, MJD + 1)
            ccd["ccdVisitId"], ccd["detector"] = np.array([number]), np.array([detector])
            stage(desk.connection, DD["CcdVisit"], ccd, 3)
            stage(desk.connection, DD["DIASource"], rows, 3)
        cursor.execute("SELECT * FROM staging.associate(3::smallint)")
        assert cursor.fetchone() == (1, 1)
        cursor.execute(
            "SELECT detector FROM staging.diasource WHERE slot = 3 AND diaobjectid IN "
            "(SELECT diaobjectid FROM prompt_store.diaobject)"
        )
        assert cursor.fetchall() == [(1,)]
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


def staged(desk, number, sequence, rows, mjd):
    """Stage a visit and return what its sources most probably are."""
    desk.stage(number, sequence, rows, mjd)
    with desk.connection.cursor() as cursor:
        cursor.execute("SELECT * FROM staging.likeliest(%s::smallint)", (number,))
        return {row[0]: row[1:] for row in cursor.fetchall()}


def with_errors(rows, rng):
    n = len(rows["ra"])
    sx, sy, r = *rng.uniform(0.02, 0.12, (2, n)), rng.uniform(-0.7, 0.7, n)
    return rows | {"raErr": sx, "declErr": sy, "raDeclCov": r * sx * sy}


PRIORS = ((0.60, 0.003), (0.30, 0.03), (0.09, 0.3), (0.01, 3.0))  # share; arcsec/yr an axis


def ln_predictive(old, new, ra, decl, share_width):
    """Ln density of a place given earlier ones: the ratio of two marginal likelihoods.

    Position, motion and parallax are never fitted: with Gaussian priors on them the places are
    together a Gaussian vector, and its covariance is all there is to know. A position known to
    100 arcsec beforehand stands for one not known.
    """
    share, width = share_width
    prior = np.diag(np.array([100, 100, width, width, width / 10]) ** 2)
    basis = np.eye(5)

    def marginal(points):
        design = np.concatenate(
            [np.stack([model(p, t, MJD, ra, decl) for p in basis], 1) for t, _, _ in points]
        )
        cov = design @ prior @ design.T
        for k, (_, _, c) in enumerate(points):
            cov[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] += c
        return multivariate_normal.logpdf(np.concatenate([at for _, at, _ in points]), cov=cov)

    before = marginal(old)
    return np.log(share) + before, marginal([*old, new]) - before


def test_the_likelihood_and_the_choice_are_those_of_brute_force(desk):
    """Costs from marginal likelihoods of stacked places, choice by scipy's assignment."""
    rng = np.random.default_rng(8)
    ra0, decl0 = 359.9999, 38.0  # on both sides of 0 h
    spread = np.cos(np.radians(decl0))
    for k, t in enumerate((0, 11, 13, 30, 42)):
        n = 4 - k % 2
        x, y = rng.uniform(0, 1.2, n), rng.uniform(0, 1.2, n)
        rows = source_rows(
            k + 1, (ra0 + x * ARCSEC / spread) % 360, decl0 + y * ARCSEC, [9.0] * n, MJD + t
        )
        desk.systematic = (0.01, 0.02, -1e-4)
        desk.publish(k + 1, with_errors(rows, rng), MJD + t)
    found = desk.all(
        "SELECT s.diaobjectid, s.midpointtai, s.ra, s.decl, s.raerr, s.declerr, s.radeclcov, "
        "v.astromsysraerr, v.astromsysdeclerr, v.astromsyscov, s.visitid "
        "FROM prompt_live.diasource AS s JOIN prompt_live.ccdvisit AS v USING (ccdvisitid)"
    )

    def place(ra, decl):
        return np.array([((ra - ra0 + 180) % 360 - 180) * spread, decl - decl0]) / ARCSEC

    def error(row):
        sx, sy, c, vx, vy, vc = map(float, row)
        # The 0.1 mas that keep perfect positions from ruling each other out.
        return np.array([[sx**2 + vx**2 + 1e-8, c + vc], [c + vc, sy**2 + vy**2 + 1e-8]])

    members, first = {}, {}
    for row in found:
        members.setdefault(row[0], []).append((row[1], place(*row[2:4]), error(row[4:10])))
        first[row[0]] = min(row[1], first.get(row[0], row[1]))
    visits = sorted({row[1] for row in found})
    objects = sorted(members)
    assert len(objects) > 3
    chosen = 0
    for trial in range(5):
        t = MJD + 50 + 10 * trial
        n = 4
        x, y = rng.uniform(-0.2, 1.4, n), rng.uniform(-0.2, 1.4, n)
        x[0], y[0] = 300, 200  # nothing there
        rows = source_rows(1, (ra0 + x * ARCSEC / spread) % 360, decl0 + y * ARCSEC, [9.0] * n, t)
        rows = with_errors(rows, rng)
        desk.systematic = (0.03, 0.02, 1e-4)
        answer = staged(desk, 1, 1, rows, t)
        at = np.array([place(a, d) for a, d in zip(rows["ra"], rows["decl"], strict=True)])
        density = (1 + 1) / (np.ptp(at[:, 0]) * np.ptp(at[:, 1]) + 1e4)
        cost = np.zeros((n, len(objects) + n))
        for i in range(n):
            own = (*(np.float32(rows[k][i]) for k in ("raErr", "declErr", "raDeclCov")),)
            new = (t, at[i], error((*own, *np.float32(desk.systematic))))
            for j, one in enumerate(objects):
                parts = [ln_predictive(members[one], new, ra0, decl0, p) for p in PRIORS]
                weight, density_here = np.array(parts).T
                ln = logsumexp(weight + density_here) - logsumexp(weight)
                seen, since = len(members[one]), sum(v >= first[one] for v in visits)
                p = (seen + 0.5) / (since + 1)
                cost[i, j] = -2 * (ln + np.log(p / (1 - p)) - np.log(density))
        for i, j in zip(*linear_sum_assignment(cost), strict=True):
            given = answer[int(rows["diaSourceId"][i])]
            if j < len(objects) and cost[i, j] < 0:
                chosen += 1
                assert given[0] == objects[j]
                # Another tangent point (1 arcsec away) and a simpler Earth: 1e-4 of a parallax.
                assert given[2] == pytest.approx(cost[i, j], abs=0.01)
            else:
                assert given == (None, None, None, None)
        desk.connection.rollback()
    assert chosen > 5  # and some are new, in every trial the one far away


@pytest.mark.requirement("DIA-12")
def test_a_source_on_the_other_side_of_0h_or_of_a_pole_is_near(desk):
    near = 0.04 * ARCSEC
    ra, decl = np.array([0.0 + near, 70.0, 200.0]), np.array([0.0, 90 - near, near - 90])
    desk.publish(1, source_rows(1, ra, decl, [1.0, 2.0, 3.0]))
    across = source_rows(2, [360 - near, 250.0, 20.0], decl, [1.0, 2.0, 3.0], MJD + 1)
    desk.publish(2, across, MJD + 1)
    rows = desk.all(
        "SELECT psflux, count(DISTINCT diaobjectid) FROM prompt_live.diasource GROUP BY 1"
    )
    assert sorted(rows) == [(1.0, 1), (2.0, 1), (3.0, 1)]


@pytest.mark.requirement("DIA-11")
def test_few_sources_among_very_many_objects_find_theirs(desk):
    # More objects in the circle around the sources than are looked at one by one.
    ra, decl = (v.ravel() for v in np.meshgrid(np.linspace(10, 10.5, 60), np.linspace(0, 0.5, 60)))
    desk.publish(1, source_rows(1, ra, decl, np.arange(3600.0)))
    few = [0, 1000, 3599]
    desk.publish(2, source_rows(2, ra[few], decl[few], few, MJD + 1), MJD + 1)
    assert desk.one("SELECT count(*) FROM prompt_live.diaobject") == 3600
    assert sorted(
        desk.all(
            "SELECT s.psflux FROM prompt_live.diaobject AS o JOIN prompt_live.diasource AS s "
            "USING (diaobjectid) WHERE o.ndiasources = 2 AND s.midpointtai > %s",
            MJD + 0.5,
        )
    ) == [(float(k),) for k in few]


@pytest.mark.requirement("DIA-11", "DIA-12")
def test_a_second_at_the_same_place_does_not_replace_the_old_one(desk):
    # A false detection beside the true one founds an object; what is seen every time wins later.
    for k in range(6):
        desk.publish(k + 1, source_rows(k + 1, [10.0], [0.0], [5.0], MJD + k, err=0.1), MJD + k)
    old = desk.one("SELECT diaobjectid FROM prompt_live.diaobject")
    both = source_rows(7, [10.0, 10.0 + 0.1 * ARCSEC], [0.0, 0.0], [5.0, 7.0], MJD + 6, err=0.1)
    desk.publish(7, both, MJD + 6)
    assert desk.one("SELECT count(*) FROM prompt_live.diaobject") == 2
    # Exactly at the place of the new one, and the old one only one standard deviation away.
    rows = source_rows(8, [10.0 + 0.1 * ARCSEC], [0.0], [5.0], MJD + 7, err=0.1)
    desk.publish(8, rows, MJD + 7)
    assert (
        desk.one("SELECT diaobjectid FROM prompt_live.diasource WHERE midpointtai = %s", MJD + 7)
        == old
    )


@pytest.mark.requirement("DIA-11", "DIA-12")
def test_a_star_is_found_again_after_a_year(desk):
    # Many sources with a parallax: from then on the published fit predicts. Over 0 h, too.
    rng = np.random.default_rng(12)
    motion, parallax, decl = (2.6, -1.1), 0.3, 62.0
    mjd = MJD + np.append(np.linspace(0, 330, 34), [700.0])
    observe(desk, mjd, rng, 359.9996, decl, motion, parallax)
    # What predicted the last one; a year later its data lie outside the window of the fit.
    assert desk.all(
        "SELECT parallax > 200 FROM prompt_history.diaobject WHERE ndiasources = 34"
    ) == [(True,)]
    assert desk.one("SELECT count(DISTINCT diaobjectid) FROM prompt_live.diasource") == 1


@pytest.mark.requirement("DIA-12")
def test_a_source_measured_again_may_keep_its_object(desk):
    for k in range(3):
        desk.publish(k + 1, source_rows(k + 1, [10.0], [0.0], [5.0], MJD + k), MJD + k)
    visit = ids.visit_id(ids.night_of(MJD + 2), 3)
    version, kept = desk.all(
        "SELECT createdtai, diaobjectid FROM prompt_store.diasource WHERE visitid = %s", visit
    )[0]
    rows = source_rows(3, [10.0 + 0.02 * ARCSEC], [0.0], [6.0], MJD + 2)
    rows["replacesTai"] = np.array([version], dtype="datetime64[us]")
    with desk.connection.cursor() as cursor:
        stage(desk.connection, DD["CcdVisit"], ccd_visit_row(3, MJD + 2), 3)
        stage(desk.connection, DD["DIASource"], rows, 3)
        cursor.execute("SELECT diaobjectid, m2 FROM staging.likeliest(3::smallint)")
        ((found, m2),) = cursor.fetchall()
    desk.connection.rollback()
    assert found == kept
    # Against the two other sources; the third, 0.02 arcsec away, is not counted twice.
    assert m2 == pytest.approx(0.02**2 / (0.05**2 * 1.5), rel=0.01)


def predict(cursor, rows):
    cursor.execute("SELECT staging.expect_ssobjects()")
    for row in rows:
        cursor.execute(
            "INSERT INTO predicted_ssobject (ssobjectid, midpointtai, ra, decl, raerr, declerr, "
            "radeclcov, rarate, declrate, pdetection) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            row,
        )


@pytest.mark.requirement("DIA-04", "DIA-05", "DIA-12")
def test_predicted_solar_system_objects_get_their_sources(desk):
    desk.publish(1, source_rows(1, [10.0, 10.01], [0.0, 0.0], [5.0, 6.0]))
    t = MJD + 3
    ra = [10.0, 10.01, 10.02, 10.03, 10.03 + 1 * ARCSEC]
    with slot(desk.connection) as number, desk.connection.cursor() as cursor:
        batch = desk.stage(
            number, 2, source_rows(2, ra, [0.0] * 5, [1.0, 2.0, 3.0, 4.0, 5.0], t), t
        )
        predict(
            cursor,
            [
                # Passes 0.3 arcsec from the first object, which is where the source is.
                (70, t, 10.0 + 0.3 * ARCSEC, 0, 0.1, 0.1, 0, 0, 0, 0.9),
                # The second source is at its place, but it is far too faint.
                (71, t, 10.01, 0, 0.05, 0.05, 0, 0, 0, 1e-4),
                # Predicted for an hour before, 72 arcsec a day: 3 arcsec on. Errors along its way.
                (72, t - 1 / 24, 10.02 - 3.4 * ARCSEC, 0, 0.5, 0.05, 0.01, 72, 0, 0.9),
                # One for two sources: the nearer.
                (73, t, 10.03 + 0.3 * ARCSEC, 0, 0.5, 0.5, 0, 0, 0, 0.9),
            ],
        )
        cursor.execute("SELECT * FROM staging.associate(%s::smallint)", (number,))
        assert cursor.fetchone() == (4, 1)
        cursor.execute("SELECT staging.characterize(%s::smallint)", (number,))
        cursor.execute("SELECT staging.characterize_fluxes(%s::smallint)", (number,))
        cursor.execute("SELECT ledger.publish(%s)", (batch,))
        desk.connection.commit()
        # Predictions are of one transaction.
        cursor.execute("SELECT to_regclass('pg_temp.predicted_ssobject')")
        assert cursor.fetchone() == (None,)
        desk.connection.rollback()
    rows = desk.all(
        "SELECT psflux, ssobjectid, diaobjectid IS NULL FROM prompt_live.diasource "
        "WHERE midpointtai = %s ORDER BY 1",
        t,
    )
    assert rows == [
        (1.0, None, False),
        (2.0, None, False),
        (3.0, 72, True),
        (4.0, 73, True),
        (5.0, None, False),
    ]
    assert desk.one("SELECT count(*) FROM prompt_live.diaobject") == 3
    # Another detector of the visit does not get an SSObject that the visit has already.
    visit = ids.visit_id(ids.night_of(t), 2)
    other = ids.ccd_visit_id(visit, 1)
    rows = source_rows(2, [10.03], [0.0], [4.0], t)
    rows["ccdVisitId"], rows["detector"] = np.array([other]), np.array([1])
    rows["diaSourceId"] = ids.source_ids(1, other, np.array([1]))
    ccd = ccd_visit_row(2, t)
    ccd["ccdVisitId"], ccd["detector"] = np.array([other]), np.array([1])
    with desk.connection.cursor() as cursor:
        stage(desk.connection, DD["CcdVisit"], ccd, 3)
        stage(desk.connection, DD["DIASource"], rows, 3)
        predict(cursor, [(73, t, 10.03, 0, 0.5, 0.5, 0, 0, 0, 0.9)])
        cursor.execute("SELECT ssobjectid, m2 FROM staging.likeliest(3::smallint)")
        assert cursor.fetchall() == [(None, None)]
    desk.connection.rollback()


@pytest.mark.requirement("DIA-05")
def test_a_predicted_position_has_the_likelihood_of_a_gaussian(desk):
    rows = source_rows(1, [50.0], [20.0], [5.0], MJD, err=0.1)
    rows["raDeclCov"] = np.array([0.004])
    desk.systematic = (0.02, 0.03, 1e-4)
    desk.stage(1, 1, rows, MJD)
    with desk.connection.cursor() as cursor:
        predict(
            cursor,
            [
                (
                    7,
                    MJD,
                    50 - 0.2 * ARCSEC / float(np.cos(np.radians(20))),
                    20.0,
                    0.3,
                    0.4,
                    -0.05,
                    0,
                    0,
                    0.7,
                )
            ],
        )
        cursor.execute("SELECT ssobjectid, cost, m2 FROM staging.likeliest(1::smallint)")
        ((found, cost, m2),) = cursor.fetchall()
    desk.connection.rollback()
    cov = [
        [0.1**2 + 0.02**2 + 0.3**2, 0.004 + 1e-4 - 0.05],
        [0.004 + 1e-4 - 0.05, 0.1**2 + 0.03**2 + 0.4**2],
    ]
    ln = multivariate_normal.logpdf([0.2, 0], cov=cov)
    # Nothing but the source is there: one new source is expected in 1e4 square arcsec.
    assert found == 7
    assert cost == pytest.approx(-2 * (ln + np.log(0.7 / 0.3) - np.log(1e-4)), abs=1e-4)
    assert m2 == pytest.approx(np.array([0.2, 0]) @ np.linalg.inv(cov) @ [0.2, 0], rel=1e-4)


@pytest.mark.requirement("DIA-11", "DIA-12", "DIA-04")
def test_a_crowded_sky_is_kept_apart(desk):
    # The benchmark's sky with few epochs: bars of the many-epoch run, widened by the Poisson
    # noise of small numbers and by the first epochs, in which motions are unknown.
    path = resources.db_dir().parent / "benchmarks" / "association.py"
    spec = importlib.util.spec_from_file_location("association_benchmark", path)
    benchmark = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = benchmark
    spec.loader.exec_module(benchmark)
    found = benchmark.figures(benchmark.run(desk.connection, seed=11, epochs=10, things=100))
    assert found["split"] <= 0.01
    assert found["merge"] <= 0.002
    assert found["founder"] <= 0.002
    assert found["complete"] >= 0.995
    # Until motions are fitted their prior widens the errors of the many that do not move; frames
    # are shifted as a whole, which leaves 80 independent numbers.
    assert 1.5 <= found["m2"] <= 2.3
