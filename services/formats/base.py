"""What every writer does: a head, rows chunk by chunk, a foot."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from services.formats.columns import fields, unique
from services.formats.statement import Statement
from skyledger.answers import ResultColumn

Chunk = dict[str, Any]

_BLOCK = 1 << 16  # rows that are written at a time


class Writer(ABC):
    """Writer of one answer; the methods are called in the order head, rows ..., foot.

    Columns of a chunk are taken by their order, not by their keys, as two columns of an answer
    may have one name; the file calls the second ``x`` ``x_2``.
    """

    tells_failure = False  # whether the format has a place to say that the answer broke off

    def __init__(self, columns: Sequence[ResultColumn], statement: Statement) -> None:
        names = unique([column.name for column in columns])
        self.columns = tuple(
            column if column.name == name else replace(column, name=name)
            for column, name in zip(columns, names, strict=True)
        )
        self.fields = fields(self.columns)
        self.statement = statement

    def head(self) -> Iterator[bytes]:
        """Yield what comes before the rows."""
        yield from ()

    @abstractmethod
    def block(self, values: list[Any], n: int) -> Iterator[bytes]:
        """Yield ``n`` rows, given by column; ``n`` is positive."""

    def foot(self) -> Iterator[bytes]:
        """Yield what comes after the rows; the statement knows by now how the answer ended."""
        yield from ()

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Give up what was held, whether or not the answer came to its end."""

    def rows(self, chunk: Chunk) -> Iterator[bytes]:
        """Yield the rows of a chunk."""
        values = list(chunk.values())
        n = len(values[0]) if values else 0
        if 0 < n <= _BLOCK:
            yield from self.block(values, n)
            return
        for start in range(0, n, _BLOCK):
            part = slice(start, start + _BLOCK)
            yield from self.block([v[part] for v in values], min(_BLOCK, n - start))
