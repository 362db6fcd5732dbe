"""GA4's e-commerce events under their standard names."""

from __future__ import annotations

from typing import Any

import pytest

from regulars.domain.ecommerce import GA4_EVENTS, from_ga4
from regulars.domain.facts import fact_of
from tests.collecting import TRACK, Shop

MUG = {"item_id": "p1", "item_name": "Mug", "item_category": "mugs", "price": 24.95, "quantity": 2, "index": 1}
STANDARD_MUG = {"product_id": "p1", "name": "Mug", "category": "mugs", "price": 24.95, "quantity": 2, "position": 1}
CUP = {"item_id": "c1", "item_name": "Cup", "price": 5}


def collected(name: str, properties: dict[str, Any]) -> Any:
    shop = Shop()
    shop.post("track", {**TRACK, "event": name, "properties": properties})
    return shop.event()


def test_one_item_becomes_the_product_of_its_event() -> None:
    event = collected("view_item", {"currency": "USD", "value": 24.95, "items": [MUG]})
    assert event.name == "Product Viewed"
    assert event.properties == {**STANDARD_MUG, "currency": "USD", "value": 24.95}
    assert event.context["originalEvent"] == "view_item"


def test_several_items_become_products_and_all_go_into_the_cart() -> None:
    event = collected("add_to_cart", {"currency": "USD", "items": [MUG, CUP]})
    fact = fact_of(event, currency="USD")
    assert fact is not None
    assert {key: (line.quantity, line.price_minor) for key, line in fact.cart.items()} == {
        "p1": (2, 2495),
        "c1": (1, 500),
    }


def test_a_purchase_is_an_order_that_ends_the_cart_and_is_no_revenue() -> None:
    properties = {"transaction_id": "T-1", "value": 49.9, "tax": 4, "shipping": 5, "currency": "USD", "items": [MUG]}
    event = collected("purchase", properties)
    fact = fact_of(event, currency="USD")
    assert event.name == "Order Completed"
    assert (event.properties["order_id"], event.properties["revenue"]) == ("T-1", 49.9)
    assert event.properties["products"] == [STANDARD_MUG]
    assert fact is not None
    assert fact.cart_cleared_at == event.timestamp
    assert fact.order is None


@pytest.mark.parametrize(
    ("given", "standard"),
    [
        (("begin_checkout", {"items": [MUG]}), ("Checkout Started", {"products": [STANDARD_MUG]})),
        (("refund", {"transaction_id": "T-1"}), ("Order Refunded", {"order_id": "T-1"})),
        (("search", {"search_term": "mug"}), ("Products Searched", {"query": "mug"})),
        (("view_item_list", {"item_list_id": "l1", "items": [CUP]}), (
            "Product List Viewed", {"list_id": "l1", "products": [{"product_id": "c1", "name": "Cup", "price": 5}]}
        )),
        (("view_item", {"item_id": "p1"}), ("Product Viewed", {"product_id": "p1"})),
        (("add_to_cart", {"product_id": "own", "items": [MUG]}), (
            "Product Added", {**STANDARD_MUG, "product_id": "own"}
        )),
        (("select_promotion", {"promotion_id": "x", "creative_slot": "top"}), (
            "Promotion Clicked", {"promotion_id": "x", "position": "top"}
        )),
        (("add_to_cart", {"items": "all"}), ("Product Added", {"items": "all"})),
        (("add_to_cart", {"items": [1, None]}), ("Product Added", {})),
    ],
)  # fmt: skip
def test_names_and_fields(given: tuple[str, dict[str, Any]], standard: tuple[str, dict[str, Any]]) -> None:
    assert from_ga4(*given) == standard


def test_what_was_sent_is_not_changed() -> None:
    properties = {"items": [dict(MUG)]}
    from_ga4("view_item", properties)
    assert properties == {"items": [MUG]}


def test_every_alias_leads_to_an_event_of_segments_list() -> None:
    """Spec: V2 Ecommerce Events, as far as GA4 has them."""
    assert set(GA4_EVENTS.values()) == {
        "Products Searched", "Product List Viewed", "Promotion Viewed", "Promotion Clicked", "Product Clicked",
        "Product Viewed", "Product Added", "Product Removed", "Cart Viewed", "Checkout Started",
        "Checkout Step Completed", "Payment Info Entered", "Order Completed", "Order Refunded",
        "Product Added to Wishlist",
    }  # fmt: skip


def test_a_page_that_happens_to_be_called_like_one_stays_a_page() -> None:
    shop = Shop()
    shop.post("page", {"userId": "u", "name": "search"})
    event = shop.event()
    assert (event.type, event.name) == ("page", "search")
    assert "originalEvent" not in event.context
