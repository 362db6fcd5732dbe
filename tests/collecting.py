"""A collector on memory adapters, and requests to it as API Gateway passes them on."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from regulars.adapters.memory.queue import MemoryQueue
from regulars.adapters.memory.system import CountedIds
from regulars.application.collect.cors import Origins
from regulars.application.collect.keys import WriteKeys
from regulars.application.collect.service import Collect
from regulars.application.collect.static import DOCUMENT_PATH, JAVASCRIPT, JSON, SNIPPET_PATH, StaticFile
from regulars.application.http import HttpReply, HttpRequest
from regulars.domain.events import BadRow, Event, bad_row_from_doc, event_from_doc
from regulars.domain.instants import from_millis

NOW = from_millis(1_795_339_800_000)  # 2026-11-22T09:30:00Z
KEY = "wk_web"
BASIC = {"authorization": "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()}
TRACK: dict[str, Any] = {
    "type": "track",
    "event": "Product Viewed",
    "messageId": "m-1",
    "anonymousId": "a-1",
    "timestamp": "2026-11-22T09:29:58Z",
    "properties": {"product_id": "7", "price": 9.9},
}


def queued(queue: MemoryQueue) -> tuple[list[Event], list[BadRow]]:
    """All events and bad rows in a queue, which is empty then."""
    bodies = [orjson.loads(message.body) for message in queue.receive()]
    events = [event_from_doc(doc) for body in bodies for doc in body["events"]]
    return events, [bad_row_from_doc(doc) for body in bodies for doc in body["bad"]]


@dataclass
class Shop:
    """One collector with the write keys `web` and `app`, and its queue."""

    origins: str = "*"
    queue: MemoryQueue = field(default_factory=MemoryQueue)
    requests: int = 0

    def __post_init__(self) -> None:
        self.collect = Collect(
            keys=WriteKeys({"web": KEY, "app": "wk_app"}),
            origins=Origins(self.origins),
            queue=self.queue,
            ids=CountedIds("made-"),
            files={SNIPPET_PATH: StaticFile("snippet", JAVASCRIPT), DOCUMENT_PATH: StaticFile("{}", JSON)},
        )

    def request(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None, query: str = ""
    ) -> HttpReply:
        """One request; a body that is neither bytes nor text is sent as JSON."""
        self.requests += 1
        if isinstance(body, bytes):
            text, is_base64 = base64.b64encode(body).decode(), True
        else:
            text, is_base64 = body if isinstance(body, str) else orjson.dumps(body).decode(), False
        return self.collect(
            HttpRequest(
                method=method,
                path=path,
                query=query,
                headers={"user-agent": "Mozilla/5.0", **(headers or {})},
                body=None if body is None else text,
                is_base64=is_base64,
                source_ip="198.51.100.7",
                request_id=f"r-{self.requests}",
                received_at=NOW,
            )
        )

    def post(self, call: str, body: object, **headers: str) -> HttpReply:
        """POST of a call with the write key `web` in Basic auth."""
        return self.request("POST", f"/v1/{call}", body, {**BASIC, **headers})

    def pixel(self, query: str, **headers: str) -> HttpReply:
        """GET of the pixel with the write key in the query."""
        return self.request("GET", "/p.gif", query=f"writeKey={KEY}&{query}", headers=headers)

    def stored(self) -> tuple[list[Event], list[BadRow]]:
        """What is queued now."""
        return queued(self.queue)

    def event(self) -> Event:
        """The one event that is queued now, and nothing else."""
        events, bad = self.stored()
        assert bad == []
        assert len(events) == 1
        return events[0]

    def row(self) -> BadRow:
        """The one bad row that is queued now, and nothing else."""
        events, bad = self.stored()
        assert events == []
        assert len(bad) == 1
        return bad[0]


def code_of(reply: HttpReply) -> str:
    """The code of an error reply."""
    document = orjson.loads(reply.body)
    assert document["success"] is False
    assert document["message"]
    return str(document["code"])
