"""What is known of a DIAObject at an instant: its row, its neighbours, its versions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services import light_curves
from services.drawing.sky import Neighbour
from services.light_curves import LightCurve
from skyledger import answers
from skyledger.errors import NotFoundError
from skyledger.virtual import VirtualDatabase

_VERSIONS = """
SELECT o.createdtai AS tai, e.kind, o.ndiasources AS sources, o.ra, o.decl
FROM prompt_history.DIAObject AS o
LEFT JOIN ledger.epoch AS e ON e.epochtai = o.createdtai
WHERE o.diaobjectid = {} AND o.createdtai <= ledger.horizon()
ORDER BY o.createdtai
"""
_AROUND = """
SELECT objectId, ra, decl, extendedness FROM Object
WHERE science.in_cone(ra, decl, {}, {}, 60)
"""
_CAUSES = {
    "visit": "a visit",
    "precovery": "precovery",
    "relink": "sources linked anew",
    "withdrawal": "a visit withdrawn",
    "template": "a new template",
}


@dataclass(frozen=True)
class Version:
    """A version of an object: from ``since`` on [ledger time, TAI], by ``cause``."""

    number: int
    since: datetime
    cause: str
    sources: int


@dataclass(frozen=True)
class Known:
    """A DIAObject as it was known.

    Attributes
    ----------
    row
        Column by name; what is missing is None.
    units
        Unit of a column, where it has one.
    number
        Which of the versions is shown, from 1.
    """

    object_id: int
    row: dict[str, Any]
    units: dict[str, str | None]
    curve: LightCurve
    neighbours: tuple[dict[str, Any], ...]
    around: tuple[Neighbour, ...]
    versions: tuple[Version, ...]
    number: int


def rows(connection: Any, query: str, database: VirtualDatabase) -> list[dict[str, Any]]:
    """Rows of a query by column name."""
    answer = answers.run(connection, query, database)
    names = [c.name for c in answer.columns]
    return [dict(zip(names, row, strict=True)) for row in answer.rows]


def versions(connection: Any, object_id: int) -> tuple[Version, ...]:
    """Every version there ever was of an object, oldest first."""
    found = answers.run(connection, _VERSIONS.format(int(object_id)), VirtualDatabase("prompt"))
    return tuple(
        Version(k, tai, _CAUSES.get(kind or "", kind or "unknown"), sources)
        for k, (tai, kind, sources, *_) in enumerate(found.rows, 1)
    )


def read(
    connection: Any, object_id: int, database: VirtualDatabase, *, total: bool = False,
    release: str | None = None,
) -> Known:  # fmt: skip
    """Read all that a page about a DIAObject shows.

    Raises
    ------
    NotFoundError
        If it was not known at that instant; the message says when it was.
    """
    history = versions(connection, object_id)
    answer = answers.run(
        connection, f"SELECT * FROM DIAObject WHERE diaObjectId = {int(object_id)}", database
    )
    if not answer.rows:
        raise NotYetError(object_id, history, answer.instant)
    row = dict(zip([c.name for c in answer.columns], answer.rows[0], strict=True))
    at = VirtualDatabase(database.name, answer.instant)
    curve = light_curves.read(connection, object_id, at, total=total)
    near = rows(
        connection,
        "SELECT objectId, isGalaxy, dist, lnP FROM DIAObjectMatch "
        f"WHERE diaObjectId = {int(object_id)} ORDER BY dist, objectId",
        at,
    )
    return Known(
        object_id,
        row,
        {c.name: c.unit for c in answer.columns},
        curve,
        tuple(near),
        _around(connection, release, row["ra"], row["decl"]) if release else (),
        history,
        sum(v.since <= answer.instant for v in history),
    )


class NotYetError(NotFoundError):
    """An object is not known at the instant of a page; ``first`` is when it was first."""

    def __init__(self, object_id: int, history: tuple[Version, ...], instant: datetime) -> None:
        self.first = history[0].since if history else None
        after = self.first is not None and self.first > instant
        super().__init__(
            f"DIAObject {object_id} was not known on {instant.isoformat(' ', 'seconds')} (TAI)"
            + (
                f"; it was found on {self.first.isoformat(' ', 'seconds')}"
                if after and self.first
                else "; its sources belong to other objects now"
                if history
                else "; no DIAObject of this archive has that number"
            )
        )


def _around(connection: Any, release: str, ra: float, decl: float) -> tuple[Neighbour, ...]:
    """Objects of a release within an arcminute, for the picture of the sky."""
    found = rows(
        connection,
        _AROUND.format(repr(ra), repr(decl)),
        VirtualDatabase(release),
    )
    return tuple(
        Neighbour(
            "galaxy" if (one.get("extendedness") or 0) > 0.5 else "star",
            one["ra"],
            one["decl"],
            f"{release} {one['objectId']}",
        )
        for one in found
    )
