"""Bytes between the thread that makes an answer and the client that takes it."""

import asyncio
import threading

import pytest

from services.spool import Spool
from skyledger.errors import LimitError

BIG = b"x" * (1 << 17)


def run(work):
    """Do ``work(spool)``, a coroutine, with a spool of the loop at hand."""

    async def whole():
        spool = Spool(asyncio.get_running_loop(), 1 << 24)
        try:
            return await asyncio.wait_for(work(spool), 20)
        finally:
            spool.close()

    return asyncio.run(whole())


def test_small_answers_come_when_they_are_complete():
    async def work(spool):
        spool.write(b"head")
        waiting = asyncio.ensure_future(spool.first())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        spool.write(b", rows")
        spool.end()
        await waiting
        return spool.whole(), [piece async for piece in spool.pieces()]

    assert run(work) == (b"head, rows", [b"head, rows"])


def test_large_answers_come_while_they_are_made():
    async def work(spool):
        spool.write(BIG)
        await spool.first()
        assert not spool.ended

        def rest():
            for _ in range(20):
                spool.write(BIG)
                spool.write(b"y")
            spool.end()

        thread = threading.Thread(target=rest)
        thread.start()
        found = b"".join([piece async for piece in spool.pieces()])
        thread.join()
        return found

    assert run(work) == BIG + (BIG + b"y") * 20


def test_an_end_says_why():
    async def work(spool):
        spool.end(LimitError("too much"))
        await spool.first()
        return spool.failure, spool.whole()

    failure, whole = run(work)
    assert str(failure) == "too much"
    assert whole == b""


def test_nobody_writes_for_a_client_that_has_gone_or_more_than_is_allowed():
    async def work(spool):
        with pytest.raises(LimitError, match="larger than"):
            spool.write(bytes((1 << 24) + 1))
        spool.close()
        with pytest.raises(BrokenPipeError):
            spool.write(b"x")

    run(work)
