"""DIAObjects computed from kept sums equal those computed from the rows, whatever happens."""

import numpy as np
import pytest
from psycopg2 import errors
from test_ledger import MJD, source_rows
from test_relink import Owner, forced_rows

from skyledger import ids

ARCSEC = 1 / 3600
WINDOW = 365.25
MIXED = 8
BANDS = "ugrizy"
OLDEST = "SELECT min(diasourceid) FROM prompt_live.diasource WHERE midpointtai > %s"


class Survey(Owner):
    """A desk with bands and templates, and the truth about every object computed from the rows."""

    band = "r"

    def stage(self, number, sequence, rows, mjd=MJD, kind="visit"):
        batch = super().stage(number, sequence, rows, mjd, kind)
        with self.connection.cursor() as cursor:
            cursor.execute(
                "UPDATE staging.ccdvisit SET band = %s, astromsysraerr = 0.004, "
                "astromsysdeclerr = 0.006, astromsyscov = 5e-6 WHERE slot = %s",
                (self.band, number),
            )
        return batch

    def check(self):
        """Compare every object and its sums with the rows; return how many sums there are."""
        kept = 0
        for (object_id,) in self.all("SELECT diaobjectid FROM prompt_live.diaobject"):
            kept += check_object(self, object_id)
        return kept


@pytest.fixture
def desk(fresh_database):
    connection = fresh_database.connect()
    yield Survey(connection)
    connection.close()


def rows_of(desk, relation, object_id):
    names = ["ccdvisitid", "midpointtai", "psflux", "psfluxerr", "totflux", "totfluxerr"]
    names += ["templateid", "band", "insertedtai"]
    if relation == "diasource":
        names += ["ra", "decl", "raerr", "declerr", "radeclcov"]
        names += ["astromsysraerr", "astromsysdeclerr", "astromsyscov"]
    found = desk.all(
        f"SELECT {', '.join(names)} FROM prompt_live.{relation} JOIN "
        f"(SELECT ccdvisitid, band, astromsysraerr, astromsysdeclerr, astromsyscov "
        f"FROM prompt_live.ccdvisit) AS v USING (ccdvisitid) "
        f"WHERE diaobjectid = %s ORDER BY midpointtai",
        object_id,
    )
    # What is stored in single precision arrives as the shortest decimal number.
    kept = {"ccdvisitid", "midpointtai", "ra", "decl", "templateid", "band", "insertedtai"}
    return [
        {
            name: value if name in kept or value is None else float(np.float32(value))
            for name, value in zip(names, row, strict=True)
        }
        for row in found
    ]


def earth(desk, mjd):
    found = desk.all(
        "SELECT science.earth_position(round(m * 1440) / 1440) FROM unnest(%s) AS m", mjd
    )
    return np.array([row[0] for row in found])


def normal_terms(desk, sources, ra0, decl0, epoch0):
    """Weights, design and offsets of sources: (n, 2, 2), (n, 2, 5), (n, 2)."""
    a0, d0 = np.radians(ra0), np.radians(decl0)
    east = np.array([-np.sin(a0), np.cos(a0), 0])
    north = np.array([-np.cos(a0) * np.sin(d0), -np.sin(a0) * np.sin(d0), np.cos(d0)])
    # Differences first: they have all digits of the offset.
    da = np.radians([s["ra"] - ra0 for s in sources])
    dd = np.radians([s["decl"] - decl0 for s in sources])
    d = np.radians([s["decl"] for s in sources])
    x = np.cos(d) * np.sin(da)
    y = np.sin(dd) + 2 * np.cos(d) * np.sin(d0) * np.sin(da / 2) ** 2
    xy = np.degrees(np.column_stack([x, y])) * 3600
    cov = np.empty((len(sources), 2, 2))
    for k, s in enumerate(sources):
        e = [1.0 if s[n] is None else s[n] for n in ("raerr", "declerr")]
        a, d = np.radians([s["ra"], s["decl"]])
        here = np.array(
            [[-np.sin(a), np.cos(a), 0],
             [-np.cos(a) * np.sin(d), -np.sin(a) * np.sin(d), np.cos(d)]]
        )  # fmt: skip
        turned = np.array([east, north]) @ here.T
        cov[k] = [
            [e[0] ** 2 + s["astromsysraerr"] ** 2, (s["radeclcov"] or 0) + s["astromsyscov"]],
            [(s["radeclcov"] or 0) + s["astromsyscov"], e[1] ** 2 + s["astromsysdeclerr"] ** 2],
        ]
        cov[k] = turned @ cov[k] @ turned.T
    mjd = [s["midpointtai"] for s in sources]
    sun = earth(desk, mjd)
    design = np.zeros((len(sources), 2, 5))
    design[:, 0, 0] = design[:, 1, 1] = 1
    design[:, 0, 2] = design[:, 1, 3] = (np.array(mjd) - epoch0) / 365.25
    design[:, 0, 4], design[:, 1, 4] = -sun @ east, -sun @ north
    return np.linalg.inv(cov), design, xy


def weighted(values, errors):
    w = 1 / np.square(errors)
    mean = np.sum(w * values) / w.sum()
    return mean, w.sum() ** -0.5, np.sum(w * (values - mean) ** 2)


def flux_truth(sources, forced, band):
    """Statistics of one band, by name, from the rows of the window."""
    truth = {}
    taken = {f["ccdvisitid"] for f in forced if f["totflux"] is not None}
    total = [s for s in sources if s["ccdvisitid"] not in taken] + forced
    of = lambda rows, name: np.array(  # noqa: E731
        [(r[name], r[name + "err"]) for r in rows if r["band"] == band and r[name] is not None]
    ).reshape(-1, 2)
    for name, rows, flux in (
        ("psflux", sources, "psflux"),
        ("psforcedflux", forced, "psflux"),
        ("totflux", total, "totflux"),
    ):
        value, error = of(rows, flux).T
        if len(value):
            mean, err, chi2 = weighted(value, error)
            sigma = value.std(ddof=1) if len(value) > 1 else None
            truth |= {
                f"{name}mean": mean,
                f"{name}meanerr": err,
                f"{name}sigma": sigma,
                f"{name}chi2": chi2,
                f"{name}ndata": len(value),
            }
    return truth


def check_object(desk, object_id):
    with desk.connection.cursor() as cursor:
        cursor.execute("SELECT * FROM prompt_store.diaobject WHERE diaobjectid = %s", (object_id,))
        found = dict(zip([c.name for c in cursor.description], cursor.fetchone(), strict=True))
        cursor.execute(
            "SELECT * FROM prompt_store.diaobjectsums WHERE diaobjectid = %s", (object_id,)
        )
        row = cursor.fetchone()
        sums = row and dict(zip([c.name for c in cursor.description], row, strict=True))
    desk.connection.rollback()
    sources = rows_of(desk, "diasource", object_id)
    forced = rows_of(desk, "diaforcedsource", object_id)
    last = max(s["midpointtai"] for s in sources or forced)
    sources = [s for s in sources if s["midpointtai"] > last - WINDOW]
    forced = [f for f in forced if f["midpointtai"] > last - WINDOW]
    # Forced measurements that came without a source are taken in with the next one.
    forced = [f for f in forced if f["insertedtai"] <= found["createdtai"]]
    mixed = any(
        len({r["templateid"] for r in [*sources, *forced] if r["band"] == b}) > 1 for b in BANDS
    )
    assert found["flags"] & MIXED == (MIXED if mixed else 0)
    for band in BANDS:
        truth = flux_truth(sources, forced, band)
        for name in (n for n in found if n.startswith((f"{band}psf", f"{band}totf"))):
            value = truth.get(name.removeprefix(band))
            if value is None:
                assert found[name] is None, name
            else:
                # Published in single precision.
                assert found[name] == pytest.approx(value, rel=2e-7, abs=1e-9), name
    if not sources:
        assert sums is None
        return 0
    assert found["ndiasources"] == len(sources)
    assert found["firstdiasourcetai"] == sources[0]["midpointtai"]
    assert found["lastdiasourcetai"] == sources[-1]["midpointtai"]
    check_position(desk, found, sources)
    if sums is None:
        return 0
    check_sums(desk, sources, forced, sums)
    return 1


def check_position(desk, found, sources):
    """Least squares from the rows, with offsets and times from the published place."""
    ra0, decl0, epoch0 = found["ra"], found["decl"], found["radectai"]
    weight, design, xy = normal_terms(desk, sources, ra0, decl0, epoch0)
    n, span = len(sources), sources[-1]["midpointtai"] - sources[0]["midpointtai"]
    free = 2 if n < 5 or span < 60 else 4 if found["parallax"] is None else 5
    assert (found["pmra"] is None) == (free == 2)
    assert free < 5 or (n >= 8 and span >= 180)
    # Whitened: no normal equations.
    root = np.linalg.cholesky(weight).transpose(0, 2, 1)
    white = (root @ design).reshape(-1, 5)[:, :free]
    right = (root @ xy[:, :, None]).reshape(-1)
    p, _, _, _ = np.linalg.lstsq(white, right, rcond=None)
    cov = np.linalg.inv(white.T @ white)
    chi2 = np.sum((right - white @ p) ** 2)
    sigma = np.sqrt(np.diag(cov))
    # Sums count offsets from a place up to 3 arcsec away, 1.5e-5 rad: directions and parallax
    # factors there differ by that, fitted values by as much of their errors.
    assert np.abs(p[:2]).max() < 1e-5 * sigma[0]
    assert found["raerr"] == pytest.approx(sigma[0], rel=1e-5)
    assert found["declerr"] == pytest.approx(sigma[1], rel=1e-5)
    assert found["radeclcov"] == pytest.approx(cov[0, 1], rel=2e-7, abs=1e-5 * sigma[0] ** 2)
    if free == 2:
        assert found["pmparallaxcov"] is found["pmparallaxchi2"] is found["pmparallaxndata"] is None
        return
    # Single precision of the value.
    assert found["pmra"] / 1000 == pytest.approx(p[2], rel=2e-7, abs=1e-5 * sigma[2])
    assert found["pmdecl"] / 1000 == pytest.approx(p[3], rel=2e-7, abs=1e-5 * sigma[3])
    assert found["pmparallaxchi2"] == pytest.approx(chi2, rel=1e-5, abs=1e-9)
    lnl = -0.5 * chi2 - n * np.log(2 * np.pi) + 0.5 * np.log(np.linalg.det(weight)).sum()
    assert found["pmparallaxlnl"] == pytest.approx(lnl, rel=1e-5, abs=1e-6)
    assert found["pmparallaxndata"] == n
    for at, (i, j) in enumerate([(2, 2), (3, 2), (3, 3), (4, 2), (4, 3), (4, 4)][: 3 * free - 9]):
        assert found["pmparallaxcov"][at] / 1e6 == pytest.approx(
            cov[i, j], rel=2e-7, abs=1e-5 * sigma[i] * sigma[j]
        )
    if free == 5:
        assert found["parallax"] / 1000 == pytest.approx(p[4], rel=2e-7, abs=1e-5 * sigma[4])


def check_sums(desk, sources, forced, sums):
    """The stored sums equal those over the rows to 1e-9 of the sum of the terms' sizes."""
    weight, design, xy = normal_terms(desk, sources, sums["ra0"], sums["decl0"], sums["epoch0"])
    a, b, c = weight[:, 0, 0], weight[:, 0, 1], weight[:, 1, 1]
    t, (f, g), (x, y) = design[:, 0, 2], design[:, :, 4].T, xy.T
    h, k, u, v = a * f + b * g, b * f + c * g, a * x + b * y, b * x + c * y
    terms = [np.ones_like(a), a, b, c, t * a, t * b, t * c, t * t * a, t * t * b, t * t * c]
    terms += [h, k, t * h, t * k, f * h + g * k, u, v, t * u, t * v, f * u + g * v, x * u + y * v]
    terms += [np.log(np.linalg.det(weight))]
    for number, term in enumerate(terms):
        size = np.abs(term).sum() + 1e-9
        assert sums["positionsums"][number] == pytest.approx(term.sum(), abs=1e-9 * size), number
    for band in BANDS:
        s = sums[f"{band}fluxsums"]
        in_band = [r for r in [*sources, *forced] if r["band"] == band]
        if s is None:
            assert not in_band
            continue
        taken = {r["ccdvisitid"] for r in forced if r["totflux"] is not None}
        total = [r for r in sources if r["ccdvisitid"] not in taken] + forced
        at = 2
        for rows, name, reference, powers in (
            (sources, "psflux", s[0], 6),
            (forced, "psflux", s[0], 3),
            (total, "totflux", s[1], 5),
        ):
            good = [r for r in rows if r["band"] == band and r[name] is not None]
            d = np.array([r[name] for r in good]) - reference
            w = np.array([r[name + "err"] for r in good]) ** -2.0 if good else d
            wanted = {6: [d**0, w, w * d, w * d * d, d, d * d], 3: [d**0, w, w * d],
                      5: [d**0, w, w * d, d, d * d]}[powers]  # fmt: skip
            for term in wanted:
                size = np.abs(term).sum()
                assert s[at] == pytest.approx(term.sum(), abs=1e-9 * size + 1e-12), (band, at)
                at += 1
        others = [r for r in in_band if r["templateid"] != sums[f"{band}templateid"]]
        assert s[16] == len([r for r in others if r["psflux"] is not None])
    mixed = [b for b in BANDS if sums[f"{b}fluxsums"] and sums[f"{b}fluxsums"][16] > 0]
    assert sums["mixedbands"] == sum(2 << BANDS.index(b) for b in mixed)


STARS = np.array([[40.0, -30.0, 0.0, 0.0], [40.0 + 20 * ARCSEC, -30.0, 1.5, -2.0],
                  [40.0, -30.0 + 20 * ARCSEC, 0.1, 0.0]])  # fmt: skip


def visit_rows(rng, sequence, mjd, seen, template=7, faint=False):
    """Sources of some of three stars, one of them fast, with errors and fluxes of all sizes."""
    ra, decl, pm_ra, pm_decl = STARS[seen].T
    years = (mjd - MJD) / 365.25
    n = len(seen)
    x, y = pm_ra * years + rng.normal(0, 0.02, n), pm_decl * years + rng.normal(0, 0.02, n)
    flux = rng.normal(100, 30, n) if not faint else rng.normal(1e5, 10, n)
    rows = source_rows(
        sequence, ra + x * ARCSEC / np.cos(np.radians(decl)), decl + y * ARCSEC, flux, mjd
    )
    rows["raErr"], rows["declErr"] = rng.uniform(0.01, 0.06, (2, n))
    rows["raDeclCov"] = rng.uniform(-0.3, 0.3, n) * rows["raErr"] * rows["declErr"]
    rows["psFluxErr"] = rng.uniform(1, 30, n)
    rows["totFluxErr"] = rng.uniform(1, 30, n)
    rows["templateId"] = np.full(n, template)
    # As it is stored.
    rows["midPointTai"] = rows["midPointTai"] + 1e-6 * np.arange(n)
    return rows


def measured(rng, desk, sequence, mjd, template=7):
    """Forced measurements of all objects there are; every third without a total flux."""
    objects = [r[0] for r in desk.all("SELECT diaobjectid FROM prompt_live.diaobject ORDER BY 1")]
    if not objects:
        return None
    rows = forced_rows(sequence, objects, rng.normal(100, 30, len(objects)), mjd, ra=40.0)
    rows["psFluxErr"] = rng.uniform(1, 30, len(objects))
    gone = np.arange(len(objects)) % 3 == sequence % 3
    rows["totFlux"] = np.ma.MaskedArray(rows["totFlux"], mask=gone)
    rows["totFluxErr"] = np.ma.MaskedArray(rows["totFluxErr"], mask=gone)
    rows["templateId"] = np.full(len(objects), template)
    return rows


@pytest.mark.requirement("DIA-14", "L1DB-17")
@pytest.mark.parametrize("seed", [1, 2])
def test_objects_are_as_if_computed_from_their_rows(desk, seed):
    rng = np.random.default_rng(seed)
    epochs = (MJD + np.cumsum(rng.uniform(5, 40, 26))).tolist()  # 19 months: windows end anywhere
    late = []
    counts = []
    for k, mjd in enumerate(epochs, start=1):
        if k in {6, 15, 20}:
            late.append((k, mjd))  # comes after the next visit
            continue
        for number, at in [(k, mjd), *([late.pop()] if late else [])]:
            desk.band = BANDS[number % 3]
            # A new template from the twelfth visit on; one outburst that leaves the window again.
            template = 7 if number < 12 else 8
            seen = sorted(rng.choice(3, rng.integers(1, 4), replace=False).tolist())
            if number in {1, 2}:
                seen = [0, 1, 2]
            rows = visit_rows(rng, number, at, seen, template, faint=number == 4)
            desk.publish(number, rows, at, measured(rng, desk, number, at, template))
            counts.append(desk.check())
        if k in {10, 18}:
            source = desk.one(
                "SELECT min(diasourceid) FROM prompt_live.diasource WHERE midpointtai > %s",
                mjd - 90,
            )
            desk.change("SELECT ledger.withdraw_sources(%s, 'satellite')", [source])
            counts.append(desk.check())
        if k == 13:
            gone = k - 2
            desk.withdraw(gone, epochs[gone - 1])
            desk.check()
            rows = visit_rows(rng, gone, epochs[gone - 1], [0, 1])
            rows["diaSourceId"] = rows["diaSourceId"] + 100
            with desk.connection.cursor() as cursor:
                cursor.execute("UPDATE ledger.delivery SET state = 'failed' WHERE visitid = %s",
                               (ids.visit_id(ids.night_of(epochs[gone - 1]), gone),))  # fmt: skip
            desk.publish(gone, rows, epochs[gone - 1])
            desk.check()
        if k == 19:
            taken = desk.one(
                "SELECT min(diasourceid) FROM prompt_live.diasource WHERE midpointtai > %s",
                mjd - 60,
            )
            desk.change(
                "SELECT ledger.relink_chunk(%s, %s::bigint[], %s::bigint[])", [taken], [5], [None]
            )
            counts.append(desk.check())
    assert counts[-1] >= 3
    assert desk.all("SELECT * FROM ledger.audit()") == []


def star(sequence, mjd, flux=100.0, **changed):
    return source_rows(sequence, [10.0], [0.0], [flux], mjd, **changed)


def test_the_audit_finds_sums_that_are_not_those_of_their_rows(desk):
    desk.publish(1, star(1, MJD))
    desk.publish(2, star(2, MJD + 1), MJD + 1)
    assert desk.all("SELECT * FROM ledger.audit_sums()") == []
    for damage in (
        "UPDATE prompt_store.diaobjectsums SET positionsums[2] = positionsums[2] * (1 + 1e-8)",
        "UPDATE prompt_store.diaobjectsums SET positionsums[1] = 3",
        "UPDATE prompt_store.diaobjectsums SET rfluxsums[4] = rfluxsums[4] * (1 + 1e-8)",
        "UPDATE prompt_store.diaobjectsums SET rfluxsums = NULL",
        "UPDATE prompt_store.diaobjectsums SET diaobjectid = diaobjectid + 1",
    ):
        with desk.connection.cursor() as cursor:
            cursor.execute("SELECT ledger.draw('test')")
            cursor.execute(damage)
            cursor.execute("SELECT count(*) FROM ledger.audit() WHERE kind = 'sums'")
            assert cursor.fetchone()[0] > 0, damage
        desk.connection.rollback()


def kept(desk):
    return desk.one("SELECT count(*) FROM prompt_store.diaobjectsums")


@pytest.mark.requirement("DIA-14")
def test_forced_measurements_that_come_between_void_the_sums(fresh_database):
    first, second = Survey(fresh_database.connect()), Survey(fresh_database.connect())
    rng = np.random.default_rng(5)
    first.publish(1, star(1, MJD))
    first.publish(4, star(4, MJD + 4), MJD + 4)
    with first.connection.cursor() as cursor:
        batch = first.stage(5, 6, star(6, MJD + 6), MJD + 6)
        cursor.execute("SELECT * FROM staging.associate(5::smallint)")
        cursor.execute("SELECT staging.characterize(5::smallint)")
        cursor.execute("SELECT staging.characterize_fluxes(5::smallint)")
        # Meanwhile somebody else publishes the visit before.
        other = source_rows(5, [20.0], [0.0], [50.0], MJD + 5)
        second.publish(5, other, MJD + 5, measured(rng, second, 5, MJD + 5))
        cursor.execute("SELECT ledger.publish(%s)", (batch,))
    first.connection.commit()
    assert kept(first) == 1  # the other star's
    assert first.all("SELECT * FROM ledger.audit()") == []
    first.publish(7, star(7, MJD + 7), MJD + 7)
    assert kept(first) == 2
    assert first.check() == 2
    # A late visit that forces an object and does not see it.
    objects = [r[0] for r in first.all("SELECT diaobjectid FROM prompt_live.diaobject ORDER BY ra")]
    late = forced_rows(2, objects[:1], [70.0], MJD + 2)
    first.publish(2, source_rows(2, [30.0], [0.0], [50.0], MJD + 2), MJD + 2, late)
    assert first.all("SELECT * FROM ledger.audit()") == []
    assert first.check() == kept(first)
    first.publish(8, star(8, MJD + 8), MJD + 8)
    assert first.one("SELECT rpsforcedfluxndata FROM prompt_live.diaobject WHERE ra < 15") == 2
    first.check()
    first.connection.close()
    second.connection.close()


def test_flags_and_neighbours_of_earlier_versions_stay(desk):
    desk.publish(1, star(1, MJD))
    bits = dict(
        desk.all(
            "SELECT name, 1::bigint << bit FROM ledger.flagdefinition WHERE relation = 'DIAObject'"
        )
    )
    with desk.connection.cursor() as cursor:
        cursor.execute("SELECT ledger.draw('test')")
        cursor.execute(
            "UPDATE prompt_store.diaobject SET flags = flags | %s, nearbystar1 = 5",
            (bits["SYSTEMATICS_LIMITED"] | bits["FORCED_LIMITED"] | bits["ORPHAN_KEPT"],),
        )
    desk.connection.commit()
    desk.publish(2, star(2, MJD + 1), MJD + 1)
    flags, neighbour = desk.all("SELECT flags, nearbystar1 FROM prompt_live.diaobject")[0]
    fitted = bits["MOTION_NOT_FITTED"] | bits["PARALLAX_NOT_FITTED"]
    assert flags == bits["SYSTEMATICS_LIMITED"] | bits["FORCED_LIMITED"] | fitted
    assert neighbour == 5


@pytest.mark.requirement("REPROC-02", "DIA-14")
def test_the_window_can_be_lifted(desk):
    times = [MJD - 400, MJD - 350, MJD]
    for k, mjd in enumerate(times[:2], start=1):
        desk.publish(k, star(k, mjd, 100.0 * k), mjd)
    with desk.connection.cursor() as cursor:
        desk.stage(3, 3, star(3, MJD, 300.0))
        cursor.execute("SELECT * FROM staging.associate(3::smallint)")
        for cutoff, wanted in (("365.25", (2, times[1], 2)), ("'infinity'", (3, times[0], 3))):
            cursor.execute("SAVEPOINT before")
            cursor.execute(f"SELECT staging.characterize(3::smallint, {cutoff})")
            cursor.execute(f"SELECT staging.characterize_fluxes(3::smallint, {cutoff})")
            cursor.execute(
                "SELECT ndiasources, firstdiasourcetai, rpsfluxndata FROM staging.diaobject "
                "WHERE slot = 3"
            )
            assert cursor.fetchall() == [wanted]
            cursor.execute("ROLLBACK TO before")
    desk.connection.rollback()


@pytest.mark.requirement("L1DB-17")
def test_errors_are_honest_and_parallaxes_pull_by_one(desk):
    """1500 stars with parallaxes and motions, 3 to 30 sources of the year before the last one."""
    rng = np.random.default_rng(8)
    stars = 1500
    mjd = np.sort(MJD - rng.uniform(0, 330, 30))
    mjd = np.concatenate([mjd, [MJD + 1]])
    sun = earth(desk, mjd.tolist())
    ra, decl = 50 + 0.01 * (np.arange(stars) % 40), 20 + 0.01 * (np.arange(stars) // 40)
    a, d = np.radians(ra), np.radians(decl)
    pm, parallax = rng.normal(0, 0.1, (2, stars)), rng.uniform(0, 0.1, stars)
    share = rng.uniform(0.1, 1, stars)
    base = 1 << 54
    with desk.connection.cursor() as cursor:
        cursor.execute("SELECT ledger.ensure_partitions(%s, %s)", (float(mjd[0]), float(mjd[-1])))
        desk.connection.commit()
        cursor.execute("SELECT ledger.draw('test')")
        for k, t in enumerate(mjd.tolist()):
            seen = np.flatnonzero((rng.random(stars) < share) | (k == len(mjd) - 1))
            years = (t - MJD) / 365.25
            f = -(sun[k] @ np.array([-np.sin(a), np.cos(a), 0 * a]))
            g = -(sun[k] @ np.array([-np.cos(a) * np.sin(d), -np.sin(a) * np.sin(d), np.cos(d)]))
            error = rng.uniform(0.01, 0.05, stars)
            x = pm[0] * years + parallax * f + rng.normal(0, np.hypot(error, 0.01))
            y = pm[1] * years + parallax * g + rng.normal(0, np.hypot(error, 0.01))
            ccd = ids.ccd_visit_id(ids.visit_id(ids.night_of(t), k + 1), 0)
            staged = k == len(mjd) - 1
            table = "staging.diasource" if staged else "prompt_store.diasource"
            cursor.execute(
                f"INSERT INTO {table} (diasourceid, ccdvisitid, visitid, detector, diaobjectid, "
                f"midpointtai, ra, decl, raerr, declerr, radeclcov, x, y, snr, psflux, psfluxerr, "
                f"pslnl, pschi2, psndata, templateid, flags, hpx29, "
                f"{'slot' if staged else 'insertedtai, createdtai'}) "
                f"SELECT %s + n, %s, %s, 0, %s + n, %s, r, d, e, e, 0, 1, 1, 20, 1, 1, 1, 1, 9, 7, "
                f"0, 0, {'0' if staged else 'ledger.horizon(), ledger.horizon()'} "
                f"FROM unnest(%s::bigint[], %s, %s, %s) AS s(n, r, d, e)",
                (
                    base | (ccd << 19), ccd, ccd >> 9, base, t,
                    seen.tolist(), (ra + x * ARCSEC / np.cos(d))[seen].tolist(),
                    (decl + y * ARCSEC)[seen].tolist(), error[seen].tolist(),
                ),
            )  # fmt: skip
        # As if they had been there before: an object to be replaced is read from its rows.
        cursor.execute(
            "INSERT INTO prompt_store.diaobject (diaobjectid, ra, decl, hpx29, radectai, "
            "ndiasources, flags, insertedtai, createdtai) SELECT %s + n, r, d, 0, %s, 1, 0, "
            "ledger.horizon(), ledger.horizon() FROM unnest(%s::bigint[], %s, %s) AS s(n, r, d)",
            (base, MJD, list(range(stars)), ra.tolist(), decl.tolist()),
        )
        cursor.execute("SELECT staging.characterize(0::smallint)")
        assert cursor.fetchone() == (stars,)
        cursor.execute(
            "SELECT o.diaobjectid - %s, o.raerr, o.pmra, o.pmparallaxcov, o.parallax, "
            "ARRAY[s.n, s.a, s.b, s.c], o.ndiasources FROM staging.diaobject AS o "
            "JOIN characterize_sum AS s USING (diaobjectid) ORDER BY 1",
            (base,),
        )
        found = cursor.fetchall()
    desk.connection.rollback()
    pulls, motions, ratio, without = [], [], [], 0
    for n, err, pm_ra, cov, px, s, count in found:
        static = np.sqrt(s[3] / (s[1] * s[3] - s[2] ** 2))
        if pm_ra is None:
            without += 1
            assert err <= 1.5 * static
        else:
            ratio.append(err / static)
            motions.append((pm_ra / 1000 - pm[0, n]) / np.sqrt(cov[0] / 1e6))
        if px is not None:
            assert count >= 8
            pulls.append((px / 1000 - parallax[n]) / np.sqrt(cov[5] / 1e6))
    assert without > 20
    assert len(pulls) > 1000
    # Of 1000 and more pulls the standard deviation is known to 2.2 percent.
    assert 0.95 <= np.std(pulls) <= 1.10
    assert abs(np.mean(pulls)) < 0.1
    assert np.median(ratio) < 1.5


@pytest.mark.requirement("DIA-14", "GEN-19")
def test_an_object_that_loses_its_sources_meanwhile_is_a_conflict(fresh_database):
    """Between positions and fluxes another publication takes the source that was left."""
    first, second = Survey(fresh_database.connect()), Survey(fresh_database.connect())
    first.publish(1, star(1, MJD))
    first.publish(2, star(2, MJD + 1), MJD + 1)
    one, two = [
        r[0]
        for r in first.all("SELECT diasourceid FROM prompt_live.diasource ORDER BY midpointtai")
    ]
    with first.connection.cursor() as cursor:
        cursor.execute(
            "SELECT batch FROM ledger.open_batch('withdrawal', NULL, '{}', 'test', 5::smallint)"
        )
        (batch,) = cursor.fetchone()
        cursor.execute(
            "SELECT staging.recall(5::smallint, 'diasource', 'diasourceid', %s::bigint[], true)",
            ([one],),
        )
        cursor.execute("SELECT staging.characterize(5::smallint)")
        second.change("SELECT ledger.withdraw_sources(%s::bigint[], 'satellite')", [two])
        cursor.execute("SELECT staging.characterize_fluxes(5::smallint)")
        with pytest.raises(errors.SerializationFailure):
            cursor.execute("SELECT ledger.publish(%s)", (batch,))
    first.connection.rollback()
    assert first.all("SELECT * FROM ledger.audit()") == []
    first.connection.close()
    second.connection.close()


def test_sums_shrink_by_what_leaves_and_not_by_what_is_not_there(connection):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT staging.shrinkage(8, -6), staging.shrinkage(8, -8), staging.shrinkage(8, 2), "
            "staging.shrinkage(8, 0), staging.shrinkage(8, NULL)"
        )
        assert cursor.fetchone() == (4, 1e9, 1, 1, 1)
