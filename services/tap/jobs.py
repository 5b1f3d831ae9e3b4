"""Queries that run in the background: jobs of UWS 1.1, kept in PostgreSQL.

A job belongs to the database, not to a process: every service on the same database sees it, one of
them runs it (``FOR UPDATE SKIP LOCKED``), a change of phase wakes whoever waits (``NOTIFY``), and a
job whose worker has died is taken over by another one. Results are files in a folder that the
services share.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from skyledger.errors import LimitError, NotFoundError, UsageError

CHANNEL = "skyledger_jobs"  # what is notified: the id of a job whose phase has changed
ENDED = ("COMPLETED", "ERROR", "ABORTED")
PHASES = ("PENDING", "QUEUED", "EXECUTING", *ENDED)
_NONE: Mapping[str, int] = {}
MOST_ACTIVE = 100  # jobs of one owner that wait or run, or of all who are not signed in
MOST_OF_ADDRESS = 50  # of those from one address


@dataclass(frozen=True)
class Job:
    """A job as it is now; times are UTC."""

    job_id: str
    run_id: str | None
    owner: str | None
    phase: str
    database: str
    parameters: dict[str, Any]
    instant: datetime | None  # TAI: ledger time
    created: datetime
    started: datetime | None
    ended: datetime | None
    destruction: datetime
    execution_seconds: int
    media_type: str | None
    rows: int | None
    size: int | None
    truncated: bool | None
    message: str | None


_COLUMNS = (
    "jobid", "runid", "ownername", "phase", "databasename", "parameters", "instanttai",
    "science.tai_to_utc(createdtai)", "science.tai_to_utc(startedtai)",
    "science.tai_to_utc(endedtai)", "science.tai_to_utc(destructiontai)", "executionseconds",
    "mediatype", "nrows", "nbytes", "istruncated", "message",
)  # fmt: skip
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM service.job"
assert len(_COLUMNS) == len(fields(Job))  # noqa: S101 - the two are read side by side


def create(
    cursor: Any, database: str, given: Mapping[str, Sequence[str]], *,
    owner: str | None, run_id: str | None, retention_seconds: int, execution_seconds: int,
    uploads: Sequence[tuple[str, str | None, bytes]] = (),
) -> str:  # fmt: skip
    """Make a job in phase PENDING and return its id.

    Parameters
    ----------
    cursor
        psycopg2 cursor of the service.
    database
        Virtual database as it was named.
    given
        Parameters of the request; the query is checked when the job runs.
    uploads
        Name, media type and content of each table that came along.

    Raises
    ------
    LimitError
        If the owner has too many jobs that wait or run.
    """
    cursor.execute(
        "SELECT count(*) FROM service.job WHERE ownername IS NOT DISTINCT FROM %s "
        "AND phase IN ('PENDING', 'QUEUED', 'EXECUTING')",
        (owner,),
    )
    active = cursor.fetchone()[0]
    if active >= MOST_ACTIVE:
        raise LimitError(
            f"{active} jobs of {owner or 'people who are not signed in'} wait or run, "
            f"{MOST_ACTIVE} are allowed; wait for one, or delete some"
        )
    job_id = secrets.token_hex(12)
    cursor.execute(
        "INSERT INTO service.job (jobid, runid, ownername, phase, databasename, parameters, "
        "createdtai, destructiontai, executionseconds) VALUES (%s, %s, %s, 'PENDING', %s, %s, "
        "science.tai_now(), science.tai_now() + %s * interval '1 second', %s)",
        (
            job_id, run_id, owner, database, json.dumps({k: list(v) for k, v in given.items()}),
            retention_seconds, execution_seconds,
        ),
    )  # fmt: skip
    for name, media_type, content in uploads:
        cursor.execute(
            "INSERT INTO service.jobupload (jobid, tablename, mediatype, content) "
            "VALUES (%s, %s, %s, %s)",
            (job_id, name, media_type, content),
        )
    return job_id


def find(cursor: Any, job_id: str) -> Job:
    """Look a job up.

    Raises
    ------
    NotFoundError
        If there is none of that id.
    """
    cursor.execute(f"{_SELECT} WHERE jobid = %s", (job_id,))
    row = cursor.fetchone()
    if row is None:
        raise missing(job_id)
    return Job(*row)


def missing(job_id: str) -> NotFoundError:
    """Make the error of a job that is not there, or not there for the one who asks."""
    return NotFoundError(
        f"there is no job {job_id[:40]!r}; it may have been deleted or be past its destruction"
    )


def listed(
    cursor: Any, owner: str | None, *, phases: Sequence[str] = (),
    after: datetime | None = None, last: int | None = None, everyone: bool = False,
) -> list[Job]:  # fmt: skip
    """List the jobs of an owner, the newest first.

    Jobs of nobody are not listed: their ids are the only key to them.

    Parameters
    ----------
    phases
        Phases that are wanted; all if empty.
    after
        Only jobs made later [UTC].
    last
        At most so many.
    everyone
        Also those of others, for operators.
    """
    cursor.execute(
        f"{_SELECT} WHERE (ownername = %(owner)s OR %(everyone)s) "
        "AND (%(phases)s::text[] = '{}' OR phase = ANY (%(phases)s::text[])) "
        "AND (%(after)s::timestamp IS NULL OR science.tai_to_utc(createdtai) > %(after)s) "
        "ORDER BY createdtai DESC LIMIT %(last)s",
        {
            "owner": owner, "phases": list(phases), "after": after, "last": last,
            "everyone": everyone,
        },
    )  # fmt: skip
    return [Job(*row) for row in cursor.fetchall()]


def _told(cursor: Any, job_id: str) -> None:
    cursor.execute("SELECT pg_notify(%s, %s)", (CHANNEL, job_id))


def run(cursor: Any, job_id: str) -> None:
    """Let a PENDING job run as soon as a worker is free; others stay as they are."""
    cursor.execute(
        "UPDATE service.job SET phase = 'QUEUED' WHERE jobid = %s AND phase = 'PENDING'", (job_id,)
    )
    _told(cursor, job_id)


def abort(cursor: Any, job_id: str, reason: str | None = None) -> None:
    """End a job that has not ended; its worker is told and stops the query."""
    cursor.execute(
        "UPDATE service.job SET phase = 'ABORTED', endedtai = science.tai_now(), worker = NULL, "
        "message = %s WHERE jobid = %s AND phase IN ('PENDING', 'QUEUED', 'EXECUTING')",
        (reason, job_id),
    )
    _told(cursor, job_id)


def set_parameters(cursor: Any, job_id: str, given: Mapping[str, Sequence[str]]) -> None:
    """Replace parameters of a job that has not started.

    Raises
    ------
    UsageError
        If it has.
    """
    cursor.execute(
        "UPDATE service.job SET parameters = parameters || %s::jsonb "
        "WHERE jobid = %s AND phase = 'PENDING'",
        (json.dumps({k: list(v) for k, v in given.items()}), job_id),
    )
    if cursor.rowcount != 1:
        raise UsageError("the job has started, so its parameters stay; make another job")


def set_destruction(cursor: Any, job_id: str, instant: datetime, most_seconds: int) -> None:
    """Set when a job is thrown away [UTC], at most ``most_seconds`` from now."""
    cursor.execute(
        "UPDATE service.job SET destructiontai = least(science.utc_to_tai(%s), "
        "science.tai_now() + %s * interval '1 second') WHERE jobid = %s",
        (instant, most_seconds, job_id),
    )


def set_execution_seconds(cursor: Any, job_id: str, seconds: int) -> None:
    """Set how long a job may run that has not started."""
    cursor.execute(
        "UPDATE service.job SET executionseconds = %s "
        "WHERE jobid = %s AND phase IN ('PENDING', 'QUEUED')",
        (seconds, job_id),
    )


def delete(cursor: Any, job_id: str, folder: Path) -> None:
    """End a job and throw it away with its result."""
    abort(cursor, job_id, "deleted")
    cursor.execute("DELETE FROM service.jobupload WHERE jobid = %s", (job_id,))
    cursor.execute("DELETE FROM service.job WHERE jobid = %s", (job_id,))
    result(folder, job_id).unlink(missing_ok=True)


def destroy_old(cursor: Any, folder: Path) -> int:
    """Throw away the jobs whose time has come; returns how many."""
    cursor.execute("SELECT jobid FROM service.job WHERE destructiontai <= science.tai_now()")
    old = [row[0] for row in cursor.fetchall()]
    for job_id in old:
        delete(cursor, job_id, folder)
    return len(old)


def result(folder: Path, job_id: str) -> Path:
    """File that holds the result of a job."""
    return folder / job_id


_SESSION = (
    "SELECT pid || ' ' || extract(epoch FROM backend_start) FROM pg_stat_activity "
    "WHERE pid = pg_backend_pid()"
)


# Of the owners who may have another job running, the one who has the fewest is next, then the job
# that has waited longest. Who claims at the same time waits, or two would take the last place of
# one owner; other changes of jobs go on.
_CLAIM = f"""
LOCK TABLE service.job IN SHARE UPDATE EXCLUSIVE MODE;
UPDATE service.job SET phase = 'EXECUTING', startedtai = science.tai_now(), worker = ({_SESSION})
WHERE jobid = (
  SELECT j.jobid FROM service.job AS j
  LEFT JOIN service.person AS p ON p.personname = j.ownername
  LEFT JOIN unnest(%(busy)s::text[], %(queries)s::integer[]) AS b(name, n) ON b.name = j.ownername
  CROSS JOIN LATERAL (
    SELECT count(*) AS jobs FROM service.job AS o
    WHERE o.phase = 'EXECUTING' AND o.ownername IS NOT DISTINCT FROM j.ownername
  ) AS r
  WHERE j.phase = 'QUEUED'
    AND r.jobs + coalesce(b.n, 0) < CASE WHEN j.ownername IS NULL THEN %(nobody)s
      WHEN p.disabledtai IS NOT NULL THEN r.jobs + 1 ELSE p.mostqueries END
  ORDER BY r.jobs, j.createdtai, j.jobid FOR UPDATE OF j SKIP LOCKED LIMIT 1)
RETURNING {", ".join(_COLUMNS)}
"""


def claim(cursor: Any, busy: Mapping[str, int] = _NONE, nobody: int = 1000) -> Job | None:
    """Take the job whose turn it is, for the session at hand; None if there is none.

    The job is the session's until it ends: `take_over` frees it if the session is gone before.

    Parameters
    ----------
    cursor
        psycopg2 cursor of the service; each statement a transaction of its own.
    busy
        Queries that owners have running beside their jobs.
    nobody : int
        Jobs of people who are not signed in that may run at the same time.
    """
    given = {"busy": list(busy), "queries": list(busy.values()), "nobody": nobody}
    cursor.execute(_CLAIM, given)
    row = cursor.fetchone()
    if row is None:
        return None
    job = Job(*row)
    _told(cursor, job.job_id)
    return job


def running(cursor: Any, owner: str) -> int:
    """Count the jobs of an owner that run now."""
    cursor.execute(
        "SELECT count(*) FROM service.job WHERE phase = 'EXECUTING' AND ownername = %s", (owner,)
    )
    return int(cursor.fetchone()[0])


def active(cursor: Any, job_ids: Sequence[str]) -> int:
    """Count those of some jobs that wait or run."""
    cursor.execute(
        "SELECT count(*) FROM service.job WHERE jobid = ANY (%s) "
        "AND phase IN ('PENDING', 'QUEUED', 'EXECUTING')",
        (list(job_ids),),
    )
    return int(cursor.fetchone()[0])


def any_queued(cursor: Any) -> bool:
    """Whether a job waits for a worker, or for its owner's turn."""
    cursor.execute("SELECT EXISTS (SELECT FROM service.job WHERE phase = 'QUEUED')")
    return bool(cursor.fetchone()[0])


def take_over(cursor: Any) -> int:
    """Queue again the jobs whose worker's session has ended; returns how many."""
    cursor.execute(
        "UPDATE service.job SET phase = 'QUEUED', worker = NULL, startedtai = NULL "
        "WHERE phase = 'EXECUTING' AND worker NOT IN (SELECT pid || ' ' || "
        "extract(epoch FROM backend_start) FROM pg_stat_activity "
        "WHERE backend_start IS NOT NULL)"
    )
    return int(cursor.rowcount)


def uploads(cursor: Any, job_id: str) -> list[tuple[str, str | None, bytes]]:
    """Tables that came with a job: name, media type, content."""
    cursor.execute(
        "SELECT tablename, mediatype, content FROM service.jobupload WHERE jobid = %s", (job_id,)
    )
    return [(name, kind, bytes(content)) for name, kind, content in cursor.fetchall()]


def complete(
    cursor: Any, job_id: str, *, instant: datetime | None, media_type: str, rows: int, size: int,
    truncated: bool,
) -> bool:  # fmt: skip
    """Say that a job has its result; False if it was ended meanwhile."""
    cursor.execute(
        "UPDATE service.job SET phase = 'COMPLETED', endedtai = science.tai_now(), worker = NULL, "
        "instanttai = %s, mediatype = %s, nrows = %s, nbytes = %s, istruncated = %s "
        "WHERE jobid = %s AND phase = 'EXECUTING'",
        (instant, media_type, rows, size, truncated, job_id),
    )
    done = bool(cursor.rowcount == 1)
    _told(cursor, job_id)
    return done


def fail(cursor: Any, job_id: str, message: str) -> None:
    """Say why a job has no result."""
    cursor.execute(
        "UPDATE service.job SET phase = 'ERROR', endedtai = science.tai_now(), worker = NULL, "
        "message = %s WHERE jobid = %s AND phase = 'EXECUTING'",
        (message, job_id),
    )
    _told(cursor, job_id)
