"""Answers as files: streamed, with units, UCDs, the instant and how the answer ended.

>>> from services import formats
>>> said = formats.Statement(database="prompt", instant=instant, query=query)
>>> for piece in formats.write("votable", columns, chunks, said):
...     out.write(piece)
"""

from collections.abc import Iterable, Iterator, Sequence
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
    "Link",
    "ServiceDescriptor",
    "Statement",
    "error_document",
    "limited",
    "resolve",
    "write",
]


def write(
    name: str | Format,
    columns: Sequence[ResultColumn],
    chunks: Iterable[dict[str, Any]],
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


def limited(
    chunks: Iterable[dict[str, Any]], most: int, statement: Statement
) -> Iterator[dict[str, Any]]:
    """Yield ``most`` rows at most, and set ``overflow`` if there are more.

    The query should ask for one row more than ``most``; nothing is asked for if that is 0, which
    DALI calls an overflow too.
    """
    if most == 0:
        statement.overflow = True
        return
    left = most
    for chunk in chunks:
        n = max((len(values) for values in chunk.values()), default=0)
        if n > left:
            yield {name: values[:left] for name, values in chunk.items()}
            statement.overflow = True
            return
        yield chunk
        left -= n
