"""A real browser for the pages of the portal, which may talk to the service alone."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

CHROMIUM = shutil.which("chromium")
needed = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed (Debian package chromium)"
)


@dataclass
class Seen:
    """What happened while pages were open: everything here is a fault."""

    messages: list = field(default_factory=list)
    failed: list = field(default_factory=list)
    foreign: list = field(default_factory=list)
    script: dict = field(default_factory=dict)  # address: bytes as they came over the wire

    def check(self) -> None:
        assert (self.messages, self.failed, self.foreign) == ([], [], []), self


@contextlib.contextmanager
def chromium() -> Iterator[object]:
    """Start the browser."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - not where there is no browser

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def page_of(browser, address, *, width=1440, **options) -> Iterator[tuple[object, Seen]]:
    """Open a page; only the host of ``address`` answers."""
    host = urlsplit(address).netloc
    seen = Seen()
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)

    def route(one):
        if urlsplit(one.request.url).netloc == host or one.request.url.startswith("data:"):
            one.continue_()
        else:
            seen.foreign.append(one.request.url)
            one.abort()

    context.route("**/*", route)
    page = context.new_page()
    page.on("console", lambda m: seen.messages.append(m.text))
    page.on("pageerror", lambda e: seen.messages.append(str(e)))

    def failed(request):
        if request.failure != "net::ERR_ABORTED":  # by the page itself: the next key was pressed
            seen.failed.append(f"{request.failure} {request.url}")

    page.on("requestfailed", failed)

    def finished(response):
        kind = response.headers.get("content-type", "")
        if response.status >= 400 and response.request.resource_type != "document":
            seen.failed.append(f"{response.status} {response.url}")
        if "javascript" in kind:
            seen.script[response.url] = int(response.headers.get("content-length", 0))

    page.on("response", finished)
    try:
        yield page, seen
    finally:
        context.close()


def overflow(page) -> int:
    """How much wider than the window the page is [px]."""
    return page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )


def violations(page) -> list[str]:
    """What axe finds wrong with the page, by WCAG 2.2 AA."""
    from axe_core_python.sync_playwright import Axe  # noqa: PLC0415

    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": tags}})
    return [f"{v['id']}: {n['html'][:160]}" for v in found["violations"] for n in v["nodes"]]
