"""Two columns against each other, as SVG: marks for few rows, how many there are for many."""

import base64
from html import escape

import numpy as np
from numpy.typing import NDArray

from services.drawing import cutout, svg

MARKS = 2000  # more than these are counted in cells
_LEFT, _RIGHT, _TOP, _BOTTOM = 66.0, 12.0, 14.0, 50.0


def draw(
    x: NDArray[np.float64], y: NDArray[np.float64], labels: tuple[str, str], *,
    x_down: bool = False, y_down: bool = False, names: list[str] | None = None,
    marked: int | None = None, width: float = 760, height: float = 420,
) -> str:  # fmt: skip
    """Draw ``y`` against ``x``.

    Parameters
    ----------
    labels
        What the axes are, with units.
    x_down, y_down
        Larger values to the left or below, as right ascensions and magnitudes are drawn.
    names
        Of each row, for its mark.
    marked
        Row that is chosen.
    """
    shown = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    low, high = svg.around([float(x[shown].min()), float(x[shown].max())] if shown.size else [])
    ends = (width - _RIGHT, _LEFT) if x_down else (_LEFT, width - _RIGHT)
    across = svg.Axis(low, high, *ends)
    low, high = svg.around([float(y[shown].min()), float(y[shown].max())] if shown.size else [])
    ends = (_TOP, height - _BOTTOM) if y_down else (height - _BOTTOM, _TOP)
    down = svg.Axis(low, high, *ends)
    foot = height - _BOTTOM
    parts = []
    values, digits = down.ticks(5)
    for value in values:
        parts += [
            svg.line(_LEFT, down.at(value), width - _RIGHT, down.at(value), "grid"),
            svg.text(
                _LEFT - 8, down.at(value) + 4, svg.figure(value, digits), "tick", anchor="end"
            ),
        ]
    values, digits = across.ticks(6)
    for value in values:
        at = across.at(value)
        parts += [
            svg.line(at, foot, at, foot + 4, "axis"),
            svg.text(at, foot + 18, svg.figure(value, digits), "tick", anchor="middle"),
        ]
    middle = (_LEFT + width - _RIGHT) / 2
    parts.append(svg.text(middle, foot + 38, labels[0], "label", anchor="middle"))
    parts.append(svg.text(4, 10, labels[1], "label"))
    if shown.size > MARKS:
        parts.append(_counted(x[shown], y[shown], across, down, height))
        how = "darker where there are more rows"
    else:
        for i in shown:
            title = f"<title>{escape(names[i])}</title>" if names else ""
            px, py = svg.number(across.at(float(x[i]))), svg.number(down.at(float(y[i])))
            chosen = "dot chosen" if marked == i else "dot"
            place = f'cx="{px}" cy="{py}" r="3" data-row="{i}"'
            parts.append(f'<circle {place} class="{chosen}">{title}</circle>')
        how = "one mark a row"
    said = f"{labels[1]} against {labels[0]} of {shown.size:,} rows, {how}."
    return svg.document(width, height, f"{labels[1]} against {labels[0]}", said, "".join(parts),
                        alone=False)  # fmt: skip


def _counted(
    x: NDArray[np.float64], y: NDArray[np.float64], across: svg.Axis, down: svg.Axis, height: float
) -> str:
    bins = (220, 120)
    counts, _, _ = np.histogram2d(
        x, y, bins=bins, range=((across.low, across.high), (down.low, down.high))
    )
    image = np.log1p(counts.T).astype(np.float32)
    if across.start > across.end:
        image = image[:, ::-1]
    if down.start < down.end:
        image = image[::-1]
    coded = base64.b64encode(cutout.png(image, 0.0, float(image.max()))).decode()
    left, right = sorted((across.start, across.end))
    size = f'width="{svg.number(right - left)}" height="{svg.number(height - _BOTTOM - _TOP)}"'
    return (
        f'<image x="{svg.number(left)}" y="{svg.number(_TOP)}" {size} preserveAspectRatio="none" '
        f'href="data:image/png;base64,{coded}" class="counts"/>'
    )
