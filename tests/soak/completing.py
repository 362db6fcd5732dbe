"""Gives generated bodies the meaning that no schema asks for, so that what is wrong with them is what was made wrong.

A body of the right shape may still name nobody, or an order a currency that does not exist: a request would be refused
for that, whatever else is wrong or right with it. A field of the right type gets a value that means something; one of a
wrong type stays.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

_AMOUNTS = ("total", "refunded", "discount", "shipping", "tax")
_INSTANT = "2026-11-22T08:00:00Z"


_LONG_NOTHING = re.compile(rb'"0{256,}"')


def completed(path: str, raw: bytes) -> bytes:
    """The body of a request to `path`, completed where it is JSON and may be.

    An id of zeros stands for nobody and counts as absent, however long it is; a long one is meant to be too long here.
    """
    raw = _LONG_NOTHING.sub(lambda found: found[0].replace(b"0", b"x"), raw)
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return raw
    if not isinstance(document, dict):
        return raw
    if path.startswith("/webhooks/orders/"):
        _complete_order(document)
    else:
        _complete_call(document)
    return orjson.dumps(document)


def _complete_call(call: dict[str, Any]) -> None:
    for name in ("userId", "anonymousId"):
        if _is_id(call.get(name), longest=255):
            call[name] = "a-1"
    for name in ("groupId", "previousId"):  # which must be there
        if call.get(name) not in (None, "") and _is_id(call[name], longest=255):
            call[name] = "g-1"
    for name in ("event", "name"):
        if isinstance(call.get(name), str) and 0 < len(call[name]) <= 255:
            call[name] = "Product Viewed"


def _complete_order(order: dict[str, Any]) -> None:
    if isinstance(order.get("currency"), str):
        order["currency"] = "EUR"
    for name in _AMOUNTS:
        _complete_amount(order, name)
    for name in ("placed_at", "updated_at"):
        if _is_scalar(order.get(name)):
            order[name] = _INSTANT
    if order.get("version") is None:
        order["version"] = 1
    customer = order.setdefault("customer", {})
    if isinstance(customer, dict) and _is_id(customer.get("user_id"), longest=255):
        customer["user_id"] = "c-1"
    products = order.get("products")
    for product in products if isinstance(products, list) else ():
        if isinstance(product, dict):
            _complete_amount(product, "price")


def _complete_amount(holder: dict[str, Any], name: str) -> None:
    if _is_scalar(holder.get(name)):
        holder[name] = "1.00"


def _is_scalar(value: object) -> bool:
    """Text or a number, which a boolean is not."""
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _is_id(value: object, *, longest: int) -> bool:
    """None, a whole number or a text that is not too long."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return True
    return isinstance(value, str) and len(value) <= longest
