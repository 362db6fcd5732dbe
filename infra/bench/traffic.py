"""Made-up but realistic traffic: shoppers on visits, each call as an SDK sends it, from a seeded generator.

A visit is about ten calls, one each 15 seconds or so. The calls of all visits are merged by time, so what comes
together in a request or a batch belongs to many customers.
"""

from __future__ import annotations

import heapq
import json
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from regulars.domain.instants import iso, to_millis

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

WRITE_KEY = "wk_bench"
SHOP = "https://shop.example"
START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
_AUTHORIZATION = "Basic " + b64encode(f"{WRITE_KEY}:".encode()).decode()
_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
)
_JUST_LOOKING = ("page", "view", "page", "view", "view", "page", "view", "page", "view", "page")
_FILLS_CART = ("page", "view", "page", "view", "view", "add", "page", "view", "cart", "page")
_TO_CHECKOUT = ("page", "view", "page", "view", "view", "add", "page", "view", "cart", "checkout")
_SHARES = (0.89, 0.06, 0.05)
"""Of visits that just look, that fill a cart, that go to the checkout; shops see about one cart in nine visits."""
_KNOWN_SHARE = 0.35
"""Share of visits in which the shopper is logged in from the second page on."""


@dataclass(frozen=True, slots=True)
class Call:
    """One Segment call and the instant of its making."""

    at: datetime
    document: dict[str, Any]


def visits(number: int, *, seed: int, per_second: float) -> Iterator[Call]:
    """The calls of `number` visits merged by time; visits begin at `per_second`."""
    chance = Random(seed)  # noqa: S311 - made-up traffic, no secret
    begins, started = [], START
    for _ in range(number):
        started += timedelta(seconds=chance.expovariate(per_second))
        begins.append(started)
    streams = (_visit(f"{seed}-{index}", at, Random(f"{seed}-{index}")) for index, at in enumerate(begins))  # noqa: S311
    return heapq.merge(*streams, key=lambda call: call.at)


def _visit(name: str, at: datetime, chance: Random) -> Iterator[Call]:
    anonymous, known = f"{chance.getrandbits(128):032x}", chance.random() < _KNOWN_SHARE
    user = f"customer-{chance.randrange(100_000)}"
    agent = chance.choice(_AGENTS)
    (calls,) = chance.choices((_JUST_LOOKING, _FILLS_CART, _TO_CHECKOUT), _SHARES)
    for index, kind in enumerate(calls):
        document: dict[str, Any] = {
            "messageId": f"ajs-next-{name}-{index}",
            "anonymousId": anonymous,
            "timestamp": iso(at),
            "context": _context(agent, chance),
            **_content(kind, chance),
        }
        if known and index >= 1:
            document["userId"] = user
        yield Call(at, document)
        at += timedelta(seconds=chance.expovariate(1 / 15))


def _content(kind: str, chance: Random) -> dict[str, Any]:
    if kind == "page":
        return {"type": "page", "name": "Category", "properties": {"url": f"{SHOP}/dresses", "title": "Dresses"}}
    names = {"view": "Product Viewed", "add": "Product Added", "cart": "Cart Viewed", "checkout": "Checkout Started"}
    number = chance.randrange(500)
    product = {
        "product_id": f"p-{number}",
        "sku": f"SKU-{number:05d}",
        "name": f"Summer dress no. {number}",
        "category": "Dresses",
        "price": 19 + number / 10,
        "quantity": 1,
        "currency": "USD",
        "url": f"{SHOP}/p/{number}",
    }
    properties = {"products": [product]} if kind in {"cart", "checkout"} else product
    return {"type": "track", "event": names[kind], "properties": properties}


def _context(agent: str, chance: Random) -> dict[str, Any]:
    return {
        "library": {"name": "analytics.js", "version": "npm:next-1.81.0"},
        "locale": "en-US",
        "timezone": "Europe/Berlin",
        "userAgent": agent,
        "page": {
            "path": "/dresses",
            "referrer": "https://www.search.example/",
            "search": "?utm_source=newsletter",
            "title": "Dresses",
            "url": f"{SHOP}/dresses?page={chance.randrange(9)}",
        },
        "campaign": {"source": "newsletter", "medium": "email"},
    }


def batches(calls: Iterable[Call], size: int) -> Iterator[list[Call]]:
    """Calls in groups of `size`, the last one maybe smaller."""
    group: list[Call] = []
    for call in calls:
        group.append(call)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def request_event(calls: Sequence[Call], number: int) -> dict[str, Any]:
    """The HTTP API event (payload 2.0) of one request with one call, or of a batch request with several."""
    first, sent = calls[0].document, calls[-1].at + timedelta(milliseconds=200)
    path = f"/v1/{first['type']}" if len(calls) == 1 else "/v1/batch"
    content = first if len(calls) == 1 else {"batch": [call.document for call in calls]}
    body = {**content, "sentAt": iso(sent)}
    return {
        "version": "2.0",
        "routeKey": "POST /v1/{call}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "accept": "*/*",
            "accept-encoding": "gzip, deflate, br",
            "authorization": _AUTHORIZATION,
            "content-type": "text/plain",
            "host": "api.shop.example",
            "origin": SHOP,
            "user-agent": first["context"]["userAgent"],
            "x-forwarded-for": "203.0.113.9",
        },
        "requestContext": {
            "apiId": "bench",
            "domainName": "api.shop.example",
            "http": {
                "method": "POST",
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": f"203.0.113.{number % 250}",
                "userAgent": first["context"]["userAgent"],
            },
            "requestId": f"r-{number}",
            "routeKey": "POST /v1/{call}",
            "stage": "$default",
            "timeEpoch": to_millis(sent) + 50,
        },
        "pathParameters": {"call": path.rsplit("/", 1)[1]},
        "body": json.dumps(body, separators=(",", ":")),
        "isBase64Encoded": False,
    }
