"""Trusted pixels: precovery, rules below the threshold, quality of visits, nothing artificial.

Changes of tables are written in ``trusted_pixels.sql``, what undoes them in
``trusted_pixels_down.sql``; each section there says what it costs. Check afterwards:
``skyledger db check --drift``.
"""

from skyledger.database.migrations import run

revision = "trusted_pixels"
down_revision = "people"


def upgrade() -> None:
    run(__file__, "trusted_pixels.sql")


def downgrade() -> None:
    run(__file__, "trusted_pixels_down.sql")
