"""WooCommerce's deliveries as canonical events."""

from __future__ import annotations

from typing import Any

import pytest

from regulars.domain.event_nodes import nodes_of
from regulars.domain.events import EventType
from regulars.domain.facts import fact_of
from tests.collecting import NOW
from tests.webhooks import WOOCOMMERCE_ORDER, Shops

CUSTOMER: dict[str, Any] = {
    "id": 25,
    "date_created_gmt": "2026-11-01T09:00:00",
    "date_modified_gmt": None,
    "email": "ada@example.com",
    "first_name": "Ada",
    "last_name": "",
    "billing": {"last_name": "Example", "country": "DE", "phone": "+49 30 123456"},
    "meta_data": [],
}


def test_an_order_is_read_in_universal_time_and_rounded_as_it_was_charged() -> None:
    (event,) = Shops().told("woocommerce", WOOCOMMERCE_ORDER, "order.created")
    assert event.traits == {
        "email": "ada@example.com", "phone": "+49 30 123456", "first_name": "Ada", "last_name": "Example",
        "address": {"country": "DE"}
    }  # fmt: skip
    assert [found["id"] for found in event.context["externalIds"]] == ["4006381333931", "woocommerce:25"]
    assert event.context["webhook"] == {"topic": "order.created", "id": "0d4a"}
    assert event.properties == {
        "order_id": "727",
        "version": 1_795_338_600_001,
        "status": "paid",
        "placed_at": 1_795_338_000_000,
        "currency": "EUR",
        "total_minor": 2935,
        "refunded_minor": 0,
        "discount_minor": 100,
        "shipping_minor": 1000,
        "tax_minor": 135,
        "coupons": ["welcome"],
        "channel": "online",
        "products": [
            {"product_id": "22", "quantity": 3, "price_minor": 333, "name": "Ship Your Idea \N{EN DASH} Black"}
        ],
    }


def test_a_guest_has_no_number() -> None:
    (event,) = Shops().told("woocommerce", {**WOOCOMMERCE_ORDER, "customer_id": 0, "meta_data": []}, "order.created")
    assert "externalIds" not in event.context


def test_refunds_come_with_the_order_as_negative_totals() -> None:
    refunds = [{"id": 1, "total": "-10.00"}, {"id": 2, "total": "-2.50"}]
    body = {**WOOCOMMERCE_ORDER, "refunds": refunds, "date_modified_gmt": "2026-11-22T09:20:00"}
    (event,) = Shops().told("woocommerce", body, "order.updated")
    fact = fact_of(event, currency="EUR")
    assert fact is not None
    assert fact.order is not None
    assert (fact.order[1].total_minor, fact.order[1].net_minor) == (2935, 1685)


@pytest.mark.parametrize(
    ("given", "status"),
    [("pending", "placed"), ("on-hold", "placed"), ("completed", "fulfilled"), ("refunded", "refunded"),
     ("cancelled", "cancelled"), ("failed", "cancelled"), ("a-plugins-own", "placed")],
)  # fmt: skip
def test_the_status_says_how_far_the_order_has_come(given: str, status: str) -> None:
    (event,) = Shops().told("woocommerce", {**WOOCOMMERCE_ORDER, "status": given}, "order.updated")
    assert event.properties["status"] == status


def test_a_till_is_a_store() -> None:
    (event,) = Shops().told("woocommerce", {**WOOCOMMERCE_ORDER, "created_via": "pos-rest-api"}, "order.created")
    assert event.properties["channel"] == "store"


def test_a_draft_is_a_checkout_and_no_order() -> None:
    (event,) = Shops().told("woocommerce", {**WOOCOMMERCE_ORDER, "status": "checkout-draft"}, "order.created")
    fact = fact_of(event, currency="EUR")
    assert (event.type, event.name) == (EventType.TRACK, "Checkout Started")
    assert fact is not None
    assert {key: line.quantity for key, line in fact.cart.items()} == {"22": 3}


def test_without_universal_time_an_order_is_a_bad_row() -> None:
    """`date_created` is the shop's own time, and nobody says which that is."""
    shops = Shops()
    body = {name: value for name, value in WOOCOMMERCE_ORDER.items() if not name.endswith("_gmt")}
    assert shops.post("woocommerce", body, "order.created").status == 200
    (row,) = shops.stored()[1]
    assert (row.stage, row.code, row.detail) == (
        "orders/woocommerce/order.created", "bad_shape", "date_created_gmt: must be an instant after 2000",
    )  # fmt: skip


def test_a_customer_is_an_identify() -> None:
    (event,) = Shops().told("woocommerce", CUSTOMER, "customer.created")
    assert (event.type, event.timestamp.day, len(nodes_of(event))) == (EventType.IDENTIFY, 1, 3)
    assert (event.traits["first_name"], event.traits["last_name"]) == ("Ada", "Example")


def test_deletions_are_told() -> None:
    shops = Shops()
    (order,) = shops.told("woocommerce", {"id": 727}, "order.deleted")
    (customer,) = shops.told("woocommerce", {"id": 25}, "customer.deleted")
    (product,) = shops.told("woocommerce", {"id": 22}, "product.deleted")
    assert (order.name, order.properties, nodes_of(order)) == ("Order Deleted", {"order_id": "727"}, [])
    assert (customer.name, len(nodes_of(customer))) == ("Customer Deleted", 1)
    assert (product.type, product.properties["deleted"]) == (EventType.PRODUCT, True)
    assert order.timestamp == NOW


def test_a_product_is_a_snapshot_for_the_catalogue() -> None:
    body = {
        "id": 22, "name": "Ship Your Idea", "permalink": "https://shop.example/p/22", "status": "publish",
        "date_modified_gmt": "2026-11-22T09:05:00", "price": "12", "sku": "", "stock_status": "outofstock",
        "stock_quantity": -1, "categories": [{"id": 1, "name": "Art &amp; Craft"}, {"id": 2, "name": "Posters"}],
        "images": [{"src": "https://shop.example/22.jpg"}], "brands": [],
    }  # fmt: skip
    (event,) = Shops().told("woocommerce", body, "product.updated")
    assert event.properties == {
        "product_id": "22", "version": 1_795_338_300_000, "name": "Ship Your Idea", "price_minor": 1200,
        "currency": "EUR", "categories": ["Art & Craft", "Posters"], "in_stock": False, "stock": 0,
        "url": "https://shop.example/p/22", "image_url": "https://shop.example/22.jpg",
    }  # fmt: skip


def test_coupons_and_actions_are_answered_200_and_counted() -> None:
    shops = Shops()
    for topic in ("coupon.created", "action.woocommerce_add_to_cart"):
        assert shops.post("woocommerce", {"id": 1}, topic).counters == {"WebhooksNotTaken": 1}
