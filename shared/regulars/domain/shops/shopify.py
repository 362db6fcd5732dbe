"""Shopify's webhooks (Admin REST resources, 2024-01 and later) as canonical events.

`total_price` is what was charged at first and stays after a cancel or a refund; `current_total_price` goes down with
refunds. What the shop keeps is `total_price` less the successful refund transactions: one of the two ways, never both.
Refunds may be written in the currency that the shopper saw: only then the difference of the two totals counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

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
    attribute,
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
from regulars.domain.statements import DENIED, GRANTED

_MAX_LINES, _MAX_COUPONS = 1_000, 50
_CONSENTS = {"subscribed": GRANTED, "unsubscribed": DENIED}
"""Of the states of `marketing_consent`; `not_subscribed`, `pending`, `invalid` and `redacted` are no answers."""
_PAID = frozenset({"paid", "partially_paid", "partially_refunded"})


def translate(delivery: Delivery) -> list[Event]:
    """The events of a delivery. Raises BadInputError: `unknown_topic`, or what is wrong with the body."""
    return build.of_topic(delivery, TOPICS)(delivery, an_object(delivery.document))


def _order(delivery: Delivery, doc: Doc) -> list[Event]:
    if doc.get("test") is True:
        at = instant(doc.get("updated_at") or doc.get("created_at"), "updated_at")
        return [build.track(delivery, "Test Order Received", f"test:{key(doc)}", at=at, properties={})]
    code = currency(doc.get("currency"))
    placed = instant(doc.get("processed_at") or doc.get("created_at"), "created_at")
    payload = {
        "order_id": key(doc),
        "placed_at": placed,
        "updated_at": instant(doc.get("updated_at") or doc.get("created_at"), "updated_at"),
        "status": _status(doc),
        "currency": code,
        "total": amount(doc.get("total_price"), code, "total_price"),
        "refunded": _given_back(doc, code),
        "discount": amount(doc.get("total_discounts"), code, "total_discounts"),
        "tax": amount(doc.get("total_tax"), code, "total_tax"),
        "shipping": _shipping(doc, code),
        "coupons": _coupons(doc),
        "channel": "store" if doc.get("source_name") == "pos" else "online",
        "products": _lines(doc, code),
    }
    return [build.order(delivery, _buyer(doc), _order_consents(maybe_object(doc.get("customer"))), payload)]


def _status(doc: Doc) -> str:
    money = text(doc.get("financial_status"))
    if doc.get("cancelled_at") or money == "voided":
        return "cancelled"
    if money == "refunded":
        return "refunded"
    if doc.get("fulfillment_status") == "fulfilled":
        return "fulfilled"
    return "paid" if money in _PAID else "placed"


def refunded(refund: Doc, code: str) -> Decimal:
    """What a refund gave back in the currency `code`: its successful refund transactions in it. One that names no
    currency is in the order's."""
    return sum(
        (
            amount(transaction.get("amount"), code, "refunds.transactions.amount")
            for transaction in _transactions(refund)
            if _currency_of(transaction, code) == code
        ),
        Decimal(0),
    )


def _given_back(doc: Doc, code: str) -> Decimal:
    """What all refunds of an order gave back, in the order's currency.

    Where one is in another currency, the shop's own sum in the order's: how far the order's total went down, but not
    less than the refunds that are in its currency, nor more than the total. Raises BadInputError where it is not told.
    """
    refunds = objects(doc.get("refunds"))
    told = sum((refunded(refund, code) for refund in refunds), Decimal(0))
    if all(_currency_of(one, code) == code for refund in refunds for one in _transactions(refund)):
        return told
    current = doc.get("current_total_price")
    if current in (None, ""):
        raise BadInputError("bad_amount", "current_total_price is needed where a refund is in another currency")
    total = amount(doc.get("total_price"), code, "total_price")
    return min(max(told, total - amount(current, code, "current_total_price")), total)


def _transactions(refund: Doc) -> list[Doc]:
    """Those that gave money back."""
    return [
        transaction
        for transaction in objects(refund.get("transactions"))
        if transaction.get("kind") == "refund" and transaction.get("status") == "success"
    ]


def _currency_of(transaction: Doc, otherwise: str) -> str:
    given = transaction.get("currency")
    return currency(given) if given else otherwise


def _shipping(doc: Doc, code: str) -> Decimal:
    money = maybe_object(maybe_object(doc.get("total_shipping_price_set")).get("shop_money"))
    return amount(money.get("amount"), code, "total_shipping_price_set")


def _coupons(doc: Doc) -> list[str]:
    codes = (text(given.get("code")) for given in objects(doc.get("discount_codes")))
    return [code for code in codes if code][:_MAX_COUPONS]


def _lines(doc: Doc, code: str) -> list[dict[str, Any]]:
    """Lines of an order, a checkout or a fulfilment; one that names no product goes by its variant, SKU or title."""
    return [
        {
            "product_id": first(
                identifier(line.get(name)) for name in ("product_id", "variant_id", "sku", "title")
            ) or f"line {number}",
            "quantity": quantity(line.get("quantity")),
            "price": amount(line.get("price"), code, f"line_items.{number}.price"),
            "sku": text(line.get("sku")),
            "name": text(line.get("title"), LONG),
        }
        for number, line in enumerate(objects(doc.get("line_items"))[:_MAX_LINES])
    ]  # fmt: skip


def _buyer(doc: Doc) -> Who:
    """Whom an order or a checkout is about; a guest, or nobody at a till."""
    customer, billing = maybe_object(doc.get("customer")), maybe_object(doc.get("billing_address"))
    notes = doc.get("note_attributes")
    return Who(
        email=first((email(doc.get("email")), email(doc.get("contact_email")), email(customer.get("email")))),
        phone=first((phone(doc.get("phone")), phone(customer.get("phone")))),
        first_name=first((text(customer.get("first_name")), text(billing.get("first_name")))),
        last_name=first((text(customer.get("last_name")), text(billing.get("last_name")))),
        address=_address(billing),
        shop_customer_id=identifier(customer.get("id")),
        loyalty_card=attribute(notes, "loyalty_card") or _card(customer),
        anonymous_id=attribute(notes, "anonymous_id"),
    )


def _address(doc: Doc) -> dict[str, str]:
    return address(doc, city="city", postalCode="zip", state="province_code", country="country_code")


def _card(customer: Doc) -> str | None:
    return attribute(customer.get("metafields"), "loyalty_card", label="key")


def _answers(customer: Doc) -> dict[str, tuple[str | None, datetime | None]]:
    found = {}
    for channel in ("email", "sms"):
        given = maybe_object(customer.get(f"{channel}_marketing_consent"))
        at = maybe_instant(given.get("consent_updated_at"), f"{channel}_marketing_consent.consent_updated_at")
        found[channel] = (_CONSENTS.get(str(given.get("state")).lower()), at)
    return found


def _order_consents(customer: Doc) -> dict[str, Any]:
    return build.consents_of(_answers(customer))


def _refund(delivery: Delivery, doc: Doc) -> list[Event]:
    """A refund knows its order's id and nobody's name. The order's own snapshot, which Shopify sends as well, holds
    every refund and is what revenue is counted from; this is kept beside it."""
    order_id = key(doc, "order_id")
    codes = {given for item in objects(doc.get("transactions")) if isinstance(given := item.get("currency"), str)}
    properties: dict[str, Any] = {"order_id": order_id, "refund_id": key(doc)}
    if len(codes) == 1:
        code = currency(codes.pop())
        properties |= {"currency": code, "total": float(refunded(doc, code))}
    at = instant(doc.get("processed_at") or doc.get("created_at"), "created_at")
    return [build.track(delivery, "Order Refunded", f"refund:{key(doc)}", at=at, properties=properties)]


def _checkout(delivery: Delivery, doc: Doc) -> list[Event]:
    """A checkout in progress touches the cart; a completed one has become an order, which is told by itself."""
    token = first((identifier(doc.get("token")), identifier(doc.get("id"))))
    if token is None:
        raise BadInputError("bad_shape", "token must be text")
    code = currency(doc.get("currency"))
    done = maybe_instant(doc.get("completed_at"), "completed_at")
    properties: dict[str, Any] = {
        "checkout_id": token,
        "currency": code,
        "total": float(amount(doc.get("total_price"), code, "total_price")),
        "products": build.spelt(_lines(doc, code)),
    }
    if url := text(doc.get("abandoned_checkout_url"), LONG):
        properties["abandoned_checkout_url"] = url
    at = done or instant(doc.get("updated_at") or doc.get("created_at"), "updated_at")
    name = "Checkout Completed" if done else "Checkout Started"
    return [build.track(delivery, name, f"checkout:{token}", at=at, properties=properties, who=_buyer(doc))]


def _fulfilment(delivery: Delivery, doc: Doc) -> list[Event]:
    created = delivery.topic == "fulfillments/create"
    properties = {
        name: value
        for name, value in {
            "order_id": key(doc, "order_id"),
            "fulfillment_id": key(doc),
            "status": text(doc.get("status")),
            "shipment_status": text(doc.get("shipment_status")),
            "tracking_company": text(doc.get("tracking_company")),
            "tracking_number": text(doc.get("tracking_number")),
            "tracking_url": text(doc.get("tracking_url"), LONG),
        }.items()
        if value is not None
    }
    at = instant(doc.get("updated_at") or doc.get("created_at"), "updated_at")
    who = Who(email=email(doc.get("email")))
    name = "Order Fulfilled" if created else "Shipment Updated"
    return [build.track(delivery, name, f"fulfillment:{key(doc)}", at=at, properties=properties, who=who)]


def _customer(delivery: Delivery, doc: Doc) -> list[Event]:
    who = Who(
        email=email(doc.get("email")),
        phone=phone(doc.get("phone")),
        first_name=text(doc.get("first_name")),
        last_name=text(doc.get("last_name")),
        address=_address(maybe_object(doc.get("default_address"))),
        shop_customer_id=key(doc),
        loyalty_card=_card(doc),
    )
    at = instant(doc.get("updated_at") or doc.get("created_at"), "updated_at")
    answers = build.consents_of(_answers(doc))
    return [
        build.identify(delivery, who, f"customer:{key(doc)}", at=at),
        *(
            build.consent(delivery, who, key(doc), channel, said["status"], at=said["at"])
            for channel, said in answers.items()
        ),
    ]


def _product(delivery: Delivery, doc: Doc) -> list[Event]:
    at = instant(doc.get("updated_at") or doc.get("created_at"), "updated_at")
    variants = objects(doc.get("variants"))
    first_variant = variants[0] if variants else {}
    stocks = [variant.get("inventory_quantity") for variant in variants]
    pieces = [stock for stock in stocks if isinstance(stock, int)]
    payload = {
        "product_id": key(doc),
        "name": text(doc.get("title"), LONG),
        "price": price(first_variant.get("price"), delivery.shop_currency, "variants.0.price"),
        "categories": [name for name in (text(doc.get("product_type")), _taxonomy(doc)) if name],
        "brand": text(doc.get("vendor")),
        "sku": text(first_variant.get("sku")),
        "in_stock": any(_can_be_bought(variant) for variant in variants) if variants else None,
        "stock": max(sum(pieces), 0) if pieces else None,
        "image_url": text(maybe_object(doc.get("image")).get("src"), LONG),
        "deleted": doc.get("status", "active") != "active",
    }
    return [build.product(delivery, payload, at=at)]


def _taxonomy(doc: Doc) -> str | None:
    return text(maybe_object(doc.get("category")).get("name"))


def _can_be_bought(variant: Doc) -> bool:
    """Stock that is not counted, or may be oversold, never ends."""
    stock = variant.get("inventory_quantity")
    counted = variant.get("inventory_management") is not None or "inventory_management" not in variant
    return not counted or variant.get("inventory_policy") == "continue" or not isinstance(stock, int) or stock > 0


def _product_deleted(delivery: Delivery, doc: Doc) -> list[Event]:
    return [build.product_deleted(delivery, key(doc), at=delivery.told_at)]


def _privacy(kind: str, orders: str) -> Callable[[Delivery, Doc], list[Event]]:
    def request(delivery: Delivery, doc: Doc) -> list[Event]:
        """Kept whatever is in it: the law asks for an answer to any."""
        customer = maybe_object(doc.get("customer"))
        who = Who(
            email=email(customer.get("email")),
            phone=phone(customer.get("phone")),
            shop_customer_id=identifier(customer.get("id")),
        )
        given = doc.get(orders)
        properties: dict[str, Any] = {
            "shop_id": identifier(doc.get("shop_id")),
            "shop_domain": text(doc.get("shop_domain")),
            "request_id": identifier(maybe_object(doc.get("data_request")).get("id")),
            "order_ids": [found for one in given if (found := identifier(one))] if isinstance(given, list) else [],
        }
        said = {name: value for name, value in properties.items() if value}
        return [build.privacy_request(delivery, kind, who, said)]

    return request


TOPICS: Mapping[str, Callable[[Delivery, Doc], list[Event]]] = {
    **{f"orders/{name}": _order for name in ("create", "updated", "paid", "cancelled", "fulfilled")},
    "orders/partially_fulfilled": _order,
    "refunds/create": _refund,
    **{f"checkouts/{name}": _checkout for name in ("create", "update")},
    **{f"fulfillments/{name}": _fulfilment for name in ("create", "update")},
    **{f"customers/{name}": _customer for name in ("create", "update", "enable", "disable")},
    **{f"products/{name}": _product for name in ("create", "update")},
    "products/delete": _product_deleted,
    "customers/data_request": _privacy(build.DATA_REQUEST, "orders_requested"),
    "customers/redact": _privacy(build.REDACT_CUSTOMER, "orders_to_redact"),
    "shop/redact": _privacy(build.REDACT_SHOP, "orders_to_redact"),
}
"""What is taken. orders/edited is not: its body is no order, and orders/updated tells the same."""
