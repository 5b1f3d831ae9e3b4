"""What comes of a translation: the SQL, and what its answer will look like."""

from dataclasses import dataclass

from services.adql.values import Value
from skyledger.answers import ResultColumn
from skyledger.catalogue import Column, Table


@dataclass(frozen=True)
class Translated:
    """A query as PostgreSQL takes it, and what its answer will look like.

    Attributes
    ----------
    sql
        One SELECT without parameters: execute it as it is, without arguments. Types of pg_sphere
        stand without schema, so that the search path of the database has to be in force.
    columns
        Of the answer, in order, named as the query says; the names differ from each other.
        ``description``, unit and UCD are those of the column shown, where one is.
    tables
        Every table that is read.
    living
        Whether any of them depends on the instant.
    top, offset
        As the query says; None where it does not.
    ordered
        Whether the order of the rows is total: two runs return the same rows in the same order.
    repeatable
        False if random numbers are drawn.
    """

    sql: str
    columns: tuple[ResultColumn, ...]
    tables: tuple[Table, ...]
    living: bool
    top: int | None
    offset: int | None
    ordered: bool
    repeatable: bool


def as_column(value: Value, name: str, place: int) -> Column:
    """Column of an answer; within, it has a name of ours, whatever it is called."""
    known = value.column
    return Column(
        name,
        value.type,
        value.unit,
        value.ucd,
        known.utype if known else None,
        value.description,
        shape=value.shape,
        xtype=value.xtype,
        principal=bool(known and known.principal),
        std=bool(known and known.std),
        sql=f"c{place}",
        system=value.system,
    )


def results(columns: list[Column]) -> tuple[ResultColumn, ...]:
    """Columns of the answer with names that differ from each other, as files need them."""
    seen: set[str] = set()
    found = []
    for column in columns:
        name, number = column.name, 1
        while name.lower() in seen:
            number += 1
            name = f"{column.name}_{number}"
        seen.add(name.lower())
        found.append(
            ResultColumn(
                name,
                column.type,
                column.unit,
                column.ucd,
                column.description,
                column.utype,
                # VOTable names the dimension that runs fastest first.
                "x".join(str(n) for n in reversed(column.shape)) if column.shape else None,
                column.xtype,
                column.system,
            )
        )
    return tuple(found)
