"""``skyledger simulate``: write a synthetic survey with known truth."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from simulate.survey import Summary
from simulate.survey import simulate as run

app = typer.Typer()


def _show(summary: Summary, dataset: Path, truth: Path) -> None:
    table = Table(title=f"tier {summary.tier}, seed {summary.seed}", show_header=False)
    table.add_row("visits", str(summary.visits))
    table.add_row("frames written", str(summary.frames_written))
    if summary.frames_kept:
        table.add_row("frames kept from before", str(summary.frames_kept))
    table.add_row("calibration frames written", str(summary.calibration_frames))
    table.add_row("reference stars", str(summary.reference_stars))
    for kind, number in sorted(summary.objects.items()):
        table.add_row(kind, str(number))
    console = Console()
    console.print(table)
    console.print(f"data set {dataset}, truth {truth}")


@app.command()
def simulate(
    dataset: Annotated[Path, typer.Argument(help="Directory that gets the raw frames.")],
    tier: Annotated[str, typer.Option(help="smoke or demo: how much is simulated.")] = "smoke",
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 1,
    truth: Annotated[
        Path | None, typer.Option(help="Directory of the truth (default: DATASET-truth).")
    ] = None,
) -> None:
    """Simulate a survey: raw frames, calibration frames, reference stars, and the truth."""
    where = truth if truth is not None else dataset.with_name(f"{dataset.name}-truth")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn()) as bar:
        task = bar.add_task("planning", total=None)

        def progress(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=what)

        summary = run(dataset, where, tier, seed, progress)
    _show(summary, dataset, where)
