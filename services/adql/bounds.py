"""Tables that answer when asked about something certain: one object, or two instants.

What is certain of a table is looked up in the tree, before anything is translated: the terms that
AND joins after WHERE, and those after ON where they leave rows of the table out.
"""

from collections.abc import Iterator
from datetime import datetime

from services.adql import tree
from services.adql.conditions import Conditions
from services.adql.scope import Source
from services.adql.values import instant_of, moment
from skyledger.catalogue import Column, Table

# A thousand rows, and one that tells whether there are more.
LOOK = 1001
SINCE, UNTIL = "sinceTai", "untilTai"


def conjuncts(node: tree.Expression | None) -> Iterator[tree.Expression]:
    """Yield the conditions that all have to be true where ``node`` is."""
    if isinstance(node, tree.Logical) and node.operator == "AND":
        for term in node.terms:
            yield from conjuncts(term)
    elif node is not None:
        yield node


def is_look(node: tree.Select, limit: int | None) -> bool:
    """Whether a SELECT shows a few rows of one table, whichever they are."""
    return (
        limit is not None
        and limit <= LOOK
        and len(node.tables) == 1
        and isinstance(node.tables[0], tree.TableName)
        and not (node.where or node.group or node.having or node.distinct)
        and all(isinstance(i.value, tree.Star | tree.ColumnName) for i in node.items)
    )


def _named(source: Source, node: tree.Node, name: str) -> bool:
    """Whether an expression is a column of a table; one without a qualifier may be another's."""
    return (
        isinstance(node, tree.ColumnName)
        and node.parts[-1].text.lower() == name.lower()
        and (len(node.parts) == 1 or source.called(node.parts[:-1]))
    )


def _fixes(node: tree.Node, source: Source, name: str) -> bool:
    """Whether a condition or a join leaves few values of a column."""
    if isinstance(node, tree.Join):
        return node.natural or any(n.text.lower() == name.lower() for n in node.using)
    if isinstance(node, tree.Comparison):
        sides = (node.left, node.right)
        return node.operator == "=" and any(_named(source, s, name) for s in sides)
    return isinstance(node, tree.In) and not node.negated and _named(source, node.value, name)


class Bounds(Conditions):
    """Finds what a query says of tables that have to be asked about something certain."""

    certain: tuple[tree.Node, ...] = ()  # conditions, and joins by USING, at the table at hand
    look = False  # whether the SELECT at hand shows a few rows, whichever they are
    instant = ""
    now: datetime | None = None

    def apart(self, node: tree.Query) -> tuple[str, list[Column]]:
        """Translate a query that sees no names of the one around it."""
        raise NotImplementedError

    def bounded(self, shown: str, table: Table, source: Source) -> str:
        """Return what stands in FROM for a table, with what the query says of it.

        Parameters
        ----------
        shown
            What stands for it as of the instant of the query, holes for two instants and all.
        """
        if table.by and not self.look and not self._looked_up(table, source):
            raise self.error(
                f"{table.name} is made for each row anew and is asked for single ones: add "
                f"WHERE {table.by} = ... or {table.by} IN (...), or join it ON {table.by}; "
                f"SELECT TOP 10 * FROM {table.full_name} alone shows what it is like",
                source.label.offset,
            )
        if table.spans:
            since, until = self._two_instants(table, source)
            return shown.replace("{since}", since).replace("{until}", until)
        return shown

    def _looked_up(self, table: Table, source: Source) -> bool:
        return any(_fixes(node, source, table.by) for node in self.certain)

    # -- two instants

    def _two_instants(self, table: Table, source: Source) -> tuple[str, str]:
        """Return the SQL of the instants that a table compares."""
        since, until = (self._said(source, name) for name in (SINCE, UNTIL))
        latest = self.instant or (moment(self.now) if self.now else "ledger.horizon()")
        if since is None:
            if self.look and until is None:
                return f"({latest} - interval '1 day')", latest
            raise self.error(
                f"{table.full_name} compares two instants (TAI): add WHERE {SINCE} = "
                f"'2026-01-31T12:00:00', and {UNTIL} = '...' unless that is the instant of the "
                f"query; nothing but = (or IN with one value) fixes them",
                source.label.offset,
            )
        first, begins = self._instant_of(since, SINCE)
        last, ends = (latest, self.now) if until is None else self._instant_of(until, UNTIL)
        if until is not None and ends is not None and self.now is not None and ends > self.now:
            raise self.error(
                f"{UNTIL} {ends.isoformat()} is later than the instant of the query, "
                f"{self.now.isoformat()} (TAI); what changes after that "
                f"cannot be told yet; leave {UNTIL} out to ask up to it",
                until.offset,
            )
        if begins is not None and ends is not None and begins > ends:
            what = "the instant of the query" if until is None else UNTIL
            raise self.error(
                f"{SINCE} {begins.isoformat()} is later than {what}, {ends.isoformat()} (TAI); "
                f"it is the earlier of the two",
                since.offset,
            )
        return first, last

    def _said(self, source: Source, name: str) -> tree.Expression | None:
        """Return what a column is equal to."""
        for node in self.certain:
            if isinstance(node, tree.In) and not node.negated and _named(source, node.value, name):
                if isinstance(node.values, tree.Query):
                    return tree.Subquery(node.offset, node.values)
                if len(node.values) == 1:
                    return node.values[0]
            if isinstance(node, tree.Comparison) and node.operator == "=":
                for side, other in ((node.left, node.right), (node.right, node.left)):
                    if _named(source, side, name):
                        return other
        return None

    def _instant_of(self, node: tree.Expression, name: str) -> tuple[str, datetime | None]:
        """Return the SQL of an instant, and the instant where the query itself says it."""
        if isinstance(node, tree.Cast) and node.type == "TIMESTAMP":
            node = node.value
        if isinstance(node, tree.Text):
            found = instant_of(node.text, tai=True)
            if found is None:
                raise self.error(
                    f"{node.text!r} is no instant; write 2026-01-31T12:00:00 (TAI), with a final Z "
                    f"in UTC",
                    node.offset,
                )
            return moment(found), found
        if isinstance(node, tree.Subquery):
            sql, columns = self.apart(node.query)
            if len(columns) == 1 and columns[0].type == "timestamp":
                return f"({sql})", None
        raise self.error(
            f"{name} = is followed by an instant in quotes, '2026-01-31T12:00:00', or IN by a "
            f"query of one: IN (SELECT MAX(epochTai) FROM ledger.Epoch WHERE ...)",
            node.offset,
        )
