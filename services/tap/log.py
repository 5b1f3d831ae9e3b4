"""The log of queries: a line for each, written without anybody waiting for it."""

import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from psycopg2.extras import execute_values

from services.tap.answering import Outcome
from services.tap.parameters import QueryRequest

_LOG = logging.getLogger(__name__)
# More does not wait: then queries wait for the log.
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_MOST = 500  # lines
_CHARACTERS = 20_000_000  # of their queries
_PAUSE = 0.05  # s between transactions: one for all that have come meanwhile


@dataclass(frozen=True)
class Line:
    """What is kept of a query that has ended at ``ended`` (of the monotonic clock)."""

    asked: QueryRequest
    outcome: Outcome
    door: str
    client: str
    seconds: float
    person: str | None
    ended: float


class QueryLog:
    """Writes lines in a thread, all that have come meanwhile in one transaction.

    Parameters
    ----------
    kept
        Does ``work(cursor)`` in a session of the service, and commits.
    """

    def __init__(self, kept: Callable[[Callable[[Any], Any]], Any]) -> None:
        self._kept = kept
        self._lines: list[Line] = []
        self._change = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is left and end; lines that come later are written at once."""
        with self._change:
            self._ended = True
            self._change.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def put(
        self, asked: QueryRequest, outcome: Outcome, door: str, client: str, seconds: float,
        person: str | None = None,
    ) -> None:  # fmt: skip
        """Keep a line; waits only while the log is as far behind as it may be."""
        line = Line(asked, outcome, door, client, seconds, person, monotonic())
        with self._change:
            self._change.wait_for(lambda: self._ended or not self._full())
            if not self._ended:
                self._lines.append(line)
                if len(self._lines) == 1 or self._full():
                    self._change.notify_all()
                return
        self._keep([line])

    def _full(self) -> bool:
        """Tell whether as much waits as may."""
        waiting = sum(len(line.asked.query) for line in self._lines)
        return len(self._lines) >= _MOST or waiting >= _CHARACTERS

    def _write(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._lines or self._ended)
                if not self._lines:
                    return
                self._change.wait_for(lambda: self._ended or self._full(), _PAUSE)
                lines, self._lines = self._lines, []
                self._change.notify_all()
            self._keep(lines)

    def _keep(self, lines: list[Line]) -> None:
        """Write lines; a database that is gone is no reason to fail."""
        if not lines:
            return
        now = monotonic()
        rows = [
            (
                line.person, _plain(line.client[:500]), line.door, _plain(str(line.asked.database)),
                line.outcome.instant, _plain(line.asked.query), line.seconds + now - line.ended,
                line.seconds, line.outcome.rows, line.outcome.size, line.outcome.status,
                _plain(line.outcome.message),
            )
            for line in lines
        ]  # fmt: skip
        try:
            self._kept(
                lambda cursor: execute_values(
                    cursor,
                    "INSERT INTO service.querylog (queryid, personname, client, door, "
                    "databasename, instanttai, query, startedtai, seconds, nrows, nbytes, status, "
                    "message) "
                    "VALUES %s",
                    rows,
                    "(nextval('service.query_id'), %s, %s, %s, %s, %s, %s, "
                    "science.tai_now() - %s * interval '1 second', %s, %s, %s, %s, %s)",
                    page_size=_MOST,
                )
            )
        except Exception as error:  # noqa: BLE001 - the next lines are kept again
            if len(lines) > 1:  # one that cannot be kept must not take the others with it
                for line in lines:
                    self._keep([line])
                return
            _LOG.warning(
                "a line of the log of queries is lost (%s): %s", " ".join(str(error).split()),
                lines[0].asked.query[:200],
            )  # fmt: skip


def _plain(text: str | None) -> str | None:
    """Text as PostgreSQL can keep it: without zeros and halves of characters."""
    return None if text is None else _NO_TEXT.sub("\ufffd", text)
