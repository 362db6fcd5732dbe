"""`make reference`: recorded HTTP traffic of real clients, replayed through the local cloud.

A recording is a JSON file: `requests`, each with `method`, `path`, `headers` (pairs), `raw_b64` (the body as it was on
the wire) and `body` (parsed, for POSTs of JSON). What has a route must be answered well, and every event that a client
sent to such a route must be in the events queue. Where a folder `../payloads/ses` lies beside the recordings, every
notification in it (one JSON file each, `*invalid*` ones aside) must be one that record_feedback understands.
"""

from __future__ import annotations

import json
import sys
from base64 import b64decode
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.local import LocalCloud


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
    return ",".join(f"client{number}={key}" for number, key in enumerate(sorted(filter(None, keys))))


def replay(cloud: LocalCloud, recordings: dict[str, list[dict[str, Any]]]) -> Replay:
    """Send every request that has a route."""
    result = Replay()
    for name, requests in recordings.items():
        for request in requests:
            method, path = request["method"], request["path"]
            if not cloud.routes(method, path.partition("?")[0]):
                result.outcomes["no route yet"] += 1
                continue
            response = cloud.request(method, path, request["headers"], b64decode(request["raw_b64"] or ""))
            if response.status == 404:  # noqa: PLR2004
                result.outcomes["no route yet"] += 1
            elif response.status in {200, 204}:
                result.outcomes[f"{method}: {response.status}"] += 1
                result.sent.update(_message_ids(request.get("body")))
            else:
                result.failures.append(f"{name}: {method} {path} was answered {response.status}")
    return result


def notify(cloud: LocalCloud, folder: Path, result: Replay) -> None:
    """Hand every notification of a provider to record_feedback, as its queue would."""
    for path in sorted(folder.glob("*.json")):
        record = {"messageId": path.name, "body": path.read_text(), "eventSource": "aws:sqs"}
        reply = cloud.invoke("record_feedback", {"Records": [record]})
        understood = not reply["batchItemFailures"]
        result.outcomes[f"notification: {'understood' if understood else 'refused'}"] += 1
        if understood == ("invalid" in path.name):
            result.failures.append(f"{path.name}: {'understood' if understood else 'refused'}")


def _message_ids(body: Any) -> set[str]:
    calls = body.get("batch", [body]) if isinstance(body, dict) else []
    return {call["messageId"] for call in calls if isinstance(call, dict) and call.get("messageId")}


def _header(request: dict[str, Any], wanted: str) -> str:
    return next((value for name, value in request["headers"] if name.lower() == wanted), "")


def main() -> int:
    """Replays all files of the folder named as argument."""
    if len(sys.argv) != 2:  # noqa: PLR2004
        print("name one folder of recordings", file=sys.stderr)
        return 2
    recordings = {
        path.name: json.loads(path.read_text())["requests"] for path in sorted(Path(sys.argv[1]).glob("*.json"))
    }
    if not recordings:
        print("there are no recordings in that folder", file=sys.stderr)
        return 2
    with LocalCloud(parameters={"WriteKeys": write_keys(recordings)}) as cloud:
        result = replay(cloud, recordings)
        notify(cloud, Path(sys.argv[1]).parent / "payloads" / "ses", result)
        queued = {event["message_id"] for body in cloud.queue("events") for event in json.loads(body)["events"]}
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
