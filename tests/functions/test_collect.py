"""The collect function on true envelopes, against SQS in moto."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from infra.local import LocalCloud
from infra.snippet import BUILT, LIMIT_BYTES, SOURCE, built, source_mark
from regulars.application.http import HttpReply, HttpRequest
from regulars.runtime.http import reply_doc, request_of
from regulars.runtime.settings import SettingsError

ROOT = Path(__file__).parents[2]
SAMPLES = {
    "track": (200, '{"success":true}', 1, 0),
    "identify": (200, '{"success":true}', 1, 0),
    "batch-gzip": (200, '{"success":true}', 3, 0),
    "batch-one-bad": (200, '"rejected":1', 2, 1),
    "pixel": (200, "R0lGOD", 1, 0),
    "pixel-bad-event": (200, "R0lGOD", 0, 1),
    "pixel-head": (200, "", 0, 0),
    "preflight": (204, "", 0, 0),
    "snippet": (200, "navigator.sendBeacon", 0, 0),
    "snowplow": (200, '{"success":true}', 2, 0),
    "snowplow-bad-payload": (200, '"rejected":1', 1, 1),
    "snowplow-pixel": (200, "R0lGOD", 1, 0),
    "snowplow-preflight": (204, "", 0, 0),
    "rudder-beacon": (200, '{"success":true}', 2, 0),
    "rudder-node-gzip-form": (200, '{"success":true}', 1, 0),
    "rudder-settings": (200, '"enabled":true', 0, 0),
    "segment-browser": (200, '{"success":true}', 1, 0),
    "segment-library": (200, "@segment/analytics-next", 0, 0),
    "segment-settings": (200, '"apiHost":"collect.shop.example/v1"', 0, 0),
    "segment-settings-wrong-key": (401, '"code":"unauthorized"', 0, 0),
    "jitsu": (200, '{"success":true}', 1, 0),
    "survey": (200, '{"success":true}', 1, 0),
    "survey-bad-score": (400, '"code":"bad_score"', 0, 1),
    "malformed": (400, '"code":"bad_json"', 0, 1),
    "wrong-key": (401, '"code":"unauthorized"', 0, 0),
    "unknown-call": (404, '"code":"not_found"', 0, 0),
}


def sample(case: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events" / "collect" / f"{case}.json").read_text())
    return event


def test_every_sample_is_answered_and_queued_as_it_should(cloud: LocalCloud) -> None:
    assert {path.stem for path in (ROOT / "events" / "collect").glob("*.json")} == SAMPLES.keys()
    for case, (status, text, good, bad) in SAMPLES.items():
        queued = len(cloud.queue("events"))
        reply = cloud.invoke("collect", sample(case))
        assert reply["statusCode"] == status, case
        assert text in reply["body"], case
        assert reply["headers"]["strict-transport-security"]
        bodies = [orjson.loads(body) for body in cloud.queue("events")[queued:]]
        assert sum(len(body["events"]) for body in bodies) == good, case
        assert sum(len(body["bad"]) for body in bodies) == bad, case


def test_get_and_post_through_the_api_are_the_same_event(cloud: LocalCloud) -> None:
    fields = {"event": "Product Viewed", "messageId": "m-1", "anonymousId": "a-1", "timestamp": "2026-11-22T08:59:58Z"}
    cloud.request("POST", "/v1/track", body={**fields, "writeKey": "dev-write-key"})
    query = "&".join(f"{name}={value.replace(' ', '+')}" for name, value in fields.items())
    reply = cloud.request("GET", f"/p.gif?writeKey=dev-write-key&{query}")
    assert (reply.status, len(reply.body)) == (200, 43)
    posted, got = (orjson.loads(body)["events"][0] for body in cloud.queue("events"))
    assert posted == got


def test_sqs_down_is_503_with_a_time_to_come_back(cloud: LocalCloud) -> None:
    client = cloud.client("sqs")
    client.delete_queue(QueueUrl=cloud.functions.specs["collect"].environment["EVENTS_QUEUE_URL"])
    reply = cloud.request("POST", "/v1/track", {"authorization": "Bearer dev-write-key"}, {"userId": "u", "event": "x"})
    assert (reply.status, reply.json()["code"]) == (503, "unavailable")
    assert int(reply.headers["retry-after"]) > 0
    assert cloud.metric("QueueUnavailable") == 1


def test_nothing_personal_is_logged(cloud: LocalCloud) -> None:
    secret = "canary@example.com"
    for body in ({"userId": secret, "event": "x"}, {"userId": secret}, {"userId": secret, "event": ["canary"]}):
        cloud.request("POST", "/v1/track", {"authorization": "Bearer dev-write-key", "user-agent": secret}, body)
    cloud.request("GET", f"/p.gif?writeKey=dev-write-key&userId={secret}&event=canary&properties=canary")
    assert cloud.metric("BadRows") == 3
    assert "canary" not in "".join(cloud.log)


@pytest.mark.parametrize("name", ["EVENTS_QUEUE_URL", "WRITE_KEYS"])
def test_without_its_settings_the_function_does_not_start(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from regulars.runtime.compose import collect  # noqa: PLC0415 - after the settings

    monkeypatch.setenv("EVENTS_QUEUE_URL", "https://queue")
    monkeypatch.setenv("WRITE_KEYS", "web=key")
    collect(BUILT, BUILT, BUILT)
    monkeypatch.delenv(name)
    with pytest.raises(SettingsError, match=name):
        collect(BUILT, BUILT, BUILT)


def test_importing_the_handler_loads_nothing_heavy() -> None:
    environment = {**os.environ, "EVENTS_QUEUE_URL": "https://queue", "WRITE_KEYS": "web=key"}
    heavy = "('boto3', 'pydantic', 'pyarrow', 'duckdb', 'numpy', 'pandas', 'yaml', 'jinja2', 'crawleruseragents')"
    code = f"import sys, functions.collect.handler; print([name for name in {heavy} if name in sys.modules])"
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


def test_the_built_snippet_is_the_build_of_the_source_and_small() -> None:
    text = BUILT.read_text(encoding="utf-8")
    assert text.startswith(source_mark()), f"{SOURCE.name} has changed: run python -m infra.snippet"
    assert len(text.encode()) < LIMIT_BYTES


@pytest.mark.skipif(sys.platform != "linux", reason="the minifier has wheels for Linux only")
def test_building_the_snippet_again_gives_the_same_file() -> None:
    assert built() == BUILT.read_text(encoding="utf-8")


def test_an_envelope_becomes_a_request() -> None:
    event = sample("batch-gzip")
    event["requestContext"]["stage"], event["rawPath"] = "live", "/live/v1/batch"
    request = request_of(event)
    assert (request.method, request.path, request.source_ip) == ("POST", "/v1/batch", "198.51.100.7")
    assert request.received_at.isoformat() == "2026-11-22T09:30:00+00:00"
    assert request.raw_body()[:2] == b"\x1f\x8b"
    del event["requestContext"]["timeEpoch"], event["body"], event["headers"]
    bare = request_of(event)
    assert (bare.raw_body(), bare.headers) == (b"", {})
    assert bare.received_at.tzinfo is not None


def test_a_reply_becomes_what_api_gateway_wants() -> None:
    document = reply_doc(
        HttpReply(status=200, headers={"x": "y"}, body=base64.b64encode(b"a").decode(), is_base64=True)
    )
    assert document["statusCode"] == 200
    assert document["isBase64Encoded"] is True
    assert document["headers"]["x"] == "y"
    assert (
        HttpRequest(method="GET", path="/", received_at=request_of(sample("pixel")).received_at, request_id="r").query
        == ""
    )
