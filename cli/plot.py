"""``skyledger plot``: pictures of what the archive knows."""

from pathlib import Path
from typing import Annotated

import typer

from services import pictures, quality_pictures
from skyledger import virtual
from skyledger.database import connection, schema

app = typer.Typer(no_args_is_help=True, help="Pictures of what the archive knows.")


@app.command(name="object")
def plot_object(
    object_id: Annotated[int, typer.Argument(metavar="DIAOBJECTID", help="Which DIAObject.")],
    db: Annotated[
        str, typer.Option(help="Database, with an instant if wanted: prompt@2026-01-01T04:00:00.")
    ] = "prompt",
    output: Annotated[
        Path | None, typer.Option(help="PNG file; DIAOBJECTID.png if left out.")
    ] = None,
) -> None:
    """Draw the light curve and the cutouts of a DIAObject, as known at an instant."""
    opened = connection.connect()
    try:
        schema.check(opened)
        opened.rollback()
        curve = pictures.light_curve(opened, object_id, virtual.parse(db))
        picture = pictures.png(pictures.draw_object(opened, curve))
    finally:
        opened.close()
    path = output or Path(f"{object_id}.png")
    path.write_bytes(picture)
    print(path)


@app.command(name="visit")
def plot_visit(
    ccd_visit_id: Annotated[int, typer.Argument(metavar="CCDVISITID", help="Which ccdVisit.")],
    db: Annotated[
        str, typer.Option(help="Database, with an instant if wanted: prompt@2026-01-01T04:00:00.")
    ] = "prompt",
    output: Annotated[
        Path | None, typer.Option(help="PNG file; CCDVISITID.png if left out.")
    ] = None,
) -> None:
    """Draw how good a ccdVisit is: PSF, residuals, kernel, score, stars, mask, numbers."""
    opened = connection.connect()
    try:
        schema.check(opened)
        opened.rollback()
        figure = quality_pictures.draw_visit(opened, ccd_visit_id, virtual.parse(db))
    finally:
        opened.close()
    path = output or Path(f"{ccd_visit_id}.png")
    path.write_bytes(pictures.png(figure))
    print(path)
