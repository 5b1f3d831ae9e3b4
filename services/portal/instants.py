"""The instant a page is about, and what was published when."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from skyledger import virtual
from skyledger.errors import UsageError
from skyledger.virtual import VirtualDatabase

_SECONDS = 2.0  # what was published in the meantime shows after that

_BINS = 240  # of the whole of ledger time: a day each in the first year
_COUNTS = """
SELECT width_bucket(extract(epoch FROM epochtai), extract(epoch FROM %(first)s),
  extract(epoch FROM %(last)s + interval '1 second'), %(bins)s) AS bin, count(*)
FROM ledger.epoch WHERE kind <> 'heartbeat' AND epochtai <= ledger.horizon()
GROUP BY 1 ORDER BY 1
"""
_BOUNDS = """
SELECT (SELECT min(epochtai) FROM ledger.epoch), ledger.horizon(), science.tai_now(),
  (SELECT count(*) FROM ledger.epoch WHERE kind <> 'heartbeat' AND epochtai <= ledger.horizon())
"""
_RELEASES = """
SELECT name, registeredtai FROM ledger.database
WHERE kind = 'release' AND registeredtai <= ledger.horizon() ORDER BY 2
"""
_NEIGHBOURS = """
SELECT (SELECT max(epochtai) FROM ledger.epoch
  WHERE kind <> 'heartbeat' AND epochtai < %(at)s AND epochtai <= ledger.horizon()),
 (SELECT min(epochtai) FROM ledger.epoch
  WHERE kind <> 'heartbeat' AND epochtai > %(at)s AND epochtai <= ledger.horizon()),
 (SELECT count(*) FROM ledger.epoch
  WHERE kind <> 'heartbeat' AND epochtai <= %(at)s AND epochtai <= ledger.horizon())
"""


@dataclass(frozen=True)
class Publications:
    """What the ledger holds.

    Attributes
    ----------
    first, horizon, now
        Beginning, newest settled instant and the clock [ledger time, TAI].
    bars
        Where in ledger time publications lie, 0 to 1, and how many; heartbeats are none.
    releases
        Name and appearance of each data release.
    """

    first: datetime
    horizon: datetime
    now: datetime
    count: int
    bars: tuple[tuple[float, int], ...]
    releases: tuple[tuple[str, datetime], ...]

    def released(self, instant: datetime | None) -> tuple[str, ...]:
        """Releases that were there at an instant."""
        return tuple(n for n, at in self.releases if instant is None or at <= instant)


@dataclass(frozen=True)
class Moment:
    """What a page is about.

    Attributes
    ----------
    database
        Name, and the instant if one is asked for; without one the page is about now.
    at
        The instant whose state is shown [TAI].
    before, after
        Publications next to it, None at the ends.
    ordinal
        Publications up to it.
    """

    database: VirtualDatabase
    at: datetime
    ordinal: int
    before: datetime | None
    after: datetime | None
    known: Publications

    @property
    def past(self) -> bool:
        """Whether the page is about an instant that was asked for."""
        return self.database.instant is not None

    @property
    def fixed(self) -> VirtualDatabase:
        """The database at the instant shown, which gives the same answers for ever."""
        return VirtualDatabase(self.database.name, self.at)

    @property
    def age(self) -> str:
        """How long ago it was."""
        gone = self.known.now - self.at
        for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
            number = int(gone.total_seconds() // length)
            if number >= 1:
                return f"{number} {unit}{'s' if number > 1 else ''} ago"
        return "a moment ago"


class Ledger:
    """Reads what was published, as a reader sees it.

    Parameters
    ----------
    read
        Runs a function of a cursor in a session of a reader.
    """

    def __init__(self, read: Callable[[Callable[[Any], Any]], Any]) -> None:
        self._read = read
        self._kept: tuple[float, Publications] | None = None
        self._making = threading.Lock()

    def publications(self) -> Publications:
        """Read what was published up to now."""
        with self._making:
            if self._kept is None or monotonic() - self._kept[0] > _SECONDS:
                self._kept = (monotonic(), self._read(_publications))
            return self._kept[1]

    def moment(self, name: str, asked: str) -> Moment:
        """Find out which instant a page is about; nothing asked means now.

        Raises
        ------
        UsageError
            If it is no instant, lies before the beginning or in the future.
        """
        known = self.publications()
        if not asked.strip():
            return self._read(lambda cursor: _moment(cursor, VirtualDatabase(name), known))  # type: ignore[no-any-return]
        instant = virtual.parse_instant(asked)
        if instant < known.first:
            raise UsageError(
                f"nothing was known on {instant.isoformat(' ')}: the archive begins on "
                f"{known.first.isoformat(' ', 'seconds')} (TAI)"
            )
        if instant > known.now + timedelta(seconds=5):
            raise UsageError(
                f"{instant.isoformat(' ')} is in the future: it is "
                f"{known.now.isoformat(' ', 'seconds')} (TAI)"
            )
        database = VirtualDatabase(name, instant)
        return self._read(lambda cursor: _moment(cursor, database, known))  # type: ignore[no-any-return]


def _publications(cursor: Any) -> Publications:
    cursor.execute(_BOUNDS)
    first, horizon, now, count = cursor.fetchone()
    cursor.execute(_COUNTS, {"first": first, "last": horizon, "bins": _BINS})
    bars = tuple(((bin_ - 0.5) / _BINS, n) for bin_, n in cursor.fetchall())
    cursor.execute(_RELEASES)
    return Publications(first, horizon, now, count, bars, tuple(cursor.fetchall()))


def _moment(cursor: Any, database: VirtualDatabase, known: Publications) -> Moment:
    at = database.instant or known.horizon
    cursor.execute(_NEIGHBOURS, {"at": at})
    before, after, ordinal = cursor.fetchone()
    return Moment(database, at, ordinal, before, after, known)
