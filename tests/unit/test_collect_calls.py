"""Segment's calls at collect's door: what they become, and what is refused."""

from __future__ import annotations

import base64
import gzip
from dataclasses import replace
from typing import Any

import orjson
import pytest

from regulars.adapters.memory.system import CountedIds
from regulars.application.collect.doors import read_again
from regulars.application.http import HttpReply, HttpRequest
from regulars.domain.errors import BadInputError
from regulars.domain.events import EventType, Trust, event_id_of
from regulars.domain.instants import from_millis
from tests.collecting import BASIC, KEY, NOW, TRACK, Shop, code_of
from tests.functions.bad_input.payloads import BAD_EVENTS, NOT_GZIP, NOT_JSON, without

# What orjson can write itself, and so send; the rest is in tests/functions/bad_input.
WRITABLE = [row for name, row in BAD_EVENTS.items() if name != "255 levels"]


def success(reply: HttpReply) -> bool:
    ok = reply.status == 200 and reply.body == '{"success":true}'
    return ok and reply.headers["content-type"] == "application/json"


def test_a_track_call_becomes_one_public_event_under_its_message_id() -> None:
    shop = Shop()
    assert success(shop.post("track", TRACK))
    event = shop.event()
    assert event.event_id == event_id_of("web", "m-1")
    assert (event.source, event.type, event.name, event.trust) == (
        "web",
        EventType.TRACK,
        "Product Viewed",
        Trust.PUBLIC,
    )
    assert (event.anonymous_id, event.user_id) == ("a-1", None)
    assert event.properties == {"product_id": "7", "price": 9.9}
    assert event.context == {"ip": "198.51.100.0", "userAgent": "Mozilla/5.0"}


def test_the_clock_of_the_client_is_corrected_by_when_it_says_it_sent() -> None:
    shop = Shop()
    shop.post("track", {**TRACK, "timestamp": "2026-11-22T11:00:00Z", "sentAt": "2026-11-22T11:00:05Z"})
    event = shop.event()
    assert event.timestamp == from_millis(1_795_339_795_000)
    assert event.received_at == NOW
    assert (event.original_timestamp, event.sent_at) == (from_millis(1_795_345_200_000), from_millis(1_795_345_205_000))


@pytest.mark.parametrize(
    ("timestamp", "flag"),
    [
        ("1970-01-01T00:00:00Z", "past"),
        ("9999-12-31T23:59:59Z", "future"),
        ("yesterday", "unreadable"),
        ({}, "unreadable"),
    ],
)
def test_an_absurd_time_is_replaced_by_ours_and_flagged(timestamp: object, flag: str) -> None:
    shop = Shop()
    assert success(shop.post("track", {**TRACK, "timestamp": timestamp}))
    event = shop.event()
    assert event.timestamp == NOW
    assert event.context["clock"] == flag


@pytest.mark.parametrize(
    "who",
    [
        {"context": {"externalIds": [{"id": "4711", "type": "loyalty_card", "collection": "users"}]}},
        {"context": {"device": {"id": "phone-1"}}},
        {"traits": {"phone": "+15555550100"}},
    ],
    ids=["loyalty card", "device", "telephone"],
)
def test_any_identifier_is_enough(who: dict[str, Any]) -> None:
    shop = Shop()
    anonymous = without(TRACK, "userId", "anonymousId")
    assert success(shop.post("identify" if "traits" in who else "track", {**anonymous, **who}))
    assert code_of(shop.post("track", anonymous)) == "no_identifier"


def test_a_message_without_an_id_gets_one() -> None:
    shop = Shop()
    shop.post("track", without(TRACK, "messageId"))
    assert shop.event().message_id == "made-1"


def test_the_same_message_of_two_sources_is_two_events() -> None:
    shop = Shop()
    shop.post("track", TRACK)
    shop.request("POST", "/v1/track", TRACK, {"authorization": "Bearer wk_app"})
    events, _ = shop.stored()
    assert len({event.event_id for event in events}) == 2
    assert len({event.payload_hash for event in events}) == 1


def test_a_retry_over_another_network_has_the_same_payload_hash_and_another_payload_has_not() -> None:
    shop = Shop()
    shop.post("track", {**TRACK, "sentAt": "2026-11-22T09:29:59Z"})
    shop.post("track", {**TRACK, "sentAt": "2026-11-22T09:29:59.500Z"}, **{"user-agent": "Other/1"})
    shop.post("track", {**TRACK, "properties": {"product_id": "8"}})
    first, retry, other = shop.stored()[0]
    assert first.payload_hash == retry.payload_hash != other.payload_hash
    assert first.event_id == other.event_id


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (BASIC, TRACK),
        ({"authorization": "Basic " + base64.b64encode(KEY.encode()).decode()}, TRACK),
        ({"authorization": f"Bearer {KEY}"}, TRACK),
        ({"x-write-key": KEY}, {**TRACK, "writeKey": "masked:***"}),
        ({"content-type": "text/plain"}, {**TRACK, "writeKey": KEY}),
    ],
    ids=["basic", "basic without colon", "bearer", "header before body", "body of a beacon"],
)
def test_a_write_key_is_taken_from_where_clients_put_it(headers: dict[str, str], body: dict[str, Any]) -> None:
    shop = Shop()
    assert success(shop.request("POST", "/v1/track", body, headers))
    assert shop.event().source == "web"


def test_a_write_key_may_stand_in_the_query() -> None:
    shop = Shop()
    assert success(shop.request("POST", "/v1/batch", {"batch": [TRACK]}, query=f"writeKey={KEY}"))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Basic ???"},
        {"authorization": "Basic " + base64.b64encode(b"nobody:").decode()},
        {"authorization": "Bearer wk_we"},
        {"x-write-key": ""},
        {"x-write-key": "\udcff"},
    ],
)
def test_without_a_right_key_it_is_401_and_nothing_is_kept(headers: dict[str, str]) -> None:
    shop = Shop()
    for body in (TRACK, {"batch": [TRACK]}):
        reply = shop.request("POST", "/v1/track", body, headers)
        assert (reply.status, code_of(reply)) == (401, "unauthorized")
        assert reply.counters == {"RequestsUnauthorized": 1}
    assert shop.queue.messages == []


@pytest.mark.parametrize("body", [*NOT_JSON.values(), *NOT_GZIP.values()])
def test_what_is_not_json_is_400_and_a_bad_row_with_the_original(body: bytes) -> None:
    shop = Shop()
    reply = shop.post("track", body)
    assert reply.status == 400
    assert code_of(reply) in {"bad_json", "bad_gzip"}
    row = shop.row()
    assert (row.source, row.stage, row.code) == ("web", "collect/track", code_of(reply))
    original = base64.b64decode(row.original) if row.encoding == "base64" else row.original.encode()
    assert original == body


@pytest.mark.parametrize("body", ["null", "[]", '"x"', "1", "true"])
def test_json_that_is_no_object_is_400(body: str) -> None:
    reply = Shop().post("track", body)
    assert (reply.status, code_of(reply)) == (400, "bad_shape")


def nested(levels: int) -> bytes:
    """A track call with so many levels among its traits, which no library of ours could write."""
    return orjson.dumps(TRACK)[:-1] + b',"traits":' + b'{"a":' * levels + b"1" + b"}" * (levels + 1)


def test_of_a_member_that_is_too_deep_to_be_written_the_upper_levels_are_kept() -> None:
    """Reading takes 1,024 levels, writing 254; it is one bad row, and costs the batch nothing else."""
    shop = Shop()
    reply = shop.post("batch", b'{"batch":[' + orjson.dumps(TRACK) + b"," + nested(600) + b"]}")
    assert reply.status == 200
    events, (row,) = shop.stored()
    assert (len(events), row.code, row.message_id) == (1, "too_deep", "m-1")
    assert orjson.loads(row.original)["event"] == "Product Viewed"


@pytest.mark.parametrize("levels", [21, 253, 254, 255, 900, 980, 1_000, 1_015, 1_030, 100_000])
def test_levels_of_any_number_get_an_answer(levels: int) -> None:
    for call, body in (("track", nested(levels)), ("batch", b'{"batch":[' + nested(levels) + b"]}")):
        shop = Shop()
        assert shop.post(call, body).status in {200, 400}
        assert shop.row().code in {"too_deep", "bad_json", "too_large"}


def test_a_malformed_body_of_nobody_is_400_and_leaves_nothing() -> None:
    shop = Shop()
    assert shop.request("POST", "/v1/track", "{").status == 400
    assert shop.queue.messages == []


def test_a_body_that_is_not_the_base64_it_is_flagged_as_is_400() -> None:
    shop = Shop()
    reply = shop.collect(
        HttpRequest(
            method="POST", path="/v1/track", received_at=NOW, request_id="r", headers=BASIC, body="é", is_base64=True
        )
    )
    assert (reply.status, code_of(reply)) == (400, "bad_body")


@pytest.mark.parametrize(("code", "body"), WRITABLE)
def test_a_bad_event_by_itself_is_400_and_a_bad_row(code: str, body: dict[str, Any]) -> None:
    shop = Shop()
    reply = shop.post("track", body)
    assert (reply.status, code_of(reply)) == (400, code)
    row = shop.row()
    assert row.code == code
    # What was sent is kept; only addresses in URLs were masked, and here there are none.
    assert orjson.loads(row.original) == body


@pytest.mark.parametrize(("code", "body"), WRITABLE)
def test_one_bad_event_in_a_batch_of_fifty_costs_only_itself(code: str, body: dict[str, Any]) -> None:
    shop = Shop()
    members: list[object] = [{**TRACK, "messageId": f"m-{n}"} for n in range(50)]
    members[17] = body
    reply = shop.post("batch", {"batch": members, "sentAt": "2026-11-22T09:30:00Z"})
    assert reply.status == 200
    answer = orjson.loads(reply.body)
    assert answer == {"success": True, "accepted": 49, "rejected": 1, "errors": [{"index": 17, "code": code}]}
    events, bad = shop.stored()
    assert len(events) == 49
    assert [(row.code, row.stage) for row in bad] == [(code, "collect/member")]


@pytest.mark.parametrize(
    "member", [None, 1, "x", [], {**TRACK, "type": "teleport"}, without(TRACK, "type"), {**TRACK, "type": 1}]
)
def test_a_member_that_is_no_call_is_a_bad_row(member: object) -> None:
    shop = Shop()
    assert shop.post("batch", {"batch": [TRACK, member]}).status == 200
    events, bad = shop.stored()
    assert len(events) == 1
    assert bad[0].code in {"unknown_type", "bad_shape"}


@pytest.mark.parametrize("body", [{}, {"batch": None}, {"batch": {}}, {"batch": [], "context": 1}])
def test_a_batch_without_its_array_is_400(body: object) -> None:
    reply = Shop().post("batch", body)
    assert (reply.status, code_of(reply)) == (400, "bad_shape")


def test_an_empty_batch_is_no_error() -> None:
    shop = Shop()
    assert success(shop.post("batch", {"batch": []}))
    assert shop.queue.messages == []


def test_the_batch_lends_its_context_and_its_time_of_sending_to_its_members() -> None:
    shop = Shop()
    item = {**TRACK, "timestamp": "2026-11-22T11:00:00Z", "context": {"locale": "de"}}
    context = {"locale": "en", "library": {"name": "analytics-python"}}
    shop.post("batch", {"batch": [item], "context": context, "sentAt": "2026-11-22T11:00:05Z"})
    event = shop.event()
    assert event.context == {"locale": "de", "library": {"name": "analytics-python"}}
    assert event.timestamp == from_millis(1_795_339_795_000)


def test_a_servers_agent_and_address_are_not_the_shoppers() -> None:
    shop = Shop()
    shop.post("track", {**TRACK, "context": {"library": {"name": "analytics-node"}, "ip": "203.0.113.77"}})
    assert shop.event().context == {"library": {"name": "analytics-node"}, "ip": "203.0.113.0"}


def test_gzip_is_told_by_its_first_bytes_whatever_the_headers_say() -> None:
    shop = Shop()
    body = gzip.compress(orjson.dumps({"batch": [TRACK]}))
    assert success(shop.post("batch", body, **{"content-type": "application/x-www-form-urlencoded"}))
    assert success(shop.post("batch", {"batch": [TRACK]}, **{"content-encoding": "gzip"}))


def test_a_gzip_bomb_is_stopped_while_it_unpacks() -> None:
    shop = Shop()
    reply = shop.post("batch", gzip.compress(b" " * 50_000_000))
    assert (reply.status, code_of(reply)) == (400, "too_large")
    assert len(shop.queue.messages[0].body) < 240_000


def test_a_batch_of_four_mib_arrives_in_messages_that_sqs_takes_and_a_larger_one_is_400() -> None:
    shop = Shop()
    large = {"text": "x" * 30_000}
    batch = [{**TRACK, "messageId": f"m-{n}", "properties": large} for n in range(139)]
    assert success(shop.post("batch", {"batch": batch}))
    assert {len(message.body) < 240_001 for message in shop.queue.messages} == {True}
    assert {event.message_id for event in shop.stored()[0]} == {f"m-{n}" for n in range(139)}
    assert code_of(shop.post("batch", {"batch": batch + batch[:20]})) == "too_large"


def test_a_batch_of_nothing_but_braces_is_one_bad_row_and_not_a_hundred_thousand() -> None:
    shop = Shop()
    assert code_of(shop.post("batch", {"batch": [{}] * 10_001})) == "too_many_events"
    assert shop.row().stage == "collect/batch"


def test_the_calls_keep_what_is_theirs() -> None:
    shop = Shop()
    ids = {"userId": "u-1"}
    shop.post("identify", {**ids, "traits": {"email": "ada@example.com"}})
    shop.post("identify", {**ids, "context": {"traits": {"first_name": "Ada"}}})
    shop.post("page", {**ids, "name": "Home", "category": "Shop", "properties": {"title": "Hi"}})
    shop.post("screen", ids)
    shop.post("group", {**ids, "groupId": "g-1", "traits": {"name": "Example Ltd"}})
    shop.post("alias", {**ids, "previousId": "old"})
    identify, nested, page, screen, group, alias = shop.stored()[0]
    assert identify.traits == {"email": "ada@example.com"}
    assert nested.traits == {"first_name": "Ada"}
    assert "traits" not in nested.context
    assert (page.name, page.properties) == ("Home", {"title": "Hi", "category": "Shop"})
    assert (screen.name, screen.properties) == (None, {})
    assert (group.properties, group.traits) == ({"groupId": "g-1", "traits": {"name": "Example Ltd"}}, {})
    assert alias.properties == {"previousId": "old"}


@pytest.mark.parametrize(
    ("call", "body"), [("group", {"userId": "u"}), ("alias", {"userId": "u", "previousId": "null"})]
)
def test_group_and_alias_need_their_second_id(call: str, body: dict[str, Any]) -> None:
    assert code_of(Shop().post(call, body)) == "no_identifier"


def test_an_email_address_is_an_identifier() -> None:
    shop = Shop()
    assert success(shop.post("identify", {"traits": {"email": "ada@example.com"}}))


def test_nothing_is_answered_before_the_queue_has_it() -> None:
    shop = Shop()
    shop.queue.available = False
    for reply in (shop.post("track", TRACK), shop.post("track", "{"), shop.pixel("event=x&userId=u")):
        assert (reply.status, code_of(reply)) == (503, "unavailable")
        assert int(reply.headers["retry-after"]) > 0
        assert reply.counters == {"QueueUnavailable": 1}


def test_characters_that_sqs_refuses_are_escaped_and_come_back() -> None:
    shop = Shop()
    shop.post("track", {**TRACK, "properties": {"text": "a\ufffe\uffff\u0000b"}})
    body = shop.queue.messages[0].body
    assert not {"\ufffe", "\uffff", "\u0000"} & set(body)
    assert shop.event().properties == {"text": "a\ufffe\uffff\u0000b"}


def test_a_bad_row_can_be_read_again_once_it_is_good() -> None:
    shop = Shop()
    shop.post(
        "batch", {"batch": [{**TRACK, "event": ""}], "sentAt": "2026-11-22T09:29:59Z", "context": {"locale": "de"}}
    )
    row = shop.row()
    with pytest.raises(BadInputError, match="bad_event_name"):
        read_again(row, CountedIds())
    mended = replace(row, original=row.original.replace('"event":""', '"event":"Product Viewed"'))
    (event,) = read_again(mended, CountedIds()).events
    assert (event.message_id, event.received_at, event.context["locale"]) == ("m-1", NOW, "de")
    assert event.timestamp == from_millis(1_795_339_799_000)


def test_unknown_paths_and_methods_have_their_own_answers() -> None:
    shop = Shop()
    assert code_of(shop.post("teleport", {})) == "not_found"
    reply = shop.request("GET", "/v1/track")
    assert (reply.status, code_of(reply), reply.headers["allow"]) == (405, "method_not_allowed", "POST, OPTIONS")
    assert shop.request("TRACE", "/p.gif").status == 405
