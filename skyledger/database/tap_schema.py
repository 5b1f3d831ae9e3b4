"""TAP_SCHEMA: what can be asked through TAP, in the form of TAP 1.1 section 4.

`refresh` writes one row for each schema, table, column and join of the catalogue into schema
``service``; the views of schema ``tap_schema`` publish them (GEN-01, GEN-29).
"""

from typing import Any

from skyledger.catalogue import RESERVED, Catalogue, Column, Table
from skyledger.database.published import Item, quote
from skyledger.votable_types import votable_type

# What an upgrade says anew; tables of users stay as they are.
_OFFERED = {
    "schema": ("schemaname", "schemaname, description, schemaindex"),
    "table": ("tablename", "tablename, schemaname, kind, description, utype, tableindex"),
    "column": (
        "tablename, columnname",
        (
            "tablename, columnname, sqlname, sqltype, datatype, arraysize, xtype, unit, ucd, "
            "utype, description, principal, indexed, std, columnindex, offeredtai"
        ),
    ),
    "key": ("keyid", "keyid, fromtable, targettable, description"),
    "keycolumn": ("keyid, fromcolumn", "keyid, fromcolumn, targetcolumn"),
}


def _replace(cursor: Any, name: str, rows: list[tuple[Any, ...]]) -> None:
    """Make the rows of a table those given, keeping since when a column has been offered."""
    key, columns = _OFFERED[name]
    names = columns.split(", ")
    keys = key.split(", ")
    cursor.execute(f"CREATE TEMP TABLE offered ON COMMIT DROP AS SELECT {columns} "
                   f"FROM service.tap{name} WITH NO DATA")  # fmt: skip
    holes = ", ".join(["%s"] * len(names))
    text = b", ".join(cursor.mogrify(f"({holes})", row) for row in rows)
    cursor.execute(b"INSERT INTO offered VALUES " + text)
    kept = [n for n in names if n not in {*keys, "offeredtai"}]
    cursor.execute(
        f"DELETE FROM service.tap{name} AS t WHERE NOT EXISTS (SELECT FROM offered AS o WHERE "
        + " AND ".join(f"o.{k} = t.{k}" for k in keys)
        + f"); INSERT INTO service.tap{name} ({columns}) SELECT {columns} FROM offered "
        f"ON CONFLICT ({key}) DO UPDATE SET "
        + ", ".join(f"{n} = excluded.{n}" for n in kept)
        + "; DROP TABLE offered"
    )


def _kind(table: Table) -> str:
    """Say what an instant does to a table."""
    if table.schema in {"prompt_history", "tap_schema", "ledger"}:
        return {"prompt_history": "history"}.get(table.schema, "metadata")
    return "living" if table.at else "static"


def _row(table: Table, column: Column, index: int, now: Any) -> tuple[Any, ...]:
    size = "x".join(str(n) for n in reversed(column.shape)) if column.shape else None
    datatype, arraysize, xtype = votable_type(column.type, size, column.xtype)
    # A word of SQL is written as queries have to write it (TAP 1.1 section 4.3).
    name = f'"{column.name}"' if column.name.upper() in RESERVED else column.name
    return (
        table.full_name, name, column.sql, column.type, datatype, arraysize, xtype, column.unit,
        column.ucd, column.utype, column.description, column.principal, column.indexed,
        column.std, index, now,
    )  # fmt: skip


def refresh(cursor: Any, catalogue: Catalogue) -> None:
    """Write what can be asked into schema ``service``: after an upgrade, or with a new release.

    Parameters
    ----------
    cursor
        psycopg2 cursor of the owner, in a transaction.
    catalogue
        See `skyledger.database.offered`.
    """
    cursor.execute("SELECT science.tai_now()")
    now = cursor.fetchone()[0]
    tables = list(catalogue.tables.values())
    schemas = [(name, said, n) for n, (name, said) in enumerate(catalogue.schemas.items())]
    keys, pairs = [], []
    for key in catalogue.keys:
        name = f"{key.table}.{key.columns[0][0]}"
        keys.append((name, key.table, key.target, None))
        pairs += [(name, *pair) for pair in key.columns]
    for name, rows in (
        ("schema", schemas),
        ("table", [
            (t.full_name, t.schema, _kind(t), t.description, t.utype, n)
            for n, t in enumerate(tables)
        ]),
        ("column", [_row(t, c, n, now) for t in tables for n, c in enumerate(t.columns)]),
        ("key", keys),
        ("keycolumn", pairs),
    ):  # fmt: skip
        _replace(cursor, name, rows)


# Tables of people stand in lists behind all that is published; each is shown to those who may
# read it. A word of SQL, and a name that is none of ADQL's, is written as queries have to.
_LAST = 1_000_000
_RESERVED = ", ".join(f"'{word}'" for word in sorted(RESERVED))
_SEEN = (
    "u.sealedtai IS NOT NULL AND EXISTS (SELECT FROM pg_namespace AS n "
    "JOIN pg_class AS k ON k.relnamespace = n.oid WHERE n.nspname = u.schemaname "
    "AND k.relname = u.tablename AND has_table_privilege(k.oid, 'SELECT'))"
)
_SOURCES = {
    "schemas": (
        "SELECT schemaname, description, schemaindex FROM service.tapschema UNION ALL "
        "SELECT DISTINCT u.schemaname, 'Tables of ' || u.personname || '.' AS description, "
        f"{_LAST} AS schemaindex FROM service.persontable AS u WHERE {_SEEN}"
    ),
    "tables": (
        "SELECT tablename, schemaname, kind, description, utype, tableindex FROM service.taptable "
        "UNION ALL SELECT u.schemaname || '.' || u.tablename AS tablename, u.schemaname, "
        "'user'::text AS kind, u.description, NULL::text AS utype, "
        f"{_LAST} AS tableindex FROM service.persontable AS u WHERE {_SEEN}"
    ),
    "columns": (
        "SELECT tablename, columnname, datatype, arraysize, xtype, unit, ucd, utype, description, "
        "principal, indexed, std, columnindex, offeredtai FROM service.tapcolumn UNION ALL "
        "SELECT u.schemaname || '.' || u.tablename AS tablename, "
        "CASE WHEN w.columnname ~ '^[A-Za-z][A-Za-z0-9_]*$' "
        f"AND upper(w.columnname) NOT IN ({_RESERVED}) THEN w.columnname "
        "ELSE '\"' || replace(w.columnname, '\"', '\"\"') || '\"' END AS columnname, "
        "w.datatype, w.arraysize, w.xtype, w.unit, w.ucd, w.utype, w.description, "
        "false AS principal, w.isindexed, false AS std, w.columnindex, u.sealedtai "
        "FROM service.persontable AS u JOIN service.personcolumn AS w "
        f"USING (schemaname, tablename) WHERE {_SEEN}"
    ),
}


# Columns of TAP 1.1 section 4: name, type, expression, description.
_PUBLISHED: dict[str, tuple[str, str, tuple[tuple[str, str, str, str], ...]]] = {
    "schemas": (
        f"({_SOURCES['schemas']}) AS s",
        "Schemas that can be asked.",
        (
            ("schema_name", "text", "s.schemaname", "Name of the schema."),
            (
                "utype",
                "text",
                "NULL::text",
                "Data model that the schema follows, if it follows one.",
            ),
            ("description", "text", "s.description", "What the schema holds."),
            ("schema_index", "integer", "s.schemaindex", "Place of the schema in lists."),
        ),
    ),
    "tables": (
        f"({_SOURCES['tables']}) AS t",
        "Tables that can be asked.",
        (
            ("schema_name", "text", "t.schemaname", "Schema of the table."),
            ("table_name", "text", "t.tablename", "Name of the table, with its schema."),
            (
                "table_type",
                "text",
                "CASE WHEN t.kind IN ('static', 'user') THEN 'table' ELSE 'view' END",
                "Whether it is a table or a view.",
            ),
            ("utype", "text", "t.utype", "Data model that the table follows, if it follows one."),
            ("description", "text", "t.description", "What a row of the table is."),
            ("table_index", "integer", "t.tableindex", "Place of the table in lists."),
        ),
    ),
    "columns": (
        f"({_SOURCES['columns']}) AS c",
        "Columns of the tables that can be asked.",
        (
            ("table_name", "text", "c.tablename", "Table of the column, with its schema."),
            ("column_name", "text", "c.columnname", "Name of the column."),
            ("datatype", "text", "c.datatype", "Type of the column in VOTable."),
            (
                "arraysize",
                "text",
                "c.arraysize",
                "Size of the column in VOTable; NULL for a scalar.",
            ),
            ("xtype", "text", "c.xtype", "Meaning of the type beyond VOTable's own types."),
            (
                "size",
                "integer",
                "CASE WHEN c.arraysize ~ '^[0-9]+$' THEN c.arraysize::integer END",
                "Length of the column; obsolete, see arraysize.",
            ),
            ("description", "text", "c.description", "What the column holds."),
            ("utype", "text", "c.utype", "Place of the column in a data model, if it has one."),
            ("unit", "text", "c.unit", "Unit of the column, as a VOUnit."),
            ("ucd", "text", "c.ucd", "Meaning of the column, as a UCD1+."),
            (
                "principal",
                "integer",
                "c.principal::integer",
                "1 for the columns that people look at first.",
            ),
            (
                "indexed",
                "integer",
                "c.indexed::integer",
                "1 if an index makes conditions on it fast.",
            ),
            ("std", "integer", "c.std::integer", "1 if a standard defines the column."),
            ("column_index", "integer", "c.columnindex", "Place of the column in its table."),
            (
                "offered_tai",
                "timestamp",
                "c.offeredtai",
                "Ledger time (TAI) since which the column is offered.",
            ),
        ),
    ),
    "keys": (
        "service.tapkey AS k",
        "Which tables are joined with which.",
        (
            ("key_id", "text", "k.keyid", "Name of the join."),
            ("from_table", "text", "k.fromtable", "Table that holds the references."),
            ("target_table", "text", "k.targettable", "Table that is referred to."),
            ("description", "text", "k.description", "What the join means."),
            ("utype", "text", "NULL::text", "Data model of the join, if it follows one."),
        ),
    ),
    "key_columns": (
        "service.tapkeycolumn AS p",
        "Pairs of columns of the joins.",
        (
            ("key_id", "text", "p.keyid", "Name of the join."),
            (
                "from_column",
                "text",
                "p.fromcolumn",
                "Column of the table that holds the references.",
            ),
            ("target_column", "text", "p.targetcolumn", "Column of the table that is referred to."),
        ),
    ),
}


# Key of each view, and where its references lead.
_KEYS = {
    "schemas": "schema_name",
    "tables": "table_name",
    "columns": "",
    "keys": "key_id",
    "key_columns": "",
}
REFERENCES = (
    ("tables", "schema_name", "schemas", "schema_name"),
    ("columns", "table_name", "tables", "table_name"),
    ("keys", "from_table", "tables", "table_name"),
    ("keys", "target_table", "tables", "table_name"),
    ("key_columns", "key_id", "keys", "key_id"),
)


def tables() -> list[Table]:
    """Return the tables of ``tap_schema`` themselves."""
    return [
        Table(
            "tap_schema",
            name,
            tuple(
                Column(
                    column, kind, description=words, indexed=column == _KEYS[name],
                    principal=True, std=column != "offered_tai",
                )
                for column, kind, _, words in columns
            ),
            f"tap_schema.{name}",
            description=said,
            key=(_KEYS[name],) if _KEYS[name] else (),
        )
        for name, (_, said, columns) in _PUBLISHED.items()
    ]  # fmt: skip


def items() -> list[Item]:
    """Build the views of schema ``tap_schema``."""
    found = []
    for name, (source, said, columns) in _PUBLISHED.items():
        view = f"tap_schema.{name}"
        shown = ",\n  ".join(f"{expression} AS {column}" for column, _, expression, _ in columns)
        comments = [f"COMMENT ON VIEW {view} IS {quote(said)};"]
        comments += [
            f"COMMENT ON COLUMN {view}.{c} IS {quote(f'{c}: {words}')};"
            for c, _, _, words in columns
        ]
        # Conditions of queries are not tried on rows that the view does not show.
        text = (
            f"CREATE VIEW {view} WITH (security_barrier) AS\nSELECT {shown}\nFROM {source};\n"
            + "\n".join(comments)
        )
        found.append(Item(view, "view", text))
    return found
