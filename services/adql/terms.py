"""Translation of values: each becomes SQL with a type, or an error at its place."""

from collections.abc import Callable
from typing import Any

from services.adql import geometry as geo
from services.adql import tree
from services.adql.errors import AdqlError
from services.adql.expressions import TYPES
from services.adql.scope import Scope, similar
from services.adql.values import (
    INTEGERS,
    RANKS,
    Value,
    combined,
    instant_of,
    literal,
    moment,
    of_number,
    plain,
    quoted,
)
from skyledger.catalogue import GEOMETRY, Column


class Terms:
    """Translates values and conditions within a scope."""

    text: str
    scope: Scope
    repeatable = True
    shown: frozenset[str] = frozenset()  # names that the SELECT at hand gives its columns

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
            raise self.error(f"{where} needs a number, this is {described(found)}", node.offset)
        return found

    def words(self, node: tree.Expression, where: str) -> Value:
        """Translate a value that has to be a text."""
        found = self.value(node)
        if found.type != "text":
            raise self.error(
                f"{where} needs a text, this is {described(found)}; CAST(... AS VARCHAR) makes one",
                node.offset,
            )
        return found

    def geometry(self, node: tree.Expression, *kinds: str) -> Value:
        """Translate a value that has to be a geometry of some kinds."""
        found = self.value(node)
        if found.kept_geometry:
            found = geo.from_array(found)
        if found.type not in (kinds or GEOMETRY):
            wanted = " or ".join(kinds).upper() if kinds else "POINT, CIRCLE or POLYGON"
            raise self.error(f"a {wanted} is needed, this is {described(found)}", node.offset)
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
        if len(node.parts) == 1 and self.scope.place == "WHERE" and name.lower() in self.shown:
            return self.error(
                f"{name} is a name of the answer, which conditions cannot use; write the "
                f"expression itself, or filter a query in FROM",
                node.offset,
            )
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
        return Value(
            f"({sql})", c.type, c.unit, c.ucd, c.description, xtype=c.xtype, shape=c.shape,
            system=c.system,
        )  # fmt: skip

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
            raise self.error(f"bits are those of integers; this is {described(found)}", node.offset)

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
            raise self.error(f"{described(found)} cannot be made a {node.type}", node.offset)
        if kind == "timestamp":
            if found.text is not None:
                instant = instant_of(found.text)
                if instant is None:
                    raise self.error(
                        f"{found.text!r} is no time; write 2026-01-31T12:00:00", node.value.offset
                    )
                return Value(moment(instant), kind)
            if found.type not in {"text", "timestamp"}:
                raise self.error(
                    f"{described(found)} cannot be made a TIMESTAMP; times of observation are "
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
        if found.kept_geometry:
            found = geo.from_array(found)
        if found.text is not None:
            word = {"point": "POSITION "}.get(kind, f"{kind.upper()} ")
            has_word = found.text.strip()[:1].isalpha()
            found = self._made(geo.from_words, node, found.text if has_word else word + found.text)
        if found.type != kind:
            raise self.error(f"{described(found)} cannot be made a {node.type}", node.value.offset)
        return found

    def _made(self, maker: Callable[..., Value], node: tree.Node, *arguments: Any) -> Value:
        try:
            return maker(*arguments)
        except geo.GeometryError as error:
            raise self.error(str(error), node.offset) from None


def described(value: Value) -> str:
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
