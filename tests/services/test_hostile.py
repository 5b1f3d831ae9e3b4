"""What somebody may try who means no good, or just has a slow line."""

import concurrent.futures
import contextlib
import http.client
import socket
import time
import urllib.parse

import httpx
import psycopg2
import pytest
from small_survey import SOURCES

FROM = "FROM DIASource"
COUNT = f"SELECT COUNT(*) AS n {FROM}"


@pytest.mark.requirement("GEN-28")
@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 AS x FROM DIASource; DROP TABLE prompt_store.diasource",
        'SELECT "diasourceid"" FROM pg_roles --" AS x FROM DIASource',
        "SELECT set_config('role', 'postgres', false) FROM DIASource",
        "SELECT lo_create(1) FROM DIASource",
        "SELECT query FROM service.querylog",
        "SELECT content FROM service.jobupload",
        "SELECT * FROM prompt_store.diasource",
        "SELECT * FROM pg_temp.upload_x",
        "SELECT * FROM information_schema.tables",
        "COPY (SELECT 1) TO PROGRAM 'id'",
        "WITH x AS (DELETE FROM DIASource RETURNING 1) SELECT * FROM x",
        "SELECT current_user FROM DIASource",
        "SELECT science.tai_now() FROM DIASource",
        "SELECT ledger.publish(1) FROM DIASource",
        "SELECT diaSourceId::text FROM DIASource",
        "SELECT $$x$$ AS x FROM DIASource",
        "SELECT E'\\\\x41' AS x FROM DIASource",
        "SELECT U&'\\0041' AS x FROM DIASource",
        "EXPLAIN SELECT 1 AS x FROM DIASource",
    ],
)
def test_queries_reach_nothing_but_what_is_published(service, query):
    response = service.ask(query)
    assert response.status_code == 400, response.text
    assert "ERROR" in response.text
    assert "internal" not in response.text


def test_text_of_a_query_stays_text(service):
    """What looks like SQL within a literal comes back as it was written."""
    words = "'; DROP TABLE x; -- \\ $$ %s {instant} %(a)s"
    literal = words.replace("'", "''")
    found = service.ask(f"SELECT TOP 1 '{literal}' AS words FROM DIASource", FORMAT="tsv")
    assert found.text.splitlines()[1].strip('"').replace('""', '"') == words


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("tap/prompt'--/sync", {}),
        ("tap/prompt;drop/sync", {}),
        ("tap/../../etc/passwd", {}),
        ("tap/prompt/tables/prompt.DIASource' OR '1'='1", {}),
        ("tap/prompt/async/../../../etc/passwd", {}),
        ("tap/prompt@citation:x' OR '1'='1/sync", {}),
        ("scs/prompt/DIAObject", {"RA": "1", "DEC": "1", "SR": "1); SELECT"}),
        ("tap/prompt/sync", {"MAXREC": "1; DROP"}),
        ("tap/prompt/sync", {"ASOF": "2026-01-01'; --"}),
    ],
)
def test_injection_through_paths_and_parameters_is_refused(service, path, parameters):
    given = {"LANG": "ADQL", "QUERY": COUNT} | parameters
    response = httpx.get(f"{service.address}/{path}", params=given)
    assert response.status_code in {400, 404}
    assert "root:" not in response.text


def test_headers_of_any_kind_do_no_harm(service):
    for name, value in (("User-Agent", "x'; DROP TABLE service.job; --"), ("User-Agent", "é" * 9)):
        headers = {name: value.encode("latin-1")}
        response = httpx.post(
            f"{service.tap}/sync", data={"LANG": "ADQL", "QUERY": COUNT}, headers=headers
        )
        assert response.status_code == 200
    with contextlib.suppress(httpx.ReadError):  # the line is cut while the header is being sent
        enormous = httpx.get(f"{service.address}/", headers={"X": "a" * 200_000})
        assert enormous.status_code in {400, 431}
    assert httpx.get(f"{service.address}/").status_code == 200


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
    b'<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>'
    b"<VOTABLE><RESOURCE><TABLE><FIELD name='&c;' datatype='int'/></TABLE></RESOURCE></VOTABLE>"
)
THEFT = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    b"<VOTABLE><RESOURCE><TABLE name='&x;'/></RESOURCE></VOTABLE>"
)


@pytest.mark.parametrize(
    "content", [BOMB, THEFT, b"", b"<html><body>no table</body></html>", b"\0" * 1000]
)
def test_hostile_uploads_are_refused(service, content):
    response = httpx.post(
        f"{service.tap}/sync",
        data={"LANG": "ADQL", "QUERY": "SELECT * FROM tap_upload.t", "UPLOAD": "t,param:p"},
        files={"p": ("t.vot", content, "application/x-votable+xml")},
    )
    assert response.status_code == 400
    assert "root:" not in response.text


def test_a_request_that_is_too_large_is_refused_before_it_is_read(service):
    with socket.create_connection(service.address.removeprefix("http://").split(":")) as line:
        line.sendall(
            b"POST /tap/prompt/sync HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n\r\n"
        )
        answer = line.recv(100_000)
    assert b" 413 " in answer.splitlines()[0]


def test_a_client_that_goes_away_ends_its_query(service):
    slow = COUNT.replace("AS n", "AS gone") + (
        " AS a JOIN DIASource AS b ON 1 = 1 JOIN DIASource AS c ON 1 = 1 "
        "JOIN DIASource AS d ON 1 = 1"
    )
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{service.tap}/sync", data={"LANG": "ADQL", "QUERY": slow}, timeout=1.5)
    end = time.monotonic() + 10
    while True:
        with psycopg2.connect(service.dsn) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' "
                "AND query LIKE 'COPY%' AND pid <> pg_backend_pid()"
            )
            busy = cursor.fetchone()[0]
        connection.close()
        if not busy:
            break
        assert time.monotonic() < end
        time.sleep(0.1)


def test_slow_clients_keep_no_session_busy(service):
    """More of them than there are sessions read nothing of a large answer; others are served."""
    wanted = "SELECT+TOP+5000+a.*+FROM+DIASource+AS+a+JOIN+DIASource+AS+b+ON+1=1"
    lines = []
    try:
        for _ in range(20):
            line = socket.create_connection(service.address.removeprefix("http://").split(":"))
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            path = f"/tap/prompt/sync?LANG=ADQL&FORMAT=csv&QUERY={wanted}"
            line.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            lines.append(line)
        assert service.rows(COUNT) == [[str(3 * SOURCES)]]
    finally:
        for line in lines:
            line.close()


def test_two_hundred_clients_at_once_get_right_answers_or_are_told_to_wait(service):
    body = urllib.parse.urlencode(
        {"LANG": "ADQL", "FORMAT": "csv", "QUERY": f"SELECT 17 AS k, COUNT(*) AS n {FROM}"}
    )
    kind = {"Content-Type": "application/x-www-form-urlencoded"}

    def ask(k):
        line = http.client.HTTPConnection(service.address.removeprefix("http://"), timeout=120)
        try:
            line.request("POST", "/tap/prompt/sync", body.replace("17", str(k)), kind)
            response = line.getresponse()
            return k, response.status, response.read().decode()
        finally:
            line.close()

    with concurrent.futures.ThreadPoolExecutor(200) as threads:
        answers = list(threads.map(ask, range(200)))
    good = [a for a in answers if a[1] == 200]
    assert len(good) > 100
    for k, _, text in good:
        assert text.split() == ["k,n", f"{k},{3 * SOURCES}"]
    for _, status, text in set(answers) - set(good):
        assert status == 503
        assert "try again" in text
    # And nobody has taken a session with him.
    assert service.rows(COUNT) == [[str(3 * SOURCES)]]
