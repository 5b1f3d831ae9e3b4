"""Virtual databases: ``NAME[@WHEN]``, for example ``prompt@2026-01-01T04:00:00``.

Accepted wherever a database can be named (design section 4; GEN-21, DMS-REQ-0291). WHEN is an
instant of ledger time in TAI (with a trailing Z it is taken as UTC), or ``citation:ID``, the
instant of a citation, or ``source:ID``, the instant at which a DIASource was first known. Ids are
looked up by the database (``ledger.instant_of``).
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

import erfa

from skyledger.errors import UsageError

_NAME = re.compile(r"^(prompt|rubin|dr\d+|sp_[a-z0-9_]+|mydb_[a-z0-9_]+)(?:@(.+))?$")
_REFERENCE = re.compile(r"^(citation|source|alert):(\w+)$")


@dataclass(frozen=True)
class VirtualDatabase:
    """A database and, if one was named, the instant at which it is looked at (TAI).

    ``reference`` stands for an instant that only the database knows, such as ``citation:ID``.
    """

    name: str
    instant: datetime | None = None
    reference: str | None = None

    def __str__(self) -> str:
        if self.instant is not None:
            return f"{self.name}@{self.instant.isoformat()}"
        return self.name if self.reference is None else f"{self.name}@{self.reference}"


def parse_instant(text: str) -> datetime:
    """Read an instant of ledger time (TAI): ISO date or date and time, or UTC with a final Z.

    Raises
    ------
    UsageError
        If the text is not an instant.
    """
    plain = text.strip()
    utc = plain.upper().endswith("Z")
    try:
        instant = datetime.fromisoformat(plain[:-1] if utc else plain)
    except ValueError:
        raise UsageError(
            f"{text!r} is not an instant; write 2026-01-01 or 2026-01-01T04:00:00 (TAI), "
            f"with a final Z for UTC, citation:ID or source:ID"
        ) from None
    if instant.tzinfo is not None:
        raise UsageError(f"{text!r} has a time zone; write it in TAI, or in UTC with a final Z")
    return instant + _ahead(instant) if utc else instant


def _ahead(utc: datetime) -> timedelta:
    """Return TAI less UTC: whole seconds since 1972, and for what comes the last that is known.

    Astropy warns of years in which leap seconds may come; the ledger begins after the first ones
    and holds no instant that is yet to come.
    """
    found = 10
    for year, month, seconds in erfa.leap_seconds.get().tolist():
        if year >= 1972 and (utc.year, utc.month) >= (year, month):
            found = int(seconds)
    return timedelta(seconds=found)


def parse(text: str) -> VirtualDatabase:
    """Read ``NAME[@WHEN]``.

    Raises
    ------
    UsageError
        If the name or the instant cannot be understood.
    """
    match = _NAME.match(text.strip())
    if not match:
        raise UsageError(
            f"{text!r} is not a database; write prompt, prompt@2026-01-01T04:00:00 or dr1"
        )
    name, when = match.groups()
    if when is None:
        return VirtualDatabase(name)
    if _REFERENCE.match(when.strip()):
        return VirtualDatabase(name, reference=when.strip())
    return VirtualDatabase(name, parse_instant(when))
