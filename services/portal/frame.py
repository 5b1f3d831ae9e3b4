"""The frame of every page: templates, headers that keep foreign code out, pages for refusals."""

import asyncio
import gzip
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import jinja2
from markupsafe import Markup
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from services.drawing import ledger, svg
from services.people import asker_of, refuse_borrowed
from services.portal import addresses
from services.portal.instants import Ledger, Moment
from services.tap.requests import challenge, judged
from services.tap.service import TapService
from services.tap.streaming import in_thread
from skyledger.people import Person

_SMALL = 1000  # bytes that are not worth compressing
_HERE = Path(__file__).parent
_THEMES = ("light", "dark")
_POLICY = (
    "default-src 'self'; style-src 'self' 'nonce-{}'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_TITLES = {
    400: "This cannot be shown", 401: "Sign in first", 403: "Not allowed", 404: "Not there",
    405: "Not there", 409: "In the way", 413: "Too large", 429: "Too many at once",
    503: "Busy",
}  # fmt: skip

Handler = Callable[[Request], Awaitable[Response]]


def when(instant: datetime) -> str:
    """Write an instant for people: day, month in words, time."""
    return f"{instant.day} {instant:%B %Y, %H:%M}" + (f":{instant:%S}" if instant.second else "")


def markup(drawing: str) -> Markup:
    """Mark a drawing as safe: the function that made it has escaped its texts."""
    return Markup(drawing)  # noqa: S704


def _bars(moment: Moment) -> Markup:
    known = moment.known
    return markup(ledger.bars(known.bars, known.releases, known.first, known.horizon))


def _place(moment: Moment) -> int:
    """Where the slider stands: of 100,000 steps from the beginning to the newest publication."""
    known = moment.known
    return round(100_000 * min(max(ledger.share(moment.at, known.first, known.horizon), 0), 1))


def packed(scope: Scope, content: bytes, headers: MutableHeaders) -> bytes:
    """Compress what is sent, if whoever asked for it understands that."""
    headers["Vary"] = "Accept-Encoding"
    if len(content) < _SMALL or "gzip" not in Headers(scope=scope).get("accept-encoding", ""):
        return content
    headers["Content-Encoding"] = "gzip"
    return gzip.compress(content, 6, mtime=0)


class Assets(StaticFiles):
    """Style, script and fonts; an address with the hash of the content is kept for ever."""

    def __init__(self) -> None:
        super().__init__(directory=_HERE / "static")
        self.hashes = {
            path.relative_to(_HERE / "static").as_posix(): hashlib.sha256(path.read_bytes())
            .hexdigest()[:12]
            for path in sorted((_HERE / "static").rglob("*"))
            if path.is_file()
        }  # fmt: skip

    def address(self, name: str) -> str:
        """Address of an asset."""
        return f"/static/{name}?v={self.hashes[name]}"

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Send an asset."""
        found = await super().get_response(path, scope)
        if found.status_code == 200 and Path(path).suffix in {".css", ".js", ".svg", ".txt"}:
            kept, content = found.headers, (_HERE / "static" / path).read_bytes()
            found = Response(media_type=found.media_type)
            found.headers["ETag"] = kept["etag"]
            found.body = packed(scope, content, found.headers)
            found.headers["Content-Length"] = str(len(found.body))
        asked = scope.get("query_string", b"").decode("latin-1")
        if asked == f"v={self.hashes.get(path)}":
            found.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return found


class Frame:
    """Makes pages.

    Parameters
    ----------
    service
        Sessions and limits.
    look_up
        Person to whom a token belongs; None if it is nobody's.
    """

    def __init__(
        self, service: TapService, look_up: Callable[[str], Awaitable[tuple[Person, int] | None]]
    ) -> None:
        self.service = service
        self.look_up = look_up
        self.assets = Assets()
        self.ledger = Ledger(self.reading)
        self.templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.filters["when"] = when
        self.templates.filters["figure"] = svg.figure
        self.templates.globals |= {
            "asset": self.assets.address, "bars": _bars, "place": _place, "markup": markup,
        }  # fmt: skip

    def reading(self, work: Callable[[Any], Any]) -> Any:
        """Do ``work(cursor)`` in a session of a reader."""
        with self.service.readers.session() as connection, connection.cursor() as cursor:
            return work(cursor)

    async def within(self, work: Callable[[], Any]) -> Any:
        """Do what asks the database in a thread."""
        return await in_thread(self.service, work)

    async def moment(self, request: Request, database: str = "prompt") -> Moment:
        """Find out which instant a page is about, by its ``asof``."""
        asked = request.query_params.get("asof", "")
        return cast("Moment", await self.within(lambda: self.ledger.moment(database, asked)))

    def page(
        self, request: Request, template: str, moment: Moment | None = None, *, status: int = 200,
        **shown: Any,
    ) -> HTMLResponse:  # fmt: skip
        """Make a page of a template."""
        theme = request.cookies.get("theme", "")
        nonce = secrets.token_urlsafe(16)
        text = self.templates.get_template(template).render(
            request=request,
            path=request.url.path,
            theme=theme if theme in _THEMES else "",
            nonce=nonce,
            moment=moment,
            at=addresses.at(request),
            keep=addresses.keeping(moment),
            change=partial(addresses.changed, request),
            asker=asker_of(request),
            **shown,
        )
        response = HTMLResponse(
            status_code=status,
            headers={
                "Content-Security-Policy": _POLICY.format(nonce),
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "same-origin",
                "Cache-Control": "no-store",
            },
        )
        response.body = packed(request.scope, text.encode(), response.headers)
        response.headers["Content-Length"] = str(len(response.body))
        return response

    def refusal(self, request: Request, error: Exception, **shown: Any) -> Response:
        """Say on a page what is wrong, and what can be done."""
        status, message = judged(error)
        response = self.page(
            request, "refusal.html", status=status, message=message,
            title=_TITLES.get(status, "The service failed"), code=status, **shown,
        )  # fmt: skip
        if status in {429, 503}:
            response.headers["Retry-After"] = str(getattr(error, "seconds", 5))
        if status == 401:
            challenge(response)
        return response

    def shown(self, handler: Handler) -> Handler:
        """Wrap a handler so that what it raises becomes a page."""

        async def wrapped(request: Request) -> Response:
            try:
                refuse_borrowed(request.method, request.headers)
                return await handler(request)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - said on a page
                return self.refusal(request, error)

        return wrapped
