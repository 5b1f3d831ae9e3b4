"""All pages of the portal."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from services.portal.frame import Frame
from services.portal.objects import ObjectPages
from services.portal.queries import QueryPages
from services.portal.search import Search
from services.tap.requests import parameters_of
from services.tap.service import TapService

_YEAR = 365 * 86400


class Portal:
    """The pages, and what they are made of."""

    def __init__(self, service: TapService) -> None:
        self.frame = Frame(service)
        self.objects = ObjectPages(self.frame)
        self.queries = QueryPages(self.frame)
        self.search = Search(self.frame)

    def routes(self) -> list[BaseRoute]:
        """All addresses."""
        return [
            Mount("/static", self.frame.assets),
            Route("/theme", self.frame.shown(self.theme), methods=["POST"]),
            *self.queries.routes(),
            *self.objects.routes(),
            *self.search.routes(),
        ]

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
