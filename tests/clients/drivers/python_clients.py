"""Lets one Python client tell the story: `python_clients.py CLIENT URL KEY`. Exits with 0 when it thinks it is done.

Each in a process of its own, so only its own package is imported.
"""

from __future__ import annotations

import sys
import time
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

SHOPPER, BROWSER = "shopper-1", "browser-1"
TRAITS = {"email": "ada@example.com", "first_name": "Ada"}
PAGE = {"url": "https://shop.example/p/1?utm_source=news", "title": "Mug"}
PRODUCT = {"product_id": "p1", "name": "Mug", "price": 24.95, "currency": "USD"}
GA4_CART = {
    "currency": "USD",
    "value": 49.9,
    "items": [{"item_id": "p1", "item_name": "Mug", "price": 24.95, "quantity": 2}],
}
ECOMMERCE = "iglu:com.snowplowanalytics.snowplow.ecommerce"


def six_calls(client: Any) -> None:
    """Segment's API, which Rudder's library has, too."""
    client.identify(SHOPPER, TRAITS, anonymous_id=BROWSER)
    client.page(SHOPPER, name="Mug", properties=PAGE, anonymous_id=BROWSER)
    client.track(SHOPPER, "Product Viewed", PRODUCT, anonymous_id=BROWSER)
    client.track(SHOPPER, "add_to_cart", GA4_CART, anonymous_id=BROWSER)
    client.screen(SHOPPER, name="Home", anonymous_id=BROWSER)
    client.group(SHOPPER, "g-1", {"name": "Example Ltd"}, anonymous_id=BROWSER)
    client.alias(BROWSER, SHOPPER)


def segment(url: str, key: str) -> None:
    module: Any = import_module("segment.analytics.client")
    errors: list[Exception] = []
    client = module.Client(
        key, host=url, gzip=True, upload_interval=0.2, on_error=lambda error, _items: errors.append(error)
    )
    six_calls(client)
    client.flush()
    client.join()
    sys.exit(1 if errors else 0)


def rudder(url: str, key: str) -> None:
    module: Any = import_module("rudderstack.analytics.client")
    errors: list[Exception] = []
    client = module.Client(key, host=url, upload_interval=0.2, on_error=lambda error, _items: errors.append(error))
    six_calls(client)
    client.flush()
    client.join()
    sys.exit(1 if errors else 0)


def snowplow(url: str, key: str, method: str = "post") -> None:
    sp: Any = import_module("snowplow_tracker")
    sent: list[Any] = []
    emitter = sp.Emitter(
        "127.0.0.1", port=urlsplit(url).port, protocol="http", method=method, batch_size=3,
        max_retry_delay_seconds=1, on_success=sent.extend,
    )  # fmt: skip
    subject = sp.Subject().set_user_id(SHOPPER).set_domain_user_id(BROWSER)
    tracker = sp.Tracker("ns", emitters=emitter, subject=subject, app_id=key, encode_base64=method == "get")
    user = sp.SelfDescribingJson(f"{ECOMMERCE}/user/jsonschema/1-0-0", {"id": SHOPPER, "email": TRAITS["email"]})
    product = {"id": "p1", "name": "Mug", "price": 24.95, "currency": "USD", "category": "mugs"}

    def action(kind: str, **entity: Any) -> Any:
        bought = sp.SelfDescribingJson(f"{ECOMMERCE}/product/jsonschema/1-0-0", {**product, **entity})
        return sp.SelfDescribing(
            sp.SelfDescribingJson(f"{ECOMMERCE}/snowplow_ecommerce_action/jsonschema/1-0-2", {"type": kind}),
            context=[bought, user],
        )

    tracker.track(sp.PageView(page_url=PAGE["url"], page_title=PAGE["title"]))
    tracker.track(action("product_view"))
    tracker.track(action("add_to_cart", quantity=2))
    tracker.flush()
    end = time.monotonic() + 90
    while len(sent) < 3 and time.monotonic() < end:
        time.sleep(0.05)  # the emitter tries again on a timer of its own, and says nothing
    sys.exit(0 if len(sent) == 3 else 1)


def main() -> None:
    client, url, key = sys.argv[1:]
    match client:
        case "segment-python":
            segment(url, key)
        case "rudder-python":
            rudder(url, key)
        case "snowplow-python":
            snowplow(url, key)
        case "snowplow-python-get":
            snowplow(url, key, "get")
        case _:
            sys.exit(f"no client is called {client}")


main()
