"""Whether a campaign's message goes out to one customer, check by check."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from regulars.domain.customer import Customer, template_variables
from regulars.domain.instants import iso, to_millis
from regulars.domain.program import Campaign, CompiledProgram, OncePer
from regulars.domain.sends import Channel, SendRecord, send_key, send_record_to_doc
from regulars.domain.state import CustomerState, Pending
from regulars.domain.statements import GRANTED

Check = dict[str, Any]
_TOLD = ":"
"""Between a campaign's name, which has none, and the digest of an occasion that was decided with an address."""


def decide_message(
    campaign: Campaign, pending: Pending, customer: Customer, state: CustomerState, *, program: CompiledProgram
) -> dict[str, Any] | None:
    """The send record's document, to be sent or (with `withheld`) not; None when there is nothing to decide.

    Marks the occasion as decided in `state`.

    Nothing: the customer left the segment while the campaign waited, or this occasion was decided before. The reason
    codes of `withheld` are documented in docs/reasons.md.
    """
    now = customer.now
    if campaign.segment not in state.memberships:
        return None
    address = customer.address(campaign.channel)
    node = address.node if address else customer.root
    occurrence = _occurrence(campaign, customer)
    occasion = occasion_of(campaign, occurrence, reachable=address is not None)
    if occasion in state.decided or _told_of_cart(campaign, customer, state):
        return None
    state.decided[occasion] = now
    key = send_key(campaign=campaign.name, address_node=node, occurrence=occurrence)
    trace: list[Check] = [
        {
            "check": "segment",
            "segment": campaign.segment,
            "since": iso(state.memberships[campaign.segment].since),
            "entered_at": iso(pending.entered_at),
            "why": program.explain(campaign.segment, customer, now),
            "ok": True,
        },
    ]
    withheld = _first_objection(campaign, pending, customer, state, program, trace)
    consent = customer.consent(campaign.channel)
    record = SendRecord(
        send_key=key,
        customer=customer.root,
        campaign=campaign.name,
        template=campaign.template,
        channel=Channel(campaign.channel),
        address=address.text if address else "",
        address_node=node,
        decided_at=now,
        not_after=pending.decide_at + campaign.not_after,
        consent_at=consent.at if consent else None,
        withheld=withheld,
        variables=template_variables(customer),
        trace=tuple(trace),
        program_version=program.version,
    )
    return send_record_to_doc(record)


def occasion_of(campaign: Campaign, occurrence: str, *, reachable: bool) -> str:
    """What a customer is decided about once. Not the address: who has two, because two customers turned out to be one
    or because it changed, hears of an occasion once. That there was none at all is decided separately."""
    digest = hashlib.sha256(occurrence.encode()).hexdigest()[:24]
    return f"{campaign.name}{_TOLD if reachable else '?'}{digest}"


def _told_of_cart(campaign: Campaign, customer: Customer, state: CustomerState) -> bool:
    """Whether the campaign spoke of this cart under another key: two carts that began on different days are one."""
    if campaign.once_per is not OncePer.CART:
        return False
    since, told = customer.cart_since(), campaign.name + _TOLD
    return since is not None and any(at >= since for key, at in state.decided.items() if key.startswith(told))


def _occurrence(campaign: Campaign, customer: Customer) -> str:
    """What makes this occasion a new one. Made of the profile, not of when we looked, so it survives replay and
    delay."""
    match campaign.once_per:
        case OncePer.CUSTOMER:
            return "once"
        case OncePer.CART:
            return f"cart {customer.cart_key()}"
        case OncePer.ORDER:
            last = customer.value("orders.last_at")
            return f"order {to_millis(last) if isinstance(last, datetime) else 0}"


def _first_objection(  # noqa: PLR0917 - what a decision is made of
    campaign: Campaign,
    pending: Pending,
    customer: Customer,
    state: CustomerState,
    program: CompiledProgram,
    trace: list[Check],
) -> str | None:
    """Runs the checks in order, adding each to the trace, and stops at the first that fails: its reason code."""
    for reason, check in _checks(campaign, pending, customer, state, program):
        trace.append(check)
        if not check["ok"]:
            return reason
    return None


def _checks(
    campaign: Campaign, pending: Pending, customer: Customer, state: CustomerState, program: CompiledProgram
) -> Iterator[tuple[str, Check]]:
    """(reason code if it fails, the check), each made only when those before it passed."""
    now = customer.now
    if (last := pending.decide_at + campaign.not_after) < now:
        # Its `when` had to wait for what profiles keep (`program.held`).
        yield "expired", {"check": "not_after", "not_after": iso(last), "ok": False}
    if campaign.when is not None:
        why = program.explain_campaign(campaign, customer, now)
        yield "condition_not_met", {"check": "when", "why": why, "ok": program.applies(campaign, customer, now)}
    address = customer.address(campaign.channel)
    yield "no_address", {"check": "address", "channel": campaign.channel, "ok": address is not None}
    consent = customer.consent(campaign.channel)
    said: Check = {"status": None}
    if consent is not None:
        said = {"status": consent.status, "at": iso(consent.at), "source": consent.source, "text": consent.text_version}
    granted = consent is not None and consent.status == GRANTED
    yield "no_consent", {"check": "consent", "channel": campaign.channel, **said, "ok": granted}
    suppression = customer.suppression(address) if address else None
    yield "suppressed", {"check": "suppression", "reason": suppression, "ok": suppression is None}
    if (cap := program.frequency_cap) is not None:
        recent = sum(
            at > now - cap.within and (not cap.per_channel or channel == campaign.channel)
            for at, channel in state.sends
        )
        limits = {"sent": recent, "cap": cap.messages, "within_seconds": int(cap.within.total_seconds())}
        yield "frequency_cap", {"check": "frequency_cap", **limits, "ok": recent < cap.messages}
