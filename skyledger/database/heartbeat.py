"""The heartbeat: the horizon never grows old, and partitions are there before they are needed.

Whatever runs for long lets it beat (design section 5): ``skyledger process`` while it works,
``skyledger db heartbeat`` where nothing else does. More than one at a time do no harm.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import psycopg2

from skyledger.database import connection
from skyledger.errors import DatabaseError

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0  # an empty epoch is due after 10 s: the horizon is never older than 12
AHEAD_DAYS = 92  # three months (design section 3)
AHEAD_SECONDS = 3600.0


def beat(opened: Any) -> datetime | None:
    """Publish an empty epoch if the newest is older than 10 s.

    Parameters
    ----------
    opened
        psycopg2 connection of a role that publishes, not in a transaction.

    Returns
    -------
    datetime or None
        The epoch (TAI); None if none was due.
    """
    with opened.cursor() as cursor:
        cursor.execute("SELECT ledger.heartbeat()")
        epoch: datetime | None = cursor.fetchone()[0]
    opened.commit()
    return epoch


def look_ahead(opened: Any) -> int:
    """Make the partitions of the coming three months; return how many were missing."""
    with opened.cursor() as cursor:
        cursor.execute(
            "SELECT ledger.ensure_partitions(science.mjd_now(), science.mjd_now() + %s)",
            (AHEAD_DAYS,),
        )
        made: int = cursor.fetchone()[0]
    opened.commit()
    if made:
        log.info("%d partitions made ahead", made)
    return made


def run(stop: threading.Event, connect: Callable[[], Any] = connection.connect) -> None:
    """Beat until ``stop`` is set; a server that goes away is asked again until it is back."""
    opened, lost = None, False
    ahead = 0.0  # seconds until partitions are looked after again
    while True:
        try:
            opened = opened or connect()
            beat(opened)
            if ahead <= 0:
                look_ahead(opened)
                ahead = AHEAD_SECONDS
            if lost:
                log.info("the heart beats again")
            lost = False
        except (psycopg2.Error, DatabaseError) as error:
            if not lost:
                log.warning("no heartbeat: %s", " ".join(str(error).split()))
            if opened is not None:
                opened.close()
            opened, lost = None, True
        if stop.wait(LOOK_SECONDS):
            break
        ahead -= LOOK_SECONDS
    if opened is not None:
        opened.close()


@contextlib.contextmanager
def beating(connect: Callable[[], Any] = connection.connect) -> Iterator[None]:
    """Let the heart beat, through a connection of its own, while the block runs."""
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(stop, connect), name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
