"""What a mapping may fill: the fields of each kind of import, and what their values are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from regulars.domain.events import MAX_MESSAGE_ID_CHARS, MAX_VERSION


class Kind(StrEnum):
    """What a row is. `order_lines`: one product of an order; the rows of an order may lie anywhere in the files."""

    ORDERS = "orders"
    ORDER_LINES = "order_lines"
    CUSTOMERS = "customers"
    PRODUCTS = "products"
    CONSENTS = "consents"
    EVENTS = "events"


class Shape(StrEnum):
    """What a value is read as. `identifier`: values that stand for nobody (`0`, `null`, ...) are none. `amount`: of
    money. `scalar`: a text, number or boolean as it stands; `any`: JSON, too."""

    TEXT = "text"
    IDENTIFIER = "identifier"
    AMOUNT = "amount"
    INSTANT = "instant"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    LIST = "list"
    SCALAR = "scalar"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Target:
    """One field: its shape, the longest text, the smallest number, the values that it may have (any without)."""

    shape: Shape
    longest: int = 255
    choices: tuple[str, ...] = ()
    lowest: int = 0
    highest: int = MAX_VERSION


_KEY = Target(Shape.TEXT)
_TEXT = Target(Shape.TEXT)
_LONG_TEXT = Target(Shape.TEXT, longest=2_000)
_WHO = Target(Shape.IDENTIFIER)
_AMOUNT = Target(Shape.AMOUNT)
_INSTANT = Target(Shape.INSTANT)
_INTEGER = Target(Shape.INTEGER)
_LIST = Target(Shape.LIST)
_BOOLEAN = Target(Shape.BOOLEAN)
ANSWER = Target(Shape.TEXT, choices=("granted", "denied"))

IDENTIFIERS: Mapping[str, Target] = {
    "user_id": _WHO,
    "email": Target(Shape.IDENTIFIER, longest=254),
    "phone": Target(Shape.IDENTIFIER, longest=40),
    "loyalty_card": _WHO,
    "shop_customer_id": _WHO,
    "anonymous_id": _WHO,
}
NAMES: Mapping[str, Target] = {"first_name": _TEXT, "last_name": _TEXT}
_ORDER: Mapping[str, Target] = {
    "order_id": Target(Shape.TEXT, longest=64),
    "version": _INTEGER,
    "placed_at": _INSTANT,
    "updated_at": _INSTANT,
    "status": Target(Shape.TEXT, choices=("placed", "paid", "fulfilled", "cancelled", "refunded")),
    "currency": _TEXT,
    "total": _AMOUNT,
    "refunded": _AMOUNT,
    "discount": _AMOUNT,
    "shipping": _AMOUNT,
    "tax": _AMOUNT,
    "coupons": _LIST,
    "channel": Target(Shape.TEXT, choices=("online", "store")),
    "email_consent": ANSWER,
    "sms_consent": ANSWER,
    "consent_at": _INSTANT,
    "consent_text": _TEXT,
    **IDENTIFIERS,
    **NAMES,
}
LINE: Mapping[str, Target] = {
    "product_id": _KEY,
    "quantity": Target(Shape.INTEGER, highest=1_000_000),
    "price": _AMOUNT,
    "line_total": _AMOUNT,
    "line_discount": _AMOUNT,
    "line": _TEXT,
    "sku": _TEXT,
    "name": _LONG_TEXT,
    "category": _TEXT,
    "url": _LONG_TEXT,
    "image_url": _LONG_TEXT,
}
"""Of one product of an order. `line_total` and `line_discount` are for the whole quantity, `price` is of one piece."""

FIELDS: Mapping[Kind, Mapping[str, Target]] = {
    Kind.ORDERS: _ORDER,
    Kind.ORDER_LINES: {**_ORDER, **LINE},
    Kind.CUSTOMERS: {"at": _INSTANT, **IDENTIFIERS, **NAMES, "email_consent": ANSWER, "sms_consent": ANSWER},
    Kind.PRODUCTS: {
        "product_id": _KEY,
        "version": _INTEGER,
        "updated_at": _INSTANT,
        "name": _LONG_TEXT,
        "price": _AMOUNT,
        "currency": _TEXT,
        "categories": _LIST,
        "brand": _TEXT,
        "sku": _TEXT,
        "in_stock": _BOOLEAN,
        "stock": Target(Shape.INTEGER, lowest=-(10**9), highest=10**9),
        "url": _LONG_TEXT,
        "image_url": _LONG_TEXT,
        "deleted": _BOOLEAN,
    },
    Kind.CONSENTS: {
        "at": _INSTANT,
        "channel": Target(Shape.TEXT, choices=("email", "sms")),
        "status": ANSWER,
        "text_version": _TEXT,
        "consent_source": _TEXT,
        "expires_at": _INSTANT,
        **IDENTIFIERS,
    },
    Kind.EVENTS: {
        "event": _TEXT,
        "type": Target(Shape.TEXT, choices=("track", "page", "screen")),
        "at": _INSTANT,
        "message_id": Target(Shape.TEXT, longest=MAX_MESSAGE_ID_CHARS),
        **IDENTIFIERS,
    },
}

REQUIRED: Mapping[Kind, tuple[tuple[str, ...], ...]] = {
    Kind.ORDERS: (("order_id",), ("placed_at",), ("status",), ("total",), tuple(IDENTIFIERS)),
    Kind.ORDER_LINES: (
        ("order_id",), ("placed_at",), ("status",), ("product_id",), ("quantity",), ("price", "line_total"),
        tuple(IDENTIFIERS),
    ),
    Kind.CUSTOMERS: (("at",), tuple(IDENTIFIERS)),
    Kind.PRODUCTS: (("product_id",), ("version", "updated_at")),
    Kind.CONSENTS: (("at",), ("channel",), ("status",), tuple(IDENTIFIERS)),
    Kind.EVENTS: (("event",), ("at",), tuple(IDENTIFIERS)),
}  # fmt: skip
"""What a mapping must have: of each group at least one."""

WITH_TRAITS = frozenset({Kind.ORDERS, Kind.ORDER_LINES, Kind.CUSTOMERS, Kind.EVENTS})
WITH_MONEY = frozenset({Kind.ORDERS, Kind.ORDER_LINES, Kind.PRODUCTS})
