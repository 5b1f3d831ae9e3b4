"""Grammar of queries (ADQL 2.1, appendix A), on top of that of values and conditions."""

from services.adql import tree
from services.adql.expressions import ExpressionGrammar

MAX_TABLES = 50  # table references, and operands of set operations, of one query
_LATE = {
    "LIMIT": "LIMIT is not ADQL; write SELECT TOP 10 ... at the beginning",
    "FETCH": "FETCH is not ADQL; write SELECT TOP 10 ... at the beginning",
    "INTO": "ADQL only reads; INTO is not known. An asynchronous job keeps its answer",
    "MINUS": "MINUS is not ADQL; write EXCEPT",
    "ROWS": "ROWS is not ADQL; write OFFSET 10 alone",
    "QUALIFY": "QUALIFY is not ADQL; filter a query in FROM",
    "WINDOW": "windows are not ADQL",
}
_STATEMENTS = frozenset(
    [
        "INSERT",
        "UPDATE",
        "DELETE",
        "DROP",
        "CREATE",
        "ALTER",
        "GRANT",
        "REVOKE",
        "COPY",
        "SET",
        "EXPLAIN",
        "TRUNCATE",
        "VALUES",
        "TABLE",
    ]
)


class QueryGrammar(ExpressionGrammar):
    """Reads queries: ``QueryGrammar(text).whole()``."""

    tables = 0

    def whole(self) -> tree.Query:
        """Read the query that is the whole text; one semicolon may end it."""
        if self.token.kind == "end":
            raise self.error("the query is empty; write SELECT ... FROM ...")
        found = self.query()
        self.take(";")
        if self.token.kind != "end":
            self._left_over()
        return found

    def _left_over(self) -> None:
        token = self.token
        word = token.text.upper()
        if token.kind in {"word", "name"} and word in _LATE:
            raise self.error(_LATE[word])
        if self.sees(";") or self.tokens[self.at - 1].text == ";":
            raise self.error("one query at a time; nothing can follow a semicolon")
        if self.sees("SELECT"):
            raise self.error("a second SELECT; join queries by UNION, INTERSECT or EXCEPT")
        if self.sees(")"):
            raise self.error("this parenthesis was never opened")
        if self.sees("TOP"):
            raise self.error("TOP stands after SELECT (and after DISTINCT)")
        if self.sees("WHERE", "GROUP", "HAVING", "ORDER", "OFFSET", "FROM"):
            raise self.error(
                f"{token.text} is out of place; they come as SELECT, FROM, WHERE, GROUP BY, "
                f"HAVING, ORDER BY, OFFSET"
            )
        raise self.error(f"the query should end here; found {self.shown()}")

    # -- query expressions

    def query(self) -> tree.Query:
        """Read a query expression: WITH, set operations, ORDER BY, OFFSET."""
        start = self.token.offset
        withs = []
        if self.take("WITH"):
            if self.token.text.upper() == "RECURSIVE":
                raise self.error("queries that name themselves are not ADQL; leave RECURSIVE out")
            withs.append(self._with())
            while self.take(","):
                withs.append(self._with())
        body = self._set_operation(("UNION", "EXCEPT"))
        order = []
        if self.take("ORDER"):
            self.expect("BY", "after ORDER")
            order.append(self._order())
            while self.take(","):
                order.append(self._order())
        skipped = None
        if self.take("OFFSET"):
            skipped = self.whole_number("OFFSET")
        if self.token.kind == "name" and self.token.text.upper() in {"LIMIT", "MINUS"}:
            raise self.error(_LATE[self.token.text.upper()])
        return tree.Query(start, withs, body, order, skipped)

    def _with(self) -> tree.With:
        name = self.name("the name of a WITH query")
        columns: tuple[tree.Name, ...] = ()
        if self.take("("):
            columns = self.names("a column of the WITH query")
        self.expect("AS", "after the name of the WITH query")
        return tree.With(name.offset, name, columns, self._subquery("AS"))

    def _set_operation(
        self, words: tuple[str, ...]
    ) -> tree.Query | tree.Select | tree.SetOperation:
        inner = words != ("INTERSECT",)
        operands = [self._set_operation(("INTERSECT",)) if inner else self._operand()]
        operators: list[str] = []
        start = self.token.offset
        while word := self.take(*words):
            if self.take("DISTINCT"):
                raise self.error(f"{word} already leaves duplicates out; DISTINCT is not ADQL here")
            operators.append(word + (" ALL" if self.take("ALL") else ""))
            self._count_table()
            operands.append(self._set_operation(("INTERSECT",)) if inner else self._operand())
        return tree.SetOperation(start, operands, operators) if operators else operands[0]

    def _operand(self) -> tree.Query | tree.Select:
        if self.sees("SELECT"):
            return self._select()
        if self.sees("("):
            return self._subquery("a set operation")
        word = self.token.text.upper()
        if word in _STATEMENTS and self.token.kind in {"word", "name"}:
            raise self.error(
                f"ADQL only reads, {word} is not known; a query begins with SELECT or WITH"
            )
        raise self.error(f"a query begins with SELECT or WITH; found {self.shown()}")

    # -- one SELECT

    def _select(self) -> tree.Select:
        start = self.token.offset
        self.expect("SELECT", "here")
        distinct = self.take("DISTINCT", "ALL") == "DISTINCT"
        top = self.whole_number("TOP") if self.take("TOP") else None
        if self.sees("DISTINCT", "ALL"):
            raise self.error("DISTINCT and ALL stand before TOP: SELECT DISTINCT TOP 10 ...")
        items = [self._item()]
        while self.take(","):
            items.append(self._item())
        if not self.take("FROM"):
            self._no_from()
        tables = [self._table()]
        while self.take(","):
            tables.append(self._table())
        found = tree.Select(start, distinct, top, items, tables)
        if self.take("WHERE"):
            found.where = self.condition("WHERE")
        if self.take("GROUP"):
            self.expect("BY", "after GROUP")
            found.group.append(self.value())
            while self.take(","):
                found.group.append(self.value())
        if self.take("HAVING"):
            found.having = self.condition("HAVING")
        return found

    def _no_from(self) -> None:
        if self.token.kind == "end" or self.sees("WHERE", ";") or (self.depth and self.sees(")")):
            raise self.error("FROM and the name of a table are missing")
        raise self.error(f"FROM or a comma is missing; found {self.shown()}")

    def _item(self) -> tree.Item:
        token = self.token
        if self.sees("*"):
            self.at += 1
            return tree.Item(token.offset, tree.Star(token.offset), None)
        if self.sees("FROM"):
            raise self.error("a column is missing before FROM")
        # table.* : names and a star
        if token.kind in {"name", "quoted"}:
            at = self.at
            parts = [self.name("a table")]
            while self.take("."):
                if self.take("*"):
                    return tree.Item(token.offset, tree.Star(token.offset, tuple(parts)), None)
                if self.token.kind not in {"name", "quoted"}:
                    break
                parts.append(self.name("a table"))
            self.at = at
        value = self.value()
        return tree.Item(token.offset, value, self._alias("a name for the column"))

    def _alias(self, what: str) -> tree.Name | None:
        if self.take("AS"):
            return self.name(what)
        if self.token.kind == "name" and self.token.text.upper() in {"LIMIT", "MINUS"}:
            return None
        return self.name(what) if self.token.kind in {"name", "quoted"} else None

    def _order(self) -> tree.Order:
        start = self.token.offset
        value = self.value()
        direction = self.take("ASC", "DESC")
        if self.token.text.upper() == "NULLS":
            raise self.error("NULLS FIRST and LAST are not ADQL; rows without value come last")
        return tree.Order(start, value, direction == "DESC")

    # -- tables

    def _count_table(self) -> None:
        self.tables += 1
        if self.tables > MAX_TABLES:
            raise self.error(f"more than {MAX_TABLES} tables and set operations in one query")

    def _table(self) -> tree.TableReference:
        left = self._table_primary()
        while self.sees("NATURAL", "CROSS", "INNER", "LEFT", "RIGHT", "FULL", "JOIN"):
            start = self.token.offset
            natural = bool(self.take("NATURAL"))
            kind = self.take("CROSS", "INNER", "LEFT", "RIGHT", "FULL") or "INNER"
            if self.take("OUTER") and kind in {"CROSS", "INNER"}:
                raise self.error("OUTER goes with LEFT, RIGHT or FULL", start)
            if natural and kind == "CROSS":
                raise self.error("a join is either NATURAL or CROSS", start)
            self.expect("JOIN", "in the join")
            right = self._table_primary()
            on: tree.Expression | None = None
            using: tuple[tree.Name, ...] = ()
            if self.take("ON"):
                on = self.condition("ON")
            elif self.take("USING"):
                self.expect("(", "after USING")
                using = self.names("a column of both tables")
            given = on is not None or bool(using)
            if (natural or kind == "CROSS") and given:
                raise self.error("NATURAL and CROSS joins take neither ON nor USING", start)
            if not (natural or kind == "CROSS" or given):
                raise self.error(f"ON or USING is missing after the join; found {self.shown()}")
            left = tree.Join(start, kind, natural, left, right, on, using)
        return left

    def _table_primary(self) -> tree.TableReference:
        self._count_table()
        token = self.token
        if self.sees("("):
            if self.opens_query():
                query = self._subquery("FROM")
                alias = self._alias("a name for the query")
                if alias is None:
                    raise self.error("a query in FROM needs a name: (SELECT ...) AS t")
                return tree.Derived(token.offset, query, alias)
            self.at += 1
            self.enter()
            joined = self._table()
            if not isinstance(joined, tree.Join):
                raise self.error(
                    "only joins and queries stand in parentheses in FROM", token.offset
                )
            self.expect(")", "after the join")
            self.depth -= 1
            return joined
        parts = [self.name("a table")]
        while self.take("."):
            parts.append(self.name("a table"))
        if len(parts) > 2:
            raise self.error("a table is named schema.table at most", token.offset)
        if self.sees("("):
            raise self.error("functions cannot stand in FROM in ADQL", token.offset)
        return tree.TableName(token.offset, tuple(parts), self._alias("a name for the table"))
