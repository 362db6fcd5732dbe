"""BigCommerce: a thin webhook asks for a fetch, and what is fetched becomes canonical events."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from regulars.adapters.memory.queue import MemoryQueue
from regulars.adapters.memory.shop_api import MemoryShopApi
from regulars.application.webhooks.fetching import FetchShop, read_again
from regulars.domain.errors import BadInputError
from regulars.domain.events import EventType
from regulars.domain.facts import fact_of
from tests.collecting import queued
from tests.webhooks import BIGCOMMERCE_LINES, BIGCOMMERCE_ORDER, BIGCOMMERCE_THIN, Shops

SOURCE = "bigcommerce-eu"
ORDER_PATHS = ("/v2/orders/173331", "/v2/orders/173331/products?limit=250", "/v2/orders/173331/coupons")


def order_documents(order: dict[str, Any], coupons: bytes = b'[{"code":"WELCOME"}]') -> dict[tuple[str, str], bytes]:
    bodies = (json.dumps(order).encode(), json.dumps(BIGCOMMERCE_LINES).encode(), coupons)
    return {(SOURCE, path): body for path, body in zip(ORDER_PATHS, bodies, strict=True)}


class Worker:
    """The fetching, on memory adapters."""

    def __init__(self, documents: dict[tuple[str, str], bytes]) -> None:
        self.api, self.events = MemoryShopApi(documents), MemoryQueue()
        self.fetch = FetchShop(api=self.api, events=self.events, shop_currency="EUR")

    def take(self, shops: Shops) -> list[str]:
        """Take all that waits; the bodies that failed."""
        messages = [(str(number), message.body) for number, message in enumerate(shops.fetches.receive())]
        failed = self.fetch(messages).failed
        return [body for number, body in messages if number in failed]


def test_a_thin_webhook_becomes_the_order_as_it_is_now() -> None:
    shops = Shops()
    assert shops.post(SOURCE, BIGCOMMERCE_THIN).status == 200
    assert shops.queue.messages == []
    worker = Worker(order_documents(BIGCOMMERCE_ORDER))
    assert worker.take(shops) == []
    ((event,), bad) = queued(worker.events)
    assert bad == []
    assert event.context["externalIds"][0]["id"] == "bigcommerce-eu:11"
    assert event.traits == {
        "email": "ada@example.com",
        "first_name": "Ada",
        "last_name": "Example",
        "address": {"country": "DE"},
    }
    assert event.properties == {
        "order_id": "173331",
        "version": 1_795_338_600_001,
        "status": "paid",
        "placed_at": 1_795_338_000_000,
        "currency": "EUR",
        "total_minor": 22500,
        "refunded_minor": 0,
        "discount_minor": 500,
        "shipping_minor": 1000,
        "tax_minor": 1727,
        "coupons": ["WELCOME"],
        "channel": "online",
        "products": [{"product_id": "77", "quantity": 2, "price_minor": 10750, "sku": "OIL-500", "name": "Olive oil"}],
    }


def test_several_deliveries_about_one_state_are_one_event() -> None:
    shops = Shops()
    for scope in ("store/order/created", "store/order/updated", "store/order/refund/created"):
        shops.post(SOURCE, {**BIGCOMMERCE_THIN, "scope": scope})
    worker = Worker(order_documents(BIGCOMMERCE_ORDER, coupons=b""))
    worker.take(shops)
    events, _ = queued(worker.events)
    assert (len(events), len({event.event_id for event in events})) == (3, 1)


@pytest.mark.parametrize(
    ("change", "status", "net"),
    [
        ({"status_id": 7}, "placed", 22500),
        ({"status_id": 10}, "fulfilled", 22500),
        ({"status_id": 14, "refunded_amount": "25.0000"}, "paid", 20000),
        ({"status_id": 4, "refunded_amount": "225.0000"}, "refunded", 0),
        ({"status_id": 5}, "cancelled", 0),
        ({"status_id": 0}, "cancelled", 0),
        ({"status_id": []}, "placed", 22500),
    ],
)
def test_the_status_says_how_far_the_order_has_come(change: dict[str, Any], status: str, net: int) -> None:
    shops = Shops()
    shops.post(SOURCE, BIGCOMMERCE_THIN)
    worker = Worker(order_documents({**BIGCOMMERCE_ORDER, **change}))
    worker.take(shops)
    fact = fact_of(queued(worker.events)[0][0], currency="EUR")
    assert fact is not None
    assert fact.order is not None
    assert (fact.order[1].status, fact.order[1].net_minor) == (status, net)


def test_what_the_shop_does_not_give_comes_again() -> None:
    shops = Shops()
    shops.post(SOURCE, BIGCOMMERCE_THIN)
    worker = Worker(order_documents(BIGCOMMERCE_ORDER))
    worker.api.available = False
    (body,) = worker.take(shops)
    assert queued(worker.events) == ([], [])
    worker.api.available = True
    assert worker.fetch([("again", body)]).failed == []
    assert len(queued(worker.events)[0]) == 1
    worker.api.documents.clear()
    assert worker.fetch([("gone", body)]).failed == ["gone"]


def test_when_the_events_queue_is_down_the_fetch_comes_again() -> None:
    shops = Shops()
    shops.post(SOURCE, BIGCOMMERCE_THIN)
    worker = Worker(order_documents(BIGCOMMERCE_ORDER))
    worker.events.available = False
    assert len(worker.take(shops)) == 1


@pytest.mark.parametrize(
    "body",
    ["", "null", "[]", "{}", '{"v":2}', '{"v":1,"source":"x","resource":"order","id":"../x","received_at":1}',
     '{"v":1,"source":"x","resource":"cart","id":"1","received_at":1}', '{"v":1,"source":"x","resource":1,"id":1}'],
)  # fmt: skip
def test_a_message_that_is_none_fails_and_asks_nobody(body: str) -> None:
    worker = Worker({})
    assert worker.fetch([("m", body)]).failed == ["m"]
    assert worker.api.asked == []


def test_a_document_that_cannot_be_read_is_a_bad_row_and_can_be_read_again() -> None:
    shops = Shops()
    shops.post(SOURCE, BIGCOMMERCE_THIN)
    worker = Worker(order_documents({**BIGCOMMERCE_ORDER, "default_currency_code": "EURO"}))
    assert worker.take(shops) == []
    events, (row,) = queued(worker.events)
    assert (events, row.stage, row.code) == ([], "fetched/order", "unknown_currency")
    with pytest.raises(BadInputError):
        read_again(row)
    (event,) = read_again(replace(row, original=row.original.replace("EURO", "EUR")))
    assert event.type is EventType.ORDER


def test_customers_and_products_are_fetched_too() -> None:
    shops = Shops()
    for scope, kind in (("store/customer/updated", "customer"), ("store/product/inventory/updated", "product")):
        shops.post(SOURCE, {**BIGCOMMERCE_THIN, "scope": scope, "data": {"type": kind, "id": 9}})
    customer = {
        "id": 9, "email": "ada@example.com", "first_name": "Ada", "last_name": "Example", "phone": "",
        "date_modified": "2026-11-22T09:05:00Z",
    }  # fmt: skip
    product = {
        "id": 9, "name": "Olive oil", "price": 9.9, "calculated_price": 8.9, "sku": "OIL-500",
        "inventory_tracking": "product", "inventory_level": 0, "availability": "available", "is_visible": True,
        "custom_url": {"url": "/olive-oil/"}, "primary_image": {"url_standard": "https://cdn.example/9.jpg"},
        "date_modified": "2026-11-22T09:05:00+00:00",
    }  # fmt: skip
    worker = Worker(
        {
            (SOURCE, "/v3/customers?id:in=9"): json.dumps({"data": [customer]}).encode(),
            (SOURCE, "/v3/catalog/products/9?include=primary_image"): json.dumps({"data": product}).encode(),
        }
    )
    assert worker.take(shops) == []
    (identify, listed), _ = queued(worker.events)
    assert (identify.type, identify.traits["email"]) == (EventType.IDENTIFY, "ada@example.com")
    assert listed.properties == {
        "product_id": "9", "version": 1_795_338_300_000, "name": "Olive oil", "price_minor": 890, "currency": "EUR",
        "sku": "OIL-500", "in_stock": False, "stock": 0, "url": "/olive-oil/",
        "image_url": "https://cdn.example/9.jpg",
    }  # fmt: skip


def test_what_is_deleted_is_not_fetched() -> None:
    shops = Shops()
    for scope, kind in (("store/customer/deleted", EventType.TRACK), ("store/product/deleted", EventType.PRODUCT)):
        (event,) = shops.told(SOURCE, {**BIGCOMMERCE_THIN, "scope": scope})
        assert event.type is kind
        assert event.timestamp.minute == 28  # when it happened, not when we heard
    assert shops.fetches.messages == []


def test_scopes_that_nobody_takes_are_counted_and_thin_bodies_that_are_none_become_bad_rows() -> None:
    shops = Shops()
    for scope in ("store/cart/created", "store/order/message/created", "store/customer/address/updated", "x"):
        reply = shops.post(SOURCE, {**BIGCOMMERCE_THIN, "scope": scope})
        assert (reply.status, reply.counters) == (200, {"WebhooksNotTaken": 1})
    for body in ({}, {"scope": 1}, {**BIGCOMMERCE_THIN, "data": {"id": "1/../2"}}, {**BIGCOMMERCE_THIN, "data": []}):
        assert shops.post(SOURCE, body).counters["BadRows"] == 1
    assert shops.fetches.messages == []


def test_a_deployment_that_fetches_nothing_and_a_queue_that_is_down_say_come_again() -> None:
    shops = Shops()
    shops.fetches.available = False
    assert shops.post(SOURCE, BIGCOMMERCE_THIN).status == 503
    assert Shops(fetching=False).post(SOURCE, BIGCOMMERCE_THIN).status == 503
