"""What migrations share: a revision is a pair of SQL files, one up and one down."""

from pathlib import Path

from alembic import op


def run(revision: str, name: str) -> None:
    """Run a SQL file that stands beside a revision, in the transaction of the upgrade.

    Parameters
    ----------
    revision : str
        ``__file__`` of the revision.
    name : str
        Name of the SQL file.
    """
    op.execute("SET LOCAL lock_timeout = '10s'")
    text = Path(revision).with_name(name).read_text(encoding="utf-8")
    # The driver's own cursor: without parameters it leaves every % of the script alone.
    cursor = op.get_bind().connection.cursor()
    cursor.execute(text)
    cursor.close()
