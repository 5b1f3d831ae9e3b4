"""What the page of a DIAObject shows of what is known, and how it is asked to."""

from datetime import datetime
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from starlette.requests import Request

from services import cutouts
from services.drawing import ledger, light_curve, sky, svg
from services.drawing.light_curve import View
from services.light_curves import SIGMA, LightCurve
from services.portal import addresses, copying
from services.portal.frame import markup
from services.portal.instants import Moment
from services.portal.known import Known
from skyledger.errors import UsageError

_KINDS = (("d", "source", "detection"), ("f", "forced", "forced"), ("l", "limit", "5σ limit"))  # noqa: RUF001


def numbers(text: str, low: float, high: float) -> tuple[float, ...] | None:
    """Numbers divided by commas, each within limits; None if it is something else."""
    try:
        found = tuple(float(v) for v in text.split(","))
    except ValueError:
        return None
    return found if all(low <= v <= high for v in found) else None


def view_of(request: Request) -> View:
    """Read how a light curve is to be shown.

    Raises
    ------
    UsageError
        If a parameter cannot be understood.
    """
    given = request.query_params
    bands = given.get("bands")
    period, span = given.get("period", "").strip(), given.get("x", "").strip()
    folded = numbers(period, 1e-5, 1e5) if period else ()
    if folded is None or len(folded) > 1:
        raise UsageError(f"the period is {period[:40]!r}; give days, from 0.00001 to 100000")
    ends = numbers(span, -1e6, 1e6) if span else ()
    if ends is None or (ends and (len(ends) != 2 or ends[0] >= ends[1])):
        raise UsageError(f"x is {span[:40]!r}; give two times, FIRST,LAST [MJD]")
    return View(
        bands=None if bands is None else tuple(b for b in svg.BANDS if b in bands),
        kinds=given.get("kinds", "dfl"),
        magnitudes=given.get("scale") == "mag",
        period=folded[0] if folded else None,
        selected=_whole(given.get("sel", "")),
        span=(ends[0], ends[1]) if ends else None,
    )


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def positions(ra: float, decl: float) -> list[tuple[str, str]]:
    """Write a position in four forms: sexagesimal, degrees, Galactic, ecliptic."""
    at = SkyCoord(ra * u.deg, decl * u.deg)
    galactic = at.galactic
    ecliptic = at.barycentrictrueecliptic
    minus = svg.figure
    return [
        ("sexagesimal", at.to_string("hmsdms", precision=3, sep=":")),
        ("degrees", f"{ra:.6f} {decl:+.6f}"),
        ("Galactic", f"l {minus(galactic.l.deg, 4)} b {minus(galactic.b.deg, 4)}"),
        ("ecliptic", f"λ {minus(ecliptic.lon.deg, 4)} β {minus(ecliptic.lat.deg, 4)}"),
    ]


def _facts(found: Known) -> list[tuple[str, str]]:
    row, curve = found.row, found.curve
    seen = curve.kind == "source"
    bands = [b for b in svg.BANDS if b in set(curve.band[seen])]
    facts = [
        ("Detections", f"{row['nDiaSources']} in {', '.join(bands) or 'no band'}"),
        ("First, last", f"{row['firstDiaSourceTai']:.4f}, {row['lastDiaSourceTai']:.4f}"),
    ]
    if seen.any():
        top = np.flatnonzero(seen)[np.argmax(np.abs(curve.flux[seen]))]
        facts.append(("Largest", f"{svg.figure(curve.flux[top], 0)} nJy in {curve.band[top]}"))
    if row.get("pmRa") is not None:
        facts.append(
            (
                "Proper motion",
                f"{svg.figure(row['pmRa'], 1)}, {svg.figure(row['pmDecl'], 1)} mas/yr",
            )
        )
        facts.append(("Parallax", f"{svg.figure(row['parallax'], 1)} mas"))
    for band in svg.BANDS:
        chi2, n = row.get(f"{band}PsFluxChi2"), row.get(f"{band}PsFluxNdata")
        if chi2 is not None and n and n > 1:
            facts.append((f"χ²/dof, {band}", f"{svg.figure(chi2 / (n - 1), 1)}"))
    return facts


def _value(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list):
        return f"{len(value)} values"
    return str(value)


def adql(number: int) -> str:
    """Write the query whose rows a light curve draws."""
    return f"SELECT * FROM LightCurve WHERE diaObjectId = {number} ORDER BY midPointTai, ccdVisitId"


def _sql(number: int, instant: datetime) -> str:
    return (
        f"SELECT * FROM science.light_curve(ARRAY[{number}::bigint], "
        f"instant => '{instant.isoformat()}') ORDER BY midPointTai, ccdVisitId"
    )


def chosen_of(request: Request, curve: LightCurve, view: View) -> dict[str, Any] | None:
    """Point whose images are shown: the one asked for, else the clearest detection."""
    measured = np.flatnonzero(curve.kind != "limit")
    if not measured.size:
        return None
    where = np.flatnonzero(curve.ccd_visit_id == (view.selected or -1))
    i = int(where[0]) if where.size else curve.brightest
    if i is None:
        i = int(measured[-1])
    before, after = measured[measured < i], measured[measured > i]
    number = request.path_params["object"]

    def walk(places: Any, which: int) -> str | None:
        if not places.size:
            return None
        return addresses.changed(request, sel=int(curve.ccd_visit_id[places[which]]))

    visit = int(curve.ccd_visit_id[i])
    measurable = curve.kind[i] != "limit" and curve.error[i] > 0
    return {
        "visit": visit,
        "band": curve.band[i],
        "mjd": float(curve.mjd[i]),
        "snr": svg.figure(curve.flux[i] / curve.error[i], 1) if measurable else None,
        "before": walk(before, -1),
        "after": walk(after, 0),
        "images": f"/object/{request.path_params['database']}/{number}/cutout/{visit}",
    }


def shown_of(
    request: Request, moment: Moment, found: Known, view: View, *, total: bool
) -> dict[str, Any]:
    """Everything that the page of an object shows besides what is known."""
    curve, row, number = found.curve, found.row, found.object_id
    base = f"{request.url.scheme}://{request.url.netloc}"
    fixed = moment.fixed

    def link(**new: Any) -> str:
        return addresses.changed(request, **new)

    present = [b for b in svg.BANDS if b in set(curve.band)]
    on = list(present) if view.bands is None else [b for b in present if b in view.bands]

    def toggled(band: str) -> str:
        left = "".join(b for b in present if (b in on) != (b == band))
        return link(bands=None if left == "".join(present) else left)

    def kind_toggled(letter: str) -> str:
        left = "".join(k for k in "dfl" if (k in view.kinds) != (k == letter))
        return link(kinds=None if left == "dfl" else left)

    error = max(row.get("raErr") or 0, row.get("declErr") or 0)  # arcsec
    return {
        "positions": positions(row["ra"], row["decl"]),
        "error": f"{error:.3f}" if 0 < error < 100 else None,
        "switches": [
            [("Difference", link(flux=None), not total), ("Total", link(flux="total"), total)],
            [
                ("Flux", link(scale=None), not view.magnitudes),
                ("Magnitude", link(scale="mag"), view.magnitudes),
            ],
        ],
        "curve": markup(light_curve.draw(curve, view)),
        "summary": light_curve.summary(curve, view),
        "bands": [
            {
                "name": b, "on": b in on, "address": toggled(b), "shape": svg.SHAPES[b],
                "count": int((curve.band == b).sum()),
            }
            for b in present
        ],
        "kinds": [
            {
                "name": said, "on": letter in view.kinds, "address": kind_toggled(letter),
                "count": int((curve.kind == kind).sum()),
            }
            for letter, kind, said in _KINDS
        ],
        "period": f"{view.period:g}" if view.period else "",
        "folds": [
            ("× ½", link(period=f"{view.period / 2:.8g}")),  # noqa: RUF001
            ("× 2", link(period=f"{view.period * 2:.8g}")),  # noqa: RUF001
            ("time", link(period=None)),
        ] if view.period else [],
        "points": _table(request, curve),
        "sky": markup(sky.draw(row["ra"], row["decl"], found.around)),
        "facts": _facts(found),
        "columns": [(n, _value(v), found.units.get(n) or "") for n, v in row.items()],
        "strip": markup(ledger.strip(found.versions, found.number, addresses.at(request))),
        "files": f"{request.url.path}/lightcurve",
        "fixed": f"?asof={moment.at.isoformat()}",
        "recipes": copying.recipes(
            base, fixed, adql(number), _sql(number, moment.at),
            addresses.changed(request, asof=moment.at.isoformat()),
        ),
        "cited": _sql(number, moment.at),
        "width": f"{cutouts.ARCSEC:g}",
    }  # fmt: skip


def _table(request: Request, curve: LightCurve) -> list[dict[str, Any]]:
    def point(i: int) -> dict[str, Any]:
        limit = curve.kind[i] == "limit"
        return {
            "band": curve.band[i],
            "mjd": float(curve.mjd[i]),
            "kind": "limit" if limit else curve.kind[i],
            "flux": f"< {svg.figure(SIGMA * curve.noise[i], 1)}" if limit
            else svg.figure(curve.flux[i], 1),
            "error": "" if limit else svg.figure(curve.error[i], 1),
            "visit": int(curve.ccd_visit_id[i]),
            "address": addresses.changed(request, sel=int(curve.ccd_visit_id[i])),
        }  # fmt: skip

    return [point(i) for i in range(curve.mjd.size)]


def changes(before: Known | None, after: Known | None) -> list[tuple[str, str, str]]:
    """Columns whose value differs between two versions: name, old, new."""
    if before is None or after is None:
        return []
    return [
        (name, _value(before.row.get(name)), _value(value))
        for name, value in after.row.items()
        if before.row.get(name) != value
    ]


def points_of(these: Known | None, those: Known | None) -> list[str]:
    """Points of a light curve that another version does not have, in words."""
    if these is None:
        return []
    curve = these.curve

    def key(c: LightCurve, i: int) -> tuple[int, str]:
        return int(c.ccd_visit_id[i]), str(c.kind[i])

    other = {key(those.curve, i) for i in range(those.curve.mjd.size)} if those else set()
    return [
        f"{curve.band[i]} {curve.kind[i]}, MJD {curve.mjd[i]:.4f}, ccdVisitId {key(curve, i)[0]}"
        for i in range(curve.mjd.size)
        if key(curve, i) not in other
    ]
