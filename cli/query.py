"""``skyledger query``: SQL at an instant, as a table on the screen or a file."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli.common import Database, archive
from services import formats
from skyledger import virtual
from skyledger.answers import Answer, run, to_chunk

app = typer.Typer()
_ROWS_SHOWN = 200


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, list) and len(value) > 6:
        return f"[{_shown(value[0])}, … {len(value)} values]"
    return str(value)


def print_table(answer: Answer, console: Console) -> None:
    """Print an answer with its units, its instant and the number of its rows."""
    table = Table(show_edge=False)
    for column in answer.columns:
        numeric = column.type not in {"text", "boolean"}
        unit = f"\n[dim]{column.unit}[/dim]" if column.unit else ""
        table.add_column(column.name + unit, justify="right" if numeric else "left")
    for row in answer.rows[:_ROWS_SHOWN]:
        table.add_row(*(_shown(v).replace("[", r"\[") for v in row))
    console.print(table)
    more = len(answer.rows) - _ROWS_SHOWN
    if more > 0:
        console.print(f"… {more} more rows; use --format csv to see all")
    rows = "1 row" if len(answer.rows) == 1 else f"{len(answer.rows)} rows"
    console.print(
        f"{rows} from {answer.database}@{answer.instant.isoformat()} (TAI)", highlight=False
    )


@app.command()
def query(
    statement: Annotated[str, typer.Argument(metavar="SQL", help="One SQL statement.")],
    db: Database = "prompt",
    format: Annotated[  # noqa: A002 - the option's name
        str, typer.Option(help=f"table, {', '.join(formats.NAMES)}.")
    ] = "table",
    output: Annotated[
        Path | None, typer.Option(help="File to write to; standard output if left out.")
    ] = None,
) -> None:
    """Ask the database; the answer states its instant and can be had again with it."""
    database = virtual.parse(db)
    wanted = None if format == "table" else formats.resolve(format)
    with archive(reader=True) as opened:
        answer = run(opened, statement, database)
    if wanted is None:
        print_table(answer, Console(width=None if sys.stdout.isatty() else 200))
        return
    said = formats.Statement(answer.database, answer.instant, query=statement)
    content = formats.write(wanted, answer.columns, [to_chunk(answer)], said)
    if output is not None:
        with output.open("wb") as file:
            file.writelines(content)
        return
    sys.stdout.buffer.writelines(content)
