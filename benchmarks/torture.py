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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg2

from skyledger.database import schema
from skyledger.database.cluster import Cluster

sys.path.append(str(Path(__file__).parent))
from support.torture_readers import read, repeat, touched
from support.torture_writers import one, write

WRITERS = ("visit", "visit", "visit", "late", "relink", "withdraw", "amend")
READERS = 3
CATCH_SECONDS = 60
# A killed writer is replaced at once; locks it might hold for ever are not used at all.
_FORK = multiprocessing.get_context("fork")

# ------------------------------------------------------------------------------------- the course


class Crowd:
    """Writers and readers of one database."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.dsn, self.folder = dsn, folder
        folder.mkdir()
        self.stop = _FORK.RawValue("b", 0)
        self.outcomes = folder / "outcomes"
        self.logs = [folder / f"reader-{n}.jsonl" for n in range(READERS)]
        self.writers = [self._start(write, k, dsn, self.stop, self.outcomes) for k in WRITERS]
        self.readers = [self._start(read, dsn, self.stop, log) for log in self.logs]

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
        self.writers[n] = self._start(write, WRITERS[n], self.dsn, self.stop, self.outcomes)

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
        "closed := staged - new;",
    ),
}


def sabotage(dsn: str, name: str) -> None:
    """Replace a function of a database by one that breaks a rule of the ledger."""
    function, found, replacement = SABOTAGES[name]
    with contextlib.closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        text = one(cursor, "SELECT pg_get_functiondef(%s::regproc)", function)[0]
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
            with _FORK.Pool(2) as pool:
                different = repeat(pool, dsn, readings)
            instants = len({r["instant"] for r in readings})
            _figure("readings", len(readings), "readings", instants=instants,
                    touched=round(touched(dsn, readings), 3), done=dict(done))  # fmt: skip
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
