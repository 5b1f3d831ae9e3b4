"""Tables of people as queries and lists see them."""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from services.adql import Catalogue, Table
from services.adql.uploads import shape_of
from services.tap.parameters import QueryRequest
from skyledger import person_tables
from skyledger.errors import ForbiddenError, SignInError
from skyledger.person_tables import PersonTable
from skyledger.virtual import VirtualDatabase

_NAMED = re.compile(r"mydb_[a-z0-9_]*", re.IGNORECASE | re.ASCII)


def visible(connection: Any, person: str | None) -> tuple[Table, ...]:
    """Describe the tables of people that somebody may read, for queries.

    Parameters
    ----------
    connection
        psycopg2 connection of the service.
    person
        Name of the person; None for somebody who is not signed in.
    """
    return tuple(map(queried, person_tables.visible_tables(connection, person)))


def queried(table: PersonTable) -> Table:
    """Describe a table for queries: with the shapes of its arrays."""
    columns = zip(table.columns, table.arraysizes, strict=True)
    return replace(
        table.table, columns=tuple(replace(c, shape=shape_of(size)) for c, size in columns)
    )


def is_person(database: str) -> bool:
    """Whether a database is that of a person."""
    return database.startswith("mydb_")


def named(query: str) -> bool:
    """Whether a query may name a table of somebody."""
    return _NAMED.search(query) is not None


def settled(database: VirtualDatabase) -> VirtualDatabase:
    """Database whose instants count: tables of people have no past, living ones beside them do."""
    return replace(database, name="prompt") if is_person(database.name) else database


def check(database: str, tables: Iterable[Table], person: str | None) -> None:
    """Refuse a database of a person in which somebody may see nothing.

    Raises
    ------
    SignInError, ForbiddenError
        If it is not his own and nothing in it is shared with him. Whether it is there is not told.
    """
    if not is_person(database) or database == f"mydb_{person}":
        return
    if any(t.schema == database for t in tables):
        return
    if person is None:
        raise SignInError(
            f"nothing in {database} is for everybody; sign in: send Authorization: Bearer TOKEN, "
            f"or your name and the token for a password"
        )
    raise ForbiddenError(
        f"there is nothing in {database} that {person} may see; its owner can share tables"
    )


def within(
    catalogue: Catalogue, tables: Iterable[Table], asked: QueryRequest, person: str | None
) -> Catalogue:
    """Add the tables of people to what a query may name.

    Raises
    ------
    SignInError
        If nobody is signed in, and the query names a schema of a person in which nothing is for
        everybody.
    ForbiddenError
        If the database that is asked is that of somebody else, who shares nothing.
    """
    found = tuple(tables)
    check(asked.database.name, found, person)
    schemas = {t.schema for t in found}
    if person is None:
        for name in sorted({n.lower() for n in _NAMED.findall(asked.query)} - schemas):
            check(name, found, None)
    else:
        schemas.add(f"mydb_{person}")
    return catalogue.plus(
        *found, schemas={s: f"Tables of {s.removeprefix('mydb_')}." for s in sorted(schemas)}
    )
