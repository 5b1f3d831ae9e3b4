"""First light: the base tables of the living database, the ledger and the staging area.

Creates schemas, tables, indexes, the guard against direct writes and eight staging slots.
Costs nothing on an empty database. Check afterwards: ``skyledger db check``.
"""

from alembic import op

from skyledger.database.migrations import run

revision = "first_light"
down_revision = None


def upgrade() -> None:
    run(__file__, "first_light.sql")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '10s'")
    # The version table stays in schema ledger: Alembic writes to it after this step.
    for schema in ("staging", "prompt_store"):
        op.execute(f"DROP SCHEMA {schema} CASCADE")
    op.execute(
        "DO $$ DECLARE t record; BEGIN FOR t IN SELECT tablename FROM pg_tables "
        "WHERE schemaname = 'ledger' AND tablename <> 'schema_version' LOOP "
        "EXECUTE format('DROP TABLE ledger.%I CASCADE', t.tablename); END LOOP; END $$"
    )
    op.execute("DROP SEQUENCE ledger.batch_id, ledger.rejected_id, ledger.object_serial")
    op.execute("DROP FUNCTION ledger.refuse_direct_write()")
