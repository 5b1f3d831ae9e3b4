"""``skyledger masters``: certified master calibration frames."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from cli.common import WORKERS, Scheduler, Workers, archive, no_worker_lost
from cli.process import Bars
from ingest import masters
from ingest.workers import worker_pool
from processing import instrument as instruments
from skyledger import provenance
from skyledger.database import heartbeat
from skyledger.errors import DataRejectedError

app = typer.Typer(no_args_is_help=True, help="Certified master calibration frames.")

_LISTED = """
SELECT instrument, detector, version, path, validbegin, validend, folder, certifiedtai, replacedtai,
  array_agg(concat_ws('-', kind, band) ORDER BY kind, band)
FROM ledger.master GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9 ORDER BY 1, 2, 3
"""
_NAMES = ("instrument", "detector", "version", "path", "validBegin", "validEnd", "folder",
          "certifiedTai", "replacedTai", "masters")  # fmt: skip


def _listed() -> list[dict[str, Any]]:
    with archive() as opened, opened.cursor() as cursor:
        cursor.execute(_LISTED)
        return [dict(zip(_NAMES, row, strict=True)) for row in cursor.fetchall()]


@app.command("list")
def listing(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a file.")] = False,
) -> None:
    """List the files of masters, those that were replaced included."""
    for file in _listed():
        if as_json:
            print(json.dumps(file, default=str))
            continue
        state = "in use" if file["replacedTai"] is None else f"replaced {file['replacedTai']:%F %T}"
        print(
            f"{file['path']}  MJD {file['validBegin']:.1f} to {file['validEnd']:.1f}  {state}  "
            f"{', '.join(file['masters'])}"
        )


@app.command()
def build(
    directory: Annotated[Path, typer.Argument(help="Folder of the data set.")],
    instrument: Annotated[str, typer.Option(help=f"Instrument: {', '.join(instruments.known())}.")],
    workers: Workers = WORKERS,
    scheduler: Scheduler = None,
) -> None:
    """Make a new version of a data set's masters, though its calibration frames are the same.

    `skyledger process` makes masters of new frames by itself.
    """
    console, used = Console(), instruments.load(instrument)
    with archive() as opened:
        with opened.cursor() as cursor:
            number = provenance.record(
                cursor, "masters", used.name, {"instrument": used.model_dump(mode="json")}
            )
        opened.commit()
        bars = Bars(console)
        with (
            no_worker_lost(),
            bars.progress,
            heartbeat.beating(),
            worker_pool(workers, scheduler) as pool,
        ):
            done = masters.certify(
                opened, pool, directory.resolve(), used, number, again=True, progress=bars
            )
    for path in done.made:
        print(path)
    for folder, reason in done.failed:
        console.print(f"no masters of {folder}: {reason}", style="red", markup=False)
    if done.failed:
        raise DataRejectedError(f"{len(done.failed)} masters of {directory} could not be made")
    if not done.made:
        raise DataRejectedError(
            f"{directory} has no folder calibration; there is nothing to make masters of"
        )
