"""First light: the base tables of the living database, the ledger and the staging area.

Creates schemas, tables, indexes, the guard against direct writes and eight staging slots.
Costs nothing on an empty database. Check afterwards: ``skyledger db check``.
"""

from pathlib import Path

from alembic import op

revision = "first_light"
down_revision = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '10s'")
    text = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    # The driver's own cursor: without parameters it leaves every % of the script alone.
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(text)


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
