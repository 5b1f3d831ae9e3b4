"""Ask the sky: what the query service keeps of metadata, jobs and queries.

Changes of tables are written in ``ask_the_sky.sql``, what undoes them in ``ask_the_sky_down.sql``;
each section there says what it costs. Check afterwards: ``skyledger db check --drift``.
"""

from pathlib import Path

from alembic import op

revision = "ask_the_sky"
down_revision = "the_ledger"


def _run(name: str) -> None:
    op.execute("SET LOCAL lock_timeout = '10s'")
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    # The driver's own cursor: without parameters it leaves every % of the script alone.
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(text)


def upgrade() -> None:
    _run("ask_the_sky.sql")


def downgrade() -> None:
    _run("ask_the_sky_down.sql")
