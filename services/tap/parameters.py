"""Parameters of TAP requests, checked before anything is done (DALI 1.1 section 3, TAP 1.1).

Names are understood in any case. What is missing, given twice or not understood is refused with
what would be right; unknown parameters are ignored, as DALI wants it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from skyledger import virtual
from skyledger.errors import LimitError, UsageError
from skyledger.virtual import VirtualDatabase

DEFAULT_ROWS = 1_000_000  # of an answer when the request does not say
MOST_ROWS = 20_000_000
MOST_CHARACTERS = 1_000_000  # of a query
_LANGUAGES = {"ADQL", "ADQL-2.0", "ADQL-2.1"}
_UPLOAD = re.compile(r"^([A-Za-z][A-Za-z0-9_]{0,50}),\s*((?:param:|https?://).+)$", re.DOTALL)
# Parameters that may be given once only.
_SINGLE = ("LANG", "QUERY", "MAXREC", "RESPONSEFORMAT", "FORMAT", "ASOF", "RUNID", "REQUEST",
           "DESTINATION", "PHASE", "DESTRUCTION", "EXECUTIONDURATION")  # fmt: skip


class Parameters(Mapping[str, str]):
    """Parameters of a request by upper-case name; ``all`` gives every value of one."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name.upper(), []).append(value)
        for name in _SINGLE:
            if len(set(self._values.get(name, []))) > 1:
                raise UsageError(f"{name} is given {len(self._values[name])} times; give it once")

    def __getitem__(self, name: str) -> str:
        return self._values[name][-1]

    def __iter__(self):  # type: ignore[no-untyped-def] # noqa: ANN204
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def all(self, name: str) -> list[str]:
        """Every value of a parameter."""
        return self._values.get(name, [])


@dataclass(frozen=True)
class QueryRequest:
    """What a TAP query asks for.

    Attributes
    ----------
    database
        Virtual database with its instant, from the path or from ``ASOF``.
    query
        ADQL text.
    limit
        Rows at most (``MAXREC``); 0 asks for the metadata alone, None leaves it to ``TOP`` or, if
        the query has none, to `DEFAULT_ROWS`.
    format
        Value of ``RESPONSEFORMAT``, or None.
    uploads
        Name in ``tap_upload`` and where the table comes from: ``param:PART`` or an address.
    destination
        Value of ``DESTINATION``: the table of the person that the answer shall become.
    """

    database: VirtualDatabase
    query: str
    limit: int | None
    format: str | None
    uploads: tuple[tuple[str, str], ...] = field(default=())
    destination: str | None = None


def with_instant(database: VirtualDatabase, parameters: Mapping[str, str]) -> VirtualDatabase:
    """Apply ``ASOF`` to a virtual database.

    Raises
    ------
    UsageError
        If the path names another instant, or the value is no instant.
    """
    asked = parameters.get("ASOF", "").strip()
    if not asked:
        return database
    wanted = virtual.parse(f"{database.name}@{asked}")
    if (database.instant or database.reference) and wanted != database:
        raise UsageError(
            f"the address names {database} and ASOF {asked}; name one instant, in one of the two"
        )
    return wanted


def limit_of(parameters: Mapping[str, str]) -> int | None:
    """Read ``MAXREC``; None if it is not given.

    Raises
    ------
    UsageError
        If it is not a whole number from 0.
    """
    text = parameters.get("MAXREC", "").strip()
    if not text:
        return None
    if not re.fullmatch(r"\d{1,18}", text):
        raise UsageError(f"MAXREC is {text!r}; give a whole number from 0 to {MOST_ROWS}")
    return min(int(text), MOST_ROWS)


def uploads_of(parameters: Parameters) -> tuple[tuple[str, str], ...]:
    """Read ``UPLOAD``: ``NAME,param:PART`` or ``NAME,https://...``, more of them after semicolons.

    Raises
    ------
    UsageError
        If one is not of that form, or a name comes twice.
    """
    found: dict[str, str] = {}
    for value in parameters.all("UPLOAD"):
        for part in filter(None, (p.strip() for p in value.split(";"))):
            match = _UPLOAD.match(part)
            if not match:
                raise UsageError(
                    f"UPLOAD is {part[:100]!r}; write NAME,param:PART or NAME,https://..."
                )
            if match[1].lower() in found:
                raise UsageError(f"UPLOAD names {match[1]} twice; give each table its own name")
            found[match[1].lower()] = match[2].strip()
    return tuple(found.items())


def read(parameters: Parameters, database: VirtualDatabase) -> QueryRequest:
    """Read the parameters of a query.

    Raises
    ------
    UsageError
        Naming the parameter, its value and what it may be.
    LimitError
        If the query is too long.
    """
    asked = parameters.get("REQUEST", "doQuery")
    if asked != "doQuery":
        raise UsageError(f"REQUEST is {asked!r}; the one request there is, is doQuery")
    language = parameters.get("LANG", "")
    if language.upper() not in _LANGUAGES:
        said = f"LANG is {language!r}" if language else "LANG is missing"
        raise UsageError(f"{said}; write LANG=ADQL (version 2.1)")
    query = parameters.get("QUERY", "")
    if not query.strip():
        raise UsageError("QUERY is missing; write QUERY=SELECT ...")
    if len(query) > MOST_CHARACTERS:
        raise LimitError(
            f"the query has {len(query):,} characters, {MOST_CHARACTERS:,} are allowed; upload "
            f"long lists as a table and join with it"
        )
    return QueryRequest(
        database=with_instant(database, parameters),
        query=query,
        limit=limit_of(parameters),
        format=parameters.get("RESPONSEFORMAT") or parameters.get("FORMAT"),
        uploads=uploads_of(parameters),
        destination=parameters.get("DESTINATION", "").strip() or None,
    )
