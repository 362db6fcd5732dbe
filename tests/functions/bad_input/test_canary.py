"""Marks in everything personal, through every flow and every refusal: none may be where it does not belong.

Where it does not belong: log lines, metrics, texts of exceptions (Lambda logs them), answers to strangers, keys of
objects and items, and addresses in URLs that are kept. Payloads belong in the lake, bad rows and dead letters.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from infra.local import LocalCloud
from infra.local.functions import InvocationError
from regulars.adapters.aws.lake import S3EventLog
from tests.functions.bad_input.payloads import NOT_JSON, deep
from tests.functions.bad_input.test_invocations import CONSUMERS, with_bodies
from tests.traffic import BROWSER, signed

EMAIL, PHONE, CARD = "zqcanary@example.com", "+4915112340987", "4111111111111111"
NAME, USER = "Zqcanaria", "zqcanaryuser"
MARKS = ("zqcanary", "zqcanaria", "15112340987", "4111111111111111", "dev-write-key")
KEY = {"authorization": "Bearer dev-write-key", "user-agent": f"{BROWSER} {EMAIL}", "origin": "https://shop.example"}
URL = f"https://shop.example/hi?email={EMAIL}&phone={PHONE}&card={CARD}#{EMAIL}"
ORDER: dict[str, Any] = {
    "order_id": f"o-{USER}",
    "version": 1,
    "placed_at": "2026-11-22T08:55:00Z",
    "status": "paid",
    "currency": "USD",
    "total": "42.50",
    "customer": {"user_id": USER, "email": EMAIL, "phone": PHONE, "first_name": NAME},
}
CALL: dict[str, Any] = {
    "type": "track",
    "event": "Product Viewed",
    "userId": USER,
    "messageId": f"m-{USER}",
    "traits": {"email": EMAIL, "phone": PHONE, "first_name": NAME},
    "context": {"page": {"url": URL, "referrer": URL, "title": f"Hi {EMAIL}"}, "campaign": {"source": EMAIL}},
    "properties": {"name": NAME, "note": URL},
}


@dataclass
class Traffic:
    """Sends everything, and keeps what was answered."""

    cloud: LocalCloud
    answers: list[str]

    def send(self, method: str, path: str, headers: dict[str, str] | None = None, body: Any = b"") -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        reply = self.cloud.request(method, path, headers or {}, raw)
        self.answers.append(reply.body.decode(errors="replace") + str(dict(reply.headers)))

    def calls(self) -> None:
        """Good and bad calls and hits, with the right key and without."""
        spoiled: list[dict[str, Any]] = [
            {**CALL, "event": {NAME: EMAIL}},
            {**CALL, "messageId": [EMAIL]},
            {**CALL, "userId": {EMAIL: NAME}},
            {**CALL, "userId": EMAIL * 100},
            {**CALL, "properties": NAME},
            {**CALL, "timestamp": EMAIL},
            {**CALL, "traits": {EMAIL * 30: 1}},
            {**CALL, "properties": {NAME: deep(30)}},
        ]
        for body in (CALL, *spoiled):
            for headers in (KEY, {}, {"authorization": f"Basic {EMAIL}"}, {"x-write-key": EMAIL}):
                self.send("POST", "/v1/track", headers, body)
        self.send("POST", "/v1/batch", KEY, {"batch": [CALL, *spoiled], "context": {"ip": "203.0.113.77"}})
        identify = {
            **CALL,
            "messageId": "i",
            "context": {"consent": {"categoryPreferences": {"email_marketing": True}}},
        }
        self.send("POST", "/v1/identify", KEY, identify)
        for raw in NOT_JSON.values():
            self.send("POST", "/v1/track", KEY, raw + EMAIL.encode())
        self.send("POST", f"/v1/{NAME}", KEY, CALL)
        self.send("GET", f"/p.gif?writeKey=dev-write-key&userId={USER}&event={NAME}&url={URL}&traits={EMAIL}", KEY)
        self.send("GET", f"/p.gif?writeKey=dev-write-key&userId={USER}&event={NAME}&traits.email={EMAIL}", KEY)
        self.send("GET", f"/p.gif?writeKey={EMAIL}&%ff={NAME}", KEY)

    def orders(self) -> None:
        """Good and bad orders, with the right signature and without."""
        changes: list[dict[str, Any]] = [
            {},
            *(
                {name: EMAIL}
                for name in ("total", "currency", "placed_at", "status", "version", "customer", "products")
            ),
            {"customer": {"user_id": {NAME: EMAIL}}},
            {"order_id": EMAIL * 10},
            {EMAIL: NAME},
        ]
        for raw in (*(json.dumps({**ORDER, **change}).encode() for change in changes), EMAIL.encode()):
            right = signed(self.cloud.secret("orders/shop"), int(self.cloud.now.timestamp()), raw)
            self.send("POST", "/webhooks/orders/shop", right, raw)
            self.send("POST", "/webhooks/orders/shop", {**right, "regulars-signature": EMAIL}, raw)
            self.send("POST", f"/webhooks/orders/{USER}", right, raw)

    def messages_and_links(self) -> None:
        """The welcome goes out; its link is followed, spoiled and used."""
        self.cloud.advance(by=timedelta(days=1))
        for mail in self.cloud.mail:
            link = str(mail.message["List-Unsubscribe"]).strip("<>").replace("\n", "").replace(" ", "")
            path = "/unsubscribe" + link.partition("/unsubscribe")[2]
            for method in ("GET", "POST"):
                self.cloud.request(method, path[:-3])
                self.cloud.request(method, path + EMAIL)
                self.cloud.request(method, path)

    def poison(self) -> None:
        """Messages that nobody can read, of every queue, and what is no batch at all."""
        for function in CONSUMERS:
            for body in (EMAIL, json.dumps({"v": 1, NAME: EMAIL, "events": [{EMAIL: NAME}], "send": {EMAIL: 1}})):
                self.cloud.invoke(function, with_bodies(function, body))
            with pytest.raises(InvocationError):
                self.cloud.invoke(function, {EMAIL: NAME})


@pytest.fixture(scope="module")
def traffic() -> Iterator[Traffic]:
    with LocalCloud() as cloud:
        done = Traffic(cloud, [])
        done.calls()
        done.messages_and_links()
        done.orders()
        done.poison()
        cloud.settle()
        yield done


def marks_in(text: str) -> set[str]:
    return {mark for mark in MARKS if mark in text.lower()}


def test_the_marks_went_everywhere(traffic: Traffic) -> None:
    """Or the tests below prove nothing: stored, rejected, sent."""
    log = S3EventLog(traffic.cloud.client("s3"), traffic.cloud.bucket_name)
    stored = "".join(str(event) for key in list(log.keys()) for event in log.read(key))
    rejected = [row for key in log.bad_keys() for row in log.read_bad(key)]
    assert {"zqcanary", "zqcanaria"} <= marks_in(stored)
    assert len(rejected) > 20
    assert {"zqcanary", "zqcanaria"} <= marks_in("".join(row.original for row in rejected))
    assert any(EMAIL in str(mail) for mail in traffic.cloud.mail)
    assert traffic.cloud.metric("BadRows") > 20
    assert traffic.cloud.metric("Unsubscribed") >= 1


def test_no_mark_is_in_a_log_line_a_metric_or_a_traceback(traffic: Traffic) -> None:
    lines = [line for line in traffic.cloud.log if marks_in(line)]
    assert lines == []
    assert any("Traceback" in line for line in traffic.cloud.log)


def test_no_link_that_unsubscribes_is_in_a_log_line(traffic: Traffic) -> None:
    text = "\n".join(traffic.cloud.log)
    tokens = [str(mail.message["List-Unsubscribe"]).partition("t=")[2].strip("<>")[:40] for mail in traffic.cloud.mail]
    assert tokens
    assert not [token for token in tokens if token in text]


def test_no_mark_is_in_an_answer(traffic: Traffic) -> None:
    assert len(traffic.answers) > 80
    assert [answer for answer in traffic.answers if marks_in(answer)] == []


def test_no_mark_is_in_a_key(traffic: Traffic) -> None:
    cloud = traffic.cloud
    objects = cloud.client("s3").list_objects_v2(Bucket=cloud.bucket_name)["Contents"]
    items = cloud.client("dynamodb").scan(TableName=cloud.table_name)["Items"]
    keys = [found["Key"] for found in objects] + [item["pk"]["S"] + item["sk"]["S"] for item in items]
    assert len(keys) > 10
    assert [key for key in keys if marks_in(key)] == []


def test_no_mark_is_in_a_detail_of_a_bad_row(traffic: Traffic) -> None:
    """Details are shown in lists of what went wrong; only the original holds what came."""
    log = S3EventLog(traffic.cloud.client("s3"), traffic.cloud.bucket_name)
    rows = [row for key in log.bad_keys() for row in log.read_bad(key)]
    assert [row.detail for row in rows if marks_in(row.detail + row.code + row.stage + row.source)] == []


def test_no_address_is_in_a_url_that_is_kept(traffic: Traffic) -> None:
    """Of events; the bad row of a whole request is kept as it came."""
    log = S3EventLog(traffic.cloud.client("s3"), traffic.cloud.bucket_name)
    calls = [event for key in list(log.keys()) for event in log.read(key) if event.source == "web"]
    kept = [json.dumps([event.context.get("page"), event.context.get("campaign"), event.properties.get("note")])
            for event in calls]  # fmt: skip
    assert any("[email]" in text for text in kept)
    assert [text for text in kept if EMAIL in text or PHONE[1:] in text or CARD in text] == []
