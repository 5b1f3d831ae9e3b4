"""``skyledger images``: the cache of processed images, and the precovery that lives on it."""

import json
import os
from typing import Annotated

import typer
from rich.console import Console

from cli.process import Bars
from ingest import image_cache, precovery
from ingest.workers import lost, worker_pool
from skyledger import settings
from skyledger.database import connection, heartbeat, schema
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
    opened = connection.connect()
    try:
        schema.check(opened)
        removed = image_cache.evict(opened)
    finally:
        opened.close()
    print(f"{removed.files} images removed, {removed.size / 1e6:.1f} MB")


@app.command()
def precover(
    run: Annotated[str, typer.Option(help="Pipeline run, for the books.")] = "prompt",
    workers: Annotated[
        int,
        typer.Option(
            min=1, help="Number of worker processes.", show_default="one a core, at most 8"
        ),
    ] = min(os.cpu_count() or 1, 8),
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler whose workers are used instead.")
    ] = None,
) -> None:
    """Measure new DIAObjects on the images of the days before; `process` does so at its end."""
    console = Console()
    opened = connection.connect()
    try:
        schema.check(opened)
        opened.rollback()
        bars = Bars(console)
        with bars.progress, heartbeat.beating(), worker_pool(workers, scheduler) as pool:
            done = precovery.precover(opened, pool, run=run, progress=bars)
    except lost() as error:
        raise DataRejectedError(
            "a worker was killed (out of memory?); nothing is lost, run the same command again, "
            "with fewer --workers"
        ) from error
    finally:
        opened.close()
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
