"""The web application: everything that is served, on one port."""

import contextlib
import html
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from services import cone
from services.tap import routes
from services.tap.requests import BodyLimits, refusal, refusing
from services.tap.service import TapService
from skyledger import __version__
from skyledger.errors import NotFoundError

HOST, PORT = "127.0.0.1", 8110  # where it is served unless somebody says otherwise

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;
color:#1b1f24;background:#fff}code,pre{font:14px/1.5 ui-monospace,monospace;background:#f3f4f6;
border-radius:4px}code{padding:.1em .3em}pre{padding:.8em 1em;overflow:auto}a{color:#0b57a4}
table{border-collapse:collapse}td,th{text-align:left;padding:.25em 1.2em .25em 0;
border-bottom:1px solid #ddd;vertical-align:top}
@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#14171a}
code,pre{background:#22272b}a{color:#7db7ff}td,th{border-color:#333}}
"""


class Pages:
    """Plain pages about the services."""

    def __init__(self, service: TapService) -> None:
        self.service = service

    def _schemas(self) -> list[tuple[str, str, int]]:
        return self.service.kept(_schemas)  # type: ignore[no-any-return]

    async def landing(self, request: Request) -> Response:
        """Say which services there are, and how to ask."""
        base = f"{request.url.scheme}://{request.url.netloc}"
        found = await routes.in_thread(self.service, self._schemas)
        rows = "".join(
            f"<tr><td><code>{html.escape(name)}</code></td><td>{html.escape(said)}</td>"
            f"<td>{tables}</td></tr>"
            for name, said, tables in found
        )
        address = html.escape(f"{base}/tap/prompt")
        return HTMLResponse(f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Skyledger</title>
<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head>
<body><h1>Skyledger</h1>
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
</body></html>""")


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


def create(folder: Path, *, sessions: int = 16, workers: int = 2) -> Starlette:
    """Make the application.

    Parameters
    ----------
    folder : Path
        Where results of jobs are kept.
    sessions, workers : int
        Queries and jobs that run at the same time.
    """
    service = TapService(folder, sessions=sessions, workers=workers)
    tap = routes.TapRoutes(service)
    pages = Pages(service)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with routes.running(service):
            yield

    async def to_prompt(_request: Request) -> Response:
        return RedirectResponse("/tap/prompt/capabilities", 307)

    application = Starlette(
        routes=[
            Route("/", refusing(pages.landing)),
            Route("/tap", to_prompt),
            Mount("/tap", routes=tap.routes()),
            Mount("/scs", routes=cone.ConeRoutes(service).routes()),
        ],
        middleware=[Middleware(BodyLimits, most=service.limits.upload_bytes + (1 << 20))],
        exception_handlers={404: _nothing_here, HTTPException: _refused, Exception: _refused},
        lifespan=lifespan,
    )
    application.state.tap = service
    return application
