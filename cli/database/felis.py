"""``skyledger db felis``: the data dictionary in Rubin's exchange format."""

from pathlib import Path
from typing import Annotated

import typer

from skyledger import felis as export

app = typer.Typer()


@app.command()
def felis(
    file: Annotated[
        Path | None, typer.Argument(help="File to write.", show_default="standard output")
    ] = None,
    database: Annotated[str, typer.Option(help="Database: prompt, or a release.")] = "prompt",
) -> None:
    """Write the tables of a database as Felis YAML, which Rubin's tools read."""
    text = export.document(database)
    if file is None:
        print(text, end="")
        return
    file.write_text(text, encoding="utf-8")
    print(f"{file}: tables of {database}")
