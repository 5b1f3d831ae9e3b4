"""Answers that are sent while they are made, and the threads in which the database is asked."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services import formats
from services.people import asker_of
from services.spool import Spool
from services.tap.answering import Outcome, Upload
from services.tap.parameters import QueryRequest
from services.tap.requests import refusal
from services.tap.service import TapService
from skyledger.errors import ForbiddenError, TooManyError

_WHOLE = 1 << 18  # bytes of an answer that is sent in one piece if it is complete
_ENDING: set[asyncio.Future[None]] = set()  # what is not kept may be forgotten in its midst


class Streamed(Response):
    """An answer that is sent while it is made; a client that goes away ends its query."""

    def __init__(
        self, start: Callable[[Spool], Any], outcome: Outcome, form: formats.Format, most: int,
        place: Callable[[], Coroutine[Any, Any, Callable[[], None]]],
    ) -> None:  # fmt: skip
        self.place = place
        self.start = start
        self.outcome = outcome
        self.most = most
        self.background = None
        self.status_code = 200
        self.media_type = form.media_type
        self.tells_failure = form.writer.tells_failure
        self.init_headers({"Cache-Control": "no-store"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait until the asker may have another query running, run it and send what it gives."""
        gone = asyncio.ensure_future(_disconnected(receive))
        entering = asyncio.ensure_future(self.place())
        try:
            await asyncio.wait({entering, gone}, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                entering.cancel()
                await asyncio.wait({entering})
                if not entering.cancelled() and entering.exception() is None:
                    entering.result()()
                return
            await self._run(scope, receive, send, gone, entering.result())
        except (TooManyError, ForbiddenError) as error:
            await refusal(error)(scope, receive, send)
        finally:
            gone.cancel()

    async def _run(
        self, scope: Scope, receive: Receive, send: Send, gone: asyncio.Future[None],
        ended: Callable[[], None],
    ) -> None:  # fmt: skip
        spool = Spool(asyncio.get_running_loop(), self.most)
        task = self.start(spool)
        # The database is done with it then, however long the client takes to read.
        task.add_done_callback(lambda _: ended())
        try:
            first = asyncio.ensure_future(spool.first())
            await asyncio.wait({first, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not first.done():
                first.cancel()
                return
            if spool.failure is not None:  # nothing is sent yet: a status can tell it
                await refusal(spool.failure)(scope, receive, send)
                return
            headers = self.raw_headers
            if spool.ended and spool.written <= _WHOLE:
                headers = [*headers, (b"content-length", b"%d" % spool.written)]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                await send({"type": "http.response.body", "body": spool.whole()})
                return
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            async for piece in spool.pieces():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                if gone.done():
                    return
            # Where a failure cannot be told the transfer breaks off, which is better than rows that
            # look like all there are.
            if self.tells_failure or spool.failure is None:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            spool.close()
            if not spool.ended and not task.cancel():
                ending = asyncio.ensure_future(_end(self.outcome, task))
                _ENDING.add(ending)
                ending.add_done_callback(_ENDING.discard)


async def _end(outcome: Outcome, task: Any) -> None:
    """End a query whose client has gone; between two statements the server does not hear of it."""
    while not task.done():
        await asyncio.to_thread(outcome.end)
        await asyncio.wait({asyncio.wrap_future(task)}, timeout=0.5)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def streamed(
    service: TapService, request: Request, asked: QueryRequest, uploads: list[Upload], *, door: str
) -> Response:
    """Answer a query while it runs."""
    form = formats.resolve(asked.format or "votable")
    outcome = Outcome()
    asker = asker_of(request)

    def start(spool: Spool) -> Any:
        return service.threads.submit(
            service.answer, asked, uploads, spool, outcome, door=door, asker=asker
        )

    return Streamed(start, outcome, form, service.most_bytes, lambda: service.gate.place(asker))


async def in_thread(service: TapService, work: Callable[[], Any]) -> Any:
    """Do what takes the database a moment in a thread of the service."""
    return await asyncio.get_running_loop().run_in_executor(service.clerks, work)


async def in_query_thread(service: TapService, work: Callable[[], Any]) -> Any:
    """Do what may take long in a thread beside those that take a moment."""
    return await asyncio.get_running_loop().run_in_executor(service.threads, work)


@contextlib.asynccontextmanager
async def running(service: TapService) -> AsyncIterator[None]:
    """Keep the threads of a service running."""
    service.start()
    try:
        yield
    finally:
        await asyncio.to_thread(service.stop)
