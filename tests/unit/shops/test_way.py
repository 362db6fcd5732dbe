"""From a shop's webhook to its customer: through the intake, the fold and the evaluation."""

from __future__ import annotations

import copy
from itertools import permutations
from typing import Any

import pytest

from regulars.domain.events import Event
from regulars.domain.identity import NodeKind, node_id
from tests.collecting import NOW
from tests.lake_samples import an_intake
from tests.unit.shops.test_shopify import CHECKOUT, CUSTOMER, PRODUCT
from tests.unit.shops.test_woocommerce import CUSTOMER as WOOCOMMERCE_CUSTOMER
from tests.webhooks import SHOPIFY_ORDER, SHOPIFY_REFUND, STRIPE_SESSION, WOOCOMMERCE_ORDER, Shops, stripe_event
from tests.world import World

FULFILMENT = {
    "id": 1, "order_id": 2, "status": "success", "created_at": "2026-11-22T09:00:00Z", "email": "ada@example.com",
}  # fmt: skip
DELIVERIES: list[tuple[str, Any, str]] = [
    ("shopify-main", SHOPIFY_ORDER, "orders/create"),
    ("shopify-main", SHOPIFY_REFUND, "refunds/create"),
    ("shopify-main", CHECKOUT, "checkouts/create"),
    ("shopify-main", CUSTOMER, "customers/update"),
    ("shopify-main", PRODUCT, "products/update"),
    ("shopify-main", FULFILMENT, "fulfillments/create"),
    ("shopify-main", {"id": 1}, "products/delete"),
    ("woocommerce", WOOCOMMERCE_ORDER, "order.created"),
    ("woocommerce", {**WOOCOMMERCE_ORDER, "status": "checkout-draft"}, "order.created"),
    ("woocommerce", WOOCOMMERCE_CUSTOMER, "customer.created"),
    ("stripe", STRIPE_SESSION, ""),
    ("stripe", stripe_event("customer.created", {"id": "cus_1", "email": "ada@example.com"}), ""),
]


def test_what_shops_tell_keeps_the_contracts_of_the_events() -> None:
    intake = an_intake()
    for source, body, topic in DELIVERIES:
        for event in Shops().told(source, body, topic):
            assert "contract" not in intake(event).context.get("quality", {}), (source, topic)


def test_a_national_number_is_read_in_the_country_of_the_bill() -> None:
    body = {**WOOCOMMERCE_ORDER, "billing": {**WOOCOMMERCE_ORDER["billing"], "phone": "030 / 901820", "city": "Berlin"}}
    (event,) = [an_intake()(event) for event in Shops().told("woocommerce", body, "order.created")]
    assert event.traits["phone"] == "+4930901820"
    assert (event.traits["address_country"], event.traits["address_city"]) == ("DE", "Berlin")


@pytest.mark.parametrize(
    ("source", "body", "topic", "where"),
    [
        ("shopify-main", SHOPIFY_ORDER, "orders/create", ("billing_address", "country_code")),
        ("woocommerce", WOOCOMMERCE_ORDER, "order.created", ("billing", "country")),
        ("stripe", STRIPE_SESSION, "", ("data", "object", "customer_details", "name")),
    ],
)
def test_two_bodies_that_differ_in_the_bill_alone_are_two_events(
    source: str, body: Any, topic: str, where: tuple[str, ...]
) -> None:
    """Whatever is taken of a body is part of what it says."""
    other = copy.deepcopy(body)
    place = other
    for name in where[:-1]:
        place = place[name]
    place[where[-1]] = "AT"
    shops = Shops()
    first, second, again = (shops.told(source, one, topic)[0] for one in (body, other, body))
    assert first.traits != second.traits
    assert first.event_id == again.event_id != second.event_id
    assert first.payload_hash == again.payload_hash != second.payload_hash


def kept(source: str, body: Any, topic: str = "") -> list[Event]:
    """The events of a delivery as the lake keeps them."""
    return [an_intake()(event) for event in Shops().told(source, body, topic)]


def test_two_shops_and_a_till_are_one_customer_in_any_order() -> None:
    """A loyalty card at Shopify and at WooCommerce, and the same address: orders of both count together."""
    told = [
        kept("shopify-main", {**SHOPIFY_ORDER, "email": "ada@work.example", "customer": None}, "orders/create"),
        kept("woocommerce", WOOCOMMERCE_ORDER, "order.created"),
        kept("stripe", STRIPE_SESSION),
    ]
    seen = set()
    for order in permutations(told):
        world = World(now=NOW)
        for events in order:
            world.send(*events)
        customer = world.customer_of_node(node_id(NodeKind.EMAIL, "ada@example.com"))
        counted = sorted((entry.total_minor, entry.status) for entry in customer.book.entries.values())
        seen.add((tuple(counted), customer.root))
    assert [orders for orders, _ in seen] == [((2935, "paid"), (9900, "paid"), (9900, "paid"))]


def test_the_consent_of_the_shop_does_not_undo_a_younger_refusal() -> None:
    world = World(now=NOW)
    world.send(*kept("shopify-main", SHOPIFY_ORDER, "orders/create"))
    home = node_id(NodeKind.EMAIL, "ada@example.com")
    assert world.customer_of_node(home).value("consent.email") == "granted"
    refused = {
        **CUSTOMER,
        "email_marketing_consent": {"state": "unsubscribed", "consent_updated_at": "2026-11-22T09:15:00Z"},
    }
    world.send(*kept("shopify-main", refused, "customers/update"))
    later = {**SHOPIFY_ORDER, "updated_at": "2026-11-22T09:25:00Z"}
    world.send(*kept("shopify-main", later, "orders/updated"))
    assert world.customer_of_node(home).value("consent.email") == "denied"
