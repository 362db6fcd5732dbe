"""Hypothesis strategies for events of a few shoppers on a few devices, as messy as real ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from regulars.domain.event_nodes import JOINED, SPLIT
from regulars.domain.events import Event, EventType, Trust, event_id_of
from regulars.domain.identity import NodeKind, node_id
from regulars.domain.instants import to_millis

START = datetime(2026, 3, 1, tzinfo=UTC)
_EVENT_NAMES = (
    "Product Viewed",
    "Product Added",
    "Product Removed",
    "Cart Viewed",
    "Checkout Started",
    "Order Completed",
)

_CATEGORIES = st.sampled_from(["Dresses", "Shoes"])

instants = st.integers(0, 40 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes))


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Any event: browsing, identify, consent, a signed order, or an operator's word, of three users, two addresses,
    two loyalty cards and three browsers."""
    number = draw(st.integers(0, 10**9))
    at = draw(instants)
    kind = draw(st.sampled_from(["track", "track", "page", "identify", "consent", "order", "split"]))
    base: dict[str, Any] = {
        "event_id": event_id_of("web", str(number)),
        "source": "web",
        "message_id": str(number),
        "timestamp": at,
        "received_at": at + timedelta(minutes=draw(st.integers(0, 600))),
        "user_id": draw(st.sampled_from([None, "u1", "u2", "u3"])),
        "anonymous_id": draw(st.sampled_from(["b1", "b2", "b3"])),
    }
    if card := draw(st.sampled_from([None, None, "c1", "c2"])):
        base["context"] = {"externalIds": [{"type": "loyalty_card", "id": card, "collection": "users"}]}
    return Event(**(base | _PARTS[kind](draw, at)))


def _track(draw: st.DrawFn, _at: datetime) -> dict[str, Any]:
    product = {
        "product_id": draw(st.sampled_from("pqr")),
        "price": draw(st.integers(1, 50)),
        "quantity": draw(st.integers(1, 3)),
        "category": draw(st.sampled_from([None, "Dresses", "Shoes"])),
    }
    return {"type": EventType.TRACK, "name": draw(st.sampled_from(_EVENT_NAMES)), "properties": product}


def _page(_draw: st.DrawFn, _at: datetime) -> dict[str, Any]:
    return {"type": EventType.PAGE}


def _identify(draw: st.DrawFn, _at: datetime) -> dict[str, Any]:
    email = draw(st.sampled_from(["ann@example.com", "bob@example.com", "not an address"]))
    said = {"type": EventType.IDENTIFY, "traits": {"email": email, "first_name": draw(st.sampled_from(["Ann", "Bob"]))}}
    if draw(st.booleans()):
        return said
    return said | {"source": "enrichment-example", "context": {"quality": {"party": "third_party"}}}


def _consent(draw: st.DrawFn, _at: datetime) -> dict[str, Any]:
    said = {"channel": draw(st.sampled_from(["email", "sms"])), "status": draw(st.sampled_from(["granted", "denied"]))}
    return {"type": EventType.TRACK, "name": "Consent Updated", "properties": said}


def _order(draw: st.DrawFn, at: datetime) -> dict[str, Any]:
    order = {
        "order_id": draw(st.sampled_from(["o1", "o2", "o3", "o4"])),
        "version": draw(st.integers(1, 4)),
        "status": draw(st.sampled_from(["placed", "paid", "cancelled"])),
        "placed_at": to_millis(at),
        "currency": draw(st.sampled_from(["USD", "EUR"])),
        "total_minor": draw(st.integers(0, 20_000)),
        "refunded_minor": draw(st.integers(0, 500)),
        "channel": draw(st.sampled_from(["online", "store"])),
        "products": [{"product_id": "p", "quantity": 1, "price_minor": 100, "category": draw(_CATEGORIES)}],
    }
    return {"type": EventType.ORDER, "name": "Order Updated", "trust": Trust.SIGNED, "properties": order}


def _split(draw: st.DrawFn, _at: datetime) -> dict[str, Any]:
    pair = [node_id(NodeKind.USER, draw(st.sampled_from(["u1", "u2"]))), node_id(NodeKind.ANONYMOUS, "b1")]
    said = {"name": draw(st.sampled_from([SPLIT, JOINED])), "properties": {"nodes": pair}, "trust": Trust.SYSTEM}
    return {"type": EventType.SYSTEM, "user_id": None, "anonymous_id": None, "context": {}, **said}


_PARTS = {"split": _split, "track": _track, "page": _page, "identify": _identify, "consent": _consent, "order": _order}

distinct_events = st.lists(events(), max_size=25, unique_by=lambda event: event.event_id)
