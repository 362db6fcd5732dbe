"""The receive_orders function on true envelopes, against SQS and Secrets Manager in moto."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from infra.local import LocalCloud
from regulars.runtime.settings import SettingsError

ROOT = Path(__file__).parents[2]
SAMPLES = {
    "shopify-order": (200, '{"success":true}', 1, 0),
    "shopify-refund": (200, '{"success":true}', 1, 0),
    "shopify-checkout": (200, '{"success":true}', 1, 0),
    "shopify-customer": (200, '{"success":true}', 3, 0),
    "shopify-redact": (200, '{"success":true}', 1, 0),
    "shopify-untaken": (200, '{"success":true}', 0, 0),
    "shopify-unsigned": (400, '"code":"unauthorized"', 0, 0),
    "shopify-bad-amount": (200, '"code":"bad_amount"', 0, 1),
    "woocommerce-order": (200, '{"success":true}', 1, 0),
    "woocommerce-customer": (200, '{"success":true}', 1, 0),
    "woocommerce-ping": (200, '{"success":true}', 0, 0),
    "bigcommerce-order": (200, '{"success":true}', 0, 0),
    "stripe-checkout": (200, '{"success":true}', 1, 0),
    "stripe-refund": (200, '{"success":true}', 1, 0),
    "signed-events": (200, '{"success":true}', 2, 0),
    "paid": (200, '{"success":true}', 1, 0),
    "refunded-base64": (200, '{"success":true}', 1, 0),
    "bad-amount": (400, '"code":"bad_amount"', 0, 1),
    "not-json": (400, '"code":"bad_json"', 0, 1),
    "wrong-signature": (401, '"code":"unauthorized"', 0, 0),
    "unknown-source": (401, '"code":"unauthorized"', 0, 0),
    "stale": (401, '"code":"unauthorized"', 0, 0),
}
SECRETS: dict[str, str] = {
    step["secret"].removeprefix("orders/"): step["value"]
    for path in (ROOT / "events" / "receive_orders").glob("*.before.yaml")
    for step in yaml.safe_load(path.read_text())
}


def sample(case: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events" / "receive_orders" / f"{case}.json").read_text())
    return event


def test_every_sample_is_answered_and_queued_as_it_should(cloud: LocalCloud) -> None:
    assert {path.stem for path in (ROOT / "events" / "receive_orders").glob("*.json")} == SAMPLES.keys()
    for source, value in SECRETS.items():
        cloud.make_secret(f"orders/{source}", value)
    for case, (status, text, good, bad) in SAMPLES.items():
        queued = len(cloud.queue("events"))
        reply = cloud.invoke("receive_orders", sample(case))
        assert reply["statusCode"] == status, case
        assert text in reply["body"], case
        bodies = [orjson.loads(body) for body in cloud.queue("events")[queued:]]
        assert sum(len(body["events"]) for body in bodies) == good, case
        assert sum(len(body["bad"]) for body in bodies) == bad, case
    assert len(cloud.queue("fetches")) == 1
    assert "ada@example.com" not in "".join(cloud.log)


def test_through_the_api_the_raw_bytes_are_what_was_signed(cloud: LocalCloud) -> None:
    raw = json.dumps(json.loads(sample("paid")["body"]), indent=3, ensure_ascii=False).encode()
    timestamp = str(int(cloud.now.timestamp()))
    key = cloud.secret("orders/shop").encode()
    signature = hmac.new(key, timestamp.encode() + b"." + raw, hashlib.sha256).hexdigest()
    headers = {"Regulars-Timestamp": timestamp, "Regulars-Signature": f"v1={signature}"}
    for content_type in ("application/json", "application/octet-stream"):
        reply = cloud.request("POST", "/webhooks/orders/shop", {**headers, "Content-Type": content_type}, raw)
        # The sample's order was placed after the local cloud's start: by less than a day, which is no error.
        assert (reply.status, reply.json()) == (200, {"success": True})
    assert cloud.request("POST", "/webhooks/orders/shop", headers, raw.replace(b"42.50", b"42.51")).status == 401
    assert cloud.request("POST", "/webhooks/orders/other", headers, raw).status == 401


@pytest.mark.parametrize("name", ["EVENTS_QUEUE_URL", "ORDER_SECRET_PREFIX"])
def test_without_its_settings_the_function_does_not_start(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from regulars.runtime.compose import receive_orders  # noqa: PLC0415 - after the settings

    monkeypatch.setenv("EVENTS_QUEUE_URL", "https://queue")
    monkeypatch.setenv("ORDER_SECRET_PREFIX", "orders/")
    receive_orders()
    monkeypatch.delenv(name)
    with pytest.raises(SettingsError, match=name):
        receive_orders()
