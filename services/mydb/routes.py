"""Addresses of MyDB: ``/mydb``, ``/groups``, and ``tables`` as CADC's TAP services have it."""

import re
import tempfile
from collections.abc import Callable
from typing import Any, BinaryIO

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services import mydb, uploads
from services.mydb import definition, page
from services.people import asker_of, refuse_secrets
from services.tap.requests import parameters_of, refusing
from services.tap.service import TapService
from services.tap.streaming import in_query_thread, in_thread
from skyledger import people, person_tables
from skyledger.errors import ForbiddenError, NotFoundError, UsageError
from skyledger.people import Person
from skyledger.person_tables import PersonTable

_PLACE = re.compile(r"(?i:mydb_)([A-Za-z0-9_]{1,40})\.([A-Za-z][A-Za-z0-9_]{0,62})", re.ASCII)
_FORMATS = {
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "votable": "application/x-votable+xml",
    "fits": "application/fits",
    "parquet": "application/vnd.apache.parquet",
}
_MEMORY = 4 << 20


class MyDbRoutes:
    """Handlers of the requests about tables of people."""

    def __init__(self, service: TapService) -> None:
        self.service = service

    def routes(self) -> list[Route]:
        """All addresses."""
        handlers: list[tuple[str, Any, list[str]]] = [
            ("/mydb", self.tables, ["GET"]),
            ("/mydb/{table}", self.table, ["GET"]),
            ("/mydb/{table}", self.make, ["PUT"]),
            ("/mydb/{table}", self.drop, ["DELETE"]),
            ("/mydb/{table}/shares", self.share, ["POST"]),
            ("/mydb/{table}/shares/{kind}", self.unshare, ["DELETE"]),
            ("/mydb/{table}/shares/{kind}/{grantee}", self.unshare, ["DELETE"]),
            ("/groups", self.groups, ["GET"]),
            ("/groups", self.add_group, ["POST"]),
            ("/groups/{group}", self.drop_group, ["DELETE"]),
            ("/groups/{group}/members", self.add_member, ["POST"]),
            ("/groups/{group}/members/{person}", self.remove_member, ["DELETE"]),
        ]
        return [
            Route(path, refusing(handler, json=True), methods=methods)
            for path, handler, methods in handlers
        ]

    def tap_routes(self) -> list[Route]:
        """Addresses beside those of TAP, for pyvo's ``create_table`` and ``remove_table``."""
        return [
            Route("/{database}/tables/{table}", refusing(self.make), methods=["PUT"]),
            Route("/{database}/tables/{table}", refusing(self.drop), methods=["DELETE"]),
            Route("/{database}/load/{table}", refusing(self.append), methods=["POST"]),
            Route("/{database}/table-update", refusing(self.append), methods=["POST"]),
        ]

    async def _kept(self, work: Callable[[Any], Any]) -> Any:
        """Do ``work(connection)`` in a session of the service, in a thread, and commit."""
        try:
            return await in_thread(
                self.service, lambda: self.service.kept(lambda cursor: work(cursor.connection))
            )
        except ValueError as error:  # psycopg2 sends no text with a zero byte in it
            raise UsageError(f"a name is none: {error}") from None

    # Tables.

    async def tables(self, request: Request) -> Response:
        """List the tables of a person, those shared with him, and what is used of the quota."""
        person = _person(request)

        def look(connection: Any) -> tuple[list[PersonTable], int]:
            tables = person_tables.visible_tables(connection, person.name)
            return tables, person_tables.used_bytes(connection, person.name)

        found, used = await self._kept(look)
        if "text/html" in request.headers.get("accept", ""):
            return page.shown(person, used, found)
        own = [t for t in found if t.owner == person.name]
        return JSONResponse(
            {
                "person": person.name,
                "schema": people.role(person.name),
                "quota_bytes": person.quota,
                "used_bytes": used,
                "tables": [_told(t) for t in own],
                "shared_with_me": [_told(t) for t in found if t not in own],
            }
        )

    async def _found(self, person: Person, schema: str, name: str) -> PersonTable:
        for table in await self._kept(lambda c: person_tables.visible_tables(c, person.name)):
            if (table.schema, table.name) == (schema, name):
                return table  # type: ignore[no-any-return]
        raise NotFoundError(f"there is no table {schema}.{name} that {person.name} may see")

    async def table(self, request: Request) -> Response:
        """Say what a table holds; its rows are had by a query."""
        person = _person(request)
        table = await self._found(person, *_place(request, person))
        return JSONResponse(_told(table, columns=True))

    async def make(self, request: Request) -> Response:
        """Make a table of the body of the request."""
        person = _person(request)
        name = mydb.target(request.path_params["table"], person.name)
        _own_database(request, person)
        given = dict(request.query_params)
        refuse_secrets(given)
        kind = request.headers.get("content-type")
        asked = next((v for k, v in given.items() if k.upper() == "FORMAT"), None)
        if asked is not None:
            kind = _FORMATS.get(asked.strip().lower())
            if kind is None:
                raise UsageError(f"FORMAT is {asked[:40]!r}; write {', '.join(_FORMATS)}")
        words = next((v for k, v in given.items() if k.upper() == "DESCRIPTION"), "")
        said = " ".join("".join(c if c.isprintable() else " " for c in words).split())
        ended = await self.service.gate.place(asker_of(request))
        try:
            with tempfile.SpooledTemporaryFile(_MEMORY) as body:
                async for piece in request.stream():
                    body.write(piece)
                body.seek(0)
                made = await in_query_thread(
                    self.service, lambda: self._make(person, name, body, kind, said)
                )
        finally:
            ended()
        address = f"{request.url.scheme}://{request.url.netloc}/mydb/{name}"
        table = await self._found(person, people.role(person.name), made.name.partition(".")[2])
        return JSONResponse(_told(table, columns=True), 201, {"Location": address})

    def _make(self, person: Person, name: str, body: Any, kind: str | None, said: str) -> mydb.Made:
        begin = body.read(4096)
        body.seek(0)
        if definition.is_definition(begin) and b"<html" not in begin.lower():
            read = definition.read(body.read(definition.MOST_BYTES + 1), name)
        else:
            source: BinaryIO = body
            read = uploads.read(source, name, media_type=kind)
        return mydb.load(self.service.loaders, person, name, read, said)

    async def append(self, request: Request) -> Response:
        """Say how rows come into a table."""
        _person(request)
        raise UsageError(
            "tables are made once, with their rows, and do not change after: send the whole table "
            "to create it (a VOTable, FITS, CSV or Parquet file by PUT); positions are indexed then"
        )

    async def drop(self, request: Request) -> Response:
        """Drop a table."""
        person = _person(request)
        _own_database(request, person)
        schema, name = _place(request, person)
        await self._kept(lambda c: person_tables.drop_table(c, schema, name, person.name))
        return Response(status_code=204)

    async def share(self, request: Request) -> Response:
        """Let a person, a group or everyone read a table."""
        person = _person(request)
        given, _ = await parameters_of(request)
        named: list[tuple[Any, str | None]] = [
            (k, given[k.upper()].strip()) for k in ("person", "group") if k.upper() in given
        ]
        if given.get("EVERYONE", "").strip().lower() in {"true", "1", "yes"}:
            named.append(("everyone", None))
        if len(named) != 1:
            raise UsageError("say with whom: one of person=NAME, group=NAME, everyone=true")
        schema, name = _place(request, person)
        await self._kept(
            lambda c: person_tables.share_table(c, schema, name, *named[0], by=person.name)
        )
        return JSONResponse(_told(await self._found(person, schema, name)))

    async def unshare(self, request: Request) -> Response:
        """Take a share back."""
        person = _person(request)
        kind: Any = request.path_params["kind"]
        grantee = request.path_params.get("grantee")
        schema, name = _place(request, person)
        await self._kept(
            lambda c: person_tables.unshare_table(c, schema, name, kind, grantee, person.name)
        )
        return Response(status_code=204)

    # Groups.

    async def groups(self, request: Request) -> Response:
        """List the groups of a person."""
        person = _person(request)

        found = await self._kept(lambda c: people.groups(c, person.name))
        return JSONResponse(
            {
                "groups": [
                    {
                        "name": g.name, "owner": g.owner, "description": g.description,
                        "members": list(g.members),
                    }
                    for g in found
                ]
            }
        )  # fmt: skip

    async def add_group(self, request: Request) -> Response:
        """Make a group, whose first member is the person who makes it."""
        person = _person(request)
        given, _ = await parameters_of(request)
        name = given.get("NAME", "").strip()
        if not name:
            raise UsageError("name is missing; send name=GROUP, and description= if you like")
        said = given.get("DESCRIPTION", "")
        await self._kept(lambda c: people.add_group(c, name, person.name, said))
        return JSONResponse({"name": name, "owner": person.name}, 201)

    async def drop_group(self, request: Request) -> Response:
        """Take a group away."""
        person = _person(request)
        group = request.path_params["group"]
        await self._kept(lambda c: people.drop_group(c, group, person.name))
        return Response(status_code=204)

    async def add_member(self, request: Request) -> Response:
        """Add somebody to a group."""
        person = _person(request)
        given, _ = await parameters_of(request)
        name = given.get("PERSON", "").strip()
        if not name:
            raise UsageError("person is missing; send person=NAME")
        group = request.path_params["group"]
        await self._kept(lambda c: people.add_member(c, group, name, person.name))
        return JSONResponse({"group": group, "person": name}, 201)

    async def remove_member(self, request: Request) -> Response:
        """Take somebody out of a group."""
        person = _person(request)
        group, name = request.path_params["group"], request.path_params["person"]
        await self._kept(lambda c: people.remove_member(c, group, name, person.name))
        return Response(status_code=204)


def _person(request: Request) -> Person:
    return asker_of(request).must_be_known("MyDB")


def _place(request: Request, person: Person) -> tuple[str, str]:
    """Return schema and name of the table of a request; others' for operators and readers."""
    text = request.path_params["table"]
    match = _PLACE.fullmatch(text)
    if match is None or match[1].lower() == person.name:
        return people.role(person.name), mydb.target(text, person.name)
    if request.method == "GET" or person.role == "operator":
        return f"mydb_{match[1].lower()}", match[2].lower()
    raise ForbiddenError(f"{text[:100]!r} belongs to somebody else; only its owner can change it")


def _own_database(request: Request, person: Person) -> None:
    """Refuse the address of a TAP service of somebody else."""
    database = request.path_params.get("database", "").partition("@")[0]
    own = people.role(person.name)
    if mydb.is_person(database) and database != own and person.role != "operator":
        raise ForbiddenError(f"{database} is not the schema of {person.name}, {own} is")


def _told(table: PersonTable, *, columns: bool = False) -> dict[str, Any]:
    """Say what is known of a table, for JSON."""
    found: dict[str, Any] = {
        "name": table.table.full_name,
        "owner": table.owner,
        "description": table.description,
        "rows": table.rows,
        "bytes": table.bytes,
        "created_tai": table.created.isoformat(),
        "origin": table.origin,
        "shared_with": None if table.shared_with is None else list(table.shared_with),
    }
    if table.origin == "query":
        found |= {
            "query": table.query,
            "database": table.database,
            "asof": table.instant.isoformat() if table.instant else None,
        }
    if columns:
        found["columns"] = [
            {
                "name": c.name, "datatype": datatype, "arraysize": arraysize, "xtype": c.xtype,
                "unit": c.unit, "ucd": c.ucd, "description": c.description, "indexed": c.indexed,
            }
            for c, datatype, arraysize in zip(
                table.columns, table.datatypes, table.arraysizes, strict=True
            )
        ]  # fmt: skip
    return found
