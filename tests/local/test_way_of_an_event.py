"""The whole way, through every real function: HTTP in, a message out, once, with its reason."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from infra.local import LocalCloud
from regulars.adapters.aws.customers import DynamoCustomerStore
from regulars.adapters.aws.lake import S3EventLog
from regulars.adapters.aws.ledger import DynamoLedger
from regulars.adapters.items import orders_text, profile_text
from regulars.domain.identity import NodeKind, node_id
from tests.traffic import get_pixel, place_order, post_batch

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ANN, BOB = {"userId": "ann", "anonymousId": "browser-1"}, {"userId": "bob", "anonymousId": "browser-2"}


def consent(channel: str) -> dict[str, Any]:
    return {"event": "Consent Updated", "properties": {"channel": channel, "status": "granted", "text_version": "v1"}}


def traffic() -> list[Callable[[LocalCloud], None]]:
    """A morning in the shop, recorded: every request with its own messageId and timestamps, so it can be sent again."""
    calls: list[dict[str, Any]] = [
        {"type": "page", "anonymousId": "browser-1", "context": {"page": {"path": "/"}}},
        {"type": "track", "anonymousId": "browser-1", "event": "Product Viewed", "properties": {"product_id": "p1"}},
        {"type": "identify", **ANN, "traits": {"email": "ann@example.com", "first_name": "Ann"}},
        {"type": "track", **ANN, **consent("email")},
        {"type": "track", **ANN, "event": "Product Added",
         "properties": {"product_id": "p1", "name": "Dress", "price": 50, "quantity": 1}},
        {"type": "identify", **BOB, "traits": {"email": "bob@example.com", "phone": "+15555550100"}},
        {"type": "track", **BOB, **consent("sms")},
        {"type": "track", **BOB, "event": "Product Added", "properties": {"product_id": "p2", "price": 9.5}},
        {"type": "track", **BOB, "event": "Order Completed", "properties": {"order_id": "o1", "total": 9.5}},
    ]  # fmt: skip
    for number, call in enumerate(calls):
        call |= {"messageId": f"m{number}", "timestamp": f"2026-11-22T08:{number:02d}:00Z"}
    orders = [
        {"order_id": "o1", "version": version, "placed_at": "2026-11-22T08:09:00Z", "status": status, "currency": "USD",
         "total": "9.50", "customer": {"user_id": "bob", "email": "bob@example.com"}}
        for version, status in ((1, "placed"), (2, "paid"))
    ]  # fmt: skip
    pixel = {"type": "page", "anonymousId": "browser-1", "messageId": "g1", "timestamp": "2026-11-22T08:20:00Z"}
    return [
        *(lambda cloud, call=call: post_batch(cloud, [call]) for call in calls),
        *(lambda cloud, order=order: place_order(cloud, order) for order in orders),
        lambda cloud: get_pixel(cloud, pixel),
    ]


def customers(cloud: LocalCloud) -> dict[str, Any]:
    """Profiles, orders and segments of everybody; what is sent, by address."""
    store = DynamoCustomerStore(cloud.client("dynamodb"), cloud.table_name)
    found = {}
    for node, head in store.scan():
        fragment = head.fragment(node)
        fragment.profile.seen = {}  # a set, written in order of arrival
        state = head.state.value if head.state else None
        found[node] = (
            profile_text(fragment.profile),
            orders_text(fragment.orders),
            sorted(state.memberships) if state else [],
        )
    return found


def outcome(requests: list[Callable[[LocalCloud], None]]) -> dict[str, Any]:
    """What the cloud holds, and whom it wrote to, forty-five days after the requests."""
    with LocalCloud() as cloud:
        for request in requests:
            request(cloud)
            cloud.settle()
        cloud.advance(
            by=45 * DAY, stride=HOUR, rarer=dict.fromkeys(("refresh", "reconcile", "monitor", "snapshot"), 15 * DAY)
        )
        assert cloud.dead_letters() == {}
        mail = sorted((mail.recipients[0], mail.subject) for mail in cloud.mail)
        return {"customers": customers(cloud), "mail": mail, "sms": sorted(sms.to for sms in cloud.sms)}


def test_the_same_traffic_twice_in_any_order_is_the_same_to_the_shopper() -> None:
    """Identical profiles, segments and messages."""
    recorded = traffic()
    once = outcome(recorded)
    assert [recipient for recipient, _ in once["mail"]] == ["ann@example.com", "ann@example.com"]
    shuffled = random.Random(3).sample(  # noqa: S311 no secret
        recorded * 2, len(recorded) * 2
    )
    assert outcome(shuffled) == once


def test_every_acknowledged_event_is_in_the_lake_or_a_bad_row(cloud: LocalCloud) -> None:
    """By id, none missing and none invented; one bad event of three is a bad row and the others are stored."""
    calls = [
        {"type": "track", "userId": "ann", "event": "Product Viewed", "messageId": "good-1"},
        {"type": "track", "userId": "ann", "messageId": "bad-1"},
        {"type": "page", "userId": "ann", "messageId": "good-2"},
    ]
    post_batch(cloud, calls)
    cloud.settle()
    lake = S3EventLog(cloud.client("s3"), cloud.bucket_name)
    stored = {event.message_id for key in lake.keys() for event in lake.read(key)}  # noqa: SIM118 a method, no dict
    bad = {row.message_id: row.code for key in lake.bad_keys() for row in lake.read_bad(key)}
    assert stored == {"good-1", "good-2"}
    assert set(bad) == {"bad-1"}


def test_an_opt_out_stops_the_next_message(cloud: LocalCloud) -> None:
    """One click in the welcome; the cart's reminder is withheld, and says why."""
    for request in traffic()[:4]:
        request(cloud)
    post_batch(cloud, [{"type": "track", **ANN, "event": "Product Added", "properties": {"product_id": "p1"}}])
    cloud.settle()
    cloud.advance(by=timedelta(minutes=30))
    assert len(cloud.mail) == 1
    link = cloud.mail[0].headers["List-Unsubscribe"].strip("<>")
    path = link[link.index("/unsubscribe") :]
    page = cloud.request("GET", path)
    assert page.status == 200
    cloud.advance(by=timedelta(minutes=1))
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert cloud.request("POST", path, headers=headers, body=b"List-Unsubscribe=One-Click").status == 200
    cloud.advance(by=5 * HOUR)
    assert len(cloud.mail) == 1
    ledger = DynamoLedger(cloud.client("dynamodb"), cloud.table_name)
    sends = ledger.sends(node_id(NodeKind.EMAIL, "ann@example.com"))
    assert [(send.campaign, send.status.value, send.reason or send.withheld) for send in sends] == [
        ("welcome", "SENT", None),
        ("abandoned_cart", "WITHHELD", "no_consent"),
    ]


def test_a_poison_message_ends_with_the_dead_letters_and_holds_up_nobody(cloud: LocalCloud) -> None:
    """It is tried as often as the template says; what came with it is stored at once."""
    cloud.client("sqs").send_message(QueueUrl=cloud.stack.ref("EventsQueue"), MessageBody=json.dumps({"v": 99}))
    get_pixel(cloud, {"anonymousId": "browser-1", "messageId": "g1"})
    cloud.settle()
    lake = S3EventLog(cloud.client("s3"), cloud.bucket_name)
    assert [event.message_id for key in lake.keys() for event in lake.read(key)] == ["g1"]  # noqa: SIM118
    cloud.advance(by=DAY)
    assert {name: len(bodies) for name, bodies in cloud.dead_letters().items()} == {"events-dlq": 1}
