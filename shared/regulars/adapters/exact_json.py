"""JSON whose decimals stay as they are written, both ways: amounts of money are among them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import orjson


def exact_json(text: bytes) -> Any:
    """The data, decimals as Decimal. Raises ValueError where it is no JSON."""
    return json.loads(text, parse_float=Decimal)


def json_text(data: Any) -> bytes:
    """The text, keys in order. Raises TypeError on what is neither JSON nor Decimal."""
    return orjson.dumps(data, default=_decimal, option=orjson.OPT_SORT_KEYS)


def _decimal(value: Any) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value))
    raise TypeError
