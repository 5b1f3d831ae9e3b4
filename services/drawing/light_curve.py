"""Light curves as SVG: one function for pages, files and the documentation."""

from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from services.drawing import svg
from services.light_curves import SIGMA, LightCurve

_KINDS = {"d": "source", "f": "forced", "l": "limit"}
_ORDER = ("limit", "forced", "source")  # what matters most lies on top
_SAID = {"source": "detection", "forced": "forced", "limit": "5-sigma limit"}
_ZERO_POINT = 31.4  # AB magnitude of 1 nJy
_LEFT, _RIGHT, _TOP, _BOTTOM = 66.0, 12.0, 14.0, 50.0


@dataclass(frozen=True)
class View:
    """How a light curve is looked at.

    Attributes
    ----------
    bands
        Which bands are shown; None: all there are.
    kinds
        Letters of what is shown: d detections, f forced fluxes, l limits.
    magnitudes
        Show AB magnitudes; fluxes that are not positive become limits.
    period
        Fold with it [d].
    selected
        The ccdVisitId of the point that is chosen.
    span
        First and last time shown [MJD]; not of folded curves.
    """

    bands: tuple[str, ...] | None = None
    kinds: str = "dfl"
    magnitudes: bool = False
    period: float | None = None
    selected: int | None = None
    span: tuple[float, float] | None = None


@dataclass(frozen=True)
class _Points:
    """What is drawn: places in the units of the axes; ``half`` is the length of an error bar."""

    index: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    half: NDArray[np.float64]
    kind: NDArray[np.str_]
    faded: int  # fluxes that have no magnitude


def _magnitude(flux: NDArray[np.float64]) -> NDArray[np.float64]:
    return _ZERO_POINT - 2.5 * np.log10(flux)


def _points(curve: LightCurve, view: View) -> _Points:
    kinds = [_KINDS[k] for k in view.kinds if k in _KINDS]
    shown = np.isin(curve.kind.astype(str), kinds)
    if view.bands is not None:
        shown &= np.isin(curve.band.astype(str), view.bands)
    if view.span is not None and view.period is None:
        shown &= (curve.mjd >= view.span[0]) & (curve.mjd <= view.span[1])
    index = np.flatnonzero(shown)
    kind = curve.kind[index].astype("<U6")
    flux, error = curve.flux[index].copy(), curve.error[index].copy()
    limit = kind == "limit"
    flux[limit] = SIGMA * curve.noise[index][limit]
    error[limit] = 0
    x = curve.mjd[index]
    if view.period is not None:
        x = np.mod(x - (curve.mjd.min() if curve.mjd.size else 0), view.period) / view.period
    if not view.magnitudes:
        return _Points(index, x, flux, error, kind, 0)
    faded = (flux <= 0) & ~limit
    flux[faded] = SIGMA * error[faded]
    error[faded] = 0
    kind[faded] = "limit"
    possible = flux > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        y, half = _magnitude(flux), 2.5 / np.log(10) * error / flux
    return _Points(
        index[possible], x[possible], y[possible], half[possible], kind[possible], int(faded.sum())
    )


def summary(curve: LightCurve, view: View | None = None) -> str:
    """Say in a sentence what a light curve shows."""
    points = _points(curve, view or View())
    if not points.index.size:
        return "No measurement is shown."
    counts = {k: int((points.kind == k).sum()) for k in ("source", "forced", "limit")}
    bands = [b for b in svg.BANDS if b in set(curve.band[points.index])]
    said = (
        f"{counts['source']} detections, {counts['forced']} forced fluxes and {counts['limit']} "
        f"upper limits in {', '.join(bands)} from MJD {curve.mjd[points.index].min():.2f} to "
        f"{curve.mjd[points.index].max():.2f}."
    )
    seen = points.index[points.kind == "source"]
    if seen.size:
        top = seen[np.argmax(np.abs(curve.flux[seen]))]
        said += (
            f" Largest flux {svg.figure(curve.flux[top], 0)} nJy in {curve.band[top]} on MJD "
            f"{curve.mjd[top]:.2f}."
        )
    if points.faded:
        said += f" {points.faded} fluxes that are not positive are shown as limits."
    return said


def _axes(points: _Points, view: View, width: float, height: float) -> tuple[svg.Axis, svg.Axis]:
    bars = points.half < 10 * (np.median(points.half) if points.half.size else 0) + 1e-12
    ends = [*(points.y - points.half * bars), *(points.y + points.half * bars)]
    low, high = svg.around([float(v) for v in ends] or [0.0])
    if not view.magnitudes:
        low, high = min(low, 0.0), max(high, 0.0)
    bottom, top = height - _BOTTOM, _TOP
    y = svg.Axis(low, high, top, bottom) if view.magnitudes else svg.Axis(low, high, bottom, top)
    if view.period is not None:
        first, last = 0.0, 1.0
    elif view.span is not None:
        first, last = view.span
    else:
        first, last = svg.around([float(v) for v in points.x], 0.03)
    return svg.Axis(first, last, _LEFT, width - _RIGHT), y


def _frame(x: svg.Axis, y: svg.Axis, curve: LightCurve, view: View) -> list[str]:
    """Grid, numbers and what the axes mean."""
    parts = []
    values, digits = y.ticks(5)
    for value in values:
        kind = "zero" if value == 0 and not view.magnitudes else "grid"
        parts += [
            svg.line(x.start, y.at(value), x.end, y.at(value), kind),
            svg.text(x.start - 8, y.at(value) + 4, svg.figure(value, digits), "tick", anchor="end"),
        ]
    foot = max(y.start, y.end)
    values, digits = x.ticks(6)
    for value in values:
        parts += [
            svg.line(x.at(value), foot, x.at(value), foot + 4, "axis"),
            svg.text(x.at(value), foot + 18, f"{value:.{digits}f}", "tick", anchor="middle"),
        ]
    middle = (x.start + x.end) / 2
    what = f"phase, period {view.period:g} d" if view.period else "observation time, MJD (TAI)"
    parts.append(svg.text(middle, foot + 38, what, "label", anchor="middle"))
    where = "visit image" if curve.total else "visit minus template"
    unit = "AB mag" if view.magnitudes else "nJy"
    parts.append(svg.text(4, 10, f"flux on {where}, {unit}", "label"))
    return parts


def _told(curve: LightCurve, i: int, kind: str) -> str:
    """Say what a point is, for whoever points at it."""
    value = (
        f"< {svg.figure(SIGMA * curve.noise[i], 0)} nJy"
        if curve.kind[i] == "limit"
        else f"{svg.figure(curve.flux[i], 0)} ± {svg.figure(curve.error[i], 0)} nJy"
    )
    return f"{curve.band[i]} {_SAID[kind]}, MJD {curve.mjd[i]:.5f}: {value}"


def _marks(curve: LightCurve, view: View, points: _Points, x: svg.Axis, y: svg.Axis) -> list[str]:
    parts = []
    foot = max(y.start, y.end)
    for kind in _ORDER:
        for k in np.flatnonzero(points.kind == kind):
            i = int(points.index[k])
            band = str(curve.band[i])
            px, py = svg.number(x.at(float(points.x[k]))), y.at(float(points.y[k]))
            bar = ""
            if kind != "limit":
                top, end = (
                    svg.number(min(max(y.at(float(points.y[k] + s * points.half[k])), _TOP), foot))
                    for s in (1, -1)
                )
                bar = f'<path class="bar" d="M{px} {top}V{end}"/>'
            mark = "limit" if kind == "limit" else band
            parts.append(
                f'<g class="p b-{escape(band)}" data-visit="{int(curve.ccd_visit_id[i])}" '
                f'data-kind="{kind[0]}">{bar}<use href="#m-{escape(mark)}" class="{kind[0]}" '
                f'x="{px}" y="{svg.number(py)}"/>'
                f"<title>{escape(_told(curve, i, kind))}</title></g>"
            )
    chosen = np.flatnonzero(curve.ccd_visit_id[points.index] == (view.selected or -1))
    for k in chosen:
        across, down = x.at(float(points.x[k])), y.at(float(points.y[k]))
        parts.insert(0, svg.line(across, _TOP, across, foot, "at"))
        ring = f'cx="{svg.number(across)}" cy="{svg.number(down)}"'
        parts.append(f'<circle {ring} r="9" class="sel"/>')
    return parts


def body(
    curve: LightCurve, view: View | None = None, *, width: float = 760, height: float = 380,
    symbols: bool = True,
) -> str:  # fmt: skip
    """Draw what `draw` draws, as a part of a larger drawing.

    ``symbols`` tells whether the marks of the bands are defined in it; of many drawings on one
    page only one may define them.
    """
    view = view or View()
    points = _points(curve, view)
    x, y = _axes(points, view, width, height)
    bands = [b for b in svg.BANDS if b in set(curve.band[points.index])]
    drawn = svg.symbols(bands) if symbols else ""
    drawn += "".join(_frame(x, y, curve, view))
    drawn += "".join(_marks(curve, view, points, x, y))
    if not points.index.size:
        drawn += svg.text(width / 2, height / 2, "nothing measured here", "label", anchor="middle")
    return drawn


def draw(
    curve: LightCurve,
    view: View | None = None,
    *,
    width: float = 760,
    height: float = 380,
    alone: bool = False,
    symbols: bool = True,
) -> str:
    """Draw a light curve as SVG.

    Detections are filled, forced fluxes hollow, limits bars with an arrow down; colour and shape
    tell the band. The same curve and view give the same bytes.

    Parameters
    ----------
    width, height
        Size of the drawing [px]; pages scale it.
    alone
        Make a file that can be opened by itself, with its own colours.
    symbols
        Define the marks of the bands; of many drawings on a page the first one does.
    """
    title = f"Light curve of DIAObject {curve.object_id}"
    drawn = body(curve, view, width=width, height=height, symbols=symbols)
    return svg.document(width, height, title, summary(curve, view), drawn, alone=alone)
