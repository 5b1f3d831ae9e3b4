"""Rows of an upload in PostgreSQL's binary COPY format, chunk by chunk."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.uploads.table import NUMPY, Values
from skyledger import copy_binary
from skyledger.copy_binary import Arrays, Field, Numbers, Pieces


def _nothing(array: Any) -> bool:
    if isinstance(array, np.ma.MaskedArray):
        return len(array) > 0 and bool(np.ma.getmaskarray(array).all())
    return array is None


def _numbers(sql_type: str, values: NDArray[Any], null: NDArray[np.bool_]) -> Numbers:
    return copy_binary.numbers(sql_type, values.astype(NUMPY[sql_type], copy=False), null)


def _arrays(element: str, values: Values) -> Arrays:
    """One array a row, of one dimension; an array without any element that is there is NULL."""
    n = len(values)
    null: NDArray[np.bool_]
    elements: Numbers | Pieces
    if values.ndim == 2:
        mask = np.ma.getmaskarray(values)
        elements = _numbers(element, values.data.reshape(-1), mask.reshape(-1))
        return copy_binary.grid(element, elements, *values.shape)
    null = np.array([_nothing(v) for v in values.data], dtype=bool)
    null |= np.ma.getmaskarray(values)
    rows = [v for v, gone in zip(values.data, null, strict=True) if not gone]
    counts = np.zeros(n, dtype=np.int64)
    counts[~null] = [len(v) for v in rows]
    if element == "text":
        elements = copy_binary.texts([t for row in rows for t in row])
    else:
        flat = np.concatenate([np.ma.getdata(v) for v in rows] or [np.empty(0)])
        holes = np.concatenate([np.ma.getmaskarray(v) for v in rows] or [np.empty(0, bool)])
        elements = _numbers(element, flat, holes)
    return copy_binary.arrays(element, elements, counts, null)


def _field(sql_type: str, values: Values) -> Field:
    if sql_type.endswith("[]"):
        return _arrays(sql_type[:-2], values)
    if sql_type == "text":
        return copy_binary.texts(values.data)
    return _numbers(sql_type, values.data, np.ma.getmaskarray(values))


class CopyStream:
    """File-like source of ``copy_expert``: encodes chunk after chunk as it is read."""

    def __init__(self, types: list[str], chunks: Iterable[list[Values]]) -> None:
        self._parts = self._encoded(types, chunks)
        self._waiting = memoryview(b"")

    @staticmethod
    def _encoded(types: list[str], chunks: Iterable[list[Values]]) -> Iterator[bytes]:
        yield copy_binary.HEADER
        for chunk in chunks:
            fields = [_field(t, v) for t, v in zip(types, chunk, strict=True)]
            yield copy_binary.rows(fields, len(chunk[0])).tobytes()
        yield copy_binary.TRAILER

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes; none at the end."""
        while not self._waiting:
            part = next(self._parts, None)
            if part is None:
                return b""
            self._waiting = memoryview(part)
        piece = bytes(self._waiting[: size if size >= 0 else None])
        self._waiting = self._waiting[len(piece) :]
        return piece
