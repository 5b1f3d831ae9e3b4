"""Rubin's Alert Production Database in a process of its own, driven by lines of JSON.

`visit_load.py` starts it with the Python of an environment that has lsst-dax-apdb (GPL-3, which is
why it is never imported by the product). Every line on stdin is a command, every line on stdout its
answer: CPU seconds of this process and of its server backends, wall seconds, rows.
"""

import json
import os
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psycopg2
from astropy.time import Time
from lsst.dax.apdb import Apdb, ApdbTables
from lsst.dax.apdb.sql import ApdbSql
from lsst.sphgeom import Angle, Circle, LonLat, UnitVector3d

# How the rival names what the visits hold.
NAMES = {
    ApdbTables.DiaObject: {
        "diaObjectId": "diaObjectId", "ra": "ra", "decl": "dec", "nDiaSources": "nDiaSources",
        "firstDiaSourceTai": "firstDiaSourceMjdTai", "lastDiaSourceTai": "lastDiaSourceMjdTai",
    },
    ApdbTables.DiaSource: {
        "diaSourceId": "diaSourceId", "diaObjectId": "diaObjectId", "ra": "ra", "decl": "dec",
        "midPointTai": "midpointMjdTai", "visitId": "visit", "detector": "detector",
        "psFlux": "psfFlux", "psFluxErr": "psfFluxErr", "raErr": "raErr", "declErr": "decErr",
    },
    ApdbTables.DiaForcedSource: {
        "diaForcedSourceId": "diaForcedSourceId", "diaObjectId": "diaObjectId", "ra": "ra",
        "decl": "dec", "midPointTai": "midpointMjdTai", "visitId": "visit",
        "detector": "detector", "psFlux": "psfFlux", "psFluxErr": "psfFluxErr",
    },
}  # fmt: skip


def seconds(pid: int) -> float:
    """CPU seconds that a process has used."""
    words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


class Rival:
    """The rival's database and the CPU it costs."""

    def __init__(self, url: str, dsn: str) -> None:
        self.config = ApdbSql.init_database(
            db_url=url, dia_object_index="last_object_table", read_sources_months=12,
            read_forced_sources_months=12,
        )  # fmt: skip
        self.apdb = Apdb.from_config(self.config)
        self.watch = psycopg2.connect(dsn)
        self.watch.autocommit = True

    def backends(self) -> dict[int, float]:
        """CPU seconds of the rival's sessions so far."""
        with self.watch.cursor() as cursor:
            cursor.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
                "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            return {pid: seconds(pid) for (pid,) in cursor.fetchall()}

    def timed(self, work: Any) -> dict[str, Any]:
        """Do something and say what it cost."""
        before, cpu, wall = self.backends(), time.process_time(), time.perf_counter()
        rows = work()
        told = {"client": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        after = self.backends()
        told["server"] = sum(after.values()) - sum(v for p, v in before.items() if p in after)
        return {**told, "rows": rows}

    def frame(self, table: ApdbTables, given: dict[str, Any], rng: Any) -> pd.DataFrame:
        """All columns of a table: those given, random numbers in the others, a tenth missing."""
        renamed = {new: given[old] for old, new in NAMES[table].items() if old in given}
        n = len(next(iter(renamed.values())))
        columns = {}
        for column in self.apdb.schema.tableSchemas[table].columns:
            if column.name in renamed:
                columns[column.name] = renamed[column.name]
                continue
            if column.name in ("validityStartMjdTai", "validityEndMjdTai"):
                continue
            kind = column.datatype.name.lower()
            if kind in ("char", "string", "text", "unicode"):
                columns[column.name] = np.full(n, "r")
            elif kind in ("boolean", "bool"):
                columns[column.name] = rng.random(n) < 0.1
            elif kind in ("long", "int", "short", "byte"):
                if not column.nullable:
                    columns[column.name] = rng.integers(0, 100, n)
            elif column.name not in ("timeWithdrawnMjdTai", "ssObjectReassocTimeMjdTai"):
                values = rng.normal(0, 100, n)
                if kind == "float":
                    values = values.astype(np.float32)
                if column.nullable:
                    values[rng.random(n) < 0.1] = np.nan
                columns[column.name] = values
        return pd.DataFrame(columns)

    def store(self, path: str, mjd: float) -> dict[str, Any]:
        """Store one visit; making the frames does not count."""
        rng = np.random.default_rng(int(mjd * 1000))
        with np.load(path) as held:
            frames = [
                self.frame(
                    table,
                    {k.split(".")[1]: v for k, v in held.items() if k.startswith(table.name + ".")},
                    rng,
                )
                for table in NAMES
            ]

        def work() -> int:
            self.apdb.store(Time(mjd, format="mjd", scale="tai"), *frames)
            return sum(map(len, frames))

        return self.timed(work)

    def read(self, ra: float, decl: float, radius: float, mjd: float) -> dict[str, Any]:
        """Twelve months of a field into numpy: objects, their sources, their forced rows."""
        centre = UnitVector3d(LonLat.fromDegrees(ra, decl))
        region = Circle(centre, Angle.fromDegrees(radius))
        when = Time(mjd, format="mjd", scale="tai")

        columns: dict[str, list[str]] = {}

        def work() -> list[int]:
            objects = self.apdb.getDiaObjects(region)
            known = objects["diaObjectId"].tolist()
            found = [
                objects,
                self.apdb.getDiaSources(region, known, when),
                self.apdb.getDiaForcedSources(region, known, when),
            ]
            held = [{name: frame[name].to_numpy() for name in frame} for frame in found]
            columns.update(zip((table.name for table in NAMES), map(list, held), strict=True))
            return [len(frame["diaObjectId"]) for frame in held]

        return {**self.timed(work), "columns": columns}

    def reassign(self, path: str) -> dict[str, Any]:
        """Give sources to SSObjects."""
        with np.load(path) as held:
            links = dict(zip(held["source"].tolist(), held["owner"].tolist(), strict=True))

        def work() -> int:
            self.apdb.reassignDiaSources(links)
            return len(links)

        return self.timed(work)


def main() -> None:
    """Obey until the end of the input."""
    answers = sys.stdout
    with redirect_stdout(sys.stderr):
        rival = Rival(sys.argv[1], sys.argv[2])
        print(json.dumps({"ready": True}), file=answers, flush=True)
        for line in sys.stdin:
            command = json.loads(line)
            told = getattr(rival, command.pop("do"))(**command)
            print(json.dumps(told), file=answers, flush=True)


if __name__ == "__main__":
    main()
