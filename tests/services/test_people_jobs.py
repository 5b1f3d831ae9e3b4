"""Jobs belong to whoever made them, and take turns; answers become tables of people."""

import contextlib
import threading
import time
from xml.etree import ElementTree as ET

import httpx
import psycopg2
import pytest
from people_there import Somebody, add
from small_survey import SOURCES, serving

from skyledger import people

UWS = "{http://www.ivoa.net/xml/UWS/v1.0}"
QUICK = "SELECT COUNT(*) AS n FROM DIASource"
# 120**4 rows are counted: half a minute at least.
SLOW = (
    "SELECT COUNT(*) AS n FROM DIASource AS a JOIN DIASource AS b ON 1 = 1 "
    "JOIN DIASource AS c ON 1 = 1 JOIN DIASource AS d ON 1 = 1"
)


@pytest.fixture(scope="module")
def gina(service) -> Somebody:
    return add(service, "gina")


@pytest.fixture(scope="module")
def hugo(service) -> Somebody:
    return add(service, "hugo")


@pytest.fixture(scope="module")
def boss(service) -> Somebody:
    return add(service, "boss", operator=True)


def listed(who, **parameters):
    response = who.get("/tap/prompt/async", params=parameters)
    return [e.get("id") for e in ET.fromstring(response.content)]


@pytest.mark.requirement("UGP-01")
def test_the_list_is_ones_own_and_is_filtered_by_phase_time_and_number(gina, hugo, boss):
    made = [gina.job(QUICK, RUNID=f"list{k}", PHASE="") for k in range(3)]
    ids = [job.rpartition("/")[2] for job in made]
    assert listed(gina, LAST="2") == [ids[2], ids[1]]
    assert listed(gina) == ids[::-1]
    assert set(listed(gina, PHASE="PENDING")) == set(ids)
    assert listed(gina, PHASE="COMPLETED") == []
    created = ET.fromstring(gina.get(made[1]).content).findtext(f"{UWS}creationTime")
    assert ids[0] not in listed(gina, AFTER=created)
    assert ids[2] in listed(gina, AFTER=created)
    assert listed(hugo) == []
    assert set(ids) <= set(listed(boss))
    assert ET.fromstring(gina.get(made[0]).content).findtext(f"{UWS}ownerId") == "gina"


@pytest.mark.requirement("UGP-01", "UGP-03")
def test_jobs_of_others_are_closed_by_every_address_and_method(service, gina, hugo, boss):
    job = gina.job("SELECT 'a secret' AS words FROM DIASource", RUNID="mine")
    assert gina.ended(job) == "COMPLETED"
    database = job.replace("/tap/prompt/", "/tap/prompt@2999-01-01/")
    for path in (job, database):
        for part in ("", "/phase", "/parameters", "/results", "/results/result", "/owner", "/error",
                     "/destruction", "/executionduration", "/quote"):  # fmt: skip
            for who, status in ((hugo.get, 403), (lambda p: httpx.get(service.address + p), 401)):
                response = who(path + part)
                assert response.status_code == status, part
                assert "secret" not in response.text
                assert "gina" not in response.text
    for method, path, data in (
        ("DELETE", job, {}),
        ("POST", job, {"ACTION": "DELETE"}),
        ("POST", job, {"PHASE": "ABORT"}),
        ("POST", f"{job}/phase", {"PHASE": "ABORT"}),
        ("POST", f"{job}/destruction", {"DESTRUCTION": "2000-01-01T00:00:00Z"}),
        ("POST", f"{job}/parameters", {"QUERY": QUICK}),
    ):
        given = {"data": data} if method == "POST" else {}
        assert hugo.send(method, path, **given).status_code == 403
        assert httpx.request(method, service.address + path, **given).status_code == 401
    assert gina.get(f"{job}/results/result").text.count("secret") == 3 * SOURCES
    assert boss.get(f"{job}/phase").text == "COMPLETED"
    assert boss.send("DELETE", job).status_code == 303
    assert gina.get(job).status_code == 404


@pytest.mark.requirement("UGP-02", "GEN-19")
@pytest.mark.parametrize("door", ["async", "sync"])
def test_an_answer_becomes_a_table_with_units_words_and_instant(service, gina, door):
    instant = service.epochs[1].isoformat()
    query = (
        "SELECT diaSourceId, ra, decl, psFlux AS f, midPointTai, POINT(ra, decl) AS place, "
        "CAST(ra AS VARCHAR) AS words FROM DIASource"
    )
    name = f"by_{door}"
    if door == "async":
        job = gina.job(query, DESTINATION=f"mydb_gina.{name}", ASOF=instant)
        assert gina.ended(job) == "COMPLETED", gina.get(f"{job}/error").text
        said = gina.get(f"{job}/results/result").text
        shown = ET.fromstring(gina.get(job).content)
        assert shown.findtext(f"{UWS}jobInfo/rows") == str(2 * SOURCES)
    else:
        said = gina.ask(query, DESTINATION=name, ASOF=instant).text
    told = gina.get(f"/mydb/{name}").json()
    assert said.split() == [
        "table_name,rows,bytes", f"mydb_gina.{name},{2 * SOURCES},{told['bytes']}",
    ]  # fmt: skip
    assert (told["origin"], told["query"], told["asof"]) == ("query", query, instant)
    columns = {c["name"]: c for c in told["columns"]}
    assert columns["f"]["unit"] == "nJy"
    assert columns["ra"]["ucd"] == "pos.eq.ra;meta.main"
    assert columns["ra"]["description"]
    assert columns["ra"]["indexed"]
    assert (columns["place"]["xtype"], columns["place"]["arraysize"]) == ("point", "2")
    # Row by row what the query itself answers.
    wanted = sorted(gina.rows(query, ASOF=instant))
    assert sorted(gina.rows(f"SELECT * FROM {name}", "mydb_gina")) == wanted
    assert len(wanted) == 2 * SOURCES
    again = gina.ask(query, DESTINATION=name)
    assert again.status_code == 409
    assert "Drop it first" in again.text


@pytest.mark.requirement("UGP-02")
def test_maxrec_and_top_cut_a_table_and_its_answer_says_so(gina):
    every = "SELECT diaSourceId FROM DIASource"
    cut = gina.ask(every, DESTINATION="cut", MAXREC="7", FORMAT="votable")
    assert 'value="OVERFLOW"' in cut.text
    assert gina.get("/mydb/cut").json()["rows"] == 7
    assert 'value="OVERFLOW"' not in gina.ask(
        f"SELECT TOP 5 {every[7:]}", DESTINATION="top", FORMAT="votable"
    ).text  # fmt: skip
    assert gina.get("/mydb/top").json()["rows"] == 5


@pytest.mark.requirement("UGP-06")
def test_an_answer_over_the_quota_stops_and_leaves_nothing(service):
    ivan = add(service, "ivan", quota=3_000_000)
    # 1,728,000 rows, if nothing stopped them.
    columns = "a.diaSourceId AS i, a.ra AS x, b.ra AS y, b.decl AS z"
    large = f"SELECT {columns} FROM DIASource AS a, DIASource AS b, DIASource AS c"
    response = ivan.ask(large, DESTINATION="large")
    assert response.status_code == 413
    assert "quota" in response.text
    assert "rows it takes" in response.text
    job = ivan.job(large, DESTINATION="large")
    assert ivan.ended(job) == "ERROR"
    assert "quota" in ivan.get(f"{job}/error").text
    told = ivan.get("/mydb").json()
    assert (told["used_bytes"], told["tables"]) == (0, [])
    with contextlib.closing(psycopg2.connect(service.dsn)) as owner, owner.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'mydb_ivan'")
        assert cursor.fetchone() == (0,)
        cursor.execute(
            "SELECT max(nrows) FROM service.querylog WHERE personname = 'ivan' AND status = 'ERROR'"
        )
        assert 0 < cursor.fetchone()[0] < 1_000_000  # of 1,728,000: it ended on the way
    assert ivan.ask(QUICK, DESTINATION="small").status_code == 200


@pytest.mark.requirement("UGP-02")
def test_a_query_that_fails_leaves_no_table(gina):
    by_zero = "SELECT 1 / (diaSourceId - diaSourceId) AS x FROM DIASource"
    for query in ("SELECT nothing FROM DIASource", by_zero):
        assert gina.ask(query, DESTINATION="failed").status_code == 400
        assert gina.get("/mydb/failed").status_code == 404
    job = gina.job(SLOW.replace("COUNT(*) AS n", "a.ra"), DESTINATION="aborted")
    while gina.get(f"{job}/phase").text != "EXECUTING":
        time.sleep(0.02)
    time.sleep(0.3)
    gina.send("POST", f"{job}/phase", data={"PHASE": "ABORT"})
    assert gina.ended(job) == "ABORTED"
    end = time.monotonic() + 10
    while gina.put("aborted").status_code != 201:  # the name is free once the load has ended
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("destination", "status"),
    [
        ("mydb_hugo.x", 403),
        ("MYDB_HUGO.x", 403),
        ("prompt.DIASource", 400),
        ("x; DROP TABLE y", 400),
        ('x"', 400),
        ("mydb_gina.x.y", 400),
        ("mydb_gina.", 400),
        ("1x", 400),
        ("\u017ftars", 400),
        ("star\u212a", 400),
        ("x" * 64, 400),
        ("../x", 400),
    ],
)
def test_destinations_that_cannot_be_are_refused_before_a_job_is_made(gina, destination, status):
    asked = {"LANG": "ADQL", "QUERY": QUICK, "DESTINATION": destination}
    for door in ("sync", "async"):
        response = gina.send("POST", f"/tap/prompt/{door}", data=asked)
        assert response.status_code == status, response.text


def test_a_destination_is_for_people_and_for_post(service, gina):
    asked = {"LANG": "ADQL", "QUERY": QUICK, "DESTINATION": "x"}
    for door in ("sync", "async"):
        assert httpx.post(f"{service.tap}/{door}", data=asked).status_code == 401
    assert gina.get("/tap/prompt/sync", params=asked).status_code == 400


@pytest.mark.requirement("UGP-06")
def test_owners_take_turns_and_keep_to_their_limit(service, tmp_path):
    """Who may have one query running waits with the second job, and others pass him."""
    jane = add(service, "jane", most_queries=1)
    kurt = add(service, "kurt")
    with serving(service.dsn, tmp_path, workers=3) as (address, application):
        jane, kurt = (Somebody(p.name, p.token, address) for p in (jane, kurt))
        first = jane.job(SLOW)
        while jane.get(f"{first}/phase").text != "EXECUTING":
            time.sleep(0.05)
        second, third = jane.job(QUICK), jane.job(QUICK)
        other = kurt.job(QUICK)
        assert kurt.ended(other) == "COMPLETED"
        assert {jane.get(f"{j}/phase").text for j in (second, third)} == {"QUEUED"}
        # Nor may she ask at once beside the job that runs: after a while she is told to wait.
        application.state.tap.gate.patience = 0.3
        refused = jane.ask(QUICK)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert "1 queries at the same time are allowed to jane" in refused.text
        jane.send("POST", f"{first}/phase", data={"PHASE": "ABORT"})
        assert jane.ended(second) == jane.ended(third) == "COMPLETED"


@pytest.mark.requirement("UGP-01")
def test_a_job_of_somebody_who_was_shut_out_does_not_run(service):
    lisa = add(service, "lisa", most_queries=1)
    job = lisa.job(SLOW)
    while lisa.get(f"{job}/phase").text != "EXECUTING":
        time.sleep(0.05)
    waiting = lisa.job(QUICK).rpartition("/")[2]
    with contextlib.closing(psycopg2.connect(service.dsn)) as owner:
        people.disable_person(owner, "lisa")
        owner.commit()
        with owner.cursor() as cursor:
            cursor.execute("UPDATE service.job SET phase = 'ABORTED', worker = NULL "
                           "WHERE ownername = 'lisa' AND phase = 'EXECUTING'")  # fmt: skip
            cursor.execute("SELECT pg_notify('skyledger_jobs', %s)", (job.rpartition("/")[2],))
            owner.commit()
            end = time.monotonic() + 20
            while True:
                cursor.execute(
                    "SELECT phase, message FROM service.job WHERE jobid = %s", (waiting,)
                )
                phase, message = cursor.fetchone()
                owner.commit()
                if phase == "ERROR":
                    break
                assert time.monotonic() < end, phase
                time.sleep(0.1)
    assert "shut out" in message


def test_loads_into_one_name_at_the_same_time_make_one_table(gina):
    answers = []

    def make(k):
        answers.append(gina.put("raced", f"a\n{k}\n".encode()).status_code)

    threads = [threading.Thread(target=make, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) <= {201, 409, 503}
    assert answers.count(201) == 1
    assert gina.get("/mydb/raced").json()["rows"] == 1
