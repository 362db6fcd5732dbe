"""Clients that run in a shopper's browser, in headless Chromium on another site than the collector's."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright
from werkzeug.wrappers import Request, Response

from infra.chromium import find_chromium
from infra.clients import BUNDLES, LIBRARY, library
from tests.browser.conftest import FLAGS
from tests.clients.collector import FAULTS, Clients, cloud_for, gateway_throttled, key_of
from tests.clients.story import EMAIL_NODE, USER_NODE, counted, customer_of, profile_by, profile_of

pytestmark = pytest.mark.browser

PATIENCE_SECONDS = 90.0
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36"
"""A shopper's: headless Chromium says that it is a machine, and machines make no customers."""
HTML = '<!doctype html><html><head><meta charset="utf-8"><title>Mug</title>{script}</head><body>Mug</body></html>'
SNIPPET = """<script>
var analytics = window.analytics = [];
analytics.factory = name => (...given) => { analytics.push([name, ...given]); return analytics; };
for (const name of ["identify", "page", "track", "group", "alias", "ready", "reset", "on"]) {
  analytics[name] = analytics.factory(name);
}
analytics._writeKey = "%(key)s";
analytics._cdn = "%(collector)s";
analytics.SNIPPET_VERSION = "5.2.0";
</script><script async src="%(collector)s/analytics.js/v1/%(key)s/analytics.min.js"></script>"""
PRODUCT = {"product_id": "p1", "name": "Mug", "price": 24.95, "currency": "USD"}
GA4_CART = {
    "currency": "USD",
    "value": 49.9,
    "items": [{"item_id": "p1", "item_name": "Mug", "price": 24.95, "quantity": 2}],
}
STORY = {"product": PRODUCT, "cart": GA4_CART, "traits": {"email": "ada@example.com", "first_name": "Ada"}}

_CALLS = """
  analytics.page("Mug");
  analytics.identify("shopper-1", story.traits);
  analytics.track("Product Viewed", story.product);
  analytics.track("add_to_cart", story.cart);
"""
_LOADED = "({key, collector, story, options}) => { const analytics = window.load(key, collector, options);"
_SNOWPLOW = """({key, collector, story, options}) => {
  const sp = window.load(key, collector, options);
  window.again = () => sp.flushBuffer();
  sp.setUserId("shopper-1");
  const ecommerce = "iglu:com.snowplowanalytics.snowplow.ecommerce";
  const entity = (name, data) => ({ schema: `${ecommerce}/${name}/jsonschema/1-0-0`, data });
  const user = entity("user", { id: "shopper-1", email: story.traits.email });
  const product = { id: "p1", name: "Mug", price: 24.95, currency: "USD", category: "mugs" };
  const act = (type, more) => sp.trackSelfDescribingEvent({
    event: { schema: `${ecommerce}/snowplow_ecommerce_action/jsonschema/1-0-2`, data: { type } },
    context: [entity("product", { ...product, ...more }), user],
  });
  sp.trackPageView();
  act("product_view", {});
  act("add_to_cart", { quantity: 2 });
}"""
DRIVEN: dict[str, tuple[str, str, dict[str, Any]]] = {
    "segment-browser": ("segment", _LOADED + _CALLS + "}", {}),
    "segment-snippet": ("", "({story}) => {" + _CALLS + "}", {}),
    "rudder-browser": (
        "rudder",
        _LOADED + _CALLS + "}",
        {"queueOptions": {"minRetryDelay": 200, "maxRetryDelay": 400, "backoffFactor": 1}},
    ),
    "snowplow-browser": ("snowplow", _SNOWPLOW, {}),
    "snowplow-browser-get": ("snowplow", _SNOWPLOW, {"eventMethod": "get"}),
}
"""Client to (bundle, what its page runs, options)."""
READS_RETRY_AFTER = ("segment-browser",)
"""Is told when to come back; the others meet API Gateway's own 429, which a page cannot even read."""
CALLS = {"identify": 1, "page": 1, "Product Viewed": 1, "Product Added": 1}
SNOWPLOW = {"page": 1, "Product Viewed": 1, "Product Added": 1}
STORED = {name: SNOWPLOW if bundle == "snowplow" else CALLS for name, (bundle, *_) in DRIVEN.items()}
REQUESTS = {name: 1 if name == "snowplow-browser" else len(calls) for name, calls in STORED.items()}
"""How many requests must be answered well before a client has got everything through."""


def site(name: str, collector: Callable[[], str]) -> Callable[[Request], Response]:
    """The shop's page and the bundle that it loads."""
    bundle = DRIVEN[name][0]

    def serve(request: Request) -> Response:
        if request.path == "/bundle.js":
            return Response((BUNDLES / f"{bundle}.js").read_bytes(), content_type="text/javascript; charset=utf-8")
        given = {"key": key_of(name), "collector": collector()}
        script = '<script src="/bundle.js"></script>' if bundle else SNIPPET % given
        return Response(HTML.format(script=script), content_type="text/html")

    return serve


@pytest.fixture(scope="module")
def clients() -> Iterator[Clients]:
    """All pages at once, each a new visitor, until each client has got its events through."""
    executable = find_chromium()
    if executable is None:
        pytest.skip("no Chromium on this machine (make setup installs one)")
    assert BUNDLES.is_dir(), "the clients are not installed: run make tools"
    with cloud_for(*DRIVEN) as cloud, sync_playwright() as playwright:
        driven = Clients(cloud)
        browser = playwright.chromium.launch(executable_path=str(executable), headless=True, args=FLAGS)
        visits = {name: browser.new_context(user_agent=AGENT).new_page() for name in DRIVEN}
        for name, page in visits.items():
            visit(page, name, driven)
        end = time.monotonic() + PATIENCE_SECONDS
        while waiting := [name for name in DRIVEN if driven.collectors[name].taken() < REQUESTS[name]]:
            assert time.monotonic() < end, {name: driven.collectors[name].answers for name in waiting}
            for name in waiting:
                visits[name].wait_for_timeout(100)
                if DRIVEN[name][0] == "snowplow":  # which sends again when there is something new to send
                    visits[name].evaluate("() => window.again()")
        browser.close()
        yield driven
        driven.close()


def visit(page: Page, name: str, driven: Clients) -> None:
    """The shop's page, its client started and told the story."""
    first = FAULTS[0] if name in READS_RETRY_AFTER else gateway_throttled
    collector = driven.collector(name, faults=[first, *FAULTS[1:]])
    collector.site = site(name, lambda: collector.url)
    page.goto(f"{collector.page}?utm_source=news")
    _bundle, script, options = DRIVEN[name]
    page.evaluate(script, {"key": key_of(name), "collector": collector.url, "story": STORY, "options": options})


@pytest.mark.parametrize("client", DRIVEN)
def test_each_call_is_stored_exactly_once(clients: Clients, client: str) -> None:
    assert counted(clients.stored(client)) == STORED[client]
    answered = Counter(status for method, _path, status in clients.collectors[client].answers if method != "OPTIONS")
    assert (answered[429], answered[503], answered[502]) == (1, 1, 1)
    assert set(answered) == {200, 429, 503, 502}


@pytest.mark.parametrize("client", DRIVEN)
def test_it_is_the_same_shopper_with_the_same_profile(clients: Clients, client: str) -> None:
    events = clients.stored(client)
    assert customer_of(events) == {USER_NODE, EMAIL_NODE}
    assert profile_of(events) == profile_by(client)


@pytest.mark.parametrize("client", DRIVEN)
def test_the_page_and_the_browser_are_known(clients: Clients, client: str) -> None:
    (view,) = (event for event in clients.stored(client) if event.type == "page")
    page = view.context["page"]
    assert (page["title"], page["path"], page["search"]) == ("Mug", "/", "?utm_source=news")
    assert page["url"].startswith("http://localhost:")
    assert view.context["campaign"] == {"source": "news"}
    assert view.context["userAgent"] == AGENT
    assert view.context["ip"] == "127.0.0.0"
    assert view.anonymous_id


def test_nothing_that_they_sent_was_bad(clients: Clients) -> None:
    assert clients.bad_rows() == []


def test_a_preflight_is_answered_whatever_a_retry_asks_to_send(clients: Clients) -> None:
    preflights = [status for collector in clients.collectors.values() for method, _path, status in collector.answers
                  if method == "OPTIONS"]  # fmt: skip
    assert len(preflights) > len(DRIVEN)
    assert set(preflights) == {204}


def test_the_library_that_collect_serves_is_the_locked_packages_own() -> None:
    assert LIBRARY.read_text(encoding="utf-8") == library(), "run python -m infra.clients library"
