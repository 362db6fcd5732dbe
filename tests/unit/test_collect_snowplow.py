"""Snowplow's tracker protocol: what becomes of each of its events."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regulars.adapters.memory.system import CountedIds
from regulars.application.collect.doors import read_again
from regulars.domain.events import Event, EventType
from tests.collecting import KEY, NOW, Shop, code_of

PATH = "/com.snowplowanalytics.snowplow/tp2"
PAYLOAD = "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4"
ECOMMERCE = "iglu:com.snowplowanalytics.snowplow.ecommerce"
BASE = {
    "aid": KEY, "eid": "e-1", "uid": "u-1", "duid": "d-1", "tv": "js-4.10.1", "p": "web", "dtm": "1795339798000",
    "stm": "1795339799000", "url": "https://shop.example/p/7?utm_source=news&utm_campaign=spring", "page": "Mug",
    "refr": "https://www.google.com/",
}  # fmt: skip


def body(*payloads: dict[str, Any]) -> dict[str, Any]:
    return {"schema": PAYLOAD, "data": list(payloads)}


def post(shop: Shop, *payloads: dict[str, Any]) -> Any:
    return shop.request("POST", PATH, body(*payloads), {"origin": "https://shop.example"})


def stored(payload: dict[str, Any]) -> Event:
    """The one event that a payload becomes."""
    shop = Shop()
    assert post(shop, {**BASE, **payload}).body == '{"success":true}'
    return shop.event()


def entity(name: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"schema": f"{ECOMMERCE}/{name}/jsonschema/1-0-0", "data": data}


def described(schema: str, data: Any) -> str:
    return json.dumps({"schema": "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0",
                       "data": {"schema": schema, "data": data}})  # fmt: skip


def contexts(*entities: dict[str, Any]) -> str:
    return json.dumps({"schema": "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-0", "data": entities})


def action(kind: str, *entities: dict[str, Any]) -> Event:
    schema = f"{ECOMMERCE}/snowplow_ecommerce_action/jsonschema/1-0-2"
    return stored({"e": "ue", "ue_pr": described(schema, {"type": kind}), "co": contexts(*entities)})


def test_a_page_view_is_a_page_with_its_campaign_its_clock_and_its_browser() -> None:
    event = stored({"e": "pv", "lang": "en-US", "tz": "Europe/Prague"})
    assert (event.type, event.name) == (EventType.PAGE, "Mug")
    assert (event.source, event.message_id, event.user_id, event.anonymous_id) == ("web", "e-1", "u-1", "d-1")
    assert event.timestamp == NOW.replace(second=59, minute=29)  # one second passed between seeing and sending
    assert event.context["page"]["path"] == "/p/7"
    assert event.context["page"]["referrer"] == "https://www.google.com/"
    assert event.context["campaign"] == {"source": "news", "name": "spring"}
    assert event.context["library"] == {"name": "snowplow-js", "version": "4.10.1"}
    assert (event.context["locale"], event.context["timezone"]) == ("en-US", "Europe/Prague")
    assert event.context["userAgent"] == "Mozilla/5.0"
    assert event.context["ip"] == "198.51.100.0"


def test_the_trackers_word_that_a_time_is_true_outweighs_its_clock() -> None:
    event = stored({"e": "pv", "ttm": "1795336200000"})
    assert event.timestamp.isoformat() == "2026-11-22T08:30:00+00:00"
    assert event.sent_at is None


@pytest.mark.parametrize(
    ("payload", "name", "properties"),
    [
        ({"e": "se", "se_ca": "ecom", "se_ac": "play", "se_va": "2.5"}, "play",
         {"category": "ecom", "action": "play", "value": 2.5}),
        ({"e": "tr", "tr_id": "T-1", "tr_tt": "59.9", "tr_cu": "USD"}, "Order Completed",
         {"order_id": "T-1", "total": 59.9, "currency": "USD"}),
        ({"e": "ti", "ti_id": "T-1", "ti_sk": "7", "ti_qu": "2"}, "Transaction Item",
         {"order_id": "T-1", "product_id": "7", "quantity": 2}),
        ({"e": "ue", "ue_pr": described("iglu:com.acme/order_shipped/jsonschema/1-0-0", {"id": 1})},
         "order_shipped", {"id": 1}),
        ({"e": "ue", "ue_pr": described("iglu:com.acme/view_item/jsonschema/1-0-0", {"item_id": "7"})},
         "Product Viewed", {"product_id": "7"}),
        ({"e": "ue", "ue_pr": described("iglu:com.snowplowanalytics.snowplow/add_to_cart/jsonschema/1-0-0",
                                        {"sku": "7", "unitPrice": 9.9, "quantity": 1})},
         "Product Added", {"product_id": "7", "price": 9.9, "quantity": 1}),
        ({"e": "ue", "ue_pr": described("iglu:com.snowplowanalytics.snowplow/site_search/jsonschema/1-0-0",
                                        {"terms": ["blue", "mug"]})},
         "Products Searched", {"terms": ["blue", "mug"], "query": "blue mug"}),
    ],
)  # fmt: skip
def test_names_and_properties(payload: dict[str, Any], name: str, properties: dict[str, Any]) -> None:
    event = stored(payload)
    assert (event.type, event.name, event.properties) == (EventType.TRACK, name, properties)


def test_a_page_ping_says_how_far_the_page_was_scrolled() -> None:
    event = stored({"e": "pp", "pp_miy": "0", "pp_may": "840"})
    assert event.name == "Page Ping"
    assert (event.properties["min_y"], event.properties["max_y"], event.properties["path"]) == (0, 840, "/p/7")


MUG = entity("product", {"id": "p1", "name": "Mug", "price": 24.95, "currency": "USD", "category": "mugs"})
STANDARD_MUG = {"product_id": "p1", "name": "Mug", "price": 24.95, "currency": "USD", "category": "mugs"}


def test_the_product_of_an_action_is_its_properties() -> None:
    event = action("product_view", MUG)
    assert (event.name, event.properties) == ("Product Viewed", STANDARD_MUG)
    assert "entities" not in event.context


def test_a_transaction_is_an_order_with_its_products() -> None:
    transaction = entity("transaction", {"transaction_id": "T-1", "revenue": 59.9, "currency": "USD"})
    event = action("transaction", transaction, MUG)
    assert event.name == "Order Completed"
    assert event.properties == {"order_id": "T-1", "revenue": 59.9, "currency": "USD", "products": [STANDARD_MUG]}


def test_the_first_step_starts_the_checkout() -> None:
    assert action("checkout_step", entity("checkout_step", {"step": 1})).name == "Checkout Started"
    assert action("checkout_step", entity("checkout_step", {"step": 2})).name == "Checkout Step Viewed"


def test_the_user_entity_says_who_it_is() -> None:
    event = action("product_view", MUG, entity("user", {"id": "u-1", "email": "ada@example.com"}))
    assert event.traits == {"email": "ada@example.com"}


def test_entities_that_mean_nothing_here_are_kept() -> None:
    page = {"schema": "iglu:com.acme/shelf/jsonschema/1-0-0", "data": {"row": 3}}
    event = stored({"e": "pv", "co": contexts(page, MUG)})
    assert event.context["entities"] == {
        "com.acme/shelf": [{"row": 3}],
        "com.snowplowanalytics.snowplow.ecommerce/product": [MUG["data"]],
    }


def test_a_telephones_screen_and_its_device() -> None:
    device = {"schema": "iglu:com.snowplowanalytics.snowplow/mobile_context/jsonschema/1-0-3",
              "data": {"appleIdfv": "idfv-1", "deviceModel": "X"}}  # fmt: skip
    screen = described("iglu:com.snowplowanalytics.mobile/screen_view/jsonschema/1-0-0", {"name": "Home", "id": "s"})
    event = stored({"e": "ue", "p": "mob", "ue_pr": screen, "co": contexts(device)})
    assert (event.type, event.name) == (EventType.SCREEN, "Home")
    assert event.context["device"] == {"id": "idfv-1", "model": "X"}
    assert event.context["channel"] == "mobile"


def test_without_its_own_id_the_browser_is_the_sessions_user() -> None:
    session = {"schema": "iglu:com.snowplowanalytics.snowplow/client_session/jsonschema/1-0-2",
               "data": {"userId": "d-9", "sessionId": "s-1"}}  # fmt: skip
    event = stored({"e": "pv", "uid": None, "duid": None, "co": contexts(session)})
    assert (event.user_id, event.anonymous_id, event.context["sessionId"]) == (None, "d-9", "s-1")


names = st.sampled_from(["se_ca", "se_ac", "se_la", "se_va", "page", "refr", "url", "uid", "lang", "tz", "pp_may", "x"])
kinds = st.sampled_from(["pv", "pp", "se", "tr", "ti"])


@given(kinds, st.dictionaries(names, st.text(st.characters(codec="utf-8"), max_size=20), max_size=8))
def test_by_get_and_by_post_it_is_the_same_event_or_the_same_mistake(kind: str, given: dict[str, str]) -> None:
    payload = {**BASE, "se_ac": "play", **{name: text for name, text in given.items() if text}, "e": kind}
    posted, got = Shop(), Shop()
    post(posted, payload)
    got.request("GET", "/i", headers={"origin": "https://shop.example"}, query=urlencode(payload))
    (post_events, post_rows), (get_events, get_rows) = posted.stored(), got.stored()
    assert post_events == get_events
    assert [row.code for row in post_rows] == [row.code for row in get_rows]


def test_base64url_says_the_same_as_text() -> None:
    event = described("iglu:com.acme/order/jsonschema/1-0-0", {"title": "caf\u00e9 >>>???"})
    encoded = base64.urlsafe_b64encode(event.encode()).decode().rstrip("=")
    assert stored({"e": "ue", "ue_px": encoded}) == stored({"e": "ue", "ue_pr": event})


def test_a_bad_payload_costs_itself_only_and_can_be_read_again() -> None:
    shop = Shop()
    reply = post(shop, {**BASE, "e": "pv"}, {**BASE, "e": "se", "eid": "e-2", "url": "https://x.example/?email=a@b.cz"})
    assert orjson.loads(reply.body) == {
        "success": True, "accepted": 1, "rejected": 1, "errors": [{"index": 1, "code": "bad_event_name"}],
    }  # fmt: skip
    (event,), (row,) = shop.stored()
    assert event.message_id == "e-1"
    assert (row.stage, row.message_id) == ("collect/snowplow-event", "e-2")
    assert "a@b.cz" not in row.original
    again = read_again(replace(row, original=row.original.replace('"e":"se"', '"e":"pv"')), CountedIds())
    assert [event.message_id for event in again.events] == ["e-2"]


def test_a_bad_hit_can_be_read_again() -> None:
    shop = Shop()
    shop.request("GET", "/i", query=urlencode({**BASE, "e": "nothing"}))
    row = shop.row()
    assert (row.stage, row.code, row.message_id) == ("collect/snowplow-pixel", "unknown_type", "e-1")
    assert len(read_again(replace(row, original=row.original.replace("e=nothing", "e=pv")), CountedIds()).events) == 1


def test_addresses_in_urls_are_masked_in_what_is_kept() -> None:
    addresses = {"e": "pv", "url": "https://shop.example/?email=ada@example.com", "page": "Mail ada@example.com",
                 "refr": "https://m.example/ada@example.com"}  # fmt: skip
    shop = Shop()
    shop.request("GET", "/i", query=urlencode({**BASE, **addresses}))
    for event in (stored(addresses), shop.event()):
        assert "ada@example.com" not in json.dumps([event.context, event.properties, event.name])


def test_pages_of_other_sites_may_send_with_credentials_and_a_stranger_may_not() -> None:
    asked = {"origin": "https://shop.example", "access-control-request-headers": "content-type"}
    for path in (PATH, "/i"):
        reply = Shop().request("OPTIONS", path, headers=asked)
        assert reply.status == 204
        assert reply.headers["access-control-allow-origin"] == "https://shop.example"
        assert reply.headers["access-control-allow-credentials"] == "true"
    assert post(Shop(), {**BASE, "e": "pv"}).headers["access-control-allow-credentials"] == "true"
    refused = post(Shop(origins="https://other.example"), {**BASE, "e": "pv"})
    assert (refused.status, code_of(refused)) == (403, "origin_refused")
    assert "access-control-allow-credentials" not in refused.headers


def test_other_routes_allow_no_credentials() -> None:
    reply = Shop().request("OPTIONS", "/v1/track", headers={"origin": "https://shop.example"})
    assert "access-control-allow-credentials" not in reply.headers


def test_a_hit_is_answered_with_the_image() -> None:
    reply = Shop().request("GET", "/i", query=urlencode({**BASE, "e": "pv"}))
    assert reply.headers["content-type"] == "image/gif"
    assert reply.headers["cache-control"] == "no-store"
    assert len(base64.b64decode(reply.body)) == 43
