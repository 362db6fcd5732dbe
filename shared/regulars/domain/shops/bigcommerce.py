"""BigCommerce: thin webhooks that name a resource, and the resources themselves (orders of API v2, the rest of v3).

A webhook says only that something happened to `data.id`. What the resource is now is fetched, so whichever of several
deliveries is fetched last, all tell the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from regulars.domain.errors import BadInputError
from regulars.domain.events import Event
from regulars.domain.shops import delivery as build
from regulars.domain.shops.delivery import Delivery, Who
from regulars.domain.shops.reading import (
    LONG,
    Doc,
    address,
    amount,
    an_object,
    currency,
    email,
    first,
    identifier,
    instant,
    key,
    maybe_instant,
    maybe_object,
    objects,
    phone,
    price,
    quantity,
    text,
)

ORDER, CUSTOMER, PRODUCT = "order", "customer", "product"
PATHS: Mapping[str, Mapping[str, str]] = {
    ORDER: {
        "order": "/v2/orders/{id}",
        "products": "/v2/orders/{id}/products?limit=250",
        "coupons": "/v2/orders/{id}/coupons",
    },
    CUSTOMER: {"customers": "/v3/customers?id:in={id}"},
    PRODUCT: {"product": "/v3/catalog/products/{id}?include=primary_image"},
}
"""Resource to the documents that make it up, and where each is below `/stores/<store hash>`."""
SCOPES: Mapping[str, str] = {
    **{f"store/order/{happened}": ORDER for happened in ("created", "updated", "archived", "statusUpdated")},
    "store/order/refund/created": ORDER,
    **{f"store/customer/{happened}": CUSTOMER for happened in ("created", "updated", "deleted")},
    **{f"store/product/{happened}": PRODUCT for happened in ("created", "updated", "deleted")},
    **{f"store/product/inventory/{happened}": PRODUCT for happened in ("updated", "order/updated")},
}
"""What is taken, and what is fetched for it: `data.id` is the id of that resource in each."""
_MAX_LINES = 1_000
_CANCELLED = frozenset({0, 5, 6})  # Incomplete (a checkout that was left), Cancelled, Declined
_REFUNDED, _PARTIALLY_REFUNDED = 4, 14
_FULFILLED = frozenset({2, 10})  # Shipped, Completed
_PAID = frozenset({3, 8, 9, 11, 12, 13, _PARTIALLY_REFUNDED})
"""Status ids of orders (BigCommerce, "Order statuses"); all others are placed."""


class Fetch(NamedTuple):
    """A resource to be fetched: what it is, and its id there."""

    resource: str
    id: str


def told(delivery: Delivery) -> Fetch | list[Event]:
    """What a thin webhook asks to be fetched, or the events of a resource that is no more, of which it says all.

    Raises BadInputError: `unknown_topic`, `bad_shape`.
    """
    resource = build.of_topic(delivery, SCOPES)
    document = an_object(delivery.document)
    number = _number(maybe_object(document.get("data")))
    if not delivery.topic.endswith("/deleted"):
        return Fetch(resource, number)
    at = maybe_instant(document.get("created_at"), "created_at") or delivery.told_at
    if resource == PRODUCT:
        return [build.product_deleted(delivery, number, at=at)]
    return [build.customer_deleted(delivery, Who(shop_customer_id=number), number, at=at)]


def _number(data: Doc) -> str:
    """The id of a resource: it becomes a part of a URL, so nothing but digits."""
    found = key(data)
    if not (found.isascii() and found.isdigit()):
        raise BadInputError("bad_shape", "data.id must be a whole number")
    return found


def translate(delivery: Delivery) -> list[Event]:
    """The events of a fetched resource: `delivery.topic` is the resource, the document has the parts of PATHS.

    Raises BadInputError: what is wrong with it.
    """
    return _RESOURCES[delivery.topic](delivery, an_object(delivery.document))


def _order(delivery: Delivery, doc: Doc) -> list[Event]:
    order = an_object(doc.get("order"), "order")
    code = currency(order.get("default_currency_code") or order.get("currency_code"))
    billing = maybe_object(order.get("billing_address"))
    payload = {
        "order_id": key(order),
        "placed_at": instant(order.get("date_created"), "order.date_created"),
        "updated_at": instant(order.get("date_modified") or order.get("date_created"), "order.date_modified"),
        "status": _status(order),
        "currency": code,
        "total": amount(order.get("total_inc_tax"), code, "order.total_inc_tax"),
        "refunded": amount(order.get("refunded_amount"), code, "order.refunded_amount"),
        "discount": sum(
            (amount(order.get(name), code, f"order.{name}") for name in ("discount_amount", "coupon_discount")),
            Decimal(0),
        ),
        "shipping": amount(order.get("shipping_cost_inc_tax"), code, "order.shipping_cost_inc_tax"),
        "tax": amount(order.get("total_tax"), code, "order.total_tax"),
        "coupons": [found for one in objects(doc.get("coupons")) if (found := text(one.get("code")))][:50],
        "channel": "store" if "pos" in str(order.get("order_source")).lower() else "online",
        "products": _lines(doc, code),
    }
    who = Who(
        email=email(billing.get("email")),
        phone=phone(billing.get("phone")),
        first_name=text(billing.get("first_name")),
        last_name=text(billing.get("last_name")),
        address=address(billing, city="city", postalCode="zip", state="state", country="country_iso2"),
        shop_customer_id=identifier(order.get("customer_id")),  # 0 is a guest
    )
    return [build.order(delivery, who, {}, payload)]


def _status(order: Doc) -> str:
    given = order.get("status_id")
    status = given if isinstance(given, int) else None
    if status in _CANCELLED:
        return "cancelled"
    if status == _REFUNDED:
        return "refunded"
    if status in _FULFILLED:
        return "fulfilled"
    return "paid" if status in _PAID else "placed"


def _lines(doc: Doc, code: str) -> list[dict[str, Any]]:
    return [
        {
            "product_id": first((identifier(line.get("product_id")), identifier(line.get("sku")))) or f"line {number}",
            "quantity": quantity(line.get("quantity")),
            "price": amount(line.get("price_inc_tax") or line.get("base_price"), code, f"products.{number}.price"),
            "sku": text(line.get("sku")),
            "name": text(line.get("name"), LONG),
        }
        for number, line in enumerate(objects(doc.get("products"))[:_MAX_LINES])
    ]


def _customer(delivery: Delivery, doc: Doc) -> list[Event]:
    found = objects(maybe_object(doc.get("customers")).get("data"))
    if not found:
        raise BadInputError("bad_shape", "customers.data: there is no such customer")
    customer = found[0]
    who = Who(
        email=email(customer.get("email")),
        phone=phone(customer.get("phone")),
        first_name=text(customer.get("first_name")),
        last_name=text(customer.get("last_name")),
        shop_customer_id=key(customer),
    )
    at = instant(customer.get("date_modified") or customer.get("date_created"), "customers.data.date_modified")
    return [build.identify(delivery, who, f"customer:{key(customer)}", at=at)]


def _product(delivery: Delivery, doc: Doc) -> list[Event]:
    product = an_object(maybe_object(doc.get("product")).get("data"), "product.data")
    at = instant(product.get("date_modified") or product.get("date_created"), "product.data.date_modified")
    counted = product.get("inventory_tracking") not in (None, "none")
    level, listed = product.get("inventory_level"), product.get("calculated_price") or product.get("price")
    payload = {
        "product_id": key(product),
        "name": text(product.get("name"), LONG),
        "price": price(listed or None, delivery.shop_currency, "product.data.price"),
        "sku": text(product.get("sku")),
        "in_stock": False if product.get("availability") == "disabled" else None if counted else True,
        "stock": max(level, 0) if counted and isinstance(level, int) else None,
        "url": text(maybe_object(product.get("custom_url")).get("url"), LONG),
        "image_url": text(maybe_object(product.get("primary_image")).get("url_standard"), LONG),
        "deleted": product.get("is_visible") is False,
    }
    return [build.product(delivery, payload, at=at)]


_RESOURCES: Mapping[str, Callable[[Delivery, Doc], list[Event]]] = {
    ORDER: _order,
    CUSTOMER: _customer,
    PRODUCT: _product,
}
