"""What the e-mail provider tells about a message that went out: Amazon SES's events as ours.

SES says `eventType` in what a configuration set publishes (with the message's tags) and `notificationType` in what an
identity's feedback topic gets (without tags; then the message's own header, or the recipient, says whom it is about).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from regulars.domain.events import Event, EventType
from regulars.domain.identity import NodeKind, node_id, normalised_email
from regulars.domain.instants import truncated
from regulars.domain.message_events import known, own_event

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE = "ses"
SEND_HEADER = "x-regulars-send"
SEND_TAG = "send_id"

# SES's name of an event -> (our name, the key of its details). Segment's e-mail events (Spec: Email), and three of
# SES's own.
_NAMES = {
    "Delivery": ("Email Delivered", "delivery"),
    "Bounce": ("Email Bounced", "bounce"),
    "Complaint": ("Email Marked as Spam", "complaint"),
    "Open": ("Email Opened", "open"),
    "Click": ("Email Link Clicked", "click"),
    "Reject": ("Email Rejected", "reject"),
    "DeliveryDelay": ("Email Delayed", "deliveryDelay"),
    "Rendering Failure": ("Email Rendering Failed", "failure"),
}
_PROVES_ACCEPTANCE = frozenset({"Send", "Delivery", "Bounce", "Complaint", "DeliveryDelay"})
_SEND_ID = re.compile(r"([ep]_[0-9a-f]{32})-([0-9a-f]{32})")
_NODE = re.compile(r"[uepa]_[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Feedback:
    """One event of the provider.

    `event` is None for what needs no record (`Send`, `Subscription`). `address_node` and `send_key` name the message
    where it is one of ours; `accepted`: it proves that the provider took the message, under its own id `provider_id`.
    """

    kind: str
    provider_id: str
    accepted: bool
    event: Event | None
    address_node: str | None = None
    send_key: str | None = None


def feedback_of(document: Mapping[str, Any], *, now: datetime) -> Feedback:
    """Read one SES event document. `now` is when it reached us.

    The event holds neither address nor IP, and of a clicked link only the path (the query may hold the customer's own
    unsubscribe token). Raises KeyError, TypeError or ValueError when it is no SES event.
    """
    kind = str(document["eventType"] if "eventType" in document else document["notificationType"])
    mail = document["mail"]
    tags = mail.get("tags") or {}
    named = _SEND_ID.fullmatch(_tag(tags, SEND_TAG) or _header(mail, SEND_HEADER) or "")
    who = {
        "address_node": named[1] if named else _recipient_node(document, mail),
        "send_key": named[2] if named else None,
        "customer": _node(_tag(tags, "customer")),
        "campaign": _tag(tags, "campaign"),
        "provider_id": str(mail["messageId"]),
    }
    return Feedback(
        kind=kind,
        provider_id=str(mail["messageId"]),
        accepted=kind in _PROVES_ACCEPTANCE,
        event=_event(kind, document, who, now) if kind in _NAMES else None,
        address_node=who["address_node"],
        send_key=who["send_key"],
    )


def _event(kind: str, document: Mapping[str, Any], who: Mapping[str, str | None], now: datetime) -> Event:
    name, key = _NAMES[kind]
    details = document.get(key) or {}
    said = _details(kind, details)
    agent = details.get("userAgent") if kind in ("Open", "Click") else None
    occasion = str(details.get("feedbackId") or details.get("timestamp") or "")
    return own_event(
        name=name,
        message_id=":".join([str(who["provider_id"]), kind, occasion, said.get("link") or ""]),
        at=min(_instant(details.get("timestamp") or document["mail"]["timestamp"]), now),
        received_at=now,
        properties=known({**who, "channel": "email", **said}),
        kind=EventType.TRACK,
        source=SOURCE,
        context={"userAgent": agent[:500]} if isinstance(agent, str) else None,
    )


def _details(kind: str, details: Mapping[str, Any]) -> dict[str, Any]:
    match kind:
        case "Bounce":
            bounce = str(details.get("bounceType") or "Undetermined")
            # Only a permanent bounce says that the address is dead; a full mailbox empties.
            return {"permanent": bounce == "Permanent", "bounce_type": bounce, "sub_type": details.get("bounceSubType")}
        case "Complaint":
            return {"feedback_type": details.get("complaintFeedbackType"), "sub_type": details.get("complaintSubType")}
        case "Click":
            return {"link": _without_query(str(details.get("link") or ""))}
        case "DeliveryDelay":
            return {"delay_type": details.get("delayType")}
        case "Reject":
            return {"reason": details.get("reason")}
        case _:
            return {}


def _tag(tags: Mapping[str, Any], name: str) -> str | None:
    """SES gives a list of values for each tag."""
    values = tags.get(name)
    return str(values[0]) if isinstance(values, list) and values else None


def _header(mail: Mapping[str, Any], name: str) -> str | None:
    for header in mail.get("headers") or ():
        if str(header.get("name", "")).lower() == name:
            return str(header.get("value", ""))
    return None


def _node(text: str | None) -> str | None:
    return text if text and _NODE.fullmatch(text) else None


def _recipient_node(document: Mapping[str, Any], mail: Mapping[str, Any]) -> str | None:
    """The node of the one recipient that the event is about; None when it is about several or nobody."""
    bounced = (document.get("bounce") or {}).get("bouncedRecipients")
    complained = (document.get("complaint") or {}).get("complainedRecipients")
    about = [person["emailAddress"] for person in bounced or complained or ()] or list(mail.get("destination") or ())
    if len(about) != 1:
        return None
    email = normalised_email(str(about[0]))
    return None if email is None else node_id(NodeKind.EMAIL, email)


def _without_query(link: str) -> str | None:
    try:
        parts = urlsplit(link)
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.hostname}{parts.path}" if parts.hostname else None


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return truncated(at if at.tzinfo else at.replace(tzinfo=UTC))
