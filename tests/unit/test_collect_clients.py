"""What Segment's, Rudder's and Jitsu's clients need besides the calls: short names, settings, odd headers."""

from __future__ import annotations

import gzip
from typing import Any

import orjson
import pytest

from regulars.adapters.memory.queue import MemoryQueue
from regulars.application.collect.static import JAVASCRIPT, LazyFile
from regulars.application.http import HttpRequest
from regulars.domain.errors import TransientError
from tests.collecting import BASIC, KEY, NOW, TRACK, Shop, code_of

SHOP = {"origin": "https://shop.example", "host": "collect.shop.example", "x-forwarded-proto": "https"}
BODIES: dict[str, dict[str, Any]] = {
    "track": TRACK,
    "identify": {"userId": "u-1", "traits": {"email": "ada@example.com"}},
    "page": {"userId": "u-1", "name": "Home"},
    "screen": {"userId": "u-1", "name": "Home"},
    "group": {"userId": "u-1", "groupId": "g-1"},
    "alias": {"userId": "u-1", "previousId": "old"},
}


@pytest.mark.parametrize("call", BODIES)
@pytest.mark.parametrize("path", ["/v1/{short}", "/api/s/{call}"])
def test_other_clients_paths_give_the_same_event(call: str, path: str) -> None:
    shop = Shop()
    body = {**BODIES[call], "messageId": "m-1", "timestamp": "2026-11-22T09:29:58Z"}
    shop.post(call, body)
    plain = shop.event()
    reply = shop.request("POST", path.format(short=call[0], call=call), body, {"x-write-key": KEY})
    assert (reply.status, reply.body) == (200, '{"success":true}')
    assert shop.event() == plain


@pytest.mark.parametrize("path", ["/v1/b", "/v1/import", "/beacon/v1/batch"])
def test_other_names_of_a_batch(path: str) -> None:
    shop = Shop()
    reply = shop.request("POST", path, {"batch": [TRACK]}, query=f"writeKey={KEY}")
    assert (reply.status, reply.body) == (200, '{"success":true}')
    assert shop.event().message_id == "m-1"


def test_rudders_node_client_says_that_its_gzip_is_a_form() -> None:
    shop = Shop()
    member = {**TRACK, "originalTimestamp": TRACK["timestamp"], "timestamp": None}
    headers = {**BASIC, "content-type": "application/x-www-form-urlencoded", "content-encoding": "gzip"}
    shop.request("POST", "/v1/batch", gzip.compress(orjson.dumps({"batch": [member]})), headers)
    assert shop.event().original_timestamp is not None


def test_a_key_with_a_colon_is_whole_in_x_write_key() -> None:
    """Jitsu's are `id:secret`; the body holds only a mask of it."""
    shop = Shop()
    body = {**TRACK, "writeKey": "jk:***"}
    assert shop.request("POST", "/api/s/track", body, {"x-write-key": KEY}).status == 200
    assert code_of(shop.request("POST", "/api/s/track", body)) == "unauthorized"


def test_external_ids_and_the_device_stay_in_the_context() -> None:
    shop = Shop()
    external = [{"id": "4711", "type": "loyalty_card", "collection": "users", "encoding": "none"}]
    shop.post("track", {**TRACK, "context": {"externalIds": external, "device": {"id": "d-1"}}})
    context = shop.event().context
    assert (context["externalIds"], context["device"]) == (external, {"id": "d-1"})


def test_segments_library_is_told_to_send_where_it_asked() -> None:
    reply = Shop().request("GET", f"/v1/projects/{KEY}/settings", headers=SHOP)
    integration = orjson.loads(reply.body)["integrations"]["Segment.io"]
    assert (integration["apiKey"], integration["apiHost"]) == (KEY, "collect.shop.example/v1")
    assert integration["protocol"] == "https"
    assert reply.headers["access-control-allow-origin"] == "https://shop.example"


def test_on_a_developers_machine_it_is_told_to_send_without_tls() -> None:
    headers = {"host": "127.0.0.1:8000", "x-forwarded-proto": "http"}
    reply = Shop().request("GET", f"/v1/projects/{KEY}/settings", headers=headers)
    integration = orjson.loads(reply.body)["integrations"]["Segment.io"]
    assert (integration["apiHost"], integration["protocol"]) == ("127.0.0.1:8000/v1", "http")


def test_a_host_that_is_none_is_not_repeated() -> None:
    reply = Shop().request("GET", f"/v1/projects/{KEY}/settings", headers={"host": 'x"/<script>'})
    assert "apiHost" not in orjson.loads(reply.body)["integrations"]["Segment.io"]


@pytest.mark.parametrize("path", ["/sourceConfig", "/sourceConfig/"])
@pytest.mark.parametrize("where", ["header", "query"])
def test_rudders_library_is_told_that_its_source_is_on(path: str, where: str) -> None:
    headers = {**SHOP, **(BASIC if where == "header" else {})}
    reply = Shop().request("GET", path, headers=headers, query="p=npm" if where == "header" else f"writeKey={KEY}")
    source = orjson.loads(reply.body)["source"]
    assert (source["enabled"], source["writeKey"], source["destinations"]) == (True, KEY, [])


@pytest.mark.parametrize("path", ["/v1/projects/nobody/settings", "/sourceConfig/"])
def test_an_unknown_key_is_refused_and_counted(path: str) -> None:
    """A library that is answered without a place to send to sends nothing, and nobody notices."""
    reply = Shop().request("GET", path, headers=SHOP, query="writeKey=nobody")
    assert (reply.status, code_of(reply)) == (401, "unauthorized")
    assert reply.counters == {"RequestsUnauthorized": 1}


@pytest.mark.parametrize("path", [f"/v1/projects/{KEY}/settings", "/sourceConfig/"])
def test_a_page_that_may_not_send_is_told_no_settings(path: str) -> None:
    reply = Shop(origins="https://other.example").request("GET", path, headers={**SHOP, **BASIC})
    assert (reply.status, code_of(reply)) == (403, "origin_refused")


@pytest.mark.parametrize("path", [f"/v1/projects/{KEY}/settings", "/sourceConfig/", "/beacon/v1/batch", "/v1/t"])
def test_preflights_echo_what_a_retry_wants_to_send(path: str) -> None:
    wanted = "anonymousid,authorization,content-type,rsa-retry-attempt,sentat,x-retry-count"
    reply = Shop().request("OPTIONS", path, headers={**SHOP, "access-control-request-headers": wanted})
    assert (reply.status, reply.headers["access-control-allow-headers"]) == (204, wanted)


def test_every_answer_to_a_page_lets_it_read_when_to_come_back() -> None:
    class Down(MemoryQueue):
        """Takes nothing."""

        def send(self, messages: object) -> None:
            raise TransientError(f"down: {messages}")

    reply = Shop(queue=Down()).request("POST", "/v1/t", TRACK, {**SHOP, **BASIC})
    assert (reply.status, reply.headers["access-control-expose-headers"]) == (503, "Retry-After")
    assert int(reply.headers["retry-after"]) > 0


def test_the_library_is_read_when_somebody_asks_for_it() -> None:
    read: list[int] = []

    def text() -> str:
        read.append(1)
        return "library"

    file = LazyFile(text, JAVASCRIPT)
    assert read == []
    request = HttpRequest(method="GET", path="/", received_at=NOW, request_id="r")
    assert {file.reply(request).body for _ in range(2)} == {"library"}
    assert read == [1]
