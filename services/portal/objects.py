"""Pages about DIAObjects: light curve, images, sky, versions; and the files they are made of."""

import io
from dataclasses import replace
from functools import partial
from typing import Any

from astropy.io import fits as pyfits
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from services import cutouts, formats, light_curves
from services.drawing import cutout, light_curve
from services.light_curves import LightCurve
from services.portal import addresses, known, object_view
from services.portal.frame import Frame
from services.portal.instants import Moment
from services.portal.known import Known, NotYetError
from skyledger.answers import to_chunk
from skyledger.errors import NotFoundError, UsageError

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
        view = object_view.view_of(request)
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
        chosen = object_view.chosen_of(request, found.curve, view)
        if chosen is not None:
            view = replace(view, selected=chosen["visit"])
            chosen["gone"] = await self.frame.within(lambda: self._gone(chosen["visit"], moment))
        return self.page(
            request, "object.html", moment, known=found, chosen=chosen,
            **object_view.shown_of(request, moment, found, view, total=total),
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
            changes=object_view.changes(before, after), gained=object_view.points_of(after, before),
            lost=object_view.points_of(before, after),
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
            drawn = light_curve.draw(curve, object_view.view_of(request), alone=True)
            return Response(drawn, media_type="image/svg+xml")
        form = formats.resolve({"vot": "votable"}.get(kind, kind))
        said = formats.Statement(
            curve.answer.database, curve.answer.instant, query=object_view.adql(number)
        )
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
    found = object_view.numbers(text, -360, 3600)
    if (
        found is None or len(found) != 3
        or not (0 <= found[0] <= 360 and -90 <= found[1] <= 90 and found[2] > 0)
    ):  # fmt: skip
        raise UsageError(
            f"near is {text[:60]!r}; give RA,DEC,RADIUS: degrees, degrees, arcseconds up to 3600"
        )
    return found[0], found[1], found[2]
