"""Answers of queries as pages show them: kept for a while, sorted and paged where they are.

An answer belongs to a query, an instant and a person. Since the same query at the same instant has
the same answer for ever, it is asked anew when it is no longer kept, and nobody sees a difference.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.people import Asker
from services.tap.answering import Answering, Chunk, Columns, Outcome
from services.tap.parameters import QueryRequest
from services.tap.service import TapService
from skyledger.answers import ResultColumn
from skyledger.errors import QueryRefusedError
from skyledger.virtual import VirtualDatabase

MOST_ROWS = 1_000_000  # of an answer that is looked at; downloads have no such limit
_MOST_BYTES = 256 << 20  # of all answers that are kept
_ONE = 96 << 20  # of one answer
PAGE = 200  # rows


@dataclass(frozen=True)
class Result:
    """An answer.

    Attributes
    ----------
    values
        One masked array a column.
    truncated
        There are more rows than these.
    seconds
        Time it took [s].
    """

    query: str
    database: VirtualDatabase
    columns: tuple[ResultColumn, ...]
    values: tuple[Any, ...]
    instant: datetime
    truncated: bool
    seconds: float

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.values[0]) if self.values else 0

    def place(self, name: str) -> int | None:
        """Which column has a name, in any case; None if there is none."""
        found = [k for k, c in enumerate(self.columns) if c.name.lower() == name.lower()]
        return found[0] if found else None

    def numbers(self, place: int) -> NDArray[np.float64] | None:
        """Values of a column as numbers, NaN where there are none; None if it has other values."""
        values = self.values[place]
        if values.ndim != 1 or values.dtype.kind not in "iuf":
            return None
        return np.ma.filled(values.astype(np.float64), np.nan)

    def order(self, place: int, *, down: bool) -> NDArray[np.intp]:
        """Rows in the order of a column, missing values last; equal ones stay as they came."""
        values, gone = self.values[place], np.ma.getmaskarray(self.values[place])
        if values.ndim != 1:
            return np.arange(self.rows)
        if values.dtype.kind == "O":
            keys = np.array(["" if m else str(v) for v, m in zip(values, gone, strict=True)])
        else:
            keys = np.asarray(np.ma.getdata(values))
        _, rank = np.unique(keys, return_inverse=True)
        rank = -rank if down else rank
        return np.lexsort((rank, gone))


@dataclass
class _Taken:
    columns: Columns = ()
    chunks: list[Chunk] = field(default_factory=list)
    size: int = 0


def _size(chunk: Chunk) -> int:
    total = 0
    for values in chunk.values():
        total += values.nbytes
        if values.dtype.kind == "O":
            total += sum(80 + getattr(v, "nbytes", 0) for v in values[:1000]) * max(
                1, len(values) // 1000
            )
    return total


class Results:
    """The answers that are kept, newest uses last."""

    def __init__(self, service: TapService) -> None:
        self.service = service
        self._kept: OrderedDict[tuple[str, str, str | None], tuple[Result, int]] = OrderedDict()
        self._lock = threading.Lock()

    def answer(self, query: str, database: VirtualDatabase, asker: Asker) -> Result:
        """Return the answer of an ADQL query; blocks.

        Parameters
        ----------
        database
            With the instant that the page shows.

        Raises
        ------
        SkyledgerError
            If the query is refused.
        """
        key = (query, str(database), asker.name)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]
        result, size = self._ask(query, database, asker)
        with self._lock:
            self._kept[key] = (result, size)
            while sum(s for _, s in self._kept.values()) > _MOST_BYTES and len(self._kept) > 1:
                self._kept.popitem(last=False)
        return result

    def _ask(self, query: str, database: VirtualDatabase, asker: Asker) -> tuple[Result, int]:
        asked = QueryRequest(database=database, query=query, limit=None, format=None)
        outcome, taken, started = Outcome(), _Taken(), monotonic()
        full = False

        def take(columns: Columns, chunk: Chunk) -> None:
            nonlocal full
            taken.columns = columns
            if full:
                return
            taken.chunks.append(chunk)
            taken.size += _size(chunk)
            rows = sum(len(next(iter(c.values()))) for c in taken.chunks)
            full = taken.size > _ONE or rows > MOST_ROWS
            if full:
                outcome.cancel()

        answering = Answering(
            self.service, asked, [], outcome, self.service.sync_seconds, asker.name
        )
        try:
            answering.collect(take)
        except QueryRefusedError as error:
            if not full:  # what was cut off by ourselves is shown as far as it came
                outcome.status, outcome.message = "ERROR", str(error)
                raise
        finally:
            took = monotonic() - started
            self.service.log.put(asked, outcome, "portal", asker.client, took, asker.name)
        join: Any = np.ma.concatenate
        names = taken.chunks[0] if taken.chunks else ()
        values = tuple(join([c[name] for c in taken.chunks]) for name in names)
        if values and len(values[0]) > MOST_ROWS:
            values = tuple(v[:MOST_ROWS] for v in values)
        return (
            Result(
                query, database, tuple(taken.columns), values,
                outcome.instant or database.instant or datetime.min,  # noqa: DTZ901
                outcome.truncated or full, took,
            ),
            taken.size,
        )  # fmt: skip
