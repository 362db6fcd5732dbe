"""Statements of consent: what an event says about what a person agreed to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from regulars.domain.events import BY_SYSTEM, CONSENT_UPDATED, IDENTIFY, ORDER, PUBLIC, Event
from regulars.domain.texts import text_of
from regulars.domain.times import parse_instant
from regulars.domain.values import value

GRANTED, DENIED = "granted", "denied"
CONSENT_CATEGORIES = {"email_marketing": "email", "sms_marketing": "sms"}
CHANNELS = ("email", "sms")


@value(frozen=True, slots=True)
class ConsentRecord:
    """One statement about one channel: who said what, when, shown which text, until when. `verified`: by more than a
    public write key."""

    channel: str
    status: str
    at: datetime
    source: str
    text_version: str | None = None
    expires_at: datetime | None = None
    event_id: str = ""
    verified: bool = True

    @property
    def key(self) -> str:
        """Where the last such statement is kept: what anybody may say stands beside what is known, not in its place."""
        return self.channel if self.verified else f"{self.channel} claimed"


def consents_of(event: Event, name: str, *, third_party: bool) -> tuple[ConsentRecord, ...]:
    """What an event called `name` says about consent. Nobody consents to the shop through a third party; that they
    refused may be learned there. What came with a public write key is marked."""
    records = _said(event, name)
    if third_party:
        records = tuple([record for record in records if record.status == DENIED])
    if records and event.trust is PUBLIC:
        records = tuple([replace(record, verified=False) for record in records])
    return records


def _said(event: Event, name: str) -> tuple[ConsentRecord, ...]:
    if name == CONSENT_UPDATED:
        return _consent_update(event)
    if name == "Unsubscribed" and event.trust is BY_SYSTEM:
        channel = str(event.properties.get("channel", "email"))
        return (ConsentRecord(channel, DENIED, event.timestamp, "unsubscribe", event_id=event.event_id),)
    consent = event.context.get("consent")
    if not isinstance(consent, dict):
        return ()
    if event.type is ORDER:
        return tuple(_order_consents(event, consent))
    categories = consent.get("categoryPreferences")
    if not isinstance(categories, dict):
        return ()
    return tuple(_category_consents(event, categories))


def _category_consents(event: Event, categories: dict[str, Any]) -> Iterator[ConsentRecord]:
    """Segment's libraries put the preferences on every call. A refusal counts wherever it is said; consent is given
    when a person says who they are: else the next page view would undo an unsubscribe."""
    for name, channel in CONSENT_CATEGORIES.items():
        given = categories.get(name)
        if given is False or (given is True and event.type is IDENTIFY):
            status = GRANTED if given else DENIED
            yield ConsentRecord(channel, status, event.timestamp, event.source, event_id=event.event_id)


def _consent_update(event: Event) -> tuple[ConsentRecord, ...]:
    properties = event.properties
    channel, status = properties.get("channel"), properties.get("status")
    if channel not in CHANNELS or status not in (GRANTED, DENIED):
        return ()
    expires = properties.get("expires_at")
    expires_at = parse_instant(expires)
    if status == GRANTED and expires is not None and expires_at is None:
        return ()  # nobody agreed to for ever
    return (
        ConsentRecord(
            channel,
            status,
            event.timestamp,
            text_of(properties.get("source")) or event.source,
            text_of(properties.get("text_version")),
            expires_at,
            event.event_id,
        ),
    )


def _order_consents(event: Event, consent: dict[str, Any]) -> list[ConsentRecord]:
    records = []
    for channel in CHANNELS:
        given = consent.get(channel)
        if isinstance(given, dict) and given.get("status") in (GRANTED, DENIED):
            at = parse_instant(given.get("at")) or event.timestamp
            text = text_of(given.get("text_version"))
            records.append(
                ConsentRecord(
                    channel, given["status"], min(at, event.received_at), event.source, text, event_id=event.event_id
                )
            )
    return records
