"""The one search box: an id of any kind, a position, a name."""

import re
from typing import Any

import astropy.units as u
from astropy.coordinates import SkyCoord
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.portal import addresses, known
from services.portal.frame import Frame
from services.portal.instants import Moment
from skyledger.errors import NotFoundError, UsageError

_RADIUS = 30  # arcsec around a position
_NUMBER = re.compile(r"\d{1,19}")
_SOURCE = "SELECT diaObjectId FROM DIASource WHERE diaSourceId = {}"
_OBJECT = "SELECT diaObjectId FROM DIAObject WHERE diaObjectId = {}"


def position(text: str) -> tuple[float, float] | None:
    """Read a position, in degrees or sexagesimal [deg]; None if it is none."""
    plain = text.replace("\u2212", "-").replace(",", " ").strip()
    parts = plain.split()
    try:
        if len(parts) == 2 and not any(c in plain for c in ":hd"):
            at = SkyCoord(float(parts[0]) * u.deg, float(parts[1]) * u.deg)
        else:
            at = SkyCoord(plain, unit=(u.hourangle, u.deg))
    except (ValueError, TypeError, u.UnitsError):
        return None
    return float(at.ra.deg), float(at.dec.deg)


class Search:
    """Handler of the search box."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    def routes(self) -> list[Route]:
        """All addresses."""
        return [Route("/search", self.frame.shown(self.search))]

    async def search(self, request: Request) -> Response:
        """Go to what was asked for."""
        text = request.query_params.get("q", "").strip()
        moment = await self.frame.moment(request)
        asof = request.query_params.get("asof") or None
        if not text:
            raise UsageError(
                "nothing was asked for; write an id, or a position such as 229.4 -15.1"
            )
        if _NUMBER.fullmatch(text):
            found = await self.frame.within(lambda: self._numbered(int(text), moment))
            return RedirectResponse(addresses.with_query(found, {"asof": asof}), 303)
        at = position(text)
        if at is None:
            raise NotFoundError(
                f"nothing here is called {text[:80]!r}; write the number of a DIAObject or a "
                f"DIASource, or a position: 229.4 -15.1, or 15 17 37 -15 06 00"
            )
        near = f"{at[0]:.6f},{at[1]:.6f},{_RADIUS}"
        return RedirectResponse(addresses.with_query("/objects", {"near": near, "asof": asof}), 303)

    def _numbered(self, number: int, moment: Moment) -> str:
        """Path of the page of an object, or of the object of a source."""
        if number >= 2**63:
            raise NotFoundError(f"{number} is too large for an id; look at its digits")
        with self.frame.service.readers.session() as connection:
            rows: list[dict[str, Any]] = known.rows(
                connection, _OBJECT.format(number), moment.database
            )
            if rows or known.versions(connection, number):
                return f"/object/{moment.database.name}/{number}"
            rows = known.rows(connection, _SOURCE.format(number), moment.database)
        if not rows or rows[0]["diaObjectId"] is None:
            raise NotFoundError(f"no DIAObject and no DIASource has the number {number}")
        return f"/object/{moment.database.name}/{rows[0]['diaObjectId']}"
