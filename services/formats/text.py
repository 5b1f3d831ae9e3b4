"""Values as text, column-wise, and rows of them: what CSV, TSV, JSON and TABLEDATA share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.formats.columns import Arrays, Field, arrays, mask_of, pieces, texts, timestamps


@dataclass(frozen=True)
class Style:
    """How a format writes what is not a plain number.

    ``special`` are the words for NaN, infinity and minus infinity (None: NULL); ``opened``,
    ``between``, ``closed`` surround and part the elements of arrays, ``element`` stands for one
    that is NULL (None: the number that the field declares for it). ``text`` turns texts into what
    is written of them, ``shown`` does so for numbers' arrays; ``quote`` surrounds timestamps and
    bytes, which ``octets`` writes; ``nested`` says that lists of texts need no quotes of their own.
    """

    special: tuple[str | None, str | None, str | None]
    opened: str
    between: str
    closed: str
    element: str | None
    text: Callable[[pa.Array], pa.Array]
    shown: Callable[[pa.Array], pa.Array] | None = None
    quote: str = ""
    octets: Callable[[bytes], str] = lambda piece: f"0x{piece.hex()}"
    nested: bool = False


def _written(about: Field, data: Any, gone: Any, style: Style) -> pa.Array:
    """Write numbers or booleans with the fewest digits that give them back; null where NULL."""
    if about.kind == "boolean":
        return pa.array(data, mask=gone, type=pa.bool_()).cast(pa.string())
    data = np.ascontiguousarray(data, dtype=about.code)
    found = pa.array(data, mask=gone).cast(pa.string())
    if about.integer:
        return found
    if (np.isfinite(data) & (data != 0)).all():
        return found
    special = ~np.isfinite(data) | ((data == 0) & np.signbit(data))
    special &= ~gone
    if special.any():
        words = np.array(found.to_pylist(), dtype=object)
        nan, plus, minus = style.special
        words[special & np.isnan(data)] = nan
        words[special & np.isposinf(data)] = plus
        words[special & np.isneginf(data)] = minus
        words[special & (data == 0)] = "-0.0"  # -0 would be read as a whole number
        found = pa.array(words, type=pa.string())
    return found


def _absent(about: Field) -> str:
    """Word of VOTable for an element that is NULL."""
    if about.integer:
        return str(about.null)
    return "?" if about.kind == "boolean" else "NaN"


def _listed(about: Field, given: Arrays, style: Style) -> pa.Array:
    flat = _written(about, given.flat, given.gone, style)
    flat = flat.fill_null(style.element or _absent(about))
    rows = pa.ListArray.from_arrays(pa.array(given.ends, type=pa.int32()), flat)
    joined = pc.binary_join(rows, style.between)
    if style.opened:
        joined = pc.binary_join_element_wise(style.opened, joined, style.closed, "")
    elif about.array:
        return joined  # VOTable: an array of a declared length has all its elements
    return pc.if_else(pa.array(given.missing), pa.scalar(None, pa.string()), joined)


def strings(about: Field, values: Any, style: Style) -> pa.Array:
    """Values of a chunk's column as text; null where NULL."""
    mask = mask_of(values)
    if about.kind in {"number", "boolean"}:
        if about.array is None:
            return _written(about, values.data, mask, style)
        found = _listed(about, arrays(about, values), style)
        return style.shown(found) if style.shown else found
    if about.kind == "text":
        found = pa.array(texts(values), type=pa.string())
        return found if style.nested and about.column.type == "text[]" else style.text(found)
    if about.kind == "timestamp":
        listed = timestamps(about, values)
        found = pa.array(listed, mask=mask, type=pa.binary()).cast(pa.string())
    else:
        given = zip(pieces(values), mask.tolist(), strict=True)
        found = pa.array(
            [None if m else style.octets(piece) for piece, m in given], type=pa.string()
        )
    if style.quote:
        found = pc.binary_join_element_wise(style.quote, found, style.quote, "")
    return found


def contains(found: pa.Array, characters: bytes) -> bool:
    """Whether one of some ASCII characters occurs in any of the texts."""
    whole = found.buffers()[2]
    if whole is None:
        return False
    raw = whole.to_pybytes()
    return any(raw.find(character) >= 0 for character in characters)


def replaced(found: pa.Array, words: dict[str, str]) -> pa.Array:
    """Texts with some ASCII characters written otherwise, in the order given."""
    for old, new in words.items():
        if contains(found, old.encode()):
            found = pc.replace_substring(found, pattern=old, replacement=new)
    return found


def rows(columns: list[pa.Array], separator: str, between: str, null: str) -> pa.Buffer:
    """Rows with ``separator`` between values and ``between`` between rows."""
    if len(columns) == 1:
        lines = columns[0].fill_null(null)
    else:
        lines = pc.binary_join_element_wise(
            *columns, separator, null_handling="replace", null_replacement=null
        )
    whole = pa.ListArray.from_arrays(pa.array([0, len(lines)], type=pa.int32()), lines)
    return pc.binary_join(whole, between).buffers()[2]
