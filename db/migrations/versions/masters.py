"""Masters: certified calibration frames, and what is kept beside the images of ccdVisits.

Changes of tables are written in ``masters.sql``, what undoes them in ``masters_down.sql``; each
section there says what it costs. Check afterwards: ``skyledger db check --drift``.
"""

from skyledger.database.migrations import run

revision = "masters"
down_revision = "trusted_pixels"


def upgrade() -> None:
    run(__file__, "masters.sql")


def downgrade() -> None:
    run(__file__, "masters_down.sql")
