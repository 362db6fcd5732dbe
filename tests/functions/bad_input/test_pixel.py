"""GET /p.gif: bad input -> answer, bad row, events. With a right key the answer is always the image."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.functions.bad_input.conftest import Endpoint, Outcome

KEY = "writeKey=dev-write-key&"
UNKNOWN = Outcome(401, "unauthorized")
TAKEN = Outcome(200, events=1)


def kept(code: str) -> Outcome:
    """The image, and a bad row."""
    return Outcome(200, None, (code,))


HITS: dict[str, tuple[str, Outcome]] = {
    "nothing": ("", UNKNOWN),
    "an empty key": ("writeKey=", UNKNOWN),
    "an unknown key": ("writeKey=nobody&anonymousId=a", UNKNOWN),
    "a key in bytes": ("writeKey=%ff", UNKNOWN),
    "data that is cut off": ("data=%7B", UNKNOWN),
    "data without a key": ("data=e30", UNKNOWN),
    "nobody": (KEY + "event=x", kept("no_identifier")),
    "bad percent-encoding": (KEY + "anonymousId=%ff", kept("bad_query")),
    "half a percent": (KEY + "anonymousId=a%2&event=x%", TAKEN),
    "300 parameters": (KEY + "&".join(f"p{n}=1" for n in range(300)), kept("bad_query")),
    "1,001 parameters, and nobody looks for a key": (KEY + "&".join(["p=1"] * 1_000), UNKNOWN),
    "properties that are no JSON": (KEY + "anonymousId=a&properties=nope", kept("bad_parameter")),
    "properties that are an array": (KEY + "anonymousId=a&properties=[]", kept("bad_parameter")),
    "data that is neither": (KEY + "anonymousId=a&data=%21%21", kept("bad_parameter")),
    "data that is an array": (KEY + "anonymousId=a&data=W10", kept("bad_parameter")),
    "a name without a name": (KEY + "anonymousId=a&properties.a..b=1", kept("bad_parameter")),
    "a name through a number": (KEY + "anonymousId=a&context=%7B%22page%22%3A1%7D&url=x", kept("bad_parameter")),
    "a name too deep": (KEY + "anonymousId=a&properties.a.b.c.d.e=1", kept("bad_parameter")),
    "an unknown type": (KEY + "anonymousId=a&type=teleport", kept("unknown_type")),
    "an order": (KEY + "anonymousId=a&type=order", kept("unknown_type")),
    "an event of 8 KB": (KEY + "anonymousId=a&event=" + "x" * 8_000, kept("bad_event_name")),
    "40 KB": (KEY + "anonymousId=a&properties.text=" + "x" * 40_000, kept("too_large")),
    "21 levels": (KEY + "anonymousId=a&event=x&properties=" + quote('{"a":' * 21 + "1" + "}" * 21), kept("too_deep")),
    "5,000 levels": (KEY + "anonymousId=a&properties=" + "[" * 5_000, kept("bad_parameter")),
    "a number out of range": (KEY + "anonymousId=a&event=x&properties.price=1e126", kept("number_range")),
    "a repeated parameter": (KEY + "anonymousId=a&anonymousId=b", TAKEN),
    "unknown parameters": (KEY + "anonymousId=a&utm=1&__proto__=2&constructor.x=3", TAKEN),
    "a price that is no number": (KEY + "anonymousId=a&event=x&properties.price=free", TAKEN),
    "a plus and a semicolon": (KEY + "anonymousId=a+b;c&event=x", TAKEN),
    "a page alone": (KEY + "anonymousId=a", TAKEN),
}


@pytest.mark.parametrize("row", HITS)
def test_bad_hits(endpoint: Endpoint, row: str) -> None:
    query, outcome = HITS[row]
    assert endpoint.send("GET", f"/p.gif?{query}") == outcome


@pytest.mark.parametrize(
    "headers",
    [{}, {"if-none-match": "*"}, {"if-modified-since": "Sun, 22 Nov 2026 09:00:00 GMT"}, {"range": "bytes=0-1"}],
)
def test_the_image_is_never_kept_and_sets_no_cookie(endpoint: Endpoint, headers: dict[str, str]) -> None:
    """Whatever the browser says that it has: each hit must come here."""
    reply = endpoint.cloud.request("GET", f"/p.gif?{KEY}anonymousId=a", headers)
    assert (reply.status, len(reply.body), reply.headers["cache-control"]) == (200, 43, "no-store")
    assert "set-cookie" not in reply.headers
    assert reply.cookies == ()


def test_head_records_nothing(endpoint: Endpoint) -> None:
    assert endpoint.send("HEAD", f"/p.gif?{KEY}anonymousId=a") == Outcome(200)
    assert endpoint.send("HEAD", "/p.gif?anonymousId=a").status == 401


@pytest.mark.parametrize("header", ["sec-gpc", "dnt"])
def test_who_said_no_is_not_recorded(endpoint: Endpoint, header: str) -> None:
    assert endpoint.send("GET", f"/p.gif?{KEY}anonymousId=a", {header: "1"}) == Outcome(200)
