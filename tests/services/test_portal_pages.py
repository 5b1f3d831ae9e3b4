"""Pages of the portal in a real browser: every one and every state, on paper light and dark."""

import html
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from portal_browser import chromium, needed, overflow, page_of, violations

pytestmark = needed
CONE = "SELECT diaObjectId, ra, decl, nDiaSources FROM prompt.DIAObject ORDER BY diaObjectId"
HOSTILE = "<script>document.title='owned'</script>\u202e\" onload='x'"


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def object_id(service):
    return int(service.rows("SELECT TOP 1 diaObjectId FROM DIAObject ORDER BY diaObjectId")[0][0])


def addresses(service, number):
    """Every page and state: address, and the status it must have."""
    first, second, last = (e.isoformat() for e in service.epochs)
    one = f"/object/prompt/{number}"
    ask = "/query?q=" + quote(CONE)
    return [
        ("/", 200),
        ("/help", 200),
        ("/status", 200),
        ("/objects", 200),
        (f"/objects?near=150.0,2.0,600&asof={second}", 200),
        (one, 200),
        (f"{one}?asof={first}", 200),
        (f"{one}?scale=mag&flux=total&bands=r&period=0.7", 200),
        (f"{one}/compare?a={first}&b={last}", 200),
        (f"{one}?asof=1999-01-01", 400),
        (f"{one}?asof=2999-01-01", 400),
        ("/object/prompt/12345", 404),
        ("/object/dr9/12345", 404),
        ("/query", 200),
        (ask, 200),
        (f"{ask}&view=curves", 200),
        (f"{ask}&view=cmd", 200),
        (f"{ask}&view=sky&row=3", 200),
        (f"{ask}&sort=-nDiaSources&page=9&asof={first}", 200),
        ("/query?q=" + quote("SELECT diaObjectId FROM DIAObject WHERE nDiaSources > 999"), 200),
        ("/query?q=" + quote("SELECT nothing FROM nowhere"), 400),
        ("/query?q=" + quote(HOSTILE), 400),
        ("/search?q=" + quote(HOSTILE), 404),
        ("/jobs", 200),
        ("/sign-in", 200),
        ("/sso/1", 200),
        ("/filters/mine", 200),
        ("/cite/nothing", 404),
        ("/nowhere", 404),
    ]


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_every_page_is_whole_quiet_and_accessible(service, browser, object_id, width, scheme):
    with page_of(browser, service.address, width=width, color_scheme=scheme) as (page, seen):
        wrong = {}
        for path, status in addresses(service, object_id):
            seen.script.clear()
            said = page.goto(service.address + path, wait_until="networkidle")
            # A refusal is told on the console as a failed document: that one is meant.
            seen.messages[:] = [m for m in seen.messages if f"status of {status}" not in m]
            budget = 200_000 if path.startswith("/query") else 60_000
            found = {
                "status": said.status != status and said.status,
                "console": list(seen.messages),
                "failed": seen.failed + seen.foreign,
                "overflow": max(overflow(page), 0),
                "title": page.title() == "owned",
                "axe": violations(page),
                "script": sum(seen.script.values()) > budget and dict(seen.script),
                "size": int(said.headers["content-length"]) > 40_000,
            }
            wrong |= {f"{path} {name}": value for name, value in found.items() if value}
            for kept in (seen.messages, seen.failed, seen.foreign):
                kept.clear()
    assert not wrong, "\n".join(f"{name}: {value}" for name, value in wrong.items())


def test_a_link_shows_the_same_for_ever(service, object_id):
    """The instant in the address decides: rows and drawing, also after later publications."""
    first, second, _ = (e.isoformat() for e in service.epochs)
    drawing = f"{service.address}/object/prompt/{object_id}/lightcurve.svg?asof="
    then = httpx.get(drawing + second)
    assert then.status_code == 200
    assert httpx.get(drawing + second).content == then.content
    assert then.text.count('class="s"') == 2
    assert httpx.get(drawing + first).text.count('class="s"') == 1
    page = f"{service.address}/object/prompt/{object_id}?asof="
    assert "version 1 of 3" in httpx.get(page + first).text
    assert "version 2 of 3" in httpx.get(page + second).text


def test_the_keyboard_is_enough(service, browser, object_id):
    """Write a query, run it, open the third row, switch a band off, choose a point, go back."""
    with page_of(browser, service.address) as (page, seen):
        page.goto(service.address + "/query", wait_until="networkidle")
        page.locator(".cm-content").focus()
        page.keyboard.press("Control+a")
        page.keyboard.type(CONE)
        page.keyboard.press("Escape")
        page.keyboard.press("Control+Enter")
        page.wait_for_selector("#answer")
        third = page.locator("#answer tbody tr").nth(2).locator("a")
        wanted = third.inner_text()
        third.focus()
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/object/prompt/{wanted}*")
        band = page.locator(".pill[role=button]").first
        band.focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**bands=*")
        page.goto(f"{service.address}/object/prompt/{object_id}", wait_until="networkidle")
        page.locator(".curve").focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        page.wait_for_url("**sel=*")
        page.locator(".asof input[type=range]").focus()
        page.keyboard.press("ArrowLeft")
        page.wait_for_url("**asof=*")
        assert page.locator(".asof.past").count() == 1
        seen.check()


def test_completion_knows_columns_with_their_units(service, browser):
    with page_of(browser, service.address) as (page, seen):
        page.goto(service.address + "/query", wait_until="networkidle")
        page.locator(".cm-content").focus()
        page.keyboard.press("Control+a")
        page.keyboard.type("SELECT  FROM prompt.DIASource")
        page.keyboard.press("Escape")
        for _ in range(len(" FROM prompt.DIASource")):
            page.keyboard.press("ArrowLeft")
        page.keyboard.type("psFluxE")
        page.wait_for_selector(".cm-tooltip-autocomplete")
        assert "psFluxErr" in page.locator(".cm-tooltip-autocomplete").inner_text()
        assert "nJy" in page.locator(".cm-completionDetail").first.inner_text()
        page.wait_for_timeout(300)  # a list that has just opened takes no Enter meant for the text
        page.keyboard.press("Enter")
        page.get_by_text("Valid ADQL").wait_for()
        # The table browser inserts at the cursor and leaves the rest.
        page.locator("[data-table='prompt.DIASource'] summary").click()
        page.keyboard.press("Control+End")
        page.locator("[data-table='prompt.DIASource'] button.name", has_text="snr").first.click()
        text = page.locator("#q").input_value()
        assert text.startswith("SELECT psFluxErr")
        assert "snr" in text
        seen.check()


def test_without_scripts_pages_answer(service, browser, object_id):
    with page_of(browser, service.address, java_script_enabled=False) as (page, seen):
        page.goto(f"{service.address}/query")
        page.locator("#q").fill(CONE)
        page.get_by_role("button", name="Run").click()
        assert page.locator("#answer tbody tr").count() == 40
        page.locator("#answer thead a", has_text="nDiaSources").click()
        assert page.locator("th[aria-sort=ascending]").inner_text().startswith("nDiaSources")
        page.goto(f"{service.address}/object/prompt/{object_id}")
        assert page.locator(".curve .p").count() == 3
        page.get_by_text("Go to a date").click()
        page.locator("input[name=asof][type=text]").fill(service.epochs[0].isoformat())
        page.locator(".asof form button").click()
        assert page.locator(".curve .p").count() == 1
        assert page.locator(".asof.past").count() == 1
        seen.check()


def test_changes_need_the_own_pages(service):
    """Another site's page changes nothing: not with the cookie that the browser holds."""
    for headers in ({"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}):
        said = httpx.post(
            f"{service.address}/cite", headers=headers,
            data={"db": f"prompt@{service.epochs[0].isoformat()}", "q": "SELECT 1"},
        )  # fmt: skip
        assert said.status_code == 403
    said = httpx.post(f"{service.address}/theme", data={"theme": "dark", "next": "//elsewhere"})
    assert said.headers["location"] == "/"
    policy = httpx.get(service.address).headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


def test_a_citation_from_a_page_can_be_checked(service, browser, object_id):
    with page_of(browser, service.address) as (page, seen):
        page.goto(f"{service.address}/object/prompt/{object_id}", wait_until="networkidle")
        page.get_by_role("button", name="Cite this state").click()
        page.wait_for_url("**/cite/*")
        assert "SHA-256" in page.locator("#sentence").inner_text()
        page.get_by_role("button", name="Check again").click()
        assert "identical" in page.get_by_role("status").inner_text()
        seen.check()


@pytest.mark.parametrize("text", ["150.0 2.0", "10 00 00 +02 00 00", "10:00:00 2:00:00"])
def test_a_position_is_found_in_every_form(service, text):
    said = httpx.get(f"{service.address}/search", params={"q": text})
    assert said.status_code == 303
    assert "near=150.000000%2C2.000000%2C30" in said.headers["location"]


def test_an_id_of_any_kind_goes_to_its_object(service, object_id):
    source = service.rows(f"SELECT diaSourceId FROM DIASource WHERE diaObjectId = {object_id}")[0][
        0
    ]
    for number in (object_id, source):
        said = httpx.get(f"{service.address}/search", params={"q": number})
        assert said.headers["location"].startswith(f"/object/prompt/{object_id}")


def copied(address):
    """Texts below "Copy as" of a page, by name."""
    page = httpx.get(address)
    assert page.status_code == 200
    found = re.findall(r"<h2>([^<]*)</h2><pre>(.*?)</pre>", page.text, re.DOTALL)
    return {name: html.unescape(text) for name, text in found}


def run_python(text, dsn):
    done = subprocess.run(
        [sys.executable, "-c", text + COUNT],
        capture_output=True, text=True, timeout=120, check=False, cwd=ROOT,
        env=os.environ | {"SKYLEDGER_DATABASE_URL": dsn},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


ROOT = Path(__file__).parents[2]
COUNT = "\nprint(len(table), *table[table.colnames[0]])"


@pytest.mark.parametrize("past", [False, True])
def test_what_is_copied_gives_the_rows_of_the_page(service, object_id, past):
    """Each text is run as it is pasted, and has the points of the page."""
    asof = f"?asof={service.epochs[1].isoformat()}" if past else ""
    texts = copied(f"{service.address}/object/prompt/{object_id}{asof}")
    assert len(texts) == 5
    shown = 2 if past else 3
    for name in ("Python, pyvo", "Python, skyledger"):
        assert run_python(texts[name], service.dsn).split() == [
            str(shown),
            *[str(object_id)] * shown,
        ], name
    done = subprocess.run(texts["curl"], shell=True, capture_output=True, text=True, check=True)  # noqa: S602
    assert len(done.stdout.splitlines()) == 1 + shown
    words = shlex.split(texts["SQL, command line"])
    assert words[:3] == ["./run", "skyledger", "query"]
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", *words[2:], "--format", "csv"], cwd=ROOT, check=True,
        capture_output=True, text=True, env=os.environ | {"SKYLEDGER_DATABASE_URL": service.dsn},
    )  # fmt: skip
    assert len(done.stdout.splitlines()) == 1 + shown
    linked = httpx.get(texts["Link"]).text
    assert linked.count('class="p b-r"') == shown


def test_the_answer_of_a_query_is_the_same_wherever_it_is_pasted(service):
    query = "SELECT TOP 7 diaSourceId, psFlux FROM prompt.DIASource ORDER BY diaSourceId"
    address = f"{service.address}/query?q={quote(query)}"
    texts = copied(address)
    wanted = [row[0] for row in service.rows(query)]
    done = subprocess.run(texts["curl"], shell=True, capture_output=True, text=True, check=True)  # noqa: S602
    assert [line.split(",")[0] for line in done.stdout.splitlines()[1:]] == wanted
    found = run_python(texts["Python, pyvo"], service.dsn)
    assert re.findall(r"\d{10,}", found) == wanted
    page = httpx.get(texts["Link"]).text
    assert all(f">{i}</td>" in page for i in wanted)
