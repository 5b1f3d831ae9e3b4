"""Precovery: forced photometry of new DIAObjects on the images of the 30 days before.

DPDD section 3.2.1 step 11; DIA-20, PRECOV-01. Which visits wait follows from what is published
(``ledger.precovery_due``). Images are measured by worker processes, one at a time each; the rows of
a group of visits, the new versions of their objects and the note that it is done are published
under one epoch. If anything dies before, the visits wait on.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import psycopg2
from astropy.table import Table

from ingest import measure
from ingest.publish import ATTEMPTS, give_up, identified_forced
from ingest.staging import slot, stage
from skyledger import dictionary as dd

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
WINDOW = 30.0  # precoveryWindow, days
_LOCK = 7533
_GROUP = 50  # visits published under one epoch
_BEGUN = "an attempt was begun and not ended"
_IMAGES = """
SELECT ccdvisitid, visitid, detector, templateid, differencepath, pvipath
FROM prompt_store.ccdvisit WHERE ccdvisitid = ANY(%s)
"""
_NOTE = """
INSERT INTO ledger.precovery (batchid, state, attempts, reason, nobjects, nforced,
  publishedbatchid, changedtai)
VALUES (%s, %s, %s, %s, %s, %s, %s, science.tai_now())
ON CONFLICT (batchid) DO UPDATE SET state = excluded.state,
  attempts = precovery.attempts + excluded.attempts, reason = excluded.reason,
  nobjects = greatest(precovery.nobjects, excluded.nobjects),
  nforced = coalesce(precovery.nforced, 0) + excluded.nforced,
  publishedbatchid = coalesce(excluded.publishedbatchid, precovery.publishedbatchid),
  changedtai = excluded.changedtai
"""


@dataclass
class Precovered:
    """What became of the visits that waited."""

    visits: int = 0  # done
    forced: int = 0  # rows published
    epochs: list[datetime] = field(default_factory=list)
    waiting: list[tuple[int, str]] = field(default_factory=list)  # (visitId, why it waits on)
    busy: bool = False  # another session is at it


@dataclass
class _Group:
    """Visits that are measured and published together."""

    batches: list[int]
    targets: list[tuple[int, int, float, float, int]]  # batch, object, ra, decl, ccdVisit
    images: dict[int, dict[str, Any]] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)  # ccdVisit: what is wrong with it
    gone: set[int] = field(default_factory=set)  # ccdVisits whose images are no longer kept

    def of_batch(self, batch: int) -> tuple[set[int], set[int]]:
        """Objects and ccdVisits of a batch."""
        mine = [t for t in self.targets if t[0] == batch]
        return {t[1] for t in mine}, {t[4] for t in mine}


@contextmanager
def _alone(connection: Any) -> Iterator[bool]:
    """Hold the lock of precovery, if no other session does: two would measure the same."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, 1)", (_LOCK,))
        held = cursor.fetchone()[0]
        connection.commit()
        try:
            yield held
        finally:
            if held and not connection.closed:
                connection.rollback()
                cursor.execute("SELECT pg_advisory_unlock(%s, 1)", (_LOCK,))
                connection.commit()


def _begin(connection: Any, batches: Sequence[int], days: float) -> _Group:
    """Note the attempt, and find out what there is to measure."""
    with connection.cursor() as cursor:
        for batch in batches:
            cursor.execute(_NOTE, (batch, "waiting", 1, _BEGUN, None, 0, None))
        connection.commit()
        cursor.execute(
            "SELECT batchid, diaobjectid, ra, decl, ccdvisitid "
            "FROM staging.precovery_targets(%s::bigint[], %s)",
            (list(batches), days),
        )
        group = _Group(list(batches), cursor.fetchall())
        cursor.execute(_IMAGES, (list({t[4] for t in group.targets}),))
        names = ("ccdVisitId", "visitId", "detector", "templateId", "differencePath", "pviPath")
        group.images = {row[0]: dict(zip(names, row, strict=True)) for row in cursor.fetchall()}
    connection.commit()
    return group


def _measure(group: _Group, pool: Executor, step: Callable[[], None]) -> None:
    """Measure all images of a group; what cannot be read is noted, and the others go on."""
    work: list[tuple[int, list[int], Future[measure.Forced]]] = []
    for ccd_visit, image in group.images.items():
        mine = [t for t in group.targets if t[4] == ccd_visit]
        ra, decl = np.array([t[2] for t in mine]), np.array([t[3] for t in mine])
        future = pool.submit(measure.force_kept, image, ra, decl)
        work.append((ccd_visit, [t[1] for t in mine], future))
    for ccd_visit, objects, future in work:
        found = future.result()
        step()
        if found.gone:
            group.gone.add(ccd_visit)
        elif found.table is None:
            group.failed[ccd_visit] = found.reason or ""
        elif len(found.table):
            found.table.meta["objects"] = np.array(objects, np.int64)
            found.table.meta["ccdVisitId"] = ccd_visit
            group.tables.append(found.table)


def _stage(connection: Any, number: int, group: _Group) -> int:
    relation = dd.shipped()["DIAForcedSource"]
    late = 1 << dd.flag_bit("DIAForcedSource", "PRECOVERY")
    rows = 0
    with connection.cursor() as cursor:
        for table in group.tables:
            table["flags"] = np.asarray(table["flags"], np.int64) | late
            image = group.images[table.meta["ccdVisitId"]]
            made = identified_forced(cursor, table, table.meta["objects"], image)
            rows += stage(connection, relation, made, number)
    connection.commit()
    return rows


def _compute(cursor: Any, number: int, batch: int) -> int:
    """Validate the staged rows and compute what follows from them; returns how many are good."""
    # Objects that were closed meanwhile need no photometry.
    cursor.execute(
        "DELETE FROM staging.diaforcedsource AS f WHERE f.slot = %s AND NOT EXISTS ("
        "SELECT FROM prompt_store.diaobject AS o WHERE o.diaobjectid = f.diaobjectid)",
        (number,),
    )
    cursor.execute("SELECT staging.validate_diaforcedsource(%s::smallint, %s)", (number, batch))
    refused = cursor.fetchone()[0]
    cursor.execute(
        "UPDATE ledger.batch SET nrejected = %s WHERE batchid = %s AND %s > 0",
        (refused, batch, refused),
    )
    cursor.execute("SELECT staging.recompute(%s::smallint)", (number,))
    cursor.execute("SELECT count(*) FROM staging.diaforcedsource WHERE slot = %s", (number,))
    return int(cursor.fetchone()[0])


def _note(cursor: Any, group: _Group, published: int | None, per_batch: dict[int, int]) -> None:
    """Write down what became of each visit of the group."""
    for batch in group.batches:
        objects, ccd_visits = group.of_batch(batch)
        wrong = [group.failed[c] for c in sorted(ccd_visits & set(group.failed))]
        gone = len(ccd_visits & group.gone)
        reason = f"{gone} images are no longer kept" if gone else None
        rows = per_batch.get(batch, 0)
        values = (len(objects), rows, published if rows else None)
        if wrong:
            cursor.execute(_NOTE, (batch, "waiting", 0, "; ".join(wrong)[:2000], *values))
        else:
            cursor.execute(_NOTE, (batch, "done", 0, reason, *values))


def _rows_of_batches(cursor: Any, number: int, group: _Group) -> dict[int, int]:
    batch_of = {t[1]: t[0] for t in group.targets}
    cursor.execute(
        "SELECT diaobjectid, count(*) FROM staging.diaforcedsource WHERE slot = %s GROUP BY 1",
        (number,),
    )
    found: dict[int, int] = {}
    for diaobject, count in cursor.fetchall():
        found[batch_of[diaobject]] = found.get(batch_of[diaobject], 0) + count
    return found


def _publish(connection: Any, group: _Group, run: str, outcome: Precovered) -> None:
    with connection.cursor() as cursor:
        if not group.tables:
            _note(cursor, group, None, {})
            connection.commit()
            return
        with slot(connection) as number:
            cursor.execute(
                "SELECT batch FROM "
                "ledger.open_batch('precovery', NULL, '{}'::smallint[], %s, %s::smallint)",
                (run, number),
            )
            batch = cursor.fetchone()[0]
            connection.commit()
            try:
                _stage(connection, number, group)
                _finish(connection, number, batch, group, outcome)
            except BaseException as error:
                give_up(connection, batch, f"{type(error).__name__}: {error}".strip())
                raise


def _finish(connection: Any, number: int, batch: int, group: _Group, outcome: Precovered) -> None:
    """Compute and publish what is staged; if others have changed the objects meanwhile, again."""
    with connection.cursor() as cursor:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                rows = _compute(cursor, number, batch)
                per_batch = _rows_of_batches(cursor, number, group)
                cursor.execute("SELECT ledger.publish(%s)", (batch,))
                epoch = cursor.fetchone()[0]
                _note(cursor, group, batch, per_batch)
                connection.commit()
            except psycopg2.errors.SerializationFailure:
                # Another session changed the same objects: compute from what is now known.
                connection.rollback()
                if attempt == ATTEMPTS:
                    raise
            else:
                outcome.epochs.append(epoch)
                outcome.forced += rows
                return


def precover(
    connection: Any,
    pool: Executor,
    *,
    run: str = "prompt",
    progress: Progress = lambda _what, _done, _total: None,
    days: float = WINDOW,
) -> Precovered:
    """Measure the new DIAObjects of all visits that wait for it, and publish the fluxes.

    Parameters
    ----------
    connection
        psycopg2 connection, not in a transaction; commits and rolls back.
    pool
        Measures the images.
    run
        Pipeline run, for the books.
    progress
        Called with the stage, the number of images done and the total so far.
    days
        How far back images are looked for, before the first sight of an object [d].

    Returns
    -------
    Precovered
        Visits whose images cannot be read wait on and are told with their reason; images that are
        no longer kept are noted and not waited for.
    """
    outcome = Precovered()
    with _alone(connection) as alone:
        if not alone:
            outcome.busy = True
            return outcome
        with connection.cursor() as cursor:
            cursor.execute("SELECT batchid FROM ledger.precovery_due()")
            waiting = [row[0] for row in cursor.fetchall()]
        connection.commit()
        done = total = 0

        def step() -> None:
            nonlocal done
            done += 1
            progress("precovery", done, total)

        for first in range(0, len(waiting), _GROUP):
            group = _begin(connection, waiting[first : first + _GROUP], days)
            total += len(group.images)
            if total:
                progress("precovery", done, total)
            _measure(group, pool, step)
            _publish(connection, group, run, outcome)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT batchid, visitid, coalesce(reason, '') FROM ledger.precovery_due()"
            )
            left = {b: (v, reason) for b, v, reason in cursor.fetchall() if b in set(waiting)}
        connection.commit()
    outcome.waiting = list(left.values())
    outcome.visits = len(waiting) - len(left)
    log.info("precovery of %s visits: %s rows", outcome.visits, outcome.forced)
    return outcome
