"""How much one asker may do at the same time and in a minute, so that others are served too."""

import asyncio
import contextlib
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from time import monotonic

from services.people import Allowance, Asker
from skyledger.errors import ForbiddenError, TooManyError

_MINUTE = 60.0
_FORGET = 10_000  # askers of whom is kept when they asked, before those who are quiet are forgotten
_JOBS = 200  # of an address whose ids are kept
_LINE = 8  # times as many as may run may wait


@dataclass
class _Line:
    """Queries of one asker that wait for their turn, and how many of his may run: here ``room``."""

    allowed: int = 0
    room: int = 0
    turns: deque[asyncio.Future[None]] = field(default_factory=deque)


class Gate:
    """Counts what everybody has running; lives in the event loop of the service.

    Each process of the service counts the queries that it answers itself, and the running jobs of
    all.

    Parameters
    ----------
    anonymous
        What is allowed to somebody who is not signed in, by his address.
    patience : float
        Time that a query waits for others of the same asker to end [s].
    """

    def __init__(self, anonymous: Allowance, patience: float = 10.0) -> None:
        self.anonymous = anonymous
        self.patience = patience
        self.left: Callable[[], None] = lambda: None  # called when a person's query has ended
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()  # queries that are answered at once
        self._jobs: Counter[str] = Counter()  # jobs in this process
        self._lines: dict[str, _Line] = {}
        self._recent: dict[str, deque[float]] = {}
        self._made: dict[str, deque[str]] = {}  # newest jobs of each address
        self._loop: asyncio.AbstractEventLoop | None = None

    def allowed(self, asker: Asker) -> tuple[str, Allowance]:
        """Return under which name an asker is counted, and what is allowed to him."""
        person = asker.person
        if person is None:
            return f"from {asker.address}", self.anonymous
        return person.name, Allowance(person.most_queries, person.per_minute)

    def running(self) -> dict[str, int]:
        """Count the queries that are being answered for each asker, without jobs."""
        with self._lock:
            return {name: n for name, n in self._running.items() if n}

    def count(self, asker: Asker) -> None:
        """Count a query that begins now.

        Raises
        ------
        ForbiddenError
            If none are allotted.
        TooManyError
            If there were too many within a minute.
        """
        name, allowed = self.allowed(asker)
        if allowed.at_once == 0 or allowed.per_minute == 0:
            raise ForbiddenError(f"no queries are allotted to {_said(asker)}; ask the operators")
        if allowed.per_minute is None:
            return
        now = monotonic()
        if len(self._recent) > _FORGET:
            self._recent = {k: v for k, v in self._recent.items() if v and now - v[-1] < _MINUTE}
        recent = self._recent.setdefault(name, deque())
        while recent and now - recent[0] >= _MINUTE:
            recent.popleft()
        if len(recent) >= allowed.per_minute:
            seconds = max(1, ceil(_MINUTE - (now - recent[0])))
            raise TooManyError(
                f"{allowed.per_minute} queries a minute are allowed to {_said(asker)}; ask again "
                f"in {seconds} s, ask for more at once (a table of positions can be uploaded), or "
                f"ask the operators for more",
                seconds,
            )
        recent.append(now)

    def made(self, asker: Asker) -> deque[str]:
        """Return the newest jobs of an address that is not signed in, to be added to."""
        if len(self._made) > _FORGET:
            self._made.clear()
        return self._made.setdefault(asker.address, deque(maxlen=_JOBS))

    async def place(self, asker: Asker) -> Callable[[], None]:
        """Count a query, and wait until the asker may have it running.

        Returns
        -------
        callable
            To be called, in any thread, when the query has ended; once more does nothing.

        Raises
        ------
        ForbiddenError, TooManyError
            As `count`; TooManyError also if none of those running ends soon.
        """
        self.count(asker)
        name, allowed = self.allowed(asker)
        await self._enter(name, allowed.at_once, asker)
        ended = threading.Event()

        def give_back() -> None:
            if not ended.is_set():
                ended.set()
                self._leave(name)

        return give_back

    async def _enter(self, name: str, most: int | None, asker: Asker) -> None:
        self._loop = asyncio.get_running_loop()
        if most is None:
            self._begin(name)
            return
        with self._lock:  # jobs that other processes run leave room for fewer here
            room = most - max(0, asker.jobs - self._jobs[name])
        line = self._lines.get(name) or _Line()
        line.allowed, line.room = most, room
        if not line.turns and self._busy(name) < room:
            self._begin(name)
            return
        self._lines[name] = line
        turn = self._loop.create_future()
        # Who has filled his line too is told at once: those who wait cost memory and connections.
        if len(line.turns) < _LINE * most:
            line.turns.append(turn)
            try:
                await asyncio.wait({turn}, timeout=self.patience)
            except asyncio.CancelledError:
                if turn.done():
                    self._leave(name)
                raise
            finally:
                if turn in line.turns:
                    line.turns.remove(turn)
                if not line.turns and self._lines.get(name) is line:
                    del self._lines[name]
        if not turn.done():
            raise TooManyError(
                f"{most} queries at the same time are allowed to {_said(asker)}, and as many run; "
                f"wait for one of them, or make jobs (async), which wait by themselves",
                5,
            )

    def _begin(self, name: str) -> None:
        with self._lock:
            self._running[name] += 1

    def _busy(self, name: str) -> int:
        with self._lock:
            return self._running[name] + self._jobs[name]

    def _leave(self, name: str) -> None:
        with self._lock:
            self._running[name] -= 1
            if self._running[name] <= 0:
                del self._running[name]
        self._told(name)
        self.left()

    def job(self, owner: str | None, change: int) -> None:
        """Count a job of somebody that begins (1) or ends (-1); called in any thread."""
        if owner is None:
            return
        with self._lock:
            self._jobs[owner] += change
            if self._jobs[owner] <= 0:
                del self._jobs[owner]
        self._told(owner)

    def _told(self, name: str) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            with contextlib.suppress(RuntimeError):  # it is closed just now
                loop.call_soon_threadsafe(self._next, name)

    def job_changed(self) -> None:
        """Hear that a job of anybody has begun or ended in any process; called in any thread."""
        loop = self._loop
        if self._lines and loop is not None and not loop.is_closed():
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._look_again)

    def _look_again(self) -> None:
        for name, line in list(self._lines.items()):
            line.room = line.allowed
            self._next(name)

    def _next(self, name: str) -> None:
        """Let in whoever has waited longest; runs in the event loop."""
        line = self._lines.get(name)
        while line is not None and line.turns and self._busy(name) < line.room:
            turn = line.turns.popleft()
            if not turn.done():
                self._begin(name)
                turn.set_result(None)


def _said(asker: Asker) -> str:
    return asker.name or "an address that is not signed in"
