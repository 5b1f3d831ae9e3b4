"""Jobs and tables of a person, and how one signs in."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.people import COOKIE, asker_of
from services.portal.frame import Frame
from services.tap import jobs
from services.tap.requests import parameters_of
from skyledger import person_tables
from skyledger.people import Person

_DAY = 86400
_LISTED = 100


class PeoplePages:
    """Handlers of the pages of people."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    def routes(self) -> list[Route]:
        """All addresses."""
        shown = self.frame.shown
        return [
            Route("/sign-in", shown(self.sign_in), methods=["GET", "POST"]),
            Route("/sign-out", shown(self.sign_out), methods=["POST"]),
            Route("/jobs", shown(self.jobs)),
            Route("/jobs/{job}", shown(self.job)),
            Route("/jobs/{job}/{act}", shown(self.change), methods=["POST"]),
        ]

    async def _kept(self, work: Callable[[Any], Any]) -> Any:
        return await self.frame.within(lambda: self.frame.service.kept(work))

    async def sign_in(self, request: Request) -> Response:
        """Take a token, which the browser keeps for this service alone."""
        if request.method == "GET":
            return self.frame.page(request, "sign-in.html", None, error=None)
        form = await request.form(max_files=0, max_fields=10)
        token = str(form.get("token", "")).strip()
        if await self.frame.look_up(token) is None:
            error = "the token is not known, is over or was revoked; look at it again"
            return self.frame.page(request, "sign-in.html", None, status=401, error=error)
        response = RedirectResponse("/jobs", 303)
        response.set_cookie(
            COOKIE, token, max_age=30 * _DAY, httponly=True, samesite="strict",
            secure=request.url.scheme == "https",
        )  # fmt: skip
        return response

    async def sign_out(self, request: Request) -> Response:
        """Forget the token."""
        del request
        response = RedirectResponse("/sign-in", 303)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return response

    async def jobs(self, request: Request) -> Response:
        """List the jobs and tables of whoever is signed in."""
        moment = await self.frame.moment(request)
        person = asker_of(request).person
        if person is None:
            return self.frame.page(request, "sign-in.html", moment, error=None)

        def look(cursor: Any) -> tuple[Any, Any, int]:
            return (
                jobs.listed(cursor, person.name, last=_LISTED),
                person_tables.visible_tables(cursor.connection, person.name),
                person_tables.used_bytes(cursor.connection, person.name),
            )

        found, tables, used = await self._kept(look)
        return self.frame.page(
            request, "jobs.html", moment, person=person, jobs=found, tables=tables, used=used,
            share=min(1.0, used / person.quota) if person.quota else 1.0,
        )  # fmt: skip

    async def job(self, request: Request) -> Response:
        """Show one job; its id is the key to it."""
        moment = await self.frame.moment(request)
        found = await self._kept(lambda c: jobs.find(c, request.path_params["job"]))
        _of(found, asker_of(request).person)
        return self.frame.page(request, "job.html", moment, job=found, ended=jobs.ENDED)

    async def change(self, request: Request) -> Response:
        """Stop or delete a job."""
        name, act = request.path_params["job"], request.path_params["act"]
        person = asker_of(request).person
        folder = self.frame.service.folder

        def work(cursor: Any) -> None:
            _of(jobs.find(cursor, name), person)
            if act == "delete":
                jobs.delete(cursor, name, folder)
            elif act == "stop":
                jobs.abort(cursor, name, "ended by its owner")

        await parameters_of(request)
        await self._kept(work)
        return RedirectResponse("/jobs" if act == "delete" else f"/jobs/{name}", 303)


def _of(job: jobs.Job, person: Person | None) -> None:
    """Refuse to show a job of somebody else, in the words of one that is not there.

    Raises
    ------
    NotFoundError
        If it belongs to another person.
    """
    if job.owner is not None and (person is None or person.name != job.owner):
        raise jobs.missing(job.job_id)
