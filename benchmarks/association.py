"""How well DIASources find their DIAObject, against a simulated sky.

In four fields crowded groups of stars and of things that do not move (no two closer than 0.5 arcsec
at the start, neighbours of a group 0.5 to 5 arcsec apart, one thing on 144 square arcsec) are
observed for 100 epochs in two seasons of eight months with four months between them: S/N 5 to 500,
two percent of false detections, which may lie anywhere, also on top of a true one, a tenth of the
true ones missed, and in one field frames that are shifted by 30 mas as a whole, each in a direction
of its own, and say so in their systematic error. Things that pass each other are still seen as two.

The bar says "proper motions to 5 arcsec/yr", not how many move so fast. Six things in ten do not
move. The others have by default motions of 10 mas/yr to 5 arcsec/yr, with an excess of slow ones:
one thing in eighteen exceeds 1 arcsec/yr, where the sky has one in millions. ``--motions uniform``
draws them uniformly up to 5 arcsec/yr. Both have the parallaxes that go with 20 to 200 km/s.

Every visit runs through `staging.associate`, `staging.characterize` and `ledger.publish` of a
throw-away server. Printed as JSON lines, for each seed and (``seed: all``) for all together:

``association.split``     DIAObjects beyond the first that a thing owns, over all things; an object
                          is owned by the thing most of its sources are of (false ones not counted)
``association.merge``     sources in the DIAObject of another thing, which is more than a FWHM
                          (0.8 arcsec) away from them, over all sources; ``founder``: the same, if
                          an object is of the thing whose source founded it
``association.complete``  sources that went to the DIAObject that holds most of their thing, over
                          all sources of true things
``association.m2``        mean squared Mahalanobis distance of the true matches (expected: 2)
``association.cpu``       CPU seconds of the server for 10,000 sources, in visits of few hundred:
                          association and, as ``recompute``, the new DIAObjects
"""

import argparse
import json
import os
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2
from astropy.coordinates import get_body_barycentric
from astropy.time import Time
from numpy.typing import NDArray

from ingest.staging import slot, stage
from skyledger import dictionary as dd
from skyledger import ids
from skyledger.database import schema
from skyledger.database.cluster import Cluster, temporary_home

ARCSEC = 1 / 3600
FWHM = 0.8  # arcsec
START = 61000.0  # MJD
DAYS = 730.0
FIELDS = ((150.0, 2.0), (210.0, -45.0), (359.98, 20.0), (30.0, 70.0))
SHIFTED = 1  # the field whose frames are shifted
SHIFT = 0.030  # arcsec
SYSTEMATIC = 0.008  # arcsec an axis, of the other fields
CLOSEST = 0.5  # arcsec, at the start
MISSED = 0.1
FALSE = 0.02

Array = NDArray[np.float64]


@dataclass
class Sky:
    """True things of one field: offsets [arcsec] from its centre at `START`, motion, S/N."""

    ra: float
    decl: float
    x: Array
    y: Array
    pm_x: Array  # arcsec/yr
    pm_y: Array
    parallax: Array  # arcsec
    snr: Array


@dataclass
class Tally:
    """What the database said of every source: one entry a source."""

    thing: list[NDArray[np.int64]] = field(default_factory=list)  # -1: false detection
    source: list[NDArray[np.int64]] = field(default_factory=list)
    position: list[Array] = field(default_factory=list)  # true offsets of the sources
    places: list[Array] = field(default_factory=list)  # true offsets of all things then
    m2: dict[int, float] = field(default_factory=dict)


def make_sky(
    ra: float, decl: float, n: int, rng: np.random.Generator, motions: str = "usual"
) -> Sky:
    """Draw groups of one to four things, neighbours 0.5 to 5 arcsec apart, in a square field."""
    side = float(np.sqrt(n)) * 12.0  # arcsec: one thing on 144 square arcsec
    xy = np.empty((n, 2))
    made = 0
    while made < n:
        at = rng.uniform(-side / 2, side / 2, 2)
        for k in range(int(rng.integers(1, 5))):
            if k:
                angle, away = rng.uniform(0, 2 * np.pi), CLOSEST * 10 ** rng.uniform(0, 1)
                at = at + away * np.array([np.cos(angle), np.sin(angle)])
            if made < n and np.all(np.hypot(*(xy[:made] - at).T) >= CLOSEST):
                xy[made] = at
                made += 1
    speed = 5 * rng.random(n) if motions == "uniform" else 0.01 * 500 ** (rng.random(n) ** 2)
    motion = np.where(rng.random(n) < 0.6, 0.0, speed)
    bearing = rng.uniform(0, 2 * np.pi, n)
    # Moving at 20 to 200 km/s across the line of sight (4.74 km/s are one AU a year).
    parallax = 4.74 * motion / (20 * 10 ** rng.random(n))
    return Sky(
        ra,
        decl,
        xy[:, 0],
        xy[:, 1],
        motion * np.cos(bearing),
        motion * np.sin(bearing),
        np.minimum(parallax, 0.77),
        5 * 100 ** rng.random(n),
    )


def place(sky: Sky, mjd: float) -> tuple[Array, Array]:
    """Where the things are: offsets [arcsec] along East and North at the centre of the field."""
    # The 32 s between TAI and TDB are nothing here; leap seconds of the future are not needed.
    earth = get_body_barycentric("earth", Time(mjd, format="mjd", scale="tdb")).xyz.to_value("au")
    a, d = np.radians(sky.ra), np.radians(sky.decl)
    east = np.array([-np.sin(a), np.cos(a), 0])
    north = np.array([-np.cos(a) * np.sin(d), -np.sin(a) * np.sin(d), np.cos(d)])
    years = (mjd - START) / 365.25
    return (
        sky.x + sky.pm_x * years - sky.parallax * (earth @ east),
        sky.y + sky.pm_y * years - sky.parallax * (earth @ north),
    )


def on_sky(sky: Sky, x: Array, y: Array) -> tuple[Array, Array]:
    """Right ascension and declination [deg] of offsets [arcsec] in the tangent plane."""
    a, d = np.radians(sky.ra), np.radians(sky.decl)
    u, v = np.radians(x * ARCSEC), np.radians(y * ARCSEC)
    w = np.sqrt(1 - u**2 - v**2)
    along, up = w * np.cos(d) - v * np.sin(d), w * np.sin(d) + v * np.cos(d)
    return (
        np.degrees(a + np.arctan2(u, along)) % 360,
        np.degrees(np.arctan2(up, np.hypot(u, along))),
    )


def observe(
    sky: Sky, field_number: int, mjd: float, ccd: int, visit: int, rng: np.random.Generator
) -> tuple[dict[str, Any], dict[str, Any], NDArray[np.int64], Array, Array]:
    """Rows of ccdVisit and DIASource of one visit, thing and true place of each; places of all."""
    x, y = place(sky, mjd)
    n = len(x)
    snr = sky.snr + rng.normal(0, 1, n)
    seen = np.flatnonzero((rng.random(n) > MISSED) & (snr > 5))
    false = rng.poisson(FALSE * n)
    side = np.sqrt(n) * 12.0
    thing = np.concatenate([seen, np.full(false, -1)])
    truth = np.column_stack(
        [
            np.concatenate([x[seen], rng.uniform(-side / 2, side / 2, false)]),
            np.concatenate([y[seen], rng.uniform(-side / 2, side / 2, false)]),
        ]
    )
    err = FWHM / 1.5 / np.concatenate([np.maximum(sky.snr[seen], 5), np.full(false, 5.2)])
    if field_number == SHIFTED:
        angle = rng.uniform(0, 2 * np.pi)
        shift, systematic = SHIFT * np.array([np.cos(angle), np.sin(angle)]), SHIFT / np.sqrt(2)
    else:
        shift, systematic = rng.normal(0, SYSTEMATIC, 2), SYSTEMATIC
    # Errors are correlated by a quarter, as an elongated PSF makes them.
    noise = rng.normal(0, 1, (2, len(thing)))
    dx = noise[0] * err
    dy = (0.25 * noise[0] + np.sqrt(1 - 0.0625) * noise[1]) * err
    ra, decl = on_sky(sky, truth[:, 0] + dx + shift[0], truth[:, 1] + dy + shift[1])
    m = len(thing)
    frame = {
        "ccdVisitId": [ccd], "visitId": [visit], "detector": [0], "instrument": ["simulated"],
        "band": ["r"], "filterName": ["r"], "programId": ["wide"], "ra": [sky.ra],
        "decl": [sky.decl], "beginTai": [mjd - 2e-4], "midPointTai": [mjd], "endTai": [mjd + 2e-4],
        "exposureTime": [30.0], "nSnaps": [2], "airmass": [1.2], "seeing": [FWHM],
        "zeroPoint": [30.0], "fluxScale": [1.0], "pixelScale": [0.2], "rotation": [0.0],
        "astromSysRaErr": [systematic], "astromSysDeclErr": [systematic], "astromSysCov": [0.0],
    }  # fmt: skip
    sources = {
        "diaSourceId": ids.source_ids(ids.PROMPT, ccd, np.arange(1, m + 1, dtype=np.int64)),
        "ccdVisitId": np.full(m, ccd),
        "visitId": np.full(m, visit),
        "detector": np.zeros(m, int),
        "templateId": np.ones(m, int),
        "midPointTai": np.full(m, mjd),
        "ra": ra,
        "decl": decl,
        "raErr": err,
        "declErr": err,
        "raDeclCov": 0.25 * err**2,
        "x": np.ones(m),
        "y": np.ones(m),
        "snr": np.full(m, 10.0),
        "psFlux": np.full(m, 100.0),
        "psFluxErr": np.full(m, 10.0),
        "psLnL": np.full(m, -1.0),
        "psChi2": np.full(m, 400.0),
        "psNdata": np.full(m, 441),
        "flags": np.zeros(m, int),
        "hpx29": ids.hpx29(ra, decl),
    }
    return (
        {k: np.array(v) for k, v in frame.items()},
        sources,
        thing,
        truth,
        np.column_stack([x, y]),
    )


def server_cpu(pid: int) -> float:
    """CPU seconds that a process has used so far."""
    words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def run(
    connection: Any, seed: int, epochs: int = 100, things: int = 500, motions: str = "usual"
) -> dict[str, float]:
    """Observe the sky, let the database associate, and judge against the truth.

    Parameters
    ----------
    connection
        psycopg2 connection to a database with the complete schema; commits.
    seed
        Of the random numbers.
    epochs, things
        Visits a field, and true things a field.
    motions
        ``usual`` or ``uniform``.

    Returns
    -------
    dict
        Sums: ``split``, ``merge``, ``founder``, ``complete`` (counts), ``m2``, ``matches``,
        ``true`` and all ``sources``, ``things``, ``cpu`` and ``recompute`` (server seconds).
    """
    rng = np.random.default_rng(seed)
    skies = [make_sky(ra, decl, things, rng, motions) for ra, decl in FIELDS]
    # Each field has a season of eight months, with nights drawn at random.
    nights = [np.sort(rng.uniform(0, DAYS * 2 / 3, epochs)) for _ in FIELDS]
    tallies = [Tally() for _ in FIELDS]
    spent = {"cpu": 0.0, "recompute": 0.0}
    plan = sorted(
        (float(START + (t // 243.5) * 365.25 + t % 243.5), k)
        for k, times in enumerate(nights)
        for t in times
    )
    relations = dd.shipped()
    pid = connection.info.backend_pid
    for number, (mjd, k) in enumerate(plan):
        visit = ids.visit_id(ids.night_of(mjd), number % 2_000 + 1)
        ccd = ids.ccd_visit_id(visit, 0)
        frame, sources, thing, truth, places = observe(skies[k], k, mjd, ccd, visit, rng)
        with slot(connection) as at, connection.cursor() as cursor:
            cursor.execute("SELECT ledger.ensure_partitions(%s, %s)", (mjd, mjd))
            connection.commit()
            cursor.execute(
                "SELECT batch FROM ledger.open_batch('visit', %s, '{0}', 'bench', %s::smallint)",
                (visit, at),
            )
            (batch,) = cursor.fetchone()
            stage(connection, relations["CcdVisit"], frame, at)
            stage(connection, relations["DIASource"], sources, at)
            cursor.execute(
                "SELECT diasourceid, m2 FROM staging.likeliest(%s::smallint) WHERE m2 IS NOT NULL",
                (at,),
            )
            tallies[k].m2.update(cursor.fetchall())
            begin = server_cpu(pid)
            cursor.execute("SELECT * FROM staging.associate(%s::smallint)", (at,))
            middle = before = server_cpu(pid)
            cursor.execute("SELECT staging.characterize(%s::smallint)", (at,))
            spent["recompute"] += server_cpu(pid) - before
            spent["cpu"] += middle - begin
            cursor.execute("SELECT ledger.publish(%s)", (batch,))
            connection.commit()
            if number % 20 == 10:
                # What autovacuum does between visits.
                connection.autocommit = True
                cursor.execute("ANALYZE prompt_store.diaobject")
                cursor.execute("ANALYZE prompt_store.diasource")
                connection.autocommit = False
        tallies[k].thing.append(thing)
        tallies[k].source.append(sources["diaSourceId"])
        tallies[k].position.append(truth)
        tallies[k].places.append(places)
    return {**judge(connection, tallies, skies), **spent}


def judge(connection: Any, tallies: list[Tally], skies: list[Sky]) -> dict[str, float]:
    """Compare the links of the database with the truth."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT diasourceid, diaobjectid FROM prompt_live.diasource")
        linked = dict(cursor.fetchall())
    connection.rollback()
    names = ("split", "merge", "founder", "complete", "m2", "matches", "true", "sources", "things")
    total = dict.fromkeys(names, 0.0)
    for tally, sky in zip(tallies, skies, strict=True):
        thing = np.concatenate(tally.thing)
        source = np.concatenate(tally.source)
        linked_to = np.array([linked[s] for s in source.tolist()])
        _, first, where = np.unique(linked_to, return_index=True, return_inverse=True)
        # An object is of the thing most of its sources are of; of none if they are false.
        counts = np.zeros((where.max() + 1, len(sky.x) + 1), dtype=np.int64)
        np.add.at(counts, (where, thing), 1)  # false ones in the last column
        owner = np.where(counts[:, :-1].max(axis=1) > 0, counts[:, :-1].argmax(axis=1), -1)
        total["split"] += (np.bincount(owner[owner >= 0]) - 1).clip(0).sum()
        total["complete"] += counts[:, :-1].max(axis=0).sum()
        visit = np.repeat(np.arange(len(tally.thing)), [len(t) for t in tally.thing])
        places, position = np.stack(tally.places), np.concatenate(tally.position)
        for name, of in (("merge", owner[where]), ("founder", thing[first][where])):
            away = np.hypot(*(places[visit, of] - position).T)
            total[name] += ((of != thing) & (of >= 0) & (away > FWHM)).sum()
        same = source[(thing >= 0) & (owner[where] == thing)].tolist()
        m2 = [tally.m2[s] for s in same if s in tally.m2]
        total["m2"] += sum(m2)
        total["matches"] += len(m2)
        total["true"] += (thing >= 0).sum()
        total["sources"] += len(thing)
        total["things"] += len(sky.x)
    return total


def figures(total: dict[str, float]) -> dict[str, float]:
    """Fractions and means from the sums of :func:`run`."""
    over = {
        "split": "things",
        "merge": "sources",
        "founder": "sources",
        "complete": "true",
        "m2": "matches",
    }
    found = {name: float(total[name] / total[by]) for name, by in over.items()}
    return found | {k: float(total[k] / total["sources"] * 1e4) for k in ("cpu", "recompute")}


def tell(seed: int | str, motions: str, total: dict[str, float]) -> None:
    """Print the figures as JSON lines."""
    found = figures(total)
    about = {
        "seed": seed,
        "motions": motions,
        "sources": int(total["sources"]),
        "things": int(total["things"]),
    }
    for name, bar in (
        ("split", "<= 0.001"),
        ("merge", "<= 0.001"),
        ("complete", ">= 0.995"),
        ("m2", "1.9 to 2.1"),
    ):
        line = {"name": f"association.{name}", "value": round(found[name], 6), "bar": bar}
        if name == "merge":
            line["founder"] = round(found["founder"], 6)
        print(json.dumps(line | about), flush=True)
    line = {"name": "association.cpu", "value": round(found["cpu"], 3)}
    line |= {"recompute": round(found["recompute"], 3), "unit": "s for 10,000 sources"}
    print(json.dumps(line | about), flush=True)


def main() -> None:
    """Run against a throw-away server and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--things", type=int, default=250, help="a field")
    parser.add_argument("--motions", choices=["usual", "uniform"], default="usual")
    arguments = parser.parse_args()
    home = temporary_home()
    cluster = Cluster(home, {"fsync": "off"})
    cluster.start()
    total: Counter[str] = Counter()
    try:
        for seed in arguments.seeds:
            server = psycopg2.connect(cluster.dsn("postgres"))
            server.autocommit = True
            with server.cursor() as cursor:
                cursor.execute("DROP DATABASE IF EXISTS sky")
                cursor.execute("CREATE DATABASE sky")
            server.close()
            connection = psycopg2.connect(cluster.dsn("sky"))
            schema.upgrade(connection)
            found = run(connection, seed, arguments.epochs, arguments.things, arguments.motions)
            connection.close()
            tell(seed, arguments.motions, found)
            total.update(found)
    finally:
        cluster.destroy()
        shutil.rmtree(home)
    tell("all", arguments.motions, dict(total))


if __name__ == "__main__":
    main()
