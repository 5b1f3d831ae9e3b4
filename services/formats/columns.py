"""Columns of an answer as the writers need them: one of five kinds, alone or in arrays.

What :mod:`skyledger.binary` hands on is brought to the declared type here, so that no writer needs
to know how a chunk looks.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyledger.answers import ResultColumn
from skyledger.errors import DataRejectedError
from skyledger.votable_types import NUMBERS, SHAPES, TIMESTAMP, votable_type

_PLAIN = " without time zone"


@dataclass(frozen=True)
class Field:
    """A column of an answer.

    ``kind`` is ``number``, ``boolean``, ``timestamp``, ``text`` or ``bytes``; ``code`` is numpy's
    of a number. ``array`` is None for a scalar, 0 for arrays of any length, else their length.
    """

    column: ResultColumn
    kind: str
    code: str
    array: int | None
    xtype: str | None

    @property
    def integer(self) -> bool:
        """Whether it holds whole numbers."""
        return self.code.startswith("i")

    @property
    def null(self) -> int:
        """Whole number that stands for NULL where a format needs one."""
        return int(np.iinfo(self.code).min)


def _length(arraysize: str) -> int:
    """Elements of arrays of a declared shape such as ``3`` or ``3x2``; 0 for any number."""
    sizes = arraysize.split("x")
    return math.prod(map(int, sizes)) if all(size.isdigit() for size in sizes) else 0


def field(column: ResultColumn) -> Field:
    """Kind of a column by its PostgreSQL type; a type without a kind of its own is text."""
    name = column.type
    _, size, xtype = votable_type(name, column.arraysize, column.xtype)
    element = name.removesuffix("[]")
    if name in SHAPES:
        kind, code = "number", "f8"
    elif element in NUMBERS:
        kind, code = "number", NUMBERS[element][1]
    elif element == "boolean":
        kind, code = "boolean", "b1"
    else:
        kind = {"timestamp": "timestamp", "bytea": "bytes"}.get(name.removesuffix(_PLAIN), "text")
        return Field(column, kind, "", None, xtype)
    return Field(column, kind, code, None if size is None else _length(size), xtype)


def unique(names: Sequence[str]) -> list[str]:
    """Names of which none occurs twice: the second ``x`` is ``x_2``."""
    found: list[str] = []
    taken: set[str] = set()
    for name in names:
        other, k = name, 1
        while other in taken or (k > 1 and other in names):
            k += 1
            other = f"{name}_{k}"
        found.append(other)
        taken.add(other)
    return found


def fields(columns: Sequence[ResultColumn]) -> list[Field]:
    """Kinds of all columns."""
    return [field(column) for column in columns]


@dataclass(frozen=True)
class Arrays:
    """Arrays of a column, one behind the other.

    ``flat`` and ``gone`` hold elements and whether they are NULL, ``sizes`` the number of elements
    of each row, ``missing`` whether its whole array is NULL.
    """

    flat: NDArray[Any]
    gone: NDArray[np.bool_]
    sizes: NDArray[np.int64]
    missing: NDArray[np.bool_]

    @property
    def ends(self) -> NDArray[np.int64]:
        """Boundaries of the rows in ``flat``: one more than there are rows."""
        return np.concatenate([[0], np.cumsum(self.sizes)])


def mask_of(values: Any) -> NDArray[np.bool_]:
    """Whether each row is NULL; an array of NULLs alone, and one of no length, counts as NULL."""
    mask: NDArray[np.bool_] = np.ma.getmaskarray(values)
    if mask.ndim > 1:
        whole: NDArray[np.bool_] = np.logical_and.reduce(mask, axis=1)
        return whole
    return mask


def _boxed(about: Field, values: Any) -> Arrays:
    missing = mask_of(values)
    parts = [np.ma.asarray(v) for v, m in zip(values.data, missing, strict=True) if not m]
    sizes = np.zeros(len(values), dtype=np.int64)
    sizes[~missing] = [part.size for part in parts]
    empty = np.zeros(0, dtype=about.code)
    flat = np.concatenate([empty, *(part.data.ravel() for part in parts)]).astype(about.code)
    gone = np.concatenate(
        [np.zeros(0, dtype=bool), *(np.ma.getmaskarray(part).ravel() for part in parts)]
    )
    return Arrays(flat, gone, sizes, missing)


def arrays(about: Field, values: Any) -> Arrays:
    """Arrays of a chunk; those of a declared length have it, whatever is NULL.

    Raises
    ------
    DataRejectedError
        If an array is not as long as its column says.
    """
    k = about.array
    if values.dtype == object:
        found = _boxed(about, values)
    else:
        n = len(values)
        data, gone = values.data.reshape(n, -1), np.ma.getmaskarray(values).reshape(n, -1)
        missing = mask_of(values)
        sizes = np.where(missing, 0, data.shape[1])
        if missing.any() and not k:
            data, gone = data[~missing], gone[~missing]
        elif k:
            sizes = np.full(n, data.shape[1])
        found = Arrays(
            np.ascontiguousarray(data, dtype=about.code).ravel(), gone.ravel(), sizes, missing
        )
    if not k:
        return found
    wrong = found.sizes[~found.missing] != k
    if wrong.any():
        raise DataRejectedError(
            f"{about.column.name} should hold arrays of {k} elements and has one of "
            f"{found.sizes[~found.missing][wrong][0]}; declare it without a length"
        )
    if (found.sizes == k).all():
        return found
    n = len(found.sizes)
    flat, gone = np.zeros((n, k), dtype=about.code), np.ones((n, k), dtype=bool)
    flat[~found.missing] = found.flat.reshape(-1, k)[: n - int(found.missing.sum())]
    gone[~found.missing] = found.gone.reshape(-1, k)[: n - int(found.missing.sum())]
    return Arrays(flat.ravel(), gone.ravel(), np.full(n, k), found.missing)


def texts(values: Any) -> list[str | None]:
    """Texts of a chunk; lists of texts and of timestamps as JSON."""
    mask = mask_of(values)
    if values.ndim > 1:
        listed: list[Any] = [None if m else v for v, m in zip(values, mask, strict=True)]
    else:
        boxed = values.data.astype(object)
        boxed[mask] = None
        listed = boxed.tolist()
    if set(map(type, listed)) <= {str, type(None)}:
        return listed
    return [None if v is None else v if isinstance(v, str) else _text(v) for v in listed]


def _text(value: Any) -> str:
    if isinstance(value, np.ndarray):  # timestamps
        moments = zip(np.ma.getdata(value), np.ma.getmaskarray(value), strict=True)
        value = [None if m else str(v.astype("datetime64[us]")) for v, m in moments]
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def pieces(values: Any) -> list[bytes]:
    """Bytes of a bytea column; none for NULL."""
    mask = mask_of(values).tolist()
    return [b"" if m else bytes(v) for v, m in zip(values.data, mask, strict=True)]


def timestamps(about: Field, values: Any) -> NDArray[Any]:
    """Timestamps as ISO 8601 to the microsecond, shape (n,) of 26 bytes; NUL bytes for NULL.

    Raises
    ------
    DataRejectedError
        If a year has not four digits: the VO knows no other timestamps (DALI 1.1, section 3.3.3).
    """
    mask = mask_of(values)
    moments = np.asarray(values.data, dtype="datetime64[us]")
    moments = np.where(mask, np.datetime64("2000-01-01", "us"), moments)
    first, last = np.datetime64("0001-01-01", "us"), np.datetime64("9999-12-31T23:59:59.999999")
    strange = (moments < first) | (moments > last) | np.isnat(moments)
    if strange.any():
        raise DataRejectedError(
            f"{about.column.name} holds the timestamp {moments[strange][0]}; only years from 0001 "
            f"to 9999 can be written, so select {about.column.name}::text or leave such rows out"
        )
    # Arrow writes them six times as fast as numpy, with a blank for the T.
    written = pa.array(moments).cast(pa.string()).buffers()[2]
    found = np.frombuffer(written, dtype=np.uint8).reshape(-1, TIMESTAMP).copy()
    found[:, 10] = ord("T")
    found[mask] = 0
    return found.view(f"S{TIMESTAMP}").ravel()


def numbers(about: Field, values: Any) -> NDArray[Any]:
    """Numbers of a chunk in the type of their column; NaN or 0 where NULL."""
    data = np.asarray(values.data, dtype=about.code)
    mask = np.ma.getmaskarray(values)
    if mask.any():
        data = np.where(mask, np.array(np.nan if about.code[0] == "f" else 0, about.code), data)
    return data
