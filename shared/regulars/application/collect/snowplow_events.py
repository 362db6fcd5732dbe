"""What Snowplow's schemas say, in Segment's words: e-commerce actions, events of the trackers, entities.

Schemas: Iglu Central, `com.snowplowanalytics.snowplow` and `com.snowplowanalytics.snowplow.ecommerce`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regulars.domain.ecommerce import with_products

if TYPE_CHECKING:
    from collections.abc import Callable

Entity = tuple[str, dict[str, Any]]
"""(vendor/name of the schema, the data) of something that was attached to an event."""

SNOWPLOW = "com.snowplowanalytics.snowplow"
ECOMMERCE = "com.snowplowanalytics.snowplow.ecommerce"
_MOBILE = "com.snowplowanalytics.mobile"

_ACTIONS = {
    "product_view": "Product Viewed",
    "add_to_cart": "Product Added",
    "remove_from_cart": "Product Removed",
    "list_view": "Product List Viewed",
    "list_click": "Product Clicked",
    "checkout_step": "Checkout Step Viewed",
    "transaction": "Order Completed",
    "refund": "Order Refunded",
    "promo_view": "Promotion Viewed",
    "promo_click": "Promotion Clicked",
    "trns_error": "Payment Failed",
}
_EVENTS = {
    f"{SNOWPLOW}/add_to_cart": "Product Added",
    f"{SNOWPLOW}/remove_from_cart": "Product Removed",
    f"{SNOWPLOW}/link_click": "Link Clicked",
    f"{SNOWPLOW}/submit_form": "Form Submitted",
    f"{SNOWPLOW}/site_search": "Products Searched",
}
SESSION = f"{SNOWPLOW}/client_session"
_SCREENS = frozenset({f"{_MOBILE}/screen_view", f"{SNOWPLOW}/screen_view"})
_PRODUCT_FIELDS = {"id": "product_id"}
_CART_FIELDS = {"total_value": "value"}
_ORDER_FIELDS = {
    "transaction_id": "order_id",
    "discount_code": "coupon",
    "discount_amount": "discount",
    "refund_amount": "total",
}
_LEGACY_FIELDS = {"sku": "product_id", "unit_price": "price", "unitPrice": "price"}
_PROMOTION_FIELDS = {"id": "promotion_id", "creative_id": "creative", "slot": "position"}
_OF_THE_EVENT = {
    f"{ECOMMERCE}/cart": _CART_FIELDS,
    f"{ECOMMERCE}/transaction": _ORDER_FIELDS,
    f"{ECOMMERCE}/refund": _ORDER_FIELDS,
    f"{ECOMMERCE}/checkout_step": {},
    f"{ECOMMERCE}/promotion": _PROMOTION_FIELDS,
}
"""Entities that are properties of the event in Segment's form, with the names that differ."""


def schema_name(schema: str) -> str:
    """`vendor/name` of `iglu:vendor/name/format/version`, the text itself where it is no such address."""
    parts = schema.removeprefix("iglu:").split("/")
    return f"{parts[0]}/{parts[1]}" if len(parts) == 4 else schema  # noqa: PLR2004 - vendor, name, format, version


def named_event(schema: str, data: dict[str, Any], entities: list[Entity]) -> tuple[dict[str, Any], list[Entity]]:
    """The Segment call of a self-describing event, and the entities that it was not made of.

    A screen, an e-commerce event under its standard name, else a track call named like its schema.
    """
    name = schema_name(schema)
    if name in _SCREENS:
        return {"type": "screen", "name": data.get("name"), "properties": data}, entities
    if name == f"{ECOMMERCE}/snowplow_ecommerce_action":
        return _ecommerce(data, entities)
    standard = _EVENTS.get(name)
    if standard in {"Product Added", "Product Removed"}:
        data = _renamed(data, _LEGACY_FIELDS)
    elif standard == "Products Searched" and isinstance(data.get("terms"), list):
        data = {**data, "query": " ".join(str(term) for term in data["terms"])}
    return {"type": "track", "event": standard or name.rpartition("/")[2], "properties": data}, entities


def _ecommerce(action: dict[str, Any], entities: list[Entity]) -> tuple[dict[str, Any], list[Entity]]:
    kind = action.get("type")
    if not isinstance(kind, str) or not kind:
        kind = "snowplow_ecommerce_action"
    event = _ACTIONS.get(kind, kind)
    properties: dict[str, Any] = {}
    products: list[dict[str, Any]] = []
    unused = []
    for name, data in entities:
        if name == f"{ECOMMERCE}/product":
            products.append(_renamed(data, _PRODUCT_FIELDS))
        elif name in _OF_THE_EVENT:
            properties |= _renamed(data, _OF_THE_EVENT[name])
        else:
            unused.append((name, data))
    if event == "Checkout Step Viewed" and properties.get("step") == 1:
        event = "Checkout Started"
    if isinstance(action.get("name"), str) and event == "Product List Viewed":
        properties["list_id"] = action["name"]
    return {"type": "track", "event": event, "properties": with_products(event, properties, products)}, unused


def _renamed(data: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in data.items()}


def _device(data: dict[str, Any], context: dict[str, Any]) -> None:
    """A telephone, its identifier the vendor's or else the advertising one."""
    ids = ("appleIdfv", "appleIdfa", "androidIdfa", "openIdfa")
    device = {
        "id": next((data[name] for name in ids if isinstance(data.get(name), str) and data[name]), None),
        "manufacturer": data.get("deviceManufacturer"),
        "model": data.get("deviceModel"),
    }
    context["device"] = {name: value for name, value in device.items() if value is not None}


def _user(data: dict[str, Any], context: dict[str, Any]) -> None:
    """The shopper as the store knows them, whose address is a trait."""
    if isinstance(data.get("email"), str):
        context["traits"] = {"email": data["email"]}


def _nothing(_data: dict[str, Any], _context: dict[str, Any]) -> None:
    """Said elsewhere in the call."""


ENTITIES: dict[str, Callable[[dict[str, Any], dict[str, Any]], None]] = {
    f"{SNOWPLOW}/mobile_context": _device,
    f"{ECOMMERCE}/user": _user,
    SESSION: _nothing,
}
"""Schema to what its entity adds to the context; every other entity is kept as it came."""
