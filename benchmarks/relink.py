"""What re-linking and withdrawing cost while visits are published, against Rubin's lsst-dax-apdb.

Thirteen visits of one field saw 2,000 things that stand still and 8,000 asteroids each; every
asteroid's source became a DIAObject of its own, but for those that lay on one of the things. All
104,000 are given to their SSObjects: their DIAObjects end or are computed anew, an epoch a chunk.
Things seen twice have forced photometry (a limited ``forcedPolicy``). A second process publishes
visits of another field of 10,000 sources all the while, as ingest does. The rival, on the same
server, stores two of the visits and re-links their asteroids. On a disk, with every safety on; CPU
seconds are those of client and server.

What is compared: the rival's ``reassignDiaSources`` overwrites three columns of each source. It
keeps no history, ends no object that has lost its sources and computes none anew. Like for like is
the moving of the sources, which here has a history: finding them, cutting chunks, closing their
versions and writing new ones, epochs and commits. What follows for the DIAObjects (whether they
end, statistics, sums, their versions and history: `staging.recompute`, `ledger.keep_sums`,
`ledger.publish_diaobject`, `ledger.publish_diaobjectfeatures`, `ledger.check_links`) has no
counterpart there. Its share is the time that the server notes in these functions
(``track_functions``) over that in `ledger.relink`; ``moved`` is a rate without that share. All
other values are those of the whole.

``relink.rows``      DIASources re-linked a second while visits are published (half of them),
                     all included; ``versions``: rows opened or closed a second, ``alone``: without
                     visits
``relink.cpu``       DIASources re-linked for a CPU second without visits: ``moved`` with its
                     ``ratio`` to the rival's, and ``whole`` with ``whole_ratio``
``relink.objects``   s of CPU for 1000 DIASources that what follows for the DIAObjects costs
``relink.visit``     longest time from the first row of a visit to its commit [s] meanwhile;
                     ``idle``: before the re-link began; ``cpu``: what the longest one took of it
``relink.lock``      99th percentile of the time that chunks held the publication lock [s]
``relink.withdraw``  s to withdraw a visit of 10,000 sources; ``cpu`` of it
"""

import argparse
import json
import multiprocessing
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2

from skyledger import ids

sys.path.append(str(Path(__file__).parent))
from support.fields import Field, Rows, ccd_visit, forced, of_visit, places, sources
from support.rival import Rival, rival_python
from support.server import database, server
from visit_load import Meter, one, publish

START = 61000.6  # MJD TAI
STILL, MOVING, HIDDEN = 2000, 8000, 100
FORCED = 2000  # DIAObjects with forced photometry, a visit: things seen before
_FORK = multiprocessing.get_context("fork")


def new_field(ra: float, decl: float, things: int, rng: np.random.Generator) -> Field:
    """Draw a field whose things have no DIAObject yet."""
    ras, decls = places(ra, decl, things, rng)
    return Field(ra, decl, ras, decls, np.zeros(0, np.int64))


def bring(connection: Any, at: Field, mjd: float, number: int, rows: Rows, rng: Any) -> float:
    """Publish a visit as ingest does, some objects forced; return its CPU seconds."""
    visit, ccd = of_visit(mjd, number)

    def compute(cursor: Any, slot: int) -> Rows:
        cursor.execute(
            "SELECT diaobjectid, ra, decl FROM staging.diaobject WHERE slot = %s "
            "AND ndiasources > 1 LIMIT %s",
            (slot, FORCED),
        )
        found = np.array(cursor.fetchall(), dtype=object).reshape(-1, 3)
        names, ra, decl = found[:, 0].astype(np.int64), *found[:, 1:].T.astype(float)
        return forced(mjd, visit, ccd, names, ra, decl, rng)

    frame = ccd_visit(at, mjd, visit, ccd)
    spent = publish(connection, Meter(connection), visit, mjd, frame,
                    rows={"DIASource": rows}, compute=compute)  # fmt: skip
    return float(spent["load"] + spent["associate"] + spent["recompute"])


def keep_visiting(dsn: str, stop: Any, told: Any) -> None:
    """Publish visits of a field until told to stop; report the wall and CPU seconds of each."""
    rng = np.random.default_rng(2)
    at = new_field(200.0, 10.0, STILL + MOVING, rng)
    connection = psycopg2.connect(dsn)
    for number in range(2000):
        mjd = START + number // 1000 + number % 1000 * 5e-4
        visit, ccd = of_visit(mjd, 1 + number % 1000)
        rows = sources(mjd, visit, ccd, at.ras, at.decls, rng)
        began = time.perf_counter()
        cpu = bring(connection, at, mjd, 1 + number % 1000, rows, rng)
        told.put((time.perf_counter() - began, cpu))
        if stop.value:
            break
        time.sleep(0.5)
    connection.close()


@dataclass
class Night:
    """What there is to re-link: sources with the asteroid they are of."""

    source: list[int] = field(default_factory=list)
    owner: list[int] = field(default_factory=list)

    def add(self, source: Any, owner: Any) -> None:
        """Add the asteroids of a visit."""
        self.source += np.asarray(source).tolist()
        self.owner += np.asarray(owner).tolist()

    def half(self, which: int) -> "Night":
        """Every second asteroid."""
        chosen = np.array(self.owner) % 2 == which
        found = Night()
        found.add(np.array(self.source)[chosen], np.array(self.owner)[chosen])
        return found


def fill(connection: Any, visits: int, rng: np.random.Generator) -> tuple[Field, Night]:
    """Publish the visits of the field; return what is to be re-linked."""
    at, night = new_field(150.0, -5.0, STILL, rng), Night()
    for number in range(visits):
        hidden = rng.choice(STILL, HIDDEN, replace=False)
        seen = np.setdiff1d(np.arange(STILL), hidden)
        ra, decl = places(at.ra, at.decl, MOVING, rng)
        ra[:HIDDEN], decl[:HIDDEN] = at.ras[hidden], at.decls[hidden]
        order = rng.permutation(MOVING)
        mjd = START + 0.03 + 2 * number
        visit, ccd = of_visit(mjd, 1500)
        ra, decl = np.append(at.ras[seen], ra[order]), np.append(at.decls[seen], decl[order])
        rows = sources(mjd, visit, ccd, ra, decl, rng)
        bring(connection, at, mjd, 1500, rows, rng)
        night.add(rows["diaSourceId"][len(seen) :], 1 + np.arange(MOVING))
        print(f"visit {number + 1} of {visits}", file=sys.stderr)
    return at, night


def text_array(ids: list[int]) -> str:
    """Write an array the way it is read at once; psycopg2 writes a list as an expression."""
    return "{" + ",".join(map(str, ids)) + "}"


FOLLOWING = (
    "recompute",
    "keep_sums",
    "publish_diaobject",
    "publish_diaobjectfeatures",
    "check_links",
)


def noted(cursor: Any) -> tuple[float, float]:
    """Milliseconds the server noted in the whole re-link, and in what follows for the objects."""
    cursor.execute(
        "SELECT coalesce(sum(total_time) FILTER (WHERE funcname = 'relink'), 0), "
        "coalesce(sum(total_time) FILTER (WHERE funcname = ANY (%s)), 0) "
        "FROM pg_stat_user_functions WHERE schemaname IN ('ledger', 'staging')",
        (list(FOLLOWING),),
    )
    whole, following = cursor.fetchone()
    return float(whole), float(following)


def relink(connection: Any, night: Night) -> tuple[float, float, dict[str, Any]]:
    """Re-link everything; return wall and CPU seconds and what the ledger noted."""
    meter, spent = Meter(connection), dict[str, float]()
    with connection.cursor() as cursor:
        before = one(cursor, "SELECT ledger.horizon()")
        connection.commit()
        connection.autocommit = True
        cursor.execute("SET track_functions = 'pl'")
        with meter.measured(spent, "all"):
            cursor.execute(
                "CALL ledger.relink(%s::bigint[], %s::bigint[])",
                (text_array(night.source), text_array(night.owner)),
            )
        cursor.execute("SELECT pg_stat_force_next_flush()")
        whole, following = noted(cursor)
        cursor.execute("SET track_functions = 'none'; SELECT pg_stat_reset()")
        connection.autocommit = False
        cursor.execute(
            "SELECT sum(nrows), percentile_disc(0.99) WITHIN GROUP (ORDER BY lockseconds), count(*)"
            " FROM ledger.epoch WHERE kind = 'relink' AND epochtai > %s",
            (before,),
        )
        versions, lock, chunks = cursor.fetchone()
        missed = one(
            cursor,
            "SELECT count(*) FROM unnest(%s, %s) AS l(source, owner) WHERE NOT EXISTS (SELECT FROM "
            "prompt_live.diasource AS c WHERE c.diasourceid = l.source AND c.ssobjectid = l.owner)",
            night.source, night.owner,
        )  # fmt: skip
    connection.commit()
    if missed:
        raise SystemExit(f"{missed} sources do not have their new owner")
    told = {"versions": int(versions), "lock": float(lock), "chunks": chunks,
            "following": following / whole}  # fmt: skip
    return spent["all wall"], spent["all"], told


def rival_rate(rival: Rival, folder: Path, rng: np.random.Generator) -> tuple[float, float]:
    """Re-link the asteroids of two visits in the other database; sources a CPU second, a second."""
    ra, decl = places(10.0, 10.0, STILL + MOVING, rng)
    links = Night()
    for number in range(2):
        mjd = START + 2 * number
        visit, ccd = of_visit(mjd, 1)
        n = len(ra)
        source = ids.source_ids(ids.PROMPT, ccd, np.arange(1, n + 1))
        names = np.arange(1, n + 1) + number * n
        shared = {"ra": ra, "decl": decl, "diaObjectId": names}
        held = {f"DiaObject.{k}": v for k, v in shared.items()}
        held |= {"DiaObject.nDiaSources": np.ones(n, int)}
        held |= {
            f"DiaObject.{k}": np.full(n, mjd) for k in ("firstDiaSourceTai", "lastDiaSourceTai")
        }
        held |= {f"DiaSource.{k}": v for k, v in shared.items()}
        held |= {
            "DiaSource.diaSourceId": source,
            "DiaSource.visitId": np.full(n, visit),
            "DiaSource.detector": np.zeros(n, int),
            "DiaSource.midPointTai": np.full(n, mjd),
            "DiaForcedSource.diaForcedSourceId": source[:1],
            "DiaForcedSource.diaObjectId": names[:1],
            "DiaForcedSource.visitId": np.full(1, visit),
            "DiaForcedSource.detector": np.zeros(1, int),
            "DiaForcedSource.midPointTai": np.full(1, mjd),
            "DiaForcedSource.ra": ra[:1],
            "DiaForcedSource.decl": decl[:1],
        }
        np.savez(folder / "visit.npz", **held)
        rival.ask("store", path=str(folder / "visit.npz"), mjd=mjd)
        links.add(source[STILL:], 1 + np.arange(MOVING))
    np.savez(folder / "links.npz", source=links.source, owner=links.owner)
    told = rival.ask("reassign", path=str(folder / "links.npz"))
    return told["rows"] / (told["client"] + told["server"]), told["rows"] / told["wall"]


def figure(name: str, value: float, unit: str, **more: Any) -> None:
    """Print one figure."""
    told = {"name": f"relink.{name}", "value": value, "unit": unit, **more}
    print(json.dumps(told), flush=True)


def measure(dsn: str, rival: Rival | None, folder: Path, visits: int) -> None:
    """Fill the databases, re-link and withdraw, print the figures."""
    rng = np.random.default_rng(1)
    connection = psycopg2.connect(dsn)
    _at, night = fill(connection, visits, rng)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    connection.autocommit = False
    alone_wall, alone_cpu, alone = relink(connection, night.half(0))

    stop, told = _FORK.RawValue("b", 0), _FORK.Queue()
    other = _FORK.Process(target=keep_visiting, args=(dsn, stop, told))
    other.start()
    told.get()  # the first visit founds the objects of its field
    idle = [told.get()[0] for _ in range(5)]
    busy = night.half(1)
    wall, _cpu, meanwhile = relink(connection, busy)
    stop.value = 1
    other.join()
    spent = []
    while not told.empty():
        spent.append(told.get())

    n = len(busy.source)
    theirs = rival_rate(rival, folder, rng) if rival is not None else None
    against = {"against": "lsst-dax-apdb"} if theirs else {}
    told_wall = {"rival": round(theirs[1])} if theirs else {}
    moving = 1 - alone["following"]
    figure("rows", round(n / wall), "rows/s", bar=">= 15000", sources=n,
           chunks=meanwhile["chunks"], versions=round(meanwhile["versions"] / wall),
           alone=round(n / alone_wall), moved=round(n / wall / (1 - meanwhile["following"])),
           **told_wall, **against)  # fmt: skip
    mine = len(night.half(0).source) / alone_cpu
    ratios = {}
    if theirs:
        ratios = {"ratio": round(mine / moving / theirs[0], 2),
                  "whole_ratio": round(mine / theirs[0], 2), "rival": round(theirs[0])}  # fmt: skip
    figure("cpu", round(mine / moving), "rows/CPU s", bar="ratio >= 5", part="moved",
           whole=round(mine), **ratios, **against)  # fmt: skip
    figure("objects", round(1000 / mine * alone["following"], 4), "s",
           share=round(alone["following"], 3))  # fmt: skip
    longest, cpu = max(spent)
    figure("visit", round(longest, 2), "s", bar="<= 2", visits=len(spent), cpu=round(cpu, 2),
           median=round(statistics.median(wall for wall, _ in spent), 2),
           idle=round(max(idle), 2))  # fmt: skip
    lock = max(meanwhile["lock"], alone["lock"])
    figure("lock", round(lock, 3), "s", bar="<= 1", alone=round(alone["lock"], 3))
    withdraw(connection)
    connection.close()


def withdraw(connection: Any) -> None:
    """Withdraw a visit of the other field, whose objects all go on."""
    meter, spent = Meter(connection), dict[str, float]()
    with connection.cursor() as cursor:
        visit, _ccd = of_visit(START, 1)
        n = one(cursor, "SELECT count(*) FROM prompt_live.diasource WHERE visitid = %s", visit)
        with meter.measured(spent, "all"):
            cursor.execute("SELECT ledger.withdraw(%s, 'benchmark')", (visit,))
            connection.commit()
        lock = one(cursor, "SELECT lockseconds FROM ledger.epoch ORDER BY epochtai DESC LIMIT 1")
    connection.commit()
    figure("withdraw", round(spent["all wall"], 2), "s", cpu=round(spent["all"], 2), sources=n,
           lock=round(lock, 3))  # fmt: skip


def main() -> None:
    """Run against a throw-away server and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--visits", type=int, default=13, help="visits of the field")
    parser.add_argument("--rival-python", help="Python that has lsst-dax-apdb; 'none': no rival")
    chosen = parser.parse_args()
    python = None if chosen.rival_python == "none" else rival_python(chosen.rival_python)
    with server("relink") as (cluster, home):
        apdb = database(cluster, "apdb")
        rival = None if python is None else Rival(python, apdb)
        measure(cluster.dsn("postgres"), rival, home, chosen.visits)
        if rival is not None:
            rival.close()


if __name__ == "__main__":
    main()
