"""Events of server-side systems: Segment's calls, signed."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Any

import pytest

from regulars.application.replay_bad import all_normalisers
from regulars.domain.errors import BadInputError
from regulars.domain.events import EventType, Trust
from tests.collecting import TRACK, Shop, code_of
from tests.functions.bad_input.payloads import BAD_EVENTS
from tests.webhooks import Shops

TICKET: dict[str, Any] = {
    "type": "track",
    "event": "Support Ticket Opened",
    "messageId": "ticket-17",
    "userId": "c-42",
    "timestamp": "2026-11-22T09:00:00Z",
    "properties": {"ticket_id": "17"},
}


def test_calls_of_a_signed_batch_are_believed() -> None:
    shops = Shops()
    traits = {"type": "identify", "userId": "c-42", "traits": {"plan": "gold"}, "messageId": "i-1"}
    assert shops.events("desk", {"batch": [TICKET, traits]}).body == '{"success":true}'
    (track, identify), bad = shops.stored()
    assert bad == []
    assert (track.name, track.source, track.trust, track.message_id) == (
        "Support Ticket Opened", "desk", Trust.SIGNED, "ticket-17",
    )  # fmt: skip
    assert (identify.type, identify.trust, identify.traits) == (EventType.IDENTIFY, Trust.SIGNED, {"plan": "gold"})


def test_one_call_needs_no_batch_and_may_be_gzip() -> None:
    shops = Shops()
    assert shops.events("desk", TICKET).status == 200
    assert shops.events("desk", gzip.compress(json.dumps(TICKET).encode())).status == 200
    events, _ = shops.stored()
    assert len(events) == 2
    assert len({event.event_id for event in events}) == 1


def test_calls_without_an_id_get_the_same_one_when_the_body_comes_again() -> None:
    shops = Shops()
    body = {"batch": [{**TICKET, "messageId": None}, {**TICKET, "messageId": None}]}
    for _ in range(2):
        shops.events("desk", body)
    events, _ = shops.stored()
    assert (len(events), len({event.event_id for event in events})) == (4, 2)


def test_a_shops_name_makes_no_difference_here() -> None:
    """What counts is the route: Shopify's own signature is none for it."""
    shops = Shops()
    assert shops.events("shopify-main", TICKET).status == 200
    assert shops.request("stripe", b"{}", {"stripe-signature": "t=1,v1=0"}, route="events").status == 401
    assert shops.events("nobody", TICKET).status == 401


def test_a_bad_member_costs_only_itself_and_can_be_read_again_as_signed() -> None:
    shops = Shops()
    reply = shops.events("desk", {"batch": [TICKET, {**TICKET, "event": ""}]})
    assert (reply.status, json.loads(reply.body)["errors"]) == (200, [{"index": 1, "code": "bad_event_name"}])
    events, (row,) = shops.stored()
    assert len(events) == 1
    assert row.stage == "signed_events/member"
    with pytest.raises(BadInputError):
        all_normalisers()["signed_events"](row)
    mended = replace(row, original=row.original.replace('"event":""', '"event":"Closed"'))
    (event,) = all_normalisers()["signed_events"](mended)
    assert (event.name, event.trust) == ("Closed", Trust.SIGNED)


def test_what_must_not_be_stored_is_accepted_as_collect_accepts_it() -> None:
    """The same answer and the same counts by either door."""
    refused = {**TICKET, "context": {"consent": {"categoryPreferences": {"analytics": False}}}}
    batch = {"batch": [TICKET, refused, {**TICKET, "event": ""}]}
    shops, shop = Shops(), Shop()
    reply, collected = shops.events("desk", batch), shop.post("batch", batch)
    assert json.loads(reply.body) == {
        "success": True, "accepted": 2, "rejected": 1, "errors": [{"index": 2, "code": "bad_event_name"}],
    }  # fmt: skip
    assert reply.counters == {"EventsRefusedConsent": 1, "BadRows": 1}
    assert (reply.status, reply.body, reply.counters) == (collected.status, collected.body, collected.counters)
    assert len(shops.stored()[0]) == len(shop.stored()[0]) == 1


@pytest.mark.parametrize(("code", "body"), BAD_EVENTS.values())
def test_a_bad_call_is_400_and_a_bad_row(code: str, body: dict[str, Any]) -> None:
    shops = Shops()
    reply = shops.events("desk", {"type": "track", **body})
    assert (reply.status, code_of(reply)) == (400, code)
    assert [row.code for row in shops.stored()[1]] == [code]


def test_an_order_cannot_come_as_a_call() -> None:
    shops = Shops()
    for kind in ("order", "product", "system"):
        assert code_of(shops.events("desk", {**TICKET, "type": kind})) == "unknown_type"


def test_the_tracking_call_that_collect_takes_is_taken_here() -> None:
    shops = Shops()
    assert shops.events("desk", {"type": "track", **TRACK}).status == 200
    assert shops.stored()[0][0].payload_hash
