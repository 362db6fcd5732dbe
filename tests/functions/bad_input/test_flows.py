"""What only shows behind the endpoint: who may send, what odd input does further on, what comes twice."""

from __future__ import annotations

import re

import pytest

from infra.local import LocalCloud
from regulars.adapters.aws.lake import S3EventLog
from tests.collecting import TRACK
from tests.functions.bad_input.conftest import Endpoint, Outcome
from tests.functions.bad_input.payloads import ODD_EVENTS
from tests.functions.bad_input.test_calls import KEY as RIGHT_KEY
from tests.traffic import BROWSER

KEY = {**RIGHT_KEY, "user-agent": BROWSER}


@pytest.mark.parametrize(
    "origin", ["null", "https://shop.example.evil.test", "http://shop.example", "https://evil.test"]
)
def test_pages_that_are_not_on_the_list(origin: str) -> None:
    """Which keeps honest browsers out, and nobody else: an origin is what a client says it is."""
    with LocalCloud(parameters={"AllowedOrigins": "https://shop.example"}) as cloud:
        headers = {**KEY, "origin": origin}
        assert Endpoint(cloud).send("POST", "/v1/track", headers, TRACK) == Outcome(403, "origin_refused")
        assert Endpoint(cloud).send("GET", "/p.gif?userId=u", headers) == Outcome(403, "origin_refused")


def test_whatever_is_taken_goes_all_the_way(cloud: LocalCloud) -> None:
    """Odd but good events reach the lake and the profiles; no id makes a key of another kind, nothing is dead."""
    odd = enumerate(ODD_EVENTS.values())
    events = [{**TRACK, "messageId": f"odd-{n}", "anonymousId": f"a-{n}", **fields} for n, fields in odd]
    assert cloud.request("POST", "/v1/batch", KEY, {"batch": events}).status == 200
    cloud.settle()
    log = S3EventLog(cloud.client("s3"), cloud.bucket_name)
    stored = {event.message_id for key in list(log.keys()) for event in log.read(key)}
    assert stored == {event["messageId"] for event in events}
    keys = [item["pk"]["S"] for item in cloud.client("dynamodb").scan(TableName=cloud.table_name)["Items"]]
    assert len(keys) > len(events)
    assert all(re.fullmatch(r"[uepa]_[0-9a-f]{32}", key) for key in keys)
    assert cloud.dead_letters() == {}
    assert not cloud.functions.failures


def test_the_same_id_again_with_another_payload_and_from_another_source() -> None:
    """The same once, another payload as a bad row, another source for itself."""
    with LocalCloud(parameters={"WriteKeys": "web=dev-write-key,app=app-key"}) as cloud:
        app = {"authorization": "Bearer app-key"}
        for headers, event in ((KEY, TRACK), (KEY, TRACK), (KEY, {**TRACK, "event": "Other"}), (app, TRACK)):
            assert cloud.request("POST", "/v1/track", headers, event).status == 200
        cloud.settle()
        log = S3EventLog(cloud.client("s3"), cloud.bucket_name)
        events = [event for key in list(log.keys()) for event in log.read(key)]
        assert sorted(event.source for event in events) == ["app", "web"]
        assert [row.code for key in log.bad_keys() for row in log.read_bad(key)] == ["id_collision"]


def test_a_browsers_word_for_a_purchase_is_no_revenue(cloud: LocalCloud) -> None:
    """A write key is public: whoever reads it in the page can claim to have spent a million."""
    claim = {**TRACK, "event": "Order Completed", "userId": "u", "properties": {"order_id": "1", "total": 1e6}}
    assert cloud.request("POST", "/v1/track", KEY, claim).status == 200
    cloud.settle()
    kinds = [item["sk"]["S"] for item in cloud.client("dynamodb").scan(TableName=cloud.table_name)["Items"]]
    assert "PROFILE" in kinds
    assert "ORDERS" not in kinds
