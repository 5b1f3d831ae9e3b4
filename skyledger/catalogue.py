"""What queries can name: schemas, tables and columns, as TAP_SCHEMA tells them.

A catalogue is made once from the dictionary (`skyledger.database.offered`); tables of one request,
such as uploads, are added to a copy of it by `Catalogue.plus`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

# Reserved by ADQL 2.1 beside the words of SQL 92.
_ADQL = """ABS ACOS AREA ASIN ATAN ATAN2 BIGINT BOX CEILING CENTROID CIRCLE CONTAINS COORD1 COORD2
COORDSYS COS COT DEGREES DISTANCE EXP FLOOR ILIKE INTERSECTS IN_UNIT LOG LOG10 MOD OFFSET PI POINT
POLYGON POWER RADIANS REGION RAND ROUND SIN SQRT TOP TAN TRUNCATE"""
_SQL = """ABSOLUTE ACTION ADD ALL ALLOCATE ALTER AND ANY ARE AS ASC ASSERTION AT AUTHORIZATION AVG
BEGIN BETWEEN BIT BIT_LENGTH BOTH BY CASCADE CASCADED CASE CAST CATALOG CHAR CHARACTER CHAR_LENGTH
CHARACTER_LENGTH CHECK CLOSE COALESCE COLLATE COLLATION COLUMN COMMIT CONNECT CONNECTION CONSTRAINT
CONSTRAINTS CONTINUE CONVERT CORRESPONDING COUNT CREATE CROSS CURRENT CURRENT_DATE CURRENT_TIME
CURRENT_TIMESTAMP CURRENT_USER CURSOR DATE DAY DEALLOCATE DECIMAL DECLARE DEFAULT DEFERRABLE
DEFERRED DELETE DESC DESCRIBE DESCRIPTOR DIAGNOSTICS DISCONNECT DISTINCT DOMAIN DOUBLE DROP ELSE END
ESCAPE EXCEPT EXCEPTION EXEC EXECUTE EXISTS EXTERNAL EXTRACT FALSE FETCH FIRST FLOAT FOR FOREIGN
FOUND FROM FULL GET GLOBAL GO GOTO GRANT GROUP HAVING HOUR IDENTITY IMMEDIATE IN INDICATOR INITIALLY
INNER INPUT INSENSITIVE INSERT INT INTEGER INTERSECT INTERVAL INTO IS ISOLATION JOIN KEY LANGUAGE
LAST LEADING LEFT LEVEL LIKE LOCAL LOWER MATCH MAX MIN MINUTE MODULE MONTH NAMES NATIONAL NATURAL
NCHAR NEXT NO NOT NULL NULLIF NUMERIC OCTET_LENGTH OF ON ONLY OPEN OPTION OR ORDER OUTER OUTPUT
OVERLAPS PAD PARTIAL POSITION PRECISION PREPARE PRESERVE PRIMARY PRIOR PRIVILEGES PROCEDURE PUBLIC
READ REAL REFERENCES RELATIVE RESTRICT REVOKE RIGHT ROLLBACK ROWS SCHEMA SCROLL SECOND SECTION
SELECT SESSION SESSION_USER SET SIZE SMALLINT SOME SPACE SQL SQLCODE SQLERROR SQLSTATE SUBSTRING SUM
SYSTEM_USER TABLE TEMPORARY THEN TIME TIMESTAMP TIMEZONE_HOUR TIMEZONE_MINUTE TO TRAILING
TRANSACTION TRANSLATE TRANSLATION TRIM TRUE UNION UNIQUE UNKNOWN UPDATE UPPER USAGE USER USING VALUE
VALUES VARCHAR VARYING VIEW WHEN WHENEVER WHERE WITH WORK WRITE YEAR ZONE"""
RESERVED = frozenset(_ADQL.split()) | frozenset(_SQL.split())

# Forms in which geometry is kept and shown: arrays of degrees (DALI 1.1).
GEOMETRY = ("point", "circle", "polygon")
# xtype of a text that holds a geometry in words, as ObsCore has it: Polygon ICRS 10 20 ...
REGION = "adql:REGION"


@dataclass(frozen=True)
class Column:
    """A column of a table, or of a result.

    Attributes
    ----------
    name
        As shown to people; names in queries are compared without regard to case.
    type
        Of the dictionary: bigint, double precision, real[], text, timestamp ...
    sql
        Name in PostgreSQL; the default is ``name`` in lower case.
    xtype
        ``point``, ``circle`` or ``polygon`` for an array of degrees that is a geometry: lon, lat;
        lon, lat, radius; lon, lat, lon, lat ...
    system
        Name of the system of a time or position, see `skyledger.systems`.
    """

    name: str
    type: str
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    description: str | None = None
    indexed: bool = False
    principal: bool = False
    std: bool = False
    shape: tuple[int, ...] | None = None
    xtype: str | None = None
    sql: str = ""
    system: str | None = None

    def __post_init__(self) -> None:
        if not self.sql:
            object.__setattr__(self, "sql", self.name.lower())


@dataclass(frozen=True)
class Table:
    """A table that can be queried.

    Attributes
    ----------
    live
        What stands for it in FROM when no instant is asked for: ``prompt_live.diasource``.
    at
        The same as of an instant, with ``{instant}`` where it is written; empty for a table that
        has no past.
    key
        SQL names of columns that are never the same in two rows.
    spatial
        Pairs of SQL names (lon, lat) with a spatial index.
    by
        Name of the column by which rows are looked up. Whoever asks for all of them has every row
        computed, so queries have to say which ones they mean.
    spans
        Whether it compares two instants: ``live`` and ``at`` have ``{since}`` and ``{until}``,
        which queries give by conditions on the columns ``sinceTai`` and ``untilTai``.
    """

    schema: str
    name: str
    columns: tuple[Column, ...]
    live: str
    at: str = ""
    description: str | None = None
    utype: str | None = None
    key: tuple[str, ...] = ()
    spatial: tuple[tuple[str, str], ...] = ()
    by: str = ""
    spans: bool = False

    @property
    def full_name(self) -> str:
        """``schema.table``."""
        return f"{self.schema}.{self.name}"

    @cached_property
    def by_name(self) -> dict[str, list[Column]]:
        """Columns by their names in lower case."""
        found: dict[str, list[Column]] = {}
        for column in self.columns:
            found.setdefault(column.name.lower(), []).append(column)
        return found


@dataclass(frozen=True)
class ForeignKey:
    """Columns of one table that name a row of another, for TAP_SCHEMA."""

    table: str  # schema.table
    target: str
    columns: tuple[tuple[str, str], ...]  # (column, column of the target)


@dataclass(frozen=True)
class Catalogue:
    """Everything that a query may name.

    Attributes
    ----------
    tables
        By ``schema.table`` in lower case.
    schemas
        Descriptions by schema, as shown to people.
    path
        Schemas in which a table without schema is looked for, the first that has it wins.
    aliases
        Further names of schemas, in lower case, and the schemas that they stand for.
    """

    tables: Mapping[str, Table]
    schemas: Mapping[str, str]
    path: tuple[str, ...] = ("prompt",)
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    keys: tuple[ForeignKey, ...] = ()

    @classmethod
    def of(
        cls,
        tables: Iterable[Table],
        schemas: Mapping[str, str] | None = None,
        path: tuple[str, ...] = ("prompt",),
        aliases: Mapping[str, tuple[str, ...]] | None = None,
        keys: tuple[ForeignKey, ...] = (),
    ) -> "Catalogue":
        """Make a catalogue of tables."""
        by_name = {table.full_name.lower(): table for table in tables}
        known = dict(schemas or {})
        for table in by_name.values():
            known.setdefault(table.schema, "")
        return cls(by_name, known, path, dict(aliases or {}), keys)

    def plus(self, *tables: Table, schemas: Mapping[str, str] | None = None) -> "Catalogue":
        """Return a catalogue that has further tables, for example those uploaded with a query."""
        known = {**self.schemas, **(schemas or {})}
        for table in tables:
            known.setdefault(table.schema, "")
        added = {table.full_name.lower(): table for table in tables}
        return replace(self, tables={**self.tables, **added}, schemas=known)

    def within(self, *path: str) -> "Catalogue":
        """Return the same catalogue with other schemas for names without schema."""
        return replace(self, path=path)

    def find(self, name: str, schema: str | None = None) -> Table | None:
        """Look a table up, in one schema or along the path; names are compared in lower case."""
        for place in self.path if schema is None else (schema,):
            folded = place.lower()
            for real in (folded, *self.aliases.get(folded, ())):
                table = self.tables.get(f"{real}.{name.lower()}")
                if table is not None:
                    return table
        return None
