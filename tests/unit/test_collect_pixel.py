"""The pixel, the snippet's route and cross-origin answers."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest

from regulars.adapters.memory.system import CountedIds
from regulars.application.collect.doors import read_again
from regulars.domain.events import EventType
from tests.collecting import BASIC, KEY, TRACK, Shop, code_of

CALL: dict[str, Any] = {
    **TRACK,
    "userId": "u-1",
    "sentAt": "2026-11-22T09:29:59Z",
    "properties": {"product_id": "7", "price": 9.9, "nested": {"list": [1, "ü", None]}},
    "traits": {"email": "ada@example.com"},
    "context": {"page": {"url": "https://shop.example/p/7"}, "campaign": {"name": "Spring"}},
}
PLAIN = {name: value for name, value in CALL.items() if not isinstance(value, dict)}
OBJECTS = {name: orjson.dumps(value).decode() for name, value in CALL.items() if isinstance(value, dict)}


@pytest.mark.parametrize(
    "query",
    [
        urlencode({**PLAIN, **OBJECTS}),
        urlencode({"data": orjson.dumps(CALL).decode()}),
        urlencode({"data": base64.b64encode(orjson.dumps(CALL)).decode()}),
        "data=" + base64.urlsafe_b64encode(orjson.dumps(CALL)).decode().rstrip("="),
        urlencode({**PLAIN, "data": orjson.dumps(CALL).decode(), "unknown": "1"}),
    ],
    ids=["parameters", "json", "base64", "base64url", "mixed"],
)
def test_get_and_post_of_the_same_event_give_the_same_canonical_event(query: str) -> None:
    shop = Shop()
    assert shop.post("track", CALL).status == 200
    assert shop.pixel(query).status == 200
    posted, got = shop.stored()[0]
    assert posted == got


def test_single_values_have_dotted_names_and_only_known_numbers_are_numbers() -> None:
    shop = Shop()
    shop.pixel(
        "event=Product%20Viewed&anonymousId=a&properties.product_id=007&properties.price=9.90&properties.quantity=2"
        "&properties.sku=12&context.consent.categoryPreferences.analytics=true&url=https%3A%2F%2Fs.example%2F&title=Oil"
    )
    event = shop.event()
    assert event.properties == {"product_id": "007", "price": 9.9, "quantity": 2, "sku": "12"}
    assert event.context["consent"] == {"categoryPreferences": {"analytics": True}}
    assert event.context["page"] == {"url": "https://s.example/", "title": "Oil"}


def test_a_pixel_without_an_event_is_a_page_view_of_the_page_that_holds_it() -> None:
    shop = Shop()
    shop.pixel("anonymousId=a", referer="https://shop.example/start")
    event = shop.event()
    assert event.type is EventType.PAGE
    assert event.context["page"] == {"url": "https://shop.example/start"}


def test_of_a_repeated_parameter_the_first_counts() -> None:
    shop = Shop()
    shop.pixel("anonymousId=a&anonymousId=b")
    assert shop.event().anonymous_id == "a"


def test_the_image_has_43_bytes_and_is_never_kept() -> None:
    reply = Shop().pixel("anonymousId=a")
    image = base64.b64decode(reply.body)
    assert reply.is_base64
    assert (len(image), image[:6]) == (43, b"GIF89a")
    assert (reply.headers["content-type"], reply.headers["cache-control"]) == ("image/gif", "no-store")


def test_head_is_answered_like_get_and_records_nothing() -> None:
    shop = Shop()
    reply = shop.request("HEAD", "/p.gif", query=f"writeKey={KEY}&anonymousId=a")
    assert (reply.status, reply.body, reply.headers["content-type"]) == (200, "", "image/gif")
    assert shop.queue.messages == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("event=x", "no_identifier"),
        ("anonymousId=%ff", "bad_query"),
        ("&".join(f"p{n}=1" for n in range(300)), "bad_query"),
        ("anonymousId=a&properties=nope", "bad_parameter"),
        ("anonymousId=a&properties=[]", "bad_parameter"),
        ("anonymousId=a&data=%21%21", "bad_parameter"),
        ("anonymousId=a&data=W10", "bad_parameter"),
        ("anonymousId=a&properties.a..b=1", "bad_parameter"),
        ("anonymousId=a&context=%7B%22page%22%3A1%7D&url=x", "bad_parameter"),
        ("anonymousId=a&type=teleport", "unknown_type"),
        ("anonymousId=a&event=" + "x" * 8_000, "bad_event_name"),
        ("anonymousId=a&properties.text=" + "x" * 40_000, "too_large"),
    ],
)
def test_a_bad_hit_gets_its_image_and_leaves_a_bad_row(query: str, code: str) -> None:
    shop = Shop()
    reply = shop.pixel(query + "&messageId=m-9")
    assert (reply.status, reply.headers["content-type"]) == (200, "image/gif")
    row = shop.row()
    assert (row.code, row.stage) == (code, "collect/pixel")
    assert row.original == f"writeKey={KEY}&{query}&messageId=m-9"


def test_a_bad_hit_can_be_read_again_once_it_is_good() -> None:
    shop = Shop()
    shop.pixel("event=x&messageId=m-9")
    row = shop.row()
    (event,) = read_again(replace(row, original=row.original + "&userId=u"), CountedIds()).events
    assert (event.message_id, event.user_id, event.event_id) == ("m-9", "u", row.event_id)


@pytest.mark.parametrize(
    "query", ["", "writeKey=", "writeKey=nobody&anonymousId=a", "writeKey=%ff", "data=%7B", "data=e30"]
)
def test_a_hit_with_a_wrong_key_is_401_and_nothing_is_kept(query: str) -> None:
    shop = Shop()
    for method in ("GET", "HEAD"):
        assert shop.request(method, "/p.gif", query=query).status == 401
    assert shop.queue.messages == []


def test_the_key_may_stand_inside_data_as_in_segments_own_pixel() -> None:
    shop = Shop()
    assert (
        shop.request("GET", "/p.gif", query=urlencode({"data": orjson.dumps({**CALL, "writeKey": KEY})})).status == 200
    )
    assert shop.event().user_id == "u-1"


def test_the_snippet_is_kept_by_browsers_and_asked_for_by_its_etag() -> None:
    shop = Shop()
    first = shop.request("GET", "/r.js")
    assert (first.status, first.body) == (200, "snippet")
    assert first.headers["content-type"].startswith("text/javascript")
    assert "max-age" in first.headers["cache-control"]
    for tag in (first.headers["etag"], f'"other", W/{first.headers["etag"]}', "*"):
        again = shop.request("GET", "/r.js", headers={"if-none-match": tag})
        assert (again.status, again.body) == (304, "")
    assert shop.request("GET", "/r.js", headers={"if-none-match": '"other"'}).status == 200


def test_a_preflight_allows_whatever_headers_were_asked_for() -> None:
    wanted = "authorization,content-type,x-retry-count,rsa-retry-attempt"
    reply = Shop().request(
        "OPTIONS",
        "/v1/track",
        headers={
            "origin": "https://shop.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": wanted,
        },
    )
    assert 200 <= reply.status < 300
    assert reply.headers["access-control-allow-origin"] == "https://shop.example"
    assert reply.headers["access-control-allow-headers"] == wanted
    assert "POST" in reply.headers["access-control-allow-methods"]
    assert "Origin" in reply.headers["vary"]


def test_a_preflight_echoes_no_header_that_is_no_header_name() -> None:
    headers = {"origin": "https://shop.example", "access-control-request-headers": "x\r\nset-cookie: a=b"}
    assert "access-control-allow-headers" not in Shop().request("OPTIONS", "/v1/track", headers=headers).headers


def test_every_answer_may_be_read_by_the_page_with_its_retry_after() -> None:
    shop = Shop()
    origin = {"origin": "https://shop.example"}
    replies = [shop.post("track", body, **origin) for body in (TRACK, "{", {"event": 1})]
    replies += [shop.request("POST", "/v1/track", TRACK, origin), shop.request("GET", "/nothing", headers=origin)]
    shop.queue.available = False
    replies.append(shop.post("track", TRACK, **origin))
    assert [reply.status for reply in replies] == [200, 400, 400, 401, 404, 503]
    for reply in replies:
        assert reply.headers["access-control-allow-origin"] == "https://shop.example"
        assert reply.headers["access-control-expose-headers"] == "Retry-After"
        assert reply.headers["vary"] == "Origin"


@pytest.mark.parametrize(
    "origin",
    ["https://shop.example.evil.test", "https://evil.test", "null", "http://shop.example", "https://shop.example:444"],
)
def test_a_page_that_is_not_on_the_list_is_refused(origin: str) -> None:
    shop = Shop(origins="https://shop.example, https://www.shop.example/")
    refused = shop.request("POST", "/v1/track", TRACK, {**BASIC, "origin": origin})
    assert (refused.status, code_of(refused)) == (403, "origin_refused")
    assert shop.pixel("anonymousId=a", origin=origin).status == 403
    assert "access-control-allow-origin" not in refused.headers
    preflight = shop.request("OPTIONS", "/v1/track", headers={"origin": origin})
    assert "access-control-allow-origin" not in preflight.headers
    assert shop.queue.messages == []


def test_a_page_on_the_list_and_a_server_without_an_origin_may_send() -> None:
    shop = Shop(origins="https://shop.example, https://www.shop.example/")
    for headers in ({"origin": "https://shop.example"}, {"origin": "https://www.shop.example"}, {}):
        assert shop.post("track", TRACK, **headers).status == 200
