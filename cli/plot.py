"""``skyledger plot``: pictures of what the archive knows."""

from pathlib import Path
from typing import Annotated

import typer

from cli.common import Database, archive
from services import object_picture, quality_pictures
from skyledger import virtual

app = typer.Typer(no_args_is_help=True, help="Pictures of what the archive knows.")


@app.command(name="object")
def plot_object(
    object_id: Annotated[int, typer.Argument(metavar="DIAOBJECTID", help="Which DIAObject.")],
    db: Database = "prompt",
    output: Annotated[
        Path | None, typer.Option(help="SVG file; DIAOBJECTID.svg if left out.")
    ] = None,
) -> None:
    """Draw the light curve and the cutouts of a DIAObject, as known at an instant."""
    with archive() as opened:
        _, drawn = object_picture.make(opened, object_id, virtual.parse(db))
    path = output or Path(f"{object_id}.svg")
    path.write_text(drawn, encoding="utf-8")
    print(path)


@app.command(name="visit")
def plot_visit(
    ccd_visit_id: Annotated[int, typer.Argument(metavar="CCDVISITID", help="Which ccdVisit.")],
    db: Database = "prompt",
    output: Annotated[
        Path | None, typer.Option(help="PNG file; CCDVISITID.png if left out.")
    ] = None,
) -> None:
    """Draw how good a ccdVisit is: PSF, residuals, kernel, depth, zero point, false positives."""
    with archive() as opened:
        figure = quality_pictures.draw_visit(opened, ccd_visit_id, virtual.parse(db))
    path = output or Path(f"{ccd_visit_id}.png")
    path.write_bytes(quality_pictures.png(figure))
    print(path)
