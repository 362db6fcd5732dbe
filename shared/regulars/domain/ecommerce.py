"""Names of e-commerce events: Google Analytics 4's as aliases of Segment's (e-commerce events v2).

A store that already reports to GA4 sends `view_item` with `items`; everything behind collect knows `Product Viewed`.
Sources: Google, "Recommended events" (GA4 reference) and Segment, "Spec: V2 Ecommerce Events".
"""

from __future__ import annotations

from typing import Any

GA4_EVENTS = {
    "view_item_list": "Product List Viewed",
    "select_item": "Product Clicked",
    "view_item": "Product Viewed",
    "add_to_wishlist": "Product Added to Wishlist",
    "add_to_cart": "Product Added",
    "remove_from_cart": "Product Removed",
    "view_cart": "Cart Viewed",
    "begin_checkout": "Checkout Started",
    "add_shipping_info": "Checkout Step Completed",
    "add_payment_info": "Payment Info Entered",
    "purchase": "Order Completed",
    "refund": "Order Refunded",
    "view_promotion": "Promotion Viewed",
    "select_promotion": "Promotion Clicked",
    "search": "Products Searched",
    "view_search_results": "Products Searched",
}

OF_ONE_PRODUCT = frozenset(
    {"Product Clicked", "Product Viewed", "Product Added", "Product Removed", "Product Added to Wishlist"}
)
"""Events whose product is the event's properties themselves, where there is only one."""

_ITEM_FIELDS = {
    "item_id": "product_id",
    "item_name": "name",
    "item_brand": "brand",
    "item_category": "category",
    "item_variant": "variant",
    "index": "position",
}
_EVENT_FIELDS = {
    "transaction_id": "order_id",
    "item_list_id": "list_id",
    "search_term": "query",
    "shipping_tier": "shipping_method",
    "payment_type": "payment_method",
    "promotion_name": "name",
    "creative_name": "creative",
    "creative_slot": "position",
}
_MAX_ITEMS = 200
"""GA4's own limit on `items`."""


def from_ga4(name: str, properties: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The standard name and properties of the GA4 event `name`, which must be one of `GA4_EVENTS`.

    Fields that have no standard name, or whose standard name is there already, stay as they are. A purchase's `value`
    is the sum of its items without tax and shipping, which Segment calls `revenue`. Events of one product carry it
    among their properties, of several as `products`.
    """
    standard = GA4_EVENTS[name]
    translated = _renamed(properties, _EVENT_FIELDS)
    if standard in {"Order Completed", "Order Refunded"} and "value" in translated:
        translated.setdefault("revenue", translated["value"])
    items = translated.pop("items", None)
    if not isinstance(items, list):
        if items is not None:
            translated["items"] = items
        return standard, _renamed(translated, _ITEM_FIELDS)
    products = [_renamed(item, _ITEM_FIELDS) for item in items[:_MAX_ITEMS] if isinstance(item, dict)]
    return standard, with_products(standard, translated, products)


def with_products(name: str, properties: dict[str, Any], products: list[dict[str, Any]]) -> dict[str, Any]:
    """The properties of the event `name` about `products`; what the event says itself wins over its only product."""
    if len(products) == 1 and name in OF_ONE_PRODUCT:
        return {**products[0], **properties}
    return {**properties, "products": products} if products else properties


def _renamed(fields: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    renamed = {name: value for name, value in fields.items() if name not in names}
    for name, standard in names.items():
        if name in fields:
            renamed.setdefault(standard, fields[name])
    return renamed
