"""One cloud for all rows of a table, which do not depend on each other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from infra.local import LocalCloud


@dataclass(frozen=True)
class Outcome:
    """What became of one request: status, code of the answer, codes of its bad rows, number of events stored."""

    status: int
    code: str | None = None
    rows: tuple[str, ...] = ()
    events: int = 0


class Endpoint:
    """Sends requests and sees what each one put into the events queue."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud

    def send(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: Any = b"") -> Outcome:
        """One request, and its outcome. No answer may tell more than a code, or be a failure of a function."""
        before = len(self.cloud.queue("events"))
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        reply = self.cloud.request(method, path, headers or {}, body)
        bodies = [orjson.loads(text) for text in self.cloud.queue("events")[before:]]
        assert not self.cloud.functions.failures
        assert "Traceback" not in reply.body.decode(errors="replace")
        is_json = reply.headers.get("content-type") == "application/json" and reply.body
        answer = reply.json() if is_json else {}
        return Outcome(
            reply.status,
            answer.get("code"),
            tuple(row["code"] for found in bodies for row in found["bad"]),
            sum(len(found["events"]) for found in bodies),
        )


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with LocalCloud() as cloud:
        yield Endpoint(cloud)
