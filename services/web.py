"""The web application: everything that is served, on one port."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route

from services import cone
from services.mydb.routes import MyDbRoutes
from services.people import FREE, Allowance, SignIn
from services.portal.app import Portal
from services.tap import jobs, routes
from services.tap.requests import BodyLimits, refusal
from services.tap.service import TapService
from services.tap.streaming import in_thread, running
from skyledger.errors import NotFoundError
from skyledger.people import Person, sign_in

HOST, PORT = "127.0.0.1", 8110  # where it is served unless somebody says otherwise


def _nothing(request: Request) -> NotFoundError:
    return NotFoundError(f"there is nothing at {request.url.path[:200]!r}; begin at {'/'!r}")


async def _refused(_request: Request, error: Exception) -> Response:
    return refusal(error)


def _signed_in(cursor: Any, token: str) -> tuple[Person, int] | None:
    person = sign_in(cursor.connection, token)
    return None if person is None else (person, jobs.running(cursor, person.name))


def create(
    folder: Path, *, sessions: int = 16, workers: int = 2, anonymous: Allowance = FREE
) -> Starlette:
    """Make the application.

    Parameters
    ----------
    folder : Path
        Where results of jobs are kept.
    sessions, workers : int
        Queries and jobs that run at the same time.
    anonymous
        What is allowed to people who are not signed in, by address.
    """
    service = TapService(folder, sessions=sessions, workers=workers, anonymous=anonymous)
    tap = routes.TapRoutes(service)
    people = MyDbRoutes(service)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with running(service):
            yield

    async def to_prompt(_request: Request) -> Response:
        return RedirectResponse("/tap/prompt/capabilities", 307)

    async def look_up(token: str) -> tuple[Person, int] | None:
        found: tuple[Person, int] | None = await in_thread(
            service, lambda: service.kept(lambda cursor: _signed_in(cursor, token))
        )
        return found

    portal = Portal(service, look_up)

    async def nothing_here(request: Request, _error: Exception) -> Response:
        error = _nothing(request)
        programs = request.url.path.startswith(("/tap", "/scs", "/mydb"))
        if programs or "text/html" not in request.headers.get("accept", ""):
            return refusal(error)
        return portal.frame.refusal(request, error)

    application = Starlette(
        routes=[
            Route("/tap", to_prompt),
            Mount("/tap", routes=[*tap.routes(), *people.tap_routes()]),
            Mount("/scs", routes=cone.ConeRoutes(service).routes()),
            *people.routes(),
            *portal.routes(),
        ],
        middleware=[
            Middleware(BodyLimits, most=service.limits.upload_bytes + (1 << 20)),
            Middleware(SignIn, look_up=look_up, refuse=refusal),
        ],
        exception_handlers={404: nothing_here, HTTPException: _refused, Exception: _refused},
        lifespan=lifespan,
    )
    application.state.tap = service
    return application
