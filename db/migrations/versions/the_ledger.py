"""The ledger: what embargoes, neighbours, statistics by month and operation need.

Changes of tables are written in ``the_ledger.sql``, what undoes them in ``the_ledger_down.sql``;
each section there says what it costs. Check afterwards: ``skyledger db check --drift``.
"""

from pathlib import Path

from alembic import op

revision = "the_ledger"
down_revision = "first_light"


def _run(name: str) -> None:
    op.execute("SET LOCAL lock_timeout = '10s'")
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    # The driver's own cursor: without parameters it leaves every % of the script alone.
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(text)


def upgrade() -> None:
    _run("the_ledger.sql")


def downgrade() -> None:
    _run("the_ledger_down.sql")
