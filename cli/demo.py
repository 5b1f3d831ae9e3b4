"""``skyledger demo``: three simulated nights, from pixels to an answer at two instants."""

import os
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli import process as processing_command
from cli.query import print_table
from ingest import catalogue, reference
from services import background, object_picture
from simulate.survey import simulate
from skyledger import answers, settings
from skyledger.database import connection, schema
from skyledger.database.cluster import Cluster
from skyledger.errors import ConfigurationError, SkyledgerError
from skyledger.virtual import VirtualDatabase

app = typer.Typer()

NIGHTS = (0, 1, 2, 3)  # 0 is the season before, of which the templates are made
_TABLES = ("Visit", "CcdVisit", "Template", "DIASource", "DIAObject", "DIAForcedSource")

# The object whose difference flux varies most for certain, among those seen often.
_VARIABLE = """
SELECT diaObjectId FROM DIAObject
WHERE nDiaSources >= 4
ORDER BY coalesce(gPsFluxChi2, 0) + coalesce(rPsFluxChi2, 0) + coalesce(iPsFluxChi2, 0) DESC
LIMIT 1
"""
_NEIGHBOURS = """
SELECT count(*) FILTER (WHERE exp(nearbyStar1LnP) > 0.5), count(*) FROM DIAObject
"""
_QUESTION = """
SELECT count(*) AS objects, sum(nDiaSources) AS sources, max(lastDiaSourceTai) AS newest
FROM DIAObject
"""


def _night(console: Console, data: Path, truth: Path, seed: int, night: int) -> None:
    columns = (
        TextColumn("{task.description:18}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("simulate", total=None)

        def progress(done: int, total: int, _what: str) -> None:
            bar.update(task, completed=done, total=total)

        simulate(data, truth, "demo", seed, progress, nights=[night])


def _counts(opened: Any, console: Console) -> None:
    table = Table("table", "rows", title="What the archive holds now", show_edge=False)
    table.columns[1].justify = "right"
    for name in _TABLES:
        answer = answers.run(opened, f"SELECT count(*) FROM {name}", VirtualDatabase("prompt"))
        table.add_row(name, f"{answer.rows[0][0]:,}")
    console.print(table)
    neighbours = answers.run(opened, _NEIGHBOURS, VirtualDatabase("prompt"))
    known, objects = neighbours.rows[0]
    console.print(f"{known} of {objects} DIAObjects probably are one of the reference stars")


def _reference(opened: Any, console: Console, data: Path) -> None:
    """Load the reference stars as release dr0, once."""
    with opened.cursor() as cursor:
        cursor.execute("SELECT to_regnamespace(%s)", (reference.NAME,))
        there = cursor.fetchone()[0]
    opened.rollback()
    if there is None:
        mapping = catalogue.read_mapping(data / "reference.toml")
        loaded = reference.load(opened, [data / "reference.parquet"], mapping)
        console.print(f"{loaded.rows} reference stars are release {reference.NAME}")


def _ends_of_nights(opened: Any) -> list[datetime]:
    """Epoch after which each night's visits, templates apart, were all published."""
    with opened.cursor() as cursor:
        cursor.execute(
            "SELECT max(b.epochtai) FROM ledger.batch AS b "
            "JOIN prompt_store.visit AS v USING (visitid) "
            "WHERE b.state = 'published' AND NOT v.istemplate "
            "GROUP BY science.visit_night(v.visitid) ORDER BY science.visit_night(v.visitid)"
        )
        found = [row[0] for row in cursor.fetchall()]
    opened.rollback()
    return found


@app.command()
def demo(
    seed: Annotated[int, typer.Option(help="Another seed gives another sky.")] = 1,
    output: Annotated[Path, typer.Option(help="Where the pictures go.")] = Path("demo-output"),
) -> None:
    """Simulate three nights, ingest them, and ask the archive about then and now."""
    console = Console()
    configured = settings.read()
    if configured.external is None:
        Cluster(configured.home).start()
    opened = connection.connect()
    started = monotonic()
    try:
        schema.upgrade(opened)
        opened.rollback()
        where = configured.home / f"demo-{seed}"
        bad = 0
        for night in NIGHTS:
            name = f"night {night}" if night else "the season before: templates"
            console.rule(name, align="left")
            _night(console, where / "data", where / "truth", seed, night)
            _reference(opened, console, where / "data")
            outcome = processing_command.process_folder(
                where / "data", "simulated", "prompt", min(os.cpu_count() or 1, 8), console
            )
            bad += len(outcome.failures) + len(outcome.refused)
            for visit_id, detector, reason in outcome.failures:
                console.print(
                    f"visit {visit_id} detector {detector} failed: {reason}", markup=False
                )
        console.rule("what we have now", align="left")
        _counts(opened, console)
        _show_variable(opened, console, output)
        _then_and_now(opened, console)
        console.print(f"[dim]took {monotonic() - started:.0f} s[/dim]")
    finally:
        opened.close()
    if bad:
        raise SkyledgerError(f"{bad} visits of the demo failed; their reasons are above")


def _show_variable(opened: Any, console: Console, output: Path) -> None:
    answer = answers.run(opened, _VARIABLE, VirtualDatabase("prompt"))
    if not answer.rows:
        raise SkyledgerError("the demo found no object with four or more detections")
    object_id = answer.rows[0][0]
    curve, drawn = object_picture.make(opened, object_id, VirtualDatabase("prompt"))
    output.mkdir(parents=True, exist_ok=True)
    path = output / f"variable-{object_id}.svg"
    path.write_text(drawn, encoding="utf-8")
    console.print(
        f"\nThe most variable object, DIAObject {object_id}, with "
        f"{(curve.kind == 'source').sum()} detections and {(curve.kind == 'forced').sum()} forced "
        f"fluxes: {path}",
        highlight=False,
    )


def _then_and_now(opened: Any, console: Console) -> None:
    ends = _ends_of_nights(opened)
    console.print("\nOne question, asked of two instants:", _QUESTION.strip(), sep="\n")
    for night, instant in ((1, ends[0]), (len(ends), ends[-1])):
        console.print(f"\nas known after night {night}:", style="bold")
        print_table(answers.run(opened, _QUESTION, VirtualDatabase("prompt", instant)), console)
    console.print("\nThat answer will be the same for ever. Type next:", style="bold")
    console.print(
        f'  ./run skyledger query "SELECT diaObjectId, ra, dec, nDiaSources FROM DIAObject" '
        f"--db prompt@{ends[0].isoformat()}",
        soft_wrap=True,
        highlight=False,
    )
    _serve(console, ends[0])


def _serve(console: Console, first: datetime) -> None:
    """Leave the service running, and say how to ask it."""
    home = settings.read().home
    try:
        address = background.start(home)
    except ConfigurationError as error:
        console.print(f"\n{error}", style="yellow", highlight=False, markup=False)
        return
    console.print("\nOver the network, for pyvo, TOPCAT and a browser:", style="bold")
    console.print(
        f"  {address}\n"
        f"In Python:\n"
        f"  import pyvo\n"
        f'  tap = pyvo.dal.TAPService("{address}tap/prompt@{first.isoformat()}")\n'
        f'  print(tap.search("SELECT COUNT(*) AS objects FROM DIAObject").to_table())\n'
        f"It goes on running; ./run skyledger serve --stop stops it.",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )
    if settings.read().external is None:
        console.print("The database, too; ./run skyledger db stop stops both.")
