"""Shopify's deliveries as canonical events."""

from __future__ import annotations

import json
import time
from itertools import permutations
from typing import Any

import pytest

from regulars.domain.event_nodes import nodes_of
from regulars.domain.events import EventType, Trust
from regulars.domain.facts import fact_of
from regulars.domain.orders import OrderBook
from regulars.domain.shops.shopify import TOPICS
from tests.collecting import NOW
from tests.webhooks import SHOPIFY_ORDER, SHOPIFY_REFUND, Shops

EXTERNAL = {"collection": "users", "encoding": "none"}


def net_of(events: list[Any]) -> int:
    """What the shop keeps of all orders, folded in this order."""
    book = OrderBook()
    for event in events:
        fact = fact_of(event, currency="EUR")
        if fact is not None and fact.order:
            book, _ = book.with_entries([fact.order])
    return sum(entry.net_minor for entry in book.entries.values())


def test_an_order_names_everybody_it_can_and_carries_the_consent_with_its_own_time() -> None:
    (event,) = Shops().told("shopify-main", SHOPIFY_ORDER, "orders/create")
    assert (event.type, event.trust, event.source) == (EventType.ORDER, Trust.SIGNED, "shopify-main")
    assert (event.user_id, event.anonymous_id) == (None, "b3f1")
    assert event.traits == {
        "email": "ada@example.com",
        "first_name": "Ada",
        "last_name": "Example",
        "address": {"country": "DE"},
    }
    assert event.context["externalIds"] == [
        {"id": "4006381333931", "type": "loyalty_card", **EXTERNAL},
        {"id": "shopify-main:207119551", "type": "shop_customer_id", **EXTERNAL},
    ]
    assert event.context["consent"] == {"email": {"status": "granted", "at": 1_795_337_940_000}}
    assert event.context["webhook"] == {"topic": "orders/create", "id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043"}
    assert len(nodes_of(event)) == 4
    assert event.properties == {
        "order_id": "6200354537772",
        "version": 1_795_339_200_001,
        "status": "paid",
        "placed_at": 1_795_338_000_000,
        "currency": "EUR",
        "total_minor": 9900,
        "refunded_minor": 0,
        "discount_minor": 500,
        "shipping_minor": 490,
        "tax_minor": 1580,
        "coupons": ["WELCOME"],
        "channel": "online",
        "products": [
            {"product_id": "632910392", "quantity": 9, "price_minor": 1000, "sku": "OIL-500", "name": "Olive oil"},
            {"product_id": "Gift wrap", "quantity": 1, "price_minor": 410, "name": "Gift wrap"},
        ],
    }


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"financial_status": "pending"}, "placed"),
        ({"financial_status": "authorized"}, "placed"),
        ({"financial_status": "partially_refunded"}, "paid"),
        ({"fulfillment_status": "fulfilled"}, "fulfilled"),
        ({"financial_status": "refunded", "fulfillment_status": "fulfilled"}, "refunded"),
        ({"financial_status": "voided"}, "cancelled"),
        ({"cancelled_at": "2026-11-22T04:21:00-05:00"}, "cancelled"),
    ],
)
def test_the_status_says_how_far_the_order_has_come(change: dict[str, Any], status: str) -> None:
    (event,) = Shops().told("shopify-main", {**SHOPIFY_ORDER, **change}, "orders/updated")
    assert event.properties["status"] == status


def test_revenue_is_the_total_less_successful_refunds_once_in_any_order_of_deliveries() -> None:
    """`total_price` stays after a refund and `current_total_price` goes down: neither both, nor the wrong one."""
    refunded = {
        **SHOPIFY_ORDER,
        "updated_at": "2026-11-22T04:25:00-05:00",
        "financial_status": "partially_refunded",
        "current_total_price": "79.00",
        "refunds": [SHOPIFY_REFUND],
    }
    deliveries = [
        (SHOPIFY_ORDER, "orders/create"),
        (refunded, "orders/updated"),
        (SHOPIFY_REFUND, "refunds/create"),
        (refunded, "orders/updated"),
    ]
    for order in permutations(deliveries):
        shops = Shops()
        events = [event for body, topic in order for event in shops.told("shopify-main", body, topic)]
        assert net_of(events) == 7900


def test_a_cancelled_and_refunded_order_is_worth_nothing_and_not_less() -> None:
    body = {
        **SHOPIFY_ORDER,
        "cancelled_at": "2026-11-22T04:21:00-05:00",
        "financial_status": "refunded",
        "current_total_price": "0.00",
        "refunds": [{**SHOPIFY_REFUND, "transactions": [{"kind": "refund", "status": "success", "amount": "99.00"}]}],
    }
    events = Shops().told("shopify-main", body, "orders/cancelled")
    assert net_of(events) == 0
    assert events[0].properties["refunded_minor"] == 9900


def test_states_within_one_second_count_by_how_far_the_order_has_come() -> None:
    placed = {**SHOPIFY_ORDER, "financial_status": "pending"}
    for order in permutations([placed, SHOPIFY_ORDER]):
        shops = Shops()
        book = OrderBook()
        for body in order:
            for event in shops.told("shopify-main", body, "orders/updated"):
                fact = fact_of(event, currency="EUR")
                assert fact is not None
                assert fact.order is not None
                book, _ = book.with_entries([fact.order])
        assert [entry.status for entry in book.entries.values()] == ["paid"]


def test_the_same_state_by_another_topic_or_delivery_is_the_same_event() -> None:
    shops = Shops()
    for topic, delivery in (("orders/create", "1"), ("orders/paid", "2"), ("orders/create", "3")):
        shops.post("shopify-main", SHOPIFY_ORDER, topic, x_shopify_webhook_id=delivery)
    events, _ = shops.stored()
    assert len({(event.event_id, event.payload_hash) for event in events}) == 1


def test_an_anonymous_sale_at_a_till_is_an_order_of_nobody() -> None:
    body = {
        **SHOPIFY_ORDER, "source_name": "pos", "customer": None, "email": "", "phone": None, "billing_address": None,
        "note_attributes": [],
    }  # fmt: skip
    (event,) = Shops().told("shopify-main", body, "orders/create")
    assert (nodes_of(event), event.properties["channel"], event.traits) == ([], "store", {})


def test_a_test_order_is_no_order() -> None:
    (event,) = Shops().told("shopify-main", {**SHOPIFY_ORDER, "test": True}, "orders/create")
    assert (event.type, event.name, nodes_of(event)) == (EventType.TRACK, "Test Order Received", [])


def test_a_refund_is_kept_beside_the_order_with_what_was_really_given_back() -> None:
    (event,) = Shops().told("shopify-main", SHOPIFY_REFUND, "refunds/create")
    assert (event.type, event.name) == (EventType.TRACK, "Order Refunded")
    assert event.properties == {
        "order_id": "6200354537772", "refund_id": "509562969", "currency": "EUR", "total": 20.0,
    }  # fmt: skip


CHECKOUT: dict[str, Any] = {
    "id": 450789469,
    "token": "2a1ace52255252df566af0faaedfbfa7",
    "email": "ada@example.com",
    "created_at": "2026-11-22T09:00:00Z",
    "updated_at": "2026-11-22T09:05:00Z",
    "completed_at": None,
    "currency": "EUR",
    "total_price": "41.00",
    "abandoned_checkout_url": "https://shop.example/recover?token=1",
    "line_items": [{"product_id": 7, "title": "Oil", "quantity": 3, "price": "9.90"}],
    "customer": {"id": 207119551},
}


def test_a_checkout_puts_its_lines_into_the_cart_and_keeps_the_way_back() -> None:
    (event,) = Shops().told("shopify-main", CHECKOUT, "checkouts/create")
    assert (event.name, event.properties["checkout_id"]) == ("Checkout Started", CHECKOUT["token"])
    assert event.properties["abandoned_checkout_url"] == CHECKOUT["abandoned_checkout_url"]
    fact = fact_of(event, currency="EUR")
    assert fact is not None
    assert {key: (line.quantity, line.price_minor) for key, line in fact.cart.items()} == {"7": (3, 990)}
    assert fact.checkout_at == event.timestamp


def test_a_completed_checkout_does_not_open_a_cart_again() -> None:
    done = {**CHECKOUT, "completed_at": "2026-11-22T09:06:00Z"}
    (event,) = Shops().told("shopify-main", done, "checkouts/update")
    fact = fact_of(event, currency="EUR")
    assert event.name == "Checkout Completed"
    assert fact is not None
    assert (fact.cart, fact.checkout_at) == ({}, None)


def test_fulfilments_are_typed_events() -> None:
    body = {
        "id": 255858046, "order_id": 6200354537772, "status": "success", "shipment_status": "in_transit",
        "created_at": "2026-11-22T09:00:00Z", "updated_at": "2026-11-22T09:05:00Z", "email": "ada@example.com",
        "tracking_company": "Post", "tracking_number": "1Z2345", "tracking_url": "https://post.example/1Z2345",
    }  # fmt: skip
    shops = Shops()
    (created,) = shops.told("shopify-main", body, "fulfillments/create")
    (updated,) = shops.told("shopify-main", body, "fulfillments/update")
    assert (created.name, updated.name) == ("Order Fulfilled", "Shipment Updated")
    assert updated.properties["shipment_status"] == "in_transit"
    assert len(nodes_of(updated)) == 1


CUSTOMER: dict[str, Any] = {
    "id": 207119551,
    "email": "ada@example.com",
    "phone": "+4930123456",
    "first_name": "Ada",
    "last_name": "Example",
    "updated_at": "2026-11-22T09:05:00Z",
    "default_address": {"country_code": "DE"},
    "metafields": [{"key": "loyalty_card", "value": "4006381333931"}],
    "email_marketing_consent": {"state": "unsubscribed", "consent_updated_at": "2026-11-20T09:00:00Z"},
    "sms_marketing_consent": {"state": "SUBSCRIBED", "consent_updated_at": "2026-11-21T09:00:00Z"},
}


def test_a_customer_is_an_identify_and_each_answer_a_consent_at_its_own_time() -> None:
    identify, email, sms = Shops().told("shopify-main", CUSTOMER, "customers/update")
    assert identify.type is EventType.IDENTIFY
    assert identify.traits == {
        "email": "ada@example.com", "phone": "+4930123456", "first_name": "Ada", "last_name": "Example",
        "address": {"country": "DE"}
    }  # fmt: skip
    assert len(nodes_of(identify)) == 4
    said = [(e.name, e.properties["channel"], e.properties["status"], e.timestamp.day) for e in (email, sms)]
    assert said == [("Consent Updated", "email", "denied", 20), ("Consent Updated", "sms", "granted", 21)]
    fact = fact_of(email, currency="EUR")
    assert fact is not None
    assert [(record.status, record.at.day) for record in fact.consents] == [("denied", 20)]


def test_an_answer_that_is_told_again_is_the_same_event() -> None:
    """So an unsubscribe here is not undone by the shop telling an older consent with each change of an address."""
    shops = Shops()
    first = shops.told("shopify-main", CUSTOMER, "customers/update")
    again = shops.told(
        "shopify-main", {**CUSTOMER, "updated_at": "2026-11-22T09:15:00Z", "first_name": "A."}, "customers/update"
    )
    assert [event.event_id for event in first[1:]] == [event.event_id for event in again[1:]]
    assert first[0].event_id != again[0].event_id


@pytest.mark.parametrize("state", ["not_subscribed", "pending", "redacted", "invalid", None])
def test_a_state_that_is_no_answer_is_none(state: str | None) -> None:
    consent = {"state": state, "consent_updated_at": "2026-11-20T09:00:00Z"}
    body = {**CUSTOMER, "email_marketing_consent": consent, "sms_marketing_consent": None}
    assert len(Shops().told("shopify-main", body, "customers/create")) == 1


def test_a_consent_without_a_time_is_none() -> None:
    body = {**CUSTOMER, "email_marketing_consent": {"state": "subscribed"}, "sms_marketing_consent": None}
    assert len(Shops().told("shopify-main", body, "customers/create")) == 1


PRODUCT: dict[str, Any] = {
    "id": 632910392,
    "title": "Olive oil",
    "vendor": "Grove",
    "product_type": "Pantry",
    "handle": "olive-oil",
    "status": "active",
    "updated_at": "2026-11-22T09:05:00Z",
    "image": {"src": "https://cdn.example/7.jpg"},
    "variants": [
        {"id": 1, "price": "9.90", "sku": "OIL-500", "inventory_quantity": 0, "inventory_policy": "deny",
         "inventory_management": "shopify"},
        {"id": 2, "price": "18.00", "sku": "OIL-1000", "inventory_quantity": 4, "inventory_policy": "deny",
         "inventory_management": "shopify"},
    ],
}  # fmt: skip


def test_a_product_is_a_snapshot_for_the_catalogue() -> None:
    (event,) = Shops().told("shopify-main", PRODUCT, "products/update")
    assert (event.type, event.trust, nodes_of(event)) == (EventType.PRODUCT, Trust.SIGNED, [])
    assert event.properties == {
        "product_id": "632910392", "version": 1_795_338_300_000, "name": "Olive oil", "price_minor": 990,
        "currency": "EUR", "categories": ["Pantry"], "brand": "Grove", "sku": "OIL-500", "in_stock": True, "stock": 4,
        "image_url": "https://cdn.example/7.jpg",
    }  # fmt: skip


def test_a_price_without_a_currency_is_none() -> None:
    (event,) = Shops(currency=None).told("shopify-main", PRODUCT, "products/update")
    assert "price_minor" not in event.properties


def test_sold_out_archived_and_deleted_products_are_told() -> None:
    shops = Shops()
    sold_out = {**PRODUCT, "variants": PRODUCT["variants"][:1]}
    (event,) = shops.told("shopify-main", sold_out, "products/update")
    assert event.properties["in_stock"] is False
    (event,) = shops.told("shopify-main", {**PRODUCT, "status": "archived"}, "products/update")
    assert event.properties["deleted"] is True
    (event,) = shops.told("shopify-main", {"id": 632910392}, "products/delete")
    assert event.properties["deleted"] is True
    assert event.timestamp < NOW


@pytest.mark.parametrize(
    ("topic", "body", "kind", "properties"),
    [
        (
            "customers/data_request",
            {"shop_id": 954889, "shop_domain": "s.myshopify.com", "orders_requested": [299938],
             "data_request": {"id": 9},
             "customer": {"id": 191167, "email": "john@example.com", "phone": "555-625-1199"}},
            "data_request",
            {"shop_id": "954889", "shop_domain": "s.myshopify.com", "request_id": "9", "order_ids": ["299938"]},
        ),
        (
            "customers/redact",
            {"shop_id": 954889, "shop_domain": "s.myshopify.com", "customer": {"email": "john@example.com"}},
            "redact_customer",
            {"shop_id": "954889", "shop_domain": "s.myshopify.com"},
        ),
        ("shop/redact", {"shop_id": 954889}, "redact_shop", {"shop_id": "954889"}),
        ("shop/redact", {}, "redact_shop", {}),
    ],
)  # fmt: skip
def test_a_legal_demand_is_kept_and_changes_no_profile(
    topic: str, body: dict[str, Any], kind: str, properties: dict[str, Any]
) -> None:
    (event,) = Shops().told("shopify-main", body, topic)
    assert (event.type, event.name) == (EventType.SYSTEM, "Privacy Request Received")
    assert event.properties == {"kind": kind, **properties}
    assert event.traits.get("email") == (body.get("customer") or {}).get("email")
    assert fact_of(event, currency="EUR") is None


def test_a_topic_that_nobody_takes_is_answered_200_and_counted() -> None:
    """An error would make Shopify take the subscription away."""
    shops = Shops()
    for topic in ("themes/publish", "", "orders/edited"):
        reply = shops.post("shopify-main", {"id": 1}, topic)
        assert (reply.status, reply.counters) == (200, {"WebhooksNotTaken": 1})
    assert shops.queue.messages == []


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("raw", [b"", b"null", b"[]", b"{", b'{"id":1,"id":1}', b"\xff", b"[" * 5_000])
def test_a_body_that_is_none_is_answered_200_once_it_is_a_bad_row(topic: str, raw: bytes) -> None:
    shops = Shops()
    reply = shops.post("shopify-main", raw, topic)
    assert (reply.status, reply.counters["BadRows"]) == (200, 1)
    assert '"success":false' in reply.body
    (row,) = shops.stored()[1]
    assert (row.stage, row.code in {"bad_json", "bad_shape"}) == (f"orders/shopify/{topic}", True)


def test_the_largest_order_is_acknowledged_in_time_for_a_shop_that_waits_five_seconds() -> None:
    line = {**SHOPIFY_ORDER["line_items"][0], "tax_lines": [{"title": "VAT", "price": "1.90", "rate": 0.19}] * 30}
    body = {**SHOPIFY_ORDER, "line_items": [line] * 600}
    raw = json.dumps(body).encode()
    assert 900_000 < len(raw) < 1024 * 1024
    shops, start = Shops(), time.process_time()
    assert shops.post("shopify-main", raw, "orders/create").status == 200
    assert time.process_time() - start < 1.0
    assert len(shops.stored()[0][0].properties["products"]) == 600
