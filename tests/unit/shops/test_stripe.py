"""Stripe's events as canonical events."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from regulars.domain.errors import BadInputError
from regulars.domain.event_nodes import nodes_of
from regulars.domain.events import EventType
from regulars.domain.facts import fact_of
from regulars.domain.orders import OrderBook
from regulars.domain.shops.stripe import money
from tests.webhooks import STRIPE_SESSION, Shops, stripe_event

PAYMENT: dict[str, Any] = {
    "id": "pi_1", "object": "payment_intent", "amount": 9900, "amount_received": 9900, "currency": "eur",
    "created": 1795339600, "customer": "cus_1", "latest_charge": "ch_1", "metadata": {"user_id": "c-42"},
}  # fmt: skip
CHARGE: dict[str, Any] = {
    "id": "ch_1", "object": "charge", "amount": 9900, "amount_captured": 9900, "amount_refunded": 2000,
    "currency": "eur", "created": 1795339601, "payment_intent": "pi_1", "customer": {"id": "cus_1"}, "refunded": False,
    "billing_details": {"email": "ada@example.com", "name": "Ada Example", "phone": None, "address": {"country": "DE"}},
    "metadata": {},
}  # fmt: skip
SUCCEEDED = stripe_event("payment_intent.succeeded", PAYMENT, created=1795339699)
REFUNDED = stripe_event("charge.refunded", CHARGE, created=1795339750)


def book_of(events: list[Any]) -> OrderBook:
    book = OrderBook()
    for event in events:
        fact = fact_of(event, currency="EUR")
        if fact is not None and fact.order:
            book, _ = book.with_entries([fact.order])
    return book


def test_a_checkout_is_the_order_of_its_payment() -> None:
    (event,) = Shops().told("stripe", STRIPE_SESSION)
    assert (event.type, event.user_id, event.anonymous_id) == (EventType.ORDER, "c-42", "b3f1")
    assert event.traits == {"email": "ada@example.com", "name": "Ada Example", "address": {"country": "DE"}}
    assert event.context["externalIds"][0]["id"] == "stripe:cus_1"
    assert event.properties == {
        "order_id": "pi_1",
        "version": 1_795_339_700_001,
        "status": "paid",
        "placed_at": 1_795_339_600_000,
        "currency": "EUR",
        "total_minor": 9900,
        "refunded_minor": 0,
        "discount_minor": 500,
        "shipping_minor": 490,
        "tax_minor": 1580,
        "coupons": [],
        "channel": "online",
        "products": [],
    }


def test_the_objects_of_one_payment_are_one_order_in_any_order() -> None:
    for bodies in permutations([STRIPE_SESSION, SUCCEEDED, REFUNDED, SUCCEEDED]):
        shops = Shops()
        book = book_of([event for body in bodies for event in shops.told("stripe", body)])
        assert [(entry.total_minor, entry.net_minor) for entry in book.entries.values()] == [(9900, 7900)]


def test_a_charge_without_a_payment_intent_is_its_own_order() -> None:
    (event,) = Shops().told("stripe", stripe_event("charge.succeeded", {**CHARGE, "payment_intent": None}))
    assert event.properties["order_id"] == "ch_1"


@pytest.mark.parametrize("payment", ["pi_1", None])
def test_money_that_is_only_reserved_is_no_order_until_it_is_captured(payment: str | None) -> None:
    """Neither when it is authorised nor when the authorisation is released, which Stripe tells as a refund."""
    authorised = {**CHARGE, "payment_intent": payment, "captured": False, "amount_captured": 0, "amount_refunded": 0}
    released = {**authorised, "amount_refunded": 9900, "refunded": True}
    captured = {**authorised, "captured": True, "amount_captured": 9900}
    shops = Shops()
    for body in (stripe_event("charge.succeeded", authorised), stripe_event("charge.refunded", released)):
        reply = shops.post("stripe", body)
        assert (reply.status, reply.counters, shops.stored()) == (200, {"WebhooksNotTaken": 1}, ([], []))
    book = book_of(shops.told("stripe", stripe_event("charge.captured", captured, created=1795339750)))
    assert [(entry.status, entry.net_minor) for entry in book.entries.values()] == [("paid", 9900)]


def test_a_card_at_the_till_is_a_store() -> None:
    body = stripe_event("charge.succeeded", {**CHARGE, "payment_method_details": {"type": "card_present"}})
    assert Shops().told("stripe", body)[0].properties["channel"] == "store"


@pytest.mark.parametrize(
    ("code", "minor", "ours"),
    [("eur", 1234, 1234), ("jpy", 1234, 1234), ("kwd", 1230, 1230), ("isk", 123400, 1234), ("ugx", 123400, 1234),
     ("mga", 1234, 123400), ("clp", 1234, 1234)],
)  # fmt: skip
def test_stripes_minor_units_are_not_always_those_of_iso_4217(code: str, minor: int, ours: int) -> None:
    """ISK and UGX are written with two zeros that they do not have; MGA without the two that it has."""
    body = stripe_event("payment_intent.succeeded", {**PAYMENT, "currency": code, "amount_received": minor})
    assert Shops().told("stripe", body)[0].properties["total_minor"] == ours


@pytest.mark.parametrize("amount", ["1234", 12.5, True, [1], 10**20])
def test_an_amount_that_is_no_whole_number_is_refused(amount: object) -> None:
    with pytest.raises(BadInputError, match="bad_amount"):
        money(amount, "EUR", "amount")


def test_an_invoice_is_told_and_is_no_second_order_unless_it_was_paid_elsewhere() -> None:
    invoice = {
        "id": "in_1", "amount_paid": 1000, "total": 1000, "currency": "usd", "created": 1795339600,
        "customer": "cus_1", "customer_email": "ada@example.com", "customer_name": "Ada", "subscription": "sub_1",
        "billing_reason": "subscription_cycle", "payment_intent": "pi_9",
    }  # fmt: skip
    shops = Shops()
    (event,) = shops.told("stripe", stripe_event("invoice.paid", invoice))
    assert (event.type, event.name, len(nodes_of(event))) == (EventType.TRACK, "Invoice Paid", 2)
    assert event.properties == {
        "invoice_id": "in_1", "currency": "USD", "total": 10.0, "billing_reason": "subscription_cycle",
        "subscription_id": "sub_1",
    }  # fmt: skip
    (same,) = shops.told("stripe", stripe_event("invoice.payment_succeeded", invoice))
    assert same.event_id == event.event_id
    told = shops.told("stripe", stripe_event("invoice.paid", {**invoice, "paid_out_of_band": True, "amount_paid": 0}))
    assert [one.type for one in told] == [EventType.TRACK, EventType.ORDER]
    assert told[1].properties["order_id"] == "in_1"


def test_a_subscriptions_checkout_is_no_order_of_its_own() -> None:
    session = {**STRIPE_SESSION["data"]["object"], "payment_intent": None, "mode": "subscription"}
    (event,) = Shops().told("stripe", stripe_event("checkout.session.completed", session))
    assert (event.type, event.name, event.properties["mode"]) == (EventType.TRACK, "Checkout Completed", "subscription")


def test_a_delayed_payment_is_placed_and_then_paid_or_cancelled() -> None:
    session = {**STRIPE_SESSION["data"]["object"], "payment_status": "unpaid"}
    shops = Shops()
    (placed,) = shops.told("stripe", stripe_event("checkout.session.completed", session))
    (failed,) = shops.told("stripe", stripe_event("checkout.session.async_payment_failed", session, created=1795339760))
    assert (placed.properties["status"], failed.properties["status"]) == ("placed", "cancelled")


def test_customers_subscriptions_and_products() -> None:
    shops = Shops()
    customer: dict[str, Any] = {"id": "cus_1", "email": "ada@example.com", "name": "Ada", "phone": None, "metadata": {}}
    (identify,) = shops.told("stripe", stripe_event("customer.updated", customer))
    assert (identify.type, len(nodes_of(identify)), identify.traits["name"]) == (EventType.IDENTIFY, 2, "Ada")
    (gone,) = shops.told("stripe", stripe_event("customer.deleted", customer))
    assert gone.name == "Customer Deleted"
    names = []
    for happened in ("created", "updated", "deleted"):
        told = {"id": "sub_1", "status": "active", "customer": "cus_1"}
        names += [one.name for one in shops.told("stripe", stripe_event(f"customer.subscription.{happened}", told))]
    assert names == ["Subscription Started", "Subscription Updated", "Subscription Ended"]
    (product,) = shops.told("stripe", stripe_event("product.updated", {"id": "prod_1", "name": "Box", "active": False}))
    assert product.properties["deleted"] is True


def test_events_that_nobody_takes_are_answered_200_and_those_without_a_type_are_bad_rows() -> None:
    shops = Shops()
    assert shops.post("stripe", stripe_event("plan.created", {})).counters == {"WebhooksNotTaken": 1}
    for body in ({}, {"type": None}, {"type": "charge.refunded"}, stripe_event("charge.refunded", {"id": "ch"})):
        assert shops.post("stripe", body).counters["BadRows"] == 1
