"""Jobs: UWS 1.1 in PostgreSQL, with pyvo and plain HTTP."""

import time
import warnings
from xml.etree import ElementTree as ET

import httpx
import psycopg2
import pytest
import pyvo
from small_survey import SOURCES, serving

from services.tap import jobs

UWS = "{http://www.ivoa.net/xml/UWS/v1.0}"
# 120**4 rows are counted: half a minute at least.
SLOW = (
    "SELECT COUNT(*) AS n FROM DIASource AS a JOIN DIASource AS b ON 1 = 1 "
    "JOIN DIASource AS c ON 1 = 1 JOIN DIASource AS d ON 1 = 1"
)
QUICK = "SELECT COUNT(*) AS n FROM DIASource"


def make(service, query, **parameters):
    """Make a job; returns its address."""
    given = {"LANG": "ADQL", "QUERY": query, "FORMAT": "csv"} | parameters
    response = httpx.post(f"{service.tap}/async", data=given)
    assert response.status_code == 303
    return response.headers["location"]


def phase(job):
    return httpx.get(f"{job}/phase").text


def until(job, *wanted, seconds=30):
    """Wait for a phase as UWS 1.1 offers it."""
    end = time.monotonic() + seconds
    while (now := phase(job)) not in wanted:
        assert time.monotonic() < end, f"{job} is {now}"
        httpx.get(job, params={"WAIT": "5", "PHASE": now}, timeout=15)
    return now


def backends(dsn, text):
    """Sessions that work on a query with this text."""
    with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE %s "
            "AND pid <> pg_backend_pid()",
            (f"%{text}%",),
        )
        found = cursor.fetchone()[0]
    connection.close()
    return found


def test_pyvo_runs_a_job_and_fetches_its_result(service):
    tap = pyvo.dal.TAPService(service.tap)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        job = tap.submit_job(QUICK, runid="mine")
        assert job.phase == "PENDING"
        job.run().wait(timeout=20)
        assert job.phase == "COMPLETED"
        assert job.fetch_result()["n"][0] == 3 * SOURCES
        address = job.url
        job.delete()
    assert httpx.get(address).status_code == 404


def test_a_job_runs_at_once_when_it_is_made_with_phase_run(service):
    started = time.monotonic()
    job = make(service, QUICK, PHASE="RUN")
    assert until(job, "COMPLETED") == "COMPLETED"
    # A notice wakes the worker and the waiting client: no second is lost by looking.
    assert time.monotonic() - started < 3
    assert httpx.get(f"{job}/results/result").text.split() == ["n", str(3 * SOURCES)]
    shown = ET.fromstring(httpx.get(job).content)
    assert shown.findtext(f"{UWS}phase") == "COMPLETED"
    assert shown.findtext(f"{UWS}jobInfo/rows") == "1"
    # The instant that it states gives the same again.
    instant = shown.findtext(f"{UWS}jobInfo/asof")
    assert service.rows(QUICK, ASOF=instant) == [[str(3 * SOURCES)]]


def test_the_parameters_are_given_back_as_they_were_sent(service):
    job = make(service, QUICK, MAXREC="5", RUNID="r1")
    shown = ET.fromstring(httpx.get(f"{job}/parameters").content)
    given = {p.get("id"): p.text for p in shown}
    assert given == {
        "LANG": "ADQL", "QUERY": QUICK, "FORMAT": "csv", "MAXREC": "5", "RUNID": "r1",
    }  # fmt: skip
    httpx.post(f"{job}/parameters", data={"QUERY": "SELECT TOP 2 diaSourceId FROM DIASource"})
    httpx.post(f"{job}/phase", data={"PHASE": "RUN"})
    until(job, "COMPLETED")
    assert len(httpx.get(f"{job}/results/result").text.splitlines()) == 3
    # It has started: nothing changes any more.
    again = httpx.post(f"{job}/parameters", data={"QUERY": QUICK})
    assert again.status_code == 400
    assert "has started" in again.text


def test_a_job_that_fails_says_why(service):
    job = make(service, "SELECT nothing FROM DIASource", PHASE="RUN")
    assert until(job, "ERROR") == "ERROR"
    said = httpx.get(f"{job}/error")
    assert said.status_code == 200
    assert "there is no column nothing" in said.text
    assert httpx.get(f"{job}/results/result").status_code == 404


def test_abort_ends_the_query_in_the_database(service):
    job = make(service, SLOW, PHASE="RUN")
    until(job, "EXECUTING")
    while not backends(service.dsn, "COPY (SELECT%count(%"):
        time.sleep(0.05)
    httpx.post(f"{job}/phase", data={"PHASE": "ABORT"})
    assert phase(job) == "ABORTED"
    end = time.monotonic() + 5
    while backends(service.dsn, "COPY (SELECT%count(%"):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert phase(job) == "ABORTED"
    httpx.delete(job)


def test_a_job_that_takes_too_long_is_ended(service):
    job = make(service, SLOW)
    httpx.post(f"{job}/executionduration", data={"EXECUTIONDURATION": "1"})
    assert httpx.get(f"{job}/executionduration").text == "1"
    httpx.post(f"{job}/phase", data={"PHASE": "RUN"})
    assert until(job, "ERROR") == "ERROR"
    assert "longer than 1 s" in httpx.get(f"{job}/error").text


def test_wait_answers_below_ten_seconds_and_at_once_when_the_phase_changes(service):
    job = make(service, QUICK)
    started = time.monotonic()
    httpx.get(job, params={"WAIT": "1"})
    assert 0.9 < time.monotonic() - started < 5
    # The phase is not the one that is asked about: there is nothing to wait for.
    started = time.monotonic()
    httpx.get(job, params={"WAIT": "-1", "PHASE": "EXECUTING"})
    assert time.monotonic() - started < 1
    assert httpx.get(job, params={"WAIT": "soon"}).status_code == 400


def test_destruction_throws_job_and_result_away(service):
    job = make(service, QUICK, PHASE="RUN")
    until(job, "COMPLETED")
    httpx.post(f"{job}/destruction", data={"DESTRUCTION": "2999-01-01T00:00:00Z"})
    assert httpx.get(f"{job}/destruction").text < "2030"  # no longer than the service keeps
    httpx.post(f"{job}/destruction", data={"DESTRUCTION": "2020-01-01T00:00:00Z"})
    tap = service.app.state.tap
    tap.kept(lambda cursor: jobs.destroy_old(cursor, tap.folder))
    assert httpx.get(job).status_code == 404
    assert not (tap.folder / job.rpartition("/")[2]).exists()


def test_jobs_of_nobody_are_listed_to_nobody(service):
    """Their ids are the only key to them."""
    job = make(service, QUICK)
    assert len(ET.fromstring(httpx.get(f"{service.tap}/async").content)) == 0
    assert httpx.get(f"{service.tap}/async", params={"LAST": "x"}).status_code == 400
    assert httpx.get(job).status_code == 200


def test_an_upload_is_kept_with_its_job(service):
    response = httpx.post(
        f"{service.tap}/async",
        data={"LANG": "ADQL", "QUERY": "SELECT COUNT(*) AS n FROM tap_upload.t", "FORMAT": "csv",
              "UPLOAD": "t,param:part", "PHASE": "RUN"},
        files={"part": ("t.csv", b"a,b\n1,2\n3,4\n", "text/csv")},
    )  # fmt: skip
    job = response.headers["location"]
    until(job, "COMPLETED")
    assert httpx.get(f"{job}/results/result").text.split() == ["n", "2"]


@pytest.mark.requirement("UGP-05")
def test_a_job_whose_worker_has_died_is_taken_over(service):
    """The session of the worker is killed: another takes the job and brings it to its end."""
    job = make(service, SLOW, PHASE="RUN")
    until(job, "EXECUTING")
    tap = service.app.state.tap
    job_id = job.rpartition("/")[2]

    def worker(cursor):
        cursor.execute("SELECT worker FROM service.job WHERE jobid = %s", (job_id,))
        return cursor.fetchone()[0]

    first = tap.kept(worker)
    with psycopg2.connect(service.dsn) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", (int(first.split()[0]),))
    connection.close()
    # What it ran goes on in its own session until that is ended too.
    for outcome in list(tap.workers._running.values()):
        outcome.cancel()
    end = time.monotonic() + 30
    while (now := tap.kept(worker)) in {first, None}:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert now != first
    assert phase(job) == "EXECUTING"
    httpx.post(f"{job}/phase", data={"PHASE": "ABORT"})
    assert until(job, "ABORTED") == "ABORTED"


def test_two_services_share_the_jobs_of_one_database(service, tmp_path):
    with serving(service.dsn, service.app.state.tap.folder) as (address, _):
        made = [make(service, QUICK, PHASE="RUN") for _ in range(6)]
        for job in made:
            until(job, "COMPLETED")
            elsewhere = job.replace(service.address, address)
            assert httpx.get(f"{elsewhere}/results/result").text.split() == ["n", str(3 * SOURCES)]


@pytest.mark.parametrize("path", ["async/nothing", "async/' OR 1=1", "async/nothing/phase"])
def test_a_job_that_is_not_there_is_said_to_be(service, path):
    assert httpx.get(f"{service.tap}/{path}").status_code == 404
