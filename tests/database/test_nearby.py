"""Nearest stars and galaxies of DIAObjects, and the probability that one is the same."""

from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import multivariate_normal

from ingest import catalogue, reference
from skyledger import ids

SLOTS = [
    f"nearby{kind}{rank}{what}"
    for what in ("", "Dist", "LnP")
    for kind in ("Star", "Gal")
    for rank in (1, 2, 3)
]
PRIOR = ((0.90, 0.02), (0.09, 0.3), (0.01, 3.0))  # share of the stars, arcsec/yr an axis
ARCSEC = 206264.80624709636
PIXEL = 4 * np.pi * ARCSEC**2 / (12 * 4**8)


def unit(ra, decl):
    a, d = np.radians(ra), np.radians(decl)
    return np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=-1)


def load(connection, folder, **columns):
    """Load columns, named as in a mapping and in its units, as dr0."""
    path = Path(folder) / "catalogue.parquet"
    pq.write_table(pa.table(columns), path)
    source = {n: catalogue.Source(n, None, catalogue.FIELDS[n][0]) for n in columns}
    return reference.load(connection, [path], source)


def stage_objects(cursor, ra, decl, err=0.05, number=1, **more):
    """Stage new DIAObjects; returns their ids."""
    n = len(ra)
    own = (1 << 54) + number + np.arange(n)
    columns = {
        "slot": [0] * n,
        "diaobjectid": own.tolist(),
        "ra": np.asarray(ra).tolist(),
        "decl": np.asarray(decl).tolist(),
        "raerr": np.broadcast_to(err, n).tolist(),
        "declerr": np.broadcast_to(err, n).tolist(),
        "radectai": [61000.0] * n,
        "ndiasources": [1] * n,
        "hpx29": ids.hpx29(ra, decl).tolist(),
        "flags": [0] * n,
        **more,
    }
    cursor.execute(
        f"INSERT INTO staging.diaobject ({', '.join(columns)}) "
        f"SELECT * FROM unnest({', '.join(['%s'] * len(columns))})",
        list(columns.values()),
    )
    return own


def found(cursor):
    cursor.execute(f"SELECT diaobjectid, nearbyobj, {', '.join(SLOTS)} FROM staging.diaobject")
    return {row[0]: (row[1], row[2:8], row[8:14], row[14:20]) for row in cursor.fetchall()}


@pytest.mark.requirement("DIA-16")
def test_the_three_nearest_of_each_kind_as_by_brute_force(fresh_database, tmp_path):
    """10,000 positions around the sky, at the poles and at RA 0, against all distances."""
    rng = np.random.default_rng(5)
    centres = [(0.0, 0.0), (0.01, 89.99), (200.0, -89.995), (123.0, 45.0), (359.99, -30.0)]
    stars, objects = [], []
    for k, (ra, decl) in enumerate(centres):
        # From one star in 3 arcmin**2 to one in 30 arcsec**2: 60 arcsec hold none, or hundreds.
        for n, listed in ((150 * 4**k // (1 + 3 * (k == 4)), stars), (2000, objects)):
            offset = rng.uniform(-0.04, 0.04, (2, n))
            d = np.degrees(np.arcsin(np.clip(np.sin(np.radians(decl + offset[0])), -1, 1)))
            wide = np.where(
                np.abs(decl) > 80, 360 * rng.random(n), ra + offset[1] / np.cos(np.radians(d))
            )
            listed.append(np.stack([wide % 360, d]))
    ra, decl = np.concatenate(stars, axis=1)
    extended = rng.choice([0.0, 0.2, 0.5, 1.0], ra.size, p=[0.5, 0.3, 0.1, 0.1])
    connection = fresh_database.connect()
    loaded = load(connection, tmp_path, ra=ra, decl=decl, extendedness=extended)
    assert (loaded.rows, loaded.rejected) == (ra.size, 0)
    place = np.concatenate(objects, axis=1)
    with connection.cursor() as cursor:
        own = stage_objects(cursor, *place)
        cursor.execute("SELECT staging.nearby(0::smallint)")
        assert cursor.fetchone() == (10_000,)
        rows = found(cursor)
        cursor.execute("SELECT objectid & 549755813887 FROM dr0.object ORDER BY 1")
        assert [r[0] for r in cursor.fetchall()] == list(range(1, ra.size + 1))
    connection.rollback()
    connection.close()
    full = 0
    patch = np.repeat(np.arange(5), [listed.shape[1] for listed in stars])
    for k in range(10_000):
        if k % 2000 == 0:  # patches are degrees apart
            here = np.flatnonzero(patch == k // 2000)
            here = here[np.argsort(decl[here])]
            theirs = unit(ra[here], decl[here])
        first, last = np.searchsorted(decl[here], place[1, k] + np.array([-1, 1]) * 61 / 3600)
        chord = np.sqrt(((theirs[first:last] - unit(*place[:, k])) ** 2).sum(axis=1))
        distance = np.full(len(here), np.inf)
        distance[first:last] = 2 * np.arcsin(chord / 2) * ARCSEC
        within = np.flatnonzero(distance <= 60)
        array, objectids, dists, lnps = rows[own[k]]
        assert array is None or array == list(objectids)
        for kind in (0, 1):
            mine = within[(extended[here[within]] >= 0.5) == bool(kind)]
            mine = mine[np.argsort(distance[mine])][:3]
            slots = slice(3 * kind, 3 * kind + 3)
            n = len(mine)
            got = [i and i & (2**39 - 1) for i in objectids[slots]]
            assert got == [*(here[mine] + 1), *[None] * (3 - n)]
            # real holds 60 arcsec to 4e-6.
            assert np.allclose(np.array(dists[slots][:n], float), distance[mine], atol=1e-5)
            assert all(p <= 0 for p in lnps[slots][:n])
            assert dists[slots][n:] == lnps[slots][n:] == (None,) * (3 - n)
            full += n == 3
    assert 5000 < full < 20000  # some have all, some have not


def same(connection, *values):
    with connection.cursor() as cursor:
        values = [None if v is None else float(v) for v in values]
        cursor.execute(f"SELECT science.ln_same_object({', '.join(['%s'] * 16)})", values)
        return cursor.fetchone()[0]


def random_covariance(rng, scale):
    a = rng.normal(size=(2, 2)) * scale
    return a @ a.T + 0.5 * scale**2 * np.eye(2)


@pytest.mark.requirement("L1DB-19")
@pytest.mark.parametrize("seed", range(4))
def test_the_closed_form_is_the_integral_over_true_place_and_motion(connection, seed):
    """Trapezoids on a grid of four dimensions; for normal densities they converge exponentially."""
    rng = np.random.default_rng(seed)
    c_dia, c_obj = random_covariance(rng, 0.1), random_covariance(rng, 0.05)
    m_dia, m_obj = random_covariance(rng, 0.03), random_covariance(rng, 0.03)
    years, b = 3.0, rng.normal(scale=0.05, size=2)
    a = b + rng.normal(scale=0.02, size=2)
    offset = years * b + rng.normal(scale=0.1, size=2)
    motion = np.array(list(product(np.linspace(-7, 7, 43), repeat=2)))
    # The true motion, on a grid along the axes of the neighbour's ellipse.
    root = np.linalg.cholesky(m_obj)
    moves = b + motion @ root.T
    cell = np.linalg.det(root) * (14 / 42) ** 2
    place_root = np.linalg.cholesky(c_obj)
    places = motion @ place_root.T  # the neighbour's true place at its epoch
    place_cell = np.linalg.det(place_root) * (14 / 42) ** 2
    weight = multivariate_normal([0, 0], c_obj).pdf(places) * place_cell
    dia = multivariate_normal([0, 0], c_dia)
    integral = {False: 0.0, True: 0.0}
    for move, density in zip(moves, multivariate_normal(b, m_obj).pdf(moves) * cell, strict=True):
        inner = (weight * dia.pdf(offset - places - years * move)).sum() * density
        integral[False] += inner
        integral[True] += inner * multivariate_normal(move, m_dia).pdf(a)
    v = c_dia + c_obj
    given = (*offset, v[0, 0], v[0, 1], v[1, 1], years, *b, m_obj[0, 0], m_obj[0, 1], m_obj[1, 1])
    for moving in (False, True):
        own = (*a, m_dia[0, 0], m_dia[0, 1], m_dia[1, 1]) if moving else (None,) * 5
        assert same(connection, *given, *own) == pytest.approx(np.log(integral[moving]), abs=1e-6)


@pytest.mark.requirement("L1DB-19")
def test_the_probability_is_the_fraction_of_matches(fresh_database, tmp_path):
    """4,000 DIAObjects, of which half are stars, a fifth galaxies, the others anywhere.

    The catalogue is dense enough (a star in 10, a galaxy in 20 arcsec**2) and the errors so large
    (0.5 arcsec) that neighbours are often wrong. The sum of P must be the number of matches, in all
    and in bins of P, within three of its own standard deviations, and 2 % for stars so fast that
    they are no longer among the three nearest.
    """
    rng = np.random.default_rng(11)
    side, n, sigma = 0.1, 4000, 0.5
    area = (side * 3600) ** 2
    n_star, n_galaxy = int(area / 10), int(area / 20)
    xy = rng.uniform(0, side, (2, n_star + n_galaxy)) + np.array([[40.0], [-side / 2]])
    extended = (np.arange(n_star + n_galaxy) >= n_star).astype(float)
    connection = fresh_database.connect()
    years = (61000.0 - 57388.5) / 365.25
    load(
        connection,
        tmp_path,
        ra=xy[0],
        decl=xy[1],
        extendedness=extended,
        epoch=np.full(xy.shape[1], 57388.5),
    )
    inner = np.flatnonzero(
        (np.abs(xy[0] - 40 - side / 2) < side / 2 - 0.005) & (np.abs(xy[1]) < side / 2 - 0.005)
    )
    kind = rng.choice(3, n, p=[0.5, 0.2, 0.3])
    chosen = np.where(
        kind == 0,
        rng.choice(inner[inner < n_star], n),
        rng.choice(inner[inner >= n_star], n),
    )
    # Stars move as the prior says; a catalogue without errors is taken to be good to 0.1 arcsec.
    drift = rng.choice([w for _, w in PRIOR], n, p=[s for s, _ in PRIOR]) * years * (kind == 0)
    spread = np.sqrt(sigma**2 + 0.1**2 + 0.01**2 + drift**2) / 3600
    place = xy[:, chosen] + rng.normal(size=(2, n)) * spread
    anywhere = rng.uniform(0.005, side - 0.005, (2, n)) + np.array([[40.0], [-side / 2]])
    place = np.where(kind == 2, anywhere, place)
    with connection.cursor() as cursor:
        # The catalogue fills a small part of its pixel: the density where it is shall count.
        cursor.execute(
            "UPDATE ledger.releasedensity SET nstars = %s, ngalaxies = %s",
            (round(PIXEL / 10), round(PIXEL / 20)),
        )
        own = stage_objects(cursor, *place, err=sigma)
        cursor.execute("SELECT staging.nearby(0::smallint)")
        rows = found(cursor)
    connection.close()
    p, true = [], []
    for k in range(n):
        _, objectids, _, lnps = rows[own[k]]
        p += [np.exp(v) for v in lnps]
        match = chosen[k] + 1 if kind[k] < 2 else None
        true += [i & (2**39 - 1) == match for i in objectids]
    p, true = np.array(p), np.array(true)
    for low, high in ((0, 1.01), (0.05, 0.3), (0.3, 0.6), (0.6, 1.01)):
        part = (p >= low) & (p < high)
        expected, deviation = p[part].sum(), np.sqrt((p[part] * (1 - p[part])).sum())
        assert expected > 100
        assert abs(true[part].sum() - expected) < 3 * deviation + 0.02 * expected
    assert (p.reshape(n, 6).sum(axis=1) <= 1 + 1e-5).all()
