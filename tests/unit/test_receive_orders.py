"""Signed orders: who is believed, and what an order becomes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson
import pytest

from regulars.adapters.memory.queue import MemoryQueue
from regulars.adapters.memory.secrets import MemorySecrets
from regulars.application.http import HttpReply, HttpRequest
from regulars.application.receive_orders import ReceiveOrders, read_again
from regulars.application.webhooks.kinds import KINDS, kind_of
from regulars.domain.errors import BadInputError, TransientError
from regulars.domain.event_nodes import nodes_of
from regulars.domain.events import BadRow, Event, EventType, Trust
from regulars.domain.facts import fact_of
from regulars.domain.instants import from_millis
from tests.collecting import NOW, code_of, queued
from tests.functions.bad_input.payloads import BAD_ORDERS
from tests.webhooks import delivery, timed_hmac

SECRET = "current"
ORDER: dict[str, Any] = {
    "order_id": "1001",
    "version": 3,
    "placed_at": "2026-11-22T09:25:00Z",
    "updated_at": "2026-11-22T09:29:30Z",
    "status": "paid",
    "currency": "EUR",
    "total": "42.50",
    "refunded": 1,
    "discount": 2.5,
    "coupons": ["WELCOME", ""],
    "customer": {
        "user_id": "c-42",
        "email": "ada@example.com",
        "first_name": "Ada",
        "phone": "",
        "marketing_consent": {"email": {"status": "granted", "at": "2026-11-22T09:24:00Z", "text_version": "v1"}},
    },
    "anonymous_id": "b3f1",
    "products": [{"product_id": 7, "name": "Oil", "quantity": 3, "price": "9.90", "unknown": {"x": 1}}],
    "warehouse": "north",
}


class Webhook:
    """The webhook of a shop called `shop`, on memory adapters."""

    def __init__(self) -> None:
        self.queue = MemoryQueue()
        self.secrets = MemorySecrets({"orders/shop": SECRET})
        self.receive = ReceiveOrders(secrets=self.secrets, secret_prefix="orders/", queue=self.queue)

    def send(
        self,
        raw: bytes,
        signature: str | None = None,
        timestamp: str | None = None,
        source: str = "shop",
        method: str = "POST",
    ) -> HttpReply:
        """One request, signed with the current secret unless told otherwise."""
        at = str(int(NOW.timestamp())) if timestamp is None else timestamp
        headers = {
            "regulars-timestamp": at,
            "regulars-signature": f"v1={sign(raw, at)}" if signature is None else signature,
        }
        return self.receive(delivery(source, raw, headers, method=method))

    def post(self, order: object) -> HttpReply:
        """One signed order."""
        return self.send(orjson.dumps(order))

    def stored(self) -> tuple[list[Event], list[BadRow]]:
        return queued(self.queue)


def sign(raw: bytes, timestamp: str, secret: str = SECRET) -> str:
    return timed_hmac(raw, timestamp, secret)


def test_a_signed_order_becomes_one_signed_event_with_its_canonical_document() -> None:
    webhook = Webhook()
    reply = webhook.post(ORDER)
    assert (reply.status, reply.body) == (200, '{"success":true}')
    ((event,), bad) = webhook.stored()
    assert bad == []
    assert (event.type, event.name, event.trust, event.source) == (
        EventType.ORDER,
        "Order Updated",
        Trust.SIGNED,
        "shop",
    )
    assert (event.message_id, event.user_id, event.anonymous_id) == ("1001:3", "c-42", "b3f1")
    assert event.timestamp == from_millis(1_795_339_770_000)
    assert event.traits == {"email": "ada@example.com", "first_name": "Ada"}
    assert event.context == {"consent": {"email": {"status": "granted", "at": 1_795_339_440_000, "text_version": "v1"}}}
    assert event.properties == {
        "order_id": "1001",
        "version": 3,
        "status": "paid",
        "placed_at": 1_795_339_500_000,
        "currency": "EUR",
        "total_minor": 4250,
        "refunded_minor": 100,
        "discount_minor": 250,
        "shipping_minor": 0,
        "tax_minor": 0,
        "coupons": ["WELCOME"],
        "channel": "online",
        "products": [{"product_id": "7", "name": "Oil", "quantity": 3, "price_minor": 990}],
    }


def test_the_fold_understands_the_order() -> None:
    webhook = Webhook()
    webhook.post(ORDER)
    ((event,), _) = webhook.stored()
    fact = fact_of(event, currency="EUR")
    assert fact is not None
    assert fact.order is not None
    assert fact.order[1].net_minor == 4150
    assert [record.channel for record in fact.consents] == ["email"]
    assert len(nodes_of(event)) == 3


def test_without_a_version_the_time_of_the_change_is_one() -> None:
    webhook = Webhook()
    order = {name: value for name, value in ORDER.items() if name != "version"}
    webhook.post(order)
    ((event,), _) = webhook.stored()
    assert event.properties["version"] == 1_795_339_770_000
    del order["updated_at"]
    assert code_of(webhook.post(order)) == "bad_shape"


def test_the_same_delivery_again_is_the_same_event_and_another_body_has_another_hash() -> None:
    webhook = Webhook()
    for order in (ORDER, dict(reversed(ORDER.items())), {**ORDER, "total": "42.51"}):
        webhook.post(order)
    (first, again, other), _ = webhook.stored()
    assert first == again
    assert first.event_id == other.event_id
    assert first.payload_hash != other.payload_hash


@pytest.mark.parametrize(
    ("currency", "total", "minor"),
    [("JPY", "1000", 1000), ("KWD", "1.234", 1234), ("EUR", "0.1", 10), ("EUR", "12.3400", 1234), ("EUR", 12, 1200)],
)
def test_amounts_are_minor_units_by_the_currencys_exponent(currency: str, total: object, minor: int) -> None:
    webhook = Webhook()
    webhook.post({**ORDER, "currency": currency, "total": total, "refunded": 0, "discount": 0, "products": []})
    ((event,), _) = webhook.stored()
    assert event.properties["total_minor"] == minor


def test_a_number_of_the_json_is_read_as_it_is_written() -> None:
    webhook = Webhook()
    assert webhook.send(orjson.dumps(ORDER).replace(b'"42.50"', b"0.30")).status == 200
    assert webhook.stored()[0][0].properties["total_minor"] == int(Decimal("0.30") * 100)
    assert code_of(webhook.send(orjson.dumps(ORDER).replace(b'"42.50"', b"0.30000000000000004"))) == "bad_amount"


@pytest.mark.parametrize(("code", "change"), BAD_ORDERS.values())
def test_a_verified_senders_bad_order_is_400_and_a_bad_row(code: str, change: dict[str, Any]) -> None:
    webhook = Webhook()
    raw = orjson.dumps({**ORDER, **change})
    reply = webhook.send(raw)
    assert (reply.status, code_of(reply)) == (400, code)
    events, (row,) = webhook.stored()
    assert events == []
    assert (row.source, row.stage, row.code, row.original) == ("shop", "orders/generic", code, raw.decode())
    with pytest.raises(BadInputError, match=code):
        read_again(row)


@pytest.mark.parametrize(
    "raw",
    [b"", b"null", b"[]", b"{", b'{"a":NaN}', b"\xff", b"order_id=1", rb'{"order_id":"\ud800"}', b"[" * 5_000,
     orjson.dumps(ORDER)[:-1] + b',"total":"1"}', b" " * 200_000],
)  # fmt: skip
def test_a_verified_senders_junk_is_400_and_a_bad_row(raw: bytes) -> None:
    webhook = Webhook()
    reply = webhook.send(raw)
    assert reply.status == 400
    assert code_of(reply) in {"bad_json", "bad_shape", "too_large"}
    assert len(webhook.stored()[1]) == 1


def test_a_bad_order_can_be_read_again_once_it_is_good() -> None:
    webhook = Webhook()
    webhook.post({**ORDER, "currency": "EURO"})
    (row,) = webhook.stored()[1]
    (event,) = read_again(replace(row, original=row.original.replace("EURO", "EUR")))
    assert (event.message_id, event.received_at) == ("1001:3", NOW)


def test_no_error_tells_what_was_in_the_order() -> None:
    canary = "canary@example.com"
    for change in (
        {"total": canary},
        {"currency": canary},
        {"placed_at": canary},
        {"status": canary},
        {"version": canary},
    ):
        webhook = Webhook()
        reply = webhook.post({**ORDER, **change})
        assert "canary" not in reply.body
        assert "canary" not in webhook.stored()[1][0].detail


RAW = orjson.dumps(ORDER)
AT = str(int(NOW.timestamp()))
WRONG_SIGNATURES = {
    "missing": "",
    "of another secret": f"v1={sign(RAW, AT, 'guess')}",
    "of another body": f"v1={sign(RAW + b' ', AT)}",
    "of another time": f"v1={sign(RAW, str(int(AT) - 1))}",
    "of the body alone": f"v1={hmac.new(SECRET.encode(), RAW, hashlib.sha256).hexdigest()}",
    "short": f"v1={sign(RAW, AT)[:-2]}",
    "empty": "v1=",
    "base64": "v1=" + base64.b64encode(bytes.fromhex(sign(RAW, AT))).decode(),
    "of another scheme": f"v0={sign(RAW, AT)}",
    "without a scheme": sign(RAW, AT),
    "not text": "v1=\udcff",
}


@pytest.mark.parametrize("signature", WRONG_SIGNATURES.values(), ids=WRONG_SIGNATURES.keys())
def test_a_wrong_signature_is_401_and_nothing_is_kept(signature: str) -> None:
    webhook = Webhook()
    reply = webhook.send(RAW, signature=signature)
    assert (reply.status, code_of(reply)) == (401, "unauthorized")
    assert webhook.queue.messages == []


@pytest.mark.parametrize("source", ["nobody", "", "..", "SHOP", "shop%2F", "x" * 100])
def test_an_unknown_source_is_told_the_same_as_a_wrong_signature(source: str) -> None:
    webhook = Webhook()
    known = webhook.send(RAW, signature="v1=00")
    unknown = webhook.send(RAW, source=source)
    assert (unknown.status, unknown.body) == (known.status, known.body)
    assert webhook.queue.messages == []


@pytest.mark.parametrize(("offset", "status"), [(-301, 401), (-300, 200), (300, 200), (301, 401)])
def test_a_signature_is_good_for_five_minutes_to_both_sides(offset: int, status: int) -> None:
    timestamp = str(int(AT) + offset)
    assert Webhook().send(RAW, timestamp=timestamp).status == status


@pytest.mark.parametrize("timestamp", ["", "now", "1795339800.0", "-1", "\u0661795339800", "9" * 13])
def test_a_timestamp_that_is_no_unix_time_is_401(timestamp: str) -> None:
    assert Webhook().send(RAW, timestamp=timestamp).status == 401


def test_one_of_several_signatures_must_be_right() -> None:
    assert Webhook().send(RAW, signature=f"v1=00, v0=x,v1={sign(RAW, AT).upper()}").status == 200


def test_during_a_rotation_the_old_secret_is_good_and_after_the_next_it_is_not() -> None:
    webhook = Webhook()
    webhook.secrets.rotate("orders/shop", "next")
    assert webhook.send(RAW).status == 200
    assert webhook.send(RAW, signature=f"v1={sign(RAW, AT, 'next')}").status == 200
    webhook.secrets.rotate("orders/shop", "third")
    assert webhook.send(RAW).status == 401


def test_nothing_is_answered_before_the_queue_has_it() -> None:
    webhook = Webhook()
    webhook.queue.available = False
    for raw in (RAW, b"{"):
        reply = webhook.send(raw)
        assert (reply.status, reply.headers["retry-after"], reply.counters) == (503, "5", {"QueueUnavailable": 1})


def test_without_the_secrets_nobody_is_believed_and_the_sender_may_try_again() -> None:
    class Silent:
        def valid(self, name: str) -> tuple[str, ...]:
            raise TransientError(name)

    receive = ReceiveOrders(secrets=Silent(), secret_prefix="orders/", queue=MemoryQueue())
    headers = {"regulars-timestamp": AT, "regulars-signature": f"v1={sign(RAW, AT)}"}
    request = HttpRequest(
        method="POST", path="/webhooks/orders/shop", received_at=NOW, request_id="r", headers=headers, body=RAW.decode()
    )
    assert receive(request).status == 503


def test_only_post_is_answered() -> None:
    assert Webhook().send(RAW, method="GET").status == 405


def test_every_source_has_a_kind() -> None:
    assert kind_of("shop") == kind_of("my-shop") == "generic"
    assert {kind_of(name) for name in ("shopify", "woocommerce-main", "bigcommerce-eu", "stripe")} | {"generic"} == set(
        KINDS
    )


def test_an_order_of_a_thousand_lines_is_read_in_time_for_a_shop_that_waits_five_seconds() -> None:
    lines = [{"product_id": str(n), "quantity": 1, "price": "9.99", "name": "x" * 60} for n in range(1_000)]
    start = time.process_time()
    assert Webhook().post({**ORDER, "products": lines}).status == 200
    assert time.process_time() - start < 1.0
