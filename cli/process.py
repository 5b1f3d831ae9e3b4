"""``skyledger process``: a folder of frames to published measurements."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli.common import WORKERS, Scheduler, Workers, archive
from ingest import run as runs
from processing import instrument as instruments
from skyledger.database import heartbeat
from skyledger.errors import DataRejectedError, SkyledgerError

app = typer.Typer()


class Bars:
    """Progress bars, one a stage."""

    def __init__(self, console: Console) -> None:
        self.progress = Progress(
            TextColumn("{task.description:18}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._tasks: dict[str, int] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` of stage ``what`` are finished."""
        if what not in self._tasks:
            self._tasks[what] = self.progress.add_task(what, total=total)
        self.progress.update(self._tasks[what], completed=done, total=total)  # type: ignore[arg-type]


def process_folder(
    directory: Path,
    instrument: str,
    run: str,
    workers: int,
    console: Console,
    scheduler: str | None = None,
) -> runs.Outcome:
    """Process a folder with progress bars and a heartbeat; the database must be running."""
    with archive() as opened:
        bars = Bars(console)
        with bars.progress, heartbeat.beating():
            return runs.process_directory(
                opened,
                directory,
                instrument,
                run=run,
                workers=workers,
                scheduler=scheduler,
                progress=bars,
            )


def report(outcome: runs.Outcome, console: Console) -> None:
    """Print what was published, and every failure with its reason."""
    totals: dict[str, int] = {}
    for visit in outcome.visits:
        for name, number in visit.counts.items():
            totals[name] = totals.get(name, 0) + number
    published = sum(v.epoch is not None for v in outcome.visits)
    skipped = sum(bool(v.skipped) and v.epoch is None for v in outcome.visits)
    table = Table("published", "number", show_edge=False)
    table.columns[1].justify = "right"
    table.add_row("visits", str(published))
    if skipped:
        table.add_row("visits published before", str(skipped))
    if outcome.certified.made:
        table.add_row("master calibration files", str(len(outcome.certified.made)))
    table.add_row("templates", str(len(outcome.templates)))
    for name, number in totals.items():
        table.add_row(name, str(number))
    if outcome.precovered.forced:
        table.add_row("precovery fluxes", str(outcome.precovered.forced))
    if outcome.evicted.files:
        table.add_row("images evicted", str(outcome.evicted.files))
    console.print(table)
    for visit_id, reason in outcome.precovered.waiting:
        console.print(
            f"precovery of visit {visit_id} waits: {reason}", style="yellow", markup=False
        )
    for path, reason in outcome.refused:
        console.print(f"refused {path.name}: {reason}", style="yellow", markup=False)
    for folder, reason in outcome.certified.failed:
        console.print(f"no masters of {folder}: {reason}", style="red", markup=False)
    for band, reason in outcome.without_template:
        console.print(f"no template in {band}: {reason}", style="red", markup=False)
    for visit_id, detector, reason in outcome.failures:
        console.print(
            f"visit {visit_id} detector {detector} failed: {reason}", style="red", markup=False
        )


@app.command()
def process(
    directory: Annotated[Path, typer.Argument(help="Folder of the data set.")],
    instrument: Annotated[str, typer.Option(help=f"Instrument: {', '.join(instruments.known())}.")],
    run: Annotated[
        str, typer.Option(help="Pipeline run; repeating a run loads only what is missing.")
    ] = "prompt",
    workers: Workers = WORKERS,
    scheduler: Scheduler = None,
) -> None:
    """Process a folder of frames: templates first, then every visit, each published at once."""
    console = Console()
    outcome = process_folder(directory, instrument, run, workers, console, scheduler)
    report(outcome, console)
    bad = len(outcome.failures) + len(outcome.refused) + len(outcome.without_template)
    bad += len(outcome.certified.failed)
    if outcome.bugs:
        raise SkyledgerError(
            f"{outcome.bugs} frames met a programming error; their visits are marked failed. "
            f"Please report the messages above"
        )
    if bad:
        raise DataRejectedError(
            f"{bad} files or visits could not be published; their reasons are above and in "
            f"`skyledger db failures`. Correct them and run the same command again"
        )
