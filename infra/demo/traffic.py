"""Visits and orders as HTTP requests, and what their senders were told."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode

from regulars.application.webhooks.signatures import SIGNATURE_HEADER, TIMESTAMP_HEADER, signature_of
from regulars.domain.instants import from_millis, iso
from regulars.domain.money import decimal_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from infra.demo.people import Person
    from infra.demo.visits import Step, Visit

WRITE_KEY = "demo-write-key"
HIT_SOURCE = "web"
ORDER_SOURCE = "shop"
ORDERS_PATH = f"/webhooks/orders/{ORDER_SOURCE}"
_TOGETHER = timedelta(seconds=60)
_ACCEPTED = 200


@dataclass(frozen=True, slots=True)
class Hits:
    """One request with hits, at the instant at which the browser sends it; `ids` are its message ids."""

    at: datetime
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery of one version of an order by the shop's webhook; signed when it is sent."""

    at: datetime
    order_id: str
    body: bytes


@dataclass(slots=True)
class Receipts:
    """What was sent and what was answered. Sets of ids: a repeat is no second hit."""

    hits_sent: set[str] = field(default_factory=set)
    hits_acknowledged: set[str] = field(default_factory=set)
    orders_sent: set[str] = field(default_factory=set)
    orders_acknowledged: set[str] = field(default_factory=set)
    requests: int = 0
    refused: int = 0


class Answer(Protocol):
    """What a request is answered with."""

    @property
    def status(self) -> int: ...


class Shop(Protocol):
    """Where the requests go: the local cloud, or a stand-in for it in a test."""

    @property
    def now(self) -> datetime: ...

    def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer: ...


def hits_of(visit: Visit) -> list[Hits]:
    """The requests of a visit: each pixel alone, the other calls in batches as a browser's library sends them."""
    requests: list[Hits] = []
    together: list[Step] = []
    for step in visit.steps:
        if together and (step.pixel or step.at - together[0].at > _TOGETHER):
            requests.append(_batch(visit, together))
            together = []
        if step.pixel:
            requests.append(_pixel(visit, step))
        else:
            together.append(step)
    if together:
        requests.append(_batch(visit, together))
    return requests


def _batch(visit: Visit, steps: Sequence[Step]) -> Hits:
    at = steps[-1].at
    key = base64.b64encode(f"{WRITE_KEY}:".encode()).decode()
    headers = {
        "authorization": f"Basic {key}",
        "content-type": "application/json",
        "user-agent": visit.user_agent,
        "origin": "https://shop.example",
    }
    body = json.dumps({"batch": [step.call for step in steps], "sentAt": iso(at)}).encode()
    return Hits(at, "POST", "/v1/batch", headers, body, tuple(step.call["messageId"] for step in steps))


def _pixel(visit: Visit, step: Step) -> Hits:
    page = step.call["context"]["page"]
    names = ("type", "messageId", "anonymousId", "timestamp")
    query = {"writeKey": WRITE_KEY, **{name: step.call[name] for name in names}, **page}
    headers = {"user-agent": visit.user_agent}
    return Hits(step.at, "GET", f"/p.gif?{urlencode(query)}", headers, b"", (step.call["messageId"],))


def delivery_of(
    order: Mapping[str, Any], someone: Person, *, at: datetime, version: int, status: str, anonymous_id: str | None
) -> Delivery:
    """A version of an order as the shop tells it (docs/collect.md, "Orders"), to be sent at `at`."""
    currency = str(order["currency"])
    body = {
        "order_id": order["order_id"],
        "version": version,
        "status": status,
        "placed_at": iso(from_millis(order["placed_at"])),
        "updated_at": iso(at),
        "currency": currency,
        "total": decimal_text(order["total_minor"], currency),
        "discount": decimal_text(order["discount_minor"], currency),
        "coupons": order["coupons"],
        "channel": "online" if anonymous_id else "store",
        "customer": {"user_id": someone.user_id, **someone.traits},
        "products": [_line(product, currency) for product in order["products"]],
    }
    if anonymous_id:
        body["anonymous_id"] = anonymous_id
    return Delivery(at, str(order["order_id"]), json.dumps(body).encode())


def _line(product: Mapping[str, Any], currency: str) -> dict[str, Any]:
    line = {name: value for name, value in product.items() if name != "price_minor"}
    line["price"] = decimal_text(product["price_minor"], currency)
    return line


def send(request: Hits | Delivery, shop: Shop, secret: str, receipts: Receipts) -> None:
    """Send one request now, and note what it was told. Orders are signed with `secret` over the present instant."""
    receipts.requests += 1
    if isinstance(request, Hits):
        receipts.hits_sent.update(request.ids)
        answer = shop.request(request.method, request.path, request.headers, request.body)
        if answer.status == _ACCEPTED:
            receipts.hits_acknowledged.update(request.ids)
    else:
        receipts.orders_sent.add(request.order_id)
        answer = shop.request("POST", ORDERS_PATH, signed(request.body, shop.now, secret), request.body)
        if answer.status == _ACCEPTED:
            receipts.orders_acknowledged.add(request.order_id)
    receipts.refused += answer.status != _ACCEPTED


def signed(body: bytes, now: datetime, secret: str) -> dict[str, str]:
    """The headers of a signed order."""
    timestamp = str(int(now.timestamp()))
    return {
        "content-type": "application/json",
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: f"v1={signature_of(body, timestamp, secret)}",
    }
