"""Ask the sky: what the query service keeps of metadata, jobs and queries.

Changes of tables are written in ``ask_the_sky.sql``, what undoes them in ``ask_the_sky_down.sql``;
each section there says what it costs. Check afterwards: ``skyledger db check --drift``.
"""

from skyledger.database.migrations import run

revision = "ask_the_sky"
down_revision = "the_ledger"


def upgrade() -> None:
    run(__file__, "ask_the_sky.sql")


def downgrade() -> None:
    run(__file__, "ask_the_sky_down.sql")
