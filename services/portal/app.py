"""All pages of the portal."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from services.portal.citations import CitationPages
from services.portal.frame import Frame
from services.portal.objects import ObjectPages
from services.portal.people_pages import PeoplePages
from services.portal.queries import QueryPages
from services.portal.search import Search
from services.portal.status import StatusPage
from services.tap.requests import parameters_of
from services.tap.service import TapService
from skyledger import __version__
from skyledger.people import Person

_YEAR = 365 * 86400
# Pages of subsystems that are not there yet have their addresses already.
_LATER = {
    "/sso": ("Solar System objects", "orbits are not computed yet"),
    "/sso/{name}": ("A Solar System object", "orbits are not computed yet"),
    "/filters": ("Filters", "alerts are not made yet"),
    "/filters/{name}": ("A filter", "alerts are not made yet"),
    "/filters/{name}/test": ("A filter", "alerts are not made yet"),
}


class Portal:
    """The pages, and what they are made of."""

    def __init__(
        self, service: TapService, look_up: Callable[[str], Awaitable[tuple[Person, int] | None]]
    ) -> None:
        self.frame = Frame(service, look_up)
        self.objects = ObjectPages(self.frame)
        self.queries = QueryPages(self.frame)
        self.search = Search(self.frame)
        self.citations = CitationPages(self.frame)
        self.people = PeoplePages(self.frame)
        self.status = StatusPage(self.frame)

    def routes(self) -> list[BaseRoute]:
        """All addresses."""
        return [
            Mount("/static", self.frame.assets),
            Route("/", self.frame.shown(self.home)),
            Route("/theme", self.frame.shown(self.theme), methods=["POST"]),
            *self.queries.routes(),
            *self.objects.routes(),
            *self.search.routes(),
            *self.citations.routes(),
            *self.people.routes(),
            *self.status.routes(),
            *(Route(path, self.frame.shown(self.later)) for path in _LATER),
            Route("/help", self.frame.shown(self.help)),
        ]

    async def home(self, request: Request) -> Response:
        """Say what there is, and how to ask."""
        moment = await self.frame.moment(request)
        service = self.frame.service
        schemas = await self.frame.within(lambda: service.kept(_schemas))
        base = f"{request.url.scheme}://{request.url.netloc}"
        return self.frame.page(
            request, "home.html", moment, schemas=schemas, base=base, version=__version__
        )

    async def theme(self, request: Request) -> Response:
        """Keep which paper somebody likes."""
        given, _ = await parameters_of(request)
        back = given.get("NEXT", "/")
        # Only a path of this service: anything else could lead elsewhere.
        ours = back[:1] == "/" and back[1:2] not in {"/", "\\"}
        response = RedirectResponse(back if ours else "/", 303)
        response.set_cookie(
            "theme", given.get("THEME", "system")[:10], max_age=_YEAR, samesite="lax", httponly=True
        )
        return response

    async def later(self, request: Request) -> Response:
        """Say honestly that a subsystem is not there yet."""
        route = request.scope["route"].path
        what, why = _LATER[route]
        moment = await self.frame.moment(request)
        return self.frame.page(request, "later.html", moment, what=what, why=why)

    async def help(self, request: Request) -> Response:
        """Say where to begin."""
        moment = await self.frame.moment(request)
        base = f"{request.url.scheme}://{request.url.netloc}"
        return self.frame.page(request, "help.html", moment, base=base)


def _schemas(cursor: Any) -> list[tuple[str, str, int]]:
    cursor.execute(
        "SELECT schemaname, s.description, count(*) FROM service.tapschema AS s "
        "JOIN service.taptable USING (schemaname) GROUP BY schemaname, s.description, schemaindex "
        "ORDER BY schemaindex"
    )
    return cursor.fetchall()  # type: ignore[no-any-return]
