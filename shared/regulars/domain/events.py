"""The canonical event: what every protocol is normalised to, what SQS carries and what the lake keeps.

Field names and meanings follow Segment's common fields (Spec: Common) and its e-commerce event names (v2).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any

from regulars.domain.instants import from_millis, to_millis
from regulars.domain.values import value

SCHEMA_VERSION = 1
MAX_MESSAGE_ID_CHARS = 100
MAX_VERSION = 2**53 - 1
"""The highest version of an order or a product: the largest integer that every reader of JSON keeps exactly."""
SOURCE_NAME = re.compile(r"[a-z0-9][a-z0-9_\-]{0,63}")
"""What a source may be called (the whole of it): it stands in URLs, and its secret is called after it."""
CONSENT_UPDATED = "Consent Updated"
_NO_TIME = timedelta(0)


class EventType(StrEnum):
    """Segment's six calls, `order` and `product` (a snapshot of one of them, from a source that is believed) and
    `system` (Regulars' own facts, with trust `system`; and with trust `signed` a shop's request for the sake of
    somebody's privacy, which is no fact of the customer's)."""

    TRACK = "track"
    IDENTIFY = "identify"
    PAGE = "page"
    SCREEN = "screen"
    GROUP = "group"
    ALIAS = "alias"
    ORDER = "order"
    PRODUCT = "product"
    SYSTEM = "system"


class Trust(StrEnum):
    """How far an event is believed.

    `public`: sent with a write key that anyone can read in a page, so never revenue; `signed`: its sender proved a
    shared secret; `imported`: an operator's import, believed, and history, so it starts no campaign; `system`: made by
    Regulars itself.
    """

    PUBLIC = "public"
    SIGNED = "signed"
    IMPORTED = "imported"
    SYSTEM = "system"


# Members under names of their own: up to Python 3.11, to look one up in its class costs as much as a call.
TRACK, IDENTIFY, PAGE, SCREEN = EventType.TRACK, EventType.IDENTIFY, EventType.PAGE, EventType.SCREEN
GROUP, ALIAS, ORDER, SYSTEM = EventType.GROUP, EventType.ALIAS, EventType.ORDER, EventType.SYSTEM
PRODUCT = EventType.PRODUCT
PUBLIC, IMPORTED, BY_SYSTEM = Trust.PUBLIC, Trust.IMPORTED, Trust.SYSTEM


@value(frozen=True, slots=True)
class Event:
    """One canonical event.

    `event_id` is the deduplication key (see `event_id_of`). `timestamp` is when it happened, corrected for the client's
    clock and never after `received_at`. `properties` holds the canonical document of an `order` or a `product`
    (regulars.domain.products.Product.to_doc), and `groupId`/`previousId` for those calls. `bot` names why ingest takes
    the sender for a machine.
    """

    event_id: str
    source: str
    message_id: str
    type: EventType
    timestamp: datetime
    received_at: datetime
    name: str | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    original_timestamp: datetime | None = None
    sent_at: datetime | None = None
    trust: Trust = PUBLIC
    bot: str | None = None
    payload_hash: str = ""
    context: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    traits: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A rejected authenticated payload: why, and the original so that it can be replayed after a fix.

    `code` is stable (docs/error-codes.md); `detail` holds no personal data. `original` is the payload as text (bytes
    that are not UTF-8 are base64 with `encoding="base64"`); it holds whatever the sender sent, so it lives only under
    `bad/`. `row_id` is unique and deterministic for one rejected payload of one request.
    """

    row_id: str
    source: str
    stage: str
    code: str
    detail: str
    received_at: datetime
    original: str
    encoding: str = "utf-8"
    event_id: str | None = None
    message_id: str | None = None


def event_id_of(source: str, message_id: str) -> str:
    """The deduplication key: 128 bits, in hex, of SHA-256 over source and messageId. The source cannot forge a
    separator."""
    return hashlib.sha256(f"{len(source)}:{source}{message_id}".encode()).hexdigest()[:32]


def corrected_timestamp(*, original: datetime | None, sent_at: datetime | None, received_at: datetime) -> datetime:
    """When it happened by our clock: `receivedAt - (sentAt - originalTimestamp)` (Segment, Spec: Common, "Timestamps").

    Without `sent_at` the client's clock is believed; without `original` it happened when it came. Never after
    `received_at`.
    """
    if original is None:
        return received_at
    if sent_at is None:
        return min(original, received_at)
    age = sent_at - original
    return received_at - age if age > _NO_TIME else received_at


# The events of one request share the instants of sending and of receipt.
_shared_millis = lru_cache(maxsize=64)(to_millis)
_shared_instant = lru_cache(maxsize=64)(from_millis)


def event_to_doc(event: Event) -> dict[str, Any]:
    """The JSON document of an event: instants as epoch milliseconds, absent fields left out."""
    doc: dict[str, Any] = {
        "event_id": event.event_id,
        "source": event.source,
        "message_id": event.message_id,
        "type": str(event.type),
        "timestamp": to_millis(event.timestamp),
        "received_at": _shared_millis(event.received_at),
        "trust": str(event.trust),
        "payload_hash": event.payload_hash,
    }
    # One by one: a loop over the names costs three times as much, on the way of every event.
    if event.name is not None:
        doc["name"] = event.name
    if event.user_id is not None:
        doc["user_id"] = event.user_id
    if event.anonymous_id is not None:
        doc["anonymous_id"] = event.anonymous_id
    if event.bot is not None:
        doc["bot"] = event.bot
    if event.original_timestamp is not None:
        doc["original_timestamp"] = to_millis(event.original_timestamp)
    if event.sent_at is not None:
        doc["sent_at"] = _shared_millis(event.sent_at)
    if event.context:
        doc["context"] = event.context
    if event.properties:
        doc["properties"] = event.properties
    if event.traits:
        doc["traits"] = event.traits
    return doc


_TYPES = {kind.value: kind for kind in EventType}
_TRUSTS = {trust.value: trust for trust in Trust}


def event_from_doc(doc: dict[str, Any]) -> Event:
    """The inverse of `event_to_doc`. Raises KeyError or ValueError when `doc` is not one: such a message is a bug."""
    get = doc.get
    original, sent = get("original_timestamp"), get("sent_at")
    return Event(  # in order of declaration: by name costs twice as much, on the way of every event
        doc["event_id"],
        doc["source"],
        doc["message_id"],
        _TYPES[doc["type"]],
        from_millis(doc["timestamp"]),
        _shared_instant(doc["received_at"]),
        get("name"),
        get("user_id"),
        get("anonymous_id"),
        None if original is None else from_millis(original),
        None if sent is None else _shared_instant(sent),
        _TRUSTS[doc["trust"]],
        get("bot"),
        doc["payload_hash"],
        get("context", {}),
        get("properties", {}),
        get("traits", {}),
    )


def bad_row_to_doc(row: BadRow) -> dict[str, Any]:
    """The JSON document of a bad row; `received_at` as epoch milliseconds."""
    doc = {name: getattr(row, name) for name in BadRow.__slots__ if getattr(row, name) is not None}
    doc["received_at"] = to_millis(row.received_at)
    return doc


def bad_row_from_doc(doc: dict[str, Any]) -> BadRow:
    """The inverse of `bad_row_to_doc`."""
    return BadRow(**{**doc, "received_at": from_millis(doc["received_at"])})
