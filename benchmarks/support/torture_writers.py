"""What the writers of the torture do: visits, late ones, re-links, withdrawals, amendments.

All of them change the same few objects of a strip of sky, so that they interfere with each other.
"""

# ruff: noqa: S311 - chance is wanted here, not secrecy

import contextlib
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2

from ingest.staging import slot, stage
from skyledger import dictionary as dd
from skyledger import ids
from skyledger.errors import SkyledgerError

STARS = 80  # positions on the sky, 36 arcsec apart
VISITS = 30  # live visits the withdrawing writer leaves
NEWEST = 61000.2  # MJD TAI of the newest night


class _NothingToDo(Exception):  # noqa: N818 - not an error
    """The database holds nothing that the writer could change."""


def one(cursor: Any, query: str, *values: Any) -> Any:
    """First row of an answer."""
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
        newest = one(
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
        batch, claimed = one(
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
        batch = one(
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


def connected(dsn: str, stop: Any) -> Iterator[Any]:
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


def write(kind: str, dsn: str, stop: Any, path: Path) -> None:
    """Work until told to stop; note the outcome of every attempt in a file."""
    random.seed(os.urandom(8))
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for connection in connected(dsn, stop):
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
