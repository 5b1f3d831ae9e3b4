"""``skyledger images``: the cache of processed images, and the precovery that lives on it."""

import json
from typing import Annotated

import typer
from rich.console import Console

from cli.common import WORKERS, Scheduler, Workers, archive, no_worker_lost
from cli.process import Bars
from ingest import image_cache, precovery
from ingest.workers import worker_pool
from skyledger import settings
from skyledger.database import heartbeat
from skyledger.errors import DataRejectedError

app = typer.Typer(no_args_is_help=True, help="Processed images, and precovery on them.")


@app.command()
def usage(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say how much room processed images take, and how long they are kept."""
    used, days = image_cache.usage(), settings.read().image_days
    if as_json:
        kinds = {kind: {"files": u.files, "bytes": u.size} for kind, u in used.items()}
        print(json.dumps({**kinds, "keptDays": days}))
        return
    for kind, found in used.items():
        print(f"{kind:10s} {found.files:8d} files {found.size / 1e6:12.1f} MB")
    print(f"images of survey visits are kept {days:g} days of observation")


@app.command()
def evict() -> None:
    """Remove the images that precovery cannot ask for any more."""
    with archive() as opened:
        removed = image_cache.evict(opened)
    print(f"{removed.files} images removed, {removed.size / 1e6:.1f} MB")


@app.command()
def precover(
    run: Annotated[str, typer.Option(help="Pipeline run, for the books.")] = "prompt",
    workers: Workers = WORKERS,
    scheduler: Scheduler = None,
) -> None:
    """Measure new DIAObjects on the images of the days before; `process` does so at its end."""
    console = Console()
    with no_worker_lost(), archive() as opened:
        bars = Bars(console)
        with bars.progress, heartbeat.beating(), worker_pool(workers, scheduler) as pool:
            done = precovery.precover(opened, pool, run=run, progress=bars)
    if done.busy:
        console.print("another session is at it; nothing was done here")
        return
    console.print(f"{done.visits} visits done, {done.forced} fluxes published")
    for visit_id, reason in done.waiting:
        console.print(
            f"visit {visit_id} waits: {reason}", style="yellow", markup=False, highlight=False
        )
    if done.waiting:
        raise DataRejectedError(
            f"{len(done.waiting)} visits wait on, for the reasons above; process their images "
            f"again, then run the same command again"
        )
