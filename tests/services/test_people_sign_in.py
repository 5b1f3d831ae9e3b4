"""Who is let in, as whom, and what is told to those who are not."""

import base64
import contextlib
import logging
import time

import httpx
import psycopg2
import pytest
from people_there import Somebody, add
from small_survey import SOURCES

from skyledger import people

COUNT = "SELECT COUNT(*) AS n FROM DIASource"


@pytest.fixture(scope="module")
def ada(service) -> Somebody:
    return add(service, "ada")


def basic(name, token):
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{token}".encode()).decode()}


def ask(service, **headers):
    given = {"LANG": "ADQL", "QUERY": COUNT, "FORMAT": "csv"}
    return httpx.post(f"{service.tap}/sync", data=given, headers=headers)


@pytest.mark.requirement("UGP-01")
def test_a_token_signs_in_as_bearer_and_as_password(service, ada):
    assert ask(service, **ada.headers).text.split() == ["n", str(3 * SOURCES)]
    for name in ("ada", ""):
        assert ask(service, **basic(name, ada.token)).status_code == 200
    assert httpx.get(f"{service.address}/mydb", headers=ada.headers).json()["person"] == "ada"
    assert httpx.get(f"{service.address}/mydb").status_code == 401


@pytest.mark.requirement("UGP-01")
@pytest.mark.parametrize(
    "given",
    [
        "Bearer",
        "Bearer sky_",
        "Bearer sky_" + "a" * 43,
        "Bearer {token}x",
        "Bearer {token} {token}",
        "bearer ' OR 1=1 --",
        "Digest {token}",
        "{token}",
        "Basic !!!",
        "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
    ],
)
@pytest.mark.parametrize(
    "path",
    ["/", "/mydb", "/tap/prompt/sync?LANG=ADQL&QUERY=SELECT+1", "/tap/prompt/tables", "/tap/prompt",
     "/tap/prompt/async", "/tap/prompt/capabilities", "/scs/prompt/DIAObject", "/nothing"],
)  # fmt: skip
def test_a_wrong_token_is_refused_everywhere_and_never_anonymous(service, ada, given, path):
    response = httpx.get(
        f"{service.address}{path}", headers={"Authorization": given.format(token=ada.token)}
    )
    assert response.status_code == 401
    challenges = response.headers.get_list("www-authenticate")
    assert any(c.startswith("Basic ") for c in challenges)
    assert any(c.startswith("Bearer ") for c in challenges)
    assert "skyledger people token" in response.text
    assert ada.token not in response.text


def test_the_name_beside_a_token_has_to_be_its_owner(service, ada):
    assert ask(service, **basic("bob", ada.token)).status_code == 401
    both = [("Authorization", f"Bearer {ada.token}")] * 2
    response = httpx.get(f"{service.address}/mydb", headers=both)
    assert response.status_code == 401


@pytest.mark.requirement("UGP-01")
def test_revoked_and_expired_tokens_end_at_once(service):
    carl = add(service, "carl")
    assert carl.get("/mydb").status_code == 200
    with contextlib.closing(psycopg2.connect(service.dsn)) as owner:
        people.revoke_token(owner, "carl", "test")
        owner.commit()
        assert carl.get("/mydb").status_code == 401
        token, _ = people.add_token(owner, "carl", "other", 1)
        owner.commit()
        again = Somebody("carl", token, service.address)
        assert again.get("/mydb").status_code == 200
        with owner.cursor() as cursor:
            cursor.execute(
                "UPDATE service.accesstoken SET expirestai = science.tai_now() - interval '1 s' "
                "WHERE label = 'other' AND personname = 'carl'"
            )
        owner.commit()
        assert again.get("/mydb").status_code == 401
        third, _ = people.add_token(owner, "carl", "third", 1)
        people.disable_person(owner, "carl")
        owner.commit()
    assert Somebody("carl", third, service.address).get("/mydb").status_code == 401


@pytest.mark.parametrize("name", ["token", "access_token", "QUERY", "RUNID", "x"])
def test_a_token_in_the_address_is_no_key_and_is_not_kept(service, ada, name):
    """It is refused, without being repeated, before it gets into jobs or logs."""
    asked = {"LANG": "ADQL", "QUERY": COUNT} | {name: f"{COUNT} -- {ada.token}"}
    for send in (
        lambda: httpx.get(f"{service.tap}/sync", params=asked),
        lambda: httpx.post(f"{service.tap}/async", data=asked),
    ):
        response = send()
        assert response.status_code == 400
        assert "revoked" in response.text
        assert ada.token not in response.text
    # Nor does it sign anybody in.
    assert httpx.get(f"{service.address}/mydb", params={name: ada.token}).status_code == 401


@pytest.mark.requirement("UGP-01", "GEN-19")
def test_the_log_knows_the_person_and_no_token(service, ada, caplog):
    with caplog.at_level(logging.DEBUG):
        mark = "SELECT COUNT(*) AS logged FROM DIASource"
        assert ada.ask(mark).status_code == 200
        assert httpx.post(
            f"{service.tap}/sync", data={"LANG": "ADQL", "QUERY": mark},
            headers={"User-Agent": f"curl {ada.token}"},
        ).status_code == 200  # fmt: skip
        ada.send("POST", "/tap/prompt/sync", data={"LANG": "ADQL", "QUERY": "SELECT x FROM y"})
        ada.ended(ada.job(mark))
    assert ada.token not in caplog.text
    with contextlib.closing(psycopg2.connect(service.dsn)) as owner, owner.cursor() as cursor:
        end = time.monotonic() + 10  # the log is written after the answer has gone
        while True:
            cursor.execute(
                "SELECT personname, door FROM service.querylog WHERE query = %s", (mark,)
            )
            found = sorted(cursor.fetchall(), key=str)
            if len(found) == 3:
                break
            assert time.monotonic() < end, found
            time.sleep(0.05)
        assert found == [("ada", "async"), ("ada", "sync"), (None, "sync")]
        for table in ("querylog", "job", "accesstoken"):
            cursor.execute(
                f"SELECT count(*) FROM service.{table} AS t WHERE t::text ~ %s", (ada.token[4:20],)
            )
            assert cursor.fetchone()[0] == 0, table


def test_pages_of_other_sites_cannot_borrow_a_browser(service, ada):
    for site, status in (("cross-site", 403), ("same-origin", 201), ("none", 409)):
        response = ada.send(
            "PUT", "/mydb/borrowed", content=b"a\n1\n",
            headers={"Sec-Fetch-Site": site, "Content-Type": "text/csv"},
        )  # fmt: skip
        assert response.status_code == status, response.text
    assert ada.get("/mydb", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_capabilities_say_how_to_sign_in(service, ada):
    response = httpx.get(f"{service.tap}/capabilities")
    assert response.status_code == 200
    methods = ["<securityMethod />", "sso#BasicAA", "sso#token"]
    places = [response.text.index(m) for m in methods]
    assert places == sorted(places)
    assert response.headers["www-authenticate"].startswith("Basic ")
    known = ada.get("/tap/prompt/capabilities")
    assert "www-authenticate" not in known.headers
