"""What an answer says of itself, in every format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from skyledger.errors import SkyledgerError


@dataclass(frozen=True)
class Link:
    """A page about the answer; ``role`` is that of VOTable, such as ``doc``."""

    href: str
    title: str
    role: str = "doc"


@dataclass(frozen=True)
class ServiceDescriptor:
    """A service that takes values of the answer (DataLink 1.1, section 4).

    Parameters
    ----------
    name
        Name of the descriptor; a letter first.
    access_url
        Where it is called.
    inputs
        Parameter of the service: name of the column whose values it takes.
    fixed
        Parameter of the service: value it always gets.
    standard_id
        Identifier of the protocol, such as ``ivo://ivoa.net/std/DataLink#links-1.1``.
    """

    name: str
    access_url: str
    inputs: Mapping[str, str]
    fixed: Mapping[str, str] = field(default_factory=dict)
    standard_id: str | None = None
    description: str | None = None


@dataclass
class Statement:
    """Origin of an answer, and how it ended.

    Parameters
    ----------
    database
        Virtual database.
    instant
        Instant (TAI) at which the same query gives the same rows.
    query
        Text of the query as it was asked.
    citation, server
        Identifier of the citation, and of the server that answered.
    infos
        More (name, value) of the same kind.
    links, descriptors
        Pages and services; only VOTable (and Parquet, which holds its head) has a place for them.
    overflow
        Whether rows were cut off; to be set before the last chunk is handed over at the latest.
    failure
        Set by the writer: what ended the answer in the midst of its rows.
    """

    database: str | None = None
    instant: datetime | None = None
    query: str | None = None
    citation: str | None = None
    server: str | None = None
    infos: Sequence[tuple[str, str]] = ()
    links: Sequence[Link] = ()
    descriptors: Sequence[ServiceDescriptor] = ()
    overflow: bool = False
    failure: Exception | None = None

    def said(self) -> list[tuple[str, str]]:
        """Names and values of all that is known of the origin."""
        instant = self.instant.isoformat() if self.instant else None
        known = [
            ("database", self.database),
            ("asof", instant),
            ("query", self.query),
            ("citation", self.citation),
            ("server", self.server),
        ]
        return [(name, value) for name, value in known if value is not None] + list(self.infos)

    def status(self) -> tuple[str, str] | None:
        """QUERY_STATUS after the rows with its message, if it is no longer OK."""
        if self.failure is not None:
            return "ERROR", message(self.failure)
        if self.overflow:
            return "OVERFLOW", "more rows were found than are given"
        return None


def message(failure: Exception) -> str:
    """Sentence about a failure that may be shown to anybody."""
    if isinstance(failure, SkyledgerError):
        return str(failure)
    return "the server failed while it answered; ask again, and tell its operators if it stays so"
