"""What SES tells becomes events without addresses, and proofs for the ledger."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from regulars.adapters.memory.queue import MemoryQueue
from regulars.adapters.memory.system import FixedClock
from regulars.application.record_feedback import FeedbackReport, record_feedback
from regulars.domain.errors import TransientError
from regulars.domain.event_nodes import nodes_of
from regulars.domain.events import Event, Trust, event_from_doc
from regulars.domain.facts import fact_of
from tests.send_samples import EMAIL, a_send

SAMPLES = Path(__file__).parents[2] / "events" / "record_feedback"
NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)


def record(*bodies: str) -> tuple[FeedbackReport, list[Event], list[dict[str, Any]]]:
    """The report, the events told and the instructions to the ledger."""
    events, sends = MemoryQueue(), MemoryQueue()
    messages = [(f"m{number}", body) for number, body in enumerate(bodies)]
    report = record_feedback(messages, events=events, sends=sends, clock=FixedClock(NOW))
    told = [event_from_doc(doc) for message in events.receive() for doc in orjson.loads(message.body)["events"]]
    return report, told, [orjson.loads(message.body) for message in sends.receive()]


def bodies(case: str) -> list[str]:
    """The message bodies of a recorded invocation."""
    return [record["body"] for record in json.loads((SAMPLES / f"{case}.json").read_text())["Records"]]


def test_deliveries_opens_and_clicks_are_events_of_the_address() -> None:
    report, events, _ = record(*bodies("delivered_opened_clicked"))
    assert report.counts == {"Send": 1, "Delivery": 1, "Open": 1, "Click": 1}
    assert [event.name for event in events] == ["Email Delivered", "Email Opened", "Email Link Clicked"]
    for event in events:
        assert event.trust is Trust.SYSTEM
        assert nodes_of(event) == [a_send().address_node]
        assert event.properties["send_key"] == a_send().send_key
        assert event.properties["campaign"] == "welcome"
        assert event.properties["customer"] == a_send().customer
        assert event.received_at == NOW > event.timestamp
    assert "iPhone" in events[1].context["userAgent"]


def test_no_address_ip_or_query_of_a_link_is_kept() -> None:
    for case in ("delivered_opened_clicked", "bounced_and_complained", "identity_notifications"):
        _, events, _ = record(*bodies(case))
        text = repr(events)
        assert EMAIL not in text
        assert "198.51.100.7" not in text
        assert "utm_source" not in text
    assert record(*bodies("delivered_opened_clicked"))[1][2].properties["link"] == "https://shop.example/new"


def test_only_a_permanent_bounce_or_a_complaint_suppresses_the_address() -> None:
    _, events, _ = record(*bodies("bounced_and_complained"))
    suppressed = [dict(fact.suppressed) for event in events if (fact := fact_of(event, currency="EUR"))]
    node = a_send().address_node
    assert suppressed == [{node: "bounced"}, {}, {node: "complained"}, {}, {}, {}]


def test_what_proves_that_the_message_went_out_is_told_to_the_ledger_once() -> None:
    _, _, proofs = record(*bodies("delivered_opened_clicked"))
    send = a_send()
    assert proofs == [
        {
            "v": 1,
            "resolve": {
                "address_node": send.address_node,
                "send_key": send.send_key,
                "provider_id": "0100018f3c1e7a2b-5d0c7f5e-aaaa-4d2f-9f3a-0123456789ab-000000",
            },
        }
    ]


def test_notifications_without_tags_find_the_message_by_header_and_the_address_by_recipient() -> None:
    report, events, proofs = record(*bodies("identity_notifications"))
    assert report.unreadable == []
    assert [event.properties["address_node"] for event in events] == [a_send().address_node] * 3
    assert [event.properties.get("send_key") for event in events] == [None, a_send().send_key, a_send().send_key]
    assert len(proofs) == 1


def test_a_bounce_of_one_recipient_of_many_is_not_taken_for_all() -> None:
    document = json.loads(bodies("identity_notifications")[0])
    document["mail"]["destination"] = ["other@example.com", EMAIL]
    _, (event,), _ = record(json.dumps(document))
    assert event.properties["address_node"] == a_send().address_node
    document["bounce"]["bouncedRecipients"] = []
    _, (event,), _ = record(json.dumps(document))
    assert "address_node" not in event.properties


def test_the_same_notification_again_is_the_same_event() -> None:
    twice = bodies("bounced_and_complained")[0]
    _, events, _ = record(twice, twice)
    assert events[0] == events[1]
    ids = {event.event_id for event in record(*bodies("bounced_and_complained"))[1]}
    assert len(ids) == 6


def test_what_nobody_can_read_fails_alone_and_greetings_and_other_kinds_pass() -> None:
    report, _, proofs = record(*bodies("poison"))
    assert report.unreadable == ["m0", "m1", "m2", "m3"]
    assert len(proofs) == 1
    other = json.dumps({"eventType": "Invented", "mail": {"messageId": "1", "timestamp": "2026-11-22T12:00:00Z"}})
    report, events, proofs = record("Successfully validated SNS topic for Amazon SES event publishing.", other)
    assert (report.unreadable, events, proofs) == ([], [], [])


@pytest.mark.parametrize("tag", ["", "e_1-2", "e_" + "0" * 32, "../e_x", f"e_{'0' * 32}-{'g' * 32}"])
def test_a_tag_that_is_not_ours_proves_nothing(tag: str) -> None:
    document = json.loads(bodies("delivered_opened_clicked")[0])
    document["mail"]["tags"]["send_id"] = [tag]
    document["mail"]["headers"] = []
    assert record(json.dumps(document))[2] == []


def test_a_time_in_the_future_is_now() -> None:
    document = json.loads(bodies("delivered_opened_clicked")[1])
    document["delivery"]["timestamp"] = "2099-01-01T00:00:00.000Z"
    _, (event,), _ = record(json.dumps(document))
    assert event.timestamp == NOW


def test_a_queue_that_does_not_answer_brings_the_batch_back() -> None:
    events = MemoryQueue()
    events.available = False
    with pytest.raises(TransientError):
        record_feedback(
            [("m0", bodies("bounced_and_complained")[0])], events=events, sends=MemoryQueue(), clock=FixedClock(NOW)
        )
