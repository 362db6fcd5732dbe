"""Who signed: one scheme a kind of sender, each over the raw bytes, each with every secret that is valid now.

A claim reads the headers and raises UnverifiedError where a request cannot be genuine, so that no secret is fetched for
it. What it returns compares the body with the secrets, in the same time whether and where they differ.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regulars.application.http import HttpRequest

TIMESTAMP_HEADER = "regulars-timestamp"
SIGNATURE_HEADER = "regulars-signature"
SECRET_HEADER = "regulars-secret"  # noqa: S105 - a header's name
STRIPE_HEADER = "stripe-signature"
TOLERANCE_SECONDS = 300
_MAX_SIGNATURES = 10
_UNIX_SECONDS = re.compile(r"[0-9]{1,12}")

Check = Callable[[bytes, Sequence[str]], bool]
"""Whether a raw body was signed with any of the secrets."""
Claim = Callable[["HttpRequest"], Check]


class UnverifiedError(Exception):
    """Nobody whom we know signed this, or not now. Its text may be told to the sender."""

    def __init__(self, text: str, *, status: int = HTTPStatus.UNAUTHORIZED) -> None:
        super().__init__(text)
        self.status = int(status)


def generic_claim(request: HttpRequest) -> Check:
    """Regulars' own scheme: `Regulars-Timestamp`, and `v1=<hex>` (several with commas) in `Regulars-Signature`."""
    timestamp = request.headers.get(TIMESTAMP_HEADER, "")
    entries = request.headers.get(SIGNATURE_HEADER, "").split(",")[:_MAX_SIGNATURES]
    signatures = tuple(entry.strip()[3:].lower() for entry in entries if entry.strip().startswith("v1="))
    if not signatures or not _UNIX_SECONDS.fullmatch(timestamp):
        raise UnverifiedError("the request is not signed")
    _in_time(request, timestamp)
    return _timed(timestamp, signatures)


def stripe_claim(request: HttpRequest) -> Check:
    """Stripe's scheme: `t=<unix seconds>,v1=<hex>[,v1=<hex>][,v0=...]` in one header."""
    pairs = [entry.strip().partition("=") for entry in request.headers.get(STRIPE_HEADER, "").split(",")]
    timestamp = next((value for name, _, value in pairs if name == "t"), "")
    signatures = tuple(value.lower() for name, _, value in pairs if name == "v1")[:_MAX_SIGNATURES]
    if not signatures or not _UNIX_SECONDS.fullmatch(timestamp):
        raise UnverifiedError("the request is not signed")
    _in_time(request, timestamp)
    return _timed(timestamp, signatures)


def shopify_claim(request: HttpRequest) -> Check:
    """Base64 of HMAC-SHA256 over the body alone: a delivery has no time, and is known by its content when it comes
    again. A request without the header is malformed (400); Shopify's review wants 401 for a wrong one."""
    given = shopify_header(request.headers, "hmac-sha256")
    if not given:
        raise UnverifiedError("X-Shopify-Hmac-Sha256 is missing", status=HTTPStatus.BAD_REQUEST)
    return _base64(given)


def shopify_header(headers: Mapping[str, str], name: str) -> str:
    """A header of Shopify's: with `X-` from webhooks, without from its newer events. Empty where it is missing."""
    return headers.get(f"x-shopify-{name}") or headers.get(f"shopify-{name}") or ""


def woocommerce_claim(request: HttpRequest) -> Check:
    """As Shopify's, under another name."""
    given = request.headers.get("x-wc-webhook-signature", "")
    if not given:
        raise UnverifiedError("the request is not signed")
    return _base64(given)


def bigcommerce_claim(request: HttpRequest) -> Check:
    """A header of our own, given to BigCommerce when the webhook was made: it holds the secret itself. The body proves
    nothing (its `hash` has no key), and needs not: it only says what to fetch."""
    given = request.headers.get(SECRET_HEADER, "")
    if not given:
        raise UnverifiedError("the request does not carry the secret")
    return lambda _raw, secrets: _any_equal([given], secrets)


def signature_of(raw: bytes, timestamp: str, secret: str) -> str:
    """Hex of HMAC-SHA256 with `secret` over `<timestamp>.<raw body>`: what a sender puts behind `v1=`."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + raw, hashlib.sha256).hexdigest()


def _in_time(request: HttpRequest, timestamp: str) -> None:
    if abs(request.received_at.timestamp() - int(timestamp)) > TOLERANCE_SECONDS:
        raise UnverifiedError(f"the timestamp is more than {TOLERANCE_SECONDS} seconds from now")


def _timed(timestamp: str, signatures: Sequence[str]) -> Check:
    return lambda raw, secrets: _any_equal(signatures, [signature_of(raw, timestamp, secret) for secret in secrets])


def _base64(given: str) -> Check:
    def check(raw: bytes, secrets: Sequence[str]) -> bool:
        digests = (hmac.new(secret.encode(), raw, hashlib.sha256).digest() for secret in secrets)
        return _any_equal([given], [base64.b64encode(digest).decode() for digest in digests])

    return check


def _any_equal(given: Sequence[str], right: Sequence[str]) -> bool:
    """Whether any is any; all are compared, however soon one matches."""
    matches = [
        hmac.compare_digest(one.encode(), other.encode("utf-8", "surrogatepass")) for one in right for other in given
    ]
    return any(matches)
