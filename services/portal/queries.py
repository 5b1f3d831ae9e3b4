"""The query page: a question in ADQL, asked at the instant of the page, and views of its answer."""

import asyncio
import hashlib
import json
import re
from typing import Any
from urllib.parse import quote

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from services import light_curves
from services.adql import AdqlError, Table, translate
from services.drawing import light_curve, scatter, svg
from services.people import asker_of
from services.portal import addresses, copying
from services.portal.frame import Frame, markup, packed
from services.portal.instants import Moment
from services.portal.results import PAGE, Result, Results
from services.tap.examples import EXAMPLES
from services.tap.parameters import MOST_CHARACTERS
from services.tap.requests import parameters_of
from services.tap.streaming import in_query_thread
from skyledger.errors import LimitError, NotFoundError, SkyledgerError, UsageError

VIEWS = {"table": "Table", "curves": "Light curves", "cmd": "Colour\u2013magnitude", "sky": "Sky"}
_CURVES = 24
_FIRST = (
    "SELECT TOP 500 diaObjectId, ra, decl, nDiaSources, lastDiaSourceTai, gTotFluxMean,\n"
    "  rTotFluxMean\nFROM prompt.DIAObject\nWHERE nDiaSources > 3\nORDER BY nDiaSources DESC,"
    " diaObjectId"
)
_PLACE = re.compile(r"line (\d+), column (\d+)")
_LINKED = ("diaobjectid",)


class QueryPages:
    """Handlers of the query page."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.results = Results(frame.service)
        self._named: tuple[Any, str, bytes] | None = None

    def routes(self) -> list[Route]:
        """All addresses."""
        shown = self.frame.shown
        return [
            Route("/query", shown(self.query), methods=["GET", "POST"]),
            Route("/query/check", shown(self.check), methods=["POST"]),
            Route("/query/names/{digest}.json", shown(self.names)),
        ]

    async def query(self, request: Request) -> Response:
        """Show the editor and, if a query is given, its answer."""
        if request.method == "POST":  # too long for a link, or sent by the button
            given, _ = await parameters_of(request)
            text = given.get("Q", "")
            asof = given.get("ASOF", "").strip() or None
            if len(quote(text)) <= 4096:
                where = {"asof": asof, "q": text, "db": given.get("DB", "prompt")}
                return RedirectResponse(addresses.with_query("/query", where), 303)
        else:
            text = request.query_params.get("q", "")
        if len(text) > MOST_CHARACTERS:
            raise LimitError(
                f"the query has {len(text):,} characters, {MOST_CHARACTERS:,} are allowed"
            )
        moment = await self.frame.moment(request)
        tables = await self.frame.within(self._tables)
        digest, _ = await self.frame.within(self._names)
        shown = {
            "digest": digest,
            "text": text or _FIRST, "tables": tables, "examples": EXAMPLES, "views": VIEWS,
            "error": None, "result": None,
        }  # fmt: skip
        if not text.strip():
            return self.frame.page(request, "query.html", moment, **shown)
        try:
            result = await self._answer(request, text, moment)
            shown |= await self._seen(request, result, moment)
        except SkyledgerError as error:  # the text stays where it was typed
            shown |= {"error": str(error)}
            status = 400
        else:
            status = 200
        return self.frame.page(request, "query.html", moment, status=status, **shown)

    async def check(self, request: Request) -> Response:
        """Say whether a query is understood, without running it."""
        given, _ = await parameters_of(request)
        text = given.get("Q", "")

        def look() -> dict[str, Any]:
            catalogue = self.frame.service.catalogue()
            try:
                found = translate(text, catalogue.within("prompt"), None, rows=1)
            except AdqlError as error:
                place = _PLACE.match(str(error))
                line, column = (int(place[1]), int(place[2])) if place else (None, None)
                return {"said": str(error), "line": line, "column": column}
            except SkyledgerError as error:
                return {"said": str(error), "line": None}
            columns = len(found.columns)
            return {"said": f"Valid ADQL 2.1, {columns} column{'s' if columns != 1 else ''}"}

        return JSONResponse(await self.frame.within(look) if text.strip() else {"said": ""})

    async def names(self, request: Request) -> Response:
        """Send every table and column with unit and meaning, for completion; kept by its hash."""
        digest, content = await self.frame.within(self._names)
        response = Response(media_type="application/json")
        if digest == request.path_params["digest"]:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.body = packed(request.scope, content, response.headers)
        response.headers["Content-Length"] = str(len(response.body))
        return response

    def _names(self) -> tuple[str, bytes]:
        catalogue = self.frame.service.catalogue()
        if self._named is None or self._named[0] is not catalogue:
            found = {
                t.full_name: [[c.name, c.unit or "", c.description or ""] for c in t.columns]
                for t in catalogue.tables.values()
            }
            content = json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()
            self._named = (catalogue, hashlib.sha256(content).hexdigest()[:16], content)
        return self._named[1], self._named[2]

    def _tables(self) -> list[dict[str, Any]]:
        """Schemas, tables and columns, for the browser beside the editor."""
        schemas: dict[str, list[Table]] = {}
        for table in self.frame.service.catalogue().tables.values():
            schemas.setdefault(table.schema, []).append(table)
        first = ["prompt", *sorted(s for s in schemas if s != "prompt")]
        return [
            {"name": s, "tables": sorted(schemas[s], key=lambda t: t.name)}
            for s in first
            if s in schemas
        ]

    async def _answer(self, request: Request, text: str, moment: Moment) -> Result:
        asker = asker_of(request)
        service = self.frame.service
        ended = await service.gate.place(asker)
        try:
            found: Result = await in_query_thread(
                service, lambda: self.results.answer(text, moment.fixed, asker)
            )
        finally:
            ended()
        return found

    async def _seen(self, request: Request, result: Result, moment: Moment) -> dict[str, Any]:
        """Gather what a view shows of an answer."""
        view = request.query_params.get("view", "table")
        if view not in VIEWS:
            raise UsageError(f"there is no view {view[:20]!r}; there is {', '.join(VIEWS)}")
        selected = _row(request.query_params.get("row", ""), result.rows)
        base = f"{request.url.scheme}://{request.url.netloc}"
        link = addresses.changed(request, asof=moment.at.isoformat())
        shown: dict[str, Any] = {
            "result": result, "view": view, "selected": selected,
            "recipes": copying.of_query(base, moment.fixed, result.query, link),
            "download": addresses.with_query(
                f"/tap/{moment.fixed}/sync", {"LANG": "ADQL", "QUERY": result.query}
            ),
        }  # fmt: skip
        if view == "table":
            return shown | _table(request, result, moment)
        draw = {"curves": self._curves, "cmd": self._diagram, "sky": self._sky}[view]
        return shown | await asyncio.to_thread(draw, request, result, moment, selected)

    def _curves(
        self, _request: Request, result: Result, moment: Moment, _selected: int | None
    ) -> dict[str, Any]:
        place = result.place("diaObjectId")
        if place is None:
            raise NotFoundError("there is no column diaObjectId in the answer: add it to the query")
        ids = list(dict.fromkeys(int(i) for i in result.values[place].compressed()))
        drawn = []
        with self.frame.service.readers.session() as connection:
            for number in ids[:_CURVES]:
                try:
                    curve = light_curves.read(connection, number, moment.fixed)
                except NotFoundError:
                    continue
                picture = light_curve.draw(curve, width=380, height=230, symbols=False)
                drawn.append({"id": number, "picture": markup(picture)})
        marks = markup(
            f'<svg width="0" height="0" aria-hidden="true">{svg.symbols([*svg.BANDS])}</svg>'
        )
        return {"drawn": drawn, "objects": len(ids), "marks": marks}

    def _diagram(
        self, request: Request, result: Result, _moment: Moment, selected: int | None
    ) -> dict[str, Any]:
        numeric = [k for k in range(len(result.columns)) if result.numbers(k) is not None]
        if not numeric:
            raise NotFoundError("the answer has no column of numbers to draw")
        guess = _axes(result, numeric)
        axes = []
        for name, wanted in zip(("across", "down"), guess, strict=True):
            place = result.place(request.query_params.get(name, ""))
            axes.append(place if place in numeric else wanted)
        picture = _scatter(result, axes[0], axes[1], selected)
        columns = [result.columns[k].name for k in numeric]
        return {
            "picture": markup(picture), "columns": columns,
            "axes": [result.columns[k].name for k in axes],
        }  # fmt: skip

    def _sky(
        self, _request: Request, result: Result, _moment: Moment, selected: int | None
    ) -> dict[str, Any]:
        ra = result.place("ra")
        decl = result.place("decl")
        decl = result.place("dec") if decl is None else decl
        if ra is None or decl is None:
            raise NotFoundError("there are no columns ra and decl in the answer: add them")
        return {"picture": markup(_scatter(result, ra, decl, selected, sky=True)), "axes": None}


def _row(text: str, rows: int) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and int(text[:9]) < rows else None


def _axes(result: Result, numeric: list[int]) -> tuple[int, int]:
    """Columns that make a sensible diagram: by unit and name, else the first two."""
    magnitudes = [k for k in numeric if result.columns[k].unit == "mag"]
    fluxes = [k for k in numeric if result.columns[k].unit == "nJy"]
    positions = [k for k in numeric if result.columns[k].unit == "deg"]
    for found in (magnitudes, fluxes, positions, numeric):
        if len(found) >= 2:
            return found[0], found[1]
    return numeric[0], numeric[0]


def _label(result: Result, place: int) -> str:
    column = result.columns[place]
    return f"{column.name}, {column.unit}" if column.unit else column.name


def _scatter(
    result: Result, across: int, down: int, selected: int | None, *, sky: bool = False
) -> str:
    x, y = result.numbers(across), result.numbers(down)
    if x is None or y is None:
        raise UsageError("a diagram is drawn of two columns of numbers")
    names = [f"row {k + 1}" for k in range(result.rows)] if result.rows <= scatter.MARKS else None
    return scatter.draw(
        x, y, (_label(result, across), _label(result, down)),
        x_down=sky, y_down=result.columns[down].unit == "mag", names=names, marked=selected,
    )  # fmt: skip


def _shown(value: Any) -> str:
    """Write a value for people, without losing what tells it from others."""
    if value is None or value is np.ma.masked:
        return ""
    if isinstance(value, (float, np.floating)):
        digits = 7 if isinstance(value, np.float32) else 12
        return f"{value:.{digits}g}".replace("-", "\u2212")
    if isinstance(value, np.ndarray):
        return f"{value.size} values"
    if isinstance(value, np.datetime64):
        return str(value).replace("T", " ")
    return str(value)[:300]


def _table(request: Request, result: Result, moment: Moment) -> dict[str, Any]:
    given = request.query_params
    sort = given.get("sort", "")
    down = sort.startswith("-")
    place = result.place(sort.lstrip("-")) if sort else None
    if sort and place is None:
        raise UsageError(f"there is no column {sort.lstrip('-')[:60]!r} to sort by")
    order = np.arange(result.rows) if place is None else result.order(place, down=down)
    pages = max(1, -(-result.rows // PAGE))
    page = min(max(_row(given.get("page", ""), 10**8) or 1, 1), pages)
    rows = order[(page - 1) * PAGE : page * PAGE]
    columns = []
    for k, column in enumerate(result.columns):
        values = result.values[k] if result.values else np.ma.array([])
        sorted_by = place == k
        turned = "-" if sorted_by and not down else ""
        columns.append({
            "name": column.name, "unit": column.unit or "", "said": column.description or "",
            "number": values.dtype.kind in "iuf" and column.name.lower() not in _LINKED,
            "on": ("descending" if down else "ascending") if sorted_by else "none",
            "address": addresses.changed(request, page=None, sort=turned + column.name),
        })  # fmt: skip
    linked = {k for k, c in enumerate(result.columns) if c.name.lower() in _LINKED}
    asof = f"?asof={moment.at.isoformat()}" if moment.past else ""

    def cell(k: int, row: int) -> tuple[str, str | None]:
        text = _shown(result.values[k][row])
        return text, f"/object/prompt/{text}{asof}" if k in linked and text else None

    return {
        "head": columns,
        "body": [(int(r), [cell(k, r) for k in range(len(columns))]) for r in rows],
        "page": page, "pages": pages,
        "before": addresses.changed(request, page=page - 1) if page > 1 else None,
        "after": addresses.changed(request, page=page + 1) if page < pages else None,
    }  # fmt: skip
