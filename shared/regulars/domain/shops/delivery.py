"""One delivery of a shop system, and the canonical events that it becomes.

What a delivery becomes depends on its content alone: an event's message id ends with a hash over what it says. So a
delivery that comes again (a retry, a second subscription, another topic with the same body) is the same event, and two
states of a resource within one second, which is as fine as shops count, are two.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from regulars.domain.errors import BadInputError
from regulars.domain.event_nodes import external_ids
from regulars.domain.events import CONSENT_UPDATED, MAX_MESSAGE_ID_CHARS, Event, EventType, Trust, event_id_of
from regulars.domain.instants import to_millis
from regulars.domain.json_text import content_hash
from regulars.domain.orders_payload import OrderPayload, event_of_order, order_of
from regulars.domain.products import product_event
from regulars.domain.products_payload import product_of_payload
from regulars.domain.statements import DENIED, GRANTED

PRIVACY_REQUEST = "Privacy Request Received"
DATA_REQUEST, REDACT_CUSTOMER, REDACT_SHOP = "data_request", "redact_customer", "redact_shop"
UNKNOWN_TOPIC = "unknown_topic"
_T = TypeVar("_T")
_HASH_DIGITS = 16
_PROGRESS = {"placed": 0, "paid": 1, "fulfilled": 2, "refunded": 20, "cancelled": 30}
_REFUNDED_IN_PART = 10
"""How far an order has come, in milliseconds that shops do not use: of two states of one second the further counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A verified webhook: `topic` in the shop's own words, `document` its parsed body (decimals as Decimal).

    `sent_at`: when the shop triggered it, where it says so. `delivery_id`: the shop's id of it, kept to be traced.
    `shop_currency`: the currency of prices that name none, None where the operator has not said.
    """

    source: str
    topic: str
    document: Any
    received_at: datetime
    sent_at: datetime | None = None
    delivery_id: str | None = None
    shop_currency: str | None = None

    @property
    def told_at(self) -> datetime:
        """When the shop told us: the same for each retry where the shop says so."""
        return min(self.sent_at or self.received_at, self.received_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Whom an event is about, as far as the shop says; all of it may be absent. `address`: parts of Segment's."""

    user_id: str | None = None
    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    address: Mapping[str, str] = field(default_factory=dict)
    shop_customer_id: str | None = None
    loyalty_card: str | None = None
    anonymous_id: str | None = None
    others: Mapping[str, Any] = field(default_factory=dict)

    def traits(self) -> dict[str, Any]:
        """What is known of the person, as traits."""
        named = {
            name: value
            for name in ("email", "phone", "first_name", "last_name")
            if (value := getattr(self, name)) is not None
        }
        return {**self.others, **named, **({"address": dict(self.address)} if self.address else {})}


def of_topic(delivery: Delivery, topics: Mapping[str, _T]) -> _T:
    """What is done with the delivery's topic. Raises BadInputError `unknown_topic` where nobody takes it."""
    found = topics.get(delivery.topic)
    if found is None:
        raise BadInputError(UNKNOWN_TOPIC, "a topic that is not taken")
    return found


def order(delivery: Delivery, who: Who, consents: Mapping[str, Any], payload: Mapping[str, Any]) -> Event:
    """The event of an order snapshot; `payload` has the fields of OrderPayload but for the customer.

    Its version is made of `updated_at` (a datetime) and of how far the order has come: shops count in whole seconds,
    and within one an order may be placed, paid and given back. Raises BadInputError.
    """
    progress = _PROGRESS[payload["status"]] + (_REFUNDED_IN_PART if payload.get("refunded") else 0)
    version = to_millis(payload["updated_at"]) + progress
    checked: OrderPayload = order_of(
        {
            **payload,
            "version": version,
            "anonymous_id": who.anonymous_id,
            "customer": {
                "user_id": who.user_id,
                "email": who.email,
                "phone": who.phone,
                "first_name": who.first_name,
                "last_name": who.last_name,
                "loyalty_card": who.loyalty_card,
                "shop_customer_id": who.shop_customer_id,
                "marketing_consent": consents,
            },
        }
    )
    event = event_of_order(checked, source=delivery.source, received_at=delivery.received_at, more_traits=who.traits())
    return _distinct(_traced(event, delivery))


def track(
    delivery: Delivery, name: str, resource: str, *, at: datetime, properties: Mapping[str, Any], who: Who | None = None
) -> Event:
    """A typed event about `resource` (`refund:17`), which happened at `at`."""
    return _event(delivery, EventType.TRACK, name, resource, at=at, properties=properties, who=who or Who())


def identify(delivery: Delivery, who: Who, resource: str, *, at: datetime) -> Event:
    """What the shop knows of a person."""
    return _event(delivery, EventType.IDENTIFY, None, resource, at=at, properties={}, who=who)


def consent(delivery: Delivery, who: Who, resource: str, channel: str, status: str, *, at: datetime) -> Event:
    """What a person answered to marketing on a channel, at the instant of the answer.

    It is about the person only, so the same answer is the same event however often the shop repeats it.
    """
    properties = {"channel": channel, "status": status, "source": delivery.source}
    names = replace(who, first_name=None, last_name=None, address={}, others={})
    return track(delivery, CONSENT_UPDATED, f"consent:{channel}:{resource}", at=at, properties=properties, who=names)


def privacy_request(delivery: Delivery, kind: str, who: Who, properties: Mapping[str, Any]) -> Event:
    """A legal demand that the shop passes on. It changes no profile: it is kept for who carries it out."""
    said = {"kind": kind, **properties}
    return _event(
        delivery, EventType.SYSTEM, PRIVACY_REQUEST, f"privacy:{kind}", at=delivery.told_at, properties=said, who=who
    )


def product(delivery: Delivery, payload: Mapping[str, Any], *, at: datetime) -> Event:
    """The event of a product snapshot; `payload` has the fields of ProductSnapshot. A price is left out where neither
    the shop nor the operator names its currency."""
    money = payload.get("currency") or delivery.shop_currency
    known = payload if money else {**payload, "price": None}
    told = product_of_payload({**known, "updated_at": at}, currency=money)
    event = product_event(told, source=delivery.source, received_at=delivery.received_at, trust=Trust.SIGNED, at=at)
    return _distinct(_traced(event, delivery))


def product_deleted(delivery: Delivery, product_id: str, *, at: datetime) -> Event:
    """The event of a product that is sold no more."""
    return product(delivery, {"product_id": product_id, "deleted": True}, at=at)


def customer_deleted(delivery: Delivery, who: Who, number: str, *, at: datetime) -> Event:
    """The event of a customer whom the shop has deleted under its `number`."""
    return track(delivery, "Customer Deleted", f"deleted:customer:{number}", at=at, properties={}, who=who)


def spelt(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Lines as Segment's events have them: the price as a number, nothing where there is nothing."""
    return [
        {name: float(said) if name == "price" else said for name, said in line.items() if said is not None}
        for line in lines
    ]


def consents_of(answers: Mapping[str, tuple[str | None, datetime | None]]) -> dict[str, Any]:
    """Answers by channel as an order carries them; one without an instant is none: nobody knows what it came after."""
    return {
        channel: {"status": status, "at": at}
        for channel, (status, at) in answers.items()
        if status in (GRANTED, DENIED) and at is not None
    }


def _event(
    delivery: Delivery, kind: EventType, name: str | None, resource: str, *, at: datetime,
    properties: Mapping[str, Any], who: Who,
) -> Event:  # fmt: skip
    if at > delivery.received_at + timedelta(days=1):
        raise BadInputError("bad_instant", "it lies more than a day in the future")
    others = external_ids(delivery.source, {"loyalty_card": who.loyalty_card, "shop_customer_id": who.shop_customer_id})
    traits, said = who.traits(), dict(properties)
    event = Event(
        event_id="",
        source=delivery.source,
        message_id=resource,
        type=kind,
        name=name,
        user_id=who.user_id,
        anonymous_id=who.anonymous_id,
        timestamp=min(at, delivery.received_at),
        original_timestamp=at,
        received_at=delivery.received_at,
        trust=Trust.SIGNED,
        payload_hash=content_hash(
            [kind, name, resource, to_millis(at), who.user_id, who.anonymous_id, others, said, traits]
        ),
        context={"externalIds": others} if others else {},
        properties=said,
        traits=traits,
    )
    return _distinct(_traced(event, delivery))


def _traced(event: Event, delivery: Delivery) -> Event:
    """With the delivery that told it, beside what it says: the context is not part of an event's identity."""
    webhook = {"topic": delivery.topic}
    if delivery.delivery_id:
        webhook["id"] = delivery.delivery_id
    return replace(event, context={**event.context, "webhook": webhook})


def _distinct(event: Event) -> Event:
    """Under a message id of its own content."""
    message_id = f"{event.message_id}:{event.payload_hash[:_HASH_DIGITS]}"
    if len(message_id) > MAX_MESSAGE_ID_CHARS:
        message_id = hashlib.sha256(message_id.encode()).hexdigest()
    return replace(event, message_id=message_id, event_id=event_id_of(event.source, message_id))
