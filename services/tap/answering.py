"""One query from its text to its bytes: settle the instant, translate, run, write.

The query runs as a reader in a READ ONLY transaction, in the snapshot in which its instant was
read; the answer states the instant, and the same query at that instant gives the same rows for ever
(design sections 5 and 10; GEN-19..21).
"""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import psycopg2

from services import adql, formats, uploads
from services.pools import Pool
from services.tap.parameters import QueryRequest
from skyledger import binary
from skyledger.database import session
from skyledger.errors import DatabaseError, QueryRefusedError, SkyledgerError
from skyledger.virtual import VirtualDatabase

Chunk = dict[str, Any]
_AHEAD = 2  # chunks that the database may be ahead of the writer


@dataclass
class Upload:
    """A table that comes with a query, as it was sent."""

    name: str
    media_type: str | None
    content: bytes


@dataclass
class Outcome:
    """What became of a query; filled while it runs."""

    instant: datetime | None = None
    rows: int = 0
    size: int = 0
    truncated: bool = False
    message: str | None = None
    translated: Any = None
    status: str = "OK"
    cancel: Callable[[], None] = field(default=lambda: None)


class Cancelled(SkyledgerError):  # noqa: N818 - not an error of anybody's
    """The query was ended from outside before it was done."""

    exit_code = 6
