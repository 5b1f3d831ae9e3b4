"""What names mean at a place of a query: tables in FROM, their columns, outer queries."""

import difflib
from dataclasses import dataclass, field

from services.adql.tree import Name
from services.adql.values import Value, identifier
from skyledger.catalogue import Column, Table


@dataclass(slots=True, eq=False)
class Source:
    """A table reference: known inside as ``alias``, to the query as ``label``."""

    alias: str
    label: Name
    columns: tuple[Column, ...]
    by_name: dict[str, list[Column]]
    table: Table | None = None
    renamed: bool = False  # has an alias, so that its own name means nothing

    def value(self, column: Column) -> Value:
        """Return a column as a value."""
        return Value(
            f"{self.alias}.{identifier(column.sql)}",
            column.type,
            column.unit,
            column.ucd,
            column.description,
            column,
            self,
            name=column.name,
            shape=column.shape,
            xtype=column.xtype,
            system=column.system,
        )

    def find(self, name: Name) -> list[Column]:
        """Columns that a name may mean; a delimited one prefers its own spelling."""
        found = self.by_name.get(name.text.lower(), [])
        if name.quoted and len(found) > 1:
            return [c for c in found if c.name == name.text] or found
        return found

    def called(self, parts: tuple[Name, ...]) -> bool:
        """Whether a qualifier means this table."""
        if len(parts) == 1:
            return same(self.label, parts[0])
        return (
            self.table is not None
            and not self.renamed
            and same(self.label, parts[-1])
            and self.table.schema.lower() == parts[0].text.lower()
        )


def same(first: Name, second: Name) -> bool:
    """Whether two identifiers are one; two delimited ones are compared to the letter."""
    if first.quoted and second.quoted:
        return first.text == second.text
    return first.text.lower() == second.text.lower()


@dataclass(slots=True)
class Merged:
    """A column that USING or NATURAL made one of two."""

    name: str
    value: Value
    hidden: list[tuple[Source, str]]  # the columns that are not seen any more beside it


@dataclass(slots=True)
class FromItem:
    """An entry of FROM, joins and all."""

    sql: str
    sources: list[Source]
    merged: list[Merged] = field(default_factory=list)

    def lookup(self, name: Name) -> list[Value]:
        """Values that a name without qualifier may mean here."""
        folded = name.text.lower()
        found = [m.value for m in self.merged if m.name == folded]
        hidden = [s for m in self.merged if m.name == folded for s, _ in m.hidden]
        for source in self.sources:
            if source not in hidden:
                found += [source.value(c) for c in source.find(name)]
        return found

    def shown(self) -> list[Value]:
        """Values that ``*`` stands for."""
        hidden = {(id(s), c) for m in self.merged for s, c in m.hidden}
        found = [m.value for m in self.merged]
        for source in self.sources:
            found += [
                source.value(c)
                for c in source.columns
                if (id(source), c.name.lower()) not in hidden
            ]
        return found


@dataclass(slots=True)
class Scope:
    """The names of one SELECT; ``parent`` is that of the query around it."""

    parent: "Scope | None"
    items: list[FromItem] = field(default_factory=list)
    groups: dict[str, Value] = field(default_factory=dict)  # GROUP BY, by SQL
    loose: list[tuple[Value, int]] = field(default_factory=list)  # columns outside aggregates
    aggregated: bool = False
    inside: bool = False  # an aggregate
    place: str = "FROM"
    spatial: bool = False  # a condition that the spatial index serves

    def sources(self) -> list[Source]:
        """All tables of FROM."""
        return [source for item in self.items for source in item.sources]

    def lookup(self, parts: tuple[Name, ...]) -> list[Value]:
        """Values that a column name may mean, in this query alone."""
        if len(parts) == 1:
            return [value for item in self.items for value in item.lookup(parts[0])]
        return [
            source.value(column)
            for source in self.sources()
            if source.called(parts[:-1])
            for column in source.find(parts[-1])
        ]


def similar(name: str, known: list[str]) -> str:
    """Phrase that proposes what may have been meant; empty if nothing is like it."""
    by_fold = {k.lower(): k for k in known}
    found = difflib.get_close_matches(name.lower(), by_fold, n=2, cutoff=0.6)
    return "; did you mean " + " or ".join(by_fold[f] for f in found) + "?" if found else ""
