"""Translation of conditions: comparisons and what ADQL makes of them."""

import re

from services.adql import geometry as geo
from services.adql import tree
from services.adql.calls import Calls
from services.adql.terms import described
from services.adql.values import (
    INTEGERS,
    Value,
    instant_of,
    moment,
    of_number,
)
from skyledger import systems

_TRUE = frozenset(("true", "t", "1", "yes", "y"))
_FALSE = frozenset(("false", "f", "0", "no", "n"))
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*", re.IGNORECASE)
_LIMIT = 2**63
_MIRROR = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "<>": "<>", "!=": "!="}


def _whole(value: Value) -> Value:
    """Make a bigint of a number that is one; others are NULL, or stay where they are known."""
    if value.number is not None:
        whole = abs(value.number) < _LIMIT and value.number == int(value.number)
        return of_number(int(value.number), "bigint") if whole else value
    sql = value.sql
    return Value(
        f"(CASE WHEN abs({sql}) < {_LIMIT} AND {sql} = floor({sql}) THEN ({sql})::bigint END)",
        "bigint",
    )


class Conditions(Calls):
    """Translates conditions within a scope."""

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
                f"a condition is needed here, this is {described(found)}; compare it", node.offset
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
        pair = self.equal if node.operator == "=" else self.pair
        first, second = pair(self.value(node.left), self.value(node.right), node.offset)
        return f"{first} {node.operator} {second}"

    def equal(self, left: Value, right: Value, offset: int) -> tuple[str, str]:
        """Write two values so that they can be equal.

        Of an identifier a double has 15 digits of 19, and PostgreSQL compares the two as doubles:
        neighbours would be the same. Whole numbers are compared as such, which an index serves.
        """
        if {left.type, right.type} in ({"bigint", "double precision"}, {"bigint", "real"}):
            left, right = (v if v.type == "bigint" else _whole(v) for v in (left, right))
        return self.pair(left, right, offset)

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
                instant = instant_of(other.text, tai=one.system == systems.LEDGER.name)
                if instant is None:
                    raise self.error(
                        f"{other.text!r} is no time; write 2026-01-31T12:00:00", offset
                    )
                written = moment(instant)
                return (one.sql, written) if one is left else (written, one.sql)
        if "geometry" in {left.family, right.family} or left.kept_geometry or right.kept_geometry:
            raise self.error("geometries are compared by CONTAINS, INTERSECTS and DISTANCE", offset)
        if left.family != right.family:
            hint = ""
            texts = [v.text for v in (left, right) if v.text is not None]
            if texts and _NUMBER.fullmatch(texts[0]):
                hint = f"; write numbers without quotes, {texts[0].strip()}"
            if "timestamp" in {left.type, right.type}:
                hint = (
                    "; write a time as '2026-01-31T12:00:00', or make it a number by ivo_to_mjd(t)"
                )
            raise self.error(
                f"{described(left)} cannot be compared with {described(right)}{hint}", offset
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
            f"true or false is compared with 1, 0, TRUE or FALSE, not {described(value)}", offset
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
        members = [self.value(v) for v in node.values]
        for member, v in zip(members, node.values, strict=True):
            number = member.number
            if value.type == "bigint" and number is not None and _whole(member).type != "bigint":
                raise self.error(
                    f"{number:g} is no value of {value.name or 'a bigint'}, whose values are whole "
                    f"numbers of up to 19 digits; leave it out",
                    v.offset,
                )
        pairs = [self.equal(value, m, v.offset) for m, v in zip(members, node.values, strict=True)]
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
