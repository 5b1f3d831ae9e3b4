"""What asking about the past costs, and whether the store stays as fast as it was when new.

Two databases with 400,000 DIAObjects and 2,000,000 closed versions, spread evenly over 12 and over
120 months, with the partitions of the history that the product makes of them, on one throw-away
server with all its safeties on. Rows lie in the order of fields of a quarter degree, as visits
write them. In the same call stands the rival: one table of all versions, with createdTai and
deletedTai and a partial index on the sky for the current rows. Cones have a radius of 1 arcmin and
are somewhere else each time; both sides take turns. Latencies are medians of the client's clock,
planning included; ``p10`` is their tenth percentile, which other work on the machine disturbs less,
and ``cpu`` is what the server spent. Printed as JSON lines:

``as-of.cone_live``   ms, ``prompt_live.DIAObject``: the slower of the two databases (bar 0.5)
``as-of.cone_12``     ms, ``prompt_at.DIAObject(T)`` with T anywhere in the 12 months (bar 1);
                      ``oldest`` is the tenth furthest back
``as-of.cone_120``    ms, the same over 120 months (bar 4)
``as-of.count``       a full count as of T over a plain count of the same partitions (bar 2): the
                      worst of five instants
``as-of.publish``     s, ``ledger.publish`` of new versions of 10,000 DIAObjects (bar 0.3), commit
                      included
``as-of.soak``        after 300 visits of 1,000 DIAObjects each, a tenth of a real visit, over a
                      field of 20,000 in a store of 400,000: the larger of cone time and index size
                      over those of the same rows freshly built (bar 1.5)

``as-of.png`` shows the latencies over the age of the instant.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl
import psycopg2

from ingest.staging import slot
from skyledger import dictionary as dd
from skyledger.database import schema
from skyledger.database.cluster import Cluster, temporary_home

mpl.use("Agg")
from matplotlib import pyplot as plt

OBJECTS = 400_000
VERSIONS = 5  # closed ones of each object
SIDE = 10.0  # deg of the square field, whose corner is at (150, -5)
MONTHS = (12, 120)
SHOWN = "diaObjectId, ra, decl, rPsFluxMean, rPsFluxMeanErr, nDiaSources"

# Filled past the ledger, as a restored copy would be: its triggers stand aside for the session.
FILL = """
SET LOCAL session_replication_role = replica;
DROP INDEX prompt_store.diaobject_sky_idx, prompt_store.diaobject_history_sky_idx;
INSERT INTO prompt_store.diaobject (diaobjectid, ra, decl, raerr, declerr, hpx29, radectai,
  ndiasources, firstdiasourcetai, lastdiasourcetai, flags, gpsfluxmean, gpsfluxmeanerr,
  gpsfluxndata, rpsfluxmean, rpsfluxmeanerr, rpsfluxndata, rtotfluxmean, rtotfluxmeanerr,
  insertedtai, createdtai)
SELECT (1::bigint << 54) + g, ra, decl, 0.05, 0.05, g,
  61000, {versions} + 1, 60000, 61000, 0, 200, 10, 4, 100, 10, 5, 1000, 10,
  science.tai_now() - interval '1 month' * {months} + interval '1 hour',
  science.tai_now() - interval '1 hour'
FROM (
  SELECT ra, decl, row_number() OVER (ORDER BY floor(4 * decl), floor(4 * ra)) AS g
  FROM (
    SELECT 150 + {side} * random() AS ra, -5 + {side} * random() AS decl
    FROM generate_series(1, {objects})
  ) AS p
) AS q ORDER BY g;
-- Versions end at instants that are spread evenly, at others for each object.
INSERT INTO prompt_store.diaobject_history (diaobjectid, ra, decl, raerr, declerr, hpx29, radectai,
  ndiasources, firstdiasourcetai, lastdiasourcetai, flags, gpsfluxmean, gpsfluxmeanerr,
  gpsfluxndata, rpsfluxmean, rpsfluxmeanerr, rpsfluxndata, rtotfluxmean, rtotfluxmeanerr,
  insertedtai, createdtai, deletedtai)
SELECT diaobjectid, ra, decl, raerr, declerr, hpx29, radectai, k + 1, firstdiasourcetai,
  lastdiasourcetai, flags, gpsfluxmean, gpsfluxmeanerr, gpsfluxndata, rpsfluxmean, rpsfluxmeanerr,
  rpsfluxndata, rtotfluxmean, rtotfluxmeanerr, insertedtai,
  CASE WHEN k = 0 THEN insertedtai ELSE insertedtai + life * ((k - 1 + jitter) / last) END,
  CASE WHEN k = last THEN createdtai ELSE insertedtai + life * ((k + jitter) / last) END
    - interval '1 microsecond'
FROM (
  SELECT *, createdtai - insertedtai AS life, {versions} - 1 AS last,
    ((hashint8(diaobjectid) & 1023) + 1) / 1026.0 AS jitter
  FROM prompt_store.diaobject
) AS o, generate_series(0, {versions} - 1) AS k;
CREATE INDEX diaobject_sky_idx ON prompt_store.diaobject
  USING gist (spoint(radians(ra), radians(decl)));
CREATE INDEX diaobject_history_sky_idx ON prompt_store.diaobject_history
  USING gist (spoint(radians(ra), radians(decl)));
INSERT INTO ledger.epoch (epochtai, kind, nrows)
SELECT science.tai_now() - interval '1 month' * {months} + interval '1 hour' * g, 'heartbeat', 0
FROM generate_series(1, 24 * 30 * {months} - 24) AS g;
-- The rival.
CREATE TABLE public.versions AS
SELECT {columns}, insertedtai, createdtai, deletedtai FROM prompt_history.diaobject;
ALTER TABLE public.versions ADD PRIMARY KEY (diaobjectid, createdtai);
CREATE INDEX versions_now ON public.versions USING gist (spoint(radians(ra), radians(decl)))
  WHERE deletedtai = '9999-12-31';
CREATE INDEX versions_sky ON public.versions USING gist (spoint(radians(ra), radians(decl)));
CREATE INDEX versions_key ON public.versions (diaobjectid) WHERE deletedtai = '9999-12-31';
"""


def tell(name: str, value: float, unit: str, **more: Any) -> None:
    """Print one figure; numbers with four digits."""
    rounded = {
        k: float(f"{v:.4g}") if isinstance(v, float) else v
        for k, v in {"value": value, **more}.items()
    }
    print(json.dumps({"name": f"as-of.{name}", "unit": unit, **rounded}), flush=True)


class Bench:
    """A connection whose statements are timed, with the CPU of its server process."""

    def __init__(self, dsn: str) -> None:
        self.connection: Any = psycopg2.connect(dsn)
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()
        self.pid = self.connection.info.backend_pid

    def one(self, statement: str, *values: Any) -> Any:
        """Return the first column of the first row."""
        self.cursor.execute(statement, values)
        row: Any = self.cursor.fetchone()
        return row[0]

    def cpu(self) -> float:
        """CPU seconds that the server process has used."""
        words = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def timed(self, statement: str, *values: Any) -> float:
        """Run a query, fetch its rows, return the seconds."""
        begin = time.perf_counter()
        self.cursor.execute(statement, values or None)
        self.cursor.fetchall()
        return time.perf_counter() - begin

    def turns(
        self, ways: dict[str, Callable[[], str]], n: int
    ) -> dict[str, tuple[list[float], float]]:
        """Run queries in turn, in runs of ten; seconds of each and CPU seconds a query.

        The first tenth warms up and is not counted. A run of ten of one kind lets the caches hold
        what they would in a session that asks that kind.
        """
        times: dict[str, list[float]] = {way: [] for way in ways}
        spent = dict.fromkeys(ways, 0.0)
        runs = max(1, n // 10)
        for turn in range(runs + max(1, runs // 10)):
            for way, make in ways.items():
                counted = turn >= max(1, runs // 10)
                before = self.cpu()
                found = [self.timed(make()) for _ in range(10)]
                if counted:
                    times[way] += found
                    spent[way] += self.cpu() - before
        return {way: (times[way], spent[way] / len(times[way])) for way in ways}


def cone(rng: random.Random) -> str:
    """Condition of a cone of 1 arcmin somewhere in the field."""
    ra = 150 + SIDE * (0.01 + 0.98 * rng.random())
    decl = -5 + SIDE * (0.01 + 0.98 * rng.random())
    return f"science.in_cone(ra, decl, {ra:.6f}, {decl:.6f}, 60)"


def at(instant: datetime) -> str:
    """Write a literal of an instant."""
    return f"timestamp '{instant}'"


def build(dsn: str, months: int) -> None:
    """Fill one database."""
    connection = psycopg2.connect(dsn)
    names = ", ".join(c.sql_name for c in dd.shipped()["DIAObject"].columns)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ledger.ensure_partitions(science.mjd_now() - 30.5 * %s, science.mjd_now())",
            (months,),
        )
        connection.commit()
        cursor.execute("SET work_mem = '128MB'; SET max_parallel_maintenance_workers = 0")
        cursor.execute(
            FILL.format(side=SIDE, versions=VERSIONS, months=months, objects=OBJECTS, columns=names)
        )
        connection.commit()
        connection.autocommit = True
        cursor.execute(
            "VACUUM ANALYZE prompt_store.diaobject, prompt_store.diaobject_history, "
            "ledger.epoch, public.versions"
        )
    connection.close()


def ages(bench: Bench) -> tuple[datetime, datetime]:
    """First and last instant that the history reaches over."""
    return (
        bench.one("SELECT min(insertedtai) FROM prompt_store.diaobject"),
        bench.one("SELECT max(createdtai) FROM prompt_store.diaobject"),
    )


def cones(bench: Bench, n: int) -> dict[str, Any]:
    """Cones of now and of the past, ours and the rival's."""
    rng = random.Random(bench.pid)  # noqa: S311
    first, last = ages(bench)
    asked: list[float] = []

    def instant() -> str:
        asked.append(rng.random())
        return at(first + (last - first) * asked[-1])

    def rival() -> str:
        t = at(first + (last - first) * rng.random())
        return (
            f"SELECT {SHOWN} FROM public.versions "
            f"WHERE createdtai <= {t} AND deletedtai >= {t} AND {cone(rng)}"
        )

    found: dict[str, Any] = bench.turns(
        {
            "raw": lambda: f"SELECT {SHOWN} FROM prompt_store.diaobject WHERE {cone(rng)}",
            "live": lambda: f"SELECT {SHOWN} FROM prompt_live.diaobject WHERE {cone(rng)}",
            "past": lambda: (
                f"SELECT {SHOWN} FROM prompt_at.diaobject({instant()}) WHERE {cone(rng)}"
            ),
            "rival live": lambda: (
                f"SELECT {SHOWN} FROM public.versions "
                f"WHERE deletedtai = '9999-12-31' AND {cone(rng)}"
            ),
            "rival past": rival,
        },
        n,
    )
    found["age"] = [1 - x for x in asked[-len(found["past"][0]) :]]
    return found


def tenth(seconds: list[float]) -> float:
    """Tenth percentile, in milliseconds."""
    return 1e3 * statistics.quantiles(seconds, n=10)[0]


def oldest(found: dict[str, Any]) -> float:
    """Median seconds of the tenth of the cones that looked furthest back."""
    pairs = sorted(zip(found["age"], found["past"][0], strict=True))
    last = [float(seconds) for _, seconds in pairs[-max(1, len(pairs) // 10) :]]
    return statistics.median(last)


def counts(bench: Bench) -> tuple[float, list[dict[str, float]]]:
    """Full counts as of five instants against plain counts of the partitions they have to read."""
    first, last = ages(bench)
    told = []
    for k in (0.02, 0.25, 0.5, 0.75, 0.98):
        t = first + (last - first) * k
        past = f"SELECT count(*) FROM prompt_at.diaobject({at(t)})"
        # deletedTai alone chooses the partitions, one a year; this condition keeps whole ones.
        year = at(t.replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0))
        plain = (
            "SELECT (SELECT count(*) FROM prompt_store.diaobject) + "
            f"(SELECT count(*) FROM prompt_store.diaobject_history WHERE deletedtai >= {year})"
        )
        rival = (
            f"SELECT count(*) FROM public.versions WHERE createdtai <= {at(t)} "
            f"AND deletedtai >= {at(t)}"
        )
        if bench.one(past) != OBJECTS or bench.one(rival) != OBJECTS:
            raise SystemExit(f"as of {t} there are not {OBJECTS} objects")
        turns = [[bench.timed(q) for q in (past, plain, rival)] for _ in range(5)]
        ours, bare, theirs = (statistics.median(turn) for turn in zip(*turns, strict=True))
        told.append({"at": k, "ours": ours, "plain": bare, "rival": theirs})
    return max(t["ours"] / t["plain"] for t in told), told


def stage_versions(bench: Bench, number: int, kind: str, chosen: str, *, moved: bool = True) -> int:
    """Stage new versions of the chosen objects; return the batch."""
    names = [c.sql_name for c in dd.shipped()["DIAObject"].columns]
    shown = ", ".join(
        {
            "ndiasources": "ndiasources + 1",
            "rpsfluxmean": "rpsfluxmean + 1",
            "ra": "ra + 1e-6 * (random() - 0.5)" if moved else "ra",
        }.get(n, n)
        for n in names
    )
    bench.cursor.execute("SELECT staging.clear(%s::smallint)", (number,))
    batch: int = bench.one(
        "SELECT batch FROM ledger.open_batch(%s, NULL, '{}', 'bench', %s::smallint)", kind, number
    )
    bench.cursor.execute(
        f"INSERT INTO staging.diaobject (slot, {', '.join(names)}, replacestai) "
        f"SELECT {number}, {shown}, createdtai FROM prompt_store.diaobject WHERE {chosen}"
    )
    return batch


def publications(bench: Bench, turns: int) -> tuple[float, float, float]:
    """Seconds of publishing 10,000 objects, CPU seconds of it, and seconds of the rival."""
    ours, spent, theirs = [], [], []
    rng = random.Random(3)  # noqa: S311
    for _ in range(turns + 1):
        start = rng.randrange(OBJECTS - 10_000)
        chosen = f"diaobjectid - (1::bigint << 54) BETWEEN {start + 1} AND {start + 10_000}"
        with slot(bench.connection) as number:
            bench.connection.autocommit = True  # the slot has turned it off
            batch = stage_versions(bench, number, "visit", chosen)
            cpu, begin = bench.cpu(), time.perf_counter()
            bench.one("SELECT ledger.publish(%s)", batch)
            ours.append(time.perf_counter() - begin)
            spent.append(bench.cpu() - cpu)
            begin = time.perf_counter()
            bench.cursor.execute(
                f"WITH old AS (UPDATE public.versions SET deletedtai = science.tai_now() "
                f"WHERE {chosen} AND deletedtai = '9999-12-31' RETURNING diaobjectid) "
                f"INSERT INTO public.versions SELECT "
                f"{', '.join('s.' + c.sql_name for c in dd.shipped()['DIAObject'].columns)}, "
                f"science.tai_now(), science.tai_now(), '9999-12-31' "
                f"FROM staging.diaobject AS s JOIN old USING (diaobjectid) WHERE s.slot = {number}"
            )
            theirs.append(time.perf_counter() - begin)
    bench.connection.autocommit = True
    return tuple(statistics.median(x[1:]) for x in (ours, spent, theirs))  # type: ignore[return-value]


def index_bytes(bench: Bench, table: str) -> int:
    """Bytes of all indexes of a table."""
    return int(bench.one("SELECT pg_indexes_size(%s)", table))


def soak(bench: Bench, visits: int) -> dict[str, float]:
    """Publish visits of a field again and again, then compare with the same rows freshly built."""
    rng = random.Random(5)  # noqa: S311
    bench.cursor.execute(
        "SELECT diaobjectid FROM prompt_store.diaobject "
        "WHERE ra BETWEEN 152 AND 154.2361 AND decl BETWEEN -3 AND -0.7639"
    )
    field = [int(i) for (i,) in bench.cursor.fetchall()]

    def inside() -> str:
        ra, decl = 152.1 + 2 * rng.random(), -2.9 + 2 * rng.random()
        return f"science.in_cone(ra, decl, {ra:.6f}, {decl:.6f}, 60)"

    before = index_bytes(bench, "prompt_store.diaobject")
    for _ in range(visits):
        with slot(bench.connection) as number:
            bench.connection.autocommit = True  # the slot has turned it off
            chosen = ", ".join(map(str, rng.sample(field, 1000)))
            batch = stage_versions(bench, number, "visit", f"diaobjectid IN ({chosen})")
            bench.one("SELECT ledger.publish(%s)", batch)
    bench.connection.autocommit = True
    bench.cursor.execute(
        "CREATE TABLE public.fresh (LIKE prompt_store.diaobject);"
        "INSERT INTO public.fresh SELECT * FROM prompt_store.diaobject ORDER BY diaobjectid;"
    )
    indexes = bench.one(
        "SELECT string_agg(regexp_replace(indexdef, 'INDEX .* ON prompt_store.diaobject ', "
        "'INDEX ON public.fresh '), '; ') FROM pg_indexes "
        "WHERE schemaname = 'prompt_store' AND tablename = 'diaobject'"
    )
    bench.cursor.execute(indexes)
    bench.cursor.execute("VACUUM ANALYZE public.fresh")
    found = bench.turns(
        {
            "worn": lambda: f"SELECT {SHOWN} FROM prompt_store.diaobject WHERE {inside()}",
            "live": lambda: f"SELECT {SHOWN} FROM prompt_live.diaobject WHERE {inside()}",
            "fresh": lambda: f"SELECT {SHOWN} FROM public.fresh WHERE {inside()}",
        },
        600,
    )
    worn, fresh = (statistics.median(found[k][0]) for k in ("worn", "fresh"))
    size = index_bytes(bench, "prompt_store.diaobject") / index_bytes(bench, "public.fresh")
    heap = bench.one(
        "SELECT pg_relation_size('prompt_store.diaobject')::float8 "
        "/ pg_relation_size('public.fresh')"
    )
    return {
        "time": worn / fresh,
        "size": size,
        "heap": heap,
        "grown": index_bytes(bench, "prompt_store.diaobject") / before,
    }


def plot(found: dict[int, dict[str, Any]], path: Path) -> None:
    """Draw latency over the age of the instant."""
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for months, each in found.items():
        bins = 12
        points: list[list[float]] = [[] for _ in range(bins)]
        for age, seconds in zip(each["age"], each["past"][0], strict=True):
            points[min(bins - 1, int(age * bins))].append(1e3 * seconds)
        kept = [(k, p) for k, p in enumerate(points) if p]
        x = [months * (k + 0.5) / bins for k, _ in kept]
        axes.plot(x, [statistics.median(p) for _, p in kept], "o-", label=f"{months} months, ours")
        for way, style in (("live", ":"), ("rival past", "--")):
            axes.axhline(
                1e3 * statistics.median(each[way][0]),
                linestyle=style,
                color=axes.lines[-1].get_color(),
                label=f"{months} months, {'now' if way == 'live' else 'one table of versions'}",
            )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="age of the instant [months]",
        ylabel="cone of 1 arcmin, planning included [ms]",
        title=f"{OBJECTS:,} DIAObjects, {OBJECTS * VERSIONS:,} closed versions",
    )
    axes.legend(fontsize="small")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


def main() -> None:
    """Run against a throw-away server and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--plots", type=Path, default=Path(), help="folder of as-of.png")
    parser.add_argument("--cones", type=int, default=600, help="of each kind in each database")
    parser.add_argument("--visits", type=int, default=300, help="of the soak")
    arguments = parser.parse_args()
    arguments.plots.mkdir(parents=True, exist_ok=True)
    home = temporary_home()
    # The soak packs hours of visits into a minute; autovacuum looks that much more often.
    cluster = Cluster(home, {"autovacuum_naptime": "1s", "max_wal_size": "8GB"})
    cluster.start()
    try:
        administration = Bench(cluster.dsn("postgres"))
        found, benches = {}, {}
        for months in MONTHS:
            administration.cursor.execute(f"CREATE DATABASE m{months}")
            made = psycopg2.connect(cluster.dsn(f"m{months}"))
            schema.upgrade(made)
            made.close()
        for months in MONTHS:
            build(cluster.dsn(f"m{months}"), months)
            administration.cursor.execute("CHECKPOINT")
            benches[months] = Bench(cluster.dsn(f"m{months}"))
            found[months] = cones(benches[months], arguments.cones)
        plot(found, arguments.plots / "as-of.png")

        def ms(months: int, way: str) -> float:
            seconds: list[float] = found[months][way][0]
            return 1e3 * statistics.median(seconds)

        slower = max(MONTHS, key=lambda m: ms(m, "live"))
        tell(
            "cone_live", ms(slower, "live"), "ms", bar="< 0.5",
            p10=tenth(found[slower]["live"][0]), cpu=1e3 * found[slower]["live"][1],
            ratio=ms(slower, "live") / ms(slower, "raw"), against="the table itself",
            rival=ms(slower, "rival live"),
        )  # fmt: skip
        for months, bar in zip(MONTHS, ("< 1", "< 4"), strict=True):
            tell(
                f"cone_{months}", ms(months, "past"), "ms", bar=bar,
                p10=tenth(found[months]["past"][0]), oldest=1e3 * oldest(found[months]),
                cpu=1e3 * found[months]["past"][1],
                ratio=ms(months, "past") / ms(months, "raw"), against="the current table",
                rival=ms(months, "rival past"),
            )  # fmt: skip
        for months in MONTHS:
            ratio, told = counts(benches[months])
            worst = max(told, key=lambda t: t["ours"] / t["plain"])
            tell(
                "count", ratio, "ratio", bar="<= 2", against="a plain count", months=months,
                seconds=worst["ours"], rival=worst["rival"],
            )  # fmt: skip
        seconds, cpu, rival = publications(benches[12], 9)
        tell(
            "publish", seconds, "s", bar="<= 0.3", cpu=cpu, rival=rival, ratio=rival / seconds,
            against="one table of versions",
        )  # fmt: skip
        worn = soak(benches[12], arguments.visits)
        tell(
            "soak", max(worn["time"], worn["size"]), "ratio", bar="<= 1.5", cone=worn["time"],
            index=worn["size"], heap=worn["heap"], index_growth=worn["grown"],
            visits=arguments.visits, against="the same rows freshly built",
        )  # fmt: skip
        for bench in (*benches.values(), administration):
            bench.connection.close()
    finally:
        cluster.destroy()
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
