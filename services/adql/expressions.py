"""Grammar of values and conditions: recursive descent, one method a level of precedence."""

from collections.abc import Callable

from services.adql import tree
from services.adql.words import CLAUSES, Words

MAX_TERMS = 2000  # of one chain of operators

# ADQL's own functions: how few and how many arguments they take.
NUMERIC = dict.fromkeys(
    (
        *("ABS", "ACOS", "ASIN", "ATAN", "CEILING", "COS", "COT", "DEGREES", "EXP", "FLOOR"),
        *("LOG", "LOG10", "RADIANS", "SIN", "SQRT", "TAN"),
    ),
    (1, 1),
) | {
    "ATAN2": (2, 2),
    "MOD": (2, 2),
    "POWER": (2, 2),
    "PI": (0, 0),
    "RAND": (0, 1),
    "ROUND": (1, 2),
    "TRUNCATE": (1, 2),
}
GEOMETRY = {
    "POINT": (1, 3),
    "CIRCLE": (2, 4),
    "BOX": (3, 5),
    "POLYGON": (3, 2001),
    "REGION": (1, 1),
    "CONTAINS": (2, 2),
    "INTERSECTS": (2, 2),
    "DISTANCE": (2, 4),
    "AREA": (1, 1),
    "CENTROID": (1, 1),
    "COORD1": (1, 1),
    "COORD2": (1, 1),
    "COORDSYS": (1, 1),
}
OTHERS = {"LOWER": (1, 1), "UPPER": (1, 1), "COALESCE": (1, 1000), "IN_UNIT": (2, 2)}
FUNCTIONS = {**NUMERIC, **GEOMETRY, **OTHERS}
AGGREGATES = frozenset(("COUNT", "SUM", "AVG", "MIN", "MAX"))
TYPES = {
    "CHAR": "text",
    "VARCHAR": "text",
    "SMALLINT": "smallint",
    "INTEGER": "integer",
    "BIGINT": "bigint",
    "REAL": "real",
    "DOUBLE": "double precision",
    "TIMESTAMP": "timestamp",
    "POINT": "point",
    "CIRCLE": "circle",
    "POLYGON": "polygon",
}
_COMPARISONS = frozenset(("=", "<>", "!=", "<", ">", "<=", ">="))
_INSTEAD = {
    "CASE": "CASE is not ADQL; COALESCE, or a UNION ALL of queries with other conditions, may do",
    "NULL": "NULL is no value in ADQL; test with IS NULL or IS NOT NULL",
    "NULLIF": "NULLIF is not ADQL",
    "SUBSTRING": "SUBSTRING is not ADQL; LIKE compares with a pattern",
    "EXTRACT": "EXTRACT is not ADQL; ivo_to_mjd(t) makes a number of a time",
    "TRIM": "TRIM is not ADQL; LIKE compares with a pattern",
    "CURRENT_TIMESTAMP": "CURRENT_TIMESTAMP is not ADQL, and its answer could not be had again; "
    "write the instant itself",
    "CHAR_LENGTH": "CHAR_LENGTH is not ADQL; LIKE compares with a pattern",
    "ANY": "ANY is not ADQL; write IN (...)",
    "SOME": "SOME is not ADQL; write IN (...)",
    "ALL": "ALL is not ADQL here; compare with an aggregate",
    "INTERVAL": "INTERVAL is not ADQL; times of observation are Modified Julian Dates, in days",
}


class ExpressionGrammar(Words):
    """Reads values and conditions; `QueryGrammar` adds queries."""

    def query(self) -> tree.Query:
        """Read a query expression."""
        raise NotImplementedError

    # -- conditions

    def condition(self, where: str) -> tree.Expression:
        """Read something true or false."""
        start = self.token.offset
        found = self.either()
        if not isinstance(found, tree.Condition | tree.Truth | tree.ColumnName | tree.Call):
            raise self.error(f"{where} takes a condition, such as x > 1; this is a value", start)
        return found

    def value(self) -> tree.Expression:
        """Read a number, text, geometry or boolean value."""
        start = self.token.offset
        found = self.either()
        if isinstance(found, tree.Condition):
            raise self.error(
                "a condition is no value in ADQL; it can stand after WHERE, ON, HAVING", start
            )
        return found

    def either(self) -> tree.Expression:
        """Read a value or a condition."""
        return self._logical("OR", self._and)

    def _and(self) -> tree.Expression:
        return self._logical("AND", self._not)

    def _logical(self, word: str, below: Callable[[], tree.Expression]) -> tree.Expression:
        first = below()
        if not self.sees(word):
            return first
        terms = [self._boolean(first)]
        while self.take(word):
            terms.append(self._boolean(below()))
            if len(terms) > MAX_TERMS:
                raise self.error(f"more than {MAX_TERMS} conditions in a row; use IN, or an upload")
        return tree.Logical(terms[0].offset, word, terms)

    def _boolean(self, found: tree.Expression) -> tree.Expression:
        if not isinstance(found, tree.Condition | tree.Truth | tree.ColumnName | tree.Call):
            raise self.error(
                "AND, OR and NOT join conditions, such as x > 1; this is a value", found.offset
            )
        return found

    def _not(self) -> tree.Expression:
        if not self.sees("NOT"):
            return self._predicate()
        start = self.token.offset
        negations = 0
        while self.take("NOT"):
            negations += 1
        found = self._boolean(self._predicate())
        return tree.Not(start, found) if negations % 2 else found

    def _predicate(self) -> tree.Expression:
        if self.sees("EXISTS"):
            start = self.token.offset
            self.at += 1
            return tree.Exists(start, self._subquery("EXISTS"))
        left = self._sum()
        token = self.token
        if token.kind == "sign":
            if token.text not in _COMPARISONS:
                return left
            self.at += 1
            if self.sees("ALL", "ANY", "SOME"):
                raise self.error(_INSTEAD[self.token.text])
            if self.sees("=") and token.text == "=":
                raise self.error("two are equal with a single =")
            operands = self._value(left), self._value(self._sum())
            if self.sees(*_COMPARISONS):
                raise self.error("comparisons do not chain; join two of them by AND")
            return tree.Comparison(token.offset, token.text, *operands)
        if token.kind != "word":
            return left
        if self.take("IS"):
            negated = bool(self.take("NOT"))
            if not self.take("NULL"):
                raise self.error(
                    f"IS is followed by NULL or NOT NULL in ADQL; found {self.shown()}"
                )
            return tree.IsNull(token.offset, self._value(left), negated)
        negated = bool(self.take("NOT"))
        if self.take("BETWEEN"):
            low = self._value(self._sum())
            self.expect("AND", "between the limits of BETWEEN")
            high = self._value(self._sum())
            return tree.Between(token.offset, self._value(left), low, high, negated)
        if self.take("IN"):
            return tree.In(token.offset, self._value(left), self._members(), negated)
        operator = self.take("LIKE", "ILIKE")
        if operator:
            pattern = self._value(self._sum())
            if self.sees("ESCAPE"):
                raise self.error("ESCAPE is not ADQL")
            return tree.Like(token.offset, operator, self._value(left), pattern, negated)
        if negated:
            raise self.error(
                f"NOT is followed by BETWEEN, IN, LIKE or ILIKE here; found {self.shown()}"
            )
        return left

    def _value(self, found: tree.Expression) -> tree.Expression:
        if isinstance(found, tree.Condition):
            raise self.error("a value is needed here; this is a condition", found.offset)
        return found

    def _members(self) -> list[tree.Expression] | tree.Query:
        if not self.sees("("):
            raise self.error(
                f"IN is followed by values or a query in parentheses; found {self.shown()}"
            )
        if self.opens_query():
            return self._subquery("IN")
        self.at += 1
        self.enter()
        if self.sees(")"):
            raise self.error("IN needs at least one value")
        found = [self.value()]
        while self.take(","):
            found.append(self.value())
        self.expect(")", "after the values of IN")
        self.depth -= 1
        return found

    def _subquery(self, where: str) -> tree.Query:
        self.expect("(", f"after {where}")
        self.enter()
        found = self.query()
        self.expect(")", "after the query")
        self.depth -= 1
        return found

    # -- values

    def _sum(self) -> tree.Expression:
        # PostgreSQL and SQL 92 know no order of these among each other but that of arithmetic.
        return self._chain(("||", "|", "^", "&"), lambda: self._chain(("+", "-"), self._product))

    def _product(self) -> tree.Expression:
        return self._chain(("*", "/"), self._signed)

    def _chain(
        self, signs: tuple[str, ...], below: Callable[[], tree.Expression]
    ) -> tree.Expression:
        first = below()
        token = self.token
        if token.kind != "sign" or token.text not in signs:
            return first
        operands, operators = [self._value(first)], []
        while sign := self.take(*signs):
            if sign == "/" and self.sees("*"):
                raise self.error(
                    "comments in ADQL begin with -- and end with the line", token.offset
                )
            operators.append(sign)
            operands.append(self._value(below()))
            if len(operands) > MAX_TERMS:
                raise self.error(f"more than {MAX_TERMS} terms in a row")
        return tree.Chain(token.offset, operands, operators)

    def _signed(self) -> tree.Expression:
        token = self.token
        if token.kind == "sign" and token.text in {"-", "+", "~"}:
            self.at += 1
            if self.sees("-", "+", "~"):
                raise self.error("one sign is enough; use parentheses")
            return tree.Signed(token.offset, token.text, self._value(self._primary()))
        return self._primary()

    def _primary(self) -> tree.Expression:
        token = self.token
        if token.kind == "number":
            self.at += 1
            return tree.Number(token.offset, token.text)
        if token.kind == "string":
            self.at += 1
            if self.token.kind == "string":
                raise self.error("texts do not follow each other; join them by ||")
            return tree.Text(token.offset, token.text)
        if token.kind in {"name", "quoted"}:
            return self._named()
        if token.kind == "sign" and token.text == "(":
            if self.opens_query():
                return tree.Subquery(token.offset, self._subquery("here"))
            self.at += 1
            self.enter()
            found = self.either()
            if self.sees(","):
                raise self.error("lists of values can stand after IN only")
            self.expect(")", "here")
            self.depth -= 1
            return found
        if token.kind == "word":
            return self._word()
        raise self.error(f"a value is missing; found {self.shown()}")

    def _named(self) -> tree.Expression:
        first = self.name("a column")
        parts = [first]
        while self.take("."):
            parts.append(self.name("a column"))
        if self.sees("("):
            if len(parts) > 1:
                raise self.error(
                    f"functions have no schema in ADQL; write {parts[-1].text}(...)", first.offset
                )
            if first.quoted:
                raise self.error("names of functions are not quoted", first.offset)
            return tree.Call(first.offset, first.text, self._arguments())
        if len(parts) > 3:
            raise self.error("a column is named schema.table.column at most", first.offset)
        return tree.ColumnName(first.offset, tuple(parts))

    def _arguments(self) -> tuple[tree.Expression, ...]:
        self.expect("(", "after the name of a function")
        self.enter()
        found = []
        if not self.sees(")"):
            found.append(self.value())
            while self.take(","):
                found.append(self.value())
        self.expect(")", "after the arguments")
        self.depth -= 1
        return tuple(found)

    def _word(self) -> tree.Expression:
        token = self.token
        word = token.text
        if word in {"TRUE", "FALSE"}:
            self.at += 1
            return tree.Truth(token.offset, word == "TRUE")
        follows = self.tokens[self.at + 1]
        called = follows.kind == "sign" and follows.text == "("
        if called and word in FUNCTIONS:
            self.at += 1
            arguments = self._arguments()
            low, high = FUNCTIONS[word]
            if not low <= len(arguments) <= high:
                counts = str(low) if low == high else f"{low} to {high}"
                raise self.error(
                    f"{word} takes {counts} arguments, not {len(arguments)}", token.offset
                )
            return tree.Call(token.offset, word, arguments)
        if called and word in AGGREGATES:
            return self._aggregate()
        if called and word == "CAST":
            return self._cast()
        if word in _INSTEAD:
            raise self.error(_INSTEAD[word])
        if word in FUNCTIONS or word in AGGREGATES or word == "CAST":
            raise self.error(
                f"{word} is a function of ADQL, '(' is missing behind it; a column of this name is "
                f'written in double quotes, "{word.lower()}"'
            )
        if word in CLAUSES:
            raise self.error(f"a value is missing before {word}")
        if called:
            raise self.error(f"{word} is not a function of ADQL")
        raise self.error(
            f"{word} is a reserved word; a column of this name is written in double quotes, "
            f'"{word.lower()}"'
        )

    def _aggregate(self) -> tree.Aggregate:
        token = self.token
        self.at += 1
        self.expect("(", f"after {token.text}")
        self.enter()
        star = self.token.offset
        argument: tree.Expression | tree.Star
        if token.text == "COUNT" and self.take("*"):
            argument, quantifier = tree.Star(star), None
        else:
            quantifier = self.take("DISTINCT", "ALL")
            if self.sees(")"):
                raise self.error(f"{token.text} needs an argument")
            argument = self.value()
        self.expect(")", f"after the argument of {token.text}")
        self.depth -= 1
        return tree.Aggregate(token.offset, token.text, argument, quantifier == "DISTINCT")

    def _cast(self) -> tree.Cast:
        token = self.token
        self.at += 1
        self.expect("(", "after CAST")
        self.enter()
        value = self.value()
        self.expect("AS", "between value and type of CAST")
        word = self.token
        if word.kind not in {"word", "name"} or word.text not in TYPES:
            instead = {"FLOAT": "; write DOUBLE PRECISION", "INT": "; write INTEGER"}
            types = ", ".join(TYPES).replace("DOUBLE", "DOUBLE PRECISION")
            raise self.error(
                f"{self.shown()} is no type of CAST{instead.get(word.text, '')}; there are {types}"
            )
        self.at += 1
        if word.text == "DOUBLE":
            self.expect("PRECISION", "after DOUBLE")
        length = None
        if word.text in {"CHAR", "VARCHAR"} and self.take("("):
            length = self.whole_number(word.text)
            self.expect(")", "after the length")
        self.expect(")", "after the type")
        self.depth -= 1
        return tree.Cast(token.offset, value, word.text, length)
