"""What a visit costs to store, to read back and to compute, against Rubin's lsst-dax-apdb.

A visit is 10,000 DIASources, their 10,000 DIAObjects and 20,000 forced measurements, every column
of the dictionary filled and a tenth of the nullable values missing; the rival gets the same
objects, sources and forced rows, and fills its own columns likewise. Both databases lie on one
server on a disk, with all of its safeties on, and take turns within one process. CPU seconds are
those of the client and of the server's sessions; medians over the visits. Printed as JSON lines:

``visit-load.cpu``        s of CPU to store a visit: staging, validation, publication; ``ratio``
                          is the rival's ``store()`` over it
``visit-load.read``       s of CPU to read twelve months of a field into numpy, like for like: what
                          the rival reads, as far as we have it (`support/reading.py` says how),
                          with ``ratio``; the rival by getDiaObjects, getDiaSources and
                          getDiaForcedSources, each followed by to_numpy
``visit-load.read_all``   the same of every column of our dictionary, covariance matrices too
``visit-load.wall``       s of wall time to store a visit
``visit-load.rows``       rows of a visit; ``visit-load.bytes`` on disk with indexes, and
                          ``visit-load.wal`` bytes of log, a visit; ``rival`` is the rival's
``visit-load.associate``  s of CPU of `staging.associate` in a field with a year of history
``visit-load.recompute``  s of CPU of `staging.characterize` and `characterize_fluxes` there
``visit-load.growth``     load and association of the last visits of that field over the first

The rival's packages are the optional dependencies ``benchmark`` of pyproject.toml (GPL-3). They are
installed into an environment of their own in ``$SKYLEDGER_HOME/benchmark``.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2

from ingest.staging import slot, stage
from skyledger import dictionary as dd
from skyledger import ids

sys.path.append(str(Path(__file__).parent))
from support import reading
from support.fields import (
    RADIUS,
    Field,
    Rows,
    by_detector,
    ccd_visit,
    filled,
    forced,
    of_visit,
    places,
    sources,
)
from support.rival import Rival, rival_python
from support.server import database, server
from support.visit_figures import draw, report

START = 61000.6  # MJD TAI
CENTRES = ((10.0, -20.0), (150.0, 2.0), (210.0, -45.0))
LONG = (60.0, -30.0)  # the field with a year of history


class Meter:
    """CPU of this process and of one server session, and the log that the server has written."""

    def __init__(self, connection: Any) -> None:
        self.pid = connection.info.backend_pid

    def server(self) -> float:
        """CPU seconds of the session so far."""
        words = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    @contextmanager
    def measured(self, into: dict[str, float], name: str) -> Iterator[None]:
        """Add what happens inside to ``name`` (CPU) and ``name wall``."""
        cpu, wall = time.process_time() + self.server(), time.perf_counter()
        yield
        into[name] = into.get(name, 0.0) + time.process_time() + self.server() - cpu
        into[f"{name} wall"] = into.get(f"{name} wall", 0.0) + time.perf_counter() - wall


def one(cursor: Any, query: str, *values: Any) -> Any:
    """First column of the first row."""
    cursor.execute(query, values)
    return cursor.fetchone()[0]


def publish(
    connection: Any, meter: Meter, visit: int, mjd: float, frame: Rows, *,
    rows: dict[str, Rows], compute: Callable[[Any, int], Rows] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Bring a visit in as ingest does; returns what each step cost, and the epoch.

    Without ``compute`` all rows are given, DIAObjects too. With it they are computed: it measures
    the objects of the field and returns the forced rows.
    """
    relations = dd.shipped()
    spent: dict[str, Any] = {}
    with connection.cursor() as cursor:
        with meter.measured(spent, "load"):
            cursor.execute("SELECT ledger.ensure_partitions(%s, %s), ledger.ensure_partitions("
                           "science.mjd_now(), science.mjd_now() + 31)", (mjd, mjd))  # fmt: skip
            connection.commit()
            claimed = slot(connection)
            number = claimed.__enter__()
            batch = one(cursor, "SELECT batch FROM ledger.open_batch('visit', %s, '{0}', 'bench', "
                        "%s::smallint)", visit, number)  # fmt: skip
            connection.commit()
            stage(connection, relations["CcdVisit"], frame, number)
            for name, staged in rows.items():
                stage(connection, relations[name], staged, number)
            refused = one(cursor, "SELECT staging.validate(%s::smallint, %s)", number, batch)
        if compute is not None:
            with meter.measured(spent, "associate"):
                cursor.execute("SELECT * FROM staging.associate(%s::smallint)", (number,))
            with meter.measured(spent, "recompute"):
                cursor.execute("SELECT staging.characterize(%s::smallint)", (number,))
            last = compute(cursor, number)
            with meter.measured(spent, "load"):
                stage(connection, relations["DIAForcedSource"], last, number)
            with meter.measured(spent, "recompute"):
                cursor.execute("SELECT staging.characterize_fluxes(%s::smallint)", (number,))
        with meter.measured(spent, "load"):
            if compute is not None:
                refused += one(
                    cursor, "SELECT staging.validate_diaforcedsource(%s::smallint, %s)",
                    number, batch,
                )  # fmt: skip
            spent["epoch"] = one(cursor, "SELECT ledger.publish(%s)", batch)
            connection.commit()
            claimed.__exit__(None, None, None)
    if refused:
        raise SystemExit(f"{refused} rows of visit {visit} were refused; see ledger.rejected")
    return spent


@dataclass
class Bench:
    """The two databases and what is measured of them."""

    connection: Any
    rival: Rival | None
    watch: Any  # a connection that asks for the log's place
    folder: Path
    rng: np.random.Generator
    sources: int
    ours: list[dict[str, Any]] = field(default_factory=list)
    theirs: list[dict[str, Any]] = field(default_factory=list)
    reads: list[dict[str, Any]] = field(default_factory=list)
    year: list[dict[str, Any]] = field(default_factory=list)
    founding: int = len(CENTRES)  # visits that are not counted
    sizes: tuple[float, float] = (0.0, 0.0)  # bytes on disk here and there, without the year

    def log_place(self) -> int:
        """Bytes of log that the server has written."""
        with self.watch.cursor() as cursor:
            return int(one(cursor, "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))

    def field(self, ra: float, decl: float, things: int, first: int) -> Field:
        """Make a field of things that are there for the rival and for us alike."""
        ras, decls = places(ra, decl, things, self.rng)
        pixels = ids.hpx29(ras, decls) >> 48
        names = ids.object_ids(ids.PROMPT, pixels, np.arange(first, first + things))
        return Field(ra, decl, ras, decls, names)

    def stored(self, at: Field, mjd: float, number: int, seen: Any, *, counted: bool) -> None:
        """Store a visit that saw the things ``seen`` on both sides, in turn."""
        visit, ccd = of_visit(mjd, number)
        ra, decl, names = at.ras[seen], at.decls[seen], at.names[seen]
        n = len(seen)
        # Every source moves the mean position of its object a little.
        moved_ra = (ra + self.rng.normal(0, 0.01, n) / 3600) % 360
        moved_decl = decl + self.rng.normal(0, 0.01, n) / 3600
        given = {
            "diaObjectId": names, "ra": moved_ra, "decl": moved_decl,
            "hpx29": ids.hpx29(ra, decl), "radecTai": np.full(n, mjd),
            "nDiaSources": np.full(n, number),
            "firstDiaSourceTai": np.full(n, START), "lastDiaSourceTai": np.full(n, mjd),
        }  # fmt: skip
        objects = filled(dd.shipped()["DIAObject"], given, self.rng)
        known = np.isin(names, at.names[: len(at.created)])
        before = np.full(n, np.datetime64("2000-01-01", "us"))
        before[known] = at.created[seen[known]]
        objects["replacesTai"] = np.ma.MaskedArray(before, mask=~known)
        rows = {
            "DIASource": sources(mjd, visit, ccd, ra, decl, self.rng) | {"diaObjectId": names},
            "DIAObject": objects,
        }
        size = min(2 * self.sources, len(at.names))
        measured = self.rng.choice(len(at.names), size, replace=False)
        measured = measured[by_detector(at.ras[measured], at.decls[measured])]
        rows["DIAForcedSource"] = forced(
            mjd, visit, ccd, at.names[measured], at.ras[measured], at.decls[measured], self.rng
        )
        frame = ccd_visit(at, mjd, visit, ccd)
        place = self.log_place()
        spent = publish(self.connection, Meter(self.connection), visit, mjd, frame, rows=rows)
        spent["wal"] = self.log_place() - place
        if not len(at.created):
            at.created = np.zeros(len(at.names), dtype="datetime64[us]")
        at.created[seen] = np.datetime64(spent["epoch"])
        if counted:
            self.ours.append(spent)
        if self.rival is None:
            return
        path = self.folder / "visit.npz"
        np.savez(
            path,
            **{
                f"{'Dia' + name[3:]}.{column}": np.ma.getdata(values)
                for name, staged in rows.items()
                for column, values in staged.items()
                if np.ndim(values) == 1 and column != "replacesTai"
            },
        )
        place = self.log_place()
        told = self.rival.ask("store", path=str(path), mjd=mjd)
        told["wal"] = self.log_place() - place
        if counted:
            self.theirs.append(told)

    def read(self, at: Field, mjd: float) -> None:
        """Read twelve months of a field into numpy on both sides, in turn."""
        told: dict[str, Any] = {}
        ways = {"read_all": (reading.every(), [])}
        if self.rival is not None:
            told = self.rival.ask("read", ra=at.ra, decl=at.decl, radius=RADIUS + 0.1, mjd=mjd)
            ways["read"] = reading.like(told["columns"])
        where = {"ra": at.ra, "decl": at.decl, "radius": RADIUS + 0.1, "since": mjd - 360}
        meter, spent = Meter(self.connection), {}
        for name, (wanted, spread) in ways.items():
            with meter.measured(spent, name):
                found = reading.field(self.connection, wanted, spread, where)
            self.connection.rollback()
            spent["rows"] = [len(columns["diaObjectId"]) for columns in found]
            spent[f"{name} columns"] = [len(columns) for columns in found]
            if told and told["rows"] != spent["rows"]:
                raise SystemExit(f"{spent['rows']} rows here and {told['rows']} at the rival")
        if told:
            spent["rival"] = told["client"] + told["server"]
            spent["rival columns"] = [len(columns) for columns in told["columns"].values()]
        self.reads.append(spent)

    def lived(self, at: Field, mjd: float, number: int) -> None:
        """Bring a visit in with association, recomputation and forced photometry."""
        visit, ccd = of_visit(mjd, number)
        again = self.rng.choice(len(at.ras), self.sources * 9 // 10, replace=False)
        ra, decl = places(at.ra, at.decl, self.sources - len(again), self.rng)
        ra, decl = np.r_[at.ras[again], ra], np.r_[at.decls[again], decl]
        order = by_detector(ra, decl)
        rows = sources(mjd, visit, ccd, ra[order], decl[order], self.rng)

        def objects(cursor: Any, slot_number: int) -> Rows:
            cursor.execute(
                "SELECT diaobjectid, ra, decl FROM prompt_store.diaobject "
                "WHERE ra BETWEEN %s AND %s ORDER BY random() LIMIT %s",
                (at.ra - 5, at.ra + 5, 2 * self.sources),
            )
            known = cursor.fetchall()
            cursor.execute(
                "SELECT s.diaobjectid, s.ra, s.decl FROM staging.diaobject AS s WHERE slot = %s "
                "AND replacestai IS NULL LIMIT %s",
                (slot_number, 2 * self.sources - len(known)),
            )
            names, ra, decl = zip(*known, *cursor.fetchall(), strict=True)
            return forced(mjd, visit, ccd, np.array(names), np.array(ra), np.array(decl), self.rng)

        frame = ccd_visit(at, mjd, visit, ccd)
        self.year.append(
            publish(
                self.connection,
                Meter(self.connection),
                visit,
                mjd,
                frame,
                rows={"DIASource": rows},
                compute=objects,
            )
        )


def size_on_disk(connection: Any, names: str) -> float:
    """Bytes of tables with their indexes."""
    with connection.cursor() as cursor:
        found = float(
            one(cursor, "SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM pg_class "
                "WHERE relkind = 'r' AND relname ~ %s", names)
        )  # fmt: skip
    connection.rollback()
    return found


def run(bench: Bench, chosen: argparse.Namespace) -> None:
    """Both parts: against the rival, and a year of one field."""
    count = 0
    fields = [bench.field(ra, decl, 2 * bench.sources, 1 + k * 10**8)
              for k, (ra, decl) in enumerate(CENTRES)]  # fmt: skip
    each = -(-chosen.visits // len(fields))
    for turn in range(each + 1):
        for at in fields:
            count += 1
            mjd = START + turn * 3 + count * 4e-4
            seen = np.arange(len(at.names))
            if turn:  # the first visit of a field founds its objects and is not counted
                seen = bench.rng.choice(seen, bench.sources, replace=False)
            seen = seen[by_detector(at.ras[seen], at.decls[seen])]
            bench.stored(at, mjd, count, seen, counted=bool(turn))
            print(f"visit {count} of {(each + 1) * len(fields)}", file=sys.stderr)
    tables = "^dia(source|object|forcedsource)(_history)?(_p[0-9]+)?$"
    bench.sizes = size_on_disk(bench.connection, tables), size_on_disk(bench.watch, "^Dia")
    analyze(bench)
    for repetition in range(chosen.reads + 1):
        for at in fields:
            bench.read(at, START + each * 3 + 1)
        if not repetition:
            bench.reads.clear()  # the first reading warms up
    long = bench.field(*LONG, 2 * bench.sources, 9 * 10**8)
    for number in range(chosen.year):
        mjd = START + number * 340 / max(chosen.year, 1) + 0.02
        bench.lived(long, mjd, 1000 + number % 1000)
        print(f"visit {number + 1} of {chosen.year} of a year: "
              + ", ".join(f"{k} {v:.2f}" for k, v in bench.year[-1].items() if k != "epoch"),
              file=sys.stderr)  # fmt: skip


def analyze(bench: Bench) -> None:
    """Give both databases the statistics that autovacuum would."""
    for connection in (bench.connection, bench.watch):
        connection.rollback()
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        connection.autocommit = False


def main() -> None:
    """Run against a throw-away server and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sources", type=int, default=10_000, help="DIASources a visit")
    parser.add_argument("--visits", type=int, default=12, help="visits over the three fields")
    parser.add_argument("--year", type=int, default=80, help="visits of the one field")
    parser.add_argument("--reads", type=int, default=3, help="readings of each field")
    parser.add_argument("--rival-python", help="Python that has lsst-dax-apdb; 'none': no rival")
    parser.add_argument("--plots", type=Path, default=Path.cwd(), help="folder of the plots")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    python = None if chosen.rival_python == "none" else rival_python(chosen.rival_python)
    with server("load") as (cluster, home):
        apdb = database(cluster, "apdb")
        rival = None if python is None else Rival(python, apdb)
        connection = psycopg2.connect(cluster.dsn("postgres"))
        watch = psycopg2.connect(apdb)
        rng = np.random.default_rng(chosen.seed)
        bench = Bench(connection, rival, watch, home, rng, chosen.sources)
        try:
            run(bench, chosen)
        except KeyboardInterrupt:
            print("interrupted: the figures are of the visits until then", file=sys.stderr)
        if rival is not None:
            rival.close()
        connection.close()
        watch.close()
    report(bench)
    chosen.plots.mkdir(parents=True, exist_ok=True)
    draw(bench, chosen.plots)


if __name__ == "__main__":
    main()
