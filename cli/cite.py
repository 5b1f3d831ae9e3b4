"""``skyledger cite`` and ``skyledger verify``: answers that others can check."""

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer

from cli.common import Database, archive
from services import citation
from skyledger import virtual
from skyledger.database import connection
from skyledger.errors import DataRejectedError

app = typer.Typer()

_SAID = {
    "identical": "identical: the same rows, by the same views and functions",
    "same data": "same data: the same rows, though",
    "different": "different:",
}


def _json(value: Any) -> str:
    return json.dumps(asdict(value), indent=2, default=lambda instant: instant.isoformat())


@app.command()
def cite(
    statement: Annotated[str, typer.Argument(metavar="SQL", help="One SQL statement.")],
    db: Database = "prompt",
    as_json: Annotated[bool, typer.Option("--json", help="Print the citation as JSON.")] = False,
) -> None:
    """Keep a query, its instant and a checksum of its answer under a short name for a paper."""
    database = virtual.parse(db)
    with archive(reader=True) as opened:
        made = citation.cite(opened, statement, database)
    if as_json:
        print(_json(made))
        return
    rows = "1 row" if made.rows == 1 else f"{made.rows} rows"
    print(
        f"{made.citation}  {rows} from {made.database}@{made.instant.isoformat()} (TAI), "
        f"checksum {made.checksum}\ncheck it with `skyledger verify {made.citation}`"
    )


@app.command()
def verify(
    name: Annotated[str, typer.Argument(metavar="CITATION", help="Name given by cite.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print all that is known.")] = False,
) -> None:
    """Ask a cited query again and compare; exit code 5 if the answer is not what it was."""
    opened = connection.connect_reader()
    try:
        found = citation.verify(opened, name)
    finally:
        opened.close()
    if as_json:
        print(_json(found))
    else:
        cited = found.citation
        print(
            f"{cited.citation}  {cited.database}@{cited.instant.isoformat()} (TAI): {cited.query}"
        )
        print(" ".join(part for part in (_SAID[found.verdict], found.detail) if part))
    if found.verdict == "different":
        raise typer.Exit(DataRejectedError.exit_code)
