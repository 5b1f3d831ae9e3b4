"""What the readers of the torture do: take readings, and repeat them at the end."""

# ruff: noqa: S311 - chance is wanted here, not secrecy

import contextlib
import json
import os
import random
from datetime import datetime
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2
from support.torture_writers import connected, one

from skyledger import dictionary as dd

LIVING = tuple(r.sql_name for r in dd.shipped().of_kind("living"))


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
            instant = one(cursor, "SELECT science.tai_now()::text")[0]
            connection.rollback()
        else:
            instant = one(cursor, "SELECT ledger.horizon()::text")[0]
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
                        instant = one(settle, settled, instant)[0]
                    other.commit()
                found = checksums(cursor, f"prompt_at.{{}}(timestamp '{instant}')")
    connection.rollback()
    reading = {"instant": instant, "way": way, "sums": found}
    if way == "again":
        reading["differs"] = found != earlier["sums"]
    return reading


def read(dsn: str, stop: Any, path: Path) -> None:
    """Take readings until told to stop; note them in a file."""
    random.seed(os.urandom(8))
    known: list[dict[str, Any]] = []
    with path.open("w", encoding="utf-8", buffering=1) as log:
        for connection in connected(dsn, stop):
            connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
            try:
                while not stop.value:
                    reading = _reading(connection, known)
                    known.append(reading)
                    log.write(json.dumps(reading) + "\n")
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                continue
            except psycopg2.DatabaseError:
                if not connection.closed:  # a session that is killed may say no more than this
                    raise


def _ask_again(dsn: str, instants: list[str]) -> dict[str, list[str]]:
    with contextlib.closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        return {t: checksums(cursor, f"prompt_at.{{}}(timestamp '{t}')") for t in instants}


def repeat(pool: Pool, dsn: str, readings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Ask everything again as of its instant; return the readings that differ.

    Readings of the same instant are the same query on the same data: it is run once.
    """
    instants = sorted({r["instant"] for r in readings})
    halves = pool.starmap(_ask_again, [(dsn, instants[::2]), (dsn, instants[1::2])])
    now = halves[0] | halves[1]
    return [r for r in readings if r["sums"] != now[r["instant"]]]


def touched(dsn: str, readings: list[dict[str, Any]]) -> float:
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
