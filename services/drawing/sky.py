"""What lies around a position, as SVG: catalogues in the tangent plane, North up, East left."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from services.drawing import svg


@dataclass(frozen=True)
class Neighbour:
    """Something to be drawn: ``kind`` is star, galaxy or object; position [deg]; ``said`` of it."""

    kind: str
    ra: float
    decl: float
    said: str


def offsets(ra: float, decl: float, ra0: float, decl0: float) -> tuple[float, float] | None:
    """Tangent-plane offsets to East and North [arcsec]; None for what is behind the sphere."""
    d, d0, a = (math.radians(v) for v in (decl, decl0, ra - ra0))
    behind = math.sin(d0) * math.sin(d) + math.cos(d0) * math.cos(d) * math.cos(a)
    if behind <= 0:
        return None
    x = math.cos(d) * math.sin(a) / behind
    y = (math.cos(d0) * math.sin(d) - math.sin(d0) * math.cos(d) * math.cos(a)) / behind
    return math.degrees(x) * 3600, math.degrees(y) * 3600


def _angle(arcsec: float) -> str:
    if arcsec < 60:
        return f"{arcsec:g}\u2033"
    return f"{arcsec / 60:g}\u2032" if arcsec < 3600 else f"{arcsec / 3600:g}°"


def _circle(x: float, y: float, r: float, kind: str) -> str:
    at = f'cx="{svg.number(x)}" cy="{svg.number(y)}"'
    return f'<circle {at} r="{svg.number(r)}" class="{kind}"/>'


def draw(
    ra: float, decl: float, neighbours: Sequence[Neighbour], *, radius: float = 35.0,
    size: float = 320, alone: bool = False,
) -> str:  # fmt: skip
    """Draw what lies within ``radius`` [arcsec] of a position [deg]."""
    middle, scale = size / 2, size / 2 / radius
    step = next((s for s in _STEPS if radius / s <= 4), 3600)
    parts = [f'<rect width="{svg.number(size)}" height="{svg.number(size)}" class="span"/>']
    for k in range(1, int(radius / step) + 1):
        r = k * step * scale
        parts += [
            _circle(middle, middle, r, "ring"),
            svg.text(middle + r * 0.72 + 3, middle - r * 0.72, _angle(k * step), "tick"),
        ]
    shown = 0
    for one in neighbours:
        at = offsets(one.ra, one.decl, ra, decl)
        if at is None or math.hypot(*at) > radius * 1.4:
            continue
        x, y = svg.number(middle - at[0] * scale), svg.number(middle - at[1] * scale)
        title = f"<title>{escape(one.said)}</title>"
        if one.kind == "galaxy":
            parts.append(
                f'<ellipse cx="{x}" cy="{y}" rx="6" ry="4" class="galaxy">{title}</ellipse>'
            )
        elif one.kind == "star":
            parts.append(
                f'<path d="{_STAR}" transform="translate({x} {y})" class="star">{title}</path>'
            )
        else:
            parts.append(f'<circle cx="{x}" cy="{y}" r="4" class="sel">{title}</circle>')
        shown += 1
    cross = "M{0} {1}h12M{2} {1}h-12M{3} {4}v-12M{3} {5}v12".format(
        *(svg.number(v) for v in (middle + 6, middle, middle - 6, middle, middle - 6, middle + 6))
    )
    parts.append(f'<path d="{cross}" class="here"/>')
    foot, side = size - 16, size - 16
    parts.append(f'<path d="M{svg.number(side)} {svg.number(foot - 34)}V{svg.number(foot)}'
                 f'H{svg.number(side - 34)}" class="galaxy"/>')  # fmt: skip
    parts += [
        svg.text(side, foot - 40, "N", "name", anchor="middle"),
        svg.text(side - 42, foot + 4, "E", "name", anchor="middle"),
    ]
    said = (
        f"{shown} catalogued neighbours within {_angle(radius)} of RA {ra:.5f}, Dec {decl:.5f}; "
        f"North is up, East is left."
    )
    return svg.document(size, size, "Sky around the position", said, "".join(parts), alone=alone)


_STEPS = (5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)
_STAR = "M0 -6L1.3 -1.3L6 0L1.3 1.3L0 6L-1.3 1.3L-6 0L-1.3 -1.3Z"
