"""Whatever is sent to collect, it answers with a documented status, and what it acknowledges is queued."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.collecting import BASIC, KEY, TRACK, Shop

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=5,
)
FIELDS = [
    "type", "event", "name", "messageId", "userId", "anonymousId", "timestamp", "originalTimestamp", "sentAt",
    "properties", "traits", "context", "groupId", "previousId", "category", "channel",
]  # fmt: skip
CALLS = st.sampled_from(["track", "identify", "page", "screen", "group", "alias"])
SPOILED = st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=3)


@given(st.binary(max_size=300), CALLS | st.just("batch"))
@settings(max_examples=200, deadline=None)
def test_any_bytes_get_a_documented_answer(body: bytes, call: str) -> None:
    shop = Shop()
    assert shop.request("POST", f"/v1/{call}", body, BASIC).status in {200, 400}


@given(st.lists(st.tuples(CALLS, SPOILED), max_size=3))
@settings(max_examples=100, deadline=None)
def test_every_member_of_an_acknowledged_batch_is_an_event_or_a_bad_row(
    members: list[tuple[str, dict[str, Any]]],
) -> None:
    shop = Shop()
    batch = [{**TRACK, "type": call, **spoiled} for call, spoiled in members]
    body = orjson.dumps({"batch": batch}, option=orjson.OPT_PASSTHROUGH_DATETIME) if is_json(batch) else b"{}"
    reply = shop.request("POST", "/v1/batch", body, BASIC)
    if reply.status == 200:
        events, bad = shop.stored()
        answer = orjson.loads(reply.body)
        refused = sum(value for name, value in reply.counters.items() if name.startswith("EventsRefused"))
        assert len(events) + len(bad) + refused == len(batch)
        assert answer.get("rejected", 0) == len(bad)
        assert all(event.timestamp <= event.received_at for event in events)


def is_json(value: object) -> bool:
    """Whether it can be sent at all (text with a lone surrogate, or an integer of more than 64 bits, cannot)."""
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


@given(st.text(alphabet="abcdefgh%=&.+-_[]{}\"'0123456789ü ", max_size=200))
@settings(max_examples=200, deadline=None)
def test_a_pixel_with_a_right_key_always_gets_its_image(query: str) -> None:
    shop = Shop()
    reply = shop.request("GET", "/p.gif", query=f"writeKey={KEY}&{query}")
    assert (reply.status, reply.headers["content-type"]) == (200, "image/gif")
    events, bad = shop.stored()
    assert len(events) + len(bad) + sum(reply.counters.values()) >= 1


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=40), max_size=5))
@settings(max_examples=100, deadline=None)
def test_any_headers_without_a_key_are_unauthorized(headers: dict[str, str]) -> None:
    lowered = {name.lower(): value for name, value in headers.items() if name.lower() != "origin"}
    assert Shop().request("POST", "/v1/track", TRACK, lowered).status == 401
