"""The conditions of the dictionary as they are tested fastest, against each one by itself."""

import math

import pytest

from skyledger import dictionary as dd
from skyledger.database import metadata as md

NUMBERS = {"real", "double precision", "bigint", "integer", "smallint"}
LIVING = dd.shipped().of_kind("living")


def _values(column: dd.Column) -> dict[float, bool]:
    """Values of a number to try, with whether the dictionary allows them."""
    low, high = column.minimum, column.maximum
    tried = {value for value in (low, high, 1.0) if value is not None}
    if column.type != "smallint":
        tried |= {value + step for value in tried for step in (-1, 1)}
    found = {
        value: (low is None or value >= low) and (high is None or value <= high) for value in tried
    }
    if column.type in {"real", "double precision"}:
        found |= dict.fromkeys((math.nan, math.inf, -math.inf), False)
    return found


@pytest.mark.parametrize("relation", LIVING, ids=lambda relation: relation.name)
def test_one_value_alone_fails_exactly_if_the_dictionary_forbids_it(connection, relation):
    """Every number of every relation at, inside and beyond its bounds, all others missing."""
    tried = [
        (column, value, good)
        for column in relation.columns
        if column.type in NUMBERS and column.shape is None
        for value, good in _values(column).items()
    ]
    columns = ", ".join(f"{c.sql_name} {c.type}" for c in relation.columns)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE tried (number integer, {columns}) ON COMMIT DROP")
        for number, (column, value, _) in enumerate(tried):
            cursor.execute(
                f"INSERT INTO tried (number, {column.sql_name}) VALUES (%s, %s)",
                (number, repr(value) if math.isinf(value) or math.isnan(value) else value),
            )
        cursor.execute(
            f"SELECT number, coalesce({' AND '.join(md.sound(relation))}, true) FROM tried"
        )
        found = dict(cursor.fetchall())
    connection.rollback()
    wrong = [
        f"{column.name} = {value}"
        for number, (column, value, good) in enumerate(tried)
        if found[number] != good
    ]
    assert not wrong
    assert not all(found.values())


@pytest.mark.parametrize("name", ["DIAObject", "DIASource", "DIAForcedSource"])
def test_the_store_has_the_conditions_of_the_dictionary(connection, name):
    """What the migrations made says the same as what the dictionary says today."""
    relation = dd.shipped()[name]
    columns = ", ".join(f"{c.sql_name} {c.type}" for c in relation.columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TEMP TABLE told ({columns}, CHECK ({' AND '.join(md.sound(relation))}))"
            f"ON COMMIT DROP"
        )
        cursor.execute(
            "SELECT replace(pg_get_constraintdef(oid), ' NOT VALID', '') FROM pg_constraint "
            "WHERE conrelid = 'told'::regclass OR conrelid = %s::regclass AND conname = %s",
            (f"prompt_store.{relation.sql_name}", f"{relation.sql_name}_values"),
        )
        told = [row[0] for row in cursor.fetchall()]
    connection.rollback()
    assert len(told) == 2
    assert told[0] == told[1]
