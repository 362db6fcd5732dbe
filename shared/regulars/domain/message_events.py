"""Regulars' own events, and those about messages: what became of each, who unsubscribed or answered. None holds an
address."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from regulars.domain.events import Event, EventType, Trust, event_id_of
from regulars.domain.instants import to_millis
from regulars.domain.sends import SendRecord, SendStatus, Subscription
from regulars.domain.surveys import SURVEY_ANSWERED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from regulars.domain.surveys import Answer, Invitation

SOURCE = "regulars"
UNSUBSCRIBED = "Unsubscribed"
_NAMES = {
    SendStatus.SENT: "Message Sent",
    SendStatus.WITHHELD: "Message Withheld",
    SendStatus.UNKNOWN: "Message Outcome Unknown",
}


def own_event(
    *,
    name: str,
    message_id: str,
    at: datetime,
    properties: Mapping[str, Any],
    received_at: datetime | None = None,
    kind: EventType = EventType.SYSTEM,
    source: str = SOURCE,
    context: Mapping[str, Any] | None = None,
    payload_hash: str | None = None,
) -> Event:
    """An event that Regulars makes itself (trust `system`). The same arguments give the same event.

    `at` is when it happened, `received_at` (default `at`) when Regulars learnt of it. `payload_hash` (default: over
    name, instant and properties) tells two contents under one message id apart.
    """
    kept = dict(properties)
    received = at if received_at is None else max(received_at, at)
    if payload_hash is None:
        stated = json.dumps([name, to_millis(at), kept], sort_keys=True, separators=(",", ":"))
        payload_hash = hashlib.sha256(stated.encode()).hexdigest()[:32]
    return Event(
        event_id=event_id_of(source, message_id),
        source=source,
        message_id=message_id,
        type=kind,
        name=name,
        timestamp=at,
        received_at=received,
        trust=Trust.SYSTEM,
        payload_hash=payload_hash,
        context=dict(context or {}),
        properties=kept,
    )


def known(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Properties without those that say nothing."""
    return {key: value for key, value in properties.items() if value is not None}


def message_event(record: SendRecord) -> Event | None:
    """What became of a message, as the log keeps it; None while it is not settled.

    Its id is made of send key and status, so settling twice, or telling twice, is one event.
    """
    name = _NAMES.get(record.status)
    if name is None or record.settled_at is None:
        return None
    return own_event(
        name=name,
        message_id=f"{record.send_key}:{record.status.value}",
        at=record.settled_at,
        properties=known(
            {
                "send_key": record.send_key,
                "customer": record.customer,
                "address_node": record.address_node,
                "campaign": record.campaign,
                "template": record.template,
                "channel": record.channel.value,
                "reason": record.reason,
                "provider_id": record.provider_id,
                "content_hash": record.content_hash,
                "decided_at": to_millis(record.decided_at),
                "program_version": record.program_version or None,
            }
        ),
    )


def unsubscribed_event(subscription: Subscription, *, at: datetime, how: str) -> Event:
    """Somebody used the unsubscribe link of `subscription`; `how` is `one_click` (a mail program) or `page`."""
    node, channel = subscription.address_node, subscription.channel.value
    return own_event(
        name=UNSUBSCRIBED,
        message_id=f"unsubscribed:{node}:{channel}:{to_millis(at)}",
        at=at,
        properties={"address_node": node, "channel": channel, "send_key": subscription.send_key, "how": how},
        kind=EventType.TRACK,
    )


def answered_event(invitation: Invitation, answer: Answer, *, occasion: str, at: datetime) -> Event:
    """The event of an answer through an invitation's link; folds into the address that was invited.

    `occasion` is one showing of the page: the same answer sent twice from it is one event, whenever it comes; another
    answer is another event, and the latest counts.
    """
    said = json.dumps([invitation.send_key, answer.to_doc(), occasion], sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(said.encode()).hexdigest()[:32]
    return own_event(
        name=SURVEY_ANSWERED,
        message_id=f"survey:{digest}",
        at=at,
        properties={**answer.to_doc(), "address_node": invitation.address_node, "send_key": invitation.send_key},
        kind=EventType.TRACK,
        payload_hash=digest,
    )
