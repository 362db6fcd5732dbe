"""The pixel: a Segment call in a query string (docs/collect.md, "The pixel").

Three forms that mix, the later ones winning: `data` (the whole call as JSON, base64 or base64url, as in Segment's Pixel
Tracking API), the call's fields as parameters (`event`, `userId`, ...; objects as JSON), and single values under a
dotted name (`properties.price=9.90`).
"""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import parse_qsl

import orjson

from regulars.domain.errors import BadInputError

MAX_PARAMETERS = 200
MAX_PATH = 5
KEY_PARAMETER = "writeKey"

_TEXTS = frozenset(
    {"type", "event", "name", "category", "userId", "anonymousId", "groupId", "previousId", "messageId", "timestamp",
     "originalTimestamp", "sentAt", "channel"}
)  # fmt: skip
_OBJECTS = frozenset({"properties", "traits", "context"})
_PAGE = frozenset({"url", "path", "referrer", "title", "search"})
# Segment's e-commerce properties that are numbers; every other dotted value stays text, so that an article number of
# digits is not turned into one.
_NUMBERS = frozenset(
    {"price", "quantity", "position", "total", "subtotal", "revenue", "value", "shipping", "tax", "discount"}
)
_BOOLEANS = {"true": True, "false": False}


def parameters(query: str) -> dict[str, str]:
    """The parameters of a raw query string; of a repeated one the first counts, as in the URL standard's `get`.

    Raises BadInputError `bad_query` when it is not percent-encoded UTF-8 or has too many parameters.
    """
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError as error:  # UnicodeDecodeError is one
        raise BadInputError(
            "bad_query", f"the query must be percent-encoded UTF-8 of at most {MAX_PARAMETERS} parameters"
        ) from error
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found


def call_of(given: dict[str, str]) -> dict[str, Any]:
    """The Segment call that the parameters spell. Unknown ones are ignored; `type` is `track` with an event, else
    `page`.

    Raises BadInputError `bad_parameter` when one that should hold JSON does not.
    """
    call = _data(given["data"]) if given.get("data") else {}
    for name in _TEXTS & given.keys():
        call[name] = given[name]
    for name in _OBJECTS & given.keys():
        if given[name]:
            call[name] = _json_object(given[name], name)
    for name in _PAGE & given.keys():
        _set(call, ("context", "page", name), given[name])
    for name, value in given.items():
        head, _, rest = name.partition(".")
        if rest and head in _OBJECTS:
            _set(call, (head, *rest.split(".")), _scalar(rest, value))
    if not call.get("type"):
        call["type"] = "track" if call.get("event") else "page"
    return call


def _scalar(name: str, value: str) -> object:
    if value in _BOOLEANS:
        return _BOOLEANS[value]
    if name in _NUMBERS:
        try:
            number = orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
        return number if isinstance(number, int | float) else value
    return value


def _set(call: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    if len(path) > MAX_PATH or not all(path):
        raise BadInputError("bad_parameter", "a dotted parameter has one to four names after the first")
    node = call
    for name in path[:-1]:
        child = node.setdefault(name, {})
        if not isinstance(child, dict):
            raise BadInputError("bad_parameter", "a dotted parameter goes through a value that is no object")
        node = child
    node[path[-1]] = value


def _data(text: str) -> dict[str, Any]:
    if text.startswith("{"):
        return _json_object(text, "data")
    compact = text.replace(" ", "+").translate(_TO_STANDARD).rstrip("=")
    try:
        decoded = base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadInputError("bad_parameter", "data must be JSON, base64 or base64url of it") from error
    return _json_object(decoded, "data")


_TO_STANDARD = str.maketrans("-_", "+/")


def _json_object(text: str | bytes, path: str) -> dict[str, Any]:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadInputError("bad_parameter", f"{path} must be a JSON object") from error
    if not isinstance(document, dict):
        raise BadInputError("bad_parameter", f"{path} must be a JSON object")
    return document
