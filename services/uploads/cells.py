"""Numbers, truth values and times that were written as text.

pyarrow converts whole columns, exactly rounded; only a column that it refuses is looked at value
by value, for the forms it does not know (``+5``) and for the first value that is wrong.
"""

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from services.uploads.table import NUMPY, shown

_ARROW = {
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "double precision": pa.float64(),
    "timestamp": pa.timestamp("us"),
}
_TRUTH = {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}
_INTEGER = re.compile(r"[+-]?\d{1,30}|0[xX][0-9a-fA-F]{1,16}")
_FLOAT = re.compile(r"(?i)[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]?inf(?:inity)?|nan")
_INFINITE = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)
_FINER = r"(\.\d{6})\d+"  # digits below a microsecond


class WrongValueError(Exception):
    """A text is not of its type: ``index`` in the column, ``why`` as the end of a sentence."""

    def __init__(self, index: int, why: str) -> None:
        super().__init__(why)
        self.index = index
        self.why = why


def _one(text: str, sql_type: str) -> Any:
    """One value; ValueError says what is wrong."""
    if sql_type == "boolean":
        if text.lower() not in _TRUTH:
            raise ValueError("is not a truth value; write T or F")
        return _TRUTH[text.lower()]
    if sql_type in {"smallint", "integer", "bigint"}:
        if not _INTEGER.fullmatch(text):
            raise ValueError("is not a whole number")
        value = int(text, 16 if text[:2].lower() == "0x" else 10)
        limits = np.iinfo(NUMPY[sql_type])
        if not limits.min <= value <= limits.max:
            raise ValueError(f"lies outside {limits.min} to {limits.max}, the range of {sql_type}")
        return value
    if sql_type in {"real", "double precision"}:
        if not _FLOAT.fullmatch(text):
            raise ValueError("is not a number")
        with np.errstate(over="ignore"):
            number = NUMPY[sql_type].type(float(text))
        if np.isinf(number) and not _INFINITE.fullmatch(text):
            raise ValueError(
                f"lies outside the range of {sql_type}, {np.finfo(NUMPY[sql_type]).max:.3g}"
            )
        return number
    try:
        array = pc.cast(pa.array([re.sub(_FINER, r"\1", text)]), _ARROW["timestamp"])
    except pa.ArrowInvalid:
        raise ValueError("is not a date and time like 2026-01-31T23:59:59.5") from None
    return array.to_numpy(zero_copy_only=False)[0]


def _trimmed(array: Any, sql_type: str) -> Any:
    array = pc.utf8_trim_whitespace(array)
    if sql_type == "timestamp":
        array = pc.replace_substring_regex(array, pattern="[zZ]$", replacement="")
        array = pc.replace_substring_regex(array, pattern=_FINER, replacement=r"\1")
    return array


def plain_cast(array: Any, sql_type: str) -> Any:
    """Convert trimmed text in one go; raises ``pyarrow.ArrowInvalid`` if a value is refused."""
    found = pc.cast(array, _ARROW[sql_type])
    if sql_type in {"real", "double precision"}:
        infinite = pc.is_inf(found)
        if pc.any(infinite).as_py():
            written = pc.match_substring_regex(pc.utf8_trim_whitespace(array), r"(?i)^[+-]?inf")
            if pc.any(pc.and_not(infinite, written)).as_py():
                raise pa.ArrowInvalid("out of range")
    return found


def numbers(
    items: list[str | None] | Any, sql_type: str, null: str | None = None
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Values and which are missing.

    Parameters
    ----------
    items
        Texts; None and empty ones are missing.
    sql_type
        A key of ``table.NUMPY``.
    null
        The text, or the number it stands for, that marks a missing value.

    Raises
    ------
    WrongValueError
        If a text is not of that type.
    """
    array = items if isinstance(items, pa.Array) else pa.array(items, pa.string())
    array = _trimmed(array, sql_type)
    empty = pc.fill_null(pc.equal(array, ""), fill_value=True)
    for word in (null, "?" if sql_type == "boolean" else None):
        if word is not None:
            empty = pc.or_(empty, pc.fill_null(pc.equal(array, word), fill_value=False))
    gone = np.asarray(empty).astype(bool)
    if gone.any():
        array = pc.if_else(empty, pa.scalar(None, pa.string()), array)
    if sql_type != "boolean":
        try:
            return filled(plain_cast(array, sql_type), NUMPY[sql_type]), gone
        except pa.ArrowInvalid:
            pass  # the value that is wrong, or written unusually, is found below
    values = np.zeros(len(array), dtype=NUMPY[sql_type])
    known: dict[str, Any] = {}
    for index, text in enumerate(array.to_pylist()):
        if text is None:
            continue
        if text not in known:
            try:
                known[text] = _one(text, sql_type)
            except ValueError as error:
                raise WrongValueError(index, f"{shown(text)} {error}") from None
        values[index] = known[text]
    return values, gone


def filled(array: Any, target: np.dtype[Any]) -> NDArray[Any]:
    """Arrow numbers as numpy's, with zero where there is none."""
    if array.null_count:
        zero = False if target.kind == "b" else pa.scalar(0, pa.int64()).cast(array.type)
        array = pc.fill_null(array, zero)
    return np.asarray(array).astype(target, copy=False)
