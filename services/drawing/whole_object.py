"""A DIAObject in one picture: its light curve above, the cutouts of one visit below."""

import base64
from html import escape

from services.cutouts import ARCSEC, Triplet
from services.drawing import cutout, light_curve, svg
from services.drawing.light_curve import View
from services.light_curves import LightCurve

_WIDTH, _CURVE, _SIDE, _GAP = 760.0, 380.0, 240.0, 20.0
_SAID = {"science": "Visit", "template": "Template", "difference": "Difference"}


def draw(curve: LightCurve, triplet: Triplet | None = None, view: View | None = None) -> str:
    """Draw a DIAObject as an SVG file that needs nothing beside it.

    Parameters
    ----------
    triplet
        Visit, template and difference around it, all with one stretch; None draws the light curve
        alone.
    """
    head = 44.0
    where = f"RA {curve.ra:.5f}  Dec {curve.decl:+.5f}".replace("-", svg.MINUS)
    parts = [
        svg.text(4, 16, f"DIAObject {curve.object_id}   {where}", "name"),
        svg.text(4, 34, f"as known at {curve.answer.instant.isoformat(' ')} (TAI)", "label"),
        f'<g transform="translate(0 {svg.number(head)})">{light_curve.body(curve, view)}</g>',
    ]
    height = head + _CURVE
    if triplet is not None:
        low, high = cutout.limits(list(triplet.images.values()))
        for k, (name, image) in enumerate(triplet.images.items()):
            x, y = k * (_SIDE + _GAP), height + 8
            coded = base64.b64encode(cutout.png(image, low, high, enlarge=4)).decode()
            size = f'width="{svg.number(_SIDE)}" height="{svg.number(_SIDE)}"'
            place = f'x="{svg.number(x)}" y="{svg.number(y)}"'
            parts.append(f'<image {place} {size} href="data:image/png;base64,{coded}"/>')
            parts.append(svg.text(x, y + _SIDE + 18, _SAID[name], "label"))
        height += _SIDE + 52
        said = f"{ARCSEC:g} arcsec wide, North up, East left; one asinh stretch for all three"
        parts.append(svg.text(0, height - 6, said, "tick"))
    return svg.document(
        _WIDTH, height, f"DIAObject {curve.object_id}", escape(light_curve.summary(curve, view)),
        "".join(parts), alone=True,
    )  # fmt: skip
