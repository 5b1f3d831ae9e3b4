"""The web application: everything that is served, on one port."""

import contextlib
import html
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
from services.page import page
from services.people import FREE, Allowance, SignIn
from services.portal.app import Portal
from services.tap import jobs, routes
from services.tap.requests import BodyLimits, refusal, refusing
from services.tap.service import TapService
from services.tap.streaming import in_thread, running
from skyledger import __version__
from skyledger.errors import NotFoundError
from skyledger.people import Person, sign_in

HOST, PORT = "127.0.0.1", 8110  # where it is served unless somebody says otherwise


class Pages:
    """Plain pages about the services."""

    def __init__(self, service: TapService) -> None:
        self.service = service

    def _schemas(self) -> list[tuple[str, str, int]]:
        return self.service.kept(_schemas)  # type: ignore[no-any-return]

    async def landing(self, request: Request) -> Response:
        """Say which services there are, and how to ask."""
        base = f"{request.url.scheme}://{request.url.netloc}"
        found = await in_thread(self.service, self._schemas)
        rows = "".join(
            f"<tr><td><code>{html.escape(name)}</code></td><td>{html.escape(said)}</td>"
            f"<td>{tables}</td></tr>"
            for name, said, tables in found
        )
        address = html.escape(f"{base}/tap/prompt")
        return page(
            "Skyledger",
            f"""<h1>Skyledger</h1>
<p>A survey archive whose answers can be had again, identical, at any later time.
Version {html.escape(__version__)}.</p>
<h2>TAP</h2>
<p>TAP 1.1 with ADQL 2.1, for pyvo, TOPCAT, STILTS and curl:</p>
<pre>{address}</pre>
<p>The same as it was known at an instant (TAI; with a final Z in UTC), a complete service too:</p>
<pre>{address}@2026-01-01T00:00:00</pre>
<p><a href="/tap/prompt/examples">Examples</a> ·
<a href="/tap/prompt/tables">tables</a> · <a href="/tap/prompt/capabilities">capabilities</a> ·
<a href="/tap/prompt/availability">availability</a></p>
<h2>In Python</h2>
<pre>import pyvo
service = pyvo.dal.TAPService("{address}")
print(service.search("SELECT TOP 5 diaObjectId, ra, dec, nDiaSources FROM DIAObject").to_table())
</pre>
<h2>What can be asked</h2>
<table><tr><th>schema</th><th></th><th>tables</th></tr>{rows}</table>
<h2>Tables of your own</h2>
<p><a href="/mydb">MyDB</a>, for people who have a token.</p>""",
        )


def _schemas(cursor: object) -> list[tuple[str, str, int]]:
    cursor.execute(  # type: ignore[attr-defined]
        "SELECT schemaname, s.description, count(*) FROM service.tapschema AS s "
        "JOIN service.taptable USING (schemaname) GROUP BY schemaname, s.description, schemaindex "
        "ORDER BY schemaindex"
    )
    return cursor.fetchall()  # type: ignore[attr-defined, no-any-return]


async def _nothing_here(request: Request, _error: Exception) -> Response:
    return refusal(
        NotFoundError(f"there is nothing at {request.url.path[:200]!r}; begin at {'/'!r}")
    )


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
    pages = Pages(service)

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

    application = Starlette(
        routes=[
            Route("/", refusing(pages.landing)),
            Route("/tap", to_prompt),
            Mount("/tap", routes=[*tap.routes(), *people.tap_routes()]),
            Mount("/scs", routes=cone.ConeRoutes(service).routes()),
            *people.routes(),
            *Portal(service, look_up).routes(),
        ],
        middleware=[
            Middleware(BodyLimits, most=service.limits.upload_bytes + (1 << 20)),
            Middleware(SignIn, look_up=look_up, refuse=refusal),
        ],
        exception_handlers={404: _nothing_here, HTTPException: _refused, Exception: _refused},
        lifespan=lifespan,
    )
    application.state.tap = service
    return application
