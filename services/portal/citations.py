"""Citations: a query, its instant and what came out, under a short name; and the look back."""

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services import citation
from services.adql import translate
from services.portal.frame import Frame
from services.tap.requests import parameters_of
from skyledger import virtual
from skyledger.errors import UsageError

_SAID = {
    "identical": "The answer is identical, to the last bit.",
    "same data": "The rows are the same; a view, a function or the schema has changed since.",
    "different": "The answer is different from the one that was cited.",
}


class CitationPages:
    """Handlers of citations."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    def routes(self) -> list[Route]:
        """All addresses."""
        shown = self.frame.shown
        return [
            Route("/cite", shown(self.cite), methods=["POST"]),
            Route("/cite/{name}", shown(self.about)),
            Route("/cite/{name}/check", shown(self.check), methods=["POST"]),
        ]

    def _asked(self, work: Any) -> Any:
        with self.frame.service.readers.session() as connection:
            return work(connection)

    async def cite(self, request: Request) -> Response:
        """Keep a query, or an ADQL query translated, under a short name."""
        given, _ = await parameters_of(request)
        database = virtual.parse(given.get("DB", ""))
        text, language = given.get("Q", ""), given.get("LANG", "sql").lower()
        if database.instant is None:
            raise UsageError(f"{database} names no instant; a citation is about one")
        if not text.strip():
            raise UsageError("there is no query to cite")

        def make() -> str:
            query = text
            if language == "adql":
                # What is cited stands for itself: the instant is that of the citation.
                found = translate(
                    text, self.frame.service.catalogue().within(database.name), None,
                    rows=1_000_000, now=database.instant,
                )  # fmt: skip
                query = found.sql
            return str(self._asked(lambda c: citation.cite(c, query, database)).citation)

        return RedirectResponse(f"/cite/{await self.frame.within(make)}", 303)

    async def about(self, request: Request) -> Response:
        """Show a citation, ready to be pasted."""
        found = await self._found(request)
        return self._page(request, found, None)

    async def check(self, request: Request) -> Response:
        """Ask the cited query again and say what became of its answer."""
        name = request.path_params["name"]
        checked = await self.frame.within(lambda: self._asked(lambda c: citation.verify(c, name)))
        return self._page(request, checked.citation, checked)

    async def _found(self, request: Request) -> citation.Citation:
        name = request.path_params["name"]
        found: citation.Citation = await self.frame.within(
            lambda: self._asked(lambda c: citation.look_up(c, name))
        )
        return found

    def _page(
        self, request: Request, found: citation.Citation, checked: citation.Verification | None
    ) -> Response:
        address = f"{request.url.scheme}://{request.url.netloc}/cite/{found.citation}"
        day = found.instant.date().isoformat()
        sentence = (
            f"Skyledger, database {found.database} as known at {found.instant.isoformat()} (TAI), "
            f"query {found.citation}, {found.rows} rows, SHA-256 {found.checksum}, {address}"
        )
        bibtex = (
            f"@misc{{skyledger:{found.citation},\n"
            f"  title        = {{Skyledger query {found.citation}}},\n"
            f"  howpublished = {{\\url{{{address}}}}},\n"
            f"  year         = {{{found.instant.year}}},\n"
            f"  note         = {{Database {found.database} as known at "
            f"{found.instant.isoformat()} (TAI), {found.rows} rows, SHA-256 {found.checksum}}}\n}}"
        )
        verdict = None if checked is None else (checked.verdict, _SAID[checked.verdict])
        return self.frame.page(
            request, "cite.html", None, cited=found, sentence=sentence, bibtex=bibtex, day=day,
            verdict=verdict, checked=checked,
        )  # fmt: skip
