"""Datatypes of VOTable as columns: what they are in SQL, in bytes and in text."""

import re
from dataclasses import dataclass

import numpy as np

from services.uploads.table import Builder, Field, shown

# datatype: (SQL type, numpy type of an element in BINARY)
_TYPES = {
    "boolean": ("boolean", "u1"),
    "bit": ("boolean", "u1"),
    "unsignedByte": ("smallint", "u1"),
    "short": ("smallint", ">i2"),
    "int": ("integer", ">i4"),
    "long": ("bigint", ">i8"),
    "float": ("real", ">f4"),
    "double": ("double precision", ">f8"),
    "floatComplex": ("real", ">f4"),
    "doubleComplex": ("double precision", ">f8"),
    "char": ("text", "u1"),
    "unicodeChar": ("text", ">u2"),
}
_SIZE = re.compile(r"(?:\d{1,9}x)*(?:\d{1,9}\*?|\*)")


@dataclass(frozen=True)
class VoField:
    """A FIELD.

    Attributes
    ----------
    element
        SQL type of one element, ``text`` for characters.
    code
        numpy type of an element in BINARY.
    count
        Elements of a row (characters of a text); None if each row says.
    scalar
        One value a row. Texts are; two texts in one cell are not.
    length
        Characters of each text where a cell holds several, else None.
    null
        What stands for a missing value (VALUES), as text.
    """

    field: Field
    datatype: str
    element: str
    code: str
    count: int | None
    scalar: bool
    length: int | None = None
    null: str | None = None

    @property
    def width(self) -> int:
        """Bytes of an element in BINARY (of eight elements for bits)."""
        return int(np.dtype(self.code).itemsize)

    def bytes_of(self, count: int) -> int:
        """Bytes of ``count`` elements in BINARY."""
        return (count + 7) // 8 if self.datatype == "bit" else count * self.width


def field_of(builder: Builder, attributes: dict[str, str], number: int) -> VoField:
    """Read the attributes of a FIELD."""
    name = attributes.get("name") or attributes.get("ID") or ""
    label = name or f"number {number}"
    datatype = attributes.get("datatype", "").strip()
    if datatype not in _TYPES:
        raise builder.refuse(
            f"datatype {shown(datatype)} is none of VOTable's: {', '.join(_TYPES)}", column=label
        )
    given = attributes.get("arraysize", "").strip()
    size = "" if given == "1" else given
    if size and not _SIZE.fullmatch(size):
        raise builder.refuse(
            f"arraysize {shown(given)} is not understood; it is like 3, 2x3, * or 2x10*",
            column=label,
        )
    parts = size.split("x") if size else []
    variable = bool(parts) and parts[-1].endswith("*")
    element, code = _TYPES[datatype]
    count: int | None = 1
    for part in parts[:-1] if variable else parts:
        count = (count or 0) * int(part)
    length = None
    if element == "text":
        scalar = len(parts) < 2
        length = None if scalar else int(parts[0])
        if length == 0:
            raise builder.refuse(f"arraysize {shown(given)} holds empty texts", column=label)
    else:
        scalar = not parts
        if datatype.endswith("Complex"):
            count, scalar = 2 * (count or 0), False
    count = None if variable else count
    if count is not None:
        bits = count * np.dtype(code).itemsize
        if bits > builder.limits.cell:
            raise builder.refuse(
                f"arraysize {shown(given)} makes values of {bits} bytes; the limit is "
                f"{builder.limits.cell} bytes a value",
                column=label,
            )
    xtype = attributes.get("xtype") or None
    if xtype == "timestamp" and element == "text" and scalar:
        sql_type, size = "timestamp", ""
    else:
        sql_type = element if scalar else f"{element}[]"
    return VoField(
        Field(
            name=name,
            type=sql_type,
            arraysize=size or None,
            unit=attributes.get("unit"),
            ucd=attributes.get("ucd"),
            utype=attributes.get("utype"),
            xtype=xtype,
        ),
        datatype,
        element,
        code,
        count,
        scalar,
        length,
    )
