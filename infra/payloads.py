"""Recorded bodies of shop systems' webhooks, signed anew and sent to the local cloud: a part of `make reference`.

A folder has a folder for each shop system (`shopify`, `woocommerce`, `bigcommerce`, `stripe`), one JSON body a file. A
body may be wrapped as the system's API wraps it (`{"order": {...}}`, `{"orders": [...]}`). Files whose name holds
`invalid` must be refused, all others taken; what is the body of no webhook (a transaction, a refund of WooCommerce's)
is counted and left.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

from regulars.application.webhooks.signatures import signature_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.local import LocalCloud
    from infra.recordings import Replay

SHOPS = ("shopify", "woocommerce", "bigcommerce", "stripe")
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
