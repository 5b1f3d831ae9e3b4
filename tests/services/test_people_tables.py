"""MyDB over HTTP: tables of people are made, listed, asked, shared and dropped."""

import contextlib
import gc
import io
import warnings

import httpx
import numpy as np
import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import pyvo
import requests
from astropy.table import Table
from people_there import Somebody, add
from small_survey import CENTRE, SOURCES, positions

pytestmark = pytest.mark.requirement("UGP-02")


@pytest.fixture(scope="module")
def dora(service) -> Somebody:
    return add(service, "dora")


@pytest.fixture(scope="module")
def emil(service) -> Somebody:
    return add(service, "emil")


def stars(seed=1):
    """Positions of the survey's objects as a table with units and words."""
    ra, dec = positions(seed)
    table = Table({"ID": np.arange(len(ra)), "RAJ2000": ra, "DEJ2000": dec, "B-V": ra * 0 + 0.5})
    table["RAJ2000"].unit = table["DEJ2000"].unit = "deg"
    table["RAJ2000"].description = "Right ascension of mine."
    return table


def written(table, form="votable"):
    out = io.BytesIO()
    if form == "parquet":
        units = [
            pa.field(n, pa.from_numpy_dtype(table[n].dtype)).with_metadata(
                {"unit": str(table[n].unit or "")}
            )
            for n in table.colnames
        ]
        columns = [np.asarray(table[n]) for n in table.colnames]
        pq.write_table(
            pa.Table.from_arrays(list(map(pa.array, columns)), schema=pa.schema(units)), out
        )
        return out.getvalue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table.write(out, format=form)
    return out.getvalue()


FORMATS = {
    "votable": ("votable", "application/x-votable+xml"),
    "fits": ("fits", "application/fits"),
    "parquet": ("parquet", "application/vnd.apache.parquet"),
}


@pytest.mark.parametrize("form", FORMATS)
def test_a_table_of_any_format_becomes_one_that_can_be_asked(dora, form):
    writer, kind = FORMATS[form]
    name = f"from_{form}"
    made = dora.put(name, written(stars(), writer), kind, description="Stars  I\nlike")
    assert made.status_code == 201, made.text
    told = made.json()
    assert told["name"] == f"mydb_dora.{name}"
    assert told["rows"] == SOURCES
    assert told["description"] == "Stars I like"
    columns = {c["name"]: c for c in told["columns"]}
    assert list(columns) == ["ID", "RAJ2000", "DEJ2000", "b_v"]
    assert columns["RAJ2000"]["unit"] == "deg"
    assert columns["RAJ2000"]["indexed"]
    assert columns["RAJ2000"]["datatype"] == "double"
    assert dora.get(f"/mydb/{name}").json() == told
    assert made.headers["location"] == f"{dora.address}/mydb/{name}"
    # By its full name anywhere, and by its name alone in the person's own database.
    assert dora.rows(f"SELECT COUNT(*) AS n FROM mydb_dora.{name}") == [[str(SOURCES)]]
    assert dora.rows(f"SELECT COUNT(*) AS n FROM {name}", "mydb_dora") == [[str(SOURCES)]]
    assert dora.rows(f"SELECT COUNT(*) AS n FROM MyDB_Dora.{name.upper()}") == [[str(SOURCES)]]
    if form == "votable":
        found = dora.ask(f"SELECT TOP 1 RAJ2000 FROM {name}", "mydb_dora", FORMAT="votable").text
        assert "Right ascension of mine." in found
        assert 'unit="deg"' in found


def test_csv_needs_a_name_of_the_format_or_none(dora):
    assert dora.put("plain", b"x\ty\n1\t2\n", "text/plain", FORMAT="tsv").status_code == 201
    assert [c["name"] for c in dora.get("/mydb/plain").json()["columns"]] == ["x", "y"]
    refused = dora.put("plain2", b"x\n1\n", "text/csv", FORMAT="xls")
    assert refused.status_code == 400
    assert "csv, tsv, votable, fits, parquet" in refused.json()["error"]


def test_a_join_with_the_survey_uses_the_index_of_positions(service, dora):
    """The index of the person's table is there, and a cone search of it finds the right rows."""
    dora.put("near", written(stars()), "application/x-votable+xml")
    ra, dec = positions()
    inside = np.hypot((ra - CENTRE[0]) * np.cos(np.radians(CENTRE[1])), dec - CENTRE[1]) < 0.05
    cone = f"CONTAINS(POINT(RAJ2000, DEJ2000), CIRCLE({CENTRE[0]}, {CENTRE[1]}, 0.05))"
    found = dora.rows(f"SELECT ID FROM near WHERE 1 = {cone}", "mydb_dora")
    assert sorted(int(r[0]) for r in found) == np.flatnonzero(inside).tolist()
    joined = dora.rows(
        "SELECT s.ID, o.diaObjectId FROM mydb_dora.near AS s JOIN prompt.DIAObject AS o "
        "ON 1 = CONTAINS(POINT(o.ra, o.dec), CIRCLE(s.RAJ2000, s.DEJ2000, 0.0003))"
    )
    assert len(joined) == SOURCES
    with contextlib.closing(psycopg2.connect(service.dsn)) as owner, owner.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT * FROM mydb_dora.near WHERE spoint(radians(raj2000), radians(dej2000)) "
            "<@ scircle(spoint(1, 1), 0.1)"
        )
        assert "near_spoint_idx" in " ".join(r[0] for r in cursor.fetchall())
    assert dora.get(
        "/scs/mydb_dora/near",
        params={"RA": CENTRE[0], "DEC": CENTRE[1], "SR": 0.05, "RESPONSEFORMAT": "csv"},
    ).text.count("\n") == inside.sum() + 1  # fmt: skip


def test_lists_show_the_tables_of_the_person_alone(service, dora, emil):
    dora.put("listed")
    for path in ("/tap/prompt/tables", "/tap/mydb_dora/tables", "/tap/prompt/tables?detail=min"):
        assert "mydb_dora.listed" in dora.get(path).text
    one = dora.get("/tap/mydb_dora/tables/mydb_dora.listed")
    assert one.status_code == 200
    assert "<name>a</name>" in one.text
    query = "SELECT table_name FROM tap_schema.tables WHERE table_name LIKE 'mydb_dora.%'"
    assert ["mydb_dora.listed"] in dora.rows(query)
    listed = {t["name"] for t in dora.get("/mydb").json()["tables"]}
    assert "mydb_dora.listed" in listed
    page = dora.get("/mydb", headers={"Accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert "mydb_dora.listed" in page.text
    for other in (emil.send, lambda m, path: httpx.request(m, f"{service.address}{path}")):
        assert "mydb_dora" not in other("GET", "/tap/prompt/tables").text
    assert emil.rows(query) == []
    assert emil.get("/mydb").json()["tables"] == []


def test_the_same_name_is_taken_until_the_table_is_dropped(dora):
    assert dora.put("once").status_code == 201
    again = dora.put("once")
    assert again.status_code == 409
    assert "Drop it first" in again.json()["error"]
    assert dora.send("DELETE", "/mydb/once").status_code == 204
    assert dora.send("DELETE", "/mydb/once").status_code == 404
    assert dora.get("/mydb/once").status_code == 404
    assert dora.ask("SELECT * FROM once", "mydb_dora").status_code == 400
    assert dora.put("once").status_code == 201


@pytest.mark.requirement("UGP-03")
def test_a_table_is_shared_with_a_person_a_group_and_everyone(service, dora, emil):
    dora.put("shared")
    query = "SELECT SUM(a) AS s FROM mydb_dora.shared"

    def seen(who):
        return who.ask(query).status_code == 200

    def anonymous():
        return service.ask(query).status_code == 200

    def share(**whom):
        response = dora.send("POST", "/mydb/shared/shares", data=whom)
        assert response.status_code == 200, response.text
        return response.json()["shared_with"]

    fred = add(service, "fred")
    assert (seen(dora), seen(emil), anonymous()) == (True, False, False)
    assert share(person="emil") == ["person:emil"]
    assert (seen(emil), seen(fred), anonymous()) == (True, False, False)
    told = emil.get("/mydb").json()["shared_with_me"]
    assert [(t["name"], t["shared_with"]) for t in told] == [("mydb_dora.shared", None)]
    assert emil.get("/mydb/mydb_dora.shared").json()["rows"] == 2
    assert emil.rows("SELECT a FROM shared ORDER BY a", "mydb_dora") == [["1"], ["3"]]
    assert dora.send("DELETE", "/mydb/shared/shares/person/emil").status_code == 204
    assert not seen(emil)

    assert dora.send("POST", "/groups", data={"name": "team"}).status_code == 201
    assert share(group="team") == ["group:team"]
    assert not seen(emil)
    joined = dora.send("POST", "/groups/team/members", data={"person": "emil"})
    assert joined.status_code == 201
    assert seen(emil)
    assert emil.get("/groups").json()["groups"] == [
        {"name": "team", "owner": "dora", "description": "", "members": ["dora", "emil"]}
    ]
    assert emil.send("POST", "/groups/team/members", data={"person": "fred"}).status_code == 403
    assert dora.send("DELETE", "/groups/team/members/emil").status_code == 204
    assert not seen(emil)
    assert dora.send("DELETE", "/groups/team").status_code == 204

    assert share(everyone="true") == ["everyone"]
    assert (seen(emil), seen(fred), anonymous()) == (True, True, True)
    assert httpx.get(f"{service.address}/tap/mydb_dora/tables").text.count("<table ") == 1 + (
        httpx.get(f"{service.tap}/tables").text.count("<table ") - 1
    )
    assert "mydb_dora.shared" in httpx.get(f"{service.tap}/tables").text
    assert dora.send("DELETE", "/mydb/shared/shares/everyone").status_code == 204
    assert not anonymous()
    for wrong in ({}, {"person": "emil", "group": "x"}, {"everyone": "false"}):
        assert dora.send("POST", "/mydb/shared/shares", data=wrong).status_code == 400
    assert dora.send("POST", "/mydb/shared/shares", data={"person": "nobody"}).status_code == 404


def test_pyvo_asks_and_makes_tables_with_a_token(service, dora):
    """A plain requests session with the header, and pyvo's own credentials."""
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {dora.token}"
    auth = pyvo.auth.AuthSession()
    auth.credentials.set_password("dora", dora.token)
    tap = pyvo.dal.TAPService(f"{service.address}/tap/mydb_dora", session=session)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pyvo.utils.activate_features("cadc-tb-upload")
        tap.create_table("by_pyvo", io.BytesIO(written(stars())), format="VOTable")
        assert tap.search("SELECT COUNT(*) AS n FROM by_pyvo")["n"][0] == SOURCES
        assert "mydb_dora.by_pyvo" in tap.tables
        job = tap.submit_job("SELECT TOP 3 * FROM by_pyvo")
        job.run().wait(timeout=30)
        assert len(job.fetch_result()) == 3
        assert job.url.rpartition("/")[2] in [j.jobid for j in tap.get_job_list()]
        second = pyvo.dal.TAPService(service.tap, session=auth)
        auth.update_from_capabilities(second.capabilities)
        assert second.search("SELECT COUNT(*) AS n FROM mydb_dora.by_pyvo")["n"][0] == SOURCES
        tap.remove_table("mydb_dora.by_pyvo")
        with pytest.raises(pyvo.DALQueryError):
            tap.search("SELECT COUNT(*) AS n FROM by_pyvo")
        definition = (
            b'<vosi:table xmlns:vosi="http://www.ivoa.net/xml/VOSITables/v1.0" '
            b'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
            b'xmlns:vs="http://www.ivoa.net/xml/VODataService/v1.1" type="output">'
            b"<name>empty</name><column><name>x</name><unit>nJy</unit>"
            b'<dataType xsi:type="vs:VOTableType">double</dataType></column><column>'
            b'<name>t</name><dataType xsi:type="vs:VOTableType" arraysize="*">char</dataType>'
            b"</column></vosi:table>"
        )
        tap.create_table("empty", io.BytesIO(definition), format="VOSITable")
        assert tap.search("SELECT COUNT(x) AS n FROM empty WHERE t = 'a'")["n"][0] == 0
        with pytest.raises(requests.HTTPError, match="400"):
            tap.load_table("empty", io.BytesIO(b"x\tt\n1\ta\n"))
        for used in (session, *auth.credentials.credentials.values()):
            used.close()
        del tap, second, job, auth, session, used
        gc.collect()  # pyvo leaves connections open, of which Python warns when they go
    columns = dora.get("/mydb/empty").json()["columns"]
    assert [(c["name"], c["datatype"], c["unit"]) for c in columns] == [
        ("x", "double", "nJy"), ("t", "unicodeChar", None),
    ]  # fmt: skip
