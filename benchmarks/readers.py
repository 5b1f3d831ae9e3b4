"""How much twenty readers slow down the loading of visits, and how long they wait.

Visits of 10,000 DIASources of one field are published one after the other, as ingest does: first
alone, then while twenty clients ask one query each per ten seconds, as a night's users do, then
while the same clients ask without pause (closed loop). Every client has a connection of its own and
asks in turn for a cone of one arcminute, ten rows by id, a light curve, and counts as of an earlier
instant. On a disk, with every safety on; the parts take turns, so that the growth of the field
weighs on all alike.

``readers.slowdown``  95th percentile of the time to publish a visit with the paced readers over the
                      one without readers; ``idle`` and ``loading``: the two in s
``readers.latency``   median time of a query of the paced readers [ms], and ``p95``, ``worst``
``readers.closed``    queries a second without pause, their ``p50`` and ``p95`` [ms], and
                      ``slowdown`` of the visits
"""

import argparse
import json
import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import psycopg2

mpl.use("Agg")
from matplotlib import pyplot as plt

sys.path.append(str(Path(__file__).parent))
from relink import bring, new_field
from support.fields import Field, of_visit, sources
from support.server import server
from visit_load import one

START = 61000.6  # MJD TAI
CLIENTS = 20
PAUSE = 10.0  # s between two queries of a client
PARTS = ("idle", "loading", "closed")
_FORK = multiprocessing.get_context("fork")


def ask(cursor: Any, number: int, known: dict[str, Any], rng: np.random.Generator) -> str:
    """Ask one query; return its kind."""
    kind = ("cone", "ids", "light curve", "as-of count")[number % 4]
    if kind == "cone":
        at = int(rng.integers(len(known["ra"])))
        cursor.execute(
            "SELECT diaobjectid, ra, decl, ndiasources, rpsfluxmean FROM prompt_live.diaobject "
            "WHERE spoint(radians(ra), radians(decl)) <@ "
            "scircle(spoint(radians(%s), radians(%s)), radians(1 / 60.0))",
            (known["ra"][at], known["decl"][at]),
        )
    elif kind == "ids":
        chosen = rng.choice(known["ids"], 10).tolist()
        cursor.execute(
            "SELECT * FROM prompt_live.diaobject WHERE diaobjectid = ANY (%s)", (chosen,)
        )
    elif kind == "light curve":
        cursor.execute(
            "SELECT s.midpointtai, v.band, s.psflux, s.psfluxerr FROM prompt_live.diasource AS s "
            "JOIN prompt_live.ccdvisit AS v USING (ccdvisitid) WHERE s.diaobjectid = %s",
            (int(rng.choice(known["ids"])),),
        )
    else:
        visit = int(rng.choice(known["visits"]))
        cursor.execute(
            "SELECT count(*), avg(psflux) FROM prompt_at.diasource(%s) WHERE ccdvisitid = %s",
            (known["instant"], visit),
        )
    cursor.fetchall()
    return kind


def client(dsn: str, pause: float, seed: int, known: dict[str, Any], stop: Any, told: Any) -> None:
    """Ask again and again; report when and how long."""
    rng = np.random.default_rng(seed)
    connection = psycopg2.connect(dsn)
    connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
    found, number = [], seed
    following = time.monotonic() + rng.uniform(0, pause)
    with connection.cursor() as cursor:
        while not stop.value:
            if time.monotonic() < following:
                time.sleep(min(0.05, following - time.monotonic() + 1e-4))
                continue
            began = time.perf_counter()
            kind = ask(cursor, number, known, rng)
            connection.rollback()
            found.append((kind, time.perf_counter() - began))
            number += 1
            # A late answer does not make the next question come later.
            following += pause
    connection.close()
    told.put(found)


class Bench:
    """A database, its field, and what was measured."""

    def __init__(self, dsn: str, things: int) -> None:
        self.dsn = dsn
        self.rng = np.random.default_rng(3)
        self.connection = psycopg2.connect(dsn)
        self.at: Field = new_field(200.0, 10.0, things, self.rng)
        self.number = 0
        self.visits: dict[str, list[float]] = {part: [] for part in PARTS}
        self.queries: dict[str, list[tuple[str, float]]] = {part: [] for part in PARTS}
        self.seconds = dict.fromkeys(PARTS, 0.0)

    def visit(self) -> float:
        """Publish a visit; return the seconds it took."""
        self.number += 1
        mjd = START + 3 * (self.number // 40) + self.number * 5e-4
        visit, ccd = of_visit(mjd, self.number)
        rows = sources(mjd, visit, ccd, self.at.ras, self.at.decls, self.rng)
        began = time.perf_counter()
        bring(self.connection, self.at, mjd, self.number, rows, self.rng)
        return time.perf_counter() - began

    def known(self) -> dict[str, Any]:
        """Return what the clients may ask for."""
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT diaobjectid, ra, decl FROM prompt_live.diaobject")
            names, ra, decl = zip(*cursor.fetchall(), strict=True)
            cursor.execute("SELECT ccdvisitid FROM prompt_live.ccdvisit")
            visits = [row[0] for row in cursor.fetchall()]
            instant = one(cursor, "SELECT ledger.horizon()")
        self.connection.rollback()
        return {"ids": np.array(names), "ra": ra, "decl": decl, "visits": visits,
                "instant": instant}  # fmt: skip

    def part(self, name: str, visits: int) -> None:
        """Publish some visits with the readers of a part."""
        stop, told, clients = _FORK.RawValue("b", 0), _FORK.Queue(), []
        if name != "idle":
            known, pause = self.known(), PAUSE if name == "loading" else 0.0
            for n in range(CLIENTS):
                arguments = (self.dsn, pause, 100 * self.number + n, known, stop, told)
                clients.append(_FORK.Process(target=client, args=arguments))
                clients[-1].start()
        began = time.perf_counter()
        for _ in range(visits):
            self.visits[name].append(self.visit())
        stop.value = 1
        for _ in clients:
            self.queries[name] += told.get()
        self.seconds[name] += time.perf_counter() - began
        for process in clients:
            process.join()


def figure(name: str, value: float, unit: str, **more: Any) -> None:
    """Print one figure."""
    print(json.dumps({"name": f"readers.{name}", "value": value, "unit": unit, **more}), flush=True)


def report(bench: Bench) -> None:
    """Print the figures."""
    late = {part: float(np.percentile(times, 95)) for part, times in bench.visits.items()}
    figure("slowdown", round(late["loading"] / late["idle"], 2), "ratio", bar="<= 1.5",
           idle=round(late["idle"], 2), loading=round(late["loading"], 2),
           visits=len(bench.visits["loading"]))  # fmt: skip
    for part, name in (("loading", "latency"), ("closed", "closed")):
        times = 1000 * np.array([spent for _, spent in bench.queries[part]])
        p50, p95 = (round(float(p), 1) for p in np.percentile(times, (50, 95)))
        told = {"p95": p95, "worst": round(float(times.max()), 1), "queries": len(times)}
        if name == "latency":
            figure(name, p50, "ms", **told)
        else:
            figure(name, round(len(times) / bench.seconds[part], 1), "queries/s", p50=p50, **told,
                   slowdown=round(late["closed"] / late["idle"], 2))  # fmt: skip


def draw(bench: Bench, folder: Path) -> None:
    """Draw how long visits and queries took."""
    figure_, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    for part, times in bench.visits.items():
        left.plot(np.sort(times), np.arange(1, len(times) + 1) / len(times), label=part)
    left.set(xlabel="time to publish a visit [s]", ylabel="fraction of visits", xlim=(0, None))
    left.legend()
    for kind in sorted({kind for kind, _ in bench.queries["loading"]}):
        times = np.sort([1000 * spent for k, spent in bench.queries["loading"] if k == kind])
        right.plot(times, np.arange(1, len(times) + 1) / len(times), label=kind)
    right.set(xlabel="latency of paced readers [ms]", ylabel="fraction of queries", xscale="log")
    right.legend()
    figure_.savefig(folder / "readers.png", dpi=120, bbox_inches="tight")
    plt.close(figure_)


def main() -> None:
    """Run against a throw-away server and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sources", type=int, default=10_000, help="DIASources a visit")
    parser.add_argument("--visits", type=int, default=24, help="visits of each part")
    parser.add_argument("--plots", type=Path, default=Path.cwd(), help="folder of the plot")
    chosen = parser.parse_args()
    with server("readers") as (cluster, _home):
        bench = Bench(cluster.dsn("postgres"), chosen.sources)
        for _ in range(3):  # the first visits found the objects and warm up
            bench.visit()
        turns = 4
        for turn in range(turns):
            for name in PARTS:
                bench.part(name, -(-chosen.visits // turns))
            print(f"turn {turn + 1} of {turns}", file=sys.stderr)
        bench.connection.close()
    report(bench)
    chosen.plots.mkdir(parents=True, exist_ok=True)
    draw(bench, chosen.plots)


if __name__ == "__main__":
    main()
