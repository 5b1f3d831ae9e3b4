"""Translation of values and conditions: each becomes SQL with a type, or an error at its place."""

from collections.abc import Callable
from typing import Any

from services.adql import geometry as geo
from services.adql import tree
from services.adql.errors import AdqlError
from services.adql.expressions import NUMERIC, TYPES
from services.adql.functions import Function, functions
from services.adql.scope import Scope, similar
from services.adql.values import (
    INTEGERS,
    RANKS,
    Value,
    combined,
    common,
    factor,
    instant_of,
    literal,
    of_number,
    plain,
    quoted,
)
from skyledger.catalogue import GEOMETRY, Column

_TRUE = frozenset(("true", "t", "1", "yes", "y"))
_FALSE = frozenset(("false", "f", "0", "no", "n"))
_MIRROR = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "<>": "<>", "!=": "!="}
# Functions of ADQL whose name in PostgreSQL is another.
_MATHS = {"CEILING": "ceil", "LOG": "ln", "LOG10": "log", "TRUNCATE": "trunc"}


_FORMS = ("(lon, lat)", "(lon, lat, radius)", "(lon, lat, width, height)")  # in degrees


class Terms:
    """Translates values and conditions within a scope."""

    text: str
    scope: Scope
    repeatable = True

    def subquery(self, node: tree.Query) -> tuple[str, list[Column]]:
        """Translate a query within the one at hand: its SQL and columns."""
        raise NotImplementedError

    def error(self, problem: str, offset: int) -> AdqlError:
        """Return an error at a place."""
        return AdqlError(problem, self.text, offset)

    # -- values

    def value(self, node: tree.Expression) -> Value:
        """Translate a value; what stands in GROUP BY may stand anywhere as it is."""
        scope = self.scope
        mark = len(scope.loose)
        found = getattr(self, "_" + type(node).__name__.lower())(node)
        if scope.groups and (found.array or found.sql) in scope.groups:
            del scope.loose[mark:]
        return found  # type: ignore[no-any-return]

    def number(self, node: tree.Expression, where: str) -> Value:
        """Translate a value that has to be a number."""
        found = self.value(node)
        if found.type not in RANKS:
            raise self.error(f"{where} needs a number, this is {_shown(found)}", node.offset)
        return found

    def words(self, node: tree.Expression, where: str) -> Value:
        """Translate a value that has to be a text."""
        found = self.value(node)
        if found.type != "text":
            raise self.error(
                f"{where} needs a text, this is {_shown(found)}; CAST(... AS VARCHAR) makes one",
                node.offset,
            )
        return found

    def geometry(self, node: tree.Expression, *kinds: str) -> Value:
        """Translate a value that has to be a geometry of some kinds."""
        found = self.value(node)
        if found.xtype:
            found = geo.from_array(found)
        if found.type not in (kinds or GEOMETRY):
            wanted = " or ".join(kinds).upper() if kinds else "POINT, CIRCLE or POLYGON"
            raise self.error(f"a {wanted} is needed, this is {_shown(found)}", node.offset)
        return found

    def _number(self, node: tree.Number) -> Value:
        found = literal(node.text)
        if found is None:
            raise self.error(f"{node.text} is too large for any type of number", node.offset)
        return found

    def _text(self, node: tree.Text) -> Value:
        return Value(quoted(node.text), "text", text=node.text)

    def _truth(self, node: tree.Truth) -> Value:
        return Value("true" if node.value else "false", "boolean")

    def _columnname(self, node: tree.ColumnName) -> Value:
        scope: Scope | None = self.scope
        while scope is not None:
            found = scope.lookup(node.parts)
            if len(found) == 1:
                if not scope.inside:
                    scope.loose.append((found[0], node.offset))
                return found[0]
            if found:
                raise self._ambiguous(node, found)
            scope = scope.parent
        raise self._unknown(node)

    def _ambiguous(self, node: tree.ColumnName, found: list[Value]) -> AdqlError:
        places = " and ".join(sorted({v.source.label.text for v in found if v.source}))
        return self.error(
            f"column {node.parts[-1].text} is in {places}; write which, table.column", node.offset
        )

    def _unknown(self, node: tree.ColumnName) -> AdqlError:
        name = node.parts[-1].text
        scope: Scope | None = self.scope
        sources = []
        while scope is not None:
            sources += scope.sources()
            scope = scope.parent
        if len(node.parts) > 1:
            called = [s for s in sources if s.called(node.parts[:-1])]
            label = ".".join(p.text for p in node.parts[:-1])
            if not called:
                known = [s.label.text for s in sources]
                return self.error(
                    f"{label} is no table of this query{similar(label, known)} "
                    f"(FROM has {', '.join(known)})",
                    node.offset,
                )
            sources = called
        known = list(dict.fromkeys(c.name for s in sources for c in s.columns))
        tables = ", ".join(dict.fromkeys(s.label.text for s in sources)) or "no table"
        return self.error(
            f"there is no column {name} in {tables}{similar(name, known)}", node.offset
        )

    def _subquery(self, node: tree.Subquery) -> Value:
        sql, columns = self.subquery(node.query)
        if len(columns) != 1:
            raise self.error(
                f"a query that stands for a value has one column, not {len(columns)}", node.offset
            )
        c = columns[0]
        return Value(f"({sql})", c.type, c.unit, c.ucd, c.description, xtype=c.xtype, shape=c.shape)

    def _signed(self, node: tree.Signed) -> Value:
        found = self.number(node.value, node.sign)
        if node.sign == "~":
            self._whole(found, node)
            return plain(found, sql=f"(~ {found.sql})", unit=None)
        if found.number is not None:
            return of_number(-found.number if node.sign == "-" else found.number)
        return plain(found, sql=f"({node.sign} {found.sql})") if node.sign == "-" else found

    def _whole(self, found: Value, node: tree.Expression) -> None:
        if found.type not in INTEGERS:
            raise self.error(f"bits are those of integers; this is {_shown(found)}", node.offset)

    def _chain(self, node: tree.Chain) -> Value:
        if "||" in node.operators:
            if set(node.operators) != {"||"}:
                raise self.error("put parentheses around what || joins", node.offset)
            texts = [self.words(o, "||").sql for o in node.operands]
            return Value(f"({' || '.join(texts)})", "text")
        if node.operators[0] in "&|^":
            values = [self.number(o, node.operators[0]) for o in node.operands]
            for value, operand in zip(values, node.operands, strict=True):
                self._whole(value, operand)
            signs = ["#" if o == "^" else o for o in node.operators]
        else:
            values = [self.number(o, node.operators[0]) for o in node.operands]
            signs = node.operators
        total = values[0]
        kind, unit, number, sql = total.type, total.unit, total.number, total.sql
        for sign, value in zip(signs, values[1:], strict=True):
            unit = _unit(sign, unit, number, value)
            number = _computed(sign, number, value.number)
            kind = combined(kind, value.type)
            sql += f" {sign} {value.sql}"
        return Value(f"({sql})", kind, unit, number=number)

    def _cast(self, node: tree.Cast) -> Value:
        kind = TYPES[node.type]
        found = self.value(node.value)
        if kind in GEOMETRY:
            return self._cast_geometry(node, found, kind)
        if found.family == "geometry" or found.type.endswith("[]"):
            raise self.error(f"{_shown(found)} cannot be made a {node.type}", node.offset)
        if kind == "timestamp":
            if found.text is not None:
                instant = instant_of(found.text)
                if instant is None:
                    raise self.error(
                        f"{found.text!r} is no time; write 2026-01-31T12:00:00", node.value.offset
                    )
                return Value(instant, kind)
            if found.type not in {"text", "timestamp"}:
                raise self.error(
                    f"{_shown(found)} cannot be made a TIMESTAMP; times of observation are "
                    f"Modified Julian Dates and are compared as numbers",
                    node.value.offset,
                )
        elif kind in RANKS and found.type == "timestamp":
            raise self.error("a time becomes a number by ivo_to_mjd(t)", node.value.offset)
        elif found.type == "boolean" and kind in RANKS:
            return plain(found, sql=f"({found.sql}::integer)::{kind}", type=kind)
        if kind == "text":
            sized = f"varchar({node.length})" if node.length else "text"
            return plain(found, sql=f"({found.sql})::{sized}", type="text", unit=None)
        return plain(found, sql=f"({found.sql})::{kind}", type=kind)

    def _cast_geometry(self, node: tree.Cast, found: Value, kind: str) -> Value:
        if found.xtype:
            found = geo.from_array(found)
        if found.text is not None:
            word = {"point": "POSITION "}.get(kind, f"{kind.upper()} ")
            has_word = found.text.strip()[:1].isalpha()
            found = self._made(geo.from_words, node, found.text if has_word else word + found.text)
        if found.type != kind:
            raise self.error(f"{_shown(found)} cannot be made a {node.type}", node.value.offset)
        return found

    # -- functions

    def _made(self, maker: Callable[..., Value], node: tree.Node, *arguments: Any) -> Value:
        try:
            return maker(*arguments)
        except geo.GeometryError as error:
            raise self.error(str(error), node.offset) from None

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
                    f"COALESCE takes values of one kind; this is {_shown(value)}, the one before "
                    f"{kind}",
                    argument.offset,
                )
            kind = wider
        sql = f"coalesce({', '.join(v.sql for v in values)})"
        return plain(first, sql=sql, type=kind, name="coalesce", ucd=first.ucd)

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
            raise self.error(f"{node.name} takes no {_shown(found)}", node.offset)
        sql, kind = f"{name}({inner})", found.type
        if name == "avg":
            sql, kind = f"{sql}::float8", "double precision"
        elif name == "sum" and kind in INTEGERS:
            sql, kind = f"{sql}::bigint", "bigint"
        ucd = {"min": "stat.min", "max": "stat.max", "avg": "stat.mean"}.get(name)
        known = ";".join(u for u in (ucd, found.ucd) if u) if found.ucd and ucd else None
        return plain(found, sql=sql, type=kind, name=name, ucd=known)

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
            given = geo.from_array(value) if kind in GEOMETRY and value.xtype else value
            if given.type == kind:
                found.append(given.sql)
            elif kind == "timestamp" and given.text is not None:
                instant = instant_of(given.text)
                if instant is None:
                    return None
                found.append(instant)
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

    # -- conditions

    def condition(self, node: tree.Expression) -> str:
        """Translate a condition into SQL that can stand between AND and OR."""
        maker = getattr(self, "_c_" + type(node).__name__.lower(), None)
        if maker is not None:
            return maker(node)  # type: ignore[no-any-return]
        if isinstance(node, tree.Call) and node.name in {"CONTAINS", "INTERSECTS"}:
            raise self.error(f"compare it with 1: {node.name}(...) = 1", node.offset)
        found = self.value(node)
        if found.type != "boolean":
            raise self.error(
                f"a condition is needed here, this is {_shown(found)}; compare it", node.offset
            )
        return found.sql

    def _c_logical(self, node: tree.Logical) -> str:
        return "(" + f" {node.operator} ".join(self.condition(t) for t in node.terms) + ")"

    def _c_not(self, node: tree.Not) -> str:
        return f"NOT ({self.condition(node.condition)})"

    def _c_comparison(self, node: tree.Comparison) -> str:
        left, right, operator = node.left, node.right, node.operator
        if isinstance(right, tree.Call) and right.name in {"CONTAINS", "INTERSECTS", "DISTANCE"}:
            left, right, operator = right, left, _MIRROR[operator]
        if isinstance(left, tree.Call):
            if left.name in {"CONTAINS", "INTERSECTS"}:
                return self._compared_relation(left, operator, right)
            if left.name == "DISTANCE" and operator in {"<", "<="}:
                return self._nearer(left, operator, right)
        first, second = self.pair(self.value(node.left), self.value(node.right), node.offset)
        return f"{first} {node.operator} {second}"

    def _compared_relation(self, call: tree.Call, operator: str, other: tree.Expression) -> str:
        found = self.number(other, call.name)
        if operator in {"=", "<>", "!="} and found.number in {0, 1}:
            relation = self._relation(call)
            if (operator == "=") == (found.number == 1):
                self.scope.spatial = True
                return relation
            return f"NOT ({relation})"
        return f"{self._f_contains(call).sql} {operator} {found.sql}"

    def _nearer(self, call: tree.Call, operator: str, limit: tree.Expression) -> str:
        first, second = self._points(call)
        found = self.number(limit, "DISTANCE")
        exact = f"{geo.distance(first, second).sql} {operator} {found.sql}"
        near = None if found.number is None else geo.near(first, second, found.number)
        if near is None:
            return exact
        self.scope.spatial = True
        return f"({near} AND {exact})"

    def pair(self, left: Value, right: Value, offset: int) -> tuple[str, str]:
        """Write two values so that they can be compared."""
        if left.type == "boolean" or right.type == "boolean":
            return self._boolean(left, offset), self._boolean(right, offset)
        for one, other in ((left, right), (right, left)):
            if one.type == "timestamp" and other.text is not None:
                instant = instant_of(other.text)
                if instant is None:
                    raise self.error(
                        f"{other.text!r} is no time; write 2026-01-31T12:00:00", offset
                    )
                return (one.sql, instant) if one is left else (instant, one.sql)
        if "geometry" in {left.family, right.family} or left.xtype or right.xtype:
            raise self.error("geometries are compared by CONTAINS, INTERSECTS and DISTANCE", offset)
        if left.family != right.family:
            hint = ""
            if "timestamp" in {left.type, right.type}:
                hint = (
                    "; write a time as '2026-01-31T12:00:00', or make it a number by ivo_to_mjd(t)"
                )
            raise self.error(
                f"{_shown(left)} cannot be compared with {_shown(right)}{hint}", offset
            )
        return left.sql, right.sql

    def _boolean(self, value: Value, offset: int) -> str:
        if value.type == "boolean":
            return value.sql
        if value.number in {0, 1}:
            return "true" if value.number else "false"
        if value.text is not None and value.text.lower() in _TRUE | _FALSE:
            return "true" if value.text.lower() in _TRUE else "false"
        if value.type in INTEGERS and value.number is None:
            return f"({value.sql} <> 0)"
        raise self.error(
            f"true or false is compared with 1, 0, TRUE or FALSE, not {_shown(value)}", offset
        )

    def _c_between(self, node: tree.Between) -> str:
        value, low, high = self.value(node.value), self.value(node.low), self.value(node.high)
        word = "NOT BETWEEN" if node.negated else "BETWEEN"
        first, from_ = self.pair(value, low, node.low.offset)
        _, to = self.pair(value, high, node.high.offset)
        found = f"{first} {word} {from_} AND {to}"
        if isinstance(node.value, tree.Call) and node.value.name == "DISTANCE" and not node.negated:
            near = None
            if high.number is not None:
                one, other = self._points(node.value)
                near = geo.near(one, other, high.number)
            if near is not None:
                self.scope.spatial = True
                return f"({near} AND {found})"
        return f"({found})"

    def _c_in(self, node: tree.In) -> str:
        value = self.value(node.value)
        word = "NOT IN" if node.negated else "IN"
        if isinstance(node.values, tree.Query):
            sql, columns = self.subquery(node.values)
            if len(columns) != 1:
                raise self.error(
                    f"the query after IN has one column, not {len(columns)}", node.offset
                )
            other = Value("", columns[0].type, xtype=columns[0].xtype)
            first, _ = self.pair(value, other, node.offset)
            return f"{first} {word} ({sql})"
        pairs = [self.pair(value, self.value(v), v.offset) for v in node.values]
        return f"{pairs[0][0]} {word} ({', '.join(second for _, second in pairs)})"

    def _c_like(self, node: tree.Like) -> str:
        value = self.words(node.value, node.operator)
        pattern = self.words(node.pattern, node.operator)
        word = f"NOT {node.operator}" if node.negated else node.operator
        # ADQL knows no escape character.
        return f"{value.sql} {word} {pattern.sql} ESCAPE ''"

    def _c_isnull(self, node: tree.IsNull) -> str:
        found = geo.at_rest(self.value(node.value))
        return f"{found.sql} IS {'NOT ' if node.negated else ''}NULL"

    def _c_exists(self, node: tree.Exists) -> str:
        sql, _ = self.subquery(node.query)
        return f"EXISTS ({sql})"


class _Aggregating:
    """Context of the argument of an aggregate."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def __enter__(self) -> None:
        self.scope.inside = True

    def __exit__(self, *_: object) -> None:
        self.scope.inside = False


def _shown(value: Value) -> str:
    """Kind of a value as a message says it."""
    if value.text is not None:
        return f"the text {value.text!r}" if len(value.text) < 40 else "a text"
    kind = value.xtype or value.type
    article = "an" if kind[0] in "aeiou" else "a"
    return f"{article} {kind}" + (f" ({value.name})" if value.name else "")


def _unit(sign: str, unit: str | None, number: float | None, value: Value) -> str | None:
    """Return the unit of a sum or product, where it is plain."""
    if sign in "+-":
        if unit == value.unit or value.number is not None:
            return unit
        return value.unit if number is not None else None
    if value.number is not None:
        return unit
    if sign == "*" and number is not None:
        return value.unit
    return None


def _computed(sign: str, first: float | None, second: float | None) -> float | None:
    """Value of an expression of numbers alone, as PostgreSQL computes it."""
    if first is None or second is None:
        return None
    try:
        if sign == "+":
            return first + second
        if sign == "-":
            return first - second
        if sign == "*":
            return first * second
        if sign == "/":
            if isinstance(first, int) and isinstance(second, int):
                return int(first / second) if abs(first) < 2**53 else None
            return first / second
    except (ZeroDivisionError, OverflowError):
        return None
    return None
