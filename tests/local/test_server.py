"""The local cloud on HTTP, and the developer's shop on top of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from http.client import HTTPConnection

import orjson
import pytest

from infra.local import LocalCloud
from infra.local.dev import DevSite
from infra.local.server import Server

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
KEY = "dev-write-key"


class Site:
    """A person with a browser, in front of a served cloud."""

    def __init__(self, cloud: LocalCloud, server: Server) -> None:
        self.cloud = cloud
        self.url = server.url

    def get(self, path: str) -> tuple[int, str, dict[str, str]]:
        return self._send("GET", path, b"", {"User-Agent": BROWSER})

    def post(self, path: str, body: bytes, content_type: str = "text/plain") -> tuple[int, str, dict[str, str]]:
        return self._send("POST", path, body, {"Content-Type": content_type, "User-Agent": BROWSER})

    def hit(self, *events: dict[str, object]) -> None:
        status, _text, _headers = self.post("/v1/batch", orjson.dumps({"writeKey": KEY, "batch": events}))
        assert status == 200

    def _send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, dict[str, str]]:
        """The answer; a redirect to another page of the site is followed."""
        connection = HTTPConnection("127.0.0.1", int(self.url.rpartition(":")[2]), timeout=20)
        try:
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            text, status = answer.read().decode(), answer.status
            given = {name.lower(): value for name, value in answer.getheaders()}
        finally:
            connection.close()
        return self.get(given["location"]) if status == 303 else (status, text, given)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    start = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
    with LocalCloud(start=start, ticking=True) as cloud, cloud.serve(site=DevSite(cloud)) as server:
        yield Site(cloud, server)


def wait_for(site: Site, path: str, text: str) -> str:
    """The page once it says `text`; the pump needs a moment."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        page = site.get(path)[1]
        if text in page:
            return page
        time.sleep(0.05)
    pytest.fail(f"{path} never said {text}")


class _Markup(HTMLParser):
    """Collects the elements of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


def test_the_shop_page_carries_the_snippet_and_nothing_inline(site: Site) -> None:
    status, page, headers = site.get("/")
    assert status == 200
    assert headers["content-security-policy"].startswith("default-src 'self'")
    elements = _Markup(page).elements
    scripts = [attributes for tag, attributes in elements if tag == "script"]
    assert {"src": "/r.js", "async": None, "data-write-key": KEY, "data-consent": "granted"} in scripts
    assert all("src" in attributes for attributes in scripts)
    assert not any(name.startswith("on") or name == "style" for _tag, attributes in elements for name in attributes)
    assert site.get("/r.js")[0] == 200
    assert site.get("/static/shop.js")[0] == 200


def test_paths_outside_the_pages_are_not_found(site: Site) -> None:
    for path in ("/nothing", "/static/../shop.html", "/static/..%2fshop.html", "/static/%2e%2e/dev.py", "/outbox/999"):
        assert site.get(path)[0] == 404


def test_a_hit_an_order_and_time_make_a_customer_with_a_story(site: Site) -> None:
    """A hostile name is text everywhere; the order is signed by the dev server; moving the clock sends the welcome."""
    name = "<script>alert(1)</script>"
    consent = {"consent": {"categoryPreferences": {"email_marketing": True}}}
    traits = {"email": "ann@example.com", "first_name": name}
    site.hit({"type": "identify", "userId": "ann@example.com", "traits": traits, "context": consent})
    basket = {"email": "ben@example.com", "first_name": "Ben", "items": [{"product_id": "bread", "quantity": 2}]}
    status, text, _headers = site.post("/orders", orjson.dumps(basket), "application/json")
    assert (status, orjson.loads(text)["status"]) == (200, 200)

    page = wait_for(site, "/customers", "Ben")
    assert name not in page
    assert "&lt;script&gt;" in page

    status, page, _headers = site.post("/clock", b"step=1+day&back=/outbox", "application/x-www-form-urlencoded")
    assert status == 200
    assert "ann@example.com" in page
    assert site.cloud.now > datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

    links = [attributes["href"] for tag, attributes in _Markup(page).elements if tag == "a"]
    message = next(link for link in links if link and link.startswith("/outbox/"))
    assert name not in site.get(message)[1]
    status, _html, headers = site.get(f"{message}?html")
    assert "sandbox" in headers["content-security-policy"]

    customers = _Markup(site.get("/customers")[1]).elements
    ann = [link for tag, a in customers if tag == "a" and (link := a.get("href") or "").startswith("/customers/")]
    stories = [site.get(link)[1] for link in ann]
    assert any("new_subscriber" in story and "welcome" in story and "SENT" in story for story in stories)


def test_the_clock_moves_only_by_known_steps_and_goes_back_only_to_our_own_pages(site: Site) -> None:
    form = "application/x-www-form-urlencoded"
    before = site.cloud.now
    assert site.post("/clock", b"step=1+century", form)[0] == 400
    assert site.cloud.now - before < timedelta(minutes=1)
    status, page, _headers = site.post("/clock", b"step=1+hour&back=//evil.example", form)
    assert status == 200
    assert "Add to cart" in page


def test_an_unsubscribe_link_from_a_message_works(site: Site) -> None:
    (mail, *_rest) = [mail for mail in site.cloud.mail if mail.subject]
    link = str(mail.message["List-Unsubscribe"]).strip("<>").replace("\n", "").replace(" ", "")
    path = "/unsubscribe" + link.partition("/unsubscribe")[2]
    assert site.get(path)[0] == 200
    assert site.post(path, b"List-Unsubscribe=One-Click", "application/x-www-form-urlencoded")[0] == 200
