"""`make reference`: what is done with notifications in SNS's envelopes and with recorded deliveries of Stripe's."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from infra.local import LocalCloud
from infra.payloads import deliver_recorded, notify_in_envelopes
from infra.recordings import Replay, replay_webhooks
from tests.webhooks import STRIPE_SESSION, stripe_event, timed_hmac

SIGNED_AT = 1795339700
TOLD = "whsec_recorded"
OPENED = {
    "eventType": "Open",
    "open": {"timestamp": "2026-11-22T09:00:00Z"},
    "mail": {"timestamp": "2026-11-22T08:00:00Z", "messageId": "m-1", "destination": ["ada@example.com"]},
}
CONFIRMATION = {"Type": "SubscriptionConfirmation", "Message": "You have chosen to subscribe", "Token": "1"}


def delivery(body: dict[str, Any], secret: str = TOLD) -> dict[str, Any]:
    """One recorded delivery."""
    raw = json.dumps(body).encode()
    headers = [["Stripe-Signature", f"t={SIGNED_AT},v1={timed_hmac(raw, SIGNED_AT, secret)}"]]
    return {
        "method": "POST", "path": "/webhooks/stripe", "headers": headers, "body": body,
        "raw_b64": base64.b64encode(raw).decode(),
    }  # fmt: skip


@pytest.fixture(scope="module")
def cloud() -> Any:
    with LocalCloud(start=datetime.fromtimestamp(SIGNED_AT, UTC)) as made:
        yield made


def test_envelopes_of_sns_are_opened_and_what_is_no_feedback_is_refused(cloud: LocalCloud, tmp_path: Path) -> None:
    (tmp_path / "sns").mkdir()
    texts = {
        "open": {"Type": "Notification", "Message": json.dumps(OPENED)},
        "text": {"Type": "Notification", "Message": "hello"},
        "subscription": CONFIRMATION,
    }
    for name, envelope in texts.items():
        (tmp_path / "sns" / f"{name}.json").write_text(json.dumps(envelope))
    result = Replay()
    notify_in_envelopes(cloud, tmp_path, result)
    assert result.failures == []
    assert result.outcomes == {
        f"message of SNS, {what}, {form}: {outcome}": 1
        for form in ("in its envelope", "alone")
        for what, outcome in (
            ("SES's event", "understood"),
            ("no feedback (Notification)", "refused"),
            ("no feedback (SubscriptionConfirmation)", "refused"),
        )
    }


def test_an_event_that_is_not_understood_fails(cloud: LocalCloud, tmp_path: Path) -> None:
    (tmp_path / "sns").mkdir()
    broken = {"Type": "Notification", "Message": json.dumps({"eventType": "Open"})}
    (tmp_path / "sns" / "broken.json").write_text(json.dumps(broken))
    result = Replay()
    notify_in_envelopes(cloud, tmp_path, result)
    assert result.failures == ["sns/broken.json, in its envelope: refused", "sns/broken.json, alone: refused"]


def test_recorded_deliveries_of_stripe_are_believed_by_their_own_signatures(cloud: LocalCloud) -> None:
    result = Replay()
    plan = stripe_event("plan.created", {})
    recorded = [delivery(STRIPE_SESSION), delivery(plan), delivery(plan, "whsec_of_others")]
    deliver_recorded(cloud, "stripe.json", recorded, TOLD, result)
    assert result.outcomes == {
        "recorded webhook of stripe: taken": 1,
        "recorded webhook of stripe: believed, a topic that is not taken (plan.created)": 1,
    }
    assert result.failures == ["stripe.json: plan.created was answered 401"]


def test_deliveries_whose_secret_is_not_told_are_counted() -> None:
    result = Replay()
    replay_webhooks({"stripe.json": {"note": "no secret", "requests": [delivery(STRIPE_SESSION)]}}, result)
    assert result.failures == []
    assert result.outcomes == {"not replayed: webhook of stripe, whose secret the recording does not tell": 1}
