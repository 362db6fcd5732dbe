"""Shop systems that send webhooks: small bodies of theirs, signed as they sign, to a receiver on memory adapters."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from regulars.adapters.memory.queue import MemoryQueue
from regulars.adapters.memory.secrets import MemorySecrets
from regulars.application.http import HttpReply, HttpRequest
from regulars.application.receive_orders import ReceiveOrders
from regulars.domain.events import BadRow, Event
from regulars.ports import Secrets
from tests.collecting import NOW, queued

SECRET = "whsec_shops"
SHOPIFY_ORDER: dict[str, Any] = {
    "id": 6200354537772,
    "name": "#1069",
    "created_at": "2026-11-22T04:00:00-05:00",
    "processed_at": "2026-11-22T04:00:00-05:00",
    "updated_at": "2026-11-22T04:20:00-05:00",
    "cancelled_at": None,
    "currency": "EUR",
    "total_price": "99.00",
    "current_total_price": "99.00",
    "total_discounts": "5.00",
    "total_tax": "15.80",
    "total_shipping_price_set": {"shop_money": {"amount": "4.90", "currency_code": "EUR"}},
    "financial_status": "paid",
    "fulfillment_status": None,
    "source_name": "web",
    "test": False,
    "email": "ada@example.com",
    "phone": None,
    "note_attributes": [{"name": "loyalty_card", "value": "4006381333931"}, {"name": "anonymous_id", "value": "b3f1"}],
    "discount_codes": [{"code": "WELCOME", "amount": "5.00"}],
    "refunds": [],
    "billing_address": {"first_name": "Ada", "last_name": "Example", "country_code": "DE"},
    "customer": {
        "id": 207119551,
        "email": "ada@example.com",
        "first_name": "Ada",
        "email_marketing_consent": {
            "state": "subscribed",
            "opt_in_level": "single_opt_in",
            "consent_updated_at": "2026-11-22T03:59:00-05:00",
        },
        "sms_marketing_consent": {"state": "not_subscribed", "consent_updated_at": None},
    },
    "line_items": [
        {"id": 1, "product_id": 632910392, "variant_id": 808950810, "sku": "OIL-500", "title": "Olive oil",
         "quantity": 9, "price": "10.00"},
        {"id": 2, "product_id": None, "variant_id": None, "sku": None, "title": "Gift wrap", "quantity": 1,
         "price": "4.10"},
    ],
}  # fmt: skip
SHOPIFY_REFUND: dict[str, Any] = {
    "id": 509562969,
    "order_id": 6200354537772,
    "created_at": "2026-11-22T04:25:00-05:00",
    "refund_line_items": [{"line_item_id": 1, "quantity": 2, "subtotal": 20.0}],
    "transactions": [
        {"id": 1, "kind": "refund", "status": "success", "amount": "20.00", "currency": "EUR"},
        {"id": 2, "kind": "refund", "status": "failure", "amount": "20.00", "currency": "EUR"},
        {"id": 3, "kind": "void", "status": "success", "amount": "5.00", "currency": "EUR"},
    ],
}
WOOCOMMERCE_ORDER: dict[str, Any] = {
    "id": 727,
    "number": "727",
    "status": "processing",
    "currency": "EUR",
    "date_created": "2026-11-22T10:00:00",
    "date_created_gmt": "2026-11-22T09:00:00",
    "date_modified_gmt": "2026-11-22T09:10:00",
    "discount_total": "1.00",
    "shipping_total": "10.00",
    "total": "29.35",
    "total_tax": "1.35",
    "customer_id": 25,
    "created_via": "checkout",
    "billing": {
        "first_name": "Ada",
        "last_name": "Example",
        "country": "DE",
        "email": "ada@example.com",
        "phone": "+49 30 123456",
    },
    "meta_data": [{"id": 1, "key": "loyalty_card", "value": "4006381333931"}, {"id": 2, "key": "_x", "value": {}}],
    "line_items": [
        {
            "name": "Ship Your Idea &ndash; Black",
            "product_id": 22,
            "variation_id": 23,
            "quantity": 3,
            "sku": "",
            "price": 3.3333333333333335,
        }
    ],
    "coupon_lines": [{"code": "welcome"}],
    "refunds": [],
}
BIGCOMMERCE_THIN: dict[str, Any] = {
    "store_id": "11111",
    "producer": "stores/abcde",
    "scope": "store/order/statusUpdated",
    "data": {"type": "order", "id": 173331},
    "hash": "3f9ea420af83450d7ef9f78b08c8af25b2213637",
    "created_at": 1795339700,
}
BIGCOMMERCE_ORDER: dict[str, Any] = {
    "id": 173331,
    "customer_id": 11,
    "date_created": "Sun, 22 Nov 2026 09:00:00 +0000",
    "date_modified": "Sun, 22 Nov 2026 09:10:00 +0000",
    "status_id": 11,
    "status": "Awaiting Fulfillment",
    "total_inc_tax": "225.0000",
    "total_tax": "17.2700",
    "shipping_cost_inc_tax": "10.0000",
    "discount_amount": "0.0000",
    "coupon_discount": "5.0000",
    "refunded_amount": "0.0000",
    "currency_code": "USD",
    "default_currency_code": "EUR",
    "order_source": "www",
    "billing_address": {
        "first_name": "Ada",
        "last_name": "Example",
        "country_iso2": "DE",
        "email": "ada@example.com",
        "phone": "",
    },
}
BIGCOMMERCE_LINES: list[dict[str, Any]] = [
    {"id": 1, "product_id": 77, "name": "Olive oil", "sku": "OIL-500", "quantity": 2, "price_inc_tax": "107.5000"}
]
STRIPE_SESSION: dict[str, Any] = {
    "id": "evt_1",
    "object": "event",
    "type": "checkout.session.completed",
    "created": 1795339700,
    "data": {
        "object": {
            "id": "cs_1",
            "object": "checkout.session",
            "mode": "payment",
            "created": 1795339600,
            "payment_intent": "pi_1",
            "payment_status": "paid",
            "currency": "eur",
            "amount_total": 9900,
            "total_details": {"amount_discount": 500, "amount_shipping": 490, "amount_tax": 1580},
            "customer": "cus_1",
            "customer_details": {"email": "ada@example.com", "name": "Ada Example", "address": {"country": "DE"}},
            "metadata": {"user_id": "c-42", "anonymous_id": "b3f1"},
        }
    },
}


def stripe_event(kind: str, told: dict[str, Any], *, created: int = 1795339700) -> dict[str, Any]:
    """One of Stripe's events about an object."""
    return {"id": f"evt_{kind}_{created}", "type": kind, "created": created, "data": {"object": told}}


def base64_hmac(raw: bytes, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.new(secret.encode(), raw, hashlib.sha256).digest()).decode()


def timed_hmac(raw: bytes, timestamp: int | str, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), str(timestamp).encode() + b"." + raw, hashlib.sha256).hexdigest()


def signed_headers(source: str, raw: bytes, topic: str, secret: str, now: int) -> dict[str, str]:
    """The headers that the kind of sender of this name puts on a delivery, in lower case as the gateway gives them."""
    match source.partition("-")[0]:
        case "shopify":
            return {
                "x-shopify-topic": topic,
                "x-shopify-hmac-sha256": base64_hmac(raw, secret),
                "x-shopify-shop-domain": "shop-1.myshopify.com",
                "x-shopify-webhook-id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
                "x-shopify-triggered-at": "2026-11-22T09:29:59.000000001Z",
            }
        case "woocommerce":
            return {
                "x-wc-webhook-topic": topic,
                "x-wc-webhook-signature": base64_hmac(raw, secret),
                "x-wc-webhook-delivery-id": "0d4a",
                "user-agent": "WooCommerce/9.4 Hookshot (WordPress/6.7)",
            }
        case "bigcommerce":
            return {"regulars-secret": secret}
        case "stripe":
            return {"stripe-signature": f"t={now},v1={timed_hmac(raw, now, secret)},v0=00"}
    return {"regulars-timestamp": str(now), "regulars-signature": f"v1={timed_hmac(raw, now, secret)}"}


def delivery(
    source: str, raw: bytes, headers: dict[str, str], *, route: str = "orders", method: str = "POST"
) -> HttpRequest:
    """One request to a webhook, as the gateway gives it."""
    return HttpRequest(
        method=method,
        path=f"/webhooks/{route}/{source}",
        received_at=NOW,
        request_id="r-1",
        headers=headers,
        body=base64.b64encode(raw).decode(),
        is_base64=True,
    )


class Shops:
    """The webhooks of `shopify-main`, `woocommerce`, `bigcommerce-eu`, `stripe` and `desk`, all with one secret.

    `secrets`: where they are looked up instead of in `self.secrets`; `fetching`: whether anything is fetched.
    """

    def __init__(self, *, currency: str | None = "EUR", secrets: Secrets | None = None, fetching: bool = True) -> None:
        self.queue, self.fetches = MemoryQueue(), MemoryQueue()
        names = ("shopify-main", "woocommerce", "bigcommerce-eu", "stripe", "desk")
        self.secrets = MemorySecrets({f"orders/{name}": SECRET for name in names})
        self.receive = ReceiveOrders(
            secrets=secrets or self.secrets,
            secret_prefix="orders/",
            queue=self.queue,
            fetches=self.fetches if fetching else None,
            shop_currency=currency,
        )

    def request(
        self, source: str, raw: bytes, headers: dict[str, str], *, route: str = "orders", method: str = "POST"
    ) -> HttpReply:
        """One request as it is."""
        return self.receive(delivery(source, raw, headers, route=route, method=method))

    def post(self, source: str, body: object, topic: str = "", *, secret: str = SECRET, **more: str) -> HttpReply:
        """One signed delivery."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = signed_headers(source, raw, topic, secret, int(NOW.timestamp()))
        return self.request(source, raw, {**headers, **{name.replace("_", "-"): text for name, text in more.items()}})

    def events(self, source: str, body: object) -> HttpReply:
        """One signed body of events."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.request(source, raw, signed_headers("", raw, "", SECRET, int(NOW.timestamp())), route="events")

    def stored(self) -> tuple[list[Event], list[BadRow]]:
        """What the queue has taken since the last look."""
        return queued(self.queue)

    def told(self, source: str, body: object, topic: str = "") -> list[Event]:
        """The events of one good delivery."""
        reply = self.post(source, body, topic)
        assert (reply.status, reply.body) == (200, '{"success":true}')
        events, bad = self.stored()
        assert bad == []
        return events
