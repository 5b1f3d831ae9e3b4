"""Torture of the ledger: every answer ever given must be repeated to the last bit.

Writers publish visits, late visits, re-links, withdrawals and new versions of the rest, all of the
same few objects, while readers note what they see; writers are killed, and so is the server
(``SIGKILL`` and immediate stop). A *reading* is the instant and one order-free checksum a living
relation, over every column of every row, through ``prompt``, ``prompt_live`` or ``prompt_at``. In
the end every reading's query is run again as of its instant. Then four sabotages, each a replaced
SQL function in a database of its own, must be noticed by the same readers.

=======================  =========================================================================
``torture.readings``     readings taken; ``touched``: share that saw rows changed later
``torture.differences``  readings that were not repeated exactly; ``audit``: rows of ledger.audit()
``torture.sabotage``     slowest detection [s]; one line each: ``torture.sabotage.NAME``
=======================  =========================================================================

Options: ``--seconds`` (at most) and ``--readings`` (at least) of the main part, ``--sabotages``
names or ``none``. The exit code is 1 after a difference or a sabotage that was not noticed.
"""

# ruff: noqa: S311 - chance is wanted here, not secrecy

import argparse
import contextlib
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2

from ingest.staging import slot, stage
from skyledger import dictionary as dd
from skyledger import ids
from skyledger.database import schema
from skyledger.database.cluster import Cluster
from skyledger.errors import SkyledgerError

WRITERS = ("visit", "visit", "visit", "late", "relink", "withdraw", "amend")
READERS = 3
STARS = 80  # positions on the sky, 36 arcsec apart
VISITS = 30  # live visits the withdrawing writer leaves
CATCH_SECONDS = 60
NEWEST = 61000.2  # MJD TAI of the newest night
LIVING = tuple(r.sql_name for r in dd.shipped().of_kind("living"))
# A killed writer is replaced at once; locks it might hold for ever are not used at all.
_FORK = multiprocessing.get_context("fork")

# ---------------------------------------------------------------------------------------- writers


class _NothingToDo(Exception):  # noqa: N818 - not an error
    """The database holds nothing that the writer could change."""


def _one(cursor: Any, query: str, *values: Any) -> Any:
    cursor.execute(query, values)
    return cursor.fetchone()


def _frame(visit: int, mjd: float) -> dict[str, dict[str, Any]]:
    """Rows of Visit and CcdVisit."""
    common = {
        "visitId": [visit],
        "instrument": ["simulated"],
        "band": ["r"],
        "filterName": ["r"],
        "programId": ["wide"],
        "ra": [10.2],
        "decl": [0.0],
        "beginTai": [mjd - 2e-4],
        "midPointTai": [mjd],
        "endTai": [mjd + 2e-4],
        "exposureTime": [30.0],
        "nSnaps": [2],
    }
    ccd = {
        **common,
        "ccdVisitId": [ids.ccd_visit_id(visit, 0)],
        "detector": [0],
        **{key: [1.0] for key in ("airmass", "seeing", "fluxScale", "pixelScale")},
        **{
            key: [0.0] for key in ("rotation", "astromSysRaErr", "astromSysDeclErr", "astromSysCov")
        },
        "zeroPoint": [30.0],
    }
    return {
        name: {
            key: value if isinstance(value[0], str) else np.array(value) for key, value in r.items()
        }
        for name, r in (("Visit", {**common, "isTemplate": [False]}), ("CcdVisit", ccd))
    }


def _measured(key: str, visit: int, mjd: float, first: int, n: int) -> dict[str, Any]:
    """Columns that sources and forced measurements share, with random fluxes."""
    rng = np.random.default_rng(random.getrandbits(32))
    ccd = ids.ccd_visit_id(visit, 0)
    flux = rng.normal(500, 100, n)
    return {
        key: ids.source_ids(ids.PROMPT, ccd, np.arange(first, first + n)),
        "ccdVisitId": np.full(n, ccd),
        "visitId": np.full(n, visit),
        "detector": np.zeros(n, int),
        "templateId": np.full(n, 7),
        "midPointTai": np.full(n, mjd),
        "psFlux": flux,
        "psFluxErr": np.full(n, 10.0),
        "totFlux": flux + 1000,
        "totFluxErr": np.full(n, 10.0),
        "flags": np.zeros(n, int),
    }


def _sources(visit: int, mjd: float, first: int) -> dict[str, Any]:
    stars = np.array(random.sample(range(STARS), random.randint(3, 7)))
    n = len(stars)
    rng = np.random.default_rng(random.getrandbits(32))
    ra, decl = 10 + stars / 100 + rng.normal(0, 2e-5, n), rng.normal(0, 2e-5, n)
    return {
        **_measured("diaSourceId", visit, mjd, first, n),
        "ra": ra,
        "decl": decl,
        "raErr": np.full(n, 0.07),
        "declErr": np.full(n, 0.07),
        "raDeclCov": np.zeros(n),
        "x": stars + 5.0,
        "y": stars + 5.0,
        "snr": np.full(n, 50.0),
        "psLnL": np.full(n, -1.0),
        "psChi2": np.full(n, 400.0),
        "psNdata": np.full(n, 441),
        "hpx29": ids.hpx29(ra, decl),
    }


def _stage_visit(connection: Any, cursor: Any, number: int, visit: int, mjd: float) -> None:
    dictionary = dd.shipped()
    ccd = ids.ccd_visit_id(visit, 0)
    for relation, rows in _frame(visit, mjd).items():
        stage(connection, dictionary[relation], rows, number)
    # Serials go on where a withdrawn delivery of the visit ended: ids are never used again.
    first = {}
    for key, relation in (("diasourceid", "diasource"), ("diaforcedsourceid", "diaforcedsource")):
        newest = _one(
            cursor,
            f"SELECT max({key}) FROM prompt_history.{relation} WHERE ccdvisitid = %s",
            ccd,
        )[0]
        first[relation] = 1 if newest is None else ids.parse_source_id(newest).serial + 1
    stage(connection, dictionary["DIASource"], _sources(visit, mjd, first["diasource"]), number)
    cursor.execute("SELECT staging.associate(%s::smallint)", (number,))
    cursor.execute("SELECT staging.characterize(%s::smallint)", (number,))
    cursor.execute("SELECT diaobjectid, ra, decl FROM prompt_live.diaobject")
    found = cursor.fetchall()
    chosen = random.sample(found, min(5, len(found)))
    if chosen:
        objects, ra, decl = (np.array(part) for part in zip(*chosen, strict=True))
        n = len(chosen)
        rows = _measured("diaForcedSourceId", visit, mjd, first["diaforcedsource"], n)
        rows |= {"diaObjectId": objects, "ra": ra, "decl": decl}
        stage(connection, dictionary["DIAForcedSource"], rows, number)
    cursor.execute("SELECT staging.characterize_fluxes(%s::smallint)", (number,))


def _visit(connection: Any, *, late: bool) -> None:
    """Publish a visit, or repeat a delivery, which claims nothing."""
    mjd = NEWEST - (random.randint(30, 200) if late else random.randint(0, 20))
    visit = ids.visit_id(ids.night_of(mjd), random.randint(1, 40))
    with slot(connection) as number, connection.cursor() as cursor:
        cursor.execute("SELECT ledger.ensure_partitions(%s, %s)", (mjd, mjd))
        batch, claimed = _one(
            cursor,
            "SELECT * FROM ledger.open_batch('visit', %s, '{0}', 'torture', %s::smallint)",
            visit,
            number,
        )
        connection.commit()
        if not claimed:
            raise _NothingToDo
        _stage_visit(connection, cursor, number, visit, mjd)
        cursor.execute("SELECT ledger.publish(%s)", (batch,))
        # Some publishers are slow to commit: the others have to wait for them.
        time.sleep(random.choice((0, 0, 0.05)))
        connection.commit()


def _relink(connection: Any) -> None:
    """Give sources of neighbouring stars to SSObjects, or to the object of a neighbour."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT diaobjectid, diasourceid, visitid FROM prompt_live.diasource "
            "WHERE diaobjectid IS NOT NULL AND ra > %s ORDER BY ra LIMIT %s",
            (10 + random.random() * STARS / 100, random.randint(3, 12)),
        )
        found = cursor.fetchall()
        if not found:
            raise _NothingToDo
        solar, target = random.random() < 0.5, random.choice(found)[0]
        if not solar:
            # An object has at most one source a visit.
            cursor.execute(
                "SELECT visitid FROM prompt_live.diasource WHERE diaobjectid = %s", (target,)
            )
            taken = {r[0] for r in cursor.fetchall()}
            found = list({r[2]: r for r in found if r[2] not in taken}.values())
    connection.rollback()
    if not found:
        raise _NothingToDo
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "CALL ledger.relink(%s, %s::bigint[], %s::bigint[], 4)",
                (
                    [r[1] for r in found],
                    [random.randint(1, 20) for _ in found] if solar else None,
                    None if solar else [target] * len(found),
                ),
            )
    finally:
        if not connection.closed:
            connection.autocommit = False


def _withdraw(connection: Any) -> None:
    """Withdraw a visit or a few sources, so that the database stays small."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT visitid FROM prompt_live.ccdvisit")
        visits = [r[0] for r in cursor.fetchall()]
        if len(visits) <= VISITS:
            raise _NothingToDo
        if random.random() < 0.8:
            cursor.execute("SELECT ledger.withdraw(%s, 'clouds')", (random.choice(visits),))
        else:
            cursor.execute("SELECT diasourceid FROM prompt_live.diasource LIMIT 3")
            chosen = [r[0] for r in cursor.fetchall()]
            cursor.execute("SELECT ledger.withdraw_sources(%s, 'artifacts')", (chosen,))
    connection.commit()


# New rows, and what changes in some of those that are there: relation, its id, the columns of a new
# row, a query for them, the change.
_AMENDMENTS = (
    (
        "ssobject",
        "ssobjectid",
        "ssobjectid, ndiasources, flags",
        """SELECT i, 1, 0 FROM generate_series(1, 20) AS i WHERE random() < 0.2""",
        "ndiasources = ndiasources + 1",
    ),
    (
        "sssource",
        "diasourceid",
        "diasourceid, ssobjectid, midpointtai, phaseangle",
        """SELECT diasourceid, ssobjectid, midpointtai, 10 FROM prompt_store.diasource
        WHERE ssobjectid IS NOT NULL AND random() < 0.3""",
        "phaseangle = 170 * random()",
    ),
    (
        "diaobjectfeatures",
        "diaobjectid",
        "diaobjectid, band, lcnonperiodic",
        """SELECT diaobjectid, 2, array_fill(random()::real, ARRAY[20])
        FROM prompt_store.diaobject WHERE ndiasources > 1 AND random() < 0.2""",
        "lcnonperiodic = array_fill(random()::real, ARRAY[20])",
    ),
    (
        "template",
        "templateid",
        """templateid, instrument, band, ra, decl, nvisits, inputccdvisitids, begintai, endtai,
        meantai""",
        """SELECT i, 'simulated', 'r', 10, 0, 1, ARRAY[i], 60000, 60001, 60000.5
        FROM generate_series(1, 9) AS i WHERE random() < 0.2""",
        "seeing = 1 + random()",
    ),
)


def _amend(connection: Any) -> None:
    """Publish new rows and versions of a relation that visits and re-links do not write."""
    relation, key, columns, new, change = random.choice(_AMENDMENTS)
    with slot(connection) as number, connection.cursor() as cursor:
        batch = _one(
            cursor,
            "SELECT batch FROM ledger.open_batch('amend', NULL, '{}', 'torture', %s::smallint)",
            number,
        )[0]
        cursor.execute(
            f"SELECT staging.recall(%s::smallint, %s, %s, ARRAY("
            f"SELECT {key} FROM prompt_store.{relation} ORDER BY random() LIMIT 3))",
            (number, relation, key),
        )
        cursor.execute(f"UPDATE staging.{relation} SET {change} WHERE slot = %s", (number,))
        cursor.execute(
            f"INSERT INTO staging.{relation} (slot, {columns}) SELECT %s, n.* "
            f"FROM ({new}) AS n({columns}) WHERE NOT EXISTS "
            f"(SELECT FROM prompt_store.{relation} AS o WHERE o.{key} = n.{key})",
            (number,),
        )
        cursor.execute("SELECT ledger.publish(%s)", (batch,))
        connection.commit()


_WORK: dict[str, Callable[[Any], None]] = {
    "visit": lambda connection: _visit(connection, late=False),
    "late": lambda connection: _visit(connection, late=True),
    "relink": _relink,
    "withdraw": _withdraw,
    "amend": _amend,
}


def _connected(dsn: str, stop: Any) -> Iterator[Any]:
    """Yield connections for as long as is wanted: the server is killed now and then."""
    while not stop.value:
        try:
            connection = psycopg2.connect(dsn)
        except psycopg2.OperationalError:
            time.sleep(0.1)
            continue
        try:
            yield connection
        finally:
            connection.close()


def _write(kind: str, dsn: str, stop: Any, path: Path) -> None:
    random.seed(os.urandom(8))
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for connection in _connected(dsn, stop):
        while not stop.value and not connection.closed:
            try:
                _WORK[kind](connection)
                outcome = kind
            except _NothingToDo:
                outcome = "idle"
                time.sleep(0.02)
            except (psycopg2.Error, SkyledgerError) as error:
                # Others changed the same rows, or the server is gone: the next attempt differs.
                outcome = type(error).__name__
            os.write(log, f"{outcome}\n".encode())
            with contextlib.suppress(psycopg2.Error):
                connection.rollback()
            time.sleep(random.random() * 0.1)


# ---------------------------------------------------------------------------------------- readers


def checksums(cursor: Any, form: str) -> list[str]:
    """Row count and order-free checksum of every living relation; ``form`` holds ``{}``."""
    query = " UNION ALL ".join(
        f"SELECT {n}, count(*) || ' ' || coalesce(sum(hashtextextended(r::text, 0)::numeric), 0) "
        f"FROM {form.format(name)} AS r"
        for n, name in enumerate(LIVING)
    )
    cursor.execute(f"{query} ORDER BY 1")
    return [row[1] for row in cursor.fetchall()]


def _reading(connection: Any, known: list[dict[str, Any]]) -> dict[str, Any]:
    """Take one reading, in one snapshot: of now or of an instant that was read before."""
    way = random.choice(("live", "setting", "at", "clock", "past", "again"))
    if way in {"past", "again"} and not known:
        way = "at"
    with connection.cursor() as cursor:
        if way == "past":
            instant = random.choice(known)["instant"]
        elif way == "again":
            earlier = random.choice(known)
            instant = earlier["instant"]
        elif way == "clock":
            instant = _one(cursor, "SELECT science.tai_now()::text")[0]
            connection.rollback()
        else:
            instant = _one(cursor, "SELECT ledger.horizon()::text")[0]
        if way == "live":
            found = checksums(cursor, "prompt_live.{}")
        elif way == "setting":
            cursor.execute("SELECT set_config('skyledger.as_of', %s, true)", (instant,))
            found = checksums(cursor, "prompt.{}")
        else:
            try:
                found = checksums(cursor, f"prompt_at.{{}}(timestamp '{instant}')")
            except psycopg2.errors.InvalidParameterValue:
                # Later than the horizon: settled by another call, then asked in a new snapshot.
                connection.rollback()
                with contextlib.closing(psycopg2.connect(connection.dsn)) as other:
                    with other.cursor() as settle:
                        settled = "SELECT ledger.resolve(%s)::text"
                        instant = _one(settle, settled, instant)[0]
                    other.commit()
                found = checksums(cursor, f"prompt_at.{{}}(timestamp '{instant}')")
    connection.rollback()
    reading = {"instant": instant, "way": way, "sums": found}
    if way == "again":
        reading["differs"] = found != earlier["sums"]
    return reading


def _read(dsn: str, stop: Any, path: Path) -> None:
    random.seed(os.urandom(8))
    known: list[dict[str, Any]] = []
    with path.open("w", encoding="utf-8", buffering=1) as log:
        for connection in _connected(dsn, stop):
            connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
            with contextlib.suppress(psycopg2.OperationalError, psycopg2.InterfaceError):
                while not stop.value:
                    reading = _reading(connection, known)
                    known.append(reading)
                    log.write(json.dumps(reading) + "\n")


def _ask_again(dsn: str, instants: list[str]) -> dict[str, list[str]]:
    with contextlib.closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        return {t: checksums(cursor, f"prompt_at.{{}}(timestamp '{t}')") for t in instants}


def _repeat(dsn: str, readings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Ask everything again as of its instant; return the readings that differ.

    Readings of the same instant are the same query on the same data: it is run once.
    """
    instants = sorted({r["instant"] for r in readings})
    with _FORK.Pool(2) as pool:
        halves = pool.starmap(_ask_again, [(dsn, instants[::2]), (dsn, instants[1::2])])
    now = halves[0] | halves[1]
    return [r for r in readings if r["sums"] != now[r["instant"]]]


def _touched(dsn: str, readings: list[dict[str, Any]]) -> float:
    """Share of the readings that saw a version which has been closed since."""
    with contextlib.closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        closed = []
        for name in LIVING:
            cursor.execute(
                f"SELECT DISTINCT createdtai, deletedtai FROM prompt_store.{name}_history"
            )
            closed += cursor.fetchall()
    begin = np.array([c for c, _ in closed], dtype="datetime64[us]")
    end = np.array([d for _, d in closed], dtype="datetime64[us]")
    instants = [np.datetime64(datetime.fromisoformat(r["instant"]), "us") for r in readings]
    seen = {t: bool(((begin <= t) & (end >= t)).any()) for t in set(instants)}
    return sum(seen[t] for t in instants) / max(len(readings), 1)


# ------------------------------------------------------------------------------------- the course


class Crowd:
    """Writers and readers of one database."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.dsn, self.folder = dsn, folder
        folder.mkdir()
        self.stop = _FORK.RawValue("b", 0)
        self.outcomes = folder / "outcomes"
        self.logs = [folder / f"reader-{n}.jsonl" for n in range(READERS)]
        self.writers = [self._start(_write, k, dsn, self.stop, self.outcomes) for k in WRITERS]
        self.readers = [self._start(_read, dsn, self.stop, log) for log in self.logs]

    @staticmethod
    def _start(work: Callable[..., None], *arguments: Any) -> Any:
        process = _FORK.Process(target=work, args=arguments)
        process.start()
        return process

    def kill_writer(self) -> None:
        """SIGKILL a writer wherever it is, and put another in its place."""
        n = random.randrange(len(self.writers))
        self.writers[n].kill()
        self.writers[n].join()
        self.writers[n] = self._start(_write, WRITERS[n], self.dsn, self.stop, self.outcomes)

    def readings(self) -> list[dict[str, Any]]:
        """Read what the readers have noted so far; a line being written is left for later."""
        found = []
        for log in self.logs:
            if log.exists():
                lines = log.read_text(encoding="utf-8").split("\n")[:-1]
                found += [json.loads(line) for line in lines]
        return found

    def end(self) -> None:
        """Let everybody finish; a process that has failed is a failure of the benchmark."""
        self.stop.value = 1
        for process in (*self.writers, *self.readers):
            process.join(30)
            if process.is_alive():
                process.kill()
                process.join()
            elif process.exitcode:
                raise RuntimeError(f"{process.name} ended with {process.exitcode}; see above")


def kill_server(cluster: Cluster, how: int) -> None:
    """SIGKILL the server, or stop it at once (SIGQUIT), and start it again."""
    pid = cluster.pid()
    if pid is None:
        raise RuntimeError(f"the server in {cluster.home} is not running; see {cluster.log}")
    os.kill(pid, how)
    while cluster.pid() is not None:
        time.sleep(0.05)
    cluster.start()


def torture(
    cluster: Cluster, dsn: str, folder: Path, seconds: float, readings: int, calm: float
) -> tuple[list[dict[str, Any]], Counter[str]]:
    """Let the crowd work and kill around; return the readings and what was done how often.

    ``calm`` is the mean time between two kills of the server [s]; writers die ten times as often.
    """
    began, kills = time.monotonic(), Counter[str]()
    crowd = Crowd(dsn, folder)
    next_writer, next_server = began + calm / 10, began + calm
    try:
        while (now := time.monotonic()) < began + seconds:
            if now > next_writer:
                crowd.kill_writer()
                kills["writer killed"] += 1
                next_writer = now + random.expovariate(10 / calm)
            if now > next_server:
                how = random.choice((signal.SIGKILL, signal.SIGQUIT))
                kill_server(cluster, how)
                kills["server killed" if how is signal.SIGKILL else "server stopped at once"] += 1
                next_server = time.monotonic() + calm * random.uniform(0.5, 1.5)
            time.sleep(0.2)
            if readings and len(crowd.readings()) >= readings:
                break
    finally:
        crowd.end()
    done = Counter(crowd.outcomes.read_text(encoding="utf-8").split())
    return crowd.readings(), done + kills


# ----------------------------------------------------------------------------------- the sabotage

# What is replaced in the text of which function.
SABOTAGES: dict[str, tuple[str, str, str]] = {
    "no-lock": ("ledger.draw", r"PERFORM pg_advisory_xact_lock\(7526, 1\);", ""),
    "transaction-timestamp": (
        "ledger.draw",
        r"greatest\(science\.tai_now\(\), ledger\.horizon\(\) \+ interval '1 microsecond'\)",
        "science.utc_to_tai(transaction_timestamp() AT TIME ZONE 'UTC')",
    ),
    "no-clamp": ("ledger.settled", r"IF instant > h THEN", "IF false THEN"),
    "overwrite": (
        "ledger.publish_diasource",
        r"INSERT INTO prompt_store\.diasource_history.*?ROW_COUNT;",
        "n := changed + ended;",
    ),
}


def sabotage(dsn: str, name: str) -> None:
    """Replace a function of a database by one that breaks a rule of the ledger."""
    function, found, replacement = SABOTAGES[name]
    with contextlib.closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        text = _one(cursor, "SELECT pg_get_functiondef(%s::regproc)", function)[0]
        changed, n = re.subn(found, replacement, text, flags=re.DOTALL)
        if n != 1:
            raise RuntimeError(f"{function} has changed: sabotage {name} no longer fits it")
        cursor.execute(changed)
        connection.commit()


def caught(dsn: str, folder: Path) -> float | None:
    """Seconds until a reader notices that an answer has changed; None if none does."""
    began = time.monotonic()
    crowd = Crowd(dsn, folder)
    try:
        while (spent := time.monotonic() - began) < CATCH_SECONDS:
            time.sleep(0.2)
            if any(r.get("differs") for r in crowd.readings()):
                return spent
    finally:
        crowd.end()
    return None


def _figure(name: str, value: float, unit: str, **more: Any) -> None:
    print(json.dumps({"name": f"torture.{name}", "value": value, "unit": unit, **more}), flush=True)


def _clone(cluster: Cluster, name: str) -> str:
    with contextlib.closing(psycopg2.connect(cluster.dsn("postgres"))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE complete")
    return cluster.dsn(name)


def main() -> int:
    """Torture a throw-away server; print the figures."""
    parser = argparse.ArgumentParser(description="Is every answer of the ledger repeatable?")
    parser.add_argument("--seconds", type=float, default=540)
    parser.add_argument("--readings", type=int, default=5500)
    parser.add_argument(
        "--calm", type=float, default=20, help="seconds between kills of the server"
    )
    parser.add_argument("--sabotages", default=",".join(SABOTAGES))
    chosen = parser.parse_args()
    # On a disk, with every safety of a real server on.
    home = Path(tempfile.mkdtemp(prefix="skyledger-torture-"))
    home.chmod(0o711)
    cluster = Cluster(home, {"max_connections": "60", "shared_buffers": "128MB"})
    failed = False
    try:
        cluster.start()
        dsn = _clone_of_schema(cluster)
        if chosen.seconds > 0:
            readings, done = torture(
                cluster, dsn, home / "main", chosen.seconds, chosen.readings, chosen.calm
            )
            different = _repeat(dsn, readings)
            instants = len({r["instant"] for r in readings})
            _figure("readings", len(readings), "readings", instants=instants,
                    touched=round(_touched(dsn, readings), 3), done=dict(done))  # fmt: skip
            audit = _audit(dsn)
            _figure("differences", len(different), "readings", first=different[:1], audit=audit)
            failed = bool(different or audit) or not readings
        slowest = 0.0
        for name in [] if chosen.sabotages == "none" else chosen.sabotages.split(","):
            database = _clone(cluster, "sabotage_" + name.replace("-", "_"))
            sabotage(database, name)
            spent = caught(database, home / name)
            _figure(f"sabotage.{name}", -1 if spent is None else round(spent, 1), "s")
            failed |= spent is None
            slowest = max(slowest, CATCH_SECONDS if spent is None else spent)
        if slowest:
            _figure("sabotage", round(slowest, 1), "s", limit=CATCH_SECONDS)
    finally:
        cluster.destroy()
        shutil.rmtree(home)
    return int(failed)


def _audit(dsn: str) -> list[Any]:
    with contextlib.closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT relation, key, kind, detail FROM ledger.audit()")
        return cursor.fetchall()


def _clone_of_schema(cluster: Cluster) -> str:
    """Make a database with the complete schema, and a clone of it to work in."""
    with contextlib.closing(psycopg2.connect(cluster.dsn("postgres"))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE complete")
    with contextlib.closing(psycopg2.connect(cluster.dsn("complete"))) as connection:
        schema.upgrade(connection)
    return _clone(cluster, "tortured")


if __name__ == "__main__":
    sys.exit(main())
