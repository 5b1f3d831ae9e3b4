"""Translation of FROM: tables as of the instant, subqueries, joins."""

from dataclasses import replace
from datetime import datetime

from services.adql import tree
from services.adql.bounds import Bounds, conjuncts
from services.adql.scope import FromItem, Merged, Scope, Source, same, similar
from services.adql.values import Value, moment
from skyledger.catalogue import Catalogue, Column, Table

MAX_COLUMNS = 1600  # PostgreSQL's own limit is 1664
ResultColumn = Column


class Tables(Bounds):
    """Translates FROM."""

    def __init__(
        self, text: str, catalogue: Catalogue, instant: datetime | None, now: datetime | None
    ) -> None:
        self.text = text
        self.catalogue = catalogue
        self.instant = moment(instant) if instant else ""
        self.now = instant or now
        self.scope = Scope(None)
        self.withs: list[tuple[tree.Name, str, list[Column]]] = []
        self.used: dict[str, Table] = {}
        self.count = 0

    def alias(self, letter: str) -> str:
        """Return a name that nothing else has."""
        self.count += 1
        return f"{letter}{self.count}"

    def apart(self, node: tree.Query) -> tuple[str, list[Column]]:
        """Translate a query that sees no names of the one around it."""
        scope, self.scope = self.scope, Scope(None)
        found = self.subquery(node)
        self.scope = scope
        return found

    def unique(self, known: list[Source], added: list[Source]) -> None:
        """Refuse two tables that are called the same."""
        for source in added:
            for other in known:
                if same(source.label, other.label) and (
                    source.renamed
                    or other.renamed
                    or source.table is other.table
                    or source.table is None
                    or other.table is None
                ):
                    raise self.error(
                        f"two tables are called {source.label.text}; give one another name by AS",
                        source.label.offset,
                    )

    def table(self, node: tree.TableReference) -> FromItem:
        """Translate an entry of FROM."""
        if isinstance(node, tree.Join):
            return self._join(node)
        if isinstance(node, tree.Derived):
            query, columns = self.apart(node.query)
            source = _source(self.alias("t"), node.alias, columns)
            return FromItem(f"({query}) AS {source.alias}", [source])
        label = node.alias or node.parts[-1]
        if len(node.parts) == 1:
            for name, known, columns in reversed(self.withs):
                if same(name, node.parts[0]):
                    source = _source(self.alias("t"), label, columns)
                    return FromItem(f"{known} AS {source.alias}", [source])
        table = self._find(node)
        self.used[table.full_name] = table
        source = Source(
            self.alias("t"), label, table.columns, table.by_name, table, node.alias is not None
        )
        shown = table.live
        if self.instant and table.at:
            shown = table.at.replace("{instant}", self.instant)
        if table.by or table.spans:
            shown = self.bounded(shown, table, source)
        return FromItem(f"{shown} AS {source.alias}", [source])

    def _find(self, node: tree.TableName) -> Table:
        name = node.parts[-1]
        schema = node.parts[0] if len(node.parts) > 1 else None
        catalogue = self.catalogue
        table = catalogue.find(name.text, schema.text if schema else None)
        if table is not None:
            return table
        if schema is not None:
            folded = schema.text.lower()
            schemas = [*catalogue.schemas, *catalogue.aliases]
            if folded not in {s.lower() for s in schemas}:
                raise self.error(
                    f"there is no schema {schema.text}{similar(schema.text, schemas)}", node.offset
                )
            real = {folded, *catalogue.aliases.get(folded, ())}
            known = [t.name for t in catalogue.tables.values() if t.schema.lower() in real]
            raise self.error(
                f"schema {schema.text} has no table {name.text}{similar(name.text, known)}",
                node.offset,
            )
        elsewhere = [
            t.full_name for t in catalogue.tables.values() if t.name.lower() == name.text.lower()
        ]
        if elsewhere:
            raise self.error(f"write {' or '.join(elsewhere[:3])} for {name.text}", node.offset)
        known = [
            t.name if t.schema in catalogue.path else t.full_name for t in catalogue.tables.values()
        ]
        raise self.error(f"there is no table {name.text}{similar(name.text, known)}", node.offset)

    def _join(self, node: tree.Join) -> FromItem:
        left = self._side(node, node.left, ("INNER", "RIGHT"))
        right = self._side(node, node.right, ("INNER", "LEFT"))
        self.unique(left.sources, right.sources)
        sources = [*left.sources, *right.sources]
        merged = [*left.merged, *right.merged]
        if node.kind == "CROSS":
            sql = f"({left.sql} CROSS JOIN {right.sql})"
            return FromItem(sql, sources, merged)
        if node.on is not None:
            return self._join_on(node, left, right, FromItem("", sources, merged))
        names = list(node.using)
        if node.natural:
            here = {v.name.lower() for v in right.shown()}
            shown = dict.fromkeys(v.name for v in left.shown() if v.name.lower() in here)
            names = [tree.Name(node.offset, n, quoted=False) for n in shown]
            if not names:
                raise self.error(
                    "the tables have no column in common for a NATURAL join; write ON", node.offset
                )
        made, terms = [], []
        for name in names:
            first, second = (self._shared(name, side) for side in (left, right))
            one, other = self.equal(first, second, name.offset)
            terms.append(f"{one} = {other}")
            value = {"RIGHT": second}.get(node.kind, first)
            if node.kind == "FULL":
                value = replace(
                    first, sql=f"coalesce({first.sql}, {second.sql})", source=None, column=None
                )
            hidden = [(s, name.text.lower()) for s in sources if s.by_name.get(name.text.lower())]
            made.append(Merged(name.text.lower(), value, hidden))
        kept = [m for m in merged if m.name not in {n.text.lower() for n in names}]
        sql = f"({left.sql} {node.kind} JOIN {right.sql} ON {' AND '.join(terms)})"
        return FromItem(sql, sources, [*made, *kept])

    def _side(self, node: tree.Join, side: tree.TableReference, kinds: tuple[str, ...]) -> FromItem:
        """Translate one side of a join; its condition is certain there in joins of some kinds."""
        known = self.certain
        if node.kind in kinds:
            self.certain = (*known, *conjuncts(node.on), node)
        found = self.table(side)
        self.certain = known
        return found

    def _shared(self, name: tree.Name, side: FromItem) -> Value:
        found = side.lookup(name)
        if len(found) == 1:
            return found[0]
        labels = ", ".join(s.label.text for s in side.sources)
        if found:
            raise self.error(
                f"column {name.text} is more than once in {labels}; write ON", name.offset
            )
        known = [c.name for s in side.sources for c in s.columns]
        raise self.error(
            f"there is no column {name.text} in {labels}{similar(name.text, known)}", name.offset
        )

    def _join_on(
        self, node: tree.Join, left: FromItem, right: FromItem, item: FromItem
    ) -> FromItem:
        outer = self.scope
        # The condition sees the two sides and nothing else of this FROM.
        self.scope = Scope(outer.parent, [item], place="ON")
        assert node.on is not None  # noqa: S101 - told by the caller
        condition = self.condition(node.on)
        outer.spatial = outer.spatial or self.scope.spatial
        self.scope = outer
        item.sql = f"({left.sql} {node.kind} JOIN {right.sql} ON {condition})"
        return item


def _source(alias: str, label: tree.Name, columns: list[Column]) -> Source:
    by_name: dict[str, list[Column]] = {}
    for column in columns:
        by_name.setdefault(column.name.lower(), []).append(column)
    return Source(alias, label, tuple(columns), by_name, renamed=True)
