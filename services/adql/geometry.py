"""Geometry: POINT, CIRCLE, POLYGON and what is asked of them, as pg_sphere has it.

A position is written ``spoint(radians(lon), radians(lat))``, exactly as the spatial indexes are,
and stands left of ``<@`` where it has one. Kept and shown, geometries are arrays of degrees.
"""

import re

from services.adql.values import RANKS, Value, of_number, quoted
from skyledger.catalogue import GEOMETRY, REGION
from skyledger.systems import ICRS

# Frames that agree with ICRS to 0.03 arcsec.
_FRAME = re.compile(
    r"\s*(ICRS|FK5|J2000|UNKNOWNFRAME)?(\s+(BARYCENTER|GEOCENTER|HELIOCENTER|"
    r"TOPOCENTER|UNKNOWNREFPOS))?(\s+(SPHERICAL2|CARTESIAN2|UNKNOWNCSYS))?\s*",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)


class GeometryError(Exception):
    """Arguments that make no geometry; the message says why."""


def frame(text: str) -> None:
    """Check the deprecated first argument of the constructors."""
    if not _FRAME.fullmatch(text):
        raise GeometryError(
            f"positions are ICRS here and cannot be given in {text!r}; write 'ICRS' or leave it out"
        )


def _number(value: Value, what: str, low: float, high: float) -> None:
    if value.type not in RANKS:
        raise GeometryError(f"{what} is a number in degrees, not {value.type}")
    if value.number is not None and not low <= value.number <= high:
        raise GeometryError(f"{what} is {value.number:g}; it is from {low:g} to {high:g} degrees")


def point(lon: Value, lat: Value) -> Value:
    """Make a position of two numbers in degrees."""
    _number(lon, "the longitude of a position", -360, 720)
    _number(lat, "the latitude of a position", -90, 90)
    source = lon.source
    spatial = 0
    if (
        source is not None
        and source is lat.source
        and source.table is not None
        and lon.column is not None
        and lat.column is not None
        and (lon.column.sql, lat.column.sql) in source.table.spatial
    ):
        # Of two indexes that of the larger table counts, and uploads are small.
        spatial = 1 if source.table.schema.upper() == "TAP_UPLOAD" else 2
    return Value(
        f"spoint(radians({lon.sql}), radians({lat.sql}))",
        "point",
        "deg",
        "pos.eq",
        lon=lon,
        lat=lat,
        array=f"ARRAY[{lon.sql}, {lat.sql}]::float8[]",
        spatial=spatial,
    )


def circle(centre: Value, radius: Value) -> Value:
    """Make a circle of its centre and radius in degrees."""
    _number(radius, "the radius of a circle", 0, 180)
    return Value(
        f"scircle({centre.sql}, radians({radius.sql}))",
        "circle",
        "deg",
        centre=centre,
        radius=radius,
        array=f"({centre.array} || ({radius.sql})::float8)",
    )


def polygon(corners: list[Value]) -> Value:
    """Make a polygon of its corners, joined by great circles."""
    known = [
        (c.lon.number, c.lat.number) for c in corners
        if c.lon is not None and c.lat is not None and None not in (c.lon.number, c.lat.number)
    ]  # fmt: skip
    fixed = len(known) == len(corners)
    if fixed:
        # Many close the outline by its first corner; two corners in one place make no edge.
        following = [*known[1:], *known[:1]]
        pairs = zip(corners, known, following, strict=True)
        corners = [c for c, corner, after in pairs if corner != after]
    if len(corners) < 3:
        raise GeometryError("a polygon has three different corners or more")
    if all(c.lon is not None and c.lat is not None for c in corners):
        flat = [v.sql for c in corners for v in (c.lon, c.lat) if v is not None]
        array = f"ARRAY[{', '.join(flat)}]::float8[]"
    else:
        array = "(" + " || ".join(c.array for c in corners) + ")"
    sql = f"science.polygon({array})"
    if fixed:
        sql = f"coalesce({sql}, science.no_polygon({array}))"
    return Value(sql, "polygon", "deg", array=array)


def box(centre: Value, width: Value, height: Value) -> Value:
    """Make a box: great circles at right angles to the ends of a cross (ADQL 2.1, BOX)."""
    for size, what in ((width, "width"), (height, "height")):
        _number(size, f"the {what} of a box", 0, 180)
    lon, lat = coordinate(centre, 1), coordinate(centre, 2)
    array = f"science.box_corners({lon.sql}, {lat.sql}, {width.sql}, {height.sql})"
    return Value(f"science.polygon({array})", "polygon", "deg", array=array)


def from_array(value: Value) -> Value:
    """Make a geometry of a column that keeps it as an array of degrees, or in words (ObsCore)."""
    if value.xtype == REGION:
        numbers = f"string_to_array(substr({value.sql}, 14), ' ')::double precision[]"
        value = Value(numbers, "double precision[]", "deg", value.ucd, value.description)
    whole = value.sql if value.type == "double precision[]" else f"({value.sql})::float8[]"
    a = f"({whole})"
    if value.xtype == "point":
        found = Value(f"spoint(radians({a}[1]), radians({a}[2]))", "point")
        found.lon = Value(f"{a}[1]", "double precision", "deg")
        found.lat = Value(f"{a}[2]", "double precision", "deg")
    elif value.xtype == "circle":
        centre = point(Value(f"{a}[1]", "double precision"), Value(f"{a}[2]", "double precision"))
        found = circle(centre, Value(f"{a}[3]", "double precision"))
    else:
        found = Value(f"science.polygon({a})", "polygon")
    found.array, found.unit = whole, "deg"
    found.ucd, found.description = value.ucd, value.description
    return found


def from_words(text: str) -> Value:
    """Read a geometry in words: ``CIRCLE ICRS 10 20 1`` (STC-S), or numbers alone for POINT."""
    words = text.replace(",", " ").split()
    kind = words.pop(0).upper() if words else ""
    frames = []
    while words and words[0][0].isalpha():
        frames.append(words.pop(0))
    frame(" ".join(frames))
    odd = [w for w in words if not _NUMBER.fullmatch(w)]
    if odd:
        raise GeometryError(f"{text!r} has {odd[0]!r} where a number in degrees is needed")
    numbers = [of_number(float(w)) for w in words]
    n = len(numbers)
    if kind == "POSITION" and n == 2:
        return point(*numbers)
    if kind == "CIRCLE" and n == 3:
        return circle(point(*numbers[:2]), numbers[2])
    if kind == "BOX" and n == 4:
        return box(point(*numbers[:2]), *numbers[2:])
    if kind == "POLYGON" and n >= 6 and n % 2 == 0:
        return polygon([point(*numbers[k : k + 2]) for k in range(0, n, 2)])
    raise GeometryError(
        f"{text!r} is no region; write 'POSITION ICRS lon lat', 'CIRCLE ICRS lon lat radius', "
        f"'BOX ICRS lon lat width height' or 'POLYGON ICRS lon lat lon lat lon lat', in degrees"
    )


def coordinate(value: Value, which: int) -> Value:
    """Return the longitude (1) or latitude (2) of a point in degrees."""
    known = value.lon if which == 1 else value.lat
    if known is not None:
        return known
    function = "long" if which == 1 else "lat"
    return Value(f"degrees({function}({value.sql}))", "double precision", "deg")


def distance(first: Value, second: Value) -> Value:
    """Return the angle between two points in degrees."""
    parts = [coordinate(v, which).sql for v in (first, second) for which in (1, 2)]
    return Value(
        f"(science.separation({', '.join(parts)}) / 3600)",
        "double precision",
        "deg",
        "pos.angDistance",
        name="distance",
    )


def near(first: Value, second: Value, degrees: float) -> str | None:
    """Write a condition that an index serves, true for points less than ``degrees`` apart."""
    if not 0 <= degrees < 89:
        return None
    if second.spatial > first.spatial:
        first, second = second, first
    # pg_sphere takes 1e-9 rad for nothing; whoever asks exactly tests the angle too.
    return f"{first.sql} <@ scircle({second.sql}, {_radians(degrees)})"


def _radians(degrees: float) -> str:
    return f"(radians({degrees!r}::float8) + 2e-9::float8)"


def contains(inner: Value, outer: Value) -> str:
    """Write the condition that one geometry lies in, or on the edge of, another."""
    if outer.type == "point":
        if inner.type != "point":
            raise GeometryError("nothing but a position lies in a position; swap the two")
        return f"{inner.sql} = {outer.sql}"
    if inner.type == "point" and outer.type == "circle" and outer.centre and outer.radius:
        number = outer.radius.number
        if number is not None and number > 89:
            return f"{distance(inner, outer.centre).sql} <= {outer.radius.sql}"
        if outer.centre.spatial > inner.spatial:
            # The same the other way round, where the index is.
            return f"{outer.centre.sql} <@ scircle({inner.sql}, radians({outer.radius.sql}))"
    _not_too_wide(inner, outer)
    return f"{inner.sql} <@ {outer.sql}"


def _not_too_wide(*values: Value) -> None:
    """Refuse what pg_sphere does not have: circles wider than half the sky."""
    for value in values:
        number = value.radius.number if value.radius is not None else None
        if number is not None and number > 90:
            raise GeometryError(
                f"a circle of radius {number:g} is compared with positions alone; others have a "
                f"radius of up to 90 degrees"
            )


def intersects(first: Value, second: Value) -> str:
    """Write the condition that two geometries have a point in common."""
    if first.type == "point":
        return contains(first, second)
    if second.type == "point":
        return contains(second, first)
    _not_too_wide(first, second)
    return f"{first.sql} && {second.sql}"


def area(value: Value) -> Value:
    """Return the area of a geometry in square degrees."""
    if value.type == "point":
        sql = "0::float8"
    elif value.radius is not None:
        # Of a cap of any size, without loss of digits for small ones.
        sql = f"degrees(degrees(4 * pi() * power(sin(radians({value.radius.sql}) / 2), 2)))"
    else:
        sql = f"degrees(degrees(area({value.sql})))"
    return Value(sql, "double precision", "deg**2", "phys.angArea", name="area")


def centroid(value: Value) -> Value:
    """Return the middle of a geometry."""
    if value.type == "point":
        return value
    if value.type == "circle" and value.centre is not None:
        return value.centre
    middle = f"science.polygon_centroid({value.array})"
    found = from_array(Value(middle, "double precision[]", xtype="point"))
    found.ucd = "pos.eq"
    return found


def system() -> Value:
    """Return the coordinate system of everything here."""
    return Value(quoted("ICRS"), "text", text="ICRS", name="coordsys")


def at_rest(value: Value) -> Value:
    """Return a geometry as an array of degrees, as results and subqueries show it."""
    if value.type not in GEOMETRY:
        return value
    return Value(
        value.array,
        "double precision[]",
        value.unit,
        value.ucd,
        value.description,
        name=value.name,
        xtype=value.type,
        system=ICRS.name,
        shape={"point": (2,), "circle": (3,)}.get(value.type),
    )
