"""Made-up browsing: who looks at what and when, around real orders. Pure: a seeded generator and the clock are
arguments.

A visit is a list of steps (instant, Segment call). How steps become HTTP requests is traffic.py's business.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from regulars.domain.instants import from_millis, iso

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHOP = "https://shop.example"
BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1",
    "Mozilla/5.0 (iPad; CPU OS 18_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15; Pixel 8) AppleWebKit/537.36 Chrome/142.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
)
CRAWLERS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
)


@dataclass(frozen=True, slots=True)
class Step:
    """One Segment call and the instant at which the browser makes it. `pixel`: by image, as where scripts are off."""

    at: datetime
    call: dict[str, Any]
    pixel: bool = False


@dataclass(slots=True)
class Visit:
    """One browser's stay in the shop. `number` makes its ids; steps are in order of time."""

    number: int
    user_agent: str
    anonymous_id: str
    user_id: str | None = None
    steps: list[Step] = field(default_factory=list)

    def add(self, at: datetime, call: str, *, pixel: bool = False, **fields: Any) -> None:
        """Append a call with its ids and instant; `fields` are Segment's (`event`, `properties`, `traits`,
        `context`)."""
        document: dict[str, Any] = {
            "type": call,
            "messageId": f"v{self.number}-{len(self.steps)}",
            "anonymousId": self.anonymous_id,
            "timestamp": iso(at),
            **fields,
        }
        if self.user_id is not None:
            document["userId"] = self.user_id
        self.steps.append(Step(at, document, pixel))


class Visits:
    """Makes visits; the same seed makes the same ones."""

    def __init__(self, seed: str) -> None:
        self._chance = Random(seed)  # noqa: S311 - made-up visitors, no secret
        self._made = 0

    def _new(self, *, crawler: bool = False) -> Visit:
        self._made += 1
        agents = CRAWLERS if crawler else BROWSERS
        browser = f"{self._chance.getrandbits(128):032x}"
        return Visit(self._made, self._chance.choice(agents), browser)

    def _pause(self, low: int, high: int) -> timedelta:
        return timedelta(seconds=self._chance.randint(low, high))

    def before_order(self, order: Mapping[str, Any], user_id: str) -> Visit:
        """The visit that ends in this order: looking around, filling the cart, logging in, the checkout."""
        visit = self._new()
        placed = from_millis(order["placed_at"])
        at = placed - self._pause(420, 900)
        products = [product for product in order["products"] if product["price_minor"]][:4] or order["products"][:1]
        at = self._look_around(visit, at, products)
        visit.user_id = user_id
        visit.add(at, "identify", traits={})
        for product in products:
            visit.add(at, "track", event="Product Added", properties=_properties(product))
            at += self._pause(3, 20)
        visit.add(at, "track", event="Checkout Started", properties={"products": [_properties(p) for p in products]})
        visit.add(placed, "track", event="Order Completed", properties={"order_id": order["order_id"]})
        return visit

    def abandoned(self, products: Sequence[Mapping[str, Any]], user_id: str, at: datetime) -> Visit:
        """A known customer fills a cart and leaves, every other one from the checkout."""
        visit = self._new()
        at = self._look_around(visit, at, products)
        visit.user_id = user_id
        visit.add(at, "identify", traits={})
        for product in products:
            visit.add(at, "track", event="Product Added", properties=_properties(product))
            at += self._pause(5, 40)
        if self._chance.random() < 0.5:  # noqa: PLR2004
            visit.add(
                at, "track", event="Checkout Started", properties={"products": [_properties(p) for p in products]}
            )
        return visit

    def subscriber(self, products: Sequence[Mapping[str, Any]], email: str, name: str, at: datetime) -> Visit:
        """Somebody new looks around and asks for the newsletter."""
        visit = self._new()
        at = self._look_around(visit, at, products)
        visit.add(
            at,
            "identify",
            traits={"email": email, "first_name": name},
            context={"consent": {"categoryPreferences": {"email_marketing": True, "analytics": True}}},
        )
        return visit

    def passer_by(self, products: Sequence[Mapping[str, Any]], at: datetime) -> Visit:
        """Somebody unknown looks around and leaves."""
        visit = self._new()
        self._look_around(visit, at, products)
        return visit

    def crawler(self, products: Sequence[Mapping[str, Any]], at: datetime) -> Visit:
        """A search engine's machine fetches pages, and the image in them."""
        visit = self._new(crawler=True)
        for product in products:
            visit.add(at, "page", pixel=True, context={"page": {"url": f"{SHOP}/p/{product['product_id']}"}})
            at += timedelta(seconds=1)
        return visit

    def broken(self, at: datetime) -> Visit:
        """A shop's own buggy page: a track call without its event between two good ones."""
        visit = self._new()
        visit.add(at, "page", context={"page": {"url": f"{SHOP}/"}})
        visit.add(at + timedelta(seconds=2), "track", properties={"product_id": "1"})
        visit.add(at + timedelta(seconds=4), "page", context={"page": {"url": f"{SHOP}/help"}})
        return visit

    def _look_around(self, visit: Visit, at: datetime, products: Sequence[Mapping[str, Any]]) -> datetime:
        """The first page (half of them by the pixel) and each product's; returns the instant after them."""
        by_pixel = self._chance.random() < 0.5  # noqa: PLR2004
        visit.add(at, "page", pixel=by_pixel, context={"page": {"url": f"{SHOP}/", "title": "Shop"}})
        for product in products:
            at += self._pause(8, 45)
            visit.add(at, "track", event="Product Viewed", properties=_properties(product))
        return at + self._pause(4, 20)


def _properties(product: Mapping[str, Any]) -> dict[str, Any]:
    """A product as Segment's e-commerce events carry it."""
    return {
        "product_id": product["product_id"],
        "name": product["name"],
        "category": product["category"],
        "price": product["price_minor"] / 100,
        "quantity": max(product["quantity"], 1),
        "url": f"{SHOP}/p/{product['product_id']}",
    }
