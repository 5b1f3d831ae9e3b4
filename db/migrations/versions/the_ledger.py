"""The ledger: what embargoes, neighbours, statistics by month and operation need.

Changes of tables are written in ``the_ledger.sql``, what undoes them in ``the_ledger_down.sql``;
each section there says what it costs. Check afterwards: ``skyledger db check --drift``.
"""

from skyledger.database.migrations import run

revision = "the_ledger"
down_revision = "first_light"


def upgrade() -> None:
    run(__file__, "the_ledger.sql")


def downgrade() -> None:
    run(__file__, "the_ledger_down.sql")
