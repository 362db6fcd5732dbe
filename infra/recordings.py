"""`make reference`: recorded HTTP traffic of real clients, replayed through the local cloud.

A recording is a JSON file: `requests`, each with `method`, `path`, `headers` (pairs), `raw_b64` (the body as it was on
the wire) and `body` (parsed, for POSTs of JSON). Every request must be answered well, but for those to paths that are
no clients' own (`NOT_OURS`); every event that was sent must be in the events queue, and nothing may be a bad row.
Stripe's deliveries (`/webhooks/stripe`) go to a cloud of the instant when they were signed, with the secret that the
recording's `note` tells. A folder `../payloads` beside the recordings is sent as infra/payloads.py says.
"""

from __future__ import annotations

import json
import sys
from base64 import b64decode
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from infra.local import LocalCloud
from infra.payloads import (
    RECORDED_PATH,
    deliver_recorded,
    deliver_webhooks,
    notify,
    notify_in_envelopes,
    secret_told,
    signed_at,
)

NOT_OURS = {
    "/custom/b": "a path that the client was told to use instead of its own",
}
"""Path in a recording to why nothing answers there."""


@dataclass(slots=True)
class Replay:
    """What became of the recordings: requests by outcome, ids that were sent, failures in words."""

    outcomes: Counter[str] = field(default_factory=Counter)
    sent: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)


def write_keys(recordings: dict[str, list[dict[str, Any]]]) -> str:
    """The write keys that the clients used, as the template's parameter."""
    keys = set()
    for requests in recordings.values():
        for request in requests:
            authorization = _header(request, "authorization")
            if authorization.startswith("Basic "):
                keys.add(b64decode(authorization.removeprefix("Basic ")).decode().partition(":")[0])
            body = request.get("body")
            if isinstance(body, dict) and isinstance(body.get("writeKey"), str):
                keys.add(body["writeKey"])
            path, _, query = request["path"].partition("?")
            keys.update(parse_qs(query).get("writeKey", ()))
            keys.update(payload["aid"] for payload in _snowplow(request) if "aid" in payload)
            if path.startswith(("/v1/projects/", "/analytics.js/v1/")):
                keys.add(path.split("/")[3])
    return ",".join(f"client{number}={key}" for number, key in enumerate(sorted(filter(None, keys))))


def replay(cloud: LocalCloud, recordings: dict[str, list[dict[str, Any]]]) -> Replay:
    """Send every request that has a route."""
    result = Replay()
    for name, requests in recordings.items():
        for request in requests:
            method, path = request["method"], request["path"]
            if path == RECORDED_PATH:  # see replay_webhooks
                continue
            if reason := NOT_OURS.get(path.partition("?")[0]):
                result.outcomes[f"not ours: {path}, {reason}"] += 1
                continue
            response = cloud.request(method, path, request["headers"], b64decode(request["raw_b64"] or ""))
            if response.status in {200, 204}:
                result.outcomes[f"{method}: {response.status}"] += 1
                result.sent.update(_message_ids(request))
            else:
                result.failures.append(f"{name}: {method} {path} was answered {response.status}")
    return result


def replay_webhooks(documents: dict[str, dict[str, Any]], result: Replay) -> None:
    """Send Stripe's deliveries in each recording to a cloud of their own, as they were; count those that cannot be."""
    for name, document in documents.items():
        deliveries = [request for request in document["requests"] if request["path"] == RECORDED_PATH]
        secret = secret_told(document)
        if not deliveries:
            continue
        if secret is None:
            result.outcomes["not replayed: webhook of stripe, whose secret the recording does not tell"] += len(
                deliveries
            )
            continue
        with LocalCloud(start=signed_at(deliveries)) as cloud:
            deliver_recorded(cloud, name, deliveries, secret, result)


PAYLOADS: tuple[Callable[[LocalCloud, Path, Replay], None], ...] = (notify, notify_in_envelopes, deliver_webhooks)
"""What is done with the folder `payloads` beside the recordings: one function for each kind of sender."""


def _message_ids(request: dict[str, Any]) -> set[str]:
    body = request.get("body")
    calls = body.get("batch", [body]) if isinstance(body, dict) else []
    found = {call["messageId"] for call in calls if isinstance(call, dict) and call.get("messageId")}
    return found | {payload["eid"] for payload in _snowplow(request)}


def _snowplow(request: dict[str, Any]) -> list[dict[str, str]]:
    """The payloads of a request in Snowplow's protocol; none of any other."""
    path, _, query = request["path"].partition("?")
    if path == "/i":
        return [{name: values[0] for name, values in parse_qs(query).items()}]
    if path == "/com.snowplowanalytics.snowplow/tp2" and request["method"] == "POST":
        return list(request["body"]["data"])
    return []


def _header(request: dict[str, Any], wanted: str) -> str:
    return next((value for name, value in request["headers"] if name.lower() == wanted), "")


def main() -> int:
    """Replays all files of the folder named as argument."""
    if len(sys.argv) != 2:  # noqa: PLR2004
        print("name one folder of recordings", file=sys.stderr)
        return 2
    documents = {path.name: json.loads(path.read_text()) for path in sorted(Path(sys.argv[1]).glob("*.json"))}
    recordings = {name: document["requests"] for name, document in documents.items()}
    if not recordings:
        print("there are no recordings in that folder", file=sys.stderr)
        return 2
    with LocalCloud(parameters={"WriteKeys": write_keys(recordings)}) as cloud:
        result = replay(cloud, recordings)
        for deliver in PAYLOADS:
            deliver(cloud, Path(sys.argv[1]).parent / "payloads", result)
        bodies = [json.loads(body) for body in cloud.queue("events")]
    replay_webhooks(documents, result)
    queued = {event["message_id"] for body in bodies for event in body["events"]}
    for code, number in Counter(row["code"] for body in bodies for row in body["bad"]).items():
        result.failures.append(f"{number} bad rows: {code}")
    for outcome, number in sorted(result.outcomes.items()):
        print(f"{number:5} {outcome}")
    if lost := result.sent - queued:
        result.failures.append(f"{len(lost)} events were acknowledged and are not in the queue")
    print(f"{len(result.sent & queued)} events of {len(recordings)} recordings are in the queue")
    for failure in result.failures:
        print(failure, file=sys.stderr)
    return 1 if result.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
