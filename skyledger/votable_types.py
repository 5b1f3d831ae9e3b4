"""Types of PostgreSQL as VOTable and DALI name them: in answers and in TAP_SCHEMA."""

# Characters of a timestamp: ISO 8601 with microseconds.
TIMESTAMP = 26
# Type of a number: datatype of VOTable, code of numpy.
NUMBERS = {
    "smallint": ("short", "i2"),
    "integer": ("int", "i4"),
    "bigint": ("long", "i8"),
    "real": ("float", "f4"),
    "double precision": ("double", "f8"),
    "numeric": ("double", "f8"),
}
# Types of pg_sphere, which are sent as arrays of degrees: arraysize and xtype (DALI 1.1).
SHAPES = {"spoint": ("2", "point"), "scircle": ("3", "circle"), "spoly": ("*", "polygon")}


def votable_type(
    kind: str, arraysize: str | None = None, xtype: str | None = None
) -> tuple[str, str | None, str | None]:
    """Return datatype, arraysize and xtype of a type; text for what has no other.

    Text is ``unicodeChar``: a ``char`` holds ASCII alone, and what a text column will hold is not
    known when its FIELD is written.

    Parameters
    ----------
    kind
        Type of PostgreSQL: ``bigint``, ``real[]``, ``text`` ...
    arraysize
        Of arrays of one size, such as ``3`` or ``3x2``; others have any length.
    xtype
        Meaning beyond the type: ``point``, ``circle``, ``polygon`` for arrays of degrees.
    """
    if kind in SHAPES:
        return "double", *SHAPES[kind]
    if kind in {"timestamp", "timestamp without time zone"}:
        return "char", str(TIMESTAMP), xtype or "timestamp"
    if kind == "bytea":
        return "unsignedByte", "*", xtype
    element = kind.removesuffix("[]")
    if element not in NUMBERS and element != "boolean":
        return "unicodeChar", "*", xtype
    datatype = "boolean" if element == "boolean" else NUMBERS[element][0]
    if element == kind:
        return datatype, None, xtype
    fixed = arraysize is not None and all(n.isdigit() for n in arraysize.split("x"))
    return datatype, arraysize if fixed else "*", xtype
