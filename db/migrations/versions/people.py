"""People: accounts, tokens, groups, tables of one's own, and what each person is allotted.

Changes of tables are written in ``people.sql``, what undoes them in ``people_down.sql``; each
section there says what it costs. Check afterwards: ``skyledger db check --drift``.
"""

from skyledger.database.migrations import run

revision = "people"
down_revision = "ask_the_sky"


def upgrade() -> None:
    run(__file__, "people.sql")


def downgrade() -> None:
    run(__file__, "people_down.sql")
