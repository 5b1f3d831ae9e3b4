"""Values of a query under translation: their SQL, type and what is known of them."""

import math
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from skyledger.catalogue import GEOMETRY, REGION, Column
from skyledger.errors import UsageError
from skyledger.virtual import parse_instant

if TYPE_CHECKING:
    from services.adql.scope import Source

RANKS = {"smallint": 0, "integer": 1, "bigint": 2, "real": 3, "double precision": 4}
INTEGERS = frozenset(("smallint", "integer", "bigint"))


@dataclass(slots=True)
class Value:
    """A value as PostgreSQL computes it.

    ``type`` is one of the dictionary's, or ``point``, ``circle`` or ``polygon`` for a geometry of
    pg_sphere; ``number`` and ``text`` are there for what is the same in all rows.
    """

    sql: str
    type: str
    unit: str | None = None
    ucd: str | None = None
    description: str | None = None
    column: Column | None = None
    source: "Source | None" = None
    number: float | None = None
    text: str | None = None
    name: str = ""  # for a column without AS
    shape: tuple[int, ...] | None = None
    xtype: str | None = None
    system: str | None = None  # of a time or position, see `skyledger.systems`
    # Of geometries: coordinates of a point, centre and radius of a circle [deg] ...
    lon: "Value | None" = None
    lat: "Value | None" = None
    centre: "Value | None" = None
    radius: "Value | None" = None
    array: str = ""  # ... and the same as an array of degrees
    spatial: int = 0  # a point with a spatial index: the larger, the more there is to gain

    @property
    def kept_geometry(self) -> bool:
        """Whether it is an array of degrees, or words of ObsCore, that stand for a geometry."""
        if self.xtype == REGION:
            return self.type == "text"
        return self.xtype in GEOMETRY and self.type in {"double precision[]", "real[]"}

    @property
    def family(self) -> str:
        """Number, text, timestamp, boolean, geometry, or the type itself."""
        if self.type in RANKS:
            return "number"
        return "geometry" if self.type in GEOMETRY else self.type


def quoted(text: str) -> str:
    """Write a text literal of SQL; the same whatever standard_conforming_strings says."""
    doubled = text.replace("'", "''")
    if "\\" in doubled:
        return "E'" + doubled.replace("\\", "\\\\") + "'"
    return f"'{doubled}'"


def identifier(name: str) -> str:
    """Write a name in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def plain(value: Value, **changes: object) -> Value:
    """Return a value with another meaning: what is known of one column alone is dropped."""
    kept = replace(
        value, column=None, source=None, number=None, text=None, name="", ucd=None,
        description=None, system=None,
    )  # fmt: skip
    return replace(kept, **changes)  # type: ignore[arg-type]


def of_number(number: float, kind: str = "") -> Value:
    """Make a value of a number known here; ``kind`` is the type of a whole one, if it matters."""
    if isinstance(number, int) and -(2**63) < number < 2**63:
        kind = kind or "integer" if -(2**31) < number < 2**31 else "bigint"
        sql = str(number) if number >= 0 else f"({number})"
        return Value(sql, kind, number=number)
    sql = repr(float(number))
    return Value(f"'{sql}'::float8", "double precision", number=float(number))


def literal(text: str) -> Value | None:
    """Make a value of a numeric literal; None if no type can hold it."""
    if text[:2] in {"0x", "0X"}:
        whole = int(text, 16)
        return of_number(whole) if whole < 2**63 else None
    if text.isdigit() and len(text) < 20:
        return of_number(int(text))
    number = float(text)
    return None if math.isinf(number) else of_number(number)


def combined(first: str, second: str) -> str:
    """Type of a sum or product of numbers, as PostgreSQL has it."""
    if first in INTEGERS and second in INTEGERS:
        return max(first, second, key=RANKS.__getitem__)
    return "real" if first == second == "real" else "double precision"


def common(first: str, second: str) -> str | None:
    """Type of which both can be values (UNION, COALESCE); None if there is none."""
    if first == second:
        return first
    if first in RANKS and second in RANKS:
        return max(first, second, key=RANKS.__getitem__)
    return None


@lru_cache(maxsize=1000)
def factor(unit: str, wanted: str) -> float | None:
    """Return the number that turns a value in ``unit`` into ``wanted``; None: not possible.

    Raises
    ------
    ValueError
        If ``wanted`` is not a unit (VOUnit).
    """
    from astropy import units  # noqa: PLC0415 - takes half a second, for IN_UNIT alone

    target = units.Unit(wanted, format="vounit")
    try:
        return float(units.Unit(unit, format="vounit").to(target))
    except units.UnitConversionError:
        return None


def instant_of(text: str, *, tai: bool = False) -> datetime | None:
    """Read a time in ISO form; None if it is none.

    Parameters
    ----------
    tai
        Whether the time is wanted in TAI; a final Z says that it is given in UTC. Of a time whose
        scale nobody knows, such as a column of an upload, the Z says nothing.
    """
    plain = text.strip()
    if tai:
        try:
            return parse_instant(plain)
        except (UsageError, ValueError, OverflowError):
            return None
    try:
        found = datetime.fromisoformat(plain.removesuffix("Z"))
    except ValueError:
        return None
    return None if found.tzinfo else found


def moment(instant: datetime) -> str:
    """Write a time as SQL."""
    return f"timestamp '{instant.isoformat()}'"
