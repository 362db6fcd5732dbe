"""One walk over an event as it came: limits that storage relies on, and masks for what a URL may give away."""

from __future__ import annotations

from typing import Any

from regulars.domain.errors import BadInputError
from regulars.domain.privacy import masked

MAX_DEPTH = 20
MAX_KEYS = 2_000
MAX_KEY_CHARS = 255
# DynamoDB's number range; anything beyond is a mistake of the sender, and no later stage should meet it.
MAX_NUMBER = 1e125
MIN_NUMBER = 1e-130

ADDRESS_KEYS = frozenset(
    {"url", "href", "referrer", "referer", "referring_domain", "search", "path", "title", "query", "source", "medium",
     "campaign", "term", "content", "landing_site", "initial_referrer",
     "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"}
)  # fmt: skip
"""Fields that hold (parts of) a page's address, its title or a search; masked wherever they stand."""


def checked(item: dict[str, Any]) -> int:
    """Check an event's size in levels, keys and numbers, mask addresses in its URLs in place, and count its keys.

    Any text with `://` in it counts as a URL. Raises BadInputError `too_deep`, `too_many_keys`, `key_too_long` or
    `number_range`.
    """
    keys = _object(item, 1)
    if keys > MAX_KEYS:
        raise BadInputError("too_many_keys", f"an event has at most {MAX_KEYS} keys")
    return keys


def _object(node: dict[str, Any], depth: int, addresses: frozenset[str] | dict[str, Any] = ADDRESS_KEYS) -> int:
    """Check and mask one object, and all below it; its number of keys. `addresses`: the fields to mask."""
    if depth > MAX_DEPTH:
        raise BadInputError("too_deep", f"an event has at most {MAX_DEPTH} levels")
    keys = len(node)
    for key, value in node.items():
        if len(key) > MAX_KEY_CHARS:
            raise BadInputError("key_too_long", f"a key has at most {MAX_KEY_CHARS} characters")
        kind = type(value)
        if kind is str:
            if key in addresses or "://" in value:
                node[key] = masked(value)
        elif kind is dict:
            # A campaign's values come from the query of a URL, whatever they are called.
            keys += _object(value, depth + 1, value if key == "campaign" else ADDRESS_KEYS)
        elif kind is list:
            keys += _array(value, depth + 1)
        elif kind is float:
            _number(value)
    return keys


def _array(node: list[Any], depth: int) -> int:
    if depth > MAX_DEPTH:
        raise BadInputError("too_deep", f"an event has at most {MAX_DEPTH} levels")
    keys = 0
    for index, value in enumerate(node):
        kind = type(value)
        if kind is dict:
            keys += _object(value, depth + 1)
        elif kind is list:
            keys += _array(value, depth + 1)
        elif kind is float:
            _number(value)
        elif kind is str and "://" in value:
            node[index] = masked(value)
    return keys


def _number(value: float) -> None:
    if value and not MIN_NUMBER <= abs(value) <= MAX_NUMBER:
        raise BadInputError("number_range", "numbers lie between 1e-130 and 1e125")
