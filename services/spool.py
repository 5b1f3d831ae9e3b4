"""Bytes of an answer between the thread that makes them and the client that takes them.

The maker is never held up by a slow client, so the session of the database is free again as soon as
the database is done; what is not taken yet lies in memory up to a limit and in a temporary file
beyond.
"""

import asyncio
import tempfile
import threading
from collections.abc import AsyncIterator

from skyledger.errors import LimitError

_MEMORY = 4 << 20
_PIECE = 1 << 18
_WORTH = 1 << 16  # bytes that are worth waking the reader; less waits for more, or the end


class Spool:
    """Bytes that one thread writes and one task reads while they are written.

    Parameters
    ----------
    loop
        Event loop of the reader.
    most : int
        Bytes at most.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, most: int) -> None:
        self._loop = loop
        self._most = most
        self._news = asyncio.Event()
        self._lock = threading.Lock()
        self._file = tempfile.SpooledTemporaryFile(_MEMORY)  # noqa: SIM115 - closed by close()
        self._closed = False
        self._told = 0
        self.written = 0
        self.ended = False
        self.failure: Exception | None = None

    def write(self, data: bytes) -> None:
        """Append bytes.

        Raises
        ------
        LimitError
            If the answer grows too large.
        BrokenPipeError
            If nobody reads any more.
        """
        with self._lock:
            if self._closed:
                raise BrokenPipeError("the client has gone")
            if self.written + len(data) > self._most:
                raise LimitError(
                    f"the answer is larger than {self._most:,} bytes; ask for fewer columns or "
                    f"rows, or divide the query by sky or time"
                )
            self._file.seek(self.written)
            self._file.write(data)
            self.written += len(data)
        if self.written - self._told >= _WORTH:
            self._told = self.written
            self._tell()

    def end(self, failure: Exception | None = None) -> None:
        """Say that nothing more will come, and why if that is not as it should be."""
        self.failure = failure
        self.ended = True
        self._tell()

    def _tell(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._news.set)
        except RuntimeError:  # the loop is closed: the service is stopping
            self.close()

    async def first(self) -> None:
        """Wait until there are bytes worth sending, or there will be none."""
        while not self._told and not self.ended:
            await self._news.wait()
            self._news.clear()

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the bytes as they come."""
        at = 0
        while True:
            with self._lock:
                self._file.seek(at)
                piece = self._file.read(_PIECE)
                over = self.ended and at + len(piece) == self.written
            if piece:
                at += len(piece)
                yield piece
            if over:
                return
            if not piece:
                await self._news.wait()
                self._news.clear()

    def whole(self) -> bytes:
        """All bytes, once there will be no more."""
        with self._lock:
            self._file.seek(0)
            return self._file.read()

    def close(self) -> None:
        """Throw the bytes away; the next `write` fails."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._file.close()
