"""One query from its text to its bytes: settle the instant, translate, run, write.

The query runs as a reader in a READ ONLY transaction, in the snapshot in which its instant was
read; the answer states the instant, and the same query at that instant gives the same rows for ever
(design sections 5 and 10; GEN-19..21).
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Protocol

import psycopg2

from services import adql, formats, mydb
from services.pools import Pool
from services.tap import parameters
from services.tap.parameters import QueryRequest
from services.tap.uploaded import take
from skyledger import binary
from skyledger.answers import ResultColumn
from skyledger.database import session
from skyledger.errors import DatabaseError, QueryRefusedError
from skyledger.virtual import VirtualDatabase

Chunk = dict[str, Any]
Produce = Callable[[Callable[[Chunk], None]], None]
Columns = Sequence[ResultColumn]
Send = Callable[[Columns, Produce, formats.Statement], None]


class Surroundings(Protocol):
    """What a query needs of the service."""

    loaders: Pool

    def sessions_of(self, person: str | None) -> Pool:
        """Return sessions that ask for somebody."""

    def visible(self, person: str | None) -> tuple[adql.Table, ...]:
        """Return the tables of people that somebody may read."""

    def catalogue(self) -> adql.Catalogue:
        """Return what can be asked."""


@dataclass
class Upload:
    """A table that comes with a query: as it was sent, or where it is to be fetched."""

    name: str
    media_type: str | None
    content: bytes
    address: str | None = None


@dataclass
class Outcome:
    """What became of a query; filled while it runs. ``cancel`` ends it while it runs."""

    instant: datetime | None = None
    rows: int = 0
    size: int = 0
    truncated: bool = False
    status: str = "OK"
    message: str | None = None
    cancel: Callable[[], None] = field(default=lambda: None)
    over: bool = False

    def end(self) -> None:
        """End a query from any thread, also one that has not come to the database yet."""
        self.over = True
        self.cancel()


def _sentence(error: psycopg2.Error, connection: Any, seconds: float) -> Exception:
    """Say what PostgreSQL's error means for somebody who asked in ADQL."""
    if isinstance(error, psycopg2.errors.QueryCanceled):
        if "statement timeout" in str(error):
            return QueryRefusedError(
                f"the query took longer than {seconds:g} s; make it smaller, or run it as a job "
                f"(async), which may take longer"
            )
        return QueryRefusedError("the query was ended before it was done")
    if connection.closed:
        return DatabaseError(
            "the database failed while it answered; ask again, and tell the operators of the "
            "service if it stays so"
        )
    return QueryRefusedError(session.sentence(error))


class Answering:
    """A query on its way through the database.

    Parameters
    ----------
    service
        Sessions, and what can be asked.
    asked
        The query and what was said about its answer.
    uploads
        Tables that came with it.
    outcome
        Filled while the query runs.
    seconds : float
        Longest time the database may work on it [s].
    person
        Name of the person whose rights the query has; None for those of everybody.
    """

    def __init__(
        self, service: Surroundings, asked: QueryRequest, uploads: Sequence[Upload],
        outcome: Outcome, seconds: float, person: str | None = None,
    ) -> None:  # fmt: skip
        self.service = service
        self.asked = asked
        self.uploads = uploads
        self.outcome = outcome
        self.seconds = seconds
        self.person = person
        self.role = None if person is None else f"mydb_{person}"
        self._ended = False
        self._cancelling = threading.Lock()

    def write(self, sink: Callable[[bytes], Any], ended: Callable[[], None] = lambda: None) -> None:
        """Run the query and hand the answer to ``sink``, piece by piece.

        ``ended`` is called when it is complete, before the session is made ready for others.

        Raises
        ------
        SkyledgerError
            If the query is refused; nothing has been written then.
        """
        form = formats.resolve(self.asked.format or "votable")

        def send(columns: Columns, produce: Produce, said: formats.Statement) -> None:
            formats.send(form, columns, produce, said, sink)

        self._run(send, ended)

    def collect(self, take: Callable[[Columns, Chunk], Any]) -> None:
        """Run the query and hand every piece of the answer to ``take``, with its columns.

        Raises
        ------
        SkyledgerError
            If the query is refused.
        """

        def send(
            columns: Sequence[ResultColumn], produce: Produce, _said: formats.Statement
        ) -> None:
            produce(partial(take, columns))

        self._run(send)

    def _run(self, send: Send, ended: Callable[[], None] = lambda: None) -> None:
        with self.service.sessions_of(self.person).session() as connection:
            self.outcome.cancel = lambda: self._cancel(connection)
            try:
                if self.outcome.over:
                    raise BrokenPipeError("the client has gone")
                self._write(connection, send)
            except psycopg2.Error as error:
                raise _sentence(error, connection, self.seconds) from error
            finally:
                with self._cancelling:  # or it would end what the connection asks next
                    self.outcome.cancel = lambda: None
                    self._ended = True
            ended()

    def _and_cancel(self, second: Any) -> None:
        """Let whoever ends the query end what a second session does for it, too."""
        first = self.outcome.cancel

        def both() -> None:
            first()
            second.cancel()

        self.outcome.cancel = both

    def _cancel(self, connection: Any) -> None:
        with self._cancelling:
            if not self._ended:
                connection.cancel()

    def _write(self, connection: Any, send: Send) -> None:
        catalogue = self._catalogue()
        database = mydb.settled(self.asked.database)
        if database.instant is not None or database.reference is not None:
            database = session.settle(connection, database, self.role)
        # Read-write until the uploads are there; the query itself cannot write.
        session.begin(
            connection, isolation_level="REPEATABLE READ", readonly=not self.uploads
        )  # fmt: skip
        limits = (
            "SET LOCAL search_path = science, public; "
            f"SET LOCAL statement_timeout = {int(self.seconds * 1000)}; "
        )
        with connection.cursor() as cursor:
            instant, written = _instant(
                cursor, database, session.acting(self.role) + ("" if self.uploads else limits)
            )
            self.outcome.instant = instant
            if self.uploads:
                catalogue = catalogue.plus(*(take(connection, u) for u in self.uploads))
                cursor.execute(f"{limits}SET TRANSACTION READ ONLY")
            limit, translated = self._translated(catalogue, instant, written=written)
        statement = formats.Statement(
            database=self.asked.database.name, instant=instant, query=self.asked.query
        )
        if self.asked.destination is not None:
            self._keep(connection, translated, limit, statement, send)
            return
        cut = formats.Limit(limit, statement)

        def produce(consume: Callable[[Chunk], None]) -> None:
            def take(chunk: Chunk) -> None:
                allowed = cut.cut(chunk)
                self.outcome.rows += len(next(iter(allowed.values()), ()))
                consume(allowed)

            if limit == 0:
                return
            try:
                types = [column.type for column in translated.columns]
                binary.stream(connection, translated.sql, take, types=types)
            except psycopg2.Error as error:
                raise _sentence(error, connection, self.seconds) from error

        send(translated.columns, produce, statement)
        self.outcome.truncated = statement.overflow
        if statement.failure is not None:
            raise statement.failure
        self.outcome.status = "OVERFLOW" if statement.overflow else "OK"

    def _catalogue(self) -> adql.Catalogue:
        """Everything that the query may name; tables of people only if it names one."""
        name = self.asked.database.name
        found = self.service.catalogue().within(name)
        if not mydb.is_person(name) and not mydb.named(self.asked.query):
            return found
        # Before the snapshot of the query is taken, so that the rows of each table are in it.
        return mydb.within(found, self.service.visible(self.person), self.asked, self.person)

    def _keep(
        self, connection: Any, translated: adql.Translated, limit: int,
        statement: formats.Statement, send: Send,
    ) -> None:  # fmt: skip
        """Make a table of the person of the answer, and send what it is."""
        made = mydb.keep(
            connection, self.service.loaders, translated, self.asked, statement.instant,
            self.person, lambda rows: setattr(self.outcome, "rows", rows), self._and_cancel,
        )  # fmt: skip
        statement.overflow = self.asked.limit is not None and made.rows >= limit
        send(mydb.MADE, lambda consume: consume(made.chunk()), statement)
        self.outcome.truncated = statement.overflow
        self.outcome.status = "OVERFLOW" if statement.overflow else "OK"

    def _translated(
        self, catalogue: adql.Catalogue, instant: datetime, *, written: bool
    ) -> tuple[int, adql.Translated]:
        """Translate the query; returns with it how many rows the answer may have."""
        if self.asked.destination is not None:  # the quota limits it, and MAXREC cuts it
            return self.asked.limit or 0, adql.translate(
                self.asked.query, catalogue, instant, rows=self.asked.limit
            )
        limit = parameters.DEFAULT_ROWS if self.asked.limit is None else self.asked.limit
        then, query = instant if written else None, self.asked.query
        found = adql.translate(query, catalogue, then, rows=limit + 1, now=instant)
        if self.asked.limit is None and (found.top or 0) > limit:  # TOP wins over the default
            limit = min(found.top or 0, parameters.MOST_ROWS)
            found = adql.translate(query, catalogue, then, rows=limit + 1, now=instant)
        return limit, found


def _instant(cursor: Any, database: VirtualDatabase, limits: str) -> tuple[datetime, bool]:
    """Instant of the query (TAI), and whether it has to be written into the query.

    The current rows are those of the horizon in the snapshot that this statement opens. ``limits``
    go with it, so that the server is asked once.
    """
    cursor.execute(
        limits + "SELECT ledger.settle(%s), ledger.horizon(), "
        "has_schema_privilege('prompt_live', 'USAGE')",
        (database.name,),
    )
    _, horizon, live = cursor.fetchone()
    if database.instant is not None:
        return database.instant, True
    if horizon is None:
        raise QueryRefusedError("there is nothing yet that this login may see")
    return horizon, not live
