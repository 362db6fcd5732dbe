"""Webhooks of shop systems and signed events: bad input -> answer, bad row, events."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import pytest

from tests.functions.bad_input.conftest import Endpoint, Outcome
from tests.functions.bad_input.payloads import BAD_EVENTS, NO_OBJECT, NOT_GZIP, NOT_JSON
from tests.webhooks import (
    BIGCOMMERCE_THIN,
    SECRET,
    SHOPIFY_ORDER,
    STRIPE_SESSION,
    WOOCOMMERCE_ORDER,
    base64_hmac,
    signed_headers,
    timed_hmac,
)

GOOD: dict[str, tuple[Any, str]] = {
    "shopify-main": (SHOPIFY_ORDER, "orders/create"),
    "woocommerce": (WOOCOMMERCE_ORDER, "order.created"),
    "stripe": (STRIPE_SESSION, ""),
    "bigcommerce-eu": (BIGCOMMERCE_THIN, ""),
}
NOT_BELIEVED = Outcome(401, "unauthorized")


class Senders:
    """Every kind of sender, with the right secret."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        for source in (*GOOD, "desk"):
            endpoint.cloud.make_secret(f"orders/{source}", SECRET)

    def headers(self, source: str, raw: bytes, topic: str, offset: int = 0) -> dict[str, str]:
        return signed_headers(source, raw, topic, SECRET, int(self.endpoint.cloud.now.timestamp()) + offset)

    def send(self, source: str, raw: bytes, headers: dict[str, str], route: str = "orders") -> Outcome:
        return self.endpoint.send("POST", f"/webhooks/{route}/{source}", headers, raw)

    def signed(self, source: str, body: Any, topic: str) -> Outcome:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send(source, raw, self.headers(source, raw, topic))

    def events(self, body: Any) -> Outcome:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send("desk", raw, self.headers("", raw, ""), "events")


@pytest.fixture(scope="module")
def senders(endpoint: Endpoint) -> Senders:
    return Senders(endpoint)


@pytest.mark.parametrize("source", GOOD)
def test_a_good_delivery_is_taken(senders: Senders, source: str) -> None:
    body, topic = GOOD[source]
    assert senders.signed(source, body, topic) == Outcome(200, events=0 if source == "bigcommerce-eu" else 1)


@pytest.mark.parametrize("source", GOOD)
def test_what_is_not_signed_so_is_not_believed_and_leaves_nothing(senders: Senders, source: str) -> None:
    body, topic = GOOD[source]
    raw = json.dumps(body).encode()
    right = senders.headers(source, raw, topic)
    missing = Outcome(400, "unauthorized") if source == "shopify-main" else NOT_BELIEVED
    assert senders.send(source, raw, {}) == missing
    assert senders.send(source, b"", {}) == missing
    if source != "bigcommerce-eu":  # whose secret does not depend on the body
        assert senders.send(source, raw + b" ", right) == NOT_BELIEVED
        assert senders.send(source, json.dumps(body, indent=1).encode(), right) == NOT_BELIEVED
    for other in ("shop", "nobody", "desk"):
        assert senders.send(other, raw, right) == NOT_BELIEVED
    assert senders.send(f"{source}-other", raw, right) == NOT_BELIEVED
    generic = {"regulars-timestamp": "1", "regulars-signature": "v1=00"}
    assert senders.send(source, raw, generic) == missing


@pytest.mark.parametrize("name", ["x-shopify-hmac-sha256", "x-wc-webhook-signature"])
@pytest.mark.parametrize("wrong", ["hex", "urlsafe", "no padding", "cut off", "sha1", "not base64", "spaces"])
def test_signatures_in_another_form(senders: Senders, name: str, wrong: str) -> None:
    raw = json.dumps(SHOPIFY_ORDER).encode() + b" "
    right = base64_hmac(raw)
    assert set("+/=") <= set(right)  # or the forms would not differ
    given = {
        "hex": base64.b64decode(right).hex(),
        "urlsafe": right.replace("+", "-").replace("/", "_"),
        "no padding": right.rstrip("="),
        "cut off": right[:-4],
        "sha1": base64.b64encode(hmac.new(SECRET.encode(), raw, "sha1").digest()).decode(),
        "not base64": "%%%",
        "spaces": " ".join(right),
    }[wrong]
    source = "shopify-main" if "shopify" in name else "woocommerce"
    assert senders.send(source, raw, {name: given, "x-shopify-topic": "orders/create"}) == NOT_BELIEVED


@pytest.mark.parametrize("offset", [-301, 301, 10**9])
def test_stripes_time_is_good_for_five_minutes(senders: Senders, offset: int) -> None:
    raw = json.dumps(STRIPE_SESSION).encode()
    assert senders.send("stripe", raw, senders.headers("stripe", raw, "", offset)) == NOT_BELIEVED
    at = int(senders.endpoint.cloud.now.timestamp())
    swapped = {"stripe-signature": f"t={at},v1={timed_hmac(raw, at + offset)}"}
    assert senders.send("stripe", raw, swapped) == NOT_BELIEVED


ORDERS: dict[str, tuple[str, dict[str, Any]]] = {
    "a total in words": ("bad_amount", {"total_price": "free"}),
    "1e3": ("bad_amount", {"total_price": "1e3"}),
    "a negative total": ("bad_amount", {"total_price": "-1.00"}),
    "10^15": ("bad_amount", {"total_price": "1000000000000000"}),
    "a total that is an object": ("bad_amount", {"total_price": {"amount": "1"}}),
    "a line's price that is a list": ("bad_amount", {"line_items": [{"product_id": 1, "price": []}]}),
    "no currency": ("unknown_currency", {"currency": None}),
    "a currency that is none": ("unknown_currency", {"currency": "XXX"}),  # ISO 4217 for "no currency"
    "no id": ("bad_shape", {"id": None}),
    "an id that is an object": ("bad_shape", {"id": {}}),
    "a long id": ("bad_shape", {"id": "1" * 65}),
    "no time": ("bad_shape", {"updated_at": None, "created_at": None, "processed_at": None}),
    "a time in words": ("bad_shape", {"updated_at": "yesterday"}),
    "1970": ("bad_shape", {"updated_at": "1970-01-01T00:00:00Z"}),
    "the day after tomorrow": ("bad_instant", {"processed_at": "2026-11-24T09:30:00Z"}),
    "a consent without a day": (
        "bad_shape",
        {"customer": {"email_marketing_consent": {"state": "subscribed", "consent_updated_at": "never"}}},
    ),
}


@pytest.mark.parametrize("row", ORDERS)
def test_a_bad_order_is_answered_200_and_kept(senders: Senders, row: str) -> None:
    """An error would only bring it again, and in the end cost the shop its subscription."""
    code, change = ORDERS[row]
    outcome = senders.signed("shopify-main", {**SHOPIFY_ORDER, **change}, "orders/updated")
    assert outcome == Outcome(200, code, (code,))


ODD_ORDERS: dict[str, dict[str, Any]] = {
    "noise of floating point": {"total_price": 99.00000000000001},
    "a guest": {"customer": None, "email": "", "billing_address": None},
    "a customer that is an array": {"customer": [], "note_attributes": {}, "refunds": None, "line_items": "x"},
    "a card that stands for nobody": {"note_attributes": [{"name": "loyalty_card", "value": "0000"}]},
    "a status that is an array": {"financial_status": [], "fulfillment_status": {}, "source_name": []},
    "an attribute that is no text": {"note_attributes": [{"name": 1, "value": {}}, 7, {"name": "loyalty_card"}]},
    "an address that is none": {"email": "x" * 300},
    "a text of 10 KB": {"line_items": [{"product_id": 1, "title": "x" * 10_240, "quantity": 1, "price": "1"}]},
    "half a piece": {"line_items": [{"product_id": 1, "quantity": 0.5, "price": "1"}]},
    "1,001 lines": {"line_items": [{"product_id": 1, "quantity": 1, "price": "1"}] * 1_001},
    "names that mean something elsewhere": {"__proto__": {}, "pk": "x", "customer": {"id": "u_" + "0" * 32}},
    "markup": {"line_items": [{"product_id": "<b>", "title": "{{7*7}}", "quantity": 1, "price": "1"}]},
}


@pytest.mark.parametrize("row", ODD_ORDERS)
def test_an_odd_order_is_an_order_all_the_same(senders: Senders, row: str) -> None:
    assert senders.signed("shopify-main", {**SHOPIFY_ORDER, **ODD_ORDERS[row]}, "orders/updated") == Outcome(
        200, events=1
    )


BODIES = {
    **{f"not JSON: {name}": (raw, "bad_json") for name, raw in NOT_JSON.items() if name != "a number of 400 digits"},
    **{f"no object: {name}": (raw, "bad_shape") for name, raw in NO_OBJECT.items()},
    "over 1 MB": (b" " * (1024 * 1024 + 1), "too_large"),
    "a number of 10,000 digits": (b'{"id":1' + b"0" * 10_000 + b"}", "bad_json"),
    "a number with a million zeros": (b'{"id":1,"currency":"EUR","total_price":1e999999}', None),
}


@pytest.mark.parametrize("row", BODIES)
@pytest.mark.parametrize("source", GOOD)
def test_bodies_that_are_none_are_answered_200_and_kept(senders: Senders, source: str, row: str) -> None:
    raw, code = BODIES[row]
    outcome = senders.signed(source, raw, GOOD[source][1])
    assert (outcome.status, outcome.events, len(outcome.rows)) == (200, 0, 1)
    assert code in {None, outcome.code}


def test_topics_that_are_none_are_answered_200_and_leave_nothing(senders: Senders) -> None:
    for topic in ("", "orders", "../x", "x" * 1_000, "orders/create/", "orders/delete"):
        assert senders.signed("shopify-main", SHOPIFY_ORDER, topic) == Outcome(200)
        assert senders.signed("woocommerce", WOOCOMMERCE_ORDER, topic) == Outcome(200)


def test_the_ping_gets_200_and_nothing_else_does(senders: Senders) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert senders.send("woocommerce", b"webhook_id=1", form) == Outcome(200)
    assert senders.send("woocommerce", b"webhook_id=1&x=1", form) == NOT_BELIEVED
    assert senders.send("woocommerce", b"webhook_id=-1", form) == NOT_BELIEVED


EVENTS: dict[str, tuple[bytes, str]] = {
    **{f"not JSON: {name}": (raw, "bad_json") for name, raw in NOT_JSON.items() if "key twice" not in name},
    **{f"no object: {name}": (raw, "bad_shape") for name, raw in NO_OBJECT.items()},
    **{f"not gzip: {name}": (raw, "bad_gzip") for name, raw in NOT_GZIP.items()},
    **{name: (json.dumps({"type": "track", **body}).encode(), code) for name, (code, body) in BAD_EVENTS.items()},
    "a batch that is an object": (b'{"batch":{}}', "bad_shape"),
    "no type": (b'{"userId":"u"}', "unknown_type"),
    "an order": (b'{"type":"order","userId":"u"}', "unknown_type"),
    "over 500 KB": (b" " * (500 * 1024 + 1), "too_large"),
}


@pytest.mark.parametrize("row", EVENTS)
def test_bad_bodies_of_events_are_400_and_kept(senders: Senders, row: str) -> None:
    raw, code = EVENTS[row]
    assert senders.events(raw) == Outcome(400, code, (code,))


def test_a_bad_member_of_fifty_costs_only_itself(senders: Senders) -> None:
    call = {"type": "track", "userId": "u", "event": "Ticket Opened"}
    outcome = senders.events({"batch": [{**call, "messageId": f"m{n}"} for n in range(49)] + [{**call, "event": 1}]})
    assert outcome == Outcome(200, None, ("bad_event_name",), 49)
