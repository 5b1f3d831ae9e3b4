"""Pages about DIAObjects: light curve, images, sky, versions; and the files they are made of."""

import io
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits as pyfits
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from services import cutouts, formats, light_curves
from services.drawing import cutout, ledger, light_curve, sky, svg
from services.drawing.light_curve import View
from services.light_curves import SIGMA, LightCurve
from services.portal import addresses, copying, known
from services.portal.frame import Frame, markup
from services.portal.instants import Moment
from services.portal.known import Known, NotYetError
from skyledger.answers import to_chunk
from skyledger.errors import NotFoundError, UsageError

_KINDS = (("d", "source", "detection"), ("f", "forced", "forced"), ("l", "limit", "5σ limit"))  # noqa: RUF001
_RECENT = """
SELECT diaObjectId, ra, decl, nDiaSources, firstDiaSourceTai, lastDiaSourceTai
FROM DIAObject ORDER BY {} DESC, diaObjectId LIMIT 100
"""
_ORDERS = {
    "seen": ("last seen", "lastDiaSourceTai"),
    "new": ("first seen", "firstDiaSourceTai"),
    "often": ("number of detections", "nDiaSources"),
}
_CONE = """
SELECT diaObjectId, ra, decl, nDiaSources, firstDiaSourceTai, lastDiaSourceTai
FROM DIAObject WHERE science.in_cone(ra, decl, {ra!r}, {decl!r}, {radius!r})
ORDER BY science.separation(ra, decl, {ra!r}, {decl!r}), diaObjectId LIMIT 100
"""


def _numbers(text: str, low: float, high: float) -> tuple[float, ...] | None:
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
    folded = _numbers(period, 1e-5, 1e5) if period else ()
    if folded is None or len(folded) > 1:
        raise UsageError(f"the period is {period[:40]!r}; give days, from 0.00001 to 100000")
    ends = _numbers(span, -1e6, 1e6) if span else ()
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


class ObjectPages:
    """Handlers of the pages about DIAObjects."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    def routes(self) -> list[Route]:
        """All addresses."""
        shown, one = self.frame.shown, "/object/{database}/{object:int}"
        return [
            Route("/objects", shown(self.listed)),
            Route(one, shown(self.about)),
            Route(one + "/compare", shown(self.compared)),
            Route(one + "/versions", shown(self.to_versions)),
            Route(one + "/lightcurve.{kind}", shown(self.file)),
            Route(one + "/cutout/{visit:int}/{image}.{kind}", shown(self.cutout)),
        ]

    def page(self, request: Request, template: str, moment: Moment, **shown: Any) -> HTMLResponse:
        """Make a page about an instant."""
        return self.frame.page(request, template, moment, **shown)

    async def listed(self, request: Request) -> Response:
        """List objects: newest, or around a position."""
        moment = await self.frame.moment(request)
        order = request.query_params.get("by", "seen")
        cone = request.query_params.get("near", "")
        if order not in _ORDERS:
            raise UsageError(f"objects are not listed by {order[:20]!r}; {', '.join(_ORDERS)}")
        query = _RECENT.format(_ORDERS[order][1])
        if cone:
            ra, decl, radius = _cone(cone)
            query = _CONE.format(ra=ra, decl=decl, radius=radius)

        def read() -> list[dict[str, Any]]:
            with self.frame.service.readers.session() as connection:
                return known.rows(connection, query, moment.database)

        found = await self.frame.within(read)
        return self.page(
            request, "objects.html", moment, rows=found, order=order, orders=_ORDERS, near=cone
        )

    async def to_versions(self, request: Request) -> Response:
        """Show the versions of an object, which its own page has."""
        path = request.url.path.removesuffix("/versions")
        asof = request.query_params.get("asof")
        return RedirectResponse(addresses.with_query(path, {"asof": asof}) + "#versions", 303)

    async def about(self, request: Request) -> Response:
        """Show a DIAObject."""
        number = request.path_params["object"]
        moment = await self.frame.moment(request, _database(request))
        view = view_of(request)
        total = request.query_params.get("flux") == "total"
        releases = moment.known.released(moment.database.instant)

        def read() -> Known:
            with self.frame.service.readers.session() as connection:
                return known.read(
                    connection, number, moment.fixed, total=total,
                    release=releases[-1] if releases else None,
                )  # fmt: skip

        try:
            found = await self.frame.within(read)
        except NotYetError as error:
            return self.frame.refusal(request, error, first=error.first)
        chosen = _chosen(request, found.curve, view)
        if chosen is not None:
            view = replace(view, selected=chosen["visit"])
            chosen["gone"] = await self.frame.within(lambda: self._gone(chosen["visit"], moment))
        return self.page(
            request, "object.html", moment, known=found, chosen=chosen,
            **_said(request, moment, found, view, total=total),
            neighbours_of=releases[-1] if releases else None,
        )  # fmt: skip

    def _gone(self, visit: int, moment: Moment) -> str | None:
        """Say why the images of a visit cannot be shown; None if they can."""
        with self.frame.service.readers.session() as connection:
            try:
                missing = cutouts.missing(connection, visit, moment.fixed)
            except NotFoundError as error:
                return str(error)
        if not missing:
            return None
        return f"{missing[0]} is kept no longer; processing the visit again makes it anew"

    async def compared(self, request: Request) -> Response:
        """Show what differs between two versions of an object."""
        number = request.path_params["object"]
        moment = await self.frame.moment(request, _database(request))
        sides = []
        for name in ("a", "b"):
            asked = request.query_params.get(name, "") or moment.at.isoformat()
            look = partial(self.frame.ledger.moment, moment.database.name, asked)
            sides.append(await self.frame.within(look))

        def read() -> list[Known | None]:
            found: list[Known | None] = []
            with self.frame.service.readers.session() as connection:
                for side in sides:
                    try:
                        found.append(known.read(connection, number, side.fixed))
                    except NotYetError as error:
                        if error.first is None:
                            raise
                        found.append(None)
            return found

        before, after = await self.frame.within(read)
        return self.page(
            request, "compare.html", moment, number=number, sides=sides, before=before, after=after,
            changes=_changes(before, after), gained=_points(after, before),
            lost=_points(before, after),
            curve=light_curve.draw(after.curve) if after else "",
        )  # fmt: skip

    async def file(self, request: Request) -> Response:
        """Send the light curve as a picture or a table."""
        number, kind = request.path_params["object"], request.path_params["kind"]
        moment = await self.frame.moment(request, _database(request))
        total = request.query_params.get("flux") == "total"

        def read() -> LightCurve:
            with self.frame.service.readers.session() as connection:
                return light_curves.read(connection, number, moment.fixed, total=total)

        curve = await self.frame.within(read)
        stamp = curve.answer.instant.strftime("%Y%m%dT%H%M%S")
        if kind == "svg":
            drawn = light_curve.draw(curve, view_of(request), alone=True)
            return Response(drawn, media_type="image/svg+xml")
        form = formats.resolve({"vot": "votable"}.get(kind, kind))
        said = formats.Statement(curve.answer.database, curve.answer.instant, query=_adql(number))
        content = b"".join(
            formats.write(form, curve.answer.columns, [to_chunk(curve.answer)], said)
        )
        name = f"DIAObject-{number}-{stamp}.{kind}"
        return Response(
            content,
            media_type=form.media_type,
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    async def cutout(self, request: Request) -> Response:
        """Send an image around an object: of the visit, the template or the difference."""
        number, visit = request.path_params["object"], request.path_params["visit"]
        image, kind = request.path_params["image"], request.path_params["kind"]
        if image not in cutouts.IMAGES or kind not in {"png", "fits"}:
            raise NotFoundError(
                f"there is no {image[:20]}.{kind[:8]}; there is science, template and difference, "
                f"as png and fits"
            )
        moment = await self.frame.moment(request, _database(request))

        def read() -> cutouts.Triplet:
            with self.frame.service.readers.session() as connection:
                rows = known.rows(
                    connection,
                    f"SELECT ra, decl FROM DIAObject WHERE diaObjectId = {int(number)}",
                    moment.fixed,
                )
                if not rows:
                    raise NotFoundError(f"there is no DIAObject {number} at that instant")
                return cutouts.read(connection, rows[0]["ra"], rows[0]["decl"], visit, moment.fixed)

        found = await self.frame.within(read)
        if kind == "png":
            low, high = cutout.limits(list(found.images.values()))
            content = cutout.png(found.images[image], low, high, enlarge=4)
            kept = {"Cache-Control": "max-age=600"}
            return Response(content, media_type="image/png", headers=kept)
        out = io.BytesIO()
        pyfits.PrimaryHDU(found.images[image], found.wcs.to_header()).writeto(out)
        name = f"{number}-{visit}-{image}.fits"
        return Response(
            out.getvalue(),
            media_type="application/fits",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


def _database(request: Request) -> str:
    name: str = request.path_params["database"]
    if name != "prompt":
        raise NotFoundError(
            f"{name[:40]!r} has no pages of objects yet; the living database, prompt, has"
        )
    return name


def _cone(text: str) -> tuple[float, float, float]:
    found = _numbers(text, -360, 3600)
    if (
        found is None or len(found) != 3
        or not (0 <= found[0] <= 360 and -90 <= found[1] <= 90 and found[2] > 0)
    ):  # fmt: skip
        raise UsageError(
            f"near is {text[:60]!r}; give RA,DEC,RADIUS: degrees, degrees, arcseconds up to 3600"
        )
    return found[0], found[1], found[2]


def _adql(number: int) -> str:
    return f"SELECT * FROM LightCurve WHERE diaObjectId = {number} ORDER BY midPointTai, ccdVisitId"


def _sql(number: int, instant: datetime) -> str:
    return (
        f"SELECT * FROM science.light_curve(ARRAY[{number}::bigint], "
        f"instant => '{instant.isoformat()}') ORDER BY midPointTai, ccdVisitId"
    )


def _chosen(request: Request, curve: LightCurve, view: View) -> dict[str, Any] | None:
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


def _said(
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
            base, fixed, _adql(number), _sql(number, moment.at),
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


def _changes(before: Known | None, after: Known | None) -> list[tuple[str, str, str]]:
    """Columns whose value differs between two versions: name, old, new."""
    if before is None or after is None:
        return []
    return [
        (name, _value(before.row.get(name)), _value(value))
        for name, value in after.row.items()
        if before.row.get(name) != value
    ]


def _points(these: Known | None, those: Known | None) -> list[str]:
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
