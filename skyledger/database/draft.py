"""Print the SQL that creates the tables of the dictionary: the draft of a migration.

``python -m skyledger.database.draft`` wrote ``db/migrations/versions/first_light.sql``, which is
frozen; statements for new tables are taken from its output, changes of tables are drafted by
Alembic's autogenerate, and both are finished by hand. A migration never reads the dictionary.
"""

import sys

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.schema import CreateIndex, CreateTable, SetColumnComment, SetTableComment

from skyledger import dictionary as dd
from skyledger.database import metadata as md

_PREAMBLE = """\
CREATE SCHEMA IF NOT EXISTS ledger;
CREATE SCHEMA prompt_store;
CREATE SCHEMA staging;
COMMENT ON SCHEMA ledger IS 'Epochs, batches, provenance: the bookkeeping of what was known when.';
COMMENT ON SCHEMA prompt_store IS 'Base tables of the living database, written by publications.';
COMMENT ON SCHEMA staging IS 'Rows on their way in, by slot; emptied by a crash.';
CREATE SEQUENCE ledger.batch_id;
CREATE SEQUENCE ledger.rejected_id;
CREATE SEQUENCE ledger.object_serial MAXVALUE 549755813887;

-- Part of the tables' guard, hence frozen here and not replayed.
CREATE FUNCTION ledger.refuse_direct_write() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('skyledger.publishing', true) IS DISTINCT FROM pg_current_xact_id()::text THEN
    RAISE EXCEPTION '%.% is written by ledger.publish alone', TG_TABLE_SCHEMA, TG_TABLE_NAME
      USING ERRCODE = 'insufficient_privilege',
        HINT = 'Stage the rows and publish them: every earlier answer must stay repeatable.';
  END IF;
  RETURN NULL;
END $$;
"""


def ddl(dictionary: dd.Dictionary) -> str:
    """Return the SQL script that creates every managed table, index, comment and guard."""
    dialect = pg.dialect()  # type: ignore[no-untyped-call]
    parts = [_PREAMBLE]

    def add(statement: sa.schema.ExecutableDDLElement) -> None:
        parts.append(str(statement.compile(dialect=dialect)).strip() + ";")

    metadata = md.build(dictionary)
    for table in metadata.sorted_tables:
        add(CreateTable(table))
        add(SetTableComment(table))
        for column in table.columns:
            if column.comment:
                add(SetColumnComment(column))
        for index in sorted(table.indexes, key=lambda i: str(i.name)):
            add(CreateIndex(index))
        if table.schema == md.STORE:
            parts.append(
                f"CREATE TRIGGER refuse_direct_write BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE "
                f"ON {table.fullname} FOR EACH STATEMENT "
                f"EXECUTE FUNCTION ledger.refuse_direct_write();"
            )
        if table.schema == md.STAGING:
            parts.extend(
                f"CREATE UNLOGGED TABLE {table.fullname}_s{slot} PARTITION OF {table.fullname} "
                f"FOR VALUES IN ({slot});"
                for slot in range(md.SLOTS)
            )
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.stdout.write(ddl(dd.shipped()))
