"""The addresses of TAP: ``/tap/DATABASE[@INSTANT]/sync``, ``async``, ``tables`` and so on.

Each virtual database is a complete service, so that every client works with every instant.
"""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from services import formats, mydb
from services.people import asker_of
from services.tap import jobs, uws, vosi
from services.tap.examples import examples_page
from services.tap.parameters import (
    Parameters,
    limit_of,
    read,
    with_instant,
)
from services.tap.requests import challenge, parameters_of, refusing
from services.tap.service import TapService
from services.tap.streaming import in_thread, streamed
from skyledger import person_tables, virtual
from skyledger.errors import (
    ForbiddenError,
    LimitError,
    NotFoundError,
    UsageError,
)
from skyledger.virtual import VirtualDatabase

_WAIT = 9.0  # s that a request for a job may hang: clients give up after ten
_XML = "text/xml"


class Changes:
    """Lets requests wait for a change of a job."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def told(self, job_id: str) -> None:
        """Wake those who wait; called in any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake, job_id)

    def _wake(self, job_id: str) -> None:
        for event in self._waiting.get(job_id, ()):
            event.set()

    @contextlib.contextmanager
    def of(self, job_id: str) -> Any:
        """Yield an event that is set when the job changes."""
        self._loop = asyncio.get_running_loop()
        event = asyncio.Event()
        self._waiting.setdefault(job_id, set()).add(event)
        try:
            yield event
        finally:
            self._waiting[job_id].discard(event)
            if not self._waiting[job_id]:
                del self._waiting[job_id]


def _database(request: Request) -> VirtualDatabase:
    try:
        return virtual.parse(request.path_params["database"])
    except UsageError as error:
        raise NotFoundError(f"there is no TAP service here: {error}") from error


def address_of(request: Request) -> str:
    """Address of the service that a request came to, as the client wrote it."""
    database = quote(request.path_params["database"], safe="@:")
    return f"{request.url.scheme}://{request.url.netloc}/tap/{database}"


class TapRoutes:
    """Handlers of the requests of one `TapService`."""

    def __init__(self, service: TapService) -> None:
        self.service = service
        self.changes = Changes()
        service.workers.watch(self.changes.told)

    def routes(self) -> list[Route]:
        """All addresses, to be mounted at ``/tap``."""
        handlers: list[tuple[str, Any, list[str]]] = [
            ("/sync", self.sync, ["GET", "POST"]),
            ("/async", self.job_list, ["GET", "POST"]),
            ("/async/{job}", self.job, ["GET", "POST", "DELETE"]),
            ("/async/{job}/results/result", self.job_result, ["GET"]),
            ("/async/{job}/{part}", self.job_part, ["GET", "POST"]),
            ("/capabilities", self.capabilities, ["GET"]),
            ("/availability", self.availability, ["GET"]),
            ("/tables", self.tables, ["GET"]),
            ("/tables/{table}", self.tables, ["GET"]),
            ("/examples", self.examples, ["GET"]),
        ]
        return [
            Route("/{database}" + path, refusing(handler), methods=methods)
            for path, handler, methods in handlers
        ]

    async def _kept(self, work: Callable[[Any], Any]) -> Any:
        """Do ``work(cursor)`` in a session of the service, in a thread, and commit."""
        return await in_thread(self.service, lambda: self.service.kept(work))

    async def _database(self, request: Request) -> VirtualDatabase:
        """Return the database of a request; the asker has to see something in it."""
        database = _database(request)
        person = asker_of(request).name
        if mydb.is_person(database.name) and database.name != f"mydb_{person}":
            tables = await in_thread(self.service, lambda: self.service.visible(person))
            mydb.check(database.name, tables, person)
        return database

    async def _job(self, request: Request) -> jobs.Job:
        """Look up the job of a request, which has to be nobody's or the asker's own.

        Raises
        ------
        NotFoundError, SignInError, ForbiddenError
            If there is none, or it is another's. Operators may see and end the jobs of all.
        """
        job_id = request.path_params["job"]
        job: jobs.Job = await self._kept(lambda cursor: jobs.find(cursor, job_id))
        asker = asker_of(request)
        if job.owner is None or job.owner == asker.name:
            return job
        if asker.must_be_known("this job").role == "operator":
            return job
        raise ForbiddenError(f"job {job_id} belongs to somebody else than {asker.name}")

    # Queries that are answered at once.

    async def sync(self, request: Request) -> Response:
        """Answer a query."""
        given, uploads = await parameters_of(request)
        asked = read(given, await self._database(request))
        if asked.destination is not None:
            if request.method != "POST":
                raise UsageError("DESTINATION makes a table, so send the request by POST")
            _destination(request, given)
        return streamed(self.service, request, asked, uploads, door="sync")

    # Jobs.

    async def job_list(self, request: Request) -> Response:
        """List jobs, or make one."""
        address = f"{address_of(request)}/async"
        asker = asker_of(request)
        given, uploads = await parameters_of(request)
        if request.method == "GET":
            phases = [p.upper() for p in given.all("PHASE")]
            after = _time_of(given["AFTER"]) if "AFTER" in given else None
            last = given.get("LAST", "")
            if last and not last.isdigit():
                raise UsageError(f"LAST is {last!r}; give a whole number")
            found = await self._kept(
                lambda cursor: jobs.listed(
                    cursor, asker.name, phases=phases, after=after,
                    last=int(last) if last else None,
                    everyone=bool(asker.person and asker.person.role == "operator"),
                )
            )  # fmt: skip
            return Response(uws.list_document(found, address), media_type=_XML)
        database = with_instant(await self._database(request), given)
        limit_of(given)
        _destination(request, given)
        self.service.gate.count(asker)
        kept = {name: given.all(name) for name in given if name not in {"PHASE", "UPLOAD"}}
        kept |= {"UPLOAD": given.all("UPLOAD")} if "UPLOAD" in given else {}
        limits = self.service.limits

        def make(cursor: Any) -> str:
            known = self.service.gate.made(asker) if asker.person is None else None
            if known and jobs.active(cursor, known) >= jobs.MOST_OF_ADDRESS:
                raise LimitError(
                    f"{jobs.MOST_OF_ADDRESS} jobs from this address wait or run, and no more are "
                    f"allowed; wait for one, delete some, or sign in"
                )
            job_id = jobs.create(
                cursor, str(database), kept, owner=asker.name, run_id=given.get("RUNID"),
                retention_seconds=limits.retention_seconds, execution_seconds=limits.seconds,
                uploads=[(u.name, u.media_type, u.content) for u in uploads if not u.address],
            )  # fmt: skip
            if given.get("PHASE", "").upper() == "RUN":
                jobs.run(cursor, job_id)
            if known is not None:
                known.append(job_id)
            return job_id

        return RedirectResponse(f"{address}/{await self._kept(make)}", 303)

    async def job(self, request: Request) -> Response:
        """Show a job, wait for it, or delete it."""
        job_id = (await self._job(request)).job_id
        address = f"{address_of(request)}/async/{job_id}"
        given, uploads = await parameters_of(request)
        if request.method == "DELETE" or given.get("ACTION", "").upper() == "DELETE":
            await self._kept(lambda c: jobs.delete(c, job_id, self.folder))
            return RedirectResponse(f"{address_of(request)}/async", 303)
        if request.method == "POST":
            return await self._changed(job_id, given, uploads, address)
        job = await self._waited(job_id, given)
        return Response(uws.job_document(job, address), media_type=_XML)

    @property
    def folder(self) -> Any:
        """Folder of the results of jobs."""
        return self.service.folder

    async def _waited(self, job_id: str, given: Parameters) -> jobs.Job:
        """Look a job up; with ``WAIT`` not before its phase has changed, or the time is over."""
        text = given.get("WAIT", "0")
        if not text.lstrip("-").isdigit():
            raise UsageError(f"WAIT is {text!r}; give seconds as a whole number, -1 for long")
        seconds = min(float(text), _WAIT) if int(text) >= 0 else _WAIT
        until = asyncio.get_running_loop().time() + seconds
        with self.changes.of(job_id) as changed:
            job: jobs.Job = await self._kept(lambda cursor: jobs.find(cursor, job_id))
            phase = given.get("PHASE", job.phase).upper()
            while job.phase == phase and phase in {"PENDING", "QUEUED", "EXECUTING"}:
                left = until - asyncio.get_running_loop().time()
                if left <= 0:
                    break
                with contextlib.suppress(TimeoutError):
                    # A notice can be missed while another service restarts: look now and then.
                    await asyncio.wait_for(changed.wait(), min(left, 2.0))
                changed.clear()
                job = await self._kept(lambda cursor: jobs.find(cursor, job_id))
        return job

    async def _changed(
        self, job_id: str, given: Parameters, uploads: list[Any], address: str
    ) -> Response:
        """Change parameters of a job that has not started."""
        if uploads:
            raise UsageError("tables come with the request that makes the job; make another job")
        kept = {n: given.all(n) for n in given if n not in {"PHASE", "ACTION", "WAIT"}}
        if kept:
            await self._kept(lambda c: jobs.set_parameters(c, job_id, kept))
        if "PHASE" in given:
            await self._kept(lambda c: _set_phase(c, job_id, given["PHASE"]))
        return RedirectResponse(address, 303)

    async def job_part(self, request: Request) -> Response:
        """Show or set one part of a job: phase, destruction, executionduration ..."""
        job = await self._job(request)
        job_id, part = job.job_id, request.path_params["part"]
        address = f"{address_of(request)}/async/{job_id}"
        given, _ = await parameters_of(request)
        if request.method == "POST":
            await self._set_part(job_id, part, given)
            return RedirectResponse(address, 303)
        if part == "parameters":
            return Response(uws.parameters_document(job), media_type=_XML)
        if part == "results":
            return Response(uws.results_document(job, address), media_type=_XML)
        if part == "error":
            if job.phase != "ERROR":
                raise NotFoundError(f"job {job_id} has no error: its phase is {job.phase}")
            return Response(
                formats.error_document(job.message or ""), media_type="application/x-votable+xml"
            )
        words = {
            "phase": job.phase,
            "destruction": uws.time(job.destruction),
            "executionduration": str(job.execution_seconds),
            "quote": "",
            "owner": job.owner or "",
        }
        if part not in words:
            raise NotFoundError(
                f"a job has no part {part[:40]!r}; it has {', '.join(words)}, parameters, results "
                f"and error"
            )
        return PlainTextResponse(words[part] or "")

    async def _set_part(self, job_id: str, part: str, given: Parameters) -> None:
        limits = self.service.limits
        if part == "phase":
            await self._kept(lambda c: _set_phase(c, job_id, given.get("PHASE", "")))
        elif part == "destruction":
            instant = _time_of(given.get("DESTRUCTION", ""))
            most = limits.retention_seconds
            await self._kept(lambda c: jobs.set_destruction(c, job_id, instant, most))
        elif part == "executionduration":
            text = given.get("EXECUTIONDURATION", "")
            if not text.isdigit() or len(text) > 9:
                raise UsageError(f"EXECUTIONDURATION is {text[:40]!r}; give seconds")
            seconds = min(int(text) or limits.most_seconds, limits.most_seconds)
            await self._kept(lambda c: jobs.set_execution_seconds(c, job_id, seconds))
        elif part == "parameters":
            kept = {name: given.all(name) for name in given}
            await self._kept(lambda c: jobs.set_parameters(c, job_id, kept))
        else:
            raise UsageError(
                f"{part[:40]!r} of a job cannot be set; phase, destruction, executionduration "
                f"and parameters can"
            )

    async def job_result(self, request: Request) -> Response:
        """Send the result of a job."""
        job = await self._job(request)
        if job.phase != "COMPLETED":
            raise NotFoundError(f"job {job.job_id} has no result: its phase is {job.phase}")
        return FileResponse(jobs.result(self.folder, job.job_id), media_type=job.media_type)

    # What the service says of itself.

    async def capabilities(self, request: Request) -> Response:
        """Say what the service can do."""
        _database(request)
        response = Response(self.service.capabilities(address_of(request)), media_type=_XML)
        if asker_of(request).person is None:
            challenge(response)  # there is more for those who sign in
        return response

    async def availability(self, request: Request) -> Response:
        """Say whether queries would be answered."""
        _database(request)
        try:
            instant = await self._kept(_horizon)
            available, note = True, f"answers as of {instant.isoformat()} TAI"
        except Exception as error:  # noqa: BLE001 - whatever it is, queries are not answered
            available, note = False, " ".join(str(error).split())
        said = vosi.availability(available=available, since=self.service.started, note=note)
        return Response(said, media_type=_XML)

    async def tables(self, request: Request) -> Response:
        """List tables and columns: the published ones, and people's that the asker may see."""
        await self._database(request)
        only = request.path_params.get("table")
        full = request.query_params.get("detail", "max").lower() != "min" or only is not None
        person = asker_of(request).name
        said = await self._kept(
            lambda c: vosi.tables(
                c, person_tables.visible_tables(c.connection, person), columns=full, only=only
            )
        )
        if said is None:
            raise NotFoundError(f"there is no table {only[:100]!r}")  # type: ignore[index]
        return Response(said, media_type=_XML)

    async def examples(self, request: Request) -> Response:
        """Show queries to start from."""
        database = await self._database(request)
        return Response(examples_page(database.name), media_type="application/xhtml+xml")


def _horizon(cursor: Any) -> datetime:
    cursor.execute("SELECT ledger.horizon()")
    return cursor.fetchone()[0]  # type: ignore[no-any-return]


def _set_phase(cursor: Any, job_id: str, phase: str) -> None:
    jobs.find(cursor, job_id)
    if phase.upper() == "RUN":
        jobs.run(cursor, job_id)
    elif phase.upper() == "ABORT":
        jobs.abort(cursor, job_id, "ended by its owner")
    else:
        raise UsageError(f"PHASE is {phase[:40]!r}; write RUN or ABORT")


def _destination(request: Request, given: Parameters) -> None:
    """Refuse a destination that cannot be before a job is made of it."""
    text = given.get("DESTINATION", "").strip()
    if text:
        person = asker_of(request).must_be_known("DESTINATION, which makes a table of yours,")
        mydb.target(text, person.name)


def _time_of(text: str) -> datetime:
    """Read a time of UWS: ISO 8601 in UTC, with or without Z."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"{text[:40]!r} is not a time; write 2026-01-01T00:00:00Z (UTC)") from None
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found
