"""A browser for the module, and a shop whose pages are on another site than the collector."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright
from werkzeug.wrappers import Request as WebRequest
from werkzeug.wrappers import Response

from infra.chromium import find_chromium
from infra.local import LocalCloud

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_SECONDS = 15.0

PAGE = """<!doctype html><html><head><title>{title}</title>
<script>window.regulars = window.regulars || []; regulars.push(["track", "Stubbed", {{}}]);</script>
<script src="{collector}/r.js" data-write-key="dev-write-key" {attributes}></script></head>
<body><a id="next" href="/next?utm_source=news&utm_campaign=spring">next</a>
<main data-r-view="Product Viewed" data-r-props='{{"product_id": "7"}}'></main>
<button id="add" data-r-click="Product Added" data-r-props='{{"product_id": "7", "quantity": 1}}'><b>add</b></button>
</body></html>"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium."""
    executable = find_chromium()
    if executable is None:
        pytest.skip("no Chromium on this machine (make setup installs one)")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(executable), headless=True, args=FLAGS)
        yield launched
        launched.close()


@dataclass
class Shop:
    """A served cloud, and one visitor's browser on the shop's pages."""

    cloud: LocalCloud
    context: BrowserContext
    collector: str = ""
    attributes: str = 'data-consent="granted"'
    sent: list[Request] = field(default_factory=list)

    def site(self, request: WebRequest) -> Response:
        """Every path of the shop is a page."""
        html = PAGE.format(title=f"Page {request.path}", collector=self.collector, attributes=self.attributes)
        return Response(html, content_type="text/html")

    @property
    def pages(self) -> str:
        """The shop's origin: another host name, so another site, than the collector's."""
        return f"http://localhost:{urlsplit(self.collector).port}"

    def open(self, path: str = "/") -> Page:
        """A new tab on a page of the shop."""
        page = self.context.new_page()
        page.on("request", self._saw)
        page.goto(self.pages + path)
        return page

    def _saw(self, request: Request) -> None:
        if request.url.startswith(f"{self.collector}/v1/"):
            self.sent.append(request)

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """The queued events, all or those of one name (a page view's is `page`)."""
        events = [event for body in self.cloud.queue("events") for event in orjson.loads(body)["events"]]
        return [event for event in events if name is None or name in (event.get("name"), event["type"])]

    def names(self) -> list[str]:
        """What happened, in order of what the browser says."""
        ordered = sorted(self.events(), key=lambda event: event["original_timestamp"])
        return [event.get("name") or event["type"] for event in ordered]

    def wait(self, page: Page, condition: Callable[[], bool]) -> None:
        """Let the browser work until something is so."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < end, f"not so in time; queued: {self.names()}"
            page.wait_for_timeout(50)

    def wait_for(self, page: Page, name: str, number: int = 1) -> list[dict[str, Any]]:
        """The events of a name, when there are so many."""
        self.wait(page, lambda: len(self.events(name)) >= number)
        return self.events(name)


@pytest.fixture
def shop(browser: Browser, cloud: LocalCloud) -> Iterator[Shop]:
    """A new visitor of a shop that has the shopper's consent."""
    context = browser.new_context()
    visited = Shop(cloud, context)
    with cloud.serve(site=visited.site, pumping=False) as server:
        visited.collector = server.url
        yield visited
        context.close()
