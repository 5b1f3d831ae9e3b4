"""Answers as files: streamed, with units, UCDs, the instant and how the answer ended.

>>> from services import formats
>>> said = formats.Statement(database="prompt", instant=instant, query=query)
>>> for piece in formats.write("votable", columns, chunks, said):
...     out.write(piece)
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from services.formats.names import FORMATS, NAMES, Format, resolve
from services.formats.statement import Link, ServiceDescriptor, Statement
from services.formats.votable import error_document
from skyledger.answers import ResultColumn

__all__ = [
    "FORMATS",
    "NAMES",
    "Format",
    "Limit",
    "Link",
    "ServiceDescriptor",
    "Statement",
    "error_document",
    "resolve",
    "send",
    "write",
]


Chunk = dict[str, Any]


def write(
    name: str | Format,
    columns: Sequence[ResultColumn],
    chunks: Iterable[Chunk],
    statement: Statement,
) -> Iterator[bytes]:
    """Yield an answer in a format, in memory that does not grow with its rows.

    Parameters
    ----------
    name
        Format, or what :func:`resolve` takes.
    columns
        Columns of the answer.
    chunks
        Rows: dicts of masked arrays as :func:`skyledger.binary.stream` hands them on, one entry a
        column and in the order of ``columns``; the keys do not matter. None for metadata alone.
    statement
        Origin of the answer. ``overflow`` is read after the last chunk. A failure after the first
        bytes ends a VOTable and a JSON object properly, is told in it and left in ``failure``.

    Yields
    ------
    bytes
        Pieces of the file.

    Raises
    ------
    UsageError
        If there is no such format.
    Exception
        Whatever ``chunks`` raises before the first bytes; and at any time in the other formats,
        which have no place for a message: a broken transfer is better than rows that look like
        all there are.
    """
    kind = name if isinstance(name, Format) else resolve(name)
    given = iter(chunks)
    first = next(given, None)  # what fails here can still be answered by a status and a message
    writer = kind.writer(columns, statement)
    try:
        yield from writer.head()
        try:
            for chunk in chain([] if first is None else [first], given):
                yield from writer.rows(chunk)
        except Exception as failure:
            if not writer.tells_failure:
                raise
            statement.failure = failure
        yield from writer.foot()
    finally:
        writer.close()


def send(
    name: str | Format,
    columns: Sequence[ResultColumn],
    produce: Callable[[Callable[[Chunk], None]], None],
    statement: Statement,
    out: Callable[[bytes], Any],
) -> None:
    """Write an answer whose rows are pushed, as :func:`skyledger.binary.stream` does.

    Parameters
    ----------
    name, columns, statement
        As for :func:`write`.
    produce
        Calls the function it is given with each chunk, such as
        ``functools.partial(binary.stream, connection, query)``.
    out
        Called with each piece of the file; what it raises ends the answer, and the query with it.

    Raises
    ------
    Exception
        As :func:`write`, and whatever ``out`` raises.
    """
    kind = name if isinstance(name, Format) else resolve(name)
    writer = kind.writer(columns, statement)
    begun = lost = False

    def put(pieces: Iterator[bytes]) -> None:
        nonlocal lost
        for piece in pieces:
            lost = True  # if ``out`` raises
            out(piece)
            lost = False

    def consume(chunk: Chunk) -> None:
        nonlocal begun
        if not begun:
            begun = True
            put(writer.head())
        put(writer.rows(chunk))

    try:
        try:
            produce(consume)
        except Exception as failure:
            if lost or not begun or not writer.tells_failure:
                raise
            statement.failure = failure
        if not begun:
            put(writer.head())
        put(writer.foot())
    finally:
        writer.close()


class Limit:
    """Cut of an answer after so many rows; where there are more, the statement says so.

    The query should ask for one row more than ``most``. DALI calls it an overflow too when that
    is 0 and nothing is asked.
    """

    def __init__(self, most: int, statement: Statement) -> None:
        self.left = most
        self.statement = statement
        statement.overflow = most == 0

    def cut(self, chunk: Chunk) -> Chunk:
        """Return those rows of a chunk that are still allowed."""
        n = max((len(values) for values in chunk.values()), default=0)
        if n > self.left:
            chunk = {name: values[: self.left] for name, values in chunk.items()}
            self.statement.overflow = True
        self.left -= min(n, self.left)
        return chunk
