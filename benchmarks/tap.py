"""How fast the TAP service answers, beside GAVO DaCHS on the same server.

A million DIASources of a hundred visits, published as ingest does it; DaCHS has the same rows in a
table of its own, with the positional index its manual recommends. Both run as their operators would
start them, in processes of their own; one client of plain HTTP asks both in turn, over kept
connections. What both return is compared before anything is timed. Latencies are medians of the
client's clock, ``ratio`` says how many times better than DaCHS. Printed as JSON lines:

``tap.cone``     ms, a cone of 0.17 deg (about a hundred rows, eight columns, CSV), somewhere else
                 each time (bar: ratio >= 5)
``tap.clients``  queries/s of eight clients that ask such cones without pause (>= 8)
``tap.csv``      s, 100,000 rows of eight columns as CSV (>= 3); ``tap.binary2`` as VOTable (>= 2)
``tap.upload``   s, a join of 1,000 uploaded positions within 5 arcsec (>= 1)
``tap.async``    s, from PHASE=RUN until a waiting client hears COMPLETED (<= 0.3 s)
``tap.memory``   MB that the service has held at most after a million rows of CSV and of BINARY2;
                 ``growth`` is that over the same after 10,000 rows (constant)
``tap.users``    s, the slowest query of twenty users who ask at the same time and without pause:
                 cones, ten rows by id, light curves, counts as of an earlier instant, statistics
                 of all rows (DMS-REQ-0355: <= 10); ``p50``, ``p95``, ``rate`` [1/s]
"""

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2

sys.path.append(str(Path(__file__).parent))
from support.dachs import Dachs, missing
from support.fields import Field, by_detector, ccd_visit, of_visit, places, sources
from support.server import server
from support.tap_sides import BINARY2, Client, Ours, Side, same, table
from visit_load import Meter, publish

START = 61000.6  # MJD TAI
ROWS = 1_000_000
FIELDS = 100  # in a square of ten by ten, beside each other
STEP = 3.2  # deg
CORNER = (20.0, -16.0)
EIGHT = "diaSourceId, ccdVisitId, ra, decl, midPointTai, psFlux, psFluxErr, snr"
USERS = 20


def fill(dsn: str) -> None:
    """Publish the visits."""
    rng = np.random.default_rng(1)
    connection = psycopg2.connect(dsn)
    for k in range(FIELDS):
        ra, decl = CORNER[0] + STEP * (k % 10), CORNER[1] + STEP * (k // 10)
        ras, decls = places(ra, decl, ROWS // FIELDS, rng)
        order = by_detector(ras, decls)
        at = Field(ra, decl, ras[order], decls[order], np.array([], dtype=np.int64))
        mjd = START + 3 * (k // 40) + k * 5e-4
        visit, ccd = of_visit(mjd, k + 1)
        publish(
            connection, Meter(connection), visit, mjd, ccd_visit(at, mjd, visit, ccd),
            rows={"DIASource": sources(mjd, visit, ccd, at.ras, at.decls, rng)},
        )  # fmt: skip
        print(f"visit {k + 1} of {FIELDS}", file=sys.stderr)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    connection.close()


def somewhere(rng: random.Random) -> tuple[float, float]:
    """Draw a place within a field."""
    k = rng.randrange(FIELDS)
    ra, decl = CORNER[0] + STEP * (k % 10), CORNER[1] + STEP * (k // 10)
    return ra + rng.uniform(-1, 1), decl + rng.uniform(-1, 1)


def cone(rng: random.Random, radius: float = 0.17) -> str:
    """Query of a cone."""
    ra, decl = somewhere(rng)
    return (
        f"SELECT {EIGHT} FROM prompt.diasource "
        f"WHERE 1=CONTAINS(POINT(ra, decl), CIRCLE({ra:.6f}, {decl:.6f}, {radius}))"
    )


DUMP = f"SELECT TOP 100000 {EIGHT} FROM prompt.diasource"
JOIN = (
    "SELECT u.number, d.diaSourceId, d.ra, d.decl, d.psFlux FROM TAP_UPLOAD.mine AS u "
    "JOIN prompt.diasource AS d "
    "ON 1=CONTAINS(POINT(d.ra, d.decl), CIRCLE(u.ra, u.dec, 0.0013888889))"
)


def positions(dsn: str, n: int) -> bytes:
    """VOTable of positions, each 2 arcsec beside a row."""
    connection = psycopg2.connect(dsn)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ra, decl FROM (SELECT ra, decl, row_number() OVER (ORDER BY diasourceid) AS k "
            "FROM prompt_live.diasource) AS t WHERE k %% %s = 0",
            (ROWS // n,),
        )
        found = cursor.fetchall()[:n]
    connection.close()
    cells = "".join(
        f"<TR><TD>{k}</TD><TD>{ra:.8f}</TD><TD>{decl + 2 / 3600:.8f}</TD></TR>"
        for k, (ra, decl) in enumerate(found)
    )
    return (
        '<VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE>'
        '<FIELD name="number" datatype="int"/>'
        '<FIELD name="ra" datatype="double" unit="deg" ucd="pos.eq.ra;meta.main"/>'
        '<FIELD name="dec" datatype="double" unit="deg" ucd="pos.eq.dec;meta.main"/>'
        f"<DATA><TABLEDATA>{cells}</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
    ).encode()


def compare(sides: list[Side], uploaded: bytes) -> None:
    """Make sure that both give the same rows; all of ours are the truth for DaCHS's."""
    rng = random.Random(2)  # noqa: S311
    questions: list[tuple[str, Callable[[Client], dict[str, Any]]]] = []
    for radius in (0.17, 1.0):
        query = cone(rng, radius)
        questions += [
            (f"a cone as {form}", partial(lambda q, f, c: table(c.sync(q, f), f), query, form))
            for form in ("csv", BINARY2)
        ]
    questions.append(("the join", lambda c: table(c.joined(JOIN, "mine", uploaded))))
    for what, ask in questions:
        found = [ask(side.client) for side in sides]
        n = len(next(iter(found[0].values())))
        if not n or any(not same(found[0], other) for other in found[1:]):
            raise SystemExit(f"the services do not return the same {n} rows for {what}")
    every = table(sides[0].client.sync(f"SELECT {EIGHT} FROM prompt.diasource"))
    for side in sides:
        for form in ("csv", BINARY2):
            part = table(side.client.sync(DUMP, form), form)
            keys = part["diasourceid"]
            at = np.searchsorted(every["diasourceid"], keys)
            if len(np.unique(keys)) != 100_000 or not same(
                part, {name: values[at] for name, values in every.items()}
            ):
                raise SystemExit(f"the 100,000 rows of {side.name} as {form} are others")


def turns(sides: list[Side], ask: Callable[[Client], Any], n: int, run: int = 1) -> list[Any]:
    """Seconds of a question at each side, ``n`` times in turn after a warm-up, in runs."""
    spent: list[list[float]] = [[] for _ in sides]
    for turn in range(n // run + 1):
        for side, times in zip(sides, spent, strict=True):
            for _ in range(run):
                begin = time.perf_counter()
                given = ask(side.client)
                took = given if isinstance(given, float) else time.perf_counter() - begin
                if turn:
                    times.append(took)
    return spent


def rate(side: Side, clients: int, seconds: float, seed: int) -> tuple[int, float, list[float]]:
    """Cones of clients that ask without pause: how many, in which time, and seconds of each."""
    until = time.perf_counter() + seconds

    def one(number: int) -> list[float]:
        rng, asked = random.Random(f"{seed} {number}"), []  # noqa: S311
        client = Client(side.address, number)
        while (begin := time.perf_counter()) < until:
            client.sync(cone(rng))
            asked.append(time.perf_counter() - begin)
        client.close()
        return asked

    begin = time.perf_counter()
    with ThreadPoolExecutor(clients) as threads:
        asked = [took for times in threads.map(one, range(clients)) for took in times]
    return len(asked), time.perf_counter() - begin, asked


def asking(dsn: str) -> dict[str, Callable[[random.Random], tuple[str, str]]]:
    """Return what users ask, by kind: makers of an instant (or nothing) and a query."""
    connection = psycopg2.connect(dsn)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT diasourceid, ra, decl FROM prompt_live.diasource ORDER BY 1 LIMIT 100000"
        )
        known = cursor.fetchall()
        cursor.execute("SELECT epochtai FROM ledger.epoch WHERE kind = 'visit'")
        instants = [f"@{row[0].isoformat()}" for row in cursor.fetchall()]
    connection.close()

    def ids(rng: random.Random) -> tuple[str, str]:
        listed = ", ".join(str(row[0]) for row in rng.sample(known, 10))
        return "", f"SELECT * FROM prompt.diasource WHERE diaSourceId IN ({listed})"

    def curve(rng: random.Random) -> tuple[str, str]:
        _, ra, decl = rng.choice(known)
        return "", (
            "SELECT s.midPointTai, v.band, s.psFlux, s.psFluxErr FROM prompt.diasource AS s "
            "JOIN prompt.ccdvisit AS v ON v.ccdVisitId = s.ccdVisitId WHERE 1=CONTAINS("
            f"POINT(s.ra, s.decl), CIRCLE({ra:.8f}, {decl:.8f}, 0.0002778)) ORDER BY s.midPointTai"
        )

    def count(rng: random.Random) -> tuple[str, str]:
        ra, decl = somewhere(rng)
        return rng.choice(instants), (
            "SELECT COUNT(*) AS n, AVG(psFlux) AS mean FROM prompt.diasource "
            f"WHERE 1=CONTAINS(POINT(ra, decl), CIRCLE({ra:.6f}, {decl:.6f}, 0.5))"
        )

    def scan(rng: random.Random) -> tuple[str, str]:
        return "", (
            "SELECT ccdVisitId, COUNT(*) AS n, AVG(psFlux) AS mean FROM prompt.diasource "
            f"WHERE snr > {rng.uniform(5, 10):.3f} GROUP BY ccdVisitId"
        )

    return {"cone": lambda rng: ("", cone(rng)), "ids": ids, "curve": curve, "as of": count,
            "scan": scan}  # fmt: skip


def crowd(side: Side, dsn: str, seconds: float) -> None:
    """Let twenty users ask without pause, each one kind after the other."""
    kinds = asking(dsn)
    spent: dict[str, list[float]] = {kind: [] for kind in kinds}
    until = time.perf_counter() + seconds

    def one(number: int) -> None:
        rng, k = random.Random(number), number  # noqa: S311
        client = Client(side.address, number)
        while (begin := time.perf_counter()) < until:
            kind = list(kinds)[k % len(kinds)]
            instant, query = kinds[kind](rng)
            client.sync(query, at=instant)
            spent[kind].append(time.perf_counter() - begin)
            k += 1
        client.close()

    with ThreadPoolExecutor(USERS) as threads:
        list(threads.map(one, range(USERS)))
    every = np.concatenate(list(spent.values()))
    p50, p95 = (float(p) for p in np.percentile(every, (50, 95)))
    tell("users", float(every.max()), "s", p50=p50, p95=p95, rate=len(every) / seconds,
         **{kind: statistics.median(times) for kind, times in spent.items()})  # fmt: skip


def busy(sides: list[Side]) -> None:
    """Let eight clients ask cones without pause."""
    asked: list[list[float]] = [[] for _ in sides]
    waits: list[list[float]] = [[] for _ in sides]
    for turn in range(3):
        for side, rates, took in zip(sides, asked, waits, strict=True):
            count, seconds, each = rate(side, 8, 5.0, turn)
            rates.append(count / seconds)
            took.extend(each)
    ours, *others = (statistics.median(rates) for rates in asked)
    more: dict[str, Any] = {"p50": 1e3 * statistics.median(waits[0])}
    if others:
        more |= {"ratio": ours / others[0], "against": "DaCHS", "dachs": others[0]}
    tell("clients", ours, "queries/s", **more)


def hold(sides: list[Side]) -> None:
    """See how much memory the services take."""
    held = [memory(side) for side in sides]
    more: dict[str, Any] = {"growth": held[0][1] / held[0][0], "small": held[0][0]}
    if len(held) > 1:
        more |= {"ratio": held[1][1] / held[0][1], "against": "DaCHS", "dachs": held[1][1],
                 "dachs growth": held[1][1] / held[1][0]}  # fmt: skip
    tell("memory", held[0][1], "MB", **more)


def memory(side: Side) -> tuple[float, float]:
    """Largest memory of a service after 10,000 and after a million rows, both formats [MB]."""
    found = []
    for rows in (10_000, ROWS):
        for form in ("csv", BINARY2):
            side.client.sync(f"SELECT TOP {rows} {EIGHT} FROM prompt.diasource", form)
        found.append(side.peak())
    return found[0], found[1]


def tell(name: str, value: float, unit: str, **more: Any) -> None:
    """Print one figure; numbers with four digits."""
    rounded = {
        k: float(f"{v:.4g}") if isinstance(v, float) else v
        for k, v in {"value": value, **more}.items()
    }
    print(json.dumps({"name": f"tap.{name}", "unit": unit, **rounded}), flush=True)


def told(name: str, spent: list[Any], unit: str, **more: Any) -> None:
    """Print medians of seconds, with the ratio where there is a rival."""
    scale = {"ms": 1e3, "s": 1.0}[unit]
    ours, *others = (statistics.median(times) for times in spent)
    if others:
        more |= {"ratio": others[0] / ours, "against": "DaCHS", "dachs": others[0] * scale}
    tell(name, ours * scale, unit, **more)


def measure(sides: list[Side], dsn: str, repeats: int) -> None:
    """Take all figures."""
    uploaded = positions(dsn, 1000)
    rng = random.Random(3)  # noqa: S311
    hold(sides)
    compare(sides, uploaded)
    print("both return the same rows", file=sys.stderr)
    told("cone", turns(sides, lambda c: c.sync(cone(rng)), 40 * repeats, 10), "ms")
    busy(sides)
    told("csv", turns(sides, lambda c: c.sync(DUMP), 2 * repeats), "s")
    told("binary2", turns(sides, lambda c: c.sync(DUMP, BINARY2), 2 * repeats), "s")
    told("upload", turns(sides, lambda c: c.joined(JOIN, "mine", uploaded), 2 * repeats), "s")
    told("async", turns(sides, lambda c: c.job(cone(rng)), 2 * repeats), "s")
    crowd(sides[0], dsn, 6.0 * repeats)


def main() -> None:
    """Run against throw-away services and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--repeats", type=int, default=5, help="fives of measurements")
    chosen = parser.parse_args()
    with server("tap") as (cluster, home):
        dsn = cluster.dsn("postgres")
        fill(dsn)
        without = missing()
        rival = None
        if without:
            print(f"tap: {without}", file=sys.stderr)
        else:
            rival = Dachs(cluster, dsn, home)
        ours = Ours(dsn, home)
        try:
            sides = [Side("Skyledger", ours.address, ours.process.pid)]
            if rival is not None:
                sides.append(Side("DaCHS", rival.address, rival.start()))
            measure(sides, dsn, chosen.repeats)
        finally:
            ours.stop()
            if rival is not None:
                rival.stop()


if __name__ == "__main__":
    main()
