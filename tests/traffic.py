"""Requests as shops and browsers send them, to a local cloud."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode

from infra.local import LocalCloud

WRITE_KEY = "dev-write-key"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"


def signed(secret: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of a signed order (docs/collect.md, "Orders")."""
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {
        "content-type": "application/json",
        "regulars-timestamp": str(timestamp),
        "regulars-signature": f"v1={digest}",
    }


def place_order(cloud: LocalCloud, order: dict[str, Any]) -> None:
    """Deliver one order to the webhook, as a shop does."""
    body = json.dumps(order).encode()
    headers = signed(cloud.secret("orders/shop"), int(cloud.now.timestamp()), body)
    response = cloud.request("POST", "/webhooks/orders/shop", headers=headers, body=body)
    assert response.status == 200, response.body


def post_batch(cloud: LocalCloud, calls: list[dict[str, Any]]) -> None:
    """Send calls in one batch, as an SDK does."""
    headers = {
        "authorization": "Basic " + base64.b64encode(f"{WRITE_KEY}:".encode()).decode(),
        "content-type": "application/json",
        "user-agent": BROWSER,
    }
    body = json.dumps({"batch": calls}).encode()
    response = cloud.request("POST", "/v1/batch", headers=headers, body=body)
    assert response.status == 200, response.body


def get_pixel(cloud: LocalCloud, query: dict[str, str]) -> None:
    """Load the pixel, as a page does."""
    path = "/p.gif?" + urlencode({"writeKey": WRITE_KEY, **query})
    response = cloud.request("GET", path, headers={"user-agent": BROWSER})
    assert response.status == 200, response.body
