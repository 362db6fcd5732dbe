"""A message on its way out: the decision that the engine took, the ledger record, the rendered message."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from regulars.domain.errors import PermanentError
from regulars.domain.instants import from_millis, to_millis

if TYPE_CHECKING:
    from collections.abc import Mapping

CLAIM_LEASE = timedelta(minutes=10)
"""A claim not settled after this long belongs to an attempt that died: it is longer than any function may run."""

# Why the ledger withholds or doubts, beside the engine's own reason codes (docs/reasons.md).
EXPIRED, OPTED_OUT, REJECTED, UNSAFE_CONTENT = "expired", "opted_out", "rejected", "unsafe_content"
NO_ANSWER, ATTEMPT_LOST, CONFIRMED = "no_answer", "attempt_lost", "confirmed_by_event"


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
    """CLAIMED: this attempt, and no other, may call the provider. TAKEN: settled before. IN_FLIGHT: held by another
    attempt. ABANDONED: held by another attempt that died; it is UNKNOWN now. OPTED_OUT, EXPIRED: it is WITHHELD now."""

    CLAIMED = "claimed"
    TAKEN = "taken"
    IN_FLIGHT = "in_flight"
    ABANDONED = "abandoned"
    OPTED_OUT = "opted_out"
    EXPIRED = "expired"


class TemplateError(PermanentError):
    """The template is wrong (unknown, a missing variable, no unsubscribe link): mend it, redrive the dead letters."""


class UnsafeContentError(PermanentError):
    """What the customer's data would put into the message is refused (a line break in a header field)."""


def send_key(*, campaign: str, address_node: str, occurrence: str) -> str:
    """At most one message goes out for one key: the campaign, the address, and what makes this occasion a new one."""
    return hashlib.sha256("\n".join((campaign, address_node, occurrence)).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRecord:
    """One decision about one message.

    `withheld` is the reason code when the engine decided not to send (docs/reasons.md), else None. `address` is the
    e-mail address or E.164 number, `address_node` its node id (the ledger's partition). `consent_at` is the consent
    instant that the decision relied on. `variables` feed the template. `trace` says why, check by check, in order.
    `not_after`: a message that is still unsent then is withheld as `expired`. `content_hash` identifies the text sent.
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
    claimed_at: datetime | None = None
    settled_at: datetime | None = None
    content_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """What became of a claim, and the record as the ledger holds it now (without `variables`: they are not kept)."""

    outcome: ClaimOutcome
    record: SendRecord


def content_hash(parts: Mapping[str, str]) -> str:
    """128 bits, in hex, of SHA-256 over the rendered parts in order of name: which text a customer was sent."""
    text = "\x00".join(f"{name}={parts[name]}" for name in sorted(parts))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def is_opted_out(opted_out_at: datetime | None, consent_at: datetime | None) -> bool:
    """Whether an opt-out bars a message: it does unless the consent that the message relies on was given after it."""
    return opted_out_at is not None and (consent_at is None or consent_at <= opted_out_at)


_INSTANTS = ("decided_at", "not_after", "consent_at", "claimed_at", "settled_at")


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
    values: dict[str, Any] = {name: from_millis(value) if name in _INSTANTS else value for name, value in doc.items()}
    values["trace"] = tuple(doc.get("trace", ()))
    values["channel"] = Channel(doc["channel"])
    values["status"] = SendStatus(doc.get("status", "PENDING"))
    return SendRecord(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailMessage:
    """A rendered e-mail. `headers`: extra ones, such as List-Unsubscribe. `tags` come back in the provider's events."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What an unsubscribe link is about: one channel of one address, and the message that carried the link."""

    address_node: str
    channel: Channel
    send_key: str | None = None
