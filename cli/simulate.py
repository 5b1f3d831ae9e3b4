"""``skyledger simulate``: write a synthetic survey with known truth."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from simulate import tiers
from simulate.effects import Effects
from simulate.survey import Summary
from simulate.survey import simulate as run
from simulate.tiers import TIERS, Tier
from skyledger.errors import UsageError

app = typer.Typer()
_EFFECTS = [f.name for f in fields(Effects)]


def _switched(tier: Tier, on: list[str], off: list[str]) -> Tier:
    """Return a tier with effects switched on and off by name."""
    unknown = [name for name in (*on, *off) if name not in _EFFECTS]
    if unknown:
        raise UsageError(
            f"there is no effect {', '.join(unknown)}; there are {', '.join(_EFFECTS)}"
        )
    changed = dict.fromkeys(on, True) | dict.fromkeys(off, False)
    return replace(tier, effects=replace(tier.effects, **changed)) if changed else tier


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
    tier: Annotated[
        str, typer.Option(help=f"How much is simulated: {', '.join(TIERS)}.")
    ] = "smoke",
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 1,
    truth: Annotated[
        Path | None, typer.Option(help="Directory of the truth (default: DATASET-truth).")
    ] = None,
    night: Annotated[
        list[int] | None,
        typer.Option(
            min=0,
            help="Write this night only, and the same again for more: 0 is the template season.",
            show_default="all",
        ),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="EFFECT", help=f"Switch an effect off: {', '.join(_EFFECTS)}."),
    ] = None,
    added: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="EFFECT", help="Switch an effect on."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Number of processes.")] = 1,
) -> None:
    """Simulate a survey: raw frames, calibration frames, reference stars, and the truth."""
    where = truth if truth is not None else dataset.with_name(f"{dataset.name}-truth")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn()) as bar:
        task = bar.add_task("planning", total=None)

        def progress(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=what)

        chosen = _switched(tiers.tier_named(tier), added or [], without or [])
        summary = run(dataset, where, chosen, seed, progress, night, workers)
    _show(summary, dataset, where)
