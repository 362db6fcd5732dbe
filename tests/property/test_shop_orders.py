"""Whatever becomes of an order, in whatever order and however often its webhooks come, it is counted once and right."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from regulars.domain.events import Event
from regulars.domain.facts import fact_of
from regulars.domain.instants import iso
from regulars.domain.json_text import strict_json
from regulars.domain.orders import OrderBook
from regulars.domain.shops import shopify, stripe, woocommerce
from regulars.domain.shops.delivery import Delivery
from tests.collecting import NOW
from tests.webhooks import SHOPIFY_ORDER, STRIPE_SESSION, WOOCOMMERCE_ORDER, stripe_event

PLACED = NOW - timedelta(hours=6)
TOTAL = 9_900


def folded(events: list[Event]) -> OrderBook:
    book = OrderBook()
    for event in events:
        fact = fact_of(event, currency="EUR")
        if fact is not None and fact.order:
            book, _ = book.with_entries([fact.order])
    return book


def delivery(source: str, topic: str, document: dict[str, Any]) -> Delivery:
    return Delivery(
        source=source, topic=topic, document=strict_json(json.dumps(document, default=float).encode()), received_at=NOW
    )


class History(NamedTuple):
    """Refunds of one order as they were made, in minor units, and whether it is cancelled then."""

    refunds: list[int]
    cancelled: bool


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Refunds are together at most the order's total."""
    kept: list[int] = []
    for refund in draw(st.lists(st.integers(1, TOTAL), max_size=4)):
        if sum(kept) + refund <= TOTAL:
            kept.append(refund)
    return History(kept, draw(st.booleans()))


def text(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02}"


def shopify_deliveries(history: History) -> list[Delivery]:
    """Each state of the order by each topic that tells it, and each refund by itself."""
    refunds = history.refunds
    made: list[Delivery] = []
    given: list[dict[str, Any]] = []
    states = [("pending", None), ("paid", None), *(("partially_refunded", refund) for refund in refunds)]
    for number, (money, refund) in enumerate(states):
        at = iso(PLACED + timedelta(seconds=max(number - 1, 0)))  # placed and paid within one second
        if refund is not None:
            transaction = {"kind": "refund", "status": "success", "amount": text(refund), "currency": "EUR"}
            given.append(
                {"id": number, "order_id": SHOPIFY_ORDER["id"], "created_at": at, "transactions": [transaction]}
            )
            made.append(delivery("shopify", "refunds/create", given[-1]))
        order = {
            **SHOPIFY_ORDER, "created_at": iso(PLACED), "processed_at": iso(PLACED), "updated_at": at,
            "financial_status": money, "refunds": list(given),
            "current_total_price": text(TOTAL - sum(refunds[: len(given)])),
        }  # fmt: skip
        made += [delivery("shopify", topic, order) for topic in ("orders/updated", "orders/paid")]
    if history.cancelled:
        at = iso(PLACED + timedelta(minutes=5))
        made.append(delivery("shopify", "orders/cancelled", {**order, "updated_at": at, "cancelled_at": at}))
    return made


def woocommerce_deliveries(history: History) -> list[Delivery]:
    def at(minute: int) -> str:
        return iso(PLACED + timedelta(minutes=minute))[:19]

    refunds = history.refunds
    base = {**WOOCOMMERCE_ORDER, "total": text(TOTAL), "date_created_gmt": at(0)}
    made = [
        delivery("woocommerce", "order.updated", {**base, "status": status, "date_modified_gmt": at(0)})
        for status in ("pending", "processing")
    ]
    for number in range(len(refunds)):
        given = [{"id": n, "total": "-" + text(refund)} for n, refund in enumerate(refunds[: number + 1])]
        made.append(
            delivery("woocommerce", "order.updated", {**base, "refunds": given, "date_modified_gmt": at(number + 1)})
        )
    if history.cancelled:
        gone = {**made[-1].document, "status": "cancelled", "date_modified_gmt": at(30)}
        made.append(delivery("woocommerce", "order.updated", gone))
    return made


def stripe_deliveries(history: History) -> list[Delivery]:
    refunds = history.refunds
    at = int(PLACED.timestamp())
    payment = {"id": "pi_1", "amount_received": TOTAL, "currency": "eur", "created": at, "customer": "cus_1"}
    charge = {**payment, "id": "ch_1", "payment_intent": "pi_1", "amount": TOTAL, "amount_captured": TOTAL}
    bodies = [
        {**STRIPE_SESSION, "created": at},
        stripe_event("payment_intent.succeeded", payment, created=at),
        stripe_event("charge.succeeded", charge, created=at),
    ]
    for number in range(len(refunds)):
        told = {**charge, "amount_refunded": sum(refunds[: number + 1])}
        bodies.append(stripe_event("charge.refunded", told, created=at + number))
    return [delivery("stripe", body["type"], body) for body in bodies]


KINDS = {
    "shopify": (shopify_deliveries, shopify.translate),
    "woocommerce": (woocommerce_deliveries, woocommerce.translate),
    "stripe": (stripe_deliveries, stripe.translate),
}


@settings(max_examples=100, deadline=None)
@given(st.data(), st.sampled_from(sorted(KINDS)), histories())
def test_shuffled_and_repeated_deliveries_give_the_same_order(data: st.DataObject, kind: str, history: History) -> None:
    made, translate = KINDS[kind]
    deliveries = made(history)
    events = [event for one in deliveries for event in translate(one)]
    again = data.draw(st.lists(st.sampled_from(events), max_size=5))
    shuffled = data.draw(st.permutations([*events, *again]))
    book = folded(shuffled)
    (entry,) = book.entries.values()
    assert entry.net_minor == (0 if history.cancelled and kind != "stripe" else TOTAL - sum(history.refunds))
    assert entry.total_minor == TOTAL
    halves = folded(shuffled[::2]).merged(folded(shuffled[1::2]))
    assert halves.entries == book.entries


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(KINDS)), histories(), st.timedeltas(timedelta(0), timedelta(hours=4)))
def test_a_delivery_that_comes_again_later_is_the_same_event(kind: str, history: History, later: timedelta) -> None:
    """Whenever it comes: an event's id and content hang on what the shop says alone."""
    made, translate = KINDS[kind]

    def told(received_at: datetime) -> list[tuple[str, str]]:
        deliveries = [
            Delivery(source=one.source, topic=one.topic, document=one.document, received_at=received_at)
            for one in made(history)
        ]
        return [(event.event_id, event.payload_hash) for one in deliveries for event in translate(one)]

    assert told(NOW) == told(NOW + later)
