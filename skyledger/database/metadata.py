"""The dictionary as SQLAlchemy metadata: base tables, their history, their staging tables.

Alembic compares a live database with what stands here; releases and tests create tables from it.
Design sections 3 to 5; GEN-20, L1DB-01, CAT-01.
"""

from math import prod
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from skyledger import dictionary as dd

STORE, LEDGER, STAGING, SERVICE = "prompt_store", "ledger", "staging", "service"
SLOTS = 8  # staging slots: visits that can be loaded at the same time

_TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "bigint": sa.BigInteger(),
    "integer": sa.Integer(),
    "smallint": sa.SmallInteger(),
    "real": sa.REAL(),
    "double precision": sa.Double(),
    "boolean": sa.Boolean(),
    "text": sa.Text(),
    "timestamp": sa.TIMESTAMP(timezone=False),
    "bytea": sa.LargeBinary(),
    "jsonb": pg.JSONB(),
}

INSERTED = dd.Column(
    name="insertedTai",
    type="timestamp",
    nullable=False,
    ucd="time.creation",
    requirements=("DMS-REQ-0291",),
    description="Epoch at which the row first became visible; never changes (TAI).",
)
CREATED = dd.Column(
    name="createdTai",
    type="timestamp",
    nullable=False,
    ucd="time.start",
    dpdd="createdTai",
    requirements=("DMS-REQ-0291",),
    description="Epoch from which on this version is valid (TAI).",
)
DELETED = dd.Column(
    name="deletedTai",
    type="timestamp",
    nullable=False,
    ucd="time.end",
    dpdd="deletedTai",
    requirements=("DMS-REQ-0291",),
    description="Last microsecond at which this version was valid (TAI); live: 9999-12-31.",
)
SLOT = dd.Column(
    name="slot",
    type="smallint",
    nullable=False,
    description="Staging slot of the worker that loads the row.",
)
REPLACES = dd.Column(
    name="replacesTai",
    type="timestamp",
    description="createdTai of the version that this row replaces; NULL for a new row.",
)
WITHDRAWN = dd.Column(
    name="isWithdrawal",
    type="boolean",
    description="True if the replaced version is to be closed without a successor.",
)


def sql_type(column: dd.Column) -> sa.types.TypeEngine[Any]:
    """SQLAlchemy type of a dictionary column."""
    if column.type.endswith("[]"):
        return pg.ARRAY(_TYPES[column.type[:-2]])
    return _TYPES[column.type]


def _sa_column(column: dd.Column, *, nullable: bool | None = None) -> sa.Column[Any]:
    return sa.Column(
        column.sql_name,
        sql_type(column),
        key=column.name,
        nullable=column.nullable if nullable is None else nullable,
        autoincrement=False,
        comment=comment(column),
    )


def comment(column: dd.Column) -> str:
    """Comment of a column in the database: description, unit and display name."""
    return named_comment(column.name, column.description, column.unit)


def named_comment(name: str, description: str, unit: str | None) -> str:
    """Comment of a column under a name of somebody else's."""
    return f"{name}: {description}" + (f" [{unit}]" if unit else "")


def _number(value: float) -> str:
    return repr(int(value)) if float(value).is_integer() else repr(value)


def conditions(column: dd.Column) -> list[tuple[str, str]]:
    """Conditions that a value must fulfil: (what is said of a failing value, SQL)."""
    name, found = column.sql_name, []
    if column.type in {"real", "double precision"}:
        finite = f"{name} NOT IN ('NaN', 'Infinity', '-Infinity')"
        found.append(("is not a finite number", finite))
    if column.type in {"real[]", "double precision[]"}:
        found.append(("holds NaN", f"NOT ('NaN' = ANY ({name}))"))
    if column.minimum is not None:
        low = _number(column.minimum)
        found.append((f"is below {low}", f"{name} >= {low}"))
    if column.maximum is not None:
        high = _number(column.maximum)
        found.append((f"is above {high}", f"{name} <= {high}"))
    if column.shape is not None:
        size = prod(column.shape)
        found.append((f"has not {size} elements", f"cardinality({name}) = {size}"))
    return found


def sound(relation: dd.Relation) -> list[str]:
    """Conditions that a row must fulfil as they are tested fastest; true or NULL for a good one.

    Numbers of a type that share a bound are compared with it in one go: LEAST and GREATEST leave
    NULL out. NaN counts as greater than every number, so bounds find whatever is not finite.
    """
    bounded: dict[tuple[str, str, str], list[str]] = {}
    found = []
    for column in relation.columns:
        floating = column.type in {"real", "double precision"}
        if column.type.endswith("[]") or column.shape is not None:
            found += [condition for _, condition in conditions(column)]
            continue
        low = f">= {_number(column.minimum)}" if column.minimum is not None else ""
        high = f"<= {_number(column.maximum)}" if column.maximum is not None else ""
        for function, bound in (
            ("LEAST", low or ("> '-Infinity'" if floating else "")),
            ("GREATEST", high or ("< 'Infinity'" if floating else "")),
        ):
            if bound:
                bounded.setdefault((function, bound, column.type), []).append(column.sql_name)
    for (function, bound, _), names in bounded.items():
        compared = f"{function}({', '.join(names)})" if len(names) > 1 else names[0]
        found.append(f"{compared} {bound}")
    return found


def _checks(relation: dd.Relation) -> list[sa.schema.SchemaItem]:
    """One constraint a table: a row must fulfil every condition of the dictionary."""
    terms = sound(relation)
    found: list[sa.schema.SchemaItem] = [
        sa.CheckConstraint(text, name=f"{relation.sql_name}_rule{number}")
        for number, text in enumerate(relation.checks, start=1)
    ]
    if terms:
        found.append(sa.CheckConstraint(" AND ".join(terms), name=f"{relation.sql_name}_values"))
    return found


def _indexes(relation: dd.Relation, table: sa.Table) -> None:
    for index in relation.indexes:
        sa.Index(
            "_".join([table.name, *(relation[c].sql_name for c in index.columns), "idx"]),
            *(table.c[c] for c in index.columns),
            postgresql_include=list(index.include) or None,
            postgresql_where=table.c[index.columns[0]].is_not(None) if index.sparse else None,
        )
    if relation.spatial:
        # Spelled exactly as queries spell it: this text is what the planner matches.
        ra, decl = (relation[c].sql_name for c in relation.spatial)
        sa.Index(
            f"{table.name}_sky_idx",
            sa.text(f"spoint(radians({ra}), radians({decl}))"),
            postgresql_using="gist",
            _table=table,
        )


def _living(relation: dd.Relation, metadata: sa.MetaData) -> None:
    partition: dict[str, Any] = {}
    if relation.partition_by_id:
        partition["postgresql_partition_by"] = f"RANGE ({relation[relation.key[0]].sql_name})"
    current = sa.Table(
        relation.sql_name,
        metadata,
        *(_sa_column(c) for c in (*relation.columns, INSERTED, CREATED)),
        sa.PrimaryKeyConstraint(
            *relation.key,
            name=f"{relation.sql_name}_pkey",
            postgresql_include=[CREATED.name],
        ),
        *_checks(relation),
        schema=STORE,
        comment=relation.description,
        **partition,
    )
    _indexes(relation, current)
    history = sa.Table(
        f"{relation.sql_name}_history",
        metadata,
        *(_sa_column(c) for c in (*relation.columns, INSERTED, CREATED, DELETED)),
        sa.PrimaryKeyConstraint(
            *relation.key,
            DELETED.name,
            name=f"{relation.sql_name}_history_pkey",
            # What is valid at an instant can be told from the index alone.
            postgresql_include=[CREATED.name],
        ),
        sa.CheckConstraint("createdtai <= deletedtai", name=f"{relation.sql_name}_interval"),
        schema=STORE,
        comment=f"Closed versions of {relation.name}, by month of deletedTai.",
        postgresql_partition_by="RANGE (deletedtai)",
    )
    _indexes(relation, history)
    _staging(relation, metadata)


def _derived(relation: dd.Relation, metadata: sa.MetaData) -> None:
    """Table of what publications compute: no versions, and nothing from outside to be checked."""
    sa.Table(
        relation.sql_name,
        metadata,
        *(_sa_column(c) for c in relation.columns),
        sa.PrimaryKeyConstraint(*relation.key, name=f"{relation.sql_name}_pkey"),
        schema=STORE,
        comment=relation.description,
    )
    _staging(relation, metadata)


def _staging(relation: dd.Relation, metadata: sa.MetaData) -> None:
    sa.Table(
        relation.sql_name,
        metadata,
        _sa_column(SLOT),
        *(_sa_column(c, nullable=True) for c in (*relation.columns, REPLACES, WITHDRAWN)),
        schema=STAGING,
        comment=f"Rows on their way to {relation.name}, one partition a slot.",
        postgresql_partition_by="LIST (slot)",
    )


def plain_table(relation: dd.Relation, metadata: sa.MetaData, schema: str) -> sa.Table:
    """Table of a ledger relation, or of a static one in the schema of its release."""
    table = sa.Table(
        relation.sql_name,
        metadata,
        *(_sa_column(c) for c in relation.columns),
        sa.PrimaryKeyConstraint(*relation.key, name=f"{relation.sql_name}_pkey"),
        *_checks(relation),
        schema=schema,
        comment=relation.description,
    )
    _indexes(relation, table)
    return table


def build(dictionary: dd.Dictionary) -> sa.MetaData:
    """Metadata of the living database and of the ledger (not of the releases)."""
    metadata = sa.MetaData()
    for relation in dictionary.of_kind("living"):
        _living(relation, metadata)
    for relation in dictionary.of_kind("derived"):
        _derived(relation, metadata)
    for relation in dictionary.of_kind("ledger"):
        plain_table(relation, metadata, LEDGER)
    for relation in dictionary.of_kind("service"):
        plain_table(relation, metadata, SERVICE)
    return metadata


def release(dictionary: dd.Dictionary, schema: str) -> sa.MetaData:
    """Metadata of the static tables of one data release, in ``schema`` (DPDD section 4.3)."""
    metadata = sa.MetaData()
    for relation in dictionary.of_kind("static"):
        plain_table(relation, metadata, schema)
    return metadata
