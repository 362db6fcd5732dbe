"""The kinds of webhook senders: how each signs, what it sends, how it wants to be answered."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from regulars.application.webhooks import signatures
from regulars.application.webhooks.signatures import Claim, shopify_header
from regulars.application.webhooks.signed_events import MAX_BYTES as MAX_EVENTS_BYTES
from regulars.application.webhooks.signed_events import signed_events
from regulars.domain.errors import BadInputError
from regulars.domain.json_text import strict_json
from regulars.domain.orders_payload import order_event
from regulars.domain.shops import bigcommerce, shopify, stripe, woocommerce
from regulars.domain.shops.delivery import Delivery
from regulars.domain.times import parse_instant

if TYPE_CHECKING:
    from datetime import datetime

    from regulars.application.http import HttpRequest
    from regulars.domain.events import BadRow, Event
    from regulars.domain.shops.bigcommerce import Fetch

MAX_ORDER_BYTES = 150 * 1024
MAX_SHOP_BYTES = 1024 * 1024
"""A shop's order says everything it knows about each line; what is taken of it is a tenth."""
_WOOCOMMERCE_PING = re.compile(r"webhook_id=[0-9]{1,20}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A verified request. `topic`, `sent_at` and `delivery_id`: what its headers say of it, where they do."""

    raw: bytes
    source: str
    received_at: datetime
    request_id: str
    topic: str = ""
    sent_at: datetime | None = None
    delivery_id: str | None = None
    shop_currency: str | None = None

    def delivery(self, document: object, topic: str | None = None) -> Delivery:
        """As the translators take it; `topic` where the body has it."""
        return Delivery(
            source=self.source,
            topic=self.topic if topic is None else topic,
            document=document,
            received_at=self.received_at,
            sent_at=self.sent_at,
            delivery_id=self.delivery_id,
            shop_currency=self.shop_currency,
        )


@dataclass(slots=True)
class Taken:
    """What became of a webhook. `fetch`: what it asks to be fetched. `answer`: what its sender is told once that is
    safe."""

    events: Sequence[Event] = ()
    bad: Sequence[BadRow] = ()
    fetch: Fetch | None = None
    answer: Mapping[str, object] = field(default_factory=lambda: {"success": True})
    counters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKind:
    """How one kind of sender signs and speaks.

    `claim` finds what must be compared (raises UnverifiedError when a request cannot be genuine), `headed` reads what
    the headers say (topic, instant of sending, id of the delivery), `take` makes the events (raises BadInputError).
    `is_ping`: a greeting that only wants 200. `accepts_bad`: bad input is answered 200 once it is safe as a bad row;
    the sender would only repeat itself, and then give up on us.
    """

    claim: Claim
    take: Callable[[Webhook], Taken]
    headed: Callable[[Mapping[str, str]], tuple[str, datetime | None, str | None]] = lambda _headers: ("", None, None)
    is_ping: Callable[[HttpRequest], bool] = lambda _request: False
    max_bytes: int = MAX_SHOP_BYTES
    accepts_bad: bool = True


def _of_order(webhook: Webhook) -> Taken:
    return Taken([order_event(webhook.raw, source=webhook.source, received_at=webhook.received_at)])


def _of_signed_events(webhook: Webhook) -> Taken:
    found = signed_events(
        webhook.raw, source=webhook.source, received_at=webhook.received_at, request_id=webhook.request_id
    )
    return Taken(found.events, found.bad, answer=found.answer(), counters=found.counters())


def _of_shop(translate: Callable[[Delivery], list[Event]]) -> Callable[[Webhook], Taken]:
    return lambda webhook: Taken(translate(webhook.delivery(strict_json(webhook.raw))))


def _of_stripe(webhook: Webhook) -> Taken:
    document = strict_json(webhook.raw)
    return Taken(stripe.translate(webhook.delivery(document, _field(document, "type"))))


def _of_bigcommerce(webhook: Webhook) -> Taken:
    document = strict_json(webhook.raw)
    told = bigcommerce.told(webhook.delivery(document, _field(document, "scope")))
    return Taken(told) if isinstance(told, list) else Taken(fetch=told)


def _field(document: object, name: str) -> str:
    value = document.get(name) if isinstance(document, dict) else None
    if not isinstance(value, str):
        raise BadInputError("bad_shape", f"{name}: must be text")
    return value


def _headed_by_shopify(headers: Mapping[str, str]) -> tuple[str, datetime | None, str | None]:
    sent_at = parse_instant(shopify_header(headers, "triggered-at") or None)
    return shopify_header(headers, "topic"), sent_at, shopify_header(headers, "webhook-id")[:100] or None


def _headed_by_woocommerce(headers: Mapping[str, str]) -> tuple[str, datetime | None, str | None]:
    return headers.get("x-wc-webhook-topic", ""), None, headers.get("x-wc-webhook-delivery-id", "")[:100] or None


def _is_woocommerce_ping(request: HttpRequest) -> bool:
    """WooCommerce tries a new webhook's address with an unsigned form, and wants exactly 200."""
    if "x-wc-webhook-signature" in request.headers:
        return False
    try:
        body = request.raw_body()
    except BadInputError:
        return False
    return _WOOCOMMERCE_PING.fullmatch(body.decode("ascii", "replace")) is not None


GENERIC = "generic"
KINDS: Mapping[str, SourceKind] = {
    GENERIC: SourceKind(
        claim=signatures.generic_claim, take=_of_order, max_bytes=MAX_ORDER_BYTES, accepts_bad=False
    ),
    "shopify": SourceKind(
        claim=signatures.shopify_claim, take=_of_shop(shopify.translate), headed=_headed_by_shopify
    ),
    "woocommerce": SourceKind(
        claim=signatures.woocommerce_claim,
        take=_of_shop(woocommerce.translate),
        headed=_headed_by_woocommerce,
        is_ping=_is_woocommerce_ping,
    ),
    "bigcommerce": SourceKind(claim=signatures.bigcommerce_claim, take=_of_bigcommerce),
    "stripe": SourceKind(claim=signatures.stripe_claim, take=_of_stripe),
}  # fmt: skip
"""A source called `<kind>` or `<kind>-<anything>` is of that kind; every other one is generic."""
EVENTS = SourceKind(
    claim=signatures.generic_claim, take=_of_signed_events, max_bytes=MAX_EVENTS_BYTES, accepts_bad=False
)
"""What `/webhooks/events/{source}` takes, whatever the source is called."""


def kind_of(source: str) -> str:
    """The kind of a source, from its name."""
    kind = source.partition("-")[0]
    return kind if kind in KINDS else GENERIC


def taken(kind: SourceKind, webhook: Webhook) -> Taken:
    """What becomes of a webhook. Raises BadInputError."""
    if len(webhook.raw) > kind.max_bytes:
        raise BadInputError("too_large", f"a body has at most {kind.max_bytes} bytes")
    return kind.take(webhook)
