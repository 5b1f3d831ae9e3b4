"""The dictionary as Felis YAML, the format in which Rubin exchanges table descriptions.

One document describes one database: ``prompt``, or a release, whose tables are those of every
release. Felis knows no arrays, partitions or sky indexes: arrays are written as columns of the
element's type with ``votable:arraysize``, the rest is left out. Rubin's ``felis validate``
accepts the document (GEN-29).
"""

from typing import Any

import yaml

from skyledger import __version__
from skyledger import dictionary as dd
from skyledger.database import metadata as md
from skyledger.errors import UsageError
from skyledger.virtual import parse

_TYPES = {
    "bigint": "long",
    "integer": "int",
    "smallint": "short",
    "real": "float",
    "double precision": "double",
    "boolean": "boolean",
    "text": "text",
    "timestamp": "timestamp",
    "bytea": "binary",
    "jsonb": "text",
}
_BYTEA = 2**30 - 1  # bytes that PostgreSQL can hold in a value; Felis wants a length
_VERSION = (md.INSERTED, md.CREATED, md.DELETED)


def document(database: str = "prompt") -> str:
    """Describe a database as a Felis document.

    Parameters
    ----------
    database
        ``prompt`` or the name of a release, such as ``dr1``.

    Raises
    ------
    UsageError
        If there is no database of that name.
    """
    wanted = parse(database)
    if wanted.name.startswith("mydb_") or wanted.instant is not None:
        raise UsageError(f"{database} has no description of its own; name prompt or dr1")
    relations = dd.shipped().of_kind("living" if wanted.name == "prompt" else "static")
    names = {relation.name for relation in relations}
    tables = [_table(relation, names, k) for k, relation in enumerate(relations, start=1)]
    schema = {
        "name": wanted.name,
        "@id": f"#{wanted.name}",
        "description": f"Tables of database {wanted.name} of a Skyledger archive.",
        "version": __version__,
        "tables": tables,
    }
    return yaml.safe_dump(schema, sort_keys=False, allow_unicode=True, width=100)


def _table(relation: dd.Relation, names: set[str], place: int) -> dict[str, Any]:
    """Describe a table; references to tables of other documents are left out."""
    versions = _VERSION if relation.kind == "living" else ()
    principal = {*relation.key, *(relation.spatial or ())}
    columns = [*relation.columns, *versions]
    key = [_reference(relation.name, name) for name in relation.key]
    found: dict[str, Any] = {
        "name": relation.name,
        "@id": f"#{relation.name}",
        "description": relation.description,
        "tap:table_index": place,
        "primaryKey": key[0] if len(key) == 1 else key,
        "columns": [
            _column(relation.name, column, k, column.name in principal)
            for k, column in enumerate(columns, start=1)
        ],
    }
    constraints = [
        {
            "name": f"{relation.sql_name}_{'_'.join(foreign.columns).lower()}_fkey",
            "@id": f"#{relation.name}.{'_'.join(foreign.columns)}_fkey",
            "@type": "ForeignKey",
            "description": f"Key into {foreign.relation}.",
            "columns": [_reference(relation.name, c) for c in foreign.columns],
            "referencedColumns": [_reference(foreign.relation, c) for c in foreign.references],
        }
        for foreign in relation.foreign_keys
        if foreign.relation in names
    ]
    if constraints:
        found["constraints"] = constraints
    indexes = [
        {
            "name": f"{relation.sql_name}_{'_'.join(index.columns).lower()}_index",
            "@id": f"#{relation.name}.{'_'.join(index.columns)}_index",
            "description": f"Index on {', '.join(index.columns)}.",
            "columns": [_reference(relation.name, c) for c in index.columns],
        }
        for index in relation.indexes
    ]
    if indexes:
        found["indexes"] = indexes
    return found


def _column(table: str, column: dd.Column, place: int, principal: bool) -> dict[str, Any]:
    array = column.type.endswith("[]")
    found: dict[str, Any] = {
        "name": column.name,
        "@id": _reference(table, column.name),
        "datatype": _TYPES[column.type.removesuffix("[]")],
        "description": column.description,
        "nullable": column.nullable,
        "tap:column_index": place,
        "tap:principal": int(principal),
    }
    if array:
        # VOTable names the dimension that runs fastest first.
        shape = "x".join(str(n) for n in reversed(column.shape or ())) or "*"
        found["votable:arraysize"] = shape
    elif column.type in {"text", "jsonb", "bytea"}:
        found["votable:arraysize"] = "*"
    if column.type == "bytea":
        found["length"] = _BYTEA
    if column.ucd:
        found["ivoa:ucd"] = column.ucd
    if column.unit:
        found["ivoa:unit"] = column.unit
    return found


def _reference(table: str, column: str) -> str:
    return f"#{table}.{column}"
