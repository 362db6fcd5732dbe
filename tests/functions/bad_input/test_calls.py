"""POST /v1/{call}: bad input -> answer, bad row, events."""

from __future__ import annotations

import base64
import gzip
from typing import Any

import orjson
import pytest

from tests.collecting import TRACK
from tests.functions.bad_input.conftest import Endpoint, Outcome
from tests.functions.bad_input.payloads import (
    ANSWER,
    BAD_EVENTS,
    NO_OBJECT,
    NOT_GZIP,
    NOT_JSON,
    ODD_EVENTS,
    WRONG_ANSWERS,
    without,
)

KEY = {"authorization": "Bearer dev-write-key"}
JSON = {**KEY, "content-type": "application/json"}
"""Goes to the function as text; what has no such type in base64, so that less of it fits into an event of Lambda's."""
MEMBERS = [{**TRACK, "messageId": f"m-{n}"} for n in range(50)]
LARGE = [{**TRACK, "messageId": f"l-{n}", "properties": {"text": "x" * 30_000}} for n in range(160)]


def kept(code: str) -> Outcome:
    """Refused, and the payload is a bad row."""
    return Outcome(400, code, (code,))


def partly(code: str) -> Outcome:
    """Taken, but for one member, which is a bad row; 200 has no code."""
    return Outcome(200, None, (code,), 49)


UNKNOWN = Outcome(401, "unauthorized")
BASIC_NOBODY = "Basic " + base64.b64encode(b"nobody:").decode()
CALLS: dict[str, tuple[str, dict[str, str], Any, Outcome]] = {
    "no write key": ("track", {}, TRACK, UNKNOWN),
    "an unknown write key": ("track", {"authorization": "Bearer wk_guess"}, TRACK, UNKNOWN),
    "a write key that was taken back": ("track", {"authorization": BASIC_NOBODY}, TRACK, UNKNOWN),
    "credentials that are not base64": ("track", {"authorization": "Basic ???"}, TRACK, UNKNOWN),
    "an empty write key": ("track", {"x-write-key": ""}, TRACK, UNKNOWN),
    "a write key that is a number": ("track", {}, {**TRACK, "writeKey": 1}, UNKNOWN),
    "the right key, cut off": ("track", {"authorization": "Bearer dev-write-ke"}, TRACK, UNKNOWN),
    "a wrong key over a right one in the body": (
        "track", {"x-write-key": "no"}, {**TRACK, "writeKey": "dev-write-key"}, UNKNOWN,
    ),
    "a wrong key and a body that is no JSON": ("track", {"x-write-key": "no"}, b"{", UNKNOWN),
    "junk of nobody": ("track", {}, b"{", Outcome(400, "bad_json")),
    **{f"not JSON: {name}": ("track", KEY, body, kept("bad_json")) for name, body in NOT_JSON.items()},
    **{f"not gzip: {name}": ("track", KEY, body, kept("bad_gzip")) for name, body in NOT_GZIP.items()},
    **{f"no object: {name}": ("track", KEY, body, kept("bad_shape")) for name, body in NO_OBJECT.items()},
    **{f"{name}": ("track", KEY, body, kept(code)) for name, (code, body) in BAD_EVENTS.items()},
    **{
        f"in a batch: {name}": ("batch", KEY, {"batch": [*MEMBERS[:49], {**body, "type": "track"}]}, partly(code))
        for name, (code, body) in BAD_EVENTS.items()
    },
    "a batch without its array": ("batch", KEY, {}, kept("bad_shape")),
    "a batch that is an object": ("batch", KEY, {"batch": {}}, kept("bad_shape")),
    "a batch whose context is text": ("batch", KEY, {"batch": [], "context": "x"}, kept("bad_shape")),
    "a batch of 10,001 members": ("batch", KEY, {"batch": [{}] * 10_001}, kept("too_many_events")),
    "an empty batch": ("batch", KEY, {"batch": []}, Outcome(200)),
    "a member that is null": ("batch", KEY, {"batch": [*MEMBERS[:49], None]}, partly("bad_shape")),
    "a member without a type": (
        "batch", KEY, {"batch": [*MEMBERS[:49], without(TRACK, "type")]}, partly("unknown_type"),
    ),
    "a member that is an order": (
        "batch", KEY, {"batch": [*MEMBERS[:49], {**TRACK, "type": "order"}]}, partly("unknown_type"),
    ),
    "a member that is the system's": (
        "batch", KEY, {"batch": [*MEMBERS[:49], {**TRACK, "type": "system"}]}, partly("unknown_type"),
    ),
    "a member that is a product": (
        "batch", KEY, {"batch": [*MEMBERS[:49], {**TRACK, "type": "product"}]}, partly("unknown_type"),
    ),
    **{
        f"a survey's answer with {name}": ("survey", KEY, {**ANSWER, "userId": "u", **changes}, kept(code))
        for name, (changes, code) in WRONG_ANSWERS.items()
    },
    "a survey's answer of nobody": ("survey", KEY, {**ANSWER, "email": ""}, kept("no_identifier")),
    "a survey's answer of an address that is a number": ("survey", KEY, {**ANSWER, "email": 5}, kept("bad_identifier")),
    "a survey's answer that is an array": ("survey", KEY, [ANSWER], kept("bad_shape")),
    "a survey's answer without a key": ("survey", {}, ANSWER, UNKNOWN),
    "a survey's answer over 32 KiB": ("survey", KEY, {**ANSWER, "x": "x" * 40_000}, kept("too_large")),
    "a survey's answer of one who is not tracked": (
        "survey", {**KEY, "dnt": "1"}, {**ANSWER, "userId": "u"}, Outcome(200),
    ),
    "a batch over 4.25 MiB": ("batch", JSON, {"batch": LARGE}, kept("too_large")),
    "a gzip bomb": ("batch", KEY, gzip.compress(b" " * 30_000_000), kept("too_large")),
    "a body over 10 MB": ("batch", KEY, b" " * (10 * 1024 * 1024 + 1), Outcome(413)),
    "a group without its id": ("group", KEY, {"userId": "u"}, kept("no_identifier")),
    "an alias of nobody": ("alias", KEY, {"userId": "u", "previousId": "null"}, kept("no_identifier")),
    "no such call": ("teleport", KEY, TRACK, Outcome(404, "not_found")),
    "text/plain, as beacons say": ("track", {**KEY, "content-type": "text/plain"}, TRACK, Outcome(200, events=1)),
    "a form, as old clients say": (
        "track", {**KEY, "content-type": "application/x-www-form-urlencoded"}, TRACK, Outcome(200, events=1),
    ),
    "gzip that no header tells of": ("track", KEY, gzip.compress(orjson.dumps(TRACK)), Outcome(200, events=1)),
    "a header that says gzip of what is not": (
        "track", {**KEY, "content-encoding": "gzip"}, TRACK, Outcome(200, events=1),
    ),
    "Global Privacy Control": ("track", {**KEY, "sec-gpc": "1"}, TRACK, Outcome(200)),
    "Do Not Track": ("track", {**KEY, "dnt": "1"}, TRACK, Outcome(200)),
    "a page loaded ahead": ("page", {**KEY, "sec-purpose": "prefetch"}, TRACK, Outcome(200)),
    **{name: ("track", KEY, {**TRACK, **odd}, Outcome(200, events=1)) for name, odd in ODD_EVENTS.items()},
}  # fmt: skip


@pytest.mark.parametrize("row", CALLS)
def test_bad_calls(endpoint: Endpoint, row: str) -> None:
    call, headers, body, outcome = CALLS[row]
    assert endpoint.send("POST", f"/v1/{call}", headers, body) == outcome
