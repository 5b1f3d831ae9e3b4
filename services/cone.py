"""Simple cone search (SCS 1.03) over every table that has a position.

``/scs/DATABASE[@INSTANT]/TABLE?RA=&DEC=&SR=[&VERB=][&MAXREC=]``; the query itself is ADQL and goes
the way of all queries.
"""

import math
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services import mydb
from services.adql import Catalogue, Table
from services.people import asker_of
from services.tap.parameters import (
    DEFAULT_ROWS,
    Parameters,
    QueryRequest,
    limit_of,
    with_instant,
)
from services.tap.requests import refusing
from services.tap.service import TapService
from services.tap.streaming import in_thread, streamed
from skyledger import virtual
from skyledger.errors import NotFoundError, UsageError
from skyledger.virtual import VirtualDatabase


def _number(given: Mapping[str, str], name: str, low: float, high: float) -> float:
    """Read a coordinate in degrees.

    Raises
    ------
    UsageError
        If it is missing, no number, or out of range.
    """
    text = given.get(name, "").strip()
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        said = f"{name} is {text[:40]!r}" if text else f"{name} is missing"
        raise UsageError(f"{said}; give decimal degrees from {low:g} to {high:g}")
    return value


def _columns(table: Table, verbosity: int) -> list[str]:
    """Columns of an answer: the key and the position, the principal ones, or all (SCS 2.3)."""
    lon, lat = table.spatial[0]
    first = {*table.key[:1], lon, lat}
    plain = not any(c.principal for c in table.columns)  # nobody has said which ones matter
    shown = [
        c.name
        for c in table.columns
        if verbosity >= 3 or c.sql in first or (verbosity == 2 and (c.principal or plain))
    ]
    return [f'"{name}"' if not name.isidentifier() else name for name in shown]


def query(catalogue: Catalogue, database: VirtualDatabase, name: str, given: Parameters) -> str:
    """Write the query of a cone search.

    Parameters
    ----------
    catalogue
        What can be asked.
    name
        Table of the database.
    given
        RA, DEC, SR [deg] and VERB (1 to 3).

    Raises
    ------
    NotFoundError
        If there is no such table, or it has no position.
    UsageError
        If a parameter is missing or wrong.
    """
    table = catalogue.find(name, database.name)
    if table is None or not table.spatial:
        known = sorted(
            t.name for t in catalogue.tables.values() if t.schema == database.name and t.spatial
        )
        raise NotFoundError(
            f"{database.name} has no table {name[:60]!r} with positions; it has {', '.join(known)}"
        )
    ra = _number(given, "RA", 0, 360)
    dec = _number(given, "DEC", -90, 90)
    radius = _number(given, "SR", 0, 180)
    verbosity = given.get("VERB", "2").strip()
    if verbosity not in {"1", "2", "3"}:
        raise UsageError(f"VERB is {verbosity[:40]!r}; give 1, 2 or 3")
    lon, lat = table.spatial[0]
    return (
        f"SELECT {', '.join(_columns(table, int(verbosity)))} FROM {table.full_name} "
        f"WHERE 1 = CONTAINS(POINT({lon}, {lat}), CIRCLE({ra!r}, {dec!r}, {radius!r}))"
    )


class ConeRoutes:
    """Handlers of cone searches."""

    def __init__(self, service: TapService) -> None:
        self.service = service

    def routes(self) -> list[Route]:
        """All addresses, to be mounted at ``/scs``."""
        return [Route("/{database}/{table}", refusing(self.search), methods=["GET", "POST"])]

    async def search(self, request: Request) -> Response:
        """Answer a cone search."""
        given = Parameters(list(request.query_params.multi_items()))
        try:
            database = virtual.parse(request.path_params["database"])
        except UsageError as error:
            raise NotFoundError(f"there is no cone search here: {error}") from error
        catalogue: Any = await in_thread(self.service, self.service.catalogue)
        if mydb.is_person(database.name):
            person = asker_of(request).name
            tables = await in_thread(self.service, lambda: self.service.visible(person))
            mydb.check(database.name, tables, person)
            catalogue = catalogue.plus(*tables)
        limit = limit_of(given)
        asked = QueryRequest(
            database=with_instant(database, given),
            query=query(catalogue, database, request.path_params["table"], given),
            limit=DEFAULT_ROWS if limit is None else limit,
            format=given.get("RESPONSEFORMAT"),
        )
        return streamed(self.service, request, asked, [], door="scs")
