"""POST /webhooks/orders/{source}: bad input -> answer, bad row, events."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import orjson
import pytest

from regulars.adapters.aws.lake import S3EventLog
from regulars.adapters.items import parsed_orders
from regulars.application.webhooks.signatures import signature_of
from regulars.domain.events import EventType
from tests.functions.bad_input.conftest import Endpoint, Outcome
from tests.functions.bad_input.payloads import BAD_ORDERS, NO_OBJECT, NOT_JSON

ORDER: dict[str, Any] = {
    "order_id": "1001",
    "version": 3,
    "placed_at": "2026-11-22T08:55:00Z",
    "status": "paid",
    "currency": "EUR",
    "total": "42.50",
    "customer": {"user_id": "c-42", "email": "ada@example.com"},
    "products": [{"product_id": 7, "quantity": 3, "price": "9.90"}],
}
RAW = orjson.dumps(ORDER)
NOT_BELIEVED = Outcome(401, "unauthorized")
TAKEN = Outcome(200, events=1)


class Webhook:
    """A shop's webhook with the right secret."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.cloud = endpoint.cloud
        self.secret = endpoint.cloud.secret("orders/shop")

    def now(self, offset: int = 0) -> str:
        return str(int(self.cloud.now.timestamp()) + offset)

    def send(self, raw: bytes, headers: dict[str, str], source: str = "shop") -> Outcome:
        return self._endpoint.send("POST", f"/webhooks/orders/{source}", headers, raw)

    def signed(self, raw: bytes, offset: int = 0) -> Outcome:
        """One order with a right signature of that time."""
        timestamp = self.now(offset)
        signature = f"v1={signature_of(raw, timestamp, self.secret)}"
        return self.send(raw, {"regulars-timestamp": timestamp, "regulars-signature": signature})


@pytest.fixture(scope="module")
def webhook(endpoint: Endpoint) -> Webhook:
    return Webhook(endpoint)


def wrong_signatures(webhook: Webhook) -> dict[str, str]:
    """By what is wrong with them."""
    at, secret = webhook.now(), webhook.secret
    right = signature_of(RAW, at, secret)
    return {
        "none": "",
        "an empty one": "v1=",
        "of another secret": f"v1={signature_of(RAW, at, 'guess')}",
        "of another body": f"v1={signature_of(RAW + b' ', at, secret)}",
        "of the body written again": f"v1={signature_of(orjson.dumps(ORDER, option=orjson.OPT_INDENT_2), at, secret)}",
        "of another time": f"v1={signature_of(RAW, webhook.now(-1), secret)}",
        "of the body alone": f"v1={hmac.new(secret.encode(), RAW, hashlib.sha256).hexdigest()}",
        "by SHA-1": f"v1={hmac.new(secret.encode(), at.encode() + b'.' + RAW, hashlib.sha1).hexdigest()}",
        "cut off": f"v1={right[:-2]}",
        "with one more digit": f"v1={right}0",
        "in base64": "v1=" + base64.b64encode(bytes.fromhex(right)).decode(),
        "of an older scheme": f"v0={right}",
        "of no scheme": right,
        "the eleventh of many": ",".join(["v1=00"] * 10 + [f"v1={right}"]),
    }


def test_wrong_signatures(webhook: Webhook) -> None:
    """401 before anything is read, the same for an unknown source, and nothing kept."""
    for name, signature in wrong_signatures(webhook).items():
        headers = {"regulars-timestamp": webhook.now(), "regulars-signature": signature}
        assert webhook.send(RAW, headers) == NOT_BELIEVED, name
    right = {
        "regulars-timestamp": webhook.now(),
        "regulars-signature": f"v1={signature_of(RAW, webhook.now(), webhook.secret)}",
    }
    for source in ("nobody", "SHOP", "x" * 100, "%2e%2e", "shop%00", "tokens"):
        assert webhook.send(RAW, right, source) == NOT_BELIEVED, source
    for position in range(0, len(RAW), 20):
        changed = RAW[:position] + bytes([RAW[position] ^ 1]) + RAW[position + 1 :]
        assert webhook.send(changed, right) == NOT_BELIEVED, position
    assert webhook.send(RAW, right) == TAKEN


@pytest.mark.parametrize(
    ("offset", "outcome"),
    [(-301, NOT_BELIEVED), (-300, TAKEN), (300, TAKEN), (301, NOT_BELIEVED), (10**9, NOT_BELIEVED)],
)
def test_times_of_signing(webhook: Webhook, offset: int, outcome: Outcome) -> None:
    assert webhook.signed(RAW, offset) == outcome


@pytest.mark.parametrize("timestamp", ["", "now", "1795338000.0", "-1", "+1", "1e9", "9" * 13, "0x10"])
def test_times_that_are_none(webhook: Webhook, timestamp: str) -> None:
    signature = f"v1={signature_of(RAW, timestamp, webhook.secret)}"
    headers = {"regulars-timestamp": timestamp, "regulars-signature": signature}
    assert webhook.send(RAW, headers) == NOT_BELIEVED


BODIES: dict[str, tuple[bytes, str]] = {
    **{f"not JSON: {name}": (raw, "bad_json") for name, raw in NOT_JSON.items() if name != "a number of 400 digits"},
    **{f"no object: {name}": (raw, "bad_shape") for name, raw in NO_OBJECT.items()},
    **{name: (orjson.dumps({**ORDER, **change}), code) for name, (code, change) in BAD_ORDERS.items()},
    "a key twice at the end": (RAW[:-1] + b',"total":"1"}', "bad_json"),
    "a number of 400 digits": (RAW.replace(b'"42.50"', b"1" * 400), "bad_amount"),
    "a number of 10,000 digits": (RAW.replace(b'"42.50"', b"1" * 10_000), "bad_json"),
    "over 150 KB": (b" " * 153_601, "too_large"),
    "1,001 lines": (orjson.dumps({**ORDER, "products": ORDER["products"] * 1_001}), "bad_shape"),
}


@pytest.mark.parametrize("row", BODIES)
def test_bad_orders_of_a_verified_sender(webhook: Webhook, row: str) -> None:
    """400 with a code, and a bad row."""
    raw, code = BODIES[row]
    assert webhook.signed(raw) == Outcome(400, code, (code,))


def test_the_same_delivery_and_the_same_version_again_are_one_order(webhook: Webhook) -> None:
    cloud = webhook.cloud
    for raw in (RAW, RAW, RAW.replace(b'"paid"', b'"placed"'), RAW.replace(b'"version":3', b'"version":2')):
        assert webhook.signed(raw) == TAKEN
    cloud.settle()
    log = S3EventLog(cloud.client("s3"), cloud.bucket_name)
    events = [event for key in list(log.keys()) for event in log.read(key)]
    stored = [event.message_id for event in events if event.type is EventType.ORDER]
    assert sorted(stored) == ["1001:2", "1001:3"]
    items = cloud.client("dynamodb").scan(TableName=cloud.table_name)["Items"]
    (book,) = [parsed_orders(item["doc"]["S"]) for item in items if item["sk"]["S"] == "ORDERS"]
    assert [entry.version for entry in book.entries.values()] == [3]


def test_two_secrets_are_good_during_a_rotation_and_older_ones_are_not(webhook: Webhook) -> None:
    cloud, first = webhook.cloud, webhook.secret
    manager = cloud.client("secretsmanager")
    for value, before in (("second", TAKEN), ("third", NOT_BELIEVED)):
        manager.put_secret_value(SecretId=f"{cloud.stack.name}/orders/shop", SecretString=value)
        cloud.functions.forget("receive_orders")
        webhook.secret = first
        assert webhook.signed(RAW) == before
        webhook.secret = value
        assert webhook.signed(RAW) == TAKEN
