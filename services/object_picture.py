"""The picture of a DIAObject as a file, for the command line and the documentation."""

from typing import Any

from services import cutouts, light_curves
from services.drawing import whole_object
from services.drawing.light_curve import View
from services.light_curves import LightCurve
from skyledger.virtual import VirtualDatabase


def make(connection: Any, object_id: int, database: VirtualDatabase) -> tuple[LightCurve, str]:
    """Draw the light curve of a DIAObject and the images of its clearest detection.

    Returns
    -------
    LightCurve
        What is drawn.
    str
        SVG of it.

    Raises
    ------
    NotFoundError
        If it was not known at that instant, or its images are not kept.
    """
    curve = light_curves.read(connection, object_id, database)
    best = curve.brightest
    if best is None:
        return curve, whole_object.draw(curve)
    visit = int(curve.ccd_visit_id[best])
    at = VirtualDatabase(database.name, curve.answer.instant)
    triplet = cutouts.read(connection, curve.ra, curve.decl, visit, at)
    return curve, whole_object.draw(curve, triplet, View(selected=visit))
