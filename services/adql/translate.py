"""ADQL 2.1 to PostgreSQL: queries. The public function is `translate`."""

from dataclasses import dataclass, replace
from datetime import datetime

from services.adql import geometry as geo
from services.adql import tree
from services.adql.answer import Translated, as_column, results
from services.adql.bounds import conjuncts, is_look
from services.adql.grammar import QueryGrammar
from services.adql.scope import Scope, same, similar
from services.adql.tables import Tables
from services.adql.values import INTEGERS, Value, common, identifier
from skyledger.catalogue import Catalogue, Column

MAX_COLUMNS = 1600  # PostgreSQL's own limit is 1664


def translate(
    text: str,
    catalogue: Catalogue,
    instant: datetime | None = None,
    *,
    rows: int | None = None,
    total_order: bool = True,
    now: datetime | None = None,
) -> Translated:
    """Translate a query.

    Parameters
    ----------
    text
        ADQL 2.1.
    catalogue
        What can be named, uploads of the request among it.
    instant
        Instant of ledger time (TAI) for all living tables; None: the current rows.
    rows
        Never return more rows than this (one more than MAXREC, to see whether it was too few).
    total_order
        Add an order of all rows wherever TOP, OFFSET or ``rows`` cut, so that the same rows come
        again.
    now
        Instant (TAI) that the current rows are those of, where no ``instant`` is written: later
        ones are refused with their place in the query. The database refuses them too.

    Raises
    ------
    AdqlError
        With the place and the next step, if the query is not ADQL or names what is not there.
    """
    return _Translation(text, catalogue, instant, total_order, now).whole(rows)


@dataclass(slots=True)
class _Result:
    """A translated query: SQL, the columns as a table of FROM, and their values."""

    sql: str
    columns: list[Column]
    top: int | None = None
    ordered: bool = False


class _Translation(Tables):
    """The state of one translation."""

    def __init__(
        self, text: str, catalogue: Catalogue, instant: datetime | None, total_order: bool,
        now: datetime | None,
    ) -> None:  # fmt: skip
        super().__init__(text, catalogue, instant, now)
        self.total_order = total_order

    def whole(self, rows: int | None) -> Translated:
        query = QueryGrammar(self.text).whole()
        found = self.query(query, rows)
        tables = tuple(self.used.values())
        return Translated(
            found.sql,
            results(found.columns),
            tables,
            any(t.at for t in tables),
            found.top,
            query.offset_rows,
            found.ordered,
            self.repeatable,
        )

    # -- query expressions

    def subquery(self, node: tree.Query) -> tuple[str, list[Column]]:
        """Translate a query within the one at hand, whose names it may use."""
        found = self.query(node)
        return found.sql, found.columns

    def query(self, node: tree.Query, rows: int | None = None) -> _Result:
        """Translate a query expression, cut after ``rows``."""
        known = len(self.withs)
        withs = [self._with(w, known) for w in node.withs]
        body = node.body
        if isinstance(body, tree.Select):
            found = self.select(body, node.order, node.offset_rows, rows)
        else:
            found = self._combined(body, node, rows)
        del self.withs[known:]
        if withs:
            found.sql = f"WITH {', '.join(withs)} {found.sql}"
        return found

    def _with(self, node: tree.With, known: int) -> str:
        sql, columns = self.apart(node.query)
        if node.columns:
            if len(node.columns) != len(columns):
                raise self.error(
                    f"{node.name.text} has {len(columns)} columns, {len(node.columns)} are named",
                    node.offset,
                )
            pairs = zip(columns, node.columns, strict=True)
            columns = [replace(c, name=n.text, sql=c.sql) for c, n in pairs]
        name = self.alias("w")
        if any(same(node.name, other) for other, _, _ in self.withs[known:]):
            raise self.error(f"there are two WITH queries {node.name.text}", node.offset)
        self.withs.append((node.name, name, columns))
        return f"{name} AS ({sql})"

    def _operand(self, node: "tree.Query | tree.Select | tree.SetOperation") -> _Result:
        if isinstance(node, tree.Select):
            found = self.select(node, [], None, None)
            return found if found.top is None else replace(found, sql=f"({found.sql})")
        found = self.query(node) if isinstance(node, tree.Query) else self._united(node)
        return replace(found, sql=f"({found.sql})")

    def _united(self, node: tree.SetOperation) -> _Result:
        parts = [self._operand(o) for o in node.operands]
        columns = parts[0].columns
        sql = parts[0].sql
        for operator, part, operand in zip(
            node.operators, parts[1:], node.operands[1:], strict=True
        ):
            if len(part.columns) != len(columns):
                raise self.error(
                    f"{operator} joins queries with the same number of columns; these have "
                    f"{len(columns)} and {len(part.columns)}",
                    operand.offset,
                )
            columns = [
                self._one_of(operator, first, second, operand.offset)
                for first, second in zip(columns, part.columns, strict=True)
            ]
            sql += f" {operator} {part.sql}"
        return _Result(sql, columns)

    def _one_of(self, operator: str, first: Column, second: Column, offset: int) -> Column:
        kind = common(first.type, second.type)
        if kind is None or first.xtype != second.xtype:
            raise self.error(
                f"{operator} joins columns of one kind; {first.name} is "
                f"{first.xtype or first.type}, {second.name} {second.xtype or second.type}",
                offset,
            )
        # What is not true of both is not said.
        return replace(
            first,
            type=kind,
            unit=first.unit if first.unit == second.unit else None,
            ucd=first.ucd if first.ucd == second.ucd else None,
            utype=first.utype if first.utype == second.utype else None,
            system=first.system if first.system == second.system else None,
            shape=first.shape if first.shape == second.shape else None,
        )

    def _combined(
        self, body: "tree.Query | tree.SetOperation", node: tree.Query, rows: int | None
    ) -> _Result:
        """Translate what is no plain SELECT, with the order and the cuts of the whole."""
        if isinstance(body, tree.Query):
            found = self.query(body)
            if not (node.order or node.offset_rows or rows is not None):
                return found
            inner = f"SELECT * FROM ({found.sql}) AS {self.alias('t')}"
            found = replace(found, sql=inner, top=None, ordered=False)
        else:
            found = self._united(body)
        order = [self._position(o, found.columns) for o in node.order]
        cut = rows is not None or node.offset_rows is not None
        if cut and self.total_order:
            order += self._rest(order, len(found.columns))
        found.ordered = cut and self.total_order
        found.sql += _tail(order, rows, node.offset_rows)
        return found

    def _position(self, node: tree.Order, columns: list[Column]) -> str:
        """Entry of ORDER BY that names a column of the answer."""
        direction = " DESC" if node.descending else ""
        place = self._output(node.value, columns)
        if place is None:
            raise self.error(
                "after a set operation, ORDER BY takes names or numbers of columns of the answer",
                node.offset,
            )
        return f"{place}{direction}"

    def _output(self, node: tree.Expression, columns: list[Column]) -> int | None:
        """Place, from 1, of the column of the answer that ORDER BY names; None if it names none."""
        if isinstance(node, tree.Number):
            if not node.text.isdigit() or not 1 <= int(node.text[:9]) <= len(columns):
                raise self.error(
                    f"ORDER BY {node.text}: the answer has columns 1 to {len(columns)}", node.offset
                )
            return int(node.text)
        if not isinstance(node, tree.ColumnName) or len(node.parts) > 1:
            return None
        name = node.parts[0]
        found = [k for k, c in enumerate(columns, 1) if c.name.lower() == name.text.lower()]
        exact = [k for k in found if columns[k - 1].name == name.text]
        found = exact if name.quoted and exact else found
        return found[0] if found else None

    @staticmethod
    def _rest(order: list[str], count: int) -> list[str]:
        """Columns of the answer by which it is not yet ordered."""
        named = {entry.removesuffix(" DESC") for entry in order}
        return [str(k) for k in range(1, count + 1) if str(k) not in named]

    # -- SELECT

    def select(
        self,
        node: tree.Select,
        order: list[tree.Order],
        offset_rows: int | None,
        rows: int | None,
    ) -> _Result:
        scope = self.scope = Scope(self.scope)
        limit = min((n for n in (node.top, rows) if n is not None), default=None)
        known, self.certain = self.certain, tuple(conjuncts(node.where))
        looking, self.look = self.look, is_look(node, limit) and not order
        for reference in node.tables:
            item = self.table(reference)
            self.unique(scope.sources(), item.sources)
            scope.items.append(item)
        self.certain, self.look = known, looking
        where = ""
        if node.where is not None:
            scope.place = "WHERE"
            self.shown = frozenset(i.alias.text.lower() for i in node.items if i.alias)
            where = f" WHERE {self.condition(node.where)}"
            scope.loose.clear()
        scope.place = "GROUP BY"
        groups = [self._group(g, node) for g in node.group]
        scope.groups = {v.sql: v for v in groups}
        scope.loose.clear()
        scope.place = "SELECT"
        outputs = self._outputs(node.items)
        if len(outputs) > MAX_COLUMNS:
            raise self.error(
                f"the answer would have {len(outputs)} columns, {MAX_COLUMNS} are the limit",
                node.offset,
            )
        columns = [as_column(v, name, k) for k, (name, v) in enumerate(outputs, 1)]
        scope.place = "HAVING"
        having = f" HAVING {self.condition(node.having)}" if node.having is not None else ""
        scope.place = "ORDER BY"
        sorting = [self._sort(o, columns, outputs, node) for o in order]
        if node.group or scope.aggregated or having:
            groups = self._check_groups(groups)
        cut = limit is not None or offset_rows is not None
        total = cut and self.total_order
        if total:
            sorting += self._total(node, sorting, groups, len(columns))
        shown = ", ".join(f"{v.sql} AS {c.sql}" for (_, v), c in zip(outputs, columns, strict=True))
        sql = (
            f"SELECT {'DISTINCT ' if node.distinct else ''}{shown} "
            f"FROM {', '.join(i.sql for i in scope.items)}{where}"
        )
        if groups:
            sql += " GROUP BY " + ", ".join(v.sql for v in groups)
        sql += having + _tail(sorting, limit, offset_rows)
        self.scope = scope.parent or scope
        return _Result(sql, columns, node.top, total)

    def _outputs(self, items: list[tree.Item]) -> list[tuple[str, Value]]:
        found: list[tuple[str, Value]] = []
        for item in items:
            if isinstance(item.value, tree.Star):
                found += [(v.name, v) for v in self._star(item.value)]
                continue
            value = geo.at_rest(self.value(item.value))
            name = item.alias.text if item.alias else value.name or f"col{len(found) + 1}"
            found.append((name, value))
        return found

    def _star(self, node: tree.Star) -> list[Value]:
        scope = self.scope
        if not node.qualifier:
            values = [v for item in scope.items for v in item.shown()]
        else:
            called = [s for s in scope.sources() if s.called(node.qualifier)]
            label = ".".join(p.text for p in node.qualifier)
            if not called:
                known = [s.label.text for s in scope.sources()]
                raise self.error(
                    f"{label} is no table of this query{similar(label, known)} "
                    f"(FROM has {', '.join(known)})",
                    node.offset,
                )
            values = [s.value(c) for s in called for c in s.columns]
        if not scope.inside:
            scope.loose += [(v, node.offset) for v in values if v.sql not in scope.groups]
        return values

    def _group(self, node: tree.Expression, select: tree.Select) -> Value:
        found = geo.at_rest(self.value(self._named(node, select)))
        if found.number is not None or found.text is not None or isinstance(node, tree.Truth):
            # PostgreSQL would take a number for a position.
            raise self.error("GROUP BY takes columns or expressions, no constants", node.offset)
        return found

    def _named(self, node: tree.Expression, select: tree.Select) -> tree.Expression:
        """Return what a name stands for that no table has, but the select list."""
        if isinstance(node, tree.ColumnName) and len(node.parts) == 1:
            named = [i.value for i in select.items if i.alias and same(i.alias, node.parts[0])]
            if named and not self.scope.lookup(node.parts) and not isinstance(named[0], tree.Star):
                return named[0]
        return node

    def _check_groups(self, groups: list[Value]) -> list[Value]:
        """Refuse columns that are not the same in a group; add those that follow from a key."""
        written = {v.sql for v in groups}
        added: dict[str, Value] = {}
        for value, offset in self.scope.loose:
            if value.sql in written or value.sql in added:
                continue
            source = value.source
            key = source.table.key if source and source.table else ()
            if source and key and all(f"{source.alias}.{identifier(k)}" in written for k in key):
                added[value.sql] = value
                continue
            raise self.error(
                f"column {value.name} is neither in GROUP BY nor within an aggregate",
                offset,
            )
        return [*groups, *added.values()]

    def _sort(
        self,
        node: tree.Order,
        columns: list[Column],
        outputs: list[tuple[str, Value]],
        select: tree.Select,
    ) -> str:
        direction = " DESC" if node.descending else ""
        place = self._output(node.value, columns)
        if place is not None:
            return f"{place}{direction}"
        value = geo.at_rest(self.value(node.value))
        for k, (_, shown) in enumerate(outputs, 1):
            if shown.sql == value.sql:
                return f"{k}{direction}"
        if select.distinct:
            raise self.error(
                "with DISTINCT, ORDER BY takes columns of the answer; select this one too",
                node.offset,
            )
        if value.number is not None or value.text is not None:
            raise self.error(
                "ORDER BY takes columns, their numbers, or expressions of them", node.offset
            )
        return f"{value.sql}{direction}"

    def _total(
        self, node: tree.Select, sorting: list[str], groups: list[Value], count: int
    ) -> list[str]:
        """Return what makes an order total: keys of the tables, else the whole answer."""
        scope = self.scope
        if node.distinct:
            return self._rest(sorting, count)
        if groups or scope.aggregated or node.having is not None:
            return [v.sql for v in groups if v.sql not in sorting]
        found = []
        for source in scope.sources():
            if source.table is None or not source.table.key:
                return self._rest(sorting, count)
            for name in source.table.key:
                sql = f"{source.alias}.{identifier(name)}"
                kind = next(c.type for c in source.columns if c.sql == name)
                # Ordered by the index of the key, the sky would be walked through from end to end.
                found.append(f"({sql} + 0)" if scope.spatial and kind in INTEGERS else sql)
        return found


def _tail(order: list[str], limit: int | None, offset: int | None) -> str:
    found = f" ORDER BY {', '.join(order)}" if order else ""
    if limit is not None:
        found += f" LIMIT {limit}"
    return found + (f" OFFSET {offset}" if offset else "")
