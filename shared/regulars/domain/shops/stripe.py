"""Stripe's events as canonical events.

An order is a payment: its id is the payment intent's, whichever object tells of it, so a checkout session, its payment
and its charge are one order and never three. An invoice is an order only where it was paid outside of Stripe; every
other one has a payment of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal

from regulars.domain.errors import BadInputError
from regulars.domain.events import Event
from regulars.domain.shops import delivery as build
from regulars.domain.shops.delivery import UNKNOWN_TOPIC, Delivery, Who
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
    maybe_object,
    phone,
    text,
)

# Stripe, "Supported currencies": zero-decimal and three-decimal ones. ISK and UGX have no minor unit either, and are
# written with two zeros all the same; MGA is counted in ariary.
_WHOLE = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split())  # noqa: SIM905
_THOUSANDTHS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})


def translate(delivery: Delivery) -> list[Event]:
    """The events of one of Stripe's events. Raises BadInputError: `unknown_topic`, or what is wrong with it."""
    translator = build.of_topic(delivery, TOPICS)
    document = an_object(delivery.document)
    told = an_object(maybe_object(document.get("data")).get("object"), "data.object")
    return translator(delivery, told, instant(document.get("created"), "created"))


def money(minor: object, code: str, path: str) -> Decimal:
    """The amount that Stripe writes in its own minor units. Raises BadInputError `bad_amount`."""
    if minor is None:
        return Decimal(0)
    if not isinstance(minor, int) or isinstance(minor, bool):
        raise BadInputError("bad_amount", f"{path} must be a whole number of minor units")
    digits = 0 if code in _WHOLE else 3 if code in _THOUSANDTHS else 2
    return amount(Decimal(minor).scaleb(-digits), code, path)


def _id(value: object) -> str | None:
    """The id of an object, which may be there whole (expanded) or by its id."""
    return identifier(value.get("id") if isinstance(value, dict) else value)


def _who(doc: Doc, details: Doc) -> Who:
    """`details`: what the shopper wrote at the checkout; `doc.metadata`: what the shop's own server knows."""
    metadata = maybe_object(doc.get("metadata"))
    name, written = text(details.get("name")), maybe_object(details.get("address"))
    return Who(
        user_id=identifier(metadata.get("user_id")),
        email=first((email(details.get("email")), email(doc.get("receipt_email")))),
        phone=phone(details.get("phone")),
        address=address(written, city="city", postalCode="postal_code", state="state", country="country"),
        shop_customer_id=_id(doc.get("customer")),
        loyalty_card=identifier(metadata.get("loyalty_card")),
        anonymous_id=identifier(metadata.get("anonymous_id")),
        others={"name": name} if name else {},
    )


def _payment(delivery: Delivery, doc: Doc, at: datetime) -> list[Event]:
    code = currency(doc.get("currency"))
    charge = maybe_object(doc.get("latest_charge"))
    received = doc.get("amount_received")
    payload = {
        "order_id": key(doc),
        "placed_at": instant(doc.get("created"), "data.object.created"),
        "updated_at": at,
        "status": "paid",
        "currency": code,
        "total": money(doc.get("amount") if received is None else received, code, "data.object.amount_received"),
    }
    return [build.order(delivery, _who(doc, maybe_object(charge.get("billing_details"))), {}, payload)]


def _charge(delivery: Delivery, doc: Doc, at: datetime) -> list[Event]:
    if doc.get("captured") is False:
        # Money is only reserved. Nothing that is taken here would tell that the reservation ran out; that the money
        # came, payment_intent.succeeded and charge.captured do.
        raise BadInputError(UNKNOWN_TOPIC, "a charge that is authorised and not captured")
    code = currency(doc.get("currency"))
    captured = doc.get("amount_captured")
    card = maybe_object(doc.get("payment_method_details")).get("type")
    payload = {
        "order_id": _id(doc.get("payment_intent")) or key(doc),
        "placed_at": instant(doc.get("created"), "data.object.created"),
        "updated_at": at,
        "status": "refunded" if doc.get("refunded") is True else "paid",
        "currency": code,
        "total": money(doc.get("amount") if captured is None else captured, code, "data.object.amount"),
        "refunded": money(doc.get("amount_refunded"), code, "data.object.amount_refunded"),
        "channel": "store" if card == "card_present" else "online",
    }
    return [build.order(delivery, _who(doc, maybe_object(doc.get("billing_details"))), {}, payload)]


def _session(delivery: Delivery, doc: Doc, at: datetime) -> list[Event]:
    who = _who(doc, maybe_object(doc.get("customer_details")))
    payment = _id(doc.get("payment_intent"))
    failed = delivery.topic == "checkout.session.async_payment_failed"
    if payment is None:  # a subscription's, whose invoice has a payment of its own; or nothing was to be paid
        name = "Checkout Payment Failed" if failed else "Checkout Completed"
        properties = {"checkout_id": key(doc), "mode": text(doc.get("mode")) or "payment"}
        return [build.track(delivery, name, f"session:{key(doc)}", at=at, properties=properties, who=who)]
    code = currency(doc.get("currency"))
    details = maybe_object(doc.get("total_details"))
    payload = {
        "order_id": payment,
        "placed_at": instant(doc.get("created"), "data.object.created"),
        "updated_at": at,
        "status": "cancelled" if failed else "placed" if doc.get("payment_status") == "unpaid" else "paid",
        "currency": code,
        "total": money(doc.get("amount_total"), code, "data.object.amount_total"),
        "discount": money(details.get("amount_discount"), code, "data.object.total_details.amount_discount"),
        "shipping": money(details.get("amount_shipping"), code, "data.object.total_details.amount_shipping"),
        "tax": money(details.get("amount_tax"), code, "data.object.total_details.amount_tax"),
    }
    return [build.order(delivery, who, {}, payload)]


def _invoice(delivery: Delivery, doc: Doc, at: datetime) -> list[Event]:
    code = currency(doc.get("currency"))
    paid = money(doc.get("amount_paid"), code, "data.object.amount_paid")
    details = {name: doc.get(f"customer_{name}") for name in ("email", "phone", "name", "address")}
    who = _who(doc, details)
    properties = {
        "invoice_id": key(doc),
        "currency": code,
        "total": float(paid),
        "billing_reason": text(doc.get("billing_reason")),
        "subscription_id": _id(doc.get("subscription")),
    }
    said = {name: value for name, value in properties.items() if value is not None}
    events = [build.track(delivery, "Invoice Paid", f"invoice:{key(doc)}", at=at, properties=said, who=who)]
    if doc.get("paid_out_of_band") is True:
        payload = {
            "order_id": key(doc),
            "placed_at": instant(doc.get("created"), "data.object.created"),
            "updated_at": at,
            "status": "paid",
            "currency": code,
            "total": money(doc.get("total"), code, "data.object.total"),
        }
        events.append(build.order(delivery, who, {}, payload))
    return events


def _customer(delivery: Delivery, doc: Doc, at: datetime) -> list[Event]:
    who = _who({**doc, "customer": doc.get("id")}, doc)
    if delivery.topic == "customer.deleted":
        return [build.customer_deleted(delivery, who, key(doc), at=at)]
    return [build.identify(delivery, who, f"customer:{key(doc)}", at=at)]


def _subscription(delivery: Delivery, doc: Doc, at: datetime) -> list[Event]:
    happened = {"created": "Started", "updated": "Updated", "deleted": "Ended"}[delivery.topic.rpartition(".")[2]]
    properties = {"subscription_id": key(doc), "status": text(doc.get("status")) or "unknown"}
    name, resource = f"Subscription {happened}", f"subscription:{key(doc)}"
    return [build.track(delivery, name, resource, at=at, properties=properties, who=_who(doc, {}))]


def _product(delivery: Delivery, doc: Doc, at: datetime) -> list[Event]:
    images = doc.get("images")
    payload = {
        "product_id": key(doc),
        "name": text(doc.get("name"), LONG),
        "url": text(doc.get("url"), LONG),
        "image_url": text(images[0], LONG) if isinstance(images, list) and images else None,
        "deleted": doc.get("active") is False or delivery.topic == "product.deleted",
    }
    return [build.product(delivery, payload, at=at)]


TOPICS: Mapping[str, Callable[[Delivery, Doc, datetime], list[Event]]] = {
    "payment_intent.succeeded": _payment,
    "charge.succeeded": _charge,
    "charge.captured": _charge,
    "charge.refunded": _charge,
    "checkout.session.completed": _session,
    "checkout.session.async_payment_succeeded": _session,
    "checkout.session.async_payment_failed": _session,
    "invoice.paid": _invoice,
    "invoice.payment_succeeded": _invoice,
    **{f"customer.{name}": _customer for name in ("created", "updated", "deleted")},
    **{f"customer.subscription.{name}": _subscription for name in ("created", "updated", "deleted")},
    **{f"product.{name}": _product for name in ("created", "updated", "deleted")},
}
