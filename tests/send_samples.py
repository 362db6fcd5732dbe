"""Made-up decisions about messages."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from regulars.domain.identity import NodeKind, node_id
from regulars.domain.sends import Channel, SendRecord, send_key

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
CONSENT = NOON - timedelta(days=30)
EMAIL = "shopper@example.com"
PHONE = "+15555550123"
CART = {
    "items": [
        {
            "name": "Blue <b>kettle</b>",
            "quantity": 2,
            "price_minor": 2499,
            "url": "https://shop.example/p/kettle",
            "image_url": None,
        },
        {"name": "Tea", "quantity": 1, "price_minor": None, "url": None, "image_url": None},
    ],
    "value_minor": 4998,
}


def a_send(occurrence: str = "once", **changes: Any) -> SendRecord:
    """A welcome e-mail, decided at noon, good for a day."""
    node = node_id(NodeKind.EMAIL, EMAIL)
    record = SendRecord(
        send_key=send_key(campaign="welcome", address_node=node, occurrence=occurrence),
        customer=node_id(NodeKind.USER, "u1"),
        campaign="welcome",
        template="welcome",
        channel=Channel.EMAIL,
        address=EMAIL,
        address_node=node,
        decided_at=NOON,
        not_after=NOON + timedelta(days=1),
        consent_at=CONSENT,
        variables={
            "first_name": "Ada",
            "currency": "EUR",
            "cart": None,
            "orders_count": 0,
            "days_since_last_order": None,
        },
        trace=({"check": "consent", "ok": True},),
        program_version="p1",
    )
    return replace(record, **changes)


def a_text(**changes: Any) -> SendRecord:
    """A win-back SMS."""
    node = node_id(NodeKind.PHONE, PHONE)
    return a_send(
        **{
            "campaign": "win_back_sms",
            "template": "win_back",
            "channel": Channel.SMS,
            "address": PHONE,
            "address_node": node,
            "send_key": send_key(campaign="win_back_sms", address_node=node, occurrence="once"),
            **changes,
        }
    )
