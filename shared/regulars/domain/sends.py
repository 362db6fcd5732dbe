"""A message on its way out: the decision that the engine took, the ledger record, the rendered message."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from regulars.domain.instants import from_millis, to_millis


class Channel(StrEnum):
    EMAIL = "email"
    SMS = "sms"


class SendStatus(StrEnum):
    """PENDING: decided; SENDING: claimed by one attempt; UNKNOWN: the provider may have taken it, never sent again;
    WITHHELD: decided or found at the claim that it must not go."""

    PENDING = "PENDING"
    SENDING = "SENDING"
    SENT = "SENT"
    UNKNOWN = "UNKNOWN"
    WITHHELD = "WITHHELD"


class ClaimOutcome(StrEnum):
    CLAIMED = "claimed"
    TAKEN = "taken"  # sent, being sent, unknown or withheld already
    OPTED_OUT = "opted_out"
    EXPIRED = "expired"  # `not_after` has passed


def send_key(*, campaign: str, address_node: str, occurrence: str) -> str:
    """At most one message goes out for one key: the campaign, the address, and what makes this occasion a new one."""
    return hashlib.sha256("\n".join((campaign, address_node, occurrence)).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRecord:
    """One decision about one message.

    `withheld` is the reason code when the engine decided not to send (docs/reasons.md), else None. `address` is the e-mail
    address or E.164 number, `address_node` its node id (the ledger's partition). `consent_at` is the consent instant that
    the decision relied on. `variables` feed the template. `trace` says why, check by check, in order. `not_after`: a
    message that is still unsent then is withheld as `expired`.
    """

    send_key: str
    customer: str
    campaign: str
    template: str
    channel: Channel
    address: str
    address_node: str
    decided_at: datetime
    not_after: datetime
    consent_at: datetime | None = None
    withheld: str | None = None
    variables: dict[str, Any] = field(default_factory=dict)
    trace: tuple[dict[str, Any], ...] = ()
    program_version: str = ""
    # What the ledger adds.
    status: SendStatus = SendStatus.PENDING
    attempt: str | None = None
    provider_id: str | None = None
    reason: str | None = None
    settled_at: datetime | None = None


_INSTANTS = ("decided_at", "not_after", "consent_at", "settled_at")


def send_record_to_doc(record: SendRecord) -> dict[str, Any]:
    """The JSON document of a record; instants as epoch milliseconds, absent fields left out."""
    doc: dict[str, Any] = {}
    for name in SendRecord.__slots__:
        value = getattr(record, name)
        if value is None:
            continue
        doc[name] = to_millis(value) if name in _INSTANTS else value
    doc["trace"] = list(record.trace)
    return doc


def send_record_from_doc(doc: dict[str, Any]) -> SendRecord:
    """The inverse of `send_record_to_doc`."""
    values = {name: from_millis(value) if name in _INSTANTS else value for name, value in doc.items()}
    values["trace"] = tuple(doc.get("trace", ()))
    values["channel"] = Channel(doc["channel"])
    values["status"] = SendStatus(doc.get("status", "PENDING"))
    return SendRecord(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailMessage:
    """A rendered e-mail. `headers` are extra ones, such as List-Unsubscribe; `tags` come back in the provider's events."""

    to: str
    subject: str
    html: str
    text: str
    headers: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsMessage:
    """A rendered SMS to an E.164 number."""

    to: str
    text: str
