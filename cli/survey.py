"""``skyledger survey``: a simulated survey night by night, from raw frames to its judgement."""

import os
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing import active_children
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.common import WORKERS, Workers, archive
from cli.judge import deliver
from cli.process import Bars, report
from ingest import run as runs
from ingest.judge import judge
from simulate.cadence import Visit
from simulate.survey import prepared, simulate
from simulate.tiers import TIERS, Tier, tier_named
from skyledger.database import heartbeat
from skyledger.errors import DataRejectedError, UsageError
from skyledger.virtual import VirtualDatabase

app = typer.Typer()


def _tonight(folder: Path, frames: list[Path]) -> Path:
    """Make the data set of one night: links to its frames and to what all nights share."""
    tonight = folder / "tonight"
    shutil.rmtree(tonight, ignore_errors=True)
    (tonight / "raw").mkdir(parents=True)
    for shared in ("calibration", "reference.parquet"):
        (tonight / shared).symlink_to((folder / "data" / shared).resolve())
    for path in frames:
        (tonight / "raw" / path.name).symlink_to(path.resolve())
    return tonight


def _settled() -> dict[tuple[int, int], str]:
    """Frames that the archive has published or refused: (visitId, detector) -> state."""
    with archive() as opened, opened.cursor() as cursor:
        cursor.execute("SELECT visitid, detector, state FROM ledger.delivery WHERE state <> 'open'")
        return {(visit, detector): state for visit, detector, state in cursor}


def _process(
    folder: Path, workers: int, console: Console, progress: Callable[[str, int, int], None]
) -> None:
    with archive() as opened, heartbeat.beating():
        outcome = runs.process_directory(
            opened, folder, "simulated", workers=workers, progress=progress
        )
    report(outcome, console)


def _killing(bars: Bars) -> Callable[[str, int, int], None]:
    """Progress that kills one worker process as soon as survey visits are in work."""

    def progress(what: str, done: int, total: int) -> None:
        bars(what, done, total)
        if what == "visits":
            for child in active_children()[:1]:
                with suppress(ProcessLookupError):
                    os.kill(child.pid or 0, signal.SIGKILL)

    return progress


def _advance(bars: Bars, done: int, total: int, _what: str) -> None:
    bars("simulate", done, total)


def _withdraw(visits: list[Visit], console: Console) -> None:
    """Withdraw the visits that are to be withdrawn, once."""
    with archive() as opened, opened.cursor() as cursor:
        for visit in visits:
            cursor.execute(
                "SELECT EXISTS (SELECT FROM prompt_store.ccdvisit WHERE visitid = %s)",
                (visit.visit_id,),
            )
            if cursor.fetchone() == (True,):
                cursor.execute("SELECT ledger.withdraw(%s, 'an upset')", (visit.visit_id,))
                console.print(f"visit {visit.visit_id} withdrawn", highlight=False)
        opened.commit()


def observe(
    folder: Path, tier: Tier, seed: int, last: int | None, workers: int, console: Console
) -> None:
    """Simulate and process the nights of a survey that are not done yet, and judge the whole.

    Parameters
    ----------
    folder
        Gets the data set (``data``), the truth (``truth``) and the judgement (``judged``).
    last
        The last night; None: all.

    Raises
    ------
    UsageError
        If the survey has no such night, or the folder holds another survey.
    """
    visits = prepared(tier, seed).visits
    nights = sorted({v.arrives for v in visits})
    if last is not None:
        if last not in nights:
            raise UsageError(f"tier {tier.name} has nights 0 to {nights[-1]}, not {last}")
        nights = [night for night in nights if night <= last]
    detectors = tier.detectors_a_side**2
    for night in nights:
        arriving = [v for v in visits if v.arrives == night]
        done = _settled()
        due = {(v.visit_id, d) for v in arriving for d in range(detectors)}
        if due <= set(done):
            continue
        console.rule(f"night {night}")
        bars = Bars(console)
        with bars.progress:
            advance = partial(_advance, bars)
            simulate(folder / "data", folder / "truth", tier, seed, advance, [night], workers)
        names = [f"{v.visit_id}-" for v in arriving]
        frames = [p for n in names for p in sorted((folder / "data" / "raw").glob(f"{n}*.fits"))]
        tonight = _tonight(folder, frames)
        killed = any(v.upset == "killed_worker" and (v.visit_id, 0) not in done for v in arriving)
        bars = Bars(console)
        with bars.progress:
            if killed:
                try:
                    _process(tonight, workers, console, _killing(bars))
                except DataRejectedError as error:
                    console.print(str(error), style="yellow", markup=False)
            _process(tonight, workers, console, bars)
        _withdraw([v for v in arriving if v.upset == "withdrawn"], console)
    with archive() as opened:
        verdict = judge(opened, folder / "truth", VirtualDatabase("prompt"))
    deliver(verdict, folder / "judged", console)


@app.command()
def survey(
    folder: Annotated[Path, typer.Argument(help="Gets the frames, the truth, the judgement.")],
    tier: Annotated[str, typer.Option(help=f"How much: {', '.join(TIERS)}.")] = "year",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same survey.")] = 1,
    until: Annotated[
        int | None, typer.Option(min=0, help="Last night to do.", show_default="all")
    ] = None,
    workers: Workers = WORKERS,
) -> None:
    """Run a simulated survey night by night, upsets included, and judge it by its truth.

    What is done is kept: after an interruption the same command goes on where it was.
    """
    observe(folder, tier_named(tier), seed, until, workers, Console())
