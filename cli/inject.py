"""``skyledger inject``: completeness and purity of a data set, from artificial sources."""

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli.common import WORKERS, Scheduler, Workers
from cli.process import Bars
from ingest import injection
from ingest.workers import lost
from processing import instrument as instruments
from services import quality_pictures
from services.quality_pictures import png
from skyledger.errors import DataRejectedError

app = typer.Typer()
_KINDS = ("all", "blank", "host", "star", "masked")


def _cell(row: dict[str, Any]) -> str:
    return "" if row["share"] is None else f"{row['share']:.2f} of {row['n']}"


def show(summary: dict[str, Any], console: Console) -> None:
    """Print completeness by place and purity, a row an S/N bin."""
    table = Table("S/N", *_KINDS, "purity", "of new", show_edge=False)
    for k, row in enumerate(summary["completeness"]["all"]):
        cells = [_cell(summary["completeness"][kind][k]) for kind in _KINDS]
        purity = [_cell(summary[name][k]) for name in ("purity", "purityOfNew")]
        table.add_row(f"{row['low']:g} - {row['high']:g}", *cells, *purity)
    console.print(table)
    found = {kind: value for kind, value in summary["half"].items() if value == value}  # noqa: PLR0124 - not NaN
    halves = ", ".join(f"{kind} {value:.2f}" for kind, value in found.items())
    console.print(f"half are found at S/N {halves}", highlight=False)
    for name, pull in summary["pulls"].items():
        if pull["n"]:
            console.print(
                f"pulls of {name} above S/N 8: median {pull['median']:+.2f}, sd {pull['sd']:.2f}, "
                f"{100 * pull['beyond3']:.1f} % beyond 3, of {pull['n']}",
                highlight=False,
            )
    console.print(
        f"{summary['fakes']} artificial sources in {summary['frames']} frames; "
        f"{100 * summary['maskedShare']:.1f} % of the pixels are masked",
        highlight=False,
    )


@app.command()
def inject(
    directory: Annotated[Path, typer.Argument(help="Folder of the data set.")],
    instrument: Annotated[str, typer.Option(help=f"Instrument: {', '.join(instruments.known())}.")],
    fakes: Annotated[
        int, typer.Option(min=1, help="How many sources, all visits together.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same sources.")] = 1,
    output: Annotated[
        Path, typer.Option(help="Folder of completeness.json and completeness.png.")
    ] = Path("injection"),
    workers: Workers = WORKERS,
    scheduler: Scheduler = None,
) -> None:
    """Put artificial sources into a data set and tell how many are found; nothing is published."""
    console = Console()
    bars = Bars(console)
    output.mkdir(parents=True, exist_ok=True)
    # Beside the output, which workers on other machines see, too.
    with tempfile.TemporaryDirectory(dir=output.resolve(), prefix=".images-") as folder:
        try:
            with bars.progress:
                done = injection.run(
                    directory,
                    instrument,
                    fakes,
                    Path(folder),
                    seed=seed,
                    workers=workers,
                    scheduler=scheduler,
                    progress=bars,
                )
        except lost() as error:
            raise DataRejectedError(
                "a worker was killed (out of memory?); run the same command again, with fewer "
                "--workers"
            ) from error
    summary = injection.summary(done)
    show(summary, console)
    for what, reason in done.failures:
        console.print(f"{what} failed: {reason}", style="yellow", markup=False)
    text = json.dumps(summary, indent=1, allow_nan=True).replace("NaN", "null")
    (output / "completeness.json").write_text(text + "\n", encoding="utf-8")
    (output / "completeness.png").write_bytes(png(quality_pictures.completeness(summary)))
    console.print(f"{output / 'completeness.json'}, {output / 'completeness.png'}", highlight=False)
