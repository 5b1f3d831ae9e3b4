"""Sessions of the database that the service keeps open, one pool a login.

A request borrows a session in a thread and gives it back clean. When all are in use a request
waits a little and is then told to come again: never is a session opened for each client.
"""

import select
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import psycopg2

from skyledger.errors import BusyError


class Pool:
    """At most ``size`` sessions made by ``connect``, opened when needed and used again.

    Parameters
    ----------
    connect
        Opens a psycopg2 connection.
    size : int
        Sessions at most.
    patience : float
        Time a request waits for a session [s].
    """

    def __init__(self, connect: Callable[[], Any], size: int, patience: float = 20.0) -> None:
        self.size = size
        self.patience = patience
        self._connect = connect
        self._free: list[Any] = []
        self._used = 0
        self._given_back = threading.Condition()

    def borrow(self) -> Any:
        """Take a session.

        Raises
        ------
        BusyError
            If none becomes free in time.
        """
        until = monotonic() + self.patience
        with self._given_back:
            while self._used >= self.size:
                left = until - monotonic()
                if left <= 0 or not self._given_back.wait(left):
                    raise BusyError(
                        f"all {self.size} sessions of the database have been in use for "
                        f"{self.patience:g} s; try again in a moment, or run the query as a job"
                    )
            self._used += 1
            connection = None
            while self._free and connection is None:
                connection = _alive(self._free.pop())
        try:
            return connection or self._connect()
        except BaseException:
            self._release()
            raise

    def give_back(self, connection: Any) -> None:
        """Return a session: what it did is undone, and a broken one is thrown away."""
        try:
            connection.rollback()
            connection.set_session(isolation_level="DEFAULT", readonly="DEFAULT")
            with connection.cursor() as cursor:
                # Temporary tables, settings, prepared statements: nothing stays.
                connection.autocommit = True
                cursor.execute("DISCARD ALL")
                connection.autocommit = False
            keep = [connection]
        except psycopg2.Error:
            connection.close()
            keep = []
        self._release(keep)

    def _release(self, keep: list[Any] | None = None) -> None:
        with self._given_back:
            self._used -= 1
            self._free += keep or []
            self._given_back.notify()

    @contextmanager
    def session(self) -> Iterator[Any]:
        """Borrow a session for a ``with`` block."""
        connection = self.borrow()
        try:
            yield connection
        finally:
            self.give_back(connection)

    def close(self) -> None:
        """Close the sessions that nobody uses."""
        with self._given_back:
            free, self._free = self._free, []
        for connection in free:
            connection.close()


def _alive(connection: Any) -> Any | None:
    """Return a session that has rested, or None if the server has ended it meanwhile.

    The server has nothing to say to a session at rest: what can be read is its end.
    """
    if not connection.closed and not select.select([connection], [], [], 0)[0]:
        return connection
    connection.close()
    return None
