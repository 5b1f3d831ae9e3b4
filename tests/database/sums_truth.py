"""What DIAObjects must be, computed from their rows alone, and visits to compute them from."""

import numpy as np
import pytest
from test_ledger import MJD, source_rows
from test_relink import Owner, forced_rows

ARCSEC = 1 / 3600
WINDOW = 365.25
MIXED = 8
BANDS = "ugrizy"


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
