"""Recorded bodies of webhooks and notifications, sent to the local cloud: a part of `make reference`.

Webhooks of shop systems are signed anew. Each system has its folder (`shopify`, `woocommerce`, `bigcommerce`, `stripe`)
with one JSON body a file. A body may be wrapped as the system's API wraps it (`{"order": {...}}`,
`{"orders": [...]}`). Files whose name holds `invalid` must be refused, all others taken; what is the body of no webhook
(a transaction, a refund of WooCommerce's) is counted and left. Whole deliveries of Stripe's in recordings go out as
they came, signature and all.

Notifications are those of SES: bare in the folder `ses`, in SNS's envelopes in the folder `sns`. There the message must
be understood with its envelope and without it (an SQS subscription gives either), and whatever is no event of SES's
(a confirmation of a subscription, a text of somebody's) must be refused.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from base64 import b64decode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from regulars.application.webhooks.signatures import signature_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.local import LocalCloud
    from infra.recordings import Replay

SHOPS = ("shopify", "woocommerce", "bigcommerce", "stripe")
RECORDED_PATH = "/webhooks/stripe"
"""Where a recorded Stripe delivered to."""
_RECORDED_SECRET = re.compile(r"\bwhsec_\w+")
_SIGNED_AT = re.compile(r"\bt=(\d+)")
_SECRET = "whsec_reference"  # noqa: S105 - signs nothing but this
_OK = 200
_SHOPIFY = {
    "order": "orders/updated",
    "refund": "refunds/create",
    "checkout": "checkouts/create",
    "fulfillment": "fulfillments/create",
    "customer": "customers/update",
    "product": "products/update",
}
"""What the API calls a resource, and the topic that tells of one."""
_SHOPIFY_DEMANDS = {"data_request": "customers/data_request", "orders_to_redact": "customers/redact"}
_WOOCOMMERCE = {
    "refunded_by": None,
    "line_items": "order.updated",
    "billing": "customer.updated",
    "stock_status": "product.updated",
}
"""A field at the top of a resource, and the topic that tells of such a one; the first that fits counts."""


def deliver_webhooks(cloud: LocalCloud, payloads: Path, result: Replay) -> None:
    """Send every body below `payloads` as its shop system would."""
    for shop in SHOPS:
        cloud.make_secret(f"orders/{shop}", _SECRET)
        for path in sorted((payloads / shop).glob("*.json")):
            for topic, body in _bodies(shop, json.loads(path.read_bytes())):
                if topic is None:
                    result.outcomes[f"webhook of {shop}: no webhook's body"] += 1
                    continue
                raw = json.dumps(body).encode()
                reply = cloud.request("POST", f"/webhooks/orders/{shop}", _headers(cloud, shop, topic, raw), raw)
                taken = reply.status == _OK and reply.json() == {"success": True}
                result.outcomes[f"webhook of {shop}: {'taken' if taken else 'refused'}"] += 1
                if taken == ("invalid" in path.name):
                    result.failures.append(f"{shop}/{path.name}: {reply.status} {reply.json()}")


def secret_told(document: dict[str, Any]) -> str | None:
    """The signing secret of Stripe's that the note of a recording tells."""
    found = _RECORDED_SECRET.search(document.get("note", ""))
    return found[0] if found else None


def signed_at(deliveries: list[dict[str, Any]]) -> datetime:
    """When the first of Stripe's recorded deliveries was signed: its signatures are good for some minutes."""
    return datetime.fromtimestamp(min(int(_SIGNED_AT.findall(_signature(one))[0]) for one in deliveries), UTC)


def deliver_recorded(
    cloud: LocalCloud, name: str, deliveries: list[dict[str, Any]], secret: str, result: Replay
) -> None:
    """Send Stripe's recorded deliveries with the bytes and signatures that they had, to a cloud of that instant."""
    cloud.make_secret("orders/stripe", secret)
    for request in deliveries:
        left = cloud.metric("WebhooksNotTaken")
        raw = b64decode(request["raw_b64"])
        reply = cloud.request("POST", "/webhooks/orders/stripe", request["headers"], raw)
        if reply.status != _OK:
            result.failures.append(f"{name}: {request['body']['type']} was answered {reply.status}")
            continue
        taken = cloud.metric("WebhooksNotTaken") == left
        outcome = "taken" if taken else f"believed, a topic that is not taken ({request['body']['type']})"
        result.outcomes[f"recorded webhook of stripe: {outcome}"] += 1
    bad = [row for body in cloud.queue("events") for row in json.loads(body)["bad"]]
    result.failures += [f"{name}: a bad row: {row['code']}" for row in bad]


def _signature(request: dict[str, Any]) -> str:
    return next(str(value) for name, value in request["headers"] if name.lower() == "stripe-signature")


def notify(cloud: LocalCloud, payloads: Path, result: Replay) -> None:
    """Hand every bare notification of SES's to record_feedback, as its queue would."""
    for path in sorted((payloads / "ses").glob("*.json")):
        understood = _understood(cloud, path.name, path.read_text())
        result.outcomes[f"notification: {'understood' if understood else 'refused'}"] += 1
        if understood == ("invalid" in path.name):
            result.failures.append(f"{path.name}: {'understood' if understood else 'refused'}")


def notify_in_envelopes(cloud: LocalCloud, payloads: Path, result: Replay) -> None:
    """Hand every message of SNS's to record_feedback, in its envelope and without it."""
    for path in sorted((payloads / "sns").glob("*.json")):
        envelope = json.loads(path.read_text())
        kind = _kind_of_feedback(envelope)
        what = "SES's event" if kind else f"no feedback ({envelope['Type']})"
        for form, body in (("in its envelope", path.read_text()), ("alone", envelope["Message"])):
            understood = _understood(cloud, path.name, body)
            outcome = "understood" if understood else "refused"
            result.outcomes[f"message of SNS, {what}, {form}: {outcome}"] += 1
            if understood != bool(kind):
                result.failures.append(f"sns/{path.name}, {form}: {outcome}")


def _kind_of_feedback(envelope: dict[str, Any]) -> str | None:
    """What SES calls the event in an envelope of SNS's; None where there is none."""
    try:
        message = json.loads(envelope["Message"]) if envelope["Type"] == "Notification" else None
    except ValueError:
        return None
    told = message if isinstance(message, dict) else {}
    return told.get("eventType") or told.get("notificationType")


def _understood(cloud: LocalCloud, message_id: str, body: str) -> bool:
    record = {"messageId": message_id, "body": body, "eventSource": "aws:sqs"}
    return not cloud.invoke("record_feedback", {"Records": [record]})["batchItemFailures"]


def _bodies(shop: str, document: dict[str, Any]) -> Iterator[tuple[str | None, Any]]:
    """(topic, body) of all that a file holds; a topic of None where no webhook has such a body."""
    if shop == "woocommerce":
        yield next((topic for name, topic in _WOOCOMMERCE.items() if name in document), None), document
    elif shop == "shopify":
        yield from _of_shopify(document)
    else:
        yield "", document  # in the body


def _of_shopify(document: dict[str, Any]) -> Iterator[tuple[str | None, Any]]:
    if len(document) == 1:
        ((name, wrapped),) = document.items()
        for body in wrapped if isinstance(wrapped, list) else [wrapped]:
            yield _SHOPIFY.get(name.removesuffix("s")), body
        return
    demand = next((topic for name, topic in _SHOPIFY_DEMANDS.items() if name in document), None)
    if demand or "shop_domain" in document:
        yield demand or "shop/redact", document
    else:
        yield _SHOPIFY["order"], document


def _headers(cloud: LocalCloud, shop: str, topic: str, raw: bytes) -> dict[str, str]:
    """The headers of one signed delivery."""
    timestamp = str(int(cloud.now.timestamp()))
    mac = base64.b64encode(hmac.new(_SECRET.encode(), raw, hashlib.sha256).digest()).decode()
    return {
        "shopify": {"X-Shopify-Topic": topic, "X-Shopify-Hmac-Sha256": mac},
        "woocommerce": {"X-WC-Webhook-Topic": topic, "X-WC-Webhook-Signature": mac},
        "bigcommerce": {"Regulars-Secret": _SECRET},
        "stripe": {"Stripe-Signature": f"t={timestamp},v1={signature_of(raw, timestamp, _SECRET)}"},
    }[shop]
