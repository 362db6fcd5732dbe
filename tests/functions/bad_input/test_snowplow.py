"""Snowplow's two routes: bad input -> answer, bad row, events. No answer may make a tracker ask for ever."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.functions.bad_input.conftest import Endpoint, Outcome
from tests.functions.bad_input.payloads import NO_OBJECT, NOT_GZIP, NOT_JSON

PATH = "/com.snowplowanalytics.snowplow/tp2"
KEY = {"x-write-key": "dev-write-key"}
VIEW = {"e": "pv", "aid": "dev-write-key", "duid": "d-1", "url": "https://shop.example/p/7", "page": "Mug"}
UNKNOWN = Outcome(401, "unauthorized")
TAKEN = Outcome(200, events=1)


def kept(code: str) -> Outcome:
    """Refused, and the payload is a bad row."""
    return Outcome(400, code, (code,))


def row(code: str) -> Outcome:
    """Answered as if it were good, which no tracker repeats, and a bad row."""
    return Outcome(200, None, (code,))


def described(event: Any) -> str:
    schema = "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0"
    return json.dumps({"schema": schema, "data": event})


def base64url(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


BAD: dict[str, tuple[str, dict[str, Any]]] = {
    "nobody": ("no_identifier", {"duid": None}),
    "null and zeros": ("no_identifier", {"duid": "null", "uid": "0"}),
    "a long id": ("bad_identifier", {"uid": "x" * 256}),
    "a long eid": ("bad_message_id", {"eid": "x" * 101}),
    "no e": ("unknown_type", {"e": None}),
    "an unknown e": ("unknown_type", {"e": "teleport"}),
    "an empty struct event": ("bad_event_name", {"e": "se"}),
    "an action of 300 characters": ("bad_event_name", {"e": "se", "se_ac": "x" * 300}),
    "no self-describing event": ("bad_parameter", {"e": "ue"}),
    "ue_pr that is cut off": ("bad_parameter", {"e": "ue", "ue_pr": "{"}),
    "ue_pr that is an array": ("bad_parameter", {"e": "ue", "ue_pr": "[]"}),
    "ue_pr without a schema": ("bad_parameter", {"e": "ue", "ue_pr": described({"data": {}})}),
    "ue_pr whose schema is a number": ("bad_parameter", {"e": "ue", "ue_pr": described({"schema": 1})}),
    "ue_pr with a key twice": ("bad_json", {"e": "ue", "ue_pr": '{"data":1,"data":2}'}),
    "ue_pr of 22 levels": ("too_deep", {"e": "ue", "ue_pr": '{"a":' * 22 + "1" + "}" * 22}),
    "ue_px that is no base64": ("bad_parameter", {"e": "ue", "ue_px": "!"}),
    "ue_px that is no JSON": ("bad_parameter", {"e": "ue", "ue_px": base64url("nope")}),
    "contexts that are cut off": ("bad_parameter", {"co": "{"}),
    "a number out of range": ("number_range", {"e": "se", "se_ac": "x", "se_va": "1e126"}),
}
"""Name to (code, what a good payload says instead)."""

ODD: dict[str, dict[str, Any]] = {
    "a schema that is no address": {"e": "ue", "ue_pr": described({"schema": "order", "data": {}})},
    "data that is text": {"e": "ue", "ue_pr": described({"schema": "iglu:a/b/jsonschema/1-0-0", "data": "x"})},
    "an action without a type": {
        "e": "ue",
        "ue_pr": described(
            {"schema": "iglu:com.snowplowanalytics.snowplow.ecommerce/snowplow_ecommerce_action/jsonschema/1-0-2"}
        ),
    },
    "an action whose type is an object": {
        "e": "ue",
        "ue_pr": described(
            {
                "schema": "iglu:com.snowplowanalytics.snowplow.ecommerce/snowplow_ecommerce_action/jsonschema/1-0-2",
                "data": {"type": {}},
            }
        ),
        "co": json.dumps(
            {
                "data": [
                    {
                        "schema": "iglu:com.snowplowanalytics.snowplow.ecommerce/product/jsonschema/1-0-0",
                        "data": {"id": "7"},
                    }
                ]
            }
        ),
    },
    "contexts that are none": {"co": '{"data":{"a":1}}'},
    "contexts without schemas": {"co": '{"data":[1,null,{"schema":1,"data":{}},{"schema":"x"}]}'},
    "a time that is none": {"dtm": "yesterday", "stm": "1e400"},
    "an address that is none": {"url": "http://[::1", "refr": "javascript:alert(1)"},
    "a value that is no number": {"e": "se", "se_ac": "x", "se_va": "many"},
    "numbers where text belongs": {"uid": 42, "dtm": 1795337998000},
    "parameters that mean nothing": {"__proto__": "x", "pk": "y"},
    "a version without a tracker": {"tv": ""},
}
"""Name to what a good payload says instead. All are taken."""

POSTS: dict[str, tuple[dict[str, str], Any, Outcome]] = {
    "no app id": ({}, {"data": [{**VIEW, "aid": None}]}, UNKNOWN),
    "an unknown app id": ({}, {"data": [{**VIEW, "aid": "nobody"}]}, UNKNOWN),
    "no payloads and no key": ({}, {"data": []}, UNKNOWN),
    "a wrong key over a right app id": ({"x-write-key": "no"}, {"data": [VIEW]}, UNKNOWN),
    "an app id of another kind, with a key": (KEY, {"data": [{**VIEW, "aid": "shop"}]}, TAKEN),
    "no payloads": (KEY, {"data": []}, Outcome(200)),
    "data that is an object": (KEY, {"data": {}}, kept("bad_shape")),
    "no data": (KEY, {}, kept("bad_shape")),
    "10,001 payloads": (KEY, {"data": [{}] * 10_001}, kept("too_many_events")),
    "over 4.25 MiB": (
        {**KEY, "content-type": "application/json"},
        {"data": [{**VIEW, "page": "x" * 30_000}] * 160},
        kept("too_large"),
    ),
    "a key twice": (KEY, b'{"data":[],"data":[]}', kept("bad_json")),
    "a payload that is null": (KEY, {"data": [None, VIEW]}, Outcome(200, None, ("bad_shape",), 1)),
    "a parameter that is an object": (KEY, {"data": [{**VIEW, "x": {}}]}, row("bad_shape")),
    "a payload of 33 KB": (KEY, {"data": [{**VIEW, "co": "x" * 33_000}]}, row("too_large")),
    "a body over 10 MB": (KEY, b" " * (10 * 1024 * 1024 + 1), Outcome(413)),
    "Global Privacy Control": ({"sec-gpc": "1"}, {"data": [VIEW]}, Outcome(200)),
    **{
        f"not JSON: {name}": (KEY, body, kept("bad_json"))
        for name, body in NOT_JSON.items()
        if "twice" not in name  # which is JSON without data
    },
    **{f"not gzip: {name}": (KEY, body, kept("bad_gzip")) for name, body in NOT_GZIP.items()},
    **{f"no object: {name}": (KEY, body, kept("bad_shape")) for name, body in NO_OBJECT.items()},
    **{
        f"beside a good one: {name}": ({}, {"data": [VIEW, {**VIEW, **bad}]}, Outcome(200, None, (code,), 1))
        for name, (code, bad) in BAD.items()
    },
    **{name: ({}, {"data": [{**VIEW, **odd}]}, TAKEN) for name, odd in ODD.items()},
}
GETS: dict[str, tuple[dict[str, Any], Outcome]] = {
    "no app id": ({**VIEW, "aid": ""}, UNKNOWN),
    "an unknown app id": ({**VIEW, "aid": "nobody"}, UNKNOWN),
    "a write key beside an app id of another kind": ({**VIEW, "aid": "", "writeKey": "dev-write-key"}, TAKEN),
    "201 parameters": ({**VIEW, **{f"p{n}": 1 for n in range(200)}}, row("bad_query")),
    "40 KB": ({**VIEW, "page": "x" * 40_000}, row("too_large")),
    **{name: ({**VIEW, **bad}, row(code)) for name, (code, bad) in BAD.items()},
    **{name: ({**VIEW, **odd}, TAKEN) for name, odd in ODD.items()},
}


@pytest.mark.parametrize("name", POSTS)
def test_bad_posts(endpoint: Endpoint, name: str) -> None:
    headers, body, outcome = POSTS[name]
    assert endpoint.send("POST", PATH, headers, body) == outcome


@pytest.mark.parametrize("name", GETS)
def test_bad_gets(endpoint: Endpoint, name: str) -> None:
    payload, outcome = GETS[name]
    query = urlencode({parameter: value for parameter, value in payload.items() if value is not None})
    assert endpoint.send("GET", f"/i?{query}") == outcome
