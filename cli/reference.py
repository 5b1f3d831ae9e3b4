"""``skyledger reference``: reference catalogues."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from cli.common import archive
from ingest import catalogue, reference

app = typer.Typer(no_args_is_help=True, help="Reference catalogues.")


@app.callback()
def _group() -> None:
    pass  # keeps `load` a command of the group while it is the only one


@app.command()
def load(
    files: Annotated[list[Path], typer.Argument(help="CSV, FITS or Parquet files.")],
    columns: Annotated[
        Path, typer.Option(help="TOML file that says which column is what, in which unit.")
    ],
) -> None:
    """Load a reference catalogue as release dr0, whose objects are found near DIAObjects."""
    mapping = catalogue.read_mapping(columns)
    console = Console(stderr=True)
    with (
        archive() as opened,
        Progress(
            TextColumn("{task.description:12}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        ) as bars,
    ):
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int | None) -> None:
            for other, task in tasks.items():
                if other != what and not bars.tasks[task].finished:
                    finished = bars.tasks[task].completed or 1
                    bars.update(task, completed=finished, total=finished)
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        loaded = reference.load(opened, files, mapping, show)
    print(f"{loaded.rows} objects in {reference.NAME} since {loaded.epoch.isoformat()} (TAI)")
    if loaded.rejected:
        print(
            f"{loaded.rejected} rows were refused and kept; their reasons: SELECT reason, content "
            f"FROM ledger.rejected WHERE batchId = {loaded.batch}"
        )
