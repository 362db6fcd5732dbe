"""The generic signed order as a shop sends it (docs/collect.md, "Orders"), and its canonical document."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from regulars.domain.errors import BadInputError
from regulars.domain.event_nodes import external_ids
from regulars.domain.events import MAX_VERSION, Event, EventType, Trust, event_id_of
from regulars.domain.identity import is_blocked
from regulars.domain.instants import to_millis
from regulars.domain.json_text import content_hash, strict_json
from regulars.domain.money import to_minor
from regulars.domain.times import OLDEST, parse_instant

EVENT_NAME = "Order Updated"
_LATEST_AHEAD = timedelta(days=1)
_IDENTIFIERS = ("user_id", "email", "phone", "loyalty_card", "shop_customer_id")


def _read_instant(value: object) -> datetime:
    instant = parse_instant(value)
    if instant is None or instant < OLDEST:
        raise ValueError("must be an ISO 8601 instant or epoch milliseconds, after 2000")
    return instant


def _read_key(value: object) -> object:
    """Numbers are ids too."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("must be a text that can be written; half a character (a lone surrogate) is none") from None
    return value.strip()


def _read_identifier(value: object) -> object:
    """As a key; a value that stands for nobody (`0`, `null`, empty) is none."""
    value = _read_key(value)
    return None if isinstance(value, str) and (not value or is_blocked(value)) else value


def _empty_is_absent(value: object) -> object:
    return None if value == "" else value


_AMOUNT_SCHEMA = {
    "type": ["string", "number"],
    "description": "A plain decimal: not negative, no more decimals than the currency has.",
    "examples": ["12.34"],
}
_INSTANT_SCHEMA = {
    "type": ["string", "number"],
    "description": "ISO 8601 (UTC without a zone), or epoch milliseconds or seconds; after 2000.",
    "examples": ["2026-11-22T09:25:00Z"],
}
_IDENTIFIER_SCHEMA = {"type": ["string", "integer", "null"], "maxLength": 255}

Amount = Annotated[str | int | Decimal, WithJsonSchema(_AMOUNT_SCHEMA)]
Instant = Annotated[datetime, BeforeValidator(_read_instant), WithJsonSchema(_INSTANT_SCHEMA)]
Identifier = Annotated[
    Annotated[str, Field(max_length=255)] | None, BeforeValidator(_read_identifier), WithJsonSchema(_IDENTIFIER_SCHEMA)
]
Text = Annotated[Annotated[str, Field(max_length=2_000)] | None, BeforeValidator(_empty_is_absent)]
ShortText = Annotated[Annotated[str, Field(max_length=255)] | None, BeforeValidator(_empty_is_absent)]


def _key_schema(longest: int) -> WithJsonSchema:
    return WithJsonSchema({"type": ["string", "integer"], "minLength": 1, "maxLength": longest})


Key = Annotated[str, BeforeValidator(_read_key), Field(min_length=1, max_length=255), _key_schema(255)]


class _Payload(BaseModel):
    """Types are taken as they stand in the JSON; fields that nobody told us about are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class ConsentPayload(_Payload):
    """What the shopper answered to one channel at the checkout, when, and to which text."""

    status: Literal["granted", "denied"]
    at: Instant
    text_version: ShortText = None


class MarketingConsent(_Payload):
    """The answers by channel; a channel without one was not asked."""

    email: ConsentPayload | None = None
    sms: ConsentPayload | None = None


class CustomerPayload(_Payload):
    """Who ordered; a guest has no `user_id`. `shop_customer_id`: the shop system's own number of the customer."""

    user_id: Identifier = None
    loyalty_card: Identifier = None
    shop_customer_id: Identifier = None
    email: Annotated[Annotated[str, Field(max_length=254)] | None, BeforeValidator(_empty_is_absent)] = None
    phone: Annotated[Annotated[str, Field(max_length=40)] | None, BeforeValidator(_empty_is_absent)] = None
    first_name: ShortText = None
    last_name: ShortText = None
    marketing_consent: MarketingConsent = MarketingConsent()


class ProductPayload(_Payload):
    """One line; `price` is of one piece."""

    product_id: Key
    quantity: Annotated[int, Field(ge=0, le=1_000_000)]
    price: Amount
    sku: ShortText = None
    name: Text = None
    category: ShortText = None
    url: Text = None
    image_url: Text = None


class OrderPayload(_Payload):
    """One order as it stands now. `version` grows with each change; where there is none, `updated_at` does."""

    order_id: Annotated[str, BeforeValidator(_read_key), Field(min_length=1, max_length=64), _key_schema(64)]
    version: Annotated[int, Field(ge=0, le=MAX_VERSION)] | None = None
    placed_at: Instant
    updated_at: Instant | None = None
    status: Literal["placed", "paid", "fulfilled", "cancelled", "refunded"]
    currency: Annotated[str, Field(examples=["EUR"])]
    total: Amount
    refunded: Amount = 0
    discount: Amount = 0
    shipping: Amount = 0
    tax: Amount = 0
    coupons: Annotated[tuple[Annotated[str, Field(max_length=255)], ...], Field(max_length=50, strict=False)] = ()
    channel: Literal["online", "store"] = "online"
    customer: Annotated[CustomerPayload, Field(examples=[{"user_id": "c-42", "email": "ada@example.com"}])] = (
        CustomerPayload()
    )
    anonymous_id: Identifier = None
    products: Annotated[tuple[ProductPayload, ...], Field(max_length=1_000, strict=False)] = ()


def order_event(raw: bytes, *, source: str, received_at: datetime) -> Event:
    """The canonical event of a generic order body.

    Raises BadInputError: `bad_json`, `bad_shape` (with the path), `bad_amount`, `unknown_currency`, `bad_instant`,
    `no_identifier`.
    """
    order = order_of(strict_json(raw))
    customer = order.customer
    if not any((*(getattr(customer, name) for name in _IDENTIFIERS), order.anonymous_id)):
        raise BadInputError("no_identifier", "customer needs a user_id, an email, a phone or another identifier")
    return event_of_order(order, source=source, received_at=received_at)


def order_of(document: object) -> OrderPayload:
    """The checked payload. Raises BadInputError `bad_shape` with the path of what is wrong."""
    try:
        return OrderPayload.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        path = ".".join(str(part) for part in first["loc"]) or "the body"
        raise BadInputError("bad_shape", f"{path}: {first['msg']}") from None  # its text quotes the values


def event_of_order(
    order: OrderPayload, *, source: str, received_at: datetime, more_traits: Mapping[str, Any] | None = None
) -> Event:
    """The canonical event of an order; its message id is `<order id>:<version>`. `more_traits`: what is known of the
    customer beside the payload; what the payload says itself stays as it is.

    Raises BadInputError: `bad_shape` (no version), `bad_amount`, `unknown_currency`, `bad_instant`.
    """
    if order.placed_at > received_at + _LATEST_AHEAD:
        raise BadInputError("bad_instant", "placed_at lies more than a day in the future")
    version = _version(order)
    customer = order.customer
    message_id = f"{order.order_id}:{version}"
    said = {
        name: value
        for name in ("email", "phone", "first_name", "last_name")
        if (value := getattr(customer, name)) is not None
    }
    traits = {**(more_traits or {}), **said}
    context = _context(customer, source)
    properties = _canonical(order, version)
    return Event(
        event_id=event_id_of(source, message_id),
        source=source,
        message_id=message_id,
        type=EventType.ORDER,
        name=EVENT_NAME,
        user_id=customer.user_id,
        anonymous_id=order.anonymous_id,
        timestamp=min(order.updated_at or order.placed_at, received_at),
        original_timestamp=order.updated_at or order.placed_at,
        received_at=received_at,
        trust=Trust.SIGNED,
        payload_hash=content_hash([customer.user_id, order.anonymous_id, traits, context, properties]),
        context=context,
        properties=properties,
        traits=traits,
    )


def _version(order: OrderPayload) -> int:
    if order.version is not None:
        return order.version
    if order.updated_at is None:
        raise BadInputError("bad_shape", "version: an order needs a version or updated_at")
    return to_millis(order.updated_at)


def _canonical(order: OrderPayload, version: int) -> dict[str, Any]:
    """The order document that the lake keeps and the fold reads: amounts in minor units, instants in epoch
    milliseconds."""
    amounts = {
        f"{name}_minor": _minor(getattr(order, name), order.currency, name)
        for name in ("total", "refunded", "discount", "shipping", "tax")
    }
    return {
        "order_id": order.order_id,
        "version": version,
        "status": order.status,
        "placed_at": to_millis(order.placed_at),
        "currency": order.currency,
        **amounts,
        "coupons": [coupon for coupon in order.coupons if coupon],
        "channel": order.channel,
        "products": [_line(line, order.currency, index) for index, line in enumerate(order.products)],
    }


def _line(line: ProductPayload, currency: str, index: int) -> dict[str, Any]:
    document: dict[str, Any] = {
        "product_id": line.product_id,
        "quantity": line.quantity,
        "price_minor": _minor(line.price, currency, f"products.{index}.price"),
    }
    for name in ("sku", "name", "category", "url", "image_url"):
        if (value := getattr(line, name)) is not None:
            document[name] = value
    return document


def _minor(amount: Amount, currency: str, path: str) -> int:
    minor = to_minor(amount, currency, path=path)
    if minor < 0:
        raise BadInputError("bad_amount", f"{path} must not be negative")
    return minor


def _context(customer: CustomerPayload, source: str) -> dict[str, Any]:
    """Consents, and the identifiers that are neither an account nor an address (Segment's `context.externalIds`)."""
    context: dict[str, Any] = {}
    if consent := _consent(customer.marketing_consent):
        context["consent"] = consent
    known = {"loyalty_card": customer.loyalty_card, "shop_customer_id": customer.shop_customer_id}
    if others := external_ids(source, known):
        context["externalIds"] = others
    return context


def _consent(given: MarketingConsent) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for channel, answer in (("email", given.email), ("sms", given.sms)):
        if answer is not None:
            found[channel] = {"status": answer.status, "at": to_millis(answer.at)}
            if answer.text_version is not None:
                found[channel]["text_version"] = answer.text_version
    return found
