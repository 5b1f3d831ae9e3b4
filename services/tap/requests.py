"""HTTP requests and refusals of TAP: bodies within limits, errors that say what to do."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace

import psycopg2
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services import formats
from services.people import CHALLENGES, hidden, refuse_secrets
from services.tap.answering import Upload
from services.tap.parameters import Parameters, uploads_of
from skyledger.errors import (
    BusyError,
    ConflictError,
    DatabaseError,
    ForbiddenError,
    LimitError,
    NotFoundError,
    SignInError,
    SkyledgerError,
    TooManyError,
    UsageError,
)

_LOG = logging.getLogger(__name__)
_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (SignInError, 401),
    (ForbiddenError, 403),
    (NotFoundError, 404),
    (ConflictError, 409),
    (TooManyError, 429),
    (LimitError, 413),
    (BusyError, 503),
    (DatabaseError, 503),
    (SkyledgerError, 400),
    (psycopg2.OperationalError, 503),
)
_FIELDS = 1000
_FILES = 16


class BodyLimits:
    """ASGI middleware that ends requests whose body is too large or comes too slowly.

    Parameters
    ----------
    most : int
        Bytes of a body.
    patience : float
        Time without a byte after which a client is given up [s].
    """

    def __init__(self, app: ASGIApp, most: int, patience: float = 30.0) -> None:
        self.app = app
        self.most = most
        self.patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with its body counted."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        seen = 0
        complete = False

        async def counted() -> Message:
            nonlocal seen, complete
            if complete:  # nothing more will come but the end of the connection
                return await receive()
            try:
                async with asyncio.timeout(self.patience):  # unlike wait_for without a task
                    message = await receive()
            except TimeoutError:
                raise HTTPException(
                    408, f"the request came to a halt for {self.patience:g} s; send it again"
                ) from None
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                complete = not message.get("more_body", False)
                if seen > self.most:
                    raise LimitError(
                        f"the request is larger than {self.most:,} bytes; send fewer rows or "
                        f"columns, or a binary format (VOTable BINARY2, FITS, Parquet)"
                    )
            return message

        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length) > self.most:
            refused = refusal(LimitError(
                f"the request has {int(length):,} bytes, {self.most:,} are allowed; send fewer "
                f"rows or columns, or a binary format (VOTable BINARY2, FITS, Parquet)"
            ))  # fmt: skip
            await refused(scope, receive, send)
            return
        await self.app(scope, counted, send)


def judged(error: Exception) -> tuple[int, str]:
    """Status of HTTP for an error, and what may be said of it."""
    if isinstance(error, HTTPException):
        status, message = error.status_code, str(error.detail)
    else:
        status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
        message = " ".join(str(error).split())
    if status == 500:
        number = secrets.token_hex(4)
        _LOG.error("internal error %s", number, exc_info=error)
        message = (
            f"the service failed; this is a fault of its own, and its log has it under {number}"
        )
    return status, hidden(message)


def refusal(error: Exception, *, json: bool = False) -> Response:
    """Say what is wrong, with a status that fits: in a VOTable (DALI 1.1 section 4.2) or JSON."""
    status, message = judged(error)
    response: Response = (
        JSONResponse({"error": message}, status)
        if json
        else Response(
            formats.error_document(message), status, media_type="application/x-votable+xml"
        )
    )
    if status in {429, 503}:
        response.headers["Retry-After"] = str(getattr(error, "seconds", 5))
    if status == 401:
        challenge(response)
    return response


def challenge(response: Response) -> None:
    """Say in a response how one can sign in (RFC 9110 section 11.6.1)."""
    for words in CHALLENGES:
        response.headers.append("WWW-Authenticate", words)


async def parameters_of(request: Request) -> tuple[Parameters, list[Upload]]:
    """Read the parameters of a request from its address and its body, and the tables it brings.

    Raises
    ------
    UsageError
        If the body is not a form, or an UPLOAD names a part that is not there.
    """
    pairs = list(request.query_params.multi_items())
    files: dict[str, Upload] = {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method == "POST" and kind:
        if kind not in {"application/x-www-form-urlencoded", "multipart/form-data"}:
            raise UsageError(
                f"the body is {kind[:60]!r}; send application/x-www-form-urlencoded or "
                f"multipart/form-data"
            )
        limits = {"max_files": _FILES, "max_fields": _FIELDS, "max_part_size": 1 << 24}
        async with request.form(**limits) as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    files[name] = Upload(name, value.content_type, await value.read())
                else:
                    pairs.append((name, value))
    refuse_secrets(pairs)
    given = Parameters(pairs)
    # Names of parts are compared as they are, then in any case: some clients change it.
    match = {name.lower(): file for name, file in files.items()} | files
    tables = []
    for name, source in uploads_of(given):
        if not source.startswith("param:"):
            tables.append(Upload(name, None, b"", source))
            continue
        part = source.removeprefix("param:")
        file = match.get(part) or match.get(part.lower())
        if file is None:
            raise UsageError(
                f"UPLOAD says that {name} is in the part {part!r} of the request, which has "
                f"{', '.join(sorted(files)) or 'no files'}; send it as multipart/form-data"
            )
        tables.append(replace(file, name=name))
    return given, tables


Handler = Callable[[Request], Awaitable[Response]]


def refusing(handler: Handler, *, json: bool = False) -> Handler:
    """Wrap a handler so that what it raises becomes a refusal."""

    async def wrapped(request: Request) -> Response:
        try:
            return await handler(request)
        except Exception as error:
            if isinstance(error, asyncio.CancelledError):
                raise
            return refusal(error, json=json)

    return wrapped
