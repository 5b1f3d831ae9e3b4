"""Answers of queries become tables of people: rows go from one session to another as they are.

Both sessions speak PostgreSQL's binary COPY and the columns have the same types, so nothing is
decoded on the way. What has arrived is measured in steps, and the query ends where the quota does.
"""

import io
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from services.adql import Translated
from services.mydb.loading import Made, Opened, filling, opened, target
from services.pools import Pool
from services.tap.parameters import QueryRequest
from services.uploads.names import sql_names
from services.uploads.table import UploadedColumn
from skyledger.answers import ResultColumn
from skyledger.errors import LimitError, SignInError

# What is told of a table that was made.
MADE = (
    ResultColumn("table_name", "text", None, "meta.id;meta.table", "Table that was made."),
    ResultColumn("rows", "bigint", None, "meta.number", "Rows of the table."),
    ResultColumn("bytes", "bigint", "byte", "phys.size", "What it takes of the quota."),
)
_TYPES = {"boolean", "smallint", "integer", "bigint", "real", "double precision", "text",
          "timestamp", "bytea"}  # fmt: skip
_SIGNATURE = b"PGCOPY\n\xff\r\n\0"
_HEADER = _SIGNATURE + bytes(8)
_TRAILER = b"\xff\xff"
_BLOCK = 1 << 18  # bytes that pass from thread to thread at a time
_STEP = 32 << 20  # bytes after which the table is measured


class _EndedError(Exception):
    """The query has failed: what has come of its rows is thrown away."""


class _Pipe(io.RawIOBase):
    """Whole rows of a COPY on their way from one thread to another."""

    def __init__(self) -> None:
        self._blocks: queue.Queue[bytes | _EndedError | None] = queue.Queue(4)
        self._waiting: bytes | None = None  # the block after the one that was taken
        self._ended = False
        self._begun = False
        self.over = False  # what a buffer still holds after an error goes nowhere
        self.failed = threading.Event()  # the taker has gone

    def writable(self) -> bool:
        return True

    def write(self, block: Any) -> int:
        """Take what a buffer of whole rows hands on; called by the session that reads."""
        data = bytes(block)
        if not self._begun:
            self._begun = True
            data = data[19 + int.from_bytes(data[15:19], "big") :]
        if not self.over:
            self._put(data)
        return len(block)

    def _put(self, data: bytes | _EndedError | None) -> None:
        while not self.failed.is_set():
            with suppress(queue.Full):
                self._blocks.put(data, timeout=0.2)
                return
        raise BrokenPipeError("the table takes no more rows")

    def end(self, failure: _EndedError | None = None) -> None:
        """Say that nothing more will come: all has, or the query has failed."""
        self.over = True
        with suppress(BrokenPipeError):
            self._put(failure)

    def take(self) -> bytes | None:
        """Return the next rows, without the beginning and end of the COPY; None at the end."""
        if self._ended:
            return None
        block = self._waiting if self._waiting is not None else self._next()
        self._waiting = None if block is None else self._next()
        self._ended = self._waiting is None
        return block[: -len(_TRAILER)] if block is not None and self._ended else block

    def _next(self) -> bytes | None:
        found = self._blocks.get()
        if isinstance(found, _EndedError):
            raise found
        return found


class _Step:
    """A file of COPY that ends after so many bytes."""

    def __init__(self, pipe: _Pipe, most: int) -> None:
        self._pipe = pipe
        self._left = most
        self._piece = _HEADER
        self.over = False  # nothing will come after this step

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes."""
        while not self._piece and self._left > 0 and not self.over:
            block = self._pipe.take()
            self.over = block is None
            self._piece = block or b""
            self._left -= len(self._piece)
        piece = self._piece[:size]
        self._piece = self._piece[size:]
        return piece


class _Filling(threading.Thread):
    """Puts the rows of a pipe into a table, step by step."""

    def __init__(self, table: Opened, pipe: _Pipe, room: int, told: Callable[[int], None]) -> None:
        super().__init__(name="filling", daemon=True)
        self.table = table
        self.pipe = pipe
        self.room = room
        self.told = told
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Fill until the pipe ends."""
        try:
            with filling(), self.table.connection.cursor() as cursor:
                self._fill(cursor)
        except BaseException as error:  # noqa: BLE001 - raised where the query runs
            self.failure = error
            self.pipe.failed.set()

    def _fill(self, cursor: Any) -> None:
        rows = 0
        over = False
        while not over:
            step = _Step(self.pipe, min(_STEP, self.room))
            cursor.copy_expert(f"COPY {self.table.sql} FROM STDIN (FORMAT binary)", step, _BLOCK)
            rows += cursor.rowcount
            self.told(rows)
            over = step.over
            cursor.execute("SELECT pg_total_relation_size(%s::regclass)", (self.table.sql,))
            (size,) = cursor.fetchone()
            if size > self.room:
                raise LimitError(
                    f"no room for {self.table.sql}: after {rows:,} rows it "
                    f"takes {size:,} bytes, and {self.room:,} of the quota are free; ask for fewer "
                    f"rows or columns, drop tables, or ask an operator for a larger quota"
                )


def _column(about: ResultColumn, name: str) -> UploadedColumn:
    kind = about.type
    if kind.removesuffix("[]") not in _TYPES:
        kind = "double precision" if kind == "numeric" else "text"
    return UploadedColumn(
        name=about.name, type=kind, arraysize=about.arraysize, unit=about.unit, ucd=about.ucd,
        utype=about.utype, xtype=about.xtype, description=about.description, sql_name=name,
    )  # fmt: skip


def _room(cursor: Any, person: str) -> int:
    """Bytes that are free of a person's quota."""
    cursor.execute(
        "SELECT quotabytes - service.used_bytes(personname) FROM service.person "
        "WHERE personname = %s AND disabledtai IS NULL",
        (person,),
    )
    row = cursor.fetchone()
    return int(row[0]) if row else 0


def keep(
    connection: Any, pool: Pool, translated: Translated, asked: QueryRequest, instant: Any,
    person: str | None, told: Callable[[int], None], also: Callable[[Any], None],
) -> Made:  # fmt: skip
    """Make a table of a person of the answer of a query.

    Parameters
    ----------
    connection
        Session in which the query runs, READ ONLY, with the rights of the person.
    pool
        Sessions of the service.
    translated, asked, instant
        The query; ``asked.destination`` names the table.
    told
        Called with the number of rows as they arrive.
    also
        Called with the second session, which is to be ended too if the query is.

    Raises
    ------
    SkyledgerError
        If the table cannot be made, or the quota does not hold it: nothing of it stays.
    psycopg2.Error
        If the query fails.
    """
    if person is None:
        raise SignInError("DESTINATION makes a table of yours; sign in first")
    name = target(asked.destination or "", person)
    names = sql_names([c.name for c in translated.columns])
    columns = [_column(c, n) for c, n in zip(translated.columns, names, strict=True)]
    shown = ", ".join(f"c{k}::{c.type}" for k, c in enumerate(columns, 1))
    listed = ", ".join(f"c{k}" for k in range(1, len(columns) + 1))
    copy = (
        f"COPY (SELECT {shown} FROM ({translated.sql}\n) AS answer({listed})) "
        f"TO STDOUT (FORMAT binary)"
    )
    with opened(
        pool, person, name, columns, "", query=asked.query, database=str(asked.database),
        instant=instant,
    ) as table:  # fmt: skip
        also(table.connection)
        with table.connection.cursor() as cursor:
            room = _room(cursor, person)
        pipe = _Pipe()
        fill = _Filling(table, pipe, max(room, 1), told)
        fill.start()
        buffer = io.BufferedWriter(pipe, _BLOCK)
        try:
            with connection.cursor() as cursor:
                cursor.copy_expert(copy, buffer, _BLOCK)
            buffer.flush()
        except BaseException:
            first = fill.failure  # the rows found no room, and so the query ended
            pipe.end(_EndedError())
            fill.join()
            if first is not None:
                connection.cancel()  # or all other rows would be sent before it is free
                raise first from None
            raise
        pipe.end()
        fill.join()
        if fill.failure is not None:
            raise fill.failure
        return table.seal()
