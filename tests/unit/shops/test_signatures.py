"""Who is believed, compared with the shop systems' own code."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
import stripe
from shopify_app import ShopifyApp

from regulars.domain.errors import TransientError
from tests.collecting import NOW, code_of
from tests.webhooks import (
    SECRET,
    SHOPIFY_ORDER,
    STRIPE_SESSION,
    WOOCOMMERCE_ORDER,
    Shops,
    base64_hmac,
    signed_headers,
)

RAW = json.dumps(SHOPIFY_ORDER).encode()
AT = int(NOW.timestamp())


def shopify_says(method: str, headers: dict[str, str], raw: bytes) -> int:
    """The status that Shopify's own library would answer with."""
    app = ShopifyApp(client_id="id", client_secret=SECRET, old_client_secret="old")
    request: Any = {"method": method, "headers": headers, "url": "https://x.example/webhooks", "body": raw.decode()}
    return int(app.verify_webhook_req(request).response.status)


SHOPIFY_REQUESTS = {
    "good": ("POST", {"x-shopify-hmac-sha256": base64_hmac(RAW)}, RAW),
    "good, of the newer events": ("POST", {"shopify-hmac-sha256": base64_hmac(RAW)}, RAW),
    "signed with the secret before the rotation": ("POST", {"x-shopify-hmac-sha256": base64_hmac(RAW, "old")}, RAW),
    "signed with another secret": ("POST", {"x-shopify-hmac-sha256": base64_hmac(RAW, "guess")}, RAW),
    "not signed": ("POST", {}, RAW),
    "changed": ("POST", {"x-shopify-hmac-sha256": base64_hmac(RAW)}, RAW + b" "),
    "in hex": ("POST", {"x-shopify-hmac-sha256": base64.b64decode(base64_hmac(RAW)).hex()}, RAW),
    "not POST": ("GET", {"x-shopify-hmac-sha256": base64_hmac(RAW)}, RAW),
}


@pytest.mark.parametrize("case", SHOPIFY_REQUESTS)
def test_we_answer_as_shopifys_own_library_does(case: str) -> None:
    method, headers, raw = SHOPIFY_REQUESTS[case]
    shops = Shops()
    shops.secrets.rotate("orders/shopify-main", "old")
    shops.secrets.rotate("orders/shopify-main", SECRET)
    with_shop = {**headers, "x-shopify-shop-domain": "shop-1.myshopify.com", "x-shopify-topic": "orders/create"}
    reply = shops.request("shopify-main", raw, with_shop, method=method)
    assert reply.status == shopify_says(method, with_shop, raw)
    assert bool(shops.queue.messages) == (reply.status == 200)


def test_what_stripes_own_library_signs_is_believed_and_what_it_refuses_is_not() -> None:
    raw = json.dumps(STRIPE_SESSION)
    for secret, timestamp in ((SECRET, AT), (SECRET, AT - 297), (SECRET, AT - 303), ("guess", AT)):
        header = stripe.WebhookSignature.generate_signature_header(payload=raw, secret=secret, timestamp=timestamp)
        ours = Shops().request("stripe", raw.encode(), {"stripe-signature": header}).status == 200
        shifted = stripe.WebhookSignature.generate_signature_header(
            payload=raw, secret=secret, timestamp=int(time.time()) - (AT - timestamp)
        )
        try:
            stripe.Webhook.construct_event(raw, shifted, SECRET, tolerance=300)
            theirs = True
        except stripe.SignatureVerificationError:
            theirs = False
        assert ours == theirs, (secret, AT - timestamp)


def test_what_we_would_sign_for_stripe_its_own_library_believes() -> None:
    raw, now = json.dumps(STRIPE_SESSION).encode(), int(time.time())
    header = signed_headers("stripe", raw, "", SECRET, now)["stripe-signature"]
    assert stripe.Webhook.construct_event(raw, header, SECRET).id == "evt_1"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=1",
        "v1=00",
        f"t={AT},v0={'0' * 64}",
        "t=now,v1=00",
        f"t={AT},v1=",
        f"t={AT + 301},v1=x",
        ",,=,",
        "t=\udcff",
    ],
)
def test_a_stripe_header_that_proves_nothing_is_401(header: str) -> None:
    reply = Shops().request("stripe", RAW, {"stripe-signature": header})
    assert (reply.status, code_of(reply)) == (401, "unauthorized")


@pytest.mark.parametrize("given", ["", "guess", SECRET[:-1], SECRET + "x", "\udcff", SECRET.upper()])
def test_bigcommerce_must_carry_the_whole_secret(given: str) -> None:
    assert Shops().request("bigcommerce-eu", b"{}", {"regulars-secret": given}).status == 401


def test_both_secrets_of_a_rotation_are_good_for_every_kind_and_older_ones_are_not() -> None:
    shops = Shops()
    bodies = {
        "shopify-main": (SHOPIFY_ORDER, "orders/create"),
        "woocommerce": (WOOCOMMERCE_ORDER, "order.created"),
        "stripe": (STRIPE_SESSION, ""),
    }
    for source, (body, topic) in bodies.items():
        shops.secrets.rotate(f"orders/{source}", "next")
        assert shops.post(source, body, topic).status == shops.post(source, body, topic, secret="next").status == 200
        shops.secrets.rotate(f"orders/{source}", "third")
        assert shops.post(source, body, topic).status == 401


@pytest.mark.parametrize("source", ["shopify", "shopify-other", "woocommerce-x", "stripe-x", "bigcommerce"])
def test_a_source_without_a_secret_is_told_the_same_as_one_with_a_wrong_signature(source: str) -> None:
    """Even where its signature is right for the empty secret."""
    assert Shops().post(source, SHOPIFY_ORDER, "orders/create", secret="").status == 401


def test_woocommerces_ping_gets_exactly_200_and_leaves_nothing() -> None:
    """Unsigned, a form, and of a source that may not be known yet."""
    for source in ("woocommerce", "woocommerce-new"):
        shops = Shops()
        assert shops.request(source, b"webhook_id=17", {"user-agent": "WooCommerce/9 Hookshot"}).status == 200
        assert shops.queue.messages == []


@pytest.mark.parametrize("raw", [b"webhook_id=", b"webhook_id=1&x=2", b"x", b"", b"webhook_id=\xff", b"{}"])
def test_what_is_no_ping_must_be_signed(raw: bytes) -> None:
    shops = Shops()
    assert shops.request("woocommerce", raw, {}).status == 401
    assert shops.request("shopify-main", b"webhook_id=17", {}).status == 400
    assert shops.request("desk", b"webhook_id=17", {}).status == 401


def test_a_ping_that_claims_to_be_signed_is_checked() -> None:
    headers = {"x-wc-webhook-signature": "AAAA"}
    assert Shops().request("woocommerce", b"webhook_id=17", headers).status == 401


def test_without_the_secrets_nobody_is_believed_and_the_shop_may_try_again() -> None:
    class Silent:
        def valid(self, name: str) -> tuple[str, ...]:
            raise TransientError(name)

    assert Shops(secrets=Silent()).post("shopify-main", SHOPIFY_ORDER, "orders/create").status == 503
