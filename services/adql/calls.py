"""Translation of functions: those of ADQL, aggregates, geometry, and those of functions.py."""

from services.adql import geometry as geo
from services.adql import tree
from services.adql.expressions import NUMERIC
from services.adql.functions import Function, functions
from services.adql.scope import Scope, similar
from services.adql.terms import Terms, described
from services.adql.values import (
    INTEGERS,
    RANKS,
    Value,
    combined,
    common,
    factor,
    instant_of,
    moment,
    of_number,
    plain,
)
from skyledger.catalogue import GEOMETRY

# Functions of ADQL whose name in PostgreSQL is another.
_MATHS = {"CEILING": "ceil", "LOG": "ln", "LOG10": "log", "TRUNCATE": "trunc"}


_FORMS = ("(lon, lat)", "(lon, lat, radius)", "(lon, lat, width, height)")  # in degrees


class Calls(Terms):
    """Translates functions within a scope."""

    # -- functions

    def _call(self, node: tree.Call) -> Value:
        name = node.name
        if name in NUMERIC:
            return self._maths(node)
        special = getattr(self, f"_f_{name.lower()}", None) if name.isupper() else None
        if special is not None:
            return special(node)  # type: ignore[no-any-return]
        return self._user_defined(node)

    def _maths(self, node: tree.Call) -> Value:
        name = node.name
        values = [self.number(a, name) for a in node.arguments]
        sqls = [v.sql for v in values]
        label = name.lower()
        if name == "PI":
            return Value("pi()", "double precision", number=3.141592653589793, name=label)
        if name == "RAND":
            self.repeatable = False
            return Value("random()", "double precision", name=label)
        first = values[0]
        if name == "ABS":
            return plain(first, sql=f"abs({sqls[0]})", name=label)
        if name == "MOD":
            kind = combined(first.type, values[1].type)
            if kind in INTEGERS:
                return Value(f"mod({sqls[0]}, {sqls[1]})", kind, first.unit, name=label)
            both = ", ".join(f"({s})::numeric" for s in sqls)
            return Value(f"mod({both})::float8", "double precision", first.unit, name=label)
        if name in {"ROUND", "TRUNCATE"}:
            function = _MATHS.get(name, label)
            if len(values) == 1:
                sql = f"{function}(({sqls[0]})::float8)"
            else:
                places = values[1]
                number = places.number
                if number is None or places.type not in INTEGERS or abs(number) > 300:
                    raise self.error(
                        f"{name} takes a whole number of decimals as it is",
                        node.arguments[1].offset,
                    )
                sql = f"{function}(({sqls[0]})::numeric, {places.sql})::float8"
            return Value(sql, "double precision", first.unit, name=label)
        units = {"DEGREES": "deg", "RADIANS": "rad", "ACOS": "rad", "ASIN": "rad", "ATAN": "rad"}
        units |= {"ATAN2": "rad", "CEILING": first.unit or "", "FLOOR": first.unit or ""}
        arguments = ", ".join(f"({s})::float8" for s in sqls)
        sql = f"{_MATHS.get(name, label)}({arguments})"
        return Value(sql, "double precision", units.get(name) or None, name=label)

    def _f_lower(self, node: tree.Call) -> Value:
        found = self.words(node.arguments[0], node.name)
        return plain(found, sql=f"{node.name.lower()}({found.sql})", name=node.name.lower())

    _f_upper = _f_lower

    def _f_coalesce(self, node: tree.Call) -> Value:
        values = [geo.at_rest(self.value(a)) for a in node.arguments]
        first, kind = values[0], values[0].type
        for value, argument in zip(values[1:], node.arguments[1:], strict=True):
            wider = common(kind, value.type)
            if wider is None:
                raise self.error(
                    f"COALESCE takes values of one kind; this is {described(value)}, before it "
                    f"stands {kind}",
                    argument.offset,
                )
            kind = wider
        sql = f"coalesce({', '.join(v.sql for v in values)})"
        said = [v for v in values if v.number is None and v.text is None] or values
        known = {
            name: getattr(said[0], name) if len({getattr(v, name) for v in said}) == 1 else None
            for name in ("unit", "ucd", "system")
        }
        return plain(first, sql=sql, type=kind, name="coalesce", **known)

    def _f_in_unit(self, node: tree.Call) -> Value:
        found = self.number(node.arguments[0], "IN_UNIT")
        wanted = node.arguments[1]
        if not isinstance(wanted, tree.Text):
            raise self.error("IN_UNIT takes the unit as a text in quotes", wanted.offset)
        if found.unit is None:
            raise self.error(
                "IN_UNIT needs a value whose unit is known: a column that has one, or a product "
                "of it with a number",
                node.arguments[0].offset,
            )
        try:
            by = factor(found.unit, wanted.text.strip())
        except ValueError:
            raise self.error(
                f"{wanted.text!r} is not a unit (VOUnit), such as mJy or mas/yr", wanted.offset
            ) from None
        if by is None:
            raise self.error(f"a value in {found.unit} cannot be had in {wanted.text}", node.offset)
        sql = found.sql if by == 1 else f"({found.sql} * {of_number(by).sql})"
        kind = found.type if by == 1 else "double precision"
        return plain(
            found, sql=sql, type=kind, unit=wanted.text.strip(), ucd=found.ucd, name="in_unit"
        )

    def _aggregate(self, node: tree.Aggregate) -> Value:
        with self.aggregating(node.name, node.offset):
            if isinstance(node.argument, tree.Star):
                return Value("count(*)", "bigint", None, "meta.number", name="count")
            found = geo.at_rest(self.value(node.argument))
        name = node.name.lower()
        inner = f"{'DISTINCT ' if node.distinct else ''}{found.sql}"
        if name == "count":
            return Value(f"count({inner})", "bigint", None, "meta.number", name=name)
        allowed = ("number",) if name in {"sum", "avg"} else ("number", "text", "timestamp")
        if found.family not in allowed:
            raise self.error(f"{node.name} cannot be had of {described(found)}", node.offset)
        sql, kind = f"{name}({inner})", found.type
        if name == "avg":
            sql, kind = f"{sql}::float8", "double precision"
        elif name == "sum" and kind in INTEGERS:
            sql, kind = f"{sql}::bigint", "bigint"
        elif name == "sum" and kind == "real":
            # Seven digits do for a flux, not for the sum of a million.
            distinct = "DISTINCT " if node.distinct else ""
            sql, kind = f"sum({distinct}({found.sql})::float8)", "double precision"
        ucd = {"min": "stat.min", "max": "stat.max", "avg": "stat.mean"}.get(name)
        # A word of statistics stands behind what it is of; a mean is nobody's main position.
        words = [w for w in (found.ucd or "").split(";") if w != "meta.main"]
        known = ";".join([*words, ucd]) if found.ucd and ucd and ucd not in words else None
        system = None if name == "sum" else found.system
        return plain(found, sql=sql, type=kind, name=name, ucd=known, system=system)

    def aggregating(self, name: str, offset: int) -> "_Aggregating":
        """Return a context in which the argument of an aggregate is translated."""
        scope = self.scope
        if scope.inside:
            raise self.error(f"{name} cannot stand inside another aggregate", offset)
        if scope.place in {"WHERE", "ON", "GROUP BY"}:
            hint = "; conditions on it stand after HAVING" if scope.place != "GROUP BY" else ""
            raise self.error(f"{name} cannot stand after {scope.place}{hint}", offset)
        scope.aggregated = True
        return _Aggregating(scope)

    def _user_defined(self, node: tree.Call) -> Value:
        forms = functions().get(node.name.lower())
        if forms is None:
            known = [f.name for several in functions().values() for f in several[:1]]
            hint = similar(node.name, [*known, *NUMERIC])
            raise self.error(f"there is no function {node.name}{hint}", node.offset)
        if forms[0].aggregate:
            with self.aggregating(node.name, node.offset):
                values = [self.value(a) for a in node.arguments]
        else:
            values = [self.value(a) for a in node.arguments]
        for form in forms:
            sqls = self._fitted(form, values)
            if sqls is not None:
                break
        else:
            said = " or ".join(f.signature.split(" ->")[0] for f in forms)
            given = ", ".join(v.type for v in values) or "nothing"
            raise self.error(f"{node.name} is called as {said}; this has {given}", node.offset)
        self.repeatable = self.repeatable and form.repeatable
        self.scope.spatial = self.scope.spatial or form.name == "in_cone"
        sql = form.sql.format(*sqls)
        if form.returns == "point":
            found = Value(sql, "point", "deg", form.ucd, name=form.name)
            lon, lat = geo.coordinate(found, 1), geo.coordinate(found, 2)
            found.array = f"ARRAY[{lon.sql}, {lat.sql}]"
            return found
        return Value(sql, form.returns, form.unit, form.ucd, form.description, name=form.name)

    def _fitted(self, form: Function, values: list[Value]) -> list[str] | None:
        """Arguments as a form of a function takes them; None if it does not."""
        if len(values) != len(form.arguments):
            return None
        found = []
        for value, (_, kind) in zip(values, form.arguments, strict=True):
            given = geo.from_array(value) if kind in GEOMETRY and value.kept_geometry else value
            if given.type == kind:
                found.append(given.sql)
            elif kind == "timestamp" and given.text is not None:
                instant = instant_of(given.text)
                if instant is None:
                    return None
                found.append(moment(instant))
            elif kind in RANKS and given.type in RANKS:
                if kind in INTEGERS and given.type not in INTEGERS:
                    return None
                found.append(f"({given.sql})::{kind}")
            elif kind == "double precision[]" and given.type == "real[]":
                found.append(f"({given.sql})::float8[]")
            else:
                return None
        return found

    # -- geometry

    def _positions(self, node: tree.Call) -> list[tree.Expression]:
        """Arguments of a constructor without the deprecated coordinate system."""
        arguments = list(node.arguments)
        if isinstance(arguments[0], tree.Text):
            try:
                geo.frame(arguments[0].text)
            except geo.GeometryError as error:
                raise self.error(str(error), arguments[0].offset) from None
            arguments = arguments[1:]
        return arguments

    def _centred(self, node: tree.Call, sizes: int) -> list[Value]:
        """Return a position and ``sizes`` numbers: the arguments of POINT, CIRCLE and BOX."""
        arguments = self._positions(node)
        if len(arguments) == sizes + 2:
            values = [self.number(a, node.name) for a in arguments]
            return [self._made(geo.point, arguments[0], *values[:2]), *values[2:]]
        if len(arguments) == sizes + 1 and sizes:
            if isinstance(arguments[0], tree.Number) or self.value(arguments[0]).type in RANKS:
                raise self.error(f"{node.name} is written {node.name}{_FORMS[sizes]}", node.offset)
            centre = self.geometry(arguments[0], "point")
            return [centre, *(self.number(a, node.name) for a in arguments[1:])]
        raise self.error(f"{node.name} is written {node.name}{_FORMS[sizes]}", node.offset)

    def _f_point(self, node: tree.Call) -> Value:
        return self._centred(node, 0)[0]

    def _f_circle(self, node: tree.Call) -> Value:
        return self._made(geo.circle, node, *self._centred(node, 1))

    def _f_box(self, node: tree.Call) -> Value:
        return self._made(geo.box, node, *self._centred(node, 2))

    def _f_polygon(self, node: tree.Call) -> Value:
        arguments = self._positions(node)
        values = [self.value(a) for a in arguments]
        if all(v.family == "number" for v in values):
            if len(values) % 2:
                raise self.error("POLYGON takes pairs of lon, lat; one is missing", node.offset)
            pairs = zip(values[::2], values[1::2], strict=True)
            corners = [self._made(geo.point, node, *pair) for pair in pairs]
        else:
            corners = [self.geometry(a, "point") for a in arguments]
        return self._made(geo.polygon, node, corners)

    def _f_region(self, node: tree.Call) -> Value:
        argument = node.arguments[0]
        if not isinstance(argument, tree.Text):
            raise self.error(
                "REGION takes a text in quotes: 'CIRCLE ICRS 10 20 1'", argument.offset
            )
        return self._made(geo.from_words, argument, argument.text)

    def _f_contains(self, node: tree.Call) -> Value:
        return Value(f"({self._relation(node)})::integer", "integer", name=node.name.lower())

    _f_intersects = _f_contains

    def _relation(self, node: tree.Call) -> str:
        """Condition that CONTAINS or INTERSECTS is 1."""
        first, second = (self.geometry(a) for a in node.arguments)
        try:
            if node.name == "CONTAINS":
                return geo.contains(first, second)
            return geo.intersects(first, second)
        except geo.GeometryError as error:
            raise self.error(str(error), node.offset) from None

    def _points(self, node: tree.Call) -> list[Value]:
        """Return the two points of DISTANCE."""
        if len(node.arguments) == 4:
            values = [self.number(a, "DISTANCE") for a in node.arguments]
            return [self._made(geo.point, node, *values[k : k + 2]) for k in (0, 2)]
        if len(node.arguments) != 2:
            raise self.error("DISTANCE takes two points, or lon, lat, lon, lat", node.offset)
        return [self.geometry(a, "point") for a in node.arguments]

    def _f_distance(self, node: tree.Call) -> Value:
        return geo.distance(*self._points(node))

    def _f_area(self, node: tree.Call) -> Value:
        return geo.area(self.geometry(node.arguments[0]))

    def _f_centroid(self, node: tree.Call) -> Value:
        return geo.centroid(self.geometry(node.arguments[0]))

    def _f_coord1(self, node: tree.Call) -> Value:
        found = geo.coordinate(self.geometry(node.arguments[0], "point"), 1)
        return plain(found, number=found.number, unit="deg", name="coord1")

    def _f_coord2(self, node: tree.Call) -> Value:
        found = geo.coordinate(self.geometry(node.arguments[0], "point"), 2)
        return plain(found, number=found.number, unit="deg", name="coord2")

    def _f_coordsys(self, node: tree.Call) -> Value:
        self.geometry(node.arguments[0])
        return geo.system()


class _Aggregating:
    """Context of the argument of an aggregate."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def __enter__(self) -> None:
        self.scope.inside = True

    def __exit__(self, *_: object) -> None:
        self.scope.inside = False
