"""Payloads that are refused, and some that only look bad."""

from __future__ import annotations

import gzip
from typing import Any

from tests.collecting import TRACK

NOT_JSON = {
    "empty": b"",
    "cut off": b"{",
    "cut off array": b"[1,",
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":Infinity}',
    "byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "invalid UTF-8": b'{"a":"\xff"}',
    "lone surrogate": rb'{"a":"\ud800"}',
    "5,000 levels": b"[" * 5_000,
    "a number of 400 digits": b'{"a":1' + b"0" * 400 + b"}",
    "a key twice": b'{"a":1,"a":2}',
    "a key twice, spaced": b'{"a" : 1, "a" : 2}',
    "a key twice, deep down": b'{"p":{"a":[{"b":1,"b":1}]}}',
    "a form": b"event=x&userId=u",
}
NOT_GZIP = {
    "damaged": b"\x1f\x8bnot gzip",
    "cut off": gzip.compress(b'{"a":1}' * 10_000)[:-9],
    "with a tail": gzip.compress(b"{}", mtime=0) + b"tail",
}
NO_OBJECT = {"null": b"null", "array": b"[]", "text": b'"x"', "number": b"1", "boolean": b"true"}


def deep(levels: int) -> dict[str, Any]:
    """An object of so many levels."""
    document: dict[str, Any] = {}
    for _ in range(levels):
        document = {"a": document}
    return document


def without(document: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}


BAD_EVENTS = {
    "nobody": ("no_identifier", {**TRACK, "anonymousId": None}),
    "null and undefined": ("no_identifier", {**TRACK, "anonymousId": "null", "userId": "undefined"}),
    "empty and 0": ("no_identifier", {**TRACK, "anonymousId": "", "userId": 0}),
    "zeros": ("no_identifier", {**TRACK, "anonymousId": "00000000-0000-0000-0000-000000000000"}),
    "a long id": ("bad_identifier", {**TRACK, "userId": "x" * 256}),
    "an id of 10 KB": ("bad_identifier", {**TRACK, "userId": "x" * 10_240}),
    "a control character in an id": ("bad_identifier", {**TRACK, "userId": "a\u0000b"}),
    "an id that is an object": ("bad_identifier", {**TRACK, "userId": {"id": 1}}),
    "an id that is true": ("bad_identifier", {**TRACK, "userId": True}),
    "an id with a fraction": ("bad_identifier", {**TRACK, "userId": 1.5}),
    "a long messageId": ("bad_message_id", {**TRACK, "messageId": "m" * 101}),
    "a messageId that is an array": ("bad_message_id", {**TRACK, "messageId": ["m"]}),
    "a messageId of two lines": ("bad_message_id", {**TRACK, "messageId": "a\nb"}),
    "no event": ("bad_event_name", without(TRACK, "event")),
    "a blank event": ("bad_event_name", {**TRACK, "event": "  "}),
    "a long event": ("bad_event_name", {**TRACK, "event": "x" * 256}),
    "an event that is an object": ("bad_event_name", {**TRACK, "event": {}}),
    "properties that are an array": ("bad_shape", {**TRACK, "properties": []}),
    "context that is text": ("bad_shape", {**TRACK, "context": "page"}),
    "traits that are a number": ("bad_shape", {**TRACK, "context": {"traits": 1}}),
    "21 levels": ("too_deep", {**TRACK, "properties": deep(20)}),
    "255 levels": ("too_deep", {**TRACK, "properties": deep(255)}),
    "2,001 keys": ("too_many_keys", {**TRACK, "properties": {f"k{n}": 1 for n in range(2_001)}}),
    "a long key": ("key_too_long", {**TRACK, "properties": {"k" * 256: 1}}),
    "1e-131": ("number_range", {**TRACK, "properties": {"n": 1e-131}}),
    "1e126": ("number_range", {**TRACK, "properties": {"n": [1e126]}}),
    "33 KB": ("too_large", {**TRACK, "properties": {"text": "x" * 33_000}}),
}
"""Name to (code, body of a track call)."""

ODD_EVENTS: dict[str, dict[str, Any]] = {
    "ids that look like keys": {"userId": "SEGMENT#vip", "anonymousId": "PROFILE#e_0"},
    "an id of hashes": {"userId": "#" * 255},
    "an id that looks like a node": {"userId": "u_" + "0" * 32},
    "an id with a path": {"userId": "../../events/date=2026-01-01/x"},
    "names that mean something elsewhere": {
        "properties": {"__proto__": {"x": 1}, "pk": "x", "sk": "STATE", "ttl": 1, "constructor": 1, "#a": ":b"}
    },
    "names that storage reserves": {"properties": {"size": 1, "count": 2, "select": 3, "": 4, ".": 5}},
    "numbers at the limits": {"properties": {"a": 1e125, "b": -1e125, "c": 1e-130, "d": 2**64 - 1, "e": -(2**63)}},
    "numbers that are no binary fractions": {"properties": {"price": 0.1, "total": 1e22, "quantity": 3}},
    "19 levels": {"properties": deep(18)},
    "no time": {"timestamp": None},
    "1970": {"timestamp": "1970-01-01T00:00:00Z"},
    "9999": {"timestamp": "9999-12-31T23:59:59Z"},
    "a leap second": {"timestamp": "2026-06-30T23:59:60Z"},
    "no zone": {"timestamp": "2026-11-22T08:59:58"},
    "epoch milliseconds as text": {"timestamp": "1795337998000"},
    "a time that is an object": {"timestamp": {"$date": 1}},
    "a far zone": {"timestamp": "0001-01-01T00:00:00+14:00"},
    "formulas": {"event": "=HYPERLINK(1)", "properties": {"a": "@SUM(1)", "b": "\t=1", "c": "-1+1"}},
    "markup": {"event": "<script>alert(1)</script>", "properties": {"name": "{{7*7}}${7*7}"}},
    "characters that queues refuse": {"properties": {"text": "a\ufffe\uffff\u0000\u0008b"}},
    "right to left": {"event": "\u05d0\u05d1", "properties": {"text": "\u202eevil"}},
}
"""Name to what a good track call says instead. All are taken, and must go all the way."""

BAD_ORDERS: dict[str, tuple[str, dict[str, Any]]] = {
    "1e3": ("bad_amount", {"total": "1e3"}),
    "a negative total": ("bad_amount", {"total": "-1"}),
    "three decimals": ("bad_amount", {"total": "12.345"}),
    "10^15": ("bad_amount", {"total": "1000000000000000"}),
    "NaN": ("bad_amount", {"total": "NaN"}),
    "no digits": ("bad_amount", {"total": ""}),
    "noise of floating point": ("bad_amount", {"total": 0.30000000000000004}),
    "a price in words": ("bad_amount", {"products": [{"product_id": "7", "quantity": 1, "price": "free"}]}),
    "no currency": ("unknown_currency", {"currency": "XXX"}),  # ISO 4217 for "no currency"
    "a currency in small letters": ("unknown_currency", {"currency": "eur"}),
    "true as total": ("bad_shape", {"total": True}),
    "null as total": ("bad_shape", {"total": None}),
    "no id": ("bad_shape", {"order_id": None}),
    "an empty id": ("bad_shape", {"order_id": ""}),
    "an unknown status": ("bad_shape", {"status": "lost"}),
    "a version that is text": ("bad_shape", {"version": "3"}),
    "a negative version": ("bad_shape", {"version": -1}),
    "no time": ("bad_shape", {"placed_at": "yesterday"}),
    "1970": ("bad_shape", {"placed_at": "1970-01-01T00:00:00Z"}),
    "products that are an object": ("bad_shape", {"products": {}}),
    "half a piece": ("bad_shape", {"products": [{"product_id": "7", "quantity": 1.5, "price": 1}]}),
    "an odd consent": (
        "bad_shape",
        {"customer": {"user_id": "u", "marketing_consent": {"email": {"status": "maybe", "at": 1}}}},
    ),
    "the day after tomorrow": ("bad_instant", {"placed_at": "2026-11-24T09:30:00Z"}),
    "nobody": ("no_identifier", {"customer": {"user_id": "null", "email": ""}, "anonymous_id": None}),
}
"""Name to (code, what a good order says instead)."""
ANSWER = {"survey": "delivery", "kind": "nps", "score": 9, "comment": "Fast."}
WRONG_ANSWERS: dict[str, tuple[dict[str, Any], str]] = {
    "no survey": ({"survey": None}, "bad_survey"),
    "a survey that is no name": ({"survey": "Delivery!"}, "bad_survey"),
    "a survey with a long name": ({"survey": "d" * 65}, "bad_survey"),
    "another kind": ({"kind": "stars"}, "bad_survey"),
    "a kind that is an object": ({"kind": {}}, "bad_survey"),
    "no score": ({"score": None}, "bad_score"),
    "above the scale": ({"score": 11}, "bad_score"),
    "below the scale": ({"kind": "csat", "score": 0}, "bad_score"),
    "half a score": ({"score": 8.5}, "bad_score"),
    "true": ({"kind": "csat", "score": True}, "bad_score"),
    "words": ({"score": "nine"}, "bad_score"),
    "other digits": ({"score": "\u0669"}, "bad_score"),
    "many digits": ({"score": "9" * 5_000}, "bad_score"),
    "a list": ({"score": [9]}, "bad_score"),
    "a comment that is a number": ({"comment": 5}, "bad_comment"),
    "a long comment": ({"comment": "x" * 2_001}, "bad_comment"),
}
"""Changes to ANSWER that make it none, with the code of the refusal."""
