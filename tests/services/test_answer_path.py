"""What happens around an answer: who waits for what, and what is left behind."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import httpx
import psycopg2
import pytest
from small_survey import SOURCES, serving

from services.tap.answering import Outcome
from services.tap.log import QueryLog
from services.tap.parameters import QueryRequest
from skyledger.virtual import VirtualDatabase

ASKED = QueryRequest(VirtualDatabase("prompt"), "SELECT 1 AS logged FROM DIAObject", 1, None)


@pytest.fixture
def kept(service):
    """Do work in a session of the database and commit."""
    connection = psycopg2.connect(service.dsn)

    def work(function):
        with connection, connection.cursor() as cursor:
            return function(cursor)

    with closing(connection):
        yield work


def lines(kept, like):
    """Return client, seconds and query of the lines of a client."""

    def look(cursor):
        cursor.execute(
            "SELECT client, query, message, extract(epoch FROM science.tai_now() - startedtai) "
            "FROM service.querylog WHERE client LIKE %s ORDER BY queryid",
            (like,),
        )
        return cursor.fetchall()

    return kept(look)


def test_every_line_is_in_the_log_once_the_service_has_ended(kept):
    log = QueryLog(kept)
    log.start()
    for number in range(1300):
        log.put(ASKED, Outcome(), "sync", f"many {number:04}", 5.0)
    log.stop()
    found = lines(kept, "many %")
    assert [line[0] for line in found] == [f"many {number:04}" for number in range(1300)]
    assert all(5 <= line[3] < 60 for line in found)
    log.put(ASKED, Outcome(), "sync", "late", 0.1)
    assert len(lines(kept, "late")) == 1


def test_queries_wait_for_a_log_that_is_far_behind(kept, monkeypatch):
    monkeypatch.setattr("services.tap.log._CHARACTERS", 2000)
    may, asked = threading.Event(), replace(ASKED, query="x" * 100)
    log = QueryLog(lambda work: may.wait(20) and kept(work))
    log.start()
    thread = threading.Thread(
        target=lambda: [log.put(asked, Outcome(), "sync", f"long {k}", 0.1) for k in range(45)]
    )
    thread.start()
    thread.join(0.5)
    assert thread.is_alive()
    assert len(log._lines) <= 20
    may.set()
    thread.join(20)
    assert not thread.is_alive()
    log.stop()
    assert len(lines(kept, "long %")) == 45


def test_a_line_that_cannot_be_kept_takes_no_other_with_it(kept, caplog):
    log = QueryLog(kept)
    for client, query, message, door in (
        ("strange 1", "SELECT 1", None, "sync"),
        ("strange 2", "SELECT '\0' AS nothing", "a \0 in a message", "sync"),
        ("strange 3", "SELECT 3", None, None),  # no door: the table refuses it
        ("strange 4", "SELECT '\udc80'", None, "sync"),  # half a character: not UTF-8
    ):
        log.put(replace(ASKED, query=query), Outcome(message=message), door, client, 0.1)
    with caplog.at_level(logging.WARNING, "services.tap.log"):
        log.start()
        log.stop()
    found = lines(kept, "strange %")
    assert [line[0] for line in found] == ["strange 1", "strange 2", "strange 4"]
    assert found[2][1] == "SELECT '\ufffd'"
    assert found[1][1:3] == ("SELECT '\ufffd' AS nothing", "a \ufffd in a message")
    assert [record.getMessage()[:30] for record in caplog.records] == [
        "a line of the log of queries is lost"[:30]
    ]


def test_small_answers_have_a_length_and_large_ones_are_streamed(service):
    small = service.ask("SELECT COUNT(*) AS n FROM DIASource")
    assert int(small.headers["content-length"]) == len(small.content)
    crossed = "SELECT a.*, b.diaSourceId AS other FROM DIASource AS a CROSS JOIN DIASource AS b"
    large = service.ask(crossed)
    assert "content-length" not in large.headers
    assert large.text.count("\r\n") == (3 * SOURCES) ** 2 + 1


@pytest.mark.requirement("L1DB-22")
def test_twenty_users_at_once_get_their_answers(service):
    # As many as dpdd.md, section 18, asks for; `./run bench tap` says how long they wait.
    instants = [epoch.isoformat() for epoch in service.epochs]
    ready = threading.Barrier(20)
    asked = {"LANG": "ADQL", "FORMAT": "csv", "QUERY": "SELECT COUNT(*) AS n FROM DIASource"}

    def user(number):
        found = []
        with httpx.Client(timeout=60) as client:
            ready.wait()
            for k in range(3):
                past = (number + k) % 3
                address = f"{service.address}/tap/prompt@{instants[past]}/sync"
                shown = client.post(address, data=asked).text.split()
                found.append(shown == ["n", str(SOURCES * (past + 1))])
        return found

    with ThreadPoolExecutor(20) as threads:
        assert all(all(found) for found in threads.map(user, range(20)))


def test_clients_that_leave_do_not_end_the_queries_of_others(service, tmp_path):
    with serving(service.dsn, tmp_path, sessions=1) as (address, _):
        asked = {"LANG": "ADQL", "FORMAT": "csv"}
        short = asked | {"QUERY": "SELECT COUNT(*) AS n FROM DIASource"}
        heavy = asked | {
            "QUERY": "SELECT COUNT(*) AS n FROM DIASource AS a CROSS JOIN DIASource AS b "
            "CROSS JOIN DIASource AS c CROSS JOIN DIASource AS d"
        }
        for seconds in (0.001, 0.02, 0.05, 0.1, 0.3):
            # The same session serves one client after the other. One leaves in the midst of a
            # query, one as soon as it has its answer; the next must get its own.
            with pytest.raises(httpx.ReadTimeout):
                httpx.post(
                    f"{address}/tap/prompt/sync",
                    data=heavy,
                    timeout=httpx.Timeout(30, read=seconds),
                )
            for _ in range(3):
                response = httpx.post(f"{address}/tap/prompt/sync", data=short, timeout=30)
                assert (response.status_code, response.text.split()[1:]) == (
                    200,
                    [str(3 * SOURCES)],
                )
