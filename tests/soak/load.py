"""Load with backpressure: two writers in bursts over real HTTP, a queue that throttles, a gateway with limits.

Whatever the answers are, what was acknowledged is stored: as an event or, for a bad member, as a bad row. A writer that
waits as it is told ends with everything stored; one that gives up loses only what it was told is not stored. The limits
are the template's, scaled down to a machine that runs Lambda, SQS and S3 in one process.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

import orjson
from botocore.awsrequest import AWSResponse
from moto.core.botocore_stubber import MockRawResponse

from infra.local import LocalCloud
from infra.local.aws_calls import AwsCall, Proceed
from regulars.adapters.aws.lake import S3EventLog
from tests.traffic import BROWSER, WRITE_KEY

SCALE = 0.02
"""Of the template's limits: 20 requests a second of a route, 40 at once."""

_HEADERS = {"authorization": f"Bearer {WRITE_KEY}", "content-type": "application/json", "user-agent": BROWSER}
_BAD_SHARE = 0.05
_GIVE_UP_TRIES = 1
_PATIENCE_TRIES = 200
_OK, _TOO_MANY, _UNAVAILABLE = 200, 429, 503


@dataclass
class Writer:
    """One client. `tries`: how often it sends a batch before it gives up; `hurry`: its seconds are so much shorter."""

    name: str
    port: int
    chance: random.Random
    tries: int
    hurry: float
    good: set[str] = field(default_factory=set)
    bad: set[str] = field(default_factory=set)
    sent: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    millis: list[float] = field(default_factory=list)

    def run(self, until: float) -> None:
        """Bursts of batches until then; the batch that is on its way is brought to its end."""
        number = 0
        while time.perf_counter() < until:
            for _ in range(self.chance.randint(5, 60)):
                if time.perf_counter() >= until:
                    break
                number += 1
                self._deliver([self._event(number, member) for member in range(self.chance.randint(1, 8))])
            self._pause(self.chance.uniform(0, 2))

    def _event(self, number: int, member: int) -> dict[str, Any]:
        event = {
            "type": "track",
            "event": "Product Viewed",
            "messageId": f"{self.name}-{number}-{member}",
            "anonymousId": f"{self.name}-{self.chance.randrange(5)}",
        }
        return event if self.chance.random() >= _BAD_SHARE else {**event, "event": ""}

    def _deliver(self, events: list[dict[str, Any]]) -> None:
        good = {event["messageId"] for event in events if event["event"]}
        bad = {event["messageId"] for event in events if not event["event"]}
        self.sent |= good | bad
        for attempt in range(self.tries):
            status, retry_after = self._post(events)
            if status == _OK:
                self.good |= good
                self.bad |= bad
                return
            # API Gateway's 429 says nothing; ours says when to come back.
            self._pause(retry_after if retry_after is not None else min(5.0, 0.5 * 2**attempt))
        self.refused |= good | bad

    def _post(self, events: list[dict[str, Any]]) -> tuple[int, float | None]:
        """(status, seconds to wait or None) of one request."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        begun = time.perf_counter()
        try:
            connection.request("POST", "/v1/batch", orjson.dumps({"batch": events}), _HEADERS)
            answer = connection.getresponse()
            answer.read()
            retry_after = answer.getheader("retry-after")
        finally:
            connection.close()
        self.millis.append((time.perf_counter() - begun) * 1_000)
        self.answers[answer.status] += 1
        if answer.status not in {_OK, _TOO_MANY, _UNAVAILABLE}:
            self.violations.append(f"answered {answer.status}")
        if answer.status == _UNAVAILABLE and retry_after is None:
            self.violations.append("503 without Retry-After")
        return answer.status, float(retry_after) if retry_after else None

    def _pause(self, seconds: float) -> None:
        time.sleep(seconds / self.hurry)  # what Retry-After asked for, and the load is over real sockets


class Weather:
    """Throttles SQS for some of collect's calls, in spells; some answers are lost after SQS took the messages."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._left = 12
        self._bad = False
        self.throttled = 0
        self.lost_answers = 0
        self.over = False

    def __call__(self, call: AwsCall, proceed: Proceed) -> AWSResponse | None:
        if self.over or call.function != "collect" or call.service != "sqs":
            return proceed()
        if self._left == 0:
            self._bad = not self._bad
            self._left = self._chance.randint(6, 14) if self._bad else self._chance.randint(12, 60)
        self._left -= 1
        if not self._bad:
            return proceed()
        if self._chance.random() < 0.1:
            proceed()
            self.lost_answers += 1
            return _refusal(call, 500, "InternalError")
        self.throttled += 1
        return _refusal(call, 403, "RequestThrottled")


def _refusal(call: AwsCall, status: int, code: str) -> AWSResponse:
    body = orjson.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": "weather"})
    headers = {"content-type": "application/x-amz-json-1.0", "x-amzn-errortype": code}
    return AWSResponse(call.request.url, status, headers, MockRawResponse(body))


def run(seconds: float, seed: int = 0, *, hurry: float = 10.0, scale: float = SCALE) -> dict[str, Any]:
    """Two writers for so long, then quiet, then the books: what was acknowledged against what is stored.

    `hurry`: the writers' waits are so much shorter than they are told. Returns {"requests", "answers", "acknowledged",
    "stored", "lost", "throttled_calls", "lost_answers", "p99_ms", "writers", "violations", ...}.
    """
    weather = Weather(random.Random(seed))  # noqa: S311 - not for secrets
    with LocalCloud(ticking=True) as cloud:
        cloud.throttle(scale)
        cloud.calls.interceptor = weather
        # What collect answers is the subject; consumers, which would hold the same lock, drain the queue afterwards.
        with cloud.serve(pumping=False) as server:
            port = int(server.url.rpartition(":")[2])
            until = time.perf_counter() + seconds
            writers = [
                Writer("patient", port, random.Random(seed + 1), _PATIENCE_TRIES, hurry),  # noqa: S311
                Writer("hasty", port, random.Random(seed + 2), _GIVE_UP_TRIES, hurry),  # noqa: S311
            ]
            with ThreadPoolExecutor(len(writers)) as pool:
                for done in [pool.submit(writer.run, until) for writer in writers]:
                    done.result()
        weather.over = True
        cloud.settle()
        figures = _books(cloud, writers)
    times = sorted(millis for writer in writers for millis in writer.millis)
    return figures | {
        "seconds": seconds,
        "throttled_calls": weather.throttled,
        "lost_answers": weather.lost_answers,
        "p50_ms": round(times[len(times) // 2], 1),
        "p99_ms": round(times[len(times) * 99 // 100], 1),
    }


def _books(cloud: LocalCloud, writers: list[Writer]) -> dict[str, Any]:
    """What was sent and acknowledged, against the lake and the bad rows."""
    log = S3EventLog(cloud.client("s3"), cloud.bucket_name)
    stored = Counter(event.message_id for key in log.keys() for event in log.read(key) if event.source == "web")  # noqa: SIM118
    rows = {str(row.message_id) for key in log.bad_keys() for row in log.read_bad(key)}
    good, bad = _all(writers, lambda writer: writer.good), _all(writers, lambda writer: writer.bad)
    sent = _all(writers, lambda writer: writer.sent)
    lost = (good - stored.keys()) | (bad - rows)
    answers: Counter[int] = Counter()
    for writer in writers:
        answers += writer.answers
    violations = [text for writer in writers for text in writer.violations]
    violations += [f"acknowledged and lost: {name}" for name in sorted(lost)[:20]]
    violations += [f"stored and never sent: {name}" for name in sorted((stored.keys() | rows) - sent)[:20]]
    violations += [f"the patient writer gave up: {name}" for name in sorted(writers[0].refused)[:20]]
    violations += [f"{name} has dead letters" for name in cloud.dead_letters()]
    violations += [f"{name} failed" for name in cloud.functions.failures]
    return {
        "requests": answers.total(),
        "answers": {str(status): number for status, number in sorted(answers.items())},
        "sent": len(sent),
        "acknowledged": len(good) + len(bad),
        "stored": len(stored),
        "bad_rows": len(rows),
        "refused_but_stored": len((stored.keys() | rows) - good - bad),
        "stored_more_than_once": sum(1 for number in stored.values() if number > 1),
        "lost": len(lost),
        "writers": {writer.name: dict(sorted(writer.answers.items())) for writer in writers},
        "violations": violations,
    }


def _all(writers: list[Writer], what: Callable[[Writer], set[str]]) -> set[str]:
    return set().union(*(what(writer) for writer in writers))
