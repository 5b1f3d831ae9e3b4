"""TAP_SCHEMA: what can be asked through TAP, read off the database and the dictionary.

`refresh` writes one row for each schema, table, column and join into schema ``service``; the views
of schema ``tap_schema`` publish them in the form of TAP 1.1 section 4. Names, units and
descriptions come from the comments of the published relations, UCDs and joins from the dictionary
(GEN-01, GEN-29).
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from skyledger import dictionary as dd
from skyledger.database import rubin
from skyledger.database.published import Item, quote

_COMMENT = re.compile(r"(?s)\A(\w+): (.*?)(?: \[([^\[\]]*)\])?\Z")
_VIEWS = ("Full", "ObjectMatch", "Match")  # endings of the names of stacked relations
_PRINCIPAL = 12  # columns of a relation that people look at first stand first


@dataclass(frozen=True)
class _Schema:
    """A schema of TAP_SCHEMA: where its relations are found, and what an instant does to them."""

    name: str
    form: str  # schema of PostgreSQL in which the columns are looked up
    kind: str
    description: str


_SCHEMAS = (
    _Schema("prompt", "prompt_live", "living",
            "The living database: each row as it was known at the instant of the query."),
    _Schema("prompt_history", "prompt_history", "history",
            "Every version of every row of the living database that was known at the instant of "
            "the query, with the time from createdTai to deletedTai (both included) in which it "
            "was valid."),
    _Schema("rubin", "rubin_live", "living",
            "The living database in the names of Rubin's own schemas."),
    _Schema("tap_schema", "tap_schema", "metadata", "What can be asked, as TAP describes it."),
)  # fmt: skip

# Types of PostgreSQL: datatype, arraysize and xtype of VOTable.
_TYPES: dict[str, tuple[str, str | None, str | None]] = {
    "bigint": ("long", None, None),
    "integer": ("int", None, None),
    "smallint": ("short", None, None),
    "real": ("float", None, None),
    "double precision": ("double", None, None),
    "numeric": ("double", None, None),
    "boolean": ("boolean", None, None),
    "timestamp without time zone": ("char", "*", "timestamp"),
    "bytea": ("unsignedByte", "*", None),
}


def votable_type(sql_type: str) -> tuple[str, str | None, str | None]:
    """Return datatype, arraysize and xtype of VOTable for a type of PostgreSQL; text for others."""
    if sql_type.endswith("[]"):
        datatype, size, _ = _TYPES.get(sql_type[:-2], ("unicodeChar", "*", None))
        return datatype, "*" if size is None else "*x*", None
    return _TYPES.get(sql_type, ("unicodeChar", "*", None))


@lru_cache(maxsize=1)
def _spellings() -> dict[str, str]:
    """Names of relations in their own spelling, by SQL name."""
    found = {r.sql_name: r.name for r in dd.shipped().relations.values()}
    for sql_name, name in list(found.items()):
        found |= {f"{sql_name}{ending.lower()}": f"{name}{ending}" for ending in _VIEWS}
    return found | {f"rubin.{r.name.lower()}": r.name for r in rubin.relations()}


def _base(relation: str) -> dd.Relation | None:
    """Relation of the dictionary that a published one is, or is made of."""
    known = {r.sql_name: r for r in dd.shipped().relations.values()}
    for ending in ("", *(e.lower() for e in _VIEWS)):
        if relation.endswith(ending) and relation.removesuffix(ending) in known:
            return known[relation.removesuffix(ending)]
    return None


@lru_cache(maxsize=1)
def _ucds() -> dict[str, set[str | None]]:
    """UCDs that columns of a SQL name have anywhere in the dictionary."""
    found: dict[str, set[str | None]] = {}
    for relation in dd.shipped().relations.values():
        for column in relation.columns:
            found.setdefault(column.sql_name, set()).add(column.ucd)
    return found


def _of_rubin(relation: str, column: str) -> dd.Column | None:
    """Column of ours that a column in Rubin's names shows."""
    for shown in rubin.relations():
        if shown.name.lower() == relation:
            for c in shown.columns:
                if c.name.lower() == column:
                    return shown.source(c)
    return None


def _ucd(schema: str, relation: str, column: str) -> str | None:
    if schema == "rubin":
        source = _of_rubin(relation, column)
        return source.ucd if source else None
    name = "decl" if column == "dec" else column
    base = _base(relation)
    for c in base.columns if base else ():
        if c.sql_name == name:
            return c.ucd
    said = _ucds().get(name, set())
    return next(iter(said)) if len(said) == 1 else None


def _indexed(schema: str, relation: str, column: str) -> bool:
    name = "decl" if column == "dec" else column
    base = _base(relation)
    if schema == "rubin":
        source = _of_rubin(relation, column)
        (shown,) = (r for r in rubin.relations() if r.name.lower() == relation)
        base = dd.shipped().relations.get(next(iter(shown.bases.values())))
        name = source.sql_name if source else ""
    if base is None:
        return False
    first = {base.key[0], *(i.columns[0] for i in base.indexes), *(base.spatial or ())}
    return name in {base[c].sql_name for c in first}


def _fixed_size(schema: str, relation: str, column: str) -> str | None:
    """Size of an array that is always the same."""
    base = _base(relation) if schema != "rubin" else None
    for c in base.columns if base else ():
        if c.sql_name == column and c.shape is not None:
            return "x".join(str(n) for n in reversed(c.shape))
    return None


def _present(cursor: Any) -> tuple[_Schema, ...]:
    """Schemas that this database has: those of every one, and its releases."""
    cursor.execute(
        "SELECT d.name, d.kind FROM ledger.database AS d JOIN pg_namespace AS n "
        "ON n.nspname = d.name WHERE d.name <> 'prompt' ORDER BY d.databaseid"
    )
    releases = [
        _Schema(name, name, "static", f"Data release {name}: {kind}; the same at every instant.")
        for name, kind in cursor.fetchall()
    ]
    return (*_SCHEMAS, *releases)


_COLUMNS = """
SELECT c.relname, obj_description(c.oid, 'pg_class'), a.attname,
       format_type(a.atttypid, a.atttypmod), col_description(c.oid, a.attnum)
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relnamespace = %s::regnamespace AND c.relkind IN ('r', 'v', 'p') AND NOT c.relispartition
  AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum
"""

# What an upgrade says anew; tables of users stay as they are.
_OFFERED = {
    "schema": ("schemaname", "schemaname, description, schemaindex"),
    "table": ("tablename", "tablename, schemaname, kind, description, utype, tableindex"),
    "column": (
        "tablename, columnname",
        "tablename, columnname, sqlname, sqltype, datatype, arraysize, xtype, unit, ucd, utype, "
        "description, principal, indexed, std, columnindex, sincetai",
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
    kept = [n for n in names if n not in {*keys, "sincetai"}]
    cursor.execute(
        f"DELETE FROM service.tap{name} AS t WHERE NOT EXISTS (SELECT FROM offered AS o WHERE "
        + " AND ".join(f"o.{k} = t.{k}" for k in keys)
        + f"); INSERT INTO service.tap{name} ({columns}) SELECT {columns} FROM offered "
        f"ON CONFLICT ({key}) DO UPDATE SET "
        + ", ".join(f"{n} = excluded.{n}" for n in kept)
        + "; DROP TABLE offered"
    )


def refresh(cursor: Any) -> None:
    """Write what can be asked into schema ``service``: after an upgrade, or with a new release.

    Parameters
    ----------
    cursor
        psycopg2 cursor of the owner, in a transaction.
    """
    cursor.execute("SELECT science.tai_now()")
    now = cursor.fetchone()[0]
    schemas: list[Any] = []
    tables: list[Any] = []
    columns: list[Any] = []
    keys: dict[str, tuple[Any, ...]] = {}
    pairs: list[Any] = []
    spelled = _spellings()
    for number, schema in enumerate(_present(cursor)):
        schemas.append((schema.name, schema.description, number))
        cursor.execute(_COLUMNS, (schema.form,))
        index: dict[str, int] = {}
        for relation, said, column, sql_type, comment in cursor.fetchall():
            plain = spelled.get(
                f"rubin.{relation}" if schema.name == "rubin" else relation, relation
            )
            table = f"{schema.name}.{plain}"
            if table not in index:
                index[table] = 0
                tables.append((table, schema.name, schema.kind, said, None, len(tables)))
            match = _COMMENT.match(comment or "")
            name, words, unit = match.groups() if match else (column, comment, None)
            name = name if name.lower() == column else column
            datatype, arraysize, xtype = votable_type(sql_type)
            if sql_type.endswith("[]"):
                arraysize = _fixed_size(schema.name, relation, column) or arraysize
            std = schema.kind == "metadata"
            columns.append((
                table, f'"{name}"' if std and name == "size" else name, column, sql_type,
                datatype, arraysize, xtype, unit or None, _ucd(schema.name, relation, column),
                None, words, index[table] < _PRINCIPAL, _indexed(schema.name, relation, column),
                std, index[table], now,
            ))  # fmt: skip
            index[table] += 1
        if schema.name == "prompt" or schema.kind == "static":
            _joins(schema.name, {t.split(".")[1] for t in index}, keys, pairs)
    _joins_of_metadata(keys, pairs)
    for name, rows in (
        ("schema", schemas), ("table", tables), ("column", columns), ("key", list(keys.values())),
        ("keycolumn", pairs),
    ):  # fmt: skip
        _replace(cursor, name, rows)


def _joins(schema: str, there: set[str], keys: dict[str, Any], pairs: list[Any]) -> None:
    """Add the joins that the dictionary knows between relations of one schema."""
    for name in sorted(there & set(dd.shipped().relations)):
        for foreign in dd.shipped()[name].foreign_keys:
            if foreign.relation not in there:
                continue
            key = f"{schema}.{name}.{foreign.columns[0]}"
            keys[key] = (key, f"{schema}.{name}", f"{schema}.{foreign.relation}", None)
            pairs += [
                (key, *pair) for pair in zip(foreign.columns, foreign.references, strict=True)
            ]


def _joins_of_metadata(keys: dict[str, Any], pairs: list[Any]) -> None:
    for table, target, column in (
        ("tables", "schemas", "schema_name"),
        ("columns", "tables", "table_name"),
        ("key_columns", "keys", "key_id"),
    ):
        key = f"tap_schema.{table}.{column}"
        keys[key] = (key, f"tap_schema.{table}", f"tap_schema.{target}", None)
        pairs.append((key, column, column))
    for end in ("from_table", "target_table"):
        key = f"tap_schema.keys.{end}"
        keys[key] = (key, "tap_schema.keys", "tap_schema.tables", None)
        pairs.append((key, end, "table_name"))


# Columns of TAP 1.1 section 4: name, expression, description.
_PUBLISHED: dict[str, tuple[str, str, tuple[tuple[str, str, str], ...]]] = {
    "schemas": (
        "service.tapschema AS s",
        "Schemas that can be asked.",
        (
            ("schema_name", "s.schemaname", "Name of the schema."),
            ("utype", "NULL::text", "Data model that the schema follows, if it follows one."),
            ("description", "s.description", "What the schema holds."),
            ("schema_index", "s.schemaindex", "Place of the schema in lists."),
        ),
    ),
    "tables": (
        "service.taptable AS t",
        "Tables that can be asked.",
        (
            ("schema_name", "t.schemaname", "Schema of the table."),
            ("table_name", "t.tablename", "Name of the table, with its schema."),
            (
                "table_type",
                "CASE WHEN t.kind IN ('static', 'user') THEN 'table' ELSE 'view' END",
                "Whether it is a table or a view.",
            ),
            ("utype", "t.utype", "Data model that the table follows, if it follows one."),
            ("description", "t.description", "What a row of the table is."),
            ("table_index", "t.tableindex", "Place of the table in lists."),
        ),
    ),
    "columns": (
        "service.tapcolumn AS c",
        "Columns of the tables that can be asked.",
        (
            ("table_name", "c.tablename", "Table of the column, with its schema."),
            ("column_name", "c.columnname", "Name of the column."),
            ("datatype", "c.datatype", "Type of the column in VOTable."),
            ("arraysize", "c.arraysize", "Size of the column in VOTable; NULL for a scalar."),
            ("xtype", "c.xtype", "Meaning of the type beyond VOTable's own types."),
            ("size", "NULL::integer", "Length of the column; obsolete, see arraysize."),
            ("description", "c.description", "What the column holds."),
            ("utype", "c.utype", "Place of the column in a data model, if it has one."),
            ("unit", "c.unit", "Unit of the column, as a VOUnit."),
            ("ucd", "c.ucd", "Meaning of the column, as a UCD1+."),
            ("principal", "c.principal::integer", "1 for the columns that people look at first."),
            ("indexed", "c.indexed::integer", "1 if an index makes conditions on it fast."),
            ("std", "c.std::integer", "1 if a standard defines the column."),
            ("column_index", "c.columnindex", "Place of the column in its table."),
            ("since_tai", "c.sincetai", "Ledger time (TAI) since which the column is offered."),
        ),
    ),
    "keys": (
        "service.tapkey AS k",
        "Which tables are joined with which.",
        (
            ("key_id", "k.keyid", "Name of the join."),
            ("from_table", "k.fromtable", "Table that holds the references."),
            ("target_table", "k.targettable", "Table that is referred to."),
            ("description", "k.description", "What the join means."),
            ("utype", "NULL::text", "Data model of the join, if it follows one."),
        ),
    ),
    "key_columns": (
        "service.tapkeycolumn AS p",
        "Pairs of columns of the joins.",
        (
            ("key_id", "p.keyid", "Name of the join."),
            ("from_column", "p.fromcolumn", "Column of the table that holds the references."),
            ("target_column", "p.targetcolumn", "Column of the table that is referred to."),
        ),
    ),
}


def items() -> list[Item]:
    """Build the views of schema ``tap_schema``."""
    found = []
    for name, (source, said, columns) in _PUBLISHED.items():
        view = f"tap_schema.{name}"
        shown = ",\n  ".join(f"{expression} AS {column}" for column, expression, _ in columns)
        comments = [f"COMMENT ON VIEW {view} IS {quote(said)};"]
        comments += [
            f"COMMENT ON COLUMN {view}.{c} IS {quote(f'{c}: {said}')};" for c, _, said in columns
        ]
        text = f"CREATE VIEW {view} AS\nSELECT {shown}\nFROM {source};\n" + "\n".join(comments)
        found.append(Item(view, "view", text))
    return found
