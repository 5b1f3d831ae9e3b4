"""``skyledger db backup`` and ``restore``: base backups, archived log, recovery to an instant."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from skyledger import settings
from skyledger.database import backup as backups
from skyledger.database.cluster import Cluster
from skyledger.errors import UsageError
from skyledger.virtual import parse_instant

app = typer.Typer()


def _cluster() -> Cluster:
    """Return the embedded cluster; say what to use for an external one."""
    configured = settings.read()
    if configured.external is not None:
        raise UsageError(
            f"{configured.external_source} names an external PostgreSQL server, whose backups are "
            f"its administrator's: use pg_basebackup with WAL archiving, or pgBackRest, and after "
            f"a recovery run `SELECT ledger.restored()` before anything is published"
        )
    return Cluster(configured.home)


@app.command()
def backup(
    directory: Annotated[Path, typer.Argument(help="Folder of the backups; made if missing.")],
) -> None:
    """Back the embedded database up, and archive everything published from now on beside it."""
    cluster = _cluster()
    made = backups.make(cluster, directory.absolute())
    print(f"backup {made.path}: {made.size / 1e6:.0f} MB, verified")
    print(f"  can be restored to any instant from {made.finished.isoformat()} (TAI) on")
    print(f"  the images in {cluster.home / 'products'} are not in it: copy them as files")


@app.command()
def restore(
    directory: Annotated[Path, typer.Argument(help="Folder of the backups.")],
    until: Annotated[
        datetime | None,
        typer.Option(
            parser=parse_instant,
            metavar="INSTANT",
            help="Bring back what was committed up to here (TAI; UTC with a final Z).",
            show_default="everything",
        ),
    ] = None,
) -> None:
    """Make the database of an empty home from a backup, as it was at an instant, and start it."""
    cluster = _cluster()
    done = backups.restore(cluster, directory.absolute(), until)
    print(f"database in {cluster.home} restored from {done.base.path}")
    print(f"  kept     every answer up to {done.horizon.isoformat()} (TAI)")
    print(f"  goes on  from {done.epoch.isoformat()} (TAI); in between answers are refused")
    print("  archive  none: `skyledger db backup` with a new folder begins one")
