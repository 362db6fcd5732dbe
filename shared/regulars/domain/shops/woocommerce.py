"""WooCommerce's webhooks (REST API v3 resources) as canonical events.

Instants are the `_gmt` ones: the others are in the shop's own time, which a body does not name. A refund has no topic
of its own: the order is told again, with what was given back as negative totals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from html import unescape
from typing import Any

from regulars.domain.events import Event
from regulars.domain.shops import delivery as build
from regulars.domain.shops.delivery import Delivery, Who
from regulars.domain.shops.reading import (
    LONG,
    Doc,
    address,
    amount,
    an_object,
    attribute,
    currency,
    email,
    first,
    identifier,
    instant,
    key,
    maybe_object,
    objects,
    phone,
    price,
    quantity,
    text,
)

_MAX_LINES, _MAX_COUPONS = 1_000, 50
_STATUS = {
    "completed": "fulfilled",
    "processing": "paid",
    "refunded": "refunded",
    "cancelled": "cancelled",
    "failed": "cancelled",
    "trash": "cancelled",
}
"""All others (`pending`, `on-hold`, a plugin's own) are orders that are placed and not known to be paid."""
_DRAFTS = frozenset({"checkout-draft", "auto-draft", "draft"})


def translate(delivery: Delivery) -> list[Event]:
    """The events of a delivery. Raises BadInputError: `unknown_topic`, or what is wrong with the body."""
    return build.of_topic(delivery, TOPICS)(delivery, an_object(delivery.document))


def _order(delivery: Delivery, doc: Doc) -> list[Event]:
    code = currency(doc.get("currency"))
    placed = instant(doc.get("date_created_gmt"), "date_created_gmt")
    updated = instant(doc.get("date_modified_gmt") or doc.get("date_created_gmt"), "date_modified_gmt")
    status = str(doc.get("status"))
    if status in _DRAFTS:
        properties = {
            "checkout_id": key(doc),
            "currency": code,
            "total": float(amount(doc.get("total"), code, "total")),
            "products": build.spelt(_lines(doc, code)),
        }
        who = _buyer(doc)
        return [
            build.track(delivery, "Checkout Started", f"draft:{key(doc)}", at=updated, properties=properties, who=who)
        ]
    returned = (abs(amount(one.get("total"), code, "refunds.total")) for one in objects(doc.get("refunds")))
    payload = {
        "order_id": key(doc),
        "placed_at": placed,
        "updated_at": updated,
        "status": _STATUS.get(status, "placed"),
        "currency": code,
        "total": amount(doc.get("total"), code, "total"),
        "refunded": sum(returned, Decimal(0)),
        "discount": amount(doc.get("discount_total"), code, "discount_total"),
        "shipping": amount(doc.get("shipping_total"), code, "shipping_total"),
        "tax": amount(doc.get("total_tax"), code, "total_tax"),
        "coupons": [found for one in objects(doc.get("coupon_lines")) if (found := text(one.get("code")))][
            :_MAX_COUPONS
        ],
        "channel": "store" if "pos" in str(doc.get("created_via")).lower().split("-") else "online",
        "products": _lines(doc, code),
    }
    return [build.order(delivery, _buyer(doc), {}, payload)]


def _lines(doc: Doc, code: str) -> list[dict[str, Any]]:
    return [
        {
            "product_id": first((identifier(line.get("product_id")), identifier(line.get("sku")))) or f"line {number}",
            "quantity": quantity(line.get("quantity")),
            "price": amount(line.get("price"), code, f"line_items.{number}.price"),
            "sku": text(line.get("sku")),
            "name": _name(line.get("name")),
            "image_url": text(maybe_object(line.get("image")).get("src"), LONG),
        }
        for number, line in enumerate(objects(doc.get("line_items"))[:_MAX_LINES])
    ]


def _name(value: object) -> str | None:
    """Names come as HTML: `&ndash;` and the like."""
    found = text(value, LONG)
    return unescape(found) if found else None


def _address(doc: Doc) -> dict[str, str]:
    return address(doc, city="city", postalCode="postcode", state="state", country="country")


def _buyer(doc: Doc) -> Who:
    billing = maybe_object(doc.get("billing"))
    return Who(
        email=email(billing.get("email")),
        phone=phone(billing.get("phone")),
        first_name=text(billing.get("first_name")),
        last_name=text(billing.get("last_name")),
        address=_address(billing),
        shop_customer_id=identifier(doc.get("customer_id")),  # 0 is a guest
        loyalty_card=attribute(doc.get("meta_data"), "loyalty_card", label="key"),
        anonymous_id=attribute(doc.get("meta_data"), "anonymous_id", label="key"),
    )


def _deleted_order(delivery: Delivery, doc: Doc) -> list[Event]:
    """It names nobody, so no customer's sum can be mended by it: what shall not count is cancelled first."""
    properties = {"order_id": key(doc)}
    return [build.track(delivery, "Order Deleted", f"deleted:{key(doc)}", at=delivery.told_at, properties=properties)]


def _customer(delivery: Delivery, doc: Doc) -> list[Event]:
    billing = maybe_object(doc.get("billing"))
    who = Who(
        email=first((email(doc.get("email")), email(billing.get("email")))),
        phone=phone(billing.get("phone")),
        first_name=first((text(doc.get("first_name")), text(billing.get("first_name")))),
        last_name=first((text(doc.get("last_name")), text(billing.get("last_name")))),
        address=_address(billing),
        shop_customer_id=key(doc),
        loyalty_card=attribute(doc.get("meta_data"), "loyalty_card", label="key"),
    )
    at = instant(doc.get("date_modified_gmt") or doc.get("date_created_gmt"), "date_modified_gmt")
    return [build.identify(delivery, who, f"customer:{key(doc)}", at=at)]


def _deleted_customer(delivery: Delivery, doc: Doc) -> list[Event]:
    return [build.customer_deleted(delivery, Who(shop_customer_id=key(doc)), key(doc), at=delivery.told_at)]


def _product(delivery: Delivery, doc: Doc) -> list[Event]:
    at = instant(doc.get("date_modified_gmt") or doc.get("date_created_gmt"), "date_modified_gmt")
    stock, status = doc.get("stock_quantity"), doc.get("stock_status")
    images, brands = objects(doc.get("images")), objects(doc.get("brands"))
    payload = {
        "product_id": key(doc),
        "name": _name(doc.get("name")),
        "price": price(doc.get("price"), delivery.shop_currency, "price"),
        "categories": [found for one in objects(doc.get("categories")) if (found := _name(one.get("name")))],
        "brand": _name(brands[0].get("name")) if brands else None,
        "sku": text(doc.get("sku")),
        "in_stock": status != "outofstock" if isinstance(status, str) else None,
        "stock": max(stock, 0) if isinstance(stock, int) else None,
        "url": text(doc.get("permalink"), LONG),
        "image_url": text(images[0].get("src"), LONG) if images else None,
        "deleted": doc.get("status", "publish") != "publish",
    }
    return [build.product(delivery, payload, at=at)]


def _deleted_product(delivery: Delivery, doc: Doc) -> list[Event]:
    return [build.product_deleted(delivery, key(doc), at=delivery.told_at)]


TOPICS: Mapping[str, Callable[[Delivery, Doc], list[Event]]] = {
    **{f"order.{name}": _order for name in ("created", "updated", "restored")},
    **{f"customer.{name}": _customer for name in ("created", "updated")},
    **{f"product.{name}": _product for name in ("created", "updated", "restored")},
    "order.deleted": _deleted_order,
    "customer.deleted": _deleted_customer,
    "product.deleted": _deleted_product,
}
